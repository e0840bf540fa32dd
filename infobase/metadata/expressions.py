"""Rule expressions: a small safe language over Python's syntax tree, never `eval`.

    e = compile_expression("row.Quantity * row.Price")
    e.evaluate({"doc": header, "row": row}, dereference)

Used by posting (`when`, `set`, `period`), balance checks (`require`) and role restrictions. Numbers are Decimal, taken from their source text.
A path is a scope name and fields: `doc.Customer`; a longer one reads through references: `doc.Stage.Probability`.
Functions: round, abs, min, max, empty, year, month, day, begin_of_day, begin_of_month, end_of_month, value("Enumeration.X.Y" | "Catalog.X.Item").
"""

from __future__ import annotations

import ast
import calendar
import datetime as dt
import operator
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal, DivisionByZero, InvalidOperation, localcontext
from functools import lru_cache
from typing import Union

from infobase.errors import ExpressionInvalid
from infobase.i18n import text
from infobase.metadata.refs import predefined_ref
from infobase.metadata.types import EnumValue, Ref, Value

MAX_LENGTH = 2000
MAX_DEPTH = 50
MAX_DIGITS = 40
"""Digits of a number literal and of intermediate results."""

Dereference = Callable[[Ref, str], Value]
Scope = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Constant:
    value: object


@dataclass(frozen=True, slots=True)
class Path:
    """`names[0]` is looked up in the scope; the rest are fields, through references from the third on."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unary:
    operator: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Compare:
    """One comparison; a chain `a < b < c` becomes a BoolOp of two."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class BoolOp:
    operator: str
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Conditional:
    test: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True)
class Call:
    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Sequence:
    items: tuple[Node, ...]


Node = Union[Constant, Path, Unary, Binary, Compare, BoolOp, Conditional, Call, Sequence]  # noqa: UP007

_BINARY: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Mod: "%"}
_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
    ast.Is: "==",
    ast.IsNot: "!=",
}
_ARITY = {
    "round": (1, 2),
    "abs": (1, 1),
    "min": (2, 20),
    "max": (2, 20),
    "empty": (1, 1),
    "year": (1, 1),
    "month": (1, 1),
    "day": (1, 1),
    "begin_of_day": (1, 1),
    "begin_of_month": (1, 1),
    "end_of_month": (1, 1),
    "value": (1, 1),
}


def _refuse(expression: str, ru: str, en: str) -> ExpressionInvalid:
    return ExpressionInvalid(expression=expression[:200], detail=text(ru=ru, en=en))


# --- parsing ---


class _Parser:
    """Whitelisted Python syntax -> Node."""

    def __init__(self, source: str) -> None:
        self.source = source

    def fail(self, node: ast.AST) -> ExpressionInvalid:
        shown = type(node).__name__
        return _refuse(self.source, f"конструкция {shown} не разрешена", f"the construct {shown} is not allowed")

    def node(self, node: ast.expr, depth: int = 0) -> Node:
        if depth > MAX_DEPTH:
            raise _refuse(self.source, "слишком глубокая вложенность", "nested too deeply")
        handler = getattr(self, f"_{type(node).__name__}", None)
        if handler is None:
            raise self.fail(node)
        made: Node = handler(node, depth + 1)
        return made

    def _Constant(self, node: ast.Constant, _: int) -> Node:
        value = node.value
        if value is None or isinstance(value, bool | str):
            return Constant(value)
        if isinstance(value, int | float):
            return Constant(self._number(node))
        raise self.fail(node)

    def _number(self, node: ast.Constant) -> Decimal:
        written = (ast.get_source_segment(self.source, node) or str(node.value)).replace("_", "")
        try:
            number = Decimal(written) if written[:2].lower() not in ("0x", "0b", "0o") else Decimal(node.value)  # type: ignore[arg-type]
        except InvalidOperation:
            raise self.fail(node) from None
        if not number.is_finite() or len(number.as_tuple().digits) > MAX_DIGITS or abs(number.adjusted()) > MAX_DIGITS:
            raise _refuse(
                self.source, f"слишком длинное число: {written[:50]}", f"the number is too long: {written[:50]}"
            )
        return number

    def _Name(self, node: ast.Name, _: int) -> Node:
        return Path((self._identifier(node.id),))

    def _Attribute(self, node: ast.Attribute, depth: int) -> Node:
        base = self.node(node.value, depth)
        if not isinstance(base, Path):
            raise self.fail(node)
        return Path((*base.names, self._identifier(node.attr)))

    def _identifier(self, name: str) -> str:
        if name.startswith("_"):
            raise _refuse(self.source, f"имя {name} не разрешено", f"the name {name} is not allowed")
        return name

    def _UnaryOp(self, node: ast.UnaryOp, depth: int) -> Node:
        if isinstance(node.op, ast.Not):
            return Unary("not", self.node(node.operand, depth))
        if isinstance(node.op, ast.USub):
            return Unary("-", self.node(node.operand, depth))
        if isinstance(node.op, ast.UAdd):
            return self.node(node.operand, depth)
        raise self.fail(node.op)

    def _BinOp(self, node: ast.BinOp, depth: int) -> Node:
        symbol = _BINARY.get(type(node.op))
        if symbol is None:
            raise self.fail(node.op)
        return Binary(symbol, self.node(node.left, depth), self.node(node.right, depth))

    def _BoolOp(self, node: ast.BoolOp, depth: int) -> Node:
        symbol = "and" if isinstance(node.op, ast.And) else "or"
        return BoolOp(symbol, tuple(self.node(v, depth) for v in node.values))

    def _Compare(self, node: ast.Compare, depth: int) -> Node:
        operands = [self.node(node.left, depth), *(self.node(c, depth) for c in node.comparators)]
        made = []
        for op, left, right in zip(node.ops, operands, operands[1:], strict=False):
            symbol = _COMPARE[type(op)]
            if symbol.endswith("in") and not isinstance(right, Sequence):
                raise _refuse(self.source, "после in нужен список в скобках", "`in` takes a list in brackets")
            made.append(Compare(symbol, left, right))
        return made[0] if len(made) == 1 else BoolOp("and", tuple(made))

    def _IfExp(self, node: ast.IfExp, depth: int) -> Node:
        return Conditional(self.node(node.test, depth), self.node(node.body, depth), self.node(node.orelse, depth))

    def _Tuple(self, node: ast.Tuple, depth: int) -> Node:
        return Sequence(tuple(self.node(e, depth) for e in node.elts))

    def _List(self, node: ast.List, depth: int) -> Node:
        return Sequence(tuple(self.node(e, depth) for e in node.elts))

    def _Call(self, node: ast.Call, depth: int) -> Node:
        if not isinstance(node.func, ast.Name) or node.func.id not in _ARITY or node.keywords:
            raise _refuse(self.source, "такой функции нет", "there is no such function")
        name, least, most = node.func.id, *_ARITY[node.func.id]
        if not least <= len(node.args) <= most:
            raise _refuse(self.source, f"неверное число параметров {name}", f"wrong number of arguments of {name}")
        arguments = tuple(self.node(a, depth) for a in node.args)
        if name == "value":
            self._named_value(arguments[0])
        return Call(name, arguments)

    def _named_value(self, argument: Node) -> None:
        if not isinstance(argument, Constant) or not isinstance(argument.value, str) or argument.value.count(".") != 2:
            ru = 'нужно value("Enumeration.Имя.Значение") или value("Catalog.Имя.Элемент")'
            en = 'needs value("Enumeration.Name.Value") or value("Catalog.Name.Item")'
            raise _refuse(self.source, ru, en)


def parse(source: str) -> Node:
    """The typed tree of an expression. ExpressionInvalid."""
    if len(source) > MAX_LENGTH:
        raise _refuse(source, f"длиннее {MAX_LENGTH} символов", f"longer than {MAX_LENGTH} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd escapes in texts are the author's, not this program's
            tree = ast.parse(source.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as e:
        raise _refuse(source, f"не разобрано: {e}", f"cannot be parsed: {e}") from None
    return _Parser(source.strip()).node(tree.body)


# --- evaluating ---

Evaluate = Callable[[Scope, Dereference], object]


def _divide(left: Decimal, right: Decimal) -> Decimal:
    return left / right


_ARITHMETIC: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "%": operator.mod,
}
_ORDER: dict[str, Callable[[object, object], bool]] = {
    "<": operator.lt,  # type: ignore[dict-item]
    "<=": operator.le,  # type: ignore[dict-item]
    ">": operator.gt,  # type: ignore[dict-item]
    ">=": operator.ge,  # type: ignore[dict-item]
    "==": operator.eq,
    "!=": operator.ne,
}


class _Compiler:
    """Node -> closure over (scope, dereference)."""

    def __init__(self, source: str) -> None:
        self.source = source

    def compile(self, node: Node) -> Evaluate:
        match node:
            case Constant(value):
                return lambda scope, deref: value
            case Path(names):
                return self._path(names)
            case Unary(symbol, operand):
                return self._unary(symbol, self.compile(operand))
            case Binary(symbol, left, right):
                return self._binary(symbol, self.compile(left), self.compile(right))
            case Compare(symbol, left, right):
                return self._compare(symbol, left, right)
            case BoolOp(symbol, parts):
                return self._boolean(symbol, [self.compile(p) for p in parts])
            case Conditional(test, then, otherwise):
                t, a, b = self.compile(test), self.compile(then), self.compile(otherwise)
                return lambda scope, deref: a(scope, deref) if t(scope, deref) else b(scope, deref)
            case Call(function, arguments):
                return self._call(function, arguments)
            case Sequence(items):
                made = [self.compile(i) for i in items]
                return lambda scope, deref: tuple(m(scope, deref) for m in made)

    def _path(self, names: tuple[str, ...]) -> Evaluate:
        head = names[0]
        if len(names) == 1:
            return lambda scope, deref: self._lookup(scope, head)
        if len(names) == 2:
            name = names[1]

            def field_of(scope: Scope, deref: Dereference) -> object:
                try:
                    return scope[head][name]  # type: ignore[index]  # a record, nearly always
                except (KeyError, TypeError):
                    return self._step(self._lookup(scope, head), name, deref)

            return field_of

        def walk(scope: Scope, deref: Dereference) -> object:
            value = self._lookup(scope, head)
            for name in names[1:]:
                value = self._step(value, name, deref)
            return value

        return walk

    def _lookup(self, scope: Scope, name: str) -> object:
        try:
            return scope[name]
        except KeyError:
            raise self._unknown(name) from None

    def _step(self, value: object, name: str, deref: Dereference) -> object:
        if isinstance(value, Mapping):
            try:
                return value[name]
            except KeyError:
                raise self._unknown(name) from None
        if isinstance(value, Ref):
            return deref(value, name)
        if value is None:
            return None
        raise self._unknown(name)

    def _unknown(self, name: str) -> ExpressionInvalid:
        return _refuse(self.source, f"имя {name} неизвестно", f"the name {name} is unknown")

    def _unary(self, symbol: str, operand: Evaluate) -> Evaluate:
        if symbol == "not":
            return lambda scope, deref: not operand(scope, deref)
        return lambda scope, deref: -self._number(operand(scope, deref))

    def _number(self, value: object) -> Decimal:
        if value is None:
            return Decimal(0)
        if isinstance(value, Decimal):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return Decimal(value)
        raise _refuse(self.source, f"«{value}» - не число", f"{value!r} is not a number")

    def _binary(self, symbol: str, left: Evaluate, right: Evaluate) -> Evaluate:
        arithmetic = _ARITHMETIC[symbol]

        def evaluate(scope: Scope, deref: Dereference) -> object:
            a, b = left(scope, deref), right(scope, deref)
            if symbol == "+" and isinstance(a, str) and isinstance(b, str):
                return a + b
            try:
                with localcontext() as context:
                    context.prec = MAX_DIGITS
                    return arithmetic(self._number(a), self._number(b))
            except (DivisionByZero, InvalidOperation, ZeroDivisionError):
                raise _refuse(self.source, "деление на ноль", "division by zero") from None

        return evaluate

    def _compare(self, symbol: str, left: Node, right: Node) -> Evaluate:
        a, b = self.compile(left), self.compile(right)
        if symbol == "in":
            return lambda scope, deref: _comparable(a(scope, deref)) in map(_comparable, b(scope, deref))  # type: ignore[call-overload]
        if symbol == "not in":
            return lambda scope, deref: _comparable(a(scope, deref)) not in map(_comparable, b(scope, deref))  # type: ignore[call-overload]
        order = _ORDER[symbol]

        def evaluate(scope: Scope, deref: Dereference) -> object:
            x, y = _matched(a(scope, deref), b(scope, deref))
            try:
                return order(x, y)
            except TypeError:
                ru, en = f"«{x}» и «{y}» не сравнить", f"{x!r} and {y!r} cannot be compared"
                raise _refuse(self.source, ru, en) from None

        return evaluate

    def _boolean(self, symbol: str, parts: list[Evaluate]) -> Evaluate:
        if symbol == "and":
            return lambda scope, deref: all(p(scope, deref) for p in parts)
        return lambda scope, deref: any(p(scope, deref) for p in parts)

    def _call(self, function: str, arguments: tuple[Node, ...]) -> Evaluate:
        if function == "value":
            assert isinstance(arguments[0], Constant)
            fixed = named_value(str(arguments[0].value))
            return lambda scope, deref: fixed
        made = [self.compile(a) for a in arguments]
        run = _FUNCTIONS[function]

        def evaluate(scope: Scope, deref: Dereference) -> object:
            values = [m(scope, deref) for m in made]
            try:
                return run(*values)
            except (TypeError, AttributeError, InvalidOperation):
                ru, en = f"{function}: значения не подходят", f"{function}: the values do not fit"
                raise _refuse(self.source, ru, en) from None

        return evaluate


def named_value(written: str) -> EnumValue | Ref:
    """ "Enumeration.DealStates.Won" or "Catalog.Stages.First" (a predefined item)."""
    kind, name, item = written.split(".")
    if kind == "Enumeration":
        return EnumValue(f"{kind}.{name}", item)
    return predefined_ref(f"{kind}.{name}", item)


def _comparable(value: object) -> object:
    """Enumeration values compare with their names, empty values with each other."""
    return value.name if isinstance(value, EnumValue) else value


def _matched(left: object, right: object) -> tuple[object, object]:
    if isinstance(left, EnumValue) != isinstance(right, EnumValue):
        left, right = _comparable(left), _comparable(right)
    if left is None and isinstance(right, Decimal):
        left = Decimal(0)
    if right is None and isinstance(left, Decimal):
        right = Decimal(0)
    if isinstance(left, dt.datetime) and right is None:
        right = dt.datetime.min
    if isinstance(right, dt.datetime) and left is None:
        left = dt.datetime.min
    return left, right


def _round(value: Decimal, places: object = Decimal(0)) -> Decimal:
    return Decimal(value).quantize(Decimal(1).scaleb(-int(places)), ROUND_HALF_UP)  # type: ignore[call-overload]


def _end_of_month(date: dt.datetime) -> dt.datetime:
    last = calendar.monthrange(date.year, date.month)[1]
    return dt.datetime(date.year, date.month, last, 23, 59, 59)


_FUNCTIONS: dict[str, Callable[..., object]] = {
    "round": _round,
    "abs": abs,
    "min": min,
    "max": max,
    "empty": lambda v: v is None or v == "" or (isinstance(v, Decimal) and v == 0),
    "year": lambda d: Decimal(d.year),
    "month": lambda d: Decimal(d.month),
    "day": lambda d: Decimal(d.day),
    "begin_of_day": lambda d: d.replace(hour=0, minute=0, second=0),
    "begin_of_month": lambda d: d.replace(day=1, hour=0, minute=0, second=0),
    "end_of_month": _end_of_month,
}


@dataclass(frozen=True)
class Expression:
    """A compiled expression. `tree` is its typed form, for those who compile it to something else."""

    source: str
    tree: Node
    run: Evaluate = field(repr=False, compare=False)
    """`evaluate` without the call between, for hot paths."""

    def evaluate(self, scope: Scope, dereference: Dereference) -> object:
        """The value over a scope of mappings and values. ExpressionInvalid."""
        return self.run(scope, dereference)

    def names(self) -> set[tuple[str, ...]]:
        """Every path the expression uses."""
        return {n.names for n in walk(self.tree) if isinstance(n, Path)}


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it."""
    yield node
    for child in children(node):
        yield from walk(child)


def children(node: Node) -> tuple[Node, ...]:
    match node:
        case Unary(_, operand):
            return (operand,)
        case Binary(_, left, right) | Compare(_, left, right):
            return (left, right)
        case BoolOp(_, parts):
            return parts
        case Conditional(test, then, otherwise):
            return (test, then, otherwise)
        case Call(_, arguments):
            return arguments
        case Sequence(items):
            return items
        case _:
            return ()


@lru_cache(maxsize=4096)
def compile_expression(source: str) -> Expression:
    """Parse and compile once per text. ExpressionInvalid."""
    tree = parse(source)
    return Expression(source, tree, _Compiler(source).compile(tree))


def rename_paths(source: str, rename: Callable[[tuple[str, ...]], tuple[str, ...]]) -> str:
    """The expression with every path renamed (Russian names to English ones); unchanged text when nothing changes."""
    parse(source)
    tree = ast.parse(source.strip(), mode="eval")
    renamer = _Renamer(rename)
    renamed = renamer.visit(tree)
    return ast.unparse(renamed) if renamer.changed else source


class _Renamer(ast.NodeTransformer):
    def __init__(self, rename: Callable[[tuple[str, ...]], tuple[str, ...]]) -> None:
        self.rename, self.changed = rename, False

    def visit_Call(self, node: ast.Call) -> ast.AST:
        node.args = [self.visit(a) for a in node.args]
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        return self._path(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return self._path(node)

    def _path(self, node: ast.expr) -> ast.AST:
        names: list[str] = []
        at = node
        while isinstance(at, ast.Attribute):
            names.insert(0, at.attr)
            at = at.value
        assert isinstance(at, ast.Name)
        before = (at.id, *names)
        after = self.rename(before)
        if after == before:
            return node
        self.changed = True
        made: ast.expr = ast.Name(after[0], ast.Load())
        for name in after[1:]:
            made = ast.Attribute(made, name, ast.Load())
        return made
