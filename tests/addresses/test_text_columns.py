"""Blocks of columns of texts mean the same rows whichever way an engine takes them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from classifiers.dbf import _regions
from engine_server.bulk import block_lines, text_lines
from infobase.text_columns import Constant, Repeated, TextColumns, interlaced

TEXTS = st.text(alphabet="аяё8 \t\n\r\\", max_size=4)


@st.composite
def blocks(draw: st.DrawFn) -> TextColumns:
    """Plain columns, constants, and repeated ones, some of which share their keys."""
    count = draw(st.integers(1, 6))
    shared = draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))
    columns: list[list[str] | Constant | Repeated] = []
    for kind in draw(st.lists(st.sampled_from(("plain", "constant", "shared", "own")), min_size=1, max_size=7)):
        if kind == "plain":
            columns.append(draw(st.lists(TEXTS, min_size=count, max_size=count)))
        elif kind == "constant":
            columns.append(Constant(draw(TEXTS), count))
        else:
            keys = shared if kind == "shared" else list(shared)
            columns.append(Repeated(keys, {key: draw(TEXTS) for key in set(keys)}))
    return columns


@given(blocks())
def test_a_block_is_copied_as_its_rows_are(columns: TextColumns) -> None:
    rows = [tuple(row) for row in zip(*columns, strict=True)]
    assert block_lines(columns) == text_lines(rows)
    assert interlaced(columns) == [value for row in rows for value in row]


@given(blocks(), st.integers(-7, 7))
def test_columns_are_read_as_lists_are(columns: TextColumns, start: int) -> None:
    for column in columns:
        assert column[start:] == list(column)[start:]
        assert column[-1] == list(column)[-1]
        assert len(column) == len(list(column))


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(("01", "02", "12"))), max_size=60))
def test_records_are_counted_by_region(records: list[tuple[bool, str]]) -> None:
    kept = bytes(live for live, _ in records)
    codes = "".join(code for _, code in records).encode()
    wanted = [code for live, code in records if live]
    assert _regions(kept, codes[::2], codes[1::2]) == {code: wanted.count(code) for code in set(wanted)}


def test_no_rows_are_no_lines() -> None:
    assert block_lines([[], []]) == "" == block_lines([])
