"""Check the licence of everything that a user can install with this package.

Run by ``make check``, without a network: the packages that the core and each extra but ``dev`` bring,
with all that those need in turn, are asked for the licence that their metadata states. One that is
missing or in words that are not known here fails, naming the package; it is read by a person and then
written down below. What a wheel bundles without stating it is not seen.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
FOR_OURSELVES = {"dev"}  # never on a user's machine
ALLOWED = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD", "BSD-2-Clause", "BSD-3-Clause",
    "CC0-1.0", "HPND", "ISC", "MIT", "MIT-0", "MIT-CMU", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib",
}  # fmt: skip
# Not permissive, or not plain from the metadata: each is here by name, with the licence it was weighed
# under and why it may stay. Under any other licence it fails again.
WEIGHED = {
    "certifi": (
        "MPL-2.0",
        "a list of certificates, used as it is; MPL binds changes to its own files only",
    ),
    "docutils": (
        "BSD AND GNU General Public License (GPL) AND Public Domain",
        "of the site's build; the GPL is of an editor's mode that its wheel does not install",
    ),
    "fqdn": ("MPL-2.0", "of JupyterLab, used as it is"),
    "psycopg": (
        "LGPL-3.0-only",
        "an extra, installed by the user and imported unchanged, never shipped with us",
    ),
    "psycopg-binary": ("LGPL-3.0-only", "the compiled half of psycopg, as above"),
    "tqdm": ("MPL-2.0 AND MIT", "progress bars, used as it is"),
}
# What metadata writes for a licence, apart from SPDX's own identifiers.
NAMES = {
    "apache 2.0": "Apache-2.0",
    "apache license": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd": "BSD",
    "bsd 2-clause license": "BSD-2-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "bsd license": "BSD",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "psfl": "PSF-2.0",
    "python software foundation license": "PSF-2.0",
    "simplified bsd": "BSD-2-Clause",
}
PARTS = re.compile(r"\(|\)|[^\s()]+")


class LicenceError(Exception):
    """Words that are no licence expression."""


def alternatives(expression: str) -> list[frozenset[str]]:
    """Return the sets of licences of which one has to be kept: `OR` gives a choice, `AND` adds.

    Raises
    ------
    LicenceError
        When the expression does not end, or has words where none may be.
    """
    parts = PARTS.findall(expression)
    found = either(parts)
    if parts:
        raise LicenceError(f"{expression!r} is no licence expression.")
    return found


def either(parts: list[str]) -> list[frozenset[str]]:
    """Take alternatives from the front of the parts."""
    found = both(parts)
    while parts and parts[0].upper() == "OR":
        parts.pop(0)
        found = found + both(parts)
    return found


def both(parts: list[str]) -> list[frozenset[str]]:
    """Take what holds together from the front of the parts."""
    found = one(parts)
    while parts and parts[0].upper() == "AND":
        parts.pop(0)
        more = one(parts)
        found = [left | right for left in found for right in more]
    return found


def one(parts: list[str]) -> list[frozenset[str]]:
    """Take one licence, or what stands in parentheses."""
    if not parts:
        raise LicenceError("A licence expression ends too early.")
    part = parts.pop(0)
    if part.upper() in {"AND", "OR", "WITH", ")"}:
        raise LicenceError(f"{part!r} is no licence.")
    if part == "(":
        found = either(parts)
        if not parts or parts.pop(0) != ")":
            raise LicenceError("A parenthesis of a licence expression is not closed.")
        return found
    if len(parts) > 1 and parts[0].upper() == "WITH":
        part = f"{part} WITH {parts[1]}"
        del parts[:2]
    return [frozenset({part})]


def stated_licence(package: Distribution) -> str:
    """Return the licence of an installed package as an SPDX expression, empty when none is stated.

    The expression of PEP 639 goes before the classifiers, and those before the free text, of which the
    first line is read. Several classifiers are taken to hold together, the stricter reading.
    """
    metadata = package.metadata
    if "License-Expression" in metadata:
        return metadata["License-Expression"]
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in metadata.get_all("Classifier") or []
        if line.startswith("License ::") and not line.endswith(":: OSI Approved")
    ]
    text = metadata["License"].strip().splitlines()[:1] if "License" in metadata else []
    return " AND ".join(sorted(NAMES.get(name.lower(), name) for name in classifiers or text))


def fault_of(name: str, licence: str) -> str | None:
    """Return what is wrong with a package's licence, or None."""
    if not licence:
        return f"{name} states no licence."
    if name in WEIGHED:
        weighed = WEIGHED[name][0]
        return (
            None
            if licence == weighed
            else f"{name} was weighed under {weighed}, not under {licence}."
        )
    try:
        choices = alternatives(licence)
    except LicenceError:
        choices = []
    if any(choice <= ALLOWED for choice in choices):
        return None
    return f"{name} has the licence {licence!r}, which is not among those allowed."


def brought_by(requirements: Iterable[Requirement]) -> Iterator[tuple[str, Distribution | None]]:
    """Yield each package that requirements bring here, indirect ones too; None where it is absent."""
    waiting, seen, named = list(requirements), set(), set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        key = (name, frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        try:
            package = distribution(name)
        except PackageNotFoundError:
            package = None
        if name not in named:
            named.add(name)
            yield name, package
        for need in map(Requirement, (package.requires or []) if package else []):
            extras = ("", *requirement.extras)
            if need.marker is None or any(need.marker.evaluate({"extra": one}) for one in extras):
                waiting.append(need)


def users_requirements(project: Path = ROOT / "pyproject.toml") -> list[Requirement]:
    """Return what the core and every extra for users ask for."""
    stated = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
    extras: dict[str, list[str]] = stated["optional-dependencies"]
    lines = [
        *stated["dependencies"],
        *(x for e, xs in extras.items() if e not in FOR_OURSELVES for x in xs),
    ]
    found = map(Requirement, lines)
    return [
        one for one in found if canonicalize_name(one.name) != canonicalize_name(stated["name"])
    ]


def check(requirements: Iterable[Requirement]) -> tuple[int, list[str]]:
    """Return how many packages were looked at, and a sentence for every fault."""
    packages = dict(brought_by(requirements))
    faults = [
        f"{name} is not installed, so its licence cannot be read." if package is None
        else fault_of(name, stated_licence(package))
        for name, package in sorted(packages.items())
    ]  # fmt: skip
    return len(packages), [fault for fault in faults if fault]


if __name__ == "__main__":
    looked_at, faults = check(users_requirements())
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        sys.exit(
            "Read these licences, and write down in tools/check_licences.py what they are, "
            "or leave the packages out."
        )
    weighed = ", ".join(f"{name} ({licence})" for name, (licence, _) in sorted(WEIGHED.items()))
    print(f"{looked_at} packages have licences that are allowed; by name: {weighed}.")
