"""What symbols stand for: recorded, read back, in force on a day, and the calendars that follow."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import event

from mismartera_analytics import frames
from mismartera_analytics.calendars.lookup import trading_calendar
from mismartera_analytics.calendars.packaged import sync_calendars
from mismartera_analytics.errors import (
    DatabaseNotReadyError,
    InvalidInputError,
    NaiveDatetimeError,
    StorageError,
    UnknownNameError,
)
from mismartera_analytics.market_data.instruments import (
    calendar_of,
    instruments,
    record_instruments,
)
from mismartera_analytics.market_data.store import BarStore
from mismartera_analytics.models import database
from tests.market_data.conftest import make_minutes


@pytest.fixture
def records(ready_database: str) -> None:
    """What is recorded is the subject here: both databases in turn."""


# Until early 2022 META was a fund of that name; then it was free; then Facebook took it.
METAS = pd.DataFrame(
    {
        "symbol": ["META", "META"],
        "valid_from": ["2021-06-30", "2022-06-09"],
        "valid_to": ["2022-01-28", None],
        "asset_class": ["ETF", None],
    }
)


@pytest.fixture
def world(records: None) -> None:
    sync_calendars(["XTKS", "24/7", "CMES"])


def test_a_symbol_without_a_row_is_a_us_equity(records: None) -> None:
    found = instruments(["MSFT", "AAPL"])
    assert found["symbol"].tolist() == ["AAPL", "MSFT"]
    assert found["valid_from"].isna().all()
    values = found[["exchange_group", "asset_class", "currency", "multiplier"]]
    assert values.to_numpy().tolist() == [["US_EQUITY", "EQUITY", "USD", 1.0]] * 2
    pd.testing.assert_frame_equal(instruments(), frames.INSTRUMENTS.empty())
    pd.testing.assert_frame_equal(found, frames.INSTRUMENTS.conform(found))


def test_recording_is_idempotent_and_a_correction_replaces(records: None) -> None:
    assert record_instruments(METAS) == 2
    assert record_instruments(METAS) == 0
    assert record_instruments(instruments()) == 0
    assert record_instruments(METAS.assign(valid_to=["2022-01-31", None])) == 1
    assert instruments("META")["valid_to"].iloc[0] == pd.Timestamp("2022-01-31")
    assert record_instruments(METAS.iloc[:0]) == 0


@pytest.mark.parametrize(
    ("at", "kind"),
    [
        ("2021-12-31", "ETF"),
        ("2022-01-28", "ETF"),
        ("2022-01-29", "EQUITY"),  # nobody's: the next owner
        ("2022-06-09", "EQUITY"),
        ("2030-01-01", "EQUITY"),
        (dt.datetime(2021, 12, 31, 23, tzinfo=dt.UTC), "ETF"),
        ("2001-01-01", "ETF"),
    ],
)
def test_one_row_is_in_force_on_a_day(records: None, at: str, kind: str) -> None:
    record_instruments(METAS)
    assert instruments("META", at=at)["asset_class"].tolist() == [kind]
    assert instruments(at=at)["asset_class"].tolist() == [kind]


def test_after_the_last_row_that_one_still_tells(records: None) -> None:
    record_instruments(METAS.iloc[:1])
    record_instruments(pd.DataFrame({"symbol": ["META"], "valid_to": ["2021-06-29"]}))
    assert instruments("META", at="2025-01-01")["asset_class"].tolist() == ["ETF"]
    assert instruments("META", at="2021-06-29")["asset_class"].tolist() == ["EQUITY"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"symbol": "META", "valid_from": "2022-01-28"}, "from 2022-01-28 to no end shares days"),
        ({"symbol": "META"}, "from 2021-06-30 to 2022-01-28 shares days .* from the beginning"),
        ({"symbol": "../x"}, "instrument 1: symbol='../x' is no symbol"),
        ({"symbol": "A", "valid_from": "2022-01-02", "valid_to": "2022-01-01"}, "comes after"),
        ({"symbol": "A", "currency": "usd"}, "currency='usd' must be an ISO code"),
        ({"symbol": "A", "currency": "DOLLAR"}, "currency='DOLLAR' must be text of at most 3"),
        ({"symbol": "A", "multiplier": 0.0}, "multiplier=0.0 must be a positive number"),
        ({"symbol": "A", "multiplier": "x"}, "multiplier='x' must be a positive number"),
        ({"symbol": "A", "asset_class": " "}, "asset_class=' ' must be text"),
    ],
)
def test_bad_rows_are_named_and_nothing_is_recorded(
    records: None, row: dict[str, object], message: str
) -> None:
    record_instruments(METAS)
    with pytest.raises(InvalidInputError, match=message):
        record_instruments(pd.DataFrame([row, {"symbol": "GOOD"}]))
    assert instruments()["symbol"].tolist() == ["META", "META"]


def test_bad_arguments_are_named(records: None) -> None:
    with pytest.raises(InvalidInputError, match="lack the column 'symbol'"):
        record_instruments(pd.DataFrame({"ticker": ["A"]}))
    with pytest.raises(UnknownNameError, match=r"exchange_group='US_EQITY' .*mean 'US_EQUITY'"):
        record_instruments(pd.DataFrame({"symbol": ["A"], "exchange_group": ["US_EQITY"]}))
    with pytest.raises(NaiveDatetimeError, match="at="):
        instruments("A", at="2025-07-02T10:00")
    with pytest.raises(InvalidInputError, match="symbols"):
        calendar_of([])


def test_calendars_follow_the_instruments_in_one_query(world: None) -> None:
    record_instruments(
        pd.DataFrame(
            {
                "symbol": ["7203.T", "BTC-USD", "ES", "SPY"],
                "exchange_group": ["XTKS", "24/7", "CME", None],
                "asset_class": [None, "CRYPTO", "FUTURES", "ETF"],
                "currency": ["JPY", None, None, None],
            }
        )
    )
    names = ["7203.T", "BTC-USD", "ES", "SPY", "AAPL", "MSFT"]
    asked: list[str] = []
    event.listen(
        database.engine, "before_cursor_execute", lambda *given: asked.append(str(given[2]))
    )
    found = calendar_of(names)
    assert sum("instruments" in statement for statement in asked) == 1
    assert {name: found[name].exchange_group for name in names} == {
        "7203.T": "XTKS", "BTC-USD": "24/7", "ES": "CMES", "SPY": "US_EQUITY",
        "AAPL": "US_EQUITY", "MSFT": "US_EQUITY",
    }  # fmt: skip
    assert found["AAPL"] is found["MSFT"]
    assert (
        found["AAPL"]
        .labels("2025-07-01", "2025-07-10")
        .equals(trading_calendar("NYSE").labels("2025-07-01", "2025-07-10"))
    )


def test_a_symbol_that_moved_has_the_calendar_of_the_day(world: None) -> None:
    moved = {"symbol": ["XYZ", "XYZ"], "valid_from": [None, "2020-01-01"],
             "valid_to": ["2019-12-31", None], "exchange_group": ["XTKS", None]}  # fmt: skip
    record_instruments(pd.DataFrame(moved))
    assert calendar_of("XYZ", at="2019-12-31")["XYZ"].exchange_group == "XTKS"
    assert calendar_of("XYZ")["XYZ"].exchange_group == "US_EQUITY"


def test_plain_bars_need_no_database(store: BarStore) -> None:
    store.write(make_minutes(), "1m")
    assert len(store.read("AAPL", "1m")) == 5
    with pytest.raises(DatabaseNotReadyError, match="init_db"):
        store.read("AAPL", "1m", adjust="split")
    with pytest.raises(DatabaseNotReadyError, match="init_db"):
        instruments("AAPL")


def test_instruments_come_from_a_csv_file(records: None, tmp_path: Path) -> None:
    """The ticker NA is no missing value, and TRUE no truth."""
    path = tmp_path / "instruments.csv"
    path.write_text(
        "Symbol, valid_from,valid_to,multiplier\nNA,2020-01-02,,100\nTRUE,,2021-12-31,\n"
    )
    assert record_instruments(path) == 2
    assert record_instruments(str(path)) == 0
    found = instruments()
    assert found["symbol"].tolist() == ["NA", "TRUE"]
    assert found["multiplier"].tolist() == [100.0, 1.0]


def test_files_that_cannot_be_read_are_named(records: None, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot read .*absent\.csv"):
        record_instruments(tmp_path / "absent.csv")
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    with pytest.raises(InvalidInputError, match=r"empty\.csv is no CSV file of"):
        record_instruments(empty)
    with pytest.raises(InvalidInputError, match="given as list; pass a DataFrame"):
        record_instruments([1])
    bad = tmp_path / "bad.csv"
    bad.write_text("symbol,multiplier\nA,x\n")
    with pytest.raises(InvalidInputError, match="multiplier='x' must be a positive"):
        record_instruments(bad)
