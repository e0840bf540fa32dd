from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path

import click

from engine_server.embedded import EmbeddedCluster
from tests import postgres
from tests.bases import file_place, server_place
from tests.reliability import crashes, disk, failing, gate, interrupted, powercut, powered, record, served, twins
from tests.reliability.fuzz import READERS, fuzz_apart
from tests.reliability.ground import Ground, lay
from tests.reliability.interrupted import Outcomes
from tests.reliability.operations import Operation
from tests.reliability.soak import Soak, soak

SOAKS = ("file", "server", "application")
saving = click.option(
    "--save",
    is_flag=False,
    flag_value=str(record.RESULTS),
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep the counts in this file, or without a name in docs/reliability.json, with date and machine.",
)
journal_option = click.option("--journal", type=click.Choice(["wal", "truncate"]), default="wal", help="Of file mode.")
setting_option = click.option("--setting", multiple=True, help="NAME=VALUE of PostgreSQL, for server mode.")


@click.group()
def main() -> None:
    """Break the product on purpose and count what is lost."""


@main.command("powercut")
@click.option("--mode", type=click.Choice(["file", "server"]), default="file")
@journal_option
@setting_option
@click.option("--rounds", default=200, show_default=True)
@click.option("--seed", default=1)
@saving
def powercut_command(
    mode: str, journal: str, setting: tuple[str, ...], rounds: int, seed: int, save: Path | None
) -> None:
    """Cut the power of a loop-mounted disk while several processes post (root)."""
    _demand(disk.why_not())
    os.environ["INFOBASE_JOURNAL"] = journal
    if mode == "file":
        tally = powercut.cut_file(rounds, click.echo, seed)
    else:
        tally = powercut.cut_server(rounds, click.echo, seed, _settings(setting))
    name = journal if mode == "file" else " ".join(setting)
    click.echo(f"powercut {mode} {name}: {tally}")
    if save:
        record.save(f"powercut --mode {mode}", name, tally.counts(), save)
    sys.exit(0 if tally.sound and tally.acknowledged else 1)


def _settings(setting: tuple[str, ...]) -> dict[str, str]:
    return dict(s.split("=", 1) for s in setting)


def _interrupting(function: Callable[..., None]) -> Callable[..., None]:
    """Options of the commands that interrupt operations."""
    for option in (
        saving,
        click.option("--seed", default=1),
        click.option("--mode", type=click.Choice(["file", "server"]), default="file"),
        click.argument("names", nargs=-1),
    ):
        function = option(function)
    return function


def _interrupt(
    ground: Ground,
    names: tuple[str, ...],
    table: str,
    save: Path | None,
    work: Callable[[Operation], Outcomes],
    counts: Callable[[Outcomes], dict[str, int | str]] = Outcomes.counts,
    under: str = "",
) -> None:
    """Each operation in turn; exits. `under`: the journal or settings, where they are not the usual ones."""
    lay(ground)
    found = []
    for operation in interrupted.operations_of(names, files=interrupted.mode_of(ground) == "file"):
        one = work(operation)
        found.append(one)
        click.echo(str(one))
        if save:
            record.save(table, f"{one.operation}, {one.mode}{under and f' {under}'}", counts(one), save)
    _conclude(found)


def _conclude(found: list[Outcomes]) -> None:
    broken = sum(not o.sound for o in found)
    click.echo(f"{sum(o.rounds for o in found)} interruptions in all, {broken} operations broken")
    if broken:
        raise SystemExit(1)


@contextmanager
def _ground(mode: str, settings: dict[str, str] | None = None) -> Iterator[Ground]:
    with tempfile.TemporaryDirectory(prefix="infobase-broken-") as folder, postgres.scratch_cluster(settings) as url:
        work = Path(folder)
        yield interrupted.file_ground(work, url) if mode == "file" else interrupted.server_ground(work, url)


@main.command("kills")
@_interrupting
@journal_option
@click.option("--rounds", default=50, show_default=True)
def kills_command(names: tuple[str, ...], mode: str, seed: int, save: Path | None, journal: str, rounds: int) -> None:
    """SIGKILL at random moments of every long operation, a third of them near its switch."""
    os.environ["INFOBASE_JOURNAL"] = journal
    under = "" if journal == "wal" else journal
    with _ground(mode) as ground:
        work = lambda o: interrupted.kills(ground, o, rounds, seed)  # noqa: E731
        _interrupt(ground, names, "kills", save, work, Outcomes.counts_in_time, under)


@main.command("cuts")
@_interrupting
@journal_option
@setting_option
@click.option("--rounds", default=50, show_default=True)
def cuts_command(
    names: tuple[str, ...],
    mode: str,
    seed: int,
    save: Path | None,
    journal: str,
    setting: tuple[str, ...],
    rounds: int,
) -> None:
    """Cut the power at random moments of every long operation, a third of them near its switch (root)."""
    _demand(disk.why_not())
    os.environ["INFOBASE_JOURNAL"] = journal
    under = " ".join(setting) if mode == "server" else "" if journal == "wal" else journal
    with powered.file_mode() if mode == "file" else powered.server_mode(_settings(setting)) as (ground, cut, back):
        work = lambda o: interrupted.cuts(ground, o, rounds, seed, cut, back)  # noqa: E731
        _interrupt(ground, names, "cuts", save, work, Outcomes.counts_in_time, under)


@main.command("twins")
@_interrupting
@journal_option
@click.option("--rounds", default=50, show_default=True)
def twins_command(names: tuple[str, ...], mode: str, seed: int, save: Path | None, journal: str, rounds: int) -> None:
    """Two of the same operation at once on one base: restore, unless others are named."""
    os.environ["INFOBASE_JOURNAL"] = journal
    broken = 0
    with _ground(mode) as ground:
        lay(ground)
        for operation in interrupted.operations_of(names or ("restore",), files=mode == "file"):
            found = twins.twins(ground, operation, rounds, seed)
            click.echo(str(found))
            if save:
                record.save("twins", f"{operation.name}, {mode}", found.counts(), save)
            broken += not found.sound
    sys.exit(1 if broken else 0)


@main.command("crashes")
@click.argument("ways", nargs=-1, type=click.Choice(list(crashes.WAYS)))
@click.option("--rounds", default=100, show_default=True, help="For each way.")
@click.option("--seed", default=1)
@saving
def crashes_command(ways: tuple[str, ...], rounds: int, seed: int, save: Path | None) -> None:
    """Stop PostgreSQL at once, kill it, its workers, an application server, or the users, while several post."""
    broken = 0
    for way in ways or crashes.WAYS:
        tally = crashes.crashes(way, rounds, click.echo, seed)
        click.echo(f"crashes, {way}: {tally}")
        if save:
            record.save("crashes", way, tally.counts(), save)
        broken += not (tally.sound and tally.acknowledged)
    sys.exit(1 if broken else 0)


@main.command("faults")
@_interrupting
@click.option("--kind", type=click.Choice(list(failing.FAULTS)), multiple=True)
@click.option(
    "--dbms", is_flag=True, help="In server mode: the calls of PostgreSQL, not those of the operation's own process."
)
@click.option("--most", default=10_000, show_default=True, help="The first so many calls fail each in its turn.")
@click.option("--step", default=0, help="After them every so many (0: about 40 more up to the last).")
def faults_command(
    names: tuple[str, ...],
    mode: str,
    seed: int,
    save: Path | None,
    kind: tuple[str, ...],
    dbms: bool,
    most: int,
    step: int,
) -> None:
    """Make the n-th write, sync, rename ... of every long operation fail, for every n."""
    _demand(gate.why_not())
    kinds, found = kind or tuple(failing.FAULTS), []
    with failing.gated_cluster() if dbms else _ungated(mode) as (ground, under):
        for operation in interrupted.operations_of(names, files=interrupted.mode_of(ground) == "file"):
            for one in failing.faults(ground, operation, kinds, most, step, under):
                found.append(one)
                click.echo(str(one))
                if save:
                    name = f"{one.operation}, {one.mode}{', PostgreSQL' if dbms else ''}"
                    record.save(f"faults --kind '{one.kind}'", name, one.counts(), save)
    _conclude(found)


@contextmanager
def _ungated(mode: str) -> Iterator[tuple[Ground, None]]:
    with failing.in_memory("infobase-broken-") as folder, postgres.scratch_cluster() as url:
        ground = interrupted.file_ground(folder, url) if mode == "file" else interrupted.server_ground(folder, url)
        lay(ground)
        yield ground, None


@main.command("limits")
@_interrupting
@click.option("--steps", default=20, show_default=True)
def limits_command(names: tuple[str, ...], mode: str, seed: int, save: Path | None, steps: int) -> None:
    """No file may outgrow a limit (ulimit -f), at so many sizes."""
    with _ground(mode) as ground:
        _interrupt(ground, names, "limits", save, lambda o: interrupted.file_limits(ground, o, steps))


@main.command("fulldisk")
@_interrupting
@click.option("--steps", default=20, show_default=True)
def full_disk_command(names: tuple[str, ...], mode: str, seed: int, save: Path | None, steps: int) -> None:
    """A small tmpfs with ever more room left (root); in server mode PostgreSQL stands on it too."""
    _demand(disk.why_not())
    with powered.small_disk(mode) as ground:
        _interrupt(ground, names, "fulldisk", save, lambda o: interrupted.full_disk(ground, o, steps))


@main.command("page")
def page_command() -> None:
    """Write the tables of docs/reliability.md from docs/reliability.json."""
    made = record.page(record.PAGE.read_text("utf-8"), record.load())
    record.PAGE.write_text(made, "utf-8")


@main.command("soak")
@click.option("--mode", type=click.Choice(list(SOAKS)), multiple=True, default=tuple(SOAKS))
@click.option("--users", default=20, show_default=True, help="Of each mode.")
@click.option("--minutes", default=10.0, show_default=True, help="Of each mode.")
@saving
def soak_command(mode: tuple[str, ...], users: int, minutes: float, save: Path | None) -> None:
    """A long mixed load with killed users, servers and databases, and a final audit."""
    sound = True
    for one in mode:
        with tempfile.TemporaryDirectory(prefix="infobase-soak-") as folder:
            found = SOAK_RUNS[one](Path(folder), users, minutes)
        click.echo(f"soak {one}, {users} users, {minutes:g} min: {found}")
        if save:
            record.save("soak", f"{one}, {users} users, {minutes:g} min", found.counts(), save)
        sound = sound and found.sound
    sys.exit(0 if sound else 1)


def _soak_file(folder: Path, users: int, minutes: float) -> Soak:
    return soak(file_place(folder / "base"), users, minutes * 60, click.echo)


def _soak_server(_: Path, users: int, minutes: float) -> Soak:
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


def _soak_served(folder: Path, users: int, minutes: float) -> Soak:
    """Through two application servers behind a balancer, over a primary and its standby."""
    with served.stand(folder) as at:
        return soak(at.place, users, minutes * 60, click.echo, at.trouble, at.direct, at.processes)


SOAK_RUNS = {"file": _soak_file, "server": _soak_server, "application": _soak_served}


@main.command("fuzz")
@click.argument("names", nargs=-1, type=click.Choice(list(READERS)))
@click.option("--seconds", default=60.0, show_default=True, help="For each reader.")
@click.option("--parallel", default=1, show_default=True, help="Readers at once.")
@click.option("--seed", default=1)
@saving
def fuzz_command(names: tuple[str, ...], seconds: float, parallel: int, seed: int, save: Path | None) -> None:
    """Mutated input for every reader, each in a process of its own."""
    broken = 0
    with ThreadPoolExecutor(parallel) as pool:
        runs = [pool.submit(fuzz_apart, READERS[name], seconds=seconds, seed=seed) for name in names or READERS]
        for run in as_completed(runs):
            found = run.result()
            broken += len(found.broken)
            click.echo(str(found))
            if save:
                record.save("fuzz", found.reader, found.counts(), save)
    sys.exit(1 if broken else 0)


def _demand(reason: str) -> None:
    if reason:
        raise click.ClickException(reason)


if __name__ == "__main__":
    main()
