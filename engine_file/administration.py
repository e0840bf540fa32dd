"""Blocks, terminations and locks of a file base."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Mapping
from typing import Any

from engine_file.folder import BaseFolder
from engine_file.locks import LockFile, describe_card, read_card
from engine_file.registry import Entry, Registry
from infobase.errors import EngineUnavailable
from infobase.files import write_atomically
from infobase.i18n import text
from infobase.session_block import CDN_BYTES, SessionBlock, format_cdn, parse_cdn
from infobase.storage import LockInfo


class FileAdministration:
    """The block lives in `1Cv8.cdn`, so 1C's own tools set and lift it too."""

    def __init__(self, folder: BaseFolder, registry: Registry) -> None:
        self._folder, self._registry = folder, registry

    # --- the block ---

    def block(self) -> SessionBlock | None:
        try:
            with self._folder.block.open("rb") as file:
                return parse_cdn(file.read(CDN_BYTES))
        except FileNotFoundError:
            return None
        except OSError as problem:
            raise self._refused(problem) from problem

    def set_block(self, block: SessionBlock | None) -> None:
        try:
            if block is None:
                self._folder.block.unlink(missing_ok=True)
            else:
                write_atomically(self._folder.block, format_cdn(block))
        except OSError as problem:
            raise self._refused(problem) from problem

    def _refused(self, problem: OSError) -> EngineUnavailable:
        detail = text(ru=f"блокировка сеансов: {problem.strerror}", en=f"session block: {problem.strerror}")
        return EngineUnavailable(place=self._folder.block, detail=detail)

    # --- ends ---

    def terminate(self, sessions: Collection[uuid.UUID] | None, message: str) -> None:
        def chosen(entry: Entry) -> bool:
            if sessions is None:
                return entry.owner != self._registry.owner
            return entry.session is not None and entry.session.id in sessions

        self._registry.end(chosen, message)

    def ended(self, session: uuid.UUID, *, sure: bool = False) -> str | None:
        return self._registry.ended(session)

    def leftovers(self) -> list[str]:
        return list(self._registry.leftovers)

    # --- locks ---

    def locks(self, spaces: Collection[str]) -> list[LockInfo]:
        """A file base has two: exclusive mode, and the gate every writer passes."""
        found = []
        card = self._registry.exclusive_card()
        if card:
            since = _modified(self._folder.exclusive_holder)
            found.append(_lock(card, text(ru="монопольный режим", en="exclusive mode"), since))
        gate = text(ru="запись в базу", en="writing to the base")
        holder = self._gate_holder()
        if holder:
            found.append(_lock(holder, gate, _modified(self._folder.holder)))
        for entry, since_epoch in self._registry.waiters():
            session = entry.session
            number = session.number if session else 0
            blocked_by = describe_card(holder) if holder else ""
            found.append(
                LockInfo(str(entry), gate, number, waiting=True, since=_utc(since_epoch), blocked_by=blocked_by)
            )
        return found

    def _gate_holder(self) -> Mapping[str, object]:
        """Empty when the gate is free."""
        if not self._folder.gate.exists():
            return {}
        lock = LockFile(self._folder.gate)
        try:
            return {} if lock.try_lock() else read_card(self._folder.holder)
        finally:
            lock.close()


def _lock(card: Mapping[str, Any], what: str, since: dt.datetime | None) -> LockInfo:
    return LockInfo(describe_card(card), what, int(card.get("number") or 0), since=since)


def _modified(path: Any) -> dt.datetime | None:
    try:
        return _utc(path.stat().st_mtime)
    except OSError:
        return None


def _utc(epoch: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(epoch, dt.UTC).replace(tzinfo=None, microsecond=0)
