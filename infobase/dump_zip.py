"""A strict reader of the dump's zip: every byte of the file must be what the writer writes.

Members lie one after another without gaps, then the directory, then the end; names are those of a dump, nothing is compressed or encrypted,
local headers agree with the directory. So nothing hides between members, no name leads out of the folder, no two members share bytes,
and a changed bit anywhere is noticed.
"""

from __future__ import annotations

import re
import stat
import struct
from dataclasses import dataclass
from zipfile import ZipInfo

from infobase.dump_crypto import Source
from infobase.dump_format import MAX_DOCUMENT, MAX_MEMBERS, Refused

_NAME = re.compile(rb"manifest\.json|configuration\.json|data/[a-z][a-z0-9_]{0,62}\.arrow")
_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2B2x2L4Q")
_ENTRY = struct.Struct("<4s4B4H3L5H2L")
_LOCAL = struct.Struct("<4s2B4H3L2H")
_LOCAL_EXTRA = struct.Struct("<2H2Q")
_DESCRIPTOR = struct.Struct("<4sL2Q")
_END_SIGN, _LOCATOR_SIGN, _END64_SIGN = b"PK\x05\x06", b"PK\x06\x07", b"PK\x06\x06"
_ENTRY_SIGN, _LOCAL_SIGN, _DESCRIPTOR_SIGN = b"PK\x01\x02", b"PK\x03\x04", b"PK\x07\x08"
_STREAMED = 0x08
"""Flag: sizes follow the data, as they must where the writer cannot go back (encrypted dumps)."""
_UNIX = 3
_VERSIONS = (20, 45)
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_DATE = (1980, 1, 1, 0, 0, 0)
_DOS_DATE = 0x21
_ATTRIBUTES = (stat.S_IFREG | 0o600) << 16


def member_info(name: str) -> ZipInfo:
    """How the writer describes a member: the same for every dump, so that equal content gives equal bytes."""
    made = ZipInfo(name, _DATE)
    made.create_system = _UNIX
    made.external_attr = _ATTRIBUTES
    return made


@dataclass(frozen=True, slots=True)
class Member:
    """Where a member's bytes lie in the container."""

    name: str
    start: int
    size: int
    crc: int


@dataclass(frozen=True, slots=True)
class _Entry:
    name: bytes
    flags: int
    extract_version: int
    crc: int
    size: int
    offset: int


def _demand(condition: bool, ru: str, en: str) -> None:
    if not condition:
        raise Refused(ru, en)


def read_members(source: Source) -> dict[str, Member]:
    """Every member by name. Refused when the file is not exactly a container of this format."""
    count, start, size = _end_of(source)
    _demand(count <= MAX_MEMBERS and size <= MAX_DOCUMENT, "слишком большое оглавление", "the directory is too large")
    entries = _directory(source.read_at(start, size), count)
    members: dict[str, Member] = {}
    position = 0
    for entry in entries:
        _demand(entry.offset == position, "в архиве лишние байты", "stray bytes in the archive")
        member, position = _member(source, entry)
        _demand(member.name not in members, f"член {member.name} повторяется", f"member {member.name} is repeated")
        members[member.name] = member
    _demand(position == start, "в архиве лишние байты", "stray bytes in the archive")
    return members


def _end_of(source: Source) -> tuple[int, int, int]:
    """(number of members, where the directory begins, its size)."""
    _demand(source.size >= _END.size, "файл обрывается", "the file ends too early")
    at = source.size - _END.size
    sign, *disks, here, count, size, start, comment = _END.unpack(source.read_at(at, _END.size))
    _demand(sign == _END_SIGN, "это не архив zip или он обрезан", "not a zip archive, or a cut one")
    _demand(disks == [0, 0] and here == count and not comment, "недопустимый конец архива", "bad end of the archive")
    locator_at = at - _END64_LOCATOR.size
    if locator_at >= 0 and source.read_at(locator_at, 4) == _LOCATOR_SIGN:
        at, (count64, start64, size64) = _end64_of(source, locator_at)
        short = (min(count64, _FULL16), min(start64, _FULL32), min(size64, _FULL32))
        _demand((count, start, size) == short, "недопустимый конец архива", "bad end of the archive")
        count, start, size = count64, start64, size64
    _demand(start + size == at, "недопустимый конец архива", "bad end of the archive")
    return count, start, size


def _end64_of(source: Source, locator_at: int) -> tuple[int, tuple[int, int, int]]:
    _, disk, at, disks = _END64_LOCATOR.unpack(source.read_at(locator_at, _END64_LOCATOR.size))
    good = disk == 0 and disks == 1 and at + _END64.size == locator_at
    _demand(good, "недопустимый конец архива", "bad end of the archive")
    record = _END64.unpack(source.read_at(at, _END64.size))
    sign, length, made_by, needed, disk, start_disk, here, count, size, start = record
    good = sign == _END64_SIGN and length == _END64.size - 12 and (made_by, needed) == (45, 45)
    good = good and disk == start_disk == 0 and here == count
    _demand(good, "недопустимый конец архива", "bad end of the archive")
    return at, (count, start, size)


def _directory(data: bytes, count: int) -> list[_Entry]:
    made = []
    position = 0
    for _ in range(count):
        entry, position = _entry(data, position)
        made.append(entry)
    _demand(position == len(data), "лишние байты в оглавлении", "stray bytes in the directory")
    return made


def _entry(data: bytes, position: int) -> tuple[_Entry, int]:
    fields = _ENTRY.unpack_from(data, position)
    sign, made_by, system, needed, reserved, flags, method, time, date, crc, packed, size, *rest = fields
    name_size, extra_size, comment_size, disk, inner, outer, offset = rest
    position += _ENTRY.size
    name = data[position : position + name_size]
    position += name_size
    extra = data[position : position + extra_size]
    _demand(sign == _ENTRY_SIGN, "недопустимое оглавление", "bad directory")
    _demand(
        _NAME.fullmatch(name) is not None, f"недопустимое имя члена {name[:80]!r}", f"bad member name {name[:80]!r}"
    )
    plain = method == 0 and flags in (0, _STREAMED)
    _demand(plain, "сжатый или зашифрованный член архива", "a compressed or encrypted member")
    _demand(outer == _ATTRIBUTES, "член архива - не обычный файл", "a member is not a regular file")
    fixed = (system, reserved, time, date, comment_size, disk, inner) == (_UNIX, 0, 0, _DOS_DATE, 0, 0, 0)
    _demand(fixed and made_by in _VERSIONS and needed in _VERSIONS, "недопустимое оглавление", "bad directory")
    size, packed, offset = _wide(extra, size, packed, offset)
    _demand(size == packed, "размеры члена не сходятся", "sizes of a member disagree")
    return _Entry(name, flags, needed, crc, size, offset), position + extra_size


def _wide(extra: bytes, *numbers: int) -> tuple[int, ...]:
    """The numbers with those that say "see the zip64 field" taken from it."""
    wide = sum(n == _FULL32 for n in numbers)
    expected = 4 + 8 * wide if wide else 0
    _demand(len(extra) == expected, "недопустимое поле zip64", "bad zip64 field")
    if not wide:
        return numbers
    head, values = struct.unpack_from("<2H", extra), list(struct.unpack_from(f"<{wide}Q", extra, 4))
    _demand(head == (1, 8 * wide), "недопустимое поле zip64", "bad zip64 field")
    return tuple(values.pop(0) if n == _FULL32 else n for n in numbers)


def _member(source: Source, entry: _Entry) -> tuple[Member, int]:
    """The member, and where the next one must begin."""
    streamed = entry.flags == _STREAMED
    crc, size = (0, 0) if streamed else (entry.crc, entry.size)
    header = _LOCAL.pack(
        _LOCAL_SIGN,
        entry.extract_version,
        0,
        entry.flags,
        0,
        0,
        _DOS_DATE,
        crc,
        _FULL32,
        _FULL32,
        len(entry.name),
        _LOCAL_EXTRA.size,
    )
    expected = header + entry.name + _LOCAL_EXTRA.pack(1, 16, size, size)
    found = source.read_at(entry.offset, len(expected))
    _demand(
        found == expected, "заголовок члена не сходится с оглавлением", "a member's header disagrees with the directory"
    )
    start = entry.offset + len(expected)
    end = start + entry.size
    if streamed:
        tail = _DESCRIPTOR.pack(_DESCRIPTOR_SIGN, entry.crc, entry.size, entry.size)
        _demand(source.read_at(end, len(tail)) == tail, "размеры члена не сходятся", "sizes of a member disagree")
        end += len(tail)
    return Member(entry.name.decode("ascii"), start, entry.size, entry.crc), end
