"""The long operations as a user starts them, each with what was there before and what must be there after: the old state or the new one.

Every operation is a line of the command line, so that it can be killed, starved of disk or traced like any process.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infobase.check import check_base
from infobase.digest import base_digest
from infobase.errors import InfobaseError, InfobaseNotFound
from infobase.infobase import open_base
from infobase.list_file import read
from infobase.metadata import canonical
from infobase.restore import verify_dump
from tests.bases import SHOP, Place

ROOT = Path(__file__).parents[2]
OLD, NEW = "old", "new"


class Broken(AssertionError):
    """Neither the old state nor the new one."""


@dataclass(frozen=True)
class Ground:
    """Where an operation happens. `work`: a folder for files; `source`: a filled base that no operation changes;
    `target`: the connection string of the base an operation makes or changes."""

    work: Path
    source: Place
    target: Place

    @property
    def dump(self) -> Path:
        return self.work / "base.dt"

    @property
    def list(self) -> Path:
        return self.work / "ibases.v8i"

    @property
    def configuration(self) -> Path:
        return self.work / "configuration"


@dataclass(frozen=True)
class Operation:
    """`prepare` puts the old state in place (again); `state` tells which of the two is there, or raises Broken."""

    name: str
    arguments: Callable[[Ground], list[str]]
    prepare: Callable[[Ground], None]
    state: Callable[[Ground], str]


def environment(ground: Ground) -> dict[str, str]:
    return {**os.environ, "INFOBASE_LIST": str(ground.list), "PYTHONPATH": str(ROOT), "INFOBASE_LANG": "en"}


def command(operation: Operation, ground: Ground) -> list[str]:
    return [sys.executable, "-m", "cli", *operation.arguments(ground)]


def run(operation: Operation, ground: Ground) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(operation, ground),
        env=environment(ground),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def lay(ground: Ground, documents: int = 30) -> None:
    """The source base, its dump and the changed configuration; once."""
    ground.source.create()
    with ground.source.session() as session:
        goods = [session.catalogs.Goods.new(Description=f"Товар {n}") for n in range(20)]
        for g in goods:
            g.write()
        for n in range(documents):
            receipt = session.documents.Receipt.new()
            for g in goods[n % 10 : n % 10 + 5]:
                receipt.Goods.add(Item=g, Quantity=n + 1)
            receipt.post()
    _must(["dump", ground.source.connection, str(ground.dump)], ground)
    shutil.copytree(SHOP, ground.configuration)
    catalog = 'kind = "Catalog"\nname = "Colours"\nru = "Цвета"\n'
    (ground.configuration / "Catalogs" / "Colours.toml").write_text(catalog, "utf-8")
    goods_file = ground.configuration / "Catalogs" / "Goods.toml"
    with goods_file.open("a", encoding="utf-8") as file:
        file.write('[attributes.Weight]\nru = "Вес"\ntype = "Number(10,3)"\n')
    os.sync()


def _must(arguments: list[str], ground: Ground) -> None:
    done = run(_line(*arguments), ground)
    assert done.returncode == 0, done.stderr


# --- states ---


def _content(place: Place) -> str:
    """The digest of a sound base; "" where there is none."""
    engine = place.engine()
    try:
        base = open_base(engine)
        found = [f for f in engine.check() if f.severity == "error" and not f.code.startswith("server.")]
        with engine.transaction(write=False) as tx:
            found += [f for f in check_base(base.kernel, tx) if f.severity == "error"]
        if found:
            raise Broken(f"{place.connection}: {found[0].code} {found[0].message}")
        return base_digest(base.kernel).content_digest
    except InfobaseNotFound:
        return ""
    except InfobaseError as e:
        raise Broken(str(e)) from e
    finally:
        engine.close()


def _absent_or_equal(ground: Ground) -> str:
    found = _content(ground.target)
    if not found:
        return OLD
    if found != _content(ground.source):
        raise Broken("a base that is neither absent nor equal to its source")
    return NEW


def _absent_or_empty(ground: Ground) -> str:
    return NEW if _content(ground.target) else OLD


def _old_or_restored(ground: Ground) -> str:
    found = _content(ground.target)
    if found == _content(ground.source):
        return NEW
    with ground.target.session() as session:
        if session.catalogs.Goods.find_by_description("Прежний") is None:
            raise Broken("neither the old base nor the restored one")
    return OLD


def _old_or_updated(ground: Ground) -> str:
    _content(ground.target)
    engine = ground.target.engine()
    try:
        configuration = open_base(engine).kernel.configuration
    finally:
        engine.close()
    return NEW if "Catalog.Colours" in configuration.objects and canonical.digest(configuration) else OLD


def _dump_state(ground: Ground) -> str:
    target = ground.work / "made.dt"
    if hashlib.sha256(target.read_bytes()).digest() == hashlib.sha256(b"the old dump").digest():
        return OLD
    try:
        summary = verify_dump(target)
    except InfobaseError as e:
        raise Broken(str(e)) from e
    if summary.content_digest != _content(ground.source):
        raise Broken("the dump says something else than its base")
    return NEW


def _copy_state(ground: Ground) -> str:
    place = ground.work / "copied"
    if not place.exists():
        return OLD
    found = _content(Place(f'File="{place}";'))
    if found != _content(ground.source):
        raise Broken("a copy that differs from its base")
    return NEW


def _backup_state(ground: Ground) -> str:
    """Whatever `backup list` shows must verify; what is not whole must not be shown."""
    folder = ground.work / "backups"
    done = run(_line("backup", "verify", str(folder)), ground)
    shown = run(_line("backup", "list", str(folder), "--json"), ground)
    if shown.returncode:
        raise Broken(shown.stderr)
    copies = json.loads(shown.stdout)
    if copies and done.returncode:
        raise Broken(f"a backup that is listed does not verify: {done.stderr}")
    return NEW if copies else OLD


def _line(*arguments: str) -> Operation:
    return Operation("-", lambda _: list(arguments), lambda _: None, lambda _: OLD)


def _list_state(ground: Ground) -> str:
    found = read(ground.list)
    names = [s.name for s in found.sections]
    if names[:2] != ["Старая", "Вторая"]:
        raise Broken(f"the list has lost entries: {names}")
    return NEW if "Новая" in names else OLD


# --- old states ---


def _nothing(ground: Ground) -> None:
    ground.target.drop()


def _other_base(ground: Ground) -> None:
    ground.target.drop()
    ground.target.create()
    with ground.target.session() as session:
        session.catalogs.Goods.new(Description="Прежний").write()


def _old_configuration(ground: Ground) -> None:
    _other_base(ground)


def _old_dump(ground: Ground) -> None:
    (ground.work / "made.dt").write_bytes(b"the old dump")
    os.sync()


def _no_copy(ground: Ground) -> None:
    shutil.rmtree(ground.work / "copied", ignore_errors=True)


def _no_backups(ground: Ground) -> None:
    shutil.rmtree(ground.work / "backups", ignore_errors=True)
    (ground.work / "backups").mkdir()


def _old_list(ground: Ground) -> None:
    lines = "".join(f'[{name}]\r\nConnect=File="/{n}";\r\n' for n, name in enumerate(("Старая", "Вторая")))
    ground.list.write_text("\ufeff" + lines, "utf-8", newline="")
    os.sync()


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "create",
        lambda g: ["create", g.target.connection, "--template", str(SHOP), "--admin", ""],
        _nothing,
        _absent_or_empty,
    ),
    Operation(
        "dump", lambda g: ["dump", g.source.connection, str(g.work / "made.dt"), "--replace"], _old_dump, _dump_state
    ),
    Operation(
        "restore",
        lambda g: ["restore", str(g.dump), g.target.connection, "--replace", "--yes"],
        _other_base,
        _old_or_restored,
    ),
    Operation(
        "replicate", lambda g: ["replicate", g.source.connection, g.target.connection], _nothing, _absent_or_equal
    ),
    Operation(
        "config-apply",
        lambda g: ["config", "apply", g.target.connection, str(g.configuration), "--yes"],
        _old_configuration,
        _old_or_updated,
    ),
    Operation(
        "backup",
        lambda g: ["backup", "make", g.source.connection, str(g.work / "backups"), "--plain"],
        _no_backups,
        _backup_state,
    ),
    Operation(
        "create-from-template",
        lambda g: ["create", g.target.connection, "--template", str(g.dump), "--allow-empty-password"],
        _nothing,
        _absent_or_empty,
    ),
    Operation("list-add", lambda g: ["list", "add", "Новая", g.source.connection], _old_list, _list_state),
)
"""On both modes."""
FILE_OPERATIONS: tuple[Operation, ...] = (
    Operation("copy", lambda g: ["copy", g.source.connection, str(g.work / "copied")], _no_copy, _copy_state),
)
"""Of file bases."""
