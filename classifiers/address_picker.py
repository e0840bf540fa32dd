"""The address picker: type ahead over "region, city, street, house" in any order.

    picker = AddressPicker(session)
    for hit in picker.find("москва тверск 7"):
        hit.presentation, hit.code, hit.postcode, hit.okato, hit.oktmo

Words may be unfinished, in any order, with «е» for «ё» and any abbreviation or full name of a kind of object («ул», «улица»). A house at the
end is looked up in the lists of houses; where a base has none it is taken as typed (`house_known` False).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from typing import Any

from classifiers.address_codes import ancestors, is_path
from classifiers.address_houses import TypedHouse, comparable, list_holds, typed_house, without_estate
from classifiers.address_match import covered, matches
from classifiers.address_rank import Chain, Typed, ranked_chains
from classifiers.address_rows import AddressReader, House
from classifiers.address_store import Targets, targets_of
from classifiers.address_text import typed_line, words_of
from classifiers.address_upper import upper_of
from infobase.errors import AddressesNotLoaded, ClassifierUnwanted
from infobase.served import door_of, served
from infobase.session import Session
from infobase.storage import Statement, Transaction

MAX_KINDS_AS_NAMES = 2
"""Kinds that are names as well, «Набережная», «Площадь»: so many are tried as names one by one."""
MAX_RANKED = 150
DEFAULT_LIMIT = 10
WITH_HOUSES = 8
"""Of so many first hits the houses are looked up."""


@dataclass(frozen=True, slots=True)
class AddressHit:
    """One address. `code`: of KLADR or the path of GAR; `levels`: (level, kind, name) from the region down. Unknown things are "".
    `house`: as typed or as listed; `house_known`: it is in the lists of houses."""

    presentation: str
    code: str
    kladr_code: str
    guid: str
    postcode: str
    okato: str
    oktmo: str
    tax_office: str
    levels: tuple[tuple[str, str, str], ...]
    house: str = ""
    house_known: bool = False
    actuality: str = ""


class AddressPicker:
    """One user's picker over one base; made for the session, used for as many lines as are typed. AccessDenied, ClassifierUnwanted.

    For a base behind an application server the server looks, beside the data."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._targets = address_targets(session)
        self._reader = AddressReader(session, self._targets)
        self._afar = door_of(session.kernel.engine) is not None
        self._kinds: dict[str, frozenset[str]] | None = None

    def find(self, typed: str, limit: int = DEFAULT_LIMIT) -> list[AddressHit]:
        """The likeliest addresses, best first. A code of KLADR finds its object. AddressesNotLoaded in a base without addresses."""
        if self._afar:
            return [AddressHit(**given) for given in found_addresses(self._session, typed, limit)]
        with self._session.reading() as tx:
            code = typed.strip()
            if code.isascii() and code.isdigit() and len(code) in (13, 17):
                return [_hit(path, None) for path in self._chains(tx, [code])]
            taken = self._take_apart(tx, typed_line(typed))
            found = self._found(tx, taken)
            if not found:
                self._demand_loaded(tx)
            ranked = ranked_chains(taken, found, self._kind_words(tx))
            house = taken.house or _house_between(taken.weak, ranked)
            return [_hit(*pair) for pair in self._with_houses(tx, house, ranked[: max(limit, WITH_HOUSES)])[:limit]]

    def by_code(self, code: str) -> AddressHit | None:
        """The object with exactly this code, live or not."""
        if self._afar:
            return next((AddressHit(**given) for given in address_of(self._session, code)), None)
        with self._session.reading() as tx:
            return next((_hit(path, None) for path in self._chains(tx, [code])), None)

    # --- what was typed ---

    def _take_apart(self, tx: Transaction, typed: str) -> Typed:
        house = typed_house(typed)
        words = words_of(house.before if house else typed)
        if house is not None and not words:
            words, house = words_of(typed), None
        kinds = self._kind_words(tx)
        named = [w for w in words if w.isalpha() and w not in kinds]
        weak = [w for w in words if not w.isalpha() or (len(w) == 1 and w not in kinds and len(named) > 1)]
        strong = [w for w in named if w not in weak]
        if not strong:
            strong = [w for w in words if w.isalpha()] or list(words)
        others = [w for w in words if w.isalpha() and w not in strong and w not in weak]
        return Typed(tuple(strong), tuple(others), tuple(w for w in weak if w not in strong), house)

    def _kind_words(self, tx: Transaction) -> dict[str, frozenset[str]]:
        """Word of an abbreviation or a full name -> the abbreviations it may stand for, folded."""
        if self._kinds is None:
            made: dict[str, set[str]] = {}
            for short, full, _ in self._reader.types(tx):
                for word in (*words_of(short), *words_of(full)):
                    made.setdefault(word, set()).update(words_of(short))
            self._kinds = _USUAL_KINDS | {word: frozenset(shorts) for word, shorts in made.items()}
        return self._kinds

    # --- finding and ordering ---

    def _found(self, tx: Transaction, typed: Typed) -> list[Chain]:
        """Kinds that are words of names are first taken for names, then only for kinds; a number at the end for a house, then for a name."""
        upper = upper_of(self._session.kernel, self._reader, tx)
        house = words_of(typed.house.shown) if typed.house and not typed.house.certain else []
        numbers = [w for w in (*typed.weak, *house) if w.isdigit()]
        found: dict[str, None] = {}
        for kinds in _as_names(self._reader.known_words(tx, [k for k in typed.kinds if len(k) > 2])):
            found |= dict.fromkeys(matches(self._reader, tx, (*typed.strong, *kinds), upper, numbers))
        return self._chains(tx, list(found)[:MAX_RANKED])

    def _chains(self, tx: Transaction, codes: Sequence[str]) -> list[Chain]:
        """The objects with all that is above them, from the region down."""
        every = dict.fromkeys(chain.from_iterable((*ancestors(code), code) for code in codes))
        places = {p.code: p for p in self._reader.by_codes(tx, list(every))}
        return [tuple(places[c] for c in (*ancestors(code), code) if c in places) for code in codes if code in places]

    def _with_houses(
        self, tx: Transaction, house: TypedHouse | None, paths: Sequence[Chain]
    ) -> list[tuple[Chain, _Found | None]]:
        if house is None:
            return [(path, None) for path in paths]
        first = paths[:WITH_HOUSES]
        listed = self._reader.houses(tx, [path[-1].code for path in first])
        paired = [(path, _find_house(house, rows)) for path, rows in zip(first, listed, strict=True)]
        paired.sort(key=lambda pair: not (pair[1] and pair[1].row))
        return [*paired, *((path, None) for path in paths[WITH_HOUSES:])]

    def _demand_loaded(self, tx: Transaction) -> None:
        layout = self._session.kernel.layout.registers[self._targets.objects]
        table = self._session.kernel.dialect.quote(layout.table.name)
        if not tx.run([Statement(f"SELECT 1 FROM {table} LIMIT 1")])[0]:
            raise AddressesNotLoaded()


@served("")
def found_addresses(session: Session, typed: str, limit: int) -> list[dict[str, Any]]:
    """`AddressPicker.find`, in the form that travels."""
    return [asdict(hit) for hit in AddressPicker(session).find(typed, limit)]


@served("")
def address_of(session: Session, code: str) -> list[dict[str, Any]]:
    """`AddressPicker.by_code` likewise: one hit or none."""
    hit = AddressPicker(session).by_code(code)
    return [asdict(hit)] if hit else []


@dataclass(frozen=True)
class _Found:
    """A typed house on a street: the row that lists it, None when there is none."""

    shown: str
    row: House | None


def address_targets(session: Session) -> Targets:
    """Where this configuration keeps addresses. ClassifierUnwanted when it does not."""
    uses = session.kernel.configuration.classifiers
    use = uses.get("kladr") or uses.get("gar")
    if use is None:
        raise ClassifierUnwanted(kind="kladr", target="InformationRegister")
    return targets_of(use)


def _as_names(kinds: Sequence[str]) -> list[tuple[str, ...]]:
    """Which kinds are taken for names, one try after another."""
    single = [(kind,) for kind in kinds[:MAX_KINDS_AS_NAMES]]
    return [*([tuple(kinds)] if len(kinds) > 1 else []), *single, ()]


def _house_between(weak: Sequence[str], ranked: Sequence[Chain]) -> TypedHouse | None:
    """A number among the words that no name has is a house as well: «ленина 10 майкоп»; but not the one of «1-я»."""
    numbers = [w for w in weak if w.isdigit()]
    if len(numbers) != 1 or len(weak) != 1 or not ranked or covered(numbers, ranked[0][-1].words)[0]:
        return None
    return TypedHouse("", numbers[0], numbers[0], False)


def _find_house(house: TypedHouse, rows: Sequence[House]) -> _Found:
    """The row that lists the house, by its full form first; then without what stands before the number («влд»)."""
    for loose in (False, True):
        for row in rows:
            if _holds(row, house.number, loose):
                return _Found(house.shown, row)
    return _Found(house.shown, None)


def _holds(row: House, wanted: str, loose: bool) -> bool:
    if is_path(row.code) or row.building:
        own = comparable(row.numbers) + comparable(row.building and _building(row.building))
        return own == wanted or (loose and without_estate(own) == without_estate(wanted))
    if loose:
        return any(without_estate(comparable(i)) == without_estate(wanted) for i in row.numbers.split(","))
    return list_holds(row.numbers, wanted)


def _building(building: str) -> str:
    """KLADR's KORP is a bare number; GAR's additions carry their kind."""
    return f"к{building}" if building[:1].isdigit() else building


def _hit(path: Chain, house: _Found | None) -> AddressHit:
    last = path[-1]
    row = house.row if house else None

    def nearest(name: str) -> str:
        own = getattr(row, name) if row else ""
        return own or next((v for p in reversed(path) if (v := getattr(p, name))), "")

    shown = [f"{p.name} {p.type_name}".strip() for p in path]
    if house is not None:
        shown.append(f"дом {house.shown}")
    postcode = nearest("postcode")
    hit = AddressHit(
        presentation=", ".join([postcode, *shown] if postcode else shown),
        code=row.code if row else last.code,
        kladr_code=last.kladr_code or ("" if is_path(last.code) else last.code),
        guid=(row.guid if row else "") or last.guid,
        postcode=postcode,
        okato=nearest("okato"),
        oktmo=nearest("oktmo"),
        tax_office=nearest("tax_office"),
        levels=tuple((p.level, p.type_name, p.name) for p in path),
        actuality=last.actuality,
    )
    return replace(hit, house=house.shown, house_known=row is not None) if house else hit


_USUAL = {
    "ул": "улица", "пр кт": "проспект", "пер": "переулок", "б р": "бульвар", "ш": "шоссе", "пл": "площадь",
    "наб": "набережная", "проезд": "проезд", "туп": "тупик", "г": "город", "обл": "область", "край": "край",
    "респ": "республика", "р н": "район", "с": "село", "д": "деревня", "п": "поселок", "пгт": "поселок",
    "рп": "поселок", "х": "хутор", "ст ца": "станица", "мкр": "микрорайон", "кв л": "квартал", "тер": "территория", "снт": "снт",
}  # fmt: skip
_USUAL_KINDS = {word: frozenset(short.split()) for short, full in _USUAL.items() for word in (*short.split(), full)}
"""For a base whose abbreviations were not loaded, or not all of them."""
