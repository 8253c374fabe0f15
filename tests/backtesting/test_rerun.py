"""A saved run, run again: the same bits, or a sentence that says what is missing."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import update

import mismartera_analytics as ma
from mismartera_analytics.backtesting import loop
from mismartera_analytics.backtesting.compiled import driver
from mismartera_analytics.backtesting.costs import CommissionTerms, PerShare
from mismartera_analytics.backtesting.financing import BorrowRate, InterestRates
from mismartera_analytics.backtesting.rebuilding import from_json, to_json
from mismartera_analytics.backtesting.samples import MovingAverageCross
from mismartera_analytics.backtesting.session_runs import strategy_class
from mismartera_analytics.errors import (
    InvalidBarsError,
    InvalidInputError,
    NotReproducibleError,
    UnknownNameError,
)
from mismartera_analytics.market_data import samples
from mismartera_analytics.market_data.actions import record_actions
from mismartera_analytics.models import BacktestRun


@pytest.fixture
def records(ready_database: str) -> None:
    """Give ada the four symbols of the sample, with their splits."""
    ma.create_user("ada", "ada@example.com", "secret")
    ma.ingest_bars(samples.sample_bars(), "1d")
    record_actions(samples.sample_actions())


def same(one, other) -> bool:
    """Whether two runs are equal to the last bit."""
    tables = ("orders", "fills", "equity", "positions", "trades")
    return all(getattr(one, name).equals(getattr(other, name)) for name in tables)


class RandomTrader(ma.Strategy):
    """Buys and sells by the seed."""

    share = 0.5
    band = (0.3, 0.7)
    since = dt.date(2004, 3, 1)

    def on_bar(self, ctx):
        if ctx.random.random() > 0.9:
            low, high = self.band
            ctx.target_percent(ctx.symbols[0], ctx.random.uniform(low, high) * self.share)


@dataclasses.dataclass(frozen=True)
class Stamp:
    """A commission of one's own."""

    rate: float

    def terms(self):
        return CommissionTerms(rate=self.rate, per_order=1.0)


def test_the_same_bits_by_name_and_by_id(records):
    first = ma.backtest(
        RandomTrader(share=0.4, band=(0.2, 0.9)), ["AAPL", "IBM"], "2004-01-02", "2006-12-29",
        commission=PerShare(0.005, minimum=1.0), account_type="margin", fractional=True, seed=11,
        borrow=BorrowRate(0.01), interest=InterestRates(0.01, 0.05), cash=12_345.67,
    )  # fmt: skip
    first.save("random", user="ada")
    assert len(first.fills) > 20
    again = ma.rerun("random")
    assert same(again, first)
    assert again.data_version == first.data_version
    assert same(ma.rerun(1), first)
    again.save("random", user="ada", replace=True)
    assert same(ma.rerun("random"), first)
    assert ma.trials()["user"].tolist() == ["ada"]  # the run itself was nobody's until it was saved
    assert ma.trials(user="ada")["run"].tolist() == ["random"]


def test_bars_and_actions_that_came_later_change_nothing(records):
    first = ma.backtest(MovingAverageCross(fast=20), "AAPL", "2004-01-02")
    first.save("cross", user="ada")
    bars = ma.bars("AAPL")
    bars[["open", "high", "low", "close"]] *= 2
    ma.BarStore().write(bars, "1d")
    late = {"symbol": "AAPL", "action_type": "SPLIT", "ex_date": "2010-01-04", "ratio": 3.0}
    record_actions(pd.DataFrame([late]).assign(ex_date=pd.to_datetime([late["ex_date"]])))
    assert not same(ma.backtest(MovingAverageCross(fast=20), "AAPL", "2004-01-02"), first)
    assert same(ma.rerun("cross"), first)
    ma.BarStore().vacuum("1d", keep=dt.timedelta(0))
    assert same(ma.rerun("cross"), first)


def test_bars_made_of_shorter_ones_are_pinned_too(records):
    first = ma.backtest(MovingAverageCross(fast=4, slow=20), "IBM", "2004-01-02", interval="1w")
    first.save("weekly", user="ada")
    bars = ma.bars("IBM")
    ma.BarStore().write(bars.assign(close=bars["low"]), "1d")
    assert same(ma.rerun("weekly"), first)
    assert first.data_version["made_of"] == [{"interval": "1d", "version": 0}]


def test_frames_are_given_again(records, nyse):
    bars = ma.bars("AAPL", "1d", "2004-01-02", "2004-12-31")
    weights = pd.DataFrame(
        {"AAPL": [0.5, 0.9]}, index=pd.DatetimeIndex(bars["session"].iloc[[3, 80]])
    )
    first = ma.backtest(weights=weights, bars=bars, calendar=nyse)
    first.save("weights", user="ada")
    with pytest.raises(NotReproducibleError, match="pass weights=… again"):
        ma.rerun("weights")
    with pytest.raises(NotReproducibleError, match="bars as a frame: pass bars=…"):
        ma.rerun("weights", weights=weights)
    with pytest.raises(NotReproducibleError, match="pass calendar=…"):
        ma.rerun("weights", weights=weights, bars=bars)
    with pytest.raises(NotReproducibleError, match="weights is not the frame"):
        ma.rerun("weights", weights=weights * 0.9, bars=bars, calendar=nyse)
    with pytest.raises(NotReproducibleError, match="not what the run saw"):
        changed = bars.assign(close=bars["low"])
        ma.rerun("weights", weights=weights, bars=changed, calendar=nyse)
    assert same(ma.rerun("weights", weights=weights, bars=bars, calendar=nyse), first)


def test_bars_given_again_need_the_column_that_the_range_asks_for(records, nyse):
    bars = ma.bars("AAPL", "1d", "2004-01-02", "2004-12-31")
    asked = {"start": "2004-02-02", "end": "2004-06-30"}
    strategy = MovingAverageCross(fast=4, slow=20)
    first = ma.backtest(strategy, "AAPL", bars=bars, calendar=nyse, **asked)
    first.save("ranged", user="ada")
    assert same(ma.rerun("ranged", bars=bars, calendar=nyse), first)
    without = bars.drop(columns="session")
    with pytest.raises(NotReproducibleError, match="no column 'session', which start and end ask"):
        ma.rerun("ranged", bars=without, calendar=nyse)
    with pytest.raises(InvalidBarsError, match="no column 'session', which start and end ask"):
        ma.backtest(strategy, "AAPL", bars=without, calendar=nyse, **asked)


def test_orders_and_signals_are_given_again(records):
    bars = ma.bars("IBM", "1d", "2004-01-02", "2004-12-31")
    orders = pd.DataFrame({"placed_at": bars["timestamp"].iloc[[2, 50]], "symbol": "IBM",
                           "side": ["BUY", "SELL"], "quantity": 10.0})  # fmt: skip
    first = ma.backtest(orders=orders, start="2004-01-02", end="2004-12-31")
    first.save("orders", user="ada")
    assert same(ma.rerun("orders", orders=orders), first)
    entries = pd.Series(np.arange(len(bars)) % 40 == 0, index=pd.DatetimeIndex(bars["session"]))
    exits = entries.shift(20, fill_value=False)
    asked = {"symbols": "IBM", "start": "2004-01-02", "end": "2004-12-31"}
    second = ma.backtest(entries=entries, exits=exits, size=0.5, **asked)
    second.save("signals", user="ada")
    with pytest.raises(NotReproducibleError, match=r"entries=…, exits=…"):
        ma.rerun("signals")
    assert same(ma.rerun("signals", entries=entries, exits=exits), second)


CELL = """
from mismartera_analytics import Strategy
class Cell(Strategy):
    share = 0.5
    def on_bar(self, ctx):
        if ctx.position() == 0:
            ctx.target_percent(self.share)
"""


def of_cell(text: str = CELL):
    space = {"__name__": "__main__"}
    exec(text, space)
    return space["Cell"]


def test_a_strategy_of_a_notebook_is_passed_again(records):
    first = ma.backtest(of_cell(), "AAPL", "2004-01-02", parameters={"share": 0.7})
    first.save("cell", user="ada")
    with pytest.raises(NotReproducibleError, match=r"notebook's cell.*strategy="):
        ma.rerun("cell")
    assert same(ma.rerun("cell", strategy=of_cell()), first)
    assert same(ma.rerun("cell", strategy=of_cell()(share=0.1)), first)
    with pytest.raises(NotReproducibleError, match="has changed"):
        ma.rerun("cell", strategy=of_cell(CELL.replace("== 0", "<= 0")))


def test_a_strategy_of_the_notebook_that_is_open_is_found(records, monkeypatch):
    """A notebook's ``__main__`` has no file, and the launcher's lies among the packages."""
    notebook = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", notebook)
    exec(CELL, vars(notebook))
    first = ma.backtest(vars(notebook)["Cell"], "AAPL", "2004-01-02", parameters={"share": 0.7})
    first.save("open", user="ada")
    assert same(ma.rerun("open"), first)


def test_a_compiled_run_is_compiled_again(records, monkeypatch):
    asked = []

    class Loop:
        """Stands in for the compiled loop, whose answers are the same."""

        def __init__(self, strategy, context, _):
            self._plain = loop._Loop(strategy, context)

        def run(self, last):
            asked.append(last)
            self._plain.run(last)

    monkeypatch.setattr(driver, "CompiledLoop", Loop)
    first = ma.backtest(MovingAverageCross, "AAPL", "2004-01-02", compile=True)
    first.save("compiled", user="ada")
    assert same(ma.rerun("compiled"), first)
    assert len(asked) == 2
    ma.backtest(MovingAverageCross, "AAPL", "2004-01-02").save("plain", user="ada")
    ma.rerun("plain")
    assert len(asked) == 2


def test_a_strategy_of_a_module_in_the_home(records, home: Path):
    file = home / "strategies" / "my_strategy_of_home.py"
    file.parent.mkdir()
    file.write_text(CELL)
    sys.path.append(str(file.parent))
    try:
        import my_strategy_of_home as module
    finally:
        sys.path.remove(str(file.parent))
    try:
        first = ma.backtest(module.Cell, "AAPL", "2004-01-02")
        first.save("module", user="ada")
        del sys.modules["my_strategy_of_home"]
        assert same(ma.rerun("module"), first)
        del sys.modules["my_strategy_of_home"]
        file.write_text(CELL.replace("self.share)", "self.share / 2)"))
        with pytest.raises(NotReproducibleError, match="has changed"):
            ma.rerun("module")
        del sys.modules["my_strategy_of_home"]
        for broken in ("1 / 0\n", "def (\n", "raise RuntimeError('no')\n"):
            file.write_text(broken)
            with pytest.raises(NotReproducibleError, match=r"raised .* when it was imported"):
                ma.rerun("module")
        file.unlink()
        with pytest.raises(NotReproducibleError, match="'my_strategy_of_home', which is not there"):
            ma.rerun("module")
    finally:
        sys.modules.pop("my_strategy_of_home", None)


def test_a_module_elsewhere_in_the_home_needs_the_setting(records, home: Path):
    (home / "my_rules_of_home.py").write_text(CELL)
    ma.configure(strategy_packages="my_rules_of_home")
    try:
        first = ma.backtest(strategy_class("my_rules_of_home"), "AAPL", "2004-01-02")
        first.save("module", user="ada")
        del sys.modules["my_rules_of_home"]
        assert same(ma.rerun("module"), first)
        del sys.modules["my_rules_of_home"]
        ma.configure(strategy_packages=None)
        with pytest.raises(NotReproducibleError, match="MISMARTERA_STRATEGY_PACKAGES"):
            ma.rerun("module")
        assert "my_rules_of_home" not in sys.modules
    finally:
        sys.modules.pop("my_rules_of_home", None)


RAN: list[str] = []


@dataclasses.dataclass(frozen=True)
class Trap:
    """Tells that it was made."""

    said: str

    def __post_init__(self):
        RAN.append(self.said)


def trap(said: str):
    RAN.append(said)


@pytest.mark.parametrize(
    "planted",
    [
        {"object": "subprocess:Popen", "fields": {"args": ["true"]}, "hash": None},
        {"object": "os:system", "fields": {"command": "true"}, "hash": None},
        {"object": f"{__name__}:Trap", "fields": {"said": "made"}, "hash": None},
        {"object": f"{__name__}:Trap", "fields": {"said": "made"}, "hash": "0" * 64},
        {"object": f"{__name__}:trap", "fields": {"said": "called"}, "hash": None},
        {"object": "builtins:exec", "fields": {}, "hash": None},
        {"code": "builtins:eval", "hash": None},
        {"code": "builtins:__import__", "hash": None},
        {"code": "os:system", "hash": None},
        {"code": f"{__name__}:sys.exit", "hash": None},
        {"code": f"{__name__}:json.loads", "hash": None},
        {"code": "mismartera_analytics.backtesting.rebuilding:import_recorded", "hash": None},
        {"code": "mismartera_analytics.cli.__main__:app", "hash": None},
        {"code": "antigravity:fly", "hash": None},
        {"code": "this:s", "hash": "x"},
        {"code": "../evil:x", "hash": None},
        {"code": "", "hash": None},
        {"code": "mismartera_analytics.config:configure", "hash": None},
        {},
        {"code": "x:y"},
        {"code": 5, "hash": None},
        {"Timestamp": "rubbish"},
        {"tuple": 3},
        {"set": [[1]]},
        {"dict": [[1]]},
        {"float": "x"},
        {
            "object": "mismartera_analytics.backtesting.settings:Settings",
            "fields": {"no": 1},
            "hash": None,
        },
    ],
)
def test_a_planted_row_runs_nothing(ready_database, planted):
    with pytest.raises(NotReproducibleError):
        from_json(planted)
    assert not RAN
    assert not {"antigravity", "this"} & set(sys.modules)


def test_what_cannot_be_kept_is_named(records):
    strategy = RandomTrader()
    strategy.model = object()
    ma.backtest(strategy, "AAPL", "2012-01-03").save("odd", user="ada")
    with pytest.raises(NotReproducibleError, match="strategy's model was an object of"):
        ma.rerun("odd")


def test_a_policy_of_ones_own_is_built_again(records):
    first = ma.backtest(RandomTrader, "AAPL", "2012-01-03", commission=Stamp(0.001))
    first.save("stamp", user="ada")
    assert same(ma.rerun("stamp"), first)


def test_another_result_is_never_passed_off(records):
    ma.backtest(RandomTrader, "AAPL", "2012-01-03").save("cross", user="ada")
    with ma.session_scope() as db_session:
        run = db_session.get_one(BacktestRun, 1)
        config = json.loads(run.config_json)
        config["recipe"]["settings"]["seed"] = 5
        run.config_json, run.code_version = json.dumps(config), "0.0.1+old"
    with pytest.raises(NotReproducibleError, match=r"another result.*0\.0\.1\+old then"):
        ma.rerun("cross")
    with ma.session_scope() as db_session:
        db_session.execute(update(BacktestRun).values(config_json="{}"))
    with pytest.raises(NotReproducibleError, match="older version"):
        ma.rerun("cross")


def test_runs_are_found_by_those_who_may_see_them(records):
    ma.create_user("bob", "bob@example.com", "secret")
    for name in ("ada", "bob"):
        with ma.as_user(name):
            ma.backtest(MovingAverageCross, "AAPL", "2008-01-02").save("cross")
    with ma.as_user("bob"):
        assert ma.rerun("cross").equity["equity"].iloc[-1] > 0
        with pytest.raises(UnknownNameError):
            ma.rerun(1)
    with pytest.raises(InvalidInputError, match="several runs; pass an id: 1, 2"):
        ma.rerun("cross")
    with pytest.raises(UnknownNameError, match="did you mean 'cross'"):
        ma.rerun("crosss", user="ada")


VALUES = [
    1, 0.1, float("-inf"), "x", None, True, [1, (2, 3)], {"a": {1, 2}, 3: None},
    (1.5, [dt.date(2024, 1, 2)]), pd.Timestamp("2024-01-02 10:00", tz="America/New_York"),
    dt.time(9, 30), PerShare(0.1, maximum=5.0), Stamp(0.5), len, MovingAverageCross,
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_survive_json(ready_database, value):
    assert from_json(json.loads(json.dumps(to_json(value), allow_nan=False))) == value


def test_a_package_of_the_system_is_not_ones_own(monkeypatch, tmp_path: Path):
    """A virtual environment may see the system's packages, whose folder `sysconfig` does not name."""
    folder = tmp_path / "dist-packages"
    folder.mkdir()
    (folder / "of_the_system.py").write_text("def fly(): ...\n")
    monkeypatch.syspath_prepend(folder)
    __import__("of_the_system")
    try:
        with pytest.raises(NotReproducibleError, match="may not be imported"):
            from_json({"code": "of_the_system:fly", "hash": "x"})
    finally:
        del sys.modules["of_the_system"]
