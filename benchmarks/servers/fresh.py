"""One backtest from nothing: ``python fresh.py ENGINE BARS.parquet`` prints Sharpe ratio and equity.

Imports, reading the bars, a moving-average crossover of a fixed number of shares, and every metric of
the engine.
"""

from __future__ import annotations

import sys

import pandas as pd

CASH, SHARES = 10_000_000.0, 10_000
FAST, SLOW = 20, 100


def ours(bars):
    import mismartera_analytics as ma
    from mismartera_analytics.backtesting.indicators import sma

    class Cross(ma.Strategy):
        def on_start(self, ctx):
            self.fast = ctx.indicator(sma, "close", window=FAST)
            self.slow = ctx.indicator(sma, "close", window=SLOW)

        def on_bar(self, ctx):
            if self.fast[-1] > self.slow[-1]:
                if ctx.position() == 0:
                    ctx.buy(quantity=SHARES)
            elif ctx.position() > 0:
                ctx.close()

    result = ma.backtest(Cross, bars=bars, cash=CASH)
    metrics = result.metrics
    return metrics.loc["sharpe_ratio", "value"], result.equity["equity"].iloc[-1]


def vectorbt(bars):
    import vectorbt as vbt

    bars = bars.set_index("session")
    fast, slow = vbt.MA.run(bars["close"], FAST), vbt.MA.run(bars["close"], SLOW)
    is_above = fast.ma_above(slow).vbt.fshift(1, fill_value=False)
    is_below = fast.ma_below(slow).vbt.fshift(1, fill_value=False)
    book = vbt.Portfolio.from_signals(
        bars["close"], is_above, is_below,
        price=bars["open"], size=SHARES, init_cash=CASH, freq="1D",
    )  # fmt: skip
    stats = book.stats()
    return stats["Sharpe Ratio"], book.final_value()


def backtesting(bars):
    from backtesting import Backtest, Strategy

    def mean(values, count):
        return pd.Series(values).rolling(count).mean()

    class Cross(Strategy):
        def init(self):
            self.fast = self.I(mean, self.data.Close, FAST)
            self.slow = self.I(mean, self.data.Close, SLOW)

        def next(self):
            if self.fast[-1] > self.slow[-1]:
                if not self.position:
                    self.buy(size=SHARES)
            elif self.position:
                self.position.close()

    frame = bars.set_index("session").rename(columns=str.title)
    stats = Backtest(frame, Cross, cash=CASH).run()
    return stats["Sharpe Ratio"], stats["Equity Final [$]"]


if __name__ == "__main__":
    print(*globals()[sys.argv[1]](pd.read_parquet(sys.argv[2])))
