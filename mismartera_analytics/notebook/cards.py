"""Results, calendars, sessions, explanations and checks as cards of a notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from mismartera_analytics.figures.style import amount, percent, text_of
from mismartera_analytics.notebook.look import Scheme, Tile, notice, page, tiles
from mismartera_analytics.notebook.tables import table

if TYPE_CHECKING:
    from mismartera_analytics.backtesting.lookahead_report import LookaheadReport
    from mismartera_analytics.backtesting.result import BacktestResult
    from mismartera_analytics.backtesting.sweep_result import SweepResult
    from mismartera_analytics.backtesting.walk_forward_result import WalkForwardResult
    from mismartera_analytics.ledger.explanation import Explanation
    from mismartera_analytics.market_data.audit_result import BarAudit

__all__ = ["audit", "backtest", "explanation", "lookahead", "sweep", "walk_forward"]

_POINTS = 300
_HEADLINE = (
    ("total_return", "Total return"),
    ("cagr", "CAGR"),
    ("sharpe_ratio", "Sharpe ratio"),
    ("max_drawdown", "Max drawdown"),
)


def backtest(result: BacktestResult, *, scheme: Scheme) -> str:
    """Return the card of a backtest: headline, warnings, the account, and how far to believe it."""
    from mismartera_analytics.backtesting.page import PEEKING

    config, equity = result.config, result.equity
    first, last = equity["session"].iloc[0], equity["session"].iloc[-1]
    warnings = []
    if result.peeking:
        warnings.append(PEEKING)
    if result.ruined_at is not None:
        warnings.append(
            f"Nothing was left on {result.ruined_at:%Y-%m-%d}; what follows means nothing."
        )
    if result.stale:
        warnings.append(f"Held at the end without a last bar: {', '.join(result.stale)}.")
    told = f"{len(result.orders):,} orders, {len(result.fills):,} fills"
    if result.ambiguous_fills:
        told += f", {result.ambiguous_fills:,} of them ambiguous (see .ambiguity())"
    return page(
        str(config["strategy"]),
        *(notice(text, level="warning") for text in warnings),
        _headline(result.metrics),
        _line(equity["equity"].to_numpy(), "The account's value"),
        f'<p class="ma-muted">{escape(told)}</p>',
        _belief(result.credibility()),
        kicker=f"Backtest, {first:%Y-%m-%d} to {last:%Y-%m-%d}",
        scheme=scheme,
    )


def sweep(result: SweepResult, *, scheme: Scheme) -> str:
    """Return the card of a sweep: its best combinations, and how they lie among all."""
    frame = result.frame
    ratios = frame["sharpe_ratio"].dropna()
    best = frame.loc[ratios.nlargest(5).index]
    items = [Tile("Combinations", f"{len(frame):,}", f"{result.tried:,} run by this call")]
    if len(ratios):
        items += [
            Tile("Best Sharpe ratio", amount(ratios.max()), "picked from all of them"),
            Tile("Median", amount(ratios.median())),
            Tile(
                "Earned something", percent(float((frame["total_return"] > 0).mean()), decimals=0)
            ),
        ]
    return page(
        result.family,
        tiles(items),
        table(best) if len(best) else "",
        '<p class="ma-muted">The best by Sharpe ratio; all are in <code>.frame</code>. What the number '
        "of tries leaves of them: <code>.result(.best()).credibility()</code>.</p>",
        kicker="Sweep",
        scheme=scheme,
    )


def walk_forward(result: WalkForwardResult, *, scheme: Scheme) -> str:
    """Return the card of a walk-forward test: its account out of sample, and its windows."""
    windows = result.windows
    return page(
        repr(result).partition("(")[2].partition(",")[0],
        _headline(result.metrics),
        _line(result.equity["equity"].to_numpy(), "The account's value out of sample"),
        tiles(
            [
                Tile("Windows", f"{len(windows):,}"),
                Tile("Sharpe in training", amount(windows["train_sharpe_ratio"].mean()), "mean"),
                Tile("Sharpe in tests", amount(windows["test_sharpe_ratio"].mean()), "mean"),
            ]
        ),
        table(windows, rows=12),
        kicker="Walk-forward test, out of sample",
        scheme=scheme,
    )


def lookahead(report: LookaheadReport, *, scheme: Scheme) -> str:
    """Return the card of a check for look-ahead."""
    level: Literal["good", "warning"] = "good" if report.clean else "warning"
    shown = report.findings if len(report.findings) else report.checked
    notes = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
    compared = str(report).rpartition("\n")[2]
    said = report.headline.removeprefix(f"{report.subject}: ")
    return page(
        report.subject,
        notice(said[:1].upper() + said[1:], level=level),
        table(shown, rows=12) if len(shown) else "",
        f"<ul>{notes}</ul>" if notes else "",
        f'<p class="ma-muted">{escape(compared)}</p>',
        kicker="Does it look ahead?",
        scheme=scheme,
    )


def explanation(told: Explanation, *, scheme: Scheme) -> str:
    """Return the card of an explanation: the number, its formula, and what it is made of."""
    return page("", told._repr_html_(), kicker="Where a number comes from", scheme=scheme)


def audit(found: BarAudit, *, scheme: Scheme) -> str:
    """Return the card of an audit: what was found, and its frame."""
    return page(
        f"Audit of {found.interval} bars",
        notice(found.summary),
        table(found.frame, rows=12),
        kicker="Market data",
        scheme=scheme,
    )


def _headline(metrics: pd.DataFrame) -> str:
    items = []
    for name, label in _HEADLINE:
        value, unit = metrics.loc[name, "value"], str(metrics.loc[name, "unit"])
        number = float(value)  # type: ignore[arg-type]
        tone: Any = "" if not number else "gain" if number > 0 else "loss"
        items.append(Tile(label, text_of(number, unit), tone=tone))
    return tiles(items)


def _belief(credibility: pd.DataFrame) -> str:
    told: Any = credibility.itertuples()
    rows = "".join(
        f'<tr><td class="ma-text">{escape(str(row.Index).replace("_", " "))}</td>'
        f"<td>{escape(text_of(row.value, row.unit))}</td>"
        f'<td class="ma-text ma-long">{escape(str(row.note or ""))}</td></tr>'
        for row in told
    )
    return (
        "<details open><summary>How far to believe it</summary>"
        f'<div class="ma-scroll"><table><tbody>{rows}</tbody></table></div></details>'
    )


def _line(values: np.ndarray[Any, Any], description: str) -> str:
    """Return a line without axes, as SVG; it is as wide as the card."""
    finite = values[np.isfinite(values)]
    if len(finite) < 2:
        return ""
    places = np.unique(np.linspace(0, len(finite) - 1, _POINTS).astype(int))
    low, high = float(finite.min()), float(finite.max())
    heights = 66.0 - 60.0 * (finite[places] - low) / ((high - low) or 1.0)
    across = 1000.0 * places / (len(finite) - 1)
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, heights, strict=True))
    return (
        f'<svg class="ma-line" role="img" aria-label="{escape(description)}" '
        f'viewBox="0 0 1000 72" preserveAspectRatio="none">'
        f'<polygon points="0,72 {points} 1000,72" fill="var(--fig-line)" fill-opacity=".12"/>'
        f'<polyline points="{points}" fill="none" stroke="var(--fig-line)" stroke-width="1.5" '
        f'vector-effect="non-scaling-stroke"/></svg>'
    )
