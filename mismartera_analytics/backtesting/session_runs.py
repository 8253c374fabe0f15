"""Backtests of the trading system's session configurations."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mismartera_analytics import clock
from mismartera_analytics.backtesting.allowed_code import import_allowed, strategies_folder
from mismartera_analytics.backtesting.limits import Limits
from mismartera_analytics.backtesting.run import backtest
from mismartera_analytics.backtesting.strategy import Strategy
from mismartera_analytics.errors import (
    InvalidInputError,
    MismarteraError,
    StrategyError,
    UnknownNameError,
    as_given,
    suggestion,
)
from mismartera_analytics.recording.session_configs import load_session_config

if TYPE_CHECKING:
    from mismartera_analytics.backtesting.exchanges import CalendarLike
    from mismartera_analytics.backtesting.result import BacktestResult

__all__ = ["run_session_config", "strategy_class"]

DEFAULT_CASH = 100_000.0
_LIMITS = ("max_per_trade", "max_per_symbol", "max_open_positions", "max_buying_power")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "mo": 2_592_000}
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(:[A-Za-z_]\w*)?\Z", re.ASCII)


def run_session_config(
    name: str, *, strategy: str | None = None, cash: float | None = None, **options: Any
) -> BacktestResult:
    """Run the backtest that a stored session configuration describes.

    Read are ``backtest_config`` (`start_date`, `end_date`), ``session_data_config`` (`symbols`;
    `streams`, of which the shortest bars are taken, ticks and quotes left aside), ``trading_config``
    (the limits, which no order exceeds when it fills), ``exchange_group`` and ``asset_class`` (whose
    sessions), and of ``strategies`` the one that is enabled, with its `config` as parameters.

    Parameters
    ----------
    name
        Of the configuration.
    strategy
        Which of the strategies, by its `module`, where several are enabled: each runs on an account of
        its own.
    cash
        What the account begins with [currency]; by default `max_buying_power`, else 100,000.
    **options
        Further arguments of `backtest`, such as ``commission``; they win over the configuration.

    Returns
    -------
    BacktestResult

    Raises
    ------
    UnknownNameError
        If there is no such configuration, or its strategy's module or class is not found.
    NotAllowedError
        If the strategy's module is none of those that may be imported: see `strategy_class`.
    InvalidInputError
        If the configuration lacks what a run needs, or several strategies are enabled.
    StrategyError
        If the strategy's module or the strategy raises.
    BarsNotFoundError
        As in `backtest`.

    Examples
    --------
    >>> from mismartera_analytics.recording.session_configs import save_session_config
    >>> _ = save_session_config("crossing", {
    ...     "backtest_config": {"start_date": "2004-01-02", "end_date": "2005-12-30"},
    ...     "session_data_config": {"symbols": ["AAPL"], "streams": ["1d"]},
    ...     "trading_config": {"max_buying_power": 50_000.0, "max_per_trade": 50_000.0},
    ...     "strategies": [{"module": "mismartera_analytics.backtesting.samples",
    ...                     "config": {"fast": 20, "slow": 60}}],
    ... })
    >>> run_session_config("crossing")
    BacktestResult(MovingAverageCross, 2004-01-02 to 2005-12-30, ...)
    >>> "2005-12-30" in ma.trials("MovingAverageCross")["settings"].iloc[-1]
    True
    """
    config = load_session_config(name)
    data, tested = _section(config, "session_data_config"), _section(config, "backtest_config")
    trading = _section(config, "trading_config")
    chosen = _chosen(name, config.get("strategies") or [], strategy)
    symbols = data.get("symbols")
    if not symbols:
        raise InvalidInputError(f"the configuration {name!r} names no symbols.")
    if cash is None:
        cash = trading.get("max_buying_power") or DEFAULT_CASH
    arguments = {
        "symbols": symbols,
        "start": tested.get("start_date"),
        "end": tested.get("end_date"),
        "interval": options.get("interval") or _interval(name, data.get("streams")),
        "cash": float(cash),
        "limits": Limits(**{key: trading[key] for key in _LIMITS if key in trading}),
        "calendar": _calendar(config),
    }
    made = strategy_class(chosen["module"])(**(chosen.get("config") or {}))
    return backtest(made, **(arguments | options))


def _section(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    section: Mapping[str, Any] = config.get(key) or {}
    return section


def _chosen(name: str, listed: Sequence[Mapping[str, Any]], asked: str | None) -> Mapping[str, Any]:
    """Return the strategy to run: the one asked for, else the only one that is enabled."""
    if asked is not None:
        modules = [one["module"] for one in listed]
        if asked not in modules:
            hint = suggestion(asked, modules) or "."
            raise UnknownNameError(
                f"strategy={as_given(asked)} is not in the configuration {name!r}{hint}"
            )
        return listed[modules.index(asked)]
    enabled = [one for one in listed if one.get("enabled") is not False]
    if len(enabled) == 1:
        return enabled[0]
    if not enabled:
        raise InvalidInputError(f"the configuration {name!r} has no enabled strategy.")
    some = ", ".join(repr(one["module"]) for one in enabled)
    raise InvalidInputError(
        f"the configuration {name!r} has several enabled strategies; name one by strategy=: {some}."
    )


def _interval(name: str, streams: Sequence[str] | None) -> str:
    bars = [clock.parse_interval(one) for one in streams or () if one not in ("ticks", "quotes")]
    if not bars:
        raise InvalidInputError(
            f"the configuration {name!r} has no stream of bars; name one by interval=."
        )
    return str(min(bars, key=lambda interval: interval.count * _SECONDS[interval.unit]))


def _calendar(config: Mapping[str, Any]) -> CalendarLike:
    """Return the exchange group, by its name unless another than its usual hours are asked for."""
    from mismartera_analytics.calendars.lookup import trading_calendar

    group, asset_class = config.get("exchange_group"), config.get("asset_class")
    if group is None or asset_class is None:
        return group
    calendar = trading_calendar(group, asset_class)
    return str(group) if calendar.asset_class == trading_calendar(group).asset_class else calendar


def strategy_class(module: str) -> type[Strategy]:
    """Return the strategy that a module defines.

    Parameters
    ----------
    module
        Dotted name of a module, with ``:Class`` where it defines several strategies. It must lie in
        the folder `strategies` of the home, be `mismartera_analytics.backtesting.samples`, or be named
        by the setting ``MISMARTERA_STRATEGY_PACKAGES``, itself or by its package; others are not
        imported.

    Returns
    -------
    type

    Raises
    ------
    InvalidInputError
        If it is no such name, or the module defines several strategies.
    NotAllowedError
        If the module is none of those that may be imported.
    UnknownNameError
        If there is no such module or class, or the module defines no strategy.
    StrategyError
        If the module raises when it is imported.

    Examples
    --------
    >>> strategy_class("mismartera_analytics.backtesting.samples").__name__
    'MovingAverageCross'
    """
    if not isinstance(module, str) or not _MODULE.match(module):
        raise InvalidInputError(
            f"module={as_given(module)} is no dotted name such as 'my_rules:Crossing'."
        )
    path, _, name = module.partition(":")
    loaded = _imported(path)
    found = {
        key: value
        for key, value in vars(loaded).items()
        if isinstance(value, type)
        and issubclass(value, Strategy)
        and value.__module__ == loaded.__name__
    }
    if name:
        if name not in found:
            hint = suggestion(name, found) or "."
            raise UnknownNameError(f"the module {path!r} defines no strategy {name!r}{hint}")
        return found[name]
    if not found:
        raise UnknownNameError(f"the module {path!r} defines no class derived from ma.Strategy.")
    if len(found) > 1:
        some = ", ".join(f"'{path}:{key}'" for key in sorted(found))
        raise InvalidInputError(
            f"the module {path!r} defines several strategies; name one: {some}."
        )
    return next(iter(found.values()))


def _imported(path: str) -> Any:
    try:
        return import_allowed(path)
    except MismarteraError:
        raise
    except ModuleNotFoundError as error:
        if error.name is None or not (path == error.name or path.startswith(f"{error.name}.")):
            raise StrategyError(
                f"the module {path!r} cannot be imported: it needs {error.name!r}, which is not "
                f"installed."
            ) from error
        raise UnknownNameError(
            f"module={as_given(path)} is neither installed nor in {strategies_folder()}."
        ) from None
    except Exception as error:
        raise StrategyError(
            f"the module {path!r} raised {type(error).__name__} when it was imported: {error}"
        ) from error
