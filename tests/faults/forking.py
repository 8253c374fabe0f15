"""A process with everything imported that forks a worker for each order on its standard input.

A worker is ready in milliseconds that way. The process itself opens no database and no store, whose
connections and runtimes a fork would break.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from pathlib import Path

from sqlalchemy.orm import configure_mappers

from mismartera_analytics.market_data.store import BarStore
from mismartera_analytics.reports import accounts, pdf, requests, workers
from tests.faults import killed_work

LONGEST = 600
"""A worker ends by itself after so long, should the test that was to kill it be killed [s]."""
LOADED = BarStore, accounts, pdf, requests, workers


def _work(order: dict[str, str]) -> None:
    try:
        killed_work.until_killed(**order)  # type: ignore[arg-type]
    except BaseException:  # noqa: BLE001 - whatever it is, the test has to see it
        Path(order["notes"] + ".failed").write_text(traceback.format_exc())
    os._exit(1)


def _tell(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def main() -> None:
    configure_mappers()
    _tell("ready")
    for line in sys.stdin:
        order = json.loads(line)
        if isinstance(order, int):
            _tell(os.waitpid(order, 0)[1])
            continue
        number = os.fork()
        if number == 0:
            sys.stdin.close()
            signal.alarm(LONGEST)
            _work(order)
        _tell(number)


if __name__ == "__main__":
    main()
