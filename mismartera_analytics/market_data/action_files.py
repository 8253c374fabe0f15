"""Corporate actions from CSV files: every line checked, all of them recorded or none."""

from __future__ import annotations

import csv
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mismartera_analytics.arguments import is_one_of
from mismartera_analytics.errors import (
    InvalidInputError,
    StorageError,
    UnknownNameError,
    as_given,
    suggestion,
)
from mismartera_analytics.given_files import expanded
from mismartera_analytics.market_data.actions import record_rows
from mismartera_analytics.market_data.sources import csv_header, open_text

__all__ = ["import_actions"]

ALIASES = {
    "symbol": ("symbol", "ticker"),
    "action_type": ("actiontype", "action", "type", "kind"),
    "ex_date": ("exdate", "exdividenddate", "date"),
    "ratio": ("ratio", "splitratio", "factor"),
    "amount": ("amount", "dividend", "cash"),
    "currency": ("currency",),
    "new_symbol": ("newsymbol", "newticker"),
    "known_at": ("knownat", "announcedat"),
    "source": ("source",),
}
_NEEDED = ("symbol", "action_type", "ex_date")
_TYPES = {
    "dividend": "CASH_DIVIDEND",
    "cashdividend": "CASH_DIVIDEND",
    "split": "SPLIT",
    "symbolchange": "SYMBOL_CHANGE",
    "namechange": "SYMBOL_CHANGE",
    "delisting": "DELISTING",
    "delisted": "DELISTING",
}
_RATIO = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?::|/|-?for-?)\s*(\d+(?:\.\d+)?)\s*\Z", re.IGNORECASE)
_COMPACT_DATE = re.compile(r"(\d{4})(\d\d)(\d\d)\Z")


def import_actions(path: str | Path, *, columns: Mapping[str, str] | None = None) -> int:
    r"""Record the corporate actions of a CSV file; importing it again changes nothing.

    Parameters
    ----------
    path
        A CSV or CSV.gz file in UTF-8 with a line of names: symbol, action_type (SPLIT, CASH_DIVIDEND,
        SYMBOL_CHANGE or DELISTING, in any case), ex_date (``2014-06-09`` or ``20140609``; of a
        delisting the first session without trading); ratio of splits (``7`` or ``7:1``, new shares
        for old), amount of dividends [currency/share], new_symbol of changes; perhaps the amount that
        a share brought at its delisting, currency, known_at (with a time zone) and source. Other
        columns are passed over.
    columns
        Our name to the file's, where it is not one of the usual.

    Returns
    -------
    int
        How many actions are new or differ from what was recorded.

    Raises
    ------
    InvalidInputError
        If a column is missing, a line is bad or contradicts another: each is named. Nothing is
        recorded then.
    UnknownNameError
        If `columns` names a column that actions or the file do not have.
    StorageError
        If the file cannot be read.

    Examples
    --------
    >>> file = ma.settings().home / "actions.csv"
    >>> _ = file.write_text("symbol,type,date,ratio\nAAPL,split,2014-06-09,7:1\n")
    >>> import_actions(file), import_actions(file)
    (1, 0)
    """
    file = expanded(path)
    if not file.is_file():
        raise InvalidInputError(f"path={as_given(str(file))} does not exist.")
    try:
        delimiter, names = csv_header(file)
        found = _found(names, columns, file)
        with open_text(file) as lines:
            rows = _rows(csv.reader(lines, delimiter=delimiter), names, found, file)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInputError(f"{file} is not a readable CSV file: {error}.") from None
    except (EOFError, zlib.error) as error:
        raise StorageError(f"{file} ends too early, it was only half written: {error}.") from None
    except OSError as error:
        raise StorageError(f"{file} cannot be read: {error}.") from None
    return record_rows(rows)


def _found(names: list[str], given: Mapping[str, str] | None, file: Path) -> dict[str, int]:
    """Return the position of each of our columns."""
    found: dict[str, int] = {}
    for ours, theirs in (given or {}).items():
        if not is_one_of(ours, ALIASES):
            hint = suggestion(ours, ALIASES) or f"; actions have {', '.join(ALIASES)}."
            raise UnknownNameError(
                f"columns={as_given(ours)} is no column of corporate actions{hint}"
            )
        if theirs not in names:
            hint = suggestion(theirs, names) or f"; it has {', '.join(names)}."
            raise UnknownNameError(f"columns[{ours!r}]={as_given(theirs)} is not in {file}{hint}")
        found[ours] = names.index(theirs)
    folded = [re.sub(r"[^a-z]", "", name.casefold()) for name in names]
    for ours, aliases in ALIASES.items():
        alias = next((alias for alias in aliases if alias in folded), None)
        if alias is not None and ours not in found:
            found[ours] = folded.index(alias)
    missing = [name for name in _NEEDED if name not in found]
    if missing:
        raise InvalidInputError(
            f"{file} has no column for {', '.join(missing)}; it has {', '.join(names)}. Say which is "
            f"which with columns={{{missing[0]!r}: '…'}}."
        )
    return found


def _rows(
    reader: Any, names: list[str], found: Mapping[str, int], file: Path
) -> dict[str, dict[str, str | None]]:
    rows: dict[str, dict[str, str | None]] = {}
    is_header = True
    for fields in reader:
        if not any(field.strip() for field in fields):
            continue
        if is_header:
            is_header = False
            continue
        where = f"{file} line {reader.line_num}"
        if len(fields) != len(names):
            raise InvalidInputError(
                f"{where} has {len(fields)} fields and the first line {len(names)}; nothing was "
                f"recorded."
            )
        rows[where] = _row({name: fields[at].strip() or None for name, at in found.items()})
    return rows


def _row(texts: dict[str, str | None]) -> dict[str, str | None]:
    """Return the texts of a line as actions have them."""
    kind = texts["action_type"] or ""
    texts["action_type"] = _TYPES.get(re.sub(r"[^a-z]", "", kind.casefold()), kind)
    if compact := _COMPACT_DATE.match(texts["ex_date"] or ""):
        texts["ex_date"] = "-".join(compact.groups())
    if (ratio := _RATIO.match(texts.get("ratio") or "")) and float(ratio[2]):
        texts["ratio"] = str(float(ratio[1]) / float(ratio[2]))
    return texts
