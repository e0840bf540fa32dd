"""Members of a .7z archive, through the optional library py7zr. Each is unpacked to an unnamed temporary file when it is first opened."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from classifiers.source import MAX_RATIO, SMALL_BYTES, Member, refused, wanted_name
from classifiers.text import shown
from infobase.errors import ClassifierInvalid

if TYPE_CHECKING:
    import py7zr

MAX_MEMBER_BYTES = 4 * 1024 * 1024 * 1024
"""Temporary space one member may take."""


def seven_zip_members(
    path: Path | str, content: Path | IO[bytes], packed: int, stack: ExitStack, inside: str = ""
) -> list[Member]:
    """The files of an archive of `packed` bytes; `path`: how messages call it, `inside`: what the names of its members begin with.

    ClassifierInvalid: the library is missing, the archive is damaged, encrypted or a bomb."""
    try:
        import py7zr
    except ImportError as e:
        ru = "для архивов 7z нужна библиотека py7zr (pip install 'infobase[7z]'); или распакуйте архив в папку"
        en = "7z archives need the library py7zr (pip install 'infobase[7z]'); or unpack the archive into a folder"
        raise refused(path, ru, en) from e
    try:
        archive = stack.enter_context(py7zr.SevenZipFile(cast(Any, content), "r"))
        if archive.needs_password():
            raise refused(path, "архив зашифрован", "the archive is encrypted")
        files = [f for f in archive.list() if not f.is_directory and wanted_name(f.filename)]
    except ClassifierInvalid:
        raise
    except Exception as e:  # the library raises its own, lzma's, struct's and plain ones for damaged archives
        raise _damaged(path, e) from e
    total = sum(f.uncompressed for f in files)
    if total > SMALL_BYTES and total > packed * MAX_RATIO:
        ru = f"распакованный размер {total} байт недопустим (в архиве {packed})"
        raise refused(path, ru, f"the unpacked size of {total} bytes is not allowed (packed {packed})")
    unpacked = _Unpacked(path, archive, [f.filename for f in files], stack)
    return [
        Member(inside + f.filename, f"{path}!{shown(f.filename)}", f.uncompressed, partial(unpacked.open, f.filename))
        for f in files
    ]


class _Unpacked:
    """The members as unnamed temporary files, all made in one pass: packed together, they cannot be had one by one for less."""

    def __init__(self, path: Path | str, archive: py7zr.SevenZipFile, names: list[str], stack: ExitStack) -> None:
        self._path, self._archive, self._names, self._stack = path, archive, names, stack
        self._files: dict[str, IO[bytes]] = {}

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        if not self._files:
            self._unpack()
        if name not in self._files:
            raise refused(self._path, f"{shown(name)} не распакован", f"{shown(name)} was not unpacked")
        self._files[name].seek(0)
        yield self._files[name]

    def _unpack(self) -> None:
        try:
            self._archive.reset()
            self._archive.extract(targets=self._names, factory=cast(Any, _Factory(self)))
        except ClassifierInvalid:
            raise
        except Exception as e:  # as above
            raise _damaged(self._path, e) from e

    def sink(self, name: str) -> _Sink:
        file = self._files[name] = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        return _Sink(self._path, file)


def _damaged(path: Path | str, e: Exception) -> ClassifierInvalid:
    what = str(e) or type(e).__name__
    name = type(e).__name__
    told = next((ru for part, ru in _FAULTS.items() if part in name), f"содержимое не читается ({shown(what)})")
    ru = f"архив 7z повреждён: {told}; возьмите его заново"
    return refused(path, ru, f"the 7z archive is damaged: {what}; get it again")


_FAULTS = {
    "Crc": "контрольная сумма не сходится",
    "EOF": "файл обрезан",
    "LZMA": "сжатые данные не читаются",
    "Unsupported": "способ сжатия не поддерживается",
    "Bad7zFile": "заголовок или оглавление не читаются, файл обрезан",
}
"""What a part of the name of the library's error says."""


class _Factory:
    """Gives the library places to write to, and never a path of the archive (its WriterFactory protocol)."""

    def __init__(self, unpacked: _Unpacked) -> None:
        self._unpacked = unpacked

    def create(self, filename: str) -> _Sink:
        return self._unpacked.sink(filename)


class _Sink:
    """What py7zr writes a member into (its Py7zIO protocol)."""

    def __init__(self, path: Path | str, file: IO[bytes]) -> None:
        self._path, self._file, self._written = path, file, 0

    def write(self, data: bytes | bytearray) -> int:
        self._written += len(data)
        if self._written > MAX_MEMBER_BYTES:
            raise refused(self._path, f"больше {MAX_MEMBER_BYTES} байт", f"larger than {MAX_MEMBER_BYTES} bytes")
        return self._file.write(data)

    def read(self, size: int | None = None) -> bytes:
        return self._file.read(-1 if size is None else size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def flush(self) -> None:
        self._file.flush()

    def size(self) -> int:
        return self._written

    def close(self) -> None:
        """The file stays: members are read from it."""
