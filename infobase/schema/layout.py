"""Configuration -> tables, engine-neutral: which table and columns hold each object, section, register, and the platform's own tables.

    layout = build_layout(configuration)
    layout.objects["Document.SalesOrder"].table.name              -> "doc_sales_order"
    layout.objects["Document.SalesOrder"].sections["Goods"].table  -> doc_sales_order__goods
    layout.registers["AccumulationRegister.Stock"].balance.name    -> "acc_stock__balance"

Names are deterministic: the same configuration gives the same names in every base.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from infobase.metadata.model import (
    AccumulationRegister,
    Catalog,
    Configuration,
    Document,
    Field,
    InformationRegister,
    find_field,
)
from infobase.metadata.types import (
    BooleanType,
    CompositeType,
    DateType,
    EnumType,
    NumberType,
    RefType,
    SimpleType,
    StringType,
    UUIDType,
    ValueStorageType,
    simple_types,
)
from infobase.schema.naming import Names, fit, snake
from infobase.storage import Column, Index, Table

TYPE_SUFFIX = "__type"
SEARCH_SUFFIX = "__search"
NUMBER_PERIOD = "number__period"
"""Begin of the numbering period of a document, so that (period, number) is unique."""
TOTAL_DIGITS = 18


@dataclass(frozen=True, slots=True)
class FieldLayout:
    """Where a field lives. One column for simple types; for composites the `__type` column first, then one per family.
    `search`: the derived companion column, if the field is searchable text."""

    field: Field
    columns: tuple[Column, ...]
    search: Column | None = None

    @property
    def name(self) -> str:
        return self.field.name

    @property
    def column(self) -> Column:
        """The only column of a simple field; for composites of references, the uuid column."""
        return self.columns[0] if len(self.columns) == 1 else self.columns[1]


@dataclass(frozen=True)
class SectionLayout:
    """A tabular section: `ref` (the owner), `line_number`, then the attributes. Primary key (ref, line_number)."""

    name: str
    table: Table
    fields: tuple[FieldLayout, ...]


@dataclass(frozen=True)
class ObjectLayout:
    """A catalog or document. `fields` in the order of the table's columns, standard ones first."""

    full_name: str
    table: Table
    fields: tuple[FieldLayout, ...]
    sections: dict[str, SectionLayout]

    def field(self, identifier: str) -> FieldLayout | None:
        return _find(self.fields, identifier)


@dataclass(frozen=True)
class RegisterLayout:
    """A register. `table` holds the records. Accumulation registers have `turnovers` (monthly totals: dimensions, `period` = first day of
    the month, resources; for balance registers each resource twice, `<r>__receipt` and `<r>__expense`), and `balance` registers also
    `balance` (the current balance: dimensions, resources). Totals tables are derived."""

    full_name: str
    table: Table
    fields: tuple[FieldLayout, ...]
    dimensions: tuple[FieldLayout, ...]
    resources: tuple[FieldLayout, ...]
    attributes: tuple[FieldLayout, ...]
    balance: Table | None = None
    turnovers: Table | None = None

    def field(self, identifier: str) -> FieldLayout | None:
        return _find(self.fields, identifier)

    @property
    def dimension_columns(self) -> tuple[Column, ...]:
        return tuple(c for d in self.dimensions for c in d.columns)


def _find(fields: tuple[FieldLayout, ...], identifier: str) -> FieldLayout | None:
    found = find_field(tuple(f.field for f in fields), identifier)
    return next((f for f in fields if f.field is found), None) if found else None


@dataclass(frozen=True)
class Layout:
    objects: dict[str, ObjectLayout]
    registers: dict[str, RegisterLayout]
    constants: tuple[FieldLayout, ...]
    constants_table: Table
    system: dict[str, Table]

    @cached_property
    def tables(self) -> tuple[Table, ...]:
        """Every table of the base, system ones first."""
        return (*self.system.values(), self.constants_table, *self._configured())

    @cached_property
    def dumped(self) -> tuple[Table, ...]:
        """Tables whose rows travel in dumps and enter the content digest, by name."""
        kept = [t for t in self.tables if not t.derived and t.name not in NOT_DUMPED]
        return tuple(sorted(kept, key=lambda t: t.name))

    def _configured(self) -> Iterator[Table]:
        for o in self.objects.values():
            yield o.table
            yield from (s.table for s in o.sections.values())
        for r in self.registers.values():
            yield r.table
            if r.balance is not None:
                yield r.balance
            if r.turnovers is not None:
                yield r.turnovers


def _text(name: str, derived: bool = False) -> Column:
    return Column(name, "text", derived=derived)


SYSTEM_TABLES = {
    t.name: t
    for t in (
        # Identity of this very base (id, name, store format, created): not part of the content.
        Table("sys_infobase", (_text("key"), _text("value")), ("key",)),
        # One row: the configuration in canonical JSON. Travels as configuration.json.
        Table(
            "sys_configuration",
            (Column("row_key", "int"), Column("content", "binary"), _text("digest"), _text("version")),
            ("row_key",),
        ),
        # Settings of the base as content: period lock, number prefix ...
        Table("sys_settings", (_text("key"), _text("value")), ("key",)),
        Table(
            "sys_users",
            (
                Column("id", "uuid"),
                _text("name"),
                _text("name__search"),
                _text("full_name"),
                _text("password_hash"),
                _text("roles"),  # JSON list of role names
                Column("enabled", "bool"),
            ),
            ("id",),
            (Index("ux_sys_users__name", ("name__search",), unique=True),),
        ),
        # The last number given per object, prefix and period.
        Table(
            "sys_numbers",
            (_text("object"), _text("prefix"), Column("period", "timestamp"), Column("last", "int")),
            ("object", "prefix", "period"),
        ),
        # What classifier is loaded: version date, source file, its SHA-256, counts (JSON), when and by whom.
        Table(
            "sys_classifiers",
            (
                _text("kind"),
                _text("version_date"),
                _text("source"),
                _text("sha256"),
                _text("counts"),
                Column("loaded_at", "timestamp"),
                _text("loaded_by"),
            ),
            ("kind",),
        ),
        # Scheduled jobs of this very base: what runs how often, and who runs it now. UTC.
        Table(
            "sys_jobs",
            (
                _text("name"),
                _text("kind"),
                _text("parameters"),  # JSON object
                Column("every", "int"),  # seconds
                Column("enabled", "bool"),
                Column("next_run", "timestamp"),
                Column("last_start", "timestamp"),
                Column("runner", "uuid"),  # id of the session that runs it, empty when none does
                _text("created_by"),
            ),
            ("name",),
        ),
        # What their runs came to. UTC.
        Table(
            "sys_job_runs",
            (
                Column("id", "uuid"),
                _text("job"),
                _text("kind"),
                Column("started", "timestamp"),
                Column("finished", "timestamp"),
                _text("outcome"),
                _text("message"),
                _text("runner"),
            ),
            ("id",),
            (Index("ix_sys_job_runs__job_started", ("job", "started")),),
        ),
    )
}
JOB_TABLES = ("sys_jobs", "sys_job_runs")
"""Made on first need in bases that were created before there were jobs."""
NOT_DUMPED = frozenset({"sys_infobase", "sys_configuration", *JOB_TABLES})
CONSTANTS_TABLE = "constants"

_COMPOSITE_FAMILIES: tuple[tuple[type, str], ...] = (
    (RefType, ""),
    (StringType, "__string"),
    (EnumType, "__string"),
    (NumberType, "__number"),
    (DateType, "__date"),
    (BooleanType, "__boolean"),
    (UUIDType, "__uuid"),
)


def column_of(name: str, value_type: SimpleType) -> Column:
    """The single column of a simple type."""
    match value_type:
        case StringType() | EnumType():
            return Column(name, "text")
        case NumberType(digits, scale):
            return Column(name, "decimal", digits, scale)
        case DateType():
            return Column(name, "timestamp")
        case BooleanType():
            return Column(name, "bool")
        case UUIDType() | RefType():
            return Column(name, "uuid")
        case ValueStorageType():
            return Column(name, "binary")


def columns_of(name: str, field: Field) -> tuple[Column, ...]:
    """All columns of a field: `name`, or `name__type` and one column per family of the composite."""
    if not isinstance(field.type, CompositeType):
        return (column_of(name, field.type),)
    made: dict[str, Column] = {}
    for family, suffix in _COMPOSITE_FAMILIES:
        for simple in simple_types(field.type):
            if isinstance(simple, family) and name + suffix not in made:
                made[name + suffix] = column_of(name + suffix, simple)
    return (_text(name + TYPE_SUFFIX), *made.values())


def _is_counter(field: Field) -> bool:
    return field.standard and field.name in ("LineNumber", "DataVersion")


def lay_fields(fields: tuple[Field, ...], names: Names) -> tuple[FieldLayout, ...]:
    laid = []
    for field in fields:
        name = names.give(snake(field.name), field.name)
        columns = (Column(name, "int"),) if _is_counter(field) else columns_of(name, field)
        search = _text(fit(name + SEARCH_SUFFIX), derived=True) if _has_search(field) else None
        laid.append(FieldLayout(field, columns, search))
    return tuple(laid)


def _has_search(field: Field) -> bool:
    return field.searchable and isinstance(field.type, StringType)


def table_columns(fields: tuple[FieldLayout, ...]) -> tuple[Column, ...]:
    """Columns of the fields in order; each search companion right after its column."""
    made: list[Column] = []
    for f in fields:
        made += f.columns
        if f.search is not None:
            made.append(f.search)
    return tuple(made)


def _index(table: str, columns: tuple[str, ...], unique: bool = False) -> Index:
    head = "ux" if unique else "ix"
    return Index(fit(f"{head}_{table}__{'_'.join(columns)}"), columns, unique)


def _reference_indexes(table: str, fields: tuple[FieldLayout, ...], order: tuple[str, ...]) -> list[Index]:
    """Indexes for references (filters, reference control) and for fields that ask for one."""
    made = []
    for f in fields:
        refers = any(isinstance(t, RefType) for t in simple_types(f.field.type)) and f.name != "Ref"
        if refers or f.field.indexed:
            tail = order if f.field.indexed == "index_with_order" else ()
            made.append(_index(table, (f.column.name, *tail)))
    return made


def _lay_sections(base: str, o: Catalog | Document, tables: Names) -> dict[str, SectionLayout]:
    sections = {}
    for section in o.tabular_sections:
        name = tables.give(f"{base}__{snake(section.name)}", f"{o.full_name}.{section.name}")
        names = Names({"ref"})
        fields = lay_fields(section.fields, names)
        columns = (Column("ref", "uuid"), *table_columns(fields))
        table = Table(name, columns, ("ref", "line_number"), tuple(_reference_indexes(name, fields[1:], ())))
        sections[section.name] = SectionLayout(section.name, table, fields)
    return sections


def _lay_catalog(o: Catalog, tables: Names) -> ObjectLayout:
    name = tables.give(f"cat_{snake(o.name)}", o.full_name)
    fields = lay_fields(o.fields, Names())
    by_name = {f.name: f for f in fields}
    indexes = [i for i in _reference_indexes(name, fields, ("ref",)) if i.columns not in (("code",), ("description",))]
    if "Code" in by_name:
        owner = by_name["Owner"].column.name if o.code.series == "WithinOwner" and o.owners else ""
        indexes.append(_index(name, (owner, "code") if owner else ("code",), unique=o.code.unique))
    search = by_name["Description"].search
    if search is not None:
        indexes.append(_index(name, (search.name, "ref")))
    table = Table(name, table_columns(fields), ("ref",), tuple(indexes))
    return ObjectLayout(o.full_name, table, fields, _lay_sections(name, o, tables))


def _lay_document(o: Document, tables: Names) -> ObjectLayout:
    name = tables.give(f"doc_{snake(o.name)}", o.full_name)
    fields = lay_fields(o.fields, Names({NUMBER_PERIOD}))
    indexes = [i for i in _reference_indexes(name, fields, ("ref",)) if i.columns not in (("number",), ("date",))]
    indexes.append(_index(name, ("date", "ref")))
    if o.number.length:
        indexes.append(_index(name, (NUMBER_PERIOD, "number"), unique=o.number.unique))
    columns = (*table_columns(fields), Column(NUMBER_PERIOD, "timestamp", derived=True))
    table = Table(name, columns, ("ref",), tuple(indexes))
    return ObjectLayout(o.full_name, table, fields, _lay_sections(name, o, tables))


def _lay_information_register(o: InformationRegister, tables: Names) -> RegisterLayout:
    name = tables.give(f"inf_{snake(o.name)}", o.full_name)
    fields = lay_fields(o.fields, Names())
    dimensions = _part(fields, o.dimensions)
    key = tuple(c.name for d in dimensions for c in d.columns) + (("period",) if o.periodicity else ())
    indexes = [_index(name, ("period",))] if o.periodicity and dimensions else []
    if o.subordinate:
        indexes.append(_index(name, key, unique=True))
        key = ("recorder", "line_number")
    indexes += [i for i in _reference_indexes(name, _declared(fields), key) if i.columns[0] != key[0]]
    table = Table(name, table_columns(fields), key, tuple(indexes))
    return RegisterLayout(
        o.full_name, table, fields, dimensions, _part(fields, o.resources), _part(fields, o.attributes)
    )


def _lay_accumulation_register(o: AccumulationRegister, tables: Names) -> RegisterLayout:
    name = tables.give(f"acc_{snake(o.name)}", o.full_name)
    fields = lay_fields(o.fields, Names())
    dimensions, resources = _part(fields, o.dimensions), _part(fields, o.resources)
    indexes = [_index(name, ("period", "recorder", "line_number"))]
    indexes += [_index(name, (d.column.name, "period")) for d in dimensions if d.field.indexed]
    table = Table(name, table_columns(fields), ("recorder", "line_number"), tuple(indexes))
    key = tuple(c for d in dimensions for c in d.columns)
    turnovers = Table(
        tables.give(f"{name}__turnovers", f"{o.full_name}.turnovers"),
        (*key, Column("period", "timestamp"), *_turnover_columns(o, resources)),
        (*(c.name for c in key), "period"),
        derived=True,
    )
    balance = None
    if o.has_balance:
        balance = Table(
            tables.give(f"{name}__balance", f"{o.full_name}.balance"),
            (*key, *(_total(r.column.name, r.column) for r in resources)),
            tuple(c.name for c in key),
            derived=True,
        )
    return RegisterLayout(
        o.full_name, table, fields, dimensions, resources, _part(fields, o.attributes), balance, turnovers
    )


def _total(name: str, resource: Column) -> Column:
    return Column(fit(name), "decimal", TOTAL_DIGITS, resource.scale)


def _turnover_columns(o: AccumulationRegister, resources: tuple[FieldLayout, ...]) -> tuple[Column, ...]:
    if not o.has_balance:
        return tuple(_total(r.column.name, r.column) for r in resources)
    return tuple(_total(r.column.name + s, r.column) for r in resources for s in ("__receipt", "__expense"))


def _part(laid: tuple[FieldLayout, ...], fields: tuple[Field, ...]) -> tuple[FieldLayout, ...]:
    return tuple(f for f in laid if any(f.field is x for x in fields))


def _declared(laid: tuple[FieldLayout, ...]) -> tuple[FieldLayout, ...]:
    return tuple(f for f in laid if not f.field.standard)


def build_layout(configuration: Configuration) -> Layout:
    """Lay out a valid configuration. Order of objects is the configuration's, so names never depend on chance."""
    tables = Names({CONSTANTS_TABLE, *SYSTEM_TABLES})
    objects: dict[str, ObjectLayout] = {}
    for catalog in configuration.catalogs:
        objects[catalog.full_name] = _lay_catalog(catalog, tables)
    for document in configuration.documents:
        objects[document.full_name] = _lay_document(document, tables)
    registers: dict[str, RegisterLayout] = {}
    for information in configuration.information_registers:
        registers[information.full_name] = _lay_information_register(information, tables)
    for accumulation in configuration.accumulation_registers:
        registers[accumulation.full_name] = _lay_accumulation_register(accumulation, tables)
    constants = lay_fields(tuple(c.field for c in configuration.constants), Names({"row_key"}))
    constants_table = Table(CONSTANTS_TABLE, (Column("row_key", "int"), *table_columns(constants)), ("row_key",))
    return Layout(objects, registers, constants, constants_table, dict(SYSTEM_TABLES))
