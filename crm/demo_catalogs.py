"""The catalogs of the demonstration month: staff, goods, customers with requisites whose check digits are right."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from classifiers.account_key import bank_prefix, with_key
from crm import demo_words as words
from crm.demo_plan import FUNNELS, REFUSALS, SOURCES, Company, Plan
from crm.procedures import inn_with_key, ogrn_with_key
from infobase.metadata.types import Ref
from infobase.query_model import And, Compare, OrderItem, Query, SelectItem

if TYPE_CHECKING:
    from infobase.objects import BusinessObject
    from infobase.session import Session

START = dt.datetime(2026, 1, 1)
_BANK = "20"
"""ParticipantType of a bank in the classifier."""


@dataclass(frozen=True, slots=True)
class Stage:
    ref: Ref
    probability: Decimal


@dataclass
class Catalogs:
    """References of what was entered, in the order of the plan. `own_account` None: no bank classifier is loaded."""

    organization: Ref
    warehouse: Ref
    own_account: Ref | None = None
    staff: list[Ref] = field(default_factory=list)
    products: list[Ref] = field(default_factory=list)
    customers: list[Ref] = field(default_factory=list)
    contacts: list[Ref] = field(default_factory=list)
    suppliers: list[Ref] = field(default_factory=list)
    stages: dict[str, Stage] = field(default_factory=dict)
    sources: dict[str, Ref] = field(default_factory=dict)
    refusals: dict[str, Ref] = field(default_factory=dict)
    count: int = 0


def enter_catalogs(session: Session, plan: Plan) -> Catalogs:
    """Write everything the documents of the plan refer to."""
    entry = _Entry(session)
    organization = entry.organization()
    made = Catalogs(organization, session.catalogs.Warehouses.predefined("Main"))
    banks = entry.banks()
    made.staff = entry.staff()
    made.products = entry.products(plan)
    made.customers = [
        entry.counterparty(c, "Customer", entry.folders["Покупатели"], made.staff) for c in plan.customers
    ]
    made.suppliers = [
        entry.counterparty(c, "Supplier", entry.folders["Поставщики"], made.staff) for c in plan.suppliers
    ]
    made.contacts = [entry.contact(ref, c) for ref, c in zip(made.customers, plan.customers, strict=True)]
    if banks:
        made.own_account = entry.account(organization, banks[0], 1)
        for number, owner in enumerate([*made.customers, *made.suppliers], 2):
            entry.account(owner, banks[number % len(banks)], number)
    made.stages = entry.stages()
    made.sources = {name: session.catalogs.AcquisitionSources.predefined(name) for name in SOURCES}
    made.refusals = {name: session.catalogs.RefusalReasons.predefined(name) for name in REFUSALS}
    entry.registers(plan, made)
    made.count = entry.count
    return made


class _Entry:
    def __init__(self, session: Session) -> None:
        self.session = session
        self.count = 0
        catalogs = session.catalogs.Counterparties
        self.folders = {
            name: self._write(catalogs.new_folder(Description=name)) for name in ("Покупатели", "Поставщики")
        }

    def _write(self, item: BusinessObject) -> Ref:
        item.write()
        self.count += 1
        return item.ref

    def _new(self, catalog: str, **values: object) -> Ref:
        return self._write(self.session.catalogs[catalog].new(**values))

    def organization(self) -> Ref:
        made = self._new(
            "Organizations",
            Description="ООО «Образец»",
            FullName="Общество с ограниченной ответственностью «Образец»",
            LegalForm="LegalEntity",
            INN=inn_with_key("7700000010"),
            KPP="770001001",
            OGRN=ogrn_with_key("1257700000010"),
            LegalAddress="г. Москва, ул. Примерная, д. 1",
            Phone="+7 (000) 000-00-00",
            Email="info@obrazets.example",
        )
        constants = self.session.constants
        constants.set("CompanyName", "ООО «Образец»")
        constants.set("MainOrganization", made)
        constants.set("BaseCurrency", self.session.catalogs.Currencies.predefined("RUB"))
        constants.set("DefaultVATRate", "VAT22")
        return made

    def staff(self) -> list[Ref]:
        departments: dict[str, Ref] = {}
        for name, parent in words.DEPARTMENTS:
            departments[name] = self._new("Departments", Description=name, Parent=departments.get(parent))
        return [
            self._new(
                "Employees",
                Description=name,
                User=user,
                Department=departments[department],
                Position=position,
                HiredAt=dt.datetime(2024, 3, 1),
            )
            for name, user, department, position in words.STAFF
        ]

    def products(self, plan: Plan) -> list[Ref]:
        catalog = self.session.catalogs.Products
        groups = {
            name: self._write(catalog.new_folder(Description=name))
            for name in dict.fromkeys(p.group for p in plan.products)
        }
        units = self.session.catalogs.Units
        return [
            self._new(
                "Products",
                Description=p.name,
                Parent=groups[p.group],
                FullName=p.name,
                Article=p.article,
                Barcode=p.barcode,
                Unit=units.predefined("Hour" if p.is_service else "Piece"),
                VATRate="VAT22",
                ProductType="Service" if p.is_service else "Goods",
                Price=p.price,
                Cost=p.cost,
            )
            for p in plan.products
        ]

    def counterparty(self, company: Company, relation: str, folder: Ref, staff: Sequence[Ref]) -> Ref:
        return self._new(
            "Counterparties",
            Description=company.name,
            Parent=folder,
            FullName=company.full_name,
            LegalForm=company.legal_form,
            RelationType=relation,
            INN=company.inn,
            KPP=company.kpp,
            OGRN=company.ogrn,
            Region=company.region,
            Industry=company.industry,
            Manager=staff[company.manager],
            Source=self.session.catalogs.AcquisitionSources.predefined(company.source),
            Phone=company.phone,
            Email=company.email,
            LegalAddress=company.address,
            ContactInformation=_contacts(company),
        )

    def contact(self, owner: Ref, company: Company) -> Ref:
        return self._new(
            "ContactPersons",
            Description=company.contact,
            Owner=owner,
            Position=company.contact_position,
            Phone=company.phone,
            Email=company.email,
        )

    def banks(self) -> list[tuple[Ref, str]]:
        """A few open banks of the classifier, picked into the catalog of banks: (reference, BIC). None when no classifier is loaded."""
        wanted = And((Compare("ParticipantType", "=", _BANK), Compare("Closed", "=", False)))
        fields = ("Ref", "Code", "Description", "CorrespondentAccount", "City", "Address", "SWIFT")
        select = tuple(SelectItem(f) for f in fields)
        rows = self.session.query(
            Query("Catalog.BankClassifier", select=select, where=wanted, order_by=(OrderItem("Code"),), limit=6)
        )
        return [
            (
                self._new(
                    "Banks",
                    **{name: row[name] for name in fields if name != "Ref"},
                    Classifier=row["Ref"],
                ),
                cast(str, row["Code"]),
            )
            for row in rows
        ]

    def account(self, owner: Ref, bank: tuple[Ref, str], number: int) -> Ref:
        account = with_key(bank_prefix(bank[1]), f"40702810000000{number:06d}")
        rouble = self.session.catalogs.Currencies.predefined("RUB")
        return self._new(
            "BankAccounts",
            Description=account,
            Owner=owner,
            AccountNumber=account,
            Bank=bank[0],
            Currency=rouble,
            Main=True,
            OpenedAt=dt.datetime(2025, 6, 2),
        )

    def stages(self) -> dict[str, Stage]:
        catalog = self.session.catalogs.Stages
        names = [name for stages, won, lost in FUNNELS.values() for name in (*(s for s, _ in stages), won, lost)]
        loaded = self.session.load([catalog.predefined(name) for name in names])
        return {
            name: Stage(item.ref, cast(Decimal, item.Probability)) for name, item in zip(names, loaded, strict=True)
        }

    def registers(self, plan: Plan, made: Catalogs) -> None:
        """Prices, rates and responsible managers as of the first of January."""
        registers = self.session.information_registers
        rouble = self.session.catalogs.Currencies.predefined("RUB")
        priced = zip(made.products, plan.products, strict=True)
        registers.Prices.write(
            [{"Period": START, "Product": ref, "Currency": rouble, "Price": p.price} for ref, p in priced]
        )
        registers.ExchangeRates.write(_rates(self.session))
        owners = zip(made.customers, plan.customers, strict=True)
        registers.ResponsibleManagers.write(
            [{"Period": START, "Counterparty": ref, "Manager": made.staff[c.manager]} for ref, c in owners]
        )


def _contacts(company: Company) -> list[dict[str, object]]:
    digits = "".join(c for c in company.phone if c.isdigit())
    return [
        {"Kind": "Phone", "Value": company.phone, "Key": digits, "Main": True},
        {"Kind": "Email", "Value": company.email, "Key": company.email.lower(), "Main": True},
        {"Kind": "Address", "Value": company.address},
    ]


def _rates(session: Session) -> Iterable[dict[str, object]]:
    """Invented rates, four of each currency."""
    currencies = session.catalogs.Currencies
    for name, base in (("USD", Decimal("80.1000")), ("EUR", Decimal("93.4000"))):
        for week in range(4):
            yield {
                "Period": dt.datetime(2026, 1, 9 + 7 * week),
                "Currency": currencies.predefined(name),
                "Rate": base + Decimal(week) * Decimal("0.3500"),
                "Multiplicity": 1,
            }
