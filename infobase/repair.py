"""Mending what `check` finds: alone in the base, in one transaction, after a backup, and checked again afterwards.

| code | repair |
|---|---|
| totals_mismatch | totals are summed from the movements anew |
| search_column | the search column is made from its text |
| records_of_unposted, rows_orphaned | the records, the rows are deleted |
| line_numbers | lines are numbered without gaps |
| hierarchy_cycle | one item of each circle becomes a root; parent_not_folder: the parent is cleared |
| number_period | is taken from the document's date |
| predefined | missing items are written; repeated ones are for a person |
| configuration_digest, constants_row | written anew |
| store.index, server.index | indexes are rebuilt |
| reference_broken, enumeration_unknown, type_unknown | as `bad_refs` says: "none" leaves them, "clear" empties the field, or deletes the row where
the field is part of its key or its recorder, "create" makes an object in place of each lost one (`infobase.stand_ins`) and leaves the other two
(1C: -BadRefNone, -BadRefClear, -BadRefCreate) |
| owner_empty, store.damaged and the settings of a server | for a person: see the message |
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

from infobase import stand_ins
from infobase.check import Fix, Probe, check_infobase, held_tables, probes_of
from infobase.errors import TargetExists
from infobase.files import kept_before_the_deed
from infobase.infobase import MAIN_ROW, Infobase, Progress, configuration_row, dump_base, system_session
from infobase.kernel import Kernel
from infobase.predefined import write_predefined
from infobase.registers import rebuild_statements
from infobase.schema.ddl import empty_literal
from infobase.schema.search import search_key
from infobase.scratch import temporary_folder
from infobase.served import door_of
from infobase.session import Session
from infobase.storage import LOCK_TIMEOUT, Finding, Row, Statement, Transaction

BadRefs = Literal["none", "clear", "create"]
_BAD_REFS = ("reference_broken", "enumeration_unknown", "type_unknown")
_INDEXES = ("store.index", "server.index")
_PASSES = 4
"""Deleting rows may uncover faults in those that referred to them."""
_ROWS = 500


@dataclass(frozen=True)
class Mended:
    """One kind of fault that was repaired: its code, its place, and how many rows changed (0 where rows are not counted)."""

    code: str
    place: str
    rows: int = 0


@dataclass(frozen=True)
class Report:
    """`backup`: where the base as it was lies, None when no repair was needed. `left`: what the check finds afterwards."""

    backup: Path | None
    mended: list[Mended]
    left: list[Finding]


def repair(
    base: Infobase,
    *,
    bad_refs: BadRefs = "none",
    backup: Path | None = None,
    secret: str | None = None,
    user: str = "",
    timeout: float = LOCK_TIMEOUT,
    progress: Progress | None = None,
) -> Report:
    """Check, back up into the folder `backup`, repair, check again. Without it nothing is backed up: for a copy nobody misses.
    `secret`: the password of that backup where it is a dump. An application server keeps the backup in a folder of its own.
    InfobaseBusy names those who work in the base. A repair that fails leaves everything as it was."""
    kernel = base.kernel
    door = door_of(kernel.engine)
    if door is not None:
        return _told(door.whole("repair", {"bad_refs": bad_refs, "patience": round(timeout)}))
    with kernel.engine.exclusive(timeout):
        found = check_infobase(kernel, progress)
        if not _wanted(found, bad_refs):
            return Report(None, [], found)
        with kept_before_the_deed():
            kept = None if backup is None else keep_as_it_is(base, backup, secret, progress)
        session = system_session(kernel, user)
        with session.transaction() as tx:
            mended = _mend(session, tx, found, bad_refs)
            for one in mended:
                comment = f"{one.place}: {one.code}, {one.rows}"
                tx.log([session.log_entry("_$InfoBase$_.TARMess", severity="Warning", comment=comment)])
        return Report(kept, mended, check_infobase(kernel, progress))


def as_map(report: Report) -> dict[str, object]:
    """A report as it travels from an application server."""
    backup = None if report.backup is None else str(report.backup)
    return {"backup": backup, "mended": report.mended, "left": report.left}


def _told(given: Mapping[str, Any]) -> Report:
    return Report(Path(given["backup"]) if given["backup"] else None, given["mended"], given["left"])


def _wanted(found: Sequence[Finding], bad_refs: BadRefs) -> bool:
    """Whether any of the faults has a repair."""
    codes = {p for p in _REPAIRED if p not in _BAD_REFS or _mends(bad_refs, p)}
    return any(f.code in codes for f in found)


def _mends(bad_refs: BadRefs, code: str) -> bool:
    """Whether this fault of a reference has a repair."""
    return bad_refs == "clear" or (bad_refs == "create" and code == "reference_broken")


_REPAIRED = {
    *("totals_mismatch", "search_column", "records_of_unposted", "rows_orphaned", "line_numbers", "hierarchy_cycle"),
    *("parent_not_folder", "number_period", "predefined", "configuration_digest", "constants_row"),
    *_INDEXES,
    *_BAD_REFS,
}


def keep_as_it_is(base: Infobase, folder: Path, secret: str | None = None, progress: Progress | None = None) -> Path:
    """The base before the repair, faults and all: a copy that opens where users have the files anyway, else a dump."""
    engine = base.kernel.engine
    name = f"{_file_name(base.name)}-before-fix-{dt.datetime.now():%Y%m%d-%H%M%S}"
    target = folder / name if engine.traits.backup_opens else folder / f"{name}.dt"
    if target.exists():
        raise TargetExists(place=target)
    folder.mkdir(parents=True, exist_ok=True)
    if engine.traits.backup_opens:
        engine.backup(target)
    else:
        dump_base(base, target, password=secret, progress=progress)
    return target


def _file_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name)[:60].strip("._") or "infobase"


# --- mending ---


def _mend(session: Session, tx: Transaction, found: Sequence[Finding], bad_refs: BadRefs) -> list[Mended]:
    kernel = session.kernel
    codes = {f.code for f in found}
    mended = list(_mend_store(kernel, tx, found))
    if "configuration_digest" in codes:
        tx.run([configuration_row(kernel, kernel.configuration, MAIN_ROW)])
        mended.append(Mended("configuration_digest", "sys_configuration"))
    if "constants_row" in codes:
        there = tx.run([Statement("DELETE FROM constants WHERE row_key <> 0"), Statement("SELECT 1 FROM constants")])[1]
        if not there:
            tx.run([Statement("INSERT INTO constants (row_key) VALUES (0)")])
        mended.append(Mended("constants_row", "Constants"))
    if "predefined" in codes and (made := write_predefined(session)):
        mended.append(Mended("predefined", "-", made))
    if bad_refs == "create":
        mended += _stand_ins(session, tx)
    mended += _mend_rows(kernel, tx, bad_refs)
    mended += _mend_search(kernel, tx)
    return mended + _mend_totals(kernel, tx, {f.place for f in found if f.code == "totals_mismatch"})


def _mend_store(kernel: Kernel, tx: Transaction, found: Sequence[Finding]) -> Iterator[Mended]:
    for code in _INDEXES:
        places = list(dict.fromkeys(f.place for f in found if f.code == code))
        if not places:
            continue
        everything = kernel.dialect.name == "sqlite"
        tx.run([Statement("REINDEX")] if everything else [Statement(f"REINDEX INDEX {place}") for place in places])
        yield Mended(code, ", ".join(places))


def _stand_ins(session: Session, tx: Transaction) -> Iterator[Mended]:
    """Before any row is deleted: what belonged to a lost object belongs to its stand-in."""
    for probe in stand_ins.in_order(probes_of(session.kernel)):
        if made := stand_ins.create(session, tx, probe):
            yield Mended(probe.code, probe.place, made)


def _mend_rows(kernel: Kernel, tx: Transaction, bad_refs: BadRefs) -> list[Mended]:
    clears = bad_refs == "clear"
    probes = [p for p in probes_of(kernel) if p.fix.kind != "none" and (clears or p.code not in _BAD_REFS)]
    mended: dict[tuple[str, str], int] = {}
    for _ in range(_PASSES):
        changed = 0
        for probe in probes:
            if tx.run([probe.statement])[0]:
                rows = _mend_probe(kernel, tx, probe)
                mended[probe.code, probe.place] = mended.get((probe.code, probe.place), 0) + rows
                changed += rows
        if not changed:
            break
    return [Mended(code, place, rows) for (code, place), rows in mended.items()]


def _mend_probe(kernel: Kernel, tx: Transaction, probe: Probe) -> int:
    table = kernel.dialect.quote(probe.table.name)
    match probe.fix.kind:
        case "renumber":
            return _renumber(kernel, tx, probe)
        case "uncircle":
            return _uncircle(kernel, tx, probe)
        case _:
            count = int(str(tx.run([Statement(f"SELECT COUNT(*) FROM {table} AS t WHERE {probe.where}")])[0][0][0]))
            tx.run([Statement(_change(kernel, probe.fix, table, probe.where))])
            return count


def _change(kernel: Kernel, fix: Fix, table: str, where: str) -> str:
    if fix.kind == "delete":
        return f"DELETE FROM {table} AS t WHERE {where}"
    d = kernel.dialect
    values = [(c, fix.expression or empty_literal(c, d)) for c in fix.columns]
    sets = ", ".join(f"{d.quote(c.name)} = {value}" for c, value in values)
    return f"UPDATE {table} AS t SET {sets} WHERE {where}"


def _renumber(kernel: Kernel, tx: Transaction, probe: Probe) -> int:
    """First to negative numbers, so that no line takes a number another still has."""
    d = kernel.dialect
    table, ref, line = (d.quote(n) for n in (probe.table.name, "ref", "line_number"))
    owners = f"SELECT {ref} FROM {table} AS t WHERE {probe.where}"
    rows = tx.run([Statement(f"SELECT {ref}, {line} FROM {table} WHERE {ref} IN ({owners}) ORDER BY {ref}, {line}")])[0]
    numbers: dict[object, int] = {}
    update = f"UPDATE {table} SET {line} = {d.placeholder} WHERE {ref} = {d.placeholder} AND {line} = {d.placeholder}"
    changes = []
    for owner, old in rows:
        numbers[owner] = numbers.get(owner, 0) + 1
        changes.append(Statement(update, [-numbers[owner], owner, old]))
    _run_all(tx, [*changes, Statement(f"UPDATE {table} SET {line} = -{line} WHERE {line} < 0")])
    return len(rows)


def _uncircle(kernel: Kernel, tx: Transaction, probe: Probe) -> int:
    d = kernel.dialect
    table, ref = d.quote(probe.table.name), d.quote("ref")
    (column,) = probe.fix.columns
    parent = d.quote(column.name)
    rows = tx.run([Statement(f"SELECT t.{ref}, t.{parent} FROM {table} AS t WHERE {probe.where}")])[0]
    roots = circles({row[0]: row[1] for row in rows})
    update = f"UPDATE {table} SET {parent} = {empty_literal(column, d)} WHERE {ref} = {d.placeholder}"
    _run_all(tx, [Statement(update, [root]) for root in roots])
    return len(roots)


def circles(parents: dict[object, object]) -> list[object]:
    """One member of each circle of a child -> parent mapping: the least."""
    found: dict[object, None] = {}
    done: set[object] = set()
    for start in parents:
        path: dict[object, int] = {}
        at: object = start
        while at in parents and at not in path and at not in done:
            path[at] = len(path)
            at = parents[at]
        if at in path:
            members = [k for k, place in path.items() if place >= path[at]]
            found[min(members, key=str)] = None
        done.update(path)
    return list(found)


def _run_all(tx: Transaction, statements: Sequence[Statement]) -> None:
    for start in range(0, len(statements), _ROWS):
        tx.run(statements[start : start + _ROWS])


def _mend_search(kernel: Kernel, tx: Transaction) -> Iterator[Mended]:
    d = kernel.dialect
    for held in held_tables(kernel):
        for field in held.fields:
            if field.search is None:
                continue
            key = held.table.primary_key
            columns = d.columns([field.columns[0].name, field.search.name, *key])
            rows = tx.stream(Statement(f"SELECT {columns} FROM {d.quote(held.table.name)}"))
            wrong: list[Row] = [
                (search_key(str(row[0])), *row[2:]) for row in rows if search_key(str(row[0])) != row[1]
            ]
            where = " AND ".join(f"{d.quote(k)} = {d.placeholder}" for k in key)
            update = (
                f"UPDATE {d.quote(held.table.name)} SET {d.quote(field.search.name)} = {d.placeholder} WHERE {where}"
            )
            _run_all(tx, [Statement(update, row) for row in wrong])
            if wrong:
                yield Mended("search_column", f"{held.place}.{field.name}", len(wrong))


def _mend_totals(kernel: Kernel, tx: Transaction, wrong: set[str]) -> list[Mended]:
    """All of them: deleted records have changed what the totals should be. Told of those that were `wrong`."""
    for name, register in kernel.layout.registers.items():
        if register.turnovers is not None:
            tx.run(rebuild_statements(kernel, name))
    return [Mended("totals_mismatch", name) for name in sorted(wrong)]


# --- a copy to try it on ---


def check_copy(base: Infobase, progress: Progress | None = None) -> list[Finding]:
    """Check a private copy; the base itself goes on working."""
    door = door_of(base.kernel.engine)
    if door is not None:
        return cast("list[Finding]", door.whole("check_copy", {}))
    with _private_copy(base) as copy:
        return check_infobase(copy.kernel, progress)


def repair_copy(
    base: Infobase, *, bad_refs: BadRefs = "none", user: str = "", progress: Progress | None = None
) -> Report:
    """What `repair` would do, done to a private copy."""
    door = door_of(base.kernel.engine)
    if door is not None:
        return _told(door.whole("repair_copy", {"bad_refs": bad_refs}))
    with _private_copy(base) as copy:
        return repair(copy, bad_refs=bad_refs, user=user, progress=progress)


@contextmanager
def _private_copy(base: Infobase) -> Iterator[Infobase]:
    """A copy nobody else sees, for the block to check and mend; the base goes on working. It is removed afterwards."""
    engine = base.kernel.engine
    with temporary_folder("check") as folder:
        engine.backup(folder / "copy")
        staged = engine.load_backup(folder / "copy")
        try:
            yield replace(base, kernel=Kernel(base.kernel.configuration, staged))
        finally:
            staged.drop()
            staged.close()
