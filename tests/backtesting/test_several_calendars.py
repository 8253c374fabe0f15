"""Symbols of several calendars in one run: each lives by its own sessions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mismartera_analytics.backtesting.run import backtest
from mismartera_analytics.backtesting.strategy import Strategy
from mismartera_analytics.errors import BarsNotFoundError, InvalidInputError
from mismartera_analytics.market_data.instruments import record_instruments

EXAMPLES = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
START, END = "2025-01-02", "2025-01-17"  # New York rests on the 9th and Tokyo on the 13th


def daily(calendar, symbol, *, price=10.0):
    sessions = calendar.sessions(START, END)
    opened = price + np.arange(len(sessions))
    return pd.DataFrame(
        {"symbol": symbol, "timestamp": sessions["regular_open"].dt.tz_convert("UTC").array,
         "session": sessions.index, "open": opened, "high": opened + 1, "low": opened - 1,
         "close": opened + 0.5, "volume": 1000.0}
    )  # fmt: skip


@pytest.fixture(scope="module")
def both(nyse, tokyo):
    bars = pd.concat([daily(nyse, "SPY"), daily(tokyo, "7203", price=50.0)], ignore_index=True)
    return bars, {"SPY": nyse, "7203": tokyo}


def test_bars_of_one_date_end_at_different_instants(both, nyse, tokyo):
    bars, calendars = both
    seen = []

    class Watch(Strategy):
        def on_bar(self, ctx):
            seen.append((ctx.now, [len(ctx.bars[s]) for s in ("7203", "SPY")]))

    backtest(Watch(), bars=bars, calendar=calendars)
    assert [at for at, _ in seen] == sorted(
        close.tz_convert("UTC").to_pydatetime()
        for calendar in (nyse, tokyo)
        for close in calendar.sessions(START, END)["regular_close"]
    )
    first_day = [counts for at, counts in seen if at.date().isoformat() == "2025-01-06"]
    assert np.diff(first_day, axis=0).tolist() == [[0, 1]]  # Tokyo first, then New York


def test_an_order_fills_at_the_next_open_of_its_own_market(both, tokyo, nyse):
    bars, calendars = both

    class Buy(Strategy):
        def on_bar(self, ctx):
            if ctx.bars["SPY"].is_here and str(ctx.session) == "2025-01-08":
                ctx.buy("SPY", 1)
                ctx.buy("7203", 1)

    fills = backtest(Buy(), bars=bars, calendar=calendars).fills.set_index("symbol")["filled_at"]
    assert fills["7203"] == tokyo.session("2025-01-09").regular_open
    assert fills["SPY"] == nyse.session("2025-01-10").regular_open


def test_nothing_fills_in_a_bar_that_had_begun(nyse, packaged):
    from mismartera_analytics.calendars.lookup import trading_calendar

    london = trading_calendar("LSE", db_session=packaged)
    bars = pd.concat([daily(nyse, "SPY"), daily(london, "VOD")], ignore_index=True)

    class Buy(Strategy):
        def on_bar(self, ctx):
            if ctx.bars["VOD"].is_here and str(ctx.session) == "2025-01-07":
                ctx.buy("SPY", 1)  # New York is open already

    result = backtest(Buy(), bars=bars, calendar={"SPY": nyse, "VOD": london})
    assert result.fills["filled_at"].tolist() == [nyse.session("2025-01-08").regular_open]


def test_a_trailing_stop_follows_no_high_of_a_bar_that_had_begun(nyse, packaged):
    from mismartera_analytics.calendars.lookup import trading_calendar

    london = trading_calendar("LSE", db_session=packaged)
    spy = daily(nyse, "SPY")
    spy.loc[spy["session"] == "2025-01-07", "high"] = 30.0  # New York is open already
    bars = pd.concat([spy, daily(london, "VOD")], ignore_index=True)

    class Trail(Strategy):
        def on_bar(self, ctx):
            if ctx.bars["VOD"].is_here and str(ctx.session) == "2025-01-03":
                ctx.buy("SPY", 1)
            if ctx.bars["VOD"].is_here and str(ctx.session) == "2025-01-07":
                ctx.order("SPY", -1, trail=5.0, time_in_force="GTC")

    result = backtest(Trail(), bars=bars, calendar={"SPY": nyse, "VOD": london})
    assert result.orders.sort_values("order_id")["status"].tolist() == ["FILLED", "PENDING"]


def test_a_row_of_weights_is_decided_when_all_markets_have_closed(both, nyse, tokyo):
    bars, calendars = both
    weights = pd.DataFrame({"SPY": [0.4], "7203": [0.4]}, index=pd.DatetimeIndex(["2025-01-07"]))
    result = backtest(bars=bars, weights=weights, calendar=calendars)
    assert set(result.orders["placed_at"]) == {nyse.session("2025-01-07").regular_close}
    filled = result.fills.set_index("symbol")["filled_at"]
    assert filled["7203"] == tokyo.session("2025-01-08").regular_open
    assert filled["SPY"] == nyse.session("2025-01-08").regular_open
    assert len(result.returns) == result.equity["session"].nunique()


def test_a_split_comes_into_force_at_its_own_markets_open(both):
    bars, calendars = both
    split = {"symbol": ["7203"], "action_type": "SPLIT", "ex_date": pd.to_datetime(["2025-01-14"])}
    actions = pd.DataFrame({**split, "ratio": 2.0, "amount": float("nan"), "known_at": pd.NaT})
    is_later = (bars["symbol"] == "7203") & (bars["session"] >= "2025-01-14")
    prices = ["open", "high", "low", "close"]
    halved = bars.assign(**{name: bars[name].where(~is_later, bars[name] / 2) for name in prices})
    weights = pd.DataFrame({"SPY": [0.5], "7203": [0.5]}, index=pd.DatetimeIndex(["2025-01-07"]))
    plain = backtest(bars=bars, weights=weights, calendar=calendars, fractional=True)
    result = backtest(
        bars=halved, actions=actions, weights=weights, calendar=calendars, fractional=True
    )
    assert result.equity["equity"].to_numpy() == pytest.approx(plain.equity["equity"].to_numpy())


def hours(calendar, symbol, rng):
    """Random hours of a week, one in five missing."""
    rows = []
    for _, session in calendar.sessions("2025-01-06", "2025-01-10").iterrows():
        start = session["regular_open"]
        while start < session["regular_close"]:
            low, high = np.sort(rng.integers(4, 40, 2) / 2)
            if rng.integers(5) or not rows:
                rows.append((start.tz_convert("UTC"), rng.choice([low, high]), high, low))
            start += pd.Timedelta(hours=1)
    frame = pd.DataFrame(rows, columns=["timestamp", "open", "high", "low"])
    return frame.assign(symbol=symbol, close=frame["low"], volume=100.0)


@EXAMPLES
@given(data=st.data())
def test_with_enough_cash_symbols_do_not_touch_one_another(nyse, tokyo, data):
    calendars = {"AAA": nyse, "BBB": tokyo}
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    bars = {symbol: hours(own, symbol, rng) for symbol, own in calendars.items()}
    placed = sorted(data.draw(st.lists(st.integers(0, 5 * 96), min_size=1, max_size=12)))
    terms = []
    for quarter in placed:
        kind = data.draw(st.sampled_from(["MARKET", "LIMIT", "STOP"]))
        price = data.draw(st.integers(4, 40)) / 2
        terms.append(
            {
                "placed_at": pd.Timestamp("2025-01-06", tz="UTC")
                + pd.Timedelta(minutes=15 * quarter),
                "symbol": data.draw(st.sampled_from(["AAA", "BBB"])),
                "side": data.draw(st.sampled_from(["BUY", "SELL"])),
                "quantity": data.draw(st.integers(1, 9)),
                "order_type": kind,
                "price": price if kind == "LIMIT" else np.nan,
                "stop_price": price if kind == "STOP" else np.nan,
                "time_in_force": data.draw(st.sampled_from(["DAY", "GTC"])),
            }
        )
    orders = pd.DataFrame(terms)
    rules = {"interval": "1h", "account_type": "margin", "cash": 1e9}
    together = backtest(
        bars=pd.concat(bars.values(), ignore_index=True), orders=orders, calendar=calendars, **rules
    )
    for symbol, own in calendars.items():
        mine = orders[orders["symbol"] == symbol]
        if mine.empty:
            continue
        alone = backtest(bars=bars[symbol], orders=mine, calendar=own, **rules)
        columns = ["side", "quantity", "price", "filled_at"]
        found = together.fills[together.fills["symbol"] == symbol]
        assert found[columns].values.tolist() == alone.fills[columns].values.tolist()


def test_calendars_come_from_the_instruments(ready_database, nyse):
    record_instruments(
        pd.DataFrame({"symbol": ["BTC"], "exchange_group": ["24/7"], "asset_class": ["CRYPTO"]})
    )
    sessions = pd.date_range("2025-01-03", "2025-01-08")
    coin = (
        daily(nyse, "BTC").iloc[:6].assign(session=sessions, timestamp=sessions.tz_localize("UTC"))
    )
    bars = pd.concat([coin, daily(nyse, "SPY")], ignore_index=True)
    result = backtest(Strategy(), bars=bars)
    assert len(result.equity) == len(bars)
    with pytest.raises(InvalidInputError, match="calendar lacks 'SPY'"):
        backtest(Strategy(), bars=bars, calendar={"BTC": "24/7"})
    with pytest.raises(InvalidInputError, match="did you mean 'BTC'"):
        backtest(Strategy(), bars=bars, calendar={"BTCC": "24/7", "SPY": "NYSE"})
    record_instruments(pd.DataFrame({"symbol": ["BTC"], "currency": ["EUR"]}))
    with pytest.raises(InvalidInputError, match="several currencies"):
        backtest(Strategy(), bars=bars)
    record_instruments(pd.DataFrame({"symbol": ["BTC"], "multiplier": [50.0]}))
    with pytest.raises(InvalidInputError, match="50 times its price"):
        backtest(Strategy(), bars=bars)


def test_a_name_that_no_instrument_can_have_keeps_the_default(ready_database, nyse):
    bars = daily(nyse, "a long name of a basket")
    assert len(backtest(Strategy(), bars=bars).equity) == len(bars)
    with pytest.raises(BarsNotFoundError):
        backtest(Strategy(), bars=bars.iloc[:0])
