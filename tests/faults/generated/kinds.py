"""What is called with generated input: importers, recorders, the facade, queries, commands."""

from __future__ import annotations

import contextlib
import inspect
import io
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
import typer

import mismartera_analytics as ma
from mismartera_analytics.backtesting.samples import MovingAverageCross
from mismartera_analytics.calendars.files import export_holidays, import_holidays
from mismartera_analytics.cli.application import app
from mismartera_analytics.cli.application import run as command
from mismartera_analytics.market_data.actions import record_actions
from mismartera_analytics.market_data.instruments import record_instruments
from mismartera_analytics.models.database import SessionLocal
from mismartera_analytics.recording.session_configs import (
    check_session_config,
    load_session_config,
    save_session_config,
)
from tests.faults.generated.values import (
    anything,
    scalar,
    spoiled,
    spoiled_bytes,
    spoiled_text,
)
from tests.faults.nasty import NAMES

__all__ = ["KINDS", "Kind"]

Kind = Callable[[random.Random, Path], tuple[str, Callable[[], Any]]]
"""Makes an input: what is called, and the call."""

FILES = Path(__file__).parents[2] / "recording" / "brokers" / "files"
SCHWAB = (FILES / "schwab_2025.csv").read_text(encoding="utf-8-sig")
ORDERS = (FILES / "alpaca_orders.json").read_text()
ACTIVITIES = (FILES / "alpaca_activities.json").read_text()
MAPPED = (
    "Day,What,Ticker,Shares,Price,Fee,Id\n02/28/2013,Bought,IBM,10,200.25,1,a\n"
    "2013-03-01T10:00:00Z,Sold,IBM,5,201.5,,b\n"
)
MAPPING = {"symbol": "Ticker", "side": "What", "quantity": "Shares", "price": "Price",
           "filled_at": "Day", "commission": "Fee", "order_id": "Id"}  # fmt: skip
BARS = "timestamp,symbol,open,high,low,close,volume\n" + "".join(
    f"2004-01-{day:02d},AAPL,1,2,0.5,1.5,100\n" for day in (5, 6, 7, 8, 9)
)
HOLIDAYS = "date,holiday_name,is_closed,early_close_time\n2026-01-09,Mourning,1,\n2026-11-27,Day after,0,13:00\n"
YEARS = 'Holiday,2026,2027\nNew Year,"Thursday, January 1","Friday, January 1"\nVeto,—,\n'
CONFIG = (
    '{"session_name": "x", "exchange_group": "US_EQUITY", "mode": "backtest", "backtest_config": '
    '{"start_date": "2004-01-02", "end_date": "2005-12-30"}, "session_data_config": {"symbols": ["AAPL"], '
    '"streams": ["1d"]}, "trading_config": {"max_buying_power": 1000.0, "max_per_trade": 5.0}, '
    '"strategies": [{"module": "mismartera_analytics.backtesting.samples", "config": {"fast": 5}}], '
    '"metadata": {"a": [1, 2, {"b": null}]}}'
)
QUERY = (
    "select o.symbol, count(*) as n, sum(o.quantity * 1.5) as q from orders o join fills f on "
    "f.order_id = o.id where o.placed_at > '2004-01-02' and o.symbol in ('AAPL', 'IBM') "
    "group by o.symbol order by n limit 5"
)
WORDS = (
    "select", "from", "where", "*", "bars", "orders", "fills", "positions", "users", "accounts", "sqlite_master",
    "union all", "with recursive t(n) as (select 1 union all select n + 1 from t)", "copy", "attach", "pragma",
    "install httpfs", "load json", "set", "read_csv('/etc/passwd')", "read_parquet('x')", "range(10)", "'",
    "\"", "(", ")", ";", "--", "$1", "?", "null", "1/0", "cast('x' as int)", "interval '1 day'", "now()",
    "unnest([1, 2])", "drop table orders", "insert into orders values (1)", "describe", "show tables",
    "explain", "values (1)", "lateral", "pivot", "glob('/*')", "getenv('HOME')", "query('select 1')", "e'\\x'",
)  # fmt: skip


def in_transaction(call: Callable[..., Any], *args: Any, **options: Any) -> Callable[[], Any]:
    """Return a call that writes into a transaction which is undone."""

    def made() -> Any:
        with SessionLocal() as db_session:
            try:
                return call(*args, **options, db_session=db_session)
            finally:
                db_session.rollback()

    return made


def importer(text: str, suffix: str, **options: Any) -> Kind:
    """Return a maker of files like one, for `import_orders`."""

    def make(rng: random.Random, folder: Path) -> tuple[str, Callable[[], Any]]:
        path = folder / f"orders{suffix}"
        path.write_bytes(spoiled_bytes(rng, spoiled_text(rng, text)))
        chosen = dict(options)
        if rng.random() < 0.15:
            chosen[rng.choice(("broker", "mapping", "tz", "unsupported"))] = anything(rng)
        account = 1 if rng.random() < 0.9 else scalar(rng)
        return "import_orders", in_transaction(ma.import_orders, path, account=account, **chosen)

    return make


def orders_frame() -> pd.DataFrame:
    """Return two good orders."""
    when = pd.to_datetime(["2013-02-28 15:00", "2013-03-01 15:00"], utc=True)
    return pd.DataFrame({
        "broker_order_id": ["a", "b"], "symbol": ["IBM", "AAPL"], "side": ["BUY", "SELL"],
        "quantity": [10.0, 5.0], "order_type": "LIMIT", "price": [200.0, 450.0], "status": "FILLED",
        "filled_quantity": [10.0, 5.0], "average_fill_price": [199.0, 451.0], "commission": 1.0,
        "placed_at": when, "filled_at": when + pd.Timedelta("1min"), "currency": "USD",
    })  # fmt: skip


def fills_frame() -> pd.DataFrame:
    """Return their fills."""
    when = pd.to_datetime(["2013-02-28 15:01", "2013-03-01 15:01"], utc=True)
    return pd.DataFrame({"broker_order_id": ["a", "b"], "quantity": [10.0, 5.0], "price": [199.0, 451.0],
                         "filled_at": when, "commission": 0.5, "broker_fill_id": ["x", "y"]})  # fmt: skip


def flows_frame() -> pd.DataFrame:
    """Return good flows."""
    when = pd.to_datetime(["2013-02-28 15:00"] * 3, utc=True)
    return pd.DataFrame({"flow_type": ["DEPOSIT", "DIVIDEND", "FEE"], "occurred_at": when,
                         "amount": [100.0, 5.0, -1.0], "symbol": [None, "IBM", None],
                         "note": "n", "broker_flow_id": ["1", "2", "3"]})  # fmt: skip


def actions_frame() -> pd.DataFrame:
    """Return good corporate actions."""
    return pd.DataFrame({"symbol": ["AAPL", "IBM", "OLD"], "action_type": ["SPLIT", "CASH_DIVIDEND",
                         "SYMBOL_CHANGE"], "ex_date": ["2014-06-09", "2013-02-06", "2012-01-03"],
                         "ratio": [7.0, None, None], "amount": [None, 0.85, None],
                         "new_symbol": [None, None, "NEW"]})  # fmt: skip


def instruments_frame() -> pd.DataFrame:
    """Return good instruments."""
    return pd.DataFrame({"symbol": ["ES", "FDAX"], "exchange_group": ["CME", "US_EQUITY"],
                         "asset_class": ["FUTURES", "EQUITY"], "multiplier": [50.0, 1.0], "currency": "USD",
                         "valid_from": ["2001-01-02", None]})  # fmt: skip


def bars_frame() -> pd.DataFrame:
    """Return good daily bars."""
    return pd.DataFrame({
        "symbol": "AAPL", "timestamp": pd.to_datetime(["2004-01-05", "2004-01-06", "2004-01-07"]),
        "open": 1.0, "high": 2.0, "low": 0.5, "close": 1.5, "volume": 100.0,
    })  # fmt: skip


def recorded(rng: random.Random, folder: Path) -> tuple[str, Callable[[], Any]]:
    """Orders and fills."""
    fills = spoiled(rng, fills_frame) if rng.random() < 0.6 else rng.choice((None, anything(rng)))
    orders = spoiled(rng, orders_frame) if rng.random() < 0.95 else anything(rng)
    return "record_orders", in_transaction(ma.record_orders, orders, fills, account=1)


def flows(rng: random.Random, folder: Path) -> tuple[str, Callable[[], Any]]:
    """Cash flows."""
    given = spoiled(rng, flows_frame) if rng.random() < 0.95 else anything(rng)
    return "record_flows", in_transaction(ma.record_flows, given, account=1)


def actions(rng: random.Random, folder: Path) -> tuple[str, Callable[[], Any]]:
    """Corporate actions."""
    given = spoiled(rng, actions_frame) if rng.random() < 0.95 else anything(rng)
    return "record_actions", lambda: record_actions(given)


def instruments(rng: random.Random, folder: Path) -> tuple[str, Callable[[], Any]]:
    """Instruments, of frames and files."""
    given: Any = spoiled(rng, instruments_frame)
    if rng.random() < 0.4:
        given = folder / rng.choice(("i.csv", "i.csv.gz", "i.txt"))
        given.write_bytes(
            spoiled_bytes(rng, spoiled_text(rng, instruments_frame().to_csv(index=False)))
        )
    return "record_instruments", lambda: record_instruments(given)


def bars(rng: random.Random, folder: Path) -> tuple[str, Callable[[], Any]]:
    """Bars of frames and files."""
    options: dict[str, Any] = {"progress": False}
    if rng.random() < 0.2:
        name = rng.choice(("symbol", "columns", "tz", "decimal", "exchange", "aligned", "on_bad"))
        options[name] = anything(rng)
    if rng.random() < 0.1:
        options["on_bad"] = "quarantine"
    interval = "1d" if rng.random() < 0.9 else scalar(rng)
    given: Any = spoiled(rng, bars_frame)
    form = rng.randrange(4)
    if form == 1:
        given = folder / f"bars{rng.randrange(9)}.csv"
        given.write_bytes(spoiled_bytes(rng, spoiled_text(rng, BARS)))
    elif form == 2:
        path = folder / "bars.parquet"
        with contextlib.suppress(Exception):
            given.to_parquet(path)
            raw = bytearray(path.read_bytes())
            for _ in range(rng.randrange(3)):
                raw[rng.randrange(len(raw))] = rng.randrange(256)
            path.write_bytes(raw if rng.random() < 0.9 else raw[: rng.randrange(len(raw))])
            given = path
    return "ingest_bars", lambda: ma.ingest_bars(given, interval, **options)


def holidays(rng: random.Random, folder: Path) -> tuple[str, Callable[[], Any]]:
    """Holidays of files."""
    json = '[{"date": "2026-01-09", "holiday_name": "x", "is_closed": true}, {"date": "2026-11-27", ' \
           '"is_closed": 0, "early_close_time": "13:00"}]'  # fmt: skip
    text, suffix = rng.choice(((HOLIDAYS, ".csv"), (YEARS, ".csv"), (json, ".json")))
    path = folder / f"holidays{suffix}"
    path.write_bytes(spoiled_bytes(rng, spoiled_text(rng, text)))
    exchange = "NYSE" if rng.random() < 0.95 else scalar(rng)
    if rng.random() < 0.03:
        year = scalar(rng)
        return "export_holidays", lambda: export_holidays(folder / "out.csv", exchange, year=year)
    return "import_holidays", in_transaction(import_holidays, path, exchange)


def configs(rng: random.Random, folder: Path) -> tuple[str, Callable[[], Any]]:
    """Session configurations."""
    text: Any = spoiled_text(rng, CONFIG)
    form = rng.randrange(5)
    if form == 0:
        text = anything(rng)
    elif form == 1:
        text = {key: anything(rng) for key in rng.sample(
            ["mode", "strategies", "trading_config", "metadata", "backtest_config", "session_data_config"], 2)}  # fmt: skip
    if form == 2:
        name = scalar(rng)
        return "load_session_config", lambda: load_session_config(name)
    if form == 3:
        name = scalar(rng)
        return "save_session_config", in_transaction(save_session_config, name, text)
    return "check_session_config", lambda: check_session_config(text)


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


def store(rng: random.Random, options: dict[str, Any]) -> tuple[str, Callable[[], Any]]:
    """Return a call of a method of the bar store, or of a calendar."""
    of_calendar = rng.random() < 0.5
    subject: Any = ma.trading_calendar("NYSE") if of_calendar else ma.BarStore
    listed = ("session", "sessions", "is_open", "phase", "next_session", "previous_session", "offset", "count",
              "minutes", "session_of", "holidays", "is_session", "labels", "opens", "closes") if of_calendar else (
              "read", "coverage", "versions", "symbols", "version", "write", "dataset", "vacuum")  # fmt: skip
    name = rng.choice(listed)
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


def _commands() -> Iterator[tuple[list[str], click.Command]]:
    waiting: list[tuple[list[str], Any]] = [([], typer.main.get_command(app))]
    while waiting:
        words, found = waiting.pop()
        inner = getattr(found, "commands", None)
        if inner is None:
            yield words, found
            continue
        waiting += [([*words, name], one) for name, one in inner.items()]


LEFT_OUT = (
    ["demo"],
    ["notebook", "run"],
    ["report", "batch"],
    ["report"],
    ["db", "copy"],
    ["backup"],
    ["restore"],
)
COMMANDS = [(words, one) for words, one in _commands() if words not in LEFT_OUT]


def cli(rng: random.Random, folder: Path) -> tuple[str, Callable[[], Any]]:
    """Words of the command line."""
    words, chosen = rng.choice(COMMANDS)
    given = list(words)
    for parameter in chosen.params:
        if parameter.param_type_name == "argument":
            if rng.random() < 0.95:
                given.append(_word(rng, parameter.name or "", folder))
        elif rng.random() < 0.2:
            given.append(rng.choice(parameter.opts))
            if not getattr(parameter, "is_flag", False):
                given.append(_word(rng, parameter.name or "", folder))
    if rng.random() < 0.1:
        given.append(str(scalar(rng)))

    def called() -> int:
        out, err = io.StringIO(), io.StringIO()
        before = sys.stdin
        sys.stdin = io.StringIO("")
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = command(given)
        finally:
            sys.stdin = before
        assert code in (0, 1, 2), code
        assert "Traceback" not in err.getvalue(), err.getvalue()
        return code

    return "cli " + " ".join(words), called


def _word(rng: random.Random, name: str, folder: Path) -> str:
    fitting = PLAUSIBLE.get(name, ())
    if name in ("output", "path", "file", "out", "target", "source") or "path" in name:
        return str(folder / rng.choice(("x.csv", "x.json", "x.png", "none", "\udcff")))
    if fitting and rng.random() < 0.6:
        return str(rng.choice(fitting))
    return str(scalar(rng))


KINDS: dict[str, tuple[Kind, int]] = {
    "schwab": (importer(SCHWAB, ".csv"), 9_000),
    "alpaca orders": (importer(ORDERS, ".json", broker="alpaca"), 8_000),
    "alpaca activities": (importer(ACTIVITIES, ".json", broker="alpaca"), 7_000),
    "mapped": (importer(MAPPED, ".csv", mapping=MAPPING, broker="other", tz="UTC"), 8_000),
    "orders": (recorded, 10_000),
    "flows": (flows, 7_000),
    "actions": (actions, 4_000),
    "instruments": (instruments, 3_000),
    "bars": (bars, 8_000),
    "holidays": (holidays, 6_000),
    "configs": (configs, 8_000),
    "facade": (facade, 14_000),
    "sql": (sql, 5_000),
    "cli": (cli, 3_000),
}
"""Makers, and how many inputs of each the full form has: 100,000."""
