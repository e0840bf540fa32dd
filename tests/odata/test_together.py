"""Many requests at once under one user's session: nothing is lost, nothing is mixed up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.odata.served import Client, Served, World

ORDERS, GOODS = "Document_Заказ", "Catalog_Товары"
WRITERS, EACH = 6, 5


def test_writers_and_readers_side_by_side(service: Served, world: World) -> None:
    with service.client() as client:

        def stock() -> float:
            rows = client.values(
                f"AccumulationRegister_Остатки/Balance(Condition='Товар_Key eq guid'{world.table.uuid}'')"
            )
            return float(rows[0]["КоличествоBalance"])

        before = stock()
        with ThreadPoolExecutor(WRITERS + 2) as threads:
            made = [threads.submit(_orders, client, world, n) for n in range(WRITERS)]
            read = [threads.submit(_lists, client) for _ in range(2)]
            keys = [key for future in made for key in future.result()]
            assert all(future.result() for future in read)
        numbers = {client.json(f"{ORDERS}(guid'{key}')")["Number"] for key in keys}
        assert len(numbers) == len(keys) == WRITERS * EACH
        assert stock() == before - len(keys) * 0.125
        for key in keys:
            assert client.send("DELETE", f"{ORDERS}(guid'{key}')").status_code == 204
        assert stock() == before


def _orders(client: Client, world: World, n: int) -> list[str]:
    keys = []
    for i in range(EACH):
        body = {
            "Date": "2026-04-01T00:00:00",
            "Партнер_Key": str(world.partner.uuid),
            "Комментарий": f"{n}/{i}",
            "Posted": True,
            "Товары": [{"Товар_Key": str(world.table.uuid), "Количество": 0.125, "Сумма": 1}],
        }
        answer = client.send("POST", ORDERS, params={"$format": "json"}, json=body)
        assert answer.status_code == 201, answer.text
        found = answer.json()
        assert (found["Комментарий"], found["Posted"]) == (f"{n}/{i}", True)
        keys.append(found["Ref_Key"])
    return keys


def _lists(client: Client) -> bool:
    return all(len(client.values(GOODS)) == 2 for _ in range(15))
