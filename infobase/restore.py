"""Reading a `.dt`: everything is verified before the first write, then loaded from the same open file.

Checked: the container byte by byte (`dump_zip`), the manifest, the configuration, each table's framing and sizes before expansion
(`dump_stream`), its schema, row count, digests, key order and values. A dump that passes can be loaded; one that does not leaves no trace.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from infobase.digest import Progress, TableDigest, byte_data, content_digest
from infobase.dump_crypto import MAGIC, DecryptingSource, FileSource, Source
from infobase.dump_format import (
    CONFIGURATION,
    EXPANSION_FREE,
    EXPANSION_RATIO,
    MANIFEST,
    MAX_DOCUMENT,
    DumpSummary,
    Manifest,
    Refused,
    TableEntry,
    columns_of,
    member_of,
    parse_manifest,
    refusing,
    summary_of,
)
from infobase.dump_stream import MemberReader, read_batches
from infobase.dump_zip import Member, read_members
from infobase.errors import (
    ConfigurationInvalid,
    ConfigurationUnreadable,
    DumpInvalid,
    GenuineFile,
    NotUnique,
    NumberOverflow,
)
from infobase.kernel import Kernel
from infobase.load import Loader
from infobase.metadata import canonical
from infobase.metadata.model import Configuration
from infobase.schema.layout import Layout, build_layout
from infobase.storage import Column, StorageEngine, Table

__all__ = ["DumpSummary", "load_dump", "verify_dump"]

GENUINE = {b"1CIBDmpF": ".dt", b"1CDBMSV8": "1Cv8.1CD"}
"""First bytes of 1C's own files."""
_SECOND = 1_000_000
_EARLIEST, _LATEST = -62_135_596_800 * _SECOND, 253_402_300_799 * _SECOND
"""0001-01-01 00:00:00 and 9999-12-31 23:59:59 in microseconds from 1970."""


@dataclass(frozen=True)
class OpenDump:
    """A dump whose container, manifest and configuration are verified. Valid while `open_dump` lasts."""

    path: Path
    source: Source
    members: dict[str, Member]
    manifest: Manifest
    configuration: Configuration
    layout: Layout
    encrypted: bool
    file_bytes: int

    @property
    def tables(self) -> list[tuple[Table, TableEntry]]:
        entries = {t.name: t for t in self.manifest.tables}
        return [(table, entries[table.name]) for table in self.layout.dumped if table.name in entries]

    def read(self, table: Table) -> Iterator[pa.RecordBatch]:
        """A table's batches; refused at the end at the latest when they are not those of the manifest."""
        entry = next(e for t, e in self.tables if t.name == table.name)
        budget = EXPANSION_FREE + EXPANSION_RATIO * self.file_bytes
        return read_batches(self.source, self.members[member_of(table.name)], entry, table, budget)

    def summary(self) -> DumpSummary:
        return summary_of(self.manifest, self.path, self.file_bytes, self.encrypted)


# --- opening ---


@contextmanager
def open_dump(path: Path, password: str | None = None) -> Iterator[OpenDump]:
    """Open and verify all but the tables. DumpInvalid, DumpVersionUnsupported, DumpEncrypted, GenuineFile."""
    with refusing(path):
        if not path.is_file():
            raise Refused("такого файла нет", "there is no such file")
        handle = path.open("rb")
    with handle:
        with refusing(path):
            opened = _open(path, FileSource(handle), password)
        yield opened


def _open(path: Path, source: Source, password: str | None) -> OpenDump:
    start = source.read_at(0, min(len(MAGIC), source.size))
    if start in GENUINE:
        raise GenuineFile(place=path, what=GENUINE[start])
    encrypted = start == MAGIC
    size = source.size
    if encrypted:
        source = DecryptingSource(source, password, path)
    members = read_members(source)
    manifest = parse_manifest(_document(source, members, MANIFEST), path)
    if set(manifest.members) != set(members):
        odd = ", ".join(sorted(set(manifest.members) ^ set(members))[:5])
        raise Refused(f"состав архива не тот, что в манифесте: {odd}", f"members are not those of the manifest: {odd}")
    configuration = _configuration(manifest, _document(source, members, CONFIGURATION))
    layout = build_layout(configuration)
    _check_tables(manifest, members, layout, size)
    return OpenDump(path, source, members, manifest, configuration, layout, encrypted, size)


def _document(source: Source, members: dict[str, Member], name: str) -> bytes:
    member = members.get(name)
    if member is None:
        raise Refused(f"в архиве нет {name}", f"{name} is missing")
    if member.size > MAX_DOCUMENT:
        raise Refused(f"{name} слишком велик", f"{name} is too large")
    reader = MemberReader(source, member)
    data = reader.take(member.size)
    reader.checksum_only()
    return data


def _configuration(manifest: Manifest, data: bytes) -> Configuration:
    size, digest = len(data), hashlib.sha256(data).hexdigest()
    if (size, digest) != (manifest.configuration_bytes, manifest.configuration_sha256):
        raise Refused("configuration.json: контрольная сумма не сходится", "configuration.json: wrong checksum")
    try:
        configuration = canonical.from_json(data)
    except (ConfigurationInvalid, ConfigurationUnreadable, TypeError, AttributeError) as error:
        raise Refused(f"configuration.json: {error}", f"configuration.json: {error}") from error
    named = (manifest.configuration_name, manifest.configuration_version, manifest.configuration_digest)
    if named != (configuration.name, configuration.version, canonical.digest(configuration)):
        raise Refused("конфигурация не та, что в манифесте", "the configuration is not the manifest's")
    return configuration


def _check_tables(manifest: Manifest, members: dict[str, Member], layout: Layout, size: int) -> None:
    """The manifest's tables are exactly those of the configuration, and their claims fit the file."""
    expected = {} if manifest.only_configuration else {t.name: columns_of(t) for t in layout.dumped}
    if {t.name: t.columns for t in manifest.tables} != expected:
        raise Refused("таблицы не те, что в конфигурации", "the tables are not the configuration's")
    if any(t.bytes != members[member_of(t.name)].size for t in manifest.tables):
        raise Refused("размеры членов не те, что в манифесте", "member sizes are not the manifest's")
    if sum(t.expanded for t in manifest.tables) > EXPANSION_FREE + EXPANSION_RATIO * size:
        raise Refused("заявлен неправдоподобный объём данных", "the declared amount of data is not plausible")
    whole = content_digest(manifest.configuration_digest, {t.name: t.content_digest for t in manifest.tables})
    if whole != manifest.content_digest:
        raise Refused("дайджест содержимого не сходится", "wrong content digest")


# --- verifying tables ---


def verify_dump(path: Path, password: str | None = None, progress: Progress | None = None) -> DumpSummary:
    """Read the whole dump and check everything; writes nothing. DumpInvalid and its kin."""
    with open_dump(path, password) as dump:
        _verify_tables(dump, progress)
        return dump.summary()


def _verify_tables(dump: OpenDump, progress: Progress | None) -> None:
    done = 0
    for table, entry in dump.tables:
        with refusing(dump.path):
            for batch_rows in _verify_table(dump, table, entry):
                done += batch_rows
        if progress is not None:
            progress(f"verify {table.name}", done, dump.manifest.rows)


def _verify_table(dump: OpenDump, table: Table, entry: TableEntry) -> Iterator[int]:
    digest = TableDigest(table)
    keys = _KeyOrder(table)
    for batch in dump.read(table):
        for column, array in zip(table.dumped_columns, batch.columns, strict=True):
            _check_values(table, column, array)
        keys.check(batch)
        digest.update(batch)
        yield batch.num_rows
    if digest.hexdigest() != entry.content_digest:
        raise Refused(f"{table.name}: дайджест не сходится", f"{table.name}: wrong digest")


def _check_values(table: Table, column: Column, array: pa.Array) -> None:
    """What Arrow's own validation (UTF-8, decimal precision, offsets) does not cover."""
    if column.kind == "text":
        good = b"\0" not in byte_data(array).to_pybytes()
    elif column.kind == "timestamp":
        good = _good_times(array.view(pa.int64()))
    else:
        return
    if not good:
        place = f"{table.name}.{column.name}"
        raise Refused(f"{place}: недопустимое значение", f"{place}: a value that is not allowed")


def _good_times(micros: pa.Array) -> bool:
    bounds = pc.min_max(micros).as_py()
    if not _EARLIEST <= bounds["min"] <= bounds["max"] <= _LATEST:
        return False
    whole = pc.multiply(pc.divide(micros, _SECOND), _SECOND)
    return bool(pc.all(pc.equal(whole, micros)).as_py())


class _KeyOrder:
    """Sees that primary keys grow strictly from row to row and from batch to batch."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._last: list[Any] | None = None

    def check(self, batch: pa.RecordBatch) -> None:
        keys = [batch.column(name) for name in self._table.primary_key]
        rows = batch.num_rows
        if self._last is not None:
            self._demand([(last, key.slice(0, 1)) for last, key in zip(self._last, keys, strict=True)])
        if rows > 1:
            self._demand([(key.slice(0, rows - 1), key.slice(1)) for key in keys])
        self._last = [key.slice(rows - 1) for key in keys]

    def _demand(self, pairs: list[tuple[pa.Array, pa.Array]]) -> None:
        grows: Any = None
        for before, after in reversed(pairs):
            greater = pc.greater(after, before)
            grows = greater if grows is None else pc.or_(greater, pc.and_(pc.equal(after, before), grows))
        # A key without columns has one row.
        if grows is None or not pc.all(grows).as_py():
            name = self._table.name
            raise Refused(f"{name}: ключи не по порядку или повторяются", f"{name}: keys out of order or repeated")


# --- loading ---


def load_dump(
    path: Path, staged_engine: StorageEngine, password: str | None = None, progress: Progress | None = None
) -> Kernel:
    """Verify the dump, then fill the empty staged store with it. The caller gives the base its identity and publishes it.

    Every byte read for loading is hashed again, so a file changed in between is refused as well. DumpInvalid and its kin.
    """
    return load_with_manifest(path, staged_engine, password, progress)[0]


def load_with_manifest(
    path: Path, staged_engine: StorageEngine, password: str | None = None, progress: Progress | None = None
) -> tuple[Kernel, Manifest]:
    """`load_dump`, and what the dump said of the base it was made from."""
    with open_dump(path, password) as dump:
        _verify_tables(dump, progress)
        loader = Loader(dump.configuration, staged_engine, _refusing_read(dump), progress, parallel=True)
        try:
            kernel = loader.run([(table, entry.rows) for table, entry in dump.tables], dump.manifest.rows)
        except (NotUnique, NumberOverflow) as error:
            raise DumpInvalid(place=path, detail=error) from error
        return kernel, dump.manifest


def _refusing_read(dump: OpenDump) -> Any:
    def read(table: Table) -> Iterator[pa.RecordBatch]:
        with refusing(dump.path):
            yield from dump.read(table)

    return read
