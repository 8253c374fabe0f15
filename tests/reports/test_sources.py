"""From a backtest's result to a tear sheet: what the page says of the run is what the run was."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mismartera_analytics import frames, tear_sheet
from mismartera_analytics.errors import InvalidInputError
from mismartera_analytics.performance import tables
from mismartera_analytics.reports.content import Ambiguity, TearSheetContent
from mismartera_analytics.reports.headline import headline_of
from mismartera_analytics.reports.sources import content_of
from mismartera_analytics.reports.tearsheet import render

ZONE = "America/New_York"


@dataclass(frozen=True)
class Run:
    """What a tear sheet reads of a result: one purchase of 100, 60 of them sold, fees of 1 each."""

    equity: pd.DataFrame
    returns: pd.Series
    orders: pd.DataFrame
    fills: pd.DataFrame
    trades: pd.DataFrame
    positions: pd.DataFrame
    config: dict[str, Any] = field(default_factory=dict)
    peeking: bool = False
    dividends_received: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame({"symbol": [], "amount": []})
    )
    data_version: dict[str, Any] = field(
        default_factory=lambda: {"store": "/home/ann/bars", "version": 3}
    )
    financing: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({"amount": []}))
    code_version: str = "0.1.0+abc"
    ambiguous_fills: int = 0

    def ambiguity(self) -> Ambiguity:
        return Ambiguity(2, self.ambiguous_fills)

    def credibility(self) -> pd.DataFrame:
        rows = [("trials", 36.0, "trials", "counted", "36 trials of family <b>X</b>"),
                ("deflated_sharpe_ratio", 0.41, "fraction", "best of 36 trials", "")]  # fmt: skip
        table = pd.DataFrame(rows, columns=frames.METRICS.names)
        return frames.METRICS.conform(table).set_index("metric")

    def stress(self) -> pd.DataFrame:
        row = ("as it was", 0.1, 0.2, 1.5, -0.05, 2, "<i>how</i>")
        return frames.STRESS.conform(pd.DataFrame([row], columns=frames.STRESS.names))


@pytest.fixture
def run() -> Run:
    days = pd.bdate_range("2025-06-30", periods=4).as_unit("us")
    closes = np.array([50.0, 52.0, 51.0, 55.0])
    units = np.array([100.0, 100.0, 40.0, 40.0])
    cash = np.array([4999.0, 4999.0, 4999.0 + 60 * 51.5 - 1, 4999.0 + 60 * 51.5 - 1])
    value = cash + units * closes
    returns = pd.Series(value / np.r_[10_000.0, value[:-1]] - 1, index=days.rename("session"))
    equity = pd.DataFrame(
        {
            "timestamp": (days + pd.Timedelta(hours=16)).tz_localize(ZONE),
            "session": days,
            "cash": cash,
            "positions": units * closes,
            "equity": value,
            "drawdown": tables.underwater(returns).to_numpy(),
        }
    )
    at = [pd.Timestamp("2025-06-30 09:30", tz=ZONE), pd.Timestamp("2025-07-02 09:30", tz=ZONE)]
    fills = frames.FILLS.empty().reindex(range(2))
    fills = fills.assign(
        order_id=[1, 2], symbol="AAPL", side=["BUY", "SELL"], quantity=[100.0, 60.0],
        price=[50.0, 51.5], commission=1.0, filled_at=at,
    )  # fmt: skip
    held = frames.POSITIONS.empty().reindex(range(1)).assign(symbol="AAPL", market_value=2200.0)
    config = {
        "strategy": "Crossover",
        "parameters": {"fast": 5},
        "symbols": ["AAPL"],
        "cash": 10_000.0,
        "fill": "next_open",
        "commission": {"policy": "PerOrder", "amount": 1.0},
        "calendar": "NYSE",
    }
    return Run(
        frames.EQUITY.conform(equity), returns, frames.ORDERS.empty(), frames.FILLS.conform(fills),
        frames.TRADES.empty(), frames.POSITIONS.conform(held), config,
    )  # fmt: skip


def test_the_identity_comes_from_the_fills(run):
    identity = content_of(run).identity
    assert identity.holds
    assert identity.pnl == pytest.approx(-5001 + 60 * 51.5 - 1 + 2200)
    cheaper = run.fills.assign(price=[49.0, 51.5])
    broken = content_of(replace(run, fills=cheaper)).identity
    assert not broken.holds
    assert broken.residual == pytest.approx(100.0)


def test_dividends_are_part_of_it(run):
    paid = pd.DataFrame({"symbol": ["AAPL"], "amount": [25.0]})
    richer = run.equity.assign(equity=run.equity["equity"] + [0, 0, 25, 25])
    content = content_of(replace(run, equity=richer, dividends_received=paid))
    assert content.identity.holds
    assert content.pnl_by_symbol.sum() == pytest.approx(content.identity.pnl)


def test_symbols_add_up_to_the_whole(run):
    content = content_of(run)
    assert content.pnl_by_symbol.sum() == pytest.approx(content.identity.pnl)


def test_the_configuration_is_told(run, tmp_path):
    text = tear_sheet(run, tmp_path / "x.html").read_text("utf-8")
    for told in (
        "<h1>Crossover</h1>", "fast 5", "market orders at the next bar&#39;s open",
        "PerOrder: amount 1.0", "The account adds up.", "version 3", "0.1.0+abc",
    ):  # fmt: skip
        assert told in text
    assert "/home/ann" not in text
    assert "looks ahead" not in text


def test_looking_ahead_is_a_warning(run, tmp_path):
    ahead = replace(run, peeking=True, config=run.config | {"fill": "same_close"})
    text = tear_sheet(ahead, tmp_path / "x.html").read_text("utf-8")
    assert '<p class="notice warning" role="alert">Orders were filled at the close' in text


def test_without_a_known_calendar_times_are_in_utc(run):
    assert str(content_of(run).fills["filled_at"].dtype.tz) == "UTC"


def test_times_are_the_exchanges(run, ready_database):
    filled = content_of(run).fills["filled_at"]
    assert filled.dt.strftime("%H:%M").tolist() == ["09:30", "09:30"]


def test_minutes_are_drawn_by_time_and_returns_by_session(run, tmp_path):
    starts = pd.date_range("2025-07-01 13:30", periods=390, freq="min", tz="UTC")
    more = pd.date_range("2025-07-02 13:30", periods=390, freq="min", tz="UTC")
    at = starts.append(more) + pd.Timedelta(minutes=1)
    value = 10_000 + np.arange(780.0)
    equity = pd.DataFrame(
        {
            "timestamp": at, "session": at.tz_localize(None).normalize(), "cash": value,
            "positions": 0.0, "equity": value, "drawdown": 0.0,
        }
    )  # fmt: skip
    intraday = replace(
        run, equity=frames.EQUITY.conform(equity), fills=frames.FILLS.empty(),
        positions=frames.POSITIONS.empty(), returns=run.returns.iloc[1:3],
        config=run.config | {"interval": "1m"},
    )  # fmt: skip
    text = tear_sheet(intraday, tmp_path / "x.html").read_text("utf-8")
    assert "2 sessions" in text
    assert "2 sessions over 1 days are too few" in text
    headline = headline_of(content_of(intraday, stress=False))
    assert headline.day_pnl == 390.0  # of the session, not of its last minute


def test_a_row_that_left_its_session_is_no_result(run):
    class Left:
        """Like a mapped row whose session is closed: to read a relation of it raises."""

        @property
        def orders(self):
            raise RuntimeError("read after its session was closed")

    with pytest.raises(InvalidInputError, match="is a Left; pass a backtest's result"):
        content_of(Left())


def test_the_tries_and_the_stress_are_on_the_page(run, tmp_path):
    page = tear_sheet(run, tmp_path / "x.html").read_text("utf-8")
    for told in ("How far to believe it", "36 trials of family", "41.00%", "As it was"):
        assert told in page
    assert "<b>X" not in page
    assert "<i>how" not in page
    calm = tear_sheet(run, tmp_path / "x.html", stress=False).read_text("utf-8")
    assert "As it was" not in calm
    assert "36 trials of family" in calm


def test_a_run_that_cannot_be_stressed_is_reported_all_the_same(run, tmp_path):
    class Remembers(Run):
        def stress(self):
            raise InvalidInputError("it keeps <something>.")

    page = tear_sheet(Remembers(**vars(run)), tmp_path / "x.html").read_text("utf-8")
    assert "Not put under stress: it keeps &lt;something&gt;." in page


def test_an_account_has_no_tries():
    text = render(TearSheetContent("Account"))
    assert "How far to believe it" not in text
    assert "Trials" not in text


def test_a_spark_line_ends_where_everything_was_lost():
    days = pd.bdate_range("2025-07-01", periods=4)
    content = content_of(pd.Series([0.1, -1.5, 1.0, 1.0], index=days))
    assert headline_of(content).spark == pytest.approx((1.0, 1.1, -0.55, -0.55, -0.55))
