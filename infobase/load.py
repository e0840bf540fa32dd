"""Filling an empty staged store with the rows of another base: tables without keys, data, keys, totals, configuration.

The rows come as canonical Arrow batches, from a dump or straight from another engine's snapshot; what is derived (search columns, numbering
periods, totals) is computed here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc

from infobase.arrow import arrow_schema, arrow_type
from infobase.digest import Progress
from infobase.kernel import Kernel
from infobase.metadata import canonical
from infobase.metadata.model import Configuration, Document
from infobase.metadata.types import EMPTY_DATE
from infobase.registers import rebuild_statements
from infobase.schema.ddl import create_statements, key_statements
from infobase.schema.layout import NUMBER_PERIOD, FieldLayout, Layout
from infobase.schema.search import search_key
from infobase.storage import Statement, StorageEngine, Table

Read = Callable[[Table], Iterator[pa.RecordBatch]]
"""A table's dumped columns in batches, in primary-key order."""
Compute = Callable[[pa.RecordBatch], pa.Array]
PARALLEL_TABLES = 2

_FLOOR = {"Day": "day", "Month": "month", "Quarter": "quarter", "Year": "year"}
_NUL = "\0"


def search_array(texts: pa.Array) -> pa.Array:
    """`search_key` of every value. Folding goes character by character, so all values are folded as one text; none contains NUL."""
    if not len(texts):
        return texts
    folded = search_key(_NUL.join(texts.to_pylist()))
    return pa.array(folded.split(_NUL), pa.utf8())


def period_array(dates: pa.Array, periodicity: str) -> pa.Array:
    """`period_start` of every date."""
    if not periodicity:
        return pa.repeat(pa.scalar(EMPTY_DATE, pa.timestamp("us")), len(dates))
    return pc.floor_temporal(dates, unit=_FLOOR[periodicity])


def _search(column: str) -> Compute:
    return lambda batch: search_array(batch.column(column))


def _period(column: str, periodicity: str) -> Compute:
    return lambda batch: period_array(batch.column(column), periodicity)


def _companions(fields: Iterable[FieldLayout]) -> dict[str, Compute]:
    return {f.search.name: _search(f.columns[0].name) for f in fields if f.search is not None}


def derivations(configuration: Configuration, layout: Layout) -> dict[str, dict[str, Compute]]:
    """Table -> derived column -> how it follows from the dumped ones."""
    made = {layout.constants_table.name: _companions(layout.constants)}
    for name, o in layout.objects.items():
        computed = made[o.table.name] = _companions(o.fields)
        meta = configuration.objects[name]
        date = o.field("Date")
        if isinstance(meta, Document) and date is not None:
            computed[NUMBER_PERIOD] = _period(date.column.name, meta.number.periodicity)
        for section in o.sections.values():
            made[section.table.name] = _companions(section.fields)
    for register in layout.registers.values():
        made[register.table.name] = _companions(register.fields)
    return made


def complete(batches: Iterable[pa.RecordBatch], table: Table, computed: dict[str, Compute]) -> Iterator[pa.RecordBatch]:
    """The batches with all columns of the table in order."""
    schema = arrow_schema(table.columns)
    for batch in batches:
        columns = [
            computed[c.name](batch).cast(arrow_type(c)) if c.derived else batch.column(c.name) for c in table.columns
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


class _Watched:
    """Batches whose own error is remembered: an engine may turn it into an error of its driver on the way."""

    def __init__(self, batches: Iterator[pa.RecordBatch], progress: Callable[[int], None]) -> None:
        self._batches = batches
        self._progress = progress
        self.error: BaseException | None = None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._batches:
                yield batch
                self._progress(batch.num_rows)
        except GeneratorExit:
            raise
        except BaseException as error:
            self.error = error
            raise


def _ingest(engine: StorageEngine, table: Table, batches: Iterator[pa.RecordBatch], note: Callable[[int], None]) -> int:
    """Rows loaded. An empty table is not handed over: drivers learn columns from the first batch."""
    watched = _Watched(batches, note)
    given = iter(watched)
    try:
        first = next(given, None)
        return 0 if first is None else engine.ingest(table, chain((first,), given))
    except Exception:
        if watched.error is not None:
            raise watched.error from None
        raise


class Loader:
    """Fills one staged store. `parallel`: `read` may be used from several threads."""

    def __init__(
        self,
        configuration: Configuration,
        engine: StorageEngine,
        read: Read,
        progress: Progress | None,
        *,
        parallel: bool,
    ) -> None:
        self.kernel = Kernel(configuration, engine)
        self._read = read
        self._progress = progress
        self._computed = derivations(configuration, self.kernel.layout)
        self._workers = PARALLEL_TABLES if parallel and engine.traits.concurrent_writers else 1
        self._rows = 0

    def run(self, tables: Sequence[tuple[Table, int]], total: int) -> Kernel:
        """`tables`: what to fill and how many rows to expect (-1 unknown), `total` rows in all for the progress (0: unknown)."""
        kernel = self.kernel
        self._run(create_statements(kernel.layout.tables, kernel.dialect, keys=False, indexes=False))
        largest_first = sorted(tables, key=lambda pair: -pair[1])
        with ThreadPoolExecutor(self._workers, "infobase-load") as pool:
            work = [pool.submit(self._fill, table, total) for table, _ in largest_first]
            try:
                for filled in work:
                    filled.result()
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        filled_names = {table.name for table, _ in tables}
        rest = [t for t in kernel.layout.tables if t.name not in filled_names]
        self._run(key_statements(rest, kernel.dialect))
        self._finish(filled_names)
        return kernel

    def _fill(self, table: Table, total: int) -> None:
        def note(rows: int) -> None:
            self._rows += rows
            if self._progress is not None:
                self._progress(table.name, self._rows, total)

        batches = complete(self._read(table), table, self._computed.get(table.name, {}))
        _ingest(self.kernel.engine, table, batches, note)
        # Keys are built here and not at the end, so that with several threads one table is keyed while another is loaded.
        self._run(key_statements([table], self.kernel.dialect))

    def _finish(self, filled: set[str]) -> None:
        kernel = self.kernel
        if kernel.layout.constants_table.name not in filled:
            self._run([Statement("INSERT INTO constants (row_key) VALUES (0)")])
        for register in kernel.configuration.accumulation_registers:
            if self._progress is not None:
                self._progress(register.full_name, self._rows, self._rows)
            self._run(rebuild_statements(kernel, register.full_name))
        configuration = kernel.configuration
        row = [0, canonical.to_json(configuration), canonical.digest(configuration), configuration.version]
        columns = kernel.dialect.columns(("row_key", "content", "digest", "version"))
        self._run([Statement(f"INSERT INTO sys_configuration ({columns}) VALUES {kernel.dialect.values(4)}", row)])

    def _run(self, statements: list[Statement]) -> None:
        if not statements:
            return
        with self.kernel.engine.transaction(write=True) as tx:
            tx.run(statements)
