"""Contracts of frames about markets: bars, a store and its audit, corporate actions, calendars."""

from __future__ import annotations

from mismartera_analytics.frames.contract import FrameSpec, columns

__all__ = [
    "AUDIT", "BARS", "CORPORATE_ACTIONS", "COVERAGE", "FINDINGS", "GAPS", "HOLIDAYS",
    "INSTRUMENTS", "INVENTORY", "SESSIONS", "VACUUMED", "VERSIONS",
]  # fmt: skip

BARS = FrameSpec(
    "bars",
    columns(
        ("symbol", "str", "1", "ticker"),
        ("timestamp", "instant", "1", "start of the bar"),
        ("session", "label", "1", "label of the (first) session, for 1d and longer"),
        ("open", "float64", "currency/share", "first price"),
        ("high", "float64", "currency/share", "highest price"),
        ("low", "float64", "currency/share", "lowest price"),
        ("close", "float64", "currency/share", "last price"),
        ("volume", "float64", "shares", "traded"),
    ),
    ("symbol", "timestamp"),
)

COVERAGE = FrameSpec(
    "coverage",
    columns(
        ("symbol", "str", "1", "ticker"),
        ("first", "instant", "1", "start of the first bar"),
        ("last", "instant", "1", "start of the last bar"),
        ("bars", "int64", "1", "number of bars"),
        ("sessions", "int64", "1", "number of distinct sessions"),
    ),
    ("symbol",),
)

INVENTORY = FrameSpec(
    "inventory",
    columns(
        ("interval", "str", "1", "length of the bars"),
        ("symbols", "int64", "1", "number of symbols"),
        ("bars", "int64", "1", "number of bars"),
        ("first", "instant", "1", "start of the first bar"),
        ("last", "instant", "1", "start of the last bar"),
        ("files", "int64", "1", "number of data files"),
        ("bytes", "int64", "bytes", "their size on disk"),
    ),
    (),
)

VERSIONS = FrameSpec(
    "versions",
    columns(
        ("version", "int64", "1", "number of the version, from 0"),
        ("committed_at", "instant", "1", "when it became visible"),
        ("operation", "str", "1", "upsert, compact or vacuum"),
        ("bars", "Int64", "1", "bars that were given to be written"),
        ("symbols", "Int64", "1", "their symbols"),
        ("is_readable", "bool", "1", "false if it was vacuumed"),
    ),
    ("version",),
)

VACUUMED = FrameSpec(
    "vacuumed",
    columns(
        ("path", "str", "1", "data file below the table's folder"),
        ("size", "int64", "bytes", "its length"),
        ("modified", "instant", "1", "when it was written"),
        ("reason", "str", "1", "superseded: only vacuumed versions need it; orphan: none does"),
    ),
    ("path",),
)

AUDIT = FrameSpec(
    "audit",
    columns(
        ("symbol", "str", "1", "ticker"),
        ("session", "label", "1", "label of the (first) session"),
        ("expected", "int64", "bars", "that the session's hours hold"),
        ("present", "int64", "bars", "of the expected ones, each counted once"),
        ("missing", "int64", "bars", "expected - present"),
        ("duplicate", "int64", "bars", "beyond the first of the same symbol and start"),
        ("off_session", "int64", "bars", "that start where no bar of the interval can start"),
        (
            "extended",
            "int64",
            "bars",
            "in pre- and post-market, where only regular hours are asked",
        ),
        ("zero_volume", "int64", "bars", "of the present ones without volume"),
        ("suspected_split", "int64", "1", "1 where the price jumps by a split's ratio, else 0"),
        ("split_ratio", "float64", "new/old", "the suspected ratio, missing without one"),
        ("suspected_bad_print", "int64", "bars", "of the present ones with a price out of line"),
        ("stale_run", "int64", "bars", "of the present ones in runs of equal prices"),
    ),
    ("symbol", "session"),
)

GAPS = FrameSpec(
    "gaps",
    columns(
        ("symbol", "str", "1", "ticker"),
        ("session", "label", "1", "session of the first missing bar"),
        ("phase", "str", "1", "pre_market, regular or post_market"),
        ("start", "instant", "1", "start of the first missing bar"),
        ("end", "instant", "1", "end of the last missing bar"),
        ("bars", "int64", "bars", "missing"),
    ),
    ("symbol", "start"),
)

FINDINGS = FrameSpec(
    "findings",
    columns(
        ("symbol", "str", "1", "ticker"),
        ("session", "label", "1", "as in the audit; missing where a bar has no time"),
        ("kind", "str", "1", "name of the audit's column, or unreadable"),
        ("start", "instant", "1", "start of the first bar concerned"),
        ("last", "instant", "1", "start of the last one"),
        ("bars", "int64", "bars", "concerned"),
        (
            "value",
            "float64",
            "see note",
            "ratio of a split, price out of line or stale; else missing",
        ),
        ("note", "str", "1", "what was found, in words"),
    ),
    ("symbol", "start", "kind"),
)

CORPORATE_ACTIONS = FrameSpec(
    "corporate_actions",
    columns(
        ("symbol", "str", "1", "ticker"),
        ("action_type", "str", "1", "SPLIT, CASH_DIVIDEND, SYMBOL_CHANGE or DELISTING"),
        ("ex_date", "label", "1", "in force from this session's open"),
        ("ratio", "float64", "new/old", "shares after a split for one before"),
        ("amount", "float64", "currency/share", "dividend, or what a delisting brings"),
        ("new_symbol", "str", "1", "ticker after a change of symbol, missing for other actions"),
        ("known_at", "instant", "1", "when it became known, missing for the ex-date"),
    ),
    ("ex_date", "symbol"),
)

INSTRUMENTS = FrameSpec(
    "instruments",
    columns(
        ("symbol", "str", "1", "ticker"),
        ("valid_from", "label", "1", "first day of this meaning, missing for unbounded"),
        ("valid_to", "label", "1", "last day of this meaning, missing for unbounded"),
        ("exchange_group", "str", "1", "exchanges with the same hours and holidays"),
        ("asset_class", "str", "1", "EQUITY, FUTURE …"),
        ("currency", "str", "1", "ISO code of its prices"),
        ("multiplier", "float64", "currency", "what one point of price of one contract is worth"),
    ),
    ("symbol", "valid_from"),
)

SESSIONS = FrameSpec(  # `session` is the index of the frames that calendars give
    "sessions",
    columns(
        ("session", "label", "1", "the session's date"),
        ("exchange", "str", "1", "the exchange or group asked for"),
        ("pre_market_open", "instant", "1", "missing where there is none"),
        ("regular_open", "instant", "1", "the open"),
        ("break_start", "instant", "1", "missing where there is none"),
        ("break_end", "instant", "1", "missing where there is none"),
        ("regular_close", "instant", "1", "the close"),
        ("post_market_close", "instant", "1", "missing where there is none"),
        ("is_early_close", "bool", "1", "closes before the usual time"),
        ("is_late_open", "bool", "1", "opens after the usual time"),
        ("holiday_name", "str", "1", "name of the day that changed the hours"),
    ),
    ("session", "exchange"),
)

HOLIDAYS = FrameSpec(
    "holidays",
    columns(
        ("date", "label", "1", "the day"),
        ("exchange", "str", "1", "group or exchange of the row that rules"),
        ("holiday_name", "str", "1", "its name where known"),
        ("is_closed", "bool", "1", "closed all day"),
        ("early_close_time", "str", "1", "local time of an early close, missing where usual"),
        ("late_open_time", "str", "1", "local time of a late open, missing where usual"),
    ),
    ("date",),
)
