"""The ways into a backtest: a strategy, target weights, entries and exits, or orders."""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mismartera_analytics.backtesting.strategy import Strategy
from mismartera_analytics.errors import InvalidInputError

__all__ = ["Instructions", "prepared"]

FORMS = ("strategy", "weights", "entries", "orders")


@dataclass(frozen=True)
class Instructions:
    """What to trade, in exactly one of the forms; the names are those of `backtest`.

    Raises
    ------
    InvalidInputError
        If none or several of the forms are given, or an argument belongs to another form.
    """

    strategy: Strategy | None = None
    weights: pd.DataFrame | None = None
    entries: pd.DataFrame | pd.Series | None = None
    exits: pd.DataFrame | pd.Series | None = None
    size: Any = None
    orders: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        given = [name for name in FORMS if getattr(self, name) is not None]
        if len(given) != 1:
            raise InvalidInputError(
                f"give exactly one of {', '.join(FORMS)}; given: {', '.join(given) or 'none'}."
            )
        if self.exits is not None and self.entries is None:
            raise InvalidInputError("exits belongs to entries.")

    @property
    def form(self) -> str:
        """The name of the form."""
        return next(name for name in FORMS if getattr(self, name) is not None)

    def again(self) -> Instructions:
        """Return the same instructions for another run, out of reach of what changes these.

        The strategy is a copy as it is now, frames are shared until somebody writes to them.
        """
        own: dict[str, Any] = {"strategy": copy.copy(self.strategy)}
        for name in ("weights", "entries", "exits", "orders"):
            value = getattr(self, name)
            if isinstance(value, (pd.DataFrame, pd.Series)):
                own[name] = value.copy(deep=False)
        return dataclasses.replace(self, **own)

    def described(self) -> dict[str, Any]:
        """Return the strategy's name, or the form's, and the parameters."""
        if self.strategy is None:
            return {"strategy": self.form, "parameters": {}}
        return {"strategy": type(self.strategy).__name__, "parameters": self.strategy.parameters}


def prepared(strategy: Any, parameters: dict[str, Any] | None) -> Strategy | None:
    """Return a strategy of one's own for a run: a new one of a class, a copy of an object.

    Parameters
    ----------
    strategy
        A `Strategy`, a class of it, or None.
    parameters
        For a class.

    Returns
    -------
    Strategy or None

    Raises
    ------
    InvalidInputError
        If it is no strategy, or parameters are given with an object.
    """
    if isinstance(strategy, type) and issubclass(strategy, Strategy):
        return strategy(**(parameters or {}))
    if parameters:
        raise InvalidInputError("parameters belongs to a strategy given as a class.")
    if strategy is None:
        return None
    if not isinstance(strategy, Strategy):
        raise InvalidInputError(
            f"strategy={strategy!r} is no Strategy; derive a class from ma.Strategy."
        )
    return copy.copy(strategy)
