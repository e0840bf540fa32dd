"""Changes that keep the shape of a format, so that they reach what reads it and not only what tells it from rubbish.

Each takes good data, other good data of the same reader and a random source, and gives changed bytes.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Any

from infobase.dump_zip import member_info

Mutation = Callable[[bytes, bytes, Random], bytes]

TOKENS = (
    *(
        b"",
        b"\0",
        b"\xff",
        b"\r\n",
        b'"',
        b"'",
        b"<",
        b"&",
        b";",
        b"=",
        b"(",
        b")",
        b"[",
        b"{",
        b"%",
        b"\\",
        b"..",
        b"/",
    ),
    *(
        b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
        b"&b;",
        b"9" * 400,
        b"-1",
        b"1e999",
        b"\xd0\xb0" * 50,
        b"((((" * 200,
        b" and " * 100,
    ),
)
_ODD = ("", "\0", "\ud800", "\u202e", "٣", "９", "²", "a" * 5000, "й" * 300, "1e999999999999999999", "NaN", "Infinity")
_ODD += (
    "0x10",
    "-0",
    "1" * 5000,
    "2026-02-30",
    "0000-00-00",
    "9999-12-31T23:59:59",
    "null",
    "../../x",
    "%00",
    "{0.__class__}",
)
_ODD += (
    "'",
    '"',
    "--",
    "(" * 300,
    ")" * 3,
    "[" * 2000,
    "{" * 300,
    "not " * 400,
    "-" * 400,
    "1 and " * 300,
    "\t",
    "\u00a0",
    "😀",
)
_ODD_JSON: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1 << 31, 1 << 63, -(1 << 63), 10**400, 0.5, 1e308, float("inf"), float("nan")),
    *([], {}, [[]], "", [None], {"": None}, *_ODD),
)
_NUMBERS = (
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    (1 << 63) - 1,
    (1 << 64) - 1,
)


def scattered(data: bytes, other: bytes, random: Random) -> bytes:
    """One to four random changes of bytes."""
    made = bytearray(data)
    for _ in range(random.randrange(1, 5)):
        at = random.randrange(len(made) + 1)
        match random.randrange(7):
            case 0 if made:
                made[at % len(made)] ^= 1 << random.randrange(8)
            case 1:
                del made[at:]
            case 2:
                del made[at : at + random.randrange(1, 64)]
            case 3:
                made[at:at] = random.choice(TOKENS)
            case 4:
                piece = bytes(made[at : at + random.randrange(1, 200)])
                made[at:at] = piece * random.randrange(1, 4)
            case 5 if other:
                start = random.randrange(len(other))
                made[at : at + 32] = other[start : start + random.randrange(1, 200)]
            case _ if made:
                made[at % len(made)] = random.randrange(256)
    return bytes(made)


def numbers(data: bytes, _: bytes, random: Random) -> bytes:
    """Fields of 1, 2, 4 and 8 bytes get extreme values, in either byte order; the head of the file more often."""
    made = bytearray(data)
    for _n in range(random.randrange(1, 4)):
        width = random.choice((1, 2, 4, 8))
        if len(made) < width:
            break
        last = len(made) - width
        at = random.randrange(min(last, 256) + 1) if random.random() < 0.6 else random.randrange(last + 1)
        value = random.choice(_NUMBERS) & ((1 << 8 * width) - 1)
        made[at : at + width] = value.to_bytes(width, random.choice(("little", "big")))  # type: ignore[arg-type]
    return bytes(made)


_WORDS = re.compile(r"\w+|\s+|[^\w\s]")


def words(data: bytes, other: bytes, random: Random) -> bytes:
    """Words and signs of a text are dropped, doubled, swapped, replaced by odd ones or by words of another text."""
    parts, theirs = (_WORDS.findall(d.decode("utf-8", "replace")) for d in (data, other))
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(len(parts) + 1)
        match random.randrange(6):
            case 0:
                del parts[at : at + random.randrange(1, 4)]
            case 1:
                parts[at:at] = parts[max(0, at - random.randrange(1, 8)) : at] * random.choice((1, 2, 300))
            case 2 if parts:
                one = random.randrange(len(parts))
                parts[one], parts[at % len(parts)] = parts[at % len(parts)], parts[one]
            case 3 if theirs:
                start = random.randrange(len(theirs))
                parts[at : at + 1] = theirs[start : start + random.randrange(1, 10)]
            case 4:
                parts[at : at + 1] = [random.choice(_ODD)]
            case _:
                parts.insert(at, random.choice(_ODD))
    return "".join(parts).encode("utf-8", "surrogatepass")


def lines(data: bytes, other: bytes, random: Random) -> bytes:
    """Lines are dropped, doubled, moved, taken from another text; what follows a sign of equality is replaced."""
    parts, theirs = data.splitlines(keepends=True), other.splitlines(keepends=True)
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(len(parts) + 1)
        match random.randrange(5):
            case 0:
                del parts[at : at + 1]
            case 1:
                parts[at:at] = parts[at : at + random.randrange(1, 4)] * random.choice((1, 3, 200))
            case 2 if parts:
                parts.insert(at, parts.pop(random.randrange(len(parts))))
            case 3 if theirs:
                parts.insert(at, random.choice(theirs))
            case _ if parts:
                name, mark, _value = parts[at % len(parts)].partition(b"=")
                odd = random.choice(_ODD).encode("utf-8", "surrogatepass")
                parts[at % len(parts)] = name + mark + (odd if mark else b"=" + odd) + b"\n"
    return b"".join(parts)


# --- JSON ---


def json_nodes(data: bytes, other: bytes, random: Random) -> bytes:
    """Values of the tree get other types, odd values and values of another tree; keys are dropped, doubled and renamed."""
    try:
        tree, theirs = json.loads(data), json.loads(other)
        for _ in range(random.randrange(1, 4)):
            tree = _changed(tree, theirs, random)
    except (ValueError, RecursionError):  # no JSON, or too deep already
        return scattered(data, other, random)
    try:
        made = json.dumps(tree, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")
    except (RecursionError, ValueError):  # it was deep already
        return scattered(data, other, random)
    if random.random() < 0.03:
        deep = random.choice((60, 1000, 100_000))
        return b"[" * deep + made + b"]" * deep
    return made


def _changed(tree: Any, theirs: Any, random: Random) -> Any:
    places = list(_places(tree))
    if not places:
        return random.choice(_ODD_JSON)
    holder, key = random.choice(places)
    match random.randrange(7):
        case 0:
            del holder[key]
        case 1:
            holder[key] = random.choice([*_values(theirs), *_values(tree)])
        case 2:
            holder[key] = _deep(holder[key], random.choice((1, 3, 30)), random)
        case 3 if isinstance(holder, dict):
            holder[random.choice(_ODD)] = holder.pop(key)
        case 4 if isinstance(holder, list):
            holder[key:key] = [holder[key]] * random.choice((1, 2, 300))
        case 5 if isinstance(holder[key], str):
            holder[key] = words(holder[key].encode("utf-8", "replace"), b"", random).decode("utf-8", "replace")
        case _:
            holder[key] = random.choice(_ODD_JSON)
    return tree


_MOST_PLACES = 20_000
"""What is doubled again and again would have more than memory has."""


def _places(tree: Any) -> list[tuple[Any, Any]]:
    found, todo = [], [tree]
    while todo and len(found) < _MOST_PLACES:
        holder = todo.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        for key in keys:
            found.append((holder, key))
            todo.append(holder[key])
    return found


def _values(tree: Any) -> list[Any]:
    places = _places(tree)
    few = places[:50] if len(places) < _MOST_PLACES else []
    return [None, *(copy.deepcopy(holder[key]) for holder, key in few)]


def _deep(value: Any, times: int, random: Random) -> Any:
    for _ in range(times):
        value = [value] if random.random() < 0.5 else {"a": value}
    return value


# --- XML ---

_TAGS = re.compile(rb"<[^<>]*>|[^<>]+")
_ATTRIBUTE = re.compile(rb'(\s[\w:.-]+=")([^"]*)(")')
_ODD_XML = (
    *(
        b"<a>" * 300,
        b"<a>" * 300 + b"</a>" * 300,
        b"<![CDATA[x]]>",
        b"<?x y?>",
        b"<!--x-->",
        b"&#0;",
        b"&#x10ffff;",
        b"&lt;" * 50,
    ),
    *(b'<!DOCTYPE a [<!ENTITY b "c">]>', b'<a xmlns="urn:x"/>', b"\xef\xbb\xbf", b"&unknown;", b"\x01"),
)


def xml_tags(data: bytes, other: bytes, random: Random) -> bytes:
    """Tags and texts are dropped, doubled, swapped, taken from another document; attributes are renamed and given odd values."""
    parts, theirs = _TAGS.findall(data), _TAGS.findall(other)
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(len(parts) + 1)
        match random.randrange(7):
            case 0:
                del parts[at : at + random.randrange(1, 4)]
            case 1:
                parts[at:at] = parts[at : at + random.randrange(1, 6)] * random.choice((1, 2, 200))
            case 2 if parts:
                one = random.randrange(len(parts))
                parts[one], parts[at % len(parts)] = parts[at % len(parts)], parts[one]
            case 3 if theirs:
                start = random.randrange(len(theirs))
                parts[at:at] = theirs[start : start + random.randrange(1, 6)]
            case 4:
                parts.insert(at, random.choice(_ODD_XML))
            case _ if parts:
                parts[at % len(parts)] = _dressed(parts[at % len(parts)], random)
    return b"".join(parts)


def _dressed(part: bytes, random: Random) -> bytes:
    found = list(_ATTRIBUTE.finditer(part))
    odd = random.choice(_ODD).encode("utf-8", "replace").replace(b"<", b"&lt;").replace(b'"', b"&quot;")
    if not found:
        return part if part.startswith(b"<") else odd
    one = random.choice(found)
    match random.randrange(3):
        case 0:
            return part[: one.start()] + part[one.end() :]
        case 1:
            return part[: one.end()] + one[0] + part[one.end() :]
        case _:
            return part[: one.start(2)] + odd + part[one.end(2) :]


# --- archives ---


def inside_zip(*, inner: Sequence[tuple[str, Mutation]] = ()) -> Mutation:
    """Members of a zip are changed by the mutation of the first suffix that fits, renamed, dropped, doubled; its sizes are made to lie."""

    def mutate(data: bytes, other: bytes, random: Random) -> bytes:
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as source:
                members = [(i.filename, i.compress_type, source.read(i)) for i in source.infolist()]
        except (zipfile.BadZipFile, NotImplementedError, zlib.error, EOFError, OSError, RuntimeError, ValueError):
            return scattered(data, other, random)
        if not members:
            return scattered(data, other, random)
        at = random.randrange(len(members))
        name, how, content = members[at]
        match random.randrange(8):
            case 0:
                members[at] = (
                    random.choice((*_ODD[:2], "../x", "a/" * 40, "C:\\x", name + "/", name.upper())) or "x",
                    how,
                    content,
                )
            case 1:
                del members[at]
            case 2:
                members.insert(at, members[at])
            case _:
                change = next((m for suffix, m in inner if name.endswith(suffix)), scattered)
                members[at] = (name, how, change(content, content, random))
        made = zipped(members)
        return _lying(made, random) if random.random() < 0.2 else made

    return mutate


def zipped(members: Sequence[tuple[str, int, bytes]]) -> bytes:
    """An archive of (name, way of packing, content)."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as target:
        for name, how, content in members:
            info = zipfile.ZipInfo(name.replace("\0", "_"), (2026, 1, 1, 0, 0, 0))
            info.compress_type = how if how in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) else zipfile.ZIP_STORED
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a name twice is what is wanted
                target.writestr(info, content)
    return made.getvalue()


def _lying(data: bytes, random: Random) -> bytes:
    """A field of a header of the archive is another than it was."""
    heads = [m.start() for m in re.finditer(rb"PK\x01\x02|PK\x03\x04|PK\x05\x06", data)]
    if not heads:
        return data
    at = random.choice(heads) + random.randrange(4, 40)
    return (
        data[:at] + struct.pack("<I", random.choice(_NUMBERS) & 0xFFFFFFFF)[: max(0, len(data) - at)] + data[at + 4 :]
    )


def packed_again(inner: Mutation, unpack: Callable[[bytes], bytes], pack: Callable[[bytes], bytes]) -> Mutation:
    """What is inside a packing is changed, and packed again."""

    def mutate(data: bytes, other: bytes, random: Random) -> bytes:
        try:
            plain = unpack(data)
        except Exception:  # a kept input that was packed wrongly
            return scattered(data, other, random)
        return pack(inner(plain, plain, random))

    return mutate


def dump_parts(data: bytes, other: bytes, random: Random) -> bytes:
    """A member of a dump is changed and the digests of the manifest are made to fit, as someone who means harm would."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as source:
            members = [(i.filename, source.read(i)) for i in source.infolist()]
        manifest = json.loads(dict(members)["manifest.json"])
    except (zipfile.BadZipFile, KeyError, ValueError, RecursionError, OSError, NotImplementedError, RuntimeError):
        return scattered(data, other, random)
    made = dict(members)
    name = random.choice(list(made))
    change = json_nodes if name.endswith(".json") else random.choice((numbers, scattered))
    made[name] = change(made[name], made[name], random)
    if name != "manifest.json":
        with suppress(KeyError, TypeError, AttributeError):
            _fit(manifest, name, made[name])
        made["manifest.json"] = json.dumps(manifest, ensure_ascii=False).encode()
    return _dumped(made)


def _dumped(members: dict[str, bytes]) -> bytes:
    """The container as the product writes it."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in members.items():
            with archive.open(member_info(name), "w", force_zip64=True) as target:
                target.write(content)
    return made.getvalue()


def _fit(manifest: Any, name: str, content: bytes) -> None:
    digest = hashlib.sha256(content).hexdigest()
    if name == "configuration.json":
        manifest["configuration"] |= {"bytes": len(content), "sha256": digest, "digest": digest}
    for table in manifest["tables"]:
        if table.get("member") == name:
            table |= {"bytes": len(content), "sha256": digest}
