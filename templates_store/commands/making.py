"""Making the base that was chosen, and telling of it: what `create` and the wizard share."""

from __future__ import annotations

from infobase import infobase as bases
from infobase.appointing import usual_administrator
from infobase.commands.bases import DEMO_WORDS
from infobase.commands.output import progress, remark, say
from infobase.errors import PasswordRequired
from infobase.i18n import text
from infobase.infobase import Infobase
from infobase.metadata.archive import load_configuration
from infobase.metadata.model import Configuration
from infobase.storage import StorageEngine
from templates_store import creating
from templates_store.creating import Created, NewBase, demand_password
from templates_store.source import Source


def make(engine: StorageEngine, source: Source | None, wanted: NewBase) -> Created:
    """The base of what was chosen, with a password asked for where one is demanded and there is somebody to ask."""
    if source is None:
        return Created.of(_from_configuration(engine, bases.EMPTY, wanted))
    if source.kind == "folder":
        return Created.of(_from_configuration(engine, load_configuration(source.path), wanted))
    with progress() as step:
        return creating.create(engine, source.path, wanted, step)


def _from_configuration(engine: StorageEngine, configuration: Configuration, wanted: NewBase) -> Infobase:
    try:
        demand_password(engine, wanted)
    except PasswordRequired:
        ru = "Внимание: база на сервере создаётся без пароля администратора; задайте его: infobase user password"
        remark(text(ru=ru, en="Attention: a base on a server without a password; set one: infobase user password"))
    admin = usual_administrator() if wanted.admin is None else wanted.admin
    return bases.create(engine, configuration, name=wanted.name, admin=admin, password=wanted.password)


def tell(base: Created, listed: str) -> None:
    """What was made, in words."""
    shown = " ".join(base.configuration)
    ru = f"Создана информационная база «{base.name}»: {base.place} ({shown})"
    say(text(ru=ru, en=f"Created the infobase {base.name!r}: {base.place} ({shown})"))
    if base.demo:
        say(DEMO_WORDS)
    if listed:
        say(text(ru=f"В списке баз: {listed}", en=f"In the list: {listed}"))


def created_json(base: Created, source: Source | None, listed: str) -> dict[str, object]:
    """The documented shape of `create --json`."""
    name, version = base.configuration
    return {
        "place": base.place,
        "mode": base.mode,
        "id": base.id,
        "name": base.name,
        "demo": base.demo,
        "configuration": {"name": name, "version": version},
        "template": source.title if source else "",
        "listed": listed,
    }
