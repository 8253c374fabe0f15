"""Values of every kind, and frames that are spoiled by them."""

from __future__ import annotations

import datetime as dt
import decimal
import random
from typing import Any

import numpy as np
import pandas as pd

from tests.faults.nasty import NAMES

__all__ = ["anything", "scalar", "spoiled", "spoiled_bytes", "spoiled_text"]

_UTC = dt.UTC
SCALARS: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 10, 2**31, 2**63 - 1, -(2**63), 2**63, 10**30, 10**400, -(10**400),
    0.0, -0.0, 0.5, 1.5, 1e-320, 1e308, -1e308, float("nan"), float("inf"), -float("inf"),
    decimal.Decimal("1.1"), decimal.Decimal("NaN"), decimal.Decimal("sNaN"), decimal.Decimal("1e999999"),
    decimal.Decimal("Infinity"), 1j, complex("nan+1j"), np.float64(2.5), np.int64(3), np.bool_(True),
    np.float32("inf"), np.datetime64("NaT"), np.datetime64("2024-01-02"), np.datetime64("9999-12-31"),
    np.timedelta64(1, "D"), pd.NaT, pd.NA, pd.Timestamp.min, pd.Timestamp.max,
    pd.Timestamp("2024-01-02 10:00"), pd.Timestamp("2024-01-02 10:00", tz="America/New_York"),
    pd.Timestamp("2004-06-01", tz="UTC"), pd.Timedelta(5, "D"), pd.Period("2024-01"), pd.Interval(0, 1),
    dt.date.min, dt.date.max, dt.date(2004, 6, 1), dt.date(2024, 2, 29), dt.datetime.min, dt.datetime.max,
    dt.datetime.min.replace(tzinfo=_UTC), dt.datetime.max.replace(tzinfo=_UTC),
    dt.datetime(2004, 6, 1, tzinfo=_UTC), dt.datetime(2004, 6, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=23, minutes=59))),
    dt.datetime.min.replace(tzinfo=dt.timezone(dt.timedelta(hours=5))),
    dt.datetime.max.replace(tzinfo=dt.timezone(dt.timedelta(hours=-5))), "0001-01-01T00:00:00+05:00",
    "9999-12-31T23:59:59-05:00", dt.datetime(2004, 6, 1), dt.time(9, 30), dt.time.max, dt.timedelta.max, dt.timedelta(days=1),
    b"", b"AAPL", b"\xff\xfe", bytearray(b"x"), memoryview(b"x"), object(), Ellipsis, NotImplemented, int, len,
    "AAPL", "IBM", "MSFT", "demo", "1d", "1m", "1w", "2004-01-02", "2005-12-30", "2004-13-45", "0001-01-01",
    "9999-12-31", "10000-01-01", "NYSE", "US_EQUITY", "UTC", "America/New_York", "Mars/Phobos", "../UTC",
    "2004-01-02T10:00:00Z", "2004-01-02 10:00", "BUY", "SELL", "FILLED", "x" * 5_000,
)  # fmt: skip


def scalar(rng: random.Random) -> Any:
    """Return one value."""
    return rng.choice(NAMES) if rng.random() < 0.35 else rng.choice(SCALARS)


def anything(rng: random.Random, depth: int = 0) -> Any:
    """Return a value, a collection of values, an array or a frame."""
    if depth > 2 or rng.random() < 0.62:
        return scalar(rng)
    many = [anything(rng, depth + 1) for _ in range(rng.choice((0, 1, 1, 2, 3)))]
    kind = rng.randrange(13)
    if kind <= 2:
        return many
    if kind == 3:
        return tuple(many)
    if kind == 4:
        return {str(scalar(rng)): one for one in many}
    if kind == 5:
        return {hashable(scalar(rng)): one for one in many}
    if kind == 6:
        return iter(many)
    if kind == 7:
        return {hashable(one) for one in many}
    if kind == 8:
        return np.array([scalar(rng) for _ in range(3)], dtype=object)
    if kind == 9:
        return rng.choice(
            (np.zeros(3), np.zeros((2, 2)), np.array(5), np.array([], "datetime64[us]"))
        )
    if kind == 10:
        return pd.Series([scalar(rng) for _ in range(rng.randrange(4))], dtype=object)
    if kind == 11:
        index = pd.date_range("2004-01-05", periods=5, tz=rng.choice((None, "UTC")))
        return pd.Series(np.linspace(-0.1, 0.1, 5), index)
    return spoiled(rng, lambda: pd.DataFrame({"symbol": ["AAPL", "IBM"], "close": [1.0, 2.0]}))


def hashable(value: Any) -> Any:
    """Return a value, or its text where it cannot be a key."""
    try:
        hash(value)
    except TypeError:
        return str(type(value))
    return value


def column(rng: random.Random, rows: int, old: Any) -> Any:
    """Return a column of some other kind."""
    kind = rng.randrange(16)
    if kind == 0:
        return [scalar(rng)] * rows
    if kind == 1:
        return pd.Series([scalar(rng) for _ in range(rows)], dtype=object).to_numpy()
    if kind == 2:
        return np.array(
            [rng.choice((np.nan, np.inf, -np.inf, -0.0, 1e308, 5e-324)) for _ in range(rows)]
        )
    if kind == 3:
        return np.array([rng.choice((2**63 - 1, -(2**63), 0)) for _ in range(rows)], np.int64)
    if kind == 4:
        return np.full(rows, 2**64 - 1, np.uint64)
    if kind == 5:
        return np.full(rows, 1 + 2j)
    if kind == 6:
        return [
            decimal.Decimal(rng.choice(("NaN", "1.5", "1e999999", "-0", "sNaN")))
            for _ in range(rows)
        ]
    if kind == 7:
        return pd.Categorical(
            [str(one) for one in pd.Series(old, dtype=object)][:rows], ordered=True
        )
    if kind == 8:
        return pd.Series(pd.Series(old).astype(object)).to_numpy()
    if kind == 9:
        return pd.array([None] * rows, dtype=rng.choice(("Int64", "boolean", "Float64", "str")))
    if kind == 10:
        return [
            rng.choice((dt.datetime.min, dt.datetime.max.replace(tzinfo=_UTC))) for _ in range(rows)
        ]
    if kind == 11:
        tz = rng.choice((None, "UTC", "Asia/Tokyo"))
        return pd.date_range("2004-01-05 14:30", periods=rows, freq="min", tz=tz)
    if kind == 12:
        return pd.date_range("2004-01-05", periods=rows, unit=rng.choice(("s", "ns")))
    if kind == 13:
        return [[scalar(rng)] for _ in range(rows)]
    if kind == 14:
        return [rng.choice(NAMES) for _ in range(rows)]
    return pd.period_range("2004", periods=rows, freq="D")


def spoiled(rng: random.Random, make: Any) -> pd.DataFrame:
    """Return a good frame with up to three things changed."""
    frame: pd.DataFrame = make()
    for _ in range(rng.randrange(4)):
        rows, names = len(frame), list(frame.columns)
        kind = rng.randrange(14)
        if not names:
            break
        at = rng.randrange(len(names))
        if kind <= 4:
            frame = _with(frame, at, column(rng, rows, frame.iloc[:, at]))
        elif kind == 5:
            frame = frame.drop(columns=frame.columns[at])
        elif kind == 6:
            frame.columns = pd.Index([*names[:at], scalar(rng), *names[at + 1 :]], dtype=object)
        elif kind == 7:
            frame = pd.concat([frame, frame.iloc[:, [at]]], axis=1)
        elif kind == 8:
            frame = frame.iloc[:0]
        elif kind == 9:
            frame.columns = pd.MultiIndex.from_arrays([names, names])
        elif kind == 10:
            frame.index = pd.Index([scalar(rng) for _ in range(rows)], dtype=object)
        elif kind == 11 and rows:
            cells = pd.Series(frame.iloc[:, at], dtype=object).reset_index(drop=True)
            cells[rng.randrange(rows)] = 0
            cells.iloc[rng.randrange(rows)] = scalar(rng)
            frame = _with(frame, at, cells.to_numpy())
        elif kind == 12:
            frame = pd.concat([frame, frame])
        else:
            frame = frame.set_index(frame.columns[at])
    return frame


def _with(frame: pd.DataFrame, at: int, values: Any) -> pd.DataFrame:
    made = pd.DataFrame(frame).copy()
    name = made.columns[at]
    rest = [made.iloc[:, other] for other in range(made.shape[1])]
    try:
        rest[at] = pd.Series(values, index=made.index, name=name)
    except (ValueError, TypeError, OverflowError):  # pandas has no column of these
        rest[at] = pd.Series([*values], index=made.index, name=name, dtype=object)
    whole = pd.concat(rest, axis=1)
    whole.columns = made.columns
    return whole


def spoiled_text(rng: random.Random, text: str) -> str:
    """Return a file's text with cells replaced, pieces cut out, repeated or moved."""
    for _ in range(rng.randrange(4)):
        a, b = sorted((rng.randrange(len(text) + 1), rng.randrange(len(text) + 1)))
        kind = rng.randrange(9)
        if kind <= 3:
            for mark in rng.sample(['"', ",", "\n", ":"], 2):
                end = text.find(mark, a + 1)
                if end > 0:
                    text = text[: a + 1] + str(scalar(rng)) + text[end:]
                    break
        elif kind == 4:
            text = text[:a] + text[min(b, a + 40) :]
        elif kind == 5:
            text = text[:b]
        elif kind == 6:
            text = text[:a] + text[a : a + 200] * rng.choice((2, 3, 50)) + text[a + 200 :]
        elif kind == 7:
            text = text[:a] + rng.choice(NAMES) + text[a:]
        else:
            text = text[:a] + rng.choice(('"', ",", "\n", "\r", "\x00", "[", "{", "}", ";", "\t")) * rng.choice(
                (1, 2, 500)) + text[a:]  # fmt: skip
    return text


def spoiled_bytes(rng: random.Random, text: str) -> bytes:
    """Return a text in some coding, perhaps with bytes that are none of it."""
    coding = rng.choice(("utf-8",) * 8 + ("utf-16", "utf-8-sig", "cp1252", "utf-32", "utf-7"))
    raw = text.encode(coding, "replace" if coding != "utf-8" else "surrogatepass")
    if rng.random() < 0.1:
        at = rng.randrange(len(raw) + 1)
        raw = raw[:at] + bytes(rng.randrange(256) for _ in range(rng.randrange(1, 9))) + raw[at:]
    return raw
