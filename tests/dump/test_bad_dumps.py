"""Whatever is wrong with a dump, it is refused with a dump error before anything is written."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import random
import stat
import struct
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from infobase.arrow import arrow_schema
from infobase.dump_format import CONFIGURATION, MANIFEST, member_of
from infobase.dump_zip import member_info
from infobase.errors import DumpEncrypted, DumpInvalid, DumpVersionUnsupported, GenuineFile, InfobaseError
from infobase.restore import load_dump, verify_dump
from infobase.schema.layout import build_layout
from infobase.storage import Table
from tests.dump import forge
from tests.dump.conftest import StoresOf
from tests.dump.sample import PRODUCTS, configuration, sample

REFUSALS = (DumpInvalid, DumpEncrypted, DumpVersionUnsupported, GenuineFile)
PRODUCTS_TABLE = build_layout(configuration()).objects[PRODUCTS].table


def refused(path: Path, password: str | None = None) -> InfobaseError:
    with pytest.raises(REFUSALS) as caught:
        verify_dump(path, password)
    assert str(path) in str(caught.value)
    return caught.value


def products(change: Callable[[list[dict[str, object]]], None]) -> list[pa.RecordBatch]:
    """The sample's products with some values changed."""
    _, content = sample(seed=7, rows=4)
    schema = arrow_schema(PRODUCTS_TABLE.dumped_columns)
    rows = [dict(zip(schema.names, row, strict=True)) for row in content.rows[PRODUCTS_TABLE.name]]
    change(rows)
    columns = [pa.array([r[n] for r in rows], t) for n, t in zip(schema.names, schema.types, strict=True)]
    return [pa.RecordBatch.from_arrays(columns, schema=schema)]


# --- damage ---


def test_good_dump_is_accepted(good_dump: Path) -> None:
    summary = verify_dump(good_dump)
    assert (summary.tables, summary.rows, summary.mode) == (11, 41, "file")
    assert stat.S_IMODE(good_dump.stat().st_mode) == 0o600


def test_cut_anywhere(good_dump: Path, tmp_path: Path) -> None:
    data = good_dump.read_bytes()
    bad = tmp_path / "cut.dt"
    chosen = {*range(64), *range(len(data) - 128, len(data)), *range(0, len(data), 97)}
    for length in sorted(chosen):
        bad.write_bytes(data[:length])
        refused(bad)


@pytest.mark.parametrize("seed", range(4))
def test_one_flipped_bit_anywhere(good_dump: Path, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    data = good_dump.read_bytes()
    bad = tmp_path / "flip.dt"
    for _ in range(120):
        flipped = bytearray(data)
        # Half of the flips fall on headers and the directory, which are small beside the data.
        place = chance.randrange(len(data)) if chance.random() < 0.5 else len(data) - 1 - chance.randrange(1500)
        flipped[place] ^= 1 << chance.randrange(8)
        bad.write_bytes(flipped)
        refused(bad)


def test_sealed_dump_cut_flipped_and_wrong_password(good_dump: Path, tmp_path: Path) -> None:
    sealed = good_dump.with_name("sealed.dt")
    data = sealed.read_bytes()
    assert verify_dump(sealed, "пароль").content_digest == verify_dump(good_dump).content_digest
    assert b"PK" not in data[:100]
    assert isinstance(refused(sealed), DumpEncrypted)
    assert isinstance(refused(sealed, "не тот"), DumpEncrypted)
    bad = tmp_path / "sealed.dt"
    for place in (0, 8, 9, 20, 40, 60, len(data) // 2, len(data) - 1):
        bad.write_bytes(data[:place])
        refused(bad, "пароль")
        bad.write_bytes(data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :])
        refused(bad, "пароль")


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", DumpInvalid),
        (b"1CIBDmpF2\x00\x00\x00 real", GenuineFile),
        (b"1CDBMSV8\x08\x03\x08\x00", GenuineFile),
        (b"not a dump at all" * 10, DumpInvalid),
        (b"INFOBDT1", DumpInvalid),
        (b"PK\x05\x06" + bytes(18), DumpInvalid),
    ],
)
def test_other_files(tmp_path: Path, content: bytes, error: type[InfobaseError]) -> None:
    path = tmp_path / "other.dt"
    path.write_bytes(content)
    assert isinstance(refused(path, "password"), error)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert isinstance(refused(tmp_path / "none.dt"), DumpInvalid)
    assert isinstance(refused(tmp_path), DumpInvalid)


# --- the container ---


def test_extra_missing_and_duplicate_members(good_dump: Path, tmp_path: Path) -> None:
    members = forge.unpack(good_dump)
    items = list(members.items())
    bad = tmp_path / "bad.dt"
    refused(forge.pack(bad, [*items, ("data/more.arrow", b"")]))
    for name in members:
        refused(forge.pack(bad, [i for i in items if i[0] != name]))
    with pytest.warns(UserWarning, match="Duplicate"):
        refused(forge.pack(bad, [*items, items[0]]))


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/etc/evil",
        "data/../evil.arrow",
        "data\\evil.arrow",
        "C:\\evil",
        "data/evil.arrow\x00.txt",
        "data/",
        "data/Ю.arrow",
        "a" * 300,
    ],
)
def test_odd_names(good_dump: Path, tmp_path: Path, name: str) -> None:
    info = member_info("data/evil.arrow")
    info.filename = name
    items: list[tuple[str | forge.ZipInfo, bytes]] = [*forge.unpack(good_dump).items(), (info, b"evil")]
    refused(forge.pack(tmp_path / "bad.dt", items))


def test_symlinks_compression_encryption_and_hidden_bytes(good_dump: Path, tmp_path: Path) -> None:
    members = forge.unpack(good_dump)
    bad = tmp_path / "bad.dt"

    def packed(**attributes: object) -> Path:
        items: list[tuple[str | forge.ZipInfo, bytes]] = []
        for name, data in members.items():
            info = member_info(name)
            if name == CONFIGURATION:
                for key, value in attributes.items():
                    setattr(info, key, value)
            items.append((info, data))
        return forge.pack(bad, items)

    assert verify_dump(packed()).rows
    refused(packed(external_attr=(stat.S_IFLNK | 0o777) << 16))
    refused(packed(compress_type=8))
    refused(packed(comment=b"hidden"))
    refused(packed(extra=struct.pack("<HH4s", 0x7075, 4, b"evil")))
    data = good_dump.read_bytes()
    bad.write_bytes(b"#!/bin/sh\n" + data)
    refused(bad)
    bad.write_bytes(data + b"tail")
    refused(bad)


# --- the manifest and the configuration ---


def test_newer_format_says_so(good_dump: Path, tmp_path: Path) -> None:
    bad = forge.with_manifest(good_dump, tmp_path / "new.dt", lambda m: m.update(format_version=2, tables="changed"))
    assert isinstance(refused(bad), DumpVersionUnsupported)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(format="other"),
        lambda m: m.update(format_version="1"),
        lambda m: m.update(format_version=True),
        lambda m: m.update(tables={}),
        lambda m: m.pop("mode"),
        lambda m: m.update(content_digest="0" * 64),
        lambda m: m["configuration"].update(digest="0" * 64),
        lambda m: m["configuration"].update(name="Other"),
        lambda m: m["configuration"].update(bytes=-1),
        lambda m: m["tables"].append(m["tables"][0]),
        lambda m: m["tables"].pop(),
        lambda m: m["tables"][0].update(rows=1 << 61),
        lambda m: m["infobase"].update(name="\ud800"),
        lambda m: m["tables"][0].update(expanded=1 << 61),
        lambda m: m["tables"][0].update(member="../../etc/passwd"),
        lambda m: m["tables"][0].update(sha256="0" * 64),
        lambda m: m["tables"][0].update(rows=m["tables"][0]["rows"] + 1),
        lambda m: m["tables"][0]["columns"].pop(),
        lambda m: m["tables"][0]["columns"][0].update(type="int64"),
    ],
)
def test_manifest_lies(good_dump: Path, tmp_path: Path, change: Callable[[forge.Manifest], None]) -> None:
    assert isinstance(refused(forge.with_manifest(good_dump, tmp_path / "bad.dt", change)), DumpInvalid)


DOCUMENTS = [
    b"",
    b"{}",
    b"[]",
    b"\xff\xfe",
    b"[" * 200_000,
    b'{"a":1,"a":2}',
    b'{"format":NaN}',
    b"null",
    b"1" * 5000,
    b'"\\ud800"',
    b'{"head":{},"objects":[]}',
    b'{"head":[],"objects":[{"kind":[]}]}',
]


@pytest.mark.parametrize("content", DOCUMENTS)
def test_manifest_that_is_none(good_dump: Path, tmp_path: Path, content: bytes) -> None:
    bad = forge.repack(good_dump, tmp_path / "bad.dt", lambda members: members.update({MANIFEST: content}))
    assert isinstance(refused(bad), DumpInvalid)


@pytest.mark.parametrize("content", DOCUMENTS)
def test_configuration_that_is_none(good_dump: Path, tmp_path: Path, content: bytes) -> None:
    """Its sums in the manifest are right, so that it is the configuration's reader that must refuse."""
    digest = hashlib.sha256(content).hexdigest()

    def change(members: forge.Members) -> None:
        manifest = forge.manifest_of(members)
        manifest["configuration"].update(bytes=len(content), sha256=digest, digest=digest)
        members[MANIFEST] = json.dumps(manifest).encode()
        members[CONFIGURATION] = content

    error = refused(forge.repack(good_dump, tmp_path / "bad.dt", change))
    assert isinstance(error, DumpInvalid)
    assert "checksum" not in str(error)


# --- tables ---


def test_forged_table_with_right_sums_is_accepted(good_dump: Path, tmp_path: Path) -> None:
    """The forger's tools themselves are right, so that the refusals below are for the reason meant."""
    path = forge.with_table(good_dump, tmp_path / "same.dt", PRODUCTS_TABLE, products(lambda rows: None))
    assert verify_dump(path).content_digest == verify_dump(good_dump).content_digest


BAD_ROWS: dict[str, tuple[str, Callable[[list[dict[str, object]]], None]]] = {
    "keys out of order": ("keys out of order", lambda rows: rows.reverse()),
    "repeated key": ("keys out of order or repeated", lambda rows: rows.insert(1, rows[0])),
    "null": ("bad number of rows", lambda rows: rows[1].update(description=None)),
    "NUL in text": ("description: a value", lambda rows: rows[1].update(description="a\0b")),
    "fraction of a second": (
        "made: a value",
        lambda rows: rows[1].update(made=dt.datetime(2020, 1, 1, 0, 0, 0, 5)),
    ),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_bad_rows(good_dump: Path, tmp_path: Path, case: str) -> None:
    reason, change = BAD_ROWS[case]
    bad = forge.with_table(good_dump, tmp_path / "bad.dt", PRODUCTS_TABLE, products(change))
    error = refused(bad)
    assert isinstance(error, DumpInvalid)
    assert reason in str(error)


def replaced(batch: pa.RecordBatch, name: str, array: pa.Array) -> list[pa.RecordBatch]:
    columns = [array if n == name else batch.column(n) for n in batch.schema.names]
    return [pa.RecordBatch.from_arrays(columns, schema=batch.schema)]


def raw(kind: pa.DataType, rows: int, *buffers: bytes) -> pa.Array:
    return pa.Array.from_buffers(kind, rows, [None, *map(pa.py_buffer, buffers)])


def test_values_no_column_can_hold(good_dump: Path, tmp_path: Path) -> None:
    (batch,) = products(lambda rows: None)
    path = tmp_path / "bad.dt"
    rows = batch.num_rows
    far = [2**62, -(2**62), 253_402_300_800_000_000, -62_135_596_801_000_000]
    for micros in far:
        column = raw(pa.timestamp("us"), rows, struct.pack("<q", micros) * rows)
        assert isinstance(
            refused(forge.with_table(good_dump, path, PRODUCTS_TABLE, replaced(batch, "made", column))), DumpInvalid
        )
    large = raw(pa.decimal128(15, 2), rows, (10**15).to_bytes(16, "little") * rows)
    assert isinstance(
        refused(forge.with_table(good_dump, path, PRODUCTS_TABLE, replaced(batch, "price", large))), DumpInvalid
    )
    for offsets, text in [((0, 2, 4, 6, 8), b"\xed\xa0\x80\xff\xff\xff\xff\xff"), ((0, 9, 1, 2, 3), b"abcdefghi")]:
        column = raw(pa.utf8(), rows, struct.pack("<5i", *offsets), text)
        bad = forge.with_stream(
            good_dump,
            path,
            PRODUCTS_TABLE.name,
            forge.stream(replaced(batch, "note", column)),
            {"rows": rows, "expanded": 10**6},
        )
        assert isinstance(refused(bad), DumpInvalid)


def test_other_columns_codec_and_trailing_bytes(good_dump: Path, tmp_path: Path) -> None:
    (batch,) = products(lambda rows: None)
    path = tmp_path / "bad.dt"
    entry: dict[str, object] = {}

    def refuse(data: bytes) -> None:
        assert isinstance(refused(forge.with_stream(good_dump, path, PRODUCTS_TABLE.name, data, entry)), DumpInvalid)

    good = forge.unpack(good_dump)[member_of(PRODUCTS_TABLE.name)]
    refuse(b"")
    refuse(good + good)
    refuse(good[:-8])
    refuse(good[:-8] + bytes(8))
    refuse(forge.stream([batch], codec=None))
    refuse(forge.stream([batch], codec="lz4"))
    refuse(forge.stream([batch.select(batch.schema.names[:-1])]))
    refuse(forge.stream([batch.slice(0, 0), batch]))
    refuse(forge.stream([batch.replace_schema_metadata({"evil": "1"})]))
    dictionary = pa.RecordBatch.from_arrays([batch.column("description").dictionary_encode()], ["description"])
    refuse(forge.stream([dictionary]))


def bomb(table: Table, rows: int, declared: int) -> tuple[bytes, int]:
    """A stream whose text column claims `declared` bytes in its zstd header; the bytes to change are found by value."""
    schema = arrow_schema(table.dumped_columns)
    marker = 3_217_981
    columns = [
        pa.array(["\x01" * marker] + [""] * (rows - 1), t)
        if t == pa.utf8() and i == 5
        else pa.nulls(rows, t).fill_null(_zero(t))
        for i, t in enumerate(schema.types)
    ]
    data = forge.stream([pa.RecordBatch.from_arrays(columns, schema=schema)])
    found = struct.pack("<q", marker)
    assert data.count(found) == 1
    return data.replace(found, struct.pack("<q", declared)), marker


def _zero(kind: pa.DataType) -> object:
    if kind == pa.binary(16):
        return bytes(16)
    if pa.types.is_timestamp(kind):
        return dt.datetime(1, 1, 1)
    if pa.types.is_binary(kind):
        return b""
    return "" if kind == pa.utf8() else 0 if not pa.types.is_boolean(kind) else False


@pytest.mark.parametrize("declared", [1 << 62, 1 << 40, 1 << 31, 200 << 20, -2])
def test_bomb_is_not_expanded(good_dump: Path, tmp_path: Path, declared: int) -> None:
    data, _ = bomb(PRODUCTS_TABLE, 2, declared)
    claims: dict[str, object] = {"rows": 2, "expanded": 4_000_000}
    bad = forge.with_stream(good_dump, tmp_path / "bomb.dt", PRODUCTS_TABLE.name, data, claims)
    before = pa.total_allocated_bytes()
    assert isinstance(refused(bad), DumpInvalid)
    assert pa.default_memory_pool().max_memory() - before < 100 << 20


def test_implausible_expansion_is_refused_by_the_manifest(good_dump: Path, tmp_path: Path) -> None:
    bad = forge.with_manifest(good_dump, tmp_path / "bomb.dt", lambda m: m["tables"][1].update(expanded=1 << 50))
    assert isinstance(refused(bad), DumpInvalid)


# --- nothing is written ---


def test_refused_dump_leaves_the_store_empty(good_dump: Path, tmp_path: Path, stores_of: StoresOf) -> None:
    bad = forge.with_table(good_dump, tmp_path / "bad.dt", PRODUCTS_TABLE, products(BAD_ROWS["repeated key"][1]))
    with stores_of("file").staged() as store:
        before = store.size().bytes
        with pytest.raises(DumpInvalid):
            load_dump(bad, store)
        assert store.size().bytes == before
        assert load_dump(good_dump, store).configuration.name == "Sample"


def test_repeated_unique_code_is_the_dumps_fault(good_dump: Path, tmp_path: Path, stores_of: StoresOf) -> None:
    """Unique indexes are the one thing verified by building them; the store is a staged one, so nothing published changes."""
    bad = forge.with_table(
        good_dump, tmp_path / "bad.dt", PRODUCTS_TABLE, products(lambda rows: rows[1].update(code=rows[0]["code"]))
    )
    with stores_of("file").staged() as store, pytest.raises(DumpInvalid):
        load_dump(bad, store)
