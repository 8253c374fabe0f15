"""What the tests of backups share: places to restore into, and archives made again after a change."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mismartera_analytics as ma
from mismartera_analytics.operations.restoring import restore


def place_in(folder: Path) -> dict[str, str]:
    """Name a database and a store in a folder: where to restore to, or what to configure."""
    return {"database_url": f"sqlite:///{folder}/x.db", "bar_store": str(folder / "bars")}


def restored_at(folder: Path, file: Path, **options: Any) -> Any:
    """Restore a backup into a folder and configure what is there."""
    done = restore(file, **place_in(folder), **options)
    ma.configure(**place_in(folder))
    return done


Change = Callable[[dict[str, bytes], dict[str, Any]], None]


def remade(whole: Path, change: Change, *, honest: bool = True) -> Path:
    """Write the archive again after a change; `honest` makes the manifest agree with it."""
    with zipfile.ZipFile(whole) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(members.pop("manifest.json"))
    change(members, manifest)
    if honest:
        for name, content in members.items():
            digest = hashlib.sha256(content).hexdigest()
            manifest["members"].setdefault(name, {}).update(size=len(content), sha256=digest)
    made = whole.with_name("made.zip")
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.writestr("manifest.json", json.dumps(manifest))
    return made


def _entry(members: dict[str, bytes]) -> str:
    return next(name for name in members if "_delta_log" in name)


def _bar_file(members: dict[str, bytes]) -> str:
    return next(name for name in members if name.endswith(".parquet"))


def _outside(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    name = _entry(members)
    members[name] = members[name].replace(b'"path":"year=2000', b'"path":"../../../year=2000')


def _beside_the_log(name: str) -> Change:
    """Add what a reader of Delta takes for newer or quicker than the entries."""

    def change(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
        added = {"path": "../../../passwd.parquet", "size": 1, "modificationTime": 0,
                 "dataChange": True, "partitionValues": {}}  # fmt: skip
        members[f"bars/1d/_delta_log/{name}"] = json.dumps({"add": added}).encode()
        manifest["bars"]["1d"]["files"].append(f"_delta_log/{name}")

    return change


def _named_in_the_log(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    _beside_the_log(f"{0:020}.checkpoint.parquet")(members, manifest)
    path = manifest["bars"]["1d"]["files"][-1]
    members[_entry(members)] += b'\n{"add":{"path":"%s"}}' % path.encode()


def _without(name: str) -> Change:
    def change(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
        found = _bar_file(members) if name == "bars" else _entry(members)
        del members[found], manifest["members"][found]
        for one in manifest["bars"].values():
            one["files"] = [path for path in one["files"] if not found.endswith(path)]

    return change


def _put(name: str, content: bytes = b"x") -> Change:
    return lambda members, manifest: members.update({name: content})


def _told(*path: str, value: Any) -> Change:
    def change(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
        where = manifest
        for part in path[:-1]:
            where = where[part]
        where[path[-1]] = value

    return change


def _other_rows(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    at = Path(os.environ["MISMARTERA_HOME"], "edit.db")
    at.write_bytes(members["database.sqlite"])
    with sqlite3.connect(at) as raw:
        raw.execute("UPDATE account_info SET cash_balance = cash_balance + 1")
    raw.close()
    members["database.sqlite"] = at.read_bytes()


HOSTILE: dict[str, tuple[Change, bool, str]] = {
    "parent": (_put("../evil"), True, "member named '../evil'"),
    "absolute": (_put("/tmp/evil"), True, "member named '/tmp/evil'"),
    "deep parent": (_put("bars/1d/../../../evil"), True, "which no backup has"),
    "backslash": (_put("bars/..\\..\\evil"), True, "which no backup has"),
    "drive": (_put("bars/C:evil"), True, "which no backup has"),
    "unexpected": (_put("readme.txt"), True, "member named 'readme.txt'"),
    "not told": (_put("bars/x"), False, "manifest lacks 'bars/x'"),
    "lacking": (lambda m, _: m.pop(_bar_file(m)) and None, False, "archive lacks 'bars/1d"),
    "other bytes": (
        lambda m, _: m.update({_bar_file(m): m[_bar_file(m)][:-1] + b"X"}), False,
        "not what the manifest says"),
    "other size": (lambda m, _: m.update({_bar_file(m): b"PAR1"}), False, "another size"),
    "log names outside": (_outside, True, "lies outside of it"),
    "later entry": (_beside_the_log(f"{1:020}.json"), True, "does not name '_delta_log/"),
    "checkpoint": (_beside_the_log(f"{0:020}.checkpoint.parquet"), True, "does not name"),
    "compacted log": (_beside_the_log(f"{0:020}.{0:020}.compacted.json"), True, "does not name"),
    "checkpoint as bars": (_named_in_the_log, True, "which is no file of bars"),
    "log is none": (
        lambda m, _: m.update({_entry(m): b"[" * 100_000}), True, "is no log entry"),
    "bars lacking": (_without("bars"), True, "needs 'year=2000"),
    "log lacking": (_without("log"), True, "lacks version 0"),
    "no database": (
        lambda m, _: m.update({"database.sqlite": b"none" * 4000}), True, "cannot be read"),
    "other rows": (_other_rows, True, "'account_info' differs from the manifest"),
    "other format": (_told("format_version", value=2), True, "its format is 2"),
    "no manifest of ours": (_told("format", value="x"), True, "is not one of a"),
    "bars told wrong": (_told("bars", "1d", "readable", value="0-99"), True, "nothing sensible"),
    "bars told odd": (_told("bars", value=[1]), True, "nothing sensible of bars"),
    "interval": (_told("bars", value={"../x": {}}), True, "nothing sensible of bars"),
    "endless versions": (
        _told("bars", "1d", "version", value=10**12), True, "nothing sensible of bars"),
    "database told odd": (_told("database", value=None), True, "nothing of a database"),
    "tables told": (
        _told("database", "tables", "more", value={}), True, "lacks the table 'more'"),
    "reports told": (_told("reports", value=["reports/x"]), True, "names reports that it lacks"),
    "members told odd": (_told("members", value=[]), False, "names no members"),
}  # fmt: skip
