"""Orders and the fills that executed them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Float, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from mismartera_analytics.models.database import Base
from mismartera_analytics.models.types import Instant, PrimaryKey

if TYPE_CHECKING:
    from mismartera_analytics.models.account import AccountInfo
    from mismartera_analytics.models.user import User

__all__ = ["Fill", "Order"]


class Order(Base):
    """An instruction to a broker and what became of it.

    `price` is the limit price of a LIMIT or STOP_LIMIT order; where `average_fill_price` is null it is
    the fill price. Types, sides and statuses are open sets: old rows always load. `time_precision` is
    DATE where only the day is known: the times are then its session's close. Null means exact.
    """

    __tablename__ = "orders"
    __table_args__ = (Index("ix_orders_account_id", "account_id"),)

    id: Mapped[PrimaryKey]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account_info.id"))
    broker_order_id: Mapped[str | None] = mapped_column(String(100), unique=True, index=True)
    symbol: Mapped[str] = mapped_column(String(10), index=True)
    order_type: Mapped[str | None] = mapped_column(String(20))
    side: Mapped[str | None] = mapped_column(String(10))
    quantity: Mapped[float] = mapped_column(Float)
    filled_quantity: Mapped[float | None] = mapped_column(Float, default=0.0)
    price: Mapped[float | None] = mapped_column(Float)
    status: Mapped[str | None] = mapped_column(String(20))
    placed_at: Mapped[Instant | None]
    filled_at: Mapped[Instant | None]
    stop_price: Mapped[float | None] = mapped_column(Float)
    average_fill_price: Mapped[float | None] = mapped_column(Float)
    commission: Mapped[float | None] = mapped_column(Float)
    time_in_force: Mapped[str | None] = mapped_column(String(10))
    time_precision: Mapped[str | None] = mapped_column(String(10))

    user: Mapped[User | None] = relationship(back_populates="orders")
    account: Mapped[AccountInfo | None] = relationship(back_populates="orders")
    fills: Mapped[list[Fill]] = relationship(
        back_populates="order", cascade="all, delete-orphan", passive_deletes=True
    )

    def __repr__(self) -> str:
        return (
            f"Order(id={self.id!r}, {self.side} {self.quantity!r} {self.symbol} {self.order_type}, "
            f"status={self.status!r})"
        )


class Fill(Base):
    """One execution of an order: `quantity` is positive, the order's side gives the direction."""

    __tablename__ = "fills"

    id: Mapped[PrimaryKey]
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"), index=True)
    filled_at: Mapped[Instant] = mapped_column(index=True)
    quantity: Mapped[float] = mapped_column(Float)
    price: Mapped[float] = mapped_column(Float)
    commission: Mapped[float | None] = mapped_column(Float)
    broker_fill_id: Mapped[str | None] = mapped_column(String(100), unique=True)

    order: Mapped[Order] = relationship(back_populates="fills")

    def __repr__(self) -> str:
        return (
            f"Fill(id={self.id!r}, order_id={self.order_id!r}, {self.quantity!r} @ {self.price!r})"
        )
