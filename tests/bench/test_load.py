"""Users as processes, networks, plans that can be resumed, and what a run of the two modes says."""

from __future__ import annotations

import dataclasses
import socket
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks import page as pages
from benchmarks.commands import bench
from benchmarks.load import gilev, modes, plan, report
from benchmarks.load.fill import new_base
from benchmarks.load.modes import Cell, Keeper, Run, measure
from benchmarks.load.network import NETWORKS, FileShare, Network, link, why_no_share
from benchmarks.load.plan import Plan
from benchmarks.load.tally import Tallies
from benchmarks.load.verdicts import bears, crossings, sentences
from benchmarks.load.worker import Task, serve
from infobase.check import check_base
from infobase.connection import connect, engine_of
from infobase.errors import BenchmarkRunInvalid
from infobase.query_model import Query, SelectItem

SILENT = lambda *_: None  # noqa: E731


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("load") / "base"
    new_base(engine_of(f'File="{folder}";'), 60)
    return folder


def test_a_filled_base_is_a_sound_base_of_posted_orders(base: Path) -> None:
    with connect(f'File="{base}";') as session:
        found = session.query(Query("Document.SalesOrder", select=(SelectItem("Count(*)", "n"),)))
        assert found[0]["n"] >= 60
        with session.reading() as tx:
            assert [f for f in check_base(session.kernel, tx) if f.severity == "error"] == []
        order = next(iter(session.documents.SalesOrder.select(limit=1)))
        order.post()
        with session.reading() as tx:
            assert [f for f in check_base(session.kernel, tx) if f.severity == "error"] == []


@pytest.mark.parametrize("deed", ["post", "repost", "read", "find", "list", "report", "close_month", "office"])
def test_every_user_is_served(base: Path, deed: str) -> None:
    served = serve(Task(f'File="{base}";', deed, 2, 0.3))
    assert len(served) == 2
    assert all(s.count > 0 and not s.errors and s.longest > 0 for s in served)


def test_a_task_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="InfobaseNotFound"):
        serve(Task(f'File="{tmp_path}";', "post", 2, 0.1))


@pytest.mark.skipif(bool(why_no_share()), reason=why_no_share())
def test_a_file_share_counts_and_delays(base: Path, tmp_path: Path) -> None:
    far = FileShare(Network("far", "", "", 0.01), base, tmp_path)
    serve(Task(f'File="{base}";', "list", 1, 0.01), far.environment())
    before = far.traffic()
    slow = serve(Task(f'File="{base}";', "post", 1, 0.5), far.environment())
    passed = far.traffic().turns - before.turns
    near = FileShare(NETWORKS["local"], base, tmp_path)
    serve(Task(f'File="{base}";', "list", 1, 0.01), near.environment())
    fast = serve(Task(f'File="{base}";', "post", 1, 0.5), near.environment())
    assert passed > 10
    assert near.traffic().bytes > 0
    assert sum(s.count for s in slow) < sum(s.count for s in fast)


def test_a_link_delays_counts_and_keeps_every_byte() -> None:
    echo = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        conn, _ = echo.accept()
        with conn:
            while part := conn.recv(1 << 16):
                conn.sendall(part)

    threading.Thread(target=answer, daemon=True).start()
    with echo, link(Network("n", "", "", 0.02), echo.getsockname()[1]) as (port, traffic):
        with socket.create_connection(("127.0.0.1", port)) as client:
            for n in range(3):
                started = time.monotonic()
                sent = bytes([n]) * 1000
                client.sendall(sent)
                got = b""
                while len(got) < len(sent):
                    got += client.recv(1 << 16)
                assert got == sent
                assert time.monotonic() - started >= 0.02
        assert traffic.turns == 3
        assert traffic.bytes == 6000


def test_a_deed_that_does_not_end_is_known_of() -> None:
    tallies = Tallies(2)
    done, stuck = tallies.of(0), tallies.of(1)
    for n in range(5000):
        done.begin(10.0)
        done.end(0.25, "InfobaseBusy" if n % 10 == 0 else "")
    stuck.begin(20.0)
    one, other = tallies.served(now=23.0)
    assert (one.count, one.errors, len(one.latencies), set(one.latencies)) == (
        4500,
        {"InfobaseBusy": 500},
        2000,
        {0.25},
    )
    assert (one.longest, one.unfinished) == (0.25, 0.0)
    assert (other.count, other.latencies, other.longest, other.unfinished) == (0, [], 3.0, 3.0)


# --- plans and what they say ---


def test_a_run_that_has_to_stop_has_seen_every_network_deed_and_mode() -> None:
    wanted = Plan(30)
    order = wanted.order()
    assert sorted(order) == sorted(wanted.combinations())
    corners = len(wanted.networks) * len(wanted.deeds) * len(wanted.modes)
    assert {(m, n, d) for m, n, _, d, _ in order[:corners]} == {
        (m, n, d) for m in wanted.modes for n in wanted.networks for d in wanted.deeds
    }
    assert {users for *_, users in order[:corners]} == {1}
    assert {users for *_, users in order[: 2 * corners]} == {1, 50}
    assert {documents for _, _, documents, _, _ in order[: 5 * corners]} == {10_000, 1_000_000}
    assert all(a[1:] == b[1:] and a[0] != b[0] for a, b in zip(order[::2], order[1::2], strict=True)), (
        "modes take turns"
    )


def test_what_takes_too_long_is_calculated_from_what_it_sends() -> None:
    near = Cell("file", "local", 100, "close_month", 1, 1.0, 4, 0.3, 0.3, 0.3, 1.0, turns=10_000.0, bytes=50e6)
    run = dataclasses.replace(run_of(near), plan=Plan(1, (1, 5), (100,), ("local", "slow"), ("close_month",)))
    made = modes._calculated(run, ("file", "slow", 100, "close_month", 5))
    assert made is not None
    assert (made.note, made.count) == ("calculated", 5)
    assert made.median == pytest.approx(0.3 + 10_000 * 0.02 + 50e6 / 1_250_000)
    assert modes._calculated(run, ("file", "local", 100, "close_month", 5)) is None
    quick = dataclasses.replace(near, turns=10.0, bytes=1e3)
    assert modes._calculated(run_of(quick), ("file", "slow", 100, "close_month", 5)) is None


def test_a_server_that_answers_beats_a_file_that_does_not() -> None:
    stuck = dataclasses.replace(cell("file", 3), count=0, note="unfinished", longest=30.0)
    found = crossings(run_of(cell("file", 1, rate=2.0), cell("server", 1), stuck, cell("server", 3)))
    assert [(c.users, c.ratios) for c in found] == [(3, ((1, 0.5), (3, float("inf"))))]


def cell(mode: str, users: int, *, rate: float = 1.0, p95: float = 0.1, deed: str = "post") -> Cell:
    return Cell(mode, "local", 100, deed, users, 1.0, int(rate * 100), p95 / 2, p95, p95, 1.0, 1.0, 10.0)


def run_of(*cells: Cell, users: tuple[int, ...] = (1, 3, 5), deeds: tuple[str, ...] = ("post",)) -> Run:
    plan = Plan(1, users, (100,), ("local",), deeds)
    return Run(plan, {"cpu": "x"}, {}, {c.key: c for c in cells})


def test_the_crossing_is_the_number_from_which_the_server_stays_ahead() -> None:
    rates = {1: (2.0, 1.0), 3: (2.0, 3.0), 5: (1.0, 4.0)}
    cells = [cell(m, u, rate=r[i]) for u, r in rates.items() for i, m in enumerate(("file", "server"))]
    found = crossings(run_of(*cells))
    assert [(c.users, dict(c.ratios)) for c in found] == [(3, {1: 0.5, 3: 1.5, 5: 4.0})]
    falls_back = [dataclasses.replace(c, count=10) if c.key[4] == 5 and c.mode == "server" else c for c in cells]
    assert crossings(run_of(*falls_back))[0].users is None


def test_a_mode_bears_as_many_users_as_are_served_quickly() -> None:
    cells = [cell("file", u, p95=p, deed="office") for u, p in ((1, 0.1), (3, 0.9), (5, 1.5))]
    found = bears(run_of(*cells, deeds=("office",)))
    assert [(b.mode, b.users, b.next) for b in found] == [("file", 3, 5)]
    assert any("3" in s for s in sentences(run_of(*cells, deeds=("office",))))


def test_a_run_is_kept_as_it_goes_and_taken_up_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "LONGEST", 1.0)
    wanted = Plan(10, (1,), (20,), ("local",), ("list", "find"), ("file",))
    folder, scratch = tmp_path / "out", tmp_path / "scratch"
    scratch.mkdir()
    done = measure(wanted, folder, scratch, tmp_path / "bases", SILENT)
    assert done.complete
    assert {c.deed for c in done.cells.values()} == {"list", "find"}
    assert all(c.count > 0 and not c.skipped for c in done.cells.values())
    lines = (folder / "run.jsonl").read_text("utf-8").split("\n")
    (folder / "run.jsonl").write_text("\n".join(lines[:3]) + '\n{"cell": {"mo', "utf-8")
    again = Keeper(folder).load()
    assert len(again.cells) == 1
    assert not again.complete
    with pytest.raises(BenchmarkRunInvalid):
        measure(dataclasses.replace(wanted, users=(2,)), folder, scratch, tmp_path / "bases", SILENT)


def test_the_report_shows_every_cell_and_the_answers(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    run = run_of(*(cell(m, u) for m in ("file", "server") for u in (1, 3, 5)))
    page = report.write(run, tmp_path).read_text("utf-8")
    assert page.count("<svg") == 1
    assert (tmp_path / "local-100.png").read_bytes().startswith(b"\x89PNG")
    assert all(sentence.partition("(")[0].strip() in page for sentence in sentences(run))


def test_a_kept_run_goes_into_a_page_with_its_answers(tmp_path: Path) -> None:
    run = run_of(*(cell(m, u) for m in ("file", "server") for u in (1, 3)))
    keeper = Keeper(tmp_path / "out")
    keeper.begin(run.plan, run.machine)
    for one in run.cells.values():
        keeper.cell(run, one)
    target = tmp_path / "page.md"
    target.write_text(f"before\n{pages.BEGIN}\n{pages.END}\nafter\n", encoding="utf-8")
    assert CliRunner().invoke(bench, ["page", str(keeper.path.parent), str(target)]).exit_code == 0
    shown = target.read_text("utf-8")
    assert shown.startswith("before\n")
    assert all(f"- {sentence}" in shown for sentence in sentences(run))
    assert shown.count("\n| local |") == len(run.cells)


def test_gilev_scores_one_user_and_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gilev, "STEPS", (1, 2))
    score = gilev.measure(f'File="{tmp_path / "base"}";', 0.3, SILENT)
    assert score.mode == "file"
    assert score.index > 0
    assert [s.sessions for s in score.steps] == [1, 2]
    assert all(s.errors == 0 and s.rate > 0 for s in score.steps)
