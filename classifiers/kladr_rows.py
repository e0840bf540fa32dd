"""Records of KLADR's tables -> rows of the registers of addresses, block by block; codes, indexes and the like must be digits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain

from classifiers.address_text import PLACE, STREET, UPPER, keys_of
from classifiers.address_words import WordCollector
from classifiers.dbf import Block, DbfTable, Prefix
from classifiers.kladr import BY_NAME, LIVE, SETTLEMENT_LEVEL, STREET_LEVEL, level_of
from classifiers.text import shown
from infobase.text_columns import Constant, Repeated, TextColumns

Rows = Iterator[tuple[str, ...]]
Blocks = Iterator[TextColumns]
Note = Callable[[int], None]
"""Called with the number of records of every block."""

OBJECT_FIELDS = {
    "Code": 17,
    "Level": 1,
    "Name": 250,
    "SearchKey": 251,
    "TypeName": 50,
    "Postcode": 6,
    "OKATO": 11,
    "TaxOffice": 4,
    "TaxDivision": 4,
    "Actuality": 2,
    "CentreStatus": 1,
}
STREET_FIELDS = {name: length for name, length in OBJECT_FIELDS.items() if name != "CentreStatus"}
HOUSE_FIELDS = {
    "Code": 23,
    "Numbers": 250,
    "Building": 100,
    "TypeName": 50,
    "Postcode": 6,
    "OKATO": 11,
    "TaxOffice": 4,
    "TaxDivision": 4,
}
REPEATING = ("SOCR", "KORP", "INDEX", "GNINMB", "UNO", "OCATD", "STATUS")
"""Streets of one settlement have them in common."""
_DIGITS = ("INDEX", "GNINMB", "UNO", "OCATD", "STATUS")


def demand_widths(table: DbfTable) -> None:
    """ClassifierInvalid when a text field is wider than the register takes."""
    for field, width in (("NAME", 250), ("SOCR", 50), ("KORP", 100)):
        found = table.header.by_name.get(field)
        if found is not None and found.width > width:
            ru = f"поле {field}: ширина {found.width}, допустимо до {width}"
            raise table.input.wrong(ru, f"field {field}: width {found.width}, at most {width} is allowed")


def rows_of(blocks: Blocks) -> Rows:
    """The rows of the blocks one after another, without a step of Python's for each."""
    return chain.from_iterable(zip(*block, strict=True) for block in blocks)


def place_blocks(
    table: DbfTable, region: Prefix | None, words: WordCollector, names: dict[str, str], note: Note
) -> Blocks:
    """KLADR -> AddressObjects. `names` is given the regions' names."""
    for names_, types, codes, indexes, offices, divisions, okato, status in _blocks(table, "KLADR", region, note):
        levels = [level_of(c) for c in codes]
        actual = _actuality(codes, 11)
        keys = [
            UPPER + key[1:] if key and level < SETTLEMENT_LEVEL else key
            for key, level in zip(_keys(names_, actual, PLACE), levels, strict=True)
        ]
        words.add(keys)
        _learn_regions(names, levels, codes, names_, types)
        yield codes, levels, names_, keys, types, indexes, okato, offices, divisions, actual, status


def street_blocks(table: DbfTable, region: Prefix | None, words: WordCollector, note: Note) -> Blocks:
    """STREET -> AddressObjects."""
    for names, types, codes, indexes, offices, divisions, okato in _blocks(table, "STREET", region, note):
        actual = _actuality(codes, 15)
        keys = _keys(names, actual, STREET)
        words.add(keys)
        levels = Constant(STREET_LEVEL, len(codes))
        yield codes, levels, names, keys, types, indexes, okato, offices, divisions, actual


def house_blocks(table: DbfTable, region: Prefix | None, note: Note) -> Blocks:
    """DOMA -> AddressHouses."""
    for names, buildings, types, codes, indexes, offices, divisions, okato in _blocks(table, "DOMA", region, note):
        yield codes, names, buildings, types, indexes, okato, offices, divisions


def flat_blocks(table: DbfTable, region: Prefix | None, note: Note) -> Blocks:
    """FLAT -> AddressHouses."""
    for names, codes, indexes, offices, divisions in _blocks(table, "FLAT", region, note):
        blank = Constant("", len(codes))
        yield codes, names, blank, Constant("кв", len(codes)), indexes, blank, offices, divisions


def _actuality(codes: Sequence[str], digits: int) -> Sequence[str]:
    """What stands behind so many digits: two of them, of codes of the same width. In most blocks all are live."""
    joined = "".join(codes)
    width = digits + 2
    if joined[digits::width].count("0") == joined[digits + 1 :: width].count("0") == len(codes):
        return Constant(LIVE, len(codes))
    return [c[digits:] for c in codes]


def _learn_regions(
    names: dict[str, str], levels: Sequence[str], codes: Sequence[str], titles: Sequence[str], types: Sequence[str]
) -> None:
    if "1" in levels:
        for level, code, title, kind in zip(levels, codes, titles, types, strict=True):
            if level == "1" and code.endswith(LIVE):
                names[code[:2]] = f"{title} {kind}".strip()


def _keys(names: Sequence[str], actual: Sequence[str], part: str) -> list[str]:
    """Only live objects are searched."""
    keys = keys_of(names, part)
    if isinstance(actual, Constant):
        return keys
    return [key if actuality == LIVE else "" for key, actuality in zip(keys, actual, strict=True)]


def _blocks(table: DbfTable, part: str, region: Prefix | None, note: Note) -> Iterator[tuple[Sequence[str], ...]]:
    wanted = BY_NAME[part].fields
    for block in table.blocks(tuple(wanted), region, REPEATING):
        _demand_digits(table, block, wanted)
        yield block.columns
        note(len(block))


def _demand_digits(table: DbfTable, block: Block, fields: Mapping[str, int]) -> None:
    for name, column in zip(fields, block.columns, strict=True):
        if name.endswith("CODE"):
            joined = "".join(column)
            width = fields[name]
            if not _is_digits(joined) or len(joined) != width * len(column):
                _name_wrong(table, block, name, column, lambda v, w=width: len(v) == w and _is_digits(v))  # type: ignore[misc]
        elif name in _DIGITS:
            joined = "".join(column.values.values() if isinstance(column, Repeated) else column)
            if joined and not _is_digits(joined):
                _name_wrong(table, block, name, column, lambda v: not v or _is_digits(v))


def _name_wrong(table: DbfTable, block: Block, name: str, column: Sequence[str], good: Callable[[str], bool]) -> None:
    for number, value in zip(block.numbers, column, strict=True):
        if not good(value):
            ru = f"запись {number}, поле {name}: «{shown(value)}», нужны цифры"
            raise table.input.wrong(ru, f"record {number}, field {name}: {shown(value)!r}, digits are needed")


def _is_digits(value: str) -> bool:
    return value.isascii() and value.encode().isdigit()  # digits of bytes are told several times faster
