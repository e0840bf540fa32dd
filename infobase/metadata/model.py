"""The configuration as data: frozen dataclasses, one per object kind, and the resolver of names.

A configuration is read from a TOML folder (`reader`), from canonical JSON (`canonical`) or from a `.cf` (`archive`), always through
`validation`; what reaches the rest of the kernel is therefore valid. Every object and field has two names, English
(`name`: code, tables, files) and Russian (`ru`); both resolve everywhere.

BusinessProcess, Task and ExchangePlan have their place in `KINDS` and in `types.REF_KINDS`; their dataclasses join here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Union

from infobase.metadata.fields import (
    DATA_VERSION,
    DELETION_MARK,
    KINDS,
    LINE_NUMBER,
    PREDEFINED_NAME,
    Field,
    Kind,
    Naming,
    Numbering,
    PredefinedItem,
    TabularSection,
    label_of,
    standard_field,
)
from infobase.metadata.types import (
    BooleanType,
    CompositeType,
    DateType,
    NumberType,
    RefType,
    StringType,
    ValueType,
)

__all__ = [
    "AccumulationRegister",
    "BalanceCheck",
    "CLASSIFIER_KINDS",
    "CONFIGURATION_RIGHTS",
    "Catalog",
    "ClassifierUse",
    "Configuration",
    "Constant",
    "DATA_VERSION",
    "DELETION_MARK",
    "Document",
    "Enumeration",
    "Field",
    "FieldOwner",
    "InformationRegister",
    "KINDS",
    "Kind",
    "LINE_NUMBER",
    "MetadataObject",
    "Naming",
    "Numbering",
    "PREDEFINED_NAME",
    "PredefinedItem",
    "RIGHTS",
    "RegisterRecords",
    "Report",
    "Right",
    "Role",
    "Subsystem",
    "TabularSection",
    "find_field",
    "label_of",
]


@dataclass(frozen=True)
class Catalog:
    """`hierarchy`: "" | "FoldersAndItems" | "Items". `owners`: full names of owner catalogs. `code.length` 0: no Code."""

    naming: Naming
    attributes: tuple[Field, ...] = ()
    tabular_sections: tuple[TabularSection, ...] = ()
    code: Numbering = Numbering()
    description_length: int = 150
    hierarchy: str = ""
    owners: tuple[str, ...] = ()
    predefined: tuple[PredefinedItem, ...] = ()

    kind = "Catalog"

    @property
    def name(self) -> str:
        return self.naming.name

    @property
    def full_name(self) -> str:
        return f"{self.kind}.{self.name}"

    @cached_property
    def standard_fields(self) -> tuple[Field, ...]:
        made = [
            standard_field("Ref", "Ссылка", RefType(self.full_name)),
            DATA_VERSION,
            DELETION_MARK,
            PREDEFINED_NAME,
        ]
        if self.code.length:
            code_type: ValueType = (
                StringType(self.code.length) if self.code.kind == "String" else NumberType(self.code.length, 0)
            )
            made.append(standard_field("Code", "Код", code_type, indexed="index"))
        made.append(
            standard_field(
                "Description", "Наименование", StringType(self.description_length), indexed="index", searchable=True
            )
        )
        if self.hierarchy:
            made.append(standard_field("Parent", "Родитель", RefType(self.full_name), indexed="index"))
        if self.hierarchy == "FoldersAndItems":
            made.append(standard_field("IsFolder", "ЭтоГруппа", BooleanType()))
        if self.owners:
            refs = tuple(RefType(o) for o in self.owners)
            owner_type: ValueType = refs[0] if len(refs) == 1 else CompositeType(refs)
            made.append(standard_field("Owner", "Владелец", owner_type, required=True, indexed="index"))
        return tuple(made)

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        return (*self.standard_fields, *self.attributes)


@dataclass(frozen=True, slots=True)
class RegisterRecords:
    """Declared movements of a document.

    `register`: full name. `each`: tabular section name, or "" for one movement per document. `when`: expression or "".
    `record_type`: "Receipt" | "Expense" for balance registers ("" for turnover and information registers).
    `period`: expression, default "doc.Date". `set`: register field name -> expression over `doc` and `row`.
    """

    register: str
    set: Mapping[str, str]
    each: str = ""
    when: str = ""
    record_type: str = ""
    period: str = "doc.Date"


@dataclass(frozen=True, slots=True)
class BalanceCheck:
    """After posting, for every key this document moved: `require` is an expression over `balance.<Resource>`,
    such as "balance.Quantity >= 0"; `when`: expression over `doc` that switches the check on (empty: always)."""

    register: str
    require: str
    when: str = ""


@dataclass(frozen=True)
class Document:
    """`posting`: "Allow" | "Deny" (a document without movements)."""

    naming: Naming
    attributes: tuple[Field, ...] = ()
    tabular_sections: tuple[TabularSection, ...] = ()
    number: Numbering = Numbering(length=11, periodicity="Year")
    posting: str = "Allow"
    register_records: tuple[RegisterRecords, ...] = ()
    balance_checks: tuple[BalanceCheck, ...] = ()

    kind = "Document"

    @property
    def name(self) -> str:
        return self.naming.name

    @property
    def full_name(self) -> str:
        return f"{self.kind}.{self.name}"

    @cached_property
    def standard_fields(self) -> tuple[Field, ...]:
        number_type: ValueType = (
            StringType(self.number.length) if self.number.kind == "String" else NumberType(self.number.length, 0)
        )
        return (
            standard_field("Ref", "Ссылка", RefType(self.full_name)),
            DATA_VERSION,
            DELETION_MARK,
            standard_field("Number", "Номер", number_type, indexed="index", searchable=self.number.kind == "String"),
            standard_field("Date", "Дата", DateType(), indexed="index", required=True),
            standard_field("Posted", "Проведен", BooleanType()),
        )

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        return (*self.standard_fields, *self.attributes)


@dataclass(frozen=True)
class Enumeration:
    naming: Naming
    values: tuple[Naming, ...] = ()

    kind = "Enumeration"

    @property
    def name(self) -> str:
        return self.naming.name

    @property
    def full_name(self) -> str:
        return f"{self.kind}.{self.name}"

    def value(self, identifier: str) -> Naming | None:
        return next((v for v in self.values if v.answers_to(identifier)), None)


@dataclass(frozen=True)
class Constant:
    field: Field

    kind = "Constant"

    @property
    def naming(self) -> Naming:
        return self.field.naming

    @property
    def name(self) -> str:
        return self.field.name

    @property
    def full_name(self) -> str:
        return f"{self.kind}.{self.name}"


@dataclass(frozen=True)
class InformationRegister:
    """`periodicity`: "" (not periodic) | "Second" | "Day" | "Month" | "Quarter" | "Year" (the Period is cut to it).
    `write_mode`: "Independent" | "RecorderSubordinate"."""

    naming: Naming
    dimensions: tuple[Field, ...] = ()
    resources: tuple[Field, ...] = ()
    attributes: tuple[Field, ...] = ()
    periodicity: str = ""
    write_mode: str = "Independent"
    recorders: tuple[str, ...] = ()

    kind = "InformationRegister"

    @property
    def name(self) -> str:
        return self.naming.name

    @property
    def full_name(self) -> str:
        return f"{self.kind}.{self.name}"

    @property
    def subordinate(self) -> bool:
        return self.write_mode == "RecorderSubordinate"

    @cached_property
    def standard_fields(self) -> tuple[Field, ...]:
        made: list[Field] = []
        if self.periodicity:
            made.append(standard_field("Period", "Период", DateType(), required=True))
        if self.subordinate:
            made += _recorder_fields(self.recorders)
        return tuple(made)

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        return (*self.standard_fields, *self.dimensions, *self.resources, *self.attributes)


@dataclass(frozen=True)
class AccumulationRegister:
    """`register_type`: "Balance" | "Turnovers". `recorders` is filled by validation: the documents that declare movements."""

    naming: Naming
    dimensions: tuple[Field, ...] = ()
    resources: tuple[Field, ...] = ()
    attributes: tuple[Field, ...] = ()
    register_type: str = "Balance"
    recorders: tuple[str, ...] = ()

    kind = "AccumulationRegister"

    @property
    def name(self) -> str:
        return self.naming.name

    @property
    def full_name(self) -> str:
        return f"{self.kind}.{self.name}"

    @property
    def has_balance(self) -> bool:
        return self.register_type == "Balance"

    @cached_property
    def standard_fields(self) -> tuple[Field, ...]:
        made = [standard_field("Period", "Период", DateType(), required=True), *_recorder_fields(self.recorders)]
        if self.has_balance:
            made.append(standard_field("RecordType", "ВидДвижения", StringType(7)))
        return tuple(made)

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        return (*self.standard_fields, *self.dimensions, *self.resources, *self.attributes)


RECEIPT, EXPENSE = "Receipt", "Expense"
"""RecordType of a balance register's movement: it adds to or takes from the balance."""


def _recorder_fields(recorders: tuple[str, ...]) -> list[Field]:
    refs = tuple(RefType(r) for r in recorders)
    # The column pair (type, uuid) is kept even for a single recorder, so that a second one needs no restructuring.
    return [
        standard_field("Recorder", "Регистратор", CompositeType(refs), indexed="index", required=True),
        LINE_NUMBER,
        standard_field("Active", "Активность", BooleanType()),
    ]


@dataclass(frozen=True, slots=True)
class Right:
    """What a role may do with one object. `rights`: subset of RIGHTS. `restriction` (record level): an expression over the
    record's fields, `user` (the user's catalog reference and name) and `session`, e.g. "Manager == user.ref"; empty: all records.
    `restricted_rights`: which rights the restriction limits (default: all of them)."""

    object: str
    rights: tuple[str, ...]
    restriction: str = ""
    restricted_rights: tuple[str, ...] = ()


RIGHTS = ("Read", "Insert", "Update", "Delete", "Posting", "UndoPosting", "SetDeletionMark", "View", "Edit")
"""Rights to one object, 1C's names; View and Edit are the interactive ones."""
CONFIGURATION_RIGHTS = (
    "Administration",
    "DataAdministration",
    "ExclusiveMode",
    "EventLog",
    "Output",
    "UpdateDataBaseConfiguration",
)
"""Rights to the configuration as a whole, given under the object name "Configuration"."""


@dataclass(frozen=True)
class Role:
    """`all_rights`: everything without restriction (the administrator's role)."""

    naming: Naming
    rights: tuple[Right, ...] = ()
    all_rights: bool = False

    kind = "Role"

    @property
    def name(self) -> str:
        return self.naming.name

    @property
    def full_name(self) -> str:
        return f"{self.kind}.{self.name}"


@dataclass(frozen=True)
class Subsystem:
    """A section of the interface: the full names of the objects shown in it, in order."""

    naming: Naming
    content: tuple[str, ...] = ()

    kind = "Subsystem"

    @property
    def name(self) -> str:
        return self.naming.name

    @property
    def full_name(self) -> str:
        return f"{self.kind}.{self.name}"


@dataclass(frozen=True)
class Report:
    """A report by name; its computation is a named procedure."""

    naming: Naming
    procedure: str = ""

    kind = "Report"

    @property
    def name(self) -> str:
        return self.naming.name

    @property
    def full_name(self) -> str:
        return f"{self.kind}.{self.name}"


MetadataObject = Union[  # noqa: UP007
    Catalog, Document, Enumeration, Constant, InformationRegister, AccumulationRegister, Role, Subsystem, Report
]
FieldOwner = Union[Catalog, Document, InformationRegister, AccumulationRegister]  # noqa: UP007


CLASSIFIER_KINDS = (
    "kladr",
    "gar",
    "banks",
    "okof",
    "enaof",
    "okved2",
    "oksm",
    "okv",
    "rates",
    "okei",
    "okopf",
    "calendar",
)
"""National classifiers a configuration may want; the package `classifiers` loads them."""


@dataclass(frozen=True, slots=True)
class ClassifierUse:
    """A classifier the configuration wants, and where its records go.

    `target`: full name of a catalog or of an independent information register. `parts`: further targets of a classifier that fills several
    (part -> full name). `fields`: field of the classifier -> field of the target, where the names differ. `chosen`: the catalog into which
    people pick items of the classifier, "" when there is none. `fresh_days`: how many days beyond its date a version holds good, None: what
    is usual for the kind."""

    kind: str
    target: str
    parts: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    chosen: str = ""
    fresh_days: int | None = None


@dataclass(frozen=True)
class Configuration:
    """A whole configuration. `objects` is keyed by full English name, in order of kind (KINDS) and then of name; `classifiers` by kind,
    in the order of CLASSIFIER_KINDS."""

    naming: Naming
    version: str
    vendor: str = ""
    default_language: str = "ru"
    settings: Mapping[str, object] = field(default_factory=dict)
    objects: Mapping[str, MetadataObject] = field(default_factory=dict)
    classifiers: Mapping[str, ClassifierUse] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.naming.name

    def find(self, identifier: str) -> MetadataObject | None:
        """By full name in either language and any mixture: "Catalog.Banks", "Справочник.Банки", "catalog.банки"."""
        return self._by_alias.get(identifier.casefold())

    def of_kind(self, kind: str) -> Iterator[MetadataObject]:
        return (o for o in self.objects.values() if o.kind == kind)

    @cached_property
    def catalogs(self) -> tuple[Catalog, ...]:
        return tuple(o for o in self.objects.values() if isinstance(o, Catalog))

    @cached_property
    def documents(self) -> tuple[Document, ...]:
        return tuple(o for o in self.objects.values() if isinstance(o, Document))

    @cached_property
    def enumerations(self) -> tuple[Enumeration, ...]:
        return tuple(o for o in self.objects.values() if isinstance(o, Enumeration))

    @cached_property
    def constants(self) -> tuple[Constant, ...]:
        return tuple(o for o in self.objects.values() if isinstance(o, Constant))

    @cached_property
    def information_registers(self) -> tuple[InformationRegister, ...]:
        return tuple(o for o in self.objects.values() if isinstance(o, InformationRegister))

    @cached_property
    def accumulation_registers(self) -> tuple[AccumulationRegister, ...]:
        return tuple(o for o in self.objects.values() if isinstance(o, AccumulationRegister))

    @cached_property
    def roles(self) -> tuple[Role, ...]:
        return tuple(o for o in self.objects.values() if isinstance(o, Role))

    @cached_property
    def _by_alias(self) -> dict[str, MetadataObject]:
        found: dict[str, MetadataObject] = {}
        for o in self.objects.values():
            kind = KINDS[o.kind]
            for kind_name in (kind.name, kind.ru):
                for name in (o.naming.name, o.naming.ru):
                    found[f"{kind_name}.{name}".casefold()] = o
        return found


def find_field(fields: tuple[Field, ...], identifier: str) -> Field | None:
    """A field by either of its names, without regard to case."""
    return next((f for f in fields if f.naming.answers_to(identifier)), None)
