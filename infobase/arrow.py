"""Columns in Arrow: the canonical form in which rows travel between engines, into dumps and into digests."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from infobase.storage import Column

UUID_BYTES = 16


def arrow_type(column: Column) -> pa.DataType:
    """The canonical Arrow type of a column."""
    match column.kind:
        case "uuid":
            return pa.binary(UUID_BYTES)
        case "text":
            return pa.utf8()
        case "decimal":
            return pa.decimal128(column.digits, column.scale)
        case "timestamp":
            return pa.timestamp("us")
        case "bool":
            return pa.bool_()
        case "binary":
            return pa.binary()
        case "int":
            return pa.int64()


def type_name(column: Column) -> str:
    """The canonical type as manifests write it: "uuid", "utf8", "decimal128(15,2)", "timestamp[us]", "bool", "binary", "int64"."""
    names = {
        "uuid": "uuid",
        "text": "utf8",
        "timestamp": "timestamp[us]",
        "bool": "bool",
        "binary": "binary",
        "int": "int64",
    }
    return names.get(column.kind) or f"decimal128({column.digits},{column.scale})"


def arrow_schema(columns: Sequence[Column]) -> pa.Schema:
    """No column is nullable, no metadata."""
    return pa.schema([pa.field(c.name, arrow_type(c), nullable=False) for c in columns])


def conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The same columns under the canonical schema. ValueError when a name or type differs, or a value is null."""
    if batch.schema.names != schema.names or batch.schema.types != schema.types:
        raise ValueError(f"columns {batch.schema} instead of {schema}")
    for name, column in zip(schema.names, batch.columns, strict=True):
        if column.null_count:
            raise ValueError(f"null in {name}")
    return pa.RecordBatch.from_arrays(batch.columns, schema=schema)
