"""The header of a dBASE III table, and where a table lies.

Source: dBASE III table file structure; the header is 32 bytes, 32 more per field, then 0x0D.
"""

from __future__ import annotations

import datetime as dt
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from classifiers.source import refused
from classifiers.text import shown
from infobase.errors import ClassifierInvalid

VERSIONS = {0x03: "dBASE III", 0x04: "dBASE IV", 0x30: "Visual FoxPro", 0x31: "Visual FoxPro"}
"""First bytes of tables without a memo file; the others (0x83, 0x8B, 0xF5 ...) keep a part of the data elsewhere."""
FIELD_TYPES = "CNDLF"
"""Character, Numeric, Date (YYYYMMDD), Logical, Float: all of them text of fixed width."""
MAX_RECORD_BYTES = 65_535


class Readable(Protocol):
    """A file, or a member of an archive."""

    def read(self, count: int, /) -> bytes: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class DbfInput:
    """Where a table lies. `place` is for messages (an archive's member has its own); `open` may be called several times."""

    place: Path
    size: int
    open: Callable[[], Readable]

    def wrong(self, ru: str, en: str) -> ClassifierInvalid:
        return refused(self.place, ru, en)


def file_input(path: Path) -> DbfInput:
    """A table that is a file."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise refused(path, f"не читается: {error.strerror}", f"cannot be read: {error.strerror}") from error
    return DbfInput(path, size, lambda: path.open("rb"))


@dataclass(frozen=True, slots=True)
class DbfField:
    """`offset` from the record's first byte, the mark."""

    name: str
    type: str
    offset: int
    width: int


@dataclass(frozen=True)
class DbfHeader:
    """`records` as the header says; `date` of the last update, None when it is no date."""

    version: int
    date: dt.date | None
    records: int
    header_bytes: int
    record_bytes: int
    fields: tuple[DbfField, ...]

    @cached_property
    def by_name(self) -> Mapping[str, DbfField]:
        return {f.name: f for f in self.fields}

    def demand(self, source: DbfInput, widths: Mapping[str, int]) -> None:
        """ClassifierInvalid unless there are character fields of these names and exactly these widths (0: of any)."""
        for name, width in widths.items():
            found = self.by_name.get(name)
            if found is None:
                present = ", ".join(self.by_name)
                ru, en = f"нет поля {name} (есть: {present})", f"there is no field {name} (there are: {present})"
                raise source.wrong(ru, en)
            if found.type != "C" or (width and found.width != width):
                wanted = f"C({width})" if width else "C"
                ru = f"поле {name}: тип {found.type}({found.width}), нужен {wanted}"
                raise source.wrong(ru, f"field {name}: type {found.type}({found.width}), {wanted} is needed")


def read_bytes(file: Readable, count: int) -> bytes:
    """`count` bytes, fewer only at the end: members of archives come in smaller pieces."""
    chunk = file.read(count)
    if len(chunk) == count or not chunk:
        return chunk
    parts = [chunk]
    missing = count - len(chunk)
    while missing and (chunk := file.read(missing)):
        parts.append(chunk)
        missing -= len(chunk)
    return b"".join(parts)


def read_header(source: DbfInput, file: Readable) -> DbfHeader:
    head = read_bytes(file, 32)
    if len(head) < 32:
        raise source.wrong("это не DBF: короче 32 байт", "not a DBF: shorter than 32 bytes")
    version = head[0]
    if version not in VERSIONS:
        ru, en = (
            f"это не DBF без memo (первый байт {version:02x})",
            f"not a DBF without memo (first byte {version:02x})",
        )
        raise source.wrong(ru, en)
    records, header_bytes, record_bytes = struct.unpack("<IHH", head[4:12])
    if not 65 <= header_bytes <= source.size or not 2 <= record_bytes <= MAX_RECORD_BYTES:
        ru = f"заголовок DBF повреждён: длина заголовка {header_bytes}, записи {record_bytes}, файла {source.size}"
        en = f"damaged DBF header: {header_bytes} bytes of header, {record_bytes} of record, {source.size} of file"
        raise source.wrong(ru, en)
    fields = _read_fields(source, read_bytes(file, header_bytes - 32))
    total = 1 + sum(f.width for f in fields)
    if total != record_bytes:
        ru = f"заголовок DBF повреждён: длина записи {record_bytes}, а поля с отметкой занимают {total}"
        raise source.wrong(ru, f"damaged DBF header: a record has {record_bytes} bytes, its mark and fields {total}")
    return DbfHeader(version, _date(head[1:4]), records, header_bytes, record_bytes, fields)


def _read_fields(source: DbfInput, descriptors: bytes) -> tuple[DbfField, ...]:
    fields: list[DbfField] = []
    offset = 1
    for at in range(0, len(descriptors), 32):
        piece = descriptors[at : at + 32]
        if piece[:1] == b"\r":
            break
        name = piece[:11].split(b"\0", 1)[0].decode("ascii", "replace").strip().upper()
        kind = chr(piece[11]) if len(piece) == 32 else ""
        # the width of a character field is two bytes in some dialects; the second one is then the number of decimals
        width = piece[16] + (piece[17] << 8 if kind == "C" else 0) if kind else 0
        if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", name) or kind not in FIELD_TYPES or not width:
            ru = f"заголовок DBF повреждён: описание поля {len(fields) + 1} ({shown(name)}, тип {shown(kind)})"
            en = f"damaged DBF header: description of field {len(fields) + 1} ({shown(name)}, type {shown(kind)})"
            raise source.wrong(ru, en)
        fields.append(DbfField(name, kind, offset, width))
        offset += width
    else:
        raise source.wrong("заголовок DBF не закончен", "the DBF header does not end")
    if not fields or len({f.name for f in fields}) != len(fields):
        raise source.wrong(
            "заголовок DBF повреждён: нет полей или имена повторяются",
            "damaged DBF header: no fields, or repeated names",
        )
    return tuple(fields)


def _date(stamp: bytes) -> dt.date | None:
    """The year counts from 1900 in real files; some writers keep only its two last digits (12 for 2012)."""
    year, month, day = stamp
    try:
        return dt.date(1900 + year if year >= 80 else 2000 + year, month, day)
    except ValueError:
        return None
