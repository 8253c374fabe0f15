"""People: creating them, signing them in, and whose rows the helpers show."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import defer

from mismartera_analytics import config
from mismartera_analytics.arguments import is_whole, truth
from mismartera_analytics.errors import (
    DuplicateError,
    InvalidInputError,
    MismarteraError,
    NotAllowedError,
    UnknownNameError,
    as_given,
    suggestion,
)
from mismartera_analytics.models import database
from mismartera_analytics.models.connections import impatient
from mismartera_analytics.models.database import read_session, session_scope
from mismartera_analytics.models.database_roles import user_of_role
from mismartera_analytics.models.password_hashes import (
    HASH_LENGTH,
    MAX_COST,
    check_password,
    cost_of,
    is_text,
    password_context,
    verify,
)
from mismartera_analytics.models.retrying import repeated
from mismartera_analytics.models.user import User

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

__all__ = [
    "NO_HASH",
    "Identity",
    "as_user",
    "authenticate_user",
    "create_user",
    "current_user",
    "find_user",
    "set_password",
]

UPGRADE_PATIENCE = 0.5
"""How long a sign-in waits for other writers in order to renew a hash [s]."""
NO_HASH = defer(User.hashed_password)
"""Leaves the hash of users out, which not every role of the database may read."""

NO_SUCH_USER = "; make one with 'mismartera user create' or ma.create_user()."

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Identity:
    """Whose rows are shown: a user, or all of them for a superuser."""

    user_id: int
    username: str
    is_superuser: bool


_identity: ContextVar[Identity | None] = ContextVar("mismartera_identity", default=None)


def _check_text(value: str, *, argument: str) -> None:
    if not isinstance(value, str) or not value.strip() or value != value.strip():
        raise InvalidInputError(
            f"{argument}={as_given(value)} must be text without blanks at its ends."
        )
    if len(value) > 100:
        raise InvalidInputError(f"{argument} has {len(value)} characters; at most 100 are allowed.")
    if not value.isprintable():
        raise InvalidInputError(
            f"{argument}={as_given(value)} holds characters that cannot be printed."
        )


def _hidden(password: str) -> str:
    """Return a password that tracebacks do not show, where it is one."""
    return config.HiddenText(password) if isinstance(password, str) else password


def create_user(
    username: str,
    email: str,
    password: str,
    *,
    superuser: bool = False,
) -> User:
    """Create a user with a hashed password.

    Parameters
    ----------
    username, email
        Both unique; at most 100 characters.
    password
        At most 72 bytes in UTF-8. Only its bcrypt hash is kept.
    superuser
        Whether the user sees every row.

    Returns
    -------
    User
        The new row, detached and readable.

    Raises
    ------
    DuplicateError
        If the name or the e-mail is taken.
    InvalidInputError
        If a value is empty, too long or unprintable.
    NotAllowedError
        If somebody who is not a superuser is signed in by `as_user`.

    Examples
    --------
    >>> ma.create_user("ada", "ada@example.com", "correct horse")
    User(id=2, username='ada')
    """
    password = _hidden(password)
    _check_text(username, argument="username")
    _check_text(email, argument="email")
    if "@" not in email[1:-1]:
        raise InvalidInputError(
            f"email={as_given(email)} is not an address such as 'ada@example.com'."
        )
    check_password(password)
    identity = current_user()
    if identity is not None and not identity.is_superuser:
        raise NotAllowedError(f"user {identity.username!r} may not create users; a superuser may.")
    is_superuser = truth(superuser, "superuser")
    hashed = config.HiddenText(password_context().hash(password))
    return _insert_user(username, email, hashed, superuser=is_superuser)


@repeated
def _insert_user(username: str, email: str, hashed: str, *, superuser: bool) -> User:
    """Write a user's row; the hash, which no other row has, tells one that is there already."""
    own = select(User).where(User.username == username, User.hashed_password == hashed)
    with session_scope() as db_session:
        user = db_session.scalar(own)
        if user is not None:
            return user
        _refuse_taken(db_session, username, email)
        user = User(username=username, email=email, hashed_password=hashed, is_superuser=superuser)
        try:
            with db_session.begin_nested():
                db_session.add(user)
        except IntegrityError:  # PostgreSQL: somebody else took it since; its text shows the hash
            _refuse_taken(db_session, username, email)
            raise
        db_session.refresh(user)
    return user


def _refuse_taken(db_session: Session, username: str, email: str) -> None:
    for column, value in ((User.username, username), (User.email, email)):
        if db_session.scalar(select(func.count()).where(column == value)):
            raise DuplicateError(
                f"{column.key}={as_given(value)} is taken; choose another."
            ) from None


def set_password(user: str | int | User, password: str) -> None:
    """Replace a user's password.

    Parameters
    ----------
    user
        A user name, an id or a `User`.
    password
        At most 72 bytes in UTF-8. Only its bcrypt hash is kept.

    Raises
    ------
    UnknownNameError
        If there is no such user.
    InvalidInputError
        If the password is empty or too long.
    NotAllowedError
        If another user, who is not a superuser, is signed in by `as_user`.

    Examples
    --------
    >>> user = ma.create_user("ada", "ada@example.com", "correct horse")
    >>> set_password("ada", "battery staple")
    >>> ma.authenticate_user("ada", "battery staple")
    User(id=2, username='ada')
    """
    password = _hidden(password)
    check_password(password)
    found = _permitted(user, otherwise="set another user's password")
    _write_hash(found.id, config.HiddenText(password_context().hash(password)))


@repeated
def _write_hash(number: int, hashed: str) -> None:
    with session_scope() as db_session:
        change = update(User).where(User.id == number).values(hashed_password=hashed)
        db_session.execute(change)


def authenticate_user(username: str, password: str) -> User | None:
    """Return the user if the password is right and the user is active, else None.

    Whatever is wrong, it takes the same time: that of the cost in force, or of the highest that any
    stored hash has. Where the cost was raised since the password was set, the hash is renewed.

    Parameters
    ----------
    username, password
        What the person typed.

    Returns
    -------
    User or None
        None where name and password do not fit, whichever of them is wrong.

    Raises
    ------
    DatabaseNotReadyError
        If the database has no tables yet.

    Examples
    --------
    >>> ma.authenticate_user("demo", "wrong") is None
    True
    """
    password = _hidden(password)
    return _authenticated(username, password)


@repeated  # not what is public: its frame would show the arguments as they were given
def _authenticated(username: str, password: str) -> User | None:
    # A name that cannot be stored is looked up as the empty one, which nobody has.
    name = username if is_text(username) and "\0" not in username else ""
    with read_session() as db_session:
        columns = select(User.id, User.hashed_password, User.is_active)
        row = db_session.execute(columns.where(User.username == name)).one_or_none()
        work = max(config.settings().bcrypt_rounds, _highest_cost(db_session))
    number, hashed, is_active = row if row is not None else (0, "", False)
    if not (verify(password, hashed, work=work, counts=bool(is_active)) and is_active):
        return None
    if cost_of(hashed) < config.settings().bcrypt_rounds:
        _renew_hash(number, password, hashed)
    with read_session() as db_session:
        return db_session.get(User, number)


def _highest_cost(db_session: Session) -> int:
    """Return the highest cost among the hashes that are tried."""
    cost = func.substr(User.hashed_password, 5, 2)
    is_tried = (
        User.hashed_password.like("$2_$__$%"),
        func.length(User.hashed_password) == HASH_LENGTH,
        cost.between("04", str(MAX_COST)),
    )
    found = db_session.scalar(select(func.max(cost)).where(*is_tried))
    return int(found) if found is not None and found.isdigit() else 0


def _renew_hash(number: int, password: str, hashed: str) -> None:
    """Replace a hash of a lower cost than is in force; signing in does not depend on it."""
    renewed = config.HiddenText(password_context().hash(password))
    change = update(User).where(User.id == number, User.hashed_password == hashed)
    try:
        with impatient(database.engine, UPGRADE_PATIENCE) as connection:
            connection.execute(change.values(hashed_password=renewed))
    except (MismarteraError, SQLAlchemyError) as error:
        logger.warning(
            "the hash of user %s keeps its old cost, the database cannot be written now (%s).",
            number,
            type(error).__name__,
        )


def current_user() -> Identity | None:
    """Return who is signed in: by `as_user`, else the user that the database's role stands for.

    None means no scope: every row is seen.
    """
    identity = _identity.get()
    if identity is not None:
        return identity
    found = user_of_role()
    return None if found is None else Identity(found.user_id, found.username, found.is_superuser)


@contextlib.contextmanager
def as_user(user: str | int | User) -> Iterator[Identity]:
    """Show, inside the ``with`` block, only what belongs to one user; to a superuser everything.

    The scope belongs to the thread or task that opened it. A thread that is started inside the block
    has none: enter `as_user` there, or run the work in ``contextvars.copy_context()``.

    Parameters
    ----------
    user
        A user name, an id or a `User`.

    Yields
    ------
    Identity

    Raises
    ------
    UnknownNameError
        If there is no such user; the nearest name is suggested.
    NotAllowedError
        If the user is inactive, or somebody who is not a superuser asks for another user.

    Examples
    --------
    >>> with ma.as_user("demo"):
    ...     sorted(ma.positions()["symbol"])
    ['GOOG', 'IBM']
    """
    found = _permitted(user, otherwise="act as another user")
    if not found.is_active:
        raise NotAllowedError(f"user {found.username!r} is inactive.")
    identity = Identity(found.id, found.username, is_superuser=bool(found.is_superuser))
    token = _identity.set(identity)
    try:
        yield identity
    finally:
        _identity.reset(token)


@repeated
def _permitted(user: str | int | User, *, otherwise: str) -> User:
    """Return a user; whoever is signed in and no superuser is refused all others, known or not."""
    identity = current_user()
    with read_session() as db_session:
        found = _lookup(db_session, user)
        is_own = found is not None and identity is not None and found.id == identity.user_id
        if identity is not None and not identity.is_superuser and not is_own:
            raise NotAllowedError(f"user {identity.username!r} may not {otherwise}.")
        return find_user(db_session, user)


def find_user(db_session: Session, user: str | int | User) -> User:
    """Return the row of a user.

    Parameters
    ----------
    db_session
        Where to look.
    user
        A user name, an id or a `User`.

    Raises
    ------
    UnknownNameError
        If there is no such user; the nearest name is suggested.
    InvalidInputError
        If `user` is something else.

    Examples
    --------
    >>> with ma.SessionLocal() as db_session:
    ...     find_user(db_session, "demo")
    User(id=1, username='demo')
    """
    found = _lookup(db_session, user)
    if found is None:
        names = list(db_session.scalars(select(User.username)))
        hint = suggestion(user, names) if isinstance(user, str) else ""
        raise UnknownNameError(f"user={as_given(user)} is not known{hint or NO_SUCH_USER}")
    return found


def _lookup(db_session: Session, user: str | int | User) -> User | None:
    if isinstance(user, str):
        return db_session.scalar(select(User).where(User.username == user).options(NO_HASH))
    number = user.id if isinstance(user, User) else user
    if not is_whole(number):
        raise InvalidInputError(f"user={as_given(user)} is not a user name, an id or a User.")
    return db_session.get(User, int(number), options=[NO_HASH])
