"""What readers of all formats share: counting records, gathering warnings, naming the place of a fault."""

from __future__ import annotations

import datetime as dt
import re
import string
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise

from classifiers.model import FileWarning
from classifiers.source import Member, refused
from classifiers.text import shown
from infobase.errors import ClassifierAmbiguous, ClassifierInvalid
from infobase.i18n import Bilingual

MAX_WARNINGS = 100
"""All are counted; so many are kept to be shown."""
_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,10})?", re.ASCII)
_JUDGED_LETTERS = 8
_RUSSIAN = frozenset("абвгдеёжзийклмнопрстуфхцчшщъыьэюяАБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ" + string.ascii_letters)
SECOND_HALVES = frozenset(bytes(b for b in range(0x80, 0xC0) if b != 0x98).decode("cp1251")) - frozenset("Ёё")
"""The second bytes of Cyrillic UTF-8, as windows-1251 shows them."""
_ODD_MARKS = frozenset("‚„…†‡‰‹›•™¤¦¬­�")


class Reading:
    """The half of a `ClassifierFile` that does not depend on its format. `version` is set by the reader."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.records = 0
        self.header_rows = 0
        self.version: dt.date | None = None
        self.line = 0
        """Of a table: the row as a spreadsheet counts it."""
        self.columns: Mapping[str, int] = {}
        """Of a table: field -> the column it stands in, from 0."""
        self._warnings: list[FileWarning] = []
        self._warning_count = 0

    def version_date(self) -> dt.date:
        """The day the file was made for; a file that says nothing of it is as old as today."""
        return self.version or dt.date.today()

    def counts(self) -> Mapping[str, int]:
        return {"records": self.records}

    def warning_count(self) -> int:
        return self._warning_count

    def warnings(self) -> Sequence[FileWarning]:
        return self._warnings

    def warn(self, key: str, field: str, value: str, ru: str, en: str) -> None:
        """Note a fault of the source in the current record that does not forbid loading."""
        self._warning_count += 1
        if len(self._warnings) < MAX_WARNINGS:
            self._warnings.append(FileWarning(self.records, key, field, value, Bilingual(ru, en)))

    def warn_of_encoding(self, declared: str, true: str) -> None:
        """Note that the file is not in the encoding it declares ("" for none)."""
        ru, en = f"кодировка указана неверно, файл прочитан как {true}", f"wrongly stated, the file was read as {true}"
        self.warn("", "encoding", declared, ru, en)

    def wrong(self, field: str, ru: str, en: str, key: str = "") -> ClassifierInvalid:
        """The error with its place: file, record, key, field."""
        cell = self.cell(field)
        place_ru, place_en = place_of_record(self.records)
        if cell:
            place_ru, place_en = f"{place_ru}, ячейка {cell}", f"{place_en}, cell {cell}"
        if key:
            place_ru, place_en = f"{place_ru}, {shown(key)}", f"{place_en}, {shown(key)}"
        if field:
            place_ru, place_en = f"{place_ru}, поле {field}", f"{place_en}, field {field}"
        return refused(self.member.place, f"{place_ru}: {ru}", f"{place_en}: {en}")

    def cell(self, field: str) -> str:
        """Where a field of the current record stands in a spreadsheet, such as B5; "" when that is not known."""
        column = self.columns.get(field)
        return "" if column is None or not self.line else f"{column_letters(column)}{self.line}"

    def text(self, field: str, value: str, length: int, key: str = "", *, required: bool = False) -> str:
        """A text for people: blanks collapsed, of a length the target holds (the rest cut off, with a warning), in the right code page."""
        made = " ".join(value.split())
        if required and not made:
            raise self.wrong(field, "не заполнено", "is empty", key)
        if garbled(made):
            ru = f"«{shown(made)}»: это не текст, кодировка файла указана неверно"
            raise self.wrong(field, ru, f"{shown(made)!r} is no text: the file's code page is stated wrongly", key)
        if len(made) > length:
            self.warn(key, field, made, f"длиннее {length} символов, обрезано", f"longer than {length}, cut")
            made = made[: length - 1] + "…"
        return made

    def digits(self, field: str, value: str, length: int, key: str = "") -> str:
        """A code of exactly so many digits."""
        made = value.strip()
        if len(made) != length or not (made.isascii() and made.isdigit()):
            ru, en = f"«{shown(made)}»: нужно цифр: {length}", f"{shown(made)!r}: {length} digits are needed"
            raise self.wrong(field, ru, en, key)
        return made

    def number(self, field: str, value: str, key: str = "") -> Decimal:
        """A number with a decimal comma or point, blanks between the thousands allowed."""
        made = "".join(value.split()).replace(",", ".")
        if not _NUMBER.fullmatch(made):
            raise self.wrong(field, f"«{shown(value)}»: нужно число", f"{shown(value)!r}: a number is needed", key)
        return Decimal(made)

    def day(self, field: str, value: str, pattern: str, key: str = "") -> dt.date:
        """A date in a `strptime` form."""
        try:
            return dt.datetime.strptime(value.strip(), pattern).date()
        except ValueError as error:
            raise self.wrong(
                field, f"«{shown(value)}»: нужна дата", f"{shown(value)!r}: a date is needed", key
            ) from error

    def demand_new(self, seen: set[str], code: str, field: str = "Code") -> None:
        """Every code once."""
        if code in seen:
            raise self.wrong(field, f"код {code} встречается второй раз", f"the code {code} occurs twice")
        seen.add(code)

    def demand_columns(self, found: Collection[str], needed: Sequence[str]) -> None:
        """A table of something else may have a code and a name as well: the columns that make this one must be there."""
        for name in needed:
            if name not in found:
                ru, en = f"нет столбца {name}: это другая таблица", f"there is no column {name}: this is another table"
                raise refused(self.member.place, ru, en)

    def demand_records(self) -> None:
        """Zero records is an error: a good file never has none."""
        if not self.records:
            raise refused(self.member.place, "в файле нет ни одной записи", "the file has no records")


def place_of_record(number: int) -> tuple[str, str]:
    """Of a fault, in Russian and English; before the first record it is in the head of the file."""
    return (f"запись {number}", f"record {number}") if number else ("начало файла", "beginning of the file")


def column_letters(column: int) -> str:
    """A for 0, AA for 26."""
    above, own = divmod(column, 26)
    return (column_letters(above - 1) if above else "") + string.ascii_uppercase[own]


def garbled(text: str) -> bool:
    """Whether a Russian text was read in a wrong code page. Short texts are not judged.

    UTF-8 taken for windows-1251 is pairs that begin with «Р» or «С»; cp866 gives letters no Russian word has, and box drawing the other way
    round; KOI8 turns the case over; windows-1251 taken for Latin-1 is accented Latin."""
    letters = [c for c in text if c.isalpha() and not c.isascii()]
    if len(letters) < _JUDGED_LETTERS:
        return False
    pairs = sum(a in "РС" and b in SECOND_HALVES for a, b in pairwise(text))
    latin = sum("À" <= c <= "ɏ" for c in letters)
    odd = sum(c not in _RUSSIAN for c in letters) - latin + sum(c in _ODD_MARKS for c in text)
    drawing = any("─" <= c <= "▟" for c in text)
    overturned = any(w[0].islower() and w[1:].isupper() for w in re.findall(r"[А-Яа-я]{5,}", text))
    every_latin = sum(c.isascii() and c.isalpha() for c in text) + len(letters)
    return pairs * 4 > len(text) or odd > len(letters) * 0.3 or overturned or drawing or latin * 10 > every_latin * 6


def date_in_name(member: Member) -> dt.date | None:
    """The day in a published file's name (data-20231201-..., 20201204_...), for forms that say nothing of it inside."""
    for found in re.findall(r"(?<!\d)(\d{8})(?!\d)", member.base_name):
        for pattern in ("%Y%m%d", "%d%m%Y"):
            try:
                day = dt.datetime.strptime(found, pattern).date()
            except ValueError:
                continue
            if 1990 <= day.year <= 2100:
                return day
    return None


def only(members: Sequence[Member], day_of: Callable[[Member], str] = lambda m: m.name) -> Member:
    """The one member a format is made of. ClassifierAmbiguous when there are several: which of them is meant?"""
    if len(members) != 1:
        names = ", ".join(shown(day_of(m)) for m in members[:5])
        ru, en = f"файлов одного вида {len(members)}: {names}", f"{len(members)} files of one kind: {names}"
        raise ClassifierAmbiguous(place=members[0].place, detail=Bilingual(ru, en))
    return members[0]
