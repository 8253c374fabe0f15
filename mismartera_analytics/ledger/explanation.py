"""What stands behind one number: its items, its formula, and whether they add up to it."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

__all__ = ["PART_COLUMNS", "Explanation", "parts_frame"]

PART_COLUMNS = ("what", "symbol", "at", "quantity", "price", "amount", "source")
TOLERANCE = 1e-9
SHOWN = 12
_NUMBERS = ("quantity", "price", "amount")


def parts_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return items as a frame with the columns `PART_COLUMNS`.

    Parameters
    ----------
    rows
        Of each item what is known: ``what, symbol, at, quantity, price, amount, source``.
    """
    table = pd.DataFrame([dict(row) for row in rows], columns=list(PART_COLUMNS))
    kinds = {"what": "str", "symbol": "str", "source": "str"}
    kinds |= dict.fromkeys(("quantity", "price", "amount"), "float64")
    table = table.astype(kinds)
    table["at"] = pd.to_datetime(table["at"], utc=True).astype("datetime64[us, UTC]")
    return table


@dataclass(frozen=True)
class Explanation:
    """One cell of a frame, and what it is made of.

    Printed, it is a text; in a notebook, a table.

    Attributes
    ----------
    frame, keys, column
        Which cell.
    value
        What the frame says [`unit`]; NaN where it says nothing.
    computed
        What the formula makes of the items, added up one by one and independently of the frame.
    formula
        How the items make the value.
    unit
        Such as a currency.
    parts
        The items: ``what``, ``symbol``, ``at`` (UTC), ``quantity`` [shares], ``price``
        [currency/share], ``amount`` [`unit`], ``source`` (the row or bar that it was taken from).
    fills, lots, prices, flows, actions
        The records behind the items: executions, lots open at the start or end, closes used, cash
        flows, corporate actions. Empty where none is.
    notes
        What one should know besides.
    """

    frame: str
    keys: Mapping[str, Any]
    column: str
    value: float
    computed: float
    formula: str
    unit: str
    parts: pd.DataFrame
    fills: pd.DataFrame = field(default_factory=pd.DataFrame)
    lots: pd.DataFrame = field(default_factory=pd.DataFrame)
    prices: pd.DataFrame = field(default_factory=pd.DataFrame)
    flows: pd.DataFrame = field(default_factory=pd.DataFrame)
    actions: pd.DataFrame = field(default_factory=pd.DataFrame)
    notes: tuple[str, ...] = ()

    @property
    def difference(self) -> float:
        """What the items make less what the frame says [`unit`]; 0 where both are missing."""
        if math.isnan(self.value) and math.isnan(self.computed):
            return 0.0
        return self.computed - self.value

    @property
    def adds_up(self) -> bool:
        """Whether the items make the value, to 1e-9 of the largest amount among them."""
        amounts = self.parts["amount"].abs().dropna()
        largest = max(abs(self.value), amounts.max() if len(amounts) else 0.0, 1e-9)
        if math.isnan(self.difference):
            return False
        return abs(self.difference) <= TOLERANCE * (largest if math.isfinite(largest) else 1.0)

    @property
    def title(self) -> str:
        """The cell in words."""
        told = ", ".join(f"{name} {value}" for name, value in self.keys.items())
        return f"{self.column} of {self.frame}: {told}"

    @property
    def verdict(self) -> str:
        """Whether the items make the value, in words."""
        if math.isnan(self.value) and math.isnan(self.computed):
            return "The value is missing, because what it is made of is."
        count = f"{len(self.parts)} item" + ("" if len(self.parts) == 1 else "s")
        if self.adds_up:
            return (
                f"The {count} add up to it." if len(self.parts) != 1 else "The item is all of it."
            )
        return f"The {count} make {_number(self.computed)}: {_number(self.difference)} off."

    def __str__(self) -> str:
        shown = _shown(self.parts)
        lines = [self.title, f"  {_number(self.value)} {self.unit} = {self.formula}"]
        if len(shown):
            lines += ["  " + line for line in shown.to_string(index=False).splitlines()]
        if len(self.parts) > len(shown):
            lines.append(f"  … and {len(self.parts) - len(shown)} more, all in .parts")
        return "\n".join([*lines, f"  {self.verdict}", *(f"  Note: {note}" for note in self.notes)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        shown = _shown(self.parts)
        more = len(self.parts) - len(shown)
        mark = "✓" if self.adds_up else "✗"
        pieces = [
            f"<h4>{html.escape(self.title)}</h4>",
            f"<p><b>{html.escape(_number(self.value))} {html.escape(self.unit)}</b> = "
            f"{html.escape(self.formula)}</p>",
            _table(shown) if len(shown) else "",
            f"<p>… and {more} more, all in <code>.parts</code></p>" if more else "",
            f"<p>{mark} {html.escape(self.verdict)}</p>",
            *(f"<p><i>{html.escape(note)}</i></p>" for note in self.notes),
        ]
        return f'<div class="mismartera-explanation">{"".join(pieces)}</div>'


def _shown(parts: pd.DataFrame) -> pd.DataFrame:
    """Return the first items as text, without the columns that say nothing."""
    shown = parts.head(SHOWN).copy()
    shown["quantity"] = shown["quantity"].map(
        lambda value: "" if pd.isna(value) else f"{value:,.10g}"
    )
    for name in ("price", "amount"):
        shown[name] = shown[name].map(_number)
    shown["at"] = shown["at"].dt.strftime("%Y-%m-%d %H:%M").fillna("")
    shown = shown.fillna("")
    return shown.loc[:, [name for name in shown.columns if (shown[name] != "").any()]]


def _table(shown: pd.DataFrame) -> str:
    """Return items as an HTML table: words to the left, numbers to the right."""

    def row(tag: str, cells: Sequence[str]) -> str:
        told = (
            f'<{tag} style="text-align:{"right" if name in _NUMBERS else "left"}">'
            f"{html.escape(str(cell))}</{tag}>"
            for name, cell in zip(shown.columns, cells, strict=True)
        )
        return f"<tr>{''.join(told)}</tr>"

    rows = [row("td", list(cells)) for cells in shown.itertuples(index=False, name=None)]
    return f"<table>{row('th', list(shown.columns))}{''.join(rows)}</table>"


def _number(value: float) -> str:
    if math.isnan(value):
        return ""
    return f"{value:,.2f}" if abs(value) >= 0.005 or value == 0 else f"{value:.6g}"
