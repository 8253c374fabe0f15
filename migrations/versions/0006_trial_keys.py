"""Trials tried again are told from new ones: what was set, and a key of all that makes a trial."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("trials") as batch:
        batch.add_column(sa.Column("settings_json", sa.Text()))
        batch.add_column(sa.Column("trial_key", sa.String(64)))
    op.create_index("ix_trials_trial_key", "trials", ["trial_key"], unique=True)


def downgrade() -> None:
    op.drop_index("ix_trials_trial_key", "trials")
    with op.batch_alter_table("trials") as batch:
        batch.drop_column("trial_key")
        batch.drop_column("settings_json")


if __name__ == "__main__":
    from mismartera_analytics.models.migrate import run_script

    run_script(__file__)
