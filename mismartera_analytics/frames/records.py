"""Contracts of frames about records: accounts, positions, orders, fills, trades, lots, PnL, flows."""

from __future__ import annotations

from mismartera_analytics.frames.contract import FrameSpec, columns

__all__ = [
    "ACCOUNTS", "BREAKS", "CASH_FLOWS", "FILLS", "LOTS", "LOT_METHODS", "ORDERS", "PNL",
    "POSITIONS", "TRADES", "WASH_SALES",
]  # fmt: skip

ACCOUNTS = FrameSpec(
    "accounts",
    columns(
        ("account_id", "int64", "1", "the account's id"),
        ("user", "str", "1", "user name of the owner"),
        ("broker", "str", "1", "broker; 'backtest' for a simulated account"),
        ("account_number", "str", "1", "number at the broker"),
        ("account_type", "str", "1", "'cash' or 'margin'"),
        ("currency", "str", "1", "ISO code of every amount of the account"),
        ("cash_balance", "float64", "currency", "cash as last recorded"),
        ("buying_power", "float64", "currency", "buying power as last recorded"),
        ("total_value", "float64", "currency", "cash and positions as last recorded"),
        ("equity", "float64", "currency", "equity as last recorded"),
        ("last_synced", "instant", "1", "when the balances were recorded"),
    ),
    ("account_id",),
)

POSITIONS = FrameSpec(
    "positions",
    columns(
        ("account_id", "Int64", "1", "the account, missing for an ownerless row"),
        ("user", "str", "1", "user name of the owner"),
        ("symbol", "str", "1", "ticker"),
        ("quantity", "float64", "shares", "held; negative when short"),
        ("average_price", "float64", "currency/share", "cost per share held"),
        ("current_price", "float64", "currency/share", "price of the valuation"),
        ("market_value", "float64", "currency", "quantity at the current price"),
        ("cost_basis", "float64", "currency", "quantity at the average price"),
        ("unrealized_pnl", "float64", "currency", "market value less cost basis"),
        ("day_change", "float64", "currency", "change of market value over the last session"),
        ("currency", "str", "1", "ISO code of the amounts"),
        ("last_updated", "instant", "1", "instant of the valuation"),
    ),
    ("user", "account_id", "symbol"),
)

ORDERS = FrameSpec(
    "orders",
    columns(
        ("order_id", "int64", "1", "the order's id"),
        ("account_id", "Int64", "1", "the account, missing for an ownerless row"),
        ("user", "str", "1", "user name of the owner"),
        ("broker_order_id", "str", "1", "the broker's id"),
        ("symbol", "str", "1", "ticker"),
        ("order_type", "str", "1", "MARKET, LIMIT, STOP, STOP_LIMIT, TRAILING_STOP …"),
        ("side", "side", "1", "BUY or SELL"),
        ("quantity", "float64", "shares", "ordered"),
        ("filled_quantity", "float64", "shares", "executed so far"),
        ("price", "float64", "currency/share", "limit price"),
        ("stop_price", "float64", "currency/share", "stop price"),
        ("average_fill_price", "float64", "currency/share", "mean price of the fills"),
        ("commission", "float64", "currency", "fees of all fills"),
        ("time_in_force", "str", "1", "DAY, GTC, OPG, CLS …"),
        ("status", "str", "1", "PENDING, FILLED, CANCELLED, REJECTED, EXPIRED …"),
        ("placed_at", "instant", "1", "when it was placed"),
        ("filled_at", "instant", "1", "when it was last filled"),
        ("time_precision", "str", "1", "'DATE' where only the day is known, else missing"),
    ),
    ("placed_at", "order_id"),
)

FILLS = FrameSpec(
    "fills",
    columns(
        ("fill_id", "Int64", "1", "the fill's id, missing where the order stands for its one fill"),
        ("order_id", "int64", "1", "the order it executed"),
        ("account_id", "Int64", "1", "the account, missing for an ownerless row"),
        ("user", "str", "1", "user name of the owner"),
        ("symbol", "str", "1", "ticker"),
        ("side", "side", "1", "BUY or SELL"),
        ("quantity", "float64", "shares", "executed, positive"),
        ("price", "float64", "currency/share", "price paid or received"),
        ("commission", "float64", "currency", "fee"),
        ("filled_at", "instant", "1", "when it was executed"),
        ("broker_fill_id", "str", "1", "the broker's id"),
    ),
    ("filled_at", "order_id"),
)

TRADES = FrameSpec(
    "trades",
    columns(
        ("account_id", "Int64", "1", "the account"),
        ("symbol", "str", "1", "ticker"),
        ("side", "side", "1", "BUY for a long trade, SELL for a short one"),
        ("quantity", "float64", "shares", "closed, positive, in shares at the exit"),
        ("entry_at", "instant", "1", "when the lot was opened"),
        ("entry_price", "float64", "currency/share", "in shares at the exit"),
        ("exit_at", "instant", "1", "when it was closed"),
        ("exit_price", "float64", "currency/share", "price of the close"),
        ("fees", "float64", "currency", "share of the fees of both fills"),
        ("realized_pnl", "float64", "currency", "net of fees"),
        ("return", "float64", "1", "realised PnL over the cost of the entry"),
    ),
    ("exit_at", "symbol", "entry_at"),
)

LOTS = FrameSpec(
    "lots",
    columns(
        ("account_id", "Int64", "1", "the account"),
        ("symbol", "str", "1", "ticker"),
        ("quantity", "float64", "shares", "still open; negative when short"),
        ("entry_at", "instant", "1", "when the lot was opened"),
        ("entry_price", "float64", "currency/share", "in shares of today, splits applied"),
        ("fees", "float64", "currency", "share of the entry's fee that belongs to what is open"),
        ("cost_basis", "float64", "currency", "quantity at the entry price, and the fees"),
    ),
    ("account_id", "symbol", "entry_at"),
)

PNL = FrameSpec(
    "pnl",
    columns(
        ("session", "label", "1", "label of the period's last session"),
        ("account_id", "Int64", "1", "the account"),
        ("user", "str", "1", "user name of the owner"),
        ("symbol", "str", "1", "ticker, missing in rows of whole accounts and of their cash"),
        ("begin_value", "float64", "currency", "value at the former row's end"),
        ("flows", "float64", "currency", "what came in less what went out"),
        ("realized", "float64", "currency", "from lots closed, before fees"),
        ("unrealized", "float64", "currency", "change of the open lots' gain"),
        ("dividends", "float64", "currency", "dividends and interest"),
        ("fees", "float64", "currency", "commissions and fees, positive when paid"),
        ("total", "float64", "currency", "realized + unrealized + dividends - fees"),
        ("cumulative", "float64", "currency", "sum of totals so far"),
        ("end_value", "float64", "currency", "begin_value + flows + total"),
        ("price_age", "Int64", "sessions", "age of the oldest price used; missing where one lacks"),
        ("currency", "str", "1", "ISO code of the amounts"),
    ),
    ("account_id", "symbol", "session"),
)

CASH_FLOWS = FrameSpec(
    "cash_flows",
    columns(
        ("account_id", "int64", "1", "the account"),
        (
            "flow_type",
            "str",
            "1",
            "DEPOSIT, WITHDRAWAL, DIVIDEND, INTEREST, FEE, TRANSFER, CASH_IN_LIEU",
        ),
        ("occurred_at", "instant", "1", "when"),
        ("amount", "float64", "currency", "positive when the account receives"),
        ("symbol", "str", "1", "ticker of a dividend or transfer"),
        ("quantity", "float64", "shares", "of a transfer or a fraction paid out in cash"),
        ("acquired_on", "label", "1", "when transferred lots were acquired, where known"),
    ),
    ("occurred_at",),
)

BREAKS = FrameSpec(
    "breaks",
    columns(
        ("account_id", "int64", "1", "the account"),
        ("what", "str", "1", "'position' or 'cash'"),
        ("symbol", "str", "1", "ticker of a position, missing for cash"),
        ("recorded", "float64", "shares or currency", "what the records come to"),
        ("reported", "float64", "shares or currency", "what the broker reports"),
        ("difference", "float64", "shares or currency", "reported less recorded"),
        ("cause", "str", "1", "the likeliest cause"),
        ("detail", "str", "1", "what speaks for it, and what to do"),
    ),
    (),
)

LOT_METHODS = FrameSpec(
    "lot_methods",
    columns(
        ("method", "str", "1", "fifo, lifo, hifo, average or specific"),
        ("account_id", "Int64", "1", "the account"),
        ("user", "str", "1", "user name of the owner"),
        ("short_term", "float64", "currency", "gains held for a year or less, after fees"),
        ("long_term", "float64", "currency", "gains held for more than a year, after fees"),
        ("realized", "float64", "currency", "short_term + long_term"),
        ("disallowed", "float64", "currency", "losses of the year that are wash sales, positive"),
        ("taxable", "float64", "currency", "realised, wash sales moved to what was bought"),
        ("currency", "str", "1", "ISO code of the amounts"),
    ),
    ("account_id",),
)

WASH_SALES = FrameSpec(
    "wash_sales",
    columns(
        ("account_id", "Int64", "1", "the account that sold"),
        ("user", "str", "1", "user name of the owner"),
        ("symbol", "str", "1", "ticker"),
        ("sold_on", "label", "1", "session of the sale at a loss"),
        ("acquired_on", "label", "1", "session on which what was sold had been bought"),
        ("quantity", "float64", "shares", "matched with a purchase, in shares at the sale"),
        ("bought_on", "label", "1", "session of the purchase, 30 days before to 30 days after"),
        ("bought_in", "Int64", "1", "the account that bought"),
        ("disallowed", "float64", "currency", "loss that moves into the cost of what was bought"),
        ("currency", "str", "1", "ISO code of the amounts"),
    ),
    ("account_id", "sold_on", "symbol", "acquired_on", "bought_on"),
)
