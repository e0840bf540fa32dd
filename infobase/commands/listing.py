"""`infobase list`: the list of infobases, the same `ibases.v8i` that 1C's starter shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from infobase import list_file
from infobase.commands.interface import command_in, group, json_option, option
from infobase.commands.output import plain, print_json, print_table, remark, say
from infobase.connection import engine_of
from infobase.connection_string import ConnectionString, folder, masked, parse
from infobase.errors import GenuineFile, InfobaseError, ListFaulty, ListInvalid, TargetExists
from infobase.files import write_atomically
from infobase.i18n import text
from infobase.list_lint import lint, mend
from infobase.list_merge import merge, selection
from infobase.list_model import ROOT, BaseList, Section, clean_path
from infobase.storage import StorageEngine

listing = group("list", ru="Список информационных баз (ibases.v8i)", en="The list of infobases (ibases.v8i)")

_FILE = click.Path(dir_okay=False, path_type=Path)
list_option = option(
    "--list",
    "file",
    type=_FILE,
    ru="Файл списка (иначе INFOBASE_LIST или список 1С этого пользователя)",
    en="File of the list (else INFOBASE_LIST, or this user's 1C list)",
)


def place_of(file: Path | None) -> Path:
    return file or list_file.default_place()


# --- showing ---


@dataclass(frozen=True)
class _Line:
    """An entry as it is shown. `source`: "" for the user's own list, else the common list it comes from."""

    section: Section
    depth: int
    orphan: bool
    source: str


@command_in(
    listing,
    "show",
    ru="""Показать базы списка деревом групп

Вместе с базами общих списков (CommonInfoBases из 1cestart.cfg), которые доступны только для чтения.""",
    en="""Show the bases of the list as a tree of groups

Together with those of the common lists (CommonInfoBases of 1cestart.cfg), which are read-only.""",
)
@list_option
@option("--group", "branch", default=ROOT, ru="Только эта группа", en="This group alone")
@option("--flat", is_flag=True, ru="Без групп, в порядке списка (OrderInList)", en="Without groups, by OrderInList")
@option("--no-common", is_flag=True, ru="Без общих списков", en="Without the common lists")
@json_option
def show(file: Path | None, branch: str, flat: bool, no_common: bool, as_json: bool) -> None:
    place = place_of(file)
    own = list_file.read(place)
    lines = [*_lines(own, branch, ""), *([] if no_common else _common(own, place, branch))]
    if flat:
        lines = sorted(
            (line for line in lines if not line.section.is_group), key=lambda n: n.section.order("OrderInList")
        )
    if as_json:
        print_json([_as_json(line) for line in lines])
        return
    if not lines:
        say(text(ru=f"Список пуст: {place}", en=f"The list is empty: {place}"))
        return
    headers = [text(ru="Имя", en="Name"), text(ru="Группа", en="Group"), text(ru="Соединение", en="Connect")]
    print_table(headers, [_row(line, flat=flat) for line in lines])


def _lines(bases: BaseList, branch: str, source: str) -> Iterator[_Line]:
    below = clean_path(branch).casefold().rstrip("/") + "/"
    for node in bases.tree():
        if (node.section.path.casefold() + "/").startswith(below):
            yield _Line(node.section, node.depth, node.orphan, source)


def _common(own: BaseList, place: Path, branch: str) -> Iterator[_Line]:
    """Entries of the common lists; an ID that was shown already is the same base."""
    seen = {s.id.casefold() for s in own.sections if s.id}
    for shared in list_file.shared_lists(place):
        if shared.trouble:
            ru = f"Общий список {shared.label} (назван в {shared.named_in}) не прочитан: {shared.trouble}"
            remark(text(ru=ru, en=f"The common list {shared.label} ({shared.named_in}) was not read: {shared.trouble}"))
            continue
        if shared.stale:
            ru, en = f"Общий список {shared.label}: {shared.stale}", f"The common list {shared.label}: {shared.stale}"
            remark(text(ru=ru, en=en))
        for line in _lines(list_file.read(shared.place), branch, shared.label):
            key = line.section.id.casefold()
            if not key or key not in seen:
                seen.add(key)
                yield line


def _row(line: _Line, *, flat: bool) -> tuple[str, str, str]:
    s = line.section
    indent = "" if flat else "  " * line.depth
    name = f"{indent}{s.name}/" if s.is_group else f"{indent}{s.name}"
    where = s.folder
    if line.orphan:
        where += text(ru=" (группы нет)", en=" (no such group)")
    if line.source:
        where += text(ru=f" [общий: {line.source}]", en=f" [common: {line.source}]")
    return name, where, masked(s.connect)


def _as_json(line: _Line) -> dict[str, object]:
    """The documented shape of `list show --json`."""
    s = line.section
    return {
        "kind": "group" if s.is_group else "base",
        "name": s.name,
        "folder": s.folder,
        "path": s.path if s.is_group else "",
        "connect": masked(s.connect),
        "id": s.id,
        "orphan": line.orphan,
        "read_only": bool(line.source),
        "source": line.source,
    }


# --- adding ---


@command_in(
    listing,
    "add",
    ru="""Добавить базу в список

CONN - строка соединения или папка базы; папка с 1Cv8.1CD, скопированным вручную, добавляется сразу, каким бы большим он ни был.""",
    en="""Add a base to the list

CONN is a connection string or the base's folder; a folder with a 1Cv8.1CD copied by hand is added at once, whatever its size.""",
)
@click.argument("name", metavar="NAME")
@click.argument("connection", metavar="CONN")
@option("--group", "--folder", "branch", default=ROOT, ru="Группа, например /Учёт", en="Group, such as /Accounting")
@list_option
def add(name: str, connection: str, branch: str, file: Path | None) -> None:
    where = parse(connection)
    if where.kind == "list":
        where = folder(where.name)
    if where.kind == "file":
        where = folder(where.file.absolute())
        look_at_base(where)
    made = list_file.edit(place_of(file), lambda bases: bases.add(name, where, branch))
    say(text(ru=f"Добавлена база «{made.name}»: {made.connect}", en=f"Added {made.name!r}: {made.connect}"))
    if where.without_secrets() != where:
        ru = "Пароли в списке не хранятся: передавайте их через INFOBASE_PASSWORD, пароль СУБД - через PGPASSWORD."
        say(text(ru=ru, en="Passwords are not kept in the list: pass INFOBASE_PASSWORD, and PGPASSWORD for the DBMS."))


def look_at_base(where: ConnectionString) -> None:
    """Say what is wrong with the base in a folder; it may be added all the same. Reads the head of its file, no more."""
    engine = engine_of(where)
    try:
        if not engine.exists():
            ru = f"Базы в папке {engine.place} ещё нет."
            remark(text(ru=ru, en=f"There is no base in {engine.place} yet."))
        elif (journal := _journal_left(engine)) and not engine.sessions():
            ru = (
                f"Рядом с базой лежит непустой журнал {journal}, а базу никто не открывал. Если 1Cv8.1CD скопирован сюда вручную, "
                "журнал остался от другой базы: уберите его до первого открытия, иначе он испортит копию."
            )
            en = (
                f"A journal that is not empty, {journal}, lies beside the base, which nobody has open. If 1Cv8.1CD was copied here by hand, "
                "the journal is another base's: remove it before the first opening, or it will spoil the copy."
            )
            remark(text(ru=ru, en=en))
    except GenuineFile as e:
        remark(e)
    except InfobaseError as e:
        remark(text(ru=f"Внимание: {e}", en=f"Attention: {e}"))
    finally:
        engine.close()


def _journal_left(engine: StorageEngine) -> str:
    """The name of a journal beside the base's file that holds something; "" when there is none."""
    journals = ("1Cv8.1CD-wal", "1Cv8.1CD-journal")
    return next((name for name, size in engine.size().details.items() if name in journals and size != "0"), "")


@command_in(
    listing, "group", ru="Создать группу, если нужно - вместе с вышестоящими", en="Make a group, and those above it"
)
@click.argument("path", metavar="GROUP")
@list_option
def make_group(path: str, file: Path | None) -> None:
    made = list_file.edit(place_of(file), lambda bases: bases.add_group(path))
    say(text(ru=f"Группа: {made}", en=f"Group: {made}"))


# --- changing ---


@command_in(
    listing,
    "move",
    ru="Перенести базу или группу (/Группа) в другую группу или на другое место в ней",
    en="Move a base or a group (/Group) into another group, or to another place in it",
)
@click.argument("name", metavar="NAME")
@click.argument("target", metavar="GROUP")
@option("--before", "neighbour", default="", ru="Перед этой базой или группой", en="Before this base or group")
@option("--first", is_flag=True, ru="В начало группы (иначе в конец)", en="At the group's beginning (else its end)")
@list_option
def move(name: str, target: str, neighbour: str, first: bool, file: Path | None) -> None:
    def change(bases: BaseList) -> str:
        entry = bases.entry(name)
        bases.move(entry, target, before=bases.entry(neighbour) if neighbour else None, first=first)
        return entry.path

    moved = list_file.edit(place_of(file), change)
    say(text(ru=f"Перенесено: {moved}", en=f"Moved: {moved}"))


@command_in(listing, "rename", ru="Переименовать базу или группу (/Группа)", en="Rename a base or a group (/Group)")
@click.argument("name", metavar="NAME")
@click.argument("new", metavar="NEW")
@list_option
def rename(name: str, new: str, file: Path | None) -> None:
    list_file.edit(place_of(file), lambda bases: bases.rename(bases.entry(name), new))
    say(text(ru=f"Переименовано: {name} -> {new}", en=f"Renamed: {name} -> {new}"))


@command_in(
    listing,
    "remove",
    ru="Убрать базу или группу (/Группа) из списка (сами базы остаются)",
    en="Take a base or a group (/Group) off the list (the bases stay)",
)
@click.argument("name", metavar="NAME")
@option("--recursive", is_flag=True, ru="Группу вместе с её содержимым", en="A group with what is in it")
@list_option
def remove(name: str, recursive: bool, file: Path | None) -> None:
    gone = list_file.edit(place_of(file), lambda bases: bases.remove(name, recursive=recursive))
    if gone.is_group:
        say(text(ru=f"Убрана группа «{gone.path}»", en=f"Removed the group {gone.path!r}"))
    else:
        say(text(ru=f"Убрана база «{gone.name}»", en=f"Removed {gone.name!r}"))


# --- between people ---


@command_in(
    listing,
    "export",
    ru="Сохранить список или его часть в файл .v8i для других, без паролей",
    en="Write the list or a part of it into a .v8i for others, without passwords",
)
@click.argument("target", metavar="FILE.v8i", type=_FILE)
@click.argument("names", metavar="[NAME]...", nargs=-1)
@option("--group", "branch", default="", ru="Только эта группа", en="This group alone")
@option("--replace", is_flag=True, ru="Заменить файл, если он есть", en="Replace the file if there is one")
@list_option
def export(target: Path, names: tuple[str, ...], branch: str, replace: bool, file: Path | None) -> None:
    bases = list_file.read(place_of(file))
    chosen = selection(bases, target, [bases.entry(n) for n in names], branch)
    if target.exists() and not replace:
        raise TargetExists(place=target)
    write_atomically(target.absolute(), list_file.to_bytes(chosen))
    ru, en = f"Записано баз: {len(chosen.bases)}: {target}", f"Bases written: {len(chosen.bases)}: {target}"
    say(text(ru=ru, en=en))


@command_in(
    listing,
    "merge",
    ru="""Добавить в список базы из другого файла .v8i

Базы узнаются по ID: чего нет - добавляется, что есть - остаётся как было (или обновляется с ключом --update).""",
    en="""Take the bases of another .v8i into the list

Bases are known by their ID: what is missing is added, what is there stays as it was (or is updated with --update).""",
)
@click.argument("source", metavar="FILE.v8i", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@option("--into", default=ROOT, ru="Группа, куда добавлять", en="The group to add to")
@option(
    "--update",
    is_flag=True,
    ru="Взять настройки известных баз из файла",
    en="Take the settings of known bases from the file",
)
@option("--dry-run", is_flag=True, ru="Только показать, что изменится", en="Only show what would change")
@list_option
@json_option
def merge_lists(source: Path, into: str, update: bool, dry_run: bool, file: Path | None, as_json: bool) -> None:
    theirs = list_file.read(source)
    place = place_of(file)
    if dry_run:
        made = merge(list_file.read(place), theirs, into=into, update=update)
    else:
        made = list_file.edit(place, lambda bases: merge(bases, theirs, into=into, update=update))
    if as_json:
        print_json(made)
        return
    facts = [
        (text(ru="добавлено баз", en="bases added"), made.added),
        (text(ru="добавлено групп", en="groups added"), made.groups),
        (text(ru="обновлено", en="updated"), made.updated),
        (text(ru="уже были", en="were there"), made.kept),
    ]
    for what, names in facts:
        say(
            f"{what}: {len(names)}" + (f" ({', '.join(names[:10])}{'...' if len(names) > 10 else ''})" if names else "")
        )
    for theirs_name, ours in made.renamed.items():
        say(
            text(
                ru=f"имя занято: «{theirs_name}» добавлена как «{ours}»",
                en=f"name taken: {theirs_name!r} added as {ours!r}",
            )
        )


@command_in(
    listing,
    "lint",
    ru="Найти ошибки в файле списка; --fix исправляет то, что исправляется без догадок",
    en="Find the faults of the list's file; --fix mends what needs no guess",
)
@option("--fix", is_flag=True, ru="Исправить и переписать", en="Mend and write")
@list_option
@json_option
def lint_list(fix: bool, file: Path | None, as_json: bool) -> None:
    place = place_of(file)
    if fix and place.exists():
        list_file.edit(place, mend)
    found = lint(list_file.read(place))
    if as_json:
        print_json(plain(found))
    elif found:
        headers = [
            text(ru="Важность", en="Severity"),
            text(ru="Код", en="Code"),
            text(ru="Место", en="Place"),
            text(ru="Что найдено", en="Finding"),
        ]
        print_table(headers, [(f.severity, f.code, f.place, f.message) for f in found])
    errors = sum(f.severity == "error" for f in found)
    if errors:
        raise ListFaulty(place=place, count=errors)
    if not found and not as_json:
        say(text(ru="Ошибок нет", en="No faults"))


def add_to_list(file: Path | None, name: str, where: ConnectionString, branch: str) -> str:
    """Put a base just made into the list; the name it got there (with a number where its own was taken)."""

    def change(bases: BaseList) -> str:
        return bases.add(bases.free_name(name), where, branch).name

    try:
        return list_file.edit(place_of(file), change)
    except ListInvalid as e:
        remark(e)
        return ""
