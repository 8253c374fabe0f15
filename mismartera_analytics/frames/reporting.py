"""Contracts of frames about reports and copies: what was written, and what no longer agrees."""

from __future__ import annotations

from mismartera_analytics.frames.contract import FrameSpec, columns

__all__ = ["COPIED_TABLES", "DIAGNOSIS", "DIFFERENCES", "REPORTS"]

REPORTS = FrameSpec(
    "reports",
    columns(
        ("report", "str", "1", "the account or run by name"),
        ("kind", "str", "1", "account or run"),
        ("account_id", "Int64", "1", "the account, missing where it is not known"),
        ("run_id", "Int64", "1", "the saved run, missing for an account"),
        ("user", "str", "1", "whose it is"),
        ("status", "str", "1", "written, unchanged or failed"),
        ("error", "str", "1", "why it failed, missing where it did not"),
        ("attention", "str", "1", "what somebody should look at, empty in most rows"),
        ("files", "str", "1", "names of the files in the batch's folder, by commas"),
        ("seconds", "float64", "s", "time taken by the worker"),
        ("currency", "str", "1", "ISO code of the amounts"),
        ("last_session", "label", "1", "last session that is in the report"),
        ("value", "float64", "currency", "value at its end"),
        ("day_pnl", "float64", "currency", "profit or loss of the last session"),
        ("day_return", "float64", "1", "return of the last session"),
        ("pnl", "float64", "currency", "profit or loss of the period"),
        ("total_return", "float64", "1", "return of the period"),
        ("sharpe_ratio", "float64", "1", "annualised"),
        ("max_drawdown", "float64", "1", "deepest drawdown of the period"),
        ("drawdown", "float64", "1", "drawdown at the last session"),
        ("trades", "Int64", "trades", "closed in the period"),
    ),
    (),
)

DIFFERENCES = FrameSpec(
    "differences",
    columns(
        (
            "what",
            "str",
            "1",
            "file, order, fill, flow, action, bar, run, account, library or figure",
        ),
        ("name", "str", "1", "which one, in words"),
        ("column", "str", "1", "what of it, missing where it was added or deleted"),
        ("recorded", "str", "1", "as the report has it"),
        ("now", "str", "1", "as it is now"),
        ("difference", "float64", "see column", "now less recorded, missing where it is no number"),
        ("text", "str", "1", "all of it as a sentence"),
    ),
    (),
)

COPIED_TABLES = FrameSpec(
    "copied_tables",
    columns(
        ("table", "str", "1", "name of the table"),
        ("rows", "int64", "rows", "how many it has"),
        ("checksum", "str", "1", "SHA-256 of its content, the same on every database"),
    ),
    (),
)

DIAGNOSIS = FrameSpec(
    "diagnosis",
    columns(
        ("check", "str", "1", "which part was looked at"),
        ("severity", "str", "1", "error, warning or note"),
        ("what", "str", "1", "what is wrong, with the first rows concerned"),
        ("count", "int64", "1", "how many rows, files or versions it concerns"),
        ("advice", "str", "1", "what to do"),
        ("is_mendable", "bool", "1", "mended by doctor(fix=True)"),
    ),
    (),
)
