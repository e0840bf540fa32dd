"""Loading the bank classifier into a base: added, changed, closed, nothing twice, all or nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from classifiers.loader import KINDS, load
from classifiers.places import builtin_file
from classifiers.sample import SampleBank, renamed, sample_banks, write_ed807, write_small_ed807
from infobase.errors import ClassifierInvalid, ClassifierUnknown, UnknownObject
from infobase.query_model import Query, SelectItem
from infobase.session import Session
from tests.crm_bases import create_crm, open_crm

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "classifiers" / "banks"
DAY = dt.date(2026, 1, 12)


@pytest.fixture(scope="module")
def module_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    place = f'File="{tmp_path_factory.mktemp("banks")}";'
    create_crm(place)
    with open_crm(place) as session:
        yield session


@pytest.fixture
def session(module_session: Session) -> Session:
    """A base whose classifier is empty."""
    with module_session.transaction():
        for item in list(module_session.catalogs.BankClassifier.select()):
            item.delete()
    return module_session


def dump(session: Session) -> list[tuple[object, ...]]:
    """The classifier as plain rows, versions of the records included."""
    made = []
    for item in session.catalogs.BankClassifier.select(order_by=("Code",)):
        rows = [tuple(sorted((k, str(v)) for k, v in r.values.items())) for r in item.section("Accounts")]
        made.append((*(str(v) for v in item.values.values()), tuple(rows)))
    return made


def write(folder: Path, banks: list[SampleBank], day: dt.date = DAY) -> Path:
    path = folder / f"{day:%Y%m%d}ED01OSBR.zip"
    write_ed807(path, banks, day)
    return path


def test_first_load_brings_every_field(session: Session, tmp_path: Path) -> None:
    banks = write_small_ed807(tmp_path / "a.zip", banks=25)
    seen: list[tuple[str, int, int]] = []
    report = load(session, "banks", tmp_path / "a.zip", lambda *step: seen.append(step))
    assert (report.added, report.changed, report.closed, report.unchanged, report.warning_count) == (25, 0, 0, 0, 0)
    assert report.version_date == DAY
    assert report.counts["records"] == 25
    sample = banks[2]
    ref = session.catalogs.BankClassifier.find_by_code(sample.bic)
    assert ref is not None
    item = session.catalogs.BankClassifier.get(ref)
    assert item.Description == sample.info["NameP"]
    assert item.Region == sample.info["Rgn"]
    assert item.City == f"{sample.info['Tnp']} {sample.info['Nnp']}"
    assert item.DateIn == dt.datetime.fromisoformat(sample.info["DateIn"])
    assert item.Closed is False
    accounts = [a for tag, a in sample.children if tag == "Accounts"]
    assert [r.Account for r in item.section("Accounts")] == [a["Account"] for a in accounts]
    assert item.CorrespondentAccount == accounts[0]["Account"]


def test_the_same_file_again_changes_nothing_and_says_so(session: Session, tmp_path: Path) -> None:
    write_small_ed807(tmp_path / "a.zip", banks=30)
    load(session, "banks", tmp_path / "a.zip")
    before, registered = dump(session), session.classifiers.version("banks")
    report = load(session, "banks", tmp_path / "a.zip")
    assert report.nothing_new
    assert (report.added, report.changed, report.closed, report.unchanged) == (0, 0, 0, 30)
    assert "изменений нет" in str(report) or "nothing changed" in str(report)
    assert dump(session) == before
    assert session.classifiers.version("banks") == registered


def test_the_next_directory_adds_changes_and_closes(session: Session, tmp_path: Path) -> None:
    banks = sample_banks(20, 7)
    load(session, "banks", write(tmp_path, banks[:18]))
    changed = [renamed(banks[2], "АО НОВОЕ ИМЯ"), replace(banks[1], children=banks[1].children[:2])]
    day = DAY + dt.timedelta(days=1)
    second = write(tmp_path, [banks[0], *changed, *banks[4:]], day)
    report = load(session, "banks", second)
    assert (report.added, report.changed, report.closed, report.unchanged) == (2, 2, 1, 15)
    catalog = session.catalogs.BankClassifier
    assert catalog.get(catalog.find_by_code(banks[2].bic)).Description == "АО НОВОЕ ИМЯ"  # type: ignore[arg-type]
    assert len(catalog.get(catalog.find_by_code(banks[1].bic)).section("Accounts")) == 2  # type: ignore[arg-type]
    assert catalog.get(catalog.find_by_code(banks[3].bic)).Closed is True  # type: ignore[arg-type]
    version = session.classifiers.version("banks")
    assert version is not None
    assert version.version_date == day.isoformat()
    assert version.source == second.name
    assert version.counts["added"] == 2

    again = load(session, "banks", second)
    assert again.nothing_new
    back = load(session, "banks", write(tmp_path, banks[:18]))
    assert back.older
    assert catalog.get(catalog.find_by_code(banks[3].bic)).Closed is False  # type: ignore[arg-type]


def test_a_fault_at_the_end_leaves_everything_as_it_was(session: Session, tmp_path: Path) -> None:
    banks = sample_banks(20, 7)
    load(session, "banks", write(tmp_path, banks[:10]))
    before, registered = dump(session), session.classifiers.version("banks")
    bad = replace(banks[19], info={**banks[19].info, "DateIn": "yesterday"})
    with pytest.raises(ClassifierInvalid):
        load(
            session,
            "banks",
            write(tmp_path, [renamed(banks[0], "ДРУГОЕ"), *banks[1:19], bad], DAY + dt.timedelta(days=1)),
        )
    assert dump(session) == before
    assert session.classifiers.version("banks") == registered


def test_what_users_wrote_beside_the_loader_stays(session: Session, tmp_path: Path) -> None:
    banks = sample_banks(5, 7)
    load(session, "banks", write(tmp_path, banks))
    item = session.catalogs.BankClassifier.get(session.catalogs.BankClassifier.find_by_code(banks[2].bic))  # type: ignore[arg-type]
    item.City = "г Где-то"
    item.write()
    report = load(session, "banks", write(tmp_path, banks))
    assert report.changed == 1
    assert session.catalogs.BankClassifier.get(item.ref).City != "г Где-то"
    assert session.catalogs.BankClassifier.get(item.ref).ref == item.ref


def test_unknown_kind_and_missing_file(session: Session, tmp_path: Path) -> None:
    with pytest.raises(UnknownObject):
        load(session, "planets", tmp_path / "a.zip")
    with pytest.raises(ClassifierInvalid):
        load(session, "banks", tmp_path / "absent.zip")


def test_every_kind_the_crm_wants_has_its_fields_there(session: Session) -> None:
    configuration = session.kernel.configuration
    for name, kind in KINDS.items():
        use = configuration.classifiers[name]
        meta = configuration.objects[use.target]
        assert meta.kind == kind.target
        assert set(kind.fields) <= {f.name for f in meta.fields}, name  # type: ignore[union-attr]
        sections = {s.name: {f.name for f in s.fields} for s in getattr(meta, "tabular_sections", ())}
        assert all(set(fields) <= sections[section] for section, fields in kind.sections.items())
        assert str(kind.title) and str(kind.bring) and kind.published.startswith("https://")


@pytest.mark.skipif(not REAL.exists(), reason="the real directories are not here (../shared/data)")
def test_real_directories_one_after_the_other(session: Session) -> None:
    first = load(session, "banks", REAL / "20201204ED01OSBR.zip")
    assert (first.added, first.counts["accounts"]) == (2087, 48226)
    second = load(session, "banks", REAL / "20230518_ED807_full.xml")
    kept = 1627 - second.added  # named by both directories
    assert second.changed + second.unchanged == kept
    assert second.closed == 2087 - kept
    count = session.query(Query("Catalog.BankClassifier", select=(SelectItem("Count(*)", "N"),)))
    assert count == [{"N": Decimal(2087 + second.added)}]
    assert load(session, "banks", REAL / "20230518_ED807_full.xml").nothing_new


@pytest.mark.parametrize("kind", ["oksm", "okei"])
def test_a_file_of_another_kind_is_named_though_it_would_read(file_crm: Session, kind: str) -> None:
    currencies = builtin_file(KINDS["okv"])
    with pytest.raises(ClassifierUnknown, match="classifier load okv"):
        load(file_crm, kind, currencies)
