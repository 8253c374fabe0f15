"""What a run gave: frames with the columns of the query helpers, trades, metrics."""

from __future__ import annotations

import datetime as dt
import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mismartera_analytics import frames
from mismartera_analytics.backtesting.market import Market
from mismartera_analytics.backtesting.tickets import ORDER_TYPES, REASONS, STATUSES, TIMES_IN_FORCE
from mismartera_analytics.kernels import layouts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mismartera_analytics.backtesting.simulation import Simulation

__all__ = ["BacktestResult"]

CURRENCY = "USD"
_INSIDE = 2  # [us] before the bar's end: where a fill at an unknown time inside the bar is put
_AT_CLOSE = 1  # [us] before the bar's end, which belongs to the next bar


@dataclass(frozen=True)
class BacktestResult:
    """A finished run. Its frames are made when they are first asked for.

    Attributes
    ----------
    config
        What went in, as JSON values.
    """

    config: dict[str, Any]
    _market: Market = field(repr=False)
    _simulation: Simulation = field(repr=False)

    def __repr__(self) -> str:
        times = self._market.clock
        peeking = ", peeking" if self.peeking else ""
        return (
            f"BacktestResult({self.config['strategy']}, {times.label[0]} to {times.label[-1]}, "
            f"{len(self._numbers.nonzero()[0])} orders, {len(self._simulation.filled)} fills, "
            f"equity {self._simulation.ledger[:, -1].sum():,.2f}{peeking})"
        )

    @property
    def peeking(self) -> bool:
        """Whether orders could fill at the price they were decided on (``fill="same_close"``)."""
        return bool(self.config["fill"] == "same_close")

    @functools.cached_property
    def equity(self) -> pd.DataFrame:
        """The account at each bar's end, as `frames.EQUITY`."""
        return _equity(self._market, self._simulation, self.config["cash"])

    @functools.cached_property
    def returns(self) -> pd.Series[float]:
        """Return of each session [1], labelled by session; of bars longer than one, of each bar."""
        return _returns(self.equity, self.config["cash"])

    @functools.cached_property
    def orders(self) -> pd.DataFrame:
        """Every order and its fate, as `frames.ORDERS`; ids count from 1 within the run.

        A target that was met already placed no order. A sale or purchase that a target came to has
        its shares as quantity; one that never came to a fill has none.
        """
        return _orders(self._market, self._simulation, self._numbers)

    @functools.cached_property
    def reasons(self) -> pd.Series[Any]:
        """Why orders were rejected, cancelled or replaced: text, indexed by order id."""
        kept = self._simulation.placed[self._numbers > 0]
        words = [REASONS.get(reason) for reason in kept["reason"].tolist()]
        index = pd.Index(self._numbers[self._numbers > 0], name="order_id")
        return pd.Series(words, index=index, dtype="str", name="reason").dropna()

    @functools.cached_property
    def fills(self) -> pd.DataFrame:
        """Executions, as `frames.FILLS`; ids count from 1 in the sequence of events.

        A fill at the open has its bar's start as its time; one inside the bar or at its close lies
        just before the bar's end.
        """
        return _fills(self._market, self._simulation, self._numbers)

    @functools.cached_property
    def positions(self) -> pd.DataFrame:
        """What is held at the end, as `frames.POSITIONS`."""
        return _positions(self._market, self._simulation, self._lots[1])

    @property
    def trades(self) -> pd.DataFrame:
        """Closed round trips, first in, first out, as `frames.TRADES`."""
        return self._lots[0]

    @property
    def dividends(self) -> float:
        """Cash dividends received in all [currency]."""
        return float(self.dividends_received["amount"].sum())

    @functools.cached_property
    def dividends_received(self) -> pd.DataFrame:
        """Cash dividends received: ``symbol, occurred_at, amount`` [currency]."""
        actions = self._simulation.actions
        paid = actions[actions["paid"] != 0.0]
        return pd.DataFrame(
            {
                "symbol": np.array(self._market.symbols, object)[paid["symbol"]],
                "occurred_at": _instants(paid["at"]),
                "amount": paid["paid"],
            }
        )

    @property
    def began_at(self) -> dt.datetime:
        """First instant of the first bar."""
        first: dt.datetime = _instants(self._market.clock.start[:1])[0].to_pydatetime()
        return first

    @functools.cached_property
    def data_version(self) -> dict[str, Any]:
        """Digest of the bars and actions that the run saw; of the bar store also its version."""
        return {"digest": self._market.digest(), **self.config["data"]}

    @functools.cached_property
    def code_version(self) -> str:
        """Version of the library and digest of its kernels."""
        from mismartera_analytics import __version__
        from mismartera_analytics.kernels.compiling import source_digest

        return f"{__version__}+{source_digest()[:16]}"

    @functools.cached_property
    def metrics(self) -> pd.DataFrame:
        """Every metric of the returns with its unit and convention, as `performance_summary`."""
        from mismartera_analytics.performance.summary import performance_summary

        return performance_summary(self.returns)

    def plot(self) -> Figure:
        """Return a figure of the account's value above its drawdown."""
        from mismartera_analytics.figures.accounts import equity_with_drawdown

        return equity_with_drawdown(self.equity, currency=CURRENCY)

    def save(self, name: str, *, user: str | int | None = None) -> int:
        """Write the run into the records: an account, orders, fills, flows, positions, the run's row.

        Parameters
        ----------
        name
            Of the run and of its account at the broker ``"backtest"``; a run of the same name and user
            is replaced.
        user
            Owner; by default whoever is signed in.

        Returns
        -------
        int
            The account's id. Orders that were never sized (a target that met no bar) are left out.

        Raises
        ------
        InvalidInputError
            If the name cannot be one, or no user is given and nobody is signed in.
        UnknownNameError
            If there is no such user.
        """
        from mismartera_analytics.backtesting.saving import save_result

        return save_result(self, name, user=user)

    @functools.cached_property
    def _numbers(self) -> NDArray[np.int64]:
        """Id of each order placed; 0 of those that turned out to be none."""
        kept = self._simulation.placed["status"] != layouts.VOID
        return np.where(kept, np.cumsum(kept), 0)

    @functools.cached_property
    def _lots(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        from mismartera_analytics.ledger.lots import match_lots

        rows = self._simulation.filled["row"][self.fills["fill_id"].to_numpy(dtype=np.int64) - 1]
        sessions = self._market.clock.label[rows].astype("datetime64[us]")
        return match_lots(self.fills.assign(session=sessions), self._market.action_frame)


def _instants(values: NDArray[np.int64]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(values.astype("datetime64[us]")).tz_localize("UTC")


def _filled_at(market: Market, fills: layouts.Records) -> NDArray[np.int64]:
    start, end = market.clock.start[fills["row"]], market.clock.end[fills["row"]]
    moment = fills["moment"]
    inside = np.where(moment == layouts.INSIDE, end - _INSIDE, end - _AT_CLOSE)
    late = np.where(moment == layouts.AT_DECISION, end, inside)
    times: NDArray[np.int64] = np.where(moment == layouts.AT_OPEN, start, late)
    return times


def _named(codes: NDArray[Any], names: dict[str, int]) -> NDArray[Any]:
    table = np.array(sorted(names, key=names.__getitem__), dtype=object)
    return table[codes]  # type: ignore[no-any-return]


def _orders(market: Market, simulation: Simulation, numbers: NDArray[np.int64]) -> pd.DataFrame:
    orders = simulation.placed
    filled_at = np.full(len(orders), np.datetime64("NaT"), "datetime64[us]")
    filled_at[simulation.filled["order"]] = _filled_at(market, simulation.filled).astype(
        "datetime64[us]"
    )
    keep = numbers > 0
    kept = orders[keep]
    is_filled = kept["status"] == layouts.FILLED
    sides = np.array(["SELL", None, "BUY"], object)
    table = pd.DataFrame(
        {
            "order_id": numbers[keep],
            "account_id": pd.NA,
            "user": None,
            "broker_order_id": None,
            "symbol": np.array(market.symbols, object)[kept["symbol"]],
            "order_type": _named(kept["type"], ORDER_TYPES),
            "side": sides[kept["side"] + 1],
            "quantity": kept["quantity"],
            "filled_quantity": np.where(is_filled, kept["quantity"], 0.0),
            "price": kept["limit"],
            "stop_price": kept["stop"],
            "average_fill_price": kept["fill_price"],
            "commission": kept["fee"],
            "time_in_force": _named(kept["tif"], TIMES_IN_FORCE),
            "status": [STATUSES[status] for status in kept["status"].tolist()],
            "placed_at": _instants(kept["placed"]),
            "filled_at": pd.DatetimeIndex(filled_at[keep]).tz_localize("UTC"),
            "time_precision": None,
        }
    )
    return frames.ORDERS.conform(table)


def _fills(market: Market, simulation: Simulation, numbers: NDArray[np.int64]) -> pd.DataFrame:
    fills = simulation.filled
    table = pd.DataFrame(
        {
            "fill_id": np.arange(1, len(fills) + 1),
            "order_id": numbers[fills["order"]],
            "account_id": pd.NA,
            "user": None,
            "symbol": np.array(market.symbols, object)[fills["symbol"]],
            "side": np.where(fills["quantity"] > 0, "BUY", "SELL"),
            "quantity": np.abs(fills["quantity"]),
            "price": fills["price"],
            "commission": fills["fee"],
            "filled_at": _instants(_filled_at(market, fills)),
            "broker_fill_id": None,
        }
    )
    return frames.FILLS.conform(table)


def _equity(market: Market, simulation: Simulation, cash: float) -> pd.DataFrame:
    money, held = simulation.ledger
    total = money + held
    highest = np.maximum(np.maximum.accumulate(total), cash)
    table = pd.DataFrame(
        {
            "timestamp": _instants(market.clock.end),
            "session": market.clock.label.astype("datetime64[us]"),
            "cash": money,
            "positions": held,
            "equity": total,
            "drawdown": total / highest - 1.0,
        }
    )
    return frames.EQUITY.conform(table)


def _returns(equity: pd.DataFrame, cash: float) -> pd.Series[float]:
    """Return what each session made of the value at the end of the one before."""
    labels = equity["session"].to_numpy()
    last = np.flatnonzero(np.append(labels[1:] != labels[:-1], True))
    values = equity["equity"].to_numpy()[last]
    before = np.concatenate([[cash], values[:-1]])
    index = pd.DatetimeIndex(labels[last], name="session")
    return pd.Series(values / before - 1.0, index=index, name="return")


def _positions(market: Market, simulation: Simulation, lots: pd.DataFrame) -> pd.DataFrame:
    units, closes = simulation.holdings
    held = np.flatnonzero(units)
    symbols = np.array(market.symbols, object)[held]
    cost = lots.groupby("symbol")["cost_basis"].sum().reindex(symbols).to_numpy(dtype=np.float64)
    quantity, price = units[held], closes[held]
    table = pd.DataFrame(
        {
            "account_id": pd.NA,
            "user": None,
            "symbol": symbols,
            "quantity": quantity,
            "average_price": cost / quantity,
            "current_price": price,
            "market_value": quantity * price,
            "cost_basis": cost,
            "unrealized_pnl": quantity * price - cost,
            "day_change": quantity * (price - _closes_before(market, held)),
            "currency": CURRENCY,
            "last_updated": _instants(market.clock.end[-1:])[0],
        }
    )
    return frames.POSITIONS.conform(table)


def _closes_before(market: Market, held: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the last closes of earlier sessions than the last, in shares of now; NaN where none."""
    earlier = np.flatnonzero(market.clock.label < market.clock.label[-1])
    closes = np.full(len(held), np.nan)
    for place, symbol in enumerate(held):
        known = market.fields[3, symbol, earlier]
        rows = np.flatnonzero(~np.isnan(known))
        if len(rows):
            actions = market.actions
            later = (actions.symbol == symbol) & (actions.row > rows[-1])
            closes[place] = known[rows[-1]] / np.prod(actions.ratio[later])
    return closes
