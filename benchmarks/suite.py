"""The scenarios, and a run of some of them."""

from __future__ import annotations

import datetime as dt
import tempfile
import time
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
from benchmarks.pace import Pace
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

ESTIMATES = {
    "save": (10.0, 0.0),
    "posting": (15.0, 0.0),
    "balance": (5.0, 20.0),
    "addresses": (15.0, 60.0),
    "contention": (15.0, 0.0),
    "dump": (10.0, 60.0),
    "backup": (10.0, 40.0),
    "template": (30.0, 0.0),
    "banks": (20.0, 0.0),
    "http": (30.0, 20.0),
}
"""About how many seconds a scenario takes on one engine, on two cores: in any case, and for each million rows."""

Progress = Callable[[str, int, int], None]


def run(
    scenarios: Sequence[str],
    engines: Sequence[str],
    *,
    rows: int,
    seconds: float,
    minutes: float | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Results:
    """Measure. `rows`: of the big bases; `seconds`: of the contention; `minutes`: how much time there is, any when None; `folder`: on the disk to
    measure, the system's scratch folder when None. What no longer fits is left out and named in the settings. Everything made is removed."""
    taken = f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M}"
    work = [(name, kind) for name in scenarios for kind in SCENARIOS[name][1] if kind in engines]
    figures: list[Figure] = []
    skipped: dict[str, str] = {}
    end, pace = time.monotonic() + (minutes or 0) * 60, Pace()
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
            started, needed = time.monotonic(), estimate(name, rows)
            if minutes is not None and started + pace.expected(needed) > end:
                skipped[f"skipped: {name} ({kind})"] = f"{pace.expected(needed):.0f} s"
                continue
            figures += SCENARIOS[name][0](bench, kind)
            pace.note(needed, time.monotonic() - started)
    return Results(taken, where, {"rows": rows, "seconds": seconds, **skipped}, tuple(figures))


def estimate(name: str, rows: int) -> float:
    """Seconds."""
    always, each_million = ESTIMATES[name]
    return always + each_million * rows / 1e6
