"""House numbers: what people type, and KLADR's lists of them, expanded only when they are searched.

A list is `1,2,5-11,Н(1-9),Ч(2-20)`: single numbers, ranges, odd and even ranges («Н» and «Ч» alone: all of them); `влд`, `двлд` stand before
numbers of estates, `_` for a blank, `к`, `стр`, `лит` before parts: `12к2`, `7стр1`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from infobase.schema.search import search_key

MAX_EXPANDED = 2000
"""Numbers of one list that are shown: a range may have any size."""
_MARK = r"(?:домовладение|двлд|владение|влд|вл|дом|д)"
_PART = r"(?:корпус|корп|кор|к|строение|стр|с|литера|литер|лит|л|сооружение|соор)"
_TAIL = re.compile(
    rf"(?:^|[\s,])(?P<mark>{_MARK}\b\.?\s*)?№?\s*(?P<number>\d+(?:(?:\s?[а-я]|-[а-дж-ик-ю])(?![а-я]))?(?:[/-]\d+[а-я]?)?)"
    rf"(?P<parts>(?:[\s,]*{_PART}\.?\s*\d+[а-я]?)*)"
    r"(?P<flat>[\s,]*(?:квартира|кв|офис|оф|помещение|пом)\.?\s*\d+[а-я]?)?\s*$"
)
_SYNONYMS = (
    (re.compile(r"домовладение|двлд"), "двлд"),
    (re.compile(r"(?<!д)(?<!домо)владение|(?<!д)влд|(?<![а-я])вл(?=[\d])"), "влд"),
    (re.compile(r"корпус|корп|кор(?=\d)"), "к"),
    (re.compile(r"строение|(?<![а-я])с(?=\d)|(?<=\d)с(?=\d)"), "стр"),
    (re.compile(r"литера|литер|лит|(?<=\d)л(?=\d)"), "лит"),
    (re.compile(r"сооружение"), "соор"),
)
_RANGE = re.compile(r"(?P<side>[нч])?\(?(?P<first>\d+)-(?P<last>\d+)\)?")
_ESTATE = re.compile(r"^(?:двлд|влд|дом|д)(?=\d)")


@dataclass(frozen=True, slots=True)
class TypedHouse:
    """A house at the end of what was typed. `before`: the rest; `number`: comparable form, `shown`: as typed; `certain`: it was marked (д. 7)."""

    before: str
    number: str
    shown: str
    certain: bool


def typed_house(typed: str) -> TypedHouse | None:
    """The house at the end, if there is one."""
    folded = search_key(typed)
    found = _TAIL.search(folded)
    if found is None:
        return None
    shown = folded[found.start("number") : found.end("parts")].strip()
    certain = bool(found["mark"] or found["parts"] or found["flat"])
    mark = (found["mark"] or "").strip(" .")
    estate = mark if mark not in ("", "д", "дом") else ""
    return TypedHouse(folded[: found.start()], comparable(estate + shown), shown, certain)


def comparable(number: str) -> str:
    """One form for all ways to write a house: no blanks, short words: «12 корп. 2» -> 12к2, «5-а» -> 5а."""
    made = re.sub(r"[\s_.,№\"]|(?<=\d)-(?=[а-я])", "", search_key(number))
    for pattern, short in _SYNONYMS:
        made = pattern.sub(short, made)
    return made


def list_holds(listed: str, wanted: str) -> bool:
    """Whether a list names the house (in comparable form)."""
    return any(_item_holds(item, wanted) for item in _items(listed))


def without_estate(number: str) -> str:
    """влд7 -> 7: people rarely type what stands before the number."""
    return _ESTATE.sub("", number)


def expand(listed: str) -> list[str]:
    """The houses a list names, in its order, at most MAX_EXPANDED."""
    return list(islice(_expanded(listed), MAX_EXPANDED))


def _expanded(listed: str) -> Iterator[str]:
    for item in listed.split(","):
        folded = comparable(item)
        bounds = _RANGE.fullmatch(folded)
        if bounds is not None:
            yield from (str(n) for n in _numbers(bounds))
        elif folded:
            yield item.strip().replace("_", " ")


def _items(listed: str) -> list[str]:
    return [made for item in listed.split(",") if (made := comparable(item))]


def _numbers(bounds: re.Match[str]) -> range:
    first, last = int(bounds["first"]), int(bounds["last"])
    side = bounds["side"]
    if side is None:
        return range(first, last + 1)
    odd = 1 if side == "н" else 0
    return range(first + (first % 2 != odd), last + 1, 2)


def _item_holds(item: str, wanted: str) -> bool:
    if item == wanted:
        return True
    bounds = _RANGE.fullmatch(item)
    if bounds is not None:
        return wanted.isdigit() and int(wanted) in _numbers(bounds)
    if item in ("н", "ч"):
        return wanted.isdigit() and int(wanted) % 2 == (item == "н")
    return False
