"""A calendar against another source's sessions: every difference, one a row."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd

from mismartera_analytics import clock
from mismartera_analytics.calendars.sessions import TradingCalendar
from mismartera_analytics.errors import (
    InvalidInputError,
    StorageError,
    as_given,
    suggestion,
)

__all__ = ["compare_sessions", "read_sessions"]

_NAMES = {
    "session": "session", "date": "session",
    "regular_open": "regular_open", "open": "regular_open", "market_open": "regular_open",
    "regular_close": "regular_close", "close": "regular_close", "market_close": "regular_close",
    "break_start": "break_start", "break_end": "break_end",
    "pre_market_open": "pre_market_open", "pre": "pre_market_open",
    "post_market_close": "post_market_close", "post": "post_market_close",
}  # fmt: skip


def read_sessions(path: str | Path) -> pd.DataFrame:
    """Read another source's sessions from a CSV file.

    Parameters
    ----------
    path
        Columns: ``session`` (or ``date``), and any of ``open``, ``close``, ``break_start``,
        ``break_end``, ``pre`` and ``post``, or their names in `frames.SESSIONS`. Other columns, and
        one without a name, are left out.

    Returns
    -------
    pandas.DataFrame
        The columns by their names in `frames.SESSIONS`, as text.

    Raises
    ------
    StorageError
        If the file cannot be read.
    InvalidInputError
        If it has no column of sessions.
    """
    try:
        raw = pd.read_csv(path, dtype="str", keep_default_na=False)
    except OSError as error:
        raise StorageError(f"cannot read {path} ({error.strerror}).") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path} is not CSV: {error}.") from None
    known = {name: _NAMES[name] for name in map(str, raw.columns) if name in _NAMES}
    if "session" not in known.values():
        hint = suggestion("session", [str(name) for name in raw.columns])
        raise InvalidInputError(
            f"{path} has the columns {list(raw.columns)}; one must be 'session' or 'date'{hint or '.'}"
        )
    doubled = [name for name in known if list(known.values()).count(known[name]) > 1]
    if doubled:
        raise InvalidInputError(f"{path} has several columns of one meaning: {doubled}; keep one.")
    return raw[list(known)].rename(columns=known)


def compare_sessions(calendar: TradingCalendar, theirs: pd.DataFrame) -> pd.DataFrame:
    """Return every difference between a calendar and another source's sessions.

    Parameters
    ----------
    calendar
        Ours.
    theirs
        A column ``session`` of labels in any order, and any of the columns of instants of
        `frames.SESSIONS`: aware datetimes, text with an offset, or local times such as ``09:30``
        (on the session's own date). Empty means that the session lacks it.

    Returns
    -------
    pandas.DataFrame
        ``session``, ``what`` (``session`` or the column that differs), ``ours`` and ``theirs`` as text,
        from the first to the last of their sessions.

    Raises
    ------
    InvalidInputError
        If a value cannot be read: the message names its line.
    CalendarRangeError
        If their sessions reach beyond the range that the rules cover.

    Examples
    --------
    >>> theirs = pd.DataFrame({"session": ["2025-07-03"], "regular_close": ["16:00"]})
    >>> found = compare_sessions(ma.trading_calendar("NYSE"), theirs)
    >>> found["what"].tolist(), found["ours"].tolist()
    (['regular_close'], ['2025-07-03 13:00:00'])
    """
    if "session" not in theirs.columns or theirs.empty:
        raise InvalidInputError("theirs needs a column 'session' and at least one row.")
    labels = [
        clock.parse_label(value, argument=f"session in line {line}")
        for line, value in enumerate(theirs["session"], 2)
    ]
    ours = calendar.sessions(min(labels), max(labels), tz=calendar.timezone)
    mine = {
        label.date(): row for label, row in zip(ours.index, ours.to_dict("records"), strict=True)
    }
    rows = [(day, "session", "session", "closed") for day in mine if day not in set(labels)]
    for line, (label, record) in enumerate(zip(labels, theirs.to_dict("records"), strict=True), 2):
        if label not in mine:
            rows.append((label, "session", "closed", "session"))
            continue
        for name in theirs.columns.drop("session"):
            their_time = _moment(record[name], label, calendar.timezone, name=str(name), line=line)
            our_time = mine[label][name]
            our_time = None if pd.isna(our_time) else our_time
            if our_time != their_time:
                rows.append((label, str(name), _said(our_time), _said(their_time)))
    found = pd.DataFrame(sorted(rows), columns=["session", "what", "ours", "theirs"])
    found["session"] = pd.to_datetime(found["session"]).astype("datetime64[us]")
    return found.astype({"what": "str", "ours": "str", "theirs": "str"})


def _moment(
    value: Any, label: dt.date, timezone: str, *, name: str, line: int
) -> dt.datetime | None:
    if value is None or value == "" or (not isinstance(value, str) and pd.isna(value)):
        return None
    if isinstance(value, str) and len(value) <= 8:
        try:
            return clock.local_instant(label, dt.time.fromisoformat(value), timezone)
        except ValueError:
            raise InvalidInputError(
                f"{name}={as_given(value)} in line {line} is neither a local time such as 09:30 nor "
                f"a time with an offset."
            ) from None
    moment = clock.parse_instant(value, argument=f"{name} in line {line}")
    return moment.astimezone(clock.zone(timezone))


def _said(moment: dt.datetime | None) -> str:
    return "none" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"
