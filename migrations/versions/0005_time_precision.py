"""How exactly the time of an order or a cash flow is known: a broker's file may tell the day only."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = ("orders", "cash_flows")


def upgrade() -> None:
    for table in TABLES:
        with op.batch_alter_table(table) as batch:
            batch.add_column(sa.Column("time_precision", sa.String(10)))


def downgrade() -> None:
    for table in TABLES:
        with op.batch_alter_table(table) as batch:
            batch.drop_column("time_precision")


if __name__ == "__main__":
    from mismartera_analytics.models.migrate import run_script

    run_script(__file__)
