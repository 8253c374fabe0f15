"""The trading system's session configurations: validated, saved and loaded as JSON objects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from sqlalchemy import select
from sqlalchemy.orm import Session

from mismartera_analytics import clock
from mismartera_analytics.errors import (
    InvalidInputError,
    UnknownNameError,
    as_given,
    suggestion,
)
from mismartera_analytics.json_texts import MAX_LEVELS, parse_json
from mismartera_analytics.market_data.layout import SYMBOL_RULE, is_symbol
from mismartera_analytics.models import SessionConfig
from mismartera_analytics.models.database import read_session
from mismartera_analytics.models.retrying import repeated
from mismartera_analytics.recording.transactions import writing

__all__ = [
    "check_session_config",
    "load_session_config",
    "save_session_config",
    "session_config_names",
]

MAX_NAME = 100
LIMITS = ("max_per_trade", "max_per_symbol")


class _Section(BaseModel):
    """Part of a configuration; what it does not know it leaves alone."""

    model_config = ConfigDict(extra="allow", strict=True)


class _BacktestConfig(_Section):
    start_date: str | None = None
    end_date: str | None = None

    @model_validator(mode="after")
    def _in_order(self) -> _BacktestConfig:
        dates = {}
        for name in ("start_date", "end_date"):
            value = getattr(self, name)
            if value is not None:
                dates[name] = clock.parse_label(value, argument=name)
        if len(dates) == 2 and dates["start_date"] > dates["end_date"]:
            raise ValueError(f"start_date={self.start_date} comes after end_date={self.end_date}")
        return self


class _SessionDataConfig(_Section):
    symbols: list[str] | None = None
    streams: list[str] | None = None

    @field_validator("symbols")
    @classmethod
    def _are_symbols(cls, symbols: list[str] | None) -> list[str] | None:
        for symbol in symbols or ():
            if not is_symbol(symbol):
                raise ValueError(f"{symbol!r} is no symbol: {SYMBOL_RULE}")
        return symbols

    @field_validator("streams")
    @classmethod
    def _known_streams(cls, streams: list[str] | None) -> list[str] | None:
        for stream in streams or ():
            if stream not in ("ticks", "quotes"):
                clock.parse_interval(stream, argument="streams")
        return streams


class _TradingConfig(_Section):
    max_buying_power: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    max_per_trade: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    max_per_symbol: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    max_open_positions: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _limits_fit(self) -> _TradingConfig:
        for name in LIMITS:
            limit = getattr(self, name)
            if limit is None or self.max_buying_power is None:
                continue
            if limit > self.max_buying_power:
                raise ValueError(
                    f"{name}={limit:g} exceeds max_buying_power={self.max_buying_power:g}"
                )
        return self


class _Strategy(_Section):
    module: str
    enabled: bool | None = None
    config: dict[str, Any] | None = None


class _Configuration(_Section):
    session_name: str | None = None
    exchange_group: str | None = None
    asset_class: str | None = None
    mode: Literal["backtest", "live"] | None = None
    backtest_config: _BacktestConfig | None = None
    session_data_config: _SessionDataConfig | None = None
    trading_config: _TradingConfig | None = None
    strategies: list[_Strategy] | None = None
    metadata: dict[str, Any] | None = None


def check_session_config(config: Mapping[str, Any] | str) -> dict[str, Any]:
    """Return a configuration as a dictionary, checked; nothing in it is changed or dropped.

    Parameters
    ----------
    config
        A mapping, or the text of a JSON object, of at most 4 million characters and 100 levels. Keys
        that are not known are kept as they are.

    Returns
    -------
    dict

    Raises
    ------
    InvalidInputError
        If it is not a JSON object, is too long or too deep, has a key twice, or a known key holds what
        it may not: the message gives the path of the key.

    Examples
    --------
    >>> check_session_config('{"mode": "live", "colour": "blue"}')
    {'mode': 'live', 'colour': 'blue'}
    """
    if isinstance(config, str):
        config = parse_json(config, what="config")
    if not isinstance(config, Mapping):
        raise InvalidInputError(f"config is a {type(config).__name__}, not a JSON object.")
    try:
        text = json.dumps(dict(config), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"config cannot be written as JSON: {error}.") from None
    except RecursionError:
        raise InvalidInputError(
            f"config has lists and objects more than {MAX_LEVELS} deep, or one inside itself."
        ) from None
    plain: dict[str, Any] = parse_json(text, what="config")
    try:
        _Configuration.model_validate(plain)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ").rstrip(".")
        raise InvalidInputError(f"config: {path}: {reason}.") from None
    return plain


@repeated
def save_session_config(
    name: str, config: Mapping[str, Any] | str, *, db_session: Session | None = None
) -> int:
    """Save a configuration under a name, in place of the one that has it.

    Parameters
    ----------
    name
        At most 100 characters.
    config
        As in `check_session_config`.
    db_session
        Where to write, uncommitted; by default a transaction of its own.

    Returns
    -------
    int
        The row's id.

    Raises
    ------
    InvalidInputError
        If the name is blank or too long, or the configuration is not valid; nothing is written.
    """
    if not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME:
        raise InvalidInputError(
            f"name={as_given(name)} must be text of 1 to {MAX_NAME} characters."
        )
    text = json.dumps(check_session_config(config), ensure_ascii=False)
    now = clock.utc_now()
    with writing(db_session) as own:
        row = own.scalar(select(SessionConfig).where(SessionConfig.name == name))
        if row is None:
            row = SessionConfig(name=name, config_json=text, created_at=now, updated_at=now)
            own.add(row)
        elif row.config_json != text:
            row.config_json, row.updated_at = text, now
        own.flush()
        return row.id


@repeated
def load_session_config(name: str, *, db_session: Session | None = None) -> dict[str, Any]:
    """Return the configuration of a name, checked.

    Parameters
    ----------
    name
        As it was saved.
    db_session
        Where to read; by default a connection of its own that cannot write.

    Returns
    -------
    dict
        With every key that was saved.

    Raises
    ------
    UnknownNameError
        If there is none; the nearest name is suggested.
    InvalidInputError
        If the name is no text, or what is stored is not valid.
    """
    if not isinstance(name, str):
        raise InvalidInputError(f"name={as_given(name)} must be text.")
    if db_session is None:
        with read_session() as own:
            return load_session_config(name, db_session=own)
    text = db_session.scalar(select(SessionConfig.config_json).where(SessionConfig.name == name))
    if text is None:
        stored = session_config_names(db_session=db_session)
        hint = suggestion(name, stored) or f"; stored are: {', '.join(stored[:10]) or 'none'}."
        raise UnknownNameError(f"no session configuration is named {name!r}{hint}")
    return check_session_config(text)


@repeated
def session_config_names(*, db_session: Session | None = None) -> list[str]:
    """Return the names of the configurations, sorted."""
    if db_session is None:
        with read_session() as own:
            return session_config_names(db_session=own)
    return sorted(db_session.scalars(select(SessionConfig.name)))
