"""Random requests out of the grammar's own pieces: every one is answered or refused in 1C's shape, none breaks the service."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine_server.odata.errors import ODataError
from engine_server.odata.filtering import compile_filter, compile_order
from engine_server.odata.model import Model
from engine_server.odata.options import outside_commas, parse_options, query_pairs
from tests.bases import shop
from tests.odata.served import ZERO, Client

PARTNERS = "Catalog_Партнеры"
REFUSED = (400, 404)
FIELDS = ["Code", "Description", "ИНН", "Лимит", "РаботаетС", "Действует", "Вид", "Регион_Key", "Регион/Description"]
FIELDS += [
    "Регион/Code",
    "Предмет",
    "Предмет_Type",
    "Телефоны/Номер",
    "Ref_Key",
    "DataVersion",
    "Логотип",
    "Нет",
    "Телефоны",
]
VALUES = ["'x'", "''", "'it''s'", "'%_['", "0", "-1", "1.5", "1e400", "99999999999999999999999", "true", "null"]
VALUES += [
    f"guid'{ZERO}'",
    f"cast(guid'{ZERO}', 'Catalog_Регионы')",
    "'\u0000'",
    "'😀'",
    "datetime'0001-01-01T00:00:00'",
]
VALUES += ["datetime'9999-12-31T23:59:59'", "'1; drop table cat_goods--'", "'\\u0027 or 1=1'"]
ONE = ["year", "quarter", "dayofweek", "dayofyear", "hour", "round", "length", "tolower", "trim", "floor"]
TWO = ["substringof", "startswith", "endswith", "like", "concat", "substring", "indexof", "isof", "cast"]
ATOMS = st.sampled_from(FIELDS) | st.sampled_from(VALUES)


def call(name: str, *arguments: str) -> str:
    return f"{name}({', '.join(arguments)})"


def joined(operator: str, left: str, right: str) -> str:
    return f"{left} {operator} {right}"


COMPUTED = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds(call, st.sampled_from(ONE), inner),
        st.builds(call, st.sampled_from(TWO), inner, inner),
        st.builds(call, st.just("substring"), inner, st.sampled_from(["1", "0", "-5"]), st.sampled_from(["3", "-1"])),
        st.builds(call, st.just("dateadd"), inner, st.sampled_from(["'month'", "'day'", "'age'"]), inner),
        st.builds(call, st.just("datedifference"), inner, inner, st.sampled_from(["'second'", "'year'"])),
        st.builds(joined, st.sampled_from(["add", "sub", "mul", "div"]), inner, inner),
    ),
    max_leaves=4,
)
COMPARED = st.one_of(
    st.builds(joined, st.sampled_from(["eq", "ne", "gt", "le"]), COMPUTED, COMPUTED),
    st.builds(lambda v: f"Телефоны/any(t: t/Номер eq {v})", ATOMS),
    COMPUTED,
)
FILTERS = st.recursive(
    COMPARED,
    lambda inner: st.one_of(
        st.builds(joined, st.sampled_from(["and", "or"]), inner, inner),
        inner.map(lambda f: f"not ({f})"),
        inner.map(lambda f: f"({f})"),
    ),
    max_leaves=4,
)
ORDERS = st.lists(st.builds(lambda f, d: f + d, COMPUTED, st.sampled_from(["", " desc", " asc", " up"])), max_size=3)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=FILTERS, order=ORDERS)
def test_requests_are_answered_or_refused(client: Client, text: str, order: list[str]) -> None:
    params = {"$format": "json", "$filter": text, "$orderby": ",".join(order), "$select": "Code"}
    answer = client.send("GET", PARTNERS, params=params)
    if answer.status_code != 200:
        assert answer.status_code in REFUSED, (params, answer.text)
        assert answer.json()["odata.error"]["code"].isdigit()


MODEL = Model(shop(), shop().objects)


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=60) | FILTERS)
def test_any_text_is_compiled_or_refused(text: str) -> None:
    entity = MODEL.entity_set(PARTNERS)
    assert entity is not None
    for compiled in (compile_filter, compile_order):
        try:
            compiled(MODEL, entity, text)
        except ODataError as e:
            assert e.status in REFUSED


@settings(max_examples=300, deadline=None)
@given(query=st.binary(max_size=120), accept=st.text(max_size=30))
def test_any_options_are_parsed_or_refused(query: bytes, accept: str) -> None:
    try:
        parse_options(query_pairs(query), accept)
    except ODataError as e:
        assert e.status in (400, 406)


@given(st.text(alphabet="a,'\"() ", max_size=40))
def test_parts_between_commas_make_the_text(text: str) -> None:
    assert ",".join(outside_commas(text)) == text


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("$filter=", 200),
        ("%24filter=Code%20eq%20%27000001%27", 200),
        ("%2524filter=x", 200),
        ("$filter=Description%2Beq%2B'x'", 400),
        ("$filter=Description+eq+'%D0%A0%D0%BE%D0%BC%D0%B0%D1%88%D0%BA%D0%B0'", 200),
        ("$filter=Code%2520eq%25201", 400),
        ("$filter=Code eq '1' or '1' eq '1", 400),
        ("$filter=Code eq \\u0027000001\\u0027", 400),
        ("$filter=Code eq '1')) union select 1--", 400),
        ("$filter=" + "(" * 10_000 + "true" + ")" * 10_000, 400),
        ("$filter=" + "not " * 10_000 + "true", 400),
        ("$filter=" + "-" * 10_000 + "1 eq 1", 400),
        ("$filter=Лимит eq " + "9" * 5_000, 200),
        ("$filter=РаботаетС eq datetime'99999-01-01'", 400),
        ("$filter=РаботаетС eq datetime'2024-02-30'", 400),
        ("$filter=true&$filter=true", 400),
        ("$top=1&$TOP=2", 400),
        ("$top=1000000000", 200),
        ("$top=2147483648", 400),
        ("$top=", 400),
        ("$skip=-0", 400),
        ("$apply=aggregate(x)", 400),
        ("$search=x", 400),
        ("$expand=" + ",".join(["Регион"] * 400), 200),
        ("$orderby=" + "substring(" * 300 + "Code" + ",1)" * 300, 400),
    ],
    ids=lambda v: str(v)[:40],
)
def test_queries_people_attack_with(client: Client, query: str, status: int) -> None:
    answer = client.send("GET", f"{PARTNERS}?$format=json&{query}")
    assert answer.status_code == status, answer.text[:300]
    assert client.send("GET", f"{PARTNERS}/$count").text == "2"


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"])
def test_bodies_of_other_kinds(client: Client, kind: str) -> None:
    """What is JSON is taken as such whatever it is called, as clients without a Content-Type send it; the rest is refused."""
    found = client.error("POST", PARTNERS, content=b"Description=x&Code=1", headers={"Content-Type": kind})
    assert found[:2] == (400, "2")


def test_batches_are_refused_in_the_shape_of_1c(client: Client) -> None:
    body = b"--b\r\nContent-Type: application/http\r\n\r\nGET Catalog_X HTTP/1.1\r\n\r\n--b--"
    headers = {"Content-Type": "multipart/mixed; boundary=b"}
    status, code, message = client.error("POST", "$batch", content=body, headers=headers)
    assert (status, code) == (501, "0") and "$batch" in message


def test_a_referred_object_is_not_deleted(client: Client) -> None:
    region = client.values("Catalog_Регионы", **{"$filter": "Code eq '500'"})[0]["Ref_Key"]
    assert client.error("DELETE", f"Catalog_Регионы(guid'{region}')")[0] in (400, 500)
    assert client.values("Catalog_Регионы", **{"$filter": "Code eq '500'"})[0]["Ref_Key"] == region
