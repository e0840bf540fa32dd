"""The beginning of the period a moment falls in: numbering, totals, turnovers by period."""

from __future__ import annotations

import datetime as dt

from infobase.metadata.types import EMPTY_DATE

QUARTER_MONTHS = 3


def period_start(date: dt.datetime, periodicity: str) -> dt.datetime:
    """The first second of the day, month, quarter or year of `date` (naive local time).

    Without periodicity numbers run through all time: the result is the empty date, one period for all.
    """
    match periodicity:
        case "":
            return EMPTY_DATE
        case "Day":
            return dt.datetime(date.year, date.month, date.day)
        case "Month":
            return dt.datetime(date.year, date.month, 1)
        case "Quarter":
            return dt.datetime(date.year, date.month - (date.month - 1) % QUARTER_MONTHS, 1)
        case "Year":
            return dt.datetime(date.year, 1, 1)
        case _:
            raise ValueError(f"periodicity {periodicity!r}")
