"""What symbols stand for: exchange group, asset class, currency and multiplier, by period."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from sqlalchemy import select

from mismartera_analytics import clock, frames
from mismartera_analytics.arguments import float_or_nan
from mismartera_analytics.errors import InvalidInputError, UnknownNameError, as_given
from mismartera_analytics.frames.given import is_missing
from mismartera_analytics.market_data.layout import SYMBOL_RULE, check_symbols, is_symbol
from mismartera_analytics.market_data.tabular import table_given
from mismartera_analytics.models import database
from mismartera_analytics.models.instruments import Instrument
from mismartera_analytics.models.retrying import repeated
from mismartera_analytics.models.turns import take_turn

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from mismartera_analytics.calendars.sessions import TradingCalendar

__all__ = ["DEFAULTS", "calendar_of", "instruments", "record_instruments", "recorded_among"]

DEFAULTS: dict[str, Any] = {
    "exchange_group": "US_EQUITY", "asset_class": "EQUITY", "currency": "USD", "multiplier": 1.0,
}  # fmt: skip
"""What a symbol is of which nothing is recorded."""
_MOST_NAMED = 10_000  # more symbols than this are picked from the whole table


@repeated
def record_instruments(source: pd.DataFrame | str | Path) -> int:
    """Record what symbols stand for; recording it again changes nothing.

    Parameters
    ----------
    source
        A frame, or a CSV file's path. Column `symbol`, and where known `valid_from` and `valid_to`
        (labels, both included; missing means unbounded), `exchange_group`, `asset_class`,
        `currency` and `multiplier` [currency per point of price]; what is missing is US_EQUITY,
        EQUITY, USD and 1.

    Returns
    -------
    int
        How many rows are new or differ from what was recorded for the same symbol and `valid_from`;
        those are replaced.

    Raises
    ------
    InvalidInputError
        If a column or value is missing or not allowed, or two rows of a symbol, recorded ones
        included, share a day; nothing is recorded.
    UnknownNameError
        If an exchange group is not known.
    StorageError
        If the file cannot be read.
    DatabaseNotReadyError
        If the database has not been initialised.

    Examples
    --------
    >>> ma.init_db()
    >>> record_instruments(pd.DataFrame({"symbol": ["ES"], "exchange_group": ["CME"],
    ...     "asset_class": ["FUTURES"], "multiplier": [50.0]}))
    1
    >>> instruments("ES")[["exchange_group", "multiplier"]].to_numpy().tolist()
    [['CME', 50.0]]
    """
    frame = table_given(source, what="instruments")
    if "symbol" not in frame.columns:
        raise InvalidInputError("instruments lack the column 'symbol'.")
    given = [_checked(place, row) for place, row in enumerate(frame.to_dict("records"), start=1)]
    if not given:
        return 0
    _check_groups(given)
    changed = 0
    with database.session_scope() as db_session:
        take_turn(db_session)
        names = {row["symbol"] for row in given}
        stored = db_session.scalars(select(Instrument).where(Instrument.symbol.in_(names)))
        known = {(row.symbol, row.valid_from): row for row in stored}
        for values in given:
            key = values["symbol"], values["valid_from"]
            row = known.get(key)
            if row is None:
                known[key] = row = Instrument(**values)
                db_session.add(row)
                changed += 1
            elif any(getattr(row, name) != value for name, value in values.items()):
                for name, value in values.items():
                    setattr(row, name, value)
                changed += 1
        _refuse_overlaps(list(known.values()))
    return changed


def instruments(
    symbols: str | Iterable[str] | None = None,
    *,
    at: clock.LabelLike | clock.InstantLike | None = None,
    db_session: Session | None = None,
) -> pd.DataFrame:
    """Return what symbols stand for.

    Parameters
    ----------
    symbols
        One or several; by default every symbol of which something is recorded.
    at
        A date, or an instant (its UTC date): one row a symbol, the one that is in force then. Where
        none is, the next one after it, else the last one before it. By default all rows.
    db_session
        Where to read; the configured database by default.

    Returns
    -------
    pandas.DataFrame
        As `frames.INSTRUMENTS`. A symbol asked for of which nothing is recorded has one row without
        bounds: US_EQUITY, EQUITY, USD, 1.

    Raises
    ------
    InvalidInputError
        If an argument is malformed.
    DatabaseNotReadyError
        If the database has not been initialised.

    Examples
    --------
    >>> ma.init_db()
    >>> instruments("AAPL")[["symbol", "exchange_group", "currency"]].to_numpy().tolist()
    [['AAPL', 'US_EQUITY', 'USD']]
    """
    names = None if symbols is None else check_symbols(symbols)
    day = None if at is None else _day(at)
    return _table(_rows(db_session, names), names, day)


def recorded_among(symbols: Iterable[str], *, db_session: Session | None = None) -> list[str]:
    """Return those symbols of which something is recorded, sorted; cheaper than their frame.

    Parameters
    ----------
    symbols
        Any number.
    db_session
        Where to read; the configured database by default.

    Returns
    -------
    list of str

    Raises
    ------
    InvalidInputError
        If a symbol is malformed.
    DatabaseNotReadyError
        If the database has not been initialised.

    Examples
    --------
    >>> ma.init_db()
    >>> recorded_among(["AAPL"])
    []
    """
    return sorted({row.symbol for row in _rows(db_session, check_symbols(symbols))})


def _table(rows: list[Any], names: list[str] | None, day: dt.date | None) -> pd.DataFrame:
    found = pd.DataFrame(rows, columns=frames.INSTRUMENTS.names)
    if names is not None:
        lacking = pd.DataFrame({"symbol": sorted(set(names) - set(found["symbol"]))})
        found = pd.concat([found.astype(object), lacking.astype(object)], ignore_index=True)
    for name, value in DEFAULTS.items():
        found[name] = found[name].where(found[name].notna(), value)
    conformed = frames.INSTRUMENTS.conform(found)
    return conformed if day is None else _in_force(conformed, day)


def calendar_of(
    symbols: str | Iterable[str],
    at: clock.LabelLike | clock.InstantLike | None = None,
    *,
    db_session: Session | None = None,
) -> dict[str, TradingCalendar]:
    """Return the calendar on which each symbol trades; one query for all.

    Parameters
    ----------
    symbols
        One or several.
    at
        As in `instruments`; by default the last row of each symbol.
    db_session
        Where to read; the configured database by default.

    Returns
    -------
    dict
        From symbol to calendar: that of its exchange group and asset class, or of the group alone
        where that has no hours of its own for the class. Symbols of one market share one calendar.

    Raises
    ------
    UnknownNameError
        If an exchange group has no calendar; the symbol is named.
    InvalidInputError
        If an argument is malformed.
    DatabaseNotReadyError
        If the database has not been initialised.

    Examples
    --------
    >>> ma.init_db()
    >>> calendar_of(["AAPL", "MSFT"])["MSFT"].name
    'US_EQUITY'
    """
    names = check_symbols(symbols)
    rows = _rows(db_session, names)
    if at is None and not rows:  # spares reads of minutes by label the making of a frame
        group, kind = DEFAULTS["exchange_group"], DEFAULTS["asset_class"]
        return dict.fromkeys(names, _calendar(group, kind, names[0], db_session))
    table = _table(rows, names, dt.date.max if at is None else _day(at))
    made: dict[tuple[str, str], TradingCalendar] = {}
    calendars: dict[str, TradingCalendar] = {}
    for symbol, group, kind in zip(
        table["symbol"], table["exchange_group"], table["asset_class"], strict=True
    ):
        if (group, kind) not in made:
            made[group, kind] = _calendar(group, kind, symbol, db_session)
        calendars[symbol] = made[group, kind]
    return calendars


def _calendar(group: str, kind: str, symbol: str, db_session: Session | None) -> TradingCalendar:
    from mismartera_analytics.calendars.lookup import trading_calendar

    try:
        return trading_calendar(group, kind, db_session=db_session)
    except UnknownNameError:
        pass
    try:
        return trading_calendar(group, db_session=db_session)
    except UnknownNameError as error:
        raise UnknownNameError(f"the instrument {symbol!r}: {error}") from None


@repeated
def _rows(db_session: Session | None, names: list[str] | None) -> list[Any]:
    if db_session is None:
        with database.read_session() as own:
            return _rows(own, names)
    table = Instrument.__table__.c
    query = select(*(table[name] for name in frames.INSTRUMENTS.names))
    if names is not None and len(names) <= _MOST_NAMED:
        query = query.where(table.symbol.in_(names))
    rows = db_session.execute(query).all()
    if names is not None and len(names) > _MOST_NAMED:
        wanted = set(names)
        rows = [row for row in rows if row.symbol in wanted]
    return list(rows)


def _day(at: clock.LabelLike | clock.InstantLike) -> dt.date:
    bound = clock.parse_bound(at, argument="at")
    return bound.date() if isinstance(bound, dt.datetime) else bound


def _in_force(table: pd.DataFrame, day: dt.date) -> pd.DataFrame:
    """Return of each symbol the row in force on a day, else the next one, else the last one."""
    moment = pd.Timestamp(day).as_unit("us")
    has_ended = table["valid_to"] < moment  # NaT, no end, is False
    # Rows of a symbol do not overlap: of those that have not ended the first, else the last of all.
    table = table.sort_values(["symbol", "valid_from"], na_position="first")
    live = table.loc[~has_ended].drop_duplicates("symbol")
    ended = table.loc[has_ended & ~table["symbol"].isin(live["symbol"])]
    last = ended.drop_duplicates("symbol", keep="last")
    return frames.INSTRUMENTS.conform(pd.concat([live, last]))


def _check_groups(given: list[dict[str, Any]]) -> None:
    from mismartera_analytics.calendars.lookup import trading_calendar

    for group in sorted({row["exchange_group"] for row in given}):
        try:
            trading_calendar(group)
        except UnknownNameError as error:
            if "asset_class" in str(error):  # the group is known, and has no hours for equities
                continue
            raise UnknownNameError(str(error).replace("exchange=", "exchange_group=")) from None


def _refuse_overlaps(rows: list[Instrument]) -> None:
    rows.sort(key=lambda row: (row.symbol, row.valid_from or dt.date.min))
    for former, row in itertools.pairwise(rows):
        if former.symbol != row.symbol:
            continue
        if former.valid_to is None or former.valid_to >= (row.valid_from or dt.date.min):
            raise InvalidInputError(
                f"instruments of {row.symbol!r}: the one {_period(row)} shares days with the one "
                f"{_period(former)}; record the earlier one again with a valid_to before the later "
                f"one's valid_from."
            )


def _period(row: Instrument) -> str:
    return f"from {row.valid_from or 'the beginning'} to {row.valid_to or 'no end'}"


def _checked(place: int, row: dict[Any, Any]) -> dict[str, Any]:
    """Return the columns of one instrument, or an error that names the row."""
    where = f"instrument {place}"
    if not is_symbol(row["symbol"]):
        raise InvalidInputError(
            f"{where}: symbol={as_given(row['symbol'])} is no symbol: {SYMBOL_RULE}."
        )
    since = _label(row.get("valid_from"), f"valid_from of {where}")
    until = _label(row.get("valid_to"), f"valid_to of {where}")
    if since is not None and until is not None and since > until:
        raise InvalidInputError(
            f"{where} ({row['symbol']}): valid_from={since} comes after valid_to={until}."
        )
    values = {name: _or_default(row.get(name), default) for name, default in DEFAULTS.items()}
    for name, longest in (("exchange_group", 50), ("asset_class", 50), ("currency", 3)):
        text = values[name]
        if not isinstance(text, str) or not 0 < len(text.strip()) <= longest:
            raise InvalidInputError(
                f"{where} ({row['symbol']}): {name}={as_given(text)} must be text of at most {longest} "
                f"characters."
            )
    if not (len(values["currency"]) == 3 and values["currency"].isupper()):
        raise InvalidInputError(
            f"{where} ({row['symbol']}): currency={as_given(values['currency'])} must be an ISO code "
            f"such as 'USD'."
        )
    values["multiplier"] = _positive(values["multiplier"], f"{where} ({row['symbol']}): multiplier")
    return {"symbol": row["symbol"], "valid_from": since, "valid_to": until, **values}


def _or_default(value: Any, default: Any) -> Any:
    return default if is_missing(value) else value


def _label(value: Any, argument: str) -> dt.date | None:
    return None if is_missing(value) else clock.parse_label(value, argument=argument)


def _positive(value: Any, name: str) -> float:
    number = float_or_nan(value)
    if not (math.isfinite(number) and number > 0):
        raise InvalidInputError(f"{name}={as_given(value)} must be a positive number.")
    return number
