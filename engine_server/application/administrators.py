"""Administrators of the cluster: apart from the users of infobases, and of no use inside one."""

from __future__ import annotations

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from engine_server.application.cluster import ClusterDatabase
from infobase.errors import ClusterLoginFailed, UserInvalid
from infobase.i18n import Bilingual
from infobase.users import HASHER, MAX_NAME, MAX_PASSWORD

SHORTEST_PASSWORD = 8


@cache
def _decoy(hasher: PasswordHasher) -> str:
    return hasher.hash("nobody's password")


def add(cluster: ClusterDatabase, name: str, password: str, *, hasher: PasswordHasher = HASHER) -> None:
    """A new administrator, or a new password of one. UserInvalid."""
    shown = name.strip()
    if not shown or len(shown) > MAX_NAME or not shown.isprintable():
        detail = Bilingual(
            f"имя: от 1 до {MAX_NAME} печатных символов", f"a name has 1 to {MAX_NAME} printable characters"
        )
        raise UserInvalid(name=shown[:MAX_NAME], detail=detail)
    if not SHORTEST_PASSWORD <= len(password) <= MAX_PASSWORD:
        detail = Bilingual(
            f"пароль администратора кластера: от {SHORTEST_PASSWORD} символов",
            f"a cluster administrator's password has at least {SHORTEST_PASSWORD} characters",
        )
        raise UserInvalid(name=shown, detail=detail)
    cluster.run(
        "INSERT INTO cluster.administrators (name, password_hash) VALUES (%s, %s) "
        "ON CONFLICT (name) DO UPDATE SET password_hash = excluded.password_hash",
        [shown, hasher.hash(password)],
    )


def names(cluster: ClusterDatabase) -> list[str]:
    return [str(name) for (name,) in cluster.rows("SELECT name FROM cluster.administrators ORDER BY name")]


def remove(cluster: ClusterDatabase, name: str) -> None:
    """UserInvalid for the last one and for an unknown one."""
    known = names(cluster)
    if name not in known or len(known) == 1:
        detail = Bilingual("это последний администратор кластера", "this is the last administrator of the cluster")
        missing = Bilingual("такого администратора нет", "there is no such administrator")
        raise UserInvalid(name=name[:MAX_NAME], detail=detail if name in known else missing)
    cluster.run("DELETE FROM cluster.administrators WHERE name = %s", [name])


def authenticate(cluster: ClusterDatabase, name: str, password: str, *, hasher: PasswordHasher = HASHER) -> str:
    """ClusterLoginFailed, after the same work whether there is such an administrator or not."""
    found = cluster.row(
        "SELECT name, password_hash FROM cluster.administrators WHERE name = %s", [name[:MAX_NAME].strip()]
    )
    try:
        hasher.verify(found[1] if found else _decoy(hasher), password[:MAX_PASSWORD] or "-")
        right = found is not None and len(password) <= MAX_PASSWORD
    except (Argon2Error, InvalidHashError):
        right = False
    if not right or found is None:
        raise ClusterLoginFailed()
    return str(found[0])
