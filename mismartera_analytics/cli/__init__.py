"""The command ``mismartera``: a command parses, calls one function and sets an exit code."""

from __future__ import annotations

import io
import sys

__all__ = ["main"]

AS_IS = ("strict", "surrogateescape")
"""How a stream treats signs that its encoding lacks, where nobody chose; the latter in the locale C."""

INTERRUPTED = 130
"""The exit code of what Ctrl-C ended, as shells have it."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 the work failed, 2 the call was wrong, 130 interrupted.

    Parameters
    ----------
    arguments
        Words after the command's name; ``sys.argv`` by default.

    Raises
    ------
    SystemExit
        Always.
    """
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors in AS_IS:
        # A terminal of plain ASCII shows other signs by their numbers; CSV is refused there.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        from mismartera_analytics.cli import application

        code = application.run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:  # while the packages are loaded, before a command has begun
        code = INTERRUPTED
    sys.exit(code)
