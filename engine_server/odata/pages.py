"""Deep `$skip` at the price of the first page: the key of the last row of each page given out is remembered for a while.

A client that walks a list with `$skip=0, 50, 100, ...` goes on behind the row it saw last, so that other people's changes make it neither
miss nor repeat a row. Any write through this interface forgets everything; so does time.
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

Key = tuple[object, ...]
Remembered = OrderedDict[int, tuple[float, Key]]


class PageMemory:
    """Keys of pages by user and query. Shared by threads."""

    def __init__(self, lifetime: float = LIFETIME) -> None:
        self._lifetime = lifetime
        self._lists: OrderedDict[tuple[str, str], Remembered] = OrderedDict()
        self._mutex = threading.Lock()

    def nearest(self, owner: str, query: Query, position: int) -> tuple[int, Key | None]:
        """The last remembered position at or before this one, and its key; (0, None) when there is none."""
        if position == 0:
            return 0, None
        oldest = time.monotonic() - self._lifetime
        with self._mutex:
            pages: Remembered = self._lists.get((owner, repr(query)), OrderedDict())
            known = sorted(at for at, (stamp, _) in pages.items() if stamp >= oldest)
            i = bisect_right(known, position)
            return (known[i - 1], pages[known[i - 1]][1]) if i else (0, None)

    def remember(self, owner: str, query: Query, position: int, key: Key) -> None:
        """The row before `position` has this key."""
        with self._mutex:
            pages: Remembered = self._lists.pop((owner, repr(query)), OrderedDict())
            pages.pop(position, None)
            pages[position] = (time.monotonic(), key)
            while len(pages) > MAX_PAGES:
                pages.popitem(last=False)
            self._lists[owner, repr(query)] = pages
            while len(self._lists) > MAX_LISTS:
                self._lists.popitem(last=False)

    def forget(self) -> None:
        """Something was written."""
        with self._mutex:
            self._lists.clear()
