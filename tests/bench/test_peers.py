"""The peers: who is asked where, who is skipped and why, and that both sides of a comparison do the same. Nothing is installed, no network."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import commands, results
from benchmarks.peers import environments, measure, registry, sides
from benchmarks.peers.registry import OPERATIONS, PEERS, SCRIPTS, Peer
from infobase.commands import runner
from infobase.errors import BenchmarkSidesDiffer, PeerFailed, PeerNotInstalled

SQLALCHEMY = PEERS["sqlalchemy"]
NO_CLOCK = lambda: 0.0  # noqa: E731


def here(_peer: Peer, _folder: Path) -> Path:
    """Our own interpreter: the packages of SQLAlchemy's peer are among ours."""
    return Path(sys.executable)


def refused(peer: Peer, _folder: Path) -> Path:
    raise PeerNotInstalled(peer=peer.name, detail="no network")


def test_every_peer_has_its_program_and_every_engine_its_peers() -> None:
    assert all((SCRIPTS / p.script).is_file() for p in PEERS.values())
    for kind in registry.ENGINES:
        assert [p.name for p, k in measure.plan(tuple(PEERS), (kind,)) if k == kind] == [
            p.name for p in PEERS.values() if kind in p.engines
        ]
    assert measure.plan(("sqlite3",), ("server",)) == []
    assert [(p.name, kind) for p, kind in measure.plan(("pg_dump", "sqlalchemy"), registry.ENGINES)] == [
        ("sqlalchemy", "file"),
        ("sqlalchemy", "server"),
        ("pg_dump", "server"),
    ]


@pytest.mark.parametrize("kind", registry.ENGINES)
def test_the_orm_does_the_same_as_we(tmp_path_factory: pytest.TempPathFactory, kind: str) -> None:
    """`run` itself compares counts and sums of both bases; here they are seen to be those of so many orders."""
    asked: list[object] = []
    original = measure._Duellists.compare

    def spy(self: measure._Duellists, what: str) -> None:
        asked.append(self.them.ask(what))
        original(self, what)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure._Duellists, "compare", spy)
        done = measure.run(("sqlalchemy",), (kind,), operations=12, find=here)
    assert not done.skipped
    orders = 12 + 1  # one warms the caches
    assert asked == [
        {"orders": orders, "lines": 5 * orders, "movements": 10 * orders, "quantity": 10 * orders, "amount": 100 * orders}
    ]  # fmt: skip
    ratios = [f for f in done.results.figures if f.name.endswith("peer / infobase")]
    assert [f.name.partition(":")[0] for f in ratios] == list(OPERATIONS)
    assert all(len(f.samples) == measure.ROUNDS and f.value > 0 and "12 times" in f.note for f in ratios)


def test_sides_that_differ_make_the_comparison_void(monkeypatch: pytest.MonkeyPatch) -> None:
    def one_more(self: measure._Duellists, name: str, _count: int) -> list[object]:
        if name == "post":
            self.us.spent(name)
            self.them.spent(name, 2)
        return []

    monkeypatch.setattr(measure._Duellists, "operation", one_more)
    with pytest.raises(BenchmarkSidesDiffer):
        measure.run(("sqlalchemy",), ("file",), operations=6, find=here)


def test_the_files_own_backup_holds_our_orders(tmp_path: Path) -> None:
    done = measure.run(("sqlite3",), ("file",), operations=6, folder=tmp_path, find=here)
    assert [f.name for f in done.results.figures if f.name.endswith("peer / infobase")] == [
        "dump: peer / infobase",
        "restore: peer / infobase",
    ]
    assert list(tmp_path.iterdir()) == []


def test_who_is_not_installed_is_skipped_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = measure.run(("sqlalchemy", "django"), ("file",), operations=6, folder=tmp_path, find=refused)
    assert set(done.skipped) == {"sqlalchemy (file)", "django (file)"}
    assert "no network" in str(done.results.settings["skipped: django (file)"])
    assert done.results.figures == ()
    results.save(done.results, tmp_path / "run.json")
    assert results.load(tmp_path / "run.json") == done.results


def test_the_command_tells_who_was_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = Peer("sqlite3", "sqlite_backup.py", engines=("file",), missing=lambda: "it is not there")
    monkeypatch.setitem(registry.PEERS, "sqlite3", absent)
    asked = ["peers", "sqlite3", "--operations", "6", "--folder", str(tmp_path), "--json"]
    assert runner.run(commands.bench, asked) == 0
    told = capsys.readouterr()
    assert "it is not there" in json.loads(told.out)["settings"]["skipped: sqlite3 (file)"]
    assert "it is not there" in told.err
    assert runner.run(commands.bench, [*asked, "--strict"]) == PeerNotInstalled.exit_code
    assert list(tmp_path.iterdir()) == []


def test_a_peer_that_breaks_is_skipped_with_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "broken.py"
    program.write_text("import sys; sys.exit('out of order')", encoding="utf-8")
    monkeypatch.setitem(registry.PEERS, "sqlalchemy", Peer("sqlalchemy", str(program)))
    done = measure.run(("sqlalchemy",), ("file",), operations=6, find=here)
    [error] = done.skipped.values()
    assert isinstance(error, PeerFailed)
    assert "out of order" in str(error)


def test_an_error_inside_an_operation_is_told(tmp_path: Path) -> None:
    place = {"engine": "file", "file": str(tmp_path / "a.db"), "folder": str(tmp_path)}
    with (
        pytest.raises(PeerFailed, match="AttributeError"),
        sides.theirs(SQLALCHEMY, Path(sys.executable), place, NO_CLOCK) as side,
    ):
        side.ask("post")  # before it was prepared


def test_an_environment_is_made_once_and_never_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []

    def run(_peer: Peer, command: list[str]) -> None:
        ran.append(command)
        if "venv" in command:
            Path(command[-1]).mkdir()
        elif len(ran) < 3:
            raise PeerNotInstalled(peer="sqlalchemy", detail="no network")

    monkeypatch.setattr(environments, "_run", run)
    with pytest.raises(PeerNotInstalled):
        environments.interpreter(SQLALCHEMY, tmp_path)
    made = environments.interpreter(SQLALCHEMY, tmp_path)
    assert len(ran) == 4, "a half-made environment is made anew"
    assert environments.interpreter(SQLALCHEMY, tmp_path) == made
    assert len(ran) == 4, "a whole one is kept"
    assert str(tmp_path) in str(made)


def test_what_the_installer_said_is_the_reason(tmp_path: Path) -> None:
    broken = Peer("nobody", "x.py", ("--no-such-option",))
    with pytest.raises(PeerNotInstalled, match="no-such-option"):
        environments._run(broken, [sys.executable, "-c", "import sys; sys.exit('no-such-option')"])


def test_peers_without_packages_run_under_our_interpreter(tmp_path: Path) -> None:
    assert environments.interpreter(PEERS["sqlite3"], tmp_path) == Path(sys.executable)
    assert list(tmp_path.iterdir()) == []


def test_a_real_installation_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip itself, which may look nowhere: the others are measured, this one is named."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    done = measure.run(("sqlalchemy", "sqlite3"), ("file",), operations=6, folder=tmp_path)
    assert set(done.skipped) == {"sqlalchemy (file)"}
    assert "No matching distribution" in str(done.skipped["sqlalchemy (file)"])
    assert {f.scenario for f in done.results.figures} == {"sqlite3"}
    assert list(tmp_path.iterdir()) == []
