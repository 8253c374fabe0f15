"""Codes and record layouts that the matching kernel shares with its callers."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

__all__ = ["ACTION", "FILL", "ORDER", "RULES", "STATE", "Records", "Times"]

Records = np.ndarray[Any, Any]
"""An array of one of the record types below."""


class Times(NamedTuple):
    """The rows of the clock as each calendar of the run sees them.

    Attributes
    ----------
    start
        (calendars, rows) first instant of the bars of a row [us since 1970, UTC].
    end
        (rows,) first instant after the row's bars [us].
    session
        (calendars, rows) ordinal of the session of each row.
    flags
        (calendars, rows) bits: ``REGULAR``, ``LAST_OF_SESSION``.
    final
        (calendars,) ordinal of the session to which orders placed at the last row's end belong.
    calendar
        (symbols,) number of each symbol's calendar.
    """

    start: Any
    end: Any
    session: Any
    flags: Any
    final: Any
    calendar: Any


# Order types
MARKET: Final = 0
LIMIT: Final = 1
STOP: Final = 2
STOP_LIMIT: Final = 3
TRAILING_STOP: Final = 4

# Times in force
DAY: Final = 0
GTC: Final = 1
OPG: Final = 2
CLS: Final = 3

# How an order's size is meant
UNITS: Final = 0  # shares
PERCENT: Final = 1  # fraction of the account's value
TARGET: Final = 2  # position's share of the account's value after the fill
ALL_CASH: Final = 3  # whatever the cash pays for, or as much sold short

# On what an order depends, looked at when it is placed
ALWAYS: Final = 0
IF_FLAT: Final = 1  # no position and no working order of the symbol
IF_LONG: Final = 2
IF_SHORT: Final = 3
IF_LEAVING: Final = 4  # flat or held the other way, and no working order but the one that closes it
FORCED: Final = 5  # placed by the kernel itself, which puts it where it belongs

# Status
WAITING: Final = 0  # a bracket's child before its parent fills: not an order yet
WORKING: Final = 1
FILLED: Final = 2
CANCELLED: Final = 3
REJECTED: Final = 4
EXPIRED: Final = 5
VOID: Final = 6  # there was nothing to do: not an order at all

# Why an order ended as it did
NO_REASON: Final = 0
NO_CASH: Final = 1
NO_SHARES: Final = 2
NO_SIZE: Final = 3
NO_PRICE: Final = 4
REPLACED: Final = 5
BY_STRATEGY: Final = 6
OTHER_FILLED: Final = 7
NOT_HELD: Final = 8
NO_MARGIN: Final = 9
NO_BARS: Final = 10
DELISTED: Final = 11
MARGIN_CALL: Final = 12

# Kinds of ACTION
ON_SHARES: Final = 0  # a split or a dividend
BORROW: Final = 1  # the fee for shares sold short
INTEREST: Final = 2  # on the cash balance
ENDING: Final = 3  # a delisting
OVER_TRADE: Final = 20
OVER_SYMBOL: Final = 21
OVER_POSITIONS: Final = 22
OVER_BUYING_POWER: Final = 23

# Moments of a bar, in their order
NEVER: Final = -1
AT_OPEN: Final = 0
INSIDE: Final = 1
AT_CLOSE: Final = 2
AT_DECISION: Final = 3  # the deciding bar's own close
AT_CALL: Final = 4  # the open, before all other orders

# Modes of RULES["fill"]
NEXT_OPEN: Final = 0
NEXT_CLOSE: Final = 1
SAME_CLOSE: Final = 2

# Modes of RULES["path"]
PESSIMISTIC: Final = 0
BEST: Final = 1
OHLC: Final = 2

# Bits of a row's flags
REGULAR: Final = 1
LAST_OF_SESSION: Final = 2

ORDER: Final = np.dtype(
    [
        ("placed", "i8"),  # instant [us since 1970, UTC]
        ("size", "f8"),  # as `sizing` says
        ("quantity", "f8"),  # shares, once known
        ("limit", "f8"),
        ("stop", "f8"),
        ("price", "f8"),  # of the bar at hand, before slippage
        ("fill_price", "f8"),
        ("fee", "f8"),
        ("filled", "f8"),  # shares so far, at `fill_price` on average
        ("trail", "f8"),  # distance of a trailing stop [currency/share]
        ("rate", "f8"),  # the same as a fraction; of a child, of the price its parent filled at
        ("row", "i4"),  # the bar at whose end it was decided; eligible from the next
        ("session", "i4"),  # ordinal of the last session in which it works
        ("symbol", "i4"),
        ("fill_row", "i4"),
        ("parent", "i4"),  # of a bracket's child, else -1
        ("group", "i4"),  # of orders that cancel one another: k + 1, or -(k + 1) for children of k
        ("side", "i1"),  # +1 buy, -1 sell, 0 not known before the fill
        ("type", "i1"),
        ("tif", "i1"),
        ("sizing", "i1"),
        ("condition", "i1"),
        ("status", "i1"),
        ("reason", "i1"),
        ("triggered", "i1"),
        ("is_target", "i1"),
        ("moment", "i1"),  # of the bar at hand
        ("goes_first", "i1"),  # of that moment's orders
        ("children", "i1"),  # how many of the orders that follow are its bracket
        ("ambiguous", "i1"),  # whether the path inside the bar at hand decides
    ],
    align=True,
)

FILL: Final = np.dtype(
    [
        ("order", "i8"),
        ("row", "i8"),
        ("moment", "i8"),
        ("symbol", "i8"),
        ("quantity", "f8"),  # signed
        ("price", "f8"),
        ("fee", "f8"),
        ("ambiguous", "i8"),  # whether the path inside the bar decided
    ]
)

ACTION: Final = np.dtype(
    [
        ("row", "i8"),  # first row at which it is in force
        ("at", "i8"),  # instant from which orders are placed in new shares [us]
        ("symbol", "i8"),
        ("ratio", "f8"),  # new shares for one old
        (
            "amount",
            "f8",
        ),  # dividend per share; of a delisting what one share brings, NaN: its last close
        ("kind", "i8"),
        ("nights", "f8"),  # since the session before, of borrow fees and interest
        ("paid", "f8"),  # what the account received, once in force
    ]
)

STATE: Final = np.dtype(
    [
        ("row", "i8"),  # next row to work on
        ("orders", "i8"),  # placed so far
        ("active", "i8"),  # of these, taken into the book so far
        ("working", "i8"),
        ("fills", "i8"),
        ("actions", "i8"),  # applied so far
        ("linked", "i8"),  # orders that others cancel, taken into the book so far
        ("watched", "i8"),  # whether anything is held of which a margin call may ask
        ("ambiguous", "i8"),  # decisions so far that hung on the path inside a bar
        ("cash", "f8"),
    ]
)

RULES: Final = np.dtype(
    [
        ("fill", "i8"),
        ("limit_through", "i8"),
        ("size_at_decision", "i8"),
        ("whole", "i8"),
        ("partial_on_cash", "i8"),
        ("fee_rate", "f8"),
        ("fee_per_share", "f8"),
        ("fee_per_order", "f8"),
        ("fee_minimum", "f8"),
        ("fee_maximum", "f8"),
        ("slip_rate", "f8"),
        ("slip_amount", "f8"),
        ("delay", "i8"),  # rows by which every order arrives late
        ("slip_impact", "f8"),
        ("volume_limit", "f8"),  # share of a bar's volume; 0 is none
        ("path", "i8"),
        ("bracket_next", "i8"),  # whether children wait for the bar after the entry's
        ("sell_rate", "f8"),
        ("sell_per_share", "f8"),
        ("sell_maximum", "f8"),  # of what is charged per share sold
        ("forces", "i8"),  # whether the kernel may place orders itself
        ("margin", "i8"),
        ("leverage", "f8"),  # gross exposure over equity
        ("keeps", "i8"),  # whether the account must keep the following shares of its positions
        ("keep_long", "f8"),
        ("keep_short", "f8"),
        ("borrow_rate", "f8"),  # a year of 360 days
        ("credit_rate", "f8"),
        ("debit_rate", "f8"),
        ("limited", "i8"),  # whether any of the following is finite
        ("max_trade_value", "f8"),
        ("max_symbol_value", "f8"),
        ("max_positions", "f8"),
        ("max_exposure", "f8"),
    ]
)
