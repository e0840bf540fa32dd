"""File or server: what this base does and how fast, weighed against what each mode is good for.

The limits, and where they come from (docs/administration.md tells them too; the figures are of the product's own measurements):

* three sessions at once and 2 GB: the advice for file mode; a fourth session is refused unless the base's setting allows it;
* a durable commit in file mode takes about a millisecond on a local disk and 58-90 ms on a network share, where the server takes 1.4 ms:
  the slow commit tells of a share or of a disk that will not carry several people;
* in file mode all writers pass one gate: with 4-8 of them writing without pause each waits 21-69 ms; lock conflicts mean it is time to move.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from infobase.i18n import Bilingual
from infobase.infobase import Infobase
from infobase.served import served
from infobase.session import LOCK_CONFLICT
from infobase.storage import SERVICE_APPLICATION, LogEntry, LogFilter, Statement, Transaction

Verdict = Literal["ok", "warning", "exceeded"]
Measures = Mapping[str, int]
"""name -> value: sessions, peak_sessions, bytes, lock_conflicts, waiting_now, commit_us, commit_slow_us, wait_us, read_us, limited (1: file mode's limits hold)."""

FILE_SESSIONS = 3
FILE_BYTES = 2 << 30
COMMIT_US = 50_000
READ_US = 20_000
LOOK_BACK_DAYS = 30
_WARN_SHARE = 0.8
_PROBES = 15
_PROBE_KEY = "advice.probe"
_FORGOTTEN = timedelta(hours=24)
_MOST_ENTRIES = 200_000


@dataclass(frozen=True)
class Criterion:
    """One thing weighed. `measured` and `limit` in the unit of `name`; `limit` None: only told."""

    code: str
    name: Bilingual
    measured: int
    limit: int | None
    verdict: Verdict


@dataclass(frozen=True)
class Advice:
    """`recommended`: the mode that suits; `move`: whether that is another than the base is in."""

    recommended: Literal["file", "server"]
    move: bool
    criteria: tuple[Criterion, ...]
    reason: Bilingual


# --- measuring ---


@served("Administration")
def measure(base: Infobase) -> dict[str, int]:
    """Look at the base as it works, and time a few tiny transactions that leave nothing behind."""
    engine = base.kernel.engine
    now = datetime.now().replace(microsecond=0)
    log = engine.event_log()
    since = now - timedelta(days=LOOK_BACK_DAYS)
    sessions = log.read(LogFilter(since=since, events=("_$Session$_.Start", "_$Session$_.Finish"), limit=_MOST_ENTRIES))
    conflicts = log.read(LogFilter(since=since, events=(LOCK_CONFLICT,), limit=_MOST_ENTRIES))
    present = [s for s in engine.sessions() if s.application != SERVICE_APPLICATION and not s.terminated]
    waiting = [lock for lock in engine.administration().locks(()) if lock.waiting]
    return {
        "limited": int(engine.traits.max_users > 0),
        "sessions": len(present),
        "peak_sessions": max(peak(sessions), len(present)),
        "bytes": engine.size().bytes,
        "lock_conflicts": sum(1 for _ in conflicts),
        "waiting_now": len(waiting),
        **_probe(base),
    }


def peak(entries: Iterable[LogEntry]) -> int:
    """The most people's sessions open at once. A session that was never seen to finish is forgotten after a day."""
    open_since: dict[int, datetime] = {}
    most = 0
    for entry in entries:
        if entry.application == SERVICE_APPLICATION:
            continue
        if entry.event.endswith("Finish"):
            open_since.pop(entry.session, None)
            continue
        open_since[entry.session] = entry.date
        open_since = {n: at for n, at in open_since.items() if entry.date - at < _FORGOTTEN}
        most = max(most, len(open_since))
    return most


def _probe(base: Infobase) -> dict[str, int]:
    """Microseconds: the median and the slowest of commits, the slowest entry into a transaction, the median read."""
    commits, waits, reads = [], [], []
    for _ in range(_PROBES):
        entered, done = _timed_write(base)
        waits.append(entered)
        commits.append(done)
        started = time.perf_counter()
        with base.kernel.engine.transaction(write=False) as tx:
            tx.run([Statement("SELECT COUNT(*) FROM sys_infobase")])
        reads.append(time.perf_counter() - started)
    found = {
        "commit_us": _median(commits),
        "commit_slow_us": max(commits),
        "wait_us": max(waits),
        "read_us": _median(reads),
    }
    return {name: round(seconds * 1e6) for name, seconds in found.items()}


def _timed_write(base: Infobase) -> tuple[float, float]:
    """Seconds until the transaction was entered, and from there to its durable end. The row it writes is removed in the same transaction."""
    started = time.perf_counter()
    with base.kernel.engine.transaction(write=True) as tx:
        tx.run([Statement("SELECT 1")])
        entered = time.perf_counter()
        _write_and_remove(base, tx)
    return entered - started, time.perf_counter() - entered


def _write_and_remove(base: Infobase, tx: Transaction) -> None:
    dialect = base.kernel.dialect
    tx.run(
        [
            Statement(f"INSERT INTO sys_settings (key, value) VALUES {dialect.values(2)}", [_PROBE_KEY, ""]),
            Statement(f"DELETE FROM sys_settings WHERE key = {dialect.placeholder}", [_PROBE_KEY]),
        ]
    )


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


# --- weighing ---


def weigh(found: Measures) -> Advice:
    """The advice for what was measured."""
    limited = bool(found["limited"])
    criteria = tuple(_criteria(found, limited))
    if limited:
        broken = [c for c in criteria if c.verdict == "exceeded"]
        if broken:
            ru = "; ".join(c.name.ru for c in broken)
            en = "; ".join(c.name.en for c in broken)
            return Advice(
                "server", True, criteria, Bilingual(f"за пределом файлового режима: {ru}", f"beyond file mode: {en}")
            )
        near = any(c.verdict == "warning" for c in criteria)
        reason = Bilingual("близко к пределу; готовьте переход", "near the limit; prepare the move") if near else _FITS
        return Advice("file", False, criteria, reason)
    small = found["peak_sessions"] <= 1 and found["bytes"] < FILE_BYTES // 2 and not found["lock_conflicts"]
    if small:
        return Advice("file", True, criteria, _ONE_PERSON)
    return Advice("server", False, criteria, _SERVER_FITS)


_FITS = Bilingual("файловый режим подходит", "file mode suits")
_ONE_PERSON = Bilingual(
    "работает один человек с небольшой базой: файловый режим проще и не медленнее; остаться на сервере тоже можно",
    "one person with a small base: file mode is simpler and no slower; staying on the server is fine too",
)
_SERVER_FITS = Bilingual("сервер подходит", "the server suits")


def _criteria(found: Measures, limited: bool) -> Iterable[Criterion]:
    def made(code: str, ru: str, en: str, limit: int | None, *, warn: float = _WARN_SHARE) -> Criterion:
        value, held = found[code], limit if limited else None
        verdict: Verdict = "ok"
        if held is not None:
            verdict = "exceeded" if value > held else "warning" if value and value >= held * warn else "ok"
        return Criterion(code, Bilingual(ru, en), value, held, verdict)

    yield made("sessions", "сеансов сейчас", "sessions now", FILE_SESSIONS, warn=1)
    yield made(
        "peak_sessions",
        f"сеансов одновременно за {LOOK_BACK_DAYS} дней",
        f"sessions at once in {LOOK_BACK_DAYS} days",
        FILE_SESSIONS,
        warn=1,
    )
    yield made("bytes", "размер, байт", "size, bytes", FILE_BYTES)
    yield made(
        "lock_conflicts",
        f"конфликтов блокировок за {LOOK_BACK_DAYS} дней",
        f"lock conflicts in {LOOK_BACK_DAYS} days",
        0,
    )
    yield made("waiting_now", "ждут блокировки сейчас", "waiting for locks now", None)
    yield made("commit_us", "запись на диск, медиана, мкс", "durable commit, median, us", COMMIT_US)
    yield made("commit_slow_us", "запись на диск, худшая, мкс", "durable commit, slowest, us", None)
    yield made("wait_us", "ожидание начала записи, худшее, мкс", "wait before a write, slowest, us", None)
    yield made("read_us", "чтение, медиана, мкс", "read, median, us", READ_US)
