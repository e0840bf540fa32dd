"""The envelope 1C ships classifiers of fixed assets in (`okof.xml`, `enaof.xml`), read as a stream.

    <classifier xmlns="urn:uuid:be515360-..." classifier-type-id="#ОКОФ">
      <legal-ref> issued-by, class, name, number, issue-date, in-effect-from </legal-ref>
      <additional-packages> the types of the extra properties of this very classifier, as an XDTO package </additional-packages>
      <data item-count="12830"> nested <group code="100.00.00.00    " chk-digit="0"><desc>...</desc> extra properties <group>...

`item-count` is for progress bars only: in the published file it is one more than there are groups. Every element of the envelope's own
namespace with a `code` is a record, whatever its tag; other elements below it are its extra properties, kept as a bag under both their names (local name, and the
property's Russian name in the package).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lxml import etree

from classifiers.reading import Reading
from classifiers.recognise import head_text, xml_root
from classifiers.source import Member, refused
from classifiers.text import shown
from classifiers.xml_stream import Step, local, release, xml_steps

ROOT = "classifier"
CODE_LENGTH = 20
_EXPORTED = re.compile(r"время выгрузки:\s*(\d{2}\.\d{2}\.\d{4})")
_OWN = frozenset({"code", "chk-digit", "desc", "type"})


@dataclass(frozen=True, slots=True)
class Extra:
    """One extra property of a record: element or attribute name -> text, in the order of the file; the element itself under its own name."""

    name: str
    values: Mapping[str, str]


@dataclass(slots=True)
class Group:
    """One record. `parent`: code of the enclosing one; `root`: of the outermost, the edition's own record."""

    code: str
    parent: str
    root: str
    check_digit: str
    description: str = ""
    extras: list[Extra] = field(default_factory=list)


class EnvelopeReader(Reading):
    """One pass over one file. `type_id` is known from the first record on."""

    def __init__(self, member: Member) -> None:
        super().__init__(member)
        self.type_id = ""
        self.declared = 0
        self.names: dict[str, str] = {}
        """Local name -> the property's Russian name, from additional-packages."""
        self._own = ""
        self._legal: dict[str, str] = {}
        self._open: list[tuple[etree._Element, Group, bool]] = []

    def groups(self) -> Iterator[Group]:
        """The records, parents before children. ClassifierInvalid."""
        inside = False
        for step in xml_steps(self):
            if step.depth == 0:
                self._root(step)
            elif step.depth == 1 and step.name == "data":
                inside = step.opened
                if inside:
                    self._data(step)
            elif inside:
                yield from self._step(step)
            elif not step.opened and step.depth == 1:
                self._head(step)
        self.demand_records()

    def version_date(self) -> dt.date:
        """In effect from; else issued; else the day of the export, which stands in a comment."""
        for name in ("in-effect-from", "issue-date"):
            if self._legal.get(name):
                return self.day(name, self._legal[name][:10], "%Y-%m-%d")
        found = _EXPORTED.search(head_text(self.member.head))
        return self.day("-", found[1], "%d.%m.%Y") if found else super().version_date()

    def counts(self) -> Mapping[str, int]:
        return {"records": self.records, "declared": self.declared}

    # --- the head ---

    def _root(self, step: Step) -> None:
        if not step.opened:
            return
        if step.name != ROOT:
            ru, en = (
                f"корневой элемент {shown(step.name)}, нужен {ROOT}",
                f"root element {shown(step.name)}, {ROOT} is needed",
            )
            raise refused(self.member.place, ru, en)
        self.type_id = step.attributes().get("classifier-type-id", "")
        self._own = _namespace(step.element)

    def _head(self, step: Step) -> None:
        if step.name == "legal-ref":
            self._legal = {local(str(e.tag)): " ".join((e.text or "").split()) for e in step.element}
        elif step.name == "additional-packages":
            for e in step.element.iter("{*}property"):
                name, local_name = e.get("name", ""), e.get("localName", "")
                if name:
                    self.names[local_name or name] = name
        release(step.element)

    def _data(self, step: Step) -> None:
        count = step.attributes().get("item-count", "")
        self.declared = int(count) if count.isascii() and count.isdigit() and len(count) < 10 else 0

    # --- records ---

    def _step(self, step: Step) -> Iterator[Group]:
        if step.opened:
            code = step.attributes().get("code")
            if code is not None and _namespace(step.element) == self._own:
                yield from self._finish_parent()
                self._begin(step, code)
            return
        if self._open and self._open[-1][0] is step.element:
            _, group, given = self._open.pop()
            if not given:
                yield group
            release(step.element)
        elif self._open and step.element.getparent() is self._open[-1][0]:
            self._property(self._open[-1][1], step)

    def _finish_parent(self) -> Iterator[Group]:
        """A record is whole when the first of those below it begins: its own description and properties stand before them."""
        if self._open and not self._open[-1][2]:
            element, group, _ = self._open[-1]
            self._open[-1] = (element, group, True)
            yield group

    def _begin(self, step: Step, code: str) -> None:
        self.records += 1
        made = " ".join(code.split())
        if not made:
            raise self.wrong("code", "не заполнено", "is empty")
        if len(made) > CODE_LENGTH:
            raise self.wrong(
                "code", f"«{shown(made)}»: длиннее {CODE_LENGTH}", f"{shown(made)!r}: longer than {CODE_LENGTH}"
            )
        parent = self._open[-1][1].code if self._open else ""
        root = self._open[0][1].code if self._open else made
        group = Group(made, parent, root, step.attributes().get("chk-digit", "").strip())
        own = {n: v for n, v in step.attributes().items() if n not in _OWN}
        group.extras += (Extra(n, {n: v}) for n, v in own.items())
        self._open.append((step.element, group, False))

    def _property(self, group: Group, step: Step) -> None:
        if step.name == "desc":
            group.description = step.text()
            return
        values = {n: v for n, v in step.attributes().items() if n != "type"}
        if step.text():
            values[step.name] = step.text()
        for child in step.element.iter():
            if child is not step.element and (child.text or "").strip():
                values[local(str(child.tag))] = " ".join(str(child.text).split())
        if self._open[-1][2]:
            raise self.wrong(
                step.name, "свойство стоит после подчинённых групп", "a property after the groups below", group.code
            )
        group.extras.append(Extra(step.name, values))


def _namespace(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[0]


def type_id_of(member: Member) -> str | None:
    """The `classifier-type-id` of an envelope, None for anything else."""
    root = xml_root(member.head)
    if root is None or root.name != ROOT:
        return None
    return root.attributes.get("classifier-type-id", "")


OKOF, ENAOF = "okof", "enaof"
_OKOF_IDS = ("окоф", "okof")
_OKOF_CODE = re.compile(r"""\bcode=["'](?:\d{3}(?:\.\d{2}){3}|\d{2} \d{7}|ОК 013-\d+)\s*["']""")
_OKOF_NAMES = ("amort-group", "group-no", "амортизационныегруппы", "амортизационнаягруппа")
_ENAOF_NAMES = re.compile(
    r"нормаамортизац|нормыамортизац|процентотстоимости|\bamort(?:ization)?-?rate\b|\bcost-?percent\b"
)


def classifier_in(type_id: str, head: bytes) -> str:
    """Which classifier an envelope holds: OKOF or ENAOF. Its id says so; any other id is ENAOF's, for no third one is published in it.

    Without an id what differs tells: the names of the properties of either (rates; depreciation groups), the codes of OKOF, then its check
    digits that are not all zero. `head`: the beginning of the file."""
    stated = type_id.casefold().strip("# ")
    if stated:
        return OKOF if stated.startswith(_OKOF_IDS) else ENAOF
    written = head_text(head)
    lowered = written.casefold()
    if _ENAOF_NAMES.search(lowered):
        return ENAOF
    if any(name in lowered for name in _OKOF_NAMES) or _OKOF_CODE.search(written):
        return OKOF
    return OKOF if re.search(r"""chk-digit=["']0*[1-9]""", written) else ENAOF


def envelope_of(member: Member) -> str:
    """The same of a member; "" for what is no envelope at all."""
    type_id = type_id_of(member)
    return "" if type_id is None else classifier_in(type_id, member.head)
