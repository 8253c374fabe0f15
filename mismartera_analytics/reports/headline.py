"""What an index of reports says of each: a few figures, a spark line, and what needs attention."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from mismartera_analytics.figures.style import amount
from mismartera_analytics.reports.accounts import AccountRecord
from mismartera_analytics.reports.content import Identity, TearSheetContent

__all__ = [
    "Headline",
    "breaks_of_identity",
    "headline_of",
    "headline_of_account",
    "missing_bars",
    "shortened",
]

POINTS = 48
"""Of a spark line."""
MOST_NAMED = 5


@dataclass(frozen=True)
class Headline:
    """The figures of a report in one line; what is not defined is None, never NaN.

    Attributes
    ----------
    currency
        ISO code of the amounts.
    last_session
        Label of the last session, ``YYYY-MM-DD``.
    sessions
        How many sessions have a return.
    value, day_pnl, pnl
        At the last session, of the last session, of the period [currency].
    day_return, total_return, max_drawdown, drawdown
        Of the last session, of the period, the deepest, the one of the last session [1].
    sharpe_ratio
        Annualised [1].
    orders, trades
        How many were placed, and closed.
    held
        Symbols held at the end.
    spark
        Growth of the value by returns, at most `POINTS` points; flows are no gains.
    unbalanced, breaks, missing, remarks
        Sentences: that the account does not add up; that, and where it differs from the broker; which
        bars lack; what was warned of on the way.
    """

    currency: str = "USD"
    last_session: str | None = None
    sessions: int = 0
    value: float | None = None
    day_pnl: float | None = None
    day_return: float | None = None
    pnl: float | None = None
    total_return: float | None = None
    sharpe_ratio: float | None = None
    max_drawdown: float | None = None
    drawdown: float | None = None
    orders: int = 0
    trades: int = 0
    held: tuple[str, ...] = ()
    spark: tuple[float, ...] = ()
    unbalanced: tuple[str, ...] = ()
    breaks: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    remarks: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, held: Mapping[str, Any]) -> Headline:
        """Return what `to_json` gave; names that are not known any more are left out."""
        known = {name: held[name] for name in cls.__dataclass_fields__ if name in held}
        lists = {name: tuple(value) for name, value in known.items() if isinstance(value, list)}
        return cls(**known | lists)


def headline_of(content: TearSheetContent, *, remarks: Sequence[str] = ()) -> Headline:
    """Return the headline of a tear sheet's content.

    Parameters
    ----------
    content
        Of a backtest or an account.
    remarks
        Warnings that were given while it was made; the report's own come before them.

    Examples
    --------
    >>> headline_of(TearSheetContent("Nothing yet")).value is None
    True
    """
    from mismartera_analytics.performance.summary import performance_summary

    record = content.returns.dropna()
    summary = performance_summary(content.returns) if len(record) else None
    values = content.equity.drop_duplicates("session", keep="last")["equity"]
    began = math.nan if content.identity is None else content.identity.begin
    steps = values.diff().fillna(values - began) if len(values) == 1 else values.diff()
    warnings = [notice.text for notice in content.notices if notice.level == "warning"]
    return Headline(
        currency=content.currency,
        last_session=f"{content.equity['session'].iloc[-1]:%Y-%m-%d}" if len(values) else None,
        sessions=len(record),
        value=_last(values),
        day_pnl=_last(steps),
        day_return=_last(content.returns),
        pnl=None if content.identity is None else _finite(content.identity.pnl),
        total_return=_metric(summary, "total_return"),
        sharpe_ratio=_metric(summary, "sharpe_ratio"),
        max_drawdown=_metric(summary, "max_drawdown"),
        drawdown=_last(content.equity["drawdown"]),
        orders=len(content.orders),
        trades=len(content.trades),
        spark=_spark(record),
        unbalanced=(unbalanced := breaks_of_identity(content.identity, content.currency)),
        breaks=unbalanced,
        remarks=tuple(dict.fromkeys((*warnings, *remarks))),
    )


def headline_of_account(
    record: AccountRecord,
    content: TearSheetContent,
    *,
    breaks: Sequence[str] = (),
    remarks: Sequence[str] = (),
) -> Headline:
    """Return the headline of an account: with flows told from gains, breaks and missing bars.

    Parameters
    ----------
    record
        What was read of the account.
    content
        Made from it.
    breaks
        Where the records do not agree with the broker.
    remarks
        As in `headline_of`.
    """
    plain = headline_of(content, remarks=remarks)
    sessions = record.sessions
    own = {
        "last_session": f"{sessions.index[-1]:%Y-%m-%d}" if len(sessions) else None,
        "value": _last(sessions["end"]),
        "day_pnl": _last(sessions["total"]),
        "breaks": (*plain.breaks, *breaks),
        "missing": missing_bars(record.rows),
        "held": _held(record.rows),
    }
    return Headline(**{**{n: getattr(plain, n) for n in Headline.__dataclass_fields__}, **own})


def breaks_of_identity(identity: Identity | None, currency: str) -> tuple[str, ...]:
    """Return the sentence that an account does not add up, none where it does.

    Where the end has no value, prices lack and nothing is known of the identity.
    """
    if identity is None or identity.holds or not math.isfinite(identity.residual):
        return ()
    left = amount(identity.residual)
    return (f"begin + flows + profit and loss differs from the end by {left} {currency}",)


def missing_bars(rows: pd.DataFrame) -> tuple[str, ...]:
    """Return sentences about held symbols without a bar of their own.

    Parameters
    ----------
    rows
        Columns of `frames.PNL` by session and symbol.

    Examples
    --------
    >>> from mismartera_analytics import frames
    >>> missing_bars(frames.PNL.empty())
    ()
    """
    held = rows[rows["symbol"].notna() & (rows["end_value"] != 0.0)]
    is_old = held["end_value"].isna() | (held["price_age"].fillna(0) > 0)
    if not is_old.any():
        return ()
    last = rows["session"].max()
    now = held[is_old & (held["session"] == last)]
    said = [_of_today(row) for row in now.to_dict("records")]
    before = held[is_old & ~held["symbol"].isin(now["symbol"])]
    for symbol, part in before.groupby("symbol", sort=True):
        number = len(part)
        said.append(
            f"{symbol}: held without a bar on {number:,} session{'s' if number > 1 else ''}, last on "
            f"{part['session'].max():%Y-%m-%d}"
        )
    return shortened(said, what="symbols")


def shortened(sentences: Sequence[str], *, what: str) -> tuple[str, ...]:
    """Return the first few sentences, and how many more there are.

    Examples
    --------
    >>> shortened(["one", "two"], what="sentences")
    ('one', 'two')
    """
    more = len(sentences) - MOST_NAMED
    if more <= 1:
        return tuple(sentences)
    return (*sentences[:MOST_NAMED], f"and {more} more {what}")


def _held(rows: pd.DataFrame) -> tuple[str, ...]:
    """Return the symbols that are held at the end; one without a price counts."""
    ends = rows[(rows["session"] == rows["session"].max()) & (rows["end_value"] != 0.0)]
    return tuple(sorted(ends["symbol"].dropna().unique()))


def _of_today(row: Mapping[Any, Any]) -> str:
    if pd.isna(row["end_value"]):
        return f"{row['symbol']}: no price, so that it has no value"
    age = int(row["price_age"])
    return f"{row['symbol']}: no bar for the last {'session' if age == 1 else f'{age} sessions'}"


def _spark(returns: pd.Series[float]) -> tuple[float, ...]:
    from mismartera_analytics.kernels import drawdowns

    growth = drawdowns.wealth(returns.to_numpy(np.float64))
    growth = np.concatenate([[1.0], growth[np.isfinite(growth)]])
    if len(growth) < 3:
        return ()
    places = np.unique(np.linspace(0, len(growth) - 1, POINTS).astype(int))
    return tuple(round(float(value), 5) for value in growth[places])


def _metric(summary: Any, name: str) -> float | None:
    return None if summary is None else _finite(summary.loc[name, "value"])


def _last(values: pd.Series[float]) -> float | None:
    return _finite(values.iloc[-1]) if len(values) else None


def _finite(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None
