"""An infobase for one work alone: restoring, updating the configuration, dropping.

The holder's name goes into the registry; every worker refuses other calls and closes the base within a beat of its loop.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from contextlib import contextmanager

from engine_server.application import infobases, logins
from engine_server.application.infobases import InfobaseRecord
from engine_server.application.state import Worker
from engine_server.place import MAINTENANCE_DATABASE
from engine_server.pool import connect
from infobase.errors import InfobaseBusy, InfobaseLockedExclusively

WAIT_SECONDS = 20.0
LONGEST_HOURS = 12
"""After so long a forgotten hold is void: its server process was killed."""


@contextmanager
def alone(worker: Worker, record: InfobaseRecord, holder: str, *, keep: str = "", end: str = "") -> Iterator[None]:
    """`end`: the reason for which other sessions are ended ("" = they are a hindrance: InfobaseBusy). `keep`: prefix of connections that may
    stay. InfobaseLockedExclusively when another has it."""
    _take(worker, record, holder)
    try:
        _clear(worker, record, holder, end)
        _wait(worker, record, keep)
        yield
        infobases.renew(worker.cluster, record.id)
    finally:
        worker.cluster.run(
            "UPDATE cluster.infobases SET exclusive_by = '', exclusive_until = NULL WHERE id = %s", [record.id]
        )


def _take(worker: Worker, record: InfobaseRecord, holder: str) -> None:
    now = logins.utc_now()
    taken = worker.cluster.run(
        "UPDATE cluster.infobases SET exclusive_by = %s, exclusive_until = %s WHERE id = %s AND (exclusive_by = '' OR exclusive_until < %s)",
        [holder, now + dt.timedelta(hours=LONGEST_HOURS), record.id, now],
    )
    if not taken:
        raise InfobaseLockedExclusively(
            place=record.name, holder=infobases.find(worker.cluster, record.name).exclusive_by
        )


def _clear(worker: Worker, record: InfobaseRecord, holder: str, end: str) -> None:
    others = [s for s in logins.everyone(worker.cluster, record.id) if str(s) != holder]
    if others and not end:
        raise InfobaseBusy(place=record.name, holder="; ".join(map(str, others[:5])))
    if others:
        logins.end(worker.cluster, [s.id for s in others], end)


def _wait(worker: Worker, record: InfobaseRecord, keep: str) -> None:
    """Until no other connection to the base's database is left."""
    if not keep:
        worker.drop(record.id)
    engine = worker.direct.engine(record)
    place = engine.where()
    engine.close()
    deadline = time.monotonic() + WAIT_SECONDS
    with connect(place.at(MAINTENANCE_DATABASE), application="infobase-cluster", prepare=False) as conn:
        while True:
            rows = conn.execute(
                "SELECT application_name FROM pg_stat_activity WHERE datname = %s AND NOT (%s <> '' AND starts_with(application_name, %s))",
                [place.database, keep, keep],
            ).fetchall()
            if not rows:
                return
            if time.monotonic() > deadline:
                raise InfobaseBusy(place=record.name, holder="; ".join(sorted({str(r[0]) or "-" for r in rows})))
            time.sleep(0.1)
