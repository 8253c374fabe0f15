"""The matcher that gives IPython's completer the names of `completion`."""

from __future__ import annotations

from typing import Any

from mismartera_analytics.notebook.completion import Catalog, suggestions

__all__ = ["register", "unregister"]

_NAME = "mismartera_analytics.sql"
_MAGIC = "%%ma_sql"
_LINE = "%ma_sql "
_OPTIONS = ("--user", "--tz")


def register(shell: Any) -> None:
    """Add the matcher to a shell's completer, once."""
    from IPython.core.completer import context_matcher

    catalog = Catalog()

    @context_matcher(identifier=_NAME)  # type: ignore[untyped-decorator]
    def match(context: Any) -> Any:
        return _matched(context, catalog, shell.user_ns)

    unregister(shell)
    shell.Completer.custom_matchers.append(match)


def unregister(shell: Any) -> None:
    """Take the matcher away."""
    others = [m for m in shell.Completer.custom_matchers if _identifier(m) != _NAME]
    shell.Completer.custom_matchers[:] = others


def _identifier(matcher: Any) -> str:
    return str(getattr(matcher, "matcher_identifier", ""))


def _matched(context: Any, catalog: Catalog, variables: dict[str, Any]) -> Any:
    from IPython.core.completer import SimpleCompletion

    parts = _parts(context)
    if parts is None:
        return {"completions": []}
    if isinstance(parts, str):
        found = [
            SimpleCompletion(word, type="option") for word in _OPTIONS if word.startswith(parts)
        ]
        return {"completions": found, "matched_fragment": parts, "suppress": bool(found)}
    query, before = parts
    fragment, told = suggestions(query, before, tables=catalog.tables(), variables=variables)
    return {
        "completions": [SimpleCompletion(item.text, type=item.kind) for item in told],
        "matched_fragment": fragment,
        "suppress": True,
        "ordered": True,
    }


def _parts(context: Any) -> tuple[str, str] | str | None:
    """Return the query and what of it is before the cursor; a word of the magic's own line; or None."""
    lines = context.full_text.split("\n")
    line, at = lines[context.cursor_line], context.cursor_position
    if lines[0].lstrip().startswith(_MAGIC):
        if context.cursor_line == 0:
            word = line[:at].rpartition(" ")[2]
            return word if word.startswith("-") else None
        before = "\n".join([*lines[1 : context.cursor_line], line[:at]])
        return "\n".join(lines[1:]), before
    mark = line.find(_LINE)
    if 0 <= mark < at:
        begin = mark + len(_LINE)
        return line[begin:], line[begin:at]
    return None
