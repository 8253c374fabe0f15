"""The eight documented tables, with their constraints named.

The tables are frozen here as data, not as calls, because adopting a database that was made without
migrations compares it with them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import CreateIndex, CreateTable, DropTable

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

metadata = sa.MetaData()

sa.Table(
    "users",
    metadata,
    sa.Column("id", sa.Integer(), nullable=False),
    sa.Column("username", sa.String(100), nullable=False),
    sa.Column("email", sa.String(100), nullable=False),
    sa.Column("hashed_password", sa.String(255), nullable=False),
    sa.Column("is_active", sa.Boolean()),
    sa.Column("is_superuser", sa.Boolean()),
    sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now()),
    sa.PrimaryKeyConstraint("id", name="pk_users"),
    sa.Index("ix_users_username", "username", unique=True),
    sa.Index("ix_users_email", "email", unique=True),
)

sa.Table(
    "account_info",
    metadata,
    sa.Column("id", sa.Integer(), nullable=False),
    sa.Column("user_id", sa.Integer(), nullable=False),
    sa.Column("broker", sa.String(50), nullable=False),
    sa.Column("account_number", sa.String(100)),
    sa.Column("account_type", sa.String(50)),
    sa.Column("cash_balance", sa.Float()),
    sa.Column("buying_power", sa.Float()),
    sa.Column("total_value", sa.Float()),
    sa.Column("equity", sa.Float()),
    sa.Column("last_synced", sa.DateTime(timezone=True)),
    sa.PrimaryKeyConstraint("id", name="pk_account_info"),
    sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_account_info_user_id_users"),
)

sa.Table(
    "positions",
    metadata,
    sa.Column("id", sa.Integer(), nullable=False),
    sa.Column("user_id", sa.Integer()),
    sa.Column("account_id", sa.Integer()),
    sa.Column("symbol", sa.String(10), nullable=False),
    sa.Column("quantity", sa.Float(), nullable=False),
    sa.Column("average_price", sa.Float(), nullable=False),
    sa.Column("current_price", sa.Float()),
    sa.Column("market_value", sa.Float()),
    sa.Column("cost_basis", sa.Float()),
    sa.Column("unrealized_pnl", sa.Float()),
    sa.Column("day_change", sa.Float()),
    sa.Column("last_updated", sa.DateTime(timezone=True)),
    sa.PrimaryKeyConstraint("id", name="pk_positions"),
    sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_positions_user_id_users"),
    sa.ForeignKeyConstraint(
        ["account_id"], ["account_info.id"], name="fk_positions_account_id_account_info"
    ),
    sa.Index("ix_positions_symbol", "symbol"),
)

sa.Table(
    "orders",
    metadata,
    sa.Column("id", sa.Integer(), nullable=False),
    sa.Column("user_id", sa.Integer()),
    sa.Column("account_id", sa.Integer()),
    sa.Column("broker_order_id", sa.String(100)),
    sa.Column("symbol", sa.String(10), nullable=False),
    sa.Column("order_type", sa.String(20)),
    sa.Column("side", sa.String(10)),
    sa.Column("quantity", sa.Float(), nullable=False),
    sa.Column("filled_quantity", sa.Float()),
    sa.Column("price", sa.Float()),
    sa.Column("status", sa.String(20)),
    sa.Column("placed_at", sa.DateTime(timezone=True)),
    sa.Column("filled_at", sa.DateTime(timezone=True)),
    sa.PrimaryKeyConstraint("id", name="pk_orders"),
    sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_orders_user_id_users"),
    sa.ForeignKeyConstraint(
        ["account_id"], ["account_info.id"], name="fk_orders_account_id_account_info"
    ),
    sa.Index("ix_orders_broker_order_id", "broker_order_id", unique=True),
    sa.Index("ix_orders_symbol", "symbol"),
)

sa.Table(
    "market_hours",
    metadata,
    sa.Column("id", sa.Integer(), nullable=False),
    sa.Column("exchange_group", sa.String(50), nullable=False),
    sa.Column("asset_class", sa.String(50), nullable=False),
    sa.Column("exchanges", sa.String(200)),
    sa.Column("timezone", sa.String(100), nullable=False),
    sa.Column("regular_open", sa.Time(), nullable=False),
    sa.Column("regular_close", sa.Time(), nullable=False),
    sa.Column("pre_market_open", sa.Time()),
    sa.Column("post_market_close", sa.Time()),
    sa.Column("trading_days", sa.String(50)),
    sa.Column("is_active", sa.Boolean()),
    sa.PrimaryKeyConstraint("id", name="pk_market_hours"),
    sa.UniqueConstraint(
        "exchange_group", "asset_class", name="uq_market_hours_exchange_group_asset_class"
    ),
)

sa.Table(
    "trading_holidays",
    metadata,
    sa.Column("id", sa.Integer(), nullable=False),
    sa.Column("exchange", sa.String(50), nullable=False),
    sa.Column("date", sa.Date(), nullable=False),
    sa.Column("holiday_name", sa.String(100)),
    sa.Column("is_closed", sa.Boolean()),
    sa.Column("early_close_time", sa.Time()),
    sa.PrimaryKeyConstraint("id", name="pk_trading_holidays"),
    sa.UniqueConstraint("exchange", "date", name="uq_trading_holidays_exchange_date"),
    sa.Index("ix_trading_holidays_exchange", "exchange"),
    sa.Index("ix_trading_holidays_date", "date"),
)

sa.Table(
    "session_configs",
    metadata,
    sa.Column("id", sa.Integer(), nullable=False),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("config_json", sa.Text(), nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True)),
    sa.Column("updated_at", sa.DateTime(timezone=True)),
    sa.PrimaryKeyConstraint("id", name="pk_session_configs"),
    sa.UniqueConstraint("name", name="uq_session_configs_name"),
)

sa.Table(
    "market_data",
    metadata,
    sa.Column("id", sa.Integer(), nullable=False),
    sa.Column("symbol", sa.String(10)),
    sa.Column("timestamp", sa.DateTime(timezone=True)),
    sa.Column("interval", sa.String(10)),
    sa.Column("open", sa.Float(), nullable=False),
    sa.Column("high", sa.Float(), nullable=False),
    sa.Column("low", sa.Float(), nullable=False),
    sa.Column("close", sa.Float(), nullable=False),
    sa.Column("volume", sa.Integer()),
    sa.PrimaryKeyConstraint("id", name="pk_market_data"),
    sa.UniqueConstraint(
        "symbol", "timestamp", "interval", name="uq_market_data_symbol_timestamp_interval"
    ),
    sa.Index("ix_market_data_symbol", "symbol"),
    sa.Index("ix_market_data_timestamp", "timestamp"),
)


def upgrade() -> None:
    for table in metadata.sorted_tables:
        create(table)


def create(table: sa.Table) -> None:
    """Create one of the tables and its indexes."""
    op.execute(CreateTable(table))
    for index in sorted(table.indexes, key=lambda index: str(index.name)):
        op.execute(CreateIndex(index))


def downgrade() -> None:
    for table in reversed(metadata.sorted_tables):
        op.execute(DropTable(table))


if __name__ == "__main__":
    from mismartera_analytics.models.migrate import run_script

    run_script(__file__)
