"""The password form of a dump: the container in authenticated chunks, readable at any place.

    "INFOBDT1" | log2(N) | salt (16) | nonce prefix (7) | tag of this header (16)
    chunk, chunk, ... : AES-256-GCM, 256 KiB of plain bytes and a 16-byte tag each, the last one shorter

Keys: scrypt(password, salt, N, r=8, p=1) gives 64 bytes, one half for the chunks, the other for the header's HMAC-SHA256, so that a wrong
password is told from damage. Nonce of a chunk: prefix, its number (4 bytes), 1 for the last chunk else 0; the header is the associated
data. A chunk moved, repeated, cut off or taken from another dump does not open.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
import threading
from collections import OrderedDict
from pathlib import Path
from typing import BinaryIO, Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from infobase.dump_format import Refused
from infobase.errors import DumpEncrypted

MAGIC = b"INFOBDT1"
CHUNK = 256 * 1024
TAG = 16
LOG_N = 16
"""64 MiB and about 0.2 s per guess."""
ACCEPTED_LOG_N = range(14, 19)
KEPT_CHUNKS = 4
_HEADER = struct.Struct("<8sB16s7s")
HEADER_BYTES = _HEADER.size + TAG


class Source(Protocol):
    """The container's plain bytes at any place; safe to use from several threads."""

    size: int

    def read_at(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes; EOFError when there are fewer."""


class FileSource:
    """An open file as it is."""

    def __init__(self, handle: BinaryIO) -> None:
        self._handle = handle
        self._lock = threading.Lock()
        self.size = handle.seek(0, 2)

    def read_at(self, offset: int, length: int) -> bytes:
        if offset < 0 or length < 0 or offset + length > self.size:
            raise Refused("файл обрывается", "the file ends too early")
        with self._lock:
            self._handle.seek(offset)
            data = self._handle.read(length)
        if len(data) != length:
            raise Refused("файл обрывается", "the file ends too early")
        return data


def _keys(password: str, salt: bytes, log_n: int) -> tuple[bytes, bytes]:
    n = 1 << log_n
    made = hashlib.scrypt(password.encode(), salt=salt, n=n, r=8, p=1, maxmem=256 * n * 8, dklen=64)
    return made[:32], made[32:]


def _header_tag(key: bytes, head: bytes) -> bytes:
    return hmac.digest(key, head, "sha256")[:TAG]


def _nonce(prefix: bytes, number: int, last: bool) -> bytes:
    return prefix + struct.pack(">IB", number, last)


class EncryptingWriter:
    """A file to write to, once, from the beginning; `finish` writes the last chunk."""

    def __init__(self, target: BinaryIO, password: str) -> None:
        salt, self._prefix = secrets.token_bytes(16), secrets.token_bytes(7)
        head = _HEADER.pack(MAGIC, LOG_N, salt, self._prefix)
        key, header_key = _keys(password, salt, LOG_N)
        self._header = head + _header_tag(header_key, head)
        self._cipher = AESGCM(key)
        self._target = target
        self._pending = bytearray()
        self._number = 0
        self._position = 0
        target.write(self._header)

    def write(self, data: bytes | memoryview) -> int:
        view = memoryview(data).cast("B")
        self._pending += view
        self._position += len(view)
        # A full chunk waits until more comes: it may be the last.
        while len(self._pending) > CHUNK:
            self._seal(bytes(self._pending[:CHUNK]), last=False)
            del self._pending[:CHUNK]
        return len(view)

    def flush(self) -> None:
        """Nothing: chunks leave when they are full."""

    def finish(self) -> None:
        self._seal(bytes(self._pending), last=True)
        self._pending.clear()

    def _seal(self, data: bytes, *, last: bool) -> None:
        self._target.write(self._cipher.encrypt(_nonce(self._prefix, self._number, last), data, self._header))
        self._number += 1


class DecryptingSource:
    """The plain bytes of an encrypted file. DumpEncrypted for a wrong password; a damaged chunk raises InvalidTag."""

    def __init__(self, source: Source, password: str | None, place: Path) -> None:
        if source.size < HEADER_BYTES + TAG:
            raise Refused("файл обрывается", "the file ends too early")
        self._header = source.read_at(0, HEADER_BYTES)
        head, tag = self._header[: _HEADER.size], self._header[_HEADER.size :]
        _, log_n, salt, self._prefix = _HEADER.unpack(head)
        if password is None or log_n not in ACCEPTED_LOG_N:
            raise DumpEncrypted(place=place)
        key, header_key = _keys(password, salt, log_n)
        if not hmac.compare_digest(_header_tag(header_key, head), tag):
            raise DumpEncrypted(place=place)
        self._cipher = AESGCM(key)
        self._source = source
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        body = source.size - HEADER_BYTES
        self._count = -(-body // (CHUNK + TAG))
        self.size = body - self._count * TAG

    def read_at(self, offset: int, length: int) -> bytes:
        if offset < 0 or length < 0 or offset + length > self.size:
            raise Refused("файл обрывается", "the file ends too early")
        first, last = offset // CHUNK, (offset + max(length, 1) - 1) // CHUNK
        data = b"".join(self._chunk(number) for number in range(first, last + 1))
        start = offset - first * CHUNK
        return data[start : start + length]

    def _chunk(self, number: int) -> bytes:
        with self._lock:
            found = self._kept.get(number)
        if found is not None:
            return found
        start = number * (CHUNK + TAG)
        length = min(CHUNK + TAG, self._source.size - HEADER_BYTES - start)
        sealed = self._source.read_at(HEADER_BYTES + start, length)
        plain = self._cipher.decrypt(_nonce(self._prefix, number, number == self._count - 1), sealed, self._header)
        with self._lock:
            self._kept[number] = plain
            if len(self._kept) > KEPT_CHUNKS:
                self._kept.popitem(last=False)
        return plain
