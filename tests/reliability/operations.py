"""The long operations as a user starts them, each with what was there before and what must be there after."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass

from infobase.errors import CheckFailed
from infobase.storage import Statement
from tests.bases import Place
from tests.reliability import states
from tests.reliability.disk import sync_disk_of
from tests.reliability.ground import Ground, make_base
from tests.reliability.states import NEW, OLD, OLD_GOOD, Broken

__all__ = ["FILE_OPERATIONS", "NEW", "OLD", "OPERATIONS", "Broken", "Operation"]


@dataclass(frozen=True)
class Operation:
    """`prepare` puts the old state in place (again); `state` tells which of the two is there, or raises Broken. `good`: exit codes of
    a line that did its work."""

    name: str
    arguments: Callable[[Ground], list[str]]
    prepare: Callable[[Ground], None]
    state: states.State
    good: tuple[int, ...] = (0,)


# --- old states ---


def _nothing(ground: Ground) -> None:
    ground.clear()


def _old_base(name: str) -> Callable[[Ground], None]:
    """A base with one item that is nowhere else."""

    def prepare(ground: Ground) -> None:
        def make(target: Place) -> None:
            make_base(target, ground.old_configuration)
            with target.session() as session:
                session.catalogs.Goods.new(Description=OLD_GOOD).write()

        ground.put_back("old", make)
        states.remember_old(ground, name)

    return prepare


def _full_base(name: str) -> Callable[[Ground], None]:
    """The source's content."""

    def prepare(ground: Ground) -> None:
        ground.put_back("full", lambda target: ground.must("restore", str(ground.dump), target.connection))
        states.remember_old(ground, name)

    return prepare


def _base_with_events(ground: Ground) -> None:
    def make(target: Place) -> None:
        make_base(target, ground.old_configuration)
        with target.session() as session:
            for n in range(60):
                session.catalogs.Goods.new(Description=f"Событие {n}").write()

    (ground.work / "archive.lgd").unlink(missing_ok=True)
    ground.put_back("events", make)
    if "events" not in ground.memory:
        states.remember_events(ground)


def _damaged_base(ground: Ground) -> None:
    def make(target: Place) -> None:
        ground.must("restore", str(ground.dump), target.connection)
        with target.session() as session, session.transaction() as tx:
            tx.run([Statement("UPDATE acc_stock__balance SET quantity = quantity + 1")])
            tx.run([Statement("UPDATE cat_goods SET description__search = 'x'")])

    shutil.rmtree(ground.work / "mended", ignore_errors=True)
    ground.put_back("damaged", make)


def _old_dump(ground: Ground) -> None:
    (ground.work / "made.dt").write_bytes(b"the old dump")


def _no_folder(name: str) -> Callable[[Ground], None]:
    def prepare(ground: Ground) -> None:
        shutil.rmtree(ground.work / name, ignore_errors=True)

    return prepare


def _no_backups(ground: Ground) -> None:
    shutil.rmtree(ground.work / "backups", ignore_errors=True)
    (ground.work / "backups").mkdir()


def _old_list(ground: Ground) -> None:
    lines = "".join(f'[{name}]\r\nConnect=File="/{n}";\r\n' for n, name in enumerate(("Старая", "Вторая")))
    ground.list.write_text("\ufeff" + lines, "utf-8", newline="")


def _old_export(ground: Ground) -> None:
    (ground.work / "events.jsonl").write_bytes(b"old")
    if "events of source" not in ground.memory:
        engine = ground.source.engine()
        ground.memory["events of source"] = json.dumps([str(e) for e in states.events(engine)])
        engine.close()


def settled(operation: Operation, ground: Ground) -> None:
    """The old state, on the disk."""
    operation.prepare(ground)
    sync_disk_of(ground.work)


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "create",
        lambda g: ["create", g.target.connection, "--template", str(g.old_configuration), "--admin", ""],
        _nothing,
        states.absent_or_empty,
    ),
    Operation(
        "create-from-template",
        lambda g: ["create", g.target.connection, "--template", str(g.dump), "--admin", ""],
        _nothing,
        states.absent_or_equal,
    ),
    Operation(
        "dump",
        lambda g: ["dump", g.source.connection, str(g.work / "made.dt"), "--replace"],
        _old_dump,
        states.dump_state,
    ),
    Operation(
        "restore",
        lambda g: ["restore", str(g.dump), g.target.connection, "--replace", "--yes"],
        _old_base("restore"),
        states.old_or_source("restore"),
    ),
    Operation(
        "replicate",
        lambda g: ["replicate", g.source.connection, g.target.connection],
        _nothing,
        states.absent_or_equal,
    ),
    Operation(
        "move-from-other-mode",
        lambda g: ["replicate", g.other.connection, g.target.connection, "--replace", "--yes"],
        _old_base("move-from-other-mode"),
        states.old_or_source("move-from-other-mode"),
    ),
    Operation(
        "config-apply",
        lambda g: ["config", "apply", g.target.connection, str(g.configuration), "--yes"],
        _old_base("config-apply"),
        states.old_or_updated,
    ),
    Operation(
        "backup",
        lambda g: ["backup", "make", g.source.connection, str(g.work / "backups"), "--plain"],
        _no_backups,
        states.backup_state,
    ),
    Operation(
        "backup-restore",
        lambda g: ["backup", "restore", str(g.work / "good-backups"), g.target.connection, "--replace", "--yes"],
        _old_base("backup-restore"),
        states.old_or_source("backup-restore"),
    ),
    Operation(
        "prepare",
        lambda g: ["prepare", g.target.connection, "--yes", "--remove-documents"],
        _full_base("prepare"),
        states.old_or_prepared,
    ),
    Operation("post", lambda g: ["post", g.target.connection], _full_base("post"), states.old_or_posted),
    Operation(
        "classifier-load",
        lambda g: ["classifier", "load", "okei", "builtin", g.target.connection],
        _old_base("classifier-load"),
        states.old_or_loaded,
    ),
    Operation(
        "check-fix",
        lambda g: ["check", g.target.connection, "--fix", "--backup", str(g.work / "mended")],
        _damaged_base,
        states.damaged_or_mended,
        (0, CheckFailed.exit_code),  # the scratch server does not wait for the disk, which the check remarks on
    ),
    Operation(
        "log-trim",
        lambda g: [
            *("log", "trim", g.target.connection, "--before", "2999-01-01"),
            *("--save-as", str(g.work / "archive.lgd")),
        ],
        _base_with_events,
        states.trimmed_state,
    ),
    Operation(
        "log-export",
        lambda g: ["log", "export", g.source.connection, str(g.work / "events.jsonl"), "--replace"],
        _old_export,
        states.exported_state,
    ),
    Operation("drop", lambda g: ["drop", g.target.connection, "--yes"], _old_base("drop"), states.dropped_or_old),
    Operation("list-add", lambda g: ["list", "add", "Новая", g.source.connection], _old_list, states.list_state),
)
"""On both modes."""
FILE_OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "copy",
        lambda g: ["copy", g.source.connection, str(g.work / "copied")],
        _no_folder("copied"),
        states.copy_state,
    ),
    Operation(
        "template-install",
        lambda g: [
            *("template", "install", str(next((g.work / "packages").glob("*/")))),
            *("--root", str(g.work / "templates"), "--no-description"),
        ],
        _no_folder("templates"),
        states.installed_state,
    ),
    Operation(
        "template-build",
        lambda g: [
            *("template", "build", str(g.old_configuration.parent), "--version", "2.0.0.1", "--vendor", "Shop"),
            *("--out", str(g.work / "built")),
        ],
        _no_folder("built"),
        states.built_state,
    ),
)
"""Of file bases, and of files alone."""
