"""A licence that is not allowed, not known or not stated fails; the packages here have none such."""

from __future__ import annotations

from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tools import check_licences
from tools.check_licences import ALLOWED, WEIGHED, LicenceError, alternatives, fault_of


def package(folder: Path, metadata: str) -> PathDistribution:
    """Return a package with these lines of metadata, as pip would have left it."""
    place = folder / "planted-1.0.dist-info"
    place.mkdir()
    (place / "METADATA").write_text(
        f"Metadata-Version: 2.4\nName: planted\nVersion: 1.0\n{metadata}"
    )
    return PathDistribution(place)


@pytest.mark.parametrize(
    ("metadata", "licence"),
    [
        ("License-Expression: MIT OR GPL-3.0-only\n", "MIT OR GPL-3.0-only"),
        ("License-Expression: MIT\nLicense: GPL\nClassifier: License :: Other\n", "MIT"),
        ("Classifier: License :: OSI Approved :: BSD License\nLicense: whatever\n", "BSD"),
        (
            "Classifier: License :: OSI Approved :: MIT License\n"
            "Classifier: License :: OSI Approved :: GNU General Public License (GPL)\n",
            "GNU General Public License (GPL) AND MIT",
        ),
        ("Classifier: License :: OSI Approved\nLicense: Apache 2.0\n", "Apache-2.0"),
        ("License: BSD 3-Clause License\n        \n        Copyright\n", "BSD-3-Clause"),
        ("Classifier: License :: Other/Proprietary License\n", "Other/Proprietary License"),
        ("License: \n", ""),
        ("", ""),
    ],
)
def test_where_a_licence_is_read(tmp_path: Path, metadata: str, licence: str) -> None:
    assert check_licences.stated_licence(package(tmp_path, metadata)) == licence


@pytest.mark.parametrize(
    "licence",
    ["MIT", "MIT OR GPL-3.0-only", "GPL-3.0-only OR (MIT AND BSD-3-Clause)", "(MIT)", "mit or ISC"],
)
def test_allowed(licence: str) -> None:
    assert fault_of("planted", licence.replace("mit or", "MIT or")) is None


@pytest.mark.parametrize(
    "licence",
    [
        "GPL-3.0-only",
        "MIT AND GPL-3.0-only",
        "(MIT OR ISC) AND LGPL-2.1-only",
        "MPL-2.0",
        "MIT (modified)",
        "MIT ISC",
        "(MIT",
        "MIT AND",
        "GPL-2.0-only WITH Classpath-exception-2.0",
        "Other/Proprietary License",
        "UNKNOWN",
    ],
)
def test_not_allowed_names_the_package(licence: str) -> None:
    assert f"planted has the licence {licence!r}" in (fault_of("planted", licence) or "")


def test_not_stated_names_the_package() -> None:
    assert fault_of("planted", "") == "planted states no licence."


def test_weighed_under_one_licence_only() -> None:
    assert fault_of("tqdm", WEIGHED["tqdm"][0]) is None
    assert fault_of("tqdm", "GPL-3.0-only") is not None
    assert fault_of("tqdm", "MPL-2.0") is not None


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("A OR B AND C", [{"A"}, {"B", "C"}]),
        ("(A OR B) AND C", [{"A", "C"}, {"B", "C"}]),
        ("A AND B WITH X", [{"A", "B WITH X"}]),
    ],
)
def test_alternatives(expression: str, found: list[set[str]]) -> None:
    assert alternatives(expression) == found


@pytest.mark.parametrize("expression", ["", "A B", "(A", "A)", "OR", "A OR"])
def test_no_expression(expression: str) -> None:
    with pytest.raises(LicenceError):
        alternatives(expression)


def test_what_users_install_is_allowed() -> None:
    looked_at, faults = check_licences.check(check_licences.users_requirements())
    assert faults == []
    assert looked_at > 100  # with what the direct ones need


def test_indirect_and_missing_packages_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, lines in {
        "outer": "License-Expression: MIT\nRequires-Dist: inner[more]\n",
        "inner": "License-Expression: MIT\nProvides-Extra: more\n"
        'Requires-Dist: strict; extra == "more"\nRequires-Dist: unused; extra == "less"\n',
        "strict": "License-Expression: GPL-3.0-only\nRequires-Dist: gone\n",
    }.items():
        (tmp_path / f"{name}-1.dist-info").mkdir()
        (tmp_path / f"{name}-1.dist-info" / "METADATA").write_text(
            f"Metadata-Version: 2.4\nName: {name}\nVersion: 1\n{lines}"
        )
    monkeypatch.syspath_prepend(tmp_path)
    looked_at, faults = check_licences.check([Requirement("outer")])
    assert looked_at == 4
    assert faults == [
        "gone is not installed, so its licence cannot be read.",
        "strict has the licence 'GPL-3.0-only', which is not among those allowed.",
    ]


def test_every_weighed_licence_says_why() -> None:
    assert all(licence and why for licence, why in WEIGHED.values())
    assert not {
        licence for licence in ALLOWED if licence.startswith(("GPL", "LGPL", "AGPL", "MPL"))
    }
