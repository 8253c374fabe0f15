"""Migrations up and down on both databases: by Alembic, by our functions, and each script alone."""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib.util
import itertools
import multiprocessing
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from alembic.config import main as alembic_command
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Boolean,
    Column,
    Date,
    Engine,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Time,
    TypeDecorator,
    insert,
    inspect,
    select,
    text,
)

import mismartera_analytics as ma
from mismartera_analytics.clock import utc_now
from mismartera_analytics.errors import (
    DatabaseNotReadyError,
    DatabaseUnreachableError,
    InvalidInputError,
    MigrationError,
)
from mismartera_analytics.models import (
    AccountInfo,
    CashFlow,
    Fill,
    Order,
    Position,
    TradingHoliday,
    User,
    load_mappings,
    migrate,
    revision_files,
    revisions,
)
from mismartera_analytics.models import database as db
from mismartera_analytics.models.database import Base
from mismartera_analytics.models.init_db_if_missing import init_db_if_missing
from mismartera_analytics.models.migration_lock import migrating
from mismartera_analytics.models.revision_script import run_alone
from mismartera_analytics.models.types import UTCDateTime

pytestmark = pytest.mark.usefixtures("few_rules")

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = ROOT / "migrations" / "versions"
SCRIPTS = sorted(VERSIONS.glob("0*.py"))
REVISIONS = [path.name[:4] for path in SCRIPTS]
HEAD = REVISIONS[-1]


@dataclass(frozen=True)
class Done:
    """What a program said, and its exit code."""

    code: int
    said: str


def program(*words: str, cwd: Path, url: str) -> Done:
    environment = {"MISMARTERA_DATABASE_URL": url, "PYTHONPATH": str(cwd)}
    done = subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return Done(done.returncode, done.stdout + done.stderr)


@pytest.fixture
def alembic(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Run Alembic's command line at the root, in this process."""

    def run(*words: str) -> Done:
        monkeypatch.chdir(ROOT)
        try:
            alembic_command(argv=list(words))
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return Done(code, said.out + said.err)

    return run


@pytest.fixture
def script(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Run a revision as the main program, in this process."""

    def run(path: Path, *words: str) -> Done:
        monkeypatch.setattr(sys, "argv", [str(path), *words])
        try:
            runpy.run_path(str(path), run_name="__main__")
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return Done(code, said.out + said.err)

    return run


def snapshot(engine: Engine) -> dict[str, Any]:
    """Return tables, columns, constraints, indexes and rows: all that a migration may change."""
    inspector = inspect(engine)
    found: dict[str, Any] = {}
    with engine.connect() as connection:
        for table in sorted(inspector.get_table_names()):
            columns = inspector.get_columns(table)
            names = sorted(str(column["name"]) for column in columns)
            rows = connection.exec_driver_sql(f"SELECT {', '.join(names)} FROM {table}").all()
            found[table] = {
                "columns": sorted((c["name"], str(c["type"]), c["nullable"]) for c in columns),
                "keys": inspector.get_pk_constraint(table)["name"],
                "uniques": sorted(u["name"] or "" for u in inspector.get_unique_constraints(table)),
                "foreign": sorted(
                    (f["name"] or "", str(f["options"])) for f in inspector.get_foreign_keys(table)
                ),
                "indexes": sorted(
                    (i["name"], bool(i["unique"])) for i in inspector.get_indexes(table)
                ),
                "rows": sorted(map(repr, rows)),
            }
    return found


def policies(engine: Engine) -> list[str]:
    """Return what decides on PostgreSQL who sees which rows."""
    with engine.connect() as connection:
        return [
            str(row)
            for statement in (
                "SELECT * FROM pg_policies ORDER BY tablename, policyname",
                "SELECT relname FROM pg_class WHERE relrowsecurity ORDER BY 1",
                "SELECT proname, prosecdef, proconfig, proacl::text, pg_get_functiondef(oid) "
                "FROM pg_proc WHERE proname LIKE 'mismartera%' ORDER BY 1",
            )
            for row in connection.execute(text(statement))
        ]


def fill_tables() -> None:
    with ma.session_scope() as db_session:
        user = User(username="ada", email="ada@example.com", hashed_password="x")
        account = AccountInfo(user=user, broker="schwab", currency="USD")
        order = Order(account=account, symbol="AAPL", quantity=3, stop_price=1.5, status="odd one")
        order.fills.append(Fill(filled_at=utc_now(), quantity=3, price=1.5, broker_fill_id="f"))
        db_session.add_all(
            [
                order,
                Position(user=user, symbol="AAPL", quantity=3, average_price=1.5),
                CashFlow(
                    account=account,
                    flow_type="DEPOSIT",
                    amount=9,
                    occurred_at=utc_now(),
                ),
            ]
        )


MARK = "OWN"
"""Begins the texts of the rows that `fill_every_table` writes."""


def fill_every_table() -> None:
    """Write two rows to each table of ours, with a value in every column."""
    load_mappings()
    with ma.session_scope() as db_session:
        for table in Base.metadata.sorted_tables:
            rows = [{c.name: value_of(c, number) for c in table.columns} for number in (901, 902)]
            db_session.execute(insert(table), rows)


def value_of(column: Column[Any], number: int) -> Any:
    kind = column.type
    if column.foreign_keys or column.name == "id":
        return number
    if isinstance(kind, TypeDecorator) and not isinstance(kind, UTCDateTime):
        kind = kind.impl_instance
    if isinstance(kind, String):
        return f"{MARK}{number}"[: kind.length]
    instant = dt.datetime(2025, 7, 2, 1, 30, 0, number, tzinfo=dt.UTC)
    values: list[tuple[type, Any]] = [
        (UTCDateTime, instant), (Boolean, True), (Integer, number), (Float, number + 0.1),
        (Date, instant.date()), (Time, instant.time()),
    ]  # fmt: skip
    return next(value for known, value in values if isinstance(kind, known))


def own_rows(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of `fill_every_table` as the database holds them, by table."""
    found = MetaData()
    found.reflect(engine)
    with engine.connect() as connection:
        return {
            name: [
                dict(row)
                for row in connection.execute(
                    table.select().order_by(*table.primary_key)
                ).mappings()
                if any(isinstance(v, str) and v.startswith(MARK) for v in row.values())
                or row.get("id") in (901, 902)
            ]
            for name, table in found.tables.items()
            if name != "alembic_version"
        }


def test_alembic_up_down_up_and_no_difference(
    database_url: str, alembic: Callable[..., Done]
) -> None:
    for words in (["upgrade", "head"], ["check"]):
        assert alembic(*words).code == 0
    assert migrate.status(db.engine).state == "current"
    fill_tables()
    assert alembic("downgrade", "base").code == 0
    assert inspect(db.engine).get_table_names() == ["alembic_version"]
    assert alembic("upgrade", "head").code == 0
    assert alembic("check").code == 0


@pytest.mark.slow
def test_alembic_as_a_program(home: Path) -> None:
    url = ma.settings().database_url
    done = program("-m", "alembic", "upgrade", "head", cwd=ROOT, url=url)
    assert done.code == 0
    assert [line.split(":")[0] for line in done.said.splitlines()] == [f"up {r}" for r in REVISIONS]
    assert migrate.status(db.engine).state == "current"


def test_alembic_says_one_sentence_when_it_refuses(
    database_url: str, alembic: Callable[..., Done]
) -> None:
    with db.engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id INTEGER)"))
    done = alembic("upgrade", "head")
    assert done.code != 0
    assert "mismartera db upgrade" in done.said
    assert "Traceback" not in done.said


@pytest.mark.postgres
def test_the_sql_that_alembic_writes_makes_the_same_tables(
    postgres_database: Callable[[str | None], str],
    postgres_url: str,
    alembic: Callable[..., Done],
) -> None:
    ma.configure(database_url=postgres_url)
    written = alembic("upgrade", "head", "--sql")
    assert written.code == 0
    with db.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        driver.autocommit = True
        driver.execute(written.said)
    by_hand, guarded = snapshot(db.engine), policies(db.engine)
    ma.configure(database_url=postgres_database(None))
    ma.init_db()
    assert by_hand == snapshot(db.engine)
    assert guarded == policies(db.engine) != []


class TestInitialise:
    def test_a_fresh_database_gets_everything(self, database_url: str) -> None:
        assert migrate.status(db.engine) == migrate.Status("fresh", None, HEAD, tuple(REVISIONS))
        ma.init_db()
        assert migrate.status(db.engine) == migrate.Status("current", HEAD, HEAD, ())
        assert set(db.Base.metadata.tables) <= set(inspect(db.engine).get_table_names())

    def test_twice_changes_nothing(self, migrated_database: str) -> None:
        fill_tables()
        before = snapshot(db.engine)
        ma.init_db()
        assert init_db_if_missing().state == "current"
        assert snapshot(db.engine) == before

    def test_a_model_of_the_users_own_gets_its_table(
        self, migrated_database: str, alembic: Callable[..., Done]
    ) -> None:
        own = Table("own_table", db.Base.metadata, Column("id", Integer, primary_key=True))
        try:
            ma.init_db()
            with ma.session_scope() as db_session:
                db_session.execute(own.insert().values(id=1))
            assert alembic("check").code == 0
        finally:
            db.Base.metadata.remove(own)

    def test_an_outdated_database_is_refused(self, database_url: str) -> None:
        migrate.upgrade(db.engine, REVISIONS[0])
        before = snapshot(db.engine)
        with pytest.raises(DatabaseNotReadyError, match=f"{REVISIONS[0]}.*mismartera db upgrade"):
            ma.init_db()
        assert snapshot(db.engine) == before
        assert migrate.upgrade(db.engine).state == "current"
        ma.init_db()

    def test_a_newer_database_is_refused(self, migrated_database: str) -> None:
        with db.engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        before = snapshot(db.engine)
        assert migrate.status(db.engine).state == "newer"
        for refused in (
            ma.init_db,
            init_db_if_missing,
            lambda: migrate.upgrade(db.engine),
            lambda: migrate.downgrade(db.engine, "base"),
            lambda: run_alone(db.engine, SCRIPTS[0]),
        ):
            with pytest.raises(DatabaseNotReadyError, match=r"9999.*newer version"):
                refused()
        assert snapshot(db.engine) == before

    def test_memory(self) -> None:
        ma.configure(database_url="sqlite://")
        ma.init_db()
        fill_tables()
        assert migrate.downgrade(db.engine, "base").state == "fresh"
        assert init_db_if_missing().state == "current"

    def test_asking_for_the_status_makes_no_file(self, home: Path) -> None:
        assert migrate.status(db.engine).state == "fresh"
        assert not (home / "data" / "mismartera.db").exists()

    def test_foreign_keys_hold_afterwards(self, migrated_database: str) -> None:
        ma.init_db()
        migrate.downgrade(db.engine, "-1")
        migrate.upgrade(db.engine)
        with pytest.raises(Exception, match=r"(?i)foreign key"), ma.session_scope() as db_session:
            db_session.add(Position(symbol="A", quantity=1, average_price=1, account_id=99))


def _initialise(url: str, gate: Any) -> None:
    ma.configure(database_url=url)
    gate.wait()
    ma.init_db()


@pytest.mark.slow
def test_processes_that_start_at_once_do_not_collide(database_url: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    gate = spawn.Barrier(3)
    processes = [spawn.Process(target=_initialise, args=(database_url, gate)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert migrate.status(db.engine).state == "current"
    with db.engine.connect() as connection:
        groups = connection.scalars(text("SELECT exchange_group FROM market_hours")).all()
        assert len(groups) == len(set(groups)) > 1


class TestWithData:
    def test_down_and_up_keep_the_documented_rows(self, migrated_database: str) -> None:
        fill_tables()
        before = snapshot(db.engine)
        migrate.downgrade(db.engine, "0001")
        after = snapshot(db.engine)
        assert set(after) - {"alembic_version"} == {
            "account_info", "market_data", "market_hours", "orders", "positions",
            "session_configs", "trading_holidays", "users",
        }  # fmt: skip
        assert after["positions"] == before["positions"]
        assert "database_role" in str(before["users"].pop("columns"))
        for part in ("keys", "uniques", "foreign"):
            assert after["users"][part] == before["users"][part]
        migrate.upgrade(db.engine)
        before["users"]["columns"] = snapshot(db.engine)["users"]["columns"]
        with ma.SessionLocal() as db_session:
            order = db_session.scalars(select(Order)).one()
        assert (order.symbol, order.status, order.stop_price) == ("AAPL", "odd one", None)
        again = snapshot(db.engine)
        for table, content in again.items():
            for part in ("columns", "keys", "uniques", "foreign", "indexes"):
                assert content[part] == before[table][part], (table, part)

    def test_every_revision_down_and_up_with_rows_in_every_table(
        self, migrated_database: str
    ) -> None:
        fill_every_table()
        for lower, upper in reversed(list(itertools.pairwise(REVISIONS))):
            before = own_rows(db.engine)
            migrate.downgrade(db.engine, lower)
            below = own_rows(db.engine)
            assert all(below.values()), "a table lost its rows"
            migrate.upgrade(db.engine, upper)
            above = own_rows(db.engine)
            assert above.keys() == before.keys()
            for table, rows in below.items():
                names = rows[0].keys()
                for other in (before, above):
                    kept = [{name: row[name] for name in names} for row in other[table]]
                    assert kept == rows, f"{table} between {lower} and {upper}"
            migrate.downgrade(db.engine, lower)
            assert own_rows(db.engine) == below
        migrate.upgrade(db.engine, HEAD)
        assert migrate.status(db.engine).state == "current"
        assert {name for name, rows in own_rows(db.engine).items() if rows} == below.keys()

    def test_what_is_the_users_own_survives(self, migrated_database: str) -> None:
        with db.engine.begin() as connection:
            connection.execute(text("CREATE TABLE own (id INTEGER PRIMARY KEY, note TEXT)"))
            connection.execute(text("INSERT INTO own VALUES (1, 'mine')"))
            connection.execute(text("ALTER TABLE orders ADD COLUMN own_note VARCHAR(20)"))
            connection.execute(
                text("CREATE VIEW open_orders AS SELECT symbol, own_note FROM orders")
            )
        fill_tables()
        with db.engine.begin() as connection:
            connection.execute(text("UPDATE orders SET own_note = 'mine'"))
        migrate.downgrade(db.engine, "0001")
        migrate.upgrade(db.engine)
        with db.engine.connect() as connection:
            assert connection.scalar(text("SELECT own_note FROM open_orders")) == "mine"
            assert connection.scalar(text("SELECT note FROM own")) == "mine"

    def test_the_users_calendar_survives_the_downgrade(self, migrated_database: str) -> None:
        with ma.session_scope() as db_session:
            db_session.add(TradingHoliday(exchange="NYSE", date=utc_now().date()))
        migrate.downgrade(db.engine, "0002")
        with ma.SessionLocal() as db_session:
            assert [day.exchange for day in db_session.scalars(select(TradingHoliday))] == ["NYSE"]


class TestFaults:
    @pytest.mark.parametrize("broken", ["create_index", "create_table", "batch_alter_table"])
    def test_a_fault_on_the_way_up_leaves_the_old_state(
        self, database_url: str, monkeypatch: pytest.MonkeyPatch, broken: str
    ) -> None:
        migrate.upgrade(db.engine, "0001")
        before = snapshot(db.engine)
        with self.failing(monkeypatch, broken, after=1), pytest.raises(RuntimeError, match="power"):
            migrate.upgrade(db.engine)
        assert snapshot(db.engine) == before
        assert migrate.upgrade(db.engine).state == "current"

    def test_a_fault_on_the_way_down_leaves_the_old_state(
        self, migrated_database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill_tables()
        before = snapshot(db.engine)
        with (
            self.failing(monkeypatch, "batch_alter_table", after=2),
            pytest.raises(RuntimeError, match="power"),
        ):
            migrate.downgrade(db.engine, "base")
        assert snapshot(db.engine) == before
        assert migrate.downgrade(db.engine, "base").state == "fresh"

    @staticmethod
    @contextlib.contextmanager
    def failing(monkeypatch: pytest.MonkeyPatch, name: str, *, after: int) -> Iterator[None]:
        original, calls = getattr(Operations, name), iter(range(after))

        def fail(*args: Any, **options: Any) -> Any:
            if next(calls, None) is None:
                raise RuntimeError("the power fails")
            return original(*args, **options)

        with monkeypatch.context() as patch:
            patch.setattr(Operations, name, fail)
            yield

    def test_a_fresh_database_that_fails_stays_empty(
        self, database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with (
            self.failing(monkeypatch, "create_table", after=0),
            pytest.raises(RuntimeError, match="power"),
        ):
            ma.init_db()
        assert inspect(db.engine).get_table_names() == []

    def test_a_table_in_the_way_is_one_sentence(self, database_url: str) -> None:
        with db.engine.begin() as connection:
            connection.execute(text("CREATE TABLE fills (id INTEGER)"))
        with pytest.raises(MigrationError, match=r"as it was: .*fills.* exists"):
            ma.init_db()
        assert inspect(db.engine).get_table_names() == ["fills"]

    @pytest.mark.parametrize("target", ["nowhere", "", "0001:0002"])
    def test_an_unknown_target_names_the_known(self, target: str, home: Path) -> None:
        with pytest.raises(InvalidInputError, match=f"'{target}'.*{HEAD}"):
            migrate.upgrade(db.engine, target)
        assert migrate.status(db.engine).state == "fresh"

    def test_an_unreachable_server_is_one_sentence(self) -> None:
        ma.configure(database_url="postgresql://ada@127.0.0.1:1/x")
        with pytest.raises(DatabaseUnreachableError):
            migrate.status(db.engine)


class TestLeftovers:
    def test_a_stale_temporary_table_does_not_break_the_next_try(self, home: Path) -> None:
        ma.init_db()
        with db.engine.begin() as connection:
            connection.execute(text("CREATE TABLE _alembic_tmp_orders (id INTEGER)"))
        migrate.downgrade(db.engine, "base")
        assert inspect(db.engine).get_table_names() == ["alembic_version"]

    def test_one_that_holds_the_only_copy_is_not_dropped(self, home: Path) -> None:
        ma.init_db()
        fill_tables()
        with db.engine.begin() as connection:
            connection.execute(text("ALTER TABLE positions RENAME TO _alembic_tmp_positions"))
        with pytest.raises(MigrationError, match="RENAME TO positions"):
            migrate.downgrade(db.engine, "base")
        with db.engine.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM _alembic_tmp_positions")) == 1

    def test_references_must_not_be_broken(self, home: Path) -> None:
        ma.init_db()
        fill_tables()
        said = pytest.raises(MigrationError, match="1 rows of 'fills'")
        with said, migrating(db.engine) as connection:
            connection.execute(text("DELETE FROM orders"))
        with ma.SessionLocal() as db_session:
            assert len(db_session.scalars(select(Order)).all()) == 1


class TestAlone:
    def test_one_script_as_a_program(self, home: Path) -> None:
        done = program(str(SCRIPTS[0]), cwd=ROOT, url=ma.settings().database_url)
        assert done == Done(0, f"{db.engine.url!r} is at revision {REVISIONS[0]}.\n")
        assert migrate.status(db.engine).current == REVISIONS[0]

    def test_each_script_up_and_down(self, database_url: str, script: Callable[..., Done]) -> None:
        for path, revision in zip(SCRIPTS, REVISIONS, strict=True):
            done = script(path)
            assert done == Done(0, f"{db.engine.url!r} is at revision {revision}.\n")
        assert migrate.status(db.engine).state == "current"
        for path in reversed(SCRIPTS):
            assert script(path, "downgrade").code == 0
        assert inspect(db.engine).get_table_names() == ["alembic_version"]

    @pytest.mark.parametrize("words", [[], ["upgrade"], ["downgrade"]])
    def test_a_refusal_is_one_line(
        self, words: list[str], home: Path, script: Callable[..., Done]
    ) -> None:
        done = script(SCRIPTS[1], *words)
        assert done.code == 1
        assert done.said.startswith(SCRIPTS[1].name)
        assert done.said.count("\n") == 1

    def test_a_wrong_word_is_a_wrong_call(self, home: Path, script: Callable[..., Done]) -> None:
        assert script(SCRIPTS[1], "sideways").code == 2

    def test_the_same_tables_as_by_init_db(self, database_url: str) -> None:
        for path in SCRIPTS:
            run_alone(db.engine, path)
        alone = snapshot(db.engine)
        migrate.downgrade(db.engine, "base")
        ma.init_db()
        assert snapshot(db.engine) == alone

    def test_the_predecessor_must_be_current(self, database_url: str) -> None:
        with pytest.raises(MigrationError, match=rf"run first: python .*{SCRIPTS[0].name}"):
            run_alone(db.engine, SCRIPTS[2])
        run_alone(db.engine, SCRIPTS[0])
        with pytest.raises(MigrationError, match=rf"run first: python .*{SCRIPTS[1].name}"):
            run_alone(db.engine, SCRIPTS[2])
        with pytest.raises(MigrationError, match="applied already"):
            run_alone(db.engine, SCRIPTS[0])

    def test_only_the_last_one_goes_down(self, migrated_database: str) -> None:
        with pytest.raises(MigrationError, match=rf"run first: python .*{SCRIPTS[-1].name} down"):
            run_alone(db.engine, SCRIPTS[0], direction="downgrade")
        assert run_alone(db.engine, SCRIPTS[-1], direction="downgrade").current == REVISIONS[-2]
        with pytest.raises(MigrationError, match="is not applied"):
            run_alone(db.engine, SCRIPTS[-1], direction="downgrade")


class TestScripts:
    @pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
    def test_it_is_frozen(self, path: Path) -> None:
        """Revisions may not change when the mappings do."""
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert callable(module.upgrade)
        assert callable(module.downgrade)
        imported = [line for line in path.read_text().splitlines() if "mismartera" in line]
        assert [
            line.strip() for line in imported if line.strip().startswith(("from", "import"))
        ] == ["from mismartera_analytics.models.migrate import run_script"]

    def test_they_form_one_line(self) -> None:
        scripts = ScriptDirectory(str(ROOT / "migrations"))
        assert [s.revision for s in scripts.walk_revisions()] == REVISIONS[::-1]
        assert scripts.get_heads() == [HEAD]

    @pytest.mark.slow
    def test_a_new_revision_is_written_with_plain_types(self, home: Path) -> None:
        for name in ("pyproject.toml", "migrations", "mismartera_analytics"):
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, home / name)
        source = home / "mismartera_analytics" / "models" / "user.py"
        column = "    last_seen: Mapped[Instant | None]\n"
        source.write_text(
            source.read_text().replace("    is_active:", column + "    is_active:", 1)
        )

        def run(*words: str) -> Done:
            url = f"sqlite:///{home / 'copy.db'}"
            return program("-m", "alembic", *words, cwd=home, url=url)

        assert run("upgrade", "head").code == 0
        done = run("revision", "--autogenerate", "--rev-id", "9000", "-m", "Add last_seen")
        assert done.code == 0, done.said
        written = (home / "migrations" / "versions" / "9000_add_last_seen.py").read_text()
        assert "sa.DateTime(timezone=True)" in written
        assert "UTCDateTime" not in written
        assert run("upgrade", "head").code == 0
        assert run("check").code == 0


def test_the_newest_revision_is_told_by_the_name_of_its_file() -> None:
    assert revision_files.newest() == revisions.scripts_of().get_current_head()


def test_a_current_database_is_read_without_alembic(tmp_path: Path) -> None:
    told = """
import sys
import mismartera_analytics as ma
from mismartera_analytics.models import database
database.require_current()
print("alembic" in sys.modules)
"""
    environment = {**os.environ, "MISMARTERA_DATABASE_URL": f"sqlite:///{tmp_path / 'own.db'}"}
    script = [sys.executable, "-c", f"import mismartera_analytics as ma; ma.init_db()\n{told}"]
    first = subprocess.run(script, env=environment, capture_output=True, text=True, check=True)
    again = subprocess.run(
        [sys.executable, "-c", told], env=environment, capture_output=True, text=True, check=True
    )
    assert (first.stdout, again.stdout) == ("True\n", "False\n")
