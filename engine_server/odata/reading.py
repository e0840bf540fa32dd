"""Entities out of the base: lists page by page, single ones by key, rows of sections and related entities with as few queries as there are kinds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from engine_server.odata import rendering
from engine_server.odata.errors import NO_ENTITY, NO_RIGHTS, ODataError, refuse
from engine_server.odata.model import OBJECT, RECORD, RECORD_SET, ROW, TOTAL, EntityType, Model
from engine_server.odata.pages import Key, PageMemory
from engine_server.odata.rendering import PRESENTED, Entry, EntryMaker
from engine_server.odata.selection import Expansion, Rows, Selection
from infobase.metadata.types import Ref, Value
from infobase.query_model import (
    Compare,
    Condition,
    Not,
    OrderItem,
    Query,
    SelectItem,
    all_of,
)
from infobase.session import Session

NEAR = 100
"""Rows passed over with all their columns: beyond it the keys are looked for first."""
BATCH = 1000
"""Entities read at once when a list has no end."""
Record = dict[str, Value]


@dataclass(frozen=True)
class Wanted:
    """A list: what of, which, in what order. `top` None: all."""

    selection: Selection
    source: str
    where: Condition | None = None
    order_by: tuple[OrderItem, ...] = ()
    top: int | None = None
    skip: int = 0
    parameters: Mapping[str, object] | None = None
    allowed_only: bool = True


class Reader:
    """Reads through one session."""

    def __init__(self, session: Session, model: Model, memory: PageMemory) -> None:
        self.session, self.model, self._memory = session, model, memory
        self._configuration = session.kernel.configuration

    # --- lists ---

    def batches(self, wanted: Wanted) -> Iterator[list[Entry]]:
        """The list in batches. Each is read from a snapshot of its own (or of the caller's transaction) and goes on behind the last row of the
        one before: a client that takes its time holds nothing in the base."""
        if wanted.top == 0:
            yield []
            return
        if not wanted.allowed_only:
            self._demand_all_allowed(wanted)
        query = self._query(wanted)
        left, position, key = wanted.top, wanted.skip, None
        while True:
            limit = BATCH if left is None else min(BATCH, left)
            start, known = (position, key) if key is not None else self._memory.nearest(self._owner, query, position)
            with self.session.reading():
                known, passed = self._passed(wanted.selection.entity, query, known, position - start)
                if passed is None:
                    yield []
                    return
                records, key = self._records(_page(query, limit, known, passed))
                entries = self.entries(wanted.selection, records)
            position += len(records)
            left = None if left is None else left - len(records)
            if key is not None and left is not None:
                self._memory.remember(self._owner, query, position, key)
            yield entries
            if len(records) < limit or left == 0 or key is None:
                return

    def _passed(
        self, entity: EntityType, query: Query, known: Key | None, offset: int
    ) -> tuple[Key | None, int | None]:
        """Passes over rows by their keys alone, which an index holds, and leaves few or none to pass over with all that is selected.
        The key to go on behind and the rows left; None of them: the list ends before."""
        keys = [found[0].field for k in entity.keys if (found := entity.find(k)) is not None]
        if offset <= NEAR or entity.variety not in (OBJECT, ROW, RECORD) or not keys or query.parameters:
            return known, offset
        narrow = replace(query, select=tuple(SelectItem(k) for k in dict.fromkeys(keys)))
        records, key = self._records(_page(narrow, 1, known, offset - 1))
        return key, 0 if records else None

    def _records(self, query: Query) -> tuple[list[Record], tuple[object, ...] | None]:
        rows, key = self.session.query_page(query)
        return [cast(Record, dict(r)) for r in rows], key

    @property
    def _owner(self) -> str:
        return str(self.session.user_id)

    def _query(self, wanted: Wanted) -> Query:
        if wanted.selection.entity.variety == RECORD_SET:
            return Query(
                wanted.source,
                select=(SelectItem("Recorder"),),
                where=wanted.where,
                group_by=("Recorder",),
                order_by=wanted.order_by,
            )
        presented = rendering.presentation_fields(self._configuration, wanted.selection)
        items = [SelectItem(f) for f in rendering.fields_of(wanted.selection)]
        items += [SelectItem(path, name) for path, name in presented]
        parameters = wanted.parameters or {}
        return Query(
            wanted.source, parameters=parameters, select=tuple(items), where=wanted.where, order_by=wanted.order_by
        )

    def _demand_all_allowed(self, wanted: Wanted) -> None:
        """As in 1C: without `allowedOnly` a list that holds what the user may not see is refused as a whole."""
        entity = wanted.selection.entity
        restriction = self.session.access.restriction("Read", entity.object)
        if restriction is None or wanted.parameters is not None:
            return
        if entity.variety == ROW:
            return
        if self.session.any_beyond(Query(wanted.source, where=wanted.where), Not(restriction)):
            raise refuse(
                401,
                NO_RIGHTS,
                "Ошибка прав доступа: в выборку попадают недоступные данные (укажите allowedOnly=true)",
                "Access denied: the selection holds data you may not see (give allowedOnly=true)",
            )

    def count(
        self, source: str, where: Condition | None, entity: EntityType, parameters: Mapping[str, object] | None = None
    ) -> int:
        """How many entities a list has. Rows of totals are as many as the dimensions asked for make them, so these are what is read."""
        if entity.variety == TOTAL:
            keys = tuple(SelectItem(p.field) for p in entity.properties)
            return len(self.session.query(Query(source, parameters=parameters or {}, select=keys, where=where)))
        expression = "Count(distinct Recorder)" if entity.variety == RECORD_SET else "Count(*)"
        query = Query(source, parameters=parameters or {}, select=(SelectItem(expression, "n"),), where=where)
        return int(self.session.query(query)[0]["n"])  # type: ignore[arg-type]

    # --- single entities ---

    def one(self, selection: Selection, where: Condition) -> Entry:
        """The entity that satisfies a condition on its key. ODataError 404 code 9."""
        found = self.first(selection, where)
        if found is None:
            raise not_found(selection.entity)
        return found

    def first(self, selection: Selection, where: Condition) -> Entry | None:
        query = self._query(Wanted(selection, selection.entity.source, where))
        with self.session.reading():
            records, _ = self._records(_page(query, 1, None, 0))
            return self.entries(selection, records)[0] if records else None

    # --- entries ---

    def entries(self, selection: Selection, records: Sequence[Record]) -> list[Entry]:
        """Entries of records with their rows and related entities."""
        if not records:
            return []
        self._present_plain(selection, records)
        maker = EntryMaker(self._configuration, selection)
        made = [maker.entry(r) for r in records]
        for rows in selection.rows:
            self._add_rows(selection.entity, rows, records, made)
        for expansion in selection.expansions:
            self._expand(expansion, records, made)
        return made

    def _present_plain(self, selection: Selection, records: Sequence[Record]) -> None:
        """Presentations that no query gives: of plain values."""
        for p in selection.presentations:
            name = PRESENTED + p.name
            for r in records:
                if name not in r:
                    r[name] = self.session.presentation(r[p.field])

    def _add_rows(self, entity: EntityType, rows: Rows, records: Sequence[Record], made: Sequence[Entry]) -> None:
        owner = "Ref" if entity.variety == OBJECT else "Recorder"
        source = rows.collection.rows.source
        fields = dict.fromkeys([owner, "LineNumber", *(p.field for p in rows.properties)])
        owners = tuple(r[owner] for r in records)
        query = Query(
            source,
            select=tuple(SelectItem(f) for f in fields),
            where=Compare(owner, "in", owners),
            order_by=(OrderItem(owner), OrderItem("LineNumber")),
        )
        by_owner: dict[Value, list[Record]] = {}
        for r in self.session.query(query):
            by_owner.setdefault(r[owner], []).append(r)
        for record, entry in zip(records, made, strict=True):
            found = by_owner.get(record[owner], [])
            entry.values[rows.collection.name] = rendering.rows_of(self._configuration, rows.properties, found)

    def _expand(self, expansion: Expansion, records: Sequence[Record], made: Sequence[Entry]) -> None:
        p = expansion.property
        refs: dict[str, dict[Ref, None]] = {}
        for r in records:
            value = r[p.field]
            if isinstance(value, Ref) and value.type in expansion.inner:
                refs.setdefault(value.type, {})[value] = None
        found: dict[Ref, Entry] = {}
        for target, wanted in refs.items():
            found |= self._related(expansion.inner[target], tuple(wanted))
        name = p.name if len(p.targets) == 1 else f"{p.name}_Expanded"
        for record, entry in zip(records, made, strict=True):
            value = record[p.field]
            entry.values[name] = found.get(value) if isinstance(value, Ref) else None

    def _related(self, selection: Selection, refs: Sequence[Ref]) -> dict[Ref, Entry]:
        wanted = Wanted(selection, selection.entity.source, Compare("Ref", "in", refs))
        records = self.session.query(self._query(wanted))
        plain = [cast(Record, dict(r)) for r in records]
        return {cast(Ref, r["Ref"]): e for r, e in zip(plain, self.entries(selection, plain), strict=True)}

    def value(self, source: str, field: str, where: Condition) -> Any:
        """One field of one entity. ODataError 404 code 9."""
        rows = self.session.query(Query(source, select=(SelectItem(field, "v"),), where=where, limit=1))
        if not rows:
            raise refuse(404, NO_ENTITY, "Экземпляр сущности не найден по переданному ключу", "No entity has this key")
        return rows[0]["v"]


def _page(query: Query, limit: int, key: Key | None, offset: int) -> Query:
    return replace(query, limit=limit, after=key, offset=offset)


def not_found(entity: EntityType) -> ODataError:
    name = entity.name.partition("_")[2]
    return refuse(
        404,
        NO_ENTITY,
        f"Экземпляр сущности «{name}» не найден по переданному ключу",
        f"No entity of {entity.name} has this key",
    )


def both(*conditions: Condition | None) -> Condition | None:
    """The conjunction of what is given."""
    return all_of(*conditions)
