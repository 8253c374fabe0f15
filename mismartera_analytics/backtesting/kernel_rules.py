"""The rules of a run as the kernel reads them."""

from __future__ import annotations

import math

import numpy as np

from mismartera_analytics.backtesting.settings import Settings
from mismartera_analytics.kernels import layouts

__all__ = ["rules_of"]

_FILL_MODES = {
    "next_open": layouts.NEXT_OPEN,
    "next_close": layouts.NEXT_CLOSE,
    "same_close": layouts.SAME_CLOSE,
}
_PATHS = {
    "pessimistic": layouts.PESSIMISTIC,
    "best": layouts.BEST,
    "ohlc": layouts.OHLC,
}


def rules_of(settings: Settings) -> layouts.Records:
    """Return one record of `layouts.RULES`.

    Parameters
    ----------
    settings
        Checked already.
    """
    rules = np.zeros(1, layouts.RULES)
    fees, slip = settings.commission.terms(), settings.slippage.terms()
    rules["fill"] = _FILL_MODES[settings.fill]
    rules["limit_through"] = settings.limit_fill == "through"
    rules["size_at_decision"] = settings.size_at == "decision"
    rules["whole"] = not settings.fractional
    rules["partial_on_cash"] = settings.partial_on_cash
    rules["fee_rate"] = fees.rate
    rules["fee_per_share"] = fees.per_share
    rules["fee_per_order"] = fees.per_order
    rules["fee_minimum"] = fees.minimum
    rules["fee_maximum"] = fees.maximum
    rules["slip_rate"] = slip.rate
    rules["slip_amount"] = slip.amount
    rules["slip_impact"] = slip.impact
    rules["volume_limit"] = settings.volume_limit or 0.0
    rules["path"] = _PATHS[settings.bar_path]
    rules["bracket_next"] = settings.bracket_from == "next_bar"
    rules["sell_rate"] = fees.sell_rate
    rules["sell_per_share"] = fees.sell_per_share
    rules["sell_maximum"] = fees.sell_maximum
    rules["margin"] = settings.is_margin
    keeps = settings.maintenance if settings.is_margin else None
    if keeps is not None:
        rules["keeps"] = True
        rules["keep_long"], rules["keep_short"] = keeps.long, keeps.short
    rules["leverage"] = settings.limit
    rules["borrow_rate"] = settings.borrow.terms().rate
    rules["credit_rate"] = settings.interest.terms().credit
    rules["debit_rate"] = settings.interest.terms().debit
    rules["delay"] = settings.delay
    limits = settings.limits
    rules["limited"] = limits.any_set
    rules["max_trade_value"] = _or_none(limits.max_per_trade)
    rules["max_symbol_value"] = _or_none(limits.max_per_symbol)
    rules["max_positions"] = _or_none(limits.max_open_positions)
    rules["max_exposure"] = _or_none(limits.max_buying_power)
    return rules


def _or_none(limit: float | None) -> float:
    return math.inf if limit is None else limit
