"""Which of the library's objects a shell shows how; nothing is imported before it is shown."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol

from mismartera_analytics.notebook.look import Scheme

__all__ = ["SHOWN", "register", "unregister"]

_HERE = "mismartera_analytics.notebook"
SHOWN = {
    "mismartera_analytics.backtesting.lookahead_report.LookaheadReport": "cards.lookahead",
    "mismartera_analytics.backtesting.result.BacktestResult": "cards.backtest",
    "mismartera_analytics.backtesting.sweep_result.SweepResult": "cards.sweep",
    "mismartera_analytics.backtesting.walk_forward_result.WalkForwardResult": "cards.walk_forward",
    "mismartera_analytics.calendars.phases.TradingSession": "hours.session",
    "mismartera_analytics.calendars.sessions.TradingCalendar": "hours.calendar",
    "mismartera_analytics.figures.canvas.Sheet": "pictures.figure",
    "mismartera_analytics.ledger.explanation.Explanation": "cards.explanation",
    "mismartera_analytics.market_data.audit_result.BarAudit": "cards.audit",
    "pathlib.PosixPath": "pictures.report",
    "pathlib.WindowsPath": "pictures.report",
}
"""Types, and the functions of this package that show them."""
_FRAME = "pandas.DataFrame"


class Wishes(Protocol):
    """How the reader wants things shown."""

    scheme: Scheme
    formats_frames: bool


def register(shell: Any, wishes: Wishes) -> None:
    """Have a shell show the library's objects as HTML, and frames with readable numbers.

    Parameters
    ----------
    shell
        An IPython shell.
    wishes
        Asked each time something is shown.
    """
    formatter = shell.display_formatter.formatters["text/html"]
    for name, function in SHOWN.items():
        module, _, kind = name.rpartition(".")
        formatter.for_type_by_name(module, kind, _shower(function, wishes))

    def frame(value: Any) -> str | None:
        from mismartera_analytics.notebook.tables import frame_html

        return frame_html(value) if wishes.formats_frames else value._repr_html_()

    formatter.for_type_by_name("pandas", "DataFrame", frame)


def unregister(shell: Any) -> None:
    """Have a shell show everything as it did before."""
    formatter = shell.display_formatter.formatters["text/html"]
    for name in (*SHOWN, _FRAME):
        formatter.pop(name, None)


def _shower(function: str, wishes: Wishes) -> Callable[[Any], str | None]:
    module, _, name = function.partition(".")

    def shown(value: Any) -> str | None:
        made: Any = getattr(import_module(f"{_HERE}.{module}"), name)
        text: str | None = made(value, scheme=wishes.scheme)
        return text

    return shown
