"""Classifiers in Excel workbooks: the same records as in the CSV, cells named in messages, damage and bombs refused."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from tests.classifiers.helpers import kind_of, put, read, refusal, zipped

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OKVED = [
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
    path = write_xlsx(tmp_path / "okved.xlsx", [*OKVED])
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


def test_damaged_workbooks_and_bombs(tmp_path: Path) -> None:
    good = write_xlsx(tmp_path / "a.xlsx", [*OKVED])
    assert refusal("okved2", put(tmp_path, "cut.xlsx", good.read_bytes()[:-200]))
    assert refusal("okved2", put(tmp_path, "old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600))
    assert "DOCTYPE" in refusal("okved2", write_xlsx(tmp_path / "d.xlsx", [*OKVED], "<!DOCTYPE a>"))
    assert "размер" in refusal("okved2", write_xlsx(tmp_path / "b.xlsx", [*OKVED], " " * (9 * 1024 * 1024)))
