"""What jobs can do: names registered by code. A base's job table carries a name and parameters, never code.

Installed packages register theirs through the entry-point group `infobase.jobs` (each entry point is a callable that takes the Registry):

    def register(kinds: Registry) -> None:
        kinds.add(JobKind("backup", Bilingual("Резервное копирование", "Backup"), run, check))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points

from infobase.errors import JobInvalid
from infobase.i18n import Bilingual, text
from infobase.infobase import Infobase
from infobase.session import Session

GROUP = "infobase.jobs"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class JobContext:
    """What a running job is given. `session`: with the rights of the runner's user, who administers the base."""

    base: Infobase
    session: Session
    parameters: Mapping[str, object]
    progress: Progress | None = None


def no_check(parameters: Mapping[str, object]) -> None:
    """For kinds without parameters. JobInvalid for any."""
    if parameters:
        names = ", ".join(parameters)
        raise JobInvalid(name=names, detail=text(ru="у задания нет параметров", en="the job takes no parameters"))


@dataclass(frozen=True)
class JobKind:
    """`run` returns what to tell of the run, and raises when it failed. `check` refuses parameters that do not fit, when a job is made."""

    name: str
    title: Bilingual
    run: Callable[[JobContext], str] = field(repr=False)
    check: Callable[[Mapping[str, object]], None] = field(default=no_check, repr=False)


class Registry:
    """Kinds by name."""

    def __init__(self) -> None:
        self.kinds: dict[str, JobKind] = {}

    def add(self, kind: JobKind) -> None:
        """Make a kind known; the last one registered under a name wins."""
        self.kinds[kind.name] = kind


@cache
def registry() -> Registry:
    """The kernel's own kinds and what installed packages provide, discovered once."""
    from infobase import standard_jobs

    made = Registry()
    standard_jobs.register(made)
    for entry in entry_points(group=GROUP):
        entry.load()(made)
    return made


def kind_of(name: str) -> JobKind:
    """JobInvalid for a name nobody registered."""
    found = registry().kinds.get(name)
    if found is None:
        names = ", ".join(sorted(registry().kinds))
        ru, en = f"вид задания не зарегистрирован; есть: {names}", f"no such kind is registered; there are: {names}"
        raise JobInvalid(name=name, detail=text(ru=ru, en=en))
    return found
