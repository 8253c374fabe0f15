"""``mismartera import-orders | reconcile``: brokers' files into the records, and against them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mismartera_analytics.cli.output import AsCsv, AsJson, AsParquet, Most, form_of, show
from mismartera_analytics.errors import InvalidInputError

__all__ = ["account_named", "register"]

Account = Annotated[str, typer.Option("--account", help="The account's id, or its number.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("import-orders")(import_orders)
    app.command()(reconcile)


def import_orders(
    files: Annotated[
        list[Path], typer.Argument(help="Schwab's transactions, Alpaca's orders and activities.")
    ],
    account: Account,
    broker: Annotated[
        str | None, typer.Option(help="schwab or alpaca; by default the account's.")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help="For any CSV: field=Column, such as quantity=Shares; may be repeated."),
    ] = None,
    tz: Annotated[
        str | None, typer.Option(help="With --column: zone of times without one.")
    ] = None,
    whole: Annotated[  # noqa: FBT002
        bool, typer.Option("--whole", help="Refuse files with rows that the records cannot keep.")
    ] = False,
) -> None:
    """Read brokers' files into an account; again changes nothing."""
    import mismartera_analytics as ma

    done = ma.import_orders(
        files,
        account=account_named(account),
        broker=broker,
        mapping=_mapping(column) if column else None,
        tz=tz,
        unsupported="refuse" if whole else "skip",
    )
    typer.echo(repr(done))


def reconcile(
    account: Account,
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Schwab's positions, or Alpaca's positions and account."),
    ] = None,
    cash: Annotated[float | None, typer.Option(help="Cash that the broker reports.")] = None,
    at: Annotated[
        str | None, typer.Option(help="Of this session's close, or this instant.")
    ] = None,
    csv: AsCsv = False,  # noqa: FBT002
    json: AsJson = False,  # noqa: FBT002
    parquet: AsParquet = False,  # noqa: FBT002
    most: Most = 40,
) -> None:
    """Compare an account with what its broker reports; exit with 1 if they differ."""
    import mismartera_analytics as ma
    from mismartera_analytics.frames import BREAKS

    form = form_of(csv=csv, json=json, parquet=parquet)
    done = ma.reconcile(account_named(account), reported=files or None, cash=cash, at=at)
    if form == "table":
        typer.echo(repr(done))
    else:
        show(done.breaks, BREAKS, title="Breaks", form=form, most=most)
    if not done.agrees:
        raise typer.Exit(1)


def account_named(text: str) -> int | str:
    """Return what a user typed as an account: its id, else its number, which may be all digits too."""
    import mismartera_analytics as ma

    if not text.isdecimal():
        return text
    known = ma.accounts()
    is_number = text in set(known["account_number"].dropna())
    return text if is_number and int(text) not in set(known["account_id"]) else int(text)


def _mapping(pairs: list[str]) -> dict[str, str]:
    mapping = {}
    for pair in pairs:
        field, sign, name = pair.partition("=")
        if not sign or not name:
            raise InvalidInputError(f"--column {pair!r} must be written as field=Column.")
        mapping[field] = name
    return mapping
