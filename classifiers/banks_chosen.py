"""Choosing banks («Подобрать»): from the classifier into the catalog of banks people work with; refreshing them; checking accounts against them.

A chosen bank is known by its BIC. Refreshing rewrites what the classifier says differently, never erases a value with an empty one, and flags
a bank that left the directory; nothing is ever deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from classifiers.account_key import CBR_DIVISIONS, bank_prefix, cbr_prefix, is_account, is_bic, key_ok
from classifiers.catalog_target import into_catalog
from classifiers.kind import Changes, Work
from infobase.errors import AccountMismatch, ClassifierUnwanted, ObjectNotFound, ValueInvalid
from infobase.i18n import language, text
from infobase.metadata.model import Catalog, ClassifierUse, Field
from infobase.metadata.types import Ref, Value
from infobase.query_model import Compare, OrderItem, Query, SelectItem

if TYPE_CHECKING:
    from infobase.session import Session

COPIED = ("Description", "CorrespondentAccount", "City", "Address", "SWIFT", "Postcode", "Country", "EnglishName")
"""What a chosen bank takes over; those the catalog lacks are left out."""
CLOSED = "Closed"
ORIGIN = "Classifier"
"""The chosen bank's reference to its record in the classifier."""
AT_ONCE = 200
CBR_PARTICIPANTS = frozenset({"00", "10", "12", "15", "16", "40", "51", "52"})
"""Types of participants (ED807; PZN of the older set) that are divisions of the Bank of Russia or bodies of the Treasury."""
BANK_PARTICIPANTS = frozenset({"20", "30", "60", "65", "71"})
"""Those whose accounts are accounts in a bank, whether or not it has a correspondent account of its own."""
CORRESPONDENT_START = "301"
"""How correspondent accounts of banks begin; the Treasury's single account (40102) is none."""


@dataclass(frozen=True, slots=True)
class BankChange:
    """What choosing or refreshing did to one bank: field label -> (before, after). `added`: it was not among the chosen ones."""

    bic: str
    name: str
    ref: Ref
    added: bool = False
    changes: Mapping[str, tuple[str, str]] | None = None

    def __str__(self) -> str:
        if self.added:
            return text(ru=f"{self.bic} {self.name}: добавлен", en=f"{self.bic} {self.name}: added")
        if not self.changes:
            return text(ru=f"{self.bic} {self.name}: без изменений", en=f"{self.bic} {self.name}: unchanged")
        listed = "; ".join(f"{field}: «{old}» -> «{new}»" for field, (old, new) in self.changes.items())
        return f"{self.bic} {self.name}: {listed}"


def into_banks(work: Work) -> Changes:
    """The classifier into its catalog, then the chosen banks along with it."""
    changes = into_catalog(work)
    if not work.use.chosen or changes.nothing:
        return changes
    changed = [c for c in refresh_banks(work.session) if c.changes]
    return replace(changes, remarks=tuple(str(c) for c in changed))


def pick_banks(session: Session, bics: Iterable[str]) -> list[BankChange]:
    """Choose banks by BIC into the catalog of banks; those chosen already are refreshed. All of them, or none.

    ObjectNotFound: the classifier has no such BIC. ValueInvalid: no BIC. ClassifierUnwanted: the configuration names no catalog to choose into."""
    use = _use(session)
    wanted = list(dict.fromkeys(bic.strip() for bic in bics))
    for bic in wanted:
        if not is_bic(bic):
            detail = text(ru="БИК - это 9 цифр", en="a BIC is 9 digits")
            raise ValueInvalid(field=text(ru="БИК", en="BIC"), value=bic, detail=detail)
    with session.transaction():
        found = _records(session, use, wanted)
        for bic in wanted:
            if bic not in found:
                raise ObjectNotFound(
                    object=text(ru=f"БИК {bic} (классификатор банков)", en=f"BIC {bic} (bank classifier)")
                )
        chosen = _chosen(session, use, wanted)
        return [_put(session, use, found[bic], chosen.get(bic)) for bic in wanted]


def refresh_banks(session: Session) -> list[BankChange]:
    """Bring every chosen bank up to the classifier; what changed in each. Banks the classifier does not know are left alone."""
    use = _use(session)
    with session.transaction():
        chosen = _chosen(session, use, None)
        found = _records(session, use, list(chosen))
        return [_put(session, use, found[bic], ref) for bic, ref in chosen.items() if bic in found]


def check_account(session: Session, bank: Ref | str, account: str) -> None:
    """Whether a settlement account can be one of a bank (a chosen one, or a BIC): form and key by the Bank of Russia's rule of 1997.

    AccountMismatch says what is wrong; ObjectNotFound when there is no such bank."""
    found = _bank(session, bank)
    given = account.strip()

    def mismatch(ru: str, en: str) -> AccountMismatch:
        return AccountMismatch(account=given, bic=found.bic, bank=found.name, detail=text(ru=ru, en=en))

    if not is_account(given):
        raise mismatch("нужно 20 цифр", "20 digits are needed")
    prefix = cbr_prefix(found.bic) if found.of_central_bank else bank_prefix(found.bic)
    if not key_ok(prefix, given):
        raise mismatch("ключ счёта (9-я цифра) неверен", "the key of the account (digit 9) is wrong")
    if found.closed:
        raise mismatch("деятельность банка прекращена", "the bank has ceased to work")


# --- the two catalogs ---


def _use(session: Session) -> ClassifierUse:
    use = session.kernel.configuration.classifiers.get("banks")
    if use is None or not use.chosen:
        raise ClassifierUnwanted(kind="banks", target="Catalog")
    return use


def _fields(session: Session, full_name: str) -> dict[str, Field]:
    meta = session.kernel.configuration.objects[full_name]
    assert isinstance(meta, Catalog)
    return {f.name: f for f in meta.fields}


def _records(session: Session, use: ClassifierUse, bics: Sequence[str]) -> dict[str, dict[str, Value]]:
    """Records of the classifier by BIC, under the names a chosen bank has."""
    there, here = _fields(session, use.target), _fields(session, use.chosen)
    renamed = {use.fields.get(n, n): n for n in (*COPIED, CLOSED)}
    names = {own: n for own, n in renamed.items() if own in there and n in here}
    select = tuple(SelectItem(n) for n in ("Ref", "Code", *names))
    found: dict[str, dict[str, Value]] = {}
    for start in range(0, len(bics), AT_ONCE):
        where = Compare("Code", "in", bics[start : start + AT_ONCE])
        for row in session.query(Query(use.target, select=select, where=where)):
            record = {n: row[own] for own, n in names.items()}
            found[str(row["Code"])] = {**record, "Code": row["Code"], ORIGIN: row["Ref"]}
    return found


def _chosen(session: Session, use: ClassifierUse, bics: Sequence[str] | None) -> dict[str, Ref]:
    where = None if bics is None else Compare("Code", "in", list(bics))
    select = (SelectItem("Ref"), SelectItem("Code"))
    rows = session.query(Query(use.chosen, select=select, where=where, order_by=(OrderItem("Code"),)))
    return {str(row["Code"]): cast(Ref, row["Ref"]) for row in rows}


def _put(session: Session, use: ClassifierUse, record: Mapping[str, Value], ref: Ref | None) -> BankChange:
    fields = _fields(session, use.chosen)
    given = {n: v for n, v in record.items() if n in fields}
    bic, name = str(record["Code"]), str(record.get("Description", ""))
    manager = session.catalogs[use.chosen.partition(".")[2]]
    if ref is None:
        made = manager.new(**given)
        made.write()
        return BankChange(bic, name, made.ref, added=True)
    bank = manager.get(ref)
    before = bank.values
    differing = {n: v for n, v in given.items() if before[n] != v and (v not in ("", None) or n == CLOSED)}
    if differing:
        bank.fill(**differing)
        bank.write()
    shown = {
        fields[n].naming.label(language()): (session.presentation(before[n]), session.presentation(v))
        for n, v in differing.items()
        if n != ORIGIN
    }
    return BankChange(bic, name, ref, changes=shown)


@dataclass(frozen=True, slots=True)
class _Bank:
    """What of a bank its accounts depend on. `kind`: participant type of the classifier, "" when it is not known."""

    bic: str
    name: str
    closed: bool = False
    kind: str = ""
    correspondent: str = ""

    @property
    def of_central_bank(self) -> bool:
        """Whether the accounts it keeps are accounts in the Bank of Russia: its divisions, bodies of the Treasury, and whoever has no
        correspondent account and is not known to be a bank."""
        if self.bic[6:9] in CBR_DIVISIONS or self.kind in CBR_PARTICIPANTS:
            return True
        return self.kind not in BANK_PARTICIPANTS and not self.correspondent.startswith(CORRESPONDENT_START)


def _bank(session: Session, bank: Ref | str) -> _Bank:
    """Of a reference to either catalog, or of a BIC, chosen banks first; the kind is what the classifier says of the BIC."""
    use = _use(session)
    places = [bank.type] if isinstance(bank, Ref) else [use.chosen, use.target]
    where = Compare("Ref", "=", bank) if isinstance(bank, Ref) else Compare("Code", "=", bank)
    found = next(filter(None, (_bank_in(session, use, place, where) for place in places)), None)
    if found is None:
        raise ObjectNotFound(object=text(ru=f"банк {bank}", en=f"bank {bank}"))
    said = _bank_in(session, use, use.target, Compare("Code", "=", found.bic))
    if said is None:
        return found
    return replace(found, kind=said.kind, correspondent=said.correspondent or found.correspondent)


def _bank_in(session: Session, use: ClassifierUse, place: str, where: Compare) -> _Bank | None:
    names = {"Code": "Code", "Description": "Description", CLOSED: CLOSED}
    names |= {"ParticipantType": "ParticipantType", "CorrespondentAccount": "CorrespondentAccount"}
    if place == use.target:
        names = {n: use.fields.get(n, n) for n in names}
    names = {n: own for n, own in names.items() if own in _fields(session, place)}
    rows = session.query(Query(place, select=tuple(SelectItem(n) for n in names.values()), where=where, limit=1))
    if not rows:
        return None
    row = {n: rows[0][own] for n, own in names.items()}
    return _Bank(
        str(row["Code"]),
        str(row.get("Description", "")),
        bool(row.get(CLOSED, False)),
        str(row.get("ParticipantType") or ""),
        str(row.get("CorrespondentAccount") or ""),
    )
