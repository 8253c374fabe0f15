"""The ways into a backtest: a strategy, target weights, entries and exits, or orders."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mismartera_analytics.arguments import is_number
from mismartera_analytics.backtesting.strategy import Strategy
from mismartera_analytics.errors import InvalidInputError, as_given, suggestion

__all__ = ["Instructions", "prepared"]

FORMS = ("strategy", "weights", "entries", "orders")
BRACKET = ("stop_loss", "take_profit", "trail")
SIGNALS = ("entries", "exits", "short_entries", "short_exits")


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
    short_entries: pd.DataFrame | pd.Series | None = None
    short_exits: pd.DataFrame | pd.Series | None = None
    size: Any = None
    orders: pd.DataFrame | None = None
    stop_loss: float | None = None
    take_profit: float | None = None
    trail: float | None = None

    def __post_init__(self) -> None:
        given = self._forms()
        if len(given) != 1:
            raise InvalidInputError(
                f"give exactly one of {', '.join(FORMS)}; given: {', '.join(given) or 'none'}."
            )
        for leave, enter in (("exits", "entries"), ("short_exits", "short_entries")):
            if getattr(self, leave) is not None and getattr(self, enter) is None:
                raise InvalidInputError(f"{leave} belongs to {enter}.")
        if self.size is not None and self.form != "entries":
            raise InvalidInputError(
                f"size={as_given(self.size)} belongs to entries; weights and orders have sizes of "
                f"their own, "
                f"and a strategy sizes its orders."
            )
        for name in ("weights", "orders"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, pd.DataFrame):
                raise InvalidInputError(
                    f"{name} is a {type(value).__name__}; give a pandas DataFrame."
                )
        self._check_bracket()

    @property
    def bracket(self) -> dict[str, float]:
        """What entries given as signals bring with them: fractions of the price they fill at."""
        return {name: getattr(self, name) for name in BRACKET if getattr(self, name) is not None}

    def _check_bracket(self) -> None:
        for name, value in self.bracket.items():
            if self.form != "entries":
                raise InvalidInputError(
                    f"{name} belongs to entries; orders have columns, and a strategy's orders "
                    f"arguments of that name."
                )
            most = math.inf if name == "take_profit" else 1.0
            if not is_number(value) or not 0.0 < value < most:
                raise InvalidInputError(
                    f"{name}={as_given(value)} must be a fraction of the entry's price above 0"
                    f"{'' if most == math.inf else ' and below 1'}."
                )
        if "stop_loss" in self.bracket and "trail" in self.bracket:
            raise InvalidInputError("stop_loss and trail exclude another: an entry has one stop.")

    @property
    def form(self) -> str:
        """The name of the form."""
        return self._forms()[0]

    def _forms(self) -> list[str]:
        """Return the names of the forms given; entries to short positions count as entries."""
        names = {"entries": self.entries if self.short_entries is None else self.short_entries}
        return [name for name in FORMS if names.get(name, getattr(self, name)) is not None]

    def again(self) -> Instructions:
        """Return the same instructions for another run, out of reach of what changes these.

        The strategy is a copy as it is now, frames are shared until somebody writes to them.
        """
        own: dict[str, Any] = {"strategy": copy.copy(self.strategy)}
        for name in ("weights", *SIGNALS, "orders"):
            value = getattr(self, name)
            if isinstance(value, (pd.DataFrame, pd.Series)):
                own[name] = value.copy(deep=False)
        return dataclasses.replace(self, **own)

    def described(self) -> dict[str, Any]:
        """Return the strategy's name, or the form's, and the parameters."""
        if self.strategy is None:
            return {"strategy": self.form, "parameters": self.bracket}
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
    if parameters is not None and not isinstance(parameters, Mapping):
        raise InvalidInputError(
            f"parameters={as_given(parameters)} must be a dict of names and values."
        )
    if isinstance(strategy, type) and issubclass(strategy, Strategy):
        _check_methods(strategy)
        return strategy(**(parameters or {}))
    if parameters:
        raise InvalidInputError("parameters belongs to a strategy given as a class.")
    if strategy is None:
        return None
    if not isinstance(strategy, Strategy):
        raise InvalidInputError(
            f"strategy={as_given(strategy)} is no Strategy; derive a class from ma.Strategy."
        )
    _check_methods(type(strategy))
    return copy.copy(strategy)


def _check_methods(strategy: type[Strategy]) -> None:
    """Refuse a method that is nearly one of those that a run calls: it would never be called."""
    called = [name for name in vars(Strategy) if name.startswith("on_")]
    for name in dir(strategy):
        if name.startswith("on_") and name not in called:
            raise InvalidInputError(
                f"{strategy.__name__}.{name} is never called{suggestion(name, called) or '.'} "
                f"A run calls {', '.join(called)}; name a method of your own otherwise."
            )
