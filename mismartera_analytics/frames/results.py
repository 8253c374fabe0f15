"""Contracts of frames about performance: equity, drawdowns and metrics."""

from __future__ import annotations

from mismartera_analytics.frames.contract import FrameSpec, columns

__all__ = [
    "CONTRIBUTIONS", "DRAWDOWNS", "EQUITY", "INTERVALS", "METRICS", "RETURNS", "RUNS", "SHORTFALL",
    "STRESS", "TRIALS",
]  # fmt: skip

EQUITY = FrameSpec(
    "equity",
    columns(
        ("timestamp", "instant", "1", "end of the bar at which the account is valued"),
        ("session", "label", "1", "its session"),
        ("cash", "float64", "currency", "cash"),
        ("positions", "float64", "currency", "market value of the positions"),
        ("equity", "float64", "currency", "cash + positions"),
        ("drawdown", "float64", "1", "equity over its highest value so far, less one; <= 0"),
    ),
    ("timestamp",),
)

DRAWDOWNS = FrameSpec(
    "drawdowns",
    columns(
        ("depth", "float64", "1", "lowest value over the former high, less one; < 0"),
        ("peak", "label", "1", "session of the former high, missing for the start of the record"),
        ("trough", "label", "1", "session of the lowest value"),
        ("recovery", "label", "1", "session that regained the high, missing while it has not"),
        ("length", "int64", "sessions", "below the high, from its first session to its last"),
        ("to_trough", "int64", "sessions", "from the high to the lowest value"),
        ("to_recovery", "Int64", "sessions", "from the lowest value to the regained high"),
    ),
    ("depth",),
)

METRICS = FrameSpec(
    "metrics",
    columns(
        ("metric", "str", "1", "name of the function that gives it"),
        ("value", "float64", "see unit", "missing where it is not defined: note says why"),
        (
            "unit",
            "str",
            "1",
            "fraction, fraction/year, ratio, sessions, trades, trials, days or currency",
        ),
        ("convention", "str", "1", "how it was worked out"),
        ("note", "str", "1", "what a reader must know about this value, empty in most rows"),
    ),
    (),
)

INTERVALS = FrameSpec(
    "intervals",
    columns(
        ("metric", "str", "1", "name of the function that gives it"),
        ("value", "float64", "see unit", "of the record itself; missing where it is not defined"),
        ("lower", "float64", "see unit", "lower end of the interval; missing where note says why"),
        ("upper", "float64", "see unit", "upper end, likewise"),
        ("unit", "str", "1", "as in `metrics`"),
        ("note", "str", "1", "what a reader must know about this interval, empty in most rows"),
    ),
    (),
)

RETURNS = FrameSpec(
    "returns",
    columns(
        ("session", "label", "1", "label of the period's last session"),
        ("account_id", "Int64", "1", "the account, missing for the total of several"),
        ("user", "str", "1", "user name of the owner"),
        ("begin_value", "float64", "currency", "value before the period"),
        ("flows", "float64", "currency", "what came in less what went out"),
        ("fees", "float64", "currency", "commissions and fees, positive when paid"),
        ("total", "float64", "currency", "profit after fees"),
        ("end_value", "float64", "currency", "begin_value + flows + total"),
        ("gross_return", "float64", "1", "time-weighted, before commissions and fees"),
        ("net_return", "float64", "1", "time-weighted, after them"),
        ("money_weighted", "float64", "1", "internal rate over the period, net"),
        ("xirr", "float64", "1/year", "the same a year, in years of 365 days"),
        ("cumulative_return", "float64", "1", "net returns linked so far"),
        ("benchmark_return", "float64", "1", "of the benchmark over the period"),
        ("days", "int64", "days", "from the value before the period to its last"),
        ("note", "str", "1", "why a return is missing, or all internal rates; empty in most rows"),
        ("currency", "str", "1", "ISO code of the amounts"),
    ),
    ("account_id", "session"),
)

CONTRIBUTIONS = FrameSpec(
    "contributions",
    columns(
        ("session", "label", "1", "label of the period's last session"),
        ("account_id", "Int64", "1", "the account, missing for the total of several"),
        ("user", "str", "1", "user name of the owner"),
        ("symbol", "str", "1", "ticker, missing for the account's cash"),
        ("total", "float64", "currency", "profit after fees"),
        ("contribution", "float64", "1", "its part of net_return, linked over the period"),
        ("net_return", "float64", "1", "of the account: the sum of the contributions"),
        ("currency", "str", "1", "ISO code of the amounts"),
    ),
    ("account_id", "session", "symbol"),
)

STRESS = FrameSpec(
    "stress",
    columns(
        ("case", "str", "1", "what was changed, or the quantile of a bootstrap"),
        ("total_return", "float64", "1", "compounded"),
        ("cagr", "float64", "1/year", "missing where the labels do not tell a year's sessions"),
        ("sharpe_ratio", "float64", "1/sqrt(year)", "annualised, likewise missing"),
        ("max_drawdown", "float64", "1", "<= 0"),
        ("fills", "Int64", "1", "fills of the run; missing where nothing was run again"),
        ("note", "str", "1", "how it was done"),
    ),
    (),
)

RUNS = FrameSpec(
    "runs",
    columns(
        ("run_id", "int64", "1", "the run's id"),
        ("user", "str", "1", "user name of the owner"),
        ("name", "str", "1", "under which it was saved; also the number of its account"),
        ("account_id", "Int64", "1", "account with its orders, fills and positions"),
        ("created_at", "instant", "1", "when it was saved"),
        (
            "strategy",
            "str",
            "1",
            "name of the strategy's class, or of the frame that said what to do",
        ),
        ("parameters", "str", "1", "of the strategy, a JSON object"),
        ("symbols", "str", "1", "tickers"),
        ("interval", "interval", "1", "length of the bars"),
        ("start", "label", "1", "first session"),
        ("end", "label", "1", "last session"),
        ("total_return", "float64", "1", "compounded"),
        ("sharpe", "float64", "1/sqrt(year)", "annualised Sharpe ratio"),
        ("max_drawdown", "float64", "1", "<= 0"),
        ("seed", "Int64", "1", "of the strategy's random numbers"),
        ("data_digest", "str", "1", "digest of the bars and corporate actions that it saw"),
        ("code_version", "str", "1", "version of the library and digest of its kernels"),
    ),
    ("run_id",),
)

SHORTFALL = FrameSpec(
    "shortfall",
    columns(
        ("decided_at", "instant", "1", "when the simulated order was placed, else the live one"),
        ("symbol", "str", "1", "ticker"),
        ("side", "side", "1", "BUY or SELL"),
        ("simulated_order_id", "Int64", "1", "missing of a live order without a simulated one"),
        ("live_orders", "int64", "orders", "live orders that belong to it; 0 if it was missed"),
        ("live_order_id", "Int64", "1", "the first of them"),
        (
            "simulated_quantity",
            "float64",
            "shares",
            "filled in the simulation: the paper portfolio",
        ),
        ("live_quantity", "float64", "shares", "filled live"),
        ("decision_price", "float64", "currency/share", "last close before the decision"),
        ("arrival_price", "float64", "currency/share", "when the live orders were placed"),
        ("simulated_price", "float64", "currency/share", "mean price of the simulated fills"),
        ("live_price", "float64", "currency/share", "mean price of the live fills"),
        ("end_price", "float64", "currency/share", "last close of the simulation"),
        ("delay", "float64", "currency", "side * live quantity * (arrival - decision price)"),
        ("execution", "float64", "currency", "side * live quantity * (live - arrival price)"),
        ("opportunity", "float64", "currency", "side * quantity missed * (end - decision price)"),
        ("fees", "float64", "currency", "of the live orders"),
        ("shortfall", "float64", "currency", "delay + execution + opportunity + fees"),
        (
            "assumed",
            "float64",
            "currency",
            "what the simulation lost after its decision, with fees",
        ),
        ("excess", "float64", "currency", "shortfall - assumed"),
        ("delay_bps", "float64", "0.0001", "of the larger quantity's value at the decision"),
        ("execution_bps", "float64", "0.0001", "likewise"),
        ("opportunity_bps", "float64", "0.0001", "likewise"),
        ("fees_bps", "float64", "0.0001", "likewise"),
        ("shortfall_bps", "float64", "0.0001", "likewise"),
    ),
    ("decided_at", "symbol"),
)

TRIALS = FrameSpec(
    "trials",
    columns(
        ("trial_id", "int64", "1", "the trial's id"),
        ("user", "str", "1", "user name of whoever ran it, missing where nobody was signed in"),
        ("family", "str", "1", "the strategy family: its class's name unless another was given"),
        ("recorded_at", "instant", "1", "when it was first run"),
        ("parameters", "str", "1", "the strategy's parameters, a JSON object"),
        ("settings", "str", "1", "symbols, range, interval and rules of the run, a JSON object"),
        ("data_digest", "str", "1", "digest of the bars and corporate actions that it saw"),
        ("code_hash", "str", "1", "digest of the strategy's code, missing for frames"),
        ("sessions", "Int64", "sessions", "returns that the figures rest on"),
        ("sharpe", "float64", "1/sqrt(session)", "mean over deviation of a session's return"),
        ("skew", "float64", "1", "skewness of the returns"),
        ("kurtosis", "float64", "1", "excess kurtosis of the returns; 0 of a normal distribution"),
        ("total_return", "float64", "1", "compounded"),
        ("max_drawdown", "float64", "1", "<= 0"),
        ("result", "str", "1", "everything recorded of the result, a JSON object"),
        ("run", "str", "1", "name of the saved run, missing where it was not saved"),
    ),
    ("family", "recorded_at", "trial_id"),
)
