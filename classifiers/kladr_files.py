"""A set of KLADR's tables among the members of a folder or an archive, or one table alone. Tables are known by their fields, not by their names."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from classifiers.dbf import DbfTable
from classifiers.dbf_header import VERSIONS, DbfInput
from classifiers.kladr import BY_NAME, ENCODING, PARTS, Part
from classifiers.source import Member, Source, reading_errors, refused
from infobase.errors import ClassifierAmbiguous, ClassifierInvalid
from infobase.i18n import Bilingual

MAX_TABLE_BYTES = 4 << 30


@dataclass(frozen=True)
class KladrSet:
    """Tables by part name. `date`: the day all of them were made. `place`: for messages."""

    place: str
    tables: dict[str, DbfTable]
    date: dt.date


def kladr_members(source: Source) -> Sequence[Member]:
    """The tables of KLADR in a source. When there is one, files that have the name of one but are something else, and damaged .dbf files,
    belong to the set as well, so that they are told of and not passed over."""
    found = [m for m in source.members if _part_of(m) is not None]
    if found:
        found += [m for m in source.members if m not in found and _pretends(m)]
    return sorted(found, key=lambda m: m.name)


def _pretends(member: Member) -> bool:
    stem, _, suffix = member.base_name.upper().rpartition(".")
    return suffix == "DBF" and (stem in BY_NAME or _broken(member))


def kladr_set(members: Sequence[Member]) -> KladrSet:
    """The tables, their headers read and checked. ClassifierInvalid, ClassifierAmbiguous: one twice, of different days, damaged."""
    tables: dict[str, DbfTable] = {}
    for member in members:
        table = DbfTable(table_input(member), ENCODING)
        part = _part(table)
        if part is None:
            fields = ", ".join(table.header.by_name)
            ru, en = f"это не таблица КЛАДР (поля: {fields})", f"not a table of KLADR (fields: {fields})"
            raise refused(member.place, ru, en)
        table.header.demand(table.input, part.fields)
        if part.name in tables:
            first = tables[part.name].input.place
            ru, en = f"таблица {part.name} есть и в {first}", f"the table {part.name} is in {first} as well"
            raise ClassifierAmbiguous(place=member.place, detail=Bilingual(ru, en))
        tables[part.name] = table
    place = members[0].place if len(members) == 1 else str(Path(members[0].place).parent)
    return KladrSet(place, tables, _common_date(place, tables))


def table_input(member: Member) -> DbfInput:
    """A member as the DBF reader takes it."""
    return DbfInput(Path(member.place), member.size, lambda: _Stream(member))


class _Stream:
    """A member opened until it is closed; its reading errors are told as the classifier's."""

    def __init__(self, member: Member) -> None:
        self._place = member.place
        self._opened: AbstractContextManager[IO[bytes]] = member.open()
        self._file = self._opened.__enter__()

    def read(self, count: int, /) -> bytes:
        with reading_errors(self._place):
            return self._file.read(count)

    def close(self) -> None:
        self._opened.__exit__(None, None, None)


def _part_of(member: Member) -> Part | None:
    if member.size < 65 or not member.head or member.head[0] not in VERSIONS:
        return None
    try:
        return _part(DbfTable(table_input(member), ENCODING))
    except ClassifierInvalid:
        return None


def _part(table: DbfTable) -> Part | None:
    """Tables share most of their fields; the width of the code tells them apart."""
    fields = table.header.by_name
    possible = [p for p in PARTS if set(p.fields) <= set(fields)]
    exact = [p for p in possible if not p.code or fields[p.code].width == p.fields[p.code]]
    return next(iter(exact), max(possible, key=lambda p: len(p.fields), default=None))


def _broken(member: Member) -> bool:
    try:
        DbfTable(table_input(member), ENCODING)
    except ClassifierInvalid:
        return True
    return False


def _common_date(place: str, tables: dict[str, DbfTable]) -> dt.date:
    dates = {name: table.header.date for name, table in tables.items()}
    undated = next((name for name, date in dates.items() if date is None), None)
    if undated is not None:
        raise refused(place, f"{undated}: дата в заголовке неверна", f"{undated}: the date in the header is wrong")
    found = sorted({d for d in dates.values() if d is not None})
    if len(found) > 1:
        listing = ", ".join(f"{name} {date:%d.%m.%Y}" for name, date in dates.items() if date)
        ru = f"таблицы разных дат ({listing}): это разные выпуски; положите рядом таблицы одного"
        en = f"tables of different days ({listing}): different issues; put the tables of one side by side"
        raise ClassifierAmbiguous(place=place, detail=Bilingual(ru, en))
    return found[0]
