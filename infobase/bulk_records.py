"""Many records of one independent information register, written as whole blocks in one transaction: national address files have millions.

    with bulk_records(session, "InformationRegister.AddressObjects", expected=1_000_000) as bulk:
        bulk.delete_range("Code", "01")                       # every record whose Code begins so
        bulk.write({"Code": 17, "Name": 40}, rows)            # rows of texts, in the order of the fields

Faster than `InformationRegisterManager.write` by an order of magnitude because nothing is done per record: only fields of type String are
taken, the caller vouches for their greatest lengths, and what is not given stays empty. Records with a key that is already there end in NotUnique.
When more is expected than the register holds, its indexes are dropped first and built at the end, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from infobase.errors import ObjectNotFound, OperationForbidden
from infobase.i18n import text
from infobase.metadata.model import InformationRegister
from infobase.metadata.types import StringType
from infobase.schema.ddl import index_statements
from infobase.schema.layout import FieldLayout, RegisterLayout
from infobase.storage import Statement, Table, Transaction, all_or_nothing
from infobase.text_columns import TextColumns

if TYPE_CHECKING:
    from infobase.session import Session


DELETE_VALUES = 1000
MANY_RECORDS = 1000
"""From so many written on the planner is told of them at once: it would go on as if the register were empty."""


def range_end(begins: str) -> str:
    """The least text above every one that begins with `begins`, in the order both engines compare by."""
    return begins[:-1] + chr(ord(begins[-1]) + 1)


@dataclass
class BulkRecords:
    """The open work of `bulk_records`. `written` and `deleted`: records so far."""

    session: Session
    tx: Transaction
    meta: InformationRegister
    expected: int
    written: int = 0
    deleted: int = 0
    _without_indexes: bool = False

    @property
    def _layout(self) -> RegisterLayout:
        return self.session.kernel.layout.registers[self.meta.full_name]

    def _run(self, sql: str, params: Sequence[object] = ()) -> list[tuple[object, ...]]:
        return self.tx.run([Statement(sql, params)])[0]

    def count(self, field: str = "", begins: str = "", **equal: str) -> int:
        """Records there are, of those whose `field` begins so and whose other fields have these values."""
        where, params = self._where(field, begins, equal)
        return int(str(self._run(f"SELECT count(*) FROM {self._table()}{where}", params)[0][0]))

    def delete_range(self, field: str, begins: str, **equal: str) -> int:
        """Delete such records; their number."""
        found = self.count(field, begins, **equal)
        if found:
            where, params = self._where(field, begins, equal)
            self._run(f"DELETE FROM {self._table()}{where}", params)
        self.deleted += found
        return found

    def delete_values(self, field: str, values: Sequence[str]) -> int:
        """Delete the records whose `field` is one of the values; how many were asked for."""
        dialect = self.session.kernel.dialect
        for start in range(0, len(values), DELETE_VALUES):
            part = list(values[start : start + DELETE_VALUES])
            marks = ", ".join([dialect.placeholder] * len(part))
            self._run(f"DELETE FROM {self._table()} WHERE {self._column(field)} IN ({marks})", part)
        self.deleted += len(values)
        return len(values)

    def stream(self, names: Sequence[str], field: str, begins: str, **equal: str) -> Iterator[tuple[object, ...]]:
        """The values of String fields of such records, in constant memory. Nothing else may be done in between."""
        columns = self.session.kernel.dialect.columns([self._text_field(n, 0).column.name for n in names])
        where, params = self._where(field, begins, equal)
        yield from self.tx.stream(Statement(f"SELECT {columns} FROM {self._table()}{where}", params))

    def write(self, lengths: Mapping[str, int], rows: Iterable[Sequence[str]]) -> int:
        """Add records. `lengths`: fields in the order of the rows' values, with the length the caller promises not to exceed. NotUnique."""
        count = self.session.kernel.engine.bulk_load(self.tx, self._prepared(lengths), rows)
        self.written += count
        return count

    def write_columns(self, lengths: Mapping[str, int], blocks: Iterable[TextColumns]) -> int:
        """The same of blocks of columns, which is faster. NotUnique."""
        count = self.session.kernel.engine.bulk_texts(self.tx, self._prepared(lengths), blocks)
        self.written += count
        return count

    def _prepared(self, lengths: Mapping[str, int]) -> Table:
        """The table with only these fields, its indexes out of the way."""
        fields = [self._text_field(name, length) for name, length in lengths.items()]
        if not self.written:
            self._drop_indexes()
        return replace(self._layout.table, columns=tuple(f.column for f in fields))

    def finish(self) -> None:
        """Build the indexes again and log what was done."""
        dialect = self.session.kernel.dialect
        if self._without_indexes:
            self.tx.run(index_statements(self._layout.table, dialect))
        if self.written >= MANY_RECORDS and dialect.statistics:
            table = self._layout.table
            searched = dict.fromkeys([*table.primary_key, *(c for i in table.indexes for c in i.columns)])
            self._run(dialect.statistics.format(table=self._table(), columns=dialect.columns(list(searched))))
        if self.written or self.deleted:
            ru, en = f"Загружено: {self.written}", f"Loaded: {self.written}"
            if self.deleted:
                ru, en = f"{ru}, заменено: {self.deleted}", f"{en}, replaced: {self.deleted}"
            self.session.log(self.tx, "_$Data$_.Update", self.meta, None, text(ru=ru, en=en))

    def _table(self) -> str:
        return self.session.kernel.dialect.quote(self._layout.table.name)

    def _where(self, field: str, begins: str, equal: Mapping[str, str]) -> tuple[str, list[object]]:
        mark = self.session.kernel.dialect.placeholder
        parts = [f"{self._column(name)} = {mark}" for name in equal]
        params: list[object] = list(equal.values())
        if begins:
            parts += [f"{self._column(field)} >= {mark}", f"{self._column(field)} < {mark}"]
            params += [begins, range_end(begins)]
        return (f" WHERE {' AND '.join(parts)}" if parts else "", params)

    def _column(self, name: str) -> str:
        return self.session.kernel.dialect.quote(self._text_field(name, 0).column.name)

    def _text_field(self, name: str, length: int) -> FieldLayout:
        found = self._layout.field(name)
        if found is None:
            raise ObjectNotFound(object=f"{self.meta.full_name}.{name}")
        kind = found.field.type
        if not isinstance(kind, StringType) or found.search is not None:
            raise ValueError(f"{self.meta.full_name}.{name}: only plain String fields are written in bulk")
        if kind.length and length > kind.length:
            raise ValueError(f"{self.meta.full_name}.{name}: {length} characters promised, {kind.length} fit")
        return found

    def _drop_indexes(self) -> None:
        """Inserting into a big index in no order costs several times what building it at the end does."""
        table = self._layout.table
        if self._without_indexes or not table.indexes or self.expected < self.count():
            return
        quote = self.session.kernel.dialect.quote
        self.tx.run([Statement(f"DROP INDEX {quote(i.name)}") for i in table.indexes])
        self._without_indexes = True


@contextmanager
def bulk_records(session: Session, full_name: str, *, expected: int = 0) -> Iterator[BulkRecords]:
    """Work on one register inside the session's transaction (its own when there is none). `expected`: about how many records will come.

    AccessDenied without the unrestricted right to update; OperationForbidden for a register that a recorder writes."""
    meta = session.kernel.configuration.objects.get(full_name)
    if not isinstance(meta, InformationRegister) or meta.subordinate:
        detail = text(ru="нужен независимый регистр сведений", en="an independent information register is needed")
        raise OperationForbidden(object=full_name, detail=detail)
    session.access.demand("Update", full_name)
    if session.access.restriction("Update", full_name) is not None:
        raise session.access.denied("Update", full_name)
    with session.transaction() as tx, all_or_nothing(tx):
        bulk = BulkRecords(session, tx, meta, expected)
        yield bulk
        bulk.finish()
