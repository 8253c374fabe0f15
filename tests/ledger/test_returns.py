"""Returns against plain loops, pyxirr and published examples."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pandas as pd
import pytest
import pyxirr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mismartera_analytics import frames
from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.ledger.contributions import contributions_frame
from mismartera_analytics.ledger.daily import Ledger, daily_ledger
from mismartera_analytics.ledger.periods import FREQUENCIES, pnl_frame
from mismartera_analytics.ledger.returns import combined, returns_frame
from tests.ledger.test_daily import (
    DAY,
    SESSIONS,
    actions_frame,
    fills_frame,
    flows_frame,
    prices_frame,
)


def ledger_of(*rows: tuple[float, float], start: str = "2021-01-04", step: str = "B") -> Ledger:
    """Build one account from (flow, value at the end) a session; all else is open gain."""
    grid = np.array(pd.date_range(start, periods=len(rows), freq=step).as_unit("us"))
    count = len(rows)
    amounts = np.zeros((count, 6))
    amounts[:, 0] = [row[0] for row in rows]
    value = np.array([row[1] for row in rows], float)
    owners = pd.DataFrame({"account_id": pd.array([1], "Int64"), "user": ["ada"], "symbol": [None]})
    number = np.arange(count)
    return Ledger(owners, np.zeros(count, np.int64), number, amounts, value,
                  value - np.cumsum(amounts[:, 0]), np.zeros(count, np.int64),
                  grid.astype("datetime64[D]").astype(np.int64))  # fmt: skip


def one_row(*rows, **arguments) -> pd.Series:
    return returns_frame(ledger_of(*rows), freq="total", **arguments).iloc[0]


# Time-weighted returns published for candidates of the CFA exam; dividends are taken out at the end.
def test_published_share_bought_twice():
    # One share at 100, a second at 120 a year later, both sold at 130 after two; 2 a share each year:
    # 22% and 10%. https://online.flipbuilder.com/bmcx/wpna/files/basic-html/page32.html
    rows = [(100, 100), (120 - 2, 240), (-264, 0)]
    row = returns_frame(ledger_of(*rows), timing="end")["net_return"].tolist()
    assert row[1:] == pytest.approx([0.22, 0.10], rel=1e-12)
    total = one_row(*rows, timing="end")
    assert math.sqrt(1 + total["net_return"]) - 1 == pytest.approx(math.sqrt(1.22 * 1.1) - 1)


def test_published_shares_sold_in_two_parts():
    # Four shares at 50, two sold at 50, the others at 80 after 5 a share: 0% and 70%, 30.38% a year.
    # http://forum.theanalystspace.com/viewthread.php?tid=104359
    total = one_row((200, 200), (-100, 100), (-170, 0), timing="end")
    assert round(math.sqrt(1 + total["net_return"]) - 1, 4) == 0.3038


def test_published_quarters_with_flows_at_their_start():
    # 2.0 + 0.2 -> 2.4, + 0.4 -> 2.6, - 0.2 -> 3.2, + 1.0 -> 4.1.
    # http://forum.theanalystspace.com/viewthread.php?action=printable&tid=804296
    total = one_row((2.2, 2.4), (0.4, 2.6), (-0.2, 3.2), (1.0, 4.1), timing="start")
    by_hand = 2.4 / 2.2 * (2.6 / 2.8) * (3.2 / 2.4) * (4.1 / 4.2) - 1
    assert total["net_return"] == pytest.approx(by_hand, rel=1e-12)


def test_published_quarterly_returns_link():
    # 3%, -5%, 8% and 10% with 1,000 in and 2,000 out in between: 16.25% time-weighted.
    # https://www.analystforum.com/t/money-weighted-vs-time-weighted-return/2127
    first = 10_000 * 1.03
    second = (first + 1_000) * 0.95
    third = second * 1.08
    fourth = (third - 2_000) * 1.10
    rows = [
        (10_000, 10_000),
        (1_000, first + 1_000),
        (0, second),
        (-2_000, third - 2_000),
        (0, fourth),
    ]
    total = one_row(*rows, timing="end")
    assert round(total["net_return"], 4) == 0.1625
    assert round(fourth) == 10_553


@pytest.mark.parametrize(
    ("timing", "net"),
    [("split", [0.1, 10 / 160, -5 / 165]), ("start", [0.1, 10 / 160, -5 / 125]),
     ("end", [math.nan, 10 / 110, -5 / 170])],
)  # fmt: skip
def test_timing_says_what_capital_was_at_work(timing, net):
    frame = returns_frame(ledger_of((100, 110), (50, 170), (-45, 120)), timing=timing)
    expected = [net[0], net[1], net[2] if timing != "split" else -5 / 170]
    np.testing.assert_allclose(frame["net_return"], expected, rtol=1e-12)


def test_fees_part_gross_from_net():
    accounts, _, _ = daily_ledger(
        fills_frame((0, 1, "ABC", 10, 10, 2)), prices_frame({"ABC": [10.0, 11.0]}), SESSIONS[:2],
        flows=flows_frame((0, 1, "DEPOSIT", 100.0), (1, 1, "FEE", -1.0)),
    )  # fmt: skip
    frame = returns_frame(accounts)
    assert frame["gross_return"].tolist() == pytest.approx([0.0, 10 / 98])
    assert frame["net_return"].tolist() == pytest.approx([-0.02, 9 / 98])
    assert frame["fees"].tolist() == [2, 1]


def test_flows_on_the_first_and_last_day():
    rows = [(100, 100), (0, 110), (-60, 55)]
    total = one_row(*rows)
    assert total["net_return"] == pytest.approx(1.1 * (1 + 5 / 110) - 1)
    assert total["money_weighted"] == pytest.approx(
        total["net_return"]
    )  # nothing flowed in between
    theirs = pyxirr.xirr(["2021-01-03", "2021-01-06", "2021-01-06"], [-100, 60, 55])
    assert total["xirr"] == pytest.approx(1.15 ** (365 / 3) - 1, rel=1e-12)
    assert total["xirr"] == pytest.approx(theirs, rel=1e-8)
    assert total["days"] == 3
    assert total["note"] == ""


def test_total_loss_and_what_follows():
    frame = returns_frame(ledger_of((100, 100), (0, 0), (50, 50), (0, 55)))
    assert frame["net_return"].tolist() == pytest.approx([0, -1, 0, 0.1])
    assert frame["cumulative_return"].tolist() == pytest.approx([0, -1, -1, -1])
    total = one_row((100, 100), (0, 0))
    assert (total["net_return"], total["money_weighted"], total["xirr"]) == (-1, -1, -1)


def test_a_loss_of_more_than_all_is_said():
    total = one_row((100, 100), (0, -20), (120, 100), (0, 110))
    assert math.isnan(total["net_return"])
    assert "more than all capital" in total["note"]
    frame = returns_frame(ledger_of((100, 100), (0, -20), (120, 100)))
    assert frame["net_return"].tolist()[:2] == pytest.approx([0, -1.2])


def test_no_rate_and_two_rates_are_said():
    # 100 in; 230 out and 132 owed a year apart: 10% and 20%.
    rows = [(100, 100), (-230, -110), (132, 0)]
    frame = returns_frame(ledger_of(*rows, step="365D"), freq="total", timing="end").iloc[0]
    assert math.isnan(frame["xirr"])
    assert math.isnan(frame["money_weighted"])
    assert "2 internal rates: 10.0000%, 20.0000%" in frame["note"]
    rows = [(100, 100), (-150, -80), (100, 0)]
    frame = returns_frame(ledger_of(*rows, step="365D"), freq="total", timing="end").iloc[0]
    assert "no internal rate" in frame["note"]


@pytest.mark.parametrize("flow", [0.0, 50.0])
def test_a_gap_counts_when_there_is_a_price_again(flow):
    frame = returns_frame(ledger_of((100, 100), (flow, math.nan), (0, math.nan), (0, 121 + flow)))
    assert frame["session"].tolist() == [pd.Timestamp("2021-01-04"), pd.Timestamp("2021-01-07")]
    assert frame["net_return"].tolist() == pytest.approx([0, 21 / (100 + flow)])
    assert frame["flows"].tolist() == [100, flow]
    assert frame["days"].tolist() == [1, 3]
    unknown = returns_frame(ledger_of((100, math.nan)))
    pd.testing.assert_frame_equal(unknown, frames.RETURNS.empty())


def test_a_value_that_is_unknown_to_the_end_is_said():
    rows = (100, 100), (0, 110), (0, math.nan)
    assert "no value after 2021-01-05" in one_row(*rows)["note"]
    assert one_row(*rows[:2])["note"] == ""
    assert returns_frame(ledger_of(*rows))["note"].tolist() == ["", ""]
    assert one_row(*rows, end=pd.Timestamp("2021-01-05").date())["note"] == ""


@pytest.mark.parametrize("end", [0.001, 100_000.0])
def test_a_great_gain_or_loss_within_a_day_is_exact(end):
    row = one_row((100, end))
    assert row["money_weighted"] == pytest.approx(end / 100 - 1, abs=1e-9)


def test_idle_accounts_return_nothing():
    frame = returns_frame(ledger_of((100, 100), (-100, 0), (0, 0), (80, 80), (0, 88)))
    assert frame["net_return"].tolist() == pytest.approx([0, 0, 0, 0, 0.1])


def test_benchmark_covers_the_same_days():
    ledger = ledger_of((100, 100), (0, 110), (0, 121))
    frame = returns_frame(ledger, benchmark=np.array([50.0, 51.0, 52.0]))
    assert frame["benchmark_return"].tolist() == pytest.approx(
        [math.nan, 0.02, 52 / 51 - 1], nan_ok=True
    )
    later = returns_frame(ledger, freq="total", benchmark=np.array([50.0, 51.0, 52.0]),
                          start=SESSIONS[0].date().replace(year=2021, day=5))  # fmt: skip
    assert later["benchmark_return"].tolist() == pytest.approx([0.04])
    assert later["net_return"].tolist() == pytest.approx([0.21])


def test_unknown_arguments_name_what_is_allowed():
    ledger = ledger_of((100, 100))
    with pytest.raises(InvalidInputError, match="did you mean 'start'"):
        returns_frame(ledger, timing="starts")
    with pytest.raises(InvalidInputError, match="did you mean 'carino'"):
        contributions_frame(ledger, ledger, linking="cariño")
    with pytest.raises(InvalidInputError, match="did you mean 'month'"):
        returns_frame(ledger, freq="months")


def test_nothing_recorded_gives_an_empty_frame():
    accounts, symbols, cash = daily_ledger(fills_frame(), prices_frame({}), SESSIONS[:3])
    pd.testing.assert_frame_equal(returns_frame(accounts), frames.RETURNS.empty())
    pd.testing.assert_frame_equal(returns_frame(combined(accounts)), frames.RETURNS.empty())
    pd.testing.assert_frame_equal(
        contributions_frame(accounts, symbols, cash), frames.CONTRIBUTIONS.empty()
    )


def plain_returns(frame: pd.DataFrame, timing: str) -> dict[tuple, list[float]]:
    """Return, by account, each session's return from a frame of profits, as a loop."""
    found = defaultdict(list)
    for row in frame.itertuples():
        flow = row.flows if row.flows > 0 or timing == "start" else 0.0
        capital = row.begin_value + (0.0 if timing == "end" else flow)
        idle = 0.0 if capital == 0 and row.total == 0 else None
        found[row.account_id].append((row.session, row.total / capital if capital > 0 else idle))
    return found


@settings(max_examples=60)
@given(
    st.lists(DAY, min_size=1, max_size=len(SESSIONS)),
    st.sampled_from(FREQUENCIES),
    st.sampled_from(["split", "start", "end"]),
    st.sampled_from(["carino", "compounded"]),
    st.booleans(),
)
def test_random_books_agree_with_plain_loops(script, freq, timing, linking, together):
    fills, actions, closes = [], [], {"A": [], "B": []}
    flows = [(0, 1, "DEPOSIT", 50_000.0), (0, 2, "DEPOSIT", 50_000.0)]
    for number, (steps, action, marks) in enumerate(script):
        if action:
            actions.append((number, *action))
        for step in steps:
            if step[0] == "fill":
                _, account, symbol, side, size, cents, fee = step
                fills.append((number, account, symbol, side * size / 100, cents / 100, fee / 100))
            else:
                _, account, kind, cents = step
                sign = 1 if kind in ("DEPOSIT", "INTEREST") else -1
                flows.append((number, account, kind, sign * cents / 100))
        for symbol, mark in zip("AB", marks, strict=True):
            closes[symbol].append(mark / 100)
    grid = SESSIONS[: len(script)]
    accounts, symbols, cash = daily_ledger(
        fills_frame(*fills), prices_frame(closes), grid, actions=actions_frame(*actions),
        flows=flows_frame(*flows),
    )  # fmt: skip
    whole = combined(accounts) if together else accounts
    sessions = pnl_frame(whole)
    frame = returns_frame(whole, freq=freq, timing=timing)
    ledger = pnl_frame(whole, freq=freq)
    for name in ("begin_value", "flows", "total", "end_value"):
        np.testing.assert_allclose(frame[name], ledger[name], rtol=1e-9, atol=1e-7)
    parts = contributions_frame(whole, symbols, cash, freq=freq, timing=timing, linking=linking)
    for owner, daily in plain_returns(sessions, timing).items():
        mine = frame.loc[
            frame["account_id"].isna() if pd.isna(owner) else frame["account_id"] == owner
        ]
        assume(all(rate is None or rate > -1 for _, rate in daily))
        before = pd.Timestamp.min
        for row in mine.itertuples():
            growth = 1.0
            for session, rate in daily:
                if before < session <= row.session:
                    growth *= math.nan if rate is None else 1.0 + rate
            before = row.session
            assert row.net_return == pytest.approx(growth - 1.0, rel=1e-9, abs=1e-12, nan_ok=True)
            theirs = parts.loc[
                (parts["session"] == row.session)
                & (parts["account_id"].fillna(0) == (0 if pd.isna(owner) else owner))
            ]
            if not math.isnan(row.net_return):
                assert theirs["contribution"].sum() == pytest.approx(
                    row.net_return, rel=1e-9, abs=1e-12
                )
                assert theirs["total"].sum() == pytest.approx(row.total, rel=1e-9, abs=1e-6)


def test_contributions_by_hand():
    # A gains 10 of 100, then B gains 11 of 110: 10% each, 21% together.
    accounts, symbols, cash = daily_ledger(
        fills_frame((0, 1, "A", 1, 50, 0), (0, 1, "B", 1, 50, 0)),
        prices_frame({"A": [50.0, 60.0, 60.0], "B": [50.0, 50.0, 61.0]}), SESSIONS[:3],
        flows=flows_frame((0, 1, "DEPOSIT", 100.0)),
    )  # fmt: skip
    frame = contributions_frame(accounts, symbols, cash).set_index("symbol")["contribution"]
    assert frame["A"] == pytest.approx(0.105)  # the same share of 21%: both logarithms are ln 1.1
    assert frame["B"] == pytest.approx(0.105)
    grown = contributions_frame(accounts, symbols, cash, linking="compounded")
    assert grown["contribution"].tolist() == pytest.approx([0.10, 0.11, 0.0])
