"""The magics: ``%%ma_sql``, ``%ma_theme``, ``%ma_errors`` and ``%ma_frames``."""

from __future__ import annotations

import keyword
from typing import Any

from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring

from mismartera_analytics.errors import InvalidInputError, as_given, suggestion
from mismartera_analytics.notebook import failures
from mismartera_analytics.notebook.look import Scheme, parse_scheme
from mismartera_analytics.notebook.parameters import asked_of, frames_of, values_of

__all__ = ["NotebookMagics"]


@magics_class
class NotebookMagics(Magics):
    """What the extension adds to a notebook, and how it is set there."""

    scheme: Scheme = "auto"
    formats_frames: bool = True

    @magic_arguments()
    @argument("name", nargs="?", help="Variable that takes the result.")
    @argument("--user", help="Only this user's rows.")
    @argument("--tz", help="IANA zone of the instants in the result; UTC by default.")
    @line_cell_magic
    def ma_sql(self, line: str, cell: str | None = None) -> Any:
        """Ask bars, records and frames in SQL; the answer is a frame.

        ``%%ma_sql held --tz America/New_York`` asks what the cell holds and keeps it as ``held``;
        ``%ma_sql select …`` asks in one line. ``:name`` is the value of a variable, bound and never
        pasted in; a frame is a table by its variable's name. Tab completes tables, columns and names.
        """
        import mismartera_analytics as ma

        name = user = tz = None
        text = line
        if cell is not None:
            options = parse_argstring(self.ma_sql, line)
            name, user, tz, text = options.name, options.user, options.tz, cell
        if name is not None:
            _check_name(name)
        shell: Any = self.shell
        variables = shell.user_ns
        asked = asked_of(text)
        frame = ma.sql(
            asked.query,
            user=user,
            tz=tz,
            params=values_of(asked.names, variables) or None,
            **frames_of(asked.query, variables),
        )
        if name is not None:
            shell.push({name: frame})
        return frame

    @line_magic
    def ma_theme(self, line: str) -> None:
        """Show figures and results ``light``, ``dark``, or as the page is (``auto``)."""
        self.scheme = parse_scheme(line.strip())

    @line_magic
    def ma_errors(self, line: str) -> None:
        """Show errors of the library as one sentence (``short``) or with tracebacks (``full``)."""
        if _chosen(line, "short", "full") == "short":
            failures.hide(self.shell)
        else:
            failures.show(self.shell)

    @line_magic
    def ma_frames(self, line: str) -> None:
        """Show frames with sensible decimals (``formatted``) or as pandas does (``plain``)."""
        self.formats_frames = _chosen(line, "formatted", "plain") == "formatted"


def _check_name(name: str) -> None:
    if not name.isidentifier() or keyword.iskeyword(name):
        raise InvalidInputError(
            f"name={as_given(name)} is no name of a variable; write one word after %%ma_sql, and "
            f"the query in "
            f"the lines below."
        )


def _chosen(line: str, *allowed: str) -> str:
    word = line.strip()
    if word not in allowed:
        raise InvalidInputError(
            f"{word!r} is not known{suggestion(word, allowed) or '.'} Allowed: {', '.join(allowed)}."
        )
    return word
