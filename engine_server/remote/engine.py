"""What stands where a local session has a storage engine: facts about the store, asked of the server."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn, cast

from engine_server.remote.address import parse_server
from engine_server.remote.door import Door
from engine_server.remote.interactive import RemoteTransaction
from engine_server.wire import values
from engine_server.wire.protocol import LOG_PAGE
from infobase.connection_string import ConnectionString
from infobase.errors import NotOverTheWire
from infobase.i18n import text
from infobase.session_block import SessionBlock
from infobase.storage import (
    LOCK_TIMEOUT,
    Finding,
    LockInfo,
    LockKey,
    LogEntry,
    LogFilter,
    SessionAdministration,
    SessionInfo,
    StoreStats,
    Traits,
    Transaction,
)


class RemoteEngine:
    """Of the `StorageEngine` contract only what makes sense from afar; the rest is refused with NotOverTheWire."""

    traits = Traits(
        mode="server",
        dialect="postgresql",
        concurrent_writers=True,
        log_in_transaction=True,
        max_infobase_bytes=0,
        max_users=0,
        demands_password=True,
    )

    def __init__(self, where: ConnectionString) -> None:
        self.where = where
        self.addresses = parse_server(where.get("Srvr"))
        self.place = f"{self.addresses}/{where.get('Ref')}"
        self.door = Door(self)

    def close(self) -> None:
        self.door.close()

    def exists(self) -> bool:
        """Needs the cluster's administrator, for names of infobases are not told to strangers."""
        return self.door.exists()

    def drop(self) -> None:
        """Needs the cluster's administrator."""
        self.door.drop()

    # --- transactions ---

    @contextmanager
    def transaction(self, *, write: bool, timeout: float = LOCK_TIMEOUT) -> Iterator[Transaction]:
        tx = RemoteTransaction(self.door.transport, writable=write, timeout=timeout)
        try:
            yield cast(Transaction, tx)
        except BaseException:
            tx.roll_back()
            raise
        tx.commit()

    def lock(
        self, tx: Transaction, keys: Collection[LockKey], *, shared: bool = False, timeout: float = LOCK_TIMEOUT
    ) -> None:
        pairs = [[k.space, k.value] for k in keys]
        cast(Any, tx).call("lock", {"keys": pairs, "shared": shared})

    # --- facts ---

    def sessions(self) -> list[SessionInfo]:
        return cast("list[SessionInfo]", values.decode(self.door.answer("sessions", {})))

    def check(self) -> list[Finding]:
        return cast("list[Finding]", values.decode(self.door.answer("engine_check", {})))

    def size(self) -> StoreStats:
        found = self.door.answer("engine_size", {})
        return StoreStats(found["bytes"], dict(found["details"]))

    def administration(self) -> SessionAdministration:
        return RemoteAdministration(self.door)

    def event_log(self) -> RemoteEventLog:
        return RemoteEventLog(self.door)

    # --- what only the server may do ---

    def _refuse(self, ru: str, en: str) -> NoReturn:
        raise NotOverTheWire(what=text(ru=ru, en=en))

    def exclusive(self, timeout: float = LOCK_TIMEOUT) -> AbstractContextManager[None]:
        self._refuse("Монопольный режим", "Exclusive mode")

    def snapshot(self) -> NoReturn:
        self._refuse("Чтение таблиц базы", "Reading the tables")

    def backup(self, target: Path, *, log: bool = True, progress: Callable[[int, int], None] | None = None) -> None:
        self._refuse("Физическая копия", "A physical copy")

    def compact(self) -> None:
        self._refuse("Сжатие хранилища", "Compacting the store")

    def create(self) -> NoReturn:
        self._refuse("Создание хранилища", "Making a store")

    def golden(self, key: str, cache: Path) -> NoReturn:
        self.create()

    def clone_from(self, golden: object) -> NoReturn:
        self.create()


class RemoteEventLog:
    """The event log of the base, at the server."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def append(self, entries: Sequence[LogEntry]) -> None:
        """An administrator's notes; the server puts his own name, computer and time on them."""
        self._door.answer("log_append", {"entries": [values.encode(e) for e in entries]})

    def read(self, wanted: LogFilter) -> Iterator[LogEntry]:
        """In pages: a log may be longer than an answer."""
        left, page = wanted.limit, wanted
        while True:
            size = min(left or LOG_PAGE, LOG_PAGE)
            found = self._page(replace(page, limit=size))
            yield from found
            left -= len(found) if wanted.limit else 0
            if len(found) < size or (wanted.limit and not left):
                return
            last = found[-1].number
            page = replace(page, before=last) if wanted.newest_first else replace(page, after=last)

    def _page(self, wanted: LogFilter) -> list[LogEntry]:
        given = self._door.answer("log_read", {"filter": values.encode(wanted)})
        return [cast(LogEntry, values.decode(entry)) for entry in given]

    def trim(self, before: dt.datetime, last: int = 0) -> int:
        return int(self._door.answer("log_trim", {"before": values.encode(before), "last": last}))

    def clear(self) -> None:
        raise NotOverTheWire(what=text(ru="Очистка журнала регистрации", en="Clearing the event log"))


class RemoteAdministration:
    """Blocks, ends and locks of sessions at the server."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def block(self) -> SessionBlock | None:
        return cast("SessionBlock | None", values.decode(self._door.answer("session_block", {})))

    def set_block(self, block: SessionBlock | None) -> None:
        self._door.answer("session_set_block", {"block": values.encode(block)})

    def terminate(self, sessions: Collection[uuid.UUID] | None, message: str) -> None:
        given = None if sessions is None else [str(s) for s in sessions]
        self._door.answer("session_terminate", {"sessions": given, "message": message})

    def ended(self, session: uuid.UUID, *, sure: bool = False) -> str | None:
        """The server says so itself, with the next call."""
        return None

    def locks(self, spaces: Collection[str]) -> list[LockInfo]:
        return cast("list[LockInfo]", values.decode(self._door.answer("session_locks", {})))

    def leftovers(self) -> list[str]:
        return []
