"""Tear sheets of accounts, one at a time: noted in the table of reports like those of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mismartera_analytics.arguments import is_whole
from mismartera_analytics.errors import MismarteraError, warn
from mismartera_analytics.reports.benchmarks import benchmark_of
from mismartera_analytics.reports.citing import Citation, cite_account
from mismartera_analytics.reports.content import TearSheetContent
from mismartera_analytics.reports.headline import Headline, headline_of_account

__all__ = ["Noted", "noted_account"]


@dataclass(frozen=True)
class Noted:
    """The content of an account's tear sheet, and what it rests on."""

    account_id: int
    name: str
    content: TearSheetContent
    headline: Headline
    citation: Citation

    def note(self, target: Path, content: bytes) -> None:
        """Note a file before it is moved to its place, so that it can be verified; else warn."""
        from mismartera_analytics.reports.storing import note

        try:
            note(
                {target: content},
                title=self.name,
                cites=self.citation.with_headline(self.headline),
                packed=self.citation.packed,
                account_id=self.account_id,
            )
        except MismarteraError as error:
            warn(
                f"{target.name} is not noted in the table of reports, so that it cannot be verified: "
                f"{error}",
            )


def noted_account(source: Any, benchmark: Any) -> Noted | None:
    """Return the content of an account's tear sheet with what it rests on; None of anything else.

    Parameters
    ----------
    source, benchmark
        As in `tear_sheet`.

    Raises
    ------
    UnknownNameError, InvalidInputError
        As in `tear_sheet`.
    """
    if not isinstance(source, str) and not is_whole(source):
        return None
    from mismartera_analytics.queries.records import accounts
    from mismartera_analytics.reports.accounts import read_account
    from mismartera_analytics.reports.sources import from_record

    account = source if isinstance(source, str) else int(source)
    given = benchmark if isinstance(benchmark, str) else benchmark_of(benchmark)
    found = accounts(account=account)["account_id"]
    cited: str | pd.Series[float] | None = given
    citation = cite_account(int(found.iloc[0]), start=None, end=None, benchmark=cited)
    record = read_account(account)
    content = from_record(record)
    headline = headline_of_account(record, content)
    return Noted(record.account_id, record.name, content, headline, citation)
