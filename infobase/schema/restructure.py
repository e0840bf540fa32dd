"""Old tables -> new tables: what a change of the configuration does to the store, told first and done in one transaction.

    made = plan_update(old_configuration, new_configuration)
    made.changes                    -> what is added, changed, dropped; `lost` says what does not survive
    tx.run(made.statements(dialect))
    refill(tx, made, dialect)       -> search columns of texts that became searchable

Tables are matched by the object they belong to, fields by their English name. A table whose columns change is built anew and filled from the
old one, on both engines alike; totals are only made empty when their shape changed: the caller rebuilds them, writes predefined items and
the configuration itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from infobase.i18n import Bilingual
from infobase.metadata.model import Configuration
from infobase.metadata.types import CompositeType
from infobase.schema.convert import Conversion, convert, lost_condition, period_expression
from infobase.schema.ddl import create_statements, empty_literal, index_statements, key_name, key_statements
from infobase.schema.dialect import DIALECTS, Dialect
from infobase.schema.layout import NUMBER_PERIOD, FieldLayout, Layout, build_layout
from infobase.schema.naming import fit
from infobase.schema.search import search_key
from infobase.storage import Statement, Table, Transaction

REFILL_ROWS = 500


@dataclass(frozen=True, slots=True)
class Change:
    """One consequence. `kind`: "table_added" | "table_dropped" | "field_added" | "field_dropped" | "field_changed" | "indexes_changed" |
    "totals_rebuilt" | "numbering_changed". `place`: object or object and field. `lost`: what is lost, or None."""

    kind: str
    place: str
    detail: Bilingual
    lost: Bilingual | None = None

    def __str__(self) -> str:
        tail = f" ({self.lost})" if self.lost is not None else ""
        return f"{self.place}: {self.detail}{tail}"


@dataclass(frozen=True, slots=True)
class _Part:
    """A table with the fields it holds."""

    place: str
    table: Table
    fields: tuple[FieldLayout, ...] = ()
    totals: bool = False


@dataclass(frozen=True, slots=True)
class _Pair:
    """A table before and after. `periodicity`: of a document's numbers where it changed, else None."""

    old: _Part
    new: _Part
    periodicity: str | None = None


@dataclass(frozen=True, slots=True)
class Refill:
    """A search column to be filled from its text."""

    table: Table
    text: str
    search: str


@dataclass(frozen=True)
class RestructurePlan:
    """`changes` in order of objects; nothing to do when it is empty."""

    changes: tuple[Change, ...]
    refills: tuple[Refill, ...]
    _added: tuple[_Part, ...] = field(repr=False)
    _dropped: tuple[_Part, ...] = field(repr=False)
    _rebuilt: tuple[_Pair, ...] = field(repr=False)
    _reindexed: tuple[_Pair, ...] = field(repr=False)

    @property
    def losses(self) -> list[Change]:
        return [c for c in self.changes if c.lost is not None]

    def statements(self, dialect: Dialect) -> list[Statement]:
        """All of it, in order, for one transaction. Old tables step aside first, so names may be exchanged."""
        q = dialect.quote
        made = [Statement(f"DROP TABLE {q(part.table.name)}") for part in self._dropped]
        aside = [(pair, fit(f"old__{number}_{pair.old.table.name}")) for number, pair in enumerate(self._rebuilt)]
        for pair, name in aside:
            made += _set_aside(pair.old.table, name, dialect)
        made += create_statements([p.table for p in self._added], dialect)
        made += create_statements([pair.new.table for pair, _ in aside], dialect, keys=False, indexes=False)
        for pair, name in aside:
            if not pair.new.totals:
                made.append(_copy(pair, name, dialect))
            made.append(Statement(f"DROP TABLE {q(name)}"))
        made += key_statements([pair.new.table for pair, _ in aside], dialect)
        for pair in self._reindexed:
            made += _reindex(pair.old.table, pair.new.table, dialect)
        return made


@dataclass(frozen=True, slots=True)
class Loss:
    """What a change loses and the query that counts it, over the old tables."""

    change: Change
    count: Statement


def losses(old: Layout, new: Layout, made: RestructurePlan, dialect: Dialect) -> list[Loss]:
    """How to count, before the update, the rows each loss of the plan concerns."""
    before, after = _parts(old), _parts(new)
    return [Loss(c, Statement(_counting(c, before, after, dialect))) for c in made.losses]


def _counting(change: Change, before: Mapping[str, _Part], after: Mapping[str, _Part], dialect: Dialect) -> str:
    if change.place in before:
        return f"SELECT COUNT(*) FROM {dialect.quote(before[change.place].table.name)}"
    place, _, name = change.place.rpartition(".")
    old = next(f for f in before[place].fields if f.name == name)
    new = next((f for f in after[place].fields if f.name == name), None)
    table = dialect.quote(before[place].table.name)
    return f"SELECT COUNT(*) FROM {table} WHERE {lost_condition(old, new, dialect)}"


# --- planning ---


def plan_update(old: Configuration, new: Configuration) -> RestructurePlan:
    """The plan for two configurations; knows of changed numbering periods, which layouts do not show."""
    before = {d.full_name: d.number.periodicity for d in old.documents}
    changed = {d.full_name: d.number.periodicity for d in new.documents}
    changed = {n: p for n, p in changed.items() if n in before and before[n] != p}
    return plan(build_layout(old), build_layout(new), changed)


def plan(old: Layout, new: Layout, periodicity: Mapping[str, str] | None = None) -> RestructurePlan:
    """`periodicity`: documents whose numbering period changes -> the new one."""
    before, after = _parts(old), _parts(new)
    added = [p for key, p in after.items() if key not in before]
    dropped = [p for key, p in before.items() if key not in after]
    changes = [_table_change(p, added=True) for p in added if not p.totals]
    changes += [_table_change(p, added=False) for p in dropped if not p.totals]
    rebuilt: list[_Pair] = []
    reindexed: list[_Pair] = []
    refills: list[Refill] = []
    for key in (k for k in after if k in before):
        pair = _Pair(before[key], after[key], (periodicity or {}).get(key))
        changes += _changes(pair)
        refills += _refills(pair)
        if _needs_rebuild(pair):
            rebuilt.append(pair)
        elif pair.old.table.indexes != pair.new.table.indexes:
            reindexed.append(pair)
    return RestructurePlan(
        tuple(changes), tuple(refills), tuple(added), tuple(dropped), tuple(rebuilt), tuple(reindexed)
    )


def _parts(layout: Layout) -> dict[str, _Part]:
    """Every table by what it is for."""
    parts = [_Part(name, table) for name, table in layout.system.items()]
    parts.append(_Part("Constants", layout.constants_table, layout.constants))
    for name, o in layout.objects.items():
        parts.append(_Part(name, o.table, o.fields))
        parts += [_Part(f"{name}.{s.name}", s.table, s.fields) for s in o.sections.values()]
    for name, r in layout.registers.items():
        parts.append(_Part(name, r.table, r.fields))
        totals = {"balance": r.balance, "turnovers": r.turnovers}
        parts += [_Part(f"{name} {k}", t, totals=True) for k, t in totals.items() if t is not None]
    return {p.place: p for p in parts}


def _table_change(part: _Part, *, added: bool) -> Change:
    if added:
        return Change("table_added", part.place, Bilingual("новая таблица", "new table"))
    lost = Bilingual("все данные теряются", "all its data is lost")
    return Change("table_dropped", part.place, Bilingual("таблица удаляется", "the table is dropped"), lost)


def _common(pair: _Pair) -> Iterator[tuple[FieldLayout, FieldLayout]]:
    old = {f.name: f for f in pair.old.fields}
    return ((old[f.name], f) for f in pair.new.fields if f.name in old)


def _conversions(pair: _Pair, dialect: Dialect) -> dict[str, Conversion]:
    return {new.name: convert(old, new, dialect) for old, new in _common(pair)}


def _needs_rebuild(pair: _Pair) -> bool:
    old, new = pair.old.table, pair.new.table
    if pair.periodicity is not None or (old.name, old.columns, old.primary_key) != (
        new.name,
        new.columns,
        new.primary_key,
    ):
        return True
    # Whether a value stays does not depend on the dialect, only on the types.
    return not all(c.copied for c in _conversions(pair, DIALECTS["postgresql"]).values())


def _changes(pair: _Pair) -> Iterator[Change]:
    old = {f.name: f for f in pair.old.fields}
    new = {f.name: f for f in pair.new.fields}
    place = pair.new.place
    for name in (n for n in new if n not in old):
        yield Change("field_added", f"{place}.{name}", Bilingual("новое поле, пустое", "new field, empty"))
    for name in (n for n in old if n not in new):
        lost = Bilingual("значения теряются", "its values are lost")
        yield Change("field_dropped", f"{place}.{name}", Bilingual("поле удаляется", "the field is dropped"), lost)
    conversions = _conversions(pair, DIALECTS["postgresql"])
    for name in (n for n in new if n in old and new[n].field.type != old[n].field.type):
        word = f"{old[name].field.type} -> {new[name].field.type}"
        yield Change(
            "field_changed", f"{place}.{name}", Bilingual(f"тип {word}", f"type {word}"), conversions[name].loss
        )
    if pair.periodicity is not None:
        word = pair.periodicity or "-"
        detail = Bilingual(f"периодичность номера {word}", f"number periodicity {word}")
        yield Change("numbering_changed", place, detail)
    if pair.new.totals and pair.old.table != pair.new.table:
        yield Change("totals_rebuilt", place, Bilingual("итоги строятся заново", "totals are rebuilt"))
    elif pair.old.table.indexes != pair.new.table.indexes:
        yield Change("indexes_changed", place, Bilingual("индексы строятся заново", "indexes are rebuilt"))


def _refills(pair: _Pair) -> Iterator[Refill]:
    """Existing texts whose search column is new, or follows a conversion."""
    for old, new in _common(pair):
        if new.search is None:
            continue
        kept_text = old.search is not None and not isinstance(old.field.type, CompositeType)
        if not kept_text:
            yield Refill(pair.new.table, new.columns[0].name, new.search.name)


# --- statements ---


def _set_aside(table: Table, name: str, dialect: Dialect) -> list[Statement]:
    """Free the table's name and, where they are names of the whole schema, its key's and indexes'."""
    q = dialect.quote
    made = [Statement(f"DROP INDEX {q(i.name)}") for i in table.indexes]
    if dialect.name != "sqlite":
        made.append(Statement(f"ALTER TABLE {q(table.name)} DROP CONSTRAINT {q(key_name(table))}"))
    made.append(Statement(f"ALTER TABLE {q(table.name)} RENAME TO {q(name)}"))
    return made


def _reindex(old: Table, new: Table, dialect: Dialect) -> list[Statement]:
    made = [Statement(f"DROP INDEX {dialect.quote(i.name)}") for i in old.indexes if i not in new.indexes]
    wanted = index_statements(new, dialect)
    return made + [s for i, s in zip(new.indexes, wanted, strict=True) if i not in old.indexes]


def _copy(pair: _Pair, source: str, dialect: Dialect) -> Statement:
    """INSERT ... SELECT of every column of the new table, in key order."""
    new = pair.new.table
    expressions = _expressions(pair, dialect)
    selected = ", ".join(f"{expressions[c.name]} AS {dialect.quote(c.name)}" for c in new.columns)
    names = dialect.columns([c.name for c in new.columns])
    order = ", ".join(str([c.name for c in new.columns].index(k) + 1) for k in new.primary_key)
    tail = f" ORDER BY {order}" if order else ""
    return Statement(
        f"INSERT INTO {dialect.quote(new.name)} ({names}) SELECT {selected} FROM {dialect.quote(source)}{tail}"
    )


def _expressions(pair: _Pair, dialect: Dialect) -> dict[str, str]:
    """New column -> expression over the old table. Columns no field owns (ref, row_key, system ones) keep their values by name."""
    old_columns = {c.name: c for c in pair.old.table.columns}
    owned = {c.name for f in pair.old.fields for c in f.columns} | {f.search.name for f in pair.old.fields if f.search}
    made = {
        c.name: dialect.quote(c.name) if c.name in old_columns and c.name not in owned else empty_literal(c, dialect)
        for c in pair.new.table.columns
    }
    conversions = _conversions(pair, dialect)
    for old, new in _common(pair):
        made.update(zip((c.name for c in new.columns), conversions[new.name].expressions, strict=True))
        if new.search is not None and old.search is not None:
            made[new.search.name] = dialect.quote(old.search.name)
    if pair.periodicity is not None:
        date = next(f for f in pair.old.fields if f.name == "Date").column.name
        made[NUMBER_PERIOD] = period_expression(dialect.quote(date), pair.periodicity, dialect)
    return made


def refill(tx: Transaction, made: RestructurePlan, dialect: Dialect) -> int:
    """Fill search columns from texts already stored, in the plan's own transaction; the number of rows written."""
    return sum(_refill(tx, one, dialect) for one in made.refills)


def _refill(tx: Transaction, one: Refill, dialect: Dialect) -> int:
    q, mark = dialect.quote, dialect.placeholder
    key = one.table.primary_key
    select = f"SELECT {dialect.columns([*key, one.text])} FROM {q(one.table.name)} WHERE {q(one.text)} <> ''"
    where = " AND ".join(f"{q(k)} = {mark}" for k in key)
    update = f"UPDATE {q(one.table.name)} SET {q(one.search)} = {mark} WHERE {where}"
    rows = tx.run([Statement(select)])[0]
    for start in range(0, len(rows), REFILL_ROWS):
        part = rows[start : start + REFILL_ROWS]
        tx.run([Statement(update, [search_key(str(text)), *keys]) for *keys, text in part])
    return len(rows)
