"""Saving one object and posting one order, kernel against raw driver."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import cast

from benchmarks.harness import Bench, Figure, interleaved
from benchmarks.raw import Operation, RawFile, RawServer, RecordingEngine
from engine_server.engine import ServerEngine
from infobase.infobase import create, open_base, system_session
from infobase.metadata.reader import read_folder
from infobase.objects import DocumentObject
from infobase.session import Session
from infobase.storage import StorageEngine

CRM = Path(__file__).parents[1] / "crm" / "configuration"
CHUNK = 25


class Twin:
    """Two equal bases: the kernel works on one, the raw driver replays the same statements on the other."""

    def __init__(self, bench: Bench, kind: str, name: str, prepare: Callable[[Session], None]) -> None:
        engine = bench.engine(kind, name)
        create(engine, read_folder(CRM), name=name)
        self.session = system_session(open_base(engine).kernel)
        prepare(self.session)
        other = bench.engine(kind, name + "_raw")
        engine.close()
        other.publish(other.clone_from(engine), replace=False)
        self.raw = RawFile(Path(other.place)) if kind == "file" else RawServer(cast(ServerEngine, other))
        other.close()
        self.recorder = RecordingEngine(engine)
        self.session.kernel.engine = cast(StorageEngine, self.recorder)

    def measure(self, work: Callable[[], object], rounds: int) -> tuple[float, float, float]:
        """Seconds per operation of each side, and the ratio."""
        work()
        self.replay()

        def ours() -> None:
            for _ in range(CHUNK):
                work()

        a, b, ratio = interleaved(ours, self.replay, rounds)
        return a / CHUNK, b / CHUNK, ratio

    def replay(self) -> None:
        done: list[Operation] = self.recorder.operations
        for operation in done:
            self.raw.replay(operation)
        done.clear()

    def close(self) -> None:
        self.raw.close()
        self.recorder.close()


def _sample(session: Session) -> None:
    for n in range(50):
        session.catalogs.Products.new(Description=f"Товар {n}").write()
    session.catalogs.Organizations.new(Description="Мы").write()
    session.catalogs.Counterparties.new(Description="Покупатель").write()


def _order(session: Session) -> DocumentObject:
    first = {name: session.find_refs(f"Catalog.{name}", None, limit=5) for name in _NEEDED}
    order = session.documents.SalesOrder.new(
        Date=dt.datetime(2026, 1, 15),
        Customer=first["Counterparties"][0],
        Organization=first["Organizations"][0],
        Warehouse=first["Warehouses"][0],
    )
    for product in first["Products"]:
        order.section("Goods").add(Product=product, Quantity=2, Price=10, Amount=20)
    return cast(DocumentObject, order)


_NEEDED = ("Counterparties", "Organizations", "Warehouses", "Products")


def save(bench: Bench, kind: str, rounds: int = 12) -> list[Figure]:
    """One new counterparty per save: number, reference check, search columns, event-log entry."""
    twin = Twin(bench, kind, "save", _sample)
    counter = iter(range(10**9))

    def work() -> None:
        twin.session.catalogs.Products.new(Description=f"Новый {next(counter)}", Cost=Decimal("12.50")).write()

    try:
        ours, raw, ratio = twin.measure(work, rounds)
    finally:
        twin.close()
    note = f"kernel {ours * 1000:.2f} ms, raw {raw * 1000:.2f} ms"
    return [Figure("save", kind, "kernel / raw driver", ratio, "x", "<= 2.0", note)]


def posting(bench: Bench, kind: str, rounds: int = 12) -> list[Figure]:
    """First posting of a written order with 5 lines: 5 movements in each of two registers, totals, log."""
    twin = Twin(bench, kind, "posting", _sample)
    session = twin.session
    waiting: list[DocumentObject] = []

    def work() -> None:
        waiting.pop().post()

    try:
        for _ in range((rounds + 1) * CHUNK + 5):
            order = _order(session)
            order.write()
            waiting.append(order)
        twin.replay()
        ours, raw, ratio = twin.measure(work, rounds)
    finally:
        twin.close()
    note = f"kernel {ours * 1000:.2f} ms, raw {raw * 1000:.2f} ms"
    made = [Figure("posting", kind, "kernel / raw driver", ratio, "x", "<= 1.7", note)]
    if kind == "server":
        made.append(Figure("posting", kind, "round trips", twin.recorder.round_trips, "", "<= 2"))
        made.append(Figure("posting", kind, "statements", twin.recorder.statements, "", "<= 8"))
    return made
