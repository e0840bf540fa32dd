"""The bank directory in its older forms: the Bank of Russia's DBF set (until the end of 2018) and the tab-separated text set.

DBF: BNKSEEK (participants); TNP (kinds of settlements) and BNKDEL (closed ones) beside it when they are there. Published in cp866; copies
saved again by other programs come in windows-1251, with fields of other widths and types, more of them or fewer: NEWNUM and NAMEP must be there.
Text (`bnk.zip`): bnkseek.txt of seven columns, windows-1251: -, town, kind of settlement 1..7, name, REAL, BIC, correspondent account;
bnkdel.txt and reg.txt beside it.

Both know less than ED807; what they do not know (SWIFT, English names, accounts but the correspondent one) stays as it is in the base.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

from classifiers.account_key import cbr_prefix, is_account, is_bic, key_ok
from classifiers.dbf import DbfTable
from classifiers.dbf_header import VERSIONS, DbfInput, read_bytes
from classifiers.kind import Format, Item
from classifiers.kladr_files import table_input
from classifiers.reading import Reading, date_in_name, only
from classifiers.recognise import head_text, looks_like_xml, russian_code_page
from classifiers.source import Member, Source
from classifiers.tables import decoded, demand_as_wide
from classifiers.text import shown
from infobase.errors import ClassifierAmbiguous
from infobase.i18n import Bilingual
from infobase.metadata.types import Value

SAMPLE_BYTES = 256 * 1024
"""How much of a table tells its code page."""
MIN_LETTERS = 20
_STATED = {0x57: "cp1251", 0xC9: "cp1251", 0x26: "cp866", 0x65: "cp866"}
"""The language byte of a DBF, for tables whose letters do not tell: mostly it is 0, and often wrong."""
TOWN_KINDS = {"1": "г", "2": "п", "3": "с", "4": "пгт", "5": "ст-ца", "6": "аул", "7": "рп"}
"""TNP, for sets that come without that table."""
MAX_DAYS_APART = 62
"""Between the dates of BNKSEEK and BNKDEL; further apart they are not one set."""
_REQUIRED = ("NEWNUM", "NAMEP")
_COLUMNS = (*_REQUIRED, "TNP", "NNP", "ADR", "IND", "RGN", "KSNP", "PZN", "REGN", "RKC", "REAL", "DATE_IN")
_MADE_OF = {
    "CorrespondentAccount": "KSNP",
    "City": "NNP",
    "Restrictions": "REAL",
    "Address": "ADR",
    "Postcode": "IND",
    "Region": "RGN",
    "ParticipantType": "PZN",
    "RegistrationNumber": "REGN",
    "DateIn": "DATE_IN",
}
"""What a table without a field says nothing of: it stays as it is in the base."""
_DIGITS = {"NEWNUM": 9, "RKC": 9, "KSNP": 20, "IND": 6, "RGN": 2, "PZN": 2}
"""Codes kept as numbers lose their zeros at the left."""
NAME_LENGTH, CITY_LENGTH, ADDRESS_LENGTH = 160, 50, 200


class LegacyReading(Reading):
    """What both sets share: one participant -> an item of the classifier."""

    def __init__(self, member: Member) -> None:
        super().__init__(member)
        self.deleted = 0
        self._seen: set[str] = set()

    def counts(self) -> Mapping[str, int]:
        return {"records": self.records, "deleted": self.deleted}

    def item(self, row: Mapping[str, str], kinds: Mapping[str, str]) -> Item:
        bic = self.digits("BIC", row["BIC"], 9)
        self.demand_new(self._seen, bic, "BIC")
        kind, town = kinds.get(row["TNP"].strip(), ""), " ".join(row["NNP"].split())
        values: dict[str, Value] = {
            "Description": self.text("NAMEP", row["NAMEP"], NAME_LENGTH, bic, required=True),
            "CorrespondentAccount": self._account(row["KSNP"].strip(), row.get("RKC", "").strip(), bic),
            "City": self.text("NNP", f"{kind} {town}".strip(), CITY_LENGTH, bic),
            "Restrictions": self.text("REAL", row["REAL"], 50, bic),
            "Closed": False,
            "DateOut": None,
        }
        return Item(bic, values)

    def _account(self, account: str, keeper: str, bic: str) -> str:
        if account and not is_account(account):
            ru, en = f"«{shown(account)}»: нужно 20 цифр", f"{shown(account)!r}: 20 digits are needed"
            raise self.wrong("KSNP", ru, en, bic)
        if account and not key_ok(cbr_prefix(keeper if is_bic(keeper) else bic), account):
            self.warn(bic, "KSNP", account, "неверный ключ счёта", "wrong account key")
        return account


class DbfBanks(LegacyReading):
    """The DBF set."""

    def __init__(self, seek: Member, kinds: Member | None, deleted: Member | None) -> None:
        super().__init__(seek)
        self._table = _table(seek, _REQUIRED)
        self.version = self._table.header.date or date_in_name(seek)
        self._kinds = _town_kinds(kinds) if kinds else TOWN_KINDS
        if deleted is not None:
            closed = _table(deleted, ("NEWNUM",))
            self._demand_one_day(deleted, closed.header.date)
            self.deleted = closed.header.records

    def _demand_one_day(self, deleted: Member, day: dt.date | None) -> None:
        if day is None or self.version is None or abs((day - self.version).days) <= MAX_DAYS_APART:
            return
        ru = f"таблицы разных дней: {self.member.name} от {self.version:%d.%m.%Y}, {deleted.name} от {day:%d.%m.%Y}"
        en = f"tables of different days: {self.member.name} of {self.version}, {deleted.name} of {day}"
        raise ClassifierAmbiguous(place=deleted.place, detail=Bilingual(ru, en))

    def items(self) -> Iterator[Item]:
        names = [n for n in _COLUMNS if n in self._table.header.by_name]
        for block in self._table.blocks(names):
            for number, cells in zip(block.numbers, zip(*block.columns, strict=True), strict=True):
                self.records += 1
                yield self._item(number, dict(zip(names, cells, strict=True)))
        self.demand_records()

    def _item(self, number: int, row: dict[str, str]) -> Item:
        counted, self.records = self.records, number
        row = dict.fromkeys(_COLUMNS, "") | {name: self._whole(name, value) for name, value in row.items()}
        made = self.item({**row, "BIC": row["NEWNUM"]}, self._kinds)
        values = {
            **made.values,
            "Address": self.text("ADR", row["ADR"], ADDRESS_LENGTH, made.code),
            "Postcode": row["IND"].strip(),
            "Region": row["RGN"].strip(),
            "ParticipantType": row["PZN"].strip(),
            "RegistrationNumber": row["REGN"].strip(),
            "DateIn": self._date(row["DATE_IN"], made.code),
        }
        self.records = counted
        there = self._table.header.by_name
        return Item(made.code, {k: v for k, v in values.items() if _MADE_OF.get(k, "NAMEP") in there})

    def _whole(self, name: str, value: str) -> str:
        """A code with its zeros, when the table keeps it as a number."""
        value = value.strip()
        numeric = self._table.header.by_name[name].type in "NF"
        return value.zfill(_DIGITS[name]) if numeric and value.isdigit() and name in _DIGITS else value

    def _date(self, written: str, bic: str) -> dt.datetime | None:
        if not written.strip(" 0"):
            return None
        day = self.day("DATE_IN", written, "%d.%m.%Y" if "." in written else "%Y%m%d", bic)
        return dt.datetime(day.year, day.month, day.day)


class TextBanks(LegacyReading):
    """The tab-separated set."""

    def __init__(self, seek: Member, deleted: Member | None) -> None:
        super().__init__(seek)
        self.version = date_in_name(seek)
        if deleted is not None:
            self.deleted = sum(bool(line.strip()) for line in decoded(Reading(deleted)).splitlines())

    def items(self) -> Iterator[Item]:
        text = decoded(self)
        lines = text.splitlines()
        narrowest = 0
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.startswith("//"):
                continue
            self.records += 1
            row = line.split("\t")  # quotes are parts of names here
            if number == len(lines):
                demand_as_wide(self, text, row, narrowest, number)
            narrowest = min(narrowest or len(row), len(row))
            if len(row) < 6:
                raise self.wrong("", f"столбцов {len(row)}, нужно 7", f"{len(row)} columns, 7 are needed")
            row += [""] * (7 - len(row))  # without a correspondent account the last one may be left out
            names = ("-", "NNP", "TNP", "NAMEP", "REAL", "BIC", "KSNP")
            yield self.item(dict(zip(names, row, strict=False)), TOWN_KINDS)
        self.demand_records()


def _town_kinds(member: Member) -> Mapping[str, str]:
    table = _table(member, ("TNP", "SHORTNAME"))
    return {code.strip(): short.strip().lower() for code, short in table.rows(("TNP", "SHORTNAME"))}


def _table(member: Member, names: Sequence[str]) -> DbfTable:
    """A table in its own code page. ClassifierInvalid unless it has fields of these names, of whatever width."""
    source = table_input(member)
    table = DbfTable(source, _code_page(source))
    for name in names:
        if name not in table.header.by_name:
            there = ", ".join(table.header.by_name)
            raise source.wrong(f"нет поля {name} (есть: {there})", f"there is no field {name} (there are: {there})")
    return table


def _code_page(source: DbfInput) -> str:
    with closing(source.open()) as file:
        sample = read_bytes(file, SAMPLE_BYTES)
    stated = sample[29] if len(sample) > 29 else 0
    letters = bytes(b for b in sample[32:] if b >= 0x80)
    return russian_code_page(letters) if len(letters) >= MIN_LETTERS else _STATED.get(stated, "cp866")


# --- which members ---


def _fields(member: Member) -> frozenset[str]:
    """Names of the fields of what looks like a DBF."""
    head = member.head
    if len(head) < 65 or head[0] not in VERSIONS:
        return frozenset()
    names = (
        head[at : at + 11].split(b"\0")[0].decode("latin-1").strip().upper() for at in range(32, len(head) - 11, 32)
    )
    found: list[str] = []
    for name in names:
        if not re.fullmatch(r"[A-Z_][A-Z0-9_]*", name):
            break
        found.append(name)
    return frozenset(found)


def _role(member: Member) -> str:
    fields = _fields(member)
    if {"NEWNUM", "NAMEP"} <= fields:
        return "deleted" if fields & {"DATEDEL", "DATE_DEL"} else "seek"
    return "kinds" if {"TNP", "SHORTNAME"} <= fields else ""


def _dbf_members(source: Source) -> Sequence[Member]:
    found = [m for m in source.members if _role(m)]
    return sorted(found, key=lambda m: m.name) if any(_role(m) == "seek" for m in found) else ()


def _open_dbf(members: Sequence[Member], _: object) -> DbfBanks:
    by_role: dict[str, list[Member]] = {"seek": [], "deleted": [], "kinds": []}
    for member in members:
        by_role.setdefault(_role(member) or "seek", []).append(member)
    optional = {role: only(found) if found else None for role, found in by_role.items() if role != "seek"}
    return DbfBanks(only(by_role["seek"] or members), optional["kinds"], optional["deleted"])


def _text_role(member: Member) -> str:
    if looks_like_xml(member.head) or (b"\0" in member.head and not member.head.startswith((b"\xff\xfe", b"\xfe\xff"))):
        return ""
    rows = [line.split("\t") for line in head_text(member.head).splitlines()[:20] if not line.startswith("//")]
    seek = sum(len(r) >= 6 and is_bic(r[5].strip()) for r in rows)
    deleted = sum(len(r) >= 8 and is_bic(r[6].strip()) for r in rows)
    if seek * 2 > len(rows) > 0:
        return "seek"
    return "deleted" if deleted * 2 > len(rows) > 0 else ""


def _text_members(source: Source) -> Sequence[Member]:
    found = [m for m in source.members if m.size and _text_role(m)]
    return sorted(found, key=lambda m: m.name) if any(_text_role(m) == "seek" for m in found) else ()


def _open_text(members: Sequence[Member], _: object) -> TextBanks:
    deleted = [m for m in members if _text_role(m) == "deleted"]
    seek = [m for m in members if m not in deleted]
    return TextBanks(only(seek or members), only(deleted) if deleted else None)


LEGACY_DBF = Format("BNKSEEK.DBF", _dbf_members, _open_dbf, tuple(bytes([version]) for version in VERSIONS))
LEGACY_TEXT = Format("bnkseek.txt", _text_members, _open_text, tuple(bytes([c]) for c in range(0x30, 0x3A)))
