"""`[classifiers]` of a configuration: both forms, both languages, every fault placed, the same in every form."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from infobase.errors import ConfigurationInvalid
from infobase.metadata import canonical
from infobase.metadata.archive import load_configuration, write_cf
from infobase.metadata.model import CLASSIFIER_KINDS, ClassifierUse, Configuration
from infobase.metadata.reader import read_folder
from infobase.metadata.writer import write_folder
from tests.bases import SHOP

GOOD = """
[classifiers]
okei = "Справочник.Товары"
[classifiers.banks]
target = "Catalog.Partners"
chosen = "Справочник.Goods"
fields = { Region = "Наименование" }
fresh_days = 0
[classifiers.rates]
target = "InformationRegister.Prices"
parts = { more = "Catalog.Goods" }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHOP, tmp_path / "shop"))


def with_head(folder: Path, addition: str) -> Configuration:
    head = folder / "Configuration.toml"
    head.write_text(head.read_text("utf-8") + addition, encoding="utf-8")
    return read_folder(folder)


def test_both_forms_and_both_languages(folder: Path) -> None:
    uses = with_head(folder, GOOD).classifiers
    assert list(uses) == [k for k in CLASSIFIER_KINDS if k in ("banks", "rates", "okei")]
    assert uses["okei"] == ClassifierUse("okei", "Catalog.Goods")
    assert uses["banks"] == ClassifierUse(
        "banks", "Catalog.Partners", fields={"Region": "Description"}, chosen="Catalog.Goods", fresh_days=0
    )
    assert uses["rates"].parts == {"more": "Catalog.Goods"}


def test_every_form_gives_back_the_same(folder: Path, tmp_path: Path) -> None:
    configuration = with_head(folder, GOOD)
    assert canonical.from_json(canonical.to_json(configuration)) == configuration
    write_folder(configuration, tmp_path / "again")
    assert read_folder(tmp_path / "again") == configuration
    write_cf(configuration, tmp_path / "a.cf")
    assert load_configuration(tmp_path / "a.cf") == configuration


def test_the_digest_hears_a_change_of_classifiers(folder: Path) -> None:
    before = canonical.digest(read_folder(folder))
    assert canonical.digest(with_head(folder, GOOD)) != before


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('planets = "Catalog.Goods"', "classifiers.planets"),
        ('okof = "Catalog.Nobody"', "classifiers.okof"),
        ('okof = "Document.Order"', "classifiers.okof"),
        ('okof = { target = "Catalog.Goods", chosen = "Catalog.Nobody" }', "classifiers.okof.chosen"),
        ('okof = { target = "Catalog.Goods", fields = { Code = "Nothing" } }', "classifiers.okof.fields.Code"),
        ('okof = { target = "Catalog.Goods", parts = { x = "Catalog.Nobody" } }', "classifiers.okof.parts.x"),
        ('okof = { taget = "Catalog.Goods" }', "classifiers.okof.taget"),
        ('okof = { target = "Catalog.Goods", fresh_days = -1 }', "classifiers.okof.fresh_days"),
        ("okof = 5", "classifiers.okof"),
    ],
)
def test_faults_have_their_place(folder: Path, line: str, key: str) -> None:
    with pytest.raises(ConfigurationInvalid) as caught:
        with_head(folder, f"[classifiers]\n{line}\n")
    assert key in [p.key for p in caught.value.problems]
    assert all(p.file == "Configuration.toml" for p in caught.value.problems)
