"""Brackets, trailing stops, shares of a bar's volume and the path inside a bar, by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from mismartera_analytics.backtesting.costs import PerOrder, VolumeShare
from mismartera_analytics.backtesting.run import backtest
from mismartera_analytics.backtesting.strategy import Strategy
from tests.backtesting.test_rules import FLAT, fills_of, orders_at

BRACKET = {"stop_loss": 9.0, "take_profit": 12.0, "time_in_force": "GTC"}
INSIDE = {**BRACKET, "order_type": "LIMIT", "price": 9.5}


@pytest.mark.parametrize(
    ("bar", "price", "is_ambiguous"),
    [
        ((10.0, 11.0, 9.5, 10.0), None, False),
        ((10.0, 12.0, 9.5, 10.0), 12.0, False),
        ((10.0, 11.0, 8.5, 10.0), 9.0, False),
        ((10.0, 12.5, 8.5, 10.0), 9.0, True),  # both in one bar: the stop
        ((13.0, 14.0, 8.0, 10.0), 13.0, False),  # the open has passed the target
        ((8.0, 13.0, 7.0, 10.0), 8.0, False),  # and here the stop: the gap is paid
    ],
)
def test_a_bracket_after_its_entry(nyse, days, bar, price, is_ambiguous):
    bars = days(FLAT, (10.0, 10.5, 9.5, 10.0), bar)
    result, fills = fills_of(nyse, bars, BRACKET)
    assert fills[1:] == ([] if price is None else [price])
    assert result.ambiguity().fill_ids == ((2,) if is_ambiguous else ())
    assert result.parents.to_dict() == {2: 1, 3: 1}
    ends = {
        None: ["PENDING", "PENDING"],
        12.0: ["CANCELLED", "FILLED"],
        13.0: ["CANCELLED", "FILLED"],
    }
    statuses = result.orders.sort_values("order_id")["status"].tolist()
    assert statuses[1:] == ends.get(price, ["FILLED", "CANCELLED"])


@pytest.mark.parametrize(
    ("bar", "exits"),
    [
        # after an entry at the limit of 9.5: pessimistic, ohlc, best; the open is nearer to the low
        ((10.0, 12.5, 9.25, 10.0), [None, 12.0, 12.0]),
        ((10.0, 12.5, 8.5, 10.0), [9.0, 9.0, 12.0]),
        ((10.0, 10.5, 8.5, 10.0), [9.0, 9.0, 9.0]),  # on its way down the price must pass the stop
        ((10.0, 12.5, 9.25, 12.25), [12.0, 12.0, 12.0]),  # the close reaches the target
    ],
)
def test_a_bracket_in_the_bar_of_an_entry_inside_it(nyse, days, bar, exits):
    bars = days(FLAT, bar)
    for path, expected in zip(("pessimistic", "ohlc", "best"), exits, strict=True):
        result, fills = fills_of(nyse, bars, INSIDE, bar_path=path)
        assert fills == ([9.5] if expected is None else [9.5, expected])
        assert result.ambiguity().ambiguous == 1
        assert result.ambiguity().fill_ids == ((1,) if expected is None else (2,))


@pytest.mark.parametrize("level", [{"stop_loss": 11.0}, {"take_profit": 9.0}])
def test_a_market_order_filled_beyond_its_own_bracket_ends_at_once(nyse, days, level):
    bars = days(FLAT, (10.0, 10.5, 9.5, 10.25))
    result, fills = fills_of(nyse, bars, level)
    assert fills == [10.0, 10.0]
    assert result.fills["filled_at"].nunique() == 1


def test_a_bracket_from_the_next_bar_on(nyse, days):
    bars = days(FLAT, (10.0, 12.5, 8.5, 10.0), (10.0, 12.5, 9.5, 10.0))
    _, fills = fills_of(nyse, bars, BRACKET, bracket_from="next_bar")
    assert fills == [10.0, 12.0]
    _, fills = fills_of(nyse, bars, BRACKET)
    assert fills == [10.0, 9.0]


def test_the_bracket_of_a_fill_at_the_close_starts_with_the_next_bar(nyse, days):
    bars = days(FLAT, (10.0, 12.5, 8.5, 10.0), (10.0, 12.5, 9.5, 10.0))
    _, fills = fills_of(nyse, bars, BRACKET, fill="next_close")
    assert fills == [10.0, 12.0]


def test_a_bracket_ends_with_the_position_and_never_sells_more_than_is_held(nyse, days):
    bars = days(*[FLAT] * 2, (10.0, 11.0, 9.5, 10.0), (10.0, 13.0, 9.5, 10.0))

    def sold(quantity):
        frame = pd.concat(
            [
                orders_at(bars, BRACKET),
                orders_at(bars, {"side": "SELL", "quantity": quantity}, when=1),
            ],
            ignore_index=True,
        ).assign(stop_loss=[8.0, None])
        return backtest(bars=bars, orders=frame, calendar=nyse)

    whole, part = sold(10), sold(4)
    assert whole.orders.sort_values("order_id")["status"].tolist() == [
        "FILLED", "CANCELLED", "CANCELLED", "FILLED",
    ]  # fmt: skip
    assert "closed" in whole.reasons[2]
    assert part.fills.sort_values("fill_id")["quantity"].tolist() == [10.0, 4.0, 6.0]


def test_a_trailing_stop_follows_completed_highs_only(nyse, days):
    bars = days(
        FLAT,
        (10.0, 10.0, 10.0, 10.0),
        (10.0, 14.0, 9.0, 13.0),  # its own high does not lift the stop of 8 within it
        (13.0, 13.5, 12.5, 13.0),
        (11.5, 12.0, 11.0, 11.5),  # opens below 14 - 2: the gap is paid
    )
    frame = pd.concat(
        [
            orders_at(bars, {"order_type": "MARKET"}),
            orders_at(bars, {"side": "SELL", "order_type": "TRAILING_STOP"}, when=1),
        ],
        ignore_index=True,
    ).assign(trail=[None, 2.0], time_in_force="GTC")
    result = backtest(bars=bars, orders=frame, calendar=nyse)
    assert result.fills.sort_values("fill_id")["price"].tolist() == [10.0, 11.5]
    assert result.orders.sort_values("order_id")["stop_price"].tolist()[1] == 12.0


def volumes(bars, *values):
    return bars.assign(volume=list(values))


def test_an_order_takes_its_share_of_each_bar_and_works_on(nyse, days):
    bars = volumes(days(FLAT, (10, 11, 9, 10), (20, 21, 19, 20), (30, 31, 29, 30)), 0, 105, 55, 0)
    terms = {"quantity": 20, "time_in_force": "GTC"}
    result, fills = fills_of(nyse, bars, terms, volume_limit=0.1, commission=PerOrder(7.0))
    assert fills == [10.0, 20.0]
    assert result.fills["quantity"].tolist() == [10.0, 5.0]
    assert result.fills["commission"].tolist() == [7.0, 0.0]  # once for the order
    (order,) = result.orders.to_dict("records")
    assert order["status"] == "PARTIALLY_FILLED"
    assert (order["quantity"], order["filled_quantity"]) == (20.0, 15.0)
    assert order["average_fill_price"] == pytest.approx((10 * 10 + 5 * 20) / 15)
    day, _ = fills_of(nyse, bars, {"quantity": 20}, volume_limit=0.1)
    assert day.orders[["status", "filled_quantity"]].to_numpy().tolist() == [["EXPIRED", 10.0]]


def test_orders_of_a_symbol_share_the_bar(nyse, days):
    bars = volumes(days(FLAT, FLAT), 0, 100)
    result, _ = fills_of(nyse, bars, {"quantity": 7}, {"quantity": 7}, volume_limit=0.1)
    assert result.fills.sort_values("fill_id")["quantity"].tolist() == [7.0, 3.0]


def test_the_price_of_a_share_of_the_volume(nyse, days):
    bars = volumes(days(FLAT, FLAT), 0, 100)
    slippage = VolumeShare(0.1)
    _, fills = fills_of(nyse, bars, {"quantity": 20}, {"quantity": 30}, slippage=slippage)
    assert fills == pytest.approx([10 * (1 + 0.1 * 0.2**2), 10 * (1 + 0.1 * 0.5**2)])


def test_entries_bring_brackets_in_fractions(nyse, days):
    bars = days(FLAT, FLAT, (10.0, 10.0, 9.6, 10.0), (10.0, 10.0, 9.0, 9.25))
    signal = pd.Series([True, False, False, False], index=pd.DatetimeIndex(bars["session"]))
    options = {"bars": bars, "entries": signal, "calendar": nyse}
    stopped = backtest(**options, stop_loss=0.05, take_profit=0.2)
    assert stopped.fills["price"].tolist() == [10.0, 9.5]
    trailing = backtest(**options, trail=0.2)  # the entry's bar had a high of 11: 11 * 0.8
    assert trailing.orders.sort_values("order_id")["stop_price"].tolist()[1] == pytest.approx(8.8)


def test_one_cancels_other(nyse, days):
    class Breakout(Strategy):
        def on_bar(self, ctx):
            if ctx.row == 0:
                up = ctx.buy(None, 1, stop_price=12.0, time_in_force="GTC")
                down = ctx.buy(None, 1, price=8.0, time_in_force="GTC")
                ctx.one_cancels_other(up, down)

    bars = days(FLAT, (10.0, 12.5, 9.0, 12.0), (8.0, 8.0, 7.0, 8.0))
    result = backtest(Breakout(), bars=bars, calendar=nyse)
    assert result.fills["price"].tolist() == [12.0]
    assert result.orders.sort_values("order_id")["status"].tolist() == ["FILLED", "CANCELLED"]


def test_the_bounds_of_a_run(nyse, days):
    bars = days(FLAT, (10.0, 10.0, 10.0, 10.0), (10.0, 12.5, 8.5, 11.0))
    result, _ = fills_of(nyse, bars, BRACKET, cash=1000.0)
    told = result.ambiguity()
    assert (told.fills, told.ambiguous, told.share) == (2, 1, 0.5)
    for page in (str(result), result._repr_html_()):
        assert "1 of 2 fills" in page
        assert "50.00%" in page
    # 10 shares at 10, out at 9, or at 12; the open of 10 is nearer to the low
    assert told.bounds["final_equity"].to_dict() == {
        "pessimistic": 990.0, "ohlc": 990.0, "best": 1020.0,
    }  # fmt: skip
    assert told.bounds["total_return"].tolist() == pytest.approx([-0.01, -0.01, 0.02])
    assert told.range == (990.0, 1020.0)
    assert str(told) == (
        "1 of 2 fills hung on the path inside their bar: the account ends with 990.00 with the stop "
        "first, 990.00 along open, nearer end, farther end, close, 1,020.00 with the target first"
    )
    plain, _ = fills_of(nyse, bars, {}, cash=1000.0)
    assert plain.ambiguity().ambiguous == 0
    assert str(plain.ambiguity()) == "0 of 1 fills hung on the path inside their bar"


def test_a_bracket_keeps_its_meaning_across_a_split(nyse, days):
    bars = days((100, 101, 99, 100), (100, 101, 99, 100), (50, 51, 49, 50), (50, 50, 44, 46))
    split = pd.DataFrame(
        {
            "symbol": "AAA",
            "action_type": "SPLIT",
            "ex_date": bars["session"].iloc[[2]].to_numpy(),
            "ratio": 2.0,
            "amount": float("nan"),
            "known_at": pd.NaT,
        }
    )
    terms = {"stop_loss": 90.0, "take_profit": 120.0}
    result, fills = fills_of(nyse, bars, terms, actions=split)
    assert fills == [100.0, 45.0]
    assert result.fills["quantity"].tolist() == [10.0, 20.0]
