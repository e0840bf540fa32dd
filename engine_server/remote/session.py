"""The Session over `Srvr=`: the same managers and objects, every operation one call to the server."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from engine_server.remote import parts
from engine_server.wire import objects, values
from engine_server.wire.protocol import BATCH
from infobase import query_json
from infobase.deletion import DeletionReport
from infobase.errors import AccessDenied, InfobaseError, LockTimeout, NotOverTheWire
from infobase.i18n import text
from infobase.kernel import Kernel
from infobase.metadata.types import Ref, Value
from infobase.objects import BusinessObject, State, freeze, make_object, object_type
from infobase.query_model import Condition, Query
from infobase.rights import Access
from infobase.session import Session
from infobase.storage import SessionInfo, all_or_nothing

if TYPE_CHECKING:
    from engine_server.remote.door import Door


class RemoteSession(Session):
    """Opened by `infobase.connect('Srvr="host:1541";Ref="crm";...')`. Rights are checked by the server; here they only tell what to show."""

    def __init__(
        self, kernel: Kernel, access: Access, info: SessionInfo, user_id: uuid.UUID | None, door: Door
    ) -> None:
        super().__init__(kernel, access, info, user_id)
        self.door = door
        self.information_registers = self._managers(
            "InformationRegister", lambda name: parts.RemoteInformationRegisterManager(self, name)
        )
        self.constants = parts.RemoteConstants(self)
        self.settings = parts.RemoteSettings(self)
        self.classifiers = parts.RemoteClassifiers(self)
        self.users = parts.RemoteUsers(self)

    def _log_denied(self, e: AccessDenied) -> None:
        """What was refused here never reached the server: it is asked for the same right, and notes that it refuses it."""
        right, place = (str(getattr(e.fields[name], "en", e.fields[name])) for name in ("right", "object"))
        with suppress(InfobaseError):
            self.door.answer("demand", {"right": right, "object": place})

    def _log_conflict(self, e: LockTimeout) -> None:
        """Nothing: the server has noted it where it happened."""

    # --- calls ---

    def call(self, name: str, args: Mapping[str, object], *, changes: bool = False) -> Any:
        """In the current transaction, or alone."""
        if self._tx is not None:
            return cast(Any, self._tx).call(name, args)
        return self.door.answer(name, args, changes=changes)

    # --- objects ---

    def _change(self, name: str, obj: BusinessObject, **more: object) -> None:
        given = self.call(name, {"object": objects.change_to_json(obj), **more}, changes=True)
        if given is None:
            return
        if self._tx is not None:
            self.remember(obj)
        self._presentations.pop(obj.ref, None)
        state = obj._state
        state.values, state.sections = objects.state_from_json(given, tuple(obj._type.sections))
        state.stored = freeze(state.values, state.sections)

    def write(self, obj: BusinessObject) -> None:
        self._change("write", obj)

    def post(self, obj: BusinessObject) -> None:
        self._change("post", obj)

    def undo_post(self, obj: BusinessObject) -> None:
        self._change("undo_post", obj)

    def set_deletion_mark(self, obj: BusinessObject, mark: bool) -> None:
        self._change("set_deletion_mark", obj, mark=mark)

    def delete(self, obj: BusinessObject) -> None:
        self._change("delete", obj)

    def load(self, refs: Sequence[Ref]) -> list[BusinessObject]:
        found: list[BusinessObject] = []
        for start in range(0, len(refs), BATCH):
            part = refs[start : start + BATCH]
            given = self.call("load", {"refs": [str(r) for r in part]})
            found += (self._object(ref, data) for ref, data in zip(part, given, strict=True))
        return found

    def _object(self, ref: Ref, data: Mapping[str, Any]) -> BusinessObject:
        kind = object_type(self.kernel, ref.type)
        made, sections = objects.state_from_json(data, tuple(kind.sections))
        return make_object(self, kind, State(made, sections, freeze(made, sections)))

    def bulk_write(self, full_name: str, objects_: Iterable[tuple[Mapping[str, object], Mapping[str, object]]]) -> int:
        """One transaction, in messages of BATCH items: what they refer to may come in a later one."""
        rest, total = iter(objects_), 0
        with self.transaction() as tx, all_or_nothing(tx):
            batch = list(islice(rest, BATCH))
            while batch:
                following = list(islice(rest, BATCH))
                sent = [_new_item(fields, sections) for fields, sections in batch]
                asked = {"type": full_name, "objects": sent, "more": bool(following)}
                total += int(self.call("bulk_write", asked))
                batch = following
        return total

    def delete_marked(self) -> DeletionReport:
        return cast(DeletionReport, values.decode(self.call("delete_marked", {}, changes=True)))

    # --- reading ---

    def query(self, wanted: Query) -> list[dict[str, Value]]:
        first = self._page(wanted)
        if not first["more"]:
            return values.rows_from_json(first)
        # Further pages must come from the same snapshot as the first.
        with self.reading():
            return self._all_pages(wanted)

    def stream(self, wanted: Query) -> Iterator[dict[str, Value]]:
        with self.reading():
            while True:
                page = self._page(wanted)
                yield from values.rows_from_json(page)
                if not page["more"]:
                    return
                wanted = replace(wanted, after=tuple(values.decode(v) for v in page["after"]))

    def any_beyond(self, wanted: Query, hidden: Condition) -> bool:
        raise NotOverTheWire(what=text(ru="Сравнение с правами", en="Comparing with the rights"))

    def _all_pages(self, wanted: Query) -> list[dict[str, Value]]:
        rows: list[dict[str, Value]] = []
        while True:
            page = self._page(wanted)
            rows += values.rows_from_json(page)
            if not page["more"]:
                return rows
            wanted = replace(wanted, after=tuple(values.decode(v) for v in page["after"]))

    def _page(self, wanted: Query) -> dict[str, Any]:
        return cast("dict[str, Any]", self.call("query", {"query": query_json.to_json(wanted)}))

    def query_page(self, wanted: Query) -> tuple[list[dict[str, Value]], tuple[object, ...] | None]:
        page = self._page(wanted)
        after = page["after"]
        return values.rows_from_json(page), None if after is None else tuple(map(values.decode, after))

    def dereference(self, ref: Ref, field: str) -> Value:
        raise NotOverTheWire(what=text(ru="Разыменование без прав", en="Reading a field without rights"))

    def _ref_presentation(self, ref: Ref) -> str:
        if ref not in self._presentations:
            self._presentations[ref] = str(self.call("presentations", {"refs": [str(ref)]})[0])
        return self._presentations[ref]

    # --- locks for editing ---

    def lock_object(self, obj: BusinessObject) -> None:
        """A pessimistic lock, as forms take it: renew it while editing. ObjectLocked names who has it."""
        self.door.answer("lock_object", {"ref": str(obj.ref)})

    def unlock_object(self, obj: BusinessObject) -> None:
        self.door.answer("unlock_object", {"ref": str(obj.ref)})


def _new_item(fields: Mapping[str, object], sections: Mapping[str, object]) -> dict[str, object]:
    """An item of a bulk write as it was given: the server coerces and checks."""
    rows = cast("Mapping[str, Iterable[Mapping[str, object]]]", sections)
    return {
        "values": {name: values.encode(value) for name, value in fields.items()},
        "sections": {name: [values.encode(dict(row)) for row in given] for name, given in rows.items()},
    }
