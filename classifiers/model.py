"""What classifier files hold, as frozen data: the reader of a format makes these, the loader of a kind writes them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from classifiers.text import shown
from infobase.i18n import Bilingual, text

DELETED_PARTICIPANT = "PSDL"
CORRESPONDENT, SINGLE_TREASURY = "CRSA", "UTRA"
DELETED_ACCOUNT = "ACDL"


@dataclass(frozen=True, slots=True)
class BankAccount:
    """An account of a participant kept in the Bank of Russia. `type`: CRSA correspondent, BANA, TRSA Treasury, UTRA single treasury,
    TRUA trust, CLAC clearing. `cbr_bic`: the division that keeps it; the key of `number` is computed with it."""

    number: str
    type: str
    check_key: str
    cbr_bic: str
    date_in: dt.date
    date_out: dt.date | None = None
    status: str = ""


@dataclass(frozen=True, slots=True)
class BankEntry:
    """One participant of the directory. Texts are "" where the file is silent. `swift`: the default SWIFT code.
    `participant_type`: two digits, 20 bank, 30 branch, 52 Treasury body ..."""

    bic: str
    name: str
    region: str
    participant_type: str
    date_in: dt.date
    english_name: str = ""
    registration_number: str = ""
    country: str = ""
    postcode: str = ""
    town_type: str = ""
    town: str = ""
    address: str = ""
    parent_bic: str = ""
    services: str = ""
    exchange_type: str = ""
    uid: str = ""
    status: str = ""
    swift: str = ""
    date_out: dt.date | None = None
    restrictions: tuple[str, ...] = ()
    accounts: tuple[BankAccount, ...] = ()

    @property
    def correspondent_account(self) -> str:
        """The account payments go through: the correspondent one, for a Treasury body the single treasury account; "" when there is none."""
        for kind in (CORRESPONDENT, SINGLE_TREASURY):
            found = [a for a in self.accounts if a.type == kind]
            if found:
                return min(found, key=lambda a: a.status == DELETED_ACCOUNT).number
        return ""

    def closed(self, on: dt.date) -> bool:
        """Whether the participant is out of the directory on that day."""
        return self.status == DELETED_PARTICIPANT or (self.date_out is not None and self.date_out <= on)


@dataclass(frozen=True, slots=True)
class DirectoryHeader:
    """`business_day` is the version of the directory (the document's own date is the day before); `version` counts within the day."""

    business_day: dt.date
    version: int
    document_number: str = ""
    document_date: dt.date | None = None


@dataclass(frozen=True, slots=True)
class FileWarning:
    """A fault of the source that does not forbid loading: `record` (1-based), its key, the field, its value and what is wrong with it."""

    record: int
    key: str
    field: str
    value: str
    what: Bilingual = Bilingual("", "")

    def __str__(self) -> str:
        place = text(ru=f"запись {self.record}, {self.key}", en=f"record {self.record}, {self.key}")
        return f"{place}, {self.field} = {shown(self.value)}" + (f": {self.what}" if str(self.what) else "")
