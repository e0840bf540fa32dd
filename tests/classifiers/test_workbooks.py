"""Classifiers in Excel workbooks: the same records as in the CSV, cells named in messages, damage and bombs refused."""

from __future__ import annotations

import struct
import zipfile
from contextlib import ExitStack
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from python_calamine import CalamineWorkbook

from classifiers.reading import column_letters
from classifiers.workbook import Limits, workbook_members
from infobase.errors import ClassifierInvalid
from tests.classifiers.helpers import OKOF_XML, kind_of, put, read, refusal, zipped

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OKVED: list[list[str | float]] = [
    ["Раздел", "Код", "Наименование"],
    ["A", "", "СЕЛЬСКОЕ ХОЗЯЙСТВО"],
    ["A", "01", "Растениеводство"],
    ["A", "01.1", "Однолетние"],
]


def write_xlsx(path: Path, rows: list[list[str | float]], padding: str = "") -> Path:
    """A workbook of one sheet: texts inline, numbers as numbers; a date is a number with the style 1."""

    def cell(value: str | float) -> str:
        if isinstance(value, str):
            return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'
        return f'<c s="1"><v>{value}</v></c>' if value > 40000 else f"<c><v>{value}</v></c>"

    sheet = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
    return zipped(
        path,
        {
            "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>',
            "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r1" Type="{_LINKS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
            "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_LINKS}"><sheets><sheet name="Лист" sheetId="1" r:id="r1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r1" Type="{_LINKS}/worksheet" Target="worksheets/sheet1.xml"/>'
            f'<Relationship Id="r2" Type="{_LINKS}/styles" Target="styles.xml"/></Relationships>',
            "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>',
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{_MAIN}"><sheetData>{sheet}</sheetData>{padding}</worksheet>',
        },
    )


def test_okved_from_a_workbook(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "okved.xlsx", [[*r] for r in OKVED])
    assert kind_of(path) == "okved2"
    assert [(i.code, i.parent) for i in read("okved2", path)[1]] == [("A", ""), ("01", "A"), ("01.1", "01")]


@pytest.mark.parametrize("damaged", [40848.0, 1.1, "01.11.2011"])
def test_codes_spoiled_in_a_workbook_are_refused_by_cell(tmp_path: Path, damaged: str | float) -> None:
    path = write_xlsx(tmp_path / "okved.xlsx", [*OKVED, ["A", damaged, "Испорченный код"]])
    message = refusal("okved2", path)
    assert "ячейка B5" in message
    assert "Лист" in message


def test_numbers_as_numbers_in_other_tables(tmp_path: Path) -> None:
    units: list[list[str | float]] = [
        ["Код", "Наименование", "Символ", "Symbol"],
        [6.0, "Метр", "", "м"],
        [796.0, "Штука", "", "шт"],
    ]
    _, items = read("okei", write_xlsx(tmp_path / "okei.xlsx", units))
    assert [(i.code, i.initial["Description"]) for i in items] == [("006", "м"), ("796", "шт")]


HEADERS = {
    "okei": ["Примечание", "Наименование", "Код", "Символ"],
    "okv": ["Наименование", "Буквенный код", "Цифровой код"],
    "oksm": ["Наименование", "Полное наименование", "Альфа-2", "Альфа-3", "Код"],
    "okopf": ["Наименование", "Код"],
}
FAULTS: list[tuple[str, list[list[str]], str]] = [
    ("okei", [["", "Метр", "006", "м"], ["", "Штука", "7O6", "шт"]], "ячейка C4, поле Code"),
    ("okei", [["", "Метр", "006", "м"], ["", "", "796", "шт"]], "ячейка B4, 796, поле Name"),
    ("okv", [["Доллар США", "USD", "840"], ["Евро", "EUR", "97B"]], "ячейка C4, EUR, поле Code"),
    ("okv", [["Доллар США", "USD", "840"], ["Евро", "E1R", "978"]], "ячейка B4, 978, поле AlphabeticCode"),
    ("oksm", [["РОССИЯ", "", "RU", "RUS", "643"], ["АЛБАНИЯ", "", "AL", "ALB1", "008"]], "ячейка D4, 008, поле Alpha3"),
    ("oksm", [["РОССИЯ", "", "RU", "RUS", "643"], ["АЛБАНИЯ", "", "AL", "ALB", "OO8"]], "ячейка E4, поле Code"),
    ("okopf", [["Общества", "12200"], ["ПАО", "1224X"]], "ячейка B4, поле Code"),
    ("okopf", [["Общества", "12200"], ["", "12247"]], "ячейка A4, 12247, поле Name"),
]


@pytest.mark.parametrize(("kind", "rows", "expected"), FAULTS)
def test_a_fault_is_named_with_its_real_cell(tmp_path: Path, kind: str, rows: list[list[str]], expected: str) -> None:
    """The third row is blank: the fault is in the fourth, as a spreadsheet shows it."""
    table: list[list[str | float]] = [[*HEADERS[kind]], [*rows[0]], [""], [*rows[1]]]
    for path in (
        write_xlsx(tmp_path / "a.xlsx", table),
        write_ods(tmp_path / "a.ods", [[str(c) for c in r] for r in table]),
    ):
        assert expected in refusal(kind, path)


def test_cells_of_tables_without_a_header(tmp_path: Path) -> None:
    activities = write_xlsx(
        tmp_path / "okved.xlsx", [["A", "СЕЛЬСКОЕ ХОЗЯЙСТВО"], ["01", "Растениеводство"], ["1.1", "x"]]
    )
    assert "ячейка A3" in refusal("okved2", activities)
    assert "ячейка A2, поле Section" in refusal("okved2", write_xlsx(tmp_path / "s.xlsx", [OKVED[1], ["Ю", "01", "x"]]))
    countries = [["1", "643", "РОССИЯ", "", "RU", "RUS"], ["2", "008", "", "", "AL", "ALB"]]
    assert "ячейка C2" in refusal("oksm", write_xlsx(tmp_path / "c.xlsx", [[*r] for r in countries]))
    months: list[str | float] = ["2024", *(["1,2,7"] * 11), "1,2,32"]
    assert "ячейка M1" in refusal("calendar", write_xlsx(tmp_path / "k.xlsx", [months]))
    assert [column_letters(i) for i in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]


def test_damaged_workbooks_and_bombs(tmp_path: Path) -> None:
    good = write_xlsx(tmp_path / "a.xlsx", [[*r] for r in OKVED])
    assert refusal("okved2", put(tmp_path, "cut.xlsx", good.read_bytes()[:-200]))
    assert refusal("okved2", put(tmp_path, "old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600))
    assert "DOCTYPE" in refusal("okved2", write_xlsx(tmp_path / "d.xlsx", [[*r] for r in OKVED], "<!DOCTYPE a>"))
    assert "размер" in refusal(
        "okved2", write_xlsx(tmp_path / "b.xlsx", [[*r] for r in OKVED], " " * (9 * 1024 * 1024))
    )


def write_ods(
    path: Path, rows: list[list[str]], mimetype: str = "application/vnd.oasis.opendocument.spreadsheet"
) -> Path:
    """An OpenDocument workbook of one sheet of texts."""
    names = "urn:oasis:names:tc:opendocument:xmlns"
    cells = "".join(
        "<table:table-row>"
        + "".join(
            f'<table:table-cell office:value-type="string"><text:p>{escape(c)}</text:p></table:table-cell>' for c in row
        )
        + "</table:table-row>"
        for row in rows
    )
    return zipped(
        path,
        {
            "mimetype": mimetype,
            "META-INF/manifest.xml": f'<manifest:manifest xmlns:manifest="{names}:manifest:1.0"/>',
            "content.xml": f'<office:document-content xmlns:office="{names}:office:1.0" xmlns:table="{names}:table:1.0" xmlns:text="{names}:text:1.0"><office:body>'
            f'<office:spreadsheet><table:table table:name="Лист">{cells}</table:table></office:spreadsheet></office:body></office:document-content>',
        },
    )


def test_okved_from_an_open_document(tmp_path: Path) -> None:
    path = write_ods(tmp_path / "okved.ods", [[str(c) for c in row] for row in OKVED])
    assert kind_of(path) == "okved2"
    assert [i.code for i in read("okved2", path)[1]] == ["A", "01", "01.1"]


@pytest.mark.parametrize("name", ["content.xml", "xl/workbook.xml", "xl/workbook.bin"])
def test_a_classifier_under_the_name_of_a_part_of_a_workbook_is_no_workbook(tmp_path: Path, name: str) -> None:
    for beside in ({}, {"mimetype": "text/xml"}):
        path = zipped(tmp_path / "a.zip", {name: OKOF_XML, **beside})
        assert kind_of(path) == "okof"
        assert len(read("okof", path)[1]) == 6


@pytest.mark.parametrize("corner", ["XFD1048576", "A99999999999", "ZZZZZZZZ1"])
def test_a_sheet_of_boundless_size_is_refused_before_it_is_read(tmp_path: Path, corner: str) -> None:
    far = f'<sheetData><row><c r="A1"><v>1</v></c></row><row><c r="{corner}"><v>1</v></c></row></sheetData>'
    assert "слишком велик" in refusal("okved2", write_xlsx(tmp_path / "a.xlsx", [[*r] for r in OKVED], far))


def test_what_makes_the_reader_panic_is_a_damaged_workbook(tmp_path: Path) -> None:
    """An xlsb whose sheet states its size in three bytes instead of sixteen: an error that is no Exception to Python."""
    book = bytes.fromhex("8301008f01009c011600000000010000000200000072003100010000005300900100840100")
    link = f'<Relationship Id="r1" Type="{_LINKS}/worksheet" Target="worksheets/sheet1.bin"/>'
    path = zipped(
        tmp_path / "a.xlsb",
        {
            "[Content_Types].xml": "<Types/>",
            "xl/workbook.bin": book,
            "xl/_rels/workbook.bin.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">{link}</Relationships>',
            "xl/worksheets/sheet1.bin": bytes.fromhex("8101009401030000009101000000920100"),
        },
    )
    with pytest.raises(BaseException) as caught:
        CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()
    assert not isinstance(caught.value, Exception)
    assert "повреждена" in refusal("okved2", path)


# --- what a crafted file does happens in a process of its own


def write_xls(path: Path, cells: list[tuple[int, int, str]], cut: int = 0) -> Path:
    """A workbook of Excel 97 in its compound file: one sheet of texts at (row, column). `cut`: bytes left out at the end."""

    def record(kind: int, body: bytes) -> bytes:
        return struct.pack("<HH", kind, len(body)) + body

    def label(row: int, column: int, value: str) -> bytes:
        text = struct.pack("<HB", len(value), 1) + value.encode("utf-16-le")
        return record(0x0204, struct.pack("<HHH", row, column, 0) + text)

    globe = record(0x0809, struct.pack("<HHHHII", 0x0600, 5, 0, 0, 0, 0))
    name = struct.pack("<BB", 4, 1) + "Лист".encode("utf-16-le")
    at = len(globe) + 4 + 6 + len(name) + 4
    book = globe + record(0x0085, struct.pack("<IBB", at, 0, 0) + name) + record(0x000A, b"")
    book += record(0x0809, struct.pack("<HHHHII", 0x0600, 0x10, 0, 0, 0, 0))
    book += b"".join(label(*cell) for cell in cells) + record(0x000A, b"")
    book = book.ljust(max(4096, -(-len(book) // 512) * 512), b"\0")
    sectors = len(book) // 512
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    head += struct.pack("<IIIIIIIII", 0, 1, sectors + 1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
    head += struct.pack("<I", sectors) + b"\xff" * (4 * 108)
    fat = [*range(1, sectors), 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFE]

    def entry(called: str, kind: int, child: int, start: int, size: int) -> bytes:
        raw = called.encode("utf-16-le").ljust(64, b"\0") + struct.pack("<HBB", len(called) * 2 + 2, kind, 1)
        return raw + struct.pack("<III", 0xFFFFFFFF, 0xFFFFFFFF, child) + bytes(36) + struct.pack("<IQ", start, size)

    directory = entry("Root Entry", 5, 1, 0xFFFFFFFE, 0) + entry("Workbook", 2, 0xFFFFFFFF, 0, len(book)) + bytes(256)
    table = b"".join(struct.pack("<I", f) for f in fat).ljust(512, b"\xff")
    whole = head + book + table + directory
    path.write_bytes(whole[: len(whole) - cut])
    return path


ACTIVITIES = [(row, column, str(cell)) for row, line in enumerate(OKVED) for column, cell in enumerate(line)]


def test_a_workbook_of_excel_97(tmp_path: Path) -> None:
    path = write_xls(tmp_path / "okved.xls", ACTIVITIES)
    assert kind_of(path) == "okved2"
    assert [i.code for i in read("okved2", path)[1]] == ["A", "01", "01.1"]


@pytest.mark.parametrize("corner", [(65535, 255), (65535, 65535)])
def test_a_workbook_of_excel_97_of_boundless_size(tmp_path: Path, corner: tuple[int, int]) -> None:
    """The library makes room for every cell up to the last one: for the second corner 100 GB."""
    message = refusal("okved2", write_xls(tmp_path / "a.xls", [*ACTIVITIES, (*corner, "x")]))
    assert "слишком велик" in message or "больше 768 МБ памяти" in message


@pytest.mark.parametrize("cut", [100, 600, 1500, 4000])
def test_a_workbook_of_excel_97_cut_short(tmp_path: Path, cut: int) -> None:
    assert refusal("okved2", write_xls(tmp_path / "a.xls", ACTIVITIES, cut))


def test_dimensions_that_lie_are_not_believed(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", [[*r] for r in OKVED], '<dimension ref="A1:XFD1048576"/>')
    assert [i.code for i in read("okved2", path)[1]] == ["A", "01", "01.1"]


def test_a_row_repeated_a_thousand_million_times(tmp_path: Path) -> None:
    path = write_ods(tmp_path / "a.ods", [["A", "01", "x"]])
    endless = zipped(
        tmp_path / "b.ods",
        _with(path, "content.xml", "table-row>", 'table-row table:number-rows-repeated="1000000000">'),
    )
    assert "слишком велик" in refusal("okved2", endless)
    wide = _with(
        path, "content.xml", "table-cell office", 'table-cell table:number-columns-repeated="1000000000" office'
    )
    assert [i.code for i in read("okved2", zipped(tmp_path / "c.ods", wide))[1]] == ["A"]  # as many as a sheet may have


def _with(path: Path, part: str, find: str, put_: str) -> dict[str, str | bytes]:
    """The parts of a zip, with the first such text in one of them replaced."""
    with zipfile.ZipFile(path) as archive:
        made: dict[str, str | bytes] = {name: archive.read(name) for name in archive.namelist()}
    body = made[part]
    assert isinstance(body, bytes)
    assert find.encode() in body
    return {**made, part: body.replace(find.encode(), put_.encode(), 1)}


def test_a_document_type_between_two_pieces_and_in_utf_16(tmp_path: Path) -> None:
    good = write_xlsx(tmp_path / "a.xlsx", [[*r] for r in OKVED])
    sheet = "xl/worksheets/sheet1.xml"
    for before in (1024 * 1024 - 5, 1024 * 1024 - 9):
        noise = "".join(chr(0x4E00 + i * 7919 % 20000) for i in range(before // 3)) + "x" * (before % 3)
        parts = _with(good, sheet, "<worksheet", f"{noise}<!DOCTYPE a><worksheet")
        assert "DOCTYPE" in refusal("okved2", zipped(tmp_path / "b.xlsx", parts))
    parts = _with(good, sheet, "<worksheet", "<!DOCTYPE a><worksheet")
    body = parts[sheet]
    assert isinstance(body, bytes)
    parts[sheet] = body.decode().encode("utf-16")
    assert "DOCTYPE" in refusal("okved2", zipped(tmp_path / "c.xlsx", parts))


def _limited(path: Path, limits: Limits) -> str:
    with ExitStack() as stack, path.open("rb") as file, pytest.raises(ClassifierInvalid) as caught:
        workbook_members(file, path, path.name, stack, limits)
    return str(caught.value.fields["detail"].ru)  # type: ignore[attr-defined]


def test_the_reader_has_limits_of_memory_and_time(tmp_path: Path) -> None:
    rows: list[list[str | float]] = [[f"{i}.{j}" for j in range(20)] for i in range(8_000)]
    path = write_xlsx(tmp_path / "a.xlsx", rows)
    assert "памяти" in _limited(path, Limits(memory=32 * 1024 * 1024))
    assert "за отведённое время (0.05 с)" in _limited(path, Limits(seconds=0.05))
    assert _limited(path, Limits(cpu_seconds=0))
    with ExitStack() as stack, path.open("rb") as file:
        [sheet] = workbook_members(file, path, path.name, stack)
        assert sheet.read().count(b"\n") == 8_000


def test_a_row_of_endless_text_is_refused_with_its_place(tmp_path: Path) -> None:
    wide: list[list[str | float]] = [[*OKVED[1]], ["x" * 32_000] * 200]
    message = refusal("okved2", write_xlsx(tmp_path / "a.xlsx", wide))
    assert "слишком" in message or "размер" in message


# --- workbooks in archives


def test_a_workbook_in_an_archive_whatever_it_is_called(tmp_path: Path) -> None:
    books = {
        "okved.xlsx": write_xlsx(tmp_path / "a.xlsx", [[*r] for r in OKVED]).read_bytes(),
        "okved.bin": write_ods(tmp_path / "a.ods", [[str(c) for c in row] for row in OKVED]).read_bytes(),
        "OKVED.XLS": write_xls(tmp_path / "a.xls", ACTIVITIES).read_bytes(),
    }
    for name, body in books.items():
        flat = zipped(tmp_path / "flat.zip", {f"inner/{name}": body, "readme.txt": "прочти"})
        deep = zipped(tmp_path / "deep.zip", {"a.zip": flat.read_bytes()})
        for path in (flat, deep):
            assert kind_of(path) == "okved2"
            file, items = read("okved2", path)
            assert [i.code for i in items] == ["A", "01", "01.1"]
        put(tmp_path, "disk/x.zip", flat.read_bytes())
        assert kind_of(tmp_path / "disk") == "okved2"
    spoiled = write_xlsx(tmp_path / "s.xlsx", [*OKVED, ["A", "01.11.2011", "Испорчен"]]).read_bytes()
    message = refusal("okved2", zipped(tmp_path / "s.zip", {"book.xlsx": spoiled}))
    assert "s.zip!book.xlsx!Лист" in message
    assert "ячейка B5" in message


def test_bad_workbooks_in_archives(tmp_path: Path) -> None:
    whole = write_xlsx(tmp_path / "a.xlsx", [[*r] for r in OKVED]).read_bytes()
    assert "cut.xlsx" in refusal("okved2", zipped(tmp_path / "a.zip", {"cut.xlsx": whole[:-200]}))
    bomb = write_xlsx(tmp_path / "b.xlsx", [[*r] for r in OKVED], " " * (9 * 1024 * 1024)).read_bytes()
    assert "размер" in refusal("okved2", zipped(tmp_path / "b.zip", {"bomb.xlsx": bomb}))


def test_a_document_of_word_beside_a_classifier_is_no_workbook(tmp_path: Path) -> None:
    put(tmp_path, "disk/okof.xml", OKOF_XML)
    put(tmp_path, "disk/readme.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000))
    assert kind_of(tmp_path / "disk") == "okof"


def test_a_workbook_with_a_password_says_so(tmp_path: Path) -> None:
    body = write_xls(tmp_path / "a.xls", ACTIVITIES).read_bytes()
    path = put(tmp_path, "p.xlsx", body[:-128] + "EncryptedPackage".encode("utf-16-le") + body[-96:])
    assert "паролем" in refusal("okved2", path)
