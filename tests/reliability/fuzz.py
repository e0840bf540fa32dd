"""Mutated input for every reader: an error of the product or an answer, nothing else; within a time, within memory.

    python -m tests.reliability fuzz [READER ...] --seconds 60

Seeds are small files in the real formats; what once broke a reader is kept in `corpus/READER/` and tried first, for ever.
"""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import multiprocessing
import multiprocessing.connection
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
from classifiers.source import open_source
from engine_server.odata.errors import ODataError
from engine_server.odata.filter_syntax import parse_filter
from infobase.backups.keys import read_key
from infobase.commands.access import secret_in
from infobase.errors import InfobaseError
from infobase.list_file import from_bytes as read_list
from infobase.list_file import to_bytes as write_list
from infobase.metadata.archive import read_cf, write_cf
from infobase.metadata.expressions import compile_expression
from infobase.query_text import parse_where
from infobase.restore import verify_dump
from templates_store import manifest
from tests.administration import genuine
from tests.bases import file_place, shop
from tests.reliability import fuzz_readers as more
from tests.reliability import fuzz_texts as texts
from tests.reliability.fuzz_mutate import (
    Mutation,
    dump_parts,
    inside_zip,
    json_nodes,
    lines,
    numbers,
    packed_again,
    scattered,
    words,
    xml_tags,
)

CORPUS = Path(__file__).parent / "corpus"
REAL = Path(__file__).parents[3] / "shared" / "data" / "classifiers"
LIMIT_SECONDS = 20.0
"""Of processor time, for one input: what other work there is on the machine does not count."""
LIMIT_BYTES = 2 << 30
"""Of address space, over what the process has at the start."""
LIMIT_RESIDENT = 512 << 20
"""Of memory really used over one input, at its highest. The dearest honest one is the key of a sealed dump: 256 MB."""
_MAX_SEED, _MAX_INPUT, _MAX_PLAIN = 300_000, 4 << 20, 50_000
"""Bytes: of a real file that serves as a seed, of a changed input, and of a kept one that is not packed."""
WATCH_SECONDS = 300.0
"""After so long by the clock over one input a process that waits for ever, or heeds no signal, is killed."""


@dataclass(frozen=True)
class Reader:
    """`seeds`: good inputs. `read`: takes a file; raises errors of the product only."""

    name: str
    suffix: str
    seeds: Callable[[], list[bytes]]
    read: Callable[[Path], object]
    refusals: tuple[type[Exception], ...] = (InfobaseError,)
    mutations: tuple[Mutation, ...] = ()
    """Changes that know the format; changes of bytes are made too."""


@dataclass
class Findings:
    """What a run over one reader came to. `broken`: inputs that raised something else, hung or ate the memory."""

    reader: str
    tried: int = 0
    accepted: int = 0
    broken: list[str] = field(default_factory=list)
    slowest: float = 0.0
    """Seconds over one input, and the most memory over one, in bytes."""
    most: int = 0

    def counts(self) -> dict[str, int | str]:
        worst = {"slowest input, ms": round(self.slowest * 1000), "most memory, MB": self.most >> 20}
        return {"inputs": self.tried, "accepted": self.accepted, "broken": len(self.broken), **worst}

    def __str__(self) -> str:
        told = f"{self.reader}: {self.tried} inputs, {self.accepted} accepted, {len(self.broken)} broken"
        told += f", slowest {self.slowest:.2f} s, most memory {self.most >> 20} MB"
        return told + "".join(f"\n    {b}" for b in self.broken if "kept as" in b)


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
        made = more.classifier_files(name)
        folder = REAL / ("gar" if name == "gar" else name)
        real = (
            sorted(p for p in folder.rglob("*") if p.is_file() and p.stat().st_size <= _MAX_SEED)
            if folder.is_dir()
            else []
        )
        return made + [p.read_bytes() for p in real if p.suffix.lower() not in (".xsd", ".md")][:6]

    return seeds


def _every_classifier() -> list[bytes]:
    """One file of each kind."""
    return [seed for name in KINDS if name != "kladr" for seed in _classifier_seeds(name)()[:1]]


def _inspected_seeds() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        container = genuine.container(Path(folder) / "a.cf").read_bytes()
    ours = [*_small_base(), texts.sealed_dump(), texts.base_file(), *more.lgd_seeds(), more.CDN]
    return [*ours, container, genuine.base_1cd(), genuine.supply(), genuine.dump()]


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

_RECIPES = ('vendor = "1C"\nname = "CRM"\ndemo = "crm"\n[catalog]\nru = "А/Б"\nen = "A/B"\n[destination]\nru = "X"\n',)
_PAGES = (
    '<html><head><meta charset="utf-8"><script>x</script></head><body><p>Прочти <b>меня</b><ul><li>1</ul></body></html>',
)
_REQUISITES = (
    "7707083893",
    "1027700132195",
    "773601001",
    "044525225",
    "40702810400000000001",
    "4601234567893",
    "a@b.ru",
    "+7 (495) 1-2-3",
)
_ODATA = (ODataError, InfobaseError)
_FILTERS = (
    "Description eq 'а' and (Code gt '1' or not startswith(ИНН,'77'))",
    "Ref_Key eq guid'00000000-0000-0000-0000-000000000001' and Date ge datetime'2026-01-01T00:00:00'",
    "Товары/any(d: d/Цена gt 10) or substringof('x',Контрагент/Description)",
    "cast(Subject,'Catalog_Regions') eq null and Amount add 1 mul 2 le -3.5",
)

_TEXT, _LINES, _JSON, _XML, _BINARY = (words,), (lines, words), (json_nodes,), (xml_tags, words), (numbers,)
_ARCHIVE = (inside_zip(inner=((".json", json_nodes), (".xml", xml_tags), (".rels", xml_tags), (".mft", lines))),)
_TABLES = (inside_zip(inner=((".dbf", numbers), (".DBF", numbers))), numbers)
_OF_A_KIND = (xml_tags, json_nodes, lines, words, numbers, inside_zip(inner=(("", xml_tags),)))


def _squeezed(change: Mutation) -> Mutation:
    return packed_again(change, gzip.decompress, gzip.compress)


READERS: dict[str, Reader] = {
    r.name: r
    for r in (
        # what comes as files
        Reader(
            "dt",
            ".dt",
            lambda: [_small_base()[0], texts.wide_end(_small_base()[0])],
            verify_dump,
            mutations=(dump_parts, *_ARCHIVE),
        ),
        Reader("dt-sealed", ".dt", lambda: [texts.sealed_dump()], texts.read_sealed_dump, mutations=_BINARY),
        Reader("cf", ".cf", lambda: [_small_base()[1]], read_cf, mutations=_ARCHIVE),
        Reader("configuration", ".json", texts.configuration_seeds, texts.read_configuration, mutations=_JSON),
        Reader("toml", ".toml", texts.toml_seeds, texts.read_toml, mutations=_LINES),
        Reader("recipe", ".toml", _text(*_RECIPES), texts.read_recipe, mutations=_LINES),
        Reader("v8i", ".v8i", _text(_LIST), _read_list, mutations=_LINES),
        Reader("v8i-mended", ".v8i", _text(_LIST), texts.read_checked_list, mutations=_LINES),
        Reader(
            "mft",
            ".mft",
            _text(_MANIFEST),
            lambda path: manifest.to_bytes(manifest.parse(path.read_bytes())),
            mutations=_LINES,
        ),
        Reader("package", ".zip", texts.package_seeds, texts.read_package, mutations=_ARCHIVE),
        Reader("description", ".htm", _text(*_PAGES), texts.read_description, mutations=(xml_tags, words)),
        Reader("efd", ".efd", more.efd_seeds, more.read_inflated_efd, mutations=_BINARY),
        Reader("efd-packed", ".efd", more.packed_efd_seeds, more.read_efd),
        Reader("lgf", ".lgf", _text(more.LGF), more.text_log("lgf"), mutations=_LINES),
        Reader("lgp", ".lgp", _text(more.LGP), more.text_log("lgp"), mutations=_LINES),
        Reader("lgd", ".lgd", more.lgd_seeds, more.read_lgd, mutations=_BINARY),
        Reader("cdn", ".cdn", lambda: [more.CDN], more.read_cdn, mutations=_TEXT),
        Reader("starter", ".cfg", _text(more.STARTER), more.read_starter, mutations=_LINES),
        Reader("base", ".1CD", lambda: [texts.base_file()], texts.read_base, mutations=_BINARY),
        Reader("journal", ".wal", texts.journal_seeds, texts.read_journal, mutations=_BINARY),
        Reader("session-card", ".json", texts.session_card_seeds, texts.read_session_card, mutations=_JSON),
        Reader("lock-card", ".json", texts.lock_card_seeds, texts.read_lock_card, mutations=_JSON),
        Reader("backup-manifest", ".json", texts.manifest_seeds, texts.read_backup_manifest, mutations=_JSON),
        Reader("backup-key", ".key", _text("a" * 40 + "\n"), read_key, mutations=_LINES),
        Reader("password", ".txt", _text("пароль\r\nx"), secret_in, mutations=_LINES),
        Reader("server-settings", ".toml", texts.server_settings_seeds, texts.read_server_settings, mutations=_LINES),
        Reader(
            "list-marks", ".json", _text('{"etag": "x", "last-modified": "y"}'), texts.read_list_marks, mutations=_JSON
        ),
        Reader("http-list", ".bin", more.http_list_seeds, more.read_http_list, more.HTTP_LIST_REFUSALS, _LINES),
        Reader("inspect", ".bin", _inspected_seeds, more.inspected, mutations=(numbers, *_ARCHIVE)),
        Reader("server-key", ".key", _text("A" * 43 + "="), texts.read_server_key, mutations=_LINES),
        # classifiers
        Reader("sent-set", ".zip", texts.sent_set_seeds, texts.read_sent_set, mutations=_ARCHIVE),
        Reader("gar-rows", ".xml", texts.gar_row_seeds, texts.read_gar_rows, mutations=_XML),
        Reader("dbf", ".dbf", _dbf_seeds, _read_dbf, mutations=_BINARY),
        Reader("kladr", ".zip", more.kladr_seeds, _read_classifier("kladr"), mutations=_TABLES),
        Reader("workbook", ".xlsx", more.workbook_seeds, more.read_workbook, mutations=_ARCHIVE),
        Reader("sheet", ".xml", more.sheet_seeds, more.damaged_cells, mutations=_XML),
        Reader("open-document", ".ods", more.ods_seeds, more.read_workbook, mutations=_ARCHIVE),
        Reader("7z", ".7z", more.seven_zip_seeds, texts.read_any_source, mutations=_BINARY),
        Reader("source", ".bin", _every_classifier, texts.read_any_source, mutations=_OF_A_KIND),
        *(
            Reader(name, ".bin", _classifier_seeds(name), _read_classifier(name), mutations=_OF_A_KIND)
            for name in KINDS
            if name not in ("kladr",)
        ),
        # what is written by hand
        Reader("expression", ".txt", _text(*_EXPRESSIONS), _of_text(compile_expression), mutations=_TEXT),
        Reader("evaluated", ".txt", _text(*_EXPRESSIONS), _of_text(texts.read_evaluated), mutations=_TEXT),
        Reader("condition", ".txt", _text(*_CONDITIONS), _of_text(parse_where), mutations=_TEXT),
        Reader("condition-asked", ".txt", _text(*_CONDITIONS), _of_text(texts.read_where_asked), mutations=_TEXT),
        Reader("connection", ".txt", _text(*_CONNECTIONS), _of_text(texts.read_where), mutations=_TEXT),
        Reader(
            "lengths",
            ".txt",
            _text("2d:1h,30d:1d,1y:30d,5", "30мин", "01.02.2026 10:00"),
            _of_text(texts.read_lengths),
            mutations=_TEXT,
        ),
        Reader("requisites", ".txt", _text(*_REQUISITES), _of_text(texts.read_requisites), mutations=_TEXT),
        Reader("query-file", ".json", texts.asked_seeds, texts.read_asked, mutations=_JSON),
        # what comes over the wire
        Reader("odata-filter", ".txt", _text(*_FILTERS), _of_text(parse_filter), (ODataError,), _TEXT),
        Reader("odata-url", ".txt", _text(*more.URL_PATHS), _of_text(more.read_url), (ODataError,), _TEXT),
        Reader("odata-key", ".txt", _text(*texts.KEYS), _of_text(texts.read_key_of), (ODataError,), _TEXT),
        Reader("odata-options", ".txt", _text(*more.OPTIONS), _of_text(more.read_options), (ODataError,), _TEXT),
        Reader("odata-json", ".json", texts.body_seeds, texts.read_body("application/json"), _ODATA, _JSON),
        Reader("odata-atom", ".xml", texts.atom_seeds, texts.read_body("application/atom+xml"), _ODATA, _XML),
        Reader("wire", ".json", more.wire_seeds, more.read_wire, mutations=_JSON),
        Reader(
            "wire-packed", ".gz", texts.packed_body_seeds, texts.read_packed_body, mutations=(_squeezed(json_nodes),)
        ),
        Reader("wire-state", ".json", texts.state_seeds, texts.read_state, mutations=_JSON),
        Reader("wire-failure", ".json", texts.failure_seeds, texts.read_failure, mutations=_JSON),
        Reader("wire-headers", ".txt", texts.header_seeds, texts.read_headers, mutations=_TEXT),
        Reader("query", ".json", more.query_seeds, more.read_query, mutations=_JSON),
    )
}


# --- trying ---


class Hung(Exception):
    """An input took longer than the limit."""


@contextmanager
def limits() -> Iterator[None]:
    """A clock and a bound on memory for the block (main thread, POSIX)."""

    def ring(_: int, __: FrameType | None) -> None:
        raise Hung(f"over {LIMIT_SECONDS:g} s")

    before = signal.signal(signal.SIGPROF, ring)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    bounds = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + LIMIT_BYTES, bounds[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, bounds)
        signal.signal(signal.SIGPROF, before)


def try_one(reader: Reader, data: bytes, path: Path, findings: Findings) -> None:
    findings.tried += 1
    path.write_bytes(data)
    before, begun = _peak(forget=True), time.process_time()
    signal.setitimer(signal.ITIMER_PROF, LIMIT_SECONDS)
    try:
        reader.read(path)
        findings.accepted += 1
    except reader.refusals as e:
        str(e)
    except (Exception, MemoryError) as e:  # anything else is what we look for
        _note(findings, reader, data, f"{type(e).__name__}: {str(e)[:200]}", f"({_where(e)})")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    used = _peak() - before
    findings.slowest, findings.most = max(findings.slowest, time.process_time() - begun), max(findings.most, used)
    if used > LIMIT_RESIDENT:
        _note(findings, reader, data, f"{used >> 20} MB of memory")


def _peak(*, forget: bool = False) -> int:
    """Most bytes this process has had in memory since it was last told to forget (Linux; elsewhere 0)."""
    try:
        if forget:
            Path("/proc/self/clear_refs").write_text("5")
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


def _note(findings: Findings, reader: Reader, data: bytes, what: str, place: str = "") -> None:
    """Of the inputs that break the reader at one place the first is kept."""
    known = place and any(place in b for b in findings.broken)
    findings.broken.append(f"{what} {place}; " + ("seen before" if known else f"kept as {_keep(reader, data)}"))


def _where(e: BaseException) -> str:
    last = traceback.extract_tb(e.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"


def _keep(reader: Reader, data: bytes) -> str:
    folder = CORPUS / reader.name
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{hashlib.sha256(data).hexdigest()[:16]}{reader.suffix}"
    if len(data) > _MAX_PLAIN:
        name, data = f"{name}.gz", gzip.compress(data, mtime=0)
    (folder / name).write_bytes(data)
    return f"corpus/{reader.name}/{name}"


def pool_of(reader: Reader) -> list[bytes]:
    """Good inputs, and what once broke the reader."""
    files = sorted((CORPUS / reader.name).glob("*"))
    kept = [gzip.decompress(p.read_bytes()) if p.suffix == ".gz" else p.read_bytes() for p in files]
    return [*reader.seeds(), *kept] or [b""]


def fuzz(
    reader: Reader, *, rounds: int = 0, seconds: float = 0.0, seed: int = 1, place: Path | None = None
) -> Findings:
    """The kept corpus and the seeds first, then mutations of them, `rounds` of them or for `seconds`. `place`: where the input is written."""
    findings, random = Findings(reader.name), Random(seed)
    pool = pool_of(reader)
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="infobase-fuzz-") as folder, limits():
        path = place or Path(folder) / f"input{reader.suffix}"
        for data in pool:
            try_one(reader, data, path, findings)
        done = 0
        while done < rounds or time.monotonic() < end:
            done += 1
            change = random.choice((scattered, *reader.mutations, *reader.mutations))
            made = change(random.choice(pool), random.choice(pool), random)
            try_one(reader, made[:_MAX_INPUT], path, findings)
    return findings


# --- in a process of its own ---


def fuzz_apart(reader: Reader, *, rounds: int = 0, seconds: float = 0.0, seed: int = 1) -> Findings:
    """The same in a child: an input that kills the process, or hangs it where no signal reaches, is found and kept as well."""
    context = multiprocessing.get_context("fork")  # the readers are functions made here, which no pickle carries
    with tempfile.TemporaryDirectory(prefix="infobase-fuzz-") as folder:
        path = Path(folder) / f"input{reader.suffix}"
        here, there = context.Pipe(duplex=False)
        child = context.Process(target=_report, args=(reader, rounds, seconds, seed, path, there))
        child.start()
        there.close()
        try:
            found = _heard(here, path)
        finally:
            child.kill()
            child.join()
        if found is None and (child.exitcode or 0) > 0:
            raise RuntimeError(f"{reader.name}: the fuzzer itself failed; its words are above")
        if found is None:
            found = Findings(reader.name, tried=1)
            _note(found, reader, path.read_bytes(), f"the process ended or hung over it (exit code {child.exitcode})")
        return found


def _report(
    reader: Reader, rounds: int, seconds: float, seed: int, path: Path, pipe: multiprocessing.connection.Connection
) -> None:
    pipe.send(fuzz(reader, rounds=rounds, seconds=seconds, seed=seed, place=path))


def _heard(pipe: multiprocessing.connection.Connection, path: Path) -> Findings | None:
    """What the child found; None when it died, or sat too long over one input."""
    while not pipe.poll(1.0):
        if path.exists() and time.time() - path.stat().st_mtime > WATCH_SECONDS:
            return None
    try:
        found: Findings = pipe.recv()
    except EOFError:
        return None
    return found
