"""The older forms of the bank directory, and choosing banks: picked, refreshed, flagged, never deleted; accounts checked against them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from classifiers.account_key import bank_prefix, cbr_prefix, key_ok, with_key
from classifiers.banks_chosen import check_account, pick_banks, refresh_banks
from classifiers.dbf_write import write_dbf
from classifiers.loader import load
from classifiers.sample import SampleBank, renamed, sample_banks, write_ed807
from infobase.errors import AccountMismatch, ObjectNotFound, ValueInvalid
from infobase.session import Session
from tests.classifiers.helpers import kind_of, put, read, refusal, zipped

DAY = dt.date(2017, 10, 16)
FIELDS = {
    "REAL": 4,
    "PZN": 2,
    "UER": 1,
    "RGN": 2,
    "IND": 6,
    "TNP": 1,
    "NNP": 25,
    "ADR": 30,
    "RKC": 9,
    "NAMEP": 45,
    "NAMEN": 30,
}
FIELDS |= {"NEWNUM": 9, "REGN": 9, "KSNP": 20, "DATE_IN": 8, "DATE_CH": 8}
KEEPER = "044525000"


def corr(bic: str) -> str:
    return with_key(cbr_prefix(KEEPER), f"30101810000000000{bic[6:]}")


def row(bic: str, **given: str) -> list[str]:
    values = {
        "PZN": "20",
        "RGN": "45",
        "IND": "101000",
        "TNP": "1",
        "NNP": "МОСКВА",
        "ADR": "УЛ.ЛЕНИНА, 1",
        "RKC": KEEPER,
    }
    values |= {"NAMEP": f"БАНК {bic}", "NEWNUM": bic, "REGN": "1481", "KSNP": corr(bic), "DATE_IN": "19960710"} | given
    return [values.get(name, "") for name in FIELDS]


BICS = ("044525225", "044525974", "046015602")


def seek(path: Path, rows: Sequence[list[str]] | None = None, date: dt.date = DAY) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_dbf(path, FIELDS, rows if rows is not None else [row(b) for b in BICS], date)
    return path


def test_bnkseek_alone_in_a_folder_and_in_an_archive(tmp_path: Path) -> None:
    lone = seek(tmp_path / "set" / "bnkseek.dbf")
    for path in (lone, tmp_path / "set", zipped(tmp_path / "bik_db.zip", {"BNKSEEK.DBF": lone.read_bytes()})):
        assert kind_of(path) == "banks"
        file, items = read("banks", path)
        assert [i.code for i in items] == list(BICS)
        assert (file.version_date(), file.counts()) == (DAY, {"records": 3, "deleted": 0})
    values = items[0].values
    assert values["Description"] == "БАНК 044525225"
    assert values["CorrespondentAccount"] == corr("044525225")
    assert (values["City"], values["Postcode"], values["DateIn"]) == ("г МОСКВА", "101000", dt.datetime(1996, 7, 10))
    assert "SWIFT" not in values  # it knows nothing of it


def test_kinds_of_towns_come_from_the_set(tmp_path: Path) -> None:
    seek(tmp_path / "BNKSEEK.DBF")
    write_dbf(tmp_path / "TNP.DBF", {"TNP": 2, "FULLNAME": 25, "SHORTNAME": 5}, [["1", "СТОЛИЦА", "СТЛ"]], DAY)
    assert read("banks", tmp_path)[1][0].values["City"] == "стл МОСКВА"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"NEWNUM": "04452522Z"}, ["запись 2", "поле BIC", "нужно цифр: 9"]),
        ({"NEWNUM": BICS[0]}, ["запись 2", "второй раз"]),
        ({"KSNP": "3010181O000000000974"}, ["запись 2", "поле KSNP", "20 цифр"]),
        ({"NAMEP": ""}, ["запись 2", "поле NAMEP", "не заполнено"]),
        ({"DATE_IN": "19961310"}, ["запись 2", "поле DATE_IN"]),
    ],
)
def test_faults_of_the_dbf_set(tmp_path: Path, given: dict[str, str], expected: list[str]) -> None:
    message = refusal("banks", seek(tmp_path / "b.dbf", [row(BICS[0]), row(BICS[1], **given)]))
    for piece in ("b.dbf", *expected):
        assert piece in message


def test_damaged_dbf_sets(tmp_path: Path) -> None:
    body = seek(tmp_path / "b.dbf").read_bytes()
    lying = body[:4] + (9).to_bytes(4, "little") + body[8:]
    assert "в заголовке записей 9" in refusal("banks", put(tmp_path, "lying.dbf", lying))
    for cut in (10, 100, len(body) - 300, len(body) - 5):
        assert refusal("banks", put(tmp_path, "cut.dbf", body[:cut]))
    size = 1 + sum(FIELDS.values())
    at = len(body) - 1 - 3 * size
    deleted = body[: at + size] + b"*" + body[at + size + 1 :]
    assert [i.code for i in read("banks", put(tmp_path, "deleted.dbf", deleted))[1]] == [BICS[0], BICS[2]]
    assert "ни одной записи" in refusal("banks", seek(tmp_path / "empty.dbf", []))
    write_dbf(tmp_path / "koi8.dbf", FIELDS, [row(b, NAMEP="Отделение банка") for b in BICS], DAY, "koi8-r")
    assert "кодировка" in refusal("banks", tmp_path / "koi8.dbf")


def dressed(fields: dict[str, int], body: bytes, **types: str) -> bytes:
    """The same table with field names in small letters, and other types of fields."""
    made = bytearray(body)
    for i, name in enumerate(fields):
        at = 32 + 32 * i
        made[at : at + 11] = name.lower().encode().ljust(11, b"\0")
        made[at + 11 : at + 12] = types.get(name, "C").encode()
    return bytes(made)


@pytest.mark.parametrize("encoding", ["cp866", "cp1251"])
def test_copies_of_the_dbf_set_saved_by_other_programs(tmp_path: Path, encoding: str) -> None:
    """Other code page, widths, names and types of fields, columns of its own, a deleted record, nothing beside."""
    fields = {"OWN": 7, **{n: w + 5 for n, w in FIELDS.items()}, "NEWNUM": 12, "KSNP": 25, "COMMENT": 40}
    plain = [dict(zip(FIELDS, row(b, RGN="04"), strict=True)) for b in BICS]
    rows = [[{**r, "OWN": "1", "COMMENT": "Прим."}.get(n, "") for n in fields] for r in plain]
    path = tmp_path / "banks.dbf"
    write_dbf(path, fields, rows, DAY, encoding)
    _, expected = read("banks", seek(tmp_path / "plain.dbf", [row(b, RGN="04") for b in BICS]))
    assert kind_of(path) == "banks"
    assert read("banks", path)[1] == expected
    for r in rows:
        r[list(fields).index("NEWNUM")] = r[list(fields).index("NEWNUM")].lstrip("0").rjust(12)
    write_dbf(path, fields, rows, DAY, encoding)
    body = bytearray(path.read_bytes())
    size = 1 + sum(fields.values())
    body[len(body) - 1 - 2 * size] = ord("*")  # the second of three
    numbers = {"NEWNUM": "N", "RGN": "N", "DATE_IN": "D"}
    file, items = read("banks", put(tmp_path, "other.dbf", dressed(fields, bytes(body), **numbers)))
    assert items == [expected[0], expected[2]]
    assert items[0].values["Region"] == "04"
    assert file.counts() == {"records": 2, "deleted": 0}


def test_a_dbf_of_few_fields_says_nothing_of_the_others(tmp_path: Path) -> None:
    path = tmp_path / "few.dbf"
    write_dbf(path, {"NEWNUM": 9, "NAMEP": 45, "KSNP": 20}, [[b, f"БАНК {b}", corr(b)] for b in BICS], DAY)
    _, items = read("banks", path)
    assert [i.code for i in items] == list(BICS)
    assert set(items[0].values) == {"Description", "CorrespondentAccount", "Closed", "DateOut"}
    write_dbf(path, {"NEWNUM": 9, "NAMEN": 45}, [[b, "X"] for b in BICS], DAY)
    assert "нет поля NAMEP" in refusal("banks", path)


def test_tables_of_different_days_or_two_sets_are_refused(tmp_path: Path) -> None:
    seek(tmp_path / "a" / "BNKSEEK.DBF")
    write_dbf(
        tmp_path / "a" / "BNKDEL.DBF",
        {**FIELDS, "DATEDEL": 8},
        [[*row("044525999"), "20171001"]],
        DAY - dt.timedelta(days=400),
    )
    assert "разных дней" in refusal("banks", tmp_path / "a")
    write_dbf(
        tmp_path / "a" / "BNKDEL.DBF",
        {**FIELDS, "DATEDEL": 8},
        [[*row("044525999"), "20171001"]],
        DAY - dt.timedelta(days=3),
    )
    assert read("banks", tmp_path / "a")[0].counts()["deleted"] == 1
    seek(tmp_path / "a" / "old" / "BNKSEEK.DBF", date=DAY - dt.timedelta(days=1))
    assert "файлов одного вида 2" in refusal("banks", tmp_path / "a")


TEXT = "".join(f"-\tМОСКВА\t1\tБАНК {b}\t\t{b}\t{corr(b)}\n" for b in BICS)


@pytest.mark.parametrize("encoding", ["cp1251", "cp866", "utf-8-sig", "utf-16"])
def test_the_text_set_in_other_dress(tmp_path: Path, encoding: str) -> None:
    body = (
        '\tМОСКВА\t1\t"СБЕРБАНК РОССИИ\t\t044525225\t30101810400000000225\r\n'
        "\tМОСКВА\t1\tОТДЕЛЕНИЕ 1 МОСКВА\t\t044583001\r\n"
    )
    file, items = read("banks", put(tmp_path, "BNKSEEK.TXT", body, encoding))
    assert [(i.code, i.values["CorrespondentAccount"]) for i in items] == [
        ("044525225", "30101810400000000225"),
        ("044583001", ""),
    ]
    assert items[0].values["Description"] == '"СБЕРБАНК РОССИИ'
    assert file.warning_count() == 0


def test_the_text_set(tmp_path: Path) -> None:
    deleted = "1\t01.02.2016\tх\t1\tБАНК ЗАКРЫТ\tЛИКВ\t044525999\t30101810000000000999\n"
    reg = "// коды регионов\n45\tМосква\n"
    path = zipped(
        tmp_path / "bnk.zip",
        {"bnkseek.txt": TEXT.encode("cp1251"), "bnkdel.txt": deleted.encode("cp1251"), "reg.txt": reg.encode("cp1251")},
    )
    assert kind_of(path) == "banks"
    file, items = read("banks", path)
    assert [(i.code, i.values["City"]) for i in items] == [(b, "г МОСКВА") for b in BICS]
    assert file.counts() == {"records": 3, "deleted": 1}
    bad = TEXT.replace(BICS[1], "04452597O")
    assert "запись 2" in refusal("banks", put(tmp_path, "bnkseek.txt", bad, "cp1251"))


# --- choosing


@pytest.fixture
def session(file_crm: Session) -> Session:
    """A base without banks."""
    with file_crm.transaction():
        for name in ("Banks", "BankClassifier"):
            for item in list(file_crm.catalogs[name].select()):
                item.delete()
    return file_crm


def directory(folder: Path, banks: list[object], day: dt.date) -> Path:
    path = folder / f"{day:%Y%m%d}ED01OSBR.zip"
    write_ed807(path, banks, day)  # type: ignore[arg-type]
    return path


def test_banks_are_picked_and_follow_the_classifier(session: Session, tmp_path: Path) -> None:
    banks = sample_banks(12, 1)
    day = dt.date(2026, 1, 12)
    load(session, "banks", directory(tmp_path, list(banks), day))
    wanted = [banks[2].bic, banks[3].bic, banks[4].bic]
    picked = pick_banks(session, wanted)
    assert [c.bic for c in picked] == wanted
    assert all(c.added for c in picked)
    assert not any(c.added or c.changes for c in pick_banks(session, wanted))  # once more: nothing
    chosen = session.catalogs.Banks.get(picked[0].ref)
    assert (chosen.Code, chosen.Description) == (wanted[0], banks[2].info["NameP"])
    assert session.catalogs.BankClassifier.get(chosen.Classifier).Code == wanted[0]  # type: ignore[arg-type]

    later = [banks[0], renamed(banks[2], "АО НОВОЕ ИМЯ"), *banks[4:]]  # banks[3] has left
    report = load(session, "banks", directory(tmp_path, later, day + dt.timedelta(days=1)))
    assert len(report.remarks) == 2
    assert any("АО НОВОЕ ИМЯ" in line and wanted[0] in line for line in report.remarks)
    assert session.catalogs.Banks.get(picked[0].ref).Description == "АО НОВОЕ ИМЯ"
    assert session.catalogs.Banks.get(picked[1].ref).Closed is True
    assert session.catalogs.Banks.get(picked[2].ref).Closed is False
    assert len(list(session.catalogs.Banks.select())) == 3
    assert not any(c.changes for c in refresh_banks(session))


def test_refreshing_never_erases(session: Session, tmp_path: Path) -> None:
    banks = sample_banks(12, 1)
    with_swift = next(b for b in banks if any(tag == "SWBICS" for tag, _ in b.children))
    load(session, "banks", directory(tmp_path, list(banks), dt.date(2026, 1, 12)))
    [picked] = pick_banks(session, [with_swift.bic])
    swift = session.catalogs.Banks.get(picked.ref).SWIFT
    assert swift
    without = [replace(b, children=[c for c in b.children if c[0] != "SWBICS"]) for b in banks]
    load(session, "banks", directory(tmp_path, list(without), dt.date(2026, 1, 13)))
    assert session.catalogs.BankClassifier.get(session.catalogs.BankClassifier.find_by_code(with_swift.bic)).SWIFT == ""  # type: ignore[arg-type]
    assert swift == session.catalogs.Banks.get(picked.ref).SWIFT


def test_what_cannot_be_picked(session: Session, tmp_path: Path) -> None:
    banks = sample_banks(5, 1)
    load(session, "banks", directory(tmp_path, list(banks), dt.date(2026, 1, 12)))
    with pytest.raises(ObjectNotFound):
        pick_banks(session, [banks[2].bic, "049999999"])
    with pytest.raises(ValueInvalid):
        pick_banks(session, ["Сбербанк"])
    assert list(session.catalogs.Banks.select()) == []


def test_the_older_set_leaves_what_it_does_not_know(session: Session, tmp_path: Path) -> None:
    banks = sample_banks(12, 1)
    with_swift = next(b for b in banks if any(tag == "SWBICS" for tag, _ in b.children))
    load(session, "banks", directory(tmp_path, list(banks), dt.date(2026, 1, 12)))
    load(session, "banks", seek(tmp_path / "b.dbf", [row(with_swift.bic, NAMEP="ДРУГОЕ ИМЯ")]))
    catalog = session.catalogs.BankClassifier
    item = catalog.get(catalog.find_by_code(with_swift.bic))  # type: ignore[arg-type]
    assert item.Description == "ДРУГОЕ ИМЯ"
    assert item.SWIFT
    assert len(item.section("Accounts")) == 1


def test_accounts_are_checked_against_their_bank(session: Session, tmp_path: Path) -> None:
    banks = sample_banks(12, 1)
    load(session, "banks", directory(tmp_path, list(banks), dt.date(2026, 1, 12)))
    bic = banks[2].bic
    [picked] = pick_banks(session, [bic])
    good = with_key(bank_prefix(bic), "40702810000000012345")
    check_account(session, picked.ref, good)
    check_account(session, bic, good)
    bad = good[:8] + str((int(good[8]) + 1) % 10) + good[9:]
    for account in (bad, good[:-1], "40702810O00000012345"):
        with pytest.raises(AccountMismatch) as caught:
            check_account(session, picked.ref, account)
        assert bic in str(caught.value)
    at_centre = banks[0].bic  # an account in the Bank of Russia itself
    check_account(session, at_centre, with_key(cbr_prefix(at_centre), "40102810000000000001"))

    with pytest.raises(ObjectNotFound):
        check_account(session, "049999999", good)


def test_where_an_account_is_kept_is_told_by_the_participant(session: Session, tmp_path: Path) -> None:
    """The classifier's type, else whether there is a correspondent account; BIC 004525988 and 046577906 do not end in 000..002."""
    treasury, bank, centre, other = sample_banks(12, 1)[1:5]

    def like(model: SampleBank, bic: str, kind: str, *, accounts: bool) -> SampleBank:
        children = model.children if accounts else []
        return replace(model, bic=bic, info={**model.info, "PtType": kind}, children=list(children))

    entries: list[object] = [
        like(treasury, "004525988", "52", accounts=False),
        like(centre, "044525900", "15", accounts=False),
        like(bank, "046577906", "30", accounts=False),
        like(other, "044525777", "99", accounts=False),
    ]
    load(session, "banks", directory(tmp_path, entries, dt.date(2026, 1, 12)))
    number = "40503810000000000001"
    for bic, of_central_bank in (
        ("004525988", True),
        ("044525900", True),
        ("046577906", False),
        ("044525777", True),
    ):
        right, wrong = cbr_prefix(bic), bank_prefix(bic)
        if not of_central_bank:
            right, wrong = wrong, right
        good = with_key(right, number)
        check_account(session, bic, good)
        assert key_ok(wrong, good) or refused_by(session, bic, with_key(wrong, number))
    check_account(
        session, "004525988", "40102810545370000003"
    )  # published: the single treasury account of a Treasury body
    assert refused_by(session, "004525988", "40102810645370000003")


def refused_by(session: Session, bic: str, account: str) -> bool:
    with pytest.raises(AccountMismatch) as caught:
        check_account(session, bic, account)
    return bic in str(caught.value)
