"""Seeds and readers of texts, tables of settings and cards of others, bodies of requests, and what is asked of a base: for the fuzzer."""

from __future__ import annotations

import atexit
import base64
import datetime as dt
import gzip
import io
import json
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args
from uuid import UUID

from classifiers.address_text import words_of
from classifiers.afar import _laid_out
from classifiers.gar_scratch import GarScratch
from classifiers.kinds import KINDS
from classifiers.recognise import find_kind_of
from classifiers.sample_gar import gar_xml, sample_region
from classifiers.source import Member, open_source
from crm import procedures
from engine_file import left_journal, registry
from engine_file.locks import describe_card, holder_card, read_card
from engine_server.application import files as received_files
from engine_server.application import http, settings, vault
from engine_server.odata.bodies import parse_body
from engine_server.odata.edm import parse_version
from engine_server.odata.errors import ODataError
from engine_server.odata.keys import key_of
from engine_server.odata.literals import constant
from engine_server.odata.model import EntityType, Model
from engine_server.odata.requests import credentials_of
from engine_server.odata.writing import Assigner
from engine_server.place import place_of
from engine_server.remote.address import parse_server
from engine_server.wire import failures, objects, packing, values
from infobase import dump_crypto, remote_lists
from infobase.backups import folder as backups
from infobase.backups.folder import Manifest, manifest_bytes
from infobase.backups.retention import parse_rules
from infobase.commands.log import moment
from infobase.commands.querying import read_json
from infobase.connection_string import parse as parse_connection
from infobase.durations import seconds_of
from infobase.errors import ConfigurationInvalid, InfobaseError, LockTimeout, RequestInvalid
from infobase.errors.configuration import Problem
from infobase.i18n import Bilingual
from infobase.infobase import dump_base, open_base
from infobase.inspection.recognise import inspect_file
from infobase.list_file import from_bytes
from infobase.list_lint import lint, mend
from infobase.list_merge import merge
from infobase.metadata import canonical
from infobase.metadata.expressions import compile_expression
from infobase.metadata.reader import read_folder
from infobase.metadata.types import Ref
from infobase.metadata.writer import write_folder
from infobase.query_json import from_json as query_of
from infobase.query_json import to_json
from infobase.query_model import Compare, OrderItem, Query, SelectItem
from infobase.query_text import parse_where
from infobase.restore import verify_dump
from infobase.session import Session
from templates_store import recipe, supply
from templates_store.package import open_package
from tests.bases import Place, file_place, shop
from tests.odata.served import fill

ZERO = "00000000-0000-0000-0000-000000000001"


@contextmanager
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="infobase-fuzz-") as folder:
        yield Path(folder)


@cache
def served() -> Session:
    """A session in a small base that lives as long as the process."""
    folder = Path(tempfile.mkdtemp(prefix="infobase-fuzz-base-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    place: Place = file_place(folder / "base")
    place.create()
    session = place.session()
    atexit.register(session.close)
    fill(session)
    return session


# --- configurations ---


@cache
def _configuration() -> Path:
    """The shop's configuration as a folder of files, that lives as long as the process."""
    folder = Path(tempfile.mkdtemp(prefix="infobase-fuzz-toml-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_folder(shop(), folder / "c")
    return folder / "c"


def toml_seeds() -> list[bytes]:
    return [*(p.read_bytes() for p in sorted(_configuration().rglob("*.toml"))), b'kind = "Catalog"\nname = [1,']


def read_toml(path: Path) -> object:
    """The input stands in place of the file of its own object, the others are sound."""
    data = path.read_bytes()
    name = next((w.partition(b"=")[2].strip(b' "\r') for w in data.splitlines() if w.startswith(b"name =")), b"")
    found = [p for p in sorted(_configuration().rglob("*.toml")) if p.stem.encode() == name]
    target = found[0] if found else _configuration() / "Catalogs" / "Goods.toml"
    sound = target.read_bytes()
    target.write_bytes(data)
    try:
        return read_folder(_configuration())
    finally:
        target.write_bytes(sound)


def configuration_seeds() -> list[bytes]:
    return [canonical.to_json(shop())]


def read_configuration(path: Path) -> object:
    return canonical.digest(canonical.from_json(path.read_bytes()))


def read_recipe(path: Path) -> object:
    return recipe._settings(path)


# --- dumps and backups ---


@cache
def sealed_dump() -> bytes:
    """Under the cheapest keys that are accepted: a guess takes a fraction of the usual time."""
    usual, dump_crypto.LOG_N = dump_crypto.LOG_N, min(dump_crypto.ACCEPTED_LOG_N)
    try:
        with scratch() as folder:
            dump_base(open_base(served().kernel.engine), folder / "a.dt", password="пароль")
            return (folder / "a.dt").read_bytes()
    finally:
        dump_crypto.LOG_N = usual


def read_sealed_dump(path: Path) -> object:
    return verify_dump(path, password="пароль")


def manifest_seeds() -> list[bytes]:
    now = dt.datetime(2026, 1, 1)
    given: dict[str, Any] = dict.fromkeys(Manifest.__dataclass_fields__, "x")
    given |= {"number": 1, "infobase_id": UUID(ZERO), "taken": now, "finished": now, "seconds": 1.5, "rows": 3}
    forms = get_args(backups.Form)
    return [manifest_bytes(Manifest(**(given | {"form": f, "files": {"base.dt": (10, "0" * 64)}}))) for f in forms]


def read_backup_manifest(path: Path) -> object:
    with scratch() as folder:
        (folder / backups.MANIFEST).write_bytes(path.read_bytes())
        return backups.read_backup(folder)


# --- settings and cards ---


def read_server_settings(path: Path) -> object:
    with scratch() as folder:
        (folder / settings.FILE).write_bytes(path.read_bytes())
        return settings.load(folder)


def server_settings_seeds() -> list[bytes]:
    return [settings.to_toml(settings.ServerSettings()).encode()]


def read_session_card(path: Path) -> object:
    return registry._read_entry(path)


def session_card_seeds() -> list[bytes]:
    card = {"id": "a", "owner": "o", "pid": 1, "host": "h", "ended": False, "session": None}
    session = {
        "id": ZERO,
        "number": 1,
        "user": "u",
        "application": "Infobase",
        "host": "h",
        "pid": 1,
        "started": "2026-01-01T00:00:00",
    }
    return [json.dumps(c).encode() for c in (card, card | {"session": session})]


def lock_card_seeds() -> list[bytes]:
    return [holder_card("Иванов", "Infobase")]


def read_lock_card(path: Path) -> object:
    return describe_card(read_card(path))


def read_list_marks(path: Path) -> object:
    return remote_lists._conditions(path, path)


def read_checked_list(path: Path) -> object:
    """Read, looked over, mended, taken into another list."""
    theirs = from_bytes(path.read_bytes(), path)
    inspect_file(path)
    found = lint(theirs)
    mend(theirs)
    ours = from_bytes(b'[A]\r\nConnect=File="/a";\r\nID=' + ZERO.encode() + b"\r\n", path)
    return found, merge(ours, theirs)


# --- a base's own files ---


@cache
def base_file() -> bytes:
    with scratch() as folder:
        place = file_place(folder / "base")
        place.create()
        with place.session() as session:
            session.catalogs.Goods.new(Description="Гвоздь").write()
        return (folder / "base" / "1Cv8.1CD").read_bytes()


def read_base(path: Path) -> object:
    """A base whose file is the input: opened, looked at, checked."""
    with scratch() as folder:
        (folder / "base").mkdir()
        shutil.copy(path, folder / "base" / "1Cv8.1CD")
        with file_place(folder / "base").session() as session:
            session.catalogs.Goods.select(limit=5)
            return list(session.kernel.engine.check())


def journal_seeds() -> list[bytes]:
    with scratch() as folder:
        place = file_place(folder / "base")
        place.create()
        with place.session() as session:
            session.catalogs.Goods.new(Description="Гвоздь").write()
            return [(folder / "base" / "1Cv8.1CD-wal").read_bytes()[:40_000]]


def read_journal(path: Path) -> object:
    with scratch() as folder:
        (folder / "1Cv8.1CD").write_bytes(base_file())
        shutil.copy(path, folder / "1Cv8.1CD-wal")
        return left_journal.demand_own(folder / "1Cv8.1CD")


# --- what is written on a command line ---


def written(read: Callable[[str], object]) -> Callable[[Path], object]:
    return lambda path: read(path.read_bytes().decode("utf-8", "replace"))


def read_where(text: str) -> object:
    """Where a base is: taken apart to the last host."""
    found = parse_connection(text)
    for part in (found.get("Srvr"), text):
        with suppress(InfobaseError):
            parse_server(part)
    return place_of(dict(found.pairs)) if found.kind == "dbms" or "://" in text else found


def read_lengths(text: str) -> object:
    for read in (seconds_of, parse_rules, moment):
        with suppress(InfobaseError):
            read(text)
    return None


CHECKS = (
    "inn",
    "inn_with_key",
    "kpp",
    "ogrn",
    "ogrn_with_key",
    "bic",
    "account",
    "account_key",
    "barcode",
    "barcode_with_key",
    "email",
    "phone",
)


def read_requisites(text: str) -> object:
    """What people type of a company: told right or wrong, never an error."""
    words_of(text)
    said = []
    for name in CHECKS:
        check = getattr(procedures, name)
        digits = name.endswith("with_key")
        if not digits or text.isascii() and text.isdigit() and len(text) >= 9:
            said.append(check(text[:12] if digits else text))
    return said


def read_evaluated(text: str) -> object:
    """Compiled and worked out over a document and a row."""
    scope = {
        "doc": {
            "Date": dt.datetime(2026, 1, 31),
            "Customer": Ref("Catalog.Partners", served().info.id),
            "Kind": "a",
            "Type": None,
        },
        "row": {"Quantity": Decimal("3.5"), "Amount": Decimal("1e12"), "Price": Decimal("0")},
    }
    return compile_expression(text).evaluate(scope, lambda ref, name: None)


# --- questions to a base ---


def asked_seeds() -> list[bytes]:
    goods = Query(
        "Catalog.Partners",
        select=(SelectItem("Code"), SelectItem("Region.Description", "r")),
        where=Compare("Description", "contains", "а"),
        order_by=(OrderItem("Code", descending=True),),
        limit=5,
    )
    orders = Query(
        "Document.Order", select=(SelectItem("Partner"), SelectItem("Sum(Total)", "s")), group_by=("Partner",)
    )
    stock = Query("AccumulationRegister.Stock.Balance", parameters={"period": dt.datetime(2026, 2, 1)})
    return [json.dumps(to_json(q), ensure_ascii=False).encode() for q in (goods, orders, stock)]


def read_asked(path: Path) -> object:
    """A query of the command line's file, answered by the base."""
    return served().query(query_of(read_json(path)))


def read_where_asked(text: str) -> object:
    return served().query(Query("Catalog.Partners", where=parse_where(text), limit=3))


# --- OData ---

KEYS = (f"guid'{ZERO}'", f"Ref_Key=guid'{ZERO}'", "Period=datetime'2026-01-01T00:00:00',Item_Key=guid'" + ZERO + "'")
BODIES = (
    {
        "Description": "Ромашка",
        "ИНН": "7712345678",
        "Лимит": 1.5,
        "РаботаетС": "2026-01-01T00:00:00",
        "Действует": True,
        "Вид": "Buyer",
    },
    {
        "Description": "a",
        "Регион_Key": ZERO,
        "Телефоны": [{"LineNumber": "1", "Номер": "+7"}],
        "Предмет": ZERO,
        "Предмет_Type": "x",
    },
    {"d": {"Code": "1", "DataVersion": "AAAAAAAAAAE=", "Логотип": "AP8="}},
)
_ATOM = (
    '<entry xmlns="http://www.w3.org/2005/Atom" xmlns:d="http://schemas.microsoft.com/ado/2007/08/dataservices" '
    'xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"><content type="application/xml"><m:properties>'
    '<d:Description>Ромашка</d:Description><d:Лимит m:type="Edm.Double">1.5</d:Лимит><d:ИНН m:null="true"/>'
    '<d:Телефоны m:type="Collection(x)"><d:element><d:LineNumber>1</d:LineNumber><d:Номер>+7</d:Номер></d:element></d:Телефоны>'
    '</m:properties></content><link rel="http://schemas.microsoft.com/ado/2007/08/dataservices/related/Регион" href="Catalog_Регионы(guid\''
    + ZERO
    + "')\"/></entry>"
)


@cache
def _model() -> Model:
    """Everything is published."""
    configuration = served().kernel.configuration
    return Model(configuration, tuple(configuration.objects))


def _set(model: Model, name: str) -> EntityType:
    found = model.entity_set(name)
    assert found is not None, name
    return found


def body_seeds() -> list[bytes]:
    return [json.dumps(b, ensure_ascii=False).encode() for b in BODIES]


def atom_seeds() -> list[bytes]:
    return [_ATOM.encode()]


def read_body(kind: str) -> Callable[[Path], object]:
    """A body of a request, given to an object of the catalog of partners."""

    def read(path: Path) -> object:
        model = _model()
        return Assigner(model, _set(model, "Catalog_Партнеры")).assign(parse_body(path.read_bytes(), kind))

    return read


def read_key_of(text: str) -> object:
    model = _model()
    for name in ("Catalog_Партнеры", "InformationRegister_Цены"):
        with suppress(ODataError):
            key_of(model, _set(model, name), text)
    with suppress(ODataError):
        parse_version("DataVersion", text)
    return constant(text)


# --- the wire ---


def read_headers(path: Path) -> object:
    """Basic credentials for both doors, and the header of a call with a file."""
    given = path.read_bytes().decode("latin-1")
    credentials_of(given, "127.0.0.1")
    connection = SimpleNamespace(headers={"authorization": given})
    with suppress(InfobaseError):
        http.credentials_of(connection)  # type: ignore[arg-type]
    with suppress(InfobaseError):
        received_files._secret(SimpleNamespace(headers={"x-dump-password": given.partition(" ")[2]}))  # type: ignore[arg-type]
    return packing.from_header("X", given.partition(" ")[2])


def header_seeds() -> list[bytes]:
    call = packing.header(
        {"function": "load_classifier", "name": "a.zip", "arguments": values.encode({"kind": "kladr"})}
    )
    return [b"Basic " + base64.b64encode("Иванов:пароль".encode()), b"Basic " + call.encode()]


def read_packed_body(path: Path) -> object:
    return values.decode(packing.unpack(path.read_bytes(), "gzip"))


def packed_body_seeds() -> list[bytes]:
    return [gzip.compress(json.dumps(values.encode({"a": [1, Decimal("1.5"), dt.datetime(2026, 1, 1)]})).encode())]


def read_failure(path: Path) -> object:
    """What a server says went wrong, told to people."""
    return str(failures.from_json(packing.unpack(path.read_bytes())))


def failure_seeds() -> list[bytes]:
    problem = Problem("a.toml", 1, "key", Bilingual("плохо", "bad"), "good")
    said: list[InfobaseError] = [RequestInvalid(detail=Bilingual("да", "yes")), ConfigurationInvalid([problem])]
    said += [LockTimeout(holder="x", seconds=20, place="y")]
    return [json.dumps(failures.to_json(e), ensure_ascii=False).encode() for e in said]


def state_seeds() -> list[bytes]:
    values_: dict[str, Any] = {"Description": "a", "Limit": Decimal("1.5"), "Since": dt.datetime(2026, 1, 1)}
    return [json.dumps(objects.state_to_json(values_, {"Phones": [{"Number": "+7"}]})).encode()]


def read_state(path: Path) -> object:
    """A header and sections of an object as they come over the wire."""
    found = packing.unpack(path.read_bytes())
    if not isinstance(found, dict):
        return None
    return objects.state_from_json(found, ["Phones"])


# --- archives with anything inside ---


def read_any_source(path: Path) -> object:
    """Of what kind is this classifier, and every byte of it."""
    with open_source(path) as source:
        for member in source.members:
            for _ in member.chunks():
                pass
        return find_kind_of(list(KINDS.values()), source)


def read_sent_set(path: Path) -> object:
    """A folder that came packed to the server."""
    with scratch() as folder:
        return _laid_out(Path(shutil.copy(path, folder / "set.zip")))


def sent_set_seeds() -> list[bytes]:
    with scratch() as folder:
        made = folder / "set.zip"
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a/KLADR.DBF", b"x" * 100)
            archive.writestr("b.txt", "прочти меня")
        return [made.read_bytes()]


def read_gar_rows(path: Path) -> object:
    """One file of a set, its rows taken as the loader takes them."""
    member = Member("AS_ADDR_OBJ.XML", str(path), path.stat().st_size, lambda: path.open("rb"))
    with GarScratch(dt.date(2026, 1, 1), {}, {}) as kept:
        return kept.read("ADDR_OBJ", member, lambda _: None, dead=True)


def gar_row_seeds() -> list[bytes]:
    return [gar_xml("ADDR_OBJ", sample_region("01", 2, 1)["ADDR_OBJ"])]


def read_server_key(path: Path) -> object:
    with scratch() as folder:
        shutil.copy(path, folder / vault.KEY_FILE)
        return vault.load(folder)


def wide_end(dump: bytes) -> bytes:
    """The same container with the end of directory that archives of over 65,535 members have."""
    at = dump.rfind(b"PK\5\6")
    *_, count, size, offset, _ = struct.unpack("<I4H2IH", dump[at : at + 22])
    wide = struct.pack("<IQ2H2I4Q", 0x06064B50, 44, 45, 45, 0, 0, count, count, size, offset)
    wide += struct.pack("<IIQI", 0x07064B50, 0, at, 1)
    return dump[:at] + wide + struct.pack("<I4H2IH", 0x06054B50, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)


def read_package(path: Path) -> object:
    with open_package(path) as package:
        return sum(len(chunk) for file in package.files for chunk in package.read(file))


def package_seeds() -> list[bytes]:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("1c/crm/1_0_0_1/1cv8.mft", "Vendor=a\r\nName=b\r\nVersion=1.0.0.1\r\n")
        archive.writestr("1c/crm/1_0_0_1/ReadMe.txt", "Прочти меня")
    return [made.getvalue()]


def read_description(path: Path) -> object:
    return supply.as_text("a.htm", path.read_bytes()), supply.as_text("a.txt", path.read_bytes())
