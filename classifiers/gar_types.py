"""Dictionaries of GAR: kinds of address objects, of houses and their additions; and the names of the regions."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress

from classifiers.gar import SOURCE
from classifiers.gar_files import GarSet
from classifiers.gar_parse import Attributes, GarRows
from classifiers.source import Member

TYPE_FIELDS = {"Source": 5, "Level": 2, "ShortName": 50, "FullName": 250}


def types_of(member: Member, date: dt.date) -> list[tuple[str, ...]]:
    """(source, level, abbreviation, full name): of several rows of one (level, abbreviation) the one that holds on `date`, else the latest."""
    rows = GarRows(member, "ADDR_OBJ_TYPES")
    day = date.isoformat()
    best: dict[tuple[str, str], tuple[bool, str, str]] = {}

    def handle(a: Attributes) -> None:
        level, short, full = str(rows.number(a, "LEVEL")), rows.text(a, "SHORTNAME", 50), rows.text(a, "NAME", 250)
        begins, ends = rows.day(a, "STARTDATE"), rows.day(a, "ENDDATE")
        found = (begins <= day < ends, begins, full)
        if short and found > best.get((level, short), (False, "", "")):
            best[level, short] = found

    rows.read(handle)
    return [(SOURCE, level, short, full) for (level, short), (_, _, full) in sorted(best.items())]


def short_names(one: GarSet, kind: str) -> dict[str, str]:
    """Number of a kind of houses or additions -> its abbreviation («к.», «стр.»)."""
    member = one.common.get(kind)
    if member is None:
        return {}
    rows = GarRows(member, kind)
    made: dict[str, str] = {}

    def handle(a: Attributes) -> None:
        made[str(rows.number(a, "ID"))] = rows.text(a, "SHORTNAME", 50)

    rows.read(handle)
    return made


class _Found(Exception):
    """The region was read: the rest of the file is of no interest."""


def region_names(one: GarSet) -> dict[str, str]:
    """Region -> its name, from the object of level 1 of its file (deltas rarely have one)."""
    made: dict[str, str] = {}
    for region, files in one.regions.items():
        if "ADDR_OBJ" in files:
            rows = GarRows(files["ADDR_OBJ"], "ADDR_OBJ")

            def handle(a: Attributes, region: str = region) -> None:
                if a.get("LEVEL") == "1" and a.get("ISACTIVE") == "1" and a.get("ISACTUAL") == "1":
                    made[region] = f"{a.get('NAME', '')} {a.get('TYPENAME', '')}".strip()
                    raise _Found

            with suppress(_Found):
                rows.read(handle)
    return made
