"""A change repeated after a lost answer happens once; a change that met a passing trouble is repeated by the server itself.

The client gives every change a random key. The key is inserted in the change's own transaction, so it is there exactly when the change is. A
repeat finds it and gets the present state of the object (or the stored result of what returns no object). That also settles a COMMIT whose
outcome was lost with the connection to PostgreSQL: the repeat either finds the key, or does the work.
"""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from engine_server.sessions import SCHEMA
from engine_server.wire.values import decode, encode
from infobase.errors import CommitOutcomeUnknown, Deadlock, EngineUnavailable, InfobaseError
from infobase.session import Session
from infobase.storage import Statement

T = TypeVar("T")
KEPT_HOURS = 48
MOST_REPEATS = 8
"""Repeats of one call after deadlocks and serialization failures."""
_PASSING = (Deadlock, CommitOutcomeUnknown, EngineUnavailable)


@contextmanager
def claimed(session: Session, key: uuid.UUID) -> Iterator[None]:
    """The current transaction is the change with this key. The key travels with the first statement; a twin at work is waited for.
    CallRepeated when the change was made before, whatever else is wrong with the repeat."""
    tx: Any = session._tx
    insert = f"INSERT INTO {SCHEMA}.calls (key, user_name, at) VALUES (%s, %s, now() AT TIME ZONE 'UTC')"
    tx.lead(Statement(insert, [key, session.info.user]))
    try:
        yield
    except Exception:
        tx.settle()
        raise


def claim(session: Session, key: uuid.UUID) -> None:
    """The same at once, for a transaction that goes on. CallRepeated."""
    with claimed(session, key):
        session._tx.run([])  # type: ignore[union-attr]


def result(session: Session, key: uuid.UUID) -> object:
    """What was stored with the key by this user."""
    wanted = Statement(f"SELECT result FROM {SCHEMA}.calls WHERE key = %s AND user_name = %s", [key, session.info.user])
    with session.reading() as tx:
        found = tx.run([wanted], last=True)[0]
    return decode(json.loads(str(found[0][0]))) if found else None


def keep(session: Session, key: uuid.UUID, result: object) -> None:
    """Store the result with the key, in the same transaction."""
    tx = session._tx
    assert tx is not None
    tx.run([Statement(f"UPDATE {SCHEMA}.calls SET result = %s WHERE key = %s", [json.dumps(encode(result)), key])])


def repeated(
    work: Callable[[], T], *, seconds: float, settled: bool, noticed: Callable[[InfobaseError], None] | None = None
) -> T:
    """Do the work; again after a passing trouble, at most MOST_REPEATS times for conflicts and `seconds` for a store that is away.
    `settled`: the work is safe to repeat after a COMMIT of unknown outcome (it has a key, or changes nothing)."""
    deadline = time.monotonic() + seconds
    conflicts, pause = 0, 0.01
    while True:
        try:
            return work()
        except _PASSING as trouble:
            conflicts += isinstance(trouble, Deadlock)
            late = time.monotonic() + pause > deadline
            if late or conflicts > MOST_REPEATS or (isinstance(trouble, CommitOutcomeUnknown) and not settled):
                raise
            if noticed is not None:
                noticed(trouble)
        time.sleep(pause * random.uniform(0.5, 1.0))
        pause = min(pause * 2, 0.25)


def forget_old(session: Session) -> int:
    """Remove keys nobody will ask for any more."""
    with session.transaction() as tx:
        sql = f"DELETE FROM {SCHEMA}.calls WHERE at < now() AT TIME ZONE 'UTC' - interval '{KEPT_HOURS} hours' RETURNING 1"
        return len(tx.run([Statement(sql)])[0])
