"""One TOML (or JSON) table being read: typed access that notes every fault with file, line and key instead of stopping at the first."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from infobase.errors import Problem
from infobase.i18n import Bilingual


@dataclass
class Source:
    """A parsed file. `lines`: dotted key -> line (1-based); array tables are numbered: `rights.0.object`."""

    file: str
    data: Mapping[str, object]
    lines: Mapping[str, int] = field(default_factory=dict)

    def line(self, key: str) -> int:
        """The line of the key, else of the nearest enclosing one, else 0."""
        while key:
            if key in self.lines:
                return self.lines[key]
            key = key.rpartition(".")[0]
        return 1 if self.lines else 0


_KEY = r'(?:[A-Za-z0-9_-]+|"[^"\n]*"|\'[^\'\n]*\')'
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_KEY}(?:\s*\.\s*{_KEY})*)\s*\]\]?")
_ASSIGN = re.compile(rf"\s*({_KEY}(?:\s*\.\s*{_KEY})*)\s*=")


def key_lines(toml: str) -> dict[str, int]:
    """Where each key of a TOML text stands. Lines inside multi-line values may add keys nobody asks for; never wrong ones first."""
    lines: dict[str, int] = {}
    counts: dict[str, int] = {}
    prefix = ""
    for number, line in enumerate(toml.splitlines(), 1):
        header = _HEADER.match(line)
        if header:
            prefix = _dotted(header[2])
            if header[1] == "[[":
                counts[prefix] = counts.get(prefix, -1) + 1
                lines.setdefault(prefix, number)
                prefix = f"{prefix}.{counts[prefix]}"
            lines.setdefault(prefix, number)
            continue
        assign = _ASSIGN.match(line)
        if assign:
            key = _dotted(assign[1])
            lines.setdefault(f"{prefix}.{key}" if prefix else key, number)
    return lines


def _dotted(written: str) -> str:
    return ".".join(p.strip().strip("\"'") for p in re.findall(_KEY, written))


class Table:
    """Reads one table. `finish()` reports keys nobody asked for."""

    def __init__(self, problems: list[Problem], source: Source, path: str, data: Mapping[str, object]) -> None:
        self.problems, self.source, self.path, self.data = problems, source, path, data
        self._asked: set[str] = set()

    def fault(self, key: str, ru: str, en: str, expected: Bilingual | str = "") -> None:
        """Note a problem at `key` of this table ("" = the table itself)."""
        dotted = ".".join(p for p in (self.path, key) if p)
        problem = Problem(self.source.file, self.source.line(dotted), dotted or "-", Bilingual(ru, en), expected)
        self.problems.append(problem)

    def _get(self, key: str) -> object:
        self._asked.add(key)
        return self.data.get(key)

    def has(self, key: str) -> bool:
        return key in self.data

    def text(self, key: str, default: str = "", *, required: bool = False, choices: Sequence[str] = ()) -> str:
        value = self._get(key)
        if value is None:
            if required:
                self.fault(key, "не указано", "missing", Bilingual("строка", "a text"))
            return default
        if not isinstance(value, str):
            self.fault(
                key,
                f"значение {value!r} не строка",
                f"the value {value!r} is not a text",
                Bilingual("строка", "a text"),
            )
            return default
        if choices and value not in choices:
            self.fault(
                key,
                f"недопустимое значение «{value}»",
                f"invalid value {value!r}",
                ", ".join(c or '""' for c in choices),
            )
            return default
        return value

    def flag(self, key: str, default: bool = False) -> bool:
        value = self._get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.fault(
                key,
                f"значение {value!r} не true и не false",
                f"the value {value!r} is neither true nor false",
                "true, false",
            )
            return default
        return value

    def number(self, key: str, default: int, low: int, high: int) -> int:
        value = self._get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.fault(key, f"недопустимое значение {value!r}", f"invalid value {value!r}", f"{low}..{high}")
            return default
        return value

    def strings(self, key: str) -> tuple[str, ...]:
        value = self._get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            self.fault(key, "нужен список строк", "a list of texts is needed", '["A", "B"]')
            return ()
        return tuple(value)

    def table(self, key: str) -> Table:
        value = self._get(key)
        if value is not None and not isinstance(value, Mapping):
            self.fault(key, f"значение {value!r} не таблица", f"the value {value!r} is not a table", "{ ... }")
            value = None
        return self._sub(key, value or {})

    def named(self, key: str) -> Iterator[tuple[str, Table]]:
        """`[attributes.X]` tables with their names, in the order of the file."""
        own = self.table(key)
        for name, value in own.data.items():
            if isinstance(value, Mapping):
                yield name, own._sub(name, value)
            else:
                own.fault(
                    name,
                    f"значение {value!r} не таблица",
                    f"the value {value!r} is not a table",
                    f"[{own.path}.{name}]",
                )

    def tables(self, key: str) -> Iterator[Table]:
        """`[[rights]]` tables in order."""
        value = self._get(key)
        if value is None:
            return
        if not isinstance(value, list) or not all(isinstance(v, Mapping) for v in value):
            self.fault(key, "нужен список таблиц", "a list of tables is needed", f"[[{key}]]")
            return
        for n, item in enumerate(value):
            yield self._sub(f"{key}.{n}", item)

    def raw(self, key: str) -> object:
        """The value as it is, for the caller to judge."""
        return self._get(key)

    def _sub(self, key: str, data: Mapping[str, object]) -> Table:
        return Table(self.problems, self.source, f"{self.path}.{key}" if self.path else key, data)

    def finish(self) -> None:
        for key in self.data:
            if key not in self._asked:
                near = difflib.get_close_matches(key, self._asked, n=1)
                hint = f" - {near[0]}?" if near else ""
                self.fault(key, f"неизвестный ключ{hint}", f"unknown key{hint}", ", ".join(sorted(self._asked)))
