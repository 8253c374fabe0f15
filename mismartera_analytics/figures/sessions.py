"""A year of trading sessions on one page: which days are open, short or closed, and why."""

from __future__ import annotations

import calendar as weeks
import datetime as dt
from typing import TYPE_CHECKING, Any

import pandas as pd

from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.figures.columns import require
from mismartera_analytics.figures.style import Theme, ThemeName, theme_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["year_of_sessions"]

_USUAL, _SHORT, _CLOSED, _OFF = "usual", "short", "closed", "off"
_LINE = 0.98  # [rows of days]
_WIDEST = 37  # [characters]


def year_of_sessions(
    sessions: pd.DataFrame,
    holidays: pd.DataFrame,
    *,
    title: str,
    timezone: str,
    theme: ThemeName = "light",
    size: tuple[float, float] = (11.7, 8.3),
) -> Figure:
    """Draw the days of one year, a block a month, with the names of those that differ.

    Parameters
    ----------
    sessions
        `frames.SESSIONS` of one calendar and year, indexed by label, instants in `timezone`.
    holidays
        `frames.HOLIDAYS` of the same year.
    title
        Of the page.
    timezone
        Zone of the hours, for the line below the title.
    theme, size
        Colours, and width and height [inch]: A4 on its side by default.

    Returns
    -------
    matplotlib.figure.Figure
        Not shown. Closed days are filled, days of other hours outlined, so that the page reads
        without colours too.

    Raises
    ------
    InvalidInputError
        If the frames lack columns or the sessions are of more than one year, or none.

    Examples
    --------
    >>> nyse = ma.trading_calendar("NYSE")
    >>> sessions = nyse.sessions("2025-01-01", "2025-12-31")
    >>> holidays = nyse.holidays("2025-01-01", "2025-12-31")
    >>> figure = year_of_sessions(
    ...     sessions, holidays, title="NYSE 2025", timezone="America/New_York")
    >>> len(figure.axes) > 0
    True
    """
    from mismartera_analytics.figures import canvas

    hours = ("regular_open", "regular_close", "is_early_close", "is_late_open")
    require(sessions, *hours, argument="sessions")
    require(holidays, "date", "holiday_name", "is_closed", argument="holidays")
    years = sorted({label.year for label in sessions.index})
    if len(years) != 1:
        raise InvalidInputError(f"sessions are of the years {years}; a page shows one year.")
    colours = theme_of(theme)
    kinds = _kinds(sessions, holidays)
    notes = _notes(sessions, holidays)
    with canvas.sheet(colours, size) as figure:
        figure.set_layout_engine("none")
        _head(figure, sessions, kinds, colours, title=title, timezone=timezone)
        for month in range(1, 13):
            column, row = (month - 1) % 4, (month - 1) // 4
            box = (0.035 + column * 0.241, 0.615 - row * 0.296, 0.207, 0.27)
            axes = figure.add_axes(box)
            _month(axes, years[0], month, kinds, notes.get(month, []), colours)
    return figure


def _kinds(sessions: pd.DataFrame, holidays: pd.DataFrame) -> dict[dt.date, str]:
    is_short = sessions["is_early_close"] | sessions["is_late_open"]
    kinds = {
        label.date(): _SHORT if short else _USUAL
        for label, short in zip(sessions.index, is_short, strict=True)
    }
    closed = holidays.loc[holidays["is_closed"], "date"]
    return kinds | {day.date(): _CLOSED for day in closed}


def _notes(sessions: pd.DataFrame, holidays: pd.DataFrame) -> dict[int, list[tuple[str, str]]]:
    """Return the lines under each month: days, and what they are; equal ones share a line."""
    shared: dict[tuple[int, str], list[int]] = {}
    every: Any = holidays.itertuples()
    for day in every:
        shared.setdefault((day.date.month, _meaning(day, sessions)), []).append(day.date.day)
    lines: dict[int, list[tuple[str, str]]] = {}
    for (month, meaning), days in shared.items():
        span, also = str(days[0]), ""
        if len(days) > 1 and days[-1] - days[0] == len(days) - 1:
            span = f"{days[0]}\N{EN DASH}{days[-1]}"
        elif len(days) > 1:
            also = f" (and {', '.join(str(number) for number in days[1:])})"
        lines.setdefault(month, []).append((span, meaning + also))
    return lines


def _meaning(day: Any, sessions: pd.DataFrame) -> str:
    name = day.holiday_name if isinstance(day.holiday_name, str) else ""
    if day.is_closed:
        return name or "closed"
    session = sessions.loc[day.date]
    hours = f"{session['regular_open']:%H:%M}\N{EN DASH}{session['regular_close']:%H:%M}"
    return f"{hours} {name}".strip()


def _head(
    figure: Figure,
    sessions: pd.DataFrame,
    kinds: dict[dt.date, str],
    theme: Theme,
    *,
    title: str,
    timezone: str,
) -> None:
    """Write the title, the usual hours and the legend."""
    figure.text(0.035, 0.945, title, fontsize=20, fontweight="bold", color=theme.ink)
    counts = {kind: sum(1 for one in kinds.values() if one == kind) for kind in (_SHORT, _CLOSED)}
    said = [f"{len(sessions)} sessions", _hours(sessions), timezone.replace("_", " ")]
    figure.text(0.035, 0.912, "   ".join(said), fontsize=9.5, color=theme.muted)
    legend = [
        (_USUAL, "usual hours"),
        (_SHORT, f"other hours ({counts[_SHORT]})"),
        (_CLOSED, f"closed ({counts[_CLOSED]})"),
    ]
    axes = figure.add_axes((0.035 + 2 * 0.241, 0.903, 0.448, 0.0209))
    axes.set_axis_off()
    axes.set_xlim(0, 15.15)
    axes.set_ylim(1, 0)
    for at, (kind, text) in zip((0, 4.4, 9.2), legend, strict=True):
        _cell(axes, at, 0, kind, theme)
        axes.text(at + 1.15, 0.54, text, va="center", fontsize=8.5, color=theme.ink)


def _hours(sessions: pd.DataFrame) -> str:
    """Return the most frequent hours in words, extended hours and break included."""

    def usual(start: str, end: str) -> str | None:
        pairs = sessions[[start, end]].dropna()
        if pairs.empty:
            return None
        spans = pairs[start].dt.strftime("%H:%M") + "\N{EN DASH}" + pairs[end].dt.strftime("%H:%M")
        return str(spans.mode().iloc[0])

    said = [usual("regular_open", "regular_close") or ""]
    if pause := usual("break_start", "break_end"):
        said.append(f"break {pause}")
    if extended := usual("pre_market_open", "post_market_close"):
        said.append(f"extended hours {extended}")
    return ", ".join(said)


def _month(
    axes: Axes,
    year: int,
    month: int,
    kinds: dict[dt.date, str],
    notes: list[tuple[str, str]],
    theme: Theme,
) -> None:
    """Draw one month: weeks from Monday to Sunday, and its notes below."""
    axes.set_axis_off()
    axes.set_xlim(0, 7)
    axes.set_ylim(11.2, -1.75)
    axes.text(0.08, -0.95, weeks.month_name[month], fontsize=11, fontweight="bold", color=theme.ink)
    for weekday, letter in enumerate("MTWTFSS"):
        axes.text(weekday + 0.5, -0.2, letter, ha="center", fontsize=6.5, color=theme.muted)
    last = 0
    for row, week in enumerate(weeks.Calendar().monthdatescalendar(year, month)):
        for column, day in enumerate(week):
            if day.month == month:
                kind = kinds.get(day, _OFF)
                _cell(axes, column, row, kind, theme)
                _number(axes, column, row, day.day, kind, theme)
                last = row
    room = int((11.2 - last - 1.7) / _LINE)
    if len(notes) > room:
        notes = [*notes[: room - 1], ("", f"and {len(notes) - room + 1} more")]
    for line, (span, meaning) in enumerate(notes):
        at = last + 1.72 + line * _LINE
        axes.text(0.88, at, span, ha="right", fontsize=7.4, color=theme.muted)
        is_long = len(meaning) > _WIDEST
        said = meaning[: _WIDEST - 1] + "\N{HORIZONTAL ELLIPSIS}" if is_long else meaning
        axes.text(1.06, at, said, fontsize=7.4, color=theme.ink)


def _cell(axes: Axes, column: float, row: float, kind: str, theme: Theme) -> None:
    from matplotlib.patches import FancyBboxPatch

    faces = {_USUAL: theme.grid, _SHORT: theme.paper, _CLOSED: theme.loss, _OFF: "none"}
    shape = FancyBboxPatch(
        (column + 0.12, row + 0.14),
        0.76,
        0.72,
        boxstyle="round,pad=0.04,rounding_size=0.14",
        facecolor=faces[kind],
        edgecolor=theme.gain if kind == _SHORT else "none",
        linewidth=1.6,
    )
    axes.add_patch(shape)


def _number(axes: Axes, column: float, row: float, day: int, kind: str, theme: Theme) -> None:
    inks = {_USUAL: theme.ink, _SHORT: theme.gain, _CLOSED: theme.paper, _OFF: theme.muted}
    axes.text(
        column + 0.5,
        row + 0.52,
        str(day),
        ha="center",
        va="center",
        fontsize=7.2,
        color=inks[kind],
        fontweight="bold" if kind in (_SHORT, _CLOSED) else "normal",
    )
