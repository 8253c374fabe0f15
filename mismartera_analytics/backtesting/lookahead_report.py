"""What a check for look-ahead found."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

__all__ = ["LookaheadReport", "Status"]

Status = Literal["clean", "looks ahead", "not checkable"]
_SHOWN = 8  # findings in the plain form


@dataclass(frozen=True, eq=False)
class LookaheadReport:
    """Whether decisions depend on what came after them.

    Attributes
    ----------
    status
        ``"clean"``: nothing that was compared changed with the future. ``"looks ahead"``: something
        did. ``"not checkable"``: nothing can be said, and `notes` tell why.
    subject
        What was checked.
    findings
        As `frames.LOOKAHEAD`: a row for each indicator, order, weight, signal or universe that changed.
    checked
        As `frames.LOOKAHEAD_CHECKED`: what was compared, and how often.
    notes
        What a reader must know, a sentence each.
    cuts
        Instants after which the future was replaced.
    reruns
        How many futures were tried.
    tolerance
        Numbers count as the same within this part of them, or of their column's median size [1].
    seed
        Of the cuts, of the futures and of ``ctx.random``.
    """

    status: Status
    subject: str
    findings: pd.DataFrame
    checked: pd.DataFrame
    notes: tuple[str, ...]
    cuts: tuple[pd.Timestamp, ...]
    reruns: int
    tolerance: float
    seed: int

    @property
    def clean(self) -> bool:
        """Whether it could be checked and nothing changed."""
        return self.status == "clean"

    @property
    def headline(self) -> str:
        """The answer, in a sentence."""
        if self.status == "clean":
            many = _many(self.reruns, "rerun")
            return f"{self.subject}: clean. Nothing changed with the future in {many}."
        if self.status == "looks ahead":
            return f"{self.subject}: looks ahead. {_many(len(self.findings), 'finding')}:"
        return f"{self.subject}: not checkable."

    def __str__(self) -> str:
        lines = [self.headline]
        lines += [f"  - {text}" for text in self._told(_SHOWN)]
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join([*lines, self._scope()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self.notes)
        table = self.findings if len(self.findings) else self.checked
        return (
            f"<p><b>{html.escape(self.headline)}</b></p>"
            f"{table.to_html(max_rows=20, notebook=True) if len(table) else ''}"
            f"<ul>{notes}</ul><p>{html.escape(self._scope())}</p>"
        )

    def _told(self, most: int) -> list[str]:
        told = [_sentence(row) for row in self.findings.head(most).itertuples()]
        more = len(self.findings) - len(told)
        return [*told, f"and {more} more in .findings"] if more > 0 else told

    def _scope(self) -> str:
        compared = ", ".join(
            f"{_many(int(count), 'value')} of {kind}"
            for kind, count in self.checked.groupby("kind", sort=False)["values"].sum().items()
        )
        return (
            f"Compared: {compared or 'nothing'}; {_many(len(self.cuts), 'cut')}, "
            f"{_many(self.reruns, 'rerun')}, tolerance {self.tolerance:g}, seed {self.seed}."
        )


def _sentence(row: Any) -> str:
    what = " ".join(
        part for part in (row.kind, row.name, row.symbol and f"of {row.symbol}") if part
    )
    if row.kind == "fill":
        return f"{what}: {row.new}."
    if not row.future:
        return f"{what}, {row.old} on {row.session:%Y-%m-%d}: {row.new}."
    return (
        f"{what} on {row.session:%Y-%m-%d}, bar of {row.timestamp:%H:%M} UTC: {row.old} became "
        f"{row.new} when the bars after {row.changed_after:%Y-%m-%d %H:%M} UTC were {row.future}; at "
        f"least {_many(row.bars_ahead, 'bar')} ahead, in {row.changed} of {_many(row.reruns, 'rerun')}."
    )


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
