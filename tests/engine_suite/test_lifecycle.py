"""Create, publish, replace, drop, clone, back up: the old state or the new one, nothing between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infobase.errors import InfobaseBusy, InfobaseExists, InfobaseNotFound, TargetExists
from infobase.storage import LogEntry, LogFilter, Statement
from tests import postgres
from tests.engine_suite.children import child, half_create, hold_session
from tests.engine_suite.conftest import EngineKit, codes, fill, item


def leftovers(kit: EngineKit) -> list[str]:
    """Whatever staged or temporary thing there is of this test."""
    if kit.kind == "file":
        return [p.name for p in (kit.root / "base").glob("*") if ".new" in p.name or ".scratch" in p.name]
    import psycopg

    with psycopg.connect(kit.pg_url) as conn:
        rows = conn.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [kit.prefix]).fetchall()
    return [name for (name,) in rows if "__" in name]


def test_nothing_is_there_before_publish(kit: EngineKit) -> None:
    engine = kit.engine()
    assert not engine.exists()
    staged = kit.staged(engine)
    fill(staged, [item(1)])
    assert not kit.engine().exists()
    engine.publish(staged, replace=False)
    assert kit.engine().exists()
    assert codes(kit.engine()) == ["A1"]
    assert leftovers(kit) == []


def test_a_missing_base_is_not_found(kit: EngineKit) -> None:
    with pytest.raises(InfobaseNotFound), kit.engine().transaction(write=False):
        pass
    with pytest.raises(InfobaseNotFound):
        kit.engine().drop()


def test_a_dropped_stage_leaves_nothing(kit: EngineKit) -> None:
    engine = kit.engine()
    staged = kit.staged(engine)
    fill(staged, [item(1)])
    staged.drop()
    assert not engine.exists()
    assert leftovers(kit) == []
    if kit.kind == "file":
        assert not (kit.root / "base").exists()


def test_publish_refuses_an_existing_base(kit: EngineKit) -> None:
    engine = kit.base()
    staged = kit.staged(engine)
    fill(staged, [item(9)])
    with pytest.raises(InfobaseExists):
        engine.publish(staged, replace=False)
    assert codes(engine) == ["A1", "A2", "A3"]
    staged.drop()
    assert leftovers(kit) == []


def test_replace_switches_whole(kit: EngineKit) -> None:
    engine = kit.base()
    with engine.transaction(write=True) as tx:
        tx.run([Statement("UPDATE goods SET amount = 1")])
    staged = kit.staged(engine)
    fill(staged, [item(9)])
    engine.publish(staged, replace=True)
    assert codes(engine) == codes(kit.engine()) == ["A9"]
    assert leftovers(kit) == []


def test_a_base_in_use_is_neither_replaced_nor_dropped(kit: EngineKit) -> None:
    engine = kit.base()
    with child(hold_session, kit.spec(), "Иванов") as other:
        other.hear()
        staged = kit.staged(engine)
        fill(staged, [item(9)])
        with pytest.raises(InfobaseBusy) as busy:
            engine.publish(staged, replace=True)
        if kit.kind == "file":
            assert "Иванов" in str(busy.value)
        with pytest.raises(InfobaseBusy):
            engine.drop()
        staged.drop()
        other.finish()
    assert codes(engine) == ["A1", "A2", "A3"]


def test_drop_removes_everything_of_ours(kit: EngineKit) -> None:
    engine = kit.base()
    engine.event_log().append([LogEntry(item(1)["sold"], "_$Session$_.Start")])
    if kit.kind == "file":
        (kit.root / "base" / "notes.txt").write_text("mine")
    engine.drop()
    assert not engine.exists()
    if kit.kind == "file":
        assert [p.name for p in (kit.root / "base").iterdir()] == ["notes.txt"]


def test_the_stage_of_a_killed_process_is_swept(kit: EngineKit) -> None:
    with child(half_create, kit.spec()) as maker:
        maker.hear()
        assert leftovers(kit)
        living = kit.staged(kit.engine())
        assert len({n.partition(".new")[0] for n in leftovers(kit)}) == 2, "a living maker's work stays"
        living.drop()
        maker.kill()
    kit.staged(kit.engine()).drop()
    assert leftovers(kit) == []
    assert not kit.engine().exists()


def test_clone(kit: EngineKit) -> None:
    golden = kit.base("golden")
    engine = kit.engine()
    staged = engine.clone_from(golden)
    kit.made.append(staged)
    engine.publish(staged, replace=False)
    with engine.transaction(write=True) as tx:
        tx.run([Statement("DELETE FROM goods WHERE code = 'A1'")])
    assert codes(engine) == ["A2", "A3"]
    assert codes(golden) == ["A1", "A2", "A3"]
    assert list(engine.event_log().read(LogFilter())) == []


def test_backup_and_load(kit: EngineKit, tmp_path: Path) -> None:
    engine = kit.base()
    target = tmp_path / "copies" / "monday"
    engine.backup(target)
    with engine.transaction(write=True) as tx:
        tx.run([Statement("DELETE FROM goods")])
    with pytest.raises(TargetExists):
        engine.backup(target)
    other = kit.engine("other")
    staged = other.load_backup(target)
    kit.made.append(staged)
    other.publish(staged, replace=False)
    assert codes(other) == ["A1", "A2", "A3"]
    with pytest.raises(InfobaseNotFound):
        other.load_backup(tmp_path / "nowhere")
    assert [p.name for p in target.parent.iterdir()] == ["monday"]


def test_close_is_idempotent_and_reopens(kit: EngineKit) -> None:
    engine = kit.base()
    assert codes(engine)
    engine.close()
    engine.close()
    assert codes(engine)


def test_check_and_size(kit: EngineKit) -> None:
    engine = kit.base()
    faults: list[Any] = [f for f in engine.check() if f.severity == "error"]
    expected = {f"server.{name}" for name in ("fsync", "full_page_writes")} if kit.kind == "server" else set()
    given = bool(postgres.os.environ.get("INFOBASE_TEST_PG_URL"))
    assert {f.code for f in faults} == (set() if given else expected), (
        "the test cluster runs without fsync, and check says so"
    )
    assert engine.size().bytes > 0
