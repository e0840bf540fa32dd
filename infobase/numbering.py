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
PREFIX = "number_prefix"
"""The setting that holds the base's prefix of codes and numbers."""
_PREFIX_SQL = Statement(f"SELECT value FROM sys_settings WHERE key = '{PREFIX}'")


def next_number(
    kernel: Kernel,
    tx: Transaction,
    meta: Catalog | Document,
    date: dt.datetime,
    on_rollback: Callable[[Callable[[], None]], None],
    *,
    prefix: str | None = None,
) -> Value:
    """The next code of a catalog (any `date`) or number of a document dated `date`, formatted as the field's type wants.
    `prefix`: None, or the base's prefix as the current transaction has set it."""
    how = meta.code if isinstance(meta, Catalog) else meta.number
    period = period_start(date, how.periodicity) if isinstance(meta, Document) else EMPTY_DATE
    wanted = _has_prefix(how)
    shown = (prefix if prefix is not None else str(kernel.cache.get(PREFIX, ""))) if wanted else ""
    while True:
        counter = _Counter(kernel, meta, how, shown, period)
        given = counter.take(tx)
        if not wanted or prefix is not None or given.prefix == shown:
            break
        # The prefix was changed since it was read last; the number taken under the old one goes back.
        counter.give_back(tx, given)
        kernel.cache[PREFIX] = shown = given.prefix
    if kernel.engine.traits.concurrent_writers:
        on_rollback(lambda: counter.give_back(tx, given))
    return _formatted(meta, how, shown, given.number)


def _has_prefix(how: Numbering) -> bool:
    return how.prefix and how.kind == "String"


@dataclass(frozen=True, slots=True)
class _Given:
    """A number taken from the counter, what the counter said before (None: it did not exist), and the base's prefix at that moment."""

    number: int
    before: int | None
    prefix: str


@dataclass(frozen=True, slots=True)
class _Counter:
    """The counter of one object, prefix and period. Where writers work at once every step is a transaction of its own, in one round trip."""

    kernel: Kernel
    meta: Catalog | Document
    how: Numbering
    prefix: str
    period: dt.datetime

    def take(self, tx: Transaction) -> _Given:
        bump, current = _bump(self.kernel, self.meta.full_name, self.prefix, self.period)
        highest, parse = _highest(self.kernel, self.meta, self.how, self.prefix, self.period)
        setting = [_PREFIX_SQL] if _has_prefix(self.how) else []
        *prefix, last, given, top = self._run(tx, [*setting, current, bump(1), highest])
        number, taken = _number(given), parse(top)
        if number <= taken:
            last, given = self._run(tx, [current, bump(taken + 1)])
            number = _number(given)
        return _Given(number, _number(last) if last else None, str(prefix[0][0][0]) if prefix and prefix[0] else "")

    def give_back(self, tx: Transaction, given: _Given) -> None:
        """The number is free again, unless the counter has moved on: then it is a gap."""
        mark = self.kernel.dialect.placeholder
        key = [self.meta.full_name, self.prefix, _stored_period(self.kernel, self.period), given.number]
        where = f"WHERE object = {mark} AND prefix = {mark} AND period = {mark} AND last = {mark}"
        if given.before is None:
            self._run(tx, [Statement(f"DELETE FROM sys_numbers {where}", key)])
        else:
            self._run(tx, [Statement(f"UPDATE sys_numbers SET last = {mark} {where}", [given.before, *key])])

    def _run(self, tx: Transaction, statements: list[Statement]) -> list[list[Row]]:
        if not self.kernel.engine.traits.concurrent_writers:
            return tx.run(statements)
        relax = self.kernel.dialect.relaxed_commit
        head = [Statement(relax)] if relax else []
        with self.kernel.engine.transaction(write=True) as own:
            return own.run([*head, *statements], last=True)[len(head) :]


def _number(rows: list[Row]) -> int:
    return int(str(rows[0][0]))


def _stored_period(kernel: Kernel, period: dt.datetime) -> object:
    writer = kernel.dialect.writer(_TABLE.column("period"))
    return writer(period) if writer else period


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


def _bump(
    kernel: Kernel, full_name: str, prefix: str, period: dt.datetime
) -> tuple[Callable[[int], Statement], Statement]:
    """A statement that takes max(last + 1, floor), and one that holds the counter and reads it."""
    d = kernel.dialect
    greater = "CASE WHEN sys_numbers.last + 1 > excluded.last THEN sys_numbers.last + 1 ELSE excluded.last END"
    sql = (
        f"INSERT INTO sys_numbers (object, prefix, period, last) VALUES {d.values(4)} "
        f"ON CONFLICT (object, prefix, period) DO UPDATE SET last = {greater} RETURNING last"
    )
    mark = d.placeholder
    where = f"object = {mark} AND prefix = {mark} AND period = {mark}"
    current = f"SELECT last FROM sys_numbers WHERE {where}{d.row_lock}"
    key = [full_name, prefix, _stored_period(kernel, period)]
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
