"""The production calendar: which days are worked -> an information register with one record for every day of the year.

Formats, all published: xmlcalendar.ru's `calendar.xml` (`calendar@year` › holidays/holiday@id,title; days/day@d="MM.DD", t=1 off, 2 short,
3 worked, h holiday, f moved from) and `calendar.json` (months with lists of days off: `*` short, `+` moved), and the Government's open data
CSV (a row per year, twelve columns of such lists). A Saturday or Sunday that is not listed is off, another day that is not listed is worked.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from classifiers.kind import ClassifierKind, Format, Item
from classifiers.model import FileWarning
from classifiers.reading import Reading
from classifiers.recognise import XML_STARTS, head_text, looks_like_xml, members_where, xml_root
from classifiers.register_target import into_register
from classifiers.source import Member, refused
from classifiers.tables import head_table, numbered_rows
from classifiers.text import shown
from classifiers.xml_stream import Step, release, xml_steps
from infobase.errors import ClassifierAmbiguous
from infobase.i18n import Bilingual
from infobase.metadata.types import EnumValue, Value

WORKDAY, SHORT, OFF, HOLIDAY = "Workday", "Shortened", "DayOff", "Holiday"
"""What a day is. A holiday is a day off with a name; a shortened one is an hour shorter (Labour Code, article 95)."""
ENUMERATION = "Enumeration.CalendarDayKinds"
TITLE_LENGTH = 150
SATURDAY = 5
MAX_JSON_BYTES = 1024 * 1024
_LISTED = re.compile(r"(\d{1,2})([*+]*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Day:
    """One day that differs from the plain week. `moved_from`: the day off that was moved here."""

    kind: str
    title: str = ""
    moved_from: dt.date | None = None


class YearReader(Reading, ABC):
    """One year. `days` is filled by `read`."""

    def __init__(self, member: Member) -> None:
        super().__init__(member)
        self.year = 0
        self.days: dict[dt.date, Day] = {}

    @abstractmethod
    def read(self) -> None:
        """Fill `year` and `days` from the member; ClassifierInvalid where it does not read."""

    def items(self) -> Iterator[Item]:
        """Every day of the year."""
        self.read()
        if not self.days:
            self.demand_records()
        day = dt.date(self.year, 1, 1)
        while day.year == self.year:
            yield self._item(day)
            day += dt.timedelta(days=1)

    def _item(self, day: dt.date) -> Item:
        found = self.days.get(day) or Day(OFF if day.weekday() >= SATURDAY else WORKDAY)
        moved = found.moved_from
        values: dict[str, Value] = {
            "Date": dt.datetime(day.year, day.month, day.day),
            "Kind": EnumValue(ENUMERATION, found.kind),
            "Holiday": found.title,
            "MovedFrom": dt.datetime(moved.year, moved.month, moved.day) if moved else None,
        }
        return Item("", values)

    def add(self, day: dt.date, found: Day, written: str) -> None:
        """Note a day, which may be listed once."""
        self.records += 1
        if day in self.days:
            raise self.wrong("d", f"день {written} указан дважды", f"the day {written} is given twice")
        self.days[day] = found

    def date_of(self, field: str, month: str, day: str) -> dt.date:
        """A day of the year."""
        try:
            return dt.date(self.year, int(month), int(day))
        except ValueError as error:
            ru, en = (
                f"«{shown(f'{month}.{day}')}»: нет такого дня",
                f"{shown(f'{month}.{day}')!r}: there is no such day",
            )
            raise self.wrong(field, ru, en) from error

    def year_of(self, written: str) -> int:
        if not re.fullmatch(r"(19|20)\d\d", written.strip(), re.ASCII):
            raise self.wrong("year", f"«{shown(written)}»: нужен год", f"{shown(written)!r}: a year is needed")
        return int(written)

    def listed(self, month: str, written: str) -> None:
        """A list of days off such as "1,2,3*,9+"."""
        for piece in (p.strip() for p in written.split(",")):
            found = _LISTED.fullmatch(piece)
            if not found:
                raise self.wrong("days", f"«{shown(piece)}»: нужен день", f"{shown(piece)!r}: a day is needed", month)
            self.add(self.date_of("days", month, found[1]), Day(SHORT if "*" in found[2] else OFF), piece)


class XmlYear(YearReader):
    """`calendar.xml`."""

    def __init__(self, member: Member) -> None:
        super().__init__(member)
        self._titles: dict[str, str] = {}

    def read(self) -> None:
        for step in xml_steps(self):
            if step.depth == 0 and step.opened:
                self._root(step)
            elif not step.opened and step.name == "holiday":
                title = self.text("title", step.attributes().get("title", ""), 500)
                self._titles[step.attributes().get("id", "")] = title[:TITLE_LENGTH]
                release(step.element)
            elif not step.opened and step.name == "day":
                self._day(step.attributes())
                release(step.element)

    def _root(self, step: Step) -> None:
        if step.name != "calendar":
            ru, en = (
                f"корневой элемент {shown(step.name)}, нужен calendar",
                f"root element {shown(step.name)}, not calendar",
            )
            raise refused(self.member.place, ru, en)
        given = step.attributes()
        self.year = self.year_of(given.get("year", ""))
        if given.get("date"):
            self.version = self.day("date", given["date"][:10].replace("-", "."), "%Y.%m.%d")
        if given.get("country", "ru") != "ru":
            country = shown(given["country"])
            raise self.wrong("country", f"календарь страны {country}", f"the calendar of {country}")

    def _day(self, given: Mapping[str, str]) -> None:
        written, kind = given.get("d", ""), given.get("t", "")
        day = self._date("d", written)
        moved = self._date("f", given["f"]) if given.get("f") else None
        title = self._titles.get(given.get("h", ""), "")
        kinds = {"1": HOLIDAY if given.get("h") else OFF, "2": SHORT, "3": WORKDAY}
        if kind not in kinds:
            raise self.wrong(
                "t", f"«{shown(kind)}»: нужно 1, 2 или 3", f"{shown(kind)!r}: 1, 2 or 3 is needed", written
            )
        self.add(day, Day(kinds[kind], title, moved), written)

    def _date(self, field: str, written: str) -> dt.date:
        month, dot, day = written.partition(".")
        if not dot:
            raise self.wrong(field, f"«{shown(written)}»: нужно ММ.ДД", f"{shown(written)!r}: MM.DD is needed")
        return self.date_of(field, month, day)


class JsonYear(YearReader):
    """`calendar.json`: {"year": 2024, "months": [{"month": 1, "days": "1,2,3,...,30*"}], "transitions": [{"from": "04.27", "to": "04.29"}]}."""

    def read(self) -> None:
        whole = self._whole()
        self.year = self.year_of(str(whole.get("year", "")))
        for month in self._list(whole, "months"):
            number = str(month.get("month", ""))
            if str(month.get("days", "")).strip():
                self.listed(number, str(month["days"]))
            for day in self._month_days(number):
                self.days.setdefault(day, Day(WORKDAY))
        for moved in self._list(whole, "transitions") if "transitions" in whole else []:
            source, target = (self._date(str(moved.get(k, ""))) for k in ("from", "to"))
            found = self.days.get(target)
            if found is not None:
                self.days[target] = Day(found.kind, found.title, source)

    def _whole(self) -> dict[str, object]:
        try:
            made = json.loads(self.member.read(MAX_JSON_BYTES).decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise refused(self.member.place, f"не JSON: {error}", f"no JSON: {error}") from error
        if not isinstance(made, dict):
            raise refused(self.member.place, "не та структура JSON", "not the structure of a calendar")
        return made

    def _list(self, whole: Mapping[str, object], key: str) -> list[dict[str, object]]:
        found = whole.get(key)
        if not isinstance(found, list) or not all(isinstance(m, dict) for m in found):
            raise self.wrong(key, "нужен список", "a list is needed")
        return cast("list[dict[str, object]]", found)

    def _date(self, written: str) -> dt.date:
        month, _, day = written.partition(".")
        return self.date_of("transitions", month, day)

    def _month_days(self, number: str) -> Iterator[dt.date]:
        day = self.date_of("month", number, "1")
        while day.month == int(number) and day.year == self.year:
            yield day
            day += dt.timedelta(days=1)


class CsvYear(JsonYear):
    """One row of the open data: the year and twelve lists."""

    def __init__(self, member: Member, line: int, row: Sequence[str]) -> None:
        super().__init__(member)
        self.line = line
        self.columns = {"year": 0}
        self._row = row

    def read(self) -> None:
        self.year = self.year_of(self._row[0])
        for month, written in enumerate(self._row[1:13], 1):
            self.columns = dict.fromkeys(("d", "days", "month"), month)
            if written.strip():
                self.listed(str(month), written)
            for day in self._month_days(str(month)):
                self.days.setdefault(day, Day(WORKDAY))


class CalendarFile:
    """The years of a file or a folder, each once."""

    def __init__(self, years: Sequence[YearReader]) -> None:
        self._years = years
        self._days = 0

    def items(self) -> Iterator[Item]:
        found: dict[int, YearReader] = {}
        for reader in self._years:
            for item in reader.items():
                self._days += 1
                yield item
            other = found.setdefault(reader.year, reader)
            if other is not reader:
                names = f"{other.member.name}, {reader.member.name}"
                ru, en = f"два календаря на {reader.year} год: {names}", f"two calendars of {reader.year}: {names}"
                raise ClassifierAmbiguous(place=reader.member.place, detail=Bilingual(ru, en))

    def version_date(self) -> dt.date:
        """The last day the calendar speaks of."""
        return dt.date(max(r.year for r in self._years), 12, 31)

    def counts(self) -> Mapping[str, int]:
        years = sorted(r.year for r in self._years)
        listed = sum(r.records for r in self._years)
        return {"records": self._days, "listed": listed, "first_year": years[0], "last_year": years[-1]}

    def warning_count(self) -> int:
        return sum(r.warning_count() for r in self._years)

    def warnings(self) -> Sequence[FileWarning]:
        return [w for r in self._years for w in r.warnings()]


def _is_xml(member: Member) -> bool:
    root = xml_root(member.head)
    return root is not None and root.name == "calendar" and "year" in root.attributes


def _is_json(member: Member) -> bool:
    text = head_text(member.head).lstrip()
    return text.startswith("{") and '"months"' in text and '"year"' in text


def _is_csv(member: Member) -> bool:
    rows = [] if looks_like_xml(member.head) else head_table(member)
    return any(len(r) >= 13 and re.fullmatch(r"(19|20)\d\d", r[0].strip()) and "1" in r[1].split(",") for r in rows)


def _open_csv(members: Sequence[Member], _: object) -> CalendarFile:
    years = []
    for member in members:
        rows = numbered_rows(Reading(member))
        years += [CsvYear(member, line, row) for line, row in rows if re.fullmatch(r"(19|20)\d\d", row[0].strip())]
    return CalendarFile(years)


CALENDAR = ClassifierKind(
    name="calendar",
    title=Bilingual("Производственный календарь", "Production calendar"),
    bring=Bilingual(
        "calendar.xml или calendar.json за год (или папка, архив с файлами за несколько лет)",
        "calendar.xml or calendar.json of a year (or a folder or archive with several years)",
    ),
    file_name=Bilingual("calendar.xml", "calendar.xml"),
    published="https://xmlcalendar.ru/",
    formats=(
        Format(
            "calendar.xml", members_where(_is_xml), lambda ms, _: CalendarFile([XmlYear(m) for m in ms]), XML_STARTS
        ),
        Format(
            "calendar.json", members_where(_is_json), lambda ms, _: CalendarFile([JsonYear(m) for m in ms]), (b"{",)
        ),
        Format("CSV", members_where(_is_csv), _open_csv),
    ),
    target="InformationRegister",
    write=into_register,
    fields=("Date", "Kind", "Holiday", "MovedFrom"),
    accumulates=True,
    fresh_days=0,
    first_format_wins=True,
)
