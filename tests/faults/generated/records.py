"""What is read and recorded: brokers' files, frames of records, bars, holidays, configurations."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mismartera_analytics as ma
from mismartera_analytics.calendars.files import export_holidays, import_holidays
from mismartera_analytics.market_data.actions import record_actions
from mismartera_analytics.market_data.instruments import record_instruments
from mismartera_analytics.models.database import SessionLocal
from mismartera_analytics.recording.session_configs import (
    check_session_config,
    load_session_config,
    save_session_config,
)
from tests.faults.generated.samples import (
    BARS,
    CONFIG,
    HOLIDAYS,
    YEARS,
    actions_frame,
    bars_frame,
    fills_frame,
    flows_frame,
    instruments_frame,
    orders_frame,
)
from tests.faults.generated.values import (
    anything,
    scalar,
    spoiled,
    spoiled_bytes,
    spoiled_text,
)

__all__ = [
    "Kind",
    "actions",
    "bars",
    "configs",
    "flows",
    "holidays",
    "importer",
    "instruments",
    "recorded",
]

Kind = Callable[[random.Random, Path], tuple[str, Callable[[], Any]]]
"""Makes an input: what is called, and the call."""


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
