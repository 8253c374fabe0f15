"""``mismartera open-account | import-orders | refresh-positions | reconcile``: brokers' accounts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mismartera_analytics.cli.output import AsCsv, AsJson, AsParquet, Most, form_of, say, show
from mismartera_analytics.errors import InvalidInputError

__all__ = ["account_named", "register"]

Account = Annotated[str, typer.Option("--account", help="The account's id, or its number.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("open-account")(open_account)
    app.command("import-orders")(import_orders)
    app.command("refresh-positions")(refresh_positions)
    app.command()(reconcile)


def open_account(
    user: Annotated[str, typer.Argument(help="The owner's name.")],
    broker: Annotated[str, typer.Argument(help="Such as schwab or alpaca.")],
    number: Annotated[str | None, typer.Option(help="The account's number there.")] = None,
    kind: Annotated[str | None, typer.Option("--type", help="cash or margin.")] = None,
    currency: Annotated[str, typer.Option(help="Of every amount.")] = "USD",
) -> None:
    """Open an account for a user; one that is there already is named."""
    from mismartera_analytics.recording.accounts import open_account

    account = open_account(
        user, broker, account_number=number, account_type=kind, currency=currency
    )
    say(f"account {account} of {user} at {broker}; import-orders --account {account} fills it.")


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
    say(repr(done))


def refresh_positions(
    account: Annotated[
        str | None, typer.Option("--account", help="Its id, or its number; by default all.")
    ] = None,
    csv: AsCsv = False,  # noqa: FBT002
    json: AsJson = False,  # noqa: FBT002
    parquet: AsParquet = False,  # noqa: FBT002
    most: Most = 40,
) -> None:
    """Work out positions and balances anew from fills, flows and bars, and record them."""
    import mismartera_analytics as ma
    from mismartera_analytics.frames import POSITIONS

    form = form_of(csv=csv, json=json, parquet=parquet)
    frame = ma.refresh_positions(None if account is None else account_named(account))
    show(frame, POSITIONS, title="Positions", form=form, most=most)


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
        say(repr(done))
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
