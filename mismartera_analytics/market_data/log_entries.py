"""The entries of a table's log as they are written: which version has which file."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mismartera_analytics.errors import StorageError
from mismartera_analytics.json_texts import stored_object
from mismartera_analytics.market_data.bar_table import BarTable, entry_of

__all__ = ["FOREVER", "Lifetimes", "actions_in", "lifetimes", "lifetimes_of"]

FOREVER = 2**62
Lifetimes = dict[str, list[tuple[int, int]]]
Action = dict[str, Any]


def lifetimes(table: BarTable, newest: int, *, otherwise: str) -> Lifetimes:
    """Return for each file that was ever part of a table the versions, end excluded, that have it.

    Parameters
    ----------
    table
        Whose log.
    newest
        The last version that is looked at.
    otherwise
        What was not done if the log cannot be read.

    Returns
    -------
    dict
        Ranges of versions by file; an open one ends at `FOREVER`.

    Raises
    ------
    StorageError
        If an entry of the log is missing or damaged.
    """
    with ThreadPoolExecutor(table.place.threads) as pool:
        entries = pool.map(lambda version: _entry(table, version, otherwise), range(newest + 1))
        try:
            return lifetimes_of(entries)
        except (KeyError, TypeError, AttributeError):
            raise StorageError(
                f"the log of {table.place.uri} is damaged: an entry names no files; {otherwise}."
            ) from None


def lifetimes_of(entries: Iterable[list[Action]]) -> Lifetimes:
    """Return the lifetimes of files from the entries of a log, version 0 first.

    Examples
    --------
    >>> entries = [[{"add": {"path": "a"}}], [{"remove": {"path": "a"}}, {"add": {"path": "b"}}]]
    >>> lifetimes_of(entries)["a"]
    [(0, 1)]
    """
    found: Lifetimes = {}
    for version, actions in enumerate(entries):
        # A file that a commit removes and adds again lives on.
        for path in (_path(action["remove"]) for action in actions if "remove" in action):
            if path in found:
                found[path][-1] = (found[path][-1][0], version)
        for path in (_path(action["add"]) for action in actions if "add" in action):
            found.setdefault(path, []).append((version, FOREVER))
    return found


def actions_in(text: str) -> list[Action]:
    """Return the actions of an entry, one a line."""
    what = "an entry of a Delta log"
    return [stored_object(line, what=what) for line in text.split("\n") if line.strip()]


def _path(action: dict[str, Any]) -> str:
    return urllib.parse.unquote(action["path"])


def _entry(table: BarTable, version: int, otherwise: str) -> list[Action]:
    place = table.place
    try:
        with place.filesystem.open_input_file(place.full(entry_of(version))) as file:
            text = file.read().decode()
    except UnicodeDecodeError:
        raise StorageError(
            f"the log entry of version {version} of {place.uri} is damaged, so that nobody knows which "
            f"files it needs: it is no text; {otherwise}."
        ) from None
    except OSError as error:
        raise StorageError(
            f"the log entry of version {version} of {place.uri} cannot be read, so nobody knows which "
            f"files it needs: {place.said(error)}; {otherwise}."
        ) from None
    return actions_in(text)
