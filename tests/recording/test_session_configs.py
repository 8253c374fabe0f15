from __future__ import annotations

import json
import time

import pytest
from sqlalchemy import delete

import mismartera_analytics as ma
from mismartera_analytics.errors import InvalidInputError, UnknownNameError
from mismartera_analytics.models import SessionConfig
from mismartera_analytics.recording.session_configs import (
    check_session_config,
    load_session_config,
    save_session_config,
    session_config_names,
)

CONFIG = {
    "session_name": "Morning run",
    "exchange_group": "US_EQUITY",
    "asset_class": "EQUITY",
    "mode": "backtest",
    "backtest_config": {"start_date": "2025-07-01", "end_date": "2025-07-31", "speed": 2},
    "session_data_config": {"symbols": ["AAPL"], "streams": ["1m", "5m"]},
    "trading_config": {"max_buying_power": 10_000.0, "max_per_trade": 1000.0, "max_per_symbol": 5e3,
                       "max_open_positions": 3},
    "strategies": [{"module": "own.rsi", "enabled": True, "config": {"period": 14}}],
    "metadata": {"author": "Zoë"},
    "something_new": [1, {"two": None}],
}  # fmt: skip


def test_a_configuration_comes_back_whole(ready_database):
    first = save_session_config("morning", CONFIG)
    assert load_session_config("morning") == CONFIG
    assert save_session_config("morning", json.dumps(CONFIG | {"mode": "live"})) == first
    assert load_session_config("morning")["mode"] == "live"
    assert session_config_names() == ["morning"]
    with pytest.raises(UnknownNameError, match="did you mean 'morning'"):
        load_session_config("mornin")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mode": "paper"}, "config: mode: "),
        ({"trading_config": {"max_buying_power": 10.0, "max_per_trade": 11.0}},
         "trading_config: max_per_trade=11 exceeds max_buying_power=10"),
        ({"trading_config": {"max_buying_power": 10.0, "max_per_symbol": 11.0}}, "max_per_symbol=11"),
        ({"trading_config": {"max_buying_power": "much"}}, "trading_config.max_buying_power"),
        ({"trading_config": {"max_open_positions": -1}}, "trading_config.max_open_positions"),
        ({"backtest_config": {"start_date": "2025-08-01", "end_date": "2025-07-31"}},
         "comes after"),
        ({"backtest_config": {"start_date": "July"}}, "start_date='July'"),
        ({"session_data_config": {"streams": ["1min"]}}, "streams='1min'"),
        ({"session_data_config": {"symbols": "AAPL"}}, "session_data_config.symbols"),
        ({"session_data_config": {"symbols": ["AAPL", "../x"]}}, "'../x' is no symbol"),
        ({"strategies": [{"enabled": True}]}, "strategies.0.module"),
        ({"trading_config": {"max_buying_power": float("1e308") * 10}}, "JSON"),
        ({"trading_config": {"max_open_positions": True}}, "trading_config.max_open_positions"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_its_path(change, message):
    with pytest.raises(InvalidInputError, match=message):
        check_session_config(CONFIG | change)


@pytest.mark.parametrize("config", ["[1]", "{", '{"a": NaN}', 7, {"a": object()}])
def test_what_is_no_json_object_is_refused(config):
    with pytest.raises(InvalidInputError, match=r"JSON|NaN"):
        check_session_config(config)


DEEP = '{"metadata": ' + "[" * 10_000 + "]" * 10_000 + "}"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        pytest.param('{"a": "' + "x" * 100_000_000 + '"}', "100 million characters", id="100 MB"),
        pytest.param(DEEP, "10,001 deep", id="deep"),
        pytest.param('{"metadata": ' * 10_000, "10,000 deep", id="deep objects"),
        pytest.param('{"mode": "live", "mode": "backtest"}', "key 'mode' twice", id="twice"),
        pytest.param('{"a": 1e999}', "1e999, which is not a number", id="infinite"),
        pytest.param('{"a": ' + "9" * 5_000 + "}", "not a number", id="digits"),
        pytest.param('{"a": "\\ud800"}', "half a character", id="escaped half"),
        pytest.param('{"a": "\ud800"}', "half a character", id="half"),
        pytest.param("\ufeff{}", "BOM", id="mark"),
    ],
)
def test_hostile_text_is_refused_quickly_wherever_it_is_read(ready_database, config, message):
    began = time.process_time()
    with pytest.raises(InvalidInputError, match=message):
        save_session_config("planted", config)
    with ma.session_scope() as db_session:
        stored = "{" if "\ud800" in config else config  # no database takes it
        db_session.add(SessionConfig(name="planted", config_json=stored))
    with pytest.raises(InvalidInputError, match=r"whole JSON" if stored == "{" else message):
        load_session_config("planted")
    assert time.process_time() - began < 4
    with ma.session_scope() as db_session:
        db_session.execute(delete(SessionConfig))


def test_mappings_too_deep_or_inside_themselves_are_refused():
    inner: dict = {}
    for _ in range(10_000):
        inner = {"a": inner}
    ring: dict = {}
    ring["a"] = ring
    for config in (inner, ring):
        with pytest.raises(InvalidInputError, match=r"deep|Circular"):
            check_session_config(config)
    with pytest.raises(InvalidInputError, match="key '1' twice"):
        check_session_config({1: 0, "1": 0})
