"""POST, PATCH, PUT and DELETE: wire values onto objects of the kernel, whose rules and rights decide; one request is one transaction."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from engine_server.odata import edm, keys
from engine_server.odata.bodies import Body, bad_body
from engine_server.odata.errors import (
    KEY_EXISTS,
    METHOD_FORBIDDEN,
    NO_LOAD_MODE,
    NOT_ASSIGNED,
    ROWS_DIRECTLY,
    ODataError,
    refuse,
)
from engine_server.odata.model import (
    COMPOSITE,
    CONSTANT,
    DATA,
    NAMESPACE,
    OBJECT,
    PREDEFINED,
    PRESENTATION,
    RECORD,
    REFERENCE,
    ROW,
    STORAGE,
    TYPE,
    VERSION,
    Collection,
    EntityType,
    Model,
    Property,
)
from engine_server.odata.urls import segments
from infobase.errors import ObjectNotFound, VersionConflict
from infobase.metadata.model import Catalog, Document, InformationRegister
from infobase.metadata.types import EMPTY_UUID, Ref, Value, empty_value
from infobase.objects import BusinessObject
from infobase.schema.periods import period_start
from infobase.session import Session

BIND = "@odata.bind"
Values = dict[str, Value]
Rows = list[dict[str, Value]]


@dataclass
class Assigned:
    """What a body sets. `mark`, `posted`, `folder`, `ref`: what the platform sets by operations of its own; None: not given."""

    values: Values
    rows: dict[str, Rows]
    mark: bool | None = None
    posted: bool | None = None
    folder: bool | None = None
    ref: uuid.UUID | None = None
    version: str = ""


class Assigner:
    """Bodies -> values, for one entity type. Unknown properties are ignored, as in 1C."""

    def __init__(self, model: Model, entity: EntityType) -> None:
        self._model, self._entity = model, entity

    def assign(self, body: Mapping[str, Any]) -> Assigned:
        """ODataError 400 codes 4 and 16."""
        made = Assigned({}, {})
        types = {k: v for k, v in body.items() if k.endswith(TYPE)}
        for name, value in body.items():
            if name.endswith(BIND):
                self._bind(made, name.removesuffix(BIND), value)
            elif "@" in name or "." in name or name.endswith(PRESENTATION):
                continue
            elif (collection := self._entity.collection(name)) is not None and self._entity.find(name) is None:
                made.rows[collection.section or collection.name] = self._rows(collection, value)
            else:
                self._property(made, name, value, types)
        return made

    def _property(self, made: Assigned, name: str, value: Any, types: Mapping[str, Any]) -> None:
        found = self._entity.find(name)
        if found is None:
            return
        p, suffix = found
        if self._platform_field(made, p, value) or p.kind in (VERSION, PREDEFINED):
            return
        if p.field in ("PredefinedDataName", "Recorder", "Active"):
            return
        if p.kind == COMPOSITE:
            if suffix == TYPE:
                if value == f"{NAMESPACE}.Undefined":
                    made.values[p.field] = None
                return
            given = next((v for k, v in types.items() if self._entity.find(k) == (p, TYPE)), None)
            made.values[p.field] = keys.composite(self._model, p, value, given)
        elif p.kind == STORAGE:
            if suffix == DATA or not suffix:
                made.values[p.field] = edm.parse(self._model.configuration, name, p.simple, value)
        elif p.kind == REFERENCE and not suffix and not isinstance(value, str | None):
            return  # An expanded entity sent back.
        else:
            made.values[p.field] = self._parsed(p, name, value)

    def _parsed(self, p: Property, name: str, value: Any) -> Value:
        if isinstance(value, list | dict):
            raise edm.unfit(name, "[...]", edm.edm_type(p.simple))
        made = edm.parse(self._model.configuration, name, p.simple, value)
        return empty_value(p.simple) if made is None else made

    @staticmethod
    def _platform_field(made: Assigned, p: Property, value: Any) -> bool:
        match p.field:
            case "Ref":
                if value is not None:
                    given = edm.parse_guid("Ref_Key", value)
                    made.ref = given if given != EMPTY_UUID else None
            case "DeletionMark":
                made.mark = edm.parse_bool(p.name, value) if value is not None else None
            case "Posted":
                made.posted = edm.parse_bool(p.name, value) if value is not None else None
            case "IsFolder":
                made.folder = edm.parse_bool(p.name, value) if value is not None else None
            case "LineNumber" | "RecordType":
                pass
            case "DataVersion":
                made.version = str(value or "")
            case _:
                return False
        return True

    def _bind(self, made: Assigned, name: str, value: Any) -> None:
        p, _ = self._entity.demand(name)
        if p.kind not in (REFERENCE, COMPOSITE):
            raise refuse(400, NOT_ASSIGNED, f"{name}{BIND}: не ссылка", f"{name}{BIND}: not a reference")
        made.values[p.field] = None if value is None else self._bound(p, name, value)

    def _bound(self, p: Property, name: str, value: Any) -> Value:
        """The reference that a URI names: whole, or from the entity set on."""
        shown = str(value)[:80]
        parts = segments(re.sub(r"^.*standard\.odata/", "", str(value)).split("?")[0])
        entity = self._model.entity_set(parts[-1].name) if parts else None
        if entity is None or entity.variety != OBJECT or parts[-1].inside is None:
            raise refuse(
                400, NOT_ASSIGNED, f"{name}{BIND}: «{shown}» - не сущность", f"{name}{BIND}: {shown!r} is no entity"
            )
        ref = keys.key_of(self._model, entity, parts[-1].inside)["Ref"]
        if isinstance(ref, Ref) and ref.type not in p.targets:
            raise refuse(
                400,
                NOT_ASSIGNED,
                f"{name}{BIND}: «{shown}» не того типа",
                f"{name}{BIND}: {shown!r} is of another type",
            )
        return ref

    def _rows(self, collection: Collection, value: Any) -> Rows:
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(r, dict) for r in value):
            raise bad_body(f"{collection.name}: нужен список строк", f"{collection.name}: a list of rows is needed")
        inner = Assigner(self._model, collection.rows)
        return [inner.assign(row).values for row in value]


class Writer:
    """Writes through one session. `if_match`: the DataVersion the client read last, "" for none."""

    def __init__(self, session: Session, model: Model, *, if_match: str = "", load_mode: bool = False) -> None:
        self.session, self.model, self._if_match = session, model, if_match
        if load_mode:
            raise refuse(
                400,
                NO_LOAD_MODE,
                "Объект не поддерживает режим загрузки данных (1C_OData-DataLoadMode)",
                "Data load mode (1C_OData-DataLoadMode) is not supported",
            )

    # --- creating ---

    def create(self, entity: EntityType, body: Body) -> Values:
        """The key of the new entity, by kernel field. ODataError, and the kernel's refusals."""
        assigned = Assigner(self.model, entity).assign(body)
        if entity.variety == OBJECT:
            return {"Ref": self._create_object(entity, assigned)}
        if entity.variety == RECORD:
            return self._create_record(entity, assigned)
        if entity.variety == ROW:
            raise refuse(
                400,
                ROWS_DIRECTLY,
                "Создание строк табличных частей напрямую не поддерживается",
                "Rows of tabular sections are written with their owner",
            )
        raise _forbidden(entity, "POST")

    def _create_object(self, entity: EntityType, assigned: Assigned) -> Ref:
        meta = self.model.configuration.objects[entity.object]
        assert isinstance(meta, Catalog | Document)
        managers = self.session.catalogs if isinstance(meta, Catalog) else self.session.documents
        manager = managers[meta.name]
        obj = manager.new_folder() if assigned.folder else manager.new()
        with self.session.transaction():
            if assigned.ref is not None:
                self._demand_new(Ref(entity.object, assigned.ref))
                obj._state.values["Ref"] = Ref(entity.object, assigned.ref)
            self._fill(obj, assigned)
            self._save(obj, assigned)
        return obj.ref

    def _demand_new(self, ref: Ref) -> None:
        try:
            self.session.load([ref])
        except ObjectNotFound:
            return
        raise refuse(
            400, KEY_EXISTS, "Сущность с таким ключом уже существует", "There is already an entity with this key"
        )

    def _create_record(self, entity: EntityType, assigned: Assigned) -> Values:
        meta = self._independent(entity)
        register = self.session.information_registers[meta.name]
        key = self._record_key(meta, {f: assigned.values.get(f) for f in self._key_fields(entity)})
        if register.select(key):
            raise refuse(
                400, KEY_EXISTS, "Сущность с таким ключом уже существует", "There is already an entity with this key"
            )
        register.write(assigned.values)
        return key

    # --- changing ---

    def update(self, entity: EntityType, key: Values, body: Body, *, whole: bool) -> Values:
        """PATCH, or with `whole` PUT; the key afterwards."""
        assigned = Assigner(self.model, entity).assign(body)
        if entity.variety == OBJECT:
            self._update_object(entity, cast(Ref, key["Ref"]), assigned, whole)
            return key
        if entity.variety == RECORD:
            return self._update_record(entity, key, assigned, whole)
        if entity.variety == CONSTANT:
            if "Value" in assigned.values:
                self.session.constants.set(entity.object.partition(".")[2], assigned.values["Value"])
            return key
        raise _forbidden(entity, "PATCH")

    def _update_object(self, entity: EntityType, ref: Ref, assigned: Assigned, whole: bool) -> None:
        with self.session.transaction():
            obj = self.session.load([ref])[0]
            self._demand_version(obj)
            if whole:
                self._blank(entity, obj, assigned)
            self._fill(obj, assigned)
            self._save(obj, assigned)

    def _blank(self, entity: EntityType, obj: BusinessObject, assigned: Assigned) -> None:
        """PUT: what is not given becomes empty, but for what identifies the object."""
        kept = {"Ref", "Code", "Number", "Date", "Owner", "Parent"}
        for p in entity.properties:
            if p.kind in (VERSION, PREDEFINED) or p.field in kept or p.field in assigned.values:
                continue
            if p.field not in ("DeletionMark", "Posted", "IsFolder", "PredefinedDataName"):
                assigned.values[p.field] = None
        for c in entity.collections:
            assigned.rows.setdefault(c.section, [])

    def _fill(self, obj: BusinessObject, assigned: Assigned) -> None:
        for name, value in assigned.values.items():
            obj[name] = value
        for section, rows in assigned.rows.items():
            obj.section(section).load(rows)

    def _save(self, obj: BusinessObject, assigned: Assigned) -> None:
        """Write, and post, unpost or mark as the body says; an unchanged object is not written again."""
        posted = bool(obj.values.get("Posted", False))
        if assigned.posted and not posted and isinstance(obj._type.meta, Document):
            self.session.post(obj)
        else:
            if obj.modified or posted:
                obj.write()
            if assigned.posted is False and posted:
                self.session.undo_post(obj)
        if assigned.mark is not None and assigned.mark != obj.values["DeletionMark"]:
            obj.set_deletion_mark(assigned.mark)

    def _update_record(self, entity: EntityType, key: Values, assigned: Assigned, whole: bool) -> Values:
        meta = self._independent(entity)
        register = self.session.information_registers[meta.name]
        with self.session.transaction():
            found = register.select(key)
            if not found:
                raise refuse(404, 9, "Экземпляр сущности не найден", "No entity has this key")
            record = {**(key if whole else found[0]), **assigned.values}
            changed = self._record_key(meta, {f: record.get(f) for f in key})
            if changed != key:
                register.delete(key)
            register.write(record)
        return changed

    # --- deleting and acting ---

    def delete(self, entity: EntityType, key: Values) -> None:
        """Physically, as in 1C: no mark is set."""
        if entity.variety == OBJECT:
            with self.session.transaction():
                obj = self.session.load([cast(Ref, key["Ref"])])[0]
                self._demand_version(obj)
                obj.delete()
            return
        if entity.variety != RECORD:
            raise _forbidden(entity, "DELETE")
        register = self.session.information_registers[self._independent(entity).name]
        with self.session.transaction():
            if not register.select(key):
                raise refuse(404, 9, "Экземпляр сущности не найден", "No entity has this key")
            register.delete(key)

    def act(self, entity: EntityType, key: Values, action: str) -> None:
        """Post or Unpost."""
        with self.session.transaction():
            obj = self.session.load([cast(Ref, key["Ref"])])[0]
            self._demand_version(obj)
            if action == "Post":
                self.session.post(obj)
            elif obj.values.get("Posted"):
                self.session.undo_post(obj)

    # --- rules ---

    def _demand_version(self, obj: BusinessObject) -> None:
        wanted = re.sub(r'^W/|"', "", self._if_match.strip()).strip("'")
        if wanted not in ("", "*") and wanted != edm.version_text(obj.values["DataVersion"]):
            raise VersionConflict(object=self.session.presentation(obj.ref))

    def _independent(self, entity: EntityType) -> InformationRegister:
        meta = self.model.configuration.objects[entity.object]
        if not isinstance(meta, InformationRegister) or meta.subordinate:
            raise _forbidden(entity, "POST, PATCH, DELETE")
        return meta

    @staticmethod
    def _record_key(meta: InformationRegister, key: Values) -> Values:
        """The key as it is stored: the period begins where the register's periodicity has it begin."""
        period = key.get("Period")
        if isinstance(period, dt.datetime) and meta.periodicity not in ("", "Second"):
            return {**key, "Period": period_start(period, meta.periodicity)}
        return key

    @staticmethod
    def _key_fields(entity: EntityType) -> Sequence[str]:
        return list(dict.fromkeys(found[0].field for k in entity.keys if (found := entity.find(k))))


def _forbidden(entity: EntityType, method: str) -> ODataError:
    return refuse(
        405,
        METHOD_FORBIDDEN,
        f"{method} для {entity.name} запрещён: записи вносит регистратор",
        f"{method} is not allowed for {entity.name}: its records are written by the recorder",
    )
