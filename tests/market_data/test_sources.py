"""Files as vendors and spreadsheets write them: marks, separators, commas, folders of all sorts."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics.errors import InvalidBarsError, InvalidInputError, StorageError
from mismartera_analytics.market_data import progress
from mismartera_analytics.market_data.store import BarStore
from tests.market_data.conftest import make_minutes

NEW_YORK = "America/New_York"
pytestmark = pytest.mark.usefixtures("records")


def came_in(store: BarStore, interval: str = "1m") -> list[tuple[str, str, float, float]]:
    read = store.read(store.symbols(interval), interval, tz=NEW_YORK)
    times = read["timestamp"].dt.strftime("%Y-%m-%d %H:%M:%S")
    return list(zip(read["symbol"], times, read["close"], read["volume"], strict=True))


EXPECTED = [
    ("AAPL", "2025-07-02 09:30:00", 10.5, 1000.0),
    ("AAPL", "2025-07-02 09:31:00", 11.25, 2000.0),
]
PLAIN = (
    "symbol,timestamp,open,high,low,close,volume\n"
    "AAPL,2025-07-02 09:30:00,10,11,9,10.5,1000\n"
    "AAPL,2025-07-02 09:31:00,10.5,11.5,10,11.25,2000\n"
)


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (PLAIN.encode("utf-8-sig"), {}),
        (PLAIN.replace("\n", "\r\n").encode(), {}),
        (("\n\n" + PLAIN).encode(), {}),
        (PLAIN.replace(",", ";").encode(), {}),
        (PLAIN.replace(",", "\t").encode(), {}),
        (PLAIN.replace(",", "|").encode("utf-8-sig"), {}),
        (PLAIN.replace(",", ";").replace(".", ",").encode(), {"decimal": ","}),
        (PLAIN.replace("symbol,", '"Symbol","').replace("timestamp,", 'Date Time",').encode(), {}),
        (PLAIN.replace("open", " Open ").replace("close", "<CLOSE>").encode(), {}),
        (PLAIN.replace("1000", '"1000"').encode(), {}),
        (PLAIN.rstrip("\n").encode(), {}),
    ],
    ids=["mark", "windows", "blank lines", "semicolons", "tabs", "bars", "decimal commas", "quotes",
         "odd names", "quoted numbers", "no last newline"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["in.csv", "in.csv.gz"])
def test_forms_of_one_file(
    tmp_path: Path, store: BarStore, content: bytes, options: dict[str, str], name: str
) -> None:
    file = tmp_path / name
    file.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    ma.ingest_bars(file, "1m", tz=NEW_YORK, **options)  # type: ignore[arg-type]
    assert came_in(store) == EXPECTED


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        ("<TICKER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>",
         ["AAPL,20250702,093000,10,11,9,10.5,1000", "AAPL,20250702,093100,10.5,11.5,10,11.25,2000"]),
        ("Date,Time,Open,High,Low,Close,Volume",
         ["2025.07.02,09:30,10,11,9,10.5,1000", "2025.07.02,09:31,10.5,11.5,10,11.25,2000"]),
        ("time,date,Open,High,Low,Close,Volume",
         ["9:30,2025-07-02,10,11,9,10.5,1000", "9:31,2025-07-02,10.5,11.5,10,11.25,2000"]),
        ("date,time,Open,High,Low,Close,Volume",
         ["20250702,0930,10,11,9,10.5,1000", "20250702,931,10.5,11.5,10,11.25,2000"]),
        ("date,time,Open,High,Low,Close,Volume",
         ["2025-07-02,13:30Z,10,11,9,10.5,1000", "2025-07-02,13:31Z,10.5,11.5,10,11.25,2000"]),
    ],
)  # fmt: skip
def test_date_and_time_may_have_a_column_each(
    tmp_path: Path, store: BarStore, header: str, rows: list[str]
) -> None:
    file = tmp_path / "AAPL.csv"
    file.write_text("\n".join([header, *rows]))
    ma.ingest_bars(file, "1m", tz=NEW_YORK)
    assert came_in(store) == EXPECTED


def test_a_daily_file_with_a_time_of_midnight(tmp_path: Path, store: BarStore) -> None:
    file = tmp_path / "AAPL.csv"
    file.write_text("date,time,open,high,low,close,volume\n20250702,000000,10,11,9,10.5,1000\n")
    ma.ingest_bars(file, "1d")
    assert store.read("AAPL", "1d")["session"].tolist() == [pd.Timestamp("2025-07-02")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (PLAIN.replace(",", ";").replace(".", ","), r"'close'.*'10,5'.*decimal=','"),
        (PLAIN.replace("1000", '"1,000"').replace("2000", '"2,000"'), "'volume'.*'1,000'.*parted"),
        (PLAIN.replace("volume", "Close"), "several columns that may be close: close, Close"),
        (PLAIN.replace("volume", "close"), "several columns that may be close: close, close"),
        (PLAIN.replace("symbol,", "a,"), "in2025: the source has no column of symbols"),
        (PLAIN.replace(",volume", ",").replace("symbol", "open"), "no column for volume|several"),
    ],
)
def test_files_that_must_be_explained(
    tmp_path: Path, store: BarStore, content: str, message: str
) -> None:
    file = tmp_path / "in2025 prices.csv"
    file.write_text(content)
    message = message.replace("in2025", r"in2025 prices\.csv")
    with pytest.raises(InvalidInputError, match=message) as raised:
        ma.ingest_bars(file, "1m", tz=NEW_YORK)
    assert str(file) in str(raised.value), "which of many files is it?"
    assert not Path(store.uri).exists()


def test_utf_16_is_said(tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_bytes(PLAIN.encode("utf-16"))
    with pytest.raises(InvalidBarsError, match=r"in\.csv is not a readable CSV file"):
        ma.ingest_bars(file, "1m", tz=NEW_YORK)


def test_a_folder_of_everything(tmp_path: Path, store: BarStore) -> None:
    """Files of several kinds and layouts come in together; what is no bars file is passed over."""
    folder = tmp_path / "in"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "empty.csv").mkdir()
    (folder / "AAPL.csv").write_text(PLAIN.replace("AAPL,", "").replace("symbol,", ""))
    named = PLAIN.replace("AAPL", "MSFT").replace(",", ";")
    (folder / "deep" / "vendor file.csv.gz").write_bytes(gzip.compress(named.encode()))
    make_minutes("IBM", count=2).to_parquet(folder / "deep" / "er" / "whatever.parquet")
    make_minutes("KO", count=2).drop(columns="symbol").to_parquet(folder / "KO.parquet")
    for name in ("README.txt", ".DS_Store", "._AAPL.csv", ".hidden.parquet", "AAPL.csv.tmp"):
        (folder / name).write_bytes(b"\0\5\26\7")
    summary = ma.ingest_bars(folder, "1m", tz=NEW_YORK)
    assert (summary.symbols, summary.rows, summary.version) == (("AAPL", "IBM", "KO", "MSFT"), 8, 0)
    assert came_in(store)[:2] == EXPECTED


def test_one_bad_file_of_a_folder_keeps_all_out_or_is_named(
    tmp_path: Path, store: BarStore
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.csv").write_text(PLAIN)
    (folder / "b.csv.gz").write_bytes(gzip.compress((PLAIN * 200).encode())[:-20])
    for on_bad in ("raise", "quarantine"):
        with pytest.raises(StorageError, match=r"b\.csv\.gz ends too early"):
            ma.ingest_bars(folder, "1m", tz=NEW_YORK, on_bad=on_bad)  # type: ignore[arg-type]
    (folder / "b.csv.gz").write_text(PLAIN)
    with pytest.raises(StorageError, match=r"b\.csv\.gz cannot be read"):
        ma.ingest_bars(folder, "1m", tz=NEW_YORK)
    (folder / "b.csv.gz").unlink()
    (folder / "c.parquet").write_bytes(b"PAR1 half")
    with pytest.raises(StorageError, match=r"c\.parquet cannot be read"):
        ma.ingest_bars(folder, "1m", tz=NEW_YORK)
    assert store.version("1m") == -1


def test_the_quarantine_says_where_each_row_came_from(tmp_path: Path, store: BarStore) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    bad = ["../../etc,2025-07-02 09:32:00,1,1,1,1,1", "AAPL,2025-07-02 09:33:00,nan,1,1,1,1"]
    (folder / "a.csv").write_text(PLAIN + "\n".join(bad) + "\nAAPL,2025-07-02 09:3")
    make_minutes("IBM", count=3).assign(high=[99.0, 0.5, 99.0]).to_parquet(folder / "b.parquet")
    summary = ma.ingest_bars(folder, "1m", tz=NEW_YORK, on_bad="quarantine")
    assert summary.quarantine is not None
    assert Path(summary.quarantine).parent == Path(store.uri) / "quarantine"
    kept = pd.read_csv(summary.quarantine)
    assert [(Path(s).name, row) for s, row in zip(kept["source"], kept["row"], strict=True)] == [
        ("a.csv", 4), ("a.csv", 5), ("a.csv", 6), ("b.parquet", 1),
    ]  # fmt: skip
    assert kept["symbol"].tolist() == ["../../etc", "AAPL", "AAPL", "IBM"]
    assert kept["reason"].notna().all()
    assert summary.rows + len(kept) == 2 + 3 + 3
    pd.testing.assert_series_equal(kept["reason"], summary.bad["reason"])
    assert not (tmp_path / "etc").exists()
    assert sorted(p.name for p in Path(store.uri).iterdir()) == ["1m", "quarantine"]


def test_progress_shows_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    class ZMQInteractiveShell:
        """What a notebook's kernel runs."""

    ipython = type(sys)("IPython")
    assert progress._is_hidden(None) is None, "tqdm asks whether it writes to a terminal"
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    ipython.get_ipython = ZMQInteractiveShell  # type: ignore[attr-defined]
    assert progress._is_hidden(None) is False
    assert (progress._is_hidden(True), progress._is_hidden(False)) == (False, True)
