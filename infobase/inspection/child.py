"""The child process that lets `onec_dtools` at a file: `python -m infobase.inspection.child base|container|supply FILE`; JSON on standard output.

It imports nothing of the product. Its time and memory are limited, so a damaged file costs at most that.
"""

from __future__ import annotations

import io
import json
import re
import struct
import sys
import zlib
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO

MISSING = 97
"""Exit code when onec_dtools is not installed."""
SECONDS = 30
MEMORY = 1 << 30
_COUNTED_ROWS = 100_000
"""Tables with more records are not told apart into used and free ones."""
_UNPACKED = 16 << 20
_FILES = 10_000
_NAME = re.compile(r'\{0,0,[0-9a-f-]{36}\},"((?:[^"]|"")+)"')
_VERSION = re.compile(r'"(\d+(?:\.\d+){1,4})"')


def limit() -> None:
    try:
        import resource
    except ImportError:  # Windows: the parent's time limit remains
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))


# --- what a configuration says of itself ---


def configuration_of(part: Callable[[str], bytes | None]) -> dict[str, str]:
    """`part(name)`: a part's packed bytes. The part "root" names the main object, which begins with the name and tells the version."""
    root = unpacked(part("root"))
    found = re.search(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", root)
    if not found:
        return {}
    main = unpacked(part(found[0]))
    name, version = _NAME.search(main), _VERSION.search(main)
    made = {"configuration": name[1].replace('""', '"') if name else ""}
    return made | {"configuration_version": version[1] if version else ""}


def unpacked(packed: bytes | None) -> str:
    """Text of a part: raw deflate, or plain."""
    if not packed:
        return ""
    try:
        raw = zlib.decompressobj(-15).decompress(packed, _UNPACKED)
    except zlib.error:
        raw = packed[:_UNPACKED]
    return raw.decode("utf-8-sig", "replace")


# --- the three kinds ---


def base(file: BinaryIO) -> dict[str, Any]:
    from onec_dtools import DatabaseReader

    reader = DatabaseReader(file)
    tables = [(name, rows_of(table)) for name, table in reader.tables.items()]
    made = {"locale": reader.locale, "page_size": reader.page_size, "tables": tables}
    config = next((t for n, t in reader.tables.items() if n.upper() == "CONFIG"), None)
    return made | (configuration_of(lambda name: _row_of(config, name)) if config is not None else {})


def rows_of(table: Any) -> int | None:
    """Records in use; None where the table's length makes no sense."""
    try:
        count = len(table)
        if count > _COUNTED_ROWS:
            return count
        return sum(1 for row in _rows(table) if not row.is_empty)
    except (ValueError, IndexError, struct.error, BufferError, NotImplementedError):
        return None


def _rows(table: Any) -> Iterable[Any]:
    table._data_object.seek(0)
    rows: Iterable[Any] = iter(table)
    return rows


def _row_of(table: Any, name: str) -> bytes | None:
    for row in _rows(table):
        if not row.is_empty and row["FILENAME"] == name:
            return b"".join(chunk for chunk, _ in zip(row["BINARYDATA"], range(_UNPACKED // 256), strict=False))
    return None


def container(file: BinaryIO) -> dict[str, Any]:
    from onec_dtools import ContainerReader

    entries = ContainerReader(file).entries

    def part(name: str) -> bytes | None:
        found = entries.get(name)
        return b"".join(found.data) if found is not None and found.size <= _UNPACKED else None

    return {"entries": len(entries), **configuration_of(part)}


def supply(file: BinaryIO) -> dict[str, Any]:
    from onec_dtools import supply_reader

    raw = zlib.decompressobj(-15).decompress(file.read(_UNPACKED), _UNPACKED)
    head = io.BytesIO(raw)
    mark, languages = struct.unpack("II", head.read(8))
    if mark != 1 or languages > 100:
        return {"unrecognised": True}
    infos = [supply_reader.read_supply_info(head) for _ in range(languages)]
    (count,) = struct.unpack("I", head.read(4))
    if count > _FILES:
        raise ValueError(f"{count} files")
    files = [supply_reader.read_included_file_info(head) for _ in range(count)]
    name, vendor = (infos[0][1], infos[0][2]) if infos else ("", "")
    return {"name": name, "vendor": vendor, "files": [(f[0], f[2]) for f in files]}


KINDS: dict[str, Callable[[BinaryIO], dict[str, Any]]] = {"base": base, "container": container, "supply": supply}


def main() -> int:
    what, path = sys.argv[1:3]
    limit()
    try:
        import onec_dtools  # noqa: F401
    except ImportError:
        return MISSING
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            found = KINDS[what](file)
    except Exception as e:  # whatever a damaged file makes the library raise is what is told
        found = {"error": f"{type(e).__name__}: {e}"[:300]}
    sys.stdout.write(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
