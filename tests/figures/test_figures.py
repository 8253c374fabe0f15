"""Every figure in both themes: returned, never shown, with what it must say on it."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from mismartera_analytics import frames
from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.figures import accounts, canvas, overfitting, prices, returns, style
from mismartera_analytics.performance import tables
from tests.reports import made_up

RECORD = made_up.returns()
EQUITY = made_up.equity(RECORD)
LOGITS = np.random.default_rng(1).normal(size=70)


def bars() -> pd.DataFrame:
    days = made_up.sessions()
    close = 100 * tables.growth(RECORD).to_numpy()
    return frames.BARS.conform(
        pd.DataFrame(
            {
                "symbol": "AAPL",
                "timestamp": (days + pd.Timedelta(hours=9.5)).tz_localize("America/New_York"),
                "session": days,
                **dict.fromkeys(("open", "high", "low", "close"), close),
                "volume": 1e6,
            }
        )
    )


def fills() -> pd.DataFrame:
    at = bars()["timestamp"].iloc[[50, 200, 400]]
    return frames.FILLS.conform(
        pd.DataFrame(
            {
                "fill_id": [1, 2, 3],
                "order_id": [1, 2, 3],
                "account_id": 1,
                "user": "ann",
                "symbol": ["AAPL", "AAPL", "MSFT"],
                "side": ["BUY", "SELL", "BUY"],
                "quantity": 10.0,
                "price": 100.0,
                "commission": 1.0,
                "filled_at": at.to_numpy(),
                "broker_fill_id": None,
            }
        ).assign(filled_at=at.reset_index(drop=True))
    )


FULL = {
    "equity": lambda theme: accounts.equity_with_drawdown(
        EQUITY, benchmark=1e5 * tables.growth(RECORD * 0.5).rename("SPY"), theme=theme
    ),
    "log": lambda theme: accounts.equity_with_drawdown(EQUITY, scale="log", theme=theme),
    "underwater": lambda theme: accounts.underwater(
        tables.underwater(RECORD), spells=tables.drawdown_table(RECORD), theme=theme
    ),
    "exposure": lambda theme: accounts.exposure(EQUITY, theme=theme),
    "symbols": lambda theme: accounts.pnl_by_symbol(
        pd.Series({"AAPL": 1200.0, "IBM": -300.5}), theme=theme
    ),
    "months": lambda theme: returns.monthly_heatmap(
        tables.monthly_returns(RECORD), years=tables.yearly_returns(RECORD), theme=theme
    ),
    "rolling": lambda theme: returns.rolling_sharpe(
        tables.rolling_sharpe(RECORD), window=126, theme=theme
    ),
    "distribution": lambda theme: returns.return_distribution(
        RECORD, value_at_risk=-0.017, theme=theme
    ),
    "orders": lambda theme: prices.order_marks(bars(), fills(), theme=theme),
    "logits": lambda theme: overfitting.logits(LOGITS, probability=0.4, trials=12, theme=theme),
    "trials": lambda theme: overfitting.trial_sharpes(
        LOGITS, picked=float(LOGITS.max()), luck=1.5, theme=theme
    ),
}
EMPTY = {
    "equity": lambda: accounts.equity_with_drawdown(frames.EQUITY.empty()),
    "underwater": lambda: accounts.underwater(tables.underwater(RECORD.iloc[:0])),
    "exposure": lambda: accounts.exposure(frames.EQUITY.empty()),
    "symbols": lambda: accounts.pnl_by_symbol(pd.Series(dtype="float64")),
    "months": lambda: returns.monthly_heatmap(tables.monthly_returns(RECORD.iloc[:0])),
    "rolling": lambda: returns.rolling_sharpe(RECORD.iloc[:0], window=126),
    "distribution": lambda: returns.return_distribution(RECORD.iloc[:0]),
    "flat": lambda: returns.return_distribution(RECORD * 0),
    "orders": lambda: prices.order_marks(frames.BARS.empty(), frames.FILLS.empty()),
}


def words(figure: Figure) -> str:
    figure.canvas.draw()
    return " ".join(
        text.get_text() for text in figure.findobj(match=lambda a: hasattr(a, "get_text"))
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", FULL)
def test_draws_in_its_theme(name, theme, tmp_path):
    figure = FULL[name](theme)
    assert isinstance(figure, Figure)
    figure.savefig(tmp_path / "figure.png", dpi=50)
    from matplotlib.image import imread

    corner = imread(tmp_path / "figure.png")[0, 0, :3]
    paper = style.theme_of(theme).paper
    wanted = [int(paper[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    np.testing.assert_allclose(corner, wanted, atol=0.01)


@pytest.mark.parametrize("name", EMPTY)
def test_without_data_a_figure_says_so(name):
    assert len(words(EMPTY[name]()).split()) >= 3


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("equity", ["value [USD]", "100,000", "drawdown", "%", "account", "SPY"]),
        ("underwater", ["below the high", "\N{MINUS SIGN}"]),
        ("symbols", ["AAPL", "+1,200", "\N{MINUS SIGN}300", "[USD]"]),
        ("months", ["Jan", "Dec", "2021", "Year"]),
        ("rolling", ["126 sessions", "median"]),
        ("distribution", ["sessions", "flat ones left out", "VaR"]),
        ("orders", ["price [USD]", "bought (1)", "sold (1)", "AAPL"]),
    ],
)
def test_axes_say_what_and_in_which_unit(name, expected):
    said = words(FULL[name]("light"))
    for word in expected:
        assert word in said


def overlaps(figure: Figure) -> list[tuple[str, str]]:
    """Return pairs of texts whose boxes lie over one another."""
    figure.canvas.draw()
    from matplotlib.text import Text

    boxes = [
        (text.get_text(), text.get_window_extent())
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip()
    ]
    inside = [box for box in boxes if 0 <= box[1].x0 <= figure.bbox.width]
    return [
        (one, other)
        for place, (one, box) in enumerate(inside)
        for other, second in inside[place + 1 :]
        if box.padded(-1).overlaps(second.padded(-1))
    ]


@pytest.mark.parametrize("width", [4.7, 9.8])
@pytest.mark.parametrize("name", ["equity", "exposure", "symbols", "rolling", "distribution"])
def test_no_text_lies_over_another(name, width):
    size = (width, 2.9)
    made = {
        "equity": lambda: accounts.equity_with_drawdown(EQUITY, size=(width, 4.4)),
        "exposure": lambda: accounts.exposure(EQUITY, size=size),
        "symbols": lambda: accounts.pnl_by_symbol(
            pd.Series({"AAPL": 123456.0, "IBM": -65432.0, "MSFT": -1.0}), size=size
        ),
        "rolling": lambda: returns.rolling_sharpe(
            tables.rolling_sharpe(RECORD), window=126, size=size
        ),
        "distribution": lambda: returns.return_distribution(RECORD, value_at_risk=-0.01, size=size),
    }
    assert overlaps(made[name]()) == []


def test_no_pyplot_and_no_backend_is_touched():
    code = (
        "import sys, pandas as pd\n"
        "from mismartera_analytics.figures import accounts, returns, prices, svg\n"
        "assert 'matplotlib' not in sys.modules\n"
        "figure = accounts.pnl_by_symbol(pd.Series({'AAPL': 1.0}))\n"
        "svg.inline_svg(figure, name='x', description='x')\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_fills_outside_of_the_bars_are_left_out():
    said = words(prices.order_marks(bars().iloc[100:300], fills()))
    assert "sold (1)" in said
    assert "bought" not in said


def test_a_notebook_shows_a_figure_as_png():
    png, size = FULL["equity"]("light")._repr_png_()
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert size == {"width": 810, "height": 432}


def test_settings_of_the_caller_stay():
    import matplotlib as mpl

    before = mpl.rcParams["axes.facecolor"], mpl.rcParams["font.size"]
    FULL["equity"]("dark")
    assert (mpl.rcParams["axes.facecolor"], mpl.rcParams["font.size"]) == before


@pytest.mark.parametrize("count", [0, 1, 100, 5_000, 100_003])
def test_thinning_keeps_ends_and_extremes(count):
    random = np.random.default_rng(1)
    values = np.cumsum(random.normal(size=count))
    values[count // 3 : count // 2] = np.nan
    times, kept = canvas.thinned(np.arange(count), values, width=9.0)
    assert len(kept) <= max(4 * 9 * canvas.BUCKETS_AN_INCH, 0) or count <= 2000
    np.testing.assert_array_equal(kept, values[times])
    assert (np.diff(times) > 0).all()
    if count:
        assert times[0] == 0
        assert times[-1] == count - 1
        assert np.nanmax(kept, initial=-9) == np.nanmax(values, initial=-9)
        assert np.nanmin(kept, initial=9) == np.nanmin(values, initial=9)


@pytest.mark.parametrize("theme", [style.LIGHT, style.DARK])
def test_texts_have_contrast(theme):
    """WCAG's 4.5 for text and 3 for lines, against the paper."""

    def luminance(colour: str) -> float:
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    def contrast(colour: str) -> float:
        pair = sorted([luminance(colour), luminance(theme.paper)])
        return (pair[1] + 0.05) / (pair[0] + 0.05)

    for role in ("ink", "muted"):
        assert contrast(getattr(theme, role)) >= 4.5, role
    for role in ("line", "second", "gain", "loss"):
        assert contrast(getattr(theme, role)) >= 3.0, role


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: accounts.exposure(EQUITY, theme="drak"), "did you mean 'dark'"),
        (lambda: accounts.exposure(EQUITY[["session"]]), "equity lacks the columns"),
        (
            lambda: accounts.equity_with_drawdown(EQUITY.assign(equity=-1.0), scale="log"),
            "above zero",
        ),
        (lambda: accounts.pnl_by_symbol(pd.Series({"A": np.nan})), "no amount for"),
        (lambda: returns.monthly_heatmap(pd.DataFrame({"Jan": [1]})), "months 1 to 12"),
        (
            lambda: prices.order_marks(bars().assign(symbol=["A", "B"] * 350), fills()),
            "symbols",
        ),
    ],
)
def test_refuses_what_it_cannot_draw(call, words):
    with pytest.raises(InvalidInputError, match=words):
        call()
