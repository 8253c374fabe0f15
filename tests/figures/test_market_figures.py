"""The heat map of an audit and the candlesticks: what they show, in both themes and odd cases."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

import mismartera_analytics as ma
from mismartera_analytics import frames
from mismartera_analytics.calendars.packaged import sync_calendars
from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.figures.audit import audit_heatmap
from mismartera_analytics.figures.candles import candlesticks
from mismartera_analytics.figures.session_axis import SessionAxis, session_ticks

NEW_YORK = "America/New_York"


@pytest.fixture
def market(home) -> None:
    import mismartera_analytics.models  # noqa: F401 - every mapping must be known
    from mismartera_analytics.models import database
    from mismartera_analytics.models.database import Base

    Base.metadata.create_all(database.engine)
    sync_calendars(["US_EQUITY", "TSE"])


def bars_on(times: pd.DatetimeIndex, symbol: str = "AAPL") -> pd.DataFrame:
    rng = np.random.default_rng(0)
    close = 100 + np.cumsum(rng.normal(0, 0.1, len(times)))
    open_ = np.concatenate([[100.0], close[:-1]])[: len(times)]
    return frames.BARS.conform(
        pd.DataFrame(
            {
                "symbol": symbol, "timestamp": times, "session": pd.NaT, "open": open_,
                "high": np.maximum(open_, close) + 0.05, "low": np.minimum(open_, close) - 0.05,
                "close": close, "volume": rng.integers(1, 1000, len(times)).astype(float),
            }
        )
    )  # fmt: skip


def words(figure: Figure) -> list[str]:
    figure.canvas.draw()
    texts = figure.findobj(match=lambda artist: hasattr(artist, "get_text"))
    return [text.get_text() for text in texts if text.get_text()]


def colour_at(figure: Figure, x: float, y: float) -> np.ndarray:
    """The colour of the figure at a place, counted from its lower left corner in shares."""
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())
    return pixels[int((1 - y) * len(pixels)), int(x * pixels.shape[1]), :3]


def audit_of(missing: list[int], **others: list[int]) -> pd.DataFrame:
    count = len(missing)
    columns = dict.fromkeys(frames.AUDIT.names, 0) | {
        "symbol": "AAPL", "session": pd.bdate_range("2025-01-06", periods=count),
        "expected": 390, "missing": missing, "split_ratio": np.nan,
    }  # fmt: skip
    return frames.AUDIT.conform(pd.DataFrame(columns | others))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_heat_map_tells_its_classes_apart(theme):
    figure = audit_heatmap(audit_of([0, 1, 39, 195, 300, 390]), theme=theme)
    axes = figure.axes[1]
    box = axes.get_position()
    seen = {
        tuple(colour_at(figure, box.x0 + (k + 0.5) / 6 * box.width, box.y0 + box.height / 2))
        for k in range(6)
    }
    assert len(seen) == 6
    assert "39.53%" in words(figure)  # 925 of 2,340


def test_a_heat_map_marks_each_kind_of_fault_once():
    kinds = ["suspected_split", "suspected_bad_print", "stale_run", "duplicate", "off_session",
             "zero_volume"]  # fmt: skip
    faults = {kind: [0, 0, int(k == 0), 0] for k, kind in enumerate(kinds)}
    said = words(audit_heatmap(audit_of([0, 0, 0, 0], **faults)))
    assert "suspected split" in said
    assert "stale run" not in said
    every = {kind: [0, 1, 0, 0] for kind in kinds}
    said = words(audit_heatmap(audit_of([0, 0, 0, 0], **every)))
    assert {"suspected split", "stale run", "duplicates", "off session", "zero volume"} <= set(said)


def test_a_missing_session_among_thousands_is_seen():
    missing = [0] * 5849
    missing[3000] = 390
    figure = audit_heatmap(audit_of(missing))
    axes = figure.axes[1]
    classes = axes.images[0].get_array()
    assert classes.shape[1] < 700
    assert (classes == 5).sum() == 1
    assert any("the worst of" in word for word in words(figure))


@pytest.mark.parametrize("symbols", [1, 3, 400])
def test_a_heat_map_of_many_symbols_stays_on_a_page(symbols):
    audit = pd.concat([audit_of([0, 1]).assign(symbol=f"S{k:03}") for k in range(symbols)])
    figure = audit_heatmap(audit)
    assert figure.get_figheight() < 16
    named = [word for word in words(figure) if word.startswith("S0")]
    assert 1 <= len(named) <= 100


def test_the_day_of_an_early_close(market):
    nyse = ma.trading_calendar("NYSE")
    sessions = nyse.sessions("2025-11-26", "2025-12-01", tz=NEW_YORK)
    bars = bars_on(nyse.minutes("2025-11-28", "2025-11-28", interval="5m"))
    for theme in ("light", "dark"):
        figure = candlesticks(bars, sessions, theme=theme)
        said = words(figure)
        assert "early close 13:00" in said
        assert "09:30\nFri 28 Nov 2025" in said
        assert "AAPL, 28 November 2025" in said
        bodies = next(c for c in figure.axes[0].collections if isinstance(c, PolyCollection))
        assert len(bodies.get_paths()) == len(bars) == 42
        assert figure.axes[0].get_xlim() == (0.0, 210.0)


def test_nights_take_no_room_and_a_break_little(market):
    tokyo = ma.trading_calendar("TSE")
    times = tokyo.minutes("2025-07-01", "2025-07-02", interval="30m")
    sessions = tokyo.sessions("2025-07-01", "2025-07-02", tz="Asia/Tokyo")
    axis = SessionAxis(sessions, pd.Series(times))
    places = axis.places(pd.Series(times))
    steps = np.diff(places)
    assert len(axis.breaks()) == 2
    assert axis.length == pytest.approx(660 * (1 + 2 * 0.012))
    np.testing.assert_allclose(np.delete(steps, [4, 10, 15]), 30.0)
    assert steps[10] == pytest.approx(30.0)  # the night
    np.testing.assert_allclose(steps[[4, 15]], 30.0 + 660 * 0.012)
    lunch = pd.Series(pd.to_datetime(["2025-07-01 12:00"])).dt.tz_localize("Asia/Tokyo")
    assert np.isnan(axis.places(lunch)).all()
    assert words(candlesticks(bars_on(times, "7203"), sessions)).count("break") == 2


def test_extended_hours_are_shown_where_there_are_bars(market):
    nyse = ma.trading_calendar("NYSE")
    sessions = nyse.sessions("2025-07-02", "2025-07-02", tz=NEW_YORK)
    times = nyse.minutes(
        "2025-07-02", "2025-07-02", interval="15m", phase=["pre_market", "regular"]
    )
    said = words(candlesticks(bars_on(times), sessions))
    assert "pre-market" in said
    assert "post-market" not in said
    assert "04:00\nWed 2 Jul 2025" in said


def test_daily_bars_stand_side_by_side():
    days = pd.bdate_range("2025-01-06", periods=30)
    bars = bars_on(pd.DatetimeIndex(days.tz_localize("UTC"))).assign(session=days)
    figure = candlesticks(bars)
    assert figure.axes[0].get_xlim() == pytest.approx((-0.6, 29.6))
    assert "AAPL, 6 January 2025 to 14 February 2025" in words(figure)


def test_candles_of_nothing_of_one_bar_and_of_gaps(market):
    sessions = ma.trading_sessions("2025-07-02", "2025-07-02", tz=NEW_YORK)
    assert "There are no bars in these sessions." in words(
        candlesticks(frames.BARS.empty(), sessions)
    )
    one = bars_on(pd.DatetimeIndex(["2025-07-02T13:30Z"]))
    assert "AAPL, 2 July 2025" in words(candlesticks(one, sessions))
    assert "There are no bars in these sessions." in words(
        candlesticks(one.assign(timestamp=one["timestamp"] + pd.Timedelta(days=30)), sessions)
    )
    holed = bars_on(ma.trading_calendar("NYSE").minutes("2025-07-02", "2025-07-02", interval="1h"))
    holed.loc[2, "close"] = np.nan
    holed.loc[3, "volume"] = np.nan
    bodies = candlesticks(holed, sessions).axes[0].collections
    assert len(next(c for c in bodies if isinstance(c, PolyCollection)).get_paths()) == 6


def test_candles_refuse_what_they_cannot_draw(market):
    bars = bars_on(pd.DatetimeIndex(["2025-07-02T13:30Z", "2025-07-02T13:31Z"]))
    with pytest.raises(InvalidInputError, match="need sessions="):
        candlesticks(bars)
    with pytest.raises(InvalidInputError, match="pass those of one"):
        candlesticks(bars.assign(symbol=["AAPL", "MSFT"]))
    with pytest.raises(InvalidInputError, match="sessions lacks the columns"):
        candlesticks(bars, pd.DataFrame({"regular_open": []}))


@pytest.mark.parametrize(
    ("count", "most", "first"),
    [(5, 10, "6 Jan\n2025"), (60, 13, "6 Jan\n2025"), (250, 13, "Jan\n2025"), (5000, 10, "2025")],
)
def test_ticks_fit_and_begin_their_periods(count, most, first):
    labels = pd.bdate_range("2025-01-06", periods=count)
    places, names = session_ticks(labels, most=most)
    assert names[0] == first
    assert 1 <= len(names) <= most
    assert places[0] == 0
