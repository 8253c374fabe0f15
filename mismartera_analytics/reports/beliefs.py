"""How far a backtest can be believed: trials, ambiguous fills, look-ahead, stress."""

from __future__ import annotations

from typing import Any

from mismartera_analytics.figures.style import amount, percent
from mismartera_analytics.reports import sections, views
from mismartera_analytics.reports.content import Ambiguity, Lookahead, TearSheetContent
from mismartera_analytics.reports.outline import Block, Cards, Section
from mismartera_analytics.reports.views import Card, Cell, Head, TableView, Tone

__all__ = ["ambiguity_card", "lookahead_card", "section_of"]

PATHS = {
    "pessimistic": "Pessimistic: the worse of the two first",
    "ohlc": "Open, high, low, close or the other way, whichever is shorter",
    "best": "Best: the better of the two first",
}
_TONES: dict[str, Tone] = {
    "clean": "",
    "looks ahead": "loss",
    "not checkable": "",
    "not checked": "muted",
}


def section_of(content: TearSheetContent) -> Section | None:
    """Return the section on how far to believe a backtest; None for what is none.

    Parameters
    ----------
    content
        What the tear sheet is about.

    Examples
    --------
    >>> section_of(TearSheetContent("An account"))
    """
    blocks: list[Block] = []
    shown = [*_trial_cards(content.credibility)]
    if content.ambiguity is not None:
        shown.append(ambiguity_card(content.ambiguity))
    if content.lookahead is not None:
        shown.append(lookahead_card(content.lookahead))
    if shown:
        blocks.append(Cards(shown, "How far to believe it"))
    if content.credibility is not None:
        blocks.append(
            sections.metric_view(
                content.credibility,
                None,
                description="The Sharpe ratio against the number of trials",
            )
        )
    if content.ambiguity is not None and len(content.ambiguity.bounds):
        blocks.append(bounds_view(content.ambiguity, content.currency))
    if content.stress is not None:
        blocks.append(sections.stress_view(content.stress))
    return Section("How far to believe it", blocks) if blocks else None


def _trial_cards(credibility: Any) -> list[Card]:
    """Return how many tries a backtest is one of, and what they leave of its Sharpe ratio."""
    if credibility is None:
        return []
    tries, deflated = credibility.loc["trials"], credibility.loc["deflated_sharpe_ratio"]
    return [
        Card("Trials", views.text_of(tries["value"], tries["unit"]), "", tries["note"]),
        Card(
            "Deflated Sharpe ratio",
            views.text_of(deflated["value"], deflated["unit"]),
            "",
            deflated["note"] or "probability that it is more than the luck of the best trial",
        ),
    ]


def ambiguity_card(found: Ambiguity) -> Card:
    """Return the share of fills that hung on the path inside their bar.

    Parameters
    ----------
    found
        Of a run.

    Examples
    --------
    >>> ambiguity_card(Ambiguity(200, 3)).value
    '1.5%'
    """
    note = f"{found.ambiguous:,} of {found.fills:,} hung on the path inside their bar"
    if not found.fills:
        note = "nothing was filled"
    if len(found.bounds) and found.ambiguous:
        low, high = found.bounds["total_return"].min(), found.bounds["total_return"].max()
        note += f"; total return {percent(low)} to {percent(high)}"
    return Card("Ambiguous fills", percent(found.share), "", note)


def lookahead_card(found: Lookahead) -> Card:
    """Return whether the strategy was checked for looking ahead, and what was said.

    Parameters
    ----------
    found
        Of a run.

    Examples
    --------
    >>> lookahead_card(Lookahead("not checked", call="ma.check_lookahead(s)")).note
    'run ma.check_lookahead(s)'
    """
    note = found.text or (f"run {found.call}" if found.call else "")
    return Card("Look-ahead", found.status.capitalize(), _TONES[found.status], note)


def bounds_view(found: Ambiguity, currency: str) -> TableView:
    """Return a run under each rule for the path of prices inside a bar."""
    rows = [
        [
            Cell(PATHS.get(str(path), str(path))),
            Cell(amount(float(row["final_equity"])), float(row["final_equity"])),
            views.signed_cell(row["total_return"], unit="fraction"),
            views.value_cell(row["fills"], decimals=0),
            views.value_cell(row["ambiguous"], decimals=0),
        ]
        for path, row in found.bounds.iterrows()
    ]
    heads = [
        Head("Path inside a bar"), Head("Final value", currency, "number"),
        Head("Total return", kind="number"), Head("Fills", kind="number"),
        Head("Ambiguous", kind="number"),
    ]  # fmt: skip
    note = (
        "Later decisions follow from the path: the ends bound a single trade, not every strategy."
        if found.ambiguous
        else "Nothing hung on the path: all three are one and the same run."
    )
    return TableView(heads, rows, note, kind="plain", description="The run by the path inside bars")
