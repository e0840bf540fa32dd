"""Regions, districts and cities of a base by the words of their names. A country has a few thousand: they are kept in memory."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from classifiers.address_codes import ancestors, is_path
from classifiers.address_rows import AddressReader
from classifiers.address_text import words_of_key
from infobase.kernel import Kernel
from infobase.storage import Transaction


@dataclass(frozen=True, slots=True)
class Covered:
    """Bit sets of the typed words found in an object's name, and in it or above it."""

    own: int
    cover: int


class Upper:
    """`pairs`: (code, search key) of every region, district and city. `paths`: whether some are of GAR."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        pairs = list(pairs)
        self.paths = any(is_path(code) for code, _ in pairs)
        self._entries = sorted((word, code) for code, key in pairs for word in set(words_of_key(key)))

    def named(self, words: Sequence[str], whole: bool) -> dict[str, Covered]:
        """Objects with one of the words, found whole or as the beginning of a word of theirs."""
        own: dict[str, int] = {}
        for i, word in enumerate(words):
            for code in self._with(word, whole):
                own[code] = own.get(code, 0) | 1 << i
        return {code: Covered(mask, mask | _above(own, code)) for code, mask in own.items()}

    def _with(self, word: str, whole: bool) -> Iterable[str]:
        at = bisect_left(self._entries, (word, ""))
        while at < len(self._entries):
            found, code = self._entries[at]
            if not (found == word if whole else found.startswith(word)):
                return
            yield code
            at += 1


def upper_of(kernel: Kernel, reader: AddressReader, tx: Transaction) -> Upper:
    """That of what is loaded now; read anew when a load has changed it."""
    stamp = reader.loaded(tx)
    known = cast("tuple[object, Upper] | None", kernel.cache.get(Upper))
    if known is None or known[0] != stamp:
        known = (stamp, Upper(reader.upper_keys(tx)))
        kernel.cache[Upper] = known
    return known[1]


def _above(own: dict[str, int], code: str) -> int:
    mask = 0
    for above in ancestors(code):
        mask |= own.get(above, 0)
    return mask
