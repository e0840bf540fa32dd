"""Deep `$skip` at the price of the first page: the key of the last row of each page given out is remembered for a while.

A client that walks a list with `$skip=0, 50, 100, ...` goes on behind the row it saw last, so that other people's changes make it neither
miss nor repeat a row. A write through this interface forgets the lists of what was written; time forgets all.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections import OrderedDict

from infobase.query_model import Query

LIFETIME = 60.0
"""Seconds a key is good for."""
MAX_LISTS = 500
MAX_PAGES = 200
"""Keys remembered of one list: the latest."""

_REGISTERS = ("InformationRegister.", "AccumulationRegister.")

Key = tuple[object, ...]
Remembered = OrderedDict[int, tuple[float, Key]]


class PageMemory:
    """Keys of pages by user and query. Shared by threads."""

    def __init__(self, lifetime: float = LIFETIME) -> None:
        self._lifetime = lifetime
        self._lists: OrderedDict[tuple[str, str, str], Remembered] = OrderedDict()
        self._mutex = threading.Lock()

    def nearest(self, owner: str, query: Query, position: int) -> tuple[int, Key | None]:
        """The last remembered position at or before this one, and its key; (0, None) when there is none."""
        if position == 0:
            return 0, None
        oldest = time.monotonic() - self._lifetime
        with self._mutex:
            pages: Remembered = self._lists.get(_name(owner, query), OrderedDict())
            known = sorted(at for at, (stamp, _) in pages.items() if stamp >= oldest)
            i = bisect_right(known, position)
            return (known[i - 1], pages[known[i - 1]][1]) if i else (0, None)

    def remember(self, owner: str, query: Query, position: int, key: Key) -> None:
        """The row before `position` has this key."""
        with self._mutex:
            pages: Remembered = self._lists.pop(_name(owner, query), OrderedDict())
            pages.pop(position, None)
            pages[position] = (time.monotonic(), key)
            while len(pages) > MAX_PAGES:
                pages.popitem(last=False)
            self._lists[_name(owner, query)] = pages
            while len(self._lists) > MAX_LISTS:
                self._lists.popitem(last=False)

    def forget(self, written: str) -> None:
        """An object of this full name was written: its own lists have changed, and any register's may have."""
        with self._mutex:
            for name in [n for n in self._lists if n[1].startswith((written, *_REGISTERS))]:
                del self._lists[name]


def _name(owner: str, query: Query) -> tuple[str, str, str]:
    return owner, query.source, repr(query)
