"""Sets of GAR among the members of a source: which files belong to which region, full or delta, of which day; in the order to apply them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from classifiers.gar import FILE_NAME, HOUSE_KINDS, NOT_LOADED, REGION_FOLDER, REGIONAL, ROOTS
from classifiers.recognise import looks_like_xml, xml_root
from classifiers.source import Member, Source, refused
from infobase.errors import ClassifierAmbiguous, ClassifierInvalid
from infobase.i18n import Bilingual

_REGION_CODE = re.compile(r"""\sREGIONCODE\s*=\s*["']([0-9]{1,2})["']""")
MAX_SPREAD_DAYS = 7
"""Between the files of one set: they are made over several days."""
BEFORE, AFTER = dt.timedelta(days=MAX_SPREAD_DAYS), dt.timedelta(days=31)
"""How far from its files the day in version.txt may be, which is that of publishing."""


@dataclass
class GarSet:
    """One full issue or one delta. `common`: dictionaries by kind; `regions`: region -> kind -> file. `named_delta`: its name says so."""

    place: str
    date: dt.date
    named_delta: bool
    common: dict[str, Member] = field(default_factory=dict)
    regions: dict[str, dict[str, Member]] = field(default_factory=dict)

    not_loaded: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Kind -> files with rows that are not loaded, and their bytes."""

    def size(self, region: str, *, houses: bool) -> int:
        """Bytes to read for a region."""
        files = self.regions.get(region, {})
        return sum(m.size for kind, m in files.items() if houses or kind not in HOUSE_KINDS)


def gar_members(source: Source) -> Sequence[Member]:
    """The files of GAR in a source, known by their names, as several kinds share their elements. Where one of them is XML, those that are not
    belong to the set as well, so that they are told of and not passed over; and so do those of kinds that are not loaded, to be counted."""
    named = [m for m in source.members if _kind_of(m)]
    if not any(looks_like_xml(m.head) for m in named):
        return []
    others = [replace(m, unread=True) for m in source.members if _kind_of(m, NOT_LOADED)]
    return [*named, *(m for m in source.members if m.base_name.lower() == "version.txt"), *others]


def gar_sets(members: Sequence[Member]) -> list[GarSet]:
    """By day. ClassifierInvalid, ClassifierAmbiguous: a file twice, files of very different days."""
    groups: dict[str, list[Member]] = {}
    for member in members:
        groups.setdefault(_container(member), []).append(member)
    made = [_gar_set(own) for own in groups.values() if not all(m.unread for m in own)]
    return sorted(made, key=lambda s: (s.date, s.named_delta))


def _kind_of(member: Member, kinds: Collection[str] = ROOTS) -> str:
    """The kind of a file by its name, "" when it is none of `kinds`: those that are read."""
    matched = FILE_NAME.fullmatch(member.base_name)
    kind = matched[1].upper() if matched else ""
    return kind if kind in kinds else ""


def _container(member: Member) -> str:
    """The archive a member lies in, or its folder above those of the regions."""
    archive, mark, _ = member.place.partition("!")
    folders = member.name.split("/")[:-1]
    if folders and REGION_FOLDER.fullmatch(folders[-1]):
        folders = folders[:-1]
    return "/".join([archive if mark else "", *folders])


def _own_name(member: Member) -> str:
    """Name of the archive or of the folder above those of the regions, without what lies above it."""
    archive, mark, _ = member.place.partition("!")
    folder = Path(archive) if mark else Path(archive).parent
    return folder.parent.name if REGION_FOLDER.fullmatch(folder.name) else folder.name


def _gar_set(members: Sequence[Member]) -> GarSet:
    place = members[0].place.partition("!")[0]
    dates: list[dt.date] = []
    main: list[dt.date] = []
    made = GarSet(place, dt.date(1, 1, 1), "delta" in _own_name(members[0]).lower())
    version = None
    for member in members:
        if member.base_name.lower() == "version.txt":
            version = _version(member)
            continue
        if member.unread:
            _count(made, member)
            continue
        matched = FILE_NAME.fullmatch(member.base_name)
        assert matched is not None
        kind = matched[1].upper()
        date = _date(member, matched[2])
        dates.append(date)
        main += [date] if kind == "ADDR_OBJ" else []
        _put(made, kind, member)
    if not dates:
        raise refused(place, "нет ни одного файла ГАР", "there is no file of GAR")
    if (max(dates) - min(dates)).days > MAX_SPREAD_DAYS:
        ru = f"файлы разных выпусков: от {min(dates):%d.%m.%Y} до {max(dates):%d.%m.%Y}"
        en = f"files of different issues: from {min(dates):%d.%m.%Y} to {max(dates):%d.%m.%Y}"
        raise ClassifierAmbiguous(place=place, detail=Bilingual(ru, en))
    made.date = version or max(main or dates)
    if not min(dates) - BEFORE <= made.date <= max(dates) + AFTER:
        ru = f"version.txt от {made.date:%d.%m.%Y}, а файлы от {max(dates):%d.%m.%Y}: это разные выпуски"
        raise ClassifierAmbiguous(
            place=place, detail=Bilingual(ru, f"version.txt of {made.date}, files of {max(dates)}: different issues")
        )
    return made


def _count(made: GarSet, member: Member) -> None:
    """Files without rows are there for every region and kind."""
    kind = _kind_of(member, NOT_LOADED)
    if f"<{kind[:-1]} ".encode() in member.head:
        files, size = made.not_loaded.get(kind, (0, 0))
        made.not_loaded[kind] = (files + 1, size + member.size)


def _put(made: GarSet, kind: str, member: Member) -> None:
    folders = member.name.split("/")[:-1]
    if kind not in REGIONAL:
        target = made.common
    else:
        known = folders and REGION_FOLDER.fullmatch(folders[-1])
        target = made.regions.setdefault(folders[-1] if known else _region_inside(made, member, kind), {})
    if kind in target:
        ru = f"файл {kind} встречается дважды ({target[kind].base_name}): смешаны разные выпуски"
        en = f"the file {kind} is there twice ({target[kind].base_name}): different issues are mixed"
        raise ClassifierAmbiguous(place=member.place, detail=Bilingual(ru, en))
    target[kind] = member


def _region_inside(made: GarSet, member: Member, kind: str) -> str:
    """Files without a folder of their region: the hierarchy tells it, for all of them."""
    if kind == "ADM_HIERARCHY":
        root = xml_root(member.head)
        found = _REGION_CODE.search(root.rest) if root else None
        if found is not None:
            region = found[1].zfill(2)
            made.regions.setdefault(region, {}).update(made.regions.pop("", {}))
            return region
    named = [r for r in made.regions if r]
    return named[0] if len(named) == 1 else ""


def _version(member: Member) -> dt.date | None:
    """`2022.12.02` in its first line."""
    lines = member.head.decode("utf-8-sig", "replace").split()
    try:
        return dt.datetime.strptime(lines[0], "%Y.%m.%d").date() if lines else None
    except ValueError:
        return None


def _date(member: Member, digits: str) -> dt.date:
    try:
        return dt.datetime.strptime(digits, "%Y%m%d").date()
    except ValueError as error:
        raise _bad_date(member, digits) from error


def _bad_date(member: Member, digits: str) -> ClassifierInvalid:
    return refused(member.place, f"в имени файла неверная дата {digits}", f"a wrong date {digits} in the file's name")
