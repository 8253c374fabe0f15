"""Pages of the API: each parameter's type and default beside its name, and members of our own alone.

Docstrings leave types out, since annotations hold them and mypy checks those.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin

from sphinx.application import Sphinx

from mismartera_analytics import clock

SECTIONS = {"Parameters", "Attributes"}
NAMES = re.compile(r"\*{0,2}\w+(, \*{0,2}\w+)*$")


def _spelled(annotation: str, names: dict[str, Any]) -> str:
    """Return an annotation with our own short names written out: ``Method`` as what it may be."""

    def written_out(word: re.Match[str]) -> str:
        meant = names.get(word[0])
        if get_origin(meant) is Literal:
            return "{" + ", ".join(repr(choice) for choice in get_args(meant)) + "}"
        if isinstance(meant, UnionType):
            return " | ".join(inspect.formatannotation(choice) for choice in get_args(meant))
        return word[0]

    plain = annotation.replace("clock.", "")
    spelled = re.sub(r"(?<![\w.\"'])[A-Z]\w+", written_out, plain)
    spelled = re.sub(r"\bLiteral\[([^\[\]]*)\]", r"{\1}", spelled)
    short = re.sub(r"\b(?:pd|pandas\.\w[\w.]*)\.(?=[A-Z])", "pandas.", spelled)
    short = re.sub(r"mismartera_analytics\.[\w.]+\.(?=[A-Z])", "", short)
    short = short.replace("collections.abc.", "").replace("NoneType", "None")
    short = re.sub(r"\bdt\.|\bdatetime\.(?=date)", "", short)
    return short if "[" in short else " | ".join(dict.fromkeys(short.split(" | ")))


def _annotations(thing: Any) -> dict[str, str]:
    """Return annotations as they are written."""
    names = vars(clock) | vars(inspect.getmodule(inspect.unwrap(thing)) or clock)
    found: dict[str, Any] = {}
    if inspect.isclass(thing):
        for base in reversed(thing.__mro__[:-1]):
            found |= inspect.get_annotations(base)
            found |= getattr(vars(base).get("__init__"), "__annotations__", {})
    else:
        found |= getattr(inspect.unwrap(thing), "__annotations__", {})
    return {
        name: _spelled(value if isinstance(value, str) else inspect.formatannotation(value), names)
        for name, value in found.items()
    }


def _defaults(thing: Any) -> dict[str, str]:
    """Return what is taken where nothing is given, for defaults that read well."""
    try:
        parameters = inspect.signature(thing).parameters
    except (TypeError, ValueError):
        return {}
    plain = (str, int, float, bool, type(None))
    return {
        name: repr(parameter.default)
        for name, parameter in parameters.items()
        if isinstance(parameter.default, plain)
    }


def _annotate(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    if what not in {"function", "class", "method"}:
        return
    annotations, defaults = _annotations(thing), _defaults(thing)
    section = ""
    for place, line in enumerate(lines):
        if place + 1 < len(lines) and set(lines[place + 1].strip()) == {"-"}:
            section = line.strip()
        elif section in SECTIONS and NAMES.match(line):
            told = {
                annotations.get(one.lstrip("*"), "")
                + (f", default {defaults[one]}" if one in defaults else "")
                for one in line.split(", ")
            }
            if len(told) == 1 and "" not in told:
                lines[place] = f"{line} : {told.pop()}".replace("*", r"\*")


def _is_foreign(
    app: Sphinx, what: str, name: str, member: Any, skipped: object, options: Any
) -> bool | None:
    """Leave out what a class inherits from pandas, pydantic or SQLAlchemy: their sites tell of it."""
    module = getattr(getattr(member, "fget", member), "__module__", None)
    is_ours = module is None or module.startswith("mismartera_analytics")
    return None if is_ours else True


def _drop_what_no_page_names(app: Sphinx) -> None:
    """Remove pages that autosummary wrote for names that have gone or moved: Sphinx warns of them."""
    api = Path(app.srcdir) / "api"
    named = set()
    for page in api.glob("*.md"):
        module = ""
        for line in page.read_text("utf-8").splitlines():
            if line.startswith(".. currentmodule::"):
                module = line.split()[-1]
            elif re.match(r"   \w+$", line):
                named.add(f"{module}.{line.strip()}")
    for written in (api / "generated").glob("*.rst"):
        if written.stem not in named:
            written.unlink()


def setup(app: Sphinx) -> dict[str, bool]:
    """Register before numpydoc reads the docstring."""
    app.connect("autodoc-process-docstring", _annotate, priority=100)
    app.connect("builder-inited", _drop_what_no_page_names, priority=900)
    app.connect("autodoc-skip-member", _is_foreign)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
