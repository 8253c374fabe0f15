"""What a report rests on: bars by digest and version, rows of the records, parameters, figures."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mismartera_analytics import __version__, clock

if TYPE_CHECKING:
    from mismartera_analytics.recording.cited_rows import Packed, Row
    from mismartera_analytics.reports.headline import Headline

__all__ = [
    "Citation",
    "beside_run",
    "cite_account",
    "cite_run",
    "closes_between",
    "digests_of",
    "fingerprint",
    "first_day",
    "run_fingerprint",
    "symbols_of",
    "within",
]

DIGITS = 12
"""Of the digest of a symbol's closes in a year."""
LOOK_BACK = dt.timedelta(days=14)
"""How far before the first session closes are cited, for one whose first session lacks a bar."""


@dataclass(frozen=True)
class Citation:
    """What a report rests on.

    Attributes
    ----------
    cites
        JSON values for the table of reports, without the headline.
    packed
        The rows of the records; None for a run, whose own row holds what it rests on.
    """

    cites: Mapping[str, Any]
    packed: Packed | None = None

    def with_headline(self, headline: Headline) -> dict[str, Any]:
        """Return what is recorded of the finished report."""
        return {**self.cites, "headline": headline.to_json(), "last_session": headline.last_session}


def cite_account(
    account: int,
    *,
    start: str | None,
    end: str | None,
    benchmark: str | pd.Series[float] | None,
) -> Citation:
    """Return what a report of an account rests on, as it is now.

    Parameters
    ----------
    account
        Its id.
    start, end
        Labels of the first and last session, ISO; None for all.
    benchmark
        A symbol, returns, or None.

    Returns
    -------
    Citation
    """
    from mismartera_analytics.market_data.store import BarStore
    from mismartera_analytics.recording.cited_rows import cited_rows, pack

    as_of = clock.utc_now()
    others = [benchmark] if isinstance(benchmark, str) else []
    rows = cited_rows(account, symbols=others)
    packed = pack(within(rows, end))
    store = BarStore()
    closes = closes_between(symbols_of(rows, others), first_day(rows, start), end)
    return Citation(
        {
            "kind": "account",
            "parameters": {"account": account, "start": start, "end": end,
                           "benchmark": _named(benchmark)},
            "library": __version__,
            "as_of": as_of.isoformat(),
            "bars": [{"store": store.uri, "interval": "1d", "version": store.version("1d")}],
            "rows": packed.digest,
            "closes": digests_of(closes),
            "closes_to": _last_of(closes, rows, end),
        },
        packed,
    )  # fmt: skip


def cite_run(
    run: int, result: Any, saved_at: str | None, *, stress: bool,
    benchmark: str | pd.Series[float] | None, beside: Mapping[str, Any],
) -> Citation:  # fmt: skip
    """Return what a report of a saved run rests on.

    Parameters
    ----------
    run
        Its id.
    result
        What `rerun` returned.
    saved_at
        When it was saved.
    stress, benchmark
        As in `report`.
    beside
        As `beside_run` gives it.
    """
    cited = {**result.data_version, "interval": str(result.config["interval"])}
    return Citation(
        {
            "kind": "run",
            "parameters": {"run": run, "stress": stress, "benchmark": _named(benchmark)},
            "library": __version__,
            "as_of": clock.utc_now().isoformat(),
            "bars": [cited],
            "result": result.digest(),
            "saved_at": saved_at,
            "beside": dict(beside),
        }
    )


def run_fingerprint(
    run: int, saved_at: str | None, *, stress: bool, benchmark: str | pd.Series[float] | None,
    beside: Mapping[str, Any],
) -> str:  # fmt: skip
    """Return the `fingerprint` of a saved run's report, before the run is run again."""
    parameters = {"run": run, "stress": stress, "benchmark": _named(benchmark)}
    return fingerprint(
        {"kind": "run", "parameters": parameters, "library": __version__, "saved_at": saved_at,
         "beside": dict(beside)}
    )  # fmt: skip


def beside_run(run: int, benchmark: str | pd.Series[float] | None) -> dict[str, Any]:
    """Return what a saved run's report shows beside the run: its family's trials, the benchmark.

    Parameters
    ----------
    run
        Its id.
    benchmark
        As in `report`.
    """
    from mismartera_analytics.backtesting.saved_runs import run_details
    from mismartera_analytics.backtesting.trial_log import trials
    from mismartera_analytics.reports.benchmarks import benchmark_of

    told = run_details(run)
    settings = told[told["part"] == "setting"].set_index("name")["value"]
    named = [text for text in settings.reindex(["family", "strategy"]).dropna() if text != "null"]
    known = benchmark_of(benchmark)
    return {
        "trials": len(trials(named[0])) if named else 0,
        "benchmark": None if known is None else _digest_of(known),
    }


def _digest_of(returns: pd.Series[float]) -> str:
    """Return a digest of labels and values; what only adjusting prices anew rounds is the same."""
    sha = hashlib.sha256(returns.index.to_numpy().astype("datetime64[D]").tobytes())
    sha.update((np.round(returns.to_numpy(np.float64), DIGITS) + 0.0).tobytes())
    return sha.hexdigest()[:DIGITS]


def _named(benchmark: str | pd.Series[float] | None) -> str | None:
    if benchmark is None or isinstance(benchmark, str):
        return benchmark
    return f"{benchmark.name} (given returns, digest {_digest_of(benchmark)})"


def symbols_of(rows: Mapping[str, list[Row]], others: Iterable[str] = ()) -> list[str]:
    """Return every symbol whose closes a report of these rows reads."""
    named = {row["symbol"] for kind in ("order", "flow") for row in rows[kind]}
    changed = {row["new_symbol"] for row in rows["action"]} | {
        row["symbol"] for row in rows["action"]
    }
    return sorted(name for name in named | changed | {*others} if name)


def first_day(rows: Mapping[str, list[Row]], start: str | None) -> dt.date | None:
    """Return the day from which closes are cited; None where nothing ever happened."""
    if start is not None:
        return dt.date.fromisoformat(start) - LOOK_BACK
    times = [row["filled_at"] for row in rows["fill"]]
    times += [row["filled_at"] or row["placed_at"] for row in rows["order"]]
    times += [row["occurred_at"] for row in rows["flow"]]
    known = [when[:10] for when in times if when]
    return dt.date.fromisoformat(min(known)) - LOOK_BACK if known else None


def within(rows: Mapping[str, list[Row]], end: str | None) -> dict[str, list[Row]]:
    """Return the rows that count for a period: none that is dated after its last session's day."""
    if end is None:
        return dict(rows)
    from mismartera_analytics.recording.cited_rows import TIMES

    after = (dt.date.fromisoformat(end) + dt.timedelta(days=2)).isoformat()
    return {
        kind: [row for row in found if (row[TIMES[kind]] or "") < after]
        for kind, found in rows.items()
    }


def _last_of(closes: pd.DataFrame, rows: Mapping[str, list[Row]], end: str | None) -> str | None:
    """Return the last day whose closes count: later ones are news."""
    if end is not None:
        return end
    dated = [row["filled_at"] or row["placed_at"] for row in rows["order"]]
    dated += [row["filled_at"] for row in rows["fill"]]
    dated += [row["occurred_at"] for row in rows["flow"]]
    days = [when[:10] for when in dated if when]
    if len(closes):
        days.append(f"{closes['session'].max():%Y-%m-%d}")
    return max(days, default=None)


def closes_between(symbols: Iterable[str], start: dt.date | None, end: str | None) -> pd.DataFrame:
    """Return daily closes: ``symbol, session, close``, by both; none without a start.

    Parameters
    ----------
    symbols
        Those without bars are left out.
    start, end
        Labels, both included; without an end to the last bar. There are none before the start.
    """
    from mismartera_analytics.recording.marks import closes_of

    last = None if end is None else dt.date.fromisoformat(end)
    is_empty = start is None or (last is not None and last < start)
    return closes_of((), None, None) if is_empty else closes_of(symbols, start, last)


def digests_of(closes: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Return digests by symbol and year of ``symbol, session, close``, sorted by both.

    Examples
    --------
    >>> days = pd.to_datetime(["2004-12-31", "2005-01-03"])
    >>> closes = pd.DataFrame({"symbol": "AAPL", "session": days, "close": [64.4, 63.3]})
    >>> list(digests_of(closes)["AAPL"])
    ['2004', '2005']
    """
    found: dict[str, dict[str, str]] = {}
    years = closes["session"].dt.year
    for (symbol, year), part in closes.groupby(["symbol", years], sort=True):
        sha = hashlib.sha256(part["session"].to_numpy().astype("datetime64[D]").tobytes())
        sha.update(part["close"].to_numpy(np.float64).tobytes())
        found.setdefault(str(symbol), {})[str(year)] = sha.hexdigest()[:DIGITS]
    return found


def fingerprint(cites: Mapping[str, Any]) -> str:
    """Return a digest of all that decides what a report shows: equal ones need not be made again."""
    names = ("kind", "parameters", "library", "rows", "closes", "saved_at", "beside")
    text = json.dumps({name: cites.get(name) for name in names}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
