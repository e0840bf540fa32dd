"""`template install|list|lint|remove|build|cache`: the store of templates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import click

from infobase.cache_folder import cache_folder
from infobase.commands.access import confirm, store
from infobase.commands.interface import command_in, group, json_option, option, yes_option
from infobase.commands.output import print_json, print_table, progress, remark, say, size_text
from infobase.errors import TemplateAmbiguous, TemplateFaulty, TemplateNotFound, UsageError
from infobase.i18n import text
from infobase.served import door_of
from templates_store import build as building
from templates_store import golden
from templates_store import install as installing
from templates_store import lint as linting
from templates_store.commands.output import fault_json, root_json, show_tree, template_json
from templates_store.find import matching
from templates_store.recipe import read_recipe
from templates_store.roots import Root, find_roots, install_root
from templates_store.supply import description
from templates_store.tree import collect, find_manifests

template = group(
    "template",
    ru="Шаблоны конфигураций: установка, дерево, проверка, сборка\n\nКаталоги шаблонов берутся из 1cestart.cfg и папки пользователя, либо из --root или INFOBASE_TEMPLATES.",
    en="Templates of configurations: installing, the tree, checking, building\n\nRoots come from 1cestart.cfg and the user's folder, or from --root or INFOBASE_TEMPLATES.",
)


def roots_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--root` (repeatable); the command receives the found `roots`, with what killed programs left put right."""

    @option(
        "--root",
        "given",
        multiple=True,
        type=click.Path(file_okay=False, path_type=Path),
        ru="Каталог шаблонов вместо обычных (можно несколько раз)",
        en="A root of templates in place of the usual ones (repeatable)",
    )
    @wraps(function)
    def command(*args: Any, given: tuple[Path, ...], **rest: Any) -> Any:
        return function(*args, roots=settled_roots(given), **rest)

    return command


def settled_roots(given: Sequence[Path] = ()) -> list[Root]:
    roots = find_roots(given)
    for root in roots:
        if not root.trouble:
            installing.settle(root.path)
    return roots


@command_in(
    template,
    "install",
    ru="Установить комплект поставки (папку, zip или 1cv8.efd) в каталог шаблонов",
    en="Install a package (a folder, a zip or 1cv8.efd) into a root of templates",
)
@click.argument("package", metavar="PACKAGE", type=click.Path(exists=True, path_type=Path))
@option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    ru="Каталог шаблонов (иначе каталог пользователя)",
    en="The root (else the user's own)",
)
@option("--replace", is_flag=True, ru="Заменить установленную версию", en="Replace an installed version")
@option("--no-description", is_flag=True, ru="Не показывать описание поставки", en="Do not show the supply description")
@json_option
def install(package: Path, root: Path | None, replace: bool, no_description: bool, as_json: bool) -> None:
    place = install_root(root)
    with progress() as step:
        done = installing.install(package, place, replace=replace, progress=step)
    described = "" if no_description else description(done.folder)
    if as_json:
        head = done.manifest
        print_json(
            {
                "folder": done.folder,
                "vendor": head.vendor,
                "configuration": head.name,
                "version": head.version,
                "files": done.files,
                "bytes": done.bytes,
                "replaced": done.replaced,
                "description": described,
            }
        )
        return
    amount = f"{done.files}, {size_text(done.bytes)}"
    ru, en = f"Установлено: {done.folder} (файлов {amount})", f"Installed: {done.folder} (files {amount})"
    say(text(ru=ru, en=en))
    if described:
        say("")
        say(described)


@command_in(
    template,
    "list",
    ru="Показать дерево установленных шаблонов",
    en="Show the tree of installed templates",
)
@roots_option
@json_option
def list_templates(roots: list[Root], as_json: bool) -> None:
    found = collect(roots)
    if as_json:
        print_json({"roots": [root_json(r) for r in roots], "templates": [template_json(t) for t in found]})
        return
    show_tree(found)
    for root in roots:
        if root.trouble and (root.origin or len(roots) == 1):
            origin = f" ({root.origin})" if root.origin else ""
            place = f"{root.place}{origin}"
            remark(text(ru=f"Каталог шаблонов {place}: {root.trouble}", en=f"Root {place}: {root.trouble}"))
    if not found:
        where = "; ".join(r.place for r in roots if not r.trouble)
        ru = "Шаблонов нет. Установить: infobase template install КОМПЛЕКТ"
        remark(text(ru=ru, en="No templates. To install one: infobase template install PACKAGE"))
        if where:
            remark(text(ru=f"Просмотрено: {where}", en=f"Searched: {where}"))


@command_in(
    template,
    "lint",
    ru="Объяснить каждую ошибку шаблонов: файл, строка, что ожидается\n\nPATH - манифест или папка; без него проверяются все каталоги шаблонов.",
    en="Explain every fault of templates: file, line, what is expected\n\nPATH is a manifest or a folder; without one all roots are checked.",
)
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(exists=True, path_type=Path))
@roots_option
@json_option
def lint(paths: tuple[Path, ...], roots: list[Root], as_json: bool) -> None:
    if paths:
        found = [fault for path in paths for fault in linting.lint_path(path)]
    else:
        found = [fault for root in roots for fault in linting.lint_root(root)]
    if as_json:
        print_json([fault_json(f) for f in found])
    elif found:
        words = {
            "error": text(ru="ошибка", en="error"),
            "warning": text(ru="предупреждение", en="warning"),
            "note": text(ru="замечание", en="note"),
        }
        headers = [text(ru="Место", en="Place"), text(ru="Важность", en="Severity"), text(ru="Что", en="What")]
        print_table(headers, [(f.place, words[f.severity], f"{f.message} [{f.code}]") for f in found])
    errors = sum(f.severity == "error" for f in found)
    if errors:
        raise TemplateFaulty(count=errors)
    if not as_json:
        say(text(ru="Ошибок нет", en="No faults"))


@command_in(
    template,
    "remove",
    ru="Удалить установленный шаблон\n\nNAME - путь в дереве, имя конфигурации или папка версии.",
    en="Remove an installed template\n\nNAME is a path in the tree, a configuration's name, or a version's folder.",
)
@click.argument("name", metavar="NAME")
@option("--template-version", "version", default="", ru="Версия", en="The version")
@roots_option
@yes_option
def remove(name: str, version: str, roots: list[Root], yes: bool) -> None:
    folder, root = _installed_folder(name, version, roots)
    confirm(text(ru=f"Удалить шаблон {folder}?", en=f"Remove the template {folder}?"), yes=yes)
    installing.remove(folder, root)
    say(text(ru=f"Удалено: {folder}", en=f"Removed: {folder}"))


def _installed_folder(name: str, version: str, roots: Sequence[Root]) -> tuple[Path, Path]:
    """The folder meant and the root it lies in. TemplateNotFound, TemplateAmbiguous."""
    installed = collect(roots)
    path = Path(name)
    files = list(find_manifests(path)) if path.is_dir() else [path] if path.is_file() else []
    named = [t.manifest_file for t in matching(installed, name, version)]
    folders = {file.parent.resolve() for file in files or named}
    inside = {f: r.path for f in folders for r in roots if not r.trouble and f.is_relative_to(r.path.resolve())}
    if not inside:
        detail = text(ru="среди установленных его нет", en="it is not among the installed")
        raise TemplateNotFound(name=name, detail=detail)
    if len(inside) > 1:
        raise TemplateAmbiguous(name=name, listing="; ".join(map(str, inside)))
    return next(iter(inside.items()))


@command_in(
    template,
    "build",
    ru="""Собрать комплект поставки конфигурации

FOLDER - папка, где лежит configuration/ (и, если нужно, template.toml и template/), или имя установленного поставщика данных.""",
    en="""Build a template package of a configuration

FOLDER holds configuration/ (and, if wanted, template.toml and template/), or is the name of an installed provider of data.""",
)
@click.argument("folder", metavar="FOLDER")
@option(
    "--version",
    required=True,
    ru="Версия конфигурации, например 1.0.0.1",
    en="The configuration's version, such as 1.0.0.1",
)
@option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    ru="Где создать комплект (иначе текущая папка)",
    en="Where to put the package (else the current folder)",
)
@option("--zip", "zipped", is_flag=True, ru="Одним архивом zip", en="As one zip archive")
@option("--vendor", default="", ru="Поставщик (иначе из конфигурации)", en="The vendor (else the configuration's)")
@option("--no-demo", is_flag=True, ru="Без учебной базы", en="Without a demonstration base")
@option("--replace", is_flag=True, ru="Заменить прежний комплект", en="Replace the package that is there")
@json_option
def build(
    folder: str, version: str, out: Path, zipped: bool, vendor: str, no_demo: bool, replace: bool, as_json: bool
) -> None:
    recipe = read_recipe(folder, version, vendor=vendor, demo=not no_demo)
    with progress() as step:
        made = building.build(recipe, out, zipped=zipped, replace=replace, progress=step)
    if as_json:
        head = made.manifest
        print_json(
            {
                "place": made.place.absolute(),
                "vendor": head.vendor,
                "configuration": head.name,
                "version": head.version,
                "files": made.files,
                "bytes": made.bytes,
                "dumps": {name: {"rows": d.rows, "demo": d.demo} for name, d in made.dumps.items()},
            }
        )
        return
    amount = f"{len(made.files)}, {size_text(made.bytes)}"
    say(text(ru=f"Собран комплект: {made.place} (файлов {amount})", en=f"Built: {made.place} (files {amount})"))
    if not recipe.demo:
        remark(text(ru="Учебной базы в комплекте нет.", en="There is no demonstration base in it."))


@command_in(
    template,
    "cache",
    ru="""Эталоны шаблонов: сколько их и как удалить

CONN - база на сервере: удалить эталоны, созданные отсюда рядом с ней; без него - файлы этого компьютера.""",
    en="""Golden bases of templates: how many there are, and their removal

CONN is a base on a server: remove the golden bases made from here beside it; without one, the files of this computer.""",
)
@click.argument("connection", metavar="[CONN]", required=False, default="")
@option(
    "--clear", is_flag=True, ru="Удалить их: будут созданы заново", en="Remove them: they are made again when needed"
)
@json_option
def cache(connection: str, clear: bool, as_json: bool) -> None:
    folder = cache_folder() / "golden"
    if connection:
        if not clear:
            ru = "с CONN укажите --clear: эталоны на сервере можно только удалить"
            raise UsageError(
                detail=text(ru=ru, en="with CONN give --clear: golden bases on a server can only be removed")
            )
        with store(connection) as engine:
            if door_of(engine) is not None:
                ru = "через Srvr= базы создаются без эталонов; эталоны рядом с базой: DBMS=PostgreSQL;DBSrvr=..;DB=..;"
                en = "through Srvr= bases are made without golden bases; those beside a base: DBMS=PostgreSQL;DBSrvr=..;DB=..;"
                raise UsageError(detail=text(ru=ru, en=en))
            count, total, place = golden.clear_at(engine, folder), 0, engine.place
    else:
        places = golden.kept(folder)
        count, total, place = len(places), sum(map(golden.size_of, places)), str(folder)
        if clear:
            golden.clear(folder)
    if as_json:
        print_json({"place": place, "count": count, "bytes": total, "cleared": clear})
        return
    amount = f"{count}, {size_text(total)} ({place})" if total else f"{count} ({place})"
    if clear:
        say(text(ru=f"Удалено эталонов: {amount}", en=f"Golden bases removed: {amount}"))
    else:
        say(text(ru=f"Эталонов: {amount}", en=f"Golden bases: {amount}"))
