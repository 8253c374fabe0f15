"""The sections of a tear sheet: cards and tables made from its content."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mismartera_analytics.figures.style import amount, percent
from mismartera_analytics.performance import tables
from mismartera_analytics.performance.summary import performance_summary
from mismartera_analytics.performance.trades import trade_statistics
from mismartera_analytics.reports import views
from mismartera_analytics.reports.content import TearSheetContent
from mismartera_analytics.reports.views import Card, Cell, Head, TableView

__all__ = [
    "cards",
    "drawdown_view",
    "metric_view",
    "month_view",
    "stress_view",
    "summaries",
    "trade_view",
]

MOST_TRADES = 200
MOST_DRAWDOWNS = 10
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_LABELS = {
    "cagr": "CAGR",
    "cvar": "CVaR",
    "value_at_risk": "Value at risk",
    "probabilistic_sharpe_ratio": "Probabilistic Sharpe ratio",
    "expected_maximum_sharpe": "Best Sharpe ratio by luck",
    "deflated_sharpe_ratio": "Deflated Sharpe ratio",
}


def label_of(metric: str) -> str:
    """Return a metric's name for people.

    Examples
    --------
    >>> label_of("max_drawdown"), label_of("cagr")
    ('Max drawdown', 'CAGR')
    """
    return _LABELS.get(metric, metric.replace("_", " ").capitalize())


Table = Any
"""A DataFrame whose cells the checker need not know."""


def cards(content: TearSheetContent, summary: Table, trades: Table) -> list[Card]:
    """Return the headline figures; what is missing is a dash with its reason."""
    shown = []
    for metric, toned in (
        ("total_return", True), ("cagr", True), ("volatility", False), ("sharpe_ratio", False),
        ("sortino_ratio", False), ("max_drawdown", False),
    ):  # fmt: skip
        row = summary.loc[metric]
        if not summary.loc["sessions", "value"]:  # nothing compounded is no return of 0%
            shown.append(Card(label_of(metric), views.DASH, "", "no session has a return"))
            continue
        tone = views.tone_of(float(row["value"])) if toned else ""
        text = views.text_of(float(row["value"]), row["unit"])
        shown.append(Card(label_of(metric), text, tone, row["note"]))
    if content.kind == "returns":
        return shown + _return_cards(summary)
    value = float(content.equity["equity"].iloc[-1]) if len(content.equity) else np.nan
    note = f"{content.currency}, at the end" if len(content.equity) else "no session was valued"
    text = views.DASH if value != value else amount(value, decimals=0)
    shown.append(Card("Value", text, "", note))
    count, hits = trades.loc["trades", "value"], trades.loc["hit_rate"]
    won = hits["note"] or f"{percent(float(hits['value']), decimals=0)} of them won"
    shown.append(Card("Trades closed", amount(float(count), decimals=0), "", won))
    return shown


def _return_cards(summary: Table) -> list[Card]:
    """Return what plain returns have in the place of a value and trades."""
    shown = []
    for metric in ("calmar_ratio", "session_hit_rate"):
        row = summary.loc[metric]
        text = views.text_of(float(row["value"]), row["unit"])
        shown.append(Card(label_of(metric), text, "", row["note"] or row["convention"]))
    return shown


def stress_view(stress: Table) -> TableView:
    """Return a backtest's headline metrics as they were and under stress."""
    rows = views.rows_of(
        stress,
        [
            ("case", lambda value: Cell(str(value).capitalize())),
            ("total_return", lambda value: views.signed_cell(value, unit="fraction")),
            ("cagr", lambda value: views.signed_cell(value, unit="fraction")),
            ("sharpe_ratio", views.value_cell),
            ("max_drawdown", lambda value: views.signed_cell(value, unit="fraction")),
            (
                "fills",
                lambda value: Cell("") if pd.isna(value) else views.value_cell(value, decimals=0),
            ),
            ("note", lambda value: Cell(str(value), tone="muted")),
        ],
    )
    heads = [
        Head("Case"), Head("Total return", kind="number"), Head("CAGR", kind="number"),
        Head("Sharpe", kind="number"), Head("Max drawdown", kind="number"),
        Head("Fills", kind="number"), Head("How"),
    ]  # fmt: skip
    note = "Of the bootstrap each column has quantiles of its own."
    return TableView(heads, rows, note, "stress", "The headline figures under stress")


def metric_view(
    summary: Table,
    benchmark: Table | None,
    *,
    benchmark_name: str = "",
    description: str = "Every metric and how it was worked out",
) -> TableView:
    """Return every metric with its convention, beside the benchmark's where there is one."""
    basis = summary.attrs.get("annualisation", "")
    heads = [Head("Metric"), Head("Value" if benchmark is None else "Account", kind="number")]
    if benchmark is not None:
        heads.append(Head(benchmark_name, kind="number"))
    rows = []
    for metric, row in summary.iterrows():
        cells = [Cell(label_of(str(metric))), Cell(views.text_of(row["value"], row["unit"]))]
        if benchmark is not None:
            is_own = metric in benchmark.index
            other = benchmark.loc[metric, "value"] if is_own else np.nan
            cells.append(Cell(views.text_of(other, row["unit"]) if is_own else ""))
        convention = row["convention"].replace(basis, "annualised") if basis else row["convention"]
        told = "; ".join(part for part in (convention, row["note"]) if part)
        rows.append([*cells, Cell(told, tone="muted")])
    kind = "how" if benchmark is None else "how versus"
    return TableView([*heads, Head("How")], rows, kind=kind, description=description)


def month_view(returns: pd.Series[float]) -> TableView:
    """Return the years by months, each cell shaded by its size."""
    months: Table = tables.monthly_returns(returns)
    years: Table = tables.yearly_returns(returns)
    sizes = months.abs().to_numpy()
    largest = float(np.nanquantile(sizes, 0.95)) if np.isfinite(sizes).any() else 0.0
    rows = []
    for year, values in months.iterrows():
        cells = [Cell(str(year))]
        for value in values:
            heat = min(abs(value) / largest, 1.0) if largest and value == value else 0.0
            text = "" if value != value else percent(value)
            tone = views.tone_of(value) if abs(value) >= 0.0005 else "muted"
            cells.append(Cell(text, None if value != value else float(value), tone, heat))
        total = float(years.loc[year])
        cells.append(Cell(percent(total), total, views.tone_of(total)))
        rows.append(cells)
    heads = [Head("Year"), *(Head(month, kind="number") for month in _MONTHS)]
    heads.append(Head("Total", kind="number"))
    return TableView(heads, rows, kind="months", description="Returns of each month and year")


def drawdown_view(returns: pd.Series[float]) -> TableView:
    """Return the deepest drawdowns."""
    spells = tables.drawdown_table(returns)
    shown = spells.head(MOST_DRAWDOWNS)
    rows = views.rows_of(
        shown,
        [
            ("depth", lambda value: views.signed_cell(value, unit="fraction")),
            ("peak", lambda value: views.day(value, missing="start")),
            ("trough", views.day),
            ("recovery", lambda value: views.day(value, missing="not yet")),
            ("length", lambda value: views.value_cell(value, decimals=0)),
            ("to_trough", lambda value: views.value_cell(value, decimals=0)),
            ("to_recovery", lambda value: views.value_cell(value, decimals=0)),
        ],
    )
    heads = [
        Head("Depth", kind="number"), Head("High"), Head("Lowest"), Head("Regained"),
        Head("Length", "sessions", "number"), Head("Down", "sessions", "number"),
        Head("Up", "sessions", "number"),
    ]  # fmt: skip
    note = "A loss on the first session counts from the start of the record."
    if len(spells) > len(shown):
        note = f"The deepest {len(shown)} of {len(spells):,}. " + note
    return TableView(heads, rows, note, description="The deepest drawdowns")


def trade_view(content: TearSheetContent) -> TableView:
    """Return the latest round trips."""
    trades = content.trades
    shown = trades.tail(MOST_TRADES).iloc[::-1]
    zone = str(getattr(trades["exit_at"].dtype, "tz", "UTC"))
    money = content.currency
    rows = views.rows_of(
        shown,
        [
            ("symbol", lambda value: Cell(str(value))),
            ("side", lambda value: Cell("long" if value == "BUY" else "short")),
            ("quantity", lambda value: _quantity(value)),
            ("entry_at", views.moment),
            ("entry_price", views.value_cell),
            ("exit_at", views.moment),
            ("exit_price", views.value_cell),
            ("fees", views.value_cell),
            ("realized_pnl", views.signed_cell),
            ("return", lambda value: views.signed_cell(value, unit="fraction")),
        ],
    )
    heads = [
        Head("Symbol"), Head("Side"), Head("Quantity", "shares", "number"),
        Head("Entry", kind="number"), Head("Price", money, "number"),
        Head("Exit", kind="number"), Head("Price", money, "number"),
        Head("Fees", money, "number"), Head("PnL", money, "number"), Head("Return", kind="number"),
    ]  # fmt: skip
    note = f"One row for each lot closed, latest first; times of {zone}."
    if len(trades) > len(shown):
        note = f"The latest {len(shown)} of {len(trades):,}. " + note
    return TableView(heads, rows, note, description="Closed trades")


def _quantity(value: Any) -> Cell:
    number = float(value)
    decimals = 0 if number == round(number) else 4
    return Cell(amount(number, decimals=decimals), number)


def summaries(content: TearSheetContent) -> tuple[pd.DataFrame, pd.DataFrame | None, pd.DataFrame]:
    """Return the metrics of the record, of its benchmark, and of its trades."""
    benchmark = content.benchmark
    return (
        performance_summary(
            content.returns if content.record is None else content.record, benchmark=benchmark
        ),
        None if benchmark is None else performance_summary(benchmark),
        trade_statistics(content.trades),
    )
