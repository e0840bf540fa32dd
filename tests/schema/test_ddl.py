"""Tables as data become tables of both engines: the same defaults, order and limits."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
import sqlalchemy as sa

from infobase.errors import InfobaseError
from infobase.schema.codec import empty_of
from infobase.schema.ddl import create_statements, key_statements, sa_table
from infobase.schema.dialect import DIALECTS
from infobase.schema.layout import SYSTEM_TABLES, build_layout
from infobase.schema.periods import period_start
from infobase.storage import Column, Index, Statement, StorageEngine, Table
from tests.dump.conftest import StoresOf
from tests.dump.sample import configuration

KINDS = Table(
    "kinds",
    (
        Column("key", "text"),
        Column("order", "uuid"),
        Column("amount", "decimal", 18, 3),
        Column("moment", "timestamp"),
        Column("flag", "bool"),
        Column("data", "binary"),
        Column("count", "int"),
    ),
    ("key",),
    (Index("ix_kinds__moment", ("moment", "key")), Index("ux_kinds__order", ("order",), unique=True)),
)
PLAIN = Table("plain", (Column("key", "text"), Column("amount", "decimal", 5, 2)), ("key",))
MODES = ["file", "server"]


def test_sqlalchemy_table_is_one_per_table_and_knows_every_column() -> None:
    made = sa_table(KINDS)
    assert made is sa_table(Table(**vars(KINDS)))
    assert list(made.c.keys()) == [c.name for c in KINDS.columns]
    assert [c.name for c in made.primary_key] == ["key"]
    assert isinstance(made.c["flag"].type, sa.Boolean)
    assert not any(c.nullable for c in made.c)


def test_sqlite_form() -> None:
    text = {t.name: create_statements([t], DIALECTS["sqlite"])[0].sql for t in (KINDS, PLAIN)}
    assert "STRICT" in text["kinds"]
    assert "WITHOUT ROWID" not in text["kinds"]  # it has a binary column
    assert "WITHOUT ROWID" in text["plain"]
    # The key is part of the table even when keys come later: rows are loaded in its order.
    assert "PRIMARY KEY" in create_statements([PLAIN], DIALECTS["sqlite"], keys=False)[0].sql
    assert [s.sql.split()[1] for s in key_statements([KINDS], DIALECTS["sqlite"])] == ["INDEX", "UNIQUE"]


def test_postgresql_form() -> None:
    (made,) = create_statements([KINDS], DIALECTS["postgresql"], keys=False, indexes=False)
    assert "PRIMARY KEY" not in made.sql
    for part in (
        '"key" TEXT COLLATE "C"',
        '"order" UUID',
        "NUMERIC(18, 3)",
        "TIMESTAMP(0) WITHOUT TIME ZONE",
        "BIGINT",
    ):
        assert part in made.sql
    assert made.sql.count("NOT NULL") == made.sql.count("DEFAULT") == 7
    assert "ADD CONSTRAINT" in key_statements([KINDS], DIALECTS["postgresql"])[0].sql


def _made(store: StorageEngine, tables: list[Table]) -> None:
    with store.transaction(write=True) as tx:
        tx.run(create_statements(tables, DIALECTS[store.traits.dialect]))


@pytest.mark.parametrize("mode", MODES)
def test_defaults_are_the_empty_values(stores_of: StoresOf, mode: str) -> None:
    with stores_of(mode).staged() as store:
        _made(store, [KINDS])
        dialect = DIALECTS[store.traits.dialect]
        with store.transaction(write=True) as tx:
            (_, (row,)) = tx.run([Statement("INSERT INTO kinds (key) VALUES ('a')"), Statement("SELECT * FROM kinds")])
        for column, stored in zip(KINDS.columns[1:], row[1:], strict=True):
            reader = dialect.reader(column)
            assert (reader(stored) if reader else stored) == empty_of(column), column


@pytest.mark.parametrize("mode", MODES)
def test_too_many_digits_are_refused(stores_of: StoresOf, mode: str) -> None:
    with stores_of(mode).staged() as store:
        _made(store, [KINDS, PLAIN])
        for table, good in ((KINDS, Decimal("999999999999999.999")), (PLAIN, Decimal("-999.99"))):
            write = DIALECTS[store.traits.dialect].writer(table.column("amount")) or (lambda value: value)
            mark = DIALECTS[store.traits.dialect].placeholder
            insert = f"INSERT INTO {table.name} (key, amount) VALUES ({mark}, {mark})"
            with store.transaction(write=True) as tx:
                tx.run([Statement(insert, ["good", write(good)])])
            step = Decimal("0.001") if table is KINDS else Decimal("0.01")
            with pytest.raises(InfobaseError), store.transaction(write=True) as tx:
                tx.run([Statement(insert, ["bad", write(good + step.copy_sign(good))])])


@pytest.mark.parametrize("mode", MODES)
def test_whole_layout_is_created_and_text_sorts_by_bytes(stores_of: StoresOf, mode: str) -> None:
    layout = build_layout(configuration())
    words = ["a", "B", "ё", "Я", "я", "Ё", "", "z z", "z-z", "𝄞", "_"]
    with stores_of(mode).staged() as store:
        _made(store, list(layout.tables))
        mark = DIALECTS[store.traits.dialect].placeholder
        with store.transaction(write=True) as tx:
            tx.run([Statement(f"INSERT INTO sys_settings (key) VALUES ({mark})", [w]) for w in words])
            ((rows),) = tx.run([Statement("SELECT key FROM sys_settings ORDER BY key")])
    assert [row[0] for row in rows] == sorted(words, key=lambda w: w.encode())


def test_two_versions_of_a_table_do_not_mix() -> None:
    wider = Table("plain", (*PLAIN.columns, Column("more", "text")), ("key",))
    assert "more" not in sa_table(PLAIN).c
    assert "more" in sa_table(wider).c


def test_system_tables_hold_no_foreign_names() -> None:
    for table in SYSTEM_TABLES.values():
        assert set(table.primary_key) <= {c.name for c in table.columns}


@pytest.mark.parametrize(
    ("periodicity", "begin"),
    [
        ("", dt.datetime(1, 1, 1)),
        ("Day", dt.datetime(2024, 8, 31)),
        ("Month", dt.datetime(2024, 8, 1)),
        ("Quarter", dt.datetime(2024, 7, 1)),
        ("Year", dt.datetime(2024, 1, 1)),
    ],
)
def test_period_start(periodicity: str, begin: dt.datetime) -> None:
    assert period_start(dt.datetime(2024, 8, 31, 23, 59, 59), periodicity) == begin
