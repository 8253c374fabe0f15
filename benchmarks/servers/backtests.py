"""A peer of ``backtests.py`` in an environment of its own: answers a question a line with its own time.

``python backtests.py PEER FOLDER`` with the bars of the folder; a question is a JSON list of a name and
arguments. The time runs from the frame in memory to the last equity and the headline metrics; a peer's
names of columns and its index are made before.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

CASH = 10_000_000.0
SHARES = 10_000
FAST, SLOW = 20, 100


def minutes(folder):
    """Return the minute bars of one symbol, indexed by start."""
    return pd.read_parquet(folder / "minutes.parquet").set_index("timestamp")


def days(folder):
    """Return the daily bars of all symbols, a row a bar."""
    return pd.read_parquet(folder / "days.parquet")


def wide(table, column):
    """Return one column of the daily bars: sessions by symbols."""
    return table.pivot(index="session", columns="symbol", values=column)


class Vectorbt:
    """Whole arrays; signals are moved by one bar, so that they fill at the next open."""

    def __init__(self, folder):
        import vectorbt

        self.vbt = vectorbt
        self.minutes = minutes(folder)
        self.days = days(folder)
        self.close, self.open = wide(self.days, "close"), wide(self.days, "open")

    def sweep(self, fasts, slows, fee):
        """Total returns, Sharpe ratios and drawdowns of every pair, fast ones outermost."""
        frame, vbt = self.minutes, self.vbt
        pairs = [(fast, slow) for fast in fasts for slow in slows]

        def run():
            fast = vbt.MA.run(frame["close"], [a for a, _ in pairs], short_name="fast")
            slow = vbt.MA.run(frame["close"], [b for _, b in pairs], short_name="slow")
            is_above = fast.ma_above(slow).vbt.fshift(1, fill_value=False)
            is_below = fast.ma_below(slow).vbt.fshift(1, fill_value=False)
            book = vbt.Portfolio.from_signals(
                frame["close"], is_above, is_below, price=frame["open"],
                init_cash=CASH, fees=fee, freq="1min",
            )  # fmt: skip
            returns = book.total_return()
            return {
                "equity": (CASH * (1 + returns)).tolist(),
                "sharpe": book.sharpe_ratio().tolist(), "drawdown": book.max_drawdown().tolist(),
            }  # fmt: skip

        return run

    def monthly(self, dates, weight, fee, begin):
        """Rebalance at the opens of `dates`, beginning with one long frame or with two wide ones."""
        vbt = self.vbt
        size = np.where(self.close.index.isin(pd.to_datetime(dates))[:, None], weight, np.nan)
        size = np.broadcast_to(size, self.close.shape)

        def run():
            close, price = self.close, self.open
            if begin == "long":
                close, price = wide(self.days, "close"), wide(self.days, "open")
            book = vbt.Portfolio.from_orders(
                close, size, size_type="targetpercent", price=price, group_by=True,
                cash_sharing=True, call_seq="auto", fees=fee, init_cash=CASH, freq="1D",
            )  # fmt: skip
            return {
                "equity": float(book.final_value()), "sharpe": float(book.sharpe_ratio()),
                "drawdown": float(book.max_drawdown()), "fills": int(book.orders.count()),
            }  # fmt: skip

        return run


class Backtesting:
    """An object for every bar, `next()` called on each."""

    def __init__(self, folder):
        import backtesting

        warnings.simplefilter("ignore")

        class Cross(backtesting.Strategy):
            def init(self):
                mean = lambda values, n: pd.Series(values).rolling(n).mean()  # noqa: E731
                self.fast = self.I(mean, self.data.Close, FAST)
                self.slow = self.I(mean, self.data.Close, SLOW)

            def next(self):
                if self.fast[-1] > self.slow[-1]:
                    if not self.position:
                        self.buy(size=SHARES)
                elif self.position:
                    self.position.close()

        self.make = backtesting.Backtest
        self.strategy = Cross
        backtesting.backtesting._tqdm = lambda rows, **_: rows
        self.frame = minutes(folder).rename(columns=str.title)

    def cross(self):
        def run():
            told = self.make(self.frame, self.strategy, cash=CASH).run()
            fills = 2 * len(told["_trades"]) + len(told["_strategy"].trades)
            return {"equity": float(told["Equity Final [$]"]), "fills": fills}

        return run


class Backtrader:
    """Lines of numbers, `next()` called on each bar."""

    def __init__(self, folder):
        import backtrader

        self.bt = bt = backtrader

        class Cross(bt.Strategy):
            def __init__(self):
                self.fills = 0
                self.fast = bt.indicators.SMA(self.data.close, period=FAST)
                self.slow = bt.indicators.SMA(self.data.close, period=SLOW)

            def notify_order(self, order):
                self.fills += order.status == order.Completed

            def next(self):
                if self.fast[0] > self.slow[0]:
                    if not self.position:
                        self.buy(size=SHARES)
                elif self.position:
                    self.close()

        self.strategy = Cross
        self.frame = minutes(folder).tz_localize(None)[["open", "high", "low", "close", "volume"]]

    def cross(self):
        bt = self.bt

        def run():
            cerebro = bt.Cerebro(stdstats=False)
            cerebro.adddata(
                bt.feeds.PandasData(dataname=self.frame, timeframe=bt.TimeFrame.Minutes)
            )
            cerebro.addstrategy(self.strategy)
            cerebro.broker.setcash(CASH)
            cerebro.addanalyzer(bt.analyzers.SharpeRatio, timeframe=bt.TimeFrame.Days)
            cerebro.addanalyzer(bt.analyzers.DrawDown)
            done = cerebro.run()[0]
            return {"equity": cerebro.broker.getvalue(), "fills": done.fills}

        return run


class Bt:
    """A tree of securities, traded at the closes."""

    def __init__(self, folder):
        import bt

        self.bt = bt
        self.days = days(folder)

    def monthly(self, dates, weight, fee):
        """Rebalance at the closes of `dates`."""
        bt = self.bt

        def run():
            close = wide(self.days, "close")
            weights = dict.fromkeys(close.columns, weight)
            rules = [
                bt.algos.RunOnDate(*dates), bt.algos.SelectAll(),
                bt.algos.WeighSpecified(**weights), bt.algos.Rebalance(),
            ]  # fmt: skip
            test = bt.Backtest(
                bt.Strategy("monthly", rules), close, initial_capital=CASH,
                integer_positions=False, commissions=lambda q, p: abs(q) * p * fee,
                progress_bar=False,
            )  # fmt: skip
            done = bt.run(test, progress_bar=False)
            sharpe = float(done.stats.loc["daily_sharpe", "monthly"])
            values = test.strategy.values
            return {"equity": float(values.iloc[-1]), "sharpe": sharpe}

        return run


def main() -> None:
    """Answer until the input ends."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    if name == "nautilus_trader":
        from backtests_nautilus import Nautilus as Peer
    else:
        Peer = {  # noqa: N806
            "vectorbt": Vectorbt, "backtesting": Backtesting, "backtrader": Backtrader, "bt": Bt,
        }[name]  # fmt: skip
    peer = Peer(folder)
    for line in sys.stdin:
        question, *arguments = json.loads(line)
        call = getattr(peer, question)(*arguments)
        began = time.perf_counter()
        answer = call()
        taken = time.perf_counter() - began
        print(json.dumps({"seconds": taken, **answer}), flush=True)


if __name__ == "__main__":
    main()
