"""PostgreSQL's errors -> the product's errors."""

from __future__ import annotations

import psycopg
from psycopg import errors as pg

from infobase.errors import (
    Deadlock,
    DiskFull,
    EngineUnavailable,
    InfobaseBusy,
    InfobaseDamaged,
    InfobaseError,
    InfobaseExists,
    InfobaseNotFound,
    LockTimeout,
    NotUnique,
    NumberOverflow,
    ReadOnlyTransaction,
    StorageFailure,
)
from infobase.i18n import text

_LOST_CLASSES = ("08", "57P")
_LAST_WORDS = ("FATAL", "PANIC")
"""Severities after which the server closes the connection, whatever the code."""


class CallRepeated(Exception):
    """The key of a change is in the table of calls already: the change was made."""


def is_lost(problem: psycopg.Error, conn: psycopg.Connection[object] | None) -> bool:
    """Whether the connection itself is gone."""
    state = problem.sqlstate or ""
    return (
        (conn is not None and conn.closed)
        or state.startswith(_LOST_CLASSES)
        or problem.diag.severity_nonlocalized in _LAST_WORDS
        or (not state and isinstance(problem, psycopg.OperationalError))
    )


def translate(problem: psycopg.Error, place: object, *, timeout: float = 0, holder: str = "") -> InfobaseError | None:
    """None where it is a fault of the program (wrong SQL), which must not be dressed up as the user's."""
    diag, said = problem.diag, _said(problem)
    match problem:
        case pg.DeadlockDetected() | pg.SerializationFailure():
            return Deadlock(detail=said)
        case pg.LockNotAvailable() | pg.QueryCanceled():
            return LockTimeout(seconds=f"{timeout:g}", holder=holder or text(ru="неизвестно", en="unknown"))
        case pg.UniqueViolation():
            return NotUnique(
                field=diag.constraint_name or "", value=_key_values(diag.message_detail), object=diag.table_name or ""
            )
        case pg.NumericValueOutOfRange():
            return NumberOverflow(field=diag.column_name or "-", value="-", digits=18, scale=0)
        case pg.DiskFull():
            return DiskFull(place=place, detail=said)
        case pg.ReadOnlySqlTransaction():
            return ReadOnlyTransaction()
        case pg.InvalidCatalogName():
            return InfobaseNotFound(place=place)
        case pg.DuplicateDatabase():
            return InfobaseExists(place=place)
        case pg.ObjectInUse():
            return InfobaseBusy(place=place, holder=said)
        case pg.InsufficientPrivilege():
            return EngineUnavailable(place=place, detail=f"{said}; {_RIGHTS}")
        case pg.DataCorrupted() | pg.IndexCorrupted():
            return InfobaseDamaged(place=place, detail=said)
        case pg.IoError() | pg.InternalError_():  # the latter e.g. for a checkpoint that could not be made
            return StorageFailure(place=place, detail=said)
    if is_lost(problem, None) or (problem.sqlstate or "").startswith("53"):
        return EngineUnavailable(place=place, detail=said)
    return None


class _Rights:
    def __str__(self) -> str:
        return text(
            ru="у пользователя СУБД не хватает прав: нужны CREATEDB и владение базой данных (ALTER ROLE ... CREATEDB)",
            en="the database user lacks rights: CREATEDB and ownership of the database are needed (ALTER ROLE ... CREATEDB)",
        )


_RIGHTS = _Rights()


def _said(problem: psycopg.Error) -> str:
    return problem.diag.message_primary or str(problem).strip() or type(problem).__name__


def _key_values(detail: str | None) -> str:
    """`Key (code)=(A1) already exists.` -> `A1`."""
    found = (detail or "").partition(")=(")[2]
    return found.rpartition(")")[0]
