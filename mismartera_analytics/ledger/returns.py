r"""Returns from the daily ledger: time-weighted, money-weighted, gross, net, and who contributed what.

A session's return is its profit over the capital at work: the value at the former session's end and, by
`FlowTiming`, the flows of the session. Sessions are linked: :math:`\prod (1 + r_t) - 1`. Where a price
lacks, the return of the gap counts on the session that has a price again.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from mismartera_analytics import frames
from mismartera_analytics.arguments import is_one_of
from mismartera_analytics.errors import InvalidInputError, as_given, suggestion
from mismartera_analytics.ledger.daily import AMOUNTS, Ledger
from mismartera_analytics.ledger.events import Floats, Ints, days
from mismartera_analytics.ledger.periods import (
    DEFAULT_CURRENCY,
    Frequency,
    check_frequency,
    last_labels,
    period_numbers,
)
from mismartera_analytics.ledger.rates import DAYS_PER_YEAR, InternalRates, internal_rates

__all__ = ["FlowTiming", "Spans", "check_timing", "combined", "returns_frame", "spans_of"]

FlowTiming = Literal["split", "start", "end"]
"""When the flows of a session take place: deposits at its start and withdrawals at its end (``split``),
all at its start, or all at its end."""


def check_timing(timing: str) -> None:
    """Refuse an unknown timing of flows.

    Raises
    ------
    InvalidInputError
        Naming those allowed, and the nearest.
    """
    if not is_one_of(timing, get_args(FlowTiming)):
        hint = suggestion(timing, get_args(FlowTiming)) or "."
        allowed = ", ".join(get_args(FlowTiming))
        raise InvalidInputError(f"flow_timing={as_given(timing)} is not one of {allowed}{hint}")


@dataclass(frozen=True)
class Spans:
    """Stretches between sessions with a known value, mostly one session long, by owner and session.

    Attributes
    ----------
    owner, session
        (n,) row of the ledger's owners; row of its grid on which the stretch ends.
    first
        (n,) row of the grid on which it begins.
    begin, flows, early, fees, total, end
        (n,) value before, net flows, those of them at the start, fees, profit after fees, and value
        after [currency].
    """

    owner: Ints
    session: Ints
    first: Ints
    begin: Floats
    flows: Floats
    early: Floats
    fees: Floats
    total: Floats
    end: Floats

    @property
    def net(self) -> Floats:
        """Returns after fees [1]; NaN where no capital was at work."""
        return self._over_capital(self.total)

    @property
    def gross(self) -> Floats:
        """Returns before commissions and fees [1]."""
        return self._over_capital(self.total + self.fees)

    @property
    def capital(self) -> Floats:
        """Capital at work [currency]: the value before and the flows at the start."""
        return self.begin + self.early

    def _over_capital(self, gains: Floats) -> Floats:
        capital = self.capital
        scale = np.maximum(np.abs(self.begin), np.abs(self.early))
        has_none = np.abs(capital) <= 1e-12 * scale
        idle = np.abs(gains) <= 1e-12 * scale
        with np.errstate(divide="ignore", invalid="ignore"):
            rates = np.where((capital > 0) & ~has_none, gains / capital, np.nan)
        return np.where(has_none & idle, 0.0, rates)


def spans_of(ledger: Ledger, *, timing: FlowTiming = "split") -> Spans:
    """Return the stretches of every owner of a ledger.

    Parameters
    ----------
    ledger
        Of accounts, or from `combined`.
    timing
        When the flows of a session take place.

    Returns
    -------
    Spans
        Sessions after the last known value are in none.
    """
    owner, known = ledger.owner, np.isfinite(ledger.value)
    early = early_flows(ledger.amounts[:, 0], timing)
    if not known.any():
        nothing = np.zeros(0)
        none = np.zeros(0, np.int64)
        return Spans(none, none, none, *[nothing] * 6)
    columns = dict(zip(AMOUNTS, ledger.amounts.T, strict=True))
    last = np.flatnonzero(known)
    first = _firsts(owner, known)
    settled = columns["realized"] + columns["dividends"] - columns["fees"] - columns["brought"]
    sums = [_between(values, first, last)
            for values in (columns["flows"], early, columns["fees"], settled)]  # fmt: skip
    follows = np.r_[False, owner[last][1:] == owner[last][:-1]]
    former = np.r_[0, last[:-1]]
    begin = np.where(follows, ledger.value[former], 0.0)
    begin_gain = np.where(follows, ledger.gain[former], 0.0)
    flows, at_start, fees, income = sums
    total = income + ledger.gain[last] - begin_gain
    return Spans(owner[last], ledger.session[last], ledger.session[first], begin, flows, at_start,
                 fees, total, ledger.value[last])  # fmt: skip


def early_flows(flows: Floats, timing: str) -> Floats:
    """Return the part of each session's net flow that takes place at its start."""
    if timing == "start":
        return flows
    return np.maximum(flows, 0.0) if timing == "split" else np.zeros_like(flows)


def _firsts(owner: Ints, known: Any) -> Ints:
    """Return, for each known row, the first row after the former known one of its owner."""
    rows = np.arange(len(owner))
    begins = np.r_[True, owner[1:] != owner[:-1]] | np.r_[True, known[:-1]]
    firsts: Ints = np.maximum.accumulate(np.where(begins, rows, 0))[known]
    return firsts


def _between(values: Floats, first: Ints, last: Ints) -> Floats:
    """Sum values from each first to each last row, both included, and nothing after it."""
    edges = np.c_[first, last + 1].ravel()
    padded = np.r_[values, 0.0]
    sums: Floats = np.add.reduceat(padded, edges)[::2]
    return sums


def combined(accounts: Ledger) -> Ledger:
    """Return the sum of several accounts as a ledger of one owner without an account.

    Parameters
    ----------
    accounts
        Their currency must be the same.

    Returns
    -------
    Ledger
        What moves between the accounts on one session is no flow of the whole.
    """
    first = accounts.session.min() if len(accounts.session) else 0
    size = len(accounts.grid) - int(first) if len(accounts.session) else 0
    row = accounts.session - first

    def add(values: Any) -> Floats:
        return np.bincount(row, values, size).astype(np.float64)

    age = np.zeros(size, np.int64)
    np.maximum.at(age, row, accounts.price_age)
    age[add(accounts.price_age < 0) > 0] = -1
    users = accounts.owners["user"].dropna().unique()
    owners = pd.DataFrame({"account_id": pd.array([pd.NA], "Int64"), "symbol": [None],
                           "user": users if len(users) == 1 else [None]})  # fmt: skip
    amounts = np.column_stack([add(column) for column in accounts.amounts.T])
    return Ledger(
        owners.astype({"user": "str", "symbol": "str"})[["account_id", "user", "symbol"]],
        np.zeros(size, np.int64), np.arange(size) + first, amounts, add(accounts.value),
        add(accounts.gain), age, accounts.grid,
    )  # fmt: skip


def returns_frame(
    *ledgers: Ledger,
    freq: Frequency = "session",
    start: dt.date | None = None,
    end: dt.date | None = None,
    timing: FlowTiming = "split",
    benchmark: Any = None,
    currencies: Mapping[int, str] | None = None,
) -> pd.DataFrame:
    """Return the returns of every owner by period.

    Parameters
    ----------
    *ledgers
        Of accounts, or from `combined`.
    freq, start, end, currencies
        As in `pnl_frame`.
    timing
        When the flows of a session take place.
    benchmark
        (s,) prices of the benchmark on the sessions of the ledgers' grid, adjusted for splits and
        dividends; NaN where there is none.

    Returns
    -------
    pandas.DataFrame
        `frames.RETURNS`. Periods shorter than a year are not annualised, except in ``xirr``. NaN where
        a return is not defined; ``note`` says why.

    Raises
    ------
    InvalidInputError
        If the frequency or the timing is unknown or `start` comes after `end`.
    """
    check_frequency(freq)
    check_timing(timing)
    if start is not None and end is not None and start > end:
        raise InvalidInputError(f"start={start} comes after end={end}.")
    tables = [
        _of_periods(ledger, freq, (start, end), timing, benchmark, currencies or {})
        for ledger in ledgers
    ]
    tables = [table for table in tables if len(table)]
    if not tables:
        return frames.RETURNS.empty()
    return frames.RETURNS.conform(pd.concat(tables, ignore_index=True))


def rows_in(grid: Ints, start: dt.date | None, end: dt.date | None) -> Any:
    """Return which sessions of a grid lie between two labels, both included."""
    inside = np.ones(len(grid), np.bool_)
    if start is not None:
        inside &= grid >= days([start])[0]
    if end is not None:
        inside &= grid <= days([end])[0]
    return inside


def _of_periods(
    ledger: Ledger,
    freq: str,
    bounds: tuple[dt.date | None, dt.date | None],
    timing: FlowTiming,
    benchmark: Any,
    currencies: Mapping[int, str],
) -> pd.DataFrame:
    grid = ledger.grid
    inside = rows_in(grid, *bounds)
    spans = spans_of(ledger, timing=timing)
    kept = inside[spans.session]
    if not kept.any():
        return pd.DataFrame()
    spans = Spans(*(getattr(spans, name)[kept] for name in Spans.__dataclass_fields__))
    period = period_numbers(grid, freq)
    number = period[spans.session]
    is_first = np.r_[True, (np.diff(spans.owner) != 0) | (np.diff(number) != 0)]
    first = np.flatnonzero(is_first)
    last = np.r_[first[1:], len(number)] - 1
    before = spans.first[first] - 1  # the session after which the period begins, -1 before the grid
    labels = np.where(before >= 0, grid[before], grid[:1].sum() - 1)
    net, ended = _linked(spans.net, first)
    gross, _ = _linked(spans.gross, first)
    weighted = _money_weighted(ledger, spans, first, last, labels, timing)
    span = grid[spans.session[last]] - labels
    xirr = np.array([rates.rate for rates in weighted])
    columns: dict[str, Any] = {
        "session": last_labels(grid, inside, freq)[spans.session[last]],
        "begin_value": spans.begin[first],
        "flows": np.add.reduceat(spans.flows, first),
        "fees": np.add.reduceat(spans.fees, first),
        "total": np.add.reduceat(spans.total, first),
        "end_value": spans.end[last],
        "gross_return": gross,
        "net_return": net,
        "money_weighted": list(map(InternalRates.over, weighted, (span / DAYS_PER_YEAR).tolist())),
        "xirr": xirr,
        "cumulative_return": _grown(net, spans.owner[first]),
        "benchmark_return": _benchmark(benchmark, before, spans.session[last]),
        "days": span,
        "note": list(
            map(_note, ended, weighted, _known_until(ledger, inside, period, spans, last))
        ),
    }
    keys = with_currency(ledger.owners, currencies).iloc[spans.owner[first]]
    return pd.concat([keys.reset_index(drop=True), pd.DataFrame(columns)], axis=1)


def with_currency(owners: pd.DataFrame, currencies: Mapping[int, str]) -> pd.DataFrame:
    """Add the currency of each account; the total of several has the one that all have."""
    known = owners["account_id"].map(dict(currencies)).astype("str")
    usual = next(iter(currencies.values()), DEFAULT_CURRENCY)
    return owners.assign(currency=known.fillna(usual))


def _linked(rates: Floats, first: Ints) -> tuple[Floats, Any]:
    """Return the linked return of each period, and how it ended: "", "lost" or "undefined"."""
    count = np.diff(np.r_[first, len(rates)])
    growth = np.multiply.reduceat(1.0 + rates, first)
    is_lost = np.logical_or.reduceat(rates < -1.0, first) & (count > 1)
    is_undefined = np.isnan(growth)
    ended = np.where(is_undefined, "undefined", np.where(is_lost, "lost", ""))
    alone = np.where(count == 1, rates[first], growth - 1.0)
    return np.where(is_lost, np.nan, alone), ended


def _grown(rates: Floats, owner: Ints) -> Floats:
    """Return the linked return of each owner since its first period."""
    grown = np.empty_like(rates)
    for number in np.unique(owner):
        mine = owner == number
        growth = 1.0 + rates[mine]
        growth[np.cumsum(growth < 0.0) > 0] = np.nan
        grown[mine] = np.cumprod(growth) - 1.0
    return grown


def _known_until(ledger: Ledger, inside: Any, period: Ints, spans: Spans, last: Ints) -> list[str]:
    """Return the session of the last value where a period goes on without one, else ""."""
    rows = np.flatnonzero(inside[ledger.session])
    number = period - period[0]
    count = int(number[-1]) + 1
    key = ledger.owner[rows] * count + number[ledger.session[rows]]
    known = spans.session[last]
    final = rows[np.searchsorted(key, spans.owner[last] * count + number[known], "right") - 1]
    labels = ledger.grid[known].astype("datetime64[D]").astype(str)
    return [str(label) for label in np.where(ledger.session[final] > known, labels, "")]


def _note(ended: str, rates: InternalRates, known_until: str) -> str:
    texts = {"undefined": "no capital at work on a session with a gain or loss",
             "lost": "a session lost more than all capital"}  # fmt: skip
    lacks = f"no value after {known_until}: a price lacks" if known_until else ""
    return "; ".join(text for text in (texts.get(ended, ""), rates.note, lacks) if text)


def _benchmark(prices: Any, before: Ints, last: Ints) -> Floats:
    if prices is None:
        return np.full(len(last), np.nan)
    begin = np.where(before >= 0, prices[before], np.nan)
    grown: Floats = prices[last] / begin - 1.0
    return grown


def _money_weighted(
    ledger: Ledger,
    spans: Spans,
    first: Ints,
    last: Ints,
    labels: Ints,
    timing: FlowTiming,
) -> list[InternalRates]:
    """Return the internal rates of every period, begun with its first value and ended with its last."""
    early = early_flows(ledger.amounts[:, 0], timing)
    late = ledger.amounts[:, 0] - early
    grid = ledger.grid
    eves = np.r_[grid[:1].sum() - 1, grid[:-1]]
    size = len(grid)
    key = ledger.owner * size + ledger.session
    from_ = np.searchsorted(key, spans.owner[first] * size + spans.first[first])
    until = np.searchsorted(key, spans.owner[first] * size + spans.session[last], "right")
    found = []
    for number, (low, high) in enumerate(zip(from_, until, strict=True)):
        begin, end = spans.begin[first[number]], spans.end[last[number]]
        rows = ledger.session[low:high]
        moved = (early[low:high] != 0.0) | (late[low:high] != 0.0)
        rows, at_start, at_end = rows[moved], early[low:high][moved], late[low:high][moved]
        amounts = np.r_[-begin, -at_start, -at_end, end]
        if not np.isfinite(amounts).all():
            found.append(InternalRates((), "empty", ()))
        elif end == 0.0 and (amounts <= 0.0).all() and (amounts < 0.0).any():
            found.append(InternalRates((-1.0,), "one", (-math.inf,)))  # all that went in is lost
        else:
            when = np.r_[labels[number], eves[rows], grid[rows], grid[spans.session[last[number]]]]
            found.append(internal_rates(when, amounts))
    return found
