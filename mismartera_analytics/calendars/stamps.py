"""The mark that packaged rows carry in their ``source`` column, by which an edit is noticed."""

from __future__ import annotations

import datetime as dt
import re
import zlib
from collections.abc import Iterable
from typing import Any, Literal

__all__ = [
    "DAYS",
    "HOURS",
    "PACKAGED",
    "PERIODS",
    "Origin",
    "is_packaged",
    "origin_of",
    "stamped",
    "version_of",
]

PACKAGED = "packaged"
Origin = Literal["packaged", "edited", "own"]
"""A row as the package wrote it, one that was changed since, or one that a user added."""

HOURS = (
    "exchange_group", "asset_class", "exchanges", "timezone", "regular_open", "regular_close",
    "pre_market_open", "post_market_close", "break_start", "break_end", "trading_days",
    "covers_from", "covers_to", "is_active",
)  # fmt: skip
"""Columns of ``market_hours`` in the order in which they are stamped."""
PERIODS = (
    "exchange_group", "asset_class", "valid_from", "valid_to", "regular_open", "regular_close",
    "pre_market_open", "post_market_close", "break_start", "break_end", "trading_days",
)  # fmt: skip
"""Columns of ``market_hours_periods``, likewise."""
DAYS = (
    "exchange", "date", "holiday_name", "is_closed", "early_close_time", "late_open_time",
)  # fmt: skip
"""Columns of ``trading_holidays``, likewise."""

_STAMP = re.compile(r"packaged(?: ([\w.]+))?(?: #([0-9a-f]{8}))?\Z")


def _digest(values: Iterable[Any]) -> str:
    return f"{zlib.crc32('|'.join(map(_text, values)).encode()):08x}"


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    return value.isoformat() if isinstance(value, (dt.date, dt.time)) else str(value)


def stamped(values: Iterable[Any], *, version: str | None = None) -> str:
    """Return the source of a packaged row with these values.

    Parameters
    ----------
    values
        The row's columns, without its id and source.
    version
        Of the packaged rules; only rows of ``market_hours`` carry it.

    Examples
    --------
    >>> stamped(["XTKS", dt.date(2025, 1, 1), True])
    'packaged #f5c2a842'
    """
    return f"{PACKAGED}{f' {version}' if version else ''} #{_digest(values)}"


def origin_of(source: str | None, values: Iterable[Any]) -> Origin:
    """Return whether a row is still as the package wrote it.

    Parameters
    ----------
    source
        The row's ``source``.
    values
        Its other columns, in the order in which they were stamped.

    Examples
    --------
    >>> origin_of("packaged #f5c2a842", ["XTKS", dt.date(2025, 1, 1), False])
    'edited'
    """
    match = _STAMP.match(source or "")
    if match is None:
        return "own"
    return "edited" if match[2] is not None and match[2] != _digest(values) else "packaged"


def is_packaged(source: str | None) -> bool:
    """Whether the package wrote a row, edited since or not."""
    return _STAMP.match(source or "") is not None


def version_of(source: str | None) -> str | None:
    """Return the version of the packaged rules that a source names, if it names one.

    Examples
    --------
    >>> version_of("packaged 2026.11.22 #f5c2a842")
    '2026.11.22'
    """
    match = _STAMP.match(source or "")
    return match[1] if match else None
