"""One suite for every engine. A further engine needs one more `EngineKit` in `_kits` and one more word in `children.Spec`."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine_file.engine import FileEngine
from engine_server.engine import ServerEngine
from infobase.schema import ddl
from infobase.schema.dialect import DIALECTS, Dialect
from infobase.storage import Column, Index, Row, Statement, Table
from tests import postgres
from tests.engine_suite.children import Spec

GOODS = Table(
    "goods",
    (
        Column("id", "uuid"),
        Column("code", "text"),
        Column("amount", "decimal", 18, 3),
        Column("sold", "timestamp"),
        Column("active", "bool"),
        Column("picture", "binary"),
        Column("line", "int"),
        Column("code__search", "text", derived=True),
    ),
    ("id",),
    (Index("ux_goods_code", ("code",), unique=True), Index("ix_goods_sold", ("sold",))),
)
"""Every column kind, a derived column, a unique and a plain index."""
MARKER = Table("sys_infobase", (Column("key", "text"), Column("value", "text")), ("key",))
TABLES = (GOODS, MARKER)


@dataclass
class EngineKit:
    """Makes engines of one kind; all are closed at the end of the test."""

    kind: str
    root: Path
    pg_url: str = ""
    prefix: str = ""
    made: list[Any] = field(default_factory=list)

    def spec(self, name: str = "base") -> Spec:
        if self.kind == "file":
            return Spec("file", str(self.root / name))
        return Spec("server", postgres.database_url(self.pg_url, f"{self.prefix}_{name}"))

    def engine(self, name: str = "base", **options: Any) -> Any:
        """A new engine object; several may be at one place, as several users are."""
        if self.kind == "file":
            made: Any = FileEngine(self.root / name, **options)
        else:
            made = ServerEngine(postgres.place_in(self.pg_url, f"{self.prefix}_{name}"), **options)
        self.made.append(made)
        return made

    def staged(self, engine: Any) -> Any:
        made = engine.create()
        self.made.append(made)
        return made

    def base(self, name: str = "base", rows: int = 3, **options: Any) -> Any:
        """An engine on a published base with `rows` goods, codes A1, A2 ..."""
        engine = self.engine(name, **options)
        staged = self.staged(engine)
        fill(staged, [item(n) for n in range(1, rows + 1)])
        engine.publish(staged, replace=False)
        staged.close()
        return engine

    def close(self) -> None:
        for engine in self.made:
            engine.close()


@pytest.fixture(params=["file", "server"])
def kit(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EngineKit]:
    yield from _kit(request, tmp_path, request.param)


@pytest.fixture
def file_kit(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EngineKit]:
    yield from _kit(request, tmp_path, "file")


@pytest.fixture
def server_kit(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EngineKit]:
    yield from _kit(request, tmp_path, "server")


def _kit(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> Iterator[EngineKit]:
    if kind == "file":
        kit = EngineKit("file", tmp_path)
    else:
        kit = EngineKit("server", tmp_path, request.getfixturevalue("pg_url"), request.getfixturevalue("pg_database"))
    yield kit
    kit.close()


@pytest.fixture
def make_engine(kit: EngineKit) -> Callable[..., Any]:
    return kit.engine


# --- small helpers of the tests ---


def dialect_of(engine: Any) -> Dialect:
    return DIALECTS[engine.traits.dialect]


def item(number: int, **changes: Any) -> dict[str, Any]:
    """Canonical values of one row."""
    values: dict[str, Any] = {
        "id": uuid.UUID(int=number),
        "code": f"A{number}",
        "amount": Decimal(number),
        "sold": dt.datetime(2024, 1, 1) + dt.timedelta(days=number),
        "active": bool(number % 2),
        "picture": bytes([number % 256]),
        "line": number,
        "code__search": f"a{number}",
    }
    return values | changes


def encode(engine: Any, values: dict[str, Any]) -> list[Any]:
    """Canonical values -> storage form, in the order of the columns."""
    writers = [dialect_of(engine).writer(c) for c in GOODS.columns]
    given = [values[c.name] for c in GOODS.columns]
    return [w(v) if w else v for w, v in zip(writers, given, strict=True)]


def decode(engine: Any, row: Row) -> dict[str, Any]:
    readers = [dialect_of(engine).reader(c) for c in GOODS.columns]
    return {c.name: r(v) if r else v for c, r, v in zip(GOODS.columns, readers, row, strict=True)}


def insert(engine: Any, values: dict[str, Any]) -> Statement:
    dialect = dialect_of(engine)
    columns = dialect.columns([c.name for c in GOODS.columns])
    return Statement(
        f"INSERT INTO goods ({columns}) VALUES {dialect.values(len(GOODS.columns))}", encode(engine, values)
    )


def fill(engine: Any, items: list[dict[str, Any]]) -> None:
    with engine.transaction(write=True) as tx:
        tx.run([*ddl.create_statements(TABLES, dialect_of(engine)), *(insert(engine, i) for i in items)])


def codes(engine: Any, tx: Any = None) -> list[str]:
    query = Statement("SELECT code FROM goods ORDER BY code")
    if tx is not None:
        return [str(r[0]) for r in tx.run([query])[0]]
    with engine.transaction(write=False) as own:
        return codes(engine, own)


def amount(engine: Any, code: str = "A1") -> Any:
    with engine.transaction(write=False) as tx:
        found = tx.run([Statement(f"SELECT amount FROM goods WHERE code = '{code}'")])[0][0][0]
    reader = dialect_of(engine).reader(GOODS.column("amount"))
    return reader(found) if reader else found


def line(engine: Any, code: str = "A1") -> int:
    """A whole number of one row: stored alike everywhere."""
    with engine.transaction(write=False) as tx:
        return int(tx.run([Statement(f"SELECT line FROM goods WHERE code = '{code}'")])[0][0][0])
