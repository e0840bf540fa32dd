"""KLADR on both engines: folder, zip, 7z; regions that add up; what differs is replaced, what does not is left; bad files change nothing."""

from __future__ import annotations

import datetime as dt
import shutil
import struct
import zipfile
from pathlib import Path

import pytest
from py7zr import SevenZipFile

from classifiers.dbf_write import header_bytes, write_dbf
from classifiers.loader import load
from classifiers.sample_gar import sample_region, write_gar
from classifiers.sample_kladr import DAY, FIELDS, Size, write_sample_kladr
from infobase.connection import engine_of
from infobase.digest import base_digest
from infobase.dump import write_dump
from infobase.errors import AccessDenied, ClassifierAmbiguous, ClassifierInvalid, ClassifierUnknown, RegionUnknown
from infobase.restore import load_dump
from infobase.rights import Access
from infobase.session import Session
from tests import postgres
from tests.addresses.conftest import REGIONS

REGISTERS = ("AddressObjects", "AddressHouses", "AddressWords", "AddressTypes", "AddressSuccessors", "AddressRegions")


@pytest.fixture
def empty(session: Session) -> Session:
    """A base without addresses."""
    for name in REGISTERS:
        session.information_registers[name].delete({})
    return session


def content(session: Session, *names: str) -> dict[str, list[tuple[object, ...]]]:
    return {n: [tuple(r.values()) for r in session.information_registers[n].select()] for n in names or REGISTERS}


def regions(session: Session) -> dict[str, tuple[object, ...]]:
    found = session.information_registers.AddressRegions.select()
    return {str(r["Region"]): (r["Source"], r["Objects"], r["Streets"], r["Houses"]) for r in found}


def test_all_tables_arrive_with_every_field(empty: Session, kladr_folder: Path) -> None:
    report = load(empty, None, kladr_folder)
    per_region = {"KLADR": 11, "STREET": 60, "DOMA": 120, "ALTNAMES": 1}
    expected = {"SOCRBASE": 16, **{t: 3 * n for t, n in per_region.items()}}
    assert report.counts == {"records": sum(expected.values()), **expected}
    assert report.added == report.counts["records"]
    assert regions(empty) == dict.fromkeys(REGIONS, ("kladr", 11, 60, 120))
    objects = {str(r["Code"]): r for r in empty.information_registers.AddressObjects.select()}
    assert len(objects) == 3 * 71
    city = objects["0100000100000"]
    assert (city["Level"], city["Name"], city["TypeName"], city["CentreStatus"]) == ("3", "Майский", "г", "2")
    street = objects["01000001000000100"]
    assert (street["Level"], street["Name"], street["TaxOffice"], street["TaxDivision"]) == (
        "5",
        "Ленина",
        "0100",
        "0105",
    )
    assert {str(r["Actuality"]) for r in objects.values()} == {"00", "01", "99"}
    assert all(bool(r["SearchKey"]) == (r["Actuality"] == "00") for r in objects.values())
    version = empty.classifiers.version("kladr")
    assert version is not None
    assert version.version_date == DAY.isoformat()


@pytest.mark.parametrize("form", ["zip", "7z", "upper folder", "lower names"])
def test_the_same_set_in_any_container_is_the_same(
    empty: Session, kladr_folder: Path, tmp_path: Path, form: str
) -> None:
    load(empty, "kladr", kladr_folder)
    before = content(empty)
    source = tmp_path / "base"
    if form == "zip":
        with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in kladr_folder.iterdir():
                archive.write(file, f"BASE/{file.name}")
    elif form == "7z":
        with SevenZipFile(source, "w") as packed:
            packed.writeall(kladr_folder, "BASE")
    else:
        target = source / "deep" if form == "upper folder" else source
        target.mkdir(parents=True)
        for file in kladr_folder.iterdir():
            shutil.copy(file, target / (file.name if form == "upper folder" else file.name.lower()))
    report = load(empty, None, source)
    assert report.nothing_new
    assert content(empty) == before


def test_regions_loaded_one_after_another_add_up(empty: Session, kladr_folder: Path) -> None:
    load(empty, "kladr", kladr_folder, options={"regions": ["01"]})
    assert list(regions(empty)) == ["01"]
    first = content(empty, "AddressObjects")["AddressObjects"]
    assert load(empty, "kladr", kladr_folder, options={"regions": ["1"]}).nothing_new
    second = load(empty, "kladr", kladr_folder, options={"regions": ["Лесной", "77"]})
    assert second.added == 2 * (11 + 60 + 120 + 1)
    assert list(regions(empty)) == ["01", "02", "77"]
    assert set(first) < set(content(empty, "AddressObjects")["AddressObjects"])
    stepwise = content(empty, "AddressObjects", "AddressHouses", "AddressWords", "AddressSuccessors")
    for name in REGISTERS:
        empty.information_registers[name].delete({})
    load(empty, "kladr", kladr_folder)
    assert content(empty, *stepwise) == stepwise


def test_the_next_issue_replaces_what_differs(empty: Session, kladr_folder: Path, tmp_path: Path) -> None:
    load(empty, "kladr", kladr_folder)
    later = DAY + dt.timedelta(days=90)
    write_sample_kladr(tmp_path / "next", REGIONS, Size(streets=58), later)
    report = load(empty, "kladr", tmp_path / "next")
    assert not report.nothing_new
    assert report.closed >= 3 * 2
    assert regions(empty) == dict.fromkeys(REGIONS, ("kladr", 11, 58, 116))
    write_sample_kladr(tmp_path / "same", REGIONS, Size(streets=58), later + dt.timedelta(days=90))
    before = content(empty, "AddressObjects", "AddressHouses", "AddressWords")
    again = load(empty, "kladr", tmp_path / "same")
    assert again.nothing_new, "another day, the same content"
    assert content(empty, *before) == before
    version = empty.classifiers.version("kladr")
    assert version is not None
    assert version.version_date == (later + dt.timedelta(days=90)).isoformat()


def test_houses_may_be_left_out_and_brought_later(empty: Session, kladr_folder: Path) -> None:
    report = load(empty, "kladr", kladr_folder, options={"houses": False})
    assert "DOMA" not in report.counts
    assert any("DOMA" in line for line in report.remarks)
    assert not content(empty, "AddressHouses")["AddressHouses"]
    later = load(empty, "kladr", kladr_folder)
    assert later.added == 3 * 120
    assert regions(empty)["01"] == ("kladr", 11, 60, 120)


def test_a_set_without_some_tables_leaves_them_alone(empty: Session, kladr_folder: Path, tmp_path: Path) -> None:
    load(empty, "kladr", kladr_folder)
    before = content(empty, "AddressHouses", "AddressTypes", "AddressSuccessors")
    write_sample_kladr(tmp_path / "next", REGIONS, Size(streets=55), DAY + dt.timedelta(days=1))
    load(empty, "kladr", tmp_path / "next" / "STREET.DBF")
    assert content(empty, *before) == before
    assert regions(empty)["77"] == ("kladr", 11, 55, 120)


def test_a_region_goes_from_one_source_to_the_other_and_back(
    empty: Session, kladr_folder: Path, tmp_path: Path
) -> None:
    load(empty, "kladr", kladr_folder)
    write_gar(tmp_path / "gar", {"01": sample_region("01")}, DAY)
    report = load(empty, "gar", tmp_path / "gar")
    assert report.closed == 71 + 120
    assert regions(empty)["01"][0] == "gar"
    assert regions(empty)["02"][0] == "kladr"
    codes = {str(r["Code"]) for r in empty.information_registers.AddressObjects.select()}
    assert not any(c.startswith("01") and "." not in c for c in codes)
    load(empty, "kladr", kladr_folder)
    assert regions(empty)["01"] == ("kladr", 11, 60, 120)
    assert not any("." in str(r["Code"]) for r in empty.information_registers.AddressHouses.select())


def test_unknown_and_ambiguous_regions_are_named(empty: Session, kladr_folder: Path) -> None:
    for wanted in ("99", "Атлантида", "обл край"):
        with pytest.raises(RegionUnknown):
            load(empty, "kladr", kladr_folder, options={"regions": [wanted]})
    assert not regions(empty)


def test_the_right_to_update_is_needed(empty: Session, kladr_folder: Path) -> None:
    mine, empty.access = empty.access, Access(empty.kernel.configuration, ("SalesManager",), "seller")
    try:
        with pytest.raises(AccessDenied):
            load(empty, "kladr", kladr_folder)
    finally:
        empty.access = mine
    assert not regions(empty)


def copied(kladr_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(kladr_folder, tmp_path / "bad"))


def patched(path: Path, at: int, value: bytes) -> None:
    data = bytearray(path.read_bytes())
    data[at : at + len(value)] = value
    path.write_bytes(data)


def street_offset(record: int, field: str) -> int:
    """Where a field of a record (1-based) of STREET begins."""
    header = 32 + 32 * 7 + 1
    names = list(FIELDS["STREET"])
    return header + (record - 1) * 93 + 1 + sum(FIELDS["STREET"][n] for n in names[: names.index(field)])


@pytest.mark.parametrize(
    "damage",
    [
        "code page",
        "letters in code",
        "letters in index",
        "count",
        "cut",
        "twice",
        "memo",
        "wide",
        "no field",
        "no digits",
    ],
)
def test_a_damaged_table_changes_nothing_and_names_file_record_and_field(
    empty: Session, kladr_folder: Path, tmp_path: Path, damage: str
) -> None:
    load(empty, "kladr", kladr_folder, options={"regions": ["02"]})
    before = content(empty)
    folder = copied(kladr_folder, tmp_path)
    street = folder / "STREET.DBF"
    names = ["STREET.DBF"]
    match damage:
        case "code page":
            patched(street, street_offset(70, "NAME"), "Майкоп".encode("cp1251"))
            names += ["70", "NAME"]
        case "letters in code":
            patched(street, street_offset(5, "CODE") + 6, "О".encode("cp866"))
            names += ["5", "CODE"]
        case "no digits":
            patched(street, street_offset(6, "CODE"), b"XY")
            names += ["6", "CODE"]
        case "letters in index":
            patched(street, street_offset(9, "INDEX"), b"3B")
            names += ["9", "INDEX"]
        case "count":
            patched(street, 4, struct.pack("<I", 500))
            names += ["500", "180"]
        case "cut":
            street.write_bytes(street.read_bytes()[:10_000])
            names += ["105"]
        case "twice":
            data = street.read_bytes()
            patched(street, street_offset(44, "CODE"), data[street_offset(43, "CODE") :][:17])
            names += ["44"]
        case "memo":
            patched(street, 0, b"\x83")
        case "wide":
            wide = {**FIELDS["STREET"], "NAME": 252}
            write_dbf(street, wide, [("x", "ул", "0100000100000010", "", "", "", "")], DAY)
        case "no field":
            write_dbf(street, {"NAME": 40, "CODE": 17}, [], DAY)
    with pytest.raises(ClassifierInvalid) as caught:
        load(empty, "kladr", folder)
    assert all(name in str(caught.value) for name in names), caught.value
    assert content(empty) == before


def test_sets_that_do_not_belong_together_are_refused(empty: Session, kladr_folder: Path, tmp_path: Path) -> None:
    folder = copied(kladr_folder, tmp_path)
    shutil.copy(folder / "STREET.DBF", folder / "STREET2.DBF")
    with pytest.raises(ClassifierAmbiguous, match="STREET"):
        load(empty, "kladr", folder)
    (folder / "STREET2.DBF").unlink()
    patched(folder / "DOMA.DBF", 3, b"\x0f")
    with pytest.raises(ClassifierAmbiguous, match="DOMA"):
        load(empty, "kladr", folder)


def test_sources_without_kladr_are_refused(empty: Session, tmp_path: Path) -> None:
    write_dbf(tmp_path / "one.dbf", {"CODE": 4}, [("1234",)], DAY)
    (tmp_path / "text.txt").write_text("KLADR")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    for source, error in (
        ("one.dbf", ClassifierInvalid),
        ("text.txt", ClassifierUnknown),
        ("empty.zip", ClassifierInvalid),
    ):
        with pytest.raises(error):
            load(empty, "kladr", tmp_path / source)


def test_tables_without_records_are_refused(empty: Session, tmp_path: Path) -> None:
    for table, fields in FIELDS.items():
        write_dbf(tmp_path / f"{table}.DBF", fields, [], DAY)
    with pytest.raises(ClassifierInvalid):
        load(empty, "kladr", tmp_path)


def test_a_bomb_and_damaged_archives_are_refused(empty: Session, kladr_folder: Path, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        header = header_bytes(FIELDS["STREET"], 400_000, DAY)
        archive.writestr("STREET.DBF", header + b" " * (93 * 400_000))
    with pytest.raises((ClassifierInvalid, ClassifierUnknown)):
        load(empty, "kladr", bomb)
    good = tmp_path / "good.zip"
    with zipfile.ZipFile(good, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(kladr_folder / "STREET.DBF", "STREET.DBF")
    data = bytearray(good.read_bytes())
    data[len(data) // 2] ^= 0xFF
    good.write_bytes(data)
    with pytest.raises((ClassifierInvalid, ClassifierUnknown)):
        load(empty, "kladr", good)
    assert not regions(empty)


def test_a_dump_carries_the_addresses_to_the_other_mode(
    empty: Session, kladr_folder: Path, tmp_path: Path, pg_url: str
) -> None:
    load(empty, "kladr", kladr_folder)
    before = base_digest(empty.kernel)
    assert sum(n for name, (n, _) in before.tables.items() if name.startswith("inf_address")) > 600
    path = tmp_path / "a.dt"
    write_dump(empty.kernel, path, infobase_id="a", infobase_name="A", password=None, replace=False, progress=None)
    other = postgres.fresh_name()
    server = empty.kernel.engine.traits.mode == "file"
    where = postgres.connection_string(pg_url, other) if server else f'File="{tmp_path / "restored"}";'
    engine = engine_of(where)
    staged = engine.create()
    try:
        restored = load_dump(path, staged, None)
        assert base_digest(restored).tables == before.tables
    finally:
        staged.drop()
        staged.close()
        engine.close()
        postgres.drop_databases(pg_url, other)


def test_an_older_issue_says_what_it_replaces(empty: Session, tmp_path: Path) -> None:
    for name, day in (("new", DAY), ("old", DAY - dt.timedelta(days=90))):
        write_sample_kladr(tmp_path / name, ["01"], Size(streets=60 if name == "new" else 59), day)
    load(empty, "kladr", tmp_path / "new")
    assert "регион 01: был загружен более новый выпуск" in " ".join(load(empty, "kladr", tmp_path / "old").remarks)


@pytest.mark.parametrize("named", ["Степная область", "область степная", "Республика Адыгея", "адыгея"])
def test_regions_are_called_as_people_call_them(empty: Session, kladr_folder: Path, named: str) -> None:
    load(empty, "kladr", kladr_folder, options={"regions": [named]})
    assert list(regions(empty)) == ["01"]
