"""Splits and changes of symbol that a file tells, compared with those recorded.

A corporate action is a fact for all users. One that lacks is recorded where nobody is signed in or a
superuser is; for anybody else it is reported. One that is recorded is never changed.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from fractions import Fraction

from sqlalchemy import select
from sqlalchemy.orm import Session

from mismartera_analytics import auth, clock
from mismartera_analytics.models import AccountInfo, CashFlow, CorporateAction, Order
from mismartera_analytics.recording import books, marks
from mismartera_analytics.recording.brokers.statement import ActionRow, Skipped
from mismartera_analytics.recording.companies import companies_of
from mismartera_analytics.recording.holdings import holdings_at

__all__ = ["SplitsDone", "likely_ratio", "record_splits"]

NEAR = dt.timedelta(days=7)
"""An action of the same kind and symbol so close is the same one."""
EXACT = 1e-4  # shares by which a fractional holding may be rounded


@dataclass
class SplitsDone:
    """What became of the actions in a file.

    Attributes
    ----------
    new, known
        How many were written, and how many were there.
    skipped
        Those that could not be recorded.
    fractions
        By symbol: ex-dates, and the fraction of a share that was paid in cash [shares].
    """

    new: int = 0
    known: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    fractions: dict[str, list[tuple[dt.date, float]]] = field(default_factory=dict)


def likely_ratio(before: float, after: float) -> Fraction | None:
    """Return the simplest ratio of new to old shares that makes `after` out of `before`.

    Parameters
    ----------
    before, after
        Shares held [shares]. A fraction of a share may have been paid in cash.

    Returns
    -------
    fractions.Fraction or None
        None where no simple ratio fits.

    Examples
    --------
    >>> likely_ratio(1, 10), likely_ratio(14684, 587), likely_ratio(10.5, 15.75)
    (Fraction(10, 1), Fraction(1, 25), Fraction(3, 2))
    """
    if not before > 0 or not after > 0:
        return None
    for slack in (EXACT, 1.0):
        for ratio in _SIMPLE:
            if ratio != 1 and -EXACT <= before * float(ratio) - after < slack:
                return ratio
    return None


_SIMPLE = sorted(
    {Fraction(top, bottom) for top in range(2, 11) for bottom in range(1, 5)}
    | {Fraction(1, bottom) for bottom in range(1, 501)}
    | {Fraction(top, 1) for top in range(1, 101)},
    key=lambda ratio: (ratio.numerator + ratio.denominator, ratio),
)


def record_splits(
    db_session: Session, account: AccountInfo, rows: list[ActionRow], *, source: str
) -> SplitsDone:
    """Record the actions that lack.

    Parameters
    ----------
    db_session
        Where the account's other rows are written already.
    account
        Whose holdings tell a ratio that the file does not.
    rows
        Of the files.
    source
        Of the rows that are written.

    Returns
    -------
    SplitsDone
    """
    done = SplitsDone()
    for row in _by_session(db_session, rows):
        held = _held(db_session, account, row)
        near = _recorded(db_session, row)
        ratio = None if row.action_type == "SYMBOL_CHANGE" else _ratio(row, held, near)
        reason = _objection(row, ratio, near, held)
        if reason is not None:
            done.skipped.append(Skipped(row.place, row.action_type, reason, row.symbol))
            continue
        if near is None:
            db_session.add(
                CorporateAction(
                    symbol=row.symbol, action_type=row.action_type, ex_date=row.ex_date,
                    ratio=ratio, new_symbol=row.new_symbol, source=source,
                )
            )  # fmt: skip
            db_session.flush()
            done.new += 1
        else:
            done.known += 1
        if ratio is not None and row.before and row.after:
            fraction = row.before * ratio - row.after
            if EXACT < fraction < 1:
                done.fractions.setdefault(row.symbol, []).append((row.ex_date, fraction))
    return done


def _by_session(db_session: Session, rows: list[ActionRow]) -> list[ActionRow]:
    """Return the rows by date, a date without a session moved to the next one."""
    if not rows:
        return []
    calendar = marks.market(db_session)
    moved = [
        row if calendar.is_session(row.ex_date)
        else replace(row, ex_date=calendar.next_session(row.ex_date))
        for row in rows
    ]  # fmt: skip
    return sorted(moved, key=lambda row: (row.ex_date, row.action_type))


def _held(db_session: Session, account: AccountInfo, row: ActionRow) -> float:
    """Return the shares that the records hold before the ex-date."""
    if row.added is None:
        return row.before or 0.0
    zone = marks.market(db_session).timezone
    moment = clock.local_instant(row.ex_date, dt.time(), zone)
    fills = books.usable_fills(
        db_session, books.read_fills(db_session, Order.account_id == account.id)
    )
    flows = books.read_flows(db_session, CashFlow.account_id == account.id)
    companies = companies_of(db_session, None, traded={*fills["symbol"], *flows["symbol"].dropna()})
    held = holdings_at(db_session, fills, flows, moment)
    is_ours = (held["symbol"] == row.symbol) | (
        held["symbol"].map(companies.symbol_of) == row.symbol
    )
    return float(held.loc[is_ours, "quantity"].sum())


def _recorded(db_session: Session, row: ActionRow) -> CorporateAction | None:
    return db_session.scalar(
        select(CorporateAction)
        .where(
            CorporateAction.symbol == row.symbol,
            CorporateAction.action_type == row.action_type,
            CorporateAction.ex_date.between(row.ex_date - NEAR, row.ex_date + NEAR),
        )
        .limit(1)
    )


def _ratio(row: ActionRow, held: float, near: CorporateAction | None) -> float | None:
    if row.ratio is not None:
        return row.ratio
    after = row.after if row.added is None else held + row.added
    if near is not None and near.ratio and after is not None and held > 0:
        lack = held * near.ratio - after
        if -EXACT <= lack < 1:  # the recorded ratio explains the row
            return near.ratio
    found = likely_ratio(held, after or 0.0)
    return None if found is None else float(found)


def _objection(
    row: ActionRow, ratio: float | None, near: CorporateAction | None, held: float
) -> str | None:
    """Return why an action cannot be recorded, or None."""
    if near is not None:
        if row.action_type == "SPLIT" and ratio is not None and near.ratio != ratio:
            return (
                f"recorded is a ratio of {near.ratio:g} on {near.ex_date}, the row says {ratio:g}"
            )
        if row.action_type == "SYMBOL_CHANGE" and near.new_symbol != row.new_symbol:
            return f"recorded is a change to {near.new_symbol!r} on {near.ex_date}"
        return None
    if row.action_type == "SPLIT" and ratio is None:
        return (
            f"the records hold {held:g} {row.symbol} before {row.ex_date}, so the ratio cannot be "
            f"told; record it with market_data.actions.record_actions()"
        )
    identity = auth.current_user()
    if identity is not None and not identity.is_superuser:
        told = f"to {row.new_symbol}" if row.new_symbol else f"of {ratio:g} new for one old share"
        return f"a {row.action_type} {told} counts for all users, so a superuser has to record it"
    return None
