"""What is known of a strategy's looking ahead, and what to call where nothing is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mismartera_analytics.backtesting.lookahead_report import LookaheadReport
from mismartera_analytics.errors import InvalidInputError, as_given
from mismartera_analytics.reports.content import Lookahead

__all__ = ["call_for", "told"]

MOST_SYMBOLS = 3


def told(report: Any) -> Lookahead:
    """Return what `check_lookahead` said, for a tear sheet.

    Parameters
    ----------
    report
        A `LookaheadReport`.

    Returns
    -------
    Lookahead

    Raises
    ------
    InvalidInputError
        If it is something else.

    Examples
    --------
    >>> from mismartera_analytics.backtesting.samples import MovingAverageCross
    >>> told(ma.check_lookahead(MovingAverageCross(), "IBM", "2010-01-04", cuts=2)).status
    'clean'
    """
    if isinstance(report, Lookahead):
        return report
    if not isinstance(report, LookaheadReport):
        raise InvalidInputError(
            f"lookahead is a {type(report).__name__}; pass what ma.check_lookahead returned."
        )
    if report.status == "clean":
        text = f"{report.subject}: nothing changed with the future in {report.reruns:,} reruns"
    elif report.status == "looks ahead":
        kinds = ", ".join(dict.fromkeys(str(kind) for kind in report.findings["kind"]))
        text = f"{report.subject}: {len(report.findings):,} findings ({kinds})"
    else:
        text = " ".join((f"{report.subject}:", *report.notes[:1]))
    return Lookahead(report.status, text)


def call_for(config: Mapping[str, Any]) -> str:
    """Return the call that checks a run's strategy.

    Parameters
    ----------
    config
        Of the run.

    Examples
    --------
    >>> call_for({"strategy": "Cross", "symbols": ["IBM"], "start": "2010-01-04"})
    "ma.check_lookahead(Cross, ['IBM'], '2010-01-04')"
    """
    symbols = [str(symbol) for symbol in config.get("symbols") or ()]
    shown = repr(symbols[:MOST_SYMBOLS])
    if len(symbols) > MOST_SYMBOLS:
        shown = shown[:-1] + ", …]"
    parts = [str(config.get("strategy") or "strategy"), shown]
    if config.get("start"):
        parts.append(repr(str(config["start"])))
    if str(config.get("interval") or "1d") != "1d":
        parts.append(f"interval={as_given(str(config['interval']))}")
    return f"ma.check_lookahead({', '.join(parts)})"
