"""`infobase jobs`: the scheduled jobs of a base, and the runner that carries them out."""

from __future__ import annotations

import threading
from pathlib import Path

import click

from infobase.commands.access import Login, connection_argument, demand_administrator, login_options, opened
from infobase.commands.interface import command_in, group, json_option, option
from infobase.commands.output import print_json, print_table, progress, remark, say
from infobase.durations import DAY, seconds_of, shown
from infobase.errors import JobsFailed, UsageError
from infobase.i18n import text
from infobase.job_kinds import registry
from infobase.job_runner import JobRunner, run_jobs
from infobase.jobs import Job, JobRun, history_of, jobs_of, remove_job, switch_job
from infobase.served import door_of
from infobase.standard_jobs import (
    BACKUP_EVERY,
    BACKUP_KEEP,
    BackupParameters,
    add_usual_jobs_without_backups,
    schedule_backup,
    schedule_log_trim,
)

jobs = group("jobs", ru="Регламентные задания базы", en="Scheduled jobs of a base")


@command_in(jobs, "list", ru="Показать задания и когда они запустятся", en="Show the jobs and when they run")
@connection_argument()
@login_options
@json_option
def list_jobs(connection: str, login: Login, as_json: bool) -> None:
    with opened(connection, login) as (_, session):
        demand_administrator(session)
        found = jobs_of(session)
    if as_json:
        print_json(found)
        return
    if not found:
        say(text(ru="Заданий нет", en="No jobs"))
        return
    headers = [
        text(ru="Имя", en="Name"),
        text(ru="Вид", en="Kind"),
        text(ru="Каждые", en="Every"),
        text(ru="Включено", en="Enabled"),
        text(ru="Следующий запуск (UTC)", en="Next run (UTC)"),
        text(ru="Выполняется", en="Running"),
        text(ru="Параметры", en="Parameters"),
    ]
    print_table(headers, [_row(j) for j in found])


def _row(j: Job) -> tuple[object, ...]:
    parameters = ", ".join(f"{k}={v}" for k, v in j.parameters.items() if v)
    title = str(registry().kinds[j.kind].title) if j.kind in registry().kinds else j.kind
    return j.name, title, shown(j.every), j.enabled, j.next_run, j.runner is not None, parameters


@command_in(
    jobs,
    "run",
    ru="""Выполнять задания, пока не прервут (Ctrl+C)

На одной базе может работать сколько угодно исполнителей: каждое задание достаётся одному.""",
    en="""Run jobs until interrupted (Ctrl-C)

Any number of runners may work on one base: each job goes to one of them.""",
)
@connection_argument()
@option("--once", is_flag=True, ru="Выполнить то, чему пора, и закончить", en="Run what is due and stop")
@option(
    "--now",
    "name",
    default="",
    metavar="JOB",
    ru="Выполнить это задание сейчас и закончить",
    en="Run this job now and stop",
)
@login_options
@json_option
def run(connection: str, once: bool, name: str, login: Login, as_json: bool) -> None:
    with opened(connection, login) as (base, session):
        demand_administrator(session)
        door = door_of(base.kernel.engine)
        if door is not None and not once and not name:
            ru = "задания этой базы выполняет сам сервер; сразу: jobs run CONN --once или --now JOB"
            raise UsageError(detail=text(ru=ru, en="the server runs this base's jobs; at once: --once or --now JOB"))
        with progress() as step:
            runner = JobRunner(base, session, step)
            if door is not None:
                runs = door.call("jobs_run", {"name": name})
            elif name or once:
                runs = run_jobs(runner, name)
            else:
                ru = f"Исполнитель заданий базы «{base.name}» работает; остановить: Ctrl+C"
                remark(text(ru=ru, en=f"The job runner of {base.name!r} works; to stop it: Ctrl-C"))
                runner.run(threading.Event(), _tell)
                return
    if as_json:
        print_json([{**_run_json(r)} for r in runs])
    else:
        for r in runs:
            _tell(r)
        if not runs:
            say(
                text(
                    ru="Выполнять нечего: срок не пришёл или задание у другого исполнителя",
                    en="Nothing to run: not due, or another runner has it",
                )
            )
    failed = [f"{r.job} ({r.message})" for r in runs if r.outcome != "succeeded"]
    if failed:
        raise JobsFailed(listing="; ".join(failed))


def _tell(r: JobRun) -> None:
    outcome = {
        "succeeded": text(ru="выполнено", en="done"),
        "failed": text(ru="ошибка", en="failed"),
        "running": text(ru="выполняется", en="running"),
        "abandoned": text(ru="прервано", en="broken off"),
    }[r.outcome]
    say(f"{r.started} UTC {r.job}: {outcome}, {shown(r.seconds)}. {r.message}")


def _run_json(r: JobRun) -> dict[str, object]:
    """The documented shape of a run."""
    return {
        "job": r.job,
        "kind": r.kind,
        "started": r.started,
        "finished": r.finished,
        "seconds": r.seconds,
        "outcome": r.outcome,
        "message": r.message,
        "runner": r.runner,
    }


@command_in(jobs, "history", ru="Показать прошлые запуски, последние - первыми", en="Show past runs, the latest first")
@connection_argument()
@click.argument("name", metavar="[JOB]", default="")
@option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, ru="Не больше запусков", en="At most so many"
)
@login_options
@json_option
def history(connection: str, name: str, limit: int, login: Login, as_json: bool) -> None:
    with opened(connection, login) as (_, session):
        demand_administrator(session)
        found = history_of(session, name, limit)
    if as_json:
        print_json([_run_json(r) for r in found])
        return
    for r in found:
        _tell(r)
    if not found:
        say(text(ru="Запусков ещё не было", en="No runs yet"))


@command_in(jobs, "enable", ru="Включить задание; оно выполнится сразу", en="Enable a job; it runs at once")
@connection_argument()
@click.argument("name", metavar="JOB")
@login_options
def enable(connection: str, name: str, login: Login) -> None:
    _switch(connection, name, login, enabled=True)


@command_in(jobs, "disable", ru="Отключить задание", en="Disable a job")
@connection_argument()
@click.argument("name", metavar="JOB")
@login_options
def disable(connection: str, name: str, login: Login) -> None:
    _switch(connection, name, login, enabled=False)


def _switch(connection: str, name: str, login: Login, *, enabled: bool) -> None:
    with opened(connection, login) as (_, session):
        demand_administrator(session)
        switch_job(session, name, enabled)
    say(
        text(
            ru=f"Задание «{name}»: {'включено' if enabled else 'отключено'}",
            en=f"Job {name!r}: {'enabled' if enabled else 'disabled'}",
        )
    )


@command_in(jobs, "remove", ru="Удалить задание вместе с его историей", en="Remove a job with its history")
@connection_argument()
@click.argument("name", metavar="JOB")
@login_options
def remove(connection: str, name: str, login: Login) -> None:
    with opened(connection, login) as (_, session):
        demand_administrator(session)
        remove_job(session, name)
    say(text(ru=f"Задание «{name}» удалено", en=f"Removed the job {name!r}"))


@command_in(
    jobs,
    "trim-log",
    ru="Сокращать журнал регистрации по расписанию",
    en="Trim the event log on a schedule",
)
@connection_argument()
@option("--older-than", default="90d", show_default=True, ru="Хранить записи этот срок", en="How long entries are kept")
@option("--every", default="1d", show_default=True, ru="Как часто", en="How often")
@login_options
def trim_log(connection: str, older_than: str, every: str, login: Login) -> None:
    seconds = seconds_of(every, bare=DAY)
    with opened(connection, login) as (_, session):
        demand_administrator(session)
        schedule_log_trim(session, older_than, seconds)
    say(
        text(
            ru=f"Журнал сокращается каждые {shown(seconds)}: записи старше {older_than}",
            en=f"The log is trimmed every {shown(seconds)}: entries older than {older_than}",
        )
    )


@command_in(
    jobs,
    "standard",
    ru="""Добавить обычные задания

Раз в день: обслуживание итогов, проверка устаревших классификаторов, сокращение журнала. С --backups ещё и резервные копии каждые 30 минут.
Задания с такими именами остаются, как есть. У базы на сервере приложений они есть с первого дня.""",
    en="""Add the usual jobs

Once a day: totals maintenance, a look for stale classifiers, a shorter event log. With --backups also backups every 30 minutes. Jobs of these
names stay as they are. A base of an application server has them from its first day.""",
)
@connection_argument()
@option(
    "--backups",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    ru="Папка резервных копий",
    en="The folder of backups",
)
@login_options
@json_option
def standard(connection: str, folder: Path | None, login: Login, as_json: bool) -> None:
    with opened(connection, login) as (base, session):
        demand_administrator(session)
        door = door_of(base.kernel.engine)
        there = {j.name for j in jobs_of(session)}
        if folder is not None and "backup" not in there:
            place = str(folder) if door is not None else str(folder.absolute())
            schedule_backup(base, session, BackupParameters(place, BACKUP_KEEP), BACKUP_EVERY, "backup")
        add_usual_jobs_without_backups(session)
        added = [j.name for j in jobs_of(session) if j.name not in there]
    if as_json:
        print_json(added)
        return
    listed = ", ".join(added)
    ru = f"Добавлены задания: {listed}" if added else "Обычные задания уже есть"
    say(text(ru=ru, en=f"Added jobs: {listed}" if added else "The usual jobs are there"))
