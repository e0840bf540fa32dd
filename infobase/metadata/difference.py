"""Two configurations compared object by object and key by key, as their files would show it.

Objects and fields are matched by their English names, so a renamed one is a removed and an added one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from infobase.metadata.model import Configuration
from infobase.metadata.raw import head_of, jsonable, raw_of

Kind = Literal["added", "removed", "changed"]
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Detail:
    """One key of an object that differs; `old` or `new` is "" where the key is not there."""

    key: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.key}: {self.old or '-'} -> {self.new or '-'}"


@dataclass(frozen=True, slots=True)
class Difference:
    """One object. `place`: its full name, or "Configuration" for the head."""

    kind: Kind
    place: str
    details: tuple[Detail, ...] = ()


def compare(old: Configuration, new: Configuration) -> list[Difference]:
    """Everything that differs, the head first, then objects in the order of the new configuration and the removed ones."""
    found = []
    head = tuple(_details(jsonable(head_of(old)), jsonable(head_of(new))))
    if head:
        found.append(Difference("changed", "Configuration", head))
    for name, o in new.objects.items():
        if name not in old.objects:
            found.append(Difference("added", name))
        elif details := tuple(_details(jsonable(raw_of(old.objects[name])), jsonable(raw_of(o)))):
            found.append(Difference("changed", name, details))
    return found + [Difference("removed", name) for name in old.objects if name not in new.objects]


def _details(old: object, new: object) -> Iterator[Detail]:
    before, after = dict(_flat(old)), dict(_flat(new))
    for key in dict.fromkeys([*before, *after]):
        if before.get(key, _ABSENT) != after.get(key, _ABSENT):
            yield Detail(key, before.get(key, ""), after.get(key, ""))


def _flat(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Dotted key and value of every leaf."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value, 1):
            yield from _flat(inner, f"{key}[{number}]")
    else:
        yield key, str(value)
