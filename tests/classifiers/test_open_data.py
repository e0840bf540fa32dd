"""Tables of open data: the same records as CSV, XML and JSON under the names of columns their publishers use."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pytest

from tests.classifiers.helpers import kind_of, put, read, refusal

Records = Sequence[Mapping[str, object]]


def as_csv(records: Records) -> str:
    names: list[object] = [*records[0]]
    return "".join(
        ";".join(f'"{v}"' for v in line) + "\r\n" for line in ([*names], *([r[str(n)] for n in names] for r in records))
    )


def as_elements(records: Records) -> str:
    rows = ("<row>" + "".join(f"<{n}>{escape(str(v))}</{n}>" for n, v in r.items()) + "</row>" for r in records)
    return '<?xml version="1.0" encoding="UTF-8"?>\n<array>' + "\n".join(rows) + "</array>"


def as_attributes(records: Records) -> str:
    rows = ("<item " + " ".join(f"{n}={quoteattr(str(v))}" for n, v in r.items()) + "/>" for r in records)
    return "<data><items>" + "".join(rows) + "</items></data>"


def as_json(records: Records) -> str:
    return json.dumps(list(records))


def as_cells(records: Records) -> str:
    """The answer of data.mos.ru's interface."""
    return json.dumps([{"global_id": i, "Number": i, "Cells": r} for i, r in enumerate(records)], ensure_ascii=False)


def as_wrapped(records: Records) -> str:
    return json.dumps({"meta": {"date": "20240101"}, "result": {"total": len(records), "records": list(records)}})


FORMS = {f.__name__: f for f in (as_csv, as_elements, as_attributes, as_json, as_cells, as_wrapped)}
MOSCOW = [
    {
        "Name": "Растениеводство и животноводство",
        "Razdel": "A",
        "Idx": "01",
        "Kod": "01",
        "Nomdescr": "Включает: <выращивание>; прочее",
    },
    {"Name": "СЕЛЬСКОЕ, ЛЕСНОЕ ХОЗЯЙСТВО", "Razdel": "A", "Idx": "A", "Kod": "", "Nomdescr": ""},
    {"Name": "Выращивание зерновых культур", "Razdel": "A", "Idx": "01.11.1", "Kod": "01.11.1", "Nomdescr": ""},
    {"Name": "Выращивание однолетних культур", "Razdel": "A", "Idx": "01.1", "Kod": "01.1", "Nomdescr": ""},
    {"Name": "Выращивание зерновых", "Razdel": "A", "Idx": "01.11", "Kod": "01.11", "Nomdescr": ""},
]
RUSSIAN = [
    {"Код": "Раздел A", "Наименование": "СЕЛЬСКОЕ, ЛЕСНОЕ ХОЗЯЙСТВО"},
    {"Код": "01", "Наименование": "Растениеводство и животноводство"},
    {"Код": "01.1", "Наименование": "Выращивание однолетних культур"},
    {"Код": "01.11", "Наименование": "Выращивание зерновых"},
    {"Код": "01.11.1", "Наименование": "Выращивание зерновых культур"},
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("records", [MOSCOW, RUSSIAN], ids=["moscow", "russian"])
def test_activities(tmp_path: Path, form: str, records: Records) -> None:
    path = put(tmp_path, "data.bin", FORMS[form](records))
    assert kind_of(path) == "okved2"
    file, items = read("okved2", path)
    assert [(i.code, i.parent, i.values["Section"]) for i in items] == [
        ("A", "", "A"),
        ("01", "A", "A"),
        ("01.1", "01", "A"),
        ("01.11", "01.1", "A"),
        ("01.11.1", "01.11", "A"),
    ]
    assert items[1].values["Description"] == "Растениеводство и животноводство"
    assert file.counts() == {"records": 5, "sections": 1}


def test_a_header_repeated_in_russian_is_no_record(tmp_path: Path) -> None:
    body = as_csv(MOSCOW)
    first, rest = body.split("\r\n", 1)
    path = put(tmp_path, "a.csv", f'{first}\r\n"Наименование";"Раздел";"Индекс";"Код";"Пояснение"\r\n{rest}')
    assert kind_of(path) == "okved2"
    assert len(read("okved2", path)[1]) == 5


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("code", ["01.01.2025", "1.1", "45658", "O1.11"])
def test_spoiled_codes_are_refused_in_every_form(tmp_path: Path, form: str, code: str) -> None:
    records = [*RUSSIAN, {"Код": code, "Наименование": "Испорченный код"}]
    message = refusal("okved2", put(tmp_path, "x", FORMS[form](records)))
    assert "запись 6" in message
    assert "поле Code" in message


@pytest.mark.parametrize("form", FORMS)
def test_goods_are_not_activities(tmp_path: Path, form: str) -> None:
    goods = [*RUSSIAN, {"Код": "01.11.11.110", "Наименование": "Зерно"}]
    assert refusal("okved2", put(tmp_path, "x", FORMS[form](goods)))


@pytest.mark.parametrize("form", ["as_elements", "as_attributes", "as_json", "as_cells", "as_wrapped"])
def test_a_file_cut_short_is_refused(tmp_path: Path, form: str) -> None:
    body = FORMS[form](MOSCOW).encode()
    for cut in (1, 2, 20, len(body) // 2):
        message = refusal("okved2", put(tmp_path, "x", body[:-cut]))
        assert "обрывается" in message or "это не" in message


def test_json_that_is_none_or_too_deep(tmp_path: Path) -> None:
    assert "JSON" in refusal("okved2", put(tmp_path, "a", as_json(MOSCOW).replace('"Kod"', "Kod", 1)))
    assert refusal("okved2", put(tmp_path, "b", "[" * 100_000))
    assert refusal("okved2", put(tmp_path, "c", "[]"))
    assert refusal("okved2", put(tmp_path, "d", '[{"Kod": "01"}]'))


OTHERS: dict[str, list[Records]] = {
    "oksm": [
        [
            {
                "Цифровой_код": "643",
                "Краткое_наименование": "РОССИЯ",
                "Полное_наименование": "Российская Федерация",
                "Альфа-2": "RU",
                "Альфа-3": "RUS",
            }
        ],
        [
            {
                "global_id": 7,
                "Kod": "643",
                "ShortName": "РОССИЯ",
                "FullName": "Российская Федерация",
                "Alpha2": "RU",
                "Alpha3": "RUS",
            }
        ],
    ],
    "okv": [
        [{"Цифр.код": "643", "Букв.код": "RUB", "Валюта": "Российский рубль"}],
        [{"Naimenovanie": "Российский рубль", "Kod": "643", "CharCode": "RUB", "Strany": "Россия"}],
    ],
    "okei": [
        [
            {
                "Код": "796",
                "Наименование": "Штука",
                "Условное_обозначение_национальное": "шт",
                "Кодовое_буквенное_обозначение_национальное": "ШТ",
            }
        ],
        [{"Naim": "Штука", "Kod": "796", "Условное_обозначение": "шт", "global_id": 1}],
    ],
    "okopf": [
        [{"Код_ОКОПФ": "12247", "Наименование": "Публичные акционерные общества"}],
        [{"global_id": 3, "Name": "Публичные акционерные общества", "Kod": "1 22 47"}],
    ],
}
CODES = {"oksm": "643", "okv": "643", "okei": "796", "okopf": "12247"}


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("number", [0, 1])
def test_other_classifiers(tmp_path: Path, kind: str, form: str, number: int) -> None:
    path = put(tmp_path, "x", FORMS[form](OTHERS[kind][number]))
    assert kind_of(path) == kind
    assert [i.code for i in read(kind, path)[1]] == [CODES[kind]]
    for other in OTHERS:
        if other != kind:
            assert refusal(other, path)


def test_numbers_of_a_json_get_their_zeros_back(tmp_path: Path) -> None:
    records = [{"Kod": 8, "ShortName": "АЛБАНИЯ", "FullName": None, "Alpha2": "AL", "Alpha3": "ALB"}]
    file, [country] = read("oksm", put(tmp_path, "x.json", as_json(records)))
    assert (country.code, country.values["FullName"], file.warning_count()) == ("008", "", 1)


def test_a_record_without_its_code_is_named(tmp_path: Path) -> None:
    body = as_json([*OTHERS["oksm"][1], {"ShortName": "АЛБАНИЯ", "Alpha2": "AL"}])
    assert "запись 2" in refusal("oksm", put(tmp_path, "x.json", body))
