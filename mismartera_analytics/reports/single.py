"""The outline of a tear sheet about one record."""

from __future__ import annotations

from typing import Any

import pandas as pd

from mismartera_analytics.reports import beliefs, drawings, sections
from mismartera_analytics.reports.content import Fact, TearSheetContent
from mismartera_analytics.reports.outline import (
    Balance,
    Block,
    Cards,
    Empty,
    Facts,
    Outline,
    Section,
)

__all__ = ["outline_of", "period_of"]

NOTHING = (
    "There is nothing to measure yet: no session has a return. Figures appear with the first valued "
    "session."
)


def outline_of(content: TearSheetContent) -> Outline:
    """Return what a tear sheet shows of a record, section by section.

    Parameters
    ----------
    content
        The record. What it has nothing for is left out, or said to be missing.

    Returns
    -------
    Outline

    Examples
    --------
    >>> outline_of(TearSheetContent("Nothing yet")).period
    'No session has a return'
    """
    summary, benchmark, trades = sections.summaries(content)
    record = content.returns.dropna()
    headline: list[Block] = [Cards(sections.cards(content, summary, trades))]
    if not len(record):
        headline.append(Empty(NOTHING))
    found = [Section("", headline), drawings.value_drawing(content), beliefs.section_of(content)]
    if len(record):
        found.append(Section("Monthly returns", (sections.month_view(content.returns),)))
    found += drawings.narrow_drawings(content, summary)
    if len(record):
        found += _measured(content, summary, benchmark)
    if content.kind != "returns":
        found.append(_trades(content, trades))
    found.append(_made(content, summary))
    return Outline(
        kicker=content.subtitle or "Report",
        title=content.title,
        period=period_of(record),
        notices=content.notices,
        sections=[section for section in found if section is not None],
    )


def period_of(record: pd.Series[float]) -> str:
    """Return from when to when a record goes, in words.

    Parameters
    ----------
    record
        Returns labelled by session, without NaN.

    Examples
    --------
    >>> period_of(pd.Series([0.1], index=pd.DatetimeIndex(["2025-07-01"])))
    '2025-07-01, 1 session'
    """
    if not len(record):
        return "No session has a return"
    first, last = f"{record.index[0]:%Y-%m-%d}", f"{record.index[-1]:%Y-%m-%d}"
    if len(record) == 1:
        return f"{first}, 1 session"
    return f"{first} to {last}, {len(record):,} sessions"


def _measured(content: TearSheetContent, summary: Any, benchmark: Any) -> list[Section]:
    spells = sections.drawdown_view(content.returns)
    named = "" if content.benchmark is None else str(content.benchmark.name)
    return [
        Section(
            "Drawdowns",
            (spells if spells.rows else Empty("The value never fell below a former high."),),
        ),
        Section("Metrics", (sections.metric_view(summary, benchmark, benchmark_name=named),)),
    ]


def _trades(content: TearSheetContent, statistics: Any) -> Section:
    if len(content.trades):
        view = sections.metric_view(statistics, None, description="Statistics of the closed trades")
        return Section("Trades", (view, sections.trade_view(content)))
    nothing = "No order was recorded." if not len(content.orders) else "No round trip was closed."
    return Section("Trades", (Empty(nothing),))


def _made(content: TearSheetContent, summary: Any) -> Section:
    facts = (
        *content.conventions,
        Fact("Annualisation", summary.attrs["annualisation"]),
        Fact("Colours", "blue gains, orange loses; every sign is printed"),
    )
    balance = [] if content.identity is None else [Balance(content.identity, content.currency)]
    return Section("How these figures were made", (*balance, Facts(facts)))
