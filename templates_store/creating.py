"""An infobase from a template's `.cf` or `.dt`: a clone of its golden base with an id, a name and an administrator of its own."""

from __future__ import annotations

import datetime as dt
import logging
import socket
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infobase import appointing, users
from infobase import infobase as bases
from infobase.appointing import Administrator, usual_administrator
from infobase.errors import DiskFull
from infobase.i18n import text
from infobase.infobase import Infobase
from infobase.kernel import Kernel
from infobase.metadata.archive import read_cf
from infobase.served import door_of
from infobase.storage import SERVICE_APPLICATION, LogEntry, StorageEngine, Transaction
from templates_store import golden

Progress = Callable[[str, int, int], None]
LOADED, CONFIGURED = "_$InfoBase$_.RestoreFinish", "_$InfoBase$_.DBConfigUpdate"
"""The standard events of a base that came to be from a dump, and from a configuration."""
_log = logging.getLogger("infobase.templates")


@dataclass(frozen=True)
class NewBase:
    """`admin`: the administrator's name, "" for none, None for the usual one. An empty `password` is refused where the engine demands one,
    unless `allow_empty`. `template`: what the event log will call the source. `cached`: by way of a golden base."""

    name: str
    admin: str | None = None
    password: str = ""
    allow_empty: bool = False
    template: str = ""
    cached: bool = True

    @property
    def administrator(self) -> Administrator:
        return Administrator(self.admin, self.password, self.allow_empty)


@dataclass(frozen=True)
class Created:
    """The base that was made. `configuration`: its name and version. Told without opening it: reading a configuration takes longer than the
    cloning of its base."""

    place: str
    mode: str
    id: uuid.UUID
    name: str
    demo: bool
    configuration: tuple[str, str]

    @classmethod
    def of(cls, base: Infobase) -> Created:
        kernel = base.kernel
        configuration = (kernel.configuration.name, kernel.configuration.version)
        return cls(kernel.engine.place, kernel.engine.traits.mode, base.id, base.name, base.demo, configuration)


def create(engine: StorageEngine, source: Path, wanted: NewBase, progress: Progress | None = None) -> Created:
    """Make the base; published whole or not at all. InfobaseExists, PasswordRequired, and what reading the template raises."""
    bases.demand_free(engine)
    if source.suffix.casefold() == ".cf":
        demand_password(engine, wanted)
    if door_of(engine) is not None:
        return _created_afar(engine, source, wanted, progress)
    with _hashed(wanted) as password, _filled(engine, source, wanted, progress) as staged:
        kernel = Kernel(bases.EMPTY, staged)
        with staged.transaction(write=True) as tx:
            identity = bases.identity_of(tx)
            demo = bool(identity.get("demo"))
            own = bases.write_identity(kernel, tx, wanted.name, demo=demo, template=identity.get("template", ""))
            more = {
                bases.TEMPLATE_FOLDER: str(source.absolute().parent),
                golden.PLACEHOLDER_KEY: "",
                golden.CONTENT: "",
            }
            bases.write_identity_values(kernel, tx, more)
            user = _administrator(kernel, tx, identity.get(golden.PLACEHOLDER_KEY, ""), wanted, password)
            tx.log([_entry(source, wanted, user)])
        engine.publish(staged, replace=False)
    configuration, _, version = identity.get(golden.CONTENT, "").rpartition(" ")
    return Created(engine.place, engine.traits.mode, own, wanted.name, demo, (configuration, version))


def _created_afar(engine: StorageEngine, source: Path, wanted: NewBase, progress: Progress | None) -> Created:
    """Through an application server: the configuration or the dump travels, and the server makes the base and its administrator."""
    if source.suffix.casefold() == ".cf":
        admin = usual_administrator() if wanted.admin is None else wanted.admin
        made = bases.create(engine, read_cf(source), name=wanted.name, admin=admin, password=wanted.password)
    else:
        made = bases.restore_base(
            engine, source, name=wanted.name, administrator=wanted.administrator, progress=progress
        )
    return Created.of(made)


def demand_password(engine: StorageEngine, wanted: NewBase) -> None:
    """PasswordRequired where anybody on the network could come in."""
    appointing.demand_password(wanted.administrator, demanded=engine.traits.demands_password)


@contextmanager
def _filled(engine: StorageEngine, source: Path, wanted: NewBase, progress: Progress | None) -> Iterator[StorageEngine]:
    """A staged store with the template's content, for the block to finish and publish; removed when the block fails."""
    folder = golden.usable_folder() if wanted.cached else None
    staged = None if folder is None else _cloned(engine, source, folder, progress)
    if staged is None:
        staged = _unfolded(engine, source, progress)
    try:
        yield staged
    except BaseException:
        staged.drop()
        raise
    finally:
        staged.close()


def _cloned(engine: StorageEngine, source: Path, folder: Path, progress: Progress | None) -> StorageEngine | None:
    try:
        return golden.clone(engine, source, folder, progress)
    except DiskFull as e:
        # There may be no room for two; for the base alone there may be.
        _log.warning("%s", e)
        return None


def _unfolded(engine: StorageEngine, source: Path, progress: Progress | None) -> StorageEngine:
    staged = engine.create()
    try:
        golden.unfold(staged, source, "", progress)
    except BaseException:
        staged.drop()
        staged.close()
        raise
    return staged


@contextmanager
def _hashed(wanted: NewBase) -> Iterator[Future[str]]:
    """The password's hash, worked out while the store is copied: it takes as long on purpose. An empty one has none."""
    if not wanted.password:
        known = Future[str]()
        known.set_result("")
        yield known
        return
    with ThreadPoolExecutor(1, "infobase-password") as pool:
        name = wanted.admin or usual_administrator()
        yield pool.submit(users.hash_password, name, wanted.password, allow_empty=True)


# --- the administrator ---


def _administrator(kernel: Kernel, tx: Transaction, placeholder: str, wanted: NewBase, password: Future[str]) -> str:
    """Give the base its administrator; his name, "" where there is none."""
    if placeholder:
        if wanted.admin == "":
            users.discard(kernel, tx, placeholder)
            return ""
        appointing.demand_password(wanted.administrator, demanded=kernel.engine.traits.demands_password)
        return users.hand_over(kernel, tx, placeholder, wanted.admin or usual_administrator(), password.result()).name
    return appointing.appoint_brought(
        kernel, tx, bases.configuration_of(tx), wanted.administrator, password.result() if wanted.password else ""
    )


def _entry(source: Path, wanted: NewBase, user: str) -> LogEntry:
    named = wanted.template or str(source)
    return LogEntry(
        date=dt.datetime.now().replace(microsecond=0),
        event=LOADED if source.suffix.casefold() == ".dt" else CONFIGURED,
        user=user,
        computer=socket.gethostname(),
        application=SERVICE_APPLICATION,
        comment=text(ru=f"База создана из шаблона: {named}", en=f"The base was made from the template: {named}"),
    )
