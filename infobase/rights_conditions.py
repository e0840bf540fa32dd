"""Record-level restrictions: an expression of the configuration -> a condition; a condition over one record in memory.

A restriction may compare a field path with a constant, `user.name` or `user.ref`, test it with `empty()`, look it up in a list, and combine
such tests with and, or, not. Names may be English or Russian.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from infobase.errors import ExpressionInvalid
from infobase.i18n import Bilingual
from infobase.metadata import expressions as ex
from infobase.metadata.model import Configuration, Enumeration, find_field
from infobase.metadata.types import EnumValue, Ref, Value
from infobase.query_model import And, Compare, Condition, Not, Or

Dereference = Callable[[Ref, str], Value]

_OPERATORS = {"==": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">=", "in": "in", "not in": "not in"}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_USER = ("user", "пользователь")
_NAME = ("name", "имя")
_REF = ("ref", "ссылка")


def condition_of_expression(source: str, user_name: str, user_ref: Ref | None = None) -> Condition:
    """The restriction as data, for this user. ExpressionInvalid when it says what a filter cannot."""
    return _Translator(source, user_name, user_ref).condition(ex.compile_expression(source).tree)


class _Translator:
    def __init__(self, source: str, user_name: str, user_ref: Ref | None) -> None:
        self.source, self.user_name, self.user_ref = source, user_name, user_ref

    def refuse(self, ru: str, en: str) -> ExpressionInvalid:
        return ExpressionInvalid(expression=self.source, detail=Bilingual(ru, en))

    def condition(self, node: ex.Node) -> Condition:
        match node:
            case ex.BoolOp("and", parts):
                return And(tuple(map(self.condition, parts)))
            case ex.BoolOp(_, parts):
                return Or(tuple(map(self.condition, parts)))
            case ex.Unary("not", operand):
                return Not(self.condition(operand))
            case ex.Compare(op, left, right):
                return self._compare(op, left, right)
            case ex.Call("empty", (argument,)) if self._is_field(argument):
                return Compare(self._field(argument), "is_empty", True)
            case ex.Path() if self._is_field(node):
                return Compare(self._field(node), "=", True)
            case ex.Constant(bool(value)):
                return _constant(value)
            case _:
                raise self.refuse(
                    "в ограничении доступа разрешены сравнения полей, empty(), and, or, not",
                    "a restriction takes comparisons of fields, empty(), and, or, not",
                )

    def _compare(self, op: str, left: ex.Node, right: ex.Node) -> Condition:
        name = _OPERATORS[op]
        if self._is_field(left) and not self._has_field(right):
            return Compare(self._field(left), name, self._value(right))
        if self._is_field(right) and not self._has_field(left) and name not in ("in", "not in"):
            return Compare(self._field(right), _MIRRORED.get(name, name), self._value(left))
        if not self._has_field(left) and not self._has_field(right):
            return _constant(_holds(name, self._value(left), self._value(right)))
        raise self.refuse(
            "поле можно сравнить с константой, user.name или user.ref, но не с другим полем",
            "a field is compared with a constant, user.name or user.ref, not with another field",
        )

    def _is_field(self, node: ex.Node) -> bool:
        return isinstance(node, ex.Path) and node.names[0] not in _USER

    def _has_field(self, node: ex.Node) -> bool:
        return any(self._is_field(n) for n in ex.walk(node))

    def _field(self, node: ex.Node) -> str:
        assert isinstance(node, ex.Path)
        return ".".join(node.names)

    def _value(self, node: ex.Node) -> object:
        match node:
            case ex.Constant(value):
                return value
            case ex.Path((_, name)) if name.casefold() in _NAME:
                return self.user_name
            case ex.Path((_, name)) if name.casefold() in _REF:
                return self.user_ref
            case ex.Call("value", (ex.Constant(str(written)),)):
                return ex.named_value(written)
            case ex.Unary("-", ex.Constant(Decimal() as number)):
                return -number
            case ex.Sequence(items):
                return tuple(map(self._value, items))
            case _:
                raise self.refuse(
                    "справа нужна константа, value(), user.name или user.ref",
                    "a constant, value(), user.name or user.ref is needed",
                )


def _constant(holds: bool) -> Condition:
    return And(()) if holds else Or(())


# --- one record ---


class RowCondition:
    """A condition over a record of one object, held in memory."""

    def __init__(self, configuration: Configuration, full_name: str, condition: Condition) -> None:
        self.configuration, self.condition = configuration, condition
        o = configuration.objects[full_name]
        self._fields = getattr(o, "fields", ())

    def holds(self, values: Mapping[str, Value], dereference: Dereference) -> bool:
        """Whether the record satisfies it. `values` by English names."""
        return self._holds(self.condition, values, dereference)

    def _holds(self, condition: Condition, values: Mapping[str, Value], dereference: Dereference) -> bool:
        match condition:
            case And(parts):
                return all(self._holds(p, values, dereference) for p in parts)
            case Or(parts):
                return any(self._holds(p, values, dereference) for p in parts)
            case Not(part):
                return not self._holds(part, values, dereference)
            case Compare(field, op, wanted):
                found = self._value(field.split("."), values, dereference)
                if op == "is_empty":
                    return _is_empty(found) is (wanted is not False)
                return _holds(op, found, self._named(found, wanted))
            case _:
                detail = Bilingual("такое условие не для прав", "such a condition is not for rights")
                raise ExpressionInvalid(expression=type(condition).__name__, detail=detail)

    def _value(self, names: Sequence[str], values: Mapping[str, Value], dereference: Dereference) -> Value:
        if names[0].casefold() in _REF and len(names) > 1:
            names = names[1:]
        field = find_field(self._fields, names[0])
        if field is None or field.name not in values:
            raise ExpressionInvalid(
                expression=".".join(names), detail=Bilingual(f"нет поля {names[0]}", f"no field {names[0]}")
            )
        value = values[field.name]
        for name in names[1:]:
            if not isinstance(value, Ref):
                return None
            if name.casefold() not in _REF:
                value = dereference(value, name)
        return value

    def _named(self, found: Value, wanted: object) -> object:
        """Enumeration values may be written by name, in either language."""
        if isinstance(wanted, tuple | list):
            return tuple(self._named(found, w) for w in wanted)
        if not isinstance(found, EnumValue) or not isinstance(wanted, str):
            return wanted
        enumeration = self.configuration.objects[found.type]
        assert isinstance(enumeration, Enumeration)
        naming = enumeration.value(wanted.rpartition(".")[2])
        return EnumValue(found.type, naming.name) if naming else wanted


def _is_empty(value: object) -> bool:
    return value is None or (not isinstance(value, bool) and value in ("", b"", Decimal(0))) or value is False


def _filled(value: object, other: object) -> object:
    """The empty value in the type of what it is compared with."""
    if value is not None:
        return value
    match other:
        case str():
            return ""
        case bool():
            return False
        case Decimal() | int():
            return Decimal(0)
        case dt.datetime():
            return dt.datetime.min
        case _:
            return None


def _holds(op: str, left: object, right: object) -> bool:
    if op in ("in", "not in"):
        assert isinstance(right, tuple | list)
        return any(_holds("=", left, r) for r in right) is (op == "in")
    a, b = _filled(left, right), _filled(right, left)
    if op in ("=", "!="):
        same = a == b and isinstance(a, bool) == isinstance(b, bool)
        return same is (op == "=")
    ordered = isinstance(a, Decimal | int) and isinstance(b, Decimal | int)
    if not ordered and not (isinstance(a, str | dt.datetime) and type(a) is type(b)):
        return False
    below, above = bool(a < b), bool(a > b)  # type: ignore[operator]
    return {"<": below, "<=": not above, ">": above, ">=": not below}[op]
