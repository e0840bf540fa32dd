"""`check --fix`: every fault that has a repair is mended on both engines, after a backup, in one transaction, and nothing else is touched."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infobase import errors
from infobase.check import check_base
from infobase.infobase import Infobase, open_base
from infobase.kernel import Kernel
from infobase.repair import check_copy, circles, repair, repair_copy
from infobase.storage import Finding, Statement
from tests.administration.conftest import Program
from tests.bases import Place
from tests.dump.conftest import StoresOf, stores_of
from tests.dump.test_check import FAULTS, NOBODY

__all__ = ["stores_of"]
MODES = ["file", "server"]
KEPT = {"reference_broken", "enumeration_unknown", "type_unknown"}


def faults(findings: Iterable[Finding]) -> set[str]:
    """Codes of the errors in the data; the scratch cluster's settings are not meant to be durable."""
    return {f.code for f in findings if f.severity == "error" and not f.code.startswith("server.")}


def told_faults(findings: Iterable[dict[str, str]]) -> set[str]:
    return faults(Finding(f["severity"], f["code"], "") for f in findings)


def damaged(kernel: Kernel, fault: str) -> Infobase:
    dialect = kernel.dialect.name
    words = {"nobody": NOBODY[dialect], "no": "0" if dialect == "sqlite" else "false"}
    with kernel.engine.transaction(write=True) as tx:
        tx.run([Statement(fault.format(**words))])
    return Infobase(kernel, uuid.UUID(int=1), "Sample", "")


@pytest.mark.parametrize("mode", MODES)
def test_each_fault_is_mended(stores_of: StoresOf, mode: str) -> None:
    """One after the other in one base: what is mended is sound again. Unposting comes last, for its repair takes all records away."""
    with stores_of(mode).sample(1, 8) as (kernel, _):
        for sql, code, _ in sorted(FAULTS, key=lambda fault: "posted" in fault[0]):
            base = damaged(kernel, sql)
            if code in KEPT:
                assert code in {f.code for f in repair(base).left}, sql
            report = repair(base, bad_refs="clear")
            assert faults(report.left) == set(), sql
            assert code in {m.code for m in report.mended}, sql
        assert repair(base, bad_refs="clear").mended == []


@pytest.mark.parametrize("mode", MODES)
def test_totals_are_summed_anew(stores_of: StoresOf, mode: str) -> None:
    with stores_of(mode).sample(1, 8) as (kernel, _):
        report = repair(damaged(kernel, "UPDATE acc_stock__balance SET quantity = quantity + 1"))
        assert [m.code for m in report.mended] == ["totals_mismatch"]
        assert faults(report.left) == set()


def test_a_copy_is_mended_and_the_base_left_alone(place: Place) -> None:
    place.create()
    with place.session() as session:
        base = open_base(session.kernel.engine)
        session.catalogs.Goods.new(Description="Гвоздь").write()
        with session.transaction() as tx:
            tx.run([Statement("UPDATE cat_goods SET description__search = 'x'")])
        assert "search_column" in {f.code for f in check_copy(base)}
        assert [m.code for m in repair_copy(base).mended] == ["search_column"]
        with session.reading() as tx:
            assert "search_column" in {f.code for f in check_base(session.kernel, tx)}


@given(st.dictionaries(st.integers(0, 12), st.integers(0, 12)))
def test_without_one_of_each_circle_everything_is_rooted(parents: dict[object, object]) -> None:
    for root in circles(parents):
        del parents[root]
    for start in parents:
        at, steps = start, 0
        while at in parents:
            at, steps = parents[at], steps + 1
            assert steps <= 13


# --- as people type it ---


def spoil(conn: str) -> None:
    with Place(conn).session() as session:
        goods = session.catalogs.Goods.new(Description="Гвоздь")
        goods.write()
        receipt = session.documents.Receipt.new()
        receipt.Goods.add(Item=goods, Quantity=3)
        receipt.post()
        with session.transaction() as tx:
            tx.run([Statement("UPDATE acc_stock__balance SET quantity = quantity + 1")])


def checked(program: Program, conn: str) -> set[str]:
    return told_faults(json.loads(program("check", conn, "--json")[1]))


def test_check_leaves_every_byte_of_a_file_base(program: Program, tmp_path: Path) -> None:
    base = tmp_path / "base"
    spoil_at = f'File="{base}";'
    Place(spoil_at).create()
    spoil(spoil_at)

    def bytes_of() -> dict[str, str]:
        kept = [p for p in base.rglob("*") if p.is_file() and not {"1Cv8Log", "1Cv8Ses"} & set(p.parts)]
        return {str(p.relative_to(base)): hashlib.sha256(p.read_bytes()).hexdigest() for p in kept}

    before = bytes_of()
    for options in ((), ("--copy",), ("--copy", "--fix", "--bad-refs", "create")):
        program("check", spoil_at, *options)
        assert bytes_of() == before, options


def test_check_changes_nothing_without_fix(program: Program, conn: str) -> None:
    spoil(conn)
    for options in ((), ("--copy",)):
        code, out, _ = program("check", conn, *options)
        assert code == errors.CheckFailed.exit_code and "totals_mismatch" in out
    told = json.loads(program("check", conn, "--copy", "--fix", "--json")[1])
    assert [m["code"] for m in told["mended"]] == ["totals_mismatch"] and told_faults(told["left"]) == set()
    assert checked(program, conn) == {"totals_mismatch"}
    assert program("check", conn, "--bad-refs", "clear")[0] == errors.UsageError.exit_code


def test_fix_keeps_the_base_as_it_was(program: Program, conn: str, tmp_path: Path) -> None:
    spoil(conn)
    told = json.loads(program("check", conn, "--fix", "--backup", tmp_path / "kept", "--json")[1])
    assert [m["code"] for m in told["mended"]] == ["totals_mismatch"] and told_faults(told["left"]) == set()
    (kept,) = (tmp_path / "kept").iterdir()
    assert str(kept) == told["backup"]
    if kept.is_dir():
        assert checked(program, str(kept)) == {"totals_mismatch"}
    else:
        assert program("verify", kept)[0] == 0
    assert checked(program, conn) == set()
    assert json.loads(program("check", conn, "--fix", "--json")[1])["backup"] is None
    log = json.loads(program("log", "show", conn, "--event", "_$InfoBase$_.TARMess", "--json")[1])
    assert len(log) == 1 and log[0]["user"] == "Administrator"


def test_fix_refuses_while_others_work(program: Program, conn: str) -> None:
    spoil(conn)
    with Place(conn).session():
        assert program("check", conn, "--fix", "--wait", "0.1")[0] == errors.InfobaseBusy.exit_code
    assert checked(program, conn) == {"totals_mismatch"}


def test_a_spoiled_index_is_built_anew(program: Program, tmp_path: Path) -> None:
    """Rows removed from an index behind SQLite's back, as a failing disk would."""
    import sqlite3

    base = tmp_path / "base"
    conn = f'File="{base}";'
    assert program("create", conn, "--template", Path(__file__).parents[1] / "shop")[0] == 0
    spoil(conn)
    raw = sqlite3.connect(base / "1Cv8.1CD", isolation_level=None)
    name, sql = raw.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'cat_goods' AND sql <> ''"
    ).fetchone()
    raw.execute("PRAGMA writable_schema = ON")
    raw.execute("UPDATE sqlite_master SET sql = sql || ' WHERE 0' WHERE name = ?", [name])
    raw.execute("PRAGMA writable_schema = RESET")
    raw.execute(f'REINDEX "{name}"')
    raw.execute("PRAGMA writable_schema = ON")
    raw.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", [sql, name])
    raw.close()
    found = json.loads(program("check", conn, "--json")[1])
    assert "store.index" in {f["code"] for f in found}, found
    code, _, err = program("check", conn, "--fix", "--backup", tmp_path / "kept")
    assert code == 0, err
    assert program("check", conn)[0] == 0


def test_a_base_that_cannot_be_opened_still_tells_what_its_store_complains_of(program: Program, tmp_path: Path) -> None:
    conn = f'File="{tmp_path / "base"}";'
    assert program("create", conn, "--template", Path(__file__).parents[1] / "shop")[0] == 0
    file = tmp_path / "base" / "1Cv8.1CD"
    raw = bytearray(file.read_bytes())
    raw[4096:] = bytes(len(raw) - 4096)
    file.write_bytes(raw)
    code, out, err = program("check", conn, "--json")
    assert code == errors.CheckFailed.exit_code, err
    assert {"base.unreadable"} <= {f["code"] for f in json.loads(out)}
    file.write_bytes(b"not a base at all")
    assert program("check", conn)[0] == errors.CheckFailed.exit_code


# --- objects in place of lost ones ---


def test_lost_objects_get_stand_ins(place: Place) -> None:
    """With the same references: what referred to them holds again, records of a lost document stay, and so do the totals."""
    place.create()
    with place.session() as session:
        folder = session.catalogs.Partners.new_folder(Description="Опт")
        folder.write()
        partner = session.catalogs.Partners.new(Description="Ромашка", Parent=folder)
        partner.write()
        goods = session.catalogs.Goods.new(Description="Гвоздь")
        goods.write()
        receipt = session.documents.Receipt.new()
        receipt.Goods.add(Item=goods, Quantity=3)
        receipt.post()
        lost = {"cat_goods": goods.ref, "cat_partners": folder.ref, "doc_receipt": receipt.ref}
        stock = session.accumulation_registers.Stock.balance()
        with session.transaction() as tx:
            for table in ("cat_goods", "doc_receipt"):
                tx.run([Statement(f"DELETE FROM {table}")])
            tx.run([Statement("DELETE FROM cat_partners WHERE description = 'Опт'")])
        base = open_base(session.kernel.engine)
        report = repair(base, bad_refs="create")
        assert faults(report.left) == set()
        assert [m.rows for m in report.mended if m.code == "reference_broken"] == [1, 1, 1]
        assert repair(base, bad_refs="create").mended == []
        item = session.catalogs.Goods.get(lost["cat_goods"])
        assert str(lost["cat_goods"].uuid)[:8] in item.Description and item.Code and not item.DeletionMark
        parent = session.catalogs.Partners.get(lost["cat_partners"])
        assert parent.IsFolder and session.catalogs.Partners.get(partner.ref).Parent == parent.ref
        document = session.documents.Receipt.get(lost["doc_receipt"])
        assert document.Posted and document.Date == receipt.Date and len(document.Goods) == 1
        assert session.accumulation_registers.Stock.balance() == stock
        document.post()
        item.write()
        new = session.documents.Receipt.new()
        new.write()
        assert new.Number != document.Number


def test_many_references_to_one_lost_object_make_one_stand_in(program: Program, conn: str) -> None:
    with Place(conn).session() as session:
        goods = session.catalogs.Goods.new(Description="Гвоздь")
        goods.write()
        for _ in range(5):
            receipt = session.documents.Receipt.new()
            receipt.Goods.add(Item=goods, Quantity=3)
            receipt.Goods.add(Item=goods, Quantity=4)
            receipt.post()
        with session.transaction() as tx:
            tx.run([Statement("DELETE FROM cat_goods")])
    told = json.loads(program("check", conn, "--fix", "--bad-refs", "create", "--json")[1])
    assert [m["rows"] for m in told["mended"] if m["code"] == "reference_broken"] == [1]
    assert told_faults(told["left"]) == set()
    with Place(conn).session() as session:
        assert [g.ref for g in session.catalogs.Goods.select()] == [goods.ref]
