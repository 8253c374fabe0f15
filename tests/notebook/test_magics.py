"""``%%ma_sql`` in a real shell: results, parameters that are never pasted in, frames, users, errors."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mismartera_analytics as ma
from mismartera_analytics.errors import (
    InvalidInputError,
    MismarteraError,
    NotAllowedError,
    UnknownNameError,
)
from mismartera_analytics.notebook.parameters import asked_of
from tests.world import books, prices

__all__ = ["books", "prices"]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def ask(shell, cell):
    """Run a cell and return its value, or raise its error."""
    done = shell.run_cell(cell)
    if done.error_in_exec is not None:
        raise done.error_in_exec
    return done.result


def test_answers_as_the_facade_does(shell, demo_data):
    query = "select symbol, sum(quantity) as shares from orders group by all order by symbol"
    pd.testing.assert_frame_equal(ask(shell, f"%%ma_sql\n{query}"), ma.sql(query))
    pd.testing.assert_frame_equal(ask(shell, f"%ma_sql {query}"), ma.sql(query))


def test_keeps_the_result_under_a_name_and_shows_it(shell, demo_data):
    shown = ask(shell, "%%ma_sql held --tz America/New_York\nfrom positions")
    assert shell.user_ns["held"] is shown
    assert str(shown["last_updated"].dtype) == "datetime64[us, America/New_York]"


@pytest.mark.parametrize("name", ["1st", "a.b", "class", "a-b"])
def test_refuses_what_is_no_name(shell, demo_data, name):
    with pytest.raises(InvalidInputError, match="no name of a variable"):
        ask(shell, f"%%ma_sql {name}\nselect 1")


def test_binds_variables_and_frames(shell, demo_data):
    shell.push({"own": pd.DataFrame({"n": [1, 2, 3]}), "least": 2, "names": ["AAPL", "IBM"]})
    assert ask(shell, "%%ma_sql\nselect n from own where n >= :least")["n"].tolist() == [2, 3]
    asked = "%%ma_sql\nselect distinct symbol from orders where list_contains(:names, symbol)"
    assert set(ask(shell, asked)["symbol"]) == {"AAPL", "IBM"}


def test_a_table_goes_before_a_variable_of_its_name(shell, demo_data):
    shell.push({"orders": pd.DataFrame({"n": [1]})})
    assert len(ask(shell, "%%ma_sql\nfrom orders")) == len(ma.orders())


@pytest.mark.parametrize(
    "value",
    ["x'; drop table orders; --", "' or 1=1 --", "$least", ":least", "null", "1); select 1; --"],
)
def test_a_value_is_never_a_part_of_the_query(shell, demo_data, value):
    shell.push({"value": value, "least": 1})
    assert ask(shell, "%%ma_sql\nselect :value as it")["it"].tolist() == [value]
    assert ask(shell, "%%ma_sql\nselect * from orders where symbol = :value").empty
    assert len(ma.orders()) > 0


def test_names_what_is_missing(shell, demo_data):
    shell.push({"least": 1, "own": pd.DataFrame({"n": [1]})})
    with pytest.raises(UnknownNameError, match="did you mean 'least'"):
        ask(shell, "%%ma_sql\nselect :leest")
    with pytest.raises(InvalidInputError, match="is a frame"):
        ask(shell, "%%ma_sql\nselect :own")
    with pytest.raises(UnknownNameError, match="did you mean 'orders'"):
        ask(shell, "%%ma_sql\nfrom ordrs")
    with pytest.raises(NotAllowedError):
        ask(shell, "%%ma_sql\ndelete from orders")


def test_shows_a_user_their_own_rows(shell, ready_database, books):
    ma.record_orders(
        pd.DataFrame(
            {
                "symbol": ["BOBS"],
                "side": ["BUY"],
                "quantity": [1.0],
                "average_fill_price": [1.0],
                "placed_at": pd.to_datetime(["2025-07-02T14:00Z"]),
                "status": ["FILLED"],
            }
        ),
        account=books.bob,
    )
    assert ask(shell, "%%ma_sql\nfrom orders")["symbol"].tolist() == ["BOBS"]
    with ma.as_user("ada"):
        assert ask(shell, "%%ma_sql\nfrom orders").empty
        with pytest.raises(NotAllowedError):
            ask(shell, "%%ma_sql --user bob\nfrom orders")
    assert ask(shell, "%%ma_sql --user ada\nfrom orders").empty


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("select ':a' as b", ()),
        ('select ":a" from t', ()),
        ("select 1 -- :a", ()),
        ("select /* :a */ 1", ()),
        ("select x::date, y :: int", ()),
        ("select x[1:n], x[:n], x[n:]", ()),
        ("select {'a':b}", ()),
        ("select $$ :a $$", ()),
        ("select :a, [:b, :c], :a", ("a", "b", "c")),
        ("select 'é' , :ä", ("ä",)),
        ("between :start and :end", ("start", "end")),
        ("select $a + :b", ("a", "b")),
        ("", ()),
        ("  \n", ()),
    ],
)
def test_finds_parameters_and_nothing_else(text, names):
    asked = asked_of(text)
    assert set(asked.names) == set(names)
    assert len(asked.query) == len(text)
    if not names:
        assert asked.query == text


@given(st.text(alphabet=st.sampled_from("abé:$'\"-/*[]{}(), \n1"), max_size=30))
def test_changes_colons_into_dollars_and_nothing_else(text):
    asked = asked_of(text)
    assert len(asked.query) == len(text)
    assert all(
        new == old or (new, old) == ("$", ":") for new, old in zip(asked.query, text, strict=True)
    )


def test_settings_are_checked(shell):
    for magic in ("ma_theme", "ma_errors", "ma_frames"):
        with pytest.raises(MismarteraError, match="Allowed:"):
            shell.run_line_magic(magic, "dork")
    shell.run_line_magic("ma_theme", "dark")
