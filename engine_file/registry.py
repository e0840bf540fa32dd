"""Who has the base open: one locked file per user of the folder, exclusive mode, the session block `1Cv8.cdn`.

An entry is a pair in `1Cv8Ses/`: `<id>.json` says who, `<id>.cfl` is locked for as long as its process lives. Every opened engine has one,
every session one more. All changes happen under `registry.cfl`.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from engine_file.folder import BaseFolder
from engine_file.locks import HOST, LockFile, describe_card
from infobase.errors import EngineUnavailable, InfobaseBusy, InfobaseLockedExclusively, SessionsBlocked
from infobase.i18n import text
from infobase.storage import SessionInfo

_MUTEX_SECONDS = 10.0
PERMISSION_CODE = "INFOBASE_PERMISSION_CODE"
"""Environment variable with the code that lets a session through a block, as 1C's /UC."""


@dataclass(frozen=True)
class Entry:
    """A live entry. `session` is None for an engine that only has the base open; `owner` is the engine's id."""

    id: str
    owner: str
    pid: int
    host: str
    session: SessionInfo | None = None

    def __str__(self) -> str:
        return str(self.session) if self.session else describe_card({"pid": self.pid, "host": self.host})


class Registry:
    """The registry of one folder as one engine sees it."""

    def __init__(self, folder: BaseFolder) -> None:
        self._folder = folder
        self.owner = uuid.uuid4().hex
        self._held: dict[str, LockFile] = {}
        self._exclusive: LockFile | None = None

    # --- entries ---

    def enter(self) -> str:
        """Register the engine; the entry's id. InfobaseLockedExclusively."""
        with self._changing():
            self._demand_shared()
            return self._write(Entry(uuid.uuid4().hex, self.owner, os.getpid(), HOST))

    def enter_session(self, info: SessionInfo) -> tuple[str, SessionInfo]:
        """Register a session, numbered by the store. InfobaseLockedExclusively."""
        with self._changing():
            self._demand_shared()
            counter = self._folder.sessions / "number"
            number = _read_number(counter) + 1
            counter.write_text(str(number))
            numbered = replace(info, number=number)
            return self._write(Entry(uuid.uuid4().hex, self.owner, os.getpid(), HOST, numbered)), numbered

    def leave(self, entry: str) -> None:
        lock = self._held.pop(entry, None)
        if lock is None:
            return
        lock.close()
        for tail in (".json", ".cfl"):
            (self._folder.sessions / f"{entry}{tail}").unlink(missing_ok=True)

    def entries(self) -> list[Entry]:
        """The live ones; those of dead processes are swept."""
        if not self._folder.sessions.is_dir():
            return []
        with self._changing():
            return self._alive()

    def others(self) -> list[Entry]:
        """Everybody but this engine and its only session."""
        return self._without_own(self.entries())

    def _without_own(self, entries: list[Entry]) -> list[Entry]:
        own = [e for e in entries if e.owner == self.owner and e.session is not None]
        return [e for e in entries if e.owner != self.owner or (len(own) > 1 and e in own[1:])]

    def _write(self, entry: Entry) -> str:
        lock = LockFile(self._folder.sessions / f"{entry.id}.cfl")
        lock.try_lock()
        card = asdict(entry)
        (self._folder.sessions / f"{entry.id}.json").write_text(
            json.dumps(card, default=str, ensure_ascii=False), "utf-8"
        )
        self._held[entry.id] = lock
        return entry.id

    def _alive(self) -> list[Entry]:
        found = []
        for path in self._folder.sessions.glob("*.json"):
            if path == self._folder.exclusive_holder:
                continue
            lock_path = path.with_suffix(".cfl")
            if path.stem not in self._held:
                lock = LockFile(lock_path)
                dead = lock.try_lock()
                lock.close()
                if dead:
                    path.unlink(missing_ok=True)
                    lock_path.unlink(missing_ok=True)
                    continue
            entry = _read_entry(path)
            if entry is not None:
                found.append(entry)
        return sorted(found, key=lambda e: (e.session.number if e.session else 0, e.id))

    # --- exclusive mode ---

    def take_exclusive(self, timeout: float) -> None:
        """InfobaseBusy names the others; InfobaseLockedExclusively the one who has it already."""
        deadline = time.monotonic() + timeout
        self._folder.sessions.mkdir(exist_ok=True)
        lock = LockFile(self._folder.exclusive)
        while not lock.try_lock():
            if time.monotonic() >= deadline:
                lock.close()
                raise InfobaseLockedExclusively(place=self._folder.root, holder=self._exclusive_holder())
            time.sleep(0.02)
        try:
            while others := self.others():
                if time.monotonic() >= deadline:
                    holder = "; ".join(str(e) for e in others)
                    raise InfobaseBusy(place=self._folder.root, holder=holder)
                time.sleep(0.05)
            mine = next((e for e in self.entries() if e.owner == self.owner and e.session), None)
            card = _card(mine) if mine else {"pid": os.getpid(), "host": HOST}
            self._folder.exclusive_holder.write_text(json.dumps(card, ensure_ascii=False), "utf-8")
        except BaseException:
            lock.close()
            raise
        self._exclusive = lock

    def give_exclusive(self) -> None:
        lock, self._exclusive = self._exclusive, None
        if lock is not None:
            self._folder.exclusive_holder.unlink(missing_ok=True)
            lock.close()

    def has_exclusive(self) -> bool:
        return self._exclusive is not None

    def _demand_shared(self) -> None:
        if self._exclusive is not None:
            return
        lock = LockFile(self._folder.exclusive)
        free = lock.try_lock()
        lock.close()
        if not free:
            raise InfobaseLockedExclusively(place=self._folder.root, holder=self._exclusive_holder())

    def _exclusive_holder(self) -> str:
        try:
            return describe_card(json.loads(self._folder.exclusive_holder.read_text("utf-8")))
        except (OSError, ValueError):
            return describe_card({})

    # --- plumbing ---

    @contextmanager
    def _changing(self) -> Iterator[None]:
        self._folder.sessions.mkdir(exist_ok=True)
        mutex = LockFile(self._folder.sessions / "registry.cfl")
        try:
            if not mutex.lock_within(_MUTEX_SECONDS):
                detail = text(ru="реестр сеансов занят", en="the session registry is busy")
                raise EngineUnavailable(place=self._folder.sessions, detail=detail)
            yield
        finally:
            mutex.close()

    def close(self) -> None:
        self.give_exclusive()
        for entry in list(self._held):
            self.leave(entry)


def _card(entry: Entry) -> dict[str, object]:
    session = entry.session
    return {
        "pid": entry.pid,
        "host": entry.host,
        **({"user": session.user, "application": session.application} if session else {}),
    }


def _read_number(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def _read_entry(path: Path) -> Entry | None:
    try:
        card = json.loads(path.read_text("utf-8"))
        session = card.pop("session")
        if session is not None:
            session["id"] = uuid.UUID(session["id"])
            session["started"] = dt.datetime.fromisoformat(session["started"])
            session = SessionInfo(**session)
        return Entry(**card, session=session)
    except (OSError, ValueError, KeyError, TypeError):
        return None


# --- the session block ---


@dataclass(frozen=True)
class SessionBlock:
    """`1Cv8.cdn`: no new sessions from `since` to `until` (None: open), unless the permission code is given."""

    since: dt.datetime | None
    until: dt.datetime | None
    message: str
    code: str
    parameter: str = ""

    def in_force(self, now: dt.datetime) -> bool:
        return (self.since is None or self.since <= now) and (self.until is None or now < self.until)


def parse_block(content: str) -> SessionBlock | None:
    """`{1,<from>,<to>,"<message>","<code>","<parameter>"}`, tolerantly; None where it says nothing."""
    tokens = [
        string.replace('""', '"') if quote else bare.strip()
        for quote, string, bare in re.findall(r'(")((?:[^"]|"")*)"|([^",{}\s][^",{}]*)', content.lstrip("\ufeff"))
    ]
    if len(tokens) < 3:
        return None
    tokens += [""] * (6 - len(tokens))
    return SessionBlock(_moment(tokens[1]), _moment(tokens[2]), tokens[3], tokens[4], tokens[5])


def _moment(value: str) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(value[:14], "%Y%m%d%H%M%S")
    except ValueError:
        return None


def demand_unblocked(folder: BaseFolder) -> None:
    """SessionsBlocked while a block is in force and its code is not given."""
    try:
        content = folder.block.read_text("utf-8", errors="replace")
    except FileNotFoundError:
        return
    block = parse_block(content)
    if block is None or not block.in_force(dt.datetime.now()):
        return
    if block.code and os.environ.get(PERMISSION_CODE) == block.code:
        return
    said = block.message or text(ru="установлена блокировка начала сеансов", en="a session block is set")
    until = f" ({text(ru='до', en='until')} {block.until:%Y-%m-%d %H:%M:%S})" if block.until else ""
    raise SessionsBlocked(detail=said + until)
