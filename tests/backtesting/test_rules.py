"""The rule book, sentence by sentence, on bars small enough to work out by hand."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from mismartera_analytics.backtesting.costs import (
    BasisPoints,
    HalfSpread,
    PerOrder,
    PerShare,
    Proportional,
)
from mismartera_analytics.backtesting.run import backtest
from mismartera_analytics.backtesting.strategy import Strategy

FLAT = (10.0, 11.0, 9.0, 10.0)


def orders_at(bars, *terms, when=0):
    """Orders placed at the close of the bar `when`."""
    closed = bars["timestamp"].iloc[when] + pd.Timedelta(hours=6, minutes=30)
    rows = [
        {"placed_at": closed, "symbol": "AAA", "side": "BUY", "quantity": 10, **t} for t in terms
    ]
    return pd.DataFrame(rows)


def fills_of(nyse, bars, *terms, **options):
    result = backtest(bars=bars, orders=orders_at(bars, *terms), calendar=nyse, **options)
    return result, result.fills["price"].tolist()


PRICES = pytest.mark.parametrize(
    ("terms", "bar", "price"),
    [
        # a limit fills at the open when that is better, else at its price when it is touched
        ({"order_type": "LIMIT", "price": 9.5}, (9.0, 10.0, 8.0, 9.0), 9.0),
        ({"order_type": "LIMIT", "price": 9.5}, (10.0, 10.0, 9.5, 9.75), 9.5),
        ({"order_type": "LIMIT", "price": 9.5}, (10.0, 10.0, 9.75, 10.0), None),
        ({"side": "SELL", "order_type": "LIMIT", "price": 12.0}, (13.0, 14.0, 11.0, 12.0), 13.0),
        ({"side": "SELL", "order_type": "LIMIT", "price": 12.0}, (11.0, 12.0, 11.0, 11.0), 12.0),
        # a stop that the open has passed fills at the open: the gap is paid
        ({"side": "SELL", "order_type": "STOP", "stop_price": 9.0}, (7.0, 8.0, 6.0, 7.0), 7.0),
        ({"side": "SELL", "order_type": "STOP", "stop_price": 9.0}, (10.0, 10.0, 8.0, 9.0), 9.0),
        ({"order_type": "STOP", "stop_price": 12.0}, (11.0, 12.0, 10.0, 11.0), 12.0),
        ({"order_type": "STOP", "stop_price": 12.0}, (13.0, 14.0, 12.0, 13.0), 13.0),
        # a stop-limit triggered by the open is a limit from then on, and may fill in that bar
        (
            {"order_type": "STOP_LIMIT", "stop_price": 12.0, "price": 12.5},
            (13.0, 14.0, 12.0, 13.0),
            12.5,
        ),
        # triggered inside the bar it fills at the stop where the limit allows
        (
            {"order_type": "STOP_LIMIT", "stop_price": 12.0, "price": 12.5},
            (11.0, 14.0, 11.0, 13.0),
            12.0,
        ),
        (
            {"order_type": "STOP_LIMIT", "stop_price": 12.0, "price": 11.5},
            (11.75, 14.0, 11.0, 13.0),
            None,
        ),
        ({}, (12.0, 13.0, 11.0, 12.5), 12.0),
    ],
)


@PRICES
def test_prices(nyse, days, terms, bar, price):
    bars = days(FLAT, FLAT, bar)
    stock = {"time_in_force": "DAY"}
    frame = pd.concat([orders_at(bars, stock), orders_at(bars, terms, when=1)], ignore_index=True)
    result = backtest(bars=bars, orders=frame, calendar=nyse)
    assert result.fills["price"].tolist()[1:] == ([] if price is None else [price])
    assert result.orders["status"].tolist()[1] == ("EXPIRED" if price is None else "FILLED")


def test_a_triggered_stop_limit_stays_triggered(nyse, days):
    bars = days(FLAT, (11.0, 14.0, 11.0, 13.0), (11.0, 11.5, 10.5, 11.0))
    terms = {"order_type": "STOP_LIMIT", "stop_price": 12.0, "price": 10.75, "time_in_force": "GTC"}
    _, fills = fills_of(nyse, bars, terms)
    assert fills == [10.75]


def test_through_asks_that_the_limit_is_passed(nyse, days):
    bars = days(FLAT, (10.0, 10.0, 9.5, 9.75), (10.0, 10.0, 9.25, 9.75))
    terms = {"order_type": "LIMIT", "price": 9.5, "time_in_force": "GTC"}
    _, touched = fills_of(nyse, bars, terms)
    _, passed = fills_of(nyse, bars, terms, limit_fill="through")
    assert len(touched) == len(passed) == 1
    result, _ = fills_of(nyse, bars, terms, limit_fill="through")
    assert result.fills["filled_at"].iloc[0].date() == bars["session"].iloc[2].date()


def test_an_order_never_fills_in_the_bar_that_decided_it(nyse, days):
    bars = days((10, 10, 10, 10), (20, 20, 20, 20))
    result = backtest(bars=bars, orders=orders_at(bars, {}), calendar=nyse)
    assert result.fills["price"].tolist() == [20.0]
    assert not result.peeking
    peeking = backtest(bars=bars, orders=orders_at(bars, {}), calendar=nyse, fill="same_close")
    assert peeking.fills["price"].tolist() == [10.0]
    assert peeking.peeking
    assert "peeking" in repr(peeking)


def test_a_day_order_of_a_symbol_without_a_bar_that_day_expires(nyse, days):
    other = days(FLAT, FLAT, FLAT, symbol="BBB")
    bars = pd.concat([days(FLAT, None, FLAT), other], ignore_index=True)
    day, gtc = {"quantity": 1}, {"quantity": 2, "time_in_force": "GTC"}
    result = backtest(bars=bars, orders=orders_at(other, day, gtc), calendar=nyse)
    assert result.orders["status"].tolist() == ["EXPIRED", "FILLED"]
    assert result.fills["filled_at"].tolist() == [other["timestamp"].iloc[2]]


def minutes(nyse, session, *, hours):
    """Hour bars of one session, 10 at the open and one more each hour."""
    opened = nyse.session(session).regular_open
    start = [opened + pd.Timedelta(hours=k) for k in range(hours)]
    price = [10.0 + k for k in range(hours)]
    return pd.DataFrame(
        {"symbol": "AAA", "timestamp": pd.DatetimeIndex(start).as_unit("us"), "open": price,
         "high": price, "low": price, "close": price, "volume": 1.0}
    )  # fmt: skip


def test_a_day_order_ends_at_an_early_close(nyse):
    early, monday = minutes(nyse, "2024-11-29", hours=4), minutes(nyse, "2024-12-02", hours=7)
    bars = pd.concat([early, monday], ignore_index=True)
    last = early["timestamp"].iloc[-1]
    at_noon = {"placed_at": last, "quantity": 1}
    after_close = {"placed_at": last + pd.Timedelta(hours=1), "quantity": 2}
    terms = {"symbol": "AAA", "side": "BUY", "order_type": "LIMIT", "price": 10.0}
    frame = pd.DataFrame([{**terms, **at_noon}, {**terms, **after_close}])
    result = backtest(bars=bars, orders=frame, interval="1h", calendar=nyse)
    assert result.orders["status"].tolist() == ["EXPIRED", "FILLED"]
    assert result.fills["filled_at"].tolist() == [monday["timestamp"].iloc[0]]
    assert result.equity["timestamp"].iloc[3] == nyse.session("2024-11-29").regular_close


def test_opg_fills_at_the_first_open_only_and_cls_at_the_last_close_only(nyse):
    bars = pd.concat(
        [minutes(nyse, day, hours=7) for day in ("2024-12-02", "2024-12-03")], ignore_index=True
    )
    before, noon = bars["timestamp"].iloc[0], bars["timestamp"].iloc[3]
    rows = [
        {"placed_at": before, "time_in_force": "OPG"},
        {"placed_at": noon, "time_in_force": "OPG"},
        {"placed_at": noon, "time_in_force": "CLS"},
        {"placed_at": noon, "time_in_force": "CLS", "order_type": "LIMIT", "price": 15.5},
    ]
    frame = pd.DataFrame([{"symbol": "AAA", "side": "BUY", "quantity": 1, **row} for row in rows])
    result = backtest(bars=bars, orders=frame, interval="1h", calendar=nyse)
    assert result.orders["status"].tolist() == ["FILLED", "EXPIRED", "FILLED", "EXPIRED"]
    assert result.fills["price"].tolist() == [10.0, 16.0]
    closed = nyse.session("2024-12-02").regular_close
    assert result.fills["filled_at"].tolist() == [before, closed - pd.Timedelta(microseconds=1)]


def test_extended_hours_do_not_fill(nyse):
    bars = minutes(nyse, "2024-12-02", hours=9)  # the last two lie after the close
    at = bars["timestamp"].iloc[7]
    frame = pd.DataFrame({"placed_at": [at], "symbol": "AAA", "side": "BUY", "quantity": 1})
    result = backtest(bars=bars, orders=frame, interval="1h", calendar=nyse)
    assert result.orders["status"].tolist() == ["PENDING"]


def test_extended_hours_do_not_fill_at_their_own_close_either(nyse):
    class AfterHours(Strategy):
        def on_bar(self, ctx):
            if ctx.row == 7:
                ctx.buy(quantity=1)

    bars = minutes(nyse, "2024-12-02", hours=9)
    result = backtest(AfterHours(), bars=bars, interval="1h", calendar=nyse, fill="same_close")
    assert result.orders["status"].tolist() == ["PENDING"]


def test_an_order_that_cannot_be_paid_is_rejected_whole_with_a_reason(nyse, days):
    bars = days(FLAT, FLAT)
    result, fills = fills_of(nyse, bars, {"quantity": 11}, cash=100.0)
    assert result.orders["status"].tolist() == ["REJECTED"]
    assert fills == []
    assert "cash" in result.reasons[1]
    shrunk, _ = fills_of(nyse, bars, {"quantity": 11}, cash=100.0, partial_on_cash=True)
    assert shrunk.fills["quantity"].tolist() == [10.0]


def test_a_cash_account_knows_no_short_sale(nyse, days):
    result, fills = fills_of(nyse, days(FLAT, FLAT), {"side": "SELL"})
    assert fills == []
    assert "short" in result.reasons[1]


@pytest.mark.parametrize("commission", [Proportional(0.01), PerShare(0.01, 1, 5), PerOrder(7.0)])
def test_all_cash_leaves_exactly_nothing_after_the_fee(nyse, days, commission):
    bars = days((9.7, 11, 9, 10), (9.7, 11, 9, 10), FLAT)
    signal = pd.Series([True, False, False], index=pd.DatetimeIndex(bars["session"]))
    result = backtest(
        bars=bars,
        entries=signal,
        calendar=nyse,
        fractional=True,
        commission=commission,
        cash=1000.0,
    )
    assert result.equity["cash"].tolist()[1:] == [0.0, 0.0]
    spent = result.fills["quantity"] * result.fills["price"] + result.fills["commission"]
    assert spent.tolist() == [pytest.approx(1000.0, rel=1e-12)]
    fee = commission.terms().fee(result.fills["quantity"].iloc[0], 9.7)
    assert result.fills["commission"].tolist() == [pytest.approx(fee)]


def test_in_a_rebalance_sells_go_first_and_buys_shrink_by_one_factor(nyse, days):
    bars = pd.concat(
        [days(*[FLAT] * 4, symbol=symbol) for symbol in ("AAA", "BBB", "CCC")], ignore_index=True
    )
    index = pd.DatetimeIndex(bars["session"].iloc[[0, 1]])
    weights = pd.DataFrame({"AAA": [0.0, 0.6], "BBB": [0.0, 0.4], "CCC": [1.0, 0.0]}, index=index)
    result = backtest(
        bars=bars, weights=weights, calendar=nyse, fractional=True, commission=Proportional(0.01)
    )
    fills = result.fills.sort_values("fill_id")  # in their sequence
    assert fills["symbol"].tolist() == ["CCC", "CCC", "AAA", "BBB"]
    bought = fills["quantity"].iloc[2:].to_numpy()
    assert bought[0] / bought[1] == pytest.approx(1.5)
    assert result.equity["cash"].iloc[-1] == pytest.approx(0, abs=1e-9)


def test_dust_of_cash_buys_nothing_in_a_rebalance(nyse, days):
    odd = (7.0, 7.5, 6.5, 7.0)
    bars = pd.concat(
        [days(odd, odd, None, symbol="AAA"), days(odd, odd, odd, symbol="BBB")], ignore_index=True
    )
    index = pd.DatetimeIndex(bars["session"].iloc[[0, 1]])
    weights = pd.DataFrame({"AAA": [1.0, 0.5], "BBB": [0.0, 0.5]}, index=index)
    options = {"weights": weights, "calendar": nyse, "fractional": True, "partial_on_cash": True}
    sums = [1000.0 + k / 7 for k in range(40)]
    results = [backtest(bars=bars, cash=cash, **options) for cash in sums]
    left = [result.equity["cash"].iloc[1] for result in results]
    assert any(0.0 < cash < 1e-9 for cash in left)  # what a division leaves
    for result in results:
        assert result.fills["symbol"].tolist() == ["AAA"]  # its sale waits for a bar


@pytest.mark.parametrize(
    ("slippage", "bought", "sold"),
    [(BasisPoints(100), 10.1, 9.9), (HalfSpread(0.5), 10.25, 9.75)],
)
def test_slippage_moves_the_price_against_the_order_and_never_beyond_its_limit(
    nyse, days, slippage, bought, sold
):
    bars = days(*[FLAT] * 4)
    capped = {"order_type": "LIMIT", "price": 10.05}
    frame = pd.concat(
        [
            orders_at(bars, {}, capped),
            orders_at(bars, {"side": "SELL"}, when=1),
        ],
        ignore_index=True,
    )
    result = backtest(bars=bars, orders=frame, calendar=nyse, slippage=slippage)
    assert result.fills["price"].tolist() == pytest.approx([bought, 10.05, sold])


def test_percent_is_worked_out_at_the_fill_or_at_the_decision(nyse, days):
    bars = days((10, 10, 10, 10), (20, 20, 20, 20))

    class Half(Strategy):
        def on_bar(self, ctx):
            if ctx.row == 0:
                ctx.buy(None, percent=0.5)

    at_fill = backtest(Half(), bars=bars, calendar=nyse, cash=1000.0)
    at_decision = backtest(Half(), bars=bars, calendar=nyse, cash=1000.0, size_at="decision")
    assert at_fill.fills["quantity"].tolist() == [25.0]
    assert at_decision.fills["quantity"].tolist() == [50.0]


def test_callbacks_come_in_their_order_and_see_no_later_bar(nyse):
    bars = pd.concat(
        [minutes(nyse, day, hours=7) for day in ("2024-12-02", "2024-12-03")], ignore_index=True
    )
    heard = []

    class Listen(Strategy):
        def on_start(self, ctx):
            heard.append(("start", len(ctx.bars)))

        def on_session_open(self, ctx):
            heard.append(("open", str(ctx.session), len(ctx.bars), ctx.now.hour))
            ctx.buy(None, 1)

        def on_bar(self, ctx):
            if ctx.row in (0, 6, 7, 13):
                heard.append(("bar", ctx.row, len(ctx.bars), ctx.position()))

        def on_fill(self, ctx, fill):
            heard.append(("fill", fill.side, fill.price, len(ctx.bars)))

        def on_session_close(self, ctx):
            heard.append(("close", str(ctx.session), len(ctx.bars)))

    backtest(Listen(), bars=bars, interval="1h", calendar=nyse)
    assert heard == [
        ("start", 0),
        ("open", "2024-12-02", 0, 14),
        ("fill", "BUY", 10.0, 1),
        ("bar", 0, 1, 1.0),
        ("bar", 6, 7, 1.0),
        ("close", "2024-12-02", 7),
        ("open", "2024-12-03", 7, 14),
        ("fill", "BUY", 10.0, 8),
        ("bar", 7, 8, 2.0),
        ("bar", 13, 14, 2.0),
        ("close", "2024-12-03", 14),
    ]


def test_the_equity_is_cash_and_positions_and_trades_add_up(nyse, sample, splits):
    from mismartera_analytics.backtesting.samples import MovingAverageCross

    result = backtest(
        MovingAverageCross(fast=20, slow=50), ["AAPL", "IBM"], bars=sample, actions=splits,
        calendar=nyse, commission=PerShare(0.005, minimum=1.0),
    )  # fmt: skip
    equity = result.equity
    assert (equity["cash"] + equity["positions"] == equity["equity"]).all()
    open_gain = result.positions["unrealized_pnl"].sum()
    gain = equity["equity"].iloc[-1] - 100_000
    realized = result.trades["realized_pnl"].sum()
    assert realized + open_gain == pytest.approx(gain, rel=1e-9)
    assert math.prod(1 + result.returns) == pytest.approx(equity["equity"].iloc[-1] / 100_000)
    assert result.metrics.loc["total_return", "value"] == pytest.approx(gain / 100_000)


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_a_fraction_that_comes_to_nothing_keeps_its_side(nyse, days, side):
    class Tiny(Strategy):
        def on_bar(self, ctx):
            if ctx.row == 0:
                (ctx.buy if side == "BUY" else ctx.sell)(percent=1e-6)

    result = backtest(Tiny(), bars=days(*[(10, 11, 9, 10)] * 3), calendar=nyse)
    assert result.orders[["side", "status"]].to_numpy().tolist() == [[side, "REJECTED"]]
