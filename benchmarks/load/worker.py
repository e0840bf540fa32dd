"""A process that becomes as many users as it is told: `python -m benchmarks.load.worker`, the task as JSON on standard input, what they were
served as JSON on standard output. The users are forked before anything is opened, so that they cost a fork and not an import each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random

from benchmarks.load.deeds import User
from infobase.connection import connect
from infobase.errors import InfobaseError

LATENCIES = 2000
"""Kept of each user, evenly thinned."""
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Task:
    """`seconds` of `deed` by `users`; `think`: mean pause between deeds, seconds."""

    connection: str
    deed: str
    users: int
    seconds: float
    think: float = 0.0


@dataclass
class Served:
    """What one user was served: deeds, refusals by class, seconds of each deed (a sample), the longest."""

    count: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    longest: float = 0.0


def serve(task: Task, environment: dict[str, str] | None = None, timeout: float = 600) -> list[Served]:
    """Run a task in a process of its own. RuntimeError with what it said when it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load.worker"],
        input=json.dumps(asdict(task)),
        capture_output=True,
        text=True,
        cwd=_ROOT,
        env={**os.environ, **(environment or {})},
        timeout=timeout,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip()[-2000:] or f"exit code {done.returncode}")
    return [Served(**one) for one in json.loads(done.stdout)]


def _be_user(task: Task, seed: int, ready: int, go: int) -> Served:
    served, random = Served(), Random(seed)
    with connect(task.connection) as session:
        user = User(session, seed)
        deed = getattr(user, task.deed)
        deed()
        os.write(ready, b"r")
        os.read(go, 1)
        end = time.monotonic() + task.seconds
        taken: list[float] = []
        while True:
            if task.think:
                time.sleep(min(random.expovariate(1 / task.think), max(0.0, end - time.monotonic())))
            started = time.monotonic()
            if started >= end:
                break
            try:
                deed()
                served.count += 1
            except InfobaseError as e:
                served.errors[type(e).__name__] = served.errors.get(type(e).__name__, 0) + 1
            taken.append(time.monotonic() - started)
    served.longest = max(taken, default=0.0)
    step = max(1, len(taken) // LATENCIES)
    served.latencies = taken[::step]
    return served


def _child(task: Task, seed: int, ready: int, go: int, answer: int) -> int:
    try:
        made: object = asdict(_be_user(task, seed, ready, go))
        code = 0
    except Exception as e:  # told to the parent, which fails with it
        made, code = f"{type(e).__name__}: {e}", 1
        os.write(ready, b"x")
    with os.fdopen(answer, "w") as pipe:
        json.dump(made, pipe)
    return code


def main() -> int:
    task = Task(**json.load(sys.stdin))
    ready, told = os.pipe()
    wait, go = os.pipe()
    answers, children = [], []
    for seed in range(task.users):
        answer, mine = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(go)
            os._exit(_child(task, seed, told, wait, mine))
        os.close(mine)
        answers.append(answer)
        children.append(pid)
    failed = [b for _ in children if (b := os.read(ready, 1)) != b"r"]
    os.write(go, b"g" * task.users)
    found = [json.load(os.fdopen(a)) for a in answers]
    for pid in children:
        os.waitpid(pid, 0)
    wrong = [f for f in found if isinstance(f, str)]
    if failed or wrong:
        print("; ".join(sorted(set(wrong))), file=sys.stderr)
        return 1
    json.dump(found, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
