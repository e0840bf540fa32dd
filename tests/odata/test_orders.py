"""$orderby: paths, several, functions; the pages of computed orders; conditions on rows without a lambda."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine_server.odata.publication import publish
from infobase.query_json import from_json, to_json
from infobase.query_model import Call, FieldValue, OrderItem, Query
from tests.bases import Place, file_place, server_place
from tests.odata.served import Client, World
from tests.odata.test_filters import DAISY, FIR, ORDERS, PARTNERS, names


def order(client: Client, text: str) -> list[str]:
    return [r["Description"] for r in client.values(PARTNERS, **{"$orderby": text, "$select": "Description"})]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Лимит", [FIR, DAISY]),
        ("Лимит   DESC", [DAISY, FIR]),
        ("Регион/Description asc, Code desc", [FIR, DAISY]),
        ("year(РаботаетС) desc", [DAISY, FIR]),
        ("quarter(РаботаетС), Code", [FIR, DAISY]),
        ("substring(Description, 2, 1) desc", [DAISY, FIR]),
        ("concat(ИНН, Description) desc,Code", [FIR, DAISY]),
        ("concat(',', Регион/Description) desc", [DAISY, FIR]),
        ("round(Лимит) desc", [DAISY, FIR]),
        ("dateadd(РаботаетС, 'month', 1) desc", [DAISY, FIR]),
        ("datedifference(РаботаетС, datetime'2026-01-01', 'day')", [DAISY, FIR]),
        ("cast(Регион, 'Catalog_Регионы') desc", [DAISY, FIR]),
        ("(Лимит) desc", [DAISY, FIR]),
    ],
)
def test_orders(client: Client, text: str, found: list[str]) -> None:
    assert order(client, text) == found


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("floor(Лимит)", 400, "21"),
        ("year(Description)", 400, "14"),
        ("year(Нет)", 404, "10"),
        ("substring(Description", 400, "14"),
        ("round(Лимит div 7)", 200, ""),
        ("(Лимит div 7)", 400, "14"),
        ("startswith(Description,'Р')", 400, "21"),
        ("Code; drop table x", 400, "14"),
        ("Code desc asc", 400, "14"),
        ("cast(Предмет, 'Catalog_Регионы')/Нет", 404, "10"),
        (",".join(f"substring(Code,{i})" for i in range(1, 502)), 400, "14"),
    ],
)
def test_orders_that_are_refused(client: Client, text: str, status: int, code: str) -> None:
    if status == 200:
        assert len(order(client, text)) == 2
    else:
        assert client.error("GET", PARTNERS, params={"$orderby": text})[:2] == (status, code)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Телефоны/Номер eq '+7 495 2'", {DAISY}),
        ("'+7 495 2' eq Телефоны/Номер", {DAISY}),
        ("Телефоны/Номер eq '1' or Телефоны/Номер eq '+7 495 1'", {DAISY}),
        ("endswith(Телефоны/Номер, '2') and Code ne '7'", {DAISY}),
        ("not (Телефоны/LineNumber eq 2)", {FIR}),
        ("Телефоны/Номер eq Description", set()),
    ],
)
def test_rows_without_a_lambda(client: Client, text: str, found: set[str]) -> None:
    if "eq Description" in text:
        assert client.error("GET", PARTNERS, params={"$filter": text})[:2] == (400, "14")
    else:
        assert names(client, text) == found


def test_rows_by_reference(client: Client, world: World) -> None:
    """As PyOData1C asks: several GUIDs of a row's reference."""
    wanted = " or ".join(f"Товары/Товар_Key eq guid'{r.uuid}'" for r in (world.table, world.chair))
    assert len(client.values(ORDERS, **{"$filter": wanted})) == 2
    assert len(client.values(ORDERS, **{"$filter": f"Товары/Товар/Description eq 'Стол' and ({wanted})"})) == 1


def test_computed_orders_are_data() -> None:
    query = Query(
        "Catalog.Partners",
        order_by=(OrderItem(Call("year", (FieldValue("Since"),)), descending=True), OrderItem("Code")),
    )
    assert from_json(to_json(query)) == query


@pytest.fixture(params=["file", "server"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return file_place(tmp_path / "base") if request.param == "file" else server_place(request.getfixturevalue("pg_url"))


def test_pages_of_a_computed_order(place: Place) -> None:
    """Every row once, by keys of any kind of value."""
    place.create()
    try:
        with place.session() as session:
            rows = (({"Code": f"{i:09}", "Description": "абв"[i % 3] * (i % 5), "Price": i % 7}, {}) for i in range(60))
            session.bulk_write("Catalog.Goods", rows)
            publish(session, ["*"])
            for call, value in (
                (Call("substring", (FieldValue("Description"), 2)), lambda r: str(r["Description"])[1:]),
                (Call("multiply", (FieldValue("Price"), 3)), lambda r: r["Price"]),
                (Call("length", (FieldValue("Description"),)), lambda r: len(str(r["Description"]))),
            ):
                for down in (False, True):
                    seen, key = [], None
                    while True:
                        page = Query("Catalog.Goods", order_by=(OrderItem(call, down),), limit=7, after=key)
                        found, key = session.query_page(page)
                        seen += found
                        if not found:
                            break
                    assert len({r["Code"] for r in seen}) == len(seen) == 60
                    assert [value(r) for r in seen] == sorted(map(value, seen), reverse=down)
    finally:
        place.drop()
