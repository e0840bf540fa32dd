"""What every kind of object is described with: kinds, names, fields, tabular sections, numbering, predefined items."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from infobase.metadata.types import (
    BooleanType,
    NumberType,
    StringType,
    Value,
    ValueType,
)


@dataclass(frozen=True, slots=True)
class Kind:
    """An object kind: folder of the exported form, Russian name of the kind, whether this version implements it."""

    name: str
    folder: str
    ru: str
    implemented: bool = True


KINDS: Mapping[str, Kind] = {
    k.name: k
    for k in (
        Kind("Catalog", "Catalogs", "Справочник"),
        Kind("Document", "Documents", "Документ"),
        Kind("Enumeration", "Enumerations", "Перечисление"),
        Kind("Constant", "Constants", "Константа"),
        Kind("InformationRegister", "InformationRegisters", "РегистрСведений"),
        Kind("AccumulationRegister", "AccumulationRegisters", "РегистрНакопления"),
        Kind("Role", "Roles", "Роль"),
        Kind("Subsystem", "Subsystems", "Подсистема"),
        Kind("Report", "Reports", "Отчет"),
        Kind("BusinessProcess", "BusinessProcesses", "БизнесПроцесс", implemented=False),
        Kind("Task", "Tasks", "Задача", implemented=False),
        Kind("ExchangePlan", "ExchangePlans", "ПланОбмена", implemented=False),
    )
}


@lru_cache(maxsize=4096)
def label_of(identifier: str) -> str:
    """«ОсновнойМенеджер» -> «Основной менеджер», "SalesOrder" -> "Sales order"; abbreviations (ИНН) stay whole."""
    words = re.findall(r"[A-ZА-ЯЁ]{2,}(?![a-zа-яё])|[A-ZА-ЯЁ]?[a-zа-яё]+|[A-ZА-ЯЁ]|\d+", identifier)
    shown = [w if i == 0 or (w.isupper() and len(w) > 1) else w.lower() for i, w in enumerate(words)]
    return " ".join(shown) or identifier


@dataclass(frozen=True, slots=True)
class Naming:
    """Both identifiers and the optional synonyms (labels) that override the derived ones."""

    name: str
    ru: str
    synonym_ru: str = ""
    synonym_en: str = ""

    def label(self, language: str) -> str:
        if language == "en":
            return self.synonym_en or label_of(self.name)
        return self.synonym_ru or label_of(self.ru)

    def answers_to(self, identifier: str) -> bool:
        """Whether `identifier` is one of the two names, without regard to case, as in 1C's language."""
        return identifier.casefold() in (self.name.casefold(), self.ru.casefold())


@dataclass(frozen=True, slots=True)
class Field:
    """An attribute, dimension or resource, standard ones included.

    `indexed`: "" | "index" | "index_with_order" (1C's Index / Index with additional ordering).
    `check`: name of a named procedure (see `infobase.procedures`) that judges a value, e.g. "inn".
    `standard`: the field belongs to the kind (Code, Date ...) and is not declared in the configuration file.
    """

    naming: Naming
    type: ValueType
    required: bool = False
    indexed: str = ""
    check: str = ""
    default: Value = None
    searchable: bool = False
    standard: bool = False

    @property
    def name(self) -> str:
        return self.naming.name


@dataclass(frozen=True, slots=True)
class TabularSection:
    """Rows of a catalog or document; the standard LineNumber (1..n) comes first and is assigned by the kernel."""

    naming: Naming
    attributes: tuple[Field, ...]

    @property
    def name(self) -> str:
        return self.naming.name

    @property
    def fields(self) -> tuple[Field, ...]:
        return (LINE_NUMBER, *self.attributes)


def standard_field(name: str, ru: str, value_type: ValueType, **options: object) -> Field:
    return Field(Naming(name, ru), value_type, standard=True, **options)  # type: ignore[arg-type]


LINE_NUMBER = standard_field("LineNumber", "НомерСтроки", NumberType(9, 0))
DELETION_MARK = standard_field("DeletionMark", "ПометкаУдаления", BooleanType())
DATA_VERSION = standard_field("DataVersion", "ВерсияДанных", NumberType(18, 0))
PREDEFINED_NAME = standard_field("PredefinedDataName", "ИмяПредопределенныхДанных", StringType(100))


@dataclass(frozen=True, slots=True)
class Numbering:
    """Automatic codes and numbers.

    `length` characters; `kind` "String" | "Number"; `periodicity` "" | "Day" | "Month" | "Quarter" | "Year" (documents);
    `prefix` True: the infobase's prefix goes before the digits; `autonumber` False: the user types it; `unique` is checked on write.
    `series` (catalogs): "WholeCatalog" | "WithinOwner" - where codes are unique.
    """

    length: int = 9
    kind: str = "String"
    periodicity: str = ""
    prefix: bool = False
    autonumber: bool = True
    unique: bool = True
    series: str = "WholeCatalog"


@dataclass(frozen=True, slots=True)
class PredefinedItem:
    """An item that exists in every infobase of this configuration. `values`: field name -> value as written in TOML;
    references to other predefined items are written "Catalog.Name.ItemName", enumerations by value name."""

    naming: Naming
    code: str = ""
    description: str = ""
    is_folder: bool = False
    parent: str = ""
    owner: str = ""
    values: Mapping[str, object] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.naming.name
