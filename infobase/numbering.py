"""Automatic codes and numbers: unique under concurrency, growing, without a promise of no gaps (as 1C).

The last number given is kept per (object, prefix, period). Where writers work at once the counter moves in its own short transaction, so that
nobody waits for another's document; a number typed by hand above the counter lifts it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from infobase.errors import OperationForbidden
from infobase.i18n import text
from infobase.kernel import Kernel
from infobase.metadata.model import Catalog, Document, Numbering
from infobase.metadata.types import EMPTY_DATE, Value
from infobase.object_store import store_of
from infobase.schema.layout import NUMBER_PERIOD, SYSTEM_TABLES
from infobase.schema.periods import period_start
from infobase.storage import Row, Statement, Transaction

_TABLE = SYSTEM_TABLES["sys_numbers"]


def next_number(
    kernel: Kernel,
    tx: Transaction,
    meta: Catalog | Document,
    date: dt.datetime,
    prefix: str,
    on_rollback: Callable[[Callable[[], None]], None],
) -> Value:
    """The next code of a catalog (any `date`) or number of a document dated `date`, formatted as the field's type wants."""
    numbering = meta.code if isinstance(meta, Catalog) else meta.number
    shown_prefix = prefix if numbering.prefix and numbering.kind == "String" else ""
    period = period_start(date, numbering.periodicity) if isinstance(meta, Document) else EMPTY_DATE
    if kernel.engine.traits.concurrent_writers:
        with kernel.engine.transaction(write=True) as own:
            given = _advance(kernel, own, meta, numbering, shown_prefix, period)
        on_rollback(lambda: _give_back(kernel, meta.full_name, shown_prefix, period, given))
    else:
        given = _advance(kernel, tx, meta, numbering, shown_prefix, period)
    return _formatted(meta, numbering, shown_prefix, given.number)


@dataclass(frozen=True, slots=True)
class _Given:
    """A number taken from the counter, and what the counter said before (None: it did not exist)."""

    number: int
    before: int | None


def _give_back(kernel: Kernel, full_name: str, prefix: str, period: dt.datetime, given: _Given) -> None:
    """After a rollback the number is free again, unless the counter has moved on: then it is a gap."""
    d = kernel.dialect
    writer = d.writer(_TABLE.column("period"))
    key = [full_name, prefix, writer(period) if writer else period, given.number]
    mark = d.placeholder
    where = f"WHERE object = {mark} AND prefix = {mark} AND period = {mark} AND last = {mark}"
    if given.before is None:
        statement = Statement(f"DELETE FROM sys_numbers {where}", key)
    else:
        statement = Statement(f"UPDATE sys_numbers SET last = {mark} {where}", [given.before, *key])
    with kernel.engine.transaction(write=True) as tx:
        tx.run([statement])


def _formatted(meta: Catalog | Document, numbering: Numbering, prefix: str, number: int) -> Value:
    if numbering.kind == "Number":
        _demand_room(meta, len(str(number)) <= numbering.length, number)
        return Decimal(number)
    room = numbering.length - len(prefix)
    _demand_room(meta, len(str(number)) <= room, number)
    return prefix + str(number).rjust(room, "0")


def _demand_room(meta: Catalog | Document, fits: bool, number: int) -> None:
    if not fits:
        ru = f"номер {number} не помещается в длину номера; увеличьте длину в конфигурации"
        en = f"the number {number} does not fit the number's length; make it longer in the configuration"
        raise OperationForbidden(object=meta.full_name, detail=text(ru=ru, en=en))


def _advance(
    kernel: Kernel, tx: Transaction, meta: Catalog | Document, numbering: Numbering, prefix: str, period: dt.datetime
) -> _Given:
    relax = kernel.dialect.relaxed_commit
    head = [Statement(relax)] if relax and kernel.engine.traits.concurrent_writers else []
    bump, current = _bump(kernel, meta.full_name, prefix, period)
    highest, parse = _highest(kernel, meta, numbering, prefix, period)
    *_, last, given, top = tx.run([*head, current, bump(1), highest])
    before = int(str(last[0][0])) if last else None
    number, taken = int(str(given[0][0])), parse(top)
    if number <= taken:
        number = int(str(tx.run([bump(taken + 1)])[0][0][0]))
    return _Given(number, before)


def _bump(
    kernel: Kernel, full_name: str, prefix: str, period: dt.datetime
) -> tuple[Callable[[int], Statement], Statement]:
    """A statement that takes max(last + 1, floor), and one that holds the counter and reads it."""
    d = kernel.dialect
    writer = d.writer(_TABLE.column("period"))
    stored_period = writer(period) if writer else period
    greater = "CASE WHEN sys_numbers.last + 1 > excluded.last THEN sys_numbers.last + 1 ELSE excluded.last END"
    sql = (
        f"INSERT INTO sys_numbers (object, prefix, period, last) VALUES {d.values(4)} "
        f"ON CONFLICT (object, prefix, period) DO UPDATE SET last = {greater} RETURNING last"
    )
    mark = d.placeholder
    where = f"object = {mark} AND prefix = {mark} AND period = {mark}"
    current = f"SELECT last FROM sys_numbers WHERE {where}{d.row_lock}"
    key = [full_name, prefix, stored_period]
    return lambda floor: Statement(sql, [*key, floor]), Statement(current, key)


def _highest(
    kernel: Kernel, meta: Catalog | Document, numbering: Numbering, prefix: str, period: dt.datetime
) -> tuple[Statement, Callable[[list[Row]], int]]:
    """The greatest number of this form in use, straight from the index, and how to read it (0 when none)."""
    store, d = store_of(kernel, meta.full_name), kernel.dialect
    column = "code" if isinstance(meta, Catalog) else "number"
    conditions, params = [], []
    if isinstance(meta, Document):
        writer = d.writer(store.layout.table.column(NUMBER_PERIOD))
        conditions.append(f"{d.quote(NUMBER_PERIOD)} = {d.placeholder}")
        params.append(writer(period) if writer else period)
    if numbering.kind == "String":
        room = numbering.length - len(prefix)
        conditions.append(f"{d.quote(column)} BETWEEN {d.placeholder} AND {d.placeholder}")
        params += [prefix + "0" * room, prefix + "9" * room]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    sql = f"SELECT max({d.quote(column)}) FROM {store.table}{where}"

    def parse(rows: list[Row]) -> int:
        digits = str(rows[0][0] if rows[0][0] is not None else "").removeprefix(prefix)
        return int(digits) if digits.isascii() and digits.isdigit() else 0

    return Statement(sql, params), parse
