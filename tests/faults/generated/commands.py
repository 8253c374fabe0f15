"""Words of the command line."""

from __future__ import annotations

import contextlib
import io
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import typer

from mismartera_analytics.cli.application import app
from mismartera_analytics.cli.application import run as command
from tests.faults.generated.calls import PLAUSIBLE
from tests.faults.generated.values import scalar

__all__ = ["cli"]


def _commands() -> Iterator[tuple[list[str], click.Command]]:
    waiting: list[tuple[list[str], Any]] = [([], typer.main.get_command(app))]
    while waiting:
        words, found = waiting.pop()
        inner = getattr(found, "commands", None)
        if inner is None:
            yield words, found
            continue
        waiting += [([*words, name], one) for name, one in inner.items()]


LEFT_OUT = (
    ["demo"],
    ["notebook", "run"],
    ["report", "batch"],
    ["report"],
    ["db", "copy"],
    ["backup"],
    ["restore"],
)
COMMANDS = [(words, one) for words, one in _commands() if words not in LEFT_OUT]


def cli(rng: random.Random, folder: Path) -> tuple[str, Callable[[], Any]]:
    """Words of the command line."""
    words, chosen = rng.choice(COMMANDS)
    given = list(words)
    for parameter in chosen.params:
        if parameter.param_type_name == "argument":
            if rng.random() < 0.95:
                given.append(_word(rng, parameter.name or "", folder))
        elif rng.random() < 0.2:
            given.append(rng.choice(parameter.opts))
            if not getattr(parameter, "is_flag", False):
                given.append(_word(rng, parameter.name or "", folder))
    if rng.random() < 0.1:
        given.append(str(scalar(rng)))

    def called() -> int:
        out, err = io.StringIO(), io.StringIO()
        before = sys.stdin
        sys.stdin = io.StringIO("")
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = command(given)
        finally:
            sys.stdin = before
        assert code in (0, 1, 2), code
        assert "Traceback" not in err.getvalue(), err.getvalue()
        return code

    return "cli " + " ".join(words), called


def _word(rng: random.Random, name: str, folder: Path) -> str:
    fitting = PLAUSIBLE.get(name, ())
    if name in ("output", "path", "file", "out", "target", "source") or "path" in name:
        return str(folder / rng.choice(("x.csv", "x.json", "x.png", "none", "\udcff")))
    if fitting and rng.random() < 0.6:
        return str(rng.choice(fitting))
    return str(scalar(rng))
