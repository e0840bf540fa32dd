"""Where operations are interrupted: a source base nothing changes, a target in its old state, and a folder for files."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from engine_server.place import from_url
from infobase.connection import engine_of
from infobase.errors import InfobaseBusy
from infobase.infobase import create
from infobase.metadata.reader import read_folder
from tests.bases import SHOP, Place
from tests.reliability import child

CRM = Path(__file__).parents[2] / "crm" / "configuration"


@dataclass(frozen=True)
class Ground:
    """`work`: a folder for files; `source`: a filled base that no operation changes; `other`: the same content in the other mode;
    `target`: the base an operation makes or changes. `memory`: digests of known states by operation."""

    work: Path
    source: Place
    target: Place
    other: Place
    memory: dict[str, str] = field(default_factory=dict)

    @property
    def dump(self) -> Path:
        return self.work / "base.dt"

    @property
    def list(self) -> Path:
        return self.work / "ibases.v8i"

    @property
    def scratch(self) -> Path:
        """The temporary folder of the operations."""
        return self.work / "tmp"

    @property
    def old_configuration(self) -> Path:
        return self.work / "author" / "configuration"

    @property
    def configuration(self) -> Path:
        return self.work / "configuration"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "INFOBASE_LIST": str(self.list),
            "INFOBASE_LANG": "en",
            "INFOBASE_CACHE": str(self.work / "cache"),
            "TMPDIR": str(self.scratch),
        }

    def start(self, arguments: list[str], *, file_bytes: int = -1, gated: tuple[str, ...] = ()) -> child.Child:
        """`gated`: groups of calls (gate.CALLS) that fail as the child's gate is armed."""
        handle, output = tempfile.mkstemp(prefix="infobase-said-")
        os.close(handle)
        trouble = child.Trouble(file_bytes, gated, f"{self.work.resolve()}/")
        return child.start(arguments, self.environment, Path(output), trouble)

    def run(self, arguments: list[str]) -> tuple[int, str]:
        """The exit code of a line of the command line, and what it said."""
        started = self.start(arguments)
        started.go()
        code = started.wait()
        said = started.said()
        started.output.unlink()
        return code, said

    def must(self, *arguments: str) -> None:
        code, said = self.run(list(arguments))
        assert code == 0, f"{' '.join(arguments)}: {said}"

    def clear(self, seconds: float = 30) -> None:
        """No target. PostgreSQL may take a moment to notice that who worked in it has been killed."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.target.drop()
            except InfobaseBusy:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def put_back(self, name: str, make: Callable[[Place], None]) -> None:
        """The target in a state that is made once and copied from then on."""
        self.clear()
        if self.target.connection.startswith("File"):
            kept, place = self.work / "kept" / name, folder_of(self.target)
            shutil.rmtree(place, ignore_errors=True)
            if not kept.exists():
                make(self.target)
                shutil.copytree(place, kept)
            else:
                shutil.copytree(kept, place)
            return
        if f"kept {name}" not in self.memory:
            make(self.target)
            _copy_database(self.target, _kept_database(self.target, name), to_kept=True)
            self.memory[f"kept {name}"] = "yes"
        else:
            _copy_database(self.target, _kept_database(self.target, name), to_kept=False)


def folder_of(place: Place) -> Path:
    return Path(place.connection.removeprefix('File="').removesuffix('";'))


def _kept_database(place: Place, name: str) -> str:
    return f"kept_{name.replace('-', '_')}_{from_url(place.connection).database[-6:]}"


def _copy_database(place: Place, kept: str, *, to_kept: bool) -> None:
    at = from_url(place.connection)
    names = (kept, at.database) if to_kept else (at.database, kept)
    with psycopg.connect(at.at("postgres").conninfo(), autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(*map(sql.Identifier, names)))


def make_base(place: Place, configuration: Path) -> None:
    engine = engine_of(place.connection)
    try:
        create(engine, read_folder(configuration), name="Shop")
    finally:
        engine.close()


def lay(ground: Ground, documents: int = 30) -> None:
    """The configurations, the source base in both modes, and its dump; once."""
    ground.scratch.mkdir(parents=True, exist_ok=True)
    _lay_configurations(ground)
    make_base(ground.source, ground.old_configuration)
    with ground.source.session() as session:
        goods = [session.catalogs.Goods.new(Description=f"Товар {n}") for n in range(20)]
        for g in goods:
            g.write()
        for n in range(documents):
            receipt = session.documents.Receipt.new()
            for g in goods[n % 10 : n % 10 + 5]:
                receipt.Goods.add(Item=g, Quantity=n + 1)
            receipt.post()
    ground.must("dump", ground.source.connection, str(ground.dump))
    ground.must("replicate", ground.source.connection, ground.other.connection)
    ground.must(
        *("template", "build", str(ground.old_configuration.parent), "--version", "2.0.0.1", "--vendor", "Shop"),
        *("--out", str(ground.work / "packages")),
    )
    ground.must("backup", "make", ground.source.connection, str(ground.work / "good-backups"), "--plain")
    os.sync()


def _lay_configurations(ground: Ground) -> None:
    """The shop with one classifier, and its next version."""
    shutil.copytree(SHOP, ground.old_configuration)
    shutil.copy(CRM / "Catalogs" / "Units.toml", ground.old_configuration / "Catalogs")
    with (ground.old_configuration / "Configuration.toml").open("a", encoding="utf-8") as file:
        file.write('\n[classifiers]\nokei = "Catalog.Units"\n')
    shutil.copytree(ground.old_configuration, ground.configuration)
    catalog = 'kind = "Catalog"\nname = "Colours"\nru = "Цвета"\n'
    (ground.configuration / "Catalogs" / "Colours.toml").write_text(catalog, "utf-8")
    with (ground.configuration / "Catalogs" / "Goods.toml").open("a", encoding="utf-8") as file:
        file.write('[attributes.Weight]\nru = "Вес"\ntype = "Number(10,3)"\n')
