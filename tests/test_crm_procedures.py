"""Checks of Russian requisites: official vectors, and one wrong digit is caught where the algorithm promises it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.account_key import with_key
from crm import procedures as p

digit = st.sampled_from("0123456789")


def digits(count: int) -> st.SearchStrategy[str]:
    return st.text(digit, min_size=count, max_size=count)


def flip(text: str, place: int, by: int) -> str:
    """`text` with the digit at `place` moved on by `by` (1..9): always another digit."""
    return text[:place] + str((int(text[place]) + by) % 10) + text[place + 1 :]


@pytest.mark.parametrize("text", ["", "7707083893", "7736050003", "500100732259"])
def test_inn_accepts(text: str) -> None:
    assert p.inn(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "7707083894",
        "500100732250",
        "500100732279",
        "770708389",
        "77070838930",
        "770708389A",
        "0000000000",
        "٧٧٠٧٠٨٣٨٩٣",
    ],
)
def test_inn_refuses(text: str) -> None:
    assert p.inn(text) is not None


@given(digits(9), st.integers(1, 9))
def test_inn_wrong_check_digit_is_always_caught(body: str, by: int) -> None:
    good = p.inn_with_key(body + "0")
    if good.strip("0"):
        assert p.inn(good) is None
        assert p.inn(flip(good, 9, by)) is not None


@given(digits(9), st.integers(0, 8), st.integers(1, 9))
def test_inn_other_wrong_digit_is_caught_unless_remainder_ten_is_written_as_zero(
    body: str, place: int, by: int
) -> None:
    good = p.inn_with_key(body + "0")
    bad = flip(good, place, by)
    weights = (2, 4, 10, 3, 5, 9, 4, 6, 8)
    remainders = {sum(int(c) * w for c, w in zip(t, weights, strict=False)) % 11 for t in (good, bad)}
    if remainders != {0, 10}:
        assert p.inn(bad) is not None


@given(digits(10), st.integers(10, 11), st.integers(1, 9))
def test_inn_of_a_person_wrong_check_digit_is_caught(body: str, place: int, by: int) -> None:
    good = p.inn_with_key(body + "00")
    if good.strip("0"):
        assert p.inn(good) is None
        bad = flip(good, place, by)
        assert p.inn(bad) is not None


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("", True),
        ("773601001", True),
        ("7736AB001", True),
        ("77360100", False),
        ("7736аб001", False),
        ("773601001\n", False),
    ],
)
def test_kpp(text: str, fine: bool) -> None:
    assert (p.kpp(text) is None) is fine


@pytest.mark.parametrize("text", ["", "1027700132195", "304500116000157"])
def test_ogrn_accepts(text: str) -> None:
    assert p.ogrn(text) is None


@pytest.mark.parametrize("text", ["1027700132194", "304500116000158", "10277001321950", "102770013219Х", "0" * 13])
def test_ogrn_refuses(text: str) -> None:
    assert p.ogrn(text) is not None


@given(st.sampled_from((13, 15)).flatmap(digits), st.integers(1, 9), st.data())
def test_ogrn_one_wrong_digit(text: str, by: int, data: st.DataObject) -> None:
    good = p.ogrn_with_key(text)
    if not good.strip("0"):
        return
    assert p.ogrn(good) is None
    bad = flip(good, data.draw(st.integers(0, len(good) - 1)), by)
    modulus = len(good) - 2
    same_by_rule = int(good[:-1]) % modulus % 10 == int(bad[:-1]) % modulus % 10 and good[-1] == bad[-1]
    assert (p.ogrn(bad) is None) is (same_by_rule and bool(bad.strip("0")))


@pytest.mark.parametrize(
    ("bic", "account", "fine"),
    [
        ("049805746", "40602810700000000025", True),  # the order's own examples
        ("049805000", "30101810800000000746", True),
        ("044525225", "30101810400000000225", True),  # a correspondent account by the bank's own BIC
        ("049805746", "40602810800000000025", False),
        ("049805747", "40602810700000000025", False),
        ("049805746", "4060281070000000002", False),
        ("04980574", "40602810700000000025", False),
        ("049805746", "40602Z10700000000025", False),
        ("004525988", "03100643000000017300", True),  # a treasury account has no such key
        ("004525988", "40102810545370000003", True),  # the single treasury account has
        ("004525988", "40102810645370000003", False),
    ],
)
def test_account_key(bic: str, account: str, fine: bool) -> None:
    assert p.account_key_ok(bic, account) is fine
    assert (p.account_key(f"{bic} {account}") is None) is fine


@given(
    digits(9).filter(lambda b: b[6:] not in ("000", "001", "002")), digits(19), st.integers(0, 19), st.integers(1, 9)
)
def test_account_key_catches_any_one_wrong_digit(bic: str, rest: str, place: int, by: int) -> None:
    good = with_key(bic[6:], "4" + rest)
    bad = flip(good, place, by)
    special = ("03", "301", "40102")  # kept in the Bank of Russia: other digits go before the account
    if not good.startswith(special):
        assert p.account_key_ok(bic, good)
        if not bad.startswith(special):
            assert not p.account_key_ok(bic, bad)


@given(digits(9), digits(19), st.sampled_from(list(zip("АВСЕНКМРТХABCEHKMPTX", "0123456789" * 2, strict=True))))
def test_account_letter_stands_for_its_digit(bic: str, rest: str, pair: tuple[str, str]) -> None:
    letter, value = pair
    with_digit = ("4" + rest)[:5] + value + ("4" + rest)[6:]
    with_letter = with_digit[:5] + letter + with_digit[6:]
    assert p.account(with_letter) is None
    if not with_digit.startswith("40102"):
        assert p.account_key_ok(bic, with_letter) is p.account_key_ok(bic, with_digit)


@pytest.mark.parametrize(
    ("text", "fine"),
    [("", True), ("40602810700000000025", True), ("4060281070000000002", False), ("4060281070000000002٥", False)],
)
def test_account_form(text: str, fine: bool) -> None:
    assert (p.account(text) is None) is fine


@pytest.mark.parametrize("text", ["044525225", "40602810700000000025", "1 2 3", "x y"])
def test_account_key_needs_both(text: str) -> None:
    assert p.account_key(text) is not None


@pytest.mark.parametrize(
    ("text", "fine"),
    [("", True), ("4600051000057", True), ("4600051000058", False), ("96385074", True), ("123", False)],
)
def test_barcode(text: str, fine: bool) -> None:
    assert (p.barcode(text) is None) is fine


@given(st.sampled_from((7, 12)).flatmap(digits), st.data(), st.integers(1, 9))
def test_barcode_catches_any_one_wrong_digit(body: str, data: st.DataObject, by: int) -> None:
    good = p.barcode_with_key(body)
    assert p.barcode(good) is None
    assert p.barcode(flip(good, data.draw(st.integers(0, len(good) - 1)), by)) is not None


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("", True),
        ("ivan@example.ru", True),
        ("иван@почта.рф", True),
        ("ivan@example", False),
        ("a b@example.ru", False),
        ("@example.ru", False),
    ],
)
def test_email(text: str, fine: bool) -> None:
    assert (p.email(text) is None) is fine


@pytest.mark.parametrize(
    ("text", "fine"),
    [("", True), ("+7 (495) 123-45-67", True), ("02", False), ("звонить вечером", False), ("1" * 20, False)],
)
def test_phone(text: str, fine: bool) -> None:
    assert (p.phone(text) is None) is fine


@given(st.text(max_size=30))
def test_no_check_ever_fails_on_any_text(text: str) -> None:
    for check in (p.inn, p.kpp, p.ogrn, p.bic, p.account, p.account_key, p.barcode, p.email, p.phone):
        reason = check(text)
        assert reason is None or (reason.ru and reason.en)
