"""What an audit found: a frame by symbol and session, with gaps, findings and a heat map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mismartera_analytics.figures.style import ThemeName

__all__ = ["BarAudit"]


class BarAudit(pd.DataFrame):
    """The audit of bars: a frame as `frames.AUDIT`, a row per symbol and session.

    Whatever is derived from it (a filter, a copy) is a plain DataFrame: gaps and findings stay with
    the audit that they belong to.

    Attributes
    ----------
    gaps
        Frame as `frames.GAPS`: runs of missing bars, never across a phase of a session.
    findings
        Frame as `frames.FINDINGS`: each thing that is wrong or suspected, with its times.
    interval
        Length of the bars.
    """

    # pandas keeps attributes that are named here apart from columns, and pickles them.
    _metadata = ["gaps", "findings", "interval"]  # noqa: RUF012
    gaps: pd.DataFrame
    findings: pd.DataFrame
    interval: str

    def __init__(
        self, frame: pd.DataFrame, *, gaps: pd.DataFrame, findings: pd.DataFrame, interval: str
    ) -> None:
        super().__init__(frame)  # type: ignore[call-arg]
        self.gaps = gaps
        self.findings = findings
        self.interval = interval

    @property
    def _constructor(self) -> Any:
        return pd.DataFrame

    @property
    def frame(self) -> pd.DataFrame:
        """The same rows as a plain DataFrame of their own."""
        return pd.DataFrame(self, copy=True)

    @property
    def summary(self) -> str:
        """What was found, in a sentence or two."""
        return _summary(self)

    def plot(  # type: ignore[override]
        self,
        *,
        theme: ThemeName = "light",
        size: tuple[float, float] | None = None,
        title: str | None = None,
    ) -> Figure:
        """Draw the audit as a heat map, a symbol a row and a session a column.

        Parameters
        ----------
        theme, size
            Colours, and width and height [inch]; the height follows the symbols by default.
        title
            Of the figure.

        Returns
        -------
        matplotlib.figure.Figure
            Not shown.
        """
        from mismartera_analytics.figures.audit import audit_heatmap

        return audit_heatmap(
            self.frame, title=title or f"Audit of {self.interval} bars", theme=theme, size=size
        )

    def _repr_html_(self) -> str:
        return f"<p>{self.summary}</p>{self.frame.to_html(max_rows=20, notebook=True)}"


def _summary(audit: BarAudit) -> str:
    sums = {name: int(audit[name].sum()) for name in audit.columns[2:] if name != "split_ratio"}
    symbols = _many(audit["symbol"].nunique(), "symbol")
    sessions = _many(audit["session"].nunique(), "session")
    missing = "none is missing"
    if sums["missing"]:
        missing = f"{sums['missing']:,} are missing in {_many(len(audit.gaps), 'gap')}"
    said = (
        f"{symbols}, {sessions} of {audit.interval} bars: {sums['present']:,} of "
        f"{sums['expected']:,} expected ones are there, {missing}."
    )
    words = {
        "duplicate": "repeated",
        "off_session": "outside of the sessions",
        "zero_volume": "without volume",
        "suspected_bad_print": "suspected of bad prints",
        "stale_run": "in stale runs",
    }
    found = [f"{sums[name]:,} {word}" for name, word in words.items() if sums[name]]
    if found:
        said += f" Found: {', '.join(found)}."
    if sums["suspected_split"]:
        said += f" {_many(sums['suspected_split'], 'suspected split')}."
    said += _told_of_ends(audit)
    unreadable = int((audit.findings["kind"] == "unreadable").sum())
    return said + (f" {_many(unreadable, 'row')} could not be read." if unreadable else "")


def _told_of_ends(audit: BarAudit) -> str:
    """Say which symbols end before the others: what came to an end may be a feed, not a listing."""
    ends = audit.groupby("symbol")["session"].max()
    early = ends[ends < ends.max()]
    if early.empty:
        return ""
    verb = "ends" if len(early) == 1 else "end"
    example = f"{early.index[0]} on {early.iloc[0]:%Y-%m-%d}"
    return f" {_many(len(early), 'symbol')} {verb} before {ends.max():%Y-%m-%d}: {example}" + (
        "." if len(early) == 1 else ", for instance."
    )


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
