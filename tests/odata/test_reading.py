"""Lists, entities, properties and counts, as 1C writes them."""

from __future__ import annotations

import base64
from decimal import Decimal

import pytest
from lxml import etree

from tests.odata.served import ZERO, Client, World

NS = {
    "a": "http://www.w3.org/2005/Atom",
    "d": "http://schemas.microsoft.com/ado/2007/08/dataservices",
    "m": "http://schemas.microsoft.com/ado/2007/08/dataservices/metadata",
    "app": "http://www.w3.org/2007/app",
}
PARTNERS, ORDERS = "Catalog_Партнеры", "Document_Заказ"


def test_an_entity_has_every_property_in_1c_shape(client: Client, world: World) -> None:
    found = client.json(f"{PARTNERS}(guid'{world.partner.uuid}')")
    assert found.pop("odata.metadata").endswith(f"$metadata#{PARTNERS}/@Element")
    assert base64.b64decode(found.pop("DataVersion")) == bytes(7) + b"\x01"
    assert found == {
        "Ref_Key": str(world.partner.uuid),
        "DeletionMark": False,
        "Predefined": False,
        "PredefinedDataName": "",
        "Code": "000001",
        "Description": "Ромашка",
        "Parent_Key": ZERO,
        "IsFolder": False,
        "ИНН": "7712345678",
        "Менеджер": "Иванов",
        "Регион_Key": str(world.region.uuid),
        "Вид": "Покупатель",
        "Лимит": Decimal("1234.5"),
        "РаботаетС": "2024-05-17T10:30:05",
        "Действует": True,
        "ВнешнийИд": ZERO,
        "Логотип_Base64Data": "AP8=",
        "Логотип_Type": "application/octet-stream",
        "Предмет": "",
        "Предмет_Type": "StandardODATA.Undefined",
        "Телефоны": [
            {"Ref_Key": str(world.partner.uuid), "LineNumber": "1", "Номер": "+7 495 1"},
            {"Ref_Key": str(world.partner.uuid), "LineNumber": "2", "Номер": "+7 495 2"},
        ],
        "Регион@navigationLinkUrl": f"{PARTNERS}(guid'{world.partner.uuid}')/Регион",
    }


def test_composites_name_their_type(client: Client, world: World) -> None:
    found = client.json(f"Catalog_Partners(guid'{world.other.uuid}')")
    assert (found["Предмет"], found["Предмет_Type"]) == (str(world.region.uuid), "StandardODATA.Catalog_Регионы")


def test_lists(client: Client) -> None:
    found = client.json(PARTNERS)
    assert found["odata.metadata"].endswith(f"$metadata#{PARTNERS}")
    assert {r["Description"] for r in found["value"]} == {"Ромашка", "Ёлка & <Ко>"}
    assert "odata.count" not in found


def test_levels_of_metadata(client: Client, world: World) -> None:
    path = f"{ORDERS}(guid'{world.order.uuid}')"
    none = client.json(path, **{"$format": "application/json;odata=nometadata"})
    assert not [k for k in none if "odata" in k or "@" in k]
    full = client.json(path, **{"$format": "application/json; odata=fullmetadata"})
    assert full["odata.type"] == f"StandardODATA.{ORDERS}"
    assert full["Товары@odata.type"] == f"Collection(StandardODATA.{ORDERS}_Товары_RowType)"
    verbose = client.json(ORDERS, **{"$format": "application/json;odata=verbose", "$inlinecount": "allpages"})
    assert verbose["d"]["__count"] == "2"
    assert verbose["d"]["results"][0]["__metadata"]["type"] == f"StandardODATA.{ORDERS}"


def test_the_accept_header_chooses_json(client: Client) -> None:
    answer = client.send("GET", PARTNERS, headers={"Accept": "application/json;odata=nometadata, */*;q=0.1"})
    assert answer.headers["content-type"].startswith("application/json;odata=nometadata")
    assert answer.headers["dataserviceversion"] == "3.0"
    assert set(answer.json()) == {"value"}


def test_atom_is_the_default(client: Client, world: World) -> None:
    answer = client.send("GET", f"{ORDERS}?$inlinecount=allpages")
    assert answer.headers["content-type"].startswith("application/atom+xml;type=feed")
    feed = etree.fromstring(answer.content)
    assert feed.findtext("m:count", namespaces=NS) == "2"
    entries = feed.findall("a:entry", NS)
    assert len(entries) == 2
    entry = etree.fromstring(client.send("GET", f"{ORDERS}(guid'{world.order.uuid}')").content)
    assert entry.findtext(".//d:Ref_Key", namespaces=NS) == str(world.order.uuid)
    assert entry.findtext(".//d:Товары/d:element/d:LineNumber", namespaces=NS) == "1"
    assert entry.find(".//d:Комментарий", NS).text is None
    assert entry.findtext("a:id", namespaces=NS).endswith(f"{ORDERS}(guid'{world.order.uuid}')")


def test_marks_of_xml_are_written_as_text(client: Client, world: World) -> None:
    entry = etree.fromstring(client.send("GET", f"{PARTNERS}(guid'{world.other.uuid}')").content)
    assert entry.findtext(".//d:Description", namespaces=NS) == "Ёлка & <Ко>"


def test_the_service_document(client: Client) -> None:
    names = {s["name"] for s in client.json("")["value"]}
    assert {"Catalog_Партнеры", "Catalog_Партнеры_Телефоны", "AccumulationRegister_Остатки_RecordType"} <= names
    for address in (client.http.base_url, str(client.http.base_url).rstrip("/")):
        document = etree.fromstring(client.send("GET", str(address)).content)
        assert {c.get("href") for c in document.iterfind(".//app:collection", NS)} == names


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("Catalog_Партнеры/$count", "2"),
        ("Catalog_Партнеры/$count?$filter=Code eq '000001'", "1"),
        ("Catalog_Партнеры_Телефоны/$count", "2"),
        ("Constant_СвойРегион/$count", "1"),
        ("Document_Заказ(guid'{order}')/Партнер/Регион/Description/$value", "Тверская"),
        ("Document_Заказ(guid'{order}')/Posted/$value", "true"),
        ("Document_Заказ(guid'{order}')/Товары/$count", "1"),
        ("AccumulationRegister_Остатки/Balance()/$count", "2"),
    ],
)
def test_plain_texts(client: Client, world: World, path: str, text: str) -> None:
    answer = client.send("GET", path.format(order=world.order.uuid))
    assert (answer.text, answer.headers["content-type"]) == (text, "text/plain;charset=utf-8")


def test_properties(client: Client, world: World) -> None:
    path = f"{PARTNERS}(guid'{world.partner.uuid}')"
    assert client.json(f"{path}/Description")["value"] == "Ромашка"
    assert client.json(f"{path}/Регион_Key")["value"] == str(world.region.uuid)
    assert client.json(f"{path}/Регион")["Description"] == "Тверская"
    assert [r["Номер"] for r in client.json(f"{path}/Телефоны")["value"]] == ["+7 495 1", "+7 495 2"]
    assert client.send("GET", f"{path}/Логотип").content == b"\x00\xff"
    xml = etree.fromstring(client.send("GET", f"{path}/Description").content)
    assert (xml.tag, xml.text) == (f"{{{NS['d']}}}Description", "Ромашка")


def test_rows_are_a_set_of_their_own(client: Client, world: World) -> None:
    rows = client.values("Document_Заказ_Товары", **{"$filter": f"Ref_Key eq guid'{world.order.uuid}'"})
    assert [(r["LineNumber"], r["Количество"], r["Сумма"]) for r in rows] == [("1", 3, 300)]
    one = client.json(f"Document_Order_Goods(Ref_Key=guid'{world.order.uuid}', LineNumber=1)")
    assert one["Товар_Key"] == str(world.table.uuid)


def test_select(client: Client, world: World) -> None:
    path = f"{PARTNERS}(guid'{world.partner.uuid}')"
    one = client.json(path, **{"$select": "Ref_Key, Description, Регион____Presentation"})
    assert {k for k in one if "odata" not in k} == {"Ref_Key", "Description", "Регион____Presentation"}
    assert one["Регион____Presentation"] == "Тверская"
    assert "Телефоны" not in client.json(path, **{"$select": "**"})
    assert client.json(path, **{"$select": "Телефоны/Номер"})["Телефоны"] == [
        {"Номер": "+7 495 1"},
        {"Номер": "+7 495 2"},
    ]
    both = client.json(path, **{"$select": "*, *____Presentation"})
    assert (both["Вид____Presentation"], both["Действует____Presentation"]) == ("Покупатель", "Да")
    assert both["Телефоны"] and both["Code"] == "000001"
    own = client.json(f"{ORDERS}(guid'{world.order.uuid}')", **{"$select": "Ref_Key,Presentation"})
    assert own["Presentation"] == "Заказ 000000001 от 02.01.2026 00:00:00"
    assert client.values(PARTNERS, **{"$select": "Description"})[0].keys() == {"Description"}


def test_expand(client: Client, world: World) -> None:
    (found,) = client.values(ORDERS, **{"$expand": "Партнер/Регион", "$filter": "Posted eq true"})
    assert found["Партнер"]["Description"] == "Ромашка"
    assert found["Партнер"]["Регион"]["Description"] == "Тверская"
    (some,) = client.values(
        ORDERS, **{"$expand": "Партнер", "$select": "Number,Партнер/ИНН", "$filter": "Posted eq true"}
    )
    assert some["Партнер"].keys() == {"ИНН"} and some["Number"] == "000000001"
    (same,) = client.values(ORDERS, **{"$select": "Number, Партнер/ИНН", "$filter": "Posted eq true"})
    assert same["Партнер"] == some["Партнер"]
    every = client.values(PARTNERS, **{"$expand": "*", "$orderby": "Code"})
    assert every[0]["Регион"]["Code"] == "500" and every[1]["Регион"] is None
    composite = client.values(PARTNERS, **{"$expand": "Предмет", "$filter": "Description eq 'Ёлка & <Ко>'"})
    assert composite[0]["Предмет_Expanded"]["Description"] == "Тверская"


def test_order_and_pages(client: Client) -> None:
    names = [r["Description"] for r in client.values("Catalog_Товары", **{"$orderby": "Цена desc"})]
    assert names == ["Стол", "Стул"]
    by_region = client.values(PARTNERS, **{"$orderby": "Регион/Description desc,Code"})
    assert [r["Code"] for r in by_region] == ["000001", "000002"]
    assert (
        client.values("Catalog_Товары", **{"$top": "1", "$skip": "1", "$orderby": "Code"})[0]["Description"] == "Стул"
    )
    page = client.json("Catalog_Товары", **{"$top": "0", "$inlinecount": "allpages"})
    assert (page["odata.count"], page["value"]) == ("2", [])


def test_constants(client: Client) -> None:
    assert client.values("Constant_НаименованиеФирмы") == [{"SurrogateKey": 0, "Value": ""}]
    assert client.json(f"Constant_СвойРегион(guid'{ZERO}')")["Value_Key"] == ZERO


FORMS = (
    "$format=json&$top=2&$expand=*",
    "$format=json&$select=*, *____Presentation",
    "$format=json;odata=verbose&$top=1&$inlinecount=allpages",
    "$format=atom&$skip=1",
)


def test_every_set_in_every_form(client: Client) -> None:
    for name in [s["name"] for s in client.json("")["value"]]:
        for form in FORMS:
            answer = client.send("GET", f"{name}?{form}")
            assert answer.status_code == 200, (name, form, answer.text)
        assert client.send("GET", f"{name}/$count").text.isdigit()


def test_the_address_an_entity_names_leads_to_it(client: Client) -> None:
    for name in [s["name"] for s in client.json("")["value"] if not s["name"].startswith("Constant_")]:
        for listed in client.values(name, **{"$format": "application/json;odata=fullmetadata", "$top": "3"}):
            single = client.json(listed["odata.editLink"])
            assert plain(single) == plain(listed), name
            for link in [v for k, v in single.items() if k.endswith("@navigationLinkUrl")]:
                assert client.send("GET", link).status_code == 200, link


def plain(entity: dict[str, object]) -> dict[str, object]:
    return {k: v for k, v in entity.items() if "odata" not in k and "@" not in k}
