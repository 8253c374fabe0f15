"""Draw the pictures of docs/market-data.md: an audit, and days of candlesticks, light and dark.

The minutes are simulated within the real daily bars of bokeh-sampledata; for the audit faults of every
kind are planted in them. Run with ``PYTHONPATH=. python tools/make_market_pictures.py``.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pandas as pd

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "pictures"
NEW_YORK = "America/New_York"
PRICES = ["open", "high", "low", "close"]


def main() -> None:
    """Write the files; the same versions of the packages give the same pictures."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MISMARTERA_HOME"] = folder
        import mismartera_analytics as ma

        ma.init_db()
        audit = ma.audit_bars(frame=faulty_minutes(), interval="1m")
        print(audit.summary)
        for theme, suffix in (("light", ""), ("dark", "_dark")):
            title = "Four symbols, two months of simulated minutes with planted faults"
            save(audit.plot(theme=theme, title=title), f"bar_audit{suffix}.png")
            save(early_close(theme), f"early_close{suffix}.png")
            save(lunch_break(theme), f"lunch_break{suffix}.png")
        ma.close_db()


def faulty_minutes() -> pd.DataFrame:
    """Return two months of simulated minutes with faults of every kind."""
    from mismartera_analytics.market_data.simulated import sample_minutes

    bars = sample_minutes(start="2012-11-01", end="2012-12-31").drop(columns="session")
    local = bars["timestamp"].dt.tz_convert(NEW_YORK)

    def during(symbol: str, start: str, end: str) -> pd.Series:
        return (bars["symbol"] == symbol) & (local >= at(start)) & (local < at(end))

    still = during("IBM.SIM", "2012-12-12 11:00", "2012-12-12 11:25")
    bars.loc[still, PRICES] = bars.loc[still, PRICES].iloc[0].to_numpy()
    bars.loc[still, "volume"] = 0.0
    bars.loc[during("GOOG.SIM", "2012-11-28 14:30", "2012-11-28 14:31"), "high"] *= 1.06
    divided = during("MSFT.SIM", "2012-12-17", "2013-01-01")
    bars.loc[divided, PRICES] /= 2
    bars.loc[divided, "volume"] *= 2
    gone = during("AAPL.SIM", "2012-12-05 10:15", "2012-12-05 15:00")
    gone |= during("IBM.SIM", "2012-11-19", "2012-11-22")
    gone |= during("GOOG.SIM", "2012-11-01", "2012-11-08")
    gone |= (local >= at("2012-12-19 13:00")) & (local < at("2012-12-19 13:20"))
    gone |= (bars["symbol"] == "MSFT.SIM") & (bars.index % 257 == 0) & (local < at("2012-11-21"))
    repeated = bars[during("AAPL.SIM", "2012-11-14 10:00", "2012-11-14 10:03")]
    late = bars[during("AAPL.SIM", "2012-11-23 12:00", "2012-11-23 12:01")]
    late = late.assign(timestamp=at("2012-11-24 12:00"))  # a Saturday
    return pd.concat([bars[~gone], repeated, late], ignore_index=True)


def at(text: str) -> pd.Timestamp:
    """Return an instant of New York."""
    return pd.Timestamp(text, tz=NEW_YORK)


def early_close(theme: str) -> object:
    """Draw the day after Thanksgiving 2012."""
    import mismartera_analytics as ma
    from mismartera_analytics.figures.candles import candlesticks
    from mismartera_analytics.market_data.simulated import sample_minutes

    minutes = sample_minutes("AAPL", "2012-11-23", "2012-11-23")
    sessions = ma.trading_sessions("2012-11-23", "2012-11-23", tz=NEW_YORK)
    return candlesticks(ma.resample_bars(minutes, "5m"), sessions, theme=theme)


def lunch_break(theme: str) -> object:
    """Draw a day of Tokyo, made up from a daily bar of IBM's: the break is what it shows."""
    import mismartera_analytics as ma
    from mismartera_analytics.figures.candles import candlesticks
    from mismartera_analytics.market_data.samples import sample_bars
    from mismartera_analytics.market_data.simulated import simulate_minutes

    tokyo = ma.trading_calendar("TSE")
    daily = sample_bars().rename(columns={"date": "session"})
    wanted = daily["session"].isin(pd.to_datetime(["2012-11-20", "2012-11-21"]))
    minutes = simulate_minutes(daily[(daily["symbol"] == "IBM") & wanted], tokyo)
    sessions = tokyo.sessions("2012-11-20", "2012-11-21", tz=tokyo.timezone)
    bars = ma.resample_bars(minutes, "10m", tokyo)
    return candlesticks(bars, sessions, title="Two made-up days in Tokyo's hours", theme=theme)


def save(figure: object, name: str) -> None:
    """Write a figure as PNG."""
    figure.savefig(PICTURES / name, dpi=130, metadata={"Software": None})  # type: ignore[attr-defined]
    print(f"{name}: {(PICTURES / name).stat().st_size} bytes")


if __name__ == "__main__":
    main()
