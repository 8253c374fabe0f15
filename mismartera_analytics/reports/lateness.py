"""Whether an account's prices end before its markets do: sessions that have ended since."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pandas as pd

from mismartera_analytics import clock

__all__ = ["late_bars"]


def late_bars(
    held: Sequence[str], last_session: str | None, *, now: dt.datetime | None = None
) -> tuple[str, ...]:
    """Return a sentence for each market that has closed since an account's last session.

    A report ends with the last bar that there is. Were a night's bars to fail as a whole, nothing in
    the account's own rows would say so.

    Parameters
    ----------
    held
        Symbols held at the end.
    last_session
        Label of the account's last session, ``YYYY-MM-DD``; None where it has none.
    now
        An instant; the present by default.

    Returns
    -------
    tuple of str
        Empty where nothing is held, or no session has ended since.

    Raises
    ------
    UnknownNameError
        If a symbol's exchange group has no calendar.

    Examples
    --------
    >>> ma.init_db()
    >>> when = dt.datetime(2012, 11, 27, 12, tzinfo=dt.UTC)
    >>> late_bars(["IBM"], "2012-11-21", now=when)
    ('no bars since 2012-11-21, and 2 sessions have ended since: IBM',)
    """
    if last_session is None or not held:
        return ()
    from mismartera_analytics.market_data.instruments import calendar_of

    moment = clock.utc_now() if now is None else now
    first = dt.date.fromisoformat(last_session) + dt.timedelta(days=1)
    calendars = calendar_of(held)
    told = []
    for calendar in dict.fromkeys(calendars.values()):
        last = min(moment.date() + dt.timedelta(days=1), calendar.covers_to)
        if first > last:
            continue
        closes = calendar.closes(calendar.labels(first, last))
        ended = int(closes.searchsorted(pd.Timestamp(moment), side="right"))
        if ended:
            names = sorted(symbol for symbol, own in calendars.items() if own is calendar)
            some = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
            several = "1 session has" if ended == 1 else f"{ended:,} sessions have"
            told.append(f"no bars since {last_session}, and {several} ended since: {some}")
    return tuple(told)
