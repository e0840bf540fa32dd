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
_COUNTRY = re.compile(r"^\W*(?:российская федерация|россия|рф)(?:\s*,|(?=(?:\W+\w+){2}))")
_POSTCODE = re.compile(r"(?<!\d)\d{6}(?!\d)")
_ENDING = re.compile(r"(?<=\d)-(?:ти|ми|го|му|ый|ий|ой|ая|яя|ое|ее|ые|ие|ых|их|ую)(?!\w)")
_SHORT = {"спб": "санкт петербург", "мск": "москва", "хмао": "ханты мансийский", "янао": "ямало ненецкий"}
_SHORT_NAME = re.compile(rf"(?<!\w)(?:{'|'.join(_SHORT)})(?!\w)")


def typed_line(text: str) -> str:
    """What was typed, folded, without what no name holds: the country, the postal index, endings of numbers («26-ти»); short names written out."""
    line = search_key(text)
    for pattern in (_COUNTRY, _POSTCODE):
        shorter = pattern.sub(" ", line)
        line = shorter if _WORD.search(shorter) else line
    return _SHORT_NAME.sub(lambda found: _SHORT[found[0]], _ENDING.sub("", line))


def words_of(text: str) -> list[str]:
    """Folded words and numbers in the order they stand: «1-я Тверская-Ямская» -> 1, я, тверская, ямская."""
    return _WORD.findall(search_key(text))


def words_of_key(key: str) -> list[str]:
    """Those of a search key, folded already."""
    return _WORD.findall(key, 1)


def keys_of(names: Sequence[str], part: str) -> list[str]:
    """Search keys of many names at once; none may hold a line feed."""
    return search_key(part + ("\n" + part).join(names)).split("\n") if names else []
