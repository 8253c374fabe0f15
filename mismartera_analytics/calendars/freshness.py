"""Whether a database has changed since its rules were read, without asking it."""

from __future__ import annotations

import functools
import time
from pathlib import Path

from sqlalchemy import make_url

__all__ = ["fingerprint", "is_settled"]

_SETTLING = 0.1  # [s]; a file system's clock ticks more finely than this


@functools.lru_cache(maxsize=8)
def _files(url: str) -> tuple[Path, ...]:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return ()
    database = parsed.database or ""
    if database in ("", ":memory:") or database.startswith("file:"):
        return ()
    return Path(database), Path(f"{database}-wal")


def fingerprint(url: str) -> tuple[tuple[int, int, int], ...] | None:
    """Return what any write to a SQLite file changes: the state of the file and of its log.

    Parameters
    ----------
    url
        SQLAlchemy URL.

    Returns
    -------
    tuple or None
        Inode, size and time [ns] of the last write, of both files. None for other databases, whose
        changes cannot be told from outside.

    Examples
    --------
    >>> fingerprint("postgresql://ada@localhost/records") is None
    True
    """
    found = []
    for path in _files(url):
        try:
            state = path.stat()
        except OSError:
            found.append((0, 0, 0))
        else:
            found.append((state.st_ino, state.st_size, state.st_mtime_ns))
    return tuple(found) or None


def is_settled(state: tuple[tuple[int, int, int], ...]) -> bool:
    """Whether the last write lies so far back that the next one will bear another time."""
    return time.time_ns() - max(written for _, _, written in state) > _SETTLING * 1e9
