"""The `.dt` container: names, limits, the manifest. What a dump holds and what a reader accepts.

A zip (stored, zip64) of `manifest.json`, `configuration.json` and one Arrow IPC stream per table, `data/<table>.arrow` (zstd buffers).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from struct import error as StructError
from zipfile import BadZipFile

import pyarrow as pa
from cryptography.exceptions import InvalidTag

from infobase.arrow import type_name
from infobase.errors import DumpInvalid, DumpVersionUnsupported
from infobase.i18n import Bilingual
from infobase.storage import Table

FORMAT = "infobase-dt"
FORMAT_VERSION = 1
MANIFEST = "manifest.json"
CONFIGURATION = "configuration.json"

MEBIBYTE = 1 << 20
MAX_DOCUMENT = 64 * MEBIBYTE
"""Bytes of manifest.json, of configuration.json, of the zip's directory."""
MAX_MEMBERS = 100_000
MAX_BATCH_ROWS = 1 << 16
MAX_BATCH_BYTES = 256 * MEBIBYTE
"""Expanded bytes of one batch. The writer splits batches above WRITTEN_BATCH_BYTES, so only one row can come near it."""
MAX_ROW_BYTES = 1024 * MEBIBYTE
"""Expanded bytes of a batch of a single row: what the stores themselves can hold in one value."""
WRITTEN_BATCH_BYTES = 32 * MEBIBYTE
EXPANSION_FREE = 4096 * MEBIBYTE
EXPANSION_RATIO = 1000
"""A dump may expand to EXPANSION_FREE bytes and EXPANSION_RATIO times its own size."""

DAMAGE = (
    OSError,
    ValueError,
    LookupError,
    EOFError,
    ArithmeticError,
    MemoryError,
    RecursionError,
    NotImplementedError,
    StructError,
    zlib.error,
    BadZipFile,
    InvalidTag,
    pa.ArrowException,
)
"""What reading a damaged or hostile file may raise in the libraries below; all of it means: this dump is refused."""


class Refused(ValueError):
    """Why a dump is refused; becomes DumpInvalid, which knows the file."""

    def __init__(self, ru: str, en: str) -> None:
        self.reason = Bilingual(ru, en)
        super().__init__(en)


@contextmanager
def refusing(place: Path) -> Iterator[None]:
    """Turn whatever a bad dump raises into DumpInvalid of this place."""
    try:
        yield
    except Refused as error:
        raise DumpInvalid(place=place, detail=error.reason) from error
    except DAMAGE as error:
        raise DumpInvalid(place=place, detail=f"{type(error).__name__}: {error}"[:300]) from error


def member_of(table: str) -> str:
    """The name of a table's member."""
    return f"data/{table}.arrow"


@cache
def product_version() -> str:
    """Version of the installed product; "0" when it runs from a folder nobody installed."""
    try:
        return metadata.version("infobase")
    except metadata.PackageNotFoundError:
        return "0"


@dataclass(frozen=True, slots=True)
class TableEntry:
    """A table in the manifest. `bytes`: size of the member; `expanded`: of its buffers uncompressed; digests in hex."""

    name: str
    columns: tuple[tuple[str, str], ...]
    rows: int
    bytes: int
    expanded: int
    sha256: str
    content_digest: str


def columns_of(table: Table) -> tuple[tuple[str, str], ...]:
    """(name, canonical type) of the dumped columns."""
    return tuple((c.name, type_name(c)) for c in table.dumped_columns)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a dump says of itself. `snapshot_time`: UTC, ISO 8601 with Z. `configuration_bytes` and `_sha256` are of configuration.json."""

    infobase_id: str
    infobase_name: str
    mode: str
    configuration_name: str
    configuration_version: str
    configuration_digest: str
    configuration_bytes: int
    configuration_sha256: str
    snapshot_time: str
    only_configuration: bool
    content_digest: str
    tables: tuple[TableEntry, ...]
    demo: bool = False
    """Whether the base is filled for study, not for work. Dumps made before there was such a word lack it."""

    @property
    def rows(self) -> int:
        return sum(t.rows for t in self.tables)

    @property
    def members(self) -> list[str]:
        """Every member the container must have, and nothing else."""
        return [MANIFEST, CONFIGURATION, *(member_of(t.name) for t in self.tables)]


def manifest_json(manifest: Manifest) -> bytes:
    """The manifest as it is written: readable, keys in order."""
    m = manifest
    written = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "product_version": product_version(),
        "infobase": {"id": m.infobase_id, "name": m.infobase_name, "demo": m.demo},
        "mode": m.mode,
        "configuration": {
            "name": m.configuration_name,
            "version": m.configuration_version,
            "digest": m.configuration_digest,
            "bytes": m.configuration_bytes,
            "sha256": m.configuration_sha256,
        },
        "snapshot_time": m.snapshot_time,
        "only_configuration": m.only_configuration,
        "content_digest": m.content_digest,
        "tables": [_table_json(t) for t in m.tables],
    }
    return json.dumps(written, ensure_ascii=False, indent=1).encode()


def _table_json(entry: TableEntry) -> dict[str, object]:
    columns = [{"name": name, "type": kind} for name, kind in entry.columns]
    return {**asdict(entry), "columns": columns, "member": member_of(entry.name)}


# --- reading ---


def _no_duplicates(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise Refused("повторяющийся ключ в JSON", "a repeated key in JSON")
    return made


def _no_constant(name: str) -> object:
    raise Refused(f"недопустимое число {name} в JSON", f"the number {name} in JSON is not allowed")


def parse_json(data: bytes) -> object:
    """JSON without repeated keys, NaN and infinities."""
    return json.loads(data.decode("utf-8"), object_pairs_hook=_no_duplicates, parse_constant=_no_constant)


class _Reader:
    """Takes typed values out of a JSON object; anything else refuses the manifest with the key named."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, Mapping):
            raise Refused(f"manifest.json: {where}: ожидается объект", f"manifest.json: {where}: an object is expected")
        self._value = value
        self._where = where

    def _take(self, key: str, kind: type) -> object:
        found = self._value.get(key)
        if type(found) is not kind:
            place = f"manifest.json: {self._where}.{key}"
            raise Refused(f"{place}: ожидается {kind.__name__}", f"{place}: {kind.__name__} is expected")
        return found

    def text(self, key: str) -> str:
        found = str(self._take(key, str))
        found.encode()  # a lone surrogate, which JSON can spell, must not travel further
        return found

    def count(self, key: str) -> int:
        found = self._take(key, int)
        assert isinstance(found, int)
        if not 0 <= found < 1 << 62:
            raise Refused(f"manifest.json: {key}: недопустимое число", f"manifest.json: {key}: number out of range")
        return found

    def flag(self, key: str) -> bool:
        return bool(self._take(key, bool))

    def flag_if_there(self, key: str) -> bool:
        return key in self._value and self.flag(key)

    def part(self, key: str) -> _Reader:
        return _Reader(self._take(key, dict), f"{self._where}.{key}")

    def parts(self, key: str) -> list[_Reader]:
        found = self._take(key, list)
        assert isinstance(found, list)
        return [_Reader(v, f"{self._where}.{key}[{i}]") for i, v in enumerate(found)]


def _table_entry(reader: _Reader) -> TableEntry:
    entry = TableEntry(
        name=reader.text("name"),
        columns=tuple((c.text("name"), c.text("type")) for c in reader.parts("columns")),
        rows=reader.count("rows"),
        bytes=reader.count("bytes"),
        expanded=reader.count("expanded"),
        sha256=reader.text("sha256"),
        content_digest=reader.text("content_digest"),
    )
    if reader.text("member") != member_of(entry.name):
        raise Refused(f"член таблицы {entry.name} назван иначе", f"the member of table {entry.name} has another name")
    return entry


def parse_manifest(data: bytes, place: Path) -> Manifest:
    """DumpVersionUnsupported for a newer format, whatever else it says; Refused for anything that is not a manifest."""
    root = _Reader(parse_json(data), "$")
    if root.text("format") != FORMAT:
        raise Refused("это не выгрузка этой программы", "not a dump of this product")
    version = root.count("format_version")
    if version > FORMAT_VERSION:
        raise DumpVersionUnsupported(place=place, found=version, supported=FORMAT_VERSION)
    if version < 1:
        raise Refused("неизвестная версия формата", "unknown format version")
    configuration, infobase = root.part("configuration"), root.part("infobase")
    manifest = Manifest(
        infobase_id=infobase.text("id"),
        infobase_name=infobase.text("name"),
        mode=root.text("mode"),
        configuration_name=configuration.text("name"),
        configuration_version=configuration.text("version"),
        configuration_digest=configuration.text("digest"),
        configuration_bytes=configuration.count("bytes"),
        configuration_sha256=configuration.text("sha256"),
        snapshot_time=root.text("snapshot_time"),
        only_configuration=root.flag("only_configuration"),
        content_digest=root.text("content_digest"),
        tables=tuple(_table_entry(t) for t in root.parts("tables")),
        demo=infobase.flag_if_there("demo"),
    )
    if len({t.name for t in manifest.tables}) != len(manifest.tables):
        raise Refused("таблица названа дважды", "a table is named twice")
    return manifest


@dataclass(frozen=True, slots=True)
class DumpSummary:
    """What `dump` and `verify` print. `bytes`: size of the file; `table_rows`: physical table name -> rows."""

    path: Path
    tables: int
    rows: int
    content_digest: str
    bytes: int
    mode: str
    infobase_name: str
    configuration_name: str
    configuration_version: str
    configuration_digest: str
    snapshot_time: str
    only_configuration: bool
    encrypted: bool
    table_rows: dict[str, int]
    demo: bool = False


def summary_of(manifest: Manifest, path: Path, size: int, encrypted: bool) -> DumpSummary:
    m = manifest
    return DumpSummary(
        path=path,
        tables=len(m.tables),
        rows=m.rows,
        content_digest=m.content_digest,
        bytes=size,
        mode=m.mode,
        infobase_name=m.infobase_name,
        configuration_name=m.configuration_name,
        configuration_version=m.configuration_version,
        configuration_digest=m.configuration_digest,
        snapshot_time=m.snapshot_time,
        only_configuration=m.only_configuration,
        encrypted=encrypted,
        table_rows={t.name: t.rows for t in m.tables},
        demo=m.demo,
    )
