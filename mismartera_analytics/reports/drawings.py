"""The figures of a tear sheet, as SVG: which ones its content has something for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from mismartera_analytics.figures.style import shortened
from mismartera_analytics.performance import tables
from mismartera_analytics.reports.content import TearSheetContent

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

__all__ = ["Drawn", "figures"]

WIDE, NARROW = 9.8, 4.7
"""Widths at which figures are drawn [inch]: across a screen; for half of it, or a phone."""
MOST_HOVERED = 1500
WINDOW = 126


@dataclass(frozen=True)
class Drawn:
    """A figure as SVG text: for half a page or a phone, and, unless empty, across the page.

    `hover` is JSON of what a pointer shows; the frames say where the axes lie in the picture:
    ``left,right`` as shares of its width and ``first,last`` in days since 1970.
    """

    title: str
    caption: str
    wide: str
    narrow: str
    wide_frame: str = ""
    narrow_frame: str = ""
    hover: str = ""


def figures(content: TearSheetContent, summary: Any) -> list[Drawn]:
    """Return the figures that the content has something for.

    Parameters
    ----------
    content
        What the tear sheet is about.
    summary
        Its `performance_summary`.

    Returns
    -------
    list of Drawn
        The value over time first, which is also drawn across the page. Empty for an empty record.

    Examples
    --------
    >>> from mismartera_analytics.performance.summary import performance_summary
    >>> empty = TearSheetContent("Nothing yet")
    >>> figures(empty, performance_summary(empty.returns))
    []
    """
    drawn = []
    if len(content.equity):
        drawn.append(_value(content))
    drawn += _of_returns(content.returns.dropna(), summary)
    return drawn + _of_positions(content)


def _value(content: TearSheetContent) -> Drawn:
    from mismartera_analytics.figures.accounts import equity_with_drawdown

    benchmark = _benchmark_value(content)
    return _draw(
        "equity",
        "Value and drawdown",
        "Cash and positions at each session's close; below, the distance to the highest value so far.",
        lambda size: equity_with_drawdown(
            content.equity, benchmark=benchmark, currency=content.currency, size=size
        ),
        heights=(4.9, 4.2),
        hover=_hover(content, benchmark),
    )


def _of_returns(record: pd.Series[float], summary: Any) -> list[Drawn]:
    from mismartera_analytics.figures import returns

    drawn = []
    periods = summary.attrs["periods_per_year"]
    if len(record) >= WINDOW and periods is not None:
        rolling = tables.rolling_sharpe(record, window=WINDOW, periods_per_year=periods)
        drawn.append(
            _draw(
                "rolling",
                "Rolling Sharpe ratio",
                f"Of the last {WINDOW} sessions at each session, annualised as in the table.",
                lambda size: returns.rolling_sharpe(rolling, window=WINDOW, size=size),
            )
        )
    if (record != 0.0).sum() >= 2:
        risk = float(summary.loc["value_at_risk", "value"])
        drawn.append(
            _draw(
                "returns",
                "Returns of a session",
                "Returns beyond the outermost bars are counted in them.",
                lambda size: returns.return_distribution(record, value_at_risk=risk, size=size),
            )
        )
    return drawn


def _of_positions(content: TearSheetContent) -> list[Drawn]:
    from mismartera_analytics.figures import accounts

    drawn = []
    if len(content.equity) and float(content.equity["positions"].abs().max()) > 0:
        drawn.append(
            _draw(
                "exposure",
                "Exposure",
                "Market value of the positions over the account's; shorts count against longs.",
                lambda size: accounts.exposure(content.equity, size=size),
            )
        )
    if len(content.pnl_by_symbol.dropna()):
        pnl = content.pnl_by_symbol.dropna()
        drawn.append(
            _draw(
                "symbols",
                "Profit and loss by symbol",
                "Closed and open, after fees.",
                lambda size: accounts.pnl_by_symbol(
                    pnl, currency=content.currency, top=10, size=size
                ),
            )
        )
    return drawn


def _draw(
    name: str,
    title: str,
    caption: str,
    make: Callable[[tuple[float, float]], Figure],
    *,
    heights: tuple[float, ...] = (2.9,),
    hover: str = "",
) -> Drawn:
    """Draw for half a page, and across the page too where two heights are given."""
    from mismartera_analytics.figures.svg import inline_svg

    sizes = [(NARROW, heights[-1])]
    if len(heights) > 1:
        sizes.insert(0, (WIDE, heights[0]))
    texts, frames = [], []
    for place, size in enumerate(sizes):
        figure = make(size)
        texts.append(inline_svg(figure, name=f"{name}{place}", description=title))
        box, limits = figure.axes[0].get_position(), figure.axes[0].get_xlim()
        frames.append(f"{box.x0:.5f},{box.x1:.5f},{limits[0]:.3f},{limits[1]:.3f}")
    if len(texts) == 1:
        return Drawn(title, caption, "", texts[0], "", frames[0], hover)
    return Drawn(title, caption, texts[0], texts[1], frames[0], frames[1], hover)


def _hover(content: TearSheetContent, benchmark: pd.Series[float] | None) -> str:
    """Return JSON of the values that a pointer over the first figure shows, one a session or less."""
    last = content.equity.drop_duplicates("session", keep="last")
    last = last.iloc[:: max(1, len(last) // MOST_HOVERED)]
    series = [["value", "amount", last["equity"]], ["drawdown", "percent", last["drawdown"]]]
    if benchmark is not None:
        other = benchmark.reindex(last["session"])
        series.insert(1, [shortened(benchmark.name, 30), "amount", other])
    days = (last["session"] - pd.Timestamp(0)).dt.days.tolist()
    return json.dumps(
        {
            "days": days,
            "series": [
                {
                    "name": name,
                    "kind": kind,
                    "values": [
                        None if v != v else round(v, 4 if kind == "percent" else 2) for v in values
                    ],
                }
                for name, kind, values in series
            ],
        },
        separators=(",", ":"),
    )


def _benchmark_value(content: TearSheetContent) -> pd.Series[float] | None:
    """Return what the account's first money would have become in the benchmark."""
    if content.benchmark is None or not len(content.benchmark):
        return None
    start = content.identity.begin if content.identity else float(content.equity["equity"].iloc[0])
    return start * tables.growth(content.benchmark)
