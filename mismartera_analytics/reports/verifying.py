"""A written report made again from what is recorded of it, and what differs since."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from mismartera_analytics import __version__, clock, frames
from mismartera_analytics.errors import (
    InvalidInputError,
    MismarteraError,
    NotReproducibleError,
    StorageError,
    UnknownNameError,
    as_given,
)
from mismartera_analytics.files import digest_of
from mismartera_analytics.given_files import check_path, expanded
from mismartera_analytics.reports.comparing import (
    Difference,
    bar_differences,
    changed,
    close_differences,
    row_differences,
)

__all__ = ["ReportCheck", "verify_report"]

TOLERANCE = 1e-9
FIGURES = (
    "value", "day_pnl", "day_return", "pnl", "total_return", "sharpe_ratio", "max_drawdown",
    "drawdown", "trades",
)  # fmt: skip
PRICES = ["open", "high", "low", "close", "volume"]


@dataclass(frozen=True)
class ReportCheck:
    """How a written report compares with what its records and bars give now.

    Attributes
    ----------
    path
        The file.
    report_id, title, made_at
        Of the report, as recorded.
    last_session
        The last session that it shows; what came later is no difference.
    bars
        How many versions the bars have moved on since, in words.
    differences
        `frames.DIFFERENCES`, empty where all is as it was.
    """

    path: Path
    report_id: int
    title: str
    made_at: dt.datetime
    last_session: str | None
    bars: str
    differences: pd.DataFrame

    @property
    def agrees(self) -> bool:
        """Whether nothing differs."""
        return not len(self.differences)

    def __repr__(self) -> str:
        told = f"{self.path.name}: {self.title}, made {self.made_at:%Y-%m-%d %H:%M} UTC"
        told += f", to {self.last_session}" if self.last_session else ""
        if self.agrees:
            return f"{told}: equal; {self.bars}"
        count = len(self.differences)
        lines = [f"{told}: {count} difference{'s' if count > 1 else ''}; {self.bars}"]
        return "\n".join([*lines, *(f"  {text}" for text in self.differences["text"])])

    def _repr_html_(self) -> str:
        shown = self.differences.drop(columns=["text"]).to_html(index=False, escape=True)
        return (
            f"<div><p>{escape(repr(self).splitlines()[0])}</p>{'' if self.agrees else shown}</div>"
        )


def verify_report(path: str | os.PathLike[str]) -> ReportCheck:
    """Make a report again from what was recorded of it, and say what differs.

    Compared are the file itself, the rows of the records and the bars that it rests on, and its
    headline figures. Orders, fills, flows and bars that came after it are no difference.

    Parameters
    ----------
    path
        A file that `report` or `tear_sheet` wrote. It may have been moved or copied.

    Returns
    -------
    ReportCheck
        Its frame `differences` names every order, fill, flow, corporate action and bar that is not
        what it was, and by how much, and the figures that change with them.

    Raises
    ------
    UnknownNameError
        If the file is not in the table of reports, or not whoever's is signed in.
    StorageError
        If it cannot be read.
    InvalidInputError
        If what is recorded of it was written by a newer version.

    Examples
    --------
    >>> done = ma.report(out=ma.settings().reports / "nightly")
    >>> ma.verify_report(done.folder / done.frame["files"][0]).agrees
    True
    """
    from mismartera_analytics.recording.report_log import find_report

    if not isinstance(path, str | os.PathLike):
        raise InvalidInputError(f"path={as_given(path)} must be the path of a report.")
    check_path(Path(path))
    file = expanded(path).absolute()
    digest = hash_of(file)
    logged = find_report(path=str(file), file_hash=digest)
    if logged is None:
        raise UnknownNameError(
            f"{str(path)!r} is not in the table of reports: it was not written from this database, "
            f"is another user's, or is an altered copy; verify the file where it was written. An index "
            f"and a tear sheet of a result in memory are not noted."
        )
    found = []
    if logged.file_hash != digest:
        text = f"{file.name}: the file itself was altered since it was written"
        found.append(Difference("file", file.name, "sha256", logged.file_hash, digest, None, text))
    cites = logged.cites
    check = _CHECKS.get(str(cites.get("kind")))
    if check is None:
        raise InvalidInputError(
            f"{str(path)!r} is a report of the kind {cites.get('kind')!r}, which this version cannot "
            f"make again."
        )
    found += check(cites)
    rows = [{name: getattr(one, name) for name in frames.DIFFERENCES.names} for one in found]
    table = pd.DataFrame(rows, columns=frames.DIFFERENCES.names)
    return ReportCheck(
        file, logged.report_id, logged.title, logged.created_at, cites.get("last_session"),
        _moved_on(cites), frames.DIFFERENCES.conform(table),
    )  # fmt: skip


def hash_of(file: Path) -> str:
    """Return the SHA-256 of a file's bytes.

    Raises
    ------
    StorageError
        If it cannot be read.
    """
    try:
        return digest_of(file)
    except OSError as error:
        raise StorageError(f"cannot read {file} ({error.strerror}).") from None


def _moved_on(cites: Mapping[str, Any]) -> str:
    from mismartera_analytics.market_data.citations import store_cited
    from mismartera_analytics.market_data.store import BarStore

    if not cites.get("bars") or "version" not in cites["bars"][0]:
        return "no bars are cited"
    cited = cites["bars"][0]
    try:
        now = BarStore(store_cited(cited["store"], cited["interval"])).version(cited["interval"])
    except MismarteraError:
        return f"bars of version {cited['version']}, whose store is not there"
    return f"bars of version {cited['version']}, now {now}"


def _of_account(cites: Mapping[str, Any]) -> list[Difference]:
    from mismartera_analytics.recording.cited_rows import cited_rows
    from mismartera_analytics.recording.report_log import rows_of_report
    from mismartera_analytics.reports.citing import first_day, symbols_of, within

    parameters = cites["parameters"]
    account, benchmark = int(parameters["account"]), parameters["benchmark"]
    others = [benchmark] if benchmark is not None and "(given returns" not in benchmark else []
    try:
        now = cited_rows(account, symbols=others)
    except UnknownNameError:
        text = f"account {account}: it is not there any more"
        return [Difference("account", str(account), None, None, None, None, text)]
    recorded = rows_of_report(cites["rows"])
    found = row_differences(
        recorded,
        within(now, parameters["end"]),
        until=clock.parse_instant(cites["as_of"], argument="as_of"),
    )
    last = cites.get("last_session")
    symbols = sorted({*symbols_of(recorded, others), *cites["closes"]})
    closes = _closes(symbols, first_day(recorded, parameters["start"]), cites["closes_to"])
    if closes is not None:
        differing = close_differences(cites["closes"], cites["bars"][0], closes)
        closed = _closed_by(cites["as_of"])
        found += [
            one for one in differing if closed is None or one.day is None or one.day <= closed
        ]
        if any(one not in found for one in differing):
            return found  # of a session that was still running: its figures were of another instant
    if last is None:
        return found  # no session was shown, and those that came since are news
    return found + _figures(cites, _account_headline(account, parameters["start"], last), found)


def _closed_by(as_of: str) -> str | None:
    """Return the label of the last session that had closed; None where the calendar ends before."""
    from mismartera_analytics.calendars.lookup import trading_calendar
    from mismartera_analytics.recording.marks import DEFAULT_MARKET, labels_at

    moment = clock.parse_instant(as_of, argument="as_of")
    try:
        return labels_at(moment, trading_calendar(DEFAULT_MARKET))[1].isoformat()
    except MismarteraError:
        return None


def _closes(symbols: list[str], first: dt.date | None, last: str | None) -> pd.DataFrame | None:
    from mismartera_analytics.recording.marks import closes_of

    if first is None or last is None:
        return None
    end = dt.date.fromisoformat(last)
    if end < first:
        return None
    closes = closes_of(symbols, first, end)
    closes.attrs["range"] = (first, end)
    return closes


def _account_headline(account: int, start: str | None, end: str | None) -> Any:
    from mismartera_analytics.reports.accounts import content_of_record, read_account
    from mismartera_analytics.reports.headline import headline_of_account

    try:
        record = read_account(account, start=start, end=end)
    except MismarteraError as error:
        return error
    return headline_of_account(record, content_of_record(record))


def _of_run(cites: Mapping[str, Any]) -> list[Difference]:
    from mismartera_analytics.backtesting.rerunning import rerun
    from mismartera_analytics.reports.headline import headline_of
    from mismartera_analytics.reports.sources import content_of

    run = int(cites["parameters"]["run"])
    try:
        result = rerun(run)
    except (NotReproducibleError, UnknownNameError) as error:
        text = f"run {run}: {error}"
        return [Difference("run", f"run {run}", None, None, None, None, text)]
    found = _bars_of_run(cites["bars"][0], result.config)
    if result.digest() != cites["result"]:
        text = f"run {run}: it was saved again since, with another result"
        found.append(Difference("run", f"run {run}", None, None, None, None, text))
    return found + _figures(cites, headline_of(content_of(result, stress=False)), found)


def _bars_of_run(cited: Mapping[str, Any], config: Mapping[str, Any]) -> list[Difference]:
    """Return which bars of a run's range differ now from the version that it read."""
    from mismartera_analytics.market_data.citations import store_cited
    from mismartera_analytics.market_data.store import BarStore

    if "version" not in cited:
        return []
    symbols, interval = config["symbols"], cited["interval"]
    store, (start, end) = BarStore(store_cited(cited["store"], interval)), config["range"]
    then = store.read(symbols, interval, start, end, as_of=cited["as_of"])
    if not len(then):
        return []
    last = then["timestamp"].max()
    now = store.read(symbols, interval, start, end)
    now = now.loc[now["timestamp"] <= last]
    by = "session" if then["session"].notna().all() else "timestamp"
    return bar_differences(then, now, PRICES, by=by)


def _figures(cites: Mapping[str, Any], headline: Any, causes: list[Difference]) -> list[Difference]:
    """Return the headline figures that are not what they were, and, without a cause, the version."""
    if isinstance(headline, MismarteraError):
        text = f"the report cannot be made any more: {headline}"
        return [Difference("figure", "all", None, None, None, None, text)]
    was, now = cites["headline"], headline.to_json()
    found = [
        changed("figure", name.replace("_", " "), name, was.get(name), now[name])
        for name in FIGURES
        if not _is_same(was.get(name), now[name])
    ]
    if found and not causes and cites["library"] != __version__:
        text = (
            f"the same records and bars give other figures: it was made by version "
            f"{cites['library']}, this is {__version__}"
        )
        found.insert(
            0, Difference("library", "version", None, cites["library"], __version__, None, text)
        )
    return found


def _is_same(was: Any, now: Any) -> bool:
    if was is None or now is None:
        return was is now
    return abs(float(was) - float(now)) <= TOLERANCE * max(1.0, abs(float(was)))


_CHECKS = {"account": _of_account, "run": _of_run}
