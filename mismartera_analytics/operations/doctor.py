"""The doctor: everything that the toolkit rests on, examined; what is wrong, what to do, and mended."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from mismartera_analytics import frames
from mismartera_analytics.arguments import truth
from mismartera_analytics.errors import MismarteraError
from mismartera_analytics.market_data.progress import progress_bar
from mismartera_analytics.models import connections, database
from mismartera_analytics.operations import (
    account_checks,
    database_checks,
    place_checks,
    record_checks,
    report_checks,
    role_checks,
    schema_checks,
    store_checks,
    text_checks,
)
from mismartera_analytics.operations.findings import SEVERITIES, Finding, said_by
from mismartera_analytics.recording.ownership import refuse_others_than_superusers

__all__ = ["Diagnosis", "doctor"]

Advance = Callable[[], None]
BROKE_OFF = "correct the rows that other findings name; if there are none, report it as a fault"


@dataclass(frozen=True)
class Diagnosis:
    """What an examination came to.

    Attributes
    ----------
    frame
        `frames.DIAGNOSIS`, one row a finding that is left, the worst first.
    checks
        Seconds that each check took, by its name, in their order.
    skipped
        Why a check was left out, by its name.
    mended
        What was done, in words.
    """

    frame: pd.DataFrame
    checks: dict[str, float]
    skipped: dict[str, str]
    mended: tuple[str, ...]

    @property
    def errors(self) -> pd.DataFrame:
        """The findings that make figures wrong or work impossible."""
        return self.frame[self.frame["severity"] == "error"].reset_index(drop=True)

    @property
    def is_well(self) -> bool:
        """Whether there is neither an error nor a warning; notes do no harm."""
        return not self.frame["severity"].isin(["error", "warning"]).any()

    def __repr__(self) -> str:
        lines = [
            f"  {row['severity']}: {row['check']}: {row['what']}; {row['advice']}"
            for row in self.frame.to_dict("records")
        ]
        lines += [f"  not checked: {line}" for line in self.left_out]
        return "\n".join([self.summary, *lines, *(f"  mended: {done}" for done in self.mended)])

    @property
    def left_out(self) -> list[str]:
        """The checks that were left out, in words: those of one reason in one line."""
        names: dict[str, list[str]] = {}
        for name, why in self.skipped.items():
            names.setdefault(why, []).append(name)
        return [f"{', '.join(each)}: {why}" for why, each in names.items()]

    @property
    def summary(self) -> str:
        """The examination in a sentence."""
        counts = self.frame["severity"].value_counts()
        told = [
            f"{counts[name]} {name}{'s' if counts[name] > 1 else ''}"
            for name in SEVERITIES if name in counts
        ]  # fmt: skip
        found = ", ".join(told) or "nothing is wrong"
        return f"{len(self.checks)} checks in {sum(self.checks.values()):.1f} s: {found}"

    def _repr_html_(self) -> str:
        table = self.frame.drop(columns=["count", "is_mendable"]).to_html(index=False, escape=True)
        more = [*(f"not checked: {line}" for line in self.left_out),
                *(f"mended: {done}" for done in self.mended)]  # fmt: skip
        told = "".join(f"<p>{escape(line)}</p>" for line in (self.summary, *more))
        return f"<div>{told}{table if len(self.frame) else ''}</div>"


def doctor(*, fix: bool = False, progress: bool | None = None) -> Diagnosis:
    """Examine the settings, the packages, the database, its records and the bar store.

    Nothing is written unless `fix` is given. Wherever it is run it looks at the configured places, and
    at everybody's rows.

    Parameters
    ----------
    fix
        Mend what can be mended without a loss, each in a transaction: leftovers of killed processes,
        what an interrupted vacuum had still to delete, PostgreSQL's sequences, positions that
        `refresh_positions` or a saved run wrote, a write-ahead log that has grown. What was mended is
        looked at again.
    progress
        Whether a progress bar is shown; None: on a terminal and in a notebook.

    Returns
    -------
    Diagnosis
        Its frame tells of each finding how bad it is, which rows it concerns and what to do.

    Raises
    ------
    InvalidInputError
        If `fix` is neither True nor False.
    NotAllowedError
        If somebody who is not a superuser is signed in.
    ConfigurationError
        If a setting cannot be read, so that nobody knows what to examine.

    Examples
    --------
    >>> found = ma.doctor()
    >>> found.is_well, len(found.errors)
    (True, 0)
    """
    is_to_mend = truth(fix, "fix")
    refuse_others_than_superusers("examine everybody's records")
    found = _examine(progress=progress)
    mended: list[str] = []
    mendable = [one for one in found.findings if one.mend is not None] if is_to_mend else []
    if mendable:
        mended, failed = _mend(mendable)
        found = _examine(progress=progress)
        found.findings += failed
    rows = [_row(one) for severity in SEVERITIES for one in found.findings
            if one.severity == severity]  # fmt: skip
    table = pd.DataFrame(rows, columns=frames.DIAGNOSIS.names)
    return Diagnosis(
        frames.DIAGNOSIS.conform(table), found.seconds, found.skipped, tuple(mended)
    )  # fmt: skip


def _mend(findings: Iterable[Finding]) -> tuple[list[str], list[Finding]]:
    """Mend each of some findings; return what was done, and a finding for each that could not be."""
    done, failed = [], []
    for one in findings:
        assert one.mend is not None
        try:
            done.append(one.mend())
        except Exception as error:  # noqa: BLE001 - the others are mended, and all findings shown
            failed.append(
                Finding(
                    one.check, "error", f"mending broke off: {said_by(error)} ({one.what})",
                    "what was mended before stays so; see what it says, then try again", one.count,
                )
            )  # fmt: skip
    return done, failed


def _row(finding: Finding) -> dict[str, Any]:
    row = {name: getattr(finding, name, None) for name in frames.DIAGNOSIS.names}
    return row | {"is_mendable": finding.mend is not None}


class _Examination:
    """Findings as they come in, and how long each check took."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.seconds: dict[str, float] = {}
        self.skipped: dict[str, str] = {}

    def run(self, name: str, findings: Callable[[], Iterable[Finding]]) -> bool:
        """Run a check; one that breaks off, on whatever it meets, is itself a finding.

        Returns
        -------
        bool
            Whether it found no error.
        """
        began, before = time.perf_counter(), len(self.findings)
        try:
            for one in findings():
                self.findings.append(one)
        except Exception as error:  # noqa: BLE001 - damaged records break what nobody thought of
            self.note(name, error)
        self.seconds[name] = time.perf_counter() - began
        return all(one.severity != "error" for one in self.findings[before:])

    def note(self, name: str, error: Exception) -> None:
        """Note that a check broke off."""
        if isinstance(error, MismarteraError):
            what, advice = str(error).rstrip("."), "see what it says, then try again"
        else:
            what, advice = f"the check broke off: {said_by(error)}", BROKE_OFF
        self.findings.append(Finding(name, "error", what, advice))

    def has_error(self, names: Iterable[str]) -> bool:
        """Tell whether one of some checks has found an error."""
        return any(one.severity == "error" and one.check in names for one in self.findings)

    def skip(self, names: Iterable[str], why: str) -> None:
        """Leave checks out."""
        self.skipped |= dict.fromkeys(names, why)


def _check_runs(db_session: Session) -> Iterator[Finding]:
    yield from place_checks.check_writers_of_runs(db_session)
    yield from text_checks.check_json(db_session)


_OF_RECORDS: dict[str, Callable[..., Iterator[Finding]]] = {
    "references": database_checks.check_references,
    "roles": role_checks.check_roles,
    "records": record_checks.check_records,
    "values": record_checks.check_values,
    "calendars": account_checks.check_calendars,
    "users": text_checks.check_users,
    "runs": _check_runs,
}
_OF_ANY_ROWS = ("references", "roles")
"""Checks that go on where rows cannot be read."""
_OF_ACCOUNTS = ("identities", "positions")
_OF_FILES = ("reports", "leftovers", "store")
_UNDER_POSITIONS = ("columns", "references", "records", "calendars", "identities")
"""Checks of what positions are worked out from: an error of theirs, and none is worked out anew."""


def _examine(*, progress: bool | None) -> _Examination:
    done = _Examination()
    count = 6 + len(_OF_RECORDS) + len(_OF_ACCOUNTS) + len(_OF_FILES)
    with progress_bar(total=count, what="doctor", unit="check", progress=progress) as bar:

        def run(name: str, check: Callable[[], Iterable[Finding]]) -> bool:
            bar.set_postfix_str(name)
            is_good = done.run(name, check)
            bar.update(1)
            return is_good

        tick: Advance = bar.refresh
        run("settings", place_checks.check_settings)
        run("packages", place_checks.check_packages)
        engine = database.engine
        is_current = run("revision", lambda: database_checks.check_revision(engine))
        is_there = "revision" in done.seconds and not database_checks.is_absent(engine)
        if is_there:
            run("database", lambda: database_checks.check_database(engine))
        if is_current:
            run(schema_checks.LOST, lambda: schema_checks.check_tables(engine))
        has_records = False
        if is_current and not done.has_error([schema_checks.LOST]):
            try:
                has_records = _examine_records(done, run, tick)
            except Exception as error:  # noqa: BLE001 - opening or closing what the checks read on
                done.note("database", error)
        else:
            why = "tables are not whole" if is_current else _why_not(engine, is_there=is_there)
            done.skip([*_OF_RECORDS, *_OF_ACCOUNTS, "reports"], why)
            run("leftovers", lambda: report_checks.check_leftovers(None))
        run("store", lambda: store_checks.check_store(tick, has_records=has_records))
    return done


def _why_not(engine: Engine, *, is_there: bool) -> str:
    if connections.is_missing_file(engine):
        return "there is no database"
    if not is_there:
        return "the database could not be opened"
    return "the database is not at the revision that this version works with"


def _examine_records(
    done: _Examination, run: Callable[[str, Callable[[], Iterable[Finding]]], bool], tick: Advance
) -> bool:
    """Run the checks of records; return whether their rows can be read."""
    with ExitStack() as stack:
        db_session = stack.enter_context(database.read_session())

        def run_on(name: str, check: Callable[[], Iterable[Finding]]) -> bool:
            def apart() -> Iterator[Finding]:
                try:
                    yield from check()
                except Exception:
                    db_session.rollback()  # PostgreSQL answers nothing more once a statement failed
                    raise

            return run(name, apart)

        is_readable = run_on("columns", lambda: record_checks.check_unreadable(db_session))
        for name, check in _OF_RECORDS.items():
            if is_readable or name in _OF_ANY_ROWS:
                run_on(name, functools.partial(check, db_session))
            else:
                done.skip([name], "rows cannot be read")
        if is_readable:
            run_on("identities", lambda: account_checks.check_identities(db_session, tick))
            in_doubt = done.has_error(_UNDER_POSITIONS)
            run_on("positions", lambda: account_checks.check_positions(
                db_session, tick, in_doubt=in_doubt))  # fmt: skip
            run_on("reports", lambda: report_checks.check_reports(db_session, tick))
        else:
            done.skip([*_OF_ACCOUNTS, "reports"], "rows cannot be read")
        known = db_session if is_readable else None
        run_on("leftovers", lambda: report_checks.check_leftovers(known))
    return is_readable
