"""Write exchange_calendars' own sessions, as the pinned environment computes them, for the tests.

Run by ``make calendars-goldens`` under ``tools/calendars-requirements.txt``. Arrays of a calendar are
stored as differences of neighbours (seconds, days for labels; 0 for a missing break), packed by LZMA.
"""

from __future__ import annotations

import argparse
import datetime as dt
import io
import lzma
import warnings
from pathlib import Path

import exchange_calendars as ec
import numpy as np
from make_calendar_rules import build

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "calendars" / "goldens"


def main() -> None:
    """Compute every calendar and write one file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--last-year", type=int, default=dt.datetime.now(dt.UTC).year + 1)
    last = dt.date(parser.parse_args().last_year, 12, 31)
    warnings.simplefilter("ignore")
    arrays: dict[str, np.ndarray] = {}
    sessions = 0
    for name in sorted(ec.get_calendar_names(include_aliases=False)):
        calendar, _ = build(name, last)
        labels = calendar.sessions.to_numpy().astype("datetime64[D]").astype(np.int64)
        arrays[f"{name}|label"] = np.diff(labels, prepend=0)
        for column in ("open", "break_start", "break_end", "close"):
            times = calendar.schedule[column].dt.tz_convert(None).to_numpy()
            seconds = times.astype("datetime64[s]").astype(np.int64)
            arrays[f"{name}|{column}"] = np.diff(np.where(np.isnat(times), 0, seconds), prepend=0)
        sessions += labels.size
    file = io.BytesIO()
    np.savez(file, **arrays)
    GOLDEN.mkdir(parents=True, exist_ok=True)
    path = GOLDEN / "exchange_calendars.npz.xz"
    path.write_bytes(lzma.compress(file.getvalue(), preset=9 | lzma.PRESET_EXTREME))
    print(
        f"{path.name}: {len(arrays) // 5} calendars, {sessions} sessions, {path.stat().st_size} bytes"
    )


if __name__ == "__main__":
    main()
