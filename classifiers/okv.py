"""OKV, the all-Russian classifier of currencies (OK (MK (ISO 4217) 003-97) 014-2000) -> the catalog of currencies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from classifiers.catalog_target import into_catalog
from classifiers.json_table import looks_like_json
from classifiers.kind import ClassifierKind, Format, Item
from classifiers.reading import Reading, date_in_name, only
from classifiers.recognise import XML_STARTS, head_text, members_where, xml_root
from classifiers.source import Member
from classifiers.tables import by_alias, has_record, head_table, rows_of, simplified, xml_has
from infobase.i18n import Bilingual

COLUMNS: Mapping[str, Sequence[str]] = {
    "Code": ("NumCode", "ISO_Num_Code", "Kod", "Код", "Цифровой код", "Цифр. код", "NumericCode", "DigitalCode", "Num"),
    "AlphabeticCode": ("CharCode", "ISO_Char_Code", "CodeSymbol", "Буквенный код", "Букв. код", "LetterCode", "Alpha"),
    "Name": (
        "Naim",
        "Naimenovanie",
        "Наименование",
        "Наименование валюты",
        "Название",
        "Валюта",
        "CurrencyName",
        "Description",
    ),
}
NAME_LENGTH = 100


class CurrencyFile(Reading):
    """The currencies: the Bank of Russia's XML_valFull, its daily rates, a CSV, or an XML of records with these columns."""

    def __init__(self, member: Member) -> None:
        super().__init__(member)
        self.version = date_in_name(member)
        self.without_code = 0

    def items(self) -> Iterator[Item]:
        seen: set[str] = set()
        for row in rows_of(self, COLUMNS, _positions):
            if not row.get("Code") and not row.get("AlphabeticCode"):
                self.without_code += 1  # currencies out of use keep a line without ISO codes in XML_valFull
                continue
            item = self._item(row)
            if item.code in seen:
                self.warn(
                    item.code,
                    "Code",
                    item.code,
                    "код повторяется, взята первая запись",
                    "a repeated code, the first record holds",
                )
                continue
            seen.add(item.code)
            yield item
        self.demand_records()

    def counts(self) -> Mapping[str, int]:
        return {"records": self.records, "without_code": self.without_code}

    def _item(self, row: Mapping[str, str]) -> Item:
        alpha = row.get("AlphabeticCode", "").strip().upper()
        code = self.digits("Code", row.get("Code", "").strip().zfill(3), 3, alpha)
        if not re.fullmatch("[A-Z]{3}", alpha):
            ru, en = f"«{alpha}»: нужны три латинские буквы", f"{alpha!r}: three Latin letters are needed"
            raise self.wrong("AlphabeticCode", ru, en, code)
        name = self.text("Name", row.get("Name", ""), NAME_LENGTH, code, required=True)
        return Item(code, {"AlphabeticCode": alpha, "FullName": name}, initial={"Description": alpha})


def _positions(rows: Sequence[Sequence[str]]) -> Mapping[str, int] | None:
    """Which column is which, by what most rows hold."""
    width = max((len(r) for r in rows), default=0)

    def column(pattern: str) -> int | None:
        for i in range(width):
            if sum(bool(re.fullmatch(pattern, r[i].strip())) for r in rows if i < len(r)) * 2 > len(rows):
                return i
        return None

    code, alpha, name = column(r"\d{3}"), column("[A-Z]{3}"), column(r"(?=.*[А-Яа-яЁё]).{3,}")
    return (
        None if code is None or alpha is None or name is None else {"Code": code, "AlphabeticCode": alpha, "Name": name}
    )


def _is_okv(member: Member) -> bool:
    root = xml_root(member.head)
    if root is not None:
        return root.name != "ValCurs" and (
            root.name == "Valuta" or xml_has(member, COLUMNS, ("Code", "AlphabeticCode", "Name"))
        )
    if looks_like_json(member.head):
        return "Valute" not in head_text(member.head) and has_record(
            member, COLUMNS, ("Code", "AlphabeticCode", "Name")
        )
    rows = head_table(member)
    names = by_alias(COLUMNS)
    header = {names[simplified(c)] for c in rows[0] if simplified(c) in names} if rows else set()
    countries = any(len(r) >= 2 and re.fullmatch("[A-Z]{2}", r[-2].strip()) for r in rows[:20])
    return header >= {"Code", "AlphabeticCode"} or (bool(rows) and not countries and _positions(rows) is not None)


OKV = ClassifierKind(
    name="okv",
    title=Bilingual("ОКВ: валюты", "OKV: currencies"),
    bring=Bilingual(
        "XML_valFull.asp Банка России или CSV (код, буквенный код, наименование), или слово builtin: встроенный список",
        "the Bank of Russia's XML_valFull.asp or a CSV (code, letters, name), or the word builtin: the list we bring",
    ),
    published="https://www.cbr.ru/scripts/XML_valFull.asp",
    formats=(
        Format("OKV", members_where(_is_okv), lambda members, _: CurrencyFile(only(members)), (*XML_STARTS, b"")),
    ),
    target="Catalog",
    write=into_catalog,
    fields=("AlphabeticCode", "FullName"),
    initial=("Description",),
    builtin="okv-20250101.csv",
)
