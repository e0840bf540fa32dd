"""The file engine: one SQLite file in a folder, one writer at a time, everybody in fair turn."""

from __future__ import annotations

import datetime as dt
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine_file import bulk, golden, left_journal, upkeep
from engine_file.administration import FileAdministration
from engine_file.event_log import FileEventLog
from engine_file.failures import translate
from engine_file.folder import (
    APPLICATION_ID,
    STORE_VERSION,
    BaseFolder,
    Neighbour,
    demand_locks,
    is_network,
    recognise,
    remove_store,
    sweep,
    sync_folder,
)
from engine_file.locks import Gate, holder_card, leave_gate, shared_gate
from engine_file.registry import Registry
from engine_file.staged import Staging
from engine_file.store import Journal, Store, choose_journal
from engine_file.transaction import FileTransaction
from infobase.errors import DoneUnfinished, InfobaseExists, InfobaseNotFound, StorageFailure
from infobase.session_block import demand_unblocked
from infobase.storage import (
    LOCK_TIMEOUT,
    EventLogStore,
    Finding,
    LockKey,
    SessionAdministration,
    SessionInfo,
    Snapshot,
    StoreStats,
    Table,
    Traits,
    Transaction,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from infobase.text_columns import TextColumns

ADVISED_USERS = 3
"""More work better on a server (docs/administration.md)."""
_log = logging.getLogger("infobase.engine_file")


class FileEngine:
    """`folder`: the infobase's folder. `lock_timeout`: seconds a writer waits when the caller does not say."""

    traits = Traits(
        mode="file",
        dialect="sqlite",
        concurrent_writers=False,
        log_in_transaction=False,
        max_infobase_bytes=4 << 30,
        max_users=ADVISED_USERS,
        backup_opens=True,
    )

    def __init__(self, folder: str | Path, *, lock_timeout: float = LOCK_TIMEOUT) -> None:
        self.folder = BaseFolder.at(folder)
        self.place = str(self.folder.root)
        self.lock_timeout = lock_timeout
        self._staged: Staging | None = None
        self._golden = False
        self._mutex = threading.RLock()
        self._clear()

    def _clear(self) -> None:
        self._pid = os.getpid()
        self._store: Store | None = None
        self._gate: Gate | None = None
        self._registry = Registry(self.folder)
        self._administration = FileAdministration(self.folder, self._registry)
        self._log: FileEventLog | None = None
        self._card = holder_card()

    # --- opening and closing ---

    @property
    def base(self) -> Path:
        """The SQLite file this engine works on."""
        return self._staged.neighbour.path if self._staged else self.folder.base

    @property
    def journal(self) -> Journal:
        return "memory" if self._staged else choose_journal(self.folder.root)

    def store(self) -> Store:
        """The opened store. InfobaseNotFound, GenuineFile, InfobaseDamaged, InfobaseLockedExclusively, EngineUnavailable."""
        store = self._store
        if store is not None and self._pid == os.getpid():
            return store
        with self._mutex:
            self._leave_parent()
            if self._store is None:
                self._open()
            assert self._store is not None
            return self._store

    def _leave_parent(self) -> None:
        """After a fork: everything open belongs to the parent."""
        if self._pid == os.getpid():
            return
        if self._store is not None:
            self._store.abandon()
        if self._log is not None:
            self._log.close()
        self._clear()

    def _open(self) -> None:
        recognise(self.base)
        store = Store(self.base, self.journal)
        if self._staged:
            self._store = store
            return
        root = self.folder.root
        if is_network(root):
            demand_locks(root)
        with _folder_errors(root):
            self._registry.enter(lambda alone: left_journal.settle(store, alone))
        try:
            with _folder_errors(root):
                self._gate = shared_gate(self.folder.gate, self.folder.queue, self.folder.holder)
            upkeep.demand_checked(self.folder, store)
            store.demand_plain_schema()
        except BaseException:
            self._give_back(store)
            raise
        self._store = store

    def _give_back(self, store: Store | None) -> None:
        if store is not None:
            store.close()
        if self._gate is not None:
            self._gate = None
            leave_gate(self.folder.gate)
        if self.folder.sessions.is_dir():
            self._registry.close()

    def close(self) -> None:
        with self._mutex:
            self._leave_parent()
            log, self._log = self._log, None
            if log is not None:
                log.close()
            store, self._store = self._store, None
            self._give_back(store)

    # --- existence ---

    def exists(self) -> bool:
        if self._golden:
            return golden.is_sealed(self.base)
        if not self.base.exists():
            return False
        recognise(self.base)
        return True

    def golden(self, key: str, cache: Path) -> FileEngine:
        made = FileEngine(cache / key, lock_timeout=self.lock_timeout)
        made._golden = True
        return made

    def create(self) -> FileEngine:
        staged = self._stage()
        try:
            with closing(sqlite3.connect(staged.base)) as conn:
                conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                conn.execute(f"PRAGMA user_version = {STORE_VERSION}")
        except sqlite3.Error as problem:
            staged.drop()
            raise translate(problem, staged.base) or problem from problem
        return staged

    def _stage(self) -> FileEngine:
        """A private place beside this one, without a file yet."""
        root = self.folder.root
        made = not root.exists()
        with _folder_errors(root):
            root.mkdir(parents=True, exist_ok=True)
            sweep(self.folder)
            staged = FileEngine(root, lock_timeout=self.lock_timeout)
            staged._staged = Staging(Neighbour(self.folder, "new"), made)
        return staged

    def publish(self, staged: FileEngine, *, replace: bool) -> None:
        staging = staged._staged
        if staging is None:
            raise ValueError("publish takes what create() or clone_from() returned")
        entries = staging.entries
        staged.close()
        # Opening a WAL file with another journal converts it; what will be copied often and opened so is kept without.
        upkeep.finish_store(staged.base, "truncate" if self._golden else choose_journal(self.folder.root))
        self.close()
        try:
            if replace or not self._appear(staged.base):
                self._replace(staged.base, replace=replace)
        except DoneUnfinished:
            staging.published = True
            raise
        staging.published = True
        with DoneUnfinished.after(self.place):
            staging.neighbour.release()
            if self._golden:
                golden.seal(self.folder.base)
            else:
                self._file_log().begin(entries)

    def _appear(self, staged: Path) -> bool:
        """Publish where nobody has ever been, so that there is nobody to be kept out. False where that cannot be."""
        if any(p.exists() for p in (self.folder.sessions, self.folder.check_mark, *upkeep.journals(self.folder.base))):
            return False
        try:
            return upkeep.appear(staged, self.folder.base)
        except FileExistsError:
            raise InfobaseExists(place=self.place) from None

    def _replace(self, staged: Path, *, replace: bool) -> None:
        self._registry.take_exclusive(0 if not replace else 1.0)
        try:
            if self.folder.base.exists():
                if not replace:
                    raise InfobaseExists(place=self.place)
                upkeep.empty_journals(self.folder.base)
            if self._golden:
                golden.unseal(self.folder.base)
            for companion in ("-wal", "-shm", "-journal"):
                self.folder.base.with_name(self.folder.base.name + companion).unlink(missing_ok=True)
            staged.replace(self.folder.base)
            with DoneUnfinished.after(self.place):
                sync_folder(self.folder.root)
                self.folder.check_mark.unlink(missing_ok=True)
        finally:
            self._registry.give_exclusive()

    def drop(self) -> None:
        if self._staged:
            self.close()
            if self._staged.published:
                return
            self._staged.neighbour.remove()
            if self._staged.made_folder:
                upkeep.remove_companions(self.folder)
            return
        if not self.folder.base.exists():
            raise InfobaseNotFound(place=self.place)
        recognise(self.folder.base)
        self.close()
        self._registry.take_exclusive(1.0)
        try:
            with _folder_errors(self.folder.root):
                remove_store(self.folder.base)
            with DoneUnfinished.after(self.place):
                sync_folder(self.folder.root)
                sweep(self.folder)
        finally:
            self._registry.give_exclusive()
        with DoneUnfinished.after(self.place):
            upkeep.remove_companions(self.folder)

    def clone_from(self, golden: FileEngine) -> FileEngine:
        recognise(golden.base)
        if golden._golden:
            return self._staged_copy(golden.base, raw=True)
        return self._staged_copy(golden.base)

    def _staged_copy(self, source: Path, *, raw: bool = False, closed: bool = False) -> FileEngine:
        """`closed`: nobody has the source open; `raw`: nor does its journal need to be looked at, its bytes are the base."""
        staged = self._stage()
        try:
            if raw:
                with _folder_errors(self.folder.root):
                    golden.copy(source, staged.base)
            else:
                upkeep.copy_store(source, staged.base, closed=closed)
                staged.store().demand_plain_schema()
        except BaseException:
            staged.drop()
            raise
        return staged

    # --- transactions ---

    @contextmanager
    def transaction(self, *, write: bool, timeout: float | None = None) -> Iterator[Transaction]:
        seconds = self.lock_timeout if timeout is None else timeout
        if write:
            tx = yield from self._write(seconds)
            for action in tx.actions:
                action()
            return
        with self.store().reader() as conn:
            self._registry.demand_present()
            tx = FileTransaction(conn, self.base, writable=False, timeout=seconds)
            conn.execute("BEGIN")
            try:
                yield tx
            finally:
                if conn.in_transaction:
                    conn.execute("ROLLBACK")
        for action in tx.actions:
            action()

    def _write(self, seconds: float) -> Generator[FileTransaction, None, FileTransaction]:
        store = self.store()
        gate = self._gate
        if gate is not None:
            gate.acquire(seconds, self._card, self._registry.waiting)
        else:
            self._mutex.acquire()
        try:
            self._registry.demand_present()  # behind the gate: whoever ended this engine may have changed the tables meanwhile
            tx = self._begin(store, seconds)
            try:
                yield tx
                self._commit(store, tx)
            except BaseException as problem:
                self._roll_back(store, tx, problem)
                raise
            return tx
        finally:
            if gate is not None:
                gate.release()
            else:
                self._mutex.release()

    def _begin(self, store: Store, seconds: float) -> FileTransaction:
        conn = store.writer()
        tx = FileTransaction(conn, self.base, writable=True, timeout=seconds)
        try:
            conn.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as problem:
            raise translate(problem, self.base, timeout=seconds) or problem from problem
        return tx

    def _commit(self, store: Store, tx: FileTransaction) -> None:
        if tx.failed is not None:
            raise tx.failed
        self._registry.demand_present()
        try:
            tx.conn.execute("COMMIT")
        except sqlite3.Error as problem:
            raise translate(problem, self.base, timeout=20) or problem from problem
        if tx.entries:
            self.event_log().append(tx.entries)
        try:
            store.committed()
        except sqlite3.Error as problem:  # the commit is durable; the base must still be checked before the next one
            _log.warning("%s: %s", self.base, problem)
            if isinstance(translate(problem, self.base), StorageFailure):
                self._break(store)

    def _roll_back(self, store: Store, tx: FileTransaction, problem: BaseException) -> None:
        if isinstance(problem, StorageFailure) or isinstance(tx.failed, StorageFailure):
            self._break(store)
        elif tx.conn.in_transaction:
            with suppress(sqlite3.Error):
                tx.conn.execute("ROLLBACK")

    def _break(self, store: Store) -> None:
        """After an I/O error pages may be gone though the next write succeeds: close, and check before going on."""
        with suppress(OSError):
            self.folder.check_mark.touch()
        with suppress(sqlite3.Error):
            store.close()
        store_is_ours = self._store is store
        if store_is_ours:
            self._store = None
            if self._gate is not None:
                leave_gate(self.folder.gate)
            self._gate = None
            self._registry.close()

    def lock(
        self, tx: Transaction, keys: Collection[LockKey], *, shared: bool = False, timeout: float = LOCK_TIMEOUT
    ) -> None:
        """Nothing to do: a writer is alone in the base."""

    def bulk_load(self, tx: Transaction, table: Table, rows: Iterable[Sequence[object]]) -> int:
        assert isinstance(tx, FileTransaction)
        return bulk.insert_rows(tx, table, rows)

    def bulk_texts(self, tx: Transaction, table: Table, blocks: Iterable[TextColumns]) -> int:
        assert isinstance(tx, FileTransaction)
        return bulk.insert_texts(tx, table, blocks)

    # --- sessions ---

    @contextmanager
    def exclusive(self, timeout: float | None = None) -> Iterator[None]:
        self.store()
        if self._staged or self._registry.has_exclusive():
            yield
            return
        self._registry.take_exclusive(self.lock_timeout if timeout is None else timeout)
        try:
            yield
        finally:
            self._registry.give_exclusive()

    @contextmanager
    def open_session(self, info: SessionInfo, *, permission_code: str = "", limit: int = 0) -> Iterator[SessionInfo]:
        self.store()
        demand_unblocked(self._administration.block(), permission_code, dt.datetime.now())
        registry = self._registry
        entry, numbered = registry.enter_session(info, limit)
        self._card = holder_card(numbered.user, numbered.application, number=numbered.number)
        try:
            yield numbered
        finally:
            if self._pid == os.getpid():
                registry.leave(entry)

    def sessions(self) -> list[SessionInfo]:
        return [replace(e.session, terminated=e.ended) for e in self._registry.entries() if e.session is not None]

    def administration(self) -> SessionAdministration:
        return self._administration

    # --- whole tables ---

    def ingest(self, table: Table, batches: Iterable[pa.RecordBatch]) -> int:
        if self._staged is None:
            raise ValueError("ingest fills staged stores only")
        with self._mutex:
            self.close()
            return bulk.ingest(self.base, table, batches)

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        store = self.store()
        sweep(self.folder)
        with _folder_errors(self.folder.root):
            scratch = Neighbour(self.folder, "scratch")
        try:
            upkeep.vacuum_into(store, scratch.path)
            snapshot = bulk.FileSnapshot(scratch.path)
            try:
                yield snapshot
            finally:
                snapshot.close()
        finally:
            scratch.remove()

    # --- log and upkeep ---

    def event_log(self) -> EventLogStore:
        return self._staged or self._file_log()

    def _file_log(self) -> FileEventLog:
        with self._mutex:
            self._leave_parent()
            if self._log is None:
                self._log = FileEventLog(self.folder.log, choose_journal(self.folder.root))
            return self._log

    def backup(self, target: Path, *, log: bool = True, progress: Callable[[int, int], None] | None = None) -> None:
        kept = self.event_log() if log else None
        upkeep.backup(self.store(), kept if isinstance(kept, FileEventLog) else None, Path(target), progress)

    def load_backup(self, source: Path) -> FileEngine:
        found = BaseFolder.at(source)
        recognise(found.base)
        return self._staged_copy(found.base, closed=True)

    def check(self) -> list[Finding]:
        log = self.event_log()
        return upkeep.findings(self.store(), self.traits, log.trouble if isinstance(log, FileEventLog) else "")

    def compact(self) -> None:
        store = self.store()
        gate = self._gate
        if gate is None:
            upkeep.compact(store)
            return
        gate.acquire(self.lock_timeout, self._card)
        try:
            upkeep.compact(store)
        finally:
            gate.release()

    def size(self) -> StoreStats:
        return upkeep.measure(self.folder, self.base, self.journal)


@contextmanager
def _folder_errors(root: Path) -> Iterator[None]:
    """Errors of the file system about the folder itself."""
    try:
        yield
    except OSError as problem:
        raise upkeep.folder_error(problem, root) from problem
