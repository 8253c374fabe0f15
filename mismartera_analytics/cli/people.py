"""``mismartera user``: create users and change passwords; passwords are asked for on the terminal."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer

from mismartera_analytics.cli.output import say
from mismartera_analytics.config import HiddenText
from mismartera_analytics.errors import InvalidInputError

__all__ = ["app"]

app = typer.Typer(help="Create users and change their passwords.", no_args_is_help=True)


@app.command()
def create(
    username: str,
    email: str,
    superuser: Annotated[  # noqa: FBT002
        bool, typer.Option("--superuser", help="Sees every row.")
    ] = False,
) -> None:
    """Create a user; the password is asked for twice."""
    from mismartera_analytics.auth import create_user

    user = create_user(username, email, _new_password(), superuser=superuser)
    say(f"created user {user.username} with id {user.id}.")


@app.command()
def password(username: str) -> None:
    """Set a user's password; it is asked for twice."""
    from mismartera_analytics.auth import set_password

    set_password(username, _new_password())
    say(f"changed the password of {username}.")


@app.command()
def check(username: str) -> None:
    """Ask for a user's password and say whether it signs in."""
    from mismartera_analytics.auth import authenticate_user

    if authenticate_user(username, _ask("Password: ")) is None:
        say("mismartera: the name or the password is wrong.", err=True)
        raise typer.Exit(1)
    say(f"{username} may sign in.")


def _new_password() -> str:
    first = _ask("Password: ")
    if _ask("Repeat the password: ") != first:
        raise InvalidInputError("the two passwords differ; nothing was changed.")
    return first


def _ask(prompt: str) -> str:
    """Read a password from the terminal, without echo; never from the command line or a pipe."""
    if not sys.stdin.isatty():
        raise InvalidInputError("a password is asked for on a terminal; standard input is none.")
    try:
        return HiddenText(getpass.getpass(prompt))
    except EOFError:
        raise InvalidInputError("no password was typed; nothing was changed.") from None
