"""Frames and files on their way in: what is found by itself, what is refused, what is put aside."""

from __future__ import annotations

import datetime as dt
import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics.calendars.sessions import TradingCalendar
from mismartera_analytics.errors import (
    InvalidBarsError,
    InvalidInputError,
    NaiveDatetimeError,
    StorageError,
    UnknownNameError,
)
from mismartera_analytics.market_data import intake, sources
from mismartera_analytics.market_data.store import BarStore
from tests.market_data.conftest import make_minutes

NEW_YORK = "America/New_York"
HEADER = "symbol,timestamp,open,high,low,close,volume\n"
ROWS = [
    "AAPL,2025-07-02 09:30:00,10,11,9,10.5,100",
    "AAPL,2025-07-02 09:31:00,10.5,10.5,10,10,200",
    "MSFT,2025-07-02 09:30:00,20,21,19,20.5,300",
]
pytestmark = pytest.mark.usefixtures("records")


def csv(folder: Path, *rows: str, name: str = "bars.csv", header: str = HEADER) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    text = header + "".join(f"{row}\n" for row in rows)
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize("name", ["bars.csv", "BARS.CSV.GZ", "a.csv.gz"])
def test_a_file_becomes_bars(tmp_path: Path, store: BarStore, name: str) -> None:
    name = name.lower() if name.endswith("GZ") else name
    summary = ma.ingest_bars(csv(tmp_path / "in", *ROWS, name=name), "1m", tz=NEW_YORK)
    assert (summary.rows, summary.symbols, summary.version) == (3, ("AAPL", "MSFT"), 0)
    assert summary.first == pd.Timestamp("2025-07-02 09:30", tz=NEW_YORK)
    assert summary.last == pd.Timestamp("2025-07-02 09:31", tz=NEW_YORK)
    assert summary.bad.empty
    assert repr(summary) == (
        "3 1m bars of AAPL, MSFT, 2025-07-02 13:30 to 2025-07-02 13:31 UTC, in version 0"
    )
    assert summary.quarantine is None
    read = store.read("AAPL", "1m", tz=NEW_YORK)
    assert read["close"].tolist() == [10.5, 10.0]
    assert read["timestamp"].iloc[0].isoformat() == "2025-07-02T09:30:00-04:00"


def test_the_same_again_makes_no_version_and_more_makes_one(
    tmp_path: Path, store: BarStore
) -> None:
    file = csv(tmp_path / "in", *ROWS)
    assert ma.ingest_bars(file, "1m", tz=NEW_YORK).version == 0
    assert ma.ingest_bars(file, "1m", tz=NEW_YORK).version == 0
    more = csv(tmp_path / "in", *ROWS, "IBM,2025-07-02 09:30:00,1,1,1,1,0")
    assert ma.ingest_bars(more, "1m", tz=NEW_YORK).version == 1


def test_a_folder_of_files_named_by_their_symbols(tmp_path: Path, store: BarStore) -> None:
    header = "Date,Open,High,Low,Close,Adj Close,Volume\n"
    for symbol, price in [("AAPL", 10), ("BRK.B", 20)]:
        row = f"2025-07-02,{price},{price},{price},{price},1,100"
        csv(tmp_path / "in" / symbol[0], row, name=f"{symbol}.csv", header=header)
    summary = ma.ingest_bars(tmp_path / "in", "1d")
    assert summary.symbols == ("AAPL", "BRK.B")
    read = store.read(["AAPL", "BRK.B"], "1d", tz=NEW_YORK)
    assert read["close"].tolist() == [10.0, 20.0]
    assert read["session"].tolist() == [pd.Timestamp("2025-07-02")] * 2
    assert read["timestamp"].iloc[0].isoformat() == "2025-07-02T09:30:00-04:00"


def test_columns_by_option_and_an_index_of_times(store: BarStore) -> None:
    frame = pd.DataFrame(
        {"o": [10.0], "h": [11.0], "l": [9.0], "px": [10.5], "shares": [7]},
        index=pd.DatetimeIndex(["2025-07-02 13:30"], tz="UTC", name="when"),
    )
    ma.ingest_bars(frame, "1m", symbol="AAPL", columns={"timestamp": "when", "close": "px"})
    assert store.read("AAPL", "1m")["close"].tolist() == [10.5]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"columns": {"clos": "close"}}, UnknownNameError, "did you mean 'close'"),
        ({"columns": {"close": "Clse"}}, UnknownNameError, r"columns\['close'\]='Clse'.*'close'"),
        ({"symbol": "AAPL"}, InvalidInputError, "leave symbol out"),
        ({"symbol": "../x"}, InvalidInputError, "1 to 10 characters"),
        ({"tz": "New York"}, InvalidInputError, "tz='New York'"),
        ({"tz": None}, NaiveDatetimeError, "tz='America/New_York'"),
        ({"on_bad": "drop"}, InvalidInputError, "'raise' or 'quarantine'"),
        ({"aligned": "hour"}, InvalidInputError, "'session' or 'clock'"),
        ({"exchange": "NYSY"}, UnknownNameError, "exchange='NYSY'"),
        ({"interval": "1min"}, InvalidInputError, "not an interval"),
    ],
)
def test_bad_options_are_named(
    tmp_path: Path,
    store: BarStore,
    options: dict[str, object],
    error: type[Exception],
    message: str,
) -> None:
    arguments = {"interval": "1m", "tz": NEW_YORK, **options}
    with pytest.raises(error, match=message):
        ma.ingest_bars(csv(tmp_path / "in", *ROWS), **arguments)  # type: ignore[arg-type]
    assert not Path(store.uri).exists()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("AAPL,2025-07-02 09:32:00,,11,9,10,1", "open no finite number"),
        ("AAPL,2025-07-02 09:32:00,10,inf,9,10,1", "high no finite number"),
        ("AAPL,2025-07-02 09:32:00,10,11,NaN,10,1", "low no finite number"),
        ("AAPL,2025-07-02 09:32:00,10,11,9,0,1", "close not positive"),
        ("AAPL,2025-07-02 09:32:00,-1,11,-2,10,1", "open not positive"),
        ("AAPL,2025-07-02 09:32:00,12,11,9,10,1", "open above high"),
        ("AAPL,2025-07-02 09:32:00,8,11,9,10,1", "open below low"),
        ("AAPL,2025-07-02 09:32:00,10,11,9,12,1", "close above high"),
        ("AAPL,2025-07-02 09:32:00,10,11,9,8,1", "close below low"),
        ("AAPL,2025-07-02 09:32:00,10,11,9,10,-1", "volume negative"),
        ("AAPL,2025-07-02 09:32:00,10,11,9,10,", "volume no finite number"),
        ("AAPL,2025-07-02 09:32:30,10,11,9,10,1", "a time off the 1m grid"),
        ("AAPL,2025-07-02 09:31:00,10,11,9,10,1", "a repeated symbol and time"),
        ("AAPL,yesterday,10,11,9,10,1", "no time"),
        ("AAPL,,10,11,9,10,1", "no time"),
        ("AAPL,2025-03-09 02:30:00,10,11,9,10,1", "skipped or doubled"),
        ("AAPL,2025-11-02 01:30:00,10,11,9,10,1", "skipped or doubled"),
        (",2025-07-02 09:32:00,10,11,9,10,1", "an invalid symbol"),
        ("../../etc,2025-07-02 09:32:00,10,11,9,10,1", "an invalid symbol"),
        ("ABCDEFGHIJK,2025-07-02 09:32:00,10,11,9,10,1", "1 to 10 characters"),
        ("AAPL,2025-07-02 09:32:00,10,1", "close no finite number"),  # half written
    ],
)
def test_a_bad_row_is_refused_or_put_aside(
    tmp_path: Path, store: BarStore, row: str, reason: str
) -> None:
    file = csv(tmp_path / "in", *ROWS, row)
    with pytest.raises(InvalidBarsError, match="1 of 4 bars are bad") as raised:
        ma.ingest_bars(file, "1m", tz=NEW_YORK)
    assert reason in str(raised.value)
    assert f"{file} row 5" in str(raised.value)
    assert raised.value.bad["row"].tolist() == [5]
    assert not Path(store.uri).exists(), "something was written"
    summary = ma.ingest_bars(file, "1m", tz=NEW_YORK, on_bad="quarantine")
    assert summary.rows == 3
    assert reason in summary.bad["reason"].item()
    assert summary.bad["row"].item() == 5
    assert summary.quarantine is not None
    assert len(pd.read_csv(summary.quarantine)) == 1
    assert len(store.read(["AAPL", "MSFT"], "1m")) == 3


def test_many_bad_rows_are_counted_and_the_first_ones_shown(tmp_path: Path) -> None:
    rows = [f"AAPL,2025-07-02 10:{i:02}:00,10,9,8,8.5,-1" for i in range(8)]
    with pytest.raises(InvalidBarsError) as raised:
        ma.ingest_bars(csv(tmp_path / "in", *rows, *ROWS), "1m", tz=NEW_YORK)
    message = str(raised.value)
    assert "8 of 11 bars are bad (8 with open above high, 8 with volume negative)" in message
    assert message.count(" row ") == 5
    assert "open above high; volume negative" in raised.value.bad["reason"].iloc[0]


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b"", InvalidBarsError, "empty"),
        (b"symbol,timestamp,open\n", InvalidBarsError, "no column for high, low, close, volume"),
        (HEADER.encode() + b"A,2025-07-02 09:30:00,1,1,1,1,1,1\n" * 2, InvalidBarsError, "more f"),
        (
            HEADER.encode() + b"A,2025-07-02 09:30:00,1,1,1,1,1\nB,x,1,1,1,1,1,9\n",
            InvalidBarsError,
            "CSV",
        ),
        (b"\xff\xfe\x00\x01" * 10, InvalidBarsError, "in.csv"),
    ],
)
def test_files_that_are_no_bars(
    tmp_path: Path, store: BarStore, content: bytes, error: type[Exception], message: str
) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(content)
    with pytest.raises(error, match=message):
        ma.ingest_bars(path, "1m", tz=NEW_YORK)
    assert not Path(store.uri).exists()


def test_only_a_header_is_no_bars_and_no_error(tmp_path: Path, store: BarStore) -> None:
    summary = ma.ingest_bars(csv(tmp_path / "in"), "1m", tz=NEW_YORK)
    assert (summary.rows, summary.symbols, summary.first, summary.version) == (0, (), None, -1)


def test_a_half_written_archive_is_said(tmp_path: Path, store: BarStore) -> None:
    file = csv(tmp_path / "in", *(ROWS * 1000), name="bars.csv.gz")
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(StorageError, match="only half written"):
        ma.ingest_bars(file, "1m", tz=NEW_YORK)


@pytest.mark.parametrize("path", ["nothing.csv", "bars.xlsx", "empty_folder"])
def test_paths_that_hold_nothing(tmp_path: Path, path: str) -> None:
    (tmp_path / "bars.xlsx").write_bytes(b"x")
    (tmp_path / "empty_folder").mkdir()
    with pytest.raises(InvalidInputError, match=path):
        ma.ingest_bars(tmp_path / path, "1m")


def test_zones_are_not_mixed_in_silence(tmp_path: Path) -> None:
    both = csv(tmp_path / "in", ROWS[0], "AAPL,2025-07-02 09:31:00-04:00,10,10,10,10,1")
    with pytest.raises(NaiveDatetimeError, match="row 2 for instance"):
        ma.ingest_bars(both, "1m", tz=NEW_YORK)


def test_offsets_of_several_zones_are_instants(tmp_path: Path, store: BarStore) -> None:
    rows = [
        "AAPL,2025-07-02T09:30:00-04:00,10,10,10,10,1",
        "AAPL,2025-07-02T13:31:00Z,10,10,10,10,2",
        "AAPL,2025-07-02T15:32:00+0200,10,10,10,10,3",
    ]
    ma.ingest_bars(csv(tmp_path / "in", *rows), "1m")
    read = store.read("AAPL", "1m")
    assert read["timestamp"].dt.strftime("%H:%M").tolist() == ["13:30", "13:31", "13:32"]


def test_numbers_are_no_times_but_dates_without_dashes_are(tmp_path: Path, store: BarStore) -> None:
    with pytest.raises(InvalidInputError, match="to_datetime"):
        ma.ingest_bars(make_minutes().assign(timestamp=1_751_463_000), "1m")
    ma.ingest_bars(make_minutes(count=1).assign(timestamp=20250702), "1d")
    assert store.read("AAPL", "1d")["session"].tolist() == [pd.Timestamp("2025-07-02")]


def test_a_symbol_that_looks_like_a_missing_value_or_a_truth(
    tmp_path: Path, store: BarStore
) -> None:
    rows = [f"{name},2025-07-02 09:30:00,1,1,1,1,1" for name in ("NA", "NAN", "TRUE", "NULL")]
    ma.ingest_bars(csv(tmp_path / "in", *rows), "1m", tz=NEW_YORK)
    assert store.symbols("1m") == ["NA", "NAN", "NULL", "TRUE"]


@pytest.mark.parametrize(
    "when",
    [
        "2025-07-02",
        "2025-07-02 00:00:00",
        "2025-07-02T00:00:00-04:00",
        "2025-07-02T09:30:00-04:00",
        "2025-07-02T20:00:00Z",
        dt.date(2025, 7, 2),
        dt.datetime(2025, 7, 2),
        pd.Timestamp("2025-07-02", tz=NEW_YORK),
        pd.Timestamp("2025-07-02", tz="Europe/Berlin"),
    ],
)
def test_a_daily_bar_starts_at_its_session_s_open(store: BarStore, when: object) -> None:
    if when == "2025-07-02T00:00:00-04:00":
        when = pd.Timestamp(when).tz_convert(NEW_YORK)
    elif when == "2025-07-02T20:00:00Z":
        when = "2025-07-02T19:59:00Z"
    ma.ingest_bars(make_minutes(count=1).assign(timestamp=[when]), "1d")
    read = store.read("AAPL", "1d", tz=NEW_YORK)
    assert read["timestamp"].item().isoformat() == "2025-07-02T09:30:00-04:00"
    assert read["session"].item() == pd.Timestamp("2025-07-02")


@pytest.mark.parametrize("day", ["2025-07-04", "2025-07-05", "1950-01-03", "2999-01-03"])
def test_a_day_without_a_session_is_bad(store: BarStore, day: str) -> None:
    with pytest.raises(InvalidBarsError, match="no session of the calendar, or beyond") as raised:
        ma.ingest_bars(make_minutes(count=1).assign(timestamp=day), "1d")
    assert day in str(raised.value)


def test_weeks_and_months_start_with_their_first_session(store: BarStore) -> None:
    bars = make_minutes(count=2)
    ma.ingest_bars(bars.assign(timestamp=["2025-05-26", "2025-06-02"]), "1w")  # Memorial Day
    assert store.read("AAPL", "1w")["session"].astype("str").tolist() == [
        "2025-05-27",
        "2025-06-02",
    ]
    ma.ingest_bars(bars.assign(timestamp=["2025-06-01", "2025-07-01"]), "1mo")
    assert store.read("AAPL", "1mo")["session"].astype("str").tolist() == [
        "2025-06-02",
        "2025-07-01",
    ]


def test_pieces_and_spilled_pieces_give_the_same_as_the_whole(
    tmp_path: Path, store: BarStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars = pd.concat([make_minutes(s, count=300, seed=i) for i, s in enumerate("ABC")])
    shuffled = bars.sample(frac=1, random_state=3)
    shuffled.to_csv(tmp_path / "in.csv", index=False)
    monkeypatch.setattr(
        sources.read_pieces,
        "__kwdefaults__",
        {**(sources.read_pieces.__kwdefaults__ or {}), "chunk_rows": 70},
    )
    monkeypatch.setattr(intake, "SPILL_BYTES", 9_000)
    summary = ma.ingest_bars(tmp_path / "in.csv", "1m")
    assert (summary.rows, summary.version) == (900, 0)
    whole = BarStore(tmp_path / "whole")
    whole.write(bars, "1m")
    pd.testing.assert_frame_equal(store.read(list("ABC"), "1m"), whole.read(list("ABC"), "1m"))


def test_a_repeat_in_another_piece_is_found_before_anything_is_written(
    tmp_path: Path, store: BarStore
) -> None:
    for name in ("a.csv", "b.csv"):
        csv(tmp_path / "in", *ROWS, name=name)
    with pytest.raises(InvalidBarsError, match="a repeated symbol and time"):
        ma.ingest_bars(tmp_path / "in", "1m", tz=NEW_YORK)
    assert store.version("1m") == -1
    assert not list(Path(store.uri).rglob("*.parquet"))
    summary = ma.ingest_bars(tmp_path / "in", "1m", tz=NEW_YORK, on_bad="quarantine")
    assert (summary.rows, len(summary.bad)) == (3, 3)


def test_real_minutes_keep_every_row(shared_data: Path, store: BarStore) -> None:
    file = shared_data / "us_equity" / "minute_SPY_2013-10.csv.gz"
    raw = pd.read_csv(file)
    assert ma.ingest_bars(file, "1m", tz=NEW_YORK).rows == len(raw)
    read = store.read("SPY", "1m", tz=NEW_YORK)
    assert read["timestamp"].dt.strftime("%Y-%m-%d %H:%M:%S").tolist() == raw["timestamp"].tolist()
    for name in ("open", "high", "low", "close", "volume"):
        np.testing.assert_array_equal(read[name], raw[name])
    one_day = store.read("SPY", "1m", "2013-10-08", "2013-10-08")
    assert len(one_day) == raw["timestamp"].str.startswith("2013-10-08").sum()


def test_hours_of_the_clock_must_be_declared_and_then_start_at_the_open(
    shared_data: Path, store: BarStore, nyse: TradingCalendar
) -> None:
    file = shared_data / "us_equity" / "hour_AAPL.csv.gz"
    with pytest.raises(InvalidBarsError, match="aligned='clock'"):
        ma.ingest_bars(file, "1h", tz=NEW_YORK)
    ma.ingest_bars(file, "60m", tz=NEW_YORK, aligned="clock")
    read = store.read("AAPL", "1h", tz=NEW_YORK)
    raw = pd.read_csv(file)
    assert len(read) == len(raw) == 20_000
    clock = read["timestamp"].dt.strftime("%H:%M")
    nines = raw["timestamp"].str.contains(" 09:00")
    assert (clock[nines] == "09:30").all()
    assert (clock[~nines] == raw["timestamp"].str.slice(11, 16)[~nines]).all()
    assert (
        read["timestamp"].isin(nyse.opens(nyse.labels("2009-11-06", "2021-03-31"))).sum()
        == nines.sum()
    )


def test_progress_is_silent_outside_a_terminal(
    tmp_path: Path, store: BarStore, capsys: pytest.CaptureFixture[str]
) -> None:
    file = csv(tmp_path / "in", *ROWS)
    ma.ingest_bars(file, "1m", tz=NEW_YORK)
    assert capsys.readouterr().err == ""
    ma.ingest_bars(file, "1m", tz=NEW_YORK, progress=True)
    assert "bars" in capsys.readouterr().err


def test_offsets_of_whole_hours_as_postgresql_writes_them(tmp_path: Path, store: BarStore) -> None:
    """One file may hold both offsets of New York."""
    rows = ["AAPL,2025-03-07 09:30:00-05,1,1,1,1,1", "AAPL,2025-03-10 09:30:00-04,1,1,1,1,1"]
    ma.ingest_bars(csv(tmp_path / "in", *rows), "1m")
    read = store.read("AAPL", "1m")["timestamp"]
    assert read.dt.strftime("%d %H:%M").tolist() == ["07 14:30", "10 13:30"]
    mixed = csv(tmp_path / "mixed", rows[0], "AAPL,2025-03-10 09:30:00,1,1,1,1,1")
    with pytest.raises(NaiveDatetimeError, match=r"row 3 for instance \(2025-03-10 09:30:00\)"):
        ma.ingest_bars(mixed, "1m", tz=NEW_YORK)


@pytest.mark.parametrize("dtype", ["date32[pyarrow]", "timestamp[us][pyarrow]"])
def test_dates_of_arrow(store: BarStore, dtype: str) -> None:
    bars = make_minutes(count=1).assign(timestamp=pd.to_datetime(["2025-07-02"]))
    ma.ingest_bars(bars.astype({"timestamp": dtype}), "1d")
    assert store.read("AAPL", "1d")["session"].tolist() == [pd.Timestamp("2025-07-02")]


@pytest.mark.parametrize("source", [None, b"bars.csv", 7])
def test_what_is_no_source_is_named(source: object) -> None:
    with pytest.raises(InvalidInputError, match="source="):
        ma.ingest_bars(source, "1m")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("interval", "day", "session"),
    [
        ("1w", "2025-04-18", "2025-04-14"),  # Good Friday
        ("1w", "2025-07-04", "2025-06-30"),  # a Friday
        ("1mo", "2025-05-31", "2025-05-01"),  # a Saturday
        ("1mo", "2025-08-31", "2025-08-01"),  # a Sunday before Labor Day
    ],
)
def test_a_period_is_named_by_its_last_day_though_the_market_is_closed(
    store: BarStore, interval: str, day: str, session: str
) -> None:
    ma.ingest_bars(make_minutes(count=1).assign(timestamp=day), interval)
    assert store.read("AAPL", interval)["session"].tolist() == [pd.Timestamp(session)]


@pytest.mark.parametrize("day", ["2025-06-07", "2025-06-08"])
def test_a_weekend_names_no_week(store: BarStore, day: str) -> None:
    """pandas' resample("W") means the week that ends there, others the one that begins."""
    with pytest.raises(InvalidBarsError, match=day):
        ma.ingest_bars(make_minutes(count=1).assign(timestamp=day), "1w")


@pytest.mark.parametrize("interval", ["1w", "1mo"])
def test_a_week_or_month_is_one_bar_whichever_session_names_it(
    store: BarStore, interval: str
) -> None:
    """Vendors name it by its first day or by its last."""
    days = {"1w": ["2025-06-02", "2025-06-06"], "1mo": ["2025-06-01", "2025-06-30"]}[interval]
    for day, close in zip(days, (1.0, 2.0), strict=True):
        bar = {"date": [day], "open": 1.0, "high": 2.0, "low": 1.0, "close": close, "volume": 1}
        ma.ingest_bars(pd.DataFrame(bar), interval, symbol="AAPL")
    read = store.read("AAPL", interval)
    assert read["session"].tolist() == [pd.Timestamp("2025-06-02")]
    assert read["timestamp"].tolist() == [pd.Timestamp("2025-06-02T13:30Z")]
    assert read["close"].tolist() == [2.0]
