"""A line of the command line run in a process forked from one that has the program imported: only the operation itself is interrupted.

The child tells "ready", waits to be told to go, and ends with the line's exit code; what it prints goes to a file.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cli
from infobase.commands import runner

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
        return int(code)

    def said(self) -> str:
        return self.output.read_text("utf-8", "replace")


def start(arguments: Sequence[str], environment: Mapping[str, str], output: Path, *, file_bytes: int = -1) -> Child:
    """A child that waits to go. `file_bytes`: the size no file of it may outgrow (as `ulimit -f`)."""
    here, there = context.Pipe()
    process = context.Process(target=live, args=(list(arguments), dict(environment), str(output), there, file_bytes))
    process.start()
    there.close()
    assert here.poll(60) and here.recv() == "ready"
    return Child(process, here, output)


def live(arguments: list[str], environment: dict[str, str], output: str, pipe: Connection, file_bytes: int) -> None:
    os.environ.update(environment)
    handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (1, 2):
        os.dup2(handle, stream)
    ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANYBODY, 0, 0, 0)
    pipe.send("ready")
    pipe.recv()
    if file_bytes >= 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    sys.exit(runner.run(cli.root, arguments))
