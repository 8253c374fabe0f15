"""Reports of many accounts and runs at once, with an index that leads with what needs attention."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from mismartera_analytics import auth, clock, config, frames
from mismartera_analytics.arguments import is_one_of
from mismartera_analytics.errors import InvalidInputError, as_given, suggestion
from mismartera_analytics.files import write_file
from mismartera_analytics.frames.given import listed
from mismartera_analytics.given_files import expanded
from mismartera_analytics.market_data.progress import progress_bar
from mismartera_analytics.reports.files import require_writable
from mismartera_analytics.reports.lateness import late_bars
from mismartera_analytics.reports.outcomes import Format, Setup
from mismartera_analytics.reports.requests import Names, requests_of
from mismartera_analytics.reports.storing import Entry, stored, with_known
from mismartera_analytics.reports.workers import workers_of

__all__ = ["BatchReport", "report"]

INDEX = "index.html"
FORMATS: tuple[Format, ...] = ("html", "pdf")


@dataclass(frozen=True)
class BatchReport:
    """What a batch of reports came to.

    Attributes
    ----------
    folder
        Where the files are, absolute.
    index
        The page that leads to all of them.
    frame
        `frames.REPORTS`, one row a report: failures first, then as they were asked for.
    seconds
        Time that the batch took [s].
    """

    folder: Path
    index: Path
    frame: pd.DataFrame
    seconds: float

    @property
    def failed(self) -> pd.DataFrame:
        """The reports that could not be made, with the reason as ``error``."""
        return self.frame[self.frame["status"] == "failed"].reset_index(drop=True)

    def __repr__(self) -> str:
        failures = self.failed
        lines = [f"{len(self.frame) - len(failures)} of {len(self.frame)} reports in {self.index}"]
        lines += [
            f"  failed: {row['report']}: {row['error']}" for row in failures.to_dict("records")
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        shown = [name for name in frames.REPORTS.names if name not in ("files", "run_id")]
        table = self.frame[shown].to_html(index=False, escape=True)
        return f"<div><p>{escape(repr(self).splitlines()[0])}</p>{table}</div>"


def report(
    accounts: Names | None = None,
    out: str | os.PathLike[str] | None = None,
    *,
    runs: Names | None = None,
    user: str | int | None = None,
    formats: str | Iterable[str] = "html",
    start: clock.LabelLike | None = None,
    end: clock.LabelLike | None = None,
    benchmark: str | pd.Series[float] | None = None,
    stress: bool = True,
    unchanged: Literal["write", "skip"] = "write",
    jobs: int = 1,
    client: Any = None,
    progress: bool | None = None,
) -> BatchReport:
    """Write the tear sheets of many accounts and saved runs, and an index page of all of them.

    A report that fails does not stop the others: it is listed with its reason.

    Parameters
    ----------
    accounts
        Ids of accounts, or their numbers at the broker; by default all that whoever is signed in may
        see, or none if `runs` are named.
    out
        Folder; by default the configured folder of reports. It is made.
    runs
        Ids or names of saved runs; each is run again, to the last bit.
    user
        Only this user's accounts and runs.
    formats
        ``"html"``, ``"pdf"``, or both.
    start, end
        Labels of the first and last session of the accounts' reports, both included. A run has its
        own range.
    benchmark
        A symbol with daily bars, or simple returns [1] labelled by session.
    stress
        Whether saved runs are put under stress, for which each is run three times more.
    unchanged
        ``"skip"`` leaves a report as it is if its file is there, nobody altered it, and the records,
        bars, arguments and version that it was made from are the same: a batch that was interrupted
        goes on where it was.
    jobs
        How many processes make reports; 1 means this one. Each takes two seconds to start.
    client
        A `distributed.Client`, instead of `jobs`: its workers make the reports, and must reach
        the database and the bar store by the addresses configured here. Files are written here.
    progress
        Whether a progress bar is shown; None: on a terminal and in a notebook.

    Returns
    -------
    BatchReport
        With the frame of all reports and the path of the index.

    Raises
    ------
    UnknownNameError
        If an account, a run, the user or the benchmark is not known to whoever asks.
    InvalidInputError
        If an argument is malformed, or there is nothing to report on.
    NotAllowedError
        If somebody who is not a superuser asks for another user's.
    StorageError
        If the folder cannot be written.

    Examples
    --------
    >>> done = ma.report()
    >>> done.frame[["report", "status", "last_session", "value"]].round({"value": 1})
             report   status last_session     value
    0  backtest demo  written   2013-03-01  241939.2
    """
    began = time.perf_counter()
    chosen = _formats(formats)
    workers = workers_of(jobs, client)
    first, last = _period(start, end)
    requests = requests_of(accounts, runs, user=user)
    _check_benchmark(benchmark)
    if not is_one_of(unchanged, ("write", "skip")):
        raise InvalidInputError(f"unchanged={as_given(unchanged)} is neither 'write' nor 'skip'.")
    if not isinstance(out, str | Path | None):
        raise InvalidInputError(f"out={as_given(out)} must be a path: text or a pathlib.Path.")
    folder = config.settings().reports if out is None else expanded(out, argument="out").absolute()
    require_writable(folder, argument="out")
    identity = auth.current_user()
    setup = Setup(
        config.settings().model_dump(), None if identity is None else identity.user_id, chosen,
        first, last, benchmark, stress,
    )  # fmt: skip
    if unchanged == "skip":
        requests = with_known(requests, folder, chosen)
    done: dict[str, Entry] = {}
    with progress_bar(total=len(requests), what="reports", unit="report", progress=progress) as bar:
        for outcome in workers.run(setup, requests):
            entry = stored(outcome, folder, chosen)
            done[outcome.request.key] = entry if last is not None else _with_late_bars(entry)
            bar.update(1)
    entries = [done[request.key] for request in requests]
    index = _write_index(entries, folder, setup)
    return BatchReport(folder, index, _frame(entries), time.perf_counter() - began)


def _formats(formats: str | Iterable[str]) -> tuple[Format, ...]:
    named = formats.split(",") if isinstance(formats, str) else listed(formats, argument="formats")
    asked = [str(name).strip().lower() for name in named]
    for name in asked:
        if not is_one_of(name, FORMATS):
            hint = suggestion(name, FORMATS) or "."
            raise InvalidInputError(
                f"formats={as_given(name)} is unknown{hint} Allowed: html, pdf."
            )
    if not asked:
        raise InvalidInputError("formats is empty; name html, pdf or both.")
    return tuple(name for name in FORMATS if name in asked)


def _period(
    start: clock.LabelLike | None, end: clock.LabelLike | None
) -> tuple[str | None, str | None]:
    first = None if start is None else clock.parse_label(start, argument="start")
    last = None if end is None else clock.parse_label(end, argument="end")
    if first is not None and last is not None and first > last:
        raise InvalidInputError(f"start={first} comes after end={last}.")
    return (
        None if first is None else first.isoformat(),
        None if last is None else last.isoformat(),
    )


def _check_benchmark(benchmark: str | pd.Series[float] | None) -> None:
    """Refuse a symbol without bars once, instead of in every report."""
    from mismartera_analytics.market_data.store import BarStore

    if isinstance(benchmark, str):
        BarStore().read(benchmark, "1d", "2000-01-03", "2000-01-03")


def _with_late_bars(entry: Entry) -> Entry:
    """Return an entry that says how far a live account lies behind its markets today.

    What is recorded of a report does not hold it: tomorrow it is another.
    """
    outcome = entry.outcome
    if outcome.request.is_simulated:
        return entry
    told = outcome.headline
    late = late_bars(told.held, told.last_session)
    headline = replace(told, missing=(*late, *told.missing))
    return replace(entry, outcome=replace(outcome, headline=headline))


def _write_index(entries: Sequence[Entry], folder: Path, setup: Setup) -> Path:
    from mismartera_analytics.reports.index_page import render_index

    target = folder / INDEX
    period = " to ".join((setup.start or "first session", setup.end or "last session"))
    if setup.start is None and setup.end is None:
        period = "All sessions"
    write_file(target, render_index(entries, period=period).encode(), argument="out")
    return target


def _frame(entries: Sequence[Entry]) -> pd.DataFrame:
    ordered = sorted(entries, key=lambda entry: entry.status != "failed")
    rows = [_row(entry) for entry in ordered]
    table = pd.DataFrame(rows, columns=frames.REPORTS.names)
    table["last_session"] = pd.to_datetime(table["last_session"])
    return frames.REPORTS.conform(table)


def _row(entry: Entry) -> dict[str, Any]:
    outcome, request = entry.outcome, entry.outcome.request
    told = outcome.headline
    figures = {name: getattr(told, name, None) for name in frames.REPORTS.names}
    if outcome.error is not None:
        figures = dict.fromkeys(figures)
    return figures | {
        "report": request.name,
        "kind": request.kind,
        "account_id": request.account_id,
        "run_id": request.number if request.kind == "run" else None,
        "user": request.user,
        "status": entry.status,
        "error": outcome.error,
        "attention": "; ".join((*told.breaks, *told.missing, *told.remarks)),
        "files": ", ".join(entry.files.values()),
        "seconds": outcome.seconds,
    }
