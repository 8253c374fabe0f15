"""Figures of prices, with what was traded on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.figures.columns import require
from mismartera_analytics.figures.style import Theme, ThemeName, theme_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["order_marks"]

Size = tuple[float, float]


def order_marks(
    bars: pd.DataFrame,
    fills: pd.DataFrame,
    *,
    currency: str = "USD",
    theme: ThemeName = "light",
    size: Size = (9.0, 4.2),
) -> Figure:
    """Draw the price of one symbol and mark each fill at its time and price.

    Parameters
    ----------
    bars
        Columns of `frames.BARS`, one symbol. Prices must be on the fills' footing: unadjusted, or with
        the fills adjusted likewise.
    fills
        Columns of `frames.FILLS`; those of other symbols, and outside of the bars, are left out.
    currency
        ISO code for the axis.
    theme, size
        Colours, and width and height [inch].

    Returns
    -------
    matplotlib.figure.Figure
        Not shown. Buys point up, sells down; the area of a mark grows with the fill's amount. Without
        bars it says so.

    Raises
    ------
    InvalidInputError
        If a column is missing or the bars hold several symbols.

    Examples
    --------
    >>> from mismartera_analytics import frames
    >>> len(order_marks(frames.BARS.empty(), frames.FILLS.empty()).axes)
    1
    """
    from mismartera_analytics.figures import canvas

    require(bars, "symbol", "timestamp", "session", "close", argument="bars")
    require(fills, "symbol", "side", "quantity", "price", "filled_at", argument="fills")
    symbols = list(bars["symbol"].unique())
    if len(symbols) > 1:
        raise InvalidInputError(f"bars holds the symbols {symbols}; pass those of one.")
    colours = theme_of(theme)
    with canvas.sheet(colours, size) as figure:
        if not len(bars):
            canvas.message(figure, "There are no bars.", colours)
            return figure
        axes = figure.subplots()
        times = _local(bars["timestamp"], bars["session"])
        times, closes = canvas.thinned(times, bars["close"].to_numpy(), width=size[0])
        axes.plot(times, closes, color=colours.muted, linewidth=1.1, label=f"{symbols[0]} close")
        _marks(axes, _within(fills[fills["symbol"] == symbols[0]], bars["timestamp"]), colours)
        axes.set_ylabel(f"price [{currency}]")
        canvas.legend(figure)
        canvas.money_axis(axes)
        canvas.date_axis(axes)
    return figure


def _local(instants: pd.Series[Any], sessions: pd.Series[Any]) -> Any:
    if sessions.notna().all() and sessions.is_unique:
        return sessions.to_numpy()
    return instants.dt.tz_localize(None).to_numpy()


def _within(fills: pd.DataFrame, starts: pd.Series[Any]) -> pd.DataFrame:
    """Return the fills between the first bar's start and the last bar's end, in the bars' zone."""
    length = starts.diff().median() if len(starts) > 1 else pd.Timedelta(days=1)
    inside = fills["filled_at"].between(starts.iloc[0], starts.iloc[-1] + length)
    zone = starts.dtype.tz if isinstance(starts.dtype, pd.DatetimeTZDtype) else "UTC"
    return fills[inside].assign(filled_at=fills["filled_at"].dt.tz_convert(zone))


def _marks(axes: Axes, fills: pd.DataFrame, colours: Theme) -> None:
    amounts = (fills["quantity"] * fills["price"]).to_numpy()
    largest = amounts.max(initial=0.0) or 1.0
    for side, marker, colour, word in (
        ("BUY", "^", colours.gain, "bought"),
        ("SELL", "v", colours.loss, "sold"),
    ):
        mine = (fills["side"] == side).to_numpy()
        if not mine.any():
            continue
        axes.scatter(
            fills.loc[mine, "filled_at"].dt.tz_localize(None).to_numpy(),
            fills.loc[mine, "price"].to_numpy(),
            s=26.0 + 70.0 * amounts[mine] / largest,
            marker=marker, color=colour, edgecolors=colours.paper, linewidths=0.7, zorder=3,
            label=f"{word} ({int(mine.sum())})",
        )  # fmt: skip
