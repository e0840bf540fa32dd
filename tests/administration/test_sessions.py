"""Sessions on both engines: who works and what they lock, blocks of new sessions, ends, and how many may work at once."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine_file.locks import HOST, describe_card
from infobase.commands.sessions import lock_spaces
from infobase.connection import SESSION_LIMIT, connect, session_limit
from infobase.errors import InfobaseBusy, LockTimeout, SessionLimit, SessionsBlocked, SessionTerminated
from infobase.list_file import resolve
from infobase.session_block import SessionBlock, format_cdn, parse_cdn
from infobase.storage import SERVICE_APPLICATION, LockKey
from tests.bases import Place

ROOT = Path(__file__).parents[2]
WORKER = """
import sys
from infobase.errors import InfobaseError
from infobase.storage import LockKey
from tests.bases import Place
session = Place(sys.argv[1]).session()
session.catalogs.Goods.new(Description="before").write()
print("ready", session.info.number, flush=True)
try:
    for line in sys.stdin:
        if line.strip() == "hold":
            with session.transaction():
                session.lock([LockKey("Catalog.Goods")])
                session.catalogs.Goods.new(Description="held").write()
                print("holding", flush=True)
                sys.stdin.readline()
                session.catalogs.Goods.new(Description="held too").write()
        else:
            session.catalogs.Goods.new(Description="after").write()
        print("written", flush=True)
except InfobaseError as e:
    print(type(e).__name__, str(e), flush=True)
"""


@contextmanager
def worker(place: Place) -> Iterator[Callable[[str], str]]:
    """Another process with a session: each call sends a line and returns what it answered; "" reads only."""
    command = [sys.executable, "-c", WORKER, place.connection]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        send, answers = process.stdin, process.stdout

        def ask(line: str) -> str:
            if line:
                send.write(line + "\n")
                send.flush()
            return answers.readline().strip()

        try:
            assert ask("").startswith("ready")
            yield ask
        finally:
            process.kill()


def test_sessions_tell_who_works(place: Place) -> None:
    place.create()
    with place.session() as mine, worker(place):
        found = mine.kernel.engine.sessions()
        assert [s.number for s in found] == sorted(s.number for s in found)
        assert len(found) == 2
        other = next(s for s in found if s.pid != os.getpid())
        assert other.application == "Python" and other.host == mine.info.host
        assert abs((dt.datetime.now(dt.UTC).replace(tzinfo=None) - other.started).total_seconds()) < 600


def test_a_dead_process_is_swept_and_named(place: Place) -> None:
    place.create()
    with place.session() as mine:
        with worker(place):
            assert len(mine.kernel.engine.sessions()) == 2
        _wait(lambda: len(mine.kernel.engine.sessions()) == 1)
        left = mine.kernel.engine.administration().leftovers()
        assert len(left) == 1 and "Python" in left[0]


def test_who_holds_and_who_waits(place: Place) -> None:
    place.create()
    with place.session() as mine, worker(place) as ask:
        spaces = lock_spaces(mine.kernel)
        administration = mine.kernel.engine.administration()
        assert administration.locks(spaces) == []
        assert ask("hold") == "holding"
        held = administration.locks(spaces)
        assert held and not any(k.waiting for k in held)
        other = next(s for s in mine.kernel.engine.sessions() if s.pid != os.getpid())
        assert {k.number for k in held} == {other.number}
        assert all(f"pid {other.pid}" in k.holder and k.since is not None for k in held)
        waiter = threading.Thread(target=_wait_for_lock, args=(place,))
        waiter.start()
        try:
            _wait(lambda: any(k.waiting for k in administration.locks(spaces)))
            waiting = next(k for k in administration.locks(spaces) if k.waiting)
            assert f"pid {other.pid}" in waiting.blocked_by
        finally:
            waiter.join()
        assert ask("go on") == "written"


def _wait_for_lock(place: Place) -> None:
    """For what the worker holds: the gate of a file base, the managed lock on a server."""
    with place.session() as session:
        session.lock_timeout = 3
        with pytest.raises(LockTimeout), session.transaction():
            session.lock([LockKey("Catalog.Goods", "1")])


def _wait(condition: Callable[[], bool]) -> None:
    for _ in range(200):
        if condition():
            return
        threading.Event().wait(0.05)
    raise AssertionError("it did not come")


def test_a_lock_of_a_dead_process_names_it() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    card = {"user": "Иванов", "application": "1CV8C", "host": HOST, "pid": process.pid}
    assert "Иванов" in describe_card(card) and (
        "процесс завершён" in describe_card(card) or "gone" in describe_card(card)
    )
    alive = describe_card(card | {"pid": os.getpid()})
    assert "процесс завершён" not in alive and "gone" not in alive


# --- ends ---


def test_the_next_call_of_an_ended_session_fails(place: Place) -> None:
    place.create()
    with place.session() as mine, worker(place) as ask:
        assert ask("write") == "written"
        other = next(s for s in mine.kernel.engine.sessions() if s.pid != os.getpid())
        mine.kernel.engine.administration().terminate([other.id], "Обновление в 18:00.")
        answer = ask("write")
        assert answer.startswith("SessionTerminated") and "Обновление в 18:00." in answer
        goods = [g.Description for g in mine.catalogs.Goods.select()]
        assert goods.count("after") == 1
        mine.catalogs.Goods.new(Description="mine").write()


def test_an_open_transaction_of_an_ended_session_is_rolled_back(place: Place) -> None:
    place.create()
    with place.session() as mine, worker(place) as ask:
        assert ask("hold") == "holding"
        mine.kernel.engine.administration().terminate(None, "")
        assert ask("go on").startswith("SessionTerminated")
        assert [g.Description for g in mine.catalogs.Goods.select()] == ["before"]


def test_ended_sessions_do_not_keep_the_base_from_exclusive_mode(place: Place) -> None:
    place.create()
    with place.session() as mine, worker(place) as ask:
        with pytest.raises(InfobaseBusy), mine.kernel.engine.exclusive(0.1):
            pass
        mine.kernel.engine.administration().terminate(None, "")
        with mine.kernel.engine.exclusive(5):
            mine.catalogs.Goods.new(Description="alone").write()
        assert ask("write").startswith("SessionTerminated")
    with place.session() as again:
        assert sorted(str(g.Description) for g in again.catalogs.Goods.select()) == ["alone", "before"]


def test_whoever_keeps_from_exclusive_mode_is_named_once_by_his_session(place: Place) -> None:
    place.create("Chief")
    with place.session("Chief") as _, Place(place.connection).session("Chief") as other:
        with pytest.raises(InfobaseBusy) as refused, other.kernel.engine.exclusive(0.1):
            pass
        assert str(refused.value).count("pid") == 1 and "Chief" in str(refused.value)


def test_one_of_two_sessions_of_a_process_may_be_ended(place: Place) -> None:
    place.create()
    with place.session() as first, place.session() as second:
        first.kernel.engine.administration().terminate([second.info.id], "x")
        with pytest.raises(SessionTerminated):
            list(second.catalogs.Goods.select())
        first.catalogs.Goods.new(Description="x").write()


# --- blocks ---

LATER = dt.datetime.now().replace(microsecond=0) + dt.timedelta(hours=1)
EARLIER = LATER - dt.timedelta(hours=2)


def test_a_block_keeps_new_sessions_out_and_running_ones_see_it(place: Place) -> None:
    place.create()
    with place.session() as running:
        administration = running.kernel.engine.administration()
        assert running.block() is None
        block = SessionBlock(EARLIER, LATER, 'Обновление "1.1"', "123", "p")
        administration.set_block(block)
        assert running.block() == block
        running.catalogs.Goods.new(Description="goes on").write()
        with pytest.raises(SessionsBlocked, match='Обновление "1.1"'):
            place.session()
        with pytest.raises(SessionsBlocked):
            connect(place.connection, permission_code="124")
        connect(place.connection, permission_code="123").close()
        administration.set_block(None)
        place.session().close()


@pytest.mark.parametrize(("since", "until"), [(LATER, None), (None, EARLIER), (EARLIER, EARLIER)])
def test_outside_its_period_a_block_stops_nobody(
    place: Place, since: dt.datetime | None, until: dt.datetime | None
) -> None:
    place.create()
    with place.session() as running:
        running.kernel.engine.administration().set_block(SessionBlock(since, until, "x", ""))
        place.session().close()


def test_a_file_block_written_by_another_program_holds(tmp_path: Path) -> None:
    place = Place(f'File="{tmp_path / "base"}";')
    place.create()
    (tmp_path / "base" / "1Cv8.cdn").write_bytes(
        '{1,20200101000000,00000000000000,"Резервное копирование","КодРазрешения","x"}'.encode("cp1251")
    )
    with pytest.raises(SessionsBlocked, match="Резервное копирование"):
        place.session()
    connect(f"{place.connection}UC=КодРазрешения;").close()


def test_the_code_of_an_entry_of_the_list_lets_in(tmp_path: Path) -> None:
    place = Place(f'File="{tmp_path / "base"}";')
    place.create()
    engine = place.engine()
    engine.administration().set_block(SessionBlock(code="987654"))
    engine.close()
    lines = [
        "[Лавка]",
        f"Connect={place.connection}",
        "AdditionalParameters=/TechnicalSpecialistMode /UC 987654",
        "[Закрыто]",
    ]
    (tmp_path / "list.v8i").write_text("\n".join([*lines, f"Connect={place.connection}"]), "utf-8")
    connect(resolve("Лавка", tmp_path / "list.v8i")).close()
    with pytest.raises(SessionsBlocked):
        connect(resolve("Закрыто", tmp_path / "list.v8i"))


moments = st.none() | st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(9999, 12, 31)).map(
    lambda m: m.replace(microsecond=0)
)


@given(moments, moments, st.text(), st.text(), st.text())
def test_cdn_round_trip(
    since: dt.datetime | None, until: dt.datetime | None, message: str, code: str, parameter: str
) -> None:
    strings = [s.encode("utf-8", "replace").decode() for s in (message, code, parameter)]
    block = SessionBlock(since, until, *strings)
    assert parse_cdn(format_cdn(block)) == block


@given(st.binary(max_size=300))
def test_any_bytes_are_a_block_or_none(content: bytes) -> None:
    found = parse_cdn(content)
    assert found is None or found.explain(dt.datetime(2026, 1, 1))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", None),
        ("{1}", None),
        (
            '{1,20260101120000,20260101130000,"m","c","p"}',
            SessionBlock(dt.datetime(2026, 1, 1, 12), dt.datetime(2026, 1, 1, 13), "m", "c", "p"),
        ),
        ('{1,,,"m"}', SessionBlock(None, None, "m")),
        (
            '{1, 20260101120000 ,00010101000000,"a,b ""c""\r\nd",""}\r\n',
            SessionBlock(dt.datetime(2026, 1, 1, 12), None, 'a,b "c"\r\nd'),
        ),
    ],
)
def test_blocks_of_others_are_read_tolerantly(content: str, expected: SessionBlock | None) -> None:
    assert parse_cdn(content.encode()) == expected
    assert parse_cdn(("\ufeff" + content).encode()) == expected
    assert parse_cdn(content.encode("utf-16")) == expected


# --- how many ---


def test_a_fourth_session_of_a_file_base_is_refused_unless_the_setting_allows(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = Place(f'File="{tmp_path / "base"}";')
    place.create()
    present = [place.session() for _ in range(2)]
    assert not caplog.records
    present.append(place.session())
    assert len(caplog.records) == 1
    with pytest.raises(SessionLimit) as refused:
        place.session()
    assert refused.value.fields["limit"] == 3
    connect(place.connection, application=SERVICE_APPLICATION).close()
    present[0].settings.set(SESSION_LIMIT, "4")
    present.append(place.session())
    with pytest.raises(SessionLimit):
        place.session()
    present[0].settings.set(SESSION_LIMIT, "0")
    present.append(place.session())
    for session in present:
        session.close()


def test_a_server_base_takes_any_number(place: Place) -> None:
    place.create()
    with place.session() as session:
        assert session_limit(session.kernel) == session.kernel.engine.traits.max_users


def test_a_lock_key_names_its_space(place: Place) -> None:
    place.create()
    with place.session() as session, session.transaction():
        session.lock([LockKey("Catalog.Goods", "1")])
        what = {k.what for k in session.kernel.engine.administration().locks(lock_spaces(session.kernel))}
        assert what
