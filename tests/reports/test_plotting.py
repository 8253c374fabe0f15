"""One call for each figure of a result, an account or returns."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

import mismartera_analytics as ma
from mismartera_analytics import frames
from mismartera_analytics.backtesting.samples import MovingAverageCross
from mismartera_analytics.errors import InvalidInputError, UnknownNameError
from mismartera_analytics.figures.style import theme_of
from mismartera_analytics.performance import tables
from tests.reports import made_up

KINDS = ["equity", "underwater", "months", "rolling_sharpe", "distribution", "exposure",
         "pnl_by_symbol", "orders"]  # fmt: skip

TRADED = replace(
    made_up.content(), fills=frames.FILLS.empty().reindex([0, 1]).assign(symbol=["MSFT", "AAPL"])
)


def words(figure) -> str:
    figure.canvas.draw()
    texts = figure.findobj(match=lambda artist: hasattr(artist, "get_text"))
    return " ".join(text.get_text() for text in texts)


def values(figure, axes: int = 0) -> np.ndarray:
    return np.asarray(figure.axes[axes].get_lines()[0].get_ydata(), dtype=float)


def test_results_and_accounts(demo_on_both):
    symbol = ma.fills(account=1)["symbol"].iloc[0]
    for theme in ("light", "dark"):
        for kind in KINDS:
            figure = ma.plot(1, kind, symbol=symbol, theme=theme)
            assert to_hex(figure.get_facecolor()) == theme_of(theme).paper
    marks = words(ma.plot(1, "orders", symbol=symbol))
    assert f"{symbol} close" in marks
    assert "bought" in marks
    with pytest.raises(UnknownNameError):
        ma.plot(99)
    run = ma.backtest(MovingAverageCross, "AAPL", "2003-01-02", "2004-12-31")
    before = len(ma.trials())
    np.testing.assert_array_equal(values(ma.plot(run)), run.equity["equity"])
    depth = tables.underwater(run.returns)
    np.testing.assert_array_equal(values(ma.plot(run, "underwater")), depth)
    assert "AAPL" in words(ma.plot(run, "pnl_by_symbol"))
    assert f"bought ({(run.fills['side'] == 'BUY').sum()})" in words(ma.plot(run, "orders"))
    assert len(ma.trials()) == before


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_returns_alone(kind):
    figure = ma.plot(made_up.returns(), kind)
    assert len(words(figure).split()) >= 3
    assert len(words(ma.plot(made_up.returns(0), kind)).split()) >= 3


@pytest.mark.parametrize(
    ("source", "options", "said"),
    [
        (made_up.returns(), {"kind": "drawdown"}, "kind='drawdown' is unknown"),
        (made_up.returns(), {"kind": "month"}, "did you mean 'months'"),
        (made_up.returns(), {"kind": "orders"}, "nothing was traded"),
        (made_up.returns(), {"theme": "drak"}, "did you mean 'dark'"),
        (TRADED, {"kind": "orders"}, "symbol= must name one of AAPL, MSFT"),
        (None, {}, "source is a NoneType"),
        (pd.Series([100.0, 101.0], index=made_up.sessions(2)), {"kind": "months"}, "prices"),
    ],
)
def test_refusals(source, options, said):
    with pytest.raises(InvalidInputError, match=said):
        ma.plot(source, **options)
