"""Reading a table's Arrow IPC stream from an untrusted file: framing and sizes are checked before anything is expanded.

pyarrow decodes only messages whose declared buffer sizes fit the declared number of rows, one batch at a time, so memory stays bounded
whatever the file claims.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from infobase.arrow import arrow_schema
from infobase.digest import byte_data
from infobase.dump_crypto import Source
from infobase.dump_format import MAX_BATCH_BYTES, MAX_BATCH_ROWS, MAX_ROW_BYTES, MEBIBYTE, Refused, TableEntry
from infobase.dump_zip import Member
from infobase.storage import Column, Table

MAX_METADATA = 4 * MEBIBYTE
PADDING = 64
"""Arrow may pad a buffer up to this boundary."""
_CONTINUATION = b"\xff\xff\xff\xff"
_SCHEMA, _RECORD_BATCH = 1, 3
_ZSTD = 1
_WIDTH = {"uuid": 16, "decimal": 16, "timestamp": 8, "int": 8}


class _Flat:
    """One table of a FlatBuffer: just enough of the format, every access within bounds."""

    def __init__(self, data: bytes, position: int) -> None:
        self.data = data
        self.position = position
        self._fields = position - self.number("<i", position)
        self._fields_size = self.number("<H", self._fields)

    def number(self, form: str, at: int) -> int:
        if at < 0:
            raise Refused("недопустимое сообщение Arrow", "bad Arrow message")
        return int(struct.unpack_from(form, self.data, at)[0])

    def _at(self, index: int) -> int:
        """Where a field lies; 0 when it is left out."""
        slot = 4 + 2 * index
        offset = self.number("<H", self._fields + slot) if slot < self._fields_size else 0
        return self.position + offset if offset else 0

    def scalar(self, index: int, form: str) -> int:
        at = self._at(index)
        return self.number(form, at) if at else 0

    def table(self, index: int) -> _Flat | None:
        at = self._at(index)
        return _Flat(self.data, at + self.number("<I", at)) if at else None

    def pairs(self, index: int) -> list[tuple[int, int]]:
        """A vector of structs of two 64-bit integers."""
        at = self._at(index)
        if not at:
            return []
        at += self.number("<I", at)
        count = self.number("<I", at)
        if at + 4 + 16 * count > len(self.data):
            raise Refused("недопустимое сообщение Arrow", "bad Arrow message")
        return [struct.unpack_from("<qq", self.data, at + 4 + 16 * i) for i in range(count)]


@dataclass(frozen=True, slots=True)
class _Message:
    """`head`: the framing and metadata as they lie in the file; `body`: the bytes after them."""

    kind: int
    flat: _Flat
    head: bytes
    body: bytes


@dataclass(slots=True)
class Tally:
    """What a reading has seen so far."""

    rows: int = 0
    expanded: int = 0
    coming: int = 0
    """Bytes the next batch will have at least."""


def _bad(ru: str, en: str) -> Refused:
    return Refused(ru, en)


class MemberReader:
    """The bytes of one member in order, hashed as they pass."""

    def __init__(self, source: Source, member: Member) -> None:
        self._source = source
        self._member = member
        self._position = 0
        self._sha256 = hashlib.sha256()
        self._crc = 0

    @property
    def left(self) -> int:
        return self._member.size - self._position

    def take(self, length: int) -> bytes:
        if not 0 <= length <= self.left:
            raise _bad(f"{self._member.name} обрывается", f"{self._member.name} ends too early")
        data = self._source.read_at(self._member.start + self._position, length)
        self._position += length
        self._sha256.update(data)
        self._crc = zlib.crc32(data, self._crc)
        return data

    def finish(self, sha256: str) -> None:
        """Refused unless all bytes were read and are those of the digest."""
        if self.left or self._crc != self._member.crc or self._sha256.hexdigest() != sha256:
            raise _bad(f"{self._member.name}: контрольная сумма не сходится", f"{self._member.name}: wrong checksum")

    def checksum_only(self) -> None:
        """For the manifest, whose digest is written nowhere."""
        if self.left or self._crc != self._member.crc:
            raise _bad(f"{self._member.name}: контрольная сумма не сходится", f"{self._member.name}: wrong checksum")


def read_batches(
    source: Source, member: Member, entry: TableEntry, table: Table, budget: int
) -> Iterator[pa.RecordBatch]:
    """The table's batches, each checked in form but not in content. `budget`: expanded bytes the table may have.

    The member's digest is known good only when the iterator has ended.
    """
    reader = MemberReader(source, member)
    schema = arrow_schema(table.dumped_columns)
    first = _next_message(reader)
    if first is None or first.kind != _SCHEMA or first.body:
        raise _bad(f"{member.name}: нет схемы", f"{member.name}: no schema")
    if not pa.ipc.read_schema(pa.py_buffer(first.head)).equals(schema, check_metadata=True):
        raise _bad(f"{member.name}: колонки не те, что в манифесте", f"{member.name}: columns are not the manifest's")
    tally = Tally()
    while (message := _next_message(reader)) is not None:
        _check_batch(message, table.dumped_columns, tally, member.name)
        allowed = min(entry.expanded, budget)
        if tally.rows > entry.rows or tally.expanded + tally.coming > allowed:
            raise _bad(f"{member.name}: данных больше, чем заявлено", f"{member.name}: more data than declared")
        batch = _decode(message, schema)
        tally.expanded += expanded_bytes(batch, table.dumped_columns)
        yield batch
    if (tally.rows, tally.expanded) != (entry.rows, entry.expanded):
        raise _bad(f"{member.name}: данных меньше, чем заявлено", f"{member.name}: less data than declared")
    reader.finish(entry.sha256)


def expanded_bytes(batch: pa.RecordBatch, columns: tuple[Column, ...]) -> int:
    """The bytes a batch takes uncompressed, without padding: the same for every engine and batch size, but for one offset per batch."""
    total = 0
    for column, array in zip(columns, batch.columns, strict=True):
        if column.kind in ("text", "binary"):
            total += 4 * (batch.num_rows + 1) + int(byte_data(array).size)
        elif column.kind == "bool":
            total += (batch.num_rows + 7) // 8
        else:
            total += _WIDTH[column.kind] * batch.num_rows
    return total


def _decode(message: _Message, schema: pa.Schema) -> pa.RecordBatch:
    batch = pa.ipc.read_record_batch(pa.py_buffer(message.head + message.body), schema)
    batch.validate(full=True)
    return batch


def _next_message(reader: MemberReader) -> _Message | None:
    """The next message; None at the end-of-stream mark, which must be the member's end."""
    frame = reader.take(8)
    (length,) = struct.unpack("<4xi", frame)
    if frame[:4] != _CONTINUATION or not 0 <= length <= MAX_METADATA or length % 8:
        raise _bad("недопустимое сообщение Arrow", "bad Arrow message")
    if length == 0:
        if reader.left:
            raise _bad("лишние байты после таблицы", "stray bytes after the table")
        return None
    metadata = reader.take(length)
    flat = _Flat(metadata, struct.unpack_from("<I", metadata)[0])
    size = flat.scalar(3, "<q")
    if not 0 <= size <= MAX_ROW_BYTES + MEBIBYTE:
        raise _bad("недопустимый размер сообщения Arrow", "bad size of an Arrow message")
    return _Message(flat.scalar(1, "<B"), flat, frame + metadata, reader.take(size))


def _check_batch(message: _Message, columns: tuple[Column, ...], tally: Tally, name: str) -> None:
    """The declared sizes of a batch against its rows and the limits; adds them to the tally."""
    batch = message.flat.table(2)
    if message.kind != _RECORD_BATCH or batch is None:
        raise _bad(f"{name}: недопустимое сообщение", f"{name}: a message that is not a batch")
    rows = batch.scalar(0, "<q")
    nodes, buffers, compression = batch.pairs(1), batch.pairs(2), batch.table(3)
    if not 1 <= rows <= MAX_BATCH_ROWS or nodes != [(rows, 0)] * len(columns):
        raise _bad(f"{name}: недопустимое число строк", f"{name}: bad number of rows")
    if compression is None or compression.scalar(0, "<b") != _ZSTD or compression.scalar(1, "<b"):
        raise _bad(f"{name}: недопустимое сжатие", f"{name}: bad compression")
    if batch.pairs(4):
        raise _bad(f"{name}: недопустимое сообщение", f"{name}: bad message")
    sizes = [_expanded(message.body, offset, length) for offset, length in buffers]
    total = sum(sizes)
    if total > (MAX_ROW_BYTES if rows == 1 else MAX_BATCH_BYTES):
        raise _bad(f"{name}: слишком большая порция", f"{name}: a batch is too large")
    _check_sizes(sizes, rows, columns, name)
    tally.rows += rows
    tally.coming = total - PADDING * len(sizes)


def _expanded(body: bytes, offset: int, length: int) -> int:
    """The size a buffer will have: compressed ones begin with it; -1 means not compressed."""
    if offset < 0 or length < 0 or offset + length > len(body):
        raise _bad("недопустимое сообщение Arrow", "bad Arrow message")
    if length == 0:
        return 0
    (declared,) = struct.unpack_from("<q", body, offset)
    if declared < -1:
        raise _bad("недопустимое сообщение Arrow", "bad Arrow message")
    return length - 8 if declared == -1 else int(declared)


def _check_sizes(sizes: list[int], rows: int, columns: tuple[Column, ...], name: str) -> None:
    """Fixed-width buffers must be as long as the rows say; only text may be of any length."""
    left = iter(sizes)
    for column in columns:
        fits = next(left, -1) == 0  # validity: no column has nulls
        if column.kind in ("text", "binary"):
            fits = fits and _padded(next(left, -1), 4 * (rows + 1)) and next(left, -1) >= 0
        elif column.kind == "bool":
            fits = fits and _padded(next(left, -1), (rows + 7) // 8)
        else:
            fits = fits and _padded(next(left, -1), _WIDTH[column.kind] * rows)
        if not fits:
            raise _bad(f"{name}: размер колонки {column.name}", f"{name}: size of column {column.name}")
    if next(left, None) is not None:
        raise _bad(f"{name}: лишние колонки", f"{name}: extra columns")


def _padded(size: int, exact: int) -> bool:
    return exact <= size <= exact + PADDING
