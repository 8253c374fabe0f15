"""What brokers charge for US shares: commissions by name, with where and when they were looked up."""

from __future__ import annotations

from dataclasses import dataclass

from mismartera_analytics.backtesting.costs import CommissionTerms

__all__ = ["US_SALES_2026", "Alpaca", "Schwab"]

US_SALES_2026 = CommissionTerms(sell_rate=20.60e-6, sell_per_share=0.000195, sell_maximum=9.79)
"""What regulators charge for sales of US shares in 2026, which brokers pass on.

The fee of Section 31 of the Securities Exchange Act, 20.60 dollars a million from 4 April 2026
(SEC release 34-104909 of 27 February 2026; it was 0 from 14 May 2025 until then and 27.80 before), and
FINRA's trading activity fee of 0.000195 dollars a share, at most 9.79 a trade (SR-FINRA-2024-019,
schedule for 2026; SR-FINRA-2026-021 waives it from October to December 2026, which is left out here).
Looked up on 22 November 2026. One rate serves all years: fees of earlier years differ, by less than a
hundredth of a per cent of the value.
"""


@dataclass(frozen=True)
class Alpaca:
    """Shares at Alpaca: no commission, regulators' fees on sales.

    As https://alpaca.markets/support/regulatory-fees describes it, looked up on 22 November 2026, with
    the rates of `US_SALES_2026`. Left out: the consolidated audit trail's fee, some millionths of a
    dollar a share, and the rounding of each day's fees up to the cent.

    Examples
    --------
    >>> round(Alpaca().terms().fee(1000, 50.0, side="SELL"), 3)
    1.225
    >>> Alpaca().terms().fee(1000, 50.0, side="BUY")
    0.0
    """

    def terms(self) -> CommissionTerms:
        """Return the policy as numbers."""
        return US_SALES_2026


@dataclass(frozen=True)
class Schwab:
    """Shares listed in the US, traded online at Charles Schwab: no commission, industry fees on sales.

    As the Charles Schwab Pricing Guide for Individual Investors of 2021 describes it, the newest that
    was at hand on 22 November 2026: that nothing has changed since is assumed and not looked up. The
    rates are those of `US_SALES_2026`, which the guide's exchange process fee passes on. Left out:
    rounding to the cent, trades by telephone or with a broker, and shares traded over the counter.

    Examples
    --------
    >>> round(Schwab().terms().fee(100_000, 1.0, side="SELL"), 2)
    11.85
    """

    def terms(self) -> CommissionTerms:
        """Return the policy as numbers."""
        return US_SALES_2026
