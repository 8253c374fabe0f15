"""`audit_bars`: what is missing from the bars of each session, what is too much, what looks wrong."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

import pandas as pd

from mismartera_analytics import clock
from mismartera_analytics.arguments import is_one_of
from mismartera_analytics.errors import CalendarRangeError, InvalidInputError, as_given
from mismartera_analytics.market_data import audit_tables
from mismartera_analytics.market_data.audit_checks import (
    AuditLimits,
    SymbolAudit,
    SymbolBars,
    audit_symbol,
)
from mismartera_analytics.market_data.audit_grid import (
    Aligned,
    SessionGrid,
    empty_grid,
    microseconds,
    session_grid,
)
from mismartera_analytics.market_data.audit_result import BarAudit
from mismartera_analytics.market_data.audit_sources import (
    NO_SPLITS,
    FrameBars,
    StoreBars,
    recorded_splits,
)
from mismartera_analytics.market_data.audit_spans import Span, Window, spans_of
from mismartera_analytics.market_data.cuts import Hours
from mismartera_analytics.market_data.layout import Layout, check_symbols, layout_of
from mismartera_analytics.market_data.store import BarStore

if TYPE_CHECKING:
    from mismartera_analytics.calendars.sessions import TradingCalendar

__all__ = ["AuditLimits", "BarAudit", "audit_bars"]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=clock.UTC)


def audit_bars(
    symbols: str | Iterable[str] | None = None,
    interval: str = "1m",
    exchange: str | None = None,
    start: clock.LabelLike | clock.InstantLike | None = None,
    end: clock.LabelLike | clock.InstantLike | None = None,
    *,
    frame: pd.DataFrame | None = None,
    hours: Hours = "regular",
    expect_from: Literal["first_bar", "start"] = "first_bar",
    aligned: Aligned = "session",
    limits: AuditLimits | None = None,
    as_of: int | clock.InstantLike | None = None,
    tz: str | None = None,
    store: BarStore | None = None,
) -> BarAudit:
    """Compare bars with the sessions of their exchange, and look for bars that are not to be believed.

    Each row of a symbol and session counts

    - `expected`: the bars that the session's hours hold: early closes, late opens and breaks count as
      the calendar has them; from the session of the symbol's first bar on (see `expect_from`) to
      `end`, or else to the session of its last bar; never a bar that is not over yet;
    - `present`, `missing`: of those, the ones that are there and the ones that are not;
    - `duplicate`: bars beyond the first of a symbol and start (a store cannot hold any, a frame can);
    - `off_session`: bars that start where none can: while the market is closed, in a break, or off the
      interval's grid. They are counted with the session that they are in or follow;
    - `extended`: bars in pre- and post-market while only regular hours are audited: no fault. So
      ``present + duplicate + off_session + extended`` is the number of bars;
    - `zero_volume`: present bars with a volume of 0;
    - `suspected_split`, `split_ratio`: the first price of the regular hours is by the ratio of a split
      away from the last one of the session before, when recorded splits (`record_actions`) are taken
      out; `market_data.audit_splits.suspected_splits` has the rule. A recorded split is not suspected,
      one that was recorded though the prices do not show it is;
    - `suspected_bad_print`: present bars that break a rule of bars (positive prices, open and close
      within low and high), or whose high (low) lies at least 2% and 10 median ranges beyond both the
      median close of the 5 bars before and that of the 5 after: out of line and gone again. The range
      is the true range; bars of neighbouring sessions count as neighbours;
    - `stale_run`: present bars in runs of equal prices: 10 minutes of bars, at least 5, with the same
      open, high, low and close.

    Bars that are repeated, outside of the audited hours or break a rule are left out of the last four.

    Parameters
    ----------
    symbols
        One or several; all that the store or the frame has by default.
    interval
        Length of the bars, ``"1m"`` or ``"1d"`` for instance.
    exchange
        Exchange or exchange group whose calendar tells the hours; by default each symbol's own, as
        `record_instruments` has it. Nothing is expected outside of the periods recorded there, bars
        of other times are off session, and a name that was used again is audited by period.
    start, end
        The range: labels include both ends, instants are ``[start, end)``. All bars by default; that
        a symbol's bars stopped can only be told against an `end`.
    frame
        Audit these bars instead of stored ones, before they are ingested for example: columns as
        `ingest_bars` finds them, any order, repeats and all.
    hours
        ``"regular"``, or ``"extended"`` to expect bars in pre- and post-market as well.
    expect_from
        ``"first_bar"``: sessions before a symbol's first bar are not missing, it was not listed yet.
        ``"start"``: everything from `start` on is expected.
    aligned
        ``"clock"``: bars start at multiples of the interval by the clock, and at the open, as
        ``ingest_bars(..., aligned="clock")`` brings them in: 09:30, 10:00, 11:00 … for hours.
    limits
        From where on bars are suspected, if not from the values above.
    as_of
        A version of the store or an instant: the bars as they were known then.
    tz
        IANA zone of the times in `gaps` and `findings`, UTC by default, and of naive times in `frame`.
    store
        The configured store by default.

    Returns
    -------
    BarAudit
        A frame as `frames.AUDIT` with `gaps`, `findings` and `plot()`.

    Raises
    ------
    BarsNotFoundError
        If a symbol has no bars of this interval.
    CalendarRangeError
        If bars or bounds lie outside the range that the calendar's rules cover.
    InvalidInputError
        If an argument is malformed.

    Examples
    --------
    >>> audit = ma.audit_bars(["AAPL", "GOOG"], "1d", start="2004-08-17", end="2004-08-20")
    >>> audit[["symbol", "session", "expected", "missing"]]
      symbol    session  expected  missing
    0   AAPL 2004-08-17         1        0
    1   AAPL 2004-08-18         1        0
    2   AAPL 2004-08-19         1        0
    3   AAPL 2004-08-20         1        0
    4   GOOG 2004-08-19         1        0
    5   GOOG 2004-08-20         1        0
    """
    layout = layout_of(interval)
    _check(hours, expect_from, aligned, start, tz)
    if not (store is None or isinstance(store, BarStore)):
        raise InvalidInputError(f"store is a {type(store).__name__}, not a BarStore.")
    if not (exchange is None or isinstance(exchange, str)):
        raise InvalidInputError(f"exchange={as_given(exchange)} must be text such as 'NYSE'.")
    if not (limits is None or isinstance(limits, AuditLimits)):
        raise InvalidInputError(f"limits is a {type(limits).__name__}, not AuditLimits.")
    bounds = _bounds(start, end)
    source = _source(frame, symbols, layout, store=store, as_of=as_of, tz=tz, aligned=aligned)
    moment = as_of if isinstance(as_of, str | dt.datetime) else None
    splits = recorded_splits(source.symbols, moment)
    audits: list[SymbolAudit] = []
    expectations: list[audit_tables.Expectation] = []
    grids = _Grids(layout.interval, hours, aligned)
    for span in spans_of(source.symbols, exchange):
        window = span.window(*bounds)
        if window is None:
            continue
        bars = source.bars(span.symbol, span.calendar, window)
        _require_covered(bars, span.calendar)
        known = splits.get(span.symbol, NO_SPLITS)
        expected = grids.of(span, window)
        audit = audit_symbol(bars, expected, layout.interval, limits or AuditLimits(), known)
        audits.append(audit)
        expectations.append(
            _expectation(audit, bars, from_start=expect_from == "start", to_end=end is not None)
        )
    return BarAudit(
        audit_tables.counts_of(audits, expectations),
        gaps=audit_tables.gaps_of(audits, expectations, tz=tz),
        findings=audit_tables.findings_of(audits, source.unreadable, tz=tz),
        interval=str(layout.interval),
    )


def _check(hours: str, expect_from: str, aligned: str, start: object, tz: str | None) -> None:
    if not is_one_of(hours, ("regular", "extended")):
        raise InvalidInputError(f"hours={as_given(hours)} must be 'regular' or 'extended'.")
    if not is_one_of(expect_from, ("first_bar", "start")):
        raise InvalidInputError(
            f"expect_from={as_given(expect_from)} must be 'first_bar' or 'start'."
        )
    if not is_one_of(aligned, ("session", "clock")):
        raise InvalidInputError(f"aligned={as_given(aligned)} must be 'session' or 'clock'.")
    if expect_from == "start" and start is None:
        raise InvalidInputError("expect_from='start' needs start=; say from when on.")
    if tz is not None:
        clock.zone(tz)


def _bounds(
    start: clock.LabelLike | clock.InstantLike | None,
    end: clock.LabelLike | clock.InstantLike | None,
) -> tuple[clock.Bound | None, clock.Bound | None]:
    first = None if start is None else clock.parse_bound(start, argument="start")
    last = None if end is None else clock.parse_bound(end, argument="end")
    if first is not None and last is not None:
        is_label = not isinstance(first, dt.datetime), not isinstance(last, dt.datetime)
        if is_label[0] == is_label[1] and first > last:
            raise InvalidInputError(f"end={end} lies before start={start}.")
    return first, last


def _source(
    frame: pd.DataFrame | None,
    symbols: str | Iterable[str] | None,
    layout: Layout,
    *,
    store: BarStore | None,
    as_of: int | clock.InstantLike | None,
    tz: str | None,
    aligned: Aligned,
) -> FrameBars | StoreBars:
    names = None if symbols is None else check_symbols(symbols)
    if frame is None:
        return StoreBars(BarStore() if store is None else store, names, layout, as_of)
    if not isinstance(frame, pd.DataFrame):
        raise InvalidInputError(f"frame={as_given(frame)} must be a DataFrame of bars.")
    if store is not None or as_of is not None:
        raise InvalidInputError("frame= is audited as it is; leave store and as_of out.")
    return FrameBars(frame, names, layout, tz=tz, aligned=aligned)


class _Grids:
    """The grids of an audit; symbols of one market and window share one."""

    def __init__(self, interval: clock.Interval, hours: Hours, aligned: Aligned) -> None:
        self._interval, self._hours, self._aligned = interval, hours, aligned
        self._until = _microseconds(clock.utc_now())
        self._made: dict[tuple[int, bool, Window], SessionGrid] = {}

    def of(self, span: Span, window: Window) -> SessionGrid:
        """Return what is expected of a span in a window."""
        key = id(span.calendar), span.is_listed, window
        if key not in self._made:
            low, high = (None if bound is None else _microseconds(bound) for bound in window)
            self._made[key] = (
                session_grid(
                    span.calendar,
                    self._interval,
                    self._hours,
                    self._aligned,
                    (low, high),
                    self._until,
                )
                if span.is_listed
                else empty_grid(span.calendar)
            )
        return self._made[key]


def _microseconds(moment: dt.datetime) -> int:
    return microseconds(moment - _EPOCH)


def _require_covered(bars: SymbolBars, calendar: TradingCalendar) -> None:
    """Refuse bars of years that the calendar's rules do not cover."""
    if not len(bars.time):
        return
    first, last = ((_EPOCH + dt.timedelta(microseconds=int(bars.time[k]))).date() for k in (0, -1))
    if first < calendar.covers_from or last > calendar.covers_to:
        raise CalendarRangeError(
            f"{bars.symbol} has bars from {first} to {last}, but the rules of {calendar.name} cover "
            f"{calendar.covers_from} to {calendar.covers_to}; audit those with start= and end=."
        )


def _expectation(
    audit: SymbolAudit, bars: SymbolBars, *, from_start: bool, to_end: bool
) -> audit_tables.Expectation:
    """Return the numbers of the bars that a symbol should have."""
    grid = audit.grid
    total = int(grid.base[-1])
    first = total if audit.first is None else grid.first_bar(audit.first)
    if first > 0 and (from_start or bars.has_earlier()):
        first = 0
    last = total if to_end or audit.last is None else grid.first_bar(audit.last + 1)
    return first, max(first, last)
