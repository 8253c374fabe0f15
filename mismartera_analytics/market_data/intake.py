"""What an ingest has taken in so far: checked bars, spilled to files when they grow, and bad rows."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
import pandas as pd

from mismartera_analytics import clock
from mismartera_analytics.errors import InvalidBarsError, StorageError, as_given
from mismartera_analytics.frames.number_cells import is_beyond_floats
from mismartera_analytics.market_data import validation
from mismartera_analytics.market_data.blocks import Block, StoredBlock, concatenate, stored
from mismartera_analytics.market_data.layout import VALUES, Layout

__all__ = ["Intake"]

SPILL_BYTES = 128 * 2**20
"""Checked bars kept in memory before they go to a temporary file."""
BAD_COLUMNS = ("source", "row", "symbol", "timestamp", *VALUES, "reason")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=clock.UTC)


class Intake:
    """Checks pieces of a source one after another; a context that removes its temporary files.

    Attributes
    ----------
    blocks
        The good bars so far, sorted within each block. Large ones lie in files.
    total
        Rows taken so far, bad ones too.
    first, last
        Starts of the first and the last good bar, None without one.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._fresh: list[Block] = []
        self._spilled: list[StoredBlock] = []
        self._bad: list[pd.DataFrame] = []
        self._repeats: dict[object, pd.DataFrame] = {}
        self._counts: Counter[str] = Counter()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self.total = 0
        self.first: dt.datetime | None = None
        self.last: dt.datetime | None = None

    def __enter__(self) -> Intake:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._spilled.clear()
        if self._folder is not None:
            self._folder.cleanup()

    @property
    def blocks(self) -> list[Block | StoredBlock]:
        """The good bars so far."""
        return [*self._spilled, *self._fresh]

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols of the good bars, sorted."""
        return tuple(sorted({name for block in self.blocks for name in block.names}))

    def take(self, bars: pd.DataFrame, source: str) -> None:
        """Check the bars of one piece.

        Parameters
        ----------
        bars
            As from `mapping.to_bars`; the index says the row.
        source
            Name of the frame or file, for messages.
        """
        checked = validation.check_bars(bars, str(self._layout.interval))
        self.total += len(bars)
        self._counts.update(checked.counts)
        if len(checked.bad):
            given = [_written(one) for one in checked.bad["given"]]
            bad = checked.bad.assign(timestamp=given, source=source)
            self._bad.append(bad.assign(row=bad.index)[list(BAD_COLUMNS)])
        if not len(checked.good):
            return
        first, last = _instant(checked.good.time.min()), _instant(checked.good.time.max())
        self.first = first if self.first is None else min(self.first, first)
        self.last = last if self.last is None else max(self.last, last)
        self._fresh.append(checked.good)
        if sum(block.nbytes for block in self._fresh) > SPILL_BYTES:
            self._spill()

    def require_good(self) -> None:
        """Raise if a row is bad.

        Raises
        ------
        InvalidBarsError
            Names the first bad rows and counts all by reason; `bad` is the frame of them.
        """
        bad = self.bad_rows()
        if len(bad):
            told = validation.told(bad, self._counts, total=self.total)
            raise InvalidBarsError(f"{told} Nothing was written.", bad=bad)

    def on_repeats(
        self, on_bad: Literal["raise", "quarantine"]
    ) -> Callable[[tuple[str | None, int], Block], None]:
        """Return what is to be done with bars that repeat those of an earlier piece."""

        def note(partition: tuple[str | None, int], repeats: Block) -> None:
            self._repeats[partition] = _rows_of(repeats)
            self._counts[validation.REPEATED] = sum(map(len, self._repeats.values()))
            if on_bad == "raise":
                self.require_good()

        return note

    def bad_rows(self) -> pd.DataFrame:
        """Return the bad rows so far, with where they came from."""
        found = [*self._bad, *self._repeats.values()]
        if not found:
            return pd.DataFrame({name: [] for name in BAD_COLUMNS})
        return pd.concat(found, ignore_index=True)

    def _spill(self) -> None:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="mismartera-bars-")
        # Rows of one key keep their order: the first of them is the one that stays.
        joined = concatenate(self._fresh)
        self._fresh.clear()
        folder = Path(self._folder.name) / str(len(self._spilled))
        try:
            self._spilled.append(stored(joined, folder))
        except OSError as error:
            raise StorageError(
                f"bars cannot be put aside in {folder} while they are checked: "
                f"{error.strerror or error}; nothing was written. TMPDIR says where."
            ) from None


def _rows_of(block: Block) -> pd.DataFrame:
    rows = pd.DataFrame(dict(zip(VALUES, block.values, strict=True)))
    rows["symbol"] = [block.names[code] for code in block.codes]
    rows["timestamp"] = [_instant(moment).isoformat() for moment in block.time]
    rows = rows.assign(source="repeats an earlier piece", row=-1, reason=validation.REPEATED)
    return rows[list(BAD_COLUMNS)]


def _instant(microseconds: np.int64) -> dt.datetime:
    return _EPOCH + dt.timedelta(microseconds=int(microseconds))


def _written(value: Any) -> str:
    """Return a time as it was given, as text that a file takes."""
    if is_beyond_floats(value):
        return as_given(value)
    text = value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
    return text.encode(errors="backslashreplace").decode()
