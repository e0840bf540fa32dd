from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import click

from engine_server.embedded import EmbeddedCluster
from tests import postgres
from tests.bases import file_place, server_place
from tests.reliability import disk, interrupted, powercut
from tests.reliability.fuzz import READERS, fuzz
from tests.reliability.interrupted import Outcomes
from tests.reliability.operations import Ground, lay
from tests.reliability.soak import Soak, soak


@click.group()
def main() -> None:
    """Break the product on purpose and count what is lost."""


def _finish(found: list[Outcomes]) -> None:
    broken = sum(not o.sound for o in found)
    click.echo(f"{sum(sum(o.states.values()) for o in found)} interruptions in all, {broken} operations broken")
    sys.exit(1 if broken else 0)


@main.command("powercut")
@click.option("--mode", type=click.Choice(["file", "server"]), default="file")
@click.option("--journal", type=click.Choice(["wal", "truncate"]), default="wal", help="Of file mode.")
@click.option("--rounds", default=200, show_default=True)
@click.option("--seed", default=1)
def powercut_command(mode: str, journal: str, rounds: int, seed: int) -> None:
    """Cut the power of a loop-mounted disk while several processes post (root)."""
    _demand(disk.why_not())
    if mode == "file":
        tally = powercut.cut_file(rounds, journal, click.echo, seed)
    else:
        tally = powercut.cut_server(rounds, click.echo, seed)
    click.echo(f"powercut {mode} {journal if mode == 'file' else ''}: {tally}")
    sys.exit(0 if tally.sound and tally.acknowledged else 1)


@main.command("cuts")
@click.argument("names", nargs=-1)
@click.option("--rounds", default=50, show_default=True)
@click.option("--seed", default=1)
def cuts_command(names: tuple[str, ...], rounds: int, seed: int) -> None:
    """Cut the power at random moments of every long operation (root, file mode)."""
    _demand(disk.why_not())
    found = []
    for operation in interrupted.operations_of(names, files=True):
        found.append(interrupted.cuts(operation, rounds, seed))
        click.echo(str(found[-1]))
    _finish(found)


@main.command("kills")
@click.argument("names", nargs=-1)
@click.option("--mode", type=click.Choice(["file", "server"]), default="file")
@click.option("--rounds", default=50, show_default=True)
@click.option("--seed", default=1)
def kills_command(names: tuple[str, ...], mode: str, rounds: int, seed: int) -> None:
    """SIGKILL at random moments of every long operation."""
    found = []
    with tempfile.TemporaryDirectory(prefix="infobase-kills-") as folder:
        if mode == "file":
            found = _kills(interrupted.file_ground(Path(folder)), names, rounds, seed)
        else:
            with postgres.scratch_cluster() as url:
                found = _kills(Ground(Path(folder), server_place(url), server_place(url)), names, rounds, seed)
    _finish(found)


def _kills(ground: Ground, names: tuple[str, ...], rounds: int, seed: int) -> list[Outcomes]:
    lay(ground)
    found = []
    for operation in interrupted.operations_of(names, files=ground.source.connection.startswith("File")):
        found.append(interrupted.kills(ground, operation, rounds, seed))
        click.echo(str(found[-1]))
    return found


@main.command("faults")
@click.argument("names", nargs=-1)
@click.option("--kind", type=click.Choice(list(interrupted.FAULTS)), multiple=True)
@click.option("--most", default=400, show_default=True, help="Calls tried at most.")
@click.option("--step", default=1, show_default=True, help="Every how many calls.")
def faults_command(names: tuple[str, ...], kind: tuple[str, ...], most: int, step: int) -> None:
    """Make the n-th fsync or write of every long operation fail, for every n (strace, file mode)."""
    _demand(interrupted.strace_missing())
    found = []
    with tempfile.TemporaryDirectory(prefix="infobase-faults-") as folder:
        ground = interrupted.file_ground(Path(folder))
        lay(ground)
        for operation in interrupted.operations_of(names, files=True):
            for one in kind or interrupted.FAULTS:
                found.append(interrupted.faults(ground, operation, one, most, step))
                click.echo(str(found[-1]))
    _finish(found)


@main.command("soak")
@click.option("--mode", type=click.Choice(["file", "server"]), multiple=True, default=("file", "server"))
@click.option("--users", default=10, show_default=True, help="Of each mode.")
@click.option("--minutes", default=10.0, show_default=True, help="Of each mode.")
def soak_command(mode: tuple[str, ...], users: int, minutes: float) -> None:
    """A long mixed load with killed users and a crashing server, and a final audit."""
    sound = True
    for one in mode:
        with tempfile.TemporaryDirectory(prefix="infobase-soak-") as folder:
            found = _soak_file(Path(folder), users, minutes) if one == "file" else _soak_server(users, minutes)
        click.echo(f"soak {one}, {users} users, {minutes:g} min: {found}")
        sound = sound and found.sound
    sys.exit(0 if sound else 1)


def _soak_file(folder: Path, users: int, minutes: float) -> Soak:
    return soak(file_place(folder / "base"), users, minutes * 60, click.echo)


def _soak_server(users: int, minutes: float) -> Soak:
    """On a durable cluster of its own, crashed (immediate stop) and started again on the way."""
    folder = Path(tempfile.mkdtemp(prefix="infobase-soak-pg-"))
    folder.chmod(0o755)
    cluster = EmbeddedCluster(folder)
    url = postgres.url_of(cluster.start())

    def crash() -> None:
        pid = cluster.server_pid()
        assert pid is not None
        os.kill(pid, signal.SIGQUIT)
        while Path(f"/proc/{pid}").exists():
            time.sleep(0.05)
        cluster.start()

    try:
        return soak(server_place(url), users, minutes * 60, click.echo, crash)
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


@main.command("fuzz")
@click.argument("names", nargs=-1, type=click.Choice(list(READERS)))
@click.option("--seconds", default=60.0, show_default=True, help="For each reader.")
@click.option("--seed", default=1)
def fuzz_command(names: tuple[str, ...], seconds: float, seed: int) -> None:
    """Mutated input for every reader."""
    found = [fuzz(READERS[name], seconds=seconds, seed=seed) for name in names or READERS]
    for one in found:
        click.echo(str(one))
    sys.exit(1 if any(one.broken for one in found) else 0)


def _demand(reason: str) -> None:
    if reason:
        raise click.ClickException(reason)


if __name__ == "__main__":
    main()
