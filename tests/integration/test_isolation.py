"""Nobody sees or changes another user's rows: every name of the facade and every command is walked."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer
from sqlalchemy import select

import mismartera_analytics as ma
from mismartera_analytics.backtesting.trial_log import TrialRecord, log_trials
from mismartera_analytics.cli.application import app, run
from mismartera_analytics.errors import (
    InvalidInputError,
    MismarteraError,
    NotAllowedError,
    NotReproducibleError,
    UnknownNameError,
)
from mismartera_analytics.models import (
    AccountInfo,
    BacktestRun,
    Fill,
    Order,
    Report,
    ReportRows,
    SessionConfig,
    Trial,
    User,
)
from mismartera_analytics.models.database import Base, session_scope
from mismartera_analytics.queries.sql_tables import OWNED
from tests.recording.brokers.folder import schwab_file
from tests.world import ZONE, Books, books, prices

__all__ = ["books", "prices"]

MARKS = re.compile(r"BOBS|\bbob\b|bob@|bob-1|BOB-77|777\.25|7772\.5|NOONES")
"""Texts that stand in rows of bob or of nobody, and in none of ada's."""

NO_ROWS = {
    "BarStore", "Strategy", "as_user", "audit_bars", "authenticate_user", "backtest", "bars",
    "Returns", "check_lookahead", "close_db", "compare_conventions", "confidence_intervals",
    "configure", "ingest_bars", "init_db", "performance_summary",
    "deflated_sharpe_ratio", "minimum_track_record_length", "probabilistic_sharpe_ratio",
    "probability_of_backtest_overfitting", "resample_bars", "settings", "sweep", "trading_calendar",
    "trading_sessions", "walk_forward",
}  # fmt: skip
"""Names that show and change no rows of users: the market's data, arguments of the caller's own."""

RAW = {"SessionLocal", "session_scope"}
"""The database itself: whoever opens it is its administrator, as documented."""

OF_EVERYBODY = {"doctor"}
"""Names that look at everybody's rows: for superusers."""

PEOPLE = {"create_user"}
"""Names that a superuser alone may call while somebody is signed in."""


def traded(symbol: str, name: str | None = None) -> pd.DataFrame:
    """Return a purchase of two shares, the sale of one at a loss, and its return: a wash sale."""
    days = pd.DatetimeIndex([f"2025-07-0{day} 10:00" for day in (2, 3, 7)], tz=ZONE)
    ids = None if name is None else [f"{name}-{number}" for number in (1, 2, 3)]
    return pd.DataFrame({"symbol": symbol, "side": ["BUY", "SELL", "BUY"],
                         "quantity": [2.0, 1.0, 1.0], "average_fill_price": [5.0, 4.0, 5.0],
                         "placed_at": days, "status": "FILLED", "broker_order_id": ids})  # fmt: skip


def paid(amount: float) -> pd.DataFrame:
    when = pd.Timestamp("2025-07-01 09:00", tz=ZONE)
    return pd.DataFrame({"flow_type": ["DEPOSIT"], "amount": amount, "occurred_at": [when]})


def text_of(done: Any) -> str:
    """Return all that a batch of reports says."""
    files = [path.read_text("utf-8") for path in sorted(done.folder.glob("*.html"))]
    return "\n".join([repr(done), done.frame.to_csv(), *files])


def words_of(figure: Any) -> str:
    """Return all that a figure says."""
    return " ".join(label.get_text() for axes in figure.axes for label in axes.get_yticklabels())


SCHWAB_ROW = "07/02/2025|Buy|ADAS|1|$5.00||-$5.00"

READS: dict[str, Callable[..., Any]] = {
    "accounts": ma.accounts,
    "contributions": ma.contributions,
    "fills": ma.fills,
    "lot_methods": partial(ma.lot_methods, year=2025),
    "orders": ma.orders,
    "pnl": ma.pnl,
    "positions": ma.positions,
    "returns": ma.returns,
    "round_trips": ma.round_trips,
    "wash_sales": partial(ma.wash_sales, year=2025),
}
"""Helpers that show everything that may be seen when nothing is asked for."""

OF_ACCOUNTS: dict[str, Callable[[Any, Path], Any]] = {
    "explain": lambda account, _: ma.explain("positions", account=account, symbol="ADAS",
                                             column="quantity"),
    "import_orders": lambda account, folder: ma.import_orders(
        schwab_file(folder, SCHWAB_ROW), account=account, broker="schwab"
    ),
    "plot": lambda account, _: words_of(ma.plot(account, "pnl_by_symbol")),
    "reconcile": lambda account, _: ma.reconcile(account),
    "record_flows": lambda account, _: ma.record_flows(paid(4.0), account=account),
    "record_orders": lambda account, _: ma.record_orders(traded("ADAS"), account=account),
    "refresh_positions": lambda account, _: ma.refresh_positions(account),
    "report": lambda account, folder: text_of(ma.report(account, folder / "reports")),
    "verify_report": lambda account, folder: ma.verify_report(
        ma.tear_sheet(account, folder / "v.html")
    ),
    "tear_sheet": lambda account, folder: ma.tear_sheet(account, folder / "x.html").read_text("utf-8"),
}  # fmt: skip
"""Helpers that are told the account."""

QUERIES = {"sql"}
OF_NOBODY_TABLES = {"report_rows", "session_configs"}
"""Tables whose rows are nobody's, and that superusers alone may read."""
OF_RUNS = {"compare", "rerun", "trials"}
"""Names that show what was simulated, and by whom."""
KINDS = (UnknownNameError, NotAllowedError, InvalidInputError)
"""How another user's account is refused; not every helper takes an `AccountInfo`."""


@pytest.fixture
def world(ready_database: str, books: Books, prices: Callable[..., None]) -> Books:
    """Give ada and bob orders, flows and positions of their own, and nobody some more."""
    for symbol, user, account in (("ADAS", "ada", books.ada), ("BOBS", "bob", books.bob)):
        prices(symbol, "2025-07-01", [5.0 if user == "ada" else 777.25] * 5)
        ma.record_flows(paid(1000.0 if user == "ada" else 7772.5), account=account)
        ma.record_orders(traded(symbol, user), account=account)
        tried = TrialRecord({"symbol": symbol}, {"digest": "d"}, {}, None, {"sharpe": 0.1})
        log_trials(f"{symbol} crossing", [tried], user=user)
        with session_scope() as db_session:
            run = BacktestRun(name=f"{symbol} run", account_id=account, config_json="{}",
                              created_at=pd.Timestamp("2025-07-02", tz=ZONE))  # fmt: skip
            db_session.add(run)
    with session_scope() as db_session:
        db_session.get_one(AccountInfo, books.bob).account_number = "BOB-77"
        when = pd.Timestamp("2025-07-02 10:00", tz=ZONE)
        db_session.add(Order(symbol="NOONES", side="BUY", quantity=1.0, placed_at=when))
    ma.refresh_positions()
    return books


def rows_of(user: str | None) -> dict[str, pd.DataFrame]:
    """Return all rows of a user, or of everybody, by table, as the database has them."""
    if user is None:
        tables = [table.name for table in Base.metadata.sorted_tables if table.name != "users"]
        return {name: ma.sql(f'from "{name}"') for name in tables}
    names = (
        "orders",
        "fills",
        "positions",
        "cash_flows",
        "account_info",
        "backtest_runs",
        "reports",
        "trials",
    )
    return {name: ma.sql(f"from {name} order by all", user=user) for name in names}


def check_untouched(before: dict[str, pd.DataFrame], user: str | None) -> None:
    for name, frame in rows_of(user).items():
        pd.testing.assert_frame_equal(frame, before[name], obj=name)


def shown(value: Any) -> str:
    if isinstance(value, pd.DataFrame):
        return value.to_csv()
    return "\n".join([repr(value), getattr(value, "_repr_html_", str)(), str(value)])


def check_silent(text: str) -> None:
    found = MARKS.search(text)
    assert found is None, text[max(found.start() - 80, 0) : found.end() + 80]


def test_every_name_of_the_facade_has_a_rule() -> None:
    ruled = {*NO_ROWS, *RAW, *PEOPLE, *OF_EVERYBODY, *READS, *OF_ACCOUNTS, *QUERIES, *OF_RUNS}
    assert ruled == set(ma.__all__), "say above whose rows a new name shows or changes"
    for name in NO_ROWS:
        value = getattr(ma, name)
        if callable(value) and not inspect.isclass(value) and name != "as_user":
            assert not {"user", "account", "broker"} & inspect.signature(value).parameters.keys(), (
                name
            )


def test_helpers_show_a_user_their_own_rows(world: Books) -> None:
    for helper in READS.values():
        with ma.as_user("ada"):
            seen = helper()
            for question in ({"user": "bob"}, {"account": world.bob}, {"account": "BOB-77"}):
                with pytest.raises((UnknownNameError, NotAllowedError)) as refused:
                    helper(**question)
                assert "7772" not in str(refused.value)
        check_silent(shown(seen))
        assert set(seen["account_id"]) <= {world.ada}
        with ma.as_user("root"):
            everything = helper()
        assert set(everything["account_id"].dropna()) > set(seen["account_id"])


def test_helpers_of_an_account_take_ones_own_only(world: Books, tmp_path: Path) -> None:
    with session_scope() as db_session:
        theirs = db_session.get_one(AccountInfo, world.bob)
    before, everything = rows_of("bob"), rows_of(None)
    for call in OF_ACCOUNTS.values():
        with ma.as_user("ada"):
            for account in (world.bob, "BOB-77", theirs):
                with pytest.raises(KINDS) as refused:
                    call(account, tmp_path)
                check_silent(str(refused.value).replace("BOB-77", ""))
        check_untouched(everything, None)
    for call in OF_ACCOUNTS.values():
        with ma.as_user("ada"):
            check_silent(shown(call(world.ada, tmp_path)))
        check_untouched(before, "bob")
    with ma.as_user("ada"):
        assert set(ma.refresh_positions()["account_id"]) == {world.ada}
    check_untouched(before, "bob")
    with ma.as_user("root"):
        assert "BOBS" in shown(ma.refresh_positions(world.bob))


def test_trials_are_seen_by_whoever_ran_them(world: Books) -> None:
    with ma.as_user("ada"):
        seen = ma.trials()
        assert ma.trials("BOBS crossing").empty
        with pytest.raises((UnknownNameError, NotAllowedError)):
            ma.trials(user="bob")
        with pytest.raises(UnknownNameError) as refused:
            ma.rerun("BOBS run")
        check_silent(str(refused.value).replace("BOBS run", ""))
        with pytest.raises(NotReproducibleError):
            ma.rerun("ADAS run")
        for question in ((world.bob, world.ada), (world.ada, world.bob), ("BOB-77", world.ada)):
            with pytest.raises(KINDS) as refused:
                ma.compare(*question)
            check_silent(str(refused.value).replace("BOB-77", ""))
    check_silent(shown(seen))
    assert seen["family"].tolist() == ["ADAS crossing"]
    with ma.as_user("root"):
        assert set(ma.trials()["family"]) == {"ADAS crossing", "BOBS crossing"}


def test_sql_shows_a_user_their_own_rows(world: Books) -> None:
    with session_scope() as db_session:
        orders = {order.account_id: order for order in db_session.query(Order)}
        now = orders[world.bob].placed_at
        for account, price, mark in ((world.ada, 5.0, "ADAS"), (world.bob, 777.25, "BOBS")):
            order = orders[account].id
            db_session.add(Fill(order_id=order, filled_at=now, quantity=1.0, price=price))
            db_session.add(
                Report(title=f"{mark} page", path="/x", account_id=account, created_at=now)
            )
            run = db_session.query(BacktestRun).filter_by(account_id=account).one()
            db_session.add(Trial(family=f"{mark} own", user_id=None, run_id=run.id, recorded_at=now,
                                 parameters_json="{}"))  # fmt: skip
        db_session.add(SessionConfig(name="BOBS plan", config_json="{}"))
        db_session.add(ReportRows(digest="0" * 64, rows_json='["BOBS"]'))
    with ma.as_user("root"):
        everything = {name: ma.sql(f'from "{name}"') for name in (*OWNED, *OF_NOBODY_TABLES)}
    for name, frame in everything.items():
        assert MARKS.search(frame.to_csv()), f"{name} has nothing that could be betrayed"
    with ma.as_user("ada"):
        for table in Base.metadata.sorted_tables:
            if table.name in OF_NOBODY_TABLES:
                with pytest.raises(MismarteraError):
                    ma.sql(f'from "{table.name}"')
                continue
            seen = ma.sql(f'from "{table.name}"')
            check_silent(seen.to_csv())
            if table.name in OWNED:
                assert 0 < len(seen) < len(everything[table.name]), table.name


def test_everybodys_rows_are_looked_at_by_superusers(world: Books) -> None:
    for name in OF_EVERYBODY:
        with ma.as_user("ada"), pytest.raises(NotAllowedError, match="superuser"):
            getattr(ma, name)()


def test_people_are_made_by_superusers(world: Books) -> None:
    with ma.as_user("ada"), pytest.raises(NotAllowedError):
        ma.create_user("eve", "eve@example.com", "pw")


def commands() -> dict[str, Any]:
    def walk(group: Any, prefix: str) -> dict[str, Any]:
        found = {}
        for name, command in group.commands.items():
            inner = getattr(command, "commands", None)
            if inner:
                found |= walk(command, f"{prefix}{name} ")
            if not inner or command.invoke_without_command:
                found[prefix + name] = command
        return found

    return walk(typer.main.get_command(app), "")


SHOW = {"accounts", "backtest list", "fills", "orders", "pnl", "positions", "trials"}
"""Commands that show everything that may be seen."""

TOLD = {
    "import-orders": ["{file}", "--account", "{account}", "--broker", "schwab"],
    "reconcile": ["--account", "{account}"],
    "refresh-positions": ["--account", "{account}"],
    "report": ["--account", "{account}", "--out", "{folder}"],
}
"""Commands that are told the account."""

OF_A_FILE = {"report verify"}
"""Commands that are told a file that only its owner's database rows know."""

OF_A_RUN = {"backtest rerun", "backtest show"}
"""Commands that are told a saved run."""

OF_PEOPLE = {"user create", "user password", "user check", "open-account"}
OF_NOBODY = {"backtest run", "backup verify", "sessions", "demo"}
FOR_SUPERUSERS = {"backup write": "{folder}/new.zip", "restore": "{folder}/new.zip", "doctor": None}
"""Commands that read or write everybody's rows, and the file that they are told."""
OF_PROCESSES = {"notebook run"}
"""Commands that start a process in which nobody is signed in: for superusers."""
OF_THE_MARKET = ("bars ", "calendar ", "db ")
OF_OWNERS = {"db grant-role"}
"""Commands that only the owner of PostgreSQL's tables has the rights for."""


def test_every_command_has_a_rule() -> None:
    ruled = {*SHOW, *TOLD, *OF_A_FILE, *OF_A_RUN, *OF_PEOPLE, *OF_NOBODY, *OF_PROCESSES, "sql"}
    ruled |= FOR_SUPERUSERS.keys()
    rest = {name for name in commands() if not name.startswith(OF_THE_MARKET)}
    assert rest == ruled, "say above whose rows a new command shows or changes"
    for name, command in commands().items():
        if (name.startswith(OF_THE_MARKET) and name not in OF_OWNERS) or name in OF_NOBODY:
            assert not {"user", "account"} & {option.name for option in command.params}, name


def test_commands_show_a_user_their_own_rows(
    world: Books, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = rows_of("bob")

    def call(*words: str) -> tuple[int, str]:
        capfd.readouterr()
        with ma.as_user("ada"):
            code = run([*words])
        out, err = capfd.readouterr()
        return code, out + err

    for name in sorted(SHOW):
        for form in ("--csv", "--json", "--most=40"):
            code, text = call(*name.split(), form)
            assert code == 0, text
            check_silent(text)
        code, text = call(*name.split(), "--user", "bob")
        assert code != 0
        assert "7772" not in text
        if "account" in {option.name for option in commands()[name].params}:
            assert call(name, "--account", str(world.bob))[0] != 0
    for name in sorted(OF_A_RUN):
        for run_of in ("BOBS run", "2"):
            code, text = call(*name.split(), run_of)
            assert code == 2, text
            check_silent(text.replace("BOBS run", ""))
        assert call("backtest", "show", "ADAS run")[0] == 0
    file = schwab_file(tmp_path, SCHWAB_ROW)
    for name, words in TOLD.items():
        for account in (str(world.bob), "BOB-77"):
            filled = [word.format(file=file, account=account, folder=tmp_path) for word in words]
            code, text = call(name, *filled)
            assert code == 2, text
            assert "is not known" in text
        filled = [word.format(file=file, account=world.ada, folder=tmp_path) for word in words]
        code, text = call(name, *filled)
        assert code in (0, 1), text
        check_silent(text)
    assert call("report", "--all-accounts", "--user", "bob", "--out", str(tmp_path))[0] != 0
    theirs = ma.tear_sheet(world.bob, tmp_path / "theirs.html")
    before = rows_of("bob")
    for name in OF_A_FILE:
        code, text = call(*name.split(), str(theirs))
        assert code == 2, text
        check_silent(text)
    code, text = call("report", "--all-accounts", "--out", str(tmp_path / "all"))
    assert code == 0, text
    for page in (tmp_path / "all").iterdir():
        check_silent(page.read_text("utf-8"))
    for name, told in FOR_SUPERUSERS.items():
        words = [] if told is None else [told.format(folder=tmp_path)]
        code, text = call(*name.split(), *words)
        assert code == 1, text
        assert "superuser" in text
    code, text = call("open-account", "bob", "schwab", "--number", "BOB-78")
    assert code == 1, text
    assert "may not open accounts for another user" in text
    for name in OF_PROCESSES:
        code, text = call(*name.split(), str(file))
        assert code == 1
        assert "only superusers" in text
    for table in ("orders", "fills", "positions", "cash_flows", "account_info", "users"):
        check_silent(call("sql", f"from {table}", "--csv")[1])
    check_untouched(before, "bob")


def test_a_password_is_changed_by_its_owner(world: Books) -> None:
    from mismartera_analytics.auth import set_password

    with session_scope() as db_session:
        before = db_session.scalar(select(User.hashed_password).where(User.username == "bob"))
    with ma.as_user("ada"), pytest.raises(MismarteraError):
        set_password("bob", "taken over")
    with session_scope() as db_session:
        after = db_session.scalar(select(User.hashed_password).where(User.username == "bob"))
    assert after == before
