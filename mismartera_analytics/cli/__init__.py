"""The command ``mismartera``: a command parses, calls one function and sets an exit code."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 the work failed, 2 the call was wrong.

    Parameters
    ----------
    arguments
        Words after the command's name; ``sys.argv`` by default.

    Raises
    ------
    SystemExit
        Always.
    """
    from mismartera_analytics.cli import application

    sys.exit(application.run(sys.argv[1:] if arguments is None else arguments))
