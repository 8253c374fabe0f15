"""The drawings of a tear sheet: which ones its content has something for."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from mismartera_analytics.figures.style import shortened
from mismartera_analytics.performance import tables
from mismartera_analytics.reports.content import TearSheetContent
from mismartera_analytics.reports.outline import Drawing, Section, Size

__all__ = ["hover_of", "narrow_drawings", "value_drawing"]

MOST_HOVERED = 1500
WINDOW = 126
Kind = Literal["amount", "percent", "ratio"]
_DECIMALS = {"amount": 2, "percent": 4, "ratio": 2}
Series = Any
"""A Series whose values the checker need not know."""


def value_drawing(content: TearSheetContent) -> Section | None:
    """Return the value over time, and the benchmark's; None for a record that was never valued.

    Parameters
    ----------
    content
        What the tear sheet is about.

    Examples
    --------
    >>> value_drawing(TearSheetContent("Nothing yet"))
    """
    from mismartera_analytics.figures.accounts import equity_with_drawdown

    if not len(content.equity):
        return None
    benchmark = _benchmark_value(content)

    def make(size: Size) -> Any:
        return equity_with_drawdown(
            content.equity, benchmark=benchmark, currency=content.currency, size=size
        )

    last = _last_of_sessions(content.equity)
    series: list[tuple[str, Kind, Series]] = [
        ("value", "amount", last["equity"]),
        ("drawdown", "percent", last["drawdown"]),
    ]
    if benchmark is not None:
        other = benchmark.reindex(last["session"])
        series.insert(1, (shortened(benchmark.name, 30), "amount", other))
    caption = (
        "Cash and positions at each session's close; below, the distance to the highest value so far."
        if content.kind != "returns"
        else "What 100 at the start became; below, the distance to the highest value so far."
    )
    if benchmark is not None and content.flows is not None and content.flows.any():
        caption += " The benchmark gets the same deposits and withdrawals on the same sessions."
    hover = hover_of(last["session"], series)
    drawing = Drawing("equity", caption, make, (4.9, 4.2), hover)
    title = "Value and drawdown" if content.kind != "returns" else "Growth and drawdown"
    return Section(title, (drawing,))


def narrow_drawings(content: TearSheetContent, summary: Any) -> list[Section]:
    """Return the drawings of half a page that the content has something for.

    Parameters
    ----------
    content
        What the tear sheet is about.
    summary
        Its `performance_summary`.

    Returns
    -------
    list of Section
        Empty for an empty record.

    Examples
    --------
    >>> from mismartera_analytics.performance.summary import performance_summary
    >>> empty = TearSheetContent("Nothing yet")
    >>> narrow_drawings(empty, performance_summary(empty.returns))
    []
    """
    return [*_of_returns(content.returns.dropna(), summary), *_of_positions(content)]


def _section(title: str, drawing: Drawing) -> Section:
    return Section(title, (drawing,), is_narrow=True)


def _of_returns(record: Series, summary: Any) -> list[Section]:
    from mismartera_analytics.figures import returns

    drawn = []
    periods = summary.attrs["periods_per_year"]
    if len(record) >= WINDOW and periods is not None:
        rolling = tables.rolling_sharpe(record, window=WINDOW, periods_per_year=periods)
        if rolling.notna().any():
            make = functools.partial(_sized, returns.rolling_sharpe, rolling, window=WINDOW)
            caption = f"Of the last {WINDOW} sessions at each session, annualised as in the table."
            shown = rolling.iloc[:: _step(len(rolling))]
            hover = hover_of(shown.index, [("Sharpe ratio", "ratio", shown)])
            drawing = Drawing("rolling", caption, make, hover=hover)
            drawn.append(_section("Rolling Sharpe ratio", drawing))
    if (record != 0.0).sum() >= 2:
        risk = float(summary.loc["value_at_risk", "value"])
        make = functools.partial(_sized, returns.return_distribution, record, value_at_risk=risk)
        caption = "Returns beyond the outermost bars are counted in them."
        drawn.append(
            _section("Returns of a session", Drawing("returns", caption, make, hover="bars"))
        )
    return drawn


def _of_positions(content: TearSheetContent) -> list[Section]:
    from mismartera_analytics.figures import accounts

    drawn = []
    if len(content.equity) and float(content.equity["positions"].abs().max()) > 0:
        last = _last_of_sessions(content.equity)
        share = last["positions"] / last["equity"].where(last["equity"] > 0)
        drawing = Drawing(
            "exposure",
            "Market value of the positions over the account's; shorts count against longs.",
            functools.partial(_sized, accounts.exposure, content.equity),
            hover=hover_of(last["session"], [("invested", "percent", share)]),
        )
        drawn.append(_section("Exposure", drawing))
    pnl = content.pnl_by_symbol.dropna()
    if len(pnl):
        make = functools.partial(
            _sized, accounts.pnl_by_symbol, pnl, currency=content.currency, top=10
        )
        drawing = Drawing("symbols", "Closed and open, after fees.", make)
        drawn.append(_section("Profit and loss by symbol", drawing))
    return drawn


def _sized(figure: Any, subject: Any, size: Size, **options: Any) -> Any:
    return figure(subject, size=size, **options)


def _step(count: int) -> int:
    return max(1, -(-count // MOST_HOVERED))


def _last_of_sessions(equity: pd.DataFrame) -> pd.DataFrame:
    """Return the last valuation of each session, of so many sessions as a pointer can tell apart."""
    last = equity.drop_duplicates("session", keep="last")
    return last.iloc[:: _step(len(last))]


def hover_of(sessions: Any, series: Sequence[tuple[str, Kind, Series]]) -> str:
    """Return JSON of the values that a pointer over a figure of sessions shows.

    Parameters
    ----------
    sessions
        Labels, shape (n,).
    series
        Name, kind and values, shape (n,), of each line.

    Examples
    --------
    >>> hover_of(pd.DatetimeIndex(["1970-01-02"]), [("value", "amount", pd.Series([1.0]))])
    '{"x":[1],"labels":null,"series":[{"name":"value","kind":"amount","values":[1.0]}]}'
    """
    days = pd.DatetimeIndex(sessions).to_numpy().astype("datetime64[D]").astype(np.int64).tolist()
    lines = [
        {"name": name, "kind": kind, "values": _rounded(values, _DECIMALS[kind])}
        for name, kind, values in series
    ]
    return json.dumps({"x": days, "labels": None, "series": lines}, separators=(",", ":"))


def _rounded(values: Series, decimals: int) -> list[float | None]:
    known = np.round(values.to_numpy(np.float64), decimals).tolist()
    return [None if value != value else value for value in known]


def _benchmark_value(content: TearSheetContent) -> pd.Series[float] | None:
    """Return what the same money would have become in the benchmark.

    As in the account's returns, what came in earns its session's return, and what left had earned it.
    """
    if content.benchmark is None or not content.benchmark.notna().any():
        return None
    growth = tables.growth(content.benchmark)
    before = growth.shift(fill_value=1.0)
    flows = pd.Series(0.0, growth.index)
    if content.flows is not None:
        flows = content.flows.reindex(growth.index).fillna(0.0)
    units = flows.clip(lower=0.0) / before + flows.clip(upper=0.0) / growth
    held = _begin(content) + units.where(growth > 0.0, 0.0).cumsum()
    value: pd.Series[float] = (growth * held).rename(str(content.benchmark.name))
    return value


def _begin(content: TearSheetContent) -> float:
    """Return the value before the first session."""
    if content.identity is not None and np.isfinite(content.identity.begin):
        return content.identity.begin
    first, made = float(content.equity["equity"].iloc[0]), content.returns.iloc[:1].sum()
    return first / (1.0 + float(made)) if made > -1.0 else first
