"""The shape every kind of classifier has. A kind is data; adding one is a module with a `ClassifierKind` and its line in `kinds.py`.

    Source (file, folder, archive)  -- Format.select, by content -->  its members
    members                         -- Format.open ----------------->  ClassifierFile: a stream of items, version date, counts, warnings
    ClassifierFile                  -- ClassifierKind.write -------->  Changes, in the loader's one transaction

`write` is `into_catalog` or `into_register` for sets of tens of thousands of records; a kind of millions brings its own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from classifiers.model import FileWarning
from classifiers.source import MAX_UNPACKED_BYTES, Member, Source
from infobase.i18n import Bilingual
from infobase.metadata.model import ClassifierUse
from infobase.metadata.types import Value
from infobase.settings import ClassifierVersion

if TYPE_CHECKING:
    from infobase.session import Session

Row = Mapping[str, Value]
Progress = Callable[[str, int, int], None]
"""(what is being done, done, total); total 0: not known."""
Options = Mapping[str, object]
"""What the user chose besides the file: the regions of an address classifier, `accept_closures`: load even what closes much (`closures`)."""


@dataclass(frozen=True, slots=True)
class Item:
    """One record as it must stand in the target: field name -> stored value, tabular section name -> rows.

    Fields and sections an item does not name are left as they are: they belong to the users, or the file knows nothing of them. `code` is the catalog's Code
    ("" for registers, whose records are known by period and dimensions), `parent` the code of the item above, `initial` values given to
    a new item only."""

    code: str
    values: Row
    sections: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    parent: str = ""
    initial: Row = field(default_factory=dict)


class ClassifierFile(Protocol):
    """An opened file of a kind. `items` may be walked once; the rest is final when it is exhausted. Faults raise ClassifierInvalid."""

    def items(self) -> Iterator[Item]: ...
    def version_date(self) -> dt.date: ...
    def counts(self) -> Mapping[str, int]: ...
    def warning_count(self) -> int: ...
    def warnings(self) -> Sequence[FileWarning]: ...


@dataclass(frozen=True, slots=True)
class Format:
    """One published form of a kind. `select`: the members of a source that are in it, judged by content (none: the source is something
    else). `open`: those members -> the file; it refuses a set that does not belong together. `fallback`: how the content of a lone
    file must begin to be opened with this format though it was not recognised, so that a damaged one is told what is
    wrong with it; b"" stands for any text that is no XML."""

    name: str
    select: Callable[[Source], Sequence[Member]]
    open: Callable[[Sequence[Member], Options], ClassifierFile]
    fallback: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Changes:
    """What a load did to the target, in records. `missing`: loaded ones the file does not name and the target cannot mark as closed.
    `held`: open records the target had before, of which those the file does not name were closed; 0 where a file does not list everything.
    `remarks`: further lines for people, such as which chosen banks changed."""

    added: int = 0
    changed: int = 0
    closed: int = 0
    unchanged: int = 0
    missing: int = 0
    remarks: tuple[str, ...] = ()
    held: int = 0

    @property
    def nothing(self) -> bool:
        return not (self.added or self.changed or self.closed)


@dataclass(frozen=True, slots=True)
class Work:
    """What `write` is given. The surrounding transaction is open: `session.transaction()` joins it. `before`: what was loaded last."""

    session: Session
    kind: ClassifierKind
    use: ClassifierUse
    file: ClassifierFile
    options: Options
    progress: Progress
    before: ClassifierVersion | None = None


@dataclass(frozen=True, slots=True)
class ClassifierKind:
    """What people are told (`title`, `bring` the file, where it is `published`), in which formats it comes, how it is written.

    `target`: the kind of metadata object it goes to, "Catalog" or "InformationRegister". `fields`, `initial`, `sections`: the fields it fills
    there; those the target lacks are left out. `closed_field`: set for items the file no longer names. `accumulates`: every file adds
    its period (days of rates, years of a calendar) and says nothing of the others. `fresh_days`: how long a version holds good beyond its date, None: for ever.
    `builtin`: file in the product's own data, "" when there is none. `template_file`: how the vendor calls it in a template's folder.
    `file_name`: how the publisher calls the file, for commands. `member_bytes`: limit of one unpacked file. `first_format_wins`: its formats are published side by side with the same content, so
    that a source may hold several; otherwise that is an ambiguity. `beside_data`: millions of records, which only the machine that has the
    data can write; from afar the file travels there. `called`: the source's name in a sentence, where several kinds fill the same target."""

    name: str
    title: Bilingual
    bring: Bilingual
    published: str
    formats: tuple[Format, ...]
    target: str
    write: Callable[[Work], Changes]
    fields: tuple[str, ...] = ()
    initial: tuple[str, ...] = ()
    sections: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    closed_field: str = "Closed"
    accumulates: bool = False
    fresh_days: int | None = None
    builtin: str = ""
    template_file: str = ""
    file_name: Bilingual | None = None
    member_bytes: int = MAX_UNPACKED_BYTES
    first_format_wins: bool = False
    beside_data: bool = False
    called: Bilingual | None = None
