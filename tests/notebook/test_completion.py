"""Completion of tables, columns, parameters and options, as IPython's completer gives it."""

import pandas as pd
import pytest
from IPython.core.completer import provisionalcompleter

import mismartera_analytics as ma
from tests.world import books

__all__ = ["books"]


def offered(shell, text, *, at=None):
    """Return what a Tab offers: the line's end with each completion put in."""
    at = len(text) if at is None else at
    with provisionalcompleter():
        found = list(shell.Completer.completions(text, at))
    return [text[text.rfind("\n", 0, at) + 1 : each.start] + each.text for each in found]


CELL = "%%ma_sql\n"


def test_tables_after_from_and_join(shell, demo_data):
    assert offered(shell, CELL + "select * from ord") == ["select * from orders"]
    assert offered(shell, CELL + "from orders join bars_") == ["from orders join bars_1d"]
    assert offered(shell, CELL + "select *\nfrom orders o\njoin fil") == ["join fills"]
    assert "from account_info" in offered(shell, CELL + "from acc")


def test_columns_of_the_tables_named(shell, demo_data):
    assert offered(shell, CELL + "select clo from bars_1d", at=len(CELL) + 10) == ["select close"]
    text = CELL + "select o.plac from orders as o"
    assert offered(shell, text, at=len(CELL) + 13) == ["select o.placed_at"]
    assert offered(shell, CELL + "from bars_1d where o.clo") == []


def test_secrets_are_no_columns(shell, demo_data):
    assert "hashed_password" not in " ".join(offered(shell, CELL + "from users where "))


def test_frames_and_parameters_of_the_notebook(shell, demo_data):
    shell.push({"my_frame": pd.DataFrame({"weight": [1.0]}), "my_limit": 3})
    assert offered(shell, CELL + "from my_") == ["from my_frame"]
    assert offered(shell, CELL + "from my_frame where wei") == ["from my_frame where weight"]
    assert offered(shell, CELL + "from my_frame where weight > :my") == [
        "from my_frame where weight > :my_limit"
    ]


def test_options_of_the_first_line(shell):
    assert offered(shell, "%%ma_sql held --t") == ["%%ma_sql held --tz"]


def test_one_line_form(shell, demo_data):
    assert offered(shell, "x = %ma_sql from fil") == ["x = %ma_sql from fills"]


def test_python_is_left_alone(shell, demo_data):
    assert offered(shell, "ma.position") == ["ma.positions"]


def test_tables_of_superusers_are_not_offered_to_others(shell, ready_database, books):
    assert "from session_configs" in offered(shell, CELL + "from sess")
    with ma.as_user("ada"):
        assert offered(shell, CELL + "from sess") == []
    assert "from session_configs" in offered(shell, CELL + "from sess")


def test_is_silent_without_a_database(shell):
    assert offered(shell, CELL + "select nothing_ther") == []


@pytest.mark.parametrize(
    "text", ["%%ma_sql", "%%ma_sql\n", "%%ma_sql\n'", "%%ma_sql\nselect (((", "\n\n"]
)
def test_never_raises(shell, demo_data, text):
    offered(shell, text)
