"""The kind "banks": the Bank of Russia's directory -> Catalog.BankClassifier."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from classifiers.banks_chosen import into_banks
from classifiers.banks_legacy import LEGACY_DBF, LEGACY_TEXT
from classifiers.ed807 import Ed807Reader
from classifiers.kind import ClassifierKind, Format, Item, Row
from classifiers.model import BankAccount, BankEntry, FileWarning
from classifiers.reading import only
from classifiers.recognise import XML_STARTS, members_where, xml_root
from classifiers.source import Member
from infobase.i18n import Bilingual

RESTRICTIONS_LENGTH = 50


class BankFile:
    """A file of the directory, form ED807."""

    def __init__(self, member: Member) -> None:
        self._reader = Ed807Reader(member)

    def items(self) -> Iterator[Item]:
        for entry in self._reader.entries():
            yield item_of(entry, self._reader.header.business_day)

    def version_date(self) -> dt.date:
        return self._reader.header.business_day

    def counts(self) -> Mapping[str, int]:
        return {
            "records": self._reader.records,
            "accounts": self._reader.accounts,
            "version": self._reader.header.version,
        }

    def warning_count(self) -> int:
        return self._reader.warning_count()

    def warnings(self) -> Sequence[FileWarning]:
        return self._reader.warnings()


def _is_ed807(member: Member) -> bool:
    root = xml_root(member.head)
    return root is not None and root.name == "ED807"


def item_of(entry: BankEntry, business_day: dt.date) -> Item:
    """The catalog item of a participant, as of the directory's day."""
    values: Row = {
        "Description": entry.name,
        "CorrespondentAccount": entry.correspondent_account,
        "City": " ".join(part for part in (entry.town_type, entry.town) if part),
        "Address": entry.address,
        "Postcode": entry.postcode,
        "Region": entry.region,
        "Country": entry.country,
        "SWIFT": entry.swift,
        "EnglishName": entry.english_name,
        "ParticipantType": entry.participant_type,
        "ParentBIC": entry.parent_bic,
        "RegistrationNumber": entry.registration_number,
        "Restrictions": " ".join(sorted(set(entry.restrictions)))[:RESTRICTIONS_LENGTH],
        "DateIn": midnight(entry.date_in),
        "DateOut": midnight(entry.date_out),
        "Closed": entry.closed(business_day),
    }
    return Item(entry.bic, values, {"Accounts": [_account_row(a) for a in entry.accounts]})


def _account_row(account: BankAccount) -> Row:
    return {
        "Account": account.number,
        "AccountType": account.type,
        "CheckKey": account.check_key,
        "CBRBIC": account.cbr_bic,
        "DateIn": midnight(account.date_in),
        "DateOut": midnight(account.date_out),
        "Status": account.status,
    }


@cache
def midnight(day: dt.date | None) -> dt.datetime | None:
    """A date as the kernel stores it; the very first one is its empty date."""
    made = dt.datetime(day.year, day.month, day.day) if day else None
    return None if made == dt.datetime(1, 1, 1) else made


_SAMPLE = BankEntry("000000000", "", "", "", dt.date(2000, 1, 1))
_SAMPLE_ACCOUNT = BankAccount("", "", "", "", dt.date(2000, 1, 1))

ED807 = Format(
    name="ED807",
    select=members_where(_is_ed807),
    open=lambda members, _: BankFile(only(members)),
    fallback=XML_STARTS,
)
BANKS = ClassifierKind(
    name="banks",
    title=Bilingual("Справочник БИК (банки России)", "Bank directory (BIC of Russia)"),
    bring=Bilingual(
        "архив ГГГГММДДED01OSBR.zip с сайта Банка России (или файл ГГГГММДД_ED807_full.xml из него); прежние наборы "
        "bnkseek.dbf и bnkseek.txt тоже годятся",
        "YYYYMMDDED01OSBR.zip of the Bank of Russia (or the YYYYMMDD_ED807_full.xml inside it); the older sets bnkseek.dbf "
        "and bnkseek.txt will do as well",
    ),
    file_name=Bilingual("ГГГГММДДED01OSBR.zip", "YYYYMMDDED01OSBR.zip"),
    published="https://www.cbr.ru/s/newbik",
    formats=(ED807, LEGACY_DBF, LEGACY_TEXT),
    target="Catalog",
    write=into_banks,
    fields=tuple(item_of(_SAMPLE, dt.date(2000, 1, 1)).values),
    sections={"Accounts": tuple(_account_row(_SAMPLE_ACCOUNT))},
    fresh_days=7,
)
