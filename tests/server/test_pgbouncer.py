"""Behind PgBouncer in transaction mode: nothing relies on the state of a database session."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine_server.application import infobases, vault
from engine_server.application.cluster import ClusterDatabase
from engine_server.embedded import _account
from engine_server.place import ServerPlace
from infobase.connection import connect
from infobase.errors import LockTimeout
from infobase.jobs import history_of
from infobase.session import Session
from infobase.standard_jobs import add_usual_jobs_without_backups
from infobase.storage import LockKey
from tests import postgres
from tests.bases import Place
from tests.server.servers import Server, free_port, make_home

PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed")


@pytest.fixture
def pooler(pg_url: str) -> Iterator[ServerPlace]:
    """Two connections to each database for everybody: whoever counts on his own connection fails at once."""
    there = postgres.place_in(pg_url, "postgres")
    folder = Path(tempfile.mkdtemp(prefix="infobase-test-bouncer-"))
    folder.chmod(0o755)
    account, port = _account(), free_port()
    (folder / "users").write_text(f'"{there.user}" ""\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host={there.host} port={there.port} user={there.user}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        f"auth_file = {folder}/users\npool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 200\n"
    )
    assert PROGRAM is not None
    user = {"user": account.uid, "group": account.gid, "extra_groups": []} if account.name else {}
    log = (folder / "log").open("w")
    process = subprocess.Popen([PROGRAM, str(folder / "pgbouncer.ini")], stdout=log, stderr=log, **user)  # type: ignore[call-overload]
    log.close()
    place = ServerPlace("127.0.0.1", port, "postgres", there.user)
    deadline = time.monotonic() + 20
    while True:
        try:
            postgres.psycopg.connect(place.conninfo()).close()
            break
        except postgres.psycopg.OperationalError:
            assert time.monotonic() < deadline and process.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
    yield place
    process.terminate()
    process.wait(20)
    shutil.rmtree(folder, ignore_errors=True)


def _outcomes(session: Session, count: int) -> list[str]:
    """Of the latest runs, once none of them runs any more."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = [r.outcome for r in history_of(session)]
        if len(found) >= count and "running" not in found:
            return found
        time.sleep(0.2)
    raise AssertionError(found)


def test_a_server_behind_a_transaction_pooler(pooler: ServerPlace, pg_url: str, tmp_path: Path) -> None:
    name, registry = postgres.fresh_name("pb"), postgres.fresh_name("pbc")
    Place(postgres.connection_string(pg_url, name)).create()
    direct = postgres.place_in(pg_url, registry)
    past = f"{pooler.host}:{pooler.port}={direct.host}:{direct.port}"
    home = make_home(tmp_path / "home", direct, pooled=True, direct=past, jobs_seconds=1.0)
    key = vault.load(home)
    (home / "cluster.dsn").write_bytes(key.seal_place(pooler.at(registry)))
    opened = ClusterDatabase(direct, key)
    infobases.register(opened, "shop", pooler.at(name))
    opened.close()
    server = Server(home).start()
    where = f'Srvr="127.0.0.1:{server.port}";Ref="shop"'
    try:
        with connect(where) as one, connect(where) as two:
            goods = one.catalogs.Goods.new(Description="Стол")
            goods.write()
            for session in (one, two, one, two):
                made = session.documents.Receipt.new()
                made.Goods.add(Item=goods.ref, Quantity=1)
                made.post()
            with one.transaction():
                one.lock([LockKey("Catalog.Goods", "1")])
                two.lock_timeout = 1.0
                with pytest.raises(LockTimeout), two.transaction():
                    two.lock([LockKey("Catalog.Goods", "1")])
                made = one.documents.Receipt.new()
                made.Goods.add(Item=goods.ref, Quantity=1)
                made.post()
            assert [r["QuantityBalance"] for r in two.accumulation_registers.Stock.balance()] == [5]
            assert add_usual_jobs_without_backups(one) == ["totals", "classifiers", "log_trim"]
            assert _outcomes(two, 3) == ["succeeded"] * 3, "jobs go past the pooler"
    finally:
        server.stop()
        for database in (name, registry):
            postgres.drop_databases(pg_url, database)
