"""What a symbol stands for, and what happened to it."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Date, Float, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from mismartera_analytics.models.database import Base
from mismartera_analytics.models.types import Instant, PrimaryKey

__all__ = ["CorporateAction", "Instrument"]


class Instrument(Base):
    """A symbol's meaning from `valid_from` to `valid_to`, both included; null means unbounded.

    A symbol without a row is a US equity quoted in USD with multiplier 1.
    """

    __tablename__ = "instruments"
    __table_args__ = (UniqueConstraint("symbol", "valid_from"),)

    id: Mapped[PrimaryKey]
    symbol: Mapped[str] = mapped_column(String(10), index=True)
    valid_from: Mapped[dt.date | None] = mapped_column(Date)
    valid_to: Mapped[dt.date | None] = mapped_column(Date)
    exchange_group: Mapped[str | None] = mapped_column(String(50), default="US_EQUITY")
    asset_class: Mapped[str | None] = mapped_column(String(50), default="EQUITY")
    currency: Mapped[str | None] = mapped_column(String(3), default="USD")
    multiplier: Mapped[float | None] = mapped_column(Float, default=1.0)

    def __repr__(self) -> str:
        return f"Instrument({self.symbol!r}, {self.exchange_group!r}, {self.currency!r})"


class CorporateAction(Base):
    """A split, cash dividend, change of symbol or delisting, in force from the open of `ex_date`.

    ``action_type`` is SPLIT (`ratio` new shares for one old), CASH_DIVIDEND (`amount` per share
    [currency]), SYMBOL_CHANGE (`new_symbol`) or DELISTING (`amount` that a share brought [currency];
    null means its last close). `known_at` is when it became known; null means on the ex-date.
    """

    __tablename__ = "corporate_actions"
    __table_args__ = (UniqueConstraint("symbol", "action_type", "ex_date"),)

    id: Mapped[PrimaryKey]
    symbol: Mapped[str] = mapped_column(String(10), index=True)
    action_type: Mapped[str] = mapped_column(String(20))
    ex_date: Mapped[dt.date] = mapped_column(Date, index=True)
    ratio: Mapped[float | None] = mapped_column(Float)
    amount: Mapped[float | None] = mapped_column(Float)
    currency: Mapped[str | None] = mapped_column(String(3))
    new_symbol: Mapped[str | None] = mapped_column(String(10))
    known_at: Mapped[Instant | None]
    source: Mapped[str | None] = mapped_column(String(100))

    def __repr__(self) -> str:
        return f"CorporateAction({self.symbol!r}, {self.action_type!r}, {self.ex_date!s})"
