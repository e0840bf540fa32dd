from __future__ import annotations

import sys

import click

from tests.reliability import disk, powercut


@click.group()
def main() -> None:
    """Break the product on purpose and count what is lost."""


@main.command("powercut")
@click.option("--mode", type=click.Choice(["file", "server"]), default="file")
@click.option("--journal", type=click.Choice(["wal", "truncate"]), default="wal", help="Of file mode.")
@click.option("--rounds", default=200, show_default=True)
@click.option("--seed", default=1)
def powercut_command(mode: str, journal: str, rounds: int, seed: int) -> None:
    """Cut the power of a loop-mounted disk in mid-write (root)."""
    reason = disk.why_not()
    if reason:
        raise click.ClickException(reason)
    if mode == "file":
        tally = powercut.cut_file(rounds, journal, click.echo, seed)
    else:
        tally = powercut.cut_server(rounds, click.echo, seed)
    click.echo(f"powercut {mode} {journal if mode == 'file' else ''}: {tally}")
    sys.exit(0 if tally.sound and tally.acknowledged else 1)


if __name__ == "__main__":
    main()
