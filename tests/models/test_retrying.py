"""What is repeated, how long, and what is told when it ends."""

from __future__ import annotations

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
