"""A table of every command, made where a page says ``<!-- commands -->``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
from sphinx.application import Sphinx

from mismartera_analytics.cli.application import app as commands

MARK = "<!-- commands -->"


def _rows(command: Any, path: str) -> Iterator[str]:
    """Walk a command and those below it; one that hides itself is left out."""
    below = getattr(command, "commands", {})
    if not below or (command.invoke_without_command and path.count(" ")):
        arguments = [each for each in command.params if each.param_type_name == "argument"]
        names = [
            (each.name.upper() + "…" * (each.nargs == -1), each.required) for each in arguments
        ]
        shown = [name if required else f"[{name}]" for name, required in names]
        told = " ".join((command.help or "").split("\n\n")[0].split())
        yield f"| `{' '.join([path, *shown])}` | {told} |"
    for name, one in sorted(below.items()):
        if not one.hidden:
            yield from _rows(one, f"{path} {name}")


def _fill_in(app: Sphinx, page: str, source: list[str]) -> None:
    if MARK in source[0]:
        rows = _rows(typer.main.get_command(commands), "mismartera")
        table = ["| command | what it does |", "| --- | --- |", *rows]
        source[0] = source[0].replace(MARK, "\n".join(table))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register it."""
    app.connect("source-read", _fill_in)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
