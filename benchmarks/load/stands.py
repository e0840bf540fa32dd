"""Where a measured base stands, and how users reach it over a network: a folder, or an application server over PostgreSQL of its own."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Protocol

import psycopg

from benchmarks.harness import SETTINGS
from benchmarks.load import fill
from benchmarks.load.fill import Progress, new_base
from benchmarks.load.network import FileShare, Network, Traffic, link, why_no_share
from benchmarks.load.worker import Task, serve
from benchmarks.writing import CRM
from engine_server.application import administrators, infobases, vault
from engine_server.application import cluster as clusters
from engine_server.application.cluster import ClusterDatabase
from engine_server.application.settings import FILE, ServerSettings, to_toml
from engine_server.embedded import EmbeddedCluster
from engine_server.engine import ServerEngine
from engine_server.place import ServerPlace
from infobase.connection import engine_of
from infobase.errors import EngineUnavailable
from infobase.metadata import canonical
from infobase.metadata.reader import read_folder
from infobase.schema.layout import build_layout

_ROOT = Path(__file__).parents[2]
_READY_SECONDS = 240


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
    """One mode's bases: of every size one that is kept as it was laid, and a copy of it to work in."""

    mode: str

    def lay(self, documents: int, progress: Progress | None = None) -> int:
        """A base with so many documents to work in, made once; its size in bytes."""

    def renew(self, documents: int) -> None:
        """That base has grown: take a fresh copy the next time."""

    def way(self, documents: int, network: Network) -> AbstractContextManager[Way]:
        """The way to that base for a block."""

    def counted(self, documents: int, network: Network) -> AbstractContextManager[Way] | None:
        """A way whose counting costs time of its own, for a network where `way` does not count; None when it does."""


class Unavailable(Exception):
    """This cannot be measured here; the text says why."""


class FileStand:
    """Folders on the measured disk. `kept`: where the untouched bases lie."""

    mode = "file"

    def __init__(self, folder: Path, kept: Path) -> None:
        self.folder, self._kept = folder, kept
        self._journals: dict[int, bool] = {}

    def _place(self, documents: int) -> Path:
        return self.folder / f"base{documents}"

    def lay(self, documents: int, progress: Progress | None = None) -> int:
        engine = engine_of(f'File="{self._place(documents)}";')
        try:
            if not engine.exists():
                golden = engine_of(f'File="{self._untouched(documents, progress)}";')
                engine.publish(engine.clone_from(golden), replace=False)
                golden.close()
            return engine.size().bytes
        finally:
            engine.close()

    def _untouched(self, documents: int, progress: Progress | None) -> Path:
        place = self._kept / f"orders{documents}-{key_of_bases()}"
        if not place.exists():
            making = self._kept / f"making-{place.name}"
            shutil.rmtree(making, ignore_errors=True)
            new_base(engine_of(f'File="{making}";'), documents, progress)
            making.rename(place)
        return place

    def renew(self, documents: int) -> None:
        shutil.rmtree(self._place(documents), ignore_errors=True)
        self._journals.pop(documents, None)

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
        far = bool(network.delay)
        if self._journals.get(documents) != far:
            # The journal changes with the network, and only a lone user can change it.
            serve(Task(connection, "list", 1, 0.01), share.environment())
            self._journals[documents] = far
        yield Way(connection, share.environment(), share=share)

    def counted(self, documents: int, network: Network) -> None:
        return None


class ServerStand:
    """PostgreSQL and an application server of our own, both on the measured disk, for the block."""

    mode = "server"

    def __init__(self, folder: Path, place: ServerPlace, port: int, key: vault.Vault) -> None:
        self.folder, self.place, self.port, self._key = folder, place, port, key
        self._sizes: dict[int, int] = {}
        self._copies: dict[int, int] = {}

    def _name(self, documents: int) -> str:
        return f"{WORKED_IN}{documents}_{self._copies.get(documents, 0)}"

    def lay(self, documents: int, progress: Progress | None = None) -> int:
        if documents not in self._sizes:
            place = self.place.at(self._name(documents))
            engine, golden = ServerEngine(place), ServerEngine(self._untouched(documents, progress))
            engine.publish(engine.clone_from(golden), replace=False)
            golden.close()
            self._sizes[documents] = engine.size().bytes
            engine.close()
            with self._registry() as registry:
                infobases.register(registry, place.database, place)
        return self._sizes[documents]

    def _untouched(self, documents: int, progress: Progress | None) -> ServerPlace:
        place = self.place.at(f"orders{documents}_{key_of_bases()}")
        if not ServerEngine(place).exists():
            making = self.place.at(f"{WORKED_IN}making_{documents}")
            new_base(ServerEngine(making), documents, progress)
            with psycopg.connect(self.place.conninfo(), autocommit=True) as conn:
                conn.execute(f'ALTER DATABASE "{making.database}" RENAME TO "{place.database}"'.encode())
        return place

    @contextmanager
    def _registry(self) -> Iterator[ClusterDatabase]:
        registry = ClusterDatabase(self.place.at(ServerSettings.cluster_database), self._key)
        try:
            yield registry
        finally:
            registry.close()

    def renew(self, documents: int) -> None:
        with self._registry() as registry:
            infobases.forget(registry, infobases.find(registry, self._name(documents)))
        drop_databases(self.place, self._name(documents))
        self._copies[documents] = self._copies.get(documents, 0) + 1
        self._sizes.pop(documents, None)

    @contextmanager
    def way(self, documents: int, network: Network) -> Iterator[Way]:
        if network.delay:
            with self._linked(documents, network) as way:
                yield way
        else:
            yield Way(f'Srvr="127.0.0.1:{self.port}";Ref="{self._name(documents)}";', {})

    @contextmanager
    def _linked(self, documents: int, network: Network) -> Iterator[Way]:
        with link(network, self.port) as (port, traffic):
            yield Way(f'Srvr="127.0.0.1:{port}";Ref="{self._name(documents)}";', {}, traffic)

    def counted(self, documents: int, network: Network) -> AbstractContextManager[Way] | None:
        """On one machine the proxy that counts would cost the server a tenth of its speed."""
        return None if network.delay else self._linked(documents, network)


WORKED_IN = "bench_"
"""Databases whose names begin so belong to one run."""


def drop_databases(place: ServerPlace, prefix: str) -> None:
    with psycopg.connect(place.conninfo(), autocommit=True) as conn:
        found = conn.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [prefix]).fetchall()
        for (name,) in found:
            conn.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())


@cache
def key_of_bases() -> str:
    """Changes when a base laid before would not be the one laid now: with the configuration, its tables, or what is laid in them."""
    configuration = read_folder(CRM)
    facts = (
        canonical.digest(configuration),
        build_layout(configuration).tables,
        Path(fill.__file__).read_text("utf-8"),
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:12]


@contextmanager
def server_stand(folder: Path, kept: Path, workers: int = 2) -> Iterator[ServerStand]:
    """`folder`: for the application server; `kept`: for PostgreSQL with the untouched bases."""
    running = EmbeddedCluster(kept / "postgresql", settings=SETTINGS)
    place = running.start()
    try:
        for prefix in (WORKED_IN, ServerSettings.cluster_database):
            drop_databases(place, prefix)
        home = folder / "server"
        key, port = _make_home(home, place, workers)
        process = _start(home, port)
        try:
            yield ServerStand(folder, place, port, key)
        finally:
            process.terminate()
            process.wait(60)
            drop_databases(place, WORKED_IN)
    finally:
        running.stop()


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
    said = (home / "server.log").read_text(errors="replace")[-1000:]
    raise EngineUnavailable(place=home, detail=said.strip() or f"not ready in {_READY_SECONDS} s")
