"""Opening a classifier file: a zip with one wanted member, read where it lies, or the bare file; told apart by content, not by name."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Generator
from pathlib import Path
from typing import IO

from classifiers.text import shown
from infobase.errors import ClassifierInvalid
from infobase.i18n import Bilingual

MAX_PACKED_BYTES = 256 * 1024 * 1024
MAX_UNPACKED_BYTES = 512 * 1024 * 1024
MAX_RATIO = 300
"""Unpacked to packed size; the real packages have 10..20."""
SMALL_BYTES = 1024 * 1024
"""Below this the ratio is not asked: tiny repetitive files pack very well and harm no one."""
MAX_MEMBERS = 10_000
CHUNK_BYTES = 256 * 1024

_XML_STARTS = (b"<", b"\xef\xbb\xbf<", b"\xff\xfe<", b"\xfe\xff\0<")


def read_chunks(path: Path, member: re.Pattern[str], wanted: str) -> Generator[bytes, None, None]:
    """The bytes of the XML inside `path`, in chunks: the one zip member whose file name matches `member` (told to the user as `wanted`),
    or the file itself. Nothing is unpacked to disk; memory holds one chunk.

    Raises ClassifierInvalid for anything else: no such file, neither zip nor XML, no or several members, a bomb, an encrypted or damaged zip.
    A generator, so that only its own reading errors are caught here, never those of the code that consumes it.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4096)
            file.seek(0)
            if start.startswith(b"PK"):
                with (
                    zipfile.ZipFile(_packed(path, file)) as archive,
                    archive.open(_member(path, archive, member, wanted)) as inner,
                ):
                    yield from _limited(path, inner)
            else:
                _demand_xml(path, start, wanted)
                yield from _limited(path, file)
    except OSError as error:
        raise _unreadable(path, error) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise refused(path, f"архив zip повреждён: {error}", f"the zip is damaged: {error}") from error


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file, in constant memory."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise _unreadable(path, error) from error
    return digest.hexdigest()


def refused(path: Path, ru: str, en: str) -> ClassifierInvalid:
    """The error to raise for a file."""
    return ClassifierInvalid(place=path, detail=Bilingual(ru, en))


def _demand_xml(path: Path, start: bytes, wanted: str) -> None:
    if not start:
        raise refused(path, "файл пуст", "the file is empty")
    if not start.lstrip(b" \t\r\n").startswith(_XML_STARTS):
        ru = f"это не zip и не XML (начинается с {shown(start[:8])}); нужен {wanted}"
        raise refused(path, ru, f"neither a zip nor an XML (it starts with {shown(start[:8])}); {wanted} is needed")


def _limited(path: Path, file: IO[bytes]) -> Generator[bytes, None, None]:
    """Counts what is really read: the sizes an archive declares are not believed."""
    total = 0
    while chunk := file.read(CHUNK_BYTES):
        total += len(chunk)
        if total > MAX_UNPACKED_BYTES:
            raise refused(path, f"больше {MAX_UNPACKED_BYTES} байт", f"larger than {MAX_UNPACKED_BYTES} bytes")
        yield chunk


def _unreadable(path: Path, error: OSError) -> ClassifierInvalid:
    return refused(path, f"не читается: {error.strerror or error}", f"cannot be read: {error.strerror or error}")


def _packed(path: Path, file: IO[bytes]) -> IO[bytes]:
    if file.seek(0, io.SEEK_END) > MAX_PACKED_BYTES:
        raise refused(path, f"архив больше {MAX_PACKED_BYTES} байт", f"the zip is larger than {MAX_PACKED_BYTES} bytes")
    file.seek(0)
    return file


def _member(path: Path, archive: zipfile.ZipFile, member: re.Pattern[str], wanted: str) -> zipfile.ZipInfo:
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise refused(path, f"в архиве {len(members)} файлов", f"the zip has {len(members)} members")
    found = [m for m in members if member.fullmatch(m.filename.rsplit("/", 1)[-1])]
    if len(found) != 1:
        names = ", ".join(shown(m.filename) for m in members[:5]) or "-"
        ru = f"в архиве должен быть ровно один файл {wanted}, найдено {len(found)} (в архиве: {names})"
        raise refused(path, ru, f"exactly one {wanted} is needed in the zip, found {len(found)} (members: {names})")
    _demand_harmless(path, found[0])
    return found[0]


def _demand_harmless(path: Path, member: zipfile.ZipInfo) -> None:
    if member.flag_bits & 1:
        raise refused(path, "архив зашифрован", "the zip is encrypted")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        ru = f"способ сжатия {member.compress_type} не поддерживается"
        raise refused(path, ru, f"compression method {member.compress_type} is not supported")
    bomb = member.file_size > SMALL_BYTES and member.file_size > member.compress_size * MAX_RATIO
    if bomb or member.file_size > MAX_UNPACKED_BYTES:
        ru = f"распакованный размер {member.file_size} байт недопустим (в архиве {member.compress_size})"
        raise refused(
            path, ru, f"the unpacked size of {member.file_size} bytes is not allowed (packed {member.compress_size})"
        )
