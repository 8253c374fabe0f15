"""The docstrings of the facade are complete, as numpydoc sees it."""

from __future__ import annotations

import pytest

import mismartera_analytics as ma

LEFT_OUT = {
    "ES01",  # a second paragraph for its own sake
    "PR03",  # parameters of a kind are described together, whatever their order
    "PR04",  # types, which stand in the signatures
    "PR09",  # a full stop after every list of examples
    "SA01",  # "see also" for its own sake
}
MADE_BY_SQLALCHEMY = {"SessionLocal"}


@pytest.mark.parametrize("name", sorted(set(ma.__all__) - MADE_BY_SQLALCHEMY))
def test_docstring_is_complete(name: str) -> None:
    validate = pytest.importorskip("numpydoc.validate", reason="numpydoc is absent").validate
    found = validate(f"mismartera_analytics.{name}")["errors"]
    assert [fault for fault in found if fault[0] not in LEFT_OUT] == []
