"""`session.users`: the users of the base as an administrator changes them; one transaction, one rights check, one log entry each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from infobase import users
from infobase.users import User

if TYPE_CHECKING:
    from infobase.session import Session


class Users:
    """Everything needs the right Administration, but one's own password."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def _demand(self) -> None:
        self._session.access.demand_configuration("Administration")

    def all(self) -> list[User]:
        """Everyone, by name."""
        self._demand()
        with self._session.reading() as tx:
            return users.list_users(self._session.kernel, tx)

    def add(
        self,
        name: str,
        password: str = "",
        roles: Sequence[str] = (),
        full_name: str = "",
        *,
        allow_empty: bool = False,
    ) -> User:
        """A new user; the first one must be an administrator. UserInvalid."""
        self._demand()
        session = self._session
        with session.transaction() as tx:
            made = users.add_user(session.kernel, tx, name, password, roles, full_name, allow_empty=allow_empty)
            tx.log([session.log_entry("_$User$_.New", comment=made.name, transaction="Committed")])
        return made

    def remove(self, name: str) -> None:
        """UserInvalid."""
        self._demand()
        session = self._session
        with session.transaction() as tx:
            users.remove_user(session.kernel, tx, name)
            tx.log([session.log_entry("_$User$_.Delete", comment=name, transaction="Committed")])

    def set_password(self, name: str, password: str, *, allow_empty: bool = False) -> User:
        """One's own, or anyone's with the right Administration. UserInvalid."""
        session = self._session
        if not session.info.user or name.strip().casefold() != session.info.user.casefold():
            self._demand()
        with session.transaction() as tx:
            changed = users.set_password(session.kernel, tx, name, password, allow_empty=allow_empty)
            tx.log([session.log_entry("_$User$_.Update", comment=changed.name, transaction="Committed")])
        return changed

    def set_roles(self, name: str, roles: Sequence[str]) -> User:
        """Replace the roles. UserInvalid."""
        self._demand()
        session = self._session
        with session.transaction() as tx:
            changed = users.set_roles(session.kernel, tx, name, roles)
            tx.log([session.log_entry("_$User$_.Update", comment=changed.name, transaction="Committed")])
        return changed

    def set_enabled(self, name: str, enabled: bool) -> User:
        """Allow or forbid signing in. UserInvalid."""
        self._demand()
        session = self._session
        with session.transaction() as tx:
            changed = users.set_enabled(session.kernel, tx, name, enabled)
            tx.log([session.log_entry("_$User$_.Update", comment=changed.name, transaction="Committed")])
        return changed
