"""The DBF reader: against dbfread as the oracle, against real files, and against every kind of damage."""

from __future__ import annotations

import datetime as dt
import io
import struct
import tempfile
from pathlib import Path

import pytest
from dbfread import DBF
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.dbf import BLOCK_RECORDS, DbfTable, Prefix
from classifiers.dbf_header import DbfInput, file_input
from classifiers.dbf_write import write_dbf
from infobase.errors import ClassifierInvalid

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "classifiers"
DAY = dt.date(2012, 8, 14)
FIELDS = {"NAME": 40, "CODE": 17}
RUSSIAN = st.text("АБВЯабвяЁё №12-.()", max_size=40).map(str.rstrip)


def in_memory(data: bytes) -> DbfInput:
    return DbfInput(Path("T.DBF"), len(data), lambda: io.BytesIO(data))


def made(tmp_path: Path, rows: list[tuple[str, str]], encoding: str = "cp866") -> bytes:
    path = tmp_path / "t.dbf"
    write_dbf(path, FIELDS, rows, DAY, encoding)
    return path.read_bytes()


def rows_of(data: bytes, region: Prefix | None = None) -> list[tuple[str, ...]]:
    table = DbfTable(in_memory(data), "cp866")
    return [row for b in table.blocks(("NAME", "CODE"), region) for row in zip(*b.columns, strict=True)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(RUSSIAN, st.from_regex(r"[0-9]{17}", fullmatch=True)), max_size=30), st.data())
def test_records_are_those_dbfread_finds(rows: list[tuple[str, str]], data: st.DataObject) -> None:
    deleted = data.draw(st.sets(st.integers(0, max(len(rows) - 1, 0))))

    with tempfile.TemporaryDirectory() as folder:
        content = bytearray(made(Path(folder), rows))
        for i in deleted if rows else ():
            content[97 + i * 58] = 0x2A
        path = Path(folder) / "o.dbf"
        path.write_bytes(content)
        oracle = [(r["NAME"], r["CODE"]) for r in DBF(str(path), encoding="cp866")]
    assert rows_of(bytes(content)) == oracle
    for region in {r[1][:2] for r in rows}:
        wanted = Prefix("CODE", frozenset({region}))
        assert rows_of(bytes(content), wanted) == [r for r in oracle if r[1][:2] == region]


def test_several_regions_over_block_boundaries(tmp_path: Path) -> None:
    rows = [(f"Улица {i}", f"{i % 92 + 1:02d}{i:015d}") for i in range(BLOCK_RECORDS * 2 + 100)]
    content = made(tmp_path, rows)
    wanted = Prefix("CODE", frozenset({"01", "77", "92"}))
    table = DbfTable(in_memory(content), "cp866")
    blocks = list(table.blocks(("NAME", "CODE"), wanted))
    assert [r for b in blocks for r in zip(*b.columns, strict=True)] == [
        r for r in rows if r[1][:2] in ("01", "77", "92")
    ]
    assert [n for b in blocks for n in b.numbers] == [i + 1 for i, r in enumerate(rows) if r[1][:2] in wanted.values]


def test_deleted_records_are_counted_and_skipped(tmp_path: Path) -> None:
    content = bytearray(made(tmp_path, [("а", "1" * 17), ("б", "2" * 17), ("в", "3" * 17)]))
    content[97 + 58] = 0x2A
    table = DbfTable(in_memory(bytes(content)), "cp866")
    assert [r[0] for r in table.rows(("NAME",))] == ["а", "в"]
    assert table.deleted == 1


def test_zeros_count_as_blanks(tmp_path: Path) -> None:
    content = made(tmp_path, [("Мир", "1" * 17)]).replace(b" " * 37, b"\0" * 37)
    assert rows_of(content) == [("Мир", "1" * 17)]


@pytest.mark.parametrize("encoding", ["cp1251", "utf-8"])
def test_a_wrong_code_page_is_named_with_record_and_field(tmp_path: Path, encoding: str) -> None:
    rows = [("x", "1" * 17), ("Майкоп", "2" * 17)]
    path = tmp_path / "t.dbf"
    if encoding == "utf-8":
        name = "Майкоп".encode().decode("latin-1")
        write_dbf(path, FIELDS, [rows[0], (name, "2" * 17)], DAY, "latin-1")
    else:
        write_dbf(path, FIELDS, rows, DAY, encoding)
    with pytest.raises(ClassifierInvalid) as caught:
        rows_of(path.read_bytes())
    assert "запись 2, поле NAME" in str(caught.value) or "record 2, field NAME" in str(caught.value)


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    content = made(tmp_path, [(f"Улица {i}", f"{i:017d}") for i in range(3)])
    for length in range(len(content) - 1):
        with pytest.raises(ClassifierInvalid):
            rows_of(content[:length])
    assert len(rows_of(content[:-1])) == 3, "the last byte, 0x1A, may be missing"
    with pytest.raises(ClassifierInvalid, match=r"запис[ьи] 3|record 3"):
        rows_of(content[: 97 + 58 * 2 + 20])


@pytest.mark.parametrize("declared", [0, 2, 4, 1_000_000, 0xFFFFFFFF])
def test_a_count_that_lies_is_refused_with_both_numbers(tmp_path: Path, declared: int) -> None:
    content = bytearray(made(tmp_path, [(f"Улица {i}", f"{i:017d}") for i in range(3)]))
    content[4:8] = struct.pack("<I", declared)
    with pytest.raises(ClassifierInvalid) as caught:
        rows_of(bytes(content))
    assert str(declared) in str(caught.value)
    assert "3" in str(caught.value)


def test_every_single_damaged_header_byte_is_refused_or_harmless(tmp_path: Path) -> None:
    rows = [(f"Улица {i}", f"{i:017d}") for i in range(3)]
    content = made(tmp_path, rows)
    for at in range(97):
        for value in (0, 0xFF, content[at] ^ 1):
            damaged = bytearray(content)
            damaged[at] = value
            try:
                assert len(rows_of(bytes(damaged))) == 3
            except (ClassifierInvalid, KeyError) as error:
                assert isinstance(error, ClassifierInvalid) or 32 <= at < 96  # another name: `demand` tells


def test_missing_fields_and_widths_are_named(tmp_path: Path) -> None:
    source = in_memory(made(tmp_path, []))
    header = DbfTable(source, "cp866").header
    header.demand(source, {"NAME": 0, "CODE": 17})
    with pytest.raises(ClassifierInvalid, match="SOCR"):
        header.demand(source, {"SOCR": 10})
    with pytest.raises(ClassifierInvalid, match=r"C\(13\)"):
        header.demand(source, {"CODE": 13})


@pytest.mark.parametrize("content", [b"", b"PK\3\4" + b"\0" * 60, b"\x83" + b"\0" * 96, b"<?xml" + b" " * 90])
def test_other_files_are_refused(content: bytes) -> None:
    with pytest.raises(ClassifierInvalid):
        DbfTable(in_memory(content), "cp866")


@pytest.mark.parametrize(("byte", "year"), [(10, 2010), (110, 2010), (99, 1999), (126, 2026)])
def test_both_forms_of_the_year_are_read(tmp_path: Path, byte: int, year: int) -> None:
    content = bytearray(made(tmp_path, []))
    content[1] = byte
    assert DbfTable(in_memory(bytes(content)), "cp866").header.date == dt.date(year, 8, 14)


@pytest.mark.skipif(not REAL.is_dir(), reason="the real classifier files are not here")
def test_real_files_are_as_dbfread_finds_them() -> None:
    for path in sorted(REAL.rglob("*.DBF")):
        table = DbfTable(file_input(path), "cp866")
        oracle = DBF(str(path), encoding="cp866", raw=True)
        names = [f.name for f in table.header.fields]
        assert names == oracle.field_names
        ours = list(table.rows(names))
        theirs = [tuple(v.decode("cp866").rstrip("\0 ") for v in record.values()) for record in oracle]
        assert [tuple(v.rstrip() for v in row) for row in ours] == theirs, path
