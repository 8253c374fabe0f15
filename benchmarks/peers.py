"""Environments of the peers, and runs in turn."""

from __future__ import annotations

import hashlib
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def python(name: str, *packages: str) -> Path:
    """Return the interpreter of an environment under ``.bench/`` that holds `packages`."""
    digest = hashlib.sha256("\n".join(packages).encode()).hexdigest()[:12]
    folder = ROOT / ".bench" / f"{name}-{digest}"
    interpreter = folder / "bin" / "python"
    if not (folder / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = [str(interpreter), "-m", "pip", "install", "--quiet", *packages]
        subprocess.run(install, check=True)
        (folder / "complete").touch()
    return interpreter


def pinned(name: str) -> tuple[Path, str]:
    """Return the interpreter for ``requirements/NAME.txt``, and what its first line pins."""
    text = (ROOT / "benchmarks" / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    packages = text.split()
    return python(name, *packages), packages[0].replace("==", " ")


def compare(
    question: str,
    *,
    ours: Callable[[], float],
    theirs: Callable[[], float],
    peer: str,
    unit: str = "s",
    runs: int = 7,
    at_least: float | None = None,
) -> dict[str, object]:
    """Run both sides in turn, print one JSON line and return it; each call returns its own time.

    `at_least` is the ratio that the project wants to keep.
    """
    pairs = [(ours(), theirs()) for _ in range(runs)]
    line: dict[str, object] = {
        "question": question,
        "ours": statistics.median(pair[0] for pair in pairs),
        "peer": peer,
        "theirs": statistics.median(pair[1] for pair in pairs),
        "unit": unit,
        "ratio": round(statistics.median(their / our for our, their in pairs), 2),
        "runs": runs,
    }
    if at_least is not None:
        line["wanted"] = round(at_least, 2)
    print(json.dumps(line), flush=True)
    return line
