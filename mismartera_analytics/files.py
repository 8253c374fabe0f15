"""Files that a reader never sees half of: written beside their place, settled, and moved there."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from mismartera_analytics.errors import StorageError, as_given

__all__ = [
    "digest_of",
    "folder_beside",
    "is_leftover",
    "name_beside",
    "settle",
    "told_if_unwritable",
    "write_file",
    "write_files",
]

_LEFTOVER = re.compile(r"\..+\.[0-9a-f]{8}\.part")

_NO_FOLDERS = frozenset({errno.EBADF, errno.EINVAL, errno.ENOTSUP})
"""What file systems say that settle no folders, as some of the network do: their names are written."""


def is_leftover(name: str) -> bool:
    """Tell whether a name is that of a file or folder written beside its place.

    Examples
    --------
    >>> is_leftover(".page.html.0a1b2c3d.part"), is_leftover("page.html")
    (True, False)
    """
    return _LEFTOVER.fullmatch(name) is not None


def name_beside(target: Path) -> Path:
    """Return a name, in the same folder, for what is to be moved to its place when it is whole.

    Examples
    --------
    >>> is_leftover(name_beside(Path("page.html")).name)
    True
    """
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")


@contextlib.contextmanager
def folder_beside(target: Path) -> Iterator[Path]:
    """Give a folder beside a place, for its owner only, which is gone afterwards with what it holds.

    Yields
    ------
    Path
        A killed process leaves it, under a name that `is_leftover` knows.
    """
    folder = name_beside(target)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
    beside = {target: name_beside(target) for target in files}
    try:
        for target, content in files.items():
            with told_if_unwritable(target, argument):
                target.parent.mkdir(parents=True, exist_ok=True)
                with beside[target].open("wb") as file:
                    with contextlib.suppress(FileNotFoundError):
                        shutil.copymode(target, beside[target])  # who may read it was chosen
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
        if before is not None:
            before()
        for target in files:
            with told_if_unwritable(target, argument):
                beside[target].replace(target)
        for folder in {target.parent for target in files}:
            with told_if_unwritable(folder, argument):
                settle(folder)
    finally:
        for part in beside.values():
            with contextlib.suppress(OSError):
                part.unlink()


@contextlib.contextmanager
def told_if_unwritable(target: Path, argument: str) -> Iterator[None]:
    """Say in our words why a file or folder cannot be written, where the block fails at it.

    Yields
    ------
    None

    Raises
    ------
    StorageError
        Naming the argument, the place and the reason.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StorageError(
            f"{argument}={as_given(str(target))} cannot be written: {reason}."
        ) from None


def settle(path: Path) -> None:
    """Return when a file, or the names in a folder, would survive a loss of power."""
    is_windows = not hasattr(os, "O_DIRECTORY")  # settles no folders, and files opened for writing
    if is_windows and path.is_dir():
        return
    opened = os.open(path, os.O_RDWR if is_windows else os.O_RDONLY)
    try:
        os.fsync(opened)
    except OSError as error:
        if not (error.errno in _NO_FOLDERS and path.is_dir()):
            raise
    finally:
        os.close(opened)
