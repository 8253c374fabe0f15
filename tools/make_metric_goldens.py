"""Write what quantstats says of the test records, for the tests.

Run by ``make metric-goldens`` in an environment of its own: quantstats wants another pandas than ours.
The records are daily closes of ``../shared/data`` and small ones made up here, whose values the file
carries.
"""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import quantstats as qs

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data" / "us_equity"
GOLDEN = ROOT / "tests" / "performance" / "goldens" / "quantstats.json"
RATE = 0.02


def closes(symbol: str) -> pd.Series:
    """Return the daily returns of a symbol, adjusted for splits."""
    bars = pd.read_csv(DATA / f"daily_{symbol}.csv.gz", parse_dates=["timestamp"])
    columns = ["date", "dividends", "splits", "reference"]
    factors = pd.read_csv(DATA / f"factors_{symbol}.csv", names=columns, parse_dates=["date"])
    splits = factors.set_index("date")["splits"]
    close = bars.set_index("timestamp")["close"]
    close *= splits.iloc[
        splits.index.searchsorted(close.index).clip(max=len(splits) - 1)
    ].to_numpy()
    return close.pct_change().iloc[1:]


def made_up() -> dict[str, list[float]]:
    """Return small records: the edges at which conventions part."""
    random = np.random.default_rng(8)
    noise = random.normal(0.0005, 0.012, 260).round(6).tolist()
    return {
        "noise": noise,
        "first day lost": [-0.05, *noise[:120]],
        "never lost": [abs(one) for one in noise[:150]],
        "flat days": [0.0 if place % 3 else one for place, one in enumerate(noise)],
        "mostly lost": [-0.3, 0.1, -0.6, 0.05, *noise[:100]],
    }


def said(returns: pd.Series, benchmark: pd.Series | None) -> dict[str, float]:
    """Return quantstats' numbers under our names."""
    stats = qs.stats
    values: dict[str, Any] = {
        "total_return": stats.comp(returns),
        "cagr": stats.cagr(returns),
        "volatility": stats.volatility(returns),
        "sharpe_ratio": stats.sharpe(returns, rf=RATE),
        "sortino_ratio": stats.sortino(returns, rf=RATE),
        "calmar_ratio": stats.calmar(returns),
        "omega_ratio": stats.omega(returns),
        "max_drawdown": stats.max_drawdown(returns),
        "value_at_risk": stats.value_at_risk(returns),
        "cvar": stats.conditional_value_at_risk(returns),
        "skew": stats.skew(returns),
        "kurtosis": stats.kurtosis(returns),
        "best_session": stats.best(returns),
        "worst_session": stats.worst(returns),
        "session_hit_rate": stats.win_rate(returns),
        "session_payoff_ratio": stats.payoff_ratio(returns),
    }
    if benchmark is not None:
        greeks = stats.greeks(returns, benchmark)
        values |= {
            "alpha": greeks["alpha"],
            "beta": greeks["beta"],
            "correlation": math.sqrt(stats.r_squared(returns, benchmark)),
            "information_ratio": stats.information_ratio(returns, benchmark),
        }
    return {name: float(value) for name, value in values.items() if math.isfinite(value)}


def over_time(returns: pd.Series) -> dict[str, Any]:
    """Return quantstats' rolling figures, months, years and drawdowns."""
    rolled = qs.stats.rolling_sharpe(returns, rf=RATE, rolling_period=126).dropna()
    spread = qs.stats.rolling_volatility(returns, rolling_period=126).dropna()
    months = qs.stats.monthly_returns(returns)
    spells = qs.stats.drawdown_details(qs.stats.to_drawdown_series(returns))
    deepest = spells.nsmallest(5, "max drawdown")
    return {
        "rolling_sharpe": rolled.iloc[::500].tolist(),
        "rolling_volatility": spread.iloc[::500].tolist(),
        "months": {
            str(year): row[:12].tolist()
            for year, row in zip(months.index, months.to_numpy(), strict=True)
        },
        "years": {str(year): float(months.loc[year, "EOY"]) for year in months.index},
        "drawdowns": deepest[["start", "valley", "end", "max drawdown"]].to_numpy().tolist(),
    }


def main() -> None:
    """Write the file; the same numbers give the same bytes."""
    warnings.simplefilter("ignore")
    spy, aapl = closes("SPY"), closes("AAPL")
    cases: dict[str, Any] = {
        "SPY": {"metrics": said(spy, None), "over time": over_time(spy)},
        "AAPL": {"metrics": said(aapl, spy), "over time": over_time(aapl)},
    }
    for name, values in made_up().items():
        returns = pd.Series(values, index=pd.bdate_range("2020-01-01", periods=len(values)))
        cases[name] = {"values": values, "metrics": said(returns, None)}
    text = json.dumps({"quantstats": qs.__version__, "rate": RATE, "cases": cases}, indent=1)
    GOLDEN.parent.mkdir(parents=True, exist_ok=True)
    GOLDEN.write_text(text + "\n", encoding="utf-8")
    print(f"{GOLDEN.name}: {len(cases)} records, {GOLDEN.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
