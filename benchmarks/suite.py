"""The scenarios, and a run of some of them."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import psycopg

from benchmarks.addresses import addresses
from benchmarks.backups import backup
from benchmarks.classifiers import banks
from benchmarks.contention import contention
from benchmarks.environment import environment
from benchmarks.harness import Bench, Figure, cluster
from benchmarks.results import Results
from benchmarks.serving import http
from benchmarks.templates import template
from benchmarks.volume import balance, dump
from benchmarks.writing import posting, save

ENGINES = ("file", "server")
SCENARIOS: dict[str, tuple[Callable[[Bench, str], list[Figure]], tuple[str, ...]]] = {
    "save": (save, ENGINES),
    "posting": (posting, ENGINES),
    "balance": (balance, ENGINES),
    "addresses": (addresses, ENGINES),
    "contention": (contention, ("file",)),
    "dump": (dump, ENGINES),
    "backup": (backup, ENGINES),
    "template": (template, ENGINES),
    "banks": (banks, ENGINES),
    "http": (http, ("server",)),
}
"""What is measured and on which engines: a scenario is written once and gets its engine by name."""

Progress = Callable[[str, int, int], None]


def run(
    scenarios: Sequence[str],
    engines: Sequence[str],
    *,
    rows: int,
    seconds: float,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Results:
    """Measure. `rows`: of the big bases; `seconds`: of the contention; `folder`: on the disk to measure, the system's scratch folder when None.
    Everything made is removed."""
    taken = f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M}"
    work = [(name, kind) for name in scenarios for kind in SCENARIOS[name][1] if kind in engines]
    figures: list[Figure] = []
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="infobase-bench-", dir=folder)))
        pg = stack.enter_context(cluster(folder)) if any(kind == "server" for _, kind in work) else None
        version = ""
        if pg is not None:
            with psycopg.connect(pg.start().conninfo()) as conn:
                version = str(conn.info.parameter_status("server_version"))
        where = environment(place, version)
        bench = Bench(place, pg, rows, seconds)
        for done, (name, kind) in enumerate(work):
            if progress is not None:
                progress(f"{name} ({kind})", done, len(work))
            figures += SCENARIOS[name][0](bench, kind)
    return Results(taken, where, {"rows": rows, "seconds": seconds}, tuple(figures))
