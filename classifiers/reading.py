"""What readers of all formats share: counting records, gathering warnings, naming the place of a fault."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence

from classifiers.model import FileWarning
from classifiers.source import Member, refused
from classifiers.text import shown
from infobase.errors import ClassifierAmbiguous, ClassifierInvalid
from infobase.i18n import Bilingual

MAX_WARNINGS = 100
"""All are counted; so many are kept to be shown."""


class Reading:
    """The half of a `ClassifierFile` that does not depend on its format. `version` is set by the reader."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.records = 0
        self.version: dt.date | None = None
        self._warnings: list[FileWarning] = []
        self._warning_count = 0

    def version_date(self) -> dt.date:
        """The day the file was made for; a file that says nothing of it is as old as today."""
        return self.version or dt.date.today()

    def counts(self) -> Mapping[str, int]:
        return {"records": self.records}

    def warning_count(self) -> int:
        return self._warning_count

    def warnings(self) -> Sequence[FileWarning]:
        return self._warnings

    def warn(self, key: str, field: str, value: str, ru: str, en: str) -> None:
        """Note a fault of the source in the current record that does not forbid loading."""
        self._warning_count += 1
        if len(self._warnings) < MAX_WARNINGS:
            self._warnings.append(FileWarning(self.records, key, field, value, Bilingual(ru, en)))

    def wrong(self, field: str, ru: str, en: str, key: str = "") -> ClassifierInvalid:
        """The error with its place: file, record, key, field."""
        place_ru = f"запись {self.records}" + (f", {shown(key)}" if key else "") + (f", поле {field}" if field else "")
        place_en = f"record {self.records}" + (f", {shown(key)}" if key else "") + (f", field {field}" if field else "")
        return refused(self.member.place, f"{place_ru}: {ru}", f"{place_en}: {en}")

    def demand_records(self) -> None:
        """Zero records is an error: a good file never has none."""
        if not self.records:
            raise refused(self.member.place, "в файле нет ни одной записи", "the file has no records")


def only(members: Sequence[Member], day_of: Callable[[Member], str] = lambda m: m.name) -> Member:
    """The one member a format is made of. ClassifierAmbiguous when there are several: which of them is meant?"""
    if len(members) != 1:
        names = ", ".join(shown(day_of(m)) for m in members[:5])
        ru, en = f"файлов одного вида {len(members)}: {names}", f"{len(members)} files of one kind: {names}"
        raise ClassifierAmbiguous(place=members[0].place, detail=Bilingual(ru, en))
    return members[0]
