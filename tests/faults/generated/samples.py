"""Good inputs of every kind, to be spoiled: texts of files, and frames."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

FILES = Path(__file__).parents[2] / "recording" / "brokers" / "files"
SCHWAB = (FILES / "schwab_2025.csv").read_text(encoding="utf-8-sig")
ORDERS = (FILES / "alpaca_orders.json").read_text()
ACTIVITIES = (FILES / "alpaca_activities.json").read_text()
MAPPED = (
    "Day,What,Ticker,Shares,Price,Fee,Id\n02/28/2013,Bought,IBM,10,200.25,1,a\n"
    "2013-03-01T10:00:00Z,Sold,IBM,5,201.5,,b\n"
)
MAPPING = {"symbol": "Ticker", "side": "What", "quantity": "Shares", "price": "Price",
           "filled_at": "Day", "commission": "Fee", "order_id": "Id"}  # fmt: skip
BARS = "timestamp,symbol,open,high,low,close,volume\n" + "".join(
    f"2004-01-{day:02d},AAPL,1,2,0.5,1.5,100\n" for day in (5, 6, 7, 8, 9)
)
HOLIDAYS = "date,holiday_name,is_closed,early_close_time\n2026-01-09,Mourning,1,\n2026-11-27,Day after,0,13:00\n"
YEARS = 'Holiday,2026,2027\nNew Year,"Thursday, January 1","Friday, January 1"\nVeto,—,\n'
CONFIG = (
    '{"session_name": "x", "exchange_group": "US_EQUITY", "mode": "backtest", "backtest_config": '
    '{"start_date": "2004-01-02", "end_date": "2005-12-30"}, "session_data_config": {"symbols": ["AAPL"], '
    '"streams": ["1d"]}, "trading_config": {"max_buying_power": 1000.0, "max_per_trade": 5.0}, '
    '"strategies": [{"module": "mismartera_analytics.backtesting.samples", "config": {"fast": 5}}], '
    '"metadata": {"a": [1, 2, {"b": null}]}}'
)
QUERY = (
    "select o.symbol, count(*) as n, sum(o.quantity * 1.5) as q from orders o join fills f on "
    "f.order_id = o.id where o.placed_at > '2004-01-02' and o.symbol in ('AAPL', 'IBM') "
    "group by o.symbol order by n limit 5"
)
WORDS = (
    "select", "from", "where", "*", "bars", "orders", "fills", "positions", "users", "accounts", "sqlite_master",
    "union all", "with recursive t(n) as (select 1 union all select n + 1 from t)", "copy", "attach", "pragma",
    "install httpfs", "load json", "set", "read_csv('/etc/passwd')", "read_parquet('x')", "range(10)", "'",
    "\"", "(", ")", ";", "--", "$1", "?", "null", "1/0", "cast('x' as int)", "interval '1 day'", "now()",
    "unnest([1, 2])", "drop table orders", "insert into orders values (1)", "describe", "show tables",
    "explain", "values (1)", "lateral", "pivot", "glob('/*')", "getenv('HOME')", "query('select 1')", "e'\\x'",
)  # fmt: skip


def orders_frame() -> pd.DataFrame:
    """Return two good orders."""
    when = pd.to_datetime(["2013-02-28 15:00", "2013-03-01 15:00"], utc=True)
    return pd.DataFrame({
        "broker_order_id": ["a", "b"], "symbol": ["IBM", "AAPL"], "side": ["BUY", "SELL"],
        "quantity": [10.0, 5.0], "order_type": "LIMIT", "price": [200.0, 450.0], "status": "FILLED",
        "filled_quantity": [10.0, 5.0], "average_fill_price": [199.0, 451.0], "commission": 1.0,
        "placed_at": when, "filled_at": when + pd.Timedelta("1min"), "currency": "USD",
    })  # fmt: skip


def fills_frame() -> pd.DataFrame:
    """Return their fills."""
    when = pd.to_datetime(["2013-02-28 15:01", "2013-03-01 15:01"], utc=True)
    return pd.DataFrame({"broker_order_id": ["a", "b"], "quantity": [10.0, 5.0], "price": [199.0, 451.0],
                         "filled_at": when, "commission": 0.5, "broker_fill_id": ["x", "y"]})  # fmt: skip


def flows_frame() -> pd.DataFrame:
    """Return good flows."""
    when = pd.to_datetime(["2013-02-28 15:00"] * 3, utc=True)
    return pd.DataFrame({"flow_type": ["DEPOSIT", "DIVIDEND", "FEE"], "occurred_at": when,
                         "amount": [100.0, 5.0, -1.0], "symbol": [None, "IBM", None],
                         "note": "n", "broker_flow_id": ["1", "2", "3"]})  # fmt: skip


def actions_frame() -> pd.DataFrame:
    """Return good corporate actions."""
    return pd.DataFrame({"symbol": ["AAPL", "IBM", "OLD"], "action_type": ["SPLIT", "CASH_DIVIDEND",
                         "SYMBOL_CHANGE"], "ex_date": ["2014-06-09", "2013-02-06", "2012-01-03"],
                         "ratio": [7.0, None, None], "amount": [None, 0.85, None],
                         "new_symbol": [None, None, "NEW"]})  # fmt: skip


def instruments_frame() -> pd.DataFrame:
    """Return good instruments."""
    return pd.DataFrame({"symbol": ["ES", "FDAX"], "exchange_group": ["CME", "US_EQUITY"],
                         "asset_class": ["FUTURES", "EQUITY"], "multiplier": [50.0, 1.0], "currency": "USD",
                         "valid_from": ["2001-01-02", None]})  # fmt: skip


def bars_frame() -> pd.DataFrame:
    """Return good daily bars."""
    return pd.DataFrame({
        "symbol": "AAPL", "timestamp": pd.to_datetime(["2004-01-05", "2004-01-06", "2004-01-07"]),
        "open": 1.0, "high": 2.0, "low": 0.5, "close": 1.5, "volume": 100.0,
    })  # fmt: skip
