"""Accounts: found by owner, broker and number, or opened."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from mismartera_analytics import auth
from mismartera_analytics.arguments import is_one_of, is_whole
from mismartera_analytics.errors import (
    DuplicateError,
    InvalidInputError,
    NotAllowedError,
    UnknownNameError,
    as_given,
    suggestion,
)
from mismartera_analytics.models import AccountInfo, User
from mismartera_analytics.models.retrying import repeated, repeated_until_commit
from mismartera_analytics.recording.ownership import UserLike
from mismartera_analytics.recording.transactions import writing

__all__ = ["create_account", "open_account"]

LENGTHS = {"broker": 50, "account_number": 100, "account_type": 50}


@repeated_until_commit("ma.accounts() lists it if it was created; open_account() returns it.")
def create_account(
    user: UserLike,
    broker: str,
    *,
    account_number: str | None = None,
    account_type: str | None = None,
    currency: str = "USD",
    db_session: Session | None = None,
) -> int:
    """Create an account, without cash.

    Parameters
    ----------
    user
        The owner: a name, an id or a `User`.
    broker
        Its broker, ``"backtest"`` for a simulated account.
    account_number
        Its number there.
    account_type
        ``"cash"`` or ``"margin"``.
    currency
        ISO code of every amount of the account.
    db_session
        Where to write, uncommitted; by default a transaction of its own.

    Returns
    -------
    int
        The account's id.

    Raises
    ------
    DuplicateError
        If the user has an account of that number at that broker; `open_account` returns it.
    InvalidInputError
        If a value is blank, too long or unknown.
    NotAllowedError
        If somebody who is not a superuser creates an account for another user.
    UnknownNameError
        If there is no such user.

    Examples
    --------
    >>> ada = ma.create_user("ada", "ada@example.com", "correct horse")
    >>> create_account(ada, "schwab", account_number="1234-5678")
    2
    """
    _check_texts(broker, account_number, account_type)
    _check_currency(currency)
    with writing(db_session) as own:
        owner = _owner(own, user)
        if _find(own, owner, broker, account_number) is not None:
            raise DuplicateError(
                f"account_number={as_given(account_number)} exists for this user at {broker!r}; "
                f"open_account() returns it."
            )
        account = AccountInfo(
            user_id=owner.id, broker=broker, account_number=account_number,
            account_type=account_type, currency=currency,
        )  # fmt: skip
        own.add(account)
        own.flush()
        return account.id


@repeated
def open_account(
    user: UserLike,
    broker: str,
    *,
    account_number: str | None = None,
    account_type: str | None = None,
    currency: str = "USD",
    db_session: Session | None = None,
) -> int:
    """Return the user's account of that number at that broker; create it where there is none.

    Parameters
    ----------
    user, broker, account_number, account_type, currency, db_session
        As in `create_account`. `account_type` and `currency` count for a new account only.

    Returns
    -------
    int
        The account's id.

    Raises
    ------
    InvalidInputError
        As in `create_account`, and if the account found is kept in another currency.
    NotAllowedError, UnknownNameError
        As in `create_account`.
    """
    _check_texts(broker, account_number, account_type)
    with writing(db_session) as own:
        found = _find(own, _owner(own, user), broker, account_number)
        if found is None:
            return create_account(
                user, broker, account_number=account_number, account_type=account_type,
                currency=currency, db_session=own,
            )  # fmt: skip
        if (found.currency or "USD") != currency:
            raise InvalidInputError(
                f"currency={as_given(currency)}: the account {found.id} is kept in {found.currency!r}."
            )
        return found.id


def _owner(db_session: Session, user: UserLike) -> User:
    column = User.username if isinstance(user, str) else User.id
    value = user.id if isinstance(user, User) else user
    if not isinstance(value, str) and not is_whole(value):
        raise InvalidInputError(f"user={as_given(user)} is not a user name, an id or a User.")
    identity = auth.current_user()
    own = None if identity is None or identity.is_superuser else identity
    if own is not None and value not in (own.user_id, own.username):
        raise NotAllowedError(f"user {own.username!r} may not open accounts for another user.")
    found = db_session.scalar(select(User).where(column == value).options(auth.NO_HASH))
    if found is None:
        hint = suggestion(user, db_session.scalars(select(User.username)))
        raise UnknownNameError(f"user={as_given(user)} is not known{hint or auth.NO_SUCH_USER}")
    return found


def _find(db_session: Session, owner: User, broker: str, number: str | None) -> AccountInfo | None:
    same = AccountInfo.account_number.is_(None) if number is None else (
        AccountInfo.account_number == number
    )  # fmt: skip
    return db_session.scalar(
        select(AccountInfo)
        .where(AccountInfo.user_id == owner.id, AccountInfo.broker == broker, same)
        .order_by(AccountInfo.id)
        .limit(1)
    )


def _check_texts(broker: str, account_number: str | None, account_type: str | None) -> None:
    values = {"broker": broker, "account_number": account_number, "account_type": account_type}
    for name, value in values.items():
        if value is None and name != "broker":
            continue
        if not isinstance(value, str) or not value.strip() or value != value.strip():
            raise InvalidInputError(
                f"{name}={as_given(value)} must be text without blanks at its ends."
            )
        if len(value) > LENGTHS[name] or not value.isprintable():
            raise InvalidInputError(
                f"{name}={as_given(value)} must be printable and have at most {LENGTHS[name]} "
                f"characters."
            )
    if not is_one_of(account_type, (None, "cash", "margin")):
        raise InvalidInputError(
            f"account_type={as_given(account_type)} is not one of cash, margin."
        )


def _check_currency(currency: str) -> None:
    is_code = isinstance(currency, str) and len(currency) == 3 and currency.isascii()
    if not is_code or not currency.isalpha() or not currency.isupper():
        raise InvalidInputError(f"currency={as_given(currency)} is not an ISO code such as 'USD'.")
