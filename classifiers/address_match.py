"""From typed words to address objects: which words name a street, which the settlement, which what lies above, whatever their order.

Every word must be found in the object itself or above it. Three passes, each wider than the one before: names that were typed as a whole, names
with typed words, names whose words begin so. A pass tries every way to share the words out among the street, the settlement and the upper
objects (in memory); a way is one statement of index probes below the upper objects it leaves, or a join from its rarer side. So neither the
number of namesakes nor the order of words matters to a name that was typed as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from classifiers.address_codes import ancestors, below, is_path
from classifiers.address_probes import EVERYWHERE, Range, codes_of
from classifiers.address_rows import AddressReader
from classifiers.address_text import PLACE, STREET, words_of_key
from classifiers.address_upper import Covered, Upper
from infobase.storage import Transaction

MAX_WORDS = 10
MAX_WHOLE_KEYS = 300
MAX_KEYS = 100
"""Names taken per word, and per beginning of a word."""
MIN_ANCHORS = 12
"""Upper objects below which something is looked for, though many names fit."""
MAX_ENTRIES = 7500
"""Of the index, read for a line."""
AFTER_FOUND = 4000
"""Of these for what only begins so, when whole words have found something."""
PROBE, COUNTED = 6, 2
"""A probe of the index costs as much as so many entries read in a row; so many counted cost as much as one that is compared."""
MIN_PROBES = 100
MAX_READ = 6000
"""Objects of one set of names that are read to be compared."""
MAX_FOUND = 60
"""Objects taken of one way to share the words out."""
ENOUGH = 12
"""Objects after which no wider pass is made."""


def matches(
    reader: AddressReader, tx: Transaction, words: Sequence[str], upper: Upper, numbers: Sequence[str] = ()
) -> list[str]:
    """Codes of objects that answer to all of the words, those that hold the numbers too («1-я», «8») first."""
    words = list(dict.fromkeys(words))[:MAX_WORDS]
    found: dict[str, None] = {}
    budget, before = _Budget(), None
    for candidates in _passes(reader, tx, words, upper, list(dict.fromkeys(numbers))) if words else ():
        if candidates != before and candidates.possible:
            made = _Pass(reader, tx, candidates, budget)
            found |= dict.fromkeys(made.found())
            if not found and upper.paths:
                found |= dict.fromkeys(made.nested())
        if len(found) >= ENOUGH:
            break
        before = candidates
        if found:
            budget.left = min(budget.left, AFTER_FOUND)
    return list(found)


def covered(words: Sequence[str], own: Iterable[str]) -> tuple[int, int]:
    """(bit set of the words that `own` begin with, how many are there whole)."""
    mask = exact = 0
    present = tuple(own)
    for i, word in enumerate(words):
        for other in present:
            if other.startswith(word):
                mask |= 1 << i
                exact += word in present
                break
    return mask, exact


ByMask = Mapping[int, Sequence[str]]
"""Search keys by the bit set of typed words they hold, the likeliest first."""


@dataclass(frozen=True)
class _Candidates:
    """What a pass may put together."""

    every: int
    upper: Mapping[str, Covered]
    settlements: ByMask
    streets: ByMask

    @property
    def possible(self) -> bool:
        """Whether every word is found anywhere."""
        mask = 0
        for part in (*(c.own for c in self.upper.values()), *self.settlements, *self.streets):
            mask |= part
        return mask == self.every


def _passes(
    reader: AddressReader, tx: Transaction, words: Sequence[str], upper: Upper, numbers: Sequence[str]
) -> Iterator[_Candidates]:
    every = (1 << len(words)) - 1
    begins = [part + word for part in (PLACE, STREET) for word in words]
    whole = _split(reader.whole_word_keys(tx, begins, MAX_WHOLE_KEYS), len(words))
    if numbers:
        more = [*words, *numbers]
        by_mask = (_by_mask(more, keys, _whole_name) for keys in whole)
        yield _Candidates((1 << len(more)) - 1, upper.named(more, whole=True), *by_mask)
    named = upper.named(words, whole=True)
    for mask_of in (_whole_name, _whole_words):
        yield _Candidates(every, named, *(_by_mask(words, keys, mask_of) for keys in whole))
    begun = _split(reader.word_keys(tx, begins, MAX_KEYS), len(words))
    both = (chain(w, b) for w, b in zip(whole, begun, strict=True))
    yield _Candidates(every, upper.named(words, whole=False), *(_by_mask(words, keys, _begun_words) for keys in both))


def _split(keys: Sequence[Sequence[str]], words: int) -> tuple[list[str], list[str]]:
    """Of settlements and of streets."""
    return list(chain.from_iterable(keys[:words])), list(chain.from_iterable(keys[words:]))


MaskOf = Callable[[Sequence[str], Sequence[str]], int]


def _whole_words(words: Sequence[str], own: Sequence[str]) -> int:
    return sum(1 << i for i, word in enumerate(words) if word in own)


def _whole_name(words: Sequence[str], own: Sequence[str]) -> int:
    """0 for names with a word that was not typed; numbers and single letters («1-я») are often left out."""
    if any(w.isalpha() and len(w) > 1 and w not in words for w in own):
        return 0
    return _whole_words(words, own)


def _begun_words(words: Sequence[str], own: Sequence[str]) -> int:
    return covered(words, own)[0]


def _by_mask(words: Sequence[str], keys: Iterable[str], mask_of: MaskOf) -> ByMask:
    made: dict[int, list[tuple[int, int, str]]] = {}
    for key in dict.fromkeys(keys):
        own = words_of_key(key)
        mask = mask_of(words, own)
        if mask:
            made.setdefault(mask, []).append((-_whole_words(words, own).bit_count(), len(key), key))
    return {mask: [key for _, _, key in sorted(listed)] for mask, listed in made.items()}


@dataclass(frozen=True)
class _Way:
    """One way to share the words out: names of settlements and of streets (empty: any), below the ranges."""

    settlements: Sequence[str]
    streets: Sequence[str]
    ranges: Sequence[Range]


@dataclass
class _Budget:
    """What a line may still read, in entries of the index."""

    left: int = MAX_ENTRIES


@dataclass
class _Pass:
    """One pass over its candidates."""

    reader: AddressReader
    tx: Transaction
    candidates: _Candidates
    budget: _Budget
    anchors: dict[int, Sequence[Range]] = field(default_factory=dict)
    counts: dict[tuple[tuple[str, ...], tuple[Range, ...]], int] = field(default_factory=dict)

    def found(self) -> Iterator[str]:
        c = self.candidates
        yield from (code for code, u in c.upper.items() if u.cover == c.every)
        for way in sorted(
            self._ways(), key=lambda w: len(w.ranges) * (len(w.settlements) or 1) * (len(w.streets) or 1)
        ):
            yield from self._went(way)

    def nested(self) -> Iterator[str]:
        """In GAR a planning element («мкр», «СНТ») lies in a settlement, and both are named: the outer is found first, the rest below it."""
        c = self.candidates
        for street in (0, *c.streets):
            rest = c.every & ~street
            for inner in dict.fromkeys(mask & rest for mask in c.settlements):
                for outer in dict.fromkeys(mask & rest & ~inner for mask in c.settlements if inner):
                    ranges = self._below_upper(rest & ~inner & ~outer) if outer else ()
                    around = self._went(_Way(_keys_with(c.settlements, outer), (), ranges)) if ranges else ()
                    places = [below(code) for code in around if is_path(code)]
                    if places:
                        yield from self._went(_Way(_keys_with(c.settlements, inner), c.streets.get(street, ()), places))

    def _went(self, way: _Way) -> Sequence[str]:
        if self.budget.left <= 0:
            return ()
        return self._joined(way) if way.settlements and way.streets else self._below(way)

    def _ways(self) -> Iterator[_Way]:
        c = self.candidates
        for street in (0, *c.streets):
            rest = c.every & ~street
            for settlement in dict.fromkeys((0, *(mask & rest for mask in c.settlements))):
                if not (street or settlement):
                    continue
                ranges = self._below_upper(rest & ~settlement)
                if ranges:
                    yield _Way(_keys_with(c.settlements, settlement), c.streets.get(street, ()), ranges)

    def _below_upper(self, wanted: int) -> Sequence[Range]:
        """Below the topmost upper objects that cover the words; everywhere when there are none to cover."""
        if not wanted:
            return EVERYWHERE
        if wanted not in self.anchors:
            upper = self.candidates.upper
            fitting = {code for code, u in upper.items() if u.cover & wanted == wanted and u.own & wanted}
            topmost = [code for code in fitting if not any(a in fitting for a in ancestors(code))]
            topmost.sort(key=lambda code: (-upper[code].own.bit_count(), code))
            self.anchors[wanted] = [below(code) for code in topmost]
        return self.anchors[wanted]

    def _below(self, way: _Way) -> list[str]:
        keys = way.settlements or way.streets
        probes = max(MIN_PROBES, self.budget.left // PROBE)
        ranges = way.ranges[: max(MIN_ANCHORS, probes // len(keys))]
        keys = keys[: max(1, probes // len(ranges))]
        self.budget.left -= PROBE * len(keys) * len(ranges)
        return codes_of(self.tx.run([self.reader.probes.below(keys, ranges, MAX_FOUND)])[0])

    def _joined(self, way: _Way) -> list[str]:
        """Streets below settlements, the cheaper way: reading both, or probing below each settlement. What exceeds the budget is not tried."""
        probes, budget = self.reader.probes, self.budget
        upper, lower = way.settlements, way.streets
        ranges = way.ranges[: max(MIN_ANCHORS, budget.left // PROBE // (len(upper) + len(lower)))]
        if len(ranges) > 1:
            probed = max(MIN_PROBES, budget.left // PROBE) // (2 * len(ranges))
            upper, lower = upper[: max(1, probed)], lower[: max(1, probed)]
            budget.left -= PROBE * len(ranges) * (len(upper) + len(lower))
        settlements, streets = self._counted(upper, lower, ranges)
        if not settlements or not streets:
            return []
        read = settlements + streets
        if streets < MAX_READ and read <= PROBE * settlements * len(lower):
            budget.left -= read
            statement = probes.joined(upper, lower, ranges, (settlements, streets), MAX_FOUND)
        else:
            tried = min(settlements, max(MIN_PROBES, budget.left // PROBE))
            lower = lower[: max(1, max(MIN_PROBES, budget.left // PROBE) // tried)]
            budget.left -= PROBE * tried * len(lower)
            statement = probes.down(upper, lower, ranges, tried, MAX_FOUND)
        return codes_of(self.tx.run([statement])[0])

    def _counted(self, upper: Sequence[str], lower: Sequence[str], ranges: Sequence[Range]) -> tuple[int, int]:
        """How many objects have these names; of the same names it is asked once."""
        names = [(tuple(keys), tuple(ranges)) for keys in (upper, lower)]
        new = [pair for pair in dict.fromkeys(names) if pair not in self.counts]
        found = self.tx.run([self.reader.probes.count(*pair, MAX_READ) for pair in new])
        for pair, rows in zip(new, found, strict=True):
            self.counts[pair] = int(str(rows[0][0]))
            self.budget.left -= self.counts[pair] // COUNTED
        return self.counts[names[0]], self.counts[names[1]]


def _keys_with(by_mask: ByMask, wanted: int) -> list[str]:
    """Names with all of the words, those without others of them first."""
    if not wanted:
        return []
    masks = sorted((m for m in by_mask if m & wanted == wanted), key=lambda m: m.bit_count())
    return [key for mask in masks for key in by_mask[mask]]
