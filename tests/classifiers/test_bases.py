"""Classifiers in bases of both engines: every real file, twice in a row; dumps keep them with their versions; the checklist; commands."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path

import pytest

from classifiers.kinds import KINDS
from classifiers.loader import load
from classifiers.places import builtin_file
from classifiers.sample import write_small_ed807
from classifiers.status import checklist, fresh_days, stale_classifiers
from cli import root
from infobase.commands.runner import run
from infobase.errors import AccessDenied, ClassifierAmbiguous, ClassifierInvalid, ClassifierUnknown, ClassifierUnwanted
from infobase.infobase import open_base
from infobase.job_kinds import JobContext, kind_of
from infobase.metadata.archive import write_cf
from infobase.metadata.model import CLASSIFIER_KINDS, ClassifierUse
from infobase.metadata.types import Ref
from infobase.query_model import Query, SelectItem
from infobase.rights import Access
from infobase.session import Session
from infobase.storage import LogFilter
from tests.bases import file_place
from tests.classifiers.helpers import CALENDAR_XML, OKOF_XML, OKSM_CSV, OKVED_CSV, RATES_XML, REAL, needs_real, put
from tests.crm_bases import create_crm, crm, open_crm

Crm = tuple[str, Session]


def count(session: Session, source: str) -> int:
    found = session.query(Query(source, select=(SelectItem("Count(*)", "N"),)))[0]["N"]
    return int(str(found))


REAL_FILES = [
    # kind, path, records of the file, of the target after the load
    ("banks", "banks/bnkseek_2017-10-16", 2108, 2108),
    ("banks", "banks/bnkseek_2017-10-16/BNKSEEK.DBF", 2108, 2108),
    ("banks", "banks/20201204ED01OSBR.zip", 2087, 2767),
    ("banks", "banks/20230518_ED807_full.xml", 1627, 2848),
    ("okof", "okof/okof.xml", 12829, 12829),
    ("okved2", "okved2/data-20231201-structure-20180402.csv", 2899, 2899),
    ("oksm", "oksm/oksm.csv", 253, 253),  # 254 lines, one of them broken in two
    ("okei", "okei/okei.xml", 525, 525),
    ("okei", "okei/OKEIUoms.csv", 525, 525),
    ("okei", "okei", 525, 525),
    ("rates", "okv/XML_daily_2022-03-15.xml", 34, 34),
    *(
        ("calendar", f"calendar/ru/{year}/calendar.xml", 365 + (year == 2016), 0)
        for year in (2013, 2014, 2015, 2016, 2017)
    ),
    *(("calendar", f"calendar/ru/{year}/calendar.xml", 365, 0) for year in (2018, 2019, 2021, 2022, 2023)),
    ("calendar", "calendar", 3651, 3651),
]


@needs_real
@pytest.mark.parametrize(("kind", "path", "records", "stored"), REAL_FILES, ids=lambda v: str(v))
def test_real_files_load_twice_the_second_time_in_vain(
    crm_base: Crm, kind: str, path: str, records: int, stored: int
) -> None:
    _, session = crm_base
    first = load(session, kind, REAL / path)
    assert first.counts["records"] == records
    assert first.added + first.changed + first.unchanged >= records
    target = session.kernel.configuration.classifiers[kind].target
    if stored:
        assert count(session, target) == stored
    version = session.classifiers.version(kind)
    second = load(session, None, REAL / path)  # the content tells the kind
    assert (second.kind, second.nothing_new) == (kind, True)
    assert (second.added, second.changed, second.closed) == (0, 0, 0)
    assert session.classifiers.version(kind) == version
    assert count(session, target) == stored or not stored


@needs_real
def test_real_folders_that_are_no_single_classifier_are_refused_with_reasons(crm_base: Crm) -> None:
    _, session = crm_base
    for path in ("banks", "."):
        with pytest.raises(ClassifierAmbiguous):
            load(session, "banks", REAL / path)
    with pytest.raises(ClassifierUnknown):
        load(session, None, REAL / "banks" / "xsd")
    with pytest.raises(ClassifierUnknown):
        load(session, None, REAL / "okei" / "OKEIGroups.csv")  # groups without units
    with pytest.raises(ClassifierAmbiguous):
        load(session, None, REAL)


def content(session: Session) -> dict[str, list[tuple[str, ...]]]:
    """Everything the classifiers filled, as comparable rows without references."""
    found = {}
    for use in session.kernel.configuration.classifiers.values():
        rows = session.query(Query(use.target))
        found[use.target] = sorted(
            tuple(str(v) for n, v in row.items() if n != "DataVersion" and not isinstance(v, Ref)) for row in rows
        )
    return found


def fill(session: Session, folder: Path) -> None:
    write_small_ed807(folder / "ed807.zip", banks=30)
    small = {
        "banks": folder / "ed807.zip",
        "okof": put(folder, "okof.xml", OKOF_XML),
        "okved2": put(folder, "data-20240201-x.csv", OKVED_CSV, "cp1251"),
        "rates": put(folder, "daily.xml", RATES_XML, "cp1251"),
        "calendar": put(folder, "calendar.xml", CALENDAR_XML),
    }
    for kind, file in small.items():  # the base may hold whole directories
        load(session, kind, file, options={"accept_closures": True})
    for kind in ("oksm", "okv", "okei", "okopf"):
        load(session, kind, builtin_file(KINDS[kind]), name="builtin")


def test_a_dump_keeps_classifiers_and_their_versions(crm_base: Crm, tmp_path: Path) -> None:
    place, session = crm_base
    fill(session, tmp_path)
    before, versions = content(session), session.classifiers.all()
    assert run(root, ["dump", place, str(tmp_path / "a.dt")]) == 0
    copy = f'File="{tmp_path / "copy"}";'
    assert run(root, ["restore", str(tmp_path / "a.dt"), copy]) == 0
    with open_crm(copy) as other:
        assert other.classifiers.all() == versions
        assert content(other) == before
        assert load(other, "okof", tmp_path / "okof.xml").nothing_new
        assert [line.state for line in checklist(other)] == [line.state for line in checklist(session)]


# --- rules of loading


def test_what_left_the_classifier_is_flagged_and_comes_back(file_crm: Session, tmp_path: Path) -> None:
    load(file_crm, "oksm", put(tmp_path, "a.csv", OKSM_CSV))
    shorter = "".join(OKSM_CSV.splitlines(keepends=True)[1:])
    report = load(file_crm, "oksm", put(tmp_path, "b.csv", shorter))
    assert (report.added, report.changed, report.closed, report.unchanged) == (0, 0, 1, 4)
    catalog = file_crm.catalogs.Countries
    ref = catalog.find_by_code("004")
    assert ref is not None
    assert catalog.get(ref).Closed is True
    assert load(file_crm, "oksm", put(tmp_path, "a.csv", OKSM_CSV)).changed == 1
    assert catalog.get(ref).Closed is False


def test_hierarchies_follow_the_file(file_crm: Session, tmp_path: Path) -> None:
    load(file_crm, "okved2", put(tmp_path, "a.csv", OKVED_CSV, "cp1251"))
    catalog = file_crm.catalogs.EconomicActivities

    def parent(code: str) -> object:
        item = catalog.get(catalog.find_by_code(code))  # type: ignore[arg-type]
        return catalog.get(item.Parent).Code if item.Parent else None  # type: ignore[arg-type]

    assert [parent(c) for c in ("A", "01", "01.11.11")] == [None, "A", "01.11.1"]
    without = OKVED_CSV.replace('"A";"01.11.1";"Выращивание зерновых культур"\r\n', "")
    report = load(file_crm, "okved2", put(tmp_path, "b.csv", without, "cp1251"))
    assert (report.changed, report.closed) == (1, 1)
    assert parent("01.11.11") == "01.11"


def test_people_keep_their_own_names_of_units_and_currencies(file_crm: Session) -> None:
    load(file_crm, "okei", builtin_file(KINDS["okei"]))
    catalog = file_crm.catalogs.Units
    unit = catalog.get(catalog.find_by_code("168"))  # type: ignore[arg-type]
    assert unit.Description == "т"
    unit.Description = "тн"
    unit.write()
    own = catalog.new(Code="Я1", Description="мешок")
    own.write()
    report = load(file_crm, "okei", builtin_file(KINDS["okei"]))
    assert report.nothing_new
    assert report.missing == 1
    assert catalog.get(unit.ref).Description == "тн"


def test_rates_add_currencies_and_leave_other_days(file_crm: Session, tmp_path: Path) -> None:
    first = load(file_crm, "rates", put(tmp_path, "a.xml", RATES_XML, "cp1251"))
    assert first.added == 3
    assert any("JPY" in line for line in first.remarks)
    corrected = RATES_XML.replace("91,6359", "91,7000")
    assert load(file_crm, "rates", put(tmp_path, "b.xml", corrected, "cp1251")).changed == 1
    other = RATES_XML.replace("15.03.2024", "14.03.2024")
    assert load(file_crm, "rates", put(tmp_path, "c.xml", other, "cp1251")).added == 3
    version = file_crm.classifiers.version("rates")
    assert version is not None
    assert version.version_date == "2024-03-15"  # the latest day there ever was
    usd = file_crm.catalogs.Currencies.predefined("USD")
    [last] = file_crm.information_registers.ExchangeRates.slice_last(where={"Currency": usd})
    assert (last["Rate"], last["Period"]) == (Decimal("91.7000"), dt.datetime(2024, 3, 15))


def test_a_damaged_file_changes_nothing(file_crm: Session, tmp_path: Path) -> None:
    load(file_crm, "okof", put(tmp_path, "a.xml", OKOF_XML))
    before, versions = content(file_crm), file_crm.classifiers.all()
    bad = OKOF_XML.replace("Здания жилые", "Другое имя").replace('code="10 0000000"', 'code=""')
    with pytest.raises(ClassifierInvalid):
        load(file_crm, "okof", put(tmp_path, "b.xml", bad))
    with pytest.raises(ClassifierInvalid):
        load(file_crm, "okof", put(tmp_path, "c.xml", OKOF_XML.replace("Здания жилые", "Другое имя")[:-40]))
    assert content(file_crm) == before
    assert file_crm.classifiers.all() == versions


def test_a_configuration_that_does_not_want_a_classifier_says_so(tmp_path: Path) -> None:
    place = file_place(tmp_path / "shop")
    place.create()
    with place.session() as session:
        with pytest.raises(ClassifierUnwanted) as caught:
            load(session, "okof", put(tmp_path, "okof.xml", OKOF_XML))
        assert "[classifiers]" in str(caught.value)
        assert checklist(session) == []


def test_loading_needs_the_rights_to_the_target(file_crm: Session, tmp_path: Path) -> None:
    access = Access(file_crm.kernel.configuration, ["SalesManager"], "someone")
    limited = Session(file_crm.kernel, access, file_crm.info)
    more = OKSM_CSV + "5,016,АМЕРИКАНСКОЕ САМОА,,AS,ASM\n"
    before = count(file_crm, "Catalog.Countries")
    with pytest.raises(AccessDenied):
        load(limited, "oksm", put(tmp_path, "x.csv", more))
    assert count(file_crm, "Catalog.Countries") == before


# --- the checklist and the commands


@pytest.fixture
def empty(tmp_path: Path) -> str:
    folder = tmp_path / "base"
    create_crm(f'File="{folder}";')
    return str(folder)


def test_the_checklist_of_an_empty_base_names_every_command(empty: str) -> None:
    with open_crm(f'File="{empty}";') as session:
        lines = checklist(session, empty)
    assert [line.kind for line in lines] == [k for k in CLASSIFIER_KINDS if k in KINDS]
    assert {line.state for line in lines} == {"missing"}
    assert all(
        line.command.startswith(f"infobase classifier load {line.kind}") and empty in line.command for line in lines
    )


def test_the_checklist_names_the_file_to_load_or_to_bring(empty: str, tmp_path: Path) -> None:
    disk = tmp_path / "my disk"
    put(disk, "calendars/2024.xml", CALENDAR_XML)
    put(disk, "1Cv8.dt", "no classifier")
    put(disk, "broken.zip", b"PK\x03\x04 cut")
    (disk / "bik").mkdir()
    write_small_ed807(disk / "bik" / "a.zip", business_day=dt.date(2026, 1, 12))
    with open_crm(f'File="{empty}";') as session:
        lines = {line.kind: line for line in checklist(session, empty, folders=[tmp_path / "none", disk])}
    assert lines["banks"].command == f"infobase classifier load banks '{disk / 'bik' / 'a.zip'}' {empty}"
    assert lines["calendar"].file == str(disk / "calendars" / "2024.xml")
    activities = lines["okved2"]
    assert ("structure-20180402.csv" in activities.command, activities.file) == (True, "")
    assert activities.published.startswith("https://rosstat.gov.ru/")
    assert all("FILE" not in line.command for line in lines.values())


def test_the_checklist_tells_stale_and_emptied(empty: str, tmp_path: Path) -> None:
    with open_crm(f'File="{empty}";') as session:
        write_small_ed807(tmp_path / "a.zip", business_day=dt.date(2026, 1, 12))
        load(session, "banks", tmp_path / "a.zip")
        load(session, "calendar", put(tmp_path, "c.xml", CALENDAR_XML))
        load(session, "oksm", put(tmp_path, "a.csv", OKSM_CSV))

        def state(kind: str, day: dt.date) -> str:
            return next(line.state for line in checklist(session, today=day) if line.kind == kind)

        assert state("banks", dt.date(2026, 1, 14)) == "loaded"
        assert state("banks", dt.date(2026, 1, 20)) == "stale"
        assert state("calendar", dt.date(2024, 12, 31)) == "loaded"
        assert state("calendar", dt.date(2025, 1, 1)) == "stale"
        assert state("oksm", dt.date(2036, 1, 1)) == "loaded"
        for item in list(session.catalogs.Countries.select()):
            item.delete()
        assert state("oksm", dt.date(2026, 1, 1)) == "empty"
        assert [line.kind for line in stale_classifiers(session, dt.date(2024, 12, 31))] == ["oksm"]
        stale = {line.kind: line.state for line in stale_classifiers(session, dt.date(2026, 1, 20))}
        assert stale == {"banks": "stale", "oksm": "empty", "calendar": "stale"}


def test_the_daily_job_names_what_is_stale_and_how_to_renew_it(empty: str) -> None:
    with open_crm(f'File="{empty}";') as session:
        load(session, "oksm", builtin_file(KINDS["oksm"]))
        context = JobContext(open_base(session.kernel.engine), session, {})
        kind = kind_of("classifiers")
        assert "oksm" not in kind.run(context)
        for item in list(session.catalogs.Countries.select()):
            item.delete()
        assert "oksm" in kind.run(context)
        entries = list(session.kernel.engine.event_log().read(LogFilter(events=["Classifiers.Stale"])))
        assert [e.severity for e in entries] == ["Warning"]
        assert "infobase classifier load oksm" in entries[0].comment


def test_a_configuration_has_its_own_rule_of_staleness() -> None:
    for own, expected in ((None, 7), (0, 0), (30, 30)):
        use = ClassifierUse("banks", "Catalog.BankClassifier", fresh_days=own)
        assert fresh_days(KINDS["banks"], use) == expected


def ran(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = run(root, ["--lang", "en", *words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_kinds_are_listed_with_their_files(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ran(capsys, "classifier", "kinds", "--json")
    assert code == 0
    assert [row["kind"] for row in json.loads(out)] == [k for k in CLASSIFIER_KINDS if k in KINDS]
    assert all(row["bring"] and row["published"].startswith("https://") for row in json.loads(out))


def test_commands_from_an_empty_base_to_a_filled_one(
    empty: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    banks = write_small_ed807(tmp_path / "20260112ED01OSBR.zip", banks=12)
    assert ran(capsys, "classifier", "load", str(tmp_path / "20260112ED01OSBR.zip"), empty)[0] == 0
    code, out, _ = ran(capsys, "classifier", "load", "oksm", "builtin", empty, "--json")
    assert (code, json.loads(out)["added"]) == (0, 251)
    assert "nothing changed" in ran(capsys, "classifier", "load", "oksm", empty, "--builtin")[1]
    code, out, _ = ran(capsys, "classifier", "status", empty, "--json")
    states = {row["kind"]: (row["state"], row["rows"]) for row in json.loads(out)}
    assert states["oksm"] == ("loaded", 251)
    assert states["okof"] == ("missing", 0)
    assert "infobase classifier load okof" in ran(capsys, "classifier", "status", empty)[1]

    templates = tmp_path / "templates"
    put(templates, "1c/Accounting/3_0_30_10/okof.xml", OKOF_XML)
    put(tmp_path, "home/.1C/1cestart/1cestart.cfg", f"ConfigurationTemplatesLocation={templates}\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    code, out, err = ran(capsys, "classifier", "load", "okof", empty)
    assert code == 0, err
    assert "3_0_30_10" in err

    code, out, _ = ran(capsys, "classifier", "load", empty, "--watch", str(templates / "1c"), "--wait", "5", "--json")
    assert (code, [r["kind"] for r in json.loads(out)]) == (0, ["okof"])
    bic = banks[2].bic
    code, out, err = ran(capsys, "classifier", "pick", "banks", bic, empty, "--json")
    assert code == 0, err
    assert json.loads(out)[0]["added"] is True
    assert "nothing changed" in ran(capsys, "classifier", "refresh", "banks", empty)[1]
    assert ran(capsys, "classifier", "check-account", "40702810000000000001", bic, empty)[0] in (0, 85)


def test_the_base_remembers_the_folder_of_its_template(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path, "template/okof.xml", OKOF_XML)
    write_cf(crm(), tmp_path / "template" / "1Cv8.cf")
    base = str(tmp_path / "base")
    code, _, err = ran(capsys, "create", base, "--template", str(tmp_path / "template" / "1Cv8.cf"))
    assert code == 0, err
    code, out, err = ran(capsys, "classifier", "load", "okof", base, "--json")
    assert code == 0, err
    assert json.loads(out)["added"] == 6
    assert str(tmp_path / "template" / "okof.xml") in err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("load",), 2),
        (("load", "BASE"), 2),
        (("load", "planets", "FILE", "BASE"), 14),
        (("load", "okof", "FILE", "BASE"), 81),
        (("load", "NOISE", "BASE"), 81),
        (("load", "ABSENT", "BASE"), 80),
        (("load", "oksm", "FILE", "BASE", "--builtin"), 2),
        (("load", "okof", "BASE", "--builtin"), 2),
        (("load", "BASE", "--url", "http://127.0.0.1:9/x"), 84),
        (("load", "oksm", "FILE", "BASE", "--url", "http://example.org/"), 2),
        (("load", "BASE", "--watch", "NOTHING", "--wait", "0"), 81),
        (("pick", "banks", "BASE"), 2),
        (("pick", "banks", "044525225", "BASE"), 42),
        (("check-account", "123", "044525225", "BASE"), 42),
    ],
)
def test_what_commands_refuse(
    empty: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int
) -> None:
    places = {
        "BASE": empty,
        "FILE": str(put(tmp_path, "a.csv", OKSM_CSV)),
        "NOISE": str(put(tmp_path, "noise.bin", bytes(range(256)) * 40)),
        "ABSENT": str(tmp_path / "absent.xml"),
        "NOTHING": str(tmp_path / "nothing"),
    }
    found, _, err = ran(capsys, "classifier", *(places.get(w, w) for w in words))
    assert found == code, err
    assert "Traceback" not in err
