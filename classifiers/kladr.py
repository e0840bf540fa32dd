"""KLADR: the six tables, the code and its parts.

Code: `SS RRR GGG PPP AA` (13 digits, table KLADR), `SS RRR GGG PPP UUUU AA` (17, STREET), `SS RRR GGG PPP UUUU DDDD` (19, DOMA, no actuality),
`... DDDD KKKK` (23, FLAT). SS region, RRR district, GGG city, PPP settlement, UUUU street, AA actuality: 00 live, 01..50 earlier names of the
object with 00, 51 re-subordinated (its new code is in ALTNAMES), 99 gone. Levels may be skipped: a settlement may hang on the region.

Source: the description of KLADR published with it (order of the tax ministry of 17.11.2005 N САЭ-3-13/594@).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

ENCODING = "cp866"
SOURCE = "kladr"
LIVE, RESUBORDINATED, GONE = "00", "51", "99"
SETTLEMENT_LEVEL, STREET_LEVEL = "4", "5"
OBJECT_DIGITS, STREET_DIGITS, HOUSE_DIGITS = 13, 17, 19
GROUPS = (2, 5, 8, 11)
"""Ends of the groups SS, RRR, GGG, PPP."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of the tables. `fields`: those that must be there, with the width that matters (0: any). `code`: the field with the region."""

    name: str
    fields: Mapping[str, int]
    code: str


PARTS = (
    Part("FLAT", {"NAME": 0, "CODE": 23, "INDEX": 6, "GNINMB": 4, "UNO": 4}, "CODE"),
    Part("DOMA", {"NAME": 0, "KORP": 0, "SOCR": 0, "CODE": 19, "INDEX": 6, "GNINMB": 4, "UNO": 4, "OCATD": 11}, "CODE"),
    Part("STREET", {"NAME": 0, "SOCR": 0, "CODE": 17, "INDEX": 6, "GNINMB": 4, "UNO": 4, "OCATD": 11}, "CODE"),
    Part(
        "KLADR",
        {"NAME": 0, "SOCR": 0, "CODE": 13, "INDEX": 6, "GNINMB": 4, "UNO": 4, "OCATD": 11, "STATUS": 1},
        "CODE",
    ),
    Part("ALTNAMES", {"OLDCODE": 19, "NEWCODE": 19, "LEVEL": 1}, "OLDCODE"),
    Part("SOCRBASE", {"LEVEL": 0, "SCNAME": 0, "SOCRNAME": 0, "KOD_T_ST": 3}, ""),
)
BY_NAME = {part.name: part for part in PARTS}


def level_of(code: str) -> str:
    """Level of an object: 1 region, 2 district, 3 city, 4 settlement, 5 street: its deepest group that is not zero."""
    if len(code) >= STREET_DIGITS:
        return STREET_LEVEL
    if code[8:11] != "000":
        return "4"
    if code[5:8] != "000":
        return "3"
    return "2" if code[2:5] != "000" else "1"


def prefix_of(code: str) -> str:
    """What the codes of everything below the object (of 13 or 17 digits) begin with."""
    if len(code) >= STREET_DIGITS:
        return code[:15]
    return code[: GROUPS[int(level_of(code)) - 1]]


def ancestors(code: str) -> Iterator[str]:
    """Live codes of the objects above, the region first; some of them may not exist. Code of an object, a house or a flat."""
    own = code[:11].ljust(11, "0")
    ends = [end for i, end in enumerate(GROUPS) if int(own[GROUPS[i - 1] if i else 0 : end])]
    above = [own[:end].ljust(11, "0") + LIVE for end in ends]
    if len(code) == OBJECT_DIGITS:
        yield from (c for c in above if c[:11] != own)
        return
    yield from above
    if len(code) > STREET_DIGITS and code[11:15] != "0000":
        yield code[:15] + LIVE
