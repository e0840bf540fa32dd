"""The event log: filters, following, exports, trimming with an archive, and logs of 1C read from files."""

from __future__ import annotations

import csv
import datetime as dt
import json
import sqlite3
import subprocess
import sys
import uuid
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from infobase import errors, log_export, log_files
from infobase.log_layout import EVENT_COLUMNS, create_statements, to_ticks
from infobase.storage import LogEntry, LogFilter
from tests.administration.conftest import Program
from tests.bases import Place

ROOT = Path(__file__).parents[2]
V8E = "{http://v8.1c.ru/eventLog}"


def fill(conn: str) -> None:
    with Place(conn).session() as session:
        for description in ("Гвоздь", '=HYPERLINK("http://x")', "Шуруп"):
            session.catalogs.Goods.new(Description=description).write()


def shown(program: Program, *arguments: object) -> list[dict[str, str]]:
    code, out, err = program("log", "show", *arguments, "--json", "--oldest-first", "--limit", 0)
    assert code == 0, err
    found = json.loads(out)
    assert isinstance(found, list)
    return found


def test_filters(program: Program, conn: str) -> None:
    fill(conn)
    assert len(shown(program, conn, "--event", "Данные. Добавление", "--text", "гвоздь")) == 1
    for name in ("Catalog.Goods", "Справочник.Товары", "каталог.goods"):
        count = len(shown(program, conn, "--object", name, "--event", "_$Data$_.New"))
        assert count == (0 if name.startswith("каталог") else 3)
    assert shown(program, conn, "--severity", "Error") == []
    assert shown(program, conn, "--until", "2001-01-01") == []
    assert len(shown(program, conn, "--of-user", "Administrator")) >= 3
    assert program("log", "show", conn, "--since", "yesterday")[0] == errors.UsageError.exit_code


def test_follow_shows_each_new_entry_once(conn: str) -> None:
    command = [
        sys.executable,
        "-m",
        "cli",
        "log",
        "show",
        conn,
        "--follow",
        "--json",
        "--limit",
        "1",
        "--event",
        "_$Data$_.New",
    ]
    fill(conn)
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["presentation"].endswith("Шуруп")
            fill(conn)
            found = [json.loads(process.stdout.readline())["presentation"] for _ in range(3)]
            assert found[0].endswith("Гвоздь") and found[2].endswith("Шуруп")
        finally:
            process.kill()


# --- export ---


def test_csv_runs_nothing_in_a_spreadsheet(program: Program, conn: str, tmp_path: Path) -> None:
    fill(conn)
    target = tmp_path / "log.csv"
    assert program("log", "export", conn, target, "--event", "Data. New", "--of-user", "Administrator")[0] == 0
    assert program("log", "export", conn, target)[0] == errors.TargetExists.exit_code
    assert program("log", "export", conn, tmp_path / "log.txt")[0] == errors.UsageError.exit_code
    with target.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [r["event"] for r in rows] == ["_$Data$_.New"] * 3
    assert "HYPERLINK" in rows[1]["presentation"] and not rows[1]["presentation"].startswith("=")


risky = st.text(st.sampled_from(list("=+-@\t\r\n \"'a,;")), max_size=8)


@given(risky)
def test_no_cell_begins_like_a_formula(text: str) -> None:
    made = log_export._harmless(text)
    assert isinstance(made, str)
    assert not made.lstrip().startswith(("=", "+", "-", "@")) and not made.startswith(("\t", "\r", "\n"))
    assert made in (text, "'" + text)


def entry(**fields: object) -> LogEntry:
    known: dict[str, object] = {"date": dt.datetime(2026, 2, 1, 12), "event": "_$Data$_.New"}
    return LogEntry(**(known | fields))  # type: ignore[arg-type]


ENTRIES = [
    entry(
        user="Иванов", user_id=uuid.UUID(int=7), metadata="Справочник.Товары", comment='a "b"\nc', presentation="Гвоздь"
    ),
    entry(severity="Error", transaction="RolledBack", data="x\x00y", comment="\ud800"),
    entry(event="_$Session$_.Start", application="1CV8C", computer="PC", session=5),
]


def test_json_lines(tmp_path: Path) -> None:
    assert log_export.export(iter(ENTRIES), tmp_path / "log.jsonl", "jsonl") == 3
    found = [json.loads(line) for line in (tmp_path / "log.jsonl").read_bytes().splitlines()]
    assert [f["severity"] for f in found] == ["Information", "Error", "Information"]
    assert found[0]["comment"] == 'a "b"\nc' and found[0]["date"] == "2026-02-01T12:00:00"


def test_xml_has_the_elements_of_1c(tmp_path: Path) -> None:
    assert log_export.export(iter(ENTRIES), tmp_path / "log.xml", "xml") == 3
    events = etree.parse(str(tmp_path / "log.xml")).getroot().findall(f"{V8E}Event")
    assert [str(e.tag) for e in events[0]] == [
        V8E + name
        for name in [
            "Level",
            "Date",
            "ApplicationName",
            "ApplicationPresentation",
            "Event",
            "EventPresentation",
            "User",
            "UserName",
            "Computer",
            "Metadata",
            "MetadataPresentation",
            "Comment",
            "Data",
            "DataPresentation",
            "TransactionStatus",
            "TransactionID",
            "Connection",
            "Session",
            "ServerName",
            "Port",
            "SyncPort",
        ]
    ]
    assert events[0].findtext(f"{V8E}TransactionStatus") == "NotApplicable"
    assert events[1].findtext(f"{V8E}Data") == "x\ufffdy"


def test_an_archive_reads_like_the_log(tmp_path: Path) -> None:
    wanted = [e for e in ENTRIES if e.comment != "\ud800"]
    assert log_export.export(iter(wanted), tmp_path / "a.lgd", "lgd") == 2
    assert list(log_files.read_log(tmp_path / "a.lgd", LogFilter())) == wanted
    with pytest.raises(errors.TargetExists):
        log_export.export(iter(wanted), tmp_path / "a.lgd", "lgd")


def test_an_export_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> object:
        yield ENTRIES[0]
        raise KeyboardInterrupt

    for form in ("csv", "jsonl", "xml", "lgd"):
        with pytest.raises(KeyboardInterrupt):
            log_export.export(broken(), tmp_path / f"log.{form}", form)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


# --- trim ---


def test_trim_saves_before_it_removes(program: Program, conn: str, tmp_path: Path) -> None:
    fill(conn)
    before = len(shown(program, conn))
    archive = tmp_path / "old.lgd"
    assert program("log", "trim", conn, "--before", "2999-01-01", "--save-as", archive, "--no-archive")[0] == 2
    code, out, err = program("log", "trim", conn, "--before", "2999-01-01", "--save-as", archive)
    assert code == 0, err
    kept = shown(program, archive)
    assert len(kept) >= before and [k["user"] for k in kept if k["event"] == "_$Data$_.New"].count("Administrator") == 3
    rest = shown(program, conn)
    events = [r["event"] for r in rest]
    assert "_$InfoBase$_.EventLogReduce" in events and "_$Data$_.New" not in events and len(rest) < before
    assert str(len(kept)) in out
    assert (
        program("log", "trim", conn, "--before", "2999-01-01", "--save-as", archive)[0] == errors.TargetExists.exit_code
    )
    assert len(shown(program, archive)) == len(kept)
    assert program("log", "trim", conn, "--before", "2001-01-01", "--no-archive")[0] == 0


# --- logs of 1C ---

LGF = '''\ufeff1CV8LOG(ver 2.0)\r
e2a7ffb4-5d3a-4c9e-a3ab-7b8d31d17dd5\r
\r
{1,2d7a4b1a-7d1b-4c88-9dc1-f3a0dbb8b1a0,"Иванов ""А""",1},\r
{2,"BUH-PC",1},\r
{3,"1CV8C",1},\r
{4,"_$Data$_.Post",1},\r
{4,"_$Session$_.Start",2},\r
{5,d2e1f0a0-0000-4000-8000-000000000001,"Документ.Заказ",1},\r
{11,1,2,0}\r
'''
LGP = """\ufeff1CV8LOG(ver 2.0)\r
e2a7ffb4-5d3a-4c9e-a3ab-7b8d31d17dd5\r
\r
{20240508134828,N,\r
{0,0},1,1,1,1,2,I,"",0,\r
{"U"},"",0,0,0,3,0,\r
{0}\r
},\r
{20240508134910,C,\r
{243a7b1c2d3e0,1a2b},1,1,1,1,1,E,"Имя: {""C:\\x""}\r
вторая строка",1,\r
{"R",17:a1b2c3},"Заказ 1",0,0,0,3,0,\r
{0}\r
}"""


def text_log(folder: Path, lgp: str = LGP) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "1Cv8.lgf").write_text(LGF, "utf-8", newline="")
    (folder / "20240506000000.lgp").write_text(lgp, "utf-8", newline="")
    return folder


EXPECTED = [
    entry(
        date=dt.datetime(2024, 5, 8, 13, 48, 28), event="_$Session$_.Start", user='Иванов "А"',
        user_id=uuid.UUID("2d7a4b1a-7d1b-4c88-9dc1-f3a0dbb8b1a0"), computer="BUH-PC", application="1CV8C", session=3,
    ),
    entry(
        date=dt.datetime(2024, 5, 8, 13, 49, 10), event="_$Data$_.Post", user='Иванов "А"', severity="Error",
        user_id=uuid.UUID("2d7a4b1a-7d1b-4c88-9dc1-f3a0dbb8b1a0"), computer="BUH-PC", application="1CV8C", session=3,
        comment='Имя: {"C:\\x"}\r\nвторая строка', metadata="Документ.Заказ", data="17:a1b2c3", presentation="Заказ 1",
        transaction="Committed",
    ),
]  # fmt: skip


@pytest.mark.parametrize("name", ["", "1Cv8.lgf", "20240506000000.lgp"])
def test_the_text_form_of_1c(tmp_path: Path, name: str) -> None:
    place = text_log(tmp_path / "1Cv8Log") / name
    assert log_files.is_log(place)
    assert list(log_files.read_log(place, LogFilter())) == EXPECTED
    assert list(log_files.read_log(place, LogFilter(newest_first=True, limit=1))) == EXPECTED[1:]
    assert list(log_files.read_log(place, LogFilter(severities=["Error"], text="заказ"))) == EXPECTED[1:]
    assert list(log_files.read_log(place, LogFilter(since=dt.datetime(2024, 5, 9)))) == []


def test_the_sqlite_form_of_1c(tmp_path: Path) -> None:
    """Made as 1C makes it: its columns, names in quotes."""
    place = tmp_path / "1Cv8.lgd"
    with closing(sqlite3.connect(place)) as conn:
        for statement in create_statements("sqlite"):
            conn.execute(statement.sql)
        conn.execute("INSERT INTO UserCodes VALUES (1, '\"Петров\"', '2d7a4b1a-7d1b-4c88-9dc1-f3a0dbb8b1a0')")
        conn.execute("INSERT INTO EventCodes VALUES (1, '\"_$User$_.New\"')")
        row = [2, to_ticks(dt.datetime(2024, 1, 1)), 1, 9, 3, 0, 0, 1, 0, 0, 1, "c", "", 0, 85, "", "", 0, 0, 0]
        names = ", ".join(f'"{c}"' for c in EVENT_COLUMNS)
        conn.execute(f"INSERT INTO EventLog ({names}) VALUES ({', '.join('?' * 20)})", row)
        conn.commit()
    (found,) = log_files.read_log(place, LogFilter())
    assert (found.user, found.event, found.severity, found.session) == ("Петров", "_$User$_.New", "Warning", 9)


def test_shown_and_exported_from_a_file(program: Program, tmp_path: Path) -> None:
    folder = text_log(tmp_path / "1Cv8Log")
    assert [e["event"] for e in shown(program, folder)] == ["_$Session$_.Start", "_$Data$_.Post"]
    assert program("log", "export", folder, tmp_path / "out.xml")[0] == 0
    assert program("log", "show", folder, "--follow")[0] == errors.UsageError.exit_code


@pytest.mark.parametrize(
    "content",
    [
        "Не журнал",
        LGP.replace("20240508134828", "не дата"),
        LGP.replace("{20240508134828,N,", "}{20240508134828,N,"),
        LGP.replace("{0,0},1,1,1,1,2,I", "{0,0}"),
        LGP[:59] + "{" * 200 + "}" * 200,
    ],
)
def test_a_damaged_log_is_a_clear_error(program: Program, tmp_path: Path, content: str) -> None:
    folder = text_log(tmp_path / "1Cv8Log", content)
    code, _, err = program("log", "show", folder)
    assert code == errors.LogUnreadable.exit_code and "20240506000000.lgp" in err


def test_a_record_still_being_written_is_left_out(tmp_path: Path) -> None:
    for cut in range(len(LGP) - 30, len(LGP)):
        folder = text_log(tmp_path / "1Cv8Log", LGP[:cut])
        assert list(log_files.read_log(folder, LogFilter())) == EXPECTED[:1]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = text_log(tmp_path_factory.mktemp("log"))
    for name, head in (
        ("20240506000000.lgp", LGP[:59].encode()),
        ("1Cv8.lgd", b""),
        ("1Cv8.lgd", b"SQLite format 3\0"),
    ):
        (folder / name).write_bytes(head + content)
        try:
            list(log_files.read_log(folder, LogFilter()))
        except errors.LogUnreadable as e:
            assert str(e)


def test_a_dictionary_is_needed(tmp_path: Path) -> None:
    place = text_log(tmp_path / "1Cv8Log")
    (place / "1Cv8.lgf").unlink()
    with pytest.raises(errors.LogUnreadable, match="lgf"):
        list(log_files.read_log(place / "20240506000000.lgp", LogFilter()))
