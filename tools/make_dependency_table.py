"""Write ``docs/dependencies.md``: every direct dependency, why it is here and what it costs.

Run by ``make dependencies``. Why and when are written below; licence and size are read from what is
installed, import times are measured, and upkeep is what the registry says through uv: the date of the
newest release, and in how many of the last twelve months there was a new one.
"""

from __future__ import annotations

import datetime as dt
import re
import statistics
import subprocess
import sys
import tomllib
from importlib.metadata import Distribution, distribution
from itertools import pairwise
from pathlib import Path

from check_licences import WEIGHED, brought_by, stated_licence
from check_locks import OURS, PYTHONS, ROOT
from dependency_reasons import HEADS, REASONS
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PAGE = ROOT / "docs" / "dependencies.md"
UV = ROOT / ".bench" / "lock" / "bin" / "uv"
ROUNDS = 7
MEASURE = """
import time
started = time.process_time()
import {module}
print(time.process_time() - started)
"""
SOURCE = re.compile(
    r"https?://(?:www\.)?(?:github|gitlab|codeberg)\.(?:com|org)/((?!sponsors/)[\w.-]+/[\w.-]+)"
)


def direct() -> dict[str, list[Requirement]]:
    """Return the requirements of the core and of each extra, without those on our own extras."""
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = {"core": stated["dependencies"], **stated["optional-dependencies"]}
    return {
        group: [one for one in map(Requirement, lines) if canonicalize_name(one.name) != OURS]
        for group, lines in groups.items()
    }


def newest(names: list[str], before: dt.date) -> dict[str, tuple[str, str]]:
    """Return version and upload date of each package's newest release on a date, if it had one."""
    wanted = list(names)
    while True:
        done = subprocess.run(
            [
                str(UV), "pip", "compile", "-", "--quiet", "--no-deps", "--no-config",
                "--python-version", PYTHONS[-1], "--format", "pylock.toml",
                "--exclude-newer", f"{before}T00:00:00Z",
            ],
            input="\n".join(wanted),
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        absent = re.search(r"no versions of (\S+) and", done.stderr)
        if not (done.returncode and absent):
            break
        wanted.remove(absent[1])  # it began later
    if done.returncode:
        told = done.stderr.strip().splitlines() or ["no reason given"]
        raise SystemExit(f"The registry could not be asked for dates of releases: {told[0]}")
    found: dict[str, tuple[str, str]] = {}
    for package in tomllib.loads(done.stdout)["packages"]:
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        uploaded = min(file["upload-time"] for file in files)
        found[canonicalize_name(package["name"])] = (package["version"], f"{uploaded:%Y-%m-%d}")
    return found


def upkeep(names: list[str], today: dt.date) -> dict[str, tuple[str, int]]:
    """Return each package's date of newest release and its months of the last twelve with one."""
    ends = [today]
    for _ in range(12):
        year, month = divmod(ends[-1].year * 12 + ends[-1].month - 2, 12)
        ends.append(dt.date(year, month + 1, min(today.day, 28)))
    seen = [newest(names, end) for end in reversed(ends)]
    return {
        name: (date, sum(a.get(name) != b.get(name) for a, b in pairwise(seen)))
        for name, (_, date) in seen[-1].items()
    }


def size_of(package: Distribution) -> int:
    """Return what a package takes on the disk, without what Python compiles of it [bytes]."""
    paths = [Path(str(file.locate())) for file in package.files or [] if file.suffix != ".pyc"]
    return sum(path.stat().st_size for path in paths if path.is_file())


def megabytes(size: int) -> str:
    """Return a size in MB, with a decimal where it is small."""
    return f"{size / 1e6:.0f}" if size >= 10e6 else f"{size / 1e6:.1f}"


def import_milliseconds(module: str) -> float:
    """Return the processor time of an import in fresh processes, the median [ms]."""
    seconds = [
        float(
            subprocess.run(
                [sys.executable, "-c", MEASURE.format(module=module)],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for _ in range(ROUNDS + 1)
    ][1:]  # the first one fills the disk's cache
    return statistics.median(seconds) * 1000


def keeper_of(package: Distribution) -> str:
    """Return the public repository that a package names, else its author."""
    metadata = package.metadata
    addresses = [*(metadata.get_all("Project-URL") or []), *(metadata.get_all("Home-page") or [])]
    found = [match[1] for match in map(SOURCE.search, addresses) if match]
    if found:
        return found[0].removesuffix(".git")
    for field in ("Maintainer", "Author", "Maintainer-email", "Author-email"):
        if field in metadata:
            return metadata[field].partition("<")[0].strip(' "')
    return "source not stated"


def row(requirement: Requirement, kept: dict[str, tuple[str, int]]) -> str:
    """Return one dependency as a row of Markdown."""
    name = canonicalize_name(requirement.name)
    package = distribution(name)
    why, module, when = REASONS[name]
    own = size_of(package)
    brought = [found for _, found in brought_by([requirement]) if found is not None]
    whole = sum(map(size_of, brought))
    date, months = kept[name]
    licence = stated_licence(package) or "not stated in its metadata"
    cells = [
        str(Requirement(f"{requirement.name}[{','.join(requirement.extras)}]")),
        why,
        f"{licence}{' (weighed)' if name in WEIGHED else ''}",
        f"{keeper_of(package)}; {date}, {months} of 12",
        f"{megabytes(own)} / {megabytes(whole)} ({len(brought) - 1})",
        f"{import_milliseconds(module):.0f}" if module else "",
        when,
    ]
    return f"| {' | '.join(cells)} |"


def page(today: dt.date) -> str:
    """Return the page as Markdown."""
    groups = direct()
    names: list[str] = sorted(
        {canonicalize_name(one.name) for group in groups.values() for one in group}
    )
    kept = upkeep(names, today)
    parts = [HEADS["page"].format(today=today, rounds=ROUNDS)]
    for group, requirements in groups.items():
        parts.append(
            f"## {group.capitalize() if group == 'core' else f'`[{group}]`'}\n\n{HEADS[group]}"
        )
        if requirements:
            rows = [
                row(one, kept) for one in sorted(requirements, key=lambda one: one.name.lower())
            ]
            parts.append("\n".join([HEADS["columns"], *rows]))
    weighed = "\n".join(
        f"- {name}, {licence}: {why}." for name, (licence, why) in sorted(WEIGHED.items())
    )
    parts.append(HEADS["licences"].format(weighed=weighed))
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(dt.datetime.now(dt.UTC).date()), encoding="utf-8")
