"""Run every benchmark, or those that are named, and write ``docs/benchmarks.md``.

``python benchmarks/run.py bars`` measures one script anew and leaves the other sections as they are.
"""

from __future__ import annotations

import ast
import datetime as dt
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
NOT_BENCHMARKS = {"run.py", "peers.py", "record_reads.py", "backtest_bars.py"}


def lines_of(script: Path) -> list[dict[str, object]]:
    """Run one script, let its lines through, and return them."""
    print(f"# {script.name}", flush=True)
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    found = []
    for line in process.stdout:
        print(line, end="", flush=True)
        if line.startswith("{"):
            found.append(json.loads(line))
    if process.wait():
        raise SystemExit(f"{script.name} failed with exit code {process.returncode}.")
    return found


def section(script: Path, lines: list[dict[str, object]]) -> str:
    """Return what one script says of itself and its table as Markdown."""
    told = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or ""
    text = [
        told,
        "",
        f"Measured on {dt.datetime.now(dt.UTC):%Y-%m-%d}.",
        "",
        "| question | ours | peer | theirs | ratio | wanted |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    text += [
        f"| {x['question']} | {x['ours']:.4g} {x['unit']} | {x['peer']} | "
        f"{x['theirs']:.4g} {x['unit']} | {x['ratio']} | {x.get('wanted', '')} |"
        for x in lines
    ]
    return "\n".join(text)


def sections_of(page: str) -> dict[str, str]:
    """Return the sections of a page by their titles."""
    parts = page.split("\n## ")[1:]
    return {part.partition("\n")[0]: part.partition("\n")[2].strip() for part in parts}


def page(sections: dict[str, str]) -> str:
    """Return the page as Markdown."""
    head = (
        f"# Benchmarks\n\n{os.cpu_count()} cores, {platform.machine()}, Python "
        f"{platform.python_version()}. The ratio is the median over the pairs of runs; above 1 ours is "
        "faster or smaller. Written by `make bench`."
    )
    told = [f"## {title}\n\n{text}" for title, text in sorted(sections.items())]
    return "\n\n".join([head, *told]) + "\n"


if __name__ == "__main__":
    path = HERE.parent / "docs" / "benchmarks.md"
    known = sorted(file for file in HERE.glob("*.py") if file.name not in NOT_BENCHMARKS)
    asked = [file for file in known if file.stem in sys.argv[1:]] if sys.argv[1:] else known
    sections = sections_of(path.read_text(encoding="utf-8")) if path.exists() else {}
    titles = {file.stem.replace("_", " ") for file in known}
    sections = {title: text for title, text in sections.items() if title in titles}
    for file in asked:
        sections[file.stem.replace("_", " ")] = section(file, lines_of(file))
    path.write_text(page(sections), encoding="utf-8")
