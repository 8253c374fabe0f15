"""Random small markets, and their three forms: frames for the engine, a world for the reference."""

from __future__ import annotations

import datetime as dt
import math
from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from mismartera_analytics.calendars.sessions import TradingCalendar
from tests.reference_engine import Action, Bar, Row, Rules, World

HOUR = 3_600_000_000
START, END = dt.date(2024, 11, 25), dt.date(2024, 12, 10)  # 2024-11-29 closes at 13:00


@dataclass(frozen=True)
class Scene:
    """A market in every form that a test needs."""

    world: World
    bars: pd.DataFrame
    actions: pd.DataFrame
    interval: str
    labels: list[pd.Timestamp]

    @property
    def index(self) -> pd.DatetimeIndex:
        """The rows, as frames of weights and signals are indexed."""
        if self.interval == "1d":
            return pd.DatetimeIndex(self.labels)
        return instants([row.start for row in self.world.rows])


def instants(values: Any) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(np.array(values, "datetime64[us]")).tz_localize("UTC")


def numbers(column: pd.Series) -> list[int]:
    return column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype(np.int64).tolist()


def _rows(sessions: pd.DataFrame, interval: str) -> list[tuple[Row, pd.Timestamp]]:
    rows = []
    opens, closes = numbers(sessions["regular_open"]), numbers(sessions["regular_close"])
    for number, (opened, closed) in enumerate(zip(opens, closes, strict=True)):
        label = sessions.index[number]
        if interval == "1d":
            rows.append((Row(opened, closed, number), label))
            continue
        for start in range(opened, closed, HOUR):
            end = min(start + HOUR, closed)
            rows.append((Row(start, end, number, is_last=end == closed), label))
        after = Row(closed, closed + HOUR, number + 1, is_regular=False, is_last=False)
        rows.append((after, sessions.index[min(number + 1, len(sessions) - 1)]))
    return rows


def _with_nights(rows: list[Row], labels: list[pd.Timestamp]) -> list[Row]:
    """Tell each session's first regular row how many nights lie since the session before."""
    found, last = [], None
    for row, label in zip(rows, labels, strict=True):
        is_opening = row.is_regular and label != last
        nights = (label - last).days if is_opening and last is not None else 0
        found.append(replace(row, nights=nights))
        last = label if row.is_regular else last
    return found


tick = st.integers(2, 40).map(lambda n: n / 2)


@st.composite
def _bars(draw: Any, count: int, volumes: list[float]) -> dict[int, Bar]:
    bars = {}
    for number in range(count):
        if draw(st.integers(0, 5)) == 0:
            continue
        opened, high, low, close = (draw(tick) for _ in range(4))
        top, bottom = max(opened, high, low, close), min(opened, high, low, close)
        volume = draw(st.sampled_from(volumes)) if len(volumes) > 1 else volumes[0]
        bars[number] = Bar(opened, top, bottom, close, volume)
    return bars


@st.composite
def scenes(
    draw: Any,
    calendar: TradingCalendar,
    *,
    symbols: int | None = None,
    volumes: tuple[float, ...] = (1_000.0,),
) -> Scene:
    interval = draw(st.sampled_from(["1d", "1h"]))
    sessions = calendar.sessions(START, END)
    every = _rows(sessions, interval)
    first = draw(st.integers(0, 3))
    every = every[first : first + draw(st.integers(2, 10 if interval == "1d" else 20))]
    names = ["AAA", "BBB", "CCC"][: symbols or draw(st.integers(1, 3))]
    drawn = {name: draw(_bars(len(every), list(volumes))) for name in names}
    for name in names:
        drawn[name].setdefault(0, Bar(10.0, 12.0, 8.0, 11.0))
    ends = draw(_ends(names, every, sessions))
    for name, number in ends.items():
        drawn[name] = {k: bar for k, bar in drawn[name].items() if k < number}
    used = sorted({number for bars in drawn.values() for number in bars})
    used += sorted({number for number in ends.values() if number > used[-1]})
    place = {number: at for at, number in enumerate(used)}
    rows = [every[number][0] for number in used]
    labels = [every[number][1] for number in used]
    rows = _with_nights(rows, labels)
    bars = {name: {place[k]: bar for k, bar in drawn[name].items()} for name in names}
    dates = {name: every[number][1] for name, number in ends.items()}
    actions, frame = draw(_actions(names, rows, labels, sessions, dates))
    closes = numbers(sessions["regular_close"])
    world = World(rows, bars, actions, lambda instant: bisect_right(closes, instant))
    return Scene(world, _frame(bars, rows, labels), frame, interval, labels)


@st.composite
def _ends(
    draw: Any, names: list[str], every: list[tuple[Row, pd.Timestamp]], sessions: Any
) -> dict[str, int]:
    """Draw the session's first row at which a symbol is delisted, for a few of them."""
    opens = set(numbers(sessions["regular_open"]))
    first = every[0][1]
    opening = [k for k, (row, day) in enumerate(every) if row.start in opens and day > first]
    found = {}
    for name in names:
        if opening and draw(st.integers(0, 4)) == 0:
            found[name] = draw(st.sampled_from(opening))
    return found


@st.composite
def _actions(
    draw: Any, names: list[str], rows: list[Row], labels: list, sessions: Any, ends: dict[str, Any]
) -> Any:
    found, records = [], []
    dates = {label for label in labels if label > labels[0]} | set(ends.values())
    for date in sorted(dates):
        for name in names:
            kind = draw(st.sampled_from([None] * 8 + ["SPLIT", "CASH_DIVIDEND"]))
            kind = "DELISTING" if ends.get(name) == date else kind
            if kind is None:
                continue
            opened = numbers(sessions.loc[[date], "regular_open"])[0]
            # A row after hours bears the next session's label, but the shares are still the old ones.
            row = next((k for k, row in enumerate(rows) if row.start >= opened), None)
            if row is None:
                continue
            brings = (
                draw(st.sampled_from([math.nan, 0.0, 7.5])) if kind == "DELISTING" else math.nan
            )
            ratio = draw(st.sampled_from([2.0, 4.0, 0.5])) if kind == "SPLIT" else 1.0
            dividend = 0.25 if kind == "CASH_DIVIDEND" else 0.0
            at = min(opened, rows[row].start)
            found.append(Action(row, at, name, ratio, dividend, kind == "DELISTING", brings))
            records.append(
                {
                    "symbol": name,
                    "action_type": kind,
                    "ex_date": date,
                    "ratio": ratio if kind == "SPLIT" else math.nan,
                    "amount": brings if kind == "DELISTING" else dividend or math.nan,
                    "known_at": pd.NaT,
                }
            )
    columns = ["symbol", "action_type", "ex_date", "ratio", "amount", "known_at"]
    return found, pd.DataFrame(records, columns=columns)


def _frame(bars: Any, rows: list[Row], labels: list[pd.Timestamp]) -> pd.DataFrame:
    records = [
        {
            "symbol": name,
            "start": rows[number].start,
            "session": labels[number],
            "open": bar.open,
            "high": bar.high,
            "low": bar.low,
            "close": bar.close,
            "volume": bar.volume,
        }
        for name, by_row in bars.items()
        for number, bar in sorted(by_row.items())
    ]
    frame = pd.DataFrame(records)
    return frame.assign(timestamp=instants(frame["start"].to_numpy()))


rules = st.builds(
    Rules,
    cash=st.sampled_from([100.0, 1_000.0, 10_000.0]),
    fill=st.sampled_from(["next_open", "next_open", "next_close", "same_close"]),
    size_at=st.sampled_from(["fill", "decision"]),
    limit_fill=st.sampled_from(["touch", "through"]),
    fractional=st.booleans(),
    partial_on_cash=st.booleans(),
    fee_rate=st.sampled_from([0.0, 0.001, 0.03]),
    fee_per_share=st.just(0.0),
    slip=st.sampled_from([0.0, 0.0, 0.01]),
    delay=st.sampled_from([0, 0, 0, 1, 2]),
) | st.builds(
    Rules,
    cash=st.sampled_from([100.0, 1_000.0, 10_000.0]),
    fractional=st.booleans(),
    fee_per_share=st.sampled_from([0.005, 0.25]),
    fee_minimum=st.sampled_from([0.0, 1.0]),
    fee_maximum=st.sampled_from([2.0, math.inf]),
)

margins = st.builds(
    Rules,
    cash=st.sampled_from([100.0, 1_000.0]),
    fill=st.sampled_from(["next_open", "next_open", "next_close", "same_close"]),
    size_at=st.sampled_from(["fill", "fill", "decision"]),
    fractional=st.booleans(),
    partial_on_cash=st.booleans(),
    fee_rate=st.sampled_from([0.0, 0.001, 0.03]),
    fee_minimum=st.sampled_from([0.0, 0.0, 1.0]),
    slip=st.sampled_from([0.0, 0.0, 0.01]),
    sell_rate=st.sampled_from([0.0, 0.002]),
    sell_per_share=st.sampled_from([0.0, 0.1]),
    sell_maximum=st.sampled_from([0.5, math.inf]),
    margin=st.just(True),
    leverage=st.sampled_from([1.0, 2.0, 4.0]),
    borrow_rate=st.sampled_from([0.0, 0.36]),
    credit_rate=st.sampled_from([0.0, 0.1]),
    debit_rate=st.sampled_from([0.0, 0.2]),
    keep_long=st.sampled_from([None, 0.25, 0.25, 0.6]),
    keep_short=st.sampled_from([0.3, 0.5, 1.2]),
)
