"""Cases in backtrader."""

from __future__ import annotations

import math
from typing import Any

import backtrader as bt
import pandas as pd
from playing import CannotBeEqualError, Job, main


class Player(bt.Strategy):
    """Places the instructions; what is sized at the fill is placed as the next bar opens."""

    params = (("job", None),)

    def __init__(self) -> None:
        self.job = self.p.job
        self.row = -1
        self.waiting: list[dict[str, Any]] = []
        self.pending: set[int] = set()
        self.fills: list[list[Any]] = []
        self.equity: list[float] = []
        self.feeds = dict(zip(self.job.symbols, self.datas, strict=True))

    def notify_order(self, order: Any) -> None:
        """Note fills and what still works."""
        if order.status == order.Completed:
            done = order.executed
            row = self.job.rows[bt.num2date(done.dt).replace(tzinfo=None)]
            self.fills.append([row, order.data._name, done.size, done.price])
        if not order.alive():
            self.pending.discard(order.ref)

    def next_open(self) -> None:
        """Place what the last bar decided, sized at this bar's open."""
        for item in self.waiting:
            self._place(item, self.feeds[item["symbol"]].open[0], self.broker.getcash())
        self.waiting = []

    def next(self) -> None:
        """Note the account's value and follow the row's instructions."""
        self.row += 1
        self.equity.append(self.broker.getvalue())
        chosen = []
        for item in self.job.by_row.get(self.row, ()):
            held = self.getposition(self.feeds[item["symbol"]]).size
            if item["only_if"] == "flat" and (held or self.pending):
                continue
            if item["only_if"] == "held" and not held:
                continue
            chosen.append(item)
        if self.job.at_open:
            self.waiting = chosen
            return
        value, cash = self.broker.getvalue(), self.broker.getcash()
        planned = [(self._signed(item, value, cash), item) for item in chosen]
        for size, item in sorted(planned, key=lambda pair: pair[0] > 0):
            self._send(item, size)

    def _signed(self, item: dict[str, Any], value: float, cash: float) -> float:
        feed = self.feeds[item["symbol"]]
        held, price = self.getposition(feed).size, feed.close[0]
        return self._size(item, price, value, cash, held)

    def _place(self, item: dict[str, Any], price: float, cash: float) -> None:
        held = self.getposition(self.feeds[item["symbol"]]).size
        self._send(item, self._size(item, price, cash + held * price, cash, held))

    def _size(
        self, item: dict[str, Any], price: float, value: float, cash: float, held: float
    ) -> float:
        if item["sizing"] == "close":
            return -held
        if item["sizing"] == "units":
            return item["size"]
        if item["sizing"] == "all":  # a purchase that overdraws the cash by rounding is refused
            wanted = cash * (1 - 1e-13) / (price * (1 + self.job.fee))
        else:
            wanted = item["size"] * value / price
        shares = wanted if self.job.fractional else math.floor(wanted + 1e-9 * max(1.0, wanted))
        return shares - held if item["sizing"] == "target" else shares

    def _send(self, item: dict[str, Any], size: float) -> None:
        if size == 0:
            return
        feed, terms = self.feeds[item["symbol"]], {}
        if item["stop_price"] is not None:
            terms = {"exectype": bt.Order.StopLimit, "price": item["stop_price"],
                     "plimit": item["price"]}  # fmt: skip
        elif item["price"] is not None:
            terms = {"exectype": bt.Order.Limit, "price": item["price"]}
        if item["time_in_force"] == "DAY" and terms:
            terms["valid"] = self.job.valid[self.row]
        if item["stop_loss"] is not None:
            made = self.buy_bracket(
                data=feed, size=size, exectype=bt.Order.Market, stopprice=item["stop_loss"],
                limitprice=item["take_profit"],
            )  # fmt: skip
            self.pending.update(order.ref for order in made)
            return
        order = (self.buy if size > 0 else self.sell)(data=feed, size=abs(size), **terms)
        self.pending.add(order.ref)


def play(job: Job) -> dict[str, Any]:
    """Run one case."""
    if job.fill == "same_close" and len(job.symbols) > 1:
        raise CannotBeEqualError("cheating on close checks the cash by symbol, not by rebalance")
    if job.bracket_from == "entry_bar":
        raise CannotBeEqualError("a bracket's children are live from the bar after the entry")
    job.at_open = job.size_at == "fill" and job.fill == "next_open" and job.sizings & {
        "all", "percent", "target"
    }  # fmt: skip
    if job.at_open and len(job.symbols) > 1:
        raise CannotBeEqualError("next_open comes by symbol, with closes for the account's value")
    when = pd.DatetimeIndex(job.bars["when"].unique()).sort_values()
    job.rows = {stamp.to_pydatetime(): row for row, stamp in enumerate(when)}
    job.valid = _last_bars(job, when)
    cerebro = bt.Cerebro(stdstats=False, cheat_on_open=bool(job.at_open))
    for symbol in job.symbols:
        bars = job.bars[job.bars["symbol"] == symbol].set_index("when")
        columns = bars[["open", "high", "low", "close", "volume"]]
        cerebro.adddata(bt.feeds.PandasData(dataname=columns), name=symbol)
    cerebro.broker.setcash(job.cash)
    cerebro.broker.setcommission(commission=job.fee)
    if job.fill == "same_close":
        cerebro.broker.set_coc(True)
    cerebro.addstrategy(Player, job=job)
    player = cerebro.run()[0]
    if job.fill == "same_close":
        return {"fills": player.fills, "no equity": "the account learns of a fill a bar later"}
    return {"fills": player.fills, "equity": player.equity}


def _last_bars(job: Job, when: pd.DatetimeIndex) -> list[Any]:
    """Return, by row, the last bar on which an order placed at its end works for the day."""
    session = job.bars.drop_duplicates("when").sort_values("when")["session_number"].to_numpy()
    last = [row for row in range(len(session)) if row + 1 == len(session)
            or session[row + 1] != session[row]]  # fmt: skip
    ends = {session[row]: when[row].to_pydatetime() for row in last}
    found = []
    for row in range(len(session)):
        following = min(row + 1, len(session) - 1)
        found.append(ends[session[following]])
    return found


if __name__ == "__main__":
    main(play)
