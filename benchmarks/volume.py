"""Dump, restore and balances of big bases."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import resource
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from random import Random

import psycopg

from benchmarks.harness import Bench, Figure
from benchmarks.writing import CRM
from infobase.infobase import create, dump_base, open_base, restore_base, system_session
from infobase.kernel import Kernel
from infobase.metadata.reader import read_folder
from infobase.metadata.types import Ref
from infobase.query_model import Compare
from infobase.registers import rebuild_statements
from infobase.schema.search import search_key
from infobase.storage import Column, StorageEngine, Table

BIG = ("doc_sales_order", "doc_sales_order__goods", "acc_orders", "cat_counterparties")
"""Tables filled for the dump, with equal numbers of rows."""
_WORDS = ["стол", "стул", "шкаф", "полка", "Ромашка", "Вега", "Орион", "север", "юг", "дом"]


def _rows(table: Table, count: int, kernel: Kernel) -> Iterator[list[object]]:
    """Random rows in storage form; texts repeat as business texts do."""
    random = Random(count)
    pool = [uuid.UUID(int=random.getrandbits(128)) for _ in range(2000)]
    writers = [(c, kernel.dialect.writer(c)) for c in table.columns]
    for n in range(count):
        texts: dict[str, str] = {}
        row: list[object] = []
        for column, write in writers:
            value = _value(column, n, random, pool, table, texts)
            row.append(write(value) if write else value)
        yield row


def _value(
    column: Column, n: int, random: Random, pool: list[uuid.UUID], table: Table, texts: dict[str, str]
) -> object:
    if column.name.endswith("__search"):
        return search_key(texts[column.name.removesuffix("__search")])
    match column.kind:
        case "uuid":
            own = column.name == table.primary_key[0]
            return uuid.UUID(int=(n << 64) | 1) if own else random.choice(pool)
        case "text":
            texts[column.name] = (
                f"{random.choice(_WORDS)} {n}" if column.name in ("code", "number", "description") else ""
            )
            return texts[column.name]
        case "decimal":
            return Decimal(random.randrange(10**6)).scaleb(-column.scale)
        case "timestamp":
            return dt.datetime(2024, 1, 1) + dt.timedelta(minutes=n % 1_000_000)
        case "bool":
            return n % 2 == 0
        case "int":
            return 1
        case _:
            return b""


def _fill(engine: StorageEngine, rows: int) -> None:
    base = create(engine, read_folder(CRM), name="volume")
    kernel = base.kernel
    by_name = {t.name: t for t in kernel.layout.tables}
    for name in BIG:
        with kernel.engine.transaction(write=True) as tx:
            kernel.engine.bulk_load(tx, by_name[name], _rows(by_name[name], rows // len(BIG), kernel))
    kernel.engine.close()


def _peak_mb() -> float:
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _in_child(target: Callable[[str, str], tuple[float, float]], *arguments: str) -> tuple[float, float]:
    """Run in a fresh process, so that peak memory is its own."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(target, arguments)


def _dump_child(connection: str, target: str) -> tuple[float, float]:
    from infobase.connection import engine_of

    base = open_base(engine_of(connection))
    started = time.perf_counter()
    dump_base(base, Path(target), replace=True)
    return time.perf_counter() - started, _peak_mb()


def _restore_child(connection: str, source: str) -> tuple[float, float]:
    from infobase.connection import engine_of

    started = time.perf_counter()
    restore_base(engine_of(connection), Path(source), replace=True)
    return time.perf_counter() - started, _peak_mb()


def dump(bench: Bench, kind: str) -> list[Figure]:
    """A base of `rows` rows: dump and restore; on the server beside raw binary COPY and pg_dump."""
    engine = bench.engine(kind, "volume")
    _fill(engine, bench.rows)
    connection, again = _connection(bench, kind, "volume"), _connection(bench, kind, "volume_again")
    target = bench.folder / f"{kind}.dt"
    raw = _RawCopy(bench, engine) if kind == "server" else None
    dumps, copies = [], []
    for _ in range(3):
        dumps.append(_in_child(_dump_child, connection, str(target)))
        copies.append(raw.out() if raw else _plain_copy(Path(engine.place)))
    restores, loads = [], []
    for _ in range(2):
        restores.append(_in_child(_restore_child, again, str(target)))
        loads.append(raw.load() if raw else 0.0)
    seconds, peak = min(d[0] for d in dumps), max(d[1] for d in dumps)
    back, peak_back = min(r[0] for r in restores), max(r[1] for r in restores)
    size = target.stat().st_size / 1e6
    made = [
        Figure("dump", kind, "seconds", seconds, "s", "", f"{bench.rows:,} rows, {size:.0f} MB"),
        Figure("dump", kind, "peak memory", peak, "MB", "<= 400"),
        Figure("restore", kind, "seconds", back, "s"),
        Figure("restore", kind, "peak memory", peak_back, "MB", "<= 400"),
    ]
    if raw is not None:
        made.append(
            Figure(
                "dump",
                kind,
                "dump / raw binary COPY",
                seconds / min(copies),
                "x",
                "<= 1.7",
                f"COPY {min(copies):.2f} s",
            )
        )
        made.append(
            Figure(
                "restore",
                kind,
                "restore / raw COPY + keys",
                back / min(loads),
                "x",
                "<= 1.4",
                f"COPY {min(loads):.2f} s",
            )
        )
        pg_dump = raw.pg_dump()
        if pg_dump:
            made.append(
                Figure("dump", kind, "pg_dump -Fc / dump", pg_dump / seconds, "x", ">= 2.0", f"pg_dump {pg_dump:.2f} s")
            )
    else:
        made.append(Figure("dump", kind, "dump / copy of the file", seconds / min(copies), "x"))
    return made


def _connection(bench: Bench, kind: str, name: str) -> str:
    if kind == "file":
        return f'File="{bench.folder / name}";'
    assert bench.pg is not None
    place = bench.pg.start()
    return f'DBMS=PostgreSQL;DBSrvr="{place.host} port={place.port}";DB="bench_{name}";DBUID="{place.user}";'


def _plain_copy(folder: Path) -> float:
    started = time.perf_counter()
    shutil.copyfile(folder / "1Cv8.1CD", folder / "copy.tmp")
    (folder / "copy.tmp").unlink()
    return time.perf_counter() - started


class _RawCopy:
    """COPY BINARY of every dumped table to files and back into fresh tables with their primary keys and indexes."""

    def __init__(self, bench: Bench, engine: StorageEngine) -> None:
        base = open_base(engine)
        self.tables = base.kernel.layout.dumped
        self.dialect = base.kernel.dialect
        assert bench.pg is not None
        self.place = bench.pg.start().at("bench_volume")
        self.folder = bench.folder / "raw"
        self.folder.mkdir(exist_ok=True)
        engine.close()

    def out(self) -> float:
        started = time.perf_counter()
        with psycopg.connect(self.place.conninfo()) as conn:
            for t in self.tables:
                columns = self.dialect.columns([c.name for c in t.dumped_columns])
                query = f"COPY (SELECT {columns} FROM {self.dialect.quote(t.name)}) TO STDOUT (FORMAT binary)"
                with (self.folder / t.name).open("wb") as file, conn.cursor() as cursor, cursor.copy(query) as copy:
                    for data in copy:
                        file.write(data)
        return time.perf_counter() - started

    def load(self) -> float:
        started = time.perf_counter()
        with psycopg.connect(self.place.conninfo(), autocommit=True) as conn:
            conn.execute("CREATE SCHEMA raw")
            for t in self.tables:
                name, columns = self.dialect.quote(t.name), self.dialect.columns([c.name for c in t.dumped_columns])
                conn.execute(f"CREATE TABLE raw.{name} (LIKE public.{name} INCLUDING DEFAULTS)")
                query = f"COPY raw.{name} ({columns}) FROM STDIN (FORMAT binary)"
                with conn.cursor() as cursor, (self.folder / t.name).open("rb") as file, cursor.copy(query) as copy:
                    while data := file.read(1 << 20):
                        copy.write(data)
                conn.execute(f"ALTER TABLE raw.{name} ADD PRIMARY KEY ({self.dialect.columns(t.primary_key)})")
            seconds = time.perf_counter() - started
            conn.execute("DROP SCHEMA raw CASCADE")
        return seconds

    def pg_dump(self) -> float:
        """Seconds of pg_dump -Fc, 0 when the program is not here."""
        program = shutil.which("pg_dump")
        if program is None:
            return 0.0
        started = time.perf_counter()
        done = subprocess.run(
            [program, "-Fc", "-n", "public", "-f", str(self.folder / "x.dump"), self.place.conninfo()], check=False
        )
        return time.perf_counter() - started if done.returncode == 0 else 0.0


def balance(bench: Bench, kind: str) -> list[Figure]:
    """Balances over `rows` movements and 10,000 keys: client CPU of the whole call, decoding included."""
    engine = bench.engine(kind, "balance")
    base = create(engine, read_folder(CRM), name="balance")
    kernel = base.kernel
    table = kernel.layout.registers["AccumulationRegister.Settlements"].table
    random = Random(1)
    keys = [uuid.UUID(int=random.getrandbits(128)) for _ in range(10_000)]
    with kernel.engine.transaction(write=True) as tx:
        kernel.engine.bulk_load(tx, table, _movements(table, keys, bench.rows, kernel))
        tx.run(rebuild_statements(kernel, "AccumulationRegister.Settlements"))
    session = system_session(kernel)
    register = session.accumulation_registers.Settlements
    five = Compare("Customer", "in", [Ref("Catalog.Counterparties", k) for k in keys[:5]])
    every, few = (
        _cpu(lambda: register.balance(group_by=("Customer",)), 7),
        _cpu(lambda: register.balance(where=five), 200),
    )
    rows = len(register.balance())
    kernel.engine.close()
    note = f"{bench.rows:,} movements, {rows:,} rows"
    return [
        Figure("balance", kind, "all keys, CPU", every * 1000, "ms", "<= 30", note),
        Figure("balance", kind, "five keys, CPU", few * 1000, "ms", "<= 1"),
    ]


def _cpu(work: Callable[[], object], times: int) -> float:
    """CPU seconds of one call in this process, the median of several."""
    work()
    found = []
    for _ in range(times):
        started = time.process_time()
        work()
        found.append(time.process_time() - started)
    return sorted(found)[times // 2]


def _movements(table: Table, keys: list[uuid.UUID], count: int, kernel: Kernel) -> Iterator[list[object]]:
    random = Random(2)
    pool = keys[:1]
    for n in range(count):
        values: list[object] = []
        for column in table.columns:
            write = kernel.dialect.writer(column)
            if column.name == "customer":
                value: object = keys[n % len(keys)]
            elif column.name == "recorder":
                value = uuid.UUID(int=n)
            elif column.name == "record_type":
                value = "Receipt" if random.random() < 0.6 else "Expense"
            else:
                value = _value(column, n, random, pool, table, {})
            values.append(write(value) if write else value)
        yield values
