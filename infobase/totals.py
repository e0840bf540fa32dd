"""Totals of accumulation registers: what a change of records changes in them, their rebuilding from movements, and their check.

The current balance (dimensions -> resources) and monthly turnovers (dimensions, first day of the month -> resources; for balance registers receipt and
expense apart). A row of zeros and a missing row mean the same.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, cast

from infobase.errors import NumberOverflow
from infobase.i18n import text
from infobase.kernel import Kernel
from infobase.metadata.model import EXPENSE, RECEIPT
from infobase.metadata.types import Value
from infobase.register_sql import Columns, RegisterSql, register_sql
from infobase.schema.codec import RowCodec
from infobase.schema.layout import TOTAL_DIGITS
from infobase.storage import Column, Finding, Statement, Table, Transaction

Record = Mapping[str, Value]
Encoded = tuple[Sequence[Record], Columns]
"""Records and the same in storage form."""

FINDINGS_PER_TABLE = 20
"""How many wrong keys of one totals table are named; whether there are more is said."""


@dataclass
class Deltas:
    """Net changes in storage form: key columns -> resources, and (key columns, month) -> turnover columns."""

    balance: dict[tuple[Any, ...], Sequence[Any]] = field(default_factory=dict)
    turnovers: dict[tuple[Any, ...], Sequence[Any]] = field(default_factory=dict)


def deltas(sql: RegisterSql, old: Encoded, new: Encoded) -> Deltas:
    """New minus old."""
    found = Deltas()
    for gain, records, columns in ((False, *old), (True, *new)):
        if records:
            _add_all(sql, found, records, columns, gain)
    return found


def _add_all(sql: RegisterSql, to: Deltas, records: Sequence[Record], columns: Columns, gain: bool) -> None:
    keys = zip(*[columns[i] for i in sql.key_positions], strict=True) if sql.key_positions else repeat((), len(records))
    resources = zip(*[columns[i] for i in sql.resource_positions], strict=True)
    months = _months(sql, records)
    for record, key, month, amounts in zip(records, keys, months, resources, strict=True):
        changes: Sequence[Any] = amounts if gain else [-a for a in amounts]
        if sql.has_balance:
            zero = changes[0] * 0
            if record["RecordType"] == EXPENSE:
                _accumulate(to.balance, key, [-a for a in changes])
                changes = [x for a in changes for x in (zero, a)]
            else:
                _accumulate(to.balance, key, changes)
                changes = [x for a in changes for x in (a, zero)]
        _accumulate(to.turnovers, (*key, month), changes)


def _months(sql: RegisterSql, records: Sequence[Record]) -> list[object]:
    made: dict[object, object] = {}
    for record in records:
        period = cast("dt.datetime | None", record["Period"])
        if period not in made:
            made[period] = sql.write_period(month_of(period))
    return [made[record["Period"]] for record in records]


def _accumulate(into: dict[tuple[Any, ...], Sequence[Any]], key: tuple[Any, ...], amounts: Sequence[Any]) -> None:
    before = into.get(key)
    into[key] = amounts if before is None else [a + b for a, b in zip(before, amounts, strict=True)]


def sorted_rows(changes: Mapping[tuple[Any, ...], Sequence[Any]]) -> list[tuple[object, ...]]:
    """Rows of the non-zero changes in the order of their keys: every process takes row locks in this order.
    Values of one column are of one type, so keys compare."""
    return [(*key, *changes[key]) for key in sorted(changes) if any(changes[key])]


def month_of(period: dt.datetime | None) -> dt.datetime | None:
    """The month a movement's turnovers belong to."""
    return None if period is None else dt.datetime(period.year, period.month, 1)


def check_size(sql: RegisterSql, values: Sequence[Any], columns: int) -> None:
    """NumberOverflow when a change has no room in 18 digits by itself; `columns` per resource (2 for receipt and expense).
    Totals that outgrow them are refused by the store."""
    for i, value in enumerate(values):
        at = i // columns
        if not -sql.limits[at] < value < sql.limits[at]:
            resource = sql.layout.resources[at]
            raise NumberOverflow(
                field=f"{sql.full_name}.{resource.name}",
                value=sql.resource_readers[at](value),
                digits=TOTAL_DIGITS,
                scale=sql.total_columns[at].scale,
            )


# --- rebuilding ---


def rebuild_statements(kernel: Kernel, register: str) -> list[Statement]:
    """Empty the totals of an accumulation register and sum its movements anew. Nothing for an information register."""
    sql = register_sql(kernel, register)
    made: list[Statement] = []
    for table, source in _sources(sql):
        resources = sql.resources_of(table)
        d = kernel.dialect
        kept = " OR ".join(f"{amount} <> 0" for amount in source.sums)
        made.append(Statement(f"DELETE FROM {d.quote(table.name)}"))
        made.append(
            Statement(
                f"INSERT INTO {d.quote(table.name)} ({d.columns((*table.primary_key, *_names(resources)))}) "
                f"SELECT {', '.join((*source.keys, *source.sums))} FROM {d.quote(sql.layout.table.name)} WHERE {source.where} "
                f"{source.group_by} HAVING {kept}"
            )
        )
    return made


@dataclass(frozen=True, slots=True)
class _Source:
    """How a totals table follows from movements: expressions of its key and resource columns over a record."""

    keys: tuple[str, ...]
    amounts: tuple[str, ...]
    where: str

    @property
    def sums(self) -> tuple[str, ...]:
        return tuple(f"SUM({a})" for a in self.amounts)

    @property
    def group_by(self) -> str:
        return f"GROUP BY {', '.join(self.keys)}" if self.keys else ""


def _sources(sql: RegisterSql) -> list[tuple[Table, _Source]]:
    d = sql.kernel.dialect
    key = tuple(d.quote(c.name) for c in sql.layout.dimension_columns)
    resources = tuple(d.quote(r.column.name) for r in sql.layout.resources)
    active = "active" if d.name == "postgresql" else "active = 1"
    found = []
    if sql.layout.balance is not None:
        signed = tuple(f"CASE WHEN record_type = '{EXPENSE}' THEN -{r} ELSE {r} END" for r in resources)
        found.append((sql.layout.balance, _Source(key, signed, active)))
    if sql.layout.turnovers is not None:
        amounts = resources
        if sql.has_balance:
            kinds = (RECEIPT, EXPENSE)
            amounts = tuple(f"CASE WHEN record_type = '{k}' THEN {r} ELSE 0 END" for r in resources for k in kinds)
        found.append((sql.layout.turnovers, _Source((*key, _MONTH[d.name]), amounts, active)))
    return found


_MONTH = {"sqlite": "substr(period, 1, 7) || '-01 00:00:00'", "postgresql": "date_trunc('month', period)"}


def _names(columns: Iterable[Column]) -> tuple[str, ...]:
    return tuple(c.name for c in columns)


# --- checking ---


def totals_findings(kernel: Kernel, tx: Transaction) -> list[Finding]:
    """One finding for every key whose totals are not the sum of its movements, a bounded number per table."""
    found: list[Finding] = []
    for register in kernel.configuration.accumulation_registers:
        sql = register_sql(kernel, register.full_name)
        sources = _sources(sql)
        results = tx.run([_comparison(sql, table, source) for table, source in sources])
        for (table, _), rows in zip(sources, results, strict=True):
            found += [_finding(sql, table, row) for row in rows[:FINDINGS_PER_TABLE]]
            if len(rows) > FINDINGS_PER_TABLE:
                found.append(_more(sql, table))
    return found


def _comparison(sql: RegisterSql, table: Table, source: _Source) -> Statement:
    """Key, kept totals, sums of movements, where they differ: both sides are summed as one list of signed rows."""
    d = sql.kernel.dialect
    key = tuple(f"k{i}" for i in range(len(source.keys)))
    numbers = range(len(source.amounts))
    kept = [d.quote(c.name) for c in sql.resources_of(table)]
    zeros = ["0"] * len(kept)
    stored = ", ".join([*(d.quote(k) for k in table.primary_key), *kept, *zeros])
    named = [f"{e} AS {n}" for e, n in zip(source.keys, key, strict=True)]
    named += [f"0 AS t{i}" for i in numbers] + [f"{a} AS m{i}" for i, a in zip(numbers, source.amounts, strict=True)]
    sums = [f"SUM(t{i})" for i in numbers] + [f"SUM(m{i})" for i in numbers]
    differ = " OR ".join(f"SUM(t{i}) <> SUM(m{i})" for i in numbers)
    group = f"GROUP BY {', '.join(key)} " if key else ""
    order = f"ORDER BY {', '.join(key)} " if key else ""
    return Statement(
        f"SELECT {', '.join((*key, *sums))} FROM (SELECT {', '.join(named)} FROM {d.quote(sql.layout.table.name)} WHERE {source.where} "
        f"UNION ALL SELECT {stored} FROM {d.quote(table.name)}) AS s {group}HAVING {differ} {order}LIMIT {FINDINGS_PER_TABLE + 1}"
    )


def _finding(sql: RegisterSql, table: Table, row: Sequence[object]) -> Finding:
    dimensions = RowCodec(sql.layout.dimensions, sql.kernel.dialect)
    width = len(dimensions.select_columns)
    key = {name: str(value) for name, value in dimensions.decode(row[:width]).items()}
    if len(table.primary_key) > width:
        key["Period"] = str(row[width])
    resources = sql.resources_of(table)
    values = row[len(table.primary_key) :]
    half = len(resources)
    per_resource = half // len(sql.layout.resources)
    shown = []
    for i, column in enumerate(resources):
        read = sql.resource_readers[i // per_resource]
        kept, summed = read(values[i]), read(values[half + i])
        if kept != summed:
            shown.append(f"{column.name}: {kept} <> {summed}")
    where = ", ".join(f"{n} = {v}" for n, v in key.items())
    label = sql.register.naming.label
    message = text(
        ru=f"{label('ru')}: итоги не равны сумме движений: {where}; {'; '.join(shown)}. Пересчитайте итоги.",
        en=f"{label('en')}: totals are not the sum of movements: {where}; {'; '.join(shown)}. Rebuild the totals.",
    )
    return Finding("error", "totals_mismatch", message, sql.full_name)


def _more(sql: RegisterSql, table: Table) -> Finding:
    label = sql.register.naming.label
    message = text(
        ru=f"{label('ru')}: итоги ({table.name}) не равны сумме движений и по другим ключам",
        en=f"{label('en')}: totals ({table.name}) are not the sum of movements for other keys too",
    )
    return Finding("error", "totals_mismatch", message, sql.full_name)
