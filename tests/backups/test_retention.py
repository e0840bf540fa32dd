"""The rules of what stays: exactly as written down, however often they are applied."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infobase.backups.retention import Moment, Rule, kept, parse_rules
from infobase.durations import DAY, HOUR, seconds_of
from infobase.errors import UsageError

NOW = dt.datetime(2026, 3, 1, 12, 0)


def at(number: int, **ago: float) -> Moment:
    return Moment(number, NOW - dt.timedelta(**ago))


@pytest.mark.parametrize(
    ("written", "rules"),
    [
        ("7d:24h", (Rule(7 * DAY, DAY),)),
        ("2d:1h, 30d:1d,5", (Rule(2 * DAY, HOUR), Rule(30 * DAY, DAY), Rule(count=5))),
        ("7д:24ч", (Rule(7 * DAY, DAY),)),
        ("1y", (Rule(365 * DAY),)),
        ("", ()),
    ],
)
def test_rules_are_read(written: str, rules: tuple[Rule, ...]) -> None:
    assert parse_rules(written) == rules


@pytest.mark.parametrize(
    "written", ["0", "-1", "7x", "7d:", ":1h", "1h:1d", "7d:24h,", "d", "1" * 30 + "d", "9" * 9 + "y", "1d:0h"]
)
def test_rules_that_mean_nothing_are_refused(written: str) -> None:
    with pytest.raises(UsageError):
        parse_rules(written)


def test_one_a_day_for_a_week() -> None:
    """Two a day for ten days, at midnight and at noon: of each of the last seven days the later one stays."""
    found = [at(n, hours=12 * (20 - n)) for n in range(1, 21)]
    stay = kept(found, parse_rules("7d:24h"), NOW)
    assert [m.taken for m in found if m.number in stay] == [NOW - dt.timedelta(days=d) for d in range(7, -1, -1)]


def test_the_newest_stays_whatever_the_rules_say() -> None:
    assert kept([at(1, days=900), at(2, days=800)], parse_rules("1d"), NOW) == {2}


def test_a_clock_that_was_set_back_loses_nothing_new() -> None:
    """Numbers say what is newest: here the last backup carries an earlier time than those before it."""
    found = [Moment(1, NOW + dt.timedelta(days=3)), Moment(2, NOW + dt.timedelta(days=4)), Moment(3, NOW)]
    assert kept(found, parse_rules("1d"), NOW) == {1, 2, 3}
    assert 3 in kept(found, parse_rules("1"), NOW)


def test_what_was_made_while_the_clock_was_behind_takes_nobodys_place() -> None:
    """One a day; the last but one was made when the clock was ten days behind, in the slot of the one of that day."""
    found = [at(n, days=20 - n) for n in range(1, 19)]
    behind = [*found, Moment(19, found[8].taken + dt.timedelta(hours=1))]
    assert {m.number for m in behind} <= kept(behind, parse_rules("30d:1d"), behind[-1].taken)
    corrected = [*behind, Moment(20, NOW)]
    assert {m.number for m in corrected} == kept(corrected, parse_rules("30d:1d"), NOW)
    assert {17, 18, 19, 20} == kept(corrected, parse_rules("3d"), NOW)


def test_one_from_a_far_future_does_not_stop_the_thinning() -> None:
    found = [at(n, days=20 - n) for n in range(1, 21)]
    found[5] = Moment(6, NOW + dt.timedelta(days=9000))
    assert kept(found, parse_rules("5d:1d"), NOW) == {6, 15, 16, 17, 18, 19, 20}


_rule = st.one_of(
    st.builds(Rule, count=st.integers(1, 5)),
    st.builds(
        lambda a, s: Rule(max(a, s), s), st.integers(HOUR, 60 * DAY), st.sampled_from([0, HOUR, 5 * HOUR, DAY, 7 * DAY])
    ),
)
_rules = st.lists(_rule, min_size=1, max_size=3)
_steps = st.lists(st.integers(1, 3 * DAY), min_size=1, max_size=30)


def _series(steps: list[int]) -> list[Moment]:
    made, taken = [], dt.datetime(2026, 1, 1, 7)
    for number, step in enumerate(steps, 1):
        taken += dt.timedelta(seconds=step)
        made.append(Moment(number, taken))
    return made


@given(_steps, _rules, st.integers(0, 90 * DAY))
def test_every_rule_covers_its_time(steps: list[int], rules: list[Rule], later: int) -> None:
    found = _series(steps)
    now = found[-1].taken + dt.timedelta(seconds=later)
    stay = kept(found, rules, now)
    assert found[-1].number in stay
    for rule in rules:
        if rule.count:
            assert {m.number for m in found[-rule.count :]} <= stay
            continue
        for m in found:
            age = (now - m.taken).total_seconds()
            if age <= rule.age:
                slot = [o for o in found if o.number in stay and (o.taken - m.taken).total_seconds() < (rule.step or 1)]
                assert any(abs((o.taken - m.taken).total_seconds()) < (rule.step or 1) for o in slot)


@given(_steps, _rules)
def test_thinning_after_each_backup_ends_where_thinning_once_does(steps: list[int], rules: list[Rule]) -> None:
    found = _series(steps)
    alive: list[Moment] = []
    for m in found:
        alive.append(m)
        stay = kept(alive, rules, m.taken)
        alive = [a for a in alive if a.number in stay]
    assert {m.number for m in alive} == kept(found, rules, found[-1].taken)
    assert kept(alive, rules, found[-1].taken) == {m.number for m in alive}


def test_lengths_of_time() -> None:
    assert [seconds_of(w) for w in ("90s", "30min", "2ч", "1нед", "6 мес")] == [90, 1800, 7200, 7 * DAY, 180 * DAY]
    assert seconds_of("30", bare=60) == 1800
