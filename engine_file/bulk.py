"""Whole tables in and out through ADBC's SQLite, which brings a second SQLite library into the process: it never opens a live base,
only a staged one that the standard library has closed, or a scratch copy.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain, islice
from pathlib import Path
from typing import Any

import adbc_driver_manager
import pyarrow as pa
from adbc_driver_sqlite import dbapi

from engine_file.arrow import BATCH_ROWS, canonical_batches, storage_batches
from engine_file.failures import translate
from engine_file.transaction import FileTransaction
from infobase.arrow import arrow_type
from infobase.errors import DiskFull, InfobaseError, NotUnique, StorageFailure
from infobase.storage import Row, Statement, Table
from infobase.text_columns import TextColumns, interlaced


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def insert_sql(table: Table, rows: int = 1) -> str:
    names = ", ".join(quote(c.name) for c in table.columns)
    row = f"({', '.join('?' * len(table.columns))})"
    return f"INSERT INTO {quote(table.name)} ({names}) VALUES {', '.join([row] * rows)}"


ROWS_AT_ONCE = 16
"""Rows given in one statement: each one costs as much as binding several of its values. More of them gain nothing."""
_MAX_VALUES = 900
"""Values in one statement, below the least limit SQLite is built with."""
_CHUNK_ROWS = 4096


def insert_rows(tx: FileTransaction, table: Table, rows: Iterable[Sequence[object]]) -> int:
    """Rows in storage form, several by each statement; their number."""
    given = iter(rows)
    chunks = iter(lambda: list(chain.from_iterable(islice(given, _CHUNK_ROWS))), [])
    return _insert_values(tx, table, chunks)


def insert_texts(tx: FileTransaction, table: Table, blocks: Iterable[TextColumns]) -> int:
    """The same of blocks of columns."""
    return _insert_values(tx, table, (interlaced(block) for block in blocks if block and block[0]))


def _insert_values(tx: FileTransaction, table: Table, chunks: Iterable[Sequence[object]]) -> int:
    """`chunks`: the values of whole rows one after another."""
    width, count = len(table.columns), 0
    at_once = max(1, min(ROWS_AT_ONCE, _MAX_VALUES // width))
    many, one = insert_sql(table, at_once), insert_sql(table)
    step = width * at_once
    for values in chunks:
        whole = len(values) // step * step
        if whole:
            count += tx.many(many, (values[i : i + step] for i in range(0, whole, step)))
        if whole < len(values):
            count += tx.many(one, (values[i : i + width] for i in range(whole, len(values), width)))
    return count


def ingest(path: Path, table: Table, batches: Iterable[pa.RecordBatch]) -> int:
    """Into a table of a file that nothing else has open; all or nothing."""
    storage = pa.schema([pa.field(c.name, _storage_type(arrow_type(c), c.kind)) for c in table.columns])
    reader = pa.RecordBatchReader.from_batches(storage, _labelled(storage_batches(batches, table.columns), storage))
    try:
        with closing(dbapi.connect(str(path), autocommit=True)) as conn, closing(conn.cursor()) as cursor:
            for pragma in (
                "journal_mode = OFF",
                "synchronous = OFF",
                "cache_size = -65536",
                "locking_mode = EXCLUSIVE",
            ):
                cursor.execute(f"PRAGMA {pragma}")
                cursor.fetchall()
            return int(cursor.adbc_ingest(table.name, reader, mode="append"))
    except adbc_driver_manager.Error as problem:
        raise _translated(problem, path, table) from problem


def _storage_type(kind: pa.DataType, column_kind: str) -> pa.DataType:
    return {"decimal": pa.int64(), "timestamp": pa.utf8(), "bool": pa.int64(), "uuid": pa.binary()}.get(
        column_kind, kind
    )


def _labelled(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield pa.RecordBatch.from_arrays(batch.columns, schema=schema)


def _translated(problem: Exception, path: Path, table: Table) -> Exception:
    """ADBC only passes SQLite's text on."""
    said = str(problem)
    if "UNIQUE constraint" in said:
        return NotUnique(field=", ".join(table.primary_key), value="", object=table.name)
    if "full" in said:
        return DiskFull(place=path, detail=said)
    if any(words in said for words in _FAILING):
        return StorageFailure(place=path, detail=said)
    return problem


_FAILING = ("I/O error", "unable to open", "readonly database")
"""A file or a companion that could not be opened, or only for reading, beside those that could not be read or written."""


class FileSnapshot:
    """A scratch copy made by `VACUUM INTO`; removed by its maker."""

    def __init__(self, scratch: Path) -> None:
        self._path = scratch
        self._conn: sqlite3.Connection | None = None

    def read(self, table: Table) -> Iterator[pa.RecordBatch]:
        columns = table.dumped_columns
        names = ", ".join(quote(c.name) for c in columns)
        order = ", ".join(quote(n) for n in table.primary_key)
        sql = f"SELECT {names} FROM {quote(table.name)}" + (f" ORDER BY {order}" if order else "")
        place = f"file:{self._path}?mode=ro&immutable=1"
        try:
            with closing(dbapi.connect(place, autocommit=True)) as conn, closing(conn.cursor()) as cursor:
                cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(BATCH_ROWS)})
                cursor.execute(sql)
                yield from canonical_batches(cursor.fetch_record_batch(), columns, self._path)
        except adbc_driver_manager.NotSupportedError:
            raise KeyboardInterrupt from None  # ADBC answers Ctrl-C by cancelling, which its SQLite driver cannot
        except adbc_driver_manager.Error as problem:
            raise _translated(problem, self._path, table) from problem

    def query(self, statement: Statement) -> list[Row]:
        try:
            if self._conn is None:
                place = f"file:{self._path}?mode=ro&immutable=1"
                self._conn = sqlite3.connect(place, uri=True, check_same_thread=False)
            params: Any = statement.params
            return self._conn.execute(statement.sql, params).fetchall()
        except sqlite3.Error as problem:
            found: InfobaseError | None = translate(problem, self._path)
            raise found or problem from problem

    def close(self) -> None:
        if self._conn is not None:
            self._conn.close()
            self._conn = None
