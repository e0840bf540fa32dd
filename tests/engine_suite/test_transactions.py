"""Commit, rollback, isolation, and the same errors on every engine."""

from __future__ import annotations

from decimal import Decimal

import pytest

from infobase.errors import NotUnique, NumberOverflow, ReadOnlyTransaction
from infobase.storage import Statement
from tests.engine_suite.conftest import EngineKit, amount, codes, insert, item


def test_commit_and_rollback(kit: EngineKit) -> None:
    engine = kit.base()
    with engine.transaction(write=True) as tx:
        results = tx.run(
            [
                insert(engine, item(4)),
                Statement("SELECT code FROM goods WHERE line = 4"),
                Statement("SELECT 1 WHERE 1 = 0"),
            ]
        )
    assert results == [[], [("A4",)], []]
    with pytest.raises(KeyError), engine.transaction(write=True) as tx:
        tx.run([insert(engine, item(5))])
        raise KeyError
    assert codes(kit.engine()) == ["A1", "A2", "A3", "A4"]


def test_a_batch_is_one_round_trip(kit: EngineKit) -> None:
    engine = kit.base()
    with engine.transaction(write=True) as tx:
        tx.run([insert(engine, item(n)) for n in range(10, 15)])
        assert (tx.round_trips, tx.statements) == (1, 5)
        tx.run([Statement("SELECT 1")])
        assert (tx.round_trips, tx.statements) == (2, 6)


def test_a_reader_keeps_its_snapshot(kit: EngineKit) -> None:
    engine, writer = kit.base(), kit.engine()
    with engine.transaction(write=False) as tx:
        assert codes(engine, tx) == ["A1", "A2", "A3"]
        with writer.transaction(write=True) as other:
            other.run([insert(writer, item(4))])
        assert codes(engine, tx) == ["A1", "A2", "A3"]
    assert codes(engine) == ["A1", "A2", "A3", "A4"]


def test_uncommitted_work_is_invisible(kit: EngineKit) -> None:
    engine = kit.base()
    with engine.transaction(write=True) as tx:
        tx.run([insert(engine, item(4))])
        assert codes(engine) == ["A1", "A2", "A3"]


def test_a_reader_cannot_write(kit: EngineKit) -> None:
    engine = kit.base()
    with pytest.raises(ReadOnlyTransaction), engine.transaction(write=False) as tx:
        tx.run([insert(engine, item(4))])
    assert codes(engine) == ["A1", "A2", "A3"]


def test_a_repeated_value_names_the_index(kit: EngineKit) -> None:
    engine = kit.base()
    with pytest.raises(NotUnique) as unique, engine.transaction(write=True) as tx:
        tx.run([insert(engine, item(4, code="A1"))])
    assert unique.value.fields["field"] == "ux_goods_code"
    assert unique.value.fields["object"] == "goods"
    with pytest.raises(NotUnique) as key, engine.transaction(write=True) as tx:
        tx.run([insert(engine, item(1, code="B"))])
    assert key.value.fields["field"] == "pk_goods"


def test_after_a_failed_statement_nothing_of_the_transaction_stays(kit: EngineKit) -> None:
    engine = kit.base()
    with pytest.raises(NotUnique), engine.transaction(write=True) as tx:
        tx.run([insert(engine, item(4))])
        with pytest.raises(NotUnique):
            tx.run([insert(engine, item(5, code="A1"))])
        with pytest.raises(NotUnique):
            tx.run([Statement("SELECT 1")])
    assert codes(engine) == ["A1", "A2", "A3"]


def test_too_many_digits_are_refused(kit: EngineKit) -> None:
    engine = kit.base()
    with pytest.raises(NumberOverflow), engine.transaction(write=True) as tx:
        tx.run([insert(engine, item(4, amount=Decimal(10) ** 15))])


def test_stream_is_lazy_and_whole(kit: EngineKit) -> None:
    engine = kit.base(rows=50)
    with engine.transaction(write=False) as tx:
        rows = tx.stream(Statement("SELECT a.line FROM goods a, goods b ORDER BY a.line"))
        assert next(iter(rows)) == (1,)
        assert len(list(rows)) == 2499


def test_actions_after_commit(kit: EngineKit) -> None:
    engine = kit.base()
    seen: list[object] = []
    with engine.transaction(write=True) as tx:
        tx.run([Statement("UPDATE goods SET amount = 5 WHERE code = 'A1'")])
        tx.after_commit(lambda: seen.append(amount(engine)))
        assert seen == []
    assert [int(v) for v in seen] == ([5] if kit.kind == "server" else [0]), "SQLite holds 5 thousandths here"  # type: ignore[call-overload]
    with pytest.raises(KeyError), engine.transaction(write=True) as tx:
        tx.after_commit(lambda: seen.append("never"))
        raise KeyError
    assert "never" not in seen


def test_bulk_load_shares_the_transaction(kit: EngineKit) -> None:
    from tests.engine_suite.conftest import GOODS, encode

    engine = kit.base()
    rows = [encode(engine, item(n)) for n in range(100, 1100)]
    with engine.transaction(write=True) as tx:
        assert engine.bulk_load(tx, GOODS, iter(rows)) == 1000
        assert len(codes(engine, tx)) == 1003
    with pytest.raises(NotUnique), engine.transaction(write=True) as tx:
        engine.bulk_load(tx, GOODS, [encode(engine, item(2000)), encode(engine, item(100))])
    assert len(codes(engine)) == 1003
