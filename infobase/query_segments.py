"""Which stored figures a virtual table of an accumulation register adds up: the current balance, monthly totals, movements.

A balance at a moment is the current balance less what came after: whole months from the monthly totals, the broken month from its movements,
counted from whichever of its ends is nearer. Turnovers of a period are its whole months from the totals and the two broken ones from movements.
A filter that totals cannot apply (a restriction by a field that is not a dimension) leaves movements only.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from infobase.metadata.types import EMPTY_DATE

OPENING, TURNING = "opening", "turning"
BALANCE, TOTALS, MOVEMENTS = "balance", "totals", "movements"
MIDDLE = 15
_DAILY = ("Day", "Week", "Recorder", "Record")


@dataclass(frozen=True, slots=True)
class Segment:
    """Rows of one table with `low` <= period < `high` (positions of values; -1: no bound), added or, with sign -1, taken away.
    `role`: whether they make the opening balance or the turnovers."""

    table: str
    role: str
    sign: int = 1
    low: int = -1
    high: int = -1


def month_of(moment: dt.datetime) -> dt.datetime:
    return moment.replace(day=1, hour=0, minute=0, second=0)


def next_month(moment: dt.datetime) -> dt.datetime | None:
    """The first moment of the month after; None after the last one there is."""
    start = month_of(moment)
    if start.month < 12:
        return start.replace(month=start.month + 1)
    return start.replace(year=start.year + 1, month=1) if start.year < dt.MAXYEAR else None


def after(moment: dt.datetime) -> dt.datetime | None:
    """The next second: an inclusive end as an exclusive one; None at the end of time."""
    try:
        return moment + dt.timedelta(seconds=1)
    except OverflowError:
        return None


class Segments:
    """Collects segments; the moments go to `values`."""

    def __init__(self, values: list[object], *, movements_only: bool) -> None:
        self._values, self._movements_only = values, movements_only
        self.made: list[Segment] = []

    def balance(self, moment: dt.datetime | None) -> None:
        """The balance before `moment`; None: of everything."""
        if self._movements_only:
            self._add(MOVEMENTS, OPENING, 1, None, moment)
            return
        self._add(BALANCE, OPENING, 1, None, None)
        if moment is None:
            return
        month, following = month_of(moment), next_month(moment)
        if moment == month or moment.day <= MIDDLE or following is None:
            self._add(TOTALS, OPENING, -1, month, None)
            if moment != month:
                self._add(MOVEMENTS, OPENING, 1, month, moment)
        else:
            self._add(TOTALS, OPENING, -1, following, None)
            self._add(MOVEMENTS, OPENING, -1, moment, following)

    def turnovers(self, low: dt.datetime | None, high: dt.datetime | None, periodicity: str = "") -> None:
        """Movements with low <= period < high."""
        if low is not None and high is not None and low >= high:
            high = low
        first = self._first_month(low)
        last = None if high is None else month_of(high)
        by_movements = self._movements_only or periodicity in _DAILY or first is None
        if by_movements or (last is not None and first is not None and first >= last):
            self._add(MOVEMENTS, TURNING, 1, low, high)
            return
        if low is not None and low != first:
            self._add(MOVEMENTS, TURNING, 1, low, first)
        self._add(TOTALS, TURNING, 1, None if low is None else first, last)
        if high is not None and high != last:
            self._add(MOVEMENTS, TURNING, 1, last, high)

    @staticmethod
    def _first_month(low: dt.datetime | None) -> dt.datetime | None:
        """The first whole month from `low` on."""
        if low is None:
            return EMPTY_DATE
        return low if low == month_of(low) else next_month(low)

    def _add(self, table: str, role: str, sign: int, low: dt.datetime | None, high: dt.datetime | None) -> None:
        self.made.append(Segment(table, role, sign, self._put(low), self._put(high)))

    def _put(self, moment: dt.datetime | None) -> int:
        if moment is None:
            return -1
        self._values.append(moment)
        return len(self._values) - 1
