"""Users: signing in, passwords, roles, and the administrator who cannot be lost."""

from __future__ import annotations

import pytest

from infobase import users
from infobase.errors import LoginFailed, UserInvalid
from infobase.storage import LogFilter
from tests.rights.conftest import CHEAP, Office


def test_signing_in(office: Office) -> None:
    with office.session("аня", "1") as session:
        assert session.info.user == "Аня"
    for name, password in (("Аня", "2"), ("Аня", ""), ("Никто", "1"), ("", ""), ("Аня", "1\0"), ("Ан\0я", "1")):
        with pytest.raises(LoginFailed):
            office.session(name, password)


def test_failed_attempts_are_in_the_log_without_the_password(office: Office) -> None:
    with pytest.raises(LoginFailed):
        office.session("Аня", "тайна")
    with office.admin() as session:
        entries = list(session.kernel.engine.event_log().read(LogFilter(events=["_$Session$_.AuthenticationError"])))
        assert [(e.user, e.severity) for e in entries] == [("Аня", "Error")]
        assert "тайна" not in "".join(map(str, entries))


def test_disabled_and_removed_users_do_not_sign_in(office: Office) -> None:
    with office.admin() as session, session.transaction() as tx:
        users.set_enabled(session.kernel, tx, "Аня", False)
        users.remove_user(session.kernel, tx, "Боря")
    for name, password in (("Аня", "1"), ("Боря", "2")):
        with pytest.raises(LoginFailed):
            office.session(name, password)


def test_the_last_administrator_stays(office: Office) -> None:
    with office.admin() as session:
        kernel = session.kernel
        for change in (
            lambda tx: users.remove_user(kernel, tx, "Админ"),
            lambda tx: users.set_enabled(kernel, tx, "Админ", False),
            lambda tx: users.set_roles(kernel, tx, "Админ", ["Clerk"]),
        ):
            with pytest.raises(UserInvalid), session.transaction() as tx:
                change(tx)
    office.admin().close()


def test_passwords_are_kept_as_argon2_and_change(office: Office) -> None:
    with office.admin() as session:
        with session.transaction() as tx:
            users.set_password(session.kernel, tx, "Аня", "новый", hasher=CHEAP)
        with session.reading() as tx:
            stored = tx.run([users.Statement("SELECT password_hash FROM sys_users")])[0]
    assert all(str(row[0]).startswith("$argon2id$") for row in stored)
    with pytest.raises(LoginFailed):
        office.clerk()
    office.session("Аня", "новый").close()


def test_names_are_unique_without_regard_to_case(office: Office) -> None:
    with office.admin() as session, pytest.raises(UserInvalid), session.transaction() as tx:
        users.add_user(session.kernel, tx, "АНЯ", "3", ["Clerk"], hasher=CHEAP)
