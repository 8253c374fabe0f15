"""Damaged and hostile archives: refused in one sentence, before anything is written."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mismartera_analytics import config
from mismartera_analytics.errors import StorageError
from mismartera_analytics.models import database as db
from mismartera_analytics.operations.backup import back_up
from mismartera_analytics.operations.backup_checks import verify_backup
from mismartera_analytics.operations.restoring import restore
from tests.operations.backups import HOSTILE, place_in, remade


@pytest.fixture(scope="module")
def taken(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Take one backup of the demo's data."""
    folder = tmp_path_factory.mktemp("taken")
    shutil.copytree(demo_home, folder / "home")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("MISMARTERA_HOME", str(folder / "home"))
        config.configure()
        back_up(folder / "whole.zip")
        db.close_db()
    config.configure()
    return folder / "whole.zip"


@pytest.fixture
def whole(taken: Path, tmp_path: Path) -> Iterator[Path]:
    """Give a whole backup; afterwards nothing may have been written."""
    yield Path(shutil.copy(taken, tmp_path))
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize("case", list(HOSTILE))
def test_a_hostile_archive_is_one_sentence_and_writes_nothing(case: str, whole: Path) -> None:
    change, honest, words = HOSTILE[case]
    refused(remade(whole, change, honest=honest), words)


def refused(file: Path, words: str) -> None:
    target = file.parent / "t"
    with pytest.raises(StorageError) as caught:
        restore(file, **place_in(target))
    said = str(caught.value)
    assert words in said
    assert "nothing was written" in said
    assert "\n" not in said
    assert not target.exists() or not any(p.is_file() for p in target.rglob("*"))
    if target.exists():
        target.rmdir()


def test_a_bomb_is_refused_before_it_is_unpacked(whole: Path) -> None:
    made = whole.with_name("made.zip")
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        manifest = json.loads(old.read("manifest.json"))
        manifest["members"] = {}  # of a small archive: the bomb is a small one too
        digest, part = hashlib.sha256(), bytes(1 << 20)
        with new.open("bars/1d/year=1/x.parquet", "w") as target:
            for _ in range(200):
                target.write(part)
                digest.update(part)
        told = {"size": 200 << 20, "sha256": digest.hexdigest()}
        manifest["members"]["bars/1d/year=1/x.parquet"] = told
        new.writestr("manifest.json", json.dumps(manifest))
    refused(made, "says to hold")


def test_a_manifest_that_unpacks_to_lists_without_end_is_not_parsed(whole: Path) -> None:
    """Five million empty lists are 15 kB of an archive and 500 MB of memory."""
    for content, words in (
        (b"[" + b"[]," * 5_000_000 + b"0]", "holds more than 4,000,000 values"),
        (b"[" * 100_000, "100,000 deep"),
        (b'{"format": 1, "format": 2}', "twice in one object"),
        (b"{", "not whole JSON"),
    ):
        made = whole.with_name("made.zip")
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("manifest.json", content)
        refused(made, words)


def test_links_doubles_and_encrypted_members_are_refused(whole: Path) -> None:
    link = zipfile.ZipInfo("bars/1d/link.parquet")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    for info, words in (
        (link, "is a link"), (zipfile.ZipInfo("database.sqlite"), "two members of one name"),
        (zipfile.ZipInfo("manifest.json"), "is there twice"),
    ):  # fmt: skip
        made = whole.with_name("made.zip")
        made.write_bytes(whole.read_bytes())
        with (
            zipfile.ZipFile(made, "a") as archive,
            pytest.warns(UserWarning, match="Duplicate name")
            if "link" not in words
            else contextlib.nullcontext(),
        ):
            archive.writestr(info, b"/etc/passwd")
        refused(made, words)


@pytest.mark.parametrize("left", [0, 10, 1000, 0.5, -1, -30])
def test_a_file_that_was_cut_short_is_refused(left: float, whole: Path) -> None:
    content = whole.read_bytes()
    size = int(len(content) * left) if isinstance(left, float) else left
    made = whole.with_name("made.zip")
    made.write_bytes(content[:size])
    refused(made, "is not a whole backup")


def test_any_flipped_byte_is_noticed_or_harmless(whole: Path) -> None:
    """A byte of the archive is changed at 40 places: it is refused, or nothing that it says changed."""
    content, made = bytearray(whole.read_bytes()), whole.with_name("made.zip")
    expected = verify_backup(whole)
    noticed = 0
    for at in range(0, len(content), len(content) // 40):
        content[at] ^= 0x55
        made.write_bytes(content)
        content[at] ^= 0x55
        try:
            found = verify_backup(made)
        except StorageError:
            noticed += 1
        else:
            assert (found.tables, found.bars) == (expected.tables, expected.bars)
    assert noticed >= 38


@pytest.mark.parametrize(
    "reports", [[["reports/a"]], [{}], ["database.sqlite"], {"reports/a": 1}, "x"]
)
def test_a_manifest_whose_reports_are_none_is_refused(
    demo_data: Path, tmp_path: Path, reports: Any
) -> None:
    back_up(tmp_path / "good.zip", bars=False)
    with (
        zipfile.ZipFile(tmp_path / "good.zip") as good,
        zipfile.ZipFile(tmp_path / "odd.zip", "w") as odd,
    ):
        odd.writestr("database.sqlite", good.read("database.sqlite"))
        manifest = json.loads(good.read("manifest.json")) | {"reports": reports}
        odd.writestr("manifest.json", json.dumps(manifest))
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "page.html").write_text("mine")
    with pytest.raises(StorageError, match="names reports that it lacks"):
        restore(tmp_path / "odd.zip", database_url=str(tmp_path / "new.db"), reports=mine)
    with pytest.raises(StorageError, match="names reports that it lacks"):
        verify_backup(tmp_path / "odd.zip")
    assert not (tmp_path / "new.db").exists()
