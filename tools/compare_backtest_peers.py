"""Compare backtests with backtesting.py, vectorbt, bt and backtrader, each in its own environment.

Run by ``make backtest-peers``. It plays every case of ``tests/backtesting/peer_cases.py`` on the
sample bars, and on files of real bars in the folder given by ``--data`` (``daily_SPY.csv.gz``,
``daily_AAPL.csv.gz``, ``factors_AAPL.csv``, ``hour_AAPL.csv.gz``) where there is one, here and in
every peer. It prints, for each case and peer, the largest relative difference of any fill's quantity
and price and of any row's equity, or why the peer's rules cannot be set equal, and fails when a
difference exceeds 1e-9.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import peers  # noqa: E402 - found by the path above

from tests.backtesting.peer_cases import (  # noqa: E402
    Case,
    adjusted,
    hourly_case,
    ordered,
    play,
    sample_cases,
    single_cases,
)

PLAYERS = ("backtesting", "vectorbt", "backtrader", "bt")
TOLERANCE = 1e-9
Answer = dict[str, Any]


def packaged_cases(nyse: Any) -> Iterator[Case]:
    """Give the cases on the bars of bokeh-sampledata."""
    from mismartera_analytics.market_data import samples

    bars = samples.sample_bars().rename(columns={"date": "session"})
    bars["timestamp"] = nyse.sessions()["regular_open"].reindex(bars["session"]).to_numpy()
    return sample_cases(bars, samples.sample_actions())


def file_cases(nyse: Any, folder: Path) -> Iterator[Case]:
    """Give the cases on files of real bars."""
    opens = nyse.sessions()["regular_open"]
    for symbol in ("SPY", "AAPL"):
        bars = pd.read_csv(folder / f"daily_{symbol}.csv.gz", parse_dates=["timestamp"])
        bars["session"] = bars["timestamp"].astype("datetime64[us]")
        bars = bars[bars["session"].isin(opens.index)].reset_index(drop=True)
        bars["timestamp"] = opens.reindex(bars["session"]).to_numpy()
        yield from single_cases(symbol, adjusted(bars, splits_of(folder, symbol)), "files")
    hours = pd.read_csv(folder / "hour_AAPL.csv.gz", parse_dates=["timestamp"])
    # A day's first bar, labelled 09:00, is half an hour of the session: it is left out.
    kept = (hours["timestamp"] >= "2015-01-01") & (hours["timestamp"].dt.hour >= 10)
    hours = hours[kept].reset_index(drop=True)
    hours["session"] = hours["timestamp"].dt.normalize().astype("datetime64[us]")
    zoned = hours["timestamp"].dt.tz_localize("America/New_York")
    hours["timestamp"] = zoned.dt.tz_convert("UTC").dt.as_unit("us")
    yield hourly_case("AAPL", adjusted(hours, splits_of(folder, "AAPL")), "files")


def splits_of(folder: Path, symbol: str) -> pd.DataFrame:
    """Read splits from a file of factors: each counts for the dates up to its own."""
    names = ["date", "price_factor", "split_factor", "reference"]
    table = pd.read_csv(folder / f"factors_{symbol}.csv", names=names)
    ratio = table["split_factor"].shift(-1) / table["split_factor"]
    dates = pd.to_datetime(table["date"].astype(str)) + pd.Timedelta("1D")
    splits = pd.DataFrame(
        {"symbol": symbol, "ex_date": dates, "action_type": "SPLIT", "ratio": ratio.round(2)}
    )
    return splits[(ratio.round(2) != 1.0) & ratio.notna()]


def write_job(cases: Iterable[Case], folder: Path) -> Path:
    """Write what the players read: bars with the row's time and the number of its session."""
    told = []
    for number, case in enumerate(cases):
        bars = case.bars
        is_daily = case.interval == "1d"
        when = bars["session"] if is_daily else bars["timestamp"].dt.tz_localize(None)
        codes = pd.factorize(bars["session"], sort=True)[0]
        path = folder / f"bars-{number}.parquet"
        bars.assign(when=when, session_number=codes).drop(columns=["timestamp"]).to_parquet(path)
        told.append({**case.described(), "bars": str(path)})
    job = folder / "job.json"
    job.write_text(json.dumps(told), encoding="utf-8")
    return job


def peers_answers(cases: list[Case], folder: Path) -> dict[str, dict[str, Answer]]:
    """Play the cases in every peer: answers by peer and case."""
    job = write_job(cases, folder)
    found = {}
    for name in PLAYERS:
        python, _ = peers.pinned(name)
        player = ROOT / "tools" / "backtest_peers" / f"play_{name}.py"
        answer = folder / f"{name}.json"
        subprocess.run([str(python), str(player), str(job), str(answer)], check=True)
        found[name] = json.loads(answer.read_text(encoding="utf-8"))
    return found


def fills_of(answer: Answer) -> pd.DataFrame:
    """Return a peer's fills as `peer_cases.play` does; what closes a trade in parts is one fill."""
    table = pd.DataFrame(answer["fills"], columns=["row", "symbol", "quantity", "price"])
    side = np.sign(table["quantity"]).rename("side")
    keys = ["row", "symbol", side, "price"]
    summed = table.groupby(keys, as_index=False, observed=True)["quantity"].sum()
    return ordered(summed[["row", "symbol", "quantity", "price"]])


def difference(ours: Any, theirs: Any) -> float:
    """Return the largest relative difference; infinite where the shapes differ."""
    one, other = np.asarray(ours, float), np.asarray(theirs, float)
    if one.shape != other.shape:
        return float("inf")
    scale = np.maximum(np.maximum(np.abs(one), np.abs(other)), 1e-12)
    return float(np.max(np.abs(one - other) / scale, initial=0.0))


def compare(case: Case, answers: dict[str, dict[str, Answer]], nyse: Any) -> bool:
    """Print a case's line for every peer; return whether all agree."""
    fills, equity = play(case, nyse)
    print(f"{case.name} ({len(fills)} fills)")
    agree = True
    for name, answer in ((name, found[case.name]) for name, found in answers.items()):
        if "cannot" in answer:
            print(f"    {name:12} cannot be set equal: {answer['cannot']}")
            continue
        theirs = fills_of(answer)
        same_rows = list(fills["row"]) == list(theirs["row"])
        apart = difference(fills[["quantity", "price"]], theirs[["quantity", "price"]])
        worth = difference(equity, answer.get("equity", equity))
        good = same_rows and apart <= TOLERANCE and worth <= TOLERANCE
        agree &= good
        told = "" if good else f"   DIFFERS ({len(theirs)} fills there)"
        value = answer.get("no equity", f"equity {worth:.1e}")
        print(f"    {name:12} fills {apart:.1e}  {value}{told}")
    return agree


def main() -> None:
    """Print the comparison."""
    import mismartera_analytics as ma

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "us_equity")
    parser.add_argument("--only", default="", help="cases whose name holds this")
    asked = parser.parse_args()
    ma.init_db()
    nyse = ma.trading_calendar("NYSE")
    cases = list(packaged_cases(nyse))
    if asked.data.is_dir():
        cases += file_cases(nyse, asked.data)
    cases = [case for case in cases if asked.only in case.name]
    with tempfile.TemporaryDirectory() as folder:
        answers = peers_answers(cases, Path(folder))
    agree = [compare(case, answers, nyse) for case in cases]
    print(f"{sum(agree)} of {len(agree)} cases agree with every peer that can be set equal")
    sys.exit(not all(agree))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        os.environ["MISMARTERA_HOME"] = home
        main()
