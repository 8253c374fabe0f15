"""Reports are found again by their file's hash; the rows that they rest on are kept once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("reports") as batch:
        batch.add_column(sa.Column("file_hash", sa.String(64)))
    op.create_index("ix_reports_file_hash", "reports", ["file_hash"])
    op.create_index("ix_reports_account_id", "reports", ["account_id"])
    op.create_table(
        "report_rows",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("rows_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_report_rows"),
    )


def downgrade() -> None:
    op.drop_table("report_rows")
    op.drop_index("ix_reports_account_id", "reports")
    op.drop_index("ix_reports_file_hash", "reports")
    with op.batch_alter_table("reports") as batch:
        batch.drop_column("file_hash")


if __name__ == "__main__":
    from mismartera_analytics.models.migrate import run_script

    run_script(__file__)
