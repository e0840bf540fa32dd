"""Writing registers in bulk, on both engines: the same records as one by one, indexes kept, ranges deleted, hard texts whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.address_store import compare
from classifiers.address_words import WordCollector
from engine_server.bulk import text_lines
from infobase.bulk_records import bulk_records, range_end
from infobase.errors import NotUnique, OperationForbidden
from infobase.session import Session
from infobase.storage import LogFilter, Statement

REGISTER = "InformationRegister.AddressTypes"
FIELDS = {"Source": 5, "Level": 2, "ShortName": 50, "FullName": 250}
HARD = ["", "\\", "\\.", "\\N", "a\tb", "a\nb", "a\r\nb", "'\";--", "ё", "я" * 250, "😀", "\\t"]


@pytest.fixture
def empty(session: Session) -> Session:
    session.information_registers.AddressTypes.delete({})
    session.information_registers.AddressObjects.delete({})
    return session


def written(session: Session) -> list[tuple[object, ...]]:
    return sorted(tuple(r.values()) for r in session.information_registers.AddressTypes.select())


def test_bulk_and_single_writing_give_the_same_records(empty: Session) -> None:
    rows = [("kladr", "1", f"k{i}", text) for i, text in enumerate(HARD)]
    with bulk_records(empty, REGISTER) as bulk:
        assert bulk.write(FIELDS, rows) == len(HARD)
    in_bulk = written(empty)
    empty.information_registers.AddressTypes.delete({})
    empty.information_registers.AddressTypes.write([dict(zip(FIELDS, row, strict=True)) for row in rows])
    assert written(empty) == in_bulk
    assert len(in_bulk) == len(HARD)


def test_ranges_and_values_are_deleted_and_counted(empty: Session) -> None:
    with bulk_records(empty, REGISTER) as bulk:
        bulk.write(FIELDS, [(s, str(n), f"k{n}", "") for s in ("a", "ab", "b") for n in range(5)])
        assert (bulk.count(), bulk.count("Source", "a"), bulk.count("Source", "a", Level="3")) == (15, 10, 2)
        assert bulk.delete_range("Source", "a", Level="3") == 2
        assert bulk.delete_range("Source", "ab") == 4
        bulk.delete_values("ShortName", ["k0", "k1", "nothing"])
    assert [(r[0], r[1]) for r in written(empty)] == [("a", "2"), ("a", "4"), ("b", "2"), ("b", "3"), ("b", "4")]


def test_a_repeated_key_undoes_everything(empty: Session) -> None:
    with bulk_records(empty, REGISTER) as bulk:
        bulk.write(FIELDS, [("a", "1", "x", "")])
    with pytest.raises(NotUnique), bulk_records(empty, REGISTER) as bulk:
        bulk.delete_range("Source", "a")
        bulk.write(FIELDS, [("b", "1", "x", ""), ("b", "1", "x", "")])
    assert written(empty) == [("a", "1", "x", "", "")]


@pytest.mark.parametrize("expected", [0, 1_000_000])
def test_indexes_are_there_afterwards(empty: Session, expected: int) -> None:
    table = empty.kernel.layout.registers["InformationRegister.AddressObjects"].table
    with bulk_records(empty, "InformationRegister.AddressObjects", expected=expected) as bulk:
        bulk.write({"Code": 120, "SearchKey": 251}, [(f"{n:013d}", f"1k{n}") for n in range(100)])
    catalogue = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index'",
        "postgresql": "SELECT indexname FROM pg_indexes",
    }[empty.kernel.dialect.name]
    with empty.reading() as tx:
        names = {row[0] for row in tx.run([Statement(catalogue)])[0]}
    assert {i.name for i in table.indexes} <= names
    assert len(empty.information_registers.AddressObjects.select({"SearchKey": "1k7"})) == 1


def test_only_plain_texts_that_fit_are_taken(empty: Session) -> None:
    with bulk_records(empty, REGISTER) as bulk, pytest.raises(ValueError, match="Source"):
        bulk.write({**FIELDS, "Source": 6}, [])
    regions = "InformationRegister.AddressRegions"
    with bulk_records(empty, regions) as bulk, pytest.raises(ValueError, match="VersionDate"):
        bulk.write({"Region": 2, "VersionDate": 10}, [])
    with pytest.raises(OperationForbidden), bulk_records(empty, "InformationRegister.StageHistory"):
        pass


@pytest.mark.parametrize("in_memory", [0, 100])
def test_comparing_in_memory_and_aside_is_the_same(empty: Session, in_memory: int) -> None:
    with bulk_records(empty, REGISTER) as bulk:
        bulk.write(FIELDS, [(f"a{n}", "1", "x", "") for n in range(10)] + [("b0", "1", "x", "")])
        rows = [(f"a{n}", "1", "x", "new" if n < 3 else "") for n in range(2, 14)]
        found = compare(bulk, FIELDS, "a", rows, keep=lambda code: code != "a9", in_memory=in_memory)
    assert (found.added, found.changed, found.closed, found.unchanged) == (5, 1, 2, 6)


def test_words_kept_in_memory_and_put_aside_are_the_same(empty: Session) -> None:
    keys = [f"2улица {n} {'абвгд'[n % 5]}{n}" for n in range(50)] + ["", "1майский", "2майский"]
    found = []
    for remembered in (1_000, 10):
        empty.information_registers.AddressWords.delete({})
        with WordCollector(remembered) as words:
            for key in keys[:40]:
                words.add([key])
            words.write(empty, "InformationRegister.AddressWords")
        with WordCollector(remembered) as words:
            words.add(keys)
            words.write(empty, "InformationRegister.AddressWords")
        found.append([tuple(r.values()) for r in empty.information_registers.AddressWords.select()])
    assert found[0] == found[1]
    assert ("1майский", "1майский") in found[0]


def test_one_entry_tells_the_event_log(empty: Session) -> None:
    with bulk_records(empty, REGISTER) as bulk:
        bulk.write(FIELDS, [("log", str(n), "x", "") for n in range(7)])
    entries = list(empty.kernel.engine.event_log().read(LogFilter(newest_first=True, limit=1)))
    assert "7" in entries[0].presentation


@given(st.text(min_size=1, max_size=5), st.text(max_size=5))
def test_the_end_of_a_range_is_above_everything_in_it(begins: str, rest: str) -> None:
    if begins[-1] < "\ud7ff":
        assert begins <= begins + rest < range_end(begins)


@given(
    st.lists(
        st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6), min_size=2, max_size=2),
        min_size=1,
        max_size=8,
    )
)
def test_lines_for_copy_read_back(rows: list[list[str]]) -> None:
    back = {"\\\\": "\\", "\\t": "\t", "\\n": "\n", "\\r": "\r"}

    def plain(value: str) -> str:
        made, i = "", 0
        while i < len(value):
            pair = value[i : i + 2]
            made += back.get(pair, value[i])
            i += 2 if pair in back else 1
        return made

    lines = text_lines(rows)
    assert lines.endswith("\n")
    assert [[plain(v) for v in line.split("\t")] for line in lines[:-1].split("\n")] == rows
