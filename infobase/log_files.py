"""Event logs as files, 1C's own ones and ours: `1Cv8.lgd` (SQLite), and `1Cv8.lgf` with its `*.lgp` (text).

The text form: the dictionary `1Cv8.lgf` gives users, computers, events and the like numbers; each `YYYYMMDDHHMMSS.lgp` holds the records of a
period. Both begin with `1CV8LOG(ver 2.0)`, a GUID and an empty line; then records in braces, joined by commas, a quote in a string doubled.
"""

from __future__ import annotations

import datetime as dt
import re
import sqlite3
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TextIO, Union
from urllib.parse import quote

from infobase.errors import LogUnreadable
from infobase.i18n import text
from infobase.log_layout import NAMELESS_USER, has_text, limited, read_entries, select_statement
from infobase.storage import LogEntry, LogFilter

Parsed = list[Union[str, "Parsed"]]

HEADER = "1CV8LOG"
_SQLITE = b"SQLite format 3\0"
_PIECE = 1 << 16
_RECORD_CHARS = 16 << 20
"""More in one record is not a log."""
_NESTING = 40
_TOKEN = re.compile(r'"((?:[^"]|"")*)"|([{}])|([^,{}"\s][^,{}"]*)')
_SEVERITIES = {"I": "Information", "E": "Error", "W": "Warning", "N": "Note"}
_TRANSACTIONS = {"N": "None", "C": "Committed", "U": "RolledBack", "R": "Unfinished"}


def is_log(path: Path) -> bool:
    """Whether this is an event log by itself: one of its files, or a folder of them that is no infobase."""
    if path.is_dir():
        return not (path / "1Cv8.1CD").exists() and bool(_database(path) or _dictionary(path))
    return path.suffix.casefold() in (".lgd", ".lgf", ".lgp")


def read_log(path: Path, wanted: LogFilter) -> Iterator[LogEntry]:
    """Entries of a log file or a folder of them. LogUnreadable."""
    if path.is_dir():
        database = _database(path)
        return _read_lgd(database, wanted) if database else _read_text(path, None, wanted)
    if path.suffix.casefold() == ".lgd" or is_database(path):
        return _read_lgd(path, wanted)
    return _read_text(path.parent, path if path.suffix.casefold() == ".lgp" else None, wanted)


def is_database(path: Path) -> bool:
    """Whether the log, a file or a folder, is kept by SQLite, whatever its name says."""
    if path.is_dir():
        return _database(path) is not None
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


def _database(folder: Path) -> Path | None:
    return next((p for p in sorted(folder.iterdir()) if p.name.casefold() == "1cv8.lgd"), None)


def _dictionary(folder: Path) -> Path | None:
    return next((p for p in sorted(folder.iterdir()) if p.suffix.casefold() == ".lgf"), None)


def _damaged(place: Path, ru: str, en: str) -> LogUnreadable:
    return LogUnreadable(place=place, detail=text(ru=ru, en=en))


# --- SQLite ---


def _read_lgd(path: Path, wanted: LogFilter) -> Iterator[LogEntry]:
    statement = select_statement(wanted, "?")
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as conn:
            conn.execute("PRAGMA trusted_schema = OFF")
            conn.execute("PRAGMA cell_size_check = ON")
            foreign = conn.execute("SELECT name FROM sqlite_master WHERE type IN ('view', 'trigger')").fetchone()
            if foreign:
                raise _damaged(path, f"посторонний объект {foreign[0]}", f"a foreign {foreign[0]}")
            yield from read_entries(conn.execute(statement.sql, statement.params), wanted)
    except sqlite3.Error as e:
        raise LogUnreadable(place=path, detail=e) from e
    except (TypeError, ValueError, OverflowError) as e:
        raise _damaged(path, f"непонятная запись: {e}", f"a record that makes no sense: {e}") from e


# --- text ---


def _read_text(folder: Path, only: Path | None, wanted: LogFilter) -> Iterator[LogEntry]:
    dictionary = _dictionary(folder)
    if dictionary is None:
        raise _damaged(folder, "рядом нет словаря 1Cv8.lgf", "the dictionary 1Cv8.lgf is not beside it")
    names = _Names(dictionary)
    files = [only] if only else sorted(p for p in folder.iterdir() if p.suffix.casefold() == ".lgp")
    if wanted.newest_first:
        files.reverse()
    found = (e for file in files for e in _entries(file, names, wanted))
    return limited((replace(e, number=n) for n, e in enumerate(found, 1)), wanted.limit)


def _entries(file: Path, names: _Names, wanted: LogFilter) -> Iterator[LogEntry]:
    found = (e for r in records(file) if _matches(e := names.entry(file, r), wanted))
    if not wanted.newest_first:
        return found
    return iter(list(deque(found, maxlen=wanted.limit or None))[::-1])


def _matches(entry: LogEntry, wanted: LogFilter) -> bool:
    return (
        (wanted.since is None or entry.date >= wanted.since)
        and (wanted.until is None or entry.date < wanted.until)
        and (not wanted.events or entry.event in wanted.events)
        and (not wanted.users or entry.user in wanted.users)
        and (not wanted.severities or entry.severity in wanted.severities)
        and (not wanted.metadata or entry.metadata in wanted.metadata)
        and has_text(entry, wanted.text)
    )


def records(path: Path) -> Iterator[Parsed]:
    """The records of an `.lgf` or `.lgp`, each as a list of strings and lists. One cut off at the end, as of a log being written, is left out."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        first = file.readline(_PIECE)
        if not first and path.suffix.casefold() == ".lgp":
            return  # made a moment ago, or by a machine that lost power: nothing is in it
        if not first.startswith(HEADER):
            raise _damaged(path, "это не журнал 1С: нет заголовка 1CV8LOG", "not a log of 1C: no header 1CV8LOG")
        file.readline(_PIECE)
        for content in _split(path, file):
            yield _parse(path, content)


def _split(path: Path, file: TextIO) -> Iterator[str]:
    """The text of each record. A string may hold braces and line breaks; quotes in it are doubled, so counting them tells where it ends."""
    parts: list[str] = []
    depth, quoted, size = 0, False, 0
    while piece := file.readline(_PIECE):
        start = 0
        for at, char in _marks(piece):
            if char == '"':
                quoted = not quoted
            elif not quoted and char == "{":
                if depth == 0:
                    start = at
                depth += 1
            elif not quoted:
                depth -= 1
                if depth < 0:
                    raise _damaged(path, "лишняя закрывающая скобка", "a closing brace too many")
                if depth == 0:
                    yield "".join([*parts, piece[start : at + 1]])
                    parts, size, start = [], 0, at + 1
        if depth:
            parts.append(piece[start:])
            size += len(piece)
            if size > _RECORD_CHARS:
                raise _damaged(path, "слишком длинная запись", "a record is too long")


def _marks(piece: str) -> Iterator[tuple[int, str]]:
    return ((m.start(), m[0]) for m in re.finditer(r'["{}]', piece))


def _parse(path: Path, content: str) -> Parsed:
    stack: list[Parsed] = [[]]
    for string, brace, bare in _TOKEN.findall(content):
        if brace == "{":
            if len(stack) > _NESTING:
                raise _damaged(path, "слишком глубокая вложенность", "nested too deeply")
            stack.append([])
        elif brace:
            inner = stack.pop()
            stack[-1].append(inner)
        else:
            stack[-1].append(bare.strip() or string.replace('""', '"'))
    (record,) = stack[0]
    assert isinstance(record, list)
    return record


class _Names:
    """What the numbers of a log stand for."""

    def __init__(self, dictionary: Path) -> None:
        self._names: dict[tuple[str, str], str] = {}
        self._users: dict[str, str] = {}
        for entry in records(dictionary):
            self._learn(entry)

    def _learn(self, entry: Parsed) -> None:
        texts = [e for e in entry if isinstance(e, str)]
        if len(texts) < 3 or len(texts) != len(entry):
            return  # rows of status and separators
        kind, number = texts[0], texts[-1]
        self._names[kind, number] = texts[-2]
        if kind == "1":
            self._users[number] = texts[1]

    def entry(self, path: Path, record: Parsed) -> LogEntry:
        """One record of an `.lgp`. LogUnreadable."""
        if len(record) < 13 or not all(isinstance(record[i], str) for i in (0, 1, 3, 4, 5, 7, 8, 9, 10, 12)):
            raise _damaged(
                path, f"непонятная запись {str(record)[:80]}", f"a record that makes no sense: {str(record)[:80]}"
            )
        values = [r if isinstance(r, str) else "" for r in record]
        try:
            date = dt.datetime.strptime(values[0], "%Y%m%d%H%M%S")
        except ValueError as e:
            raise _damaged(path, f"непонятная дата {values[0][:40]}", f"not a date: {values[0][:40]}") from e
        return LogEntry(
            date=date,
            event=self._name("4", values[7]),
            severity=_SEVERITIES.get(values[8], "Note"),
            user=self._name("1", values[3]),
            user_id=_uuid(self._users.get(values[3], "")),
            computer=self._name("2", values[4]),
            application=self._name("3", values[5]),
            session=_int(values[16]) if len(values) > 16 else 0,
            comment=values[9],
            metadata=self._name("5", values[10]),
            data=_data(record[11]),
            presentation=values[12],
            transaction=_TRANSACTIONS.get(values[1], "None"),
        )

    def _name(self, kind: str, number: str) -> str:
        return self._names.get((kind, number), "" if number in ("", "0") else number)


def _data(value: str | Parsed) -> str:
    """`{"S","text"}`, `{"R",17:hex}`, `{"P",{6,{"S","a"},..}}`; the kind itself is left out."""
    if isinstance(value, str):
        return value
    return " ".join(filter(None, _texts(value[1:])))


def _texts(values: Sequence[str | Parsed]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        else:
            yield from _texts(value[1:])


_MOST_DIGITS = 18
"""Of numbers of sessions, rows and the like; a longer one is none."""


def _int(value: str) -> int:
    return int(value) if value.isascii() and value.isdecimal() and len(value) <= _MOST_DIGITS else 0


def _uuid(value: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(value) if value and value != NAMELESS_USER else None
    except ValueError:
        return None
