"""nautilus_trader as a peer of ``backtests.py``.

A bar reaches the venue before the strategy, so a market order fills at the close of the bar on which it
is decided. Timed are the making of its bars from the frame, the run and its report of statistics.
"""

from __future__ import annotations

import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig
from nautilus_trader.indicators import SimpleMovingAverage
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import Equity
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.trading.strategy import Strategy

CASH = 10_000_000
SHARES = 10_000
FAST, SLOW = 20, 100
VENUE = Venue("SIM")
STOCK = InstrumentId(Symbol("AAA"), VENUE)
MINUTES = BarType.from_str("AAA.SIM-1-MINUTE-LAST-EXTERNAL")


class Cross(Strategy):
    """Hold while the fast average lies above the slow one."""

    def on_start(self):
        self.fast, self.slow = SimpleMovingAverage(FAST), SimpleMovingAverage(SLOW)
        self.register_indicator_for_bars(MINUTES, self.fast)
        self.register_indicator_for_bars(MINUTES, self.slow)
        self.size = Quantity.from_int(SHARES)
        self.subscribe_bars(MINUTES)

    def on_bar(self, bar):
        if not self.slow.initialized:
            return
        if self.fast.value > self.slow.value:
            if self.portfolio.is_flat(STOCK):
                self.submit_order(self.order_factory.market(STOCK, OrderSide.BUY, self.size))
        elif self.portfolio.is_net_long(STOCK):
            self.submit_order(self.order_factory.market(STOCK, OrderSide.SELL, self.size))


class Nautilus:
    """One venue, one stock, bars from outside."""

    def __init__(self, folder):
        frame = pd.read_parquet(folder / "minutes.parquet").set_index("timestamp")
        frame.index = (frame.index + pd.Timedelta("1min")).as_unit("ns")
        self.frame = frame[["open", "high", "low", "close", "volume"]]
        self.stock = Equity(
            instrument_id=STOCK, raw_symbol=Symbol("AAA"), currency=USD, price_precision=6,
            price_increment=Price.from_str("0.000001"), lot_size=Quantity.from_int(1),
            ts_event=0, ts_init=0,
        )  # fmt: skip

    def cross(self):
        def run():
            quiet = LoggingConfig(bypass_logging=True)
            engine = BacktestEngine(BacktestEngineConfig(logging=quiet))
            engine.add_venue(
                VENUE, oms_type=OmsType.NETTING, account_type=AccountType.CASH,
                base_currency=USD, starting_balances=[Money(CASH, USD)],
            )  # fmt: skip
            engine.add_instrument(self.stock)
            engine.add_data(BarDataWrangler(MINUTES, self.stock).process(self.frame))
            engine.add_strategy(Cross())
            engine.run()
            result = engine.get_result()
            cash = engine.portfolio.account(VENUE).balance_total(USD).as_double()
            held = float(engine.portfolio.net_position(STOCK))
            answer = {
                "equity": cash + held * float(self.frame["close"].iloc[-1]),
                "fills": len(engine.trader.generate_order_fills_report()),
                "statistics": len(result.stats_returns),
            }
            engine.dispose()
            return answer

        return run
