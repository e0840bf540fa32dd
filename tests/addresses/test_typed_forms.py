"""What people type and paste: forms of houses, kinds with dots and without blanks, the country, postal indexes, short names; both sources."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from classifiers.address_picker import AddressPicker
from classifiers.address_status import address_state
from classifiers.dbf_write import write_dbf
from classifiers.loader import load
from classifiers.sample_gar import REGION_NUMBER, gar_edge, gar_object, gar_parameter, sample_region, write_gar
from classifiers.sample_kladr import DAY, FIELDS, TYPES
from infobase.session import Session
from tests import postgres
from tests.crm_bases import create_crm, open_crm

PLACES = (
    ("Адыгея", "Респ", "0100000000000", "385000", "0100", "", "79000000000", "0"),
    ("Майкоп", "г", "0100000100000", "", "0105", "", "79401000000", "2"),
    ("Гиагинский", "р-н", "0100100000000", "385600", "", "", "79205000000", "0"),
    ("Дондуковская", "с", "0100100000200", "", "", "", "79205000002", "0"),
    ("Москва", "г", "7700000000000", "", "7700", "", "45000000000", "0"),
    ("Санкт-Петербург", "г", "7800000000000", "", "7800", "", "40000000000", "0"),
)
STREETS = (
    ("Ленина", "ул", "01000001000000100", "", "0105", "", "79401000000"),
    ("Ленина", "ул", "01001000002000100", "", "", "", ""),
    ("Старая", "ул", "01000001000000201", "", "", "", ""),
    ("Новая", "ул", "01000001000000200", "", "", "", ""),
    ("1-я Тверская-Ямская", "ул", "77000000000000100", "125047", "7710", "", "45286585000"),
    ("Тверская", "ул", "77000000000000200", "", "7710", "", ""),
    ("8 Марта", "ул", "77000000000000300", "127083", "", "", ""),
    ("26 Бакинских Комиссаров", "ул", "77000000000000500", "", "", "", ""),
    ("Невский", "пр-кт", "78000000000000100", "", "7841", "", ""),
)
HOUSES = (
    ("1,5/2,5а,7,9к2,влд12,Ч(22-28)", "", "ДОМ", "0100000100000010001", "385018", "0105", "", "79401000001"),
    ("5к2,5к2стр1", "", "ДОМ", "0100000100000010002", "", "0105", "", ""),
)
GAR_REGION = "50"
LENINA = "385018, Адыгея Респ, Майкоп г, Ленина ул, дом "


@pytest.fixture(scope="module", params=["file", "server"])
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """Over a base with regions of KLADR and one of GAR."""
    folder = tmp_path_factory.mktemp("forms")
    kladr = folder / "kladr"
    kladr.mkdir()
    for name, rows in (("SOCRBASE", TYPES), ("KLADR", PLACES), ("STREET", STREETS), ("DOMA", HOUSES)):
        write_dbf(kladr / f"{name}.DBF", FIELDS[name], rows, DAY)
    _write_gar(folder / "gar.zip")
    if request.param == "file":
        where, url, name = f'File="{folder / "base"}";', "", ""
    else:
        url, name = request.getfixturevalue("pg_url"), postgres.fresh_name()
        where = postgres.connection_string(url, name)
    create_crm(where)
    with open_crm(where) as session:
        load(session, "kladr", kladr)
        load(session, "gar", folder / "gar.zip")
        yield session
    if url:
        postgres.drop_databases(url, name)


@pytest.fixture
def picker(session: Session) -> AddressPicker:
    return AddressPicker(session)


def _write_gar(path: Path) -> None:
    """A settlement with a planning element in it, streets in both."""
    district = f"{REGION_NUMBER}.3400"
    settlement = f"{district}.3000"
    edges = (district, settlement, f"{settlement}.3100", f"{settlement}.3100.3200", f"{settlement}.3300")
    region = sample_region(GAR_REGION)
    region["ADDR_OBJ"] += [
        gar_object(3400, "Ивановский", "р-н", 2),
        gar_object(3000, "Сосновка", "с", 6),
        gar_object(3100, "Тихий", "мкр", 7),
        gar_object(3200, "Лесная", "ул", 8),
        gar_object(3300, "Полевая", "ул", 8),
    ]
    region["ADM_HIERARCHY"] += [gar_edge(edge, GAR_REGION) for edge in edges]
    parameters = ((5, "140001"), (6, "46200000001"), (7, "46600000101"))
    region["ADDR_OBJ_PARAMS"] += [gar_parameter(3000, kind, value) for kind, value in parameters]
    write_gar(path, {GAR_REGION: region}, DAY)


@pytest.mark.parametrize(
    "house",
    ["5/2", "5а", "5 а", "5-а", "5А", "д. 7", "д.7", "дом 7", "7,", "д 7, кв. 15", "12", "влд. 12", "24", "9 корп. 2"],
)
def test_a_house_of_the_list_in_any_form(picker: AddressPicker, house: str) -> None:
    hit = picker.find(f"майкоп ленина {house}")[0]
    assert (hit.house_known, hit.code, hit.postcode, hit.okato) == (True, HOUSES[0][3], "385018", "79401000001")
    assert hit.presentation.startswith(LENINA)


@pytest.mark.parametrize(
    "house",
    ["5к2", "5 к 2", "д 5 к 2", "5 корп.2", "дом 5 корпус 2 стр 1", "д.5,к.2,стр.1", "5к2с1", "5 корпус 2 строение 1"],
)
def test_corpuses_and_buildings(picker: AddressPicker, house: str) -> None:
    hit = picker.find(f"майкоп ленина {house}")[0]
    assert (hit.house_known, hit.code) == (True, HOUSES[1][3])
    assert (hit.postcode, hit.okato) == ("385000", "79401000000"), "those of the region and of the street"


@pytest.mark.parametrize("house", ["3", "23", "30", "5б", "5/3", "5к3", "7-15"])
def test_a_house_that_no_list_has_is_taken_as_typed(picker: AddressPicker, house: str) -> None:
    hit = picker.find(f"майкоп ленина {house}")[0]
    assert (hit.house, hit.house_known, hit.code) == (house, False, STREETS[0][2])


@pytest.mark.parametrize(
    "typed",
    [
        "г.Майкоп,ул.Ленина,д.7",
        "г.Майкоп,ул.Ленина,д.7,",
        "Респ.Адыгея,г.Майкоп,ул.Ленина,7",
        "  майкоп ,, ЛЕНИНА , 7 ,",
        "385018, Адыгея Респ, Майкоп г, Ленина ул, дом 7",
        "Россия, Республика Адыгея, город Майкоп, улица Ленина, дом 7",
        "РФ, майкоп ленина 7",
        "Российская Федерация, 385018, Респ Адыгея, г Майкоп, ул Ленина, д 7",
        "ленина 7 майкоп 385018",
    ],
)
def test_pasted_addresses(picker: AddressPicker, typed: str) -> None:
    assert picker.find(typed)[0].presentation == LENINA + "7"


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("москва", "Москва г"),
        ("г. Москва, г. Москва, ул. Тверская", "Москва г, Тверская ул"),
        ("мск тверская", "Москва г, Тверская ул"),
        ("москва 1-я тверская-ямская 2", "125047, Москва г, 1-я Тверская-Ямская ул, дом 2"),
        ("тверская ямская 1-я москва", "125047, Москва г, 1-я Тверская-Ямская ул"),
        ("москва 8 марта 5", "127083, Москва г, 8 Марта ул, дом 5"),
        ("москва 26-ти бакинских комиссаров", "Москва г, 26 Бакинских Комиссаров ул"),
        ("санкт петербург невский", "Санкт-Петербург г, Невский пр-кт"),
        ("СПб, Невский пр., 28", "Санкт-Петербург г, Невский пр-кт, дом 28"),
        ("385000 адыгея", "385000, Адыгея Респ"),
        (
            "гиагинский р-н дондуковская ленина 6",
            "385600, Адыгея Респ, Гиагинский р-н, Дондуковская с, Ленина ул, дом 6",
        ),
    ],
)
def test_cities_that_are_regions_and_names_with_numbers(picker: AddressPicker, typed: str, shown: str) -> None:
    assert picker.find(typed)[0].presentation == shown


@pytest.mark.parametrize(
    "typed",
    [
        "сосновка лесная",
        "тихий лесная",
        "сосновка тихий лесная",
        "лесн тих сосн",
        "с Сосновка, мкр Тихий, ул Лесная",
        "Ивановский р-н, сосновка, мкр тихий, лесная",
    ],
)
def test_a_planning_element_inside_a_settlement(picker: AddressPicker, typed: str) -> None:
    hit = picker.find(typed)[0]
    assert [name for _, _, name in hit.levels] == ["Образцовая-50", "Ивановский", "Сосновка", "Тихий", "Лесная"]
    assert (hit.postcode, hit.okato, hit.oktmo) == ("140001", "46200000001", "46600000101"), "those of the settlement"


def test_what_does_not_lie_in_the_planning_element_is_not_found(picker: AddressPicker) -> None:
    assert picker.find("сосновка тихий полевая") == []
    assert [h.levels[-1][2] for h in picker.find("сосновка тихий")] == ["Тихий"]


def test_an_earlier_name_leads_to_its_successor(session: Session) -> None:
    state = address_state(session, "01000001000000201")
    assert (state.state, state.successor_code) == ("renamed", "01000001000000200")
    assert state.successor is not None
    assert state.successor.levels[-1][2] == "Новая"
    assert AddressPicker(session).find("майкоп старая") == []
