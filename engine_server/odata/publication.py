"""«Состав OData»: which objects of the configuration are published. A setting of the base; nothing is published until someone ticks it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from engine_server.odata.model import PUBLISHABLE, type_name
from infobase.errors import ODataContentInvalid
from infobase.metadata.model import KINDS, Configuration
from infobase.query_names import nearest
from infobase.session import Session

SETTING = "odata_content"
EVERYTHING = ("*", "all", "все")


def published(session: Session) -> list[str]:
    """Full names of the published objects, those that the configuration still has."""
    stored = session.settings.get(SETTING)
    names = json.loads(stored) if stored else []
    return [n for n in names if n in session.kernel.configuration.objects]


def publish(session: Session, names: Sequence[str]) -> list[str]:
    """Publish more objects; the full list. ODataContentInvalid, AccessDenied."""
    wanted = resolve(session.kernel.configuration, names)
    return _store(session, {*published(session), *wanted})


def unpublish(session: Session, names: Sequence[str]) -> list[str]:
    """Take objects back; the full list. ODataContentInvalid, AccessDenied."""
    unwanted = set(resolve(session.kernel.configuration, names))
    return _store(session, {n for n in published(session) if n not in unwanted})


def _store(session: Session, names: Iterable[str]) -> list[str]:
    kept = set(names)
    ordered = [n for n in session.kernel.configuration.objects if n in kept]
    session.access.demand_configuration("Administration")
    session.settings.set(SETTING, json.dumps(ordered))
    return ordered


def resolve(configuration: Configuration, names: Sequence[str]) -> list[str]:
    """Names in either language ("Справочник.Контрагенты", "Catalog.Counterparties", "Catalog_Контрагенты", "*") -> full names."""
    known = {n: n for n, o in configuration.objects.items() if o.kind in PUBLISHABLE}
    called = {type_name(configuration.objects[n]).casefold(): n for n in known}
    called |= {n.replace(".", "_", 1).casefold(): n for n in known}
    made: list[str] = []
    for name in names:
        if name.casefold() in EVERYTHING:
            made += known
            continue
        found = configuration.find(name)
        full_name = called.get(name.casefold()) or (found.full_name if found is not None else "")
        if full_name not in known:
            raise ODataContentInvalid(name=name[:100], hint=nearest(name, _spellings(configuration, known)) or "-")
        made.append(full_name)
    return list(dict.fromkeys(made))


def _spellings(configuration: Configuration, names: Iterable[str]) -> list[str]:
    """How people may write the objects."""
    made = []
    for name in names:
        o = configuration.objects[name]
        made += [f"{KINDS[o.kind].ru}.{o.naming.ru}", name, type_name(o)]
    return made
