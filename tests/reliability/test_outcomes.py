"""A COMMIT of unknown outcome is told as such, whatever else fails after it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from engine_server import staging
from engine_server.place import from_url
from infobase.errors import CommitOutcomeUnknown, DoneUnfinished, EngineUnavailable, SystemRefusal
from infobase.files import kept_before_the_deed
from infobase.scratch import ScratchFolder
from tests.bases import Place, server_place


@pytest.fixture
def place(pg_url: str) -> Iterator[Place]:
    made = server_place(pg_url)
    made.create()
    yield made
    _doors(made, "true")
    made.drop()


def _doors(place: Place, open_to_all: str) -> None:
    """With "false" nobody may connect any more, and who is connected is thrown out."""
    at = from_url(place.connection)
    with psycopg.connect(at.at("postgres").conninfo(), autocommit=True) as conn:
        conn.execute(f"ALTER DATABASE {at.database} WITH ALLOW_CONNECTIONS {open_to_all}")
        if open_to_all == "false":
            ends = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s"
            conn.execute(ends, [at.database])


def test_the_end_of_the_session_does_not_hide_an_unknown_outcome(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """The session's last note cannot be written either: that is a warning."""
    with pytest.raises(CommitOutcomeUnknown), place.session() as session:
        with session.transaction():  # so that nothing is left to be asked before the COMMIT of the next
            session.catalogs.Goods.new(Description="Первый").write()
        with session.transaction():
            session.catalogs.Goods.new(Description="Товар").write()
            _doors(place, "false")
    assert any("connect" in record.getMessage() for record in caplog.records)


def test_work_that_is_done_stays_done_when_the_end_of_the_session_cannot_be_noted(place: Place) -> None:
    with place.session() as session:
        session.catalogs.Goods.new(Description="Товар").write()
        _doors(place, "false")
    _doors(place, "true")
    with place.session() as session:
        assert session.catalogs.Goods.find_by_description("Товар") is not None


def test_a_connection_lost_while_bases_are_switched(place: Place) -> None:
    """The renames may have been committed or not."""
    conn = staging.connect(from_url(place.connection).at("postgres"))
    with pytest.raises(CommitOutcomeUnknown), staging._told_as_unknown(conn), conn.transaction():
        conn.execute("SELECT pg_terminate_backend(pg_backend_pid())")


def test_a_stage_that_cannot_be_removed_does_not_hide_why(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    staged = place.engine().create()

    def away(*_: object) -> None:
        raise EngineUnavailable(place="-", detail="away")

    with pytest.raises(ValueError, match="the reason"):
        try:
            raise ValueError("the reason")
        except ValueError:
            with monkeypatch.context() as patched:
                patched.setattr(staging, "_drop", away)
                staged.drop()
            raise


def test_what_is_done_inside_a_folder_that_is_given_up_is_not_done(tmp_path: Path) -> None:
    failure = OSError(5, "Input/output error")
    with (
        pytest.raises(SystemRefusal),
        ScratchFolder(tmp_path / "copy") as scratch,
        DoneUnfinished.after(scratch.path / "file"),
    ):
        raise failure
    assert not (tmp_path / "copy").exists()
    with pytest.raises(DoneUnfinished), ScratchFolder(tmp_path / "copy"), DoneUnfinished.after(tmp_path / "copy"):
        raise OSError(5, "Input/output error")


def test_a_copy_before_the_deed_that_is_unfinished_is_not_the_deed(tmp_path: Path) -> None:
    with pytest.raises(SystemRefusal) as told, kept_before_the_deed(), DoneUnfinished.after(tmp_path / "kept"):
        raise OSError(5, "Input/output error")
    assert told.value.fields["place"] == tmp_path / "kept"
