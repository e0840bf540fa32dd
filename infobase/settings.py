"""Constants, enumerations, settings of the base and the registry of loaded classifiers, as `Session` offers them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infobase.errors import UnknownObject
from infobase.i18n import text
from infobase.metadata.model import Configuration, Constant, Enumeration
from infobase.metadata.types import EnumValue, Value
from infobase.references import ExistenceCheck, refs_in
from infobase.schema.codec import RowCodec
from infobase.schema.layout import SYSTEM_TABLES
from infobase.storage import Statement
from infobase.values import coercer

if TYPE_CHECKING:
    from infobase.session import Session


class Constants:
    """`session.constants.get("CompanyName")`, `.set("CompanyName", "Ромашка")`; attributes work too. Either language."""

    _session: Session

    def __init__(self, session: Session) -> None:
        object.__setattr__(self, "_session", session)

    def _find(self, name: str) -> Constant:
        found = self._session.kernel.configuration.find(f"Constant.{name}")
        if not isinstance(found, Constant):
            raise UnknownObject(name=f"Constant.{name}", hint="")
        return found

    def _column(self, constant: Constant) -> RowCodec:
        layout = self._session.kernel.layout
        field = next(f for f in layout.constants if f.name == constant.name)
        return RowCodec((field,), self._session.kernel.dialect)

    def get(self, name: str) -> Value:
        constant = self._find(name)
        self._session.access.demand("Read", constant.full_name)
        codec, dialect = self._column(constant), self._session.kernel.dialect
        sql = f"SELECT {dialect.columns(codec.select_columns)} FROM constants WHERE row_key = 0"
        with self._session.reading() as tx:
            row = tx.run([Statement(sql)])[0][0]
        return codec.decode(row)[constant.name]

    def set(self, name: str, value: object) -> None:
        session, constant = self._session, self._find(name)
        session.access.demand("Update", constant.full_name)
        made = {constant.name: coercer(session.kernel.configuration, constant.field)(value)}
        codec, dialect = self._column(constant), session.kernel.dialect
        sets = ", ".join(f"{dialect.quote(c)} = {dialect.placeholder}" for c in codec.columns)
        existence = ExistenceCheck(session.kernel, refs_in(made))
        with session.transaction() as tx:
            existence.verify(tx, tx.run(existence.statements()))
            tx.run([Statement(f"UPDATE constants SET {sets} WHERE row_key = 0", codec.encode(made))])
            session.log(tx, "_$Data$_.Update", constant, None, session.presentation(made[constant.name]))

    def __getattr__(self, name: str) -> Value:
        if name.startswith("_"):
            raise AttributeError(name)
        return self.get(name)

    def __setattr__(self, name: str, value: object) -> None:
        self.set(name, value)


class EnumerationValues:
    """`session.enumerations.StageTypes.Won`."""

    def __init__(self, meta: Enumeration) -> None:
        self._meta = meta

    def __getitem__(self, name: str) -> EnumValue:
        found = self._meta.value(name)
        if found is None:
            options = ", ".join(v.name for v in self._meta.values)
            hint = text(ru=f"Есть: {options}", en=f"There are: {options}")
            raise UnknownObject(name=f"{self._meta.full_name}.{name}", hint=hint)
        return EnumValue(self._meta.full_name, found.name)

    def __getattr__(self, name: str) -> EnumValue:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]


class Enumerations:
    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

    def __getitem__(self, name: str) -> EnumerationValues:
        found = self._configuration.find(f"Enumeration.{name}")
        if not isinstance(found, Enumeration):
            raise UnknownObject(name=f"Enumeration.{name}", hint="")
        return EnumerationValues(found)

    def __getattr__(self, name: str) -> EnumerationValues:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]


class Settings:
    """Settings of the base as text by key; part of its content, so they travel in dumps."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, key: str) -> str:
        """The value, "" when it was never set."""
        mark = self._session.kernel.dialect.placeholder
        with self._session.reading() as tx:
            rows = tx.run([Statement(f"SELECT value FROM sys_settings WHERE key = {mark}", [key])])[0]
        return str(rows[0][0]) if rows else ""

    def set(self, key: str, value: str) -> None:
        self._session.access.demand_configuration("DataAdministration")
        sql = (
            f"INSERT INTO sys_settings (key, value) VALUES {self._session.kernel.dialect.values(2)} "
            "ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        )
        with self._session.transaction() as tx:
            tx.run([Statement(sql, [key, value])])
            self._session.changed_settings.add(key)
            tx.log([self._session.log_entry("_$InfoBase$_.InfoBaseAdmParamsUpdate", comment=f"{key} = {value}")])


@dataclass(frozen=True, slots=True)
class ClassifierVersion:
    """What is loaded of one classifier. `counts`: name -> number; `loaded_at`: local time."""

    kind: str
    version_date: str
    source: str
    sha256: str
    counts: Mapping[str, int]
    loaded_at: dt.datetime
    loaded_by: str


class Classifiers:
    """The registry of loaded classifiers."""

    _COLUMNS = "kind, version_date, source, sha256, counts, loaded_at, loaded_by"

    def __init__(self, session: Session) -> None:
        self._session = session

    def version(self, kind: str) -> ClassifierVersion | None:
        return next((v for v in self.all() if v.kind == kind), None)

    def all(self) -> list[ClassifierVersion]:
        reader = self._session.kernel.dialect.reader(SYSTEM_TABLES["sys_classifiers"].column("loaded_at"))
        with self._session.reading() as tx:
            rows = tx.run([Statement(f"SELECT {self._COLUMNS} FROM sys_classifiers ORDER BY kind")])[0]
        made = []
        for kind, date, source, sha256, counts, loaded_at, loaded_by in rows:
            at = reader(loaded_at) if reader else loaded_at
            assert isinstance(at, dt.datetime)
            made.append(
                ClassifierVersion(
                    str(kind), str(date), str(source), str(sha256), json.loads(str(counts)), at, str(loaded_by)
                )
            )
        return made

    def register(self, kind: str, version_date: str, source: str, sha256: str, counts: Mapping[str, int]) -> None:
        """Remember what was loaded, in the loading transaction."""
        session = self._session
        writer = session.kernel.dialect.writer(SYSTEM_TABLES["sys_classifiers"].column("loaded_at"))
        now = session.now()
        row = [kind, version_date, source, sha256, json.dumps(counts, sort_keys=True)]
        row += [writer(now) if writer else now, session.info.user]  # type: ignore[list-item]
        updates = ", ".join(f"{c} = excluded.{c}" for c in self._COLUMNS.split(", ")[1:])
        sql = (
            f"INSERT INTO sys_classifiers ({self._COLUMNS}) VALUES {session.kernel.dialect.values(7)} "
            f"ON CONFLICT (kind) DO UPDATE SET {updates}"
        )
        with session.transaction() as tx:
            tx.run([Statement(sql, row)])
