"""Which calendar each symbol of a run keeps, and in which currency it trades."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mismartera_analytics.calendars.sessions import TradingCalendar
from mismartera_analytics.errors import (
    InvalidInputError,
    UnknownNameError,
    as_given,
    suggestion,
)

__all__ = ["DEFAULT", "CalendarLike", "Calendars", "calendar_told", "calendars_asked"]

DEFAULT = "NYSE"
"""Calendar of a symbol of which nothing is recorded, and of US equities."""

CalendarLike = str | TradingCalendar | Mapping[str, str | TradingCalendar] | None
"""A calendar or its name; one for each symbol; None: as the instruments say."""

Calendars = Mapping[str, TradingCalendar]
"""Of each symbol; symbols of one market share one object."""


def calendars_asked(symbols: Sequence[str], calendar: CalendarLike) -> Calendars:
    """Return the calendar of each symbol.

    Parameters
    ----------
    symbols
        The run's.
    calendar
        One for all, or one for each symbol. None: that of the recorded instrument, where it is no US
        equity; `DEFAULT` otherwise.

    Returns
    -------
    dict

    Raises
    ------
    InvalidInputError
        If a symbol has no calendar or the run lacks one that has; or, of what the instruments say, if
        the symbols trade in several currencies or a contract is not one share.
    UnknownNameError
        If no market has a name.
    """
    if calendar is None:
        return _recorded(symbols)
    if not isinstance(calendar, Mapping):
        return dict.fromkeys(symbols, _calendar(calendar))
    for symbol in calendar:
        if symbol not in symbols:
            raise InvalidInputError(
                f"calendar: {symbol!r} is no symbol of this run{suggestion(symbol, symbols) or '.'}"
            )
    missing = [symbol for symbol in symbols if symbol not in calendar]
    if missing:
        raise InvalidInputError(
            f"calendar lacks {', '.join(map(repr, missing))}; name one for every symbol."
        )
    made = {given: _calendar(given) for given in set(calendar.values())}
    return {symbol: made[calendar[symbol]] for symbol in symbols}


def calendar_told(calendar: CalendarLike) -> Any:
    """Return a calendar as a JSON value, for the run's configuration; None where nothing was asked."""
    if isinstance(calendar, Mapping):
        return {symbol: calendar_told(own) for symbol, own in calendar.items()}
    return calendar if calendar is None or isinstance(calendar, str) else repr(calendar)


def _calendar(calendar: str | TradingCalendar) -> TradingCalendar:
    from mismartera_analytics.calendars.lookup import trading_calendar

    if isinstance(calendar, str):
        try:
            return trading_calendar(calendar)
        except UnknownNameError as error:
            raise UnknownNameError(f"calendar: {error}") from None
    if not hasattr(calendar, "sessions"):
        raise InvalidInputError(
            f"calendar={as_given(calendar)} must be the name of an exchange or a TradingCalendar."
        )
    return calendar


def _recorded(symbols: Sequence[str]) -> Calendars:
    from mismartera_analytics.market_data.instruments import (
        DEFAULTS,
        calendar_of,
        instruments,
        recorded_among,
    )
    from mismartera_analytics.market_data.layout import is_symbol

    named = [symbol for symbol in symbols if is_symbol(symbol)]  # of others nothing is recorded
    if not named or not recorded_among(named):
        return dict.fromkeys(symbols, _calendar(DEFAULT))
    table = instruments(named)
    _check_money(table)
    home = DEFAULTS["exchange_group"], DEFAULTS["asset_class"]
    is_abroad = (table["exchange_group"] != home[0]) | (table["asset_class"] != home[1])
    abroad = sorted(set(table.loc[is_abroad, "symbol"]))
    found = dict.fromkeys(symbols, _calendar(DEFAULT)) if len(abroad) < len(symbols) else {}
    return {**found, **calendar_of(abroad)} if abroad else found


def _check_money(table: Any) -> None:
    """Refuse what one account in one currency cannot hold."""
    currencies = table.groupby("currency")["symbol"].first().to_dict()
    if len(currencies) > 1:
        told = ", ".join(f"{symbol} in {currency}" for currency, symbol in currencies.items())
        raise InvalidInputError(
            f"symbols: they trade in several currencies ({told}), and a run has one account in one "
            f"currency; run them apart."
        )
    contracts = table.loc[table["multiplier"] != 1.0]
    if len(contracts):
        first = contracts.iloc[0]
        raise InvalidInputError(
            f"symbols: one {first['symbol']!r} is {first['multiplier']:g} times its price; a run "
            f"trades shares, of multiplier 1."
        )
