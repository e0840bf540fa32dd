"""`session.information_registers.X` and `session.accumulation_registers.X`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from infobase import registers
from infobase.errors import OperationForbidden
from infobase.i18n import text
from infobase.metadata.model import AccumulationRegister, InformationRegister
from infobase.metadata.types import Value
from infobase.object_store import Record
from infobase.objects import FieldSet
from infobase.query_model import CONDITIONS, And, Compare, Condition, Query, SelectItem
from infobase.references import ExistenceCheck, refs_in

if TYPE_CHECKING:
    from infobase.session import Session

Where = Condition | Mapping[str, object] | None
Rows = list[dict[str, Value]]


def condition_of(where: Where) -> Condition | None:
    """A mapping means equality of every field given."""
    if where is None or isinstance(where, CONDITIONS):
        return where
    parts = tuple(Compare(name, "=", value) for name, value in where.items())
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else And(parts)


class _Reader:
    def __init__(self, session: Session, full_name: str) -> None:
        self._session, self.full_name = session, full_name

    def _query(self, source: str, where: Where, group_by: Sequence[str] = (), **parameters: object) -> Rows:
        given = {k: v for k, v in parameters.items() if v is not None}
        select = tuple(SelectItem(name) for name in group_by)
        return self._session.query(Query(source, parameters=given, select=select, where=condition_of(where)))

    def select(self, where: Where = None) -> Rows:
        """The records themselves."""
        return self._query(self.full_name, where)


class InformationRegisterManager(_Reader):
    """Records of an information register; those subordinate to a recorder are written by posting only."""

    def __init__(self, session: Session, full_name: str) -> None:
        super().__init__(session, full_name)
        meta = session.kernel.configuration.objects[full_name]
        assert isinstance(meta, InformationRegister)
        self.meta = meta
        self._fields = FieldSet(session.kernel, full_name, meta.fields)

    def write(self, records: Mapping[str, object] | Iterable[Mapping[str, object]]) -> None:
        """Add records, or replace those with the same key (period and dimensions)."""
        self._demand_independent()
        given = [records] if isinstance(records, Mapping) else list(records)
        made = [self._record(r) for r in given]
        session = self._session
        session.access.demand("Update", self.full_name)
        existence = ExistenceCheck(session.kernel, (pair for r in made for pair in refs_in(r)))
        with session.transaction() as tx:
            existence.verify(tx, tx.run(existence.statements()))
            tx.run(registers.write_independent(session.kernel, self.full_name, made))
            session.log(tx, "_$Data$_.Update", self.meta, None, str(len(made)))

    def delete(self, key: Mapping[str, object]) -> None:
        """Delete the records that have the given key fields."""
        self._demand_independent()
        session = self._session
        session.access.demand("Update", self.full_name)
        made = {self._fields.resolve(n): self._fields.coercers[self._fields.resolve(n)](v) for n, v in key.items()}
        with session.transaction() as tx:
            tx.run(registers.delete_independent(session.kernel, self.full_name, made))
            session.log(tx, "_$Data$_.Delete", self.meta, None, "")

    def slice_last(self, period: dt.datetime | None = None, where: Where = None) -> Rows:
        """The latest record of each key up to and including `period` (None: of all time). `where` chooses keys before the slice."""
        return self._query(f"{self.full_name}.SliceLast", None, period=period, condition=condition_of(where))

    def slice_first(self, period: dt.datetime | None = None, where: Where = None) -> Rows:
        """The earliest record of each key from `period` on."""
        return self._query(f"{self.full_name}.SliceFirst", None, period=period, condition=condition_of(where))

    def _record(self, values: Mapping[str, object]) -> Record:
        record = self._fields.empty()
        record.update(self._fields.coerce(name, value) for name, value in values.items())
        return record

    def _demand_independent(self) -> None:
        if self.meta.subordinate:
            detail = text(ru="записи вносит только регистратор", en="records are written by the recorder only")
            raise OperationForbidden(object=self.full_name, detail=detail)


class AccumulationRegisterManager(_Reader):
    """Totals of an accumulation register; records are written by posting only."""

    def __init__(self, session: Session, full_name: str) -> None:
        super().__init__(session, full_name)
        meta = session.kernel.configuration.objects[full_name]
        assert isinstance(meta, AccumulationRegister)
        self.meta = meta

    def balance(self, period: dt.datetime | None = None, where: Where = None, group_by: Sequence[str] = ()) -> Rows:
        """Balances before the moment `period` (None: now, with everything posted). Fields `<Resource>Balance`."""
        select = self._select(group_by, ("Balance",))
        return self._query(f"{self.full_name}.Balance", None, select, period=period, condition=condition_of(where))

    def turnovers(
        self,
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
        periodicity: str = "",
        where: Where = None,
        group_by: Sequence[str] = (),
    ) -> Rows:
        """Turnovers from `start` to `end`, both included. Fields `<Resource>Turnover`, and for balances Receipt and Expense."""
        kinds = ("Turnover", "Receipt", "Expense") if self.meta.has_balance else ("Turnover",)
        select = self._select(group_by, kinds)
        given = {"start": start, "end": end, "periodicity": periodicity or None, "condition": condition_of(where)}
        return self._query(f"{self.full_name}.Turnovers", None, select, **given)

    def balance_and_turnovers(
        self,
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
        where: Where = None,
        group_by: Sequence[str] = (),
    ) -> Rows:
        """Opening balance before `start`, turnovers, closing balance after `end`."""
        kinds = ("OpeningBalance", "Receipt", "Expense", "Turnover", "ClosingBalance")
        select = self._select(group_by, kinds)
        given = {"start": start, "end": end, "condition": condition_of(where)}
        return self._query(f"{self.full_name}.BalanceAndTurnovers", None, select, **given)

    def _select(self, group_by: Sequence[str], kinds: Sequence[str]) -> tuple[str, ...]:
        """Nothing: every field. Else the chosen dimensions and every resource."""
        if not group_by:
            return ()
        return (*group_by, *(r.name + kind for r in self.meta.resources for kind in kinds))
