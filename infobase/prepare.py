"""Making a base ready to go to the next client: what belongs to this installation goes, what the work of preparing brought stays.

Goes: the event log with the names of its users and computers, jobs and their history, number counters, the number prefix and the closed
period, users' saved settings, the base's id; on demand documents with their movements, and users other than administrators.
Stays: the configuration, predefined items, catalogs, constants, classifiers and the registry of what was loaded, settings of the base.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from infobase import check, users
from infobase import infobase as bases
from infobase.errors import OperationForbidden
from infobase.i18n import Bilingual, text
from infobase.infobase import Infobase
from infobase.jobs import Jobs
from infobase.kernel import Kernel
from infobase.metadata.model import AccumulationRegister, Document
from infobase.operations import PERIOD_LOCK
from infobase.rights import is_administrator
from infobase.served import door_of, served
from infobase.session import Session
from infobase.storage import LogFilter, Statement, Table, Transaction

CLIENT_SETTINGS = ("number_prefix", PERIOD_LOCK)
"""Settings of the base that are one client's."""
PATIENCE = 3.0
"""Seconds to wait for others to leave."""
PERSONAL_SETTINGS = "user:"
"""Keys of settings that belong to one user begin so."""


@dataclass(frozen=True)
class Wanted:
    """`name`: a new name for the base, "" keeps it. `documents`, `users`: they go too. `for_work`: so does the mark of a demonstration base;
    what it was filled with for study does not go by itself."""

    name: str = ""
    documents: bool = False
    users: bool = False
    for_work: bool = False


@dataclass(frozen=True)
class Stripped:
    """One thing that goes, and how much of it there is. `code` is stable, for machines."""

    code: str
    what: Bilingual
    count: int


@served("Administration")
def plan(session: Session, wanted: Wanted) -> list[Stripped]:
    """What `prepare` would strip; nothing is changed."""
    kernel = session.kernel
    with session.reading() as tx:
        found = [
            Stripped("numbers", Bilingual("счётчики номеров", "number counters"), _count(kernel, tx, "sys_numbers")),
            Stripped(
                "settings",
                Bilingual("настройки клиента и пользователей", "settings of client and users"),
                len(_settings(tx)),
            ),
            Stripped("jobs", Bilingual("регламентные задания", "scheduled jobs"), len(Jobs(kernel).all(tx))),
        ]
        if wanted.documents:
            for place, tables in _document_tables(kernel):
                count = _count(kernel, tx, tables[0].name)
                found.append(Stripped("documents", Bilingual(place, place), count))
        if wanted.users:
            found.append(Stripped("users", Bilingual("пользователи", "users"), len(_leaving(kernel, tx))))
    entries = sum(1 for _ in kernel.engine.event_log().read(LogFilter()))
    found.append(Stripped("log", Bilingual("записи журнала регистрации", "entries of the event log"), entries))
    return found


def prepare(base: Infobase, session: Session, wanted: Wanted, *, patience: float = PATIENCE) -> list[Stripped]:
    """Strip in one transaction, alone in the base; then empty the log and give back the space, so that nothing stays readable in the files.

    InfobaseBusy names who else is in the base, after `patience` seconds. OperationForbidden when something that stays refers to a document that goes.
    """
    engine = base.kernel.engine
    door = door_of(engine)
    if door is not None:
        return cast("list[Stripped]", door.whole("prepare", {"wanted": wanted}))
    with engine.exclusive(patience):
        stripped = plan(session, wanted)
        with session.transaction() as tx:
            _strip(base, session, tx, wanted)
        engine.event_log().clear()
        engine.compact()
        comment = ", ".join(f"{s.code}: {s.count}" for s in stripped if s.count)
        engine.event_log().append([session.log_entry("_$InfoBase$_.Prepared", comment=comment)])
    return stripped


def _strip(base: Infobase, session: Session, tx: Transaction, wanted: Wanted) -> None:
    kernel = base.kernel
    mark = kernel.dialect.placeholder
    tx.run([Statement("DELETE FROM sys_numbers")])
    tx.run([Statement(f"DELETE FROM sys_settings WHERE key = {mark}", [key]) for key in _settings(tx)])
    Jobs(kernel).clear(tx)
    if wanted.users:
        for name in _leaving(kernel, tx):
            users.remove_user(kernel, tx, name)
    if wanted.documents:
        for _, tables in _document_tables(kernel):
            tx.run([Statement(f"DELETE FROM {kernel.dialect.quote(t.name)}") for t in tables])
        _demand_whole(kernel, tx)
    bases.write_identity(kernel, tx, wanted.name or base.name, demo=base.demo and not wanted.for_work)


def _count(kernel: Kernel, tx: Transaction, table: str) -> int:
    return int(str(tx.run([Statement(f"SELECT count(*) FROM {kernel.dialect.quote(table)}")])[0][0][0]))


def _settings(tx: Transaction) -> list[str]:
    keys = [str(row[0]) for row in tx.run([Statement("SELECT key FROM sys_settings ORDER BY key")])[0]]
    return [k for k in keys if k in CLIENT_SETTINGS or k.startswith(PERSONAL_SETTINGS)]


def _leaving(kernel: Kernel, tx: Transaction) -> list[str]:
    """Users who do not administer the base."""
    known = users.list_users(kernel, tx)
    return [u.name for u in known if not is_administrator(kernel.configuration, u.roles)]


def _document_tables(kernel: Kernel) -> Iterator[tuple[str, Sequence[Table]]]:
    """Per document, and per register that documents write: the table of its rows first, then what follows from it."""
    for name, o in kernel.layout.objects.items():
        if isinstance(kernel.configuration.objects[name], Document):
            yield name, [o.table, *(s.table for s in o.sections.values())]
    for name, r in kernel.layout.registers.items():
        meta = kernel.configuration.objects[name]
        if isinstance(meta, AccumulationRegister) or any(f.name == "Recorder" for f in r.fields):
            yield name, [r.table, *(t for t in (r.balance, r.turnovers) if t is not None)]


def _demand_whole(kernel: Kernel, tx: Transaction) -> None:
    broken = [f for f in check.check_base(kernel, tx) if f.code == "reference_broken"]
    if broken:
        listed = "; ".join(f.place for f in broken[:5])
        ru = f"на документы ссылаются данные, которые остаются: {listed}. Ничего не изменено."
        en = f"data that stays refers to documents: {listed}. Nothing was changed."
        raise OperationForbidden(object=kernel.configuration.name, detail=text(ru=ru, en=en))
