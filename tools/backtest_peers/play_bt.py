"""Cases in bt."""

from __future__ import annotations

from typing import Any

import bt
import pandas as pd
from playing import CannotBeEqualError, Job, main


class Player(bt.Algo):
    """Follows the instructions at the close of their row."""

    def __init__(self, job: Job, dates: pd.DatetimeIndex) -> None:
        super().__init__()
        self.job = job
        self.rows = {date: row for row, date in enumerate(dates)}
        self.rebalance = bt.algos.Rebalance()

    def __call__(self, target: Any) -> bool:
        """Follow the row's instructions."""
        weights = {}
        for item in self.job.by_row.get(self.rows.get(target.now), ()):
            symbol = item["symbol"]
            child = target.children.get(symbol)
            is_held = child is not None and child.position != 0
            if (item["only_if"] == "flat" and is_held) or (
                item["only_if"] == "held" and not is_held
            ):
                continue
            if item["sizing"] == "close":
                target.close(symbol)
            elif item["sizing"] == "all":
                target.rebalance(1.0, symbol)
            else:
                weights[symbol] = item["size"]
        if weights:
            target.temp["weights"] = weights
            self.rebalance(target)
        return True


def play(job: Job) -> dict[str, Any]:
    """Run one case."""
    if job.fill != "same_close":
        raise CannotBeEqualError("fills at the close of the decision only")
    if "target" in job.sizings and job.fee > 0:
        raise CannotBeEqualError("a purchase's fee is taken out of what it buys for")
    closes = job.wide("close")
    test = bt.Backtest(
        bt.Strategy("case", [Player(job, closes.index)]), closes, initial_capital=job.cash,
        integer_positions=not job.fractional, progress_bar=False,
        commissions=lambda quantity, price: abs(quantity) * price * job.fee,
    )  # fmt: skip
    bt.run(test, progress_bar=False)
    rows = {date: row for row, date in enumerate(closes.index)}
    book = test.strategy.get_transactions()
    fills = [
        [rows[date], symbol, float(deal["quantity"]), float(deal["price"])]
        for (date, symbol), deal in book.iterrows()
    ]
    # Its index of values begins at 100 a day before the first; the account is the root's value.
    return {"fills": fills, "equity": test.strategy.data["value"].iloc[1:].tolist()}


if __name__ == "__main__":
    main(play)
