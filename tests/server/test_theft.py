"""Every door of the server, tried by a user without rights and by one with few: refused in words, nothing given, and noted in the event log.

The doors are counted from the server's own tables of calls, served functions, routes and verbs: a new one fails the test until it stands here.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import urllib.request
import uuid
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from engine_server.application import infobases
from engine_server.application.app import create
from engine_server.application.calls import CALLS
from engine_server.application.jobs_loop import JobsLoop, add_standard_jobs
from engine_server.application.state import worker_at
from engine_server.application.stewardship import ADMIN_CALLS
from engine_server.application.whole import WHOLE
from engine_server.odata.model import PUBLISHABLE, type_name
from engine_server.odata.publication import publish
from engine_server.wire import objects, packing, values
from engine_server.wire.protocol import VERSION
from infobase import errors
from infobase.jobs import Jobs
from infobase.metadata.model import MetadataObject
from infobase.served import SERVED
from infobase.session_block import SessionBlock
from infobase.storage import LogFilter
from tests import postgres
from tests.bases import shop
from tests.server.conftest import RemotePlace
from tests.server.servers import ADMINISTRATOR, PASSWORD, Cluster
from tests.server.test_attacks import Raw, shape
from tests.server.test_commands import Program, program
from tests.server.test_verbs_from_afar import WORKS, Afar

__all__ = ["program"]
DENIED = "_$Access$_.AccessDenied"
SECRET = "Тайна-7Q4X"
VISITOR, CLERK = "Visitor", "Clerk"


@dataclass
class House:
    """A base with something to steal in every table. `partner`: an object nobody but the administrator may see."""

    place: RemotePlace
    folder: Path
    partner: str = ""
    goods: str = ""
    receipt: str = ""
    tokens: dict[str, str] = field(default_factory=dict)

    def raw(self, user: str) -> Raw:
        made = Raw(self.place.cluster.port)
        if user not in self.tokens:
            asked = {"user": user, "password": f"{user}-password", "protocol": VERSION}
            status, data = made.send("POST", f"/{self.place.name}/api/login", json.dumps(asked))
            assert status == 200, data
            self.tokens[user] = data["token"]
        made.token = self.tokens[user]
        return made

    def noted(self, user: str) -> int:
        """How many refusals of the user are in the event log."""
        engine = self.place.engine()
        try:
            return sum(e.user == user for e in engine.event_log().read(LogFilter(events=[DENIED])))
        finally:
            engine.close()

    def calm(self) -> None:
        with self.place.cluster.registry() as opened:
            opened.run("DELETE FROM cluster.login_failures")

    def has_nothing_of(self, told: object) -> None:
        written = told if isinstance(told, str) else json.dumps(told, ensure_ascii=False, default=str)
        assert SECRET not in written and "partner" not in self.tokens


@pytest.fixture(scope="module")
def house(cluster: Cluster, pg_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    name = postgres.fresh_name("th")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INFOBASE_CACHE", str(folder / "cache"))
        place = RemotePlace(postgres.connection_string(pg_url, name), cluster, name)
        place.create("Chief")
        made = House(place, folder)
        with place.local("Chief") as chief:
            chief.users.set_password("Chief", "Chief-password")
            chief.users.add(VISITOR, f"{VISITOR}-password", [])
            chief.users.add(CLERK, f"{CLERK}-password", ["Clerk"])
            partner = chief.catalogs.Partners.new(Description=SECRET, Manager="Somebody")
            partner.write()
            goods = chief.catalogs.Goods.new(Description="Стол", Price=1)
            goods.write()
            receipt = chief.documents.Receipt.new()
            receipt.Goods.add(Item=goods, Quantity=5)
            receipt.post()
            chief.constants.CompanyName = SECRET
            publish(chief, ["*"])
            made.partner, made.goods, made.receipt = str(partner.ref), str(goods.ref), str(receipt.ref)
        try:
            yield made
            with place.local("Chief", "Chief-password") as chief:
                assert [str(p.Description) for p in chief.catalogs.Partners.select()] == [SECRET], "nothing was changed"
                assert {u.name for u in chief.users.all()} == {"Chief", VISITOR, CLERK}
        finally:
            with cluster.registry() as opened:
                opened.run("DELETE FROM cluster.infobases WHERE name = %s", [name])
            postgres.drop_databases(pg_url, name)


# --- business calls ---


def change(ref: str) -> dict[str, object]:
    return {"object": {"ref": ref, "version": 1, "values": {}, "sections": {}}}


CLOSED_CALLS: dict[str, Callable[[House], Mapping[str, object]]] = {
    "sessions": lambda h: {},
    "session_set_block": lambda h: {"block": values.encode(SessionBlock())},
    "session_terminate": lambda h: {"sessions": None, "message": "x"},
    "session_locks": lambda h: {},
    "demand": lambda h: {"right": "Administration", "object": "Configuration"},
    "log_read": lambda h: {"filter": values.encode(LogFilter())},
    "log_append": lambda h: {"entries": []},
    "log_trim": lambda h: {"before": None},
    "update_configuration": lambda h: {"configuration": None, "terminate": None},
    "jobs_run": lambda h: {"name": "backup"},
    "engine_check": lambda h: {},
    "engine_size": lambda h: {},
    "lock_object": lambda h: {"ref": h.partner},
    "load": lambda h: {"refs": [h.partner]},
    "write": lambda h: change(h.partner),
    "post": lambda h: change(h.receipt),
    "undo_post": lambda h: change(h.receipt),
    "set_deletion_mark": lambda h: {**change(h.partner), "mark": True},
    "delete": lambda h: change(h.partner),
    "bulk_write": lambda h: {"type": "Catalog.Partners", "objects": [{"values": {"Code": "z"}, "sections": {}}]},
    "delete_marked": lambda h: {},
    "query": lambda h: {"query": {"source": "Catalog.Partners"}},
    "presentations": lambda h: {"refs": [h.receipt]},
    "users_all": lambda h: {},
    "users_add": lambda h: {"name": "Mine", "password": "x", "roles": ["Administrator"]},
    "users_remove": lambda h: {"name": "Chief"},
    "users_set_password": lambda h: {"name": "Chief", "password": "x"},
    "users_set_roles": lambda h: {"name": VISITOR, "roles": ["Administrator"]},
    "users_set_enabled": lambda h: {"name": "Chief", "enabled": False},
    "register_write": lambda h: {
        "register": "Prices",
        "records": values.rows_to_json(
            [{"Period": dt.datetime(2026, 1, 1), "Item": objects.ref_from_json(h.goods), "Price": 1}]
        ),
    },
    "register_delete": lambda h: {"register": "Prices", "filter": values.encode({})},
    "constant_get": lambda h: {"name": "CompanyName"},
    "constant_set": lambda h: {"name": "CompanyName", "value": "x"},
    "setting_set": lambda h: {"name": "odata_content", "value": "[]"},
    "classifiers_register": lambda h: {},
}
OPEN_CALLS = {
    "configuration": "names and types, which every client needs to show anything",
    "session_block": "every user may know when he must finish; the code is left out",
    "setting_get": "how the base is set up, no data",
    "classifiers_all": "which classifiers are loaded, and of what day",
    "lock": "it waits, and gives nothing",
    "unlock_object": "gives back what one holds",
    "served": "by function, see below",
}


def test_every_call_is_a_door_in_the_table() -> None:
    assert set(CALLS) == {*CLOSED_CALLS, *OPEN_CALLS}
    assert not set(CLOSED_CALLS) & set(OPEN_CALLS)


@pytest.mark.parametrize("name", CLOSED_CALLS)
def test_calls_without_rights(house: House, name: str) -> None:
    raw, before = house.raw(VISITOR), house.noted(VISITOR)
    status, data = raw.call(house.place.name, name, CLOSED_CALLS[name](house), key=str(uuid.uuid4()))
    assert (status, shape(data)) == (403, "AccessDenied"), data
    house.has_nothing_of(data)
    assert house.noted(VISITOR) > before


@pytest.mark.parametrize("name", [n for n in OPEN_CALLS if n != "served"])
def test_open_calls_tell_no_data(house: House, name: str) -> None:
    arguments = {"name": "odata_content", "keys": [], "ref": house.partner}
    _, data = house.raw(VISITOR).call(house.place.name, name, arguments)
    house.has_nothing_of(data)


def sources() -> list[str]:
    tails = {
        "InformationRegister": ("", ".SliceLast", ".SliceFirst"),
        "AccumulationRegister": ("", ".Balance", ".Turnovers", ".BalanceAndTurnovers"),
    }
    tails["AccumulationRegister.Sales"] = ("", ".Turnovers")
    made = [n + tail for n in shop().objects for tail in tails.get(n) or tails.get(n.partition(".")[0], ("",))]
    sections = [f"{o.full_name}.{s.name}" for o in shop().objects.values() for s in getattr(o, "tabular_sections", ())]
    return [n for n in [*made, *sections] if n.split(".")[0] not in ("Role", "Enumeration", "Constant")]


@pytest.mark.parametrize("user", [VISITOR, CLERK])
@pytest.mark.parametrize("source", sources())
def test_every_table_by_query(house: House, source: str, user: str) -> None:
    """No rows of what one may not read; of what one may read in part, that part."""
    before = house.noted(user)
    status, data = house.raw(user).call(house.place.name, "query", {"query": {"source": source}})
    house.has_nothing_of(data)
    readable = user == CLERK and source.split(".")[1] in ("Partners", "Goods", "Order")
    if status == 200:
        assert readable, data
        return
    assert shape(data) == "AccessDenied" or (shape(data) in ("QueryInvalid", "UnknownObject") and readable), data
    assert house.noted(user) > before or readable


SERVED_ARGUMENTS: dict[str, dict[str, object]] = {
    "classifiers.address_picker.found_addresses": {"typed": "Москва", "limit": 5},
    "classifiers.address_picker.address_of": {"code": "77"},
}
SERVED_DOORS = (
    "classifiers.address_picker.address_of",
    "classifiers.address_picker.found_addresses",
    "classifiers.afar.load_beside",
    "infobase.advice.measure",
    "infobase.configuration_update.drop_pending",
    "infobase.configuration_update.load_pending",
    "infobase.configuration_update.pending",
    "infobase.configuration_update.rows_at_stake",
    "infobase.connection.sessions_allowed",
    "infobase.infobase.check",
    "infobase.infobase.describe",
    "infobase.infobase.template_folder",
    "infobase.jobs.history_of",
    "infobase.jobs.jobs_of",
    "infobase.jobs.remove_job",
    "infobase.jobs.switch_job",
    "infobase.prepare.plan",
    "infobase.standard_jobs.add_usual_jobs_without_backups",
    "infobase.standard_jobs.schedule_log_trim",
)


def test_every_served_function_is_a_door_in_the_table() -> None:
    assert sorted(SERVED) == sorted(SERVED_DOORS)
    assert {n for n in SERVED if not SERVED[n].right} == set(SERVED_ARGUMENTS), "these demand the right themselves"


@pytest.mark.parametrize("name", SERVED_DOORS)
@pytest.mark.parametrize("user", [VISITOR, CLERK])
def test_served_functions_without_rights(house: House, name: str, user: str) -> None:
    raw, before = house.raw(user), house.noted(user)
    if SERVED[name].file:
        status, data = send_file(raw, house.place.name, name, "klad.zip")
    else:
        asked = {"function": name, "arguments": values.encode(SERVED_ARGUMENTS.get(name, {}))}
        status, data = raw.call(house.place.name, "served", asked)
    house.has_nothing_of(data)
    if name in SERVED_ARGUMENTS:
        assert shape(data) == "ClassifierUnwanted"
        return
    assert (status, shape(data)) == (403, "AccessDenied"), data
    assert house.noted(user) > before


def send_file(raw: Raw, ref: str, function: str, name: str) -> tuple[int, Any]:
    asked = {"function": function, "name": name, "arguments": values.encode({})}
    return raw.send("PUT", f"/{ref}/api/sent", b"bytes", X_Infobase_Call=packing.header(asked))


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "..", "", "a/b", "a\\..\\b/..", "x\0y", "я" * 200])
def test_sent_files_stay_in_their_folder(house: House, name: str) -> None:
    status, data = send_file(house.raw("Chief"), house.place.name, "classifiers.afar.load_beside", name)
    assert (status, shape(data)) == (400, "RequestInvalid"), data


@pytest.mark.parametrize("source", ["/etc/passwd", "file:///etc/passwd", "http://127.0.0.1:1/x", "../../server.key"])
def test_the_server_opens_no_file_and_no_address_a_client_names(house: House, source: str) -> None:
    """A path or an address is only text: what is loaded comes in the body, and there is no argument that names it."""
    asked = {"function": "classifiers.afar.load_beside", "arguments": values.encode({"source": source})}
    status, data = house.raw("Chief").call(house.place.name, "served", asked)
    assert (status, shape(data)) == (400, "RequestInvalid")
    made = {"function": "classifiers.afar.load_beside", "name": "x", "arguments": values.encode({"source": source})}
    status, data = house.raw("Chief").send(
        "PUT", f"/{house.place.name}/api/sent", b"", X_Infobase_Call=packing.header(made)
    )
    assert (status, shape(data)) == (400, "RequestInvalid")


def test_stored_markup_is_never_a_page(house: House) -> None:
    """The server has no pages: what was stored comes as JSON that no browser takes for anything else."""
    raw = house.raw("Chief")
    asked = urllib.request.Request(
        f"http://127.0.0.1:{raw.port}/{house.place.name}/api/call",
        json.dumps({"call": "query", "args": {"query": {"source": "Catalog.Goods"}}}).encode(),
        {"Authorization": f"Bearer {raw.token}", "Accept": "text/html"},
    )
    with urllib.request.urlopen(asked, timeout=30) as answer:
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


# --- the base as a whole: both administrators ---

ROUTES = {
    "/{ref}/api/login", "/{ref}/api/logout", "/{ref}/api/call", "/{ref}/api/outcome", "/{ref}/api/transaction",
    "/{ref}/api/whole", "/{ref}/api/sent", "/{ref}/api/dump", "/{ref}/odata/standard.odata",
    "/admin/call", "/admin/restore/{name}", "/healthz", "/readyz", "/metrics",
}  # fmt: skip


def test_every_route_is_a_door_in_the_table(house: House) -> None:
    worker = worker_at(house.place.cluster.servers[0].folder)
    try:
        assert {r.path for r in create(worker).routes} == ROUTES  # type: ignore[attr-defined]
    finally:
        worker.close()
    assert set(WHOLE) == {"repair", "check_copy", "repair_copy", "prepare", "backup_schedule"}


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def as_cluster(password: str = PASSWORD) -> dict[str, str]:
    return {"X_Cluster_Authorization": basic(ADMINISTRATOR, password)}


def whole_doors(ref: str) -> dict[str, tuple[str, str, bytes]]:
    made = {n: ("POST", f"/{ref}/api/whole", json.dumps({"call": n, "args": {}}).encode()) for n in WHOLE}
    made["dump"] = ("GET", f"/{ref}/api/dump", b"")
    made["only the configuration"] = ("GET", f"/{ref}/api/dump?only_configuration=1", b"")
    return made


@pytest.mark.parametrize("door", whole_doors("x"))
def test_one_administrator_alone_is_refused(house: House, door: str) -> None:
    """The cluster's with a user's session, and the base's without the cluster's: neither gets a byte, both are noted."""
    method, path, body = whole_doors(house.place.name)[door]
    for user in (VISITOR, CLERK):
        before = house.noted(user)
        status, data = house.raw(user).send(method, path, body, **as_cluster())
        assert (status, shape(data)) == (403, "AccessDenied"), data
        assert house.noted(user) > before
    for user, headers in (("Chief", {}), ("Chief", as_cluster("wrong")), (VISITOR, {})):
        house.calm()
        before = house.noted(user)
        status, data = house.raw(user).send(method, path, body, **headers)
        assert (status, shape(data)) == (401, "ClusterLoginFailed"), data
        assert house.noted(user) > before
    house.calm()
    raw = house.raw("Chief")
    for _ in range(6):
        status, data = raw.send(method, path, body, **as_cluster("guess"))
    before = house.noted("Chief")
    status, data = raw.send(method, path, body, **as_cluster())
    assert (status, shape(data)) == (429, "LoginThrottled"), "and a guesser is slowed down"
    assert house.noted("Chief") > before
    house.calm()
    assert not any(
        (s.folder / "tmp").exists() and any((s.folder / "tmp").iterdir()) for s in house.place.cluster.servers
    )


def test_both_administrators_together_get_the_dump(house: House) -> None:
    status, data = house.raw("Chief").send("GET", f"/{house.place.name}/api/dump", **as_cluster())
    assert status == 200 and data[:2] == b"PK"


def test_a_restore_over_the_base_needs_both(house: House) -> None:
    path = f"/admin/restore/{house.place.name}?replace=1"
    for user, given, expected in (
        (VISITOR, basic(ADMINISTRATOR, PASSWORD), (403, "AccessDenied")),
        (CLERK, basic(ADMINISTRATOR, PASSWORD), (403, "AccessDenied")),
        ("Chief", basic("Chief", "Chief-password"), (401, "ClusterLoginFailed")),
    ):
        raw, before = house.raw(user), house.noted(user)
        token, raw.token = raw.token, ""
        headers = {"Authorization": given, "X_Infobase_Authorization": f"Bearer {token}"}
        status, data = raw.send("PUT", path, b"PK nothing", **headers)
        assert (status, shape(data)) == expected, data
        assert house.noted(user) > before
        house.calm()


@pytest.mark.parametrize("name", ADMIN_CALLS)
def test_no_user_of_a_base_is_anybody_in_the_cluster(house: House, name: str) -> None:
    asked = json.dumps({"call": name, "args": {"name": house.place.name}})
    for user in ("Chief", VISITOR):
        house.calm()
        raw = house.raw(user)
        for given in (basic(user, f"{user}-password"), f"Bearer {raw.token}"):
            status, data = raw.send("POST", "/admin/call", asked, Authorization=given)
            assert (status, shape(data)) == (401, "ClusterLoginFailed"), data
            house.has_nothing_of(data)
    house.calm()


# --- the standard interface ---


def published() -> dict[str, MetadataObject]:
    return {type_name(o): o for o in shop().objects.values() if o.kind in PUBLISHABLE}


def requests_of(name: str) -> list[tuple[str, str]]:
    kind = name.partition("_")[0]
    made = [("GET", name), ("GET", f"{name}/$count"), ("GET", f"{name}?$top=1&allowedOnly=false")]
    made += [("POST", name)] if kind in ("Catalog", "Document") else []
    made += [("GET", f"{name}(guid'{uuid.uuid4()}')")] if kind in ("Catalog", "Document") else []
    functions = {
        "InformationRegister": ("SliceLast", "SliceFirst"),
        "AccumulationRegister": ("Balance", "Turnovers", "BalanceAndTurnovers"),
    }
    known = ("Turnovers",) if name == "AccumulationRegister_Продажи" else functions.get(kind, ())
    return made + [("GET", f"{name}/{function}()") for function in known]


@pytest.mark.parametrize("name", published())
def test_the_standard_interface_without_rights(house: House, name: str) -> None:
    from urllib.parse import quote

    raw = Raw(house.place.cluster.port)
    for method, tail in requests_of(name):
        before = house.noted(VISITOR)
        path = f"/{house.place.name}/odata/standard.odata/{quote(tail, safe='/$()?=&_')}"
        body = b"{}" if method == "POST" else b""
        headers = {"Authorization": basic(VISITOR, f"{VISITOR}-password"), "Accept": "application/json"}
        status, data = raw.send(method, path, body, **headers, Content_Type="application/json")
        house.has_nothing_of(data)
        absent = status == 404 and shop().objects[published()[name].full_name].kind == "InformationRegister"
        assert status == 401 or absent, (tail, status, data)
        assert absent or house.noted(VISITOR) > before, tail
        status, data = raw.send(method, path, body, **{**headers, "Authorization": basic("Nobody", "x")})
        assert status == 401
        house.calm()
        if method == "GET":
            headers["Authorization"] = basic(CLERK, f"{CLERK}-password")
            house.has_nothing_of(raw.send(method, path, body, **headers)[1])


# --- the command line ---

OPEN_VERBS = {
    "odata show": "what is published, which its $metadata tells whoever may read some of it",
    "classifier status": "which classifiers are loaded, and of what day",
}


def test_verbs_without_rights(house: House, program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every verb, by a user without rights who even knows the password of the cluster's administrator."""
    monkeypatch.setenv("INFOBASE_KEYS", str(tmp_path / "keys"))
    monkeypatch.setenv("INFOBASE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    place = house.place
    chief = place.cluster.connection(place.name, "Chief", "Chief-password")
    assert program("dump", chief, tmp_path / "a.dt")[0] == 0
    assert program("backup", "make", chief, tmp_path / "backups")[0] == 0
    assert program("config", "export", chief, tmp_path / "shop.cf")[0] == 0
    kept = {p for p in tmp_path.rglob("*") if p.is_file() and "cache" not in p.parts}
    afar = Afar(place, tmp_path)
    afar.there = place.cluster.connection(place.name, VISITOR, f"{VISITOR}-password")
    wrong = {}
    for verb, arguments in WORKS.items():
        if verb == "create":
            continue  # another base, which is the cluster's administrator's to make
        before = house.noted(VISITOR)
        given = tuple(
            tmp_path / "new.cf" if verb == "config export" and isinstance(a, Path) else a for a in arguments(afar)
        )
        code, out, err = program(*verb.split(), *given)
        house.has_nothing_of(out + err)
        noted = house.noted(VISITOR) - before
        if (code, noted > 0) != (errors.AccessDenied.exit_code, True) and verb not in OPEN_VERBS:
            wrong[verb] = (code, noted, (out + err)[-200:])
    assert wrong == {}
    left = {p for p in tmp_path.rglob("*") if p.is_file() and "cache" not in p.parts} - kept
    assert left == set(), "no file was made"


# --- what lies on the server's disk ---


def layers(content: bytes) -> Iterator[bytes]:
    """The bytes, and whatever in them unpacks."""
    yield content
    for magic, unpack in (
        (b"\x1f\x8b", lambda b: zlib.decompressobj(47).decompress(b)),
        (b"\x78\x9c", lambda b: zlib.decompressobj().decompress(b)),
        (b"\x28\xb5\x2f\xfd", lambda b: pa.input_stream(pa.py_buffer(b), compression="zstd").read()),
    ):
        start = content.find(magic)
        while start >= 0:
            with suppress(zlib.error, OSError):
                yield unpack(content[start:])
            start = content.find(magic, start + 1)


def readable(content: bytes, wanted: str) -> bool:
    spellings = [wanted.encode(e) for e in ("utf-8", "utf-16-le", "utf-16-be", "cp1251")]
    return any(s in layer for layer in layers(content) for s in spellings)


def test_a_backup_of_the_server_tells_nothing(house: House, tmp_path: Path) -> None:
    """Its standard job's: no name of the data or the configuration in any layer of any file; the key is apart, for its owner alone."""
    place = house.place
    worker = worker_at(place.cluster.servers[0].folder)
    try:
        record = infobases.find(worker.cluster, place.name)
        add_standard_jobs(worker, record)
        loop = JobsLoop(worker)
        loop._of(record)
        loop.stop()
        with worker.bases.use(record) as base, base.engine.transaction(write=False) as tx:
            assert ("backup", "succeeded") in {(r.job, r.outcome) for r in Jobs(base.base.kernel).history(tx)}
        folder, keys = worker.home.folder / "backups" / place.name, worker.home.folder / "keys"
    finally:
        worker.close()
    made = [p for p in folder.rglob("*") if p.is_file() and p.stat().st_size]
    assert made
    key = keys / f"{place.name}.key"
    secret = key.read_text("utf-8").split("\n")[0].strip()
    for file in made:
        content = file.read_bytes()
        assert file.stat().st_mode & 0o077 == 0 or file.parent.stat().st_mode & 0o077 == 0, file
        for wanted in (SECRET, "Somebody", secret):
            assert not readable(content, wanted), (file, wanted)
    assert key.stat().st_mode & 0o777 == 0o600 and keys.stat().st_mode & 0o077 == 0
    assert not key.is_relative_to(folder)
    with place.local("Chief", "Chief-password") as chief, chief.reading() as tx:
        from infobase.storage import Statement

        names = tx.run([Statement("SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables")])[0]
        ours = [str(n[0]) for n in names if not str(n[0]).startswith(("pg_catalog", "information_schema"))]
        for name in ours:
            rows = tx.run([Statement(f"SELECT t::text FROM {name} t")])[0]
            assert not any(secret in str(r[0]) for r in rows), name


def test_a_plain_dump_is_what_the_search_would_find(house: House, tmp_path: Path) -> None:
    """The search above is no blind one."""
    status, data = house.raw("Chief").send("GET", f"/{house.place.name}/api/dump", **as_cluster())
    assert status == 200
    file = tmp_path / "plain.dt"
    file.write_bytes(data)
    with zipfile.ZipFile(file) as archive:
        members = [archive.read(n) for n in archive.namelist()]
    assert any(readable(m, SECRET) for m in [data, *members])
