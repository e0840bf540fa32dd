"""Rates of one currency for a period (XML_dynamic): its currency found by the Bank's code, beside files of days and alone."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from classifiers.cbr_currencies import Currency, currencies
from classifiers.loader import load
from infobase.metadata.types import Ref
from infobase.query_model import Query
from infobase.session import Session
from tests.classifiers.helpers import RATES_XML, REAL, kind_of, needs_real, put, read, refusal

RATES: Mapping[str, str] = {"02.03.2024": "91,3336", "05.03.2024": "91,3", "15.03.2024": "91,6359"}


def dynamic(rates: Mapping[str, str] = RATES, own: str = "R01235", nominal: str = "1") -> str:
    records = "".join(
        f'<Record Date="{day}" Id="{own}"><Nominal>{nominal}</Nominal><Value>{value}</Value><VunitRate>{value}</VunitRate></Record>'
        for day, value in rates.items()
    )
    return (
        f'<?xml version="1.0" encoding="windows-1251"?><ValCurs ID="{own}" DateRange1="01.03.2024" DateRange2="31.03.2024" '
        f'name="Foreign Currency Market Dynamic">{records}</ValCurs>'
    )


def test_a_period_of_one_currency(tmp_path: Path) -> None:
    path = put(tmp_path, "XML_dynamic.asp", dynamic(), "cp1251")
    assert kind_of(path) == "rates"
    file, items = read("rates", path)
    assert [(i.values["Period"], i.values["Rate"], i.values["CharCode"], i.values["NumCode"]) for i in items] == [
        (dt.datetime(2024, 3, 2), Decimal("91.3336"), "USD", "840"),
        (dt.datetime(2024, 3, 5), Decimal("91.3000"), "USD", "840"),
        (dt.datetime(2024, 3, 15), Decimal("91.6359"), "USD", "840"),
    ]
    assert (file.version_date(), file.counts()) == (dt.date(2024, 3, 15), {"records": 3, "days": 3})


def test_a_file_of_a_day_beside_it_names_the_currency(tmp_path: Path) -> None:
    day = RATES_XML.replace("R01235", "R09999")  # a code the list of the product does not have
    put(tmp_path, "z_daily.xml", day, "cp1251")
    put(tmp_path, "a_dynamic.xml", dynamic(own="R09999"), "cp1251")
    file, items = read("rates", tmp_path)
    assert len(items) == 3 + 2  # the day both files have, once
    assert {i.values["CharCode"] for i in items} == {"AUD", "USD", "JPY"}
    assert file.counts() == {"records": 6, "days": 3}
    put(tmp_path, "a_dynamic.xml", dynamic({**RATES, "15.03.2024": "90"}, own="R09999"), "cp1251")
    assert "курс USD на 15.03.2024 в файлах разный" in refusal("rates", tmp_path)


def test_several_currencies_and_the_same_days_twice(tmp_path: Path) -> None:
    put(tmp_path, "usd.xml", dynamic(), "cp1251")
    put(tmp_path, "jpy.xml", dynamic({"02.03.2024": "60,8"}, "R01820", "100"), "cp1251")
    put(tmp_path, "usd2.xml", dynamic({"15.03.2024": "91,6359", "16.03.2024": "91,7"}), "cp1251")
    _, items = read("rates", tmp_path)
    found = sorted((str(i.values["CharCode"]), str(i.values["Period"])[:10], i.values["Multiplicity"]) for i in items)
    assert found == [
        ("JPY", "2024-03-02", Decimal(100)),
        *(("USD", f"2024-03-{day}", Decimal(1)) for day in ("02", "05", "15", "16")),
    ]


@pytest.mark.parametrize(
    ("find", "put_", "expected"),
    [
        ('ID="R01235" ', 'ID="R77777" ', ["запись другой валюты", "поле Id"]),
        ("R01235", "R77777", ["R77777", "неизвестный код валюты Банка России", "XML_daily.asp"]),
        ('Date="05.03.2024"', 'Date="02.03.2024"', ["запись 2", "второй раз"]),
        ('Date="05.03.2024"', 'Date="05.04.2024"', ["запись 2", "вне периода файла"]),
        ('Date="05.03.2024"', 'Date="2024-03-05"', ["запись 2", "поле Date", "нужна дата"]),
        ('DateRange2="31.03.2024"', "", ["поле DateRange2"]),
        ("<Value>91,3</Value>", "<Value>9I,3</Value>", ["запись 2", "USD", "поле Value"]),
        ("<Nominal>1</Nominal>", "<Nominal>0</Nominal>", ["запись 1", "поле Nominal"]),
        ("</Record></ValCurs>", "</Record>", ["обрывается"]),
    ],
)
def test_faults_of_a_period(tmp_path: Path, find: str, put_: str, expected: list[str]) -> None:
    assert find in dynamic()
    message = refusal("rates", put(tmp_path, "d.xml", dynamic().replace(find, put_), "cp1251"))
    for piece in expected:
        assert piece in message


def test_a_period_without_rates_is_an_error(tmp_path: Path) -> None:
    assert "ни одной записи" in refusal("rates", put(tmp_path, "d.xml", dynamic({}), "cp1251"))


def test_codes_of_currencies_are_those_of_iso() -> None:
    known = currencies()
    assert {k: known[k] for k in ("R01235", "R01239", "R01375", "R01700J")} == {
        "R01235": Currency("840", "USD", "Доллар США"),
        "R01239": Currency("978", "EUR", "Евро"),
        "R01375": Currency("156", "CNY", "Юань"),
        "R01700J": Currency("949", "TRY", "Турецкая лира"),
    }
    shapes = (r"R\d{5}[A-Z]?", r"\d{3}", "[A-Z]{3}")
    for own, currency in known.items():
        for shape, value in zip(shapes, (own, currency.code, currency.letters), strict=True):
            assert re.fullmatch(shape, value, re.ASCII)
    assert len(known) == 82


@needs_real
def test_the_list_agrees_with_rates_really_published() -> None:
    body = (REAL / "okv" / "XML_daily_2022-03-15.xml").read_bytes().decode("cp1251")
    found = re.findall(r'ID="(\w+)">.*?<NumCode>(\d+)<.*?<CharCode>(\w+)<', body, re.DOTALL)
    assert len(found) == 34
    for own, code, letters in found:
        assert (currencies()[own].code, currencies()[own].letters) == (code, letters)


def test_a_period_goes_into_the_register_and_makes_nothing_older(file_crm: Session, tmp_path: Path) -> None:
    load(file_crm, "rates", put(tmp_path, "daily.xml", RATES_XML, "cp1251"))
    path = put(tmp_path, "old.xml", dynamic({d: v for d, v in RATES.items() if d != "15.03.2024"}), "cp1251")
    report = load(file_crm, "rates", path)
    assert (report.added, report.changed) == (2, 0)
    version = file_crm.classifiers.version("rates")
    assert version is not None
    assert version.version_date == "2024-03-15"
    assert load(file_crm, "rates", path).nothing_new
    target = file_crm.kernel.configuration.classifiers["rates"].target
    rows = [r for r in file_crm.query(Query(target)) if r["Period"] == dt.datetime(2024, 3, 5)]
    assert [r["Rate"] for r in rows] == [Decimal("91.3000")]
    assert isinstance(rows[0]["Currency"], Ref)
