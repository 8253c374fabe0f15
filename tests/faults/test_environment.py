"""Settings, addresses and surroundings that are not as they should be: one sentence each."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics import errors
from mismartera_analytics.errors import (
    ConfigurationError,
    DatabaseNotReadyError,
    InvalidInputError,
    MismarteraError,
    StorageError,
)
from mismartera_analytics.market_data.action_files import import_actions
from mismartera_analytics.market_data.trees import import_tree
from mismartera_analytics.models.connections import make_engine
from mismartera_analytics.operations.backup import back_up
from mismartera_analytics.operations.notebooks import NotebookError
from mismartera_analytics.operations.restoring import restore
from mismartera_analytics.reports.making import made_at

NOBODY = "~nobody-of-this-name"
LONG = "x" * 5_000


def pickle_again(value: Exception) -> Exception:
    return pickle.loads(pickle.dumps(value))  # type: ignore[no-any-return]


def _python(
    arguments: list[str], *, cwd: Path | None = None, **surroundings: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env={**os.environ, **surroundings},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"home": f"{NOBODY}/a"},
        {"bar_store": f"{NOBODY}/a"},
        {"reports": NOBODY},
        {"database_url": f"sqlite:///{NOBODY}/a.db"},
    ],
    ids=str,
)
def test_a_setting_in_the_home_of_nobody_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=r"setting \w+='.*home of a user whom"):
        ma.configure(**changes)


def test_a_home_in_the_home_of_nobody_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISMARTERA_HOME", f"{NOBODY}/a")
    with pytest.raises(ConfigurationError, match=r"setting home='.*home of a user whom"):
        ma.configure()


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("file", lambda: back_up(NOBODY)),
        ("file", lambda: restore(NOBODY)),
        ("path", lambda: ma.verify_report(NOBODY)),
        ("path", lambda: import_actions(f"{NOBODY}/splits.csv")),
        ("source", lambda: ma.ingest_bars(f"{NOBODY}/bars.csv", interval="1d")),
        ("root", lambda: import_tree(NOBODY)),
        ("uri", lambda: ma.BarStore(f"{NOBODY}/bars")),
    ],
    ids=["backup", "restore", "verify_report", "import_actions", "ingest_bars", "import_tree", "store"],
)  # fmt: skip
def test_a_path_in_the_home_of_nobody_is_refused(
    argument: str, call: object, ready_database: str
) -> None:
    assert callable(call)
    with pytest.raises(InvalidInputError, match=f"{argument}='{NOBODY}.*home of a user whom"):
        call()


@pytest.mark.parametrize("field", ["home", "bar_store", "reports", "database_url"])
def test_bytes_that_are_no_utf8_are_no_setting(field: str) -> None:
    value = "postgresql://ada:a\udcff@h/x" if field == "database_url" else "a\udcff"
    with pytest.raises(ConfigurationError, match=rf"setting {field}=.*no UTF-8 text"):
        ma.configure(**{field: value})


def test_a_home_of_another_type_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="setting home='5'"):
        ma.configure(home=5)


def test_a_home_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISMARTERA_HOME", f"/{LONG}")
    with pytest.raises(ConfigurationError, match="too long") as caught:
        ma.configure()
    assert len(str(caught.value)) < 600


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes")
def test_a_pipe_or_a_huge_file_is_no_dotenv(home: Path) -> None:
    file = home / ".env"
    os.mkfifo(file)
    with pytest.raises(ConfigurationError, match="is a pipe"):
        ma.configure()
    file.unlink()
    file.write_text("X=1\n" * 300_000)
    with pytest.raises(ConfigurationError, match="longer than") as caught:
        ma.configure()
    assert "is a pipe" not in str(caught.value)
    file.unlink()
    file.symlink_to(file)
    with pytest.raises(ConfigurationError, match="cannot read"):
        ma.configure()


def test_a_relative_home_of_the_environment_is_followed_once(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    monkeypatch.setenv("MISMARTERA_HOME", "desk")
    assert ma.configure().home == home / "desk"
    assert ma.settings().database_url == f"sqlite:///{home}/desk/data/mismartera.db"
    assert ma.configure(home=home / "other").home == home / "other"


def test_a_current_folder_that_is_gone_is_told(home: Path) -> None:
    gone = home / "gone"
    gone.mkdir()
    code = (
        "import os, mismartera_analytics as ma\n"
        f"os.rmdir({str(gone)!r})\n"
        "try:\n    ma.settings()\n"
        "except ma.errors.ConfigurationError as error:\n    print(error)\n"
    )
    surroundings = {k: v for k, v in os.environ.items() if k != "MISMARTERA_HOME"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=gone, env=surroundings, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.stdout.startswith("the current folder is gone;"), done.stderr


def test_a_wrong_package_name_shows_no_password() -> None:
    with pytest.raises(ConfigurationError) as caught:
        ma.configure(strategy_packages="http://ada:sesame@h/x")
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite:///{home}/a.db?mode=ro", r"option 'mode'.*uri=true"),
        ("sqlite:///{home}/a.db?mode=ro&uri=no", r"option 'mode'.*uri=true"),
        ("sqlite:///file:{home}/a.db", r"begins with 'file:'.*uri=true"),
        ("sqlite://host/a.db", "names a server"),
        ("sqlite:///a.db?password=sesame", "names a server"),
        ("sqlite:///a.db?timeout=soon", "option whose value"),
        ("sqlite:///a.db?timeout=1&timeout=2", "option whose value"),
        ("sqlite:///a.db?check_same_thread=perhaps", "option whose value"),
        ("sqlite:///a%00b.db", "holds NUL"),
        ("postgresql://ada:sesame%00@h/x", "holds NUL"),
    ],
)
def test_an_address_that_would_not_be_heeded_is_refused(url: str, words: str, home: Path) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        make_engine(url.format(home=home))
    assert "sesame" not in str(caught.value)
    assert not list(home.iterdir())


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite:///{home}/a.db?cached_statements=99999999999999", "cannot be used"),
        ("sqlite:///file:{home}/a.db?vfs=none-such&uri=true", "does not take .*no such vfs"),
        ("postgresql+psycopg://ada:sesame@127.0.0.1:1/x?colour=red", "does not take"),
        ("postgresql+psycopg://ada:sesame@127.0.0.1:1/x?connect_timeout=soon", "does not take"),
        ("postgresql+psycopg://ada:sesame@.../x", "cannot be used"),
    ],
)
def test_an_address_that_the_driver_refuses_is_told(url: str, words: str, home: Path) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        make_engine(url.format(home=home)).connect()
    assert "sesame" not in str(caught.value)


def test_a_database_whose_name_is_too_long_is_told(home: Path) -> None:
    ma.configure(database_url=f"sqlite:///{LONG}.db")
    with pytest.raises(DatabaseNotReadyError, match="no tables yet"):
        ma.accounts()
    with pytest.raises(MismarteraError, match="cannot"):
        ma.init_db()


def test_a_bar_store_that_cannot_be_looked_at_is_told(home: Path, ready_database: str) -> None:
    loop = home / "loop"
    loop.symlink_to(loop)
    for where in (loop / "bars", Path(LONG)):
        ma.configure(bar_store=where)
        with pytest.raises(StorageError, match="cannot be read"):
            ma.bars("AAPL", "1d")


def test_a_query_without_a_current_folder_is_refused(home: Path, demo_data: Path) -> None:
    gone = demo_data / "gone"
    gone.mkdir()
    code = (
        "import os, mismartera_analytics as ma\n"
        f"os.rmdir({str(gone)!r})\n"
        "try:\n    ma.sql('SELECT 1 AS a')\n"
        "except ma.errors.StorageError as error:\n    print(error)\n"
    )
    done = _python(["-c", code], cwd=gone, MISMARTERA_HOME=str(demo_data))
    assert done.stdout.startswith("the query has no folder to work in"), done.stderr


LOCALE_C = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize("settings", [{"PYTHONIOENCODING": "ascii"}, LOCALE_C], ids=["set", "C"])
def test_a_terminal_of_plain_ascii_shows_other_signs_by_their_numbers(
    demo_data: Path, settings: dict[str, str]
) -> None:
    plain = {**settings, "MISMARTERA_HOME": str(demo_data)}
    command = ["-m", "mismartera_analytics.cli"]
    table = _python([*command, "orders"], **plain)
    assert table.returncode == 0, table.stderr
    assert "AAPL" in table.stdout
    query = "SELECT 'Zo' || chr(235) AS name"
    assert "Zo\\xeb" in _python([*command, "sql", query], **plain).stdout
    refused = _python([*command, "sql", query, "--csv"], **plain)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "PYTHONIOENCODING" in refused.stderr
    chosen = {**plain, "PYTHONIOENCODING": "ascii:replace"}
    assert _python([*command, "sql", query, "--csv"], **chosen).returncode == 0


def test_settings_stay_as_they_were_whatever_is_wrong(home: Path) -> None:
    before = ma.settings()
    for changes in ({"bcrypt_rounds": 10**5_000}, {"cache_mb": object()}, {"home": 5}):
        with pytest.raises(ConfigurationError, match=next(iter(changes))):
            ma.configure(**changes)
        assert ma.settings() == before
        assert ma.configure(cache_mb=before.cache_mb) == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_help_that_cannot_be_written_is_told_in_a_sentence() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "mismartera_analytics.cli", "--help"], stdout=full,
            stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("mismartera: ")
    assert "Traceback" not in done.stderr


def test_a_result_and_an_error_of_a_notebook_survive_pickle(demo_on_both: Path) -> None:
    result = ma.rerun(1)
    again = pickle.loads(pickle.dumps(result))
    pd.testing.assert_frame_equal(again.orders, result.orders)
    pd.testing.assert_frame_equal(again.equity, result.equity)
    error = pickle.loads(pickle.dumps(NotebookError("a cell failed", half_run=Path("half.ipynb"))))
    assert (str(error), error.half_run) == ("a cell failed", Path("half.ipynb"))


@pytest.mark.parametrize("make", [pickle_again, copy.copy, copy.deepcopy])
def test_every_error_survives_pickle_and_copy(make: Callable[[Exception], Exception]) -> None:
    found = [
        each for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, MismarteraError)
    ]  # fmt: skip
    assert len(found) > 20
    for each in found:
        again = make(each("a sentence."))
        assert (type(again), str(again)) == (each, "a sentence.")


@pytest.mark.parametrize("given", ["9" * 30, "9" * 5_000, "253402300800"])
def test_a_time_of_making_that_is_none_is_refused(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", given)
    with pytest.raises(ConfigurationError, match="SOURCE_DATE_EPOCH="):
        made_at()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs another user")
def test_a_folder_above_where_one_may_not_look_is_passed(home: Path) -> None:
    closed = home / "closed" / "open"
    closed.mkdir(parents=True)
    code = (
        "import os\nfrom mismartera_analytics import config\n"
        f"os.chmod({str(home / 'closed')!r}, 0)\nos.setuid(65534)\nprint(config.home())"
    )
    surroundings = {k: v for k, v in os.environ.items() if k != "MISMARTERA_HOME"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=closed, env=surroundings, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.stdout.strip() == str(closed), done.stderr
