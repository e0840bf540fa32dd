"""What an administrator does with a base's jobs and backups over `Srvr=`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import cli
from infobase.backups.folder import backups_in
from infobase.commands import runner
from infobase.errors import ClusterLoginFailed, JobInvalid, NotOverTheWire
from infobase.jobs import Job, Jobs, history_of, jobs_of, remove_job, switch_job, utc_now
from tests.server.conftest import RemotePlace
from tests.server.servers import ADMINISTRATOR, PASSWORD


def test_jobs_are_shown_switched_and_removed(place: RemotePlace, tmp_path: Path) -> None:
    place.create()
    with place.local() as session, session.transaction() as tx:
        Jobs(session.kernel).put(tx, Job("trim", "log_trim", {"older_than": "90d"}, 3600), utc_now())
    with place.session() as far:
        assert [(j.name, j.every, j.parameters) for j in jobs_of(far)] == [("trim", 3600, {"older_than": "90d"})]
        assert history_of(far) == []
        switch_job(far, "trim", False)
        assert not jobs_of(far)[0].enabled
        with pytest.raises(JobInvalid):
            switch_job(far, "nothing", True)
        remove_job(far, "trim")
        assert jobs_of(far) == []


def test_no_job_is_made_from_afar(place: RemotePlace, tmp_path: Path) -> None:
    """Where the server writes its backups is for those who run the server to say."""
    place.create()
    with place.session() as far, pytest.raises(NotOverTheWire), far.transaction() as tx:
        Jobs(far.kernel).put(tx, Job("steal", "backup", {"folder": str(tmp_path)}, 60), utc_now())


def test_backups_and_copies_through_the_server(
    place: RemotePlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What comes through the server is a dump: both administrators must agree, and it is encrypted."""
    monkeypatch.setenv("INFOBASE_KEYS", str(tmp_path / "keys"))
    monkeypatch.setenv("INFOBASE_LIST", str(tmp_path / "ibases.v8i"))
    place.create()

    def run(*arguments: object) -> int:
        code = runner.run(cli.root, ["--lang", "en", *(str(a) for a in arguments)])
        print(capsys.readouterr())
        return code

    where = re.sub(r"S(Usr|Pwd)=[^;]*;", "", place.cluster.connection(place.name))
    monkeypatch.delenv("INFOBASE_CLUSTER_USER", raising=False)
    assert run("backup", where, tmp_path / "stolen") == ClusterLoginFailed.exit_code
    assert not list((tmp_path / "stolen").glob("2*")) if (tmp_path / "stolen").exists() else True
    monkeypatch.setenv("INFOBASE_CLUSTER_USER", ADMINISTRATOR)
    monkeypatch.setenv("INFOBASE_CLUSTER_PASSWORD", PASSWORD)
    assert run("backup", where, tmp_path / "copies") == 0
    [found] = backups_in(tmp_path / "copies")[0]
    assert found.manifest.encrypted and found.manifest.form == "dump"
    assert run("backup", "verify", tmp_path / "copies") == 0
    assert run("copy", where, tmp_path / "copy") == 0
    assert run("info", tmp_path / "copy") == 0
    assert run("jobs", "list", where) == 0
