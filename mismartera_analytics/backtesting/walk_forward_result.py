"""What a walk-forward test gave: its windows, and one account over all tests."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mismartera_analytics.backtesting.result_frames import CURRENCY, returns_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mismartera_analytics.figures.style import ThemeName

__all__ = ["SHOWN_OF_BOTH", "WalkForwardResult"]

SHOWN_OF_BOTH = ("total_return", "sharpe_ratio", "max_drawdown", "trades")
"""Scores that a window shows of its training and of its test."""


@dataclass(frozen=True)
class WalkForwardResult:
    """A finished walk.

    Attributes
    ----------
    windows
        One row a window: ``train_start, train_end, test_start, test_end`` (session labels), the chosen
        parameters, and of training and test ``total_return`` [1], ``sharpe_ratio`` (annualised by the
        sessions of the whole record), ``max_drawdown`` and the number of closed ``trades``, as
        ``train_…`` and ``test_…``.
    """

    windows: pd.DataFrame
    _equity: pd.DataFrame = field(repr=False)
    _cash: float = field(repr=False)
    _name: str = field(repr=False)

    def __repr__(self) -> str:
        first, last = self.windows["test_start"].iloc[0], self.windows["test_end"].iloc[-1]
        return (
            f"WalkForwardResult({self._name}, {len(self.windows)} windows, tested {first:%Y-%m-%d} "
            f"to {last:%Y-%m-%d}, equity {self.equity['equity'].iloc[-1]:,.2f})"
        )

    @functools.cached_property
    def equity(self) -> pd.DataFrame:
        """The account at each bar's end over all tests, as `frames.EQUITY`."""
        total = self._equity["equity"].to_numpy()
        highest = np.maximum(np.maximum.accumulate(total), self._cash)
        return self._equity.assign(drawdown=total / highest - 1.0)

    @functools.cached_property
    def returns(self) -> pd.Series[float]:
        """Return of each tested session [1], labelled by session."""
        equity = self.equity
        return returns_of(equity["session"].to_numpy(), equity["equity"].to_numpy(), self._cash)

    @functools.cached_property
    def metrics(self) -> pd.DataFrame:
        """Every metric of the returns out of sample, as `performance_summary`."""
        from mismartera_analytics.performance.summary import performance_summary

        return performance_summary(self.returns)

    def plot(self, *, theme: ThemeName = "light") -> Figure:
        """Return a figure of the account out of sample above its drawdown; `theme` is light or dark."""
        from mismartera_analytics.figures.accounts import equity_with_drawdown

        return equity_with_drawdown(self.equity, currency=CURRENCY, theme=theme)
