"""The files of a package in a folder or a zip, each vetted before anything is copied. Nothing in a package runs; nothing is followed.

Refused: paths that lead out, absolute and drive paths, names no Windows folder can hold, links of every kind (in a zip: the mode bits; in a
folder: symbolic and hard links, devices, pipes), members that repeat or overlap or are encrypted, and anything that expands beyond reason.
"""

from __future__ import annotations

import os
import re
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from infobase.errors import PackageRefused
from infobase.i18n import Bilingual

MAX_FILES = 20_000
MAX_DEPTH = 16
MAX_PATH = 240
"""Characters in a path inside the package: Windows takes 260 with the root before it."""
MAX_BYTES = 64 << 30
"""Expanded bytes of a whole package."""
EXPANSION_FREE, EXPANSION_RATIO = 64 << 20, 60
"""A zip may expand to this many bytes and this many times its size: supplies are compressed already, texts shrink up to 20 times."""
CHUNK = 1 << 20
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[<>:"|?*\x00-\x1f\x7f]')
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_LOCAL_HEADER = 30


class Unfit(ValueError):
    """Why a package is refused; becomes PackageRefused, which knows its place."""

    def __init__(self, ru: str, en: str) -> None:
        self.reason = Bilingual(ru, en)
        super().__init__(en)


@dataclass(frozen=True)
class Span:
    """Where a file's bytes begin in a larger one."""

    handle: IO[bytes]
    start: int


@dataclass(frozen=True)
class PackedFile:
    """One file of a package: its relative path and size, and how to read it."""

    path: PurePosixPath
    size: int
    source: Path | zipfile.ZipInfo | Span


@dataclass(frozen=True)
class Package:
    """A vetted package. Valid while `open_package` lasts."""

    place: Path
    files: tuple[PackedFile, ...]
    archive: zipfile.ZipFile | None

    @property
    def size(self) -> int:
        return sum(f.size for f in self.files)

    def read(self, file: PackedFile) -> Iterator[bytes]:
        """The content in chunks; exactly as many bytes as announced, or the package is refused."""
        if isinstance(file.source, Span):
            yield from _bytes_of(file.source, file.size)
            return
        left = file.size
        with self._open(file) as handle:
            while chunk := handle.read(min(CHUNK, left + 1)):
                left -= len(chunk)
                if left < 0:
                    break
                yield chunk
        if left:
            raise Unfit(f"{file.path}: размер не тот, что заявлен", f"{file.path}: the size is not the announced one")

    @contextmanager
    def _open(self, file: PackedFile) -> Iterator[IO[bytes]]:
        if isinstance(file.source, zipfile.ZipInfo):
            assert self.archive is not None
            with self.archive.open(file.source) as member:
                yield member
            return
        assert isinstance(file.source, Path)
        descriptor = os.open(file.source, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as handle:
            # Looked at again once it is open: the folder may have changed since it was vetted.
            _demand_plain(file.path, os.fstat(handle.fileno()))
            yield handle


def _bytes_of(span: Span, size: int) -> Iterator[bytes]:
    """Its bounds were vetted: nothing is missing."""
    span.handle.seek(span.start)
    for left in range(size, 0, -CHUNK):
        yield span.handle.read(min(CHUNK, left))


@contextmanager
def open_package(place: Path) -> Iterator[Package]:
    """Vet a folder or a zip. PackageRefused for whatever is wrong with it, inside the block too."""
    with refusing(place):
        if place.is_dir():
            yield Package(place, vetted(_folder_files(place)), None)
            return
        if not place.is_file():
            raise Unfit("такого файла или папки нет", "there is no such file or folder")
        with place.open("rb") as handle, _zip(handle) as archive:
            yield Package(place, vetted(_zip_files(archive, os.fstat(handle.fileno()).st_size)), archive)


@contextmanager
def refusing(place: Path) -> Iterator[None]:
    """Turn whatever a bad package raises into PackageRefused of this place."""
    try:
        yield
    except Unfit as e:
        raise PackageRefused(place=place, detail=e.reason) from e
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, MemoryError) as e:
        raise PackageRefused(place=place, detail=Bilingual(f"архив повреждён: {e}", f"a damaged archive: {e}")) from e


def _zip(handle: IO[bytes]) -> zipfile.ZipFile:
    if not zipfile.is_zipfile(handle):
        raise Unfit("это не папка и не архив zip", "neither a folder nor a zip archive")
    handle.seek(0)
    return zipfile.ZipFile(handle)


# --- vetting ---


def safe_path(name: str) -> PurePosixPath:
    """A relative path every system can hold; `\\` splits too. Unfit."""
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name):
        raise Unfit(f"абсолютный путь: {name[:80]!r}", f"an absolute path: {name[:80]!r}")
    if ".." in parts:
        raise Unfit(f"путь ведёт за пределы комплекта: {name[:80]!r}", f"a path out of the package: {name[:80]!r}")
    kept = [p for p in parts if p not in ("", ".")]
    if not kept or len(kept) > MAX_DEPTH or len("/".join(kept)) > MAX_PATH:
        raise Unfit(f"слишком длинный или пустой путь: {name[:80]!r}", f"a path too long or empty: {name[:80]!r}")
    for part in kept:
        unfit = _FORBIDDEN.search(part) or _RESERVED.fullmatch(part) or part != part.rstrip(" .") or not _is_text(part)
        if unfit:
            raise Unfit(f"недопустимое имя: {name[:80]!r}", f"a name that is not allowed: {name[:80]!r}")
    return PurePosixPath(*kept)


def _is_text(part: str) -> bool:
    return not any("\ud800" <= c <= "\udfff" for c in part)


def vetted(files: Iterator[PackedFile]) -> tuple[PackedFile, ...]:
    """Counted, and without two that would fall on one name where letter case or form does not tell them apart."""
    found: dict[str, PackedFile] = {}
    total = 0
    for file in files:
        key = unicodedata.normalize("NFC", str(file.path)).casefold()
        if key in found:
            raise Unfit(f"файл повторяется: {file.path}", f"a repeated file: {file.path}")
        found[key] = file
        total += file.size
        if len(found) > MAX_FILES or total > MAX_BYTES:
            raise Unfit("комплект слишком велик", "the package is too large")
    for key in found:
        above = key.split("/")[:-1]
        if any("/".join(above[:n]) in found for n in range(1, len(above) + 1)):
            raise Unfit(f"{key}: имя и файла, и папки", f"{key}: a name of both a file and a folder")
    return tuple(found.values())


# --- folders ---


def _folder_files(folder: Path, under: str = "") -> Iterator[PackedFile]:
    with os.scandir(folder) as listing:
        entries = sorted(listing, key=lambda e: e.name)
    for entry in entries:
        name = f"{under}{entry.name}"
        path = safe_path(name)
        found = entry.stat(follow_symlinks=False)
        if stat.S_ISDIR(found.st_mode):
            yield from _folder_files(Path(entry.path), f"{name}/")
            continue
        # On Windows DirEntry.stat gives no number of links; lstat does.
        found = os.lstat(entry.path)
        _demand_plain(path, found)
        yield PackedFile(path, found.st_size, Path(entry.path))


def _demand_plain(path: PurePosixPath, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise Unfit(f"{path}: ссылка или особый файл", f"{path}: a link or a special file")
    if found.st_nlink > 1:
        raise Unfit(f"{path}: жёсткая ссылка", f"{path}: a hard link")


# --- zips ---


def _zip_files(archive: zipfile.ZipFile, archive_size: int) -> Iterator[PackedFile]:
    infos = archive.infolist()
    if len(infos) > MAX_FILES:
        raise Unfit("в архиве слишком много файлов", "too many files in the archive")
    _demand_apart(infos)
    budget = EXPANSION_FREE + EXPANSION_RATIO * archive_size
    for info in infos:
        name = _name(info)
        path = safe_path(name)
        _demand_member(info, path)
        if info.is_dir() or name.endswith("\\"):
            continue
        budget -= info.file_size
        if budget < 0:
            raise Unfit("архив разворачивается в неправдоподобный объём", "the archive expands beyond reason")
        yield PackedFile(path, info.file_size, info)


def _demand_member(info: zipfile.ZipInfo, path: PurePosixPath) -> None:
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise Unfit(f"{path}: ссылка или особый файл", f"{path}: a link or a special file")
    if info.flag_bits & 0x41:
        raise Unfit(f"{path}: зашифрован", f"{path}: is encrypted")
    if info.compress_type not in _METHODS:
        raise Unfit(f"{path}: неизвестное сжатие", f"{path}: unknown compression")


def _demand_apart(infos: list[zipfile.ZipInfo]) -> None:
    """No two members share bytes of the archive: that is how small bombs are made."""
    end = 0
    for info in sorted(infos, key=lambda i: i.header_offset):
        if info.header_offset < end:
            raise Unfit("части архива накладываются", "members of the archive overlap")
        end = info.header_offset + _LOCAL_HEADER + info.compress_size


def _name(info: zipfile.ZipInfo) -> str:
    """The member's name. Old archivers wrote Russian names in cp866 without saying so; a NUL inside is never a name."""
    name = info.orig_filename
    if "\0" in name:
        raise Unfit("недопустимое имя в архиве", "a forbidden name in the archive")
    if info.flag_bits & 0x800 or name.isascii():
        return name
    raw = name.encode("cp437", "replace")
    for codec in ("utf-8", "cp866"):
        try:
            return raw.decode(codec)
        except UnicodeDecodeError:
            continue
    return name
