"""One run's book: the arrays that the matching kernel works on, and their growth."""

from __future__ import annotations

from typing import Any

import numpy as np

from mismartera_analytics.backtesting.brackets import with_brackets
from mismartera_analytics.backtesting.events import actions_of
from mismartera_analytics.backtesting.kernel_rules import rules_of
from mismartera_analytics.backtesting.market import Market
from mismartera_analytics.backtesting.settings import Settings
from mismartera_analytics.kernels import layouts

__all__ = ["Simulation"]

_ROOM = 256


class Simulation:
    """Orders, fills, holdings and cash of one run, row by row or in one go.

    Parameters
    ----------
    market
        Bars, clock and corporate actions.
    settings
        The rules, with the cash at the start.
    """

    def __init__(self, market: Market, settings: Settings) -> None:
        from mismartera_analytics.kernels import fills

        self._kernel = fills
        rows, symbols = len(market.clock), len(market.symbols)
        times, clocks = market.clock, market.calendars or (market.clock,)
        self.market = market
        self.times = layouts.Times(
            start=_stacked([own.start for own in clocks]),
            end=times.end,
            session=_stacked([own.session for own in clocks]),
            flags=_stacked([own.flags for own in clocks]),
            final=np.concatenate([own.sessions_over(times.end[-1:]) for own in clocks]),
            calendar=np.array(market.calendar_of or [0] * symbols, np.int64),
        )
        self.prices = market.fields
        self.actions = actions_of(market, settings)
        self.holdings = np.zeros((6, symbols))
        self.holdings[3] = -1.0
        self.ledger = np.zeros((2, rows))
        self.state = np.zeros(1, layouts.STATE)
        self.state["cash"] = settings.cash
        self.rules = rules_of(settings)
        has_ends = bool((self.actions["kind"] == layouts.ENDING).any())
        self.rules["forces"] = has_ends or bool(self.rules["keeps"][0])
        self.fills = np.zeros(0, layouts.FILL)
        self.working = np.zeros(0, np.int64)
        self.orders = np.zeros(0, layouts.ORDER)
        self.reserve(_ROOM)

    def _allocate(self, orders: layouts.Records) -> None:
        working = np.zeros(len(orders), np.int64)
        n_working = int(self.state["working"][0])
        working[:n_working] = self.working[:n_working]
        self.orders, self.working = orders, working
        self._make_room(self._most_fills)

    def _make_room(self, n_fills: int) -> None:
        """Give room for as many fills; an order fills more than once when a bar's volume is limited."""
        if n_fills > len(self.fills):
            fills = np.zeros(max(n_fills, 2 * len(self.fills)), layouts.FILL)
            fills[: len(self.fills)] = self.fills
            self.fills = fills
        self._arguments = (
            self.times,
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

    def __getstate__(self) -> dict[str, Any]:
        """Return all but the kernel's module, so that a finished run can be pickled."""
        return {name: value for name, value in vars(self).items() if name != "_kernel"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        from mismartera_analytics.kernels import fills

        vars(self).update(state, _kernel=fills)

    def _work(self, task: int, number: int) -> None:
        """Call the kernel, with more room as long as it asks for it."""
        needed = self._kernel.advance(task, number, *self._arguments)
        while needed:
            if needed == self._kernel.MORE_ORDERS:
                self.grow()
            else:
                self._make_room(needed)
            needed = self._kernel.advance(task, number, *self._arguments)

    def load(self, orders: layouts.Records) -> None:
        """Take a whole list of orders, in the order of their decision rows."""
        self._allocate(orders if len(orders) else np.zeros(1, layouts.ORDER))
        self.state["orders"] = len(orders)

    def grow(self) -> None:
        """Give room for twice as many orders, and for those of one row."""
        self.reserve(max(len(self.orders), len(self.market.symbols)))

    def reserve(self, room: int) -> None:
        """Make room for at least so many more orders, and for the fills of a row.

        What is short is made more than twice as long, so that a run comes back for it a few times only.
        """
        placed = self.placed
        if len(self.orders) - len(placed) < room:
            orders = np.zeros(max(len(placed) + 2 * room, 2 * len(self.orders)), layouts.ORDER)
            orders[: len(placed)] = placed
            self._allocate(orders)
        self._make_room(self._most_fills)

    @property
    def _most_fills(self) -> int:
        """How many fills there can be after one more row at most."""
        return int(self.state[0]["fills"]) + self._kernel.FILLS_AN_ORDER * len(self.orders)

    def place(self, order: tuple[Any, ...]) -> int:
        """Append one order, its fields in the layout's sequence; return its number."""
        number = int(self.state[0]["orders"])
        if number == len(self.orders):
            self.grow()
        self.orders[number] = order
        self.state["orders"] = number + 1
        return number

    def place_bracket(self, number: int, stop_loss: float, take_profit: float) -> None:
        """Append the children of the order placed last, NaN for none; they wait until it fills."""
        levels = np.array([[stop_loss], [take_profit]])
        family = with_brackets(self.orders[number : number + 1].copy(), *levels)
        self.orders[number] = family[0]
        for child in family[1:]:
            self.place(child.item())

    def advance(self, last: int) -> None:
        """Work through all rows up to `last`, included."""
        self._work(self._kernel.THROUGH_ROW, last)

    def open_row(self, row: int) -> None:
        """Bring the book to the start of `row`, all rows before it being done."""
        self._work(self._kernel.TO_OPEN, row)

    def finish(self) -> None:
        """Work through the remaining rows and end what cannot fill any more."""
        self.advance(len(self.market.clock) - 1)
        self._work(self._kernel.TO_END, 0)
        self._end_stale()

    def _end_stale(self) -> None:
        """Expire what still works of symbols that had no bar in the last session."""
        placed = self.placed
        book = self.working[: int(self.state["working"][0])]
        works = book[placed["status"][book] == layouts.WORKING]
        gone = [n for n in np.unique(placed["symbol"][works]) if self.market.is_stale(int(n))]
        ended = works[np.isin(placed["symbol"][works], gone)]
        is_idle = (self.holdings[0, placed["symbol"][ended]] == 0.0) & (
            placed["filled"][ended] == 0.0
        )
        is_met = (placed["is_target"][ended] == 1) & (placed["size"][ended] == 0.0) & is_idle
        placed["status"][ended] = np.where(is_met, layouts.VOID, layouts.EXPIRED)
        placed["reason"][ended] = layouts.NO_BARS

    @property
    def book(self) -> tuple[Any, ...]:
        """The arrays that the kernel works on, as it takes them after task and number."""
        return self._arguments

    @property
    def placed(self) -> layouts.Records:
        """The orders so far."""
        return self.orders[: int(self.state[0]["orders"])]

    @property
    def filled(self) -> layouts.Records:
        """The fills so far, in sequence."""
        return self.fills[: int(self.state[0]["fills"])]


def _stacked(arrays: list[Any]) -> Any:
    """Return arrays as rows of one; of a single one a view."""
    return arrays[0][None] if len(arrays) == 1 else np.stack(arrays)
