"""The raw sides of dump and restore: what the stores' own means do with the same tables, on the disk that is measured."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.harness import Bench
from engine_server.engine import ServerEngine
from infobase.infobase import open_base
from infobase.schema.ddl import create_statements, key_statements
from infobase.storage import StorageEngine


class RawFile:
    """The file's own means: SQLite's backup of the whole file, and rows inserted with sqlite3 into fresh tables."""

    out_name, load_name = "sqlite3 backup", "sqlite3 executemany"

    def __init__(self, bench: Bench, engine: StorageEngine) -> None:
        base = open_base(engine)
        self.tables, self.dialect = base.kernel.layout.dumped, base.kernel.dialect
        self.source = Path(engine.place) / "1Cv8.1CD"
        self.folder = bench.folder / "raw"
        self.folder.mkdir(exist_ok=True)
        self.bytes = 0
        engine.close()

    def out(self) -> None:
        target = self.folder / "copy.db"
        target.unlink(missing_ok=True)
        with closing(sqlite3.connect(self.source)) as there, closing(sqlite3.connect(target)) as here:
            there.backup(here)
        self.bytes = target.stat().st_size

    def load(self, *, indexes: bool) -> None:
        target = self.folder / "load.db"
        target.unlink(missing_ok=True)
        with closing(sqlite3.connect(self.source)) as there, closing(sqlite3.connect(target)) as here:
            here.execute("PRAGMA journal_mode = OFF")
            here.execute("PRAGMA synchronous = OFF")
            for t in self.tables:
                for statement in create_statements([t], self.dialect, keys=True, indexes=False):
                    here.execute(statement.sql)
                marks = ", ".join("?" * len(t.columns))
                columns = self.dialect.columns([c.name for c in t.columns])
                rows = there.execute(f"SELECT {columns} FROM {self.dialect.quote(t.name)}")
                here.executemany(f"INSERT INTO {self.dialect.quote(t.name)} ({columns}) VALUES ({marks})", rows)
                for statement in key_statements([t], self.dialect) if indexes else ():
                    here.execute(statement.sql)
                here.commit()
        with target.open("rb") as file:
            os.fsync(file.fileno())
        target.unlink()


_BALANCES = "SELECT customer, deal, amount FROM acc_settlements__balance WHERE amount <> 0"


class BareRows:
    """The rows of all balances as the driver gives them, without a word of what they mean."""

    def __init__(self, engine: StorageEngine) -> None:
        if isinstance(engine, ServerEngine):
            self._conn: Any = psycopg.connect(engine.where().conninfo(), prepare_threshold=0)
        else:
            self._conn = sqlite3.connect(Path(engine.place) / "1Cv8.1CD")

    def fetch(self) -> None:
        self._conn.execute(_BALANCES).fetchall()

    def close(self) -> None:
        self._conn.close()


class RawCopy:
    """COPY BINARY of every dumped table to files and back into fresh tables with their keys, and with all their indexes."""

    out_name = load_name = "raw binary COPY"

    def __init__(self, bench: Bench, engine: StorageEngine) -> None:
        base = open_base(engine)
        self.tables = base.kernel.layout.dumped
        self.dialect = base.kernel.dialect
        assert bench.pg is not None
        self.place = bench.pg.start().at("bench_volume")
        self.folder = bench.folder / "raw"
        self.folder.mkdir(exist_ok=True)
        self.bytes = 0
        self.pg_dump = shutil.which("pg_dump")
        engine.close()

    def out(self) -> None:
        self.bytes = 0
        with psycopg.connect(self.place.conninfo()) as conn:
            for t in self.tables:
                columns = self.dialect.columns([c.name for c in t.dumped_columns])
                query = f"COPY (SELECT {columns} FROM {self.dialect.quote(t.name)}) TO STDOUT (FORMAT binary)"
                with (self.folder / t.name).open("wb") as file, conn.cursor() as cursor, cursor.copy(query) as copy:
                    for data in copy:
                        file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                    self.bytes += file.tell()

    def load(self, *, indexes: bool) -> None:
        with psycopg.connect(self.place.conninfo(), autocommit=True) as conn:
            conn.execute("DROP SCHEMA IF EXISTS raw CASCADE")
            conn.execute("CREATE SCHEMA raw")
            conn.execute("SET search_path = raw")
            for t in self.tables:
                name, columns = self.dialect.quote(t.name), self.dialect.columns([c.name for c in t.dumped_columns])
                conn.execute(f"CREATE TABLE {name} (LIKE public.{name} INCLUDING DEFAULTS)")
                query = f"COPY {name} ({columns}) FROM STDIN (FORMAT binary)"
                with conn.cursor() as cursor, (self.folder / t.name).open("rb") as file, cursor.copy(query) as copy:
                    while data := file.read(1 << 20):
                        copy.write(data)
                if indexes:
                    for statement in key_statements([t], self.dialect):
                        conn.execute(statement.sql)
                else:
                    conn.execute(f"ALTER TABLE {name} ADD PRIMARY KEY ({self.dialect.columns(t.primary_key)})")

    def dump_with_pg_dump(self) -> None:
        assert self.pg_dump is not None
        target = str(self.folder / "x.dump")
        subprocess.run([self.pg_dump, "-Fc", "-n", "public", "-f", target, self.place.conninfo()], check=True)
