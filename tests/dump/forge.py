"""Taking a dump apart and putting it together wrong: what an attacker or a bad disk would hand to `restore`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

import pyarrow as pa

from infobase.digest import content_digest, digest_table
from infobase.dump_format import CONFIGURATION, MANIFEST, member_of
from infobase.dump_stream import expanded_bytes
from infobase.dump_zip import member_info
from infobase.storage import Table

Members = dict[str, bytes]
Manifest = dict[str, Any]


def unpack(path: Path) -> Members:
    with ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(path: Path, members: list[tuple[str | ZipInfo, bytes]]) -> Path:
    with ZipFile(path, "w") as archive:
        for name, data in members:
            info = member_info(name) if isinstance(name, str) else name
            with archive.open(info, "w", force_zip64=True) as target:
                target.write(data)
    return path


def repack(source: Path, target: Path, change: Callable[[Members], None]) -> Path:
    members = unpack(source)
    change(members)
    return pack(target, list(members.items()))


def manifest_of(members: Members) -> Manifest:
    found: Manifest = json.loads(members[MANIFEST])
    return found


def with_manifest(source: Path, target: Path, change: Callable[[Manifest], None]) -> Path:
    """The same dump with an edited manifest."""

    def edit(members: Members) -> None:
        manifest = manifest_of(members)
        change(manifest)
        members[MANIFEST] = json.dumps(manifest).encode()

    return repack(source, target, edit)


def stream(batches: list[pa.RecordBatch], codec: str | None = "zstd") -> bytes:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=codec)
    with pa.ipc.new_stream(sink, batches[0].schema, options=options) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return bytes(sink.getvalue())


def with_table(source: Path, target: Path, table: Table, batches: list[pa.RecordBatch], **claims: object) -> Path:
    """The dump with a table's content replaced and every sum made right again, as a clever forger would; `claims` override the entry."""
    columns = table.dumped_columns
    entry: dict[str, object] = {
        "rows": sum(b.num_rows for b in batches),
        "expanded": sum(expanded_bytes(b, columns) for b in batches),
    }
    try:
        entry["content_digest"] = digest_table(batches, table)[1]
    except ValueError:
        entry["content_digest"] = "0" * 64
    return with_stream(source, target, table.name, stream(batches), {**entry, **claims})


def with_stream(source: Path, target: Path, table: str, data: bytes, claims: dict[str, object]) -> Path:
    def edit(members: Members) -> None:
        members[member_of(table)] = data
        manifest = manifest_of(members)
        entry = next(t for t in manifest["tables"] if t["name"] == table)
        entry.update({"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), **claims})
        tables = {t["name"]: t["content_digest"] for t in manifest["tables"]}
        manifest["content_digest"] = content_digest(manifest["configuration"]["digest"], tables)
        members[MANIFEST] = json.dumps(manifest).encode()

    return repack(source, target, edit)


__all__ = ["CONFIGURATION", "MANIFEST"]
