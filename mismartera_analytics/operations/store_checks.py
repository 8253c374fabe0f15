"""The bar store examined: logs, files, leftovers, and the versions that the records cite."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mismartera_analytics import config
from mismartera_analytics.errors import StorageError
from mismartera_analytics.market_data.bar_table import BarTable, bar_table
from mismartera_analytics.market_data.checkup import check_table, clear_leftovers
from mismartera_analytics.market_data.citations import cited_without_bars, citing_records
from mismartera_analytics.market_data.places import place_of
from mismartera_analytics.market_data.scanning import stored_intervals
from mismartera_analytics.market_data.store import BarStore
from mismartera_analytics.operations.findings import SHOWN, Finding, named

__all__ = ["check_store"]


def check_store(advance: Callable[[], None], *, has_records: bool) -> Iterator[Finding]:
    """Yield what is wrong with the files of the configured store.

    Parameters
    ----------
    advance
        Called after each interval.
    has_records
        Whether the database can be asked what its runs and reports cite.
    """
    store = BarStore()
    place = place_of(store.uri)
    try:
        intervals = stored_intervals(store)
    except StorageError as error:
        yield Finding("store", "error", str(error).rstrip("."), "check MISMARTERA_BAR_STORE")
        return
    lacking = cited_without_bars(place, intervals) if has_records else {}
    for interval, who in lacking.items():
        yield Finding(
            "store", "error", f"{store.uri} has no {interval}{' ' if interval else ''}bars at all, and "
            f"they are cited by {', '.join(who[:SHOWN])}{' and more' if len(who) > SHOWN else ''}",
            "put the folder back from a backup, or set MISMARTERA_BAR_STORE to where it is", len(who),
        )  # fmt: skip
    for interval in intervals:
        yield from _interval(bar_table(place, interval), interval, has_records=has_records)
        advance()


def _interval(table: BarTable, interval: str, *, has_records: bool) -> Iterator[Finding]:
    store = place_of(config.settings().bar_store)
    citing = citing_records(store, interval) if has_records else {}
    try:
        found = check_table(table, citing)
    except StorageError as error:
        yield Finding(
            "store", "error", str(error).rstrip("."), "restore the folder from a backup, or ingest the "
            "bars into an empty one",
        )  # fmt: skip
        return
    told = f"the {interval} bars"
    for files, what in ((found.missing, "gone"), (found.other_size, "not as long as the log says")):
        if files:
            yield Finding(
                "store", "error", f"{told}: of version {found.version} {named('file', files)} "
                f"{'is' if len(files) == 1 else 'are'} {what}",
                "put it back from a backup, a ZIP file that holds it below bars/ by the same name, or "
                "ingest all bars anew into an empty folder", len(files),
            )  # fmt: skip
    for version, reason in found.unreadable.items():
        who = ", ".join(citing[version][:SHOWN])
        yield Finding(
            "store", "warning", f"{told}: version {version} cannot be read, and is cited by {who}"
            f"{' and more' if len(citing[version]) > SHOWN else ''}: {reason.rstrip('.')}",
            "those runs and reports cannot be made again; if the store was moved, configure the one "
            "that they used", len(citing[version]),
        )  # fmt: skip
    if found.leftovers:

        def clear() -> str:
            return f"{told}: {clear_leftovers(table)} files were deleted"

        yield Finding(
            "store", "note", f"{told}: {named('file', found.leftovers)} "
            f"belong to no version that can be read",
            "left by writers that were killed, or by a vacuum that was: mismartera doctor --fix",
            len(found.leftovers), clear,
        )  # fmt: skip
