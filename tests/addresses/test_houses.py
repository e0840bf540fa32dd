"""House numbers: what people type, and KLADR's lists."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.address_houses import MAX_EXPANDED, comparable, expand, list_holds, typed_house


@pytest.mark.parametrize(
    ("typed", "before", "number", "certain"),
    [
        ("москва тверск 7", "москва тверск", "7", False),
        ("тверская, д. 7", "тверская,", "7", True),
        ("ленина 12 корп 2", "ленина", "12к2", True),
        ("ленина 7/2а кв 5", "ленина", "7/2а", True),
        ("8 марта 15А", "8 марта", "15а", False),
        ("тверская влд 3", "тверская", "влд3", True),
        ("тверская 7 стр. 1", "тверская", "7стр1", True),
        ("50 лет октября, дом 3, корпус 1, кв. 6", "50 лет октября,", "3к1", True),
    ],
)
def test_a_house_at_the_end_is_seen(typed: str, before: str, number: str, certain: bool) -> None:
    found = typed_house(typed)
    assert found is not None
    assert (found.before.strip(), found.number, found.certain) == (before, number, certain)


@pytest.mark.parametrize("typed", ["майкоп", "8 марта", "2-я парковая", "", "ленина дом"])
def test_names_are_not_taken_for_houses(typed: str) -> None:
    assert typed_house(typed) is None


def test_lists_expand_as_published() -> None:
    assert expand("1,2,5-8,Н(1-5),Ч(2-6),влд_7,двлд3,12к2") == [
        "1", "2", "5", "6", "7", "8", "1", "3", "5", "2", "4", "6", "влд 7", "двлд3", "12к2",
    ]  # fmt: skip
    assert len(expand("1-99999999999")) == MAX_EXPANDED
    assert expand("") == []


@pytest.mark.parametrize(
    ("listed", "wanted", "there"),
    [
        ("1,5-11", "7", True),
        ("1,5-11", "12", False),
        ("Н(13-19)", "15", True),
        ("Н(13-19)", "16", False),
        ("Ч(2-20)", "20", True),
        ("Н", "3", True),
        ("Ч", "3", False),
        ("влд7,8", "7", False),
        ("влд_7", "влд7", True),
        ("12 корпус 2", "12к2", True),
        ("5-11", "7а", False),
    ],
)
def test_a_list_holds_a_house(listed: str, wanted: str, there: bool) -> None:
    assert list_holds(listed, wanted) is there


@given(st.integers(1, 60), st.integers(0, 40), st.sampled_from(["", "Н", "Ч"]), st.integers(0, 110))
def test_holding_is_being_among_the_expanded(first: int, more: int, side: str, wanted: int) -> None:
    listed = f"{side}({first}-{first + more})" if side else f"{first}-{first + more}"
    assert list_holds(listed, str(wanted)) == (str(wanted) in expand(listed))


@pytest.mark.parametrize("way", ["7 строение 1", "7 стр.1", "7стр1", "7с1"])
def test_ways_to_write_a_building_compare_equal(way: str) -> None:
    assert comparable(way) == "7стр1"
