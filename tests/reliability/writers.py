"""Processes that post without rest, and the audit of what they were told is saved."""

from __future__ import annotations

import logging
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any
from uuid import UUID

from infobase.check import check_base
from infobase.errors import InfobaseError
from infobase.query_model import Compare, Query, SelectItem
from infobase.session import Session
from infobase.storage import Finding
from tests.bases import Place

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["tests.reliability.child", "tests.reliability.writers"])

ROWS = 3
"""Rows of each receipt, and so its movements."""


def stock(place: Place) -> None:
    """A new base with the goods that receipts speak of."""
    place.create()
    place.open_to_many()
    with place.session() as session:
        for n in range(ROWS):
            session.catalogs.Goods.new(Description=f"Товар {n}").write()


def post_without_rest(place: Place, pipe: Connection) -> None:
    """A child's life: post, tell which document was acknowledged, and again. Ends with the first error or its parent."""
    logging.disable()  # what a store says while its disk dies is noise here
    try:
        with place.session() as session:
            goods = [g.ref for g in session.catalogs.Goods.select(limit=ROWS)]
            pipe.send("ready")
            while True:
                receipt = session.documents.Receipt.new()
                for g in goods:
                    receipt.Goods.add(Item=g, Quantity=1)
                receipt.post()
                pipe.send((receipt.ref.uuid, time.monotonic()))
    except (InfobaseError, OSError) as e:
        pipe.send(repr(e))


@dataclass
class Crew:
    """Several writers and everything they were told is saved."""

    place: Place
    acknowledged: dict[UUID, float] = field(default_factory=dict)
    """When, by the machine's monotonic clock, each was acknowledged."""
    errors: list[str] = field(default_factory=list)
    _members: list[tuple[Any, Connection]] = field(default_factory=list)

    def start(self, count: int) -> None:
        for _ in range(count):
            here, there = context.Pipe(duplex=False)
            process = context.Process(target=post_without_rest, args=(self.place, there), daemon=True)
            process.start()
            there.close()
            self._members.append((process, here))
        for _, pipe in self._members:
            assert pipe.poll(60), "a writer does not come up"
            said = pipe.recv()
            if said != "ready":
                self.errors.append(str(said))

    def listen(self, seconds: float) -> None:
        """Gather acknowledgements for a while."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._hear(left)

    def _hear(self, seconds: float) -> bool:
        heard = wait([pipe for _, pipe in self._members], seconds)
        for pipe in heard:
            try:
                self._note(pipe.recv())  # type: ignore[union-attr]
            except EOFError:
                self._members = [m for m in self._members if m[1] is not pipe]
        return bool(heard)

    def _note(self, said: object) -> None:
        match said:
            case (UUID() as ref, float(moment)):
                self.acknowledged[ref] = moment
            case _:
                self.errors.append(str(said))

    def acknowledged_before(self, moment: float) -> set[UUID]:
        """What was promised before the power went. After that the machine would not run on, as the writers here do for an instant:
        a file system being shut down may answer a sync it can no longer keep."""
        return {ref for ref, at in self.acknowledged.items() if at < moment}

    def kill(self) -> None:
        """End them at once; what they had been told before still counts."""
        for process, _ in self._members:
            process.kill()
        processes = [process for process, _ in self._members]
        while self._members and self._hear(5):
            pass
        for process in processes:
            process.join(10)
            process.close()


@dataclass(frozen=True)
class Audit:
    """What a base says of itself after trouble."""

    documents: int
    lost: int
    half: int
    faults: tuple[str, ...]

    @property
    def sound(self) -> bool:
        return not (self.lost or self.half or self.faults)


def audit(place: Place, acknowledged: set[UUID], expected_faults: Sequence[str] = ()) -> Audit:
    """Every acknowledged posting is there, none is half there, totals equal movements, the store is sound."""
    with place.session() as session:
        posted = _posted(session)
        movements = _movements(session)
        half = sum(1 for ref in posted | set(movements) if movements.get(ref, 0) != (ROWS if ref in posted else 0))
        found: list[Finding] = list(session.kernel.engine.check())
        with session.reading() as tx:
            found += check_base(session.kernel, tx)
    faults = tuple(f"{f.code}: {f.message}" for f in found if f.severity == "error" and f.code not in expected_faults)
    return Audit(len(posted), len(acknowledged - posted), half, faults)


def _posted(session: Session) -> set[UUID]:
    rows = session.query(Query("Document.Receipt", select=(SelectItem("Ref"),), where=Compare("Posted", "=", True)))
    return {r["Ref"].uuid for r in rows}  # type: ignore[union-attr]


def _movements(session: Session) -> dict[UUID, int]:
    rows = session.query(
        Query(
            "AccumulationRegister.Stock",
            select=(SelectItem("Recorder"), SelectItem("Count(*)", "n")),
            group_by=("Recorder",),
        )
    )
    return {r["Recorder"].uuid: int(r["n"]) for r in rows}  # type: ignore[union-attr, arg-type]
