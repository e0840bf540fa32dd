"""The queue: who holds or waits for what, in PostgreSQL and among the objects being edited."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from engine_server.application import infobases, object_locks
from engine_server.application.infobases import InfobaseRecord
from engine_server.application.state import Worker
from infobase.errors import InfobaseError

_QUEUE = r"""SELECT a.pid, a.application_name, l.locktype, coalesce(c.relname, ''), l.mode, l.granted,
    extract(epoch FROM now() - coalesce(l.waitstart, a.xact_start)), pg_blocking_pids(a.pid)
    FROM pg_locks l JOIN pg_stat_activity a USING (pid) LEFT JOIN pg_class c ON c.oid = l.relation
    WHERE a.datname = current_database() AND starts_with(a.application_name, 'infobase:') AND a.pid <> pg_backend_pid()
    AND (NOT l.granted OR l.locktype = 'advisory' AND l.objsubid = 1 OR l.locktype = 'relation' AND l.mode IN
    ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock') AND c.relkind = 'r')
    ORDER BY l.granted DESC, a.pid, l.locktype, c.relname"""
MODES = {"advisory": "managed", "relation": "table", "transactionid": "row", "tuple": "row"}


def everything(worker: Worker, only: InfobaseRecord | None) -> list[dict[str, Any]]:
    """One row per lock; `granted` False: it waits, `blocked-by` for whom. `duration`: milliseconds it has been held or waited for."""
    found: list[dict[str, Any]] = []
    for record in [only] if only else infobases.everything(worker.cluster):
        for edited in object_locks.everything(worker.cluster, record.id):
            found.append(
                {
                    "infobase": record.name,
                    "session-id": edited.number,
                    "kind": "object",
                    "object": edited.ref,
                    "mode": "exclusive",
                    "granted": True,
                    "duration": round((edited.renewed - edited.taken).total_seconds() * 1000),
                    "blocked-by": [],
                }
            )
        found += _in_store(worker, record)
    return found


def _in_store(worker: Worker, record: InfobaseRecord) -> list[dict[str, Any]]:
    try:
        with worker.bases.use(record) as base, base.engine.apart() as conn:
            rows = conn.execute(_QUEUE).fetchall()
    except InfobaseError:
        return []  # a base that is away has no queue to show; the list of infobases tells of it
    numbers = {row[0]: _number(row[1]) for row in rows}
    return [
        {
            "infobase": record.name,
            "session-id": numbers[pid],
            "kind": MODES.get(kind, kind),
            "object": relation,
            "mode": "shared" if "Share" in mode and "Exclusive" not in mode else "exclusive",
            "granted": granted,
            "duration": round(float(seconds or 0) * 1000),
            "blocked-by": sorted({numbers.get(p, 0) for p in blockers}) if not granted else [],
        }
        for pid, _, kind, relation, mode, granted, seconds, blockers in rows
    ]


def _number(application: str) -> int:
    found = re.search(r"#(\d+)$", application)
    return int(found[1]) if found else 0


def by_session(worker: Worker, only: InfobaseRecord | None) -> dict[int, list[str]]:
    """Session number -> its locks in words."""
    held: dict[int, list[str]] = defaultdict(list)
    for lock in everything(worker, only):
        mark = "" if lock["granted"] else "?"
        held[lock["session-id"]].append(f"{mark}{lock['kind']}:{lock['object']}".rstrip(":"))
    return held
