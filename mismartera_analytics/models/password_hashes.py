"""Hashes of passwords: making them, trying them, and what that costs."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from mismartera_analytics import config
from mismartera_analytics.errors import InvalidInputError

if TYPE_CHECKING:
    from passlib.context import CryptContext

__all__ = [
    "HASH_LENGTH",
    "MAX_COST",
    "MAX_PASSWORD_BYTES",
    "check_password",
    "cost_of",
    "is_text",
    "password_context",
    "verify",
]

MAX_PASSWORD_BYTES = 72
MAX_COST = 18
"""Hashes of a higher cost [log2 of iterations] are not tried: one would hold up every sign-in."""
HASH_LENGTH = 60
_HASH = re.compile(rf"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{{{HASH_LENGTH - 7}}}\Z")
_NOBODYS = "." * 22 + "O" * 31
"""Salt and digest that no password has: trying one against it costs what it costs."""


@functools.lru_cache(maxsize=4)
def _password_context(rounds: int) -> CryptContext:
    from passlib.context import CryptContext

    return CryptContext(schemes=["bcrypt"], deprecated="auto", bcrypt__rounds=rounds)


def password_context() -> CryptContext:
    """Return what makes and tries hashes, at the cost in force."""
    return _password_context(config.settings().bcrypt_rounds)


def is_text(value: object) -> bool:
    """Return whether a value is text that UTF-8 can hold: no lone surrogate."""
    return isinstance(value, str) and not any("\ud800" <= char <= "\udfff" for char in value)


def check_password(password: str) -> None:
    """Refuse a password that bcrypt would not read to its end.

    Raises
    ------
    InvalidInputError
        If it is empty, no text, too long, or holds NUL or half a character.
    """
    if not isinstance(password, str) or not password:
        raise InvalidInputError("password is empty; give at least one character.")
    if not is_text(password):
        raise InvalidInputError("password holds half of a character, which no keyboard types.")
    size = len(password.encode())
    if size > MAX_PASSWORD_BYTES:
        raise InvalidInputError(
            f"password has {size} bytes in UTF-8; bcrypt reads at most {MAX_PASSWORD_BYTES}, so a "
            f"longer one is refused."
        )
    if "\0" in password:
        raise InvalidInputError(
            "password holds a NUL character, at which bcrypt would stop reading."
        )


def cost_of(hashed: str) -> int:
    """Return the cost of a hash, 0 where it cannot be tried."""
    found = _HASH.match(hashed)
    cost = int(found[1]) if found is not None else 0
    return cost if 4 <= cost <= MAX_COST else 0


def verify(password: str, hashed: str, *, work: int, counts: bool) -> bool:
    """Return whether a password has a hash.

    What is refused takes the time of 2**`work` iterations, whatever the cost of the hash: one of cost c
    is filled up with hashes of c, c + 1, … work - 1, which is as much. So does what is right and does
    not count.
    """
    import bcrypt

    is_readable = (
        is_text(password) and len(password.encode()) <= MAX_PASSWORD_BYTES and "\0" not in password
    )
    tried = password if is_readable else config.HiddenText()
    cost = cost_of(hashed)
    told = hashed if cost else f"$2b${work:02d}${_NOBODYS}"
    is_right = password_context().verify(tried, told) and is_readable and cost > 0
    if not (is_right and counts):
        for rounds in range(cost or work, work):
            bcrypt.hashpw(tried.encode(), f"$2b${rounds:02d}${_NOBODYS[:22]}".encode())
    return is_right
