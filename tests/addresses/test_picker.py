"""The picker on both engines: any order, unfinished words, «е» for «ё», kinds in any form, houses in lists, obsolete codes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from classifiers.address_match import MAX_ENTRIES, MAX_KEYS, MAX_WORDS, MIN_ANCHORS, PROBE
from classifiers.address_picker import AddressPicker
from classifiers.address_probes import Probes, Range
from classifiers.address_rows import AddressReader
from classifiers.address_status import address_state
from infobase.errors import AccessDenied, AddressesNotLoaded
from infobase.rights import Access
from infobase.session import Session
from infobase.storage import Statement, Transaction

LENINA = "01000001000000100"


@pytest.mark.parametrize(
    "typed",
    [
        "степная майский ленина",
        "ленина майский степная",
        "степная обл, г. Майский, ул. Ленина",
        "ЛЕН майс степн",
        "улица ленина город майский область степная",
        "Степная область майский лени",
        LENINA,
    ],
)
def test_any_order_and_form_finds_the_street(loaded: Session, typed: str) -> None:
    hits = AddressPicker(loaded).find(typed)
    assert hits[0].code == LENINA, [h.presentation for h in hits]
    assert hits[0].presentation.endswith("Степная обл, Майский г, Ленина " + hits[0].levels[-1][1])


def test_what_is_known_of_an_address_is_given(loaded: Session) -> None:
    hit = AddressPicker(loaded).find("степная майский ленина 8")[0]
    assert hit.postcode == "001000"
    assert hit.okato
    assert hit.tax_office == "0100"
    assert [level for level, _, _ in hit.levels] == ["1", "3", "5"]
    assert hit.house == "8"
    assert hit.house_known
    assert hit.presentation.startswith("001000, ")
    assert hit.presentation.endswith(", дом 8")


@pytest.mark.parametrize(
    ("house", "known"), [("5", True), ("3", False), ("16", True), ("17", False), ("12", True), ("влд 12", True)]
)
def test_houses_are_looked_up_in_the_lists(loaded: Session, house: str, known: bool) -> None:
    hit = AddressPicker(loaded).find(f"степная майский ленина {house}")[0]
    assert hit.code.startswith(LENINA[:15])
    assert hit.house_known is known


def test_a_number_between_the_words_is_a_house(loaded: Session) -> None:
    hit = AddressPicker(loaded).find("ленина 7 степная майский")[0]
    assert (hit.house, hit.house_known) == ("7", True)


def test_yo_and_ye_are_one_letter(loaded: Session) -> None:
    assert "Озёрная" not in {h.levels[0][2] for h in AddressPicker(loaded).find("лесной")}
    names = {h.levels[0][2] for h in AddressPicker(loaded).find("лёсной майский")}
    assert names == {h.levels[0][2] for h in AddressPicker(loaded).find("лесной майский")} != set()


def test_obsolete_objects_are_not_offered_but_known(loaded: Session) -> None:
    assert not [h for h in AddressPicker(loaded).find("старое степная") if h.code == "0100100099999"]
    gone = address_state(loaded, "0100100099999")
    assert gone.state == "gone"
    renamed = address_state(loaded, "0100000100001")
    assert (renamed.state, renamed.successor_code) == ("renamed", "0100000100000")
    assert renamed.successor is not None
    assert renamed.successor.levels[-1][2] == "Майский"
    moved = address_state(loaded, "0100100099900")
    assert (moved.state, moved.successor_code) == ("resubordinated", "0100000100000")
    assert address_state(loaded, LENINA).state == "live"
    assert address_state(loaded, "9900000000000").state == "unknown"


@pytest.mark.parametrize(
    "typed", ["", " ", ",", "ъъъ", "'; drop table x", "%", "_", "майский' or '1'='1", "\\", "я" * 300, "1", "дом 5"]
)
def test_odd_input_finds_nothing_or_something_and_never_fails(loaded: Session, typed: str) -> None:
    AddressPicker(loaded).find(typed)


def test_an_empty_base_says_what_to_load(tmp_path_factory: pytest.TempPathFactory) -> None:
    from tests.crm_bases import create_crm, open_crm

    place = f'File="{tmp_path_factory.mktemp("empty")}";'
    create_crm(place)
    with open_crm(place) as session, pytest.raises(AddressesNotLoaded):
        AddressPicker(session).find("майский")


def test_without_the_right_to_read_there_is_no_picking(loaded: Session) -> None:
    configuration = loaded.kernel.configuration
    mine, loaded.access = loaded.access, Access(configuration, (), "nobody")
    try:
        with pytest.raises(AccessDenied):
            AddressPicker(loaded)
        loaded.access = Access(configuration, ("SalesManager",), "seller")
        assert AddressPicker(loaded).find("майский")
    finally:
        loaded.access = mine


def test_a_line_reads_a_bounded_part_of_the_index(loaded: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    probed: list[int] = []
    below, word_keys = Probes.below, AddressReader.word_keys

    def counted(self: Probes, keys: Sequence[str], ranges: Sequence[Range], limit: int) -> Statement:
        probed.append(len(keys) * len(ranges))
        return below(self, keys, ranges, limit)

    def limited(self: AddressReader, tx: Transaction, begins: Sequence[str], limit: int) -> list[list[str]]:
        found = word_keys(self, tx, begins, limit)
        assert len(begins) <= 2 * MAX_WORDS
        assert all(len(keys) <= limit <= MAX_KEYS for keys in found)
        return found

    monkeypatch.setattr(Probes, "below", counted)
    monkeypatch.setattr(AddressReader, "word_keys", limited)
    picker = AddressPicker(loaded)
    letters = "абвгдеклмнопрст"
    lines = [
        *letters,
        *(f"{a} {b}" for a in letters for b in "лмн"),
        "л м с т р я 7",
        "ле ма ст ре нов",
        "о л м 3-я к 12",
    ]
    for line in lines:
        probed.clear()
        picker.find(line)
        assert sum(probed) <= MAX_ENTRIES // PROBE + MIN_ANCHORS * MAX_KEYS, line
