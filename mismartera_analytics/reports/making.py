"""When a report was made."""

from __future__ import annotations

import datetime as dt
import os

from mismartera_analytics import clock
from mismartera_analytics.errors import ConfigurationError, as_given

__all__ = ["made_at"]


def made_at() -> dt.datetime:
    """Return the instant that a report names as its making.

    It is that of ``SOURCE_DATE_EPOCH`` [s since 1970] where that is set, so that the same content
    gives the same bytes, else now.

    Raises
    ------
    ConfigurationError
        If that is no time.

    Examples
    --------
    >>> made_at().tzinfo
    datetime.timezone.utc
    """
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given.isdecimal():
        try:
            return dt.datetime.fromtimestamp(int(given), clock.UTC)
        except (OverflowError, ValueError, OSError):
            raise ConfigurationError(
                f"SOURCE_DATE_EPOCH={as_given(given)} is no time of the years 1970 to 9999 [s]."
            ) from None
    return clock.utc_now()
