"""Which modules a stored row may name: what a database holds must not choose what Python runs."""

from __future__ import annotations

import builtins
import contextlib
import importlib
import importlib.util
import re
import sys
import sysconfig
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

from mismartera_analytics import config
from mismartera_analytics.errors import NotAllowedError, as_given

__all__ = ["SETTING", "import_allowed", "import_recorded", "strategies_folder"]

SETTING = "MISMARTERA_STRATEGY_PACKAGES"
SAMPLES = "mismartera_analytics.backtesting.samples"
_OURS = "mismartera_analytics.backtesting"
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\Z", re.ASCII)
_HARMLESS = frozenset({"abs", "bool", "float", "int", "len", "max", "min", "pow", "round", "sorted",
                       "str", "sum"})  # fmt: skip
"""Builtins that a recorded parameter may be."""


def strategies_folder() -> Path:
    """Return the folder of the home whose modules need no setting."""
    return config.settings().home / "strategies"


def import_allowed(module: str) -> Any:
    """Return a module that a stored configuration may name; others are refused before any import.

    Allowed are the package's samples, modules that lie in the folder `strategies` of the home, and
    those that ``MISMARTERA_STRATEGY_PACKAGES`` names, or that lie in a package it names.

    Parameters
    ----------
    module
        Dotted name.

    Raises
    ------
    NotAllowedError
        If it is none of these, or a file of `strategies` has the name of a module that is installed.

    Examples
    --------
    >>> import_allowed("antigravity")
    Traceback (most recent call last):
    mismartera_analytics.errors.NotAllowedError: module='antigravity' may not be imported: ...
    """
    found = _allowed(module)
    if found is None:
        raise NotAllowedError(
            f"module={as_given(module)} may not be imported: what a database names runs only from "
            f"{strategies_folder()}, {SAMPLES!r} and what the setting {SETTING} names "
            f"({', '.join(_listed()) or 'nothing'})."
        )
    with _found_in(found):
        return importlib.import_module(module)


def import_recorded(module: str, name: str) -> Any:
    """Return the class or function that a recorded run names, of a module that it may name.

    Beside what `import_allowed` takes these are the package's own policies and indicators, modules of
    one's own that this process has imported already, and a few builtins.

    Parameters
    ----------
    module, name
        Of the class or function, as `rebuilding.path_of` gives them.

    Raises
    ------
    NotAllowedError
        If the module may not be imported, or what it has by that name comes from another one.
    AttributeError, ImportError
        If it is not there.
    """
    if module == "builtins":
        if name not in _HARMLESS:
            raise NotAllowedError(f"builtins:{name} may not be named by a recorded run.")
        return getattr(builtins, name)
    is_policy = module.startswith(f"{_OURS}.") and _MODULE.match(module) is not None
    if is_policy:
        found: Any = importlib.import_module(module)
    elif _is_loaded_and_own(module):
        found = sys.modules[module]
    else:
        found = import_allowed(module)
    for part in name.split("."):
        found = getattr(found, part)
    place = getattr(found, "__module__", None), getattr(found, "__qualname__", None)
    if place != (module, name):
        raise NotAllowedError(
            f"{module}:{name} may not be named by a recorded run: it comes from {place[0]!r}."
        )
    return found


def _allowed(module: str) -> Path | None:
    """Return the folder from which an allowed module may also be found, None if it is not allowed."""
    if not _MODULE.match(module):
        return None
    if any(module == one or module.startswith(f"{one}.") for one in (SAMPLES, *_listed())):
        return config.home()
    folder, top = strategies_folder(), module.partition(".")[0]
    importlib.invalidate_caches()
    spec = PathFinder.find_spec(top, [str(folder)])
    if spec is None or not _lies_in(spec, folder):
        return None
    other = _elsewhere(top)
    if other is not None and not _lies_in(other, folder):
        raise NotAllowedError(
            f"module={as_given(module)} may not be imported: {folder} has a file of that name, but "
            f"Python "
            f"finds another module {top!r} first ({other.origin}); rename the file."
        )
    return folder


def _listed() -> list[str]:
    return [name for name in config.settings().strategy_packages.split(",") if name]


def _elsewhere(top: str) -> ModuleSpec | None:
    """Return where Python finds a module by itself; nothing is imported for a name without a dot."""
    loaded = sys.modules.get(top)
    if loaded is not None:
        return getattr(loaded, "__spec__", None) or ModuleSpec(top, None)
    return importlib.util.find_spec(top)


def _lies_in(spec: ModuleSpec, folder: Path) -> bool:
    places = [spec.origin] if spec.has_location and spec.origin else []
    places += list(spec.submodule_search_locations or ())
    return bool(places) and all(Path(place).is_relative_to(folder) for place in places)


@contextlib.contextmanager
def _found_in(folder: Path) -> Iterator[None]:
    """Let modules that lie in a folder be imported, after all others."""
    place = str(folder)
    if place in sys.path:  # taking it out again would take the caller's own
        yield
        return
    sys.path.append(place)
    try:
        yield
    finally:
        sys.path.remove(place)


def _is_loaded_and_own(module: str) -> bool:
    """Whether this process has imported a module that is neither Python's nor ours nor installed."""
    loaded = sys.modules.get(module)
    if module == "__main__":  # a notebook, which has no file, or a script, by whoever runs this
        return loaded is not None
    top = module.partition(".")[0]
    if loaded is None or top in sys.stdlib_module_names or top == _OURS.partition(".")[0]:
        return False
    file = getattr(loaded, "__file__", None)
    installed = {sysconfig.get_path(kind) for kind in ("stdlib", "purelib", "platlib")}
    # A user's own packages and the system's lie elsewhere than those of a virtual environment.
    return file is not None and not (
        {"site-packages", "dist-packages"} & set(Path(file).parts)
        or any(Path(file).is_relative_to(place) for place in installed if place)
    )
