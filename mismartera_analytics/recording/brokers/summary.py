"""What an import did, to be read on a screen or in a notebook."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import pandas as pd

from mismartera_analytics.recording.brokers.statement import Skipped

__all__ = ["Imported", "skipped_frame"]

SHOWN = 8
"""Skipped rows that are listed on the screen; the frame has all."""


@dataclass(frozen=True)
class Imported:
    """What an import wrote, what was there, and what it left out.

    Attributes
    ----------
    account_id
        The account that was written to.
    files
        Names of the files.
    orders, fills, flows, actions
        Rows that are new: orders, their fills, cash flows, splits and changes of symbol.
    updated
        Orders that went on since they were recorded.
    known
        Rows that were recorded already, or stand in several of the files.
    days_only
        New orders and flows of which the file tells the day only: their time is its session's close.
    skipped
        Rows that are not recorded: ``file, row, what, symbol, amount, reason``; ``amount`` is the
        money that they moved [currency].
    notes
        Sentences about what else should be known.
    """

    account_id: int
    files: tuple[str, ...]
    orders: int
    fills: int
    flows: int
    actions: int
    updated: int
    known: int
    days_only: int
    skipped: pd.DataFrame
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        lines = [f"{self._title()}:", *(f"  {name:<8} {text}" for name, text in self._counts())]
        lines += [f"    {text}" for text in self._skipped_lines()]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th>"
            f"<td style='text-align:left'>{escape(text)}</td></tr>"
            for name, text in self._counts()
        )
        below = "".join(
            f"<li>{escape(text)}</li>" for text in [*self._skipped_lines(), *self.notes]
        )
        listed = f"<ul>{below}</ul>" if below else ""
        return f"<div><p>{escape(self._title())}</p><table>{rows}</table>{listed}</div>"

    def _title(self) -> str:
        several = f"{len(self.files)} files" if len(self.files) > 3 else ", ".join(self.files)
        return f"Imported {several} into account {self.account_id}"

    def _counts(self) -> list[tuple[str, str]]:
        names = (("order", self.orders), ("fill", self.fills), ("cash flow", self.flows),
                 ("corporate action", self.actions))  # fmt: skip
        new = [f"{count} {name}{'' if count == 1 else 's'}" for name, count in names if count]
        told = [("new", ", ".join(new) or "nothing")]
        if self.updated:
            told.append(("updated", f"{self.updated} orders went on"))
        if self.known:
            told.append(("known", f"{self.known} rows were recorded already"))
        if self.days_only:
            rows = "row has" if self.days_only == 1 else "rows have"
            told.append(("days", f"{self.days_only} {rows} no time of day; the close is taken"))
        if len(self.skipped):
            money = self.skipped["amount"].sum()
            amount = f", which moved {money:,.2f}" if self.skipped["amount"].notna().any() else ""
            told.append(("skipped", f"{len(self.skipped)} rows{amount}"))
        if self.orders or self.fills or self.updated:
            number = self.account_id
            refresh = f"ma.refresh_positions({number}), or refresh-positions --account {number},"
            told.append(("next", f"{refresh} takes it into positions"))
        return told

    def _skipped_lines(self) -> list[str]:
        lines = []
        for row in self.skipped.head(SHOWN).to_dict("records"):
            symbol = "" if pd.isna(row["symbol"]) else f" {row['symbol']}"
            lines.append(f"{row['file']} {row['row']}: {row['what']}{symbol}: {row['reason']}")
        rest = len(self.skipped) - SHOWN
        return lines + ([f"and {rest} more in .skipped"] if rest > 0 else [])


def skipped_frame(rows: list[Skipped]) -> pd.DataFrame:
    """Return skipped rows as the frame of `Imported.skipped`."""
    columns = {
        "file": [row.place.file for row in rows],
        "row": [row.place.row for row in rows],
        "what": [row.what for row in rows],
        "symbol": [row.symbol for row in rows],
        "amount": [row.amount for row in rows],
        "reason": [row.reason for row in rows],
    }
    texts = ("file", "row", "what", "symbol", "reason")
    return pd.DataFrame(columns).astype(dict.fromkeys(texts, "str") | {"amount": "float64"})
