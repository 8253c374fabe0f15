"""Figures of frames, each returned as a matplotlib Figure; a notebook shows it, nobody else does."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mismartera_analytics.figures.accounts import equity_with_drawdown as equity_with_drawdown
    from mismartera_analytics.figures.accounts import exposure as exposure
    from mismartera_analytics.figures.accounts import pnl_by_symbol as pnl_by_symbol
    from mismartera_analytics.figures.accounts import underwater as underwater
    from mismartera_analytics.figures.audit import audit_heatmap as audit_heatmap
    from mismartera_analytics.figures.candles import candlesticks as candlesticks
    from mismartera_analytics.figures.grids import grid_heatmap as grid_heatmap
    from mismartera_analytics.figures.prices import order_marks as order_marks
    from mismartera_analytics.figures.returns import monthly_heatmap as monthly_heatmap
    from mismartera_analytics.figures.returns import return_distribution as return_distribution
    from mismartera_analytics.figures.returns import rolling_sharpe as rolling_sharpe
    from mismartera_analytics.figures.sessions import year_of_sessions as year_of_sessions

_HOMES = {
    "audit_heatmap": "audit",
    "candlesticks": "candles",
    "equity_with_drawdown": "accounts",
    "exposure": "accounts",
    "grid_heatmap": "grids",
    "monthly_heatmap": "returns",
    "order_marks": "prices",
    "pnl_by_symbol": "accounts",
    "return_distribution": "returns",
    "rolling_sharpe": "returns",
    "underwater": "accounts",
    "year_of_sessions": "sessions",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__]
