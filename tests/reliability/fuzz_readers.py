"""Seeds and readers of small foreign files and of what comes over the wire, for the fuzzer."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qsl
from uuid import UUID

import urllib3

from classifiers.sample import ed807_xml, sample_banks
from classifiers.sample_gar import sample_region, write_gar
from classifiers.sample_kladr import write_sample_kladr
from classifiers.workbook import workbook_members
from engine_server.odata.options import parse_options
from engine_server.odata.urls import segments
from engine_server.wire import packing, values
from infobase.errors import InfobaseError
from infobase.inspection.recognise import inspect_file
from infobase.log_export import write_lgd
from infobase.log_files import read_log
from infobase.metadata.types import Ref
from infobase.query_json import from_json, to_json
from infobase.query_model import Compare, Query, SelectItem
from infobase.remote_lists import _content as list_of_answer
from infobase.remote_lists import _Refused as ListRefused
from infobase.session_block import format_cdn, parse_cdn
from infobase.starter_config import read_settings, settings_of
from infobase.storage import LogFilter
from templates_store.efd import open_file as open_efd
from templates_store.package import refusing
from tests.administration.test_log import LGF, LGP
from tests.classifiers.helpers import OKOF_XML, zipped
from tests.classifiers.test_formats import SAMPLES, listed_months
from tests.classifiers.test_open_data import FORMS, MOSCOW, RUSSIAN
from tests.classifiers.test_rates_of_a_period import dynamic
from tests.classifiers.test_sources import seven_zipped
from tests.classifiers.test_workbooks import OKVED, write_ods, write_xlsx
from tests.templates.test_efd import plain, shop, squeezed

CDN = b'1,20260101000000,20261231235959,"Back at six","1234",""'
STARTER = (
    "ConfigurationTemplatesLocation=C:\\tmplts\r\nCommonInfoBases=\\\\srv\\list.v8i\r\n"
    "CommonInfoBases=http://srv/list\r\nInternetService=http://x\r\n"
)
URL_PATHS = (
    "/odata/standard.odata/Catalog_Товары(guid'00000000-0000-0000-0000-000000000001')/Parent",
    "/odata/standard.odata/AccumulationRegister_Stock/Balance(Condition='Товар_Key eq 1',Period=datetime'2026-01-01T00:00:00')",
    "/odata/standard.odata/InformationRegister_Prices(Period=datetime'2026-01-01T00:00:00',Item_Key=guid'00000000-0000-0000-0000-000000000001')",
)
OPTIONS = (
    "$filter=Code eq '1'&$top=10&$skip=5&$orderby=Code desc,Description&$select=Ref_Key,Code&$format=json",
    "$expand=Товар/Parent,Склад&$inlinecount=allpages&allowedOnly=true&$count=true",
)
VALUES = {
    "when": dt.datetime(2026, 1, 2),
    "sum": Decimal("1.50"),
    "ref": Ref("Catalog.Goods", UUID(int=1)),
    "flags": [True, None],
}
QUERY = Query("Catalog.Goods", select=(SelectItem("Code"),), where=Compare("Code", "=", "1"), limit=5)


def text_log(damaged: str) -> Callable[[Path], object]:
    """A log of text files; one of its two is the input, the other is good."""

    def read(path: Path) -> object:
        with tempfile.TemporaryDirectory() as folder:
            named = {"lgf": "1Cv8.lgf", "lgp": "20240508000000.lgp"}
            for kind, content in (("lgf", LGF), ("lgp", LGP)):
                target = Path(folder) / named[kind]
                if kind == damaged:
                    shutil.copy(path, target)
                else:
                    target.write_text(content, "utf-8", newline="")
            return list(read_log(Path(folder) / named["lgp"], LogFilter()))

    return read


def lgd_seeds() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("1Cv8.lgf", LGF), ("20240508000000.lgp", LGP)):
            (Path(folder) / name).write_text(content, "utf-8", newline="")
        made = Path(folder) / "made.lgd"
        write_lgd(read_log(Path(folder) / "20240508000000.lgp", LogFilter()), made)
        return [made.read_bytes()]


def read_lgd(path: Path) -> object:
    return list(read_log(path, LogFilter()))


def read_cdn(path: Path) -> object:
    block = parse_cdn(path.read_bytes())
    return format_cdn(block) if block is not None else None


def read_starter(path: Path) -> object:
    return read_settings(path), settings_of([path])


def read_url(text: str) -> object:
    return segments(text)


def read_options(text: str) -> object:
    return parse_options(parse_qsl(text, keep_blank_values=True), "application/json")


def read_wire(path: Path) -> object:
    return values.decode(packing.unpack(path.read_bytes()))


def read_query(path: Path) -> object:
    return from_json(packing.unpack(path.read_bytes()))


def wire_seeds() -> list[bytes]:
    return [packing.pack(values.encode(VALUES))[0]]


def query_seeds() -> list[bytes]:
    return [json.dumps(to_json(QUERY)).encode()]


def kladr_seeds() -> list[bytes]:
    """A set of tables of one small region, stored so that changes hit the tables."""
    with tempfile.TemporaryDirectory() as folder:
        write_sample_kladr(Path(folder) / "set", ["01"])
        made = Path(folder) / "kladr.zip"
        with zipfile.ZipFile(made, "w") as archive:
            for table in sorted((Path(folder) / "set").iterdir()):
                archive.write(table, table.name)
        return [made.read_bytes()]


def inspected(path: Path) -> object:
    """What `infobase inspect` says of an unknown file."""
    return inspect_file(path)


# --- 1C's supply archive ---


def efd_seeds() -> list[bytes]:
    """The inflated form: a change of deflated bytes reaches little but the inflater."""
    with tempfile.TemporaryDirectory() as folder:
        return [
            plain({"1c\\a\\1_0\\1cv8.mft": b"Vendor=a\r\n", "1c\\a\\1_0\\1Cv8.cf": b"0" * 300}),
            plain(shop(Path(folder) / "shop")),
        ]


def packed_efd_seeds() -> list[bytes]:
    return [squeezed(seed) for seed in efd_seeds()]


def read_efd(path: Path) -> object:
    """Every file inside to its last byte."""
    with refusing(path), open_efd(path) as package:
        return sum(len(chunk) for file in package.files for chunk in package.read(file))


def read_inflated_efd(path: Path) -> object:
    path.write_bytes(squeezed(path.read_bytes()))
    return read_efd(path)


# --- workbooks ---


def workbook_seeds() -> list[bytes]:
    """Stored, so that changes hit the XML."""
    with tempfile.TemporaryDirectory() as folder:
        packed = write_xlsx(Path(folder) / "a.xlsx", [*OKVED, ["B", 45000, 1.5]])
        stored = Path(folder) / "b.xlsx"
        with zipfile.ZipFile(packed) as source, zipfile.ZipFile(stored, "w") as target:
            for name in source.namelist():
                target.writestr(name, source.read(name))
        return [packed.read_bytes(), stored.read_bytes()]


def read_workbook(path: Path) -> object:
    read = []
    with path.open("rb") as content, ExitStack() as stack:
        for member in workbook_members(content, path, "a", stack):
            with member.open() as sheet:
                read.append(sheet.read())
    return read


def damaged_cells(path: Path) -> object:
    """The archive around it is whole: the input is the sheet."""
    with tempfile.TemporaryDirectory() as folder:
        sound, made = write_xlsx(Path(folder) / "a.xlsx", [*OKVED]), Path(folder) / "b.xlsx"
        with zipfile.ZipFile(sound) as source, zipfile.ZipFile(made, "w") as target:
            for name in source.namelist():
                target.writestr(name, path.read_bytes() if "sheet1" in name else source.read(name))
        return read_workbook(made)


def sheet_seeds() -> list[bytes]:
    with (
        tempfile.TemporaryDirectory() as folder,
        zipfile.ZipFile(write_xlsx(Path(folder) / "a.xlsx", [*OKVED])) as book,
    ):
        return [book.read("xl/worksheets/sheet1.xml")]


def ods_seeds() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        return [write_ods(Path(folder) / "a.ods", [[str(c) for c in row] for row in OKVED]).read_bytes()]


# --- classifiers ---


def classifier_files(kind: str) -> list[bytes]:
    """Small files of a kind in the published forms, plain and packed."""
    with tempfile.TemporaryDirectory() as folder:
        made = []
        if kind in SAMPLES:
            name, body, encoding = SAMPLES[kind]
            made += [body.encode(encoding), zipped(Path(folder) / "a.zip", {name: body.encode(encoding)}).read_bytes()]
        if kind == "gar":
            write_gar(Path(folder) / "gar.zip", {"01": sample_region("01", 2, 1)}, dt.date(2026, 1, 1))
            made.append((Path(folder) / "gar.zip").read_bytes())
        if kind == "banks":
            whole = ed807_xml(sample_banks(8, 1), dt.date(2026, 2, 2)).encode("cp1251")
            made += [whole, whole[:-40]]
        if kind == "okof":
            inner = zipped(Path(folder) / "b.zip", {"okof.xml": OKOF_XML.encode()}).read_bytes()
            made.append(zipped(Path(folder) / "c.zip", {"inner.zip": inner}).read_bytes())
        if kind == "okved2":
            made += [form(records).encode() for form in FORMS.values() for records in (MOSCOW, RUSSIAN)]
        if kind == "rates":
            made.append(dynamic().encode("cp1251"))
        if kind == "calendar":
            months = [{"month": n, "days": days} for n, days in enumerate(listed_months(), 1)]
            made.append(json.dumps({"year": 2024, "months": months, "transitions": []}).encode())
        return made


def seven_zip_seeds() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        packed = seven_zipped(Path(folder) / "a.7z", {"okof.xml": OKOF_XML.encode(), "readme.txt": b"read me"})
        return [packed.read_bytes()]


# --- lists over HTTP ---

HTTP_LIST_REFUSALS = (ListRefused, urllib3.exceptions.HTTPError, InfobaseError)
"""What `fetch` takes for a trouble of the server."""
_LIST = '\ufeff[A]\r\nConnect=Srvr="srv";Ref="a";\r\nID=5e22411e-9314-4ac7-acb6-84a70063af0a\r\nFolder=/\r\n'


def http_list_seeds() -> list[bytes]:
    """The coding of the answer in one byte, then its body."""
    body = _LIST.encode()
    return [b"-" + body, b"g" + gzip.compress(body), b"d" + zlib.compress(body), b"-" + _LIST.encode("utf-16")]


def read_http_list(path: Path) -> object:
    data = path.read_bytes()
    coding = {b"g": "gzip", b"d": "deflate"}.get(data[:1], "")
    body = io.BytesIO(data[1:])
    answer = urllib3.HTTPResponse(body, {"content-encoding": coding} if coding else {}, 200, preload_content=False)
    return list_of_answer(answer)
