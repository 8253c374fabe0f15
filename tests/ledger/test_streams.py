"""Thousands of random order streams: lots and the daily ledger against a loop written to be read.

One example holds many streams, each a symbol of its own, so that the frames are built once for all.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mismartera_analytics.ledger.daily import daily_ledger
from mismartera_analytics.ledger.events import METHODS
from mismartera_analytics.ledger.flows import ledger_flows
from mismartera_analytics.ledger.lots import match_lots
from mismartera_analytics.ledger.periods import pnl_frame
from tests.ledger.reference_lots import Book

SESSIONS = pd.bdate_range("2025-01-06", periods=26)
STREAMS = 25
MARK = 33.25
FILLS = "account_id symbol session order_id side quantity price commission filled_at"
ACTIONS = "symbol action_type ex_date ratio amount"
FLOWS = "account_id symbol session flow_type quantity amount acquired_on"
RATIOS = (2.0, 3.0, 0.5, 1.5, 7.0)


@dataclass
class Script:
    """The frames of one example, and the book of every stream."""

    method: str
    books: dict[str, Book] = field(default_factory=dict)
    fills: list[dict] = field(default_factory=list)
    actions: list[dict] = field(default_factory=list)
    flows: list[dict] = field(default_factory=list)
    named: list[dict] = field(default_factory=list)

    def add(self, symbol: str, number: int, step: tuple) -> None:
        """Do one step, one a session, in the book, and write it down for the frames."""
        kind, size, sign, cents, fee, pick = step
        book = self.books.setdefault(symbol, Book(self.method))
        session, order = SESSIONS[number], 1000 * len(self.books) + number
        keys = {"account_id": 1, "symbol": symbol, "session": session}
        quantity, price = sign * size / 100, cents / 100
        if kind == "split":
            book.split(RATIOS[pick % len(RATIOS)])
            self._action(symbol, session, "SPLIT", ratio=RATIOS[pick % len(RATIOS)])
        elif kind == "dividend":
            book.dividend(fee / 100)
            self._action(symbol, session, "CASH_DIVIDEND", amount=fee / 100)
        elif kind == "lieu":
            fraction = abs(book.position) * 0.01
            if book.position > 0:
                book.fill(-fraction, price, 0.0, number)
                self.flows.append(keys | {"flow_type": "CASH_IN_LIEU", "quantity": -fraction,
                                          "amount": fraction * price})  # fmt: skip
        elif kind == "transfer":
            is_old = sign > 0 and pick % 2
            book.transfer(quantity, price, number, -float(pick) if is_old else None)
            acquired = SESSIONS[0] - pd.Timedelta(days=1 + pick) if is_old else None
            self.flows.append(keys | {"flow_type": "TRANSFER", "quantity": quantity,
                                      "amount": quantity * price, "acquired_on": acquired})  # fmt: skip
        else:
            named = self._named(book, quantity, order, pick)
            book.fill(quantity, price, fee / 100, number, named)
            self.fills.append(
                keys | {"order_id": order, "side": "BUY" if sign > 0 else "SELL",
                        "quantity": abs(quantity), "price": price, "commission": fee / 100,
                        "filled_at": (session + pd.Timedelta(hours=15)).tz_localize("UTC")}
            )  # fmt: skip

    def _named(self, book: Book, quantity: float, order: int, pick: int) -> list[tuple[int, float]]:
        """Name one of the open lots for a closing fill, and a part of what can be closed of it."""
        if self.method != "specific" or book.position * quantity >= 0 or pick % 3 == 0:
            return []
        lot = book.lots[pick % len(book.lots)]
        taken = min(abs(lot.quantity), abs(quantity)) * (1.0 if pick % 2 else 0.5)
        opened = SESSIONS[lot.number] if lot.age == lot.number else None
        if opened is None:
            opened = SESSIONS[0] - pd.Timedelta(days=1 - int(lot.age))
            if sum(other.age == lot.age for other in book.lots) > 1:
                return []
        self.named.append({"order_id": order, "quantity": taken, "opened_on": opened})
        return [(lot.number, taken)]

    def _action(self, symbol: str, session: pd.Timestamp, kind: str, **values: float) -> None:
        row = {"symbol": symbol, "action_type": kind, "ex_date": session}
        self.actions.append(row | {"ratio": np.nan, "amount": np.nan} | values)

    def frames(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame | None]:
        """Return fills, actions, flows and named lots."""
        fills = pd.DataFrame(self.fills, columns=FILLS.split())
        fills["filled_at"] = pd.to_datetime(fills["filled_at"], utc=True)
        actions = pd.DataFrame(self.actions, columns=ACTIONS.split())
        flows = pd.DataFrame(self.flows, columns=FLOWS.split())
        flows["acquired_on"] = pd.to_datetime(flows["acquired_on"])
        return fills, actions, flows, pd.DataFrame(self.named) if self.named else None


KINDS = ["fill"] * 8 + ["split", "dividend", "transfer", "transfer", "lieu"]


def random_steps(seed: int) -> list[list[tuple]]:
    """Return the steps of every stream: kind, hundredths of a share, sign, cents, cents, a pick."""
    random = np.random.default_rng(seed)
    return [
        [(KINDS[random.integers(len(KINDS))], int(random.integers(1, 401)),
          int(random.choice([-1, 1])), int(random.integers(100, 20_001)),
          int(random.integers(0, 501)), int(random.integers(0, 61)))
         for _ in range(random.integers(1, len(SESSIONS)))]
        for _ in range(STREAMS)
    ]  # fmt: skip


TOLERANCE = {"rel": 1e-9, "abs": 1e-7}


def rounded(row):
    """Put rows in an order that the last bits of their prices do not decide."""
    return tuple(round(float(number), 6) for number in row)


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=20)  # of 25 streams each, for five methods: 2,500
@given(seed=st.integers(0, 2**32 - 1))
def test_streams_agree_with_the_loop(seed, method):
    script = Script(method)
    for row, steps in enumerate(random_steps(seed)):
        for number, step in enumerate(steps):
            script.add(f"S{row}", number, step)
    fills, actions, flows, named = script.frames()
    _, transfers = ledger_flows(flows)
    trades, lots = match_lots(fills, actions, transfers=transfers, method=method, lots=named)
    for symbol, book in script.books.items():
        mine, sold = lots.loc[lots["symbol"] == symbol], trades.loc[trades["symbol"] == symbol]
        assert mine["quantity"].sum() == pytest.approx(book.position, **TOLERANCE)
        cost = book.cost + sum(lot.fee for lot in book.lots)
        assert mine["cost_basis"].sum() == pytest.approx(cost, **TOLERANCE)
        assert len(mine) == len(book.lots)
        realized = sum(trade[5] for trade in book.trades)
        assert sold["realized_pnl"].sum() == pytest.approx(realized, **TOLERANCE)
        theirs = sorted((trade[2:] for trade in book.trades), key=rounded)
        ours = sorted(
            map(tuple, sold[["quantity", "entry_price", "exit_price", "realized_pnl"]].to_numpy()),
            key=rounded,
        )
        np.testing.assert_allclose(
            np.array(ours).reshape(-1, 4), np.array(theirs).reshape(-1, 4), rtol=1e-7, atol=1e-6
        )
    check_ledger(script, fills, actions, flows, named)


def check_ledger(script: Script, fills, actions, flows, named) -> None:
    """Realised + unrealised + income - fees = end - begin - flows, and the end is the book's."""
    pairs = pd.MultiIndex.from_product([list(script.books), SESSIONS], names=["symbol", "session"])
    prices = pairs.to_frame(index=False).assign(close=MARK)
    _, symbols, _ = daily_ledger(
        fills, prices, SESSIONS, actions=actions, flows=flows, method=script.method, lots=named
    )
    frame = pnl_frame(symbols, freq="total").set_index("symbol")
    added = frame["realized"] + frame["unrealized"] + frame["dividends"] - frame["fees"]
    moved = frame["end_value"] - frame["begin_value"] - frame["flows"]
    size = frame.drop(columns=["session", "currency", "user", "price_age"]).abs().max(axis=1) + 1.0
    assert ((added - moved).abs() <= 1e-9 * size).all()
    for symbol, book in script.books.items():
        if symbol not in frame.index:
            assert not book.lots
            continue
        row = frame.loc[symbol]
        assert row["end_value"] == pytest.approx(book.position * MARK, **TOLERANCE)
        assert row["realized"] == pytest.approx(book.realized, **TOLERANCE)
        assert row["dividends"] == pytest.approx(book.income, **TOLERANCE)
        assert row["fees"] == pytest.approx(book.fees, **TOLERANCE)
