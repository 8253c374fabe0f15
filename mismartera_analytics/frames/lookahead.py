"""Contracts of frames about checks for look-ahead."""

from __future__ import annotations

from mismartera_analytics.frames.contract import FrameSpec, columns

__all__ = ["LOOKAHEAD", "LOOKAHEAD_CHECKED"]

LOOKAHEAD = FrameSpec(
    "lookahead",
    columns(
        (
            "kind",
            "str",
            "1",
            "indicator, weight, entry or exit (perhaps short), universe, order or fill",
        ),
        ("name", "str", "1", "the function with its parameters, empty for a strategy's orders"),
        ("symbol", "str", "1", "ticker, empty where it is of none"),
        ("session", "label", "1", "session of the first bar at whose end the decision changed"),
        ("timestamp", "instant", "1", "start of that bar"),
        ("changed_after", "instant", "1", "end of the last bar that was left as it was"),
        ("future", "str", "1", "what the later bars were: removed, thinned, changed or mirrored"),
        ("bars_ahead", "int64", "bars", "at least so far it looks: the most that was seen"),
        ("old", "str", "1", "the decision of the run"),
        ("new", "str", "1", "the decision with another future"),
        ("changed", "int64", "1", "reruns in which it changed"),
        ("reruns", "int64", "1", "reruns in which it was compared"),
    ),
    (),
)

LOOKAHEAD_CHECKED = FrameSpec(
    "lookahead_checked",
    columns(
        ("kind", "str", "1", "as in the findings"),
        ("name", "str", "1", "as in the findings"),
        ("symbol", "str", "1", "as in the findings"),
        ("values", "int64", "1", "values of the run that were compared, each in one rerun or more"),
        ("comparisons", "int64", "1", "values compared in all reruns"),
    ),
    (),
)
