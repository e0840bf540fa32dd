"""`infobase backup CONN DIR` and what is done with backups afterwards: list, verify, restore, drill, schedule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from infobase.backups.drill import DrillReport
from infobase.backups.drill import drill as run_drill
from infobase.backups.folder import Backup, backups_in, find_backup, read_backup
from infobase.backups.keys import own_key_place
from infobase.backups.logged import logged_backup
from infobase.backups.make import MadeBackup
from infobase.backups.restore import restore_backup
from infobase.backups.retention import parse_rules
from infobase.backups.verify import Verdict, key_for, verify_backup
from infobase.commands.access import (
    Login,
    connection_argument,
    demand_administrator,
    login_options,
    opened,
    store,
)
from infobase.commands.bases import ask_to_replace
from infobase.commands.interface import Group, command_in, json_option, option, yes_option
from infobase.commands.output import print_facts, print_json, print_table, progress, remark, say, size_text
from infobase.durations import MINUTE, seconds_of, shown
from infobase.errors import BackupInvalid, InfobaseError, TargetExists, UsageError
from infobase.i18n import Bilingual, text
from infobase.list_file import resolve
from infobase.served import door_of
from infobase.standard_jobs import BackupParameters, schedule_backup

_FOLDER = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)


class _BackupGroup(Group):
    """`backup CONN DIR` is `backup make CONN DIR`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = [a for a in args if a not in ("--help", "--lang")]
        if words and args[0] not in ("--help", "--lang") and args[0] not in self.commands:
            args = ["make", *args]
        return super().parse_args(ctx, args)


backup = _BackupGroup(
    "backup",
    says=Bilingual(
        """Резервные копии базы

infobase backup CONN ПАПКА делает копию, не прерывая работы (то же, что backup make).""",
        """Backups of a base

infobase backup CONN DIR makes one while people work (the same as backup make).""",
    ),
)

_key_option = option(
    "--key-file",
    type=_FILE,
    ru="Файл ключа (его первая строка - секрет); копия будет зашифрована",
    en="Key file (its first line is the secret); the backup is encrypted",
)
_opening_key_option = option(
    "--key-file", type=_FILE, ru="Файл ключа зашифрованной копии", en="Key file of an encrypted backup"
)
_keep_option = option(
    "--keep",
    default="",
    ru="Что хранить: 2d:1h,30d:1d,1y:30d,5 - срок:шаг, срок или число последних (иначе хранится всё)",
    en="What stays: 2d:1h,30d:1d,1y:30d,5 - age:step, age, or the newest so many (else everything stays)",
)
_plain_option = option(
    "--plain", is_flag=True, ru="Не шифровать (копию базы на сервере)", en="Do not encrypt (a server base's backup)"
)


# --- making ---


@command_in(
    backup,
    "make",
    ru="""Сделать резервную копию, не прерывая работы, и сразу проверить её

Копия файловой базы - папка, которая открывается как база; копия базы на сервере - зашифрованная выгрузка.""",
    en="""Make a backup while people work, and verify it at once

A file base's backup is a folder that opens as a base; a server base's backup is an encrypted dump.""",
)
@connection_argument()
@click.argument("folder", metavar="DIR", type=_FOLDER)
@_keep_option
@_key_option
@_plain_option
@login_options
@json_option
def make(
    connection: str, folder: Path, keep: str, key_file: Path | None, plain: bool, login: Login, as_json: bool
) -> None:
    parse_rules(keep)
    with opened(connection, login) as (base, session):
        demand_administrator(session)
        new_key = _new_key_place(base.id, key_file, encrypts=not plain and not base.kernel.engine.traits.backup_opens)
        with progress() as step:
            made = logged_backup(base, session, folder, key_file=key_file, plain=plain, keep=keep, progress=step)
    if new_key is not None:
        _tell_key(new_key)
    _print_made(made, as_json=as_json)


def _new_key_place(infobase_id: object, key_file: Path | None, *, encrypts: bool) -> Path | None:
    """The key that is about to be made."""
    place = own_key_place(str(infobase_id))
    return place if encrypts and key_file is None and not place.exists() else None


def _tell_key(place: Path) -> None:
    ru = f"Создан ключ резервных копий: {place}. Без него копии не открыть: сохраните его отдельно от базы и от копий."
    en = f"A key for backups was made: {place}. Nothing opens them without it: keep it apart from the base and the backups."
    remark(text(ru=ru, en=en))


def _print_made(made: MadeBackup, *, as_json: bool) -> None:
    if as_json:
        print_json({**_as_json(made.backup), "removed": made.removed})
        return
    m = made.backup.manifest
    print_facts(
        {
            text(ru="Резервная копия", en="Backup"): made.backup.place,
            text(ru="Размер", en="Size"): size_text(m.bytes),
            text(ru="Строк", en="Rows"): m.rows,
            text(ru="Хеш содержимого", en="Content digest"): m.content_digest,
            text(ru="Зашифрована", en="Encrypted"): m.encrypted,
            text(ru="Заняло", en="Took"): shown(m.seconds),
            text(ru="Удалено старых", en="Old ones removed"): len(made.removed),
        }
    )


def _as_json(found: Backup) -> dict[str, object]:
    """The documented shape of a backup."""
    m = found.manifest
    return {
        "place": found.place,
        "number": m.number,
        "infobase_id": m.infobase_id,
        "infobase_name": m.infobase_name,
        "mode": m.mode,
        "form": m.form,
        "encrypted": m.encrypted,
        "taken": m.taken,
        "seconds": m.seconds,
        "bytes": m.bytes,
        "rows": m.rows,
        "content_digest": m.content_digest,
    }


# --- looking ---


@command_in(
    backup, "list", ru="Показать копии в папке, последние - первыми", en="Show the backups of a folder, newest first"
)
@click.argument("folder", metavar="DIR", type=_FOLDER)
@json_option
def list_backups(folder: Path, as_json: bool) -> None:
    found, broken = backups_in(folder)
    for e in broken:
        remark(e)
    if as_json:
        print_json([_as_json(b) for b in found])
        return
    if not found:
        say(text(ru=f"Копий нет: {folder}", en=f"No backups: {folder}"))
        return
    headers = [
        text(ru="Номер", en="Number"),
        text(ru="Снимок (UTC)", en="Snapshot (UTC)"),
        text(ru="База", en="Base"),
        text(ru="Вид", en="Form"),
        text(ru="Зашифрована", en="Encrypted"),
        text(ru="Строк", en="Rows"),
        text(ru="Размер", en="Size"),
        text(ru="Папка", en="Folder"),
    ]
    print_table(headers, [_row(b) for b in found])


def _row(b: Backup) -> tuple[Any, ...]:
    m = b.manifest
    form = text(ru="папка", en="folder") if m.form == "folder" else text(ru="выгрузка", en="dump")
    return m.number, m.taken, m.infobase_name, form, m.encrypted, m.rows, size_text(m.bytes), b.place.name


@command_in(
    backup,
    "verify",
    ru="Проверить копию или все копии папки: контрольные суммы, выгрузки целиком, с --full и содержимое папок",
    en="Verify a backup, or all of a folder: checksums, dumps as a whole, with --full the content of folders too",
)
@click.argument("place", metavar="BACKUP|DIR", type=_FOLDER)
@option("--full", is_flag=True, ru="Открыть копию и сравнить содержимое", en="Open the copy and compare its content")
@_opening_key_option
@json_option
def verify(place: Path, full: bool, key_file: Path | None, as_json: bool) -> None:
    print_verdicts(place, full=full, key_file=key_file, as_json=as_json)


def print_verdicts(place: Path, *, full: bool, key_file: Path | None, as_json: bool) -> None:
    """Verify and tell; the first fault is the command's error."""
    verdicts, failures = verify_place(place, full=full, key_file=key_file)
    if as_json:
        rows = [{"place": v.backup.place, "depth": v.depth, "problem": v.problem} for v in verdicts]
        print_json(rows + [{"place": e.fields.get("place", place), "depth": "", "problem": str(e)} for e in failures])
    else:
        for v in verdicts:
            depth = text(ru="содержимое", en="content") if v.depth == "content" else text(ru="файлы", en="files")
            say(text(ru=f"В порядке ({depth}): {v.backup.place}", en=f"Sound ({depth}): {v.backup.place}"))
        for e in failures[1:]:
            remark(e)
    if failures:
        raise failures[0]


def verify_place(place: Path, *, full: bool, key_file: Path | None) -> tuple[list[Verdict], list[InfobaseError]]:
    """Every backup there is at a place, and what is wrong with the others."""
    failures: list[InfobaseError] = []
    if (place / "backup.json").exists():
        found = [read_backup(place)]
    else:
        found, broken = backups_in(place)
        failures += broken
    verdicts = []
    with progress() as step:
        for b in found:
            try:
                has_key = key_file is not None or own_key_place(b.manifest.infobase_id).exists()
                key = key_for(b, key_file) if has_key else None
                verdicts.append(verify_backup(b, key, full=full, progress=step))
            except InfobaseError as e:
                failures.append(e)
    if not verdicts and not failures:
        raise BackupInvalid(place=place, detail=text(ru="копий в папке нет", en="there are no backups in the folder"))
    return verdicts, failures


# --- coming back ---


@command_in(
    backup,
    "restore",
    ru="""Восстановить базу из копии (или из последней в папке) в любом режиме

На прежнем месте это та же база: с тем же идентификатором и расписанием заданий; на новом - новая.""",
    en="""Restore a base from a backup (or the newest of a folder), in any mode

In its old place it is the same base, with its id and schedule; anywhere else a new one.""",
)
@click.argument("place", metavar="BACKUP|DIR", type=_FOLDER)
@connection_argument()
@option("--name", default="", ru="Имя базы", en="Name of the base")
@option("--replace", is_flag=True, ru="Заменить базу, которая уже здесь", en="Replace the base that is already here")
@_opening_key_option
@yes_option
@login_options
def restore(
    place: Path, connection: str, name: str, replace: bool, key_file: Path | None, yes: bool, login: Login
) -> None:
    found = find_backup(place)
    key = key_for(found, key_file)
    where = resolve(connection)
    with store(where) as engine:
        ask_to_replace(engine, where, login, replace=replace, yes=yes)
        with progress() as step:
            base = restore_backup(found, engine, key=key, replace=replace, name=name, progress=step)
        ru = f"Восстановлена база «{base.name}» из {found.place}: {engine.place}"
        say(text(ru=ru, en=f"Restored the base {base.name!r} from {found.place}: {engine.place}"))


@command_in(
    backup,
    "drill",
    ru="""Учебное восстановление: последняя копия - во временную базу, сравнить, измерить, удалить

RPO - сколько данных пропало бы, если бы база погибла сейчас; RTO - за сколько копия становится проверенной базой.""",
    en="""Restore drill: the newest backup into a scratch base, compared, measured, removed

RPO: what would be lost if the base died now. RTO: how long a backup takes to become a proved base.""",
)
@click.argument("place", metavar="BACKUP|DIR", type=_FOLDER)
@option(
    "--into",
    default="",
    metavar="CONN",
    ru="Место временной базы (иначе временная папка)",
    en="Place of the scratch base",
)
@_opening_key_option
@json_option
def drill(place: Path, into: str, key_file: Path | None, as_json: bool) -> None:
    found = find_backup(place)
    key = key_for(found, key_file)
    where = resolve(into) if into else None
    if where is not None:
        with store(where) as engine:
            if door_of(engine) is not None:
                ru = "--into: папка или DBMS=PostgreSQL;..: восстановленное сравнивается прямо в хранилище"
                raise UsageError(detail=text(ru=ru, en="--into: a folder or DBMS=PostgreSQL;..: its store is compared"))
            if engine.exists():
                raise TargetExists(place=engine.place)
    with progress() as step:
        report = run_drill(found, key=key, into=where, progress=step)
    _print_drill(report, as_json=as_json)


def _print_drill(report: DrillReport, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "backup": report.backup,
                "rows": report.rows,
                "content_digest": report.content_digest,
                "rpo_seconds": round(report.rpo_seconds, 1),
                "widest_gap_seconds": round(report.widest_gap_seconds, 1),
                "restore_seconds": round(report.restore_seconds, 3),
                "proof_seconds": round(report.proof_seconds, 3),
                "rto_seconds": round(report.rto_seconds, 3),
                "warnings": report.warnings,
            }
        )
        return
    restored, proved = shown(report.restore_seconds), shown(report.proof_seconds)
    print_facts(
        {
            text(ru="Копия", en="Backup"): report.backup,
            text(ru="Строк", en="Rows"): report.rows,
            text(ru="Содержимое совпало", en="The content agrees"): report.content_digest,
            "RPO": shown(report.rpo_seconds),
            text(ru="Наибольший промежуток между копиями", en="Widest gap between backups"): shown(
                report.widest_gap_seconds
            ),
            "RTO": text(
                ru=f"{shown(report.rto_seconds)} (восстановление {restored}, проверка {proved})",
                en=f"{shown(report.rto_seconds)} (restoring {restored}, proving {proved})",
            ),
        }
    )
    for warning in report.warnings:
        remark(warning)


# --- schedule ---


@command_in(
    backup,
    "schedule",
    ru="""Делать копии по расписанию

Расписание хранится в базе; его выполняет infobase jobs run CONN или сервер приложений.""",
    en="""Make backups on a schedule

The schedule is kept in the base; `infobase jobs run CONN` or the application server carries it out.""",
)
@connection_argument()
@click.argument("folder", metavar="DIR", type=_FOLDER)
@option(
    "--every",
    default="30min",
    show_default=True,
    ru="Как часто: 30 (минут), 30min, 2h, 1d",
    en="How often: 30 (minutes), 30min, 2h, 1d",
)
@_keep_option
@_key_option
@_plain_option
@option("--name", default="backup", ru="Имя задания", en="Name of the job", show_default=True)
@login_options
@json_option
def schedule(
    connection: str,
    folder: Path,
    every: str,
    keep: str,
    key_file: Path | None,
    plain: bool,
    name: str,
    login: Login,
    as_json: bool,
) -> None:
    seconds = seconds_of(every, bare=MINUTE)
    parse_rules(keep)
    with opened(connection, login) as (base, session):
        demand_administrator(session)
        afar = door_of(base.kernel.engine) is not None
        place, kept_key = (_written(p, afar=afar) for p in (folder, key_file))
        made = schedule_backup(base, session, BackupParameters(place, keep, kept_key, plain), seconds, name)
    if as_json:
        print_json(made)
        return
    if afar:
        ru = f"Задание «{name}»: каждые {shown(seconds)} в {place} на компьютере сервера; выполняет его сервер"
        say(text(ru=ru, en=f"Job {name!r}: every {shown(seconds)} into {place} of the server's computer, run by it"))
        return
    ru = f"Задание «{name}»: каждые {shown(seconds)} в {place}. Запустите исполнитель: infobase jobs run {connection}"
    en = f"Job {name!r}: every {shown(seconds)} into {place}. Start the runner: infobase jobs run {connection}"
    say(text(ru=ru, en=en))


def _written(place: Path | None, *, afar: bool) -> str:
    """A path as the job shall keep it: on this computer whole, on a server's computer as it was given."""
    if place is None:
        return ""
    return str(place if afar else place.expanduser().absolute())
