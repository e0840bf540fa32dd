"""One region of a GAR set in a scratch store outside memory: objects, places in the hierarchy and parameters are joined there.

Files of a region may be of any size; nothing but one chunk and one batch of rows is held in memory.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Self

from classifiers.gar import KLADR_CODE, OKATO, OKTMO, PARAMETERS, POSTCODE, REGION_LEVEL, TAX_OFFICE
from classifiers.gar_parse import Attributes, GarRows
from classifiers.source import Member

BATCH = 5_000
_TABLES = """
CREATE TABLE object(number INTEGER PRIMARY KEY, record INTEGER, previous INTEGER, live INTEGER, guid, name, type, level INTEGER);
CREATE TABLE house(number INTEGER PRIMARY KEY, record INTEGER, previous INTEGER, live INTEGER, guid, name, building, type);
CREATE TABLE edge(number INTEGER PRIMARY KEY, record INTEGER, live INTEGER, path, parent INTEGER);
CREATE TABLE parameter(number INTEGER, type, live INTEGER, record INTEGER, value, PRIMARY KEY (number, type)) WITHOUT ROWID;
"""
_NEWER = (
    "ON CONFLICT DO UPDATE SET {sets} WHERE excluded.live > live OR (excluded.live = live AND excluded.record > record)"
)
"""Of several versions of one thing the live one holds, of several live or several dead ones the latest."""


class GarScratch:
    """`date`: the day of the set; what begins later or has ended does not count. Versions with a successor are left out: it is in the same
    delta, or loaded already."""

    def __init__(self, date: dt.date, house_types: Mapping[str, str], building_types: Mapping[str, str]) -> None:
        self._day = date.isoformat()
        self._house_types, self._building_types = house_types, building_types
        self.store = sqlite3.connect("", isolation_level=None)
        self.store.execute("PRAGMA journal_mode = OFF")
        self.store.executescript(_TABLES)
        self.store.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        self.store.close()

    def read(self, kind: str, member: Member, note: Callable[[int], None], *, dead: bool) -> int:
        """Take in one file; its rows. `dead`: keep what is not live, too, for a delta says by it what is gone."""
        rows = GarRows(member, kind)
        make = {
            "ADDR_OBJ": self._object,
            "HOUSES": self._house,
            "ADM_HIERARCHY": self._edge,
            "ADDR_OBJ_PARAMS": self._parameter,
            "HOUSES_PARAMS": self._parameter,
        }[kind]
        sql = _INSERTS[kind]
        batch: list[tuple[object, ...]] = []

        def handle(attributes: Attributes) -> None:
            made = make(rows, attributes, dead)
            if made is not None:
                batch.append(made)
                if len(batch) == BATCH:
                    self.store.executemany(sql, batch)
                    batch.clear()

        count = rows.read(handle, note)
        self.store.executemany(sql, batch)
        return count

    # --- rows of the files ---

    def _object(self, rows: GarRows, a: Attributes, dead: bool) -> tuple[object, ...] | None:
        rows.days(a, "STARTDATE", "ENDDATE", "UPDATEDATE")
        number = rows.number(a, "OBJECTID")
        live = rows.flag(a, "ISACTIVE") & rows.flag(a, "ISACTUAL")
        if not live and not (_last(rows, a) and dead):
            return None
        level = rows.number(a, "LEVEL")
        return (
            number,
            rows.number(a, "ID"),
            rows.number(a, "PREVID", "0"),
            live,
            rows.guid(a, "OBJECTGUID"),
            _name(rows, a),
            rows.text(a, "TYPENAME", 50),
            level,
        )

    def _house(self, rows: GarRows, a: Attributes, dead: bool) -> tuple[object, ...] | None:
        rows.days(a, "STARTDATE", "ENDDATE", "UPDATEDATE")
        number = rows.number(a, "OBJECTID")
        live = rows.flag(a, "ISACTIVE") & rows.flag(a, "ISACTUAL")
        if not live and not (_last(rows, a) and dead):
            return None
        additions = ((a.get(f"ADDTYPE{n}", ""), rows.text(a, f"ADDNUM{n}", 50)) for n in (1, 2))
        building = " ".join(f"{self._building_types.get(kind, '')}{number}" for kind, number in additions if number)
        return (
            number,
            rows.number(a, "ID"),
            rows.number(a, "PREVID", "0"),
            live,
            rows.guid(a, "OBJECTGUID"),
            rows.text(a, "HOUSENUM", 50),
            building[:100],
            self._house_types.get(a.get("HOUSETYPE", ""), "")[:50],
        )

    def _edge(self, rows: GarRows, a: Attributes, dead: bool) -> tuple[object, ...] | None:
        rows.days(a, "STARTDATE", "ENDDATE", "UPDATEDATE")
        number, path = rows.number(a, "OBJECTID"), a.get("PATH", "")
        live = rows.flag(a, "ISACTIVE")
        if not live and not (_last(rows, a) and dead):
            return None
        if not path.replace(".", "0").isdecimal() or not path.isascii() or path.rpartition(".")[2] != str(number):
            raise rows.wrong(
                "PATH", path, "нужны номера через точку до OBJECTID", "numbers with dots down to OBJECTID are needed"
            )
        if len(path) > 110:
            raise rows.wrong("PATH", path, "путь слишком длинный", "the path is too long")
        above = path.split(".")[-2:-1]
        return number, rows.number(a, "ID"), live, path, int(above[0]) if above else 0

    def _parameter(self, rows: GarRows, a: Attributes, dead: bool) -> tuple[object, ...] | None:
        kind = a.get("TYPEID", "")
        if kind not in PARAMETERS:
            return None
        number = rows.number(a, "OBJECTID")
        begins, ends = rows.day(a, "STARTDATE"), rows.day(a, "ENDDATE")
        live = not rows.number(a, "CHANGEIDEND", "0") and begins <= self._day < ends
        if not live and not dead:
            return None
        value = rows.text(a, "VALUE", 250)
        limit = _LIMITS[kind]
        if live and not (value.isascii() and value.isdigit() and len(value) <= limit):
            raise rows.wrong("VALUE", value, f"нужно до {limit} цифр", f"at most {limit} digits are needed")
        return number, kind, live, rows.number(a, "ID"), value

    # --- what comes of them ---

    def objects(self) -> Iterator[tuple[str, ...]]:
        """(path, level, name, type, guid, record, record of the place, postcode, OKATO, OKTMO, tax office, KLADR code), by path."""
        yield from self.store.execute(_JOINED.format(columns="o.level, o.name, o.type", table="object"))

    def houses(self) -> Iterator[tuple[str, ...]]:
        """(path, number, building, type, ...) likewise."""
        yield from self.store.execute(_JOINED.format(columns="o.name, o.building, o.type", table="house"))

    def count(self, table: str) -> int:
        """Live things that have a place."""
        sql = f"SELECT count(*) FROM {table} o JOIN edge e USING (number) WHERE o.live AND e.live"
        return int(self.store.execute(sql).fetchone()[0])

    def homeless(self) -> int:
        """Live objects without a place in the hierarchy."""
        sql = "SELECT count(*) FROM object o LEFT JOIN edge e USING (number) WHERE o.live AND NOT ifnull(e.live, 0)"
        return int(self.store.execute(sql).fetchone()[0])

    def is_whole(self) -> bool:
        """Whether this may be a full set: the region itself is there, and what everything hangs on (but for a hundredth)."""
        placed = "FROM object o JOIN edge e USING (number) WHERE o.live AND e.live"
        if not self.store.execute(f"SELECT count(*) {placed} AND o.level = {REGION_LEVEL}").fetchone()[0]:
            return False
        orphan = "e.parent AND NOT EXISTS (SELECT 1 FROM object p WHERE p.number = e.parent AND p.live)"
        all_of_them, orphans = self.store.execute(f"SELECT count(*), sum({orphan}) {placed}").fetchone()
        return int(orphans or 0) * 100 <= int(all_of_them)


def _name(rows: GarRows, a: Attributes) -> str:
    name = rows.text(a, "NAME", 250)
    if not name:
        raise rows.wrong("NAME", name, "не заполнено", "is empty")
    return name


def _last(rows: GarRows, a: Attributes) -> bool:
    """Whether no later version of the thing exists."""
    return not rows.number(a, "NEXTID", "0")


_LIMITS = {TAX_OFFICE: 4, POSTCODE: 6, OKATO: 11, OKTMO: 11, KLADR_CODE: 25}
_THING = "record = excluded.record, previous = excluded.previous, live = excluded.live, guid = excluded.guid, name = excluded.name, "
_INSERTS = {
    "ADDR_OBJ": "INSERT INTO object VALUES (?,?,?,?,?,?,?,?) "
    + _NEWER.format(sets=_THING + "type = excluded.type, level = excluded.level"),
    "HOUSES": "INSERT INTO house VALUES (?,?,?,?,?,?,?,?) "
    + _NEWER.format(sets=_THING + "building = excluded.building, type = excluded.type"),
    "ADM_HIERARCHY": "INSERT INTO edge VALUES (?,?,?,?,?) "
    + _NEWER.format(
        sets="record = excluded.record, live = excluded.live, path = excluded.path, parent = excluded.parent"
    ),
    "ADDR_OBJ_PARAMS": "INSERT INTO parameter VALUES (?,?,?,?,?) "
    + _NEWER.format(sets="record = excluded.record, live = excluded.live, value = excluded.value"),
}
_INSERTS["HOUSES_PARAMS"] = _INSERTS["ADDR_OBJ_PARAMS"]


def _value(kind: str) -> str:
    return f"ifnull((SELECT value FROM parameter p WHERE p.number = o.number AND p.type = '{kind}' AND p.live), '')"


_JOINED = (
    "SELECT e.path, {columns}, o.guid, o.record, e.record, "
    + ", ".join(_value(kind) for kind in (POSTCODE, OKATO, OKTMO, TAX_OFFICE, KLADR_CODE))
    + " FROM {table} o JOIN edge e USING (number) WHERE o.live AND e.live ORDER BY e.path"
)
