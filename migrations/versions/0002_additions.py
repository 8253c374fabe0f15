"""What the documented tables lack: nullable columns, and the tables around them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _added_columns() -> dict[str, list[sa.Column]]:
    return {
        "orders": [
            sa.Column("stop_price", sa.Float()),
            sa.Column("average_fill_price", sa.Float()),
            sa.Column("commission", sa.Float()),
            sa.Column("time_in_force", sa.String(10)),
        ],
        "account_info": [sa.Column("currency", sa.String(3))],
        "market_hours": [
            sa.Column("break_start", sa.Time()),
            sa.Column("break_end", sa.Time()),
            sa.Column("covers_from", sa.Date()),
            sa.Column("covers_to", sa.Date()),
            sa.Column("source", sa.String(100)),
        ],
        "trading_holidays": [
            sa.Column("late_open_time", sa.Time()),
            sa.Column("source", sa.String(100)),
        ],
    }


def upgrade() -> None:
    for table, columns in _added_columns().items():
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.add_column(column)
    _create_records()
    _create_rules()
    _create_runs()


def _create_records() -> None:
    op.create_table(
        "fills",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("filled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("quantity", sa.Float(), nullable=False),
        sa.Column("price", sa.Float(), nullable=False),
        sa.Column("commission", sa.Float()),
        sa.Column("broker_fill_id", sa.String(100)),
        sa.PrimaryKeyConstraint("id", name="pk_fills"),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name="fk_fills_order_id_orders", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("broker_fill_id", name="uq_fills_broker_fill_id"),
    )
    op.create_index("ix_fills_order_id", "fills", ["order_id"])
    op.create_index("ix_fills_filled_at", "fills", ["filled_at"])
    op.create_table(
        "cash_flows",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("flow_type", sa.String(20), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("amount", sa.Float(), nullable=False),
        sa.Column("currency", sa.String(3)),
        sa.Column("symbol", sa.String(10)),
        sa.Column("quantity", sa.Float()),
        sa.Column("acquired_on", sa.Date()),
        sa.Column("broker_flow_id", sa.String(100)),
        sa.Column("note", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_cash_flows"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account_info.id"], name="fk_cash_flows_account_id_account_info"
        ),
        sa.UniqueConstraint("broker_flow_id", name="uq_cash_flows_broker_flow_id"),
    )
    op.create_index("ix_cash_flows_account_id", "cash_flows", ["account_id"])
    op.create_index("ix_cash_flows_occurred_at", "cash_flows", ["occurred_at"])


def _create_rules() -> None:
    op.create_table(
        "market_hours_periods",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("exchange_group", sa.String(50), nullable=False),
        sa.Column("asset_class", sa.String(50), nullable=False),
        sa.Column("valid_from", sa.Date()),
        sa.Column("valid_to", sa.Date(), nullable=False),
        sa.Column("regular_open", sa.Time(), nullable=False),
        sa.Column("regular_close", sa.Time(), nullable=False),
        sa.Column("pre_market_open", sa.Time()),
        sa.Column("post_market_close", sa.Time()),
        sa.Column("break_start", sa.Time()),
        sa.Column("break_end", sa.Time()),
        sa.Column("trading_days", sa.String(50)),
        sa.Column("source", sa.String(100)),
        sa.PrimaryKeyConstraint("id", name="pk_market_hours_periods"),
        sa.UniqueConstraint(
            "exchange_group",
            "asset_class",
            "valid_to",
            name="uq_market_hours_periods_exchange_group_asset_class_valid_to",
        ),
    )
    op.create_table(
        "instruments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("symbol", sa.String(10), nullable=False),
        sa.Column("valid_from", sa.Date()),
        sa.Column("valid_to", sa.Date()),
        sa.Column("exchange_group", sa.String(50)),
        sa.Column("asset_class", sa.String(50)),
        sa.Column("currency", sa.String(3)),
        sa.Column("multiplier", sa.Float()),
        sa.PrimaryKeyConstraint("id", name="pk_instruments"),
        sa.UniqueConstraint("symbol", "valid_from", name="uq_instruments_symbol_valid_from"),
    )
    op.create_index("ix_instruments_symbol", "instruments", ["symbol"])
    op.create_table(
        "corporate_actions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("symbol", sa.String(10), nullable=False),
        sa.Column("action_type", sa.String(20), nullable=False),
        sa.Column("ex_date", sa.Date(), nullable=False),
        sa.Column("ratio", sa.Float()),
        sa.Column("amount", sa.Float()),
        sa.Column("currency", sa.String(3)),
        sa.Column("new_symbol", sa.String(10)),
        sa.Column("known_at", sa.DateTime(timezone=True)),
        sa.Column("source", sa.String(100)),
        sa.PrimaryKeyConstraint("id", name="pk_corporate_actions"),
        sa.UniqueConstraint(
            "symbol",
            "action_type",
            "ex_date",
            name="uq_corporate_actions_symbol_action_type_ex_date",
        ),
    )
    op.create_index("ix_corporate_actions_symbol", "corporate_actions", ["symbol"])
    op.create_index("ix_corporate_actions_ex_date", "corporate_actions", ["ex_date"])


def _create_runs() -> None:
    op.create_table(
        "backtest_runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("user_id", sa.Integer()),
        sa.Column("account_id", sa.Integer()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("config_json", sa.Text(), nullable=False),
        sa.Column("data_version_json", sa.Text()),
        sa.Column("code_version", sa.String(100)),
        sa.Column("seed", sa.Integer()),
        sa.Column("metrics_json", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_backtest_runs"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_backtest_runs_user_id_users"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account_info.id"], name="fk_backtest_runs_account_id_account_info"
        ),
    )
    op.create_index("ix_backtest_runs_account_id", "backtest_runs", ["account_id"])
    op.create_table(
        "trials",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("family", sa.String(200), nullable=False),
        sa.Column("run_id", sa.Integer()),
        sa.Column("user_id", sa.Integer()),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("parameters_json", sa.Text(), nullable=False),
        sa.Column("data_version_json", sa.Text()),
        sa.Column("code_hash", sa.String(64)),
        sa.Column("result_json", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_trials"),
        sa.ForeignKeyConstraint(
            ["run_id"], ["backtest_runs.id"], name="fk_trials_run_id_backtest_runs"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_trials_user_id_users"),
    )
    op.create_index("ix_trials_family", "trials", ["family"])
    op.create_table(
        "reports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Integer()),
        sa.Column("account_id", sa.Integer()),
        sa.Column("run_id", sa.Integer()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cites_json", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_reports"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_reports_user_id_users"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account_info.id"], name="fk_reports_account_id_account_info"
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["backtest_runs.id"], name="fk_reports_run_id_backtest_runs"
        ),
    )


def downgrade() -> None:
    for table in (
        "reports",
        "trials",
        "backtest_runs",
        "corporate_actions",
        "instruments",
        "market_hours_periods",
        "cash_flows",
        "fills",
    ):
        op.drop_table(table)
    for table, columns in _added_columns().items():
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.drop_column(column.name)


if __name__ == "__main__":
    from mismartera_analytics.models.migrate import run_script

    run_script(__file__)
