"""Counting what really passes between a client and PostgreSQL: a relay on a socket of its own, between the two."""

from __future__ import annotations

import selectors
import shutil
import socket
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from engine_server.place import ServerPlace

_CHUNK = 1 << 16


@dataclass(frozen=True)
class Passed:
    """Bytes to the server and back, and how often the client spoke after the server had answered: its round trips."""

    up: int = 0
    down: int = 0
    turns: int = 0

    def __sub__(self, other: Passed) -> Passed:
        return Passed(self.up - other.up, self.down - other.down, self.turns - other.turns)


class Wire:
    """A relay in front of a server's socket (a folder for Unix sockets, or a host). Use as a context manager; `place` is its address."""

    def __init__(self, server: ServerPlace) -> None:
        self._server = server
        self._folder = Path(tempfile.mkdtemp(prefix="infobase-wire-"))
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._folder / f".s.PGSQL.{server.port}"))
        self._listener.listen(16)
        self._mutex = threading.Lock()
        self._up = self._down = self._turns = 0
        threading.Thread(target=self._accept, daemon=True, name="infobase-wire").start()

    @property
    def folder(self) -> str:
        """What stands for the server's host in a connection string; the port stays the same."""
        return str(self._folder)

    @property
    def passed(self) -> Passed:
        with self._mutex:
            return Passed(self._up, self._down, self._turns)

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(client, self._connect()), daemon=True).start()

    def _connect(self) -> socket.socket:
        if self._server.host.startswith("/"):
            server = socket.socket(socket.AF_UNIX)
            server.connect(f"{self._server.host}/.s.PGSQL.{self._server.port}")
            return server
        return socket.create_connection((self._server.host, self._server.port))

    def _relay(self, client: socket.socket, server: socket.socket) -> None:
        answered = True
        with client, server, selectors.DefaultSelector() as ready:
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _ in ready.select():
                    side: socket.socket = key.fileobj  # type: ignore[assignment]
                    try:
                        data = side.recv(_CHUNK)
                        if not data:
                            return
                        upward = side is client
                        self._count(len(data), upward, new_turn=upward and answered)
                        answered = not upward
                        key.data.sendall(data)
                    except OSError:
                        return

    def _count(self, size: int, upward: bool, *, new_turn: bool) -> None:
        with self._mutex:
            if upward:
                self._up += size
                self._turns += new_turn
            else:
                self._down += size
