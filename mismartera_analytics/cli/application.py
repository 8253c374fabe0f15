"""The application: its command groups, and errors said as one sentence."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from mismartera_analytics.cli.output import say
from mismartera_analytics.errors import (
    CalendarRangeError,
    ConfigurationError,
    InvalidInputError,
    MismarteraError,
    UnknownNameError,
)

__all__ = ["app", "run"]

_WRONG_CALL = (CalendarRangeError, ConfigurationError, InvalidInputError, UnknownNameError)


class SentenceGroup(TyperGroup):
    """Says an error of the library as one sentence on stderr, and exits with 1 or 2."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; ``--debug`` lets the traceback through."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise
        except (MismarteraError, OSError) as error:
            if ctx.params.get("debug"):
                raise
            say(f"mismartera: {error}", err=True)
            raise typer.Exit(2 if isinstance(error, _WRONG_CALL) else 1) from None


app = typer.Typer(
    name="mismartera",
    cls=SentenceGroup,
    help="Positions, orders, PnL, trading sessions, bars and backtests.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(value: bool | None) -> None:  # noqa: FBT001 - typer calls it with one positional
    if value:
        from mismartera_analytics import __version__

        say(f"mismartera {__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,  # noqa: FBT002
    version: Annotated[
        bool | None,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = None,
) -> None:
    """Positions, orders, PnL, trading sessions, bars and backtests."""


def _register() -> None:
    from mismartera_analytics.cli import (
        backtests,
        bars,
        brokers,
        calendar,
        copies,
        database,
        demo,
        doctor,
        notebooks,
        people,
        records,
        reports,
        sql,
    )

    app.add_typer(bars.app, name="bars")
    app.add_typer(calendar.app, name="calendar")
    app.add_typer(database.app, name="db")
    app.add_typer(notebooks.app, name="notebook")
    app.add_typer(people.app, name="user")
    app.add_typer(reports.app, name="report")
    records.register(app)
    backtests.register(app)
    brokers.register(app)
    sql.register(app)
    demo.register(app)
    copies.register(app)
    doctor.register(app)


_register()


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments
        Words after the command's name.

    Returns
    -------
    int
        0 done, 1 the work failed, 2 the call was wrong.
    """
    try:
        app(args=arguments, prog_name="mismartera")
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 1
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except OSError as error:  # while help is written, before a command has begun
        say(f"mismartera: {error}", err=True)
        return 1
    return 0
