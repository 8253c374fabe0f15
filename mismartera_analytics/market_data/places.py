"""Where the files of a bar store lie: a folder of this machine, or an object store (see `buckets`).

The rest of the store asks a place to find, read, write, list and delete files and never looks at
paths itself. delta-rs gets a place's address and options, pyarrow its filesystem.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from mismartera_analytics.errors import InvalidInputError, StorageError, as_given
from mismartera_analytics.files import settle
from mismartera_analytics.given_files import expanded

__all__ = ["FileFound", "FolderPlace", "Place", "on_one_line", "place_of", "refuse_odd_signs"]

_ODD = re.compile(r"%[0-9A-Fa-f]{2}|[\[\]^|\\\x00-\x1f\x7f-\x9f]")
"""What delta-rs, which makes a URL of every address, breaks off at or takes for another sign."""


class FileFound(NamedTuple):
    """A file of a listing: path below the place, length [bytes] and time of change [s since 1970]."""

    path: str
    size: int
    modified: float


class Place(Protocol):
    """A folder, wherever it is; paths below it are relative, with forward slashes."""

    def __hash__(self) -> int: ...

    @property
    def uri(self) -> str:
        """The address, as shown and as delta-rs takes it."""

    @property
    def options(self) -> dict[str, str] | None:
        """What delta-rs has to know besides the address."""

    @property
    def filesystem(self) -> Any:
        """The pyarrow filesystem on which `full` paths lie."""

    @property
    def is_remote(self) -> bool:
        """Whether each access is a message to another machine."""

    @property
    def threads(self) -> int:
        """How many files are best read or written at the same time."""

    def check_name(self) -> None:
        """Refuse a place where delta-rs would not find what was written there."""

    def below(self, name: str) -> Place:
        """Return the place of a folder below this one."""

    def full(self, path: str) -> str:
        """Return the path of a file on `filesystem`."""

    def stamp(self, path: str) -> str | None:
        """Return what changes when a file is replaced by another; None if there is none."""

    def write(self, path: str, save: Callable[[Any], None]) -> int:
        """Make a file of what `save` writes and return its length [bytes]; on error there is none.

        The file is settled.
        """

    def settle(self, path: str) -> None:
        """Return when a file, and the folders that lead to it, would survive a loss of power."""

    def delete(self, path: str) -> None:
        """Delete a file if it is there."""

    def listed(self) -> list[FileFound]:
        """Return every file below, in no order."""

    def said(self, error: Exception) -> str:
        """Return in words why an access failed."""


@dataclass(frozen=True)
class FolderPlace:
    """A folder of this machine.

    Attributes
    ----------
    root
        Absolute.
    """

    root: Path
    is_remote = False
    threads = min(8, os.cpu_count() or 1)
    options = None

    @property
    def uri(self) -> str:
        """The path."""
        return str(self.root)

    @property
    def filesystem(self) -> Any:
        """The machine's, mapping what it reads into memory."""
        from pyarrow.fs import LocalFileSystem

        return LocalFileSystem(use_mmap=True)

    def check_name(self) -> None:
        """Refuse a folder whose name delta-rs reads as another's."""
        refuse_odd_signs(self.root.as_posix(), str(self.root))

    def below(self, name: str) -> FolderPlace:
        """Return the place of a folder below this one."""
        return FolderPlace(self.root / name)

    def full(self, path: str) -> str:
        """Return the absolute path."""
        return str(self.root / path)

    def stamp(self, path: str) -> str | None:
        """Return inode and time of change.

        Raises
        ------
        StorageError
            If a part of the path is a file, or the place cannot be looked at.
        """
        try:
            found = (self.root / path).stat()
        except FileNotFoundError:
            return None
        except NotADirectoryError:
            raise StorageError(
                f"the bar store {self.root} lies in a file, not in a folder; set "
                f"MISMARTERA_BAR_STORE to a folder."
            ) from None
        except OSError as error:  # a name that is too long, a loop of links, no right to look
            raise StorageError(
                f"the bar store {as_given(str(self.root))} cannot be read ({error.strerror}); set "
                f"MISMARTERA_BAR_STORE to a folder that can."
            ) from None
        return f"{found.st_ino}-{found.st_mtime_ns}"

    def write(self, path: str, save: Callable[[Any], None]) -> int:
        """Make a file and the folders above it."""
        self.check_name()
        full = self.root / path
        try:
            full.parent.mkdir(parents=True, exist_ok=True)
            save(full)
            self.settle(path)
            return full.stat().st_size
        except BaseException:
            full.unlink(missing_ok=True)
            raise

    def settle(self, path: str) -> None:
        """Bring a file and the folders between it and the store's to the disk."""
        full = self.root / path
        folders = [folder for folder in full.parents if folder.is_relative_to(self.root.parent)]
        for part in (full, *folders):
            settle(part)

    def delete(self, path: str) -> None:
        """Delete a file if it is there."""
        (self.root / path).unlink(missing_ok=True)

    def listed(self) -> list[FileFound]:
        """Return every file below."""
        found = []
        for folder, _, names in os.walk(self.root):
            for name in names:
                file = Path(folder, name)
                try:
                    known = file.stat()
                except FileNotFoundError:  # deleted while we look
                    continue
                path = file.relative_to(self.root).as_posix()
                found.append(FileFound(path, known.st_size, known.st_mtime))
        return found

    def said(self, error: Exception) -> str:
        """Return the system's own words."""
        return str(getattr(error, "strerror", None) or on_one_line(str(error)))


def on_one_line(text: str) -> str:
    """Return what a library wrote for terminals without colours, arrows and line breaks."""
    return " ".join(re.sub(r"\x1b\[\d+m|↳", "", text).split())


def refuse_odd_signs(path: str, shown: str) -> None:
    """Refuse a path whose bars delta-rs would look for elsewhere, or not at all.

    Asked where bars are read or written: who has none may have a folder of any name.

    Raises
    ------
    InvalidInputError
        If a sign in it is one of those.
    """
    odd = _ODD.search(path)
    if odd:
        raise InvalidInputError(
            f"bars cannot lie in {as_given(shown)}, which has {as_given(odd[0])} in its name: the "
            f"Delta format reads names as parts of a URL. Not allowed are [ ] ^ | \\, a '%' with two "
            f"digits after it and control characters; name another place in MISMARTERA_BAR_STORE, or "
            f"in uri=."
        )


def place_of(uri: str | Path) -> Place:
    """Return the place that an address names; nothing is made or asked there.

    Parameters
    ----------
    uri
        Folder, or ``s3://bucket/prefix``. Credentials, region and endpoint of S3 are those of the
        environment (``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_SESSION_TOKEN``,
        ``AWS_REGION``, ``AWS_ENDPOINT_URL``), else of the AWS profile or the machine's role.

    Returns
    -------
    Place

    Raises
    ------
    InvalidInputError
        If it is an address of another kind, names no bucket, or is one of S3 with a sign in it that
        the Delta format does not read as itself, such as ``[`` or ``%20``.

    Examples
    --------
    >>> place_of("s3://market/bars/").below("1m").uri
    's3://market/bars/1m'
    """
    where = str(uri)
    if "://" not in where:
        return FolderPlace(expanded(where, argument="uri").absolute())
    from mismartera_analytics.market_data.buckets import bucket_place

    return bucket_place(where, os.environ)
