"""Lines as they stand while somebody types an address, made from the streets of a sample of KLADR. Deterministic.

They are of every kind a user types: one letter, two, a beginning; a full address; its words in any order; kinds of objects abbreviated, whole or
left out; «ё» for «е» and back; houses with letters, corpuses and fractions; and lines nothing answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random

from classifiers.dbf import DbfTable
from classifiers.dbf_header import file_input
from classifiers.kladr import ENCODING, ancestors

PER_FORM = 22
"""Lines of every form."""
HOUSES = ("7", "д. 7", "дом 12", "12 корп 2", "7а", "12/2", "влд 3", "5 к 1", "14 стр 2", "1-б")
LETTERS = "абвгдежзиклмнопрстуфхцчшщыэюя"
FULL = {
    "ул": "улица",
    "пр-кт": "проспект",
    "пер": "переулок",
    "наб": "набережная",
    "пл": "площадь",
    "обл": "область",
    "р-н": "район",
    "г": "город",
    "п": "посёлок",
    "с": "село",
    "д": "деревня",
    "х": "хутор",
    "Респ": "республика",
    "край": "край",
}


@dataclass(frozen=True)
class Address:
    """A street of the sample: (name, kind) of everything from the region down to it."""

    levels: tuple[tuple[str, str], ...]

    @property
    def street(self) -> str:
        return self.levels[-1][0]

    @property
    def place(self) -> str:
        return self.levels[-2][0]

    @property
    def region(self) -> str:
        return self.levels[0][0]


Form = Callable[[Address, Random], str]


def typed_lines(folder: Path, per_form: int = PER_FORM) -> list[str]:
    """Different lines about streets that lie evenly over the sample in `folder`."""
    random = Random(1)
    addresses = _addresses(folder, len(FORMS) * per_form)
    lines = [*_short(addresses), *MISSES]
    for number, form in enumerate(FORMS):
        lines += [form(address, random) for address in addresses[number :: len(FORMS)]]
    return list(dict.fromkeys(line.lower() if random.random() < 0.5 else line for line in lines))


def _addresses(folder: Path, count: int) -> list[Address]:
    places = {code: (name, kind) for name, kind, code in _table(folder, "KLADR").rows(("NAME", "SOCR", "CODE"))}
    streets = _table(folder, "STREET")
    step = max(1, streets.header.records // count)
    every = islice(streets.rows(("NAME", "SOCR", "CODE")), step // 2, None, step)
    return [
        Address((*(places[a] for a in ancestors(code) if a in places), (name, kind)))
        for name, kind, code in islice(every, count)
    ]


def _table(folder: Path, name: str) -> DbfTable:
    return DbfTable(file_input(folder / f"{name}.DBF"), ENCODING)


def _short(addresses: Sequence[Address]) -> Iterator[str]:
    """One letter; two and three as names begin; two words of one letter or two."""
    yield from LETTERS
    yield from dict.fromkeys(a.street[:2] for a in addresses[::3])
    yield from dict.fromkeys(a.place[:3] for a in addresses[::7])
    yield from (f"{a.place[:1]} {a.street[:1]}" for a in addresses[::17])
    yield from (f"{a.street[:2]} {a.place[:2]} {a.region[:2]}" for a in addresses[::17])


def _full(address: Address, random: Random) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in address.levels) + f", {random.choice(HOUSES)}"


def _kinds_whole(address: Address, random: Random) -> str:
    return ", ".join(f"{FULL.get(kind, kind)} {name}" for name, kind in address.levels) + f" {random.choice(HOUSES)}"


def _kinds_first(address: Address, _: Random) -> str:
    return " ".join(f"{kind}. {name}" for name, kind in address.levels[-2:])


def _without_kinds(address: Address, random: Random) -> str:
    return f"{address.place} {address.street} {random.choice(HOUSES)}"


def _shuffled(address: Address, random: Random) -> str:
    words = [word for name, kind in address.levels for word in (name, kind)]
    random.shuffle(words)
    return " ".join(words)


def _unfinished(address: Address, random: Random) -> str:
    words = [name[: random.randint(2, 5)] for name, _ in address.levels]
    random.shuffle(words)
    return " ".join(words)


def _street_first(address: Address, random: Random) -> str:
    return f"{address.street[: random.randint(3, 9)]} {random.choice(HOUSES)} {address.place}"


def _street_alone(address: Address, random: Random) -> str:
    return f"{address.levels[-1][1]} {address.street[: random.randint(2, 12)]}"


def _street_of_region(address: Address, random: Random) -> str:
    return f"{address.region[: random.randint(3, 8)]} {address.street[: random.randint(2, 8)]}"


def _other_letters(address: Address, _: Random) -> str:
    line = f"{address.place} {address.street}"
    return line.replace("ё", "е") if "ё" in line else line.replace("е", "ё")


def _mistyped(address: Address, random: Random) -> str:
    at = random.randrange(1, max(2, len(address.street)))
    return f"{address.place} {address.street[:at]}{random.choice(LETTERS)}{address.street[at:]}"


def _elsewhere(address: Address, random: Random) -> str:
    """A street and a place that hardly go together."""
    return f"{address.street} {random.choice(LETTERS)}{address.place[::-1].lower()}"


FORMS: tuple[Form, ...] = (
    _full, _kinds_whole, _kinds_first, _without_kinds, _shuffled, _unfinished, _street_first, _street_alone, _street_of_region, _other_letters,
    _mistyped, _elsewhere,
)  # fmt: skip
MISSES = (
    "щщщ", "zzz", "qwerty", "москва тверская", "ул", "ул.", "д. 7", "7", "12/2", "%", "_", "'; --", "1", "1-я", "40 лет", "- , .", "ъъ лен", "лен ъъ",
    "ленина ленина ленина ленина ленина ленина", "а б в г д е ж", "ул пер наб пл г обл", "новая новая", "x" * 300, "0000000000000",
)  # fmt: skip
