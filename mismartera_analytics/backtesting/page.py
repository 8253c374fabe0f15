"""What a result says of itself where it is shown: the figures, and how far they can be believed."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import pandas as pd

from mismartera_analytics.figures.style import text_of

if TYPE_CHECKING:
    from mismartera_analytics.backtesting.result import BacktestResult

__all__ = ["PEEKING", "html", "text"]

PEEKING = (
    "Orders were filled at the close of the very bar that decided on them: this run looks ahead, and "
    "no account could have traded it."
)
_HEADLINE = ("total_return", "cagr", "max_drawdown")


def text(result: BacktestResult) -> str:
    """Return the figures of a result and what they are worth, as lines of text.

    Parameters
    ----------
    result
        A finished run.
    """
    table = _table(result)
    wide = max(map(len, table["metric"]))
    lines = [repr(result)]
    lines += [f"  {row.metric:<{wide}}  {row.value:>10}  {row.how}" for row in table.itertuples()]
    return "\n".join(lines + ([f"  {PEEKING}"] if result.peeking else []))


def html(result: BacktestResult) -> str:
    """Return the same as HTML, every text escaped.

    Parameters
    ----------
    result
        A finished run.
    """
    rows = "".join(
        f"<tr><td>{escape(row.metric)}</td><td style='text-align:right'>{escape(row.value)}</td>"
        f"<td style='text-align:left'>{escape(row.how)}</td></tr>"
        for row in _table(result).itertuples()
    )
    warning = f"<p><b>{escape(PEEKING)}</b></p>" if result.peeking else ""
    return f"<p><code>{escape(repr(result))}</code></p>{warning}<table>{rows}</table>"


def _table(result: BacktestResult) -> Any:
    headline = result.metrics.loc[list(_HEADLINE)]
    both = pd.concat([headline.assign(convention=""), result.credibility()])
    return pd.DataFrame(
        {
            "metric": [str(name).replace("_", " ") for name in both.index],
            "value": [
                text_of(value, unit)
                for value, unit in zip(both["value"], both["unit"], strict=True)
            ],
            "how": [
                "; ".join(part for part in parts if part)
                for parts in zip(both["note"], both["convention"], strict=True)
            ],
        }
    )
