"""OKEI, the all-Russian classifier of units of measurement (OK 015-94) -> the catalog of units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from classifiers.catalog_target import into_catalog
from classifiers.json_table import looks_like_json
from classifiers.kind import ClassifierKind, Format, Item
from classifiers.reading import Reading, date_in_name, only
from classifiers.recognise import XML_STARTS, looks_like_xml, members_where
from classifiers.source import Member
from classifiers.tables import by_alias, first_rows, head_table, rows_of, simplified, xml_has
from infobase.i18n import Bilingual

COLUMNS: Mapping[str, Sequence[str]] = {
    "Code": ("Kod", "Код", "Код ОКЕИ"),
    "Name": (
        "Naim",
        "Naimenovanie",
        "Наименование",
        "Полное наименование",
        "FullName",
        "НаименованиеПолное",
        "Наименование единицы измерения",
    ),
    "SymbolRu": (
        "NatSymb",
        "УсловноеОбозначениеНациональное",
        "Условное обозначение национальное",
        "Национальное условное обозначение",
        "Условное обозначение",
        "Обозначение",
        "Symbol",
        "ShortName",
        "Short",
    ),
    "SymbolEn": ("InternSymb", "УсловноеОбозначениеМеждународное", "Условное обозначение международное"),
    "AlphaRu": ("NatAbbr", "КодовоеОбозначениеНациональное", "Кодовое буквенное обозначение национальное"),
    "Letters": ("Alpha2", "CodeAlpha2", "КодАльфа2", "Альфа-2", "Буквенный код альфа-2", "CharCode", "Буквенный код"),
    "AlphaEn": ("InternAbbr", "КодовоеОбозначениеМеждународное", "Кодовое буквенное обозначение международное"),
}
LETTERS = "Letters"
"""A column units have none of."""
NAME_LENGTH, SYMBOL_LENGTH, ABBREVIATION_LENGTH = 250, 50, 25


class UnitFile(Reading):
    """The units, from an XML (Section/Group/Uom, or records with the same columns) or a CSV with a header."""

    def __init__(self, member: Member) -> None:
        super().__init__(member)
        self.version = date_in_name(member)

    def items(self) -> Iterator[Item]:
        seen: set[str] = set()
        found: set[str] = set()
        for row in rows_of(self, COLUMNS):
            found |= row.keys()
            if row.keys() & {LETTERS}:
                raise self.wrong(LETTERS, "это таблица стран или валют", "this is a table of countries or currencies")
            item = self._item(row)
            self.demand_new(seen, item.code)
            yield item
        self.demand_records()
        self.demand_columns(found, ("SymbolRu",))

    def _item(self, row: Mapping[str, str]) -> Item:
        code = row.get("Code", "").strip()
        if code.isascii() and code.isdigit() and len(code) < 3:
            self.warn(code, "Code", code, "потеряны ведущие нули", "leading zeros are lost")
            code = code.zfill(3)
        code = self.digits("Code", code, 4 if len(code) == 4 else 3)
        name = self.text("Name", row.get("Name", ""), NAME_LENGTH, code, required=True)
        symbol = self.text("SymbolRu", row.get("SymbolRu", ""), SYMBOL_LENGTH, code)
        values = {
            "FullName": name,
            "InternationalSymbol": self.text("SymbolEn", row.get("SymbolEn", ""), SYMBOL_LENGTH, code),
            "NationalCode": self.text("AlphaRu", row.get("AlphaRu", ""), ABBREVIATION_LENGTH, code),
            "InternationalCode": self.text("AlphaEn", row.get("AlphaEn", ""), ABBREVIATION_LENGTH, code),
        }
        return Item(code, values, initial={"Description": symbol or name[:SYMBOL_LENGTH]})


def _is_xml(member: Member) -> bool:
    needed = ("Code", "Name", "SymbolRu")
    return xml_has(member, COLUMNS, needed) and not xml_has(member, COLUMNS, (LETTERS,))


def _is_json(member: Member) -> bool:
    rows = first_rows(member, COLUMNS) if looks_like_json(member.head) else []
    return any({"Code", "Name", "SymbolRu"} <= row.keys() and LETTERS not in row for row in rows)


def _is_csv(member: Member) -> bool:
    rows = head_table(member)
    names = by_alias(COLUMNS)
    header = {names[simplified(c)] for c in rows[0] if simplified(c) in names} if rows else set()
    return not looks_like_xml(member.head) and {"Code", "Name", "SymbolRu"} <= header and LETTERS not in header


OKEI = ClassifierKind(
    name="okei",
    title=Bilingual("ОКЕИ: единицы измерения", "OKEI: units of measurement"),
    bring=Bilingual(
        "okei.xml (Section/Group/Uom) или OKEIUoms.csv, или слово builtin: встроенный список",
        "okei.xml (Section/Group/Uom) or OKEIUoms.csv, or the word builtin: the list we bring",
    ),
    published="https://www.consultant.ru/document/cons_doc_LAW_25783/",
    formats=(
        Format("XML", members_where(_is_xml), lambda members, _: UnitFile(only(members)), XML_STARTS),
        Format("JSON", members_where(_is_json), lambda members, _: UnitFile(only(members)), (b"[", b"{")),
        Format("CSV", members_where(_is_csv), lambda members, _: UnitFile(only(members)), (b"",)),
    ),
    target="Catalog",
    write=into_catalog,
    fields=("FullName", "InternationalSymbol", "NationalCode", "InternationalCode"),
    initial=("Description",),
    builtin="okei-20250101.csv",
    first_format_wins=True,
)
