"""The comparison itself: every peer on every engine it knows, in turns with ours, and what both hold at the end."""

from __future__ import annotations

import datetime as dt
import statistics
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
from psycopg import sql

from benchmarks.environment import environment
from benchmarks.harness import Duel, Figure, Spent, cluster, processor_of
from benchmarks.peers.environments import interpreter
from benchmarks.peers.registry import PEERS, Peer
from benchmarks.peers.sides import Place, Side, ours, theirs
from benchmarks.results import Results
from engine_server.embedded import EmbeddedCluster
from infobase.errors import BenchmarkSidesDiffer, PeerFailed, PeerNotInstalled

ROUNDS, DUMP_ROUNDS = 6, 3
Interpreter = Callable[[Peer, Path], Path]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Comparison:
    """`skipped`: who is not in the results, by name and mode, and why; the results' settings say it too."""

    results: Results
    skipped: dict[str, PeerNotInstalled | PeerFailed]


class Arena:
    """Where databases are made: a folder on the measured disk and, for the server, a cluster."""

    def __init__(self, folder: Path, pg: EmbeddedCluster | None) -> None:
        self.folder, self.pg = folder, pg

    def place(self, kind: str, name: str, *, made: bool) -> Place:
        """Of a database; `made`: an empty one is created on the server, which our own side does by itself."""
        if kind == "file":
            return {"engine": kind, "file": str(self.folder / name), "folder": str(self.folder)}
        assert self.pg is not None
        at = self.pg.start()
        names = (name, f"{name}_restored") if made else ()
        with psycopg.connect(at.conninfo(), autocommit=True) as conn:
            for one in names:
                conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(one)))
        where = {"host": at.host, "port": at.port, "user": at.user, "database": name}
        return {"engine": kind, **where, "folder": str(self.folder)}

    def server_clock(self, kind: str) -> Callable[[], float]:
        if kind == "file":
            return lambda: 0.0
        assert self.pg is not None
        pid = self.pg.server_pid() or 0
        return lambda: processor_of(pid)

    def version(self) -> str:
        if self.pg is None:
            return ""
        with psycopg.connect(self.pg.start().conninfo()) as conn:
            return str(conn.info.parameter_status("server_version"))


def plan(peers: Sequence[str], engines: Sequence[str]) -> list[tuple[Peer, str]]:
    """Who is measured where, in the registry's order."""
    return [(p, kind) for p in PEERS.values() if p.name in peers for kind in p.engines if kind in engines]


def run(
    peers: Sequence[str],
    engines: Sequence[str],
    *,
    operations: int,
    folder: Path | None = None,
    environments: Path | None = None,
    progress: Progress | None = None,
    find: Interpreter = interpreter,
) -> Comparison:
    """Measure. `operations`: orders posted, and calls of each reading; `folder`: on the disk to measure; `environments`: where the peers' packages
    are kept for the next run, nowhere when None. A peer that cannot be installed or fails is skipped and named in the settings."""
    taken = f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M}"
    work = plan(peers, engines)
    figures: list[Figure] = []
    skipped: dict[str, PeerNotInstalled | PeerFailed] = {}
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="infobase-peers-", dir=folder)))
        pg = stack.enter_context(cluster(folder)) if any(kind == "server" for _, kind in work) else None
        arena = Arena(scratch, pg)
        where = environment(scratch, arena.version())
        for done, (peer, kind) in enumerate(work):
            if progress is not None:
                progress(f"{peer.name} ({kind})", done, len(work))
            try:
                figures += _measured(arena, peer, kind, operations, find, environments or scratch)
            except (PeerNotInstalled, PeerFailed) as e:
                if isinstance(e, PeerFailed) and e.fields["peer"] != peer.name:
                    raise
                skipped[f"{peer.name} ({kind})"] = e
    told = {f"skipped: {name}": " ".join(str(e).split()) for name, e in skipped.items()}
    return Comparison(Results(taken, where, {"operations": operations, **told}, tuple(figures)), skipped)


def _measured(
    arena: Arena, peer: Peer, kind: str, operations: int, find: Interpreter, environments: Path
) -> list[Figure]:
    reason = peer.missing()
    if reason:
        raise PeerNotInstalled(peer=peer.name, detail=reason)
    environments.mkdir(parents=True, exist_ok=True)
    python = find(peer, environments)
    count = max(operations // peer.share, ROUNDS)
    clock = arena.server_clock(kind)
    here = arena.place(kind, f"ours_{peer.name}", made=False)
    there = here if peer.guest else arena.place(kind, f"peer_{peer.name}", made=True)
    with ours(here, clock) as us, theirs(peer, python, there, clock) as them:
        duellists = _Duellists(us, them, peer, kind)
        us.ask("prepare")
        if peer.guest:
            us.spent("post", count)
        them.ask("prepare")
        made = [f for name in peer.operations for f in duellists.operation(name, count)]
        if peer.operations:
            duellists.compare("facts")
        if peer.dumps:
            made += duellists.dumping(arena.folder, count)
        us.ask("close")
        them.ask("close")
    return made


class _Duellists:
    def __init__(self, us: Side, them: Side, peer: Peer, kind: str) -> None:
        self.us, self.them, self.peer, self.kind = us, them, peer, kind

    def operation(self, name: str, count: int) -> list[Figure]:
        """In turns, after one call of each that warms its caches. `count` calls in all, warming apart, rounded up to whole rounds."""
        chunk = -(-count // ROUNDS)
        for side in (self.us, self.them):
            side.spent(name)
        return self._figures(name, self._turns(ROUNDS, lambda side: side.spent(name, chunk)), f"{chunk * ROUNDS} times")

    def dumping(self, folder: Path, count: int) -> list[Figure]:
        """Dump to a file and restore beside the original, which is done when as many orders are there."""
        files = {
            self.us: str(folder / f"{self.peer.name}-{self.kind}-ours.dt"),
            self.them: str(folder / f"{self.peer.name}-{self.kind}.json"),
        }
        dumps = self._turns(DUMP_ROUNDS, lambda side: side.spent("dump", 1, files[side]))
        sizes = " KB against ".join(f"{Path(files[side]).stat().st_size / 1024:.0f}" for side in (self.them, self.us))
        loads = self._turns(DUMP_ROUNDS, lambda side: self._load(side, files[side]))
        self.compare("restored")
        note = f"{count} orders, {sizes} KB"
        return self._figures("dump", dumps, note) + self._figures("restore", loads, note)

    def _load(self, side: Side, source: str) -> Spent:
        side.ask("ready_to_load")
        return side.spent("load", 1, source)

    def _turns(self, rounds: int, work: Callable[[Side], Spent]) -> Duel:
        """The peer's figures stand above the line: how many times longer than ours it takes."""
        spent: dict[Side, list[Spent]] = {self.us: [], self.them: []}
        for n in range(rounds):
            for side in (self.us, self.them) if n % 2 == 0 else (self.them, self.us):
                spent[side].append(work(side))
        return Duel(spent[self.them], spent[self.us])

    def _figures(self, name: str, duel: Duel, note: str) -> list[Figure]:
        made = duel.figures(self.peer.name, self.kind, f"{name}: peer / infobase", "", note)
        ours = statistics.median(s.wall for s in duel.raw) * 1000
        absolute = Figure(self.peer.name, self.kind, f"{name}: infobase", ours, "ms")
        return [replace(f, better="higher") for f in made] + [absolute]

    def compare(self, what: str) -> None:
        """BenchmarkSidesDiffer unless both hold the same; of facts, of those both know."""
        mine, other = self.us.ask(what), self.them.ask(what)
        if isinstance(mine, dict):
            mine = {k: v for k, v in mine.items() if k in other}
        if mine != other:
            raise BenchmarkSidesDiffer(side=f"{self.peer.name}, {self.kind}", ours=mine, theirs=other)
