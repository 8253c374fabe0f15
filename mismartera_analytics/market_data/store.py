"""`BarStore`: bars in versioned Delta tables, one an interval."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from mismartera_analytics import clock
from mismartera_analytics.market_data import (
    asking,
    derived,
    reading,
    upsert,
    validation,
)
from mismartera_analytics.market_data.adjusted_reading import AdjustedReading
from mismartera_analytics.market_data.layout import check_symbols
from mismartera_analytics.market_data.upkeep import StoreUpkeep

if TYPE_CHECKING:
    from mismartera_analytics.calendars.sessions import TradingCalendar
    from mismartera_analytics.market_data.blocks import Block, StoredBlock

__all__ = ["BarStore"]


class BarStore(StoreUpkeep):
    """Bars by interval: upserts in one commit, reads of any version.

    Parameters
    ----------
    uri
        Folder of the store, made by the first write, or ``s3://bucket/prefix`` with the credentials
        that `places.place_of` finds; the setting ``bar_store`` by default.
    calendar
        Sessions of all symbols; by default each symbol has those of its instrument's market,
        US_EQUITY without one. They say which minutes a label means, and cut longer bars.

    Raises
    ------
    InvalidInputError
        If `uri` is neither a folder nor an address below an S3 bucket.

    Examples
    --------
    >>> store = BarStore()
    >>> bars = pd.DataFrame({
    ...     "symbol": "AAPL", "timestamp": pd.to_datetime(["2025-07-02T13:30Z", "2025-07-02T13:31Z"]),
    ...     "open": [10.0, 10.5], "high": [11.0, 10.5], "low": [9.5, 10.0], "close": [10.5, 10.0],
    ...     "volume": [100, 200]})
    >>> store.write(bars, "1m"), store.write(bars, "1m")
    (0, 0)
    >>> store.read("AAPL", "1m", start="2025-07-02T13:31Z")["close"].tolist()
    [10.0]
    """

    def __init__(
        self, uri: str | Path | None = None, *, calendar: TradingCalendar | None = None
    ) -> None:
        super().__init__(uri)
        self._calendar = calendar

    def __repr__(self) -> str:
        return f"BarStore({getattr(self, '_uri', None)!r})"  # a traceback may ask too early

    def write(self, frame: pd.DataFrame, interval: str) -> int:
        """Bring bars in: new ones are added, ones with a known key replace what was there.

        Every row is checked before anything is written; all rows become visible in one commit.

        Parameters
        ----------
        frame
            Columns `symbol`, `timestamp` (aware, the bar's start), `open`, `high`, `low`, `close`
            [currency/share], `volume` [shares]; for a session and longer also `session`, the label,
            which then is the key together with `symbol`. Any order; other columns are ignored.
        interval
            Length of the bars, such as ``"1m"`` or ``"1d"``.

        Returns
        -------
        int
            The version that holds the bars. Writing what is there already makes no new version; -1
            if the frame is empty and nothing was ever written.

        Raises
        ------
        InvalidBarsError
            If a column is missing or a row breaks a rule; nothing is written.
        NaiveDatetimeError
            If `timestamp` has no time zone.
        StorageError
            If the disk is full, or other processes kept committing first; nothing is changed.

        Examples
        --------
        See `BarStore`.
        """
        checked = validation.check_bars(frame, interval)
        block = validation.require_good(checked, total=len(frame))
        return upsert.upsert(self._table(interval), [block])

    def write_blocks(
        self,
        blocks: Sequence[Block | StoredBlock],
        interval: str,
        *,
        on_repeats: Callable[[upsert.Partition, Block], None] | None = None,
    ) -> int:
        """Bring in bars that were checked already, as `upsert.upsert` does it."""
        return upsert.upsert(self._table(interval), blocks, on_repeats=on_repeats)

    def read(
        self,
        symbols: str | Iterable[str],
        interval: str,
        start: clock.LabelLike | clock.InstantLike | None = None,
        end: clock.LabelLike | clock.InstantLike | None = None,
        *,
        columns: Iterable[str] | None = None,
        adjust: Literal["split", "all"] | None = None,
        as_of: int | clock.InstantLike | None = None,
        tz: str | None = None,
    ) -> pd.DataFrame:
        """Return bars, sorted by symbol and time.

        Parameters
        ----------
        symbols
            One or several.
        interval
            Length of the bars. A symbol that has none of it is read from the longest stored interval
            that divides it, as `resample_bars` puts bars together: whole bars only, below a session
            with extended hours, a session and longer from regular hours.
        start, end
            The range. Session labels (``"2025-07-02"``) mean sessions of each symbol's own market and
            include both ends, extended hours with them; instants (aware) are ``[start, end)``. None
            means open.
        columns
            What to return besides `symbol` and `timestamp`; everything by default.
        adjust
            ``"split"``: prices and volumes as if every split had always been in force; ``"all"``:
            prices reduced by the cash dividends as well. None: as traded.
        as_of
            A version, or an instant: the bars and corporate actions as they were known then.
        tz
            IANA zone of the times returned; UTC by default.

        Returns
        -------
        pandas.DataFrame
            As `frames.BARS`, NaT as `session` of bars shorter than one. Empty where known symbols
            have no bars in the range. The frame is the caller's own.

        Raises
        ------
        BarsNotFoundError
            If a symbol has no bars of this interval at all and no shorter ones that make it; the
            nearest name is suggested.
        InvalidInputError
            If an argument is malformed, or `as_of` lies before the first version.
        UnknownNameError
            If `columns` names a column that bars do not have.

        Examples
        --------
        See `BarStore`.
        """
        names = check_symbols(symbols)
        wanted = asking.columns_asked(columns)
        if tz is not None:
            clock.zone(tz)
        asking.check_adjust(adjust)
        table = self._table(interval)
        asked = asking.windows_asked(table, names, start, end, calendars=self._calendars_in_force)
        snapshot = derived.snapshot_then(table, as_of)
        bounds = asking.bounds_asked(start, end)
        found: list[pd.DataFrame] = []
        without = names
        if snapshot is not None and adjust is not None:
            adjusting = AdjustedReading(self._table, self._calendars_in_force)
            frame, without = adjusting.read(
                names, interval, asked, snapshot, kind=adjust, end=bounds[1], as_of=as_of
            )
            found.append(frame)
        elif snapshot is not None:
            frame, without = asking.stored_bars(table, snapshot, names, asked)
            found.append(frame)
        if without:
            shorter = derived.DerivedReading(self, self._table, self._calendar)
            found += [
                shorter.read(own, table, bounds, window, adjust=adjust, as_of=as_of)
                for window, own in asking.by_window(without, asked).items()
            ]
        frame = found[0] if len(found) == 1 else derived.joined(found)
        if tz is not None:
            frame["timestamp"] = frame["timestamp"].dt.tz_convert(tz)
        return frame if wanted is None else frame[wanted]

    def dataset(self, interval: str, *, as_of: int | clock.InstantLike | None = None) -> Any:
        """Return the bars of an interval as a pyarrow dataset that others can scan; nothing is read.

        Filters on any column reach the files: partitions and statistics decide what is opened at all.

        Parameters
        ----------
        interval
            Length of the bars.
        as_of
            A version, or an instant: the bars as they were known then.

        Returns
        -------
        pyarrow.dataset.Dataset
            `symbol`, `timestamp` [us, UTC], for a session and longer `session` [date], the prices and
            `volume`, and the partition's `year` (of seconds `month`, such as 201406); rows in no order.
            Without rows if nothing was ever written.

        Raises
        ------
        InvalidInputError
            If an argument is malformed, or `as_of` lies before the first version.

        Examples
        --------
        >>> import pyarrow.dataset as ds
        >>> bars = ma.BarStore().dataset("1d")
        >>> bars.count_rows(filter=(ds.field("symbol") == "AAPL") & (ds.field("year") == 2012))
        250
        """
        from mismartera_analytics.market_data.dataset import dataset_of

        table = self._table(interval)
        return dataset_of(table, asking.snapshot_asked(table, as_of))

    def dask(
        self,
        symbols: str | Iterable[str],
        interval: str,
        start: clock.LabelLike | clock.InstantLike | None = None,
        end: clock.LabelLike | clock.InstantLike | None = None,
        *,
        columns: Iterable[str] | None = None,
        adjust: Literal["split", "all"] | None = None,
        as_of: int | clock.InstantLike | None = None,
        tz: str | None = None,
        partitions: Literal["symbol", "period"] = "symbol",
    ) -> Any:
        """Return bars as a Dask DataFrame: none is read before it is computed, on any scheduler.

        The version, the range and the corporate actions are settled by this call, with the database
        and calendars of this process. Workers need the store alone: its folder under the same path,
        or on S3 credentials of their own.

        Parameters
        ----------
        symbols, interval, start, end, columns, adjust, as_of, tz
            As in `read`; the interval must be stored, longer bars are not made of shorter ones.
        partitions
            ``"symbol"``: one partition a symbol, with known divisions; ``"period"``: one for each year
            of a symbol (of seconds each month), whose divisions are known where no symbol has two.

        Returns
        -------
        dask.dataframe.DataFrame
            The columns of `read`, but with `symbol` as the index: ``groupby("symbol")`` and
            ``map_partitions`` work by symbol, ``.loc["AAPL"]`` reads one. Computed, it is
            ``read(…).set_index("symbol")``.

        Raises
        ------
        MissingDependencyError
            If Dask is not installed.
        BarsNotFoundError, InvalidInputError, UnknownNameError
            As in `read`, at once.

        Examples
        --------
        >>> bars = ma.BarStore().dask(["AAPL", "MSFT"], "1d", columns="close")
        >>> bars.divisions
        ('AAPL', 'MSFT', 'MSFT')
        >>> bars.groupby("symbol")["close"].count().compute().tolist()
        [3270, 3270]
        """
        from mismartera_analytics.market_data.distributed import Request, dask_frame

        names = check_symbols(symbols)
        wanted = asking.columns_asked(columns)
        if tz is not None:
            clock.zone(tz)
        asking.check_adjust(adjust)
        table = self._table(interval)
        asked = asking.windows_asked(table, names, start, end, calendars=self._calendars_in_force)
        snapshot = asking.snapshot_asked(table, as_of)
        spans, known, without = {name: [(name, asked[name])] for name in names}, None, names
        if adjust is not None:
            reader = AdjustedReading(self._table, self._calendars_in_force)
            last = None if end is None else clock.parse_bound(end, argument="end")
            spans, known, without = reader.plan(
                names, interval, asked, snapshot, kind=adjust, end=last, as_of=as_of
            )
        if without:
            asking.require_known(table, snapshot, without, where=self._uri)
        request = Request(self._uri, str(table.layout.interval), tz)
        return dask_frame(request, snapshot, spans, known, columns=wanted, partitions=partitions)

    def symbols(self, interval: str) -> list[str]:
        """Return the symbols that have bars of an interval, sorted; an empty list if there are none.

        Raises
        ------
        InvalidInputError
            If `interval` is no interval.
        """
        table = self._table(interval)
        return reading.known_symbols(table, table.snapshot())

    def coverage(self, interval: str) -> pd.DataFrame:
        """Return what there is of each symbol.

        Returns
        -------
        pandas.DataFrame
            As `frames.COVERAGE`: first and last bar, number of bars and of distinct sessions (for
            bars shorter than a session: those of the symbol's calendar in which a bar starts).

        Raises
        ------
        InvalidInputError
            If `interval` is no interval.
        """
        from mismartera_analytics.market_data.coverage import coverage_of

        table = self._table(interval)
        return coverage_of(table, table.snapshot(), calendars=self._calendars_in_force)

    def _calendars_in_force(self, symbols: list[str]) -> dict[str, TradingCalendar]:
        from mismartera_analytics.market_data.instruments import calendar_of

        if self._calendar is not None:
            return dict.fromkeys(symbols, self._calendar)
        return calendar_of(symbols)
