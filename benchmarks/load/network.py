"""Networks between a user and the base: none, an office LAN, a slow link.

For the file, a file share: every read, write, lock and sync of the base's files is delayed (a small library in front of the C library,
compiled on the spot). For the server, a proxy that delays what passes between a user and the application server. Either way all users share
one line with its bandwidth, and bytes and round trips are counted. Caches of real file shares are not simulated: they help a single user and are given up when a second one comes.
"""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")
_COUNTER_BYTES = 4096


@dataclass(frozen=True)
class Network:
    """`delay`: seconds of one round trip; `bandwidth`: bytes a second, 0 unlimited."""

    name: str
    ru: str
    en: str
    delay: float = 0.0
    bandwidth: int = 0


NETWORKS = {
    n.name: n
    for n in (
        Network("local", "одна машина", "same machine"),
        Network("lan", "офисная сеть: 0,4 мс, 1 Гбит/с", "office LAN: 0.4 ms, 1 Gbit/s", 0.0004, 125_000_000),
        Network("slow", "медленный канал: 20 мс, 10 Мбит/с", "slow link: 20 ms, 10 Mbit/s", 0.020, 1_250_000),
    )
}


@dataclass
class Traffic:
    """What passed: round trips (operations of a file), bytes."""

    turns: int = 0
    bytes: int = 0


# --- a file share ---


def why_no_share() -> str:
    """Why a file share cannot be simulated here; "" when it can."""
    if os.name != "posix" or os.uname().sysname != "Linux":
        return "a file share is simulated on Linux only"
    return "" if shutil.which("cc") or shutil.which("gcc") else "no C compiler"


class FileShare:
    """The environment for processes that use a base in `folder` as if over `network`."""

    def __init__(self, network: Network, folder: Path, scratch: Path) -> None:
        self.network, self.folder = network, folder
        self.library, self._counters = scratch / "shim.so", scratch / f"counters-{network.name}"
        if not self.library.exists():
            compiler = shutil.which("cc") or shutil.which("gcc") or "cc"
            command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(self.library), str(SOURCE), "-ldl"]
            subprocess.run(command, check=True, capture_output=True)
        self._counters.write_bytes(bytes(_COUNTER_BYTES))

    def environment(self) -> dict[str, str]:
        """Where there is a network, the journal is the one the engine would choose on a share."""
        made = {
            "LD_PRELOAD": str(self.library),
            "IB_NET_PREFIX": os.path.realpath(self.folder),
            "IB_NET_DELAY_US": str(int(self.network.delay * 1e6)),
            "IB_NET_BYTES_PER_S": str(self.network.bandwidth),
            "IB_NET_COUNTERS": str(self._counters),
        }
        if self.network.delay:
            made["INFOBASE_JOURNAL"] = "truncate"
        return made

    def traffic(self) -> Traffic:
        """Since the start; of all processes together."""
        turns, passed = struct.unpack("=QQ", self._counters.read_bytes()[:16])
        return Traffic(turns, passed)


# --- a link to a server ---


@contextmanager
def link(network: Network, port: int) -> Iterator[tuple[int, Traffic]]:
    """A port of this machine behind which `port` is reached over the network, and what passes through it."""
    traffic = Traffic()
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    closing = threading.Event()
    lines = _Line(network.bandwidth), _Line(network.bandwidth)

    def accept() -> None:
        while not closing.is_set():
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with suppress(OSError):
                server = socket.create_connection(("127.0.0.1", port))
                _join(client, server, lines, _Talk(network, traffic))

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield int(listener.getsockname()[1]), traffic
    finally:
        closing.set()
        listener.close()


def _join(client: socket.socket, server: socket.socket, lines: tuple[_Line, _Line], talk: _Talk) -> None:
    for s in (client, server):
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for source, target, line, asks in ((client, server, lines[0], True), (server, client, lines[1], False)):
        threading.Thread(target=_pump, args=(source, target, line, talk), kwargs={"asks": asks}, daemon=True).start()


class _Line:
    """What all users of a link share: one direction of it, with its bandwidth (bytes a second, 0 unlimited)."""

    def __init__(self, bandwidth: int) -> None:
        self._bandwidth, self._free, self._guard = bandwidth, 0.0, threading.Lock()

    def through(self, size: int) -> float:
        """Seconds until so many bytes have passed, those of others before them included."""
        if not self._bandwidth:
            return 0.0
        with self._guard:
            now = time.monotonic()
            self._free = max(self._free, now) + size / self._bandwidth
            return self._free - now


@dataclass
class _Talk:
    """One connection. A round trip begins with what the client says once the server has spoken (or at first)."""

    network: Network
    traffic: Traffic
    answered: bool = True

    def said(self, size: int, *, asks: bool) -> None:
        if asks and self.answered:
            self.traffic.turns += 1
        self.answered = not asks
        self.traffic.bytes += size


def _pump(source: socket.socket, target: socket.socket, line: _Line, talk: _Talk, *, asks: bool) -> None:
    """One direction; half of the round trip's delay each way. `asks`: from the client."""
    half = talk.network.delay / 2
    try:
        while part := source.recv(1 << 16):
            talk.said(len(part), asks=asks)
            wait = half + line.through(len(part))
            if wait:
                time.sleep(wait)
            target.sendall(part)
    except OSError:
        pass  # either end has gone: the other is told below
    finally:
        for s in (source, target):
            with suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
            s.close()
