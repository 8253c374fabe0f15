"""Ten writers and ten readers on one database: no error, and no half transaction is seen."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.faults import load
from tests.faults.scale import scaled

logger = logging.getLogger(__name__)
WRITERS = READERS = 10
SECONDS = scaled(6, 120)


@pytest.mark.slow
def test_ten_writers_and_ten_readers(ready_database: str, home: Path) -> None:
    at_work = load.started(home, writers=WRITERS, readers=READERS, seconds=SECONDS)
    told = at_work.finished(patience=SECONDS + 120)
    written = [note for notes in at_work.notes("writer").values() for note in notes]
    read = [note for notes in at_work.notes("reader").values() for note in notes]
    assert [note["error"] for note in written + read if "error" in note] == []
    assert told == ""
    assert len(at_work.notes("writer")) == WRITERS
    assert all(at_work.notes("reader").values())
    found = load.check_what_is_there(at_work)
    assert found["orders"] > 0
    assert max(note["orders"] for note in read) > 0, "nobody read what was being written"
    logger.info(
        "%s, %d s: %.0f writes/s of 4 rows, longest %.2f s; %.0f checked reads/s, longest %.2f s; "
        "%d orders at the end",
        ready_database.partition(":")[0], SECONDS, len(written) / SECONDS,
        max(note["took"] for note in written), len(read) / SECONDS,
        max(note["took"] for note in read), found["orders"],
    )  # fmt: skip
