"""The supply archive `1cv8.efd` that 1C's `setup.exe` unpacks: read as data, into the same vetted files as a folder or a zip.

The format, as `onec_dtools` reads it: one raw deflate stream (no magic) of little-endian fields: u32 1; u32 number of supplies, each u32 and four
strings (language, name, vendor, path of the description); u32 number of files, each u32, path with `\\`, u64 FILETIME, u32, u32 size; then the
files' bytes one after another. A string is a u32 number of UTF-16 units and the units.
"""

from __future__ import annotations

import errno
import os
import struct
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from infobase.errors import DiskFull
from templates_store.package import (
    CHUNK,
    EXPANSION_FREE,
    EXPANSION_RATIO,
    MAX_FILES,
    Package,
    PackedFile,
    Span,
    Unfit,
    safe_path,
    vetted,
)

SUFFIX, USUAL_NAME = ".efd", "1cv8.efd"
_FORMAT = 1
_MAX_SUPPLIES = 1000
_MAX_STRING = 4096


@dataclass(frozen=True)
class Supply:
    """What the archive says of itself in one language. `description`: the path of its ReadMe inside."""

    language: str
    name: str
    vendor: str
    description: str


def archive_in(files: Iterable[PackedFile]) -> PackedFile | None:
    """The supply archive of a distribution: the one named as usual, or the only one. None where there is none; Unfit where it is not clear which."""
    found = [f for f in files if f.path.suffix.casefold() == SUFFIX]
    usual = [f for f in found if f.path.name.casefold() == USUAL_NAME]
    chosen = usual or found
    if len(chosen) > 1:
        listed = ", ".join(str(f.path) for f in chosen[:5])
        raise Unfit(
            f"в комплекте несколько архивов .efd, установите их по одному: {listed}",
            f"the package has several .efd archives, install them one by one: {listed}",
        )
    return chosen[0] if chosen else None


@contextmanager
def open_supply(place: Path, chunks: Iterable[bytes], packed: int) -> Iterator[Package]:
    """The files inside an archive of `packed` bytes that come in chunks. Valid while the block lasts. Unfit, DiskFull."""
    with tempfile.TemporaryFile(prefix="infobase-efd-") as spool:
        _inflate(chunks, spool, EXPANSION_FREE + EXPANSION_RATIO * packed)
        end = spool.tell()
        spool.seek(0)
        _, named = read_directory(spool)
        yield Package(place, vetted(_spans(spool, named, end)), None)


def _inflate(chunks: Iterable[bytes], spool: IO[bytes], budget: int) -> None:
    inflater = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    for chunk in chunks:
        data = chunk
        while data and not inflater.eof:
            made = inflater.decompress(data, CHUNK)
            budget -= len(made)
            if budget < 0:
                raise Unfit("архив разворачивается в неправдоподобный объём", "the archive expands beyond reason")
            _write(spool, made)
            data = inflater.unconsumed_tail
    if not inflater.eof:
        raise Unfit("архив .efd обрывается", "the .efd archive is cut short")


def _write(spool: IO[bytes], data: bytes) -> None:
    try:
        spool.write(data)
    except OSError as e:
        if e.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DiskFull(place=tempfile.gettempdir(), detail=e.strerror) from e
        raise


def read_directory(stream: IO[bytes]) -> tuple[list[Supply], list[tuple[str, int]]]:
    """The supplies and the names and sizes of the files; the stream stands at the first file's bytes then. Unfit."""
    form, supplies = _fields(stream, "<II")
    if form != _FORMAT or supplies > _MAX_SUPPLIES:
        raise Unfit("это не архив поставки 1С", "not a supply archive of 1C")
    told = [_supply(stream) for _ in range(supplies)]
    (count,) = _fields(stream, "<I")
    if count > MAX_FILES:
        raise Unfit("в архиве слишком много файлов", "too many files in the archive")
    return told, [_file(stream) for _ in range(count)]


def _supply(stream: IO[bytes]) -> Supply:
    _fields(stream, "<I")
    return Supply(_string(stream), _string(stream), _string(stream), _string(stream))


def _file(stream: IO[bytes]) -> tuple[str, int]:
    _fields(stream, "<I")
    name = _string(stream)
    _, _, size = _fields(stream, "<QII")
    return name, size


def _fields(stream: IO[bytes], form: str) -> tuple[int, ...]:
    return struct.unpack(form, _exactly(stream, struct.calcsize(form)))


def _string(stream: IO[bytes]) -> str:
    (length,) = _fields(stream, "<I")
    if length > _MAX_STRING:
        raise Unfit("в архиве .efd неправдоподобно длинная строка", "a string beyond reason in the .efd archive")
    # A lone surrogate stays one, so that the vetting of names meets it.
    return _exactly(stream, 2 * length).decode("utf-16-le", "surrogatepass").removeprefix("\ufeff")


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise Unfit("архив .efd обрывается", "the .efd archive is cut short")
    return data


def _spans(spool: IO[bytes], named: list[tuple[str, int]], end: int) -> Iterator[PackedFile]:
    start = spool.tell()
    for name, size in named:
        if start + size > end:
            raise Unfit("архив .efd обрывается", "the .efd archive is cut short")
        yield PackedFile(safe_path(name), size, Span(spool, start))
        start += size


@contextmanager
def open_file(place: Path) -> Iterator[Package]:
    """An archive that lies there as a file."""
    with place.open("rb") as handle:
        size = os.fstat(handle.fileno()).st_size
        with open_supply(place, iter(lambda: handle.read(CHUNK), b""), size) as package:
            yield package
