"""dBASE III tables (DBF) as the state publishes them: KLADR, the legacy bank directory. Blocks of records are decoded at once and sliced.

    table = DbfTable(DbfInput(Path("STREET.DBF"), size, opener), encoding="cp866")
    table.header.demand(table.input, {"NAME": 40, "CODE": 17})
    for block in table.blocks(("NAME", "CODE"), region=Prefix("CODE", frozenset({"01"}))):
        names, codes = block.columns           # lists of str, blanks at the right removed

The code page is the caller's: the language byte of every real file seen is 0. The number of records in the header is not believed but compared
with the size. Deleted records are skipped. Records of unwanted regions are passed over on bytes, before anything is decoded.

Source: dBASE III table file structure; the header is 32 bytes, 32 more per field, then 0x0D; a record begins with its mark, blank or `*`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import struct
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from classifiers.source import refused
from classifiers.text import shown
from infobase.errors import ClassifierInvalid

BLOCK_RECORDS = 8_192
VERSIONS = {0x03: "dBASE III", 0x04: "dBASE IV", 0x30: "Visual FoxPro", 0x31: "Visual FoxPro"}
"""First bytes of tables without a memo file; the others (0x83, 0x8B, 0xF5 ...) keep a part of the data elsewhere."""
FIELD_TYPES = "CNDLF"
"""Character, Numeric, Date (YYYYMMDD), Logical, Float: all of them text of fixed width."""
LIVE, DELETED, END = 0x20, 0x2A, 0x1A
MAX_RECORD_BYTES = 65_535

_NO_TEXT = bytes([*range(0x01, 0x20), 0x7F, *range(0xB0, 0xE0)])
"""What no cp866 text of a classifier has: control characters, and the box drawing that capital letters of cp1251 and UTF-8 turn into."""
_TEXT = bytes(set(range(256)) - set(_NO_TEXT))


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


@dataclass(frozen=True, slots=True)
class Prefix:
    """Only records whose `field` begins with one of `values`, two ASCII characters each."""

    field: str
    values: frozenset[str]


@dataclass(frozen=True, slots=True)
class Block:
    """Values of consecutive kept records, one list per field asked for. `numbers`: of the records in the file, 1-based."""

    numbers: Sequence[int]
    columns: tuple[list[str], ...]

    def __len__(self) -> int:
        return len(self.numbers)


@dataclass(frozen=True, slots=True)
class Survey:
    """`records`: live ones. `regions`: two first characters -> live records."""

    sha256: str
    records: int
    regions: Mapping[str, int]


class DbfTable:
    """One table. The header is read and checked at once, the records by `blocks`. Raises ClassifierInvalid with file, record, field."""

    def __init__(self, source: DbfInput, encoding: str) -> None:
        self.input = source
        self.encoding = encoding
        self.deleted = 0
        """Deleted records met by the last walk through `blocks`."""
        try:
            with closing(source.open()) as file:
                self.header = _read_header(source, file)
        except OSError as error:
            raise _unreadable(source, error) from error

    def blocks(self, names: Sequence[str], region: Prefix | None = None) -> Iterator[Block]:
        """The live records (of the wanted regions), in the order of the file. Memory holds one block."""
        fields = [self.header.by_name[name] for name in names]
        self.deleted = 0
        with closing(self._raw_blocks()) as raw:
            for start, chunk in raw:
                yield from self._block(start, chunk, fields, region)

    def rows(self, names: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """The live records one by one, for small tables."""
        for block in self.blocks(names):
            yield from zip(*block.columns, strict=True)

    def survey(self, field: str = "") -> Survey:
        """One quick walk through the whole table, nothing decoded: its digest, and its live records by the two first characters of `field`."""
        digest = hashlib.sha256(repr(self.header).encode())
        regions: Counter[str] = Counter()
        size = self.header.record_bytes
        offset = self.header.by_name[field].offset if field else 0
        live = 0
        with closing(self._raw_blocks()) as raw:
            for _, chunk in raw:
                digest.update(chunk)
                kept = _live(chunk, size)
                live += kept.count(1)
                if field:
                    pairs = Counter(zip(kept, chunk[offset::size], chunk[offset + 1 :: size], strict=True))
                    regions.update({chr(a) + chr(b): n for (flag, a, b), n in pairs.items() if flag})
        return Survey(digest.hexdigest(), live, dict(regions))

    # --- bytes ---

    def _raw_blocks(self) -> Generator[tuple[int, bytes], None, None]:
        """(number of records before it, whole records). The number of records is checked against what is really there."""
        header = self.header
        size = header.record_bytes
        done = 0
        try:
            with closing(self.input.open()) as file:
                _skip(file, header.header_bytes)
                while done < header.records:
                    wanted = min(BLOCK_RECORDS, header.records - done)
                    chunk = _read(file, wanted * size)
                    whole = len(chunk) // size
                    self._demand_marks(done, chunk, whole)
                    if whole < wanted:
                        raise self._cut(done + whole, len(chunk) - whole * size)
                    yield done, chunk
                    done += whole
                self._demand_end(done, file.read(1))
        except OSError as error:
            raise _unreadable(self.input, error) from error

    def _demand_marks(self, done: int, chunk: bytes, whole: int) -> None:
        marks = chunk[:: self.header.record_bytes][:whole]
        if marks.count(LIVE) + marks.count(DELETED) == len(marks):
            return
        at = next(i for i, mark in enumerate(marks) if mark not in (LIVE, DELETED))
        number = done + at + 1
        if marks[at] == END:
            raise self._wrong_count(done + at)
        ru = f"запись {number}: начинается с байта {marks[at]:02x}, нужен пробел или «*» (файл повреждён или длина записи неверна)"
        en = f"record {number}: begins with byte {marks[at]:02x}, a blank or `*` is needed (damaged, or a wrong record length)"
        raise self.input.wrong(ru, en)

    def _wrong_count(self, found: int) -> ClassifierInvalid:
        declared = self.header.records
        ru = f"в заголовке записей {declared}, в файле их {found}: файл неполон или заголовок неверен; возьмите файл заново"
        en = f"the header declares {declared} records, the file holds {found}: incomplete or a wrong header; get the file again"
        return self.input.wrong(ru, en)

    def _cut(self, found: int, rest: int) -> ClassifierInvalid:
        if rest <= 1:
            return self._wrong_count(found)
        declared = self.header.records
        ru = f"файл обрывается на записи {found + 1} (в заголовке записей {declared}); возьмите файл заново"
        return self.input.wrong(
            ru, f"the file is cut in record {found + 1} (the header declares {declared}); get it again"
        )

    def _demand_end(self, done: int, mark: bytes) -> None:
        if mark and mark[0] in (LIVE, DELETED):
            header = self.header
            raise self._wrong_count(max(done + 1, (self.input.size - header.header_bytes) // header.record_bytes))

    # --- choosing and decoding ---

    def _block(
        self, start: int, chunk: bytes, fields: Sequence[DbfField], region: Prefix | None
    ) -> Generator[Block, None, None]:
        size = self.header.record_bytes
        kept = _live(chunk, size)
        self.deleted += len(chunk) // size - kept.count(1)
        if region is not None:
            offset = self.header.by_name[region.field].offset
            kept = _both(kept, _of_regions(chunk, size, offset, region.values))
        count = kept.count(1)
        if not count:
            return
        if count * size == len(chunk):
            numbers: Sequence[int] = range(start + 1, start + count + 1)
        else:
            places = _places(kept)
            numbers = [start + i + 1 for i in places]
            chunk = b"".join([chunk[i * size : (i + 1) * size] for i in places])
        yield Block(numbers, self._decoded(numbers, chunk, fields))

    def _decoded(self, numbers: Sequence[int], chunk: bytes, fields: Sequence[DbfField]) -> tuple[list[str], ...]:
        if b"\0" in chunk:  # some programs fill with zeros instead of blanks
            chunk = chunk.replace(b"\0", b" ")
        self._demand_text(numbers, chunk)
        try:
            text = chunk.decode(self.encoding)
        except UnicodeDecodeError as error:
            raise self._bad_byte(numbers, chunk, error.start) from error
        size, total = self.header.record_bytes, len(text)
        columns = []
        for f in fields:
            width, starts = f.width, range(f.offset, total, size)
            if b" " in chunk[f.offset + width - 1 :: size]:
                columns.append([text[i : i + width].rstrip() for i in starts])
            else:  # codes fill their fields
                columns.append([text[i : i + width] for i in starts])
        return tuple(columns)

    def _demand_text(self, numbers: Sequence[int], chunk: bytes) -> None:
        if self.encoding == "cp866":
            strange = chunk.translate(None, _TEXT)
            if strange:
                raise self._bad_byte(numbers, chunk, chunk.index(strange[0]))

    def _bad_byte(self, numbers: Sequence[int], chunk: bytes, at: int) -> ClassifierInvalid:
        size = self.header.record_bytes
        number, offset = numbers[at // size], at % size
        name = next((f.name for f in self.header.fields if f.offset <= offset < f.offset + f.width), "?")
        piece = shown(chunk[at : at + 8])
        ru = (
            f"запись {number}, поле {name}: недопустимые байты {piece}: кодировка не {self.encoding} или файл повреждён"
        )
        en = f"record {number}, field {name}: bytes {piece} are not text: the code page is not {self.encoding}, or damage"
        return self.input.wrong(ru, en)


def _live(chunk: bytes, size: int) -> bytes:
    """One byte per record: 1 live, 0 deleted."""
    marks = chunk[::size]
    if DELETED not in marks:
        return b"\x01" * len(marks)
    return marks.translate(_flags(LIVE))


def _of_regions(chunk: bytes, size: int, offset: int, regions: frozenset[str]) -> bytes:
    """One byte per record: 1 when its two characters at `offset` are one of the regions. Strided slices and whole-number arithmetic."""
    first, second = chunk[offset::size], chunk[offset + 1 :: size]
    found = 0
    by_first: dict[str, list[int]] = {}
    for region in regions:
        by_first.setdefault(region[0], []).append(ord(region[1]))
    for begin, ends in by_first.items():
        a = int.from_bytes(first.translate(_flags(ord(begin))), "big")
        if a:
            found |= a & int.from_bytes(second.translate(_flags(*ends)), "big")
    return found.to_bytes(len(first), "big")


def _flags(*wanted: int) -> bytes:
    return bytes(1 if byte in wanted else 0 for byte in range(256))


def _both(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one, "big") & int.from_bytes(other, "big")).to_bytes(len(one), "big")


def _places(kept: bytes) -> list[int]:
    return [i for i, flag in enumerate(kept) if flag]


def _read(file: Readable, count: int) -> bytes:
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


def _skip(file: Readable, count: int) -> None:
    _read(file, count)


def _unreadable(source: DbfInput, error: OSError) -> ClassifierInvalid:
    return source.wrong(f"не читается: {error.strerror or error}", f"cannot be read: {error.strerror or error}")


# --- the header ---


def _read_header(source: DbfInput, file: Readable) -> DbfHeader:
    head = _read(file, 32)
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
    fields = _read_fields(source, _read(file, header_bytes - 32))
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
