"""Joined records of GAR -> rows of the registers of addresses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from classifiers.address_text import PLACE, STREET, UPPER, keys_of
from classifiers.address_words import WordCollector
from classifiers.gar import SETTLEMENT_LEVEL, STREET_LEVEL

Row = tuple[str, ...]

OBJECT_FIELDS = {
    "Code": 120,
    "Level": 2,
    "Name": 250,
    "SearchKey": 251,
    "TypeName": 50,
    "Postcode": 6,
    "OKATO": 11,
    "OKTMO": 11,
    "TaxOffice": 4,
    "Actuality": 2,
    "GUID": 36,
    "KLADRCode": 25,
    "SourceRecords": 60,
}
HOUSE_FIELDS = {
    "Code": 120,
    "Numbers": 250,
    "Building": 100,
    "TypeName": 50,
    "Postcode": 6,
    "OKATO": 11,
    "OKTMO": 11,
    "TaxOffice": 4,
    "GUID": 36,
    "SourceRecords": 60,
}


def search_key_of(name: str, level: int) -> str:
    """Cities and what is above them, settlements, and streets are searched apart."""
    part = STREET if level >= STREET_LEVEL else PLACE if level >= SETTLEMENT_LEVEL else UPPER
    return keys_of([name], part)[0]


def object_rows(region: str, joined: Iterable[tuple[object, ...]], words: WordCollector | None) -> Iterator[Row]:
    """`joined` as GarScratch.objects gives it."""
    for path, level, name, kind, guid, record, place, postcode, okato, oktmo, office, kladr in joined:
        key = search_key_of(str(name), int(str(level)))
        if words is not None:
            words.add([key])
        yield (
            f"{region}.{path}",
            str(level),
            str(name),
            key,
            str(kind),
            str(postcode),
            str(okato),
            str(oktmo),
            str(office),
            "",
            str(guid),
            str(kladr),
            f"{record}/{place}",
        )


def house_rows(region: str, joined: Iterable[tuple[object, ...]]) -> Iterator[Row]:
    """`joined` as GarScratch.houses gives it."""
    for path, number, building, kind, guid, record, place, postcode, okato, oktmo, office, _ in joined:
        values = (f"{region}.{path}", number, building, kind, postcode, okato, oktmo, office, guid, f"{record}/{place}")
        yield tuple(map(str, values))
