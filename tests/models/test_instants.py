"""Instants survive both databases; naive datetimes are refused, whichever way they come."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import exc, func, insert, select, text, update
from sqlalchemy.orm import Session

import mismartera_analytics as ma
from mismartera_analytics.errors import InvalidInputError, MismarteraError, NaiveDatetimeError
from mismartera_analytics.models import MarketData, Order, User
from mismartera_analytics.models import database as db

NEW_YORK = ZoneInfo("America/New_York")
UTC = dt.UTC
DOUBLED = dt.datetime(2025, 11, 2, 1, 30, tzinfo=NEW_YORK)
FIRST = dt.datetime(2025, 11, 2, 5, 30, tzinfo=UTC)
SECOND = dt.datetime(2025, 11, 2, 6, 30, tzinfo=UTC)
NAIVE = dt.datetime(2025, 7, 2, 9, 30)


def order(**values: Any) -> Order:
    return Order(symbol="AAPL", quantity=1, **values)


def add(db_session: Session, moment: Any) -> None:
    db_session.add(order(placed_at=moment))
    db_session.flush()


def bulk(db_session: Session, moment: Any) -> None:
    db_session.bulk_save_objects([order(placed_at=moment)])


def core(db_session: Session, moment: Any) -> None:
    db_session.execute(insert(Order).values(symbol="AAPL", quantity=1, placed_at=moment))


def many(db_session: Session, moment: Any) -> None:
    rows = [{"symbol": "AAPL", "quantity": 1, "placed_at": moment}]
    db_session.execute(Order.__table__.insert(), rows)


def change(db_session: Session, moment: Any) -> None:
    db_session.add(order())
    db_session.flush()
    db_session.query(Order).update({"placed_at": moment})


def change_core(db_session: Session, moment: Any) -> None:
    db_session.add(order())
    db_session.flush()
    db_session.execute(update(Order).values(placed_at=moment))


WAYS = [add, bulk, core, many, change, change_core]
Way = Callable[[Session, Any], None]


@pytest.mark.usefixtures("ready_database")
class TestRoundTrip:
    @pytest.mark.parametrize("write", WAYS)
    @pytest.mark.parametrize(("fold", "expected"), [(0, FIRST), (1, SECOND)])
    def test_the_doubled_hour_comes_back(
        self, write: Way, fold: int, expected: dt.datetime
    ) -> None:
        with ma.session_scope() as db_session:
            write(db_session, DOUBLED.replace(fold=fold))
        with ma.SessionLocal() as db_session:
            found = db_session.scalars(select(Order.placed_at)).one()
        assert found == expected
        assert found is not None
        assert found.utcoffset() == dt.timedelta(0)

    def test_the_two_hours_are_sorted_and_told_apart(self) -> None:
        with ma.session_scope() as db_session:
            for fold in (1, 0):
                add(db_session, DOUBLED.replace(fold=fold))
        with ma.SessionLocal() as db_session:
            by_time = db_session.scalars(select(Order.placed_at).order_by(Order.placed_at))
            assert by_time.all() == [FIRST, SECOND]
            query = select(func.count()).select_from(Order)
            for fold in (0, 1):
                moment = DOUBLED.replace(fold=fold)
                assert db_session.scalar(query.where(Order.placed_at == moment)) == 1
            assert db_session.scalar(query.where(Order.placed_at > DOUBLED)) == 1
            assert db_session.scalar(query.where(Order.placed_at.in_([FIRST, SECOND]))) == 2
            assert db_session.scalar(query.where(Order.placed_at.between(FIRST, SECOND))) == 2
            assert db_session.scalar(select(func.max(Order.placed_at))) == SECOND

    @hypothesis_settings(
        max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(
        st.datetimes(
            min_value=dt.datetime(1900, 1, 1),
            max_value=dt.datetime(2200, 1, 1),
            timezones=st.sampled_from(
                [NEW_YORK, ZoneInfo("Asia/Kolkata"), UTC, dt.timezone(dt.timedelta(hours=-9))]
            ),
        )
    )
    def test_any_instant_comes_back_to_the_microsecond(self, moment: dt.datetime) -> None:
        with ma.SessionLocal() as db_session:
            add(db_session, moment)
            found = db_session.scalars(select(Order.placed_at)).one()
            db_session.rollback()
        assert found == moment.astimezone(UTC)

    def test_a_timestamp_of_pandas(self) -> None:
        moment = pd.Timestamp("2025-11-02 01:30:00.123456", tz="UTC").tz_convert("America/New_York")
        with ma.session_scope() as db_session:
            add(db_session, moment)
        with ma.SessionLocal() as db_session:
            found = db_session.scalars(select(Order.placed_at)).one()
        assert found == dt.datetime(2025, 11, 2, 1, 30, 0, 123456, tzinfo=UTC)

    def test_null_stays_null(self) -> None:
        with ma.session_scope() as db_session:
            add(db_session, None)
        with ma.SessionLocal() as db_session:
            assert db_session.scalars(select(Order.placed_at)).one() is None
            assert db_session.scalar(select(func.count()).where(Order.placed_at.is_(None))) == 1

    def test_what_now_writes_is_utc(self) -> None:
        before = dt.datetime.now(UTC).replace(microsecond=0)
        with db.engine.begin() as connection:
            connection.execute(
                text("INSERT INTO users (username, email, hashed_password) VALUES ('a', 'a', 'x')")
            )
        with ma.session_scope() as db_session:
            db_session.add(order(placed_at=func.now()))
            db_session.add(User(username="b", email="b", hashed_password="x"))
        after = dt.datetime.now(UTC)
        with ma.SessionLocal() as db_session:
            found = [
                *db_session.scalars(select(User.created_at)),
                *db_session.scalars(select(Order.placed_at)),
                db_session.scalar(select(func.now(type_=Order.placed_at.type))),
            ]
        assert len(found) == 4
        for moment in found:
            assert moment is not None
            assert before <= moment <= after + dt.timedelta(seconds=5)


@pytest.mark.usefixtures("ready_database")
class TestNaive:
    @pytest.mark.parametrize("write", WAYS)
    def test_it_cannot_be_written(self, write: Way) -> None:
        with (
            pytest.raises(NaiveDatetimeError, match=r"orders\.placed_at.*no time zone") as caught,
            ma.session_scope() as db_session,
        ):
            write(db_session, NAIVE)
        self.is_ours(caught.value)
        with ma.SessionLocal() as db_session:
            assert db_session.scalar(select(func.count()).select_from(Order)) == 0

    @pytest.mark.parametrize(
        "condition",
        [
            lambda: Order.placed_at >= NAIVE,
            lambda: Order.placed_at == NAIVE,
            lambda: Order.placed_at.in_([FIRST, NAIVE]),
            lambda: Order.placed_at.between(FIRST, NAIVE),
        ],
    )
    def test_it_cannot_be_compared(self, condition: Callable[[], Any]) -> None:
        with (
            pytest.raises(NaiveDatetimeError, match=r"orders\.placed_at") as caught,
            ma.SessionLocal() as db_session,
        ):
            db_session.query(Order).filter(condition()).all()
        self.is_ours(caught.value)

    @pytest.mark.parametrize("value", ["2025-07-02 09:30", 1751463000, dt.date(2025, 7, 2), pd.NaT])
    def test_what_is_no_instant_is_refused(self, value: Any) -> None:
        with (
            pytest.raises(InvalidInputError, match=r"orders\.placed_at"),
            ma.session_scope() as db_session,
        ):
            core(db_session, value)

    @staticmethod
    def is_ours(error: BaseException) -> None:
        assert isinstance(error, MismarteraError)
        assert isinstance(error, ValueError)
        assert isinstance(error, exc.DontWrapMixin)


def test_market_data_of_the_doubled_hour_are_two_bars(ready_database: str) -> None:
    with ma.session_scope() as db_session:
        for fold in (0, 1):
            bar = MarketData(symbol="A", interval="1m", open=1, high=1, low=1, close=1)
            bar.timestamp = DOUBLED.replace(fold=fold)
            db_session.add(bar)
    with ma.SessionLocal() as db_session:
        assert db_session.scalar(select(func.count()).select_from(MarketData)) == 2
