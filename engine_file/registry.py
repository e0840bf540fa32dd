"""Who has the base open: one locked file per user of the folder, and exclusive mode.

An entry is a pair in `1Cv8Ses/`: `<id>.json` says who, `<id>.cfl` is locked for as long as its process lives. Every opened engine has one,
every session one more. `<id>.end` tells an entry that it was ended, `<id>.wait` that it waits for the writer gate. All changes but waits
happen under `registry.cfl`.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from engine_file.folder import BaseFolder
from engine_file.locks import HOST, LockFile, describe_card, read_card
from infobase.errors import EngineUnavailable, InfobaseBusy, InfobaseLockedExclusively, SessionLimit, SessionTerminated
from infobase.i18n import text
from infobase.storage import SERVICE_APPLICATION, SessionInfo

_MUTEX_SECONDS = 10.0
_TAILS = (".json", ".end", ".wait", ".cfl")
_LEFTOVERS_KEPT = 50


@dataclass(frozen=True)
class Entry:
    """A live entry. `session` is None for an engine that only has the base open; `owner` is the engine's id."""

    id: str
    owner: str
    pid: int
    host: str
    session: SessionInfo | None = None
    ended: bool = False

    def __str__(self) -> str:
        return str(self.session) if self.session else describe_card({"pid": self.pid, "host": self.host})


class Registry:
    """The registry of one folder as one engine sees it."""

    def __init__(self, folder: BaseFolder) -> None:
        self._folder = folder
        self.owner = uuid.uuid4().hex
        self._held: dict[str, LockFile] = {}
        self._exclusive: LockFile | None = None
        self._own = ""
        self._own_end = ""
        self._sessions: dict[uuid.UUID, Path] = {}
        """This engine's sessions -> the file that would tell their end."""
        self.leftovers: list[str] = []
        """Entries of dead processes this engine has swept, with their names."""

    # --- entries ---

    def enter(self, first: Callable[[Callable[[], bool]], None] | None = None) -> str:
        """Register the engine; the entry's id. InfobaseLockedExclusively. `first` is done before, while nobody else can come in; it may ask
        whether nobody is in."""
        with self._changing():
            self._demand_shared()
            if first is not None:
                first(lambda: not self._alive())
            self._own = self._write(Entry(uuid.uuid4().hex, self.owner, os.getpid(), HOST))
            self._own_end = str(self._folder.sessions / f"{self._own}.end")
            return self._own

    def enter_session(self, info: SessionInfo, limit: int = 0) -> tuple[str, SessionInfo]:
        """Register a session, numbered by the store; with `limit` it may be at most the so-many-th. InfobaseLockedExclusively, SessionLimit."""
        with self._changing():
            self._demand_shared()
            if limit:
                self._demand_room(limit)
            counter = self._folder.sessions / "number"
            number = _read_number(counter) + 1
            counter.write_text(str(number))
            numbered = replace(info, number=number)
            entry = self._write(Entry(uuid.uuid4().hex, self.owner, os.getpid(), HOST, numbered))
            self._sessions[info.id] = self._folder.sessions / f"{entry}.end"
            return entry, numbered

    def _demand_room(self, limit: int) -> None:
        counted = [str(s) for s in map(_session, self._alive()) if s is not None and _counts(s)]
        if len(counted) >= limit:
            raise SessionLimit(limit=limit, holder="; ".join(counted))

    def leave(self, entry: str) -> None:
        lock = self._held.pop(entry, None)
        if lock is None:
            return
        lock.close()
        self._sessions = {k: p for k, p in self._sessions.items() if p.stem != entry}
        self._remove(entry)

    def _remove(self, entry: str) -> None:
        for tail in _TAILS:
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
        gone = _ended_owners(entries)
        others = [e for e in entries if e.owner != self.owner or (len(own) > 1 and e in own[1:])]
        return [e for e in others if not e.ended and e.owner not in gone]

    def _write(self, entry: Entry) -> str:
        lock = LockFile(self._folder.sessions / f"{entry.id}.cfl")
        lock.try_lock()
        card = asdict(entry)
        del card["ended"]
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
                    self._sweep(path)
                    continue
            entry = _read_entry(path)
            if entry is not None:
                found.append(replace(entry, ended=path.with_suffix(".end").exists()))
        return sorted(found, key=lambda e: (e.session.number if e.session else 0, e.id))

    def _sweep(self, path: Path) -> None:
        entry = _read_entry(path)
        if entry is not None and entry.session is not None and len(self.leftovers) < _LEFTOVERS_KEPT:
            self.leftovers.append(str(entry))
        self._remove(path.stem)

    # --- ends and waits ---

    def end(self, sessions: Callable[[Entry], bool], message: str) -> None:
        """Tell the chosen entries that they are ended."""
        with self._changing():
            for entry in self._alive():
                if sessions(entry):
                    (self._folder.sessions / f"{entry.id}.end").write_text(message, "utf-8")

    def ended(self, session: uuid.UUID) -> str | None:
        """The message a session of this engine was ended with."""
        path = self._sessions.get(session)
        if path is None or not os.path.exists(path):  # noqa: PTH110 - asked before every call
            return None
        return _read_text(path)

    def demand_present(self) -> None:
        """SessionTerminated when this engine was ended, or all of its sessions: the base may since have changed under it."""
        if not self._own:
            return
        if os.path.exists(self._own_end):  # noqa: PTH110 - asked twice in every transaction
            raise SessionTerminated(detail=_read_text(Path(self._own_end)))
        ends = self._sessions.values()
        if ends and all(os.path.exists(p) for p in ends):  # noqa: PTH110
            raise SessionTerminated(detail=_read_text(next(iter(ends))))

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Shows, while the block runs, that this engine's sessions wait for the writer gate."""
        marks = [p.with_suffix(".wait") for p in self._sessions.values()]
        for mark in marks:
            mark.touch()
        try:
            yield
        finally:
            for mark in marks:
                mark.unlink(missing_ok=True)

    def waiters(self) -> list[tuple[Entry, float]]:
        """(entry, since: seconds of the epoch) of those that wait for the writer gate."""
        found = []
        for entry in self.entries():
            try:
                found.append((entry, (self._folder.sessions / f"{entry.id}.wait").stat().st_mtime))
            except OSError:
                continue
        return found

    def exclusive_card(self) -> dict[str, object]:
        """Who holds exclusive mode; empty when nobody does."""
        if self._exclusive is None:
            if not self._folder.exclusive.exists():
                return {}
            lock = LockFile(self._folder.exclusive)
            free = lock.try_lock()
            lock.close()
            if free:
                return {}
        return read_card(self._folder.exclusive_holder)

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
                    holder = "; ".join(map(str, _named(others)))
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
        return describe_card(read_card(self._folder.exclusive_holder))

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
        self._own = ""


def _session(entry: Entry) -> SessionInfo | None:
    return None if entry.session is None or entry.ended else entry.session


def _counts(session: SessionInfo) -> bool:
    return session.application != SERVICE_APPLICATION


def _ended_owners(entries: list[Entry]) -> set[str]:
    """Engines all of whose sessions were ended: they do nothing more."""
    having = {e.owner for e in entries if e.session is not None}
    return having - {e.owner for e in entries if e.session is not None and not e.ended}


def _read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _named(entries: list[Entry]) -> list[Entry]:
    """Each program by its sessions; one that has none as it is."""
    known = {e.owner for e in entries if e.session is not None}
    return [e for e in entries if e.session is not None or e.owner not in known]


def _card(entry: Entry) -> dict[str, object]:
    session = entry.session
    return {
        "pid": entry.pid,
        "host": entry.host,
        **({"user": session.user, "application": session.application, "number": session.number} if session else {}),
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
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
