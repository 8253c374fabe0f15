"""Where the revisions of the database lie, and the newest of them, without importing Alembic."""

from __future__ import annotations

from pathlib import Path

import mismartera_analytics
from mismartera_analytics.errors import MigrationError

__all__ = ["location", "newest"]


def location() -> Path:
    """Return the folder of the revisions: inside the installed package, else at the source's root."""
    package = Path(mismartera_analytics.__file__).resolve().parent
    for folder in (package / "migrations", package.parent / "migrations"):
        if (folder / "env.py").is_file():
            return folder
    raise MigrationError(
        f"the folder 'migrations' is neither in {package} nor beside it; install the package anew."
    )


def newest() -> str:
    """Return the newest revision, with which the name of its file begins."""
    names = (file.name for file in (location() / "versions").glob("[0-9]*_*.py"))
    return max(names).partition("_")[0]
