"""From what a caller has, a backtest's result or an account, to the content of a tear sheet."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol, TypeGuard

import numpy as np
import pandas as pd

from mismartera_analytics import frames
from mismartera_analytics.arguments import is_whole
from mismartera_analytics.backtesting.page import PEEKING
from mismartera_analytics.errors import InvalidInputError, MismarteraError, StorageError
from mismartera_analytics.json_texts import stored_json
from mismartera_analytics.performance.returns import Returns
from mismartera_analytics.reports.accounts import (
    AccountRecord,
    content_of_record,
    read_account,
)
from mismartera_analytics.reports.content import (
    Ambiguity,
    Fact,
    Identity,
    Lookahead,
    Notice,
    TearSheetContent,
    order_fact,
)
from mismartera_analytics.reports.lookaheads import call_for, told
from mismartera_analytics.reports.plain import from_returns

__all__ = ["Result", "content_of", "from_record", "from_result", "is_result", "profit_by_symbol"]

_ABSENT = object()


class Result(Protocol):
    """What a tear sheet reads of a backtest's result."""

    @property
    def equity(self) -> pd.DataFrame:
        """Columns of `frames.EQUITY`."""

    @property
    def returns(self) -> pd.Series[float]:
        """Simple returns [1] labelled by session."""

    @property
    def orders(self) -> pd.DataFrame:
        """Columns of `frames.ORDERS`."""

    @property
    def fills(self) -> pd.DataFrame:
        """Columns of `frames.FILLS`."""

    @property
    def trades(self) -> pd.DataFrame:
        """Columns of `frames.TRADES`."""

    @property
    def positions(self) -> pd.DataFrame:
        """Columns of `frames.POSITIONS`: what is held at the end."""

    @property
    def peeking(self) -> bool:
        """Whether orders could fill at the price that they were decided on."""

    @property
    def ambiguous_fills(self) -> int:
        """How many fills hung on the path that prices took inside their bar."""

    @property
    def dividends_received(self) -> pd.DataFrame:
        """Cash dividends: columns ``symbol`` and ``amount`` [currency] at least."""

    @property
    def data_version(self) -> Mapping[str, Any]:
        """Which bars the run read, as JSON values."""

    @property
    def financing(self) -> pd.DataFrame:
        """Interest and fees for borrowed shares: column ``amount`` [currency] at least."""

    @property
    def code_version(self) -> str:
        """Which code ran."""

    @property
    def config(self) -> Mapping[str, Any]:
        """What the run was asked for."""

    def credibility(self) -> pd.DataFrame:
        """Index ``metric``, columns of `frames.METRICS`."""

    def stress(self) -> pd.DataFrame:
        """Columns of `frames.STRESS`."""

    def ambiguity(self) -> Any:
        """Return what hung on the path inside bars: ``fills, ambiguous, bounds``."""


def content_of(source: Any, *, stress: bool = True, lookahead: Any = None) -> TearSheetContent:
    """Return the content of a tear sheet about a result, an account, returns or content itself.

    Parameters
    ----------
    source
        A `Result`, the id (int) or number (str) of an account, simple returns labelled by session, or
        a `TearSheetContent`.
    stress
        Whether a result is put under stress, for which it is run again.
    lookahead
        What `check_lookahead` said of a result's strategy.

    Returns
    -------
    TearSheetContent

    Raises
    ------
    InvalidInputError
        If it is something else.
    UnknownNameError
        If there is no such account.

    Examples
    --------
    >>> content_of(TearSheetContent("Nothing yet")).title
    'Nothing yet'
    """
    if lookahead is not None:
        checked = told(lookahead)
        return replace(content_of(source, stress=stress), lookahead=checked)
    if isinstance(source, TearSheetContent):
        return source
    if isinstance(source, str) or is_whole(source):
        return from_record(read_account(source if isinstance(source, str) else int(source)))
    if isinstance(source, (pd.Series, Returns)):
        return from_returns(source)
    if is_result(source):
        return from_result(source, stress=stress)
    raise InvalidInputError(
        f"source is a {type(source).__name__}; pass a backtest's result, the id or number of an "
        f"account, simple returns labelled by session, or a list of such."
    )


def from_record(record: AccountRecord) -> TearSheetContent:
    """Return the content of what was read of an account; a saved backtest's says how it was made."""
    from mismartera_analytics.backtesting.saved_runs import saved_runs
    from mismartera_analytics.backtesting.saving import BROKER

    content = content_of_record(record)
    if record.broker != BROKER:
        return content
    runs = saved_runs()
    own = runs[runs["account_id"] == record.account_id]
    return content if own.empty else _as_saved(content, int(own["run_id"].iloc[-1]))


def _as_saved(content: TearSheetContent, run: int) -> TearSheetContent:
    """Return the content of a saved run's account with what was recorded of the run."""
    from mismartera_analytics.backtesting.saved_runs import run_details

    told: dict[str, dict[str, Any]] = {}
    for part, name, text in run_details(run).itertuples(index=False):
        told.setdefault(part, {})[name] = _read(text)
    config = told.get("setting", {}) | {"parameters": told.get("parameter", {})}
    name, code = str(told["run"]["name"]), str(told["run"].get("code version") or "")
    call = f"ma.tear_sheet(ma.rerun({name!r}))"
    remark = f"From the records of a saved run. Trials, ambiguous fills and stress: {call}."
    return replace(
        content,
        title=name,
        subtitle="Saved backtest",
        kind="backtest",
        conventions=(
            *_facts(config),
            *_versions(told.get("data", {}), code),
            Fact("Saved", str(told["run"].get("saved", ""))[:16].replace("T", " ") + " UTC"),
            *content.conventions,
        ),
        notices=(*content.notices, Notice("remark", remark)),
        lookahead=Lookahead("not checked", call=call_for(config)),
    )


def _read(text: str) -> Any:
    try:
        return stored_json(text, what="a value")
    except StorageError:  # a plain text
        return text


def is_result(source: Any) -> TypeGuard[Result]:
    """Whether it has what a tear sheet reads, without reading any of it.

    ``isinstance`` of a protocol would work out every frame of a result, and ask a mapped row that has
    left its session for its relations.
    """
    asked = (name for name, member in vars(Result).items() if isinstance(member, property))
    return all(inspect.getattr_static(source, name, _ABSENT) is not _ABSENT for name in asked)


def from_result(result: Result, *, stress: bool = True) -> TearSheetContent:
    """Return the content of a backtest's tear sheet.

    Parameters
    ----------
    result
        What `backtest` returned.
    stress
        As in `content_of`.

    Returns
    -------
    TearSheetContent
        With the identity checked from the fills' cash and the last market value, and with times in the
        calendar's zone where its name is known to the database, else in UTC.
    """
    config = result.config
    zone = _zone(config)
    notices = []
    if result.peeking:
        notices.append(Notice("warning", PEEKING))
    stressed = None
    if stress:
        try:
            stressed = result.stress()
        except MismarteraError as error:
            notices.append(Notice("warning", f"Not put under stress: {error}"))
    name = config.get("name") or config.get("strategy") or "Backtest"
    return TearSheetContent(
        title=str(name),
        subtitle="Backtest",
        kind="backtest",
        currency=str(config.get("currency") or "USD"),
        returns=result.returns,
        equity=result.equity,
        orders=frames.ORDERS.conform(result.orders, tz=zone),
        fills=frames.FILLS.conform(result.fills, tz=zone),
        trades=frames.TRADES.conform(result.trades, tz=zone),
        pnl_by_symbol=profit_by_symbol(result),
        identity=_identity(result),
        conventions=(
            *_facts(config),
            *_versions(result.data_version, result.code_version),
            order_fact(result.orders),
        ),
        notices=tuple(notices),
        credibility=result.credibility(),
        stress=stressed,
        ambiguity=_ambiguity(result, bounds=stress),
        lookahead=Lookahead("not checked", call=call_for(config)),
    )


def _ambiguity(result: Result, *, bounds: bool) -> Ambiguity:
    """Return what hung on the path inside bars; the runs under other paths where they are asked for."""
    if not bounds:
        return Ambiguity(len(result.fills), result.ambiguous_fills)
    found = result.ambiguity()
    return Ambiguity(found.fills, found.ambiguous, found.bounds)


def _zone(config: Mapping[str, Any]) -> str | None:
    from mismartera_analytics.calendars.lookup import trading_calendar

    try:
        return str(trading_calendar(str(config.get("calendar"))).timezone)
    except MismarteraError:  # run on a calendar of the caller's own, or without a database
        return None


def _cash_of(fills: pd.DataFrame) -> pd.Series[float]:
    """Return what each fill brought in, after its fee: negative for a purchase [currency]."""
    signs = np.where(fills["side"] == "BUY", -1.0, 1.0)
    cash: pd.Series[float] = signs * fills["quantity"] * fills["price"]
    return cash - fills["commission"].fillna(0.0)


def profit_by_symbol(result: Result) -> pd.Series[float]:
    """Return the cash of each symbol's fills and the value of what is left; borrowing beside them."""
    traded = _cash_of(result.fills).groupby(result.fills["symbol"]).sum()
    held = result.positions.groupby("symbol")["market_value"].sum()
    paid = result.dividends_received.groupby("symbol")["amount"].sum()
    summed = traded.add(held, fill_value=0.0).add(paid, fill_value=0.0)
    financing = float(result.financing["amount"].sum())
    if financing:
        summed.loc["interest, borrowing"] = financing
    return summed


def _identity(result: Result) -> Identity | None:
    begin = result.config.get("cash")
    if not len(result.equity) or not isinstance(begin, (int, float)):
        return None
    dividends = float(result.dividends_received["amount"].sum())
    traded = float(_cash_of(result.fills).sum())
    held = float(result.positions["market_value"].sum())
    financing = float(result.financing["amount"].sum())
    return Identity(
        begin=float(begin),
        flows=0.0,
        pnl=traded + held + dividends + financing,
        end=float(result.equity["equity"].iloc[-1]),
        basis="the cash of every fill less fees, dividends, "
        + ("interest and borrowing, " if financing else "")
        + "and the last value of what is held",
    )


_FACTS = {
    "strategy": "Strategy",
    "parameters": "Parameters",
    "symbols": "Symbols",
    "interval": "Bars",
    "calendar": "Sessions",
    "fill": "Fills",
    "size_at": "Sizes",
    "limit_fill": "Limit orders",
    "account_type": "Account",
    "commission": "Commission",
    "slippage": "Slippage",
    "borrow": "Borrowing",
    "seed": "Seed",
}
_WORDS = {
    ("fill", "next_open"): "market orders at the next bar's open",
    ("fill", "next_close"): "market orders at the next bar's close",
    ("fill", "same_close"): "market orders at the deciding bar's own close (looks ahead)",
    ("size_at", "fill"): "percentages and weights are worked out at the fill",
    ("size_at", "decision"): "percentages and weights are worked out at the decision",
    ("limit_fill", "touch"): "fill when the price is touched",
    ("limit_fill", "through"): "fill when the price is passed",
}


def _facts(config: Mapping[str, Any]) -> list[Fact]:
    """Return the lines of the conventions that a run's configuration tells."""
    facts = []
    for key, name in _FACTS.items():
        value = config.get(key)
        if (
            value is None
            or value == ""
            or (key == "borrow" and config.get("account_type") == "cash")
        ):
            continue
        facts.append(Fact(name, _said(key, value)))
    return facts


def _said(key: str, value: Any) -> str:
    """Return a configured value in words; a policy is a mapping with the key ``policy``."""
    if isinstance(value, Mapping):
        named = {word: value[word] for word in value if word != "policy" and value[word]}
        rest = ", ".join(f"{word.replace('_', ' ')} {_number(word, named[word])}" for word in named)
        return ": ".join(part for part in (str(value.get("policy", "")), rest) if part) or "none"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return _WORDS.get((key, value), str(value))


def _number(word: str, value: Any) -> str:
    """Return a configured number in words: rates in per cent."""
    if "rate" in word and isinstance(value, float):
        return f"{value:.4%}".rstrip("%").rstrip("0").rstrip(".") + "%"
    return str(value)


def _versions(version: Mapping[str, Any], code: str) -> list[Fact]:
    """Return which bars and which code made the figures, without the places where they lie."""
    told = {key: value for key, value in version.items() if key != "store"}
    data = ", ".join(
        f"{key.replace('_', ' ')} {str(told[key])[:16].replace('T', ' ')}"
        + (" UTC" if key == "as_of" else "")
        for key in told
    )
    return [Fact("Data", data or "bars given by the caller"), Fact("Code", code)]
