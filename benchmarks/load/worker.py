"""A process that becomes as many users as it is told: `python -m benchmarks.load.worker PARENT`, the task as JSON on standard input, what they were
served as JSON on standard output. It ends with PARENT, the process that waits for the answer. The users are forked before anything is opened, so that they cost a fork and not an import each. However slow the
base is, the process ends in a known time."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from benchmarks.load.deeds import User
from benchmarks.load.tally import Served, Tallies
from infobase.connection import connect
from infobase.errors import InfobaseError

_ROOT = Path(__file__).parents[2]
OPENING_SECONDS = 20.0
"""How long the work of those who are in waits for those who are not: an opening over a slow link takes a while, one among fifty longer."""
CLOSING_SECONDS = 15.0
"""How long a deed that was begun in time may go on; after that its user is ended, and the deed counts as unfinished."""


@dataclass(frozen=True)
class Task:
    """`seconds` of `deed` by `users`; `think`: mean pause between deeds, seconds."""

    connection: str
    deed: str
    users: int
    seconds: float
    think: float = 0.0


def serve(task: Task, environment: dict[str, str] | None = None) -> list[Served]:
    """Run a task in a process of its own, which takes no longer than its opening, its seconds and its closing. RuntimeError with what it said when
    it fails."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.load.worker", str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
        env={**os.environ, **(environment or {})},
        start_new_session=True,
    )
    try:
        out, said = process.communicate(json.dumps(asdict(task)), timeout=task.seconds + 4 * OPENING_SECONDS)
    except BaseException:  # Ctrl-C too: the users are processes of their own and would go on
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    if process.returncode:
        raise RuntimeError(said.strip()[-2000:] or f"exit code {process.returncode}")
    return [Served(**one) for one in json.loads(out)]


def _be_user(task: Task, tallies: Tallies, number: int, ready: int, go: int) -> None:
    tally, random = tallies.of(number), Random(number)
    with connect(task.connection) as session:
        user = User(session, number)
        deed = getattr(user, task.deed)
        with suppress(InfobaseError):  # one among many who is refused: its next deeds tell
            deed()
        os.write(ready, b"r")
        os.read(go, 1)
        end = tallies.deadline
        while True:
            if task.think:
                time.sleep(min(random.expovariate(1 / task.think), max(0.0, end - time.monotonic())))
            started = time.monotonic()
            if started >= end:
                break
            tally.begin(started)
            error = ""
            try:
                deed()
            except InfobaseError as e:
                error = type(e).__name__
            tally.end(time.monotonic() - started, error)


def _child(task: Task, tallies: Tallies, number: int, ready: int, go: int, answer: int) -> int:
    try:
        _be_user(task, tallies, number, ready, go)
    except Exception as e:  # told to the parent, which weighs it
        os.write(answer, f"{type(e).__name__}: {e}".encode()[:4000])
        os.write(ready, b"x")
        return 1
    return 0


def _await_users(ready: int, users: int, parent: int) -> None:
    """Until all are in or have failed, or the opening is over."""
    end, seen = time.monotonic() + OPENING_SECONDS, 0
    while seen < users and time.monotonic() < end and os.getppid() == parent:
        if select.select([ready], [], [], 0.1)[0]:
            seen += len(os.read(ready, users))


def _await_ends(children: list[int], until: float, parent: int) -> None:
    """Until all have ended; those who have not in time are ended, and all of them when nobody waits for the answer any more."""
    left = set(children)
    while left:
        for pid in list(left):
            if os.waitpid(pid, os.WNOHANG)[0]:
                left.discard(pid)
        if left and (time.monotonic() > until or os.getppid() != parent):
            for pid in left:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            return
        time.sleep(0.005)


def _refusals(answers: list[int], served: list[Served]) -> list[str]:
    """What users said who could not work; the class goes among their refusals."""
    said = []
    for answer, one in zip(answers, served, strict=True):
        with os.fdopen(answer, "rb") as pipe:
            text = pipe.read().decode(errors="replace")
        if text:
            said.append(text)
            name = text.partition(":")[0]
            one.errors[name] = one.errors.get(name, 0) + 1
    return said


def main() -> int:
    parent = int(sys.argv[1])
    task = Task(**json.load(sys.stdin))
    tallies = Tallies(task.users)
    ready, told = os.pipe()
    wait, go = os.pipe()
    answers, children = [], []
    for number in range(task.users):
        answer, mine = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(go)
            os._exit(_child(task, tallies, number, told, wait, mine))
        os.close(mine)
        answers.append(answer)
        children.append(pid)
    _await_users(ready, task.users, parent)
    tallies.deadline = time.monotonic() + task.seconds
    os.write(go, b"g" * task.users)
    _await_ends(children, tallies.deadline + CLOSING_SECONDS, parent)
    served = tallies.served(time.monotonic())
    said = _refusals(answers, served)
    if len(said) == task.users:
        print("; ".join(sorted(set(said))), file=sys.stderr)
        return 1
    json.dump([asdict(s) for s in served], sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
