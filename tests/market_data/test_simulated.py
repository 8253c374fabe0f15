"""Simulated minutes: put together again they are the real daily bars, to the last digit."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mismartera_analytics as ma
from mismartera_analytics.calendars.sessions import TradingCalendar
from mismartera_analytics.errors import InvalidBarsError, InvalidInputError
from mismartera_analytics.market_data.samples import sample_bars
from mismartera_analytics.market_data.simulated import sample_minutes, simulate_minutes
from mismartera_analytics.market_data.validation import check_bars

FEW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
COLUMNS = ["open", "high", "low", "close", "volume"]


def daily_bar(
    prices: tuple[float, ...], volume: float, session: str = "2012-11-23"
) -> pd.DataFrame:
    label = pd.Timestamp(session).as_unit("us")
    values = dict(zip(COLUMNS, (*prices, volume), strict=True))
    return pd.DataFrame({"symbol": ["AAPL"], "session": [label], **values})


def test_the_real_days_come_out_again(nyse: TradingCalendar) -> None:
    daily = sample_bars().rename(columns={"date": "session"})
    daily = daily[daily["session"].between("2012-01-01", "2013-03-01")]
    minutes = sample_minutes(start="2012-01-01", end="2013-03-01")
    assert check_bars(minutes, "1m").bad.empty
    assert minutes.attrs["source"].startswith("simulated")
    again = ma.resample_bars(minutes, "1d", nyse, off_session="raise")
    assert again["symbol"].tolist() == (daily["symbol"] + ".SIM").tolist()
    assert again["session"].tolist() == daily["session"].tolist()
    np.testing.assert_array_equal(again[COLUMNS].to_numpy(), daily[COLUMNS].to_numpy())
    # A bar for each minute of the session, 210 of them where it closes early.
    one = minutes[minutes["symbol"] == "IBM.SIM"]["timestamp"]
    assert one.tolist() == nyse.minutes("2012-01-03", "2013-03-01").tolist()


def test_prices_are_whole_cents_and_volumes_whole_shares(nyse: TradingCalendar) -> None:
    minutes = sample_minutes("MSFT", "2012-01-01", "2012-12-31")
    in_cents = minutes[COLUMNS[:4]].to_numpy() * 100
    # The day's own extremes may have half cents; nothing else has.
    assert (np.abs(in_cents - in_cents.round()) < 1e-6).mean() > 0.998
    assert (minutes["volume"] % 1 == 0).all()
    assert (minutes["volume"] > 0).all()
    place = minutes["timestamp"].groupby(nyse.session_of(minutes["timestamp"])).cumcount()
    mean = minutes["volume"].groupby(place).mean()
    assert mean.iloc[:30].mean() > 1.5 * mean.iloc[180:210].mean()
    assert mean.iloc[360:].mean() > 1.5 * mean.iloc[180:210].mean()


def test_minutes_depend_on_their_session_and_the_seed(nyse: TradingCalendar) -> None:
    whole = sample_minutes("AAPL", "2012-11-19", "2012-11-30")
    part = sample_minutes(["AAPL", "IBM"], "2012-11-23", "2012-11-26")
    rows = whole["timestamp"].isin(part["timestamp"])
    same = part[part["symbol"] == "AAPL.SIM"].reset_index(drop=True)
    pd.testing.assert_frame_equal(whole[rows].reset_index(drop=True), same)
    other = sample_minutes("AAPL", "2012-11-19", "2012-11-30", seed=1)
    assert (other["close"] != whole["close"]).mean() > 0.9


def test_minutes_are_the_same_everywhere(nyse: TradingCalendar) -> None:
    """The generator's published numbers, and the digest of a day by which a change is noticed."""
    from mismartera_analytics.kernels import simulated

    published = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    state = np.array([1234567], dtype=np.uint64)
    assert [simulated._random(state, 2**63 - 1) for _ in published] == [z >> 1 for z in published]
    day = sample_minutes("AAPL", "2012-11-23", "2012-11-23")
    content = day[COLUMNS].to_numpy(dtype="<f8").tobytes("C")
    assert hashlib.sha256(content).hexdigest()[:16] == "c77f4901fff607cf"


@FEW
@given(
    low=st.integers(1, 5_000_000),
    apart=st.integers(0, 1_000_000),
    inside=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    volume=st.one_of(st.integers(0, 10**12), st.floats(0, 1e6)),
    seed=st.integers(-5, 5),
)
def test_any_daily_bar_comes_out_again(
    nyse: TradingCalendar,
    low: int,
    apart: int,
    inside: tuple[float, float],
    volume: float,
    seed: int,
) -> None:
    bottom, top = low / 10_000, (low + apart) / 10_000
    opened, close = (min(max(bottom + part * (top - bottom), bottom), top) for part in inside)
    daily = daily_bar((opened, top, bottom, close), float(volume))
    minutes = simulate_minutes(daily, nyse, seed=seed)
    assert check_bars(minutes, "1m").bad.empty
    again = ma.resample_bars(minutes, "1d", nyse)
    assert again[COLUMNS].to_numpy().tolist() == daily[COLUMNS].to_numpy().tolist()


def test_what_cannot_be_simulated(nyse: TradingCalendar) -> None:
    good = daily_bar((10.0, 11.0, 9.0, 10.0), 100.0)
    assert len(simulate_minutes(good.iloc[:0], nyse)) == 0
    with pytest.raises(InvalidBarsError, match="open above high"):
        simulate_minutes(good.assign(open=12.0), nyse)
    with pytest.raises(InvalidBarsError, match=r"lack the columns \['session'\]"):
        simulate_minutes(good.drop(columns="session"), nyse)
    with pytest.raises(InvalidInputError, match="2012-11-22 is no session of NYSE"):
        simulate_minutes(good.assign(session=pd.Timestamp("2012-11-22")), nyse)
    with pytest.raises(InvalidInputError, match=r"'LONGNAME' is too long for '\.SIM'"):
        simulate_minutes(good.assign(symbol="LONGNAME"), nyse)
    with pytest.raises(InvalidInputError, match=r"seed=0\.5 must be a whole number"):
        simulate_minutes(good, nyse, seed=0.5)
    with pytest.raises(InvalidInputError, match="symbols='FB' is not among the sample's"):
        sample_minutes("FB")
