"""Other futures: the same bars up to a cut, and something else after it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mismartera_analytics import frames
from mismartera_analytics.backtesting.market import FIELDS, Market
from mismartera_analytics.market_data.adjustments import adjust_bars, closes_before

__all__ = ["FutureKind", "Rerun", "bars_of", "cut_rows", "reruns"]

FutureKind = Literal["removed", "thinned", "changed", "mirrored"]

_STEP = 0.03  # [1] typical change from bar to bar in a changed future
_FIRST = (0.1, 0.4)  # [1] range of the first change: no mere ripple
_BODY = (0.02, 0.2)  # [1] range of the change from open to close
_FARTHEST = 3.0  # [1] bound of the logarithm of all changes so far
_THINNED = 0.5  # [1] share of the later bars that a thinned future lacks
_THINNED_EVERY = 3  # cuts


@dataclass(frozen=True)
class Rerun:
    """A market that is the run's own up to the end of a row, and another one after it.

    Attributes
    ----------
    cut
        The last row of the clock that is as it was.
    kind
        What was done to the bars after it.
    market
        On the same clock; the rows without any bar stay.
    """

    cut: int
    kind: FutureKind
    market: Market


def cut_rows(
    market: Market, decided: NDArray[np.int64], *, count: int, random: np.random.Generator
) -> list[int]:
    """Return the rows after which the future is replaced, ascending.

    Parameters
    ----------
    market
        Of the run.
    decided
        Rows at whose end something was decided.
    count
        How many are wanted: half of them at decisions, a quarter before symbols come, go or split, the
        last row but one, the others anywhere.
    random
        Draws them.

    Returns
    -------
    list of int
        At most `count`, none of them the last row; fewer on a short clock.
    """
    rows = len(market.clock)
    if rows < 2:
        return []
    chosen = {rows - 2}
    for kind, most in ((decided, count // 2), (_eventful(market), count // 4)):
        known = kind[(kind >= 0) & (kind < rows - 1)]
        chosen.update(random.permutation(known)[:most].tolist())
    anywhere = random.permutation(rows - 1)
    late = anywhere[anywhere >= rows // 10]
    for row in late.tolist():
        if len(chosen) >= count:
            break
        chosen.add(row)
    return sorted(chosen)


def _eventful(market: Market) -> NDArray[np.int64]:
    """Return the rows before a symbol's first bar, of its last one, and before splits and dividends."""
    has_bar = ~np.isnan(market.fields[3])
    first = np.argmax(has_bar, axis=1) - 1
    last = has_bar.shape[1] - 1 - np.argmax(has_bar[:, ::-1], axis=1)
    return np.unique(np.concatenate([first, last, market.actions.row - 1]))


def reruns(market: Market, cuts: Sequence[int], *, seed: int) -> Iterator[Rerun]:
    """Yield the markets to run again on, three or four a cut.

    Parameters
    ----------
    market
        Of the whole run.
    cuts
        As `cut_rows` gives them.
    seed
        Of what replaces the future.
    """
    for number, cut in enumerate(cuts):
        random = np.random.default_rng([seed, cut])
        fields = market.fields.copy()
        fields[:, :, cut + 1 :] = np.nan
        yield Rerun(cut, "removed", dataclasses.replace(market, fields=fields))
        if number % _THINNED_EVERY == 0:
            fields = market.fields.copy()
            later = fields[:, :, cut + 1 :]
            later[:, random.random(later.shape[1:]) < _THINNED] = np.nan
            yield Rerun(cut, "thinned", dataclasses.replace(market, fields=fields))
        moves = _Moves.drawn(random, market.fields[0, :, cut + 1 :].shape)
        for kind, way in (("changed", moves), ("mirrored", moves.mirrored())):
            fields = market.fields.copy()
            fields[:, :, cut + 1 :] = way.applied(fields[:, :, cut + 1 :])
            name: FutureKind = "changed" if kind == "changed" else "mirrored"
            yield Rerun(cut, name, dataclasses.replace(market, fields=fields))


@dataclass(frozen=True)
class _Moves:
    """What is done to later bars, as logarithms; shape (symbols, rows) each.

    The mirrored moves are the opposite ones: whatever asks whether a later price is higher is told yes
    by one of the two futures and no by the other.
    """

    level: NDArray[np.float64]
    body: NDArray[np.float64]
    above: NDArray[np.float64]
    below: NDArray[np.float64]
    volume: NDArray[np.float64]

    @classmethod
    def drawn(cls, random: np.random.Generator, shape: tuple[int, int]) -> _Moves:
        steps = random.normal(0.0, _STEP, shape)
        symbols = shape[0]
        steps[:, 0] = random.uniform(*_FIRST, symbols) * random.choice([-1.0, 1.0], symbols)
        body = random.uniform(*_BODY, shape) * random.choice([-1.0, 1.0], shape)
        return cls(
            level=np.clip(np.cumsum(steps, axis=1), -_FARTHEST, _FARTHEST),
            body=body,
            above=random.uniform(0.0, 0.1, shape),
            below=random.uniform(0.0, 0.1, shape),
            volume=random.normal(0.0, 1.0, shape),
        )

    def mirrored(self) -> _Moves:
        return dataclasses.replace(self, level=-self.level, body=-self.body, volume=-self.volume)

    def applied(self, fields: NDArray[np.float64]) -> NDArray[np.float64]:
        opened = fields[0] * np.exp(self.level)
        close = fields[3] * np.exp(self.level + self.body)
        high = np.maximum(fields[1] * np.exp(self.level), np.maximum(opened, close))
        low = np.minimum(fields[2] * np.exp(self.level), np.minimum(opened, close))
        volume = fields[4] * np.exp(self.volume)
        return np.stack(
            [opened, high * np.exp(self.above), low * np.exp(-self.below), close, volume]
        )


def bars_of(
    market: Market, last: int, *, adjust: Literal["split", "all"] | None = None
) -> pd.DataFrame:
    """Return the bars of a market as `frames.BARS`, as `ma.bars` gives them.

    Parameters
    ----------
    market
        A run's, or one with another future.
    last
        Row of the clock up to which corporate actions are known and in force.
    adjust
        As in `BarStore.read`.
    """
    symbol, row = np.nonzero(~np.isnan(market.fields[3]))
    starts = market.starts_of(symbol, row).astype("datetime64[us]")
    labels = np.empty(len(row), "datetime64[us]")
    for number in range(len(market.symbols)):
        own = symbol == number
        labels[own] = market.clock_of(number).label[row[own]]
    table = {name: market.fields[place][symbol, row] for place, name in enumerate(FIELDS)}
    frame = frames.BARS.conform(
        pd.DataFrame(
            {
                "symbol": np.array(market.symbols, object)[symbol],
                "timestamp": pd.DatetimeIndex(starts, tz="UTC"),
                "session": pd.NaT if market.interval.is_intraday else labels,
                **table,
            }
        )
    )
    return frame if adjust is None else _adjusted(frame, market, last, adjust)


def _adjusted(
    frame: pd.DataFrame, market: Market, last: int, kind: Literal["split", "all"]
) -> pd.DataFrame:
    """Return bars adjusted for the actions in force at the end of a row of the clock."""
    times, actions = market.clock, market.action_frame
    ordinal = np.searchsorted(times.labels, actions["ex_date"].to_numpy().astype("datetime64[D]"))
    known = np.minimum(ordinal, len(times.labels) - 1)
    begins = pd.Series(
        pd.DatetimeIndex(times.begins[known].astype("datetime64[us]"), tz="UTC"),
        index=actions.index,
    )
    in_force = (ordinal < len(times.labels)) & (times.begins[known] <= times.start[last])
    own, since = actions[in_force], begins[in_force]
    if own.empty:
        return frame
    closes = closes_before(frame, own, begins=since) if kind == "all" else None
    return adjust_bars(frame, own, kind=kind, begins=since, closes=closes)
