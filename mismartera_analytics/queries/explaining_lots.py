"""The cells of positions and round trips, and the lots that they are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy.orm import Session

from mismartera_analytics import frames
from mismartera_analytics.errors import InvalidInputError, as_given
from mismartera_analytics.ledger.events import check_method, prepare_events, transfers_of
from mismartera_analytics.ledger.explanation import Explanation, parts_frame
from mismartera_analytics.ledger.journal import fill_name
from mismartera_analytics.ledger.lots import Method, match_lots, match_named, trades_table
from mismartera_analytics.models import AccountInfo, CashFlow, Order
from mismartera_analytics.queries.explaining_columns import (
    POSITIONS,
    ROUND_TRIPS,
    as_number,
    check_column,
)
from mismartera_analytics.queries.ledger_inputs import LedgerInputs, read_inputs
from mismartera_analytics.queries.profit import round_trips
from mismartera_analytics.queries.records import When, instant_of, positions
from mismartera_analytics.recording import books, holdings
from mismartera_analytics.recording.ownership import scope_of

__all__ = ["explain_position", "explain_round_trip"]


def explain_position(
    db_session: Session,
    account: AccountInfo,
    *,
    column: str,
    symbol: str | None = None,
    at: When | None = None,
    method: Method = "fifo",
    lots: pd.DataFrame | None = None,
) -> Explanation:
    """Explain a cell of ``positions``."""
    check_column("positions", column, POSITIONS)
    check_method(method)
    row = _position_of(db_session, account, symbol, at=at, method=method, lots=lots)
    symbol = str(row["symbol"])
    moment = row["last_updated"].to_pydatetime() if at is None else instant_of(db_session, at)
    scope = scope_of(db_session, account=account.id)
    held = holdings.books_at(
        db_session,
        books.usable_fills(db_session, books.read_fills(db_session, *scope.rows(Order))),
        books.read_flows(db_session, *scope.rows(CashFlow)),
        moment,
    )
    _, found = match_lots(
        held.fills, held.actions, transfers=held.transfers, method=method, lots=lots
    )
    held_lots = found.loc[found["symbol"] == symbol].reset_index(drop=True)
    prices = holdings.last_prices(held_lots["symbol"], held)
    parts, computed = _position_parts(column, held_lots, prices, _multiplier(held.fills, symbol))
    notes: tuple[str, ...] = ()
    if at is None:
        notes = (f"As recorded on {moment:%Y-%m-%d %H:%M} UTC, compared with the records by then.",)
    keys = {"account": account.id, "symbol": symbol, **({} if at is None else {"at": at})}
    unit = "shares" if column == "quantity" else str(row["currency"])
    own = [table.loc[table["symbol"] == symbol] for table in (held.fills, held.actions)]
    return Explanation(
        "positions", keys, column, as_number(row[column]), computed, POSITIONS[column], unit, parts,
        fills=own[0], actions=own[1], lots=held_lots, prices=prices, notes=notes,
    )  # fmt: skip


def _position_of(
    db_session: Session, account: AccountInfo, symbol: str | None, **asked: Any
) -> pd.Series:
    """Return the one row of `positions` that is asked for."""
    if symbol is None:
        raise InvalidInputError("symbol= is needed: the position's.")
    table = positions(account=account.id, symbols=symbol, db_session=db_session, **asked)
    if len(table) != 1:
        raise InvalidInputError(
            f"symbol={as_given(symbol)}: the account {account.id} has no such position."
        )
    return table.iloc[0]


def _multiplier(held: pd.DataFrame, symbol: str) -> float:
    if "multiplier" not in held:
        return 1.0
    own = held.loc[held["symbol"] == symbol, "multiplier"]
    return float(own.iloc[0]) if len(own) else 1.0


def _position_parts(
    column: str, lots: pd.DataFrame, prices: pd.DataFrame, multiplier: float
) -> tuple[pd.DataFrame, float]:
    price = as_number(prices["current_price"].iloc[0]) if len(prices) else float("nan")
    former = as_number(prices["former_price"].iloc[0]) if len(prices) else float("nan")
    close = f"close of {prices['last_updated'].iloc[0]:%Y-%m-%d}" if len(prices) else "no bar"
    rows: list[dict[str, Any]] = []
    for lot in lots.to_dict("records"):
        quantity, entry = lot["quantity"], lot["entry_price"]
        known = {"symbol": lot["symbol"], "at": lot["entry_at"], "quantity": quantity}
        cost = {"what": "lot at its entry price", "price": entry, "source": "lot by fills",
                "amount": quantity * multiplier * entry}  # fmt: skip
        fee = {"what": "fee of its entry", "amount": lot["fees"], "source": "lot by fills"}
        worth = {"what": "lot at the close", "price": price, "source": close,
                 "amount": quantity * multiplier * price}  # fmt: skip
        if column == "quantity":
            rows.append(known | {"what": "open lot", "amount": quantity, "source": "lot by fills"})
        elif column in ("cost_basis", "average_price"):
            rows += [known | cost, known | fee]
        elif column == "market_value":
            rows.append(known | worth)
        elif column == "unrealized_pnl":
            rows += [known | worth, known | cost | {"amount": -cost["amount"]},
                     known | fee | {"amount": -fee["amount"]}]  # fmt: skip
        elif column == "day_change":
            change = quantity * multiplier * (price - former)
            rows.append(known | worth | {"what": "lot, change of the close", "amount": change})
    if column == "current_price":
        rows.append({"what": "last close", "price": price, "amount": price, "source": close})
    parts = parts_frame(rows)
    total = float(parts["amount"].sum(skipna=False))
    if column == "average_price":
        total /= float(lots["quantity"].sum()) * multiplier
    return parts, total


def explain_round_trip(
    db_session: Session,
    account: AccountInfo,
    *,
    column: str,
    row: int | None = None,
    symbol: str | None = None,
    method: Method = "fifo",
    lots: pd.DataFrame | None = None,
) -> Explanation:
    """Explain a cell of ``round_trips``."""
    check_column("round_trips", column, ROUND_TRIPS)
    check_method(method)
    asked: dict[str, Any] = {"method": method, "lots": lots}
    table = round_trips(account=account.id, symbols=symbol, db_session=db_session, **asked)
    if row is None or not 0 <= row < len(table):
        raise InvalidInputError(
            f"row={as_given(row)} must be the place of a trade in round_trips(account={account.id}, "
            f"…), "
            f"which has {len(table)}."
        )
    inputs = read_inputs(db_session, scope_of(db_session, account=account.id), symbol, end=None)
    assert inputs is not None
    trade, piece = table.iloc[row], _piece_of(inputs, row, **asked)
    parts = parts_frame(_piece_items(piece, trade)[column])
    computed = float(parts["amount"].sum(skipna=False))
    if column == "return":
        cost = abs(piece.quantity * piece.entry)
        computed = computed / cost if cost else float("nan")
    keys = {"account": account.id, "row": row, "symbol": trade["symbol"]}
    units = {"quantity": "shares", "return": "of 1"}
    return Explanation(
        "round_trips", keys, column, as_number(trade[column]), computed, ROUND_TRIPS[column],
        units.get(column, account.currency or books.DEFAULT_CURRENCY), parts,
        fills=piece.fills, actions=inputs.actions,
    )  # fmt: skip


@dataclass(frozen=True)
class _Piece:
    """A closed piece of a lot: shares at the exit, prices times multiplier, its part of the fees."""

    quantity: float
    entry: float
    exit: float
    entry_fee: float
    exit_fee: float
    multiplier: float
    opener: str
    closer: str
    fills: pd.DataFrame


def _piece_of(
    inputs: LedgerInputs, row: int, *, method: Method, lots: pd.DataFrame | None
) -> _Piece:
    """Match the lots anew, and return the piece in a row of `round_trips`."""
    from mismartera_analytics.kernels.lots import FILL

    traded = inputs.fills.reset_index(drop=True)
    events = prepare_events(traded, inputs.actions, transfers_of(inputs.flows))
    matched = match_named(events, traded, method=method, lots=lots)
    order = trades_table(events, matched).sort_values(list(frames.TRADES.sort), kind="stable").index
    ends = [int(e) for e in matched.pairs[order[row]]]
    behind = [int(events.source[e]) if events.kind[e] == FILL else None for e in ends]
    opener, closer = ("transfer" if at is None else fill_name(traded.iloc[at]) for at in behind)
    quantity, entry, out, entry_fee, exit_fee = matched.pieces[order[row]].tolist()
    multiplier = float(events.groups["multiplier"].iloc[int(events.group[ends[1]])])
    fills = traded.iloc[[at for at in behind if at is not None]].reset_index(drop=True)
    return _Piece(quantity, entry, out, entry_fee, exit_fee, multiplier, opener, closer, fills)


def _piece_items(piece: _Piece, trade: pd.Series) -> dict[str, list[dict[str, Any]]]:
    """Return the items of each column of a trade."""
    known = {"symbol": trade["symbol"], "quantity": piece.quantity}
    price_in, price_out = piece.entry / piece.multiplier, piece.exit / piece.multiplier
    entered = known | {"what": "entry", "at": trade["entry_at"], "price": price_in,
                       "source": piece.opener}  # fmt: skip
    left = known | {"what": "exit", "at": trade["exit_at"], "price": price_out,
                    "source": piece.closer}  # fmt: skip
    paid_in = {"what": "fee of the entry", "source": piece.opener}
    paid_out = {"what": "fee of the exit", "source": piece.closer}
    gains = [
        left | {"amount": piece.quantity * piece.exit},
        entered | {"amount": -piece.quantity * piece.entry},
        paid_in | {"amount": -piece.entry_fee},
        paid_out | {"amount": -piece.exit_fee},
    ]
    return {
        "quantity": [left | {"amount": abs(piece.quantity)}],
        "entry_price": [entered | {"amount": price_in}],
        "exit_price": [left | {"amount": price_out}],
        "fees": [paid_in | {"amount": piece.entry_fee}, paid_out | {"amount": piece.exit_fee}],
        "realized_pnl": gains,
        "return": gains,
    }
