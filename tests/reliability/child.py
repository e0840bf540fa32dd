"""A line of the command line run in a process forked from one that has the program imported: only the operation itself is interrupted.

The child tells "ready", waits to be told to go, and ends with the line's exit code; what it prints goes to a file.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cli
from infobase.commands import runner
from tests.reliability import gate
from tests.reliability.posting import posting

for _name in ("create", "dump", "copy", "backup", "config", "list", "template", "classifier", "check", "log", "drop"):
    cli.COMMANDS[_name]()

PRELOADED = ["tests.reliability.child", "tests.reliability.writers", "pyarrow", "psycopg"]
context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(PRELOADED)
_PR_SET_PTRACER, _ANYBODY = 0x59616D61, ctypes.c_ulong(-1)


@dataclass
class Child:
    process: Any
    pipe: Connection
    output: Path
    gate: gate.Gate | None = None

    @property
    def pid(self) -> int:
        return int(self.process.pid)

    def go(self) -> float:
        """Off it goes; the moment, by the monotonic clock."""
        self.pipe.send("go")
        return time.monotonic()

    def kill(self) -> int:
        """The exit code; negative when the signal was the end of it."""
        self.process.kill()
        return self.wait()

    def wait(self, seconds: float = 180) -> int:
        self.process.join(seconds)
        code = self.process.exitcode
        assert code is not None, f"still running after {seconds:g} s: {self.said()}"
        self.process.close()
        self.pipe.close()
        if self.gate is not None:
            self.gate.close()
        return int(code)

    def said(self) -> str:
        return self.output.read_text("utf-8", "replace")


@dataclass(frozen=True)
class Trouble:
    """`file_bytes`: the size no file of the child may outgrow (as `ulimit -f`). `gated`: groups of calls that ask a gate about files below
    `root`."""

    file_bytes: int = -1
    gated: tuple[str, ...] = ()
    root: str = ""


def start(arguments: Sequence[str], environment: Mapping[str, str], output: Path, trouble: Trouble) -> Child:
    """A child that waits to go."""
    here, there = context.Pipe()
    process = context.Process(target=live, args=(list(arguments), dict(environment), str(output), there, trouble))
    process.start()
    there.close()
    assert here.poll(60)
    made = gate.Gate(_received(here), trouble.root) if trouble.gated else None
    assert here.recv() == "ready"
    return Child(process, here, output, made)


def _received(pipe: Connection) -> int:
    """A descriptor that comes through the pipe, which is a socket."""
    with socket.socket(fileno=os.dup(pipe.fileno())) as ends:
        _, [handle], _, _ = socket.recv_fds(ends, 1, 1)
    return handle


def _sent(pipe: Connection, handle: int) -> None:
    with socket.socket(fileno=os.dup(pipe.fileno())) as ends:
        socket.send_fds(ends, [b"g"], [handle])
    os.close(handle)


def live(arguments: list[str], environment: dict[str, str], output: str, pipe: Connection, trouble: Trouble) -> None:
    os.environ.update(environment)
    handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (1, 2):
        os.dup2(handle, stream)
    ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANYBODY, 0, 0, 0)
    if trouble.gated:
        _sent(pipe, gate.install(trouble.gated))
    pipe.send("ready")
    pipe.recv()
    if trouble.file_bytes >= 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (trouble.file_bytes, trouble.file_bytes))
    root, rest = (posting, arguments[1:]) if arguments[0] == "post" else (cli.root, arguments)
    sys.exit(runner.run(root, rest))
