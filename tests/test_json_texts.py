"""JSON texts: bounded before they are read."""

from __future__ import annotations

import json
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mismartera_analytics.errors import InvalidInputError, StorageError
from mismartera_analytics.json_texts import MAX_LEVELS, parse_json, stored_json, stored_object

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)  # fmt: skip


@given(VALUES)
def test_what_json_writes_is_read_as_json_reads_it(value):
    text = json.dumps(value)
    assert parse_json(text, what="it") == json.loads(text)
    assert stored_json(text, what="it") == json.loads(text)


def depth(value) -> int:
    if not isinstance(value, (list, dict)):
        return 0
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max(map(depth, inner), default=0)


@pytest.mark.parametrize("levels", [1, MAX_LEVELS - 1, MAX_LEVELS, MAX_LEVELS + 1, 150])
@pytest.mark.parametrize("seed", range(5))
def test_depth_is_that_of_lists_and_objects_not_of_texts(levels, seed):
    rng = random.Random(seed)
    value: object = '[[{{\\"[' * 300
    for _ in range(levels):
        value = rng.choice(([value, "]}" * 9], {"]": value, "[{\\": 1}))
    assert depth(value) == levels
    text = json.dumps(value)
    if levels <= MAX_LEVELS:
        assert parse_json(text, what="it") == value
    else:
        with pytest.raises(InvalidInputError, match=f"{levels} deep; at most {MAX_LEVELS}"):
            parse_json(text, what="it")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 3_999_999, '"' + '\\"' * 1_999_000, "[" + "[]," * 1_300_000, "{" * 9 + '"' * 3_999_000,
        "{" + ",".join(f'"{number}":1' for number in range(250_000)) + ',"7":1}', "9" * 3_999_999,
        "1" + "0" * 3_999_000 + ".5", "1e" + "9" * 3_999_000, "-" * 3_999_999, "x" * 200_000_000,
    ],
    ids=range(10),
)  # fmt: skip
def test_no_text_takes_long(text):
    began = time.process_time()
    with pytest.raises(InvalidInputError) as refused:
        parse_json(text, what="it")
    assert time.process_time() - began < 2
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("text", ["", "{", "[]]", "5", "null", "[" * 200, '"\x00"', "{'a': 1}"])
def test_what_is_stored_and_damaged_is_named(text):
    with pytest.raises(StorageError, match=r"^config_json of run 5 (is|has)"):
        stored_object(text, what="config_json of run 5")
