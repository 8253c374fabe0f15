"""The file of a backup: a ZIP archive with a manifest that names every member and its SHA-256.

Any program for ZIP files opens it. What is read from one is believed only after it was checked: nothing
of a hostile or damaged file reaches the disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import stat
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from mismartera_analytics.errors import StorageError
from mismartera_analytics.json_texts import parse_json
from mismartera_analytics.market_data.store_copies import is_below

__all__ = ["DATABASE", "FORMAT", "FORMAT_VERSION", "MANIFEST", "ArchiveReader", "ArchiveWriter"]

FORMAT = "mismartera backup"
FORMAT_VERSION = 1
MANIFEST = "manifest.json"
DATABASE = "database.sqlite"
CHUNK = 1 << 20
MOST_MANIFEST_MB = 250
MOST_RATIO = 300
"""By how much content may be larger than its archive: SQL databases shrink to a tenth."""
FREE_BYTES = 64 << 20
_COMPRESSED = (".json", ".sqlite", ".html")


class ArchiveWriter:
    """An archive that is being written, member by member, from streams.

    Parameters
    ----------
    path
        Of a new file, which only its owner may read: it holds hashes of passwords.
    """

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600, exist_ok=False)
        self.members: dict[str, dict[str, Any]] = {}
        self._zip = zipfile.ZipFile(path, "w", allowZip64=True)

    def add(self, name: str, source: IO[bytes], *, on_bytes: Callable[[int], object]) -> None:
        """Add a member from a stream that is open already, so that it is there as a whole."""
        info = zipfile.ZipInfo(name, time.gmtime()[:6])
        info.compress_type = (
            zipfile.ZIP_DEFLATED if name.endswith(_COMPRESSED) else zipfile.ZIP_STORED
        )
        info._compresslevel = 1  # type: ignore[attr-defined]  # there is no public way before 3.13
        info.external_attr = (stat.S_IFREG | 0o600) << 16
        digest, size = hashlib.sha256(), 0
        with self._zip.open(info, "w", force_zip64=True) as target:
            while part := source.read(CHUNK):
                target.write(part)
                digest.update(part)
                size += len(part)
                on_bytes(len(part))
        self.members[name] = {"size": size, "sha256": digest.hexdigest()}

    def finish(self, manifest: Mapping[str, Any]) -> str:
        """Write the manifest and close the file; return the manifest's SHA-256.

        Raises
        ------
        StorageError
            If there are more members than a manifest may name.
        """
        whole = {"format": FORMAT, "format_version": FORMAT_VERSION, **manifest}
        text = json.dumps({**whole, "members": self.members}, indent=1).encode()
        _parsed(text)  # a backup that could not be restored is none
        self._zip.writestr(zipfile.ZipInfo(MANIFEST, time.gmtime()[:6]), text)
        self._zip.close()
        return hashlib.sha256(text).hexdigest()

    def close(self) -> None:
        """Close the file, whole or not."""
        self._zip.close()


class ArchiveReader:
    """A backup whose outline has been checked; `check` reads every byte of it.

    Parameters
    ----------
    path
        Of the file.

    Raises
    ------
    StorageError
        If it is no backup, is damaged, comes from a newer version, or holds what a backup never does.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._zip = self._opened()
        try:
            self.manifest = self._read_manifest()
            self.members: dict[str, dict[str, Any]] = self.manifest["members"]
            self._check_outline()
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> ArchiveReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    @property
    def size(self) -> int:
        """Bytes of all members as they will be on disk."""
        return sum(one["size"] for one in self.members.values())

    def fault(self, reason: str) -> StorageError:
        """Return the error that says what is wrong with the file."""
        return StorageError(f"{self.path} is not a whole backup: {reason}; nothing was written.")

    def _opened(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self.path)
        except FileNotFoundError:
            raise StorageError(f"there is no file {self.path}.") from None
        except OSError as error:
            raise StorageError(f"{self.path} cannot be read: {error.strerror or error}.") from None
        except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
            raise self.fault(f"it is no ZIP file, or cut short ({error})") from None

    def _read_manifest(self) -> dict[str, Any]:
        infos = [info for info in self._zip.infolist() if info.filename == MANIFEST]
        if len(infos) != 1:
            raise self.fault(f"it has no {MANIFEST}" if not infos else f"{MANIFEST} is there twice")
        if infos[0].file_size > MOST_MANIFEST_MB * 1_000_000:
            raise self.fault(f"{MANIFEST} is too large")
        try:
            with self._zip.open(infos[0]) as file:
                manifest = _parsed(file.read())
        except StorageError as error:
            raise self.fault(str(error).rstrip(".")) from None
        except (UnicodeDecodeError, RuntimeError, *_DAMAGE):
            raise self.fault(f"{MANIFEST} cannot be read") from None
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            raise self.fault(f"{MANIFEST} is not one of a {FORMAT}")
        version = manifest.get("format_version")
        if version != FORMAT_VERSION:
            raise self.fault(
                f"its format is {version!r}, and this version reads {FORMAT_VERSION}; a newer one may "
                f"read it"
            )
        if not isinstance(manifest.get("members"), dict):
            raise self.fault(f"{MANIFEST} names no members")
        return manifest

    def _check_outline(self) -> None:
        """Compare the names and sizes of the archive with those of the manifest."""
        infos = [info for info in self._zip.infolist() if info.filename != MANIFEST]
        for info in infos:
            self._check_name(info)
        names = [info.filename for info in infos]
        if len(set(names)) != len(names):
            raise self.fault("it has two members of one name")
        odd = sorted(set(names) ^ self.members.keys())
        if odd:
            where = "manifest lacks" if odd[0] in names else "archive lacks"
            raise self.fault(f"its {where} {odd[0]!r}")
        for info in infos:
            known = self.members[info.filename]
            is_sound = (
                isinstance(known, dict)
                and isinstance(known.get("size"), int)
                and known["size"] >= 0
                and isinstance(known.get("sha256"), str)
            )
            if not is_sound or known["size"] != info.file_size:
                raise self.fault(f"{info.filename!r} has another size than the manifest says")
        packed = self.path.stat().st_size
        if self.size > FREE_BYTES + MOST_RATIO * packed:
            raise self.fault(f"it says to hold {self.size:,} bytes in {packed:,}")

    def _check_name(self, info: zipfile.ZipInfo) -> None:
        name = info.filename
        kind = stat.S_IFMT(info.external_attr >> 16)
        is_ours = name == DATABASE or name.startswith(("bars/", "reports/"))
        if not is_ours or not is_below(name) or info.orig_filename != name:
            raise self.fault(f"it holds a member named {name!r}, which no backup has")
        if kind not in (0, stat.S_IFREG) or info.flag_bits & 1:
            raise self.fault(f"{name!r} is a link or encrypted")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise self.fault(f"{name!r} is packed in an unknown way")

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Give a member as a stream that ends with an error where it is not what the manifest says.

        Yields
        ------
        file object

        Raises
        ------
        StorageError
            If there is no such member, or what was read to its end differs from the manifest. What
            the caller does with it fails under its own name: a full disk is no damage.
        """
        if name not in self.members:
            raise self.fault(f"it lacks {name!r}")
        with self.telling_damage(name):
            source = self._zip.open(name)
        with source:
            yield _Checked(source, name, self)  # type: ignore[misc]

    @contextlib.contextmanager
    def telling_damage(self, name: str) -> Iterator[None]:
        """Say of what fails inside, which only reads the archive, that the member is damaged."""
        try:
            yield
        except _DAMAGE as error:
            raise self.fault(f"{name!r} is damaged ({error})") from None

    def content(self, name: str) -> bytes:
        """Return a small member."""
        with self.open(name) as source:
            return source.read()

    def check(self, *, on_bytes: Callable[[int], object]) -> None:
        """Read every member to its end.

        Raises
        ------
        StorageError
            If one is damaged.
        """
        for name in self.members:
            with self.open(name) as source:
                while part := source.read(CHUNK):
                    on_bytes(len(part))


def _parsed(manifest: bytes) -> Any:
    """Return what a manifest says; bounded, for a small archive may hold a large one."""
    return parse_json(
        manifest.decode(), what=MANIFEST, error=StorageError, most_mb=MOST_MANIFEST_MB
    )


_DAMAGE = (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, zlib.error)


class _Checked:
    """A member that is counted and digested while it is read."""

    def __init__(self, source: IO[bytes], name: str, archive: ArchiveReader) -> None:
        self._source, self._name, self._archive = source, name, archive
        self._digest, self._size = hashlib.sha256(), 0

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; at the end, compare."""
        known = self._archive.members[self._name]
        with self._archive.telling_damage(self._name):
            part = self._source.read(size)
        self._digest.update(part)
        self._size += len(part)
        if self._size > known["size"]:
            raise self._archive.fault(f"{self._name!r} is larger than the manifest says")
        if (not part or size < 0) and (
            self._size != known["size"] or self._digest.hexdigest() != known["sha256"]
        ):
            raise self._archive.fault(f"{self._name!r} is not what the manifest says")
        return part
