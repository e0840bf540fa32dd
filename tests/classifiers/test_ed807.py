"""The reader of the Bank of Russia's directory: real files, files in the real format made here, and every kind of bad file."""

from __future__ import annotations

import datetime as dt
import re
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from classifiers import ed807, source
from classifiers.account_key import cbr_prefix, key_ok
from classifiers.banks import BANKS
from classifiers.ed807 import Ed807Reader
from classifiers.model import BankAccount, BankEntry
from classifiers.reading import only
from classifiers.recognise import find_format
from classifiers.sample import ed807_xml, sample_banks, write_small_ed807
from infobase.errors import ClassifierAmbiguous, ClassifierInvalid, ClassifierUnknown

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "classifiers" / "banks"
DAY = dt.date(2026, 1, 12)
TEXT = ed807_xml(sample_banks(12, 1), DAY)


def read(path: Path) -> tuple[Ed807Reader, list[BankEntry]]:
    with source.open_source(path) as opened:
        _, members = find_format(BANKS, opened)
        reader = Ed807Reader(only(members))
        return reader, list(reader.entries())


def xml_file(folder: Path, body: str | bytes, name: str = "20260112_ED807_full.xml") -> Path:
    path = folder / name
    path.write_bytes(body if isinstance(body, bytes) else body.encode("windows-1251"))
    return path


def refusal(path: Path) -> str:
    """The message of the refusal, in both languages."""
    with pytest.raises((ClassifierInvalid, ClassifierUnknown, ClassifierAmbiguous)) as caught:
        read(path)
    detail = caught.value.fields["detail"]
    return f"{detail.ru} | {detail.en}"  # type: ignore[attr-defined]


# --- real files


@pytest.mark.skipif(not REAL.exists(), reason="the real directories are not here (../shared/data)")
@pytest.mark.parametrize(
    ("name", "day", "entries", "accounts", "swift"),
    [
        ("20201204ED01OSBR.zip", dt.date(2020, 12, 4), 2087, 48226, 374),
        ("20230518_ED807_full.xml", dt.date(2023, 5, 18), 1627, 1671, 342),
    ],
)
def test_real_directory(name: str, day: dt.date, entries: int, accounts: int, swift: int) -> None:
    reader, found = read(REAL / name)
    assert (len(found), reader.records, reader.accounts) == (entries, entries, accounts)
    assert (reader.header.business_day, reader.header.version) == (day, 1)
    assert reader.warning_count() == 0
    assert sum(bool(e.swift) for e in found) <= swift
    assert all(e.correspondent_account.startswith(("301", "401", "")) for e in found)
    banks = [e for e in found if e.participant_type == "20" and e.correspondent_account]
    assert len(banks) > 300
    assert all(e.correspondent_account[-3:] == e.bic[-3:] for e in banks)


@pytest.mark.skipif(not REAL.exists(), reason="the real directories are not here (../shared/data)")
def test_a_real_package_is_read_in_bounded_memory() -> None:
    with source.open_source(REAL / "20201204ED01OSBR.zip") as opened:
        reader = Ed807Reader(only(opened.members))
        tracemalloc.start()
        count = sum(1 for _ in reader.entries())
        peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 2087
    assert peak < 6_000_000  # the document itself is 8.3 MB


# --- files made here


@pytest.mark.parametrize("name", ["20260112ED01OSBR.zip", "whatever.bin", "20260112_ED807_full.xml", "banks.XML"])
def test_zip_and_xml_are_told_apart_by_content(tmp_path: Path, name: str) -> None:
    written = write_small_ed807(tmp_path / name, banks=25)
    reader, found = read(tmp_path / name)
    assert [e.bic for e in found] == [b.bic for b in written]
    assert [e.name for e in found] == [b.info["NameP"] for b in written]
    assert reader.header.business_day == DAY
    assert reader.warning_count() == 0
    assert reader.accounts == sum(len(e.accounts) for e in found) > 20


def test_a_xml_named_zip_and_the_other_way_round(tmp_path: Path) -> None:
    write_small_ed807(tmp_path / "a.zip", banks=3)
    (tmp_path / "a.zip").rename(tmp_path / "b.xml")
    (tmp_path / "c.zip").write_bytes(TEXT.encode("windows-1251"))
    assert len(read(tmp_path / "b.xml")[1]) == 3
    assert len(read(tmp_path / "c.zip")[1]) == 12


def test_the_sample_is_deterministic_and_correct(tmp_path: Path) -> None:
    write_small_ed807(tmp_path / "a.zip", banks=40)
    write_small_ed807(tmp_path / "b.zip", banks=40)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    _, found = read(tmp_path / "a.zip")
    assert len({e.bic for e in found}) == 40
    assert all(key_ok(cbr_prefix(a.cbr_bic), a.number) for e in found for a in e.accounts)
    assert {e.participant_type for e in found} == {"10", "20", "52"}
    with pytest.raises(ValueError, match="count"):
        sample_banks(501, 1)


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        ("windows-1251", "windows-1251"),
        ("UTF-8", "utf-8"),
        ("UTF-8", "utf-8-sig"),
        ("UTF-16", "utf-16"),
        ("cp866", "cp866"),
        ("", "utf-8"),
    ],
)
def test_the_declared_encoding_counts(tmp_path: Path, declared: str, encoding: str) -> None:
    declaration = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    path = xml_file(tmp_path, (declaration + TEXT.split("?>", 1)[1]).encode(encoding))
    _, found = read(path)
    assert len(found) == 12
    assert found[2].name == sample_banks(12, 1)[2].info["NameP"]


def test_every_attribute_arrives(tmp_path: Path) -> None:
    body = (
        '<?xml version="1.0" encoding="Windows-1251"?><ED807 xmlns="urn:cbr-ru:ed:v2.0" EDNo="1" EDDate="2026-01-11" InfoTypeCode="FIRR" '
        'BusinessDay="2026-01-12" DirectoryVersion="2"><BICDirectoryEntry BIC="044525974" ChangeType="NCNG"><ParticipantInfo NameP="АО &quot;Т&amp;Б&quot;" '
        'EnglName="TB" RegN="2673" CntrCd="RU" Rgn="45" Ind="127287" Tnp="г" Nnp="Москва" Adr="ул 1" PrntBIC="044525000" DateIn="1994-01-28" '
        'DateOut="2027-01-01" PtType="20" Srvcs="5" XchType="1" UID="4525974000" ParticipantStatus="PSAC"><RstrList Rstr="LMRS" RstrDate="2025-01-01"/>'
        '</ParticipantInfo><SWBICS SWBIC="AAAARUMM" DefaultSWBIC="0"/><SWBICS SWBIC="TICSRUMMXXX" DefaultSWBIC="1"/>'
        '<Accounts Account="30101810145250000974" RegulationAccountType="CRSA" CK="30" AccountCBRBIC="044525000" DateIn="2009-12-21" AccountStatus="ACAC">'
        '<AccRstrList AccRstr="URRS" AccRstrDate="2020-01-01"/></Accounts><Future x="1"><Deeper/></Future></BICDirectoryEntry></ED807>'
    )
    reader, [entry] = read(xml_file(tmp_path, body))
    assert reader.header.version == 2
    assert reader.header.document_date == dt.date(2026, 1, 11)
    account = BankAccount("30101810145250000974", "CRSA", "30", "044525000", dt.date(2009, 12, 21), None, "ACAC")
    assert entry == BankEntry(
        bic="044525974", name='АО "Т&Б"', region="45", participant_type="20", date_in=dt.date(1994, 1, 28), english_name="TB", registration_number="2673",
        country="RU", postcode="127287", town_type="г", town="Москва", address="ул 1", parent_bic="044525000", services="5", exchange_type="1",
        uid="4525974000", status="PSAC", swift="TICSRUMMXXX", date_out=dt.date(2027, 1, 1), restrictions=("LMRS",), accounts=(account,),
    )  # fmt: skip
    assert entry.correspondent_account == "30101810145250000974"
    assert not entry.closed(dt.date(2026, 12, 31))
    assert entry.closed(dt.date(2027, 1, 1))


def test_a_wrong_account_key_is_counted_not_refused(tmp_path: Path) -> None:
    number = re.search(r'Account="(301\d{17})"', TEXT)
    assert number is not None
    good = number[1]
    bad = good[:8] + str((int(good[8]) + 1) % 10) + good[9:]
    reader, found = read(xml_file(tmp_path, TEXT.replace(good, bad)))
    assert len(found) == 12
    assert reader.warning_count() == 1
    [warning] = reader.warnings()
    assert (warning.field, warning.value) == ("Account", bad)
    assert found[warning.record - 1].bic == warning.key


# --- bad files


@pytest.mark.parametrize(
    ("find", "put", "expected"),
    [
        (' BIC="046577502"', ' BIC="04657750"', ["запись 3", "поле BIC", "9 цифр", "record 3", "9 digits"]),
        (' BIC="046577502"', "", ["запись 3", "поле BIC"]),
        (' BIC="046577502"', ' BIC="044525000"', ["запись 3", "второй раз", "044525000"]),
        ('PtType="52"', "", ["запись 2", "БИК 014030001", "поле PtType", "не заполнено"]),
        ('PtType="52"', 'PtType="520"', ["длиннее 2"]),
        ('NameP="УФК № 1 (образец)"', 'NameP=" "', ["запись 2", "поле NameP"]),
        ('NameP="УФК № 1 (образец)"', f'NameP="{"Я" * 161}"', ["поле NameP", "длиннее 160"]),
        ('DateIn="2013-01-09"', 'DateIn="2013-02-30"', ["запись 2", "поле DateIn", "2013-02-30"]),
        ('DateIn="2013-01-09"', 'DateIn="09.01.2013"', ["поле DateIn"]),
        ('AccountCBRBIC="024030901"', "", ["запись 2", "поле AccountCBRBIC"]),
        ('Account="4011681', 'Account="X011681', ["запись 2", "поле Account", "20 цифр"]),
        ('BusinessDay="2026-01-12"', "", ["поле BusinessDay"]),
        ('DirectoryVersion="1"', 'DirectoryVersion="-"', ["поле DirectoryVersion"]),
        ('InfoTypeCode="FIRR"', 'InfoTypeCode="SIRR"', ["полный справочник", "FIRR"]),
        ("urn:cbr-ru:ed:v2.0", "urn:other", ["корневой элемент ED807", "urn:other"]),
    ],
)  # fmt: skip
def test_malformed_data_names_record_bic_and_field(tmp_path: Path, find: str, put: str, expected: list[str]) -> None:
    assert find in TEXT
    message = refusal(xml_file(tmp_path, TEXT.replace(find, put, 1)))
    for piece in expected:
        assert piece in message


def test_no_participant_info(tmp_path: Path) -> None:
    body = re.sub(r"<ParticipantInfo[^>]*/>", "", TEXT, count=1)
    assert "ParticipantInfo" in refusal(xml_file(tmp_path, body))


def test_no_entries_is_an_error(tmp_path: Path) -> None:
    assert "ни одной записи" in refusal(xml_file(tmp_path, ed807_xml([], DAY)))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(cut=st.integers(0, len(TEXT) - 1))
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, cut: int) -> None:
    message = refusal(xml_file(tmp_path, TEXT[:cut]))
    assert any(w in message for w in ("обрывается", "пуст", "это не", "объявление XML"))


def test_a_cut_file_names_the_place(tmp_path: Path) -> None:
    message = refusal(xml_file(tmp_path, TEXT[: len(TEXT) // 2]))
    assert re.search(r"обрывается \(строка 1, символ \d+, после записи \d+\)", message)


@pytest.mark.parametrize(
    "declaration",
    ['<?xml version="1.0" encoding="Windows-1251">', '<?xml version="1.0" encoding=Windows-1251?>', '<?xml encoding="windows-1251"?>',
     ' <?xml version="1.0" encoding="Windows-1251"?>', '<?xml version="1.0" encoding="no-such-code"?>', '<?xml version="1.0" encoding="idna"?>'],
)  # fmt: skip
def test_a_broken_declaration_is_named(tmp_path: Path, declaration: str) -> None:
    message = refusal(xml_file(tmp_path, declaration + TEXT.split("?>", 1)[1]))
    assert "объявлени" in message


@pytest.mark.parametrize("encoding", ["windows-1251", "utf-16"])
@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE ED807>",
        '<!DOCTYPE ED807 SYSTEM "http://example.org/x.dtd">',
        '<!DOCTYPE ED807 [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>',
        '<!DOCTYPE ED807 [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    ],
)
def test_document_types_are_refused(tmp_path: Path, doctype: str, encoding: str) -> None:
    body = f'<?xml version="1.0" encoding="{encoding}"?>{doctype}' + TEXT.split("?>", 1)[1]
    assert "DOCTYPE" in refusal(xml_file(tmp_path, body.encode(encoding)))


def test_deep_nesting_and_endless_tags_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head, tail = TEXT.split("</BICDirectoryEntry>", 1)
    deep = head + "<x>" * 50 + "</x>" * 50 + "</BICDirectoryEntry>" + tail
    assert "вложенность" in refusal(xml_file(tmp_path, deep))
    long = head + '<x y="' + "z" * (ed807.MAX_TAG_BYTES + 3 * source.CHUNK_BYTES) + '"/></BICDirectoryEntry>' + tail
    assert "тег длиннее" in refusal(xml_file(tmp_path, long))


@pytest.mark.parametrize(
    "body", [b"", b"7z\xbc\xaf\x27\x1c", b"\x03junk", "просто текст".encode(), b"PK\x03\x04 not a zip", b"PK"]
)
def test_files_of_other_kinds(tmp_path: Path, body: bytes) -> None:
    assert refusal(xml_file(tmp_path, body))


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert "не читается" in refusal(tmp_path / "absent.zip")
    assert "папка пуста" in refusal(tmp_path)


# --- bad archives


def make_zip(folder: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    path = folder / "package.zip"
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return path


def test_archives_must_hold_exactly_one_directory(tmp_path: Path) -> None:
    body = TEXT.encode("windows-1251")
    assert "архив пуст" in refusal(make_zip(tmp_path, {}))
    assert "есть: readme.txt" in refusal(make_zip(tmp_path, {"readme.txt": b"read me"}))
    assert "одного вида 2" in refusal(
        make_zip(tmp_path, {"20260112_ED807_full.xml": body, "a/20260113_ED807_FULL.XML": body})
    )
    assert len(read(make_zip(tmp_path, {"readme.txt": b"", "20260112_ed807_FULL.xml": body}))[1]) == 12


def test_bombs_are_refused_before_they_unpack(tmp_path: Path) -> None:
    path = make_zip(tmp_path, {"20260112_ED807_full.xml": b" " * (8 * 1024 * 1024)})
    assert "распакованный размер" in refusal(path)


def test_the_limit_counts_what_is_really_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MAX_UNPACKED_BYTES", 1000)
    assert "больше 1000 байт" in refusal(xml_file(tmp_path, TEXT))
    path = make_zip(tmp_path, {"20260112_ED807_full.xml": TEXT.encode("windows-1251")})
    assert "больше 1000 байт" in refusal(path)
    size = len(TEXT.encode("windows-1251")).to_bytes(4, "little")
    lying = path.read_bytes().replace(size, (900).to_bytes(4, "little"))
    path.write_bytes(lying)
    assert refusal(path)


def test_unsupported_compression(tmp_path: Path) -> None:
    path = make_zip(tmp_path, {"20260112_ED807_full.xml": TEXT.encode("windows-1251")}, zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\1\2") + 10
    data[at : at + 2] = (9).to_bytes(2, "little")  # Deflate64
    path.write_bytes(data)
    assert "сжатия" in refusal(path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_a_damaged_archive_is_read_right_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "package.zip"
    written = write_small_ed807(path, banks=4)
    body = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(body) - 1))
    if data.draw(st.booleans()):
        body = body[:place]
    else:
        body[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(bytes(body))
    try:
        _, found = read(path)
    except (ClassifierInvalid, ClassifierUnknown):
        return
    assert [e.bic for e in found] == [b.bic for b in written]
