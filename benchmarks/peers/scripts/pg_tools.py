"""`pg_dump -Fc` of the infobase's database and `pg_restore` of it into a new one."""

from __future__ import annotations

import os
import subprocess

import psycopg
from protocol import serve, task
from psycopg import sql


class Worker:
    def __init__(self, given: dict) -> None:
        self.given, self.copy = given, given["database"] + "_pg_restored"
        self.environment = {
            **os.environ,
            "PGHOST": given["host"],
            "PGPORT": str(given["port"]),
            "PGUSER": given["user"],
        }

    def _run(self, *command: str) -> None:
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())

    def _connected(self, database: str) -> psycopg.Connection:
        where = {"host": self.given["host"], "port": self.given["port"], "user": self.given["user"]}
        return psycopg.connect(dbname=database, autocommit=True, **where)

    def prepare(self) -> None:
        """The base is ours and there."""

    def dump(self, target: str) -> None:
        self._run("pg_dump", "-Fc", "-f", target, self.given["database"])

    def ready_to_load(self) -> None:
        with self._connected("postgres") as conn:
            name = sql.Identifier(self.copy)
            conn.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(name))
            conn.execute(sql.SQL("CREATE DATABASE {}").format(name))

    def load(self, source: str) -> None:
        self._run("pg_restore", "--exit-on-error", "-d", self.copy, source)

    def restored(self) -> int:
        with self._connected(self.copy) as conn:
            return conn.execute("SELECT count(*) FROM doc_sales_order WHERE posted").fetchone()[0]

    def close(self) -> None:
        """Nothing is open."""


if __name__ == "__main__":
    serve(Worker(task()))
