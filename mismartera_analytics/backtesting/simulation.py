"""One run's book: the arrays that the matching kernel works on, and their growth."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from mismartera_analytics.backtesting.costs import Commission, Slippage
from mismartera_analytics.backtesting.market import Market
from mismartera_analytics.kernels import layouts

__all__ = ["FillMode", "Simulation", "SizeAt", "make_rules"]

FillMode = Literal["next_open", "next_close", "same_close"]
SizeAt = Literal["fill", "decision"]
_FILL_MODES = {
    "next_open": layouts.NEXT_OPEN,
    "next_close": layouts.NEXT_CLOSE,
    "same_close": layouts.SAME_CLOSE,
}
_ROOM = 256


def make_rules(
    *,
    commission: Commission,
    slippage: Slippage,
    fill: FillMode,
    size_at: SizeAt,
    limit_fill: Literal["touch", "through"],
    shares: Literal["fractional", "whole"],
    short_of_cash: Literal["reject", "shrink"],
) -> layouts.Records:
    """Return the rules of a run as the kernel reads them."""
    rules = np.zeros(1, layouts.RULES)
    fees, slip = commission.terms(), slippage.terms()
    rules["fill"] = _FILL_MODES[fill]
    rules["limit_through"] = limit_fill == "through"
    rules["size_at_decision"] = size_at == "decision"
    rules["whole"] = shares == "whole"
    rules["partial_on_cash"] = short_of_cash == "shrink"
    rules["fee_rate"] = fees.rate
    rules["fee_per_share"] = fees.per_share
    rules["fee_per_order"] = fees.per_order
    rules["fee_minimum"] = fees.minimum
    rules["fee_maximum"] = fees.maximum
    rules["slip_rate"] = slip.rate
    rules["slip_amount"] = slip.amount
    return rules


class Simulation:
    """Orders, fills, holdings and cash of one run, row by row or in one go.

    Parameters
    ----------
    market
        Bars, clock and corporate actions.
    cash
        At the start [currency].
    rules
        From `make_rules`.
    """

    def __init__(self, market: Market, *, cash: float, rules: layouts.Records) -> None:
        from mismartera_analytics.kernels import fills

        self._kernel = fills
        rows, symbols = len(market.clock), len(market.symbols)
        times = market.clock
        self.market = market
        self.clock = np.ascontiguousarray(np.stack([times.session, times.end]))
        self.flags = times.flags
        self.prices = market.fields[:4]
        self.actions = np.zeros(len(market.actions), layouts.ACTION)
        for name in ("row", "at", "symbol", "ratio", "amount"):
            self.actions[name] = getattr(market.actions, name)
        self.holdings = np.zeros((2, symbols))
        self.ledger = np.zeros((2, rows))
        self.state = np.zeros(1, layouts.STATE)
        self.state["cash"] = cash
        self.rules = rules
        self.fills = np.zeros(0, layouts.FILL)
        self.working = np.zeros(0, np.int64)
        self._allocate(np.zeros(_ROOM, layouts.ORDER))

    def _allocate(self, orders: layouts.Records) -> None:
        """Give room for as many fills as orders: an order fills once."""
        fills = np.zeros(len(orders), layouts.FILL)
        working = np.zeros(len(orders), np.int64)
        count, n_working = int(self.state["fills"][0]), int(self.state["working"][0])
        fills[:count] = self.fills[:count]
        working[:n_working] = self.working[:n_working]
        self.orders, self.fills, self.working = orders, fills, working
        self._arguments = (
            self.clock,
            self.flags,
            self.prices,
            self.actions,
            self.orders,
            self.fills,
            self.working,
            self.holdings,
            self.ledger,
            self.state,
            self.rules,
        )

    def load(self, orders: layouts.Records) -> None:
        """Take a whole list of orders, in the order of their decision rows."""
        self._allocate(orders if len(orders) else np.zeros(1, layouts.ORDER))
        self.state["orders"] = len(orders)

    def place(self, order: tuple[Any, ...]) -> int:
        """Append one order, its fields in the layout's sequence; return its number."""
        number = int(self.state[0]["orders"])
        if number == len(self.orders):
            self._allocate(np.concatenate([self.orders, np.zeros(number, layouts.ORDER)]))
        self.orders[number] = order
        self.state["orders"] = number + 1
        return number

    def advance(self, last: int) -> None:
        """Work through all rows up to `last`, included."""
        self._kernel.advance(self._kernel.THROUGH_ROW, last, *self._arguments)

    def open_row(self, row: int) -> None:
        """Bring the book to the start of `row`, all rows before it being done."""
        self._kernel.advance(self._kernel.TO_OPEN, row, *self._arguments)

    def finish(self) -> None:
        """Work through the remaining rows and end what cannot fill any more."""
        times = self.market.clock
        self.advance(len(times) - 1)
        session = int(times.sessions_at(times.end[-1:])[0])
        self._kernel.advance(self._kernel.TO_END, session, *self._arguments)

    @property
    def placed(self) -> layouts.Records:
        """The orders so far."""
        return self.orders[: int(self.state[0]["orders"])]

    @property
    def filled(self) -> layouts.Records:
        """The fills so far, in sequence."""
        return self.fills[: int(self.state[0]["fills"])]
