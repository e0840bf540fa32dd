"""SQLite's errors -> the product's errors."""

from __future__ import annotations

import re
import shutil
import sqlite3
from pathlib import Path

from infobase.errors import (
    DiskFull,
    EngineUnavailable,
    InfobaseDamaged,
    InfobaseError,
    LockTimeout,
    NotUnique,
    NumberOverflow,
    ReadOnlyTransaction,
    StorageFailure,
)
from infobase.i18n import text
from infobase.schema.naming import fit

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_LITTLE_SPACE = 1 << 20


_OTHER_FORMAT = "unsupported file format"
"""SQLite's words, under its most general code, for a schema format it does not know: a byte of the file's header."""


def translate(
    problem: sqlite3.Error | OverflowError, place: Path, *, timeout: float = 0, holder: str = "-"
) -> InfobaseError | None:
    """None where it is a fault of the program (wrong SQL), which must not be dressed up as the user's."""
    if isinstance(problem, OverflowError):
        return NumberOverflow(field="-", value="-", digits=18, scale=0)
    code = getattr(problem, "sqlite_errorcode", 0)
    name = getattr(problem, "sqlite_errorname", "")
    detail = f"{problem} ({name})" if name else str(problem)
    primary = code & 0xFF
    if primary in _BUSY:
        return LockTimeout(seconds=f"{timeout:g}", holder=holder)
    if primary == sqlite3.SQLITE_CONSTRAINT:
        return _constraint(problem, code)
    match primary:
        case sqlite3.SQLITE_READONLY:
            return ReadOnlyTransaction() if place.stat().st_mode & 0o200 else _closed(place, detail)
        case sqlite3.SQLITE_FULL:
            return DiskFull(place=place, detail=detail)
        case sqlite3.SQLITE_IOERR:
            return (
                DiskFull(place=place, detail=detail)
                if _no_space(code, place)
                else StorageFailure(place=place, detail=detail)
            )
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_FORMAT:
            return InfobaseDamaged(place=place, detail=detail)
        case sqlite3.SQLITE_ERROR if str(problem) == _OTHER_FORMAT:
            return InfobaseDamaged(place=place, detail=detail)
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return _closed(place, detail)
        case sqlite3.SQLITE_TOOBIG:
            limit = text(ru="значение больше 1 ГБ", en="a value above 1 GB")
            return EngineUnavailable(place=place, detail=limit)
    return None


def _closed(place: Path, detail: str) -> EngineUnavailable:
    advice = text(ru="проверьте права на папку и файл", en="check the rights on the folder and the file")
    return EngineUnavailable(place=place, detail=f"{detail}; {advice}")


def _no_space(code: int, place: Path) -> bool:
    """A write error may be a full disk in another dress: a quota, a limit of file size."""
    if code not in (sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_TRUNCATE):
        return False
    if shutil.disk_usage(place.parent).free < _LITTLE_SPACE:
        return True
    try:
        import resource
    except ImportError:
        return False
    return resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY


def index_name(conn: sqlite3.Connection, table: str, columns: str) -> str:
    """SQLite only names the columns of a violated unique index: find the index. The primary key is named as DDL names it."""
    wanted = columns.split(", ")
    for _, name, unique, origin, _ in conn.execute("SELECT * FROM pragma_index_list(?)", [table]).fetchall():
        if unique and wanted == [r[0] for r in conn.execute("SELECT name FROM pragma_index_info(?)", [name])]:
            return fit(f"pk_{table}") if origin == "pk" else str(name)
    return columns


def _constraint(problem: sqlite3.Error, code: int) -> InfobaseError | None:
    said = str(problem)
    if code in (
        sqlite3.SQLITE_CONSTRAINT_UNIQUE,
        sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
        sqlite3.SQLITE_CONSTRAINT_ROWID,
    ):
        found = re.search(r"failed: (?:index '(?P<index>[^']+)'|(?P<columns>.+))", said)
        columns = (found["columns"] or "") if found else ""
        table = columns.partition(".")[0]
        field = (found["index"] if found else "") or ", ".join(c.partition(".")[2] for c in columns.split(", "))
        return NotUnique(field=field, value="", object=table)
    if code == sqlite3.SQLITE_CONSTRAINT_CHECK:
        digits = re.search(r"failed: digits_(\w+)", said)
        if digits:
            return NumberOverflow(field=digits[1], value="-", digits=18, scale=0)
    return None
