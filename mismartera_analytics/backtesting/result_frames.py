"""From the arrays of a run to the frames of its result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mismartera_analytics import frames
from mismartera_analytics.backtesting.market import Market
from mismartera_analytics.backtesting.tickets import ORDER_TYPES, STATUSES, TIMES_IN_FORCE
from mismartera_analytics.kernels import layouts

if TYPE_CHECKING:
    from mismartera_analytics.backtesting.simulation import Simulation

__all__ = [
    "CURRENCY",
    "equity_of",
    "fills_of",
    "instants",
    "orders_of",
    "positions_of",
    "returns_of",
]

CURRENCY = "USD"
_INSIDE = 2  # [us] before the bar's end: where a fill at an unknown time inside the bar is put
_AT_CLOSE = 1  # [us] before the bar's end, which belongs to the next bar


def instants(values: NDArray[np.int64]) -> pd.DatetimeIndex:
    """Return microseconds since 1970 as aware instants."""
    return pd.DatetimeIndex(pd.Series(values, dtype="datetime64[us, UTC]"))


def _filled_at(market: Market, fills: layouts.Records) -> NDArray[np.int64]:
    start = market.starts_of(fills["symbol"], fills["row"])
    end = market.clock.end[fills["row"]]
    moment = fills["moment"]
    inside = np.where(moment == layouts.INSIDE, end - _INSIDE, end - _AT_CLOSE)
    late = np.where(moment == layouts.AT_DECISION, end, inside)
    times: NDArray[np.int64] = np.where(moment == layouts.AT_OPEN, start, late)
    return times


def _named(codes: NDArray[Any], names: dict[str, int]) -> NDArray[Any]:
    table = np.array(sorted(names, key=names.__getitem__), dtype=object)
    return table[codes]  # type: ignore[no-any-return]


def orders_of(market: Market, simulation: Simulation, numbers: NDArray[np.int64]) -> pd.DataFrame:
    """Return every order as `frames.ORDERS`; `numbers` are their ids, 0 of what was no order."""
    orders = simulation.placed
    filled_at = np.full(len(orders), np.datetime64("NaT"), "datetime64[us]")
    filled_at[simulation.filled["order"]] = _filled_at(market, simulation.filled).astype(
        "datetime64[us]"
    )
    keep = numbers > 0
    kept = orders[keep]
    placed_at = kept["placed"].copy()
    is_child = kept["parent"] >= 0
    placed_at[is_child] = _first_fills(market, simulation)[kept["parent"][is_child]]
    is_partial = (kept["status"] == layouts.WORKING) & (kept["filled"] > 0)
    statuses = np.array([STATUSES.get(code, "") for code in range(layouts.VOID + 1)], object)
    sides = np.array(["SELL", None, "BUY"], object)
    table = pd.DataFrame(
        {
            "order_id": numbers[keep],
            "account_id": pd.NA,
            "user": None,
            "broker_order_id": None,
            "symbol": _names_of_orders(market, simulation)[keep],
            "order_type": _named(kept["type"], ORDER_TYPES),
            "side": sides[kept["side"] + 1],
            "quantity": kept["quantity"],
            "filled_quantity": kept["filled"],
            "price": kept["limit"],
            "stop_price": kept["stop"],
            "average_fill_price": kept["fill_price"],
            "commission": kept["fee"],
            "time_in_force": _named(kept["tif"], TIMES_IN_FORCE),
            "status": np.where(is_partial, "PARTIALLY_FILLED", statuses[kept["status"]]),
            "placed_at": instants(placed_at),
            "filled_at": pd.DatetimeIndex(filled_at[keep]).tz_localize("UTC"),
            "time_precision": None,
        }
    )
    return frames.ORDERS.conform(table)


def _names_of_orders(market: Market, simulation: Simulation) -> NDArray[np.object_]:
    """Return the name of each order's symbol: of its last fill's day, else of its placement's."""
    orders, fills = simulation.placed, simulation.filled
    at = orders["placed"].copy()
    if market.renamings:
        at[fills["order"]] = _filled_at(market, fills)
    return market.names_at(orders["symbol"].astype(np.int64), at)


def _first_fills(market: Market, simulation: Simulation) -> NDArray[np.int64]:
    """Return when each order first filled [us], for the orders that did."""
    fills = simulation.filled
    first = np.zeros(len(simulation.placed), np.int64)
    first[fills["order"][::-1]] = _filled_at(market, fills)[::-1]
    return first


def fills_of(market: Market, simulation: Simulation, numbers: NDArray[np.int64]) -> pd.DataFrame:
    """Return every fill as `frames.FILLS`; `numbers` are the orders' ids."""
    fills = simulation.filled
    table = pd.DataFrame(
        {
            "fill_id": np.arange(1, len(fills) + 1),
            "order_id": numbers[fills["order"]],
            "account_id": pd.NA,
            "user": None,
            "symbol": _names_of_orders(market, simulation)[fills["order"]],
            "side": np.where(fills["quantity"] > 0, "BUY", "SELL"),
            "quantity": np.abs(fills["quantity"]),
            "price": fills["price"],
            "commission": fills["fee"],
            "filled_at": instants(_filled_at(market, fills)),
            "broker_fill_id": None,
        }
    )
    return frames.FILLS.conform(table)


def equity_of(market: Market, simulation: Simulation, cash: float) -> pd.DataFrame:
    """Return the account at each bar's end as `frames.EQUITY`; `cash` is what it began with."""
    values = np.empty(
        (4, len(market.clock))
    )  # one block: large arrays cost by the pages they touch
    values[:2] = simulation.ledger
    money, held, total, drawdown = values
    np.add(money, held, out=total)
    np.maximum.accumulate(total, out=drawdown)
    np.divide(total, np.maximum(drawdown, cash, out=drawdown), out=drawdown)
    drawdown -= 1.0
    table = pd.DataFrame(
        {
            "timestamp": instants(market.clock.end),
            "session": market.clock.label.astype("datetime64[us]"),
            "cash": money,
            "positions": held,
            "equity": total,
            "drawdown": drawdown,
        },
        copy=False,
    )
    return frames.EQUITY.conform(table)


def returns_of(
    labels: NDArray[np.datetime64], equity: NDArray[np.float64], cash: float
) -> pd.Series[float]:
    """Return what each session made of the value at the end of the one before.

    Parameters
    ----------
    labels, equity
        (rows,) session and account value [currency] at each bar's end.
    cash
        What the account began with [currency].
    """
    last = np.flatnonzero(np.append(labels[1:] != labels[:-1], True))
    values = equity[last]
    before = np.concatenate([[cash], values[:-1]])
    index = pd.DatetimeIndex(labels[last].astype("datetime64[us]"), name="session")
    return pd.Series(values / before - 1.0, index=index, name="return")


def positions_of(market: Market, simulation: Simulation, lots: pd.DataFrame) -> pd.DataFrame:
    """Return what is held at the end as `frames.POSITIONS`, its cost that of the open `lots`."""
    units, closes = simulation.holdings[:2]
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
            "last_updated": instants(
                market.clock.end[[market.last_row_of(int(number)) for number in held]]
            ),
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
