"""One figure of what a caller has: a result, an account or returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from mismartera_analytics.arguments import is_one_of
from mismartera_analytics.errors import InvalidInputError, as_given, suggestion
from mismartera_analytics.performance import distribution, rolling, tables
from mismartera_analytics.performance.returns import Returns
from mismartera_analytics.reports.content import TearSheetContent
from mismartera_analytics.reports.sources import content_of, is_result, profit_by_symbol

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mismartera_analytics.figures.style import ThemeName
    from mismartera_analytics.performance.observations import Record

__all__ = ["Kind", "plot"]

Kind = Literal[
    "equity", "underwater", "months", "rolling_sharpe", "distribution", "exposure",
    "pnl_by_symbol", "orders",
]  # fmt: skip


def plot(
    source: Any,
    kind: Kind = "equity",
    *,
    symbol: str | None = None,
    window: int = 126,
    theme: ThemeName = "light",
) -> Figure:
    """Draw one figure of a backtest's result, an account, or returns.

    Parameters
    ----------
    source
        What `backtest` returned, the id or number of an account, or simple returns labelled by session
        (a Series or a `Returns`), which have no value in money, no exposure and no orders.
    kind
        ``"equity"`` with drawdown, ``"underwater"`` with the deepest spells, ``"months"``,
        ``"rolling_sharpe"``, ``"distribution"`` with the value at risk, ``"exposure"``,
        ``"pnl_by_symbol"``, or ``"orders"``: one symbol's daily closes of the bar store, as traded,
        with its fills.
    symbol
        Whose orders; the only one that was traded by default.
    window
        Sessions that the rolling Sharpe ratio looks back.
    theme
        ``"light"`` or ``"dark"``.

    Returns
    -------
    matplotlib.figure.Figure
        Not shown; a notebook shows it by itself. Without data it says so. `figures` has the functions
        that draw frames, with more options.

    Raises
    ------
    InvalidInputError
        If the kind is unknown, the source is something else, or several symbols were traded and none
        is named, or nothing was; or the sessions of a rolling ratio do not tell how many make a year.
    UnknownNameError
        If there is no such account.
    BarsNotFoundError
        If the bar store has no daily bars of the symbol.

    Examples
    --------
    >>> len(ma.plot(1, "underwater", theme="dark").axes)
    1
    """
    if not is_one_of(kind, _DRAWN):
        raise InvalidInputError(
            f"kind={as_given(kind)} is unknown{suggestion(kind, _DRAWN) or '.'} "
            f"Allowed: {', '.join(_DRAWN)}."
        )
    if kind == "orders":
        return _orders(_content(source), symbol, theme)
    if kind == "rolling_sharpe":
        record = source if isinstance(source, Returns) else _content(source).returns
        return _rolling(record, window, theme)
    return _DRAWN[kind](_content(source), theme)


def _content(source: Any) -> TearSheetContent:
    """Return what a tear sheet shows, without what it works out to judge a run."""
    if not is_result(source):
        return content_of(source, stress=False)
    return TearSheetContent(
        "",
        currency=str(source.config.get("currency") or "USD"),
        returns=source.returns,
        equity=source.equity,
        fills=source.fills,
        pnl_by_symbol=profit_by_symbol(source),
    )


def _equity(content: TearSheetContent, theme: ThemeName) -> Figure:
    from mismartera_analytics.figures.accounts import equity_with_drawdown

    return equity_with_drawdown(content.equity, currency=content.currency, theme=theme)


def _underwater(content: TearSheetContent, theme: ThemeName) -> Figure:
    from mismartera_analytics.figures.accounts import underwater

    spells = tables.drawdown_table(content.returns)
    return underwater(tables.underwater(content.returns), spells=spells, theme=theme)


def _months(content: TearSheetContent, theme: ThemeName) -> Figure:
    from mismartera_analytics.figures.returns import monthly_heatmap

    years = tables.yearly_returns(content.returns)
    return monthly_heatmap(tables.monthly_returns(content.returns), years=years, theme=theme)


def _rolling(record: Record, window: int, theme: ThemeName) -> Figure:
    from mismartera_analytics.figures.returns import rolling_sharpe

    sharpe = rolling.rolling_sharpe(record, window=window)
    return rolling_sharpe(sharpe, window=window, theme=theme)


def _distribution(content: TearSheetContent, theme: ThemeName) -> Figure:
    from mismartera_analytics.figures.returns import return_distribution

    risk = distribution.value_at_risk(content.returns)
    return return_distribution(content.returns, value_at_risk=risk, theme=theme)


def _exposure(content: TearSheetContent, theme: ThemeName) -> Figure:
    from mismartera_analytics.figures.accounts import exposure

    return exposure(content.equity, theme=theme)


def _profit(content: TearSheetContent, theme: ThemeName) -> Figure:
    from mismartera_analytics.figures.accounts import pnl_by_symbol

    return pnl_by_symbol(content.pnl_by_symbol.dropna(), currency=content.currency, theme=theme)


def _orders(content: TearSheetContent, symbol: str | None, theme: ThemeName) -> Figure:
    from mismartera_analytics.figures.prices import order_marks
    from mismartera_analytics.queries.market import bars

    traded = sorted(content.fills["symbol"].unique())
    if symbol is None and len(traded) > 1:
        raise InvalidInputError(f"symbol= must name one of {', '.join(traded)}.")
    if symbol is None and not traded:
        raise InvalidInputError("nothing was traded; there are no orders to draw.")
    name = traded[0] if symbol is None else symbol
    labels = pd.DatetimeIndex(content.equity["session"] if len(content.equity) else [])
    times = content.fills.loc[content.fills["symbol"] == name, "filled_at"]
    first = labels[0] if len(labels) else times.min().tz_localize(None).normalize()
    last = labels[-1] if len(labels) else times.max().tz_localize(None).normalize()
    shown = bars(name, "1d", first.date(), last.date())
    return order_marks(shown, content.fills, currency=content.currency, theme=theme)


_DRAWN: dict[str, Callable[..., Figure]] = {
    "equity": _equity,
    "underwater": _underwater,
    "months": _months,
    "rolling_sharpe": _rolling,
    "distribution": _distribution,
    "exposure": _exposure,
    "pnl_by_symbol": _profit,
    "orders": _orders,
}
