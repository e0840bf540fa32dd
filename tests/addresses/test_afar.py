"""Addresses in a base behind an application server: the file travels, the server loads it and looks in it."""

from __future__ import annotations

import datetime as dt
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from classifiers.address_picker import AddressPicker
from classifiers.address_status import address_state
from classifiers.afar import _laid_out
from classifiers.loader import load
from classifiers.sample_gar import STREET_NUMBER, gar_object, sample_region, write_gar
from classifiers.sample_kladr import DAY
from infobase import connect
from infobase.errors import AccessDenied, ClassifierInvalid, DeltaRefused, RequestInvalid
from infobase.session import Session
from tests import postgres
from tests.crm_bases import create_crm, open_crm
from tests.server.conftest import cluster
from tests.server.servers import Cluster
from tests.server.test_commands import Program, program

__all__ = ["cluster", "program"]


@pytest.fixture
def places(cluster: Cluster, pg_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The same base of the CRM through the server, and straight."""
    monkeypatch.setenv("INFOBASE_CACHE", str(tmp_path / "cache"))
    name = postgres.fresh_name("ra")
    straight = postgres.connection_string(pg_url, name)
    create_crm(straight)
    cluster.register(name, name)
    yield cluster.connection(name), straight
    with cluster.registry() as opened:
        opened.run("DELETE FROM cluster.infobases WHERE name = %s", [name])
    postgres.drop_databases(pg_url, name)


@pytest.fixture
def far(places: tuple[str, str]) -> Iterator[Session]:
    with connect(places[0]) as session:
        yield session


def _left(cluster: Cluster) -> list[Path]:
    return [p for server in cluster.servers for p in (server.folder / "tmp").glob("*") if p.is_dir()]


def test_a_folder_loads_as_it_does_beside_the_data(
    far: Session, places: tuple[str, str], kladr_folder: Path, cluster: Cluster
) -> None:
    steps: list[tuple[str, int, int]] = []
    first = load(far, "kladr", kladr_folder, lambda *step: steps.append(step), {"regions": ("01", "02")})
    assert first.added > 100
    assert any(done == total > 0 for _, done, total in steps)
    again = load(far, None, kladr_folder, options={"regions": ("01", "02")})
    assert again.nothing_new
    with open_crm(places[1]) as session:
        beside = load(session, "kladr", kladr_folder, options={"regions": ("01", "02")})
        assert (beside.nothing_new, beside.sha256) == (True, first.sha256)
        typed = "майский ленина 7"
        assert AddressPicker(session).find(typed) == AddressPicker(far).find(typed) != []
        assert address_state(session, "0100100099999") == address_state(far, "0100100099999")
    assert not _left(cluster)


@pytest.mark.parametrize("form", ["zip", "folder"])
def test_gar_travels_likewise_and_its_delta_after_it(
    far: Session, places: tuple[str, str], tmp_path: Path, cluster: Cluster, form: str
) -> None:
    full = tmp_path / ("gar_xml.zip" if form == "zip" else "ГАР полный")
    write_gar(full, {region: sample_region(region) for region in ("50", "51")}, DAY)
    first = load(far, None, full, options={"regions": ("50",)})
    assert (first.kind, first.added, first.counts["HOUSES"]) == ("gar", 7 + 10, 10)
    assert load(far, "gar", full, options={"regions": ("50",)}).nothing_new
    change = gar_object(STREET_NUMBER, "Новая", "ул", 8, ID=9_000_001, PREVID=STREET_NUMBER * 10)
    delta = tmp_path / ("gar_delta_xml.zip" if form == "zip" else "gar_delta")
    write_gar(delta, {"50": {"ADDR_OBJ": [change]}}, DAY + dt.timedelta(days=3))
    assert load(far, "gar", delta).changed == 1
    foreign = tmp_path / "of_another_delta.zip"
    write_gar(foreign, {"77": {"ADDR_OBJ": [change]}}, DAY + dt.timedelta(days=6))
    with pytest.raises(DeltaRefused, match="77"):
        load(far, "gar", foreign)
    with open_crm(places[1]) as session:
        typed = "первоград новая 1"
        assert AddressPicker(session).find(typed) == AddressPicker(far).find(typed) != []
        assert {str(r["Region"]) for r in session.information_registers.AddressRegions.select()} == {"50"}
    assert not _left(cluster)


def test_a_damaged_file_changes_nothing(far: Session, kladr_folder: Path, tmp_path: Path) -> None:
    whole = (kladr_folder / "STREET.DBF").read_bytes()
    (tmp_path / "STREET.DBF").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ClassifierInvalid, match="STREET"):
        load(far, "kladr", tmp_path / "STREET.DBF")
    assert far.information_registers.AddressObjects.select() == []
    assert far.classifiers.version("kladr") is None


def test_the_command_line_does_it(
    places: tuple[str, str], kladr_folder: Path, tmp_path: Path, program: Program
) -> None:
    packed = tmp_path / "BASE.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in kladr_folder.iterdir():
            archive.write(file, file.name)
    code, out, err = program("classifier", "load", "kladr", packed, places[0], "--region", "01", "--json")
    assert code == 0, err
    code, out, err = program("classifier", "address", places[0], "майский ленина")
    assert (code, "Ленина" in out) == (0, True), err


def test_only_an_administrator_loads(places: tuple[str, str], kladr_folder: Path) -> None:
    with open_crm(places[1]) as session:
        session.users.add("Chief", password="", roles=["Administrator"], allow_empty=True)
        session.users.add("Clerk", password="", roles=["SalesManager"], allow_empty=True)
        session.users.add("Visitor", password="", roles=[], allow_empty=True)
    with connect(places[0], "Clerk") as clerk, pytest.raises(AccessDenied):
        load(clerk, "kladr", kladr_folder)
    for call, given in (
        ("found_addresses", {"typed": "Майский", "limit": 5}),
        ("address_of", {"code": "0100000000000"}),
    ):
        with connect(places[0], "Visitor") as visitor, pytest.raises(AccessDenied):
            visitor.kernel.engine.door.call(  # type: ignore[attr-defined]
                "served", {"function": f"classifiers.address_picker.{call}", "arguments": given}
            )


def test_what_travels_is_checked(far: Session, tmp_path: Path) -> None:
    file = tmp_path / "x.zip"
    file.write_bytes(b"x")
    door = far.door  # type: ignore[attr-defined]
    with pytest.raises(RequestInvalid):
        door.send("os.system", file, {})
    with pytest.raises(RequestInvalid):
        door.call("served", {"function": "classifiers.afar.load_beside", "arguments": {"source": "/etc"}})


@pytest.mark.parametrize("name", ["../out", "/etc/x", "a/../../b", "c:x", "a\\b"])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    packed = tmp_path / "in" / "f.zip"
    packed.parent.mkdir()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, b"x")
    with pytest.raises(ClassifierInvalid):
        _laid_out(packed)
    assert sorted(tmp_path.rglob("*")) == [packed.parent, packed]
