"""Splits of sessions: what is trained on never overlaps what is tested on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mismartera_analytics.backtesting.splits import purged_folds, walk_forward_splits
from mismartera_analytics.errors import InvalidInputError

DAYS = pd.bdate_range("2023-01-02", periods=200)


def places(labels: pd.DatetimeIndex) -> list[int]:
    return [DAYS.get_loc(label) for label in labels]


@given(
    count=st.integers(2, 120), folds=st.integers(2, 9), purge=st.integers(0, 9),
    embargo=st.integers(0, 9),
)  # fmt: skip
def test_folds_never_leak(count: int, folds: int, purge: int, embargo: int) -> None:
    parts = [set(part.tolist()) for part in np.array_split(np.arange(count), folds)]
    is_hopeless = any(
        not part
        or all(
            min(part) - purge <= place <= max(part) + purge + embargo
            for place in set(range(count)) - part
        )
        for part in parts
    )
    options = {"folds": folds, "purge": purge, "embargo": embargo}
    if is_hopeless:
        with pytest.raises(InvalidInputError, match=r"leave nothing to train on|more than the"):
            purged_folds(DAYS[:count], **options)
        return
    splits = purged_folds(DAYS[:count], **options)
    tested = [place for split in splits for place in places(split.test)]
    assert tested == list(range(count))
    for split in splits:
        train, test = places(split.train), places(split.test)
        seen_in_test = {later for place in test for later in range(place, place + purge + 1)}
        for place in train:
            # An observation is its session and those that it looks ahead.
            assert not seen_in_test & set(range(place, place + purge + 1))
            assert not max(test) + purge < place <= max(test) + purge + embargo
        # Nothing is left out without a reason.
        for place in set(range(count)) - set(train) - set(test):
            overlaps = seen_in_test & set(range(place, place + purge + 1))
            assert overlaps or max(test) + purge < place <= max(test) + purge + embargo


@given(
    count=st.integers(2, 200), train=st.integers(1, 60), test=st.integers(1, 40),
    purge=st.integers(0, 9), embargo=st.integers(0, 9), mode=st.sampled_from(["rolling", "anchored"]),
)  # fmt: skip
def test_walking_forward_never_leaks(
    count: int, train: int, test: int, purge: int, embargo: int, mode: Any
) -> None:
    options: dict[str, Any] = {"train": train, "test": test, "mode": mode}
    gap = purge + embargo
    if train + gap >= count:
        with pytest.raises(InvalidInputError, match="leave no session to test on"):
            walk_forward_splits(DAYS[:count], purge=purge, embargo=embargo, **options)
        return
    if train + gap + test > count:
        with pytest.raises(InvalidInputError, match=f"test={test} is longer than the"):
            walk_forward_splits(DAYS[:count], purge=purge, embargo=embargo, **options)
        return
    splits = walk_forward_splits(DAYS[:count], purge=purge, embargo=embargo, **options)
    tested = [place for split in splits for place in places(split.test)]
    assert tested == list(range(train + gap, count))
    for number, split in enumerate(splits):
        learned, tried = places(split.train), places(split.test)
        assert max(learned) + gap + 1 == min(tried)
        assert learned == list(range(min(learned), max(learned) + 1))
        if mode == "anchored":
            assert min(learned) == 0
            assert len(learned) == train + number * test
        else:
            assert len(learned) == train
        assert len(tried) == test or number == len(splits) - 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"train": 500, "test": 20},
            "train=500 leave no session to test on: there are 200 sessions",
        ),
        ({"train": 190, "test": 20, "purge": 10}, "train=190 and 10 left out leave no session"),
        ({"train": 0, "test": 20}, "train=0 must be a whole number of at least 1"),
        ({"train": 20, "test": 2.5}, "test=2.5 must be"),
        ({"train": 20, "test": 20, "purge": -1}, "purge=-1 must be a whole number of at least 0"),
        ({"train": 20, "test": 20, "mode": "roling"}, "did you mean 'rolling'"),
    ],
)
def test_bad_lengths(options: Any, sentence: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        walk_forward_splits(DAYS, **options)
    assert sentence in str(refused.value)


def test_bad_labels_and_folds() -> None:
    for wrong in (
        DAYS[::-1],
        DAYS.repeat(2),
        DAYS.tz_localize("UTC"),
        DAYS + pd.Timedelta("9h"),
        [],
    ):
        with pytest.raises(InvalidInputError, match="labels must be session labels"):
            purged_folds(wrong)
    with pytest.raises(InvalidInputError, match="folds=1 must be"):
        purged_folds(DAYS, folds=1)
    with pytest.raises(InvalidInputError, match="folds=300 is more than the 200 sessions"):
        purged_folds(DAYS, folds=300)
    with pytest.raises(InvalidInputError, match="leave nothing to train on"):
        purged_folds(DAYS, folds=2, purge=60, embargo=60)


def test_lengths_of_folds() -> None:
    splits = purged_folds(DAYS, folds=7)
    assert [len(split.test) for split in splits] == [len(p) for p in np.array_split(DAYS, 7)]
    assert repr(splits[0]) == "Split(171 sessions to train, test 2023-01-02 to 2023-02-09)"
