"""Seeds and readers of small foreign files and of what comes over the wire, for the fuzzer."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qsl
from uuid import UUID

from classifiers.sample_kladr import write_sample_kladr
from engine_server.odata.options import parse_options
from engine_server.odata.urls import segments
from engine_server.wire import packing, values
from infobase.inspection.recognise import inspect_file
from infobase.log_export import write_lgd
from infobase.log_files import read_log
from infobase.metadata.types import Ref
from infobase.query_json import from_json, to_json
from infobase.query_model import Compare, Query, SelectItem
from infobase.session_block import format_cdn, parse_cdn
from infobase.starter_config import read_settings, settings_of
from infobase.storage import LogFilter
from tests.administration.test_log import LGF, LGP

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
