"""The tear sheet: one self-contained file about a backtest, an account, returns, or several of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from mismartera_analytics import config
from mismartera_analytics.arguments import is_one_of
from mismartera_analytics.errors import InvalidInputError, as_given, suggestion
from mismartera_analytics.files import write_files
from mismartera_analytics.frames.given import is_encodable
from mismartera_analytics.given_files import expanded
from mismartera_analytics.reports import comparison, single
from mismartera_analytics.reports.benchmarks import aligned, benchmark_of
from mismartera_analytics.reports.content import TearSheetContent
from mismartera_analytics.reports.files import own_file_name
from mismartera_analytics.reports.noted import noted_account
from mismartera_analytics.reports.outline import Outline
from mismartera_analytics.reports.page import html_of
from mismartera_analytics.reports.sources import content_of

__all__ = ["outline_of", "render", "render_pdf", "tear_sheet"]

SUFFIXES = (".html", ".pdf")


def tear_sheet(
    source: Any,
    path: str | Path | None = None,
    *,
    title: str | None = None,
    benchmark: Any = None,
    stress: bool = True,
    lookahead: Any = None,
    paper: Literal["A4", "Letter"] = "A4",
) -> Path:
    """Write a tear sheet: one file that needs no network and can be sent around.

    Parameters
    ----------
    source
        A backtest's result, the id or number of an account (that of a saved backtest too), simple
        returns labelled by session, a `TearSheetContent`, or a list of such, which are compared.
    path
        The file: ``.html`` for a page, ``.pdf`` for paper; ``<title>.html`` in the configured folder of
        reports by default. Folders are made.
    title
        Heading; the run's or account's name by default.
    benchmark
        A symbol with daily bars in the store (dividends reinvested), simple returns [1] labelled by
        session, or another run. Its sessions need not be the record's.
    stress
        Whether a backtest is put under stress, for which it is run three times more.
    lookahead
        What `check_lookahead` said of the strategy, a `LookaheadReport`; of several records a list,
        None for those that were not checked.
    paper
        Of a PDF.

    Returns
    -------
    pathlib.Path
        The file, absolute. It is written beside and renamed, so a reader never sees half of it.

    Raises
    ------
    InvalidInputError
        If the source is nothing that can be reported, the benchmark covers none of the record's
        sessions, or the file's ending is another.
    UnknownNameError
        If there is no such account, or no bars of such a benchmark.
    StorageError
        If the file cannot be written; a former file is left as it was.

    Examples
    --------
    >>> tear_sheet(TearSheetContent("Nothing yet")).name
    'nothing-yet.html'
    """
    target = None if path is None else _target(path)
    _check_paper(paper)
    _check_title(title)
    noted = noted_account(source, benchmark)
    outline = outline_of(
        source if noted is None else noted.content,
        title=title,
        benchmark=benchmark,
        stress=stress,
        lookahead=lookahead,
    )
    if target is None:
        name = own_file_name(outline.title) or "report"
        target = config.settings().reports / f"{name}.html"
    if target.suffix.lower() == ".pdf":
        from mismartera_analytics.reports.pdf import pdf_of

        content = pdf_of(outline, paper=paper)
    else:
        content = html_of(outline).encode("utf-8")

    def note() -> None:
        if noted is not None:
            noted.note(target, content)

    write_files({target: content}, before=note)
    return target


def outline_of(
    source: Any,
    *,
    title: str | None = None,
    benchmark: Any = None,
    stress: bool = True,
    lookahead: Any = None,
) -> Outline:
    """Return what a tear sheet shows, before it is written as anything.

    Parameters
    ----------
    source, title, benchmark, stress, lookahead
        As in `tear_sheet`.

    Returns
    -------
    Outline

    Raises
    ------
    InvalidInputError, UnknownNameError
        As in `tear_sheet`.

    Examples
    --------
    >>> outline_of(TearSheetContent("Nothing yet")).title
    'Nothing yet'
    """
    if isinstance(source, (list, tuple)):
        checks = _each(lookahead, len(source))
        contents = [
            content_of(one, stress=stress, lookahead=check)
            for one, check in zip(source, checks, strict=True)
        ]
        return comparison.outline_of(contents, title=title, benchmark=benchmark_of(benchmark))
    content = content_of(source, stress=stress, lookahead=lookahead)
    if title is not None:
        content = replace(content, title=str(title))
    if benchmark is not None:
        given = benchmark_of(benchmark)
        content = replace(content, benchmark=aligned(given, content.returns))
    return single.outline_of(content)


def _each(lookahead: Any, count: int) -> Sequence[Any]:
    if lookahead is None:
        return [None] * count
    if not isinstance(lookahead, (list, tuple)) or len(lookahead) != count:
        raise InvalidInputError(
            f"lookahead must be a list of {count} reports of check_lookahead, one for each record "
            f"compared; None for those that were not checked."
        )
    return lookahead


def render(content: TearSheetContent) -> str:
    """Return the page of a tear sheet as HTML text.

    Parameters
    ----------
    content
        What to show. Empty frames give a page that says so.

    Returns
    -------
    str
        A complete document. Every text of the content is escaped.

    Examples
    --------
    >>> "&lt;b&gt;" in render(TearSheetContent("<b>"))
    True
    """
    return html_of(single.outline_of(content))


def render_pdf(content: TearSheetContent, *, paper: Literal["A4", "Letter"] = "A4") -> bytes:
    """Return a tear sheet as a PDF.

    Parameters
    ----------
    content
        What to show.
    paper
        Its size.

    Returns
    -------
    bytes

    Examples
    --------
    >>> render_pdf(TearSheetContent("Nothing yet"))[:5]
    b'%PDF-'
    """
    from mismartera_analytics.reports.pdf import pdf_of

    return pdf_of(single.outline_of(content), paper=paper)


def _target(path: str | Path) -> Path:
    """Return the file as an absolute path with an ending that says what it is."""
    if not isinstance(path, (str, Path)):
        raise InvalidInputError(f"path={as_given(path)} must be a path: text or a pathlib.Path.")
    target = expanded(path)
    if target.suffix.lower() not in SUFFIXES:
        hint = suggestion(target.suffix.lower(), SUFFIXES) if target.suffix else ""
        ending = f"ends in {target.suffix!r}" if target.suffix else "has no ending"
        raise InvalidInputError(
            f"path={as_given(str(path))} {ending}{hint or '.'} Allowed: .html for a page, .pdf for "
            f"paper."
        )
    return target if target.is_absolute() else Path.cwd() / target


def _check_title(title: str | None) -> None:
    if title is not None and not is_encodable(str(title)):
        raise InvalidInputError(f"title={as_given(title)} holds half of a character.")


def _check_paper(paper: str) -> None:
    if not is_one_of(paper, ("A4", "Letter")):
        raise InvalidInputError(
            f"paper={as_given(paper)} is unknown{suggestion(paper, ('A4', 'Letter')) or '.'} "
            f"Allowed: A4, Letter."
        )
