"""What the words in the column "Action" of Charles Schwab's transactions mean."""

from __future__ import annotations

__all__ = ["ACTIONS", "CANCELS", "OPTIONS", "UNSUPPORTED"]

_DIVIDENDS = (
    "Cash Dividend", "Qualified Dividend", "Non-Qualified Div", "Non-Qual Div", "Special Dividend",
    "Special Qual Div", "Special Non Qual Div", "Pr Yr Cash Div", "Pr Yr Special Div",
    "Reinvest Dividend", "Qual Div Reinvest", "Non-Qual Div Reinvest", "Pr Yr Div Reinvest",
    "Div For Reinvest", "Dividend", "Long Term Cap Gain", "Short Term Cap Gain",
    "Long Term Cap Gain Reinvest", "Short Term Cap Gain Reinvest", "Return Of Capital",
    "Substitute Payment", "Cash Distribution", "Total Return", "Cash In Lieu",
)  # fmt: skip
_WITHHELD = (
    "NRA Tax Adj", "NRA Tax", "NRA Withholding", "Pr Yr NRA Tax", "Foreign Tax Paid",
    "Foreign Tax Reclaim", "Foreign Tax Pd", "Tax Withholding", "Backup Withholding",
    "IRS Withhold Adj",
)  # fmt: skip
_INTEREST = (
    "Credit Interest", "Bank Interest", "Margin Interest", "Bond Interest", "CD Interest",
    "Short Interest", "Promotional Award", "Interest",
)  # fmt: skip
_FEES = (
    "ADR Mgmt Fee", "Service Fee", "Misc Fee", "Foreign Fee", "Wire Fee", "Advisor Fee",
    "Advisory Fee", "Mgmt Fee", "Schwab ATM Rebate",
)  # fmt: skip
_MONEY = (
    "MoneyLink Transfer", "MoneyLink Deposit", "MoneyLink Adj", "Wire Funds", "Wire Funds Received",
    "Wire Received", "Wire Sent", "Wire Funds Adj", "Funds Received", "Funds Paid", "Transfer",
    "Misc Cash Entry", "Misc Credits", "Misc Debits", "Adjustment", "Auto S1 Credit",
    "Auto S1 Debit", "Visa Purchase", "ATM Withdrawal", "Check", "Check Paid", "Deposit",
    "Withdrawal", "Electronic Transfer", "ACH", "Direct Deposit",
)  # fmt: skip
_JOURNALS = (
    "Journal", "Journaled Shares", "Security Transfer", "Internal Transfer", "Shares In",
    "Shares Out", "Stock Plan Activity",
)  # fmt: skip

ACTIONS = {
    "buy": "buy",
    "buy to cover": "buy",
    "reinvest shares": "buy",
    "sell": "sell",
    "sale": "sell",
    "sell short": "sell",
    "stock split": "split",
    "reverse split": "exchange",
    "name change": "exchange",
    "symbol change": "exchange",
    **dict.fromkeys((word.casefold() for word in _DIVIDENDS), "dividend"),
    **dict.fromkeys((word.casefold() for word in _WITHHELD), "withheld"),
    **dict.fromkeys((word.casefold() for word in _INTEREST), "interest"),
    **dict.fromkeys((word.casefold() for word in _FEES), "fee"),
    **dict.fromkeys((word.casefold() for word in _MONEY), "money"),
    **dict.fromkeys((word.casefold() for word in _JOURNALS), "journal"),
}
"""Kind of each word, in small letters."""

CANCELS = {"cancel buy": "buy", "cancel sell": "sell", "cancel trade": None}
"""Words that undo a trade, and its kind."""

OPTIONS = (
    "buy to open", "buy to close", "sell to open", "sell to close", "expired", "assigned",
    "exchange or exercise", "exercised",
)  # fmt: skip

UNSUPPORTED = (
    "spin-off", "stock merger", "cash merger", "cash merger adj", "full redemption",
    "full redemption adj", "partial redemption", "tender offer", "rights distribution",
    "reorganized issue", "bond maturity", "cd deposit funds", "cd maturity", "stock dividend",
    "mandatory reorg exc", "conversion", "worthless removal",
)  # fmt: skip
"""Known words for which the records have no form."""
