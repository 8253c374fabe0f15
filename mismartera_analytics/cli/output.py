"""How a command hands a frame over: a table to people, CSV, JSON or Parquet to other programs."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mismartera_analytics.errors import InvalidInputError, as_given
from mismartera_analytics.frames.outgoing import for_terminal

if TYPE_CHECKING:
    import pandas as pd

    from mismartera_analytics.frames import FrameSpec

__all__ = ["AsCsv", "AsJson", "AsParquet", "Form", "Most", "form_of", "say", "show"]

Form = Literal["table", "csv", "json", "parquet"]
AsCsv = Annotated[bool, typer.Option("--csv", help="Write CSV instead of a table.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON, a list of rows.")]
AsParquet = Annotated[bool, typer.Option("--parquet", help="Write a Parquet file, into a pipe.")]
Most = Annotated[int, typer.Option("--most", min=1, help="Show at most so many rows of a table.")]


def form_of(*, csv: bool, json: bool, parquet: bool) -> Form:
    """Return the form that the options ask for, a table if none does.

    Raises
    ------
    InvalidInputError
        If two are asked for.
    """
    options: tuple[tuple[Form, bool], ...] = (("csv", csv), ("json", json), ("parquet", parquet))
    asked = [form for form, is_asked in options if is_asked]
    if len(asked) > 1:
        raise InvalidInputError(f"--{asked[0]} and --{asked[1]} exclude each other; give one.")
    return asked[0] if asked else "table"


def show(
    frame: pd.DataFrame,
    spec: FrameSpec | None = None,
    *,
    title: str,
    form: Form,
    most: int,
    columns: list[str] | None = None,
) -> None:
    """Write a frame to standard output.

    Parameters
    ----------
    frame
        Every row of it goes into a pipe.
    spec
        Units of the columns, for the table; those of `frame` itself, without units, by default.
    title, most, columns
        Of the table: what it shows, at most how many rows and which columns.
    form
        What to write.

    Raises
    ------
    InvalidInputError
        If Parquet, which is no text, would go to a terminal, or CSV to where its letters are unknown.
    """
    if form == "csv":
        from mismartera_analytics.frames.outgoing import without_formulas

        typer.echo(_encodable(without_formulas(frame).to_csv(index=False)), nl=False)
    elif form == "json":
        typer.echo(frame.to_json(orient="records", date_format="iso", date_unit="us"))
    elif form == "parquet":
        typer.echo(_parquet(frame), nl=False)
    else:
        _print(frame, spec or spec_of(frame), title=title, most=most, columns=columns)


def say(text: str, *, err: bool = False) -> None:
    """Write lines for people, on a terminal or into a log: what would steer either is shown instead."""
    typer.echo(for_terminal(text), err=err)


def _encodable(text: str) -> str:
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    if getattr(sys.stdout, "errors", None) in (
        "replace",
        "ignore",
        "xmlcharrefreplace",
        "namereplace",
    ):
        return text  # somebody chose so
    try:
        text.encode(encoding)
    except UnicodeEncodeError as error:
        raise InvalidInputError(
            f"--csv cannot write {as_given(text[error.start])} in {encoding}, which standard output "
            f"is in; set PYTHONIOENCODING=utf-8."
        ) from None
    return text


def _parquet(frame: pd.DataFrame) -> bytes:
    if sys.stdout.isatty():
        raise InvalidInputError(
            "--parquet writes no text; send it into a file, as in: … --parquet > bars.parquet"
        )
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


def spec_of(frame: pd.DataFrame) -> FrameSpec:
    """Return a contract made from a frame: its columns with their dtypes and no units."""
    from mismartera_analytics.frames import Column, FrameSpec

    made = tuple(Column(str(name), _dtype(frame[name]), "1", "") for name in frame.columns)
    return FrameSpec("result", made, ())


def _dtype(column: pd.Series) -> Literal["str", "float64", "Int64", "bool", "instant", "label"]:
    name = str(column.dtype)
    if name.startswith("datetime64"):
        days = column.dropna()
        is_label = "," not in name and bool((days.dt.normalize() == days).all())
        return "label" if is_label else "instant"
    if name.startswith("float"):
        return "float64"
    if name in ("bool", "boolean"):
        return "bool"
    return "Int64" if name.casefold().startswith(("int", "uint")) else "str"


def _print(
    frame: pd.DataFrame, spec: FrameSpec, *, title: str, most: int, columns: list[str] | None
) -> None:
    from mismartera_analytics.cli.screen import console
    from mismartera_analytics.reports.tables import frame_table

    if "session" in spec.names and "session" not in frame.columns:
        frame = frame.reset_index()
    out = console()
    out.print(frame_table(frame, spec, width=out.width, title=title, most=most, columns=columns))
