"""$metadata: whole, consistent with what the service answers, and bound as 1C binds it."""

from __future__ import annotations

from lxml import etree

from engine_server.odata import edmx
from engine_server.odata.model import Model
from engine_server.odata.publication import resolve
from tests.bases import shop
from tests.crm_bases import crm
from tests.odata.served import Client

EDM = "{http://schemas.microsoft.com/ado/2009/11/edm}"
M = "{http://schemas.microsoft.com/ado/2007/08/dataservices/metadata}"


def schema(document: bytes) -> etree._Element:
    root = etree.fromstring(document)
    assert root.get("Version") == "1.0"
    found = root[0][0]
    assert (found.tag, found.get("Namespace")) == (f"{EDM}Schema", "StandardODATA")
    return found


def test_entities_have_the_properties_that_are_declared(client: Client) -> None:
    answer = client.send("GET", "$metadata", headers={"Accept": "application/json"})
    assert answer.headers["content-type"].startswith("application/xml")
    found = schema(answer.content)
    sets = {s.get("Name"): s.get("EntityType") for s in found.iterfind(f"{EDM}EntityContainer/{EDM}EntitySet")}
    assert {s["name"] for s in client.json("")["value"]} == set(sets)
    types = {f"StandardODATA.{t.get('Name')}": t for t in found.iterfind(f"{EDM}EntityType")}
    for name, type_name in sets.items():
        declared = {p.get("Name"): p.get("Type") for p in types[type_name].iterfind(f"{EDM}Property")}
        declared = {n: t for n, t in declared.items() if t != "Edm.Stream"}
        for value in client.values(name, **{"$top": "2"}):
            assert {k for k in value if "@" not in k} == set(declared), name
        keys = {k.get("Name") for k in types[type_name].iterfind(f"{EDM}Key/{EDM}PropertyRef")}
        assert keys and keys <= set(declared), name


def references(found: etree._Element) -> set[str]:
    texts = [
        v
        for e in found.iter()
        for k, v in e.attrib.items()
        if k in ("Type", "EntityType", "ReturnType", "Relationship")
    ]
    inner = [t.removeprefix("Collection(").removesuffix(")") for t in texts]
    return {t.removeprefix("StandardODATA.") for t in inner if t.startswith("StandardODATA.")}


def test_every_name_it_speaks_of_is_defined() -> None:
    for configuration in (shop(), crm()):
        found = schema(edmx.metadata_document(Model(configuration, resolve(configuration, ["*"]))))
        kinds = ("EntityType", "ComplexType", "EnumType", "Association")
        defined = [e.get("Name") for k in kinds for e in found.iterfind(f"{EDM}{k}")]
        assert len(defined) == len(set(defined))
        assert references(found) <= set(defined)
        ends = {(a.get("Name"), e.get("Role")) for a in found.iterfind(f"{EDM}Association") for e in a}
        for n in found.iterfind(f".//{EDM}NavigationProperty"):
            association = n.get("Relationship").removeprefix("StandardODATA.")
            assert {(association, n.get("FromRole")), (association, n.get("ToRole"))} <= ends


def test_functions_are_bound() -> None:
    found = schema(edmx.metadata_document(Model(shop(), resolve(shop(), ["*"]))))
    bound: dict[str, set[str]] = {}
    for f in found.iterfind(f".//{EDM}FunctionImport"):
        first, *rest = f.iterfind(f"{EDM}Parameter")
        assert (first.get("Name"), f.get("IsBindable")) == ("bindingParameter", "true")
        assert f.get(f"{M}HttpMethod") == ("POST" if f.get("IsSideEffecting") == "true" else "GET")
        bound.setdefault(first.get("Type").removeprefix("StandardODATA."), set()).add(f.get("Name"))
        assert all(p.get("Type") in ("Edm.String", "Edm.DateTime", "Edm.Boolean") for p in rest)
    assert bound == {
        "Document_Заказ": {"Post", "Unpost"},
        "Document_Поступление": {"Post", "Unpost"},
        "InformationRegister_Цены": {"SliceLast", "SliceFirst"},
        "InformationRegister_СостоянияЗаказов_RecordType": {"SliceLast", "SliceFirst"},
        "AccumulationRegister_Остатки": {"Balance", "Turnovers", "BalanceAndTurnovers"},
        "AccumulationRegister_Продажи": {"Turnovers"},
    }


def test_shapes_are_those_of_the_platform() -> None:
    """Names, keys and roles as a published configuration of 1C has them."""
    found = schema(edmx.metadata_document(Model(shop(), resolve(shop(), ["*"]))))
    types = {t.get("Name"): t for t in found.iterfind(f"{EDM}EntityType")}

    def keys(name: str) -> list[str | None]:
        return [k.get("Name") for k in types[name].iterfind(f"{EDM}Key/{EDM}PropertyRef")]

    assert keys("AccumulationRegister_Остатки") == ["Recorder", "Recorder_Type"]
    assert keys("AccumulationRegister_Остатки_RecordType") == ["Recorder", "LineNumber", "Recorder_Type"]
    assert keys("AccumulationRegister_Продажи_RecordType") == ["Recorder_Key", "LineNumber"]
    assert keys("InformationRegister_СостоянияЗаказов") == ["Recorder_Key"]
    assert keys("InformationRegister_СостоянияЗаказов_RecordType") == ["Period", "Заказ_Key"]
    assert keys("InformationRegister_Цены") == ["Period", "Товар_Key"]
    assert types["Catalog_Партнеры"].get("OpenType") == "true" and types["Catalog_Товары"].get("OpenType") is None
    for t in types.values():
        for p in t.iterfind(f"{EDM}Property"):
            expected = "false" if p.get("Name") in keys(t.get("Name", "")) or p.get("Name") == "RecordSet" else "true"
            assert p.get("Nullable") == expected, (t.get("Name"), p.get("Name"))
    navigation = types["Document_Заказ_Товары"].find(f"{EDM}NavigationProperty")
    assert navigation is not None and dict(navigation.attrib) == {
        "Name": "Товар",
        "Relationship": "StandardODATA.Document_Заказ_Товары_Товар",
        "FromRole": "Begin",
        "ToRole": "End",
    }


def test_types_of_numbers() -> None:
    found = schema(edmx.metadata_document(Model(shop(), resolve(shop(), ["*"]))))
    types = {
        (t.get("Name"), p.get("Name")): (p.get("Type"), p.get("MaxLength"))
        for t in found.iterfind(f"{EDM}EntityType")
        for p in t.iterfind(f"{EDM}Property")
    }
    assert types["Document_Заметка", "Number"] == ("Edm.Int32", None)
    assert types["Document_Заказ", "Итого"] == ("Edm.Double", None)
    assert types["Document_Заказ_Товары", "LineNumber"] == ("Edm.Int64", None)
    assert types["Catalog_Партнеры", "ИНН"] == ("Edm.String", "12")
    assert types["Catalog_Партнеры", "Вид"] == ("Edm.String", None)
