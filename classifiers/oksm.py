"""OKSM, the all-Russian classifier of the countries of the world (OK (MK (ISO 3166) 004-97) 025-2001) -> the catalog of countries."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence

from classifiers.catalog_target import into_catalog
from classifiers.json_table import looks_like_json
from classifiers.kind import ClassifierKind, Format, Item, Row
from classifiers.reading import Reading, date_in_name, only
from classifiers.recognise import XML_STARTS, looks_like_xml, members_where
from classifiers.source import Member, refused
from classifiers.tables import by_alias, csv_rows, decoded, delimiter_of, has_record, head_table, rows_of, simplified
from infobase.i18n import Bilingual

COLUMNS: Mapping[str, Sequence[str]] = {
    "Code": (
        "Num",
        "Num3",
        "NumericCode",
        "DigitalCode",
        "Kod",
        "Код",
        "Код ОКСМ",
        "Код страны",
        "Цифровой код",
        "Числовой код",
    ),
    "Name": (
        "Description",
        "ShortName",
        "NameShort",
        "Short",
        "Naim",
        "Naimenovanie",
        "Наименование",
        "Краткое наименование",
        "Краткое наименование страны",
        "Наименование краткое",
        "Наименование страны",
        "Страна",
    ),
    "FullName": (
        "НаименованиеПолное",
        "Наименование полное",
        "Полное наименование",
        "Полное наименование страны",
        "Full",
        "NameFull",
    ),
    "Alpha2": (
        "CodeAlpha2",
        "КодАльфа2",
        "Буквенный код альфа-2",
        "Код альфа-2",
        "Буквенный код 2",
        "Альфа-2",
        "A2",
        "ISO2",
    ),
    "Alpha3": (
        "CodeAlpha3",
        "КодАльфа3",
        "Буквенный код альфа-3",
        "Код альфа-3",
        "Буквенный код 3",
        "Альфа-3",
        "A3",
        "ISO3",
    ),
}
_ENDS = re.compile(r",\s*\"?[A-ZА-Я]{2}\"?\s*,\s*\"?[A-ZА-Я]{3}\"?\s*$")
FIELDS = ("Code", "Name", "FullName", "Alpha2", "Alpha3")
NAME_LENGTH, FULL_NAME_LENGTH = 100, 250


class CountryFile(Reading):
    """A table of countries: a CSV (with a header, or number, code, names, alpha-2, alpha-3) or an XML of records."""

    def __init__(self, member: Member) -> None:
        super().__init__(member)
        self.version = date_in_name(member)
        self.lines = 0

    def items(self) -> Iterator[Item]:
        seen: set[str] = set()
        rows = rows_of(self, COLUMNS) if _is_structured(self.member) else self._csv()
        found: set[str] = set()
        for row in rows:
            found |= row.keys()
            item = self._item(row)
            self.demand_new(seen, item.code)
            yield item
        self.demand_records()
        self.demand_columns(found, ("Alpha2", "Alpha3"))

    def counts(self) -> Mapping[str, int]:
        return {"records": self.records} | ({"lines": self.lines} if self.lines else {})

    def _item(self, row: Mapping[str, str]) -> Item:
        code = self._code(row.get("Code", ""))
        name = self.text("Name", row.get("Name", ""), NAME_LENGTH, code, required=True)
        full = self.text("FullName", row.get("FullName", ""), FULL_NAME_LENGTH, code)
        values: Row = {
            "Description": name,
            "FullName": full,
            "Alpha2": self._alpha("Alpha2", row.get("Alpha2", ""), 2, code),
            "Alpha3": self._alpha("Alpha3", row.get("Alpha3", ""), 3, code),
            "Closed": False,
        }
        return Item(code, values)

    def _code(self, written: str) -> str:
        code = written.strip()
        if code.isascii() and code.isdigit() and len(code) < 3:
            self.warn(code, "Code", code, "потеряны ведущие нули", "leading zeros are lost")
            code = code.zfill(3)
        return self.digits("Code", code, 3)

    def _alpha(self, field: str, written: str, length: int, code: str) -> str:
        made = written.strip().upper()
        if made and not (len(made) == length and made.isalpha() and made.isascii()):
            ru, en = f"«{written}»: нужно латинских букв: {length}", f"{written!r}: {length} Latin letters are needed"
            raise self.wrong(field, ru, en, code)
        return made

    # --- CSV ---

    def _csv(self) -> Iterator[dict[str, str]]:
        first = head_table(self.member)
        names = by_alias(COLUMNS)
        if first and sum(simplified(c) in names for c in first[0]) >= 2:
            yield from csv_rows(self, COLUMNS, None)
            return
        for line in self._whole_lines():
            self.records += 1
            yield self._columns(line)

    def _whole_lines(self) -> Iterator[str]:
        """Logical lines. A published copy has a line broken inside a name: it does not end with the two letter codes."""
        held = ""
        text = decoded(self)
        semicolons = delimiter_of(text.splitlines()[:20]) != ","
        for number, line in enumerate(text.splitlines(), 1):
            self.line = number
            if not line.strip():
                continue
            self.lines += 1
            if held:
                self.warn("", "Name", line, "строка разорвана, склеена с предыдущей", "a broken line, joined")
            held += line
            if semicolons or _ENDS.search(held):
                yield held
                held = ""
        if held and not text.endswith("\n"):
            ru, en = "файл обрывается; возьмите его заново", "the file is cut; get it again"
            raise refused(self.member.place, f"строка {self.line}: {ru}", f"line {self.line}: {en}")
        if held:
            yield held

    def _columns(self, line: str) -> dict[str, str]:
        """Number, code, short name, full name, alpha-2, alpha-3. Commas inside unquoted names are followed by a blank."""
        cells: list[str] = []
        try:
            written = next(csv.reader([line], delimiter=delimiter_of([line])))
        except csv.Error as error:
            ru, en = f"строка {self.line}: не CSV ({error})", f"line {self.line}: no CSV ({error})"
            raise refused(self.member.place, ru, en) from error
        begin = len(written) - len(FIELDS)
        self.columns = {name: i for i, name in enumerate(FIELDS, begin)} if begin in (0, 1) else {}
        for cell in written:
            if cell.startswith(" ") and len(cells) > 2:
                cells[-1] += "," + cell
            else:
                cells.append(cell)
        if len(cells) == 5:
            cells.insert(0, "")
        if len(cells) != 6:
            ru, en = f"столбцов {len(cells)}, нужно 6", f"{len(cells)} columns, 6 are needed"
            raise self.wrong("", ru, en)
        return dict(zip(FIELDS, cells[1:], strict=True))


def _is_structured(member: Member) -> bool:
    return looks_like_xml(member.head) or looks_like_json(member.head)


def _is_oksm(member: Member) -> bool:
    if _is_structured(member):
        return has_record(member, COLUMNS, ("Code", "Name", "Alpha2", "Alpha3"))
    rows = head_table(member)
    alpha = [
        r
        for r in rows
        if len(r) >= 5 and re.fullmatch("[A-Z]{2}", r[-2].strip()) and re.fullmatch("[A-Z]{3}", r[-1].strip())
    ]
    header = rows and {"alpha2", "альфа2"} & {re.sub(r"[\W_]", "", c).casefold()[-6:] for c in rows[0]}
    return bool(header) or len(alpha) * 2 > len(rows) > 0


OKSM = ClassifierKind(
    name="oksm",
    title=Bilingual("ОКСМ: страны мира", "OKSM: countries of the world"),
    bring=Bilingual(
        "таблица CSV (номер, код, краткое и полное наименования, альфа-2, альфа-3) или слово builtin: встроенный список",
        "a CSV table (number, code, short and full names, alpha-2, alpha-3), or the word builtin: the list we bring",
    ),
    published="https://www.consultant.ru/document/cons_doc_LAW_34516/",
    formats=(
        Format("OKSM", members_where(_is_oksm), lambda members, _: CountryFile(only(members)), (*XML_STARTS, b"")),
    ),
    target="Catalog",
    write=into_catalog,
    fields=("Description", "FullName", "Alpha2", "Alpha3", "Closed"),
    builtin="oksm-20250101.csv",
)
