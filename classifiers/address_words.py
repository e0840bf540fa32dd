"""The dictionary of words of address names, InformationRegister.AddressWords: (word, search key), both beginning with the part of the address.

Distinct names are a tenth of the objects and less, so that typing ahead looks through this dictionary and not through a million names.
It only grows while regions are replaced one by one: a word whose objects are gone finds nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from types import TracebackType
from typing import Self

from classifiers.address_text import words_of_key
from infobase.bulk_records import bulk_records
from infobase.session import Session
from infobase.storage import Statement

REMEMBERED = 100_000
"""Names kept in memory; more are put aside into a scratch store."""
SORTED_AT_ONCE = 25_000
FIELDS = {"Word": 251, "SearchKey": 251}


class WordCollector:
    """Gathers search keys of live objects, then writes those of their words that the base lacks."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._keys: set[str] = set()
        self._limit = remembered
        self._aside: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        if self._aside is not None:
            self._aside.close()

    def add(self, keys: Iterable[str]) -> None:
        """Search keys, "" for objects that are not searched."""
        self._keys.update(keys)
        if len(self._keys) > self._limit:
            self._put_aside(self._pairs(), "fresh")
            self._keys.clear()

    def write(self, session: Session, register: str) -> int:
        """Add to the register what it lacks; how many pairs."""
        with bulk_records(session, register) as bulk:
            if self._aside is None and bulk.count() <= self._limit:
                known = {f"{word}\0{key}" for word, key in _known(session, register)}
                return bulk.write(FIELDS, self._pairs(known))
            self._put_aside(self._pairs(), "fresh")
            self._put_aside(_known(session, register), "known")
            assert self._aside is not None
            rows = self._aside.execute("SELECT word, key FROM fresh EXCEPT SELECT word, key FROM known ORDER BY 1, 2")
            return bulk.write(FIELDS, rows)

    def _pairs(self, without: Collection[str] = ()) -> Iterator[list[str]]:
        """`without` some; those of so many keys at a time in the order of the register, for memory. Whole texts are sorted: pairs would take
        three times as long and the memory."""
        self._keys.discard("")
        keys = iter(self._keys)
        while part := list(islice(keys, SORTED_AT_ONCE)):
            lines: list[str] = []
            for key in part:
                lines += [f"{key[0]}{word}\0{key}" for word in _words(key)]
            lines.sort()
            yield from (line.split("\0") for line in lines if line not in without)

    def _put_aside(self, pairs: Iterable[Sequence[object]], table: str) -> None:
        if self._aside is None:
            self._aside = sqlite3.connect("", isolation_level=None)
            self._aside.execute("PRAGMA journal_mode = OFF")
            self._aside.execute("PRAGMA cache_size = -16384")
            for name in ("fresh", "known"):
                self._aside.execute(f"CREATE TABLE {name}(word, key, PRIMARY KEY (word, key)) WITHOUT ROWID")
        self._aside.executemany(f"INSERT OR IGNORE INTO {table} VALUES (?, ?)", pairs)


def _words(key: str) -> Collection[str]:
    """The distinct words of a key; mere letters between blanks are not looked through one by one."""
    name = key[1:]
    if name.isalpha():
        return (name,)
    return set(name.split(" ") if name.replace(" ", "").isalpha() else words_of_key(key)) - {""}


def _known(session: Session, register: str) -> Iterator[tuple[object, ...]]:
    """What the register holds."""
    layout = session.kernel.layout.registers[register]
    names = session.kernel.dialect.columns([c.name for c in layout.dimension_columns])
    with session.transaction() as tx:
        yield from tx.stream(Statement(f"SELECT {names} FROM {session.kernel.dialect.quote(layout.table.name)}"))
