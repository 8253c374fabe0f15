"""A comparison of a printed model with ours: columns, types, lengths, defaults and uniqueness."""

from given_names import *

import mismartera_analytics.models as ours

Base = declarative_base()


def described(table):
    columns = {}
    for column in table.columns:
        kind = getattr(column.type, "impl", column.type)
        columns[column.name] = (
            type(kind),
            getattr(kind, "length", None),
            getattr(kind, "timezone", None),
            column.nullable,
            bool(column.unique),
            bool(column.index),
            column.default.arg if column.default and column.default.is_scalar else None,
            {key.target_fullname for key in column.foreign_keys},
        )
    return columns


def unique(table):
    constraints = [c for c in table.constraints if isinstance(c, UniqueConstraint)]
    return {tuple(column.name for column in c.columns) for c in constraints}


def check_same_columns(printed):
    mapped = getattr(ours, printed.__name__)
    mine, theirs = described(mapped.__table__), described(printed.__table__)
    assert {name: mine[name] for name in theirs} == theirs, (mine, theirs)
    assert list(mine)[: len(theirs)] == list(theirs)
    assert all(mine[name][3] for name in mine if name not in theirs), "additions are nullable"
    assert unique(mapped.__table__) == unique(printed.__table__)
