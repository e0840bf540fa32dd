"""`check` finds each kind of logical fault, names the place, and finds nothing in a sound base."""

from __future__ import annotations

import pytest

from infobase.check import check_base, check_infobase
from infobase.kernel import Kernel
from infobase.storage import Statement
from tests.dump.conftest import StoresOf

MODES = ["file", "server"]
NOBODY = {"sqlite": "x'00000000000000000000000000000999'", "postgresql": "'00000000-0000-0000-0000-000000000999'"}
NONE = {"sqlite": "x'00000000000000000000000000000000'", "postgresql": "'00000000-0000-0000-0000-000000000000'"}

FAULTS: list[tuple[str, str, str]] = [
    ('UPDATE cat_products SET "similar" = {nobody}', "reference_broken", "Catalog.Products.Similar"),
    (
        "UPDATE cat_products SET anything__type = 'Catalog.Products', anything = {nobody}",
        "reference_broken",
        "Catalog.Products.Anything",
    ),
    ("UPDATE cat_products SET anything__type = 'Catalog.Gone'", "type_unknown", "Catalog.Products.Anything"),
    ("UPDATE cat_products SET color = 'Blue'", "enumeration_unknown", "Catalog.Products.Color"),
    (
        "INSERT INTO cat_products__parts (ref, line_number) VALUES ({nobody}, 1)",
        "rows_orphaned",
        "Catalog.Products.Parts",
    ),
    ("DELETE FROM doc_orders__goods WHERE line_number = 1", "line_numbers", "Document.Orders.Goods"),
    ("UPDATE cat_products SET parent = ref", "hierarchy_cycle", "Catalog.Products"),
    ("UPDATE cat_products SET parent = ref, is_folder = {no}", "parent_not_folder", "Catalog.Products"),
    ("UPDATE doc_orders SET posted = {no}", "records_of_unposted", "AccumulationRegister.Stock"),
    (
        "UPDATE acc_stock SET recorder = {nobody} WHERE line_number = 1 AND recorder = (SELECT ref FROM doc_orders ORDER BY ref LIMIT 1)",
        "reference_broken",
        "AccumulationRegister.Stock.Recorder",
    ),
    ("UPDATE doc_orders SET number__period = date", "number_period", "Document.Orders"),
    ("UPDATE cat_products SET note__search = 'x'", "search_column", "Catalog.Products.Note"),
    ("UPDATE sys_configuration SET digest = 'x'", "configuration_digest", "sys_configuration"),
    ("DELETE FROM constants", "constants_row", "Constants"),
]


@pytest.mark.parametrize("mode", MODES)
def test_sound_base_has_no_findings(stores_of: StoresOf, mode: str) -> None:
    with stores_of(mode).sample(1, 8) as (kernel, _):
        # The scratch cluster is told not to wait for the disk, which the server's own check rightly remarks on.
        assert [f for f in check_infobase(kernel) if not f.code.startswith("server.")] == []


@pytest.mark.parametrize("mode", MODES)
def test_each_fault_is_found(stores_of: StoresOf, mode: str) -> None:
    with stores_of(mode).sample(1, 8) as (kernel, _):
        dialect = kernel.dialect.name
        words = {"nobody": NOBODY[dialect], "none": NONE[dialect], "no": "0" if dialect == "sqlite" else "false"}
        for sql, code, place in FAULTS:
            found = _found(kernel, sql.format(**words))
            assert (code, place) in found, (sql, found)
        assert _found(kernel, "UPDATE cat_products SET price = price") == set()
        totals = _found(kernel, "UPDATE acc_stock__balance SET quantity = quantity + 1")
        assert any("Stock" in place for _, place in totals)


class Undo(Exception):
    """Takes a fault back, so that the next one is alone."""


def _found(kernel: Kernel, fault: str) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    with pytest.raises(Undo), kernel.engine.transaction(write=True) as tx:
        tx.run([Statement(fault)])
        findings = check_base(kernel, tx)
        found = {(f.code, f.place) for f in findings}
        assert all(f.message and f.severity in ("error", "warning") for f in findings)
        raise Undo
    return found
