"""Parts of a remote session: registers, constants, settings, classifiers, users."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from engine_server.wire import values
from infobase.metadata.types import Value
from infobase.register_managers import InformationRegisterManager
from infobase.settings import Classifiers, ClassifierVersion, Constants, Settings
from infobase.user_admin import Users
from infobase.users import User
from infobase.values import coercer

if TYPE_CHECKING:
    from engine_server.remote.session import RemoteSession


class RemoteInformationRegisterManager(InformationRegisterManager):
    """Reading goes by queries, as in the parent; writing is a call."""

    def __init__(self, session: RemoteSession, full_name: str) -> None:
        super().__init__(session, full_name)
        self._remote = session

    def write(self, records: Mapping[str, object] | Iterable[Mapping[str, object]]) -> None:
        self._demand_independent()
        given = [records] if isinstance(records, Mapping) else list(records)
        if not given:
            return
        sent = values.rows_to_json([self._record(r) for r in given])
        self._remote.call("register_write", {"register": self.meta.name, "records": sent}, changes=True)

    def delete(self, key: Mapping[str, object]) -> None:
        self._demand_independent()
        made = {self._fields.resolve(n): self._fields.coercers[self._fields.resolve(n)](v) for n, v in key.items()}
        sent = {"register": self.meta.name, "filter": values.encode(made)}
        self._remote.call("register_delete", sent, changes=True)


class RemoteConstants(Constants):
    def get(self, name: str) -> Value:
        return cast(Value, values.decode(_of(self).call("constant_get", {"name": self._find(name).name})))

    def set(self, name: str, value: object) -> None:
        constant = self._find(name)
        made = coercer(self._session.kernel.configuration, constant.field)(value)
        sent = {"name": constant.name, "value": values.encode(made)}
        _of(self).call("constant_set", sent, changes=True)


class RemoteSettings(Settings):
    def get(self, key: str) -> str:
        return str(_of(self).call("setting_get", {"name": key}))

    def set(self, key: str, value: str) -> None:
        _of(self).call("setting_set", {"name": key, "value": value}, changes=True)


class RemoteClassifiers(Classifiers):
    def all(self) -> list[ClassifierVersion]:
        return cast("list[ClassifierVersion]", values.decode(_of(self).call("classifiers_all", {})))

    def register(self, kind: str, version_date: str, source: str, sha256: str, counts: Mapping[str, int]) -> None:
        given = {"kind": kind, "version_date": version_date, "source": source, "sha256": sha256, "counts": dict(counts)}
        _of(self).call("classifiers_register", {k: values.encode(v) for k, v in given.items()}, changes=True)


class RemoteUsers(Users):
    def all(self) -> list[User]:
        return cast("list[User]", values.decode(_of(self).call("users_all", {})))

    def add(
        self,
        name: str,
        password: str = "",
        roles: Sequence[str] = (),
        full_name: str = "",
        *,
        allow_empty: bool = False,
    ) -> User:
        sent = {
            "name": name,
            "password": password,
            "roles": list(roles),
            "full_name": full_name,
            "allow_empty": allow_empty,
        }
        return self._user("users_add", sent)

    def remove(self, name: str) -> None:
        _of(self).call("users_remove", {"name": name}, changes=True)

    def set_password(self, name: str, password: str, *, allow_empty: bool = False) -> User:
        return self._user("users_set_password", {"name": name, "password": password, "allow_empty": allow_empty})

    def set_roles(self, name: str, roles: Sequence[str]) -> User:
        return self._user("users_set_roles", {"name": name, "roles": list(roles)})

    def set_enabled(self, name: str, enabled: bool) -> User:
        return self._user("users_set_enabled", {"name": name, "enabled": enabled})

    def _user(self, name: str, args: Mapping[str, object]) -> User:
        return cast(User, values.decode(_of(self).call(name, args, changes=True)))


def _of(part: Constants | Settings | Classifiers | Users) -> RemoteSession:
    return cast("RemoteSession", part._session)
