"""One configuration, three forms: folder, canonical JSON, .cf. Each gives back the same configuration; damaged ones are refused."""

from __future__ import annotations

import io
import json
import tomllib
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infobase.errors import (
    ConfigurationInvalid,
    ConfigurationUnreadable,
    GenuineFile,
    InfobaseError,
    InfobaseVersionUnsupported,
    TargetExists,
)
from infobase.metadata import archive, canonical
from infobase.metadata.build import build
from infobase.metadata.model import Configuration
from infobase.metadata.reader import read_folder
from infobase.metadata.tables import Source
from infobase.metadata.type_syntax import TypeFault, format_type, parse_type
from infobase.metadata.types import CompositeType, NumberType, StringType
from infobase.metadata.writer import to_toml, write_folder
from tests.bases import shop

_NAMES = st.from_regex(r"[A-Z][A-Za-z0-9]{0,8}", fullmatch=True).map(lambda n: "Q" + n)
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
_TYPES = st.one_of(
    st.integers(1, 1024).map(lambda n: f"String({n})"),
    st.tuples(st.integers(1, 18), st.integers(0, 18))
    .filter(lambda t: t[1] <= t[0])
    .map(lambda t: f"Number({t[0]},{t[1]})"),
    st.sampled_from(["String", "Date", "Date(Date)", "Date(Time)", "Boolean", "UUID", "ValueStorage"]),
    st.just(["String(10)", "Date", "Boolean"]),
)


@st.composite
def catalogs(draw: st.DrawFn) -> dict[str, object]:
    """The table of a random valid catalog."""
    names = draw(st.lists(_NAMES, min_size=1, max_size=6, unique_by=str.casefold))
    attributes = {
        n: {"ru": f"Поле{i}", "type": draw(_TYPES), "required": draw(st.booleans()), "synonym": {"ru": draw(_TEXTS)}}
        for i, n in enumerate(names[1:])
    }
    return {
        "kind": "Catalog",
        "name": names[0],
        "ru": "Справочник1",
        "hierarchy": draw(st.sampled_from(["", "Items", "FoldersAndItems"])),
        "description_length": draw(st.integers(1, 1024)),
        "attributes": attributes,
    }


@st.composite
def configurations(draw: st.DrawFn) -> Configuration:
    head = {"name": "Random", "ru": "Случайная", "version": draw(_TEXTS), "vendor": draw(_TEXTS)}
    return build(
        Source("head", head | {"version": head["version"] or "1"}), [("Catalog", Source("c", draw(catalogs())))]
    )


@settings(max_examples=40, deadline=None)
@given(configurations())
def test_json_gives_back_the_same(configuration: Configuration) -> None:
    data = canonical.to_json(configuration)
    again = canonical.from_json(data)
    assert again == configuration
    assert canonical.to_json(again) == data


@settings(max_examples=15, deadline=None)
@given(configurations())
def test_a_folder_gives_back_the_same(tmp_path_factory: pytest.TempPathFactory, configuration: Configuration) -> None:
    folder = tmp_path_factory.mktemp("c") / "x"
    write_folder(configuration, folder)
    assert read_folder(folder) == configuration


def test_the_shop_in_every_form(tmp_path: Path) -> None:
    write_folder(shop(), tmp_path / "folder")
    archive.write_cf(shop(), tmp_path / "shop.cf")
    for place in (tmp_path / "folder", tmp_path / "shop.cf"):
        assert archive.load_configuration(place) == shop()


def test_the_digest_hears_every_change() -> None:
    raw = json.loads(canonical.to_json(shop()))
    raw["head"]["vendor"] = "x"
    assert canonical.digest(canonical.from_json(json.dumps(raw).encode())) != canonical.digest(shop())


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(TargetExists):
        write_folder(shop(), tmp_path)


def _cf(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, content in members.items():
            z.writestr(name.replace("__", "."), content)
    return out.getvalue()


def _good_members() -> dict[str, bytes]:
    manifest = {"format": "infobase-cf", "format_version": 1, "digest": canonical.digest(shop())}
    return {"configuration__json": canonical.to_json(shop()), "manifest__json": json.dumps(manifest).encode()}


def test_hostile_archives(tmp_path: Path) -> None:
    good = _good_members()
    newer = json.dumps({"format": "infobase-cf", "format_version": 99}).encode()
    cases: list[tuple[bytes, type[InfobaseError]]] = [
        (b"", ConfigurationUnreadable),
        (b"PK", ConfigurationUnreadable),
        (b"\xff\xff\xff\x7f" + b"\0" * 100, GenuineFile),
        (_cf(**good, extra=b""), ConfigurationUnreadable),
        (_cf(configuration__json=good["configuration__json"]), ConfigurationUnreadable),
        (_cf(**{**good, "manifest__json": newer}), InfobaseVersionUnsupported),
        (_cf(**{**good, "manifest__json": b"[]"}), ConfigurationUnreadable),
        (_cf(**{**good, "configuration__json": b"[" * 100_000}), ConfigurationUnreadable),
        (_cf(**{**good, "configuration__json": b'{"head":{},"head":{}}'}), ConfigurationUnreadable),
        (_cf(**{**good, "configuration__json": b'{"head":{},"objects":[]}'}), ConfigurationInvalid),
        (
            _cf(**{**good, "configuration__json": good["configuration__json"].replace(b"Shop", b"Shoq")}),
            ConfigurationUnreadable,
        ),
    ]
    for n, (content, error) in enumerate(cases):
        path = tmp_path / f"{n}.cf"
        path.write_bytes(content)
        with pytest.raises(error):
            archive.read_cf(path)


def test_a_cf_cut_anywhere_is_refused(tmp_path: Path) -> None:
    archive.write_cf(shop(), tmp_path / "good.cf")
    whole = (tmp_path / "good.cf").read_bytes()
    for end in range(0, len(whole) - 1, 97):
        (tmp_path / "cut.cf").write_bytes(whole[:end])
        with pytest.raises(InfobaseError):
            archive.read_cf(tmp_path / "cut.cf")


def test_a_cf_with_a_flipped_bit_is_refused_or_unharmed(tmp_path: Path) -> None:
    archive.write_cf(shop(), tmp_path / "good.cf")
    whole = bytearray((tmp_path / "good.cf").read_bytes())
    for at in range(0, len(whole), 61):
        whole[at] ^= 0x10
        (tmp_path / "bad.cf").write_bytes(whole)
        whole[at] ^= 0x10
        try:
            assert archive.read_cf(tmp_path / "bad.cf") == shop()
        except InfobaseError as e:
            assert str(e)


def find(identifier: str) -> str | None:
    return {"catalog.x": "Catalog.X", "catalog.икс": "Catalog.X"}.get(identifier.casefold())


def test_types_in_both_languages() -> None:
    assert parse_type("Строка(20)", find) == StringType(20)
    assert parse_type("Число(15, 2, неотрицательное)", find) == NumberType(15, 2, True)
    assert parse_type("СправочникСсылка.Икс", find) == parse_type("CatalogRef.X", find)
    made = parse_type(["CatalogRef.X", "String(10)"], find)
    assert isinstance(made, CompositeType) and parse_type(format_type(made), find) == made


@pytest.mark.parametrize(
    "bad", ["", "Str", "String(0)", "String(-1)", "Number", "Number(0)", "Number(99)", "Date(Year)", "Boolean(1)"]
)
def test_bad_types(bad: str) -> None:
    with pytest.raises(TypeFault):
        parse_type(bad, find)


@given(st.dictionaries(_TEXTS, st.one_of(_TEXTS, st.integers(), st.booleans(), st.lists(_TEXTS)), max_size=8))
def test_toml_round_trip(table: dict[str, object]) -> None:
    assert tomllib.loads(to_toml(table)) == table
