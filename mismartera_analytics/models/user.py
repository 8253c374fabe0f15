"""People who sign in and own accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Boolean, String, func
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from mismartera_analytics.clock import utc_now
from mismartera_analytics.config import HiddenText
from mismartera_analytics.models.database import Base
from mismartera_analytics.models.types import Instant, PrimaryKey, SecretText

if TYPE_CHECKING:
    from mismartera_analytics.models.account import AccountInfo, Position
    from mismartera_analytics.models.orders import Order

__all__ = ["User"]


class User(Base):
    """A person: name, e-mail, password hash and rights.

    A role of the database that stands for a user (`database_role`, PostgreSQL) may not read the hash:
    it has to leave that column out, with ``defer(User.hashed_password)``.
    """

    __tablename__ = "users"

    id: Mapped[PrimaryKey]
    username: Mapped[str] = mapped_column(String(100), unique=True, index=True)
    email: Mapped[str] = mapped_column(String(100), unique=True, index=True)
    hashed_password: Mapped[str] = mapped_column(SecretText(255))
    is_active: Mapped[bool | None] = mapped_column(Boolean, default=True)
    is_superuser: Mapped[bool | None] = mapped_column(Boolean, default=False)
    created_at: Mapped[Instant | None] = mapped_column(default=utc_now, server_default=func.now())
    database_role: Mapped[str | None] = mapped_column(String(63), unique=True, index=True)

    account_info: Mapped[list[AccountInfo]] = relationship(back_populates="user")
    positions: Mapped[list[Position]] = relationship(back_populates="user")
    orders: Mapped[list[Order]] = relationship(back_populates="user")

    @validates("hashed_password")
    def _hidden(self, _name: str, hashed: str) -> str:
        return HiddenText(hashed) if isinstance(hashed, str) else hashed

    def __repr__(self) -> str:
        return f"User(id={self.id!r}, username={self.username!r})"
