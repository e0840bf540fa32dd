"""Mutated input for every reader: an error of the product or an answer, nothing else; within a time, within memory.

    python -m tests.reliability fuzz [READER ...] --seconds 60

Seeds are small files in the real formats; what once broke a reader is kept in `corpus/READER/` and tried first, for ever.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import resource
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from types import FrameType

from classifiers.dbf import DbfTable
from classifiers.dbf_header import file_input
from classifiers.dbf_write import write_dbf
from classifiers.kinds import KINDS
from classifiers.recognise import find_format
from classifiers.sample import ed807_xml, sample_banks
from classifiers.source import open_source
from engine_server.odata.errors import ODataError
from engine_server.odata.filter_syntax import parse_filter
from infobase.connection_string import parse as parse_connection
from infobase.errors import InfobaseError
from infobase.list_file import from_bytes as read_list
from infobase.list_file import to_bytes as write_list
from infobase.metadata.archive import read_cf, write_cf
from infobase.metadata.expressions import compile_expression
from infobase.query_text import parse_where
from infobase.restore import verify_dump
from templates_store import manifest
from tests.bases import file_place, shop
from tests.reliability import fuzz_readers as more

CORPUS = Path(__file__).parent / "corpus"
REAL = Path(__file__).parents[3] / "shared" / "data" / "classifiers"
LIMIT_SECONDS = 20.0
"""For one input."""
LIMIT_BYTES = 4 << 30
"""Of address space, over what the process has at the start."""
_MAX_SEED = 300_000
_TOKENS = (
    *(
        b"",
        b"\0",
        b"\xff",
        b"\r\n",
        b'"',
        b"'",
        b"<",
        b"&",
        b";",
        b"=",
        b"(",
        b")",
        b"[",
        b"{",
        b"%",
        b"\\",
        b"..",
        b"/",
    ),
    *(
        b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
        b"&b;",
        b"9" * 400,
        b"-1",
        b"1e999",
        b"\xd0\xb0" * 50,
        b"((((" * 200,
        b" and " * 100,
    ),
)


@dataclass(frozen=True)
class Reader:
    """`seeds`: good inputs. `read`: takes a file; raises errors of the product only."""

    name: str
    suffix: str
    seeds: Callable[[], list[bytes]]
    read: Callable[[Path], object]
    refusals: tuple[type[Exception], ...] = (InfobaseError,)


@dataclass
class Findings:
    """What a run over one reader came to. `broken`: inputs that raised something else, hung or ate the memory."""

    reader: str
    tried: int = 0
    accepted: int = 0
    broken: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        told = f"{self.reader}: {self.tried} inputs, {self.accepted} accepted, {len(self.broken)} broken"
        return told + "".join(f"\n    {b}" for b in self.broken[:5])


# --- readers ---


def _text(*lines: str) -> Callable[[], list[bytes]]:
    return lambda: [line.encode() for line in lines]


def _of_text(read: Callable[[str], object]) -> Callable[[Path], object]:
    return lambda path: read(path.read_bytes().decode("utf-8", "replace"))


@cache
def _small_base() -> tuple[bytes, bytes]:
    """A dump of a small base and its configuration as .cf."""
    from infobase.infobase import dump_base, open_base

    with tempfile.TemporaryDirectory() as folder:
        place = file_place(Path(folder) / "base")
        place.create()
        with place.session() as session:
            session.catalogs.Goods.new(Description="Гвоздь").write()
            dump_base(open_base(session.kernel.engine), Path(folder) / "base.dt")
        write_cf(shop(), Path(folder) / "base.cf")
        return (Path(folder) / "base.dt").read_bytes(), (Path(folder) / "base.cf").read_bytes()


def _read_list(path: Path) -> object:
    return write_list(read_list(path.read_bytes(), path))


def _read_classifier(name: str) -> Callable[[Path], object]:
    def read(path: Path) -> object:
        with open_source(path) as source:
            form, members = find_format(KINDS[name], source)
            file = form.open(members, {})
            for _ in file.items():
                pass
            return file.version_date()

    return read


def _dbf_seeds() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.dbf"
        write_dbf(
            path,
            {"NAME": 40, "CODE": 13},
            [("Москва", "7700000000000"), ("Тула", "7100000100000")],
            dt.date(2026, 2, 2),
        )
        return [path.read_bytes()]


def _read_dbf(path: Path) -> object:
    source = file_input(path)
    table = DbfTable(source, "cp866")
    table.header.demand(source, {"NAME": 0, "CODE": 0})
    return list(table.rows(("NAME", "CODE")))


def _classifier_seeds(name: str) -> Callable[[], list[bytes]]:
    def seeds() -> list[bytes]:
        made = [p.read_bytes() for p in sorted((CORPUS / "seeds").glob(f"{name}.*"))]
        if name == "banks":
            made.append(ed807_xml(sample_banks(8, 1), dt.date(2026, 2, 2)).encode("cp1251"))
        folder = REAL / ("gar" if name == "gar" else name)
        real = (
            sorted(p for p in folder.rglob("*") if p.is_file() and p.stat().st_size <= _MAX_SEED)
            if folder.is_dir()
            else []
        )
        return made + [p.read_bytes() for p in real if p.suffix.lower() not in (".xsd", ".md")][:6]

    return seeds


_LIST = '\ufeff[База 1]\r\nConnect=File="C:\\b";\r\nID=5e22411e-9314-4ac7-acb6-84a70063af0a\r\nOrderInList=16640.5\r\nFolder=/Группа\r\nX=1\r\n[Группа]\r\nID=5e22411e-9314-4ac7-acb6-84a70063af0b\r\nFolder=/\r\n'
_MANIFEST = "\ufeffVendor=Фирма\r\nName=Конфигурация\r\nVersion=1.0.0.1\r\nAppVersion=8.3\r\n[Config1]\r\nCatalog=А/Б\r\nDestination=1C\\X\r\nSource=1Cv8.cf\r\n"
_EXPRESSIONS = (
    "row.Quantity > 0 and not empty(doc.Customer)",
    "round(row.Amount * 0.2, 2) if doc.Kind in ('a', 'b') else -1",
    'doc.Type == value("Enumeration.Kinds.Retail")',
    "begin_of_month(doc.Date)",
)
_CONDITIONS = (
    "Code = 'а'",
    "Amount between 1, 5",
    'Description contains "x"',
    "Ref in_hierarchy 00000000-0000-0000-0000-000000000001",
)
_CONNECTIONS = (
    'File="C:\\базы ""1""";Usr="Иванов";Pwd="a;b";',
    'Srvr="host:1541,other";Ref="crm";',
    'DBMS=PostgreSQL;DBSrvr="localhost port=5433";DB="crm";DBUID=u;DBPwd=p;',
    "postgresql://u:p@host:5433/crm?sslmode=require",
)

_FILTERS = (
    "Description eq 'а' and (Code gt '1' or not startswith(ИНН,'77'))",
    "Ref_Key eq guid'00000000-0000-0000-0000-000000000001' and Date ge datetime'2026-01-01T00:00:00'",
    "Товары/any(d: d/Цена gt 10) or substringof('x',Контрагент/Description)",
    "cast(Subject,'Catalog_Regions') eq null and Amount add 1 mul 2 le -3.5",
)

READERS: dict[str, Reader] = {
    r.name: r
    for r in (
        Reader("dt", ".dt", lambda: [_small_base()[0]], verify_dump),
        Reader("cf", ".cf", lambda: [_small_base()[1]], read_cf),
        Reader("v8i", ".v8i", _text(_LIST), _read_list),
        Reader("mft", ".mft", _text(_MANIFEST), lambda path: manifest.to_bytes(manifest.parse(path.read_bytes()))),
        Reader("expression", ".txt", _text(*_EXPRESSIONS), _of_text(compile_expression)),
        Reader("condition", ".txt", _text(*_CONDITIONS), _of_text(parse_where)),
        Reader("odata-filter", ".txt", _text(*_FILTERS), _of_text(parse_filter), (ODataError,)),
        Reader("dbf", ".dbf", _dbf_seeds, _read_dbf),
        Reader("connection", ".txt", _text(*_CONNECTIONS), _of_text(parse_connection)),
        Reader("kladr", ".zip", more.kladr_seeds, _read_classifier("kladr")),
        Reader("lgf", ".lgf", _text(more.LGF), more.text_log("lgf")),
        Reader("lgp", ".lgp", _text(more.LGP), more.text_log("lgp")),
        Reader("lgd", ".lgd", more.lgd_seeds, more.read_lgd),
        Reader("cdn", ".cdn", lambda: [more.CDN], more.read_cdn),
        Reader("starter", ".cfg", _text(more.STARTER), more.read_starter),
        Reader("odata-url", ".txt", _text(*more.URL_PATHS), _of_text(more.read_url), (ODataError,)),
        Reader("odata-options", ".txt", _text(*more.OPTIONS), _of_text(more.read_options), (ODataError,)),
        Reader("wire", ".json", more.wire_seeds, more.read_wire),
        Reader("query", ".json", more.query_seeds, more.read_query),
        Reader("efd", ".efd", more.efd_seeds, more.read_inflated_efd),
        Reader("efd-packed", ".efd", more.packed_efd_seeds, more.read_efd),
        Reader("workbook", ".xlsx", more.workbook_seeds, more.read_workbook),
        Reader("sheet", ".xml", more.sheet_seeds, more.damaged_cells),
        Reader("http-list", ".bin", more.http_list_seeds, more.read_http_list, more.HTTP_LIST_REFUSALS),
        Reader("inspect", ".bin", lambda: [_small_base()[0], *more.lgd_seeds(), more.CDN], more.inspected),
        *(
            Reader(name, ".bin", _classifier_seeds(name), _read_classifier(name))
            for name in KINDS
            if name not in ("kladr",)
        ),
    )
}


# --- mutation ---


def mutated(data: bytes, other: bytes, random: Random) -> bytes:
    """One to four random changes."""
    made = bytearray(data)
    for _ in range(random.randrange(1, 5)):
        at = random.randrange(len(made) + 1)
        match random.randrange(7):
            case 0 if made:
                made[at % len(made)] ^= 1 << random.randrange(8)
            case 1:
                del made[at:]
            case 2:
                del made[at : at + random.randrange(1, 64)]
            case 3:
                made[at:at] = random.choice(_TOKENS)
            case 4:
                piece = bytes(made[at : at + random.randrange(1, 200)])
                made[at:at] = piece * random.randrange(1, 4)
            case 5 if other:
                start = random.randrange(len(other))
                made[at : at + 32] = other[start : start + random.randrange(1, 200)]
            case _ if made:
                made[at % len(made)] = random.randrange(256)
    return bytes(made)


class Hung(Exception):
    """An input took longer than the limit."""


@contextmanager
def limits() -> Iterator[None]:
    """A clock and a bound on memory for the block (main thread, POSIX)."""

    def ring(_: int, __: FrameType | None) -> None:
        raise Hung(f"over {LIMIT_SECONDS:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    bounds = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + LIMIT_BYTES, bounds[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, bounds)
        signal.signal(signal.SIGALRM, before)


def try_one(reader: Reader, data: bytes, path: Path, findings: Findings) -> None:
    findings.tried += 1
    path.write_bytes(data)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_SECONDS)
    try:
        reader.read(path)
        findings.accepted += 1
    except reader.refusals as e:
        str(e)
    except (Exception, MemoryError) as e:  # anything else is what we look for
        findings.broken.append(f"{type(e).__name__}: {str(e)[:200]} ({_where(e)}); kept as {_keep(reader, data)}")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _where(e: BaseException) -> str:
    last = traceback.extract_tb(e.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"


def _keep(reader: Reader, data: bytes) -> str:
    folder = CORPUS / reader.name
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{hashlib.sha256(data).hexdigest()[:16]}{reader.suffix}"
    (folder / name).write_bytes(data)
    return f"corpus/{reader.name}/{name}"


def fuzz(reader: Reader, *, rounds: int = 0, seconds: float = 0.0, seed: int = 1) -> Findings:
    """The kept corpus and the seeds first, then mutations of them, `rounds` of them or for `seconds`."""
    findings, random = Findings(reader.name), Random(seed)
    kept = [p.read_bytes() for p in sorted((CORPUS / reader.name).glob("*"))]
    pool = [*reader.seeds(), *kept] or [b""]
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="infobase-fuzz-") as folder, limits():
        path = Path(folder) / f"input{reader.suffix}"
        for data in pool:
            try_one(reader, data, path, findings)
        done = 0
        while done < rounds or time.monotonic() < end:
            done += 1
            try_one(reader, mutated(random.choice(pool), random.choice(pool), random), path, findings)
    return findings
