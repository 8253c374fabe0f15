"""One list of hostile names through paths, queries, pages, tables, spreadsheets and terminals."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import unicodedata
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import func, inspect, select

import mismartera_analytics as ma
from mismartera_analytics.calendars.files import export_holidays, import_holidays
from mismartera_analytics.cli.application import run as command
from mismartera_analytics.errors import MismarteraError
from mismartera_analytics.frames.outgoing import (
    for_terminal,
    plain_text,
    spreadsheet_text,
    without_formulas,
)
from mismartera_analytics.models import AccountInfo, User
from mismartera_analytics.models.database import session_scope
from mismartera_analytics.models.trading_calendar import TradingHoliday
from mismartera_analytics.notebook.tables import table as html_of
from mismartera_analytics.recording.accounts import create_account
from mismartera_analytics.recording.session_configs import load_session_config, save_session_config
from mismartera_analytics.reports.files import file_name
from mismartera_analytics.reports.tables import frame_table
from tests.faults.nasty import NAMES

SQLITE = pytest.mark.parametrize("ready_database", ["sqlite"], indirect=True)
WHOLE = [name for name in NAMES if "\0" not in name and not re.search("[\ud800-\udfff]", name)]


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_no_symbol_leaves_the_store(home: Path):
    store = ma.BarStore(home / "inner" / "bars")
    frame = pd.DataFrame({
        "timestamp": pd.to_datetime(["2024-01-03 15:00"], utc=True),
        "open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "volume": 1.0,
    })  # fmt: skip
    taken = set()
    for name in (*NAMES, "A" * 11, "A..B", "A/B", "A B", "Ａ", "A=B", "^X"):
        try:
            store.write(frame.assign(symbol=pd.Series([name], dtype=object)), "1m")
        except MismarteraError:
            continue
        assert re.fullmatch(r"[A-Za-z0-9^][A-Za-z0-9._^=+-]{0,9}", name)
        assert store.read(name, "1m")["symbol"].tolist() == [name]
        taken.add(name)
    assert {"A=B", "^X"} <= taken
    assert all(path.is_relative_to(home / "inner" / "bars") for path in files(home))


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_part_of_a_files_name_is_one(name):
    part = file_name(name)
    assert re.fullmatch(r"[a-z0-9-]{0,60}", part)


def test_people_accounts_and_configurations_hold_what_they_were_given(ready_database: str):
    ma.create_user("ada", "ada@example.com", "secret")
    kept: dict[str, int] = {}
    for number, name in enumerate(NAMES):
        with contextlib.suppress(MismarteraError):
            kept[name] = create_account("ada", "schwab", account_number=name)
        with contextlib.suppress(MismarteraError):
            ma.create_user(name, f"u{number}@example.com", "secret")
        with contextlib.suppress(MismarteraError):
            save_session_config(name, {"metadata": {"said": name}})
    assert len(kept) > 60
    with session_scope() as db_session:
        tables = set(inspect(db_session.get_bind()).get_table_names())
        stored = dict(db_session.execute(select(AccountInfo.account_number, AccountInfo.id)).all())
        people = list(db_session.scalars(select(User.username)))
        assert db_session.scalar(select(func.count(User.id))) == len(set(people))
    assert {"users", "orders"} <= tables
    assert stored == kept
    for name, number in list(kept.items())[::7]:
        assert ma.accounts(account=name)["account_id"].tolist() == [number]
    for name in WHOLE:
        try:
            assert load_session_config(name)["metadata"]["said"] == name
        except MismarteraError:
            continue


@SQLITE
@pytest.mark.parametrize("form", ["--csv", "--json", "--most=200"])
def test_nothing_steers_a_terminal_or_a_spreadsheet(ready_database, capsys, form):
    ma.create_user("ada", "ada@example.com", "secret")
    kept = []
    for name in WHOLE:
        try:
            create_account("ada", "schwab", account_number=name)
        except MismarteraError:
            continue
        kept.append(name)
    assert command(["accounts", form]) == 0
    out = capsys.readouterr().out
    shown = ma.accounts()["account_number"].tolist()
    assert sorted(shown) == sorted(kept)
    if form == "--csv":
        rows = list(csv.reader(io.StringIO(out, newline="")))
        at = rows[0].index("account_number")
        assert [plain_text(row[at]) for row in rows[1:]] == shown
        assert not [row[at] for row in rows[1:] if is_formula(row[at])]
    elif form == "--json":
        assert [row["account_number"] for row in json.loads(out)] == shown
    if form != "--csv":
        assert not [
            sign for sign in out if unicodedata.category(sign) in ("Cc", "Cf") and sign != "\n"
        ]


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet may compute a cell, however it reads the sign it begins with."""
    for part in re.split(r"[;\t|\r\n]", cell):
        bare = "".join(sign for sign in part if unicodedata.category(sign)[0] not in "ZC")
        if bare[:1] and unicodedata.normalize("NFKC", bare[0])[0] in "=+-@":
            return re.fullmatch(r"[+-]?[\d.]+(e[+-]?\d+)?", bare) is None
    return False


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_texts_for_spreadsheets(name):
    marked = spreadsheet_text(name)
    assert not is_formula(marked)
    assert marked.replace("'", "") == name.replace("'", "")
    assert plain_text(marked) == name
    if name not in WHOLE and "\0" not in name:
        return
    frame = without_formulas(pd.DataFrame({"x": [1]}).rename(columns={"x": name}))
    assert frame.columns[0] == marked
    assert frame.iloc[0, 0] == 1


def test_numbers_stay_numbers():
    frame = pd.DataFrame(
        {"a": [-1.5, 2.0], "b": [-1, 2], "c": ["-1.5", "+2e-3"], "d": ["-1.5x", "x"]}
    )
    read = pd.read_csv(io.StringIO(without_formulas(frame).to_csv(index=False)))
    assert read[["a", "b"]].equals(frame[["a", "b"]])
    assert read["c"].tolist() == [-1.5, 0.002]
    assert read["d"].tolist() == ["'-1.5x", "x"]
    kinds = frame.assign(e=pd.Categorical(["=1", "x"]), f=pd.Series(["=1", -5], dtype=object))
    marked = without_formulas(kinds)
    assert marked["e"].tolist() == ["'=1", "x"]
    assert marked["f"].tolist() == ["'=1", -5]
    assert kinds["f"].tolist() == ["=1", -5]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_texts_for_terminals(name):
    shown = for_terminal(f"mismartera: {name}")
    assert not [sign for sign in shown if unicodedata.category(sign)[0] == "C" and sign != "\n"]
    assert not re.search(r"\n\S", shown)


@pytest.mark.parametrize("name", WHOLE[::6], ids=ascii)
def test_sentences_of_commands_steer_no_terminal(name, capsys):
    for words in (["backtest", "show", name], ["report", "verify", name], ["bars", "show", name]):
        assert command(words) in (0, 1, 2)
        told = capsys.readouterr()
        assert "Traceback" not in told.err
        assert not [sign for sign in told.out + told.err if sign != "\n" and sign != "\t"
                    and unicodedata.category(sign) in ("Cc", "Cf")]  # fmt: skip


@pytest.mark.parametrize("name", WHOLE, ids=ascii)
def test_tables_take_names_as_they_are(name):
    from rich.console import Console

    from mismartera_analytics.cli.output import spec_of

    frame = pd.DataFrame({name: ["[bold]x[/]", name], "n": [1, 2]})
    console = Console(file=io.StringIO(), width=2_000)
    console.print(frame_table(frame, spec_of(frame), title=name, width=2_000))
    text = console.file.getvalue()
    assert "[bold]x[/]" in text
    assert not [
        sign for sign in text if unicodedata.category(sign) in ("Cc", "Cf") and sign != "\n"
    ]
    page = html_of(frame, index=True)
    assert "<script>window" not in page
    assert "<img src=x" not in page
    assert "<svg/onload" not in page


@SQLITE
def test_holidays_come_back_as_they_were(ready_database, tmp_path: Path):
    days = pd.date_range("2031-01-01", periods=len(WHOLE))
    names = [name.strip()[:100].strip() for name in WHOLE]
    names = [name for name in names if name and not re.search(r"[\r\n\x0b\x85\u2028]", name)]
    with session_scope() as db_session:
        db_session.add_all(
            TradingHoliday(exchange="US_EQUITY", date=day.date(), holiday_name=name, is_closed=True)
            for day, name in zip(days, names, strict=False)
        )
    file = tmp_path / "out.csv"
    export_holidays(file, "US_EQUITY", year=2031)
    with file.open(newline="") as opened:
        assert not [row for row in csv.DictReader(opened) if is_formula(row["holiday_name"])]
    done = import_holidays(file, "US_EQUITY")
    assert (done.inserted, done.updated) == (0, 0)
