"""`infobase check`: what is wrong with a base, and mending it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import click

from infobase import infobase as bases
from infobase import repair as repairs
from infobase.commands.access import Login, connection_argument, demand_administrator, login_options, opened, store
from infobase.commands.interface import command, json_option, option
from infobase.commands.output import print_json, print_table, progress, remark, say
from infobase.errors import CheckFailed, InfobaseDamaged, UsageError
from infobase.i18n import text
from infobase.served import door_of
from infobase.session import Session
from infobase.storage import Finding

_WAIT_SECONDS = 2.0


@command(
    "check",
    ru="""Проверить базу: хранилище, ссылки, итоги, нумерацию, поиск; исправить с --fix

Без --fix ничего не меняет. --fix работает монопольно, сначала сохраняет базу как есть, исправляет всё одной транзакцией и проверяет снова.
--copy проверяет (и исправляет) копию, а саму базу не трогает.""",
    en="""Check a base: store, references, totals, numbering, search; mend it with --fix

Without --fix nothing is changed. --fix works alone in the base, first keeps it as it is, mends everything in one transaction and checks again.
--copy checks (and mends) a copy and leaves the base alone.""",
)
@connection_argument()
@option("--copy", "on_copy", is_flag=True, ru="Работать на копии", en="Work on a copy")
@option("--fix", is_flag=True, ru="Исправить найденное", en="Mend what is found")
@option(
    "--bad-refs",
    type=click.Choice(get_args(repairs.BadRefs)),
    default="none",
    ru="Битые ссылки: none - оставить, clear - очистить, create - создать объекты вместо потерянных",
    en="Broken references: none leaves them, clear empties them, create makes objects in place of the lost ones",
)
@option(
    "--backup",
    type=click.Path(file_okay=False, path_type=Path),
    ru="Папка, где сохранить базу перед исправлением (иначе рядом с ней)",
    en="Folder to keep the base in before mending (else beside it)",
)
@option(
    "--wait",
    type=click.FloatRange(min=0),
    default=_WAIT_SECONDS,
    ru="Сколько секунд ждать, пока остальные выйдут (для --fix)",
    en="Seconds to wait until the others leave (for --fix)",
)
@login_options
@json_option
def check(
    connection: str,
    on_copy: bool,
    fix: bool,
    bad_refs: repairs.BadRefs,
    backup: Path | None,
    wait: float,
    login: Login,
    as_json: bool,
) -> None:
    if not fix and (backup is not None or bad_refs != "none"):
        raise UsageError(
            detail=text(ru="--backup и --bad-refs - для --fix", en="--backup and --bad-refs go with --fix")
        )
    try:
        _check(connection, login, CheckOptions(on_copy, fix, bad_refs, backup, wait), as_json=as_json)
    except InfobaseDamaged as e:
        _tell_store(connection, e, as_json=as_json)


@dataclass(frozen=True)
class CheckOptions:
    """What `check` was asked to do."""

    on_copy: bool
    fix: bool
    bad_refs: repairs.BadRefs
    backup: Path | None
    wait: float


def _check(connection: str, login: Login, options: CheckOptions, *, as_json: bool) -> None:
    fix, on_copy = options.fix, options.on_copy
    with opened(connection, login) as (base, session), progress() as step:
        demand_administrator(session)
        if not fix:
            findings = repairs.check_copy(base, step) if on_copy else bases.check(base, step)
        else:
            afar = door_of(base.kernel.engine) is not None
            report = _repair(base, session, options, step)
    if fix:
        _tell_report(report, afar=afar, as_json=as_json)
    else:
        _tell(findings, as_json=as_json)


def _tell_store(connection: str, e: InfobaseDamaged, *, as_json: bool) -> None:
    """A base too damaged to be opened: what its store itself complains of, as far as that can be asked, for nobody can log in."""
    complaints: list[Finding] = []
    with suppress(InfobaseDamaged), store(connection) as engine:
        complaints = engine.check()
    message = text(ru=f"база не открывается: {e}", en=f"the base cannot be opened: {e}")
    _tell([*complaints, Finding("error", "base.unreadable", message, str(e.fields.get("place", "")))], as_json=as_json)


def _beside(base: bases.Infobase) -> Path:
    place = Path(base.kernel.engine.place)
    return place.parent if place.is_dir() else Path.cwd()


def _repair(
    base: bases.Infobase, session: Session, options: CheckOptions, step: Callable[[str, int, int], None]
) -> repairs.Report:
    bad_refs, user = options.bad_refs, session.info.user
    if options.on_copy:
        return repairs.repair_copy(base, bad_refs=bad_refs, user=user, progress=step)
    if options.backup is not None and door_of(base.kernel.engine) is not None:
        ru = "база остаётся на сервере: прежний вид сохранит он сам; свою копию сделайте заранее: infobase dump"
        en = "the server itself keeps the base as it was; for a copy of your own first: infobase dump"
        raise UsageError(detail=text(ru=f"--backup: {ru}", en=f"--backup: {en}"))
    place = options.backup or _beside(base)
    return repairs.repair(base, bad_refs=bad_refs, backup=place, user=user, timeout=options.wait, progress=step)


def _tell_report(report: repairs.Report, *, afar: bool, as_json: bool) -> None:
    if as_json:
        print_json({"backup": report.backup, "mended": report.mended, "left": report.left})
        _demand_sound(report.left)
        return
    if report.backup is not None:
        where = text(ru=" (на компьютере сервера)", en=" (on the server's computer)") if afar else ""
        remark(
            text(ru=f"База до исправления: {report.backup}{where}", en=f"The base as it was: {report.backup}{where}")
        )
    if report.mended:
        headers = [text(ru="Исправлено", en="Mended"), text(ru="Место", en="Place"), text(ru="Строк", en="Rows")]
        print_table(headers, [(m.code, m.place, m.rows or "") for m in report.mended])
    _tell(report.left, as_json=False)


def _tell(findings: Sequence[Finding], *, as_json: bool) -> None:
    if as_json:
        print_json(findings)
    elif findings:
        headers = [
            text(ru="Важность", en="Severity"),
            text(ru="Код", en="Code"),
            text(ru="Место", en="Place"),
            text(ru="Что найдено", en="Finding"),
        ]
        print_table(headers, [(f.severity, f.code, f.place, f.message) for f in findings])
    _demand_sound(findings)
    if not as_json:
        say(text(ru="Ошибок нет", en="No faults"))


def _demand_sound(findings: Sequence[Finding]) -> None:
    errors = sum(f.severity == "error" for f in findings)
    if errors:
        raise CheckFailed(count=errors)
