"""Wealth and drawdowns against a loop that does what the words say."""

import math

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mismartera_analytics.kernels import drawdowns

RETURNS = hnp.arrays(
    np.float64,
    st.integers(0, 60),
    elements=st.one_of(st.floats(-0.9, 2.0), st.just(math.nan), st.just(0.0)),
)


def looped(returns: np.ndarray) -> tuple[list[float], list[float]]:
    value, high, values, depths, is_over = 1.0, 1.0, [], [], False
    for one in returns:
        if not math.isnan(one) and not is_over:
            value *= 1.0 + one
        is_over = is_over or value <= 0.0
        high = max(high, value)
        values.append(value)
        depths.append(value / high - 1.0)
    return values, depths


@given(RETURNS)
def test_matches_a_plain_loop(returns):
    values, depths = looped(returns)
    np.testing.assert_allclose(drawdowns.wealth(returns), values, rtol=1e-12)
    np.testing.assert_allclose(drawdowns.drawdowns(returns), depths, rtol=1e-9, atol=1e-12)


@given(RETURNS)
def test_columns_are_independent(returns):
    other = np.full_like(returns, 0.01)
    both = drawdowns.drawdowns(np.column_stack([returns, other]))
    np.testing.assert_array_equal(both[:, 0], drawdowns.drawdowns(returns))
    np.testing.assert_array_equal(both[:, 1], drawdowns.drawdowns(other))


@given(RETURNS)
def test_spells_cover_exactly_what_is_under_water(returns):
    depth = drawdowns.drawdowns(returns)
    found = drawdowns.spells(depth)
    inside = np.zeros(len(depth), bool)
    for start, trough, end in zip(*found, strict=True):
        assert start <= trough < end
        assert depth[trough] == depth[start:end].min()
        assert not inside[start:end].any()
        inside[start:end] = True
        assert start == 0 or depth[start - 1] == 0.0
        assert end == len(depth) or depth[end] == 0.0
    np.testing.assert_array_equal(inside, depth < 0.0)


@pytest.mark.parametrize("loss", [-1.0, -1.3])
def test_compounding_ends_with_everything_lost(loss):
    value = drawdowns.wealth(np.array([0.5, loss, 4.0, -0.5]))
    assert value.tolist() == [1.5, 1.5 * (1 + loss), 1.5 * (1 + loss), 1.5 * (1 + loss)]


def test_the_first_loss_counts():
    assert drawdowns.drawdowns(np.array([-0.25, 0.1]))[0] == -0.25
