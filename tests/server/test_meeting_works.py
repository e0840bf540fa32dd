"""Works with a whole base that meet: each is done or told why not, the base is wholly old or wholly new, and other users never notice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from engine_server.application import infobases
from engine_server.application.jobs_loop import add_standard_jobs, backup_key
from engine_server.application.state import worker_at
from engine_server.remote.session import RemoteSession
from engine_server.wire import values
from infobase.backups.folder import backups_in
from infobase.backups.verify import verify_backup
from infobase.connection import connect, engine_of
from infobase.errors import InfobaseError
from infobase.infobase import dump_logged, open_base, restore_base
from infobase.restore import verify_dump
from tests import postgres
from tests.kernel.test_configuration_update import changed
from tests.server.conftest import RemotePlace

TOLD = {"ok", "InfobaseLockedExclusively", "InfobaseBusy", "SessionEnded", "CallInterrupted", "InfobaseNotFound"}
"""What may become of a work that meets another."""


@contextmanager
def neighbour(place: RemotePlace) -> Iterator[None]:
    """Somebody writes into another base of the cluster all the while; none of it fails."""
    name = postgres.fresh_name("nb")
    other = RemotePlace(postgres.connection_string(place.cluster.pg_url, name), place.cluster, name)
    other.create()
    stop, failed, written = threading.Event(), [], 0

    def work() -> None:
        nonlocal written
        try:
            with other.session() as session:
                while not stop.is_set():
                    session.catalogs.Goods.new(Description=f"{written}").write()
                    written += 1
        except BaseException as e:
            failed.append(e)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
        with other.session() as session:
            assert len(session.find_refs("Catalog.Goods", {})) == written > 0
        place.cluster.forget(name)
        postgres.drop_databases(place.cluster.pg_url, name)
    assert failed == []


def together(*works: Callable[[], object]) -> list[str]:
    """Run at once; the class of what each ended in, "ok" for success. Anything but the product's own errors is raised."""
    barrier, outcomes = threading.Barrier(len(works)), [""] * len(works)

    def run(n: int, work: Callable[[], object]) -> None:
        barrier.wait(30)
        try:
            work()
            outcomes[n] = "ok"
        except InfobaseError as e:
            outcomes[n] = type(e).__name__

    threads = [threading.Thread(target=run, args=(n, work)) for n, work in enumerate(works)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(180)
    assert set(outcomes) <= TOLD, outcomes
    return outcomes


def fill(place: RemotePlace, folder: Path) -> None:
    """A base whose dump has 3000 goods, and one more since."""
    place.create()
    with place.local() as local:
        local.bulk_write("Catalog.Goods", [({"Code": f"{n:09}", "Description": f"Товар {n}"}, {}) for n in range(3000)])
        dump_logged(local, open_base(local.kernel.engine), folder / "a.dt")
        local.catalogs.Goods.new(Description="Позже").write()


def goods(place: RemotePlace) -> int:
    with connect(place.cluster.connection(place.name)) as session:
        return len(session.find_refs("Catalog.Goods", {}))


def test_a_restore_while_a_backup_runs(place: RemotePlace, tmp_path: Path) -> None:
    """Neither spoils the other: every backup listed afterwards is whole, and the base has what it had or what the dump has."""
    fill(place, tmp_path)
    home = place.cluster.servers[0].folder
    worker = worker_at(home)
    try:
        add_standard_jobs(worker, infobases.find(worker.cluster, place.name))
        key = backup_key(worker, place.name)
    finally:
        worker.close()
    engine = engine_of(place.cluster.connection(place.name))
    runner = engine_of(place.cluster.connection(place.name))

    def back_up() -> None:
        _, session = runner.door.sign_in("", "", "Test")  # type: ignore[attr-defined]
        told = values.decode(session.door.answer("jobs_run", {"name": "backup"}))
        assert told

    def load() -> None:
        engine.door.sign_in("", "", "Test")  # type: ignore[attr-defined]
        restore_base(engine, tmp_path / "a.dt", replace=True)

    with neighbour(place):
        outcomes = together(back_up, load)
    engine.close()
    runner.close()
    assert "ok" in outcomes
    assert goods(place) == (3000 if outcomes[1] == "ok" else 3001)
    made, faults = backups_in(home / "backups" / place.name)
    assert faults == []
    for backup in made:
        assert verify_backup(backup, key=key).depth == "content"


def test_dumps_while_the_base_is_restructured(place: RemotePlace, tmp_path: Path) -> None:
    """Each dump that came is whole, with the old configuration or with the new; nothing of the others is left; the data is all there."""
    fill(place, tmp_path)
    newer = changed(tmp_path)
    chief = place.session()
    assert isinstance(chief, RemoteSession)

    def restructure() -> None:
        chief.door.answer("update_configuration", {"configuration": values.encode(newer), "terminate": "обновление"})

    def dumps() -> None:
        for n in range(4):
            engine = engine_of(place.cluster.connection(place.name))
            try:
                base, session = engine.door.sign_in("", "", "Test")  # type: ignore[attr-defined]
                dump_logged(session, base, tmp_path / f"made{n}.dt")
                session.close()
            finally:
                engine.close()

    with neighbour(place):
        outcomes = together(restructure, dumps)
    chief.close()
    assert "ok" in outcomes
    assert goods(place) == 3001
    with place.session() as session:
        assert ("Catalog.Colours" in session.kernel.configuration.objects) == (outcomes[0] == "ok")
    made = list(tmp_path.glob("made*"))
    assert len(made) == 4 or outcomes[1] != "ok"
    for file in made:
        assert file.suffix == ".dt", "no part of a dump is left"
        assert verify_dump(file).table_rows["cat_goods"] == 3001
    assert not any((s.folder / "tmp").exists() and any((s.folder / "tmp").iterdir()) for s in place.cluster.servers)
