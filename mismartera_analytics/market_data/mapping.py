"""From the columns that a source happens to have to those of bars."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mismartera_analytics import clock
from mismartera_analytics.arguments import is_one_of
from mismartera_analytics.errors import (
    InvalidBarsError,
    InvalidInputError,
    NaiveDatetimeError,
    UnknownNameError,
    as_given,
    suggestion,
)
from mismartera_analytics.frames.given import is_encodable
from mismartera_analytics.frames.number_cells import is_beyond_floats
from mismartera_analytics.market_data import cuts, validation
from mismartera_analytics.market_data.alignment import Alignment, starts_of_bars
from mismartera_analytics.market_data.layout import VALUES, Layout
from mismartera_analytics.market_data.session_times import session_opens, sessions_of_times

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mismartera_analytics.calendars.sessions import TradingCalendar

__all__ = ["ALIASES", "map_columns", "parsed_times", "source_columns", "to_bars", "within_years"]

ALIASES = {
    "symbol": ("symbol", "ticker", "sym", "code", "instrument"),
    "timestamp": ("timestamp", "datetime", "date", "time", "ts", "session", "start"),
    "open": ("open", "o", "openprice"),
    "high": ("high", "h", "highprice"),
    "low": ("low", "l", "lowprice"),
    "close": ("close", "c", "closeprice", "last"),
    "volume": ("volume", "v", "vol", "shares"),
}
_OFFSET = re.compile(r"(?:Z|[+-]\d{2}(?::?\d{2})?)$")
_PERIODS = (clock.Interval(1, "w"), clock.Interval(1, "mo"))
"""What vendors also name by its last session, or by any day of it."""
_LONGEST_PERIOD = {"d": 1, "w": 7, "mo": 31}


def source_columns(names: list[str], given: Mapping[str, str] | None) -> dict[str, str]:
    """Return which column of a source holds what.

    Parameters
    ----------
    names
        The source's columns.
    given
        Our name to the source's, where the caller says so; the rest is found by the usual names, case
        and punctuation ignored.

    Returns
    -------
    dict
        Our name to the source's. `symbol` may be missing; `time` is there if the time of day has a
        column of its own beside the date.

    Raises
    ------
    UnknownNameError
        If `given` names a column that bars or the source do not have.
    InvalidBarsError
        If a column cannot be found, or several may be it.

    Examples
    --------
    >>> source_columns(["Date", "Open", "High", "Low", "Close", "Adj Close", "Volume"], None)["close"]
    'Close'
    """
    if not (given is None or isinstance(given, Mapping)):
        raise InvalidInputError(
            f"columns={as_given(given)} must map names of bars to the source's."
        )
    found = dict(given or {})
    for ours, theirs in found.items():
        if not is_one_of(ours, ALIASES):
            raise UnknownNameError(
                f"columns={as_given(ours)} is no column of bars{suggestion(ours, ALIASES)} "
                f"Bars have {', '.join(ALIASES)}."
            )
        if theirs not in names:
            raise UnknownNameError(
                f"columns[{ours!r}]={as_given(theirs)} is not in the source{suggestion(theirs, names)} "
                f"It has {', '.join(names)}."
            )
    folded: dict[str, list[str]] = {}
    for name in names:
        folded.setdefault(re.sub(r"[^a-z0-9]", "", name.casefold()), []).append(name)
    for ours, aliases in ALIASES.items():
        alias = next((alias for alias in aliases if alias in folded), None)
        if alias is None or ours in found:
            continue
        if len(folded[alias]) > 1:
            raise InvalidBarsError(
                f"the source has several columns that may be {ours}: {', '.join(folded[alias])}. Say "
                f"which it is with columns={{{ours!r}: '…'}}."
            )
        found[ours] = folded[alias][0]
    if "timestamp" not in (given or {}) and found.get("timestamp") in folded.get("date", ()):
        times = [name for name in folded.get("time", ()) if name not in found.values()]
        found.update(zip(["time"], times, strict=False))
    missing = [name for name in ("timestamp", *VALUES) if name not in found]
    if missing:
        raise InvalidBarsError(
            f"the source has no column for {', '.join(missing)}; it has {', '.join(names)}. Say which "
            f"is which with columns={{{missing[0]!r}: '…'}}."
        )
    return found


def map_columns(
    raw: pd.DataFrame, columns: Mapping[str, str] | None, symbol: str | None
) -> pd.DataFrame:
    """Return a source's rows with our column names; the index is kept.

    Parameters
    ----------
    raw
        As read.
    columns
        As in `source_columns`.
    symbol
        For sources without a column of symbols.

    Returns
    -------
    pandas.DataFrame
        Columns `symbol`, `timestamp` (as the source has it), `open` … `volume`.

    Raises
    ------
    InvalidInputError
        If both or neither the source and the caller name the symbol.
    """
    found = source_columns([str(name) for name in raw.columns], columns)
    if "symbol" in found and symbol is not None:
        raise InvalidInputError(
            f"symbol={as_given(symbol)}, but the source has symbols in its column {found['symbol']!r}; "
            f"leave symbol out."
        )
    if "symbol" not in found and symbol is None:
        raise InvalidInputError(
            "the source has no column of symbols; name the symbol with symbol='…'."
        )
    raw = raw.set_axis([str(name) for name in raw.columns], axis=1)
    mapped = {name: raw[found[name]] for name in ALIASES if name in found}
    if "time" in found:
        mapped["timestamp"] = _joined(raw[found["timestamp"]], raw[found["time"]])
    if symbol is not None:
        mapped["symbol"] = pd.Series(symbol, index=raw.index, dtype="str")
    return pd.DataFrame({name: mapped[name] for name in ALIASES}, index=raw.index)


def _joined(date: pd.Series, time: pd.Series) -> pd.Series:
    """Return dates and times of day as one text each: 20250702 and 093000 as 2025-07-02T09:30:00."""
    date, time = (one.mask(one.map(_is_no_text).astype("bool")) for one in (date, time))
    day = date.astype("str").str.replace(r"^(\d{4})\.?(\d\d)\.?(\d\d)$", r"\1-\2-\3", regex=True)
    clock = time.astype("str").str.replace(r"^(\d)(?=(?:\d\d){1,2}$|:)", r"0\1", regex=True)
    clock = clock.str.replace(r"^(\d\d)(\d\d)(\d\d)?$", r"\1:\2:\3", regex=True).str.rstrip(":")
    return day + "T" + clock


def to_bars(
    mapped: pd.DataFrame,
    layout: Layout,
    calendar: TradingCalendar,
    *,
    tz: str | None,
    aligned: Alignment = "session",
) -> pd.DataFrame:
    """Return rows whose times are those of bars: instants, and sessions where bars have them.

    Parameters
    ----------
    mapped
        As from `map_columns`.
    layout
        Of the interval.
    calendar
        Gives a date its regular open.
    tz
        Zone of naive times.
    aligned
        Where bars shorter than a session start: as in `alignment.starts_of_bars`.

    Returns
    -------
    pandas.DataFrame
        The rows with `timestamp` aware, for a session and longer with `session`, and `given`, the
        time as it was given. NaT where it cannot be a bar's: unreadable, skipped or doubled by
        daylight saving, or on no session. Where bars start off the grid there is `off_grid`.

    Raises
    ------
    NaiveDatetimeError
        If times of bars shorter than a session have no zone and `tz` gives none, or only some have.
    """
    given = mapped["timestamp"]
    times = within_years(parsed_times(given))
    if layout.has_session:
        times, session = _session_opens(times, layout, calendar, tz)
        mapped = mapped.assign(session=session)
    else:
        times, off_grid = starts_of_bars(_aware(times, tz), layout, calendar, aligned=aligned)
        if off_grid.any():
            mapped = mapped.assign(off_grid=off_grid)
    return mapped.assign(timestamp=times, given=given)


def parsed_times(column: pd.Series) -> pd.Series:
    """Return times as the source means them: naive, or aware in their own zone; NaT if unreadable."""
    column = validation.plain_times(column)
    if isinstance(column.dtype, pd.DatetimeTZDtype) or column.dtype.kind == "M":
        return column
    if pd.api.types.is_integer_dtype(column.dtype):
        if not column.between(17_000_101, 29_991_231).all():
            raise InvalidInputError(
                f"the times are numbers such as {column.iloc[0]}; convert them first, for instance "
                f"with pandas.to_datetime(…, unit='s', utc=True)."
            )
        return pd.to_datetime(column.astype("str"), format="%Y%m%d", errors="coerce")
    if column.dtype == object:
        column = column.mask(column.map(_is_no_text).astype("bool"))
    text = column.astype("str")
    has_offset = text.str.contains(_OFFSET, na=False) & text.str.contains(":", na=False)
    without = text[~has_offset & column.notna()]
    if has_offset.any() and len(without):
        is_time = pd.to_datetime(without, errors="coerce", format="ISO8601").notna()
        if is_time.any():
            first = without[is_time].head(1)
            raise NaiveDatetimeError(
                f"some times have a zone and some have none, row {first.index[0]} for instance "
                f"({first.iloc[0]}); give all of them one."
            )
    if has_offset.any():
        return pd.to_datetime(text, errors="coerce", utc=True, format="ISO8601")
    return pd.to_datetime(text, errors="coerce", format="ISO8601")


def _is_no_text(value: Any) -> bool:
    if isinstance(value, str):
        return not is_encodable(value)
    return isinstance(value, bytes) or is_beyond_floats(value)


def within_years(times: pd.Series) -> pd.Series:
    """Return times with NaT in place of those whose year Python cannot write in every zone."""
    zone = getattr(times.dtype, "tz", None) and "UTC"
    first, last = (pd.Timestamp(day, tz=zone) for day in ("0001-01-03", "9999-12-29"))
    is_written = (times >= first) & (times <= last)
    return times if is_written.all() else times.where(is_written)


def _aware(times: pd.Series, tz: str | None) -> pd.Series:
    if isinstance(times.dtype, pd.DatetimeTZDtype) or times.isna().all():
        return times.dt.tz_localize("UTC") if times.dt.tz is None else times
    if tz is None:
        raise NaiveDatetimeError(
            f"the times have no zone ({times.dropna().iloc[0]} is the first); name it with "
            f"tz='America/New_York' or whichever they are in."
        )
    aware: pd.Series = times.dt.tz_localize(tz, ambiguous="NaT", nonexistent="NaT")
    return aware


def _microseconds(times: pd.Series) -> NDArray[np.int64]:
    utc: Any = times.dt.tz_convert("UTC").dt.tz_localize(None)
    return np.asarray(utc.to_numpy()).astype("datetime64[us]").astype(np.int64)


def _session_opens(
    times: pd.Series, layout: Layout, calendar: TradingCalendar, tz: str | None
) -> tuple[pd.Series, pd.Series]:
    """Return regular open and label of each row; a date or a midnight is the label.

    Midnight in the time's own zone or in the exchange's; another time belongs to the session around it.
    A week or month starts with its first session, whichever day names it.
    """
    wall: Any = times.dt.tz_localize(None)
    local = wall.to_numpy().astype("datetime64[us]")
    label = local.astype("datetime64[D]")
    is_instant = ~np.isnat(local) & (local != label)
    if is_instant.any():
        instants = _aware(times[is_instant], tz)
        home: Any = instants.dt.tz_convert(calendar.timezone).dt.tz_localize(None)
        at_home = home.to_numpy().astype("datetime64[us]")
        day = at_home.astype("datetime64[D]")
        of_session = sessions_of_times(calendar, _microseconds(instants))
        label[is_instant] = np.where(at_home == day, day, of_session)
    if layout.interval in _PERIODS:
        label = _period_days(label, layout.interval, calendar)
    reach = _LONGEST_PERIOD[layout.interval.unit] * layout.interval.count
    label, opens = session_opens(calendar, label, reach=reach)
    if layout.interval in _PERIODS:
        label, opens = _period_starts(label, opens, layout, calendar)
    opened = pd.Series(opens, index=times.index).dt.tz_localize("UTC")
    return opened, pd.Series(label.astype("datetime64[us]"), index=times.index)


def _period_days(
    label: NDArray[Any], interval: clock.Interval, calendar: TradingCalendar
) -> NDArray[Any]:
    """Return the first day of each label's month, or the Monday of its week.

    A weekend without sessions names no week: some vendors mean the one that ends there, some the next.
    """
    if interval.unit == "mo":
        return label.astype("datetime64[M]").astype("datetime64[D]")
    weekday = (label.astype(np.int64) + 3) % 7
    _, opens = session_opens(calendar, label)
    is_unclear = (weekday >= 5) & np.isnat(opens)
    return np.where(is_unclear, np.datetime64("NaT"), label - weekday)


def _period_starts(
    label: NDArray[Any], opens: NDArray[Any], layout: Layout, calendar: TradingCalendar
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return label and open of the first session of each session's week or month; NaT stays."""
    cut = cuts.of_labels(calendar, layout.interval)
    assert cut.first_labels is not None
    assert cut.first_opens is not None
    known = ~np.isnat(label)
    first = cut.bins[np.searchsorted(cut.starts, label[known].astype(np.int64))]
    label, opens = label.copy(), opens.copy()
    label[known] = cut.first_labels[first].astype("datetime64[D]")
    opens[known] = cut.first_opens[first].astype("datetime64[us]")
    return label, opens
