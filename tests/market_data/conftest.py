"""A database with the packaged calendars, a store, and bars made by rule."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from mismartera_analytics import config
from mismartera_analytics.calendars.lookup import trading_calendar
from mismartera_analytics.calendars.packaged import sync_calendars
from mismartera_analytics.calendars.sessions import TradingCalendar
from mismartera_analytics.market_data import bar_files
from mismartera_analytics.market_data.places import place_of
from mismartera_analytics.market_data.store import BarStore
from mismartera_analytics.models import load_mappings
from mismartera_analytics.models.database import Base


@pytest.fixture
def records() -> None:
    """Fill the test's own database with tables and calendars."""
    from mismartera_analytics.models import database

    load_mappings()
    Base.metadata.create_all(database.engine)
    sync_calendars(["US_EQUITY"])


@pytest.fixture
def nyse(records: None) -> TradingCalendar:
    return trading_calendar("NYSE")


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """Run an S3 server in a process of its own, with one bucket named ``bars``."""
    pytest.importorskip("moto.server", reason="moto[server] is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    endpoint = f"http://127.0.0.1:{port}"
    request = urllib.request.Request(f"{endpoint}/bars", method="PUT")
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        for _ in range(300):
            try:
                direct.open(request, timeout=10)
                break
            except urllib.error.URLError:
                assert server.poll() is None, "the S3 server ended"
                time.sleep(0.1)
        yield endpoint
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def s3(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let the test reach the S3 server; the value is an empty prefix of its bucket."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return f"s3://bars/{uuid.uuid4().hex}"


@pytest.fixture(params=["disk", "s3"])
def either_uri(request: pytest.FixtureRequest) -> str:
    """Name a store on disk and one on S3 in turn."""
    if request.param == "disk":
        return config.settings().bar_store
    return str(request.getfixturevalue("s3"))


@pytest.fixture
def store_uri() -> str:
    """Name the store on disk; a module that tests both places returns `either_uri` instead."""
    return config.settings().bar_store


@pytest.fixture
def store(store_uri: str) -> Iterator[BarStore]:
    """Configure an empty store."""
    config.configure(bar_store=store_uri)
    bar_files.clear_cache()
    yield BarStore()
    bar_files.clear_cache()


def files_of(store: BarStore, *, ending: str = ".parquet") -> list[str]:
    """Return the paths of the store's files, those of the log left out."""
    found = (file.path for file in place_of(store.uri).listed())
    return sorted(p for p in found if p.endswith(ending) and "_delta_log" not in p)


def make_minutes(
    symbol: str = "AAPL", start: str = "2025-07-02T13:30Z", count: int = 5, seed: int = 0
) -> pd.DataFrame:
    """Bars that keep every rule, with times that follow one another by the minute."""
    rng = np.random.default_rng(seed)
    low = rng.uniform(50, 60, count).round(2)
    high = low + rng.uniform(1, 2, count).round(2)
    return pd.DataFrame(
        {
            "symbol": pd.Series([symbol] * count, dtype="str"),
            "timestamp": pd.date_range(start, periods=count, freq="1min", unit="us"),
            "open": low + 0.25,
            "high": high,
            "low": low,
            "close": low + 0.5,
            "volume": rng.integers(0, 10_000, count).astype(float),
        }
    )
