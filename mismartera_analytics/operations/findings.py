"""What an examination finds, and how it names the rows concerned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["SEVERITIES", "Finding", "Severity", "named", "said_by"]

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""The worst first. An error makes figures wrong or work impossible, a warning may do so, a note tells
what is odd and does no harm."""
SHOWN = 5


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes
    ----------
    check
        Which part was looked at.
    severity
        One of `SEVERITIES`.
    what
        What is wrong, with the first rows concerned.
    advice
        What to do.
    count
        How many rows, files or versions it concerns.
    mend
        Mends it and says what was done; None where that is not safe.
    """

    check: str
    severity: Severity
    what: str
    advice: str
    count: int = 1
    mend: Callable[[], str] | None = None


def named(noun: str, names: Iterable[Any], count: int | None = None) -> str:
    """Return the first names of what is concerned, and how many more there are.

    Parameters
    ----------
    noun
        In the singular.
    names
        Their ids, paths or numbers; the first few are enough if `count` is given.
    count
        How many there are.

    Examples
    --------
    >>> named("order", [3])
    'order 3'
    >>> named("order", [3, 4, 5, 7, 8], 12)
    'orders 3, 4, 5, 7, 8 and 7 more'
    """
    several: Sequence[Any] = list(names)
    total = len(several) if count is None else count
    shown = ", ".join(str(name) for name in several[:SHOWN])
    more = total - min(len(several), SHOWN)
    plural = noun if total == 1 else f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{plural} {shown}" + (f" and {more:,} more" if more else "")


def said_by(error: Exception) -> str:
    """Return an exception's type and the first line of its text.

    Parameters
    ----------
    error
        Of a driver that SQLAlchemy wraps, the driver's own: the wrapper's text has all parameters.

    Examples
    --------
    >>> said_by(OverflowError("date value out of range"))
    'OverflowError: date value out of range'
    """
    own = getattr(error, "orig", None)
    told = own if isinstance(own, Exception) else error
    lines = str(told).strip().splitlines()
    return f"{type(told).__name__}: {lines[0].rstrip('.')}" if lines else type(told).__name__
