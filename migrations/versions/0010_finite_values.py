"""PostgreSQL refuses numbers and times that nothing reads, in the tables that analysts' roles write.

Whoever may insert could otherwise end what everybody asks, with one infinite time. SQLite holds no
types; there nothing is changed.
"""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

NUMBERS = {
    "account_info": ("cash_balance", "buying_power", "total_value", "equity"),
    "cash_flows": ("amount", "quantity"),
    "fills": ("quantity", "price", "commission"),
    "orders": (
        "quantity", "filled_quantity", "price", "stop_price", "average_fill_price", "commission",
    ),
    "positions": (
        "quantity", "average_price", "current_price", "market_value", "cost_basis",
        "unrealized_pnl", "day_change",
    ),
}  # fmt: skip
TIMES = {
    "account_info": ("last_synced",),
    "backtest_runs": ("created_at",),
    "cash_flows": ("occurred_at",),
    "fills": ("filled_at",),
    "orders": ("placed_at", "filled_at"),
    "positions": ("last_updated",),
    "reports": ("created_at",),
    "trials": ("recorded_at",),
}
DATES = {"cash_flows": ("acquired_on",)}

# NaN is greater than every number to PostgreSQL, and a missing value passes every check.
NUMBER = "{0} > '-Infinity' AND {0} < 'Infinity'"
TIME = "{0} >= '0001-01-01 00:00+00' AND {0} < '10000-01-01 00:00+00'"
DATE = "{0} >= '0001-01-01' AND {0} <= '9999-12-31'"

# A row that is there already stops no upgrade: whoever reads it is told of it.
VALIDATE = """DO $$ BEGIN
  ALTER TABLE {table} VALIDATE CONSTRAINT {name};
EXCEPTION WHEN check_violation THEN NULL;
END $$"""


def _checks() -> list[tuple[str, str, str]]:
    """Return table, name and condition of each."""
    return [
        (table, f"ck_{table}_{column}_finite", rule.format(column))
        for rule, columns in ((NUMBER, NUMBERS), (TIME, TIMES), (DATE, DATES))
        for table, names in columns.items()
        for column in names
    ]


def upgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    for table, name, rule in _checks():
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({rule}) NOT VALID")
        op.execute(VALIDATE.format(table=table, name=name))


def downgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    for table, name, _ in _checks():
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")


if __name__ == "__main__":
    from mismartera_analytics.models.migrate import run_script

    run_script(__file__)
