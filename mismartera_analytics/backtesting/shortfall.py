"""What live trading lost against the simulation: implementation shortfall, order by order."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import select

from mismartera_analytics import frames
from mismartera_analytics.backtesting.clocks import microseconds
from mismartera_analytics.backtesting.market import Market
from mismartera_analytics.backtesting.rerunning import recorded_market
from mismartera_analytics.backtesting.result import BacktestResult
from mismartera_analytics.errors import InvalidInputError, as_given
from mismartera_analytics.models import AccountInfo, BacktestRun
from mismartera_analytics.models.retrying import repeated
from mismartera_analytics.queries.records import orders as orders_of_account
from mismartera_analytics.recording.ownership import AccountLike, account_of, reading

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

__all__ = ["compare"]

Floats = NDArray[np.float64]
Int64s = NDArray[np.int64]
WEEK = dt.timedelta(days=7)


@repeated
def compare(
    live: AccountLike | BacktestResult,
    simulated: AccountLike | BacktestResult,
    *,
    within: dt.timedelta = WEEK,
    db_session: Session | None = None,
) -> pd.DataFrame:
    """Return the implementation shortfall of live orders against the simulated ones.

    The paper portfolio holds what the simulation filled, bought and sold at the decision's price and
    free of costs; the shortfall is its profit less that of the live orders, both marked at the last
    closes of the simulation. Of each order::

        delay       = side * live quantity * (arrival price - decision price)
        execution   = side * live quantity * (live price - arrival price)
        opportunity = side * (simulated quantity - live quantity) * (end price - decision price)
        shortfall   = delay + execution + opportunity + live fees

    A live order belongs to the last simulated order of its symbol and side that was decided at its
    time or before, no longer than `within` ago; several live orders may belong to one. A simulated
    order without any was missed: all of it is opportunity. A live order without a simulated one is
    listed by itself, its decision at its arrival. Dividends, interest and flows are no part of orders.

    Parameters
    ----------
    live
        An account, or a result to be looked at as if it were live.
    simulated
        A result, or the account of a saved run, whose bars are read as the run saw them.
    within
        How long after a decision a live order may be placed.
    db_session
        Where to read; by default a connection of its own that cannot write.

    Returns
    -------
    pandas.DataFrame
        `frames.SHORTFALL`; amounts are positive where live trading was worse, and add up over orders.
        Prices and quantities count in shares of the simulation's end. The decision's price is the last
        close before the simulated order, the arrival's that of the bar in progress when the live order
        was placed (its open), else the last close: finer than the bars it cannot be. ``excess`` is the
        shortfall less what the simulation itself lost between decision and fill, fees included.

    Raises
    ------
    InvalidInputError
        If `simulated` is no saved run, or live orders lack a time or a price.
    UnknownNameError
        If an account is not known to whoever asks.
    NotReproducibleError
        If the bars of the saved run are not there any more.

    References
    ----------
    Perold, A. F. (1988), The Implementation Shortfall: Paper versus Reality, Journal of Portfolio
    Management 14(3).

    Examples
    --------
    >>> from mismartera_analytics.backtesting.costs import BasisPoints
    >>> from mismartera_analytics.backtesting.samples import MovingAverageCross
    >>> free = ma.backtest(MovingAverageCross, "AAPL", "2004-01-02", count=False)
    >>> dear = ma.backtest(MovingAverageCross, "AAPL", "2004-01-02", slippage=BasisPoints(10),
    ...                    count=False)
    >>> table = ma.compare(dear, free)
    >>> lost = free.equity["equity"].iloc[-1] - dear.equity["equity"].iloc[-1]
    >>> abs(table["excess"].sum() - lost) < 1e-6
    np.True_
    """
    if not isinstance(within, dt.timedelta) or within < dt.timedelta(0):
        raise InvalidInputError(f"within={as_given(within)} must be a timedelta of at least 0.")
    for argument, side in (("live", live), ("simulated", simulated)):
        if not isinstance(side, BacktestResult | AccountInfo | str | int) or isinstance(side, bool):
            raise InvalidInputError(
                f"{argument}={as_given(side)} must be an account (its id or number) or a "
                f"BacktestResult."
            )
    with reading(db_session) as own:
        done = live.orders if isinstance(live, BacktestResult) else _recorded(own, live)
        market, planned = _simulated(own, simulated)
    prices = _Prices(market)
    plan, acts = prices.orders(planned, "simulated"), prices.orders(done, "live")
    acts = acts[acts["quantity"] > 0]
    return _shortfall(prices, plan, acts, within)


def _simulated(db_session: Session, simulated: Any) -> tuple[Market, pd.DataFrame]:
    if isinstance(simulated, BacktestResult):
        return simulated.market, simulated.orders
    account = account_of(db_session, simulated)
    statement = select(BacktestRun).where(BacktestRun.account_id == account.id)
    run = db_session.scalar(statement)
    if run is None:
        raise InvalidInputError(
            f"simulated={as_given(simulated)} is not the account of a saved run; pass the run's "
            f"result, or "
            f"save it first."
        )
    return recorded_market(run), _recorded(db_session, account)


def _recorded(db_session: Session, account: AccountLike) -> pd.DataFrame:
    return orders_of_account(account=account, db_session=db_session)


@dataclass(frozen=True)
class _Prices:
    """Closes and opens of a market at any instant, in shares of its end."""

    market: Market

    def ratio(self, symbol: int, times: Int64s) -> Floats:
        """Return the shares of the end for one share at each time."""
        actions = self.market.actions
        own = np.flatnonzero((actions.symbol == symbol) & (actions.ratio != 1.0))
        later = actions.at[own][None, :] > times[:, None]
        product: Floats = np.where(later, actions.ratio[own][None, :], 1.0).prod(axis=1)
        return product

    def known(self, symbol: int) -> tuple[Int64s, Int64s, Floats, Floats]:
        """Return start, end, open and close of the symbol's bars, the prices in shares of the end."""
        times, fields = self.market.clock_of(symbol), self.market.fields
        rows = np.flatnonzero(~np.isnan(fields[3, symbol]))
        ratio = self.ratio(symbol, times.start[rows])
        opens, closes = fields[0, symbol, rows] / ratio, fields[3, symbol, rows] / ratio
        return times.start[rows], times.end[rows], opens, closes

    def last_close(self, symbol: int, times: Int64s) -> Floats:
        """Return the close of the last bar that has ended at each time; NaN before the first."""
        _, end, _, closes = self.known(symbol)
        at = np.searchsorted(end, times, side="right") - 1
        return np.where(at >= 0, closes[at], np.nan)

    def arrival(self, symbol: int, times: Int64s) -> Floats:
        """Return the open of the bar in progress, else the last close."""
        start, end, opens, _ = self.known(symbol)
        at = np.searchsorted(start, times, side="left") - 1
        is_inside = (at >= 0) & (times < end[at])
        last = self.last_close(symbol, times)
        return np.where(is_inside | np.isnan(last), opens[np.maximum(at, 0)], last)

    def end(self, symbol: int) -> float:
        """Return the symbol's last close."""
        return float(self.known(symbol)[3][-1])

    def orders(self, table: pd.DataFrame, argument: str) -> pd.DataFrame:
        """Return orders of the market's symbols with quantities and prices in shares of the end."""
        kept = table[table["symbol"].isin(list(self.market.numbers))].reset_index(drop=True)
        is_filled = kept["filled_quantity"].fillna(0.0) > 0
        price = kept["average_fill_price"].fillna(kept["price"])
        bad = kept["placed_at"].isna() | (is_filled & price.isna())
        if bad.any():
            number = kept.loc[bad, "order_id"].iloc[0]
            raise InvalidInputError(
                f"{argument}: order {number} lacks its time or its fill's price."
            )
        placed = microseconds(kept["placed_at"])
        filled = microseconds(kept["filled_at"].fillna(kept["placed_at"]))
        symbols = np.array([self.market.position_of(name) for name in kept["symbol"]], np.int64)
        ratio = np.ones(len(kept))
        for symbol in np.unique(symbols):
            own = symbols == symbol
            ratio[own] = self.ratio(int(symbol), filled[own])
        quantity = np.where(is_filled, kept["filled_quantity"].fillna(0.0), 0.0)
        return pd.DataFrame(
            {
                "order_id": kept["order_id"],
                "symbol": symbols,
                "side": np.where(kept["side"] == "BUY", 1.0, -1.0),
                "placed": placed,
                "quantity": quantity * ratio,
                "price": np.where(is_filled, price / ratio, np.nan),
                "fees": kept["commission"].fillna(0.0),
            }
        )


def _shortfall(
    prices: _Prices, plan: pd.DataFrame, acts: pd.DataFrame, within: dt.timedelta
) -> pd.DataFrame:
    """Return one row for each simulated order that filled or was traded, and each live one beside."""
    owner = _owners(plan, acts, int(within / dt.timedelta(microseconds=1)))
    rows = []
    orders: Any = plan.itertuples(index=False)
    for number, order in enumerate(orders):
        own = acts[owner == number]
        if order.quantity > 0 or len(own):
            decision = prices.last_close(order.symbol, np.array([order.placed]))[0]
            rows.append(_row(prices, order, own, decision))
    for at in np.flatnonzero(owner < 0).tolist():
        own = acts.iloc[at : at + 1]
        rows.append(_row(prices, None, own, np.nan))
    table = pd.DataFrame(rows, columns=frames.SHORTFALL.names)
    return frames.SHORTFALL.conform(table)


def _owners(plan: pd.DataFrame, acts: pd.DataFrame, within: int) -> Int64s:
    """Return which simulated order each live one belongs to, -1 for none."""
    owner = np.full(len(acts), -1, np.int64)
    for key in {*zip(acts["symbol"], acts["side"], strict=True)}:
        mine = np.flatnonzero((acts["symbol"] == key[0]) & (acts["side"] == key[1]))
        theirs = np.flatnonzero((plan["symbol"] == key[0]) & (plan["side"] == key[1]))
        theirs = theirs[np.argsort(plan["placed"].to_numpy()[theirs], kind="stable")]
        decided, placed = plan["placed"].to_numpy()[theirs], acts["placed"].to_numpy()[mine]
        at = np.searchsorted(decided, placed, side="right") - 1
        is_near = (
            (at >= 0) & (placed - decided[np.maximum(at, 0)] <= within) if len(theirs) else at > 0
        )
        owner[mine[is_near]] = theirs[at[is_near]]
    return owner


def _row(prices: _Prices, order: Any, own: pd.DataFrame, decision: float) -> dict[str, Any]:
    symbol = int(own["symbol"].iloc[0] if order is None else order.symbol)
    side = float(own["side"].iloc[0] if order is None else order.side)
    quantities = own["quantity"].to_numpy()
    arrivals = prices.arrival(symbol, own["placed"].to_numpy())
    live, planned = float(quantities.sum()), 0.0 if order is None else float(order.quantity)
    arrival = float(quantities @ arrivals / live) if live else np.nan
    price = float(quantities @ own["price"].to_numpy() / live) if live else np.nan
    decision = arrival if np.isnan(decision) else decision
    end = prices.end(symbol)
    fees = float(own["fees"].sum())
    delay = side * live * (arrival - decision) if live else 0.0
    execution = side * live * (price - arrival) if live else 0.0
    opportunity = side * (planned - live) * (end - decision)
    shortfall = delay + execution + opportunity + fees
    assumed = 0.0
    if order is not None:
        slipped = side * planned * (order.price - decision) if planned else 0.0
        assumed = slipped + float(order.fees)
    value = max(planned, live) * decision / 10_000
    placed = own["placed"].min() if order is None else order.placed
    return {
        "decided_at": pd.Timestamp(int(placed), unit="us", tz="UTC"),
        "symbol": prices.market.symbols[symbol],
        "side": "BUY" if side > 0 else "SELL",
        "simulated_order_id": None if order is None else order.order_id,
        "live_orders": len(own),
        "live_order_id": own["order_id"].iloc[0] if len(own) else None,
        "simulated_quantity": planned,
        "live_quantity": live,
        "decision_price": decision,
        "arrival_price": arrival,
        "simulated_price": np.nan if order is None else order.price,
        "live_price": price,
        "end_price": end,
        "delay": delay,
        "execution": execution,
        "opportunity": opportunity,
        "fees": fees,
        "shortfall": shortfall,
        "assumed": assumed,
        "excess": shortfall - assumed,
        "delay_bps": delay / value,
        "execution_bps": execution / value,
        "opportunity_bps": opportunity / value,
        "fees_bps": fees / value,
        "shortfall_bps": shortfall / value,
    }
