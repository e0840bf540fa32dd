"""Tables as data -> SQLAlchemy tables -> CREATE statements of both dialects.

`sa_table` is the one place where a `storage.Table` becomes a SQLAlchemy table: queries and DDL are compiled from the same object, whose
types have a variant per dialect. No column is ever NULL; every column has its empty value as the default.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import AddConstraint, CreateIndex, CreateTable, ExecutableDDLElement
from sqlalchemy.sql import quoted_name
from sqlalchemy.sql.expression import ClauseElement

from infobase.schema.dialect import Dialect
from infobase.schema.naming import fit
from infobase.storage import Column, Statement, Table

_COMPILERS: dict[str, Any] = {
    "sqlite": sqlite.dialect(),
    "postgresql": postgresql.dialect(),  # type: ignore[no-untyped-call]
}

_EMPTY_SQLITE = {
    "uuid": "x'00000000000000000000000000000000'",
    "text": "''",
    "decimal": "0",
    "timestamp": "'0001-01-01 00:00:00'",
    "bool": "0",
    "binary": "x''",
    "int": "0",
}
_EMPTY_POSTGRESQL = {
    "uuid": "'00000000-0000-0000-0000-000000000000'",
    "text": "''",
    "decimal": "0",
    "timestamp": "'0001-01-01 00:00:00'",
    "bool": "false",
    "binary": "''",
    "int": "0",
}


def empty_literal(column: Column, dialect: Dialect) -> str:
    """The column's empty value as an SQL literal."""
    return (_EMPTY_SQLITE if dialect.name == "sqlite" else _EMPTY_POSTGRESQL)[column.kind]


class _Empty(ClauseElement):
    """The empty value of a column kind; each dialect writes it its own way."""

    inherit_cache = False

    def __init__(self, kind: str) -> None:
        self.kind = kind


@compiles(_Empty, "sqlite")
def _empty_sqlite(element: _Empty, compiler: object, **_: object) -> str:
    return _EMPTY_SQLITE[element.kind]


@compiles(_Empty, "postgresql")
def _empty_postgresql(element: _Empty, compiler: object, **_: object) -> str:
    return _EMPTY_POSTGRESQL[element.kind]


def sa_type(column: Column) -> sa.types.TypeEngine[Any]:
    """PostgreSQL's type, with SQLite's storage form as its variant."""
    made: sa.types.TypeEngine[Any]
    match column.kind:
        case "uuid":
            made = postgresql.UUID(as_uuid=True).with_variant(sa.BLOB(), "sqlite")
        case "text":
            made = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
        case "decimal":
            made = sa.Numeric(column.digits, column.scale).with_variant(sa.INTEGER(), "sqlite")
        case "timestamp":
            made = postgresql.TIMESTAMP(timezone=False, precision=0).with_variant(sa.TEXT(), "sqlite")
        case "bool":
            made = sa.Boolean().with_variant(sa.INTEGER(), "sqlite")
        case "binary":
            made = postgresql.BYTEA().with_variant(sa.BLOB(), "sqlite")
        case "int":
            made = sa.BigInteger().with_variant(sa.INTEGER(), "sqlite")
    return made


def _check(column: Column) -> sa.CheckConstraint | None:
    """What PostgreSQL's types refuse by themselves and SQLite's do not: more digits than the column has, a boolean that is neither."""
    name = f'"{column.name}"'
    if column.kind == "decimal":
        most = 10**column.digits - 1
        made = sa.CheckConstraint(f"{name} BETWEEN -{most} AND {most}", name=fit(f"digits_{column.name}"))
    elif column.kind == "bool":
        made = sa.CheckConstraint(f"{name} IN (0, 1)", name=fit(f"bool_{column.name}"))
    else:
        return None
    made.ddl_if(dialect="sqlite")
    return made


def _sa_column(column: Column) -> sa.Column[Any]:
    default: Any = _Empty(column.kind)
    name = quoted_name(column.name, quote=True)
    return sa.Column(name, sa_type(column), nullable=False, autoincrement=False, server_default=default)


@cache
def _build(table: Table, keys: bool) -> sa.Table:
    checks = [c for c in map(_check, table.columns) if c is not None]
    key = [sa.PrimaryKeyConstraint(*table.primary_key, name=key_name(table))] if keys else []
    # A big binary value would spread a clustered table over overflow pages that every search by key had to walk.
    rowid = any(c.kind == "binary" for c in table.columns)
    return sa.Table(
        quoted_name(table.name, quote=True),
        sa.MetaData(),
        *map(_sa_column, table.columns),
        *key,
        *checks,
        *(sa.Index(quoted_name(i.name, quote=True), *i.columns, unique=i.unique) for i in table.indexes),
        sqlite_with_rowid=rowid,
        sqlite_strict=True,
    )


def sa_table(table: Table) -> sa.Table:
    """The SQLAlchemy table for queries and DDL, one per distinct `Table`. Columns by physical name: `sa_table(t).c["number__period"]`.

    Values bound to it must already be in storage form (`infobase.schema.codec`): the types are for rendering.
    """
    return _build(table, True)


def key_name(table: Table) -> str:
    """Name of the primary key constraint."""
    return fit(f"pk_{table.name}")


def _sql(element: ExecutableDDLElement, dialect: Dialect) -> Statement:
    return Statement(str(element.compile(dialect=_COMPILERS[dialect.name])).strip())


def index_statements(table: Table, dialect: Dialect) -> list[Statement]:
    """CREATE [UNIQUE] INDEX of every index, in the table's order."""
    made = {str(i.name): i for i in sa_table(table).indexes}
    return [_sql(CreateIndex(made[i.name]), dialect) for i in table.indexes]


def create_statements(
    tables: Iterable[Table], dialect: Dialect, *, keys: bool = True, indexes: bool = True
) -> list[Statement]:
    """CREATE TABLE of each table, then their indexes.

    `keys=False` leaves primary keys out where a table filled first and keyed after is faster (PostgreSQL); `key_statements` adds them.
    In SQLite the primary key is the table itself, so it is always there: fill in its order.
    """
    with_keys = keys or dialect.name == "sqlite"
    tables = list(tables)
    made = [_sql(CreateTable(_build(t, with_keys)), dialect) for t in tables]
    if indexes:
        made += [s for t in tables for s in index_statements(t, dialect)]
    return made


def key_statements(tables: Iterable[Table], dialect: Dialect) -> list[Statement]:
    """What `create_statements(..., keys=False, indexes=False)` left out: primary keys where they are missing, and all indexes."""
    made = []
    for table in tables:
        if dialect.name != "sqlite":
            made.append(_sql(AddConstraint(_build(table, True).primary_key, isolate_from_table=False), dialect))
        made += index_statements(table, dialect)
    return made
