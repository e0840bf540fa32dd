"""Real servers for tests: processes over the scratch PostgreSQL, and a plain proxy that gives every request to the next of them."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from argon2 import PasswordHasher

from engine_server.application import administrators, cluster, infobases, vault
from engine_server.application import settings as server_settings
from engine_server.application.cluster import ClusterDatabase
from engine_server.application.settings import FILE, ServerSettings, to_toml
from engine_server.place import ServerPlace
from tests import postgres

ROOT = Path(__file__).parents[2]
ADMINISTRATOR, PASSWORD = "chief", "the-chief-s-password"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def make_home(folder: Path, place: ServerPlace, **settings: object) -> Path:
    """A data folder over a cluster's database, as `server init` makes it."""
    folder.mkdir(parents=True)
    key = vault.create(folder)
    (folder / "cluster.dsn").write_bytes(key.seal_place(place))
    made = ServerSettings(port=free_port(), workers=1, **settings)  # type: ignore[arg-type]
    (folder / FILE).write_text(to_toml(made), "utf-8")
    cluster.create_database(place, made.name)
    database = ClusterDatabase(place, key)
    administrators.add(database, ADMINISTRATOR, PASSWORD, hasher=CHEAP)
    database.close()
    return folder


def twin_home(folder: Path, other: Path) -> Path:
    """A second host of the same cluster: its own folder and port, the same key and DSN."""
    folder.mkdir(parents=True)
    for name in (vault.KEY_FILE, "cluster.dsn"):
        shutil.copy2(other / name, folder / name)
    made = replace(server_settings.load(other).settings, port=free_port())
    (folder / FILE).write_text(to_toml(made), "utf-8")
    return folder


@dataclass
class Server:
    """One process over a data folder."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        return server_settings.load(self.folder).settings.port

    def start(self) -> Server:
        log = (self.folder / "server.log").open("ab")
        env = {**os.environ, "INFOBASE_LANG": "ru"}
        command = [sys.executable, "-m", "engine_server.application.run", str(self.folder)]
        self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT, env=env)
        log.close()
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            if answers(self.port):
                return self
            assert self.process.poll() is None, self.log()
            time.sleep(0.05)
        raise AssertionError(self.log())

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()

    def log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")[-4000:]


def answers(port: int, path: str = "/readyz") -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@dataclass
class Cluster:
    """Servers of one cluster behind a proxy. `port`: the proxy's."""

    pg_url: str
    database: str
    servers: list[Server]
    port: int = 0
    made: list[str] = field(default_factory=list)

    @contextmanager
    def registry(self) -> Iterator[ClusterDatabase]:
        place = postgres.place_in(self.pg_url, self.database)
        opened = ClusterDatabase(place, vault.load(self.servers[0].folder))
        try:
            yield opened
        finally:
            opened.close()

    def register(self, name: str, database: str, standby: ServerPlace | None = None) -> None:
        """Make an existing database known under a name."""
        with self.registry() as opened:
            infobases.register(opened, name, postgres.place_in(self.pg_url, database), standby=standby)

    def forget(self, name: str) -> None:
        with self.registry() as opened:
            infobases.forget(opened, infobases.find(opened, name))

    def connection(self, name: str, user: str = "", password: str = "", port: int = 0) -> str:
        tail = f'Usr="{user}";Pwd="{password}";' if user else ""
        return f'Srvr="127.0.0.1:{port or self.port}";Ref="{name}";{tail}SUsr="{ADMINISTRATOR}";SPwd="{PASSWORD}";'


@contextmanager
def running_cluster(pg_url: str, folder: Path, *, count: int = 2, **settings: object) -> Iterator[Cluster]:
    """Server processes and the proxy; the cluster's database is removed at the end."""
    database = postgres.fresh_name("cl")
    place = postgres.place_in(pg_url, database)
    first = make_home(folder / "s0", place, **settings)
    homes = [first, *(twin_home(folder / f"s{n}", first) for n in range(1, count))]
    servers = [Server(h) for h in homes]
    try:
        for server in servers:
            server.start()
        with round_robin([s.port for s in servers]) as port:
            yield Cluster(pg_url, database, servers, port)
    finally:
        for server in servers:
            server.stop()
        postgres.drop_databases(pg_url, database)


# --- the proxy ---


@contextmanager
def round_robin(ports: list[int]) -> Iterator[int]:
    """Every request to the next server, even on one connection; upgrades become tunnels. No stickiness of any kind."""
    turn = itertools.cycle(ports)
    loop = asyncio.new_event_loop()
    ready: list[int] = []
    started = threading.Event()

    async def main() -> None:
        server = await asyncio.start_server(lambda r, w: _client(r, w, turn), "127.0.0.1", 0)
        ready.append(server.sockets[0].getsockname()[1])
        started.set()
        async with server:
            await server.serve_forever()

    def run() -> None:
        asyncio.set_event_loop(loop)
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(main())
        # Connections that were open at the end: their tasks finish, and the loop goes round once more to close their sockets.
        for _ in range(2):
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, asyncio.sleep(0), return_exceptions=True))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield ready[0]
    finally:
        loop.call_soon_threadsafe(lambda: [t.cancel() for t in asyncio.all_tasks(loop)])
        thread.join(10)
        loop.close()


async def _client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, turn: Iterator[int]) -> None:
    try:
        while await _one(reader, writer, next(turn)):
            pass
    except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
        pass
    finally:
        writer.close()


async def _one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> bool:
    head = await _head(reader)
    if not head:
        return False
    there, back = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
    try:
        back.write(head)
        if b"upgrade: websocket" in head.lower():
            await asyncio.gather(_pump(reader, back), _pump(there, writer))
            return False
        await _body(head, reader, back)
        answer = await _head(there)
        if not answer:
            return False
        writer.write(answer)
        await _body(answer, there, writer)
        return True
    finally:
        back.close()


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


async def _body(head: bytes, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    headers = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
    left = int(headers.get(b"content-length", b"0"))
    if b"chunked" in headers.get(b"transfer-encoding", b""):
        while True:
            size = await source.readline()
            target.write(size + await source.readexactly(int(size.split(b";")[0], 16) + 2))
            if int(size.split(b";")[0], 16) == 0:
                break
    while left:
        part = await source.read(min(left, 1 << 16))
        if not part:
            raise ConnectionError
        target.write(part)
        await target.drain()
        left -= len(part)
    await target.drain()


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while part := await source.read(1 << 16):
            target.write(part)
            await target.drain()
    except ConnectionError:
        pass
    finally:
        target.close()
