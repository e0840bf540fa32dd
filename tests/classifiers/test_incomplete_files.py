"""Files that are not all there: tables cut where their form does not show it, and loads that would close much."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from classifiers.loader import find_kind, load
from classifiers.okved2 import SECTIONS
from classifiers.places import builtin_file
from classifiers.sample import sample_banks, write_ed807
from infobase.errors import ClassifierInvalid, ClosuresRefused
from infobase.session import Session
from tests.classifiers.helpers import put, read, refusal
from tests.crm_bases import create_crm, open_crm

FORMS = [f"{10000 + n};Форма номер {n}" for n in range(100)]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    place = f'File="{tmp_path_factory.mktemp("incomplete")}";'
    create_crm(place)
    with open_crm(place) as opened:
        yield opened


@pytest.fixture
def with_forms(session: Session, tmp_path: Path) -> Session:
    """A hundred legal forms are loaded."""
    load(session, "okopf", forms(tmp_path, FORMS), options={"accept_closures": True})
    return session


def forms(folder: Path, lines: list[str], end: str = "\n") -> Path:
    return put(folder, "okopf.csv", "\n".join(["Код;Наименование", *lines]) + end)


def state(session: Session) -> tuple[list[tuple[object, ...]], object]:
    items = session.catalogs.OrganizationalLegalForms.select(order_by=("Code",))
    return [(i.Code, i.Description, i.Closed) for i in items], session.classifiers.version("okopf")


def open_forms(session: Session) -> int:
    return sum(not i.Closed for i in session.catalogs.OrganizationalLegalForms.select())


# --- lines without an end ---


@pytest.mark.parametrize("last", ["10099", "1009", "1"])
def test_a_last_line_without_end_and_with_too_few_cells_was_cut(tmp_path: Path, last: str) -> None:
    told = refusal("okopf", forms(tmp_path, [*FORMS[:99], last], end=""))
    assert "строка 101: файл обрывается" in told
    assert "okopf.csv" in told


def test_whole_files_without_an_end_of_the_last_line_load(tmp_path: Path) -> None:
    assert len(read("okopf", forms(tmp_path, FORMS, end=""))[1]) == 100
    assert len(read("okopf", forms(tmp_path, FORMS, end="\n  "))[1]) == 100
    ragged = put(tmp_path, "ragged.csv", "Код;Наименование;Дата\n10000;Первая;\n10001;Вторая\n10002;Третья")
    assert len(read("okopf", ragged)[1]) == 3, "cells that are empty are left out in other lines, too"


def test_countries_cut_inside_the_last_line(tmp_path: Path) -> None:
    whole = (
        "1,004,АФГАНИСТАН,Переходное Исламское Государство Афганистан,AF,AFG\n2,008,АЛБАНИЯ,Республика Албания,AL,ALB\n"
    )
    cut = put(tmp_path, "oksm.csv", whole + "3,012,АЛЖИР,Алжирская Народная Демократическая Республика,DZ,")
    assert "строка 3: файл обрывается" in refusal("oksm", cut)
    complete = put(tmp_path, "oksm.csv", whole + "3,012,АЛЖИР,Алжирская Народная Демократическая Республика,DZ,DZA")
    assert len(read("oksm", complete)[1]) == 3


def test_banks_as_text_cut_inside_the_last_line(tmp_path: Path) -> None:
    line = "40\tМОСКВА\tГ\tБАНК НОМЕР {n}\t1\t04452522{n}\t30101810400000000225"
    whole = "\n".join(line.format(n=n) for n in range(5))
    assert "строка 5: файл обрывается" in refusal(
        "banks", put(tmp_path, "bnkseek.txt", whole.rpartition("\t")[0].rpartition("\t")[0], "cp1251")
    )


# --- sections of OKVED2 ---


def activities(sections: str) -> str:
    rows = [(s, f"{10 + n}", f"Вид деятельности {n}") for n, s in enumerate(sections)]
    return "".join(f'"{s}";"";"РАЗДЕЛ {s}"\r\n"{s}";"{code}";"{name}"\r\n' for s, code, name in rows)


@pytest.mark.parametrize(("sections", "loads"), [(SECTIONS, True), ("ABC", True), ("BDFGHIJKLMNOP", True)])
def test_activities_to_the_end_or_a_choice_of_them_load(tmp_path: Path, sections: str, loads: bool) -> None:
    assert len(read("okved2", put(tmp_path, "okved.csv", activities(sections), "cp1251"))[1]) == 2 * len(sections)


def test_activities_that_stop_half_way_were_cut(session: Session, tmp_path: Path) -> None:
    file = put(tmp_path, "okved.csv", activities(SECTIONS[:14]), "cp1251")
    assert "после раздела N нет разделов O..U" in refusal("okved2", file)
    with pytest.raises(ClassifierInvalid):
        load(session, "okved2", file)
    assert load(session, "okved2", file, options={"accept_closures": True}).added == 28


# --- closing much ---


def test_a_table_that_would_close_more_than_a_quarter_is_refused(with_forms: Session, tmp_path: Path) -> None:
    before = state(with_forms)
    with pytest.raises(ClosuresRefused) as caught:
        load(with_forms, "okopf", forms(tmp_path, FORMS[:74]))
    assert (caught.value.fields["held"], caught.value.fields["gone"]) == (100, 26)
    assert "--accept-closures" in str(caught.value)
    assert state(with_forms) == before
    report = load(with_forms, "okopf", forms(tmp_path, FORMS[:74]), options={"accept_closures": True})
    assert (report.closed, open_forms(with_forms)) == (26, 74)


def test_a_quarter_and_small_numbers_may_go(with_forms: Session, tmp_path: Path) -> None:
    assert load(with_forms, "okopf", forms(tmp_path, FORMS[:75])).closed == 25
    load(with_forms, "okopf", forms(tmp_path, FORMS[:19]), options={"accept_closures": True})
    assert load(with_forms, "okopf", forms(tmp_path, FORMS[:1])).closed == 18, "what was closed before does not count"


def test_files_that_say_where_they_end_may_close_up_to_a_half(session: Session, tmp_path: Path) -> None:
    banks = sample_banks(100, 3)
    write_ed807(tmp_path / "a.zip", banks, dt.date(2026, 1, 12))
    load(session, "banks", tmp_path / "a.zip")
    write_ed807(tmp_path / "b.zip", banks[:40], dt.date(2026, 1, 13))
    with pytest.raises(ClosuresRefused):
        load(session, "banks", tmp_path / "b.zip")
    write_ed807(tmp_path / "b.zip", banks[:55], dt.date(2026, 1, 13))
    assert load(session, "banks", tmp_path / "b.zip").closed == 45


def test_what_cannot_be_closed_is_judged_by_the_number_of_records(session: Session, tmp_path: Path) -> None:
    load(session, "okei", builtin_file(find_kind("okei")))
    version = session.classifiers.version("okei")
    lines = builtin_file(find_kind("okei")).read_text("utf-8").splitlines(keepends=True)
    cut = put(tmp_path, "okei.csv", "".join(lines[:300]))
    with pytest.raises(ClosuresRefused):
        load(session, "okei", cut)
    assert session.classifiers.version("okei") == version
    assert load(session, "okei", cut, options={"accept_closures": True}).missing > 200
