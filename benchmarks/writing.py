"""Saving one object and posting one order: the kernel beside hand-written code, and beside the driver replaying the kernel's own statements."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from benchmarks.counters import RecordingEngine
from benchmarks.handmade import Hand, HandFile, HandServer, Line, Order
from benchmarks.harness import Bench, Duel, Figure, Spent, spent
from benchmarks.replay import Replay, replay_on
from engine_server.engine import ServerEngine
from infobase.errors import BenchmarkSidesDiffer
from infobase.infobase import create, open_base, system_session
from infobase.metadata.reader import read_folder
from infobase.metadata.types import Ref
from infobase.objects import DocumentObject
from infobase.session import Session
from infobase.storage import Statement, StorageEngine

CRM = Path(__file__).parents[1] / "crm" / "configuration"
CHUNK = 25
ROUNDS = 16
LINES = 5


class Trio:
    """Three equal bases: the kernel works on one, hand-written code on the second, the driver repeats the kernel's statements on the third."""

    def __init__(self, bench: Bench, kind: str, name: str, prepare: Callable[[Session], None]) -> None:
        engine = bench.engine(kind, name)
        create(engine, read_folder(CRM), name=name)
        self.session = system_session(open_base(engine).kernel)
        prepare(self.session)
        engine.close()
        hand, repeated = (self._copy(bench, kind, engine, name + suffix) for suffix in ("_hand", "_replay"))
        self.hand: Hand = HandFile(Path(hand.place)) if kind == "file" else HandServer(cast(ServerEngine, hand))
        self.replay: Replay = replay_on(kind, repeated)
        self.recorder = RecordingEngine(engine)
        self.session.kernel.engine = cast(StorageEngine, self.recorder)

    def _copy(self, bench: Bench, kind: str, engine: StorageEngine, name: str) -> StorageEngine:
        other = bench.engine(kind, name)
        other.publish(other.clone_from(engine), replace=False)
        other.close()
        return other

    def repeat(self) -> None:
        """The driver does what the kernel has done since the last time."""
        done, self.recorder.operations = self.recorder.operations, []
        for operation in done:
            self.replay.run(operation)

    def close(self) -> None:
        self.hand.close()
        self.replay.close()
        self.recorder.close()


def sample(session: Session) -> None:
    """What an order refers to."""
    for n in range(50):
        session.catalogs.Products.new(Description=f"Товар {n}").write()
    session.catalogs.Organizations.new(Description="Мы").write()
    session.catalogs.Counterparties.new(Description="Покупатель").write()


def new_order(session: Session) -> DocumentObject:
    """An unwritten order with five lines."""
    first = {name: session.find_refs(f"Catalog.{name}", None, limit=LINES) for name in _NEEDED}
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


def plain(order: DocumentObject) -> Order:
    """The same order as a program without a kernel holds it."""
    values: dict[str, Any] = order.values
    lines = tuple(
        Line(cast(Ref, row.Product).uuid, cast(Decimal, row.Quantity), cast(Decimal, row.Amount))
        for row in order.section("Goods")
    )
    return Order(
        order.ref.uuid,
        int(values["DataVersion"]),
        values["Number"],
        values["Date"],
        values["Customer"].uuid,
        values["Warehouse"].uuid,
        lines,
    )


def save(bench: Bench, kind: str) -> list[Figure]:
    """One new product per save: code, search columns, log entry."""
    trio = Trio(bench, kind, "save", sample)
    names = [f"Новый {n}" for n in range((ROUNDS + 1) * CHUNK)]
    ours, theirs = iter(names), iter(names)

    def by_kernel() -> None:
        for _ in range(CHUNK):
            trio.session.catalogs.Products.new(Description=next(ours), Cost=Decimal("12.50")).write()

    def by_hand() -> None:
        for _ in range(CHUNK):
            trio.hand.save(next(theirs), Decimal("12.50"))

    try:
        return _measured(bench, kind, trio, "save", by_kernel, by_hand, "<= 2.0", _SAVED)
    finally:
        trio.close()


_SAVED = ("SELECT count(*), max(code), sum(cost) FROM cat_products",)


def posting(bench: Bench, kind: str) -> list[Figure]:
    """First posting of a written order: 5 movements in each of two registers, their totals, log entry."""
    waiting: list[DocumentObject] = []

    def prepare(session: Session) -> None:
        sample(session)
        for _ in range((ROUNDS + 1) * CHUNK):
            order = new_order(session)
            order.write()
            waiting.append(order)

    trio = Trio(bench, kind, "posting", prepare)
    mine, theirs = iter(waiting), iter([plain(o) for o in waiting])

    def by_kernel() -> None:
        for _ in range(CHUNK):
            next(mine).post()

    def by_hand() -> None:
        for _ in range(CHUNK):
            trio.hand.post(next(theirs))

    try:
        made = _measured(bench, kind, trio, "posting", by_kernel, by_hand, "<= 1.7", _POSTED)
        if kind == "server":
            last = trio.recorder.last
            made.append(Figure("posting", kind, "round trips", last.round_trips, "", "<= 2"))
            made.append(Figure("posting", kind, "statements", last.statements, "", "<= 8", "with BEGIN and COMMIT"))
        return made
    finally:
        trio.close()


_POSTED = (
    "SELECT count(*), sum(quantity), sum(amount) FROM acc_orders",
    "SELECT count(*), sum(quantity), sum(amount) FROM acc_orders_to_ship",
    "SELECT count(*), sum(quantity), sum(amount) FROM acc_orders__turnovers",
    "SELECT count(*), sum(quantity), sum(amount) FROM acc_orders_to_ship__balance",
    "SELECT count(*), sum(quantity__receipt), sum(amount__receipt) FROM acc_orders_to_ship__turnovers",
    "SELECT count(*), max(data_version), min(number) FROM doc_sales_order WHERE posted",
)


def _measured(
    bench: Bench,
    kind: str,
    trio: Trio,
    scenario: str,
    by_kernel: Callable[[], None],
    by_hand: Callable[[], None],
    target: str,
    facts: Sequence[str],
) -> list[Figure]:
    """The kernel and the hand in turns, the replay after each round of the kernel; then what all three bases hold must be the same."""
    clock = bench.clock(kind)
    for work in (by_kernel, by_hand, trio.repeat):
        work()
    ours: list[Spent] = []
    hands: list[Spent] = []
    repeats: list[Spent] = []
    pair = [(ours, by_kernel), (hands, by_hand)]
    for n in range(ROUNDS):
        for side, work in pair if n % 2 == 0 else reversed(pair):
            side.append(spent(work, clock, CHUNK))
        repeats.append(spent(trio.repeat, clock, CHUNK))
    note = _same(trio, facts)
    return [
        *Duel(ours, hands).figures(scenario, kind, "kernel / hand-written", target, note),
        *Duel(ours, repeats).figures(scenario, kind, "kernel / replay of its statements", ""),
    ]


def _same(trio: Trio, facts: Sequence[str]) -> str:
    """What the three bases hold, in short. SidesDiffer when they do not hold the same."""
    with trio.session.reading() as tx:
        ours = [tuple(rows[0]) for rows in tx.run([Statement(f) for f in facts])]
    for name, side in (("hand-written", trio.hand), ("replay", trio.replay)):
        if side.facts(facts) != ours:
            raise BenchmarkSidesDiffer(side=name, ours=ours, theirs=side.facts(facts))
    return f"both wrote {ours[0][0]} rows into the first table"
