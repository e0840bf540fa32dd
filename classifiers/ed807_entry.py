"""Attributes of ED807 -> BankEntry, each validated where it stands. Lengths and obligations are those of the published schemas."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from sys import intern

from classifiers.account_key import cbr_prefix, is_account, is_bic, key_ok
from classifiers.model import BankAccount, BankEntry, DirectoryHeader
from classifiers.reading import garbled
from classifiers.text import shown
from infobase.errors import ClassifierInvalid

Wrong = Callable[[str, str, str], ClassifierInvalid]
"""(field, ru, en) -> the error to raise, with the place added."""

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
MAX_ACCOUNTS = 200_000
"""Of one participant; the largest real one (a Treasury body) has about 3,000."""
_NUMBER = re.compile(r"\d{1,4}", re.ASCII)


class OpenEntry:
    """A participant while its element is open; `close` gives the finished entry."""

    def __init__(self, bic: str, wrong: Wrong, warn: Callable[[BankAccount], None]) -> None:
        self.bic = bic
        self._wrong = wrong
        self._warn = warn
        self._info: Mapping[str, str] | None = None
        self._restrictions: list[str] = []
        self._swift = ""
        self._accounts: list[BankAccount] = []

    def child(self, path: Sequence[str], attributes: Mapping[str, str]) -> None:
        """An element inside the participant; `path` from below BICDirectoryEntry. Unknown elements are passed over: the form grows."""
        match path:
            case ["ParticipantInfo"]:
                if self._info is not None:
                    raise self._wrong("ParticipantInfo", "повторяется", "occurs twice")
                self._info = attributes
            case ["ParticipantInfo", "RstrList"]:
                self._restrictions.append(_text(attributes, "Rstr", 4, self._wrong, required=True))
            case ["SWBICS"]:
                self._add_swift(attributes)
            case ["Accounts"]:
                self._add_account(attributes)
            case _:
                pass

    def _add_swift(self, attributes: Mapping[str, str]) -> None:
        code = _text(attributes, "SWBIC", 11, self._wrong, required=True)
        if not self._swift or attributes.get("DefaultSWBIC") in ("1", "true"):
            self._swift = code

    def _add_account(self, attributes: Mapping[str, str]) -> None:
        if len(self._accounts) >= MAX_ACCOUNTS:
            raise self._wrong("Accounts", f"больше {MAX_ACCOUNTS} счетов", f"more than {MAX_ACCOUNTS} accounts")
        account = account_of(attributes, self._wrong)
        if not key_ok(cbr_prefix(account.cbr_bic), account.number):
            self._warn(account)
        self._accounts.append(account)

    def close(self) -> BankEntry:
        """The entry; ClassifierInvalid when its ParticipantInfo is missing or malformed."""
        if self._info is None:
            raise self._wrong("ParticipantInfo", "отсутствует", "is missing")
        info, wrong = self._info, self._wrong
        return BankEntry(
            bic=self.bic,
            name=_name(info, wrong),
            region=_text(info, "Rgn", 2, wrong, required=True),
            participant_type=_text(info, "PtType", 2, wrong, required=True),
            date_in=_date(info, "DateIn", wrong),
            english_name=_text(info, "EnglName", 140, wrong),
            registration_number=_text(info, "RegN", 9, wrong),
            country=_text(info, "CntrCd", 2, wrong),
            postcode=_text(info, "Ind", 16, wrong),
            town_type=_text(info, "Tnp", 5, wrong),
            town=_text(info, "Nnp", 25, wrong),
            address=_text(info, "Adr", 160, wrong),
            parent_bic=_bic(info, "PrntBIC", wrong) if info.get("PrntBIC") else "",
            services=_text(info, "Srvcs", 1, wrong),
            exchange_type=_text(info, "XchType", 1, wrong),
            uid=_text(info, "UID", 10, wrong),
            status=_text(info, "ParticipantStatus", 4, wrong),
            swift=self._swift,
            date_out=_optional_date(info, "DateOut", wrong),
            restrictions=tuple(self._restrictions),
            accounts=tuple(self._accounts),
        )


def _name(info: Mapping[str, str], wrong: Wrong) -> str:
    made = _text(info, "NameP", 160, wrong, required=True)
    if garbled(made):
        ru = f"«{shown(made)}»: это не текст, кодировка в объявлении XML указана неверно"
        raise wrong("NameP", ru, f"{shown(made)!r} is no text: the XML declaration states a wrong code page")
    return made


def account_of(attributes: Mapping[str, str], wrong: Wrong) -> BankAccount:
    """One Accounts element. The key is not judged here: a wrong one is the source's error, not a malformed file.

    What accounts have in common (kinds, divisions, states) is kept once."""
    number = _text(attributes, "Account", 20, wrong, required=True)
    if not is_account(number):
        raise wrong("Account", f"«{shown(number)}»: нужно 20 цифр", f"{shown(number)!r}: 20 digits are needed")
    return BankAccount(
        number=number,
        type=intern(_text(attributes, "RegulationAccountType", 4, wrong, required=True)),
        check_key=intern(_text(attributes, "CK", 2, wrong)),
        cbr_bic=intern(_bic(attributes, "AccountCBRBIC", wrong)),
        date_in=_date(attributes, "DateIn", wrong),
        date_out=_optional_date(attributes, "DateOut", wrong),
        status=intern(_text(attributes, "AccountStatus", 4, wrong)),
    )


def header(attributes: Mapping[str, str], wrong: Wrong) -> DirectoryHeader:
    """The root's attributes."""
    version = attributes.get("DirectoryVersion", "1")
    if not _NUMBER.fullmatch(version):
        raise wrong("DirectoryVersion", f"«{shown(version)}»: нужно число", f"{shown(version)!r}: a number is needed")
    return DirectoryHeader(
        business_day=_date(attributes, "BusinessDay", wrong),
        version=int(version),
        document_number=_text(attributes, "EDNo", 9, wrong),
        document_date=_optional_date(attributes, "EDDate", wrong),
    )


def bic_of(attributes: Mapping[str, str], wrong: Wrong) -> str:
    """The BIC of a BICDirectoryEntry."""
    return _bic(attributes, "BIC", wrong)


def _bic(attributes: Mapping[str, str], name: str, wrong: Wrong) -> str:
    value = attributes.get(name, "")
    if not is_bic(value):
        raise wrong(name, f"«{shown(value)}»: нужно 9 цифр", f"{shown(value)!r}: 9 digits are needed")
    return value


def _text(attributes: Mapping[str, str], name: str, length: int, wrong: Wrong, *, required: bool = False) -> str:
    value = attributes.get(name, "").strip()
    if required and not value:
        raise wrong(name, "не заполнено", "is empty")
    if len(value) > length:
        raise wrong(
            name, f"«{shown(value)}»: длиннее {length} символов", f"{shown(value)!r}: longer than {length} characters"
        )
    return value


@cache
def _day(value: str) -> dt.date | None:
    """A date of the file; the few thousand different ones are parsed and kept once."""
    try:
        return dt.date.fromisoformat(value) if _DATE.fullmatch(value) else None
    except ValueError:  # such as 2023-02-30
        return None


def _date(attributes: Mapping[str, str], name: str, wrong: Wrong) -> dt.date:
    value = attributes.get(name, "")
    found = _day(value)
    if found is not None:
        return found
    raise wrong(name, f"«{shown(value)}»: нужна дата ГГГГ-ММ-ДД", f"{shown(value)!r}: a date YYYY-MM-DD is needed")


def _optional_date(attributes: Mapping[str, str], name: str, wrong: Wrong) -> dt.date | None:
    return _date(attributes, name, wrong) if attributes.get(name) else None
