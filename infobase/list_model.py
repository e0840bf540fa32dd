"""The list of infobases in memory: sections as they were read, groups, order, and the changes people make.

A section without `Connect` is a group; its own path is its `Folder`, "/" and its name. Lines of a section that a change does not concern keep
their exact text and place, known or not, because the platform and other tools keep settings of their own there.
"""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from infobase.connection_string import ConnectionString
from infobase.errors import ListInvalid
from infobase.i18n import text

MAX_NAME = 255
"""Characters in a name, as in 1C."""
ROOT = "/"
ORDER_STEP = 256
"""Between two neighbours, as the platform numbers them."""
_KEY = re.compile(r"\s*([^=\s][^=]*?)\s*=(.*)", re.DOTALL)


@dataclass
class Section:
    """One base or group: the exact lines below its header, and the header as it was read ("" for a new section)."""

    name: str
    lines: list[str] = field(default_factory=list)
    header: str = ""

    def get(self, key: str) -> str:
        """The value of a key in any case; "" when absent."""
        wanted = key.casefold()
        for line in self.lines:
            name, mark, value = line.partition("=")
            if mark and name.strip().casefold() == wanted:
                return value.strip()
        return ""

    def has(self, key: str) -> bool:
        return any(name.casefold() == key.casefold() for name, _ in self.pairs())

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Key and value of every line that is one."""
        for line in self.lines:
            found = _KEY.fullmatch(line)
            if found:
                yield found[1], found[2].strip()

    def set(self, key: str, value: str) -> None:
        """Change a key where it stands, or add it at the end; a second line of the same key goes."""
        at = [i for i, line in enumerate(self.lines) if line.partition("=")[0].strip().casefold() == key.casefold()]
        at = [i for i in at if "=" in self.lines[i]]
        if not at:
            self.lines.append(f"{key}={value}")
            return
        self.lines[at[0]] = f"{key}={value}"
        for i in reversed(at[1:]):
            del self.lines[i]

    def rename(self, name: str) -> None:
        self.name, self.header = name, ""

    @property
    def connect(self) -> str:
        return self.get("Connect")

    @property
    def id(self) -> str:
        return self.get("ID")

    @property
    def is_group(self) -> bool:
        return not self.has("Connect")

    @property
    def folder(self) -> str:
        """The path of the group it lies in, "/" at the root."""
        return clean_path(self.get("Folder"))

    @property
    def path(self) -> str:
        """Where it lies and its own name: the path of a group."""
        return join(self.folder, self.name)

    def order(self, key: str) -> float:
        """`OrderInList` or `OrderInTree`; infinity when unset (-1, absent, not a number)."""
        try:
            found = float(self.get(key))
        except ValueError:
            return math.inf
        return found if 0 <= found < math.inf else math.inf


def clean_path(written: str) -> str:
    """A group's path with one slash before each name: "a//b/" -> "/a/b"."""
    return ROOT + "/".join(part for part in written.split("/") if part.strip())


def join(folder: str, name: str) -> str:
    return f"{folder.rstrip('/')}/{name}"


@dataclass(frozen=True, slots=True)
class Node:
    """An entry as the tree shows it. `orphan`: its `Folder` names a group that is not there, so it is shown at the root."""

    section: Section
    depth: int
    orphan: bool


@dataclass
class BaseList:
    """The whole file: lines before the first section, then the sections."""

    place: Path
    head: list[str] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)

    # --- finding ---

    @property
    def bases(self) -> list[Section]:
        return [s for s in self.sections if not s.is_group]

    @property
    def groups(self) -> list[Section]:
        return [s for s in self.sections if s.is_group]

    def find(self, name: str) -> Section | None:
        """A base by name (exactly so, else without regard to case when only one fits) or by ID. ListInvalid when several have the name."""
        exact = [s for s in self.bases if s.name == name]
        if len(exact) == 1:
            return exact[0]
        if exact:
            ids = ", ".join(s.id or "-" for s in exact)
            ru = f"имя «{name}» носят несколько баз; укажите ID: {ids}"
            raise self.refuse(ru=ru, en=f"several bases have the name {name!r}; give an ID: {ids}")
        alike = [s for s in self.bases if s.name.casefold() == name.casefold()]
        if len(alike) == 1:
            return alike[0]
        known = [s for s in self.bases if s.id.casefold() == name.casefold()] if _is_id(name) else []
        return known[0] if known else None

    def find_group(self, path: str) -> Section | None:
        wanted = clean_path(path)
        exact = next((g for g in self.groups if g.path == wanted), None)
        return exact or next((g for g in self.groups if g.path.casefold() == wanted.casefold()), None)

    def paths(self) -> dict[str, Section]:
        """Path in lower case -> the first group of that path. A group without a name holds nothing."""
        return {g.path.casefold(): g for g in reversed(self.groups) if clean_path(g.path) == g.path != ROOT}

    def entry(self, name: str) -> Section:
        """A base by name or ID, or a group by its path (or its name, when no base and one group has it). ListInvalid."""
        found = None if name.startswith(ROOT) else self.find(name)
        found = found or self.find_group(name)
        alike = [g for g in self.groups if g.name.casefold() == name.casefold()]
        if found is None and len(alike) == 1:
            found = alike[0]
        if found is None:
            raise self.refuse(ru=f"нет базы или группы «{name}»", en=f"there is no base or group {name!r}")
        return found

    def tree(self) -> list[Node]:
        """Every section once, parents before their children, siblings in the order of `OrderInTree`, then of the file."""
        paths = self.paths()
        children: dict[int, list[Section]] = {}
        roots: list[tuple[Section, bool]] = []
        for s in self.sections:
            parent = paths.get(s.folder.casefold())
            if parent is not None:
                children.setdefault(id(parent), []).append(s)
            else:
                roots.append((s, s.folder != ROOT))
        made = []
        ordered = sorted(roots, key=lambda r: _tree_order(r[0]))
        waiting = [Node(s, 0, orphan) for s, orphan in reversed(ordered)]
        while waiting:
            node = waiting.pop()
            made.append(node)
            below = sorted(children.get(id(node.section), ()), key=_tree_order)
            waiting += [Node(s, node.depth + 1, False) for s in reversed(below)]
        return made

    def within(self, group: Section) -> list[Section]:
        """Everything below a group, at any depth, in the order of the file."""
        nodes = self.tree()
        at = next(i for i, n in enumerate(nodes) if n.section is group)
        below: set[int] = set()
        for node in nodes[at + 1 :]:
            if node.depth <= nodes[at].depth:
                break
            below.add(id(node.section))
        return [s for s in self.sections if id(s) in below]

    # --- adding ---

    def add(self, name: str, connection: ConnectionString, group: str = ROOT) -> Section:
        """Append a base, making its group where it is missing. ListInvalid for an unfit or taken name. Passwords are not kept."""
        demand_name(self, name)
        self.demand_free(name)
        folder = self.add_group(group)
        options = {
            "Connect": connection.without_secrets().format(),
            "ID": str(uuid.uuid4()),
            "OrderInList": number(self._last("OrderInList", self.sections)),
            "Folder": folder,
            "OrderInTree": number(self._last("OrderInTree", self.siblings(folder))),
            "External": "0",
            "ClientConnectionSpeed": "Normal",
            "App": "Auto",
            "WA": "1",
            "Version": "8.3",
        }
        made = Section(name, [f"{key}={value}" for key, value in options.items()])
        self.sections.append(made)
        return made

    def add_group(self, path: str) -> str:
        """Make a group and those above it, where they are missing; the path as the list has it. ListInvalid for an unfit name."""
        folder = ROOT
        for name in clean_path(path).split("/")[1:]:
            if not name:
                continue
            found = self.find_group(join(folder, name))
            if found is None:
                demand_name(self, name)
                found = self._new_group(name, folder)
            folder = found.path
        return folder

    def _new_group(self, name: str, folder: str) -> Section:
        options = {
            "ID": str(uuid.uuid4()),
            "OrderInList": "-1",
            "Folder": folder,
            "OrderInTree": number(self._last("OrderInTree", self.siblings(folder))),
            "External": "0",
        }
        made = Section(name, [f"{key}={value}" for key, value in options.items()])
        self.sections.append(made)
        return made

    def free_name(self, name: str) -> str:
        """The name itself, or with a number behind it: «Бухгалтерия (2)»."""
        taken = {s.name.casefold() for s in self.bases}
        made, n = name, 1
        while made.casefold() in taken:
            n += 1
            made = f"{name[: MAX_NAME - len(str(n)) - 3]} ({n})"
        return made

    # --- changing ---

    def rename(self, entry: Section, name: str) -> None:
        """A group takes what lies in it along. ListInvalid for an unfit or taken name."""
        demand_name(self, name)
        if not entry.is_group:
            if entry.name.casefold() != name.casefold():
                self.demand_free(name)
            entry.rename(name)
            return
        taken = self.find_group(join(entry.folder, name))
        if taken is not None and taken is not entry:
            raise self.refuse(ru=f"группа «{taken.path}» уже есть", en=f"the group {taken.path!r} exists already")
        if "/" in name:
            raise self.refuse(ru="в имени группы не бывает «/»", en="a group's name has no '/'")
        old, below = entry.path, self.within(entry)
        entry.rename(name)
        _refolder(below, old, entry.path)

    def move(self, entry: Section, group: str, *, before: Section | None = None, first: bool = False) -> None:
        """Into a group (made where it is missing): before a neighbour, at its beginning, or at its end."""
        inside = self.within(entry) if entry.is_group else []
        goal = clean_path(group)
        if entry.is_group and (goal.casefold() + "/").startswith(entry.path.casefold() + "/"):
            ru = f"группу «{entry.path}» нельзя перенести в неё саму"
            raise self.refuse(ru=ru, en=f"the group {entry.path!r} cannot be moved into itself")
        folder = self.add_group(goal)
        taken = self.find_group(join(folder, entry.name)) if entry.is_group else None
        if taken is not None and taken is not entry:
            raise self.refuse(ru=f"группа «{taken.path}» уже есть", en=f"the group {taken.path!r} exists already")
        old = entry.path
        entry.set("Folder", folder)
        _refolder(inside, old, entry.path)
        self._place(entry, folder, before, first)

    def _place(self, entry: Section, folder: str, before: Section | None, first: bool) -> None:
        others = [s for s in sorted(self.siblings(folder), key=_tree_order) if s is not entry]
        at = len(others)
        if first:
            at = 0
        elif before is not None:
            at = next((i for i, s in enumerate(others) if s is before), at)
        ordered = [*others[:at], entry, *others[at:]]
        lower = others[at - 1].order("OrderInTree") if at else 0.0
        upper = others[at].order("OrderInTree") if at < len(others) else lower + 2 * ORDER_STEP
        middle = (lower + upper) // 2 if math.isfinite(lower + upper) else math.inf
        if lower < middle < upper and all(math.isfinite(s.order("OrderInTree")) for s in others):
            entry.set("OrderInTree", number(middle))
            return
        for position, s in enumerate(ordered, 1):
            s.set("OrderInTree", number(position * ORDER_STEP))

    def remove(self, name: str, *, recursive: bool = False) -> Section:
        """Take a base or a group off the list; the bases themselves stay. A group that is not empty needs `recursive`. ListInvalid."""
        found = self.entry(name)
        gone = {id(found)}
        if found.is_group:
            inside = self.within(found)
            if inside and not recursive:
                ru = f"группа «{found.path}» не пуста ({len(inside)}); уберите её вместе с содержимым: --recursive"
                en = f"the group {found.path!r} is not empty ({len(inside)}); remove it with what is in it: --recursive"
                raise self.refuse(ru=ru, en=en)
            gone |= {id(s) for s in inside}
        self.sections = [s for s in self.sections if id(s) not in gone]
        return found

    # --- plumbing ---

    def siblings(self, folder: str) -> list[Section]:
        return [s for s in self.sections if s.folder.casefold() == folder.casefold()]

    def demand_free(self, name: str) -> None:
        if any(s.name.casefold() == name.casefold() for s in self.bases):
            raise self.refuse(ru=f"имя «{name}» уже есть", en=f"the name {name!r} is taken")

    def refuse(self, *, ru: str, en: str) -> ListInvalid:
        return ListInvalid(place=self.place, detail=text(ru=ru, en=en))

    def _last(self, key: str, among: Iterable[Section]) -> float:
        orders = [o for s in among if math.isfinite(o := s.order(key))]
        return max(orders, default=0.0) + ORDER_STEP


def number(value: float) -> str:
    """An order as the platform writes it: whole where it is whole."""
    return str(int(value)) if value == int(value) else repr(value)


def _tree_order(section: Section) -> float:
    return section.order("OrderInTree")


def _refolder(sections: Iterable[Section], old: str, new: str) -> None:
    """Folders below `old` (in any case) come below `new`."""
    depth = old.count("/")
    for s in sections:
        if (s.folder.casefold() + "/").startswith(old.casefold() + "/"):
            s.set("Folder", "/".join([new, *s.folder.split("/")[depth + 1 :]]))


def _is_id(name: str) -> bool:
    try:
        uuid.UUID(name)
    except ValueError:
        return False
    return True


def demand_name(found: BaseList, name: str) -> None:
    """ListInvalid unless the platform would take the name."""
    fits = (
        name.strip() == name and 0 < len(name) <= MAX_NAME and not re.search(r"[\x00-\x1f\x7f\x85\u2028\u2029]", name)
    )
    if not fits or re.search(r"[\ud800-\udfff]", name):
        ru = f"имя базы или группы - от 1 до {MAX_NAME} печатных символов без пробелов по краям"
        en = f"the name of a base or a group is 1 to {MAX_NAME} printable characters without spaces around"
        raise found.refuse(ru=ru, en=en)
