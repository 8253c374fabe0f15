"""Settings: where they come from, which win, and what a mistake is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import mismartera_analytics as ma
from mismartera_analytics import config
from mismartera_analytics.errors import ConfigurationError, MismarteraError


def test_defaults_lie_under_home(home: Path) -> None:
    settings = ma.settings()
    assert settings.home == home
    assert settings.database_url == f"sqlite:///{home}/data/mismartera.db"
    assert settings.bar_store == str(home / "data" / "bars")
    assert settings.reports == home / "reports"
    assert not list(home.iterdir())


def test_a_relative_home_lies_under_the_folder_that_holds_dotenv(home: Path) -> None:
    assert ma.configure(home="sub").database_url == f"sqlite:///{home}/sub/data/mismartera.db"
    assert ma.settings().home == home / "sub"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("sqlite:///other.db", "sqlite:///{home}/other.db"),
        ("sqlite:////srv/a.db", "sqlite:////srv/a.db"),
        ("sqlite://", "sqlite://"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("sqlite:///file:x?mode=ro&uri=true", "sqlite:///file:x?mode=ro&uri=true"),
        ("postgres://u:p@h/db", "postgresql://u:p@h/db"),
        (
            "postgresql+psycopg://u@h/db?sslmode=require",
            "postgresql+psycopg://u@h/db?sslmode=require",
        ),
    ],
)
def test_database_url_is_made_absolute(given: str, kept: str, home: Path) -> None:
    assert ma.configure(database_url=given).database_url == kept.format(home=home)


def test_a_home_may_have_any_name(home: Path) -> None:
    """In a URL a question mark begins options and %20 is a blank; in the name of a folder neither."""
    odd = home / "a?b" / "50%20"
    odd.mkdir(parents=True)
    ma.configure(home=odd)
    ma.init_db()
    assert (odd / "data" / "mismartera.db").is_file()
    assert [path.name for path in home.iterdir()] == ["a?b"]


def test_environment_beats_dotenv_and_configure_beats_both(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".env").write_text("MISMARTERA_CACHE_MB=1\nMISMARTERA_REPORTS=out\nOTHER=x\n")
    assert ma.configure().cache_mb == 1
    assert ma.settings().reports == home / "out"
    monkeypatch.setenv("MISMARTERA_CACHE_MB", "2")
    assert ma.configure().cache_mb == 2
    assert ma.configure(cache_mb=3).cache_mb == 3
    assert ma.configure(cache_mb=None).cache_mb == 2


def test_configure_keeps_earlier_changes_until_it_is_called_without_any() -> None:
    ma.configure(cache_mb=3)
    assert ma.configure(reports="elsewhere").cache_mb == 3
    assert ma.configure().cache_mb == 512


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"databse_url": "sqlite://"}, ["'databse_url'", "did you mean 'database_url'?"]),
        ({"database_url": "mismartera.db"}, ["database_url='mismartera.db'", "sqlite:///"]),
        ({"cache_mb": -1}, ["cache_mb='-1'", "greater than or equal to 0"]),
        ({"cache_mb": "many"}, ["cache_mb='many'", "integer"]),
    ],
)
def test_a_bad_setting_is_named_and_changes_nothing(
    changes: dict[str, object], words: list[str]
) -> None:
    ma.configure(cache_mb=7)
    with pytest.raises(ConfigurationError) as caught:
        ma.configure(**changes)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert isinstance(caught.value, MismarteraError)
    assert isinstance(caught.value, ValueError)
    assert ma.settings().cache_mb == 7


def test_an_unknown_variable_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISMARTERA_DATABASE", "x")
    with pytest.raises(ConfigurationError, match="did you mean 'MISMARTERA_DATABASE_URL'"):
        ma.configure()
    monkeypatch.delenv("MISMARTERA_DATABASE")
    (home / ".env").write_text("MISMARTERA_CASH_MB=1\n")
    with pytest.raises(ConfigurationError, match=r"\.env.*did you mean 'MISMARTERA_CACHE_MB'"):
        ma.configure()


def test_a_password_is_never_shown() -> None:
    settings = ma.configure(database_url="postgresql://ada:s3cret@db.example/x")
    assert "s3cret" not in repr(settings) + str(settings)
    assert "ada:***@db.example" in repr(settings)
    with pytest.raises(ConfigurationError) as caught:
        ma.configure(database_url="postgresql:/ada:s3cret@db.example/x")
    assert "s3cret" not in str(caught.value)


def test_home_is_the_nearest_folder_that_is_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MISMARTERA_HOME")
    project = tmp_path / "project"
    (project / "notebooks").mkdir(parents=True)
    (project / "pyproject.toml").write_text('[project]\nname = "mismartera-analytics"\n')
    other = project / "other"
    other.mkdir()
    (other / "pyproject.toml").write_text('[project]\nname = "another"\n')
    for folder in (project, project / "notebooks", other):
        monkeypatch.chdir(folder)
        assert config.home() == project
    monkeypatch.chdir(tmp_path)
    assert config.home() == tmp_path
    (other / ".env").write_text("")
    monkeypatch.chdir(other)
    assert config.home() == other


def test_command_in_the_root_and_program_in_a_subfolder_share_a_database(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "notebooks").mkdir(parents=True)
    (project / ".env").write_text("")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MISMARTERA_")}
    environment["PYTHONPATH"] = str(Path(ma.__file__).parents[1])
    program = "import mismartera_analytics as ma; print(ma.settings().database_url)"
    shown = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=folder, env=environment, capture_output=True, text=True, check=True,
        ).stdout
        for folder in (project, project / "notebooks")
    }  # fmt: skip
    assert shown == {f"sqlite:///{project}/data/mismartera.db\n"}


@pytest.mark.parametrize("given", ["elsewhere/bars", Path("elsewhere/bars")])
def test_the_bar_store_may_be_given_as_text_or_path(given: str | Path, home: Path) -> None:
    assert ma.configure(bar_store=given).bar_store == str(home / "elsewhere" / "bars")
