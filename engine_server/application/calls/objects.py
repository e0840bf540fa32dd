"""Calls that read and change objects."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from itertools import islice
from typing import Any

from engine_server.application import object_locks
from engine_server.application.calls.registry import Args, Context, call, known_type
from engine_server.wire import objects, values
from engine_server.wire.protocol import BATCH
from infobase.bulk_objects import BulkLoad
from infobase.errors import (
    ObjectNotFound,
    OperationForbidden,
    RequestInvalid,
    VersionConflict,
)
from infobase.i18n import text
from infobase.metadata.model import Document
from infobase.metadata.types import Ref
from infobase.objects import BusinessObject, State, make_object, object_type
from infobase.operations import describe
from infobase.session import Session
from infobase.storage import all_or_nothing


def received(session: Session, data: Args) -> BusinessObject:
    """The object a client sent: the stored one with the client's fields on top. VersionConflict when it is another version now."""
    ref = objects.ref_from_json(data["ref"])
    kind = object_type(session.kernel, known_type(session, ref.type))
    given, sections = objects.state_from_json(data, tuple(kind.sections))
    if data.get("version") is None:
        blank = kind.fields.empty()
        blank["Ref"] = ref
        if "IsFolder" in blank:
            blank["IsFolder"] = bool(data.get("folder", False))
        obj = make_object(session, kind, State(blank, {name: [] for name in kind.sections}, None))
    else:
        obj = _stored(session, ref, data["version"], given)
    for name, value in given.items():
        obj[name] = value
    for name, rows in sections.items():
        obj.section(name).load(rows)
        _number(obj, name)
    return obj


def _number(obj: BusinessObject, section: str) -> None:
    """Lines are numbered before they are compared with the stored ones."""
    for n, row in enumerate(obj._state.sections[section], 1):
        row["LineNumber"] = Decimal(n)


def _stored(session: Session, ref: Ref, version: object, given: Mapping[str, Any]) -> BusinessObject:
    meta = object_type(session.kernel, ref.type).meta
    try:
        obj = session.load([ref])[0]
    except ObjectNotFound:
        raise VersionConflict(object=describe(meta, given)) from None
    if obj._state.values["DataVersion"] != version:
        raise VersionConflict(object=describe(meta, given))
    return obj


def _state(obj: BusinessObject) -> dict[str, object]:
    return objects.state_to_json(obj._state.values, obj._state.sections)


def _present_state(context: Context, args: Args) -> object:
    """The answer to a repeated change: the object as it is now."""
    return _state(context.session.load([objects.ref_from_json(args["object"]["ref"])])[0])


def _nothing(context: Context, args: Args) -> object:
    return None


@call()
def load(context: Context, args: Args) -> object:
    refs = [objects.ref_from_json(r) for r in args["refs"]]
    if len(refs) > BATCH:
        raise RequestInvalid(detail=text(ru=f"больше {BATCH} ссылок", en=f"more than {BATCH} references"))
    return [_state(obj) for obj in context.session.load(refs)]


def _incoming(context: Context, args: Args) -> BusinessObject:
    """The object to change, which nobody else is editing."""
    data = args["object"]
    if data.get("version") is not None:
        ref = objects.ref_from_json(data["ref"])
        object_locks.demand_free(context.cluster, context.server, ref, context.settings)
    return received(context.session, data)


@call(changes=True, again=_present_state)
def write(context: Context, args: Args) -> object:
    obj = _incoming(context, args)
    obj.write()
    return _state(obj)


@call(changes=True, again=_present_state)
def post(context: Context, args: Args) -> object:
    obj = _document(context, args)
    context.session.post(obj)
    return _state(obj)


@call(changes=True, again=_present_state)
def undo_post(context: Context, args: Args) -> object:
    obj = _document(context, args)
    context.session.undo_post(obj)
    return _state(obj)


def _document(context: Context, args: Args) -> BusinessObject:
    obj = _incoming(context, args)
    if not isinstance(obj._type.meta, Document):
        detail = text(ru="это не документ", en="this is no document")
        raise OperationForbidden(object=obj._type.meta.full_name, detail=detail)
    return obj


@call(changes=True, again=_present_state)
def set_deletion_mark(context: Context, args: Args) -> object:
    obj = _incoming(context, args)
    obj.set_deletion_mark(args["mark"] is True)
    return _state(obj)


@call(changes=True, again=_nothing)
def delete(context: Context, args: Args) -> object:
    _incoming(context, args).delete()
    return None


def _bulk_item(data: Args) -> tuple[dict[str, object], dict[str, object]]:
    fields = {str(name): values.decode(value) for name, value in data["values"].items()}
    sections: dict[str, object] = {
        str(name): [values.decode(r) for r in rows] for name, rows in data["sections"].items()
    }
    return fields, sections


@call(changes=True)
def bulk_write(context: Context, args: Args) -> object:
    """New items by the thousand; how many. `more`: further parts of the same load follow in this interactive transaction, and what the items
    refer to may be among them."""
    full_name = known_type(context.session, args["type"])
    given = [_bulk_item(data) for data in islice(args["objects"], BATCH + 1)]
    if len(given) > BATCH:
        raise RequestInvalid(detail=text(ru=f"больше {BATCH} объектов", en=f"more than {BATCH} objects"))
    with context.session.transaction() as tx, all_or_nothing(tx):
        load = context.loads.get(full_name)
        if load is None:
            load = context.loads[full_name] = BulkLoad(context.session, full_name, tx)
        count = load.take(given)
        if not (context.interactive and args.get("more") is True):
            finish_loads(context)
    return count


def finish_loads(context: Context) -> None:
    """Before a commit, whatever the client has told: nothing unchecked is committed. ReferenceBroken."""
    for full_name in list(context.loads):
        context.loads[full_name].finish()
        del context.loads[full_name]


@call(changes=True)
def delete_marked(context: Context, args: Args) -> object:
    return values.encode(context.session.delete_marked())
