"""POST, PATCH, PUT, DELETE, Post, Unpost, versions, bindings, register records and constants."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import etree

from tests.odata.served import ZERO, Client, World

GOODS, ORDERS, PARTNERS, PRICES = "Catalog_Товары", "Document_Заказ", "Catalog_Партнеры", "InformationRegister_Цены"
JSON = {"$format": "json"}


def create(client: Client, entity: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.send("POST", entity, params=JSON, json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def change(client: Client, path: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    answer = client.send("PATCH", path, params=JSON, json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def key(entity: str, made: dict[str, Any]) -> str:
    return f"{entity}(guid'{made['Ref_Key']}')"


def test_create_and_read_back(client: Client, world: World) -> None:
    answer = client.send("POST", PARTNERS, params=JSON, json={
        "Description": "Новый",
        "ИНН": "5000000000",
        "Регион_Key": str(world.region.uuid),
        "Вид": "Поставщик",
        "Лимит": 12.34,
        "РаботаетС": "2026-05-01T00:00:00",
        "Действует": True,
        "Логотип_Base64Data": "AQID",
        "Предмет": str(world.region.uuid),
        "Предмет_Type": "StandardODATA.Catalog_Регионы",
        "Телефоны": [{"LineNumber": "1", "Номер": "a"}, {"Номер": "b"}],
        "НетТакого": "пропускается",
        "odata.metadata": "x",
        "Регион@navigationLinkUrl": "x",
    })  # fmt: skip
    assert answer.status_code == 201
    made = answer.json()
    assert made["Ref_Key"] in answer.headers["location"]
    again = client.json(key(PARTNERS, made))
    assert again == {**made, "Лимит": again["Лимит"]}
    assert [r["Номер"] for r in again["Телефоны"]] == ["a", "b"]
    assert (again["Предмет"], again["Предмет_Type"]) == (str(world.region.uuid), "StandardODATA.Catalog_Регионы")
    assert (again["Логотип_Base64Data"], again["Вид"]) == ("AQID", "Поставщик")
    assert str(again["Лимит"]) == "12.34"
    assert client.send("DELETE", key(PARTNERS, made)).status_code == 204
    assert client.error("GET", key(PARTNERS, made))[:2] == (404, "9")


@pytest.mark.parametrize(
    ("value", "type_name", "shown", "shown_type"),
    [
        ("текст", "Edm.String", "текст", "Edm.String"),
        (12.5, "Edm.Double", "12.5", "Edm.Double"),
        ("7", "Edm.Int32", "7", "Edm.Double"),
        (True, "Edm.Boolean", "true", "Edm.Boolean"),
        ("2026-01-01T00:00:00", "Edm.DateTime", "2026-01-01T00:00:00", "Edm.DateTime"),
        ("Покупатель", "StandardODATA.ВидыПартнеров", "Покупатель", "StandardODATA.ВидыПартнеров"),
        ("", "StandardODATA.Undefined", "", "StandardODATA.Undefined"),
        ("Buyer", "StandardODATA.PartnerKinds", "Покупатель", "StandardODATA.ВидыПартнеров"),
    ],
)
def test_composites_of_every_type(client: Client, value: Any, type_name: str, shown: str, shown_type: str) -> None:
    made = create(client, PARTNERS, {"Description": "Составной", "Предмет": value, "Предмет_Type": type_name})
    assert (made["Предмет"], made["Предмет_Type"]) == (shown, shown_type)
    client.send("DELETE", key(PARTNERS, made))


def test_patch_changes_what_is_given(client: Client) -> None:
    made = create(client, PARTNERS, {"Description": "До", "ИНН": "1", "Телефоны": [{"Номер": "1"}, {"Номер": "2"}]})
    path = key(PARTNERS, made)
    assert change(client, path, {"Description": "После"})["ИНН"] == "1"
    changed = change(client, path, {"Телефоны": [{"LineNumber": "1", "Номер": "3"}]})
    assert [r["Номер"] for r in changed["Телефоны"]] == ["3"]
    assert change(client, path, {"Description": "После"})["DataVersion"] == changed["DataVersion"]
    client.send("DELETE", path)


def test_put_replaces_everything(client: Client, world: World) -> None:
    made = create(client, PARTNERS, {"Description": "A", "ИНН": "1", "Вид": "Покупатель", "Телефоны": [{"Номер": "1"}]})
    answer = client.send("PUT", key(PARTNERS, made), params=JSON, json={
        "Description": "B",
        "Регион@odata.bind": f"Catalog_Регионы(guid'{world.region.uuid}')",
    })  # fmt: skip
    found = answer.json()
    assert (found["Description"], found["ИНН"], found["Вид"], found["Телефоны"]) == ("B", "", "", [])
    assert (found["Регион_Key"], found["Code"]) == (str(world.region.uuid), made["Code"])
    client.send("DELETE", key(PARTNERS, made))


def test_bindings(client: Client, world: World) -> None:
    whole = f"{client.http.base_url}Catalog_Regions(guid'{world.region.uuid}')"
    made = create(client, PARTNERS, {"Description": "Связь", "Регион@odata.bind": whole, "Предмет@odata.bind": whole})
    assert made["Регион_Key"] == made["Предмет"] == str(world.region.uuid)
    assert change(client, key(PARTNERS, made), {"Регион@odata.bind": None})["Регион_Key"] == ZERO
    for wrong in ("Catalog_Товары(guid'x')", f"{GOODS}(guid'{world.table.uuid}')", "чепуха", "Catalog_Регионы", 5):
        status, code, _ = client.error("PATCH", key(PARTNERS, made), json={"Регион@odata.bind": wrong})
        assert (status, code) in ((400, "16"), (400, "4"))
    client.send("DELETE", key(PARTNERS, made))


def test_atom_entries_are_taken(client: Client, world: World) -> None:
    body = f"""<?xml version="1.0"?><entry xmlns="http://www.w3.org/2005/Atom"
        xmlns:d="http://schemas.microsoft.com/ado/2007/08/dataservices"
        xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">
        <content type="application/xml"><m:properties><d:Description>Из XML</d:Description><d:ИНН m:null="true"/>
        <d:Регион_Key>{world.region.uuid}</d:Регион_Key><d:Действует>true</d:Действует><d:Лимит>1.50</d:Лимит>
        <d:Телефоны m:type="Collection(StandardODATA.Catalog_Партнеры_Телефоны_RowType)">
        <d:element><d:LineNumber>1</d:LineNumber><d:Номер>5</d:Номер></d:element></d:Телефоны>
        </m:properties></content></entry>"""
    answer = client.send("POST", PARTNERS, content=body.encode(), headers={"Content-Type": "application/atom+xml"})
    assert answer.status_code == 201, answer.text
    entry = etree.fromstring(answer.content)
    d = "{http://schemas.microsoft.com/ado/2007/08/dataservices}"
    assert entry.findtext(f".//{d}Description") == "Из XML"
    assert entry.findtext(f".//{d}Номер") == "5"
    assert entry.findtext(f".//{d}Лимит") == "1.5"
    assert client.send("DELETE", f"{PARTNERS}(guid'{entry.findtext(f'.//{d}Ref_Key')}')").status_code == 204


def test_folders_and_given_references(client: Client) -> None:
    ref = "11111111-2222-3333-4444-555555555555"
    folder = create(client, PARTNERS, {"Ref_Key": ref, "Description": "Группа", "IsFolder": True})
    assert (folder["Ref_Key"], folder["IsFolder"]) == (ref, True)
    inside = create(client, PARTNERS, {"Description": "Внутри", "Parent_Key": ref})
    assert client.values(PARTNERS, **{"$filter": "Parent/Description eq 'Группа'"})[0]["Description"] == "Внутри"
    assert client.error("POST", PARTNERS, json={"Ref_Key": ref, "Description": "Снова"})[:2] == (400, "15")
    assert client.error("DELETE", key(PARTNERS, folder))[:2] == (500, "-1")
    for made in (inside, folder):
        assert client.send("DELETE", key(PARTNERS, made)).status_code == 204


def test_versions_guard_against_lost_changes(client: Client) -> None:
    made = create(client, GOODS, {"Description": "Версия", "Цена": 1})
    path = key(GOODS, made)
    changed = change(client, path, {"Цена": 2}, **{"If-Match": made["DataVersion"]})
    for stale in (made["DataVersion"], f'W/"{made["DataVersion"]}"', "чепуха".encode().decode("latin-1")):
        answer = client.send(
            "PATCH", path, params=JSON, json={"Цена": 3}, headers={"If-Match": stale.encode("latin-1")}
        )
        assert answer.status_code == 412
    assert client.error("DELETE", path, headers={"If-Match": made["DataVersion"]})[0] == 412
    assert change(client, path, {"Цена": 4}, **{"If-Match": f'"{changed["DataVersion"]}"'})["Цена"] == 4
    assert change(client, path, {"Цена": 5}, **{"If-Match": "*"})["Цена"] == 5
    assert client.send("DELETE", path).status_code == 204


def test_posting(client: Client, world: World) -> None:
    rows = [{"LineNumber": "1", "Товар_Key": str(world.chair.uuid), "Количество": 2, "Сумма": 50}]
    made = create(
        client, ORDERS, {"Date": "2026-03-01T00:00:00", "Партнер_Key": str(world.partner.uuid), "Товары": rows}
    )
    path = key(ORDERS, made)
    assert made["Posted"] is False and made["Number"]

    def stock() -> Any:
        condition = f"Товар_Key eq guid'{world.chair.uuid}'"
        return client.values(f"AccumulationRegister_Остатки/Balance(Condition='{condition}')")[0]["КоличествоBalance"]

    before = stock()
    assert client.send("POST", f"{path}/Post?PostingModeOperational=false").status_code == 200
    assert (client.json(path)["Posted"], stock()) == (True, before - 2)
    assert client.send("POST", f"{path}/Post()").status_code == 200
    assert stock() == before - 2
    changed = change(client, path, {"Товары": [{**rows[0], "Количество": 3}]})
    assert (changed["Posted"], stock()) == (True, before - 3)
    assert client.send("POST", f"{path}/Unpost").status_code == 200
    assert (client.json(path)["Posted"], stock()) == (False, before)
    assert change(client, path, {"Posted": True})["Posted"] is True
    assert change(client, path, {"DeletionMark": True})["Posted"] is False
    assert client.error("POST", f"{path}/Post")[:2] == (500, "-1")
    assert client.error("GET", f"{path}/Post")[:2] == (405, "19")
    assert client.send("DELETE", path).status_code == 204
    assert stock() == before


def test_a_refusal_says_why_and_changes_nothing(client: Client, world: World) -> None:
    path = f"{ORDERS}(guid'{world.draft.uuid}')"
    status, code, message = client.error("POST", f"{path}/Post")
    assert (status, code) == (500, "-1")
    assert "Не хватает" in message and "Стул" in message
    assert client.json(path)["Posted"] is False


def test_documents_that_do_not_post(client: Client) -> None:
    made = create(client, "Document_Заметка", {"Date": "2026-01-01T00:00:00", "Тема": "x"})
    assert made["Number"] == 1
    assert client.error("POST", f"{key('Document_Заметка', made)}/Post")[:2] == (500, "-1")
    assert client.send("DELETE", key("Document_Заметка", made)).status_code == 204


def test_records_of_independent_registers(client: Client, world: World) -> None:
    record = {"Period": "2026-06-15T13:00:00", "Товар_Key": str(world.chair.uuid), "Цена": 27.5}
    made = create(client, PRICES, record)
    assert made["Period"] == "2026-06-15T00:00:00"
    path = f"{PRICES}(Period=datetime'2026-06-15T00:00:00', Товар_Key=guid'{world.chair.uuid}')"
    assert client.json(path)["Цена"] == client.json(path.replace("Цены(", "Цены_RecordType("))["Цена"]
    assert client.error("POST", PRICES, json=record)[:2] == (400, "15")
    assert change(client, path, {"Цена": 28})["Цена"] == 28
    moved = change(client, path, {"Period": "2026-07-01T00:00:00"})
    assert (moved["Period"], moved["Цена"]) == ("2026-07-01T00:00:00", 28)
    assert client.error("GET", path)[:2] == (404, "9")
    moved_path = path.replace("2026-06-15", "2026-07-01")
    assert client.send("DELETE", moved_path).status_code == 204
    assert client.error("DELETE", moved_path)[:2] == (404, "9")
    assert client.error("GET", f"{PRICES}(Period=datetime'2026-06-15')")[:2] == (400, "7")


def test_records_of_recorders_are_written_by_them(client: Client, world: World) -> None:
    path = (
        f"AccumulationRegister_Остатки(Recorder=guid'{world.order.uuid}', Recorder_Type='StandardODATA.Document_Заказ')"
    )
    assert len(client.json(path)["RecordSet"]) == 1
    assert client.error("PATCH", path, json={"RecordSet": []})[:2] == (405, "19")
    assert client.error("POST", "AccumulationRegister_Остатки_RecordType", json={"Количество": 1})[:2] == (405, "19")
    assert client.error("POST", f"{ORDERS}_Товары", json={})[:2] == (400, "13")
    state = client.values("InformationRegister_СостоянияЗаказов")
    assert state[0]["Recorder_Key"] == str(world.order.uuid)
    assert (
        client.json(f"InformationRegister_СостоянияЗаказов(guid'{world.order.uuid}')")["RecordSet"][0]["Итого"] == 300
    )


def test_constants_change(client: Client, world: World) -> None:
    path = f"Constant_СвойРегион(guid'{ZERO}')"
    assert change(client, path, {"Value_Key": str(world.region.uuid)})["Value_Key"] == str(world.region.uuid)
    assert client.json(f"{path}/Value")["Description"] == "Тверская"
    assert change(client, path, {"Value_Key": ZERO})["Value_Key"] == ZERO
    assert change(client, f"Constant_CompanyName(guid'{ZERO}')", {"Value": "ООО"})["Value"] == "ООО"
    assert client.send("GET", f"Constant_CompanyName(guid'{ZERO}')/Value/$value").text == "ООО"


def test_tunnelled_methods(client: Client) -> None:
    made = create(client, GOODS, {"Description": "Туннель"})
    for method in ("PATCH", "MERGE"):
        answer = client.send("POST", key(GOODS, made), params=JSON, json={"Цена": 3}, headers={"X-HTTP-Method": method})
        assert (answer.status_code, answer.json()["Цена"]) == (200, 3)
    assert client.send("POST", key(GOODS, made), headers={"X-HTTP-Method": "DELETE"}).status_code == 204


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"Цена": "много"}, 400, "4"),
        ({"Цена": 1.005}, 400, "4"),
        ({"Цена": 10**20}, 400, "4"),
        ({"Цена": [1]}, 400, "4"),
        ({"Description": 5}, 400, "4"),
        ({"Description": "x" * 151}, 400, "4"),
        ({"DeletionMark": "да"}, 400, "4"),
        ({"Ref_Key": "не гуид"}, 400, "4"),
    ],
    ids=str,
)
def test_wrong_values(client: Client, body: dict[str, Any], status: int, code: str) -> None:
    before = client.send("GET", f"{GOODS}/$count").text
    assert client.error("POST", GOODS, json={"Description": "Ошибка", **body})[:2] == (status, code)
    assert client.send("GET", f"{GOODS}/$count").text == before


def test_wrong_rows_and_references(client: Client, world: World) -> None:
    order = {"Date": "2026-03-01T00:00:00", "Партнер_Key": str(world.partner.uuid)}
    for body, found in (
        ({"Товары": "x"}, (400, "2")),
        ({"Товары": [1]}, (400, "2")),
        ({"Товары": [{"Количество": 1}]}, (400, "5")),
        ({"Товары": [{"Товар_Key": "12345678-0000-0000-0000-000000000000"}]}, (400, "16")),
        ({"Партнер_Key": None}, (400, "5")),
    ):
        assert client.error("POST", ORDERS, json={**order, **body})[:2] == found
    assert client.error("POST", PARTNERS, json={"Description": "x", "Предмет": str(world.region.uuid)})[:2] == (
        400,
        "4",
    )


def test_load_mode_is_refused_honestly(client: Client) -> None:
    headers = {"1C_OData-DataLoadMode": "true"}
    assert client.error("POST", GOODS, json={"Description": "x"}, headers=headers)[:2] == (400, "17")
