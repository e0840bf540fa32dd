"""The server engine: one PostgreSQL database per infobase, many writers at once."""

from __future__ import annotations

import datetime as dt
import logging
import os
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from engine_server import administration, bulk, labels, log, sessions, staging, upkeep
from engine_server.arrow_connections import ArrowConnections
from engine_server.embedded import cluster_at
from engine_server.failures import translate
from engine_server.place import ServerPlace
from engine_server.pool import Connection, Pool, connect
from engine_server.pool import _abandoned as abandoned
from engine_server.transaction import ServerTransaction
from engine_server.watch import LockWatch
from infobase.errors import (
    EngineUnavailable,
    InfobaseDamaged,
    InfobaseError,
    InfobaseLockedExclusively,
    InfobaseNotFound,
    SessionTerminated,
)
from infobase.i18n import text
from infobase.session_block import demand_unblocked
from infobase.storage import (
    LOCK_TIMEOUT,
    EventLogStore,
    Finding,
    LockKey,
    SessionAdministration,
    SessionInfo,
    Snapshot,
    Statement,
    StoreStats,
    Table,
    Traits,
    Transaction,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from infobase.text_columns import TextColumns

MARKER = "sys_infobase"
"""The table by which a database is known as an infobase."""
GOLDEN = "infobase_golden_"
_OPTIONS = "-c timezone=UTC -c datestyle=ISO -c search_path=public -c jit=off"
_BEGIN_WRITE = Statement("BEGIN")
_BEGIN_READ = Statement("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
_log = logging.getLogger("infobase.engine_server")


class ServerEngine:
    """`conninfo`: the database. `pool_size`: most connections for transactions. `prepare=False` behind a transaction pooler: no prepared
    statements and no start-up options; sessions and exclusive mode still need a direct connection."""

    traits = Traits(
        mode="server",
        dialect="postgresql",
        concurrent_writers=True,
        log_in_transaction=True,
        max_infobase_bytes=0,
        max_users=0,
        demands_password=True,
    )

    def __init__(self, conninfo: ServerPlace, *, pool_size: int = 4, prepare: bool = True) -> None:
        self._given = conninfo
        self.place = str(conninfo)
        self._size, self._prepare = pool_size, prepare
        self._stage: staging.Stage | None = None
        self._golden = False
        self._mutex = threading.RLock()
        self._clear()

    def _clear(self) -> None:
        self._pid = os.getpid()
        self.id = sessions.new_engine_id()
        self._pool: Pool | None = None
        self._service: Connection | None = None
        self._arrow: ArrowConnections | None = None
        self._target: ServerPlace | None = None
        self._exclusive = False
        self._watch = LockWatch(self._blockers)
        self._log = log.ServerEventLog(self)
        self._administration = administration.ServerAdministration(self)

    # --- opening and closing ---

    def where(self) -> ServerPlace:
        """The database with the server's real address; an embedded cluster is started. EngineUnavailable."""
        if self._target is None:
            place = self._given
            if place.cluster is not None:
                address = cluster_at(place.cluster).start()
                user = place.user or address.user
                place = replace(place, host=address.host, port=address.port, user=user, cluster=None)
            self._target = place
        return self._target

    def _connect(self, options: str = "") -> Connection:
        given = f"{_OPTIONS} {options}".strip() if self._prepare else ""
        return connect(
            self.where(), application=sessions.application_name(self.id), options=given, prepare=self._prepare
        )

    def pool(self) -> Pool:
        """InfobaseNotFound, InfobaseDamaged, InfobaseLockedExclusively, EngineUnavailable."""
        pool = self._pool
        if pool is not None and self._pid == os.getpid():
            return pool
        with self._mutex:
            self._leave_parent()
            if self._pool is None:
                self._open()
            assert self._pool is not None
            return self._pool

    def _leave_parent(self) -> None:
        """After a fork: every connection belongs to the parent."""
        if self._pid == os.getpid():
            return
        if self._pool is not None:
            self._pool.abandon()
        abandoned.append(self._service)
        if self._arrow is not None:
            abandoned.append(self._arrow.abandon())
        if self._stage is not None:
            abandoned.append(self._stage.abandon())
        self._clear()

    def _open(self) -> None:
        self.id = sessions.new_engine_id()
        with self._translated(), self._connect() as conn:
            self._examine(conn)
        options = f"{_OPTIONS} -c lock_timeout={int(LOCK_TIMEOUT * 1000)}" + (
            " -c synchronous_commit=off" if self._stage else ""
        )
        self._pool = Pool(
            self.where(),
            self._size,
            application=sessions.application_name(self.id),
            options=options if self._prepare else "",
            prepare=self._prepare,
            greet=self._demand_present,
        )

    def _demand_present(self, conn: Connection) -> None:
        """SessionTerminated when this engine was ended and lost its connections: the tables may since have changed under it."""
        if self._stage is not None:
            return
        with self._translated():
            message = administration.engine_ended(conn, self.id)
        if message is not None:
            raise SessionTerminated(detail=message)

    def _examine(self, conn: Connection) -> None:
        upkeep.demand_version(conn.info.server_version, self.where())
        row = conn.execute(
            "SELECT pg_try_advisory_xact_lock_shared(%s), to_regclass(%s), to_regclass(%s), to_regclass(%s)",
            [sessions.EXCLUSIVE_KEY, f"public.{MARKER}", f'{log.PREFIX}"EventLog"', f"{sessions.SCHEMA}.calls"],
        ).fetchone()
        assert row is not None
        free, marker, event_log, registry = row
        if not free and not self._exclusive:
            raise InfobaseLockedExclusively(place=self.place, holder=sessions.exclusive_holder(conn))
        if marker is None and self._stage is None:
            raise self._foreign(conn)
        if event_log is None or registry is None:
            self._set_up(conn)

    def _foreign(self, conn: Connection) -> InfobaseError:
        found = conn.execute(
            "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        ).fetchone()
        if found and found[0]:
            detail = text(ru="это база данных другой программы", en="this is a database of another application")
            return InfobaseDamaged(place=self.place, detail=detail)
        return InfobaseNotFound(place=self.place)

    def _set_up(self, conn: Connection) -> None:
        with conn.transaction():
            conn.execute("SELECT pg_advisory_xact_lock(%s)", [staging.key_of("infobase setup")])
            for statement in (
                *sessions.setup_statements(),
                *administration.setup_statements(),
                *log.setup_statements(),
            ):
                conn.execute(statement.sql)

    def idle_connections(self) -> int:
        """Open connections of the pool that nobody uses at the moment."""
        return self._pool.idle() if self._pool is not None else 0

    def close(self) -> None:
        with self._mutex:
            self._leave_parent()
            self._watch.close()
            pool, self._pool = self._pool, None
            if pool is not None:
                pool.clear()
            service, self._service = self._service, None
            if service is not None:
                service.close()
            arrow, self._arrow = self._arrow, None
            if arrow is not None:
                arrow.close()

    # --- existence ---

    def exists(self) -> bool:
        if self._stage is not None or self._pool is not None:
            return True
        if self._golden:
            return staging.is_sealed(self.where())
        try:
            conn = self._connect()
        except InfobaseNotFound:
            return False
        with self._translated(), conn:
            upkeep.demand_version(conn.info.server_version, self.where())
            if conn.execute("SELECT to_regclass(%s)", [f"public.{MARKER}"]).fetchone() != (None,):
                return True
            problem = self._foreign(conn)
        if isinstance(problem, InfobaseNotFound):
            return False
        raise problem

    def golden(self, key: str, cache: Path) -> ServerEngine:
        made = ServerEngine(self.where().at(GOLDEN + key), pool_size=self._size, prepare=self._prepare)
        made._golden = True
        return made

    def create(self) -> ServerEngine:
        return self._staged("template0")

    def _staged(self, template: str) -> ServerEngine:
        stage = staging.Stage(self.where(), template=template)
        staged = ServerEngine(stage.place, pool_size=self._size, prepare=self._prepare)
        staged._stage = stage
        return staged

    def publish(self, staged: ServerEngine, *, replace: bool) -> None:
        stage = staged._stage
        if stage is None:
            raise ValueError("publish takes what create() or clone_from() returned")
        replace = replace or not self.exists()
        staged.close()
        self.close()
        staging.switch(stage, self.where(), self.id, replace=replace)
        if self._golden:
            staging.seal(self.where())

    def drop(self) -> None:
        self.close()
        if self._stage is not None:
            self._stage.remove()
            return
        if not self.exists():
            raise InfobaseNotFound(place=self.place)
        staging.drop(self.where(), self.id)

    def clone_from(self, golden: ServerEngine) -> ServerEngine:
        there, here = golden.where(), self.where()
        if (there.host, there.port) != (here.host, here.port):
            detail = text(ru="эталон на другом сервере", en="the golden base is on another server")
            raise EngineUnavailable(place=golden.place, detail=detail)
        golden.close()
        staged = self._staged(there.database)
        try:
            with staged.transaction(write=True) as tx:
                service = [f"{sessions.SCHEMA}.{table}" for table in ("sessions", "block", "ended")]
                tx.run([Statement(f"TRUNCATE {table}") for table in [*service, f'{log.PREFIX}"EventLog"']])
                tx.run([Statement(staging.WRITE_SEQUENCES)])
        except BaseException:
            staged.drop()
            raise
        return staged

    # --- transactions ---

    @contextmanager
    def transaction(self, *, write: bool, timeout: float = LOCK_TIMEOUT) -> Iterator[Transaction]:
        with self.pool().connection(max(timeout, 1)) as conn:
            tx = ServerTransaction(
                conn,
                self.place,
                self._watch,
                writable=write,
                timeout=timeout,
                begin=self._begin(write, timeout),
                log_rows=self._log.insert_statements,
            )
            try:
                yield tx
                tx.commit()
            except BaseException:
                tx.roll_back()
                raise
        for action in tx.actions:
            action()

    def _begin(self, write: bool, timeout: float) -> list[Statement]:
        begin = [_BEGIN_WRITE if write else _BEGIN_READ]
        number = labels.session_number.get()
        if number:
            begin.append(Statement(f"SET LOCAL application_name = '{labels.labelled(self.id, number)}'"))
        if timeout != LOCK_TIMEOUT or not self._prepare:
            begin.append(Statement(f"SET LOCAL lock_timeout = {max(int(timeout * 1000), 1)}"))
        return begin

    def _blockers(self, pid: int) -> str:
        try:
            with self._connect() as conn:
                return sessions.blockers(conn, pid)
        except (psycopg.Error, InfobaseError) as problem:
            _log.debug("blockers of %s: %s", pid, problem)
            return ""

    def lock(
        self, tx: Transaction, keys: Collection[LockKey], *, shared: bool = False, timeout: float = LOCK_TIMEOUT
    ) -> None:
        """A value's lock shares the lock of its space, so that a lock on the whole space excludes it."""
        assert isinstance(tx, ServerTransaction)
        wanted: dict[int, bool] = {}
        for key in keys:
            if key.value:
                wanted.setdefault(staging.key_of(key.space), True)
            exact = staging.key_of(f"{key.space}\0{key.value}" if key.value else key.space)
            wanted[exact] = shared and wanted.get(exact, True)
        if not wanted:
            return
        ordered = sorted(wanted)
        command = (
            "SELECT CASE WHEN s THEN pg_advisory_xact_lock_shared(k)::text ELSE pg_advisory_xact_lock(k)::text END "
            "FROM unnest(%s::bigint[], %s::boolean[]) AS wanted(k, s)"
        )
        statements = [Statement(command, [ordered, [wanted[k] for k in ordered]])]
        usual, tx.timeout = tx.timeout, timeout
        if timeout != usual:
            limits = [Statement(f"SET LOCAL lock_timeout = {max(int(t * 1000), 1)}") for t in (timeout, usual)]
            statements = [limits[0], *statements, limits[1]]
        tx.run(statements)
        tx.timeout = usual

    def bulk_load(self, tx: Transaction, table: Table, rows: Iterable[Sequence[object]]) -> int:
        return self._copy(tx, lambda conn: bulk.copy_rows(conn, table, rows))

    def bulk_texts(self, tx: Transaction, table: Table, blocks: Iterable[TextColumns]) -> int:
        return self._copy(tx, lambda conn: bulk.copy_texts(conn, table, blocks))

    def _copy(self, tx: Transaction, work: Callable[[Connection], int]) -> int:
        assert isinstance(tx, ServerTransaction)
        tx.run([])
        tx.round_trips += 1
        tx.statements += 1
        try:
            return work(tx.conn)
        except psycopg.Error as problem:
            tx.failed = translate(problem, self.place) or problem
            raise tx.failed from problem

    # --- sessions ---

    def registry_connection(self) -> Connection:
        """The connection that holds this engine's sessions and exclusive mode."""
        self.pool()
        with self._mutex:
            if self._service is None or self._service.closed:
                self._service = self._connect()
            return self._service

    @contextmanager
    def apart(self) -> Iterator[Connection]:
        """A connection of its own for a short work outside transactions."""
        with self._translated(), self._connect() as conn:
            yield conn

    @contextmanager
    def open_session(self, info: SessionInfo, *, permission_code: str = "", limit: int = 0) -> Iterator[SessionInfo]:
        conn = self.registry_connection()
        with self._translated():
            demand_unblocked(administration.read_block(conn), permission_code, dt.datetime.now())
            self._administration.swept(sessions.sweep(conn))
            with conn.transaction():
                numbered = sessions.enter(conn, info, self.id, limit)
            self._administration.opened(conn, numbered)
        try:
            yield numbered
        finally:
            self._administration.closed(numbered)
            if self._pid == os.getpid() and self._service is not None and not self._service.closed:
                with suppress(psycopg.OperationalError):  # a lost connection has dropped the registration itself
                    sessions.leave(self._service, numbered)

    def sessions(self) -> list[SessionInfo]:
        with self.reading_connection() as conn:
            alive = [session for _, session in sessions.alive(conn)]
            self._administration.swept(sessions.sweep(conn))  # after the look: whoever is not in it is swept and named
            return alive

    def administration(self) -> SessionAdministration:
        return self._administration

    @contextmanager
    def exclusive(self, timeout: float = LOCK_TIMEOUT) -> Iterator[None]:
        if self._stage is not None or self._exclusive:
            yield
            return
        conn = self.registry_connection()
        with self._translated():
            sessions.take_exclusive(conn, self.id, timeout, self.place)
        self._exclusive = True
        try:
            yield
        finally:
            self._exclusive = False
            sessions.give_exclusive(conn)
            if self._pool is not None:
                self._pool.clear()  # tables may have changed under its prepared statements

    @contextmanager
    def reading_connection(self) -> Iterator[Connection]:
        """A connection outside transactions for a short work."""
        with self._translated(), self.pool().connection(LOCK_TIMEOUT) as conn:
            yield conn

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as problem:
            raise translate(problem, self.place) or problem from problem

    # --- whole tables ---

    def ingest(self, table: Table, batches: Iterable[pa.RecordBatch]) -> int:
        if self._stage is None:
            raise ValueError("ingest fills staged stores only")
        self.pool()
        with self._mutex:
            if self._arrow is None:
                self._arrow = ArrowConnections(
                    self.where(), sessions.application_name(self.id), options="-c synchronous_commit=off"
                )
        return bulk.ingest(self._arrow, self.where(), table, batches)

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        self.pool()
        with ExitStack() as stack:
            conn: Any = stack.enter_context(self._connect())
            with self._translated():
                snapshot = bulk.ServerSnapshot(conn, self.where())
            stack.callback(snapshot.close)
            yield snapshot

    # --- log and upkeep ---

    def event_log(self) -> EventLogStore:
        return self._log

    def backup(self, target: Path, *, log: bool = True, progress: Callable[[int, int], None] | None = None) -> None:
        with self.reading_connection() as conn:
            upkeep.backup(conn, self.where(), Path(target))

    def load_backup(self, source: Path) -> ServerEngine:
        if not (Path(source) / upkeep.ARCHIVE).is_file():
            raise InfobaseNotFound(place=source)
        staged = self._staged("template0")
        staged.place = self.place
        try:
            with staged._connect() as conn:
                upkeep.load_backup(conn, staged.where(), Path(source))
        except BaseException:
            staged.drop()
            raise
        return staged

    def check(self) -> list[Finding]:
        with self.reading_connection() as conn:
            return upkeep.findings(conn, self.place, staged=self._stage is not None)

    def compact(self) -> None:
        with self._translated(), self.apart() as conn:
            conn.execute("VACUUM (FULL, ANALYZE)")

    def size(self) -> StoreStats:
        with self.reading_connection() as conn:
            return upkeep.measure(conn)
