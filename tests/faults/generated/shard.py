"""One process of generated inputs: ``python -m tests.faults.generated.shard HOME SEED SHARE KIND…``."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import random
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

SECONDS = 2.0
MEGABYTES = 500
AT_ONCE = 400
"""Inputs between which the records and bars are put back as they were."""


class HangError(BaseException):
    """An input took longer than it may."""


def _alarm(*_: Any) -> None:
    raise HangError


class Shard:
    """Runs inputs and keeps what they did."""

    def __init__(self, home: Path, template: Path) -> None:
        self.home, self.template = home, template
        self.folder = home / "given"
        self.faults: dict[str, dict[str, Any]] = {}
        self.counts: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.slowest: tuple[float, str] = (0.0, "")
        self.largest: tuple[int, str] = (0, "")
        self.done = 0

    def renew(self) -> None:
        """Put records and bars back as they were."""
        import mismartera_analytics as ma

        ma.close_db()
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(self.template, self.home)
        self.folder.mkdir()
        os.chdir(self.folder)
        ma.configure()

    def run(self, kind: str, number: int) -> None:
        """Make an input of a number and see what it does."""
        from tests.faults.generated.kinds import KINDS

        if self.done % AT_ONCE == 0:
            self.renew()
        self.done += 1
        self.counts[kind] += 1
        make = KINDS[kind][0]
        while True:
            try:
                name, call = make(random.Random(number), self.folder)
                break
            except Exception:  # noqa: BLE001 - pandas cannot hold it, so nobody can give it
                number += 1
        if not self._once(kind, name, number, call, is_again=False):
            _, call = make(random.Random(number), self.folder)
            self._once(kind, name, number, call, is_again=True)

    def _once(self, kind: str, name: str, number: int, call: Any, *, is_again: bool) -> bool:
        """Return False if it took too long the first time: what it imported is there the second."""
        from mismartera_analytics.errors import MismarteraError

        before = _peak()
        began = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, SECONDS, 0.5)
        try:
            try:
                call()
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
        except MismarteraError:
            self.refused[kind] += 1
        except HangError as error:
            if not is_again:
                return False
            self._keep(kind, name, number, error)
        except TypeError as error:
            self.refused[kind] += 1
            if not _is_wrong_call(error):
                self._keep(kind, name, number, error)
        except Exception as error:  # noqa: BLE001 - what is looked for
            self._keep(kind, name, number, error)
        took, grew = time.process_time() - began, _peak() - before
        if took > SECONDS and not is_again:
            return False
        if took > SECONDS:
            self._keep(kind, name, number, HangError(f"{took:.1f} s"))
        self.slowest = max(self.slowest, (took, f"{kind} {name} {number}"))
        self.largest = max(self.largest, (grew, f"{kind} {name} {number}"))
        if grew > MEGABYTES:
            self._keep(kind, name, number, MemoryError(f"{grew} MB"))
        return True

    def _keep(self, kind: str, name: str, number: int, error: BaseException) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [one for one in frames if "/mismartera_analytics/" in one.filename] or frames[-1:]
        place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "?"
        key = f"{name}: {type(error).__name__} at {place}"
        entry = self.faults.setdefault(
            key, {"kind": kind, "number": number, "count": 0, "said": "", "trace": ""}
        )
        entry["count"] += 1
        entry["said"] = str(error)[:300]
        entry["trace"] = "".join(traceback.format_exception(error)[-7:])[-2500:]


WRAPPERS = ("arguments.py", "retrying.py")
"""Modules whose decorators call a function of the facade with the arguments of the caller."""


def _is_wrong_call(error: TypeError) -> bool:
    """Whether Python itself refused the arguments of the call."""
    frames = traceback.extract_tb(error.__traceback__)
    said = str(error)
    refused = any(part in said for part in ("argument", "keyword", "positional"))
    place = frames[-1].filename
    return refused and ("/mismartera_analytics/" not in place or place.endswith(WRAPPERS))


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _run_all(shard: Shard, kind: str, number: int, wanted: int) -> None:
    @seed(number)
    @settings(max_examples=wanted, database=None, deadline=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(st.integers(0, 2**64 - 1))
    def inputs(drawn: int) -> None:
        shard.run(kind, drawn)

    inputs()


def main() -> None:
    """Run a share of every kind that is named, and print what was found."""
    home, template, number, share, *kinds = sys.argv[1:]
    os.environ["MISMARTERA_HOME"] = home
    os.environ["MISMARTERA_BCRYPT_ROUNDS"] = "4"
    os.environ["MPLBACKEND"] = "Agg"
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGPROF, _alarm)
    from tests.faults.generated.kinds import KINDS

    shard = Shard(Path(home), Path(template))
    shard.renew()
    with Path("/proc/self/statm").open() as file:
        pages = int(file.read().split()[0])
    most = pages * 4096 + 6 * 2**30
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    for kind in kinds or list(KINDS):
        _run_all(shard, kind, int(number), max(1, round(KINDS[kind][1] * float(share))))
        gc.collect()
    with contextlib.suppress(OSError):
        os.chdir("/")
    sys.stdout.write(json.dumps({
        "counts": shard.counts, "refused": shard.refused, "slowest": shard.slowest, "largest": shard.largest,
        "peak": _peak(), "faults": shard.faults,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
