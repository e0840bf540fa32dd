"""Tables of a configuration -> dataclasses. The one way in, for TOML folders and canonical JSON alike; collects every fault."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation

from infobase.errors import ConfigurationInvalid, Problem
from infobase.i18n import Bilingual
from infobase.metadata.classifier_uses import classifier_uses
from infobase.metadata.model import (
    KINDS,
    AccumulationRegister,
    BalanceCheck,
    Catalog,
    Configuration,
    Constant,
    Document,
    Enumeration,
    Field,
    InformationRegister,
    MetadataObject,
    Naming,
    Numbering,
    PredefinedItem,
    RegisterRecords,
    Report,
    Right,
    Role,
    Subsystem,
    TabularSection,
)
from infobase.metadata.tables import Source, Table
from infobase.metadata.type_syntax import EXPECTED, TypeFault, parse_type
from infobase.metadata.types import (
    MAX_STRING_LENGTH,
    BooleanType,
    DateType,
    EnumType,
    EnumValue,
    NumberType,
    StringType,
    Value,
    ValueType,
)

MAX_IDENTIFIER = 80
_IDENTIFIER = re.compile(r"[^\W\d_](?:_?[^\W_])*")
_RESERVED = frozenset({"presentation", "представление"})
"""Names of pseudo-fields of queries."""


def build(head: Source, objects: Iterable[tuple[str, Source]]) -> Configuration:
    """A configuration from its head and its objects (kind, source). ConfigurationInvalid with every fault found."""
    problems: list[Problem] = []
    builder = _Builder(problems, list(objects))
    configuration = builder.configuration(head)
    if not problems:
        from infobase.metadata.validation import validate

        configuration = validate(configuration, builder.sources, problems)
    if problems:
        raise ConfigurationInvalid(problems)
    return configuration


class _Builder:
    def __init__(self, problems: list[Problem], objects: list[tuple[str, Source]]) -> None:
        self.problems = problems
        self.objects = objects
        self.sources: dict[str, Source] = {}
        self._full_names: dict[str, str] = {}
        for kind, source in objects:
            self._announce(kind, source)

    def _announce(self, kind: str, source: Source) -> None:
        """Both names of every object, so that types can refer to objects read later."""
        name, ru = source.data.get("name"), source.data.get("ru")
        for alias in (name, ru):
            if isinstance(alias, str) and isinstance(name, str):
                self._full_names[f"{kind}.{alias}".casefold()] = f"{kind}.{name}"

    def find(self, identifier: str) -> str | None:
        """Full name in either language (kinds too) -> full English name."""
        kind, _, name = identifier.partition(".")
        english = next(
            (k.name for k in KINDS.values() if kind.casefold() in (k.name.casefold(), k.ru.casefold())), kind
        )
        return self._full_names.get(f"{english}.{name}".casefold())

    def configuration(self, head: Source) -> Configuration:
        table = Table(self.problems, head, "", head.data)
        table.text("kind", choices=("Configuration", ""))
        naming = self.naming(table)
        version = table.text("version", required=True)
        vendor = table.text("vendor")
        language = table.text("default_language", "ru", choices=("ru", "en"))
        settings = dict(table.table("settings").data)
        wanted = table.table("classifiers")
        table.finish()
        made: list[MetadataObject] = []
        for kind, source in self.objects:
            found = self._object(kind, source)
            if found is not None:
                self.sources[found.full_name] = source
                made.append(found)
        self._demand_unique(made)
        order = list(KINDS)
        made.sort(key=lambda o: (order.index(o.kind), o.name))
        objects = {o.full_name: o for o in made}
        uses = classifier_uses(wanted, objects, self.find)
        return Configuration(naming, version, vendor, language, settings, objects, uses)

    def _demand_unique(self, made: list[MetadataObject]) -> None:
        seen: dict[str, str] = {}
        for o in made:
            for alias in {o.naming.name.casefold(), o.naming.ru.casefold()}:
                other = seen.setdefault(f"{o.kind}.{alias}", o.full_name)
                if other != o.full_name:
                    source = self.sources[o.full_name]
                    message = Bilingual(
                        f"имя «{alias}» уже занято ({other})", f"the name {alias!r} is taken by {other}"
                    )
                    self.problems.append(Problem(source.file, source.line("name"), "name", message))

    def _object(self, kind: str, source: Source) -> MetadataObject | None:
        table = Table(self.problems, source, "", source.data)
        stated = table.text("kind", required=True)
        if stated != kind:
            table.fault(
                "kind", f"вид «{stated}» не соответствует папке", f"the kind {stated!r} does not fit the folder", kind
            )
            return None
        if not KINDS[kind].implemented:
            table.fault(
                "kind", f"вид {kind} появится в следующей версии", f"the kind {kind} is reserved for a later version"
            )
            return None
        makers: dict[str, Callable[[Table], MetadataObject]] = {
            "Catalog": self.catalog,
            "Document": self.document,
            "Enumeration": self.enumeration,
            "Constant": self.constant,
            "InformationRegister": self.information_register,
            "AccumulationRegister": self.accumulation_register,
            "Role": self.role,
            "Subsystem": self.subsystem,
            "Report": self.report,
        }
        made = makers[kind](table)
        table.finish()
        return made

    # --- names ---

    def naming(self, table: Table, key_name: str | None = None) -> Naming:
        """Both identifiers and synonyms; `key_name`: the English name when the table's key gives it."""
        if key_name is None:
            name = table.text("name", required=True)
        else:
            name = key_name
        ru = table.text("ru", required=True)
        synonym = table.table("synonym")
        made = Naming(name, ru, synonym.text("ru"), synonym.text("en"))
        synonym.finish()
        if name:
            self._identifier(table, "name" if key_name is None else "", name, ascii_only=True)
        if ru:
            self._identifier(table, "ru", ru, ascii_only=False)
        return made

    def _identifier(self, table: Table, key: str, name: str, *, ascii_only: bool) -> None:
        expected = Bilingual(
            f"буквы, цифры и одиночные подчёркивания, не длиннее {MAX_IDENTIFIER}, начинается с буквы",
            f"letters, digits and single underscores, at most {MAX_IDENTIFIER}, beginning with a letter",
        )
        if len(name) > MAX_IDENTIFIER:
            table.fault(
                key, f"имя длиннее {MAX_IDENTIFIER} символов", f"the name is longer than {MAX_IDENTIFIER}", expected
            )
        elif not _IDENTIFIER.fullmatch(name) or unicodedata.normalize("NFC", name) != name:
            table.fault(key, f"недопустимое имя «{name[:40]}»", f"invalid name {name[:40]!r}", expected)
        elif ascii_only and not name.isascii():
            table.fault(key, f"имя «{name}» не латиницей", f"the name {name!r} is not Latin", expected)
        elif name.casefold() in _RESERVED:
            table.fault(key, f"имя «{name}» зарезервировано", f"the name {name!r} is reserved")
        elif _mixes_scripts(name):
            table.fault(
                key,
                f"в имени «{name}» смешаны похожие буквы двух алфавитов",
                f"{name!r} mixes look-alike letters of two scripts",
            )

    # --- fields ---

    def type(self, table: Table) -> ValueType | None:
        spec = table.raw("type")
        if not isinstance(spec, str | list):
            table.fault("type", "не указан тип", "no type", EXPECTED)
            return None
        try:
            return parse_type(spec, self.find)
        except TypeFault as e:
            table.fault("type", e.message.ru, e.message.en, EXPECTED)
            return None

    def field(self, name: str | None, table: Table) -> Field | None:
        naming = self.naming(table, name)
        value_type = self.type(table)
        required = table.flag("required")
        indexed = table.text("indexed", choices=("", "index", "index_with_order"))
        check = table.text("check")
        searchable = table.flag("searchable")
        written = table.raw("default")
        table_done = table.finish
        if name is not None:
            table_done()
        if value_type is None:
            return None
        if (check or searchable) and not isinstance(value_type, StringType):
            key = "check" if check else "searchable"
            table.fault(key, "годится только для строк", "is for strings only")
        default = self._default(table, value_type, written)
        return Field(naming, value_type, required, indexed, check, default, searchable)

    def _default(self, table: Table, value_type: ValueType, written: object) -> Value:
        if written is None:
            return None
        match value_type, written:
            case StringType(length), str() if not length or len(written) <= length:
                return written
            case BooleanType(), bool():
                return written
            case DateType(), dt.datetime() if written.tzinfo is None:
                return written.replace(microsecond=0)
            case EnumType(target), str():
                return EnumValue(target, written)
            case NumberType(digits, scale), int() | float() | str() if not isinstance(written, bool):
                try:
                    number = Decimal(str(written))
                    if number == round(number, scale) and abs(number) < Decimal(10) ** (digits - scale):
                        return number.quantize(Decimal(1).scaleb(-scale))
                except InvalidOperation:
                    pass
        table.fault(
            "default", f"значение {written!r} не подходит типу {value_type}", f"{written!r} does not fit {value_type}"
        )
        return None

    def fields(self, table: Table, key: str) -> tuple[Field, ...]:
        made = (self.field(name, sub) for name, sub in table.named(key))
        return tuple(f for f in made if f is not None)

    def distinct(self, table: Table, namings: Iterable[tuple[str, Naming]]) -> None:
        """No two names alike, in either language and without regard to case. `namings`: (key, naming)."""
        seen: set[str] = set()
        for key, naming in namings:
            own = {naming.name.casefold(), naming.ru.casefold()}
            for alias in sorted(own & seen):
                table.fault(key, f"имя «{alias}» повторяется", f"the name {alias!r} is used twice")
            seen |= own

    def sections(self, table: Table) -> tuple[TabularSection, ...]:
        made = []
        for name, sub in table.named("tabular_sections"):
            naming = self.naming(sub, name)
            attributes = self.fields(sub, "attributes")
            sub.finish()
            section = TabularSection(naming, attributes)
            self.distinct(
                sub,
                [("", f.naming) for f in section.fields[:1]] + [(f"attributes.{f.name}", f.naming) for f in attributes],
            )
            made.append(section)
        return tuple(made)

    def numbering(self, table: Table, key: str, default: Numbering, *, document: bool) -> Numbering:
        own = table.table(key)
        periods = ("", "Day", "Month", "Quarter", "Year")
        kind = own.text("kind", default.kind, choices=("String", "Number"))
        made = Numbering(
            length=own.number("length", default.length, 1 if document else 0, 18 if kind == "Number" else 50),
            kind=kind,
            periodicity=own.text("periodicity", default.periodicity, choices=periods) if document else "",
            prefix=own.flag("prefix", default.prefix),
            autonumber=own.flag("autonumber", default.autonumber),
            unique=own.flag("unique", default.unique),
            series=own.text("series", default.series, choices=("WholeCatalog", "WithinOwner"))
            if not document
            else "WholeCatalog",
        )
        own.finish()
        return made

    # --- kinds ---

    def catalog(self, table: Table) -> Catalog:
        made = Catalog(
            naming=self.naming(table),
            attributes=self.fields(table, "attributes"),
            tabular_sections=self.sections(table),
            code=self.numbering(table, "code", Numbering(), document=False),
            description_length=table.number("description_length", 150, 1, MAX_STRING_LENGTH),
            hierarchy=table.text("hierarchy", choices=("", "FoldersAndItems", "Items")),
            owners=self._names(table, "owners", ("Catalog",)),
            predefined=self._predefined(table),
        )
        self._distinct_object(table, made)
        return made

    def _distinct_object(self, table: Table, made: Catalog | Document) -> None:
        standard = [("", f.naming) for f in made.standard_fields]
        attributes = [(f"attributes.{f.name}", f.naming) for f in made.attributes]
        sections = [(f"tabular_sections.{s.name}", s.naming) for s in made.tabular_sections]
        self.distinct(table, [*standard, *attributes, *sections])

    def _names(self, table: Table, key: str, kinds: tuple[str, ...]) -> tuple[str, ...]:
        found = []
        for written in table.strings(key):
            full_name = self.find(written)
            if full_name is None or (kinds and full_name.split(".")[0] not in kinds):
                table.fault(
                    key, f"«{written}»: такого объекта нет", f"{written!r}: there is no such object", ", ".join(kinds)
                )
            else:
                found.append(full_name)
        return tuple(found)

    def _predefined(self, table: Table) -> tuple[PredefinedItem, ...]:
        made = []
        for name, sub in table.named("predefined"):
            made.append(
                PredefinedItem(
                    naming=self.naming(sub, name),
                    code=sub.text("code"),
                    description=sub.text("description"),
                    is_folder=sub.flag("is_folder"),
                    parent=sub.text("parent"),
                    owner=sub.text("owner"),
                    values=dict(sub.table("values").data),
                )
            )
            sub.finish()
        self.distinct(table, [(f"predefined.{p.name}", p.naming) for p in made])
        return tuple(made)

    def document(self, table: Table) -> Document:
        made = Document(
            naming=self.naming(table),
            attributes=self.fields(table, "attributes"),
            tabular_sections=self.sections(table),
            number=self.numbering(table, "number", Numbering(length=11, periodicity="Year"), document=True),
            posting=table.text("posting", "Allow", choices=("Allow", "Deny")),
            register_records=tuple(self._records(t) for t in table.tables("register_records")),
            balance_checks=tuple(self._balance_check(t) for t in table.tables("balance_checks")),
        )
        self._distinct_object(table, made)
        return made

    def _register(self, table: Table) -> str:
        written = table.text("register", required=True)
        full_name = self.find(written)
        if full_name is None or not full_name.startswith(("AccumulationRegister.", "InformationRegister.")):
            table.fault("register", f"«{written}»: такого регистра нет", f"{written!r}: there is no such register")
        return full_name or written

    def _records(self, table: Table) -> RegisterRecords:
        rules = table.table("set")
        expressions = {name: rules.text(name) for name in rules.data}
        made = RegisterRecords(
            register=self._register(table),
            set=expressions,
            each=table.text("each"),
            when=table.text("when"),
            record_type=table.text("record_type", choices=("", "Receipt", "Expense")),
            period=table.text("period", "doc.Date"),
        )
        table.finish()
        return made

    def _balance_check(self, table: Table) -> BalanceCheck:
        made = BalanceCheck(self._register(table), table.text("require", required=True), table.text("when"))
        table.finish()
        return made

    def enumeration(self, table: Table) -> Enumeration:
        made = Enumeration(self.naming(table), tuple(self._value(name, sub) for name, sub in table.named("values")))
        self.distinct(table, [(f"values.{v.name}", v) for v in made.values])
        if not made.values:
            table.fault("values", "перечисление без значений", "an enumeration without values", "[values.Name]")
        return made

    def _value(self, name: str, table: Table) -> Naming:
        naming = self.naming(table, name)
        table.finish()
        return naming

    def constant(self, table: Table) -> Constant:
        made = self.field(None, table)
        return Constant(made or Field(Naming("", ""), StringType()))

    def information_register(self, table: Table) -> InformationRegister:
        made = InformationRegister(
            naming=self.naming(table),
            dimensions=self.fields(table, "dimensions"),
            resources=self.fields(table, "resources"),
            attributes=self.fields(table, "attributes"),
            periodicity=table.text("periodicity", choices=("", "Second", "Day", "Month", "Quarter", "Year")),
            write_mode=table.text("write_mode", "Independent", choices=("Independent", "RecorderSubordinate")),
        )
        if not made.dimensions and not made.periodicity:
            table.fault("dimensions", "нужно измерение или периодичность", "a dimension or a periodicity is needed")
        self._distinct_register(table, made)
        return made

    def accumulation_register(self, table: Table) -> AccumulationRegister:
        made = AccumulationRegister(
            naming=self.naming(table),
            dimensions=self.fields(table, "dimensions"),
            resources=self.fields(table, "resources"),
            attributes=self.fields(table, "attributes"),
            register_type=table.text("register_type", "Balance", choices=("Balance", "Turnovers")),
        )
        if not made.dimensions:
            table.fault("dimensions", "нужно хотя бы одно измерение", "at least one dimension is needed")
        if not made.resources:
            table.fault("resources", "нужен хотя бы один ресурс", "at least one resource is needed")
        for r in made.resources:
            if not isinstance(r.type, NumberType):
                table.fault(
                    f"resources.{r.name}.type",
                    "ресурс регистра накопления - число",
                    "a resource is a number",
                    "Number(15,2)",
                )
        self._distinct_register(table, made)
        return made

    def _distinct_register(self, table: Table, made: InformationRegister | AccumulationRegister) -> None:
        standard = [("", f.naming) for f in made.standard_fields]
        parts = (("dimensions", made.dimensions), ("resources", made.resources), ("attributes", made.attributes))
        declared = [(f"{key}.{f.name}", f.naming) for key, fields in parts for f in fields]
        self.distinct(table, [*standard, *declared])

    def role(self, table: Table) -> Role:
        return Role(self.naming(table), tuple(self._right(t) for t in table.tables("rights")), table.flag("all_rights"))

    def _right(self, table: Table) -> Right:
        written = table.text("object", required=True)
        full_name = "Configuration" if written in ("Configuration", "Конфигурация") else self.find(written)
        if full_name is None:
            table.fault("object", f"«{written}»: такого объекта нет", f"{written!r}: there is no such object")
        made = Right(
            full_name or written, table.strings("rights"), table.text("restriction"), table.strings("restricted_rights")
        )
        table.finish()
        return made

    def subsystem(self, table: Table) -> Subsystem:
        return Subsystem(self.naming(table), self._names(table, "content", ()))

    def report(self, table: Table) -> Report:
        return Report(self.naming(table), table.text("procedure"))


def _mixes_scripts(name: str) -> bool:
    """Whether one word of the name has both Latin and Cyrillic letters, as in a look-alike twin; «ID_клиента», «ИмяXML» pass."""
    latin = set("aceopxyABCEHKMOPTXacepoxy")
    cyrillic = set("асеорхуАВСЕНКМОРТХ")
    letters = [c for c in name if c.isalpha()]
    kinds = {"L" if c.isascii() else "C" for c in letters}
    if kinds != {"L", "C"}:
        return False
    few = [c for c in letters if c.isascii()]
    many = [c for c in letters if not c.isascii()]
    fewer, twins = (few, latin) if len(few) <= len(many) else (many, cyrillic)
    return all(c in twins for c in fewer)
