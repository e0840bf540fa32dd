"""Lists between people: a selection taken out to hand on, and a foreign list taken in.

The `ID` says which entries are the same base. Merging the same list twice changes nothing.
"""

from __future__ import annotations

import copy
import math
import re
import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from infobase.connection_string import masked, parse
from infobase.errors import ConnectionStringInvalid
from infobase.list_model import MAX_NAME, ORDER_STEP, ROOT, BaseList, Section, clean_path, join, number

_NAMESPACE = uuid.UUID("6f1c7f0e-5b0f-4a57-9a53-1b0f6a1c0001")
"""IDs of entries that came without one follow from their name and place, so that a second merge knows them again."""
_OWN_KEYS = {"id", "folder", "orderinlist", "orderintree", "external"}
"""What an update leaves as the user of the list has it."""
_START_PASSWORD = re.compile(r'(?i)(?<!\S)/P(?!roxy)(?:"[^"]*"|\s+"[^"]*"|\S+|\s+(?!/)\S+)\s?')


@dataclass
class MergeReport:
    """Names, as they are in the list now. `renamed`: added under another name, because theirs was taken: theirs -> ours."""

    added: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)


class _Merge:
    """One merge into `ours`; everything looked up is indexed once."""

    def __init__(self, ours: BaseList, into: str, update: bool) -> None:
        self.ours, self.update = ours, update
        self.into = ours.add_group(into)
        self.report = MergeReport()
        self._ids = {s.id.casefold(): s for s in ours.sections if s.id}
        self._names = {s.name.casefold() for s in ours.bases}
        self._paths = {key: g.path for key, g in ours.paths().items()}
        self._groups = {g.path.casefold() for g in ours.groups}
        self._seen: set[str] = set()
        self._suffix: dict[str, int] = defaultdict(lambda: 1)
        self._tree_order: dict[str, float] = defaultdict(float)
        self._list_order = 0.0
        self._listed: list[tuple[float, Section]] = []
        for s in ours.sections:
            self._note_order(s)

    def _note_order(self, s: Section) -> None:
        in_tree, in_list, key = s.order("OrderInTree"), s.order("OrderInList"), s.folder.casefold()
        if math.isfinite(in_tree):
            self._tree_order[key] = max(self._tree_order[key], in_tree)
        if math.isfinite(in_list):
            self._list_order = max(self._list_order, in_list)

    def take(self, theirs: Section) -> None:
        if theirs.is_group:
            self._take_group(theirs)
        else:
            self._take_base(theirs)

    def _take_group(self, theirs: Section) -> None:
        path = join(self._moved(theirs.folder), theirs.name).casefold()
        if path in self._groups:
            return
        made = self._copy(theirs, theirs.name, self._free_id(theirs))
        self._groups.add(path)
        self._paths[path] = made.path
        self.report.groups.append(made.path)

    def _take_base(self, theirs: Section) -> None:
        key = self._id_of(theirs)
        self._seen.add(key)
        same = self._ids.get(key)
        if same is not None:
            self._meet(same, theirs)
            return
        name = self._free_name(theirs.name)
        self._ids[key] = self._copy(theirs, name, key)
        self._names.add(name.casefold())
        self.report.added.append(name)
        if name != theirs.name:
            self.report.renamed[theirs.name] = name

    def _meet(self, same: Section, theirs: Section) -> None:
        """An entry that is in both lists."""
        keys = {k.casefold(): k for k, _ in theirs.pairs() if k.casefold() not in _OWN_KEYS}
        changed = [(k, theirs.get(k)) for k in keys.values() if same.get(k) != theirs.get(k)]
        if not self.update or not changed or same.is_group:
            self.report.kept.append(same.name)
            return
        for key, value in changed:
            same.set(key, value)
        self.report.updated.append(same.name)

    def _id_of(self, theirs: Section) -> str:
        """Its ID; one made from name and place for an entry without, or with the ID of another entry of the same list."""
        given = theirs.id.casefold()
        if given and given not in self._seen:
            return given
        return str(uuid.uuid5(_NAMESPACE, f"{given}\n{theirs.name}\n{theirs.connect}"))

    def _free_id(self, theirs: Section) -> str:
        given = theirs.id.casefold()
        made = given if given and given not in self._ids else str(uuid.uuid4())
        self._ids[made] = theirs
        return made

    def _free_name(self, name: str) -> str:
        made = name
        while made.casefold() in self._names:
            self._suffix[name] += 1
            tail = f" ({self._suffix[name]})"
            made = name[: MAX_NAME - len(tail)] + tail
        return made

    def _copy(self, theirs: Section, name: str, key: str) -> Section:
        made = copy.deepcopy(theirs)
        if name != theirs.name:
            made.rename(name)
        folder = self._paths.get(self._moved(theirs.folder).casefold(), self._moved(theirs.folder))
        if made.id.casefold() != key:
            made.set("ID", key)
        made.set("Folder", folder)
        self._tree_order[folder.casefold()] += ORDER_STEP
        made.set("OrderInTree", number(self._tree_order[folder.casefold()]))
        if not made.is_group:
            self._listed.append((theirs.order("OrderInList"), made))
        self.ours.sections.append(made)
        return made

    def finish(self) -> MergeReport:
        """Put what was added into the flat order too, as it stood in their list, behind ours."""
        for _, made in sorted(self._listed, key=lambda pair: pair[0]):
            self._list_order += ORDER_STEP
            made.set("OrderInList", number(self._list_order))
        return self.report

    def _moved(self, path: str) -> str:
        return clean_path(f"{self.into}/{path}")


def merge(ours: BaseList, theirs: BaseList, *, into: str = ROOT, update: bool = False) -> MergeReport:
    """Take a foreign list into ours: what is missing is added behind what is there, into the group `into`; entries of both lists stay as
    ours has them, or take theirs' settings with `update` (not their place in the tree). Their lines are kept, known or not."""
    made = _Merge(ours, into, update)
    for node in theirs.tree():
        made.take(node.section)
    return made.finish()


def selection(bases: BaseList, place: Path, entries: Iterable[Section] = (), group: str = "") -> BaseList:
    """A list for others: the named entries and what lies in them, or all of it, with the groups above, without any password."""
    wanted = list(entries)
    if group:
        wanted.append(bases.entry(clean_path(group)))
    kept = {id(s) for s in (wanted or bases.sections)}
    for s in wanted:
        if s.is_group:
            kept |= {id(below) for below in bases.within(s)}
    paths = bases.paths()
    for s in [s for s in bases.sections if id(s) in kept]:
        while (above := paths.get(s.folder.casefold())) is not None and id(above) not in kept:
            kept.add(id(above))
            s = above
    return BaseList(place, [], [_without_passwords(s) for s in bases.sections if id(s) in kept])


def _without_passwords(section: Section) -> Section:
    made = copy.deepcopy(section)
    made.lines = [line for line in made.lines if line.partition("=")[0].strip().casefold() != "ppasswd"]
    if made.connect:
        made.set("Connect", _bare(made.connect))
    parameters = made.get("AdditionalParameters")
    if parameters != (bare := _START_PASSWORD.sub("", parameters)):
        made.set("AdditionalParameters", bare)
    return made


def _bare(connect: str) -> str:
    try:
        found = parse(connect)
    except ConnectionStringInvalid:
        return masked(connect)
    bare = found.without_secrets()
    return connect if bare == found else bare.format()
