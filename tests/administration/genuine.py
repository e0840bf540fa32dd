"""Small files in 1C's own formats, byte by byte: a 1CD of 8.3.8, a container (.cf), a supply package (.efd), a dump (.dt)."""

from __future__ import annotations

import io
import struct
import tempfile
import zlib
from pathlib import Path

PAGE = 4096
MAIN = "1fdf4f3a-2f14-4a10-9e4a-0b5d7c9a7d11"
ROOT_PART = f"{{2,{MAIN},}}"
MAIN_PART = (
    f'{{2,{{{MAIN}}},7,{{9cd510cd-abfc-11d4-9434-004095e12fc7,{{1,{{3,{{0,0,{MAIN}}},"Управление ""Х""",{{1,"ru","Имя"}},""}},'
    '"1С","","",{0},"3.0.10.5","http://x"}}}}'
)


def packed(text: str) -> bytes:
    squeezer = zlib.compressobj(wbits=-15)
    return squeezer.compress(text.encode("utf-8-sig")) + squeezer.flush()


PARTS = {"root": packed(ROOT_PART), MAIN: packed(MAIN_PART)}

# --- 1CD ---


class _Pages:
    """Pages of a 1CD under construction."""

    def __init__(self) -> None:
        self.pages: list[bytes] = [b"", b""]

    def add(self, content: bytes) -> int:
        self.pages.append(content.ljust(PAGE, b"\0"))
        return len(self.pages) - 1

    def fill(self, number: int, data: bytes) -> int:
        """An object of fat level 0 in page `number`, its data in pages of their own."""
        places = [self.add(data[at : at + PAGE]) for at in range(0, len(data), PAGE)]
        head = struct.pack("2sH3IQ", b"\x1c\xfd", 0, 0, 0, 0, len(data)) + struct.pack(f"{len(places)}I", *places)
        self.pages[number] = head.ljust(PAGE, b"\0")
        return number

    def object(self, data: bytes) -> int:
        return self.fill(self.add(b""), data)


class _Blobs:
    """Chunks of 256 bytes; the first is not used."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = [b"\0" * 256]

    def add(self, data: bytes) -> int:
        pieces = [data[at : at + 250] for at in range(0, len(data), 250)] or [b""]
        first = len(self.chunks)
        for n, piece in enumerate(pieces):
            following = first + n + 1 if n + 1 < len(pieces) else 0
            self.chunks.append(struct.pack("Ih250s", following, len(piece), piece))
        return first

    def bytes(self) -> bytes:
        return b"".join(self.chunks)


def _description(name: str, fields: str, places: tuple[int, int, int]) -> str:
    files = ",".join(map(str, places))
    return f'{{"{name}",0,\n{{"Fields",\n{fields}\n}},\n{{"Indexes"}},\n{{"Recordlock","0"}},\n{{"Files",{files}}}\n}}'


def base_1cd() -> bytes:
    """Two tables: CONFIG with the configuration, _REFERENCE47 with three records, one of them free."""
    pages = _Pages()
    root = pages.add(b"")
    assert root == 2
    blobs = _Blobs()
    rows = b""
    for name, data in PARTS.items():
        place = blobs.add(data)
        wide = name.encode("utf-16-le")
        rows += b"\0" + struct.pack("H", len(name)) + wide.ljust(256, b"\0") + struct.pack("2I", place, len(data))
    config = (pages.object(rows), pages.object(blobs.bytes()), 0)
    goods = (pages.object(b"".join(flag + b"x" * 16 for flag in (b"\0", b"\1", b"\0"))), 0, 0)
    described = [
        _description("CONFIG", '{"FILENAME","NVC",0,128,0,"CS"},\n{"BINARYDATA","I",0,0,0,"CS"}', config),
        _description("_REFERENCE47", '{"_IDRREF","B",0,16,0,"CS"}', goods),
    ]
    root_blobs = _Blobs()
    root_blobs.chunks.append(b"")  # the list of tables comes first, when the places of the others are known
    places = [root_blobs.add(d.encode()) for d in described]
    listing = struct.pack("32si", b"ru_RU", len(places)) + struct.pack(f"{len(places)}i", *places)
    root_blobs.chunks[1] = struct.pack("Ih250s", 0, len(listing), listing)
    pages.fill(root, root_blobs.bytes())
    pages.pages[0] = struct.pack("8s4bIiI", b"1CDBMSV8", 8, 3, 8, 0, len(pages.pages), 0, PAGE).ljust(PAGE, b"\0")
    pages.pages[1] = b"\0" * PAGE
    return b"".join(pages.pages)


# --- the others ---


def container(path: Path) -> Path:
    from onec_dtools import ContainerWriter

    with path.open("w+b") as file, ContainerWriter(file) as writer:
        for name, data in PARTS.items():
            with tempfile.TemporaryFile() as part:
                part.write(data)
                part.seek(0)
                writer.add_file(part, name)
    return path


def _string(text: str) -> bytes:
    return struct.pack("I", len(text)) + text.encode("utf-16-le")


def supply() -> bytes:
    out = io.BytesIO()
    out.write(struct.pack("III", 1, 1, 0))
    for text in ("ru", "Управление", "Фирма 1С", "ReadMe.txt"):
        out.write(_string(text))
    out.write(
        struct.pack("II", 1, 0) + _string("1c\\unf\\1Cv8.cf") + struct.pack("QII", 132000000000000000, 0, 5) + b"hello"
    )
    squeezer = zlib.compressobj(wbits=-15)
    return squeezer.compress(out.getvalue()) + squeezer.flush()


def dump() -> bytes:
    squeezer = zlib.compressobj(wbits=-15)
    head = b"Z\x11CompatibilityMode\x01\x0aCustomFlag\x12IndexCompatibility\x07UseMVCC"
    return b"1CIBDmpF3" + squeezer.compress(head + b"x" * 5000) + squeezer.flush()
