"""Regions whose search keys an earlier version of the program has made: told of, and written anew by loading the same file again."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from shutil import copy

import pytest

import cli
from classifiers.address_picker import AddressPicker
from classifiers.address_store import loaded_regions, outdated_regions
from classifiers.address_text import KEY_SCHEME, PLACE, UPPER
from classifiers.loader import load
from classifiers.sample_gar import sample_region, write_gar
from classifiers.sample_kladr import DAY
from classifiers.status import checklist, stale_classifiers
from infobase.commands.runner import run
from infobase.errors import DeltaRefused
from infobase.session import Session

REGIONS = "InformationRegister.AddressRegions"


def as_before(session: Session) -> None:
    """The base as that version has left it: upper objects among the settlements, digests without a mark."""
    with session.transaction():
        for name, edit in (("AddressObjects", _old_key), ("AddressRegions", _old_digest)):
            session.information_registers[name].write(
                [edit(dict(r)) for r in session.information_registers[name].select()]
            )


def _old_key(record: dict[str, object]) -> dict[str, object]:
    key = str(record["SearchKey"])
    return record | {"SearchKey": PLACE + key[1:] if key[:1] == UPPER else key}


def _old_digest(record: dict[str, object]) -> dict[str, object]:
    return record | {"Digest": "0" * len(KEY_SCHEME) + str(record["Digest"])[len(KEY_SCHEME) :]}


def content(session: Session) -> list[tuple[object, ...]]:
    registers = (session.information_registers[n] for n in ("AddressObjects", "AddressHouses", "AddressRegions"))
    return sorted((tuple(r.values()) for register in registers for r in register.select()), key=str)


def state(session: Session, kind: str) -> str:
    return next(line.state for line in checklist(session, today=DAY) if line.kind == kind)


@pytest.fixture
def gar_file(tmp_path: Path) -> Path:
    write_gar(tmp_path / "base.zip", {r: sample_region(r) for r in ("01", "02", "77")}, DAY)
    return tmp_path / "base.zip"


@pytest.mark.parametrize("kind", ["kladr", "gar"])
def test_the_same_file_again_writes_the_keys_anew(
    session: Session, kladr_folder: Path, gar_file: Path, kind: str
) -> None:
    source = kladr_folder if kind == "kladr" else gar_file
    typed = "степная майский" if kind == "kladr" else "образцовая-77 первоград"
    load(session, kind, source)
    before = content(session)
    assert state(session, kind) == "loaded"
    assert outdated_regions(session, REGIONS) == []
    as_before(session)
    assert outdated_regions(session, REGIONS) == outdated_regions(session, REGIONS, kind) == ["01", "02", "77"]
    assert state(session, kind) == "outdated"
    assert kind in {line.kind for line in stale_classifiers(session, DAY)}
    report = load(session, kind, source)
    assert report.changed == sum(
        str(r["SearchKey"])[:1] == UPPER for r in session.information_registers.AddressObjects.select()
    )
    assert content(session) == before
    assert state(session, kind) == "loaded"
    assert AddressPicker(session).find(typed)
    assert load(session, kind, source).nothing_new


def test_a_part_of_the_tables_does_not_hide_it(session: Session, kladr_folder: Path, tmp_path: Path) -> None:
    load(session, "kladr", kladr_folder)
    as_before(session)
    (tmp_path / "part").mkdir()
    copy(kladr_folder / "DOMA.DBF", tmp_path / "part")
    load(session, "kladr", tmp_path / "part")
    assert state(session, "kladr") == "outdated"
    load(session, "kladr", kladr_folder, options={"regions": ("01",)})
    assert outdated_regions(session, REGIONS) == ["02", "77"]
    load(session, "kladr", kladr_folder)
    load(session, "kladr", tmp_path / "part")
    assert state(session, "kladr") == "loaded"


def test_a_delta_wants_the_full_set_first(session: Session, gar_file: Path, tmp_path: Path) -> None:
    load(session, "gar", gar_file)
    as_before(session)
    later = DAY + dt.timedelta(days=3)
    write_gar(tmp_path / "delta_gar.zip", {"01": {k: r[:1] for k, r in sample_region("01").items()}}, later)
    before = content(session)
    with pytest.raises(DeltaRefused, match="прежней версией|earlier version"):
        load(session, "gar", tmp_path / "delta_gar.zip")
    assert content(session) == before
    load(session, "gar", gar_file)
    load(session, "gar", tmp_path / "delta_gar.zip")
    assert loaded_regions(session, REGIONS)["01"].version_date == later


def test_the_command_tells_which_regions(
    place: str, session: Session, kladr_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load(session, "kladr", kladr_folder)
    typed = ["classifier", "address", place, "ленина"]
    assert run(cli.root, typed) == 0
    assert "77" not in capsys.readouterr().err
    as_before(session)
    assert run(cli.root, typed) == 0
    assert "01, 02, 77" in capsys.readouterr().err
