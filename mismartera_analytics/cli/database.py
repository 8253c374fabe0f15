"""``mismartera db``: create, upgrade, inspect and copy the database."""

from __future__ import annotations

from typing import Annotated

import typer

from mismartera_analytics.cli.output import say

__all__ = ["app"]

app = typer.Typer(help="Create, upgrade, inspect and copy the database.", no_args_is_help=True)


@app.command()
def init() -> None:
    """Create the tables of a fresh database."""
    from mismartera_analytics.models.database import init_db

    init_db()
    _say("ready")


@app.command()
def upgrade(
    assume_tz: Annotated[
        str,
        typer.Option(help="Zone of the naive times in a database that is adopted (an IANA name)."),
    ] = "UTC",
) -> None:
    """Bring the database to the newest revision, adopting one that has none."""
    from mismartera_analytics.models import database, migrate
    from mismartera_analytics.operations.database_roles import renew_grants

    state = migrate.status(database.engine)
    if state.adoptable:
        for sentence in migrate.adopt(database.engine, assume_tz=assume_tz).summary:
            say(sentence)
    migrate.upgrade(database.engine)
    _say("up to date")
    roles = renew_grants()
    if roles:
        say(f"The roles {', '.join(roles)} have what this revision grants.")


@app.command()
def status() -> None:
    """Show where the database is and which revisions are pending."""
    from mismartera_analytics.models import database, migrate

    state = migrate.status(database.engine)
    say(f"database  {database.engine.url!r}")
    say(f"revision  {state.current or 'none'}")
    say(f"newest    {state.head}")
    if state.pending:
        say(f"pending   {', '.join(state.pending)}")
    if state.advice:
        say(f"It {state.advice}.")


@app.command()
def copy(
    source: Annotated[str, typer.Argument(help="URL of a database, or path of a SQLite file.")],
    target: Annotated[str, typer.Argument(help="The same of a database without tables.")],
) -> None:
    """Copy a whole database into an empty one, SQLite to PostgreSQL and back, and compare both."""
    from mismartera_analytics import frames
    from mismartera_analytics.cli.output import show
    from mismartera_analytics.operations.copying import copy_database

    done = copy_database(source, target)
    title = f"{done.source} to {done.target}"
    show(done.frame, frames.COPIED_TABLES, title=title, form="table", most=len(done.tables))
    if done.note:
        say(done.note)


@app.command("grant-role")
def grant(
    role: Annotated[str, typer.Argument(help="A role of the PostgreSQL server.")],
    user: Annotated[str, typer.Option(help="The user that it stands for.")],
) -> None:
    """Let a role of the database see and record one user's rows alone."""
    from mismartera_analytics.operations.database_roles import grant_role

    for statement in grant_role(role, user=user):
        say(f"{statement};")
    say(f"{role} stands for user {user}.")


@app.command("revoke-role")
def revoke(
    role: Annotated[str, typer.Argument(help="A role of the PostgreSQL server.")],
) -> None:
    """Take from a role what grant-role gave it."""
    from mismartera_analytics.operations.database_roles import revoke_role

    for statement in revoke_role(role):
        say(f"{statement};")
    say(f"{role} stands for nobody.")


def _say(what: str) -> None:
    from mismartera_analytics.models import database, migrate

    engine = database.engine
    say(f"{engine.url!r} is {what} at revision {migrate.status(engine).current}.")
