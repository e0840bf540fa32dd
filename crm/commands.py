"""`infobase demo`: the main job end to end. A CRM base in one file, a month of business, a dump, and the same base in PostgreSQL."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from classifiers import loader
from classifiers.sample import write_small_ed807
from crm import demo as month
from crm.figures import BalanceRow, FunnelRow
from engine_server.embedded import cluster_at
from infobase import digest
from infobase import infobase as bases
from infobase.commands.access import Login, opened, store
from infobase.commands.interface import command, option
from infobase.commands.output import print_table, progress, remark, say, size_text
from infobase.connection_string import ConnectionString, folder
from infobase.errors import ContentDiffers, UsageError
from infobase.i18n import language, text
from infobase.infobase import Infobase
from infobase.list_file import resolve
from infobase.metadata.reader import read_folder
from infobase.restore import verify_dump
from infobase.session import Session
from infobase.storage import StorageEngine

CONFIGURATION = Path(__file__).parent / "configuration"
BANKS = 40
_NOBODY = Login(password="")


@command(
    "demo",
    ru="""Показать главное: файловая база, месяц работы, выгрузка, та же база в PostgreSQL

Без --server используется встроенный PostgreSQL, который запускается на время показа.""",
    en="""The main job end to end: a file base, a month of work, a dump, the same base in PostgreSQL

Without --server an embedded PostgreSQL is used, started for the time of the show.""",
)
@option(
    "--server",
    default="",
    ru="Свободное место на сервере: строка соединения или postgresql://",
    en="A free place on a server: a connection string or postgresql://",
)
@option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    ru="Оставить всё в этой новой папке",
    en="Keep everything in this new folder",
)
@option("--scale", default="S", ru="Объём данных", en="Amount of data")
def demo(server: str, keep: Path | None, scale: str) -> None:
    started = time.monotonic()
    with _scratch(keep) as place, ExitStack() as stack:
        where = folder(place / "base")
        dump = place / "crm.dt"
        _make_base(where, place, scale)
        with opened(where, _NOBODY) as (base, session):
            _enter_month(session, scale)
            _show_figures(session)
            _dump(base, dump)
            target = _target(server, place, stack)
            with store(target) as engine, progress() as step:
                _step(6, "Загрузка в PostgreSQL", "Restore into PostgreSQL")
                moved = bases.restore_base(engine, dump, name=base.name, progress=step)
                if server and keep is None:
                    stack.callback(_drop, target)
                _compare(base, session, moved, target)
        seconds = f"{time.monotonic() - started:.1f}"
        say(text(ru=f"Готово за {seconds} с.", en=f"Done in {seconds} s."))
        if keep is not None:
            say(text(ru=f"Оставлено: {where}, {dump}, {target}", en=f"Kept: {where}, {dump}, {target}"))


def demonstration(engine: StorageEngine) -> None:
    """A CRM base with a month of business in a free place: what `infobase server start --demo` shows."""
    user = text(ru="Администратор", en="Administrator")
    base = bases.create(engine, read_folder(CONFIGURATION), name="CRM", admin=user)
    month.fill(bases.system_session(base.kernel))


@contextmanager
def _scratch(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        if keep.exists() and any(keep.iterdir()):
            detail = text(ru=f"папка {keep} не пуста", en=f"the folder {keep} is not empty")
            raise UsageError(detail=detail)
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.absolute()
        return
    place = Path(tempfile.mkdtemp(prefix="infobase-demo-"))
    # For root the server runs as another user, who must reach his folder inside; listing stays ours.
    place.chmod(0o711)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _step(number: int, ru: str, en: str) -> None:
    say(f"\n{number}. {text(ru=ru, en=en)}")


def _make_base(where: ConnectionString, place: Path, scale: str) -> None:
    configuration = read_folder(CONFIGURATION)
    _step(1, "База CRM в файловом режиме", "A CRM base in file mode")
    with store(where) as engine:
        user = text(ru="Администратор", en="Administrator")
        bases.create(engine, configuration, name="CRM", admin=user)
        say(f"   {engine.place}: {configuration.name} {configuration.version}")
    _step(2, "Справочник банков (формат ED807)", "The bank directory (form ED807)")
    source = place / "20260112ED01OSBR.zip"
    write_small_ed807(source, banks=BANKS)
    with opened(where, _NOBODY) as (_, session):
        say(f"   {loader.load(session, 'banks', source)}")


def _enter_month(session: Session, scale: str) -> None:
    _step(3, "Месяц работы: сделки, заказы, продажи, оплаты", "A month of work: deals, orders, sales, payments")
    started = time.monotonic()
    with progress() as step:
        summary = month.fill(session, scale, step)
    seconds = f"{time.monotonic() - started:.1f}"
    objects = session.kernel.configuration.objects
    listed = [f"{objects[name].naming.label(language())} {count}" for name, count in summary.documents.items()]
    documents, total = "; ".join(listed), sum(summary.documents.values())
    say(
        text(
            ru=f"   элементов справочников {summary.catalog_items}; документов {total}: {documents}; проведений {summary.postings} за {seconds} с",
            en=f"   catalog items {summary.catalog_items}; documents {total}: {documents}; postings {summary.postings} in {seconds} s",
        )
    )


def _show_figures(session: Session) -> None:
    _step(4, "Воронка продаж и остатки на конец месяца", "The sales funnel and the balances at the month's end")
    _print_funnel(month.funnel(session, month.END))
    _print_balances(month.balances(session, month.END))


def _print_funnel(rows: list[FunnelRow]) -> None:
    headers = [
        text(ru="Воронка", en="Pipeline"),
        text(ru="Этап", en="Stage"),
        text(ru="Вошло", en="Entered"),
        text(ru="Прошло", en="Passed"),
        text(ru="Потеряно", en="Lost"),
        text(ru="Конверсия, %", en="Conversion, %"),
        text(ru="В работе", en="In progress"),
        text(ru="Сумма", en="Amount"),
    ]
    cells = [
        (
            r.pipeline,
            r.stage,
            r.entered,
            r.passed,
            r.lost,
            "" if r.conversion is None else f"{r.conversion}",
            r.in_progress,
            r.amount,
        )
        for r in rows
    ]
    print_table(headers, cells)


def _print_balances(rows: list[BalanceRow]) -> None:
    headers = [text(ru="Регистр", en="Register"), text(ru="Ключ", en="Key"), text(ru="Остаток", en="Balance")]
    shown: list[tuple[str, str, str]] = []
    for register in dict.fromkeys(r.register for r in rows):
        own = [r for r in rows if r.register == register]
        for r in own[:5]:
            values = "; ".join(f"{name} {value:f}" for name, value in r.values.items())
            shown.append((register, " / ".join(r.key), values))
        if len(own) > 5:
            shown.append((register, text(ru=f"... ещё {len(own) - 5}", en=f"... {len(own) - 5} more"), ""))
    print_table(headers, shown)


def _dump(base: Infobase, dump: Path) -> None:
    _step(5, "Выгрузка в .dt и её проверка", "Dump into a .dt, and its verification")
    with progress() as step:
        made = bases.dump_base(base, dump, progress=step)
        checked = verify_dump(dump, progress=step)
    if checked.content_digest != made.content_digest:
        raise ContentDiffers(detail=f"{made.content_digest} / {checked.content_digest}")
    ru = f"   таблиц {made.tables}, строк {made.rows}, {size_text(made.bytes)}; хеш {made.content_digest}"
    say(
        text(
            ru=ru,
            en=f"   tables {made.tables}, rows {made.rows}, {size_text(made.bytes)}; digest {made.content_digest}",
        )
    )


def _target(server: str, place: Path, stack: ExitStack) -> ConnectionString:
    """Where the base goes: the place the user named, or an embedded cluster of our own that stops with us."""
    if server:
        return resolve(server)
    cluster = place / "postgresql"
    account = text(
        ru=" от имени пользователя postgres (root ему запрещён)", en=" as the user postgres (it refuses root)"
    )
    root = account if hasattr(os, "geteuid") and os.geteuid() == 0 else ""
    remark(
        text(
            ru=f"   Сервер не указан: запускается встроенный PostgreSQL{root}, папка {cluster}, без сети, до конца показа.",
            en=f"   No server given: starting an embedded PostgreSQL{root}, folder {cluster}, no network, until the show ends.",
        )
    )
    stack.callback(lambda: cluster_at(cluster).stop())
    pairs = (("DBMS", "PostgreSQL"), ("DBSrvr", str(cluster)), ("DB", "crm"))
    return ConnectionString("dbms", pairs)


def _drop(where: ConnectionString) -> None:
    with store(where) as engine:
        if engine.exists():
            engine.drop()


def _compare(base: Infobase, session: Session, moved: Infobase, target: ConnectionString) -> None:
    _step(7, "Сравнение двух баз", "Comparing the two bases")
    ours = month.totals(session, month.END)
    theirs = month.totals(bases.system_session(moved.kernel), month.END)
    rows = [(name, ours[name], theirs.get(name), theirs.get(name) == ours[name]) for name in ours]
    headers = [
        text(ru="Итог", en="Total"),
        text(ru="Файл", en="File"),
        "PostgreSQL",
        text(ru="Совпал", en="Equal"),
    ]
    print_table(headers, rows)
    a, b = digest.base_digest(base.kernel).content_digest, digest.base_digest(moved.kernel).content_digest
    if a != b or ours != theirs:
        raise ContentDiffers(detail=f"{target}: {a} / {b}")
    ru = f"   {len(ours)} итогов совпали. Хеш содержимого обеих баз: {a}"
    say(text(ru=ru, en=f"   {len(ours)} totals agree. The content digest of both bases: {a}"))
