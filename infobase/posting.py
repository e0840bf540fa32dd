"""Posting: a document's declared movements as data. Pure: reads values, writes nothing.

    movements(kernel, document, values, sections, dereference) -> {"AccumulationRegister.Stock": [record, ...], ...}

The declarations are compiled once per configuration version. Every value is made fit for the register's field: numbers rounded half up to its scale,
as 1C does on assignment, references and enumerations checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import cast

from infobase.kernel import Kernel
from infobase.metadata.expressions import Expression, compile_expression
from infobase.metadata.model import (
    RECEIPT,
    AccumulationRegister,
    BalanceCheck,
    Document,
    Field,
    RegisterRecords,
    find_field,
)
from infobase.metadata.types import NumberType, Ref, Value, empty_value
from infobase.register_sql import RegisterSql, register_sql
from infobase.registers import field_coercer, required_empty
from infobase.values import Coercer

Record = dict[str, Value]
Values = Mapping[str, Value]
Dereference = Callable[[Ref, str], Value]


def registers_of(document: Document) -> list[str]:
    """Full names of the registers this document declares movements in, sorted."""
    return sorted({records.register for records in document.register_records})


def movements(
    kernel: Kernel,
    document: Document,
    values: Values,
    sections: Mapping[str, Sequence[Values]],
    dereference: Dereference,
) -> dict[str, list[Record]]:
    """The records this document makes, per declared register ([] where none): Period, RecordType (balance registers), dimensions, resources,
    attributes by English name. Recorder, LineNumber and Active are given on writing.

    `values`, `sections`: the document's fields and rows by English name. `dereference(ref, field)`: a field of a referenced object.
    NumberOverflow, ValueInvalid, RequiredFieldsEmpty, ExpressionInvalid.
    """
    plan = _plan(kernel, document)
    made: dict[str, list[Record]] = {name: [] for name in plan.registers}
    for rule in plan.rules:
        made[rule.register].extend(rule.records(values, sections, dereference))
    return made


def active_checks(
    kernel: Kernel, document: Document, values: Values, dereference: Dereference
) -> tuple[BalanceCheck, ...]:
    """The balance checks whose `when` holds for these values."""
    plan = _plan(kernel, document)
    scope = {"doc": values}
    return tuple(check for check, when in plan.checks if when is None or when.evaluate(scope, dereference))


@dataclass(frozen=True, slots=True)
class _Assignment:
    """One field of a record: where its value comes from and what makes it fit."""

    name: str
    expression: Expression
    coerce: Coercer

    @property
    def reads_row(self) -> bool:
        return any(path[0] == "row" for path in self.expression.names())


@dataclass(frozen=True, slots=True)
class _Rule:
    """One `register_records` entry, compiled. `blank`: a record with everything constant in it; `once`: what is the same for every row,
    `per_row`: what is not. `resources`: those that must not all be zero (accumulation registers). `required`: with their empty values."""

    register: str
    each: str
    when: Expression | None
    blank: Record
    once: tuple[_Assignment, ...]
    per_row: tuple[_Assignment, ...]
    resources: tuple[str, ...]
    required: tuple[tuple[Field, Value], ...]
    sql: RegisterSql

    def records(
        self, doc: Values, sections: Mapping[str, Sequence[Values]], dereference: Dereference
    ) -> Iterator[Record]:
        rows: Sequence[Values] = sections.get(self.each, ()) if self.each else ({},)
        common: Record | None = None
        for row in rows:
            scope = {"doc": doc, "row": row}
            if self.when is not None and not self.when.evaluate(scope, dereference):
                continue
            if common is None:
                # Not before a row is wanted: `when` may guard what these expressions cannot bear.
                common = self.blank | {a.name: a.coerce(a.expression.evaluate(scope, dereference)) for a in self.once}
            record = common.copy()
            for a in self.per_row:
                record[a.name] = a.coerce(a.expression.run(scope, dereference))
            if not self.resources or any(record[r] for r in self.resources):
                self._demand_filled(record)
                yield record

    def _demand_filled(self, record: Record) -> None:
        missing = [f for f, empty in self.required if record[f.name] == empty]
        if missing:
            raise required_empty(self.sql, missing)


@dataclass(frozen=True, slots=True)
class _Plan:
    registers: tuple[str, ...]
    rules: tuple[_Rule, ...]
    checks: tuple[tuple[BalanceCheck, Expression | None], ...]


def _plan(kernel: Kernel, document: Document) -> _Plan:
    key = ("posting", document.full_name)
    found = kernel.cache.get(key)
    if found is None:
        rules = tuple(_rule(kernel, document, records) for records in document.register_records)
        checks = tuple((c, _optional(c.when)) for c in document.balance_checks)
        found = kernel.cache[key] = _Plan(tuple(registers_of(document)), rules, checks)
    return cast(_Plan, found)


def _optional(expression: str) -> Expression | None:
    return compile_expression(expression) if expression else None


def _rule(kernel: Kernel, document: Document, records: RegisterRecords) -> _Rule:
    sql = register_sql(kernel, records.register)
    given = {"Recorder", "LineNumber", "Active"}
    written = [f.field for f in sql.layout.fields if f.name not in given]
    blank: Record = {f.name: empty_value(f.type) for f in written}
    if "RecordType" in blank:
        blank["RecordType"] = records.record_type or RECEIPT
    expressions = {_field(sql, identifier).name: e for identifier, e in records.set.items()}
    if "Period" in blank:
        expressions.setdefault("Period", records.period or "doc.Date")
    assignments = tuple(
        _Assignment(f.name, compile_expression(expressions[f.name]), _coercer(sql, f))
        for f in written
        if f.name in expressions
    )
    accumulates = isinstance(sql.register, AccumulationRegister)
    return _Rule(
        register=records.register,
        each=_section(document, records.each),
        when=_optional(records.when),
        blank=blank,
        once=tuple(a for a in assignments if not a.reads_row),
        per_row=tuple(a for a in assignments if a.reads_row),
        resources=tuple(r.name for r in sql.layout.resources) if accumulates else (),
        required=tuple((f, empty_value(f.type)) for f in written if f.required and f.name != "Period"),
        sql=sql,
    )


def _field(sql: RegisterSql, identifier: str) -> Field:
    field = find_field(sql.register.fields, identifier)
    assert field is not None, "validated with the configuration"
    return field


def _section(document: Document, identifier: str) -> str:
    return next((s.name for s in document.tabular_sections if s.naming.answers_to(identifier)), "")


def _coercer(sql: RegisterSql, field: Field) -> Coercer:
    plain = field_coercer(sql, field)
    return _rounding(plain, field.type) if isinstance(field.type, NumberType) else plain


def _rounding(plain: Coercer, number: NumberType) -> Coercer:
    """Half up to the field's scale; whatever else may be wrong with a number the plain coercer says."""
    unit = Decimal(1).scaleb(-number.scale)
    limit = Decimal(10) ** (number.digits - number.scale)
    least = Decimal(0) if number.non_negative else -limit + unit

    def coerce(value: object) -> Value:
        if not isinstance(value, Decimal):
            return plain(value)
        try:
            rounded = value.quantize(unit, ROUND_HALF_UP)
            if least <= rounded < limit:
                return rounded
        except InvalidOperation:
            return plain(value)
        return plain(rounded)

    return coerce
