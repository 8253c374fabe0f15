"""``mismartera bars`` and ``mismartera sql``: what they print, into pipes as well, and how they end."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics.cli.application import run
from mismartera_analytics.market_data.store import BarStore
from tests.market_data.conftest import make_minutes

FILE = "date,open,high,low,Last,volume\n2025-07-02,10,12,9,11,500\n2025-07-03,11,12,10,12,600\n"


@pytest.fixture
def says(capfdbinary: pytest.CaptureFixture[bytes]):
    def call(*words: str, code: int = 0) -> str:
        capfdbinary.readouterr()
        assert run([*words]) == code
        out, err = capfdbinary.readouterr()
        assert b"Traceback" not in err
        if code:
            assert err.startswith(b"mismartera: ")
            assert err.count(b"\n") == 1
        return (out + err).decode()

    return call


@pytest.fixture
def prices(ready_database: str, home: Path) -> Path:
    file = home / "NEW.csv"
    file.write_text(FILE)
    return file


def test_bars_come_in_and_are_listed_shown_and_tidied(says, prices: Path, home: Path) -> None:
    told = says("bars", "ingest", str(prices), "1d", "--column", "close=Last")
    assert "2 1d bars of NEW, 2025-07-02 13:30 to 2025-07-03 13:30 UTC, in version 0" in told
    BarStore().write(pd.concat([make_minutes("AAPL"), make_minutes("MSFT")]), "1m")
    BarStore().write(make_minutes("AAPL", "2025-07-02T14:30Z"), "1m")
    listed = says("bars", "list")
    assert str(home / "data" / "bars") in listed
    rows = pd.read_csv(io.StringIO(says("bars", "list", "--csv")))
    assert rows[["interval", "symbols", "bars", "files"]].to_numpy().tolist() == [
        ["1m", 2, 15, 3],
        ["1d", 1, 2, 1],
    ]
    one = json.loads(says("bars", "list", "1m", "--json"))
    assert [(row["symbol"], row["bars"]) for row in one] == [("AAPL", 10), ("MSFT", 5)]
    assert "1m: compacted in version 2\n1d: nothing to do" in says("bars", "compact")
    told = says("bars", "vacuum", "1m", "--days", "0", "--dry-run")
    assert "1m: 2 files of 0.0 MB would be deleted" in told
    assert "1m: 2 files of 0.0 MB deleted\n1d: 0 files" in says("bars", "vacuum", "--days", "0")
    assert "1m: 0 files" in says("bars", "vacuum", "1m", "--days", "0")
    assert len(ma.bars("AAPL", "1m")) == 10
    shown = says("bars", "show", "NEW", "--tz", "America/New_York")
    assert "09:30" in shown
    assert "12.00" in shown


@pytest.mark.parametrize("days", ["100001", "1e300", "inf", "nan", "-1"])
def test_days_of_a_vacuum_are_bounded(prices: Path, capfd, days: str) -> None:
    """More days than a date can be moved back by, and what is no number of days."""
    ingest = ["bars", "ingest", str(prices), "1d", "--column", "close=Last"]
    assert run(ingest) == 0
    capfd.readouterr()
    assert run(["bars", "vacuum", "--days", days]) == 2
    told = capfd.readouterr().err
    assert "'--days'" in told
    assert "Traceback" not in told
    assert run(["bars", "vacuum", "--days", "100000"]) == 0


def test_every_form_holds_the_same_bars(says, prices: Path, capfdbinary) -> None:
    says("bars", "ingest", str(prices), "1d", "--column", "close=Last")
    expected = ma.bars("NEW", "1d")
    csv = pd.read_csv(io.StringIO(says("bars", "show", "NEW", "--csv")))
    assert csv["close"].tolist() == expected["close"].tolist()
    assert pd.to_datetime(csv["timestamp"]).tolist() == expected["timestamp"].tolist()
    rows = json.loads(says("bars", "show", "NEW", "--json"))
    assert [row["close"] for row in rows] == expected["close"].tolist()
    capfdbinary.readouterr()
    assert run(["sql", "from bars_1d order by timestamp", "--parquet"]) == 0
    read = pd.read_parquet(io.BytesIO(capfdbinary.readouterr().out))
    pd.testing.assert_frame_equal(read[list(expected.columns)], expected)


def test_bad_rows_and_bad_calls_are_one_sentence(says, prices: Path, home: Path) -> None:
    (home / "reports").mkdir()
    prices.write_text(FILE + "2025-07-07,1,2,3,4,5\n")
    columns = ("--column", "close=Last")
    told = says("bars", "ingest", str(prices), "1d", *columns, code=2)
    assert "1 of 3 bars are bad" in told
    told = says("bars", "ingest", str(prices), "1d", *columns, "--on-bad", "quarantine")
    assert "2 1d bars" in told
    assert "1 bad rows were put aside in" in told
    assert "INTERVAL is missing" in says("bars", "ingest", str(prices), code=2)
    assert "ours=theirs" in says("bars", "ingest", str(prices), "1d", "--column", "x", code=2)
    assert "'nothing.csv' does not exist" in says("bars", "ingest", "nothing.csv", "1d", code=2)
    assert "name the tree's top" in says("bars", "ingest", str(home / "reports"), code=2)
    assert "did you mean 'NEW'" in says("bars", "show", "NWE", code=2)
    assert "exclude each other" in says("bars", "list", "--csv", "--json", code=2)
    assert "not an interval" in says("bars", "show", "NEW", "-i", "1min", code=2)


def test_a_tree_says_its_intervals_itself(says, prices: Path, home: Path) -> None:
    folder = home / "tree" / "US_EQUITY" / "bars" / "1m" / "AAPL" / "2025" / "07"
    folder.mkdir(parents=True)
    make_minutes().to_parquet(folder / "02.parquet")
    assert "5 1m bars of AAPL" in says("bars", "ingest", str(home / "tree"))


def test_an_empty_or_missing_store_is_named(says, home: Path) -> None:
    place = str(home / "data" / "bars")
    for words in (["list"], ["compact"], ["vacuum"], ["list", "1m"]):
        told = says("bars", *words)
        assert place in told
        assert "holds no" in told
    assert not Path(place).exists(), "asking makes no store"
    assert place in says("bars", "show", "AAPL", code=2)
    assert says("bars", "list", "--json").strip() == "[]"
    (home / "data").mkdir()
    Path(place).write_text("")
    assert "bars" in says("bars", "list", code=1)


def test_sql_prints_tables_and_says_what_is_wrong(says, prices: Path, monkeypatch) -> None:
    says("bars", "ingest", str(prices), "1d", "--column", "close=Last")
    assert "account_info" in says("sql", "show tables")
    assert "11" in says("sql", "select close from bars_1d order by close limit 1")
    monkeypatch.setattr("sys.stdin", io.StringIO("select 7 as seven"))
    assert says("sql", "-", "--csv") == "seven\n7\n"
    assert "did you mean 'bars_1d'" in says("sql", "from bars_2d", code=2)
    assert "syntax error" in says("sql", "select * frm x", code=2)
    assert "sql() reads only" in says("sql", "drop table orders", code=1)
    assert "user='ad' is not known" in says("sql", "from orders", "--user", "ad", code=2)


def test_parquet_is_not_poured_over_a_terminal(says, monkeypatch) -> None:
    monkeypatch.setattr("mismartera_analytics.cli.output.sys.stdout.isatty", lambda: True)
    assert "send it into a file" in says("sql", "select 1", "--parquet", code=2)


def test_an_audit_lists_sessions_and_gaps_and_draws_them(says, prices: Path, home: Path) -> None:
    minutes = make_minutes("AAPL", "2025-07-03T13:30Z", count=210)  # closes at 13:00 in New York
    BarStore().write(minutes.drop(index=[3, 4, 100]), "1m")
    table = says("bars", "audit", "AAPL", "--plot", str(home / "map.png"))
    assert "207 of 210 expected ones are there, 3 are missing in 2 gaps" in " ".join(table.split())
    assert "1 of 1 sessions of 1m bars deserve a look" in table
    assert (home / "map.png").stat().st_size > 1_000
    BarStore().write(make_minutes("MSFT", "2025-07-03T13:30Z", count=210), "1m")
    whole = says("bars", "audit", "MSFT").strip()
    assert whole.startswith("1 symbol, 1 session of 1m bars: 210 of 210")
    assert whole.count("\n") == 0, "a table of nothing"
    rows = pd.read_csv(io.StringIO(says("bars", "audit", "--csv")))
    assert rows[["symbol", "expected", "present", "missing"]].to_numpy().tolist() == [
        ["AAPL", 210, 207, 3],
        ["MSFT", 210, 210, 0],
    ]
    gaps = json.loads(says("bars", "audit", "--gaps", "--json"))
    assert len(gaps) == 2
    assert "must end in '.png'" in says("bars", "audit", "--plot", "map.txt", code=2)
    assert "did you mean 'AAPL'" in says("bars", "audit", "APPL", code=2)
    assert "no 1h bars" in says("bars", "audit", "-i", "1h", code=2)


def test_bars_go_to_the_table_and_back(says, prices: Path, home: Path) -> None:
    says("bars", "ingest", str(prices), "1d", "--column", "close=Last")
    assert says("bars", "to-table", "1d", "NEW") == "2 rows are new or changed\n"
    assert says("bars", "to-table", "1d", "NEW") == "0 rows are new or changed\n"
    ma.configure(bar_store=str(home / "other"))
    assert "2 1d bars of NEW" in says("bars", "from-table", "1d")
    assert "no 1d bars came in" in says("bars", "from-table", "1d", "OLD")
    assert "there are no 1h bars" in says("bars", "to-table", "1h", "NEW", code=2)


def test_actions_come_from_a_file(says, prices: Path, home: Path) -> None:
    file = home / "actions.csv"
    file.write_text("symbol,type,date,ratio\nNEW,split,2025-07-03,2:1\n")
    assert says("bars", "import-actions", str(file)) == "1 corporate actions are new or changed\n"
    says("bars", "ingest", str(prices), "1d", "--column", "close=Last")
    shown = json.loads(says("bars", "show", "NEW", "--adjust", "split", "--json"))
    assert [row["close"] for row in shown] == [5.5, 12.0]
    file.write_text("symbol,type,date,ratio\nNEW,split,2025-07-03,0\n")
    assert "line 2 (SPLIT): ratio='0'" in says("bars", "import-actions", str(file), code=2)
