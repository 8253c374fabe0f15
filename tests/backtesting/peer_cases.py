"""What is compared with other backtesters: instructions worked out beforehand, and their rules.

A case is a list of instructions, each decided at the end of a row, so that every engine is told the
same and only the way it fills, sizes, charges and values can differ. `play` gives them to ours,
``tools/compare_backtest_peers.py`` to the peers. How each peer's rules were set equal stands in
``docs/decisions/0048-agreement-with-other-backtesters.md``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

import mismartera_analytics as ma
from mismartera_analytics.backtesting.costs import Proportional
from mismartera_analytics.backtesting.indicators import sma

CASH = 100_000.0
FEE = 0.001
UNITS = 100


@dataclass(frozen=True)
class Instruction:
    """An order decided at the end of `row`.

    `sizing`: ``units``, ``all`` cash, ``percent`` of the account, ``target`` weight, or ``close``.
    `only_if`: ``flat`` (neither a position nor a working order) or ``held``.
    """

    row: int
    symbol: str
    sizing: str
    size: float = 0.0
    side: str = "BUY"
    only_if: str = ""
    price: float | None = None
    stop_price: float | None = None
    time_in_force: str = "DAY"
    stop_loss: float | None = None
    take_profit: float | None = None


@dataclass(frozen=True)
class Case:
    """Instructions and rules; `bars` are adjusted for splits, since no peer knows any."""

    name: str
    bars: pd.DataFrame
    instructions: tuple[Instruction, ...]
    interval: str = "1d"
    fee: float = 0.0
    fill: str = "next_open"
    size_at: str = "fill"
    fractional: bool = False
    bracket_from: str = ""

    def described(self) -> dict[str, Any]:
        """Return what a peer is told, as JSON values."""
        told = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "bars"}
        told["instructions"] = [dataclasses.asdict(item) for item in self.instructions]
        return {**told, "cash": CASH}


def adjusted(bars: pd.DataFrame, actions: pd.DataFrame) -> pd.DataFrame:
    """Return bars in the shares of their end."""
    kept = bars.reset_index(drop=True).astype({"volume": float})
    for action in actions[actions["action_type"] == "SPLIT"].itertuples():
        rows = (kept["symbol"] == action.symbol) & (kept["session"] < action.ex_date)
        kept.loc[rows, ["open", "high", "low", "close"]] /= action.ratio
        kept.loc[rows, "volume"] *= action.ratio
    return kept


def crossings(closes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows at which the mean of 20 closes comes above that of 50, and below."""
    fast, slow = sma(closes, window=20), sma(closes, window=50)
    above = fast > slow
    up = np.flatnonzero(above[1:] & ~above[:-1]) + 1
    down = np.flatnonzero(~above[1:] & above[:-1] & ~np.isnan(slow[:-1])) + 1
    return up, down


def opens_past_target(item: Instruction, bars: pd.DataFrame) -> bool:
    """Tell whether the bar that ends a bracket opens at its target or above and reaches its stop.

    The open comes first, so the target fills; the peers look at the stop before.
    """
    opened, high, low = (bars[name].to_numpy() for name in ("open", "high", "low"))
    for first in (item.row + 1, item.row + 2):
        is_out = (low[first:] <= item.stop_loss) | (high[first:] >= item.take_profit)
        if is_out.any():
            row = first + int(np.argmax(is_out))
            if opened[row] >= item.take_profit and low[row] <= item.stop_loss:
                return True
    return False


def single_cases(symbol: str, bars: pd.DataFrame, source: str) -> Iterator[Case]:
    """Give every case of one symbol's daily bars."""
    closes = bars["close"].to_numpy()
    opens = bars["open"].to_numpy()
    last = len(bars) - 1
    up, down = crossings(closes)
    up, down = up[up < last], down[down < last]

    def case(name: str, instructions: list[Instruction], **rules: Any) -> Case:
        ordered = tuple(sorted(instructions, key=lambda item: item.row))
        return Case(f"{name}, {symbol}, {source}", bars, ordered, **rules)

    def entries(rows: np.ndarray, sizing: str, size: float = 0.0) -> list[Instruction]:
        return [Instruction(int(r), symbol, sizing, size, only_if="flat") for r in rows]

    leave = [Instruction(int(r), symbol, "close", only_if="held") for r in down]
    hold = [Instruction(1, symbol, "all")]
    yield case("buy and hold", hold, fee=FEE)
    yield case("buy and hold, at the close", hold, fee=FEE, fill="same_close", fractional=True)
    cross = entries(up, "all") + leave
    yield case("crossover", cross, fee=FEE)
    yield case("crossover, at the close", cross, fee=FEE, fill="same_close", fractional=True)
    half = entries(up, "percent", 0.5) + leave
    yield case("half of the account", half)
    yield case("half of the account, sized at the decision", half, size_at="decision", fee=FEE)

    def below(row: int, by: float) -> float:
        return round(float(closes[row]) * by, 4)

    every = np.arange(60, last - 1, 7)
    resting = [
        dataclasses.replace(item, price=below(item.row, 0.97), time_in_force="GTC")
        for item in entries(every, "units", UNITS)
    ]
    yield case("limits until filled", resting + leave, fee=FEE)
    for_a_day = [
        dataclasses.replace(item, price=below(item.row, 0.99))
        for item in entries(every, "units", UNITS)
    ]
    yield case("limits for a day", for_a_day + leave, fee=FEE)
    stops = [
        dataclasses.replace(
            item, stop_price=below(item.row, 1.01), price=below(item.row, 1.02),
            time_in_force="GTC",
        )
        for item in entries(every, "units", UNITS)
    ]  # fmt: skip
    yield case("stop-limits", stops + leave, fee=FEE)
    calm = [
        dataclasses.replace(item, time_in_force="DAY")
        for item in stops
        if item.stop_price is not None and opens[item.row + 1] < item.stop_price
    ]
    yield case("stop-limits for a day, no gaps", calm + leave, fee=FEE)
    guarded = [
        dataclasses.replace(
            item, stop_loss=below(item.row, 0.97), take_profit=below(item.row, 1.04)
        )
        for item in entries(every, "units", UNITS)
        if closes[item.row] * 0.975 < opens[item.row + 1] < closes[item.row] * 1.035
    ]
    guarded = [item for item in guarded if not opens_past_target(item, bars)]
    yield case("brackets from the entry bar", guarded, fee=FEE, bracket_from="entry_bar")
    yield case("brackets from the next bar", guarded, fee=FEE, bracket_from="next_bar")


def sample_cases(bars: pd.DataFrame, actions: pd.DataFrame) -> Iterator[Case]:
    """Give the cases on the sample bars (`frames.BARS`, as traded)."""
    kept = adjusted(bars, actions)
    for symbol, part in kept.groupby("symbol"):
        yield from single_cases(str(symbol), part.reset_index(drop=True), "sample bars")
    yield from monthly_cases(kept, "sample bars")


def hourly_case(symbol: str, bars: pd.DataFrame, source: str) -> Case:
    """Give limits for a day on hours, early closes among them."""
    closes = bars["close"].to_numpy()
    instructions = []
    for row in range(1, len(bars) - 1):
        if row % 3 == 0:
            limit = round(float(closes[row]) * 0.997, 4)
            terms: dict[str, Any] = {"only_if": "flat", "price": limit}
            instructions.append(Instruction(row, symbol, "units", UNITS, **terms))
        elif row % 11 == 0:
            instructions.append(Instruction(row, symbol, "close", only_if="held"))
    return Case(
        f"limits for a day, hours, {symbol}, {source}",
        bars,
        tuple(instructions),
        interval="1h",
        fee=FEE,
    )


def monthly_cases(bars: pd.DataFrame, source: str) -> Iterator[Case]:
    """Give the cases of a monthly rebalance of all symbols, from when all of them trade."""
    symbols = sorted(bars["symbol"].unique())
    first = bars.groupby("symbol")["session"].min().max()
    kept = bars[bars["session"] >= first].reset_index(drop=True)
    labels = pd.DatetimeIndex(np.sort(kept["session"].unique()))
    months = labels.to_period("M")
    rows = np.flatnonzero(months[:-1] != months[1:])
    rows = rows[rows < len(labels) - 2]
    # The weights leave room for the fees: what happens when cash falls short is each engine's own.
    targets = tuple(
        Instruction(int(row), symbol, "target", 0.98 / len(symbols))
        for row in rows
        for symbol in symbols
    )
    at_close: dict[str, Any] = {"fill": "same_close", "fractional": True}
    yield Case(f"equal weights monthly, {source}", kept, targets, fee=FEE, fractional=True)
    yield Case(
        f"equal weights monthly, whole shares, {source}", kept, targets, fee=FEE, size_at="decision"
    )
    yield Case(f"equal weights monthly, at the close, {source}", kept, targets, fee=FEE, **at_close)
    yield Case(f"equal weights monthly, at the close, no fees, {source}", kept, targets, **at_close)


class Player(ma.Strategy):
    """Places a case's instructions when their row is done."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self._by_row: dict[int, list[Instruction]] = {}
        for item in case.instructions:
            self._by_row.setdefault(item.row, []).append(item)

    def on_bar(self, ctx: Any) -> None:
        for item in self._by_row.get(ctx.row, ()):
            held, works = ctx.position(item.symbol), ctx.working(item.symbol)
            if item.only_if == "flat" and (held != 0 or works):
                continue
            if item.only_if == "held" and held == 0:
                continue
            self._place(ctx, item)

    def _place(self, ctx: Any, item: Instruction) -> None:
        names = ("price", "stop_price", "stop_loss", "take_profit")
        terms: dict[str, Any] = {
            name: getattr(item, name) for name in names if getattr(item, name) is not None
        }
        terms["time_in_force"] = item.time_in_force
        place = ctx.buy if item.side == "BUY" else ctx.sell
        if item.sizing == "close":
            ctx.close(item.symbol)
        elif item.sizing == "target":
            ctx.target_percent(item.symbol, item.size)
        elif item.sizing == "all":
            place(item.symbol, **terms)
        elif item.sizing == "percent":
            place(item.symbol, percent=item.size, **terms)
        else:
            place(item.symbol, item.size, **terms)


def play(case: Case, calendar: Any) -> tuple[pd.DataFrame, np.ndarray]:
    """Run a case here: its fills as ``row, symbol, quantity, price``, and the equity of each row."""
    rules: dict[str, Any] = {"bracket_from": case.bracket_from} if case.bracket_from else {}
    result = ma.backtest(
        Player(case), interval=case.interval, cash=CASH, bars=case.bars, calendar=calendar,
        commission=Proportional(case.fee), fill=case.fill, size_at=case.size_at,
        fractional=case.fractional, count=False, **rules,
    )  # fmt: skip
    fills = result.fills
    row = result._simulation.filled["row"][fills["fill_id"].to_numpy(dtype=np.int64) - 1]
    signed = np.where(fills["side"] == "BUY", fills["quantity"], -fills["quantity"])
    table = pd.DataFrame(
        {"row": row, "symbol": fills["symbol"], "quantity": signed, "price": fills["price"]}
    )
    return ordered(table), result.equity["equity"].to_numpy()


def ordered(fills: pd.DataFrame) -> pd.DataFrame:
    """Sort fills so that two engines' can be compared: by row, then symbol, purchases first."""
    return fills.sort_values(
        ["row", "symbol", "quantity"], ascending=[True, True, False], ignore_index=True
    )
