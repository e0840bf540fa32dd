"""Balance checks: after posting, what a register's new balances must satisfy, and the account of what is missing where they do not."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import cast

from infobase.errors import BalanceShortage
from infobase.i18n import language, text
from infobase.kernel import Kernel
from infobase.metadata.expressions import Expression, compile_expression
from infobase.metadata.model import BalanceCheck, find_field
from infobase.metadata.types import Ref, Value
from infobase.register_sql import RegisterSql, register_sql
from infobase.schema.codec import RowCodec
from infobase.storage import Row

Present = Callable[[Value], str]

LISTED = 20
"""Shortages shown in the message; all of them are in the error's `shortages`."""


@dataclass(frozen=True)
class Shortage:
    """A key whose balance breaks a requirement. `register`: full name; `resource`: field name; `key`: dimension name -> presentation.

    `shortage`: how much is missing to satisfy a comparison (`excess` False) or how much is too much (`excess` True); None when the requirement
    is not a plain comparison. `balance`: the balances the document would have left.
    """

    register: str
    resource: str
    key: Mapping[str, str]
    shortage: Decimal | None
    balance: Mapping[str, Decimal] = field(default_factory=dict)
    excess: bool = False


@dataclass(frozen=True, slots=True)
class _Requirement:
    """One conjunct of a `require` expression; `low` and `high` are its sides when it says low <= high."""

    holds: Expression
    resource: str
    low: Expression | None = None
    high: Expression | None = None
    excess: bool = False


class CompiledCheck:
    """A `BalanceCheck` ready for rows of (balance key columns, balances) in storage form."""

    def __init__(self, kernel: Kernel, check: BalanceCheck) -> None:
        self.sql: RegisterSql = register_sql(kernel, check.register)
        self._names = tuple(r.name for r in self.sql.layout.resources)
        self._width = len(self.sql.key_positions)
        self._whole = compile_expression(check.require)
        source = check.require.strip()
        self._parts = tuple(self._requirement(source, node) for node in _conjuncts(source))

    def _requirement(self, source: str, node: ast.expr) -> _Requirement:
        def compiled(part: ast.expr) -> Expression:
            # The text as it is written: a number must not pass through float.
            return compile_expression(ast.get_source_segment(source, part) or source)

        whole = compiled(node)
        resource = self._resource(node)
        if not isinstance(node, ast.Compare) or len(node.ops) != 1 or not isinstance(node.ops[0], ast.GtE | ast.LtE):
            return _Requirement(whole, resource)
        left, right = compiled(node.left), compiled(node.comparators[0])
        rises = isinstance(node.ops[0], ast.GtE)
        low, high = (right, left) if rises else (left, right)
        # "balance.X >= 0" asks for more of X, "balance.X <= 100" for less.
        about_high = _mentions_balance(node.left if rises else node.comparators[0])
        return _Requirement(whole, resource, low, high, excess=not about_high)

    def _resource(self, node: ast.expr) -> str:
        for found in ast.walk(node):
            if isinstance(found, ast.Attribute) and isinstance(found.value, ast.Name):
                resource = find_field(tuple(r.field for r in self.sql.layout.resources), found.attr)
                if resource is not None:
                    return resource.name
        return self._names[0]

    def shortages(self, rows: Sequence[Row], present: Present) -> list[Shortage]:
        """Those of the new balances that break the requirement."""
        found: list[Shortage] = []
        readers = self.sql.resource_readers
        for row in rows:
            balances = [read(v) for read, v in zip(readers, row[self._width :], strict=True)]
            scope = {"balance": dict(zip(self._names, balances, strict=True))}
            if not self._whole.evaluate(scope, _no_references):
                found += self._account(row, scope, present)
        return found

    def _account(self, row: Row, scope: Mapping[str, Mapping[str, Decimal]], present: Present) -> list[Shortage]:
        dimensions = RowCodec(self.sql.layout.dimensions, self.sql.kernel.dialect)
        key = {name: present(value) for name, value in dimensions.decode(row[: self._width]).items()}
        broken = [p for p in self._parts if not p.holds.evaluate(scope, _no_references)]
        return [
            Shortage(self.sql.full_name, p.resource, key, _difference(p, scope), scope["balance"], p.excess)
            for p in broken
        ]


def _difference(requirement: _Requirement, scope: Mapping[str, object]) -> Decimal | None:
    if requirement.low is None or requirement.high is None:
        return None
    low = requirement.low.evaluate(scope, _no_references)
    return Decimal(cast(Decimal, low)) - Decimal(cast(Decimal, requirement.high.evaluate(scope, _no_references)))


def _no_references(ref: Ref, name: str) -> Value:
    """Balances are numbers: an expression over them has nothing to follow."""
    raise LookupError(f"{ref}.{name}")


def _conjuncts(expression: str) -> list[ast.expr]:
    """`A and B` is two requirements, each accounted for by itself."""
    body = ast.parse(expression, mode="eval").body
    return list(body.values) if isinstance(body, ast.BoolOp) and isinstance(body.op, ast.And) else [body]


def _mentions_balance(node: ast.expr) -> bool:
    return any(isinstance(n, ast.Attribute) for n in ast.walk(node))


def compiled_check(kernel: Kernel, check: BalanceCheck) -> CompiledCheck:
    """The check, compiled on first use."""
    key = ("balance_check", check)
    found = kernel.cache.get(key)
    if found is None:
        found = kernel.cache[key] = CompiledCheck(kernel, check)
    return cast(CompiledCheck, found)


def demand(kernel: Kernel, shortages: Sequence[Shortage], subject: str) -> None:
    """BalanceShortage when there is any; `subject`: the document as people know it."""
    if not shortages:
        return
    lines = [_line(kernel, s) for s in shortages[:LISTED]]
    if len(shortages) > LISTED:
        rest = len(shortages) - LISTED
        lines.append(text(ru=f"и ещё {rest}", en=f"and {rest} more"))
    raise BalanceShortage(object=subject, listing="; ".join(lines), shortages=list(shortages))


def _line(kernel: Kernel, shortage: Shortage) -> str:
    """«Товары на складах: Склад = Основной, Номенклатура = Стол - не хватает 3.000 (Количество)»."""
    sql = register_sql(kernel, shortage.register)
    labels = {f.name: f.field.naming.label(language()) for f in sql.layout.fields}
    key = ", ".join(f"{labels[name]} = {shown}" for name, shown in shortage.key.items())
    resource = labels[shortage.resource]
    if shortage.shortage is None:
        shown = ", ".join(f"{labels[name]} = {value}" for name, value in shortage.balance.items())
        tail = text(ru=f"недопустимый остаток: {shown}", en=f"balance not allowed: {shown}")
    elif shortage.excess:
        tail = text(
            ru=f"превышено на {shortage.shortage} ({resource})", en=f"exceeded by {shortage.shortage} ({resource})"
        )
    else:
        tail = text(ru=f"не хватает {shortage.shortage} ({resource})", en=f"{shortage.shortage} missing ({resource})")
    return f"{sql.register.naming.label(language())}: {key} - {tail}"
