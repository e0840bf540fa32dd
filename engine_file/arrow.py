"""Canonical Arrow columns <-> SQLite's storage form, whole columns at a time.

A decimal column is turned by reading its 16-byte integers under another label, so no value is computed one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa

from infobase.arrow import arrow_schema, arrow_type
from infobase.errors import InfobaseDamaged, NumberOverflow
from infobase.storage import Column

BATCH_ROWS = 65536
_MOST_DIGITS = 18


def to_storage(array: pa.Array, column: Column) -> pa.Array:
    match column.kind:
        case "decimal":
            if column.digits > _MOST_DIGITS:
                raise NumberOverflow(field=column.name, value="-", digits=_MOST_DIGITS, scale=column.scale)
            array = array.cast(arrow_type(column))
            whole = pa.Array.from_buffers(pa.decimal128(38, 0), len(array), array.buffers(), offset=array.offset)
            return whole.cast(pa.int64())
        case "timestamp":
            return array.cast(pa.timestamp("s"), safe=False).cast(pa.utf8())
        case "bool":
            return array.cast(pa.int64())
        case "uuid":
            return array.cast(pa.binary())
        case _:
            return array.cast(arrow_type(column))


def from_storage(array: pa.Array, column: Column) -> pa.Array:
    match column.kind:
        case "decimal":
            whole = array.cast(pa.int64()).cast(pa.decimal128(19, 0))
            kind = pa.decimal128(column.digits, column.scale)
            return pa.Array.from_buffers(kind, len(whole), whole.buffers(), offset=whole.offset)
        case "timestamp":
            return array.cast(pa.timestamp("us"))
        case "bool":
            return array.cast(pa.int64()).cast(pa.bool_())
        case _:
            return array.cast(arrow_type(column))


def storage_batches(batches: Iterable[pa.RecordBatch], columns: Sequence[Column]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        arrays = [to_storage(a, c) for a, c in zip(batch.columns, columns, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, names=[c.name for c in columns])


def canonical_batches(
    batches: Iterable[pa.RecordBatch], columns: Sequence[Column], place: object
) -> Iterator[pa.RecordBatch]:
    """In pieces of at most BATCH_ROWS rows. InfobaseDamaged where a value is not of its column's type."""
    schema = arrow_schema(columns)
    for batch in batches:
        for start in range(0, batch.num_rows, BATCH_ROWS):
            piece = batch.slice(start, BATCH_ROWS)
            try:
                arrays = [from_storage(a, c) for a, c in zip(piece.columns, columns, strict=True)]
            except pa.ArrowInvalid as problem:
                raise InfobaseDamaged(place=place, detail=str(problem)) from problem
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)
