"""Charles Schwab's transactions: CSV as it is exported since years ago, and the newer JSON.

The rows have a day and no id. A row is known by its content (but for the description, which Schwab
rewords) and by how often it occurs in its file. Amounts are to the cent and prices are rounded, so a
fill's price is what its amount says, less the fee.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

from mismartera_analytics.market_data.layout import is_symbol
from mismartera_analytics.recording.brokers.cells import positive
from mismartera_analytics.recording.brokers.files import Source
from mismartera_analytics.recording.brokers.schwab_actions import (
    ACTIONS,
    CANCELS,
    OPTIONS,
    UNSUPPORTED,
)
from mismartera_analytics.recording.brokers.schwab_rows import Row, account_digits, read_rows
from mismartera_analytics.recording.brokers.statement import (
    ActionRow,
    FlowRow,
    OrderRow,
    Place,
    Statement,
    refuse_row,
)

__all__ = ["is_cusip", "read_schwab"]

_CUSIP = re.compile(r"(?=.*\d)[0-9A-Z]{8}\d\Z")
CENT = Decimal("0.01")


def read_schwab(source: Source) -> Statement:
    """Read a file of transactions.

    Parameters
    ----------
    source
        CSV with or without a title and a total, or JSON with ``BrokerageTransactions``.

    Returns
    -------
    Statement
        Oldest rows first.

    Raises
    ------
    InvalidOrderError
        If a row is cut off, a cell cannot be read, a trade does not add up, or the amounts miss the
        file's own total. The line is named.
    """
    rows = _oldest_first(read_rows(source))
    statement = Statement("schwab", has_ids=False, account_hint=account_digits(source))
    if any(later.posted < earlier.posted for earlier, later in pairwise(rows)):
        statement.notes.append(
            f"{source.name}: the days go up and down, so rows of one day may be recorded in another "
            f"order than they happened."
        )
    rows = _without_cancelled(rows, statement)
    exchanged = _exchanges(rows, statement)
    for row in rows:
        if row.place not in exchanged:
            _add(row, statement)
    return statement


def is_cusip(symbol: str) -> bool:
    """Return whether a symbol is a CUSIP, which stands for bonds and for shares of the past.

    Examples
    --------
    >>> is_cusip("912796ZZ1"), is_cusip("GOOGL")
    (True, False)
    """
    return _CUSIP.match(symbol) is not None


def _oldest_first(rows: list[Row]) -> list[Row]:
    """Return the rows as they happened: Schwab puts the newest first."""
    is_descending = len(rows) > 1 and rows[0].posted > rows[-1].posted
    is_one_day = len({row.posted for row in rows}) == 1
    return rows[::-1] if is_descending or is_one_day else rows


def _without_cancelled(rows: list[Row], statement: Statement) -> list[Row]:
    """Take out trades that were cancelled, and the rows that cancel them."""
    gone: set[Place] = set()
    for row in rows:
        word = row.action.casefold()
        if word not in CANCELS:
            continue
        kinds = [CANCELS[word]] if CANCELS[word] else ["buy", "sell"]
        matches = [
            other for other in rows
            if ACTIONS.get(other.action.casefold()) in kinds and other.place not in gone
            and (other.symbol, other.price) == (row.symbol, row.price)
            and abs(other.quantity or 0) == abs(row.quantity or 0) and other.posted <= row.posted
        ]  # fmt: skip
        gone.add(row.place)
        if not matches:
            statement.skipped.append(
                row.skipped(
                    "it cancels a trade that is not in the file; import one that holds both"
                )
            )
            continue
        trade = min(matches, key=lambda other: abs(other.posted - row.effective))
        gone.add(trade.place)
        statement.orders.append(replace(_order(trade), status="CANCELLED", filled_at=None,
                                        filled_quantity=0.0, average_fill_price=None,
                                        commission=None))  # fmt: skip
        statement.skipped.append(replace(row.skipped(f"it cancels {trade.place}"), amount=None))
    return [row for row in rows if row.place not in gone]


def _exchanges(rows: list[Row], statement: Statement) -> set[Place]:
    """Pair rows that take old shares and give new ones: reverse splits and changes of symbol."""
    ours = [row for row in rows if ACTIONS.get(row.action.casefold()) == "exchange"]
    done: set[Place] = set()
    for new in [row for row in ours if (row.quantity or 0) > 0]:
        old = next(
            (row for row in ours if (row.quantity or 0) < 0 and row.place not in done
             and (row.posted, row.action) == (new.posted, new.action)
             and (row.symbol == new.symbol or _begin_alike(row.description, new.description)
                  or len(ours) == 2)),
            None,
        )  # fmt: skip
        if old is None:
            continue
        done |= {old.place, new.place}
        before, after = float(-(old.quantity or 0)), float(new.quantity or 0)
        is_same = is_cusip(old.symbol) or old.symbol == new.symbol
        ex_date = _ex_date(new)
        if not is_same and is_symbol(old.symbol):
            statement.actions.append(
                ActionRow(place=new.place, symbol=old.symbol, action_type="SYMBOL_CHANGE",
                          ex_date=ex_date, new_symbol=new.symbol)
            )  # fmt: skip
        elif "name" in new.action.casefold() or "symbol" in new.action.casefold():
            statement.skipped.append(new.skipped("the file does not tell the former symbol"))
        if before != after:
            name = new.symbol if is_same else old.symbol
            statement.actions.append(
                ActionRow(place=new.place, symbol=name, action_type="SPLIT", ex_date=ex_date,
                          before=before, after=after)
            )  # fmt: skip
    for row in ours:
        if row.place not in done:
            done.add(row.place)
            statement.skipped.append(row.skipped("its counterpart is not in the file"))
    return done


def _begin_alike(one: str, other: str) -> bool:
    first, second = one.split(), other.split()
    return bool(first and second) and first[0].casefold() == second[0].casefold()


def _ex_date(row: Row) -> dt.date:
    """Return the day from which a split holds: it is as of the evening before."""
    return row.posted if row.effective == row.posted else row.effective + dt.timedelta(days=1)


def _add(row: Row, statement: Statement) -> None:
    word = row.action.casefold()
    kind = ACTIONS.get(word)
    if word in OPTIONS or (row.symbol and not is_symbol(row.symbol)):
        statement.skipped.append(
            row.skipped("options and symbols of over 10 characters are not kept")
        )
    elif kind is None:
        known = "the records have no form for it" if word in UNSUPPORTED else "it is not known here"
        statement.skipped.append(row.skipped(f"{known}; record it with record_flows()"))
    elif kind in ("buy", "sell"):
        if is_cusip(row.symbol):
            statement.skipped.append(row.skipped("a CUSIP stands for a bond, which is not kept"))
        else:
            statement.orders.append(_order(row))
    elif kind == "split":
        added = positive(row.quantity, "Quantity", row.place)
        statement.actions.append(
            ActionRow(place=row.place, symbol=row.symbol, action_type="SPLIT",
                      ex_date=_ex_date(row), added=added)
        )  # fmt: skip
    elif kind == "journal" and row.symbol and row.quantity:
        _add_transfer(row, statement)
    else:
        statement.flows.append(_flow(row, kind))


def _order(row: Row) -> OrderRow:
    if not row.symbol:
        raise refuse_row(row.place, f"{row.action} has no symbol")
    quantity = abs(row.quantity or Decimal(0))
    if not quantity:
        raise refuse_row(row.place, f"{row.action} has no quantity")
    side = "BUY" if ACTIONS[row.action.casefold()] == "buy" else "SELL"
    if side == "BUY" and row.quantity is not None and row.quantity < 0:
        raise refuse_row(row.place, f"{row.action} has the negative quantity {row.quantity}")
    return OrderRow(
        place=row.place, key=row.key, symbol=row.symbol, side=side, quantity=float(quantity),
        status="FILLED", placed_at=row.effective, filled_at=row.effective,
        filled_quantity=float(quantity), commission=float(row.fees),
        average_fill_price=_price(row, quantity, side),
    )  # fmt: skip


def _price(row: Row, quantity: Decimal, side: str) -> float:
    """Return the price that makes quantity, price and fee the amount to the cent."""
    if row.amount is None:
        if row.price is None:
            raise refuse_row(row.place, f"{row.action} has neither a price nor an amount")
        return float(row.price)
    gross = -row.amount - row.fees if side == "BUY" else row.amount + row.fees
    exact = gross / quantity
    if row.price is None:
        if exact <= 0:
            raise refuse_row(row.place, f"the amount {row.amount} is none of a {row.action}")
        return float(exact)
    shown = Decimal(1).scaleb(min(_exponent(row.price), -2)) / 2
    counted = Decimal(1).scaleb(min(_exponent(quantity), -3)) / 2
    slack = quantity * shown + row.price * counted + CENT
    if abs(exact - row.price) * quantity > slack:
        raise refuse_row(
            row.place,
            f"{quantity} at {row.price} and fees of {row.fees} do not make the amount {row.amount}",
        )
    return float(exact)


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _flow(row: Row, kind: str) -> FlowRow:
    if row.amount is None:
        raise refuse_row(row.place, f"{row.action} has no amount")
    amount = float(row.amount)
    flow_type = {
        "dividend": "DIVIDEND", "interest": "INTEREST", "fee": "FEE", "journal": "TRANSFER",
        "withheld": "DIVIDEND" if row.symbol else "INTEREST",
        "money": "DEPOSIT" if amount > 0 else "WITHDRAWAL",
    }[kind]  # fmt: skip
    if flow_type in ("DEPOSIT", "WITHDRAWAL") and amount == 0:
        flow_type = "TRANSFER"
    note = f"{row.action}: {row.description}" if row.description else row.action
    return FlowRow(
        place=row.place, key=row.key, flow_type=flow_type, occurred_at=row.effective,
        amount=amount, note=note,
        symbol=row.symbol or None if flow_type in ("DIVIDEND", "INTEREST", "FEE") else None,
        is_for_fraction=row.action.casefold() == "cash in lieu" and bool(row.symbol),
    )  # fmt: skip


def _add_transfer(row: Row, statement: Statement) -> None:
    quantity = float(row.quantity or 0)
    if quantity > 0 and row.price is None:
        statement.skipped.append(
            row.skipped(
                "the file does not tell what the shares cost; record them with record_flows()"
            )
        )
        return
    cost = 0.0 if row.price is None or quantity < 0 else float(row.price) * quantity
    statement.flows.append(
        FlowRow(place=row.place, key=row.key, flow_type="TRANSFER", occurred_at=row.effective,
                amount=cost, symbol=row.symbol, quantity=quantity, note=row.action)
    )  # fmt: skip
