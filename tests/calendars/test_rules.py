"""Rules that users write: custom calendars, names, and rows that contradict each other."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session, make_transient

from mismartera_analytics.calendars.lookup import trading_calendar, trading_sessions
from mismartera_analytics.errors import CalendarRangeError, InvalidInputError, UnknownNameError
from mismartera_analytics.models.trading_calendar import (
    MarketHours,
    MarketHoursPeriod,
    TradingHoliday,
)

NINE, FIVE = dt.time(9), dt.time(17)


def hours(**changes: Any) -> MarketHours:
    row: dict[str, Any] = {
        "exchange_group": "OWN",
        "asset_class": "EQUITY",
        "exchanges": "FIRST,SECOND",
        "timezone": "America/New_York",
        "regular_open": NINE,
        "regular_close": FIVE,
        "covers_from": dt.date(2025, 1, 1),
        "covers_to": dt.date(2025, 12, 31),
    }
    return MarketHours(**(row | changes))


def period(**changes: Any) -> MarketHoursPeriod:
    row: dict[str, Any] = {
        "exchange_group": "OWN",
        "asset_class": "EQUITY",
        "valid_to": dt.date(2025, 6, 30),
        "regular_open": dt.time(10),
        "regular_close": FIVE,
    }
    return MarketHoursPeriod(**(row | changes))


def day(date: dt.date, **changes: Any) -> TradingHoliday:
    return TradingHoliday(**({"exchange": "OWN", "date": date} | changes))


def test_two_inserts_make_a_market_that_never_closes(own_db: Session) -> None:
    own_db.add(
        MarketHours(
            exchange_group="DESK",
            asset_class="CRYPTO",
            timezone="UTC",
            regular_open=dt.time(),
            regular_close=dt.time(),
            trading_days="0,1,2,3,4,5,6",
        )
    )
    own_db.add(day(dt.date(2025, 6, 1), exchange="DESK", holiday_name="Maintenance"))
    own_db.flush()
    desk = trading_calendar("desk", db_session=own_db)
    assert (desk.covers_from, desk.covers_to) == (dt.date(2025, 1, 1), dt.date(2025, 12, 31))
    assert desk.count("2025-05-31", "2025-06-02") == 2
    assert desk.is_open("2025-05-31T23:59:59.999999+00:00")
    assert not desk.is_open("2025-06-01T12:00:00+00:00")
    assert desk.version == "own"


def test_without_holidays_the_hours_hold_for_long(own_db: Session) -> None:
    own_db.add(hours(covers_from=None, covers_to=None))
    own_db.flush()
    own = trading_calendar("OWN", db_session=own_db)
    assert (own.covers_from, own.covers_to) == (dt.date(1970, 1, 1), dt.date(2099, 12, 31))
    with pytest.raises(CalendarRangeError):
        own.sessions("2100-01-01", "2100-01-02")


def test_a_saturday_market(own_db: Session) -> None:
    own_db.add(hours(trading_days="5", regular_close=dt.time()))
    own_db.add(day(dt.date(2025, 7, 5), early_close_time=dt.time(12), is_closed=False))
    own_db.flush()
    own = trading_calendar("OWN", db_session=own_db)
    assert own.labels("2025-06-30", "2025-07-13").day_name().tolist() == ["Saturday", "Saturday"]
    assert own.session("2025-07-12").regular_close.isoformat() == "2025-07-13T00:00:00-04:00"
    assert own.session("2025-07-05").is_early_close


def test_an_extra_session(own_db: Session) -> None:
    own_db.add(hours())
    own_db.add(day(dt.date(2025, 7, 5), is_closed=False, holiday_name="Working Saturday"))
    own_db.flush()
    own = trading_calendar("OWN", db_session=own_db)
    session = own.session("2025-07-05")
    assert session.holiday_name == "Working Saturday"
    assert not session.is_early_close
    assert session.regular_open.hour == 9


def test_null_closure_with_a_time_is_a_short_day(own_db: Session) -> None:
    own_db.add(hours())
    own_db.add(day(dt.date(2025, 7, 3), is_closed=None, early_close_time=dt.time(13)))
    own_db.add(day(dt.date(2025, 7, 4), is_closed=None))
    own_db.flush()
    own = trading_calendar("OWN", db_session=own_db)
    assert own.session("2025-07-03").regular_close.hour == 13
    assert not own.is_session("2025-07-04")


def test_the_exchanges_own_row_rules_over_its_groups(own_db: Session) -> None:
    date = dt.date(2025, 7, 3)
    own_db.add(hours())
    own_db.add(day(date, holiday_name="Group"))
    own_db.add(day(date, exchange="SECOND", is_closed=False, early_close_time=dt.time(12)))
    own_db.flush()
    for name in ("OWN", "FIRST"):
        assert not trading_calendar(name, db_session=own_db).is_session(date)
    second = trading_calendar("second", db_session=own_db)
    assert second.session(date).regular_close.hour == 12
    assert second.holidays(date, date)["exchange"].tolist() == ["SECOND"]


def test_hours_of_earlier_periods(own_db: Session) -> None:
    own_db.add_all([hours(), period(trading_days="0,1,2,3,4,5")])
    own_db.flush()
    own = trading_calendar("OWN", db_session=own_db)
    assert own.session("2025-06-30").regular_open.hour == 10
    assert own.session("2025-07-01").regular_open.hour == 9
    assert own.is_session("2025-06-28")
    assert not own.is_session("2025-07-05")


def test_late_open_and_early_close_keep_what_lies_between(own_db: Session) -> None:
    own_db.add(
        hours(
            pre_market_open=dt.time(7),
            post_market_close=dt.time(19),
            break_start=dt.time(12),
            break_end=dt.time(13),
        )
    )
    short = {"is_closed": False}
    own_db.add_all(
        [
            day(dt.date(2025, 7, 1), early_close_time=dt.time(12, 30), **short),
            day(dt.date(2025, 7, 2), late_open_time=dt.time(12, 15), **short),
            day(
                dt.date(2025, 7, 3),
                late_open_time=dt.time(6),
                early_close_time=dt.time(18),
                **short,
            ),
        ]
    )
    own_db.flush()
    own = trading_calendar("OWN", db_session=own_db)
    early, late, long = (own.session(f"2025-07-0{number}") for number in (1, 2, 3))
    assert early.break_start is None
    assert early.post_market_close.time() == dt.time(14, 30)
    assert late.break_start is None
    assert late.pre_market_open.time() == dt.time(7)
    assert late.is_late_open
    assert (long.is_late_open, long.is_early_close) == (False, False)
    assert long.break_start.time() == dt.time(12)
    assert long.pre_market_open == long.regular_open
    assert [name for name, _, _ in long.phases] == ["regular", "break", "regular", "post_market"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([hours(timezone="America/New_Yrok")], r"timezone='America/New_Yrok'.*America/New_York"),
        ([hours(trading_days="0,1,9")], r"'OWN': trading_days='0,1,9'"),
        ([hours(trading_days="")], r"trading_days=''"),
        ([hours(break_start=dt.time(12))], r"'OWN'.*break_end=None; give both"),
        (
            [hours(break_start=dt.time(8), break_end=dt.time(10))],
            r"break 08:00:00 to 10:00:00.*inside",
        ),
        ([hours(break_start=dt.time(13), break_end=dt.time(12))], r"does not lie inside"),
        (
            [hours(pre_market_open=dt.time(18), post_market_close=dt.time(19))],
            r"starts before.*is over",
        ),
        (
            [hours(covers_from=dt.date(2026, 1, 1))],
            r"covers_from=2026-01-01 and covers_to=2025-12-31",
        ),
        ([hours(), period(), period(valid_to=dt.date(2025, 3, 31))], r"overlap.*2025-03-31"),
        (
            [
                hours(),
                period(),
                period(valid_from=dt.date(2025, 5, 1), valid_to=dt.date(2025, 8, 1)),
            ],
            r"from 2025-05-01 to 2025-08-01 overlap the period that ends on 2025-06-30",
        ),
        (
            [
                hours(),
                period(),
                period(valid_from=dt.date(2025, 8, 1), valid_to=dt.date(2025, 9, 1)),
            ],
            r"no hours from 2025-06-30 to 2025-08-01",
        ),
        ([hours(), period(valid_from=dt.date(2025, 7, 1))], r"2025-07-01 is after 2025-06-30"),
        ([hours(), period(valid_from=dt.date(2025, 2, 1))], r"first hours hold from 2025-02-01"),
        (
            [hours(), day(dt.date(2025, 7, 3), is_closed=False, early_close_time=dt.time(9))],
            r"trading_holidays of 'OWN', 2025-07-03.*close at 09:00:00",
        ),
        (
            [hours(regular_open=dt.time(2, 30), trading_days="6")],
            r"2025-03-09T02:30:00 in America/New_York.*skip or show twice",
        ),
        (
            [hours(regular_open=dt.time(1, 30), trading_days="6")],
            r"2025-11-02T01:30:00 in America/New_York.*skip or show twice",
        ),
    ],
)
def test_contradictions_name_the_row(own_db: Session, rows: list[Any], message: str) -> None:
    for row in rows:  # the same objects for both databases
        make_transient(row)
        row.id = None
    own_db.add_all(rows)
    own_db.flush()
    own_db.expunge_all()
    with pytest.raises(InvalidInputError, match=message):
        trading_calendar("OWN", db_session=own_db)


@pytest.mark.parametrize(
    ("name", "group", "exchange"),
    [
        ("US_EQUITY", "US_EQUITY", "US_EQUITY"),
        ("us_equity", "US_EQUITY", "US_EQUITY"),
        ("NASDAQ", "US_EQUITY", "NASDAQ"),
        ("XNAS", "US_EQUITY", "NASDAQ"),
        ("BATS", "US_EQUITY", "US_EQUITY"),
        ("JPX", "XTKS", "JPX"),
        ("lse", "XLON", "LSE"),
        ("XSHE", "XSHG", "SZSE"),
        ("COMEX", "CMES", "COMEX"),
        ("24/7", "24/7", "24/7"),
    ],
)
def test_any_name_works(rules_db: Session, name: str, group: str, exchange: str) -> None:
    calendar = trading_calendar(name, db_session=rules_db)
    assert (calendar.exchange_group, calendar.name) == (group, exchange)


def test_every_name_of_exchange_calendars_works(rules_db: Session) -> None:
    exchange_calendars = pytest.importorskip("exchange_calendars")
    for name in exchange_calendars.get_calendar_names():
        assert len(trading_calendar(name, db_session=rules_db)) > 1000


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("NYSSE", "did you mean 'NYSE'"),
        ("XLNO", "did you mean 'XLON'"),
        ("?", "mismartera calendar list"),
    ],
)
def test_unknown_names(rules_db: Session, name: str, message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        trading_calendar(name, db_session=rules_db)


def test_names_in_a_database_without_hours(own_db: Session) -> None:
    with pytest.raises(UnknownNameError, match="mismartera calendar sync"):
        trading_calendar("NYSE", db_session=own_db)


def test_asset_classes(own_db: Session) -> None:
    own_db.add_all([hours(), hours(asset_class="FUTURES", regular_open=dt.time(18))])
    own_db.add(hours(exchange_group="ONLY", exchanges=None, asset_class="FUTURES"))
    own_db.flush()
    assert trading_calendar("OWN", db_session=own_db).asset_class == "EQUITY"
    futures = trading_calendar("OWN", "futures", db_session=own_db)
    assert futures.session("2025-07-07").regular_open.isoformat() == "2025-07-06T18:00:00-04:00"
    assert trading_calendar("ONLY", db_session=own_db).asset_class == "FUTURES"
    with pytest.raises(UnknownNameError, match=r"asset_class='BONDS'.*EQUITY, FUTURES"):
        trading_calendar("OWN", "BONDS", db_session=own_db)


def test_inactive_hours_are_not_found(own_db: Session) -> None:
    own_db.add(hours(is_active=False))
    own_db.flush()
    with pytest.raises(UnknownNameError):
        trading_calendar("OWN", db_session=own_db)


def test_several_markets_at_once(rules_db: Session) -> None:
    frame = trading_sessions(
        "2025-07-03", "2025-07-07", exchange=["NYSE", "LSE", "TSE"], db_session=rules_db
    )
    assert list(zip(frame.index.day, frame["exchange"], strict=True)) == [
        (3, "LSE"), (3, "NYSE"), (3, "TSE"), (4, "LSE"), (4, "TSE"),
        (7, "LSE"), (7, "NYSE"), (7, "TSE"),
    ]  # fmt: skip
    with pytest.raises(InvalidInputError, match="exchange is empty"):
        trading_sessions("2025-07-03", "2025-07-07", exchange=[], db_session=rules_db)


def test_hours_and_calendars_read_a_row_alike(rules_db: Session) -> None:
    """`MarketHours`' own helpers agree with the calendar on usual days, overnight ones included."""
    for row in rules_db.query(MarketHours):
        calendar = trading_calendar(row.exchange_group, row.asset_class, db_session=rules_db)
        odd = set(calendar.holidays()["date"])
        label = next(label.date() for label in calendar.labels()[::-1] if label not in odd)
        session = calendar.session(label)
        assert row.get_regular_open_datetime(label) == session.regular_open
        assert row.get_regular_close_datetime(label) == session.regular_close
        assert row.get_pre_market_open_datetime(label) == session.pre_market_open
        assert row.get_post_market_close_datetime(label) == session.post_market_close


@pytest.mark.parametrize(
    ("opening", "closing", "pre", "post"),
    [
        (dt.time(9), dt.time(), dt.time(8), dt.time(1)),
        (dt.time(18), dt.time(17), dt.time(17, 30), dt.time(17, 30)),
        (dt.time(1), dt.time(20), dt.time(23), dt.time(22)),
        (dt.time(), dt.time(), None, None),
        (dt.time(17), dt.time(17), None, None),
    ],
)
def test_odd_hours_are_read_alike_too(
    own_db: Session, opening: dt.time, closing: dt.time, pre: dt.time | None, post: dt.time | None
) -> None:
    row = hours(
        timezone="Europe/London",
        regular_open=opening,
        regular_close=closing,
        pre_market_open=pre,
        post_market_close=post,
        trading_days="0,3",
        covers_from=dt.date(2025, 6, 30),
        covers_to=dt.date(2025, 7, 13),
    )
    own_db.add(row)
    own_db.flush()
    session = trading_calendar("OWN", db_session=own_db).session("2025-07-10")
    label = dt.date(2025, 7, 10)
    assert row.get_regular_open_datetime(label) == session.regular_open
    assert row.get_regular_close_datetime(label) == session.regular_close
    assert row.get_pre_market_open_datetime(label) == session.pre_market_open
    assert row.get_post_market_close_datetime(label) == session.post_market_close
    assert session.regular_close.tzinfo == ZoneInfo("Europe/London")


def test_an_unknown_time_zone_names_the_row(own_db: Session) -> None:
    own_db.add(hours(exchange_group="WIEN", timezone="Europe/Wien"))
    own_db.flush()
    with pytest.raises(InvalidInputError, match="market_hours of 'WIEN': timezone='Europe/Wien'"):
        trading_calendar("WIEN", db_session=own_db)


def test_a_late_open_after_midnight_of_an_overnight_session(own_db: Session) -> None:
    own_db.add(
        hours(
            exchange_group="NIGHT",
            timezone="UTC",
            regular_open=dt.time(17),
            regular_close=dt.time(16),
        )
    )
    for day, late in ((7, dt.time(8)), (9, dt.time(19))):
        own_db.add(
            TradingHoliday(exchange="NIGHT", date=dt.date(2025, 1, day), late_open_time=late)
        )
    own_db.flush()
    night = trading_calendar("NIGHT", db_session=own_db)
    assert night.session("2025-01-07").regular_open == dt.datetime(2025, 1, 7, 8, tzinfo=dt.UTC)
    assert night.session("2025-01-09").regular_open == dt.datetime(2025, 1, 8, 19, tzinfo=dt.UTC)
    assert night.sessions().is_late_open.sum() == 2


def test_an_exchange_of_two_groups_is_ambiguous_and_the_groups_are_not(own_db: Session) -> None:
    own_db.add(hours())
    own_db.add(hours(exchange_group="OTHER", exchanges="second,THIRD"))
    own_db.flush()
    with pytest.raises(InvalidInputError, match=r"listed by several groups .*: OTHER, OWN"):
        trading_calendar("SECOND", db_session=own_db)
    for name in ("OWN", "OTHER", "FIRST", "THIRD"):
        assert trading_calendar(name, db_session=own_db).name == name


def test_a_group_lists_the_exchanges_of_all_its_asset_classes(own_db: Session) -> None:
    own_db.add(hours())
    own_db.add(hours(asset_class="FUTURES", exchanges="PIT"))
    own_db.flush()
    for name in ("FIRST", "PIT"):
        assert trading_calendar(name, db_session=own_db).exchange_group == "OWN"


@pytest.mark.parametrize("spelled", ["first", "First", "FIRST"])
def test_a_day_counts_however_its_exchange_is_spelled(own_db: Session, spelled: str) -> None:
    own_db.add(hours())
    own_db.add(day(dt.date(2025, 3, 4), exchange=spelled))
    own_db.flush()
    assert not trading_calendar("FIRST", db_session=own_db).is_session(dt.date(2025, 3, 4))
    assert trading_calendar("SECOND", db_session=own_db).is_session(dt.date(2025, 3, 4))


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (
            "update market_hours set regular_open = '9h30'",
            "market_hours of OWN, EQUITY: regular_open",
        ),
        (
            "update trading_holidays set date = '2025-13-01'",
            "trading_holidays of OWN.*: date='2025-13",
        ),
        (
            "update trading_holidays set early_close_time = 'noon'",
            "OWN, 2025-03-04: early_close_time",
        ),
        (
            "update market_hours_periods set valid_to = 'June'",
            "periods of OWN, EQUITY: valid_to='June'",
        ),
    ],
)
@pytest.mark.parametrize("own_db", ["sqlite"], indirect=True)  # PostgreSQL takes no such text
def test_text_that_is_no_time_names_its_row(own_db: Session, statement: str, message: str) -> None:
    own_db.add_all([hours(), period(), day(dt.date(2025, 3, 4))])
    own_db.flush()
    own_db.execute(text(statement))
    with pytest.raises(InvalidInputError, match=message):
        trading_calendar("OWN", db_session=own_db)


def test_a_market_named_twice_counts_once_and_none_is_refused(own_db: Session) -> None:
    own_db.add(hours())
    own_db.flush()
    once = trading_sessions("2025-03-03", "2025-03-07", "FIRST", db_session=own_db)
    for several in (["FIRST", "FIRST"], ["FIRST", "first"]):
        twice = trading_sessions("2025-03-03", "2025-03-07", several, db_session=own_db)
        assert len(twice) == len(once) == 5
    for bad in (None, 5):
        with pytest.raises(InvalidInputError, match=f"exchange={bad} must be text"):
            trading_sessions("2025-03-03", "2025-03-07", bad, db_session=own_db)  # type: ignore[arg-type]
