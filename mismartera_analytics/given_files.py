"""Files that a caller names: read up to a bound, and what goes wrong said in one sentence."""

from __future__ import annotations

import os
from pathlib import Path

from mismartera_analytics.errors import InvalidInputError, StorageError, as_given

__all__ = ["MAX_MB", "NO_HOME", "check_path", "expanded", "read_given"]

MAX_MB = 64
"""Longest file that is read as a whole [million bytes]."""

NO_HOME = "begins with the home of a user whom this machine does not know; write the folder out"
"""What is wrong with a path such as ``~nobody-of-this-name/bars``."""


def expanded(path: str | os.PathLike[str], *, argument: str = "path") -> Path:
    """Return a path with a user's home in the place of ``~``.

    Raises
    ------
    InvalidInputError
        If there is no such user.

    Examples
    --------
    >>> expanded("reports/demo.html").as_posix()
    'reports/demo.html'
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise InvalidInputError(f"{argument}={as_given(str(path))} {NO_HOME}.") from None


def check_path(path: Path, *, argument: str = "path") -> None:
    """Refuse a path that no file system takes.

    Raises
    ------
    InvalidInputError
        If it holds NUL or half a character.
    """
    text = str(path)
    try:
        is_fit = b"\0" not in text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        is_fit = False
    if not is_fit:
        raise InvalidInputError(
            f"{argument}={as_given(text[:100])} is no path: it holds NUL or half a sign."
        )


def read_given(path: Path, *, argument: str = "path", most_mb: int = MAX_MB) -> bytes:
    """Return what a file holds.

    Parameters
    ----------
    path
        Of the file.
    argument
        Name of the caller's argument.
    most_mb
        Longest file [million bytes]; no more than that is read of any.

    Returns
    -------
    bytes

    Raises
    ------
    StorageError
        If it cannot be read.
    InvalidInputError
        If it is too long, or no path.

    Examples
    --------
    >>> read_given(Path("no such file"))
    Traceback (most recent call last):
    mismartera_analytics.errors.StorageError: cannot read no such file (No such file or directory).
    """
    check_path(path, argument=argument)
    most = most_mb * 1_000_000
    try:
        with path.open("rb") as file:
            raw = file.read(most + 1)
    except OSError as error:
        raise StorageError(f"cannot read {path} ({error.strerror}).") from None
    if len(raw) > most:
        raise InvalidInputError(
            f"{path} is longer than {most_mb} million bytes, which is the most that is read at once; "
            f"part it."
        )
    return raw
