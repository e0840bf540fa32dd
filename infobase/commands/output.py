"""What commands print. Results (tables, JSON) go to standard output; progress, questions and remarks to standard error."""

from __future__ import annotations

import datetime as dt
import json
import re
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from decimal import Decimal
from pathlib import Path

from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from infobase.i18n import Bilingual, language, text
from infobase.metadata.types import EnumValue, Ref

ProgressCallback = Callable[[str, int, int], None]
"""(what is being done, done, total); total 0: not known."""

_WIDE = 10_000
"""Columns for output that is not a terminal: programs read it, so nothing is cut or wrapped."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def console(*, error: bool = False) -> Console:
    """A console on the current stream; texts are shown as they are, never as markup."""
    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() else _WIDE
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False, soft_wrap=True)


def shown(value: object) -> str:
    """A value for people. Control characters, which could command the terminal, become U+FFFD."""
    return _CONTROL.sub("\ufffd", _readable(value).replace("\r\n", "\n"))


def _readable(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(Bilingual("Да", "Yes") if value else Bilingual("Нет", "No"))
        case Decimal():
            return f"{value:f}"
        case dt.datetime():
            pattern = "%d.%m.%Y %H:%M:%S" if language() == "ru" else "%Y-%m-%d %H:%M:%S"
            return value.strftime(pattern)
        case bytes():
            return f"<{len(value)} B>"
        case _:
            return str(value)


def say(message: object) -> None:
    """A result in words, to standard output."""
    print(_lines(message))


def remark(message: object) -> None:
    """Something to know that is not the result, to standard error."""
    print(_lines(message), file=sys.stderr)


def _lines(message: object) -> str:
    return "\n".join(_CONTROL.sub("\ufffd", line) for line in str(message).replace("\r\n", "\n").split("\n"))


def print_json(value: object) -> None:
    """One JSON document: numbers of the base as strings (exact), dates ISO, references "Catalog.X:uuid"."""
    print(json.dumps(plain(value), ensure_ascii=False, indent=2))


def plain(value: object) -> object:
    """The JSON form of anything commands print."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Decimal():
            return f"{value:f}"
        case dt.datetime() | dt.date():
            return value.isoformat()
        case bytes():
            return value.hex()
        case uuid.UUID() | Ref() | EnumValue() | Path() | Bilingual():
            return str(value)
        case Mapping():
            return {str(k): plain(v) for k, v in value.items()}
        case _ if is_dataclass(value) and not isinstance(value, type):
            return plain(asdict(value))
        case Iterable():
            return [plain(v) for v in value]
        case _:
            return str(value)


def print_table(headers: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> None:
    """A table without frills; numbers to the right."""
    listed = [list(row) for row in rows]
    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    for i, header in enumerate(headers):
        numeric = bool(listed) and all(_is_number(row[i]) for row in listed)
        table.add_column(shown(header), justify="right" if numeric else "left", overflow="fold")
    for row in listed:
        table.add_row(*(shown(cell) for cell in row))
    _print(table)


def _is_number(value: object) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def print_facts(facts: Mapping[str, object]) -> None:
    """Name and value, one pair a line."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(shown(name), shown(value))
    _print(table)


def _print(table: Table) -> None:
    """Without the blanks that lay out the last column."""
    target = console()
    with target.capture() as captured:
        target.print(table)
    print("\n".join(line.rstrip() for line in captured.get().rstrip().split("\n")))


class _Rate(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(text(ru=f"{speed:.0f}/с", en=f"{speed:.0f}/s") if speed else "")


@contextmanager
def progress() -> Iterator[ProgressCallback]:
    """A bar on standard error while the block runs; nothing where that is not a terminal."""
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console(error=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    tasks: dict[str, TaskID] = {}

    def step(what: str, done: int, total: int) -> None:
        if what not in tasks:
            for other in tasks.values():
                bars.update(other, visible=False)
            tasks[what] = bars.add_task(what, total=total or None)
        bars.update(tasks[what], completed=done, total=total or None)

    with bars:
        yield step


def size_text(count: int) -> str:
    """Bytes for people: "1.4 MB"."""
    size = Decimal(count)
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TB"
