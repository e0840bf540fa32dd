"""`Session`: the one façade over an infobase. Every door (Python, command line, server, web client, reports) comes through here.

    with infobase.connect('File="/srv/crm"') as session:
        customer = session.catalogs.Counterparties.find_by_description("Ромашка")
        order = session.documents.SalesOrder.new(Customer=customer)
        order.post()

One session belongs to one user and one thread. Outside `transaction()` each call is a transaction of its own.
"""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import islice
from types import TracebackType
from typing import Self, TypeVar, cast

from infobase import bulk_objects, numbering, operations, query
from infobase.deletion import DeletionReport, delete_marked
from infobase.errors import (
    AccessDenied,
    EngineUnavailable,
    InfobaseError,
    LockTimeout,
    ObjectNotFound,
    OperationForbidden,
    ReadOnlyTransaction,
    SessionTerminated,
)
from infobase.i18n import language, text
from infobase.kernel import Kernel
from infobase.metadata.model import KINDS, Catalog, Document, MetadataObject
from infobase.metadata.refs import predefined_ref
from infobase.metadata.types import EnumValue, Ref, Value
from infobase.object_store import Record, Sections, store_of
from infobase.objects import (
    BusinessObject,
    Managers,
    ObjectManager,
    State,
    freeze,
    make_object,
    object_type,
)
from infobase.query_model import Condition, OrderItem, Query, SelectItem, all_of
from infobase.query_plan import source_of
from infobase.register_managers import (
    AccumulationRegisterManager,
    InformationRegisterManager,
    condition_of,
)
from infobase.rights import Access
from infobase.served import door_of
from infobase.session_block import SessionBlock
from infobase.settings import Classifiers, Constants, Enumerations, Settings
from infobase.storage import LOCK_TIMEOUT, LockKey, LogEntry, Row, SessionInfo, Statement, Transaction
from infobase.user_admin import Users

Manager = TypeVar("Manager")
_log = logging.getLogger("infobase.session")
LOCK_CONFLICT = "_$Transaction$_.Rollback"
"""The event of a transaction that waited for a lock in vain."""
STREAMED_AT_ONCE = 1000


class Session:
    """An open session. Made by `infobase.connect`; closes by `with` or `close()`."""

    def __init__(self, kernel: Kernel, access: Access, info: SessionInfo, user_id: uuid.UUID | None = None) -> None:
        self.kernel, self.access, self.info, self.user_id = kernel, access, info, user_id
        self.lock_timeout = LOCK_TIMEOUT
        access.on_denied = self._log_denied
        self._tx: Transaction | None = None
        self._undo: list[Callable[[], None]] = []
        self.changed_settings: set[str] = set()
        """Settings of the base that the current transaction has changed, which others do not see yet."""
        self._resources = ExitStack()
        self._presentations: dict[Ref, str] = {}
        self._dereferenced: dict[Ref, Record] = {}
        self.catalogs: Managers[ObjectManager] = self._managers("Catalog", self._object_manager)
        self.documents: Managers[ObjectManager] = self._managers("Document", self._object_manager)
        self.information_registers = self._managers(
            "InformationRegister", lambda name: InformationRegisterManager(self, name)
        )
        self.accumulation_registers = self._managers(
            "AccumulationRegister", lambda name: AccumulationRegisterManager(self, name)
        )
        self.enumerations = Enumerations(kernel.configuration)
        self.constants = Constants(self)
        self.settings = Settings(self)
        self.classifiers = Classifiers(self)
        self.users = Users(self)

    # --- life ---

    def keep(self, resources: ExitStack) -> None:
        """What must be released when the session closes."""
        self._resources = resources

    def close(self) -> None:
        self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def now(self) -> dt.datetime:
        """Local business time, to the second."""
        return dt.datetime.now().replace(microsecond=0)

    # --- transactions ---

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """A write transaction; inside another one it is part of it. On failure the objects written in it get their former state back."""
        self._demand_alive()
        if self._tx is not None:
            if not self._tx.writable:
                raise ReadOnlyTransaction()
            yield self._tx
            return
        self._dereferenced.clear()
        try:
            with self.kernel.engine.transaction(write=True, timeout=self.lock_timeout) as tx:
                self._tx = tx
                yield tx
        except BaseException as e:
            self._tx = None
            self._take_back()
            self._explain_loss(e)
            if isinstance(e, LockTimeout):
                self._log_conflict(e)
            raise
        finally:
            self._tx = None
            self._undo.clear()
            self.changed_settings.clear()
            self._presentations.clear()
            self._dereferenced.clear()

    def _take_back(self) -> None:
        """What fails in it must not hide why the transaction failed: a number that cannot be given back stays a gap."""
        for undo in reversed(self._undo):
            try:
                undo()
            except InfobaseError as problem:
                _log.warning("%s", problem)

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """The current transaction, or a read-only snapshot for the block."""
        self._demand_alive()
        if self._tx is not None:
            yield self._tx
            return
        try:
            with self.kernel.engine.transaction(write=False, timeout=self.lock_timeout) as tx:
                self._tx = tx
                yield tx
        except EngineUnavailable as e:
            self._explain_loss(e)
            raise
        finally:
            self._tx = None
            self._presentations.clear()
            self._dereferenced.clear()

    def _demand_alive(self) -> None:
        """SessionTerminated once an administrator has ended this session."""
        message = self.kernel.engine.administration().ended(self.info.id)
        if message is not None:
            raise SessionTerminated(detail=message)

    def _explain_loss(self, e: BaseException) -> None:
        """A connection that broke because the session was ended says so."""
        if not isinstance(e, EngineUnavailable):
            return
        message = self.kernel.engine.administration().ended(self.info.id, sure=True)
        if message is not None:
            raise SessionTerminated(detail=message) from e

    def block(self) -> SessionBlock | None:
        """The block of new sessions that is set: running sessions see it, for their users should finish before it begins."""
        return self.kernel.engine.administration().block()

    def lock(self, keys: Sequence[LockKey], *, shared: bool = False) -> None:
        """Managed locks to the end of the current transaction."""
        if self._tx is None or not self._tx.writable:
            raise ReadOnlyTransaction()
        self.kernel.engine.lock(self._tx, keys, shared=shared, timeout=self.lock_timeout)

    def remember(self, obj: BusinessObject) -> None:
        """Keep the object's state, to give it back if the transaction fails."""
        self._presentations.pop(obj.ref, None)
        self._dereferenced.pop(obj.ref, None)
        state = obj._state.copy()
        self.on_rollback(lambda: object.__setattr__(obj, "_state", state))

    def on_rollback(self, action: Callable[[], None]) -> None:
        """Called if the current transaction is rolled back, last first."""
        self._undo.append(action)

    def log(self, tx: Transaction, event: str, meta: MetadataObject | None, ref: Ref | None, presentation: str) -> None:
        """One event-log entry that shares the transaction's fate."""
        tx.log([self.log_entry(event, meta=meta, ref=ref, presentation=presentation, transaction="Committed")])

    def _log_conflict(self, e: LockTimeout) -> None:
        """Lock conflicts are counted when somebody asks whether the base would do better on a server. A remote session's are noted there."""
        if door_of(self.kernel.engine) is not None:
            return
        entry = self.log_entry(LOCK_CONFLICT, severity="Warning", comment=str(e), transaction="RolledBack")
        self.kernel.engine.event_log().append([entry])

    def _log_denied(self, e: AccessDenied) -> None:
        entry = self.log_entry("_$Access$_.AccessDenied", severity="Error", comment=str(e))
        self.kernel.engine.event_log().append([entry])

    def log_entry(
        self,
        event: str,
        *,
        meta: MetadataObject | None = None,
        ref: Ref | None = None,
        presentation: str = "",
        transaction: str = "None",
        severity: str = "Information",
        comment: str = "",
    ) -> LogEntry:
        return LogEntry(
            date=self.now(),
            event=event,
            severity=severity,
            user=self.info.user,
            user_id=self.user_id,
            computer=self.info.host,
            application=self.info.application,
            session=self.info.number,
            comment=comment,
            metadata=self._metadata_name(meta) if meta else "",
            data=str(ref) if ref else "",
            presentation=presentation,
            transaction=transaction,
        )

    def _metadata_name(self, meta: MetadataObject) -> str:
        if self.kernel.configuration.default_language == "en":
            return meta.full_name
        return f"{KINDS[meta.kind].ru}.{meta.naming.ru}"

    # --- objects ---

    def write(self, obj: BusinessObject) -> None:
        """See `BusinessObject.write`."""
        meta = obj._type.meta
        posted = bool(obj._state.values.get("Posted", False))
        self._demand_write(obj)
        if posted:
            self.access.demand("Posting", meta.full_name)
        event = "_$Data$_.New" if obj.is_new else "_$Data$_.Update"
        with self.transaction() as tx:
            self._operation(obj).save(tx, event="_$Data$_.Post" if posted else event)

    def post(self, obj: BusinessObject) -> None:
        """See `DocumentObject.post`."""
        meta = obj._type.meta
        assert isinstance(meta, Document)
        if meta.posting == "Deny":
            detail = text(ru="документ не проводится", en="the document does not post")
            raise OperationForbidden(object=meta.full_name, detail=detail)
        if obj._state.values["DeletionMark"]:
            detail = text(ru="документ помечен на удаление", en="the document is marked for deletion")
            raise OperationForbidden(object=operations.describe(meta, obj._state.values), detail=detail)
        self._demand_write(obj)
        self.access.demand("Posting", meta.full_name)
        with self.transaction() as tx:
            operation = self._operation(obj)
            operation.values["Posted"] = True
            operation.save(tx, event="_$Data$_.Post")

    def undo_post(self, obj: BusinessObject) -> None:
        """See `DocumentObject.undo_post`."""
        self._demand_write(obj)
        self.access.demand("UndoPosting", obj._type.meta.full_name)
        with self.transaction() as tx:
            operation = self._operation(obj)
            operation.values["Posted"] = False
            operation.save(tx, event="_$Data$_.Unpost")

    def set_deletion_mark(self, obj: BusinessObject, mark: bool) -> None:
        """See `BusinessObject.set_deletion_mark`."""
        self._demand_write(obj)
        self.access.demand("SetDeletionMark", obj._type.meta.full_name)
        if mark and obj._state.values.get("PredefinedDataName"):
            self._refuse_predefined(obj)
        with self.transaction() as tx:
            operation = self._operation(obj)
            operation.values["DeletionMark"] = mark
            if mark and "Posted" in operation.values:
                operation.values["Posted"] = False
            operation.save(tx, event="_$Data$_.Update")

    def delete(self, obj: BusinessObject) -> None:
        """See `BusinessObject.delete`."""
        meta = obj._type.meta
        if obj.is_new:
            raise ObjectNotFound(object=operations.describe(meta, obj._state.values))
        self._demand("Delete", obj, obj._state.stored.values if obj._state.stored else obj._state.values)
        if obj._state.values.get("PredefinedDataName"):
            self._refuse_predefined(obj)
        with self.transaction() as tx:
            operation = self._operation(obj)
            tx.run([operation.store.lock(obj.ref)])
            operations.demand_no_usages(self, tx, obj.ref, operation.title())
            operation.remove(tx)

    def _operation(self, obj: BusinessObject) -> operations.Operation:
        return operations.Operation(self, obj)

    def _demand_write(self, obj: BusinessObject) -> None:
        right = "Insert" if obj.is_new else "Update"
        self._demand(right, obj, obj._state.values)
        if obj._state.stored is not None:
            self._demand(right, obj, obj._state.stored.values)

    def _demand(self, right: str, obj: BusinessObject, values: Mapping[str, Value]) -> None:
        full_name = obj._type.meta.full_name
        self.access.demand(right, full_name)
        if self.access.restriction(right, full_name) is not None:
            with self.reading():
                self.access.demand_row(right, full_name, values, self.dereference)

    def _refuse_predefined(self, obj: BusinessObject) -> None:
        detail = text(ru="предопределённый элемент удалить нельзя", en="a predefined item cannot be deleted")
        raise OperationForbidden(object=operations.describe(obj._type.meta, obj._state.values), detail=detail)

    def load(self, refs: Sequence[Ref]) -> list[BusinessObject]:
        """Objects of one type, in the order of `refs`. ObjectNotFound names the first missing one; AccessDenied."""
        if not refs:
            return []
        full_name = refs[0].type
        if full_name not in self.kernel.layout.objects:
            raise ObjectNotFound(object=refs[0])
        self.access.demand("Read", full_name)
        kind, store = object_type(self.kernel, full_name), store_of(self.kernel, full_name)
        alone, restricted = self._tx is None, self.access.restriction("Read", full_name) is not None
        with self.reading() as tx:
            found = store.parse(tx.run(store.load(refs), last=alone and not restricted))
            if restricted:
                for stored in found.values():
                    self.access.demand_row("Read", full_name, stored.values, self.dereference)
        missing = next((r for r in refs if r not in found), None)
        if missing is not None:
            raise ObjectNotFound(object=missing)
        objects = []
        for ref in refs:
            stored = found[ref]
            copy = freeze(stored.values, stored.sections)
            objects.append(make_object(self, kind, State(dict(copy.values), _mutable(copy.sections), stored)))
        return objects

    def find_refs(
        self,
        full_name: str,
        where: Condition | Mapping[str, object] | None,
        *,
        order_by: Sequence[str] = (),
        limit: int | None = None,
    ) -> list[Ref]:
        order = tuple(OrderItem(o.removeprefix("-"), descending=o.startswith("-")) for o in order_by)
        rows = self.query(
            Query(full_name, select=(SelectItem("Ref"),), where=condition_of(where), order_by=order, limit=limit)
        )
        return [cast(Ref, r["Ref"]) for r in rows]

    def predefined_ref(self, full_name: str, item: str) -> Ref:
        return predefined_ref(full_name, item)

    def bulk_write(self, full_name: str, objects: Iterable[tuple[Mapping[str, object], Mapping[str, object]]]) -> int:
        """Insert NEW catalog items in bulk: values and rows of sections, coerced and checked like single ones, one log entry.

        Codes must be given; `Ref` may be, so that items can refer to one another. Part of the surrounding transaction, if there is one.
        Returns the count."""
        return bulk_objects.write(self, full_name, objects)

    # --- reading ---

    def query(self, wanted: Query) -> list[dict[str, Value]]:
        """Rows of a query, under the user's rights. QueryInvalid, AccessDenied."""
        compiled = query.compile_query(self.kernel, wanted, self._read_restriction)
        return compiled.decode_all(self._read(compiled.statement))

    def query_page(self, wanted: Query) -> tuple[list[dict[str, Value]], tuple[object, ...] | None]:
        """Rows of a query with a limit, and the key behind which the next page begins (`Query.after`); None when there is no next page."""
        compiled = query.compile_query(self.kernel, wanted, self._read_restriction)
        rows = self._read(compiled.statement)
        key = compiled.page_key(rows[-1]) if rows and compiled.has_page_key else None
        return compiled.decode_all(rows), key

    def any_beyond(self, wanted: Query, hidden: Condition) -> bool:
        """Whether the query would find more rows if it were not for the restriction whose opposite `hidden` is. QueryInvalid, AccessDenied."""
        own = source_of(self.kernel, wanted).object
        self.access.demand("Read", own)
        asked = replace(wanted, select=(SelectItem("Count(*)", "n"),), order_by=(), where=all_of(wanted.where, hidden))

        def restriction(full_name: str, *, demand: bool = True) -> Condition | None:
            return None if full_name == own else self._read_restriction(full_name, demand=demand)

        compiled = query.compile_query(self.kernel, asked, restriction)
        return bool(compiled.decode(self._read(compiled.statement)[0])["n"])

    def stream(self, wanted: Query) -> Iterator[dict[str, Value]]:
        """The same rows one by one, for answers that memory should not hold whole."""
        compiled = query.compile_query(self.kernel, wanted, self._read_restriction)
        with self.reading() as tx:
            rows = tx.stream(compiled.statement)
            while part := list(islice(rows, STREAMED_AT_ONCE)):
                yield from compiled.decode_all(part)

    def _read(self, statement: Statement) -> list[Row]:
        """One statement's rows, in the current transaction or in a snapshot of its own."""
        if self._tx is not None:
            return self._tx.run([statement])[0]
        with self.reading() as tx:
            return tx.run([statement], last=True)[0]

    def _read_restriction(self, full_name: str, *, demand: bool = True) -> Condition | None:
        if demand:
            self.access.demand("Read", full_name)
        return self.access.restriction("Read", full_name)

    def dereference(self, ref: Ref, field: str) -> Value:
        """One field of a referred object, as posting rules and record restrictions read it: without the user's rights."""
        return self._values(ref)[object_type(self.kernel, ref.type).fields.resolve(field)]

    def _values(self, ref: Ref) -> Record:
        values = self._dereferenced.get(ref)
        if values is None:
            store = store_of(self.kernel, ref.type)
            with self.reading() as tx:
                found = store.parse([tx.run([store.load([ref])[0]])[0], *([] for _ in store.layout.sections)])
            if ref not in found:
                raise ObjectNotFound(object=ref)
            values = found[ref].values
            if self._tx is not None:
                self._dereferenced[ref] = values
        return values

    def presentation(self, value: Value) -> str:
        """How people see a value: a catalog item by its description, a document by kind, number and date."""
        if isinstance(value, Ref):
            return self._ref_presentation(value)
        if isinstance(value, EnumValue):
            enumeration = self.kernel.configuration.objects[value.type]
            naming = enumeration.value(value.name)  # type: ignore[union-attr]
            return naming.label(language()) if naming else value.name
        if isinstance(value, dt.datetime):
            return f"{value:%d.%m.%Y %H:%M:%S}"
        if isinstance(value, bool):
            return text(ru="Да", en="Yes") if value else text(ru="Нет", en="No")
        return "" if value is None else str(value)

    def _ref_presentation(self, ref: Ref) -> str:
        if ref not in self._presentations:
            try:
                shown = self._shown(ref) if self._may_see(ref) else text(ru="<Недостаточно прав>", en="<No rights>")
            except ObjectNotFound:
                shown = text(ru="<Объект не найден>", en="<Object not found>")
            self._presentations[ref] = shown
        return self._presentations[ref]

    def _shown(self, ref: Ref) -> str:
        meta, values = self.kernel.configuration.objects[ref.type], self._values(ref)
        return operations.describe(meta, values) if isinstance(meta, Document) else str(values["Description"])

    def _may_see(self, ref: Ref) -> bool:
        """Whether the user's rights let him read the object. ObjectNotFound."""
        if self.access.restriction("Read", ref.type) is None:
            return True
        with self.reading():
            return self.access.allows_row("Read", ref.type, self._values(ref), self.dereference)

    # --- settings and service ---

    def number_prefix(self) -> str:
        """The infobase's prefix of codes and numbers."""
        return self.settings.get(numbering.PREFIX)

    @property
    def period_lock(self) -> dt.datetime | None:
        """The date up to which (inclusive) documents are closed for changes («дата запрета изменений»)."""
        value = self.settings.get(operations.PERIOD_LOCK)
        return dt.datetime.fromisoformat(value) if value else None

    def set_period_lock(self, until: dt.datetime | dt.date | None) -> None:
        """Close documents dated up to and including that day; None opens them all. Needs DataAdministration."""
        self.access.demand_configuration("DataAdministration")
        self.settings.set(operations.PERIOD_LOCK, f"{until:%Y-%m-%d}" if until else "")

    def delete_marked(self) -> DeletionReport:
        """Remove every object marked for deletion that nothing else refers to."""
        self.access.demand_configuration("DataAdministration")
        return delete_marked(self)

    # --- managers ---

    def _object_manager(self, full_name: str) -> ObjectManager:
        meta = self.kernel.configuration.objects[full_name]
        assert isinstance(meta, Catalog | Document)
        return ObjectManager(self, meta)

    def _managers(self, kind: str, make: Callable[[str], Manager]) -> Managers[Manager]:
        key = ("managers", kind)
        names = self.kernel.cache.get(key)
        if names is None:
            names = self.kernel.cache[key] = _names_of(self.kernel, kind)
        return Managers(kind, cast("dict[str, str]", names), make)


def _names_of(kernel: Kernel, kind: str) -> dict[str, str]:
    """Both names of every object of a kind -> its full name."""
    names: dict[str, str] = {}
    for o in kernel.configuration.of_kind(kind):
        names[o.naming.name.casefold()] = names[o.naming.ru.casefold()] = o.full_name
    return names


def _mutable(sections: Sections) -> Sections:
    return {name: list(rows) for name, rows in sections.items()}
