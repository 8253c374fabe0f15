"""Which versions of bars the records refer to: saved runs and reports."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from mismartera_analytics import config
from mismartera_analytics.errors import InvalidInputError, NotAllowedError, StorageError
from mismartera_analytics.json_texts import stored_json
from mismartera_analytics.market_data.places import Place, place_of
from mismartera_analytics.models import database
from mismartera_analytics.models.database_roles import user_of_role
from mismartera_analytics.models.retrying import repeated
from mismartera_analytics.models.runs import BacktestRun, Report

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

__all__ = ["cited_versions", "cited_without_bars", "citing_records", "store_cited"]

_FIRST = f"_delta_log/{0:020}.json"


@repeated
def cited_versions(
    place: Place,
    interval: str,
    *,
    needs_all: bool = False,
    db_session: Session | None = None,
) -> set[int]:
    """Return the versions of an interval's bars that the database refers to, whoever's the records.

    A citation is a JSON object with a number `version` and perhaps `store` and `interval`, anywhere in
    what a saved run or a report noted about its data. Trials note a version too, but cannot be run
    again, and one made each day would keep each day's files for good: they keep nothing. A citation
    without an interval counts for every interval. One that names another store counts too, unless
    that store is a folder that is still there and began with another commit: stores are moved and
    copied, and a version kept in vain does no harm.

    Parameters
    ----------
    place
        Of the store.
    interval
        Length of the bars.
    needs_all
        Refuse a run or report whose note cannot be read, as whoever deletes files must; otherwise it
        cites nothing.
    db_session
        Where to look; by default in the configured database.

    Returns
    -------
    set of int
        They need not exist.

    Raises
    ------
    StorageError
        With `needs_all`: naming the run or report that cannot be read.
    DatabaseNotReadyError
        If the database has not been initialised, so that nobody knows what is cited.
    NotAllowedError
        If the database's role sees the citations of one user alone.
    """
    return set(citing_records(place, interval, needs_all=needs_all, db_session=db_session))


def citing_records(
    place: Place,
    interval: str,
    *,
    needs_all: bool = False,
    db_session: Session | None = None,
) -> dict[int, list[str]]:
    """Return who cites each of the versions of `cited_versions`: "run 3", "report 7".

    Parameters, errors and what counts as there.
    """
    role = user_of_role()
    if role is not None and not role.is_superuser:
        raise NotAllowedError(
            f"the database shows user {role.username!r} their own runs and reports alone, so that it "
            f"is not known which versions others cite; a superuser may do this."
        )
    found: dict[int, list[str]] = {}
    for name, citation, of_run in _noted(needs_all=needs_all, db_session=db_session):
        named = citation.get("interval", of_run)
        if named in (None, interval) and not _is_elsewhere(citation.get("store"), place, interval):
            found.setdefault(citation["version"], []).append(name)
    return found


def cited_without_bars(place: Place, intervals: Collection[str]) -> dict[str, list[str]]:
    """Return who cites bars of a store that it does not have at all, by interval.

    Parameters
    ----------
    place
        Of the store.
    intervals
        Those of which it has bars.

    Returns
    -------
    dict
        Interval to "run 3", "report 7"; "" for citations without an interval, in an empty store.
        Citations of another store that can be reached, or that is a bucket, are left out.

    Raises
    ------
    DatabaseNotReadyError
        If the database has not been initialised.
    """
    found: dict[str, list[str]] = {}
    for name, citation, of_run in _noted(needs_all=False, db_session=None):
        interval, store = citation.get("interval", of_run), citation.get("store")
        is_lacking = interval not in intervals if interval is not None else not intervals
        if not is_lacking or not isinstance(interval or "", str):
            continue
        is_bucket = isinstance(store, str) and "://" in store and store != place.uri
        if not is_bucket and not _is_elsewhere(store, place, interval or "1d"):
            who = found.setdefault(interval or "", [])
            if name not in who:
                who.append(name)
    return found


def _noted(
    *, needs_all: bool, db_session: Session | None
) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Yield each citation with who made it and, of a run, the interval that it was run on."""
    own = database.read_session() if db_session is None else contextlib.nullcontext(db_session)
    with own as reading:
        runs = select(BacktestRun.id, BacktestRun.data_version_json, BacktestRun.config_json)
        notes: list[tuple[str, Any, Any]] = [
            *((f"run {row[0]}", row[1], row[2]) for row in reading.execute(runs)),
            *(
                (f"report {row[0]}", row[1], None)
                for row in reading.execute(select(Report.id, Report.cites_json))
            ),
        ]
    for name, cites, settings in notes:
        of_run = _interval_of(settings)
        for citation in _citations(_parsed(cites, name, needed=needs_all)):
            yield name, citation, of_run


def _parsed(text: str | None, name: str, *, needed: bool) -> Any:
    try:
        return None if text is None else stored_json(text, what=f"what {name} cites")
    except StorageError as error:
        if needed:
            raise StorageError(
                f"{error} Which bars it needs is not known, so nothing was deleted; mend it, or delete "
                f"{name}."
            ) from None
        return None


def _interval_of(config: str | None) -> Any:
    parsed = _parsed(config, "a run", needed=False)
    return parsed.get("interval") if isinstance(parsed, dict) else None


def _citations(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects with a version, however deep they lie."""
    if isinstance(value, dict):
        if isinstance(value.get("version"), int):
            yield value
        for inner in value.values():
            yield from _citations(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _citations(inner)


def store_cited(store: str, interval: str) -> str:
    """Return where the bars of a citation are read: in the store that it names, or in its copy.

    Parameters
    ----------
    store
        As the citation names it.
    interval
        Length of the bars.

    Returns
    -------
    str
        The configured store where that is a copy of the one that is named, moved or restored, or where
        that one is not there.

    Raises
    ------
    StorageError
        If the configured store cannot be reached.

    Examples
    --------
    >>> store_cited("/no/such/folder", "1d") == ma.settings().bar_store
    True
    """
    own = config.settings().bar_store
    if store == own or place_of(own).below(interval).stamp(_FIRST) is None:
        return store
    return store if _is_elsewhere(store, place_of(own), interval, ask=True) else own


def _is_elsewhere(store: object, place: Place, interval: str, *, ask: bool = False) -> bool:
    """Return whether a citation is of another store that can be seen to be another.

    A store that was copied or restored from a backup has the first commit of the one it came from. A
    bucket is looked at only where `ask` says so.
    """
    if not isinstance(store, str) or store == place.uri or ("://" in store and not ask):
        return False
    try:
        first = _first_commit(place_of(store).below(interval))
    except (OSError, InvalidInputError):  # not there, or not to be reached
        return False
    own = place.below(interval)
    return first is not None and (own.stamp(_FIRST) is None or _first_commit(own) != first)


def _first_commit(place: Place) -> bytes | None:
    if place.stamp(_FIRST) is None:
        return None
    with place.filesystem.open_input_file(place.full(_FIRST)) as file:
        return bytes(file.read())
