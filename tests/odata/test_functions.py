"""Virtual tables as functions, in every way clients write them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.odata.served import Client, World

STOCK, SALES, PRICES = "AccumulationRegister_Остатки", "AccumulationRegister_Продажи", "InformationRegister_Цены"
YEAR = "StartPeriod=datetime'2026-01-01T00:00:00',EndPeriod=datetime'2026-12-31T23:59:59'"


def by_item(world: World, rows: list[dict[str, Any]], field: str) -> dict[str, Any]:
    known = {str(world.table.uuid): "Стол", str(world.chair.uuid): "Стул"}
    return {known[r["Товар_Key"]]: r[field] for r in rows}


def test_balance(client: Client, world: World) -> None:
    assert by_item(world, client.values(f"{STOCK}/Balance()"), "КоличествоBalance") == {"Стол": 7, "Стул": 10}
    assert by_item(world, client.values(f"{STOCK}/Balance"), "КоличествоBalance") == {"Стол": 7, "Стул": 10}
    old = client.values(f"{STOCK}/Balance(Period=datetime'2026-01-01T12:00:00')")
    assert by_item(world, old, "КоличествоBalance") == {"Стол": 10, "Стул": 10}
    filtered = client.values(
        f"{STOCK}/Balance", **{"$filter": "КоличествоBalance gt 8", "$orderby": "КоличествоBalance"}
    )
    assert by_item(world, filtered, "КоличествоBalance") == {"Стул": 10}
    assert client.values(f"{STOCK}/Balance(Dimensions='')", **{"$select": "КоличествоBalance"})[0].keys() == {
        "КоличествоBalance"
    }


@pytest.mark.parametrize(
    "call",
    [
        "Balance(Condition='Товар_Key eq guid'{table}'')",
        "Balance(Condition='Товар_Key eq guid''{table}''')",
        "Balance(Condition='Товар/Description eq 'Стол'')",
        "Balance(Condition='Товар/Description eq ''Стол''')",
        "Balance(Condition='Товар eq cast(guid'{table}', 'Catalog_Товары')')",
        "Balance?Condition=Товар_Key eq guid'{table}'",
        "Balance?Condition='Товар_Key eq guid'{table}''",
        "Balance(Period=datetime'2026-12-01T00:00:00', Condition='Item_Key eq guid'{table}'')",
        "Balance(,Condition='Товар_Key eq guid'{table}'')",
        "BalanceAndTurnovers(" + YEAR + ",Condition='Товар_Key eq guid'{table}'')",
    ],
)
def test_conditions_however_they_are_quoted(client: Client, world: World, call: str) -> None:
    rows = client.values(f"{STOCK}/{call.format(table=world.table.uuid)}")
    assert [r["Товар_Key"] for r in rows] == [str(world.table.uuid)]


def test_turnovers(client: Client, world: World) -> None:
    rows = client.values(f"{STOCK}/Turnovers({YEAR})")
    assert by_item(world, rows, "КоличествоReceipt") == {"Стол": 10, "Стул": 10}
    assert by_item(world, rows, "КоличествоExpense") == {"Стол": 3, "Стул": 0}
    sales = client.values(f"{SALES}/Turnovers()")
    assert [(r["КоличествоTurnover"], r["СуммаTurnover"]) for r in sales] == [(3, 300)]
    whole = client.values(f"{SALES}/Turnovers(Dimensions='Партнер_Key')")
    assert whole[0].keys() - {"Партнер@navigationLinkUrl"} == {"Партнер_Key", "КоличествоTurnover", "СуммаTurnover"}
    monthly = client.values(f"{STOCK}/Turnovers(Periodicity='Month')", **{"$orderby": "Period"})
    assert {r["Period"] for r in monthly} == {"2026-01-01T00:00:00"}
    each = client.values(f"{STOCK}/Turnovers(Periodicity='Recorder')")
    assert {r["Recorder_Type"] for r in each} == {"StandardODATA.Document_Поступление", "StandardODATA.Document_Заказ"}


def test_balance_and_turnovers(client: Client, world: World) -> None:
    call = f"{STOCK}/BalanceAndTurnovers(StartPeriod=datetime'2026-01-02',EndPeriod=datetime'2026-01-31')"
    row = next(r for r in client.values(call) if r["Товар_Key"] == str(world.table.uuid))
    figures = [row[f"Количество{f}"] for f in ("OpeningBalance", "Receipt", "Expense", "Turnover", "ClosingBalance")]
    assert figures == [10, 0, 3, -3, 7]


def test_slices(client: Client, world: World) -> None:
    assert [r["Цена"] for r in client.values(f"{PRICES}/SliceLast()")] == [
        client.values(f"{PRICES}/SliceLast")[0]["Цена"]
    ]
    assert client.values(f"{PRICES}/SliceLast(Period=datetime'2026-01-10T00:00:00')")[0]["Цена"] == 90
    assert (
        client.values(f"{PRICES}_RecordType/SliceFirst(Period=datetime'2026-01-10T00:00:00')")[0]["Period"]
        == "2026-01-20T00:00:00"
    )
    condition = f"Товар_Key eq guid'{world.chair.uuid}'"
    assert client.values(f"{PRICES}/SliceLast", Condition=condition) == []
    expanded = client.values(f"{PRICES}/SliceLast", **{"$expand": "Товар", "$select": "Цена,Товар/Description"})
    assert expanded[0]["Товар"] == {"Description": "Стол"}
    states = client.values("InformationRegister_СостоянияЗаказов_RecordType/SliceLast()")
    assert states[0]["Заказ_Key"] == str(world.order.uuid)


def test_totals_expand_their_dimensions(client: Client, world: World) -> None:
    rows = client.values(
        f"{STOCK}/Balance()", **{"$expand": "Товар", "$filter": f"Товар_Key eq guid'{world.table.uuid}'"}
    )
    assert rows[0]["Товар"]["Description"] == "Стол"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"{STOCK}/SliceLast()", 404, "11"),
        (f"{SALES}/Balance()", 404, "11"),
        ("Catalog_Товары/Balance()", 404, "11"),
        (f"{STOCK}/Balance(Period='вчера')", 400, "4"),
        (f"{STOCK}/Balance(Nonsense=1)", 400, "6"),
        (f"{STOCK}/Balance(StartPeriod=datetime'2026-01-01')", 400, "14"),
        (f"{STOCK}/Balance(Condition='Количество gt 1')", 400, "14"),
        (f"{STOCK}/Balance(Condition='Нет eq 1')", 404, "10"),
        (f"{STOCK}/Balance(Dimensions='Нет')", 404, "10"),
        (f"{STOCK}/Turnovers(Periodicity='Век')", 400, "14"),
        (f"{STOCK}/Balance(Period=datetime'2026-01-01',Period=datetime'2026-01-01')", 400, "6"),
        (f"{STOCK}/Balance()/Товар", 404, "10"),
    ],
)
def test_refusals(client: Client, path: str, status: int, code: str) -> None:
    assert client.error("GET", path)[:2] == (status, code)
