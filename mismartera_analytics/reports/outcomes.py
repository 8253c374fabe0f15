"""Making one report of a batch, in whatever process: bytes, its headline, or the reason why not."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from mismartera_analytics import auth, config
from mismartera_analytics.errors import MismarteraError
from mismartera_analytics.reports.citing import (
    Citation,
    beside_run,
    cite_account,
    cite_run,
    fingerprint,
    run_fingerprint,
)
from mismartera_analytics.reports.headline import (
    Headline,
    headline_of,
    headline_of_account,
    shortened,
)

if TYPE_CHECKING:
    from mismartera_analytics.reports.outline import Outline

__all__ = ["Outcome", "Request", "Setup", "failed", "make"]

Format = Literal["html", "pdf"]
_ALONE = threading.Lock()
"""Settings and warnings belong to a process, which therefore makes one report at a time."""


@dataclass(frozen=True)
class Request:
    """One report to make.

    Attributes
    ----------
    kind
        Of an account, or of a saved run.
    number
        The id of the account or of the run.
    name, user
        As people know it, and whose it is; for the report of a failure.
    account_id
        The account, that of a run included.
    saved_at
        When a run was saved.
    is_simulated
        Whether its money is a backtest's: it is not added to that of live accounts.
    known
        What is recorded of the report that is there already; it is not made again if it would be equal.
    """

    kind: Literal["account", "run"]
    number: int
    name: str
    user: str
    account_id: int | None
    saved_at: str | None = None
    is_simulated: bool = False
    known: Mapping[str, Any] | None = None

    @property
    def key(self) -> str:
        """A text that no other request of a batch has."""
        return f"{self.kind}-{self.number}"


@dataclass(frozen=True)
class Setup:
    """What the reports of a batch have in common; it travels to every worker.

    Attributes
    ----------
    settings
        Of the caller: where the database and the bars are.
    user_id
        Whoever was signed in; None for nobody.
    formats
        What is made of each.
    start, end
        Labels of the first and last session, ISO; None for all.
    benchmark
        A symbol of the bar store, returns, or None.
    stress
        Whether saved runs are put under stress.
    """

    settings: Mapping[str, Any]
    user_id: int | None
    formats: tuple[Format, ...]
    start: str | None = None
    end: str | None = None
    benchmark: str | pd.Series[float] | None = None
    stress: bool = True


@dataclass(frozen=True)
class Outcome:
    """What became of a request: files as bytes by format, or an error's sentence."""

    request: Request
    files: Mapping[str, bytes] = field(default_factory=dict)
    headline: Headline = field(default_factory=Headline)
    seconds: float = 0.0
    error: str | None = None
    citation: Citation | None = None

    @property
    def is_unchanged(self) -> bool:
        """Whether the report that is there already would be made again as it is."""
        return self.error is None and not self.files


def failed(request: Request, error: str, *, seconds: float = 0.0) -> Outcome:
    """Return the outcome of a request that could not be met."""
    return Outcome(request, error=error, seconds=seconds)


def make(setup: Setup, request: Request) -> Outcome:
    """Make one report; whatever goes wrong is told in the outcome.

    Parameters
    ----------
    setup
        Of the batch. Its settings are put in force.
    request
        What to make.
    """
    with _ALONE:
        began = time.perf_counter()
        _settle(setup)
        try:
            if setup.user_id is None:
                made = _made(setup, request)
            else:
                with auth.as_user(setup.user_id):
                    made = _made(setup, request)
        except Exception as error:  # noqa: BLE001 - one report's error is not the others'
            return failed(request, _sentence(error), seconds=time.perf_counter() - began)
        return replace(made, seconds=time.perf_counter() - began)


def _settle(setup: Setup) -> None:
    """Put the caller's settings in force, in a worker that has others."""
    if config.settings().model_dump() != setup.settings:
        config.configure(**setup.settings)


def _sentence(error: Exception) -> str:
    if isinstance(error, MismarteraError):
        return str(error)
    told = str(error).strip().splitlines()
    return f"{type(error).__name__}: {told[0]}" if told else type(error).__name__


def _made(setup: Setup, request: Request) -> Outcome:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        outcome = (_account if request.kind == "account" else _run)(setup, request)
    remarks = [str(one.message) for one in caught if one.category is UserWarning]
    told = tuple(dict.fromkeys((*outcome.headline.remarks, *remarks)))
    return replace(outcome, headline=replace(outcome.headline, remarks=told))


def _html(outline: Outline) -> bytes:
    from mismartera_analytics.reports.page import html_of

    return html_of(outline).encode()


def _pdf(outline: Outline) -> bytes:
    from mismartera_analytics.reports.pdf import pdf_of

    return pdf_of(outline)


_WRITERS = {"html": _html, "pdf": _pdf}


def _account(setup: Setup, request: Request) -> Outcome:
    from mismartera_analytics.reports.accounts import read_account
    from mismartera_analytics.reports.sources import from_record

    citation = cite_account(
        request.number, start=setup.start, end=setup.end, benchmark=setup.benchmark
    )
    breaks = _breaks(request.number)
    if request.known is not None and fingerprint(request.known) == fingerprint(citation.cites):
        told = Headline.from_json(request.known["headline"])
        return Outcome(request, headline=replace(told, breaks=(*told.unbalanced, *breaks)))
    record = read_account(request.number, start=setup.start, end=setup.end)
    content = from_record(record)
    headline = headline_of_account(record, content, breaks=breaks)
    files = _files(setup, content)
    return Outcome(request, files, headline, citation=citation)


def _run(setup: Setup, request: Request) -> Outcome:
    from mismartera_analytics.backtesting.rerunning import rerun
    from mismartera_analytics.reports.sources import content_of

    beside = beside_run(request.number, setup.benchmark)
    how: Any = {"stress": setup.stress, "benchmark": setup.benchmark, "beside": beside}
    now = run_fingerprint(request.number, request.saved_at, **how)
    if request.known is not None and fingerprint(request.known) == now:
        return Outcome(request, headline=Headline.from_json(request.known["headline"]))
    result = rerun(request.number)
    citation = cite_run(request.number, result, request.saved_at, **how)
    content = content_of(result, stress=setup.stress)
    files = _files(setup, content)
    return Outcome(request, files, headline_of(content), citation=citation)


def _files(setup: Setup, content: Any) -> dict[str, bytes]:
    from mismartera_analytics.reports.benchmarks import aligned, benchmark_of
    from mismartera_analytics.reports.single import outline_of

    if setup.benchmark is not None:
        given = benchmark_of(setup.benchmark)
        content = replace(content, benchmark=aligned(given, content.returns))
    outline = outline_of(content)
    return {str(name): _WRITERS[name](outline) for name in setup.formats}


def _breaks(account: int) -> tuple[str, ...]:
    """Return where an account's records differ from what is recorded of its broker."""
    from mismartera_analytics.queries.records import accounts, positions
    from mismartera_analytics.recording.reconciling import reconcile

    row_of: Any = accounts(account=account).iloc[0]
    held = positions(account=account)
    if not len(held) and pd.isna(row_of["last_synced"]):
        return ()  # nothing that a broker reported is recorded
    seen = held["last_updated"].max() if len(held) else row_of["last_synced"]
    try:
        found = reconcile(account, at=None if pd.isna(seen) else seen.to_pydatetime())
    except MismarteraError as error:
        return (f"not compared with the broker: {error}",)
    told = tuple(
        f"{'cash' if row['what'] == 'cash' else row['symbol']}: recorded {row['recorded']:,.10g}, "
        f"at the broker {row['reported']:,.10g} ({row['cause']})"
        for row in found.breaks.to_dict("records")
        if row["what"] != "cash" or not pd.isna(row_of["last_synced"])
    )
    return shortened(told, what="differences")
