"""Where a measured base stands, and how users reach it over a network: a folder, or an application server over PostgreSQL of its own."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from benchmarks.harness import cluster as postgresql
from benchmarks.load.fill import Progress, new_base
from benchmarks.load.network import FileShare, Network, Traffic, link, why_no_share
from benchmarks.load.worker import Task, serve
from engine_server.application import administrators, infobases, vault
from engine_server.application import cluster as clusters
from engine_server.application.cluster import ClusterDatabase
from engine_server.application.settings import FILE, ServerSettings, to_toml
from engine_server.engine import ServerEngine
from engine_server.place import ServerPlace
from infobase.connection import engine_of

_ROOT = Path(__file__).parents[2]
_READY_SECONDS = 90


@dataclass
class Way:
    """How users reach a base over one network: connection string, environment of their processes, what has passed so far."""

    connection: str
    environment: dict[str, str]
    traffic: Traffic = field(default_factory=Traffic)
    share: FileShare | None = None

    def passed(self) -> Traffic:
        found = self.share.traffic() if self.share is not None else self.traffic
        return Traffic(found.turns, found.bytes)


class Stand(Protocol):
    """One mode's bases."""

    mode: str

    def lay(self, documents: int, progress: Progress | None = None) -> int:
        """A base with so many documents, made once; its size in bytes."""

    def way(self, documents: int, network: Network) -> AbstractContextManager[Way]:
        """The way to that base for a block."""


class FileStand:
    """Folders on the measured disk."""

    mode = "file"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _place(self, documents: int) -> Path:
        return self.folder / f"base{documents}"

    def lay(self, documents: int, progress: Progress | None = None) -> int:
        engine = engine_of(f'File="{self._place(documents)}";')
        try:
            if not engine.exists():
                new_base(engine, documents, progress)
            return engine.size().bytes
        finally:
            engine.close()

    @contextmanager
    def way(self, documents: int, network: Network) -> Iterator[Way]:
        connection = f'File="{self._place(documents)}";'
        reason = why_no_share()
        if network.delay and reason:
            raise Unavailable(reason)
        if reason:
            yield Way(connection, {})
            return
        share = FileShare(network, self._place(documents), self.folder)
        # The journal changes with the network, and only a lone user can change it.
        serve(Task(connection, "list", 1, 0.01), share.environment())
        yield Way(connection, share.environment(), share=share)


class Unavailable(Exception):
    """This cannot be measured here; the text says why."""


class ServerStand:
    """PostgreSQL and an application server of our own, both on the measured disk, for the block."""

    mode = "server"

    def __init__(self, folder: Path, place: ServerPlace, port: int, key: vault.Vault) -> None:
        self.folder, self.place, self.port, self._key = folder, place, port, key
        self._sizes: dict[int, int] = {}

    def lay(self, documents: int, progress: Progress | None = None) -> int:
        if documents not in self._sizes:
            place = self.place.at(f"bench_{documents}")
            engine = ServerEngine(place)
            new_base(engine, documents, progress)
            self._sizes[documents] = ServerEngine(place).size().bytes
            registry = ClusterDatabase(self.place.at(ServerSettings.cluster_database), self._key)
            try:
                infobases.register(registry, f"bench_{documents}", place)
            finally:
                registry.close()
        return self._sizes[documents]

    @contextmanager
    def way(self, documents: int, network: Network) -> Iterator[Way]:
        with link(network, self.port) as (port, traffic):
            yield Way(f'Srvr="127.0.0.1:{port}";Ref="bench_{documents}";', {}, traffic)


@contextmanager
def server_stand(folder: Path, workers: int = 2) -> Iterator[ServerStand]:
    with postgresql(folder) as running:
        place = running.start()
        home = folder / "server"
        key, port = _make_home(home, place, workers)
        process = _start(home, port)
        try:
            yield ServerStand(folder, place, port, key)
        finally:
            process.terminate()
            process.wait(60)


def _make_home(home: Path, place: ServerPlace, workers: int) -> tuple[vault.Vault, int]:
    home.mkdir()
    key = vault.create(home)
    at = place.at(ServerSettings.cluster_database)
    (home / "cluster.dsn").write_bytes(key.seal_place(at))
    settings = ServerSettings(port=_free_port(), workers=workers)
    (home / FILE).write_text(to_toml(settings), "utf-8")
    clusters.create_database(at, settings.name)
    registry = ClusterDatabase(at, key)
    try:
        administrators.add(registry, "bench", secrets.token_urlsafe(16))
    finally:
        registry.close()
    return key, settings.port


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def _start(home: Path, port: int) -> subprocess.Popen[bytes]:
    with (home / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "engine_server.application.run", str(home)],
            stdout=log,
            stderr=log,
            cwd=_ROOT,
            env={**os.environ},
        )
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
                if answer.status == 200:
                    return process
        except OSError:
            time.sleep(0.1)
    process.kill()
    raise Unavailable((home / "server.log").read_text(errors="replace")[-1000:])
