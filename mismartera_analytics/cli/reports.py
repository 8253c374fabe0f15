"""``mismartera report``: tear sheets of many accounts and runs, with an index."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mismartera_analytics.cli.brokers import account_named
from mismartera_analytics.cli.output import say
from mismartera_analytics.errors import InvalidInputError

__all__ = ["app"]

app = typer.Typer(invoke_without_command=True)


@app.callback()
def report(
    context: typer.Context,
    account: Annotated[
        list[str] | None,
        typer.Option("--account", help="An account's id, or its number; may be repeated."),
    ] = None,
    all_accounts: Annotated[  # noqa: FBT002
        bool, typer.Option("--all-accounts", help="Every account that you may see.")
    ] = False,
    run: Annotated[
        list[str] | None, typer.Option("--run", help="A saved run's name, or id; may be repeated.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder; by default the configured one of reports.")
    ] = None,
    formats: Annotated[str, typer.Option("--format", help="html, pdf, or html,pdf.")] = "html",
    user: Annotated[str | None, typer.Option("--user", help="Only this user's.")] = None,
    start: Annotated[str | None, typer.Option(help="From this session (2025-07-02) on.")] = None,
    end: Annotated[str | None, typer.Option(help="To this session, included.")] = None,
    benchmark: Annotated[
        str | None, typer.Option(help="A symbol with daily bars to compare with.")
    ] = None,
    stress: Annotated[  # noqa: FBT002
        bool, typer.Option("--stress/--no-stress", help="Put saved runs under stress.")
    ] = True,
    skip_unchanged: Annotated[  # noqa: FBT002
        bool, typer.Option("--skip-unchanged", help="Leave reports that would come out equal.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that make reports.")] = 1,
) -> None:
    """Write tear sheets and an index of them; exit with 1 if one of them failed."""
    if context.invoked_subcommand is not None:
        return
    import mismartera_analytics as ma

    if all_accounts and account:
        raise InvalidInputError("--all-accounts and --account exclude each other; give one.")
    if not (all_accounts or account or run):
        raise InvalidInputError(
            "say what to report on: --all-accounts, --account ID, or --run NAME."
        )
    listed = None if account is None else [account_named(one) for one in account]
    done = ma.report(
        _everything(user) if all_accounts and run else listed,
        out,
        runs=None if run is None else [_named(one) for one in run],
        user=user,
        formats=formats,
        start=start,
        end=end,
        benchmark=benchmark,
        stress=stress,
        unchanged="skip" if skip_unchanged else "write",
        jobs=jobs,
    )
    say(repr(done), err=bool(len(done.failed)))
    if len(done.failed):
        raise typer.Exit(1)


@app.command()
def verify(file: Annotated[Path, typer.Argument(help="A report that was written here.")]) -> None:
    """Make a report again from what is recorded of it; exit with 1 if anything differs."""
    import mismartera_analytics as ma

    done = ma.verify_report(file)
    say(repr(done))
    if not done.agrees:
        raise typer.Exit(1)


def _everything(user: str | None) -> list[int | str]:
    import mismartera_analytics as ma

    return [int(number) for number in ma.accounts(user=user)["account_id"]]


def _named(text: str) -> int | str:
    return int(text) if text.isdecimal() else text
