"""$filter: every operator and function against the records, and what must be refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine_server.odata.errors import ODataError
from engine_server.odata.filter_syntax import parse_filter
from engine_server.odata.filtering import compile_filter
from engine_server.odata.model import Model
from infobase.metadata.types import Ref
from infobase.query_model import AnyRow, Compare, Not
from tests.bases import shop
from tests.odata.served import ZERO, Client, World

PARTNERS, ORDERS, GOODS = "Catalog_Партнеры", "Document_Заказ", "Catalog_Товары"
DAISY, FIR = "Ромашка", "Ёлка & <Ко>"


def names(client: Client, text: str) -> set[str]:
    return {r["Description"] for r in client.values(PARTNERS, **{"$filter": text, "$select": "Description"})}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Description eq 'Ромашка'", {DAISY}),
        ("Description ne 'Ромашка'", {FIR}),
        ("'Ромашка' eq Description", {DAISY}),
        ("Наименование eq 'Ромашка' and (Код eq '000001' or Code eq '7')", {DAISY}),
        ("Лимит eq 1234.5", {DAISY}),
        ("Лимит gt 1234.49 and Limit lt 1234.51", {DAISY}),
        ("Лимит ge 1234.5M and Лимит le 1234.5d", {DAISY}),
        ("Лимит add 5 gt 1239", {DAISY}),
        ("Лимит sub 4.5 eq 1230", {DAISY}),
        ("Лимит mul 2 eq 2469", {DAISY}),
        ("Лимит div 4 gt 300", {DAISY}),
        ("-Лимит lt 0", {DAISY}),
        ("round(Лимит) eq 1235", {DAISY}),
        ("not (Лимит eq 0)", {DAISY}),
        ("Действует", {DAISY}),
        ("Действует eq false", {FIR}),
        ("not Действует", {FIR}),
        ("true", {DAISY, FIR}),
        ("false", set()),
        ("Вид eq 'Покупатель'", {DAISY}),
        ("Kind eq 'Buyer'", {DAISY}),
        ("Вид eq ''", {FIR}),
        ("РаботаетС ge datetime'2024-05-17T10:30:05' and РаботаетС lt datetime'2024-05-18'", {DAISY}),
        ("РаботаетС eq datetime'0001-01-01T00:00:00'", {FIR}),
        ("year(РаботаетС) eq 2024 and month(РаботаетС) eq 5 and day(РаботаетС) eq 17", {DAISY}),
        ("hour(РаботаетС) eq 10 and minute(РаботаетС) eq 30 and second(РаботаетС) eq 5", {DAISY}),
        ("quarter(РаботаетС) eq 2 and dayofweek(РаботаетС) eq 5 and dayofyear(РаботаетС) eq 138", {DAISY}),
        ("dateadd(РаботаетС, 'month', 1) eq datetime'2024-06-17T10:30:05'", {DAISY}),
        ("datedifference(РаботаетС, datetime'2024-06-01', 'day') eq 15", {DAISY}),
        ("substringof('ОМАШ', Description)", {DAISY}),
        ("substringof('омаш', Description) eq true", {DAISY}),
        ("substringof('омаш', Description) eq false", {FIR}),
        ("startswith(Description, 'рома')", {DAISY}),
        ("endswith(Description, 'ко>')", {FIR}),
        ("endswith(Description, 'шка') eq true", {DAISY}),
        ("startswith(tolower(Description), 'елка')", {FIR}),
        ("like(Description, '[^е]%')", {DAISY}),
        ("like(Description, '%м_шка')", {DAISY}),
        ("length(Description) eq 7", {DAISY}),
        ("indexof(Description, 'маш') eq 2", {DAISY}),
        ("substring(ИНН, 1, 2) eq '77'", {DAISY}),
        ("substring(Description, 3) eq 'машка'", {DAISY}),
        ("toupper(Description) eq 'РОМАШКА'", {DAISY}),
        ("trim(concat(' ', Description)) eq 'Ромашка'", {DAISY}),
        ("concat(concat(Description, ', '), ИНН) eq 'Ромашка, 7712345678'", {DAISY}),
        ("startswith(concat(Description, ИНН), 'ромашка77')", {DAISY}),
        ("endswith(concat(Description, ИНН), '5678')", {DAISY}),
        ("substringof('КА77', concat(Description, ИНН))", {DAISY}),
        ("Регион/Description eq 'Тверская'", {DAISY}),
        ("Регион_Key eq guid'{region}'", {DAISY}),
        ("Регион_Key ne guid'{region}'", {FIR}),
        ("Регион eq guid'{region}'", {DAISY}),
        ("Регион/Ref_Key eq guid'{region}'", {DAISY}),
        ("Регион_Key eq '{region}'", {DAISY}),
        ("Регион_Key eq {region}", {DAISY}),
        ("Регион_Key eq guid'" + ZERO + "'", {FIR}),
        ("Регион_Key eq cast(guid'{region}', 'Catalog_Регионы')", {DAISY}),
        ("Предмет eq cast(guid'{region}', 'Catalog_Регионы')", {FIR}),
        ("Предмет eq guid'{region}'", set()),
        ("Предмет_Type eq 'StandardODATA.Catalog_Регионы'", {FIR}),
        ("Предмет_Type eq 'StandardODATA.Undefined'", {DAISY}),
        ("isof(Предмет, 'Catalog_Регионы')", {FIR}),
        ("isof(Предмет, 'Number')", set()),
        ("isof(Лимит, 'Edm.Double')", {DAISY, FIR}),
        ("cast(Предмет, 'Catalog_Регионы')/Code eq '500'", {FIR}),
        ("cast(Предмет, 'Number') le 12", set()),
        ("Предмет/Catalog_Регионы/Code eq '500'", {FIR}),
        ("Телефоны/any()", {DAISY}),
        ("Телефоны/any(t: endswith(t/Номер, '2'))", {DAISY}),
        ("Телефоны/all(t: t/Номер eq '+7 495 1')", {FIR}),
        ("not Телефоны/any(x: x/LineNumber eq 2)", {FIR}),
        ("Ref_Key eq guid'{partner}'", {DAISY}),
        ("Predefined eq false", {DAISY, FIR}),
        ("DeletionMark eq false and IsFolder eq false", {DAISY, FIR}),
        ("DataVersion eq 'AAAAAAAAAAE='", {DAISY, FIR}),
        ("ВнешнийИд eq guid'" + ZERO + "'", {DAISY, FIR}),
        ("Description eq null", set()),
        ("Description eq ИНН", set()),
        ("Description eq 'it''s' or Description eq 'Ромашка'", {DAISY}),
    ],
)
def test_what_a_filter_finds(client: Client, world: World, text: str, found: set[str]) -> None:
    filled = text.replace("{region}", str(world.region.uuid)).replace("{partner}", str(world.partner.uuid))
    assert names(client, filled) == found


def test_predefined_items_are_found_by_the_name_that_is_shown(client: Client) -> None:
    (center,) = client.values("Catalog_Регионы", **{"$filter": "Code eq '001'"})
    assert (center["Predefined"], center["PredefinedDataName"]) == (True, "Центр")
    for text in ("PredefinedDataName eq 'Центр'", "ИмяПредопределенныхДанных eq 'Center'"):
        assert client.values("Catalog_Регионы", **{"$filter": text}) == [center]
    assert len(client.values("Catalog_Регионы", **{"$filter": "Predefined"})) == 3


def test_rows_of_documents(client: Client) -> None:
    big = client.values(ORDERS, **{"$filter": "Товары/any(d: d/Количество gt 10 and d/Товар/Description eq 'Стул')"})
    assert [d["Комментарий"] for d in big] == ["черновик"]


def test_a_thousand_alternatives_are_one_list(client: Client) -> None:
    text = " or ".join(f"Code eq '{i:06}'" for i in range(1500))
    assert names(client, text) == {DAISY, FIR}


def test_many_different_alternatives(client: Client) -> None:
    text = " or ".join(f"Лимит lt -{i}" for i in range(1, 900)) + " or Description eq 'Ромашка'"
    assert names(client, text) == {DAISY}


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("Nonsense eq 1", 404, "10"),
        ("Description eq", 400, "14"),
        ("Description eq 'open", 400, "14"),
        ("Description eq 'x' or 1 eq 1--", 400, "14"),
        ("(select 1)", 400, "14"),
        ("Description eq 'a'; drop table x", 400, "14"),
        ("floor(Лимит) eq 1", 400, "21"),
        ("replace(Description,'a','b') eq 'x'", 400, "21"),
        ("startswith(Description) eq true", 400, "21"),
        ("Description/Code eq '1'", 404, "10"),
        ("Предмет/Code eq '1'", 400, "21"),
        ("Description", 400, "14"),
        ("Лимит eq 'много'", 400, "4"),
        ("РаботаетС eq datetime'вчера'", 400, "4"),
        ("Ref_Key eq guid'нет'", 400, "4"),
        ("Вид eq 'Никто'", 400, "4"),
        ("Логотип eq 'x'", 400, "14"),
        ("Телефоны/each(d: d/Номер eq '1')", 400, "21"),
        ("Телефоны/any(d: Description eq '1')", 400, "14"),
        ("(" * 10_000 + "true" + ")" * 10_000, 400, "14"),
        ("not " * 10_000 + "true", 400, "14"),
        ("-" * 10_000 + "1 eq 1", 400, "14"),
        ("1 add " * 200 + "1 eq 1", 400, "14"),
        ("concat(" * 60 + "ИНН" + ",'x')" * 60 + " eq ''", 400, "14"),
        ("Description eq 'a\u0000b'", 400, "14"),
    ],
    ids=lambda v: str(v)[:30],
)
def test_what_is_refused(client: Client, text: str, status: int, code: str) -> None:
    found = client.error("GET", PARTNERS, params={"$filter": text})
    assert found[:2] == (status, code)
    assert len(found[2]) < 500


def test_values_are_only_ever_values(client: Client) -> None:
    for value in ("'; DROP TABLE cat_partners; --", "\\", '"', "%", "x' OR '1'='1", "{ВЫБРАТЬ}", "\u202e", "𝔘"):
        quoted = value.replace("'", "''")
        assert names(client, f"Description eq '{quoted}' or substringof('{quoted}{quoted}', ИНН)") == set()


# --- without a service ---

MODEL = Model(shop(), [n for n, o in shop().objects.items() if o.kind in ("Catalog", "Document")])
PARTNER = MODEL.entity_set(PARTNERS)
assert PARTNER is not None


def test_plain_comparisons_stay_plain() -> None:
    """An index serves them."""
    region = "01900000-0000-7000-8000-000000000001"
    made = compile_filter(MODEL, PARTNER, f"Регион_Key eq guid'{region}'")
    assert isinstance(made, Compare) and isinstance(made.value, Ref) and made.op == "="
    assert compile_filter(MODEL, PARTNER, "Code eq 'a' or Code eq 'b'") == Compare("Code", "in", ("a", "b"))
    every = compile_filter(MODEL, PARTNER, "Телефоны/all(t: t/Номер eq '1')")
    assert every == Not(AnyRow("Phones", Not(Compare("Number", "=", "1"))))


@pytest.mark.parametrize("text", ["x" * 70_000, "(" * 70_000, "a or " * 30_000])
def test_long_texts_are_refused(text: str) -> None:
    with pytest.raises(ODataError):
        parse_filter(text)


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        parse_filter(text)
    except ODataError as e:
        assert e.status == 400


WORDS = st.sampled_from(
    [
        "Description",
        "Лимит",
        "Регион",
        "/",
        "(",
        ")",
        "eq",
        "and",
        "or",
        "not",
        "'x'",
        "1",
        "-",
        "any",
        "d",
        ":",
        ",",
        "cast",
    ]
    + [
        "guid'00000000-0000-0000-0000-000000000000'",
        "true",
        "null",
        "Телефоны",
        "Номер",
        "isof",
        "datetime'2024-01-01'",
    ]
)


@given(st.lists(WORDS, max_size=25).map(" ".join))
def test_any_words_are_compiled_or_refused(text: str) -> None:
    try:
        compile_filter(MODEL, PARTNER, text)
    except ODataError as e:
        assert e.status in (400, 404)
