"""Logins, tokens and their ends, throttling, blocks, limits, interrupts, locks - over two processes behind a proxy."""

from __future__ import annotations

import threading
import time
import uuid

import pytest

from engine_server.application import logins
from engine_server.application.settings import ServerSettings
from engine_server.remote.session import RemoteSession
from engine_server.wire import values
from infobase.connection import connect
from infobase.errors import (
    AccessDenied,
    CallInterrupted,
    InfobaseNotFound,
    LockTimeout,
    LoginFailed,
    LoginThrottled,
    NotOverTheWire,
    ObjectLocked,
    SessionEnded,
    SessionsBlocked,
    TransactionExpired,
    VersionConflict,
)
from infobase.session import Session
from infobase.storage import LockKey, LogFilter, Statement
from tests.server.conftest import RemotePlace
from tests.server.servers import Cluster


@pytest.fixture
def peopled(place: RemotePlace) -> RemotePlace:
    """A base with an administrator without a password, and a clerk who may little."""
    place.create("Chief")
    with place.session("Chief") as chief:
        chief.users.add("Clerk", "clerk-password", ["Clerk"])
    return place


def token_of(session: Session) -> str:
    assert isinstance(session, RemoteSession)
    return session.door.transport.token


def test_a_token_is_new_at_every_login_and_no_secret_is_stored(peopled: RemotePlace) -> None:
    with peopled.session("Chief") as one, peopled.session("Chief") as two:
        tokens = {token_of(one), token_of(two)}
        assert len(tokens) == 2
        with peopled.cluster.registry() as opened:
            stored = opened.rows("SELECT token_hash FROM cluster.sessions")
            assert not any(t.encode() in bytes(h) for (h,) in stored for t in tokens)
            dsns = opened.rows("SELECT dsn::text FROM cluster.infobases WHERE name = %s", [peopled.name])
            assert peopled.name.encode().hex() not in str(dsns)


def test_wrong_names_and_wrong_passwords_look_alike(peopled: RemotePlace) -> None:
    said = []
    for user, password in (("Clerk", "wrong"), ("Nobody", "wrong"), ("", "x")):
        with pytest.raises(LoginFailed) as e:
            peopled.session(user, password)
        said.append(str(e.value))
    assert len(set(said)) == 1
    with peopled.session("Chief") as chief:
        entries = chief.kernel.engine.event_log().read(LogFilter(events=["_$Session$_.AuthenticationError"]))
        assert [e.user for e in entries][:2] == ["Clerk", "Nobody"]


def test_an_unknown_base_is_named(cluster: Cluster) -> None:
    with pytest.raises(InfobaseNotFound):
        connect(cluster.connection("no-such-base"))


def test_a_guesser_waits_and_an_honest_user_of_another_name_does_not(peopled: RemotePlace) -> None:
    for _ in range(5):
        with pytest.raises(LoginFailed):
            peopled.session("Clerk", "guess")
    with pytest.raises(LoginThrottled):
        peopled.session("Clerk", "clerk-password")
    with peopled.session("Chief"):
        pass


@pytest.mark.parametrize("change", ["password", "roles", "disable", "remove"])
def test_a_token_dies_with_what_it_rests_on(peopled: RemotePlace, change: str) -> None:
    clerk = peopled.session("Clerk", "clerk-password")
    clerk.catalogs.Goods.find_by_code("1")
    with peopled.session("Chief") as chief:
        match change:
            case "password":
                chief.users.set_password("Clerk", "another-one")
            case "roles":
                chief.users.set_roles("Clerk", ["Administrator"])
            case "disable":
                chief.users.set_enabled("Clerk", False)
            case "remove":
                chief.users.remove("Clerk")
    with pytest.raises(SessionEnded):
        clerk.catalogs.Goods.find_by_code("1")
    clerk.close()


def test_a_change_through_another_door_is_seen(peopled: RemotePlace) -> None:
    clerk = peopled.session("Clerk", "clerk-password")
    with peopled.local("Chief") as chief:
        chief.users.set_password("Clerk", "another-one")
    time.sleep(1.1)
    with pytest.raises(SessionEnded):
        clerk.catalogs.Goods.find_by_code("1")
    clerk.close()


def test_forged_replayed_and_foreign_tokens(peopled: RemotePlace, cluster: Cluster) -> None:
    session = peopled.session("Chief")
    assert isinstance(session, RemoteSession)
    transport, good = session.door.transport, token_of(session)
    for forged in ("", "x", good[:-1] + ("A" if good[-1] != "A" else "B"), good * 2, "' OR 1=1 --"):
        transport.token = forged
        with pytest.raises(SessionEnded):
            session.catalogs.Goods.find_by_code("1")
    transport.token = good
    cluster.register("twin", peopled.name)
    try:
        transport.ref = "twin"
        with pytest.raises(SessionEnded):
            session.catalogs.Goods.find_by_code("1")
    finally:
        transport.ref = peopled.name
        cluster.forget("twin")
    session.close()
    transport.token = good
    with pytest.raises(SessionEnded) as e:
        session.door.answer("presentations", {"refs": []})
    assert e.value.fields["detail"] == logins.REASONS["closed"]


def test_sessions_denied_end_sessions_and_the_code_lets_in(peopled: RemotePlace, cluster: Cluster) -> None:
    present = peopled.session("Chief")
    assert isinstance(present, RemoteSession)
    changes = {"sessions_deny": True, "denied_message": "обновление", "permission_code": "123"}
    present.door.administer("infobase_update", {"name": peopled.name, "changes": changes})
    with pytest.raises(SessionEnded):
        present.catalogs.Goods.find_by_code("1")
    with pytest.raises(SessionsBlocked) as e:
        peopled.session("Chief")
    assert "обновление" in str(e.value)
    with connect(cluster.connection(peopled.name), "Chief", permission_code="123") as let_in:
        let_in.catalogs.Goods.find_by_code("1")
        assert isinstance(let_in, RemoteSession)
        over = {"sessions_deny": True, "denied_to": "2001-01-01T00:00:00"}
        let_in.door.administer("infobase_update", {"name": peopled.name, "changes": over})
    with peopled.session("Chief"):
        pass


def test_idle_and_old_sessions_end(peopled: RemotePlace) -> None:
    for column, ago in (("last_active", "3 hours"), ("started", "25 hours")):
        session = peopled.session("Chief")
        with peopled.cluster.registry() as opened:
            opened.run(
                f"UPDATE cluster.sessions SET {column} = {column} - interval '{ago}' WHERE id = %s", [session.info.id]
            )
        with pytest.raises(SessionEnded):
            session.catalogs.Goods.find_by_code("1")
        session.close()


def test_the_list_terminates_and_interrupts(peopled: RemotePlace) -> None:
    with peopled.session("Chief") as chief:
        assert isinstance(chief, RemoteSession)
        blocker = peopled.local("Chief")
        raised: list[BaseException] = []

        def wait_for_lock() -> None:
            with peopled.session("Clerk", "clerk-password") as clerk:
                try:
                    with clerk.transaction():
                        clerk.lock([LockKey("Catalog.Goods", "1")])
                except BaseException as e:
                    raised.append(e)

        with blocker.transaction():
            blocker.lock([LockKey("Catalog.Goods", "1")])
            waiting = threading.Thread(target=wait_for_lock)
            waiting.start()
            shown = _until(
                lambda: [s for s in chief.door.administer("session_list", {}) if s["current-call"] == "lock"]
            )
            assert shown[0]["user-name"] == "Clerk" and shown[0]["duration-current"] > 0
            queue = chief.door.administer("lock_list", {"name": peopled.name})
            assert any(not lock["granted"] and lock["session-id"] == shown[0]["session-id"] for lock in queue)
            chief.door.administer("session_interrupt", {"session": shown[0]["session-id"], "message": "хватит"})
            waiting.join(15)
            assert not waiting.is_alive()
        blocker.close()
        assert isinstance(raised[0], CallInterrupted) and "хватит" in str(raised[0])
        victim = peopled.session("Clerk", "clerk-password")
        chief.door.administer("session_terminate", {"session": str(victim.info.id), "message": "обед"})
        with pytest.raises(SessionEnded) as e:
            victim.catalogs.Goods.find_by_code("1")
        assert "обед" in str(e.value)
        victim.close()


def _until(ask):  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        found = ask()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("it never came")


def test_a_lock_timeout_names_the_holder(peopled: RemotePlace) -> None:
    with peopled.session("Chief") as chief, peopled.session("Clerk", "clerk-password") as clerk:
        with chief.transaction():
            chief.lock([LockKey("Catalog.Goods", "1")])
            clerk.lock_timeout = 1.5
            with pytest.raises(LockTimeout) as e, clerk.transaction():
                clerk.lock([LockKey("Catalog.Goods", "1")])
        assert "Chief" in str(e.value.fields["holder"])


def test_shared_locks_share_and_dimensions_part(peopled: RemotePlace) -> None:
    with peopled.session("Chief") as one, peopled.session("Chief") as two, one.transaction(), two.transaction():
        one.lock([LockKey("Catalog.Goods", "1")], shared=True)
        two.lock([LockKey("Catalog.Goods", "1")], shared=True)
        two.lock([LockKey("Catalog.Goods", "2")])


def test_edit_locks_have_an_owner_and_an_end(peopled: RemotePlace) -> None:
    with peopled.session("Chief") as one, peopled.session("Chief") as two:
        assert isinstance(one, RemoteSession) and isinstance(two, RemoteSession)
        item = one.catalogs.Goods.new(Description="Стол")
        item.write()
        one.lock_object(item)
        one.lock_object(item)
        mine, theirs = one.catalogs.Goods.get(item.ref), two.catalogs.Goods.get(item.ref)
        with pytest.raises(ObjectLocked) as e:
            two.lock_object(theirs)
        assert "Chief" in str(e.value)
        theirs.Description = "Стул"
        with pytest.raises(ObjectLocked):
            theirs.write()
        mine.Description = "Шкаф"
        mine.write()
        with peopled.cluster.registry() as opened:
            opened.run("UPDATE cluster.object_locks SET renewed = renewed - interval '1 hour'")
        two.lock_object(theirs)
        with pytest.raises(VersionConflict):
            theirs.write()
        two.unlock_object(theirs)
        one.lock_object(item)


def test_an_idle_transaction_is_rolled_back(peopled: RemotePlace) -> None:
    with peopled.session("Chief") as session:
        with pytest.raises(TransactionExpired), session.transaction():
            item = session.catalogs.Goods.new(Description="Забытый")
            item.write()
            time.sleep(5)
            item.Description = "Поздно"
            item.write()
        assert session.catalogs.Goods.find_by_description("Забытый") is None
        assert item.is_new


def test_a_change_repeated_after_a_lost_answer_happens_once(peopled: RemotePlace) -> None:
    with peopled.session("Chief") as session:
        assert isinstance(session, RemoteSession)
        from engine_server.wire.objects import change_to_json

        item = session.catalogs.Goods.new(Description="Один раз")
        asked = {"call": "write", "args": {"object": change_to_json(item)}, "key": str(uuid.uuid4())}
        path = session.door.transport.path("call")
        first = session.door.transport.post(path, asked, repeat=False)
        second = session.door.transport.post(path, asked, repeat=False)
        assert first["result"]["values"]["Code"] == second["result"]["values"]["Code"]
        threads = []
        asked["key"] = str(uuid.uuid4())
        asked["args"] = {"object": change_to_json(session.catalogs.Goods.new(Description="Вместе"))}
        answers: list[object] = []

        def send() -> None:
            from engine_server.remote.transport import Transport

            own = Transport(session.door.transport.addresses, peopled.name)
            own.token = session.door.transport.token
            answers.append(own.post(path, asked, repeat=False)["result"]["values"]["Code"])
            own.close()

        threads = [threading.Thread(target=send) for _ in range(6)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert len(answers) == 6 and len(set(map(str, answers))) == 1
        assert len(list(session.catalogs.Goods.select({"Description": "Вместе"}))) == 1
        assert len(list(session.catalogs.Goods.select({"Description": "Один раз"}))) == 1


def test_a_repeat_of_what_has_happened_is_never_refused(peopled: RemotePlace) -> None:
    """The object has moved on, or somebody edits it: the change was made all the same, and its repeat says so."""
    from engine_server.wire.objects import change_to_json

    with peopled.session("Chief") as session, peopled.session("Chief") as other:
        assert isinstance(session, RemoteSession) and isinstance(other, RemoteSession)
        path, post = session.door.transport.path("call"), session.door.transport.post
        item = session.catalogs.Goods.new(Description="Первый")
        item.write()
        item.Description = "Второй"
        asked = {"call": "write", "args": {"object": change_to_json(item)}, "key": str(uuid.uuid4())}

        def version() -> object:
            return values.decode(post(path, asked, repeat=False)["result"]["values"]["DataVersion"])

        assert [version(), version()] == [2, 2], "the version it saw is gone"
        theirs = other.catalogs.Goods.get(item.ref)
        other.lock_object(theirs)
        assert version() == 2, "somebody else edits it"
        with pytest.raises(ObjectLocked):
            post(path, {**asked, "key": str(uuid.uuid4())}, repeat=False)
        other.unlock_object(theirs)
        with pytest.raises(VersionConflict):
            post(path, {**asked, "key": str(uuid.uuid4())}, repeat=False)


def test_a_key_of_another_user_opens_nothing(peopled: RemotePlace) -> None:
    key = str(uuid.uuid4())
    asked = {"call": "bulk_write", "key": key}
    asked["args"] = {"type": "Catalog.Goods", "objects": [{"values": {"Description": "Партия"}, "sections": {}}]}  # type: ignore[assignment]
    with peopled.session("Chief") as chief, peopled.session("Clerk", "clerk-password") as clerk:
        assert isinstance(chief, RemoteSession) and isinstance(clerk, RemoteSession)
        path = chief.door.transport.path("call")
        assert chief.door.transport.post(path, asked, repeat=False)["result"] == 1
        assert chief.door.transport.post(path, asked, repeat=False)["result"] == 1
        with pytest.raises(AccessDenied):
            clerk.door.transport.post(path, asked, repeat=False)
        assert len(chief.find_refs("Catalog.Goods", {"Description": "Партия"})) == 1


def test_sql_does_not_travel(peopled: RemotePlace) -> None:
    with peopled.session("Chief") as session, session.reading() as tx:
        with pytest.raises(NotOverTheWire):
            tx.run([Statement("SELECT 1")])
        with pytest.raises(NotOverTheWire):
            list(tx.stream(Statement("SELECT 1")))


def test_who_may_not_gets_nothing_and_is_noted(peopled: RemotePlace, tmp_path) -> None:  # type: ignore[no-untyped-def]
    from infobase import infobase as bases
    from infobase.connection import engine_of, sign_in
    from infobase.connection_string import parse

    with peopled.session("Clerk", "clerk-password") as clerk:
        with pytest.raises(AccessDenied):
            clerk.users.all()
        for name in ("engine_size", "engine_check", "sessions", "log_append"):
            with pytest.raises(AccessDenied):
                clerk.door.answer(name, {"entries": []})  # type: ignore[attr-defined]
        with pytest.raises(AccessDenied):
            clerk.door.call("served", {"function": "infobase.infobase.describe", "arguments": {}})  # type: ignore[attr-defined]
    engine = engine_of(parse(peopled.cluster.connection(peopled.name)))
    base, session = sign_in(engine, "Clerk", "clerk-password", "Test")
    with pytest.raises(AccessDenied):
        bases.dump_logged(session, base, tmp_path / "stolen.dt")
    session.access = type(session.access).full(session.kernel.configuration)  # a client that lies to itself
    with pytest.raises(AccessDenied):
        bases.dump_logged(session, base, tmp_path / "stolen.dt")
    session.close()
    assert not list(tmp_path.glob("*.dt*"))
    with peopled.session("Chief") as chief:
        denied = list(chief.kernel.engine.event_log().read(LogFilter(events=["_$Access$_.AccessDenied"])))
        assert len(denied) >= 6 and {e.user for e in denied} == {"Clerk"}


def test_limits_are_kept_per_user_and_address() -> None:
    assert len(set(logins._keys("crm", "А", "10.0.0.1") + logins._keys("crm", "а ", "10.0.0.2"))) == 5


def test_a_clock_set_back_lets_nothing_last_longer(peopled: RemotePlace) -> None:
    """Sessions, locks and counts of failures from "later" than now end as if they were of now."""
    with peopled.session("Chief") as chief:
        assert isinstance(chief, RemoteSession)
        item = chief.catalogs.Goods.new(Description="Стол")
        item.write()
        chief.lock_object(item)
        with peopled.cluster.registry() as opened:
            opened.run(
                "UPDATE cluster.sessions SET started = started + interval '5 days', last_active = last_active + interval '5 days'"
            )
            opened.run(
                "UPDATE cluster.object_locks SET taken = taken + interval '3 hours', renewed = renewed + interval '3 hours'"
            )
            opened.run(
                "INSERT INTO cluster.login_failures (key, at) VALUES ('x', now() AT TIME ZONE 'UTC' + interval '1 day')"
            )
            logins.tidy(opened, ServerSettings())
            found = opened.row(
                "SELECT max(greatest(s.started, s.last_active, l.taken, l.renewed, f.at)) FROM cluster.sessions s, "
                "cluster.object_locks l, cluster.login_failures f"
            )
        assert found is not None and found[0] <= logins.utc_now()
        chief.catalogs.Goods.get(item.ref)
