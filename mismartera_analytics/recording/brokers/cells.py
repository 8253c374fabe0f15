"""Cells of brokers' files: money, numbers, days, and the key of a row that has no id."""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

from mismartera_analytics import clock
from mismartera_analytics.errors import as_given
from mismartera_analytics.recording.brokers.statement import Place, refuse_row

__all__ = ["content_key", "positive", "read_day", "read_number", "symbol_of"]

_EMPTY = ("", "--", "N/A", "n/a", "-")
_AHEAD = dt.timedelta(days=366)  # an effective day may be to come
_DAY = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})\Z")
_NUMBER = re.compile(r"\d{1,3}(,\d{3})+(\.\d*)?\Z|\d+(\.\d*)?\Z|\.\d+\Z")


def read_number(text: object, name: str, place: Place) -> Decimal | None:
    """Return the number of a cell, None where it is empty.

    Parameters
    ----------
    text
        Such as ``"-$1,234.50"``, ``"($5.00)"``, ``"$-5"``, ``"1,000"`` or a number of a JSON file.
    name
        Of the column, for the error message.
    place
        Of the row.

    Raises
    ------
    InvalidOrderError
        If it is something else, NaN or infinite.

    Examples
    --------
    >>> read_number("($1,234.50)", "Amount", Place("x.csv", "line 2"))
    Decimal('-1234.50')
    """
    if text is None:
        return None
    shown = str(text).strip()
    if shown in _EMPTY:
        return None
    is_negative = False
    bare = shown
    if bare.startswith("(") and bare.endswith(")"):
        is_negative, bare = True, bare[1:-1]
    if bare.endswith("-"):
        is_negative, bare = not is_negative, bare[:-1]
    bare = bare.strip().replace("$", "", 1).strip()
    if bare[:1] in ("-", "+", "−"):
        is_negative, bare = is_negative != (bare[0] != "+"), bare[1:].strip()
    bare = bare.replace("$", "", 1)
    try:
        number = Decimal(bare.replace(",", "")) if _is_number(bare) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or not math.isfinite(float(number)):
        raise refuse_row(place, f"{name}={as_given(shown)} is not a number")
    return -number if is_negative else number


def _is_number(bare: str) -> bool:
    mantissa, _, exponent = bare.partition("e" if "e" in bare else "E")
    return _NUMBER.match(mantissa) is not None and (not exponent or exponent.lstrip("+-").isdigit())


def positive(text: object, name: str, place: Place) -> float:
    """Return the number of a cell that must hold a positive one.

    Raises
    ------
    InvalidOrderError
        If it is missing, not a number or not positive.
    """
    number = read_number(text, name, place)
    if number is None or number <= 0:
        shown = "is missing" if number is None else f"={text} is not positive"
        raise refuse_row(place, f"{name}{shown}" if number is not None else f"{name} {shown}")
    return float(number)


def read_day(text: str, name: str, place: Place) -> dt.date:
    """Return the day of ``MM/DD/YYYY`` or ``YYYY-MM-DD``.

    Raises
    ------
    InvalidOrderError
        If it is something else, no day of the calendar, before 1900, or over a year ahead.
    """
    shown = text.strip()
    match = _DAY.match(shown)
    try:
        if match:
            day = dt.date(int(match[3]), int(match[1]), int(match[2]))
        else:
            day = dt.date.fromisoformat(shown)
    except ValueError:
        raise refuse_row(
            place, f"{name}={as_given(shown)} is not a day such as 07/02/2025"
        ) from None
    if not clock.FIRST_RECORD <= day <= clock.utc_now().date() + _AHEAD:
        when = "before 1900" if day < clock.FIRST_RECORD else "in the future"
        raise refuse_row(place, f"{name}={as_given(shown)} lies {when}")
    return day


def symbol_of(text: str) -> str:
    """Return a ticker as the records write it: share classes after a point, pairs in one word.

    Examples
    --------
    >>> symbol_of("BRK/B"), symbol_of("BTC/USD"), symbol_of(" IBM ")
    ('BRK.B', 'BTCUSD', 'IBM')
    """
    head, slash, tail = text.strip().partition("/")
    if not slash or " " in text.strip():
        return text.strip()
    return f"{head}.{tail}" if len(tail) == 1 else f"{head}{tail}"


def content_key(parts: Iterable[object]) -> str:
    """Return a short key of a row's content: equal contents have equal keys.

    Numbers count by value, so that ``1,000`` and ``1000.00`` are the same.

    Examples
    --------
    >>> content_key([Decimal("1.50"), "Buy"]) == content_key([Decimal("1.5"), "Buy"])
    True
    """
    plain = [_plain(part) for part in parts]
    return hashlib.sha256("\x1f".join(plain).encode()).hexdigest()[:24]


def _plain(part: object) -> str:
    if isinstance(part, Decimal):
        return format(part.normalize(), "f") if part else "0"
    return "" if part is None else str(part)
