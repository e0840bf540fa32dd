"""Published OData clients for 1C against the service: those of Python unchanged, the requests of others as their sources make them."""

from __future__ import annotations

import asyncio
import re
from typing import Any
from urllib.parse import quote

import pytest
from lxml import etree

from engine_server.odata.atom_format import M
from tests.odata.served import ADMIN, CLERK, Client, Served, World

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


# --- other clients of Python ---


def test_odata1cw(service: Served, world: World) -> None:
    pytest.importorskip("odata1cw", reason="odata1cw is not installed")
    from odata1cw.catalog import Catalog
    from odata1cw.core import Infobase
    from odata1cw.document import Document
    from odata1cw.informationregister import InformationRegister
    from odata1cw.postingmode import PostingMode

    base = Infobase(service.url.split("/odata/")[0], "/crm", *ADMIN)
    partners = Catalog(base, "Партнеры")
    found = partners.query(
        top=5,
        skip=0,
        select="Ref_Key, Description",
        odata_filter="ИНН ne '' and DeletionMark eq false",
        expand="Регион",
    )
    assert [(r["Description"], r["Регион"]["Code"]) for r in found] == [("Ромашка", "500")]
    made = partners.create({"Description": "odata1cw", "Регион_Key": str(world.region.uuid)})
    assert partners.edit(made["Ref_Key"], {"ИНН": "77"})["ИНН"] == "77"
    assert partners.get(made["Ref_Key"], select="ИНН") == {
        "odata.metadata": f"{service.url.replace('/odata/', '/crm/odata/')}$metadata#Catalog_Партнеры/@Element",
        "ИНН": "77",
    }
    orders = Document(base, "Заказ")
    new = orders.create({"Date": "2026-03-21T00:00:00", "Партнер_Key": made["Ref_Key"]}, posting_mode=PostingMode.POST)
    assert orders.get(new["Ref_Key"])["Posted"] is True
    orders.unpost(new["Ref_Key"])
    assert orders.edit(new["Ref_Key"], {"Комментарий": "ok"})["Posted"] is False
    prices = InformationRegister(base, "Цены")
    table = f"Condition='Товар_Key eq guid'{world.table.uuid}''"
    assert [r["Цена"] for r in prices.slice_last("Period=datetime'2026-01-10T00:00:00'", table, orderby="Цена")] == [90]
    assert len(prices.slice_last()) == 1 and len(prices.query(top=1)) == 1
    _remove(service, ("Document_Заказ", new), ("Catalog_Партнеры", made))


def _remove(service: Served, *made: tuple[str, dict[str, Any]]) -> None:
    with service.client() as client:
        for name, entity in made:
            assert client.send("DELETE", f"{name}(guid'{entity['Ref_Key']}')").status_code == 204


def test_python_to_1c(service: Served, world: World) -> None:
    """It leaves the key of what it edits without its last parenthesis."""
    pytest.importorskip("python1c", reason="python-to-1c is not installed")
    from python1c.apiodata import APIOdata
    from python1c.core import ServerConnection

    server = service.url.split("/odata/")[0]
    partners = APIOdata(ServerConnection(server, "/crm", "Catalog", "Партнеры", *ADMIN))
    found = partners.list(top=2, skip=0, select="Ref_Key,Description", filter="ИНН ne ''", orderby="Description desc")
    assert [r["Description"] for r in found] == ["Ромашка"]
    made: Any = partners.create({"Description": "python-to-1c"})
    changed: Any = partners.edit(made["Ref_Key"], {"ИНН": "78"})
    assert changed["ИНН"] == "78"
    got: Any = partners.get(made["Ref_Key"], select="Description")
    assert got["Description"] == "python-to-1c"
    _remove(service, ("Catalog_Партнеры", made))


@pytest.mark.parametrize("who", [ADMIN, CLERK])
def test_enterprise_1c_odata(service: Served, who: tuple[str, str]) -> None:
    """The user's name goes as UTF-8, names of sets must be quoted beforehand."""
    client = pytest.importorskip("enterprise_1c_odata", reason="enterprise-1c-odata is not installed")
    asked = client.ODataClient(service.url, *who)
    query = client.ODataQuery(quote("Catalog_Партнеры")).select("Description").top(10)
    query = query.filter("year(РаботаетС) eq 2024 or substringof('лка', Description)").orderby("Description desc")
    if who is CLERK:
        with pytest.raises(client.ODataAuthError):
            asked.execute(query)
        assert [r["Description"] for r in asked.execute(query.filter("Менеджер eq 'Иванов'")).items] == ["Ромашка"]
    else:
        found = asked.execute(query.expand("Регион").select("Регион/Code"))
        assert [r["Регион"] for r in found.items] == [{"Code": "500"}, None]
        assert (found.count, found.next_link) == (2, None)
    with pytest.raises(client.ODataQueryError, match="odata.error"):
        asked.execute(client.ODataQuery("Catalog_No"))
    with pytest.raises(client.ODataAuthError):
        client.ODataClient(service.url, "никто", "ничто").execute(query)


# --- requests as the sources of clients make them ---


def test_the_requests_of_pyodata1c(client: Client, world: World) -> None:
    """$select with spaces and without its $expand, rows by plain paths, `Accept` alone, posting with the mode in the query."""
    listed = client.send(
        "GET",
        "Document_%D0%97%D0%B0%D0%BA%D0%B0%D0%B7?%24select=Ref_Key%2C%20Number%2C%20%D0%9F%D0%B0%D1%80%D1%82%D0%BD%D0%B5%D1%80%2FDescription"
        f"&%24top=5&%24skip=0&%24filter=%D0%A2%D0%BE%D0%B2%D0%B0%D1%80%D1%8B%2F%D0%A2%D0%BE%D0%B2%D0%B0%D1%80_Key%20eq%20guid%27{world.table.uuid}%27"
        "%20and%20Date%20gt%20datetime%272024-01-12T00%3A00%3A00%27",
        headers={"Accept": "application/json"},
    )
    assert [r["Партнер"] for r in listed.json()["value"]] == [{"Description": "Ромашка"}]
    key = f"Document_Заказ(guid'{world.order.uuid}')"
    accepting = {"Accept": "application/json"}
    assert client.send("POST", f"{key}/Unpost", headers=accepting).status_code == 200
    assert client.send("POST", f"{key}/Post?PostingModeOperational=false", headers=accepting).status_code == 200
    changed = client.send("PATCH", f"{key}?%24select=Number", json={"Комментарий": "x"}, headers=accepting)
    assert changed.status_code == 200 and changed.json().keys() == {"odata.metadata", "Number"}


def test_the_requests_of_odata1c(client: Client) -> None:
    """The one of Python 2: the service document and whole lists as Atom, found by their places."""
    root = etree.fromstring(client.send("GET", "").content)
    found = [c[0].text for c in root[0].findall("{http://www.w3.org/2007/app}collection")]
    assert "Catalog_Партнеры" in found
    feed = etree.fromstring(client.send("GET", "Catalog_Партнеры").content)
    entry = feed.findall("{http://www.w3.org/2005/Atom}entry")[0]
    properties = entry.find("{http://www.w3.org/2005/Atom}content").find(f"{{{M}}}properties")
    assert {p.tag.split("}")[-1]: p.text for p in properties}["Description"] == "Ромашка"


def test_the_requests_of_kilylabs_odata_1c(client: Client, world: World) -> None:
    """PHP, through Guzzle: `Location` names what was made, actions are POSTs without a body, refusals are read from `odata.error`."""
    accepting = {"Accept": "application/json", "User-Agent": "GuzzleHttp/7"}
    made = client.send("POST", "/Catalog_Партнеры".lstrip("/"), json={"Description": "kily"}, headers=accepting)
    key = re.search("guid'(.*?)'", made.headers["Location"])
    assert made.status_code == 201 and key is not None
    name = f"Catalog_Партнеры(guid'{key[1]}')"
    assert client.send("PATCH", name, json={"ИНН": "1"}, headers=accepting).json()["ИНН"] == "1"
    query = {"$filter": "Description eq 'kily'", "$expand": "Регион", "$top": "1"}
    assert client.send("GET", "Catalog_Партнеры", params=query, headers=accepting).json()["value"][0]["ИНН"] == "1"
    assert client.send("DELETE", name, headers=accepting).status_code == 204
    gone = client.send("GET", name, headers=accepting).json()["odata.error"]
    assert gone["code"] == "9" and "Партнеры" in gone["message"]["value"]
    posted = client.send("POST", f"Document_Заказ(guid'{world.order.uuid}')/Post", headers=accepting)
    assert posted.status_code == 200


def test_the_requests_of_yii2_1c_odata(client: Client, world: World) -> None:
    """PHP: the value before the property, patterns, `cast` to a type of EDM."""
    for text in (
        "'7712345678' eq ИНН",
        "like(Description, 'Ром%')",
        "substringof('омашка', Description)",
        "Действует eq true",
        f"Регион_Key eq cast(guid'{world.region.uuid}', 'Edm.Guid')",
    ):
        found = client.values("Catalog_Партнеры", **{"$filter": text, "$select": "Description"})
        assert [r["Description"] for r in found] == ["Ромашка"], text


def test_the_requests_of_go_1c_odata(client: Client, world: World) -> None:
    """Go: a named key, `?$format=json&` with nothing behind it, an empty navigation that is 404, actions with their parameters."""
    partner = f"Catalog_%D0%9F%D0%B0%D1%80%D1%82%D0%BD%D0%B5%D1%80%D1%8B(Ref_Key=guid'{world.partner.uuid}')"
    assert client.send("GET", f"{partner}?$format=json&$select=Ref_Key,Code").json()["Code"] == "000001"
    assert client.send("GET", f"{partner}/%D0%A0%D0%B5%D0%B3%D0%B8%D0%BE%D0%BD?$format=json&").json()["Code"] == "500"
    other = f"Catalog_Партнеры(guid'{world.other.uuid}')"
    assert client.send("GET", f"{other}/Регион?$format=json&").status_code == 404
    posting = f"Document_Заказ(guid'{world.order.uuid}')/Post?$format=json&PostingModeOperational=false"
    assert client.send("POST", posting).status_code == 200


def test_the_requests_of_php_odata_1c(client: Client, world: World) -> None:
    """PHP over saintsystems/odata-client: `Prefer` and version headers of OData V4, function calls behind the set, nested conditions."""
    headers = {
        "Accept": "application/json",
        "Content-Type": "application/json",
        "OData-Version": "4.0",
        "OData-MaxVersion": "4.0",
        "Prefer": "return=representation",
    }
    balance = f"AccumulationRegister_Остатки/Balance(Condition='Товар_Key eq guid'{world.table.uuid}'')?$format=json"
    assert [r["КоличествоBalance"] for r in client.send("GET", balance, headers=headers).json()["value"]] == [7]
    nested = "Catalog_Партнеры?$filter=(Code eq '000001' or Code eq '000002') and DeletionMark eq false&$expand=Регион&$skip=0&$top=9"
    assert len(client.send("GET", nested, headers=headers).json()["value"]) == 2
