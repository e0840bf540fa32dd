"""What each address and method does. Synchronous: one request, one session, one snapshot or one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, cast
from urllib.parse import quote

from engine_server.odata import edmx, keys, virtual
from engine_server.odata.atom_format import AtomWriter
from engine_server.odata.bodies import parse_body
from engine_server.odata.errors import (
    METHOD_FORBIDDEN,
    NO_ENTITY,
    NO_TYPE,
    bad_option,
    no_property,
    not_supported,
    refuse,
)
from engine_server.odata.filtering import compile_filter, compile_order
from engine_server.odata.json_format import JsonWriter
from engine_server.odata.model import (
    COMPOSITE,
    CONSTANT,
    OBJECT,
    REFERENCE,
    STORAGE,
    EntityType,
    Model,
    Property,
    english_name,
    type_name,
)
from engine_server.odata.options import JSON, Options
from engine_server.odata.pages import PageMemory
from engine_server.odata.paths import resolve
from engine_server.odata.publication import published
from engine_server.odata.reading import Reader, Wanted, both
from engine_server.odata.rendering import Entry, EntryMaker, columns_of
from engine_server.odata.requests import Reply, Request
from engine_server.odata.selection import Selection, select
from engine_server.odata.urls import Segment, segments
from engine_server.odata.writing import Writer
from infobase.metadata.types import Ref, Value
from infobase.query_model import Compare, Condition, OrderItem
from infobase.session import Session

READ = ("GET", "HEAD")
XML = "application/xml;charset=utf-8"


def model_of(session: Session) -> Model:
    """The published model, made once per configuration version and composition."""
    names = tuple(published(session))
    key = ("odata model", names)
    found = session.kernel.cache.get(key)
    if found is None:
        found = session.kernel.cache[key] = Model(session.kernel.configuration, names)
    return cast(Model, found)


class Service:
    """Handles requests. `memory` is shared by all of them."""

    def __init__(self, memory: PageMemory) -> None:
        self._memory = memory

    def handle(self, request: Request, session: Session) -> Reply:
        """The reply; a long list is still read, through the session, while it is sent. ODataError and the kernel's errors."""
        if request.method in READ:
            with session.reading():
                return _Call(request, session, model_of(session), self._memory).reply()
        call = _Call(request, session, model_of(session), self._memory)
        try:
            return call.reply()
        finally:
            self._memory.forget(call.written)


@dataclass
class _Call:
    request: Request
    session: Session
    model: Model
    memory: PageMemory

    def __post_init__(self) -> None:
        self.options: Options = self.request.options
        self.written = ""
        """Full name of the object that the request is about; "" is the beginning of any name."""
        self.reader = Reader(self.session, self.model, self.memory)
        self.writer: JsonWriter | AtomWriter = (
            JsonWriter(self.request.root, self.options.format.metadata)
            if self.options.format.kind == JSON
            else AtomWriter(self.request.root)
        )

    # --- where to ---

    def reply(self) -> Reply:
        parts = segments(self.request.path)
        if not parts:
            return self._service_document()
        if parts[0].name == "$metadata":
            self._demand_method(*READ)
            return Reply(body=edmx.metadata_document(self.model), content_type=XML)
        if parts[0].name.startswith("$"):
            raise not_supported(parts[0].name, parts[0].name)
        entity = self._entity_set(parts[0].name)
        self.written = entity.object
        if parts[0].inside is None or not parts[0].inside.strip():
            return self._set(entity, parts[1:])
        return self._entity(entity, parts[0].inside, parts[1:])

    def _service_document(self) -> Reply:
        self._demand_method(*READ)
        kind = (
            self.options.format.content_type
            if self.options.format.kind == JSON
            else "application/atomsvc+xml;charset=utf-8"
        )
        return Reply(body=self.writer.service(self.model), content_type=kind)

    def _entity_set(self, name: str) -> EntityType:
        found = self.model.entity_set(name)
        if found is not None:
            return found
        wanted = name.casefold()
        for meta in self.model.configuration.objects.values():
            if wanted.startswith((type_name(meta).casefold(), english_name(meta).casefold())):
                raise refuse(
                    404,
                    NO_TYPE,
                    f"Тип сущности «{name[:100]}» не найден: объекта нет в составе OData (infobase odata publish)",
                    f"No entity type {name[:100]!r}: the object is not published (infobase odata publish)",
                )
        raise refuse(404, NO_TYPE, f"Тип сущности «{name[:100]}» не найден", f"No entity type {name[:100]!r}")

    def _demand_method(self, *allowed: str) -> None:
        if self.request.method not in allowed:
            raise refuse(
                405,
                METHOD_FORBIDDEN,
                f"HTTP-метод {self.request.method} запрещён в данном контексте",
                f"The HTTP method {self.request.method} is not allowed here",
            )

    # --- sets ---

    def _set(self, entity: EntityType, rest: Sequence[Segment]) -> Reply:
        if not rest:
            if self.request.method == "POST":
                return self._create(entity)
            self._demand_method(*READ, "POST")
            return self._list(entity, entity.source, self._filter(entity), None)
        self._demand_method(*READ)
        if len(rest) == 1 and rest[0].name == "$count":
            if entity.variety == CONSTANT:
                self.session.access.demand("Read", entity.object)
                return _plain("1")
            return _plain(str(self.reader.count(entity.source, self._filter(entity), entity)))
        function = virtual.call(self.model, entity, rest[0].name, rest[0].inside, self.options.rest or {})
        where = self._filter(function.entity)
        if len(rest) == 2 and rest[1].name == "$count":
            return _plain(str(self.reader.count(function.source, where, function.entity, function.parameters)))
        if len(rest) > 1:
            raise no_property(entity.name, rest[1].name)
        return self._list(function.entity, function.source, where, function.parameters)

    def _filter(self, entity: EntityType) -> Condition | None:
        rows = entity.collections[0].rows if entity.variety == "record set" else entity
        return compile_filter(self.model, rows, self.options.filter) if self.options.filter else None

    def _list(self, entity: EntityType, source: str, where: Condition | None, parameters: Any) -> Reply:
        if entity.variety == CONSTANT:
            return self._sent(entity.name, iter([[self._constant(entity)]]), None)
        options = self.options
        wanted = Wanted(
            self._shown(entity),
            source,
            where,
            self._order(entity),
            options.top,
            options.skip,
            parameters,
            options.allowed_only,
        )
        count = self.reader.count(source, where, entity, parameters) if options.count else None
        return self._sent(entity.name, self.reader.batches(wanted), count)

    def _sent(self, name: str, batches: Iterator[list[Entry]], count: int | None) -> Reply:
        """Whole when it is short; else the first batches are made here, so that errors come as errors, and the rest as it is sent."""
        first = list(next(batches, []))
        second = next(batches, None)
        if second is None:
            body: bytes | Iterator[bytes] = b"".join(self.writer.many(name, [first], count))
        else:
            body = self.writer.many(name, chain([first, second], batches), count)
        kind = self.options.format.content_type
        return Reply(body=body, content_type=kind if self.options.format.kind == JSON else _atom("feed"))

    def _order(self, entity: EntityType) -> tuple[OrderItem, ...]:
        made = []
        for name, descending in self.options.orderby:
            rows = entity.collections[0].rows if entity.variety == "record set" else entity
            if "(" in name:
                made.append(OrderItem(compile_order(self.model, rows, name), descending))
                continue
            found = resolve(self.model, rows, name.split("/"))
            if found.property.kind == STORAGE:
                raise bad_option(f"$orderby: {name} - хранилище значения", f"$orderby: {name} is a value storage")
            made.append(OrderItem(found.field, descending))
        return tuple(made)

    def _create(self, entity: EntityType) -> Reply:
        body = parse_body(self.request.body, self.request.header("content-type"))
        key = self._writer().create(entity, body)
        entry = self.reader.one(self._shown(entity), _condition(key))
        address = self.request.root + quote(entry.url, safe="()',=")
        return self._one(entry, 201, {"Location": address})

    def _shown(self, entity: EntityType) -> Selection:
        """What $select and $expand ask to see of an entity, after a write too."""
        return select(self.model, entity, self.options.select, self.options.expand)

    def _writer(self) -> Writer:
        load_mode = self.request.header("1c_odata-dataloadmode").lower() == "true"
        return Writer(self.session, self.model, if_match=self.request.header("if-match"), load_mode=load_mode)

    def _one(self, entry: Entry, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
        kind = self.options.format.content_type
        kind = kind if self.options.format.kind == JSON else _atom("entry")
        return Reply(status, self.writer.one(entry), kind, headers or {})

    # --- entities ---

    def _entity(self, entity: EntityType, inside: str, rest: Sequence[Segment]) -> Reply:
        key = keys.key_of(self.model, entity, inside)
        if not rest:
            return self._whole_entity(entity, key)
        if rest[0].name in ("Post", "Unpost") and entity.variety == OBJECT and len(rest) == 1:
            return self._act(entity, key, rest[0])
        self._demand_method(*READ)
        if entity.variety == CONSTANT:
            return self._constant_path(entity, rest)
        return self._property(entity, _condition(key), rest)

    def _whole_entity(self, entity: EntityType, key: dict[str, Value]) -> Reply:
        match self.request.method:
            case "GET" | "HEAD":
                if entity.variety == CONSTANT:
                    return self._one(self._constant(entity))
                return self._one(self.reader.one(self._shown(entity), _condition(key)))
            case "PATCH" | "MERGE" | "PUT":
                body = parse_body(self.request.body, self.request.header("content-type"))
                changed = self._writer().update(entity, key, body, whole=self.request.method == "PUT")
                if entity.variety == CONSTANT:
                    return self._one(self._constant(entity))
                return self._one(self.reader.one(self._shown(entity), _condition(changed)))
            case "DELETE":
                self._writer().delete(entity, key)
                return Reply(204)
        self._demand_method(*READ, "PATCH", "PUT", "DELETE")
        raise AssertionError

    def _act(self, entity: EntityType, key: dict[str, Value], action: Segment) -> Reply:
        self._demand_method("POST")
        self._writer().act(entity, key, action.name)
        return Reply(200, content_type=self.options.format.content_type)

    # --- properties ---

    def _property(self, entity: EntityType, where: Condition, rest: Sequence[Segment]) -> Reply:
        name, tail = rest[0].name, rest[1:]
        collection = entity.collection(name)
        if collection is not None and entity.find(name) is None:
            return self._rows(entity, where, name, tail)
        p, suffix = entity.demand(name)
        value = self.reader.value(entity.source, p.field, where)
        if p.kind in (REFERENCE, COMPOSITE) and not suffix and isinstance(value, Ref | None) and not _is_value(tail):
            return self._related(p, value, tail)
        if tail and not _is_value(tail):
            raise no_property(entity.name, tail[0].name)
        if p.kind == STORAGE and not suffix:
            return Reply(body=value, content_type="application/octet-stream")
        return self._value(entity, p, p.key if not suffix else p.name + suffix, value, raw=bool(tail))

    def _related(self, p: Property, value: Ref | None, tail: Sequence[Segment]) -> Reply:
        target = self.model.of_object(value.type) if value is not None else None
        if value is not None and target is None:
            raise refuse(404, NO_TYPE, f"Тип сущности {value.type} не опубликован", f"{value.type} is not published")
        if value is None or target is None:
            raise refuse(404, NO_ENTITY, f"Ссылка {p.name} не заполнена", f"The reference {p.name} is empty")
        where = Compare("Ref", "=", value)
        if tail:
            return self._property(target, where, tail)
        return self._one(self.reader.one(self._shown(target), where))

    def _value(self, entity: EntityType, p: Property, wire: str, value: Value, *, raw: bool) -> Reply:
        columns = columns_of(self.model.configuration, p, frozenset({wire})) or columns_of(self.model.configuration, p)
        _, _, convert = columns[0]
        shown = value if convert is None else convert(value)
        if raw:
            text = ("true" if shown else "false") if isinstance(shown, bool) else str(shown)
            return _plain(text)
        kind = self.options.format.content_type if self.options.format.kind == JSON else XML
        return Reply(body=self.writer.property(entity.name, wire, shown), content_type=kind)

    def _rows(self, entity: EntityType, where: Condition, name: str, tail: Sequence[Segment]) -> Reply:
        collection = entity.collection(name)
        assert collection is not None
        entry = self.reader.one(select(self.model, entity, (entity.keys[0], collection.name), ()), where)
        rows = entry.values[collection.name]
        if len(tail) == 1 and tail[0].name == "$count":
            return _plain(str(len(rows)))
        if tail:
            raise no_property(entity.name, tail[0].name)
        kind = self.options.format.content_type if self.options.format.kind == JSON else XML
        return Reply(body=self.writer.rows(collection.rows.row_type, rows), content_type=kind)

    # --- constants ---

    def _constant(self, entity: EntityType) -> Entry:
        p = entity.properties[0]
        value = self.session.constants.get(entity.object.partition(".")[2])
        maker = EntryMaker(self.model.configuration, self._shown(entity))
        entry = maker.entry({p.field: value})
        entry.values = {"SurrogateKey": 0, **entry.values}
        entry.url = f"{entity.name}(guid'00000000-0000-0000-0000-000000000000')"
        return entry

    def _constant_path(self, entity: EntityType, rest: Sequence[Segment]) -> Reply:
        p, suffix = entity.demand(rest[0].name)
        value = self.session.constants.get(entity.object.partition(".")[2])
        if p.kind == REFERENCE and not suffix and not _is_value(rest[1:]):
            return self._related(p, cast("Ref | None", value), rest[1:])
        return self._value(entity, p, p.key, value, raw=_is_value(rest[1:]))


def _condition(key: dict[str, Value]) -> Condition:
    parts = (Compare(f, "=", int(v) if f == "LineNumber" else v) for f, v in key.items())  # type: ignore[arg-type]
    found = both(*parts)
    assert found is not None
    return found


def _is_value(tail: Sequence[Segment]) -> bool:
    return len(tail) == 1 and tail[0].name == "$value"


def _atom(kind: str) -> str:
    return f"application/atom+xml;type={kind};charset=utf-8"


def _plain(text: str) -> Reply:
    return Reply(body=text.encode(), content_type="text/plain;charset=utf-8")
