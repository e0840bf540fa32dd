"""Where a configuration keeps addresses, what is loaded of each region, and comparing a region's rows with those that lie in the base."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from infobase.bulk_records import BulkRecords
from infobase.metadata.model import ClassifierUse
from infobase.session import Session

REGISTER = "InformationRegister."


@dataclass(frozen=True, slots=True)
class Targets:
    """Full names of the registers. `houses` and `successors` may be "": then these are not kept."""

    objects: str
    words: str
    regions: str
    types: str
    houses: str = ""
    successors: str = ""


def targets_of(use: ClassifierUse) -> Targets:
    """The registers as [classifiers] of the configuration names them."""
    parts = use.parts
    return Targets(
        use.target,
        parts["words"],
        parts["regions"],
        parts["types"],
        parts.get("houses", ""),
        parts.get("successors", ""),
    )


@dataclass(frozen=True, slots=True)
class RegionVersion:
    """What is loaded of a region. `digest` changes with the source's content and with the parts taken of it."""

    region: str
    name: str
    source: str
    version_date: dt.date
    digest: str
    objects: int
    streets: int
    houses: int


def loaded_regions(session: Session, register: str) -> dict[str, RegionVersion]:
    """By region, in their order."""
    rows = session.information_registers[register.removeprefix(REGISTER)].select()
    found = {}
    for row in sorted(rows, key=lambda r: str(r["Region"])):
        date = cast("dt.datetime | None", row["VersionDate"])
        found[str(row["Region"])] = RegionVersion(
            str(row["Region"]),
            str(row["Name"]),
            str(row["Source"]),
            date.date() if date else dt.date(1, 1, 1),
            str(row["Digest"]),
            *(int(cast(Decimal, row[n])) for n in ("Objects", "Streets", "Houses")),
        )
    return found


def register_regions(session: Session, register: str, versions: Sequence[RegionVersion]) -> None:
    """Note what was loaded, in the loading transaction."""
    records = [
        {
            "Region": v.region,
            "Name": v.name,
            "Source": v.source,
            "VersionDate": v.version_date,
            "Digest": v.digest,
            "Objects": v.objects,
            "Streets": v.streets,
            "Houses": v.houses,
        }
        for v in versions
    ]
    if records:
        session.information_registers[register.removeprefix(REGISTER)].write(records)


@dataclass(slots=True)
class Difference:
    """Records of one or more regions, compared by code."""

    added: int = 0
    changed: int = 0
    closed: int = 0
    unchanged: int = 0

    @property
    def nothing(self) -> bool:
        return not (self.added or self.changed or self.closed)

    def add(self, other: Difference) -> None:
        self.added += other.added
        self.changed += other.changed
        self.closed += other.closed
        self.unchanged += other.unchanged


def compare(
    bulk: BulkRecords,
    fields: Mapping[str, int],
    begins: str,
    rows: Iterable[tuple[str, ...]],
    keep: Callable[[str], bool],
) -> Difference:
    """The difference between `rows` and those records whose first field begins so and is to `keep`. Memory holds a number per record."""
    code = next(iter(fields))
    stored = bulk.stream(tuple(fields), code, begins)
    old = {row[0]: hash(row) for row in stored if keep(str(row[0]))}
    found = Difference()
    for row in rows:
        before = old.pop(row[0], None)
        if before is None:
            found.added += 1
        elif before != hash(row):
            found.changed += 1
        else:
            found.unchanged += 1
    found.closed = len(old)
    return found
