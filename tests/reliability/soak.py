"""A long mixed load on one base: users who write, post, re-post, undo, read and search; some are killed, the server is crashed; then the audit.

What each user was told is saved is compared with what the base holds; memory and file descriptors of the users must stay flat.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from random import Random
from statistics import median
from typing import Any
from uuid import UUID

from infobase.errors import BalanceShortage, CommitOutcomeUnknown, InfobaseError, VersionConflict
from infobase.query_model import Compare, OrderItem, Query, SelectItem
from infobase.session import Session
from tests.bases import Place
from tests.reliability.writers import ROWS, Audit, audit, context, stock

THINK = 0.02
"""Seconds a user thinks between two deeds, on average."""
SAMPLE_SECONDS = 1.0
_GROWTH, _SLACK = 1.25, 8 << 20

Report = Callable[[str], None]


@dataclass(frozen=True)
class Sample:
    """A user's process at a moment: resident bytes and open descriptors."""

    bytes: int
    descriptors: int


def _sample(process: int | str = "self") -> Sample:
    at = Path(f"/proc/{process}")
    pages = int((at / "statm").read_text().split()[1])
    return Sample(pages * os.sysconf("SC_PAGE_SIZE"), len(list((at / "fd").iterdir())))


# --- one user ---


def use(place: Place, pipe: Connection, seed: int, seconds: float) -> None:
    """A child's life. Tells ("posted" | "undone", ref), samples of itself, and errors that are nobody's business rule."""
    logging.disable()
    random, end = Random(seed), time.monotonic() + seconds
    next_sample = 0.0
    pipe.send("ready")
    while time.monotonic() < end:
        try:
            with place.session() as session:
                user = _User(session, pipe, random)
                while time.monotonic() < end:
                    user.deed()
                    if time.monotonic() >= next_sample:
                        pipe.send(_sample())
                        next_sample = time.monotonic() + SAMPLE_SECONDS
                    time.sleep(random.expovariate(1 / THINK))
        except InfobaseError as e:
            pipe.send(f"{type(e).__name__}: {e}")
            time.sleep(0.2)
    pipe.send("done")


class _User:
    def __init__(self, session: Session, pipe: Connection, random: Random) -> None:
        self.session, self.pipe, self.random = session, pipe, random
        self.goods = [g.ref for g in session.catalogs.Goods.select(limit=ROWS)]
        self.own: list[UUID] = []

    def deed(self) -> None:
        deeds = (self.post, self.post, self.repost, self.undo, self.list, self.balance, self.find)
        try:
            self.random.choice(deeds)()
        except (BalanceShortage, VersionConflict):
            return  # a rule held: that is what it is for
        except CommitOutcomeUnknown as e:
            self.pipe.send(("unknown", str(e)))

    def post(self) -> None:
        receipt = self.session.documents.Receipt.new()
        for g in self.goods:
            receipt.Goods.add(Item=g, Quantity=self.random.randrange(1, 5))
        receipt.post()
        self.own.append(receipt.ref.uuid)
        self.pipe.send(("posted", receipt.ref.uuid))

    def repost(self) -> None:
        if self.own:
            receipt = self.session.documents.Receipt.get(self.random.choice(self.own[-50:]))
            receipt.Goods[0].Quantity = self.random.randrange(1, 5)
            receipt.post()
            self.pipe.send(("posted", receipt.ref.uuid))

    def undo(self) -> None:
        if len(self.own) > 5:
            ref = self.own.pop(self.random.randrange(len(self.own)))
            self.pipe.send(("undoing", ref))
            self.session.documents.Receipt.get(ref).undo_post()
            self.pipe.send(("undone", ref))

    def list(self) -> None:
        self.session.query(
            Query(
                "Document.Receipt",
                select=(SelectItem("Number"), SelectItem("Date"), SelectItem("Posted")),
                order_by=(OrderItem("Date", descending=True),),
                limit=50,
            )
        )

    def balance(self) -> None:
        self.session.query(Query("AccumulationRegister.Stock.Balance"))

    def find(self) -> None:
        self.session.query(
            Query("Catalog.Goods", select=(SelectItem("Ref"),), where=Compare("Description", "contains", "товар"))
        )


# --- all of them ---


@dataclass
class Soak:
    """What a run came to. `posted`: what must be posted at the end; `unsure`: documents whose last deed got no answer."""

    posted: set[UUID] = field(default_factory=set)
    unsure: set[UUID] = field(default_factory=set)
    deeds: int = 0
    unknown: int = 0
    kills: int = 0
    crashes: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    samples: dict[int, list[Sample]] = field(default_factory=dict)
    found: Audit | None = None

    def hear(self, who: int, said: object) -> None:
        match said:
            case ("posted", UUID() as ref):
                self.posted.add(ref)
                self.deeds += 1
            case ("undoing", UUID() as ref):
                self.posted.discard(ref)
                self.unsure.add(ref)
            case ("undone", UUID() as ref):
                self.unsure.discard(ref)
                self.deeds += 1
            case ("unknown", _):
                self.unknown += 1
            case Sample():
                self.samples.setdefault(who, []).append(said)
            case str() if said not in ("ready", "done"):
                name = said.partition(":")[0]
                self.errors[name] = self.errors.get(name, 0) + 1

    def leaks(self) -> list[str]:
        """Users whose memory or descriptors grew from the second quarter of their life to the last."""
        found = []
        for who, samples in self.samples.items():
            quarter = len(samples) // 4
            if quarter < 2:
                continue
            early, late = samples[quarter : 2 * quarter], samples[-quarter:]
            for name in ("bytes", "descriptors"):
                a, b = (median(getattr(s, name) for s in part) for part in (early, late))
                if b > a * _GROWTH + (_SLACK if name == "bytes" else 2):
                    found.append(f"{'user' if who >= 0 else 'server'} {abs(who)}: {name} {a:.0f} -> {b:.0f}")
        return found

    @property
    def sound(self) -> bool:
        return self.found is not None and self.found.sound and not self.leaks() and self.deeds > 0

    def counts(self) -> dict[str, int | str]:
        assert self.found is not None
        told = {"deeds": self.deeds, "users killed": self.kills, "server crashes": self.crashes}
        outcome = {"unknown outcomes": self.unknown, "posted": self.found.documents, "lost": self.found.lost}
        return {
            **told,
            **outcome,
            "half": self.found.half,
            "faults": len(self.found.faults),
            "leaks": len(self.leaks()),
        }

    def __str__(self) -> str:
        told = f"{self.deeds} acknowledged deeds, {self.kills} users killed, {self.crashes} server crashes, "
        told += f"{self.unknown} commits of unknown outcome, errors {self.errors or 'none'}"
        if self.found is not None:
            told += f"; posted {self.found.documents}, lost {self.found.lost}, half {self.found.half}"
            told += "".join(f"\n    fault: {f}" for f in self.found.faults[:5])
        return told + "".join(f"\n    leak: {leak}" for leak in self.leaks()[:5])


def soak(
    place: Place,
    users: int,
    seconds: float,
    report: Report,
    crash: Callable[[], None] | None = None,
    direct: Place | None = None,
    servers: Callable[[], list[int]] = list,
) -> Soak:
    """`crash`: brings the server down at once and up again; called every quarter of the time, when a user is killed and replaced too.
    `direct`: the base to make and to audit, when `place` is a remote way to it; `servers`: processes that must stay flat."""
    if direct is None:
        stock(place)
    result, end = Soak(), time.monotonic() + seconds
    crew = {n: _start(place, n, seconds) for n in range(users)}
    quarter, random, next_look = seconds / 4, Random(5), 0.0
    next_trouble, told = time.monotonic() + quarter, time.monotonic() + 30
    while crew:
        _listen(crew, result)
        if time.monotonic() > next_look:
            next_look = time.monotonic() + SAMPLE_SECONDS
            for pid in servers():
                with suppress(OSError):
                    result.hear(-pid, _sample(pid))
        if time.monotonic() > next_trouble and end - time.monotonic() > quarter / 2:
            next_trouble += quarter
            _kill_one(place, crew, result, random, end)
            if crash is not None:
                crash()
                result.crashes += 1
        if time.monotonic() > told:
            told += 30
            report(
                f"{max(0, end - time.monotonic()):.0f} s left: {result.deeds} deeds, errors {result.errors or 'none'}"
            )
    codes = ("server.fsync", "server.full_page_writes")
    result.found = audit(direct or place, result.posted, codes)
    return result


def _start(place: Place, seed: int, seconds: float) -> tuple[Any, Connection]:
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=use, args=(place, there, seed, seconds), daemon=True)
    process.start()
    there.close()
    return process, here


def _listen(crew: dict[int, tuple[Any, Connection]], result: Soak) -> None:
    pipes = {pipe: who for who, (_, pipe) in crew.items()}
    for pipe in wait(list(pipes), 0.2):
        _take(crew, pipes[pipe], result)  # type: ignore[index]


def _take(crew: dict[int, tuple[Any, Connection]], who: int, result: Soak) -> None:
    process, pipe = crew[who]
    try:
        while pipe.poll():
            result.hear(who, pipe.recv())
    except EOFError:
        process.join(10)
        process.close()
        pipe.close()
        del crew[who]


def _kill_one(place: Place, crew: dict[int, tuple[Any, Connection]], result: Soak, random: Random, end: float) -> None:
    who = random.choice(list(_alive(crew)))
    crew[who][0].kill()
    result.kills += 1
    newcomer = max(crew) + 1000
    crew[newcomer] = _start(place, newcomer, max(1.0, end - time.monotonic()))


def _alive(crew: dict[int, tuple[Any, Connection]]) -> Iterable[int]:
    return (who for who, (process, _) in crew.items() if process.is_alive())
