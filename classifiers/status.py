"""The checklist of a base: which classifiers its configuration wants, which of them are there, how old they are, and how to load the rest."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from classifiers.address_store import loaded_regions, outdated_regions, targets_of
from classifiers.kind import ClassifierKind
from classifiers.kinds import KINDS
from classifiers.places import found_files
from infobase.i18n import Bilingual
from infobase.metadata.model import ClassifierUse
from infobase.query_model import Query, SelectItem
from infobase.settings import ClassifierVersion

if TYPE_CHECKING:
    from infobase.session import Session

STATES: Mapping[str, Bilingual] = {
    "missing": Bilingual("не загружен", "not loaded"),
    "empty": Bilingual("записей нет, загрузите заново", "no records, load it again"),
    "stale": Bilingual("устарел", "stale"),
    "outdated": Bilingual(
        "загружен прежней версией программы, загрузите заново",
        "loaded by an earlier version of the program, load it again",
    ),
    "loaded": Bilingual("загружен", "loaded"),
    "replaced": Bilingual("не нужен: адреса загружены из {source}", "not needed: addresses come from {source}"),
    "unwanted": Bilingual("загружен, конфигурации не нужен", "loaded, not wanted by the configuration"),
}


@dataclass(frozen=True, slots=True)
class ClassifierStatus:
    """One line of the checklist. `rows`: records in the target now; `version`: what was loaded last; `command`: what loads or renews it.
    `file`: what the command loads from a folder that was looked into, "" when it has to be brought: `bring` and `published` say which and from
    where. `source`: the kind whose records the target holds instead, of a line that is "replaced"."""

    kind: str
    title: str
    state: str
    rows: int
    target: str
    command: str
    version: ClassifierVersion | None = None
    source: str = ""
    file: str = ""
    bring: str = ""
    published: str = ""

    @property
    def told(self) -> str:
        """The state in words."""
        return str(STATES[self.state]).format(source=KINDS[self.source].called or self.source if self.source else "")

    @property
    def version_date(self) -> str:
        return self.version.version_date if self.version else ""


def checklist(
    session: Session, connection: str = "CONN", today: dt.date | None = None, folders: Sequence[Path] = ()
) -> list[ClassifierStatus]:
    """Every classifier the configuration wants, in the order people load them; then what is loaded besides. `connection` stands in the
    commands. `folders`: where files are looked for, so that the commands name them. Rights: reading the targets (of addresses also the register of regions)."""
    versions = {v.kind: v for v in session.classifiers.all()}
    uses = session.kernel.configuration.classifiers
    day = today or session.now().date()
    sought = [k for k in KINDS.values() if k.name in uses and not k.builtin and not k.template_file]
    files = found_files(folders, sought) if folders else {}
    made = []
    for name, kind in KINDS.items():
        version = versions.get(name)
        use = uses.get(name)
        if use is not None:
            rows = _count(session, use.target)
            state = _state(fresh_days(kind, use), version, rows, day)
            if state == "loaded" and "regions" in use.parts and outdated_regions(session, use.parts["regions"], name):
                state = "outdated"
            made.append(
                ClassifierStatus(
                    name,
                    str(kind.title),
                    state,
                    rows,
                    use.target,
                    load_command(kind, connection, files.get(name)),
                    version,
                    file=str(files.get(name, "")),
                    bring="" if kind.builtin or kind.template_file else str(kind.bring),
                    published=kind.published,
                )
            )
        elif version is not None:
            made.append(ClassifierStatus(name, str(kind.title), "unwanted", 0, "", "", version))
    return [_unless_replaced(session, line, made) for line in made]


def _unless_replaced(session: Session, line: ClassifierStatus, lines: list[ClassifierStatus]) -> ClassifierStatus:
    """Kinds that fill the same target, as KLADR and GAR do: where one of them has been loaded, the others are not missing; nor is one out of
    date of which the other has replaced every region."""
    others = [o.kind for o in lines if o.target == line.target != "" and o.kind != line.kind and o.version and o.rows]
    held = _sources(session, line.kind, others) if others else set()
    source = next((o for o in others if o in held), "")
    return replace(line, state="replaced", source=source) if source and line.kind not in held else line


def _sources(session: Session, kind: str, loaded: Sequence[str]) -> set[str]:
    """Those whose records the target of the kind holds: the register of regions tells, where there is one."""
    use = session.kernel.configuration.classifiers[kind]
    if "regions" not in use.parts:
        return set(loaded)
    return {version.source for version in loaded_regions(session, targets_of(use).regions).values()}


def stale_classifiers(session: Session, today: dt.date) -> list[ClassifierStatus]:
    """What had been loaded and needs loading again on that day: its version is older than the rule allows, its records are gone, or they were
    written by a version of the program that searched them otherwise. What was
    never loaded is not among them: that is the checklist's matter. Rights: reading the targets."""
    return [line for line in checklist(session, today=today) if line.state in ("stale", "empty", "outdated")]


def fresh_days(kind: ClassifierKind, use: ClassifierUse) -> int | None:
    """How many days beyond its date a version holds good: as the configuration says, else as is usual for the kind. None: for ever."""
    return kind.fresh_days if use.fresh_days is None else use.fresh_days


def _state(good_for: int | None, version: ClassifierVersion | None, rows: int, day: dt.date) -> str:
    if version is None:
        return "missing"
    if not rows:
        return "empty"
    if good_for is None:
        return "loaded"
    held = dt.date.fromisoformat(version.version_date) + dt.timedelta(days=good_for)
    return "stale" if held < day else "loaded"


def _count(session: Session, target: str) -> int:
    rows = session.query(Query(target, select=(SelectItem("Count(*)", "N"),)))
    found = rows[0]["N"] if rows else 0
    return int(found) if isinstance(found, Decimal | int) else 0


def load_command(kind: ClassifierKind, connection: str, file: Path | None = None) -> str:
    """The command that loads a kind with the least trouble. `file`: one that holds it; else the one to bring stands under its published name."""
    place = _quoted(connection)
    if file is not None:
        return f"infobase classifier load {kind.name} {_quoted(str(file))} {place}"
    if kind.builtin:
        return f"infobase classifier load {kind.name} builtin {place}"
    if kind.template_file:
        return f"infobase classifier load {kind.name} {place}"
    return f"infobase classifier load {kind.name} {kind.file_name or 'FILE'} {place}"


def _quoted(word: str) -> str:
    return f"'{word}'" if set(word) & set(' ;"&()$') else word
