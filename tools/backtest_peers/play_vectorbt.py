"""Cases in vectorbt."""

from __future__ import annotations

from typing import Any

import numpy as np
import vectorbt as vbt
from playing import CannotBeEqualError, Job, main


def play(job: Job) -> dict[str, Any]:
    """Run one case."""
    if job.has("price", "stop_price"):
        raise CannotBeEqualError("no limit or stop orders as entries")
    if job.size_at == "decision":
        raise CannotBeEqualError("sizes at the order's own price")
    if job.bracket_from == "entry_bar":
        raise CannotBeEqualError("stops are looked at from the bar after the entry")
    book = _rebalanced(job) if "target" in job.sizings else _signalled(job)
    records = book.orders.records
    signed = np.where(records["side"] == 0, records["size"], -records["size"])
    fills = [
        [int(row), job.symbols[int(column)], float(quantity), float(price)]
        for row, column, quantity, price in zip(
            records["idx"], records["col"], signed, records["price"], strict=True
        )
    ]
    return {"fills": fills, "equity": np.ravel(book.value().to_numpy()).tolist()}


def _rules(job: Job) -> dict[str, Any]:
    rules = {"fees": job.fee, "init_cash": job.cash, "freq": "1D"}
    return rules if job.fractional else {**rules, "size_granularity": 1.0}


def _rebalanced(job: Job) -> Any:
    late = 0 if job.fill == "same_close" else 1
    close = job.wide("close")
    size = np.full(close.shape, np.nan)
    for item in job.instructions:
        size[item["row"] + late, job.symbols.index(item["symbol"])] = item["size"]
    return vbt.Portfolio.from_orders(
        close, size, size_type="targetpercent", group_by=True, cash_sharing=True, call_seq="auto",
        price=close if late == 0 else job.wide("open"), **_rules(job),
    )  # fmt: skip


def _signalled(job: Job) -> Any:
    """Enter and leave; a row's signal acts at the next open, or at its own close."""
    late = 0 if job.fill == "same_close" else 1
    frame = job.single()
    rows = len(frame)
    enter, leave = np.zeros(rows, bool), np.zeros(rows, bool)
    size, sizing = np.inf, "amount"
    stop, target = np.full(rows, np.nan), np.full(rows, np.nan)
    price = frame["close"] if late == 0 else frame["open"]
    for item in job.instructions:
        row = item["row"] + late
        if item["sizing"] == "close":
            leave[row] = True
            continue
        enter[row] = True
        if item["sizing"] == "percent":
            size, sizing = item["size"], "percent"
        elif item["sizing"] == "units":
            size = item["size"]
        if item["stop_loss"] is not None:
            stop[row] = 1 - item["stop_loss"] / price.iloc[row]
            target[row] = item["take_profit"] / price.iloc[row] - 1
    stops = {}
    if job.has("stop_loss"):
        stops = {
            "sl_stop": stop, "tp_stop": target, "high": frame["high"], "low": frame["low"],
            "open": frame["open"], "stop_entry_price": "fillprice",
        }  # fmt: skip
    return vbt.Portfolio.from_signals(
        frame["close"], enter, leave, size=size, size_type=sizing, price=price, **stops,
        **_rules(job),
    )  # fmt: skip


if __name__ == "__main__":
    main(play)
