"""The import directions, and what must not stand anywhere in the product."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("infobase", "engine_file", "engine_server", "classifiers", "crm", "templates_store", "benchmarks")
FILES = sorted([ROOT / "cli.py", *(f for p in PACKAGES for f in (ROOT / p).rglob("*.py"))])

ENGINE_MAY = (
    "infobase.storage",
    "infobase.text_columns",
    "infobase.errors",
    "infobase.i18n",
    "infobase.files",
    "infobase.session_block",
    "infobase.log_layout",
    "infobase.arrow",
    "infobase.schema.naming",
)
"""What an engine knows of the kernel: the contract, writing small files, the session block, the log's layout, its Arrow form, and how long
a name may be."""
LAYERS = {
    "infobase.metadata": 0,
    "infobase.schema": 1,
    "infobase.kernel": 2,
    "infobase.values": 2,
    "infobase.object_store": 3,
    "infobase.references": 4,
    "infobase.numbering": 4,
    "infobase.objects": 4,
    "infobase.register_sql": 4,
    "infobase.totals": 4,
    "infobase.balance_checks": 4,
    "infobase.registers": 5,
    "infobase.posting": 6,
    "infobase.query": 5,
    "infobase.rights": 6,
    "infobase.users": 6,
    "infobase.operations": 7,
    "infobase.deletion": 8,
    "infobase.bulk_objects": 8,
    "infobase.settings": 8,
    "infobase.user_admin": 8,
    "infobase.served": 2,
    "infobase.predefined": 8,
    "infobase.register_managers": 8,
    "infobase.session": 9,
    "infobase.infobase": 10,
    "infobase.configuration_update": 11,
    "infobase.connection": 11,
    "infobase.commands": 12,
}
"""A module imports only from its own layer or below; the longest prefix counts."""


def name_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(file: Path, *, lazy: bool = True) -> Iterator[str]:
    """Full names of imported modules; without `lazy`, only those at the top of the module and not for type checking."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    nodes = ast.walk(tree) if lazy else iter(tree.body)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{a.name}" for a in node.names)


def layer(module: str) -> int | None:
    found = [p for p in LAYERS if module == p or module.startswith((p + ".", p + "_"))]
    return LAYERS[max(found, key=len)] if found else None


ABOVE_THE_KERNEL = ("engine_server.application", "engine_server.odata", "engine_server.remote", "engine_server.wire")
"""The application server and its clients: they use the kernel, and the kernel meets them only in `connection`."""


def is_engine(file: Path) -> bool:
    return name_of(file).startswith(("engine_file", "engine_server")) and not name_of(file).startswith(ABOVE_THE_KERNEL)


@pytest.mark.parametrize("file", [f for f in FILES if name_of(f).startswith(ABOVE_THE_KERNEL)], ids=name_of)
def test_the_application_server_knows_nobody_beside_it(file: Path) -> None:
    for module in imports(file):
        assert module.split(".")[0] not in ("crm", "classifiers", "cli", "benchmarks", "templates_store"), module
        if name_of(file).startswith(("engine_server.remote", "engine_server.wire")):
            assert not module.startswith("engine_server.application"), "a client needs no server"


@pytest.mark.parametrize("file", [f for f in FILES if is_engine(f)], ids=name_of)
def test_engines_know_only_the_storage_contract(file: Path) -> None:
    for module in imports(file):
        if module.startswith("infobase"):
            assert module.startswith(tuple(m + "." for m in ENGINE_MAY)), module
        assert module.split(".")[0] not in ("crm", "classifiers", "cli", "benchmarks"), module
        assert not module.startswith(ABOVE_THE_KERNEL), module


@pytest.mark.parametrize("file", [f for f in FILES if name_of(f).startswith("infobase")], ids=name_of)
def test_the_kernel_knows_nobody_above_it(file: Path) -> None:
    own = name_of(file)
    for module in imports(file):
        assert module.split(".")[0] not in ("crm", "classifiers", "cli", "benchmarks", "templates_store"), module
        if module.startswith("engine_"):
            assert own == "infobase.connection", f"only connection names engines: {module}"
    for module in imports(file, lazy=False):
        assert not module.startswith("engine_"), "engines are imported lazily"


@pytest.mark.parametrize("file", [f for f in FILES if name_of(f).startswith("infobase.")], ids=name_of)
def test_no_import_points_upward(file: Path) -> None:
    own = layer(name_of(file))
    if own is None:
        return
    for module in imports(file, lazy=False):
        other = layer(module)
        assert other is None or other <= own, f"{name_of(file)} imports {module}"


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_nothing_from_a_file_can_run_and_no_error_is_swallowed(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("eval", "exec", "__import__"), node.lineno
        if isinstance(node, ast.Attribute):
            assert node.attr != "extractall", node.lineno
        if isinstance(node, ast.ExceptHandler):
            bare = node.type is None or getattr(node.type, "id", "") in ("Exception", "BaseException")
            assert not (bare and all(isinstance(x, ast.Pass) for x in node.body)), node.lineno
    for module in imports(file):
        assert module.split(".")[0] not in ("pickle", "marshal", "shelve", "yaml"), module


@pytest.mark.parametrize(
    "file", [f for f in FILES if not name_of(f).startswith(("engine_", "benchmarks."))], ids=name_of
)
def test_the_mode_is_not_asked_outside_the_engines(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Compare):
            words = {c.value for c in [node.left, *node.comparators] if isinstance(c, ast.Constant)}
            sides = [s.attr for s in [node.left, *node.comparators] if isinstance(s, ast.Attribute)]
            assert not (words & {"file", "server"} and "mode" in sides), node.lineno
