"""From typed words to address objects: which words name a street, which the places above it, whatever their order.

Every word must be found in the object itself or above it. Words of kinds of objects («ул», «г», «обл») need not be, but help to order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from classifiers.address_codes import ancestors, below
from classifiers.address_rows import AddressReader, Place
from classifiers.address_text import PLACE, STREET, words_of
from infobase.storage import Transaction

MAX_WORDS = 5
MAX_KEYS = 100
"""Names taken per beginning of a word."""
MAX_PLACE_KEYS = 100
MAX_PLACES = 200
FIRST_KEYS = 8
"""The likeliest names are asked for apart from the rest, which a limit may cut."""
MAX_PAIRS = 800
"""(name of a street, place) pairs tried: one probe of the index each."""
MIN_ANCHORS, MAX_ANCHORS = 12, 60
"""Places of which streets are looked for: fewer of them when many names fit."""
MAX_REGIONS = 12


@dataclass(frozen=True)
class Match:
    """An object that answers. `above`: the matched place it was found under; `exact`: words found whole."""

    place: Place
    exact: int
    depth: int = 0


@dataclass
class _Places:
    """Matched objects down to settlements. `own` and `cover`: bit sets of the words found in the name, and in it or above it."""

    found: dict[str, Place]
    own: dict[str, int] = field(default_factory=dict)
    cover: dict[str, int] = field(default_factory=dict)
    exact: dict[str, int] = field(default_factory=dict)


def matches(reader: AddressReader, tx: Transaction, words: Sequence[str], regions: Sequence[Place]) -> list[Match]:
    """Objects that answer to all of the words, in no order. `regions`: all that are loaded."""
    words = words[:MAX_WORDS]
    if not words:
        return []
    keys = reader.word_keys(tx, [part + word for part in (PLACE, STREET) for word in words], MAX_KEYS)
    place_keys, street_keys = keys[: len(words)], keys[len(words) :]
    places = _places(reader, tx, words, place_keys, regions)
    every = (1 << len(words)) - 1
    found = [Match(p, places.exact[c]) for c, p in places.found.items() if places.own[c] and places.cover[c] == every]
    return [*found, *_streets(reader, tx, words, street_keys, places)]


def covered(words: Sequence[str], own: Iterable[str]) -> tuple[int, int]:
    """(bit set of the words that `own` begin with, how many are there whole)."""
    mask = exact = 0
    present = tuple(own)
    for i, word in enumerate(words):
        if any(w.startswith(word) for w in present):
            mask |= 1 << i
            exact += word in present
    return mask, exact


def _places(
    reader: AddressReader,
    tx: Transaction,
    words: Sequence[str],
    keys: Sequence[Sequence[str]],
    regions: Sequence[Place],
) -> _Places:
    share = MAX_PLACE_KEYS // len(words)
    lists = [part for own in keys for part in (own[:FIRST_KEYS], own[FIRST_KEYS:share])]
    named = [r for r in regions if covered(words, r.words)[0]]
    found = [*named, *reader.by_keys(tx, lists, MAX_PLACES // len(words))]
    wanted = list(chain.from_iterable(lists))
    if 0 < len(named) <= MAX_REGIONS and len(words) > 1:
        found += reader.in_ranges(tx, wanted, [r.code for r in named], MAX_PLACES)
    made = _Places({p.code: p for p in found})
    for code, place in made.found.items():
        made.own[code], made.exact[code] = covered(words, place.words)
    for code in made.found:
        cover = made.own[code]
        for above in ancestors(code) if len(words) > 1 else ():
            cover |= made.own.get(above, 0)
        made.cover[code] = cover
    return made


def _streets(
    reader: AddressReader, tx: Transaction, words: Sequence[str], keys: Sequence[Sequence[str]], places: _Places
) -> list[Match]:
    by_mask = _keys_by_mask(words, keys)
    every = (1 << len(words)) - 1
    found: dict[str, Match] = {}
    tried: set[int] = set()
    for mask in sorted(by_mask, key=lambda m: -m.bit_count()):
        rest = every & ~mask
        own = [key for m, listed in by_mask.items() if m & mask == mask for key in listed]
        if rest in tried:
            continue
        tried.add(rest)
        for place, depth in _below_anchors(reader, tx, own, _anchors(places, rest), rest):
            if place.code not in found:
                found[place.code] = Match(place, covered(words, place.words)[1], depth)
    return list(found.values())


def _below_anchors(
    reader: AddressReader, tx: Transaction, keys: Sequence[str], anchors: Sequence[tuple[str, int]], rest: int
) -> Iterable[tuple[Place, int]]:
    if not rest:
        yield from ((p, 0) for p in reader.by_keys(tx, [keys[:MAX_ANCHORS]]))
        return
    if not anchors or not keys:
        return
    anchors = anchors[: max(MIN_ANCHORS, MAX_PAIRS // len(keys))]
    codes = [code for code, _ in anchors]
    found = reader.in_ranges(tx, keys[: MAX_PAIRS // len(codes)], codes)
    exactness = {below(code): exact for code, exact in anchors}
    for place in found:
        yield place, max(exact for (lo, hi), exact in exactness.items() if lo <= place.code < hi)


def _keys_by_mask(words: Sequence[str], keys: Sequence[Sequence[str]]) -> Mapping[int, list[str]]:
    """Search keys of streets by the set of words their names hold, names that hold a word whole first."""
    made: dict[int, list[tuple[int, int, str]]] = {}
    for key in dict.fromkeys(chain.from_iterable(keys)):
        mask, exact = covered(words, words_of(key[1:]))
        made.setdefault(mask, []).append((-exact, len(key), key))
    return {mask: [key for _, _, key in sorted(listed)] for mask, listed in made.items() if mask}


def _anchors(places: _Places, rest: int) -> list[tuple[str, int]]:
    """(code, words found whole) of the topmost places that cover the words the street does not, the likeliest first."""
    if not rest:
        return []
    fitting = [c for c in places.found if places.cover[c] & rest == rest and places.own[c] & rest]
    chosen = set(fitting)
    topmost = [c for c in fitting if not any(a in chosen for a in ancestors(c))]
    topmost.sort(key=lambda c: (-places.exact[c], places.found[c].level, len(places.found[c].name), c))
    return [(c, places.exact[c]) for c in topmost[:MAX_ANCHORS]]
