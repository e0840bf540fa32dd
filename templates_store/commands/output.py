"""How templates are shown: the tree, and the documented JSON of a template and of a fault."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from infobase.commands.output import say
from infobase.i18n import text
from templates_store.lint import Fault
from templates_store.roots import Root
from templates_store.tree import Node, Template, build


def template_json(template: Template) -> dict[str, object]:
    return {
        "path": list(template.path),
        "version": template.version,
        "kind": template.kind,
        "vendor": template.manifest.vendor,
        "configuration": template.manifest.name,
        "source": template.source,
        "usable": template.source is not None,
        "reason": template.reason,
        "destination": template.destination,
        "manifest": template.manifest_file,
        "section": template.entry.section,
    }


def root_json(root: Root) -> dict[str, object]:
    return {"place": root.place, "origin": root.origin, "trouble": root.trouble}


def fault_json(fault: Fault) -> dict[str, object]:
    return {
        "severity": fault.severity,
        "code": fault.code,
        "file": fault.file,
        "line": fault.line,
        "message": fault.message,
    }


def show_tree(templates: Sequence[Template]) -> None:
    for line in _lines(build(templates), 0):
        say(line)


def _lines(node: Node, depth: int) -> Iterator[str]:
    for template in node.templates:
        yield "  " * depth + f"{template.version}  ({_kind(template)})"
    for name, below in node.below.items():
        yield "  " * depth + name
        yield from _lines(below, depth + 1)


def _kind(template: Template) -> str:
    if template.source is None:
        return text(ru=f"не создать: {template.reason}", en=f"unusable: {template.reason}")
    dump = text(ru="база с данными", en="a base with data")
    empty = text(ru="пустая база", en="an empty base")
    return f"{dump if template.kind == 'dump' else empty}: {template.source}"
