"""Whose rows a call may see or change: the user signed in, narrowed by what the caller names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from mismartera_analytics.arguments import is_whole
from mismartera_analytics.auth import current_user, find_user
from mismartera_analytics.errors import (
    DatabaseUnreachableError,
    InvalidInputError,
    NotAllowedError,
    UnknownNameError,
    as_given,
    suggestion,
)
from mismartera_analytics.models import AccountInfo, User
from mismartera_analytics.models.database import read_session

__all__ = [
    "AccountLike",
    "Scope",
    "UserLike",
    "account_of",
    "only_account",
    "reading",
    "refuse_others_than_superusers",
    "scope_of",
]

UserLike = str | int | User
"""A user name, an id or a `User`."""
AccountLike = int | str | AccountInfo
"""An account's id, its number at the broker, or an `AccountInfo`."""


@dataclass(frozen=True)
class Scope:
    """The rows that a call may show.

    Attributes
    ----------
    user_id
        Owner of the rows; None shows everybody's, ownerless rows included.
    accounts
        Ids of the accounts; None shows all of the owner, rows without an account included.
    """

    user_id: int | None
    accounts: tuple[int, ...] | None

    def rows(self, table: Any) -> list[ColumnElement[bool]]:
        """Return the conditions for a table with `account_id`, and `user_id` where it has one."""
        conditions: list[ColumnElement[bool]] = []
        if self.accounts is not None:
            conditions.append(table.account_id.in_(self.accounts))
        if self.user_id is not None:
            own = select(AccountInfo.id).where(AccountInfo.user_id == self.user_id)
            owned = table.account_id.in_(own)
            if hasattr(table, "user_id"):
                unbooked = and_(table.account_id.is_(None), table.user_id == self.user_id)
                owned = or_(owned, unbooked)
            conditions.append(owned)
        return conditions


@contextmanager
def reading(db_session: Session | None) -> Iterator[Session]:
    """Give the caller's database session, or one of its own that cannot write."""
    if db_session is not None:
        yield db_session
        return
    with read_session() as own:
        yield own


def scope_of(
    db_session: Session,
    *,
    user: UserLike | None = None,
    account: AccountLike | Sequence[AccountLike] | None = None,
    broker: str | None = None,
) -> Scope:
    """Return the scope of a call: who is signed in, narrowed by its filters.

    Raises
    ------
    NotAllowedError
        If somebody who is not a superuser asks for another user's rows.
    UnknownNameError
        If the user, account or broker is not known to whoever asks; the nearest name is suggested.
    """
    owner = _owner(db_session, user)
    if account is None and broker is None:
        return Scope(owner, None)
    known = _known_accounts(db_session, owner, named=account if broker is None else None)
    if broker is not None:
        brokers: set[str] = {row[2] for row in known}
        if not isinstance(broker, str) or broker not in brokers:
            hint = suggestion(broker, brokers) or "."
            raise UnknownNameError(f"broker={as_given(broker)} is not known{hint}")
        known = [row for row in known if row[2] == broker]
    if account is None:
        return Scope(owner, tuple(row[0] for row in known))
    several = isinstance(account, Iterable) and not isinstance(account, str | np.ndarray)
    wanted: Any = account if several else [account]
    return Scope(owner, tuple(_account_id(one, known) for one in wanted))


def account_of(db_session: Session, account: AccountLike) -> AccountInfo:
    """Return one account, which must belong to whoever is signed in, superusers excepted.

    Raises
    ------
    UnknownNameError
        If the account is not known to whoever asks.
    InvalidInputError
        If several accounts have that number.
    """
    known = _known_accounts(db_session, _owner(db_session, None), named=account)
    found = db_session.get(AccountInfo, _account_id(account, known))
    assert found is not None
    return found


def only_account(
    db_session: Session, *, user: UserLike | None = None, account: AccountLike | None = None
) -> AccountInfo:
    """Return the account that is named, or the only one that there is.

    Raises
    ------
    InvalidInputError
        If none is named and there is none, or more than one.
    UnknownNameError, NotAllowedError
        As in `scope_of`.
    """
    known = _known_accounts(db_session, _owner(db_session, user), named=account)
    if account is None and len(known) != 1:
        some = ", ".join(str(row[0]) for row in known[:10]) or "none"
        raise InvalidInputError(f"account= is needed; the accounts that you can see: {some}.")
    number = known[0][0] if account is None else _account_id(account, known)
    found = db_session.get(AccountInfo, number)
    assert found is not None
    return found


def _known_accounts(
    db_session: Session, owner: int | None, *, named: Any = None
) -> list[tuple[Any, ...]]:
    """Return the accounts of an owner; of one that is named by its id that row alone."""
    statement = select(AccountInfo.id, AccountInfo.account_number, AccountInfo.broker)
    if owner is not None:
        statement = statement.where(AccountInfo.user_id == owner)
    number = named.id if isinstance(named, AccountInfo) else named
    if is_whole(number):
        one = db_session.execute(statement.where(AccountInfo.id == int(number))).one_or_none()
        if one is not None:
            return [tuple(one)]
    return [tuple(row) for row in db_session.execute(statement.order_by(AccountInfo.id))]


def _owner(db_session: Session, user: UserLike | None) -> int | None:
    identity = current_user()
    own = None if identity is None or identity.is_superuser else identity
    if user is None:
        return own.user_id if own else None
    if own is not None:
        if isinstance(user, str | Integral | User) and (
            user == own.username or getattr(user, "id", user) == own.user_id
        ):
            return own.user_id
        raise NotAllowedError(f"user {own.username!r} may see only their own rows.")
    return find_user(db_session, user).id


def _account_id(account: AccountLike, known: list[tuple[Any, ...]]) -> int:
    if isinstance(account, str):
        found = [row[0] for row in known if row[1] == account]
        if len(found) > 1:
            raise InvalidInputError(
                f"account={as_given(account)} is the number of several accounts; pass one of the "
                f"ids {found}."
            )
        if not found:
            hint = suggestion(account, [row[1] for row in known if row[1]])
            raise UnknownNameError(f"account={as_given(account)} is not known{hint or '.'}")
        return int(found[0])
    number = account.id if isinstance(account, AccountInfo) else account
    if not is_whole(number):
        raise InvalidInputError(
            f"account={as_given(account)} is not an id, a number or an AccountInfo."
        )
    if number not in {row[0] for row in known}:
        some = ", ".join(str(row[0]) for row in known[:10]) or "none"
        raise UnknownNameError(f"account={number} is not known; there are: {some}.")
    return int(number)


def refuse_others_than_superusers(what: str) -> None:
    """Let nobody who is signed in, but superusers, do what concerns everybody's rows.

    A configured database that does not answer signs nobody in: what is done then concerns another one,
    or is to say that it does not answer.

    Parameters
    ----------
    what
        What they may not do.

    Raises
    ------
    NotAllowedError
        If somebody else is signed in, by `as_user` or by the database's role.
    """
    try:
        identity = current_user()
    except DatabaseUnreachableError:
        return
    if identity is not None and not identity.is_superuser:
        raise NotAllowedError(f"user {identity.username!r} may not {what}; a superuser may.")
