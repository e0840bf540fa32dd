"""The kind "kladr": KLADR's tables -> the registers of addresses, region by region.

Order of writing: abbreviations, successors of codes, then regions to settlements, streets, houses. A region that is loaded already is compared
row by row and replaced when anything differs; other regions stay. A set without some of the tables replaces only what it has.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from classifiers import address_store as store
from classifiers.address_file import AddressFile
from classifiers.address_regions import chosen_regions
from classifiers.address_store import Difference, RegionVersion, Targets
from classifiers.address_words import WordCollector
from classifiers.dbf import DbfTable, Prefix, Survey
from classifiers.kind import Changes, ClassifierKind, Format, Options, Work
from classifiers.kladr import BY_NAME, SOURCE, STREET_LEVEL
from classifiers.kladr_files import KladrSet, kladr_members, kladr_set
from classifiers.kladr_rows import (
    HOUSE_FIELDS,
    OBJECT_FIELDS,
    STREET_FIELDS,
    Blocks,
    demand_widths,
    flat_blocks,
    house_blocks,
    place_blocks,
    rows_of,
    street_blocks,
)
from classifiers.source import Member, refused
from infobase.bulk_records import BulkRecords, bulk_records
from infobase.errors import ClassifierInvalid, NotUnique
from infobase.i18n import Bilingual, text

PART_FIELDS = {"KLADR": OBJECT_FIELDS, "STREET": STREET_FIELDS, "DOMA": HOUSE_FIELDS, "FLAT": HOUSE_FIELDS}
WITH_REGIONS = ("KLADR", "STREET", "DOMA", "FLAT")
TYPE_FIELDS = {"Source": 5, "Level": 2, "ShortName": 50, "FullName": 250, "TypeCode": 4}
SUCCESSOR_FIELDS = {"OldCode": 19, "NewCode": 19, "Level": 1}
TITLES = {
    "KLADR": Bilingual("населённые пункты", "settlements"),
    "STREET": Bilingual("улицы", "streets"),
    "DOMA": Bilingual("дома", "houses"),
    "FLAT": Bilingual("квартиры", "flats"),
    "ALTNAMES": Bilingual("переподчинение", "successors"),
    "SOCRBASE": Bilingual("сокращения", "abbreviations"),
}


class KladrFile(AddressFile):
    """An opened set. It is written by `into_registers`."""

    def __init__(self, members: Sequence[Member], options: Options) -> None:
        super().__init__(options)
        self.set: KladrSet = kladr_set(members)

    def version_date(self) -> dt.date:
        return self.set.date


@dataclass
class _Load:
    """One load under way. `parts`: tables taken, `surveys` of them."""

    work: Work
    file: KladrFile
    targets: Targets
    surveys: Mapping[str, Survey]
    regions: Sequence[str]
    words: WordCollector
    names: dict[str, str] = field(default_factory=dict)
    difference: Difference = field(default_factory=Difference)
    remarks: list[str] = field(default_factory=list)
    done: int = 0

    def table(self, part: str) -> DbfTable | None:
        return self.file.set.tables[part] if part in self.surveys else None


def into_registers(work: Work) -> Changes:
    """The `write` of the kind. ClassifierInvalid, RegionUnknown."""
    file = work.file
    assert isinstance(file, KladrFile)
    targets = store.targets_of(work.use)
    taken = _taken(file.set, targets, bool(work.options.get("houses", True)))
    surveys = {part: file.set.tables[part].survey(BY_NAME[part].code) for part in taken}
    _demand_records(file.set, surveys)
    regions = chosen_regions(work, _available(file.set, surveys))
    with WordCollector() as words:
        load = _Load(work, file, targets, surveys, regions, words)
        load.remarks += _missing(file.set, taken)
        _write_small(load)
        _write_regions(load)
    file.found = _counts(surveys, regions)
    made = load.difference
    return Changes(made.added, made.changed, made.closed, made.unchanged, remarks=tuple(load.remarks))


def _demand_records(tables: KladrSet, surveys: Mapping[str, Survey]) -> None:
    """A table without a live record would take away all that is loaded. Flats and successors are few: a set of some regions may have none."""
    if not any(s.records for s in surveys.values()):
        raise refused(tables.place, "в таблицах нет ни одной записи", "the tables have no records")
    for part, survey in surveys.items():
        if part not in ("FLAT", "ALTNAMES") and not survey.records:
            raise tables.tables[part].input.wrong("в таблице нет ни одной записи", "the table has no records")


def offered_regions(members: Sequence[Member]) -> dict[str, tuple[str, int]]:
    """What a set offers to choose from: region -> (name, records)."""
    tables = kladr_set(members)
    surveys = {p: t.survey(BY_NAME[p].code) for p, t in tables.tables.items() if p in WITH_REGIONS}
    return _available(tables, surveys)


def _taken(tables: KladrSet, targets: Targets, houses: bool) -> list[str]:
    wanted = {"SOCRBASE": True, "ALTNAMES": bool(targets.successors), "KLADR": True, "STREET": True}
    wanted |= dict.fromkeys(("DOMA", "FLAT"), houses and bool(targets.houses))
    return [part for part, yes in wanted.items() if yes and part in tables.tables]


def _missing(tables: KladrSet, taken: Sequence[str]) -> list[str]:
    remarks = []
    for part, title in TITLES.items():
        if part not in tables.tables:
            remarks.append(text(ru=f"нет таблицы {part} ({title})", en=f"there is no table {part} ({title})"))
        elif part not in taken:
            remarks.append(text(ru=f"таблица {part} не загружается", en=f"the table {part} is not loaded"))
    return remarks


def _available(tables: KladrSet, surveys: Mapping[str, Survey]) -> dict[str, tuple[str, int]]:
    """Region -> (name, records). Names are in the table KLADR."""
    sizes: dict[str, int] = {}
    for part in WITH_REGIONS:
        for region, count in surveys[part].regions.items() if part in surveys else ():
            sizes[region] = sizes.get(region, 0) + count
    bad = next((r for r in sizes if not (r.isascii() and r.isdigit())), None)
    if bad is not None:
        _name_bad_code(tables, surveys)
    names = region_names(tables.tables["KLADR"]) if "KLADR" in surveys else {}
    return {region: (names.get(region, ""), sizes[region]) for region in sorted(sizes)}


def _name_bad_code(tables: KladrSet, surveys: Mapping[str, Survey]) -> None:
    """A code that does not begin with two digits: read the table until its record is named."""
    for part in WITH_REGIONS:
        if part in surveys:
            table = tables.tables[part]
            for block in table.blocks((BY_NAME[part].code,)):
                for number, code in zip(block.numbers, block.columns[0], strict=True):
                    if not (code[:2].isascii() and code[:2].isdigit() and len(code) > 2):
                        ru = f"запись {number}, поле CODE: «{code}», нужны цифры"
                        raise table.input.wrong(ru, f"record {number}, field CODE: {code!r}, digits are needed")


def region_names(table: DbfTable) -> dict[str, str]:
    """Region -> its live name with its kind, from the table KLADR."""
    found = {}
    for block in table.blocks(("NAME", "SOCR", "CODE")):
        for name, kind, code in zip(*block.columns, strict=True):
            if code.endswith("00000000000") and len(code) == 13:
                found[code[:2]] = f"{name} {kind}".strip()
    return found


def _counts(surveys: Mapping[str, Survey], regions: Sequence[str]) -> dict[str, int]:
    """Records by table: those of the chosen regions."""
    found = {}
    for part, survey in surveys.items():
        if part in WITH_REGIONS or (regions and survey.regions):
            found[part] = sum(survey.regions.get(region, 0) for region in regions)
        else:
            found[part] = survey.records
    return found


# --- small tables: compared as a whole ---


def _write_small(load: _Load) -> None:
    types = load.table("SOCRBASE")
    if types is not None:
        published = types.rows(("LEVEL", "SCNAME", "SOCRNAME", "KOD_T_ST"))
        kinds = ((SOURCE, *map(str.strip, row)) for row in published)
        _replace(load, load.targets.types, TYPE_FIELDS, list(kinds), "Source", SOURCE, types)
    successors = load.table("ALTNAMES")
    if successors is not None:
        by_region: dict[str, list[tuple[str, ...]]] = {}
        chosen = set(load.regions)
        for row in successors.rows(("OLDCODE", "NEWCODE", "LEVEL")):
            if not chosen or row[0][:2] in chosen:
                by_region.setdefault(row[0][:2], []).append(row)
        for region, rows in sorted(by_region.items()):
            _replace(load, load.targets.successors, SUCCESSOR_FIELDS, rows, "OldCode", region, successors)


def _replace(
    load: _Load,
    register: str,
    fields: Mapping[str, int],
    rows: list[tuple[str, ...]],
    field_name: str,
    begins: str,
    table: DbfTable,
) -> None:
    """Records whose `field_name` begins so become `rows`; keys are the fields that make them unique, so a row is its own key."""
    with bulk_records(load.work.session, register) as bulk:
        old, new = set(bulk.stream(tuple(fields), field_name, begins)), set(rows)
        kept = len(old & new)
        load.difference.add(Difference(len(new) - kept, 0, len(old) - kept, kept))
        if old != new:
            bulk.delete_range(field_name, begins)
            _written(table, lambda: bulk.write(fields, list(dict.fromkeys(rows))), rows)


def _written(table: DbfTable, write: Callable[[], int], rows: Sequence[tuple[str, ...]]) -> int:
    try:
        return write()
    except NotUnique as error:
        raise _repeated(table, [r[0] for r in rows]) from error


def _repeated(table: DbfTable, codes: Iterable[str]) -> ClassifierInvalid:
    seen: set[str] = set()
    for number, code in enumerate(codes, 1):
        if code in seen:
            ru = f"запись {number}: «{code}» встречается второй раз"
            return table.input.wrong(ru, f"record {number}: {code!r} occurs for the second time")
        seen.add(code)
    return table.input.wrong("записи повторяются", "records occur twice")


# --- regions ---


def _write_regions(load: _Load) -> None:
    session, targets = load.work.session, load.targets
    known = store.loaded_regions(session, targets.regions)
    pending = [r for r in load.regions if r not in known or known[r].digest != _digest(load, r, known[r])]
    total = sum(_size(load, r) for r in pending)
    with ExitStack() as stack:
        objects = stack.enter_context(bulk_records(session, targets.objects, expected=total))
        houses = stack.enter_context(bulk_records(session, targets.houses, expected=total)) if targets.houses else None
        differing = [r for r in pending if _differs(load, objects, houses, r, known.get(r))]
        _insert(load, objects, houses, differing)
    load.remarks += [_newer(known[r]) for r in differing if _is_newer(known.get(r), load.file.set.date)]
    if differing:
        load.words.write(session, targets.words)
    settled = [r for r in load.regions if r not in pending]
    load.difference.unchanged += sum(_size(load, r) for r in settled)
    store.register_regions(session, targets.regions, [_version(load, r, known.get(r)) for r in pending])


def _is_newer(before: RegionVersion | None, date: dt.date) -> bool:
    return before is not None and before.source == SOURCE and before.version_date > date


def _newer(before: RegionVersion) -> str:
    ru = f"регион {before.region}: был загружен более новый выпуск ({before.version_date:%d.%m.%Y})"
    return text(ru=ru, en=f"region {before.region}: a newer issue was loaded ({before.version_date})")


def _digest(load: _Load, region: str, before: RegionVersion | None) -> str:
    """Of the tables taken that know the region. Without the mark where objects stay that lie under search keys of another scheme."""
    parts = [s.sha256 for part, s in load.surveys.items() if part in WITH_REGIONS and region in s.regions]
    made = hashlib.sha256(" ".join([SOURCE, *parts]).encode()).hexdigest()
    kept = before is not None and before.source == SOURCE and not {"KLADR", "STREET"} <= load.surveys.keys()
    return made if kept and before is not None and not before.searchable else store.marked_digest(made)


def _size(load: _Load, region: str) -> int:
    return sum(load.surveys[p].regions.get(region, 0) for p in WITH_REGIONS if p in load.surveys)


def _version(load: _Load, region: str, before: RegionVersion | None) -> RegionVersion:
    def count(part: str, old: int) -> int:
        return load.surveys[part].regions.get(region, 0) if part in load.surveys else old

    old = before if before is not None and before.source == SOURCE else None
    return RegionVersion(
        region,
        load.names.get(region) or (old.name if old else ""),
        SOURCE,
        load.file.set.date,
        _digest(load, region, before),
        count("KLADR", old.objects if old else 0),
        count("STREET", old.streets if old else 0),
        count("DOMA", old.houses if old else 0),
    )


def _differs(
    load: _Load, objects: BulkRecords, houses: BulkRecords | None, region: str, before: RegionVersion | None
) -> bool:
    """Compare a region with the base; when anything differs, what will be replaced is deleted."""
    if before is None and not objects.count("Code", region):
        load.difference.added += _size(load, region)
        return True
    if before is not None and before.source != SOURCE:
        load.difference.closed += objects.delete_range("Code", region)
        load.difference.closed += houses.delete_range("Code", region) if houses else 0
        load.difference.added += _size(load, region)
        return True
    found = Difference()
    _compare_parts(load, objects, houses, region, found)
    load.difference.add(found)
    if found.nothing:
        return False
    for part in load.surveys:
        _delete_part(objects, houses, part, region)
    return True


def _compare_parts(
    load: _Load, objects: BulkRecords, houses: BulkRecords | None, region: str, found: Difference
) -> None:
    chosen = Prefix("CODE", frozenset({region}))
    for part, table in load.file.set.tables.items():
        if part not in load.surveys or part not in WITH_REGIONS:
            continue
        rows = rows_of(_blocks(load, part, table, chosen, lambda _: None))
        bulk = objects if part in ("KLADR", "STREET") else houses
        if bulk is not None:
            found.add(_compared(bulk, PART_FIELDS[part], part, region, rows))


def _compared(
    bulk: BulkRecords, fields: Mapping[str, int], part: str, region: str, rows: Iterable[tuple[str, ...]]
) -> Difference:
    return store.compare(bulk, fields, region, rows, keep=lambda code: _part_of(code) == part)


def _part_of(code: str) -> str:
    return {13: "KLADR", 17: "STREET", 19: "DOMA", 23: "FLAT"}.get(len(code), "")


def _delete_part(objects: BulkRecords, houses: BulkRecords | None, part: str, region: str) -> None:
    if part == "STREET":
        objects.delete_range("Code", region, Level=STREET_LEVEL)
    elif part == "KLADR":
        for level in ("1", "2", "3", "4"):
            objects.delete_range("Code", region, Level=level)
    elif part in ("DOMA", "FLAT") and houses is not None:
        houses.delete_range("Code", region)


def _blocks(load: _Load, part: str, table: DbfTable, region: Prefix | None, note: Callable[[int], None]) -> Blocks:
    match part:
        case "KLADR":
            return place_blocks(table, region, load.words, load.names, note)
        case "STREET":
            return street_blocks(table, region, load.words, note)
        case "DOMA":
            return house_blocks(table, region, note)
        case _:
            return flat_blocks(table, region, note)


def _insert(load: _Load, objects: BulkRecords, houses: BulkRecords | None, regions: Sequence[str]) -> None:
    if not regions:
        return
    total = sum(_size(load, r) for r in regions)
    for part in WITH_REGIONS:
        table = load.table(part)
        bulk = objects if part in ("KLADR", "STREET") else houses
        if table is None or bulk is None:
            continue
        demand_widths(table)
        every = set(load.surveys[part].regions) <= set(regions)
        prefix = None if every else Prefix("CODE", frozenset(regions))
        title = str(TITLES[part])

        def note(count: int, title: str = title) -> None:
            load.done += count
            load.work.progress(title, load.done, total)

        try:
            bulk.write_columns(PART_FIELDS[part], _blocks(load, part, table, prefix, note))
        except NotUnique as error:
            codes = (code for block in table.blocks(("CODE",)) for code in block.columns[0])
            raise _repeated(table, codes) from error


KLADR_FORMAT = Format(name="DBF", select=kladr_members, open=KladrFile, fallback=(b"\x03",))
KLADR = ClassifierKind(
    name="kladr",
    called=Bilingual("КЛАДР", "KLADR"),
    title=Bilingual("Адреса: КЛАДР", "Addresses: KLADR"),
    bring=Bilingual(
        "архив BASE.7Z (или zip) с таблицами KLADR.DBF, STREET.DBF, DOMA.DBF, SOCRBASE.DBF, ALTNAMES.DBF, или папку с ними",
        "BASE.7Z (or a zip) with KLADR.DBF, STREET.DBF, DOMA.DBF, SOCRBASE.DBF, ALTNAMES.DBF, or a folder of them",
    ),
    file_name=Bilingual("base.7z", "base.7z"),
    published="https://www.gnivc.ru/inf_provision/classifiers_reference/kladr/",
    formats=(KLADR_FORMAT,),
    target="InformationRegister",
    write=into_registers,
    accumulates=True,
    fresh_days=120,
    member_bytes=4 << 30,
    beside_data=True,
)
