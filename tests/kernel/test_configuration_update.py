"""Updating the configuration of a base with data: all or nothing, the data kept, the losses announced."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from infobase.check import check_base
from infobase.configuration_update import plan_update, update_configuration
from infobase.errors import InfobaseBusy
from infobase.infobase import open_base
from infobase.metadata import canonical
from infobase.metadata.model import Configuration
from infobase.metadata.reader import read_folder
from infobase.query_model import Compare, Query, SelectItem
from tests.bases import SHOP, Place


def changed(tmp_path: Path) -> Configuration:
    """The shop with a new catalog and attribute, a wider number, a searchable comment, and without the partners' logo."""
    folder = tmp_path / "changed"
    shutil.copytree(SHOP, folder)
    partners = folder / "Catalogs" / "Partners.toml"
    text = partners.read_text("utf-8")
    text = text.replace('[attributes.Logo]\nru = "Логотип"\ntype = "ValueStorage"\n', "")
    text = text.replace('type = "String(12)"', 'type = "String(20)"\nsearchable = true')
    site = '[attributes.Site]\nru = "Сайт"\ntype = "String(100)"\n'
    partners.write_text(text.replace("[tabular_sections.Phones]", site + "[tabular_sections.Phones]", 1), "utf-8")
    (folder / "Catalogs" / "Colours.toml").write_text('kind = "Catalog"\nname = "Colours"\nru = "Цвета"\n', "utf-8")
    return read_folder(folder)


def fill(place: Place) -> None:
    with place.session() as session:
        goods = session.catalogs.Goods.new(Description="Гвоздь")
        goods.write()
        for n in range(5):
            session.catalogs.Partners.new(Description=f"П{n}", INN=f"АБВ{n}", Logo=bytes([n])).write()
        receipt = session.documents.Receipt.new()
        receipt.Goods.add(Item=goods, Quantity=3)
        receipt.post()


def test_data_is_kept_and_losses_are_announced(place: Place, tmp_path: Path) -> None:
    place.create()
    fill(place)
    configuration = changed(tmp_path)
    engine = place.engine()
    try:
        base = open_base(engine)
        plan = plan_update(base, configuration)
        assert [c.place for c in plan.losses] == ["Catalog.Partners.Logo"]
        assert update_configuration(base, configuration).changes == plan.changes
    finally:
        engine.close()
    with place.session() as session:
        assert canonical.digest(session.kernel.configuration) == canonical.digest(configuration)
        partner = session.catalogs.Partners.find(INN="АБВ3")
        assert partner is not None
        assert session.catalogs.Partners.get(partner).Site == ""
        found = session.query(
            Query("Catalog.Partners", select=(SelectItem("Code"),), where=Compare("INN", "contains", "абв"))
        )
        assert len(found) == 5, "search columns of old rows are filled"
        session.catalogs.Colours.new(Description="Красный").write()
        balance = session.query(
            Query("AccumulationRegister.Stock.Balance", select=(SelectItem("QuantityBalance", "q"),))
        )
        assert [r["q"] for r in balance] == [Decimal(3)]
        with session.reading() as tx:
            assert [f for f in check_base(session.kernel, tx) if f.severity == "error"] == []


def test_others_at_work_are_named_and_nothing_changes(place: Place, tmp_path: Path) -> None:
    place.create()
    fill(place)
    engine = place.engine()
    try:
        base = open_base(engine)
        with place.session() as other:
            digest = canonical.digest(other.kernel.configuration)
            with pytest.raises(InfobaseBusy):
                update_configuration(base, changed(tmp_path), timeout=0.3)
        assert canonical.digest(open_base(engine).kernel.configuration) == digest
    finally:
        engine.close()
