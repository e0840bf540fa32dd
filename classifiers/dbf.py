"""dBASE III tables (DBF) as the state publishes them: KLADR, the legacy bank directory. Blocks of records are decoded column by column.

    table = DbfTable(DbfInput(Path("STREET.DBF"), size, opener), encoding="cp866")
    table.header.demand(table.input, {"NAME": 40, "CODE": 17})
    for block in table.blocks(("NAME", "CODE"), region=Prefix("CODE", frozenset({"01"}))):
        names, codes = block.columns           # sequences of str, blanks at the right removed

The code page is the caller's: the language byte of every real file seen is 0. The number of records in the header is not believed but compared
with the size. Deleted records are skipped. Records of unwanted regions are passed over on bytes, before anything is decoded.

Source: dBASE III table file structure; the header is 32 bytes, 32 more per field, then 0x0D; a record begins with its mark, blank or `*`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from classifiers.dbf_columns import ColumnReader
from classifiers.dbf_header import DbfInput, Readable, read_bytes, read_header
from classifiers.text import shown
from infobase.errors import ClassifierInvalid

BLOCK_RECORDS = 1_024
"""All the values of a block stay in the processor's cache, which is worth a third of the time."""
RUNS = 16
"""Of records of one region in a block: more of them are not looked for one by one."""
LIVE, DELETED, END = 0x20, 0x2A, 0x1A

_NO_TEXT = bytes([*range(0x01, 0x20), 0x7F, *range(0xB0, 0xE0)])
"""What no cp866 text of a classifier has: control characters, and the box drawing that capital letters of cp1251 and UTF-8 turn into."""
_TEXT = bytes(set(range(256)) - set(_NO_TEXT))


@dataclass(frozen=True, slots=True)
class Prefix:
    """Only records whose `field` begins with one of `values`, two ASCII characters each."""

    field: str
    values: frozenset[str]


@dataclass(frozen=True, slots=True)
class Block:
    """Values of consecutive kept records, one sequence per field asked for. `numbers`: of the records in the file, 1-based."""

    numbers: Sequence[int]
    columns: tuple[Sequence[str], ...]

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
                self.header = read_header(source, file)
        except OSError as error:
            raise _unreadable(source, error) from error

    def blocks(
        self, names: Sequence[str], region: Prefix | None = None, repeating: Collection[str] = ()
    ) -> Iterator[Block]:
        """The live records (of the wanted regions), in the order of the file. Memory holds one block.

        `repeating`: fields that neighbouring records mostly share, such as the index of a settlement. Those that lie side by side are decoded
        once for every distinct combination in a block."""
        columns = ColumnReader(self.header, [self.header.by_name[name] for name in names], self.encoding, repeating)
        self.deleted = 0
        with closing(self._raw_blocks()) as raw:
            for start, chunk in raw:
                yield from self._block(start, chunk, columns, region)

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
                    regions.update(_regions(kept, chunk[offset::size], chunk[offset + 1 :: size]))
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
                    chunk = read_bytes(file, wanted * size)
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
        self, start: int, chunk: bytes, columns: ColumnReader, region: Prefix | None
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
        yield Block(numbers, self._decoded(numbers, chunk, columns))

    def _decoded(self, numbers: Sequence[int], chunk: bytes, columns: ColumnReader) -> tuple[Sequence[str], ...]:
        if b"\0" in chunk:  # some programs fill with zeros instead of blanks
            chunk = chunk.replace(b"\0", b" ")
        self._demand_text(numbers, chunk)
        try:
            return columns.read(chunk)
        except UnicodeDecodeError:
            raise self._bad_text(numbers, chunk) from None

    def _demand_text(self, numbers: Sequence[int], chunk: bytes) -> None:
        if self.encoding == "cp866":
            strange = chunk.translate(None, _TEXT)
            if strange:
                raise self._bad_byte(numbers, chunk, chunk.index(strange[0]))

    def _bad_text(self, numbers: Sequence[int], chunk: bytes) -> ClassifierInvalid:
        try:
            chunk.decode(self.encoding)
        except UnicodeDecodeError as error:
            return self._bad_byte(numbers, chunk, error.start)
        return self._bad_byte(numbers, chunk, 0)

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


def _regions(kept: bytes, first: bytes, second: bytes) -> dict[str, int]:
    """Live records by their two characters. A sorted table is told by the lengths of its runs, another record by record."""
    found: Counter[tuple[int, int, int]] = Counter()
    for _ in range(RUNS):
        if not kept:
            break
        heads = (kept[0], first[0], second[0])
        run = len(kept) - max(len(part.lstrip(part[:1])) for part in (kept, first, second))
        found[heads] += run
        kept, first, second = kept[run:], first[run:], second[run:]
    found.update(zip(kept, first, second, strict=True))
    regions: Counter[str] = Counter()
    for (live, a, b), count in found.items():
        if live:
            regions[chr(a) + chr(b)] += count
    return regions


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


def _skip(file: Readable, count: int) -> None:
    read_bytes(file, count)


def _unreadable(source: DbfInput, error: OSError) -> ClassifierInvalid:
    return source.wrong(f"не читается: {error.strerror or error}", f"cannot be read: {error.strerror or error}")
