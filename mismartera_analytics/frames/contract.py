"""What a frame's contract is: columns, dtypes, units, sort order, and how a frame is made to fit."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mismartera_analytics.errors import InvalidInputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SIDES", "Column", "FrameSpec", "columns"]

Dtype = Literal["str", "side", "float64", "int64", "Int64", "bool", "instant", "label", "interval"]

_PANDAS: dict[str, Any] = {
    "str": "str",
    "float64": "float64",
    "int64": "int64",
    "Int64": "Int64",
    "bool": "bool",
    "instant": "datetime64[us, UTC]",
    "label": "datetime64[us]",
    "interval": "str",
}
SIDES = ("BUY", "SELL")


@dataclass(frozen=True)
class Column:
    """One column: its name, dtype, unit and what it means."""

    name: str
    dtype: Dtype
    unit: str
    meaning: str


@dataclass(frozen=True)
class FrameSpec:
    """A frame's columns in order, and the columns by which its rows are sorted."""

    name: str
    columns: tuple[Column, ...]
    sort: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """The names of the columns, in order."""
        return [column.name for column in self.columns]

    def empty(self) -> pd.DataFrame:
        """Return a frame without rows that has every column and dtype.

        Examples
        --------
        >>> spec = FrameSpec("marks", columns(("at", "instant", "1", "when")), ("at",))
        >>> spec.empty()["at"].dtype
        datetime64[us, UTC]
        """
        return _empty(self).copy()

    def conform(self, frame: pd.DataFrame, *, tz: str | None = None) -> pd.DataFrame:
        """Return `frame` with this contract's columns, dtypes and sort order, and a fresh index.

        Parameters
        ----------
        frame
            Has at least the contract's columns; others are dropped. Instants must be aware.
        tz
            IANA zone into which instants are converted; UTC by default.

        Returns
        -------
        pandas.DataFrame
            Missing text is NaN (dtype ``str``), missing numbers NaN, missing instants NaT.

        Raises
        ------
        InvalidInputError
            If a column is missing or an instant is naive.
        """
        import pandas as pd

        missing = [name for name in self.names if name not in frame.columns]
        if missing:
            raise InvalidInputError(f"the frame {self.name!r} lacks the columns {missing}.")
        series: dict[str, pd.Series] = {}
        for column in self.columns:
            values = frame[column.name]
            if column.dtype == "side":
                series[column.name] = values.astype(pd.CategoricalDtype(_sides(values)))
            elif column.dtype == "instant":
                series[column.name] = self._instants(values, column.name, tz)
            else:
                series[column.name] = values.astype(_PANDAS[column.dtype])
        conformed = pd.DataFrame(series, columns=self.names, copy=False)
        if self.sort and not _is_sorted(conformed, self.sort):
            return conformed.sort_values(list(self.sort), kind="stable", ignore_index=True)
        return conformed.reset_index(drop=True)

    def _instants(self, values: pd.Series, name: str, tz: str | None) -> pd.Series:
        import pandas as pd

        aware: pd.Series
        if isinstance(values.dtype, pd.DatetimeTZDtype):
            aware = values.astype(_PANDAS["instant"])
        elif len(values) == 0 or values.isna().all():
            aware = pd.Series(pd.NaT, index=values.index, dtype=_PANDAS["instant"])
        else:
            if any(getattr(v, "tzinfo", None) is None for v in values.dropna()):
                raise InvalidInputError(f"column {name!r} of {self.name!r} holds naive datetimes.")
            aware = pd.to_datetime(values, utc=True).astype(_PANDAS["instant"])
        return aware if tz is None else aware.dt.tz_convert(tz)


@functools.cache
def _empty(spec: FrameSpec) -> pd.DataFrame:
    import pandas as pd

    return spec.conform(pd.DataFrame({name: [] for name in spec.names}))


def _is_sorted(frame: pd.DataFrame, names: tuple[str, ...]) -> bool:
    """Tell whether rows without a gap in `names` are in their order; with gaps it is not known."""
    import numpy as np

    is_tied = np.ones(max(len(frame) - 1, 0), np.bool_)
    for name in names:
        values: Any = frame[name].array
        if values.isna().any():
            return False
        before, after = values[:-1], values[1:]
        is_above = np.asarray(after > before, np.bool_)
        if is_above.all():
            return True  # the usual frame: one column orders all rows
        if (is_tied & np.asarray(after < before, np.bool_)).any():
            return False
        is_tied &= ~is_above
        if not is_tied.any():
            return True
    return True


def _sides(values: pd.Series) -> list[str]:
    extra = sorted({str(value) for value in values.dropna().unique()} - set(SIDES))
    return [*SIDES, *extra]


def columns(*rows: tuple[str, Dtype, str, str]) -> tuple[Column, ...]:
    """Return the columns of rows of name, dtype, unit and meaning."""
    return tuple(Column(*row) for row in rows)
