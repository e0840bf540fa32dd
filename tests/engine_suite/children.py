"""What other processes do to a base in these tests. Each function is a child's whole life; it talks through a pipe and may be killed."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from engine_file.engine import FileEngine
from engine_server.engine import ServerEngine
from engine_server.place import from_url
from infobase.storage import LockKey, SessionInfo, Statement

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.engine_suite.children"])


@dataclass(frozen=True)
class Spec:
    """How to open a base in another process. A third engine adds its word here."""

    engine: str
    place: str

    def open(self) -> Any:
        if self.engine == "file":
            return FileEngine(self.place)
        return ServerEngine(from_url(self.place))


@dataclass
class Child:
    process: Any
    pipe: Connection

    def hear(self) -> Any:
        """The next message; fails when the child is silent for 20 s."""
        assert self.pipe.poll(20), "the child is silent"
        return self.pipe.recv()

    def say(self, word: str = "go") -> None:
        self.pipe.send(word)

    def kill(self) -> None:
        self.process.kill()
        self.process.join(10)

    def finish(self) -> None:
        self.say("finish")
        self.process.join(20)
        assert self.process.exitcode == 0


@contextmanager
def child(work: Callable[..., None], spec: Spec, *arguments: object) -> Iterator[Child]:
    here, there = _context.Pipe()
    process = _context.Process(target=work, args=(spec, there, *arguments), daemon=True)
    process.start()
    there.close()
    made = Child(process, here)
    try:
        yield made
    finally:
        process.kill()
        process.join(10)
        process.close()
        here.close()


def session_info(user: str) -> SessionInfo:
    return SessionInfo(uuid.uuid4(), 0, user, "Tests", "host", os.getpid(), dt.datetime(2024, 5, 6, 7, 8, 9))


# --- children ---


def hold_write(spec: Spec, pipe: Connection, user: str, key: str = "") -> None:
    """Write in a transaction and keep it open until told."""
    engine = spec.open()
    with engine.open_session(session_info(user)), engine.transaction(write=True) as tx:
        if key:
            engine.lock(tx, [LockKey("Stock", key)])
        tx.run([Statement("UPDATE goods SET line = 7 WHERE code = 'A1'")])
        pipe.send("ready")
        pipe.recv()
    engine.close()


def hold_session(spec: Spec, pipe: Connection, user: str, exclusive: bool = False) -> None:
    engine = spec.open()
    with engine.open_session(session_info(user)) as info:
        if exclusive:
            with engine.exclusive(5):
                pipe.send(info.number)
                pipe.recv()
        else:
            pipe.send(info.number)
            pipe.recv()
    engine.close()


def half_create(spec: Spec, pipe: Connection) -> None:
    """Fill a staged store and wait to be killed before publishing."""
    engine = spec.open()
    staged = engine.create()
    with staged.transaction(write=True) as tx:
        tx.run([Statement("CREATE TABLE half (a int)")])
    pipe.send("ready")
    pipe.recv()


def post_many(spec: Spec, pipe: Connection, seconds: float) -> None:
    """Short write transactions one after another; tells how many and the longest wait."""
    engine = spec.open()
    with engine.transaction(write=True):
        pass
    pipe.send("ready")
    pipe.recv()
    count, longest, end = 0, 0.0, time.monotonic() + seconds
    while time.monotonic() < end:
        asked = time.monotonic()
        with engine.transaction(write=True) as tx:
            longest = max(longest, time.monotonic() - asked)
            tx.run([Statement("UPDATE goods SET line = line + 1 WHERE code = 'A1'")])
        count += 1
    pipe.send((count, longest))
    pipe.recv()
    engine.close()
