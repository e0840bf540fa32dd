"""Dump, restore and balances of big bases."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import resource
import statistics
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from random import Random

from benchmarks.harness import Bench, Duel, Figure, Spent, spent
from benchmarks.raw_copies import BareRows, RawCopy, RawFile
from benchmarks.writing import CRM
from infobase.connection import engine_of
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
ROUNDS = 3
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


def fill(engine: StorageEngine, rows: int) -> None:
    """A CRM base with so many rows in its BIG tables; the engine is closed."""
    base = create(engine, read_folder(CRM), name="volume")
    kernel = base.kernel
    by_name = {t.name: t for t in kernel.layout.tables}
    for name in BIG:
        with kernel.engine.transaction(write=True) as tx:
            kernel.engine.bulk_load(tx, by_name[name], _rows(by_name[name], rows // len(BIG), kernel))
    kernel.engine.close()


@dataclass(frozen=True)
class Run:
    """One dump or restore in a process of its own: what it took, and the most memory the process had, in MB."""

    spent: Spent
    peak_mb: float


def peak_mb() -> float:
    """The most memory this process had. Linux tells it of the program that runs; `ru_maxrss` begins with that of the parent."""
    own = Path("/proc/self/status")
    if own.exists():
        return next(int(line.split()[1]) / 1024 for line in own.read_text().splitlines() if line.startswith("VmHWM:"))
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def in_child(target: Callable[..., Run], *arguments: str) -> Run:
    """Run in a fresh process, so that peak memory is its own."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(target, arguments)


def _dump_child(connection: str, target: str) -> Run:
    base = open_base(engine_of(connection))
    took = spent(lambda: dump_base(base, Path(target), replace=True))
    base.kernel.engine.close()
    return Run(took, peak_mb())


def _restore_child(connection: str, source: str) -> Run:
    took = spent(lambda: restore_base(engine_of(connection), Path(source), replace=True).kernel.engine.close())
    return Run(took, peak_mb())


def dump(bench: Bench, kind: str) -> list[Figure]:
    """A base of `rows` rows: dump and restore, beside what the store's own means do with the same tables."""
    engine = bench.engine(kind, "volume")
    fill(engine, bench.rows)
    raw: RawCopy | RawFile = RawCopy(bench, engine) if kind == "server" else RawFile(bench, engine)
    target = bench.folder / f"{kind}.dt"
    made = _dumps(bench, kind, raw, target) + _restores(bench, kind, raw, target)
    target.unlink()
    return made


def _dumps(bench: Bench, kind: str, raw: RawCopy | RawFile, target: Path) -> list[Figure]:
    connection = bench.connection(kind, "volume")
    runs: list[Run] = []
    copies: list[Spent] = []
    others: list[Spent] = []
    for _ in range(ROUNDS):
        runs.append(in_child(_dump_child, connection, str(target)))
        copies.append(spent(raw.out))
        if isinstance(raw, RawCopy) and raw.pg_dump is not None:
            others.append(spent(raw.dump_with_pg_dump))
    ours = [r.spent for r in runs]
    sizes = f"{bench.rows:,} rows, .dt {target.stat().st_size / 1e6:.0f} MB, raw {raw.bytes / 1e6:.0f} MB"
    goal = "<= 1.7" if kind == "server" else ""
    made = _ratio("dump", kind, f"dump / {raw.out_name}", ours, copies, goal, sizes)
    made.append(Figure("dump", kind, "peak memory", max(r.peak_mb for r in runs), "MB", "<= 400"))
    if others:
        ratios = tuple(b.wall / a.wall for a, b in zip(ours, others, strict=True))
        seconds = statistics.median(b.wall for b in others)
        note = f"pg_dump {seconds:.2f} s"
        value = statistics.median(ratios)
        made.append(Figure("dump", kind, "pg_dump -Fc / dump", value, "x", ">= 2.0", note, ratios, "higher"))
    return made


def _restores(bench: Bench, kind: str, raw: RawCopy | RawFile, source: Path) -> list[Figure]:
    again = bench.connection(kind, "volume_again")
    runs: list[Run] = []
    keyed: list[Spent] = []
    whole: list[Spent] = []
    for _ in range(ROUNDS):
        runs.append(in_child(_restore_child, again, str(source)))
        keyed.append(spent(lambda: raw.load(indexes=False)))
        whole.append(spent(lambda: raw.load(indexes=True)))
    ours = [r.spent for r in runs]
    goal = "<= 1.4" if kind == "server" else ""
    same = f"restore / {raw.load_name} + the base's keys and indexes"
    return [
        *_ratio(
            "restore",
            kind,
            f"restore / {raw.load_name} + primary keys",
            ours,
            keyed,
            goal,
            "the base has all its indexes, the raw side none",
        ),
        *_ratio("restore", kind, same, ours, whole, goal, "both sides have the same tables and indexes"),
        Figure("restore", kind, "peak memory", max(r.peak_mb for r in runs), "MB", "<= 400"),
    ]


def _ratio(
    scenario: str, kind: str, name: str, ours: list[Spent], raw: list[Spent], target: str, note: str
) -> list[Figure]:
    """Only by the clock: most of the work is done in processes of the server, side by side."""
    return Duel(ours, raw).figures(scenario, kind, name, target, note)[:1]


def balance(bench: Bench, kind: str) -> list[Figure]:
    """Balances over `rows` movements and 10,000 keys: processor time of the whole call, decoding (and the server's part) included."""
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
    clock = bench.clock(kind)
    rows, few_rows = len(register.balance()), len(register.balance(where=five))
    every: list[Spent] = []
    bare_rows: list[Spent] = []
    with closing(BareRows(kernel.engine)) as bare:
        bare.fetch()
        for _ in range(21):
            every.append(spent(register.balance, clock))
            bare_rows.append(spent(bare.fetch, clock))
    few = [spent(lambda: [register.balance(where=five) for _ in range(50)], clock, 50) for _ in range(9)]
    kernel.engine.close()
    beside = Duel(every, bare_rows).cpu_ratio
    note = f"{bench.rows:,} movements"
    return [
        _processor(kind, "all keys, CPU", every, "<= 30", f"{note}, {rows:,} rows"),
        _processor(kind, "five keys, CPU", few, "<= 1", f"{note}, {few_rows} rows"),
        Figure("balance", kind, "all keys / the driver's bare rows, CPU", beside, "x"),
    ]


def _processor(kind: str, name: str, calls: list[Spent], target: str, note: str) -> Figure:
    """The mean: a server's processor time comes in steps of 10 ms."""
    clock = statistics.median(c.wall for c in calls) * 1000
    value = statistics.fmean(c.cpu for c in calls) * 1000
    samples = tuple(c.cpu * 1000 for c in calls)
    return Figure("balance", kind, name, value, "ms", target, f"{note}; {clock:.3g} ms by the clock", samples)


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
            elif column.name == "active":
                value = True
            elif column.name == "record_type":
                value = "Receipt" if random.random() < 0.6 else "Expense"
            else:
                value = _value(column, n, random, pool, table, {})
            values.append(write(value) if write else value)
        yield values
