"""What each figure draws is what its frame says, read back from the artists."""

from __future__ import annotations

import calendar as weeks

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.dates import date2num
from matplotlib.patches import FancyBboxPatch, Rectangle

from mismartera_analytics import figures, frames
from mismartera_analytics.figures.style import DARK, LIGHT, percent, theme_of
from mismartera_analytics.performance import distribution, rolling, tables
from tests.figures.test_figures import EQUITY, RECORD, bars, fills
from tests.reports import made_up

THEMES = pytest.mark.parametrize("theme", ["light", "dark"])


def line(axes, place=0):
    drawn = axes.get_lines()[place]
    return date2num(drawn.get_xdata()), np.asarray(drawn.get_ydata(), dtype=float)


def texts(axes):
    return [text.get_text() for text in axes.texts]


@THEMES
def test_every_name_draws_in_both_themes(theme):
    assert len(figures.__all__) == 12
    for name in figures.__all__:
        assert callable(getattr(figures, name))
    with pytest.raises(AttributeError, match="no attribute 'candels'"):
        _ = figures.candels
    figure = figures.exposure(EQUITY, theme=theme)
    assert to_hex(figure.get_facecolor()) == theme_of(theme).paper


@THEMES
def test_equity_with_drawdown(theme):
    benchmark = (1e5 * tables.growth(RECORD * 0.5)).rename("SPY")
    figure = figures.equity_with_drawdown(EQUITY, benchmark=benchmark, theme=theme)
    top, bottom = figure.axes
    days = date2num(EQUITY["session"].to_numpy())
    for axes, place, expected in (
        (top, 0, EQUITY["equity"]), (top, 1, benchmark), (bottom, 0, EQUITY["drawdown"]),
    ):  # fmt: skip
        np.testing.assert_array_equal(line(axes, place)[0], days)
        np.testing.assert_array_equal(line(axes, place)[1], expected)
    assert bottom.get_ylim()[1] == 0.0


def test_underwater_and_its_deepest_spells():
    spells = tables.drawdown_table(RECORD)
    axes = figures.underwater(tables.underwater(RECORD), spells=spells).axes[0]
    np.testing.assert_array_equal(line(axes)[1], tables.underwater(RECORD))
    written = texts(axes)
    deepest = [percent(depth) for depth in spells["depth"].head(5)]
    assert written[0] == deepest[0]
    assert set(written) <= set(deepest)
    shaded = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert len(shaded) == 5
    starts = [patch.get_x() for patch in shaded]
    expected = spells["peak"].head(5).fillna(RECORD.index[0])
    np.testing.assert_allclose(sorted(starts), sorted(date2num(expected.to_numpy())))


@THEMES
def test_exposure(theme):
    _, values = line(figures.exposure(EQUITY, theme=theme).axes[0])
    share = EQUITY["positions"] / EQUITY["equity"]
    np.testing.assert_allclose(values, share, rtol=1e-15)


def test_exposure_has_a_gap_where_nothing_is_left():
    lost = EQUITY.assign(equity=EQUITY["equity"].where(EQUITY.index != 5, -1.0))
    values = line(figures.exposure(lost).axes[0])[1]
    assert np.flatnonzero(np.isnan(values)).tolist() == [5]


@THEMES
def test_profit_by_symbol(theme):
    pnl = pd.Series({"AAPL": 1200.0, "IBM": -300.5, "MSFT": 40.0})
    axes = figures.pnl_by_symbol(pnl, theme=theme).axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    widths = [bar.get_width() for bar in axes.patches]
    assert dict(zip(names, widths, strict=True)) == pnl.to_dict()
    paint = theme_of(theme)
    for bar in axes.patches:
        expected = paint.loss if bar.get_width() < 0 else paint.gain
        assert to_hex(bar.get_facecolor()) == expected


def test_few_symbols_have_bars_no_thicker_than_three():
    def thickness(count: int) -> float:
        pnl = pd.Series({f"S{k}": 1.0 for k in range(count)})
        axes = figures.pnl_by_symbol(pnl).axes[0]
        low, high = axes.get_ylim()
        return axes.patches[0].get_height() / (high - low)

    assert thickness(1) <= 0.62 / 3
    assert thickness(2) == pytest.approx(thickness(1))


def test_many_symbols_add_up():
    pnl = pd.Series({f"S{k:02}": (-1.5) ** (k % 7) * k for k in range(50)})
    axes = figures.pnl_by_symbol(pnl, top=10).axes[0]
    widths = [bar.get_width() for bar in axes.patches]
    assert len(widths) == 10
    assert sum(widths) == pytest.approx(pnl.sum())
    assert "41 others" in [label.get_text() for label in axes.get_yticklabels()]


@THEMES
def test_months(theme):
    months, years = tables.monthly_returns(RECORD), tables.yearly_returns(RECORD)
    axes = figures.monthly_heatmap(months, years=years, theme=theme).axes[0]
    written = {
        (round(text.get_position()[1]), text.get_position()[0]): text.get_text()
        for text in axes.texts
    }
    for row, year in enumerate(months.index):
        for column in range(12):
            value = months.loc[year, column + 1]
            assert written.pop((row, column), "") == ("" if np.isnan(value) else percent(value))
        assert written.pop((row, 12.65)) == percent(years[year])
    assert not written
    paint = theme_of(theme)
    cells = {(round(p.get_x() + 0.48), round(p.get_y() + 0.46)): p for p in axes.patches}
    best = np.unravel_index(np.nanargmax(months.to_numpy()), months.shape)
    worst = np.unravel_index(np.nanargmin(months.to_numpy()), months.shape)
    assert to_hex(cells[best[::-1]].get_facecolor()) == paint.gain
    assert to_hex(cells[worst[::-1]].get_facecolor()) == paint.loss


def test_rolling_sharpe_and_its_median():
    sharpe = rolling.rolling_sharpe(RECORD, window=126)
    axes = figures.rolling_sharpe(sharpe, window=126).axes[0]
    days, values = line(axes, 2)
    np.testing.assert_array_equal(values, sharpe)
    np.testing.assert_array_equal(days, date2num(sharpe.index.to_numpy()))
    assert line(axes, 1)[1].tolist() == [sharpe.median()] * 2


def test_distribution_counts_every_session_once():
    risk = distribution.value_at_risk(RECORD)
    axes = figures.return_distribution(RECORD, value_at_risk=risk).axes[0]
    known = RECORD[RECORD != 0.0].to_numpy()
    middles = [bar.get_x() + bar.get_width() / 2 for bar in axes.patches]
    wide = middles[1] - middles[0]
    for place, (bar, middle) in enumerate(zip(axes.patches, middles, strict=True)):
        low = -np.inf if place == 0 else middle - wide / 2
        high = np.inf if place == len(middles) - 1 else middle + wide / 2
        inside = sum(low <= one < high for one in known)
        assert bar.get_height() == inside
    assert sum(bar.get_height() for bar in axes.patches) == len(known)
    assert list(axes.get_lines()[1].get_xdata()) == [risk, risk]


@THEMES
def test_orders_lie_at_their_time_and_price(theme):
    traded = fills()
    axes = figures.order_marks(bars(), traded, theme=theme).axes[0]
    np.testing.assert_array_equal(line(axes)[1], bars()["close"])
    marks = [c for c in axes.collections if isinstance(c, PathCollection)]
    own = traded[traded["symbol"] == "AAPL"]
    for mark, side in zip(marks, ["BUY", "SELL"], strict=True):
        mine = own[own["side"] == side]
        at = mine["filled_at"].dt.tz_convert("UTC").dt.tz_localize(None)  # the bars' zone
        expected = np.column_stack([date2num(at.to_numpy()), mine["price"]])
        np.testing.assert_allclose(mark.get_offsets(), expected)
        paint = theme_of(theme)
        assert to_hex(mark.get_facecolor()[0]) == (paint.gain if side == "BUY" else paint.loss)


@THEMES
def test_candles_and_volume(theme):
    shown = bars().iloc[:40].copy()
    random = np.random.default_rng(2)
    shown["open"] = shown["close"] * (1 + random.normal(0, 0.01, 40))
    shown["high"] = shown[["open", "close"]].max(axis=1) * 1.01
    shown["low"] = shown[["open", "close"]].min(axis=1) * 0.99
    shown["volume"] = random.integers(1, 1000, 40).astype(float)
    upper, lower = figures.candlesticks(shown, theme=theme).axes
    bodies = next(c for c in upper.collections if isinstance(c, PolyCollection))
    for path, row in zip(bodies.get_paths(), shown.itertuples(), strict=True):
        tops = sorted({round(y, 9) for y in path.vertices[:, 1]})
        assert tops == pytest.approx(sorted([row.open, row.close]))
    paint = theme_of(theme)
    edges = [to_hex(colour) for colour in bodies.get_edgecolor()]
    rose = (shown["close"] >= shown["open"]).tolist()
    assert edges == [paint.gain if up else paint.loss for up in rose]
    wicks = next(c for c in upper.collections if isinstance(c, LineCollection)).get_segments()
    lows = [segment[:, 1].min() for segment in wicks[:40]]
    highs = [segment[:, 1].max() for segment in wicks[40:]]
    np.testing.assert_allclose(lows, shown["low"])
    np.testing.assert_allclose(highs, shown["high"])
    columns = next(c for c in lower.collections if isinstance(c, PolyCollection))
    heights = [path.vertices[:, 1].max() for path in columns.get_paths()]
    np.testing.assert_allclose(heights, shown["volume"])


@THEMES
@pytest.mark.parametrize("shape", [(3, 4), (20, 30)])
def test_surface_of_a_sweep(theme, shape):
    table = pd.DataFrame(
        np.random.default_rng(4).normal(size=shape),
        index=pd.Index(range(shape[0]), name="slow"),
        columns=pd.Index(range(shape[1]), name="fast"),
    )
    table.iloc[0, 0] = np.nan
    figure = figures.grid_heatmap(table, value="sharpe_ratio", theme=theme)
    axes = figure.axes[0]
    drawn = axes.images[0].get_array()
    np.testing.assert_array_equal(np.ma.filled(drawn, np.nan), table)
    frame = axes.patches[0]
    best = divmod(int(np.nanargmax(table.to_numpy())), shape[1])
    assert (frame.get_y() + 0.5, frame.get_x() + 0.5) == best
    is_written = max(shape) <= 14
    assert len(axes.texts) == (shape[0] * shape[1] - 1 if is_written else 0)
    assert len(figure.axes) == (1 if is_written else 2)  # else a scale of the colours


@THEMES
def test_a_year_of_sessions_has_a_cell_for_each_day(theme):
    days = pd.bdate_range("2024-01-01", "2024-12-31")
    closed = pd.DatetimeIndex(["2024-01-01", "2024-07-04"])
    open_days = days.difference(closed)
    sessions = pd.DataFrame(
        {
            "regular_open": open_days + pd.Timedelta(hours=9.5),
            "regular_close": open_days + pd.Timedelta(hours=16),
            "pre_market_open": pd.NaT, "post_market_close": pd.NaT, "break_start": pd.NaT,
            "break_end": pd.NaT, "is_early_close": open_days == "2024-07-03", "is_late_open": False,
        },
        index=open_days,
    )  # fmt: skip
    for name in ("pre_market_open", "post_market_close", "break_start", "break_end"):
        sessions[name] = pd.to_datetime(sessions[name])
    holidays = frames.HOLIDAYS.conform(
        pd.DataFrame(
            {
                "date": [*closed, pd.Timestamp("2024-07-03")], "exchange": "NYSE",
                "holiday_name": ["New Year", "Independence", "Eve"],
                "is_closed": [True, True, False], "early_close_time": [None, None, "13:00:00"],
                "late_open_time": None,
            }
        ).sort_values("date", ignore_index=True)
    )  # fmt: skip
    figure = figures.year_of_sessions(
        sessions, holidays, title="NYSE 2024", timezone="UTC", theme=theme
    )
    months = figure.axes[1:]
    assert len(months) == 12
    paint = theme_of(theme)
    faces = [to_hex(p.get_facecolor()) for a in months for p in a.patches
             if isinstance(p, FancyBboxPatch) and p.get_facecolor()[3] > 0]  # fmt: skip
    assert faces.count(paint.loss) == 2
    assert faces.count(paint.grid) == len(open_days) - 1
    assert faces.count(paint.paper) == 1
    for number, axes in enumerate(months, 1):
        written = [text for text in texts(axes) if text.isdigit()]
        assert len([t for t in written if int(t) <= 31]) >= weeks.monthrange(2024, number)[1]


def test_long_records_lose_no_extreme():
    long = made_up.equity(made_up.returns(6000))
    _, values = line(figures.equity_with_drawdown(long).axes[0])
    assert len(values) < 6000
    assert values.max() == long["equity"].max()
    assert values[-1] == long["equity"].iloc[-1]


def test_no_colour_stands_for_two_things():
    for theme in (LIGHT, DARK):
        assert len(set(vars(theme).values())) == len(vars(theme))
