"""``mismartera accounts | positions | orders | fills | pnl | sessions``: frames on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

import typer

from mismartera_analytics.cli.brokers import account_named
from mismartera_analytics.cli.output import AsCsv, AsJson, AsParquet, Most, form_of, show

if TYPE_CHECKING:
    import pandas as pd

    from mismartera_analytics.ledger.periods import Frequency

__all__ = ["register"]

User = Annotated[str | None, typer.Option("--user", help="Only this user's rows.")]
Account = Annotated[
    str | None, typer.Option("--account", help="Only this account, by its id or its number.")
]
Symbols = Annotated[
    list[str] | None, typer.Option("--symbol", help="Only this symbol; may be repeated.")
]
Zone = Annotated[str | None, typer.Option("--tz", help="Show times in this zone, else in UTC.")]
Start = Annotated[
    str | None, typer.Option(help="From this session (2025-07-02) or instant (…T09:30-04:00) on.")
]
End = Annotated[str | None, typer.Option(help="To this session, included, or before this instant.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (accounts, positions, orders, fills, pnl, sessions):
        app.command()(command)


def accounts(
    user: User = None,
    tz: Zone = None,
    csv: AsCsv = False,  # noqa: FBT002
    json: AsJson = False,  # noqa: FBT002
    parquet: AsParquet = False,  # noqa: FBT002
    most: Most = 40,
) -> None:
    """Accounts and their balances."""
    import mismartera_analytics as ma
    from mismartera_analytics.frames import ACCOUNTS

    show(
        ma.accounts(user=user, tz=tz),
        ACCOUNTS,
        title="Accounts",
        form=form_of(csv=csv, json=json, parquet=parquet),
        most=most,
    )


def positions(
    user: User = None,
    account: Account = None,
    symbol: Symbols = None,
    at: Annotated[str | None, typer.Option(help="Positions held at this instant.")] = None,
    tz: Zone = None,
    csv: AsCsv = False,  # noqa: FBT002
    json: AsJson = False,  # noqa: FBT002
    parquet: AsParquet = False,  # noqa: FBT002
    most: Most = 40,
) -> None:
    """Positions as recorded, or as held at an instant."""
    import mismartera_analytics as ma
    from mismartera_analytics.frames import POSITIONS

    frame = ma.positions(user=user, account=_one(account), symbols=symbol, at=at, tz=tz)
    show(
        frame,
        POSITIONS,
        title="Positions",
        form=form_of(csv=csv, json=json, parquet=parquet),
        most=most,
    )


def orders(
    user: User = None,
    account: Account = None,
    symbol: Symbols = None,
    start: Start = None,
    end: End = None,
    tz: Zone = None,
    csv: AsCsv = False,  # noqa: FBT002
    json: AsJson = False,  # noqa: FBT002
    parquet: AsParquet = False,  # noqa: FBT002
    most: Most = 40,
) -> None:
    """Orders and what became of them."""
    import mismartera_analytics as ma
    from mismartera_analytics.frames import ORDERS

    frame = ma.orders(user=user, account=_one(account), symbols=symbol, start=start, end=end, tz=tz)
    columns = [
        "order_id", "account_id", "symbol", "order_type", "side", "quantity", "filled_quantity",
        "average_fill_price", "commission", "status", "placed_at", "filled_at",
    ]  # fmt: skip
    show(
        frame,
        ORDERS,
        title="Orders",
        form=form_of(csv=csv, json=json, parquet=parquet),
        most=most,
        columns=columns,
    )


def fills(
    user: User = None,
    account: Account = None,
    symbol: Symbols = None,
    start: Start = None,
    end: End = None,
    tz: Zone = None,
    csv: AsCsv = False,  # noqa: FBT002
    json: AsJson = False,  # noqa: FBT002
    parquet: AsParquet = False,  # noqa: FBT002
    most: Most = 40,
) -> None:
    """Fills: what was executed, when and at what price."""
    import mismartera_analytics as ma
    from mismartera_analytics.frames import FILLS

    frame = ma.fills(user=user, account=_one(account), symbols=symbol, start=start, end=end, tz=tz)
    show(frame, FILLS, title="Fills", form=form_of(csv=csv, json=json, parquet=parquet), most=most)


def pnl(
    user: User = None,
    account: Account = None,
    symbol: Symbols = None,
    start: Start = None,
    end: End = None,
    freq: Annotated[str, typer.Option(help="session, week, month, quarter, year, total.")] = "year",
    by: Annotated[str, typer.Option(help="account, or account,symbol.")] = "account",
    csv: AsCsv = False,  # noqa: FBT002
    json: AsJson = False,  # noqa: FBT002
    parquet: AsParquet = False,  # noqa: FBT002
    most: Most = 40,
) -> None:
    """Profit and loss, marked to market on every session."""
    import mismartera_analytics as ma
    from mismartera_analytics.frames import PNL

    frame = ma.pnl(
        user=user,
        account=_one(account),
        symbols=symbol,
        start=start,
        end=end,
        freq=cast("Frequency", freq),
        by=[name.strip() for name in by.split(",")],
    )
    columns = [name for name in PNL.names if name != "symbol" or "symbol" in by]
    show(
        frame,
        PNL,
        title=f"PnL by {freq}",
        form=form_of(csv=csv, json=json, parquet=parquet),
        most=most,
        columns=columns,
    )


def sessions(
    start: str,
    end: str,
    exchange: Annotated[str, typer.Option(help="Exchange or exchange group.")] = "NYSE",
    tz: Zone = "America/New_York",
    csv: AsCsv = False,  # noqa: FBT002
    json: AsJson = False,  # noqa: FBT002
    parquet: AsParquet = False,  # noqa: FBT002
    most: Most = 40,
) -> None:
    """Trading sessions from START to END, both included."""
    import mismartera_analytics as ma
    from mismartera_analytics.frames import SESSIONS

    frame = ma.trading_sessions(start, end, exchange=exchange, tz=tz).reset_index()
    title = f"Sessions of {exchange}, times in {tz or 'UTC'}"
    dull = [name for name in SESSIONS.names if name in frame.columns and _says_nothing(frame[name])]
    columns = [name for name in SESSIONS.names if name not in [*dull, "exchange"]]
    show(
        frame,
        SESSIONS,
        title=title,
        form=form_of(csv=csv, json=json, parquet=parquet),
        most=most,
        columns=columns,
    )


def _says_nothing(values: pd.Series) -> bool:
    return bool(values.isna().all() or (values.dtype == bool and not values.any()))


def _one(account: str | None) -> int | str | None:
    return None if account is None else account_named(account)
