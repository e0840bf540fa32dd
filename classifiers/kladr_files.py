"""A set of KLADR's tables, wherever it lies: a folder, a zip, a 7z, or one table alone. Tables are known by their fields, not by their names."""

from __future__ import annotations

import datetime as dt
import lzma
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from classifiers.dbf import VERSIONS, DbfInput, DbfTable, file_input
from classifiers.kladr import ENCODING, PARTS, Part
from classifiers.source import MAX_MEMBERS, MAX_RATIO, SMALL_BYTES, refused
from infobase.errors import ArchiverMissing, ClassifierInvalid

MAX_TABLE_BYTES = 4 << 30
SEVEN_ZIP = b"7z\xbc\xaf\x27\x1c"
FOLDER_DEPTH = 2


@dataclass(frozen=True)
class KladrSet:
    """Tables by part name. `date`: the day all of them were made."""

    place: Path
    tables: dict[str, DbfTable]
    date: dt.date


@contextmanager
def kladr_set(source: Path) -> Iterator[KladrSet]:
    """The tables found in `source`, open for the block. ClassifierInvalid: none there, one twice, of different days, damaged."""
    with ExitStack() as stack:
        tables: dict[str, DbfTable] = {}
        for candidate in _candidates(source, stack):
            found = _recognised(candidate)
            if found is None:
                continue
            part, table = found
            if part.name in tables:
                first, second = tables[part.name].input.place, candidate.place
                ru = f"таблица {part.name} встречается дважды: {first} и {second}"
                raise refused(source, ru, f"the table {part.name} is there twice: {first} and {second}")
            tables[part.name] = table
        if not tables:
            raise refused(source, "нет ни одной таблицы КЛАДР (DBF)", "there is no table of KLADR (DBF)")
        yield KladrSet(source, tables, _common_date(source, tables))


def is_kladr(source: Path) -> bool:
    """Whether `source` holds a table of KLADR, by content."""
    try:
        with ExitStack() as stack:
            return any(_recognised(c) is not None for c in _candidates(source, stack))
    except (ClassifierInvalid, ArchiverMissing):
        return False


def _common_date(source: Path, tables: dict[str, DbfTable]) -> dt.date:
    dates = {name: table.header.date for name, table in tables.items()}
    undated = next((name for name, date in dates.items() if date is None), None)
    if undated is not None:
        raise refused(source, f"{undated}: дата в заголовке неверна", f"{undated}: the date in the header is wrong")
    found = sorted({d for d in dates.values() if d is not None})
    if len(found) > 1:
        listing = ", ".join(f"{name} {date:%d.%m.%Y}" for name, date in dates.items() if date)
        ru = f"таблицы разных дат ({listing}): это разные выпуски; положите рядом таблицы одного"
        raise refused(source, ru, f"tables of different days ({listing}): different issues; bring the tables of one")
    return found[0]


def _recognised(candidate: DbfInput) -> tuple[Part, DbfTable] | None:
    """None for what is no DBF or another one. A file that calls itself .dbf and is damaged is an error."""
    named = candidate.place.suffix.lower() == ".dbf"
    try:
        table = DbfTable(candidate, ENCODING)
    except ClassifierInvalid:
        if named:
            raise
        return None
    names = set(table.header.by_name)
    part = next((p for p in PARTS if set(p.fields) <= names), None)
    if part is None:
        return None
    table.header.demand(candidate, part.fields)
    return part, table


def _candidates(source: Path, stack: ExitStack) -> Iterator[DbfInput]:
    if source.is_dir():
        yield from _in_folder(source)
        return
    start = _start(source)
    if start.startswith(b"PK"):
        yield from _in_zip(source, stack)
    elif start.startswith(SEVEN_ZIP):
        yield from _in_seven_zip(source, stack)
    elif start[:1] and start[0] in VERSIONS:
        yield file_input(source)
    else:
        ru, en = "это не папка, zip, 7z или таблица DBF", "neither a folder nor a zip, a 7z or a DBF table"
        raise refused(source, ru, en)


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(16)
    except OSError as error:
        raise refused(path, f"не читается: {error.strerror}", f"cannot be read: {error.strerror}") from error


def _in_folder(folder: Path) -> Iterator[DbfInput]:
    level = [folder]
    for _ in range(FOLDER_DEPTH):
        below: list[Path] = []
        for place in sorted(p for f in level for p in f.iterdir()):
            if place.is_dir():
                below.append(place)
            elif place.is_file() and (place.suffix.lower() == ".dbf" or _start(place)[:1] in (b"\x03", b"\x04")):
                yield file_input(place)
        level = below


def _in_zip(path: Path, stack: ExitStack) -> Iterator[DbfInput]:
    try:
        archive = stack.enter_context(zipfile.ZipFile(path))
        members = [m for m in archive.infolist() if not m.is_dir()]
    except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
        raise refused(path, f"архив zip повреждён: {error}", f"the zip is damaged: {error}") from error
    _demand_few(path, len(members))
    for member in members:
        place = path / member.filename
        if not member.filename.lower().endswith(".dbf"):
            continue
        if member.flag_bits & 1:
            raise refused(place, "архив зашифрован", "the zip is encrypted")
        _demand_size(place, member.file_size, member.compress_size)
        yield DbfInput(place, member.file_size, lambda member=member: _ZipMember(path, archive, member))


class _ZipMember:
    """A member's stream whose damage is told as ours: it is read far from here."""

    def __init__(self, path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
        self._place = path / member.filename
        try:
            self._file: IO[bytes] = archive.open(member)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise self._damaged(error) from error

    def read(self, count: int) -> bytes:
        try:
            return self._file.read(count)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise self._damaged(error) from error

    def close(self) -> None:
        self._file.close()

    def _damaged(self, error: Exception) -> ClassifierInvalid:
        return refused(self._place, f"архив zip повреждён: {error}", f"the zip is damaged: {error}")


def _demand_few(path: Path, count: int) -> None:
    if count > MAX_MEMBERS:
        raise refused(path, f"в архиве {count} файлов", f"the archive has {count} members")
    if not count:
        raise refused(path, "архив пуст", "the archive is empty")


def _demand_size(place: Path, size: int, packed: int) -> None:
    if size > MAX_TABLE_BYTES or (size > SMALL_BYTES and packed and size > packed * MAX_RATIO):
        ru = f"распакованный размер {size} байт недопустим (в архиве {packed})"
        raise refused(place, ru, f"the unpacked size of {size} bytes is not allowed (packed {packed})")


def _in_seven_zip(path: Path, stack: ExitStack) -> Sequence[DbfInput]:
    """The tables are unpacked into a scratch folder under names of our own: the format has no cheap streams."""
    try:
        import py7zr
    except ImportError as error:
        raise ArchiverMissing(place=path, package="py7zr", extra="7z") from error
    from py7zr.exceptions import ArchiveError, PasswordRequired

    from classifiers.seven_zip import ScratchFactory

    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="infobase-kladr-")))
    try:
        with py7zr.SevenZipFile(path, "r") as archive:
            members = [m for m in archive.list() if m.is_file]
            _demand_few(path, len(members))
            wanted = [m for m in members if m.filename.lower().endswith(".dbf")]
            packed = path.stat().st_size
            _demand_size(path, sum(m.uncompressed for m in wanted), packed)
            factory = ScratchFactory(folder, {m.filename: m.uncompressed for m in wanted})
            if wanted:
                archive.extract(targets=[m.filename for m in wanted], factory=factory)
    except PasswordRequired as error:
        raise refused(path, "архив зашифрован", "the archive is encrypted") from error
    except (ArchiveError, OSError, EOFError, ValueError, TypeError, zlib.error, lzma.LZMAError) as error:
        raise refused(path, f"архив 7z повреждён: {error}", f"the 7z is damaged: {error}") from error
    return [
        DbfInput(path / name, place.stat().st_size, lambda place=place: place.open("rb"))
        for name, place in factory.places.items()
    ]
