"""Every format of the smaller classifiers, in files made here: what arrives, what is told apart, what is refused and where."""

from __future__ import annotations

import datetime as dt
import io
import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from classifiers.okof import okof_check_digit
from classifiers.source import Member
from classifiers.xml_encoding import true_encoding
from infobase.errors import ClassifierInvalid
from infobase.metadata.types import EnumValue
from tests.classifiers.helpers import (
    CALENDAR_XML,
    ENAOF_XML,
    OKEI_XML,
    OKOF_XML,
    OKSM_CSV,
    OKVED_CSV,
    RATES_XML,
    kind_of,
    put,
    read,
    refusal,
    zipped,
)

SAMPLES = {
    "okof": ("a.xml", OKOF_XML, "utf-8-sig"),
    "enaof": ("b.xml", ENAOF_XML, "utf-8"),
    "okved2": ("data-20240201-structure-20180402.csv", OKVED_CSV, "cp1251"),
    "oksm": ("c.csv", OKSM_CSV, "utf-8"),
    "okei": ("d.xml", OKEI_XML, "utf-8-sig"),
    "rates": ("e.xml", RATES_XML, "cp1251"),
    "calendar": ("f.xml", CALENDAR_XML, "utf-8"),
    "okv": ("g.csv", "036;AUD;Австралийский доллар\n840;USD;Доллар США\n", "utf-8"),
    "okopf": ("h.csv", "12200;Акционерные общества\n12247;Публичные акционерные общества\n", "cp1251"),
}


@pytest.mark.parametrize("kind", SAMPLES)
@pytest.mark.parametrize("form", ["file", "renamed", "folder", "zip", "folder of zip"])
def test_the_content_tells_the_kind_whatever_holds_it(tmp_path: Path, kind: str, form: str) -> None:
    name, body, encoding = SAMPLES[kind]
    data = body.encode(encoding)
    match form:
        case "file":
            path = put(tmp_path, name, data)
        case "renamed":
            path = put(tmp_path, "whatever.bin", data)
        case "folder":
            path = put(tmp_path, f"disk/inner/{name}", data).parents[1]
        case "zip":
            path = zipped(tmp_path / "x.dat", {f"inner/{name}": data, "readme.txt": b"read me"})
        case _:
            put(tmp_path, "disk/readme.txt", "Прочти меня")
            zipped(tmp_path / "disk" / "x.zip", {name: data})
            path = tmp_path / "disk"
    assert kind_of(path) == kind
    assert read(kind, path)[1]


@pytest.mark.parametrize("kind", SAMPLES)
def test_every_kind_refuses_the_files_of_the_others(tmp_path: Path, kind: str) -> None:
    for other, (name, body, encoding) in SAMPLES.items():
        if other != kind and (kind, other) != ("okv", "rates"):  # a list of rates is a list of currencies as well
            assert refusal(kind, put(tmp_path, f"{other}/{name}", body.encode(encoding)))


# --- OKOF, ENAOF


def test_okof_comes_with_its_hierarchy_groups_and_edition(tmp_path: Path) -> None:
    file, items = read("okof", put(tmp_path, "okof.xml", OKOF_XML, "utf-8-sig"))
    assert [(i.code, i.parent) for i in items] == [
        ("ОК 013-2014", ""),
        ("100.00.00.00", "ОК 013-2014"),
        ("100.00.10.00", "100.00.00.00"),
        ("310.00.00.00", "ОК 013-2014"),
        ("ОК 013-94", ""),
        ("10 0000000", "ОК 013-94"),
    ]
    homes = items[1]
    assert homes.values["Description"] == "ЖИЛЫЕ ЗДАНИЯ И ПОМЕЩЕНИЯ"
    assert homes.values["Edition"] == "ОК 013-2014"
    assert homes.sections["DepreciationGroupNotes"] == [{"GroupNumber": "10", "Note": "жилища"}]
    assert items[3].values["DepreciationGroups"] == "3, 5"
    assert file.version_date() == dt.date(2024, 1, 1)
    assert file.counts() == {"records": 6, "declared": 9}  # the file's own count is no promise
    assert file.warning_count() == 0


def test_a_wrong_check_digit_of_okof_is_a_warning(tmp_path: Path) -> None:
    assert okof_check_digit("10 0000000") == 1
    assert okof_check_digit("12 4525263") != 5
    file, items = read(
        "okof", put(tmp_path, "o.xml", OKOF_XML.replace('0000000" chk-digit="1"', '0000000" chk-digit="7"'))
    )
    assert len(items) == 6
    [warning] = file.warnings()
    assert (warning.record, warning.key, warning.field, warning.value) == (6, "10 0000000", "chk-digit", "7")


@given(st.text("0123456789", min_size=9, max_size=9))
def test_the_check_digit_of_okof_is_the_rule_of_the_classifier(digits: str) -> None:
    def rest(first: int) -> int:
        weights = [*range(first, 11), *range(1, 11)]
        return sum(int(d) * w for d, w in zip(digits, weights, strict=False)) % 11

    expected = rest(1) if rest(1) < 10 else (rest(3) if rest(3) < 10 else 0)
    assert okof_check_digit(digits) == expected


def test_enaof_keeps_rates_and_whatever_else_there_is(tmp_path: Path) -> None:
    _, items = read("enaof", put(tmp_path, "enaof.xml", ENAOF_XML))
    by_code = {i.code: i for i in items}
    assert by_code["10001"].values["Rate"] == Decimal("1.0000")
    assert by_code["10001"].parent == "1"
    car = by_code["50400"]
    assert (car.values["Rate"], car.values["PercentOfCost"]) == (Decimal("14.3000"), Decimal("0.3700"))
    assert json.loads(str(car.values["Extra"])) == {"kept": ["как есть"]}


@pytest.mark.parametrize("given", ["", ' classifier-type-id=""'])
def test_without_its_id_an_envelope_is_known_by_what_differs(tmp_path: Path, given: str) -> None:
    bare_okof = re.sub(
        r"<additional-packages>.*?</additional-packages>|<amg:amort-group.*?(/>|</amg:amort-group>)",
        "",
        OKOF_XML,
        flags=re.DOTALL,
    )
    for kind, body in (("okof", OKOF_XML), ("okof", bare_okof), ("enaof", ENAOF_XML)):
        body = re.sub(r' classifier-type-id="[^"]*"', given, body)
        path = put(tmp_path, "a.xml", body)
        assert kind_of(path) == kind
        assert (
            read(kind, path)[1]
            == read(
                kind,
                put(
                    tmp_path,
                    "b.xml",
                    {"okof": bare_okof if body.count("amort") == 0 else OKOF_XML}.get(kind, ENAOF_XML),
                ),
            )[1]
        )
        other = "enaof" if kind == "okof" else "okof"
        assert "это" in refusal(other, path)


@pytest.mark.parametrize(
    ("find", "put_", "expected"),
    [
        ('group-no="10"', 'group-no="X"', ["запись 2", "100.00.00.00", "поле group-no", "record 2"]),
        ('code="100.00.10.00    "', 'code="   "', ["запись 3", "поле code", "не заполнено"]),
        ('code="100.00.10.00    "', f'code="{"1" * 30}"', ["запись 3", "длиннее 20"]),
        ('code="100.00.10.00    "', 'code="100.00.00.00"', ["запись 3", "встречается второй раз"]),
        ("2024-01-01", "01.01.2024", ["in-effect-from", "нужна дата"]),
        ("</data></classifier>", "</data>", ["обрывается", "строка"]),
        ("</group>\n</data>", "</data>", ["ошибка XML", "строка"]),
    ],
)
def test_faults_of_okof_are_named_with_their_place(tmp_path: Path, find: str, put_: str, expected: list[str]) -> None:
    assert find in OKOF_XML
    path = put(tmp_path, "okof.xml", OKOF_XML.replace(find, put_, 1))
    if "in-effect-from" in expected:
        file, _ = read("okof", path)
        with pytest.raises(Exception) as caught:
            file.version_date()
        message = str(caught.value)
    else:
        message = refusal("okof", path)
    for piece in expected:
        assert piece in message


# --- OKVED2


def test_okved_has_sections_and_parents(tmp_path: Path) -> None:
    file, items = read("okved2", put(tmp_path, "data-20240201-structure-20180402.csv", OKVED_CSV, "cp1251"))
    assert [(i.code, i.parent, i.values["Section"]) for i in items] == [
        ("A", "", "A"),
        ("01", "A", "A"),
        ("01.1", "01", "A"),
        ("01.11", "01.1", "A"),
        ("01.11.1", "01.11", "A"),
        ("01.11.11", "01.11.1", "A"),
        ("C", "", "C"),
        ("10", "C", "C"),
    ]
    assert items[3].values["Description"] == 'Выращивание зерновых "(кроме риса)"'
    assert file.version_date() == dt.date(2024, 2, 1)
    assert file.counts() == {"records": 8, "sections": 2}


@pytest.mark.parametrize("encoding", ["cp1251", "utf-8", "utf-8-sig"])
@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
@pytest.mark.parametrize("header", ["", "Razdel;Kod;Name\r\n"])
def test_okved_in_other_dress(tmp_path: Path, encoding: str, delimiter: str, header: str) -> None:
    body = (header + OKVED_CSV).replace(";", delimiter)
    assert len(read("okved2", put(tmp_path, "x.csv", body, encoding))[1]) == 8


@pytest.mark.parametrize("code", ["01.01.2025", "11.янв", "янв.11", "1/11/2025", "45658", "1.1", "01,11"])
def test_codes_spoiled_by_a_spreadsheet_are_recognised(tmp_path: Path, code: str) -> None:
    message = refusal("okved2", put(tmp_path, "x.csv", OKVED_CSV.replace('"01.11.1"', f'"{code}"'), "cp1251"))
    assert "запись 5" in message
    assert "поле Code" in message
    assert "Excel" in message


def test_okved_with_letters_for_digits_or_a_code_twice(tmp_path: Path) -> None:
    assert "запись 5" in refusal(
        "okved2", put(tmp_path, "x.csv", OKVED_CSV.replace('"01.11.1"', '"O1.11.1"'), "cp1251")
    )
    message = refusal("okved2", put(tmp_path, "x.csv", OKVED_CSV.replace('"01.11.1"', '"01.11"'), "cp1251"))
    assert "второй раз" in message


# --- countries, currencies, units, legal forms


def test_oksm_with_bare_commas_and_a_broken_line(tmp_path: Path) -> None:
    file, items = read("oksm", put(tmp_path, "oksm.csv", OKSM_CSV))
    assert [i.code for i in items] == ["004", "008", "010", "068", "663"]
    assert items[3].values["Description"] == "БОЛИВИЯ, МНОГОНАЦИОНАЛЬНОЕ ГОСУДАРСТВО"
    assert items[3].values["FullName"] == "Многонациональное Государство Боливия"
    assert items[4].values["Alpha3"] == "MAF"
    assert file.counts() == {"records": 5, "lines": 6}
    assert file.warning_count() == 1


def test_oksm_with_a_header_and_lost_zeros(tmp_path: Path) -> None:
    body = "Код;Наименование;Полное наименование;Альфа-2;Альфа-3\n4;Афганистан;;AF;AFG\n643;Россия;Российская Федерация;RU;RUS\n"
    file, items = read("oksm", put(tmp_path, "x.csv", body, "cp1251"))
    assert [(i.code, i.values["Alpha2"]) for i in items] == [("004", "AF"), ("643", "RU")]
    assert file.warning_count() == 1


def test_the_form_of_1c_for_countries_and_units(tmp_path: Path) -> None:
    countries = (
        '<Items Description="ОКСМ" Columns="Code,Name,FullName,CodeAlpha2,CodeAlpha3"><Item Code="895" Name="АБХАЗИЯ" FullName="Республика '
        'Абхазия" CodeAlpha2="AB" CodeAlpha3="ABH"/></Items>'
    )
    assert kind_of(put(tmp_path, "c.xml", countries)) == "oksm"
    units = '<Items><Item Code="796" Name="Штука" NatSymb="шт" InternSymb="pc; 1" NatAbbr="ШТ" InternAbbr="PCE; NMB"/></Items>'
    path = put(tmp_path, "u.xml", units)
    assert kind_of(path) == "okei"
    [unit] = read("okei", path)[1]
    assert (unit.initial["Description"], unit.values["InternationalCode"]) == ("шт", "PCE; NMB")


def test_okei_from_xml_and_csv_is_the_same(tmp_path: Path) -> None:
    _, from_xml = read("okei", put(tmp_path, "a/okei.xml", OKEI_XML, "utf-8-sig"))
    csv = (
        "Code,Name,SymbolRu,SymbolEn,AlphaRu,AlphaEn,GroupId\n003,Миллиметр,мм,mm,ММ,MMT,1\n005,Дециметр\t,дм,dm,ДМ,DMT,1\n"
        "9991,Миллимоль на литр,ммоль/л,NULL,ММОЛЬ/Л,NULL,17\n"
    )
    _, from_csv = read("okei", put(tmp_path, "b/uoms.csv", csv, "utf-8-sig"))
    assert from_xml == from_csv
    assert from_xml[1].values["FullName"] == "Дециметр"
    put(tmp_path, "both/okei.xml", OKEI_XML)
    put(tmp_path, "both/uoms.csv", csv)
    assert len(read("okei", tmp_path / "both")[1]) == 3


def test_okv_of_the_bank_of_russia(tmp_path: Path) -> None:
    body = (
        '<?xml version="1.0" encoding="windows-1251"?><Valuta name="Foreign Currency Market Lib"><Item ID="R01010"><Name>Австралийский доллар'
        "</Name><EngName>Australian Dollar</EngName><Nominal>1</Nominal><ParentCode>R01010    </ParentCode><ISO_Num_Code>36</ISO_Num_Code>"
        '<ISO_Char_Code>AUD</ISO_Char_Code></Item><Item ID="R01305"><Name>Литовский талон</Name><EngName>x</EngName><Nominal>1</Nominal>'
        "<ParentCode>R01305</ParentCode><ISO_Num_Code></ISO_Num_Code><ISO_Char_Code></ISO_Char_Code></Item></Valuta>"
    )
    path = put(tmp_path, "valFull.xml", body, "cp1251")
    assert kind_of(path) == "okv"
    file, [item] = read("okv", path)
    assert (item.code, item.values["AlphabeticCode"]) == ("036", "AUD")
    assert file.counts()["without_code"] == 1


def test_okopf_finds_the_form_above(tmp_path: Path) -> None:
    body = "Код;Наименование\n1 00 00;Коммерческие организации\n1 22 00;Акционерные общества\n1 22 47;ПАО\n5 01 02;Предприниматели\n"
    _, items = read("okopf", put(tmp_path, "okopf.csv", body, "cp1251"))
    assert [(i.code, i.parent) for i in items] == [("10000", ""), ("12200", "10000"), ("12247", "12200"), ("50102", "")]


# --- rates and the calendar


def test_rates_of_a_day(tmp_path: Path) -> None:
    file, items = read("rates", put(tmp_path, "daily.asp", RATES_XML, "cp1251"))
    assert file.version_date() == dt.date(2024, 3, 15)
    assert [(i.values["CharCode"], i.values["Rate"], i.values["Multiplicity"]) for i in items] == [
        ("AUD", Decimal("60.1234"), Decimal(1)),
        ("USD", Decimal("91.6359"), Decimal(1)),
        ("JPY", Decimal("61.5000"), Decimal(100)),
    ]


@pytest.mark.parametrize(
    ("find", "put_", "expected"),
    [
        ("<Value>91,6359</Value>", "<Value>91,63S9</Value>", ["запись 2", "USD", "поле Value", "нужно число"]),
        ("<Value>91,6359</Value>", "<Value>0</Value>", ["поле Value", "положительное"]),
        ("<Value>91,6359</Value>", "<Value>91,63591</Value>", ["поле Value", "4 знаками"]),
        ("<NumCode>840</NumCode>", "<NumCode>84O</NumCode>", ["запись 2", "поле NumCode"]),
        ("<Nominal>100</Nominal>", "<Nominal>сто</Nominal>", ["запись 3", "поле Nominal"]),
        ("<NumCode>392</NumCode>", "<NumCode>840</NumCode>", ["запись 3", "второй раз"]),
        ('Date="15.03.2024"', 'Date="2024-03-15"', ["поле Date"]),
    ],
)
def test_faults_of_rates(tmp_path: Path, find: str, put_: str, expected: list[str]) -> None:
    message = refusal("rates", put(tmp_path, "r.xml", RATES_XML.replace(find, put_), "cp1251"))
    for piece in expected:
        assert piece in message


def test_days_of_rates_together_but_each_once(tmp_path: Path) -> None:
    put(tmp_path, "a.xml", RATES_XML, "cp1251")
    put(tmp_path, "b.xml", RATES_XML.replace("15.03.2024", "16.03.2024"), "cp1251")
    file, items = read("rates", tmp_path)
    assert (len(items), file.counts()["days"], file.version_date()) == (6, 2, dt.date(2024, 3, 16))
    put(tmp_path, "c.xml", RATES_XML.replace("60,1234", "60,1235"), "cp1251")
    assert "два файла на 15.03.2024" in refusal("rates", tmp_path)


def day_kinds(path: Path) -> dict[str, tuple[str, str]]:
    found = {}
    for item in read("calendar", path)[1]:
        day, kind = item.values["Date"], item.values["Kind"]
        assert isinstance(day, dt.datetime)
        assert isinstance(kind, EnumValue)
        found[f"{day:%m-%d}"] = (kind.name, str(item.values["Holiday"]))
    return found


def test_the_calendar_has_every_day_of_the_year(tmp_path: Path) -> None:
    days = day_kinds(put(tmp_path, "calendar.xml", CALENDAR_XML))
    assert len(days) == 366
    assert days["01-01"] == ("Holiday", "Новогодние каникулы")
    assert days["02-22"] == ("Shortened", "")
    assert days["04-27"] == ("Workday", "")  # a Saturday that is worked
    assert days["04-29"] == ("DayOff", "")
    assert days["03-02"] == ("DayOff", "")  # a plain Saturday
    assert days["03-04"] == ("Workday", "")
    moved = [i for i in read("calendar", tmp_path / "calendar.xml")[1] if i.values["MovedFrom"]]
    assert [i.values["MovedFrom"] for i in moved] == [dt.datetime(2024, 4, 27)]


def listed_months() -> list[str]:
    """Days off of 2024 as the JSON and the CSV list them, with the same exceptions as CALENDAR_XML."""
    months = []
    for month in range(1, 13):
        days = []
        for number in range(1, 32):
            try:
                day = dt.date(2024, month, number)
            except ValueError:
                break
            mark = {(2, 22): "*", (4, 29): "+"}.get((month, number), "")
            off = day.weekday() >= 5 or (month, number) in ((1, 1), (1, 2), (2, 23), (4, 29))
            if (off or mark == "*") and (month, number) != (4, 27):
                days.append(f"{number}{mark}")
        months.append(",".join(days))
    return months


def test_the_calendar_as_json_and_csv_says_the_same(tmp_path: Path) -> None:
    expected = {
        d: "DayOff" if k == "Holiday" else k for d, (k, _) in day_kinds(put(tmp_path, "x/c.xml", CALENDAR_XML)).items()
    }
    months = listed_months()
    body = json.dumps(
        {
            "year": 2024,
            "months": [{"month": i, "days": days} for i, days in enumerate(months, 1)],
            "transitions": [{"from": "04.27", "to": "04.29"}],
            "statistic": {"workdays": 248},
        }
    )
    path = put(tmp_path, "j/calendar.json", body)
    assert kind_of(path) == "calendar"
    assert {d: k for d, (k, _) in day_kinds(path).items()} == expected
    header = "Год/Месяц," + ",".join(f"m{i}" for i in range(1, 13)) + ",Всего рабочих дней\n"
    csv = header + "2024," + ",".join(f'"{m}"' for m in months) + ",248\n"
    path = put(tmp_path, "c/calendar.csv", csv)
    assert kind_of(path) == "calendar"
    assert {d: k for d, (k, _) in day_kinds(path).items()} == expected


@pytest.mark.parametrize(
    ("find", "put_", "expected"),
    [
        ('d="02.23" t="1"', 'd="02.30" t="1"', ["поле d", "нет такого дня"]),
        ('d="02.23" t="1"', 'd="O2.23" t="1"', ["поле d"]),
        ('d="02.23" t="1"', 'd="02.22" t="1"', ["указан дважды"]),
        ('t="3"', 't="7"', ["поле t"]),
        ('year="2024"', 'year="20Z4"', ["поле year"]),
        ('country="ru"', 'country="kz"', ["календарь страны kz"]),
    ],
)
def test_faults_of_the_calendar(tmp_path: Path, find: str, put_: str, expected: list[str]) -> None:
    message = refusal("calendar", put(tmp_path, "c.xml", CALENDAR_XML.replace(find, put_, 1)))
    for piece in expected:
        assert piece in message


def test_two_calendars_of_one_year_are_refused(tmp_path: Path) -> None:
    put(tmp_path, "a/calendar.xml", CALENDAR_XML)
    put(tmp_path, "b/calendar.xml", CALENDAR_XML.replace("2023.09.01", "2024.02.01"))
    assert "два календаря на 2024" in refusal("calendar", tmp_path)


# --- bad files of every kind


@pytest.mark.parametrize("kind", SAMPLES)
def test_files_with_nothing_in_them(tmp_path: Path, kind: str) -> None:
    for body in (b"", b"\n\n", b"\0" * 100, b"<x/>", b"PK\x03\x04", b"7z\xbc\xaf\x27\x1c"):
        assert refusal(kind, put(tmp_path, "x", body))
    assert "архив пуст" in refusal(kind, zipped(tmp_path / "e.zip", {}))
    (tmp_path / "empty").mkdir()
    assert "папка пуста" in refusal(kind, tmp_path / "empty")


@pytest.mark.parametrize(
    ("kind", "find"),
    [("okof", "<data"), ("enaof", "<data"), ("okei", "<Section"), ("rates", "<Valute"), ("calendar", "<days")],
)
def test_a_file_without_records_is_an_error(tmp_path: Path, kind: str, find: str) -> None:
    body = SAMPLES[kind][1]
    root = re.search(r"<(classifier|OKEI|ValCurs|calendar)\b[^>]*>", body)
    assert root is not None
    empty = body[: root.end()] + f"</{root[1]}>"
    assert find not in empty
    message = refusal(kind, put(tmp_path, "x.xml", empty, SAMPLES[kind][2]))
    assert "ни одной записи" in message or "это не" in message


XML_KINDS = ("okof", "enaof", "okei", "rates", "calendar")


@pytest.mark.parametrize("kind", XML_KINDS)
@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
@given(data=st.data())
def test_an_xml_cut_anywhere_is_refused(tmp_path: Path, kind: str, data: st.DataObject) -> None:
    _, body, encoding = SAMPLES[kind]
    raw = body.rstrip().encode(encoding)
    cut = data.draw(st.integers(0, len(raw) - 1))
    assert refusal(kind, put(tmp_path, "x.xml", raw[:cut]))


@pytest.mark.parametrize("kind", XML_KINDS)
@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE x>",
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">',
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>',
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
    ],
)
def test_document_types_are_refused(tmp_path: Path, kind: str, doctype: str) -> None:
    _, body, encoding = SAMPLES[kind]
    declaration, mark, rest = body.partition("?>")
    written = f"{declaration}{mark}\n{doctype}{rest}" if mark else doctype + body
    assert "DOCTYPE" in refusal(kind, put(tmp_path, "x.xml", written, encoding))
    hidden = (
        f"{declaration}{mark}<!--{'x' * 20_000}-->{doctype}{rest}" if mark else f"<!--{'x' * 20_000}-->{doctype}{body}"
    )
    assert "DOCTYPE" in refusal(kind, put(tmp_path, "x.xml", hidden, encoding))


@pytest.mark.parametrize("kind", ["okof", "rates", "calendar"])
@pytest.mark.parametrize(
    "broken",
    ['<?xml version="1.0" encoding=UTF-8?>', '<?xml encoding="UTF-8"?>', '<?xml version="1.0" encoding="nope"?>'],
)
def test_a_broken_declaration_is_named(tmp_path: Path, kind: str, broken: str) -> None:
    body = broken + SAMPLES[kind][1].partition("?>")[2]
    assert "объявление XML" in refusal(kind, put(tmp_path, "x.xml", body))


@pytest.mark.parametrize(
    ("kind", "written", "declared"),
    [
        ("okof", "cp866", "windows-1251"),
        ("okof", "utf-8", "windows-1251"),
        ("okof", "utf-8-sig", "windows-1251"),
        ("okof", "cp1251", "iso-8859-1"),
        ("okof", "cp1251", "UTF-8"),
        ("okof", "cp1251", ""),
        ("okof", "cp866", ""),
        ("okof", "utf-16", "utf-8"),
        ("rates", "utf-8", "windows-1251"),
        ("rates", "utf-8", "utf-16"),
        ("rates", "cp1251", ""),
        ("calendar", "cp1251", "UTF-8"),
    ],
)
def test_an_xml_is_read_in_the_encoding_it_is_in(tmp_path: Path, kind: str, written: str, declared: str) -> None:
    """A declaration that is missing or untrue does not matter where the text reads in one way only; it is told of."""
    rest = SAMPLES[kind][1].partition("?>")[2]
    body = (f'<?xml version="1.0" encoding="{declared}"?>' if declared else "") + rest
    path = put(tmp_path, "x.xml", body.encode(written))
    assert kind_of(path) == kind
    file, items = read(kind, path)
    assert items == read(kind, put(tmp_path, "good.xml", SAMPLES[kind][1].encode(SAMPLES[kind][2])))[1]
    assert [w.field for w in file.warnings()] == ["encoding"]


@pytest.mark.parametrize("declared", ["", ' encoding="utf-8"'])
def test_an_xml_whose_encoding_nothing_tells_is_refused_with_its_place(tmp_path: Path, declared: str) -> None:
    """«Кг» in windows-1251 is a text in cp866 as well."""
    body = f'<?xml version="1.0"{declared}?>\n<Items>\n<Item Code="166" Name="Кг" NatSymb="кг" NatAbbr="KG"/></Items>'
    message = refusal("okei", put(tmp_path, "x.xml", body, "cp1251"))
    assert "строка 3" in message
    assert "кодировка" in message
    _, [unit] = read(
        "okei",
        put(
            tmp_path,
            "y.xml",
            body.replace(declared or "?>", ' encoding="windows-1251"' + ("" if declared else "?>")),
            "cp1251",
        ),
    )
    assert unit.values["FullName"] == "Кг"


def test_koi8_is_not_taken_for_windows_1251(tmp_path: Path) -> None:
    for declared in ("", ' encoding="windows-1251"'):
        body = f'<?xml version="1.0"{declared}?>' + SAMPLES["okof"][1].partition("?>")[2]
        assert refusal("okof", put(tmp_path, "x.xml", body, "koi8-r"))


WORDS = [
    "метр",
    "штука",
    "Российская",
    "Федерация",
    "ВЫРАЩИВАНИЕ",
    "зерновых",
    "культур,",
    "прочие",
    "объём",
    "м",
    "кг",
    "ящ",
    "ЩЁТКИ",
    "жильё",
]


@given(st.lists(st.sampled_from(WORDS), min_size=1).map(" ".join), st.sampled_from(["cp1251", "cp866", "utf-8"]))
def test_an_encoding_is_told_truly_or_not_at_all(text: str, encoding: str) -> None:
    body = f"<a><b>{text}</b></a>".encode(encoding)
    member = Member("x", "x", len(body), lambda: io.BytesIO(body))
    try:
        told = true_encoding(member, body)
    except ClassifierInvalid:
        return
    assert body.decode(told or "utf-8") == body.decode(encoding)


def test_a_csv_in_a_wrong_code_page_is_noticed(tmp_path: Path) -> None:
    assert "кодировка" in refusal("okved2", put(tmp_path, "x.csv", OKVED_CSV, "koi8-r"))


@pytest.mark.parametrize("kind", ["okved2", "oksm", "okv", "okopf"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1251", "cp866"])
def test_tables_in_every_usual_code_page_are_the_same(tmp_path: Path, kind: str, encoding: str) -> None:
    body = SAMPLES[kind][1]
    path = put(tmp_path, "a.csv", body, encoding)
    assert kind_of(path) == kind
    assert read(kind, path)[1] == read(kind, put(tmp_path, "b.csv", body))[1]
    lines = put(tmp_path, "c.csv", body.replace("\r\n", "\n").replace("\n", "\r\n"), encoding)
    assert read(kind, lines)[1] == read(kind, path)[1]


def test_headers_of_other_publishers(tmp_path: Path) -> None:
    for header in (
        "Цифровой код;Наименование краткое;Наименование полное;Альфа-2;Альфа-3",
        "num3;short;full;alpha2;alpha3",
    ):
        _, items = read("oksm", put(tmp_path, "a.csv", f"{header}\n643;РОССИЯ;Российская Федерация;RU;RUS\n"))
        assert [(i.code, i.values["FullName"]) for i in items] == [("643", "Российская Федерация")]
    path = put(tmp_path, "b.csv", "code,name,short\n003,Миллиметр,мм\n796,Штука,шт\n")
    assert (kind_of(path), [i.initial["Description"] for i in read("okei", path)[1]]) == ("okei", ["мм", "шт"])


def test_rates_with_a_prefix_of_their_own(tmp_path: Path) -> None:
    body = re.sub(r"<(/?)([A-Z])", r"<\1x:\2", RATES_XML).replace("x:ValCurs Date", "x:ValCurs xmlns:x='u' Date")
    assert (
        read("rates", put(tmp_path, "a.xml", body, "cp1251"))[1]
        == read("rates", put(tmp_path, "b.xml", RATES_XML, "cp1251"))[1]
    )


def test_bombs_in_archives_and_deep_nesting_are_refused(tmp_path: Path) -> None:
    bomb = OKOF_XML.replace("</data>", "</data>" + " " * (9 * 1024 * 1024))
    assert "распакованный размер" in refusal("okof", zipped(tmp_path / "b.zip", {"okof.xml": bomb}))
    deep = OKOF_XML.replace("<desc>жилища", "").replace(
        "<desc>Материальные", "<q>" * 70 + "</q>" * 70 + "<desc>Материальные"
    )
    assert "вложенность" in refusal("okof", put(tmp_path, "d.xml", deep))


@pytest.mark.parametrize("kind", ["okof", "enaof", "calendar"])
def test_faults_of_xml_are_called_what_they_are(tmp_path: Path, kind: str) -> None:
    body = {"okof": OKOF_XML, "enaof": ENAOF_XML, "calendar": CALENDAR_XML}[kind]
    root = body.index("<c")
    for cut in (root + 1, root + 20, root + 60):
        assert "обрывается" in refusal(kind, put(tmp_path, "cut.xml", body[:cut]))
    other, items = read(kind, put(tmp_path, "page.xml", body, "cp1251"))
    assert (items, other.warning_count()) == (read(kind, put(tmp_path, "own.xml", body))[1], 1), "the page is told"
    last = body.rindex('="') + 2
    assert "ссылка" in refusal(kind, put(tmp_path, "entity.xml", f"{body[:last]}&unknown;{body[last:]}"))


def test_tables_cut_inside_a_cell_or_a_letter_are_told(tmp_path: Path) -> None:
    at = OKVED_CSV.index("Растениеводство") + 5
    assert "внутри кавычек (строка 2)" in refusal("okved2", put(tmp_path, "a.csv", OKVED_CSV[:at], "cp1251"))
    letter = OKSM_CSV.encode().index("БОЛИВИЯ".encode()) + 1
    assert "строка 4: файл обрывается" in refusal("oksm", put(tmp_path, "b.csv", OKSM_CSV.encode()[:letter]))
