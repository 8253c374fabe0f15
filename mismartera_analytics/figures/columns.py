"""What figures ask of the frames that they draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mismartera_analytics.errors import InvalidInputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["require"]


def require(frame: pd.DataFrame, *names: str, argument: str) -> None:
    """Check that a frame has the columns that are read of it.

    Parameters
    ----------
    frame
        What the caller passed.
    *names
        Columns that the figure reads.
    argument
        Name of the caller's argument, for the error message.

    Raises
    ------
    InvalidInputError
        If a column is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> require(pd.DataFrame({"equity": []}), "equity", argument="equity")
    """
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise InvalidInputError(
            f"{argument} lacks the columns {missing}; it has {[str(c) for c in frame.columns]}."
        )
