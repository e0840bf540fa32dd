"""Registers, the writing side: records of a recorder with their totals, and independent information registers.

    work = write_work(kernel, recorder, old, new, checks, subject, present)
    results = tx.run(work.statements)          # alone or in the middle of a batch
    work.finish(results)                       # BalanceShortage, NumberOverflow: the caller rolls back

Posting into two registers costs two statements on PostgreSQL. Row locks are taken in one order everywhere: registers by name, the balance before
turnovers, keys sorted.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from infobase.balance_checks import CompiledCheck, Present, Shortage, compiled_check, demand
from infobase.errors import ObjectNotFound, RequiredFieldsEmpty
from infobase.i18n import language
from infobase.kernel import Kernel
from infobase.metadata.model import AccumulationRegister, BalanceCheck, Field, find_field
from infobase.metadata.types import Ref, Value, empty_value
from infobase.register_sql import Columns, Part, RegisterSql, register_sql
from infobase.schema.periods import period_start
from infobase.storage import Column, Row, Statement
from infobase.totals import check_size, deltas, rebuild_statements, sorted_rows, totals_findings
from infobase.values import Coercer, coercer_of_type

__all__ = [
    "Shortage",
    "Work",
    "delete_independent",
    "delete_where",
    "load_statements",
    "parse_records",
    "rebuild_statements",
    "totals_findings",
    "write_independent",
    "write_set",
    "write_work",
]

Record = dict[str, Value]


@dataclass(frozen=True, slots=True)
class Work:
    """Statements to run, and what must see the rows each of them returned."""

    statements: list[Statement]
    finish: Callable[[list[list[Row]]], None]


# --- records of a recorder ---


def load_statements(kernel: Kernel, recorder: Ref, names: Sequence[str]) -> list[Statement]:
    """One SELECT per register: the recorder's records. Run them after the document's row is locked."""
    ref = _recorder_key(kernel, recorder)
    return [Statement(register_sql(kernel, name).select_text, (ref,)) for name in names]


def parse_records(kernel: Kernel, names: Sequence[str], results: Sequence[Sequence[Row]]) -> dict[str, list[Record]]:
    """What `load_statements` brought: register -> records by line number, with every field."""
    return {
        name: [register_sql(kernel, name).codec.decode(row) for row in rows]
        for name, rows in zip(names, results, strict=True)
    }


def write_work(
    kernel: Kernel,
    recorder: Ref,
    old: Mapping[str, Sequence[Mapping[str, Value]]],
    new: Mapping[str, Sequence[Mapping[str, Value]]],
    checks: Sequence[BalanceCheck],
    subject: str,
    present: Present,
) -> Work:
    """Replace the recorder's records `old` by `new` (values as `posting.movements` gives them) and bring the totals along by the net change.

    Line numbers, recorder and activity are assigned here. `checks` are put to the new balance of every key that changed.
    `subject`: the document as people know it, `present`: text of a value; both only for messages.
    """
    parts: list[tuple[RegisterSql, Part]] = []
    ref = _recorder_key(kernel, recorder)
    for name in sorted({*old, *new}):
        before, after = old.get(name, ()), new.get(name, ())
        if before or after:
            sql = register_sql(kernel, name)
            parts += [(sql, part) for part in _register_parts(sql, recorder, ref, before, after)]
    compiled = [compiled_check(kernel, c) for c in checks] if parts else []

    def finish(results: list[list[Row]]) -> None:
        _finish(kernel, parts, results, compiled, subject, present)

    return Work([part.statement for _, part in parts], finish)


def _recorder_key(kernel: Kernel, recorder: Ref) -> object:
    write = kernel.dialect.writer(Column("recorder", "uuid"))
    return write(recorder.uuid) if write else recorder.uuid


def _register_parts(
    sql: RegisterSql,
    recorder: Ref,
    ref: object,
    before: Sequence[Mapping[str, Value]],
    after: Sequence[Mapping[str, Value]],
) -> Iterator[Part]:
    columns = _encode(sql, recorder, after) if after else []
    balance: list[tuple[object, ...]] = []
    turnovers: list[tuple[object, ...]] = []
    if sql.layout.turnovers is not None:
        counted = [record for record in before if record.get("Active", True)]
        changes = deltas(sql, (counted, sql.encode(counted) if counted else []), (after, columns))
        balance, turnovers = sorted_rows(changes.balance), sorted_rows(changes.turnovers)
        if len(before) + len(after) > sql.safe_rows:
            _check_sizes(sql, balance, turnovers)
    if before:
        yield Part(Statement(sql.delete_text, (ref,)))
    yield from sql.write_parts(columns, balance, turnovers)


def _encode(sql: RegisterSql, recorder: Ref, records: Sequence[Mapping[str, Value]]) -> Columns:
    count = len(records)
    lines = cast(Sequence[Value], range(1, count + 1))
    return sql.encode(records, {"Recorder": [recorder] * count, "LineNumber": lines, "Active": [True] * count})


def _check_sizes(sql: RegisterSql, balance: Sequence[Sequence[object]], turnovers: Sequence[Sequence[object]]) -> None:
    """A change too big for its column is refused before any engine sees it."""
    width = len(sql.key_positions)
    for row in balance:
        check_size(sql, row[width:], 1)
    for row in turnovers:
        check_size(sql, row[width + 1 :], 2 if sql.has_balance else 1)


def _finish(
    kernel: Kernel,
    parts: Sequence[tuple[RegisterSql, Part]],
    results: Sequence[Sequence[Row]],
    checks: Sequence[CompiledCheck],
    subject: str,
    present: Present,
) -> None:
    shortages: list[Shortage] = []
    for (sql, part), rows in zip(parts, results, strict=True):
        if part.returns_balance:
            for check in checks:
                if check.sql is sql:
                    shortages += check.shortages(rows, present)
    demand(kernel, shortages, subject)


# --- independent information registers ---


def write_independent(
    kernel: Kernel, register: str, records: Sequence[Mapping[str, object]], *, replace: bool = True
) -> list[Statement]:
    """Insert records; `replace`: over those with the same dimensions and period (of several given ones the last holds), otherwise such a
    record ends in NotUnique. Fields go by either name; missing ones are empty; the period is cut to the register's periodicity.
    ValueInvalid, NumberOverflow, RequiredFieldsEmpty, ObjectNotFound (no such field)."""
    sql = register_sql(kernel, register)
    if not records:
        return []
    columns = sql.encode([_complete(sql, record) for record in records])
    if not replace:
        return sql.insert(columns, replace=False)
    places = [sql.codec.columns.index(name) for name in sql.layout.table.primary_key]
    rows: list[tuple[Any, ...]] = list(zip(*columns, strict=True))
    unique = {tuple(row[i] for i in places): row for row in rows}
    # Sorted, so that two writers of the same keys cannot block each other.
    return sql.insert(list(zip(*[unique[key] for key in sorted(unique)], strict=True)), replace=True)


def delete_independent(kernel: Kernel, register: str, key: Mapping[str, object]) -> list[Statement]:
    """Delete the records with these values of dimensions and period; of some of them, or none, as well: then all that match."""
    sql = register_sql(kernel, register)
    d = kernel.dialect
    conditions: list[str] = []
    params: list[object] = []
    for name, value in _coerced(sql, key).items():
        at = next(i for i, f in enumerate(sql.codec.fields) if f.name == name)
        conditions += [f"{d.quote(c.name)} = {d.placeholder}" for c in sql.codec.fields[at].columns]
        params += sql.codec.codecs[at].write(value)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return [Statement(f"DELETE FROM {d.quote(sql.layout.table.name)}{where}", params)]


def delete_where(kernel: Kernel, register: str, keys: Sequence[Mapping[str, object]]) -> list[Statement]:
    """Delete the records of every one of these (partial) keys."""
    return [statement for key in keys for statement in delete_independent(kernel, register, key)]


def write_set(
    kernel: Kernel, register: str, filter: Mapping[str, object], records: Sequence[Mapping[str, object]]
) -> list[Statement]:
    """A record set as in 1C: what matches the filter is replaced by `records`, which take the filter's values."""
    filled = [{**_coerced(register_sql(kernel, register), record), **filter} for record in records]
    return [
        *delete_independent(kernel, register, filter),
        *write_independent(kernel, register, filled, replace=False),
    ]


def _complete(sql: RegisterSql, values: Mapping[str, object]) -> Record:
    empties = {f.name: empty_value(f.field.type) for f in sql.layout.fields}
    record = empties | _coerced(sql, values)
    missing = [f.field for f in sql.layout.fields if f.field.required and record[f.name] == empty_value(f.field.type)]
    if missing:
        raise required_empty(sql, missing)
    return record


def required_empty(sql: RegisterSql, fields: Sequence[Field]) -> RequiredFieldsEmpty:
    """The refusal of a record with empty required fields."""
    shown = ", ".join(f.naming.label(language()) for f in fields)
    return RequiredFieldsEmpty(object=sql.register.naming.label(language()), fields_listing=shown)


def _coerced(sql: RegisterSql, values: Mapping[str, object]) -> Record:
    record: Record = {}
    for identifier, value in values.items():
        name, coerce = _field(sql, identifier)
        record[name] = coerce(value)
    return record


def _field(sql: RegisterSql, identifier: str) -> tuple[str, Coercer]:
    """A register's field by either name: its English name and what makes its values storable."""
    key = ("register_field", sql.full_name, identifier)
    found = sql.kernel.cache.get(key)
    if found is None:
        field = find_field(sql.register.fields, identifier)
        if field is None:
            raise ObjectNotFound(object=f"{sql.full_name}.{identifier}")
        found = sql.kernel.cache[key] = (field.name, field_coercer(sql, field))
    return cast("tuple[str, Coercer]", found)


def field_coercer(sql: RegisterSql, field: Field) -> Coercer:
    """The field's coercer, whose errors name register and field; the Period of an information register is cut to its periodicity."""
    plain = coercer_of_type(sql.kernel.configuration, field.type, f"{sql.full_name}.{field.name}")
    register = sql.register
    if not field.standard or field.name != "Period" or isinstance(register, AccumulationRegister):
        return plain
    periodicity = register.periodicity
    return plain if periodicity == "Second" else lambda value: _cut(plain(value), periodicity)


def _cut(value: Value, periodicity: str) -> Value:
    return None if value is None else period_start(cast(dt.datetime, value), periodicity)
