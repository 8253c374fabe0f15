"""Who a symbol was on which day, and the histories of bars that follow from it."""

from __future__ import annotations

import datetime as dt
import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mismartera_analytics.errors import BarsNotFoundError, InvalidInputError
from mismartera_analytics.market_data.actions import corporate_actions, record_actions
from mismartera_analytics.market_data.identities import FIRST, FOREVER, identities_of
from mismartera_analytics.market_data.instruments import record_instruments
from mismartera_analytics.market_data.renames import read_identities
from mismartera_analytics.market_data.store import BarStore


@pytest.fixture
def records(ready_database: str) -> None:
    """What is recorded is the subject here: both databases in turn."""


FIRST_SESSION = "2025-06-02"


def changed(old: str, ex_date: str, new: str, **more: object) -> dict[str, object]:
    return {
        "symbol": old,
        "action_type": "SYMBOL_CHANGE",
        "ex_date": ex_date,
        "new_symbol": new,
    } | more


def split(symbol: str, ex_date: str, ratio: float, **more: object) -> dict[str, object]:
    return {"symbol": symbol, "action_type": "SPLIT", "ex_date": ex_date, "ratio": ratio} | more


def paid(symbol: str, ex_date: str, amount: float) -> dict[str, object]:
    kind = {"action_type": "CASH_DIVIDEND"}
    return {"symbol": symbol, "ex_date": ex_date, "amount": amount} | kind


def record(*rows: dict[str, object]) -> None:
    record_actions(pd.DataFrame(list(rows)))


@pytest.fixture
def write(nyse, store: BarStore):
    """Write daily bars of a symbol: one close a session from June 2 on; None for no bar."""

    def write(symbol: str, *closes: float | None) -> int:
        labels = nyse.labels(FIRST_SESSION, "2025-07-31")[: len(closes)]
        close = np.array([np.nan if c is None else c for c in closes], float)
        bars = pd.DataFrame(
            {"symbol": symbol, "timestamp": nyse.opens(labels), "session": labels, "open": close,
             "high": close, "low": close, "close": close, "volume": 100.0}
        )  # fmt: skip
        return store.write(bars[bars["close"].notna()], "1d")

    return write


def closes(store: BarStore, symbol: str, adjust: str | None = "split", **given: object) -> dict:
    frame = store.read(symbol, "1d", adjust=adjust, **given)
    assert frame["symbol"].eq(symbol).all()
    return dict(zip(frame["session"].dt.day, frame["close"].round(9), strict=True))


def test_the_new_name_has_the_history_of_the_old_one(store: BarStore, write) -> None:
    write("FB", 10, 12, 5, None)  # two for one on June 4, then META from June 5
    write("META", None, None, None, 6, 7)
    record(split("FB", "2025-06-04", 2.0), changed("FB", "2025-06-05", "META"))
    assert closes(store, "META") == {2: 5, 3: 6, 4: 5, 5: 6, 6: 7}
    assert closes(store, "META", None) == {5: 6, 6: 7}
    assert closes(store, "FB", None) == {2: 10, 3: 12, 4: 5}
    record(split("META", "2025-06-06", 2.0))
    assert closes(store, "META") == {2: 2.5, 3: 3, 4: 2.5, 5: 3, 6: 7}
    assert closes(store, "META", start="2025-06-03", end="2025-06-05") == {3: 3, 4: 2.5, 5: 3}
    # The old name still finds its company: the part of its history before the change.
    assert closes(store, "FB") == {2: 2.5, 3: 3, 4: 2.5}
    assert closes(store, "FB", start="2025-06-05") == {}


def test_dividends_of_both_names_are_taken_from_the_close_before_them(
    store: BarStore, write
) -> None:
    write("FB", 100, 100, None)
    write("META", None, None, 50, 50)
    record(
        changed("FB", "2025-06-04", "META"),
        paid("FB", "2025-06-03", 1.0),
        paid("META", "2025-06-05", 1.0),
    )
    found = closes(store, "META", "all")
    after = 1 - 1 / 50
    assert found == {2: round(99 * after, 9), 3: 100 * after, 4: 50 * after, 5: 50}
    record(paid("META", "2025-06-04", 2.0))  # its close before is FB's
    assert closes(store, "META", "all")[3] == pytest.approx(100 * (1 - 2 / 100) * after)


def test_an_action_on_the_day_of_the_change_counts_once_under_either_name(
    store: BarStore, write
) -> None:
    write("FB", 10, 10)
    write("META", None, None, 5)
    record(changed("FB", "2025-06-04", "META"), split("FB", "2025-06-04", 2.0))
    assert closes(store, "META") == {2: 5, 3: 5, 4: 5}
    record(split("META", "2025-06-04", 2.0))
    assert closes(store, "META") == {2: 5, 3: 5, 4: 5}


def test_chains_and_a_change_back(store: BarStore, write) -> None:
    write("A", 1, None, None, 4)
    write("B", None, 2, None, None)
    write("C", None, None, 3)
    record(changed("A", "2025-06-03", "B"), changed("B", "2025-06-04", "C"),
           changed("C", "2025-06-05", "A"), split("B", "2025-06-03", 2.0))  # fmt: skip
    assert closes(store, "A") == {2: 0.5, 3: 2, 4: 3, 5: 4}
    assert closes(store, "C") == {2: 0.5, 3: 2, 4: 3}
    assert closes(store, "B") == {2: 0.5, 3: 2}
    assert closes(store, "A", end="2025-06-02") == {2: 0.5}


def test_two_companies_swap_their_symbols_on_one_day(store: BarStore, write) -> None:
    write("A", 1, 1, 20, 20)
    write("B", 10, 10, 2, 2)
    record(changed("A", "2025-06-04", "B"), changed("B", "2025-06-04", "A"),
           split("A", "2025-06-03", 2.0), split("A", "2025-06-04", 4.0))  # fmt: skip
    # The split of June 4 is that of who is A then, the former B.
    assert closes(store, "A") == {2: 2.5, 3: 2.5, 4: 20, 5: 20}
    assert closes(store, "B") == {2: 0.5, 3: 1, 4: 2, 5: 2}
    assert closes(store, "A", end="2025-06-03") == {2: 0.5, 3: 1}


def test_a_reused_ticker_is_kept_apart_by_validity(store: BarStore, write) -> None:
    write("XYZ", 1, 1, None, 50, 50)
    record(split("XYZ", "2025-06-03", 2.0), split("XYZ", "2025-06-06", 5.0))
    periods = {"valid_from": [None, "2025-06-05"], "valid_to": ["2025-06-03", None]}
    assert closes(store, "XYZ") == {2: 0.1, 3: 0.2, 5: 10, 6: 50}  # nothing says otherwise
    record_instruments(pd.DataFrame({"symbol": ["XYZ", "XYZ"], **periods}))
    assert closes(store, "XYZ") == {5: 10, 6: 50}
    assert closes(store, "XYZ", end="2025-06-03") == {2: 0.5, 3: 1}
    assert closes(store, "XYZ", end="2025-06-04") == {}
    assert closes(store, "XYZ", None) == {2: 1, 3: 1, 5: 50, 6: 50}


def test_a_change_into_a_used_ticker(store: BarStore, write) -> None:
    """META was a fund, which became METV; months later Facebook took the ticker."""
    write("META", 15, 15, None, 300)
    write("METV", None, None, 16, 16)
    write("FB", 310, 310, 305, None)
    record(changed("META", "2025-06-04", "METV"), changed("FB", "2025-06-05", "META"))
    assert closes(store, "META") == {2: 310, 3: 310, 4: 305, 5: 300}
    assert closes(store, "METV") == {2: 15, 3: 15, 4: 16, 5: 16}
    assert closes(store, "META", end="2025-06-03") == {2: 15, 3: 15}


def test_a_ticker_taken_again_after_a_change_is_somebody_else(store: BarStore, write) -> None:
    write("FB", 10, 10, None, 30)
    write("META", None, None, 11, 11)
    record(changed("FB", "2025-06-04", "META"), split("FB", "2025-06-05", 2.0))
    assert closes(store, "META") == {2: 10, 3: 10, 4: 11, 5: 11}
    assert closes(store, "FB") == {5: 30}  # its bars after the change show a new bearer
    assert closes(store, "FB", end="2025-06-03") == {2: 10, 3: 10}


def test_a_source_that_keeps_all_history_under_the_new_name(store: BarStore, write) -> None:
    write("META", 10, 10, 11)
    record(changed("FB", "2025-06-04", "META"), split("FB", "2025-06-03", 2.0))
    assert closes(store, "META") == {2: 5, 3: 10, 4: 11}
    assert closes(store, "FB") == {2: 5, 3: 10}
    with pytest.raises(BarsNotFoundError, match="FB became META on 2025-06-04"):
        closes(store, "FB", None)
    # Once the store has bars of the old name, they are the history; validity rules before that.
    write("FB", 20, 20)
    assert closes(store, "META") == {2: 10, 3: 20, 4: 11}


def test_before_the_change_was_known_each_name_is_itself(store: BarStore, write) -> None:
    write("FB", 10, 10, 5)
    before = dt.datetime(2025, 6, 3, 12, tzinfo=dt.UTC)
    known = dt.datetime(2025, 6, 4, 0, tzinfo=dt.UTC)
    record(changed("FB", "2025-06-05", "META", known_at=known), split("FB", "2025-06-04", 2.0))
    early = store.versions("1d")["committed_at"].iloc[-1].to_pydatetime()
    assert early > known
    assert read_identities(["META"], until=before).tenures == {}
    in_between = dt.datetime(2025, 6, 4, 20, tzinfo=dt.UTC)  # known, not yet in force
    assert read_identities(["META"], until=in_between).tenures == {}
    now = read_identities(["META"])
    assert now.names_with(["META"]) == ["FB", "META"]


def test_as_of_a_version_before_the_change_was_known(store: BarStore, write) -> None:
    first = write("FB", 10, 10, 5)
    known = store.versions("1d")["committed_at"].iloc[-1] + pd.Timedelta("1ms")
    record(changed("FB", "2025-06-05", "META", known_at=known.to_pydatetime()))
    write("META", None, None, None, 6)
    assert closes(store, "META") == {2: 10, 3: 10, 4: 5, 5: 6}
    assert closes(store, "FB", as_of=first) == {2: 10, 3: 10, 4: 5}
    with pytest.raises(BarsNotFoundError, match="META"):
        closes(store, "META", as_of=first)


def test_the_names_are_told_where_no_history_is_followed(store: BarStore, write) -> None:
    write("FB", 10, 10, 5)
    record(changed("FB", "2025-06-05", "META"))
    with pytest.raises(BarsNotFoundError, match=r"META was FB until 2025-06-05.*adjust='split'"):
        closes(store, "META", None)
    assert closes(store, "META") == {2: 10, 3: 10, 4: 5}


def test_minutes_change_their_name_with_the_session(store: BarStore, nyse) -> None:
    def minutes(symbol: str, start: str, close: float) -> None:
        times = pd.date_range(start, periods=3, freq="h", unit="us")
        values = dict.fromkeys(("open", "high", "low", "close"), close)
        store.write(
            pd.DataFrame({"symbol": symbol, "timestamp": times, **values, "volume": 1.0}), "1m"
        )

    minutes("FB", "2025-06-03T14:00Z", 10.0)
    minutes("FB", "2025-06-03T22:00Z", 11.0)  # post-market of June 3, past midnight UTC
    minutes("META", "2025-06-04T08:00Z", 12.0)  # pre-market of June 4
    minutes("META", "2025-06-04T14:00Z", 6.0)
    record(changed("FB", "2025-06-04", "META"), split("META", "2025-06-04", 2.0))
    found = store.read("META", "1m", adjust="split")
    assert found["close"].tolist() == [5.0] * 3 + [5.5] * 3 + [12.0] * 3 + [6.0] * 3
    assert store.read("FB", "1m", adjust="split")["close"].tolist() == [5.0] * 3 + [5.5] * 3
    part = store.read("META", "1m", "2025-06-03T23:00Z", "2025-06-04T09:00Z", adjust="split")
    assert part["close"].tolist() == [5.5, 5.5, 12.0]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([changed("A", "2025-06-03", "A")], "A on 2025-06-03 is to A itself"),
        (
            [changed("A", "2025-06-03", "C"), changed("B", "2025-06-03", "C")],
            "A and B both become C",
        ),
    ],
)
def test_changes_that_cannot_be_are_refused(records: None, rows: list, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        record(*rows)
    assert corporate_actions().empty


def test_actions_come_back_with_their_new_symbol(records: None) -> None:
    record(changed("FB", "2022-06-09", "META"), split("FB", "2020-01-02", 2.0))
    assert record_actions(corporate_actions()) == 0
    assert corporate_actions()["new_symbol"].isna().tolist() == [True, False]


class Registry:
    """A plain model: each company walks from name to name, day by day."""

    def __init__(self, names: list[str]) -> None:
        self.name_of = dict(enumerate(names))
        self.days: list[dict[str, int]] = []
        self.changes: list[tuple[int, str, str]] = []

    def step(self, renames: dict[str, str]) -> None:
        day = len(self.days)
        bearer = {name: company for company, name in self.name_of.items()}
        for old, new in renames.items():
            self.changes.append((day, old, new))
            self.name_of[bearer[old]] = new
        self.days.append({name: company for company, name in self.name_of.items()})


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_identities_equal_a_walk_day_by_day(data: st.DataObject) -> None:
    """Companies rename, swap and take up names that others left, at random."""
    names = ["A", "B", "C", "D", "E"]
    registry = Registry(names[:3])
    registry.step({})
    for _ in range(data.draw(st.integers(1, 6))):
        held = sorted(registry.name_of.values())
        moving = data.draw(st.lists(st.sampled_from(held), unique=True, max_size=3))
        free = sorted(set(names) - (set(held) - set(moving)))
        targets = data.draw(st.permutations(free))[: len(moving)]
        renames = {old: new for old, new in zip(moving, targets, strict=True) if old != new}
        registry.step(renames)
    found = identities_of(registry.changes, {})
    cells = [
        (day, name, company)
        for day, bearers in enumerate(registry.days)
        for name, company in bearers.items()
    ]
    days = np.array([cell[0] for cell in cells])
    labels = found.label(pd.Series([cell[1] for cell in cells], dtype="str"), days)
    by_company: dict[int, set[str]] = {}
    for (_, _, company), label in zip(cells, labels, strict=True):
        by_company.setdefault(company, set()).add(label)
    assert all(len(own) == 1 for own in by_company.values())
    assert len({min(own) for own in by_company.values()}) == len(by_company)
    for company, own in by_company.items():
        assert own == {registry.name_of[company]}
    for name, tenures in found.tenures.items():
        assert tenures[0].first == FIRST
        assert tenures[-1].end == FOREVER
        assert all(a.end == b.first for a, b in itertools.pairwise(tenures)), name
