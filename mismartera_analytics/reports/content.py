"""What a tear sheet says, whatever it is about: the one form that backtests and accounts map to."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import pandas as pd

from mismartera_analytics import frames

if TYPE_CHECKING:
    from mismartera_analytics.performance.returns import Returns

__all__ = [
    "Ambiguity",
    "Fact",
    "Identity",
    "Lookahead",
    "Notice",
    "TearSheetContent",
    "order_fact",
]

TOLERANCE = 1e-9


@dataclass(frozen=True)
class Fact:
    """One line of the conventions: what it is about, and what holds."""

    name: str
    text: str


def order_fact(orders: pd.DataFrame) -> Fact:
    """Return how many orders there were of each status.

    Parameters
    ----------
    orders
        Columns of `frames.ORDERS`.

    Examples
    --------
    >>> order_fact(pd.DataFrame({"status": ["FILLED", "EXPIRED", "FILLED"]})).text
    '3: 2 filled, 1 expired'
    """
    counts = orders["status"].value_counts()
    parts = [f"{count:,} {str(status).lower()}" for status, count in counts.items()]
    return Fact("Orders", f"{len(orders):,}" + (": " + ", ".join(parts) if parts else ""))


@dataclass(frozen=True)
class Notice:
    """Something the reader must know before the figures: a warning, or a remark."""

    level: Literal["warning", "remark"]
    text: str


@dataclass(frozen=True)
class Identity:
    """The accounting identity ``begin + flows + pnl = end`` [currency] of the whole record.

    `pnl` must come from another source than the two values (fills, lots), or nothing is checked;
    `basis` says which.
    """

    begin: float
    flows: float
    pnl: float
    end: float
    basis: str

    @property
    def residual(self) -> float:
        """What the identity leaves open [currency]."""
        return self.begin + self.flows + self.pnl - self.end

    @property
    def holds(self) -> bool:
        """Whether the residual is rounding: 1e-9 of the largest amount.

        Examples
        --------
        >>> Identity(100.0, 0.0, 10.0, 110.0, "lots").holds
        True
        """
        largest = max(abs(self.begin), abs(self.flows), abs(self.pnl), abs(self.end), 1.0)
        return math.isfinite(self.residual) and abs(self.residual) <= TOLERANCE * largest


@dataclass(frozen=True)
class Ambiguity:
    """What hung on the path of prices inside bars.

    `bounds` has the index ``bar_path`` and the columns ``final_equity, total_return, fills,
    ambiguous``; it is empty where the runs were not made.
    """

    fills: int
    ambiguous: int
    bounds: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def share(self) -> float:
        """Share of the fills that hung on the path [1]; NaN without fills."""
        return self.ambiguous / self.fills if self.fills else math.nan


@dataclass(frozen=True)
class Lookahead:
    """Whether a strategy was checked for looking ahead, and what was said.

    `call` is what to run where it was not checked.
    """

    status: Literal["clean", "looks ahead", "not checkable", "not checked"]
    text: str = ""
    call: str = ""


def _no_returns() -> pd.Series[float]:
    labels = pd.DatetimeIndex([], dtype="datetime64[us]", name="session")
    return pd.Series(index=labels, dtype="float64")


@dataclass(frozen=True)
class TearSheetContent:
    """The frames and facts of one tear sheet.

    Attributes
    ----------
    title, subtitle
        Plain text, whatever a person typed: it is escaped where it is shown.
    kind
        Of ``"returns"`` there are no orders and no trades, and the equity is the growth of 100.
    currency
        ISO code of every amount.
    returns
        Simple returns [1] labelled by session.
    record
        The same with calendar, interval, currency and basis, where they are known: the year is then
        the calendar's.
    equity
        Columns of `frames.EQUITY`.
    orders, fills, trades
        Columns of `frames.ORDERS`, `frames.FILLS` and `frames.TRADES`.
    pnl_by_symbol
        Realised and open profit or loss [currency] by symbol, fees taken off.
    benchmark
        Simple returns [1] labelled by session; its name is shown.
    flows
        Of an account: money that came in, and left where negative, by session [currency].
    identity
        The accounting identity of the whole record, where it can be checked.
    conventions
        How the figures were made: fill rule, costs, data version, as-of.
    notices
        Shown above everything else.
    credibility
        Of a backtest: index ``metric``, columns of `frames.METRICS`; what the number of tries leaves.
    stress
        Of a backtest: columns of `frames.STRESS`.
    ambiguity
        Of a backtest: what hung on the path of prices inside bars.
    lookahead
        Of a backtest: what was found about looking ahead.
    """

    title: str
    subtitle: str = ""
    kind: Literal["account", "backtest", "returns"] = "account"
    currency: str = "USD"
    returns: pd.Series[float] = field(default_factory=_no_returns)
    record: Returns | None = None
    equity: pd.DataFrame = field(default_factory=frames.EQUITY.empty)
    orders: pd.DataFrame = field(default_factory=frames.ORDERS.empty)
    fills: pd.DataFrame = field(default_factory=frames.FILLS.empty)
    trades: pd.DataFrame = field(default_factory=frames.TRADES.empty)
    pnl_by_symbol: pd.Series[float] = field(default_factory=lambda: pd.Series(dtype="float64"))
    benchmark: pd.Series[float] | None = None
    flows: pd.Series[float] | None = None
    identity: Identity | None = None
    conventions: tuple[Fact, ...] = ()
    notices: tuple[Notice, ...] = ()
    credibility: pd.DataFrame | None = None
    stress: pd.DataFrame | None = None
    ambiguity: Ambiguity | None = None
    lookahead: Lookahead | None = None
