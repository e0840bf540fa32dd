"""The cluster's own database: which infobases there are, who administers the cluster, who works now.

Every worker of every host reads and writes it, so the workers themselves keep nothing that another one would miss. All of it lives in the
schema `cluster`; each statement is its own transaction unless it says otherwise.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from engine_server.application.vault import Vault
from engine_server.failures import translate
from engine_server.place import MAINTENANCE_DATABASE, ServerPlace
from engine_server.pool import Connection, Pool, connect
from infobase.errors import InfobaseNotFound
from infobase.storage import Statement

_OPTIONS = "-c timezone=UTC -c search_path=cluster -c lock_timeout=20000"
_SCHEMA = (
    "CREATE SCHEMA IF NOT EXISTS cluster",
    "CREATE TABLE IF NOT EXISTS cluster.cluster (id uuid PRIMARY KEY, name text NOT NULL, format int NOT NULL)",
    "CREATE TABLE IF NOT EXISTS cluster.administrators (name text PRIMARY KEY, password_hash text NOT NULL)",
    """CREATE TABLE IF NOT EXISTS cluster.infobases (id uuid PRIMARY KEY, name text NOT NULL, key text NOT NULL UNIQUE,
    dsn bytea NOT NULL, standby bytea, descr text NOT NULL DEFAULT '', scheduled_jobs_deny boolean NOT NULL DEFAULT false,
    sessions_deny boolean NOT NULL DEFAULT false, denied_from timestamp(0), denied_to timestamp(0),
    denied_message text NOT NULL DEFAULT '', denied_parameter text NOT NULL DEFAULT '', permission_code text NOT NULL DEFAULT '',
    epoch bigint NOT NULL DEFAULT 1, exclusive_by text NOT NULL DEFAULT '', exclusive_until timestamp,
    created timestamp(0) NOT NULL DEFAULT now())""",
    "CREATE SEQUENCE IF NOT EXISTS cluster.session_number",
    """CREATE TABLE IF NOT EXISTS cluster.sessions (id uuid PRIMARY KEY, number bigint NOT NULL UNIQUE, token_hash bytea NOT NULL UNIQUE,
    infobase uuid NOT NULL REFERENCES cluster.infobases ON DELETE CASCADE, user_name text NOT NULL, user_id uuid, stamp text NOT NULL,
    application text NOT NULL, host text NOT NULL, address text NOT NULL, started timestamp NOT NULL DEFAULT now(),
    last_active timestamp NOT NULL DEFAULT now(), call text NOT NULL DEFAULT '', call_started timestamp,
    worker text NOT NULL DEFAULT '', backend int NOT NULL DEFAULT 0, interrupt text NOT NULL DEFAULT '',
    permitted boolean NOT NULL DEFAULT false, written text NOT NULL DEFAULT '')""",
    "CREATE TABLE IF NOT EXISTS cluster.ended (token_hash bytea PRIMARY KEY, reason text NOT NULL, at timestamp NOT NULL DEFAULT now())",
    "CREATE TABLE IF NOT EXISTS cluster.login_failures (key text NOT NULL, at timestamp NOT NULL DEFAULT now())",
    "CREATE INDEX IF NOT EXISTS login_failures_key ON cluster.login_failures (key, at)",
    """CREATE TABLE IF NOT EXISTS cluster.object_locks (infobase uuid NOT NULL REFERENCES cluster.infobases ON DELETE CASCADE,
    ref text NOT NULL, session uuid NOT NULL REFERENCES cluster.sessions ON DELETE CASCADE, taken timestamp NOT NULL DEFAULT now(),
    renewed timestamp NOT NULL DEFAULT now(), PRIMARY KEY (infobase, ref))""",
)
FORMAT = 1


class ClusterDatabase:
    """Connections to the cluster's database, and short ways to ask it."""

    def __init__(self, place: ServerPlace, vault: Vault, *, size: int = 4, prepare: bool = True) -> None:
        self.place, self.vault = place, vault
        self.pool = Pool(
            place, size, application="infobase-cluster", options=_OPTIONS if prepare else "", prepare=prepare
        )

    @contextmanager
    def connection(self, timeout: float = 20.0) -> Iterator[Connection]:
        """A connection of the pool; psycopg's errors come out as the product's."""
        with self.pool.connection(timeout) as conn:
            try:
                yield conn
            except psycopg.Error as problem:
                raise translate(problem, "cluster") or problem from problem

    def rows(self, statement: str, params: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self.connection() as conn:
            return conn.batches.run([Statement(statement, params)])[0]

    def row(self, statement: str, params: Sequence[object] = ()) -> tuple[Any, ...] | None:
        found = self.rows(statement, params)
        return found[0] if found else None

    def run(self, statement: str, params: Sequence[object] = ()) -> int:
        """The number of rows touched."""
        with self.connection() as conn:
            return conn.execute(statement, params).rowcount

    def close(self) -> None:
        self.pool.clear()


def create_database(place: ServerPlace, name: str) -> None:
    """Make the cluster's database and its tables; what is there already stays. EngineUnavailable."""
    try:
        conn = connect(place, application="infobase-cluster")
    except InfobaseNotFound:
        with connect(place.at(MAINTENANCE_DATABASE), application="infobase-cluster") as maintenance:
            try:
                maintenance.execute(
                    sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(
                        sql.Identifier(place.database)
                    )
                )
            except psycopg.errors.DuplicateDatabase:
                pass  # another host was quicker: the tables are made below, under a lock
            except psycopg.Error as problem:
                raise translate(problem, place) or problem from problem
        conn = connect(place, application="infobase-cluster")
    with conn, conn.transaction():
        conn.execute("SELECT pg_advisory_xact_lock(%s)", [0x4942_434C])
        for statement in _SCHEMA:
            conn.execute(statement)
        conn.execute(
            "INSERT INTO cluster.cluster SELECT %s, %s, %s WHERE NOT EXISTS (SELECT 1 FROM cluster.cluster)",
            [uuid.uuid4(), name, FORMAT],
        )
