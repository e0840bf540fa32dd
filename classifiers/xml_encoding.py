"""The encoding an XML is really in. Files come without a declaration and in windows-1251, or declare what they are not.

What a declaration says holds as long as the text reads sensibly that way. Else the file is read in the only encoding in which it does: with a byte
order mark in that one, UTF-8 where all of it is UTF-8, windows-1251 or cp866 where the letters stand as often as they do in Russian. Where that leaves
no single answer, it is an error: never a guess. (KOI8-R is weighed as well, so that it is not taken for windows-1251; nothing is published in it.)
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Generator
from contextlib import closing
from itertools import pairwise

from classifiers.reading import SECOND_HALVES
from classifiers.source import Member, refused
from infobase.errors import ClassifierInvalid

SAMPLE_BYTES = 1024 * 1024
"""How much of a file tells its encoding."""
JUDGED_LETTERS = 8
"""Fewer do not tell one-byte encodings apart."""
SENSIBLE, AHEAD = 0.5, 0.15
"""Share of frequent letters of a text that is one, and by how much it must be ahead of other readings of the same bytes."""
ONE_BYTE = ("cp1251", "cp866", "koi8-r")
_FREQUENT = frozenset("оеаинтсрвлкмдпу")
"""Four of five letters of a Russian text."""
_DECLARATION = re.compile(r"""\A\ufeff?\s*<\?xml\b[^>]*?\?>""")
_DECLARED = re.compile(rb"""\A(?:\xef\xbb\xbf)?\s*<\?xml\b[^>]*?\bencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_WHOLE = re.compile(
    rb"""<\?xml\s+version\s*=\s*(["'])1\.\d\1(\s+encoding\s*=\s*(["'])[A-Za-z][\w.-]*\3)?(\s+standalone\s*=\s*["'](yes|no)["'])?\s*\?>"""
)
"""A declaration as it must be; a broken one is named by the parser."""
_KNOWN = ("utf-8", "cp", "iso8859", "koi8", "mac", "ascii")
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

Told = Callable[[str, str], None]
"""Called with (what the declaration says, "" for nothing; the encoding the file is read in) when they differ."""


def xml_chunks(member: Member, limit: int, told: Told) -> Generator[bytes, None, None]:
    """The content by chunks: as it lies when its declaration is true, else in UTF-8 without a declaration. ClassifierInvalid."""
    sample = _sample(member, limit)
    encoding = true_encoding(member, sample)
    if not encoding:
        yield from member.chunks(limit)
        return
    told(declared_encoding(sample), encoding)
    yield from _recoded(member, encoding, limit)


def declared_encoding(sample: bytes) -> str:
    """What the XML declaration says, "" for nothing or where it is not in one-byte letters."""
    if sample.startswith(_WIDE):
        text = sample[:512].decode("utf-16", "ignore").lstrip("\ufeff").encode("ascii", "ignore")
        found = _DECLARED.match(text)
    else:
        found = _DECLARED.match(sample)
    return found[1].decode().lower() if found else ""


def true_encoding(member: Member, sample: bytes) -> str:
    """The encoding to read a file in, "" when that is the declared one, UTF-8 by default, or the parser's to complain of. ClassifierInvalid
    when it cannot be told."""
    declared = declared_encoding(sample)
    if sample.startswith(_WIDE):
        return "" if not declared or _is_wide(declared) else "utf-16"
    if sample.startswith(codecs.BOM_UTF8):
        return "" if _name(declared) in ("", "utf-8") else "utf-8"
    if sample.startswith((b"<\0", b"\0<")) or (sample.lstrip().startswith(b"<?xml") and not _WHOLE.match(sample)):
        return ""
    if _is_wide(declared):
        return ("" if sample.isascii() else _by_letters(member, sample, "")) or "utf-8"
    known = not declared or _name(declared).startswith(_KNOWN)
    return _by_letters(member, sample, declared) if known and not sample.isascii() else ""


def _by_letters(member: Member, sample: bytes, declared: str) -> str:
    own = _name(declared) or "utf-8"
    readings = {e: text for e in (own, "utf-8", *ONE_BYTE) if (text := _letters(sample, e)) is not None}
    if own == "utf-8" and own in readings:
        return ""
    scores = sorted(((sensible(text), encoding) for encoding, text in readings.items()), reverse=True)
    best, encoding = scores[0]
    if encoding == own:
        return ""
    others = [score for score, other in scores if other != encoding and (not declared or other == own)]
    enough = encoding == "utf-8" or len(readings[encoding]) >= JUDGED_LETTERS
    ahead = enough and best >= SENSIBLE and best - max(others, default=0.0) >= AHEAD
    if declared and own in readings and not ahead:
        return ""
    if ahead and encoding != "koi8-r":
        return encoding
    raise _untold(member, sample)


def sensible(letters: str) -> float:
    """How well letters outside ASCII read as Russian: the share of the frequent ones, less that of pairs UTF-8 turns into in windows-1251."""
    if not letters:
        return 0.0
    frequent = sum(letters.casefold().count(c) for c in _FREQUENT)
    pairs = sum(a in "РС" and b in SECOND_HALVES for a, b in pairwise(letters))
    return (frequent - 2 * pairs) / len(letters)


def _letters(sample: bytes, encoding: str) -> str | None:
    """Everything outside ASCII, None when the bytes are not in that encoding. The last letter may be cut."""
    try:
        text = codecs.getincrementaldecoder(encoding)("strict").decode(sample, final=False)
    except UnicodeDecodeError:
        return None
    return re.sub(r"[\x00-\x7f]+", "", text)


def _sample(member: Member, limit: int) -> bytes:
    made = b""
    with closing(member.chunks(limit)) as chunks:
        for chunk in chunks:
            made += chunk
            if len(made) >= SAMPLE_BYTES:
                break
    return made


def _recoded(member: Member, encoding: str, limit: int) -> Generator[bytes, None, None]:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    first, lines = True, 1
    with closing(member.chunks(limit)) as chunks:
        for chunk in chunks:
            try:
                text = decoder.decode(chunk)
            except UnicodeDecodeError as error:
                line = lines + chunk[: error.start].count(b"\n")
                ru, en = (
                    f"строка {line}: байты не в кодировке {encoding}",
                    f"line {line}: bytes that are not {encoding}",
                )
                raise refused(member.place, ru, en) from error
            lines += text.count("\n")
            yield (_DECLARATION.sub("", text) if first else text).encode()
            first = False


def _untold(member: Member, sample: bytes) -> ClassifierInvalid:
    at = next(i for i, byte in enumerate(sample) if byte >= 0x80)
    line = sample.count(b"\n", 0, at) + 1
    column = at - (sample.rfind(b"\n", 0, at) + 1) + 1
    ru = f"строка {line}, символ {column}: кодировка файла не указана или указана неверно, и по буквам её не определить"
    en = f"line {line}, column {column}: the code page of the file is not stated, or wrongly, and its letters do not tell it"
    return refused(member.place, ru, en)


def _name(encoding: str) -> str:
    """The usual name of an encoding, "" for one nobody knows."""
    try:
        return codecs.lookup(encoding).name if encoding else ""
    except LookupError:
        return ""


def _is_wide(encoding: str) -> bool:
    return _name(encoding).startswith(("utf-16", "utf-32"))
