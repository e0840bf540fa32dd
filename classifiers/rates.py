"""Exchange rates of the Bank of Russia, forms XML_daily and XML_dynamic -> an information register by day and currency.

    <ValCurs Date="DD.MM.YYYY">                        one day: a Valute@ID per currency with NumCode, CharCode, Nominal, Name, Value
    <ValCurs ID="R01235" DateRange1="" DateRange2="">  one currency: a Record@Date@Id per day with Nominal, Value

Value is "83,5173", roubles for Nominal units. Files of several days and currencies are loaded together. A file of one currency names it by the
Bank's own code: a file of a day beside it may say which that is, else the list that comes with the product (`cbr_currencies.py`).
Currencies the base does not know are added to the catalog the register refers to.
"""

from __future__ import annotations

import datetime as dt
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from classifiers.cbr_currencies import Currency, currencies
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


class RatesReader(Reading, ABC):
    """What both forms share. `known`: the Bank's codes files of a day were seen to explain."""

    def __init__(self, member: Member, known: dict[str, Currency]) -> None:
        super().__init__(member)
        self.known = known

    @abstractmethod
    def rates(self) -> Iterator[Item]:
        """Every rate of the file."""

    def demand_root(self, step: Step) -> None:
        if step.name != ROOT:
            ru = f"корневой элемент {shown(step.name)}, нужен {ROOT}"
            raise refused(self.member.place, ru, f"root element {shown(step.name)}, {ROOT} is needed")

    def day_of(self, field: str, written: str) -> dt.date:
        return self.day(field, written.replace("/", "."), "%d.%m.%Y")

    def rate(self, day: dt.date, currency: Currency, row: Mapping[str, str]) -> Item:
        """The item of a day and a currency, from the texts of Nominal and Value."""
        key = currency.letters
        nominal = row.get("Nominal", "")
        if not _NOMINAL.fullmatch(nominal):
            ru, en = f"«{shown(nominal)}»: нужно целое число", f"{shown(nominal)!r}: a whole number is needed"
            raise self.wrong("Nominal", ru, en, key)
        rate = self.number("Value", row.get("Value", ""), key)
        if rate <= 0 or rate != rate.quantize(_RATE):
            ru = f"«{rate}»: нужно положительное число с 4 знаками"
            raise self.wrong("Value", ru, f"{rate}: a positive number of 4 decimals is needed", key)
        values: Row = {
            "Period": dt.datetime(day.year, day.month, day.day),
            "Rate": rate.quantize(_RATE),
            "Multiplicity": Decimal(nominal),
            "NumCode": currency.code,
            "CharCode": currency.letters,
            "Name": currency.name,
        }
        return Item("", values)


class DayReader(RatesReader):
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
        self.demand_root(step)
        self.version = self.day_of("Date", step.attributes().get("Date", ""))

    def _item(self, step: Step) -> Item:
        row = _texts(step)
        key = row.get("CharCode", "")
        if not re.fullmatch("[A-Z]{3}", key):
            ru, en = f"«{shown(key)}»: нужны три латинские буквы", f"{shown(key)!r}: three Latin letters are needed"
            raise self.wrong("CharCode", ru, en)
        code = self.digits("NumCode", row.get("NumCode", ""), 3, key)
        currency = Currency(code, key, self.text("Name", row.get("Name", ""), NAME_LENGTH, key))
        self.known.setdefault(step.attributes().get("ID", "").strip(), currency)
        assert self.version is not None
        return self.rate(self.version, currency, row)


class PeriodReader(RatesReader):
    """The rates of one currency for a period; only days the Bank set a rate on are there. The version is the last of them."""

    def rates(self) -> Iterator[Item]:
        seen: set[str] = set()
        own = ""
        first = last = dt.date.min
        for step in xml_steps(self):
            if step.depth == 0 and step.opened:
                self.demand_root(step)
                given = step.attributes()
                own = given.get("ID", "").strip()
                first, last = (self.day_of(n, given.get(n, "")) for n in ("DateRange1", "DateRange2"))
            elif step.depth == 1 and not step.opened and step.name == "Record":
                self.records += 1
                day = self._day(step, own, first, last)
                self.demand_new(seen, f"{day:%d.%m.%Y}", "Date")
                yield self.rate(day, self._currency(own), _texts(step))
                self.version = max(day, self.version or day)
                release(step.element)
        self.demand_records()

    def _day(self, step: Step, own: str, first: dt.date, last: dt.date) -> dt.date:
        given = step.attributes()
        code = given.get("Id", own).strip()
        if code != own:
            ru = f"«{shown(code)}»: в файле валюты {shown(own)} запись другой валюты"
            raise self.wrong("Id", ru, f"{shown(code)!r}: a record of another currency in a file of {shown(own)}")
        day = self.day_of("Date", given.get("Date", ""))
        if not first <= day <= last:
            ru = f"{day:%d.%m.%Y}: вне периода файла ({first:%d.%m.%Y} - {last:%d.%m.%Y})"
            raise self.wrong("Date", ru, f"{day}: outside the file's period ({first} - {last})", own)
        return day

    def _currency(self, code: str) -> Currency:
        found = self.known.get(code) or currencies().get(code)
        if found is None:
            ru = f"«{shown(code)}»: неизвестный код валюты Банка России; положите рядом XML_daily.asp за день с этой валютой"
            en = f"{shown(code)!r}: an unknown currency code of the Bank of Russia; put an XML_daily.asp with it beside the file"
            raise self.wrong("ID", ru, en)
        return found


def _texts(step: Step) -> dict[str, str]:
    return {local(str(e.tag)): " ".join((e.text or "").split()) for e in step.element}


class RatesFile:
    """The rates of one or several files. A day of a currency may be in a file of that day and in one of the currency, with the same rate."""

    def __init__(self, members: Sequence[Member]) -> None:
        known: dict[str, Currency] = {}
        self._days = [DayReader(m, known) for m in members if not _is_period(m)]
        self._periods = [PeriodReader(m, known) for m in members if _is_period(m)]
        self._files: list[RatesReader] = [*self._days, *self._periods]
        self._dates: set[object] = set()

    def items(self) -> Iterator[Item]:
        found: dict[tuple[object, object], tuple[Item, RatesReader]] = {}
        for file in self._files:
            for item in file.rates():
                key = (item.values["Period"], item.values["NumCode"])
                self._dates.add(key[0])
                if key not in found:
                    found[key] = (item, file)
                    yield item
                elif not _agree(item, file, *found[key]):
                    raise _twice(item, file, found[key][1])

    def version_date(self) -> dt.date:
        return max(file.version_date() for file in self._files)

    def counts(self) -> Mapping[str, int]:
        return {"records": sum(file.records for file in self._files), "days": len(self._dates)}

    def warning_count(self) -> int:
        return sum(file.warning_count() for file in self._files)

    def warnings(self) -> Sequence[FileWarning]:
        return [w for file in self._files for w in file.warnings()]


def _agree(item: Item, file: RatesReader, other: Item, first: RatesReader) -> bool:
    """Two files of one day are one too many, whatever they say."""
    same = all(item.values[name] == other.values[name] for name in ("Rate", "Multiplicity"))
    return same and not (isinstance(file, DayReader) and isinstance(first, DayReader))


def _twice(item: Item, file: RatesReader, first: RatesReader) -> ClassifierAmbiguous:
    day, names = item.values["Period"], f"{first.member.name}, {file.member.name}"
    assert isinstance(day, dt.datetime)
    if isinstance(file, DayReader):
        ru, en = f"два файла на {day:%d.%m.%Y}: {names}", f"two files for {day:%Y-%m-%d}: {names}"
    else:
        letters = str(item.values["CharCode"])
        ru = f"курс {letters} на {day:%d.%m.%Y} в файлах разный: {names}"
        en = f"the files differ in the rate of {letters} for {day:%Y-%m-%d}: {names}"
    return ClassifierAmbiguous(place=file.member.place, detail=Bilingual(ru, en))


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


def _is_period(member: Member) -> bool:
    root = xml_root(member.head)
    return root is not None and "Date" not in root.attributes and {"ID", "DateRange1"} & set(root.attributes) != set()


RATES = ClassifierKind(
    name="rates",
    title=Bilingual("Курсы валют Банка России", "Exchange rates of the Bank of Russia"),
    bring=Bilingual(
        "XML_daily.asp за день или XML_dynamic.asp валюты за период (или папка, архив с несколькими файлами)",
        "XML_daily.asp of a day or XML_dynamic.asp of a currency for a period (or a folder or archive with several)",
    ),
    file_name=Bilingual("XML_daily.xml", "XML_daily.xml"),
    published="https://www.cbr.ru/scripts/XML_daily.asp",
    formats=(Format("ValCurs", members_where(_is_rates), lambda members, _: RatesFile(members), XML_STARTS),),
    target="InformationRegister",
    write=into_rates,
    fields=("Period", "Currency", "Rate", "Multiplicity"),
    accumulates=True,
    fresh_days=3,
)
