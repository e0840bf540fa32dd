"""An infobase as a whole: create, open, restore, replicate, update its configuration, tell about it.

Everything that makes a base works on a staged store and ends with one switch (`StorageEngine.publish`), so a killed process leaves
either no new base or a whole one.
"""

from __future__ import annotations

import datetime as dt
import socket
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infobase import appointing, digest, dump, replicate, restore, users
from infobase.check import check_infobase
from infobase.dump_format import DumpSummary
from infobase.errors import (
    ContentDiffers,
    DiskFull,
    DoneUnfinished,
    InfobaseDamaged,
    InfobaseError,
    InfobaseExists,
    InfobaseNotFound,
    InfobaseVersionUnsupported,
    StorageFailure,
    brief,
)
from infobase.i18n import text
from infobase.kernel import Kernel
from infobase.metadata import canonical
from infobase.metadata.model import Configuration, Naming, Role
from infobase.predefined import write_predefined
from infobase.rights import Access, administrator_roles
from infobase.schema import ddl
from infobase.scratch import temporary_folder
from infobase.served import door_of, served
from infobase.session import Session
from infobase.storage import (
    SERVICE_APPLICATION,
    Finding,
    SessionInfo,
    Statement,
    StorageEngine,
    Transaction,
)

MAIN_ROW = 0
"""The row of `sys_configuration` with the configuration the tables are built from."""
STORE_FORMAT = 1
"""Format of the system tables; a base of a newer one is refused."""
TEMPLATE_FOLDER = "template_folder"
"""What a base remembers of itself: the folder of the template it was created from; classifier files lie there."""
Progress = Callable[[str, int, int], None]
EMPTY = Configuration(
    Naming("EmptyConfiguration", "ПустаяКонфигурация"),
    "1.0.0",
    objects={"Role.FullRights": Role(Naming("FullRights", "ПолныеПрава"), all_rights=True)},
)
"""What a base is made of without a template: nothing but the administrator's role."""


@dataclass(frozen=True)
class Infobase:
    """An opened base. `demo`: filled for study, not for work."""

    kernel: Kernel
    id: uuid.UUID
    name: str
    created: str
    demo: bool = False


@dataclass(frozen=True)
class InfobaseInfo:
    """What `infobase info` tells. `rows` per dumped table; sizes in bytes."""

    mode: str
    place: str
    id: uuid.UUID
    name: str
    configuration: str
    configuration_version: str
    configuration_digest: str
    size_bytes: int
    rows: dict[str, int]
    content_digest: str
    created: str
    demo: bool
    details: dict[str, str]


# --- creating ---


def create(
    engine: StorageEngine,
    configuration: Configuration,
    *,
    name: str,
    admin: str = "",
    password: str = "",
) -> Infobase:
    """A new base with the configuration, its predefined items and an administrator (unless `admin` is ""). InfobaseExists."""
    door = door_of(engine)
    if door is not None:
        return door.create(configuration, name=name, admin=admin, password=password)
    demand_free(engine)
    with staged(engine, replace=False) as store:
        kernel = lay_out(store, configuration)
        with store.transaction(write=True) as tx:
            write_identity(kernel, tx, name)
            if admin:
                users.add_user(kernel, tx, admin, password, administrator_roles(configuration), allow_empty=True)
    return opened_or_removed(engine)


def lay_out(store: StorageEngine, configuration: Configuration) -> Kernel:
    """Make the tables of a configuration and its predefined items in an empty staged store; the caller gives the base its identity."""
    kernel = Kernel(configuration, store)
    with store.transaction(write=True) as tx:
        tx.run(ddl.create_statements(kernel.layout.tables, kernel.dialect))
        tx.run([configuration_row(kernel, configuration, MAIN_ROW)])
        tx.run([_constants_row(kernel)])
    write_predefined(system_session(kernel))
    return kernel


def demand_free(engine: StorageEngine) -> None:
    if engine.exists():
        raise InfobaseExists(place=engine.place)


@contextmanager
def staged(engine: StorageEngine, *, replace: bool) -> Iterator[StorageEngine]:
    """A private store for the block to fill; published when it ends well, removed when it does not."""
    store = engine.create()
    try:
        yield store
        engine.publish(store, replace=replace)
    except BaseException:
        store.drop()
        raise
    finally:
        store.close()


def opened_or_removed(engine: StorageEngine) -> Infobase:
    """Open a base that has just been made where none was; gone again where the disk does not let it be opened, for its maker is told that nothing has changed.
    StorageFailure says that it stands where it cannot even be removed."""
    try:
        return open_base(engine)
    except (DiskFull, StorageFailure, OSError) as problem:
        try:
            engine.drop()
        except (InfobaseError, OSError) as stays:
            ru = f"база создана, но не открылась ({brief(problem)}) и не удалилась ({brief(stays)}): она осталась на месте"
            en = f"the base was made, but could neither be opened ({brief(problem)}) nor removed ({brief(stays)}): it stands there"
            raise StorageFailure(place=engine.place, detail=text(ru=ru, en=en)) from problem
        raise


def system_session(kernel: Kernel, user: str = "") -> Session:
    """A session of the platform itself with all rights; it is not registered with the engine. `user`: on whose behalf, for the event log."""
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)
    info = SessionInfo(uuid.uuid4(), 0, user, SERVICE_APPLICATION, socket.gethostname() if user else "", 0, now)
    return Session(kernel, Access.full(kernel.configuration), info)


def _constants_row(kernel: Kernel) -> Statement:
    return Statement("INSERT INTO constants (row_key) VALUES (0)")


def configuration_row(kernel: Kernel, configuration: Configuration, row_key: int) -> Statement:
    """Keep a configuration in the base, in place of the one in that row."""
    content = canonical.to_json(configuration)
    row = [row_key, content, canonical.digest(configuration), configuration.version]
    sql = (
        f"INSERT INTO sys_configuration (row_key, content, digest, version) VALUES {kernel.dialect.values(4)} "
        "ON CONFLICT (row_key) DO UPDATE SET content = excluded.content, digest = excluded.digest, version = excluded.version"
    )
    return Statement(sql, row)


def write_identity(
    kernel: Kernel,
    tx: Transaction,
    name: str,
    *,
    demo: bool = False,
    own_id: uuid.UUID | None = None,
    template: str = "",
) -> uuid.UUID:
    """Give a base a name and an id of its own (`own_id`: the one it had, for a base that comes back from a backup).
    `template`: the key of the golden base it is or was cloned from. The id."""
    made = own_id or uuid.uuid4()
    values = {
        "id": str(made),
        "name": name,
        "created": f"{dt.datetime.now():%Y-%m-%dT%H:%M:%S}",
        "format": str(STORE_FORMAT),
        "demo": "1" if demo else "",
        "template": template,
    }
    write_identity_values(kernel, tx, values)
    return made


def write_identity_value(kernel: Kernel, tx: Transaction, key: str, value: str) -> None:
    """One more word a base keeps of itself."""
    write_identity_values(kernel, tx, {key: value})


def write_identity_values(kernel: Kernel, tx: Transaction, values: Mapping[str, str]) -> None:
    """Several at one stroke."""
    sql = (
        f"INSERT INTO sys_infobase (key, value) VALUES {kernel.dialect.values(2, len(values))} "
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    )
    tx.run([Statement(sql, [word for pair in values.items() for word in pair])])


def identity_of(tx: Transaction) -> dict[str, str]:
    """What a base keeps of itself: id, name, created, format, demo, template ..."""
    return {str(k): str(v) for k, v in tx.run([_IDENTITY])[0]}


@served("Administration")
def template_folder(session: Session) -> str:
    """The folder of the template the base was created from, a path on the machine that made it; "" when there was none."""
    with session.reading() as tx:
        return identity_of(tx).get(TEMPLATE_FOLDER, "")


def configuration_of(tx: Transaction) -> Configuration:
    """The configuration stored in a base."""
    return canonical.from_json(bytes(tx.run([_STORED])[0][0][0]))  # type: ignore[call-overload]


_IDENTITY = Statement("SELECT key, value FROM sys_infobase")
_STORED = Statement("SELECT content, digest FROM sys_configuration WHERE row_key = 0")


# --- opening ---


def open_base(engine: StorageEngine) -> Infobase:
    """Read the base's identity and configuration. InfobaseNotFound, InfobaseDamaged, InfobaseVersionUnsupported."""
    if not engine.exists():
        raise InfobaseNotFound(place=engine.place)
    with engine.transaction(write=False) as tx:
        identity, stored = tx.run([_IDENTITY, _STORED])
    values = {str(k): str(v) for k, v in identity}
    if int(values.get("format", "0") or 0) > STORE_FORMAT:
        raise InfobaseVersionUnsupported(place=engine.place, found=values["format"], supported=STORE_FORMAT)
    if not stored or "id" not in values:
        detail = text(ru="нет конфигурации", en="no configuration inside")
        raise InfobaseDamaged(place=engine.place, detail=detail)
    configuration = canonical.from_json(bytes(stored[0][0]))  # type: ignore[call-overload]
    kernel = Kernel(configuration, engine)
    return Infobase(kernel, uuid.UUID(values["id"]), values["name"], values["created"], bool(values.get("demo")))


@served("Administration")
def describe(base: Infobase, progress: Progress | None = None) -> InfobaseInfo:
    """Everything `info` shows, the content digest included (reads the whole base)."""
    kernel = base.kernel
    content = digest.base_digest(kernel, progress)
    stats = kernel.engine.size()
    return InfobaseInfo(
        mode=kernel.engine.traits.mode,
        place=kernel.engine.place,
        id=base.id,
        name=base.name,
        configuration=kernel.configuration.name,
        configuration_version=kernel.configuration.version,
        configuration_digest=canonical.digest(kernel.configuration),
        size_bytes=stats.bytes,
        rows={name: rows for name, (rows, _) in content.tables.items()},
        content_digest=content.content_digest,
        created=base.created,
        demo=base.demo,
        details=stats.details,
    )


@served("Administration")
def check(base: Infobase, progress: Progress | None = None) -> list[Finding]:
    """The store's own integrity and the base's logic; changes nothing."""
    return check_infobase(base.kernel, progress)


# --- moving ---


def dump_base(
    base: Infobase,
    target: Path,
    *,
    password: str | None = None,
    replace: bool = False,
    only_configuration: bool = False,
    progress: Progress | None = None,
) -> DumpSummary:
    """Write a `.dt` of one snapshot of the base. A remote base's dump is made by its server, for both administrators together."""
    door = door_of(base.kernel.engine)
    if door is not None:
        return door.dump(
            target, password=password, replace=replace, only_configuration=only_configuration, progress=progress
        )
    return dump.write_dump(
        base.kernel,
        target,
        infobase_id=str(base.id),
        infobase_name=base.name,
        demo=base.demo,
        password=password,
        replace=replace,
        only_configuration=only_configuration,
        progress=progress,
    )


def dump_logged(
    session: Session,
    base: Infobase,
    target: Path,
    *,
    password: str | None = None,
    replace: bool = False,
    only_configuration: bool = False,
    progress: Progress | None = None,
) -> DumpSummary:
    """`dump_base` for an administrator, with its entries in the event log. AccessDenied. A remote base is dumped by its server."""
    session.access.demand_configuration("Administration")
    given = {"password": password, "replace": replace, "only_configuration": only_configuration, "progress": progress}
    if door_of(base.kernel.engine) is not None:
        return dump_base(base, target, **given)  # type: ignore[arg-type]
    log = base.kernel.engine.event_log()
    log.append([session.log_entry("_$InfoBase$_.DumpStart", comment=str(target))])
    try:
        made = dump_base(base, target, **given)  # type: ignore[arg-type]
    except BaseException as e:
        comment = f"{target}: {type(e).__name__}"
        log.append([session.log_entry("_$InfoBase$_.DumpError", severity="Error", comment=comment)])
        raise
    log.append([session.log_entry("_$InfoBase$_.DumpFinish", comment=str(target))])
    return made


def restore_base(
    engine: StorageEngine,
    source: Path,
    *,
    name: str = "",
    password: str | None = None,
    replace: bool = False,
    own_id: uuid.UUID | None = None,
    administrator: appointing.Administrator | None = None,
    progress: Progress | None = None,
) -> Infobase:
    """Make a base from a `.dt`; with `replace` in place of the one there, which stays whole until the switch. `own_id`: the id it had, for a
    base that comes back; over another base a server does not give it. `administrator`: who shall administer it."""
    door = door_of(engine)
    if door is not None:
        return door.restore(
            source,
            name=name,
            password=password,
            replace=replace,
            own_id=own_id,
            administrator=administrator,
            progress=progress,
        )
    if not replace:
        demand_free(engine)
    with staged(engine, replace=replace) as store:
        kernel, manifest = restore.load_with_manifest(source, store, password=password, progress=progress)
        with store.transaction(write=True) as tx:
            write_identity(kernel, tx, name or source.stem, demo=manifest.demo, own_id=own_id)
            if administrator is not None:
                appointing.appoint(kernel, tx, administrator)
    if not replace:
        return opened_or_removed(engine)
    with DoneUnfinished.after(engine.place):
        return open_base(engine)


def _replicate_by_dump(
    source: Infobase, engine: StorageEngine, *, replace: bool, progress: Progress | None
) -> replicate.Comparison:
    """Where one side is behind an application server: a dump travels, and the digests of both ends are compared. The server compares its
    own when it restores."""
    door = door_of(source.kernel.engine)
    with temporary_folder("replicate") as folder:
        place = folder / "base.dt"
        given = {"password": None, "replace": False, "only_configuration": False, "progress": progress}
        made = door.dump(place, **given) if door else dump_base(source, place, progress=progress)  # type: ignore[arg-type]
        base = restore_base(engine, place, name=source.name, replace=replace, progress=progress)
    here = door_of(engine) is None
    arrived = digest.base_digest(base.kernel, progress).content_digest if here else made.content_digest
    comparison = replicate.Comparison(made.content_digest, arrived, (), ())
    if not comparison.equal:
        raise ContentDiffers(detail=comparison.explain())
    return comparison


def replicate_base(
    source: Infobase,
    engine: StorageEngine,
    *,
    replace: bool = False,
    progress: Progress | None = None,
) -> replicate.Comparison:
    """Move content from any mode to any mode, and prove it equal before the switch. ContentDiffers leaves no new base."""
    if door_of(source.kernel.engine) is not None or door_of(engine) is not None:
        return _replicate_by_dump(source, engine, replace=replace, progress=progress)
    if not replace:
        demand_free(engine)
    with staged(engine, replace=replace) as store:
        kernel = replicate.copy_content(source.kernel, store, progress)
        with store.transaction(write=True) as tx:
            write_identity(kernel, tx, source.name, demo=source.demo)
        comparison = replicate.compare(source.kernel, kernel, progress)
        if not comparison.equal:
            raise ContentDiffers(detail=comparison.explain())
    return comparison
