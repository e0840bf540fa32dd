"""A write-ahead log left beside a base: whether it can be this base's own.

SQLite replays whatever valid log lies there and cannot tell whose it is; a `1Cv8.1CD` copied by hand into a folder with another's `-wal` is
mixed with it for good. Refused is only what no crash and no power cut of one base can leave (https://www.sqlite.org/fileformat2.html): a log
with pages of another size; one beside a file that is not in WAL mode (SQLite removes the log before it says so in the file); one whose newest
header page is older than the file's, or another application's. A log of the same base's near past cannot be told from its own.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from engine_file.folder import APPLICATION_ID, is_open, open_mutex
from engine_file.store import VERSIONS_AT, Store, versions
from infobase.errors import EngineUnavailable, JournalForeign
from infobase.i18n import Bilingual

_PATIENCE = 3.0
"""Seconds to wait for one who is just leaving; with another who stays there is no converting."""
_MAGICS = (0x377F0682, 0x377F0683)
_LOG_HEADER, _FRAME_HEADER, _PAGE_HEAD = 32, 24, 100
_PAGE_SIZE_AT, _COUNTER_AT, _SCHEMA_AT, _APPLICATION_AT = 16, 24, 40, 68
"""Offsets in the file's header; the change counter and the schema cookie only grow."""


def settle(store: Store, alone: Callable[[], bool]) -> None:
    """Before anybody else can come in: a journal left behind is looked at, and the base gets the kind of journal this file system wants, which
    one can give it only while nobody else has it open. JournalForeign, EngineUnavailable."""
    base = store.path
    with open_mutex:
        if is_open(base):
            return  # of this process too: settled by the first, and closing a handle of ours would drop its locks
        try:
            with base.open("rb") as file:
                found = file.read(_PAGE_HEAD)[VERSIONS_AT:][:2]
        except OSError:
            return
        if _left(base) and alone():
            demand_own(base)
    if found != versions(store.journal):
        _convert(store)


def _left(base: Path) -> bool:
    try:
        return base.with_name(base.name + "-wal").stat().st_size > 0
    except OSError:
        return False


def _convert(store: Store) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            store.release(store.connect())
            return
        except EngineUnavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def demand_own(base: Path) -> None:
    """JournalForeign. For a base nobody has open: reads the heads of both files and of the log's frames."""
    log = base.with_name(base.name + "-wal")
    try:
        with log.open("rb") as frames, base.open("rb") as file:
            said = _fault(file.read(_PAGE_HEAD), frames)
    except OSError:
        return  # gone, or not to be read: SQLite will say what there is to say
    if said is not None:
        raise JournalForeign(place=base, journal=log.name, detail=said)


def _fault(head: bytes, log: BinaryIO) -> Bilingual | None:
    size = os.fstat(log.fileno()).st_size
    start = log.read(_LOG_HEADER)
    if len(start) < _LOG_HEADER or len(head) < _PAGE_HEAD:
        return None
    magic, _, page_size = struct.unpack(">III", start[:12])
    if magic not in _MAGICS or size < _LOG_HEADER + _FRAME_HEADER + page_size:
        return None  # SQLite sees no log in it
    own_size = int.from_bytes(head[_PAGE_SIZE_AT : _PAGE_SIZE_AT + 2], "big")
    if page_size != (65536 if own_size == 1 else own_size):
        return Bilingual("страницы другого размера", "its pages have another size")
    salts = start[16:24]
    heads = list(_first_pages(log, size, page_size, salts))
    if head[VERSIONS_AT] == 1 and next(_frames(log, size, page_size, salts), None) is not None:
        return Bilingual("база не в режиме WAL", "the base is not in WAL mode")
    if any(_number(p, _APPLICATION_AT) != APPLICATION_ID for p in heads):
        return Bilingual("это журнал другой программы", "it is another application's")
    if any(heads and _number(head, at) > max(_number(p, at) for p in heads) for at in (_COUNTER_AT, _SCHEMA_AT)):
        return Bilingual("база новее журнала", "the base is newer than the journal")
    return None


def _number(head: bytes, at: int) -> int:
    return int.from_bytes(head[at : at + 4], "big")


def _frames(log: BinaryIO, size: int, page_size: int, salts: bytes) -> Iterator[tuple[int, int]]:
    """(page number, offset of its content) of the frames of this generation of the log."""
    step = _FRAME_HEADER + page_size
    for offset in range(_LOG_HEADER, size - step + 1, step):
        log.seek(offset)
        header = log.read(_FRAME_HEADER)
        if header[8:16] != salts:
            return
        yield int.from_bytes(header[:4], "big"), offset + _FRAME_HEADER


def _first_pages(log: BinaryIO, size: int, page_size: int, salts: bytes) -> Iterator[bytes]:
    for number, offset in _frames(log, size, page_size, salts):
        if number == 1:
            log.seek(offset)
            yield log.read(_PAGE_HEAD)
