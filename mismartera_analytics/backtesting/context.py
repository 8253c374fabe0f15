"""The strategy's side of a run: what it can see and do, and the loop that calls it."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from mismartera_analytics.backtesting.market import Market
from mismartera_analytics.backtesting.simulation import Simulation
from mismartera_analytics.backtesting.strategy import Strategy
from mismartera_analytics.backtesting.tickets import Ticket
from mismartera_analytics.backtesting.views import Cursor, reveal
from mismartera_analytics.clock import UTC
from mismartera_analytics.errors import InvalidInputError, InvalidOrderError, StrategyError
from mismartera_analytics.kernels import layouts

__all__ = ["Context", "FillEvent", "run_strategy"]

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

    def __init__(
        self, market: Market, simulation: Simulation, *, only_whole: str, seed: int
    ) -> None:
        self.symbols = market.symbols
        self.row = -1
        self.random = np.random.default_rng(seed)
        self._market = market
        self._simulation = simulation
        self._only_whole = only_whole
        self._cursor = Cursor()
        self.bars: Any = reveal(market, self._cursor)
        self._numbers = {symbol: number for number, symbol in enumerate(market.symbols)}
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
        if self._moment is None and self._simulation.state["row"][0] <= self.row:
            self._simulation.advance(self.row)
        units, closes = self._simulation.holdings
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
            Columns of the bars (``"close"`` by default) or other indicators of the same symbol.
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
        return bars.indicator(function, inputs or ("close",), parameters)

    # What it does

    def buy(self, symbol: str | None = None, quantity: float | None = None, **terms: Any) -> int:
        """Place an order to buy; see `order`. Without a quantity, with one symbol: all cash."""
        return self._place_side(1, symbol, quantity, terms)

    def sell(self, symbol: str | None = None, quantity: float | None = None, **terms: Any) -> int:
        """Place an order to sell; see `order`. Without a quantity: all that is held by then."""
        if quantity is None and "percent" not in terms and not set(terms) & {"price", "stop_price"}:
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
            ``MARKET``, ``LIMIT``, ``STOP`` or ``STOP_LIMIT``; by default told by the prices given.
        price, stop_price
            Limit and stop [currency/share], in today's shares.
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
        terms = {"price": price, "stop_price": stop_price, "time_in_force": time_in_force}
        return self._place_side(side, symbol, abs(quantity), {**terms, "order_type": order_type})

    def target_percent(
        self, symbol: str | float | None = None, weight: float | None = None, **terms: Any
    ) -> int:
        """Place a market order that makes a position a share of the account's value.

        It replaces an older target of the symbol that still works. Without a symbol, with one symbol
        in the run: ``ctx.target_percent(0.5)``.
        """
        if weight is None and isinstance(symbol, (int, float)):
            symbol, weight = None, symbol
        if weight is None:
            raise InvalidOrderError("weight is missing: target_percent needs a weight of 0 to 1.")
        number = self._number(symbol)  # type: ignore[arg-type]
        return self._place(Ticket(number, layouts.TARGET, float(weight), 0, **terms))

    def close(self, symbol: str | None = None, **terms: Any) -> int:
        """Place a market order that sells whatever is held when it fills."""
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
            raise InvalidOrderError(f"order_id={order_id!r} is no order of this run.")
        if orders[order_id]["status"] != layouts.WORKING:
            return False
        orders[order_id]["status"] = layouts.CANCELLED
        orders[order_id]["reason"] = layouts.BY_STRATEGY
        return True

    # How it is done

    def _number(self, symbol: str | None) -> int:
        if symbol is None:
            if len(self.symbols) == 1:
                return 0
            raise InvalidInputError(f"symbol is missing; name one of {', '.join(self.symbols)}.")
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
        number = self._number(symbol)
        if quantity is not None and percent is not None:
            raise InvalidOrderError(
                f"quantity={quantity!r} and percent={percent!r} exclude another."
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
        ticket.check(only_whole=self._only_whole)
        placed = self._instant()
        session = int(np.searchsorted(self._market.clock.closes, placed, side="right"))
        self._is_busy = True
        return self._simulation.place(
            ticket.record(row=self._cursor.seen - 1, placed=placed, session=session)
        )

    def _instant(self) -> int:
        return int(self._market.clock.end[self.row]) if self._moment is None else self._moment


def run_strategy(strategy: Strategy, context: Context) -> None:
    """Call the strategy for every row of the clock.

    Raises
    ------
    StrategyError
        If the strategy raises; its state and the context are kept on the error.
    """
    try:
        _Loop(strategy, context).run()
    except Exception as error:
        if isinstance(error, StrategyError):
            raise
        where = f"at {context.now:%Y-%m-%d %H:%M} UTC (bar {context.row})"
        raise StrategyError(
            f"{type(strategy).__name__} raised {type(error).__name__} {where}: {error}",
            strategy=strategy,
            context=context,
        ) from error


class _Loop:
    """The loop over rows; a row without working orders, actions or events costs one call."""

    def __init__(self, strategy: Strategy, context: Context) -> None:
        base, own = Strategy, type(strategy)
        self._strategy = strategy
        self._context = context
        self._market = context._market
        self._simulation = context._simulation
        self._hears_fills = own.on_fill is not base.on_fill
        self._hears_opens = own.on_session_open is not base.on_session_open
        self._hears_closes = own.on_session_close is not base.on_session_close
        self._fills_told = 0
        self._actions_told = 0
        rows = self._market.actions.row
        self._action_rows = [*rows.tolist(), -1]

    def run(self) -> None:
        context, simulation = self._context, self._simulation
        cursor, on_bar = context._cursor, self._strategy.on_bar
        n_working = simulation.state["working"]
        has_sessions = self._hears_opens or self._hears_closes
        sessions = self._market.clock.session.tolist() if has_sessions else []
        rows = len(self._market.clock)
        self._strategy.on_start(context)
        for row in range(rows):
            if has_sessions and (row == 0 or sessions[row] != sessions[row - 1]):
                self._open_session(row)
            if context._is_busy or row == self._action_rows[self._actions_told]:
                simulation.advance(row)
                context._is_busy = n_working[0] > 0
                if row == self._action_rows[self._actions_told]:
                    self._tell_splits(row)
                if self._hears_fills:
                    cursor.seen = row + 1
                    context.row = row
                    context._moment = None
                    self._tell_fills()
            cursor.seen = row + 1
            context.row = row
            context._moment = None
            on_bar(context)
            if self._hears_closes and (row == rows - 1 or sessions[row + 1] != sessions[row]):
                self._strategy.on_session_close(context)

    def _open_session(self, row: int) -> None:
        context, times = self._context, self._market.clock
        if not self._hears_opens:
            return
        if row > 0:
            self._simulation.advance(row - 1)
        self._simulation.open_row(row)
        if row == self._action_rows[self._actions_told]:
            self._tell_splits(row)
        ordinal = min(int(times.session[row]), len(times.opens) - 1)
        context._moment = int(min(times.opens[ordinal], times.start[row]))
        self._strategy.on_session_open(context)

    def _tell_splits(self, row: int) -> None:
        actions = self._market.actions
        while self._action_rows[self._actions_told] == row:
            number = self._actions_told
            self._actions_told += 1
            if actions.ratio[number] != 1.0:
                symbol = self._market.symbols[actions.symbol[number]]
                self._context.bars[symbol].split(row, float(actions.ratio[number]))

    def _tell_fills(self) -> None:
        fills = self._simulation.filled
        while self._fills_told < len(fills):
            fill = fills[self._fills_told]
            self._fills_told += 1
            event = FillEvent(
                order_id=int(fill["order"]),
                symbol=self._market.symbols[fill["symbol"]],
                side="BUY" if fill["quantity"] > 0 else "SELL",
                quantity=abs(float(fill["quantity"])),
                price=float(fill["price"]),
                commission=float(fill["fee"]),
            )
            self._strategy.on_fill(self._context, event)
