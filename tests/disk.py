"""A disk that is watched: in which order files are settled and get their names."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

__all__ = ["Disk", "disk"]


class Disk:
    """What was settled, and what was given a name, in their order; all of it really done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.events: list[tuple[str, Path, Path]] = []
        self.settled: dict[Path, tuple[int, int]] = {}
        self.early: list[str] = []
        sync = os.fsync

        def fsync(descriptor: int) -> None:
            sync(descriptor)
            path = Path(f"/proc/self/fd/{descriptor}").readlink()
            self.events.append(("settled", path, path))
            self.settled[path] = self._mark(path)

        monkeypatch.setattr(os, "fsync", fsync)
        for name in ("replace", "rename", "link"):
            monkeypatch.setattr(os, name, self._naming(getattr(os, name)))

    @staticmethod
    def _mark(path: Path) -> tuple[int, int]:
        found = path.stat()
        return found.st_size, found.st_mtime_ns

    def _naming(self, real: Callable[..., None]) -> Callable[..., None]:
        def named(source: str | Path, target: str | Path, **options: object) -> None:
            before, after = Path(source).resolve(), Path(target).absolute()
            inside = [path for path in [before, *before.rglob("*")] if path.is_file()]
            self.early += [
                f"{path} is not on the disk as it is when {after} gets its name"
                for path in inside
                if self.settled.get(path) != self._mark(path)
            ]
            real(source, target, **options)
            self.events.append(("named", before, after))

        return named

    def check(self, place: Path) -> None:
        """Require that a place got its name from something settled, and that its folder was settled."""
        at = [
            n for n, (what, _, after) in enumerate(self.events) if (what, after) == ("named", place)
        ]
        assert at, f"nothing was moved to {place}: {self.events}"
        assert self.early == []
        assert ("settled", place.parent, place.parent) in self.events[at[-1] :], (
            f"the name {place} may be lost with the power"
        )


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """Watch the disk from here on."""
    return Disk(monkeypatch)
