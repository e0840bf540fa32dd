"""The administrator of a base that came to be from a dump: the one it brought, or a new one where it brought no users."""

from __future__ import annotations

from dataclasses import dataclass, field

from infobase import users
from infobase.errors import PasswordRequired, UsageError
from infobase.i18n import text
from infobase.kernel import Kernel
from infobase.metadata.model import Configuration
from infobase.rights import administrator_roles, is_administrator
from infobase.storage import Transaction
from infobase.users import User


@dataclass(frozen=True)
class Administrator:
    """`name`: "" for none, None for the usual one. An empty `password` is refused where the engine demands one, unless `allow_empty`."""

    name: str | None = None
    password: str = field(default="", repr=False)
    allow_empty: bool = False


def usual_administrator() -> str:
    return text(ru="Администратор", en="Administrator")


def demand_password(wanted: Administrator, *, demanded: bool) -> None:
    """PasswordRequired where anybody on the network could come in."""
    if demanded and wanted.name != "" and not wanted.password and not wanted.allow_empty:
        raise PasswordRequired(user=wanted.name or usual_administrator())


def appoint(kernel: Kernel, tx: Transaction, wanted: Administrator) -> str:
    """Give a filled base its administrator; his name, "" where there is none. PasswordRequired, UsageError."""
    if users.list_users(kernel, tx):
        return appoint_brought(kernel, tx, kernel.configuration, wanted)
    if wanted.name == "":
        return ""
    demand_password(wanted, demanded=kernel.engine.traits.demands_password)
    name, roles = wanted.name or usual_administrator(), administrator_roles(kernel.configuration)
    return users.add_user(kernel, tx, name, wanted.password, roles, allow_empty=True).name


def appoint_brought(
    kernel: Kernel, tx: Transaction, configuration: Configuration, wanted: Administrator, hashed: str = ""
) -> str:
    """The users came with the dump: its administrator gets the new password, if there is one. `hashed`: that password's hash, if it is known."""
    user = _chosen(configuration, users.list_users(kernel, tx), wanted.name or "")
    if wanted.password:
        stored = hashed or users.hash_password(user.name, wanted.password, allow_empty=True)
        users.set_password_hash(kernel, tx, user.name, stored)
    elif kernel.engine.traits.demands_password and not user.has_password and not wanted.allow_empty:
        raise PasswordRequired(user=user.name)
    return user.name


def _chosen(configuration: Configuration, known: list[User], name: str) -> User:
    """The administrator named, or the first one who may sign in."""
    found = [u for u in known if u.enabled and is_administrator(configuration, u.roles)]
    named = [u for u in found if not name or u.name.casefold() == name.casefold()]
    if named:
        return named[0]
    listed = ", ".join(u.name for u in found)
    ru = f"пользователи придут из .dt, администратора «{name}» среди них нет; есть: {listed}"
    raise UsageError(
        detail=text(ru=ru, en=f"users come from the .dt, no administrator {name!r} there; there are: {listed}")
    )
