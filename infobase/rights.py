"""What a user may do: the rights of their roles, united, and the record-level restrictions as conditions.

Whatever no role gives is denied. A restriction holds only where no role gives the right without one; those of several roles are alternatives.
Restrictions are expressions of the configuration (`Manager.User == user.name`), turned into `query_model` conditions: queries apply them in
SQL, writes apply them to the record at hand, both from the same data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Self

from infobase.errors import AccessDenied
from infobase.i18n import Bilingual
from infobase.metadata.model import KINDS, Configuration, Right, Role
from infobase.metadata.types import Ref, Value
from infobase.query_model import Condition, Or, any_of
from infobase.rights_conditions import RowCondition, condition_of_expression

CONFIGURATION = "Configuration"
NOTHING = Or(())
"""The condition no record satisfies."""

Dereference = Callable[[Ref, str], Value]

_RUSSIAN = {
    "Read": "Чтение",
    "Insert": "Добавление",
    "Update": "Изменение",
    "Delete": "Удаление",
    "Posting": "Проведение",
    "UndoPosting": "ОтменаПроведения",
    "SetDeletionMark": "ПометкаУдаления",
    "View": "Просмотр",
    "Edit": "Редактирование",
    "Administration": "Администрирование",
    "DataAdministration": "АдминистрированиеДанных",
    "ExclusiveMode": "МонопольныйРежим",
    "EventLog": "ЖурналРегистрации",
    "Output": "Вывод",
    "UpdateDataBaseConfiguration": "ОбновлениеКонфигурацииБазыДанных",
}
_RIGHTS = {word.casefold(): right for right, ru in _RUSSIAN.items() for word in (right, ru)}
_WHOLE = {"configuration": CONFIGURATION, "конфигурация": CONFIGURATION}


class Access:
    """The rights of one user. Rights and objects may be named in English or in Russian."""

    def __init__(
        self, configuration: Configuration, roles: Sequence[str], user_name: str, user_ref: Ref | None = None
    ) -> None:
        """`roles`: names; those the configuration does not have give nothing. `user_ref`: the user's own catalog item, `user.ref` in
        restrictions. In a configuration that declares no roles everything is allowed, as in 1C."""
        self.configuration, self.user_name, self.user_ref = configuration, user_name, user_ref
        self.on_denied: Callable[[AccessDenied], None] | None = None
        """Called before a refusal is raised: the session writes it to the event log."""
        wanted = {r.casefold() for r in roles}
        self.roles = tuple(
            r for r in configuration.roles if {r.naming.name.casefold(), r.naming.ru.casefold()} & wanted
        )
        self.is_full = not configuration.roles or any(r.all_rights for r in self.roles)
        self._given = self._collect()
        self._restrictions: dict[tuple[str, str], Condition | None] = {}
        self._rows: dict[tuple[str, str], RowCondition] = {}

    @classmethod
    def full(cls, configuration: Configuration, user_name: str = "") -> Self:
        """Everything allowed: a base without users, and the platform itself."""
        made = cls(configuration, (), user_name)
        made.is_full = True
        return made

    # --- whole objects ---

    def allows(self, right: str, object_name: str) -> bool:
        """Whether any role gives the right to the object (perhaps to some of its records only)."""
        return self.is_full or self._rights_to(right, object_name) is not None

    def demand(self, right: str, object_name: str) -> None:
        """AccessDenied when no role gives the right."""
        if not self.allows(right, object_name):
            raise self.denied(right, object_name)

    def demand_configuration(self, right: str) -> None:
        """A right to the configuration as a whole: Administration, DataAdministration, ..."""
        self.demand(right, CONFIGURATION)

    # --- records ---

    def restriction(self, right: str, object_name: str) -> Condition | None:
        """What the records must satisfy; None: all are allowed. Without the right itself: what none satisfies. ExpressionInvalid."""
        if self.is_full:
            return None
        key = (_right(right), self._object(object_name))
        if key not in self._restrictions:
            self._restrictions[key] = self._restriction(*key)
        return self._restrictions[key]

    def demand_row(self, right: str, object_name: str, values: Mapping[str, Value], dereference: Dereference) -> None:
        """AccessDenied unless the record is among those allowed. `values` by English names; `dereference(ref, field)` reads a field of a
        referred object."""
        self.demand(right, object_name)
        if not self.allows_row(right, object_name, values, dereference):
            raise self.denied(right, object_name)

    def allows_row(self, right: str, object_name: str, values: Mapping[str, Value], dereference: Dereference) -> bool:
        """Whether the record is among those allowed; see `demand_row`."""
        condition = self.restriction(right, object_name)
        if condition is None:
            return True
        key = (_right(right), self._object(object_name))
        found = self._rows.get(key)
        if found is None:
            found = self._rows[key] = RowCondition(self.configuration, key[1], condition)
        return found.holds(values, dereference)

    # --- inside ---

    def _collect(self) -> dict[tuple[str, str], list[Right]]:
        given: dict[tuple[str, str], list[Right]] = {}
        for role in self.roles:
            for entry, right in _entries(role):
                given.setdefault((right, self._object(entry.object)), []).append(entry)
        return given

    def _object(self, name: str) -> str:
        whole = _WHOLE.get(name.casefold())
        if whole is not None:
            return whole
        found = self.configuration.find(name)
        return name if found is None else found.full_name

    def _rights_to(self, right: str, object_name: str) -> list[Right] | None:
        name, full_name = _right(right), self._object(object_name)
        if name == "Read" and full_name.startswith("Enumeration."):
            return []
        return self._given.get((name, full_name))

    def _restriction(self, right: str, full_name: str) -> Condition | None:
        given = self._rights_to(right, full_name)
        if given is None:
            return NOTHING
        conditions: list[Condition] = []
        for entry in given:
            limits = [r for r in map(_right, entry.restricted_rights) if r == right] or not entry.restricted_rights
            if not entry.restriction.strip() or not limits:
                return None
            conditions.append(condition_of_expression(entry.restriction, self.user_name, self.user_ref))
        return any_of(*dict.fromkeys(conditions)) if conditions else None

    def denied(self, right: str, object_name: str) -> AccessDenied:
        """The refusal to raise, told to whoever listens."""
        name, full_name = _right(right), self._object(object_name)
        shown = Bilingual(_RUSSIAN.get(name, name), name)
        found = self.configuration.find(full_name)
        if full_name == CONFIGURATION:
            place = Bilingual("Конфигурация", CONFIGURATION)
        elif found is None:
            place = Bilingual(full_name, full_name)
        else:
            place = Bilingual(f"{KINDS[found.kind].ru}.{found.naming.ru}", full_name)
        made = AccessDenied(right=shown, object=place)
        if self.on_denied is not None:
            self.on_denied(made)
        return made


def _right(name: str) -> str:
    return _RIGHTS.get(name.casefold(), name)


def _entries(role: Role) -> Iterator[tuple[Right, str]]:
    for entry in role.rights:
        for right in entry.rights:
            yield entry, _right(right)


def administrator_roles(configuration: Configuration) -> list[str]:
    """The roles with all rights; where there is none, every role."""
    full = [r.name for r in configuration.roles if r.all_rights]
    return full or [r.name for r in configuration.roles]


def is_administrator(configuration: Configuration, roles: Sequence[str]) -> bool:
    """Whether these roles together may administer the base."""
    return Access(configuration, roles, "").allows("Administration", CONFIGURATION)
