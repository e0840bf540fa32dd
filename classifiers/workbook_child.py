"""The program a workbook is read by, in a process of its own: what a crafted file makes the library do ends there.

    python -I workbook_child.py MEMORY_BYTES CPU_SECONDS MAX_CELLS  < workbook  > lines

Every line is a JSON value: {"sheet": name} begins a sheet, a list is its next row of texts from the first row and column on, {"large": [rows,
columns]} says that the sheet has room for too many cells, {"error": what} what else is wrong, {"end": true} that all has been told. Without one of
these the reader was stopped. It knows nothing of the product.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from python_calamine import CalamineSheet


def limit_resources(memory: int, seconds: int) -> None:
    """Of this process; where the system has no such limits (Windows) the parent's clock is the only one."""
    try:
        import resource
    except ImportError:
        return
    for what, amount in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_AS, memory)):
        try:
            resource.setrlimit(what, (amount, amount))
        except (ValueError, OSError):
            continue  # macOS knows RLIMIT_AS and refuses to set it


def lines(data: bytes, max_cells: int) -> Iterator[object]:
    """What there is to tell of a workbook."""
    from python_calamine import CalamineWorkbook, SheetTypeEnum

    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    for sheet in book.sheets_metadata:
        if sheet.typ == SheetTypeEnum.WorkSheet:
            yield {"sheet": sheet.name}
            yield from rows(book.get_sheet_by_name(sheet.name), max_cells)
    yield {"end": True}


def rows(sheet: CalamineSheet, max_cells: int) -> Iterator[object]:
    """The rows of a sheet from its first row and column on, those of nothing but blanks at the top too."""
    if sheet.total_height * sheet.total_width > max_cells:
        yield {"large": [sheet.total_height, sheet.total_width]}
        return
    before = [""] * (sheet.start[1] if sheet.start else 0)
    for row in sheet.iter_rows():
        yield [*before, *map(shown, row)]


def shown(cell: object) -> str:
    """Dates as DD.MM.YYYY, whole numbers without their fraction, blanks collapsed."""
    match cell:
        case bool():
            return str(cell)
        case float() if cell.is_integer():
            return str(int(cell))
        case dt.datetime() | dt.date():
            return f"{cell:%d.%m.%Y}"
        case _:
            return " ".join(str(cell).split())


def tell(line: object) -> None:
    sys.stdout.buffer.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")


def main() -> None:
    memory, seconds, max_cells = map(int, sys.argv[1:])
    limit_resources(memory, seconds)
    try:
        for line in lines(sys.stdin.buffer.read(), max_cells):
            tell(line)
    except BaseException as error:  # a panic of the library's Rust code is no Exception
        tell({"error": f"{error}" or type(error).__name__})
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
