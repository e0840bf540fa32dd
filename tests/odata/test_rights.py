"""Who may do what through OData: credentials, rights, restrictions, the published composition."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import httpx
import pytest

from engine_server.odata import publication
from engine_server.odata.requests import Credentials, credentials_of
from engine_server.odata.sessions import FAILURES, SessionPool
from infobase import users
from infobase.connection_string import parse
from infobase.errors import AccessDenied, LoginFailed, ODataContentInvalid, ServiceBusy
from tests.bases import shop
from tests.odata.served import ADMIN, CLERK, Client, Served, World, running

PARTNERS, GOODS, ORDERS = "Catalog_Партнеры", "Catalog_Товары", "Document_Заказ"


@pytest.fixture
def clerk(service: Served) -> Iterator[Client]:
    with service.client(CLERK) as made:
        yield made


def test_nobody_gets_in_without_a_password(service: Served) -> None:
    for who in (("", ""), ("Admin", "wrong"), ("A\0", "x" * 5000)):
        with service.client(who) as client:
            answer = client.send("GET", PARTNERS, headers={"X-Forwarded-For": "10.0.0.1"})
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Basic")
            assert "secret" not in answer.text
    for header in ("Basic !!!", "Bearer x"):
        assert httpx.get(service.url, headers={"Authorization": header}).status_code == 401


def test_credentials_in_both_encodings() -> None:
    for encoding in ("utf-8", "cp1251"):
        raw = base64.b64encode("Иванов:па:роль".encode(encoding)).decode()
        assert credentials_of(f"Basic {raw}", "") == Credentials("Иванов", "па:роль", "")
    assert "роль" not in repr(Credentials("Иванов", "пароль"))


def test_a_list_with_hidden_rows_is_refused_unless_asked_for(clerk: Client) -> None:
    assert clerk.error("GET", PARTNERS)[:2] == (401, "20")
    for name in ("allowedOnly", "$allowedOnly", "AllowedOnly"):
        assert [r["Менеджер"] for r in clerk.values(PARTNERS, **{name: "true"})] == ["Иванов"]
    assert [r["Менеджер"] for r in clerk.values(PARTNERS, **{"$filter": "Менеджер eq 'Иванов'"})] == ["Иванов"]
    assert clerk.send("GET", f"{PARTNERS}/$count?allowedOnly=true").text == "1"


def test_hidden_entities(clerk: Client, world: World) -> None:
    path = f"{PARTNERS}(guid'{world.other.uuid}')"
    for method, body in (("GET", None), ("PATCH", {"ИНН": "1"}), ("DELETE", None)):
        status, code, _ = clerk.error(method, path, json=body)
        assert (status, code) in ((401, "20"), (404, "9"))
    assert clerk.send("GET", f"{path}/Description").status_code in (401, 404)
    draft = f"{ORDERS}(guid'{world.draft.uuid}')"
    assert clerk.send("GET", f"{draft}/Партнер").status_code in (401, 404)
    assert clerk.json(draft, **{"$expand": "Партнер"})["Партнер"] is None


def test_what_a_role_does_not_give(clerk: Client, world: World) -> None:
    assert clerk.error("GET", "Constant_НаименованиеФирмы")[:2] == (401, "20")
    assert clerk.error("GET", "AccumulationRegister_Остатки/Balance()")[:2] == (401, "20")
    assert clerk.error("POST", GOODS, json={"Description": "x"})[:2] == (401, "20")
    assert clerk.error("POST", f"{ORDERS}(guid'{world.draft.uuid}')/Post")[:2] == (401, "20")
    assert clerk.error("DELETE", f"{ORDERS}(guid'{world.draft.uuid}')")[:2] == (401, "20")
    assert clerk.error("POST", PARTNERS, json={"Description": "Чужой", "Менеджер": "Петров"})[:2] == (401, "20")
    hidden = clerk.values(ORDERS, **{"$filter": "Партнер/Description eq 'Ёлка & <Ко>'"})
    assert hidden == []
    assert clerk.error("GET", ORDERS, params={"$filter": "Партнер/Регион/Description eq 'Тверская'"})[:2] == (401, "20")


def test_service_fields_cannot_be_written(client: Client) -> None:
    made = client.send("POST", GOODS, params={"$format": "json"}, json={
        "Description": "Служебное", "DataVersion": "AAAAAAAAAP8=", "Predefined": True, "PredefinedDataName": "X",
    }).json()  # fmt: skip
    assert (made["DataVersion"], made["Predefined"], made["PredefinedDataName"]) == ("AAAAAAAAAAE=", False, "")
    assert client.send("DELETE", f"{GOODS}(guid'{made['Ref_Key']}')").status_code == 204


# --- the composition ---


def test_nothing_is_published_until_it_is_ticked(service: Served, client: Client, world: World) -> None:
    with service.place.session(*ADMIN) as session:
        before = publication.published(session)
        try:
            assert publication.unpublish(session, ["*"]) == []
            assert client.json("")["value"] == []
            status, code, message = client.error("GET", PARTNERS)
            assert (status, code) == (404, "8") and "составе OData" in message
            publication.publish(session, ["Документ.Заказ"])
            found = client.json(f"{ORDERS}(guid'{world.order.uuid}')")
            assert found["Партнер_Key"] == str(world.partner.uuid)
            assert client.error("GET", f"{ORDERS}(guid'{world.order.uuid}')/Партнер")[:2] == (404, "8")
            assert client.error("GET", ORDERS, params={"$filter": "Партнер/ИНН eq '1'"})[:2] == (404, "8")
            assert client.error("GET", ORDERS, params={"$expand": "Партнер"})[:2] == (404, "8")
            assert client.error("GET", ORDERS, params={"$orderby": "Партнер/ИНН"})[:2] == (404, "8")
            assert b"NavigationProperty" not in client.send("GET", "$metadata").content
        finally:
            publication.publish(session, before)


def test_names_of_the_composition() -> None:
    for name in ("Catalog.Partners", "Справочник.Партнеры", "catalog_партнеры", "Catalog_Partners"):
        assert publication.resolve(shop(), [name]) == ["Catalog.Partners"]
    assert "Enumeration.PartnerKinds" not in publication.resolve(shop(), ["*"])
    for wrong in ("Catalog.Nothing", "Role.Clerk", "", "Enumeration.PartnerKinds"):
        with pytest.raises(ODataContentInvalid):
            publication.resolve(shop(), [wrong])


def test_only_an_administrator_publishes(service: Served) -> None:
    with service.place.session(*CLERK) as session, pytest.raises(AccessDenied):
        publication.publish(session, ["*"])


# --- kept sessions ---


def test_kept_sessions_end_with_the_right_to_them(service: Served) -> None:
    pool = SessionPool(parse(service.place.connection))
    with service.place.session(*ADMIN) as session, session.transaction() as tx:
        users.add_user(session.kernel, tx, "Временный", "один", ["Clerk"])
    with running(pool) as url:

        def status(password: str) -> int:
            return httpx.get(f"{url}{GOODS}/$count", auth=("Временный".encode(), password.encode())).status_code

        assert (status("один"), status("один"), status("два")) == (200, 200, 401)
        with service.place.session(*ADMIN) as session:
            with session.transaction() as tx:
                users.set_password(session.kernel, tx, "Временный", "два")
            assert (status("один"), status("два")) == (401, 200)
            with session.transaction() as tx:
                users.set_enabled(session.kernel, tx, "Временный", False)
            assert status("два") == 401
            with session.transaction() as tx:
                users.remove_user(session.kernel, tx, "Временный")
            assert status("два") == 401


def test_guessing_is_slowed_down(service: Served) -> None:
    pool = SessionPool(parse(service.place.connection))
    for _ in range(FAILURES):
        pool._throttle.failed("user admin", "address 10.1.1.1")
    for who in (Credentials(*ADMIN, "10.2.2.2"), Credentials(*CLERK, "10.1.1.1")):
        with pytest.raises(LoginFailed), pool.open(who):
            pass
    with pool.open(Credentials(*CLERK, "10.2.2.2")) as session:
        assert session.info.user == "Иванов"
    pool.close()


def test_sessions_are_limited(service: Served) -> None:
    pool = SessionPool(parse(service.place.connection), limit=1, wait=0.1)
    admin, clerk = Credentials(*ADMIN), Credentials(*CLERK)
    with pool.open(admin) as first, pytest.raises(ServiceBusy), pool.open(clerk):
        pass
    with pool.open(admin) as again, pool.open(admin) as beside:
        assert again.info == beside.info == first.info and again is not beside
    with pool.open(clerk) as other:
        assert other.info.user == "Иванов"
    pool.close()
