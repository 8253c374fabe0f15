"""Strategies: what a user writes."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from mismartera_analytics.errors import InvalidInputError, suggestion

if TYPE_CHECKING:
    from mismartera_analytics.backtesting.context import Context, FillEvent

__all__ = ["Strategy"]


class Strategy:
    """Base of strategies: class attributes are parameters, methods are called as the run goes on.

    With ``backtest(..., compile=True)`` Numba compiles `on_bar`, once a process and for some seconds,
    and the run goes at the kernel's speed with the same answers. `on_start` stays plain Python.
    `on_bar` can use numbers, NumPy arrays, functions compiled by ``numba.njit``, what `on_start` left
    in attributes (numbers, which it may change; arrays, indicators, symbols, and tuples or lists of
    them), and of its context ``bars, buy, cancel, cash, close, equity, position, row, sell, symbols,
    target_percent``, with brackets and trailing stops. Anything else is refused with its line, and so
    are the other calls (`on_fill`, `on_session_open`, `on_session_close`). An attribute keeps the
    kind of number that it had after `on_start`, and an order that breaks a rule is refused at the end
    of its bar. NumPy's own sums and means may differ in the last bits from uncompiled ones;
    indicators do not.

    Parameters
    ----------
    **parameters
        Values for the class attributes of the same names.

    Raises
    ------
    InvalidInputError
        If the strategy has no such parameter; the nearest name is suggested.

    Examples
    --------
    >>> class BuyAndHold(Strategy):
    ...     share = 0.9
    ...
    ...     def on_bar(self, ctx):
    ...         if ctx.position() == 0:
    ...             ctx.target_percent(self.share)
    >>> BuyAndHold(share=0.5).parameters
    {'share': 0.5}
    """

    def __init__(self, **parameters: Any) -> None:
        allowed = self.defaults()
        for name, value in parameters.items():
            if name not in allowed:
                hint = suggestion(name, allowed)
                known = f" Its parameters: {', '.join(sorted(allowed))}." if allowed else ""
                raise InvalidInputError(
                    f"{type(self).__name__} has no parameter {name!r}{hint or '.'}{known}"
                )
            setattr(self, name, value)

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """Return the parameters and the values that they have unless others are given."""
        found: dict[str, Any] = {}
        for base in reversed(cls.__mro__):
            if base in (object, Strategy) or not issubclass(base, Strategy):
                continue
            for name, value in vars(base).items():
                is_method = inspect.isroutine(value) or isinstance(
                    value, (property, classmethod, staticmethod)
                )
                if not name.startswith("_") and not is_method:
                    found[name] = value
        return found

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters' values."""
        return {name: getattr(self, name) for name in self.defaults()}

    def on_start(self, ctx: Context) -> None:
        """Prepare: the place for ``ctx.indicator``. Called once, before the first bar."""

    def on_session_open(self, ctx: Context) -> None:
        """Act as a session opens: its bars are not known yet; orders can fill in its first bar."""

    def on_bar(self, ctx: Context) -> None:
        """Decide at the end of a bar; orders can fill from each symbol's next bar on."""

    def on_fill(self, ctx: Context, fill: FillEvent) -> None:
        """Hear of a fill, at the end of its bar and before `on_bar`."""

    def on_session_close(self, ctx: Context) -> None:
        """Act after a session's last bar and its `on_bar`."""
