"""`backup` and `jobs` as people type them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import cli
from infobase import errors
from infobase.commands import runner
from tests.bases import Place

Program = Callable[..., tuple[int, str, str]]


@pytest.fixture
def program(capsys: pytest.CaptureFixture[str]) -> Program:
    def run(*arguments: object) -> tuple[int, str, str]:
        code = runner.run(cli.root, ["--lang", "en", *(str(a) for a in arguments)])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return run


def test_a_backup_day(program: Program, file_base: Place, tmp_path: Path) -> None:
    base, copies = tmp_path / "base", tmp_path / "copies"
    for _ in range(2):
        code, out, err = program("backup", base, copies, "--keep", "7d:24h,3", "--json")
        assert code == 0, err
    made = json.loads(out)
    assert made["number"] == 2 and made["form"] == "folder" and not made["encrypted"]
    assert [b["number"] for b in json.loads(program("backup", "list", copies, "--json")[1])] == [2, 1]
    assert "folder" in program("backup", "list", copies)[1]
    assert program("backup", "verify", copies, "--full")[0] == 0
    assert program("verify", copies)[0] == 0
    report = json.loads(program("backup", "drill", copies, "--json")[1])
    assert (
        report["content_digest"] == made["content_digest"] and report["rto_seconds"] > 0 and report["rpo_seconds"] >= 0
    )
    assert "RPO" in program("backup", "drill", made["place"])[1]
    assert program("backup", "restore", copies, tmp_path / "back")[0] == 0
    assert json.loads(program("info", tmp_path / "back", "--json")[1])["content_digest"] == made["content_digest"]
    assert program("backup", "restore", copies, tmp_path / "back")[0] == errors.TargetExists.exit_code
    assert program("backup", "restore", copies, base, "--replace", "--yes")[0] == 0
    (Path(made["place"]) / "base" / "1Cv8.1CD").write_bytes(b"x")
    assert program("backup", "verify", copies)[0] == errors.BackupInvalid.exit_code
    assert program("backup", "restore", copies, tmp_path / "new")[0] == errors.BackupInvalid.exit_code
    assert not (tmp_path / "new").exists()


def test_a_schedule(program: Program, file_base: Place, tmp_path: Path) -> None:
    base, copies = tmp_path / "base", tmp_path / "copies"
    assert program("backup", "schedule", base, copies, "--every", "30", "--keep", "2")[0] == 0
    [job] = json.loads(program("jobs", "list", base, "--json")[1])
    assert (job["name"], job["every"], job["parameters"]["keep"]) == ("backup", 1800, "2")
    assert [r["outcome"] for r in json.loads(program("jobs", "run", base, "--once", "--json")[1])] == ["succeeded"]
    assert json.loads(program("jobs", "run", base, "--once", "--json")[1]) == []
    assert program("jobs", "run", base, "--now", "backup")[0] == 0
    assert len(json.loads(program("backup", "list", copies, "--json")[1])) == 2
    copies.rename(tmp_path / "moved")
    copies.write_text("a file in the way")
    code, _, err = program("jobs", "run", base, "--now", "backup")
    assert code == errors.JobsFailed.exit_code and "backup" in err
    assert [r["outcome"] for r in json.loads(program("jobs", "history", base, "--json")[1])] == [
        "failed",
        "succeeded",
        "succeeded",
    ]
    assert program("jobs", "disable", base, "backup")[0] == 0
    assert program("jobs", "enable", base, "backup")[0] == 0
    assert program("jobs", "trim-log", base, "--older-than", "90d")[0] == 0
    assert program("jobs", "remove", base, "backup")[0] == 0
    assert [j["name"] for j in json.loads(program("jobs", "list", base, "--json")[1])] == ["log_trim"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["backup", "{tmp}/none", "{tmp}/c"], errors.InfobaseNotFound),
        (["backup", "{tmp}/base", "{tmp}/c", "--keep", "often"], errors.UsageError),
        (["backup", "{tmp}/base", "{tmp}/base/c"], errors.TargetUnfit),
        (["backup", "{tmp}/base", "{tmp}/c", "--key-file", "{tmp}/no.key"], errors.KeyFileInvalid),
        (["backup", "{tmp}/base"], errors.UsageError),
        (["backup", "list", "{tmp}/none"], errors.BackupNotFound),
        (["backup", "verify", "{tmp}/base"], errors.BackupInvalid),
        (["backup", "drill", "{tmp}/none"], errors.BackupNotFound),
        (["backup", "schedule", "{tmp}/base", "{tmp}/c", "--every", "0"], errors.UsageError),
        (["backup", "schedule", "{tmp}/base", "{tmp}/c", "--every", "5s"], errors.JobInvalid),
        (["backup", "schedule", "{tmp}/base", "{tmp}/base/c", "--every", "30"], errors.TargetUnfit),
        (["jobs", "run", "{tmp}/base", "--now", "nothing"], errors.JobInvalid),
        (["jobs", "remove", "{tmp}/base", "nothing"], errors.JobInvalid),
    ],
)
def test_what_a_careless_person_types(
    program: Program, file_base: Place, tmp_path: Path, arguments: list[str], error: type[errors.InfobaseError]
) -> None:
    code, _, err = program(*(a.replace("{tmp}", str(tmp_path)) for a in arguments))
    assert code == error.exit_code, err
    assert err.strip() and not (tmp_path / "c").exists()


def test_help_is_for_the_group(program: Program) -> None:
    assert "schedule" in program("backup", "--help")[1]
    assert program("backup")[0] == errors.UsageError.exit_code
