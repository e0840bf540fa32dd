"""Whole tables in and out: binary COPY through ADBC for Arrow, through psycopg for Python rows."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import adbc_driver_manager
import psycopg
import pyarrow as pa
from psycopg import sql

from engine_server.arrow_connections import ArrowConnections
from engine_server.failures import translate
from engine_server.place import ServerPlace
from engine_server.pool import Connection
from infobase.arrow import arrow_schema, arrow_type
from infobase.errors import DiskFull, EngineUnavailable, NotUnique, StorageFailure
from infobase.storage import Column, Row, Statement, Table
from infobase.text_columns import Constant, Repeated, TextColumns

BATCH_ROWS = 65536
_TEXT_ROWS = 4096
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_LONG_DIGITS = 18
_SCHEMA = "public"
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_COPY_TYPES = {
    "uuid": "uuid",
    "text": "text",
    "decimal": "numeric",
    "timestamp": "timestamp",
    "bool": "bool",
    "binary": "bytea",
    "int": "int8",
}


def copy_rows(conn: Connection, table: Table, rows: Iterable[Sequence[object]]) -> int:
    """Rows in storage form, by binary COPY; columns of nothing but text in blocks of lines, which costs a fraction of it."""
    if all(c.kind == "text" for c in table.columns):
        given: Iterator[Any] = iter(rows)
        return _copy_lines(conn, table, map(text_lines, iter(lambda: list(islice(given, _TEXT_ROWS)), [])))
    command = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(sql.Identifier(table.name), _names(table))
    count = 0
    with conn.cursor() as cursor, cursor.copy(command) as copy:
        copy.set_types([_COPY_TYPES[c.kind] for c in table.columns])
        for row in rows:
            copy.write_row(row)
            count += 1
    return count


def copy_texts(conn: Connection, table: Table, blocks: Iterable[TextColumns]) -> int:
    """Blocks of columns of nothing but text."""
    return _copy_lines(conn, table, map(block_lines, blocks))


def _copy_lines(conn: Connection, table: Table, blocks: Iterable[str]) -> int:
    """Lines in COPY's text format; their number is the server's word."""
    command = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), _names(table))
    with conn.cursor() as cursor:
        with cursor.copy(command) as copy:
            for lines in blocks:
                copy.write(lines)
        return cursor.rowcount


def _names(table: Table) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(c.name) for c in table.columns)


def text_lines(rows: Sequence[Sequence[str]]) -> str:
    """Rows of texts in COPY's text format. Escaping is looked for in the whole block at once: it is hardly ever needed."""
    lines = "\n".join(map("\t".join, rows)) + "\n"
    return lines if _plain(lines, len(rows), sum(map(len, rows))) else _escaped(rows)


def block_lines(columns: TextColumns) -> str:
    """The same of a block of columns: what repeats together is joined once for each of its combinations."""
    if not columns or not columns[0]:
        return ""
    pieces: list[str | Sequence[str]] = []
    for number, column in enumerate(columns, 1):
        _append(pieces, column.value if isinstance(column, Constant) else column)
        _append(pieces, "\t" if number < len(columns) else "\n")
    count, width = len(columns[0]), len(pieces)
    parts = [""] * (width * count)
    for place, piece in enumerate(pieces):
        parts[place::width] = [piece] * count if isinstance(piece, str) else piece
    lines = "".join(parts)
    return lines if _plain(lines, count, count * len(columns)) else _escaped(list(zip(*columns, strict=True)))


def _append(pieces: list[str | Sequence[str]], piece: str | Sequence[str]) -> None:
    """To what a line consists of. Texts that are the same in every line, and repeated ones of the same keys, become one with what stands before."""
    last = pieces.pop() if pieces else ""
    if isinstance(piece, str) and isinstance(last, str):
        pieces.append(last + piece)
    elif isinstance(piece, str) and isinstance(last, Repeated):
        pieces.append(Repeated(last.keys, {k: v + piece for k, v in last.values.items()}))
    elif isinstance(piece, Repeated) and isinstance(last, str):
        pieces.append(Repeated(piece.keys, {k: last + v for k, v in piece.values.items()}))
    elif isinstance(piece, Repeated) and isinstance(last, Repeated) and last.keys is piece.keys:
        pieces.append(Repeated(last.keys, {k: v + piece.values[k] for k, v in last.values.items()}))
    else:
        pieces += [last, piece]


def _plain(lines: str, rows: int, values: int) -> bool:
    """Whether no value holds what COPY takes for something else."""
    if "\\" in lines or "\r" in lines or lines.count("\n") != rows:
        return False
    return lines.count("\t") == values - rows


def _escaped(rows: Iterable[Sequence[str]]) -> str:
    return "".join(["\t".join([v.translate(_ESCAPES) for v in row]) + "\n" for row in rows])


def ingest(connections: ArrowConnections, place: ServerPlace, table: Table, batches: Iterable[pa.RecordBatch]) -> int:
    """Canonical batches into an empty table of a staged database."""
    reader = pa.RecordBatchReader.from_batches(arrow_schema(table.columns), _typed(batches, table.columns))
    try:
        with connections.cursor() as cursor:
            return int(cursor.adbc_ingest(table.name, reader, mode="append", db_schema_name=_SCHEMA))
    except adbc_driver_manager.Error as problem:
        raise _translated(problem, place, table) from problem


def _typed(batches: Iterable[pa.RecordBatch], columns: Sequence[Column]) -> Iterator[pa.RecordBatch]:
    schema = arrow_schema(columns)
    for batch in batches:
        arrays = [a if a.type == f.type else a.cast(f.type) for a, f in zip(batch.columns, schema, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _translated(problem: adbc_driver_manager.Error, place: ServerPlace, table: Table) -> Exception:
    state = problem.sqlstate or ""
    if state == "23505":
        return NotUnique(field=", ".join(table.primary_key), value="", object=table.name)
    if state == "53100":
        return DiskFull(place=place, detail=str(problem))
    if state.startswith(("08", "57P", "53")) or problem.status_code == adbc_driver_manager.AdbcStatusCode.IO:
        return EngineUnavailable(place=place, detail=str(problem))
    if state.startswith("58"):
        return StorageFailure(place=place, detail=str(problem))
    return problem


def ingest_rows(conn: Connection, table: Table, batches: Iterable[pa.RecordBatch]) -> int:
    """The same without ADBC, for platforms that lack its driver."""
    uuids = [i for i, c in enumerate(table.columns) if c.kind == "uuid"]

    def rows() -> Iterator[Sequence[object]]:
        for batch in batches:
            columns: list[list[Any]] = [a.to_pylist() for a in batch.columns]
            for i in uuids:
                columns[i] = [uuid.UUID(bytes=v) for v in columns[i]]
            yield from zip(*columns, strict=True)

    return copy_rows(conn, table, rows())


class ServerSnapshot:
    """One repeatable-read transaction of psycopg, shared with ADBC's connections through an exported snapshot."""

    def __init__(self, conn: Connection, place: ServerPlace) -> None:
        self._conn, self._place = conn, place
        conn.execute(_BEGIN)
        row = conn.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None
        opening = (_BEGIN, f"SET TRANSACTION SNAPSHOT '{row[0]}'")
        self._arrow = ArrowConnections(place, "infobase:snapshot", opening=opening)

    def read(self, table: Table) -> Iterator[pa.RecordBatch]:
        columns = table.dumped_columns
        try:
            with self._arrow.cursor() as cursor:
                cursor.execute(_select(table, columns))
                yield from _canonical(cursor.fetch_record_batch(), columns)
        except adbc_driver_manager.Error as problem:
            raise _translated(problem, self._place, table) from problem

    def query(self, statement: Statement) -> list[Row]:
        try:
            text = statement.sql if statement.params else statement.sql.replace("%%", "%")
            return self._conn.execute(text, statement.params or None).fetchall()
        except psycopg.Error as problem:
            raise translate(problem, self._place) or problem from problem

    def close(self) -> None:
        self._arrow.close()
        if not self._conn.closed:
            self._conn.execute("ROLLBACK")


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _select(table: Table, columns: Sequence[Column]) -> str:
    shown = ", ".join(_expression(c) for c in columns)
    order = ", ".join(_quote(n) for n in table.primary_key)
    return f"SELECT {shown} FROM {_SCHEMA}.{_quote(table.name)}" + (f" ORDER BY {order}" if order else "")


def _expression(column: Column) -> str:
    """Numbers travel as scaled bigints (as text when they are longer): the driver itself only has text for numeric."""
    name = _quote(column.name)
    if column.kind != "decimal":
        return name
    if column.digits > _LONG_DIGITS:
        return f"{name}::text AS {name}"
    return f"({name} * 1e{column.scale}::numeric)::bigint AS {name}"


def _canonical(batches: Iterable[pa.RecordBatch], columns: Sequence[Column]) -> Iterator[pa.RecordBatch]:
    schema = arrow_schema(columns)
    for batch in batches:
        for start in range(0, batch.num_rows, BATCH_ROWS):
            piece = batch.slice(start, BATCH_ROWS)
            arrays = [_from_server(a, c) for a, c in zip(piece.columns, columns, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _from_server(array: pa.Array, column: Column) -> pa.Array:
    kind = arrow_type(column)
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if column.kind == "decimal" and column.digits <= _LONG_DIGITS:
        whole = array.cast(pa.int64()).cast(pa.decimal128(19, 0))
        return pa.Array.from_buffers(kind, len(whole), whole.buffers(), offset=whole.offset)
    return array if array.type == kind else array.cast(kind)
