"""Cases in backtesting.py."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from backtesting import Backtest, Strategy
from playing import CannotBeEqualError, Job, main

ALL = float(np.nextafter(1.0, 0.0))  # a size of 1 is one share


class Player(Strategy):
    """Places the instructions; an order for a day is cancelled once the next session is over."""

    job: Any = None

    def init(self) -> None:
        """Begin without orders for a day."""
        self.for_a_day: list[tuple[Any, int]] = []

    def next(self) -> None:
        """Follow the row's instructions; its first row is 1."""
        row = len(self.data) - 1
        for item in self.job.by_row.get(row, ()):
            if item["only_if"] == "flat" and (self.position or self.orders):
                continue
            if item["only_if"] == "held" and not self.position:
                continue
            if item["sizing"] == "close":
                self.position.close()
                continue
            size = {"all": ALL, "percent": item["size"], "units": item["size"]}[item["sizing"]]
            order = self.buy(
                size=size, limit=item["price"], stop=item["stop_price"],
                sl=item["stop_loss"], tp=item["take_profit"],
            )  # fmt: skip
            if item["time_in_force"] == "DAY":
                session = self.job.session[row] if self.job.works_on[row] else None
                last = self.job.session[row + 1] if session is None else session
                self.for_a_day.append((order, last))
        self._expire(row)

    def _expire(self, row: int) -> None:
        is_over = not self.job.works_on[row]
        for order, session in self.for_a_day:
            if is_over and session <= self.job.session[row] and order in self.orders:
                order.cancel()


def play(job: Job) -> dict[str, Any]:
    """Run one case."""
    if len(job.symbols) > 1:
        raise CannotBeEqualError("one symbol only")
    if job.fractional:
        raise CannotBeEqualError("whole shares only")
    if job.size_at == "decision":
        raise CannotBeEqualError("sizes at the fill only")
    if job.bracket_from == "next_bar":
        raise CannotBeEqualError("brackets of a market order work on its entry bar")
    if job.fill == "same_close":
        raise CannotBeEqualError("trade_on_close fills one bar late in the account's value")
    if job.has("stop_price") and "no gaps" not in job.name:
        raise CannotBeEqualError("a stop-limit that the open has passed fills at the stop")
    frame = job.single().rename(columns=str.title)
    job.session = job.bars["session_number"].to_numpy()
    # Whether the session goes on after the row, so that an order for the day still works on.
    job.works_on = np.append(job.session[1:] == job.session[:-1], [False])
    warnings.simplefilter("ignore")
    told = Backtest(frame, Player, cash=job.cash, commission=job.fee).run(job=job)
    fills = []
    for trade in told["_trades"].itertuples():
        fills.append([trade.EntryBar, job.symbols[0], trade.Size, trade.EntryPrice])
        fills.append([trade.ExitBar, job.symbols[0], -trade.Size, trade.ExitPrice])
    still_open = told["_strategy"].trades
    fills += [[t.entry_bar, job.symbols[0], t.size, t.entry_price] for t in still_open]
    equity = told["_equity_curve"]["Equity"]
    plain = [[int(r), s, float(q), float(p)] for r, s, q, p in fills]
    return {"fills": plain, "equity": equity.tolist()}


if __name__ == "__main__":
    main(play)
