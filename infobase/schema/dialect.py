"""The two dialects of SQL the kernel speaks: placeholders, quoting, and the storage form of each column kind."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from infobase.storage import Column

Convert = Callable[[object], object]
_UUID_BYTES = 16


@dataclass(frozen=True)
class Dialect:
    """`writer(column)` turns a canonical Python value (UUID, str, Decimal, datetime, bool, bytes, int) into storage form, `reader` back.
    Both return None where nothing has to be done."""

    name: str
    placeholder: str
    writer: Callable[[Column], Convert | None]
    reader: Callable[[Column], Convert | None]
    row_lock: str = ""
    """Ends a SELECT that must hold its rows to the end of the transaction ("" where writers are alone anyway)."""
    share_lock: str = ""
    """Ends a SELECT that must keep its rows from being deleted to the end of the transaction."""
    skip_locked: str = ""
    """Ends a SELECT that takes only the rows nobody else holds, and holds them."""
    has_table: str = ""
    """A SELECT with the name of a table as its parameter: a row when the table is there."""
    lateral: str = ""
    """Before a subquery of FROM that sees what stands before it: then it is done for each row there. "" where a plain join is."""
    text_arrays: bool = False
    """Whether many texts go as one parameter: so the text of a statement, and its plan, are the same for any number of them."""
    statistics: str = ""
    """Makes the planner learn these columns of a table that was just filled ({table}, {columns}); "" where it needs nothing."""
    relaxed_commit: str = ""
    """Makes this transaction's commit not wait for the disk, for what a later durable commit will carry along."""

    def quote(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def columns(self, names: tuple[str, ...] | list[str]) -> str:
        return ", ".join(self.quote(n) for n in names)

    def values(self, width: int, rows: int = 1) -> str:
        """(?, ?), (?, ?) - the VALUES list of a multi-row statement."""
        row = "(" + ", ".join([self.placeholder] * width) + ")"
        return ", ".join([row] * rows)

    def given(self, columns: Sequence[Sequence[str]]) -> tuple[str, list[object]]:
        """A query that gives texts as rows, and its parameters. `columns`: as long one as the other, not empty."""
        if self.text_arrays:
            marks = ", ".join([f"{self.placeholder}::text[]"] * len(columns))
            return f"SELECT * FROM unnest({marks})", [list(column) for column in columns]
        rows = list(zip(*columns, strict=True))
        return f"VALUES {self.values(len(columns), len(rows))}", [value for row in rows for value in row]


def _uuid_bytes(value: object) -> object:
    return value.bytes  # type: ignore[attr-defined]


def _uuid_from_bytes(value: object) -> object:
    """UUID(bytes=value) in a third of the time, as psycopg makes its own: lists and balances are made of references."""
    assert isinstance(value, bytes)
    if len(value) != _UUID_BYTES:
        raise ValueError(f"{value!r} is not a UUID")
    made = object.__new__(uuid.UUID)
    object.__setattr__(made, "int", int.from_bytes(value, "big"))
    object.__setattr__(made, "is_safe", uuid.SafeUUID.unknown)
    return made


def _date_text(value: object) -> object:
    return value.isoformat(" ", "seconds")  # type: ignore[attr-defined]


def _date_from_text(value: object) -> object:
    return dt.datetime.fromisoformat(value)  # type: ignore[arg-type]


def _to_scaled(scale: int) -> Convert:
    return lambda value: int(value.scaleb(scale))  # type: ignore[attr-defined]


def _from_scaled(scale: int) -> Convert:
    return lambda value: Decimal(value).scaleb(-scale)  # type: ignore[arg-type]


def _sqlite_writer(column: Column) -> Convert | None:
    match column.kind:
        case "uuid":
            return _uuid_bytes
        case "decimal":
            return _to_scaled(column.scale)
        case "timestamp":
            return _date_text
        case "bool":
            return int  # type: ignore[return-value]
        case _:
            return None


def _sqlite_reader(column: Column) -> Convert | None:
    match column.kind:
        case "uuid":
            return _uuid_from_bytes
        case "decimal":
            return _from_scaled(column.scale)
        case "timestamp":
            return _date_from_text
        case "bool":
            return bool
        case _:
            return None


SQLITE = Dialect(
    "sqlite",
    "?",
    _sqlite_writer,
    _sqlite_reader,
    has_table="SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?",
)
POSTGRESQL = Dialect(
    "postgresql",
    "%s",
    lambda _: None,
    lambda _: None,
    row_lock=" FOR UPDATE",
    share_lock=" FOR KEY SHARE",
    lateral="LATERAL ",
    text_arrays=True,
    statistics="ANALYZE {table} ({columns})",
    skip_locked=" FOR UPDATE SKIP LOCKED",
    has_table="SELECT 1 FROM pg_tables WHERE schemaname = 'public' AND tablename = %s",
    relaxed_commit="SET LOCAL synchronous_commit = off",
)
DIALECTS = {d.name: d for d in (SQLITE, POSTGRESQL)}
