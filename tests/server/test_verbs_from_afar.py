"""Every verb of the command line against a base behind an application server: it works, or it stands in a short list with the reason."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import cli
from infobase import errors
from infobase.storage import Statement
from tests.bases import SHOP
from tests.server.conftest import RemotePlace
from tests.server.servers import PASSWORD
from tests.server.test_commands import Program, program

__all__ = ["program"]

NO_BASE = (
    "demo", "wizard", "list", "inspect", "verify", "backup list", "backup verify", "config check", "classifier kinds",
    "bench run", "bench compare", "bench page", "bench modes", "bench peers", "template install", "template list",
    "template lint", "template remove", "template build", "server",
)  # fmt: skip
"""Verbs that take no base, or make their own; by family or whole."""
ELSEWHERE = {
    "serve": "the server serves the base itself",
    "bench gilev": "it measures a store of its own beside the base",
    "template cache": "bases made through a server have no golden bases",
    "backup drill": "it compares the restored store directly",
}
"""Verbs that refuse a base behind a server, in words that say what to do."""
OF_CLASSIFIERS = (
    "classifier load",
    "classifier address",
    "classifier pick",
    "classifier refresh",
    "classifier check-account",
)
"""Tested with the classifiers."""
USUAL = {"backup", "log_trim", "totals", "classifiers"}
"""The jobs every base of an application server has."""


@dataclass
class Afar:
    """A base behind a server with its own folder for files."""

    place: RemotePlace
    folder: Path
    there: str = field(init=False)

    def __post_init__(self) -> None:
        self.there = self.place.cluster.connection(self.place.name, "Chief")

    @property
    def another(self) -> str:
        """A free place in the cluster."""
        return self.place.cluster.connection(self.place.name + "x")


WORKS: dict[str, Callable[[Afar], tuple[object, ...]]] = {
    "create": lambda a: (a.another, "--template", SHOP),
    "info": lambda a: (a.there,),
    "query": lambda a: (a.there, "--source", "Catalog.Goods"),
    "post": lambda a: (a.there, "Receipt"),
    "dump": lambda a: (a.there, a.folder / "a.dt"),
    "copy": lambda a: (a.there, a.folder / "copy"),
    "replicate": lambda a: (a.there, f'File="{a.folder / "moved"}";'),
    "restore": lambda a: (a.folder / "a.dt", a.there, "--replace", "--yes"),
    "advise": lambda a: (a.there, "--json"),
    "backup make": lambda a: (a.there, a.folder / "backups"),
    "backup restore": lambda a: (a.folder / "backups", a.there, "--replace", "--yes"),
    "backup schedule": lambda a: (a.there, a.folder / "scheduled", "--every", "1h"),
    "jobs list": lambda a: (a.there,),
    "jobs run": lambda a: (a.there, "--now", "backup"),
    "jobs history": lambda a: (a.there,),
    "jobs trim-log": lambda a: (a.there,),
    "jobs standard": lambda a: (a.there, "--json"),
    "jobs disable": lambda a: (a.there, "log_trim"),
    "jobs enable": lambda a: (a.there, "log_trim"),
    "jobs remove": lambda a: (a.there, "log_trim"),
    "check": lambda a: (a.there, "--fix"),
    "config export": lambda a: (a.there, a.folder / "shop.cf"),
    "config diff": lambda a: (a.there, a.folder / "shop.cf"),
    "config import": lambda a: (SHOP, a.there),
    "config apply": lambda a: (a.there, a.folder / "shop.cf", "--yes"),
    "config reset": lambda a: (a.there,),
    "sessions list": lambda a: (a.there,),
    "sessions block": lambda a: (a.there,),
    "sessions unblock": lambda a: (a.there,),
    "sessions terminate": lambda a: (a.there, "--all", "--yes"),
    "sessions limit": lambda a: (a.there, "9"),
    "user add": lambda a: (a.there, "Clerk", "--role", "Clerk", "--empty-password"),
    "user list": lambda a: (a.there,),
    "user password": lambda a: (a.there, "Clerk", "--empty-password"),
    "user roles": lambda a: (a.there, "Clerk", "Clerk"),
    "user remove": lambda a: (a.there, "Clerk"),
    "role list": lambda a: (a.there,),
    "log show": lambda a: (a.there,),
    "log export": lambda a: (a.there, a.folder / "log.jsonl"),
    "log trim": lambda a: (a.there, "--before", "2020-01-01"),
    "odata publish": lambda a: (a.there, "Catalog.Goods"),
    "odata show": lambda a: (a.there,),
    "odata unpublish": lambda a: (a.there, "Catalog.Goods"),
    "classifier status": lambda a: (a.there,),
    "prepare": lambda a: (a.there, "--yes"),
    "drop": lambda a: (a.there, "--yes"),
}  # fmt: skip
"""In the order in which they are run on one base."""
REFUSED: dict[str, Callable[[Afar], tuple[object, ...]]] = {
    "serve": lambda a: (a.there,),
    "bench gilev": lambda a: (a.there,),
    "template cache": lambda a: (a.there, "--clear"),
    "backup drill": lambda a: (a.folder / "backups", "--into", a.there),
}


def verbs(group: object, path: tuple[str, ...] = ()) -> Iterator[str]:
    for name, command in getattr(group, "commands", {}).items():
        if getattr(command, "commands", None):
            yield from verbs(command, (*path, name))
        else:
            yield " ".join((*path, name))


def test_every_verb_has_its_place_in_the_table() -> None:
    known = {*WORKS, *ELSEWHERE, *OF_CLASSIFIERS}
    left = [v for v in verbs(cli.root) if v not in known and not any(v == n or v.startswith(n + " ") for n in NO_BASE)]
    assert left == []
    assert set(REFUSED) == set(ELSEWHERE)


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`check --fix` puts its backup where it is called."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def afar(place: RemotePlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Afar]:
    monkeypatch.setenv("INFOBASE_KEYS", str(tmp_path / "keys"))
    monkeypatch.chdir(tmp_path)
    place.create("Chief")
    with place.session("Chief") as session:
        goods = session.catalogs.Goods.new(Description="Гвоздь")
        goods.write()
        receipt = session.documents.Receipt.new()
        receipt.Goods.add(Item=goods, Quantity=3)
        receipt.post()
    yield Afar(place, tmp_path)
    with place.cluster.registry() as opened:
        opened.run("DELETE FROM cluster.infobases WHERE name = %s", [place.name + "x"])


def test_verbs_work_through_a_server(program: Program, afar: Afar) -> None:
    failed = {}
    for verb, arguments in WORKS.items():
        code, out, err = program(*verb.split(), *arguments(afar))
        found_faults = (
            verb == "check" and code == errors.CheckFailed.exit_code
        )  # the scratch PostgreSQL is not meant to be durable
        if code != 0 and not found_faults:
            failed[verb] = (code, out[-200:] + err)
    assert not failed, failed


@pytest.mark.parametrize("verb", list(REFUSED))
def test_the_others_say_why(program: Program, afar: Afar, verb: str) -> None:
    if verb == "backup drill":
        assert program("backup", "make", afar.there, afar.folder / "backups")[0] == 0
    code, _, err = program(*verb.split(), *REFUSED[verb](afar))
    assert code == errors.UsageError.exit_code and "Srvr" not in err.split(":")[0], err


# --- check ---


def spoil(afar: Afar) -> None:
    with afar.place.local("Chief") as session, session.transaction() as tx:
        tx.run([Statement("UPDATE acc_stock__balance SET quantity = quantity + 1")])


def faults(told: list[dict[str, str]]) -> set[str]:
    return {f["code"] for f in told if f["severity"] == "error" and not f["code"].startswith("server.")}


def test_a_base_behind_a_server_is_mended(program: Program, afar: Afar) -> None:
    """First on a copy, then itself; what it was is an encrypted dump in the server's folder, which opens with the server's key."""
    spoil(afar)
    told = json.loads(program("check", afar.there, "--copy", "--fix", "--json")[1])
    assert [m["code"] for m in told["mended"]] == ["totals_mismatch"] and faults(told["left"]) == set()
    assert faults(json.loads(program("check", afar.there, "--copy", "--json")[1])) == {"totals_mismatch"}
    told = json.loads(program("check", afar.there, "--fix", "--json")[1])
    assert [m["code"] for m in told["mended"]] == ["totals_mismatch"] and faults(told["left"]) == set()
    assert faults(json.loads(program("check", afar.there, "--json")[1])) == set()
    kept = Path(told["backup"])
    assert kept.stat().st_mode & 0o077 == 0
    assert program("restore", kept, f'File="{afar.folder / "was"}";')[0] == errors.DumpEncrypted.exit_code
    key = kept.parents[2] / "keys" / f"{afar.place.name}.key"
    was = f'File="{afar.folder / "was"}";'
    assert program("restore", kept, was, "--dump-password-file", key)[0] == 0
    shutil.rmtree(kept.parent)


def test_lost_objects_get_stand_ins_behind_a_server(program: Program, afar: Afar) -> None:
    with afar.place.local("Chief") as session, session.transaction() as tx:
        tx.run([Statement("DELETE FROM cat_goods")])
    told = json.loads(program("check", afar.there, "--fix", "--bad-refs", "create", "--json")[1])
    assert {m["code"]: m["rows"] for m in told["mended"]} == {"reference_broken": 1}
    assert faults(told["left"]) == set()
    assert "Восстановлен" in program("query", afar.there, "--source", "Catalog.Goods")[1]


def test_mending_waits_for_the_others_and_needs_both_administrators(
    program: Program, afar: Afar, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(afar)
    with afar.place.session("Chief"):
        code, _, err = program("check", afar.there, "--fix", "--wait", "1")
        assert code == errors.InfobaseBusy.exit_code and "Chief" in err
    bare = f'Srvr="127.0.0.1:{afar.place.cluster.port}";Ref="{afar.place.name}";'
    monkeypatch.setenv("INFOBASE_CLUSTER_PASSWORD", "not it")
    for verb in (("check", bare, "--fix"), ("prepare", bare, "--yes"), ("check", bare, "--copy")):
        assert program(*verb)[0] == errors.ClusterLoginFailed.exit_code
    assert program("backup", "schedule", bare, afar.folder, "--every", "1h")[0] == errors.ClusterLoginFailed.exit_code
    monkeypatch.setenv("INFOBASE_CLUSTER_PASSWORD", PASSWORD)
    out = program("log", "show", bare, "--json", "--event", "_$Access$_.AccessDenied")[1]
    assert len(json.loads(out)) == 4
    program("user", "add", bare, "Clerk", "--role", "Clerk", "--empty-password")
    assert program("check", bare, "--fix", "--user", "Clerk")[0] == errors.AccessDenied.exit_code
    assert program("prepare", bare, "--yes", "--user", "Clerk")[0] == errors.AccessDenied.exit_code
    assert program("jobs", "run", bare, "--once", "--user", "Clerk")[0] == errors.AccessDenied.exit_code


# --- coming back, and coming to be ---


def test_a_base_comes_back_as_itself(program: Program, afar: Afar) -> None:
    """Over itself it keeps its id and its schedule; anywhere else it is a new one, with the jobs every base of a server has."""
    assert program("jobs", "trim-log", afar.there, "--older-than", "5d", "--every", "2d")[0] == 0
    assert program("backup", "make", afar.there, afar.folder / "backups")[0] == 0
    before = json.loads(program("info", afar.there, "--json")[1])
    assert program("backup", "restore", afar.folder / "backups", afar.there, "--replace", "--yes")[0] == 0
    after = json.loads(program("info", afar.there, "--json")[1])
    assert (after["id"], after["name"], after["content_digest"]) == (
        before["id"], before["name"], before["content_digest"],
    )  # fmt: skip
    jobs = {j["name"]: j for j in json.loads(program("jobs", "list", afar.there, "--json")[1])}
    assert jobs["log_trim"]["parameters"] == {"older_than": "5d"} and jobs["log_trim"]["every"] == 2 * 24 * 3600
    other = afar.another
    assert program("backup", "restore", afar.folder / "backups", other)[0] == 0
    there = json.loads(program("info", other, "--json")[1])
    assert there["id"] != before["id"] and there["content_digest"] == before["content_digest"]
    jobs = {j["name"]: j for j in json.loads(program("jobs", "list", other, "--json")[1])}
    assert set(jobs) == USUAL and jobs["log_trim"]["parameters"] == {"older_than": "90d"}
    assert program("drop", other, "--yes")[0] == 0


def test_a_file_base_s_backup_goes_to_a_server(program: Program, afar: Afar) -> None:
    here = f'File="{afar.folder / "here"}";'
    assert program("create", here, "--template", SHOP)[0] == 0
    assert program("backup", "make", here, afar.folder / "copies")[0] == 0
    assert program("backup", "restore", afar.folder / "copies", afar.there, "--replace", "--yes")[0] == 0
    there = afar.place.cluster.connection(afar.place.name)
    mine, theirs = (json.loads(program("info", w, "--json")[1]) for w in (here, there))
    assert mine["content_digest"] == theirs["content_digest"] and mine["id"] != theirs["id"]


@pytest.mark.parametrize("suffix", [".cf", ".dt"])
def test_a_template_makes_a_base_with_its_administrator(program: Program, afar: Afar, suffix: str) -> None:
    other, secret = afar.another, afar.folder / "secret"
    secret.write_text("a-new-password\n")
    source = afar.folder / f"shop{suffix}"
    if suffix == ".cf":
        assert program("config", "export", afar.there, source)[0] == 0
    else:
        assert program("create", f'File="{afar.folder / "here"}";', "--template", SHOP, "--admin", "")[0] == 0
        assert program("dump", f'File="{afar.folder / "here"}";', source)[0] == 0
    new = ("create", other, "--template", source, "--admin", "Boss")
    assert program(*new)[0] == errors.PasswordRequired.exit_code
    assert program("info", other)[0] == errors.InfobaseNotFound.exit_code
    assert program(*new, "--password-file", secret)[0] == 0
    assert program("info", other)[0] == errors.LoginFailed.exit_code
    users = json.loads(program("user", "list", other, "--json", "-u", "Boss", "--password-file", secret)[1])
    assert [u["name"] for u in users] == ["Boss"]
    assert program(*new, "--password-file", secret)[0] == errors.InfobaseExists.exit_code
    assert program("drop", other, "--yes", "-u", "Boss", "--password-file", secret)[0] == 0


def test_the_administrator_a_dump_brings_gets_the_password(program: Program, afar: Afar) -> None:
    other, secret = afar.another, afar.folder / "secret"
    secret.write_text("a-new-password\n")
    assert program("dump", afar.there, afar.folder / "a.dt")[0] == 0
    new = ("create", other, "--template", afar.folder / "a.dt", "--password-file", secret)
    assert program(*new, "--admin", "Nobody")[0] == errors.UsageError.exit_code
    assert program("info", other)[0] == errors.InfobaseNotFound.exit_code
    assert program(*new)[0] == 0
    assert program("info", other, "-u", "Chief")[0] == errors.LoginFailed.exit_code
    assert program("drop", other, "--yes", "-u", "Chief", "--password-file", secret)[0] == 0


# --- prepare and jobs ---


def test_a_base_is_prepared_behind_a_server(program: Program, afar: Afar) -> None:
    before = json.loads(program("info", afar.there, "--json")[1])
    would = json.loads(program("prepare", afar.there, "--remove-documents", "--dry-run", "--json")[1])
    assert json.loads(program("info", afar.there, "--json")[1])["content_digest"] == before["content_digest"]
    told = json.loads(program("prepare", afar.there, "--remove-documents", "--yes", "--json")[1])
    assert [s["code"] for s in told] == [s["code"] for s in would]
    after = json.loads(program("info", afar.there, "--json")[1])
    assert after["id"] != before["id"] and "doc_receipt" not in {n for n, c in after["rows"].items() if c}
    jobs = {j["name"] for j in json.loads(program("jobs", "list", afar.there, "--json")[1])}
    assert jobs == USUAL


def test_jobs_are_run_at_once_unless_the_cluster_denies_them(program: Program, afar: Afar) -> None:
    assert program("jobs", "trim-log", afar.there)[0] == 0
    told = json.loads(program("jobs", "run", afar.there, "--now", "log_trim", "--json")[1])
    assert [(r["job"], r["outcome"]) for r in told] == [("log_trim", "succeeded")]
    assert program("jobs", "run", afar.there, "--now", "absent")[0] == errors.JobInvalid.exit_code
    assert program("jobs", "run", afar.there)[0] == errors.UsageError.exit_code
    at = ("--server", f"127.0.0.1:{afar.place.cluster.port}")
    assert program("server", "infobases", "update", afar.place.name, "--scheduled-jobs-deny", "on", *at)[0] == 0
    code, _, err = program("jobs", "run", afar.there, "--now", "log_trim")
    assert code == errors.ScheduledJobsDenied.exit_code and "--scheduled-jobs-deny off" in err
