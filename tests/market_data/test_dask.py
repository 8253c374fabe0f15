"""Bars as a Dask DataFrame: lazy, with the types and the answers of a read, on worker processes too."""

from __future__ import annotations

import builtins
import datetime as dt
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mismartera_analytics.errors import (
    BarsNotFoundError,
    InvalidInputError,
    MissingDependencyError,
    UnknownNameError,
)
from mismartera_analytics.market_data import bar_files
from mismartera_analytics.market_data.store import BarStore
from tests.market_data.conftest import make_minutes
from tests.market_data.test_store import daily

pytest.importorskip("dask.dataframe", reason="dask is not installed")
pytest.importorskip("distributed", reason="distributed is not installed")

SYMBOLS = ["AAPL", "IBM", "MSFT"]
NEW_YEAR = pd.Timestamp("2026-01-01T00:00Z")


@pytest.fixture
def store_uri(either_uri: str) -> str:
    return either_uri


@pytest.fixture
def filled(store: BarStore) -> BarStore:
    """Minutes of three symbols over a turn of the year, and some sessions of two."""
    parts = [make_minutes(s, "2025-12-31T20:00Z", 600, i) for i, s in enumerate(SYMBOLS)]
    store.write(pd.concat(parts), "1m")
    store.write(
        pd.concat([daily("AAPL", ["2024-12-31", "2025-01-02"]), daily("IBM", ["2025-01-03"])]), "1d"
    )
    return store


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Two worker processes, started afresh."""
    from distributed import Client, LocalCluster

    cluster = LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0
    )
    with cluster, Client(cluster, set_as_default=False) as client:
        yield client


def test_realised_volatility_on_two_worker_processes_is_the_local_one(
    filled: BarStore, client: Any
) -> None:
    def realised_volatility(bars: pd.DataFrame) -> pd.Series:
        returns = np.log(bars["close"]).groupby(level="symbol").diff()
        return np.sqrt((returns**2).groupby(level="symbol").sum()).rename("volatility")

    def take(environment: dict[str, str]) -> None:
        import os

        os.environ.update(environment)

    client.run(take, dict(os.environ))  # the server's address and credentials
    bars = filled.dask(SYMBOLS, "1m", "2025-12-31T20:00Z")
    meta = pd.Series(dtype="float64", name="volatility")
    found = client.compute(bars.map_partitions(realised_volatility, meta=meta)).result()
    local = realised_volatility(filled.read(SYMBOLS, "1m").set_index("symbol"))
    assert found.index.tolist() == SYMBOLS
    np.testing.assert_array_equal(found.to_numpy(), local.to_numpy())
    assert os.getpid() not in client.run(os.getpid).values()


@pytest.mark.parametrize("partitions", ["symbol", "period"])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"columns": ["close"]},
        {"columns": "volume", "tz": "America/New_York"},
        {"start": NEW_YEAR},
        {"start": "2020-01-01T00:00Z", "end": "2020-01-02T00:00Z"},
        {"as_of": 0},
    ],
)
def test_computed_it_is_a_read(
    filled: BarStore, partitions: Any, arguments: dict[str, Any]
) -> None:
    lazy = filled.dask(SYMBOLS, "1m", partitions=partitions, **arguments)
    computed = lazy.compute(scheduler="sync")
    read = filled.read(SYMBOLS, "1m", **arguments)
    pd.testing.assert_frame_equal(computed.reset_index(), read)
    meta = lazy._meta
    pd.testing.assert_frame_equal(meta, computed.iloc[:0])
    assert lazy.known_divisions == (partitions == "symbol" or lazy.npartitions == 3)


def test_divisions_and_partitions(filled: BarStore) -> None:
    by_symbol = filled.dask(SYMBOLS, "1m")
    assert by_symbol.divisions == ("AAPL", "IBM", "MSFT", "MSFT")
    assert filled.dask(SYMBOLS, "1m", partitions="period").npartitions == 6
    of_this_year = filled.dask(SYMBOLS, "1m", NEW_YEAR, partitions="period")
    assert of_this_year.divisions == by_symbol.divisions
    ibm = by_symbol.loc["IBM"]
    assert ibm.npartitions == 1
    pd.testing.assert_frame_equal(ibm.compute().reset_index(), filled.read("IBM", "1m"))
    means = by_symbol.groupby("symbol")["close"].mean().compute()
    expected = filled.read(SYMBOLS, "1m").groupby("symbol")["close"].mean()
    np.testing.assert_allclose(means.loc[SYMBOLS], expected.loc[SYMBOLS], rtol=1e-12)


def test_of_a_session_and_longer(filled: BarStore) -> None:
    for partitions in ("symbol", "period"):
        lazy = filled.dask(["AAPL", "IBM"], "1d", "2024-12-31", "2025-01-02", partitions=partitions)  # type: ignore[arg-type]
        read = filled.read(["AAPL", "IBM"], "1d", "2024-12-31", "2025-01-02")
        pd.testing.assert_frame_equal(lazy.compute(scheduler="sync").reset_index(), read)


def test_nothing_is_read_before_and_the_version_stays(
    filled: BarStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    bar_files.clear_cache()
    lazy = filled.dask("AAPL", "1m")
    assert bar_files.cached_bytes() == 0
    before = filled.read("AAPL", "1m")
    filled.write(make_minutes("AAPL", "2025-12-31T20:00Z", 600, 9), "1m")
    pd.testing.assert_frame_equal(lazy.compute(scheduler="sync").reset_index(), before)


def test_adjusted_as_a_read_is(store: BarStore, records: None) -> None:
    from mismartera_analytics.market_data.actions import record_actions

    sessions = ["2025-01-02", "2025-01-03", "2025-01-06"]
    store.write(pd.concat([daily(s, sessions) for s in ("AAPL", "IBM")]), "1d")
    store.write(make_minutes("AAPL", "2025-01-03T14:30Z", 5000), "1m")
    record_actions(
        pd.DataFrame(
            {
                "symbol": ["AAPL", "IBM"],
                "action_type": ["SPLIT", "CASH_DIVIDEND"],
                "ex_date": ["2025-01-06", "2025-01-06"],
                "ratio": [4.0, None],
                "amount": [None, 0.5],
            }
        )
    )
    for kind in ("split", "all"):
        for symbols, interval in ((["AAPL", "IBM"], "1d"), (["AAPL"], "1m")):
            read = store.read(symbols, interval, adjust=kind)  # type: ignore[arg-type]
            raw = store.read(symbols, interval)
            assert not np.array_equal(read["close"], raw["close"])
            lazy = store.dask(symbols, interval, adjust=kind)  # type: ignore[arg-type]
            pd.testing.assert_frame_equal(lazy.compute(scheduler="sync").reset_index(), read)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"symbols": "APPL"}, BarsNotFoundError, "did you mean 'AAPL'"),
        ({"symbols": []}, InvalidInputError, "symbols is empty"),
        ({"start": "2025-07-03", "end": "2025-07-02"}, InvalidInputError, "before start"),
        ({"columns": "clos"}, UnknownNameError, "did you mean 'close'"),
        ({"tz": "Mars"}, InvalidInputError, "tz='Mars'"),
        ({"adjust": "dividends"}, InvalidInputError, "None, 'split' or 'all'"),
        ({"as_of": 7}, InvalidInputError, "as_of=7"),
        ({"as_of": dt.datetime(2025, 7, 2)}, InvalidInputError, "as_of="),
        ({"partitions": "month"}, InvalidInputError, "'symbol' or 'period'"),
    ],
)
def test_bad_arguments_are_named_at_once(
    filled: BarStore, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        filled.dask(**{"symbols": "AAPL", "interval": "1d", **arguments})


def test_without_dask_the_extra_is_named(filled: BarStore, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def no_dask(name: str, *arguments: Any, **options: Any) -> Any:
        if name.partition(".")[0] == "dask":
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", no_dask)
    with pytest.raises(MissingDependencyError, match=r"mismartera-analytics\[distributed\]"):
        filled.dask("AAPL", "1d")
