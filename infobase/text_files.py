"""Text of files that other programs wrote: whatever its encoding, without guessing twice in different places."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

UTF8_BOM, UTF8, UTF16, CP1251 = "utf-8-bom", "utf-8", "utf-16", "cp1251"
"""Names `decode` gives to what it found."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text, and the encoding it was in. `damaged`: some bytes were no text at all and stand as U+FFFD."""

    text: str
    encoding: str
    damaged: bool = False


def decode(raw: bytes) -> Decoded:
    """By the byte order mark, else UTF-16 when every other byte is empty, else UTF-8, else cp1251. Never fails."""
    if raw.startswith(codecs.BOM_UTF8):
        return _tolerant(raw[3:], "utf-8", UTF8_BOM)
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _tolerant(raw, "utf-16", UTF16)
    if raw[1:2] == b"\0":
        return _tolerant(raw, "utf-16-le", UTF16)
    try:
        return Decoded(raw.decode("utf-8"), UTF8)
    except UnicodeDecodeError:
        return _tolerant(raw, "cp1251", CP1251)


def _tolerant(raw: bytes, codec: str, name: str) -> Decoded:
    try:
        return Decoded(raw.decode(codec), name)
    except UnicodeDecodeError:
        return Decoded(raw.decode(codec, "replace"), name, damaged=True)
