"""Excel and OpenDocument workbooks as tables: every sheet is a member whose content is CSV, so that the readers of tables need not know of them.

Read by calamine (xlsx, xlsb, xls, ods). A row of the sheet is a line of the CSV, from the first row and column on: line and column of a message are
the cell. Dates become DD.MM.YYYY, whole numbers lose their fraction; nothing is computed.

The library runs in a process of its own (`workbook_child`) with limits of memory and time: a crafted file may make it ask for gigabytes, panic or
never end. Rows come back as lines of JSON.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import IO, cast

from classifiers.source import MAX_RATIO, SMALL_BYTES, Member, refused
from classifiers.text import shown
from infobase.errors import ClassifierInvalid

MAX_BYTES = 64 * 1024 * 1024
"""Of a workbook as it lies, of what is packed in it together, and of the texts of all its sheets."""
MAX_CELLS = 2_000_000
"""Of a sheet, empty ones between its corners included: calamine keeps room for each of them."""
MAX_LINE_BYTES = 4 * 1024 * 1024
"""Of one row, as the reader tells it."""
SHEET_IN_MEMORY = 4 * 1024 * 1024
"""A sheet is kept in memory up to this size, then in a temporary file."""
_CHILD = Path(__file__).with_name("workbook_child.py")
_CELL = re.compile(rb"""\br=["']([A-Z]{1,10})([0-9]{1,20})["']""")
_DOCTYPES = tuple("<!DOCTYPE".encode(e) for e in ("ascii", "utf-16-le", "utf-16-be"))
_KEPT_BYTES = 40
"""A reference to a cell and a DOCTYPE are shorter, so that none is lost between two pieces."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of the process that reads a workbook. Where the system cannot limit memory and processor time (Windows), `seconds` alone holds."""

    memory: int = 768 * 1024 * 1024
    cpu_seconds: int = 60
    seconds: float = 180


def workbook_members(
    content: IO[bytes], place: Path | str, name: str, stack: ExitStack, limits: Limits | None = None
) -> list[Member]:
    """The sheets that are not empty, as members. `content`: the workbook as a file of the system; the sheets live as long as `stack`.
    ClassifierInvalid: damaged, too large, packed beyond reason, more than the limits allow."""
    _demand_harmless(place, content)
    return [_member(place, name, s) for s in _Reading(place, limits or Limits()).sheets(content, stack) if s.size]


class _Sheet:
    """A sheet as CSV, row by row into a file that may be a temporary one."""

    def __init__(self, name: str, stack: ExitStack) -> None:
        self.name = name
        self.file = cast("IO[bytes]", stack.enter_context(tempfile.SpooledTemporaryFile(SHEET_IN_MEMORY)))  # noqa: SIM115
        self.size = 0
        self.rows = 0
        self._writer = csv.writer(self, delimiter=";", quoting=csv.QUOTE_ALL, lineterminator="\n")

    def add(self, row: list[object]) -> None:
        self._writer.writerow(row)
        self.rows += 1

    def write(self, text: str) -> int:
        """What the writer of CSV makes of a row."""
        self.size += self.file.write(text.encode())
        return len(text)


class _Reading:
    """One run of the reader. The last of `_sheets` and its rows are where it stopped."""

    def __init__(self, place: Path | str, limits: Limits) -> None:
        self._place = place
        self._limits = limits
        self._sheets: list[_Sheet] = []
        self._late = False

    def sheets(self, content: IO[bytes], stack: ExitStack) -> list[_Sheet]:
        with tempfile.TemporaryFile() as errors, self._process(content, errors) as process:
            for line in self._lines(process):
                match line:
                    case {"sheet": str(name)}:
                        self._sheets.append(_Sheet(name, stack))
                    case list() as row:
                        self._sheets[-1].add(row)
                    case {"end": True}:
                        return self._sheets
                    case _:
                        raise self._faulty(line)
            raise self._stopped(process.wait(), errors)

    @contextmanager
    def _process(self, content: IO[bytes], errors: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
        """The reader at work, until it is done or the time is over."""
        content.flush()
        os.lseek(content.fileno(), 0, os.SEEK_SET)  # `content.seek` may move inside its buffer only
        limits = self._limits
        numbers = (str(n) for n in (limits.memory, limits.cpu_seconds, MAX_CELLS))
        command = [sys.executable, "-I", str(_CHILD), *numbers]
        with subprocess.Popen(command, stdin=content, stdout=subprocess.PIPE, stderr=errors) as process:
            clock = Timer(limits.seconds, self._stop, [process])
            clock.daemon = True
            clock.start()
            try:
                yield process
            finally:
                clock.cancel()
                process.kill()

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
        self._late = True
        process.kill()

    def _lines(self, process: subprocess.Popen[bytes]) -> Iterator[object]:
        """What the reader tells. A line it did not finish when it died is none."""
        told = 0
        stream = cast("IO[bytes]", process.stdout)
        while (line := stream.readline(MAX_LINE_BYTES)).endswith(b"\n"):
            told += len(line)
            if told > MAX_BYTES:
                raise self._wrong("текста слишком много", "there is too much text")
            yield json.loads(line)
        if len(line) == MAX_LINE_BYTES:
            raise self._wrong("строка слишком длинна", "the row is too long")

    def _faulty(self, fault: object) -> ClassifierInvalid:
        """What the reader says is wrong."""
        match fault:
            case {"large": [height, width]}:
                ru = f"{height} строк и {width} столбцов: лист слишком велик"
                return self._wrong(ru, f"{height} rows and {width} columns: the sheet is too large")
            case {"error": str(what)}:
                told = shown(what)
            case _:
                told = shown(str(fault))
        return self._wrong(f"книга повреждена: {told}", f"the workbook is damaged: {told}")

    def _stopped(self, code: int, errors: IO[bytes]) -> ClassifierInvalid:
        """Why the reader ended before it had told everything."""
        errors.seek(0)
        memory, seconds = self._limits.memory >> 20, self._limits.seconds
        if b"memory allocation" in errors.read(SMALL_BYTES):
            ru = f"для чтения книги нужно больше {memory} МБ памяти"
            return self._wrong(ru, f"reading the workbook takes more than {memory} MB of memory")
        if self._late or -code in (getattr(signal, "SIGXCPU", 0), getattr(signal, "SIGKILL", 0)):
            ru = f"книга не прочитана за отведённое время ({seconds:g} с)"
            return self._wrong(ru, f"the workbook was not read within the time allowed ({seconds:g} s)")
        ru = f"чтение книги прервалось (код {code}): файл повреждён"
        return self._wrong(ru, f"reading the workbook broke off (code {code}): the file is damaged")

    def _wrong(self, ru: str, en: str) -> ClassifierInvalid:
        """The error with the sheet and the row the reader had come to."""
        if not self._sheets:
            return refused(self._place, ru, en)
        sheet, row = self._sheets[-1], self._sheets[-1].rows + 1
        name = shown(sheet.name)
        at_ru, at_en = (f", строка {row}", f", row {row}") if sheet.rows else ("", "")
        return refused(self._place, f"лист «{name}»{at_ru}: {ru}", f"sheet {name!r}{at_en}: {en}")


def _member(place: Path | str, name: str, sheet: _Sheet) -> Member:
    @contextmanager
    def opened() -> Iterator[IO[bytes]]:
        sheet.file.seek(0)
        yield sheet.file

    return Member(f"{name}/{sheet.name}", f"{place}!{shown(sheet.name)}", sheet.size, opened)


def _damaged(place: Path | str, error: BaseException) -> ClassifierInvalid:
    return refused(place, f"книга повреждена: {error}", f"the workbook is damaged: {error}")


def _demand_harmless(place: Path | str, content: IO[bytes]) -> None:
    """ClassifierInvalid for what is too large, and for what is packed in a zip beyond reason."""
    size = content.seek(0, io.SEEK_END)
    if size > MAX_BYTES:
        raise refused(place, f"больше {MAX_BYTES} байт", f"larger than {MAX_BYTES} bytes")
    content.seek(0)
    if content.read(2) != b"PK":
        return
    try:
        _demand_parts(place, content)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError, ValueError) as error:
        # zipfile raises RuntimeError for what is encrypted, NotImplementedError for a packing it does not know
        raise _damaged(place, error) from error


def _demand_parts(place: Path | str, content: IO[bytes]) -> None:
    """Everything is unpacked once and counted: sizes an archive declares are not believed."""
    total = 0
    with zipfile.ZipFile(content) as archive:
        for info in archive.infolist():
            done = 0
            parts = _Parts(place)
            with archive.open(info) as file:
                while chunk := file.read(SMALL_BYTES):
                    parts.see(chunk)
                    done += len(chunk)
                    total += len(chunk)
                    if total > MAX_BYTES or (done > SMALL_BYTES and done > info.compress_size * MAX_RATIO):
                        raise refused(
                            f"{place}!{shown(info.filename)}", "распакованный размер недопустим", "unpacks to too much"
                        )


class _Parts:
    """The XML of a sheet as it goes by in pieces: the lowest row and the rightmost column it speaks of, and whether it has a document type."""

    def __init__(self, place: Path | str) -> None:
        self._place = place
        self._rest = b""
        self._row = self._column = 0

    def see(self, piece: bytes) -> None:
        """ClassifierInvalid when the sheet has room for too many cells, or a DOCTYPE."""
        whole = self._rest + piece
        for letters, digits in _CELL.findall(whole):
            self._row = max(self._row, int(digits))
            self._column = max(self._column, column_number(letters.decode()))
        self._rest = whole[-_KEPT_BYTES:]
        if self._row * self._column > MAX_CELLS:
            ru = f"лист из {self._row} строк и {self._column} столбцов слишком велик"
            raise refused(self._place, ru, f"a sheet of {self._row} rows and {self._column} columns is too large")
        if any(mark in whole for mark in _DOCTYPES):
            raise refused(self._place, "DOCTYPE в книге недопустим", "a DOCTYPE in a workbook is not allowed")


def column_number(letters: str) -> int:
    """1 for A, 27 for AA."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number
