"""What a query can read: objects, tabular sections, registers and virtual tables, each as a list of fields over columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import cast

from infobase.kernel import Kernel
from infobase.metadata.model import KINDS, AccumulationRegister, Field, InformationRegister, Naming
from infobase.metadata.types import NumberType, RefType
from infobase.query_names import FIGURES, VIRTUAL_TABLES, invalid, unknown, word
from infobase.schema.layout import TOTAL_DIGITS, FieldLayout, RegisterLayout
from infobase.schema.naming import fit
from infobase.storage import Column, Table

OBJECT, SECTION, REGISTER = "object", "section", "register"
"""Varieties of stored sources; those of virtual ones are the names of the virtual tables."""
SLICES = ("SliceLast", "SliceFirst")


@dataclass(frozen=True, eq=False)
class Source:
    """`name`: canonical full name. `object`: the full name of the object whose rights apply. `table`: the stored rows (of a virtual
    table: the register's records). `key`: columns that tell rows apart, the end of every order (of virtual tables: see `virtual_key`).
    `periodicity`: of Turnovers."""

    name: str
    object: str
    variety: str
    fields: tuple[FieldLayout, ...]
    table: Table
    key: tuple[Column, ...]
    register: RegisterLayout | None = None
    periodicity: str = ""
    by_name: dict[str, FieldLayout] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for f in self.fields:
            for name in (f.field.naming.ru, f.field.naming.name):
                self.by_name[name.casefold()] = f

    @property
    def virtual(self) -> bool:
        return self.variety not in (OBJECT, SECTION, REGISTER)

    @property
    def names(self) -> Iterator[str]:
        for f in self.fields:
            yield f.field.naming.name
            yield f.field.naming.ru


def resolve_source(kernel: Kernel, name: object, periodicity: str = "") -> Source:
    """The source called `name` in either language. QueryInvalid names the nearest ones."""
    if not isinstance(name, str):
        raise invalid("источник должен быть строкой", "the source must be a string")
    cache_key = ("query source", name.casefold(), periodicity)
    found = kernel.cache.get(cache_key)
    if found is None:
        found = _resolve(kernel, name, periodicity)
        kernel.cache[cache_key] = found
    return cast(Source, found)


def _resolve(kernel: Kernel, name: str, periodicity: str) -> Source:
    parts = name.split(".")
    head, tail = ".".join(parts[:2]), parts[2:]
    o = kernel.configuration.find(head)
    full_name = o.full_name if o is not None else ""
    if len(tail) > 1 or not (full_name in kernel.layout.objects or full_name in kernel.layout.registers):
        raise unknown("источника", "source", name, _source_names(kernel))
    if full_name in kernel.layout.registers:
        return _register(kernel, full_name, tail[0], periodicity) if tail else _records(kernel, full_name)
    return _section(kernel, full_name, tail[0]) if tail else _object(kernel, full_name)


def _source_names(kernel: Kernel) -> Iterator[str]:
    for full_name in (*kernel.layout.objects, *kernel.layout.registers):
        o = kernel.configuration.objects[full_name]
        yield full_name
        yield f"{KINDS[o.kind].ru}.{o.naming.ru}"


def _columns(table: Table, names: Iterable[str]) -> tuple[Column, ...]:
    return tuple(table.column(n) for n in names)


def _object(kernel: Kernel, full_name: str) -> Source:
    o = kernel.layout.objects[full_name]
    return Source(full_name, full_name, OBJECT, o.fields, o.table, _columns(o.table, o.table.primary_key))


def _section(kernel: Kernel, full_name: str, identifier: str) -> Source:
    o = kernel.layout.objects[full_name]
    meta = kernel.configuration.objects[full_name]
    sections = meta.tabular_sections  # type: ignore[union-attr]
    found = next((s for s in sections if s.naming.answers_to(identifier)), None)
    if found is None:
        known = [n for s in sections for n in (s.naming.name, s.naming.ru)]
        raise unknown(f"табличной части в {full_name}", f"tabular section of {full_name}", identifier, known)
    section = o.sections[found.name]
    ref = FieldLayout(Field(Naming("Ref", "Ссылка"), RefType(full_name), standard=True), (section.table.column("ref"),))
    key = _columns(section.table, section.table.primary_key)
    return Source(f"{full_name}.{found.name}", full_name, SECTION, (ref, *section.fields), section.table, key)


def _records(kernel: Kernel, full_name: str) -> Source:
    register = kernel.layout.registers[full_name]
    key = _columns(register.table, register.table.primary_key)
    return Source(full_name, full_name, REGISTER, register.fields, register.table, key, register)


def _register(kernel: Kernel, full_name: str, identifier: str, periodicity: str) -> Source:
    variety = word(VIRTUAL_TABLES, identifier, f"виртуальной таблицы у {full_name}", f"virtual table of {full_name}")
    meta = kernel.configuration.objects[full_name]
    register = kernel.layout.registers[full_name]
    if isinstance(meta, InformationRegister):
        possible: tuple[str, ...] = SLICES if meta.periodicity else ()
    else:
        assert isinstance(meta, AccumulationRegister)
        possible = ("Balance", "Turnovers", "BalanceAndTurnovers") if meta.has_balance else ("Turnovers",)
    if variety not in possible:
        listing = ", ".join(possible) or "-"
        raise invalid(
            f"у {full_name} нет виртуальной таблицы {variety}; есть: {listing}",
            f"{full_name} has no virtual table {variety}; it has: {listing}",
        )
    fields = register.fields if variety in SLICES else tuple(_virtual_fields(meta, register, variety, periodicity))
    name = f"{full_name}.{variety}"
    return Source(name, full_name, variety, fields, register.table, (), register, periodicity)


def figures_of(variety: str, has_balance: bool) -> tuple[str, ...]:
    """Which figures a virtual table has for each resource."""
    if variety == "Balance":
        return ("Balance",)
    if variety == "Turnovers":
        return ("Turnover", "Receipt", "Expense") if has_balance else ("Turnover",)
    return ("OpeningBalance", "Receipt", "Expense", "Turnover", "ClosingBalance")


def figure_column(resource: FieldLayout, figure: str) -> Column:
    """The column of a virtual table that holds one figure of a resource."""
    name = fit(f"{resource.column.name}__{figure.lower()}")
    return Column(name, "decimal", TOTAL_DIGITS, resource.column.scale)


def _virtual_fields(
    meta: InformationRegister | AccumulationRegister, register: RegisterLayout, variety: str, periodicity: str
) -> Iterator[FieldLayout]:
    yield from _time_fields(register, periodicity if variety == "Turnovers" else "")
    yield from register.dimensions
    has_balance = isinstance(meta, AccumulationRegister) and meta.has_balance
    for resource in register.resources:
        naming = resource.field.naming
        for figure in figures_of(variety, has_balance):
            english, russian = FIGURES[figure]
            column = figure_column(resource, figure)
            made = Field(Naming(naming.name + english, naming.ru + russian), NumberType(TOTAL_DIGITS, column.scale))
            yield FieldLayout(made, (column,))


def _time_fields(register: RegisterLayout, periodicity: str) -> Iterator[FieldLayout]:
    wanted: dict[str, tuple[str, ...]] = {
        "": (),
        "Recorder": ("Period", "Recorder"),
        "Record": ("Period", "Recorder", "LineNumber"),
    }
    for name in wanted.get(periodicity, ("Period",)):
        found = register.field(name)
        assert found is not None
        yield found
