"""Candlesticks with volume on an axis of sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.figures.columns import require
from mismartera_analytics.figures.session_axis import SessionAxis, session_ticks
from mismartera_analytics.figures.style import Theme, ThemeName, amount, percent, theme_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["candlesticks"]

Size = tuple[float, float]
_PRICES = ("open", "high", "low", "close")
_HOLLOW = 3.2
"""Bodies from this width on are hollow when the price rose [point]."""


def candlesticks(
    bars: pd.DataFrame,
    sessions: pd.DataFrame | None = None,
    *,
    title: str | None = None,
    currency: str = "USD",
    theme: ThemeName = "light",
    size: Size = (9.0, 5.0),
) -> Figure:
    """Draw open, high, low and close of one symbol's bars, and their volume below.

    The axis knows trading time only: nights and weekends take no room, a break is a hatched sliver,
    extended hours are shaded where there are bars in them, and an early close is marked and named.

    Parameters
    ----------
    bars
        `frames.BARS`, one symbol and interval. Bars outside of `sessions` are left out.
    sessions
        `frames.SESSIONS` indexed by label, as `trading_sessions` gives them with ``tz=`` the
        exchange's zone: times are written in the zone that its instants have. Needed for bars that
        are shorter than a session; longer ones stand side by side.
    title
        The symbol and the dates by default.
    currency
        ISO code for the axis.
    theme, size
        Colours, and width and height [inch].

    Returns
    -------
    matplotlib.figure.Figure
        Not shown. A bar that closed higher is hollow and blue, one that closed lower filled and
        vermilion. Bars with a missing price are left out; without bars it says so.

    Raises
    ------
    InvalidInputError
        If a column is missing, the bars hold several symbols, or they are shorter than a session and
        `sessions` is not given.

    Examples
    --------
    >>> day = ma.bars("AAPL", "1d", "2012-11-01", "2012-11-30")
    >>> len(candlesticks(day).axes)
    2
    """
    from mismartera_analytics.figures import canvas

    require(bars, "symbol", "timestamp", "session", *_PRICES, "volume", argument="bars")
    symbols = list(bars["symbol"].unique())
    if len(symbols) > 1:
        raise InvalidInputError(f"bars holds the symbols {symbols}; pass those of one.")
    colours = theme_of(theme)
    with canvas.sheet(colours, size) as figure:
        shown = bars.dropna(subset=list(_PRICES)).sort_values("timestamp", ignore_index=True)
        axis = None if shown.empty else _axis(shown, sessions)
        left, width, shown = _places(shown, axis)
        if shown.empty:
            canvas.message(figure, "There are no bars in these sessions.", colours)
            return figure
        upper, lower = figure.subplots(
            2, 1, sharex=True, gridspec_kw={"height_ratios": [3.6, 1.0], "hspace": 0.06}
        )
        _draw(upper, lower, left, width, shown, colours, size)
        ticks = max(3, int(size[0] * 1.15))
        if axis is None:
            labels = pd.DatetimeIndex(shown["session"])
            places, names = session_ticks(labels, most=ticks)
            lower.set_xticks(places, names)
            lower.set_xlim(-0.6, len(shown) - 0.4)
        else:
            axis.label(lower, most=ticks)
            axis.shade(upper, colours)
            axis.shade(lower, colours)
            _name_phases(upper, axis, colours, size)
        _head(upper, shown, colours, size, title=title or _title(shown, axis))
        upper.set_ylabel(f"price [{currency}]")
        lower.set_ylabel("volume")
        upper.tick_params(axis="x", length=0, labelbottom=False)
        canvas.money_axis(upper)
        canvas.money_axis(lower, steps=3)
        figure.align_ylabels()
    return figure


def _axis(bars: pd.DataFrame, sessions: pd.DataFrame | None) -> SessionAxis | None:
    if bars["session"].notna().all():
        return None
    if sessions is None:
        raise InvalidInputError(
            "bars shorter than a session need sessions=, for instance "
            "trading_sessions(start, end, 'NYSE', tz='America/New_York')."
        )
    return SessionAxis(sessions, bars["timestamp"])


def _places(bars: pd.DataFrame, axis: SessionAxis | None) -> tuple[Any, Any, pd.DataFrame]:
    """Return where each bar begins, how wide it is, and the bars that have a place."""
    if axis is None:
        return np.arange(float(len(bars))) - 0.5, np.ones(len(bars)), bars
    places = axis.places(bars["timestamp"])
    inside = ~np.isnan(places)
    places, bars = places[inside], bars[inside].reset_index(drop=True)
    steps = np.diff(places)
    length = float(steps[steps > 0].min()) if (steps > 0).any() else 1.0
    return places, np.minimum(length, axis.ends(places) - places), bars


def _draw(
    upper: Axes,
    lower: Axes,
    left: Floats,
    width: Floats,
    bars: pd.DataFrame,
    theme: Theme,
    size: Size,
) -> None:
    """Draw wicks, bodies and volumes."""
    from matplotlib.collections import LineCollection, PolyCollection

    open_, high, low, close = (bars[name].to_numpy(dtype=np.float64) for name in _PRICES)
    rose = close >= open_
    point = (left[-1] + width[-1] - left[0]) / ((size[0] - 1.0) * 72)
    middle, body = left + width / 2, width * 0.72
    is_wide = bool(np.median(body) >= _HOLLOW * point)
    edges = np.where(rose, theme.gain, theme.loss)
    faces = np.where(rose & is_wide, theme.paper, edges)
    line = 1.0 if is_wide else 0.7
    top, bottom = np.maximum(open_, close), np.minimum(open_, close)
    wicks = np.concatenate(
        [
            np.stack([np.stack([middle, low], 1), np.stack([middle, bottom], 1)], 1),
            np.stack([np.stack([middle, top], 1), np.stack([middle, high], 1)], 1),
        ]
    )
    upper.add_collection(LineCollection(list(wicks), colors=[*edges, *edges], linewidths=line))
    boxes = _boxes(middle - body / 2, body, bottom, top)
    upper.add_collection(
        PolyCollection(boxes, facecolors=faces, edgecolors=edges, linewidths=line, zorder=2)
    )
    upper.set_ylim(*_room(low.min(), high.max()))
    volume = bars["volume"].fillna(0.0).to_numpy(dtype=np.float64)
    columns = _boxes(middle - body / 2, body, np.zeros(len(volume)), volume)
    lower.add_collection(
        PolyCollection(columns, facecolors=edges, edgecolors="none", alpha=0.7, zorder=2)
    )
    lower.set_ylim(0.0, max(float(volume.max()), 1.0) * 1.06)


def _boxes(left: Floats, width: Floats, bottom: Floats, top: Floats) -> Any:
    right = left + width
    corners = [(left, bottom), (left, top), (right, top), (right, bottom)]
    return np.stack([np.stack(corner, 1) for corner in corners], 1)


def _room(low: float, high: float) -> tuple[float, float]:
    margin = 0.06 * (high - low) or 0.01 * high
    return low - margin, high + 1.8 * margin


def _title(bars: pd.DataFrame, axis: SessionAxis | None) -> str:
    if axis is None:
        first, last = bars["session"].iloc[0], bars["session"].iloc[-1]
    else:
        first, last = axis.sessions[0].name, axis.sessions[-1].name
    dates = f"{first.day} {first:%B %Y}"
    if first != last:
        dates += f" to {last.day} {last:%B %Y}"
    return f"{bars['symbol'].iloc[0]}, {dates}"


def _head(axes: Axes, bars: pd.DataFrame, theme: Theme, size: Size, *, title: str) -> None:
    """Write the title, and below it as many values of the whole range as there is room for."""
    first, last = float(bars["open"].iloc[0]), float(bars["close"].iloc[-1])
    values = {
        "open": first,
        "high": float(bars["high"].max()),
        "low": float(bars["low"].min()),
        "close": last,
    }
    said = [f"{name} {amount(value)}" for name, value in values.items()]
    said.append(percent(last / first - 1, decimals=2, signed="all"))
    said.append(f"volume {amount(float(bars['volume'].sum()), decimals=0)}")
    room = int((size[0] - 0.9) * 13.5)  # [characters]
    while len(said) > 1 and len("    ".join(said)) > room:
        said.pop(-1 if len(said) > 5 else 0)
    axes.set_title(title, pad=24.0)
    note = axes.annotate(
        "    ".join(said), (0.0, 1.0), xycoords="axes fraction", xytext=(0, 9),
        textcoords="offset points", fontsize=9.0, color=theme.muted,
    )  # fmt: skip
    note.set_in_layout(False)


def _name_phases(axes: Axes, axis: SessionAxis, theme: Theme, size: Size) -> None:
    """Name the extended hours and mark early closes, where there is room for the words."""
    inch = (size[0] - 1.0) / axis.length
    high = axes.get_xaxis_transform()
    for stretch in axis.stretches:
        middle = (stretch.left + stretch.right) / 2
        if stretch.phase != "regular" and (stretch.right - stretch.left) * inch > 0.85:
            axes.text(
                middle, 0.985, stretch.phase, transform=high, ha="center", va="top",
                fontsize=8.0, color=theme.muted,
            )  # fmt: skip
    for before, after in axis.breaks():
        axes.text(
            (before.right + after.left) / 2, 0.985, "break", transform=high, rotation=90,
            ha="center", va="top", fontsize=8.0, color=theme.muted, zorder=4,
            bbox={"facecolor": theme.paper, "edgecolor": "none", "pad": 1.5},
        )  # fmt: skip
    for place, session in enumerate(axis.sessions):
        if not session["is_early_close"]:
            continue
        regular = [s for s in axis.stretches if s.place == place and s.phase == "regular"]
        close = regular[-1].right
        axes.axvline(
            close, color=theme.second, linewidth=1.4, linestyle=(0, (4, 2)), zorder=1, clip_on=False
        )
        axes.annotate(
            f"early close {regular[-1].end.tz_convert(axis.zone):%H:%M}", (close, 1.0),
            xycoords=high, xytext=(-5, -4), textcoords="offset points", ha="right", va="top",
            fontsize=8.5, fontweight="bold", color=theme.second, zorder=4,
        )  # fmt: skip
