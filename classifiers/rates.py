"""Exchange rates of the Bank of Russia, form XML_daily -> an information register by day and currency.

`<ValCurs Date="DD.MM.YYYY">` with one `Valute@ID` per currency: NumCode, CharCode, Nominal, Name, Value ("83,5173": roubles for Nominal units).
A folder or archive of several days is loaded together. Currencies the base does not know are added to the catalog the register refers to.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from classifiers.kind import Changes, ClassifierKind, Format, Item, Row, Work
from classifiers.model import FileWarning
from classifiers.reading import Reading
from classifiers.recognise import XML_STARTS, members_where, xml_root
from classifiers.register_target import write_records
from classifiers.source import Member, refused
from classifiers.text import shown
from classifiers.xml_stream import Step, local, release, xml_steps
from infobase.errors import ClassifierAmbiguous
from infobase.i18n import Bilingual
from infobase.metadata.model import InformationRegister
from infobase.metadata.types import Ref, RefType
from infobase.query_model import Query, SelectItem

ROOT = "ValCurs"
NAME_LENGTH = 100
_NOMINAL = re.compile(r"[1-9]\d{0,8}", re.ASCII)
_RATE = Decimal("0.0001")


class DayReader(Reading):
    """The rates of one day."""

    def rates(self) -> Iterator[Item]:
        seen: set[str] = set()
        for step in xml_steps(self):
            if step.depth == 0 and step.opened:
                self._root(step)
            elif step.depth == 1 and not step.opened and step.name == "Valute":
                self.records += 1
                item = self._item(step)
                self.demand_new(seen, str(item.values["NumCode"]), "NumCode")
                yield item
                release(step.element)
        self.demand_records()

    def _root(self, step: Step) -> None:
        if step.name != ROOT:
            ru, en = (
                f"корневой элемент {shown(step.name)}, нужен {ROOT}",
                f"root element {shown(step.name)}, {ROOT} is needed",
            )
            raise refused(self.member.place, ru, en)
        written = step.attributes().get("Date", "").replace("/", ".")
        self.version = self.day("Date", written, "%d.%m.%Y")

    def _item(self, step: Step) -> Item:
        row = {local(str(e.tag)): " ".join((e.text or "").split()) for e in step.element}
        key = row.get("CharCode", "")
        if not re.fullmatch("[A-Z]{3}", key):
            ru, en = f"«{shown(key)}»: нужны три латинские буквы", f"{shown(key)!r}: three Latin letters are needed"
            raise self.wrong("CharCode", ru, en)
        nominal = row.get("Nominal", "")
        if not _NOMINAL.fullmatch(nominal):
            ru, en = f"«{shown(nominal)}»: нужно целое число", f"{shown(nominal)!r}: a whole number is needed"
            raise self.wrong("Nominal", ru, en, key)
        rate = self.number("Value", row.get("Value", ""), key)
        if rate <= 0 or rate != rate.quantize(_RATE):
            ru, en = (
                f"«{rate}»: нужно положительное число с 4 знаками",
                f"{rate}: a positive number of 4 decimals is needed",
            )
            raise self.wrong("Value", ru, en, key)
        day = self.version
        assert day is not None
        values: Row = {
            "Period": dt.datetime(day.year, day.month, day.day),
            "Rate": rate.quantize(_RATE),
            "Multiplicity": Decimal(nominal),
            "NumCode": self.digits("NumCode", row.get("NumCode", ""), 3, key),
            "CharCode": key,
            "Name": self.text("Name", row.get("Name", ""), NAME_LENGTH, key),
        }
        return Item("", values)


class RatesFile:
    """The rates of one or several days, each day once."""

    def __init__(self, members: Sequence[Member]) -> None:
        self._days = [DayReader(m) for m in members]

    def items(self) -> Iterator[Item]:
        found: dict[dt.date, DayReader] = {}
        for day in self._days:
            yield from day.rates()
            date = day.version_date()
            if date in found:
                names = f"{found[date].member.name}, {day.member.name}"
                ru, en = f"два файла на {date:%d.%m.%Y}: {names}", f"two files for {date}: {names}"
                raise ClassifierAmbiguous(place=day.member.place, detail=Bilingual(ru, en))
            found[date] = day

    def version_date(self) -> dt.date:
        return max(day.version_date() for day in self._days)

    def counts(self) -> Mapping[str, int]:
        return {"records": sum(day.records for day in self._days), "days": len(self._days)}

    def warning_count(self) -> int:
        return sum(day.warning_count() for day in self._days)

    def warnings(self) -> Sequence[FileWarning]:
        return [w for day in self._days for w in day.warnings()]


def into_rates(work: Work) -> Changes:
    """Find or add the currencies, then write the rates."""
    items = list(work.file.items())
    meta = work.session.kernel.configuration.objects[work.use.target]
    assert isinstance(meta, InformationRegister)
    field = next(f for f in meta.dimensions if f.name == work.use.fields.get("Currency", "Currency"))
    assert isinstance(field.type, RefType)
    known = _Currencies(work, field.type.target)
    made = [Item("", {**item.values, "Currency": known.ref(item)}) for item in items]
    changes = write_records(work, made)
    if not known.added:
        return changes
    line = Bilingual(f"новые валюты: {', '.join(known.added)}", f"new currencies: {', '.join(known.added)}")
    return Changes(changes.added, changes.changed, 0, changes.unchanged, remarks=(str(line),))


class _Currencies:
    """The catalog of currencies by digital and by letter code."""

    def __init__(self, work: Work, catalog: str) -> None:
        self._session, self._catalog = work.session, catalog
        self.added: list[str] = []
        fields = {f.name for f in work.session.kernel.configuration.objects[catalog].fields}  # type: ignore[union-attr]
        self._has = fields
        names = [n for n in ("Ref", "Code", "AlphabeticCode") if n in fields]
        rows = work.session.query(Query(catalog, select=tuple(SelectItem(n) for n in names)))
        self._known: dict[str, Ref] = {}
        for row in rows:
            for name in names[1:]:
                if row[name] and isinstance(row["Ref"], Ref):
                    self._known.setdefault(str(row[name]), row["Ref"])

    def ref(self, item: Item) -> Ref:
        """By digital code, else by letters; a new item when neither is there."""
        number, letters = str(item.values["NumCode"]), str(item.values["CharCode"])
        found = self._known.get(number) or self._known.get(letters)
        if found is None:
            given = {"Code": number, "Description": letters, "AlphabeticCode": letters, "FullName": item.values["Name"]}
            manager = self._session.catalogs[self._catalog.partition(".")[2]]
            obj = manager.new(**{n: v for n, v in given.items() if n in self._has})
            obj.write()
            found = self._known[number] = self._known[letters] = obj.ref
            self.added.append(letters)
        return found


def _is_rates(member: Member) -> bool:
    root = xml_root(member.head)
    return root is not None and root.name == ROOT


RATES = ClassifierKind(
    name="rates",
    title=Bilingual("Курсы валют Банка России", "Exchange rates of the Bank of Russia"),
    bring=Bilingual(
        "XML_daily.asp за день (или папка, архив с файлами за несколько дней)",
        "XML_daily.asp of a day (or a folder or archive with several days)",
    ),
    published="https://www.cbr.ru/scripts/XML_daily.asp",
    formats=(Format("XML_daily", members_where(_is_rates), lambda members, _: RatesFile(members), XML_STARTS),),
    target="InformationRegister",
    write=into_rates,
    fields=("Period", "Currency", "Rate", "Multiplicity"),
    accumulates=True,
    fresh_days=3,
)
