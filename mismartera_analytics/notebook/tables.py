"""Frames as tables of a notebook: decimals by size, whole numbers whole, instants without noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["frame_html", "table"]

_SIGNIFICANT = 4
"""Digits of a number that its column's decimals would round to nothing."""


def frame_html(frame: pd.DataFrame) -> str | None:
    """Return a frame as pandas shows it in a notebook, with numbers and times easier to read.

    Values stay as they are; only the rows that are shown are looked at. Floats that are all whole have
    no decimals, others two, or four where all are below 10 and two do not do; a number that would show
    as zero keeps its digits. An instant has its seconds only where a column has any. Options of pandas
    that the reader has set (`display.float_format`, `display.precision`) win.

    Parameters
    ----------
    frame
        Any frame.

    Returns
    -------
    str or None
        None where `display.notebook_repr_html` is off.

    Examples
    --------
    >>> "1,234.50" in frame_html(pd.DataFrame({"amount": [1234.5, 20.0]}))
    True
    """
    if not pd.get_option("display.notebook_repr_html"):
        return None
    most = pd.get_option("display.max_rows")
    is_long = most is not None and len(frame) > most
    return _html(frame, rows=pd.get_option("display.min_rows") or most if is_long else most)


def table(frame: pd.DataFrame, *, rows: int = 20, index: bool = False) -> str:
    """Return a frame as a table of a card: as `frame_html`, without the row numbers.

    Parameters
    ----------
    frame
        Any frame.
    rows
        How many rows are shown at most.
    index
        Whether the index is shown.
    """
    return f'<div class="ma-scroll">{_html(frame, rows=rows, index=index)}</div>'


def _html(frame: pd.DataFrame, *, rows: int | None, index: bool = True) -> str:
    shown = frame if rows is None or len(frame) <= rows else _ends(frame, rows)
    own_floats = pd.get_option("display.float_format") is not None or (
        pd.get_option("display.precision") != _DEFAULT_PRECISION
    )
    formats: Any = [
        _format_of(shown.iloc[:, place], with_floats=not own_floats)
        for place in range(frame.shape[1])
    ]
    return str(
        frame.to_html(
            max_rows=rows,
            max_cols=pd.get_option("display.max_columns"),
            formatters=formats if frame.shape[1] else None,
            show_dimensions=len(shown) < len(frame),
            index=index,
            notebook=True,
        )
    )


_DEFAULT_PRECISION = 6


def _ends(frame: pd.DataFrame, rows: int) -> pd.DataFrame:
    half = max(rows // 2, 1)
    return pd.concat([frame.head(half), frame.tail(half)])


def _format_of(column: pd.Series[Any], *, with_floats: bool) -> Callable[[Any], str] | None:
    dtype = column.dtype
    if isinstance(dtype, pd.DatetimeTZDtype):
        return _instants(column)
    if dtype.kind == "f" and isinstance(dtype, np.dtype):
        return _floats(column) if with_floats else None
    if dtype.kind in "iu" and isinstance(dtype, np.dtype) and not _are_names(column):
        return lambda value: f"{value:,}" if value == value else "NaN"
    return None


def _are_names(column: pd.Series[Any]) -> bool:
    """Return whether whole numbers are ids or years, which have no thousands."""
    name = str(column.name).casefold()
    return name in ("id", "year") or name.endswith(("_id", "_year"))


def _floats(column: pd.Series[Any]) -> Callable[[Any], str]:
    values = column.to_numpy()
    finite = np.abs(values[np.isfinite(values)])
    if not finite.size or bool((finite == np.floor(finite)).all()):
        decimals = 0
    else:
        are_cents = np.allclose(finite, np.round(finite, 2), rtol=0.0, atol=1e-9)
        decimals = 2 if are_cents or finite.max() >= 10.0 else 4

    def shown(value: float) -> str:
        if not np.isfinite(value):
            return "NaN" if np.isnan(value) else f"{value}"
        text = f"{value:,.{decimals}f}"
        if value and not text.strip("-0.,"):
            return f"{value:.{_SIGNIFICANT}g}"
        return text

    return shown


def _instants(column: pd.Series[Any]) -> Callable[[Any], str]:
    there = column.dropna()
    if there.empty:
        return lambda value: "NaT"
    parts = "minutes"
    if bool((there.dt.microsecond != 0).any()):
        parts = "milliseconds"
    elif bool((there.dt.second != 0).any()):
        parts = "seconds"

    def shown(value: Any) -> str:
        return "NaT" if value is pd.NaT else str(value.isoformat(sep=" ", timespec=parts))

    return shown
