"""Brokerage accounts, the positions they hold and the cash that flows through them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from sqlalchemy import Date, Float, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from mismartera_analytics.models.database import Base
from mismartera_analytics.models.types import Instant, PrimaryKey

if TYPE_CHECKING:
    from mismartera_analytics.models.orders import Order
    from mismartera_analytics.models.user import User

__all__ = ["AccountInfo", "CashFlow", "Position"]


class AccountInfo(Base):
    """An account at a broker, with the balances that the broker last reported [currency]."""

    __tablename__ = "account_info"

    id: Mapped[PrimaryKey]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    broker: Mapped[str] = mapped_column(String(50))
    account_number: Mapped[str | None] = mapped_column(String(100))
    account_type: Mapped[str | None] = mapped_column(String(50))
    cash_balance: Mapped[float | None] = mapped_column(Float, default=0.0)
    buying_power: Mapped[float | None] = mapped_column(Float, default=0.0)
    total_value: Mapped[float | None] = mapped_column(Float, default=0.0)
    equity: Mapped[float | None] = mapped_column(Float, default=0.0)
    last_synced: Mapped[Instant | None]
    currency: Mapped[str | None] = mapped_column(String(3))

    user: Mapped[User] = relationship(back_populates="account_info")
    positions: Mapped[list[Position]] = relationship(back_populates="account")
    orders: Mapped[list[Order]] = relationship(back_populates="account")
    cash_flows: Mapped[list[CashFlow]] = relationship(back_populates="account")

    def __repr__(self) -> str:
        return (
            f"AccountInfo(id={self.id!r}, broker={self.broker!r}, number={self.account_number!r})"
        )


class Position(Base):
    """A holding as last recorded: quantity [shares], prices and values [currency]."""

    __tablename__ = "positions"

    id: Mapped[PrimaryKey]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account_info.id"))
    symbol: Mapped[str] = mapped_column(String(10), index=True)
    quantity: Mapped[float] = mapped_column(Float)
    average_price: Mapped[float] = mapped_column(Float)
    current_price: Mapped[float | None] = mapped_column(Float)
    market_value: Mapped[float | None] = mapped_column(Float)
    cost_basis: Mapped[float | None] = mapped_column(Float)
    unrealized_pnl: Mapped[float | None] = mapped_column(Float)
    day_change: Mapped[float | None] = mapped_column(Float)
    last_updated: Mapped[Instant | None]

    user: Mapped[User | None] = relationship(back_populates="positions")
    account: Mapped[AccountInfo | None] = relationship(back_populates="positions")

    def __repr__(self) -> str:
        return f"Position(id={self.id!r}, symbol={self.symbol!r}, quantity={self.quantity!r})"


class CashFlow(Base):
    """Money or lots that enter or leave an account.

    ``flow_type`` is one of DEPOSIT, WITHDRAWAL, DIVIDEND, INTEREST, FEE, TRANSFER; ``amount`` is
    positive when the account receives [currency]. A transfer of lots names `symbol`, `quantity` and
    their cost in `amount`. `time_precision` is DATE where only the day is known: `occurred_at` is then
    its session's close. Null means exact.
    """

    __tablename__ = "cash_flows"

    id: Mapped[PrimaryKey]
    account_id: Mapped[int] = mapped_column(ForeignKey("account_info.id"), index=True)
    flow_type: Mapped[str] = mapped_column(String(20))
    occurred_at: Mapped[Instant] = mapped_column(index=True)
    amount: Mapped[float] = mapped_column(Float)
    currency: Mapped[str | None] = mapped_column(String(3))
    symbol: Mapped[str | None] = mapped_column(String(10))
    quantity: Mapped[float | None] = mapped_column(Float)
    acquired_on: Mapped[dt.date | None] = mapped_column(Date)
    broker_flow_id: Mapped[str | None] = mapped_column(String(100), unique=True)
    note: Mapped[str | None] = mapped_column(Text)
    time_precision: Mapped[str | None] = mapped_column(String(10))

    account: Mapped[AccountInfo] = relationship(back_populates="cash_flows")

    def __repr__(self) -> str:
        return f"CashFlow(id={self.id!r}, flow_type={self.flow_type!r}, amount={self.amount!r})"
