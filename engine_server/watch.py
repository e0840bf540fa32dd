"""Who blocks whom: asked while the wait goes on, because after a lock timeout the server no longer knows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

ASK_AFTER = 0.7
"""Share of the waiting limit after which the blockers are asked for, and again every tenth of it."""


class LockWatch:
    """One thread per engine, asleep until a statement has run for most of its waiting limit. `ask(pid)` names who blocks a backend."""

    def __init__(self, ask: Callable[[int], str]) -> None:
        self._ask = ask
        self._changed = threading.Condition()
        self._due: dict[int, tuple[float, float]] = {}
        self._found: dict[int, str] = {}
        self._wake = float("inf")
        self._thread: threading.Thread | None = None
        self._closed = False

    def enter(self, pid: int, timeout: float) -> None:
        """A backend begins to work; `timeout` is its lock timeout in seconds."""
        due = time.monotonic() + timeout * ASK_AFTER
        self._due[pid] = (due, timeout)
        if due < self._wake:
            with self._changed:
                self._start()
                self._wake = due
                self._changed.notify()

    def leave(self, pid: int) -> str:
        """It has finished; who blocked it when last asked, "" when nobody was seen."""
        self._due.pop(pid, None)
        return self._found.pop(pid, "")

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(timeout=5)

    def _start(self) -> None:
        if self._thread is None:
            self._closed = False
            self._thread = threading.Thread(target=self._run, daemon=True, name="infobase-lock-watch")
            self._thread.start()

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                now = time.monotonic()
                self._wake = min((due for due, _ in list(self._due.values())), default=float("inf"))
                if self._wake > now:
                    self._changed.wait(min(self._wake - now, 3600))
                    continue
            self._ask_due(now)

    def _ask_due(self, now: float) -> None:
        for pid, (due, timeout) in list(self._due.items()):
            if due > now:
                continue
            holder = self._ask(pid)
            if pid in self._due:
                self._due[pid] = (time.monotonic() + max(timeout * 0.1, 0.02), timeout)
                if holder:
                    self._found[pid] = holder
