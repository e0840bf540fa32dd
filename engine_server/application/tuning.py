"""What PostgreSQL must be like for the server, what it should be like on this machine, and why."""

from __future__ import annotations

import os
from dataclasses import dataclass

from engine_server.application.settings import ServerSettings
from engine_server.embedded import OLDEST_MAJOR
from engine_server.pool import Connection
from infobase.errors import ServerRequirements
from infobase.i18n import Bilingual, text
from infobase.storage import Finding

MB = 1024 * 1024


@dataclass(frozen=True)
class Machine:
    """`memory` in bytes."""

    memory: int
    cores: int


def this_machine() -> Machine:
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        memory = 4096 * MB
    return Machine(memory, os.cpu_count() or 1)


# --- advice ---


@dataclass(frozen=True)
class Advice:
    """One line of postgresql.conf and the reason for it."""

    setting: str
    value: str
    why: Bilingual


_SAME_EVERYWHERE = (
    Advice(
        "max_wal_size",
        "4GB",
        Bilingual("реже контрольные точки при загрузках и закрытии месяца", "fewer checkpoints during loads"),
    ),
    Advice(
        "checkpoint_timeout",
        "15min",
        Bilingual("контрольная точка пишет все грязные страницы", "a checkpoint writes every dirty page"),
    ),
    Advice(
        "checkpoint_completion_target",
        "0.9",
        Bilingual("растянуть запись, чтобы не мешала проведению", "spread the writing out"),
    ),
    Advice("wal_compression", "on", Bilingual("меньше журнала за счёт процессора", "less log for some CPU")),
    Advice(
        "autovacuum_vacuum_scale_factor",
        "0.02",
        Bilingual("таблицы итогов обновляются при каждом проведении", "totals are updated by every posting"),
    ),
    Advice(
        "autovacuum_analyze_scale_factor",
        "0.01",
        Bilingual("свежая статистика для отчётов", "fresh statistics for reports"),
    ),
    Advice(
        "autovacuum_vacuum_cost_limit",
        "1000",
        Bilingual("чтобы очистка поспевала за проведением", "so that vacuum keeps up with postings"),
    ),
    Advice("random_page_cost", "1.1", Bilingual("диски без вращения", "disks that do not spin")),
    Advice(
        "synchronous_commit",
        "on",
        Bilingual("подтверждённое проведение не теряется", "an acknowledged posting is not lost"),
    ),
    Advice(
        "deadlock_timeout",
        "200ms",
        Bilingual("взаимные блокировки замечаются быстрее", "deadlocks are noticed sooner"),
    ),
    Advice(
        "jit", "off", Bilingual("короткие запросы компилировать невыгодно", "short queries are not worth compiling")
    ),
    Advice(
        "wal_retrieve_retry_interval",
        "200ms",
        Bilingual("реплика переключается за доли секунды", "a standby is promoted within a fraction of a second"),
    ),
)


def profile(machine: Machine, settings: ServerSettings, *, shared: bool) -> list[Advice]:
    """The settings for a machine. `shared`: application servers run on it too, so PostgreSQL gets half of the memory."""
    return [*_memory(machine, settings, shared=shared), *_SAME_EVERYWHERE]


def _memory(machine: Machine, settings: ServerSettings, *, shared: bool) -> list[Advice]:
    memory = machine.memory // (2 if shared else 1)
    buffers = max(128, min(memory // 4, 16384 * MB) // MB)
    connections = connections_needed(settings) + 20
    work = max(4, min(64, memory // MB // 4 // max(connections, 20)))
    return [
        Advice(
            "shared_buffers",
            f"{buffers}MB",
            Bilingual("четверть памяти: свой кэш страниц", "a quarter of the memory: its own page cache"),
        ),
        Advice(
            "effective_cache_size",
            f"{memory * 3 // 4 // MB}MB",
            Bilingual(
                "сколько страниц ожидать в кэше системы; влияет только на выбор плана",
                "what the system's cache will hold; for plans only",
            ),
        ),
        Advice(
            "work_mem",
            f"{work}MB",
            Bilingual("сортировки отчётов; умножается на число соединений", "sorts of reports; times the connections"),
        ),
        Advice(
            "maintenance_work_mem",
            f"{max(64, min(1024, memory // MB // 16))}MB",
            Bilingual("построение индексов при загрузке базы", "building indexes when a base is restored"),
        ),
        Advice(
            "max_connections",
            str(max(100, connections)),
            Bilingual(
                "рабочие процессы x соединения x базы, и запас для администратора",
                "workers x connections x bases, and some for the administrator",
            ),
        ),
    ]


def connections_needed(settings: ServerSettings, bases: int = 1) -> int:
    """The most connections one host's workers open, for so many infobases."""
    return settings.workers * (settings.pool_size + 3) * bases + settings.workers * 4


# --- demands ---


_SANE = {
    "fsync": ("on", "error"),
    "full_page_writes": ("on", "error"),
    "server_encoding": ("UTF8", "error"),
    "data_checksums": ("on", "warning"),
}


def examine(conn: Connection, settings: ServerSettings, place: object) -> list[Finding]:
    """Version, settings and rights of the PostgreSQL behind a connection; errors are reasons not to start."""
    found: list[Finding] = []

    def say(severity: str, code: str, ru: str, en: str) -> None:
        found.append(Finding(severity, code, text(ru=ru, en=en), str(place)))

    version = conn.info.server_version // 10000
    if version < OLDEST_MAJOR:
        say(
            "error",
            "version",
            f"PostgreSQL {version}, нужен {OLDEST_MAJOR}",
            f"PostgreSQL {version}, {OLDEST_MAJOR} is needed",
        )
    rows = conn.execute(
        "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)",
        [[*_SANE, "max_connections", "synchronous_commit"]],
    ).fetchall()
    current = {str(name): str(value) for name, value in rows}
    for name, (wanted, severity) in _SANE.items():
        if current.get(name, wanted) != wanted:
            say(
                severity,
                name,
                f"{name} = {current[name]}, нужно {wanted}",
                f"{name} = {current[name]}, {wanted} is needed",
            )
    if current.get("synchronous_commit") == "off":
        ru = "synchronous_commit = off: подтверждённые проведения могут пропасть"
        say("warning", "synchronous_commit", ru, "synchronous_commit = off: acknowledged postings may be lost")
    needed = connections_needed(settings) + 5
    if int(current.get("max_connections", needed)) < needed:
        told = current["max_connections"]
        say(
            "warning",
            "max_connections",
            f"max_connections = {told}, нужно {needed}",
            f"max_connections = {told}, {needed} needed",
        )
    row = conn.execute("SELECT rolcreatedb OR rolsuper, rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    if not row or not row[0]:
        ru = "пользователю СУБД нужно право CREATEDB (ALTER ROLE ... CREATEDB)"
        say("error", "createdb", ru, "the DBMS user needs CREATEDB (ALTER ROLE ... CREATEDB)")
    elif row[1] and not settings.embedded:
        ru = "пользователь СУБД - суперпользователь; серверу достаточно CREATEDB"
        say("warning", "superuser", ru, "the DBMS user is a superuser; CREATEDB is enough for the server")
    return found


def demand(findings: list[Finding]) -> None:
    """ServerRequirements with every error among the findings."""
    errors = [f for f in findings if f.severity == "error"]
    if errors:
        raise ServerRequirements(place=errors[0].place, detail="; ".join(f.message for f in errors))
