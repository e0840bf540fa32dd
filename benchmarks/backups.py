"""A backup beside a writer: how long the writer waits, alone and while the base is copied and verified."""

from __future__ import annotations

import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.harness import Bench, Figure
from benchmarks.volume import fill
from infobase.backups.keys import KEYS_VARIABLE
from infobase.backups.make import choose_key, make_backup
from infobase.connection import engine_of
from infobase.infobase import open_base
from infobase.storage import Statement

ALLOWED_MS = 100.0
"""Longer no writer may be kept out by a backup."""
_PAUSE = 0.002


@dataclass(frozen=True)
class Writing:
    """What a writer saw: how many transactions, the longest wait to begin one and the longest whole one, and the median of whole ones, in ms."""

    count: int
    longest_wait: float
    longest: float
    median: float


def _write(connection: str, pipe: Connection) -> None:
    """Short write transactions until told to stop; each phase begins and ends with a word."""
    engine = engine_of(connection)
    mark = "%s" if engine.traits.concurrent_writers else "?"
    sql = f"INSERT INTO sys_settings (key, value) VALUES ('bench', {mark}) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    with engine.transaction(write=True) as tx:
        tx.run([Statement(sql, ["0"])])
    pipe.send("ready")
    while pipe.recv() == "go":
        waits, wholes = [], []
        while not pipe.poll():
            asked = time.perf_counter()
            with engine.transaction(write=True) as tx:
                waits.append(time.perf_counter() - asked)
                tx.run([Statement(sql, [str(len(waits))])])
            wholes.append(time.perf_counter() - asked)
            time.sleep(_PAUSE)
        pipe.recv()
        pipe.send(Writing(len(waits), max(waits) * 1000, max(wholes) * 1000, statistics.median(wholes) * 1000))
    engine.close()


def backup(bench: Bench, kind: str) -> list[Figure]:
    """One writer, first alone for some seconds, then beside a backup from its begin to its end."""
    engine = bench.engine(kind, "backup")
    fill(engine, bench.rows)
    connection = bench.connection(kind, "backup")
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_write, args=(connection, there), daemon=True)
    process.start()
    try:
        here.recv()
        alone = _phase(here, lambda: time.sleep(bench.seconds))
        with tempfile.TemporaryDirectory(prefix="backups-", dir=bench.folder) as folder:
            os.environ[KEYS_VARIABLE] = str(bench.folder / "keys")
            seconds, size = [0.0], [0]

            def work() -> None:
                base = open_base(engine_of(connection))
                made = make_backup(base, Path(folder), key=choose_key(base, None, plain=False)).backup.manifest
                seconds[0], size[0] = made.seconds, made.bytes
                base.kernel.engine.close()

            beside = _phase(here, work)
        here.send("stop")
    finally:
        process.join(20)
        process.kill()
    note = f"{bench.rows} rows, {size[0] / 2**20:.0f} MB, {beside.count} transactions"
    return [
        Figure("backup", kind, "backup with verification", seconds[0], "s", note=note),
        Figure("backup", kind, "longest wait to begin, alone", alone.longest_wait, "ms"),
        Figure(
            "backup", kind, "longest wait to begin, beside a backup", beside.longest_wait, "ms", f"<= {ALLOWED_MS:g}"
        ),
        Figure("backup", kind, "longest transaction, alone", alone.longest, "ms"),
        Figure("backup", kind, "longest transaction, beside a backup", beside.longest, "ms"),
        Figure("backup", kind, "median transaction, alone", alone.median, "ms"),
        Figure("backup", kind, "median transaction, beside a backup", beside.median, "ms"),
    ]


def _phase(pipe: Connection, work: Callable[[], None]) -> Writing:
    pipe.send("go")
    work()
    pipe.send("enough")
    made = pipe.recv()
    assert isinstance(made, Writing)
    return made
