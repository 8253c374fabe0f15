"""The facade on an analyst's own database role: all of it works, on their rows alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import mismartera_analytics as ma
from mismartera_analytics import auth
from mismartera_analytics.cli.application import run
from mismartera_analytics.errors import MismarteraError, NotAllowedError, UnknownNameError
from mismartera_analytics.models.database import session_scope
from mismartera_analytics.queries.sql_tables import OWNED
from mismartera_analytics.recording.report_log import rows_of_report
from tests.integration.test_isolation import (
    KINDS,
    OF_ACCOUNTS,
    READS,
    SHOW,
    check_silent,
    check_untouched,
    rows_of,
    shown,
    world,
)
from tests.roles import as_role, make_role
from tests.world import Books, books, prices

__all__ = ["as_role", "books", "make_role", "prices", "world"]

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.parametrize("ready_database", ["postgres"], indirect=True),
]
Switch = Callable[[str | None], str]


def test_whoever_connects_is_signed_in(world: Books, as_role: Switch) -> None:
    as_role("ada")
    identity = auth.current_user()
    assert identity is not None
    assert (identity.username, identity.is_superuser) == ("ada", False)
    with ma.as_user("ada"):
        assert set(ma.accounts()["user"]) == {"ada"}
    for other in ("bob", "root", "nobody", 2):
        with (
            pytest.raises(NotAllowedError, match="'ada' may not act as another"),
            ma.as_user(other),
        ):
            pass
    with pytest.raises(NotAllowedError, match="may not create users"):
        ma.create_user("eve", "eve@example.com", "pw")
    as_role("root")
    assert set(ma.accounts()["user"]) == {"ada", "bob"}
    with ma.as_user("bob"):
        assert set(ma.accounts()["user"]) == {"bob"}
    as_role(None)
    assert auth.current_user() is None


def test_helpers_and_writers(world: Books, as_role: Switch, tmp_path: Path) -> None:
    before = rows_of("bob")
    as_role("ada")
    ma.init_db()
    for helper in READS.values():
        seen = helper()
        check_silent(shown(seen))
        assert set(seen["account_id"]) == {world.ada}
        for question in ({"user": "bob"}, {"account": world.bob}, {"account": "BOB-77"}):
            with pytest.raises((UnknownNameError, NotAllowedError)):
                helper(**question)
    for call in OF_ACCOUNTS.values():
        for account in (world.bob, "BOB-77"):
            with pytest.raises(KINDS) as refused:
                call(account, tmp_path)
            check_silent(str(refused.value).replace("BOB-77", ""))
        check_silent(shown(call(world.ada, tmp_path)))
    for table in OWNED:
        check_silent(ma.sql(f"from {table}").to_csv())
    with pytest.raises(NotAllowedError):
        ma.sql("from session_configs")
    as_role(None)
    check_untouched(before, "bob")


def weights() -> pd.DataFrame:
    index = pd.DatetimeIndex(["2025-07-01", "2025-07-02"])
    return pd.DataFrame({"ADAS": [1.0, 0.0]}, index=index)


def test_runs_searches_and_reports(world: Books, as_role: Switch, tmp_path: Path) -> None:
    before = rows_of("bob")
    as_role("ada")
    result = ma.backtest(weights=weights(), symbols=["ADAS"], start="2025-07-01", end="2025-07-08",
                         interval="1d", cash=1000.0)  # fmt: skip
    account = result.save("hers")
    assert result.save("hers", replace=True) == account
    assert set(ma.orders(account=account)["user"]) == {"ada"}
    again = ma.rerun("hers", weights=weights())
    pd.testing.assert_frame_equal(again.fills, result.fills)
    page = ma.tear_sheet(account, tmp_path / "hers.html")
    assert ma.verify_report(page).differences.empty
    assert ma.verify_report(ma.tear_sheet(world.ada, tmp_path / "a.html")).differences.empty
    ma.report(world.ada, tmp_path / "batch")
    assert set(ma.trials()["user"]) == {"ada"}
    check_silent(ma.trials().to_csv())
    as_role(None)
    theirs = ma.tear_sheet(world.bob, tmp_path / "bobs.html")
    after = rows_of("bob")
    cited = pd.Series(ma.sql("from reports", user="bob")["cites_json"]).str.extract(
        r'"rows": "(\w+)"'
    )[0]
    assert rows_of_report(cited[0])["order"]
    as_role("ada")
    with pytest.raises(UnknownNameError):
        ma.verify_report(theirs)
    with pytest.raises(MismarteraError):
        rows_of_report(cited[0])
    as_role("root")
    assert rows_of_report(cited[0])["order"]
    as_role(None)
    check_untouched(after, "bob")
    for name in ("orders", "fills", "positions"):
        pd.testing.assert_frame_equal(rows_of("bob")[name], before[name])


def test_a_row_of_nobody_or_of_another_is_refused_in_words(world: Books, as_role: Switch) -> None:
    from mismartera_analytics.models import Order

    as_role("ada")
    for owner in ({}, {"account_id": world.bob}):
        with (
            pytest.raises(NotAllowedError, match="rows of its own user only"),
            session_scope() as own,
        ):
            own.add(Order(symbol="X", quantity=1.0, **owner))
    assert "X" not in set(ma.orders()["symbol"])


def test_the_market_is_for_all_to_read_and_for_superusers_to_write(
    world: Books, as_role: Switch
) -> None:
    from mismartera_analytics.market_data.actions import record_actions

    split = pd.DataFrame(
        {"symbol": ["ADAS"], "action_type": ["SPLIT"], "ex_date": ["2025-07-08"], "ratio": [2.0]}
    )
    as_role("ada")
    assert len(ma.trading_sessions("2025-07-01", "2025-07-03")) == 3
    with pytest.raises(NotAllowedError, match="permission denied"):
        record_actions(split)
    with pytest.raises(NotAllowedError, match="versions others cite"):
        ma.BarStore().vacuum("1d", dry_run=True)
    as_role("root")
    record_actions(split)
    ma.BarStore().vacuum("1d", dry_run=True)


def test_passwords(world: Books, as_role: Switch) -> None:
    as_role("ada")
    auth.set_password("ada", "a new one")
    with pytest.raises(NotAllowedError):
        auth.set_password("bob", "taken over")
    with pytest.raises(NotAllowedError, match="permission denied"):
        ma.authenticate_user("ada", "a new one")
    as_role(None)
    assert ma.authenticate_user("ada", "a new one") is not None
    assert ma.authenticate_user("bob", "pw") is not None


def test_commands(world: Books, as_role: Switch, capfd: pytest.CaptureFixture[str]) -> None:
    as_role("ada")
    for name in sorted(SHOW):
        capfd.readouterr()
        assert run([*name.split(), "--csv"]) == 0
        out, err = capfd.readouterr()
        check_silent(out + err)
        assert "ADAS" in out or name in ("accounts", "pnl")
    assert run(["db", "status"]) == 0


def test_many_rows_come_through_the_driver(world: Books, as_role: Switch) -> None:
    """The binary copy of large tables connects anew: it must do so as the same role."""
    from sqlalchemy import text

    with session_scope() as db_session:
        for account, symbol in ((world.ada, "ADAS"), (world.bob, "BOBS")):
            db_session.execute(
                text(
                    "INSERT INTO orders (account_id, symbol, side, quantity, placed_at, status) SELECT "
                    ":account, :symbol, 'BUY', 1, timestamptz '2025-07-02 15:00Z', 'PENDING' FROM "
                    "generate_series(1, 60000)"
                ),
                {"account": account, "symbol": symbol},
            )
    as_role("ada")
    seen = ma.orders()
    assert len(seen) == 60_003
    assert set(seen["symbol"]) == {"ADAS"}
