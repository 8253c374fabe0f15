"""What went into a run, as JSON from which it can be built again."""

from __future__ import annotations

import dataclasses
import datetime as dt
import inspect
import math
import sys
from typing import Any

import numpy as np
import pandas as pd

from mismartera_analytics.backtesting.allowed_code import import_recorded
from mismartera_analytics.backtesting.fingerprints import code_hash
from mismartera_analytics.backtesting.strategy import Strategy
from mismartera_analytics.errors import MismarteraError, NotAllowedError, NotReproducibleError

__all__ = ["from_json", "path_of", "strategy_from_json", "strategy_to_json", "to_json"]


def to_json(value: Any) -> Any:
    """Return a value as JSON that `from_json` turns back into an equal one.

    Parameters
    ----------
    value
        Numbers, texts, times, collections, frozen dataclasses of an importable class, and importable
        classes and functions. Of anything else a description is kept: `from_json` then says what is
        missing.

    Returns
    -------
    object
        What `json.dumps` takes.

    Examples
    --------
    >>> from_json(to_json((1, dt.date(2024, 1, 2), float("inf"))))
    (1, datetime.date(2024, 1, 2), inf)
    """
    if isinstance(value, np.generic) and not isinstance(value, np.datetime64 | np.timedelta64):
        value = value.item()
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return value
    if kind is float:
        return value if math.isfinite(value) else {"float": repr(value)}
    if kind is list:
        return [to_json(inner) for inner in value]
    if kind in (tuple, set, frozenset):
        return {kind.__name__: [to_json(inner) for inner in value]}
    if kind is dict:
        return {"dict": [[to_json(key), to_json(inner)] for key, inner in value.items()]}
    if kind in _TIMES:
        return {kind.__name__: value.isoformat()}
    path = path_of(value if isinstance(value, type) or inspect.isroutine(value) else kind)
    if path is None:
        return {"lost": f"{kind.__qualname__} {getattr(value, '__qualname__', '')}".strip()}
    if isinstance(value, type) or inspect.isroutine(value):
        return {"code": path, "hash": code_hash(value)}
    if dataclasses.is_dataclass(value):
        held = {
            f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value) if f.init
        }
        is_ours = kind.__module__.startswith("mismartera_analytics.")
        return {"object": path, "fields": held, "hash": None if is_ours else code_hash(kind)}
    return {"lost": f"an object of {path}"}


_TIMES: dict[type, Any] = {
    pd.Timestamp: pd.Timestamp,
    dt.datetime: dt.datetime.fromisoformat,
    dt.date: dt.date.fromisoformat,
    dt.time: dt.time.fromisoformat,
}
_COLLECTIONS: dict[str, Any] = {"tuple": tuple, "set": set, "frozenset": frozenset}


def path_of(code: Any) -> str | None:
    """Return ``module:name`` of a class or function, None where it has no such place."""
    module, name = getattr(code, "__module__", None), getattr(code, "__qualname__", "")
    if not module or "<" in name:
        return None
    return f"{module}:{name}"


def from_json(value: Any, *, argument: str = "a parameter") -> Any:
    """Return what `to_json` was given.

    Parameters
    ----------
    value
        What it returned.
    argument
        What it stands for, for the error.

    Raises
    ------
    NotReproducibleError
        If it was not kept, its code is not found or has changed, or it is not what `to_json` returns.
    """
    try:
        return _made(value, argument)
    except MismarteraError:
        raise
    except (StopIteration, LookupError, TypeError, ValueError, AttributeError) as error:
        raise NotReproducibleError(
            f"{argument} cannot be made again from what was kept ({type(error).__name__}: {error})."
        ) from None


def _made(value: Any, argument: str) -> Any:
    if isinstance(value, list):
        return [from_json(inner, argument=argument) for inner in value]
    if not isinstance(value, dict):
        return value
    tag = next(iter(value))
    if tag == "float":
        return float(value["float"])
    if tag in _COLLECTIONS:
        return _COLLECTIONS[tag](from_json(value[tag], argument=argument))
    if tag == "dict":
        pairs = from_json([inner for pair in value["dict"] for inner in pair], argument=argument)
        return dict(zip(pairs[::2], pairs[1::2], strict=True))
    for kind, read in _TIMES.items():
        if tag == kind.__name__:
            return read(value[tag])
    if tag in ("code", "object"):
        found = _located(value[tag], value["hash"], argument)
        if tag == "code":
            return found
        if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
            raise NotReproducibleError(f"{argument} was {value[tag]!r}, which is no dataclass now.")
        fields = {k: from_json(v, argument=argument) for k, v in value["fields"].items()}
        return found(**fields)
    raise NotReproducibleError(f"{argument} was {value.get('lost')}, which cannot be kept in JSON.")


def _located(path: str, digest: str | None, argument: str) -> Any:
    module, _, name = path.partition(":")
    try:
        found = import_recorded(module, name)
    except NotAllowedError as error:
        raise NotReproducibleError(
            f"{argument} was {name!r} of the module {module!r}, which is not there now: {error}"
        ) from None
    except (ImportError, AttributeError) as error:
        where = (
            "a notebook's cell or a script" if module == "__main__" else f"the module {module!r}"
        )
        raise NotReproducibleError(
            f"{argument} was {name!r} of {where}, which is not there now ({error})."
        ) from None
    except MismarteraError:
        raise
    except Exception as error:  # whatever somebody's module raises
        raise NotReproducibleError(
            f"{argument} was {name!r} of the module {module!r}, which raised "
            f"{type(error).__name__} when it was imported: {error}"
        ) from error
    if digest is not None:
        _check_code(found, digest, argument)
    elif not module.startswith(f"{__name__.partition('.')[0]}."):
        raise NotReproducibleError(f"{argument} was {path!r}, and no hash of its code was kept.")
    return found


def _check_code(code: Any, digest: str, argument: str) -> None:
    now = code_hash(code)
    if now != digest:
        raise NotReproducibleError(
            f"the code of {argument} {getattr(code, '__qualname__', code)!r} has changed: its hash "
            f"was {digest[:12]}… when the run was recorded, now it is {now[:12]}… (or another "
            f"version of Python is running: this is {sys.version_info[0]}.{sys.version_info[1]})."
        )


def strategy_to_json(strategy: Strategy) -> dict[str, Any]:
    """Return a strategy as it was before a run: its class, its code's hash and its attributes.

    Parameters
    ----------
    strategy
        Not run yet.
    """
    kind = type(strategy)
    state = {name: to_json(value) for name, value in strategy.parameters.items()}
    state |= {name: to_json(value) for name, value in vars(strategy).items()}
    return {
        "class": path_of(kind),
        "name": kind.__qualname__,
        "hash": code_hash(kind),
        "state": state,
    }


def strategy_from_json(
    recorded: dict[str, Any], given: Strategy | type[Strategy] | None
) -> Strategy:
    """Return the strategy of a recorded run.

    Parameters
    ----------
    recorded
        What `strategy_to_json` returned.
    given
        The class, or an object of it, where it cannot be imported; its code must be the same.

    Raises
    ------
    NotReproducibleError
        If the class is not found, its code has changed, or an attribute was not kept.
    """
    name = recorded["name"]
    kind: Any = type(given) if isinstance(given, Strategy) else given
    if kind is not None:
        _check_code(kind, recorded["hash"], "the strategy")
    elif recorded["class"] is None:
        raise NotReproducibleError(
            f"the strategy {name!r} was defined inside a function: pass the class as strategy=."
        )
    else:
        try:
            kind = _located(recorded["class"], recorded["hash"], "the strategy")
        except NotReproducibleError as error:
            raise NotReproducibleError(f"{error} Pass the class as it was as strategy=.") from None
    if not (isinstance(kind, type) and issubclass(kind, Strategy)):
        raise NotReproducibleError(f"the strategy {name!r} is no Strategy any more.")
    strategy = kind.__new__(kind)
    for attribute, value in recorded["state"].items():
        kept = from_json(value, argument=f"the strategy's {attribute}")
        setattr(strategy, attribute, kept)
    return strategy
