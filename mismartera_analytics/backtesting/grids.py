"""Grids: which combinations of parameters a search tries."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mismartera_analytics.arguments import whole
from mismartera_analytics.backtesting.fingerprints import json_value
from mismartera_analytics.errors import (
    InvalidInputError,
    StrategyError,
    as_given,
    suggestion,
)
from mismartera_analytics.frames.given import is_many

__all__ = ["Combinations", "Condition", "Grid", "Listed", "combinations_of"]

Condition = Callable[[dict[str, Any]], bool]
_LOOKED_AT = 1_000
"""How many combinations are looked at for each one that may be kept, before a condition is refused."""


class Combinations(Sequence[dict[str, Any]]):
    """Combinations of parameters in the order of the grid, made when they are asked for.

    Parameters
    ----------
    values
        Names and the values of each; the last name varies fastest.
    kept
        Positions in the product, ascending; None for all of it.

    Examples
    --------
    >>> Combinations({"fast": [5, 10], "slow": [50, 100]})[1]
    {'fast': 5, 'slow': 100}
    """

    def __init__(
        self, values: Mapping[str, Sequence[Any]], kept: NDArray[np.int64] | None = None
    ) -> None:
        self._values = {name: list(column) for name, column in values.items()}
        self._kept = kept
        self.names = tuple(self._values)

    def __len__(self) -> int:
        if self._kept is not None:
            return len(self._kept)
        return math.prod(len(column) for column in self._values.values())

    def __getitem__(self, position: Any) -> Any:
        if isinstance(position, slice):
            return [self[k] for k in range(*position.indices(len(self)))]
        if not -len(self) <= position < len(self):
            raise IndexError(position)
        rest = int(position) % len(self)
        if self._kept is not None:
            rest = int(self._kept[rest])
        chosen = {}
        for name in reversed(self.names):
            rest, place = divmod(rest, len(self._values[name]))
            chosen[name] = self._values[name][place]
        return {name: chosen[name] for name in self.names}

    def described(self) -> dict[str, Any]:
        """Return the values of each parameter, and how many of their combinations there are."""
        return {**self._values, "combinations": len(self)}


@dataclass(frozen=True)
class Listed(Sequence[dict[str, Any]]):
    """Combinations given or drawn one by one."""

    rows: list[dict[str, Any]]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, position: Any) -> Any:
        return self.rows[position]

    def described(self) -> dict[str, Any]:
        """Return the names of the parameters, how many combinations there are, and their digest."""
        held = json.dumps([json_value(row) for row in self.rows], sort_keys=True)
        digest = hashlib.sha256(held.encode()).hexdigest()
        return {"grid": list(self.names), "combinations": len(self), "digest": digest}


Grid = Combinations | Listed


def combinations_of(
    grid: Mapping[str, Any] | Iterable[Mapping[str, Any]],
    *,
    where: Condition | None,
    draws: int | None,
    seed: int,
    most: int,
) -> Grid:
    """Return the combinations that a grid asks for.

    Parameters
    ----------
    grid
        Names and their values, of which the product is taken; or a list of combinations.
    where
        Which combinations are wanted; all by default.
    draws
        How many different combinations are drawn at random; the whole product by default.
    seed
        Of the draws.
    most
        How many combinations are allowed.

    Returns
    -------
    Sequence of dict
        In the order of the grid (or of the draws), with the attribute ``names``.

    Raises
    ------
    InvalidInputError
        If the grid is empty or too large, a parameter has no values, combinations of a list differ in
        their names, a value is drawn from something that is no distribution, or `where` leaves none.
    """
    most = whole(most, "max_combinations", least=1)
    if where is not None and not callable(where):
        raise InvalidInputError(
            f"where={as_given(where)} must be a function of a combination: lambda p: p['fast'] < "
            f"p['slow']."
        )
    seed = whole(seed, "seed")
    if not isinstance(grid, Mapping):
        if draws is not None:
            raise InvalidInputError("draws belongs to a grid of values, not to a list.")
        return _listed(grid, where, most)
    if not grid:
        raise InvalidInputError("grid is empty; give parameters and the values to try.")
    columns = {str(name): _column(name, values) for name, values in grid.items()}
    if draws is not None:
        draws = whole(draws, "draws", least=1)
        _refuse_more(draws, most, "draws asks for")
        return _drawn(columns, where, draws, seed)
    for name, column in columns.items():
        if not isinstance(column, list):
            raise InvalidInputError(
                f"grid: {name!r} is a distribution; say how many combinations to draw with draws=."
            )
    product = Combinations(columns)
    size = math.prod(len(column) for column in columns.values())
    if where is None:
        _refuse_more(size, most, "grid has")
        return product
    if size > most * _LOOKED_AT:
        _refuse_more(size, most, "grid has, before where is asked,")
    kept = list(itertools.islice(_positions(columns, where), most + 1))
    if len(kept) > most:
        _refuse_more(size, most, f"where keeps more than {most:,} of")
    if not kept:
        raise InvalidInputError(f"where keeps none of the {size:,} combinations of the grid.")
    return Combinations(columns, np.array(kept, np.int64))


def _positions(columns: Mapping[str, list[Any]], where: Condition) -> Iterator[int]:
    for number, chosen in enumerate(itertools.product(*columns.values())):
        if _keeps(where, dict(zip(columns, chosen, strict=True))):
            yield number


def _keeps(where: Condition, chosen: dict[str, Any]) -> bool:
    names = tuple(chosen)
    try:
        return bool(where(chosen))
    except KeyError as error:
        asked = error.args[0] if error.args else None
        if asked in names:
            raise _raised(chosen, error) from error
        raise InvalidInputError(
            f"where asks for {asked!r}, which is no parameter of the grid"
            f"{suggestion(asked, names) or '.'} Its parameters: {', '.join(names)}."
        ) from error
    except Exception as error:
        raise _raised(chosen, error) from error


def _raised(chosen: Mapping[str, Any], error: Exception) -> StrategyError:
    return StrategyError(f"where raised {type(error).__name__} of {dict(chosen)}: {error}")


def _refuse_more(count: int, most: int, what: str) -> None:
    if count > most:
        raise InvalidInputError(
            f"{what} {count:,} combinations, more than max_combinations={most:,}; try fewer values, "
            f"draw some at random with draws=, or raise max_combinations."
        )


def _column(name: Any, values: Any) -> Any:
    """Return a list of values, or what values are drawn from."""
    if callable(values) or callable(getattr(values, "rvs", None)):
        return values
    is_several = is_many(values) and not isinstance(values, Mapping)
    column = _once([_plain(value) for value in values] if is_several else [_plain(values)])
    if not column:
        raise InvalidInputError(f"grid: {name!r} has no values; give at least one.")
    return column


def _once(values: list[Any]) -> list[Any]:
    """Return each value once, where it came first; 1, 1.0 and True are three."""
    found: dict[Any, Any] = {}
    for place, value in enumerate(values):
        found.setdefault(_key(value, place), value)
    return list(found.values())


def _key(value: Any, place: int) -> Any:
    """Return what tells a value from others; its place where that is not known."""
    if isinstance(value, dict):
        own: Any = tuple((name, type(value[name]), value[name]) for name in sorted(value, key=str))
    else:
        own = value
    try:
        hash(own)
    except TypeError:
        return place, place, None
    return type(value), own


def _plain(value: Any) -> Any:
    """Return numbers of NumPy as Python's own, so that they are the same in every record."""
    return value.item() if isinstance(value, np.generic) else value


def _listed(grid: Iterable[Mapping[str, Any]], where: Condition | None, most: int) -> Listed:
    if not is_many(grid):
        raise InvalidInputError(
            f"grid={as_given(grid)} must be a dict of parameters and their values, or a list of dicts."
        )
    rows: list[dict[str, Any]] = []
    for row in grid:
        if not isinstance(row, Mapping):
            raise InvalidInputError(f"grid holds {row!r}; each combination must be a dict.")
        chosen = {str(name): _plain(value) for name, value in row.items()}
        if rows and chosen.keys() != rows[0].keys():
            raise InvalidInputError(
                f"grid: combinations name different parameters: {', '.join(rows[0])} and "
                f"{', '.join(chosen)}."
            )
        if where is None or _keeps(where, dict(chosen)):
            rows.append(chosen)
        if len(rows) > most:
            raise InvalidInputError(
                f"grid holds more than max_combinations={most:,} combinations; give fewer, or raise "
                f"max_combinations."
            )
    if not rows:
        raise InvalidInputError("grid holds no combination (that where keeps).")
    return Listed(_once(rows), tuple(rows[0]))


def _drawn(columns: Mapping[str, Any], where: Condition | None, draws: int, seed: int) -> Listed:
    random = np.random.default_rng(seed)
    rows: dict[str, dict[str, Any]] = {}
    for _ in range(draws * _LOOKED_AT):
        chosen = {name: _draw(name, column, random) for name, column in columns.items()}
        if where is None or _keeps(where, dict(chosen)):
            rows.setdefault(repr(chosen), chosen)
        if len(rows) == draws:
            return Listed(list(rows.values()), tuple(columns))
    raise InvalidInputError(
        f"draws={draws:,} different combinations were not found: {draws * _LOOKED_AT:,} draws gave "
        f"{len(rows):,}; ask for fewer, or loosen where."
    )


def _draw(name: str, column: Any, random: np.random.Generator) -> Any:
    if isinstance(column, list):
        return column[int(random.integers(len(column)))]
    drawn = column.rvs(random_state=random) if hasattr(column, "rvs") else column(random)
    if isinstance(drawn, np.ndarray) and drawn.ndim > 0:
        raise InvalidInputError(f"grid: {name!r} drew an array; a draw must be a single value.")
    return _plain(drawn[()] if isinstance(drawn, np.ndarray) else drawn)
