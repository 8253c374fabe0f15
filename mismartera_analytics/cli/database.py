"""``mismartera db``: create, upgrade and inspect the database."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(help="Create, upgrade and inspect the database.", no_args_is_help=True)


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

    state = migrate.status(database.engine)
    if state.adoptable:
        for sentence in migrate.adopt(database.engine, assume_tz=assume_tz).summary:
            typer.echo(sentence)
    migrate.upgrade(database.engine)
    _say("up to date")


@app.command()
def status() -> None:
    """Show where the database is and which revisions are pending."""
    from mismartera_analytics.models import database, migrate

    state = migrate.status(database.engine)
    typer.echo(f"database  {database.engine.url!r}")
    typer.echo(f"revision  {state.current or 'none'}")
    typer.echo(f"newest    {state.head}")
    if state.pending:
        typer.echo(f"pending   {', '.join(state.pending)}")
    if state.advice:
        typer.echo(f"It {state.advice}.")


def _say(what: str) -> None:
    from mismartera_analytics.models import database, migrate

    engine = database.engine
    typer.echo(f"{engine.url!r} is {what} at revision {migrate.status(engine).current}.")
