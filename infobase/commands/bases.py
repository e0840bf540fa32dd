"""`drop`, `info`, `copy`: a base as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from infobase import infobase as bases
from infobase.commands.access import (
    Login,
    confirm,
    connection_argument,
    demand_administrator,
    log_in,
    login_options,
    opened,
    store,
)
from infobase.commands.interface import command, json_option, option, yes_option
from infobase.commands.output import plain, print_facts, print_json, print_table, progress, remark, say, size_text
from infobase.connection_string import ConnectionString
from infobase.errors import InfobaseDamaged, TargetExists
from infobase.i18n import Bilingual, text
from infobase.list_file import resolve
from infobase.schema.layout import FieldLayout, Layout
from infobase.served import door_of
from infobase.storage import StorageEngine, Table

DEMO_WORDS = Bilingual(
    "учебная (демонстрационная) база: для знакомства, не для работы",
    "a demonstration base: for study, not for work",
)
"""How people are told that a base is not one to work in."""


def default_name(where: ConnectionString) -> str:
    """The last word of a place: the folder's name or the database's."""
    if where.get("url"):
        return unquote(urlsplit(where.get("url")).path).strip("/") or "infobase"
    return where.get("DB") or where.get("Ref") or where.file.absolute().name or "infobase"


@command(
    "drop",
    ru="Удалить информационную базу вместе с её журналом",
    en="Remove an infobase with its event log",
)
@connection_argument()
@login_options
@yes_option
def drop(connection: str, login: Login, yes: bool) -> None:
    where = resolve(connection)
    with store(where) as engine:
        title = may_replace(engine, where, login)
        ru = f"Удалить базу «{title}» ({engine.place}) без возможности восстановления?"
        confirm(text(ru=ru, en=f"Remove the base {title!r} ({engine.place}) for good?"), yes=yes)
        engine.drop()
        say(text(ru=f"Удалена информационная база: {engine.place}", en=f"Removed the infobase: {engine.place}"))


def may_replace(engine: StorageEngine, where: ConnectionString, login: Login) -> str:
    """The name of the base that stands here, once its administrator has logged in. A damaged base has nobody to ask. At an application
    server the session stays open as long as `engine`: it is his leave to replace the base."""
    try:
        base, session = log_in(engine, where, login)
        try:
            demand_administrator(session)
        finally:
            if door_of(engine) is None:
                session.close()
        return base.name
    except InfobaseDamaged as e:
        remark(e)
        return default_name(where)


def ask_to_replace(engine: StorageEngine, where: ConnectionString, login: Login, *, replace: bool, yes: bool) -> None:
    """A base that is there already is replaced only by its administrator, on purpose and after a yes."""
    if not engine.exists():
        return
    place = engine.place
    if not replace:
        raise TargetExists(place=place)
    title = may_replace(engine, where, login)
    ru = f"Заменить базу «{title}» ({place})? Её данные будут потеряны."
    confirm(text(ru=ru, en=f"Replace the base {title!r} ({place})? Its data will be lost."), yes=yes)


@command(
    "info",
    ru="Сведения о базе: режим, конфигурация, размер, число строк, хеш содержимого",
    en="About a base: mode, configuration, size, rows, content digest",
)
@connection_argument()
@login_options
@option(
    "--storage", is_flag=True, ru="Показать таблицы и колонки объектов", en="Show the tables and columns of objects"
)
@json_option
def info(connection: str, login: Login, storage: bool, as_json: bool) -> None:
    with opened(connection, login) as (base, session):
        demand_administrator(session)
        if storage:
            _print_storage(base.kernel.layout, as_json=as_json)
            return
        with progress() as step:
            found = bases.describe(base, step)
    if as_json:
        print_json(info_json(found))
        return
    print_facts(
        {
            text(ru="Имя", en="Name"): found.name,
            text(ru="Место", en="Place"): found.place,
            text(ru="Режим", en="Mode"): found.mode,
            text(ru="Идентификатор", en="Id"): found.id,
            text(ru="Создана", en="Created"): found.created,
            **({text(ru="Назначение", en="Purpose"): DEMO_WORDS} if found.demo else {}),
            text(ru="Конфигурация", en="Configuration"): f"{found.configuration} {found.configuration_version}",
            text(ru="Хеш конфигурации", en="Configuration digest"): found.configuration_digest,
            text(ru="Размер", en="Size"): size_text(found.size_bytes),
            text(ru="Хеш содержимого", en="Content digest"): found.content_digest,
            **found.details,
        }
    )
    filled = [(table, rows) for table, rows in found.rows.items() if rows]
    print_table([text(ru="Таблица", en="Table"), text(ru="Строк", en="Rows")], filled)


def info_json(found: bases.InfobaseInfo) -> dict[str, object]:
    """The documented shape of `info --json`."""
    configuration = {
        "name": found.configuration,
        "version": found.configuration_version,
        "digest": found.configuration_digest,
    }
    return {
        "mode": found.mode,
        "place": found.place,
        "id": plain(found.id),
        "name": found.name,
        "created": found.created,
        "demo": found.demo,
        "configuration": configuration,
        "size_bytes": found.size_bytes,
        "rows": found.rows,
        "content_digest": found.content_digest,
        "details": found.details,
    }


def _print_storage(layout: Layout, *, as_json: bool) -> None:
    rows = list(_storage_rows(layout))
    if as_json:
        names = ("object", "field", "ru", "table", "columns", "kinds")
        print_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    headers = [
        text(ru="Объект", en="Object"),
        text(ru="Поле", en="Field"),
        text(ru="По-русски", en="In Russian"),
        text(ru="Таблица", en="Table"),
        text(ru="Колонки", en="Columns"),
        text(ru="Тип хранения", en="Stored as"),
    ]
    print_table(headers, rows)


def _storage_rows(layout: Layout) -> Iterator[tuple[str, ...]]:
    for name, o in layout.objects.items():
        yield from _field_rows(name, o.table, o.fields)
        for section in o.sections.values():
            yield from _field_rows(f"{name}.{section.name}", section.table, section.fields)
    for name, r in layout.registers.items():
        yield from _field_rows(name, r.table, r.fields)
        for what, totals in (("Balance", r.balance), ("Turnovers", r.turnovers)):
            if totals is not None:
                columns = ", ".join(c.name for c in totals.columns)
                yield (f"{name}.{what}", "", "", totals.name, columns, text(ru="итоги", en="totals"))
    yield from _field_rows("Constants", layout.constants_table, layout.constants)


def _field_rows(owner: str, table: Table, fields: tuple[FieldLayout, ...]) -> Iterator[tuple[str, ...]]:
    for f in fields:
        columns = [*f.columns, *([f.search] if f.search else [])]
        kinds = [f"decimal({c.digits},{c.scale})" if c.kind == "decimal" else c.kind for c in columns]
        yield (owner, f.name, f.field.naming.ru, table.name, ", ".join(c.name for c in columns), ", ".join(kinds))
