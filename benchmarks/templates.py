"""Bases from a template once its golden base is ready, beside the fastest way the store itself copies the same bytes."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from psycopg import sql

from benchmarks.harness import Bench, Duel, Figure, Spent, spent
from benchmarks.volume import fill
from benchmarks.writing import CRM
from engine_server.staging import maintenance
from infobase.cache_folder import CACHE_VARIABLE, cache_folder
from infobase.connection import engine_of
from infobase.infobase import dump_base, open_base
from infobase.metadata.archive import write_cf
from infobase.metadata.reader import read_folder
from templates_store import golden
from templates_store.creating import NewBase, create

ROUNDS = 9
LARGE_ROWS = 200_000
TARGETS = {"file": "<= 1.5", "server": "<= 1.4"}
"""File mode: beside copying the file and syncing it. Server mode: beside CREATE DATABASE ... TEMPLATE."""
RAW = {"file": "copy + fsync", "server": "CREATE DATABASE ... TEMPLATE"}
Raw = Callable[[int], None]


def template(bench: Bench, kind: str) -> list[Figure]:
    """A base of the CRM as it is sold, and a large one: the whole creation, with identity, administrator and log entry. No password is
    hashed: that takes its time on purpose, and side by side with the copying."""
    cache = bench.folder / f"cache-{kind}"
    before = os.environ.get(CACHE_VARIABLE)
    os.environ[CACHE_VARIABLE] = str(cache)
    try:
        made = []
        for size, source in (("small", _small(bench)), ("large", _large(bench))):
            made += _measure(bench, kind, size, source)
        return made
    finally:
        shutil.rmtree(cache, ignore_errors=True)
        if before is None:
            del os.environ[CACHE_VARIABLE]
        else:
            os.environ[CACHE_VARIABLE] = before


def _small(bench: Bench) -> Path:
    source = bench.folder / "small.cf"
    write_cf(read_folder(CRM), source)
    return source


def _large(bench: Bench) -> Path:
    source = bench.folder / "large.dt"
    if not source.exists():
        engine = bench.engine("file", "template_source")
        fill(engine, min(bench.rows, LARGE_ROWS))
        dump_base(open_base(engine), source)
        engine.drop()
        engine.close()
    return source


def _measure(bench: Bench, kind: str, size: str, source: Path) -> list[Figure]:
    numbers = itertools.count()

    def make(number: int) -> None:
        engine = engine_of(bench.connection(kind, f"{size}_{number}"))
        create(engine, source, NewBase(f"{size} {number}", allow_empty=True))
        engine.close()

    make(next(numbers))  # prepares the golden base
    raw, copied = _raw(bench, kind, size, source)
    ours, theirs = list[Spent](), list[Spent]()
    for turn in range(ROUNDS):
        number = next(numbers)
        pair = [(ours, partial(make, number)), (theirs, partial(raw, number))]
        for kept, work in pair if turn % 2 else reversed(pair):
            kept.append(spent(work, bench.clock(kind)))
    name = f"creation / {RAW[kind]}, {size} base"
    note = f"{copied / 1e6:.1f} MB"
    return Duel(ours, theirs).figures("template", kind, name, TARGETS[kind], note)


def _raw(bench: Bench, kind: str, size: str, source: Path) -> tuple[Raw, int]:
    """The store's own copying of the golden base, and how many bytes it copies."""
    key = golden.template_key(source)
    if kind == "file":
        file = cache_folder() / "golden" / key / "1Cv8.1CD"
        return lambda number: _copy(file, bench.folder / f"raw-{size}-{number}"), file.stat().st_size
    place = bench.pg.start() if bench.pg else None
    assert place is not None
    original = f"infobase_golden_{key}"

    def clone(number: int) -> None:
        with maintenance(place) as conn:
            names = sql.Identifier(f"raw_{size}_{number}"), sql.Identifier(original)
            conn.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))

    with maintenance(place) as conn:
        row = conn.execute("SELECT pg_database_size(%s)", [original]).fetchone()
    return clone, int(row[0]) if row else 0


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    with target.open("rb+") as file:
        os.fsync(file.fileno())
