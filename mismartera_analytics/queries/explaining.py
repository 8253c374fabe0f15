"""`explain`: what stands behind one cell of a frame, down to the fills."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy.orm import Session

from mismartera_analytics import clock
from mismartera_analytics.arguments import is_one_of
from mismartera_analytics.errors import (
    InvalidInputError,
    UnknownNameError,
    as_given,
    suggestion,
)
from mismartera_analytics.ledger.daily import MAX_PRICE_AGE, price_age
from mismartera_analytics.ledger.events import check_method, days
from mismartera_analytics.ledger.explanation import Explanation
from mismartera_analytics.ledger.journal import CASH, Journal, journal_of
from mismartera_analytics.ledger.lots import Method
from mismartera_analytics.ledger.periods import Frequency, check_frequency, period_numbers
from mismartera_analytics.ledger.pnl_parts import FORMULAS, Period, pnl_parts
from mismartera_analytics.models import AccountInfo
from mismartera_analytics.models.retrying import repeated
from mismartera_analytics.queries import explaining_lots, explaining_records
from mismartera_analytics.queries.explaining_columns import check_column
from mismartera_analytics.queries.ledger_inputs import LedgerInputs, read_inputs
from mismartera_analytics.queries.profit import pnl
from mismartera_analytics.recording.ownership import (
    AccountLike,
    UserLike,
    only_account,
    reading,
    scope_of,
)

__all__ = ["explain"]


@repeated
def explain(
    frame: str,
    *,
    column: str,
    user: UserLike | None = None,
    account: AccountLike | None = None,
    db_session: Session | None = None,
    **keys: Any,
) -> Explanation:
    """Say what one cell of a frame is made of, and check that it adds up.

    Parameters
    ----------
    frame
        Name of the helper that the frame came from: ``pnl``, ``positions``, ``round_trips``,
        ``orders``, ``fills`` or ``accounts``.
    column
        The cell's column; one that holds a number.
    user, account
        Whose; needed unless only one account can be seen.
    db_session
        Where to read; by default a connection of its own that cannot write.
    **keys
        Which row, and the arguments that the frame was asked for with where they matter:

        - pnl: ``session`` (the row's label), ``symbol`` for the row of a symbol or ``cash=True`` for
          that of the account's cash, ``freq``, ``start``, ``end``, ``method``, ``lots``,
          ``max_price_age``;
        - positions: ``symbol``, ``at``, ``method``, ``lots``;
        - round_trips: ``row`` (its place in ``round_trips(account=…, symbols=symbol, method=…)``),
          ``symbol``, ``method``, ``lots``;
        - orders: ``order_id``;
        - fills: ``fill_id``, or ``order_id`` where the order stands for its one fill.

    Returns
    -------
    Explanation
        Its ``parts`` are made one by one from the records, not taken from the frame; ``adds_up``
        says whether they make the frame's number to 1e-9.

    Raises
    ------
    InvalidInputError
        If the frame, the column or a key is unknown, or no row has these keys.
    UnknownNameError, NotAllowedError
        As in the helper.

    Examples
    --------
    >>> told = ma.explain("pnl", account=1, symbol="IBM", freq="year", session="2012-12-31",
    ...                   column="realized")
    >>> told.adds_up, round(told.value, 2)
    (True, 12387.57)
    >>> print(ma.explain("orders", order_id=1, column="commission"))
    commission of orders: order_id 1
      1.80 USD = fees of its fills
      what symbol               at quantity price amount source
      fill   MSFT 2001-05-17 13:30      361 69.11   1.80 fill 1
      The item is all of it.
    """
    explainers = _explainers()
    if not is_one_of(frame, explainers):
        hint = suggestion(frame, explainers) or "."
        shown = repr(frame) if isinstance(frame, str) else f"a {type(frame).__name__}"
        raise InvalidInputError(f"frame={shown} is not one of {', '.join(explainers)}{hint}")
    explainer = explainers[frame]
    allowed = [
        name
        for name, parameter in inspect.signature(explainer).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and name != "column"
    ]
    unknown = [name for name in keys if name not in allowed]
    if unknown:
        hint = suggestion(unknown[0], allowed) or "."
        raise InvalidInputError(
            f"{unknown[0]}= is no key of {frame}; it has {', '.join(allowed) or 'none'}{hint}"
        )
    with reading(db_session) as own:
        if frame in ("orders", "fills"):
            return explainer(own, scope_of(own, user=user, account=account), column=column, **keys)
        found = only_account(own, user=user, account=account)
        return explainer(own, found, column=column, **keys)


def _explainers() -> dict[str, Callable[..., Explanation]]:
    return {
        "pnl": _explain_pnl,
        "positions": explaining_lots.explain_position,
        "round_trips": explaining_lots.explain_round_trip,
        "orders": explaining_records.explain_order,
        "fills": explaining_records.explain_fill,
        "accounts": explaining_records.explain_account,
    }


def _explain_pnl(
    db_session: Session,
    account: AccountInfo,
    *,
    column: str,
    session: clock.LabelLike | None = None,
    symbol: str | None = None,
    cash: bool = False,
    freq: Frequency = "session",
    start: clock.LabelLike | None = None,
    end: clock.LabelLike | None = None,
    method: Method = "fifo",
    lots: pd.DataFrame | None = None,
    max_price_age: int = MAX_PRICE_AGE,
) -> Explanation:
    check_column("pnl", column, FORMULAS)
    check_frequency(freq)
    check_method(method)
    if session is None:
        raise InvalidInputError("session= is needed: the label of the row of pnl.")
    if symbol is not None and cash:
        raise InvalidInputError("symbol= and cash=True name different rows; give one.")
    max_price_age = price_age(max_price_age)
    label = pd.Timestamp(clock.parse_label(session, argument="session"))
    by = ["account"] if symbol is None and not cash else ["account", "symbol"]
    table = pnl(
        freq=freq, by=by, account=account.id, start=start, end=end, method=method,
        lots=lots, max_price_age=max_price_age, db_session=db_session,
    )  # fmt: skip
    row = _row_of(table, label, symbol=symbol, has_symbol=len(by) > 1)
    last = None if end is None else clock.parse_label(end, argument="end")
    scope = scope_of(db_session, account=account.id)
    inputs = read_inputs(db_session, scope, None, end=last, max_price_age=max_price_age)
    assert inputs is not None
    journal = journal_of(**vars(inputs), method=method, lots=lots, max_price_age=max_price_age)
    period = _period(journal, label, freq=freq, start=start)
    parts, computed = pnl_parts(journal, column, period, symbol=CASH if cash else symbol)
    which = {"account": account.id, "symbol": "cash" if cash else symbol, "freq": freq}
    keys = {"session": f"{label:%Y-%m-%d}", **{k: v for k, v in which.items() if v is not None}}
    value = float("nan") if pd.isna(row[column]) else float(row[column])
    unit = "sessions" if column == "price_age" else str(row["currency"])
    return Explanation(
        "pnl", keys, column, value, computed, FORMULAS[column], unit, parts,
        **_evidence(inputs, journal, period, symbol),
        notes=_notes(journal, period, symbol, cash=cash),
    )  # fmt: skip


def _row_of(
    table: pd.DataFrame, label: pd.Timestamp, *, symbol: str | None, has_symbol: bool
) -> pd.Series:
    own = table
    if has_symbol:
        own = table.loc[table["symbol"].isna() if symbol is None else table["symbol"] == symbol]
        if symbol is not None and own.empty:
            known = table["symbol"].dropna().unique().tolist()
            hint = suggestion(symbol, known) or "."
            raise UnknownNameError(
                f"symbol={as_given(symbol)} has no row of pnl in that range{hint}"
            )
    found = own.loc[own["session"] == label]
    if found.empty:
        labels = own["session"].drop_duplicates().sort_values()
        around = [*labels[labels < label].tail(1), *labels[labels > label].head(1)]
        near = " and ".join(f"{day:%Y-%m-%d}" for day in around)
        told = f"the nearest: {near}" if near else "there are no rows"
        raise InvalidInputError(f"session={label:%Y-%m-%d} is no row of that pnl; {told}.")
    return found.iloc[0]


def _period(
    journal: Journal, label: pd.Timestamp, *, freq: str, start: clock.LabelLike | None
) -> Period:
    grid = journal.grid
    first = 0
    if start is not None:
        bound = clock.parse_label(start, argument="start")
        first = int(np.searchsorted(grid, days([bound])[0]))
    last = int(np.searchsorted(grid, days([label])[0]))
    numbers = period_numbers(grid, freq)
    begin = int(np.searchsorted(numbers, numbers[last]))
    return Period(max(begin, first), last, first)


def _evidence(
    inputs: LedgerInputs, journal: Journal, period: Period, symbol: str | None
) -> dict[str, pd.DataFrame]:
    """Return the records of the period, and the lots open before and after it."""
    first, last = journal.grid[period.start], journal.grid[period.end]

    def of_period(table: pd.DataFrame, label: str) -> pd.DataFrame:
        number = days(table[label])
        chosen = (number >= first) & (number <= last)
        if symbol is not None and "symbol" in table:
            chosen &= (table["symbol"] == symbol).to_numpy()
        own: pd.DataFrame = table.loc[chosen].reset_index(drop=True)
        return own

    edges = {"start": period.start - 1, "end": period.end}
    lots = [journal.lots(symbol, row).assign(open_at=when) for when, row in edges.items()]
    filled = [table for table in lots if len(table)]
    return {
        "fills": of_period(inputs.fills, "session") if len(inputs.fills) else inputs.fills,
        "flows": of_period(inputs.flows, "session") if len(inputs.flows) else inputs.flows,
        "actions": of_period(inputs.actions, "ex_date") if len(inputs.actions) else inputs.actions,
        "prices": of_period(inputs.prices, "session") if len(inputs.prices) else inputs.prices,
        "lots": pd.concat(filled, ignore_index=True) if filled else lots[0],
    }


def _notes(journal: Journal, period: Period, symbol: str | None, *, cash: bool) -> tuple[str, ...]:
    if cash:
        return ()
    old = []
    for name in dict.fromkeys(journal.lots(symbol, period.end)["symbol"]):
        _, age = journal.mark(name, period.end)
        if age:
            old.append(f"{name} has no price" if age < 0 else f"{name}'s is {age} sessions old")
    return (f"Prices at the end: {'; '.join(old)}.",) if old else ()
