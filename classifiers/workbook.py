"""Excel and OpenDocument workbooks as tables: every sheet is a member whose content is CSV, so that the readers of tables need not know of them.

Read by calamine (xlsx, xlsb, xls, ods). A row of the sheet is a line of the CSV, from the first row and column on: line and column of a message are
the cell. Dates become DD.MM.YYYY, whole numbers lose their fraction; nothing is computed.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

from python_calamine import CalamineError, CalamineWorkbook

from classifiers.source import MAX_RATIO, SMALL_BYTES, Member, refused
from classifiers.text import shown

MAX_BYTES = 64 * 1024 * 1024
"""Of a workbook as it lies, and of what is packed in it together."""


def workbook_members(path: Path, name: str) -> list[Member]:
    """The sheets that are not empty, as members. ClassifierInvalid: damaged, too large, packed beyond reason."""
    data = _content(path)
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        tables = {s: book.get_sheet_by_name(s).to_python(skip_empty_area=False) for s in book.sheet_names}
    except (CalamineError, OSError, ValueError) as error:
        raise refused(path, f"книга Excel повреждена: {error}", f"the workbook is damaged: {error}") from error
    return [_member(path, name, sheet, rows) for sheet, rows in tables.items() if rows]


def _content(path: Path) -> bytes:
    if path.stat().st_size > MAX_BYTES:
        raise refused(path, f"больше {MAX_BYTES} байт", f"larger than {MAX_BYTES} bytes")
    data = path.read_bytes()
    if data.startswith(b"PK"):
        _demand_harmless(path, data)
    return data


def _demand_harmless(path: Path, data: bytes) -> None:
    """Everything is unpacked once and counted: sizes an archive declares are not believed."""
    total = 0
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            done = 0
            with archive.open(info) as file:
                while chunk := file.read(SMALL_BYTES):
                    done += len(chunk)
                    total += len(chunk)
                    if total > MAX_BYTES or (done > SMALL_BYTES and done > info.compress_size * MAX_RATIO):
                        raise refused(
                            f"{path}!{shown(info.filename)}", "распакованный размер недопустим", "unpacks to too much"
                        )
                    if b"<!DOCTYPE" in chunk:
                        raise refused(path, "DOCTYPE в книге недопустим", "a DOCTYPE in a workbook is not allowed")


def _member(path: Path, name: str, sheet: str, rows: Sequence[Sequence[object]]) -> Member:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([_shown(cell) for cell in row] for row in rows)
    content = text.getvalue().encode()
    return Member(f"{name}/{sheet}", f"{path}!{shown(sheet)}", len(content), lambda: io.BytesIO(content))


def _shown(cell: object) -> str:
    match cell:
        case bool():
            return str(cell)
        case float() if cell.is_integer():
            return str(int(cell))
        case dt.datetime() | dt.date():
            return f"{cell:%d.%m.%Y}"
        case _:
            return " ".join(str(cell).split())
