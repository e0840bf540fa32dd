"""Staged stores of both engines for tests of dumps, and bases filled with the sample's rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infobase.connection import engine_of
from infobase.dump import write_dump
from infobase.dump_format import DumpSummary
from infobase.kernel import Kernel
from infobase.load import Loader
from infobase.metadata.model import Configuration
from infobase.storage import StorageEngine
from tests.dump.sample import Content, sample


@dataclass(frozen=True)
class Stores:
    """Makes staged stores at one place; each is dropped when its block ends."""

    connection: str

    @contextmanager
    def staged(self) -> Iterator[StorageEngine]:
        engine = engine_of(self.connection)
        store = engine.create()
        try:
            yield store
        finally:
            store.drop()
            store.close()
            engine.close()

    @contextmanager
    def sample(self, seed: int = 1, rows: int = 20) -> Iterator[tuple[Kernel, Content]]:
        configuration, content = sample(seed, rows)
        with self.staged() as store:
            yield filled(configuration, content, store), content


def filled(configuration: Configuration, content: Content, store: StorageEngine) -> Kernel:
    loader = Loader(configuration, store, content.batches, None, parallel=False)
    return loader.run([(t, len(content.rows[t.name])) for t in content.layout.dumped], 0)


def dumped(kernel: Kernel, target: Path, password: str | None = None) -> DumpSummary:
    return write_dump(
        kernel, target, infobase_id="6f1d", infobase_name="Образец", password=password, replace=True, progress=None
    )
