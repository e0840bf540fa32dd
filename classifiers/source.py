"""Where a classifier is read from: a file, a folder or an archive, seen alike as a `Source` of `Member`s. Told apart by content, not by name.

    with open_source(path) as source:
        for member in source.members: member.name, member.head, member.chunks()

Archives are read where they lie; what they hold in memory is one chunk. The sizes an archive declares are not believed: what is really
read is counted. Archives inside a folder or an archive are looked into as well, one level deep.
"""

from __future__ import annotations

import errno
import hashlib
import lzma
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from classifiers.text import shown
from infobase.errors import ClassifierInvalid
from infobase.i18n import Bilingual

MAX_UNPACKED_BYTES = 512 * 1024 * 1024
"""Of one member, unless its kind allows more."""
MAX_RATIO = 300
"""Unpacked to packed size; the real packages have 10..20."""
SMALL_BYTES = 1024 * 1024
"""Below this the ratio is not asked: tiny repetitive files pack very well and harm no one."""
MAX_MEMBERS = 20_000
MAX_DEPTH = 6
"""Of folders inside a folder."""
INNER_IN_MEMORY = 8 * 1024 * 1024
"""An archive inside an archive is kept in memory up to this size, then in a temporary file."""
MAX_OLE_BYTES = 64 * 1024 * 1024
"""A larger compound file is not looked into."""
CHUNK_BYTES = 256 * 1024
HEAD_BYTES = 8 * 1024
SEVEN_ZIP = b"7z\xbc\xaf\x27\x1c"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How files of Excel 97..2003 begin."""
EXCEL_TYPES, EXCEL_PARTS = "[Content_Types].xml", frozenset({"xl/workbook.xml", "xl/workbook.bin"})
"""A zip with the first and one of the second is a workbook of Excel (ECMA-376, part 2)."""
OPEN_DOCUMENT, OPEN_DOCUMENT_CONTENT = "mimetype", "content.xml"
SPREADSHEET = b"application/vnd.oasis.opendocument.spreadsheet"
"""What the first member of an OpenDocument workbook holds (OpenDocument 1.3, part 2, 3.3); a template adds a suffix."""
PLAIN = (".xml", ".dbf", ".txt", ".csv", ".json")
"""Ends of the names of files that are taken for what they say: sets of addresses have thousands."""
OF_THE_SYSTEM = frozenset({"thumbs.db", "desktop.ini"})
"""What Windows puts into folders by itself."""
ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08", b"PK")

READ_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA})
"""Ways of packing a zip that the standard library reads."""

Opener = Callable[[], AbstractContextManager[IO[bytes]]]


@dataclass(eq=False)
class Member:
    """One file of a source. `name`: its path inside; `place`: how messages call it; `size`: unpacked bytes, as declared."""

    name: str
    place: str
    size: int
    opener: Opener
    refuse: Callable[[], None] = lambda: None
    unread: bool = False
    """It belongs to what is loaded, and is only counted."""
    done: int = 0
    """Bytes read so far, for progress."""
    _head: bytes | None = field(default=None, repr=False)

    @property
    def base_name(self) -> str:
        return self.name.rsplit("/", 1)[-1]

    @property
    def head(self) -> bytes:
        """The first HEAD_BYTES."""
        if self._head is None:
            with self.open() as file:
                self._head = file.read(HEAD_BYTES)
        return self._head

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """The content as a binary file, without any limit of its own; reading errors come out as ClassifierInvalid."""
        with reading_errors(self.place):
            self.refuse()
            with self.opener() as file:
                yield file

    def chunks(self, limit: int = 0) -> Generator[bytes, None, None]:
        """The content by chunks of CHUNK_BYTES, at most `limit` bytes of it (0: MAX_UNPACKED_BYTES). ClassifierInvalid.

        A generator that keeps the consumer's own errors out of its handlers."""
        limit = limit or MAX_UNPACKED_BYTES
        if self.size > limit:
            raise _too_large(self.place, limit)
        self.done = 0
        with ExitStack() as stack:
            with reading_errors(self.place):
                self.refuse()
                file = stack.enter_context(self.opener())
            while True:
                with reading_errors(self.place):
                    chunk = file.read(CHUNK_BYTES)
                if not chunk:
                    return
                self.done += len(chunk)
                if self.done > limit:
                    raise _too_large(self.place, limit)
                yield chunk

    def read(self, limit: int = 64 * 1024 * 1024) -> bytes:
        """The whole content of a small member."""
        return b"".join(self.chunks(limit))

    def digest(self) -> bytes:
        """SHA-256."""
        made = hashlib.sha256()
        with self.open() as file:
            while chunk := file.read(CHUNK_BYTES):
                made.update(chunk)
        return made.digest()


@dataclass(eq=False)
class Source:
    """An opened source. `whole`: it is one file, plain or packed, whose own bytes identify it."""

    path: Path
    members: tuple[Member, ...]
    whole: bool

    @property
    def name(self) -> str:
        return self.path.name or str(self.path)

    @property
    def lone(self) -> Member | None:
        """The only member, if there is only one."""
        return self.members[0] if len(self.members) == 1 else None

    def sha256(self, members: Sequence[Member]) -> str:
        """Hex digest of what is loaded: of the file itself, or of the names and contents of the members read from a folder."""
        if self.whole:
            return sha256_of(self.path)
        made = hashlib.sha256()
        for member in sorted(members, key=lambda m: m.name):
            made.update(member.name.encode() + b"\0" + (b"" if member.unread else member.digest()))
        return made.hexdigest()


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Open a file, folder or archive. ClassifierInvalid when there is nothing to read there."""
    with ExitStack() as stack:
        with reading_errors(str(path)):
            folder = path.is_dir()
            members = _folder(path, stack) if folder else _file(path, path.name, stack)
        if len(members) > MAX_MEMBERS:
            raise refused(path, f"файлов слишком много: {len(members)}", f"too many files: {len(members)}")
        if not members:
            ru, en = ("папка пуста", "the folder is empty") if folder else ("архив пуст", "the archive is empty")
            raise refused(path, ru, en)
        yield Source(path, tuple(members), whole=not folder)


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file, in constant memory."""
    digest = hashlib.sha256()
    with reading_errors(str(path)), path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def refused(place: Path | str, ru: str, en: str) -> ClassifierInvalid:
    """The error to raise for a file."""
    return ClassifierInvalid(place=place, detail=Bilingual(ru, en))


@contextmanager
def reading_errors(place: str) -> Iterator[None]:
    """What the system and the archive readers raise -> ClassifierInvalid."""
    try:
        yield
    except OSError as error:
        if error.errno is None and "data stream" in str(error):  # so bz2 calls damaged data
            ru, en = "сжатые данные не читаются", "the packed data cannot be read"
            raise refused(
                place, f"архив zip повреждён: {ru}; возьмите его заново", f"the zip is damaged: {en}"
            ) from error
        what = error.strerror or str(error)
        told = _OF_SYSTEM.get(error.errno or 0, what)
        raise refused(place, f"не читается: {told}", f"cannot be read: {what}") from error
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, MemoryError) as error:
        ru = f"архив zip повреждён: {_zip_fault(str(error))}; возьмите его заново"
        raise refused(place, ru, f"the zip is damaged: {error}; get it again") from error


_OF_SYSTEM = {
    errno.ENOENT: "нет такого файла или папки",
    errno.EACCES: "нет прав на чтение",
    errno.EPERM: "нет прав на чтение",
    errno.EIO: "ошибка чтения диска",
    errno.ENAMETOOLONG: "имя слишком длинное",
}


def _zip_fault(what: str) -> str:
    """What the library says, in Russian where it is a usual fault."""
    if "not a zip file" in what:
        return "нет оглавления в конце, файл обрезан"
    if "Bad CRC-32" in what:
        return "контрольная сумма не сходится"
    if "Truncated" in what or "end of stream" in what or not what:
        return "файл обрезан"
    return f"сжатые данные не читаются ({what})"


def _too_large(place: str, limit: int) -> ClassifierInvalid:
    return refused(place, f"больше {limit} байт", f"larger than {limit} bytes")


def _folder(path: Path, stack: ExitStack) -> list[Member]:
    members: list[Member] = []
    for root, folders, files in os.walk(path):
        here = Path(root)
        folders[:] = sorted(f for f in folders if not f.startswith((".", "__MACOSX")))
        if len(here.relative_to(path).parts) >= MAX_DEPTH:
            folders.clear()
        for name in sorted(files):
            if wanted_name(name) and (here / name).is_file():
                with reading_errors(str(here / name)):
                    members += _file(here / name, (here / name).relative_to(path).as_posix(), stack)
        if len(members) > MAX_MEMBERS:
            break
    return members


def _file(path: Path, name: str, stack: ExitStack) -> list[Member]:
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(b"PK"):
        return _zip(path, name, stack)
    if start.startswith(SEVEN_ZIP):
        from classifiers.seven_zip import seven_zip_members

        members = seven_zip_members(path, path, path.stat().st_size, stack)
        return [inner for member in members for inner in _looked_into(member, stack)]
    lone = Member(name, str(path), path.stat().st_size, lambda: path.open("rb"))
    return _looked_into(lone, stack) if start.startswith(OLE) else [lone]


def _zip(path: Path, name: str, stack: ExitStack) -> list[Member]:
    archive = stack.enter_context(opened_zip(path))
    if _is_workbook(path, archive):
        with path.open("rb") as file:
            return _workbook(file, path, name, stack)
    infos = archive.infolist()
    if len(infos) > MAX_MEMBERS:
        raise refused(path, f"в архиве {len(infos)} файлов", f"the zip has {len(infos)} members")
    members: list[Member] = []
    for info in infos:
        if wanted_name(shown_name(info)):
            member = _zip_member(path, archive, info)
            members += _looked_into(member, stack)
    return members


def _is_workbook(place: Path | str, archive: zipfile.ZipFile) -> bool:
    """Whether a zip is a workbook by what its makers must put there: any zip may have a content.xml."""
    names = set(archive.namelist())
    if EXCEL_TYPES in names and EXCEL_PARTS & names:
        return True
    if not {OPEN_DOCUMENT, OPEN_DOCUMENT_CONTENT} <= names:
        return False
    info = archive.getinfo(OPEN_DOCUMENT)
    _demand_harmless(f"{place}!{OPEN_DOCUMENT}", info)
    with opened_member(archive, info) as file:
        return file.read(HEAD_BYTES).strip().startswith(SPREADSHEET)


def _workbook(content: IO[bytes], place: Path | str, name: str, stack: ExitStack) -> list[Member]:
    from classifiers.workbook import workbook_members

    return workbook_members(content, place, name, stack)


def _looked_into(outer: Member, stack: ExitStack, *, packed: bool = True) -> list[Member]:
    """What a member holds that is a workbook or (`packed`) a zip or 7z, unpacked into a temporary file; others as they stand, which may be of no
    interest. Large sets of plain files, known by their names, are not opened for it."""
    if not outer.size or outer.base_name.casefold().endswith(PLAIN):
        return [outer]
    if outer.head.startswith(OLE):
        if outer.size > MAX_OLE_BYTES:
            return [outer]
        file = _unpacked(outer, stack)
        return _workbook(file, outer.place, outer.name, stack) if _is_ole_workbook(outer, file) else [outer]
    if packed and outer.head.startswith(SEVEN_ZIP):
        return _inner_seven_zip(outer, stack)
    named = outer.base_name.casefold().endswith(".zip")
    if not outer.head.startswith(ZIP_STARTS if named else ZIP_STARTS[:-1]):
        return [outer]
    file = _unpacked(outer, stack)
    with reading_errors(outer.place):
        archive = stack.enter_context(opened_zip(file))
        workbook = _is_workbook(outer.place, archive)
    if workbook:
        return _workbook(file, outer.place, outer.name, stack)
    return _inner_zip(outer, archive, stack) if packed else [outer]


def _unpacked(outer: Member, stack: ExitStack) -> IO[bytes]:
    kept = stack.enter_context(tempfile.SpooledTemporaryFile(INNER_IN_MEMORY))  # noqa: SIM115 - lives as long as the source
    for chunk in outer.chunks(MAX_OLE_BYTES if outer.head.startswith(OLE) else 0):
        kept.write(chunk)
    return cast("IO[bytes]", kept)


def _is_ole_workbook(outer: Member, file: IO[bytes]) -> bool:
    """Whether a compound file has the stream of a workbook: documents of Word and others begin alike. ClassifierInvalid for a workbook with a
    password, which is such a file too ([MS-OFFCRYPTO] 2.3.1)."""
    file.seek(0)
    content = file.read()
    if "EncryptedPackage".encode("utf-16-le") in content:
        raise refused(outer.place, "книга защищена паролем", "the workbook is protected by a password")
    return any(stream.encode("utf-16-le") in content for stream in ("Workbook\0", "Book\0"))


def _inner_zip(outer: Member, archive: zipfile.ZipFile, stack: ExitStack) -> list[Member]:
    """The members of an archive inside an archive. What is packed deeper stays as it is, but for workbooks."""
    infos = [i for i in archive.infolist() if wanted_name(shown_name(i))]
    if len(infos) > MAX_MEMBERS:
        raise refused(outer.place, f"в архиве {len(infos)} файлов", f"the zip has {len(infos)} members")
    members = [_zip_member(outer.place, archive, i, f"{outer.name}/") for i in infos]
    return [inner for member in members for inner in _looked_into(member, stack, packed=False)]


def _inner_seven_zip(outer: Member, stack: ExitStack) -> list[Member]:
    """The same of a 7z archive."""
    from classifiers.seven_zip import seven_zip_members

    file = _unpacked(outer, stack)
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    members = seven_zip_members(outer.place, file, size, stack, f"{outer.name}/")
    return [inner for member in members for inner in _looked_into(member, stack, packed=False)]


def wanted_name(name: str) -> bool:
    """Whether an archive's member is a file people put there."""
    parts = name.split("/")
    hidden = any(p.startswith((".", "__MACOSX")) for p in parts if p not in (".", ".."))
    return bool(parts[-1]) and not hidden and parts[-1].casefold() not in OF_THE_SYSTEM


def _zip_member(path: Path | str, archive: zipfile.ZipFile, info: zipfile.ZipInfo, inside: str = "") -> Member:
    name = shown_name(info)
    place = f"{path}!{shown(name)}"
    return Member(
        inside + name,
        place,
        info.file_size,
        lambda: opened_member(archive, info),
        lambda: _demand_harmless(place, info),
    )


def opened_zip(file: Path | IO[bytes]) -> zipfile.ZipFile:
    """BadZipFile too where a name says it is UTF-8 and is not, or an archive in memory points before its own beginning."""
    try:
        return zipfile.ZipFile(file)
    except ValueError as error:
        raise zipfile.BadZipFile(str(error)) from error


def opened_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    """BadZipFile as from `opened_zip`: the name is written before the content once more, and where that lies may be a lie."""
    try:
        return archive.open(info)
    except ValueError as error:
        raise zipfile.BadZipFile(str(error)) from error


def shown_name(info: zipfile.ZipInfo) -> str:
    """The name of a member as its packer meant it: without the mark of UTF-8 Russian packers write cp866, which reads as cp437; some
    packers of Windows write its own slashes."""
    name = info.filename.replace("\\", "/")
    if info.flag_bits & 0x800:
        return name
    try:
        return name.encode("cp437").decode("cp866")
    except UnicodeError:
        return name


def _demand_harmless(place: str, info: zipfile.ZipInfo) -> None:
    if info.flag_bits & 1:
        raise refused(place, "архив зашифрован", "the zip is encrypted")
    if info.compress_type not in READ_METHODS:
        ru = f"способ сжатия {info.compress_type} не поддерживается"
        raise refused(place, ru, f"compression method {info.compress_type} is not supported")
    if info.file_size > SMALL_BYTES and info.file_size > info.compress_size * MAX_RATIO:
        ru = f"распакованный размер {info.file_size} байт недопустим (в архиве {info.compress_size})"
        en = f"the unpacked size of {info.file_size} bytes is not allowed (packed {info.compress_size})"
        raise refused(place, ru, en)
