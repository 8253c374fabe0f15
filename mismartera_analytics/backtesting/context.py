"""The strategy's side of a run: what it can see and do."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from mismartera_analytics.backtesting.market import Market
from mismartera_analytics.backtesting.settings import Settings
from mismartera_analytics.backtesting.simulation import Simulation
from mismartera_analytics.backtesting.tickets import Ticket
from mismartera_analytics.backtesting.views import Cursor, reveal
from mismartera_analytics.clock import UTC
from mismartera_analytics.errors import InvalidInputError, InvalidOrderError, as_given
from mismartera_analytics.kernels import layouts

__all__ = ["Context", "FillEvent"]

_PRICES = {"price", "stop_price", "trail", "trail_percent"}
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=UTC)


class FillEvent(NamedTuple):
    """A fill, as `Strategy.on_fill` hears of it."""

    order_id: int
    symbol: str
    side: str
    quantity: float
    price: float
    commission: float


class Context:
    """What a strategy can see and do at one moment of a run.

    Attributes
    ----------
    symbols
        The run's symbols, sorted.
    bars
        Bars so far: ``ctx.bars["AAPL"].close``; with one symbol also ``ctx.bars.close``.
    row
        Number of the latest bar on the run's clock, -1 before the first.
    random
        A generator of random numbers with the run's seed.
    """

    def __init__(self, market: Market, simulation: Simulation, settings: Settings) -> None:
        self.symbols = market.symbols
        self.row = -1
        self.random = np.random.default_rng(settings.seed)
        self._market = market
        self._simulation = simulation
        self._settings = settings
        self._cursor = Cursor()
        self.bars: Any = reveal(market, self._cursor)
        self._numbers = market.numbers
        self._is_busy = False
        self._moment: int | None = int(market.clock.start[0])  # None at a bar's end

    # What it sees

    @property
    def now(self) -> dt.datetime:
        """The instant of the decision, aware, in UTC."""
        return _EPOCH + dt.timedelta(microseconds=self._instant())

    @property
    def session(self) -> dt.date:
        """Label of the session at hand."""
        row = self.row if self._moment is None else self.row + 1
        date: dt.date = self._market.clock.label[row].item()
        return date

    @property
    def cash(self) -> float:
        """Cash [currency]."""
        return float(self._simulation.state["cash"][0])

    @property
    def equity(self) -> float:
        """Cash and positions at their last closes [currency]."""
        if self._moment is None:
            if self._simulation.state["row"][0] <= self.row:
                self._simulation.advance(self.row)
            return float(self._simulation.ledger[:, self.row].sum())
        units, closes = self._simulation.holdings[:2]
        return self.cash + float(units @ closes)

    def position(self, symbol: str | None = None) -> float:
        """Return the shares held of a symbol, which may be left out when there is only one."""
        return self._simulation.holdings.item(0, self._number(symbol))

    def working(self, symbol: str | None = None) -> list[int]:
        """Return the numbers of the orders that still work, of one symbol or of all."""
        if not self._is_busy:
            return []
        orders = self._simulation.placed
        works = orders["status"] == layouts.WORKING
        if symbol is not None:
            works = works & (orders["symbol"] == self._number(symbol))
        return [int(number) for number in np.flatnonzero(works)]

    def indicator(
        self,
        function: Callable[..., Any],
        *inputs: Any,
        symbol: str | None = None,
        **parameters: Any,
    ) -> Any:
        """Compute an indicator once, to be revealed bar by bar.

        Parameters
        ----------
        function
            Takes arrays of shape (n,) and the parameters; returns an array of shape (n,), or a tuple
            of them. It is given prices adjusted for the splits in force, and called again at a split.
        *inputs
            Columns of the bars, ``"session"`` (its number) or other indicators of the same symbol; by
            default the columns that the function's first parameters are named after, else ``"close"``.
        symbol
            May be left out when there is only one.
        **parameters
            Passed on.

        Returns
        -------
        Indicator or tuple of Indicator

        Raises
        ------
        InvalidInputError
            If a column is unknown or the function returns something of another length.
        """
        bars = self.bars[self.symbols[self._number(symbol)]]
        return bars.indicator(function, inputs, parameters)

    # What it does

    def buy(self, symbol: str | None = None, quantity: float | None = None, **terms: Any) -> int:
        """Place an order to buy; see `order`. Without a quantity, with one symbol: all cash."""
        return self._place_side(1, symbol, quantity, terms)

    def sell(self, symbol: str | None = None, quantity: float | None = None, **terms: Any) -> int:
        """Place an order to sell; see `order`. Without a quantity it closes the position.

        On a margin account a sale of more than is held opens a short position.
        """
        if quantity is None and "percent" not in terms and not set(terms) & _PRICES:
            return self.close(symbol, **terms)
        return self._place_side(-1, symbol, quantity, terms)

    def order(
        self,
        symbol: str,
        quantity: float,
        *,
        order_type: str | None = None,
        price: float = math.nan,
        stop_price: float = math.nan,
        trail: float = math.nan,
        trail_percent: float = math.nan,
        stop_loss: float = math.nan,
        take_profit: float = math.nan,
        time_in_force: str = "DAY",
    ) -> int:
        """Place an order.

        Parameters
        ----------
        symbol
            What to trade.
        quantity
            Shares: positive to buy, negative to sell.
        order_type
            ``MARKET``, ``LIMIT``, ``STOP``, ``STOP_LIMIT`` or ``TRAILING_STOP``; by default told by
            the prices given.
        price, stop_price
            Limit and stop [currency/share], in today's shares.
        trail, trail_percent
            Distance at which a trailing stop follows highs (a sale) or lows (a purchase) of completed
            bars: [currency/share], or a fraction of the price [1].
        stop_loss, take_profit
            Prices of a bracket [currency/share]: once the order fills, a stop and a target for what it
            has filled, good till cancelled; the first to fill cancels the other.
        time_in_force
            ``DAY``, ``GTC``, ``OPG`` or ``CLS``.

        Returns
        -------
        int
            The order's number, for `cancel`.

        Raises
        ------
        InvalidOrderError
            If the order breaks a rule.
        """
        side = 1 if quantity > 0 else -1
        terms = {
            "order_type": order_type,
            "price": price,
            "stop_price": stop_price,
            "trail": trail,
            "trail_percent": trail_percent,
            "stop_loss": stop_loss,
            "take_profit": take_profit,
            "time_in_force": time_in_force,
        }
        return self._place_side(side, symbol, abs(quantity), terms)

    def target_percent(
        self, symbol: str | float | None = None, weight: float | None = None, **terms: Any
    ) -> int:
        """Place a market order that makes a position a share of the account's value.

        A negative share is sold short. It replaces an older target of the symbol that still works.
        Without a symbol, with one symbol in the run: ``ctx.target_percent(0.5)``.
        """
        if weight is None and isinstance(symbol, (int, float)):
            symbol, weight = None, symbol
        if weight is None:
            raise InvalidOrderError("weight is missing: target_percent needs a weight.")
        number = self._number(symbol)  # type: ignore[arg-type]
        return self._place(Ticket(number, layouts.TARGET, float(weight), 0, **terms))

    def close(self, symbol: str | None = None, **terms: Any) -> int:
        """Place a market order that ends the position as it is when it fills, long or short."""
        return self._place(Ticket(self._number(symbol), layouts.TARGET, 0.0, 0, **terms))

    def cancel(self, order_id: int) -> bool:
        """Cancel an order; return whether it still worked.

        Raises
        ------
        InvalidOrderError
            If there is no such order.
        """
        orders = self._simulation.placed
        if not 0 <= order_id < len(orders):
            raise InvalidOrderError(f"order_id={as_given(order_id)} is no order of this run.")
        if orders[order_id]["status"] != layouts.WORKING:
            return False
        orders[order_id]["status"] = layouts.CANCELLED
        orders[order_id]["reason"] = layouts.BY_STRATEGY
        return True

    def children(self, order_id: int) -> list[int]:
        """Return the numbers of an order's stop and target that work: none before it fills."""
        orders = self._simulation.placed
        works = (orders["status"] == layouts.WORKING) & (orders["group"] == -(order_id + 1))
        return [int(number) for number in np.flatnonzero(works)]

    def one_cancels_other(self, first: int, second: int) -> None:
        """Have the fill of either of two working orders of one symbol cancel the other one.

        Raises
        ------
        InvalidOrderError
            If one of them does not work any more or is linked already, or their symbols differ.
        """
        orders = self._simulation.placed
        for number in (first, second):
            if not 0 <= number < len(orders) or orders[number]["status"] != layouts.WORKING:
                raise InvalidOrderError(f"order {number!r} is no working order of this run.")
            if orders[number]["group"] != 0:
                raise InvalidOrderError(f"order {number!r} is linked to another one already.")
        if first == second or orders[first]["symbol"] != orders[second]["symbol"]:
            raise InvalidOrderError(
                f"orders {first!r} and {second!r} must be two orders of one symbol."
            )
        for number in (first, second):
            orders[number]["group"] = first + 1
        self._simulation.state["linked"] += 2

    # How it is done

    def _number(self, symbol: str | None) -> int:
        if symbol is None:
            if len(self.symbols) == 1:
                return 0
            raise InvalidInputError(f"symbol is missing; name one of {', '.join(self.symbols)}.")
        if isinstance(symbol, (int, float)):
            raise InvalidInputError(
                f"symbol={as_given(symbol)} is a number; give the symbol first or name the other: "
                f"quantity=."
            )
        number = self._numbers.get(symbol)
        return self._market.position_of(symbol) if number is None else number

    def _place_side(
        self, side: int, symbol: str | None, quantity: float | None, terms: dict[str, Any]
    ) -> int:
        limit = float(terms.pop("price", math.nan))
        stop = float(terms.pop("stop_price", math.nan))
        percent = terms.pop("percent", None)
        named = terms.pop("order_type", None)
        told = ("MARKET", "LIMIT", "STOP", "STOP_LIMIT")[(limit == limit) + 2 * (stop == stop)]
        trails = (terms.get("trail"), terms.get("trail_percent"))
        if any(value is not None and value == value for value in trails):
            told = "TRAILING_STOP"
        terms.update(
            {name: float(told) for name, told in terms.items() if isinstance(told, np.floating)}
        )
        number = self._number(symbol)
        if quantity is not None and percent is not None:
            raise InvalidOrderError(
                f"quantity={as_given(quantity)} and percent={as_given(percent)} exclude another."
            )
        if quantity is not None:
            sizing, size = layouts.UNITS, quantity
        elif percent is not None:
            sizing, size = layouts.PERCENT, percent
        elif side > 0 and len(self.symbols) == 1:
            sizing, size = layouts.ALL_CASH, 1.0
        else:
            raise InvalidOrderError("quantity is missing; give quantity= in shares or percent=.")
        return self._place(
            Ticket(
                number,
                sizing,
                float(size),
                side,
                order_type=named or told,
                limit=limit,
                stop=stop,
                **terms,
            )
        )

    def _place(self, ticket: Ticket) -> int:
        ticket.check(self._settings, held=self._simulation.holdings.item(0, ticket.symbol))
        placed = self._instant()
        session = self._market.session_at(ticket.symbol, placed)
        self._is_busy = True
        record = ticket.record(row=self._cursor.seen - 1, placed=placed, session=session)
        number = self._simulation.place(record)
        if ticket.has_bracket:
            self._simulation.place_bracket(number, ticket.stop_loss, ticket.take_profit)
        return number

    def _instant(self) -> int:
        return int(self._market.clock.end[self.row]) if self._moment is None else self._moment
