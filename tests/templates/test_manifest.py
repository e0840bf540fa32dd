"""Manifests: whatever their form they are read; what is written is what 1C writes, and reads back the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates_store import manifest as mft
from tests.templates.samples import MANIFEST

TEXT = MANIFEST.format(version="2.6.1.61")


@pytest.mark.parametrize(
    "raw",
    [
        b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode(),
        TEXT.encode(),
        TEXT.encode("cp1251"),
        TEXT.replace("\n", "\r").encode(),
        TEXT.encode("utf-16"),
        TEXT.replace("=", " = ").replace("[Config1]", "  [Config1] ").encode(),
        ("; комментарий\n\n" + TEXT).encode(),
    ],
    ids=["as 1C", "no BOM", "cp1251", "CR", "UTF-16", "spaced", "comment"],
)
def test_every_form_says_the_same(raw: bytes) -> None:
    found = mft.parse(raw)
    assert (found.vendor, found.name, found.version) == ('Фирма "Лавка"', "Shop", "2.6.1.61")
    (entry,) = found.entries
    assert entry.section == "Config1" and entry.source == "1cv8.cf"
    assert entry.catalog("ru") == ("Лавка:Магазин", "Магазин") and entry.catalog("en") == ("Shop:Store", "Store")
    assert entry.destination("ru") == "Shop/Store"


@pytest.mark.parametrize(
    ("catalog", "path"),
    [
        ("Барбершоп\\Барбершоп", ("Барбершоп", "Барбершоп")),
        ("Test", ("Test",)),
        ("1Е:Услуги", ("1Е:Услуги",)),
        ("/А//Б/ ", ("А", "Б")),
        ("", ()),
    ],
)
def test_catalogs_of_small_vendors(catalog: str, path: tuple[str, ...]) -> None:
    found = mft.parse(f"[любое имя]\nCatalog={catalog}\nSOURCE=x.cf".encode())
    assert found.entries[0].catalog("ru") == path
    assert found.entries[0].destination("ru") == "" and found.entries[0].source == "x.cf"


def test_a_language_without_its_own_text_falls_back() -> None:
    entry = mft.parse("[a]\nCatalog_ru=По-русски\n".encode()).entries[0]
    assert entry.catalog("en") == ("По-русски",)
    entry = mft.parse("[a]\nCatalog=Просто\nCatalog_ru=По-русски\n".encode()).entries[0]
    assert entry.catalog("en") == ("Просто",) and entry.catalog("ru") == ("По-русски",)


def test_the_canonical_form_is_that_of_1c() -> None:
    written = mft.to_bytes(mft.parse(TEXT.encode("cp1251")))
    assert written == b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode()


KEYS = st.text(min_size=1, max_size=12) | st.sampled_from(["Catalog_ru", "Source", "Destination_en", "версия"])
PAIRS = st.lists(st.tuples(KEYS, st.text(max_size=20)), max_size=6)


@given(PAIRS, st.lists(st.tuples(st.text(max_size=12), PAIRS), max_size=5))
def test_a_manifest_of_any_shape_reads_back_or_is_refused(
    head: list[tuple[str, str]], entries: list[tuple[str, list[tuple[str, str]]]]
) -> None:
    try:
        made = mft.make(head, entries)
    except (ValueError, UnicodeEncodeError):
        return
    assert mft.parse(mft.to_bytes(made)) == made
    assert [(p.key, p.value) for p in made.head.pairs] == head


@given(st.binary(max_size=400) | st.text(alphabet="[]=\r\n \tабв;#\\/\x00\ufeff", max_size=200).map(str.encode))
def test_any_bytes_are_read_and_what_was_read_survives_writing(raw: bytes) -> None:
    found = mft.read(raw).manifest
    assert mft.parse(mft.to_bytes(found)) == found
