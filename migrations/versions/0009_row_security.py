"""A role of the database stands for a user, and PostgreSQL shows it that user's rows alone.

On SQLite, which has no roles, only the column is added.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# Bodies are parsed when the functions are made, so that no search_path changes what they name. A role
# is looked up only for whoever may take it on: naming another's gives nothing.
FUNCTIONS = (
    """CREATE FUNCTION mismartera_user(role name) RETURNS integer
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT u.id FROM users u WHERE u.database_role = CAST(role AS text) AND u.is_active
    AND pg_has_role(session_user, role, 'MEMBER');
END""",
    """CREATE FUNCTION mismartera_is_superuser(role name) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT EXISTS (SELECT FROM users u WHERE u.id = mismartera_user(role) AND u.is_superuser);
END""",
    """CREATE FUNCTION mismartera_cites(role name, part text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT EXISTS (
    SELECT FROM reports r LEFT JOIN account_info a ON a.id = r.account_id
    CROSS JOIN LATERAL regexp_matches(r.cites_json, '"rows": "([0-9a-f]{64})"', 'g') AS m(found)
    JOIN report_rows l ON l.digest = m.found[1]
    WHERE CASE WHEN r.account_id IS NULL THEN r.user_id ELSE a.user_id END = mismartera_user(role)
      AND (l.digest = part OR strpos(l.rows_json, '"' || part || '"') > 0));
END""",
)
NAMES = (
    "mismartera_cites(name, text)",
    "mismartera_is_superuser(name)",
    "mismartera_user(name)",
)

# Sub-selects without a reference to the row are evaluated once a statement.
ME = "(SELECT mismartera_user(current_user))"
ALL = "(SELECT mismartera_is_superuser(current_user))"
OWN_ACCOUNT = f"account_id IN (SELECT a.id FROM account_info a WHERE a.user_id = {ME})"
OWN_ORDER = "EXISTS (SELECT FROM orders o WHERE o.id = order_id)"
BOOKED = f"{OWN_ACCOUNT} OR account_id IS NULL AND user_id = {ME}"
# Nobody else's id is written either: a foreign key would tell which ids there are.
BOOKED_ANEW = f"({BOOKED}) AND (user_id IS NULL OR user_id = {ME})"
RUN_ANEW = "(run_id IS NULL OR EXISTS (SELECT FROM backtest_runs b WHERE b.id = run_id))"

# A table's policy for all that is done to it: which rows are there, and which may be written.
OWNED = {
    "account_info": (f"user_id = {ME}", f"user_id = {ME}"),
    "backtest_runs": (BOOKED, BOOKED_ANEW),
    "cash_flows": (OWN_ACCOUNT, OWN_ACCOUNT),
    "fills": (OWN_ORDER, OWN_ORDER),
    "orders": (BOOKED, BOOKED_ANEW),
    "positions": (BOOKED, BOOKED_ANEW),
    "reports": (BOOKED, f"{BOOKED_ANEW} AND {RUN_ANEW}"),
    "session_configs": ("false", "false"),
    "trials": (
        f"user_id = {ME} OR user_id IS NULL AND run_id IN (SELECT b.id FROM backtest_runs b)",
        f"user_id = {ME} AND {RUN_ANEW} "
        "OR user_id IS NULL AND run_id IN (SELECT b.id FROM backtest_runs b)",
    ),
    "users": (f"id = {ME}", f"id = {ME}"),
}
PUBLIC = (
    "corporate_actions",
    "instruments",
    "market_data",
    "market_hours",
    "market_hours_periods",
    "trading_holidays",
)


def _policies() -> list[str]:
    made = [
        f"CREATE POLICY own_rows ON {table} USING ({ALL} OR {seen}) WITH CHECK ({ALL} OR {written})"
        for table, (seen, written) in OWNED.items()
    ]
    for table in PUBLIC:
        made += [
            f"CREATE POLICY everybody_reads ON {table} FOR SELECT USING (true)",
            f"CREATE POLICY superusers_write ON {table} USING ({ALL}) WITH CHECK ({ALL})",
        ]
    return [
        *made,
        f"CREATE POLICY cited_rows ON report_rows FOR SELECT "
        f"USING ({ALL} OR mismartera_cites(current_user, digest))",
        "CREATE POLICY true_digests ON report_rows FOR INSERT "
        "WITH CHECK (digest = encode(sha256(convert_to(rows_json, 'UTF8')), 'hex'))",
    ]


def upgrade() -> None:
    with op.batch_alter_table("users") as batch:
        batch.add_column(sa.Column("database_role", sa.String(63)))
    op.create_index("ix_users_database_role", "users", ["database_role"], unique=True)
    if op.get_context().dialect.name != "postgresql":
        return
    for function in FUNCTIONS:
        op.execute(function)
    for name in NAMES:
        op.execute(f"REVOKE ALL ON FUNCTION {name} FROM PUBLIC")
    for policy in _policies():
        op.execute(policy)
    for table in (*OWNED, *PUBLIC, "report_rows"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        _close()
    op.drop_index("ix_users_database_role", "users")
    with op.batch_alter_table("users") as batch:
        batch.drop_column("database_role")


# Without policies a role would see all rows of the tables that were granted to it. Whoever may execute
# the functions was granted the tables, and has them still where the user's column was emptied by hand.
REVOKE = """DO $$
DECLARE role text;
BEGIN
  FOR role IN
    SELECT r.rolname FROM pg_roles r WHERE r.rolname IN (SELECT u.database_role FROM users u)
    UNION SELECT g.rolname FROM pg_proc p CROSS JOIN LATERAL aclexplode(p.proacl) AS held
      JOIN pg_roles g ON g.oid = held.grantee
      WHERE p.oid = 'mismartera_user(name)'::regprocedure AND held.grantee <> p.proowner
  LOOP
    EXECUTE 'REVOKE ALL ON ALL TABLES IN SCHEMA ' || quote_ident(current_schema()) || ' FROM '
      || quote_ident(role);
    EXECUTE 'REVOKE ALL ON ALL SEQUENCES IN SCHEMA ' || quote_ident(current_schema()) || ' FROM '
      || quote_ident(role);
  END LOOP;
END $$"""


def _close() -> None:
    op.execute(REVOKE)
    for policy in _policies():
        name, table = policy.split()[2], policy.split()[4]
        op.execute(f"DROP POLICY {name} ON {table}")
    for table in (*OWNED, *PUBLIC, "report_rows"):
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    for name in NAMES:
        op.execute(f"DROP FUNCTION {name}")


if __name__ == "__main__":
    from mismartera_analytics.models.migrate import run_script

    run_script(__file__)
