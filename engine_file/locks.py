"""Locks between processes on zero-byte companion files, and the fair gate every writer passes.

Only exclusive advisory locks through portalocker; the operating system drops them when their process dies.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO

import portalocker

if sys.platform != "win32":
    import fcntl

from infobase.errors import LockTimeout
from infobase.i18n import text

_files: weakref.WeakSet[LockFile] = weakref.WeakSet()
_gates: dict[Path, Gate] = {}
_gates_mutex = threading.Lock()
HOST = socket.gethostname()


if sys.platform != "win32":
    # What portalocker does here, without its layers: every writing transaction passes through six of these calls.

    def _lock_at_once(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
else:

    def _lock_at_once(file: BinaryIO) -> None:
        portalocker.lock(file, portalocker.LOCK_EX | portalocker.LOCK_NB)

    def _unlock(file: BinaryIO) -> None:
        portalocker.unlock(file)


class LockFile:
    """One lock on one companion file, made where it is missing. Two of them exclude each other in one process too."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("ab", buffering=0)
        _files.add(self)

    def try_lock(self) -> bool:
        try:
            _lock_at_once(self._file)
        except (portalocker.LockException, OSError):
            return False
        return True

    def lock(self) -> None:
        """Wait for as long as it takes."""
        while True:
            try:
                portalocker.lock(self._file, portalocker.LOCK_EX)
                return
            except portalocker.AlreadyLocked:  # Windows gives up after some seconds by itself
                continue

    def lock_within(self, seconds: float) -> bool:
        """Wait by polling: for locks that are held for milliseconds."""
        deadline, pause = time.monotonic() + seconds, 0.0005
        while not self.try_lock():
            if time.monotonic() > deadline:
                return False
            time.sleep(pause)
            pause = min(pause * 2, 0.02)
        return True

    def unlock(self) -> None:
        """Nothing is held any more where a failing disk has closed the base meanwhile."""
        if not self._file.closed:
            _unlock(self._file)

    def close(self) -> None:
        """Also drops the lock."""
        self._file.close()


def pid_alive(pid: int) -> bool:
    """Whether a process of this host lives."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):  # a card may carry a number no process has
        return False
    except OSError:
        return True
    return True


class _Pending:
    """A lock being waited for in a thread, because a blocking lock cannot be interrupted. When the waiter gives up it is left `abandoned`;
    the next one takes it over, and with it its place in the queue."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.abandoned = False


class Gate:
    """First come, first served between the threads of this process; between processes the head of the queue holds `queue` while it waits for
    `gate`, so that nobody who just left can overtake it. A dead process's locks are free at once.

    `holder`: a sidecar that says who holds the gate.
    """

    def __init__(self, gate: Path, queue: Path, holder: Path) -> None:
        self._gate, self._queue = LockFile(gate), LockFile(queue)
        self._holder_path = holder
        self._holder_file = os.open(holder, os.O_RDWR | os.O_CREAT, 0o666)
        self._mutex = threading.Lock()
        self._waiters: deque[threading.Lock] = deque()
        self._busy = False
        self._pending: _Pending | None = None
        self.users = 0
        self.waits = 0
        """How often somebody did not get in at once, for tests and benchmarks."""

    def acquire(
        self, timeout: float, who: bytes, waiting: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> None:
        """`who`: from `holder_card`; `waiting`: around a wait, never around an entry at once. LockTimeout names the holder."""
        deadline = time.monotonic() + timeout
        if not self._wait_turn(timeout, waiting):
            raise LockTimeout(seconds=f"{timeout:g}", holder=self.holder())
        try:
            if not self._enter(deadline, waiting):
                raise LockTimeout(seconds=f"{timeout:g}", holder=self.holder())
            os.pwrite(self._holder_file, who, 0)
        except BaseException:
            self._next()
            raise

    def release(self) -> None:
        self._gate.unlock()
        self._next()

    def close(self) -> None:
        self._gate.close()
        self._queue.close()
        os.close(self._holder_file)

    def holder(self) -> str:
        """Who holds the gate, for messages."""
        return describe_card(read_card(self._holder_path))

    # --- threads of this process ---

    def _wait_turn(self, timeout: float, waiting: Callable[[], AbstractContextManager[None]]) -> bool:
        with self._mutex:
            if not self._busy:
                self._busy = True
                return True
            turn = threading.Lock()
            turn.acquire()
            self._waiters.append(turn)
            self.waits += 1
        with waiting():
            if turn.acquire(timeout=max(timeout, 0)):
                return True
        with self._mutex:
            if turn in self._waiters:
                self._waiters.remove(turn)
                return False
        return True  # the turn came at the last moment

    def _next(self) -> None:
        with self._mutex:
            if self._waiters:
                self._waiters.popleft().release()
            else:
                self._busy = False

    # --- processes ---

    def _enter(self, deadline: float, waiting: Callable[[], AbstractContextManager[None]]) -> bool:
        with self._mutex:
            pending = self._pending
            if pending is not None:
                pending.abandoned = False
        if pending is None:
            queued = self._queue.try_lock()
            if queued and self._gate.try_lock():
                self._queue.unlock()
                return True
            pending = self._pending = _Pending()
            self.waits += 1
            threading.Thread(target=self._wait, args=(pending, queued), daemon=True, name="infobase-gate").start()
        with waiting():
            if pending.done.wait(max(deadline - time.monotonic(), 0)):
                self._pending = None
                return True
        with self._mutex:
            if pending.done.is_set():
                self._pending = None
                return True
            pending.abandoned = True
            return False

    def _wait(self, pending: _Pending, queued: bool) -> None:
        if not queued:
            self._queue.lock()
        self._gate.lock()
        self._queue.unlock()
        with self._mutex:
            if pending.abandoned:
                self._gate.unlock()
                self._pending = None
            else:
                pending.done.set()


CARD_BYTES = 512


def holder_card(user: str = "", application: str = "", pid: int = 0, number: int = 0) -> bytes:
    """What a holder writes of itself, always of one length so that one write replaces another. `number`: of its session."""
    card = {
        "user": user[:60],
        "application": application[:60],
        "host": HOST[:60],
        "pid": pid or os.getpid(),
        "number": number,
    }
    raw = json.dumps(card, ensure_ascii=False).encode()
    if len(raw) > CARD_BYTES:
        raw = json.dumps({"host": HOST[:60], "pid": pid or os.getpid(), "number": number}).encode()
    return raw.ljust(CARD_BYTES)


def describe_card(card: Mapping[str, object]) -> str:
    """`Иванов (1CV8C, host, pid 12)`, and that its process is gone where it is; unknown when the card is empty."""
    pid = card.get("pid")
    if not isinstance(pid, int):
        return text(ru="неизвестно", en="unknown")
    dead = card.get("host") == HOST and not pid_alive(pid)
    gone = text(ru=", процесс завершён", en=", the process is gone") if dead else ""
    return f"{card.get('user') or '-'} ({card.get('application') or 'Infobase'}, {card.get('host')}, pid {pid}{gone})"


def read_card(path: Path) -> dict[str, object]:
    """What the holder wrote of itself; empty when nothing readable is there."""
    try:
        card = json.loads(path.read_bytes()[:CARD_BYTES].rstrip() or b"{}")
    except (OSError, ValueError, RecursionError):
        return {}
    return card if isinstance(card, dict) else {}


def shared_gate(gate: Path, queue: Path, holder: Path) -> Gate:
    """The one gate of this process for a base; give it back with `leave_gate`."""
    with _gates_mutex:
        found = _gates.get(gate)
        if found is None:
            found = _gates[gate] = Gate(gate, queue, holder)
        found.users += 1
        return found


def leave_gate(gate: Path) -> None:
    with _gates_mutex:
        found = _gates[gate]
        found.users -= 1
        if not found.users:
            del _gates[gate]
            found.close()


def _forget_after_fork() -> None:
    """In a forked child: the files are the parent's; closing the copies leaves the parent's locks alone."""
    global _gates_mutex
    _gates_mutex = threading.Lock()
    _gates.clear()
    for file in list(_files):
        file.close()
    _files.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
