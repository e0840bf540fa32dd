"""The driver repeating the very statements of the kernel with their parameters ready: what is left above it is the kernel's own time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from benchmarks.counters import Operation
from benchmarks.handmade import HandFile, HandServer
from engine_server.engine import ServerEngine
from infobase import log_layout
from infobase.storage import LogEntry, Statement, StorageEngine


class Replay(Protocol):
    def run(self, operation: Operation) -> None: ...

    def facts(self, commands: Sequence[str]) -> list[tuple[Any, ...]]: ...

    def close(self) -> None: ...


class ReplayFile(HandFile):
    """On sqlite3."""

    def run(self, operation: Operation) -> None:
        batches, entries = operation
        self.base.execute("BEGIN IMMEDIATE")
        for batch in batches:
            for s in batch:
                self.base.execute(s.sql, s.params).fetchall()
        self.base.execute("COMMIT")
        if entries:
            statement = _log(entries, "?", "")
            self.log.execute(statement.sql, statement.params)


class ReplayServer(HandServer):
    """On psycopg 3 in pipeline mode, one synchronisation per batch."""

    def run(self, operation: Operation) -> None:
        batches, entries = operation
        head: list[Statement] = [Statement("BEGIN")]
        for batch in batches:
            self._turn([(s.sql, s.params) for s in (*head, *batch)])
            head = []
        tail = [_log(entries, "%s", "event_log.")] if entries else []
        self._turn([(s.sql, s.params) for s in (*tail, Statement("COMMIT"))])


class _Codes(dict[Any, int]):
    """Any name has code 1: the driver does not look names up."""

    def __missing__(self, key: object) -> int:
        return 1


def _log(entries: Sequence[LogEntry], mark: str, prefix: str) -> Statement:
    return log_layout.insert_statement([log_layout.encode(e, _Codes()) for e in entries], mark, prefix)


def replay_on(kind: str, engine: StorageEngine) -> Replay:
    """The driver on a base that is equal to the kernel's."""
    return ReplayFile(Path(engine.place)) if kind == "file" else ReplayServer(cast(ServerEngine, engine))
