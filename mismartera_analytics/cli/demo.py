"""``mismartera demo``: the main job end to end on real bars."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(demo)


def demo(
    if_missing: Annotated[  # noqa: FBT002
        bool, typer.Option("--if-missing", help="Do nothing when the demo's data is there.")
    ] = False,
) -> None:
    """Fill the database and the bar store with real bars, run a backtest and report on it."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.text import Text

    from mismartera_analytics.cli import screen
    from mismartera_analytics.operations import demo as job

    if if_missing and job.is_there():
        return
    console = screen.console()
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description:<44}"),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=not console.is_terminal,
    )
    with progress:
        task = progress.add_task("", total=len(job.STEPS))

        def on_step(title: str) -> None:
            progress.update(task, description=title)
            progress.advance(task)

        shown = job.run_demo(on_step=on_step)
    for table in job.tables(shown, width=console.width):
        console.print()
        console.print(table)
    console.print("\nThe report:", Text(str(shown.report), style="bold"))
