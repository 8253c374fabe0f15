"""How kernels are compiled: by Numba, once, into a folder that changes with their source.

Numba's own cache does not notice that a function in another file was edited, so a caller would keep
running the old callee. Here the folder's name is a digest of every file of this package and of
Numba's version: an edit anywhere starts an empty folder.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import logging
import os
import pkgutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import caching, config

__all__ = ["cache_folder", "compile_kernels", "kernel"]

logger = logging.getLogger(__name__)
F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile `function` with Numba when it is first called, and keep the machine code on disk.

    Nothing is compiled and no folder is made when the module is imported. The GIL is released, a
    division by zero gives inf or NaN as in NumPy, and floating-point results are those of the source
    (no ``fastmath``).

    Parameters
    ----------
    function
        A function of NumPy arrays and scalars. It must not take another kernel as an argument:
        Numba would never find it in its cache.

    Returns
    -------
    callable
        A Numba dispatcher.

    Examples
    --------
    >>> @kernel
    ... def double(x):
    ...     return 2.0 * x
    >>> double(1.5)
    3.0
    """
    dispatcher: Any = numba.njit(nogil=True, error_model="numpy")(function)
    dispatcher._cache = _LazyCache(function)
    return cast("F", dispatcher)


def cache_folder() -> Path:
    """Return the folder of the compiled kernels of this source and this Numba.

    It lies in ``NUMBA_CACHE_DIR`` when that is set, else in the user's cache folder
    (``XDG_CACHE_HOME``, ``~/.cache``; ``~/Library/Caches``; ``%LOCALAPPDATA%``). It need not exist.

    Returns
    -------
    pathlib.Path

    Examples
    --------
    >>> cache_folder().is_absolute()
    True
    """
    return _cache_root() / "mismartera_analytics" / "kernels" / source_digest()[:16]


def compile_kernels() -> list[str]:
    """Compile every kernel that has no machine code yet, so that the first analysis does not wait.

    Returns
    -------
    list of str
        Names of the modules whose kernels are ready.

    Examples
    --------
    >>> {"fills", "lots"} <= set(compile_kernels())
    True
    """
    package = importlib.import_module(__package__)
    ready = []
    for found in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name):
        module = importlib.import_module(f"{__package__}.{found.name}")
        warm_up = getattr(module, "warm_up", None)
        if warm_up is not None:
            warm_up()
            ready.append(found.name)
    return ready


@functools.cache
def source_digest() -> str:
    """Return a digest of all kernels' source, Numba's version and Python's."""
    digest = hashlib.sha256(f"{numba.__version__} {sys.version_info[:2]}".encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _cache_root() -> Path:
    named = getattr(config, "CACHE_DIR", "") or os.environ.get("XDG_CACHE_HOME")
    if named:
        return Path(named).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    return Path.home() / ".cache"


@functools.cache
def _writable_folder() -> Path | None:
    """Make the folder; None, said once, when it cannot be written."""
    try:
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except (OSError, RuntimeError) as error:
        logger.warning(
            "compiled kernels cannot be kept (%s), so each process compiles them anew; "
            "set NUMBA_CACHE_DIR to a folder that can be written.",
            error,
        )
        return None
    return folder


class _Locator(caching._CacheLocator):
    """Place of one kernel's machine code."""

    def __init__(self, folder: Path, line: int) -> None:
        self._folder = folder
        self._line = line

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> _Locator | None:
        folder = _writable_folder()
        is_ours = Path(py_file).parent == Path(__file__).parent
        return cls(folder, py_func.__code__.co_firstlineno) if folder and is_ours else None

    def get_cache_path(self) -> str:
        return str(self._folder)

    def get_source_stamp(self) -> str:
        return source_digest()

    def get_disambiguator(self) -> str:
        return str(self._line)


class _Implementation(caching.CompileResultCacheImpl):
    _locator_classes = [_Locator]  # noqa: RUF012 - Numba reads this attribute


class _FunctionCache(caching.FunctionCache):
    _impl_class = _Implementation


class _LazyCache(caching._Cache):
    """A cache that looks for its folder when something is first compiled."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    @functools.cached_property
    def _cache(self) -> Any:
        is_ours = Path(self._function.__code__.co_filename).parent == Path(__file__).parent
        if not is_ours or _writable_folder() is None:
            return caching.NullCache()
        return _FunctionCache(self._function)  # type: ignore[no-untyped-call]

    @property
    def cache_path(self) -> str | None:
        return self._cache.cache_path  # type: ignore[no-any-return]

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        return self._cache.load_overload(sig, target_context)

    def save_overload(self, sig: Any, data: Any) -> None:
        self._cache.save_overload(sig, data)

    def enable(self) -> None:
        self._cache.enable()

    def disable(self) -> None:
        self._cache.disable()

    def flush(self) -> None:
        self._cache.flush()
