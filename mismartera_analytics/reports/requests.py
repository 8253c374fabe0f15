"""Which reports a batch is to make: of all accounts, of chosen ones, of saved runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from mismartera_analytics.arguments import is_whole
from mismartera_analytics.errors import (
    InvalidInputError,
    UnknownNameError,
    as_given,
    suggestion,
)
from mismartera_analytics.frames.given import listed
from mismartera_analytics.reports.outcomes import Request

__all__ = ["Names", "requests_of"]

Names = int | str | Iterable[int | str]
"""Ids or names, one or several."""


def requests_of(
    accounts: Names | None, runs: Names | None, *, user: str | int | None
) -> list[Request]:
    """Return what is asked for, each once, accounts before runs.

    Parameters
    ----------
    accounts
        Ids, or numbers at the broker. None means all, unless `runs` are named.
    runs
        Ids or names of saved runs.
    user
        Only this user's.

    Raises
    ------
    UnknownNameError
        If an account, a run or the user is not known to whoever asks.
    InvalidInputError
        If a name stands for several, or there is nothing to report on.
    NotAllowedError
        If somebody who is not a superuser asks for another user's.
    """
    found = []
    if accounts is not None or runs is None:
        found += _accounts(_listed(accounts, argument="accounts"), user)
    if runs is not None:
        found += _runs(_listed(runs, argument="runs") or [], user)
    if not found:
        raise InvalidInputError("there is no account to report on; open one and record orders.")
    return list({request.key: request for request in found}.values())


def _listed(names: Names | None, *, argument: str) -> list[int | str] | None:
    if names is None:
        return None
    found: list[Any] = [names] if is_whole(names) else listed(names, argument=argument)
    if not found:
        raise InvalidInputError(f"{argument} is empty; name at least one, or leave it out for all.")
    return found


def _accounts(names: list[int | str] | None, user: str | int | None) -> list[Request]:
    from mismartera_analytics.models.runs import BROKER
    from mismartera_analytics.queries.records import accounts

    table = accounts(account=names, user=user)
    return [
        Request("account", int(row["account_id"]), _name(row), str(row["user"]),
                int(row["account_id"]), is_simulated=row["broker"] == BROKER)
        for row in table.to_dict("records")
    ]  # fmt: skip


def _name(row: dict[Any, Any]) -> str:
    number = row["account_number"]
    return f"{row['broker']} {row['account_id'] if pd.isna(number) else number}"


def _runs(names: list[int | str], user: str | int | None) -> list[Request]:
    from mismartera_analytics.backtesting.saved_runs import saved_runs

    table = saved_runs(user=user)
    return [_run(name, table) for name in names]


def _run(name: int | str, table: pd.DataFrame) -> Request:
    if isinstance(name, bool) or not isinstance(name, int | str):
        raise InvalidInputError(f"runs holds {name!r}, which is neither an id nor a name.")
    found = table[table["name" if isinstance(name, str) else "run_id"] == name]
    if not len(found):
        hint = suggestion(name, table["name"]) if isinstance(name, str) else ""
        raise UnknownNameError(f"run={as_given(name)} is not known{hint or '.'}")
    if len(found) > 1:
        ids = ", ".join(map(str, found["run_id"]))
        raise InvalidInputError(
            f"run={as_given(name)} is the name of several runs; pass an id: {ids}."
        )
    row: Any = found.iloc[0]
    account = None if pd.isna(row["account_id"]) else int(row["account_id"])
    return Request("run", int(row["run_id"]), str(row["name"]), str(row["user"]), account,
                   str(row["created_at"]), is_simulated=True)  # fmt: skip
