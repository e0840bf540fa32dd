"""Writing DBF tables, for the demo, the tests and the benchmarks: character fields only, as in the published classifiers."""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

FLUSH_RECORDS = 20_000


def write_dbf(
    path: Path, fields: Mapping[str, int], rows: Iterable[Sequence[str]], date: dt.date, encoding: str = "cp866"
) -> int:
    """A dBASE III table of character fields (name -> width); the number of records. Longer values are cut. `date`: of the last update."""
    widths = tuple(fields.values())
    count = 0
    with path.open("wb") as file:
        file.write(header_bytes(fields, 0, date))
        pending: list[str] = []
        for row in rows:
            pending.append(" " + "".join(v[:w].ljust(w) for v, w in zip(row, widths, strict=True)))
            count += 1
            if len(pending) == FLUSH_RECORDS:
                file.write("".join(pending).encode(encoding))
                pending.clear()
        file.write("".join(pending).encode(encoding) + b"\x1a")
        file.seek(0)
        file.write(header_bytes(fields, count, date))
    return count


def header_bytes(fields: Mapping[str, int], records: int, date: dt.date) -> bytes:
    """The header of such a table, with its closing 0x0D."""
    size = 32 + 32 * len(fields) + 1
    record = 1 + sum(fields.values())
    head = struct.pack("<BBBBIHH20x", 3, date.year - 1900, date.month, date.day, records, size, record)
    described = b"".join(struct.pack("<11sc4xB15x", name.encode(), b"C", width) for name, width in fields.items())
    return head + described + b"\r"
