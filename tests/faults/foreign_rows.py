"""Statements that an analyst's role sends to see or change rows of others, and what they would show.

`ATTEMPTS` must bring back nothing that stands in others' rows, in results, notices and errors alike,
and change none of those. `PROBES` ask a yes-or-no question twice, once about a row that is there and
once about one that is not: both answers must be the same. `TOLD` are the probes that PostgreSQL cannot
but answer; each tells only that somebody uses a name that was guessed whole.
"""

# ruff: noqa: E501 - statements of SQL

from __future__ import annotations

import re

__all__ = ["ATTEMPTS", "COLUMNS", "FOREIGN", "MARKS", "OWNED", "PROBES", "TOLD"]

MARKS = re.compile(
    r"BOBS|\bbob\b|bob@|bob-\d|BOB-77|777\.25|7772\.5|NOONES|root@|hush|alpaca|\$2[aby]\$|NOBODYS REPORT"
)
"""What stands in rows of others, or of nobody, and in none of ada's."""

FOREIGN = {
    "account_info": "user_id <> {me}",
    "backtest_runs": "account_id IS DISTINCT FROM {mine}",
    "cash_flows": "account_id <> {mine}",
    "fills": "order_id NOT IN (SELECT id FROM orders WHERE account_id = {mine})",
    "orders": "account_id IS DISTINCT FROM {mine}",
    "positions": "account_id IS DISTINCT FROM {mine}",
    "report_rows": "true",
    "reports": "account_id IS DISTINCT FROM {mine}",
    "session_configs": "true",
    "trials": "user_id IS DISTINCT FROM {me}",
    "users": "id <> {me}",
    "market_hours": "true",
    "pg_policy": "true",
}
"""Which rows are not ada's: none of them may change."""

OWNED = ("account_info", "backtest_runs", "cash_flows", "fills", "orders", "positions", "reports",
         "report_rows", "session_configs", "trials")  # fmt: skip
COLUMNS = "id, username, email, is_active, is_superuser, created_at, database_role"
RAISE = """CREATE FUNCTION pg_temp.shout(v anyelement) RETURNS boolean LANGUAGE plpgsql COST 0.0000001
AS $$ BEGIN RAISE NOTICE 'saw %', v; RETURN true; END $$"""
DEFINER = """CREATE FUNCTION ada.all_of(t text) RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER
AS $$ BEGIN RETURN QUERY EXECUTE 'SELECT x::text FROM ' || t || ' x'; END $$"""

ATTEMPTS: list[str | list[str]] = [
    # what is there, in every form of reading it
    *(f"TABLE {table}" for table in OWNED),
    f"SELECT {COLUMNS} FROM users",
    "TABLE users",
    "SELECT hashed_password FROM users",
    "SELECT u FROM users u",
    "SELECT to_jsonb(u), row_to_json(u), u::text FROM users u",
    "SELECT count(*) FROM users WHERE hashed_password LIKE '$2b$%'",
    "SELECT username FROM users ORDER BY hashed_password",
    "UPDATE users SET hashed_password = 'x' RETURNING hashed_password",
    "UPDATE users SET hashed_password = NULL",
    "UPDATE users SET hashed_password = hashed_password || 'x'",
    "SELECT * FROM orders WHERE true OR user_id <> 1",
    "SELECT * FROM ONLY orders UNION ALL SELECT * FROM public.orders",
    "SELECT o.*, f.*, u.email FROM orders o FULL JOIN fills f ON true LEFT JOIN users u ON true",
    "SELECT p.*, u.email FROM positions p JOIN users u ON u.id = p.user_id, account_info a",
    "SELECT (SELECT string_agg(symbol, ',') FROM positions), (SELECT max(amount) FROM cash_flows)",
    "WITH RECURSIVE r AS (SELECT 1 AS n, symbol FROM orders UNION SELECT n + 1, o.symbol FROM r, orders "
    "o WHERE n < 3) SELECT * FROM r",
    "SELECT * FROM orders TABLESAMPLE SYSTEM (100)",
    "SELECT * FROM cash_flows CROSS JOIN LATERAL (SELECT * FROM fills) f",
    "SELECT symbol, sum(quantity), count(*) OVER () FROM orders GROUP BY ROLLUP (symbol)",
    "SELECT ctid, xmin, tableoid, symbol FROM orders WHERE ctid >= '(0,0)'",
    "SELECT query_to_xml('SELECT * FROM orders', true, false, '')",
    "SELECT table_to_xml('cash_flows', true, false, '')",
    "SELECT schema_to_xml('public', true, false, '')",
    "SELECT database_to_xml(true, false, '')",
    # copying, files and programs
    "COPY orders TO STDOUT",
    "COPY (SELECT * FROM cash_flows) TO STDOUT",
    "COPY users TO STDOUT",
    "COPY orders TO PROGRAM 'cat'",
    "COPY orders TO '/tmp/orders.csv'",
    ["CREATE TEMP TABLE taken (line text)", "COPY taken FROM PROGRAM 'ls /'", "TABLE taken"],
    ["CREATE TEMP TABLE taken (line text)", "COPY taken FROM '/etc/passwd'", "TABLE taken"],
    "SELECT pg_read_file('postgresql.conf'), pg_ls_dir('base')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_get(oid) FROM pg_largeobject_metadata",
    "SELECT pg_read_binary_file(pg_relation_filepath('orders'))",
    # views, functions, rules and triggers of one's own
    ["CREATE VIEW ada.v AS SELECT * FROM public.orders", "TABLE ada.v"],
    ["CREATE VIEW ada.v WITH (security_barrier = false, security_invoker = false) AS "
     "SELECT * FROM public.cash_flows", "TABLE ada.v", "DELETE FROM ada.v"],
    ["CREATE MATERIALIZED VIEW ada.m AS SELECT * FROM public.positions", "TABLE ada.m"],
    ["CREATE TEMP VIEW v AS SELECT * FROM fills", "TABLE v"],
    ["CREATE TABLE ada.t AS SELECT * FROM public.orders", "TABLE ada.t"],
    [RAISE, "SELECT pg_temp.shout(symbol) FROM orders", "SELECT * FROM orders o WHERE pg_temp.shout(o)"],
    [RAISE, "SELECT 1 FROM orders o WHERE pg_temp.shout(o) AND o.id > 0"],
    [RAISE, "SELECT 1 FROM account_info a JOIN cash_flows c ON pg_temp.shout(c.amount)"],
    [RAISE, "SELECT 1 FROM users u WHERE pg_temp.shout(u.email)"],
    [RAISE, "CREATE TEMP VIEW v AS SELECT * FROM orders WHERE pg_temp.shout(symbol)", "TABLE v"],
    [DEFINER, *(f"SELECT ada.all_of('public.{table}')" for table in OWNED)],
    ["CREATE FUNCTION pg_temp.f() RETURNS SETOF orders LANGUAGE sql AS 'SELECT * FROM orders'",
     "SELECT * FROM pg_temp.f()"],
    "DO $$ DECLARE o record; BEGIN FOR o IN SELECT * FROM orders LOOP RAISE NOTICE '%', o; END LOOP; END $$",
    "DO $$ BEGIN SET LOCAL ROLE <owner>; RAISE NOTICE '%', (SELECT string_agg(symbol, ',') FROM orders); "
    "END $$",
    "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE FUNCTION ada.f() RETURNS int LANGUAGE plpython3u AS 'return 1'",
    "CREATE FUNCTION ada.f(cstring) RETURNS int LANGUAGE c AS 'libc.so.6', 'system'",
    ["CREATE FUNCTION ada.spy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '%', NEW; "
     "RETURN NEW; END $$", "CREATE TRIGGER spy AFTER INSERT ON public.orders EXECUTE FUNCTION ada.spy()"],
    "CREATE RULE spy AS ON INSERT TO orders DO ALSO NOTIFY spied",
    "CREATE EVENT TRIGGER spy ON ddl_command_start EXECUTE FUNCTION pg_temp.spy()",
    # other names for the same, before the right ones
    ["CREATE TEMP TABLE users (id int, is_active bool, is_superuser bool, database_role text)",
     "INSERT INTO pg_temp.users VALUES (<me>, true, true, '<role>'), (<bob>, true, true, '<role>')",
     "SET search_path = pg_temp, public", "SELECT mismartera_is_superuser(current_user)",
     "SELECT * FROM public.orders"],
    ["CREATE FUNCTION ada.pg_has_role(name, name, text) RETURNS bool LANGUAGE sql AS 'SELECT true'",
     "SET search_path = ada, pg_catalog, public", "SELECT mismartera_user('<bobs_role>')",
     "SELECT * FROM public.orders"],
    ["CREATE FUNCTION ada.yes(text, text) RETURNS bool LANGUAGE sql AS 'SELECT true'",
     "CREATE OPERATOR ada.= (LEFTARG = text, RIGHTARG = text, FUNCTION = ada.yes)",
     "SET search_path = ada, pg_catalog, public", "SELECT * FROM orders"],
    ["CREATE FUNCTION ada.mismartera_user(name) RETURNS int LANGUAGE sql AS 'SELECT <bob>'",
     "SET search_path = ada, public", "SELECT * FROM orders"],
    "CREATE OR REPLACE FUNCTION public.mismartera_user(role name) RETURNS int LANGUAGE sql AS 'SELECT <bob>'",
    "SELECT mismartera_user('<bobs_role>'), mismartera_user('<owner>')",
    "SELECT mismartera_cites('<bobs_role>', 'orders'), mismartera_cites(current_user, '')",
    # other roles
    "SET ROLE <owner>", "SET ROLE <bobs_role>", "SET SESSION AUTHORIZATION <bobs_role>",
    ["SET session_authorization = '<owner>'", "TABLE orders"],
    ["SET ROLE NONE", "TABLE orders"], ["RESET SESSION AUTHORIZATION", "TABLE orders"],
    ["SET row_security = off", "TABLE orders"], ["SET row_security = off", "TABLE users"],
    ["SET session_replication_role = replica", "TABLE orders"],
    "GRANT <bobs_role> TO <role>", "GRANT <owner> TO <role>", "GRANT pg_read_all_data TO <role>",
    "GRANT SELECT ON orders TO <bobs_role>", "ALTER ROLE <role> BYPASSRLS", "ALTER ROLE <role> SUPERUSER",
    "CREATE ROLE mine LOGIN", "REASSIGN OWNED BY <bobs_role> TO <role>",
    # rights and definitions
    "ALTER TABLE orders DISABLE ROW LEVEL SECURITY", "ALTER TABLE orders OWNER TO <role>",
    "CREATE POLICY mine ON orders USING (true)", "ALTER POLICY own_rows ON orders USING (true)",
    "DROP POLICY own_rows ON orders", "DROP TABLE fills", "TRUNCATE orders CASCADE", "TRUNCATE fills",
    "ALTER TABLE orders ADD COLUMN mine text", "CREATE INDEX mine ON orders ((1 / (quantity - 2)))",
    "CREATE TABLE public.mine (id int)", "CREATE TABLE ada.part (LIKE public.orders) INHERITS (public.orders)",
    "ALTER TABLE orders INHERIT ada.part", "COMMENT ON TABLE orders IS 'mine'", "CLUSTER orders",
    "CREATE STATISTICS ada.s ON symbol, price FROM public.orders", "VACUUM (VERBOSE) orders",
    "SECURITY LABEL ON TABLE orders IS 'x'", "LOCK TABLE users IN ACCESS EXCLUSIVE MODE",
    # what the server keeps about rows
    "SELECT * FROM pg_stats WHERE schemaname = 'public'", "SELECT * FROM pg_statistic",
    "SELECT * FROM pg_statistic_ext_data", "SELECT * FROM pg_stats_ext",
    "SELECT relname, reltuples, relpages FROM pg_class WHERE relname IN ('orders', 'users')",
    "SELECT * FROM pg_stat_activity", "SELECT * FROM pg_stat_user_tables", "SELECT * FROM pg_locks",
    "SELECT * FROM pg_stat_statements", "SELECT * FROM pg_cursors", "SELECT * FROM pg_prepared_statements",
    "SELECT * FROM information_schema.columns", "SELECT * FROM information_schema.table_privileges",
    "SELECT * FROM information_schema.views", "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname "
    "LIKE 'mismartera%'", "SELECT * FROM pg_policies", "SELECT * FROM pg_authid", "SELECT * FROM pg_shadow",
    "SELECT * FROM pg_user_mapping", "SELECT * FROM pg_hba_file_rules", "SELECT * FROM pg_file_settings",
    "SELECT * FROM pg_attribute JOIN pg_class ON attrelid = pg_class.oid WHERE relname = 'users'",
    "EXPLAIN (ANALYZE, VERBOSE, BUFFERS) SELECT * FROM orders JOIN fills ON order_id = orders.id",
    "EXPLAIN (VERBOSE, SETTINGS) SELECT * FROM cash_flows WHERE amount > 1",
    # writing
    "UPDATE orders SET quantity = 1", "UPDATE orders SET quantity = 1 RETURNING *",
    "UPDATE orders SET account_id = <bobs>", "UPDATE orders SET account_id = NULL, user_id = NULL",
    "UPDATE orders SET user_id = <bob>", "UPDATE orders SET account_id = <mine> WHERE account_id = <bobs>",
    "UPDATE account_info SET user_id = <bob>", "UPDATE account_info SET cash_balance = 0 WHERE id = <bobs>",
    "UPDATE positions SET quantity = p.quantity FROM positions p RETURNING positions.*, p.*",
    "UPDATE orders SET symbol = u.email FROM users u RETURNING orders.symbol",
    "DELETE FROM fills USING orders RETURNING *", "DELETE FROM positions RETURNING *",
    "DELETE FROM orders WHERE account_id = <bobs>", "DELETE FROM cash_flows WHERE true",
    "DELETE FROM trials", "DELETE FROM users", "DELETE FROM account_info", "DELETE FROM reports",
    "DELETE FROM report_rows", "UPDATE report_rows SET rows_json = ''", "DELETE FROM market_hours",
    "UPDATE market_hours SET timezone = 'UTC'",
    "INSERT INTO report_rows VALUES (repeat('1', 64), 'poison')",
    "INSERT INTO report_rows VALUES (repeat('0', 64), 'poison') ON CONFLICT (digest) DO UPDATE SET "
    "rows_json = 'poison' RETURNING *",
    "INSERT INTO orders (account_id, symbol, quantity) VALUES (<bobs>, 'X', 1)",
    "INSERT INTO orders (user_id, symbol, quantity) VALUES (<bob>, 'X', 1)",
    "INSERT INTO orders (symbol, quantity) VALUES ('X', 1)",
    "INSERT INTO fills (order_id, filled_at, quantity, price) SELECT id, now(), 1, 1 FROM "
    "generate_series(1, 50) id",
    "INSERT INTO fills (order_id, filled_at, quantity, price) VALUES (<bobs_order>, now(), 1, 1)",
    "UPDATE fills SET order_id = <bobs_order>",
    "INSERT INTO cash_flows (account_id, flow_type, occurred_at, amount) VALUES (<bobs>, 'FEE', now(), 1)",
    "INSERT INTO positions (account_id, symbol, quantity, average_price) VALUES (<bobs>, 'X', 1, 1)",
    "INSERT INTO account_info (user_id, broker) VALUES (<bob>, 'x')",
    "INSERT INTO trials (family, user_id, recorded_at, parameters_json) VALUES ('x', <bob>, now(), '{}')",
    "INSERT INTO reports (title, path, user_id, created_at) VALUES ('x', 'x', <bob>, now())",
    "INSERT INTO reports (title, path, user_id, run_id, created_at) VALUES ('x', 'x', <me>, 2, now())",
    "INSERT INTO backtest_runs (name, user_id, created_at, config_json) VALUES ('x', <bob>, now(), '{}')",
    "INSERT INTO users (username, email, hashed_password, is_superuser) VALUES ('eve', 'e@e', 'x', true)",
    "UPDATE users SET is_superuser = true", "UPDATE users SET database_role = '<role>' WHERE id = <root>",
    "UPDATE users SET username = 'x'", "UPDATE users SET hashed_password = 'x' WHERE id = <bob>",
    "INSERT INTO orders (id, account_id, symbol, quantity) VALUES (1, <mine>, 'X', 1)",
    "INSERT INTO orders (account_id, symbol, quantity, broker_order_id) VALUES (<mine>, 'X', 1, 'bob-1') "
    "ON CONFLICT (broker_order_id) DO UPDATE SET account_id = <mine> RETURNING *",
    "INSERT INTO orders (account_id, symbol, quantity, broker_order_id) VALUES (<mine>, 'X', 1, 'bob-1') "
    "ON CONFLICT DO NOTHING RETURNING *",
    "MERGE INTO orders o USING (SELECT 'bob-1' AS b) s ON o.broker_order_id = s.b WHEN MATCHED THEN "
    "UPDATE SET quantity = 0 RETURNING o.*",
    "MERGE INTO positions p USING users u ON true WHEN MATCHED THEN DELETE RETURNING p.*, u.email",
    "SELECT * FROM orders FOR UPDATE", "SELECT * FROM users FOR SHARE",
    # the rest of a server
    ["BEGIN", "DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT * FROM orders", "FETCH ALL c", "COMMIT",
     "FETCH FIRST c"],
    ["PREPARE p (int) AS SELECT * FROM orders WHERE account_id = $1", "EXECUTE p (<bobs>)"],
    ["LISTEN spied", "NOTIFY spied, 'x'", "SELECT pg_notify('spied', string_agg(symbol, ',')) FROM orders"],
    "SELECT * FROM orders_id_seq", "SELECT setval('orders_id_seq', 1)", "ALTER SEQUENCE orders_id_seq RESTART",
    "CREATE EXTENSION dblink", "CREATE EXTENSION postgres_fdw", "CREATE EXTENSION file_fdw",
    "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw", "CREATE EXTENSION pageinspect",
    "SELECT * FROM dblink('dbname=postgres', 'SELECT 1') AS t(i int)",
    "CREATE PUBLICATION p FOR TABLE orders", "SELECT pg_create_logical_replication_slot('s', 'pgoutput')",
    "CREATE SUBSCRIPTION s CONNECTION 'dbname=x' PUBLICATION p",
    "ALTER SYSTEM SET log_statement = 'all'", "SET log_min_messages = debug5",
    ["SET debug_print_plan = on", "SET client_min_messages = debug5", "SELECT * FROM orders"],
    "SET session_preload_libraries = 'x'", "LOAD 'auto_explain'", "SELECT pg_reload_conf()",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '<owner>'",
    "SELECT pg_export_snapshot()", "SELECT pg_get_expr(polqual, polrelid) FROM pg_policy",
    "SELECT txid_current(), pg_snapshot_xmin(pg_current_snapshot())",
]  # fmt: skip

PROBES: list[tuple[str | list[str], str, str]] = [
    ("SELECT count(1 / (amount - {})) FROM cash_flows", "7772.5", "7772.75"),
    ("SELECT 1 FROM cash_flows WHERE 1 / (amount - {}) > -9", "7772.5", "7772.75"),
    ("SELECT 1 FROM orders WHERE (symbol || '{}')::int > 0 AND symbol = '{}'", "BOBS", "NONE"),
    ("SELECT 1 FROM users WHERE username = '{}' AND 1 / (id - id) = 1", "bob", "rob"),
    ("SELECT CAST(email AS int) FROM users WHERE username = '{}'", "bob", "rob"),
    ("SELECT 1 FROM account_info WHERE CASE WHEN account_number = '{}' THEN 1 / 0 END = 1", "BOB-77",
     "BOB-78"),
    ("SELECT 1 / (count(*) - {}) FROM orders", "7", "8"),
    ("INSERT INTO orders (account_id, symbol, quantity) VALUES ({}, 'X', 1)", "<bobs>", "987654"),
    ("INSERT INTO orders (account_id, user_id, symbol, quantity) VALUES (<mine>, {}, 'X', 1)", "<bob>",
     "987654"),
    ("INSERT INTO fills (order_id, filled_at, quantity, price) VALUES ({}, now(), 1, 1)", "<bobs_order>", "987654"),
    ("INSERT INTO reports (title, path, user_id, run_id, created_at) VALUES ('x', 'x', <me>, {}, now())",
     "2", "987654"),
    ("INSERT INTO trials (family, user_id, run_id, recorded_at, parameters_json) VALUES ('x', <me>, {}, "
     "now(), '{{}}')", "2", "987654"),
    ("UPDATE orders SET account_id = {}", "<bobs>", "987654"),
    ("UPDATE trials SET run_id = {}", "2", "987654"),
    ("UPDATE account_info SET user_id = {}", "<bob>", "987654"),
    ("DELETE FROM orders WHERE id = {}", "<bobs_order>", "987654"),
    ("DELETE FROM orders WHERE broker_order_id = '{}'", "bob-1", "rob-1"),
    ("INSERT INTO orders (id, account_id, symbol, quantity) VALUES ({}, <mine>, 'X', 1)", "<bobs_order>", "987654"),
    ("INSERT INTO account_info (id, user_id, broker) VALUES ({}, <me>, 'x')", "<bobs>", "987654"),
    ("UPDATE users SET email = '{}'", "bob@example.com", "rob@example.com"),
    ("UPDATE users SET database_role = '{}'", "<bobs_role>", "nobodys"),
    ("SELECT mismartera_user('{}')", "<bobs_role>", "pg_checkpoint"),
    ("SELECT mismartera_is_superuser('{}')", "<owner>", "pg_checkpoint"),
    ("SELECT mismartera_cites(current_user, '{}')", "0" * 64, "1" * 64),
    ("SELECT count(*) FROM report_rows WHERE digest = '{}'", "0" * 64, "1" * 64),
    ("INSERT INTO session_configs (name, config_json) VALUES ('{}', '{{}}')", "hush", "loud"),
    ("SELECT EXISTS (SELECT FROM positions WHERE quantity = {})", "777.25", "778.25"),
    ("SELECT currtid2('orders', '{}')", "(0,4)", "(0,44)"),
]  # fmt: skip
"""A question, and what to put into it: what is there, and what is not."""

TOLD: dict[str, tuple[str, str, str]] = {
    "orders.broker_order_id": (
        "INSERT INTO orders (account_id, symbol, quantity, broker_order_id) VALUES (<mine>, 'X', 1, '{}')",
        "bob-1", "rob-1"),
    "a part of a report": (
        "INSERT INTO report_rows (digest, rows_json) SELECT encode(sha256(t::bytea), 'hex'), t "
        "FROM (VALUES ('{}')) v(t)", "kept for others", "kept for nobody"),
}  # fmt: skip
"""Uniqueness is the documented tables' own; both need the whole text, guessed."""
