"""Posting as the kernel does it, and totals as anyone would sum them."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal

from infobase import registers
from infobase.kernel import Kernel
from infobase.metadata.model import EXPENSE, BalanceCheck
from infobase.metadata.types import Ref, Value
from infobase.schema.codec import RowCodec
from infobase.storage import Statement, Transaction
from tests.registers.sample import CHECK, STOCK, order_ref

Records = Mapping[str, Sequence[Mapping[str, Value]]]


def present(value: Value) -> str:
    return f"<{value.uuid.hex[:6]}>" if isinstance(value, Ref) else str(value)


def write(
    kernel: Kernel,
    tx: Transaction,
    number: int,
    new: Records,
    *,
    old: Records | None = None,
    checks: Sequence[BalanceCheck] = (CHECK,),
) -> int:
    """Replace a recorder's records; the number of statements it took. `old`: None reads them first."""
    recorder = order_ref(number)
    if old is None:
        names = list(kernel.layout.registers)
        names = [n for n in names if n.startswith("Acc") or n.endswith("States")]
        old = registers.parse_records(kernel, names, tx.run(registers.load_statements(kernel, recorder, names)))
    work = registers.write_work(kernel, recorder, old, new, checks, f"Order {number}", present)
    work.finish(tx.run(work.statements))
    return len(work.statements)


def stored(kernel: Kernel, tx: Transaction, register: str, number: int) -> list[dict[str, Value]]:
    found = tx.run(registers.load_statements(kernel, order_ref(number), [register]))
    return registers.parse_records(kernel, [register], found)[register]


def totals(
    kernel: Kernel, tx: Transaction, register: str, *, turnovers: bool
) -> dict[tuple[Value, ...], list[Decimal]]:
    """The kept totals, without rows of zeros."""
    layout = kernel.layout.registers[register]
    table = layout.turnovers if turnovers else layout.balance
    assert table is not None
    key = RowCodec(layout.dimensions, kernel.dialect)
    width = len(key.select_columns)
    columns = kernel.dialect.columns([c.name for c in table.columns])
    [rows] = tx.run([Statement(f"SELECT {columns} FROM {kernel.dialect.quote(table.name)}")])
    found = {}
    for row in rows:
        dimensions = tuple(key.decode(row[:width]).values())
        rest = [
            (kernel.dialect.reader(c) or (lambda v: v))(v)
            for c, v in zip(table.columns[width:], row[width:], strict=True)
        ]
        if turnovers:
            dimensions, rest = (*dimensions, rest[0]), rest[1:]
        if any(rest):
            found[dimensions] = rest
    return found


def summed(records: Sequence[Mapping[str, Value]], *, turnovers: bool) -> dict[tuple[Value, ...], list[Decimal]]:
    """The same totals of stock movements, by plain addition."""
    sums: dict[tuple[Value, ...], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * (4 if turnovers else 2))
    for r in records:
        period = r["Period"]
        assert isinstance(period, dt.datetime)
        expense = r["RecordType"] == EXPENSE
        amounts = [r["Quantity"], r["Amount"]]
        key: tuple[Value, ...] = (r["Warehouse"], r["Product"])
        if turnovers:
            key = (*key, dt.datetime(period.year, period.month, 1))
            amounts = [x for a in amounts for x in ((0, a) if expense else (a, 0))]
        elif expense:
            amounts = [-a for a in amounts]
        sums[key] = [a + b for a, b in zip(sums[key], amounts, strict=True)]
    return {k: v for k, v in sums.items() if any(v)}


def stock(kernel: Kernel, tx: Transaction) -> dict[Value, Decimal]:
    """Product -> quantity on stock."""
    return {key[1]: v[0] for key, v in totals(kernel, tx, STOCK, turnovers=False).items()}
