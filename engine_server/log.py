"""The event log in the schema `event_log` of the base's own database: entries commit with the data."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from engine_server.pool import Connection
from infobase.log_layout import (
    CODE_TABLES,
    CodeKey,
    add_code,
    code_keys,
    create_statements,
    encode,
    insert_statement,
    read_entries,
    select_statement,
    trim_statement,
)
from infobase.storage import LogEntry, LogFilter, Statement, Transaction

SCHEMA = "event_log"
PREFIX = SCHEMA + "."
_ROWS_PER_INSERT = 500


class Source(Protocol):
    """What the log needs of the engine."""

    def transaction(self, *, write: bool) -> AbstractContextManager[Transaction]: ...

    def apart(self) -> AbstractContextManager[Connection]: ...


def setup_statements() -> list[Statement]:
    return [Statement(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"), *create_statements("postgresql", PREFIX)]


class ServerEventLog:
    """Codes of names are made in a transaction of their own, once per name, so that a posting only inserts its entry."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._codes: dict[CodeKey, int] = {}
        self._mutex = threading.Lock()

    def insert_statements(self, entries: Sequence[LogEntry]) -> list[Statement]:
        missing = [k for k in code_keys(entries) if k not in self._codes]
        if missing:
            with self._mutex:
                self._learn(missing)
        rows = [encode(e, self._codes) for e in entries]
        starts = range(0, len(rows), _ROWS_PER_INSERT)
        return [insert_statement(rows[i : i + _ROWS_PER_INSERT], "%s", PREFIX) for i in starts]

    def _learn(self, keys: Sequence[CodeKey]) -> None:
        with self._source.apart() as conn, conn.pipeline():
            for key in keys:
                insert, select = add_code(key, "%s", PREFIX)
                conn.execute(insert.sql, insert.params)
                found = conn.execute(select.sql, select.params).fetchone()
                assert found is not None
                self._codes[key] = found[0]

    def append(self, entries: Sequence[LogEntry]) -> None:
        if not entries:
            return
        with self._source.transaction(write=True) as tx:
            tx.log(entries)

    def read(self, wanted: LogFilter) -> Iterator[LogEntry]:
        statement = select_statement(wanted, "%s", PREFIX)
        with self._source.transaction(write=False) as tx:
            yield from read_entries(tx.stream(statement), wanted)

    def trim(self, before: dt.datetime, last: int = 0) -> int:
        deletion = trim_statement(before, "%s", PREFIX, last)
        counting = Statement(f"WITH gone AS ({deletion.sql} RETURNING 1) SELECT count(*) FROM gone", deletion.params)
        with self._source.transaction(write=True) as tx:
            found: Any = tx.run([counting])[0][0][0]
        return int(found)

    def clear(self) -> None:
        tables = ", ".join(f'{PREFIX}"{name}"' for name in ("EventLog", *CODE_TABLES))
        with self._mutex, self._source.transaction(write=True) as tx:
            tx.run([Statement(f"TRUNCATE {tables} RESTART IDENTITY")])
            self._codes.clear()
