"""Applying one delta of GAR to a region of the base: an upsert by the number of the object.

A delta holds the changed things only: the closed old version and the new one, the new place in the hierarchy, changed parameters. What it takes
away (not active and without a successor) stays in the base as obsolete and is no longer searched. Every new version of an object that is loaded
must follow the very version that is loaded (PREVID), or the delta before this one is missing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from classifiers.address_store import Difference
from classifiers.address_words import WordCollector
from classifiers.gar import GONE, KLADR_CODE, OKATO, OKTMO, POSTCODE, STREET_LEVEL, TAX_OFFICE
from classifiers.gar_files import GarSet
from classifiers.gar_rows import HOUSE_FIELDS, OBJECT_FIELDS, search_key_of
from classifiers.gar_scratch import GarScratch
from infobase.bulk_records import BulkRecords
from infobase.errors import DeltaRefused
from infobase.i18n import Bilingual, text

PARAMETER_FIELDS = {
    POSTCODE: "Postcode",
    OKATO: "OKATO",
    OKTMO: "OKTMO",
    TAX_OFFICE: "TaxOffice",
    KLADR_CODE: "KLADRCode",
}
Record = dict[str, str]


@dataclass
class _Part:
    """Objects or houses. `table`: of the scratch store; `names`: its columns that go to fields of the register as they are."""

    table: str
    bulk: BulkRecords
    fields: Mapping[str, int]
    names: Mapping[str, str]
    changed: dict[str, Record] = field(default_factory=dict)
    """New records by code."""
    dropped: set[str] = field(default_factory=set)
    """Codes whose records are replaced or moved."""


def apply_delta(
    scratch: GarScratch,
    region: str,
    objects: BulkRecords,
    houses: BulkRecords | None,
    words: WordCollector,
    delta: GarSet,
    remarks: list[str],
) -> Difference:
    """What changed. DeltaRefused when a version in between is missing."""
    found = Difference()
    parts = [
        _Part("object", objects, OBJECT_FIELDS, {"name": "Name", "type": "TypeName", "guid": "GUID", "level": "Level"})
    ]
    if houses is not None:
        names = {"name": "Numbers", "building": "Building", "type": "TypeName", "guid": "GUID"}
        parts.append(_Part("house", houses, HOUSE_FIELDS, names))
    moved: dict[str, str] = {}
    for part in parts:
        _apply(scratch.store, region, part, delta, moved, found, remarks)
    for part in parts:
        _move_below(part, region, moved)
        _write(part, words)
    return found


def _apply(
    store: sqlite3.Connection,
    region: str,
    part: _Part,
    delta: GarSet,
    moved: dict[str, str],
    found: Difference,
    remarks: list[str],
) -> None:
    touched = {
        row[0]
        for row in store.execute(
            f"SELECT number FROM {part.table} UNION SELECT number FROM edge UNION SELECT number FROM parameter"
        )
    }
    loaded = _loaded(part, region, touched)
    homeless = 0
    for number in sorted(touched):
        old = loaded.get(number)
        thing = _row(store, part.table, number)
        edge = _row(store, "edge", number)
        if old is None and (thing is None or not thing["live"]):
            continue
        if old is not None and thing is not None:
            _demand_follows(part, old, thing, delta)
        if old is None and (edge is None or not edge["live"]):
            homeless += 1
            continue
        new = _changed(store, part, region, number, dict(old or {}), thing, edge)
        if old is None:
            found.added += 1
        elif new == old:
            found.unchanged += 1
            continue
        elif new.get("Actuality", "") == GONE or not new:
            found.closed += 1
        else:
            found.changed += 1
        if old is not None:
            part.dropped.add(old["Code"])
            if new and new["Code"] != old["Code"]:
                moved[old["Code"]] = new["Code"]
        if new:
            part.changed[new["Code"]] = new
    if homeless:
        ru, en = (
            f"регион {region}: новых объектов без места в иерархии: {homeless}",
            f"region {region}: new objects without a place: {homeless}",
        )
        remarks.append(text(ru=ru, en=en))


def _loaded(part: _Part, region: str, touched: set[int]) -> dict[int, Record]:
    """The records of the touched things, by number: the last part of the code."""
    names = tuple(part.fields)
    made = {}
    for row in part.bulk.stream(names, "Code", region + "."):
        number = int(str(row[0]).rpartition(".")[2])
        if number in touched:
            made[number] = dict(zip(names, map(str, row), strict=True))
    return made


def _row(store: sqlite3.Connection, table: str, number: int) -> sqlite3.Row | None:
    cursor = store.cursor()
    cursor.row_factory = sqlite3.Row
    found: sqlite3.Row | None = cursor.execute(f"SELECT * FROM {table} WHERE number = ?", (number,)).fetchone()
    return found


def _demand_follows(part: _Part, old: Record, thing: sqlite3.Row, delta: GarSet) -> None:
    record = int(old["SourceRecords"].partition("/")[0])
    if thing["record"] in (record,) or thing["previous"] in (0, record) or thing["record"] < record:
        return
    ru = f"{old['Code']}: запись {thing['record']} продолжает {thing['previous']}, а загружена {record}: между ними пропущены изменения"
    en = f"{old['Code']}: record {thing['record']} follows {thing['previous']}, but {record} is loaded: changes in between are missing"
    raise DeltaRefused(place=delta.place, detail=Bilingual(ru, en))


def _changed(
    store: sqlite3.Connection,
    part: _Part,
    region: str,
    number: int,
    record: Record,
    thing: sqlite3.Row | None,
    edge: sqlite3.Row | None,
) -> Record:
    """The new record; {} for a house that is gone."""
    place, _, at = record.get("SourceRecords", "0/0").partition("/")
    record = {name: record.get(name, "") for name in part.fields}
    for column, name in part.names.items() if thing is not None and thing["live"] else ():
        record[name] = str(thing[column])  # type: ignore[index]
    if thing is not None and thing["record"] >= int(place):
        place = str(thing["record"])
    gone = thing is not None and not thing["live"]
    if edge is not None and edge["live"]:
        record["Code"] = f"{region}.{edge['path']}"
        at = str(edge["record"])
    elif edge is not None and str(edge["record"]) == at:
        gone = True
    record["SourceRecords"] = f"{place}/{at}"
    _set_parameters(store, record, number)
    if part.table == "house":
        return {} if gone else record
    level = int(record["Level"] or STREET_LEVEL)
    record["Actuality"] = GONE if gone else ""
    record["SearchKey"] = "" if gone else search_key_of(record["Name"], level)
    return record


def _set_parameters(store: sqlite3.Connection, record: Record, number: int) -> None:
    """A live parameter is set; one that has ended is cleared if it is the one that is loaded."""
    for kind, live, value in store.execute("SELECT type, live, value FROM parameter WHERE number = ?", (number,)):
        name = PARAMETER_FIELDS[kind]
        if name not in record:
            continue
        if live:
            record[name] = str(value)
        elif record[name] == value:
            record[name] = ""


def _move_below(part: _Part, region: str, moved: Mapping[str, str]) -> None:
    """What hangs on a moved object follows it, unless the delta says where it is."""
    if not moved:
        return
    names = tuple(part.fields)
    for row in list(part.bulk.stream(names, "Code", region + ".")):
        code = str(row[0])
        above = _moved_above(code, moved)
        if above is not None and code not in part.dropped:
            part.dropped.add(code)
            new = moved[above] + code[len(above) :]
            part.changed.setdefault(new, dict(zip(names, (new, *map(str, row[1:])), strict=True)))


def _moved_above(code: str, moved: Mapping[str, str]) -> str | None:
    while "." in (code := code.rpartition(".")[0]):
        if code in moved:
            return code
    return None


def _write(part: _Part, words: WordCollector) -> None:
    part.bulk.delete_values("Code", sorted(part.dropped | set(part.changed)))
    names = tuple(part.fields)
    rows: Sequence[Record] = list(part.changed.values())
    if rows:
        words.add([r["SearchKey"] for r in rows if "SearchKey" in r])
        part.bulk.write(part.fields, _values(rows, names))


def _values(rows: Sequence[Record], names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for row in rows:
        yield tuple(row[name] for name in names)
