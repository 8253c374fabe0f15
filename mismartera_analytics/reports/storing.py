"""Finished reports put into their folder and noted in the table of reports."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mismartera_analytics.errors import MismarteraError, StorageError
from mismartera_analytics.files import digest_of, write_files
from mismartera_analytics.reports.files import file_name
from mismartera_analytics.reports.outcomes import Outcome, Request

__all__ = ["Entry", "note", "stored", "with_known"]


@dataclass(frozen=True)
class Entry:
    """One report of a batch: what became of it, and its files' names in the batch's folder."""

    outcome: Outcome
    status: str
    files: dict[str, str]


def stored(outcome: Outcome, folder: Path, formats: Sequence[str]) -> Entry:
    """Write the files of an outcome and note them; what cannot be written makes it a failure.

    They are noted when they are on the disk and not yet in their place: wherever this is killed, every
    file that is in its place has a row by its bytes, and so can be verified.

    Parameters
    ----------
    outcome
        From a worker.
    folder
        Where the files go.
    formats
        Of every report.
    """
    names = {kind: _name_of(outcome.request, kind) for kind in formats}
    if outcome.error is not None:
        return Entry(outcome, "failed", {})
    if outcome.is_unchanged:
        return Entry(outcome, "unchanged", names)
    files = {folder / name: outcome.files[kind] for kind, name in names.items()}
    remarks: list[str] = []
    try:
        write_files(files, argument="file", before=lambda: remarks.extend(_noted(outcome, files)))
    except StorageError as error:
        return Entry(replace(outcome, files={}, error=str(error)), "failed", {})
    headline = replace(outcome.headline, remarks=(*outcome.headline.remarks, *remarks))
    return Entry(replace(outcome, files={}, citation=None, headline=headline), "written", names)


def _name_of(request: Request, kind: str) -> str:
    """Return a file's name: its id keeps it apart from all others, whatever a person typed."""
    words = file_name(request.name)
    return f"{request.key}-{words}.{kind}" if words else f"{request.key}.{kind}"


def _noted(outcome: Outcome, files: Mapping[Path, bytes]) -> tuple[str, ...]:
    if outcome.citation is None:
        return ()
    request = outcome.request
    try:
        note(
            files,
            title=request.name,
            cites=outcome.citation.with_headline(outcome.headline),
            packed=outcome.citation.packed,
            account_id=request.account_id,
            run_id=request.number if request.kind == "run" else None,
        )
    except MismarteraError as error:
        return (f"not noted in the table of reports, so that it cannot be verified: {error}",)
    return ()


def note(files: Mapping[Path, bytes], **about: Any) -> None:
    """Note files that are about to be moved to their place in the table of reports.

    Parameters
    ----------
    files
        Their bytes by absolute path.
    **about
        As in `log_report`.
    """
    from mismartera_analytics.recording.report_log import log_report

    digests = {str(path): hashlib.sha256(content).hexdigest() for path, content in files.items()}
    log_report(digests, **about)


def with_known(requests: Sequence[Request], folder: Path, formats: Sequence[str]) -> list[Request]:
    """Return the requests with what is recorded of the reports that are there already and intact.

    Parameters
    ----------
    requests
        Of a batch.
    folder
        Where its files are.
    formats
        All of them must be there.
    """
    from mismartera_analytics.recording.report_log import latest_reports

    paths = {r.key: [str(folder / _name_of(r, kind)) for kind in formats] for r in requests}
    logged = latest_reports(path for own in paths.values() for path in own)
    known = []
    for request in requests:
        found = [logged.get(path) for path in paths[request.key]]
        is_whole = all(one is not None and _is_intact(one.path, one.file_hash) for one in found)
        cites = {str(one.cites) for one in found if one is not None}
        first = found[0]
        is_one = is_whole and len(cites) == 1 and first is not None
        known.append(replace(request, known=first.cites) if is_one and first else request)
    return known


def _is_intact(path: str, digest: str | None) -> bool:
    try:
        return digest_of(Path(path)) == digest
    except OSError:
        return False
