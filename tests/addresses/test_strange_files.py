"""Files of addresses as strangers make them, on both engines: what means the same loads the same, what is damaged is named and changes nothing."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from classifiers.dbf import DbfTable
from classifiers.dbf_header import file_input
from classifiers.dbf_write import write_dbf
from classifiers.loader import load
from classifiers.sample_gar import gar_name, sample_region, write_gar
from classifiers.sample_kladr import DAY, FIELDS
from infobase.errors import ClassifierInvalid
from infobase.session import Session

REGISTERS = ("AddressObjects", "AddressHouses", "AddressRegions", "AddressTypes", "AddressSuccessors")
NAMESPACE = "http://example.org/gar"


def rows(session: Session) -> list[tuple[object, ...]]:
    return [(n, *r.values()) for n in REGISTERS for r in session.information_registers[n].select()]


def without_digests(found: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """The register of regions notes the files' digests, which differ."""
    return [row for row in found if row[0] != "AddressRegions"]


@pytest.fixture
def empty(session: Session) -> Session:
    for name in (*REGISTERS, "AddressWords"):
        session.information_registers[name].delete({})
    return session


def set_of_gar(folder: Path, region: str = "50", change: Callable[[str], str] = str) -> Path:
    write_gar(folder, {region: sample_region(region)}, DAY)
    for file in folder.rglob("*.XML"):
        file.write_text(change(file.read_text("utf-8-sig")), "utf-8")
    return folder


def undeclared(xml: str) -> str:
    return xml.partition("?>")[2]


def reordered(xml: str) -> str:
    def turned(row: re.Match[str]) -> str:
        attributes = re.findall(r'[A-Z0-9]+="[^"]*"', row[2])
        return f"<{row[1]} {' '.join(reversed(attributes))}/>"

    return re.sub(r"<([A-Z]+) ([^<>]*)/>", turned, xml)


def prefixed(xml: str) -> str:
    """Every element with a prefix, declared by the root."""
    marked = re.sub(r"(</?)([A-Z])", r"\1g:\2", xml)
    return re.sub(r"(<g:[A-Z]+)", rf'\1 xmlns:g="{NAMESPACE}"', marked, count=1)


SAME_GAR: dict[str, Callable[[str], str]] = {
    "attributes in another order": reordered,
    "unknown attributes": lambda x: x.replace(" ID=", " NEWER='1' ID="),
    "no declaration": undeclared,
    "a mark of the order of bytes": lambda x: "\ufeff" + x,
    "a namespace": lambda x: re.sub(r"\?><([A-Z]+)", rf'?><\1 xmlns="{NAMESPACE}"', x),
    "a namespace with a prefix": prefixed,
    "a schema's location": lambda x: re.sub(
        r"\?><([A-Z]+)",
        r'?><\1 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="x.xsd"',
        x,
    ),
    "line feeds inside tags": lambda x: undeclared(x).replace('" ', '"\r\n\t'),
    "single quotes": lambda x: undeclared(x).replace('"', "'"),
    "comments and instructions": lambda x: x.replace("/><", "/><!-- > --><?x y?><"),
    "ends of elements": lambda x: re.sub(r"<([A-Z]+)( [^<>]*)/>", r"<\1\2></\1>", x),
}


@pytest.mark.parametrize("form", SAME_GAR)
def test_gar_written_otherwise_is_the_same(empty: Session, tmp_path: Path, form: str) -> None:
    load(empty, "gar", set_of_gar(tmp_path / "plain"))
    before = rows(empty)
    report = load(empty, None, set_of_gar(tmp_path / "other", change=SAME_GAR[form]))
    assert (report.nothing_new, report.unchanged) == (True, 17)
    assert without_digests(rows(empty)) == without_digests(before)


@pytest.mark.parametrize("encoding", ["utf-16", "windows-1251"])
def test_gar_in_another_encoding_is_the_same(empty: Session, tmp_path: Path, encoding: str) -> None:
    load(empty, "gar", set_of_gar(tmp_path / "plain"))
    other = set_of_gar(tmp_path / "other")
    for file in other.rglob("*.XML"):
        file.write_text(file.read_text("utf-8").replace("utf-8", encoding, 1), encoding)
    assert load(empty, None, other).nothing_new


def test_marks_in_names_arrive_as_they_are_meant(empty: Session, tmp_path: Path) -> None:
    named = "ТСН &quot;Чай &amp; К&#1086;&quot; &lt;1&gt; &amp;amp; &amp;#38;"
    load(empty, "gar", set_of_gar(tmp_path / "gar", change=lambda x: x.replace("Первоград", named)))
    found = {str(r["Name"]) for r in empty.information_registers.AddressObjects.select()}
    assert 'ТСН "Чай & Ко" <1> &amp; &#38;' in found


@pytest.mark.parametrize("content", [b"", b"PK", b"not xml", b"\0" * 100])
@pytest.mark.parametrize("kind", ["ADDR_OBJ", "ADM_HIERARCHY", "HOUSES_PARAMS"])
def test_a_file_of_gar_that_is_no_xml_is_named(empty: Session, tmp_path: Path, kind: str, content: bytes) -> None:
    load(empty, "gar", set_of_gar(tmp_path / "plain"))
    before = rows(empty)
    bad = set_of_gar(tmp_path / "bad")
    victim = bad / "50" / gar_name(kind, DAY)
    victim.write_bytes(content)
    with pytest.raises(ClassifierInvalid) as caught:
        load(empty, "gar", bad)
    assert victim.name in str(caught.value)
    assert rows(empty) == before


def test_gar_cut_anywhere_changes_nothing(empty: Session, tmp_path: Path) -> None:
    bad = set_of_gar(tmp_path / "bad")
    victim = bad / "50" / gar_name("HOUSES", DAY)
    whole = victim.read_bytes()
    for length in (*range(0, 60, 7), *range(60, len(whole), 331), len(whole) - 1):
        victim.write_bytes(whole[:length])
        with pytest.raises(ClassifierInvalid) as caught:
            load(empty, "gar", bad)
        assert victim.name in str(caught.value), length
    assert rows(empty) == []


def test_archives_of_windows_are_read(empty: Session, tmp_path: Path) -> None:
    load(empty, "gar", set_of_gar(tmp_path / "ГАР полный"))
    windows = tmp_path / "выгрузка.zip"
    with zipfile.ZipFile(windows, "w") as archive:
        for file in (tmp_path / "ГАР полный").rglob("*.XML"):
            member = zipfile.ZipInfo("x")
            member.filename = f"Адреса\\50\\{file.name.lower()}"
            archive.writestr(member, file.read_bytes())
    report = load(empty, None, windows)
    assert (report.kind, report.nothing_new, report.unchanged) == ("gar", True, 17)


# --- KLADR ---


def table_rows(folder: Path, table: str) -> list[dict[str, str]]:
    names = tuple(FIELDS[table])
    found = DbfTable(file_input(folder / f"{table}.DBF"), "cp866").rows(names)
    return [dict(zip(names, row, strict=True)) for row in found]


def rewritten(folder: Path, table: str, fields: dict[str, int]) -> None:
    """The same records under other columns."""
    made = [tuple(row.get(name, "лишнее") for name in fields) for row in table_rows(folder, table)]
    write_dbf(folder / f"{table}.DBF", fields, made, DAY)


@pytest.mark.parametrize(
    "form", ["more columns", "another order", "wider names", "narrower names", "numbers at the right"]
)
def test_kladr_written_otherwise_is_the_same(empty: Session, kladr_folder: Path, tmp_path: Path, form: str) -> None:
    load(empty, "kladr", kladr_folder)
    before = rows(empty)
    other = Path(shutil.copytree(kladr_folder, tmp_path / "КЛАДР иной"))
    match form:
        case "more columns":
            for table in ("STREET", "KLADR", "DOMA", "SOCRBASE", "ALTNAMES"):
                rewritten(other, table, {"FIRST": 3, **FIELDS[table], "EXTRA": 30})
        case "another order":
            for table in ("STREET", "KLADR", "DOMA"):
                rewritten(other, table, dict(reversed(FIELDS[table].items())))
        case "wider names":
            for table in ("STREET", "KLADR"):
                rewritten(other, table, {**FIELDS[table], "NAME": 200, "SOCR": 29})
        case "narrower names":
            rewritten(other, "STREET", {**FIELDS["STREET"], "NAME": 30, "SOCR": 5})
        case _:
            right = [(r["LEVEL"].rjust(5), *list(r.values())[1:]) for r in table_rows(other, "SOCRBASE")]
            write_dbf(other / "SOCRBASE.DBF", FIELDS["SOCRBASE"], right, DAY)
    assert load(empty, None, other).nothing_new
    assert without_digests(rows(empty)) == without_digests(before)


@pytest.mark.parametrize("table", ["KLADR", "STREET", "DOMA", "SOCRBASE"])
@pytest.mark.parametrize("how", ["none", "all deleted"])
def test_a_table_without_records_takes_nothing_away(
    empty: Session, kladr_folder: Path, tmp_path: Path, table: str, how: str
) -> None:
    load(empty, "kladr", kladr_folder)
    before = rows(empty)
    bad = Path(shutil.copytree(kladr_folder, tmp_path / "bad"))
    if how == "none":
        write_dbf(bad / f"{table}.DBF", FIELDS[table], [], DAY)
    else:
        header, record = 32 + 32 * len(FIELDS[table]) + 1, 1 + sum(FIELDS[table].values())
        data = bytearray((bad / f"{table}.DBF").read_bytes())
        data[header:-1:record] = b"*" * len(data[header:-1:record])
        (bad / f"{table}.DBF").write_bytes(data)
    with pytest.raises(ClassifierInvalid, match=table):
        load(empty, "kladr", bad)
    assert rows(empty) == before


def test_what_lies_beside_a_set(empty: Session, kladr_folder: Path, tmp_path: Path) -> None:
    """Files of the system are no part of it; a damaged archive is named."""
    other = Path(shutil.copytree(kladr_folder, tmp_path / "set"))
    (other / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600)
    (other / "desktop.ini").write_text("[.ShellClassInfo]")
    assert load(empty, None, other).added > 0
    (other / "old.zip").write_bytes(b"PK\3\4 cut")
    with pytest.raises(ClassifierInvalid, match=r"old\.zip"):
        load(empty, None, other)
