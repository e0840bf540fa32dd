"""A base of the shop behind a real HTTP service on a free port."""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx

from engine_server.odata import publication
from engine_server.odata.serving import PREFIX, listening, one_base, server_of
from engine_server.odata.sessions import SessionPool
from infobase import users
from infobase.connection import SESSION_LIMIT
from infobase.connection_string import parse
from infobase.metadata.types import Ref
from infobase.session import Session
from tests.bases import Place

ADMIN, CLERK = ("Admin", "secret"), ("Иванов", "пароль")
ZERO = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class World:
    """What the base holds."""

    region: Ref
    partner: Ref
    other: Ref
    table: Ref
    chair: Ref
    receipt: Ref
    order: Ref
    draft: Ref


def fill(session: Session) -> World:
    """Two partners, two goods, a posted receipt and order, an unposted one, prices."""
    region = session.catalogs.Regions.new(Code="500", Description="Тверская")
    region.write()
    partner = session.catalogs.Partners.new(
        Description="Ромашка",
        INN="7712345678",
        Region=region.ref,
        Kind="Buyer",
        Manager="Иванов",
        Limit=Decimal("1234.50"),
        Since=dt.datetime(2024, 5, 17, 10, 30, 5),
        Active=True,
        Logo=b"\x00\xff",
    )
    partner.Phones.add(Number="+7 495 1")
    partner.Phones.add(Number="+7 495 2")
    partner.write()
    other = session.catalogs.Partners.new(Description="Ёлка & <Ко>", Subject=region.ref, Manager="Петров")
    other.write()
    table, chair = (session.catalogs.Goods.new(Description=d, Price=p) for d, p in (("Стол", 100), ("Стул", 25)))
    table.write()
    chair.write()
    receipt = session.documents.Receipt.new(Date=dt.datetime(2026, 1, 1))
    for item in (table, chair):
        receipt.Goods.add(Item=item.ref, Quantity=Decimal(10))
    receipt.post()
    order = session.documents.Order.new(Partner=partner.ref, Date=dt.datetime(2026, 1, 2), Total=Decimal("300"))
    order.Goods.add(Item=table.ref, Quantity=Decimal(3), Amount=Decimal("300.00"))
    order.post()
    draft = session.documents.Order.new(Partner=other.ref, Date=dt.datetime(2026, 2, 1), Comment="черновик")
    draft.Goods.add(Item=chair.ref, Quantity=Decimal(100), Amount=Decimal("2500"))
    draft.write()
    for day, price in ((1, "90"), (20, "95.5")):
        session.information_registers.Prices.write(
            {"Period": dt.datetime(2026, 1, day), "Item": table.ref, "Price": Decimal(price)}
        )
    return World(region.ref, partner.ref, other.ref, table.ref, chair.ref, receipt.ref, order.ref, draft.ref)


class Client:
    """Short ways to ask the service, as one user."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.http.request(method, path, **options)

    def json(self, path: str, **params: str) -> Any:
        """The parsed answer in JSON; the status must be 200."""
        path, _, query = path.partition("?")
        written = dict(part.split("=", 1) for part in query.split("&") if part)
        answer = self.http.get(path, params={"$format": "json", **written, **params})
        assert answer.status_code == 200, answer.text
        return json.loads(answer.content, parse_float=Decimal)

    def values(self, path: str, **params: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.json(path, **params)["value"]
        return found

    def error(self, method: str, path: str, **options: Any) -> tuple[int, str, str]:
        """Status, code and message of a refusal in JSON."""
        options.setdefault("params", {})["$format"] = "json"
        answer = self.http.request(method, path, **options)
        assert answer.status_code >= 400, answer.text
        body = answer.json()["odata.error"]
        assert body["message"]["lang"] == "ru"
        return answer.status_code, body["code"], body["message"]["value"]


@dataclass(frozen=True)
class Served:
    """A service that runs. `client(user)` asks as that user."""

    url: str
    place: Place
    world: World

    @contextmanager
    def client(self, who: tuple[str, str] = ADMIN) -> Iterator[Client]:
        with httpx.Client(base_url=self.url, auth=tuple(p.encode() for p in who), timeout=30) as http:
            yield Client(http)


@contextmanager
def running(pool: SessionPool) -> Iterator[str]:
    """The address of a service over the pool."""
    with listening("127.0.0.1", 0) as listener:
        server = server_of(one_base(pool))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        deadline = time.monotonic() + 20
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server.started
        yield f"http://127.0.0.1:{listener.getsockname()[1]}{PREFIX}/"
        server.should_exit = True
        thread.join(20)
    pool.close()
    assert not thread.is_alive()


@contextmanager
def served(place: Place) -> Iterator[Served]:
    """A fresh base with an administrator and a clerk who sees his own partners, everything published."""
    place.create()
    with place.session() as session:
        world = fill(session)
        publication.publish(session, ["*"])
        session.settings.set(SESSION_LIMIT, "20")
        with session.transaction() as tx:
            kernel = session.kernel
            users.add_user(kernel, tx, *ADMIN, ["Administrator"])
            users.add_user(kernel, tx, *CLERK, ["Clerk"])
    pool = SessionPool(parse(place.connection))
    with running(pool) as url:
        yield Served(url, place, world)
