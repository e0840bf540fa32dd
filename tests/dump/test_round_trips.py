"""Dump -> verify -> restore -> dump is equal, in both directions, and so is a copy without a file between."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infobase.check import check_base
from infobase.digest import base_digest, digest_table
from infobase.dump import write_dump
from infobase.errors import Cancelled, ContentDiffers, DumpNotWritten, TargetExists
from infobase.kernel import Kernel
from infobase.replicate import compare, copy_content
from infobase.restore import load_dump, verify_dump
from infobase.schema.layout import NUMBER_PERIOD
from infobase.schema.periods import period_start
from infobase.schema.search import search_key
from infobase.storage import Statement
from tests.dump import forge
from tests.dump.conftest import StoresOf
from tests.dump.sample import ORDERS, PRODUCTS
from tests.dump.stores import dumped

FEW = settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
MODES = ["file", "server"]


@pytest.mark.parametrize(("source", "target"), [("file", "server"), ("server", "file"), ("file", "file")])
@FEW
@given(seed=st.integers(0, 10**6), rows=st.integers(0, 12), password=st.sampled_from([None, "секрет"]))
def test_dump_restore_dump(
    stores_of: StoresOf, tmp_path: Path, source: str, target: str, seed: int, rows: int, password: str | None
) -> None:
    first, second = tmp_path / "first.dt", tmp_path / "second.dt"
    with stores_of(source).sample(seed, rows) as (kernel, content):
        written = dumped(kernel, first, password)
        assert written.table_rows == {name: len(found) for name, found in content.rows.items()}
        verified = verify_dump(first, password)
        assert verified == written
    with stores_of(target).staged() as store:
        restored = load_dump(first, store, password)
        again = dumped(restored, second)
    assert again.content_digest == written.content_digest
    if password is None:
        assert {n: d for n, d in forge.unpack(first).items() if n.startswith("data/")} == {
            n: d for n, d in forge.unpack(second).items() if n.startswith("data/")
        }


@pytest.mark.parametrize(("source", "target"), [("file", "server"), ("server", "file")])
def test_copy_compares_rows_and_totals(stores_of: StoresOf, source: str, target: str) -> None:
    with stores_of(source).sample(3, 25) as (kernel, _), stores_of(target).staged() as store:
        copied = copy_content(kernel, store)
        comparison = compare(kernel, copied)
        assert comparison.equal, comparison.explain()
        assert (len(comparison.tables), len(comparison.totals)) == (11, 2)
        assert all(c.rows_a for c in comparison.totals)
        changes = {
            "AccumulationRegister.Stock balance": "UPDATE acc_stock__balance SET quantity = quantity + 1",
            "cat_products": "UPDATE cat_products SET description = description || 'x'",
        }
        for what, sql in changes.items():
            with store.transaction(write=True) as tx:
                tx.run([Statement(sql)])
            changed = compare(kernel, copied)
            assert not changed.equal
            assert what in [c.what for c in changed.differences()]
            assert what in changed.explain()


@pytest.mark.parametrize("mode", MODES)
def test_derived_columns_and_totals_are_rebuilt(stores_of: StoresOf, good_dump: Path, mode: str) -> None:
    with stores_of(mode).staged() as store:
        kernel = load_dump(good_dump, store)
        orders, products = kernel.layout.objects[ORDERS].table, kernel.layout.objects[PRODUCTS].table
        with store.transaction(write=False) as tx:
            texts, numbers, balance = tx.run(
                [
                    Statement(f"SELECT description, description__search, note, note__search FROM {products.name}"),
                    Statement(f"SELECT date, {NUMBER_PERIOD} FROM {orders.name}"),
                    Statement("SELECT quantity FROM acc_stock__balance"),
                ]
            )
            findings = check_base(kernel, tx)
        assert len(texts) == len(numbers) == 4
        for description, description_key, note, note_key in texts:
            assert (description_key, note_key) == (search_key(str(description)), search_key(str(note)))
        date, period = kernel.dialect.reader(orders.column("date")), kernel.dialect.reader(orders.column(NUMBER_PERIOD))
        for stored_date, stored_period in numbers:
            when = date(stored_date) if date else stored_date
            begins = period(stored_period) if period else stored_period
            assert begins == period_start(when, "Quarter")  # type: ignore[arg-type]
        assert balance
        assert findings == []


def test_digest_does_not_depend_on_batches(stores_of: StoresOf) -> None:
    with stores_of("file").sample(5, 30) as (kernel, content):
        found = base_digest(kernel).tables
    for table in content.layout.dumped:
        for size in (1, 7, 1000):
            assert digest_table(content.batches(table, size), table) == found[table.name]
        sliced = (b.slice(start, 3) for b in content.batches(table) for start in range(0, b.num_rows, 3))
        assert digest_table(sliced, table) == found[table.name]


def test_only_configuration(stores_of: StoresOf, tmp_path: Path) -> None:
    path = tmp_path / "configuration.dt"
    with stores_of("file").sample() as (kernel, _):
        written = write_dump(kernel, path, infobase_id="1", infobase_name="n", only_configuration=True)
    assert (written.tables, written.rows, written.only_configuration) == (0, 0, True)
    with stores_of("file").staged() as store:
        kernel = load_dump(path, store)
        with store.transaction(write=False) as tx:
            assert tx.run([Statement("SELECT COUNT(*) FROM constants")]) == [[(1,)]]
            assert check_base(kernel, tx) == []


# --- the file ---


def write(kernel: Kernel, target: Path, **options: object) -> None:
    write_dump(kernel, target, infobase_id="1", infobase_name="n", **options)  # type: ignore[arg-type]


def test_target_exists_and_replace(stores_of: StoresOf, tmp_path: Path) -> None:
    target = tmp_path / "out" / "base.dt"
    target.parent.mkdir()
    target.write_text("old")
    with stores_of("file").sample(rows=1) as (kernel, _):
        with pytest.raises(TargetExists):
            write(kernel, target)
        assert target.read_text() == "old"
        write(kernel, target, replace=True)
        assert verify_dump(target).rows
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
        with pytest.raises(TargetExists):
            write(kernel, target.parent, replace=True)
        with pytest.raises(DumpNotWritten):
            write(kernel, tmp_path / "none" / "base.dt")
    assert [p.name for p in target.parent.iterdir()] == ["base.dt"]


@pytest.mark.parametrize("error", [Cancelled, KeyboardInterrupt])
def test_cancel_leaves_the_old_file(stores_of: StoresOf, tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "out" / "base.dt"
    target.parent.mkdir()
    target.write_text("old")

    def cancel(stage: str, done: int, total: int) -> None:
        if done > 2:
            raise error

    with stores_of("file").sample(rows=1) as (kernel, _), pytest.raises(error):
        write(kernel, target, replace=True, progress=cancel)
    assert [p.name for p in target.parent.iterdir()] == ["base.dt"]
    assert target.read_text() == "old"


def test_content_differs_is_an_error_people_can_read(stores_of: StoresOf) -> None:
    with stores_of("file").sample(1, 3) as (kernel, _), stores_of("file").sample(2, 3) as (other, _):
        comparison = compare(kernel, other)
    assert "cat_products" in str(ContentDiffers(detail=comparison.explain()))
