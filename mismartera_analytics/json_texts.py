"""JSON from outside or from a database: bounded before it is read, refused in one sentence."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from mismartera_analytics.errors import InvalidInputError, MismarteraError, StorageError

__all__ = ["MAX_LEVELS", "MAX_MB", "parse_json", "stored_json", "stored_object"]

MAX_MB = 4
"""Longest text that is read unless the caller says otherwise [million characters]."""
MAX_LEVELS = 100
"""Deepest nesting of lists and objects."""
MAX_VALUES = 4_000_000
"""Most values of one text: an empty list takes 3 characters of it and 64 bytes of memory."""
VALUES_OF_A_MILLION = 250_000
"""Most values of a million characters that may be read: a million empty lists take seconds to make."""
_SURELY_FINITE = 300
"""So many digits make a number that a float64 holds."""
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\Z)', re.DOTALL)


def parse_json(
    text: str,
    *,
    what: str,
    error: type[MismarteraError] = InvalidInputError,
    most_mb: int = MAX_MB,
    numbers: type[str] | None = None,
) -> Any:
    """Return what a JSON text says, or raise one sentence.

    Length, depth and the number of values are looked at before anything is parsed, so that no text
    takes more than a second or two, or much memory, or Python's stack.

    Parameters
    ----------
    text
        The text.
    what
        What it is, the subject of the error's sentence.
    error
        Class of the error.
    most_mb
        Longest text [million characters].
    numbers
        ``str`` to keep numbers as they are written.

    Returns
    -------
    object

    Raises
    ------
    MismarteraError
        Of the class `error`: if it is too long, too deep, no JSON, says a key of one object twice,
        or holds NaN, infinity, a number that no float64 can hold, or half a character.

    Examples
    --------
    >>> parse_json('{"a": [1, 2]}', what="the text")
    {'a': [1, 2]}
    >>> parse_json("[" * 10_000, what="the text")
    Traceback (most recent call last):
    mismartera_analytics.errors.InvalidInputError: the text has lists and objects 10,000 deep; at most \
100 are read.
    """
    _check_size(text, what, error, most_mb)
    try:
        value = json.loads(text, **_hooks(what, error, numbers))
    except json.JSONDecodeError as fault:
        raise error(
            f"{what} line {fault.lineno}: this is not whole JSON ({fault.msg}); it may be cut off."
        ) from None
    if "\\u" in text:
        _check_characters(json.dumps(value, ensure_ascii=False), what, error)
    return value


def _hooks(what: str, error: type[MismarteraError], numbers: type[str] | None) -> dict[str, Any]:
    """Return what `json.loads` asks about constants, numbers and objects."""

    def refuse(constant: str) -> Any:
        raise error(f"{what} holds {constant}, which is not a number.")

    def finite(digits: str) -> float:
        number = float(digits)
        return number if abs(number) != float("inf") else refuse(_short(digits))

    def whole(digits: str) -> int:
        if len(digits) > _SURELY_FINITE:
            finite(digits)
        return int(digits)

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            seen: set[str] = set()
            for twice, _ in pairs:
                if twice in seen:
                    break
                seen.add(twice)
            raise error(f"{what} has the key {_short(twice)!r} twice in one object.")
        return made

    return {
        "parse_constant": refuse,
        "parse_float": numbers or finite,
        "parse_int": numbers or whole,
        "object_pairs_hook": once,
    }


def stored_json(text: str, *, what: str) -> Any:
    """Return what a text of the database says.

    Parameters
    ----------
    text
        As the library wrote it, however long; NaN is let through.
    what
        The subject of the error's sentence, such as ``"config_json of run 5"``.

    Raises
    ------
    StorageError
        If it is no JSON, or nested deeper than the library writes.
    """
    _check_depth(text, what, StorageError)
    try:
        return json.loads(text)
    except ValueError as fault:
        raise StorageError(
            f"{what} is not the JSON that was stored ({_short(str(fault), 80)}); restore it from a "
            f"backup, or delete the row."
        ) from None


def stored_object(text: str | None, *, what: str) -> dict[str, Any]:
    """Return the JSON object of a text of the database, an empty one for None.

    Raises
    ------
    StorageError
        As in `stored_json`, or if it is no object.

    Examples
    --------
    >>> stored_object('{"a": 1}', what="the row"), stored_object(None, what="the row")
    ({'a': 1}, {})
    """
    if not isinstance(text, str):
        return {}
    value = stored_json(text, what=what)
    if not isinstance(value, dict):
        raise StorageError(f"{what} is not the JSON object that was stored.")
    return value


def _check_size(text: str, what: str, error: type[MismarteraError], most_mb: int) -> None:
    if len(text) > most_mb * 1_000_000:
        raise error(
            f"{what} is {len(text) / 1e6:,.0f} million characters long; at most {most_mb} million "
            f"are read."
        )
    _check_characters(text, what, error)
    _check_depth(text, what, error)
    values = text.count(",") + text.count("[") + text.count("{")
    most = min(MAX_VALUES, most_mb * VALUES_OF_A_MILLION)
    if values > most:
        raise error(f"{what} holds more than {most:,} values.")


def _check_characters(text: str, what: str, error: type[MismarteraError]) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as fault:
        half = ord(text[fault.start])
        raise error(f"{what} holds half a character (U+{half:04X}), which no text may.") from None


def _check_depth(text: str, what: str, error: type[MismarteraError]) -> None:
    if text.count("[") + text.count("{") <= MAX_LEVELS:
        return
    bare = _STRING.sub("", text) if '"' in text else text
    signs = np.frombuffer(bare.encode("utf-8", "replace"), np.uint8)
    opened = (signs == ord("[")) | (signs == ord("{"))
    closed = (signs == ord("]")) | (signs == ord("}"))
    changes = opened.astype(np.int8) - closed.astype(np.int8)
    depth = int(np.cumsum(changes[changes != 0], dtype=np.int32).max(initial=0))
    if depth > MAX_LEVELS:
        raise error(f"{what} has lists and objects {depth:,} deep; at most {MAX_LEVELS} are read.")


def _short(text: str, most: int = 40) -> str:
    return text if len(text) <= most else f"{text[:most]}…"
