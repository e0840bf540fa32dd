"""Primary and standby: queries from the standby that show one's own writes, and a fail-over under load that loses nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine_server.application import infobases, vault
from engine_server.application.cluster import ClusterDatabase
from engine_server.engine import ServerEngine
from engine_server.place import from_url, place_of
from infobase.connection import connect
from infobase.infobase import create
from tests.bases import shop
from tests.server.replication import Pair, replicated
from tests.server.servers import Server, make_home


@pytest.fixture
def pair() -> Iterator[Pair]:
    with replicated() as made:
        yield made


def serve(pair: Pair, folder: Path, *, standby: bool) -> Server:
    """A server over both nodes, with a base of the shop."""
    home = make_home(folder / "home", pair.both.at("cluster"), retry_seconds=30.0)
    engine = ServerEngine(pair.both.at("shop"))
    create(engine, shop(), name="Shop")  # type: ignore[arg-type]
    engine.close()
    registry = ClusterDatabase(pair.both.at("cluster"), vault.load(home))
    aside = pair.only(pair.standby).at("shop") if standby else None
    infobases.register(registry, "shop", pair.both.at("shop"), standby=aside)
    registry.close()
    return Server(home).start()


def test_several_hosts_in_a_dsn() -> None:
    url = from_url("postgresql://u:p@a:5432,b:5433/crm")
    fields = place_of({"DBMS": "PostgreSQL", "DBSrvr": "a,b port=5432,5433", "DB": "crm", "DBUID": "u", "DBPwd": "p"})
    assert url == fields
    conninfo = url.conninfo()
    assert "host=a,b" in conninfo and "port=5432,5433" in conninfo and "target_session_attrs=read-write" in conninfo
    assert place_of({"DBSrvr": "a port=5433", "DB": "crm"}).port == 5433


def test_queries_from_the_standby_show_ones_own_writes(pair: Pair, tmp_path: Path) -> None:
    server = serve(pair, tmp_path, standby=True)
    try:
        with connect(f'Srvr="127.0.0.1:{server.port}";Ref="shop"') as session:
            for n in range(30):
                item = session.catalogs.Goods.new(Description=f"Товар {n}")
                item.write()
                assert session.catalogs.Goods.find_by_description(f"Товар {n}") == item.ref
            with session.transaction():
                item = session.catalogs.Goods.new(Description="В транзакции")
                item.write()
            assert session.catalogs.Goods.find_by_description("В транзакции") == item.ref
        assert _answers_of(pair) > 10, "the standby answered"
    finally:
        server.stop()


def _answers_of(pair: Pair) -> int:
    """Transactions of the shop on the standby; a backend tells its counters with a delay."""
    deadline, answered = time.monotonic() + 20, 0
    with pair.standby.connect() as conn:
        while answered <= 10 and time.monotonic() < deadline:
            time.sleep(0.2)
            asked = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = 'shop'"
            row = conn.execute(asked).fetchone()
            answered = row[0] if row else 0
    return answered


def test_a_fail_over_under_load_loses_and_doubles_nothing(pair: Pair, tmp_path: Path) -> None:
    server = serve(pair, tmp_path, standby=False)
    acknowledged: list[str] = []
    attempted: set[str] = set()
    failed: list[str] = []
    stop = threading.Event()
    mutex = threading.Lock()

    def work(thread: int) -> None:
        with connect(f'Srvr="127.0.0.1:{server.port}";Ref="shop"') as session:
            goods = session.catalogs.Goods.find_by_description("Стол")
            for _ in range(100_000):
                if stop.is_set():
                    return
                made = session.documents.Receipt.new()
                made.Goods.add(Item=goods, Quantity=1)
                with mutex:
                    attempted.add(str(made.ref))
                try:
                    made.post()
                except Exception as e:
                    failed.append(f"{type(e).__name__}: {e}")
                    return
                with mutex:
                    acknowledged.append(str(made.ref))

    try:
        with connect(f'Srvr="127.0.0.1:{server.port}";Ref="shop"') as session:
            session.catalogs.Goods.new(Description="Стол").write()
        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for t in threads:
            t.start()
        time.sleep(1.5)
        before = len(acknowledged)
        pair.primary.kill()
        time.sleep(0.5)
        pair.standby.promote()
        promoted, mark = time.monotonic(), len(acknowledged)
        while len(acknowledged) == mark and time.monotonic() - promoted < 30 and not failed:
            time.sleep(0.01)
        back = time.monotonic() - promoted
        time.sleep(1.5)
        stop.set()
        for t in threads:
            t.join(60)
        assert failed == []
        assert before > 0 and len(acknowledged) > mark, "postings went on"
        print(f"acknowledged {len(acknowledged)}, back {back:.2f} s after the promotion")
        with connect(f'Srvr="127.0.0.1:{server.port}";Ref="shop"') as session:
            stored = [str(o.ref) for o in session.documents.Receipt.select()]
            assert set(acknowledged) <= set(stored), "no acknowledged posting is lost"
            assert len(stored) == len(set(stored)) and set(stored) <= attempted
            balance = session.accumulation_registers.Stock.balance()
            assert [int(r["QuantityBalance"]) for r in balance] == [len(stored)], "and none is counted twice"
    finally:
        stop.set()
        server.stop()
