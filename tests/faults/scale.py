"""How long the tests of faults go on: short in the suite, long with ``FAULT_TESTS=full``."""

from __future__ import annotations

import os

__all__ = ["IS_FULL", "scaled"]

IS_FULL = os.environ.get("FAULT_TESTS") == "full"


def scaled(short: int, full: int) -> int:
    """Return the number for the form that is run."""
    return full if IS_FULL else short
