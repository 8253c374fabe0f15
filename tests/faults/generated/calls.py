"""What is called: the functions of the facade, methods of stores and calendars, queries."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import mismartera_analytics as ma
from mismartera_analytics.backtesting.samples import MovingAverageCross
from tests.faults.generated.samples import QUERY, WORDS, actions_frame, bars_frame, orders_frame
from tests.faults.generated.values import anything, scalar, spoiled, spoiled_text
from tests.faults.nasty import NAMES

__all__ = ["PLAUSIBLE", "facade", "one_wrong", "sql"]

PLAUSIBLE: dict[str, tuple[Any, ...]] = {
    "symbols": ("AAPL", ["AAPL", "IBM"]), "symbol": ("AAPL",), "account": (1, "demo"), "accounts": (1,),
    "user": ("demo",), "start": ("2012-06-01", "2012-12-03"), "end": ("2012-12-28", "2013-01-31"),
    "interval": ("1d", "1w"), "tz": ("UTC", "America/New_York"), "at": ("2012-12-28",), "method": ("fifo", "lifo"),
    "freq": ("session", "month"), "by": ("account", "symbol"), "side": ("BUY", "LONG"), "status": ("FILLED",),
    "exchange": ("NYSE",), "name": ("NYSE", "CME"), "strategy": (MovingAverageCross, MovingAverageCross(fast=2, slow=5)),
    "grid": ({"fast": [2, 3], "slow": [5]},), "frame": ("orders", "positions"), "column": ("quantity",),
    "query": ("select 1", "select * from orders"), "year": (2012,), "adjust": ("split",), "seed": (1,),
    "run": (1, "demo"), "live": (1,), "simulated": (1,), "freq_": (), "broker": ("schwab",),
    "train": (60,), "test": (20,), "trials": (5,), "variance": (0.01,), "per": ("year", "session"),
    "benchmark": (0.0, "IBM"), "username": ("demo",), "email": ("a@example.com",), "password": ("secret",),
    "calendar": ("NYSE",), "hours": ("regular",), "confidence": (0.9,), "cash": (1e5,), "parameters": ({"fast": 3},),
    "progress": (False,), "formats": ("html",), "jobs": (1,), "workers": (1,), "run_in": ("this_process",),
    "draws": (50, 2), "kind": ("equity", "drawdown"), "reported": (None,), "as_of": (0,), "max_price_age": (5,),
}  # fmt: skip
SERIES = ("returns", "values", "matrix", "source")
ALONE = frozenset({
    "SessionLocal", "Strategy", "close_db", "init_db", "session_scope", "settings", "configure", "as_user",
})  # fmt: skip
HEAVY = frozenset({"report", "tear_sheet", "sweep", "walk_forward", "check_lookahead", "plot"})
"""They draw or run many backtests when all is right: they mostly get what is wrong."""


def argument(rng: random.Random, name: str, *, wrong: float) -> Any:
    """Return a value for an argument: one that fits, or anything."""
    if rng.random() > wrong:
        if name in SERIES:
            index = pd.date_range("2012-01-03", periods=40, freq="B")
            return pd.Series(np.sin(np.arange(40.0)) / 50, index)
        if name in ("bars", "frame") and rng.random() < 0.5:
            return spoiled(rng, bars_frame)
        if name in ("weights", "entries", "exits", "short_entries", "short_exits"):
            days = pd.date_range("2012-06-01", periods=30, freq="B")
            return spoiled(rng, lambda: pd.DataFrame({"AAPL": np.arange(30) % 3 == 0}, index=days))
        if name == "orders":
            return spoiled(rng, orders_frame)
        if name == "actions":
            return spoiled(rng, actions_frame)
        if name in PLAUSIBLE:
            return rng.choice(PLAUSIBLE[name] or (None,))
    return anything(rng)


def arguments(
    rng: random.Random, function: Any, *, wrong: float
) -> tuple[list[Any], dict[str, Any]]:
    """Return arguments for a function of the facade."""
    args: list[Any] = []
    options: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            if rng.random() < 0.15:
                options[str(rng.choice(NAMES))] = anything(rng)
            continue
        if name == "db_session" or (
            parameter.default is not parameter.empty and rng.random() < 0.7
        ):
            continue
        if parameter.default is parameter.empty and rng.random() < 0.03:
            continue
        value = argument(rng, name, wrong=wrong)
        if parameter.kind is parameter.POSITIONAL_ONLY:
            args.append(value)
        else:
            options[name] = value
    if rng.random() < 0.02:
        options["no_such_argument"] = 1
    return args, options


def facade(rng: random.Random, folder: Path) -> tuple[str, Callable[[], Any]]:
    """Any function of the facade."""
    name = rng.choice(
        [one for one in ma.__all__ if one not in ("import_orders", "ingest_bars", "sql")]
    )
    if name in ALONE:
        return alone(rng, name)
    if name in HEAVY and rng.random() < 0.8:
        return facade(rng, folder)
    function = getattr(ma, name)
    args, options = arguments(rng, function, wrong=0.7 if name in HEAVY else 0.4)
    if name == "BarStore":
        return store(rng, options)
    if name in ("returns", "contributions", "pnl"):
        options.setdefault("start", "2012-11-01")
    if name == "audit_bars":
        options.setdefault("interval", "1d")
    if name == "tear_sheet" and isinstance(options.get("path"), str):
        options["path"] = str(folder / "sheet.html")
    if name == "report":
        options["out"] = folder / "reports"
    return name, lambda: function(*args, **options)


def alone(rng: random.Random, name: str) -> tuple[str, Callable[[], Any]]:
    """Return a call of what needs care: contexts, settings and classes."""
    value = anything(rng)
    if name == "as_user":

        def entered() -> None:
            with ma.as_user(value):
                ma.orders()

        return name, entered
    if name == "Strategy":
        return name, lambda: MovingAverageCross(**{str(scalar(rng)): value, "fast": value})
    if name == "configure":
        field = rng.choice(
            ("cache_mb", "bcrypt_rounds", "reports", "strategy_packages", str(scalar(rng)))
        )

        def changed() -> None:
            try:
                ma.configure(**{field: value})
            finally:
                ma.configure()

        return name, changed
    if name == "session_scope":

        def scoped() -> None:
            with ma.session_scope():
                pass

        return name, scoped
    return "settings", ma.settings


OF_CALENDARS = (
    "session", "sessions", "is_open", "phase", "next_session", "previous_session", "offset", "count", "minutes",
    "session_of", "holidays", "is_session", "labels", "opens", "closes", "align",
)  # fmt: skip
OF_STORES = ("read", "coverage", "versions", "symbols", "version", "write", "dataset", "vacuum")


def one_wrong(rng: random.Random, folder: Path) -> tuple[str, Callable[[], Any]]:
    """A call whose arguments fit but for one, so that it comes to what only that one decides."""
    owner = rng.choice(("", "", "", "calendar", "store"))
    if owner == "calendar":
        name, subject = rng.choice(OF_CALENDARS), ma.trading_calendar("NYSE")
    elif owner == "store":
        name, subject = rng.choice(OF_STORES), ma.BarStore()
    else:
        left_out = {*ALONE, "import_orders", "ingest_bars", "BarStore"}
        name, subject = rng.choice([one for one in ma.__all__ if one not in left_out]), ma
        if name in HEAVY and rng.random() < 0.8:
            return one_wrong(rng, folder)
    function = getattr(subject, name)
    parameters = [
        one for one in inspect.signature(function).parameters.values() if one.name != "db_session"
    ]
    wrong = rng.choice(parameters) if parameters else None
    args: list[Any] = []
    options: dict[str, Any] = {}
    if name in ("returns", "contributions", "pnl"):
        options["start"] = "2012-11-01"
    for one in parameters:
        is_needed = one.default is one.empty and one.kind is not one.VAR_KEYWORD
        if one is not wrong and not is_needed and (one.name not in PLAUSIBLE or rng.random() < 0.8):
            continue
        value = anything(rng) if one is wrong else argument(rng, one.name, wrong=0.0)
        if one.kind is one.VAR_KEYWORD:
            options[str(rng.choice(NAMES))] = value
        elif one.kind in (one.POSITIONAL_ONLY, one.VAR_POSITIONAL):
            args.append(value)
        else:
            options[one.name] = value
    kept_inside = {"report": ("out", folder / "reports"), "tear_sheet": ("path", folder / "x.html"),
                   "vacuum": ("dry_run", True)}  # fmt: skip
    if name in kept_inside:
        option, place = kept_inside[name]
        if name == "vacuum" or not isinstance(options.get(option), int | float | list | dict):
            options[option] = place
    return f"{owner}{name}", lambda: function(*args, **options)


def store(rng: random.Random, options: dict[str, Any]) -> tuple[str, Callable[[], Any]]:
    """Return a call of a method of the bar store, or of a calendar."""
    of_calendar = rng.random() < 0.5
    subject: Any = ma.trading_calendar("NYSE") if of_calendar else ma.BarStore
    name = rng.choice(OF_CALENDARS if of_calendar else OF_STORES)
    if not of_calendar and rng.random() < 0.2:
        uri = rng.choice((None, anything(rng)))
        if isinstance(uri, str) and "://" in uri:
            uri = None
        return "BarStore", lambda: ma.BarStore(uri).symbols("1d")
    if not of_calendar:
        subject = ma.BarStore()
    method = getattr(subject, name)
    args, chosen = arguments(rng, method, wrong=0.4)
    if name == "vacuum":
        chosen["dry_run"] = True
    return f"{type(subject).__name__}.{name}", lambda: method(*args, **chosen)


def sql(rng: random.Random, folder: Path) -> tuple[str, Callable[[], Any]]:
    """Queries."""
    form = rng.randrange(4)
    query: Any = spoiled_text(rng, QUERY)
    if form == 0:
        query = " ".join(rng.choice(WORDS) for _ in range(rng.randrange(1, 9)))
    elif form == 1:
        words = QUERY.split()
        for _ in range(rng.randrange(1, 4)):
            words[rng.randrange(len(words))] = rng.choice((*WORDS, str(scalar(rng))))
        query = " ".join(words)
    elif form == 2 and rng.random() < 0.3:
        query = anything(rng)
    options: dict[str, Any] = {}
    if rng.random() < 0.25:
        options[rng.choice(("params", "user", "tz", "orders", "mine", str(scalar(rng))))] = (
            anything(rng)
        )
    return "sql", lambda: ma.sql(query, **options)
