"""The order of the addresses that answer: what was typed as a whole, with its kinds and numbers, before what only begins so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from classifiers.address_houses import TypedHouse
from classifiers.address_rows import Place
from classifiers.address_text import STREET, words_of

Chain = tuple[Place, ...]
"""An object with all that is above it, the region first."""


@dataclass(frozen=True)
class Typed:
    """What was typed, taken apart: words that must be found, those of kinds, those that only help, the house."""

    strong: tuple[str, ...]
    kinds: tuple[str, ...]
    weak: tuple[str, ...]
    house: TypedHouse | None


def ranked_chains(typed: Typed, found: Iterable[Chain], kinds: Mapping[str, frozenset[str]]) -> list[Chain]:
    """The likeliest first. `kinds`: word of a kind -> the abbreviations it may stand for."""
    numbers = words_of(typed.house.shown) if typed.house and not typed.house.certain else []
    wanted = Counter(typed.strong)

    def rank(path: Chain) -> tuple[object, ...]:
        place = path[-1]
        own = Counter(chain.from_iterable(p.words for p in path))
        whole = sum(min(count, own[word]) for word, count in wanted.items())
        strange = sum(w.isalpha() and not any(w.startswith(s) for s in typed.strong) for w in place.words)
        return (
            -sum(w in own for w in typed.weak),
            typed.house is not None and not is_street(place),
            -whole - _kinds_met(typed.kinds, path, own, kinds),
            strange,
            -sum(w in own for w in (*numbers, *typed.weak)),
            _order(place),
            len(place.name),
            place.code,
        )

    return sorted(found, key=rank)


def is_street(place: Place) -> bool:
    """Whether it is one, or stands in its place."""
    return place.search_key[:1] == STREET


def _kinds_met(typed: Sequence[str], path: Chain, own: Mapping[str, int], kinds: Mapping[str, frozenset[str]]) -> int:
    """How many typed kinds are those of different objects of the path, or words of its names."""
    left = list(path)
    met = 0
    for kind in typed:
        wanted = kinds.get(kind, frozenset())
        at = next((i for i in reversed(range(len(left))) if left[i].type_words & wanted), None)
        if at is not None:
            del left[at]
        met += at is not None or bool(own.get(kind))
    return met


def _order(place: Place) -> int:
    """Level, with the centre of a region before others of its level."""
    return int(place.level or 0) * 2 - (place.centre in ("2", "3"))
