"""Why records and a broker's report differ: what speaks for which cause.

A cause is looked for in the order of how much speaks for it: a symbol that was renamed, an order that
stands twice, trades of the last sessions, a split (shares change, cost and cash do not), a missing
fill (cash moved the other way), a transfer (it did not). What is left of the cash is compared with
single amounts and pairs: dividends, tax, interest, fees, flows that stand twice.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field

import pandas as pd

from mismartera_analytics.recording.brokers.splits import likely_ratio

__all__ = ["CENT", "SHARE", "Break", "Evidence", "find_causes"]

CENT = 0.005
"""Cash that differs by less agrees [currency]."""
SHARE = 1e-6
"""Quantities that differ by less agree [shares]."""
TAX_RATES = (0.10, 0.15, 0.20, 0.24, 0.25, 0.30, 0.35)
PLAUSIBLE = 3.0
"""A missing fill's price lies within this factor of the price known."""
Amount = tuple[float, str, str]
"""Cash [currency], its cause and what speaks for it."""
CAUSES = {"DIVIDEND": "dividend", "INTEREST": "interest", "FEE": "fee"}
SMALL = 0.005
"""Share of an account's value up to which an unexplained amount may be interest or a fee."""


@dataclass
class Break:
    """One difference; `cause` is empty until one is found."""

    what: str
    symbol: str | None
    recorded: float
    reported: float
    cause: str = ""
    detail: str = ""

    @property
    def difference(self) -> float:
        """Reported less recorded."""
        return self.reported - self.recorded


@dataclass(frozen=True)
class Evidence:
    """What causes are looked for in, all of one account and by the instant compared.

    Attributes
    ----------
    fills
        ``order_id, symbol, side, quantity, price, commission, session``.
    flows
        ``flow_type, amount, symbol, session``.
    dividends
        Of the last weeks, computed and not yet booked: ``symbol, session, amount`` [currency].
    recent
        Label from which on trades may not be settled.
    prices
        A price for each symbol where one is known [currency/share].
    costs
        Cost recorded and reported by symbol [currency].
    split_symbols
        Symbols that were split within the last quarter.
    """

    fills: pd.DataFrame
    flows: pd.DataFrame
    dividends: pd.DataFrame
    recent: pd.Timestamp
    prices: dict[str, float]
    costs: dict[str, tuple[float, float]]
    split_symbols: frozenset[str] = field(default_factory=frozenset)


def find_causes(breaks: list[Break], evidence: Evidence, value: float) -> None:
    """Set the causes of all breaks.

    Parameters
    ----------
    breaks
        Of one account; at most one of them is of cash.
    evidence
        Of the account.
    value
        Of the account [currency], by which an amount is small.
    """
    cash = next((one for one in breaks if one.what == "cash"), None)
    left = 0.0 if cash is None else cash.difference
    shares = [one for one in breaks if one.what == "position"]
    _renamed(shares)
    for one in shares:
        if one.cause:
            continue
        for look in (_twice, _unsettled):
            moved = look(one, evidence)
            if moved is not None:
                left = left - moved if abs(left - moved) < abs(left) else left
                break
    _splits(shares, evidence, left)
    left = _missing_fills(shares, evidence, left)
    for one in shares:
        if not one.cause:
            one.cause = "transfer" if abs(left) <= CENT else "missing fill"
            one.detail = (
                "shares moved and no money did" if one.cause == "transfer" else
                "its cash cannot be told from other differences"
            )  # fmt: skip
    if cash is not None:
        _explain_cash(cash, shares, evidence, left, value)


def _renamed(shares: list[Break]) -> None:
    gone = [one for one in shares if abs(one.reported) <= SHARE]
    come = [one for one in shares if abs(one.recorded) <= SHARE]
    for old in gone:
        same = [new for new in come if not new.cause and math.isclose(new.reported, old.recorded)]
        if len(same) != 1:
            continue
        detail = f"{old.symbol} may be {same[0].symbol} now: record a SYMBOL_CHANGE"
        for one in (old, same[0]):
            one.cause, one.detail = "symbol change", detail


def _signed(fills: pd.DataFrame) -> pd.Series:
    return fills["quantity"].where(fills["side"] == "BUY", -fills["quantity"])


def _cost(fills: pd.DataFrame) -> float:
    """Return the cash that fills took from the account."""
    return float((_signed(fills) * fills["price"] + fills["commission"].fillna(0.0)).sum())


def _twice(one: Break, evidence: Evidence) -> float | None:
    """Look for an order that stands twice; return the cash that it took once too often."""
    fills = evidence.fills.loc[evidence.fills["symbol"] == one.symbol]
    orders = fills.assign(signed=_signed(fills)).groupby("order_id", sort=False).agg(
        session=("session", "first"), signed=("signed", "sum"), price=("price", "mean")
    )  # fmt: skip
    matches = orders.loc[(orders["signed"] + one.difference).abs() <= SHARE]
    names = ["session", "signed", "price"]
    near = matches.assign(signed=matches["signed"].round(6), price=matches["price"].round(6))
    twins = near.loc[near.duplicated(names, keep=False)]
    if not len(twins):
        return None
    last = twins.loc[(twins[names] == twins[names].iloc[-1]).all(axis=1)]
    numbers = ", ".join(str(number) for number in last.index)
    one.cause = "duplicated order"
    one.detail = f"the orders {numbers} are the same trade; delete one"
    return _cost(fills.loc[fills["order_id"] == last.index[-1]])


def _unsettled(one: Break, evidence: Evidence) -> float | None:
    """Look for trades of the last sessions that the report lacks; return the cash they took."""
    is_late = (evidence.fills["symbol"] == one.symbol) & (
        evidence.fills["session"] >= evidence.recent
    )
    late = evidence.fills.loc[is_late]
    for chosen in (late, *(late.loc[[row]] for row in late.index)):
        if len(chosen) and abs(_signed(chosen).sum() + one.difference) <= SHARE:
            day = chosen["session"].max().date()
            one.cause = "unsettled"
            one.detail = f"the report seems to be from before the trades of {day}"
            return _cost(chosen)
    return None


def _splits(shares: list[Break], evidence: Evidence, left: float) -> None:
    for one in shares:
        if one.cause or one.recorded * one.reported <= 0:
            continue
        if one.symbol in evidence.split_symbols and abs(one.difference) < 1:
            one.cause = "cash in lieu"
            one.detail = "a fraction of a share was paid in cash after a split: record its sale"
            continue
        ratio = likely_ratio(abs(one.recorded), abs(one.reported))
        if ratio is not None and ratio.numerator > 1:  # only a reverse split leaves fractions
            is_whole = math.isclose(one.recorded * float(ratio), one.reported, rel_tol=1e-6)
            ratio = ratio if is_whole else None
        recorded, reported = evidence.costs.get(one.symbol or "", (math.nan, math.nan))
        same_cost = math.isclose(recorded, reported, rel_tol=0.005)
        is_traded = _implied(one, evidence, left) is not None and not same_cost
        if ratio is None or is_traded or (math.isfinite(recorded + reported) and not same_cost):
            continue
        one.cause = "unrecorded split"
        one.detail = f"{ratio} new for one old share; record a SPLIT of ratio {float(ratio):g}"


def _implied(one: Break, evidence: Evidence, left: float) -> float | None:
    """Return the price at which the cash that is left pays for the shares, if it is plausible."""
    price = evidence.prices.get(one.symbol or "", math.nan)
    implied = -left / one.difference
    if implied <= 0 or abs(left) <= CENT:
        return None
    if math.isfinite(price) and not price / PLAUSIBLE <= implied <= price * PLAUSIBLE:
        return None
    return implied


def _missing_fills(shares: list[Break], evidence: Evidence, left: float) -> float:
    """Explain shares by trades that are not recorded; return the cash that is left after them."""
    open_ones = [one for one in shares if not one.cause]
    if len(open_ones) == 1:
        implied = _implied(open_ones[0], evidence, left)
        if implied is None:
            return left
        _say_missing(open_ones[0], f"at about {implied:,.2f}")
        return 0.0
    guesses = [
        -one.difference * evidence.prices.get(one.symbol or "", math.nan) for one in open_ones
    ]
    if not guesses or not abs(sum(guesses) - left) <= 0.25 * max(abs(left), CENT):
        return left
    for one, guess in zip(open_ones, guesses, strict=True):
        _say_missing(one, f"for about {abs(guess):,.2f}")
    return 0.0


def _say_missing(one: Break, price: str) -> None:
    verb = "purchase" if one.difference > 0 else "sale"
    one.cause = "missing fill"
    one.detail = f"a {verb} of {abs(one.difference):g} {price} is not recorded"


def _explain_cash(
    cash: Break, shares: list[Break], evidence: Evidence, left: float, value: float
) -> None:
    moving = {one.cause for one in shares} & {"missing fill", "duplicated order", "unsettled"}
    if abs(left) <= CENT:
        cash.cause = ", ".join(sorted(moving)) or "unknown"
        cash.detail = "the break of the position explains it"
        return
    found = _match(left, _candidates(evidence))
    if found:
        cash.cause = ", ".join(dict.fromkeys(cause for _, cause, _ in found))
        cash.detail = "; ".join(detail for _, _, detail in found)
        return
    if moving & {"missing fill"} and not any(
        "purchase" in o.detail or "sale" in o.detail for o in shares
    ):
        cash.cause, cash.detail = "missing fill", "the break of a position may explain it"
        return
    cash.cause, cash.detail = _guess(left, value)


def _guess(left: float, value: float) -> tuple[str, str]:
    is_small = abs(left) <= SMALL * max(abs(value), 1.0)
    if is_small and left > 0:
        return "interest", f"{left:,.2f} came in: interest or a dividend is not recorded"
    if is_small:
        return "fee", f"{-left:,.2f} went out: a fee, interest or tax is not recorded"
    verb, kind = ("came in", "DEPOSIT") if left > 0 else ("went out", "WITHDRAWAL")
    return "transfer", f"{abs(left):,.2f} {verb} without a trade: record a {kind}"


def _match(left: float, known: list[Amount]) -> list[Amount]:
    for count in (1, 2):
        for chosen in itertools.combinations(known, count):
            if abs(sum(amount for amount, _, _ in chosen) - left) <= CENT:
                return list(chosen)
    return []


def _candidates(evidence: Evidence) -> list[Amount]:
    """Return amounts by which cash may differ, each with its cause and what speaks for it."""
    return [
        *_of_dividends(evidence),
        *_of_doubles(evidence),
        *_of_late(evidence),
        *_of_kind(evidence),
    ]


def _of_dividends(evidence: Evidence) -> list[Amount]:
    found: list[Amount] = []
    for row in evidence.dividends.to_dict("records"):
        told = f"{row['symbol']}'s dividend of {row['session'].date()}"
        found.append((-row["amount"], "unsettled", f"{told} is not paid yet"))
        found += [
            (-row["amount"] * rate, "tax withheld", f"{rate:.0%} of {told} was withheld")
            for rate in TAX_RATES
        ]
    return found


def _of_doubles(evidence: Evidence) -> list[Amount]:
    flows = evidence.flows
    again = flows.loc[flows.duplicated(["flow_type", "symbol", "amount", "session"])]
    return [
        (-row["amount"], "duplicated flow",
         f"two flows of {row['flow_type']} {row['amount']:,.2f} on {row['session'].date()}; delete one")
        for row in again.to_dict("records")
    ]  # fmt: skip


def _of_late(evidence: Evidence) -> list[Amount]:
    found: list[Amount] = []
    flows = evidence.flows.loc[evidence.flows["session"] >= evidence.recent]
    for row in flows.to_dict("records"):
        told = f"the {row['flow_type']} of {row['session'].date()} is not in the report yet"
        found.append((-row["amount"], "unsettled", told))
    late = evidence.fills.loc[evidence.fills["session"] >= evidence.recent]
    for row in late.to_dict("records"):
        told = f"the trade in {row['symbol']} of {row['session'].date()} is not settled"
        found.append((_cost(pd.DataFrame([row])), "unsettled", told))
    return found


def _of_kind(evidence: Evidence) -> list[Amount]:
    """Return what was booked before and may have come again."""
    flows = evidence.flows.loc[evidence.flows["flow_type"].isin(CAUSES)]
    known = flows.drop_duplicates(["flow_type", "symbol", "amount"], keep="last")
    found: list[Amount] = []
    for row in known.to_dict("records"):
        whose = "" if pd.isna(row["symbol"]) else f" of {row['symbol']}"
        told = f"as much as the {row['flow_type']}{whose} on {row['session'].date()}"
        found.append((row["amount"], CAUSES[row["flow_type"]], f"{told}: one more may be missing"))
    return found
