"""Every promise of the README has tests here that could fail: the words are still there, and so are the tests."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = " ".join((ROOT / "README.md").read_text("utf-8").split())

PROMISES: dict[str, tuple[str, ...]] = {
    "the same answers, numbers and digests on both engines": (
        "tests/kernel/test_parity.py",
        "tests/server/test_compliance_posting.py",
        "tests/engine_suite/test_transactions.py",
    ),
    "totals always equal the sum of the movements": (
        "tests/registers/test_posting.py",
        "tests/reliability/test_short.py::test_soak",
    ),
    "nothing acknowledged is lost in a power cut": ("tests/reliability/test_short.py::test_power_cuts",),
    "a killed, starved or failing operation leaves the old state or the new one": (
        "tests/reliability/test_short.py::test_killed_in_file_mode",
        "tests/reliability/test_short.py::test_killed_in_server_mode",
        "tests/reliability/test_short.py::test_a_failing_disk",
        "tests/reliability/test_short.py::test_no_file_may_outgrow_a_limit",
        "tests/kernel/test_killed.py::test_restore_over_a_base_keeps_the_old_or_gives_the_new",
    ),
    "hostile dump changes nothing": ("tests/dump/test_bad_dumps.py",),
    "dump, restore, dump is equal across modes": ("tests/dump/test_round_trips.py",),
    "rights hold for every door": ("tests/rights/test_rights.py", "tests/odata/test_rights.py"),
    "load whole or not at all": ("tests/classifiers/test_loader.py", "tests/addresses/test_kladr.py"),
    "nothing from a file is ever executed": ("tests/test_architecture.py", "tests/metadata/test_expressions.py"),
    "the consultant's day goes as its page says": ("tests/test_consultant.py",),
    "an attack on the server is an error of its own": (
        "tests/server/test_attack_list.py",
        "tests/server/test_hostile_clients.py",
    ),
    "a fixed number of statements and round trips": (
        "tests/bench/test_counters.py::test_posting_a_written_order",
        "tests/bench/test_wire.py::test_posting_takes_two_turns_on_the_wire",
        "tests/bench/test_wire.py::test_a_posting_on_the_server_waits_for_the_disk_once",
    ),
    "the third is warned, a fourth refused": ("tests/administration/test_sessions.py",),
    "every error has its own": ("tests/test_errors.py",),
    "All verbs": ("tests/test_commands_doc.py",),
    "online, verified at once": ("tests/backups/test_backups.py",),
}
"""A phrase of the README -> the tests that would fail if it were not so."""


@pytest.mark.parametrize("phrase", list(PROMISES))
def test_a_promise_has_its_tests(phrase: str) -> None:
    assert phrase in README, "the README says it in other words now: put them here"
    for place in PROMISES[phrase]:
        path, _, name = place.partition("::")
        tests = [
            n.name for n in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))) if isinstance(n, ast.FunctionDef)
        ]
        tests = [t for t in tests if t.startswith("test_")]
        assert (name in tests) if name else tests or "import" in (ROOT / path).read_text("utf-8"), place


def test_every_row_of_the_table_is_held_here() -> None:
    table = (ROOT / "README.md").read_text("utf-8").partition("| promise | proven by |")[2].partition("\n\n")[0]
    rows = [line.split("|")[1].strip() for line in table.splitlines()[2:] if line.startswith("|")]
    assert len(rows) >= 10
    assert [row for row in rows if not any(phrase in row for phrase in PROMISES)] == []
