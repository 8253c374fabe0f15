"""How files of reports are named, and whether a folder takes them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from mismartera_analytics.files import name_beside, told_if_unwritable

__all__ = ["file_name", "own_file_name", "require_writable"]


def file_name(text: str, *, most: int = 60) -> str:
    """Return a text as part of a file's name: lower-case letters, digits and hyphens, may be empty.

    Examples
    --------
    >>> file_name("../<b>Ada & Søn</b>.html")
    'b-ada-s-n-b-html'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:most].strip("-")


def own_file_name(text: str, *, most: int = 80) -> str:
    """Return `file_name` of a text, told apart from that of texts that differ in other characters.

    Where more was lost than case, blanks and hyphens, eight letters of the text's digest follow.

    Examples
    --------
    >>> own_file_name("Daily report")
    'daily-report'
    >>> own_file_name("Ada & Søn"), own_file_name("Ada & Sun")
    ('ada-s-n-8e8270d5', 'ada-sun-caf78ff5')
    """
    name = file_name(text, most=most)
    if name == "-".join(text.lower().replace("-", " ").split()):
        return name
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{name[: most - 9].strip('-')}-{digest}".lstrip("-")


def require_writable(folder: Path, *, argument: str) -> None:
    """Make a folder and see that files can be written there, before anything else is done.

    Raises
    ------
    StorageError
        If they cannot.
    """
    probe = name_beside(folder / "probe")
    with told_if_unwritable(folder, argument):
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
