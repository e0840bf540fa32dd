"""OKVED2, the all-Russian classifier of economic activities (OK 029-2014, NACE Rev. 2) -> a hierarchical catalog.

Format: Rosstat's open data, structure 20180402: windows-1251, `;`, quoted, no header, columns section; code; name (further ones are passed
over). A section's own row has a blank code. The parent of a code is the longest shorter code it continues, else its section.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from classifiers.catalog_target import into_catalog
from classifiers.kind import ClassifierKind, Format, Item, Row
from classifiers.reading import Reading, date_in_name, only
from classifiers.recognise import members_where
from classifiers.source import Member
from classifiers.tables import head_table, numbered_rows, simplified
from classifiers.text import shown
from infobase.i18n import Bilingual

CODE = re.compile(r"\d{2}(\.\d(\d(\.\d(\d)?)?)?)?", re.ASCII)
SECTION = re.compile(r"[A-UА-У]")
_DATE = re.compile(r"\d{1,2}[./-]\d{1,2}[./-]\d{4}|\d{1,2}[.-][а-яa-z]{3,}\.?|[а-яa-z]{3,}[.-]\d{1,2}", re.IGNORECASE)
_NUMBER = re.compile(r"\d|\d[.,]\d+|\d{5}|\d{2},\d+", re.ASCII)
_HEADER = {"раздел", "section", "код", "code", "razdel", "kod"}
COLUMNS: Mapping[str, int] = {"Section": 0, "Code": 1, "Name": 2}
CODE_AND_NAME: Mapping[str, int] = {"Section": 0, "Code": 0, "Name": 1}
NAME_LENGTH = 500


class ActivityFile(Reading):
    """One edition."""

    def __init__(self, member: Member) -> None:
        super().__init__(member)
        self.version = date_in_name(member)
        self.sections = 0
        self._codes: set[str] = set()

    def items(self) -> Iterator[Item]:
        section = ""
        for line, row in numbered_rows(self):
            self.line = line
            if not self.records and {simplified(c) for c in row} & _HEADER:
                continue
            self.records += 1
            section, item = self._item(section, row)
            yield item
        self.demand_records()

    def counts(self) -> Mapping[str, int]:
        return {"records": self.records, "sections": self.sections}

    def _item(self, section: str, row: list[str]) -> tuple[str, Item]:
        self.columns = COLUMNS if len(row) > 2 else CODE_AND_NAME
        if len(row) == 2:
            row = ["" if CODE.fullmatch(row[0].strip()) else row[0], *row]
        if len(row) < 3:
            raise self.wrong("", f"столбцов {len(row)}, нужно 3", f"{len(row)} columns, 3 are needed")
        letter, code = row[0].strip() or section, row[1].strip()
        if letter and not SECTION.fullmatch(letter):
            ru, en = f"«{shown(letter)}»: нужна буква раздела A..U", f"{shown(letter)!r}: a section letter is needed"
            raise self.wrong("Section", ru, en)
        if not code or code == letter:
            self.sections += 1
            return letter, self._made(letter, "", letter, row[2])
        self._demand_code(code)
        return letter, self._made(code, self._parent(letter, code), letter, row[2])

    def _made(self, code: str, parent: str, section: str, name: str) -> Item:
        self.demand_new(self._codes, code)
        values: Row = {
            "Description": self.text("Name", name, NAME_LENGTH, code, required=True),
            "Section": section,
            "Closed": False,
        }
        return Item(code, values, parent=parent)

    def _demand_code(self, code: str) -> None:
        if CODE.fullmatch(code):
            return
        place = shown(code)
        if _DATE.fullmatch(code) or _NUMBER.fullmatch(code):
            raise self.wrong(
                "Code",
                f"«{place}»: вместо кода дата или число: файл испорчен при сохранении в Excel; возьмите исходный файл",
                f"{place!r}: a date or a number instead of a code: the file was spoiled by Excel; take the original one",
            )
        ru, en = f"«{place}»: нужен код вида 01.11.12", f"{place!r}: a code such as 01.11.12 is needed"
        raise self.wrong("Code", ru, en)

    def _parent(self, section: str, code: str) -> str:
        shorter = code[:-1].rstrip(".")
        while shorter and shorter not in self._codes:
            shorter = shorter[:-1].rstrip(".")
        return shorter or (section if section in self._codes else "")


def _is_okved(member: Member) -> bool:
    rows = [r for r in head_table(member) if len(r) >= 3]
    good = [r for r in rows if SECTION.fullmatch(r[0].strip()) and (not r[1].strip() or _code_like(r[1].strip()))]
    # a section of goods (OKPD2) has the same columns, and longer codes soon
    longer = any(re.fullmatch(r"\d{2}\.\d{2}\.\d{2}\.\d{3}", r[1].strip()) for r in rows)
    return len(good) * 2 > len(rows) > 0 and not longer


def _code_like(code: str) -> bool:
    return bool(CODE.fullmatch(code) or _DATE.fullmatch(code) or _NUMBER.fullmatch(code))


OKVED2 = ClassifierKind(
    name="okved2",
    title=Bilingual("ОКВЭД2: виды экономической деятельности", "OKVED2: economic activities"),
    bring=Bilingual(
        "data-ГГГГММДД-structure-20180402.csv из открытых данных Росстата",
        "data-YYYYMMDD-structure-20180402.csv of Rosstat's open data",
    ),
    published="https://rosstat.gov.ru/opendata/7708234640-okved2",
    formats=(Format("Rosstat CSV", members_where(_is_okved), lambda members, _: ActivityFile(only(members)), (b"",)),),
    target="Catalog",
    write=into_catalog,
    fields=("Description", "Section", "Closed"),
)
