from __future__ import annotations

import json

import pytest

from mismartera_analytics.errors import InvalidInputError, UnknownNameError
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
    with pytest.raises(InvalidInputError, match="JSON"):
        check_session_config(config)
