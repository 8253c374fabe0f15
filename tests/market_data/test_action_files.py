"""Corporate actions from files: what is read, and that a bad line keeps every line out."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics.errors import InvalidInputError, StorageError, UnknownNameError
from mismartera_analytics.market_data.action_files import import_actions
from mismartera_analytics.market_data.actions import corporate_actions, record_actions

pytestmark = pytest.mark.usefixtures("ready_database")
GOOD = """symbol,action_type,ex_date,ratio,amount,new_symbol,known_at,note
AAPL,SPLIT,2014-06-09,7,,,2014-04-23T20:30:00Z,"7 for
one"
AAPL,cash dividend,20140508,,3.29,,,

FB,symbol_change,2022-06-09,1.0,0.0,META,,
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "actions.csv"


@pytest.mark.parametrize(
    "content",
    [GOOD.encode(), GOOD.encode("utf-8-sig"), GOOD.replace("\n", "\r\n").encode(),
     GOOD.replace(",", ";").encode(),
     GOOD.replace("SPLIT,2014-06-09,7,", "split,2014-06-09,7:1,").encode(),
     GOOD.replace("action_type", "Type").replace("ex_date", "Ex-Date").encode()],
)  # fmt: skip
def test_a_file_is_recorded_once(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert import_actions(file) == 3
    assert import_actions(file) == 0
    found = corporate_actions().set_index("symbol")
    assert found["action_type"].tolist() == ["CASH_DIVIDEND", "SPLIT", "SYMBOL_CHANGE"]
    assert found["ratio"].tolist()[1] == 7.0
    assert found["ratio"].isna().tolist() == [True, False, True]
    assert found["amount"].tolist()[0] == 3.29
    known = found["known_at"].tolist()[1]
    assert known == pd.Timestamp("2014-04-23T20:30:00Z")
    assert ma.sql("select new_symbol from corporate_actions where symbol = 'FB'").values == ["META"]


def test_other_names_and_an_archive(tmp_path: Path) -> None:
    file = tmp_path / "splits.csv.gz"
    file.write_bytes(gzip.compress(b"Ticker|What|When|Factor\nAAPL|split|2014-06-09|7-for-1\n"))
    with pytest.raises(
        InvalidInputError, match="no column for action_type, ex_date; it has Ticker"
    ):
        import_actions(file)
    assert import_actions(file, columns={"action_type": "What", "ex_date": "When"}) == 1
    assert corporate_actions()["ratio"].tolist() == [7.0]
    with pytest.raises(UnknownNameError, match="did you mean 'ex_date'"):
        import_actions(file, columns={"exdate": "When"})
    with pytest.raises(UnknownNameError, match="did you mean 'When'"):
        import_actions(file, columns={"ex_date": "Wen"})


BAD = [
    ("../../etc,SPLIT,2014-06-09,7,,,,", "line 7: symbol='../../etc' is no symbol"),
    ("AAPL,MERGER,2014-06-09,7,,,,", "line 7: action_type='MERGER' must be one of SPLIT"),
    ("AAPL,SPLIT,2014-02-30,7,,,,", "line 7='2014-02-30' is not a day"),
    ("AAPL,SPLIT,06/09/2014,7,,,,", "ex_date of .* line 7='06/09/2014'"),
    ("AAPL,SPLIT,,7,,,,", "ex_date of .* line 7"),
    ("AAPL,SPLIT,2014-06-10,-7,,,,", r"line 7 \(SPLIT\): ratio='-7' must be a positive number"),
    ("AAPL,SPLIT,2014-06-10,,,,,", r"line 7 \(SPLIT\): ratio=None"),
    ("AAPL,SPLIT,2014-06-10,7:0,,,,", r"line 7 \(SPLIT\): ratio='7:0'"),
    ("AAPL,SPLIT,2014-06-10,nan,,,,", r"line 7 \(SPLIT\): ratio='nan'"),
    ("AAPL,DIVIDEND,2014-06-10,,much,,,", r"line 7 \(CASH_DIVIDEND\): amount='much'"),
    ("AAPL,SYMBOL_CHANGE,2014-06-10,,,,,", r"line 7 \(SYMBOL_CHANGE\): new_symbol=None"),
    ("AAPL,SPLIT,2014-06-10,7,,,2014-04-23 20:30,", "known_at of .* line 7.*no time zone"),
    ("AAPL,SPLIT,2014-06-09,4,,,,", "line 7 contradicts .*line 3: AAPL SPLIT 2014-06-09"),
    ("AAPL,SPLIT,2014-06-10,7", "line 7 has 4 fields and the first line 8"),
]


@pytest.mark.parametrize(("line", "message"), BAD)
def test_a_bad_line_is_named_and_keeps_all_out(file: Path, line: str, message: str) -> None:
    file.write_text(GOOD + line + "\n")
    with pytest.raises(InvalidInputError, match=message) as raised:
        import_actions(file)
    assert str(file) in str(raised.value)
    assert corporate_actions().empty


def test_every_bad_line_is_named(file: Path) -> None:
    file.write_text(GOOD + "".join(f"AAPL,SPLIT,2014-06-1{i},0,,,,\n" for i in range(7)))
    with pytest.raises(InvalidInputError, match="7 corporate actions are bad") as raised:
        import_actions(file)
    assert [f"line {n} " in str(raised.value) for n in (7, 11, 12)] == [True, True, False]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for content, error, message in (
        (b"", InvalidInputError, "is empty"),
        ("symbol,type,date\n".encode("utf-16"), InvalidInputError, "not a readable CSV"),
        (None, InvalidInputError, "does not exist"),
    ):
        file = tmp_path / f"{message}.csv"
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(error, match=message):
            import_actions(file)
    half = tmp_path / "half.csv.gz"
    half.write_bytes(gzip.compress(GOOD.encode() * 50)[:-12])
    with pytest.raises(StorageError, match="only half written"):
        import_actions(half)
    only_names = tmp_path / "none.csv"
    only_names.write_text("symbol,type,date\n")
    assert import_actions(only_names) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"currency": "EURO"}, "at most 3"),
        ({"source": "x" * 101}, "at most 100"),
        ({"source": 7}, "must be text"),
    ],
)
def test_texts_that_do_not_fit_are_refused(change: dict[str, object], message: str) -> None:
    row = {"symbol": "AAPL", "action_type": "SPLIT", "ex_date": "2014-06-09", "ratio": 7.0}
    with pytest.raises(InvalidInputError, match=message):
        record_actions(pd.DataFrame([row | change]))
    assert record_actions(pd.DataFrame([row | {"amount": "unused"}])) == 1
