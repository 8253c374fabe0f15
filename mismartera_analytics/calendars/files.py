"""Holidays in and out of files: CSV, JSON, and the table that NYSE publishes."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import delete, extract, select
from sqlalchemy.orm import Session

from mismartera_analytics.arguments import whole
from mismartera_analytics.calendars import names
from mismartera_analytics.errors import InvalidInputError, StorageError, as_given
from mismartera_analytics.files import write_file
from mismartera_analytics.frames.outgoing import plain_text, spreadsheet_text
from mismartera_analytics.given_files import read_given
from mismartera_analytics.json_texts import parse_json
from mismartera_analytics.models.database import read_session, session_scope
from mismartera_analytics.models.retrying import repeated
from mismartera_analytics.models.trading_calendar import MarketHours, TradingHoliday
from mismartera_analytics.models.turns import take_turn

__all__ = ["ImportReport", "delete_holidays", "export_holidays", "import_holidays"]

COLUMNS = ("date", "holiday_name", "is_closed", "early_close_time", "late_open_time")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_CELL = re.compile(
    rf"(?:(?P<weekday>{'|'.join(_WEEKDAYS)}),?\s+)?(?P<month>{'|'.join(_MONTHS)})\s+(?P<day>\d{{1,2}})\b"
)
_YES, _NO = {"1", "true", "yes", "closed"}, {"0", "false", "no", "open"}


@dataclass(frozen=True)
class ImportReport:
    """How many holidays an import wrote."""

    inserted: int
    updated: int
    unchanged: int


@dataclass(frozen=True)
class _Line:
    """One holiday of a file, and where it stands there."""

    place: str
    date: dt.date
    holiday_name: str | None
    is_closed: bool
    early_close_time: dt.time | None
    late_open_time: dt.time | None


@repeated
def import_holidays(
    path: str | Path, exchange: str, *, db_session: Session | None = None
) -> ImportReport:
    r"""Read holidays from a file into the tables, replacing those of the same dates; all or none.

    Parameters
    ----------
    path
        A ``.json`` file with a list of objects, or a text file with columns: ``date, holiday_name,
        is_closed, early_close_time`` and perhaps ``late_open_time``; or the table that NYSE publishes,
        holidays as rows and years as columns, in CSV or separated by tabs.
    exchange
        Group, exchange, code or alias whose holidays they are.
    db_session
        Where to write; by default a transaction of its own in the configured database.

    Returns
    -------
    ImportReport

    Raises
    ------
    InvalidInputError
        If a line cannot be read, says two things at once, or repeats a date: every such line is named.
    StorageError
        If the file cannot be read.
    UnknownNameError
        If the exchange is not known.

    Examples
    --------
    >>> file = ma.settings().home / "holidays.csv"
    >>> _ = file.write_text("date,holiday_name,is_closed,early_close_time\n2026-01-09,Mourning,1,\n")
    >>> import_holidays(file, "NYSE")
    ImportReport(inserted=1, updated=0, unchanged=0)
    """
    if db_session is None:
        with session_scope() as own_session:
            return import_holidays(path, exchange, db_session=own_session)
    lines = _read(Path(path))
    take_turn(db_session)
    key = _key(exchange, db_session)
    query = select(TradingHoliday).where(TradingHoliday.exchange == key)
    present = {row.date: row for row in db_session.scalars(query)}
    inserted = updated = 0
    for line in lines:
        row = present.get(line.date)
        values = {name: getattr(line, name) for name in COLUMNS[1:]}
        if row is None:
            row = TradingHoliday(exchange=key, date=line.date)
            db_session.add(row)
            inserted += 1
        elif all(getattr(row, name) == value for name, value in values.items()):
            continue
        else:
            updated += 1
        for name, value in values.items():
            setattr(row, name, value)
        row.source = f"file {Path(path).name}"[:100]
    db_session.flush()
    return ImportReport(inserted, updated, len(lines) - inserted - updated)


@repeated
def export_holidays(
    path: str | Path,
    exchange: str,
    *,
    year: int | None = None,
    db_session: Session | None = None,
) -> int:
    """Write the holidays that the tables hold under one name to a file that `import_holidays` reads.

    Parameters
    ----------
    path
        ``.json`` or ``.csv``; an existing file is replaced.
    exchange
        Group, exchange, code or alias. An exchange's own rows only: its group's are the group's.
    year
        Only that year's; all by default.
    db_session
        Where to read; the configured database by default.

    Returns
    -------
    int
        How many were written.

    Raises
    ------
    InvalidInputError
        If the file's name ends neither in ``.csv`` nor in ``.json``, or there is no such year.
    StorageError
        If the file cannot be written.
    UnknownNameError
        If the exchange is not known.

    Examples
    --------
    >>> export_holidays(ma.settings().home / "holidays.json", "US_EQUITY", year=2025)
    14
    """
    if db_session is None:
        with read_session() as own_session:
            return export_holidays(path, exchange, year=year, db_session=own_session)
    target = Path(path)
    if target.suffix not in (".csv", ".json"):
        raise InvalidInputError(f"path={as_given(str(path))} must end in '.csv' or '.json'.")
    query = select(TradingHoliday).where(TradingHoliday.exchange == _key(exchange, db_session))
    if year is not None:
        whole(year, "year", least=dt.MINYEAR, most=dt.MAXYEAR)
        query = query.where(extract("year", TradingHoliday.date) == year)
    rows = [
        {
            "date": row.date.isoformat(),
            "holiday_name": row.holiday_name,
            "is_closed": bool(row.is_closed) and not (row.early_close_time or row.late_open_time),
            "early_close_time": row.early_close_time and row.early_close_time.isoformat(),
            "late_open_time": row.late_open_time and row.late_open_time.isoformat(),
        }
        for row in db_session.scalars(query.order_by(TradingHoliday.date))
    ]
    if not target.absolute().parent.is_dir():
        raise StorageError(
            f"cannot write {target} (there is no folder {target.absolute().parent})."
        )
    write_file(target, _as_text(rows, target.suffix).encode("utf-8"))
    return len(rows)


def _as_text(rows: list[dict[str, Any]], suffix: str) -> str:
    if suffix == ".json":
        return json.dumps(rows, indent=1, ensure_ascii=False)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        row | {
            "is_closed": int(bool(row["is_closed"])),
            "holiday_name": spreadsheet_text(str(row["holiday_name"] or "")),
        }
        for row in rows
    )  # fmt: skip
    return text.getvalue()


@repeated
def delete_holidays(exchange: str, year: int, *, db_session: Session | None = None) -> int:
    """Delete the holidays of one year that the tables hold under one name.

    What the package brought comes back with the next sync.

    Parameters
    ----------
    exchange
        Group, exchange, code or alias.
    year
        Which year's.
    db_session
        Where to write; by default a transaction of its own in the configured database.

    Returns
    -------
    int
        How many were deleted.

    Raises
    ------
    InvalidInputError
        If there is no such year.
    UnknownNameError
        If the exchange is not known.

    Examples
    --------
    >>> ma.init_db()
    >>> delete_holidays("US_EQUITY", 2025)
    14
    """
    if db_session is None:
        with session_scope() as own_session:
            return delete_holidays(exchange, year, db_session=own_session)
    whole(year, "year", least=dt.MINYEAR, most=dt.MAXYEAR)
    first, last = dt.date(year, 1, 1), dt.date(year, 12, 31)
    done: Any = db_session.execute(
        delete(TradingHoliday).where(
            TradingHoliday.exchange == _key(exchange, db_session),
            TradingHoliday.date.between(first, last),
        )
    )
    return int(done.rowcount)


def _key(exchange: str, db_session: Session) -> str:
    """Return the name under which an exchange's holidays are kept."""
    query = select(MarketHours.exchange_group, MarketHours.exchanges)
    groups = names.exchanges_of(db_session.execute(query).all())
    place = names.resolve(exchange, groups)
    return place.exchange or place.group


def _read(path: Path) -> list[_Line]:
    """Return the holidays of a file, or raise one error that names all its bad lines."""
    try:
        text = read_given(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInputError(f"{path} is not text in UTF-8.") from None
    source = _json_lines(path, text) if path.suffix == ".json" else _text_lines(path, text)
    lines: list[_Line] = []
    faults: list[str] = []
    seen: dict[dt.date, str] = {}
    for place, fields in source:
        try:
            line = fields if isinstance(fields, _Line) else _line(place, fields)
        except ValueError as error:
            faults.append(f"{place}: {error}")
            continue
        if line.date in seen:
            faults.append(f"{place}: {line.date} stands already in {seen[line.date]}")
        seen[line.date] = place
        lines.append(line)
    if faults:
        more = f" and {len(faults) - 10} more" if len(faults) > 10 else ""
        raise InvalidInputError(f"{path}: nothing was imported. {'; '.join(faults[:10])}{more}.")
    if not lines:
        raise InvalidInputError(f"{path} holds no holidays.")
    return lines


def _json_lines(path: Path, text: str) -> Iterator[tuple[str, Any]]:
    items = parse_json(text, what=str(path))
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise InvalidInputError(
            f"{path} must hold a list of objects with {', '.join(COLUMNS[:4])}."
        )
    for number, item in enumerate(items, 1):
        yield f"item {number}", item


def _text_lines(path: Path, text: str) -> Iterator[tuple[str, Any]]:
    head = text.partition("\n")[0]
    reader = csv.reader(text.splitlines(), delimiter="\t" if "\t" in head else ",")
    header = [cell.strip() for cell in next(reader, [])]
    if len(header) > 1 and all(re.fullmatch(r"\d{4}", cell) for cell in header[1:]):
        yield from _table(reader, [int(year) for year in header[1:]])
        return
    unknown = [name for name in header if name not in COLUMNS]
    if "date" not in header or unknown or len(set(header)) < len(header):
        raise InvalidInputError(
            f"{path}: line 1: the columns are {header}; expected {', '.join(COLUMNS)}, or the name of "
            f"the holiday and years."
        )
    for cells in reader:
        if any(cell.strip() for cell in cells):
            place = f"line {reader.line_num}"
            if len(cells) != len(header):
                yield place, {"date": f"{len(cells)} cells instead of {len(header)}"}
            else:
                yield place, dict(zip(header, map(plain_text, cells), strict=True))


def _table(reader: Any, years: list[int]) -> Iterator[tuple[str, Any]]:
    """Read holidays as rows and years as columns; a cell without a word says that there is none."""
    for cells in reader:
        if any(cell.strip() for cell in cells[len(years) + 1 :]):
            number = f"{len(cells)} cells instead of {len(years) + 1}; quote those with a comma"
            yield f"line {reader.line_num}", {"date": number}
            continue
        for year, cell in zip(years, cells[1:], strict=False):
            place, match = f"line {reader.line_num}, {year}", _CELL.search(cell)
            if match is None:
                if re.search(r"\w", cell):
                    yield place, {"date": cell}
                continue
            month, day = _MONTHS.index(match["month"]) + 1, int(match["day"])
            yield (
                place,
                {
                    "date": f"{year:04d}-{month:02d}-{day:02d}",
                    "weekday": match["weekday"],
                    "holiday_name": cells[0].strip(" *\N{DAGGER}"),
                },
            )


def _line(place: str, fields: dict[str, Any]) -> _Line:
    """Return a holiday, or raise ValueError with what is wrong with it."""
    unknown = [name for name in fields if name not in (*COLUMNS, "weekday")]
    if unknown:
        raise ValueError(f"unknown fields {unknown}")
    text = str(fields.get("date") or "").strip()
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise ValueError(f"date {text!r} is not written as 2025-12-25")
    try:
        date = dt.date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"date {text!r} is not a day of the calendar") from None
    weekday = fields.get("weekday")
    if weekday is not None and weekday != _WEEKDAYS[date.weekday()]:
        raise ValueError(f"{date} is a {_WEEKDAYS[date.weekday()]}, not a {weekday}")
    early = _time(fields.get("early_close_time"), "early_close_time")
    late = _time(fields.get("late_open_time"), "late_open_time")
    has_time = early is not None or late is not None
    is_closed = _flag(fields.get("is_closed"), default=not has_time)
    if is_closed and has_time:
        raise ValueError(f"{date} is closed and has a time; give one of both")
    name = str(fields.get("holiday_name") or "").strip() or None
    if name is not None and len(name) > 100:
        raise ValueError(f"holiday_name has {len(name)} characters; at most 100 are allowed")
    return _Line(place, date, name, is_closed, early, late)


def _time(value: Any, name: str) -> dt.time | None:
    text = str(value or "").strip()
    if not text:
        return None
    try:
        time = dt.time.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{name} {text!r} is not written as 13:00") from None
    if time.tzinfo is not None:
        raise ValueError(f"{name} {text!r} has a time zone; times are local to the exchange")
    return time


def _flag(value: Any, *, default: bool) -> bool:
    if isinstance(value, bool):
        return value
    text = str("" if value is None else value).strip().casefold()
    if not text:
        return default
    if text not in _YES | _NO:
        raise ValueError(f"is_closed {value!r} is neither 1 nor 0")
    return text in _YES
