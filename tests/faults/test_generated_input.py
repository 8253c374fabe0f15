"""Generated input: nothing crashes, hangs, eats memory or raises what is not in the tree of errors."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.faults.scale import IS_FULL, scaled

logger = logging.getLogger(__name__)
SHARDS = 2
FIRST_SEED = int(os.environ.get("FAULT_SEED", "0"))
ROOT = Path(__file__).parents[2]
TIMEOUT = scaled(300, 5_400)


@pytest.mark.slow
def test_generated_inputs_end_in_a_result_or_in_one_sentence(demo_home: Path, tmp_path: Path):
    """100,000 inputs in the long form, some 400 in the short one; each shard has seeds of its own.

    Hypothesis draws numbers, from each of which one input is made: a run is the same every time, and
    another one with another ``FAULT_SEED``.
    """
    share = scaled(4, 1_000) / 1_000 / SHARDS
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.faults.generated.shard", str(tmp_path / f"home{number}"),
             str(demo_home), str(number), str(share)],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True,
        )
        for number in range(FIRST_SEED, FIRST_SEED + SHARDS)
    ]  # fmt: skip
    try:
        told = [_told(process) for process in running]
    finally:
        for process in running:
            process.kill()
            process.wait()
    counts: Counter[str] = sum((Counter(one["counts"]) for one in told), Counter())
    refused: Counter[str] = sum((Counter(one["refused"]) for one in told), Counter())
    for kind, count in counts.items():
        logger.info("%-18s %7d inputs, %7d refused", kind, count, refused[kind])
    logger.info(
        "%d inputs; slowest %.2f s (%s); largest growth %d MB (%s); peak of a process %d MB",
        counts.total(), *max(one["slowest"] for one in told), *max(one["largest"] for one in told),
        max(one["peak"] for one in told),
    )  # fmt: skip
    assert counts.total() >= (100_000 if IS_FULL else 300)
    assert refused.total() < 0.9 * counts.total(), "what is refused at the door tries nothing else"
    assert not [kind for kind, count in counts.items() if count >= 100 and refused[kind] == count]
    faults = {key: fault for one in told for key, fault in one["faults"].items()}
    assert not faults, "\n".join(
        f"{key} ({fault['kind']} {fault['number']}): {fault['said']}\n{fault['trace']}"
        for key, fault in faults.items()
    )


def _told(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, _ = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, f"a shard ended with {process.returncode}"
    told: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    return told
