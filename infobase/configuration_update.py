"""Updating the configuration of a base, in 1C's two steps.

    load_pending(base, configuration)      «Загрузить конфигурацию»: kept in the base, nothing else changes
    preview(base, configuration)           what the update would add, change and lose, with the rows counted
    update_configuration(base, ...)        «Обновить конфигурацию базы данных»: restructures in one transaction, alone in the base

The new configuration and its tables come in one commit, so a power cut leaves the old or the new.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from infobase.errors import ConfigurationChanged, InfobaseBusy, InfobaseError, InfobaseLockedExclusively
from infobase.i18n import text
from infobase.infobase import MAIN_ROW, Infobase, Progress, configuration_row, system_session
from infobase.kernel import Kernel
from infobase.metadata import canonical
from infobase.metadata.difference import Difference, compare
from infobase.metadata.model import Configuration
from infobase.predefined import write_predefined
from infobase.registers import rebuild_statements
from infobase.schema import restructure
from infobase.served import door_of, served
from infobase.session import Session
from infobase.storage import LOCK_TIMEOUT, Statement, StorageEngine, Transaction

PENDING_ROW = 1
"""The row of `sys_configuration` with a loaded configuration that was not applied yet."""
_TRY_SECONDS = 0.5


# --- the loaded configuration ---


@served("UpdateDataBaseConfiguration")
def pending(base: Infobase) -> Configuration | None:
    """The configuration that was loaded and not applied yet."""
    with base.kernel.engine.transaction(write=False) as tx:
        rows = tx.run([Statement(f"SELECT content FROM sys_configuration WHERE row_key = {PENDING_ROW}")])[0]
    return canonical.from_json(bytes(rows[0][0])) if rows else None  # type: ignore[call-overload]


@served("UpdateDataBaseConfiguration")
def load_pending(base: Infobase, configuration: Configuration, *, user: str = "") -> None:
    """Keep a configuration in the base until it is applied or dropped; one that waited there is replaced. People go on working."""
    session = system_session(base.kernel, user)
    comment = f"{configuration.name} {configuration.version}"
    with session.transaction() as tx:
        tx.run([configuration_row(base.kernel, configuration, PENDING_ROW)])
        tx.log([session.log_entry("_$InfoBase$_.ConfigUpdate", comment=comment, transaction="Committed")])


@served("UpdateDataBaseConfiguration")
def drop_pending(base: Infobase, *, user: str = "") -> bool:
    """Forget the loaded configuration; whether there was one."""
    session = system_session(base.kernel, user)
    with session.transaction() as tx:
        there = tx.run([Statement(f"SELECT 1 FROM sys_configuration WHERE row_key = {PENDING_ROW}"), _DROP_PENDING])[0]
        if there:
            comment = text(ru="загруженная конфигурация отброшена", en="the loaded configuration is dropped")
            tx.log([session.log_entry("_$InfoBase$_.ConfigUpdate", comment=comment, transaction="Committed")])
    return bool(there)


_DROP_PENDING = Statement(f"DELETE FROM sys_configuration WHERE row_key = {PENDING_ROW}")


# --- what it would do ---


@dataclass(frozen=True)
class Preview:
    """`objects`: what differs in the metadata; `plan`: what happens to the tables; `rows`: of the plan's losses, in their order."""

    objects: list[Difference]
    plan: restructure.RestructurePlan
    rows: list[int]

    def lost_rows(self, change: restructure.Change) -> int | None:
        """Rows whose data a change loses; None when it loses none."""
        return next((n for c, n in zip(self.plan.losses, self.rows, strict=True) if c is change), None)


def plan_update(base: Infobase, configuration: Configuration) -> restructure.RestructurePlan:
    """What an update to `configuration` would do to the tables."""
    return restructure.plan_update(base.kernel.configuration, configuration)


def preview(base: Infobase, configuration: Configuration) -> Preview:
    """What an update to `configuration` would add, change and lose. Reads one snapshot."""
    plan, rows = plan_update(base, configuration), rows_at_stake(base, configuration)
    return Preview(compare(base.kernel.configuration, configuration), plan, rows)


@served("UpdateDataBaseConfiguration")
def rows_at_stake(base: Infobase, configuration: Configuration) -> list[int]:
    """How many rows each of the losses of `plan_update` concerns."""
    old, new = base.kernel, Kernel(configuration, base.kernel.engine)
    losses = restructure.losses(old.layout, new.layout, plan_update(base, configuration), old.dialect)
    counting = [loss.count for loss in losses]
    with old.engine.transaction(write=False) as tx:
        return [int(str(found[0][0])) for found in tx.run(counting)] if counting else []


# --- doing it ---


def update_configuration(
    base: Infobase,
    configuration: Configuration,
    *,
    timeout: float = LOCK_TIMEOUT,
    terminate: str | None = None,
    user: str = "",
    progress: Progress | None = None,
) -> restructure.RestructurePlan:
    """Restructure to `configuration` in one transaction, alone in the base; all or nothing.

    `terminate`: end the sessions of others, with this message; None leaves them, and then InfobaseBusy names them after `timeout` seconds.
    ConfigurationChanged when another update came first. The opened `base` is of no use afterwards: open it again.
    """
    engine = base.kernel.engine
    kernel = Kernel(configuration, engine)
    plan = plan_update(base, configuration)
    door = door_of(engine)
    if door is not None:
        door.call("update_configuration", {"configuration": configuration, "terminate": terminate})
        return plan
    with _alone(engine, timeout, terminate):
        session = system_session(kernel, user)
        try:
            with session.transaction() as tx:
                _demand_unchanged(base, tx)
                _restructure(session, tx, plan, progress)
                comment = f"{configuration.name} {base.kernel.configuration.version} -> {configuration.version}"
                tx.log([session.log_entry("_$InfoBase$_.DBConfigUpdate", comment=comment, transaction="Committed")])
        except InfobaseError as e:
            _note_failure(session, e)
            raise
    return plan


def _restructure(
    session: Session, tx: Transaction, plan: restructure.RestructurePlan, progress: Progress | None
) -> None:
    kernel = session.kernel
    statements = list(plan.statements(kernel.dialect))
    what = text(ru="Перестройка таблиц", en="Restructuring the tables")
    for done, statement in enumerate(statements, 1):
        tx.run([statement])
        if progress:
            progress(what, done, len(statements))
    restructure.refill(tx, plan, kernel.dialect)
    for register in kernel.layout.registers.values():
        if register.turnovers is not None:
            tx.run(rebuild_statements(kernel, register.full_name))
    tx.run([configuration_row(kernel, kernel.configuration, MAIN_ROW), _DROP_PENDING])
    write_predefined(session)


def _demand_unchanged(base: Infobase, tx: Transaction) -> None:
    """Between the look and the lock somebody else may have updated."""
    rows = tx.run([Statement(f"SELECT digest FROM sys_configuration WHERE row_key = {MAIN_ROW}")])[0]
    if not rows or rows[0][0] != canonical.digest(base.kernel.configuration):
        raise ConfigurationChanged(place=base.kernel.engine.place)


def _note_failure(session: Session, e: InfobaseError) -> None:
    entry = session.log_entry("_$InfoBase$_.DBConfigUpdate", severity="Error", comment=str(e), transaction="RolledBack")
    session.kernel.engine.event_log().append([entry])


@contextmanager
def _alone(engine: StorageEngine, timeout: float, terminate: str | None) -> Iterator[None]:
    """Exclusive mode; with `terminate`, again and again ending whoever comes in before it is had."""
    deadline = time.monotonic() + timeout
    with ExitStack() as stack:
        while True:
            left = deadline - time.monotonic()
            if terminate is not None:
                engine.administration().terminate(None, terminate)
                left = min(left, _TRY_SECONDS)
            try:
                stack.enter_context(engine.exclusive(max(left, 0)))
                break
            except (InfobaseBusy, InfobaseLockedExclusively):
                if terminate is None or time.monotonic() >= deadline:
                    raise
        yield
