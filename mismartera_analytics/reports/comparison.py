"""The outline of a tear sheet that puts several records side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.figures.compared import MOST_LINES, apart, growth_with_drawdown
from mismartera_analytics.figures.style import percent, shortened
from mismartera_analytics.performance import tables
from mismartera_analytics.performance.summary import performance_summary
from mismartera_analytics.performance.trades import trade_statistics
from mismartera_analytics.reports import sections, views
from mismartera_analytics.reports.beliefs import ambiguity_card, lookahead_card
from mismartera_analytics.reports.benchmarks import aligned
from mismartera_analytics.reports.content import Fact, Notice, TearSheetContent
from mismartera_analytics.reports.drawings import Kind, hover_of
from mismartera_analytics.reports.outline import (
    Balance,
    Block,
    Cards,
    Drawing,
    Empty,
    Facts,
    Outline,
    Section,
    Size,
)
from mismartera_analytics.reports.single import period_of
from mismartera_analytics.reports.views import Card, Cell, Head, TableView

__all__ = ["outline_of"]

MOST_HOVERED = 900
MOST_NAME = 40


@dataclass(frozen=True)
class _Compared:
    """Records under names of their own, and their returns on the sessions that all have."""

    names: list[str]
    contents: Sequence[TearSheetContent]
    returns: pd.DataFrame
    benchmark: pd.Series[float] | None

    @property
    def summaries(self) -> list[Any]:
        return [
            performance_summary(self.returns[name], benchmark=self.benchmark) for name in self.names
        ]


def outline_of(
    contents: Sequence[TearSheetContent],
    *,
    title: str | None = None,
    benchmark: pd.Series[float] | None = None,
) -> Outline:
    """Return what a comparison shows, section by section.

    Parameters
    ----------
    contents
        Two or more records, in the order in which they are shown.
    title
        Heading; the records' names by default.
    benchmark
        Simple returns [1] labelled by session.

    Returns
    -------
    Outline
        Everything is measured on the sessions that all records have; what a record made between two
        of them counts on the later one.

    Raises
    ------
    InvalidInputError
        If there are fewer than two, or the benchmark has no session of their time.

    Examples
    --------
    >>> outline_of([TearSheetContent("a"), TearSheetContent("b")]).title
    'a and b'
    """
    if len(contents) < 2:
        raise InvalidInputError(
            f"source is a list of {len(contents)}; pass two or more records to compare, or one record "
            f"without the list."
        )
    it = _compared(contents, benchmark)
    summaries = it.summaries
    first: list[Block] = [
        Cards([_card(*pair) for pair in zip(apart(it.names, 24), summaries, strict=True)])
    ]
    found = [Section("", first)]
    if len(it.returns):
        found += [
            _growth(it),
            Section("Metrics", (_metrics(it, summaries),)),
            Section("Correlation", (_correlation(it),)),
            Section("Yearly returns", (_years(it),)),
        ]
    else:
        first.append(Empty("The records have no session in common: there is nothing to compare."))
    if any(content.credibility is not None or content.lookahead for content in contents):
        found.append(Section("How far to believe them", (_beliefs(it),)))
    found.append(_made(it, summaries))
    return Outline(
        kicker="Comparison",
        title=str(title) if title is not None else _listed(it.names),
        period=period_of(it.returns[it.names[0]]) + (", common to all" if len(it.returns) else ""),
        notices=_notices(it),
        sections=found,
    )


def _listed(names: Sequence[str]) -> str:
    shown = [shortened(name, MOST_NAME) for name in names[:4]]
    if len(names) > 4:
        shown[3:] = [f"{len(names) - 3} more"]
    return ", ".join(shown[:-1]) + " and " + shown[-1]


def _compared(
    contents: Sequence[TearSheetContent], benchmark: pd.Series[float] | None
) -> _Compared:
    names = _names(contents)
    known = [content.returns.dropna() for content in contents]
    labels = known[0].index
    for record in known[1:]:
        labels = labels.intersection(record.index)
    frame = pd.Series(0.0, index=pd.DatetimeIndex(labels, name="session"))
    columns: dict[str, Any] = {
        name: aligned(record, frame) if len(frame) else frame
        for name, record in zip(names, known, strict=True)
    }
    returns = pd.DataFrame(columns, index=frame.index, dtype="float64")
    other = aligned(benchmark, frame) if len(frame) else None
    return _Compared(names, contents, returns, other)


def _names(contents: Sequence[TearSheetContent]) -> list[str]:
    """Return the titles; those that are the same with their parameters, else with a number."""
    titles = [" ".join(content.title.split()) or "Record" for content in contents]
    told = [
        next((fact.text for fact in content.conventions if fact.name == "Parameters"), "")
        for content in contents
    ]
    names: list[str] = []
    for title, parameters in zip(titles, told, strict=True):
        has_parameters = parameters not in ("", "none")
        base = f"{title}, {parameters}" if titles.count(title) > 1 and has_parameters else title
        tried, number = base, 2
        while tried in names:
            tried, number = f"{base} ({number})", number + 1
        names.append(tried)
    return names


def _card(name: str, summary: Any) -> Card:
    if not summary.loc["sessions", "value"]:
        return Card(name, views.DASH, "", "no session in common")
    total, growth = summary.loc["total_return"], summary.loc["cagr"]
    parts = [
        f"{label} {views.text_of(float(summary.loc[metric, 'value']), summary.loc[metric, 'unit'])}"
        for label, metric in (("Sharpe", "sharpe_ratio"), ("drawdown", "max_drawdown"))
    ]
    if growth["value"] == growth["value"]:
        parts.insert(0, f"{percent(float(growth['value']))} a year")
    note = total["note"] or ", ".join(parts)
    value = float(total["value"])
    text = views.text_of(value, total["unit"])
    return Card(name, text, views.tone_of(value), note)


def _growth(it: _Compared) -> Section:
    growth = it.returns.apply(tables.growth)
    drawdowns = it.returns.apply(tables.underwater)
    other = None if it.benchmark is None else tables.growth(it.benchmark)

    def make(size: Size) -> Any:
        return growth_with_drawdown(growth, drawdowns, benchmark=other, size=size)

    step = max(1, -(-len(growth) // MOST_HOVERED))
    series: list[tuple[str, Kind, Any]] = [
        (label, "ratio", growth[name].iloc[::step])
        for label, name in zip(apart(it.names, 30), it.names[:MOST_LINES], strict=False)
    ]
    if other is not None:
        series.append((shortened(other.name, 30), "ratio", other.iloc[::step]))
    caption = "What 1 became in each from their first common session; below, their drawdowns."
    if len(it.names) > MOST_LINES:
        caption += f" The first {MOST_LINES} of {len(it.names)} are drawn."
    hover = hover_of(growth.index[::step], series)
    drawing = Drawing("growth", caption, make, (4.9, 4.6), hover)
    return Section("Growth and drawdown", (drawing,))


def _heads(it: _Compared, first: str, *, with_benchmark: bool = False) -> list[Head]:
    names = (
        [*it.names, str(it.benchmark.name)]
        if with_benchmark and it.benchmark is not None
        else it.names
    )
    return [Head(first), *(Head(name, kind="number") for name in apart(names, 22))]


def _metrics(it: _Compared, summaries: Sequence[Any]) -> TableView:
    own = None if it.benchmark is None else performance_summary(it.benchmark)
    rows = []
    for metric in summaries[0].index:
        cells = [Cell(sections.label_of(str(metric)))]
        for summary in [*summaries, *([] if own is None else [own])]:
            is_there = metric in summary.index
            value = float(summary.loc[metric, "value"]) if is_there else np.nan
            text = views.text_of(value, summaries[0].loc[metric, "unit"]) if is_there else ""
            cells.append(Cell(text, None if value != value else value))
        rows.append(cells)
    statistics: list[Any] = [trade_statistics(content.trades) for content in it.contents]
    if any(len(content.trades) for content in it.contents):
        for metric in ("trades", "hit_rate", "profit_factor", "median_holding"):
            shown = [
                Cell(views.text_of(float(table.loc[metric, "value"]), table.loc[metric, "unit"]))
                for table in statistics
            ]
            rows.append(
                [Cell(sections.label_of(metric)), *shown, *([] if own is None else [Cell("")])]
            )
    return TableView(
        _heads(it, "Metric", with_benchmark=True),
        rows,
        f"On the common sessions; {summaries[0].attrs['annualisation']}.",
        kind="compare",
        description="Metrics side by side",
    )


def _correlation(it: _Compared) -> TableView:
    frame = it.returns if it.benchmark is None else it.returns.assign(**{"\0": it.benchmark})
    names = it.names if it.benchmark is None else [*it.names, str(it.benchmark.name)]
    with np.errstate(invalid="ignore", divide="ignore"):
        values = frame.corr(min_periods=3).to_numpy()
    rows, labels = [], apart(names, 26)
    for place in range(len(names)):
        cells = [Cell(f"{place + 1}  {labels[place]}")]
        for other in range(len(names)):
            value = 1.0 if place == other else float(values[place, other])
            if value != value:
                cells.append(Cell(views.DASH, tone="muted"))
                continue
            heat = 0.0 if place == other else min(abs(value), 1.0)
            cells.append(
                Cell(
                    f"{value:.2f}".replace("-", "\N{MINUS SIGN}"), value, views.tone_of(value), heat
                )
            )
        rows.append(cells)
    heads = [Head(""), *(Head(str(place + 1), kind="number") for place in range(len(names)))]
    note = "Pearson's, of the returns of the common sessions."
    return TableView(heads, rows, note, kind="matrix", description="Correlation of the returns")


def _years(it: _Compared) -> TableView:
    records = [
        *(it.returns[name] for name in it.names),
        *([] if it.benchmark is None else [it.benchmark]),
    ]
    by_year = [tables.yearly_returns(record) for record in records]
    rows = []
    for year in by_year[0].index:
        values = [float(column.get(year, np.nan)) for column in by_year]
        rows.append(
            [Cell(str(year)), *(views.signed_cell(value, unit="fraction") for value in values)]
        )
    return TableView(
        _heads(it, "Year", with_benchmark=True),
        rows,
        "",
        kind="compare",
        description="Yearly returns",
    )


def _beliefs(it: _Compared) -> TableView:
    rows = []
    lines: tuple[tuple[str, Callable[[TearSheetContent], Cell]], ...] = (
        ("Trials", lambda content: _credible(content, "trials")),
        ("Deflated Sharpe ratio", lambda content: _credible(content, "deflated_sharpe_ratio")),
        ("Ambiguous fills", _ambiguous),
        ("Total return, by the path inside bars", _bounds),
        ("Look-ahead", _lookahead),
    )
    for label, cell in lines:
        rows.append([Cell(label), *(cell(content) for content in it.contents)])
    note = "What each means stands in the tear sheet of the record alone."
    return TableView(
        _heads(it, ""), rows, note, kind="compare", description="How far to believe each"
    )


def _credible(content: TearSheetContent, metric: str) -> Cell:
    if content.credibility is None:
        return Cell(views.DASH, tone="muted")
    row: Any = content.credibility.loc[metric]
    return Cell(views.text_of(float(row["value"]), row["unit"]))


def _ambiguous(content: TearSheetContent) -> Cell:
    if content.ambiguity is None:
        return Cell(views.DASH, tone="muted")
    return Cell(ambiguity_card(content.ambiguity).value)


def _bounds(content: TearSheetContent) -> Cell:
    found = content.ambiguity
    if found is None or not len(found.bounds) or not found.ambiguous:
        return Cell(views.DASH, tone="muted")
    ends = found.bounds["total_return"]
    return Cell(f"{percent(float(ends.min()))} to {percent(float(ends.max()))}")


def _lookahead(content: TearSheetContent) -> Cell:
    if content.lookahead is None:
        return Cell(views.DASH, tone="muted")
    card = lookahead_card(content.lookahead)
    return Cell(card.value, tone=card.tone)


def _made(it: _Compared, summaries: Sequence[Any]) -> Section:
    pairs = list(zip(it.names, it.contents, strict=True))
    balances = [
        Balance(content.identity, content.currency, shortened(name, MOST_NAME))
        for name, content in pairs
        if content.identity is not None
    ]
    names = list(
        dict.fromkeys(fact.name for content in it.contents for fact in content.conventions)
    )
    rows = []
    for name in names:
        texts = [
            next((fact.text for fact in content.conventions if fact.name == name), "")
            for content in it.contents
        ]
        tone: views.Tone = "" if len(set(texts)) > 1 else "muted"
        rows.append([Cell(name), *(Cell(text or views.DASH, tone=tone) for text in texts)])
    heads = [Head(""), *(Head(name) for name in apart(it.names, 28))]
    note = "What is the same for all is grey."
    view = TableView(
        heads, rows, note, kind="conventions", description="Conventions of each record"
    )
    fact = Facts([Fact("Annualisation", summaries[0].attrs["annualisation"])])
    return Section("How these figures were made", (*balances, view, fact))


def _notices(it: _Compared) -> list[Notice]:
    told = [
        Notice(notice.level, f"{shortened(name, MOST_NAME)}: {notice.text}")
        for name, content in zip(it.names, it.contents, strict=True)
        for notice in content.notices
    ]
    counts = [len(content.returns.dropna()) for content in it.contents]
    common = len(it.returns)
    if common and max(counts) > common:
        more = ", ".join(
            f"{shortened(name, MOST_NAME)} {count:,}"
            for name, count in zip(it.names, counts, strict=True)
        )
        text = f"Measured on the {common:,} sessions that all have. Sessions with a return: {more}."
        told.append(Notice("remark", text))
    currencies = {content.currency for content in it.contents if content.kind != "returns"}
    if len(currencies) > 1:
        text = (
            f"Returns are in different currencies ({', '.join(sorted(currencies))}), as they are."
        )
        told.append(Notice("remark", text))
    return told
