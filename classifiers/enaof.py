"""ENAOF, the uniform depreciation rates of fixed assets (decree 1072 of 22.10.1990), from 1C's `enaof.xml` -> a hierarchical catalog.

The file is 1C's classifier envelope with attributes of its own: the yearly rate in percent, and, for vehicles, percent of the machine's price
per 1000 km. They are told by their names, in the file or in its `additional-packages`; every other property is kept in `Extra` as JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_UP, Decimal

from classifiers.catalog_target import into_catalog
from classifiers.envelope import ENAOF as ENAOF_ENVELOPE
from classifiers.envelope import EnvelopeReader, Group, classifier_in, envelope_of
from classifiers.kind import ClassifierKind, Format, Item
from classifiers.reading import only
from classifiers.recognise import XML_STARTS, members_where
from classifiers.source import Member
from infobase.i18n import Bilingual
from infobase.metadata.types import Value

NAME_LENGTH = 500
PERCENT_WORDS = ("процент", "percent", "машин", "1000", "mileage", "пробег", "cost")
TEXT_WORDS = ("note", "примечан", "group", "групп", "name", "наимен", "code", "код")
RATE_WORDS = ("норма", "norm", "rate", "амортиз", "amort")
_UNIT = Decimal("0.0001")


class EnaofFile(EnvelopeReader):
    """The rates as items."""

    def items(self) -> Iterator[Item]:
        seen: set[str] = set()
        for group in self.groups():
            if classifier_in(self.type_id, self.member.head) != ENAOF_ENVELOPE:
                raise self.wrong("classifier-type-id", "это ОКОФ, а не ЕНАОФ", "this is OKOF, not ENAOF")
            self.demand_new(seen, group.code, "code")
            yield self._item(group)

    def _item(self, group: Group) -> Item:
        values: dict[str, Value] = {
            "Description": self.text("desc", group.description or group.code, NAME_LENGTH, group.code),
            "Rate": Decimal(0).quantize(_UNIT),
            "PercentOfCost": Decimal(0).quantize(_UNIT),
            "Extra": "",
            "Closed": False,
        }
        rest: dict[str, list[str]] = {}
        for extra in group.extras:
            for name, written in extra.values.items():
                field = self._field(name, extra.name, written)
                if field:
                    number = self.number(name, written.strip().removesuffix("%"), group.code)
                    values[field] = number.quantize(_UNIT, ROUND_HALF_UP)
                else:
                    rest.setdefault(self.names.get(name, name), []).append(written)
        if rest:
            values["Extra"] = json.dumps(rest, ensure_ascii=False, sort_keys=True)
        return Item(group.code, values, parent=group.parent)

    def _field(self, name: str, element: str, written: str) -> str:
        """Which of our numbers a property is, "" for none of them. Its own name decides; a plain one ("value") has the meaning of its
        element, if it is a number at all."""
        own = _meaning(f"{name} {self.names.get(name, '')}")
        if own or not written.strip():
            return own if written.strip() else ""
        looks = re.fullmatch(r"\s*\d+([.,]\d+)?\s*%?\s*", written) is not None
        return _meaning(f"{element} {self.names.get(element, '')}") if looks else ""


def _meaning(said: str) -> str:
    said = said.casefold()
    if any(word in said for word in TEXT_WORDS):
        return ""
    if any(word in said for word in PERCENT_WORDS):
        return "PercentOfCost"
    return "Rate" if any(word in said for word in RATE_WORDS) else ""


def _is_enaof(member: Member) -> bool:
    return envelope_of(member) == ENAOF_ENVELOPE


def _open(members: Sequence[Member], _: object) -> EnaofFile:
    return EnaofFile(only(members))


ENAOF = ClassifierKind(
    name="enaof",
    title=Bilingual("ЕНАОФ: единые нормы амортизационных отчислений", "ENAOF: uniform depreciation rates"),
    bring=Bilingual(
        "enaof.xml из папки шаблона конфигурации 1С (находится сам: classifier load enaof CONN)",
        "enaof.xml from the folder of a 1C configuration template (found by itself: classifier load enaof CONN)",
    ),
    published="https://releases.1c.ru/",
    formats=(Format("1C XML", members_where(_is_enaof), _open, XML_STARTS),),
    target="Catalog",
    write=into_catalog,
    fields=("Description", "Rate", "PercentOfCost", "Extra", "Closed"),
    template_file="enaof.xml",
)
