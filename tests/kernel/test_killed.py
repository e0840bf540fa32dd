"""SIGKILL at any moment of create, restore or posting leaves the old state or the new one, never a mixture."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from infobase.check import check_base
from infobase.infobase import dump_base, open_base
from tests.bases import Place

ROOT = Path(__file__).parents[2]
ROUNDS = int(os.environ.get("INFOBASE_KILL_ROUNDS", "6"))

CREATE = """
from tests.bases import Place
Place(sys.argv[1]).create()
"""
RESTORE = """
from pathlib import Path
from infobase.infobase import restore_base
from tests.bases import Place
restore_base(Place(sys.argv[1]).engine(), Path(sys.argv[2]), replace=True)
"""
POST = """
from tests.bases import Place
with Place(sys.argv[1]).session() as session:
    goods = [session.catalogs.Goods.new(Description=str(n)) for n in range(3)]
    for g in goods:
        g.write()
    print("ready", flush=True)
    while True:
        receipt = session.documents.Receipt.new()
        for g in goods:
            receipt.Goods.add(Item=g, Quantity=1)
        receipt.post()
        print(receipt.ref.uuid, flush=True)
"""


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", "import sys\n" + code, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def kill_after(process: subprocess.Popen[str], seconds: float) -> str:
    """What it had printed when it was killed."""
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    with process:
        return process.communicate()[0]


def run_time(make: Callable[[], subprocess.Popen[str]]) -> float:
    started = time.monotonic()
    with make() as process:
        assert process.wait() == 0
    return time.monotonic() - started


def errors(place: Place) -> list[str]:
    with place.session() as session, session.reading() as tx:
        return [f.message for f in check_base(session.kernel, tx) if f.severity == "error"]


def test_create(place: Place) -> None:
    whole = run_time(lambda: start(CREATE, place.connection))
    place.drop()
    random = Random(1)
    for _ in range(ROUNDS):
        kill_after(start(CREATE, place.connection), random.uniform(0.2, 1.1) * whole)
        engine = place.engine()
        try:
            there = engine.exists()
        finally:
            engine.close()
        if there:
            assert errors(place) == []
            place.drop()
    place.create()
    assert errors(place) == []


def test_restore_over_a_base_keeps_the_old_or_gives_the_new(place: Place, tmp_path: Path) -> None:
    place.create()
    with place.session() as session:
        session.catalogs.Goods.new(Description="in the dump").write()
        base = open_base(session.kernel.engine)
        dump_base(base, tmp_path / "new.dt")
        session.catalogs.Goods.new(Description="old only").write()
    whole = run_time(lambda: start(RESTORE, place.connection, str(tmp_path / "new.dt")))
    random, seen = Random(2), set()
    for _ in range(ROUNDS):
        with place.session() as session:
            if session.catalogs.Goods.find_by_description("old only") is None:
                session.catalogs.Goods.new(Description="old only").write()
        kill_after(start(RESTORE, place.connection, str(tmp_path / "new.dt")), random.uniform(0.3, 1.1) * whole)
        assert errors(place) == []
        with place.session() as session:
            goods = sorted(str(g.Description) for g in session.catalogs.Goods.select())
        assert goods in (["in the dump"], ["in the dump", "old only"])
        seen.add(len(goods))
    assert seen


def test_posting(place: Place) -> None:
    place.create()
    random = Random(3)
    acknowledged: list[str] = []
    for _ in range(ROUNDS):
        process = start(POST, place.connection)
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready"
        lines = kill_after(process, random.uniform(0.05, 0.4)).split("\n")[:-1]
        acknowledged += lines
    assert acknowledged
    with place.session() as session:
        receipts = {str(r.ref.uuid): r.Posted for r in session.documents.Receipt.select()}
        assert all(receipts[uuid] for uuid in acknowledged)
        records = len(session.accumulation_registers.Stock.select())
        assert records == 3 * sum(1 for posted in receipts.values() if posted)
    assert errors(place) == []


@pytest.fixture(autouse=True)
def _posix_only() -> None:
    if os.name != "posix":
        pytest.skip("SIGKILL is a POSIX signal")
