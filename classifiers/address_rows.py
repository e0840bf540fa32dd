"""Reading the registers of addresses for the picker: few statements, each by an index, under the user's rights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from classifiers.address_codes import below
from classifiers.address_probes import Probes
from classifiers.address_store import Targets
from classifiers.address_text import PLACE, STREET, UPPER, words_of
from infobase.bulk_records import range_end
from infobase.session import Session
from infobase.storage import Row, Statement, Transaction

OBJECT_COLUMNS = (
    "Code",
    "Level",
    "Name",
    "TypeName",
    "Postcode",
    "OKATO",
    "OKTMO",
    "TaxOffice",
    "GUID",
    "KLADRCode",
    "SearchKey",
    "CentreStatus",
    "Actuality",
)
HOUSE_COLUMNS = ("Code", "Numbers", "Building", "TypeName", "Postcode", "OKATO", "OKTMO", "TaxOffice", "GUID")


@dataclass(frozen=True)
class Place:
    """A region, district, city, settlement or street as it lies in the base."""

    code: str
    level: str
    name: str
    type_name: str
    postcode: str
    okato: str
    oktmo: str
    tax_office: str
    guid: str
    kladr_code: str
    search_key: str
    centre: str
    actuality: str

    @cached_property
    def words(self) -> tuple[str, ...]:
        return tuple(words_of(self.name))

    @cached_property
    def type_words(self) -> frozenset[str]:
        return frozenset(words_of(self.type_name))


@dataclass(frozen=True)
class House:
    """A row of houses. In KLADR `numbers` is a list."""

    code: str
    numbers: str
    building: str
    type_name: str
    postcode: str
    okato: str
    oktmo: str
    tax_office: str
    guid: str


class AddressReader:
    """Statements of one picker; `tx` is the snapshot they read."""

    def __init__(self, session: Session, targets: Targets) -> None:
        self._session, self._targets = session, targets
        self._known_columns: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for register in (targets.objects, targets.words, targets.types, targets.regions, targets.houses):
            if register:
                session.access.demand("Read", register)
                if session.access.restriction("Read", register) is not None:
                    raise session.access.denied("Read", register)

    def word_keys(self, tx: Transaction, begins: Sequence[str], limit: int) -> list[list[str]]:
        """Per beginning of a word (with its part): search keys of names with such a word; those of the whole word first, then short names,
        which are the frequent ones. A single letter is answered in the order of the alphabet: to sort a tenth of all names takes too long."""
        word, key = self._columns(self._targets.words, ("Word", "SearchKey"))
        mark = self._session.kernel.dialect.placeholder
        found = (
            f"SELECT {key} FROM {self._table(self._targets.words)} WHERE {word} >= {mark} AND {word} < {mark} ORDER BY "
        )
        statements = []
        for begin in begins:
            params = [begin, range_end(begin)]
            if len(begin) <= 2:
                statements.append(Statement(f"{found} {word}, {key} LIMIT {limit}", params))
            else:
                order = f"CASE WHEN {word} = {mark} THEN 0 ELSE 1 END, length({key}), {key} LIMIT {limit}"
                statements.append(Statement(found + order, [*params, begin]))
        return [list(dict.fromkeys(str(row[0]) for row in rows)) for rows in tx.run(statements)]

    def whole_word_keys(self, tx: Transaction, words: Sequence[str], limit: int) -> list[list[str]]:
        """Per word (with its part): search keys of names that hold it whole, at most `limit`."""
        word, key = self._columns(self._targets.words, ("Word", "SearchKey"))
        mark = self._session.kernel.dialect.placeholder
        sql = f"SELECT {key} FROM {self._table(self._targets.words)} WHERE {word} = {mark} LIMIT {limit}"
        return [[str(row[0]) for row in rows] for rows in tx.run([Statement(sql, [word]) for word in words])]

    def known_words(self, tx: Transaction, words: Sequence[str]) -> list[str]:
        """Those of the words that are a word of a name."""
        found = self.whole_word_keys(tx, [part + word for word in words for part in (PLACE, STREET)], 1)
        return [w for w, pair in zip(words, zip(found[::2], found[1::2], strict=True), strict=True) if any(pair)]

    def loaded(self, tx: Transaction) -> tuple[Row, ...]:
        """What is loaded of every region: changes whenever objects do."""
        names = ", ".join(self._columns(self._targets.regions, ("Region", "VersionDate", "Digest")))
        return tuple(tx.run([Statement(f"SELECT {names} FROM {self._table(self._targets.regions)}")])[0])

    def upper_keys(self, tx: Transaction) -> list[tuple[str, str]]:
        """(code, search key) of all regions, districts and cities."""
        code, key = self._columns(self._targets.objects, ("Code", "SearchKey"))
        mark = self._session.kernel.dialect.placeholder
        sql = f"SELECT {code}, {key} FROM {self._table(self._targets.objects)} WHERE {key} >= {mark} AND {key} < {mark}"
        return [(str(c), str(k)) for c, k in tx.run([Statement(sql, [UPPER, range_end(UPPER)])])[0]]

    @cached_property
    def probes(self) -> Probes:
        """Statements that find codes by name."""
        code, key = self._columns(self._targets.objects, ("Code", "SearchKey"))
        return Probes(self._session.kernel.dialect, self._table(self._targets.objects), code, key)

    def by_codes(self, tx: Transaction, codes: Sequence[str]) -> list[Place]:
        """Objects with these codes."""
        if not codes:
            return []
        columns = self._columns(self._targets.objects, OBJECT_COLUMNS)
        given, params = self._session.kernel.dialect.given([codes])
        sql = f"SELECT {', '.join(columns)} FROM {self._table(self._targets.objects)} WHERE {columns[0]} IN ({given})"
        return [_place(row) for row in tx.run([Statement(sql, params)])[0]]

    def houses(self, tx: Transaction, codes: Sequence[str]) -> list[list[House]]:
        """Per code of a street (or a settlement without streets): its houses."""
        if not self._targets.houses:
            return [[] for _ in codes]
        columns = self._columns(self._targets.houses, HOUSE_COLUMNS)
        mark = self._session.kernel.dialect.placeholder
        sql = (
            f"SELECT {', '.join(columns)} FROM {self._table(self._targets.houses)} "
            f"WHERE {columns[0]} >= {mark} AND {columns[0]} < {mark} ORDER BY {columns[0]}"
        )
        results = tx.run([Statement(sql, list(_house_range(code))) for code in codes])
        return [[House(*(str(v) for v in row)) for row in rows] for rows in results]

    def types(self, tx: Transaction) -> list[tuple[str, str, str]]:
        """(abbreviation, full name, level) of every kind of object."""
        names = ", ".join(self._columns(self._targets.types, ("ShortName", "FullName", "Level")))
        rows = tx.run([Statement(f"SELECT {names} FROM {self._table(self._targets.types)}")])[0]
        return [(str(a), str(b), str(c)) for a, b, c in rows]

    def _table(self, register: str) -> str:
        return self._session.kernel.dialect.quote(self._session.kernel.layout.registers[register].table.name)

    def _columns(self, register: str, names: tuple[str, ...]) -> list[str]:
        known = self._known_columns.get((register, names))
        if known is None:
            known = self._known_columns[register, names] = self._looked_up(register, names)
        return known

    def _looked_up(self, register: str, names: Iterable[str]) -> list[str]:
        layout = self._session.kernel.layout.registers[register]
        quote = self._session.kernel.dialect.quote
        fields = [layout.field(name) for name in names]
        return [quote(f.column.name) for f in fields if f is not None]


def _place(row: Row) -> Place:
    return Place(*cast("tuple[str, ...]", row))


def _house_range(code: str) -> tuple[str, str]:
    """Houses right below a street or, in KLADR, below a settlement: those have the street 0000."""
    begin, end = below(code)
    if len(code) == 13 and "." not in code:
        whole = code[:11] + "0000"
        return whole, range_end(whole)
    return begin, end
