"""Excel and OpenDocument workbooks as tables: every sheet is a member whose content is CSV, so that the readers of tables need not know of them.

Read by calamine (xlsx, xlsb, xls, ods). A row of the sheet is a line of the CSV, from the first row and column on: line and column of a message are
the cell. Dates become DD.MM.YYYY, whole numbers lose their fraction; nothing is computed.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from python_calamine import CalamineError, CalamineWorkbook

from classifiers.source import MAX_RATIO, SMALL_BYTES, Member, refused
from classifiers.text import shown
from infobase.errors import ClassifierInvalid

MAX_BYTES = 64 * 1024 * 1024
"""Of a workbook as it lies, and of what is packed in it together."""
MAX_CELLS = 4_000_000
"""Of a sheet, empty ones between its corners included: calamine keeps room for each of them."""
_CELL = re.compile(rb"""\br=["']([A-Z]{1,10})([0-9]{1,20})["']""")
_CELL_BYTES = 40
"""A reference to a cell is shorter, so that none is lost between two pieces."""


def workbook_members(path: Path, name: str) -> list[Member]:
    """The sheets that are not empty, as members. ClassifierInvalid: damaged, too large, packed beyond reason."""
    data = _content(path)
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        tables = {s: book.get_sheet_by_name(s).to_python(skip_empty_area=False) for s in book.sheet_names}
    except (CalamineError, OSError, ValueError) as error:
        raise _damaged(path, error) from error
    except BaseException as error:
        if not is_panic(error):
            raise
        raise _damaged(path, error) from error
    return [_member(path, name, sheet, rows) for sheet, rows in tables.items() if rows]


def is_panic(error: BaseException) -> bool:
    """Whether an error is a panic of calamine's Rust code. Its class is no `Exception`, and PyO3 lets nobody import it."""
    kind = type(error)
    return (kind.__module__, kind.__name__) == ("pyo3_runtime", "PanicException")


def _damaged(path: Path, error: BaseException) -> ClassifierInvalid:
    return refused(path, f"книга Excel повреждена: {error}", f"the workbook is damaged: {error}")


def _content(path: Path) -> bytes:
    if path.stat().st_size > MAX_BYTES:
        raise refused(path, f"больше {MAX_BYTES} байт", f"larger than {MAX_BYTES} bytes")
    data = path.read_bytes()
    if data.startswith(b"PK"):
        try:
            _demand_harmless(path, data)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError, ValueError) as error:
            # zipfile raises RuntimeError for what is encrypted, NotImplementedError for a packing it does not know
            raise _damaged(path, error) from error
    return data


def _demand_harmless(path: Path, data: bytes) -> None:
    """Everything is unpacked once and counted: sizes an archive declares are not believed."""
    total = 0
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            done = 0
            corner = _Corner(path)
            with archive.open(info) as file:
                while chunk := file.read(SMALL_BYTES):
                    corner.see(chunk)
                    done += len(chunk)
                    total += len(chunk)
                    if total > MAX_BYTES or (done > SMALL_BYTES and done > info.compress_size * MAX_RATIO):
                        raise refused(
                            f"{path}!{shown(info.filename)}", "распакованный размер недопустим", "unpacks to too much"
                        )
                    if b"<!DOCTYPE" in chunk:
                        raise refused(path, "DOCTYPE в книге недопустим", "a DOCTYPE in a workbook is not allowed")


class _Corner:
    """The lowest row and the rightmost column the XML of a sheet speaks of, as it goes by in pieces."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rest = b""
        self._row = self._column = 0

    def see(self, piece: bytes) -> None:
        """ClassifierInvalid when the sheet has room for too many cells."""
        whole = self._rest + piece
        for letters, digits in _CELL.findall(whole):
            self._row = max(self._row, int(digits))
            self._column = max(self._column, column_number(letters.decode()))
        self._rest = whole[-_CELL_BYTES:]
        if self._row * self._column > MAX_CELLS:
            ru = f"лист из {self._row} строк и {self._column} столбцов слишком велик"
            raise refused(self._path, ru, f"a sheet of {self._row} rows and {self._column} columns is too large")


def column_number(letters: str) -> int:
    """1 for A, 27 for AA."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


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
