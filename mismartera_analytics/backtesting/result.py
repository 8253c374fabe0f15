"""What a run gave: frames with the columns of the query helpers, trades, metrics."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mismartera_analytics.backtesting.fingerprints import frame_digest
from mismartera_analytics.backtesting.market import Market
from mismartera_analytics.backtesting.result_frames import (
    CURRENCY,
    equity_of,
    fills_of,
    instants,
    orders_of,
    positions_of,
    returns_of,
)
from mismartera_analytics.backtesting.tickets import REASONS
from mismartera_analytics.kernels import layouts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mismartera_analytics.backtesting.ambiguity import Ambiguity
    from mismartera_analytics.backtesting.forms import Instructions
    from mismartera_analytics.backtesting.settings import Settings
    from mismartera_analytics.backtesting.simulation import Simulation
    from mismartera_analytics.figures.style import ThemeName

__all__ = ["BacktestResult"]


@dataclass(frozen=True)
class BacktestResult:
    """A finished run. Its frames are made when they are first asked for.

    Attributes
    ----------
    config
        What went in, as JSON values.
    """

    config: dict[str, Any]
    _market: Market = field(repr=False)
    _simulation: Simulation = field(repr=False)
    _instructions: Instructions = field(repr=False)
    _settings: Settings = field(repr=False)

    def __repr__(self) -> str:
        times = self._market.clock
        told = ", peeking" if self.peeking else ""
        if self.ruined_at is not None:
            told += f", nothing left on {self.ruined_at:%Y-%m-%d}"
        return (
            f"BacktestResult({self.config['strategy']}, {times.label[0]} to {times.label[-1]}, "
            f"{len(self._numbers.nonzero()[0])} orders, {len(self._simulation.filled)} fills, "
            f"equity {self._simulation.ledger[:, -1].sum():,.2f}{told})"
        )

    def __str__(self) -> str:
        from mismartera_analytics.backtesting.page import text

        return text(self)

    def _repr_html_(self) -> str:
        from mismartera_analytics.backtesting.page import html

        return html(self)

    @property
    def instructions(self) -> Instructions:
        """What was traded, as it was before the run."""
        return self._instructions

    @property
    def settings(self) -> Settings:
        """The rules of the run."""
        return self._settings

    @property
    def ruined_at(self) -> pd.Timestamp | None:
        """When the account's value first came to nothing or less; None where it never did.

        What is still held is kept: what follows is bookkeeping, and returns from then on mean nothing.
        """
        values = self._simulation.ledger.sum(axis=0)
        rows = np.flatnonzero(values <= 0.0)
        return instants(self._market.clock.end[rows[:1]])[0] if len(rows) else None

    @property
    def stale(self) -> tuple[str, ...]:
        """Symbols held at the end that had no bar in their last session, valued at their last close."""
        held = np.flatnonzero(self._simulation.holdings[0])
        return tuple(self._market.symbols[n] for n in held if self._market.is_stale(int(n)))

    @property
    def corporate_actions(self) -> pd.DataFrame:
        """Splits, dividends and the like as the run knew them, as `frames.CORPORATE_ACTIONS`."""
        return self._market.action_frame

    @property
    def market(self) -> Market:
        """The bars, the clock and the corporate actions that it ran on."""
        return self._market

    @property
    def family(self) -> str | None:
        """The strategy family in which the run counts as a trial; None for frames without one."""
        from mismartera_analytics.backtesting.counting import family_of

        return family_of(self._instructions, self.config.get("family"))

    @property
    def ambiguous_fills(self) -> int:
        """How many fills hung on the path that prices took inside their bar."""
        return int(np.count_nonzero(self._simulation.filled["ambiguous"]))

    @property
    def peeking(self) -> bool:
        """Whether orders could fill at the price they were decided on (``fill="same_close"``)."""
        return bool(self.config["fill"] == "same_close")

    @functools.cached_property
    def equity(self) -> pd.DataFrame:
        """The account at each bar's end, as `frames.EQUITY`."""
        return equity_of(self._market, self._simulation, self.config["cash"])

    @functools.cached_property
    def returns(self) -> pd.Series[float]:
        """Return of each session [1], labelled by session; of bars longer than one, of each bar."""
        labels, ledger = self._market.clock.label, self._simulation.ledger
        return returns_of(labels, ledger[0] + ledger[1], self.config["cash"])

    @functools.cached_property
    def orders(self) -> pd.DataFrame:
        """Every order and its fate, as `frames.ORDERS`; ids count from 1 within the run.

        A target that was met already placed no order. A sale or purchase that a target came to has
        its shares as quantity; one that never came to a fill has none.
        """
        return orders_of(self._market, self._simulation, self._numbers)

    @functools.cached_property
    def reasons(self) -> pd.Series[Any]:
        """Why orders were rejected, cancelled or replaced: text, indexed by order id."""
        kept = self._simulation.placed[self._numbers > 0]
        words = [REASONS.get(reason) for reason in kept["reason"].tolist()]
        index = pd.Index(self._numbers[self._numbers > 0], name="order_id")
        return pd.Series(words, index=index, dtype="str", name="reason").dropna()

    @functools.cached_property
    def parents(self) -> pd.Series[Any]:
        """The entry that each stop and target of a bracket belongs to: ids, indexed by order id."""
        orders = self._simulation.placed
        is_child = (self._numbers > 0) & (orders["parent"] >= 0)
        index = pd.Index(self._numbers[is_child], name="order_id")
        return pd.Series(self._numbers[orders["parent"][is_child]], index=index, name="parent")

    @functools.cached_property
    def fills(self) -> pd.DataFrame:
        """Executions, as `frames.FILLS`; ids count from 1 in the sequence of events.

        A fill at the open has its bar's start as its time; one inside the bar or at its close lies
        just before the bar's end.
        """
        return fills_of(self._market, self._simulation, self._numbers)

    @functools.cached_property
    def positions(self) -> pd.DataFrame:
        """What is held at the end, as `frames.POSITIONS`."""
        return positions_of(self._market, self._simulation, self._lots[1])

    @property
    def trades(self) -> pd.DataFrame:
        """Closed round trips, first in, first out, as `frames.TRADES`."""
        return self._lots[0]

    @property
    def dividends(self) -> float:
        """Cash dividends received in all [currency]."""
        return float(self.dividends_received["amount"].sum())

    @functools.cached_property
    def dividends_received(self) -> pd.DataFrame:
        """Cash dividends received: ``symbol, occurred_at, amount`` [currency]."""
        actions = self._simulation.actions
        paid = actions[(actions["paid"] != 0.0) & (actions["kind"] == layouts.ON_SHARES)]
        return pd.DataFrame(
            {
                "symbol": self._market.names_at(paid["symbol"], paid["at"]),
                "occurred_at": instants(paid["at"]),
                "amount": paid["paid"],
            }
        )

    @functools.cached_property
    def financing(self) -> pd.DataFrame:
        """Interest and fees for borrowed shares: ``flow_type, occurred_at, amount`` [currency].

        ``INTEREST`` is positive where the balance earned it; a ``FEE`` is negative.
        """
        actions = self._simulation.actions
        paid = actions[(actions["paid"] != 0.0) & (actions["kind"] != layouts.ON_SHARES)]
        return pd.DataFrame(
            {
                "flow_type": np.where(paid["kind"] == layouts.INTEREST, "INTEREST", "FEE"),
                "occurred_at": instants(paid["at"]),
                "amount": paid["paid"],
            }
        )

    def digest(self) -> str:
        """Return a digest of every order, fill and value of the account: equal for equal runs."""
        frames_of_it = (self.orders, self.fills, self.equity)
        parts = "".join(frame_digest(frame) for frame in frames_of_it)
        return hashlib.sha256(parts.encode()).hexdigest()

    @property
    def began_at(self) -> dt.datetime:
        """First instant of the first bar."""
        first: dt.datetime = instants(self._market.clock.start[:1])[0].to_pydatetime()
        return first

    @functools.cached_property
    def data_version(self) -> dict[str, Any]:
        """Digest of the bars and actions that the run saw; of the bar store also its version."""
        return {"digest": self._market.digest(), **self.config["data"]}

    @functools.cached_property
    def code_version(self) -> str:
        """Version of the library and digest of its kernels."""
        from mismartera_analytics import __version__
        from mismartera_analytics.kernels.compiling import source_digest

        return f"{__version__}+{source_digest()[:16]}"

    @functools.cached_property
    def metrics(self) -> pd.DataFrame:
        """Every metric of the returns with its unit and convention, as `performance_summary`."""
        from mismartera_analytics.performance.summary import performance_summary

        return performance_summary(self.returns)

    def ambiguity(self) -> Ambiguity:
        """Return what hung on prices' path inside bars; two more runs tell, if anything did."""
        from mismartera_analytics.backtesting.ambiguity import ambiguity_of

        return ambiguity_of(self)

    def credibility(self, *, family: str | None = None) -> pd.DataFrame:
        """Return what the number of tries leaves of the run's Sharpe ratio.

        Parameters
        ----------
        family
            Strategy family whose trials count; by default that of the run.

        Returns
        -------
        pandas.DataFrame
            Index ``metric``, columns as in `frames.METRICS`: the trials counted, the Sharpe ratio, the
            probability that it is above 0, what luck alone gives the best of as many trials, the
            deflated ratio (a probability), and how long a record must be to show it.

        Raises
        ------
        InvalidInputError
            If the family is blank or too long.

        Examples
        --------
        >>> from mismartera_analytics.backtesting.samples import MovingAverageCross
        >>> run = ma.backtest(MovingAverageCross, "AAPL", "2000-03-01", family="alone")
        >>> run.credibility().loc["deflated_sharpe_ratio", "note"]
        'one trial: nothing was picked, nothing is deflated'
        """
        from mismartera_analytics.backtesting.credibility import credibility

        return credibility(self, family=family)

    def plot_trials(self, *, family: str | None = None, theme: ThemeName = "light") -> Figure:
        """Return a figure of the Sharpe ratios of all trials of the family, and of the best by luck.

        Parameters
        ----------
        family
            As in `credibility`.
        theme
            ``"light"`` or ``"dark"``.

        Returns
        -------
        matplotlib.figure.Figure
            Not shown.

        Raises
        ------
        InvalidInputError
            If the family is blank or too long, or the record is too short to count a year's sessions.
        """
        from mismartera_analytics.backtesting.credibility import trials_figure

        return trials_figure(self, family, theme=theme)

    def stress(
        self, *, draws: int = 1000, block: float | None = None, seed: int = 0
    ) -> pd.DataFrame:
        """Return the headline metrics as they were and under stress; it runs everything three times.

        Parameters
        ----------
        draws, block, seed
            Of the bootstrap: how many records are drawn again (0 for none), the mean length of their
            blocks [sessions] (the cube root of their number by default), and what makes them the same.

        Returns
        -------
        pandas.DataFrame
            As `frames.STRESS`: with orders one bar late, costs doubled, without the best sessions, and
            quantiles of the bootstrap.

        Raises
        ------
        InvalidInputError
            If the strategy gives another result when it is run again, or an argument is not allowed.
        StrategyError
            If the strategy raises when its orders come late.

        Examples
        --------
        >>> from mismartera_analytics.backtesting.samples import MovingAverageCross
        >>> run = ma.backtest(MovingAverageCross, "AAPL", "2000-03-01")
        >>> run.stress(draws=0)["case"].tolist()[:3]
        ['as it was', 'orders one bar late', 'costs doubled']
        """
        from mismartera_analytics.backtesting.stress import stress

        return stress(self, draws=draws, block=block, seed=seed)

    def plot(self, *, theme: ThemeName = "light") -> Figure:
        """Return a figure of the account's value above its drawdown; `theme` is light or dark."""
        from mismartera_analytics.figures.accounts import equity_with_drawdown

        return equity_with_drawdown(self.equity, currency=CURRENCY, theme=theme)

    def save(self, name: str, *, user: str | int | None = None, replace: bool = False) -> int:
        """Write the run into the records: an account, orders, fills, flows, positions, the run's row.

        Parameters
        ----------
        name
            Of the run and of its account at the broker ``"backtest"``.
        user
            Owner; by default whoever is signed in.
        replace
            Whether a run of the same name and user gives way to this one.

        Returns
        -------
        int
            The account's id. Orders that were never sized (a target that met no bar) are left out.

        Raises
        ------
        InvalidInputError
            If the name cannot be one, or no user is given and nobody is signed in.
        DuplicateError
            If the user has a run of that name, unless it is to be replaced.
        UnknownNameError
            If there is no such user.
        """
        from mismartera_analytics.backtesting.saving import save_result

        return save_result(self, name, user=user, replace=replace)

    @functools.cached_property
    def _numbers(self) -> NDArray[np.int64]:
        """Id of each order placed, what nobody placed last; 0 of those that turned out to be none."""
        kept = ~np.isin(self._simulation.placed["status"], (layouts.VOID, layouts.WAITING))
        is_forced = self._simulation.placed["condition"] == layouts.FORCED
        own, forced = kept & ~is_forced, kept & is_forced
        later = np.where(forced, own.sum() + np.cumsum(forced), 0)
        return np.where(own, np.cumsum(own), later)

    @functools.cached_property
    def _lots(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        from mismartera_analytics.ledger.lots import match_lots

        rows = self._simulation.filled["row"][self.fills["fill_id"].to_numpy(dtype=np.int64) - 1]
        sessions = self._market.clock.label[rows].astype("datetime64[us]")
        return match_lots(self.fills.assign(session=sessions), self._market.action_frame)
