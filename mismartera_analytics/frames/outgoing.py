"""Texts on their way out: no spreadsheet takes one for a formula, no terminal for a command."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import numpy as np
import pandas as pd

from mismartera_analytics.errors import as_given
from mismartera_analytics.frames.number_cells import is_beyond_floats

__all__ = ["for_terminal", "plain_text", "spreadsheet_text", "without_formulas"]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z", re.ASCII)
_SIGNS = r"=+\-@＝＋－＠﹦﹢﹣﹫"
_CUTS = r";\t|\r\n"
_STARTS = re.compile(rf"(\A|[{_CUTS}])([^\w{_SIGNS}{_CUTS}]*+)(?=[{_SIGNS}])")
_MARKED = re.compile(rf"(\A|[{_CUTS}])'([^\w{_SIGNS}{_CUTS}]*+)(?=[{_SIGNS}])")
_HIDDEN = re.compile(r"'*[\t\r\n]")
"""Begins with what a spreadsheet drops; apostrophes before it count, or two texts became one."""
_MARK = "'"


def spreadsheet_text(text: str) -> str:
    r"""Return a text that no spreadsheet takes for a formula, whatever it parts cells by.

    An apostrophe goes before a sign that begins a formula (``= + - @``, in full width too) where it
    is the first of the text, but for blanks, marks and quotation marks, or follows a semicolon, a tab,
    a bar or a line's end; and before a text that begins with a tab or a line's end. What is a number
    stays one.

    Examples
    --------
    >>> spreadsheet_text("=1+1"), spreadsheet_text("-1.5"), spreadsheet_text("a;=1+1")
    ("'=1+1", '-1.5', "a;'=1+1")
    """
    if _NUMBER.match(text):
        return text
    marked = _STARTS.sub(rf"\g<1>{_MARK}\g<2>", text)
    return _MARK + marked if _HIDDEN.match(text) else marked


def plain_text(text: str) -> str:
    """Return the text that `spreadsheet_text` was given, of what it returned.

    Examples
    --------
    >>> plain_text("'=1+1"), plain_text("'tis")
    ('=1+1', "'tis")
    """
    for marked in (text, text.removeprefix(_MARK)):
        bare = _MARKED.sub(r"\g<1>\g<2>", marked)
        if spreadsheet_text(bare) == text:
            return bare
    return text


def without_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    r"""Return a frame whose texts and names of columns no spreadsheet takes for formulas.

    Numbers, times and truths stay as they are; the row labels too, which no file of ours has.

    Examples
    --------
    >>> without_formulas(pd.DataFrame({"=a": ["@b", "c"], "d": [-1.0, 2.0]})).to_csv(index=False)
    "'=a,d\n'@b,-1.0\nc,2.0\n"
    """
    made = frame.copy(deep=False)
    for at, dtype in enumerate(frame.dtypes):
        if dtype.kind == "O" or isinstance(dtype, pd.StringDtype | pd.CategoricalDtype):
            values = np.empty(len(frame), dtype=object)
            values[:] = [_marked(value) for value in frame.iloc[:, at]]
            made.isetitem(at, values)
    made.columns = pd.Index([_marked(name) for name in frame.columns], dtype=object)
    return made


def _marked(value: Any) -> Any:
    if isinstance(value, str):
        return spreadsheet_text(value.encode("utf-8", "backslashreplace").decode())
    return as_given(value) if is_beyond_floats(value) else value


def for_terminal(text: str) -> str:
    r"""Return a text of which a terminal shows each sign: what steers it is written as an escape.

    Lines stay lines, the second and later ones set in by two blanks if they are not, so that a line
    within a name is not taken for one of its own.

    Examples
    --------
    >>> for_terminal("a\x1b[31m\u202eb\nmismartera: done")
    'a\\x1b[31m\\u202eb\n  mismartera: done'
    """
    shown = "".join(sign if sign == "\n" or _is_shown(sign) else _escaped(sign) for sign in text)
    return re.sub(r"\n(?=\S)", "\n  ", shown)


def _is_shown(sign: str) -> bool:
    return sign.isprintable() or unicodedata.category(sign) == "Zs"


def _escaped(sign: str) -> str:
    return sign.encode("unicode_escape", "backslashreplace").decode("ascii")
