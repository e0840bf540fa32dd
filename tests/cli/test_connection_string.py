"""Connection strings: what is understood, what is refused, what never shows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infobase.connection_string import ConnectionString, masked, parse
from infobase.errors import ConnectionStringInvalid

SECRET = "s3cr:e/t;@ \"'x"
QUOTED_SECRET = SECRET.replace('"', '""')


@pytest.mark.parametrize(
    ("written", "kind", "place"),
    [
        ('File="/srv/crm";', "file", "/srv/crm"),
        ("file=/srv/crm", "file", "/srv/crm"),
        (' FILE = "/srv/crm" ; Usr=x ', "file", "/srv/crm"),
        ('File="C:\\База ""1""\\x";', "file", 'C:\\База "1"\\x'),
        ("/srv/crm", "file", "/srv/crm"),
        ("./crm=1", "file", "./crm=1"),
        ("C:\\base", "file", "C:\\base"),
    ],
)
def test_a_folder(written: str, kind: str, place: str) -> None:
    found = parse(written)
    assert (found.kind, found.get("FILE")) == (kind, place)


def test_the_base_file_itself_means_its_folder() -> None:
    assert str(parse("/srv/crm/1Cv8.1CD").file) == "/srv/crm"
    assert str(parse('File="/srv/crm";').file) == "/srv/crm"


def test_dbms_fields() -> None:
    found = parse('DBMS=PostgreSQL;dbsrvr="db1 port=5433";DB="crm";DBUID=u;DBPwd=p;Usr=Иванов;Pwd=1')
    assert found.kind == "dbms"
    assert found.fields["DBSrvr"] == "db1 port=5433"
    assert (found.user, found.password) == ("Иванов", "1")


def test_url_and_names() -> None:
    assert parse("postgresql://u@h:5433/crm").fields == {"url": "postgresql://u@h:5433/crm"}
    found = parse("Моя база")
    assert (found.kind, found.name) == ("list", "Моя база")
    assert parse('Srvr="h:1541";Ref="crm";').kind == "srvr"


def test_unknown_names_are_kept_in_order() -> None:
    written = 'File="/a";Zzz="x y";Locale=ru_RU;qq=1;'
    assert parse(written).format() == written


@pytest.mark.parametrize(
    "written",
    [
        "",
        "   ",
        'File="/a',
        'File="/a"x;',
        "File=;",
        'File="/a";File="/b";',
        'File="/a";Srvr="h";Ref="r";',
        'Srvr="h";',
        "DBMS=PostgreSQL;DBSrvr=h;",
        "Usr=x;",
        'File="/a";junk',
        'File="/a";=1;',
        "File=/a\nb",
        "File=/a\x00",
    ],
)
def test_refused_with_the_reason(written: str) -> None:
    with pytest.raises(ConnectionStringInvalid) as caught:
        parse(written)
    assert str(caught.value.fields["detail"])


@pytest.mark.parametrize(
    "written",
    [
        f'File="/a";Pwd="{QUOTED_SECRET}";',
        f'DBMS=PostgreSQL;DBSrvr=h;DB=d;DBPwd="{QUOTED_SECRET}";',
        "postgresql://u:s3cr:e%2Ft@h/d",
        "postgresql://u@h/d?password=s3cr&x=1",
    ],
)
def test_passwords_never_show(written: str) -> None:
    found = parse(written)
    for view in (str(found), repr(found), f"{found}", found.without_secrets().format()):
        assert "s3cr" not in view
    assert parse(found.format()) == found


@pytest.mark.parametrize("written", ['File="/a";Pwd="s3cr', "Pwd=s3cr;Junk", "Srvr=x;DBPwd = s3cr;"])
def test_errors_do_not_repeat_passwords(written: str) -> None:
    with pytest.raises(ConnectionStringInvalid) as caught:
        parse(written)
    assert "s3cr" not in str(caught.value)


def test_masked_stars_a_password_out_of_any_text() -> None:
    assert masked("postgresql://u:s3cr@h/d") == "postgresql://u:***@h/d"
    assert masked('x;PWD = "s3c""r";y') == "x;PWD = ***;y"


_values = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
_names = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,8}", fullmatch=True).map(lambda n: "X" + n)


@given(place=_values, more=st.dictionaries(_names, _values, max_size=4), door=st.sampled_from(["File", "dbms"]))
def test_round_trip(place: str, more: dict[str, str], door: str) -> None:
    head = (("File", place),) if door == "File" else (("DBMS", "PostgreSQL"), ("DBSrvr", place), ("DB", "d"))
    unique = {name.casefold(): (name, value) for name, value in more.items()}
    made = ConnectionString("file" if door == "File" else "dbms", (*head, *unique.values()))
    assert parse(made.format()) == made


@given(st.text(max_size=60))
def test_any_text_is_understood_or_refused(written: str) -> None:
    try:
        found = parse(written)
    except ConnectionStringInvalid:
        return
    assert parse(found.format()) == found
