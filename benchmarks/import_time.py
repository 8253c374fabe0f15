"""What does importing the package cost, against importing pandas?"""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import peers


def seconds(module: str) -> float:
    """Return the interpreter's own measure of one import in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", f"import {module}"],
        capture_output=True,
        text=True,
        check=True,
    )
    microseconds, name = done.stderr.strip().splitlines()[-1].split("|")[1:]
    assert name.strip() == module
    return int(microseconds) / 1e6


if __name__ == "__main__":
    peers.compare(
        "import in a fresh process",
        ours=lambda: seconds("mismartera_analytics"),
        theirs=lambda: seconds("pandas"),
        peer=f"pandas {pd.__version__}",
    )
