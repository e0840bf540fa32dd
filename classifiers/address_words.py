"""The dictionary of words of address names, InformationRegister.AddressWords: (word, search key), both beginning with the part of the address.

Distinct names are a tenth of the objects and less, so that typing ahead looks through this dictionary and not through a million names.
It only grows while regions are replaced one by one: a word whose objects are gone finds nothing.
"""

from __future__ import annotations

import sqlite3
from types import TracebackType
from typing import Self

from classifiers.address_text import words_of
from infobase.bulk_records import bulk_records
from infobase.session import Session
from infobase.storage import Statement

REMEMBERED = 100_000
FETCH = 5_000


class WordCollector:
    """Gathers the words of search keys in a scratch store outside memory, then writes those the base lacks."""

    def __init__(self) -> None:
        self._store = sqlite3.connect("", isolation_level=None)
        self._store.execute("PRAGMA journal_mode = OFF")
        for name in ("fresh", "known"):
            self._store.execute(f"CREATE TABLE {name}(word, key, PRIMARY KEY (word, key)) WITHOUT ROWID")
        self._seen: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        self._store.close()

    def add(self, keys: list[str]) -> None:
        """Search keys, "" for objects that are not searched."""
        fresh = set(keys) - self._seen
        fresh.discard("")
        if not fresh:
            return
        if len(self._seen) > REMEMBERED:
            self._seen.clear()
        self._seen |= fresh
        pairs = [(key[0] + word, key) for key in fresh for word in words_of(key[1:])]
        self._store.executemany("INSERT OR IGNORE INTO fresh VALUES (?, ?)", pairs)

    def write(self, session: Session, register: str) -> int:
        """Add to the register what it lacks; how many pairs."""
        with bulk_records(session, register) as bulk:
            self._learn_known(session, register)
            fresh = "SELECT word, key FROM fresh EXCEPT SELECT word, key FROM known ORDER BY 1, 2"
            rows = self._store.execute(fresh)
            return bulk.write({"Word": 251, "SearchKey": 251}, rows)

    def _learn_known(self, session: Session, register: str) -> None:
        layout = session.kernel.layout.registers[register]
        names = session.kernel.dialect.columns([c.name for c in layout.dimension_columns])
        table = session.kernel.dialect.quote(layout.table.name)
        with session.transaction() as tx:
            rows = tx.stream(Statement(f"SELECT {names} FROM {table}"))
            self._store.executemany("INSERT OR IGNORE INTO known VALUES (?, ?)", rows)
