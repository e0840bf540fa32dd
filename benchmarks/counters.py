"""What an operation costs in steps that any machine counts alike: transactions, round trips, statements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from infobase.storage import LOCK_TIMEOUT, LogEntry, Row, Statement, StorageEngine, Transaction

Operation = tuple[list[list[Statement]], list[LogEntry]]
"""Batches of one writing transaction, and the entries it logged."""


@dataclass(frozen=True)
class Counts:
    """`round_trips`: how often the client waited for the store (calls of the driver in file mode); `statements`: all that were sent, the log's
    insertions, BEGIN and COMMIT included (in file mode without those two, and the log is another file)."""

    transactions: int = 0
    round_trips: int = 0
    statements: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.transactions + other.transactions,
            self.round_trips + other.round_trips,
            self.statements + other.statements,
        )

    def __sub__(self, other: Counts) -> Counts:
        return Counts(
            self.transactions - other.transactions,
            self.round_trips - other.round_trips,
            self.statements - other.statements,
        )


class _RecordingTransaction:
    """Passes everything on and remembers the batches."""

    def __init__(self, inner: Transaction, batches: list[list[Statement]], entries: list[LogEntry]) -> None:
        self._inner, self._batches, self._entries = inner, batches, entries
        self.writable = inner.writable

    def run(self, statements: Sequence[Statement], *, last: bool = False) -> list[list[Row]]:
        self._batches.append(list(statements))
        return self._inner.run(statements, last=last)

    def log(self, entries: Sequence[LogEntry]) -> None:
        self._entries.extend(entries)
        self._inner.log(entries)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class RecordingEngine:
    """An engine that counts its transactions in `total` and remembers the writing ones in `operations`; `last`: the latest of those alone."""

    def __init__(self, inner: StorageEngine) -> None:
        self._inner = inner
        self.operations: list[Operation] = []
        self.total = self.last = Counts()

    @contextmanager
    def transaction(self, *, write: bool, timeout: float = LOCK_TIMEOUT) -> Iterator[Transaction]:
        batches: list[list[Statement]] = []
        entries: list[LogEntry] = []
        with self._inner.transaction(write=write, timeout=timeout) as tx:
            yield _RecordingTransaction(tx, batches, entries)
        counts = self._counts(tx)
        self.total += counts
        if write:
            self.operations.append((batches, entries))
            self.last = counts

    def _counts(self, tx: Any) -> Counts:
        around = 2 if self._inner.traits.mode == "server" and tx.round_trips else 0
        return Counts(1, tx.round_trips, tx.statements + around)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
