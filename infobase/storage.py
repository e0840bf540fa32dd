"""What the kernel and the engines share: tables as data, transactions, locks, sessions, the event log, and the engine protocol.

An engine only opens, locks, bulk-loads, clones, backs up and measures one store. It knows nothing of catalogs and documents: it is given
`Table`s and finished SQL in its own dialect. A third engine is one package with a class that satisfies `StorageEngine`, registered under the
entry-point group `infobase.engines`, and a fixture in `tests/engine_suite`.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, Self

if TYPE_CHECKING:
    import pyarrow as pa

    from infobase.session_block import SessionBlock
    from infobase.text_columns import TextColumns

LOCK_TIMEOUT = 20.0
"""Seconds a writer waits for a lock before `LockTimeout`, as in 1C."""

ColumnKind = Literal["uuid", "text", "decimal", "timestamp", "bool", "binary", "int"]
"""Physical column types. Canonical Arrow form: fixed_size_binary(16), utf8, decimal128(digits, scale), timestamp[us], bool, binary, int64.

| kind | SQLite | PostgreSQL |
|---|---|---|
| uuid | BLOB, 16 bytes | uuid |
| text | TEXT (BINARY collation) | text COLLATE "C" |
| decimal | INTEGER, value * 10**scale | numeric(digits, scale) |
| timestamp | TEXT 'YYYY-MM-DD HH:MM:SS' | timestamp(0) without time zone |
| bool | INTEGER 0/1 | boolean |
| binary | BLOB | bytea |
| int | INTEGER | bigint |
"""


@dataclass(frozen=True, slots=True)
class Column:
    """One column; never NULL. `derived`: computed by the kernel from the others (search keys), left out of dumps and digests."""

    name: str
    kind: ColumnKind
    digits: int = 0
    scale: int = 0
    derived: bool = False


@dataclass(frozen=True, slots=True)
class Index:
    """`unique` indexes carry integrity; the others speed. Names are unique in the whole base."""

    name: str
    columns: tuple[str, ...]
    unique: bool = False


@dataclass(frozen=True)
class Table:
    """One physical table. `primary_key` also gives the canonical order of rows in dumps and digests.

    `derived` tables (totals) are rebuilt after a restore and never dumped.
    """

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    indexes: tuple[Index, ...] = ()
    derived: bool = False

    def column(self, name: str) -> Column:
        return next(c for c in self.columns if c.name == name)

    @property
    def dumped_columns(self) -> tuple[Column, ...]:
        return tuple(c for c in self.columns if not c.derived)


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL in the engine's dialect (placeholders `?` for sqlite, `%s` for postgresql) and its parameters, already in storage form."""

    sql: str
    params: Sequence[object] = ()


Row = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class LockKey:
    """A managed lock: a space ("AccumulationRegister.Stock") and a value within it (empty = the whole space)."""

    space: str
    value: str = ""

    def __str__(self) -> str:
        return f"{self.space}[{self.value}]" if self.value else self.space


@dataclass(frozen=True, slots=True)
class Traits:
    """What an engine can do, as data: the kernel and the command line ask these, never which engine it is."""

    mode: Literal["file", "server"]
    """The word shown to people and written to manifests."""
    dialect: Literal["sqlite", "postgresql"]
    """Which SQL the kernel must hand over."""
    concurrent_writers: bool
    """False: one write transaction at a time in the whole base; explicit managed locks add nothing."""
    log_in_transaction: bool
    """True: event-log entries commit with the data; False: they are appended right after the commit."""
    max_infobase_bytes: int
    """Advised limit of the base's size; 0 = none."""
    max_users: int
    """Advised limit of simultaneous users; 0 = none."""
    demands_password: bool = False
    """True: a base here can be reached by strangers, so its administrator needs a password from the first moment."""
    backup_opens: bool = False
    """True: users have the store's files anyway, and a physical backup is a base that opens as it is.
    False: users never see the files, so backups are dumps, encrypted unless asked otherwise."""
    number_digits: int = 18
    """Exact decimal digits a Number may have."""


SERVICE_APPLICATION = "Infobase"
"""The application of the command line's own short sessions: they are neither counted nor refused where the number of sessions is limited,
for an administrator must be able to come in and end the others."""


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """An open session, as `infobase sessions` shows it. Times are UTC, naive. `terminated`: told to end, and not gone yet."""

    id: uuid.UUID
    number: int
    user: str
    application: str
    host: str
    pid: int
    started: dt.datetime
    exclusive: bool = False
    terminated: bool = False

    def __str__(self) -> str:
        return f"{self.user or '-'} ({self.application}, {self.host}, pid {self.pid})"


@dataclass(frozen=True, slots=True)
class LockInfo:
    """A lock somebody holds or waits for. `holder`: the session as people know it; `number`: its number, 0 where it is not known.

    `what`: the lock's space or table, "" for the whole base; `since`: UTC, naive; `blocked_by`: who is waited for.
    """

    holder: str
    what: str
    number: int = 0
    shared: bool = False
    waiting: bool = False
    since: dt.datetime | None = None
    blocked_by: str = ""


class SessionAdministration(Protocol):
    """What an administrator does with the sessions of a base."""

    def block(self) -> SessionBlock | None:
        """The block of new sessions that is set, in force or not."""

    def set_block(self, block: SessionBlock | None) -> None:
        """Set it, or lift it with None."""

    def terminate(self, sessions: Collection[uuid.UUID] | None, message: str) -> None:
        """End these sessions, or with None everybody but this engine: their next call fails with `message`, what they have open is rolled back."""

    def ended(self, session: uuid.UUID, *, sure: bool = False) -> str | None:
        """The message a session of this engine was ended with, None while it lives. Asked before every call, so it costs next to nothing;
        `sure` asks the store itself."""

    def locks(self, spaces: Collection[str]) -> list[LockInfo]:
        """Locks held and waited for now. `spaces`: the lock spaces there are, for stores that keep only their hashes."""

    def leftovers(self) -> list[str]:
        """What dead processes left behind and this engine has cleared away, in words with the holder's name."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One event-log entry. `event`: standard name such as "_$Data$_.Update". `date`: local time of the writer.

    `severity`: "Information" | "Error" | "Warning" | "Note"; `transaction`: "Committed" | "RolledBack" | "None" | "Unfinished".
    `metadata`: full object name or ""; `data`: reference as "Catalog.X:uuid" or text or "". `number`: of the entry in its log, given by the log.
    """

    date: dt.datetime
    event: str
    severity: str = "Information"
    user: str = ""
    user_id: uuid.UUID | None = None
    computer: str = ""
    application: str = ""
    session: int = 0
    comment: str = ""
    metadata: str = ""
    data: str = ""
    presentation: str = ""
    transaction: str = "None"
    number: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Every given condition must hold. `since` <= date < `until`; `after`, `before`: entries with greater, with lesser numbers (0: any)."""

    since: dt.datetime | None = None
    until: dt.datetime | None = None
    events: Collection[str] = ()
    users: Collection[str] = ()
    severities: Collection[str] = ()
    metadata: Collection[str] = ()
    text: str = ""
    limit: int = 0
    newest_first: bool = False
    after: int = 0
    before: int = 0


class EventLogStore(Protocol):
    """The base's event log, in the layout of 1C's `1Cv8.lgd`."""

    def append(self, entries: Sequence[LogEntry]) -> None:
        """Write entries outside any business transaction (session start, dump finished ...)."""

    def read(self, wanted: LogFilter) -> Iterator[LogEntry]:
        """Entries in order of writing (or the reverse)."""

    def trim(self, before: dt.datetime, last: int = 0) -> int:
        """Remove entries older than `before`, with `last` none numbered higher; returns how many."""

    def clear(self) -> None:
        """Remove everything, the names of users and computers too, so that nothing of it stays readable in the files."""


class Transaction(Protocol):
    """One transaction on the store. Leaves by commit, or by rollback when the block raises."""

    writable: bool

    def run(self, statements: Sequence[Statement], *, last: bool = False) -> list[list[Row]]:
        """Execute in order, in one round trip; the rows each returned (empty for those that return none). `last`: nothing follows in this
        transaction, and the answers cannot undo it; where a round trip costs time, COMMIT travels along.

        Values come back in storage form. BEGIN travels with the first call. Driver errors come out as infobase errors: Deadlock, DiskFull,
        StorageFailure, EngineUnavailable, NotUnique (fields: field=<index name>, value, object), NumberOverflow, LockTimeout.
        """

    def stream(self, statement: Statement) -> Iterator[Row]:
        """Rows one by one in constant memory."""

    def log(self, entries: Sequence[LogEntry]) -> None:
        """Entries that share this transaction's fate: they are written only when it commits, with it or right after it."""

    def after_commit(self, action: Callable[[], None]) -> None:
        """Called once the commit is durable; dropped on rollback."""

    def fail(self, reason: BaseException) -> None:
        """Whatever is in it now must not be committed: every further call, and the commit, raise TransactionFailed."""


@contextmanager
def all_or_nothing(tx: Transaction) -> Iterator[None]:
    """A work that leaves unchecked parts when it breaks off: the transaction around it fails with it, even if its error is swallowed."""
    try:
        yield
    except BaseException as e:
        tx.fail(e)
        raise


class Snapshot(Protocol):
    """One consistent state of the whole store, while users keep working."""

    def read(self, table: Table) -> Iterator[pa.RecordBatch]:
        """The table's dumped columns in canonical Arrow types, ordered by its primary key, in batches of at most 64 Ki rows."""

    def query(self, statement: Statement) -> list[Row]:
        """Small reads on the same snapshot."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault or remark of `check`. `severity`: "error" | "warning" | "note". `code` is stable, for machines."""

    severity: str
    code: str
    message: str
    place: str = ""


@dataclass(frozen=True)
class StoreStats:
    """What `info` shows of the physical store: anything an engine finds worth telling, as name -> value."""

    bytes: int
    details: dict[str, str] = field(default_factory=dict)


class StorageEngine(Protocol):
    """One store at one place. Construction touches nothing; the first use opens."""

    traits: Traits
    place: str
    """The place as people know it: the folder, or "host:port/database" (never a password)."""

    def exists(self) -> bool:
        """Whether a published infobase store is here. GenuineFile when it is a real 1C one."""

    def create(self) -> Self:
        """A new empty private store beside this place, which nobody else sees until `publish`. The caller fills and publishes or drops it.
        Leftovers of dead processes are removed first. InfobaseExists is not checked here."""

    def publish(self, staged: Self, *, replace: bool) -> None:
        """Put a staged store (from `create` or `clone_from`) in this place, in one atomic step; staged must not be used afterwards.
        Without `replace` an existing base raises InfobaseExists. With it the old base must not be in use (InfobaseBusy), and stays whole until
        the switch; stale companions of the old one are removed."""

    def drop(self) -> None:
        """Remove the store and everything it keeps beside it; InfobaseBusy when others use it. Unknown files in the folder are left."""

    def golden(self, key: str, cache: Path) -> Self:
        """Where this store keeps the golden base of that key (hex digits), for bases at this place to be cloned from: in the folder `cache`,
        or beside the bases on their server. What is published there is sealed: it is cloned, never opened. `exists` is true of a whole one only,
        so one that is not is published anew with `replace`."""

    def clone_from(self, golden: Self) -> Self:
        """A staged store that is a physical copy of `golden` (a base nobody writes), the fastest way the store has."""

    def transaction(self, *, write: bool, timeout: float = LOCK_TIMEOUT) -> AbstractContextManager[Transaction]:
        """A transaction. `write=False` reads one snapshot. A writer waits at most `timeout` seconds, then LockTimeout naming the holder."""

    def lock(
        self,
        tx: Transaction,
        keys: Collection[LockKey],
        *,
        shared: bool = False,
        timeout: float = LOCK_TIMEOUT,
    ) -> None:
        """Managed locks held to the end of `tx`, taken in sorted order."""

    def exclusive(self, timeout: float = LOCK_TIMEOUT) -> AbstractContextManager[None]:
        """The base for this session alone; InfobaseBusy naming the others when it cannot be had."""

    def open_session(
        self, info: SessionInfo, *, permission_code: str = "", limit: int = 0
    ) -> AbstractContextManager[SessionInfo]:
        """Register a session (its number is given by the store). `permission_code` passes a block; `limit`: the most sessions at once, 0 for
        any number. InfobaseLockedExclusively, SessionsBlocked, SessionLimit."""

    def sessions(self) -> list[SessionInfo]:
        """The live sessions; those of dead processes are swept."""

    def administration(self) -> SessionAdministration:
        """Blocks, terminations and locks."""

    def bulk_load(self, tx: Transaction, table: Table, rows: Iterable[Sequence[object]]) -> int:
        """Insert many rows (all columns of `table` in order, storage form) inside a transaction; the count."""

    def bulk_texts(self, tx: Transaction, table: Table, blocks: Iterable[TextColumns]) -> int:
        """The same for columns of nothing but text, given block by block."""

    def ingest(self, table: Table, batches: Iterable[pa.RecordBatch]) -> int:
        """Fill an existing empty table of a staged store from canonical Arrow batches holding ALL its columns in order (derived too); the count.
        The table has no primary key or index yet."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """For dumps and digests."""

    def event_log(self) -> EventLogStore:
        """The event log; created when it is missing, for the base opens without it."""

    def backup(self, target: Path, *, log: bool = True, progress: Callable[[int, int], None] | None = None) -> None:
        """An online, consistent physical copy into the new folder `target`, openable as it is (`traits.backup_opens`) or by load_backup.
        No lock of writers is held meanwhile. `log`: with the event log, where that lies outside the store; `progress`: (done, total)."""

    def load_backup(self, source: Path) -> Self:
        """A staged store filled from what `backup` wrote."""

    def compact(self) -> None:
        """Give back the space of removed rows, so that nothing of them stays readable in the store's files. Inside `exclusive`."""

    def check(self) -> list[Finding]:
        """The store's own integrity; changes nothing."""

    def size(self) -> StoreStats:
        """Bytes on disk, and details."""

    def close(self) -> None:
        """Give back every connection and lock. Idempotent."""
