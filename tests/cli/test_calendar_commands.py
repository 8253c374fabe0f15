"""``mismartera calendar``: each command does one thing and says what it did."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import delete

import mismartera_analytics as ma
from mismartera_analytics.cli.application import run
from mismartera_analytics.models.trading_calendar import TradingHoliday


@pytest.fixture
def says(ready_database: str, capsys: pytest.CaptureFixture[str]):
    def call(*words: str, code: int = 0) -> str:
        capsys.readouterr()
        assert run(["calendar", *words]) == code
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return out + err

    return call


def test_sync_and_list(says) -> None:
    with ma.session_scope() as db_session:
        db_session.execute(delete(TradingHoliday).filter_by(exchange="XTKS"))
    assert "0 updated" in says("sync", "TSE", "XTKS")
    assert ": 0 rows inserted" in says("sync")
    listed = says("list").splitlines()
    assert len(listed) == 71
    assert any(line.startswith("US_EQUITY") and "NYSE,NASDAQ" in line for line in listed)


def test_export_change_import_delete(says, home: Path) -> None:
    file = home / "days.csv"
    assert "14 holidays" in says("export", str(file), "--exchange", "US_EQUITY", "--year", "2025")
    file.write_text(file.read_text().replace("Good Friday", "Our Friday"))
    assert "0 holidays inserted, 1 updated, 13" in says(
        "import", str(file), "--exchange", "US_EQUITY"
    )
    assert "kept trading_holidays US_EQUITY 2025-04-18: own" in says("sync", "NYSE")
    assert says("delete", "US_EQUITY", "2025").startswith("14 ")
    assert "14 rows inserted" in says("sync", "NYSE")


def test_compare(says, home: Path) -> None:
    file = home / "theirs.csv"
    file.write_text("date,open,close\n2025-07-02,09:30,16:00\n")
    assert says("compare", "NYSE", "--with", str(file)) == "1 sessions compared, 0 differences\n"
    file.write_text("date,open,close\n2025-07-03,09:30,16:00\n")
    assert "2025-07-03  regular_close" in says("compare", "NYSE", "--with", str(file), code=1)


def test_plot(says, home: Path) -> None:
    file = home / "year.png"
    assert str(file) in says("plot", "TSE", "2025", "--output", str(file))
    assert file.stat().st_size > 20_000


def test_bad_calls(says, home: Path) -> None:
    assert "did you mean 'NYSE'" in says("plot", "NYSSE", "2025", code=2)
    assert "2050" in says("plot", "NYSE", "2050", code=2)
    assert "cannot read" in says("import", str(home / "x.csv"), "--exchange", "NYSE", code=1)
