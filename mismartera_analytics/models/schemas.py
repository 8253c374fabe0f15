"""Bars kept in the database for specific queries; the bar store is their primary home."""

from __future__ import annotations

from sqlalchemy import Float, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from mismartera_analytics.models.database import Base
from mismartera_analytics.models.types import Instant, PrimaryKey

__all__ = ["MarketData"]


class MarketData(Base):
    """One bar: prices [currency], volume [shares], `timestamp` its start."""

    __tablename__ = "market_data"
    __table_args__ = (UniqueConstraint("symbol", "timestamp", "interval"),)

    id: Mapped[PrimaryKey]
    symbol: Mapped[str | None] = mapped_column(String(10), index=True)
    timestamp: Mapped[Instant | None] = mapped_column(index=True)
    interval: Mapped[str | None] = mapped_column(String(10), default="1m")
    open: Mapped[float] = mapped_column(Float)
    high: Mapped[float] = mapped_column(Float)
    low: Mapped[float] = mapped_column(Float)
    close: Mapped[float] = mapped_column(Float)
    volume: Mapped[int | None] = mapped_column(Integer, default=0)

    def __repr__(self) -> str:
        return f"MarketData({self.symbol!r}, {self.timestamp!s}, {self.interval!r}, {self.close!r})"
