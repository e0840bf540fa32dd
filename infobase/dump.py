"""Writing a `.dt`: one snapshot of a base, in constant memory, while users keep working.

Rows go engine -> Arrow batches -> digest and zstd -> zip member -> file (-> AES-256-GCM); reading and packing run side by side.
The file appears under its name only when it is whole.
"""

from __future__ import annotations

import datetime as dt
import errno
import hashlib
import io
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, cast
from zipfile import ZipFile

import pyarrow as pa

from infobase.arrow import arrow_schema, conform
from infobase.digest import Progress, TableDigest, content_digest
from infobase.dump_crypto import EncryptingWriter
from infobase.dump_format import (
    CONFIGURATION,
    MANIFEST,
    MAX_BATCH_ROWS,
    WRITTEN_BATCH_BYTES,
    DumpSummary,
    Manifest,
    TableEntry,
    columns_of,
    manifest_json,
    member_of,
    summary_of,
)
from infobase.dump_stream import expanded_bytes
from infobase.dump_zip import member_info
from infobase.errors import DiskFull, DumpNotWritten, InfobaseDamaged, TargetExists
from infobase.files import aside, settle, settle_name
from infobase.kernel import Kernel
from infobase.metadata import canonical
from infobase.storage import Snapshot, Table

BATCHES_AHEAD = 3
"""Batches read and not yet packed: what keeps both sides busy, and the memory bounded."""
ZSTD_LEVEL = 1
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class _Tap(io.RawIOBase):
    """Passes what is written on, counting and hashing it."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target
        self._sha256 = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        view = memoryview(cast(bytes, data)).cast("B")
        self._sha256.update(view)
        self._target.write(view)
        self.size += len(view)
        return len(view)

    def hexdigest(self) -> str:
        return self._sha256.hexdigest()


class _Pipe:
    """Runs work on one other thread, in order, at most BATCHES_AHEAD behind; its errors come out here."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "infobase-dump")
        self._pending: deque[Future[None]] = deque()

    def submit(self, work: Callable[[pa.RecordBatch], None], batch: pa.RecordBatch) -> None:
        self._pending.append(self._pool.submit(work, batch))
        while len(self._pending) > BATCHES_AHEAD:
            self._pending.popleft().result()

    def drain(self) -> None:
        while self._pending:
            self._pending.popleft().result()

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


class _TableWriter:
    """Packs one table's batches into its member."""

    def __init__(self, table: Table, target: IO[bytes]) -> None:
        self.table = table
        self._digest = TableDigest(table)
        self._tap = _Tap(target)
        self._expanded = 0
        self._schema = arrow_schema(table.dumped_columns)
        codec = pa.Codec("zstd", compression_level=ZSTD_LEVEL)
        options = pa.ipc.IpcWriteOptions(compression=codec)
        self._stream = pa.ipc.new_stream(pa.PythonFile(self._tap, "w"), self._schema, options=options)

    def write(self, batch: pa.RecordBatch) -> None:
        batch = conform(batch, self._schema)
        self._digest.update(batch)
        for part in _split(batch):
            self._expanded += expanded_bytes(part, self.table.dumped_columns)
            self._stream.write_batch(part)

    def finish(self) -> TableEntry:
        self._stream.close()
        return TableEntry(
            name=self.table.name,
            columns=columns_of(self.table),
            rows=self._digest.rows,
            bytes=self._tap.size,
            expanded=self._expanded,
            sha256=self._tap.hexdigest(),
            content_digest=self._digest.hexdigest(),
        )


def _split(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Parts small enough for a reader to hold; single rows in the end, however big they are."""
    rows = batch.num_rows
    if not rows:
        return
    if rows == 1 or (rows <= MAX_BATCH_ROWS and batch.nbytes <= WRITTEN_BATCH_BYTES):
        yield batch
        return
    half = min(rows // 2, MAX_BATCH_ROWS)
    yield from _split(batch.slice(0, half))
    yield from _split(batch.slice(half))


def _write_table(archive: ZipFile, snapshot: Snapshot, table: Table) -> TableEntry:
    pipe = _Pipe()
    with archive.open(member_info(member_of(table.name)), "w", force_zip64=True) as target:
        try:
            writer = _TableWriter(table, target)
            for batch in snapshot.read(table):
                pipe.submit(writer.write, batch)
            pipe.drain()
            return writer.finish()
        finally:
            pipe.close()


def _write_tables(kernel: Kernel, archive: ZipFile, progress: Progress | None) -> tuple[list[TableEntry], str]:
    """The tables and the time of their snapshot."""
    wanted = kernel.layout.dumped
    made = []
    with kernel.engine.snapshot() as snapshot:
        taken = _now()
        for done, table in enumerate(wanted):
            if progress is not None:
                progress(table.name, done, len(wanted))
            try:
                made.append(_write_table(archive, snapshot, table))
            except ValueError as error:
                raise InfobaseDamaged(place=kernel.engine.place, detail=f"{table.name}: {error}") from error
    return made, taken


def _now() -> str:
    return f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"


def _write_document(archive: ZipFile, name: str, data: bytes) -> None:
    with archive.open(member_info(name), "w", force_zip64=True) as target:
        target.write(data)


def _write_container(
    kernel: Kernel,
    target: IO[bytes],
    identity: tuple[str, str, bool],
    only_configuration: bool,
    progress: Progress | None,
) -> Manifest:
    configuration = kernel.configuration
    content = canonical.to_json(configuration)
    digest = canonical.digest(configuration)
    with ZipFile(target, "w") as archive:
        tables, taken = ([], _now()) if only_configuration else _write_tables(kernel, archive, progress)
        manifest = Manifest(
            infobase_id=identity[0],
            infobase_name=identity[1],
            mode=kernel.engine.traits.mode,
            configuration_name=configuration.name,
            configuration_version=configuration.version,
            configuration_digest=digest,
            configuration_bytes=len(content),
            configuration_sha256=hashlib.sha256(content).hexdigest(),
            snapshot_time=taken,
            only_configuration=only_configuration,
            content_digest=content_digest(digest, {t.name: t.content_digest for t in tables}),
            tables=tuple(tables),
            demo=identity[2],
        )
        _write_document(archive, CONFIGURATION, content)
        _write_document(archive, MANIFEST, manifest_json(manifest))
    return manifest


def write_dump(
    kernel: Kernel,
    target: Path,
    *,
    infobase_id: str,
    infobase_name: str,
    demo: bool = False,
    password: str | None = None,
    replace: bool = False,
    only_configuration: bool = False,
    progress: Progress | None = None,
) -> DumpSummary:
    """Dump the base as it is at this moment into `target`.

    TargetExists without `replace`; DiskFull, DumpNotWritten: nothing is left behind. Readable by its owner alone (mode 0600).
    """
    if target.exists() and not (replace and target.is_file()):
        raise TargetExists(place=target)
    with _file_errors(target), _whole_file(target, replace) as handle:
        identity = (infobase_id, infobase_name, demo)
        if password is None:
            manifest = _write_container(kernel, handle, identity, only_configuration, progress)
        else:
            sealed = EncryptingWriter(handle, password)
            manifest = _write_container(kernel, cast(IO[bytes], sealed), identity, only_configuration, progress)
            sealed.finish()
        size = handle.tell()
    return summary_of(manifest, target, size, password is not None)


@contextmanager
def _file_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        detail = error.strerror or str(error)
        if error.errno in _NO_SPACE:
            raise DiskFull(place=target, detail=detail) from error
        raise DumpNotWritten(place=target, detail=detail) from error


@contextmanager
def _whole_file(target: Path, replace: bool) -> Iterator[BinaryIO]:
    """A new file that takes the name `target` when the block ends well, and vanishes when it does not."""
    with aside(target, buffering=1 << 20) as (handle, scratch):
        yield handle
        settle(handle)
        _take_name(scratch, target, replace)


def _take_name(scratch: Path, target: Path, replace: bool) -> None:
    if replace:
        scratch.replace(target)
    else:
        try:
            os.link(scratch, target)
        except FileExistsError as error:
            raise TargetExists(place=target) from error
        except OSError:
            # A file system without hard links: the check and the renaming are two steps.
            if target.exists():
                raise TargetExists(place=target) from None
            scratch.rename(target)
    settle_name(target)
