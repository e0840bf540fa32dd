"""A side of the comparison at work: a process that is asked by JSON lines (scripts/protocol.py tells the words)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.harness import Spent
from benchmarks.peers.registry import SCRIPTS, Peer
from infobase.errors import PeerFailed

TIMEOUT = 900.0
"""Seconds one request may take: a fresh Tryton database takes minutes on a busy machine."""
OURS = "infobase"
_ROOT = Path(__file__).parents[2]
Place = dict[str, Any]
"""The protocol's task: where the database is."""


class Side:
    """One process. `server_clock`: seconds of processor the database's server has used so far; they are the side's too."""

    def __init__(self, name: str, command: Sequence[str], place: Place, server_clock: Callable[[], float]) -> None:
        self.name, self._clock = name, server_clock
        self._said = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(
            [*command, json.dumps(place)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            cwd=_ROOT,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore"},
        )

    def ask(self, do: str, argument: str | None = None) -> Any:
        """What the method answered. PeerFailed."""
        return self._asked(do, 1, argument)["answer"]

    def spent(self, do: str, count: int = 1, argument: str | None = None) -> Spent:
        """What one of `count` calls took, by this process's clock and processor and the server's. PeerFailed."""
        before = self._clock()
        answer = self._asked(do, count, argument)
        return Spent(answer["wall"] / count, (answer["cpu"] + self._clock() - before) / count)

    def _asked(self, do: str, count: int, argument: str | None) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        watch = threading.Timer(TIMEOUT, self._process.kill)
        watch.start()
        try:
            self._process.stdin.write(json.dumps({"do": do, "count": count, "argument": argument}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            watch.cancel()
        answer: dict[str, Any] = json.loads(line) if line else {"error": self._last_words()}
        if "error" in answer:
            raise PeerFailed(peer=self.name, action=do, detail=answer["error"])
        return answer

    def _last_words(self) -> str:
        self._said.seek(0)
        return self._said.read().strip()[-500:] or f"exit code {self._process.poll()}"

    def __enter__(self) -> Side:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        """It closes its database by itself; one that is stuck or no longer wanted is ended."""
        process = self._process
        if kind is not None:
            process.kill()
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        self._said.close()


def ours(place: Place, server_clock: Callable[[], float]) -> Side:
    return Side(OURS, [sys.executable, "-m", "benchmarks.peers.ours"], place, server_clock)


def theirs(peer: Peer, python: Path, place: Place, server_clock: Callable[[], float]) -> Side:
    return Side(peer.name, [str(python), str(SCRIPTS / peer.script)], place, server_clock)
