"""How the bars of one interval lie on disk: partitions, columns, files and what a symbol may be."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mismartera_analytics import clock
from mismartera_analytics.errors import InvalidInputError, as_given
from mismartera_analytics.frames.given import listed

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "MAX_SYMBOL_LENGTH",
    "PRICES",
    "SYMBOL_RULE",
    "VALUES",
    "Layout",
    "check_symbols",
    "is_symbol",
    "layout_of",
]

PRICES = ("open", "high", "low", "close")
VALUES = (*PRICES, "volume")
MAX_SYMBOL_LENGTH = 10
SYMBOL_RULE = (
    "a symbol has 1 to 10 characters out of A-Z a-z 0-9 . - _ ^ = + and starts with a letter, "
    "a digit or ^"
)
_SYMBOL = re.compile(r"[A-Za-z0-9^](?!.*\.\.)[A-Za-z0-9._^=+-]{0,9}\Z")


def is_symbol(value: object) -> bool:
    """Return whether a value can name the bars of an instrument.

    Examples
    --------
    >>> is_symbol("BRK.B"), is_symbol("../../etc")
    (True, False)
    """
    return isinstance(value, str) and _SYMBOL.match(value) is not None


def check_symbols(symbols: str | Iterable[str], *, argument: str = "symbols") -> list[str]:
    """Return symbols as a sorted list without repetition.

    Parameters
    ----------
    symbols
        One symbol or several.
    argument
        Name of the caller's argument, for the error message.

    Returns
    -------
    list of str

    Raises
    ------
    InvalidInputError
        If there is none, or one holds characters that a symbol may not have.

    Examples
    --------
    >>> check_symbols(["MSFT", "AAPL", "MSFT"])
    ['AAPL', 'MSFT']
    """
    given = listed(symbols, argument=argument, what="a symbol or a list of symbols")
    for symbol in given:
        if not is_symbol(symbol):
            raise InvalidInputError(
                f"{argument}={as_given(symbol)} is not a symbol: {SYMBOL_RULE}."
            )
    if not given:
        raise InvalidInputError(f"{argument} is empty; name at least one symbol.")
    return sorted(set(given))


@dataclass(frozen=True)
class Layout:
    """Partitions and columns of the table of one interval.

    Attributes
    ----------
    interval
        Length of the bars.
    partition_by
        ``("symbol", "year")`` for minutes and hours, ``("symbol", "month")`` for seconds (a month is
        the number 201406), ``("year",)`` for a session and longer; the year is that of the UTC time,
        for a session and longer that of its label.
    """

    interval: clock.Interval
    partition_by: tuple[str, ...]

    @property
    def has_session(self) -> bool:
        """Whether the bars carry the label of their session, which then is their key."""
        return not self.interval.is_intraday

    @property
    def by_symbol(self) -> bool:
        """Whether a file holds the bars of one symbol."""
        return "symbol" in self.partition_by

    def periods(self, days: NDArray[np.datetime64]) -> NDArray[np.int64]:
        """Return the partition's year (or month) of each time.

        Parameters
        ----------
        days
            UTC times or labels, any unit, no NaT.

        Returns
        -------
        numpy.ndarray of int64
            Such as 2014, or 201406 for a month.
        """
        if self.partition_by[-1] == "year":
            return days.astype("datetime64[Y]").astype(np.int64) + 1970
        months = days.astype("datetime64[M]").astype(np.int64)
        return (months // 12 + 1970) * 100 + months % 12 + 1

    def cuts(self, days: NDArray[np.datetime64]) -> NDArray[np.int64]:
        """Return where ascending times pass from one partition to the next.

        Parameters
        ----------
        days
            UTC times or labels, ascending, at least one, no NaT.

        Returns
        -------
        numpy.ndarray of int64
            Positions above 0, ascending; as many as the times have periods less one.

        Examples
        --------
        >>> layout_of("1m").cuts(np.array(["2022-12-31", "2023-01-02", "2025-01-02"], "datetime64[us]"))
        array([1, 2])
        """
        unit = "M" if self.partition_by[-1] == "month" else "Y"
        first, last = days[[0, -1]].astype(f"datetime64[{unit}]").astype(np.int64)
        starts = np.arange(first + 1, last + 1).astype(f"datetime64[{unit}]").astype(days.dtype)
        return np.unique(np.searchsorted(days, starts))

    def folder(self, symbol: str | None, period: int) -> str:
        """Return the folder of a partition below the table, in Hive's notation."""
        last = f"{self.partition_by[-1]}={period}"
        return f"symbol={symbol}/{last}" if self.by_symbol else last

    def file_schema(self) -> Any:
        """Return the Arrow schema of a data file."""
        import pyarrow as pa

        fields = [("timestamp", pa.timestamp("us", "UTC"))]
        if self.has_session:
            fields = [("symbol", pa.string()), *fields, ("session", pa.date32())]
        return pa.schema([*fields, *((name, pa.float64()) for name in VALUES)])

    def table_schema(self) -> Any:
        """Return the Arrow schema of the table: the file's columns and the partitions'."""
        import pyarrow as pa

        schema = self.file_schema()
        if self.by_symbol:
            schema = schema.insert(0, pa.field("symbol", pa.string()))
        return schema.append(pa.field(self.partition_by[-1], pa.int32()))


def layout_of(interval: str | clock.Interval) -> Layout:
    """Return the layout of an interval's table.

    Parameters
    ----------
    interval
        Text such as ``"1m"``.

    Returns
    -------
    Layout

    Raises
    ------
    InvalidInputError
        If the text is no interval.

    Examples
    --------
    >>> layout_of("5m").partition_by
    ('symbol', 'year')
    """
    parsed = clock.parse_interval(interval)
    if not parsed.is_intraday:
        return Layout(parsed, ("year",))
    return Layout(parsed, ("symbol", "month" if parsed.unit == "s" else "year"))
