"""The orders of one account are found without reading those of all others."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_orders_account_id", "orders", ["account_id"])


def downgrade() -> None:
    op.drop_index("ix_orders_account_id", "orders")


if __name__ == "__main__":
    from mismartera_analytics.models.migrate import run_script

    run_script(__file__)
