"""Which backups stay: rules such as `2d:1h,30d:1d,1y:30d,5`.

| rule | keeps |
|---|---|
| `AGE:STEP` | of the backups not older than AGE, the newest of every STEP |
| `AGE` | every backup not older than AGE |
| `N` | the newest N |

A backup stays when any rule keeps it; the newest one stays always. Steps are slots of time counted from 1970-01-01 UTC, the same whenever they
are looked at, so thinning often or seldom ends with the same backups. Age is the time since the backup's snapshot; one from the future (the
clock was set back) counts as just made. Newest is the highest number, not the latest time. One made after another is not older than it,
whatever the clock said: a backup from a time when the clock was behind is as young as the one before it, and takes nobody else's slot.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from infobase.durations import seconds_of
from infobase.errors import UsageError
from infobase.i18n import text

_EPOCH = dt.datetime(1970, 1, 1)
MOST_RULES = 20


@dataclass(frozen=True, slots=True)
class Rule:
    """`count` > 0: the newest so many. Else seconds: `age`, and `step` (0: every one)."""

    age: int = 0
    step: int = 0
    count: int = 0


@dataclass(frozen=True, slots=True)
class Moment:
    """A backup as the rules see it: its number and the time of its snapshot, UTC."""

    number: int
    taken: dt.datetime


def parse_rules(written: str) -> tuple[Rule, ...]:
    """Rules separated by commas; none for "". UsageError."""
    parts = [part.strip() for part in written.split(",")] if written.strip() else []
    if len(parts) > MOST_RULES:
        ru, en = f"правил хранения больше {MOST_RULES}", f"more than {MOST_RULES} retention rules"
        raise UsageError(detail=text(ru=ru, en=en))
    return tuple(_rule(part) for part in parts)


def _rule(written: str) -> Rule:
    if re.fullmatch(r"[1-9]\d{0,5}", written):
        return Rule(count=int(written))
    age, mark, step = written.partition(":")
    made = Rule(seconds_of(age), seconds_of(step) if mark else 0)
    if made.step > made.age:
        ru = f"правило «{written}»: шаг больше срока"
        raise UsageError(detail=text(ru=ru, en=f"the rule {written!r}: the step is longer than the age"))
    return made


def kept(backups: Iterable[Moment], rules: Sequence[Rule], now: dt.datetime) -> set[int]:
    """Numbers of the backups that stay; all of them when there are no rules."""
    ordered = sorted(backups, key=lambda m: m.number, reverse=True)
    if not rules:
        return {m.number for m in ordered}
    stay = {m.number for m in ordered[:1]}
    for rule in rules:
        stay |= _kept_by(rule, ordered, now)
    return stay


def _kept_by(rule: Rule, newest_first: Sequence[Moment], now: dt.datetime) -> set[int]:
    if rule.count:
        return {m.number for m in newest_first[: rule.count]}
    known = [m for m in newest_first if m.taken <= now]
    since, latest = _not_before(known), _not_before(newest_first)
    young = [m for m in newest_first if (now - since.get(m.number, m.taken)).total_seconds() <= rule.age]
    if not rule.step:
        return {m.number for m in young}
    slots: dict[tuple[int, int], int] = {}
    for m in young:
        slots.setdefault((_slot(m.taken, rule.step), _slot(latest[m.number], rule.step)), m.number)
    return set(slots.values())


def _slot(moment: dt.datetime, step: int) -> int:
    return int((moment - _EPOCH).total_seconds()) // step


def _not_before(newest_first: Sequence[Moment]) -> dict[int, dt.datetime]:
    """By number: the latest time that it or one made before it carries."""
    made, latest = dict[int, dt.datetime](), dt.datetime.min
    for m in reversed(newest_first):
        latest = made[m.number] = max(latest, m.taken)
    return made
