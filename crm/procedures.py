"""Named procedures of the CRM configuration: checks of Russian requisites.

A check takes the text of a field and returns None when it is fine, else the reason. An empty text is fine: whether a field must be
filled is another matter (`required`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from classifiers.account_key import CBR_DIVISIONS, bank_prefix, cbr_prefix, is_account, is_bic, key_ok
from infobase.i18n import Bilingual
from infobase.procedures import Registry

_INN_10 = (2, 4, 10, 3, 5, 9, 4, 6, 8)
_INN_11 = (7, *_INN_10)
_INN_12 = (3, *_INN_11)
_DIGITS = re.compile(r"[0-9]+")
_KPP = re.compile(r"[0-9]{4}[0-9A-Z]{2}[0-9]{3}")
_EMAIL = re.compile(r"[^\s@<>(),;:\"\[\]\\]{1,64}@[^\s@.]+(\.[^\s@.]+)+")
_PHONE = re.compile(r"\+?[0-9][0-9() \-]{4,30}")

_INN_LENGTH = Bilingual("ИНН состоит из 10 или 12 цифр", "an INN has 10 or 12 digits")
_INN_KEY = Bilingual("контрольное число ИНН не сходится", "the check digit of the INN is wrong")
_KPP_FORM = Bilingual(
    "КПП состоит из 9 знаков: 4 цифры, 2 цифры или буквы, 3 цифры",
    "a KPP has 9 characters: 4 digits, 2 digits or letters, 3 digits",
)
_OGRN_LENGTH = Bilingual("ОГРН состоит из 13 цифр, ОГРНИП - из 15", "an OGRN has 13 digits, an OGRNIP 15")
_OGRN_KEY = Bilingual("контрольное число ОГРН не сходится", "the check digit of the OGRN is wrong")
_BIC_FORM = Bilingual("БИК состоит из 9 цифр", "a BIC has 9 digits")
_ACCOUNT_FORM = Bilingual(
    "номер счёта состоит из 20 цифр (в шестом разряде возможна буква)",
    "an account number has 20 digits (place 6 may be a letter)",
)
_ACCOUNT_KEY_FORM = Bilingual(
    "нужны БИК и номер счёта через пробел", "a BIC and an account number are needed, with a space"
)
_ACCOUNT_KEY = Bilingual("ключ счёта не соответствует БИК", "the key of the account does not match the BIC")
_BARCODE = Bilingual(
    "штрихкод EAN: 8 или 13 цифр с верным контрольным числом", "EAN barcode: 8 or 13 digits with a right check digit"
)
_EMAIL_FORM = Bilingual("адрес имеет вид имя@домен", "an address looks like name@domain")
_PHONE_FORM = Bilingual(
    "телефон: цифры, пробелы, скобки, дефисы, в начале возможен +",
    "a phone: digits, spaces, brackets, hyphens, + in front",
)


def register(registry: Registry) -> None:
    """Make the checks known by name: inn, kpp, ogrn, bic, account, account_key, barcode, email, phone."""
    registry.add_check("inn", inn)
    registry.add_check("kpp", kpp)
    registry.add_check("ogrn", ogrn)
    registry.add_check("bic", bic)
    registry.add_check("account", account)
    registry.add_check("account_key", account_key)
    registry.add_check("barcode", barcode)
    registry.add_check("email", email)
    registry.add_check("phone", phone)


def inn(text: str) -> Bilingual | None:
    """Taxpayer number: 10 digits (organisation) or 12 (person). One wrong digit is caught unless the remainder 10 stands for 0."""
    if not text:
        return None
    if not _DIGITS.fullmatch(text) or len(text) not in (10, 12) or not text.strip("0"):
        return _INN_LENGTH
    if text == inn_with_key(text):
        return None
    return _INN_KEY


def inn_with_key(text: str) -> str:
    """`text` (10 or 12 digits) with its one or two check digits replaced by the right ones."""
    if len(text) == 10:
        return text[:9] + _weighted(text, _INN_10)
    eleven = text[:10] + _weighted(text, _INN_11)
    return eleven + _weighted(eleven, _INN_12)


def _weighted(text: str, weights: Sequence[int]) -> str:
    total = sum(int(digit) * weight for digit, weight in zip(text, weights, strict=False))
    return str(total % 11 % 10)


def kpp(text: str) -> Bilingual | None:
    """Reason code of registration: 4 digits of the tax office, 2 of the reason (letters allowed), 3 of the number."""
    return None if not text or _KPP.fullmatch(text) else _KPP_FORM


def ogrn(text: str) -> Bilingual | None:
    """State registration number: 13 digits (organisation, mod 11) or 15 (sole trader, mod 13)."""
    if not text:
        return None
    if not _DIGITS.fullmatch(text) or len(text) not in (13, 15) or not text.strip("0"):
        return _OGRN_LENGTH
    return None if text == ogrn_with_key(text) else _OGRN_KEY


def ogrn_with_key(text: str) -> str:
    """`text` (13 or 15 digits) with its check digit replaced by the right one."""
    return text[:-1] + str(int(text[:-1]) % (len(text) - 2) % 10)


def bic(text: str) -> Bilingual | None:
    """Bank identification code."""
    return None if not text or is_bic(text) else _BIC_FORM


def account(text: str) -> Bilingual | None:
    """The form of an account number; its key needs the bank too (`account_key`)."""
    return None if not text or is_account(text) else _ACCOUNT_FORM


def account_key(text: str) -> Bilingual | None:
    """The key of an account against its bank: the text is "BIC account"."""
    if not text:
        return None
    parts = text.split()
    if len(parts) != 2:
        return _ACCOUNT_KEY_FORM
    wrong = (_BIC_FORM if not is_bic(parts[0]) else None) or account(parts[1])
    return wrong or (None if account_key_ok(parts[0], parts[1]) else _ACCOUNT_KEY)


def account_key_ok(bic: str, account: str) -> bool:
    """Whether the key (digit 9) of `account` is right for the bank `bic`; False when either has not its form.

    An account kept in the Bank of Russia (correspondent 301.., single treasury 40102, any account of a division whose BIC ends in 000..002)
    takes "0" + BIC[5..6]; any other takes BIC[7..9]. Treasury accounts (03...) carry no such key: only their form is checked.
    """
    if not is_bic(bic) or not is_account(account):
        return False
    if account.startswith("03"):
        return True
    if account.startswith(("301", "40102")) or bic[6:9] in CBR_DIVISIONS:
        return key_ok(cbr_prefix(bic), account)
    return key_ok(bank_prefix(bic), account)


def barcode(text: str) -> Bilingual | None:
    """EAN-8 and EAN-13: weights 1 and 3 from the right."""
    if not text:
        return None
    if not _DIGITS.fullmatch(text) or len(text) not in (8, 13):
        return _BARCODE
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(text)))
    return None if total % 10 == 0 else _BARCODE


def barcode_with_key(text: str) -> str:
    """Seven or twelve digits with the check digit added."""
    total = sum(int(digit) * (1 if place % 2 else 3) for place, digit in enumerate(reversed(text)))
    return text + str(-total % 10)


def email(text: str) -> Bilingual | None:
    """One address; whether it exists is not asked."""
    return None if not text or (len(text) <= 254 and _EMAIL.fullmatch(text)) else _EMAIL_FORM


def phone(text: str) -> Bilingual | None:
    """A phone as people write it; 5 to 15 digits."""
    if not text:
        return None
    digits = sum(character in "0123456789" for character in text)
    return None if _PHONE.fullmatch(text) and 5 <= digits <= 15 else _PHONE_FORM
