"""Orders as the kernel reads them: checked once, here."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any

from mismartera_analytics.arguments import is_one_of
from mismartera_analytics.backtesting.settings import Settings
from mismartera_analytics.errors import InvalidOrderError, as_given, suggestion
from mismartera_analytics.kernels import layouts

__all__ = ["ORDER_TYPES", "REASONS", "STATUSES", "TIMES_IN_FORCE", "Ticket"]

LARGEST = sys.float_info.max
"""A whole number beyond it is no number that an order can have."""

ORDER_TYPES = {
    "MARKET": layouts.MARKET,
    "LIMIT": layouts.LIMIT,
    "STOP": layouts.STOP,
    "STOP_LIMIT": layouts.STOP_LIMIT,
    "TRAILING_STOP": layouts.TRAILING_STOP,
}
TIMES_IN_FORCE = {
    "DAY": layouts.DAY,
    "GTC": layouts.GTC,
    "OPG": layouts.OPG,
    "CLS": layouts.CLS,
}
STATUSES = {
    layouts.WORKING: "PENDING",
    layouts.FILLED: "FILLED",
    layouts.CANCELLED: "CANCELLED",
    layouts.REJECTED: "REJECTED",
    layouts.EXPIRED: "EXPIRED",
}
REASONS = {
    layouts.NO_CASH: "the cash does not pay for it",
    layouts.NO_SHARES: "it would sell more than is held; a cash account knows no short sale",
    layouts.NO_SIZE: "its size came to nothing",
    layouts.NO_PRICE: "the symbol had no price yet",
    layouts.REPLACED: "a newer target replaced it",
    layouts.BY_STRATEGY: "cancelled by the strategy",
    layouts.OTHER_FILLED: "an order that cancels it filled",
    layouts.NOT_HELD: "the position that it belongs to is closed",
    layouts.NO_MARGIN: "the account's equity does not carry it at the leverage allowed",
    layouts.NO_BARS: "the symbol has no more bars",
    layouts.DELISTED: "the symbol was delisted",
    layouts.MARGIN_CALL: "a margin call: the account's value did not keep its maintenance margin",
    layouts.OVER_TRADE: "its value exceeds max_per_trade",
    layouts.OVER_SYMBOL: "the symbol's position would exceed max_per_symbol",
    layouts.OVER_POSITIONS: "it would open more than max_open_positions",
    layouts.OVER_BUYING_POWER: "all positions together would exceed max_buying_power",
}


@dataclass(frozen=True)
class Ticket:
    """What an order asks for.

    Attributes
    ----------
    symbol
        Position in `Market.symbols`.
    sizing
        ``layouts.UNITS``, ``PERCENT``, ``TARGET`` or ``ALL_CASH``.
    size
        Shares, or a fraction of the account's value.
    side
        1 to buy, -1 to sell, 0 where the size tells.
    order_type, time_in_force
        Names.
    limit, stop
        [currency/share], NaN where there is none.
    trail, trail_percent
        Distance of a trailing stop [currency/share], or as a fraction of the price [1].
    stop_loss, take_profit
        Prices of the bracket [currency/share], NaN where there is none.
    condition
        ``layouts.ALWAYS``, ``IF_FLAT``, ``IF_LONG``, ``IF_SHORT`` or ``IF_LEAVING``.
    """

    symbol: int
    sizing: int
    size: float
    side: int
    order_type: str = "MARKET"
    time_in_force: str = "DAY"
    limit: float = math.nan
    stop: float = math.nan
    trail: float = math.nan
    trail_percent: float = math.nan
    stop_loss: float = math.nan
    take_profit: float = math.nan
    condition: int = layouts.ALWAYS

    def check(self, settings: Settings, *, held: float = 0.0) -> None:
        """Refuse an order that breaks a rule.

        Parameters
        ----------
        settings
            The rules of the run.
        held
            Shares of the symbol: what ends the position need not be whole, as after a split.

        Raises
        ------
        InvalidOrderError
            Naming the part, its value and what is allowed.
        """
        _check_name(self.order_type, "order_type", ORDER_TYPES)
        _check_name(self.time_in_force, "time_in_force", TIMES_IN_FORCE)
        self._check_size(settings, held)
        _check_price(self.limit, "price", self.order_type, needed="LIMIT" in self.order_type)
        needs_stop = self.order_type in ("STOP", "STOP_LIMIT")
        _check_price(self.stop, "stop_price", self.order_type, needed=needs_stop)
        self._check_trail()
        self._check_bracket()
        if self.time_in_force in ("OPG", "CLS") and "STOP" in self.order_type:
            raise InvalidOrderError(
                f"time_in_force={as_given(self.time_in_force)} takes MARKET and LIMIT orders, "
                f"not {self.order_type}."
            )

    def _check_size(self, settings: Settings, held: float) -> None:
        if not isinstance(self.size, (int, float)) or not -LARGEST <= self.size <= LARGEST:
            raise InvalidOrderError(f"quantity={as_given(self.size)} must be a finite number.")
        if self.sizing == layouts.TARGET:
            self._check_weight(settings)
        elif self.size <= 0.0:
            raise InvalidOrderError(
                f"quantity={as_given(self.size)} must be positive; the side says whether to buy or "
                f"sell."
            )
        is_closing = self.side * held < 0.0 and self.size == abs(held)
        if is_closing or self.sizing != layouts.UNITS:
            return
        if settings.only_whole and self.size != int(self.size):
            raise InvalidOrderError(
                f"quantity={as_given(self.size)} must be whole: {settings.only_whole}."
            )

    def _check_weight(self, settings: Settings) -> None:
        least, most = (-settings.limit if settings.is_margin else 0.0), settings.limit
        if least - 1e-9 <= self.size <= most + 1e-9 and (self.size >= 0.0 or settings.is_margin):
            return
        why = (
            f"leverage={settings.limit:g} allows no more"
            if settings.is_margin
            else "a cash account knows no short sale and no borrowing"
        )
        raise InvalidOrderError(
            f"target weight {self.size!r} must lie between {least:g} and {most:g}: {why}."
        )

    def _check_trail(self) -> None:
        given = {
            name: value
            for name, value in (("trail", self.trail), ("trail_percent", self.trail_percent))
            if not _is_missing(value)
        }
        if self.order_type != "TRAILING_STOP":
            for name, value in given.items():
                raise InvalidOrderError(
                    f"{name}={as_given(value)} means nothing to a {self.order_type} order."
                )
            return
        if len(given) != 1:
            raise InvalidOrderError(
                "a TRAILING_STOP order needs trail [currency/share] or trail_percent [fraction of the "
                "price], one of them."
            )
        for name, value in given.items():
            most = 1.0 if name == "trail_percent" else LARGEST
            if not isinstance(value, (int, float)) or not 0.0 < value < most:
                between = " and below 1" if name == "trail_percent" else ""
                raise InvalidOrderError(
                    f"{name}={as_given(value)} must be a distance above 0{between}."
                )

    @property
    def has_bracket(self) -> bool:
        """Whether the order brings a stop or a target with it."""
        return not (_is_missing(self.stop_loss) and _is_missing(self.take_profit))

    def _check_bracket(self) -> None:
        if not self.has_bracket:
            return
        if self.sizing == layouts.TARGET:
            raise InvalidOrderError("stop_loss and take_profit mean nothing to a target weight.")
        for name, level in (("stop_loss", self.stop_loss), ("take_profit", self.take_profit)):
            if not _is_missing(level) and not (
                isinstance(level, (int, float)) and 0.0 < level <= LARGEST
            ):
                raise InvalidOrderError(f"{name}={as_given(level)} must be a positive price.")
        known: tuple[tuple[str, float], ...] = (("price", self.limit), ("stop_price", self.stop))
        self._check_side("stop_loss", self.stop_loss, -self.side, *known)
        known = (*known, ("stop_loss", self.stop_loss))
        self._check_side("take_profit", self.take_profit, self.side, *known)

    def _check_side(self, name: str, level: float, side: int, *known: tuple[str, float]) -> None:
        for other, price in known:
            if side * (level - price) <= 0.0:
                where = "above" if side > 0 else "below"
                doing = "buys" if self.side > 0 else "sells"
                raise InvalidOrderError(
                    f"{name}={as_given(level)} must lie {where} {other}={as_given(price)} of an "
                    f"order that {doing}."
                )

    def record(self, *, row: int, placed: int, session: int) -> tuple[Any, ...]:
        """Return the order as a record of `layouts.ORDER`.

        Parameters
        ----------
        row
            The bar at whose end it was decided.
        placed
            When [us since 1970, UTC].
        session
            Ordinal of the session to which it belongs.
        """
        quantity = self.size if self.sizing == layouts.UNITS else math.nan
        return (
            placed,
            self.size,
            quantity,
            self.limit,
            self.stop,
            *(math.nan, math.nan, 0.0, 0.0),  # price, fill_price, fee, filled
            self.trail,
            self.trail_percent,  # rate
            row,
            session,
            self.symbol,
            *(-1, -1, 0),  # fill_row, parent, group
            self.side,
            ORDER_TYPES[self.order_type],
            TIMES_IN_FORCE[self.time_in_force],
            self.sizing,
            self.condition,
            layouts.WORKING,
            *(0, 0, 0, layouts.NEVER, 0),  # reason, triggered, is_target, moment, goes_first
            *(0, 0),  # children, ambiguous
        )


def _check_name(value: str, argument: str, allowed: dict[str, int]) -> None:
    if not is_one_of(value, allowed):
        raise InvalidOrderError(
            f"{argument}={as_given(value)} is unknown{suggestion(value, allowed) or '.'} "
            f"Allowed: {', '.join(allowed)}."
        )


def _is_missing(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _check_price(value: float, argument: str, order_type: str, *, needed: bool) -> None:
    if _is_missing(value):
        if needed:
            raise InvalidOrderError(f"{argument} is missing: a {order_type} order needs one.")
        return
    if not needed:
        raise InvalidOrderError(
            f"{argument}={as_given(value)} means nothing to a {order_type} order."
        )
    if not isinstance(value, (int, float)) or not 0.0 < value <= LARGEST:
        raise InvalidOrderError(f"{argument}={as_given(value)} must be a positive price.")
