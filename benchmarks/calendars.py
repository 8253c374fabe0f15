"""How fast are sessions, minutes and single questions, against two calendar libraries?

Each peer runs in an environment of its own, as a process that answers one question a line with the time
that it took. The answers are checked first: the peers' sessions and minutes must be ours, but for the
unscheduled hours that exchange_calendars does not know.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peers

START, END = "1990-01-01", "2026-12-31"
SERVER = r"""
import json, sys, time, warnings
warnings.simplefilter("ignore")
import pandas as pd
START, END = "1990-01-01", "2026-12-31"
if sys.argv[1] == "exchange_calendars":
    import exchange_calendars as ec
    make = ec.calendar_utils.global_calendar_dispatcher._calendar_factories["XNYS"]
    calendar = make(start=START, end=END)
    first, last = calendar.first_session, calendar.last_session
    moment, label = pd.Timestamp("2020-06-01 15:00", tz="UTC"), pd.Timestamp("2020-06-01")
    questions = {
        "sessions": lambda: make(start=START, end=END).schedule,
        "minutes": lambda: calendar.trading_index(first, last, "1min", closed="left", intervals=False),
        "is_open": lambda: [calendar.is_open_on_minute(moment) for _ in range(1000)],
        "next_session": lambda: [calendar.next_session(label) for _ in range(1000)],
    }
    count = {"sessions": len, "minutes": len, "is_open": len, "next_session": len}
else:
    import pandas_market_calendars as mcal
    calendar = mcal.get_calendar("NYSE")
    schedule = calendar.schedule(START, END)
    questions = {
        "sessions": lambda: calendar.schedule(START, END),
        "minutes": lambda: mcal.date_range(schedule, "1min", closed="left", force_close=False),
    }
for line in sys.stdin:
    began = time.perf_counter()
    answer = questions[line.strip()]()
    taken = time.perf_counter() - began
    ends = [str(answer[0]), str(answer[-1])] if isinstance(answer, pd.DatetimeIndex) else []
    print(json.dumps({"seconds": taken, "size": len(answer), "ends": ends}), flush=True)
"""


class Peer:
    """A peer's process; asked a question, it says how long it took and how much it answered."""

    def __init__(self, module: str, *packages: str) -> None:
        command = [str(peers.python(module, *packages)), "-c", SERVER, module]
        self.name = packages[0].replace("==", " ")
        self.process: Any = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, question: str) -> dict[str, Any]:
        self.process.stdin.write(question + "\n")
        self.process.stdin.flush()
        return dict(json.loads(self.process.stdout.readline()))

    def seconds(self, question: str) -> Callable[[], float]:
        return lambda: float(self.ask(question)["seconds"])

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def timed(call: Callable[[], object], *, times: int = 1) -> Callable[[], float]:
    """Return a function that tells how long one call takes, averaged over some."""

    def measure() -> float:
        began = time.perf_counter()
        for _ in range(times):
            call()
        return (time.perf_counter() - began) / times

    return measure


def main() -> None:
    """Check the answers, then compare."""
    import numpy as np
    import pandas as pd

    import mismartera_analytics as ma
    from mismartera_analytics.calendars import lookup

    ma.init_db()
    time.sleep(0.2)  # a database that was just written to is read anew each time
    calendar = ma.trading_calendar("NYSE")
    ec = Peer("exchange_calendars", "exchange_calendars==4.13.2", "pandas==2.3.3")
    mcal = Peer(
        "pandas_market_calendars", "pandas_market_calendars==5.5.0", "pandas==2.3.3",
        "exchange_calendars==4.13.2",
    )  # fmt: skip

    minutes = calendar.minutes(START, END)
    sessions = len(calendar.labels(START, END))
    assert ec.ask("sessions")["size"] == mcal.ask("sessions")["size"] == sessions
    for peer, unscheduled in ((ec, 557), (mcal, 180)):
        answer = peer.ask("minutes")
        assert answer["size"] - unscheduled == len(minutes), (
            peer.name,
            answer["size"],
            len(minutes),
        )
        assert answer["ends"] == [str(minutes[0]), str(minutes[-1])], answer

    def from_the_tables() -> object:
        lookup._held.clear()
        return ma.trading_sessions(START, END)

    peers.compare(
        "sessions 1990 to 2026, read from the tables",
        ours=timed(from_the_tables), theirs=ec.seconds("sessions"), peer=ec.name,
    )  # fmt: skip
    peers.compare(
        "sessions 1990 to 2026, read from the tables",
        ours=timed(from_the_tables), theirs=mcal.seconds("sessions"), peer=mcal.name,
    )  # fmt: skip
    ma.trading_sessions(START, END)
    peers.compare(
        "sessions 1990 to 2026, asked again",
        ours=timed(lambda: ma.trading_sessions(START, END), times=50),
        theirs=ec.seconds("sessions"), peer=ec.name,
    )  # fmt: skip
    for peer in (ec, mcal):
        peers.compare(
            f"the {len(minutes):,} regular minutes",
            ours=timed(lambda: calendar.minutes(START, END)),
            theirs=peer.seconds("minutes"), peer=peer.name,
        )  # fmt: skip
    starts, numbers = calendar._sessions.starts, minutes.asi8
    for order, asked in (
        ("in order", numbers),
        ("shuffled", np.random.default_rng(0).permutation(numbers)),
    ):
        index = pd.DatetimeIndex(asked.view("datetime64[us]")).tz_localize("UTC")
        peers.compare(
            f"session_of those, {order}",
            ours=timed(lambda index=index: calendar.session_of(index)),
            theirs=timed(lambda asked=asked: np.searchsorted(starts, asked, side="right")),
            peer=f"one numpy.searchsorted {np.__version__}",
        )  # fmt: skip
    moment, label = pd.Timestamp("2020-06-01 15:00", tz="UTC"), pd.Timestamp("2020-06-01")
    for question, ours in (
        ("is_open", lambda: calendar.is_open(moment)),
        ("next_session", lambda: calendar.next_session(label)),
    ):
        peers.compare(
            f"one {question}",
            ours=timed(ours, times=1000),
            theirs=lambda question=question: ec.seconds(question)() / 1000, peer=ec.name,
        )  # fmt: skip
    ec.close()
    mcal.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        os.environ["MISMARTERA_HOME"] = home
        os.chdir(Path(home))
        main()
