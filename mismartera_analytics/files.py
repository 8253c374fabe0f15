"""Files that a reader never sees half of: written beside their place, settled, and moved there."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from mismartera_analytics.errors import StorageError

__all__ = ["is_leftover", "write_file", "write_files"]

_LEFTOVER = re.compile(r"\..+\.[0-9a-f]{8}\.part")


def is_leftover(name: str) -> bool:
    """Tell whether a file's name is that of one written beside its place.

    Examples
    --------
    >>> is_leftover(".page.html.0a1b2c3d.part"), is_leftover("page.html")
    (True, False)
    """
    return _LEFTOVER.fullmatch(name) is not None


def write_file(target: Path, content: bytes, *, argument: str = "path") -> None:
    """Write one file as `write_files` does.

    Raises
    ------
    StorageError
        If it cannot be written; nothing is left behind.
    """
    write_files({target: content}, argument=argument)


def write_files(
    files: Mapping[Path, bytes],
    *,
    argument: str = "path",
    before: Callable[[], None] | None = None,
) -> None:
    """Write files beside their places and move them there; folders are made.

    When it returns, files and names would survive a loss of power. Whatever interrupts it, each place
    holds the old file or the new one, whole; a killed process leaves what `is_leftover` knows.

    Parameters
    ----------
    files
        Bytes by their place.
    argument
        What the error calls the place.
    before
        Called when all of them are on the disk and none has been moved; its error stops the move.

    Raises
    ------
    StorageError
        If one cannot be written; then none is moved, and nothing is left behind.
    """
    beside = {
        target: target.with_name(f".{target.name}.{secrets.token_hex(4)}.part") for target in files
    }
    try:
        for target, content in files.items():
            with _said(target, argument):
                target.parent.mkdir(parents=True, exist_ok=True)
                with beside[target].open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
        if before is not None:
            before()
        for target in files:
            with _said(target, argument):
                beside[target].replace(target)
        for folder in {target.parent for target in files}:
            with _said(folder, argument):
                _settle(folder)
    finally:
        for part in beside.values():
            with contextlib.suppress(OSError):
                part.unlink()


@contextlib.contextmanager
def _said(target: Path, argument: str) -> Iterator[None]:
    """Say in our words why a file cannot be written."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StorageError(f"{argument}={str(target)!r} cannot be written: {reason}.") from None


def _settle(folder: Path) -> None:
    """Return when the names in a folder would survive a loss of power."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
