"""Notebooks as reports: run one with other parameters, and write it as a page."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from mismartera_analytics import config
from mismartera_analytics.arguments import is_one_of
from mismartera_analytics.auth import current_user
from mismartera_analytics.errors import (
    InvalidInputError,
    MismarteraError,
    MissingDependencyError,
    NotAllowedError,
    StorageError,
    UnknownNameError,
    as_given,
    suggestion,
)
from mismartera_analytics.files import write_file
from mismartera_analytics.given_files import expanded
from mismartera_analytics.json_texts import parse_json

__all__ = ["Form", "NotebookError", "parsed_parameters", "run_notebook"]

Form = Literal["html", "ipynb"]
FORMS: tuple[Form, ...] = ("html", "ipynb")
_OFFLINE = """
{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block jupyter_widgets -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
"""
"""nbconvert's page without what it would load from the network."""


class NotebookError(MismarteraError, RuntimeError):
    """A cell of a notebook failed.

    Attributes
    ----------
    half_run
        The notebook as far as it came, with the error in it.
    """

    def __init__(self, message: str, *, half_run: Path) -> None:
        super().__init__(message)
        self.half_run = half_run

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), half_run=self.half_run), self.args


@dataclass(frozen=True)
class _Target:
    """Where a run is written to, and where it is left when a cell fails."""

    page: Path
    half_run: Path


def run_notebook(
    path: str | Path,
    parameters: Mapping[str, Any] | None = None,
    *,
    out: str | Path | None = None,
    to: Form = "html",
    code: Literal["shown", "hidden"] = "shown",
    progress: bool | None = None,
) -> Path:
    """Run a notebook from top to bottom in a kernel of its own, and write what came of it.

    The kernel is the Python that calls, with the settings in force; it works in the notebook's folder.

    Parameters
    ----------
    path
        The notebook; it stays as it is.
    parameters
        Values by name, in place of those in the cell with the tag ``parameters``.
    out
        A file, or a folder; by default the folder of reports. Folders are made.
    to
        What is written: a page (``"html"``) that needs no network, or the notebook with its outputs.
    code
        Whether a page shows the cells' code.
    progress
        Whether a bar shows on standard error; None: on a terminal.

    Returns
    -------
    pathlib.Path
        The file, absolute. It is written beside and renamed.

    Raises
    ------
    MissingDependencyError
        If papermill or nbconvert is not installed.
    UnknownNameError
        If the notebook has no parameter of a name; the nearest is suggested.
    InvalidInputError
        If the file is no notebook for Python, or an argument is not allowed.
    NotAllowedError
        If somebody who is not a superuser is signed in: a kernel sees all rows.
    NotebookError
        If a cell fails; the message names the cell and the error, and the notebook as far as it came
        lies where it says.
    StorageError
        If a file cannot be read or written.
    """
    if not is_one_of(to, FORMS):
        hint = suggestion(to, FORMS) or "."
        raise InvalidInputError(f"to={as_given(to)} is unknown{hint} Allowed: {', '.join(FORMS)}.")
    _check_installed()
    _check_may_run()
    source = expanded(path).absolute()
    notebook = _read(source)
    given = dict(parameters or {})
    target = _target(source, given, out, to)
    shows = sys.stderr.isatty() if progress is None else progress
    with tempfile.TemporaryDirectory(prefix="mismartera-notebook-") as folder:
        copy = _copy_of(notebook, Path(folder))
        _check_parameters(copy, given, source.name)
        _make_folder(target.page.parent)
        _execute(copy, given, source, target, bar=shows)
        made = _page_of(copy, source.stem, code) if to == "html" else copy
        write_file(target.page, made.read_bytes(), argument="out")
    target.half_run.unlink(missing_ok=True)  # of an earlier run that failed
    return target.page


def parsed_parameters(words: list[str]) -> dict[str, Any]:
    """Return parameters as they are written on a command line: ``name=value``.

    A value that is JSON (a number, true, false, null, a list) is taken as that, anything else as text.

    Parameters
    ----------
    words
        One for each parameter.

    Raises
    ------
    InvalidInputError
        If one has no ``=``, no proper name, or comes twice.

    Examples
    --------
    >>> parsed_parameters(["account=3", "title=Morning", "session=2012-12-31", "days=[1, 5]"])
    {'account': 3, 'title': 'Morning', 'session': '2012-12-31', 'days': [1, 5]}
    """
    found: dict[str, Any] = {}
    for word in words:
        name, mark, text = word.partition("=")
        if not mark or not name.isidentifier():
            raise InvalidInputError(f"-p {word!r} must be name=value, as in -p account=3.")
        if name in found:
            raise InvalidInputError(f"-p {name} is given twice; give it once.")
        try:
            found[name] = parse_json(text, what=name)
        except InvalidInputError:
            found[name] = text
    return found


def _check_installed() -> None:
    from importlib.util import find_spec

    missing = [name for name in ("papermill", "nbconvert", "ipykernel") if find_spec(name) is None]
    if missing:
        raise MissingDependencyError(
            f"running a notebook needs {', '.join(missing)}; "
            f"pip install 'mismartera-analytics[lab]' brings it."
        )


def _check_may_run() -> None:
    identity = current_user()
    if identity is not None and not identity.is_superuser:
        raise NotAllowedError(
            f"a notebook runs in a process of its own, where {identity.username} is not signed in; "
            f"only superusers may run one."
        )


def _read(path: Path) -> Any:
    import nbformat

    try:
        notebook = nbformat.read(path, as_version=4)
    except OSError as error:
        raise StorageError(f"the notebook {path} cannot be read ({error.strerror}).") from None
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, UnicodeDecodeError):
        raise InvalidInputError(f"{path} is no notebook.") from None
    spec = notebook.metadata.get("kernelspec", {})
    if spec.get("language", "python").casefold() != "python":
        raise InvalidInputError(f"{path} is a notebook for {spec['language']}, not for Python.")
    return notebook


def _copy_of(notebook: Any, folder: Path) -> Path:
    """Write a copy that says in full which language it is in, as papermill asks."""
    import nbformat

    spec = notebook.metadata.setdefault(
        "kernelspec", {"name": "python3", "display_name": "Python 3"}
    )
    spec["language"] = "python"
    copy = folder / "notebook.ipynb"
    nbformat.write(notebook, copy)
    return copy


def _check_parameters(copy: Path, given: Mapping[str, Any], name: str) -> None:
    import papermill

    if not given:
        return
    known = papermill.inspect_notebook(str(copy))
    for parameter in given:
        if parameter not in known:
            there = ", ".join(known) or "none: no cell has the tag 'parameters'"
            hint = suggestion(parameter, known) or "."
            raise UnknownNameError(f"{name} has no parameter {parameter!r}{hint} It has {there}.")


def _target(source: Path, given: Mapping[str, Any], out: str | Path | None, to: Form) -> _Target:
    told = "".join(f"-{name}-{value}" for name, value in given.items())
    stem = re.sub(r"[^\w.-]+", "-", source.stem + told)[:120].strip("-")
    page = config.settings().reports / f"{stem}.{to}"
    if out is not None:
        asked = expanded(out, argument="out").absolute()
        page = asked if asked.suffix == f".{to}" else asked / page.name
        if asked.suffix in {f".{form}" for form in FORMS} - {f".{to}"}:
            raise InvalidInputError(
                f"out={as_given(str(out))} ends otherwise than to={as_given(to)} says."
            )
    if page == source:
        raise InvalidInputError(
            f"out={as_given(str(page))} is the notebook itself; give another file."
        )
    return _Target(page, page.with_name(f"{page.stem}.failed.ipynb"))


def _execute(
    copy: Path, given: dict[str, Any], source: Path, target: _Target, *, bar: bool
) -> None:
    import papermill
    from papermill.exceptions import PapermillExecutionError

    try:
        papermill.execute_notebook(
            str(copy),
            str(copy),
            parameters=given,
            kernel_name="python3",
            progress_bar=bar,
            kernel_manager_class=_own_kernel(),
            resources={"metadata": {"path": str(source.parent)}},
        )
    except PapermillExecutionError as error:
        write_file(target.half_run, copy.read_bytes(), argument="out")
        told = f"{error.ename}: {error.evalue}".strip().split("\n")[0].rstrip(".: ")
        raise NotebookError(
            f"{source.name}: cell {error.exec_count} failed with {told}. What ran before it is in "
            f"{target.half_run}.",
            half_run=target.half_run,
        ) from None


def _own_kernel() -> Any:
    """Return a manager of kernels that are the Python that runs, under the settings in force."""
    import zmq
    from ipykernel.kernelspec import get_kernel_dict
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    kept = config.settings().model_dump()
    environment = {f"{config.PREFIX}{name.upper()}": str(value) for name, value in kept.items()}
    spec = KernelSpec(**{**get_kernel_dict(), "env": environment})

    class OwnKernel(AsyncKernelManager):
        """Starts the same Python, whatever kernels are registered on the machine."""

        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            if self.has_trait("transport_encryption") and zmq.has("curve"):
                self.transport_encryption = "auto"  # else the kernel warns of every connection

        @property
        def kernel_spec(self) -> KernelSpec:
            """What is started."""
            return spec

    return OwnKernel


def _page_of(ran: Path, title: str, code: Literal["shown", "hidden"]) -> Path:
    import nbformat
    from nbconvert.exporters import HTMLExporter

    notebook = nbformat.read(ran, as_version=4)
    exporter = HTMLExporter(raw_template=_OFFLINE)
    if code == "hidden":
        exporter.exclude_input = exporter.exclude_input_prompt = True
        exporter.exclude_output_prompt = True
    text, _ = exporter.from_notebook_node(notebook, resources={"metadata": {"name": title}})
    page = ran.with_suffix(".html")
    page.write_text(text, encoding="utf-8")
    return page


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"the folder {folder} cannot be made ({error.strerror}).") from None
