"""Splits of sessions into training and test parts that do not leak into one another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mismartera_analytics.arguments import check_choice, is_whole
from mismartera_analytics.errors import InvalidInputError, as_given

__all__ = ["Mode", "Split", "purged_folds", "walk_forward_splits"]

Mode = Literal["rolling", "anchored"]
_MODES = ("rolling", "anchored")


@dataclass(frozen=True)
class Split:
    """Sessions to train on and sessions to test on.

    Attributes
    ----------
    train, test
        Session labels, ascending; those of `test` are one stretch without a gap.
    """

    train: pd.DatetimeIndex
    test: pd.DatetimeIndex

    def __repr__(self) -> str:
        return (
            f"Split({len(self.train)} sessions to train, test {self.test[0]:%Y-%m-%d} to "
            f"{self.test[-1]:%Y-%m-%d})"
        )


def walk_forward_splits(
    labels: Any,
    *,
    train: int,
    test: int,
    mode: Mode = "rolling",
    purge: int = 0,
    embargo: int = 0,
) -> list[Split]:
    """Return splits that walk forward: each test part follows the part that it was trained on.

    Parameters
    ----------
    labels
        Session labels, ascending, each once: shape (n,).
    train, test
        Lengths [sessions]. The test parts follow one another without a gap; a last one that the data
        do not fill is shorter.
    mode
        ``"rolling"``: each training part has the length `train`. ``"anchored"``: each begins with the
        first session and grows.
    purge, embargo
        Sessions left out between training and test: `purge` as long as what is decided on one session
        looks ahead (holding periods, labels), `embargo` on top of it against what lingers. Training
        never follows its test here, so both widen the same gap.

    Returns
    -------
    list of Split

    Raises
    ------
    InvalidInputError
        If a length is not allowed, labels are doubled or unsorted, or the data are too short for one
        training part and a whole test.

    Examples
    --------
    >>> days = pd.bdate_range("2024-01-01", periods=7)
    >>> [(len(s.train), len(s.test)) for s in walk_forward_splits(days, train=3, test=2)]
    [(3, 2), (3, 2)]
    """
    sessions = _sessions(labels)
    for name, value, least in (("train", train, 1), ("test", test, 1), ("purge", purge, 0),
                               ("embargo", embargo, 0)):  # fmt: skip
        _length(value, name, least)
    check_choice(mode, "mode", _MODES)
    gap = purge + embargo
    if train + gap >= len(sessions):
        left_out = f" and {gap} left out" if gap else ""
        raise InvalidInputError(
            f"train={train}{left_out} leave no session to test on: there are {len(sessions)} "
            f"sessions from {sessions[0]:%Y-%m-%d} to {sessions[-1]:%Y-%m-%d}."
        )
    left = len(sessions) - train - gap
    if test > left:
        raise InvalidInputError(
            f"test={test} is longer than the {left} sessions that train={train}"
            f"{f' and {gap} left out' if gap else ''} leave of the {len(sessions)} from "
            f"{sessions[0]:%Y-%m-%d} to {sessions[-1]:%Y-%m-%d}."
        )
    splits = []
    for first in range(train + gap, len(sessions), test):
        last = first - gap
        began = 0 if mode == "anchored" else last - train
        splits.append(Split(sessions[began:last], sessions[first : first + test]))
    return splits


def purged_folds(labels: Any, *, folds: int = 5, purge: int = 0, embargo: int = 0) -> list[Split]:
    """Return k folds whose training parts are purged of what overlaps the test, and embargoed.

    What is observed on a session depends on that session and the `purge` sessions after it. A session
    is left out of training when its stretch overlaps that of a session of the test; `embargo` more are
    left out after the test, since what follows a test still carries its news.

    Parameters
    ----------
    labels
        Session labels, ascending, each once: shape (n,).
    folds
        At least 2; their lengths differ by at most one session.
    purge
        Sessions that an observation looks ahead.
    embargo
        Sessions left out after the test and its look ahead.

    Returns
    -------
    list of Split
        One a fold, in the order of the test parts.

    Raises
    ------
    InvalidInputError
        If a number is not allowed, labels are doubled or unsorted, or a fold leaves nothing to test or
        to train on.

    References
    ----------
    López de Prado, M. (2018), Advances in Financial Machine Learning, chapter 7.

    Examples
    --------
    >>> days = pd.bdate_range("2024-01-01", periods=10)
    >>> [len(split.train) for split in purged_folds(days, folds=5, purge=1, embargo=1)]
    [6, 5, 5, 5, 7]
    """
    sessions = _sessions(labels)
    for name, value, least in (("folds", folds, 2), ("purge", purge, 0), ("embargo", embargo, 0)):
        _length(value, name, least)
    count = len(sessions)
    if folds > count:
        raise InvalidInputError(f"folds={folds} is more than the {count} sessions.")
    places = np.arange(count)
    splits = []
    for test in np.array_split(places, folds):
        is_before = places + purge < test[0]
        is_after = places > test[-1] + purge + embargo
        train = places[is_before | is_after]
        if not len(train):
            raise InvalidInputError(
                f"purge={purge} and embargo={embargo} leave nothing to train on beside the test from "
                f"{sessions[test[0]]:%Y-%m-%d} to {sessions[test[-1]]:%Y-%m-%d}: there are {count} "
                f"sessions."
            )
        splits.append(Split(sessions[train], sessions[test]))
    return splits


def _sessions(labels: Any) -> pd.DatetimeIndex:
    index = pd.DatetimeIndex(labels, name="session")
    if index.tz is not None or not (index == index.normalize()).all():
        raise InvalidInputError("labels must be session labels: naive midnights, one a session.")
    days: NDArray[np.int64] = index.to_numpy().astype("datetime64[D]").astype(np.int64)
    if not len(days) or (np.diff(days) <= 0).any():
        raise InvalidInputError("labels must be session labels in order of time, each once.")
    return index


def _length(value: Any, argument: str, least: int) -> None:
    if not is_whole(value) or value < least:
        raise InvalidInputError(
            f"{argument}={as_given(value)} must be a whole number of at least {least} (sessions)."
        )
