"""The content digest: one number for what a base holds, the same on every engine.

Per table and column a SHA-256 runs over the values in primary-key order; the table's digest covers its name, columns, row count and the
column digests; the base's digest covers the configuration's digest and the tables'. Batch sizes, engines, indexes, totals and search
columns do not enter it.

| canonical type | bytes hashed |
|---|---|
| uuid, decimal128, timestamp, int64 | the values (16, 16, 8, 8 bytes each, little-endian numbers) |
| bool | one byte each, 0 or 1 |
| utf8, binary | the lengths as 64-bit little-endian integers in one hash, the bytes in another; their digests joined |
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from infobase.arrow import arrow_schema, conform, type_name
from infobase.errors import InfobaseDamaged
from infobase.kernel import Kernel
from infobase.metadata import canonical
from infobase.storage import Column, Table

Progress = Callable[[str, int, int], None]
"""Called with the stage (a table's name), rows or tables done, and their total (0: unknown)."""
OFFSET_BYTES = 4


@dataclass(frozen=True, slots=True)
class ContentDigest:
    """`tables`: physical name -> (rows, SHA-256 in hex)."""

    content_digest: str
    tables: dict[str, tuple[int, str]]

    @property
    def rows(self) -> int:
        return sum(rows for rows, _ in self.tables.values())


class _Values:
    """The hash of a column of fixed-width values."""

    def __init__(self, width: int, convert: Callable[[pa.Array], pa.Array] | None = None) -> None:
        self._hash = hashlib.sha256()
        self._width = width
        self._convert = convert

    def update(self, array: pa.Array) -> None:
        if self._convert is not None:
            array = self._convert(array)
        data = array.buffers()[1]
        if data is not None and len(array):
            self._hash.update(data.slice(array.offset * self._width, len(array) * self._width))

    def digest(self) -> bytes:
        return self._hash.digest()


class _Bytes:
    """The hash of a column of texts or byte strings."""

    def __init__(self) -> None:
        self._lengths = _Values(8, lambda array: pc.binary_length(array).cast(pa.int64()))
        self._data = hashlib.sha256()

    def update(self, array: pa.Array) -> None:
        self._lengths.update(array)
        self._data.update(byte_data(array))

    def digest(self) -> bytes:
        return self._lengths.digest() + self._data.digest()


def byte_data(array: pa.Array) -> pa.Buffer:
    """The bytes of all values of a utf8 or binary array, one after another."""
    _, offsets, data = array.buffers()
    if data is None or not len(array):
        return pa.py_buffer(b"")
    position = memoryview(offsets).cast("i")
    start, end = position[array.offset], position[array.offset + len(array)]
    return data.slice(start, end - start)


def _column_hash(column: Column) -> _Values | _Bytes:
    match column.kind:
        case "text" | "binary":
            return _Bytes()
        case "bool":
            return _Values(1, lambda array: array.cast(pa.uint8()))
        case "uuid" | "decimal":
            return _Values(16)
        case _:
            return _Values(8)


class TableDigest:
    """Fed a table's batches in primary-key order, gives its row count and digest."""

    def __init__(self, table: Table) -> None:
        self.rows = 0
        self._table = table
        self._schema = arrow_schema(table.dumped_columns)
        self._columns = [_column_hash(c) for c in table.dumped_columns]

    def update(self, batch: pa.RecordBatch) -> None:
        """ValueError when the batch is not in the table's canonical form."""
        batch = conform(batch, self._schema)
        for column, array in zip(self._columns, batch.columns, strict=True):
            column.update(array)
        self.rows += batch.num_rows

    def hexdigest(self) -> str:
        columns = self._table.dumped_columns
        head = [self._table.name, str(self.rows)]
        body = [f"{c.name} {type_name(c)} {h.digest().hex()}" for c, h in zip(columns, self._columns, strict=True)]
        return _lines([*head, *body])


def _lines(lines: Iterable[str]) -> str:
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def digest_table(batches: Iterable[pa.RecordBatch], table: Table) -> tuple[int, str]:
    """(rows, SHA-256 in hex) of a table given in primary-key order."""
    made = TableDigest(table)
    for batch in batches:
        made.update(batch)
    return made.rows, made.hexdigest()


def content_digest(configuration_digest: str, tables: Mapping[str, str]) -> str:
    """The digest of a whole base from its configuration's and its tables' (name -> digest)."""
    return _lines([configuration_digest, *(f"{name} {tables[name]}" for name in sorted(tables))])


def base_digest(kernel: Kernel, progress: Progress | None = None) -> ContentDigest:
    """The digest of the base as one snapshot holds it. InfobaseDamaged when a stored value has no canonical form."""
    found: dict[str, tuple[int, str]] = {}
    wanted = kernel.layout.dumped
    with kernel.engine.snapshot() as snapshot:
        for done, table in enumerate(wanted):
            if progress is not None:
                progress(table.name, done, len(wanted))
            try:
                found[table.name] = digest_table(snapshot.read(table), table)
            except ValueError as error:
                raise InfobaseDamaged(place=kernel.engine.place, detail=f"{table.name}: {error}") from error
    whole = content_digest(canonical.digest(kernel.configuration), {n: d for n, (_, d) in found.items()})
    return ContentDigest(whole, found)
