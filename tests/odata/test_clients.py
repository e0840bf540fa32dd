"""Published OData clients for 1C against the service, unchanged."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.odata.served import ADMIN, Client, Served, World

python_1c_odata = pytest.importorskip("python_1c_odata", reason="python-1c-odata is not installed")
F = python_1c_odata.F


@pytest.mark.parametrize("form", ["json", "atom", "auto"])
def test_python_1c_odata(service: Served, world: World, form: str) -> None:
    asyncio.run(_work(service, world, form))


async def _work(service: Served, world: World, form: str) -> None:
    server = service.url.split("/odata/")[0]
    async with python_1c_odata.Infobase(server, "", *ADMIN, format=form) as base:
        await _read(base, world)
        await _write(base, world, atom=form == "atom")
        await _totals(base, world)
        assert "Catalog_Партнеры" in await base.entity_sets()
        info = await base.entity_type_for_set("Catalog_Партнеры")
        assert info.keys == ("Ref_Key",) and info.navigation_properties == ("Parent", "Регион")


async def _read(base: Any, world: World) -> None:
    partners = python_1c_odata.Catalog(base, "Партнеры")
    page = await partners.query(
        top=1, select=["Ref_Key", "Description"], odata_filter=(F("ИНН") != "") & ~F("DeletionMark"), inlinecount=True
    )
    assert (page.count, page.value[0]["Description"]) == (1, "Ромашка")
    assert await partners.count() == 2
    assert len([row async for row in partners.iterate(page_size=1)]) == 2
    assert (await partners.get(str(world.partner.uuid)))["ИНН"] == "7712345678"
    shown = await partners.query(
        select="*", presentations=True, odata_filter=python_1c_odata.contains(F("Description"), "маш")
    )
    assert shown.value[0]["Регион____Presentation"] == "Тверская"
    typed = await partners.query(odata_filter=python_1c_odata.isof(F("Предмет"), "Catalog_Регионы"))
    assert [r["Description"] for r in typed.value] == ["Ёлка & <Ко>"]
    orders = python_1c_odata.Document(base, "Заказ")
    big = await orders.query(odata_filter=F("Товары").any(F("Количество") > 10))
    assert [r["Ref_Key"] for r in big.value] == [str(world.draft.uuid)]


async def _write(base: Any, world: World, *, atom: bool) -> None:
    orders = python_1c_odata.Document(base, "Заказ")
    body: dict[str, Any] = {"Date": "2026-03-20T00:00:00"}
    if atom:
        body["Партнер_Key"] = str(world.partner.uuid)
    else:
        body |= python_1c_odata.bind_field("Партнер", "Catalog_Партнеры", str(world.partner.uuid))
    made = await orders.create(body, posting_mode=python_1c_odata.PostingMode.POST)
    posted = await orders.get(made["Ref_Key"])
    assert posted["Posted"] in (True, "true")
    await orders.unpost(made["Ref_Key"])
    changed = await orders.edit(made["Ref_Key"], {"Комментарий": "клиент"}, if_match="*")
    assert changed["Комментарий"] == "клиент"
    with pytest.raises(python_1c_odata.ConcurrencyError):
        await orders.edit(made["Ref_Key"], {"Комментарий": "ещё"}, if_match=posted["DataVersion"])
    await orders.delete(made["Ref_Key"])
    with pytest.raises(python_1c_odata.EntityNotFound) as refused:
        await orders.get(made["Ref_Key"])
    assert refused.value.internal_code == "9"


async def _totals(base: Any, world: World) -> None:
    table = python_1c_odata.guid(str(world.table.uuid))
    prices = await python_1c_odata.InformationRegister(base, "Цены").slice_last(
        period="2026-01-10T00:00:00", condition=F("Товар_Key") == table
    )
    assert [float(r["Цена"]) for r in prices["value"]] == [90]
    stock = python_1c_odata.AccumulationRegister(base, "Остатки")
    balance = await stock.balance(condition=F("Товар_Key") == table)
    assert [float(r["КоличествоBalance"]) for r in balance["value"]] == [7]
    turned = await stock.balance_and_turnovers("2026-01-01T00:00:00", "2026-12-31T00:00:00")
    assert {float(r["КоличествоClosingBalance"]) for r in turned["value"]} == {7, 10}


def test_the_requests_of_odata1cw(client: Client, world: World) -> None:
    """It puts its options behind `?$format=json&`, and its arguments where it likes."""
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    listed = client.send(
        "GET", "Catalog_Партнеры?$format=json&$top=1&$expand=Регион&$filter=Code eq '000001'", headers=headers
    )
    assert listed.json()["value"][0]["Регион"]["Code"] == "500"
    for arguments in (
        ",",
        "Period=datetime'2026-01-10T00:00:00',",
        f",Condition='Товар_Key eq guid'{world.table.uuid}''",
    ):
        answer = client.send("GET", f"InformationRegister_Цены/SliceLast({arguments})?$format=json", headers=headers)
        assert len(answer.json()["value"]) == 1
    posted = client.send(
        "POST",
        f"Document_Заказ(guid'{world.order.uuid}')/Post?$format=json&PostingModeOperational=false",
        headers=headers,
    )
    assert posted.status_code == 200
