"""Interactive transactions: `session.transaction()` of a remote session.

One WebSocket carries the calls of one transaction, so no balancer needs to know about it, and its end is the transaction's end. It may be idle
for `transaction_idle_seconds` and last `transaction_seconds`; then it is rolled back, for it holds locks.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from engine_server import labels
from engine_server.application import calls, entry, once
from engine_server.application.calls import Context
from engine_server.application.state import Worker
from engine_server.failures import CallRepeated
from infobase.errors import InfobaseError
from infobase.storage import LOCK_TIMEOUT

ENDS = ("commit", "rollback")


class _RolledBack(Exception):
    """Leaves the transaction's block without a commit."""


class LiveTransaction:
    """Used by one message at a time, from whichever thread. `key` settles a COMMIT whose answer was lost."""

    def __init__(
        self, worker: Worker, ref: str, token: str, *, write: bool, timeout: float, key: uuid.UUID | None
    ) -> None:
        self.worker, self._ref, self._token = worker, ref, token
        self._write, self._timeout, self._key = write, min(max(timeout, 0.0), LOCK_TIMEOUT), key
        self._stack = ExitStack()
        self._context: Context | None = None
        self.deadline = time.monotonic() + worker.settings.transaction_seconds
        self.open = False

    def begin(self) -> None:
        """The token is checked and the transaction opened. SessionEnded and what the engine raises."""
        with ExitStack() as stack:
            context = stack.enter_context(entry.entered(self.worker, self._ref, self._token))
            context.session.lock_timeout = self._timeout
            label = labels.session_number.set(context.server.number)
            try:
                opened = context.session.transaction() if self._write else context.session.reading()
                tx = stack.enter_context(opened)
                if self._write and self._key is not None:
                    once.claim(context.session, self._key)
                else:
                    tx.run([])
            finally:
                labels.session_number.reset(label)
            self._context, self._stack = replace(context, interactive=True), stack.pop_all()
        self.open = True
        self.worker.metrics.transactions.inc()

    def call(self, data: Mapping[str, Any]) -> object:
        """One call inside the transaction; `commit` and `rollback` end it."""
        name, args, _ = entry.unpacked(data)
        assert self._context is not None
        context = self._context
        with self.worker.running(context.base, context.server, name, context.session):
            if name in ENDS:
                self.end(commit=name == "commit")
                return None
            return calls.perform(context, name, args, None)

    def end(self, *, commit: bool) -> None:
        """Idempotent."""
        if not self.open:
            return
        if commit and self._context is not None:
            calls.finish_loads(self._context)
        self.open = False
        self.worker.metrics.transactions.dec()
        if commit:
            context = self._context
            assert context is not None
            if self._write and context.base.standby is not None:
                with context.session.transaction() as tx:
                    tx.after_commit(lambda: calls.note_position(context))
            self._stack.close()
            return
        try:
            reason = _RolledBack()
            self._stack.__exit__(_RolledBack, reason, None)
        except _RolledBack:
            pass  # what it was thrown for
        except InfobaseError:
            # The store is gone, and the transaction with it.
            return


def outcome(worker: Worker, ref: str, token: str, key: uuid.UUID) -> bool:
    """Whether the transaction with this key was committed. Waits for one still at work; afterwards it can never be."""
    with entry.entered(worker, ref, token) as context:
        try:
            with context.session.transaction():
                once.claim(context.session, key)
        except CallRepeated:
            return True
    return False
