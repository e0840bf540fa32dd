"""The logical check of a base: references, owners, hierarchy, records and their documents, totals, numbers, search columns, configuration.

Reads only. Each fault is a `Finding` with a stable code; of many alike a few are named and the rest counted as "and more".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from infobase.errors import InfobaseError
from infobase.i18n import Bilingual, text
from infobase.kernel import Kernel
from infobase.metadata import canonical
from infobase.metadata.model import Catalog, Document, Enumeration
from infobase.metadata.types import CompositeType, EnumType, RefType, simple_types
from infobase.registers import totals_findings
from infobase.schema.convert import period_expression, stored_name
from infobase.schema.ddl import empty_literal
from infobase.schema.layout import NUMBER_PERIOD, FieldLayout, ObjectLayout
from infobase.schema.search import search_key
from infobase.storage import Column, Finding, Row, Statement, Table, Transaction

EXAMPLES = 5
STATEMENTS_AT_ONCE = 20


FixKind = Literal["none", "clear", "delete", "set", "renumber", "uncircle"]


@dataclass(frozen=True, slots=True)
class Fix:
    """What mends the rows a probe finds. "clear": `columns` become empty; "set": the column becomes `expression`; "renumber": lines of an object
    get numbers without gaps; "uncircle": one item of each circle becomes a root; "none": only a person can tell."""

    kind: FixKind = "none"
    columns: tuple[Column, ...] = ()
    expression: str = ""


_DELETE = Fix("delete")


@dataclass(frozen=True, slots=True)
class Reference:
    """A column of references to `target`; `role`: the name of its field."""

    column: Column
    target: str
    role: str


@dataclass(frozen=True, slots=True)
class Probe:
    """A SELECT whose rows are faults: the key of the faulty row. `where`: over `table` under the name t. `refers`: what leads to nothing,
    where the fault is a broken reference."""

    code: str
    place: str
    meaning: Bilingual
    statement: Statement
    table: Table
    where: str
    severity: str = "error"
    fix: Fix = Fix()
    refers: Reference | None = None

    @property
    def key(self) -> tuple[Column, ...]:
        return tuple(self.table.column(name) for name in self.table.primary_key)


@dataclass(frozen=True, slots=True)
class Held:
    """A table with the fields it holds."""

    place: str
    table: Table
    fields: tuple[FieldLayout, ...]


Progress = Callable[[str, int, int], None]


def check_infobase(kernel: Kernel, progress: Progress | None = None) -> list[Finding]:
    """The store's own integrity, then the logical check on one snapshot. Where a damaged store breaks the latter off, that is a finding too."""
    if progress is not None:
        progress(text(ru="Хранилище", en="Store"), 0, 0)
    found = kernel.engine.check()
    try:
        with kernel.engine.transaction(write=False) as tx:
            return found + check_base(kernel, tx, progress)
    except InfobaseError as error:
        if not any(f.severity == "error" for f in found):
            raise
        message = text(ru=f"логическая проверка прервана: {error}", en=f"the logical check broke off: {error}")
        return [*found, Finding("error", "check_incomplete", message, kernel.engine.place)]


def check_base(kernel: Kernel, tx: Transaction, progress: Progress | None = None) -> list[Finding]:
    """Every logical fault, in the order: configuration, rows, search columns, totals."""
    found = list(_configuration_findings(kernel, tx))
    probes = probes_of(kernel)
    for start in range(0, len(probes), STATEMENTS_AT_ONCE):
        part = probes[start : start + STATEMENTS_AT_ONCE]
        results = tx.run([p.statement for p in part])
        found += [_finding(kernel, p, rows) for p, rows in zip(part, results, strict=True) if rows]
        if progress is not None:
            progress(text(ru="Строки", en="Rows"), start + len(part), len(probes))
    found += _predefined_findings(kernel, tx)
    found += _search_findings(kernel, tx)
    return found + totals_findings(kernel, tx)


def _finding(kernel: Kernel, probe: Probe, rows: Sequence[Row]) -> Finding:
    readers = [kernel.dialect.reader(c) for c in probe.key]
    named = []
    for row in rows[:EXAMPLES]:
        named.append(" ".join(str(r(v) if r else v) for r, v in zip(readers, row, strict=True)))
    more = text(ru=" и другие", en=" and more") if len(rows) > EXAMPLES else ""
    return Finding(probe.severity, probe.code, f"{probe.meaning}: {', '.join(named)}{more}", probe.place)


def held_tables(kernel: Kernel) -> Iterator[Held]:
    """Every table with business data."""
    layout = kernel.layout
    yield Held("Constants", layout.constants_table, layout.constants)
    for name, o in layout.objects.items():
        yield Held(name, o.table, o.fields)
        for section in o.sections.values():
            yield Held(f"{name}.{section.name}", section.table, section.fields)
    for name, r in layout.registers.items():
        yield Held(name, r.table, r.fields)


def probes_of(kernel: Kernel) -> list[Probe]:
    """Every question asked of the rows. Rows to be deleted come first: what they refer to need not be mended."""
    return sorted(_probes(kernel), key=lambda p: p.fix.kind != "delete")


def _probes(kernel: Kernel) -> Iterator[Probe]:
    maker = _Maker(kernel)
    for held in held_tables(kernel):
        for field in held.fields:
            yield from maker.values(held, field)
    for name, o in kernel.layout.objects.items():
        yield from maker.sections(name, o)
        meta = kernel.configuration.objects[name]
        if isinstance(meta, Catalog):
            yield from maker.hierarchy(meta, o)
        if isinstance(meta, Document):
            yield maker.numbering(meta, o)
            yield from maker.records(meta, o)


class _Maker:
    """Builds the probes of one base."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._dialect = kernel.dialect
        self._q = kernel.dialect.quote

    def _probe(
        self,
        code: str,
        place: str,
        meaning: Bilingual,
        table: Table,
        where: str,
        *,
        severity: str = "error",
        fix: Fix = Fix(),  # noqa: B008 - frozen
        refers: Reference | None = None,
    ) -> Probe:
        columns = ", ".join(f"t.{self._q(name)}" for name in table.primary_key) or "1"
        sql = f"SELECT {columns} FROM {self._q(table.name)} AS t WHERE {where} LIMIT {EXAMPLES + 1}"
        return Probe(code, place, meaning, Statement(sql), table, where, severity, fix, refers)

    def _emptying(self, held: Held, field: FieldLayout) -> Fix:
        """A value that means nothing becomes empty; a row it is the key of, and a record without its document, goes."""
        if field.field.standard and field.name == "Owner":
            return Fix()
        if field.name == "Recorder" or any(c.name in held.table.primary_key for c in field.columns):
            return _DELETE
        return Fix("clear", field.columns)

    # --- values of fields ---

    def values(self, held: Held, field: FieldLayout) -> Iterator[Probe]:
        if field.field.standard and field.name == "Ref":
            return
        place = f"{held.place}.{field.name}"
        composite = isinstance(field.field.type, CompositeType)
        if composite:
            yield self._types(held, field, place)
        for simple in simple_types(field.field.type):
            guard = f"t.{self._q(field.columns[0].name)} = '{stored_name(simple)}' AND " if composite else ""
            if isinstance(simple, RefType):
                column = field.column if composite else field.columns[0]
                yield self._references(held, field, column, simple.target, place, guard)
            elif isinstance(simple, EnumType):
                yield self._enumerated(held, field, simple.target, place, guard)

    def _types(self, held: Held, field: FieldLayout, place: str) -> Probe:
        names = ", ".join(f"'{stored_name(t)}'" for t in simple_types(field.field.type))
        meaning = Bilingual("значение недопустимого типа", "a value of a type that is not allowed")
        where = f"t.{self._q(field.columns[0].name)} NOT IN ('', {names})"
        return self._probe("type_unknown", place, meaning, held.table, where, fix=self._emptying(held, field))

    def _references(self, held: Held, field: FieldLayout, column: Column, target: str, place: str, guard: str) -> Probe:
        table = self._kernel.layout.objects[target].table
        name = f"t.{self._q(column.name)}"
        filled = guard or f"{name} <> {empty_literal(column, self._dialect)} AND "
        where = f"{filled}NOT EXISTS (SELECT 1 FROM {self._q(table.name)} AS x WHERE x.{self._q('ref')} = {name})"
        meaning = Bilingual(f"ссылка на несуществующий объект {target}", f"reference to a missing {target}")
        refers = Reference(column, target, field.name)
        return self._probe(
            "reference_broken", place, meaning, held.table, where, fix=self._emptying(held, field), refers=refers
        )

    def _enumerated(self, held: Held, field: FieldLayout, target: str, place: str, guard: str) -> Probe:
        enumeration = self._kernel.configuration.objects[target]
        assert isinstance(enumeration, Enumeration)
        names = ", ".join(["''", *(f"'{v.name}'" for v in enumeration.values)])
        column = next(c for c in field.columns if c.name.endswith("__string")) if guard else field.columns[0]
        where = f"{guard}t.{self._q(column.name)} NOT IN ({names})"
        meaning = Bilingual(f"неизвестное значение {target}", f"unknown value of {target}")
        return self._probe("enumeration_unknown", place, meaning, held.table, where, fix=self._emptying(held, field))

    # --- objects ---

    def sections(self, name: str, o: ObjectLayout) -> Iterator[Probe]:
        owner = self._q(o.table.name)
        for section in o.sections.values():
            place = f"{name}.{section.name}"
            orphan = f"NOT EXISTS (SELECT 1 FROM {owner} AS x WHERE x.{self._q('ref')} = t.{self._q('ref')})"
            meaning = Bilingual("строки без своего объекта", "rows without their object")
            yield self._probe("rows_orphaned", place, meaning, section.table, orphan, fix=_DELETE)
            gap = (
                f"t.{self._q('line_number')} <> 1 AND NOT EXISTS (SELECT 1 FROM {self._q(section.table.name)} AS x WHERE "
                f"x.{self._q('ref')} = t.{self._q('ref')} AND x.{self._q('line_number')} = t.{self._q('line_number')} - 1)"
            )
            meaning = Bilingual("номера строк не подряд", "line numbers are not consecutive")
            yield self._probe(
                "line_numbers", place, meaning, section.table, gap, severity="warning", fix=Fix("renumber")
            )

    def hierarchy(self, meta: Catalog, o: ObjectLayout) -> Iterator[Probe]:
        owner, parent = o.field("Owner"), o.field("Parent")
        if owner is not None:
            column = owner.columns[0]
            empty = f"t.{self._q(column.name)} = {empty_literal(column, self._dialect)}"
            items = f"{empty} AND NOT t.{self._q('is_folder')}" if o.field("IsFolder") else empty
            meaning = Bilingual("не указан владелец", "no owner")
            yield self._probe("owner_empty", meta.full_name, meaning, o.table, items)
        if parent is None:
            return
        table, ref, up = self._q(o.table.name), self._q("ref"), self._q(parent.column.name)
        empty_ref = empty_literal(parent.column, self._dialect)
        if o.field("IsFolder") is not None:
            where = f"EXISTS (SELECT 1 FROM {table} AS x WHERE x.{ref} = t.{up} AND NOT x.{self._q('is_folder')})"
            meaning = Bilingual("родитель - не группа", "the parent is not a folder")
            fix = Fix("clear", (parent.column,))
            yield self._probe("parent_not_folder", meta.full_name, meaning, o.table, where, fix=fix)
        rooted = (
            f"WITH RECURSIVE rooted({ref}) AS (SELECT a.{ref} FROM {table} AS a WHERE a.{up} = {empty_ref} OR NOT EXISTS "
            f"(SELECT 1 FROM {table} AS b WHERE b.{ref} = a.{up}) UNION ALL SELECT c.{ref} FROM {table} AS c "
            f"JOIN rooted AS r ON c.{up} = r.{ref} WHERE c.{up} <> {empty_ref}) SELECT {ref} FROM rooted"
        )
        meaning = Bilingual("иерархия замкнута в кольцо", "the hierarchy runs in a circle")
        fix = Fix("uncircle", (parent.column,))
        yield self._probe("hierarchy_cycle", meta.full_name, meaning, o.table, f"t.{ref} NOT IN ({rooted})", fix=fix)

    def numbering(self, meta: Document, o: ObjectLayout) -> Probe:
        date = o.field("Date")
        assert date is not None
        expected = period_expression(f"t.{self._q(date.column.name)}", meta.number.periodicity, self._dialect)
        meaning = Bilingual("период нумерации не соответствует дате", "the numbering period does not match the date")
        fix = Fix("set", (o.table.column(NUMBER_PERIOD),), expected)
        where = f"t.{self._q(NUMBER_PERIOD)} <> {expected}"
        return self._probe("number_period", meta.full_name, meaning, o.table, where, fix=fix)

    def records(self, meta: Document, o: ObjectLayout) -> Iterator[Probe]:
        """Records in registers of documents that are not posted; those of documents that are gone are broken references."""
        for name, register in self._kernel.layout.registers.items():
            recorder = register.field("Recorder")
            if recorder is None or not any(t == RefType(meta.full_name) for t in simple_types(recorder.field.type)):
                continue
            kind, ref = (f"t.{self._q(c.name)}" for c in recorder.columns[:2])
            where = (
                f"{kind} = '{meta.full_name}' AND EXISTS (SELECT 1 FROM {self._q(o.table.name)} AS x "
                f"WHERE x.{self._q('ref')} = {ref} AND NOT x.{self._q('posted')})"
            )
            meaning = Bilingual(f"движения непроведённых {meta.full_name}", f"records of {meta.full_name} not posted")
            yield self._probe("records_of_unposted", name, meaning, register.table, where, fix=_DELETE)


# --- what SQL alone cannot say ---


def _configuration_findings(kernel: Kernel, tx: Transaction) -> Iterator[Finding]:
    stored, constants = tx.run(
        [
            Statement("SELECT content, digest FROM sys_configuration WHERE row_key = 0"),
            Statement("SELECT COUNT(*) FROM constants"),
        ]
    )
    expected = canonical.digest(kernel.configuration)
    if (
        len(stored) != 1
        or stored[0][1] != expected
        or bytes(_buffer(stored[0][0])) != canonical.to_json(kernel.configuration)
    ):
        message = text(
            ru="сохранённая конфигурация не соответствует дайджесту",
            en="the stored configuration disagrees with its digest",
        )
        yield Finding("error", "configuration_digest", message, "sys_configuration")
    if constants[0][0] != 1:
        message = text(ru="строка констант должна быть одна", en="there must be one row of constants")
        yield Finding("error", "constants_row", message, "Constants")


def _buffer(value: object) -> bytes | memoryview:
    return value if isinstance(value, bytes | memoryview) else b""


def _predefined_findings(kernel: Kernel, tx: Transaction) -> Iterator[Finding]:
    q = kernel.dialect.quote
    for catalog in kernel.configuration.catalogs:
        o = kernel.layout.objects[catalog.full_name]
        layout = o.field("PredefinedDataName")
        if not catalog.predefined or layout is None:
            continue
        name = q(layout.column.name)
        (rows,) = tx.run(
            [Statement(f"SELECT {name}, COUNT(*) FROM {q(o.table.name)} WHERE {name} <> '' GROUP BY {name}")]
        )
        counts = {str(row[0]): row[1] for row in rows}
        wrong = [item.name for item in catalog.predefined if counts.get(item.name, 0) != 1]
        if wrong:
            message = text(
                ru="предопределённые элементы отсутствуют или повторяются", en="predefined items missing or repeated"
            )
            yield Finding("error", "predefined", f"{message}: {', '.join(wrong[:EXAMPLES])}", catalog.full_name)


def _search_findings(kernel: Kernel, tx: Transaction) -> Iterator[Finding]:
    q = kernel.dialect.quote
    for held in held_tables(kernel):
        for field in held.fields:
            if field.search is None:
                continue
            columns = kernel.dialect.columns([field.columns[0].name, field.search.name])
            rows = tx.stream(Statement(f"SELECT {columns} FROM {q(held.table.name)}"))
            wrong = [str(value) for value, key in islice(_mismatches(rows), EXAMPLES)]
            if wrong:
                message = text(
                    ru="колонка поиска не соответствует тексту", en="the search column does not match the text"
                )
                yield Finding("error", "search_column", f"{message}: {', '.join(wrong)}", f"{held.place}.{field.name}")


def _mismatches(rows: Iterator[Row]) -> Iterator[Row]:
    return (row for row in rows if search_key(str(row[0])) != row[1])
