"""How a side of the comparison talks: a JSON line comes in, a JSON line goes out. Standard library only: every interpreter must run it.

The program's one argument is the task: `engine` ("file" or "server"), `file` (the database's file) or `host`, `port`, `user`, `database`.
Asked `{"do": NAME, "count": N, "argument": ...}` it calls the method NAME N times and answers `{"wall", "cpu", "answer"}`: seconds for all of
them, by the clock and of processor (this process and programs it awaited), and what the last call returned; or `{"error": ...}`, which ends it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

LINES = 5
"""Of an order."""
PAGE = 50
CUSTOMERS = 50
PRODUCTS = 50
QUANTITY, PRICE = 2, 10
DEAL = 50000
"""What a deal is expected to bring."""
READ = 7
"""The first so many orders are read in turn: fewer than the least run posts."""


def task() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(sys.argv[1])
    return found


def serve(worker: object) -> None:
    """Answer until standard input ends. What the libraries print goes to standard error: standard output is for answers alone."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = _done(worker, asked)
        except Exception as e:  # whatever a library raises is told to the other side, which decides
            answer = {"error": f"{type(e).__name__}: {e}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
        if "error" in answer:
            sys.exit(1)


def _processor() -> float:
    """Of this process and of the programs it has started and awaited."""
    of_children = os.times()[2:4]
    return time.process_time() + sum(of_children)


def _done(worker: object, asked: dict[str, Any]) -> dict[str, Any]:
    method = getattr(worker, asked["do"])
    given = [asked["argument"]] if asked.get("argument") is not None else []
    answer = None
    wall, cpu = time.perf_counter(), _processor()
    for _ in range(asked["count"]):
        answer = method(*given)
    return {"wall": time.perf_counter() - wall, "cpu": _processor() - cpu, "answer": answer}
