"""GAR on both engines: full sets, deltas in their order, and everything that must be refused."""

from __future__ import annotations

import datetime as dt
import zipfile
from pathlib import Path

import pytest

from classifiers.address_picker import AddressPicker
from classifiers.gar_load import MAX_DELTA_DAYS
from classifiers.loader import load
from classifiers.sample_gar import (
    CITY_NUMBER,
    HOUSE_NUMBER,
    REGION_NUMBER,
    STREET_NUMBER,
    gar_edge,
    gar_name,
    gar_object,
    gar_parameter,
    sample_region,
    write_gar,
)
from infobase.errors import ClassifierAmbiguous, ClassifierInvalid, DeltaRefused, RegionUnknown
from infobase.session import Session

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "classifiers" / "gar"
DAY = dt.date(2023, 3, 14)
LATER = DAY + dt.timedelta(days=3)
CITY = f"{REGION_NUMBER}.{CITY_NUMBER}"
STREET = f"{CITY}.{STREET_NUMBER}"
HOUSE = f"{STREET}.{HOUSE_NUMBER}"


def rows(session: Session) -> list[tuple[object, ...]]:
    """Everything the registers of addresses hold."""
    found = []
    for name in ("AddressObjects", "AddressHouses", "AddressRegions", "AddressTypes"):
        found += [(name, *r.values()) for r in session.information_registers[name].select()]
    return sorted(found, key=str)


def wipe(session: Session) -> None:
    for name in (
        "AddressObjects",
        "AddressHouses",
        "AddressRegions",
        "AddressTypes",
        "AddressWords",
        "AddressSuccessors",
    ):
        session.information_registers[name].delete({})


@pytest.fixture
def based(session: Session, tmp_path: Path) -> Session:
    """Regions 50 and 51 loaded from a full set."""
    wipe(session)
    write_gar(tmp_path / "base.zip", {r: sample_region(r) for r in ("50", "51")}, DAY)
    report = load(session, "gar", tmp_path / "base.zip")
    assert report.counts["records"] == 2 * (7 + 17 + 7 + 10 + 10)
    assert report.added == 2 * (7 + 10)
    return session


def delta(tmp_path: Path, kinds: dict[str, list[dict[str, object]]], day: dt.date = LATER, region: str = "50") -> Path:
    path = tmp_path / f"gar_delta_xml_{day:%Y%m%d}.zip"
    write_gar(path, {region: kinds}, day)
    return path


def objects(session: Session) -> dict[str, dict[str, object]]:
    return {str(r["Code"]): dict(r) for r in session.information_registers.AddressObjects.select()}


@pytest.mark.skipif(not REAL.is_dir(), reason="the real classifier files are not here")
def test_the_real_set_and_its_delta(session: Session) -> None:
    wipe(session)
    report = load(session, None, REAL / "gar_xml_99.zip")
    assert {k: report.counts[k] for k in ("ADDR_OBJ", "ADM_HIERARCHY", "HOUSES")} == {
        "ADDR_OBJ": 5,
        "ADM_HIERARCHY": 6,
        "HOUSES": 1,
    }
    found = objects(session)
    assert sorted(found) == ["99.1460768", "99.1460768.1456531", "99.1460768.1456532", "99.1460768.1456865"]
    assert found["99.1460768.1456865"]["Level"] == "7", "the live version of two"
    house = session.information_registers.AddressHouses.select()
    assert [(h["Numbers"], h["Building"], h["Postcode"]) for h in house] == [("30", "к.1", "468321")], (
        "the index that holds"
    )
    before = rows(session)
    assert load(session, "gar", REAL / "gar_xml_99.zip").nothing_new
    assert rows(session) == before

    second = load(session, "gar", REAL / "gar_delta_xml_99_20221128.zip")
    assert (second.added, second.changed, second.closed) == (2, 2, 2)
    found = objects(session)
    assert found["99.1460768.1456532"]["Name"] == "Школьная-2"
    assert found["99.1460768.1456531"]["Actuality"] == found["99.1460768.1456865"]["Actuality"] == "99"
    assert found["99.1460768"]["OKATO"] == "55000000001"
    assert "99.1460768.157289164" in found
    before = rows(session)
    assert load(session, None, REAL / "gar_delta_xml_99_20221128.zip").nothing_new
    assert rows(session) == before
    hit = AddressPicker(session).find("байконур школьная 30 корп 1")[0]
    assert (hit.house_known, hit.postcode, hit.presentation) == (
        True,
        "468321",
        "468321, Байконур г, Школьная-2 ул, дом 30 корп 1",
    )


@pytest.mark.parametrize("form", ["zip", "folder"])
def test_what_is_not_loaded_is_counted(session: Session, tmp_path: Path, form: str) -> None:
    wipe(session)
    path = tmp_path / ("full.zip" if form == "zip" else "full")
    write_gar(path, {"50": sample_region("50")}, DAY)
    apartment = b'<APARTMENTS><APARTMENT ID="1" OBJECTID="2" NUMBER="3"/></APARTMENTS>'
    others = {f"50/{gar_name('APARTMENTS', DAY)}": apartment, f"50/{gar_name('ROOMS', DAY)}": b"<ROOMS/>"}
    for name, body in others.items():
        if form == "zip":
            with zipfile.ZipFile(path, "a") as archive:
                archive.writestr(name, body)
        else:
            (path / name).write_bytes(body)
    remarks = load(session, "gar", path).remarks
    assert [r for r in remarks if "не загружаются" in r] == ["APARTMENTS не загружаются: файлов 1, 0.0 МБ"]
    assert load(session, "gar", path).nothing_new


def test_a_full_set_is_searched_with_what_is_known(based: Session) -> None:
    hit = AddressPicker(based).find("образцовая-50 первоград 2-я улочная 2")[0]
    assert hit.presentation == "500001, Образцовая-50 обл, Первоград г, Улочная 2-я ул, дом 2"
    assert (hit.oktmo, hit.kladr_code, hit.house_known) == ("50700000", "50000001000000200", True)


def test_the_same_again_and_the_same_in_a_folder_change_nothing(based: Session, tmp_path: Path) -> None:
    before = rows(based)
    assert load(based, "gar", tmp_path / "base.zip").nothing_new
    write_gar(tmp_path / "unpacked", {r: sample_region(r) for r in ("50", "51")}, DAY)
    assert load(based, None, tmp_path / "unpacked").nothing_new
    assert rows(based) == before


def test_one_region_is_replaced_and_the_others_stay(based: Session, tmp_path: Path) -> None:
    write_gar(tmp_path / "next", {r: sample_region(r, streets=6) for r in ("50", "51")}, LATER)
    report = load(based, "gar", tmp_path / "next", options={"regions": ["51"]})
    assert (report.added, report.changed, report.closed) == (3, 0, 0)
    codes = objects(based)
    assert sum(c.startswith("50.") for c in codes) == 7
    assert sum(c.startswith("51.") for c in codes) == 8
    by_name = load(based, "gar", tmp_path / "next", options={"regions": ["Образцовая-50"]})
    assert by_name.added == 3
    with pytest.raises(RegionUnknown):
        load(based, "gar", tmp_path / "next", options={"regions": ["52"]})


def test_a_delta_changes_adds_moves_and_takes_away(based: Session, tmp_path: Path) -> None:
    other = CITY_NUMBER + 1
    changes = {
        "ADDR_OBJ": [
            gar_object(STREET_NUMBER, "Новая", "пр-кт", 8, ID=9_000_001, PREVID=STREET_NUMBER * 10),
            gar_object(STREET_NUMBER, "Улочная 1-я", "ул", 8, NEXTID=9_000_001, ISACTUAL=0, ISACTIVE=0),
            gar_object(
                STREET_NUMBER + 1, "Улочная 2-я", "ул", 8, ID=9_000_002, PREVID=(STREET_NUMBER + 1) * 10, ISACTIVE=0
            ),
            gar_object(other, "Второград", "г", 5),
        ],
        "ADM_HIERARCHY": [
            gar_edge(f"{REGION_NUMBER}.{other}", "50"),
            gar_edge(f"{REGION_NUMBER}.{other}.{STREET_NUMBER}", "50", ID=9_000_003, PREVID=STREET_NUMBER * 10 + 1),
            gar_edge(STREET, "50", ISACTIVE=0, NEXTID=9_000_003),
        ],
        "ADDR_OBJ_PARAMS": [
            gar_parameter(CITY_NUMBER, 5, "500000", CHANGEIDEND=7, ENDDATE="2023-03-15"),
            gar_parameter(CITY_NUMBER, 5, "509999", ID=9_000_004, STARTDATE="2023-03-15"),
            gar_parameter(CITY_NUMBER, 6, "46000000000", ID=9_000_005, STARTDATE="2079-01-01"),
        ],
    }
    report = load(based, "gar", delta(tmp_path, changes))
    assert (report.added, report.changed, report.closed) == (1, 2, 1)
    found = objects(based)
    moved = f"50.{REGION_NUMBER}.{other}.{STREET_NUMBER}"
    assert (found[moved]["Name"], found[moved]["TypeName"]) == ("Новая", "пр-кт")
    assert f"50.{STREET}" not in found
    gone = found[f"50.{CITY}.{STREET_NUMBER + 1}"]
    assert (gone["Actuality"], gone["SearchKey"]) == ("99", "")
    assert found[f"50.{CITY}"]["Postcode"] == "509999"
    assert found[f"50.{CITY}"]["OKATO"] == "", "a period that has not begun"
    houses = {str(h["Code"]) for h in based.information_registers.AddressHouses.select()}
    assert f"{moved}.{HOUSE_NUMBER}" in houses, "houses follow their street"
    assert f"50.{HOUSE}" not in houses
    assert AddressPicker(based).find("второград новая 1")[0].house_known


def test_deltas_are_applied_in_the_order_of_days_from_one_folder(based: Session, tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    second = gar_object(STREET_NUMBER, "Вторая", "ул", 8, ID=9_000_002, PREVID=9_000_001)
    first = gar_object(STREET_NUMBER, "Первая", "ул", 8, ID=9_000_001, PREVID=STREET_NUMBER * 10)
    write_gar(drop / "a_delta.zip", {"50": {"ADDR_OBJ": [second]}}, LATER + dt.timedelta(days=4))
    write_gar(drop / "b_delta.zip", {"50": {"ADDR_OBJ": [first]}}, LATER)
    report = load(based, "gar", drop)
    assert report.changed == 2
    assert objects(based)[f"50.{STREET}"]["Name"] == "Вторая"


@pytest.mark.parametrize("case", ["no base", "older", "gap in days", "gap in versions", "other source"])
def test_a_delta_that_does_not_continue_is_refused(
    based: Session, tmp_path: Path, kladr_folder: Path, case: str
) -> None:
    day, region, previous = LATER, "50", STREET_NUMBER * 10
    match case:
        case "no base":
            region = "77"
        case "older":
            day = DAY - dt.timedelta(days=3)
        case "gap in days":
            day = DAY + dt.timedelta(days=MAX_DELTA_DAYS + 1)
        case "gap in versions":
            previous = 8_999_999
        case "other source":
            load(based, "kladr", kladr_folder, options={"regions": ["02"]})
            region = "02"
    change = gar_object(STREET_NUMBER, "Новая", "ул", 8, ID=9_000_001, PREVID=previous)
    path = delta(tmp_path, {"ADDR_OBJ": [change]}, day, region)
    before = rows(based)
    with pytest.raises(DeltaRefused):
        load(based, "gar", path)
    assert rows(based) == before
    if case == "gap in days":
        assert load(based, "gar", path, options={"accept_gap": True}).changed == 1


def test_what_calls_itself_full_but_is_not_is_taken_for_a_delta(based: Session, tmp_path: Path) -> None:
    change = gar_object(STREET_NUMBER, "Новая", "ул", 8, ID=9_000_001, PREVID=STREET_NUMBER * 10)
    write_gar(tmp_path / "innocent", {"50": {"ADDR_OBJ": [change]}}, LATER)
    assert load(based, "gar", tmp_path / "innocent").changed == 1
    assert len(objects(based)) == 14


def test_files_of_two_issues_are_refused(based: Session, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    write_gar(folder, {"50": sample_region("50")}, LATER)
    write_gar(folder, {"50": {"ADDR_OBJ": sample_region("50")["ADDR_OBJ"]}}, LATER + dt.timedelta(days=1))
    with pytest.raises(ClassifierAmbiguous):
        load(based, "gar", folder)
    other = tmp_path / "spread"
    write_gar(other, {"50": sample_region("50")}, LATER)
    write_gar(other, {"51": sample_region("51")}, LATER + dt.timedelta(days=40))
    with pytest.raises(ClassifierAmbiguous):
        load(based, "gar", other)


DAMAGE = {
    "cut": lambda b: b[: len(b) // 2],
    "cut in a name": lambda b: b[:-8],
    "doctype": lambda b: b.replace(b"<ADDRESSOBJECTS>", b'<!DOCTYPE x [<!ENTITY a "b">]><ADDRESSOBJECTS>', 1),
    "entity": lambda b: b.replace(b"\xd0\x9f", b"&bomb;", 1),
    "letters for digits": lambda b: b.replace(b'OBJECTID="2000"', b'OBJECTID="2OOO"', 1),
    "no number": lambda b: b.replace(b'OBJECTID="2000" ', b"", 1),
    "wrong element": lambda b: b.replace(b"<OBJECT ", b"<THING ", 1),
    "not utf-8": lambda b: b.replace(b"\xd0\x9f", b"\xff\xfe", 1),
    "text after": lambda b: b + b"<OBJECT/>",
    "long name": lambda b: b.replace("Первоград".encode(), "я".encode() * 300, 1),
    "huge attribute": lambda b: b.replace("Первоград".encode(), b"x" * 11_000_000, 1),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_changes_nothing_and_names_the_place(based: Session, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "bad"
    write_gar(folder, {r: sample_region(r, streets=9) for r in ("50", "51")}, LATER)
    victim = folder / "51" / gar_name("ADDR_OBJ", LATER)
    victim.write_bytes(DAMAGE[damage](victim.read_bytes()))
    before = rows(based)
    with pytest.raises(ClassifierInvalid) as caught:
        load(based, "gar", folder)
    assert victim.name in str(caught.value)
    assert rows(based) == before


def test_empty_files_are_no_addresses(session: Session, tmp_path: Path) -> None:
    wipe(session)
    write_gar(tmp_path / "empty", {"50": {"ADDR_OBJ": [], "ADM_HIERARCHY": []}}, DAY)
    with pytest.raises((ClassifierInvalid, DeltaRefused)):
        load(session, "gar", tmp_path / "empty")


def test_a_folder_that_grows_is_loaded_again_from_where_the_base_is(session: Session, tmp_path: Path) -> None:
    wipe(session)
    write_gar(tmp_path / "gar_xml.zip", {"50": sample_region("50")}, DAY)

    def renamed(number: int, day: dt.date) -> None:
        row = gar_object(number, "Переименованная", "ул", 8, ID=number * 10 + 1, PREVID=number * 10)
        delta(tmp_path, {"ADDR_OBJ": [row]}, day)

    renamed(STREET_NUMBER, LATER)
    assert load(session, "gar", tmp_path).changed == 1
    before = rows(session)
    again = load(session, "gar", tmp_path)
    assert again.nothing_new and again.unchanged == 17
    assert rows(session) == before
    renamed(STREET_NUMBER + 1, LATER + dt.timedelta(days=3))
    third = load(session, "gar", tmp_path)
    assert (third.added, third.changed, third.closed) == (0, 1, 0)
    (tmp_path / "gar_xml.zip").unlink()
    assert load(session, "gar", tmp_path).nothing_new  # deltas alone, all of them applied


def test_a_file_without_its_region_is_no_set(based: Session, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    write_gar(folder, {"50": {"ADDR_OBJ": sample_region("50")["ADDR_OBJ"]}}, LATER)
    file = next((folder / "50").iterdir()).rename(tmp_path / gar_name("ADDR_OBJ", LATER))
    with pytest.raises(ClassifierInvalid, match="регион файла неизвестен"):
        load(based, "gar", file)


@pytest.mark.parametrize(("written", "accepted"), [("2020.01.01", False), ("2023.03.20", True), ("2023.06.01", False)])
def test_version_txt_of_another_issue(session: Session, tmp_path: Path, written: str, accepted: bool) -> None:
    wipe(session)
    write_gar(tmp_path / "gar", {"50": sample_region("50")}, DAY)
    (tmp_path / "gar" / "version.txt").write_text(f"{written}\nv.11")
    if accepted:
        assert f"{load(session, 'gar', tmp_path / 'gar').version_date:%Y.%m.%d}" == written
    else:
        with pytest.raises(ClassifierAmbiguous, match=r"version\.txt"):
            load(session, "gar", tmp_path / "gar")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"ISACTIVE": "да"}, "поле ISACTIVE: «да», нужно 0 или 1"),
        ({"ISACTIVE": ""}, "поле ISACTIVE: «», нужно 0 или 1"),
        ({"NAME": " "}, "поле NAME: «», не заполнено"),
        ({"OBJECTGUID": "zzz"}, "поле OBJECTGUID: «zzz», нужен GUID"),
        ({"ENDDATE": "31.12.2024"}, "поле ENDDATE: «31.12.2024», нужна дата ГГГГ-ММ-ДД"),
        ({"STARTDATE": "2024-02-30", "ISACTIVE": 0, "ISACTUAL": 0}, "поле STARTDATE: «2024-02-30», нужна дата"),
        ({"OBJECTID": "31.12.2024", "ISACTIVE": 0}, "поле OBJECTID: «31.12.2024», нужно целое число"),
        ({"NEXTID": "x", "ISACTIVE": 0}, "поле NEXTID: «x», нужно целое число"),
    ],
)
def test_fields_of_a_row_must_be_there_and_right(
    session: Session, tmp_path: Path, change: dict[str, object], told: str
) -> None:
    region = sample_region("52")
    region["ADDR_OBJ"][1] |= change
    write_gar(tmp_path / "gar.zip", {"52": region}, DAY)
    with pytest.raises(ClassifierInvalid, match=f"запись 2 .OBJECT., {told}"):
        load(session, "gar", tmp_path / "gar.zip")


def test_a_row_without_its_flag_is_refused(session: Session, tmp_path: Path) -> None:
    region = sample_region("52")
    del region["ADM_HIERARCHY"][1]["ISACTIVE"]
    write_gar(tmp_path / "gar.zip", {"52": region}, DAY)
    with pytest.raises(ClassifierInvalid, match="запись 2 .ITEM., поле ISACTIVE"):
        load(session, "gar", tmp_path / "gar.zip")


@pytest.mark.parametrize("kept", [0, 60, 300, 302, 320])
def test_files_of_gar_cut_anywhere(session: Session, tmp_path: Path, kept: int) -> None:
    write_gar(tmp_path / "gar", {"53": sample_region("53")}, DAY)
    file = next((tmp_path / "gar" / "53").glob("AS_HOUSES_2*"))
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(ClassifierInvalid, match="обрывается" if kept else "файл пуст"):
        load(session, "gar", tmp_path / "gar")
