"""From a file's first bytes, and its suffix where the format has no mark of its own, to who reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from infobase.errors import FileUnrecognised
from infobase.inspection import genuine, ours, texts
from infobase.inspection.model import Inspection
from infobase.log_files import HEADER, is_log

Reader = Callable[[Path], Inspection]
_HEAD = 64
_BY_SUFFIX: dict[str, Reader] = {
    ".v8i": texts.inspect_list,
    ".cdn": texts.inspect_block,
    ".efd": genuine.inspect_supply,
    ".lgd": texts.inspect_log,
    ".lgf": texts.inspect_log,
    ".lgp": texts.inspect_log,
}


def register(suffix: str, reader: Reader) -> None:
    """Another package's reader of files with this suffix."""
    _BY_SUFFIX[suffix] = reader


def inspect_file(path: Path) -> Inspection:
    """FileUnrecognised, FileDamaged, ReaderMissing, and what reading our own files raises."""
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise FileUnrecognised(place=path)  # a pipe or a device, which might never end
    with path.open("rb") as file:
        head = file.read(_HEAD)
    reader = _by_content(head) or _BY_SUFFIX.get(path.suffix.casefold())
    if reader is None:
        raise FileUnrecognised(place=path)
    return reader(path)


def _folder(path: Path) -> Inspection:
    base = next((p for p in path.iterdir() if p.name.casefold() == "1cv8.1cd"), None)
    if base is not None:
        return inspect_file(base)
    if is_log(path):
        return texts.inspect_log(path)
    raise FileUnrecognised(place=path)


def _by_content(head: bytes) -> Reader | None:
    if head.startswith(genuine.BASE_MARK):
        return genuine.inspect_base
    if head.startswith(genuine.CONTAINER_MARK):
        return genuine.inspect_container
    if head.startswith(genuine.DUMP_MARK):
        return genuine.inspect_dump
    if head.startswith(ours.SQLITE_MARK):
        return ours.inspect_sqlite
    if head.startswith(ours.ENCRYPTED_MARK):
        return ours.inspect_encrypted
    if head.startswith(ours.ZIP_MARKS):
        return ours.inspect_zip
    if head.removeprefix(b"\xef\xbb\xbf").startswith(HEADER.encode()):
        return texts.inspect_log
    return None
