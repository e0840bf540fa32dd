"""Updating a configuration: what is shown first, the two steps, two updates at once, and SIGKILL at any moment."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from random import Random

import pytest

from infobase import errors
from infobase.check import check_base
from infobase.configuration_update import load_pending, pending, preview, update_configuration
from infobase.infobase import open_base
from infobase.metadata import canonical
from infobase.metadata.difference import compare
from infobase.metadata.model import Configuration
from infobase.metadata.reader import read_folder
from infobase.storage import LogFilter
from tests.administration.conftest import Program
from tests.bases import SHOP, Place, shop

ROOT = Path(__file__).parents[2]
ROUNDS = int(os.environ.get("INFOBASE_KILL_ROUNDS", "6"))
PARTNERS = 60


def changed_folder(folder: Path) -> Path:
    """The shop without the partners' logo and the memos, with a new attribute and another right."""
    shutil.copytree(SHOP, folder)
    partners = folder / "Catalogs" / "Partners.toml"
    text = partners.read_text("utf-8").replace('[attributes.Logo]\nru = "Логотип"\ntype = "ValueStorage"\n', "")
    site = '[attributes.Site]\nru = "Сайт"\ntype = "String(100)"\n'
    partners.write_text(text.replace("[tabular_sections.Phones]", site + "[tabular_sections.Phones]", 1), "utf-8")
    (folder / "Documents" / "Memo.toml").unlink()
    for role in (folder / "Roles").glob("*.toml"):
        kept = role.read_text("utf-8").split("[[rights]]")
        role.write_text("[[rights]]".join(k for k in kept if "Document.Memo" not in k), "utf-8")
    head = folder / "Configuration.toml"
    head.write_text(head.read_text("utf-8").replace(f'version = "{shop().version}"', 'version = "9.0.0"'), "utf-8")
    return folder


@pytest.fixture
def new(tmp_path: Path) -> Configuration:
    return read_folder(changed_folder(tmp_path / "changed"))


def fill(place: Place) -> None:
    with place.session() as session:
        for n in range(PARTNERS):
            session.catalogs.Partners.new(Description=f"П{n}", Logo=b"x" if n < 7 else b"").write()
        for _ in range(3):
            session.documents.Memo.new().write()


def test_what_differs_is_told_object_by_object(new: Configuration) -> None:
    found = {d.place: d for d in compare(shop(), new)}
    assert found["Document.Memo"].kind == "removed"
    assert [d.key for d in found["Configuration"].details] == ["version"]
    keys = [d.key for d in found["Catalog.Partners"].details]
    assert any(k.startswith("attributes.Site") for k in keys) and any(k.startswith("attributes.Logo") for k in keys)
    assert compare(new, new) == []
    assert {d.kind for d in compare(new, shop()) if d.place == "Document.Memo"} == {"added"}


def test_lost_rows_are_counted(place: Place, new: Configuration) -> None:
    place.create()
    fill(place)
    with place.session() as session:
        found = preview(open_base(session.kernel.engine), new)
    lost = {c.place: n for c, n in zip(found.plan.losses, found.rows, strict=True)}
    assert lost == {"Catalog.Partners.Logo": 7, "Document.Memo": 3}


def test_a_loaded_configuration_waits(place: Place, new: Configuration) -> None:
    place.create()
    fill(place)
    with place.session() as session:
        base = open_base(session.kernel.engine)
        assert pending(base) is None
        load_pending(base, new)
        assert canonical.digest(pending(base) or shop()) == canonical.digest(new)
        session.catalogs.Partners.new(Description="works on").write()
        update_configuration(base, new)
    with place.session() as session:
        assert session.kernel.configuration.version == "9.0.0"
        assert pending(open_base(session.kernel.engine)) is None
        log = list(session.kernel.engine.event_log().read(LogFilter()))
        assert [e.event for e in log if "Config" in e.event] == [
            "_$InfoBase$_.ConfigUpdate",
            "_$InfoBase$_.DBConfigUpdate",
        ]


def test_of_two_updates_at_once_one_is_done(place: Place, new: Configuration, tmp_path: Path) -> None:
    place.create()
    fill(place)
    outcomes: list[object] = []

    def update() -> None:
        engine = place.engine()
        try:
            base = open_base(engine)
            ready.wait()
            update_configuration(base, new, timeout=20)
            outcomes.append("done")
        except errors.InfobaseError as e:
            outcomes.append(type(e))
        finally:
            engine.close()

    ready = threading.Barrier(2)
    threads = [threading.Thread(target=update) for _ in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert outcomes.count("done") == 1, outcomes
    others = {errors.ConfigurationChanged, errors.InfobaseBusy, errors.InfobaseLockedExclusively}
    assert others.issuperset(o for o in outcomes if o != "done")
    _sound(place, "9.0.0")


UPDATE = """
import sys
from pathlib import Path
from infobase.configuration_update import update_configuration
from infobase.infobase import open_base
from infobase.metadata.reader import read_folder
from tests.bases import Place
new = read_folder(Path(sys.argv[2]))
base = open_base(Place(sys.argv[1]).engine())
print("ready", flush=True)
update_configuration(base, new)
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is a POSIX signal")
def test_killed_at_any_moment_it_leaves_the_old_or_the_new(place: Place, tmp_path: Path) -> None:
    folders = [changed_folder(tmp_path / "changed"), SHOP]
    place.create()
    fill(place)
    started = time.monotonic()
    with _updating(place, folders[0]) as process:
        started = time.monotonic()
        assert process.wait(60) == 0
    whole = time.monotonic() - started
    version, random, seen = "9.0.0", Random(4), set()
    for n in range(ROUNDS):
        target = folders[1] if version == "9.0.0" else folders[0]
        with _updating(place, target) as process:
            time.sleep(whole * (n + random.random()) / ROUNDS * 1.1)
            process.send_signal(signal.SIGKILL)
        version = _sound(place)
        seen.add(version)
    assert seen


def _updating(place: Place, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", UPDATE, place.connection, str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "ready"
    return process


def _sound(place: Place, version: str = "") -> str:
    """The base's version: whole, with its data, and without a fault."""
    with place.session() as session, session.reading() as tx:
        assert [f for f in check_base(session.kernel, tx) if f.severity == "error"] == []
        assert len(list(session.catalogs.Partners.select())) == PARTNERS
        found = session.kernel.configuration.version
    assert version in ("", found)
    return found


# --- as people type it ---


def test_diff_import_apply_reset(program: Program, conn: str, tmp_path: Path) -> None:
    folder = changed_folder(tmp_path / "changed")
    fill(Place(conn))
    assert program("config", "diff", conn)[0] == errors.NothingToApply.exit_code
    assert program("config", "apply", conn)[0] == errors.NothingToApply.exit_code
    code, out, err = program("config", "diff", conn, folder, "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["lost_rows"] == 10 and told["to"]["version"] == "9.0.0"
    assert {"kind": "removed", "place": "Document.Memo", "details": []} in told["objects"]
    assert "rows: 7" in program("config", "diff", conn, folder)[1]
    assert program("config", "import", folder, conn)[0] == 0
    assert json.loads(program("config", "diff", conn, "--json")[1]) == told
    assert program("config", "reset", conn)[0] == 0
    assert program("config", "diff", conn)[0] == errors.NothingToApply.exit_code
    assert program("config", "import", folder, conn)[0] == 0
    code, _, err = program("config", "apply", conn)
    assert code == errors.UsageError.exit_code and "--yes" in err and "rows: 10" in err
    assert program("config", "apply", conn, "--yes")[0] == 0
    assert _sound(Place(conn)) == "9.0.0"
    assert program("config", "apply", conn, folder)[1].startswith("The base has this configuration")
    assert program("config", "apply", conn, SHOP, "--yes")[0] == 0
    assert _sound(Place(conn)) == shop().version


def test_apply_refuses_while_others_work_unless_told(program: Program, conn: str, tmp_path: Path) -> None:
    folder = changed_folder(tmp_path / "changed")
    other = Place(conn).session()
    try:
        code, _, err = program("config", "apply", conn, folder, "--yes", "--wait", "0.2")
        assert code == errors.InfobaseBusy.exit_code
        assert f"pid {os.getpid()}" in err
        code, _, err = program(
            "config", "apply", conn, folder, "--yes", "--terminate-sessions", "--message", "New version."
        )
        assert code == 0, err
        with pytest.raises(errors.SessionTerminated, match="New version."):
            other.catalogs.Partners.new(Description="x").write()
    finally:
        other.close()
    with Place(conn).session() as session:
        assert session.kernel.configuration.version == "9.0.0"


def test_a_broken_configuration_is_refused_before_anything(program: Program, conn: str, tmp_path: Path) -> None:
    folder = changed_folder(tmp_path / "changed")
    (folder / "Catalogs" / "Goods.toml").write_text("kind = [", "utf-8")
    for verb in (("import", folder, conn), ("apply", conn, folder), ("diff", conn, folder)):
        assert program("config", *verb)[0] == errors.ConfigurationInvalid.exit_code
