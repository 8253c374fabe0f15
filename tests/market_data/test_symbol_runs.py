"""Runs of symbols, against grouping the rows one by one."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mismartera_analytics.market_data import symbol_runs as module
from mismartera_analytics.market_data.symbol_runs import symbol_runs

WORDS = st.one_of(st.none(), st.sampled_from(["", "A", "B", "AA", "AB", "BA", "é", "SPY", "SPX"]))
RUNS = st.lists(st.tuples(WORDS, st.integers(1, 9)), max_size=12)


def grouped(rows: list[Any]) -> list[tuple[Any, int]]:
    return [(value, len(list(run))) for value, run in itertools.groupby(rows)]


def found(column: pd.Series) -> list[tuple[Any, int]]:
    runs = symbol_runs(column)
    names = [runs.known[code] if code >= 0 else None for code in runs.codes]
    assert len(set(runs.known)) == len(runs.known)
    assert runs.starts[0] == 0
    assert runs.starts[-1] == len(column) == len(runs.by_row)
    return list(zip(names, np.diff(runs.starts).tolist(), strict=True))


@pytest.mark.parametrize("dtype", ["str", "category", "object"])
@given(runs=RUNS, rows_at_once=st.sampled_from([1, 2, 5, 65_536]))
def test_runs_are_those_of_rows_taken_one_by_one(
    dtype: str, runs: list[tuple[Any, int]], rows_at_once: int
) -> None:
    rows = [value for value, count in runs for _ in range(count)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_ROWS_AT_ONCE", rows_at_once)
        assert found(pd.Series(rows, dtype=dtype)) == grouped(rows)
        assert found(pd.Series(rows, dtype=dtype).iloc[1:]) == grouped(rows[1:])


@pytest.mark.parametrize("text_type", [pa.string(), pa.large_string()])
def test_text_of_either_width_and_in_several_chunks(text_type: pa.DataType) -> None:
    chunks = [pa.array(["A", "A"], text_type), pa.array(["A", "BB"], text_type)]
    column = pd.Series(pd.arrays.ArrowStringArray(pa.chunked_array(chunks)))
    assert found(column) == [("A", 3), ("BB", 1)]


def test_rows_that_all_change_their_length() -> None:
    rows = ["A", "BB"] * 500
    assert found(pd.Series(rows, dtype="str")) == grouped(rows)
