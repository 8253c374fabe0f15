"""The database's tables as Arrow: which there are, and which rows of each a user may see."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, or_, select

from mismartera_analytics.errors import NotAllowedError
from mismartera_analytics.models import (
    AccountInfo,
    BacktestRun,
    CashFlow,
    Fill,
    Order,
    Position,
    Report,
    Trial,
    User,
    load_mappings,
)
from mismartera_analytics.models.database import Base
from mismartera_analytics.models.reading import read_table
from mismartera_analytics.models.types import SecretText

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy.orm import Session

    from mismartera_analytics.recording.ownership import Scope

__all__ = ["ALIASES", "OWNED", "PUBLIC", "database_tables", "read_database_table"]

ALIASES = {"accounts": "account_info"}
"""Other names of tables."""
PUBLIC = frozenset(
    {
        "corporate_actions",
        "instruments",
        "market_data",
        "market_hours",
        "market_hours_periods",
        "trading_holidays",
    }
)
"""Tables that are nobody's and that everybody may see."""


def _own_orders(scope: Scope) -> list[ColumnElement[bool]]:
    return [Fill.order_id.in_(select(Order.id).where(*scope.rows(Order)))]


def _own_trials(scope: Scope) -> list[ColumnElement[bool]]:
    own_runs = select(BacktestRun.id).where(*scope.rows(BacktestRun))
    of_a_run = and_(Trial.user_id.is_(None), Trial.run_id.in_(own_runs))
    return [or_(Trial.user_id == scope.user_id, of_a_run)]


OWNED: dict[str, Callable[[Scope], list[ColumnElement[bool]]]] = {
    "account_info": lambda scope: [AccountInfo.user_id == scope.user_id],
    "backtest_runs": lambda scope: scope.rows(BacktestRun),
    "cash_flows": lambda scope: scope.rows(CashFlow),
    "fills": _own_orders,
    "orders": lambda scope: scope.rows(Order),
    "positions": lambda scope: scope.rows(Position),
    "reports": lambda scope: scope.rows(Report),
    "trials": _own_trials,
    "users": lambda scope: [User.id == scope.user_id],
}
"""Tables whose rows have owners, and the condition that leaves one owner's. What is neither here nor in
`PUBLIC` only superusers may see."""


def database_tables(*, scope: Scope | None = None) -> dict[str, Any]:
    """Return the tables that a scope may see, by name, aliases included.

    Parameters
    ----------
    scope
        Whose rows; None names every table.

    Returns
    -------
    dict
        Name to mapped class.
    """
    load_mappings()
    mapped: dict[str, Any] = {m.class_.__tablename__: m.class_ for m in Base.registry.mappers}
    if scope is not None and scope.user_id is not None:
        mapped = {n: c for n, c in mapped.items() if n in OWNED or n in PUBLIC}
    return mapped | {alias: mapped[name] for alias, name in ALIASES.items()}


def read_database_table(
    db_session: Session, name: str, scope: Scope, *, with_rows: bool = True
) -> pa.Table:
    """Return a table's rows that a scope may see; secrets such as password hashes have no column.

    Parameters
    ----------
    db_session
        Where to read.
    name
        One of `database_tables`.
    scope
        Whose rows.
    with_rows
        False gives the columns only.

    Returns
    -------
    pyarrow.Table
        Columns as the table has them.

    Raises
    ------
    NotAllowedError
        If only superusers may see the table.
    DatabaseNotReadyError
        If the database lacks it.
    """
    mapped = database_tables()[name]
    table = mapped.__table__
    conditions: list[Any] = []
    if scope.user_id is not None and table.name not in PUBLIC:
        if table.name not in OWNED:
            raise NotAllowedError(
                f"the rows of {table.name} are nobody's; only superusers may see them, all at once."
            )
        conditions = OWNED[table.name](scope)
    columns = {c.name: c for c in table.columns if not isinstance(c.type, SecretText)}
    statement = select(table.columns[0]).select_from(table).where(*conditions)
    return read_table(db_session, columns, statement if with_rows else statement.limit(0))
