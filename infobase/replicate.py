"""Moving content from base to base without a file between, and proving two bases equal.

kernel = copy_content(source.kernel, staged, progress)
comparison = compare(source.kernel, kernel)
comparison.equal, comparison.explain(), comparison.tables, comparison.totals
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from infobase.digest import ContentDigest, Progress, base_digest, digest_table
from infobase.i18n import text
from infobase.kernel import Kernel
from infobase.load import Loader
from infobase.storage import StorageEngine, Table


@dataclass(frozen=True, slots=True)
class Compared:
    """One table, or one register's totals, on both sides: rows and SHA-256. `what`: physical name, or register and kind of totals."""

    what: str
    rows_a: int
    rows_b: int
    digest_a: str
    digest_b: str

    @property
    def equal(self) -> bool:
        return (self.rows_a, self.digest_a) == (self.rows_b, self.digest_b)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was compared: the rows of every table in the content digest, and the totals of every accumulation register (which each side
    keeps for itself). Zero totals, which one side may keep and the other not, do not count."""

    content_digest_a: str
    content_digest_b: str
    tables: tuple[Compared, ...]
    totals: tuple[Compared, ...]

    @property
    def equal(self) -> bool:
        same = self.content_digest_a == self.content_digest_b
        return same and all(c.equal for c in (*self.tables, *self.totals))

    @property
    def rows(self) -> int:
        return sum(c.rows_a for c in self.tables)

    def differences(self) -> list[Compared]:
        return [c for c in (*self.tables, *self.totals) if not c.equal]

    def explain(self) -> str:
        """One sentence for people: what was compared and what came out."""
        scope = text(
            ru=f"таблиц {len(self.tables)}, строк {self.rows}, итогов регистров {len(self.totals)}",
            en=f"{len(self.tables)} tables, {self.rows} rows, {len(self.totals)} totals of registers",
        )
        if self.equal:
            return text(ru=f"совпало: {scope}", en=f"equal: {scope}")
        found = self.differences()
        listed = "; ".join(f"{c.what}: {c.rows_a} / {c.rows_b}" for c in found[:10])
        listed = listed or text(ru="конфигурации разные", en="the configurations differ")
        return text(ru=f"различия ({scope}): {listed}", en=f"differences ({scope}): {listed}")


def copy_content(source: Kernel, staged_engine: StorageEngine, progress: Progress | None = None) -> Kernel:
    """Fill the empty staged store with one snapshot of the source. The caller gives the base its identity and publishes it."""
    with source.engine.snapshot() as snapshot:
        loader = Loader(source.configuration, staged_engine, snapshot.read, progress, parallel=False)
        return loader.run([(table, -1) for table in source.layout.dumped], 0)


def compare(a: Kernel, b: Kernel, progress: Progress | None = None) -> Comparison:
    """Read both bases whole, each as one snapshot, and compare. The caller sees to it that nobody writes between, or accepts the difference."""
    digest_a, digest_b = base_digest(a, progress), base_digest(b, progress)
    return Comparison(
        digest_a.content_digest,
        digest_b.content_digest,
        tuple(_compared(digest_a, digest_b)),
        tuple(_compared(_totals(a), _totals(b))),
    )


def _compared(a: ContentDigest, b: ContentDigest) -> Iterator[Compared]:
    for name in sorted({*a.tables, *b.tables}):
        (rows_a, sha_a), (rows_b, sha_b) = a.tables.get(name, (0, "")), b.tables.get(name, (0, ""))
        yield Compared(name, rows_a, rows_b, sha_a, sha_b)


def _totals(kernel: Kernel) -> ContentDigest:
    """The totals of every accumulation register as they are stored."""
    found: dict[str, tuple[int, str]] = {}
    with kernel.engine.snapshot() as snapshot:
        for name, register in kernel.layout.registers.items():
            for kind, table in (("balance", register.balance), ("turnovers", register.turnovers)):
                if table is not None:
                    found[f"{name} {kind}"] = digest_table(_non_zero(snapshot.read(table), table), table)
    return ContentDigest("", found)


def _non_zero(batches: Iterable[pa.RecordBatch], table: Table) -> Iterator[pa.RecordBatch]:
    """The rows with at least one total that is not zero."""
    amounts = [c.name for c in table.columns if c.name not in table.primary_key]
    for batch in batches:
        kept = pc.not_equal(batch.column(amounts[0]), 0)
        for name in amounts[1:]:
            kept = pc.or_(kept, pc.not_equal(batch.column(name), 0))
        yield batch.filter(kept)
