"""What an administrator does with a base's jobs and backups over `Srvr=`."""

from __future__ import annotations

from pathlib import Path

import pytest

from infobase.errors import JobInvalid, NotOverTheWire
from infobase.jobs import Job, Jobs, history_of, jobs_of, remove_job, switch_job, utc_now
from tests.server.conftest import RemotePlace


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
