"""OKOF, the all-Russian classifier of fixed assets (OK 013-2014 and OK 013-94), from 1C's `okof.xml` -> a hierarchical catalog.

Depreciation groups are those of the Government's decree 1 of 01.01.2002. A check digit that does not fit is the source's error, a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from classifiers.catalog_target import into_catalog
from classifiers.envelope import OKOF as OKOF_ENVELOPE
from classifiers.envelope import EnvelopeReader, Group, classifier_in, envelope_of
from classifiers.kind import ClassifierKind, Format, Item, Row
from classifiers.reading import only
from classifiers.recognise import XML_STARTS, members_where
from classifiers.source import Member
from classifiers.text import shown
from infobase.i18n import Bilingual

NAME_LENGTH = 500
NOTE_LENGTH = 500
OLD_CODE = re.compile(r"(\d{2}) ?(\d{7})", re.ASCII)
"""OK 013-94: nine digits, the first two apart in the published file."""


def okof_check_digit(code: str) -> int:
    """The check digit of OK 013-94: the sum of digits times their places 1, 2, 3 ... modulo 11; if that is 10, with weights from 3; if
    again 10, then 0 (OK 013-94, introduction)."""
    digits = [int(c) for c in code if c.isdigit()]
    for first in (1, 3):
        rest = sum(d * ((first + i - 1) % 10 + 1) for i, d in enumerate(digits)) % 11
        if rest < 10:
            return rest
    return 0


class OkofFile(EnvelopeReader):
    """The classifier as items; both editions are in one file, each under its own root."""

    def items(self) -> Iterator[Item]:
        seen: set[str] = set()
        for group in self.groups():
            if classifier_in(self.type_id, self.member.head) != OKOF_ENVELOPE:
                given = shown(self.type_id or "ЕНАОФ")
                ru = f"это «{given}», а не ОКОФ (или кодировка указана неверно)"
                en = f"this is {given!r}, not OKOF (or a wrong code page is stated)"
                raise self.wrong("classifier-type-id", ru, en)
            self.demand_new(seen, group.code, "code")
            yield self._item(group)

    def _item(self, group: Group) -> Item:
        self._check_digit(group)
        groups = [self._amort(group.code, e.values) for e in group.extras if e.name == "amort-group"]
        values: Row = {
            "Description": self.text("desc", group.description or group.code, NAME_LENGTH, group.code),
            "Edition": group.root,
            "CheckDigit": group.check_digit[:2],
            "DepreciationGroups": ", ".join(dict.fromkeys(str(r["GroupNumber"]) for r in groups)),
            "Closed": False,
        }
        return Item(group.code, values, {"DepreciationGroupNotes": groups}, group.parent)

    def _amort(self, code: str, values: dict[str, str] | object) -> Row:
        assert isinstance(values, dict)
        number = values.get("group-no", "").strip()
        if not re.fullmatch(r"0?[1-9]|10", number, re.ASCII):
            ru, en = f"«{shown(number)}»: нужна группа 1..10", f"{shown(number)!r}: a group of 1..10 is needed"
            raise self.wrong("group-no", ru, en, code)
        return {"GroupNumber": number.lstrip("0"), "Note": self.text("note", values.get("note", ""), NOTE_LENGTH, code)}

    def _check_digit(self, group: Group) -> None:
        if not OLD_CODE.fullmatch(group.code):
            return
        if not group.check_digit.isdigit() or int(group.check_digit) != okof_check_digit(group.code):
            self.warn(group.code, "chk-digit", group.check_digit, "контрольное число неверно", "wrong check digit")


def _is_okof(member: Member) -> bool:
    return envelope_of(member) == OKOF_ENVELOPE


def _open(members: Sequence[Member], _: object) -> OkofFile:
    return OkofFile(only(members))


OKOF = ClassifierKind(
    name="okof",
    title=Bilingual("ОКОФ: основные фонды", "OKOF: fixed assets"),
    bring=Bilingual(
        "okof.xml из папки шаблона конфигурации 1С (находится сам: classifier load okof CONN)",
        "okof.xml from the folder of a 1C configuration template (found by itself: classifier load okof CONN)",
    ),
    published="https://releases.1c.ru/",
    formats=(Format("1C XML", members_where(_is_okof), _open, XML_STARTS),),
    target="Catalog",
    write=into_catalog,
    fields=("Description", "Edition", "CheckDigit", "DepreciationGroups", "Closed"),
    sections={"DepreciationGroupNotes": ("GroupNumber", "Note")},
    template_file="okof.xml",
)
