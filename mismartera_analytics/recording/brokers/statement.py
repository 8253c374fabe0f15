"""What a broker's file says, row by row, before it meets the records."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from mismartera_analytics.errors import InvalidOrderError

__all__ = [
    "UNKNOWN",
    "ActionRow",
    "FillRow",
    "FlowRow",
    "OrderRow",
    "Place",
    "Skipped",
    "Statement",
    "When",
    "refuse_row",
]

When = dt.date | dt.datetime
"""An instant (aware), or a day where the file tells no more."""

UNKNOWN = "UNKNOWN"
"""`order_type` of an order of which a file tells the execution only."""


@dataclass(frozen=True)
class Place:
    """Where a row stands.

    Attributes
    ----------
    file
        The file's name, without its folder.
    row
        ``"line 7"`` or ``"entry 3"``.
    """

    file: str
    row: str

    def __str__(self) -> str:
        return f"{self.file} {self.row}"


@dataclass(frozen=True, kw_only=True)
class OrderRow:
    """An order. Prices [currency/share], commission [currency]; None where the file does not tell.

    Attributes
    ----------
    key
        The broker's id, or what stands for it: see `Statement.has_ids`.
    """

    place: Place
    key: str
    symbol: str
    side: str
    quantity: float
    status: str
    placed_at: When
    filled_at: When | None = None
    filled_quantity: float = 0.0
    average_fill_price: float | None = None
    commission: float | None = None
    order_type: str = UNKNOWN
    price: float | None = None
    stop_price: float | None = None
    time_in_force: str | None = None


@dataclass(frozen=True, kw_only=True)
class FillRow:
    """An execution of an order; `of` is the order's whole quantity where the file tells it."""

    place: Place
    key: str
    order_key: str
    symbol: str
    side: str
    quantity: float
    price: float
    filled_at: dt.datetime
    commission: float | None = None
    of: float | None = None


@dataclass(frozen=True, kw_only=True)
class FlowRow:
    """Money or lots; `is_for_fraction` marks what was paid for a fraction of a share after a split."""

    place: Place
    key: str
    flow_type: str
    occurred_at: When
    amount: float
    symbol: str | None = None
    quantity: float | None = None
    note: str | None = None
    is_for_fraction: bool = False


@dataclass(frozen=True, kw_only=True)
class ActionRow:
    """A split or a change of symbol.

    Attributes
    ----------
    ex_date
        The day from whose open on it is in force.
    ratio
        New shares for one old share; None where only the shares are told.
    before, after
        Shares that the account held, and holds now.
    added
        Shares that came on top of those held.
    """

    place: Place
    symbol: str
    action_type: str
    ex_date: dt.date
    ratio: float | None = None
    before: float | None = None
    after: float | None = None
    added: float | None = None
    new_symbol: str | None = None


@dataclass(frozen=True)
class Skipped:
    """A row that is not recorded, and why; `amount` is the money that it moved [currency]."""

    place: Place
    what: str
    reason: str
    symbol: str | None = None
    amount: float | None = None


@dataclass
class Statement:
    """The rows of one file.

    Attributes
    ----------
    broker
        ``"schwab"``, ``"alpaca"``, or the name that the caller gave.
    has_ids
        Whether keys are the broker's own ids. Otherwise a key is made of a row's content and of how
        often it occurs in the file, and counts within one account only.
    account_hint
        Last digits of the account's number where the file tells them.
    notes
        Sentences that the reader of the import must see.
    """

    broker: str
    has_ids: bool
    account_hint: str | None = None
    orders: list[OrderRow] = field(default_factory=list)
    fills: list[FillRow] = field(default_factory=list)
    flows: list[FlowRow] = field(default_factory=list)
    actions: list[ActionRow] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def refuse_row(place: Place, fault: str) -> InvalidOrderError:
    """Return the error that names a row and its fault.

    Examples
    --------
    >>> refuse_row(Place("x.csv", "line 7"), "the price is missing")
    InvalidOrderError('x.csv line 7: the price is missing.')
    """
    return InvalidOrderError(f"{place}: {fault}.")
