"""Runs from session configurations: read as the trading system writes them, within their limits."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import mismartera_analytics as ma
from mismartera_analytics import config
from mismartera_analytics.backtesting.costs import PerShare
from mismartera_analytics.backtesting.samples import MovingAverageCross
from mismartera_analytics.backtesting.saved_runs import run_details, saved_runs
from mismartera_analytics.backtesting.session_runs import run_session_config, strategy_class
from mismartera_analytics.cli.application import run as command
from mismartera_analytics.errors import (
    ConfigurationError,
    InvalidInputError,
    NotAllowedError,
    StrategyError,
    UnknownNameError,
)
from mismartera_analytics.market_data import samples
from mismartera_analytics.recording.session_configs import save_session_config

SAMPLES = "mismartera_analytics.backtesting.samples"


@pytest.fixture
def configure(ready_database):
    """Save a configuration, changed in its sections."""
    ma.create_user("ada", "ada@example.com", "secret")
    ma.ingest_bars(samples.sample_bars(), "1d")

    def save(name="crossing", **changes):
        config = {
            "session_name": "Crossing", "exchange_group": "US_EQUITY", "asset_class": "EQUITY",
            "mode": "backtest",
            "backtest_config": {"start_date": "2004-01-02", "end_date": "2005-12-30", "prefetch": 3},
            "session_data_config": {"symbols": ["IBM", "AAPL"], "streams": ["1w", "1d", "quotes"]},
            "trading_config": {"max_buying_power": 20_000.0},
            "strategies": [{"module": SAMPLES, "config": {"fast": 10, "slow": 30}}],
        }  # fmt: skip
        save_session_config(name, config | changes)

    return save


def test_a_configuration_runs_like_the_same_backtest(configure):
    configure()
    result = run_session_config("crossing", commission=PerShare(0.01))
    same = ma.backtest(
        MovingAverageCross(fast=10, slow=30), ["AAPL", "IBM"], "2004-01-02", "2005-12-30",
        cash=20_000.0, commission=PerShare(0.01), count=False,
    )  # fmt: skip
    assert len(result.fills) > 10
    within = result.reasons == "all positions together would exceed max_buying_power"
    assert within.any()
    assert result.config["symbols"] == same.config["symbols"]
    assert len(ma.trials("MovingAverageCross")) == 1


def test_its_limits_hold(configure):
    configure(trading_config={"max_buying_power": 20_000.0, "max_per_trade": 1.0})
    assert run_session_config("crossing").fills.empty
    configure(trading_config={"max_open_positions": 1})
    result = run_session_config("crossing", cash=5_000.0)
    assert result.equity["cash"].iloc[0] == 5_000.0
    assert (result.reasons == "it would open more than max_open_positions").any()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"strategies": []}, InvalidInputError, "no enabled strategy"),
        ({"strategies": [{"module": SAMPLES, "enabled": False}]}, InvalidInputError, "no enabled"),
        ({"strategies": [{"module": "a"}, {"module": "b"}]}, InvalidInputError, "strategy=: 'a', 'b'"),
        ({"strategies": [{"module": "no_such_module"}]}, NotAllowedError, "_STRATEGY_PACKAGES"),
        ({"strategies": [{"module": f"{SAMPLES}.deeper"}]}, UnknownNameError, "nor in /"),
        ({"strategies": [{"module": "../evil"}]}, InvalidInputError, "no dotted name"),
        ({"strategies": [{"module": "json"}]}, NotAllowedError, "may not be imported"),
        ({"strategies": [{"module": f"{SAMPLES}:MovingAverage"}]}, UnknownNameError,
         "mean 'MovingAverageCross'"),
        ({"strategies": [{"module": SAMPLES, "config": {"fats": 1}}]}, InvalidInputError, "'fast'"),
        ({"session_data_config": {"symbols": []}}, InvalidInputError, "names no symbols"),
        ({"session_data_config": {"symbols": ["IBM"], "streams": ["ticks"]}}, InvalidInputError,
         "no stream of bars"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said(configure, changes, error, message):
    configure(**changes)
    with pytest.raises(error, match=message):
        run_session_config("crossing")


def test_one_of_several_strategies_is_named(configure):
    configure(strategies=[{"module": SAMPLES}, {"module": "other", "enabled": True}])
    assert (
        run_session_config("crossing", strategy=SAMPLES).config["strategy"] == "MovingAverageCross"
    )
    with pytest.raises(UnknownNameError, match="did you mean 'other'"):
        run_session_config("crossing", strategy="othr")
    with pytest.raises(UnknownNameError, match="did you mean 'crossing'"):
        run_session_config("crossin")


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("1 / 0", StrategyError, "raised ZeroDivisionError when it was imported"),
        ("import no_such_thing", StrategyError, "needs 'no_such_thing'"),
        ("import mismartera_analytics as ma\nclass A(ma.Strategy): pass\nclass B(ma.Strategy): pass",
         InvalidInputError, "name one: 'of_a_home:A', 'of_a_home:B'"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("folder", ["strategies", "."])
def test_a_module_of_the_home_is_imported_with_care(home: Path, folder, text, error, message):
    (home / folder).mkdir(exist_ok=True)
    (home / folder / "of_a_home.py").write_text(text)
    if folder == ".":
        with pytest.raises(NotAllowedError, match="STRATEGY_PACKAGES names \\(nothing"):
            strategy_class("of_a_home")
        config.configure(strategy_packages="of_a_home")
    before = list(sys.path)
    try:
        with pytest.raises(error, match=message):
            strategy_class("of_a_home")
    finally:
        sys.modules.pop("of_a_home", None)
    assert sys.path == before


LEFT_ALONE = (
    "os", "antigravity", "site", "this", "subprocess", "pip", "numpy", "conftest", "tests.conftest",
    "tests.backtesting.worlds", "mismartera_analytics", "mismartera_analytics.cli.__main__",
    "mismartera_analytics.backtesting", "mismartera_analytics.backtesting.samples_of_others",
    "of_home", "json.tool", "sitecustomize",
)  # fmt: skip


@pytest.mark.parametrize("module", LEFT_ALONE)
@pytest.mark.parametrize("suffix", ["", ":Strategy", ".inner"])
def test_other_modules_are_refused_before_they_are_imported(home: Path, module, suffix):
    (home / "of_home.py").write_text("raise SystemExit('it ran')")
    (home / "conftest.py").write_text("raise SystemExit('it ran')")
    loaded = set(sys.modules)
    with pytest.raises(NotAllowedError, match="the setting MISMARTERA_STRATEGY_PACKAGES names"):
        strategy_class(module + suffix)
    assert not {name for name in set(sys.modules) - loaded if name.startswith(module)}


def test_a_file_with_the_name_of_an_installed_module_is_not_taken_for_it(home: Path):
    (home / "strategies").mkdir()
    for name in ("antigravity", "this", "hypothesis", "json"):
        (home / "strategies" / f"{name}.py").write_text(ONE)
        with pytest.raises(NotAllowedError, match="rename the file"):
            strategy_class(name)
    assert "antigravity" not in sys.modules
    assert "this" not in sys.modules


ONE = "import mismartera_analytics as ma\nclass Kept(ma.Strategy): pass"


def test_packages_of_the_folder_and_of_the_setting_are_imported(home: Path):
    names = ("in_folder_package", "in_home_package")
    for parent, name in zip(("strategies", "."), names, strict=True):
        (home / parent / name).mkdir(parents=True)
        (home / parent / name / "__init__.py").write_text("")
        (home / parent / name / "rules.py").write_text(ONE)
    try:
        assert strategy_class("in_folder_package.rules").__name__ == "Kept"
        with pytest.raises(NotAllowedError):
            strategy_class("in_home_package.rules")
        config.configure(strategy_packages="other, in_home_package")
        assert strategy_class("in_home_package.rules:Kept").__name__ == "Kept"
        with pytest.raises(NotAllowedError, match="names \\(other, in_home_package\\)"):
            strategy_class("in_home_package_of_others")
    finally:
        for name in list(sys.modules):
            if name.startswith(names):
                del sys.modules[name]


@pytest.mark.parametrize("value", ["../x", "a..b", "a;b", ["a", 5], "é"])
def test_the_setting_takes_dotted_names(value):
    with pytest.raises(ConfigurationError, match="no dotted name of a module"):
        config.configure(strategy_packages=value)


def test_the_commands_run_list_show_and_repeat(configure, capsys):
    configure()

    def said(*words, code=0):
        assert command(list(words)) == code
        done = capsys.readouterr()
        return done.out + done.err

    assert "total_return" in said("backtest", "run", "crossing", "--save", "first", "--owner", "ada",
                                  "--csv")  # fmt: skip
    listed = said("backtest", "list", "--csv")
    assert "first" in listed
    assert "MovingAverageCross" in listed
    shown = said("backtest", "show", "first", "--json")
    assert '"max_buying_power' in shown.replace("\\", "") or "max_buying_power" in shown
    assert "the same to the last bit" in said("backtest", "rerun", "1")
    assert "MovingAverageCross" in said("trials", "--csv")
    assert "did you mean 'first'" in said("backtest", "show", "frist", code=2)
    assert "is missing" in said("backtest", "run", "crossing", "--save", "again", code=2)
    assert "no session configuration is named 'crosing', did you mean 'crossing'?" in said(
        "backtest", "run", "crosing", code=2
    )
    assert "is named 'nosuch'; stored are: crossing." in said("backtest", "run", "nosuch", code=2)


def test_a_saved_run_gives_way_only_when_told(configure, capsys):
    configure()
    run = ["backtest", "run", "crossing", "--save", "kept", "--owner", "ada"]
    assert command(run) == 0
    configure(trading_config={"max_buying_power": 40_000.0})
    assert command(run) == 2
    said = capsys.readouterr().err
    assert "kept" in said
    with ma.as_user("ada"):
        first = saved_runs()
        assert command([*run, "--replace"]) == 0
        second = saved_runs()
    assert first["name"].tolist() == second["name"].tolist() == ["kept"]
    assert (
        json.loads(run_details("kept").set_index(["part", "name"])["value"]["setting", "cash"])
        == 40_000
    )


def test_saved_runs_are_a_frame(configure):
    configure()
    result = run_session_config("crossing")
    result.save("first", user="ada")
    with ma.as_user("ada"):
        row = saved_runs().iloc[0]
    assert (row["name"], row["symbols"], row["interval"]) == ("first", "AAPL, IBM", "1d")
    assert row["total_return"] == pytest.approx(result.equity["equity"].iloc[-1] / 20_000.0 - 1)
    assert row["data_digest"] == result.data_version["digest"]
    lines = run_details("first").set_index(["part", "name"])["value"]
    assert lines["parameter", "fast"] == "10"
    assert float(lines["metric", "total_return"]) == row["total_return"]
