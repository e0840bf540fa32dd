"""Where a configuration keeps addresses, what is loaded of each region, and comparing a region's rows with those that lie in the base."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from classifiers.address_text import KEY_SCHEME
from infobase.bulk_records import BulkRecords
from infobase.metadata.model import ClassifierUse
from infobase.session import Session

REGISTER = "InformationRegister."
COMPARED_IN_MEMORY = 200_000


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
    """What is loaded of a region. `digest` changes with the source's content, with the parts taken of it, and with how search keys are made."""

    region: str
    name: str
    source: str
    version_date: dt.date
    digest: str
    objects: int
    streets: int
    houses: int

    @property
    def searchable(self) -> bool:
        """Whether its search keys are those the picker looks for; if not, the region is to be loaded again."""
        return self.digest.startswith(KEY_SCHEME)


def marked_digest(hexadecimal: str) -> str:
    """The digest of a region from that of its source: as long, with the mark of the keys' scheme."""
    return KEY_SCHEME + hexadecimal[: -len(KEY_SCHEME)]


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


def outdated_regions(session: Session, register: str, source: str = "") -> list[str]:
    """Regions to load again before the picker finds all of them; of one source, or of any."""
    loaded = loaded_regions(session, register).values()
    return [v.region for v in loaded if not v.searchable and source in ("", v.source)]


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
    in_memory: int = COMPARED_IN_MEMORY,
) -> Difference:
    """The difference between `rows` and those records whose first field begins so and is to `keep`. Memory holds a number per record, and
    nothing when there are more than `in_memory` of them."""
    code = next(iter(fields))
    stored = ((str(row[0]), hash(row)) for row in bulk.stream(tuple(fields), code, begins) if keep(str(row[0])))
    given = ((row[0], hash(row)) for row in rows)
    if bulk.count(code, begins) > in_memory:
        return _compared_aside(stored, given)
    old = dict(stored)
    found = Difference()
    for key, value in given:
        before = old.pop(key, None)
        if before is None:
            found.added += 1
        elif before != value:
            found.changed += 1
        else:
            found.unchanged += 1
    found.closed = len(old)
    return found


def _compared_aside(stored: Iterable[tuple[str, int]], given: Iterable[tuple[str, int]]) -> Difference:
    """The same in a scratch store outside memory."""
    with closing(sqlite3.connect("", isolation_level=None)) as aside:
        aside.execute("PRAGMA journal_mode = OFF")
        for name, pairs in (("old", stored), ("new", given)):
            aside.execute(f"CREATE TABLE {name}(code PRIMARY KEY, value) WITHOUT ROWID")
            aside.executemany(f"INSERT OR REPLACE INTO {name} VALUES (?, ?)", pairs)
        both = "FROM new JOIN old USING (code) WHERE new.value"
        counts = (
            "SELECT count(*) FROM new WHERE code NOT IN (SELECT code FROM old)",
            f"SELECT count(*) {both} <> old.value",
            "SELECT count(*) FROM old WHERE code NOT IN (SELECT code FROM new)",
            f"SELECT count(*) {both} = old.value",
        )
        return Difference(*(int(aside.execute(sql).fetchone()[0]) for sql in counts))
