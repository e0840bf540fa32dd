"""The CRM configuration: valid, bilingual, with what the kernel's rules need to be shown."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infobase.metadata.model import Field, MetadataObject, Naming
from infobase.procedures import registry
from tests.crm_bases import crm

REQUIRED = {
    "Catalog.Counterparties", "Catalog.ContactPersons", "Catalog.Products", "Catalog.Employees", "Catalog.Departments", "Catalog.Pipelines", "Catalog.Stages",
    "Catalog.RefusalReasons", "Catalog.AcquisitionSources", "Catalog.Warehouses", "Catalog.Units", "Catalog.Organizations", "Catalog.BankAccounts",
    "Catalog.Banks", "Catalog.BankClassifier", "Document.Deal", "Document.SalesOrder", "Document.Invoice", "Document.Sale", "Document.Payment",
    "Document.GoodsReceipt", "AccumulationRegister.Stock", "AccumulationRegister.Settlements", "AccumulationRegister.InvoicesToPay",
    "AccumulationRegister.DealsInProgress", "AccumulationRegister.Cash", "AccumulationRegister.Sales", "AccumulationRegister.Funnel",
    "InformationRegister.StageHistory", "InformationRegister.Prices", "InformationRegister.ExchangeRates", "InformationRegister.ResponsibleManagers",
}  # fmt: skip


def fields_of(o: MetadataObject) -> Iterator[Field]:
    for part in ("attributes", "dimensions", "resources"):
        yield from getattr(o, part, ())
    for section in getattr(o, "tabular_sections", ()):
        yield from section.attributes


def test_it_has_what_a_crm_needs() -> None:
    configuration = crm()
    assert set(configuration.objects) >= REQUIRED
    assert (len(configuration.catalogs), len(configuration.documents)) >= (12, 6)
    assert len(configuration.accumulation_registers) + len(configuration.information_registers) >= 8
    assert {r.name for r in configuration.roles} == {"Administrator", "Director", "SalesManager", "Marketer"}


def test_everything_has_a_russian_and_an_english_name() -> None:
    def check(naming: Naming, place: str) -> None:
        assert naming.name.isascii(), place
        assert not naming.ru.isascii(), place
        assert naming.label("ru") and naming.label("en"), place

    for o in crm().objects.values():
        check(o.naming, o.full_name)
        for f in fields_of(o):
            check(f.naming, f"{o.full_name}.{f.name}")


def test_every_named_check_is_registered() -> None:
    used = {f.check for o in crm().objects.values() for f in fields_of(o) if f.check}
    assert used >= {"inn", "kpp", "ogrn", "account"}
    assert used <= set(registry().checks)
    assert {"account_key", "bic"} <= set(registry().checks)


def test_every_register_has_a_document_that_moves_it() -> None:
    for register in crm().accumulation_registers:
        assert register.recorders, register.name


def test_an_order_line_moves_two_registers() -> None:
    order = crm().objects["Document.SalesOrder"]
    moved = [r.register for r in order.register_records if r.each == "Goods"]  # type: ignore[union-attr]
    assert len(set(moved)) >= 2


def test_funnels_have_one_won_and_one_lost_stage_and_grow_in_probability() -> None:
    stages = crm().objects["Catalog.Stages"].predefined  # type: ignore[union-attr]
    pipelines = crm().objects["Catalog.Pipelines"].predefined  # type: ignore[union-attr]
    for pipeline in pipelines:
        own = [s for s in stages if s.owner == f"Catalog.Pipelines.{pipeline.name}"]
        kinds = [s.values["StageType"] for s in own]
        assert kinds.count("Won") == kinds.count("Lost") == 1
        chances = [int(str(s.values["Probability"])) for s in own if s.values["StageType"] == "Open"]
        assert chances == sorted(chances)
    main = {s.description: s.values["Probability"] for s in stages if s.owner.endswith(".Main")}
    assert main["Первичный контакт"] == 10
    assert main["Коммерческое предложение"] == 50


@pytest.mark.parametrize("name", ["Catalog.Counterparties", "Document.Deal", "Document.SalesOrder", "Document.Payment"])
def test_a_sales_manager_sees_only_their_own(name: str) -> None:
    role = crm().objects["Role.SalesManager"]
    right = next(r for r in role.rights if r.object == name)  # type: ignore[union-attr]
    assert "user.name" in right.restriction
