"""Waiting for locks: limits, who holds them, order, processes that die, exclusive mode, many writers."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack

import pytest

from infobase.errors import InfobaseBusy, InfobaseLockedExclusively, LockTimeout
from infobase.storage import LockKey, Statement
from tests.engine_suite.children import child, hold_session, hold_write, post_many, session_info
from tests.engine_suite.conftest import EngineKit, line


def test_a_writer_waits_its_limit_and_is_told_who_holds_the_lock(kit: EngineKit) -> None:
    engine = kit.base()
    with child(hold_write, kit.spec(), "Иванов", "A1") as other:
        other.hear()
        with pytest.raises(LockTimeout) as refused, engine.transaction(write=True, timeout=0.5) as tx:
            engine.lock(tx, [LockKey("Stock", "A1")], timeout=0.5)
        assert "Иванов" in str(refused.value)
        other.finish()
    with engine.transaction(write=True, timeout=5) as tx:
        engine.lock(tx, [LockKey("Stock", "A1")])
    assert line(engine) == 7


def test_a_row_being_changed_is_waited_for_too(kit: EngineKit) -> None:
    engine = kit.base()
    with child(hold_write, kit.spec(), "Иванов") as other:
        other.hear()
        with pytest.raises(LockTimeout) as refused, engine.transaction(write=True, timeout=0.7) as tx:
            tx.run([Statement("UPDATE goods SET line = 8 WHERE code = 'A1'")])
        assert "Иванов" in str(refused.value)
        other.finish()


def test_the_locks_of_a_killed_process_are_free_and_its_work_is_gone(kit: EngineKit) -> None:
    engine = kit.base()
    before = line(engine)
    with child(hold_write, kit.spec(), "Иванов", "A1") as other:
        other.hear()
        other.kill()
    with engine.transaction(write=True, timeout=10) as tx:
        engine.lock(tx, [LockKey("Stock", "A1")], timeout=10)
    assert line(engine) == before


def test_readers_do_not_wait_for_writers(kit: EngineKit) -> None:
    engine = kit.base()
    with child(hold_write, kit.spec(), "Иванов") as other:
        other.hear()
        assert line(engine) == 1
        other.finish()


def test_shared_locks_go_together_where_there_are_several_writers(server_kit: EngineKit) -> None:
    engine, second = server_kit.base(), server_kit.engine()
    key = [LockKey("Stock", "A1")]
    with engine.transaction(write=True) as one:
        engine.lock(one, key, shared=True)
        with second.transaction(write=True) as two:
            second.lock(two, key, shared=True, timeout=1)
        with pytest.raises(LockTimeout), second.transaction(write=True) as two:
            second.lock(two, key, timeout=0.3)


def test_locks_of_other_values_do_not_meet(server_kit: EngineKit) -> None:
    engine, second = server_kit.base(), server_kit.engine()
    with engine.transaction(write=True) as one, second.transaction(write=True) as two:
        engine.lock(one, [LockKey("Stock", "A1")])
        second.lock(two, [LockKey("Stock", "A2"), LockKey("Sales", "A1")], timeout=1)


def test_exclusive_mode_waits_for_nobody_and_names_the_others(kit: EngineKit) -> None:
    engine = kit.base()
    with child(hold_session, kit.spec(), "Иванов") as other:
        other.hear()
        with (
            engine.open_session(session_info("Админ")),
            pytest.raises(InfobaseBusy) as busy,
            engine.exclusive(0.2),
        ):
            pass
        assert "Иванов" in str(busy.value)
        other.finish()
    with engine.open_session(session_info("Админ")), engine.exclusive(5):
        pass


def test_nobody_enters_a_base_in_exclusive_mode(kit: EngineKit) -> None:
    engine = kit.base()
    with child(hold_session, kit.spec(), "Админ", True) as other:
        other.hear()
        with pytest.raises(InfobaseLockedExclusively) as refused, engine.open_session(session_info("Иванов")):
            pass
        assert "Админ" in str(refused.value)
        other.kill()
    with kit.engine().open_session(session_info("Иванов")):
        pass


def test_sessions_are_numbered_seen_and_swept_when_their_process_dies(kit: EngineKit) -> None:
    engine = kit.base()
    with child(hold_session, kit.spec(), "Иванов") as other:
        number = other.hear()
        with engine.open_session(session_info("Петров")) as own:
            assert own.number != number
            assert {s.user for s in engine.sessions()} == {"Иванов", "Петров"}
            other.kill()
            deadline = time.monotonic() + 10
            while len(engine.sessions()) > 1 and time.monotonic() < deadline:
                time.sleep(0.05)
            assert [s.user for s in engine.sessions()] == ["Петров"]
    assert engine.sessions() == []


def test_many_writers_are_all_served(kit: EngineKit) -> None:
    engine = kit.base()
    before = line(engine)
    with ExitStack() as stack:
        writers = [stack.enter_context(child(post_many, kit.spec(), 1.5)) for _ in range(4)]
        for w in writers:
            w.hear()
        for w in writers:
            w.say()
        served = [w.hear()[0] for w in writers]
        for w in writers:
            w.finish()
    assert all(served)
    assert line(engine) == before + sum(served), "every acknowledged change is there, and nothing else"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_opens_its_own_connections(kit: EngineKit) -> None:
    engine = kit.base()
    line(engine)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            with engine.transaction(write=True, timeout=5) as tx:
                tx.run([Statement("UPDATE goods SET line = 5 WHERE code = 'A1'")])
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert line(engine) == 5
    with engine.transaction(write=True) as tx:
        tx.run([Statement("UPDATE goods SET line = 6 WHERE code = 'A1'")])
    assert line(engine) == 6
