"""The items behind a cell of the PnL frame, from an account's journal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mismartera_analytics.ledger.explanation import PART_COLUMNS, parts_frame
from mismartera_analytics.ledger.journal import CASH, Journal

__all__ = ["FORMULAS", "Period", "pnl_parts"]

FORMULAS = {
    "begin_value": "what was held at the former row's end, at its closes",
    "flows": "what came in less what went out",
    "realized": "quantity × (exit price − entry price) of each lot closed",
    "unrealized": "open gain at the end − open gain at the start − gain brought by transfers",
    "dividends": "dividends and interest",
    "fees": "commissions and fees",
    "total": "realized + unrealized + dividends − fees",
    "cumulative": "total of every row of the range so far",
    "end_value": "what is held at the row's end, at its closes",
    "price_age": "sessions since the bar of the oldest price used",
}
"""What each column of the PnL frame means."""


@dataclass(frozen=True)
class Period:
    """Rows of the grid that a row of the PnL frame covers.

    Attributes
    ----------
    start, end
        First and last one.
    range_start
        First one of the whole range asked for.
    """

    start: int
    end: int
    range_start: int


def pnl_parts(
    journal: Journal, column: str, period: Period, *, symbol: str | None = None
) -> tuple[pd.DataFrame, float]:
    """Return the items of a cell and what they make.

    Parameters
    ----------
    journal
        Of the account.
    column
        One of `FORMULAS`.
    period
        The row's sessions.
    symbol
        A ticker, `journal.CASH`, or None for the whole account.

    Returns
    -------
    parts
        `explanation.PART_COLUMNS`.
    computed
        Their sum, or for ``price_age`` the greatest; NaN where a price lacks.
    """
    parts = _builders()[column](_Cell(journal, period, symbol))
    amounts = parts["amount"].to_numpy(np.float64)
    if column == "price_age":
        computed = np.nan if (amounts < 0).any() else max(amounts, default=0.0)
        return parts, float(computed)
    return parts, float(np.sum(amounts))


@dataclass(frozen=True)
class _Cell:
    journal: Journal
    period: Period
    symbol: str | None

    def items(self, column: str, first: int, last: int, *, sign: float = 1.0) -> pd.DataFrame:
        """Return the items of a column from one row of the grid to another, both included."""
        table = self.journal.items
        own = _of_owner(table, column, self.symbol)
        own = own.loc[(own["row"] >= first) & (own["row"] <= last)]
        own = own.assign(amount=sign * own["amount"])
        return own.sort_values(["row", "at"], kind="stable")[list(PART_COLUMNS)]

    def lots(self, row: int) -> pd.DataFrame:
        if self.symbol == CASH or row < 0:
            return self.journal.lots(None, -1)
        return self.journal.lots(self.symbol, row)

    def values(self, row: int) -> pd.DataFrame:
        """Return what is held at a session's end: lots at its closes, and cash."""
        held = self._at_closes(row, "held", sign=1.0, less_cost=False)
        if self.symbol is not None and self.symbol != CASH:
            return held
        cash = _Cell(self.journal, self.period, CASH)
        moves = [
            cash.items("flows", 0, row),
            cash.items("dividends", 0, row),
            cash.items("fees", 0, row, sign=-1.0),
        ]
        return _stacked(held, *moves)

    def gains(self, row: int, *, sign: float) -> pd.DataFrame:
        """Return the open gain of each lot at a session's end."""
        word = "open gain at the end" if sign > 0 else "less open gain at the start"
        return self._at_closes(row, word, sign=sign, less_cost=True)

    def _at_closes(self, row: int, word: str, *, sign: float, less_cost: bool) -> pd.DataFrame:
        lots = self.lots(row)
        rows = []
        for lot in lots.to_dict("records"):
            price, age = self.journal.mark(lot["symbol"], row)
            label = self.journal.grid[row].astype("datetime64[D]")
            old = f", {age} sessions old" if age > 0 else " is missing" if age < 0 else ""
            cost = lot["entry_price"] if less_cost else 0.0
            entry = f", entered at {lot['entry_price']:,.2f}" if less_cost else ""
            rows.append(
                {
                    "what": f"{word}{entry}", "symbol": lot["symbol"], "at": lot["entry_at"],
                    "quantity": lot["quantity"], "price": price,
                    "amount": sign * lot["quantity"] * lot["multiplier"] * (price - cost),
                    "source": f"{lot['source']}; close of {label}{old}",
                }
            )  # fmt: skip
        return parts_frame(rows)

    def ages(self) -> pd.DataFrame:
        """Return how old each price used at the end is."""
        rows = []
        for symbol in dict.fromkeys(self.lots(self.period.end)["symbol"]):
            price, age = self.journal.mark(symbol, self.period.end)
            known = {"symbol": symbol, "price": price, "amount": float(age)}
            rows.append(known | {"what": "age of the price", "source": "bar store"})
        return parts_frame(rows)


def _of_owner(table: pd.DataFrame, column: str, symbol: str | None) -> pd.DataFrame:
    """Return the items of an account, a symbol or the cash.

    What a symbol's purchases cost is a flow into the symbol, and one out of the account's cash; for
    the whole account it is none.
    """
    chosen = table.loc[table["column"] == column]
    if symbol is None:
        return chosen.loc[chosen["is_external"]] if column == "flows" else chosen
    if symbol != CASH:
        return chosen.loc[chosen["symbol"] == symbol]
    own = chosen.loc[chosen["symbol"] == CASH]
    if column != "flows":
        return own
    paid = chosen.loc[(chosen["symbol"] != CASH) & ~chosen["is_external"]]
    return pd.concat([own, paid.assign(amount=-paid["amount"])])


def _stacked(*tables: pd.DataFrame) -> pd.DataFrame:
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else parts_frame([])


def _profit(cell: _Cell, first: int, last: int) -> pd.DataFrame:
    return _stacked(
        cell.items("realized", first, last),
        _unrealized(cell, first, last),
        cell.items("dividends", first, last),
        cell.items("fees", first, last, sign=-1.0),
    )


def _unrealized(cell: _Cell, first: int, last: int) -> pd.DataFrame:
    return _stacked(
        cell.gains(last, sign=1.0),
        cell.gains(first - 1, sign=-1.0),
        cell.items("brought", first, last, sign=-1.0),
    )


def _builders() -> dict[str, Callable[[_Cell], pd.DataFrame]]:
    def between(column: str) -> Callable[[_Cell], pd.DataFrame]:
        return lambda cell: cell.items(column, cell.period.start, cell.period.end)

    return {
        "begin_value": lambda cell: cell.values(cell.period.start - 1),
        "flows": between("flows"),
        "realized": between("realized"),
        "unrealized": lambda cell: _unrealized(cell, cell.period.start, cell.period.end),
        "dividends": between("dividends"),
        "fees": between("fees"),
        "total": lambda cell: _profit(cell, cell.period.start, cell.period.end),
        "cumulative": lambda cell: _profit(cell, cell.period.range_start, cell.period.end),
        "end_value": lambda cell: cell.values(cell.period.end),
        "price_age": lambda cell: cell.ages(),
    }
