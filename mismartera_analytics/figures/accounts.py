"""Figures of an account or a backtest over time: value, drawdown, exposure, profit by symbol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.figures.columns import require
from mismartera_analytics.figures.style import (
    Theme,
    ThemeName,
    amount,
    percent,
    shortened,
    theme_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["equity_with_drawdown", "exposure", "pnl_by_symbol", "underwater"]

Floats = npt.NDArray[np.floating[Any]]
Size = tuple[float, float]
_EQUITY = ("timestamp", "session", "positions", "equity", "drawdown")


def _times(equity: pd.DataFrame) -> Any:
    """Return session labels where there is one valuation a session, else the frame's local times."""
    if equity["session"].is_unique:
        return equity["session"].to_numpy()
    return equity["timestamp"].dt.tz_localize(None).to_numpy()


def equity_with_drawdown(
    equity: pd.DataFrame,
    *,
    benchmark: pd.Series[float] | None = None,
    currency: str = "USD",
    scale: Literal["linear", "log"] = "linear",
    theme: ThemeName = "light",
    size: Size = (9.0, 4.8),
) -> Figure:
    """Draw the account's value above its drawdown, on one time axis.

    Parameters
    ----------
    equity
        Columns of `frames.EQUITY`.
    benchmark
        Value of the same money in the benchmark [currency], labelled by session; drawn dashed.
    currency
        ISO code for the axis.
    scale
        Of the value axis; ``"log"`` needs values above zero.
    theme, size
        Colours, and width and height [inch].

    Returns
    -------
    matplotlib.figure.Figure
        Not shown and known to no pyplot. Without rows it says so.

    Raises
    ------
    InvalidInputError
        If a column is missing, or a logarithm is asked of values at or below zero.

    Examples
    --------
    >>> from mismartera_analytics import frames
    >>> figure = equity_with_drawdown(frames.EQUITY.empty())
    >>> len(figure.axes)
    1
    """
    from mismartera_analytics.figures import canvas

    require(equity, *_EQUITY, argument="equity")
    colours = theme_of(theme)
    with canvas.sheet(colours, size) as figure:
        if not len(equity):
            canvas.message(figure, "The account has no valued session.", colours)
            return figure
        if scale == "log" and not (equity["equity"] > 0).all():
            raise InvalidInputError("scale='log' needs an equity above zero throughout.")
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        times, values = canvas.thinned(_times(equity), equity["equity"].to_numpy(), width=size[0])
        top.plot(times, values, color=colours.line, label="account", zorder=2.1)
        if benchmark is not None and len(benchmark):
            name = "benchmark" if benchmark.name is None else shortened(benchmark.name, 30)
            lines = canvas.thinned(benchmark.index.to_numpy(), benchmark.to_numpy(), width=size[0])
            top.plot(*lines, color=colours.second, linestyle=(0, (4, 2)), linewidth=1.2, label=name)
            canvas.legend(figure)
        top.set_yscale(scale)
        top.set_ylabel(f"value [{currency}]")
        canvas.money_axis(top) if scale == "linear" else _log_money(top)
        _fill_drawdown(
            bottom, _times(equity), equity["drawdown"].to_numpy(), colours, width=size[0]
        )
        bottom.set_ylabel("drawdown")
        canvas.percent_axis(bottom, steps=3)
        canvas.date_axis(bottom)
        figure.align_ylabels()
    return figure


def _log_money(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: amount(value, decimals=0)))
    axes.yaxis.set_minor_locator(NullLocator())


def _fill_drawdown(
    axes: Axes, times: Any, drawdown: Floats, colours: Theme, *, width: float
) -> None:
    from mismartera_analytics.figures import canvas

    times, drawdown = canvas.thinned(times, drawdown, width=width)
    axes.fill_between(times, drawdown, 0.0, color=colours.loss, alpha=0.25, linewidth=0)
    axes.plot(times, drawdown, color=colours.loss, linewidth=0.9)
    axes.set_ylim(top=0.0)
    if not len(drawdown) or float(np.nanmin(drawdown, initial=0.0)) == 0.0:
        axes.set_ylim(bottom=-0.01)


def underwater(
    drawdown: pd.Series[float],
    *,
    spells: pd.DataFrame | None = None,
    theme: ThemeName = "light",
    size: Size = (9.0, 3.2),
) -> Figure:
    """Draw how far below its high a record was, and mark the deepest spells.

    Parameters
    ----------
    drawdown
        Drawdowns [1], at most 0, labelled by session.
    spells
        Columns of `frames.DRAWDOWNS`; the five deepest are shaded, and their depth is written.
    theme, size
        Colours, and width and height [inch].

    Returns
    -------
    matplotlib.figure.Figure
        Not shown. Without rows it says so.

    Raises
    ------
    InvalidInputError
        If a column of the spells is missing.

    Examples
    --------
    >>> days = pd.DatetimeIndex(["2025-07-01", "2025-07-02"])
    >>> len(underwater(pd.Series([0.0, -0.1], index=days)).axes)
    1
    """
    from mismartera_analytics.figures import canvas

    if spells is not None:
        require(spells, "depth", "peak", "trough", "recovery", argument="spells")
    colours = theme_of(theme)
    with canvas.sheet(colours, size) as figure:
        if not len(drawdown):
            canvas.message(figure, "No session has a return.", colours)
            return figure
        axes = figure.subplots()
        _fill_drawdown(axes, drawdown.index.to_numpy(), drawdown.to_numpy(), colours, width=size[0])
        axes.set_ylabel("below the high")
        canvas.percent_axis(axes)
        canvas.date_axis(axes)
        if spells is not None:
            axes.margins(y=0.15)
            _mark_spells(axes, drawdown, spells.nsmallest(5, "depth"), colours)
    return figure


def _mark_spells(
    axes: Axes, drawdown: pd.Series[float], spells: pd.DataFrame, colours: Theme
) -> None:
    first, last = drawdown.index[0], drawdown.index[-1]
    lowest = float(drawdown.min())
    axes.set_ylim(bottom=lowest * 1.18)
    shown: list[pd.Timestamp] = []
    apart = (last - first) * 0.07
    for spell in spells.to_dict("records"):
        start = first if pd.isna(spell["peak"]) else spell["peak"]
        end = last if pd.isna(spell["recovery"]) else spell["recovery"]
        axes.axvspan(start, end, color=colours.muted, alpha=0.10, linewidth=0)
        if any(abs(spell["trough"] - other) < apart for other in shown):
            continue
        shown.append(spell["trough"])
        axes.annotate(
            percent(spell["depth"]), (spell["trough"], spell["depth"]), xytext=(0, -4),
            textcoords="offset points", ha="center", va="top", fontsize=8.5, color=colours.ink,
        )  # fmt: skip


def exposure(
    equity: pd.DataFrame, *, theme: ThemeName = "light", size: Size = (9.0, 2.6)
) -> Figure:
    """Draw the market value of the positions as a share of the account's value.

    Parameters
    ----------
    equity
        Columns of `frames.EQUITY`.
    theme, size
        Colours, and width and height [inch].

    Returns
    -------
    matplotlib.figure.Figure
        Not shown. Net exposure: shorts count against longs. Without rows it says so; where the value
        is zero or less there is a gap.

    Raises
    ------
    InvalidInputError
        If a column is missing.

    Examples
    --------
    >>> from mismartera_analytics import frames
    >>> len(exposure(frames.EQUITY.empty()).axes)
    1
    """
    from mismartera_analytics.figures import canvas

    require(equity, *_EQUITY, argument="equity")
    colours = theme_of(theme)
    with canvas.sheet(colours, size) as figure:
        if not len(equity):
            canvas.message(figure, "The account has no valued session.", colours)
            return figure
        value = equity["equity"].where(equity["equity"] > 0)
        times, share = canvas.thinned(
            _times(equity), (equity["positions"] / value).to_numpy(), width=size[0]
        )
        axes = figure.subplots()
        axes.fill_between(
            times, share, 0.0, color=colours.line, alpha=0.22, linewidth=0, step="post"
        )
        axes.plot(times, share, color=colours.line, linewidth=0.9, drawstyle="steps-post")
        axes.axhline(0.0, color=colours.muted, linewidth=0.8)
        axes.set_ylabel("invested, of value")
        axes.set_ylim(bottom=min(0.0, float(np.nanmin(share, initial=0.0)) * 1.05))
        canvas.percent_axis(axes, steps=5)
        canvas.date_axis(axes)
    return figure


def pnl_by_symbol(
    pnl: pd.Series[float],
    *,
    currency: str = "USD",
    top: int = 20,
    theme: ThemeName = "light",
    size: Size | None = None,
) -> Figure:
    """Draw one bar of profit or loss for each symbol, largest gain on top.

    Parameters
    ----------
    pnl
        Profit or loss [currency] by symbol.
    currency
        ISO code for the axis.
    top
        Symbols shown, by size of their amount; the rest is one bar "others".
    theme, size
        Colours, and width and height [inch]; the height follows the number of bars by default.

    Returns
    -------
    matplotlib.figure.Figure
        Not shown. Without symbols it says so.

    Raises
    ------
    InvalidInputError
        If an amount is missing.

    Examples
    --------
    >>> len(pnl_by_symbol(pd.Series({"AAPL": 120.0, "IBM": -30.0})).axes)
    1
    """
    from mismartera_analytics.figures import canvas

    if pnl.isna().any():
        raise InvalidInputError(f"pnl has no amount for {list(pnl.index[pnl.isna()])}.")
    shown = pnl.sort_values(key=abs, ascending=False)
    if len(shown) > top:
        rest = pd.Series({f"{len(shown) - top + 1} others": float(shown.iloc[top - 1 :].sum())})
        shown = pd.concat([shown.iloc[: top - 1], rest])
    shown = shown.sort_values()
    colours = theme_of(theme)
    width, height = size or (9.0, 0.9 + 0.32 * max(len(shown), 3))
    with canvas.sheet(colours, (width, height)) as figure:
        if not len(shown):
            canvas.message(figure, "No symbol was traded.", colours)
            return figure
        _symbol_bars(
            figure.subplots(), shown, colours, currency=currency, width=size[0] if size else 9.0
        )
    return figure


def _symbol_bars(
    axes: Axes, pnl: pd.Series[float], colours: Theme, *, currency: str, width: float
) -> None:
    paint = np.where(pnl.to_numpy() < 0, colours.loss, colours.gain).tolist()
    names = [shortened(name, 14) for name in pnl.index]
    bars = axes.barh(np.arange(len(names)), pnl.to_numpy(), color=paint, height=0.62)
    axes.set_yticks(np.arange(len(names)), names)
    spare = max(3 - len(names), 0) / 2  # one bar or two are no thicker than three
    axes.set_ylim(-0.5 - spare, len(names) - 0.5 + spare)
    decimals = 2 if float(pnl.abs().max()) < 100 else 0
    labels = [amount(float(value), decimals=decimals, signed="all") for value in pnl]
    axes.bar_label(bars, labels, padding=4, fontsize=9, color=colours.ink)
    axes.axvline(0.0, color=colours.muted, linewidth=0.8)
    axes.grid(visible=False)
    axes.tick_params(axis="y", labelsize=9.5, labelcolor=colours.ink)
    axes.tick_params(axis="x", length=0, labelbottom=False)
    axes.set_xlabel(f"profit and loss [{currency}]")
    axes.spines["bottom"].set_visible(False)
    axes.margins(x=0.75 / max(width - 1.6, 1.5))
