"""The shape every kind of classifier has: what the user is told, where it goes, how a file of it is opened and what comes out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from classifiers.model import FileWarning
from infobase.i18n import Bilingual
from infobase.metadata.types import Value

Row = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Item:
    """One item as it must stand in the catalog: field name -> stored value, tabular section name -> rows. Every item of a kind names
    the same fields; others of the catalog belong to the users and are left alone."""

    code: str
    values: Row
    sections: Mapping[str, Sequence[Row]] = field(default_factory=dict)


class ClassifierFile(Protocol):
    """An opened file of a kind. `items` may be walked once; the rest is final when it is exhausted. Faults raise ClassifierInvalid."""

    def items(self) -> Iterator[Item]: ...
    def version_date(self) -> dt.date: ...
    def counts(self) -> Mapping[str, int]: ...
    def warning_count(self) -> int: ...
    def warnings(self) -> Sequence[FileWarning]: ...


@dataclass(frozen=True, slots=True)
class ClassifierKind:
    """What people are told (`title`, `bring` the file, where it is `published`), where it goes, how a file is opened.
    `fields` and `sections`: what the loader owns of the target catalog. `closed_field`: set for items the file no longer names."""

    name: str
    title: Bilingual
    bring: Bilingual
    published: str
    target: str
    fields: tuple[str, ...]
    sections: Mapping[str, tuple[str, ...]]
    open: Callable[[Path], ClassifierFile]
    closed_field: str = "Closed"
