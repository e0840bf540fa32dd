"""Slow clients, guessers of names, a database that goes away, a disk that is full, restores that meet: the others are unharmed, nothing is lost."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from engine_server.application import entry, patience
from engine_server.application.state import worker_at
from engine_server.embedded import _account
from engine_server.remote.session import RemoteSession
from engine_server.wire.protocol import VERSION
from infobase import users
from infobase.connection import connect, engine_of
from infobase.errors import DiskFull, InfobaseError, LoginFailed
from infobase.infobase import dump_logged, open_base, restore_base
from tests.server.conftest import RemotePlace


def test_a_client_that_drips_bytes_is_cut_off(place: RemotePlace) -> None:
    """A byte now and then does not renew the time a body has."""
    place.create()
    with place.session() as session, socket.create_connection(("127.0.0.1", place.cluster.servers[0].port), 10) as s:
        assert isinstance(session, RemoteSession)
        token = session.door.transport.token
        head = f"POST /{place.name}/api/call HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 100\r\n\r\n"
        s.sendall(head.encode())
        s.settimeout(0.4)
        answered, sent = b"", 0
        while not answered and sent < 40:
            s.sendall(b" ")
            sent += 1
            try:
                answered = s.recv(200)
            except TimeoutError:
                continue
        assert b" 400 " in answered
        assert sent < 40


def test_a_head_that_drips_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """The protocol the server runs with, its clock wound to half a second."""
    import uvicorn

    monkeypatch.setattr(patience, "HEAD_SECONDS", 0.5)

    async def nothing(scope: object, receive: object, send: object) -> None:
        raise AssertionError("no request was ever whole")

    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(nothing, http=patience.PatientProtocol, lifespan="off", log_config=None)  # type: ignore[arg-type]
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    try:
        with socket.create_connection(listening.getsockname(), 10) as s:
            s.settimeout(0.1)
            sent = 0
            with pytest.raises((ConnectionError, StopIteration)):
                for sent in range(100):
                    s.sendall(b"GET / HTTP/1.1\r\n" if sent == 0 else b"X")
                    try:
                        if s.recv(100) == b"":
                            raise StopIteration
                    except TimeoutError:
                        continue
            assert 0 < sent < 50
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()


def test_every_failed_login_costs_the_same_work(place: RemotePlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong password, no such user, a disabled one, no name at all: one verification of a hash each, of the same parameters."""
    place.create("Chief")
    with place.session("Chief") as chief:
        chief.users.add("Clerk", "clerk-password", ["Clerk"])
        chief.users.add("Gone", "gone-password", ["Clerk"])
        chief.users.set_enabled("Gone", False)
    verified: list[str] = []
    real = users._verify

    def counting(hasher: users.PasswordHasher, stored: str, password: str) -> bool:
        verified.append("$".join((stored or users._decoy(hasher)).split("$")[:4]))
        return real(hasher, stored, password)

    monkeypatch.setattr(users, "_verify", counting)
    worker = worker_at(place.cluster.servers[0].folder)
    try:
        for user in ("Clerk", "Nobody", "Gone", ""):
            before = len(verified)
            with pytest.raises(LoginFailed):
                asked = {"user": user, "password": "wrong", "protocol": VERSION}
                entry.login(worker, place.name, asked, f"10.0.0.{before}")
            assert len(verified) == before + 1, user
        assert len(set(verified)) == 1
    finally:
        worker.close()


def test_a_database_that_vanishes_and_returns(place: RemotePlace) -> None:
    """The call that meets it waits and goes on; nothing is lost or doubled."""
    place.create()
    hidden = f"{place.name}_away"
    with place.session() as session, psycopg.connect(place.cluster.pg_url, autocommit=True) as conn:
        session.catalogs.Goods.new(Description="До").write()
        conn.execute(f"ALTER DATABASE {place.name} ALLOW_CONNECTIONS false")
        conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [place.name])
        time.sleep(0.2)
        conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [place.name])
        conn.execute(f"ALTER DATABASE {place.name} RENAME TO {hidden}")
        failed: list[BaseException] = []

        def write() -> None:
            try:
                session.catalogs.Goods.new(Description="Пока не было").write()
            except BaseException as e:
                failed.append(e)

        thread = threading.Thread(target=write)
        thread.start()
        time.sleep(1.5)
        conn.execute(f"ALTER DATABASE {hidden} RENAME TO {place.name}")
        conn.execute(f"ALTER DATABASE {place.name} ALLOW_CONNECTIONS true")
        thread.join(40)
        # A database that is not there at all is told at once; one that is away for a moment is waited for.
        assert all(isinstance(e, InfobaseError) for e in failed)
        session.catalogs.Goods.new(Description="После").write()
        stored = sorted(str(o.Description) for o in session.catalogs.Goods.select())
        assert stored == sorted(["До", "После", *([] if failed else ["Пока не было"])])


@pytest.fixture
def small_disk(pg_url: str) -> Iterator[Path]:
    """A tablespace `small` on a disk of 40 MB; skipped where nothing may be mounted."""
    if os.geteuid() != 0 or os.environ.get("INFOBASE_TEST_PG_URL"):
        pytest.skip("only root can mount a small disk")
    folder = Path(tempfile.mkdtemp(prefix="infobase-test-disk-"))
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(folder)], check=False)
    if mounted.returncode != 0:
        pytest.skip("nothing may be mounted here")
    account = _account()
    os.chown(folder, account.uid, account.gid)
    with psycopg.connect(pg_url, autocommit=True) as conn:
        conn.execute(f"CREATE TABLESPACE small LOCATION '{folder}'")
    yield folder
    with psycopg.connect(pg_url, autocommit=True) as conn:
        for (name,) in conn.execute(
            "SELECT datname FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE spcname = 'small'"
        ).fetchall():
            conn.execute(f"DROP DATABASE {name} WITH (FORCE)")
        conn.execute("DROP TABLESPACE small")
    subprocess.run(["umount", str(folder)], check=True)
    shutil.rmtree(folder)


def test_a_full_disk_under_postgresql(place: RemotePlace, small_disk: Path) -> None:
    """The write that does not fit is refused as such and leaves nothing; reading goes on, and writing when there is room again."""
    place.create()
    with psycopg.connect(place.cluster.pg_url, autocommit=True) as conn:
        conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [place.name])
        conn.execute(f"ALTER DATABASE {place.name} SET TABLESPACE small")
    with place.session() as session:
        session.catalogs.Goods.new(Description="До").write()
        ballast = small_disk / "ballast"
        with pytest.raises(DiskFull):
            for n in range(200):
                free = shutil.disk_usage(small_disk).free
                if free:
                    with ballast.open("ab") as file:
                        file.write(b"x" * max(free - 65536, 0))
                rows = [({"Code": f"{n:03}{k:06}", "Description": "я" * 90}, {}) for k in range(900)]
                session.bulk_write("Catalog.Goods", rows)
        assert session.catalogs.Goods.find_by_description("До") is not None
        ballast.unlink()
        session.catalogs.Goods.new(Description="После").write()
        assert session.catalogs.Goods.find_by_description("После") is not None


def test_two_restores_of_one_base_at_once(place: RemotePlace, tmp_path: Path) -> None:
    """One is done, the other is told; the base is the dump's afterwards."""
    place.create()
    with place.local() as local:
        local.catalogs.Goods.new(Description="Из выгрузки").write()
        dump_logged(local, open_base(local.kernel.engine), tmp_path / "a.dt")
        local.catalogs.Goods.new(Description="Позже").write()
    outcomes: list[str] = []
    barrier = threading.Barrier(2)

    def load() -> None:
        engine = engine_of(place.cluster.connection(place.name))
        try:
            engine.door.sign_in("", "", "Test")  # type: ignore[attr-defined]
            barrier.wait(20)
            restore_base(engine, tmp_path / "a.dt", replace=True)
            outcomes.append("ok")
        except InfobaseError as e:
            outcomes.append(type(e).__name__)
        finally:
            engine.close()

    threads = [threading.Thread(target=load) for _ in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(120)
    assert "ok" in outcomes and len(outcomes) == 2, outcomes
    assert set(outcomes) <= {"ok", "InfobaseLockedExclusively", "SessionEnded", "InfobaseBusy"}, outcomes
    with connect(place.cluster.connection(place.name)) as session:
        assert [str(o.Description) for o in session.catalogs.Goods.select()] == ["Из выгрузки"]
