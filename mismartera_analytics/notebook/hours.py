"""Calendars and sessions as cards of a notebook."""

from __future__ import annotations

import datetime as dt
from html import escape
from typing import TYPE_CHECKING

from mismartera_analytics import clock
from mismartera_analytics.errors import CalendarRangeError
from mismartera_analytics.notebook.look import Scheme, Tile, notice, page, tiles

if TYPE_CHECKING:
    from mismartera_analytics.calendars.phases import TradingSession
    from mismartera_analytics.calendars.sessions import TradingCalendar

__all__ = ["calendar", "session"]

_NEXT = 5
_WORDS = {
    "pre_market": "pre-market",
    "regular": "regular",
    "break": "break",
    "post_market": "post-market",
    "closed": "closed",
}


def calendar(market: TradingCalendar, *, scheme: Scheme) -> str:
    """Return the card of a calendar: its market, what it covers, and the sessions that come next."""
    items = [
        Tile("Sessions", f"{len(market):,}"),
        Tile("From", f"{market.covers_from}"),
        Tile("To", f"{market.covers_to}"),
        Tile("Rules", str(market.version)),
    ]
    return page(
        f"{market.name}, {market.asset_class.lower()}",
        tiles(items),
        _coming(market),
        kicker=f"Trading calendar, {market.timezone}",
        scheme=scheme,
    )


def _coming(market: TradingCalendar) -> str:
    now = clock.utc_now()
    try:
        phase = market.phase(now)
        first = market.next_session(now)
        sessions = [market.session(market.offset(first, step)) for step in range(_NEXT)]
    except CalendarRangeError:
        return notice("The rules do not reach today.", level="warning")
    rows = "".join(
        f'<tr><td class="ma-text">{each.date:%a %Y-%m-%d}</td><td>{each.regular_open:%H:%M}</td>'
        f"<td>{each.regular_close:%H:%M}</td>"
        f'<td class="ma-text">{escape(_remark(each))}</td></tr>'
        for each in sessions
    )
    return (
        f'<p class="ma-muted">Now ({now:%Y-%m-%d %H:%M} UTC): {_WORDS[phase]}. What comes next, in '
        f"local time:</p>"
        '<table><thead><tr><th class="ma-text">session</th><th>opens</th><th>closes</th>'
        f'<th class="ma-text"></th></tr></thead><tbody>{rows}</tbody></table>'
    )


def session(day: TradingSession, *, scheme: Scheme) -> str:
    """Return the card of a session: its phases to scale, in local time and in UTC."""
    first, last = day.phases[0][1], day.phases[-1][2]
    whole = (last - first).total_seconds() or 1.0
    strip = "".join(
        f'<span class="ma-{name}" style="width:{100.0 * (end - start).total_seconds() / whole:.3f}%" '
        f'title="{_WORDS[name]}">{_WORDS[name]}</span>'
        for name, start, end in day.phases
    )
    rows = "".join(
        f'<tr><td class="ma-text">{_WORDS[name]}</td><td>{start:%H:%M}</td><td>{end:%H:%M}</td>'
        f"<td>{_utc(start)}</td><td>{_utc(end)}</td></tr>"
        for name, start, end in day.phases
    )
    remark = _remark(day)
    return page(
        f"{day.exchange}, {day.date:%A %Y-%m-%d}",
        notice(remark[:1].upper() + remark[1:]) if remark else "",
        f'<div class="ma-day">{strip}</div>',
        '<table><thead><tr><th class="ma-text">phase</th><th>from</th><th>to</th><th>from, UTC</th>'
        f"<th>to, UTC</th></tr></thead><tbody>{rows}</tbody></table>",
        kicker=f"Trading session, {day.timezone}",
        scheme=scheme,
    )


def _remark(day: TradingSession) -> str:
    told = []
    if day.is_early_close:
        told.append("closes early")
    if day.is_late_open:
        told.append("opens late")
    if day.holiday_name:
        told.append(day.holiday_name)
    return ", ".join(told)


def _utc(when: dt.datetime) -> str:
    return f"{when.astimezone(dt.UTC):%m-%d %H:%M}"
