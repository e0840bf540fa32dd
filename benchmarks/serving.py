"""The application server on loopback: a posting beside the same posting in process, many clients, deep pages, idle sessions."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.harness import Bench, Duel, Figure, Spent, processor_of, spent
from benchmarks.writing import CRM, new_order, sample
from engine_server.application import cluster, infobases, process, vault
from engine_server.application.cluster import ClusterDatabase
from engine_server.application.settings import FILE, ServerHome, ServerSettings, to_toml
from infobase.connection import connect
from infobase.errors import ServerUnavailable
from infobase.infobase import create, open_base, system_session
from infobase.metadata.reader import read_folder
from infobase.objects import DocumentObject
from infobase.query_model import Compare, OrderItem, Query, SelectItem
from infobase.session import Session

CHUNK, ROUNDS = 25, 12
CLIENTS, CROWD = 16, 64
PAGE, PAGES = 50, 60
IDLE = 500
_BULK = 20_000


@dataclass(frozen=True)
class Served:
    """A running server. `pid`: of its process, workers included as its children."""

    pid: int
    place: str

    def cpu(self) -> float:
        return processor_of(self.pid)

    def memory(self) -> int:
        """Bytes of its own memory, all processes together."""
        pages = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == self.pid or stat.parent.name == str(self.pid):
                pages += int(fields[21])
        return pages * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def _served(bench: Bench, workers: int) -> Iterator[Served]:
    """A server over the benchmark's PostgreSQL with the base `http`."""
    assert bench.pg is not None
    place = bench.pg.start()
    folder = bench.folder / f"server{workers}"
    folder.mkdir()
    key = vault.create(folder)
    registry = place.at(f"bench_cluster{workers}")
    (folder / "cluster.dsn").write_bytes(key.seal_place(registry))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    settings = ServerSettings(port=port, workers=workers, pool_size=8, jobs_seconds=3600.0)
    (folder / FILE).write_text(to_toml(settings), "utf-8")
    cluster.create_database(registry, "bench")
    opened = ClusterDatabase(registry, key)
    infobases.register(opened, "http", place.at("bench_http"))
    opened.close()
    home = ServerHome(folder, settings)
    with (folder / "server.log").open("wb") as log:
        started = subprocess.Popen(
            [sys.executable, "-m", "engine_server.application.run", str(folder)], stdout=log, stderr=log
        )
    try:
        while process.ready(home) is None:
            if started.poll() is not None:
                raise ServerUnavailable(place=home.folder, detail=(folder / "server.log").read_text()[-500:])
            time.sleep(0.1)
        yield Served(started.pid, f'Srvr="127.0.0.1:{port}";Ref="http"')
    finally:
        started.send_signal(signal.SIGTERM)
        started.wait(60)


def http(bench: Bench, kind: str) -> list[Figure]:
    """Everything the server is measured by; server mode only."""
    engine = bench.engine(kind, "http")
    create(engine, read_folder(CRM), name="http")
    local = system_session(open_base(engine).kernel)
    sample(local)
    _fill(local, bench.rows)
    try:
        with _served(bench, 1) as served:
            figures = [*_posting(local, served), *_pages(served, bench.rows), *_idle(served)]
        alone = _in_process(bench, kind)
        with _served(bench, os.cpu_count() or 1) as served:
            return [*figures, *_crowds(served, bench.seconds, alone)]
    finally:
        engine.close()


def _fill(session: Session, rows: int) -> None:
    for start in range(0, rows, _BULK):
        part = range(start, min(start + _BULK, rows))
        session.bulk_write("Catalog.Banks", [({"Code": f"{n:09d}", "Description": f"Банк {n}"}, {}) for n in part])


# --- one posting ---


def _posting(local: Session, served: Served) -> list[Figure]:
    with connect(served.place) as remote:
        ours, theirs = new_order(remote), new_order(local)

        def over_http() -> None:
            _post(remote, ours, CHUNK)

        def in_process() -> None:
            _post(local, theirs, CHUNK)

        over_http()
        in_process()
        sides: tuple[list[Spent], list[Spent]] = ([], [])
        before, done = served.cpu(), 0
        for n in range(ROUNDS):
            for side, work in [(0, over_http), (1, in_process)][:: 1 if n % 2 else -1]:
                sides[side].append(spent(work, per=CHUNK))
            done += CHUNK
        cpu = (served.cpu() - before) / done * 1000
    duel = Duel(*sides)
    return [
        *duel.figures("http", "server", "posting over HTTP beside in process", "<= 2.5"),
        Figure("http", "server", "posting, the server's CPU", cpu, "ms", "<= 2.5", "without PostgreSQL's"),
    ]


def _post(session: Session, order: DocumentObject, count: int) -> None:
    for _ in range(count):
        made = order.copy()
        made._state.values["Date"] = order._state.values["Date"]
        session.post(made)


# --- lists ---


def _pages(served: Served, rows: int) -> list[Figure]:
    """Pages of 50 rows all the way down a list: the first tenth of them beside the last."""
    query = Query(
        "Catalog.Banks", select=(SelectItem("Ref"), SelectItem("Code"), SelectItem("Description")), order_by=(OrderItem("Code"),), limit=PAGE
    )  # fmt: skip
    with connect(served.place) as remote:
        costs = []
        for code in (0, rows // 2, max(rows - PAGE * (PAGES + 1), 0)):
            at = replace(query, where=Compare("Code", ">=", f"{code:09d}"))
            remote.query_page(at)
            before = served.cpu()
            after = None
            for _ in range(PAGES):
                found, after = remote.query_page(replace(at, after=after))
                if not found:
                    break
            costs.append((served.cpu() - before) / PAGES * 1000)
    note = " / ".join(f"{c:.2f}" for c in costs) + f" ms at the top, in the middle and at the end of {rows} rows"
    return [Figure("http", "server", "a page of 50 rows, the server's CPU", max(costs), "ms", "<= 3", note)]


# --- many clients ---


def _idle(served: Served) -> list[Figure]:
    with ExitStack() as stack:
        stack.enter_context(connect(served.place)).catalogs.Banks.find_by_code("000000001")
        before = served.memory()
        for _ in range(IDLE):
            stack.enter_context(connect(served.place))
        grown = (served.memory() - before) / 1024 / 1024
    return [Figure("http", "server", f"{IDLE} idle sessions, memory", grown, "MB", "<= 100")]


def _work(place: str, threads: int, begin: float, seconds: float) -> list[float]:
    """Seconds of each posting of some clients in one process."""
    spent_on: list[float] = []

    def client() -> None:
        with connect(place) as session:
            order = new_order(session)
            time.sleep(max(0.0, begin - time.time()))
            while time.time() < begin + seconds:
                started = time.perf_counter()
                _post(session, order, 1)
                spent_on.append(time.perf_counter() - started)

    clients = [threading.Thread(target=client) for _ in range(threads)]
    for c in clients:
        c.start()
    for c in clients:
        c.join()
    return spent_on


def _clients(place: str, count: int, seconds: float) -> list[float]:
    processes = min(count, 4)
    begin = time.time() + 6 + count * 0.15
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        found = pool.starmap(_work, [(place, count // processes, begin, seconds)] * processes)
    return [s for part in found for s in part]


def _in_process(bench: Bench, kind: str) -> float:
    """Postings per second of one process straight to the DBMS."""
    return len(_clients(bench.connection(kind, "http"), 1, bench.seconds)) / bench.seconds


def _crowds(served: Served, seconds: float, alone: float) -> list[Figure]:
    few = _clients(served.place, CLIENTS, seconds)
    many = sorted(_clients(served.place, CROWD, max(seconds, 4.0)))
    rate = len(few) / seconds
    p50, p99 = (many[int(len(many) * q)] for q in (0.5, 0.99))
    note = f"{rate:.0f}/s against {alone:.0f}/s of one process in process; clients, server and PostgreSQL share {os.cpu_count()} cores"
    return [
        Figure("http", "server", f"{CLIENTS} clients beside one in process", rate / alone, "x", ">= 0.5", note, better="higher"),
        Figure("http", "server", f"{CROWD} clients, p99 / p50", p99 / p50, "x", "<= 20", f"p50 {p50 * 1000:.0f} ms, median {statistics.median(many) * 1000:.0f} ms"),
    ]  # fmt: skip
