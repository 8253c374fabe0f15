"""Long runs in parts: every row once, in order, and no bar in a log."""

from __future__ import annotations

import pytest

from mismartera_analytics.backtesting import pace


@pytest.mark.parametrize("rows", [0, 1, 4096, 10_000])
@pytest.mark.parametrize("moment", [-1.0, 0.0, 60.0])
def test_parts_make_up_the_whole(rows, moment, monkeypatch, capsys):
    monkeypatch.setattr(pace, "_MOMENT", moment)
    found = [row for part in pace.in_parts(rows, what="run") for row in part]
    assert found == list(range(rows))
    assert capsys.readouterr().err == "", "a log is no terminal"
