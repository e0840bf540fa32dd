"""Upkeep of totals while people work: what does not equal its movements is summed anew, and rows of zeros go.

Safe beside postings: totals change only by adding to them, under the row's lock, so that whichever of a posting and a rebuilding comes second
works on what the first has left. Rows of zeros that somebody holds are left for the next time.
"""

from __future__ import annotations

from dataclasses import dataclass

from infobase.kernel import Kernel
from infobase.register_sql import register_sql
from infobase.session import Session
from infobase.storage import Statement, Table
from infobase.totals import rebuild_statements, totals_findings


@dataclass(frozen=True, slots=True)
class TotalsUpkeep:
    """`registers`: how many were looked at; `rebuilt`: full names of those that were wrong; `removed`: rows of zeros."""

    registers: int
    rebuilt: tuple[str, ...]
    removed: int


def maintain_totals(session: Session) -> TotalsUpkeep:
    """Compare the totals of every accumulation register with its movements in one snapshot, and mend what differs. A register that is summed
    anew is named in the event log."""
    kernel = session.kernel
    registers = [r.full_name for r in kernel.configuration.accumulation_registers]
    with session.reading() as tx:
        wrong = tuple(sorted({f.place for f in totals_findings(kernel, tx)}))
    for name in wrong:
        _rebuild(session, name)
    return TotalsUpkeep(len(registers), wrong, sum(_sweep(session, name) for name in registers))


def _rebuild(session: Session, register: str) -> None:
    kernel = session.kernel
    with session.transaction() as tx:
        tx.run(rebuild_statements(kernel, register))
        meta = kernel.configuration.objects[register]
        session.log(tx, "Totals.Recalculated", meta, None, "totals")


def _sweep(session: Session, register: str) -> int:
    """Rows of zeros mean the same as no rows; how many went."""
    kernel = session.kernel
    layout = kernel.layout.registers[register]
    removed = 0
    with session.transaction() as tx:
        for table in (layout.balance, layout.turnovers):
            if table is not None and table.primary_key:
                removed += len(tx.run([_zeros(kernel, register, table)])[0])
    return removed


def _zeros(kernel: Kernel, register: str, table: Table) -> Statement:
    d = kernel.dialect
    key = d.columns(table.primary_key)
    zero = " AND ".join(f"{d.quote(c.name)} = 0" for c in register_sql(kernel, register).resources_of(table))
    name = d.quote(table.name)
    return Statement(
        f"DELETE FROM {name} WHERE ({key}) IN (SELECT {key} FROM {name} WHERE {zero}{d.skip_locked}) AND {zero} RETURNING 1"
    )
