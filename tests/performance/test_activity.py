"""Exposure, time in the market and turnover by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from mismartera_analytics import frames
from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.performance.activity import activity_statistics, exposure, turnover


def account(positions: list[float], equity: list[float]) -> pd.DataFrame:
    days = pd.bdate_range("2024-01-01", periods=len(equity))
    return frames.EQUITY.conform(
        pd.DataFrame(
            {
                "timestamp": (days + pd.Timedelta(hours=21)).tz_localize("UTC"),
                "session": days,
                "cash": np.subtract(equity, positions),
                "positions": positions,
                "equity": equity,
                "drawdown": 0.0,
            }
        )
    )


def traded(*amounts: float) -> pd.DataFrame:
    """Fills of one share each; a negative amount is a sale."""
    fills = frames.FILLS.empty().reindex(range(len(amounts)))
    return fills.assign(
        side=["BUY" if one > 0 else "SELL" for one in amounts], quantity=1.0, price=np.abs(amounts)
    )


def test_exposure_is_a_share_and_missing_where_nothing_is_left():
    found = exposure(account([50.0, -30.0, 0.0, 10.0], [100.0, 60.0, 80.0, -5.0]))
    assert found.tolist()[:3] == [0.5, -0.5, 0.0]
    assert math.isnan(found.iloc[3])
    assert found.index[0] == pd.Timestamp("2024-01-01")


def test_turnover_by_hand():
    """600 bought and 200 sold in half a year, of 200: twice 400 / 200, or twice 200 / 200."""
    equity = account([0.0] * 4, [100.0, 200.0, 200.0, 300.0])
    fills = traded(400.0, -200.0, 200.0)
    assert turnover(fills, equity, periods_per_year=8) == pytest.approx(4.0)
    assert turnover(fills, equity, counted="lesser", periods_per_year=8) == pytest.approx(2.0)


def test_of_a_session_with_several_values_the_last_counts():
    equity = account([0.0] * 4, [100.0, 200.0, 200.0, 300.0])
    doubled = pd.concat([equity.assign(equity=9e9), equity]).sort_values("session", kind="stable")
    fills = traded(100.0)
    expected = turnover(fills, equity, periods_per_year=4)
    assert turnover(fills, doubled, periods_per_year=4) == expected


def test_statistics_by_hand():
    equity = account([50.0, 0.0, 0.0, -90.0] * 50, [100.0] * 200)
    table = activity_statistics(equity, traded(1000.0, -3000.0))
    assert table.loc["average_exposure", "value"] == pytest.approx(-0.1)
    assert table.loc["highest_exposure", "value"] == 0.5
    assert table.loc["lowest_exposure", "value"] == -0.9
    assert table.loc["time_invested", "value"] == 0.5
    assert table.loc["traded_value", "value"] == 4000.0
    assert table.loc["turnover", "value"] == pytest.approx(2000 / 100 * 260.9 / 200, rel=1e-3)


@pytest.mark.parametrize("values", [[], [100.0], [0.0] * 200, [-5.0] * 200])
def test_what_is_missing_says_why(values):
    table = activity_statistics(account([0.0] * len(values), values), traded(5.0))
    missing = table["value"].isna()
    assert (table.loc[missing, "note"] != "").all()
    assert (table["convention"] != "").all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda e, f: exposure(e.drop(columns="equity")), "equity lacks the columns"),
        (lambda e, f: turnover(f.drop(columns="side"), e), "fills lacks the columns"),
        (lambda e, f: turnover(f, e, counted="all"), "'half' or 'lesser'"),
        (lambda e, f: turnover(f, e), "periods_per_year"),
        (lambda e, f: activity_statistics(e, f, periods_per_year=0), "above zero"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(InvalidInputError, match=words):
        call(account([0.0], [1.0]), traded(1.0))
