"""Running a subject again on other futures, and collecting what changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from mismartera_analytics import frames
from mismartera_analytics.backtesting.lookahead_decisions import (
    TOLERANCE,
    Change,
    Decisions,
    changes,
    compared,
)
from mismartera_analytics.backtesting.lookahead_futures import FutureKind, Rerun, reruns
from mismartera_analytics.backtesting.lookahead_report import LookaheadReport, Status
from mismartera_analytics.backtesting.lookahead_subjects import Subject
from mismartera_analytics.backtesting.market import Market
from mismartera_analytics.errors import InvalidInputError, StrategyError
from mismartera_analytics.market_data.progress import progress_bar

__all__ = ["Search", "because", "findings_of", "named_early", "report_of", "search"]

Label = tuple[str, str, str]
_ORDER = (
    "indicator",
    "weight",
    "entry",
    "exit",
    "short entry",
    "short exit",
    "universe",
    "order",
    "fill",
)
_OTHER_BARS: tuple[FutureKind, ...] = ("removed", "thinned")


@dataclass
class Search:
    """What has been found so far.

    Attributes
    ----------
    hits
        Changes by what they belong to, with the rerun of each.
    compared
        For each label the reruns, the most values of a rerun, and the values of all reruns.
    failed
        What reruns raised, as text, with how many did.
    done
        Reruns that came to an end.
    unsteady
        What changed when nothing else had; empty of whatever repeats itself.
    """

    hits: dict[Label, list[tuple[Rerun, Change]]] = field(default_factory=dict)
    compared: dict[Label, tuple[int, int, int]] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    done: int = 0
    unsteady: str = ""

    def count(self, run: Decisions, rerun: Decisions, cut: int) -> None:
        """Note what was compared."""
        for label, values in compared(run, rerun, cut).items():
            times, most, total = self.compared.get(label, (0, 0, 0))
            self.compared[label] = times + 1, max(most, values), total + values

    def checked(self) -> pd.DataFrame:
        """Return what was compared as `frames.LOOKAHEAD_CHECKED`."""
        rows = [
            (*label, most, total)
            for label, (_, most, total) in sorted(self.compared.items(), key=_place)
            if total
        ]
        return frames.LOOKAHEAD_CHECKED.conform(
            pd.DataFrame(rows, columns=frames.LOOKAHEAD_CHECKED.names)
        )


def search(
    subject: Subject,
    market: Market,
    run: Decisions,
    cuts: Sequence[int],
    *,
    seed: int,
    progress: bool | None,
) -> Search:
    """Run a subject on other futures and compare what it decides with the run.

    Parameters
    ----------
    subject
        What is checked.
    market
        Of the run.
    run
        What it decided there.
    cuts
        Rows after which the future is replaced.
    seed
        Of the futures.
    progress
        As in `progress_bar`.
    """
    found = Search()
    again = subject.decide(market, len(market.clock) - 1)
    for change in changes(run, again, len(market.clock) - 1):
        session = market.clock.label[change.row]
        found.unsteady = (
            f"{' '.join(part for part in change.track.label if part)} on {session}: {change.old}, then "
            f"{change.new}"
        )
        return found
    futures = list(enumerate(cuts))
    with progress_bar(total=len(futures), what="look-ahead", unit="cut", progress=progress) as bar:
        last = cuts[0] if cuts else 0
        for rerun in reruns(market, cuts, seed=seed):
            bar.update(int(rerun.cut != last))
            last = rerun.cut
            _try(subject, run, rerun, found)
        bar.update(int(bool(cuts)))
    return found


def _try(subject: Subject, run: Decisions, rerun: Rerun, found: Search) -> None:
    try:
        decided = subject.decide(rerun.market, rerun.cut)
    except (StrategyError, InvalidInputError) as error:
        cause = error.__cause__ or error
        reason = f"{type(cause).__name__}: {cause}"
        found.failed[reason] = found.failed.get(reason, 0) + 1
        return
    found.done += 1
    found.count(run, decided, rerun.cut)
    for change in changes(run, decided, rerun.cut):
        found.hits.setdefault(change.track.label, []).append((rerun, change))


def _place(item: tuple[Label, Any]) -> tuple[int, str, str]:
    kind, name, symbol = item[0]
    return _ORDER.index(kind), name, symbol


def _knows_the_calendar(hits: Iterable[tuple[Rerun, Change]]) -> bool:
    """Tell whether only the last bar known changed, and only where later bars were missing.

    Whether a bar is the last of its month is read off the bars that follow, but known before.
    """
    return all(
        rerun.kind in _OTHER_BARS and change.row == rerun.cut == change.last
        for rerun, change in hits
    )


def _row(label: Label, hits: list[tuple[Rerun, Change]], market: Market, times: int) -> Any:
    rerun, change = max(hits, key=lambda hit: hit[0].cut - hit[1].row)
    return (
        *label,
        market.clock.label[change.row].astype("datetime64[us]"),
        _instant(market.clock.start[change.row]),
        _instant(market.clock.end[rerun.cut]),
        rerun.kind,
        rerun.cut - change.row + 1,
        change.old,
        change.new,
        len({(one.cut, one.kind) for one, _ in hits}),
        times,
    )


def _instant(value: Any) -> pd.Timestamp:
    return pd.Timestamp(int(value), unit="us", tz="UTC")


def report_of(
    found: Search,
    market: Market,
    *,
    subject: str,
    cuts: Sequence[int],
    seed: int,
    outside: Sequence[str],
    dates_excused: bool,
    peeks: bool,
) -> LookaheadReport:
    """Return the report of a search.

    Parameters
    ----------
    found, market, subject, cuts, seed
        Of the search.
    outside
        What the subject reads beside its arguments.
    dates_excused
        Whether a change of the last bar known, where later bars are missing, may be the calendar's.
    peeks
        Whether orders fill at the price that they are decided on.
    """
    rows, dated = [], []
    for label, hits in sorted(found.hits.items(), key=_place):
        if dates_excused and _knows_the_calendar(hits):
            dated.append(" ".join(part for part in label if part))
        else:
            rows.append(_row(label, hits, market, found.compared.get(label, (found.done,))[0]))
    notes = []
    if dated:
        notes.append(
            f"whether a bar is the last of its period is read off the bars that follow "
            f"({', '.join(dated)}). The calendar knows it too, so it is not counted."
        )
    findings = findings_of(rows, peeks=peeks)
    unknown = _unknown(found, outside)
    status: Status = "looks ahead" if len(findings) else "not checkable" if unknown else "clean"
    return LookaheadReport(
        status=status,
        subject=subject,
        findings=findings,
        checked=found.checked(),
        notes=(*unknown, *notes, *_failures(found)),
        cuts=tuple(_instant(market.clock.end[cut]) for cut in cuts),
        reruns=found.done,
        tolerance=TOLERANCE,
        seed=seed,
    )


def findings_of(rows: Sequence[tuple[Any, ...]], *, peeks: bool) -> pd.DataFrame:
    """Return findings as `frames.LOOKAHEAD`, with one for orders that fill where they are decided."""
    told = list(rows)
    if peeks:
        text = "market orders fill at the close that they are decided on"
        absent = (pd.NaT, pd.NaT, pd.NaT)
        told.append(("fill", 'fill="same_close"', "", *absent, "", 0, "", text, 0, 0))
    return frames.LOOKAHEAD.conform(pd.DataFrame(told, columns=frames.LOOKAHEAD.names))


def named_early(
    market: Market, name: str, symbol: str, rows: Sequence[int], first: int, *, asked: int
) -> tuple[Any, ...]:
    """Return the finding that a universe names a symbol before its first bar."""
    times, row = market.clock, rows[0]
    return (
        *("universe", name, symbol),
        times.label[row].astype("datetime64[us]"),
        *(_instant(times.start[row]), _instant(times.end[row])),
        "",
        first - row,
        *("named", f"no bar before {times.label[first]}", len(rows), asked),
    )


def because(outside: Sequence[str]) -> list[str]:
    """Return what it means that data is read beside the arguments, a sentence each."""
    return [
        f"it reads {thing}: what it takes from there does not change with the bars."
        for thing in outside
    ]


def _unknown(found: Search, outside: Sequence[str]) -> list[str]:
    """Return why nothing can be said even if nothing changed."""
    if found.unsteady:
        return [
            f"it does not repeat itself on the same bars ({found.unsteady}): draw from ctx.random, "
            f"and keep no state from run to run."
        ]
    reasons = because(outside)
    if not found.done:
        reasons.append("no rerun came to an end, so nothing was compared.")
    elif not sum(total for _, _, total in found.compared.values()):
        reasons.append("it decided nothing on these bars.")
    elif sum(found.failed.values()) > found.done:
        reasons.append("most reruns raised an error.")
    return reasons


def _failures(found: Search) -> list[str]:
    return [
        f"{times} rerun{'' if times == 1 else 's'} raised {reason}"
        for reason, times in found.failed.items()
    ]
