"""A primary and its synchronous standby on this machine, for tests of fail-over."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from engine_server.embedded import Account, Binaries, _account, find_binaries
from engine_server.place import ServerPlace

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0777",
    "wal_retrieve_retry_interval": "200ms",
    "shared_buffers": "32MB",
    "max_connections": "80",
    "timezone": "UTC",
}


@dataclass
class Node:
    """One PostgreSQL: its data folder, and the folder of its socket (the port is always 5432)."""

    folder: Path
    account: Account
    binaries: Binaries

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def run(self, program: str, *arguments: str) -> None:
        done = self.account.run([self.binaries.program(program), *arguments], timeout=120)
        assert done.returncode == 0, done.stdout

    def prepare(self) -> None:
        self.folder.mkdir(mode=0o755)
        if self.account.name:
            os.chown(self.folder, self.account.uid, self.account.gid)

    def start(self) -> None:
        options = " ".join(
            f"-c {k}='{v}'" for k, v in {**SETTINGS, "unix_socket_directories": str(self.folder)}.items()
        )
        self.run(
            "pg_ctl", "-D", str(self.data), "-l", str(self.folder / "log"), "-o", options, "-w", "-t", "60", "start"
        )

    def stop(self) -> None:
        self.account.run([self.binaries.program("pg_ctl"), "-D", str(self.data), "-m", "immediate", "-w", "stop"])

    def promote(self) -> None:
        self.run("pg_ctl", "-D", str(self.data), "-w", "promote")

    def kill(self) -> None:
        """SIGKILL to every process of it at once."""
        master = int((self.data / "postmaster.pid").read_text().split()[0])
        children = [int(p.name) for p in Path("/proc").iterdir() if p.name.isdecimal() and _parent(p) == master]
        for pid in (master, *children):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(f"host={self.folder} port=5432 user=postgres dbname=postgres", autocommit=True)


def _parent(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0


@dataclass
class Pair:
    primary: Node
    standby: Node

    @property
    def both(self) -> ServerPlace:
        """The DSN a server is given: either host, whichever takes writes."""
        hosts = f"{self.primary.folder},{self.standby.folder}"
        extra = (("port", "5432,5432"), ("target_session_attrs", "read-write"))
        return ServerPlace(hosts, 5432, "postgres", "postgres", extra=extra)

    def only(self, node: Node) -> ServerPlace:
        return ServerPlace(str(node.folder), 5432, "postgres", "postgres")


@contextmanager
def replicated() -> Iterator[Pair]:
    """With synchronous_commit on: what was acknowledged is on both."""
    folder = Path(tempfile.mkdtemp(prefix="infobase-test-pair-"))
    folder.chmod(0o755)
    account, binaries = _account(), find_binaries()
    primary, standby = (Node(folder / name, account, binaries) for name in ("primary", "standby"))
    try:
        for node in (primary, standby):
            node.prepare()
        primary.run("initdb", "-D", str(primary.data), "-U", "postgres", "-E", "UTF8", "--locale=C", "-A", "trust")
        primary.start()
        primary.run(
            "pg_basebackup", "-D", str(standby.data), "-R", "-X", "stream", "-c", "fast", "-h", str(primary.folder), "-U", "postgres"
        )  # fmt: skip
        standby.start()
        with primary.connect() as conn:
            conn.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            conn.execute("SELECT pg_reload_conf()")
            deadline = time.monotonic() + 30
            while conn.execute("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'").fetchone() != (1,):
                assert time.monotonic() < deadline, "the standby never became synchronous"
                time.sleep(0.05)
        yield Pair(primary, standby)
    finally:
        for node in (primary, standby):
            node.stop()
        shutil.rmtree(folder, ignore_errors=True)
