"""Names of address objects as they are searched: folded, cut into words, told from house numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from infobase.schema.search import search_key

UPPER, PLACE, STREET = "0", "1", "2"
"""First character of a search key and of its words: regions, districts and cities, of which a country has a few thousand; settlements; streets."""
KEY_SCHEME = "k2"
"""How search keys are made here; stands before the digest of every loaded region. Another scheme takes another mark that no digest begins with."""
MAX_KEY = 251

_WORD = re.compile(r"[^\W\d_]+|\d+")


def words_of(text: str) -> list[str]:
    """Folded words and numbers in the order they stand: «1-я Тверская-Ямская» -> 1, я, тверская, ямская."""
    return _WORD.findall(search_key(text))


def words_of_key(key: str) -> list[str]:
    """Those of a search key, folded already."""
    return _WORD.findall(key, 1)


def keys_of(names: Sequence[str], part: str) -> list[str]:
    """Search keys of many names at once; none may hold a line feed."""
    return search_key(part + ("\n" + part).join(names)).split("\n") if names else []
