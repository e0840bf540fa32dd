"""Every address typed as a whole is found, in any order of words, however many places and streets bear its names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from classifiers.address_picker import AddressPicker
from classifiers.dbf_write import write_dbf
from classifiers.loader import load
from classifiers.sample_kladr import DAY, FIELDS, TYPES
from infobase.session import Session
from tests import postgres
from tests.crm_bases import create_crm, open_crm

FIRST = 10
DISTRICTS = ("Октябрьский", "Ленинский", "Советский", "Ивановский", "Новый")
SETTLEMENTS = ("Ивановка", "Новая", "Октябрьское", "Новая Ивановка", "Лёнино", "Советский", "Берёзовка 2-я", "Красная")
STREETS = (
    "Ленина",
    "Новая",
    "1-я Новая",
    "2-я Новая",
    "8 Марта",
    "Лёнина",
    "Ивановка",
    "Красная",
    "Новая Красная",
    "Набережная",
    "Советская",
)
KINDS = {
    "ул": "улица",
    "пер": "переулок",
    "пр-кт": "проспект",
    "р-н": "район",
    "с": "село",
    "д": "деревня",
    "обл": "область",
}
Path3 = tuple[tuple[str, str, str], ...]


def _hierarchy(rng: Random) -> tuple[list[Path3], list[Path3]]:
    """Settlements and streets, each as (name, kind, code) from the region down: two thousand places share eight names."""
    places: list[Path3] = []
    streets: list[Path3] = []
    for r in range(1, 7):
        region = (
            ("Ленинская", "Новая", "Октябрьская", "Красная", "Степная", "Ивановская")[r - 1],
            "обл",
            f"{r:02d}" + "0" * 11,
        )
        for d in range(1, 8):
            district = (rng.choice(DISTRICTS) + ("" if d < 4 else f" {d}-й"), "р-н", f"{r:02d}{d:03d}" + "0" * 8)
            for p in range(1, 51):
                settlement = (rng.choice(SETTLEMENTS), rng.choice(("с", "д")), f"{r:02d}{d:03d}000{p:03d}00")
                places.append((region, district, settlement))
                for s in range(1, 6):
                    street = (rng.choice(STREETS), rng.choice(("ул", "пер", "пр-кт")), f"{settlement[2][:11]}{s:04d}00")
                    streets.append((region, district, settlement, street))
    return places, streets


def _write(folder: Path, places: list[Path3], streets: list[Path3]) -> None:
    folder.mkdir()
    objects = {code: (name, kind) for path in places for name, kind, code in path}
    upper = sorted((name, kind, code, "", "", "", "", "0") for code, (name, kind) in objects.items())
    write_dbf(folder / "SOCRBASE.DBF", FIELDS["SOCRBASE"], TYPES, DAY)
    write_dbf(folder / "KLADR.DBF", FIELDS["KLADR"], upper, DAY)
    write_dbf(folder / "STREET.DBF", FIELDS["STREET"], [(*path[-1], "", "", "", "") for path in streets], DAY)


@pytest.fixture(scope="module")
def hierarchy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path3]]:
    places, streets = _hierarchy(Random(7))
    folder = tmp_path_factory.mktemp("namesakes") / "kladr"
    _write(folder, places, streets)
    return folder, [*places, *streets]


@pytest.fixture(scope="module", params=["file", "server"])
def namesakes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, hierarchy: tuple[Path, list[Path3]]
) -> Iterator[Session]:
    if request.param == "file":
        where, url, name = f'File="{tmp_path_factory.mktemp("namesakes")}";', "", ""
    else:
        url, name = request.getfixturevalue("pg_url"), postgres.fresh_name()
        where = postgres.connection_string(url, name)
    create_crm(where)
    with open_crm(where) as session:
        load(session, "kladr", hierarchy[0])
        yield session
    if url:
        postgres.drop_databases(url, name)


def _typed(path: Path3, rng: Random) -> str:
    """The names and kinds of every level, shuffled level by level, the kind before or behind its name, short or whole."""
    levels = list(path)
    rng.shuffle(levels)
    shown = []
    for name, kind, _ in levels:
        said = rng.choice((kind, f"{kind}.", KINDS[kind]))
        shown.append(" ".join(rng.choice(((name, said), (said, name)))))
    line = rng.choice((", ", " ")).join(shown)
    return line.replace("ё", "е") if rng.random() < 0.5 else line.lower()


def test_a_full_address_is_found_in_any_order(namesakes: Session, hierarchy: tuple[Path, list[Path3]]) -> None:
    rng = Random(3)
    picker = AddressPicker(namesakes)
    missed = []
    for path in rng.sample(hierarchy[1], 250):
        line = _typed(path, rng)
        wanted = [(name, kind) for name, kind, _ in path]
        hits = picker.find(line, FIRST)
        if wanted not in [[(name, kind) for _, kind, name in h.levels] for h in hits]:
            missed.append((line, [h.presentation for h in hits[:3]]))
    assert not missed, (len(missed), missed[:5])


def test_what_does_not_go_together_is_not_found(namesakes: Session) -> None:
    assert AddressPicker(namesakes).find("Степная обл, Ленинский р-н, Ивановка, Марксистская ул") == []
