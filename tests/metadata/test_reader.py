"""Reading configurations: every fault is found, with file, line, key and what was expected."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from infobase.errors import ConfigurationInvalid, ConfigurationUnreadable
from infobase.metadata.model import Document
from infobase.metadata.reader import read_folder
from infobase.metadata.types import NumberType, RefType
from tests.bases import SHOP, shop


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shop to spoil."""
    return Path(shutil.copytree(SHOP, tmp_path / "shop"))


def faults(folder: Path) -> list[tuple[str, int, str]]:
    with pytest.raises(ConfigurationInvalid) as e:
        read_folder(folder)
    return [(p.file, p.line, p.key) for p in e.value.problems]


def spoil(folder: Path, file: str, old: str, new: str) -> None:
    path = folder / file
    written = path.read_text(encoding="utf-8")
    assert old in written
    path.write_text(written.replace(old, new, 1), encoding="utf-8")


def test_a_good_folder_is_read_whole() -> None:
    configuration = shop()
    order = configuration.find("Документ.Заказ")
    assert isinstance(order, Document)
    assert order is configuration.find("document.ORDER")
    assert [f.name for f in order.attributes] == ["Partner", "Total", "Comment"]
    assert order.attributes[0].type == RefType("Catalog.Partners")
    assert order.tabular_sections[0].attributes[1].type == NumberType(15, 3)
    stock = configuration.objects["AccumulationRegister.Stock"]
    assert stock.recorders == ("Document.Order", "Document.Receipt")  # type: ignore[union-attr]


def test_all_faults_at_once(folder: Path) -> None:
    spoil(folder, "Catalogs/Goods.toml", "Number(15,2)", "Number(19,2)")
    spoil(folder, "Catalogs/Partners.toml", 'hierarchy = "FoldersAndItems"', 'hierarchy = "Sideways"')
    spoil(folder, "Catalogs/Contracts.toml", "Catalog.Partners", "Catalog.Nobody")
    found = faults(folder)
    assert ("Catalogs/Goods.toml", 6, "attributes.Price.type") in found
    assert ("Catalogs/Partners.toml", 4, "hierarchy") in found
    assert ("Catalogs/Contracts.toml", 4, "owners") in found


@pytest.mark.parametrize(
    ("file", "old", "new", "line", "key"),
    [
        ("Catalogs/Goods.toml", "name =", "nmae =", 2, "nmae"),
        ("Catalogs/Goods.toml", 'ru = "Товары"', 'ru = "Плохое имя"', 3, "ru"),
        ("Catalogs/Goods.toml", 'ru = "Товары"', 'ru = "Тoвaры"', 3, "ru"),
        ("Catalogs/Goods.toml", 'ru = "Товары"', 'ru = "Договоры"', 2, "name"),
        ("Catalogs/Goods.toml", "attributes.Price", f"attributes.{'P' * 81}", 4, f"attributes.{'P' * 81}"),
        ("Catalogs/Goods.toml", "attributes.Price", "attributes.Code", 4, "attributes.Code"),
        ("Catalogs/Goods.toml", "attributes.Price", "attributes.P__x", 4, "attributes.P__x"),
        ("Catalogs/Goods.toml", 'ru = "Цена"', 'ru = "Код"', 4, "attributes.Price"),
        ("Catalogs/Goods.toml", "Number(15,2)", "Money", 6, "attributes.Price.type"),
        ("Catalogs/Goods.toml", "Number(15,2)", "Number(2,5)", 6, "attributes.Price.type"),
        ("Catalogs/Goods.toml", "Number(15,2)", "CatalogRef.Ghost", 6, "attributes.Price.type"),
        ("Catalogs/Goods.toml", "Number(15,2)", "String(5000)", 6, "attributes.Price.type"),
        ("Catalogs/Goods.toml", 'kind = "Catalog"', 'kind = "Document"', 1, "kind"),
        ("Catalogs/Regions.toml", 'parent = "Center"', 'parent = "Tver"', 15, "predefined.Tver.parent"),
        ("Catalogs/Regions.toml", 'code = "077"', 'code = "07777"', 8, "predefined.Moscow.code"),
        ("Documents/Order.toml", '"Goods"\nrecord_type', '"Bads"\nrecord_type', 29, "register_records.0.each"),
        ("Documents/Order.toml", "row.Quantity > 0", "row.Colour > 0", 31, "register_records.0.when"),
        ("Documents/Order.toml", "row.Quantity > 0", "__import__('os')", 31, "register_records.0.when"),
        ("Documents/Order.toml", "row.Quantity > 0", "row.Quantity >", 31, "register_records.0.when"),
        (
            "Documents/Order.toml",
            'record_type = "Expense"',
            'record_type = "Gift"',
            30,
            "register_records.0.record_type",
        ),
        ("Documents/Order.toml", "{ Item = ", "{ Thing = ", 32, "register_records.0.set.Thing"),
        ("Documents/Order.toml", "balance.Quantity >= 0", "balance.Weight >= 0", 43, "balance_checks.0.require"),
        ("Roles/Clerk.toml", '"Insert", "Update"]\nr', '"Fly"]\nr', 6, "rights.0.rights"),
        ("Roles/Clerk.toml", "user.name", "user.password", 7, "rights.0.restriction"),
    ],
)
def test_each_fault_with_its_place(folder: Path, file: str, old: str, new: str, line: int, key: str) -> None:
    spoil(folder, file, old, new)
    assert (file, line, key) in faults(folder)


def test_broken_toml_says_where(folder: Path) -> None:
    spoil(folder, "Documents/Memo.toml", "[attributes.About]", "[attributes.About")
    assert ("Documents/Memo.toml", 6, "-") in faults(folder)


def test_bytes_that_are_no_text(folder: Path) -> None:
    (folder / "Catalogs/Goods.toml").write_bytes(b'kind = "Catalog"\nname = "\xff"')
    assert ("Catalogs/Goods.toml", 2, "-") in faults(folder)


def test_the_file_bears_the_objects_name(folder: Path) -> None:
    (folder / "Catalogs/Goods.toml").rename(folder / "Catalogs/Wares.toml")
    assert ("Catalogs/Wares.toml", 2, "name") in faults(folder)


def test_owner_cycles(folder: Path) -> None:
    spoil(folder, "Catalogs/Partners.toml", 'ru = "Партнеры"', 'ru = "Партнеры"\nowners = ["Catalog.Contracts"]')
    keys = [(f, k) for f, _, k in faults(folder)]
    assert ("Catalogs/Partners.toml", "owners") in keys and ("Catalogs/Contracts.toml", "owners") in keys


def test_kinds_of_a_later_version_have_their_place(folder: Path) -> None:
    (folder / "Tasks").mkdir()
    (folder / "Tasks/Todo.toml").write_text('kind = "Task"\nname = "Todo"\nru = "Дело"\n', encoding="utf-8")
    assert ("Tasks/Todo.toml", 1, "kind") in faults(folder)


def test_an_unknown_folder_is_named(folder: Path) -> None:
    (folder / "Catalog").mkdir()
    assert ("Catalog", 0, "-") in faults(folder)


def test_a_hostile_text_neither_hangs_nor_overflows(folder: Path) -> None:
    (folder / "Catalogs/Goods.toml").write_text("a = " + "[" * 100_000, encoding="utf-8")
    assert faults(folder)[0][0] == "Catalogs/Goods.toml"


def test_no_configuration_here(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationUnreadable):
        read_folder(tmp_path)
    with pytest.raises(ConfigurationUnreadable):
        read_folder(tmp_path / "absent")


def test_expressions_in_russian_mean_the_same(folder: Path) -> None:
    spoil(folder, "Documents/Order.toml", "row.Quantity > 0", "row.Количество > 0 and doc.Партнер.Регион != None")
    order = read_folder(folder).objects["Document.Order"]
    assert isinstance(order, Document)
    assert order.register_records[0].when == "row.Quantity > 0 and doc.Partner.Region != None"
