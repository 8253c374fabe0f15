"""Stored configurations of the trading system's sessions."""

from __future__ import annotations

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from mismartera_analytics.models.database import Base
from mismartera_analytics.models.types import Instant, PrimaryKey

__all__ = ["SessionConfig"]


class SessionConfig(Base):
    """A named configuration: one JSON object, kept as it was written."""

    __tablename__ = "session_configs"

    id: Mapped[PrimaryKey]
    name: Mapped[str] = mapped_column(String(100), unique=True)
    config_json: Mapped[str] = mapped_column(Text)
    created_at: Mapped[Instant | None]
    updated_at: Mapped[Instant | None]

    def __repr__(self) -> str:
        return f"SessionConfig(id={self.id!r}, name={self.name!r})"
