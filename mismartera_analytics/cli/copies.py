"""``mismartera backup`` and ``mismartera restore``: everything in one file, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from mismartera_analytics.cli.output import say

__all__ = ["app", "register"]


class _FileOrCommand(TyperGroup):
    """A group whose first word is a command, else the file of a backup to write."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take anything but a command's name for a file."""
        if args and args[0] not in self.commands and args[0] != "--help":
            args = ["write", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_FileOrCommand,
    help="Back up database and bars into one FILE: mismartera backup FILE.",
    no_args_is_help=True,
)


@app.command()
def write(
    file: Annotated[Path, typer.Argument(help="The backup, a new ZIP file.")],
    without_bars: Annotated[  # noqa: FBT002
        bool, typer.Option("--without-bars", help="Leave the bar store out.")
    ] = False,
    reports: Annotated[  # noqa: FBT002
        bool, typer.Option("--reports", help="Take the files of reports along.")
    ] = False,
) -> None:
    """Back up database and bars into FILE; `mismartera backup FILE` is the same."""
    from mismartera_analytics.operations.backup import back_up

    say(repr(back_up(file, bars=not without_bars, reports=reports)))


@app.command()
def verify(file: Annotated[Path, typer.Argument(help="A backup.")]) -> None:
    """Read a backup to its last byte and check it; nothing is restored."""
    from mismartera_analytics.operations.backup_checks import verify_backup

    say(repr(verify_backup(file)))


def _restore(
    file: Annotated[Path, typer.Argument(help="A backup.")],
    database_url: Annotated[
        str | None, typer.Option(help="An empty database; by default the configured one.")
    ] = None,
    bar_store: Annotated[
        str | None,
        typer.Option(help="An empty folder or s3:// address; by default the configured."),
    ] = None,
    without_bars: Annotated[  # noqa: FBT002
        bool, typer.Option("--without-bars", help="Restore the database only.")
    ] = False,
    reports: Annotated[
        Path | None, typer.Option(help="An empty folder for the files of reports.")
    ] = None,
) -> None:
    """Restore a backup into an empty database and an empty bar store, checked before and after."""
    from mismartera_analytics.operations.restoring import restore

    done = restore(
        file,
        database_url=database_url,
        bar_store=bar_store,
        bars=not without_bars,
        reports=reports,
    )
    say(repr(done))


def register(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app, name="backup")
    parent.command("restore")(_restore)
