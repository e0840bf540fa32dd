"""A base with the sample configuration in each engine, emptied after every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine_file.engine import FileEngine
from engine_server.engine import ServerEngine
from infobase.kernel import Kernel
from infobase.schema.ddl import create_statements
from infobase.storage import Statement, StorageEngine
from tests import postgres
from tests.registers.sample import CONFIGURATION


@pytest.fixture(scope="module", params=["file", "server"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StorageEngine]:
    """A published store with the sample's tables."""
    name = postgres.fresh_name("registers")
    made: StorageEngine
    if request.param == "file":
        made = FileEngine(tmp_path_factory.mktemp("registers") / "base")
    else:
        made = ServerEngine(postgres.place_in(request.getfixturevalue("pg_url"), name))
    staged = made.create()
    kernel = Kernel(CONFIGURATION, staged)
    with staged.transaction(write=True) as tx:
        tx.run(create_statements(kernel.layout.tables, kernel.dialect))
    made.publish(staged, replace=False)
    yield made
    made.close()
    made.drop()


@pytest.fixture
def base(engine: StorageEngine) -> Iterator[Kernel]:
    kernel = Kernel(CONFIGURATION, engine)
    yield kernel
    tables = [t for r in kernel.layout.registers.values() for t in (r.table, r.balance, r.turnovers) if t]
    with engine.transaction(write=True) as tx:
        tx.run([Statement(f"DELETE FROM {kernel.dialect.quote(t.name)}") for t in tables])
