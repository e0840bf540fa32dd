"""OKOPF, the all-Russian classifier of organizational and legal forms (OK 028-2012) -> a hierarchical catalog."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from classifiers.catalog_target import into_catalog
from classifiers.json_table import looks_like_json
from classifiers.kind import ClassifierKind, Format, Item
from classifiers.reading import Reading, date_in_name, only
from classifiers.recognise import XML_STARTS, members_where, xml_root
from classifiers.source import Member
from classifiers.tables import by_alias, first_rows, head_table, rows_of, simplified, xml_has
from infobase.i18n import Bilingual

COLUMNS: Mapping[str, Sequence[str]] = {
    "Code": ("Код", "Kod", "Код ОКОПФ", "KodOKOPF", "CodeOKOPF", "OKOPF"),
    "Name": (
        "Наименование",
        "Naim",
        "Naimenovanie",
        "Название",
        "Наименование ОКОПФ",
        "Name1",
        "Description",
        "Полное наименование",
        "FullName",
    ),
}
_CODE = re.compile(r"\d ?\d{2} ?\d{2}", re.ASCII)
NAME_LENGTH = 500


class LegalFormFile(Reading):
    """A table of code and name. A code has five digits, printed as `1 22 47`; the form above has zeros at the end."""

    def __init__(self, member: Member) -> None:
        super().__init__(member)
        self.version = date_in_name(member)

    def items(self) -> Iterator[Item]:
        made: dict[str, str] = {}
        for row in rows_of(self, COLUMNS, _positions):
            code = self.digits("Code", row.get("Code", "").replace(" ", ""), 5)
            self.demand_new_in(made, code)
            made[code] = self.text("Name", row.get("Name", ""), NAME_LENGTH, code, required=True)
        self.demand_records()
        for code, name in made.items():
            yield Item(code, {"Description": name, "Closed": False}, parent=_parent(code, made))

    def demand_new_in(self, made: Mapping[str, str], code: str) -> None:
        """Every code once."""
        self.demand_new(set(made), code)


def _parent(code: str, known: Mapping[str, str]) -> str:
    for kept in range(4, 0, -1):
        above = code[:kept].ljust(5, "0")
        if above != code and above in known:
            return above
    return ""


def _positions(rows: Sequence[Sequence[str]]) -> Mapping[str, int] | None:
    width = max((len(r) for r in rows), default=0)
    for i in range(width):
        codes = sum(bool(_CODE.fullmatch(r[i].strip())) for r in rows if i < len(r))
        if codes * 2 > len(rows) and i + 1 < width:
            return {"Code": i, "Name": i + 1}
    return None


def _are_forms(member: Member) -> bool:
    """Whether most records of an XML or a JSON have codes of legal forms and names."""
    rows = [r for r in first_rows(member, COLUMNS) if r.keys() >= {"Code", "Name"}]
    return sum(bool(_CODE.fullmatch(r["Code"])) for r in rows) * 2 > len(rows) > 0


def _is_okopf(member: Member) -> bool:
    root = xml_root(member.head)
    if root is not None:
        return (
            _are_forms(member)
            or "ОКОПФ" in root.rest.upper() + str(dict(root.attributes)).upper()
            or (root.name.upper() == "OKOPF" and xml_has(member, COLUMNS, ("Code", "Name")))
        )
    if looks_like_json(member.head):
        return _are_forms(member)
    rows = head_table(member)
    names = by_alias(COLUMNS)
    header = {names[simplified(c)] for c in rows[0] if simplified(c) in names} if rows else set()
    if header >= {"Code", "Name"}:
        at = next(i for i, c in enumerate(rows[0]) if names.get(simplified(c)) == "Code")
        return sum(bool(_CODE.fullmatch(r[at].strip())) for r in rows[1:] if at < len(r)) * 2 > len(rows) - 1 > 0
    return _positions(rows) is not None


OKOPF = ClassifierKind(
    name="okopf",
    title=Bilingual("ОКОПФ: организационно-правовые формы", "OKOPF: organizational and legal forms"),
    bring=Bilingual(
        "таблица CSV (код, наименование) из открытых данных Росстата или слово builtin: встроенный список",
        "a CSV table (code, name) of Rosstat's open data, or the word builtin: the list we bring",
    ),
    published="https://rosstat.gov.ru/opendata/7708234640-okopf",
    formats=(
        Format("OKOPF", members_where(_is_okopf), lambda members, _: LegalFormFile(only(members)), (*XML_STARTS, b"")),
    ),
    target="Catalog",
    write=into_catalog,
    fields=("Description", "Closed"),
    builtin="okopf-20250101.csv",
)
