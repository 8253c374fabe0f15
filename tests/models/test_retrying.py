"""What is repeated, how long, and what is told when it ends."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from mismartera_analytics.errors import ConnectionLostError
from mismartera_analytics.models import retrying


def test_a_state_that_moves_does_not_use_up_the_patience_for_losses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A large read takes longer than the patience; it has to be read again all the same."""
    monkeypatch.setattr(retrying, "PATIENCE", 0.0)
    attempts: list[int] = []

    @retrying.repeated
    def read() -> int:
        attempts.append(retrying.attempt())
        if len(attempts) < 3:
            raise retrying.StateMovedError("moved")
        return len(attempts)

    assert read() == 3
    assert attempts == [1, 2, 3]
    assert retrying.attempt() == 0


def test_a_loss_ends_with_the_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "PATIENCE", 0.0)
    attempts: list[int] = []

    @retrying.repeated
    def read() -> None:
        attempts.append(retrying.attempt())
        raise ConnectionLostError("gone")

    with pytest.raises(ConnectionLostError, match="gone"):
        read()
    assert attempts == [1]


@pytest.mark.parametrize("is_named", [False, True])
def test_a_second_try_sees_what_the_first_took_from_an_iterator(*, is_named: bool) -> None:
    """Symbols may come from a generator: were it empty the second time, rows would be missing."""
    seen: list[list[str]] = []

    @retrying.repeated
    def read(symbols: Iterable[str]) -> None:
        seen.append(list(symbols))
        if len(seen) < 2:
            raise retrying.StateMovedError("moved")

    given = (name for name in ("IBM", "AAPL"))
    read(symbols=given) if is_named else read(given)
    assert seen == [["IBM", "AAPL"]] * 2
