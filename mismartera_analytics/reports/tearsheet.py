"""The tear sheet: one self-contained HTML page about a backtest or an account."""

from __future__ import annotations

import contextlib
import re
import secrets
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd

from mismartera_analytics import __version__, clock, config
from mismartera_analytics.errors import InvalidInputError, StorageError
from mismartera_analytics.figures.style import DARK, LIGHT, amount
from mismartera_analytics.performance.observations import labelled
from mismartera_analytics.reports import drawings, sections
from mismartera_analytics.reports.content import Fact, TearSheetContent
from mismartera_analytics.reports.sources import content_of

__all__ = ["render", "tear_sheet"]

TEMPLATES = Path(__file__).parent / "templates"


def tear_sheet(
    result_or_account: Any,
    path: str | Path | None = None,
    *,
    title: str | None = None,
    benchmark: pd.Series[float] | None = None,
    stress: bool = True,
) -> Path:
    """Write a tear sheet: one HTML file that needs no network and can be sent around.

    Parameters
    ----------
    result_or_account
        A backtest's result, the id or number of an account, or a `TearSheetContent`.
    path
        The file; ``<title>.html`` in the configured folder of reports by default. Folders are made.
    title
        Heading; the run's or account's name by default.
    benchmark
        Simple returns [1] labelled by session, on the sessions of the record; its name is shown.
    stress
        Whether a backtest is put under stress, for which it is run three times more.

    Returns
    -------
    pathlib.Path
        The file, absolute. It is written beside and renamed, so a reader never sees half of it.

    Raises
    ------
    InvalidInputError
        If the argument is nothing that can be reported, or the benchmark covers none of the record's
        sessions.
    UnknownNameError
        If there is no such account.
    StorageError
        If the file cannot be written.

    Examples
    --------
    >>> tear_sheet(TearSheetContent("Nothing yet")).name
    'nothing-yet.html'
    """
    content = content_of(result_or_account, stress=stress)
    if title is not None:
        content = replace(content, title=title)
    if benchmark is not None:
        content = replace(content, benchmark=_aligned(benchmark, content.returns))
    name = re.sub(r"[^a-z0-9]+", "-", content.title.lower()).strip("-")[:80] or "report"
    target = Path(path).expanduser() if path is not None else Path(f"{name}.html")
    if not target.is_absolute():
        base = config.settings().reports if path is None else Path.cwd()
        target = base / target
    _write(target, render(content))
    return target


def render(content: TearSheetContent) -> str:
    """Return the page of a tear sheet as HTML text.

    Parameters
    ----------
    content
        What to show. Empty frames give a page that says so.

    Returns
    -------
    str
        A complete document. Every text of the content is escaped.

    Examples
    --------
    >>> "&lt;b&gt;" in render(TearSheetContent("<b>"))
    True
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    summary, benchmark, trades = sections.summaries(content)
    record = content.returns.dropna()
    name = "" if content.benchmark is None else str(content.benchmark.name)
    return environment.get_template("tearsheet.html.j2").render(
        content=content,
        has_returns=bool(len(record)),
        period=_period(record),
        cards=sections.cards(content, summary, trades),
        figures=drawings.figures(content, summary),
        months=sections.month_view(content.returns),
        drawdowns=sections.drawdown_view(content.returns),
        metrics=sections.metric_view(summary, benchmark, benchmark_name=name),
        credibility=None if content.credibility is None else sections.belief_view(content),
        stress=None if content.stress is None else sections.stress_view(content.stress),
        trade_metrics=sections.metric_view(trades, None),
        trades=sections.trade_view(content),
        facts=[*content.conventions, Fact("Annualisation", summary.attrs["annualisation"])],
        themes={"light": asdict(LIGHT), "dark": asdict(DARK)},
        made_at=f"{clock.utc_now():%Y-%m-%d %H:%M} UTC",
        version=__version__,
        money=amount,
    )


def _period(record: pd.Series[float]) -> str:
    if not len(record):
        return "No session has a return"
    first, last = record.index[0], record.index[-1]
    return f"{first:%Y-%m-%d} to {last:%Y-%m-%d}, {len(record):,} sessions"


def _aligned(benchmark: pd.Series[float], returns: pd.Series[float]) -> pd.Series[float]:
    """Return the benchmark on the record's sessions; where it has none its value stays."""
    series = labelled(benchmark, argument="benchmark")
    series = series.rename("benchmark" if series.name is None else str(series.name))
    if not len(returns):
        return series.iloc[:0]
    common = series.index.intersection(returns.index)
    if not len(common):
        raise InvalidInputError(
            f"benchmark covers {_period(series.dropna())}; none of them is a session of the record "
            f"({_period(returns)})."
        )
    return series.reindex(returns.index)


def _write(target: Path, text: str) -> None:
    """Write a file beside its place and move it there."""
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(text, encoding="utf-8")
        beside.replace(target)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StorageError(f"path={str(target)!r} cannot be written: {reason}.") from None
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()
