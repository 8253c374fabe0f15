"""Check that every lock holds all that ``pyproject.toml`` asks for, in versions that it admits.

Run by ``make check``, without a network. What a locked package needs in its turn is read from the
metadata of what is installed here; of packages for other platforms alone it is not known.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from itertools import product
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
OURS = "mismartera-analytics"
EVERYTHING = "dev"  # the lock that the others are cut from
LOCKS = {
    EVERYTHING: ["dev"],
    "demo": ["samples"],
    "lab": ["samples", "lab"],
    "docs": ["docs"],
    "postgres": ["postgres"],
    "distributed": ["distributed"],
}
PYTHONS = ("3.11", "3.12", "3.13")
OLDEST_PYTHON = PYTHONS[0]
PLATFORMS = {
    "linux-x86_64": ("linux", "Linux", "posix", "x86_64"),
    "linux-aarch64": ("linux", "Linux", "posix", "aarch64"),
    "macos-arm64": ("darwin", "Darwin", "posix", "arm64"),
    "windows-amd64": ("win32", "Windows", "nt", "AMD64"),
}
FROM_SOURCE = ("peewee",)  # no wheels of the release that empyrical-reloaded wants; tests only
OPTIONS = {"--only-binary :all:", *(f"--no-binary {name}" for name in FROM_SOURCE)}
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


class Pin(NamedTuple):
    """One line of a lock."""

    name: str
    requirement: Requirement
    version: Version
    hashes: int


class LockError(Exception):
    """A line of a lock that is no pin."""


def build_requirements(project: Path = ROOT / "pyproject.toml") -> list[str]:
    """Return what building the package itself takes; `editables` is what hatchling asks for besides."""
    wanted: list[str] = tomllib.loads(project.read_text(encoding="utf-8"))["build-system"][
        "requires"
    ]
    return [*wanted, "editables"]


def lock_path(name: str, root: Path = ROOT) -> Path:
    """Return where a lock lies."""
    return root / "locks" / f"{name}.txt"


def environments() -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each Python on each platform that the locks are for, as markers see it."""
    for python, (label, (platform, system, os_name, machine)) in product(
        PYTHONS, PLATFORMS.items()
    ):
        yield (
            f"Python {python} on {label}",
            {
                "python_version": python,
                "python_full_version": f"{python}.0",
                "sys_platform": platform,
                "platform_system": system,
                "os_name": os_name,
                "platform_machine": machine,
                "implementation_name": "cpython",
                "platform_python_implementation": "CPython",
                "implementation_version": f"{python}.0",
                "platform_release": "",
                "platform_version": "",
                "extra": "",
            },
        )


def read_lock(text: str) -> list[Pin]:
    """Return the pins of a lock.

    Raises
    ------
    LockError
        When a line is neither a comment, one of `OPTIONS` nor ``name==version`` with hashes: an
        address of a registry, a path and a range are such lines.
    """
    pins = []
    for line in text.replace("\\\n", " ").splitlines():
        plain = line.partition("#")[0].strip() if line.lstrip().startswith("#") else line.strip()
        if not plain or plain in OPTIONS:
            continue
        hashes = HASH.findall(plain)
        stated = HASH.sub("", plain).strip()
        try:
            requirement = Requirement(stated)
        except InvalidRequirement as error:
            raise LockError(f"{stated!r} is no pinned requirement.") from error
        exact = [one for one in requirement.specifier if one.operator == "=="]
        wild = any(one.version.endswith("*") for one in exact)
        if requirement.url or wild or len(exact) != 1 or len(requirement.specifier) != 1:
            raise LockError(f"{stated!r} does not pin one version.")
        if not hashes:
            raise LockError(f"{stated!r} has no hash.")
        name = canonicalize_name(requirement.name)
        pins.append(Pin(name, requirement, Version(exact[0].version), len(hashes)))
    return pins


def locked_in(pins: list[Pin], environment: dict[str, str]) -> dict[str, Version]:
    """Return the versions that a lock installs in an environment.

    Raises
    ------
    LockError
        When it would install two versions of one package.
    """
    found: dict[str, Version] = {}
    for pin in pins:
        if pin.requirement.marker is None or pin.requirement.marker.evaluate(environment):
            if pin.name in found:
                raise LockError(f"{pin.name} is pinned twice.")
            found[pin.name] = pin.version
    return found


def asked_for(project: dict[str, dict[str, object]], extras: list[str]) -> list[Requirement]:
    """Return the direct requirements of extras, with those that one takes over from another."""
    stated = project["project"]
    by_extra: dict[str, list[str]] = stated["optional-dependencies"]  # type: ignore[assignment]
    open_extras, done, found = list(extras), set(), list(map(Requirement, stated["dependencies"]))  # type: ignore[call-overload]
    while open_extras:
        extra = open_extras.pop()
        if extra in done:
            continue
        done.add(extra)
        for requirement in map(Requirement, by_extra[extra]):
            if canonicalize_name(requirement.name) == OURS:
                open_extras += requirement.extras
            else:
                found.append(requirement)
    return found


@cache
def installed(name: str) -> tuple[Version, list[Requirement]] | None:
    """Return the version and the requirements of an installed package, or None."""
    try:
        package = distribution(name)
    except PackageNotFoundError:
        return None
    return Version(package.version), list(map(Requirement, package.requires or []))


def needs_of(
    name: str, version: Version, environment: dict[str, str], extras: frozenset[str]
) -> list[Requirement]:
    """Return what a locked package needs in an environment, if that version is installed here."""
    found = installed(name)
    if found is None or found[0] != version:
        return []
    return [
        one
        for one in found[1]
        if one.marker is None
        or any(one.marker.evaluate({**environment, "extra": extra}) for extra in ("", *extras))
    ]


def faults_in(pins: list[Pin], direct: list[Requirement], environment: dict[str, str]) -> list[str]:
    """Return what a lock misses in one environment, direct and indirect requirements alike."""
    locked = locked_in(pins, environment)
    faults, seen = [], set()
    waiting = [
        ("pyproject.toml", one)
        for one in direct
        if one.marker is None or one.marker.evaluate(environment)
    ]
    while waiting:
        asker, requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        version = locked.get(name)
        if version is None:
            faults.append(f"lacks {name}, which {asker} asks for")
            continue
        if not admits(requirement.specifier, version):
            faults.append(f"holds {name} {version}, {asker} asks for {requirement.specifier}")
        key = (name, frozenset(requirement.extras))
        if key not in seen:
            seen.add(key)
            needs = needs_of(name, version, environment, key[1])
            waiting += [(name, need) for need in needs]
    return faults


def admits(specifier: SpecifierSet, version: Version) -> bool:
    """Return whether a range admits a version; what is locked may be a pre-release."""
    return specifier.contains(version, prereleases=True)


def check(root: Path = ROOT) -> list[str]:
    """Return a sentence for every fault of every lock.

    Raises
    ------
    LockError
        When a line of a lock is no pin, or a lock would install two versions of one package.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    build = list(map(Requirement, build_requirements(root / "pyproject.toml")))
    locks = {name: lock_path(name, root) for name in LOCKS}
    sentences = [
        f"locks/{name}.txt is not there." for name, path in locks.items() if not path.exists()
    ]
    if sentences:
        return sentences
    pins = {name: read_lock(path.read_text(encoding="utf-8")) for name, path in locks.items()}
    whole = {(pin.name, pin.version) for pin in pins[EVERYTHING]}
    for name, extras in LOCKS.items():
        others = sorted({(pin.name, pin.version) for pin in pins[name]} - whole)
        sentences += [
            f"locks/{name}.txt holds {other} {version}, locks/{EVERYTHING}.txt does not."
            for other, version in others
        ]
        direct = asked_for(project, extras) + build
        where: dict[str, list[str]] = {}
        for label, environment in environments():
            for fault in faults_in(pins[name], direct, environment):
                where.setdefault(fault, []).append(label)
        sentences += [
            f"locks/{name}.txt {fault} ({labels[0]} and {len(labels) - 1} more)."
            for fault, labels in where.items()
        ]
    return sentences


if __name__ == "__main__":
    try:
        found = check()
    except LockError as error:
        found = [str(error)]
    for fault in found:
        print(fault, file=sys.stderr)
    if found:
        sys.exit("The locks do not fit pyproject.toml: `make lock` writes them anew.")
    print(f"{len(LOCKS)} locks hold what pyproject.toml asks for, with hashes.")
