"""What the work rests on, examined: folders, rights of files, packages, and who wrote the runs."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import make_url, select
from sqlalchemy.orm import Session

from mismartera_analytics import __version__, config
from mismartera_analytics.backtesting.allowed_code import strategies_folder
from mismartera_analytics.models.runs import BacktestRun
from mismartera_analytics.operations.findings import Finding, named

__all__ = ["check_packages", "check_settings", "check_writers_of_runs", "database_file"]

LITTLE_ROOM = 256 * 2**20
"""Free space below which a disk is called nearly full [bytes]."""
SECRET = ("PASSWORD", "SECRET", "TOKEN", "KEY", "DATABASE_URL")
"""Parts of the names of variables that are not for others."""


def check_settings() -> Iterator[Finding]:
    """Yield folders that cannot be written or that all can write, full disks, and open secrets."""
    settings = config.settings()
    places = {"reports": settings.reports}
    database = database_file()
    if database is not None:
        places["database"] = database.parent
    if "://" not in settings.bar_store:
        places["bar_store"] = Path(settings.bar_store)
    for name, folder in places.items():
        there = _nearest(folder)
        if not os.access(there, os.W_OK | os.X_OK):
            yield Finding(
                "settings", "error", f"{name}: {folder} cannot be written",
                f"give whoever works here the right to write there, or set MISMARTERA_"
                f"{'DATABASE_URL' if name == 'database' else name.upper()} to another place",
            )  # fmt: skip
        free = shutil.disk_usage(there).free
        if free < LITTLE_ROOM:
            yield Finding(
                "settings", "warning", f"{name}: the disk of {folder} has {free / 2**20:,.0f} MB left",
                "make room",
            )  # fmt: skip
    for file in (settings.home / ".env", database):
        if file is not None and _is_for_others(file) and (file == database or _has_secret(file)):
            yield Finding(
                "settings", "warning", f"{file} can be read by everybody on this machine",
                f"chmod o-rwx {file}",
            )  # fmt: skip
    for folder in (settings.home, strategies_folder()):
        if _is_for_others(folder, stat.S_IWOTH):
            yield Finding(
                "settings", "warning", f"{folder} can be written by everybody on this machine, and "
                f"code of strategies runs from there", f"chmod o-w {folder}",
            )  # fmt: skip


def database_file() -> Path | None:
    """Return the configured database's file; None where it is none."""
    url = make_url(config.settings().database_url)
    name = url.database or ""
    is_file = url.get_backend_name() == "sqlite" and name not in ("", ":memory:")
    return Path(name) if is_file and not name.startswith("file:") else None


def _nearest(folder: Path) -> Path:
    """Return a folder, or the first one above it that is there."""
    return next((one for one in (folder, *folder.parents) if one.is_dir()), folder)


def _is_for_others(file: Path, right: int = stat.S_IROTH) -> bool:
    """Tell whether others have a right on a file: its own rights and those of every folder above it."""
    try:
        if not file.stat().st_mode & right:
            return False
        return all(one.stat().st_mode & stat.S_IXOTH for one in file.absolute().parents)
    except OSError:
        return False


def _has_secret(file: Path) -> bool:
    from dotenv import dotenv_values

    return any(
        any(word in name.upper() for word in SECRET) and value and not value.startswith("sqlite")
        for name, value in dotenv_values(file).items()
    )


def check_packages() -> Iterator[Finding]:
    """Yield installed packages that are not what this version asks for."""
    from packaging.requirements import Requirement

    try:
        asked = importlib.metadata.requires("mismartera-analytics") or []
    except importlib.metadata.PackageNotFoundError:
        yield Finding(
            "packages", "note", "the package is not installed: what it asks for is not known",
            "pip install . in its folder",
        )  # fmt: skip
        return
    for line in asked:
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            found = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            found = None
        if found is None or not requirement.specifier.contains(found, prereleases=True):
            is_there = "is not installed" if found is None else f"is installed in version {found}"
            yield Finding(
                "packages", "error", f"{requirement.name} {is_there}; asked for is {requirement}",
                f"pip install '{requirement}'",
            )  # fmt: skip


def check_writers_of_runs(db_session: Session) -> Iterator[Finding]:
    """Yield saved runs that a newer version of the library wrote."""
    from packaging.version import InvalidVersion, Version

    own, newer = Version(__version__), []
    rows = select(BacktestRun.id, BacktestRun.code_version).order_by(BacktestRun.id)
    for number, text in db_session.execute(rows):
        try:
            is_newer = Version((text or "0").split("+")[0]) > own
        except InvalidVersion:
            continue
        if is_newer:
            newer.append(number)
    if newer:
        yield Finding(
            "runs", "warning", f"{named('run', newer)}: saved by a version newer than {__version__}",
            "pip install --upgrade mismartera-analytics before they are run again", len(newer),
        )  # fmt: skip
