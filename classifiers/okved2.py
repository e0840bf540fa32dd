"""OKVED2, the all-Russian classifier of economic activities (OK 029-2014, NACE Rev. 2) -> a hierarchical catalog.

Formats. Rosstat's open data, structure 20180402: windows-1251, `;`, quoted, no header, columns section; code; name (further ones are passed
over). Open data with names of columns as CSV, XML or JSON (data.mos.ru: Razdel, Kod, Name, Nomdescr), in any order of columns and records. A
section's own row has a blank code, or its letter. The parent of a code is the longest shorter code it continues, else its section.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from classifiers.catalog_target import into_catalog
from classifiers.closures import accepts_closures, is_text_table
from classifiers.json_table import looks_like_json
from classifiers.kind import ClassifierKind, Format, Item, Options, Row
from classifiers.reading import Reading, date_in_name, only
from classifiers.recognise import XML_STARTS, looks_like_xml, members_where
from classifiers.source import Member, refused
from classifiers.tables import by_alias, first_rows, head_table, numbered_rows, rows_of, simplified
from classifiers.text import shown
from infobase.i18n import Bilingual

CODE = re.compile(r"\d{2}(\.\d(\d(\.\d(\d)?)?)?)?", re.ASCII)
SECTION = re.compile(r"[A-UА-У]")
_SECTION_WORD = re.compile(r"раздел\s+", re.IGNORECASE)
_DATE = re.compile(r"\d{1,2}[./-]\d{1,2}[./-]\d{4}|\d{1,2}[.-][а-яa-z]{3,}\.?|[а-яa-z]{3,}[.-]\d{1,2}", re.IGNORECASE)
_NUMBER = re.compile(r"\d|\d[.,]\d+|\d{5}|\d{2},\d+", re.ASCII)
NAMES: Mapping[str, Sequence[str]] = {
    "Section": ("Razdel", "Раздел", "SectionCode", "Код раздела"),
    "Code": ("Kod", "Код", "Код ОКВЭД", "Код ОКВЭД2", "Код ОКВЭД 2", "OKVED", "OKVED2", "KodOKVED", "Код группировки"),
    "Name": (
        "Наименование",
        "Naim",
        "Naimenovanie",
        "Название",
        "Title",
        "Наименование группировки",
        "Наименование вида деятельности",
        "Наименование вида экономической деятельности",
        "Расшифровка",
    ),
}
"""Columns, and the names they are published under."""
COLUMNS: Mapping[str, int] = {"Section": 0, "Code": 1, "Name": 2}
CODE_AND_NAME: Mapping[str, int] = {"Section": 0, "Code": 0, "Name": 1}
NAME_LENGTH = 500
SECTIONS = "ABCDEFGHIJKLMNOPQRSTU"
MANY_SECTIONS = 10
"""A table of fewer may be somebody's choice."""


class ActivityFile(Reading):
    """One edition. `excerpt`: it may end anywhere."""

    def __init__(self, member: Member, *, excerpt: bool = False) -> None:
        super().__init__(member)
        self._excerpt = excerpt
        self.version = date_in_name(member)
        self.sections = 0
        self._codes: set[str] = set()

    def items(self) -> Iterator[Item]:
        """In the order of the file, or those above before those below where the file has it otherwise."""
        made: list[tuple[str, str, Row]] = []
        section = ""
        for row in self._rows():
            section, code = self._section_and_code(section, row)
            values: Row = {
                "Description": self.text("Name", row["Name"], NAME_LENGTH, code, required=True),
                "Section": section,
                "Closed": False,
            }
            self.demand_new(self._codes, code)
            made.append((code, section, values))
        self.demand_records()
        self._demand_end(dict.fromkeys(section for _, section, _ in made))
        items = [Item(code, values, parent=self._parent(section, code)) for code, section, values in made]
        yield from _from_above(items)

    def counts(self) -> Mapping[str, int]:
        return {"records": self.records, "sections": self.sections}

    def _demand_end(self, sections: Iterable[str]) -> None:
        """ClassifierInvalid for a text table with the sections in their order that stops half-way: the classifier goes from A to U."""
        found = "".join(sections)
        last = SECTIONS.removeprefix(found)
        whole = self._excerpt or not is_text_table(self.member) or len(found) < MANY_SECTIONS or found == SECTIONS
        if not whole and SECTIONS.startswith(found):
            ru = f"файл обрывается: после раздела {found[-1]} нет разделов {last[0]}..U; возьмите его заново"
            en = f"the file is cut: after section {found[-1]} there are no sections {last[0]}..U; get it again"
            raise refused(self.member.place, ru, en)

    def _rows(self) -> Iterator[Mapping[str, str]]:
        if looks_like_xml(self.member.head) or looks_like_json(self.member.head):
            for row in rows_of(self, NAMES):
                if row.keys() >= {"Code", "Name"} or row.keys() >= {"Section", "Name"}:
                    yield {"Section": "", "Code": "", **row}
                else:
                    self.records -= 1  # something else that has two of the names
            return
        yield from self._csv_rows()

    def _csv_rows(self) -> Iterator[Mapping[str, str]]:
        """A header names the columns, in any order; some publishers repeat it in another language."""
        rows = numbered_rows(self)
        first = next(rows, None)
        named = _header(first[1]) if first else {}
        self.columns = named
        for line, row in chain([first] if first and not named else [], rows):
            self.line = line
            if not self.records and _header(row):
                continue
            self.records += 1
            if not named:
                row = self._in_order(row)
            yield {name: row[i].strip() if i < len(row) else "" for name, i in (named or COLUMNS).items()}

    def _in_order(self, row: list[str]) -> list[str]:
        """Section, code, name of a row without names of columns."""
        self.columns = COLUMNS if len(row) > 2 else CODE_AND_NAME
        if len(row) == 2:
            row = ["" if CODE.fullmatch(row[0].strip()) else row[0], *row]
        if len(row) < 3:
            raise self.wrong("", f"столбцов {len(row)}, нужно 3", f"{len(row)} columns, 3 are needed")
        return row

    def _section_and_code(self, section: str, row: Mapping[str, str]) -> tuple[str, str]:
        """Of a row: its section, or that of the rows above it, and its code, for a section's own row the letter."""
        code = _SECTION_WORD.sub("", row["Code"]).strip()
        letter = _SECTION_WORD.sub("", row.get("Section", "")).strip() or (code if SECTION.fullmatch(code) else section)
        if letter and not SECTION.fullmatch(letter):
            ru, en = f"«{shown(letter)}»: нужна буква раздела A..U", f"{shown(letter)!r}: a section letter is needed"
            raise self.wrong("Section", ru, en)
        if not code or code == letter:
            self.sections += 1
            return letter, letter
        self._demand_code(code)
        return letter, code

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
        if code == section:
            return ""
        shorter = code[:-1].rstrip(".")
        while shorter and shorter not in self._codes:
            shorter = shorter[:-1].rstrip(".")
        return shorter or (section if section in self._codes else "")


def _from_above(items: Sequence[Item]) -> Sequence[Item]:
    """The items, sorted by their depth unless every one comes after the one above it already."""
    seen = {""}
    for item in items:
        if item.parent not in seen:
            break
        seen.add(item.code)
    else:
        return items
    return sorted(items, key=lambda i: (len(i.code.replace(".", "")) if CODE.fullmatch(i.code) else 0, i.code))


def _header(row: Sequence[str]) -> Mapping[str, int]:
    """Column -> its place, of a row that holds names of columns; empty for another one."""
    names = by_alias(NAMES)
    found = {names[simplified(c)]: i for i, c in reversed([*enumerate(row)]) if simplified(c) in names}
    return found if found.keys() >= {"Code", "Name"} else {}


def _is_okved(member: Member) -> bool:
    if looks_like_xml(member.head) or looks_like_json(member.head):
        return _are_activities(first_rows(member, NAMES))
    rows = head_table(member)
    named = _header(rows[0]) if rows else {}
    if named:
        cells = [{n: r[i].strip() for n, i in named.items() if i < len(r)} for r in rows[1:] if not _header(r)]
        return _are_activities(cells)
    return _are_activities(
        [dict(zip(COLUMNS, r, strict=False)) for r in rows if len(r) >= 3 and SECTION.fullmatch(r[0].strip())],
        len([r for r in rows if len(r) >= 3]),
    )


def _are_activities(rows: Sequence[Mapping[str, str]], of: int = 0) -> bool:
    """Whether most rows have codes of activities, spoiled ones too."""
    codes = [_SECTION_WORD.sub("", r.get("Code", "")).strip() for r in rows if r.get("Name")]
    sections = {r.get("Section", "").strip() for r in rows}
    good = [c for c in codes if not c or SECTION.fullmatch(c) or _code_like(c)]
    dotted = any("." in c for c in good) or sections - {""}
    # a classification of goods (OKPD2) has the same columns, and longer codes soon
    longer = any(re.fullmatch(r"\d{2}\.\d{2}\.\d{2}\.\d{3}", c) for c in codes)
    return bool(dotted) and len(good) * 2 > max(len(rows), of) > 0 and not longer


def _code_like(code: str) -> bool:
    return bool(CODE.fullmatch(code) or _DATE.fullmatch(code) or _NUMBER.fullmatch(code))


def _open(members: Sequence[Member], options: Options) -> ActivityFile:
    return ActivityFile(only(members), excerpt=accepts_closures(options))


OKVED2 = ClassifierKind(
    name="okved2",
    title=Bilingual("ОКВЭД2: виды экономической деятельности", "OKVED2: economic activities"),
    bring=Bilingual(
        "data-ГГГГММДД-structure-20180402.csv из открытых данных Росстата или таблица CSV, XML, JSON (раздел, код, наименование)",
        "data-YYYYMMDD-structure-20180402.csv of Rosstat's open data, or a table as CSV, XML or JSON (section, code, name)",
    ),
    file_name=Bilingual("data-ГГГГММДД-structure-20180402.csv", "data-YYYYMMDD-structure-20180402.csv"),
    published="https://rosstat.gov.ru/opendata/7708234640-okved2",
    formats=(Format("OKVED2", members_where(_is_okved), _open, (*XML_STARTS, b"")),),
    target="Catalog",
    write=into_catalog,
    fields=("Description", "Section", "Closed"),
)
