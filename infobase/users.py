"""Users of a base: names, roles, passwords hashed by argon2id.

There is always an enabled administrator while there are users at all: the last one can be neither removed, nor disabled, nor demoted.
An empty password is accepted only where the caller asks for it (a file base just created); such a user has `has_password` False.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from infobase.errors import LoginFailed, UserInvalid
from infobase.i18n import Bilingual
from infobase.kernel import Kernel, new_uuid
from infobase.query_names import nearest
from infobase.rights import is_administrator
from infobase.schema.search import search_key
from infobase.storage import Row, Statement, Transaction

MAX_NAME = 100
MAX_PASSWORD = 1000
"""Characters."""

HASHER = PasswordHasher(time_cost=3, memory_cost=65536, parallelism=4)
"""RFC 9106, the second recommended option: 64 MiB, three passes."""

_TABLE = "sys_users"


@dataclass(frozen=True, slots=True)
class User:
    """`roles`: English names of the configuration's roles. `has_password` False: anyone may sign in under this name."""

    id: uuid.UUID
    name: str
    full_name: str
    roles: tuple[str, ...]
    enabled: bool = True
    has_password: bool = True


# --- reading ---


def list_users(kernel: Kernel, tx: Transaction) -> list[User]:
    """Everyone, by name."""
    return [user for user, _ in _load(kernel, tx)]


def find_user(kernel: Kernel, tx: Transaction, name: str) -> User:
    """By name, without regard to case. UserInvalid when there is none; the nearest names are given."""
    return _find(_load(kernel, tx), name)


def authenticate(
    kernel: Kernel, tx: Transaction, name: str, password: str, *, hasher: PasswordHasher | None = None
) -> User:
    """The user with this password. LoginFailed, after the same work whether the user exists, is disabled, or the password is wrong.

    A hash of outdated parameters is renewed when the transaction can write.
    """
    found = _by_name(kernel, tx, name) if _is_text(name) else None
    user, stored = found if found is not None else (None, "")
    right = _verify(hasher or HASHER, stored, password)
    if user is None or not user.enabled or not right:
        raise LoginFailed()
    if stored and tx.writable and (hasher or HASHER).check_needs_rehash(stored):
        _update(kernel, tx, user.id, {"password_hash": (hasher or HASHER).hash(password)})
    return user


def credentials_stamp(kernel: Kernel, tx: Transaction, user_id: uuid.UUID | None) -> str:
    """What changes when a user's password, roles or permission to sign in do; for doors that keep somebody signed in. `user_id` None: of a
    base without users. "" when there is no such user (any more)."""
    if user_id is None:
        return "" if _load(kernel, tx) else "-"
    found = _select(kernel, tx, f'WHERE "id" = {kernel.dialect.placeholder}', [_encoded(kernel, "id", user_id)])
    if not found or not found[0][0].enabled:
        return ""
    return _stamp(*found[0])


def _stamp(user: User, stored: str) -> str:
    return hashlib.sha256(json.dumps([stored, user.name, user.roles]).encode()).hexdigest()


def stamped(kernel: Kernel, tx: Transaction, name: str) -> tuple[User | None, str]:
    """An enabled user by name, and a digest of everything a session of his rests on: password, roles, being there. The digest of a base
    without users has the name ""; of an unknown or disabled user there is (None, "")."""
    found = _by_name(kernel, tx, name) if name else None
    if found is not None and found[0].enabled:
        return found[0], _stamp(*found)
    if not name and not _load(kernel, tx):
        return None, "no users"
    return None, ""


def _verify(hasher: PasswordHasher, stored: str, password: str) -> bool:
    """Against no hash (no such user, or no password) a decoy is verified, so that the time tells nothing."""
    acceptable = _is_text(password) and len(password) <= MAX_PASSWORD
    try:
        hasher.verify(stored or _decoy(hasher), password if acceptable else "-")
        matches = bool(stored)
    except (Argon2Error, InvalidHashError):
        matches = False
    return acceptable and (matches or (not stored and password == ""))


@cache
def _decoy(hasher: PasswordHasher) -> str:
    return hasher.hash(uuid.uuid4().hex)


# --- changing ---


def add_user(
    kernel: Kernel,
    tx: Transaction,
    name: str,
    password: str,
    roles: Sequence[str],
    full_name: str = "",
    *,
    allow_empty: bool = False,
    hasher: PasswordHasher | None = None,
) -> User:
    """A new user; the first one must be an administrator. `hasher`: cheaper parameters, for tests. UserInvalid."""
    users = _load(kernel, tx)
    shown = _checked_name(name)
    if any(search_key(u.name) == search_key(shown) for u, _ in users):
        raise _refuse(shown, "такой пользователь уже есть", "there is already such a user")
    if not _is_text(full_name):
        raise _refuse(shown, "недопустимые символы в полном имени", "the full name has characters that no text has")
    canonical = _checked_roles(kernel, shown, roles)
    stored = _hash(shown, password, allow_empty, hasher)
    made = User(new_uuid(), shown, full_name, canonical, True, bool(stored))
    if not any(u.enabled and is_administrator(kernel.configuration, u.roles) for u in [*(u for u, _ in users), made]):
        raise _refuse(
            shown, "первый пользователь должен быть администратором", "the first user must be an administrator"
        )
    _insert(kernel, tx, made, stored)
    return made


def set_password(
    kernel: Kernel,
    tx: Transaction,
    name: str,
    password: str,
    *,
    allow_empty: bool = False,
    hasher: PasswordHasher | None = None,
) -> User:
    """UserInvalid."""
    user = find_user(kernel, tx, name)
    stored = _hash(user.name, password, allow_empty, hasher)
    _update(kernel, tx, user.id, {"password_hash": stored})
    return replace(user, has_password=bool(stored))


def set_roles(kernel: Kernel, tx: Transaction, name: str, roles: Sequence[str]) -> User:
    """Replace the roles, named in either language. UserInvalid."""
    users = _load(kernel, tx)
    user = _find(users, name)
    changed = replace(user, roles=_checked_roles(kernel, user.name, roles))
    _demand_administrator(kernel, users, user, changed)
    _update(kernel, tx, user.id, {"roles": json.dumps(changed.roles)})
    return changed


def set_enabled(kernel: Kernel, tx: Transaction, name: str, enabled: bool) -> User:
    """Allow or forbid signing in. UserInvalid."""
    users = _load(kernel, tx)
    user = _find(users, name)
    changed = replace(user, enabled=enabled)
    _demand_administrator(kernel, users, user, changed)
    _update(kernel, tx, user.id, {"enabled": enabled})
    return changed


def remove_user(kernel: Kernel, tx: Transaction, name: str) -> None:
    """UserInvalid."""
    users = _load(kernel, tx)
    user = _find(users, name)
    _demand_administrator(kernel, users, user, None)
    _remove(kernel, tx, user)


# --- accounts made ahead ---


def hash_password(name: str, password: str, *, allow_empty: bool = False, hasher: PasswordHasher | None = None) -> str:
    """What is stored of a password; "" for an empty one. Takes a noticeable time on purpose. UserInvalid."""
    return _hash(name, password, allow_empty, hasher)


def set_password_hash(kernel: Kernel, tx: Transaction, name: str, stored: str) -> None:
    """`set_password` with what `hash_password` gave. UserInvalid."""
    _update(kernel, tx, find_user(kernel, tx, name).id, {"password_hash": stored})


def hand_over(kernel: Kernel, tx: Transaction, account: str, name: str, stored: str) -> User:
    """Make an account prepared under another name this person's own: a new id, the name, the password's hash. Roles stay. UserInvalid."""
    prepared = find_user(kernel, tx, account)
    made = replace(prepared, id=new_uuid(), name=_checked_name(name), has_password=bool(stored))
    _remove(kernel, tx, prepared)
    _insert(kernel, tx, made, stored)
    return made


def discard(kernel: Kernel, tx: Transaction, account: str) -> None:
    """Remove an account prepared for somebody who is not wanted: the base is left without users. UserInvalid."""
    _remove(kernel, tx, find_user(kernel, tx, account))


# --- rules ---


def _refuse(name: str, ru: str, en: str) -> UserInvalid:
    return UserInvalid(name=name[:MAX_NAME], detail=Bilingual(ru, en))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value)


def _checked_name(name: str) -> str:
    shown = name.strip() if _is_text(name) else ""
    if not shown or len(shown) > MAX_NAME or not shown.isprintable():
        raise _refuse(
            shown or ascii(name),
            f"имя: от 1 до {MAX_NAME} печатных символов",
            f"a name has 1 to {MAX_NAME} printable characters",
        )
    return shown


def _checked_roles(kernel: Kernel, name: str, roles: Sequence[str]) -> tuple[str, ...]:
    made: list[str] = []
    for role in roles:
        found = next((r for r in kernel.configuration.roles if r.naming.answers_to(role)), None)
        if found is None:
            known = nearest(role, [n for r in kernel.configuration.roles for n in (r.naming.name, r.naming.ru)])
            all_ru = ", ".join(r.naming.ru for r in kernel.configuration.roles) or "-"
            all_en = ", ".join(r.naming.name for r in kernel.configuration.roles) or "-"
            raise _refuse(
                name,
                f"нет роли «{role[:MAX_NAME]}»; " + (f"возможно: {known}" if known else f"есть: {all_ru}"),
                f"no role {role[:MAX_NAME]!r}; " + (f"did you mean: {known}" if known else f"there are: {all_en}"),
            )
        made.append(found.name)
    return tuple(dict.fromkeys(made))


def _hash(name: str, password: str, allow_empty: bool, hasher: PasswordHasher | None) -> str:
    if password == "" and allow_empty:
        return ""
    if not _is_text(password) or not 1 <= len(password) <= MAX_PASSWORD:
        raise _refuse(
            name, f"пароль: от 1 до {MAX_PASSWORD} символов", f"a password has 1 to {MAX_PASSWORD} characters"
        )
    return (hasher or HASHER).hash(password)


def _demand_administrator(kernel: Kernel, users: Sequence[tuple[User, str]], user: User, changed: User | None) -> None:
    """After the change somebody must still be able to administer the base."""
    left = [u for u, _ in users if u.id != user.id] + ([changed] if changed is not None else [])
    if not any(u.enabled and is_administrator(kernel.configuration, u.roles) for u in left):
        raise _refuse(user.name, "это последний администратор", "this is the last administrator")


# --- storage ---

_COLUMNS = ("id", "name", "full_name", "password_hash", "roles", "enabled")


def _encoded(kernel: Kernel, column: str, value: object) -> object:
    write = kernel.dialect.writer(kernel.layout.system[_TABLE].column(column))
    return value if write is None else write(value)


def _select(kernel: Kernel, tx: Transaction, tail: str, params: Sequence[object] = ()) -> list[tuple[User, str]]:
    rows = tx.run([Statement(f"SELECT {kernel.dialect.columns(_COLUMNS)} FROM {_TABLE} {tail}", params)])[0]
    return [_parsed(kernel, row) for row in rows]


def _load(kernel: Kernel, tx: Transaction) -> list[tuple[User, str]]:
    return _select(kernel, tx, 'ORDER BY "name__search"')


def _by_name(kernel: Kernel, tx: Transaction, name: str) -> tuple[User, str] | None:
    found = _select(kernel, tx, f'WHERE "name__search" = {kernel.dialect.placeholder}', [search_key(name.strip())])
    return found[0] if found else None


def _find(users: Iterable[tuple[User, str]], name: str) -> User:
    known = [u for u, _ in users]
    wanted = search_key(name.strip())
    found = next((u for u in known if search_key(u.name) == wanted), None)
    if found is not None:
        return found
    close = nearest(name, [u.name for u in known])
    hint_ru, hint_en = (f"; возможно: {close}", f"; did you mean: {close}") if close else ("", "")
    raise _refuse(name, f"такого пользователя нет{hint_ru}", f"there is no such user{hint_en}")


def _parsed(kernel: Kernel, row: Row) -> tuple[User, str]:
    table = kernel.layout.system[_TABLE]
    values: dict[str, object] = {}
    for column, raw in zip(_COLUMNS, row, strict=True):
        read = kernel.dialect.reader(table.column(column))
        values[column] = raw if read is None else read(raw)
    stored = str(values["password_hash"])
    roles = tuple(str(r) for r in json.loads(str(values["roles"]) or "[]"))
    assert isinstance(values["id"], uuid.UUID)
    return (
        User(values["id"], str(values["name"]), str(values["full_name"]), roles, bool(values["enabled"]), bool(stored)),
        stored,
    )


def _insert(kernel: Kernel, tx: Transaction, user: User, stored: str) -> None:
    values: dict[str, object] = {
        "id": user.id,
        "name": user.name,
        "name__search": search_key(user.name),
        "full_name": user.full_name,
        "password_hash": stored,
        "roles": json.dumps(user.roles),
        "enabled": user.enabled,
    }
    dialect = kernel.dialect
    sql = f"INSERT INTO {_TABLE} ({dialect.columns(list(values))}) VALUES {dialect.values(len(values))}"
    tx.run([Statement(sql, [_encoded(kernel, c, v) for c, v in values.items()])])


def _remove(kernel: Kernel, tx: Transaction, user: User) -> None:
    where = f'"id" = {kernel.dialect.placeholder}'
    tx.run([Statement(f"DELETE FROM {_TABLE} WHERE {where}", [_encoded(kernel, "id", user.id)])])


def _update(kernel: Kernel, tx: Transaction, user_id: uuid.UUID, changes: Mapping[str, object]) -> None:
    dialect = kernel.dialect
    sets = ", ".join(f"{dialect.quote(c)} = {dialect.placeholder}" for c in changes)
    params = [_encoded(kernel, c, v) for c, v in {**changes, "id": user_id}.items()]
    tx.run([Statement(f'UPDATE {_TABLE} SET {sets} WHERE "id" = {dialect.placeholder}', params)])
