"""The kind "gar": full sets and deltas of GAR -> the registers of addresses, region by region.

A full set replaces a region when anything in it differs. A delta is applied to a region that was loaded from GAR, in the order of days;
one that does not continue what is loaded is refused: see `gar_delta`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack
from dataclasses import dataclass, field

from classifiers import address_store as store
from classifiers.address_file import AddressFile
from classifiers.address_regions import chosen_regions
from classifiers.address_store import Difference, RegionVersion, Targets
from classifiers.address_words import WordCollector
from classifiers.gar import HOUSE_KINDS, REGIONAL, SOURCE
from classifiers.gar_delta import apply_delta
from classifiers.gar_files import GarSet, gar_members, gar_sets
from classifiers.gar_rows import HOUSE_FIELDS, OBJECT_FIELDS, house_rows, object_rows
from classifiers.gar_scratch import GarScratch
from classifiers.gar_types import TYPE_FIELDS, region_names, short_names, types_of
from classifiers.kind import Changes, ClassifierKind, Format, Options, Work
from classifiers.source import Member, refused
from infobase.bulk_records import BulkRecords, bulk_records
from infobase.errors import DeltaRefused
from infobase.i18n import Bilingual, text

READING, WRITING = Bilingual("чтение ГАР, регион", "reading GAR, region"), Bilingual("запись", "writing")
MAX_DELTA_DAYS = 6
"""From one delta to the next: they come twice a week. `accept_gap` of the options allows more (the days around New Year)."""


class GarFile(AddressFile):
    """Opened sets, in the order to apply them. They are written by `into_registers`."""

    counted = REGIONAL

    def __init__(self, members: Sequence[Member], options: Options) -> None:
        super().__init__(options)
        self.sets = gar_sets(members)

    def version_date(self) -> dt.date:
        return self.sets[-1].date


@dataclass
class GarLoad:
    """One set under way."""

    work: Work
    targets: Targets
    set: GarSet
    houses: bool
    words: WordCollector
    found: dict[str, int]
    known: dict[str, RegionVersion]
    total: int = 0
    done: int = 0
    settled: int = 0
    past: Set[str] = frozenset()
    """Regions that hold a later one of the sets already."""
    difference: Difference = field(default_factory=Difference)
    remarks: list[str] = field(default_factory=list)

    def kinds(self, region: str) -> list[str]:
        """The files of a region that are read."""
        return kinds_read(self.set, region, houses=self.houses)


def kinds_read(one: GarSet, region: str, *, houses: bool) -> list[str]:
    """The files of a region of a set that are read."""
    own = one.regions[region]
    return [k for k in REGIONAL if k in own and (houses or k not in HOUSE_KINDS)]


def set_digest(one: GarSet, region: str, *, houses: bool) -> str:
    """Of the files of a region that are read."""
    made = hashlib.sha256(SOURCE.encode())
    for kind in kinds_read(one, region, houses=houses):
        made.update(kind.encode() + one.regions[region][kind].digest())
    return store.marked_digest(made.hexdigest())


def into_registers(work: Work) -> Changes:
    """The `write` of the kind. ClassifierInvalid, RegionUnknown, DeltaRefused."""
    file = work.file
    assert isinstance(file, GarFile)
    targets = store.targets_of(work.use)
    houses = bool(work.options.get("houses", True)) and bool(targets.houses)
    made, remarks = Difference(), []
    loaded = _loaded_sets(work, file.sets, targets, houses)
    for place, one in enumerate(file.sets):
        with WordCollector() as words:
            known = store.loaded_regions(work.session, targets.regions)
            load = GarLoad(work, targets, one, houses, words, file.found, known)
            load.past = {r for r, last in loaded.items() if place < last}
            _write_set(load)
        made.add(load.difference)
        remarks += [*load.remarks, *_not_loaded(one)]
        file.settled += load.settled
    if not any(file.found.get(kind, 0) for kind in REGIONAL) and made.nothing and not made.unchanged:
        raise refused(file.sets[0].place, "в файлах нет ни одной записи", "the files have no records")
    return Changes(made.added, made.changed, made.closed, made.unchanged, remarks=tuple(remarks))


def _not_loaded(one: GarSet) -> Iterator[str]:
    """What the set has besides, and nothing here holds."""
    for kind, (files, size) in sorted(one.not_loaded.items()):
        yield text(
            ru=f"{kind} не загружаются: файлов {files}, {size / 1e6:.1f} МБ",
            en=f"{kind} are not loaded: {files} files, {size / 1e6:.1f} MB",
        )


def _loaded_sets(work: Work, sets: Sequence[GarSet], targets: Targets, houses: bool) -> dict[str, int]:
    """Region -> which of several sets the base holds as its last: what stands before it has led there and is not read again."""
    found: dict[str, int] = {}
    if len(sets) == 1:
        return found
    known = store.loaded_regions(work.session, targets.regions)
    for place, one in enumerate(sets):
        for region in one.regions:
            if region in known and known[region].digest == set_digest(one, region, houses=houses):
                found[region] = place
    return found


def offered_regions(members: Sequence[Member]) -> dict[str, tuple[str, int]]:
    """What the sets offer to choose from: region -> (name, bytes)."""
    found: dict[str, int] = {}
    names: dict[str, str] = {}
    for one in gar_sets(members):
        for region in one.regions:
            found[region] = found.get(region, 0) + one.size(region, houses=True)
        names |= region_names(one)
    return {region: (names.get(region, ""), found[region]) for region in sorted(found)}


def _write_set(load: GarLoad) -> None:
    if not load.set.regions:
        raise refused(load.set.place, "нет папок регионов (01..99)", "there are no folders of regions (01..99)")
    if "" in load.set.regions:
        ru = "регион файла неизвестен: загрузите папку региона (01..99) со всеми её файлами"
        raise refused(load.set.place, ru, "the region is not known: load the folder of the region with all its files")
    wanted = load.work.options.get("regions") or ()
    # names are read from the files, which takes a while for a whole country: only when regions are called by name
    by_name = any(not str(w).isdigit() for w in wanted)  # type: ignore[attr-defined]
    names = region_names(load.set) if by_name else {r: v.name for r, v in load.known.items()}
    available = {r: (names.get(r, ""), load.set.size(r, houses=load.houses)) for r in sorted(load.set.regions)}
    regions = chosen_regions(load.work, available)
    regions = [r for r in regions if r not in load.past]
    if not regions:
        return
    load.total = sum(available[r][1] for r in regions)
    _write_types(load)
    house_types, building_types = short_names(load.set, "HOUSE_TYPES"), short_names(load.set, "ADDHOUSE_TYPES")
    versions = []
    for region in regions:
        digest = set_digest(load.set, region, houses=load.houses)
        before = load.known.get(region)
        if before is not None and before.digest == digest:
            load.settled += before.objects + before.streets + before.houses
            load.difference.unchanged += before.objects + before.streets + before.houses
            continue
        with GarScratch(load.set.date, house_types, building_types) as scratch:
            versions.append(_write_region(load, scratch, region, digest))
    load.words.write(load.work.session, load.targets.words)
    store.register_regions(load.work.session, load.targets.regions, versions)


def _write_types(load: GarLoad) -> None:
    member = load.set.common.get("ADDR_OBJ_TYPES")
    if member is None:
        load.remarks.append(
            text(ru="нет файла ADDR_OBJ_TYPES (сокращения)", en="there is no ADDR_OBJ_TYPES (abbreviations)")
        )
        return
    rows = types_of(member, load.set.date)
    with bulk_records(load.work.session, load.targets.types) as bulk:
        old = set(bulk.stream(tuple(TYPE_FIELDS), "Source", SOURCE))
        new = set(rows)
        kept = len(old & new)
        load.difference.add(Difference(len(new) - kept, 0, len(old) - kept, kept))
        if old != new:
            bulk.delete_range("Source", SOURCE)
            bulk.write(TYPE_FIELDS, rows)


def _write_region(load: GarLoad, scratch: GarScratch, region: str, digest: str) -> RegionVersion:
    before = load.known.get(region)
    kinds = load.kinds(region)
    first = [k for k in kinds if k in ("ADDR_OBJ", "ADM_HIERARCHY")]
    _read(load, scratch, region, first, dead=True)
    delta = load.set.named_delta or not scratch.is_whole()
    if delta:
        _demand_continues(load, region, before)
    elif before is not None and before.source == SOURCE and before.version_date > load.set.date:
        ru = f"регион {region}: был загружен более новый выпуск ({before.version_date:%d.%m.%Y})"
        load.remarks.append(text(ru=ru, en=f"region {region}: a newer issue was loaded ({before.version_date})"))
    _read(load, scratch, region, [k for k in kinds if k not in first], dead=delta)
    work = load.work
    with ExitStack() as stack:
        expected = scratch.count("object")
        objects = stack.enter_context(bulk_records(work.session, load.targets.objects, expected=expected))
        houses = None
        if load.houses:
            many = scratch.count("house")
            houses = stack.enter_context(bulk_records(work.session, load.targets.houses, expected=many))
        if delta:
            load.difference.add(apply_delta(scratch, region, objects, houses, load.words, load.set, load.remarks))
        else:
            load.difference.add(_replace_region(load, scratch, region, objects, houses))
        streets = objects.count("Code", region + ".", Level="8")
        places = objects.count("Code", region + ".") - streets
        count = houses.count("Code", region + ".") if houses else 0
        name = _region_name(objects, region) or (before.name if before else "")
    return RegionVersion(region, name, SOURCE, load.set.date, digest, places, streets, count)


def _read(load: GarLoad, scratch: GarScratch, region: str, kinds: Sequence[str], *, dead: bool) -> None:
    for kind in kinds:
        member = load.set.regions[region][kind]
        start = load.done

        def note(read: int, start: int = start) -> None:
            load.done = start + read
            load.work.progress(f"{READING} {region}", load.done, load.total)

        load.found[kind] = load.found.get(kind, 0) + scratch.read(kind, member, note, dead=dead)
        load.done = start + member.size


def _demand_continues(load: GarLoad, region: str, before: RegionVersion | None) -> None:
    """DeltaRefused unless the delta is the next one after what is loaded of the region."""
    date = load.set.date
    if before is None or before.source != SOURCE:
        ru, en = (
            f"регион {region} из ГАР не загружен: изменять нечего",
            f"region {region} is not loaded from GAR: there is no base",
        )
    elif not before.searchable:
        ru = f"регион {region} загружен прежней версией программы: загрузите сначала полный набор"
        en = f"region {region} was loaded by an earlier version of the program: load the full set first"
    elif date <= before.version_date:
        ru = f"регион {region}: загружено состояние на {before.version_date:%d.%m.%Y}, изменения от {date:%d.%m.%Y} не новее"
        en = f"region {region}: loaded as of {before.version_date}, the changes of {date} are not newer"
    elif (date - before.version_date).days > MAX_DELTA_DAYS and not load.work.options.get("accept_gap"):
        ru = f"регион {region}: загружено состояние на {before.version_date:%d.%m.%Y}, изменения от {date:%d.%m.%Y}: между ними пропуск"
        en = f"region {region}: loaded as of {before.version_date}, the changes are of {date}: some in between are missing"
    else:
        return
    raise DeltaRefused(place=load.set.place, detail=Bilingual(ru, en))


def _replace_region(
    load: GarLoad, scratch: GarScratch, region: str, objects: BulkRecords, houses: BulkRecords | None
) -> Difference:
    homeless = scratch.homeless()
    if homeless:
        ru, en = (
            f"регион {region}: объектов без места в иерархии: {homeless}",
            f"region {region}: objects without a place: {homeless}",
        )
        load.remarks.append(text(ru=ru, en=en))
    if not scratch.count("object"):
        raise refused(
            load.set.place, f"регион {region}: нет ни одного адреса", f"region {region}: there are no addresses"
        )
    found = Difference()

    def replace(bulk: BulkRecords, fields: Mapping[str, int], rows: Callable[[], Iterator[tuple[str, ...]]]) -> None:
        if not bulk.count("Code", region):
            found.added += bulk.write(fields, rows())
            return
        difference = store.compare(bulk, fields, region, rows(), keep=lambda _: True)
        found.add(difference)
        if not difference.nothing:
            bulk.delete_range("Code", region)
            bulk.write(fields, rows())

    load.work.progress(str(WRITING), load.done, load.total)
    replace(objects, OBJECT_FIELDS, lambda: object_rows(region, scratch.objects(), load.words))
    if houses is not None:
        replace(houses, HOUSE_FIELDS, lambda: house_rows(region, scratch.houses()))
    return found


def _region_name(objects: BulkRecords, region: str) -> str:
    found = list(objects.stream(("Name", "TypeName"), "Code", region + ".", Level="1"))
    return " ".join(map(str, found[0])).strip() if found else ""


GAR_FORMAT = Format(name="XML", select=gar_members, open=GarFile)
GAR = ClassifierKind(
    name="gar",
    called=Bilingual("ГАР", "GAR"),
    title=Bilingual("Адреса: ГАР (ФИАС)", "Addresses: GAR (FIAS)"),
    bring=Bilingual(
        "архив gar_xml.zip или gar_delta_xml.zip с сайта ФНС, или папку с его содержимым (папки регионов 01..99)",
        "gar_xml.zip or gar_delta_xml.zip from the tax service's site, or a folder of its content (regions 01..99)",
    ),
    file_name=Bilingual("gar_xml.zip", "gar_xml.zip"),
    published="https://fias.nalog.ru/Frontend",
    formats=(GAR_FORMAT,),
    target="InformationRegister",
    write=into_registers,
    accumulates=True,
    fresh_days=14,
    member_bytes=1 << 40,
    beside_data=True,
)
