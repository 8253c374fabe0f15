"""Lot methods, holding periods and wash sales against published examples and a plain loop."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mismartera_analytics.ledger.events import METHODS, prepare_events, transfers_of
from mismartera_analytics.ledger.lots import match_events, match_lots, match_named
from mismartera_analytics.ledger.taxes import method_sums, realized_of, wash_frame


def fills_on(*rows: tuple, account: int = 1) -> pd.DataFrame:
    """Build fills from (date, signed quantity, price[, fee])."""
    dates = pd.to_datetime([row[0] for row in rows])
    return pd.DataFrame(
        {
            "order_id": np.arange(1, len(rows) + 1), "account_id": account, "user": "ada",
            "symbol": "XYZ", "side": ["BUY" if row[1] > 0 else "SELL" for row in rows],
            "quantity": [abs(float(row[1])) for row in rows],
            "price": [float(row[2]) for row in rows],
            "commission": [float(row[3]) if len(row) > 3 else 0.0 for row in rows],
            "filled_at": (dates + pd.Timedelta(hours=15)).tz_localize("UTC"), "session": dates,
        }
    )  # fmt: skip


def sums(
    fills: pd.DataFrame, *, year: int, method: str = "fifo", lots=None, actions=None
) -> pd.Series:
    events = prepare_events(fills, actions)
    realized = realized_of(events, match_named(events, fills, method=method, lots=lots))
    return method_sums(realized, events.groups, year=year).iloc[0]


def washes(fills: pd.DataFrame, *, actions=None, method: str = "fifo") -> pd.DataFrame:
    events = prepare_events(fills, actions)
    frame = wash_frame(realized_of(events, match_events(events, method=method)), events.groups)
    return frame.sort_values(["sold_on", "bought_on"], ignore_index=True)


# Which lot is sold.
@pytest.mark.parametrize(
    ("method", "gain"), [("fifo", 2_500), ("lifo", 500), ("hifo", 500), ("specific", 1_500)]
)
def test_published_three_purchases(method, gain):
    # 100 at 30, 40 and 50, 100 sold at 55; by specific identification the April shares.
    # https://app.certfuel.com/series7/learn/equity-securities/equity-tax-treatment/cost-valuation-methods
    fills = fills_on(("2024-01-10", 100, 30), ("2024-04-10", 100, 40), ("2024-07-10", 100, 50),
                     ("2024-11-11", -100, 55))  # fmt: skip
    lots = pd.DataFrame({"order_id": [4], "opened_on": ["2024-04-10"], "quantity": [100]})
    named = lots if method == "specific" else None
    assert sums(fills, year=2024, method=method, lots=named)["realized"] == gain


def test_published_first_in_first_out_over_two_lots():
    # 100 at 5 held 14 months, 100 at 7 held three, 150 sold at 10: 500 long term and 150 short term.
    # https://www.firstrade.com/content/en-us/accounts/taxcenter/?h=lots
    fills = fills_on(("2023-05-01", 100, 5), ("2024-04-01", 100, 7), ("2024-07-01", -150, 10))
    row = sums(fills, year=2024)
    assert (row["realized"], row["long_term"], row["short_term"]) == (650, 500, 150)
    assert sums(fills, year=2024, method="lifo")["realized"] == 100 * 3 + 50 * 5


def test_published_specific_lot_leaves_the_older_one():
    # 100 bought on 1/4/02 and 50 on 3/1/02, 50 sold from the lot of 3/1/02.
    # https://gainskeeper.com/WebHelp/Sell_by_Specific_ID_Method.htm
    fills = fills_on(("2002-01-04", 100, 60), ("2002-03-01", 50, 58), ("2002-04-01", -50, 59))
    lots = pd.DataFrame({"order_id": [3], "opened_on": ["2002-03-01"], "quantity": [50]})
    _, left = match_lots(fills, method="specific", lots=lots)
    assert left[["quantity", "entry_price"]].to_numpy().tolist() == [[100, 60]]
    _, left = match_lots(fills)  # https://gainskeeper.com/WebHelp/Sell_by_FIFO_Method.htm
    assert left[["quantity", "entry_price"]].to_numpy().tolist() == [[50, 60], [50, 58]]


def test_published_average_cost_with_fees():
    # 100 for 3,000 and 50 for 2,000, each with a fee of 20: 33.60 a share.
    # http://thefinancebase.com/calculate-non-retirement-mutual-fund-basis-5484.html
    fills = fills_on(
        ("2024-01-02", 100, 30, 20), ("2024-07-02", 50, 40, 20), ("2024-08-01", -75, 40)
    )
    trades, lots = match_lots(fills, method="average")
    assert trades["realized_pnl"].sum() == pytest.approx(75 * (40 - 33.60), rel=1e-12)
    assert lots["cost_basis"].sum() == pytest.approx(75 * 33.60, rel=1e-12)


def test_published_short_sale_with_a_dividend():
    # Short 100 at 50, bought back at 43 after a dividend of 3 a share: 700 less 300.
    # https://www.cobocards.com/pool/en/card/1efju1015/
    fills = fills_on(("2024-01-02", -100, 50), ("2024-07-02", 100, 43))
    dividend = pd.DataFrame({"symbol": ["XYZ"], "action_type": "CASH_DIVIDEND", "ratio": np.nan,
                             "ex_date": pd.to_datetime(["2024-04-01"]), "amount": 3.0})  # fmt: skip
    matched = match_events(prepare_events(fills, dividend))
    assert matched.states[:, 2].sum() == 700
    assert matched.states[:, 3].sum() == -300


def test_published_short_sale_is_short_term_after_13_months():
    # Publication 550, Short Sales, as reproduced at
    # http://www.itrademax.com/ipress/trademax-glossary/short-term-or-long-term-capital-gain-or-loss.htm
    fills = fills_on(("2023-01-03", -100, 10), ("2024-02-05", 100, 16))
    row = sums(fills, year=2024)
    assert (row["short_term"], row["long_term"], row["disallowed"]) == (-600, 0, 0)


# Wash sales.
def test_published_wash_sale_of_the_tax_authority():
    # 100 for 1,000, sold for 750, 100 bought for 800 within 30 days: 250 disallowed, basis 1,050.
    # https://apps.irs.gov/app/vita/content/10s/10_04_011.jsp
    fills = fills_on(("2024-03-01", 100, 10), ("2024-06-03", -100, 7.5), ("2024-06-20", 100, 8),
                     ("2024-12-02", -100, 10.5))  # fmt: skip
    found = washes(fills)
    assert found[["quantity", "disallowed"]].to_numpy().tolist() == [[100, 250]]
    row = sums(fills, year=2024)
    assert (row["realized"], row["disallowed"], row["taxable"]) == (0, 250, 0)  # 1,050 - 1,050


def test_published_wash_sale_of_a_broker():
    # 100 at 25 on Feb 10, sold at 22 on Feb 19, bought at 22.50 on Feb 26: 300 disallowed, basis 2,550.
    # https://www.scottrade.com/knowledge-center/investment-education/learn-the-basics/taxes/wash-sale-rules.html
    fills = fills_on(("2014-02-10", 100, 25), ("2014-02-19", -100, 22), ("2014-02-26", 100, 22.5),
                     ("2014-08-01", -100, 30))  # fmt: skip
    assert washes(fills)["disallowed"].tolist() == [300]
    assert sums(fills, year=2014)["taxable"] == 3_000 - 2_550


def test_published_wash_sale_over_summer():
    # 100 at 60 on 4/4/2004, sold at 50 on 7/7/2007, bought at 70 on 8/5/2007: basis 8,000.
    # https://costbasis.com/stocks/washsalerules.html
    fills = fills_on(("2004-04-05", 100, 60), ("2007-07-06", -100, 50), ("2007-08-03", 100, 70),
                     ("2009-01-02", -100, 90))  # fmt: skip
    found = washes(fills)
    assert found["disallowed"].tolist() == [1_000]
    assert sums(fills, year=2007)["taxable"] == 0
    assert sums(fills, year=2009)["taxable"] == 9_000 - 8_000


def test_published_matching_takes_the_earliest_purchases():
    # 100 sold at a loss, 50 bought on each of February 7 to 10: those of the 7th and 8th.
    # http://forum.mrmoneymustache.com/taxes/order-in-which-transactions-are-matched-for-wash-sale-rule/
    bought = [(f"2018-02-{day:02}", 50, 15) for day in (7, 8, 9, 10)]
    fills = fills_on(("2017-11-01", 100, 20), ("2018-02-06", -100, 15), *bought)
    found = washes(fills)
    assert found["bought_on"].dt.day.tolist() == [7, 8]
    assert found["disallowed"].tolist() == [250, 250]


def test_published_matching_takes_the_earliest_sale():
    # 100 sold at a loss on March 10, 100 more on March 15, 100 bought on March 20: the first sale.
    # https://fairmark.com/investment-taxation/capital-gain/wash/wash-sale-matching-rules/
    fills = fills_on(("2023-01-03", 200, 20), ("2023-03-10", -100, 15), ("2023-03-15", -100, 12),
                     ("2023-03-20", 100, 13))  # fmt: skip
    assert washes(fills)["sold_on"].dt.day.tolist() == [10]


def test_published_closed_purchases_replace_nothing():
    # One share bought and sold at a gain, three sold at a loss of 10 each, one bought and sold again:
    # the loss on one of the three moves into the last share, and the net loss is 10.
    # https://money.stackexchange.com/questions/91884/replacement-shares-and-wash-sales
    fills = fills_on(
        ("2024-01-02", 1, 100), ("2024-01-02", -1, 110), ("2024-01-03", 3, 100),
        ("2024-01-03", -3, 90), ("2024-01-04", 1, 100), ("2024-01-04", -1, 110),
    )  # fmt: skip
    fills["filled_at"] += pd.to_timedelta(np.arange(6), unit="min")
    assert washes(fills)[["quantity", "disallowed"]].to_numpy().tolist() == [[1, 10]]
    assert sums(fills, year=2024)["taxable"] == -10


@pytest.mark.parametrize(("bought_on", "count"), [("2024-05-04", 1), ("2024-05-03", 0),
                                                  ("2024-07-03", 1), ("2024-07-04", 0)])  # fmt: skip
def test_the_window_is_thirty_days_each_way(bought_on, count):
    rows = [("2023-01-03", 10, 100), ("2024-06-03", -10, 80), (bought_on, 10, 90)]
    fills = fills_on(*sorted(rows))
    assert len(washes(fills)) == count


def test_the_rest_of_the_lot_that_was_sold_replaces_nothing():
    fills = fills_on(("2024-06-03", 100, 10), ("2024-06-10", -50, 8))
    assert washes(fills).empty


def test_both_lots_of_one_sale_replace_nothing():
    fills = fills_on(("2024-06-03", 50, 10), ("2024-06-04", 50, 11), ("2024-06-10", -100, 8))
    assert washes(fills).empty


def test_accounts_of_a_user_count_as_one_and_splits_do_not_matter():
    sold = fills_on(("2024-01-03", 10, 100), ("2024-06-03", -10, 80))
    bought = fills_on(("2024-06-20", 10, 41), account=2)
    split = pd.DataFrame({"symbol": ["XYZ"], "action_type": "SPLIT", "ratio": 2.0, "amount": np.nan,
                          "ex_date": pd.to_datetime(["2024-06-10"])})  # fmt: skip
    found = washes(pd.concat([sold, bought], ignore_index=True), actions=split)
    assert found[["account_id", "bought_in", "quantity", "disallowed"]].to_numpy().tolist() == [
        [1, 2, 5, 100]  # ten of the new shares are five of the old
    ]
    other = pd.concat([sold, bought.assign(user="bob")], ignore_index=True)
    assert washes(other).empty


@pytest.mark.parametrize(
    ("bought", "sold", "is_long"),
    [("2023-03-01", "2024-03-01", False), ("2023-03-01", "2024-03-04", True),
     ("2024-02-29", "2025-02-28", False), ("2024-02-29", "2025-03-03", True),
     ("2023-12-29", "2024-12-30", True)],
)  # fmt: skip
def test_more_than_a_year_is_long_term(bought, sold, is_long):
    row = sums(fills_on((bought, 1, 10), (sold, -1, 12)), year=int(sold[:4]))
    assert (row["long_term"], row["short_term"]) == ((2, 0) if is_long else (0, 2))


def test_transferred_lots_keep_their_holding_period():
    flows = pd.DataFrame({"account_id": 1, "user": "ada", "symbol": "XYZ", "flow_type": "TRANSFER",
                          "session": pd.to_datetime(["2024-05-01"]), "quantity": 10.0, "amount": 50.0,
                          "acquired_on": pd.to_datetime(["2020-01-02"])})  # fmt: skip
    events = prepare_events(fills_on(("2024-06-03", -10, 8)), None, transfers_of(flows))
    realized = realized_of(events, match_events(events))
    assert realized.is_long_term.tolist() == [True]
    assert method_sums(realized, events.groups, year=2024)["long_term"].tolist() == [30]


def plain_washes(rows: list[tuple], trades: dict[int, list]) -> tuple[dict[tuple, float], float]:
    """Match losses and purchases share by share, as a loop; rows are (day, signed, price).

    The losses by (sale, lot sold, purchase), and what of them is in the cost of shares still held.
    """
    shares = []  # [bought in row, sold in row or None, cost added, is a replacement]
    for number, (_, signed, _) in enumerate(rows):
        shares += [[number, None, 0.0, False] for _ in range(max(signed, 0))]
    found: dict[tuple, float] = {}
    for sale, (day, signed, price) in enumerate(rows):
        if signed >= 0:
            continue
        gone = []
        for bought, count in trades.get(sale, []):
            mine = [one for one in shares if one[0] == bought and one[1] is None]
            mine.sort(
                key=lambda one: not one[3]
            )  # those with an added loss first, which they share
            marked = [one for one in mine if one[3]]
            mean = sum(one[2] for one in marked) / max(len(marked), 1)
            for one in marked:
                one[2] = mean
            gone.append(mine[:count])
            for one in mine[:count]:
                one[1] = sale
        for piece in gone:
            gain = sum(price - rows[one[0]][2] - one[2] for one in piece)
            need = len(piece) if gain < 0 else 0
            for one in [one for one in shares if one[1] is None and not one[3]]:
                if need and one[0] != piece[0][0] and abs(rows[one[0]][0] - day) <= 30:
                    loss = -gain / len(piece)
                    one[2], one[3], need = loss, True, need - 1
                    key = (sale, piece[0][0], one[0])
                    found[key] = found.get(key, 0.0) + loss
    return found, sum(one[2] for one in shares if one[1] is None)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 25), st.integers(1, 6), st.booleans(), st.integers(5, 30)),
                min_size=2, max_size=14))  # fmt: skip
def test_wash_sales_agree_with_a_loop_over_single_shares(steps):
    rows, day, held = [], 0, 0
    for gap, size, buys, price in steps:
        day += gap
        signed = size if buys or not held else -min(size, held)
        held += signed
        rows.append((day, signed, price))
    start = pd.Timestamp("2024-01-01")
    fills = fills_on(*[(start + pd.Timedelta(days=row[0]), *row[1:]) for row in rows])
    fills["filled_at"] += pd.to_timedelta(np.arange(len(rows)), unit="min")
    events = prepare_events(fills)
    matched = match_events(events)
    trades: dict[int, list] = {}
    for (bought, sold), piece in zip(events.source[matched.pairs], matched.pieces, strict=True):
        trades.setdefault(int(sold), []).append((int(bought), round(piece[0])))
    realized = realized_of(events, matched)
    theirs, unsold = plain_washes(rows, trades)
    assert realized.washes["disallowed"].sum() == pytest.approx(sum(theirs.values()), abs=1e-9)
    assert len(realized.washes) == len(theirs)
    released = (realized.gain - realized.adjusted).sum()
    assert sum(theirs.values()) - released == pytest.approx(unsold, abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_the_year_adds_up_to_its_trades(method):
    rng = np.random.default_rng(3)
    rows = [(dt.date(2023, 1, 2) + dt.timedelta(days=5 * day), int(rng.integers(-30, 31)) or 1,
             float(rng.integers(50, 150)), 1.0) for day in range(150)]  # fmt: skip
    fills = fills_on(*rows)
    trades, _ = match_lots(fills, method=method)
    for year in (2023, 2024):
        mine = trades.loc[trades["exit_at"].dt.year == year, "realized_pnl"].sum()
        row = sums(fills, year=year, method=method)
        assert row["realized"] == pytest.approx(mine)
        assert row["short_term"] + row["long_term"] == pytest.approx(mine)
