"""Internal rates against pyxirr, plain loops and published examples."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pytest
import pyxirr
from hypothesis import given, settings
from hypothesis import strategies as st

from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.ledger.rates import internal_rates

YEAR = 365


def worth(rate: float, days: list[int], amounts: list[float]) -> float:
    """Value flows at the first day: the definition, as a loop."""
    value = 0.0
    for day, amount in zip(days, amounts, strict=True):
        years = (day - days[0]) / YEAR
        value += amount * math.exp(-years * math.log1p(rate))  # a power would overflow
    return value


# CFA Level I, money-weighted return: one share bought, more a year later, all sold after two years.
@pytest.mark.parametrize(
    ("amounts", "quadratic", "published"),
    [
        # 100 and 120 paid, 2 a share received each year, sold at 130 each: 13.86%.
        # https://online.flipbuilder.com/bmcx/wpna/files/basic-html/page32.html
        ([-100.0, -118.0, 264.0], (-118 + math.sqrt(118**2 + 4 * 100 * 264)) / 200, 0.1386),
        # 100 and 3 x 89 paid, 1 a share received each year, sold at 98 each: 6.35%.
        # https://www.analystforum.com/forums/cfa-forums/cfa-level-i-forum/91370125
        ([-100.0, -266.0, 396.0], (-266 + math.sqrt(266**2 + 4 * 100 * 396)) / 200, 0.0635),
        # 4 x 50 paid, two sold at 50, the others at 80 after 5 a share: 20.52%.
        # http://forum.theanalystspace.com/viewthread.php?tid=104359
        ([-200.0, 100.0, 170.0], (100 + math.sqrt(100**2 + 4 * 200 * 170)) / 400, 0.2052),
        # 200 and 225 paid, 5 a share received each year, sold at 235 each: 9.39%.
        ([-200.0, -220.0, 480.0], (-220 + math.sqrt(220**2 + 4 * 200 * 480)) / 400, 0.0939),
    ],
)
def test_published_money_weighted_returns(amounts, quadratic, published):
    found = internal_rates([0, YEAR, 2 * YEAR], amounts)
    assert found.status == "one"
    assert found.rate == pytest.approx(quadratic - 1.0, rel=1e-12)
    assert round(found.rate, 4) == published


def test_published_money_weighted_return_by_quarter():
    # 10,000, then 1,000 in after the first quarter, 2,000 out after the third, 10,553 left: four times
    # the quarterly rate is 14.34%. https://www.analystforum.com/t/money-weighted-vs-time-weighted-return/2127
    found = internal_rates([0, 365, 730, 1095, 1460], [-10_000, -1_000, 0, 2_000, 10_553])
    assert round(4 * found.rate, 4) == 0.1434


@pytest.mark.parametrize(
    ("amounts", "status", "rates"),
    [
        ([-100.0, 230.0, -132.0], "several", [0.1, 0.2]),
        ([-1000.0, 3600.0, -4310.0, 1716.0], "several", [0.1, 0.2, 0.3]),
        ([-100.0, 220.0, -121.0], "one", [0.1]),  # a double root
        ([-100.0, 150.0, -100.0], "none", []),
        ([-100.0, -10.0], "none", []),
        ([100.0, 10.0], "none", []),
        ([-100.0, 0.0], "empty", []),
        ([0.0, 0.0], "empty", []),
        ([], "empty", []),
        ([-100.0, 100.0], "one", [0.0]),
        ([100.0, -110.0], "one", [0.1]),  # the other point of view
        ([-1.0, 0.0, 1e-300], "one", [-1.0]),
    ],
)
def test_every_root_is_found_and_said(amounts, status, rates):
    found = internal_rates([YEAR * number for number in range(len(amounts))], amounts)
    assert found.status == status
    assert found.rates == pytest.approx(rates, rel=1e-6, abs=1e-9)
    assert math.isnan(found.rate) == (len(rates) != 1)
    assert ("internal rate" in found.note) == (status in ("several", "none"))


def test_flows_of_one_day_are_added_up():
    assert internal_rates([0, 0, YEAR, YEAR], [-60, -40, 100, 10]).rate == pytest.approx(0.1)
    assert internal_rates([0, 0], [-60, 40]).status == "empty"


def test_rates_beyond_what_a_number_holds_are_told_by_what_they_come_to():
    gained = internal_rates([0, 1], [-1.0, 100.0])
    assert (gained.status, gained.rates) == ("one", (math.inf,))
    assert gained.over(1 / YEAR) == pytest.approx(99.0)
    lost = internal_rates([0, 30], [-100.0, 0.001])
    assert lost.rate == pytest.approx(-1.0)
    assert lost.over(30 / YEAR) == pytest.approx(-0.99999, abs=1e-12)


def test_bad_input_is_refused():
    with pytest.raises(InvalidInputError, match="finite"):
        internal_rates([0, 1], [-1.0, math.nan])
    with pytest.raises(InvalidInputError, match="one length"):
        internal_rates([0, 1], [-1.0])


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(st.integers(1, 3650), st.floats(1.0, 1e6)), min_size=1, max_size=30,
        unique_by=lambda flow: flow[0],
    ),
    st.floats(0.01, 100.0),
)  # fmt: skip
def test_one_change_of_sign_agrees_with_pyxirr(paid, multiple):
    """Money goes in on many days and comes back at the end: exactly one rate."""
    days = [0, *(day for day, _ in paid), 3651]
    amounts = [-100.0, *(-amount for _, amount in paid)]
    amounts.append(-sum(amounts) * multiple)
    found = internal_rates(days, amounts)
    assert found.status == "one"
    if found.rate > -0.9999:
        size = worth(found.rate, days, [abs(amount) for amount in amounts])
        assert abs(worth(found.rate, days, amounts)) < 1e-9 * size
    dates = [dt.date(2010, 1, 1) + dt.timedelta(days=day) for day in days]
    theirs = pyxirr.xirr(dates, amounts)
    if theirs is not None:
        assert found.rate == pytest.approx(theirs, rel=1e-6, abs=1e-7)


@settings(max_examples=150)
@given(
    st.lists(st.tuples(st.integers(1, 400), st.floats(-1e3, 1e3)), min_size=2, max_size=12,
             unique_by=lambda flow: flow[0])
)  # fmt: skip
def test_no_sign_change_of_a_fine_scan_is_missed(flows):
    """A scan of 4,000 rates, as a plain loop would do it, finds no root that is not in the answer."""
    flows = sorted(flow for flow in flows if abs(flow[1]) > 1e-3)
    days, amounts = [0, *(10 * day for day, _ in flows)], [-100.0, *(one for _, one in flows)]
    found = internal_rates(days, amounts)
    scanned = np.expm1(np.linspace(math.log(0.05), math.log(20.0), 4_000))
    times = np.array(days) / YEAR
    values = (np.array(amounts)[:, None] * (1.0 + scanned) ** -times[:, None]).sum(axis=0)
    crossed = np.flatnonzero(np.sign(values[1:]) * np.sign(values[:-1]) < 0)
    for row in crossed:
        assert any(scanned[row] - 1e-9 <= rate <= scanned[row + 1] + 1e-9 for rate in found.rates)
    for rate in found.rates:
        if -0.95 < rate < 1e6:
            size = (np.abs(amounts) * (1.0 + rate) ** -times).sum()
            assert abs(worth(rate, days, amounts)) < 1e-6 * size
