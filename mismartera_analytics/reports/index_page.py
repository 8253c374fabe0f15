"""The index of a batch: first what needs attention, then every report with its headline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mismartera_analytics import __version__
from mismartera_analytics.figures.style import amount, percent
from mismartera_analytics.reports import views
from mismartera_analytics.reports.making import made_at
from mismartera_analytics.reports.page import environment, themes
from mismartera_analytics.reports.views import Card, Cell

if TYPE_CHECKING:
    from mismartera_analytics.reports.headline import Headline
    from mismartera_analytics.reports.storing import Entry

__all__ = ["render_index"]

MOST_LOSSES = 10
WIDTH, HEIGHT = 96, 26
"""Of a spark line [px]."""


@dataclass(frozen=True)
class Line:
    """One report in a table: its name, its files, its figures and the path of its spark line."""

    name: str
    user: str
    kind: str
    link: str
    others: tuple[tuple[str, str], ...]
    status: str
    spark: str
    tone: str
    figures: dict[str, Cell]
    told: tuple[str, ...] = ()


def render_index(entries: Sequence[Entry], *, period: str) -> str:
    """Return the index page as HTML text; every text of the entries is escaped.

    Parameters
    ----------
    entries
        Of the batch.
    period
        Of the accounts' reports, in words.
    """
    made = [entry for entry in entries if entry.outcome.error is None]
    failures = [entry for entry in entries if entry.outcome.error is not None]
    broken = [entry for entry in made if entry.outcome.headline.breaks]
    bare = [entry for entry in made if entry.outcome.headline.missing]
    remarked = [entry for entry in made if entry.outcome.headline.remarks]
    losses = sorted(
        (entry for entry in made if (entry.outcome.headline.day_pnl or 0.0) < 0),
        key=lambda entry: entry.outcome.headline.day_return or 0.0,
    )
    return environment().get_template("index.html.j2").render(
        cards=_cards(entries, failures, broken, bare, losses),
        period=period,
        sections=_sections(failures, broken, bare, remarked),
        losses=[_line(entry) for entry in losses[:MOST_LOSSES]],
        more_losses=max(len(losses) - MOST_LOSSES, 0),
        lines=[_line(entry) for entry in entries],
        themes=themes(),
        made_at=f"{made_at():%Y-%m-%d %H:%M} UTC",
        version=__version__,
    )  # fmt: skip


def _sections(
    failures: Sequence[Entry],
    broken: Sequence[Entry],
    bare: Sequence[Entry],
    remarked: Sequence[Entry],
) -> list[dict[str, Any]]:
    told = (
        ("Failed", "No report was made of these.", failures, "error"),
        ("Does not add up", "The records contradict each other, or the broker.", broken, "breaks"),
        ("Bars are missing", "Held symbols without a bar of the day.", bare, "missing"),
        ("Remarks", "What to know before these are believed.", remarked, "remarks"),
    )
    return [
        {"title": title, "note": note, "lines": [_line(entry, what) for entry in found]}
        for title, note, found, what in told
        if found
    ]


def _cards(
    entries: Sequence[Entry],
    failures: Sequence[Entry],
    broken: Sequence[Entry],
    bare: Sequence[Entry],
    losses: Sequence[Entry],
) -> list[Card]:
    done = len(entries) - len(failures)
    statuses = Counter(entry.status for entry in entries)
    unchanged = f"{statuses['unchanged']:,} of them unchanged" if statuses["unchanged"] else ""
    cards = [
        Card("Reports", f"{done:,} of {len(entries):,}", "", unchanged),
        Card("Failed", f"{len(failures):,}", "loss" if failures else ""),
        Card("Do not add up", f"{len(broken):,}", "loss" if broken else ""),
        Card("Bars missing", f"{len(bare):,}", "loss" if bare else ""),
        Card("Lost on their last session", f"{len(losses):,}", "loss" if losses else ""),
    ]
    live: list[Headline] = []
    simulated: list[Headline] = []
    for entry in entries:
        if entry.outcome.error is None:
            kind = simulated if entry.outcome.request.is_simulated else live
            kind.append(entry.outcome.headline)
    return [
        *cards,
        *_sums(live, value="Value of all", day="Last session"),
        *_sums(simulated, value="Simulated value", day="Simulated last session"),
    ]


def _sums(accounts: Sequence[Headline], *, value: str, day: str) -> list[Card]:
    """Return what accounts are worth together and made on their last session, by currency."""
    cards = []
    for currency in sorted({told.currency for told in accounts}):
        own = [told for told in accounts if told.currency == currency]
        values = [told.value for told in own if told.value is not None]
        days = [told.day_pnl for told in own if told.day_pnl is not None]
        if values:
            lacking = len(own) - len(values)
            note = f"{currency}; {lacking} without a value" if lacking else currency
            cards.append(Card(value, amount(sum(values), decimals=0), "", note))
        if days:
            total = sum(days)
            cards.append(Card(day, amount(total, decimals=0),
                              views.tone_of(total), f"{currency}, profit or loss of all"))  # fmt: skip
    return cards


def _line(entry: Entry, what: str = "") -> Line:
    outcome = entry.outcome
    told, request = outcome.headline, outcome.request
    sentences: tuple[str, ...] = ()
    if what == "error":
        sentences = (outcome.error or "",)
    elif what:
        sentences = getattr(told, what)
    spark = told.spark if outcome.error is None else ()
    tone = "" if not spark else "gain" if spark[-1] >= spark[0] else "loss"
    return Line(
        request.name, request.user, request.kind, *_links(entry), entry.status, _path(spark), tone,
        {} if outcome.error is not None else _figures(told), sentences,
    )  # fmt: skip


def _links(entry: Entry) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return the file that a name leads to, and those beside it."""
    first, *others = [*entry.files.items()] or [("", "")]
    return first[1], tuple(others)


def _figures(told: Any) -> dict[str, Cell]:
    def money(value: float | None) -> Cell:
        return views.signed_cell(float("nan") if value is None else value)

    def share(value: float | None) -> Cell:
        number = float("nan") if value is None else value
        return views.signed_cell(number, unit="fraction")

    value = float("nan") if told.value is None else told.value
    sharpe = float("nan") if told.sharpe_ratio is None else told.sharpe_ratio
    return {
        "value": views.value_cell(value, decimals=0),
        "day_pnl": money(told.day_pnl),
        "day_return": share(told.day_return),
        "total_return": share(told.total_return),
        "sharpe_ratio": views.value_cell(sharpe),
        "drawdown": Cell(views.DASH, tone="muted") if told.drawdown is None else Cell(
            percent(told.drawdown), told.drawdown
        ),
        "max_drawdown": Cell(views.DASH, tone="muted") if told.max_drawdown is None else Cell(
            percent(told.max_drawdown), told.max_drawdown
        ),
        "trades": views.value_cell(told.trades, decimals=0),
        "last_session": Cell(told.last_session or views.DASH),
    }  # fmt: skip


def _path(points: Sequence[float]) -> str:
    """Return the path of a spark line, in pixels; empty where there is nothing to draw."""
    if len(points) < 2:
        return ""
    low, high = min(points), max(points)
    reach = high - low or 1.0
    step = (WIDTH - 4) / (len(points) - 1)
    places = (
        f"{2 + step * at:.1f} {2 + (HEIGHT - 4) * (1 - (point - low) / reach):.1f}"
        for at, point in enumerate(points)
    )
    return "M" + "L".join(places)
