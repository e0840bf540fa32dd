"""$filter's syntax tree -> a condition of the kernel: data, in which the client's text is at most a bound value.

What compares a property with a constant becomes a plain comparison that indexes can serve; the rest is computed. Functions, their arguments
and the priority of operators are those of 1C's documentation; besides them length, indexof, tolower, toupper and trim are understood.
As in 1C, positions in `substring` count from 1, days of the week from Monday = 1, and a composite compared with a bare GUID equals nothing.
"""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import cast

from engine_server.odata import edm, paths
from engine_server.odata.errors import BAD_FUNCTION, ODataError, bad_option, refuse
from engine_server.odata.filter_syntax import Function, Lambda, Literal, Node, Operation, Path, parse_filter
from engine_server.odata.model import (
    COMPOSITE,
    NAMESPACE,
    PREDEFINED,
    STORAGE,
    TYPE,
    VERSION,
    Collection,
    EntityType,
    Model,
    Property,
)
from engine_server.odata.paths import FoundPath
from engine_server.odata.row_paths import ROW, as_row, paths_in
from infobase.metadata.types import (
    EMPTY_UUID,
    BooleanType,
    EnumType,
    NumberType,
    Ref,
    StringType,
    simple_types,
)
from infobase.query_model import (
    And,
    AnyRow,
    Call,
    Compare,
    Computed,
    Condition,
    Expression,
    FieldValue,
    Not,
    Or,
    all_of,
)

TRUE, FALSE = And(()), Or(())
_OPERATORS = {"eq": "=", "ne": "!=", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_MIRRORED = {"=": "=", "!=": "!=", ">": "<", ">=": "<=", "<": ">", "<=": ">="}
_ARITHMETIC = {"add": "add", "sub": "subtract", "mul": "multiply", "div": "divide"}
_FUNCTIONS = {
    "concat": ("concat", 2, 2),
    "substring": ("substring", 2, 3),
    "length": ("length", 1, 1),
    "tolower": ("lower", 1, 1),
    "toupper": ("upper", 1, 1),
    "trim": ("trim", 1, 1),
    "round": ("round", 1, 1),
    "dayofweek": ("day_of_week", 1, 1),
    "dayofyear": ("day_of_year", 1, 1),
    **{name: (name, 1, 1) for name in ("year", "quarter", "month", "day", "hour", "minute", "second")},
}
"""OData's name: the kernel's, least and most arguments."""
_UNITS = ("second", "minute", "hour", "day", "month", "quarter", "year")
_TESTS = ("startswith", "endswith", "substringof", "contains", "like", "isof")
_WORDS = {"string": "String", "number": "Number", "boolean": "Boolean", "date": "Date", "uuid": "UUID"}
_EDM_WORDS = {
    "edm.string": "String",
    "edm.boolean": "Boolean",
    "edm.datetime": "Date",
    "edm.guid": "UUID",
    **{f"edm.{n}": "Number" for n in ("double", "decimal", "int16", "int32", "int64")},
}


def compile_filter(model: Model, entity: EntityType, text: str) -> Condition:
    """The condition a $filter means for entities of this type. ODataError 400, 404."""
    return Filtering(model, entity).condition(parse_filter(text))


def compile_order(model: Model, entity: EntityType, text: str) -> Call | str:
    """What a function in $orderby means: a value to order by, or the field when `cast` only names its type. ODataError 400, 404."""
    return Filtering(model, entity).order(parse_filter(text))


class Filtering:
    """Compiles trees over one entity type. `variable`: the lambda variable that stands for it ("" outside lambdas)."""

    def __init__(self, model: Model, entity: EntityType, variable: str = "") -> None:
        self._model, self._entity, self._variable = model, entity, variable
        self._configuration = model.configuration

    def condition(self, node: Node) -> Condition:
        match node:
            case Operation("and", parts):
                return And(tuple(self.condition(p) for p in parts))
            case Operation("or", parts):
                return _any([self.condition(p) for p in parts])
            case Operation("not", (part,)):
                return Not(self.condition(part))
            case Operation(operator, (left, right)) if operator in _OPERATORS:
                return self._of_rows(node) or self._comparison(left, _OPERATORS[operator], right)
            case Function(name, arguments):
                return self._of_rows(node) or self._test(name, arguments)
            case Lambda():
                return self._lambda(node)
            case Literal(bool() as value):
                return TRUE if value else FALSE
            case Path():
                return self._flag(node)
        raise bad_option("нужно условие", "a condition is needed")

    def order(self, node: Node) -> Call | str:
        target = self._direct(node)
        if target is not None and not target.guards:
            return target.field
        made = self._expression(node)
        if not isinstance(made, Call):
            raise bad_option("$orderby: нужно поле или функция", "$orderby: a field or a function is needed")
        return made

    def _flag(self, node: Path) -> Condition:
        found = self._path(node)
        if found.property.kind == PREDEFINED or isinstance(found.property.type, BooleanType):
            return self._with_constant(found, "=", True)
        raise bad_option(f"{found.property.name} - не условие", f"{found.property.name} is no condition")

    # --- comparisons ---

    def _comparison(self, left: Node, op: str, right: Node) -> Condition:
        for node, other in ((left, right), (right, left)):
            if isinstance(other, Literal) and isinstance(other.value, bool) and self._is_condition(node):
                return self._equals_truth(node, op, other.value)
        if self._is_constant(left) and not self._is_constant(right):
            left, op, right = right, _MIRRORED[op], left
        target = self._direct(left)
        if target is not None and self._is_constant(right):
            return self._with_constant(target, op, self._constant(right))
        return Computed(self._expression(left), op, self._expression(right))

    def _of_rows(self, node: Node) -> Condition | None:
        """`Товары/Цена gt 10`, as clients write it without `any`: some row of the section is so. None: no section is spoken of."""
        names = {c.name for p in paths_in(node) if (c := self._section(p.names)) is not None and p.head is None}
        if self._variable or not names:
            return None
        if len(names) > 1:
            raise bad_option("строки двух табличных частей не сравниваются", "rows of two sections are not compared")
        collection = self._entity.collection(names.pop())
        assert collection is not None
        inner = Filtering(self._model, collection.rows, ROW).condition(as_row(node, self._section))
        return AnyRow(collection.section, inner)

    def _section(self, names: tuple[str, ...]) -> Collection | None:
        """The tabular section that a path begins with."""
        found = self._entity.collection(names[0]) if len(names) > 1 else None
        return found if found is not None and found.section and self._entity.find(names[0]) is None else None

    def _is_condition(self, node: Node) -> bool:
        match node:
            case Lambda():
                return True
            case Operation(operator):
                return operator in ("and", "or", "not") or operator in _OPERATORS
            case Function(name):
                return name in _TESTS
            case _:
                return False

    def _equals_truth(self, node: Node, op: str, value: bool) -> Condition:
        if op not in ("=", "!="):
            raise bad_option("условия только равны или не равны", "conditions are only equal or not")
        made = self.condition(node)
        return made if value is (op == "=") else Not(made)

    def _direct(self, node: Node) -> FoundPath | None:
        """A property compared as it is; `cast` of one looks at its values of that type only."""
        if isinstance(node, Path):
            return self._path(node)
        if isinstance(node, Function) and node.name == "cast" and isinstance(node.arguments[0], Path):
            return self._path(node.arguments[0])
        return None

    @staticmethod
    def _is_constant(node: Node) -> bool:
        match node:
            case Literal():
                return True
            case Operation("-", (Literal(Decimal()),)):
                return True
            case Function("cast", (Literal(), *_)):
                return True
            case _:
                return False

    def _constant(self, node: Node) -> object:
        match node:
            case Literal(value):
                return value
            case Operation("-", (Literal(Decimal() as value),)):
                return -value
            case Function("cast", (Literal(value), Literal(str() as name))):
                return self._cast(value, name)
        raise self._bad_function("cast")

    def _cast(self, value: object, name: str) -> object:
        """`cast(guid'...', 'Catalog_X')` is a reference; of plain types the value itself."""
        target = self._model.object_of_type(name)
        if target is None:
            return value
        made = edm.parse_guid("cast", value)
        return None if made == EMPTY_UUID else Ref(target, made)

    def _with_constant(self, found: FoundPath, op: str, value: object) -> Condition:
        p = found.property
        if found.suffix == TYPE:
            made = self._type_comparison(found, op, value)
        elif p.kind == PREDEFINED:
            made = Compare(found.field, "is_empty", edm.parse_bool(p.name, value) is not (op == "="))
        elif p.kind == STORAGE:
            raise bad_option(
                f"{p.name}: хранилище значения не сравнивается", f"{p.name}: a value storage is not compared"
            )
        elif p.kind == COMPOSITE:
            made = self._composite(found, op, value)
        else:
            made = Compare(found.field, op, self._converted(p, value))
        return cast(Condition, all_of(*found.guards, made))

    def _type_comparison(self, found: FoundPath, op: str, value: object) -> Condition:
        name = str(value).removeprefix(f"{NAMESPACE}.")
        made: Condition = Compare(found.field, "is_type", self._type_word(name))
        if name == "Undefined":
            made = Compare(found.field, "is_empty", True)
        return made if op == "=" else Not(made)

    def _composite(self, found: FoundPath, op: str, value: object) -> Condition:
        if value is None or value == "":
            return Compare(found.field, "is_empty", op == "=")
        if isinstance(value, uuid.UUID):
            return FALSE if op == "=" else TRUE
        kinds = {type(t) for t in simple_types(found.property.type)}
        if isinstance(value, str) and StringType not in kinds and EnumType in kinds:
            return self._enumerations(found, op, value)
        if isinstance(value, Decimal) and NumberType not in kinds or isinstance(value, str) and StringType not in kinds:
            return FALSE if op == "=" else TRUE
        return Compare(found.field, op, value)

    def _enumerations(self, found: FoundPath, op: str, value: str) -> Condition:
        """A name that several enumerations of the composite may have."""
        targets = [t.target for t in simple_types(found.property.type) if isinstance(t, EnumType)]
        parts: list[Condition] = []
        for target in targets:
            if self._configuration.objects[target].value(value) is not None:  # type: ignore[union-attr]
                parts.append(Compare(found.field, "=", edm.parse_enum(self._configuration, found.field, target, value)))
        return Or(tuple(parts)) if op == "=" else Not(Or(tuple(parts)))

    def _converted(self, p: Property, value: object) -> object:
        if p.kind == VERSION:
            return edm.parse_version(p.name, value)
        if isinstance(value, Ref | None):
            return value
        if p.field == "PredefinedDataName" and isinstance(value, str):
            return self._predefined(value)
        simple = p.simple
        if isinstance(value, dt.datetime | Decimal | bool | uuid.UUID) and not self._suits(simple, value):
            raise edm.unfit(p.name, value, edm.edm_type(simple))
        return value if isinstance(value, dt.datetime) else edm.parse(self._configuration, p.name, simple, value)

    def _predefined(self, value: str) -> str:
        """The stored name of a predefined item that is shown by its Russian one."""
        items = (i for o in self._configuration.catalogs for i in o.predefined)
        return next((i.name for i in items if i.naming.answers_to(value)), value)

    @staticmethod
    def _suits(simple: object, value: object) -> bool:
        wanted = {
            dt.datetime: "Edm.DateTime",
            Decimal: "number",
            bool: "Edm.Boolean",
            uuid.UUID: "Edm.Guid",
        }[type(value)]
        found = edm.edm_type(simple)  # type: ignore[arg-type]
        return found == wanted or (
            wanted == "number" and found in ("Edm.Int16", "Edm.Int32", "Edm.Int64", "Edm.Double")
        )

    # --- functions that are conditions ---

    def _test(self, name: str, arguments: tuple[Node, ...]) -> Condition:
        if name == "isof":
            return self._is_of(arguments)
        if name not in _TESTS:
            raise self._bad_function(name)
        if len(arguments) != 2:
            raise self._bad_function(name)
        if name == "substringof":
            needle, text = arguments
        else:
            text, needle = arguments
        if not isinstance(needle, Literal) or not isinstance(needle.value, str):
            raise self._bad_function(name)
        return self._text_test("contains" if name == "substringof" else name, text, needle.value)

    def _text_test(self, name: str, node: Node, needle: str) -> Condition:
        """Case counts for nothing, as in 1C, so `tolower(F)` is as good as F here."""
        while isinstance(node, Function) and node.name in ("tolower", "toupper") and len(node.arguments) == 1:
            node = node.arguments[0]
        if not isinstance(node, Path):
            return self._computed_test(name, node, needle)
        found = self._path(node)
        op, value = {
            "contains": ("contains", needle),
            "startswith": ("starts_with", needle),
            "endswith": ("like", "%" + _escaped(needle)),
            "like": ("like", needle),
        }[name]
        return cast(Condition, all_of(*found.guards, Compare(found.field, op, value)))

    def _computed_test(self, name: str, node: Node, needle: str) -> Condition:
        text, wanted = Call("lower", (self._expression(node),)), Call("lower", (needle,))
        match name:
            case "contains":
                return Computed(Call("index_of", (text, wanted)), ">", 0)
            case "startswith":
                return Computed(Call("substring", (text, 1, len(needle))), "=", wanted)
            case "endswith":
                start = Call("subtract", (Call("length", (text,)), len(needle) - 1))
                return Computed(Call("substring", (text, start)), "=", wanted)
        raise self._bad_function(name)

    def _is_of(self, arguments: tuple[Node, ...]) -> Condition:
        match arguments:
            case (Path() as path, Literal(str() as name)):
                found = self._path(path)
                made = Compare(found.field, "is_type", self._type_word(name.removeprefix(f"{NAMESPACE}.")))
                return cast(Condition, all_of(*found.guards, made))
        raise self._bad_function("isof")

    def _type_word(self, name: str) -> str:
        known = _WORDS.get(name.lower()) or _EDM_WORDS.get(name.lower())
        return known or self._model.object_of_type(name) or name

    def _lambda(self, node: Lambda) -> Condition:
        names = node.path[1:] if self._variable and node.path[:1] == (self._variable,) else node.path
        collection = self._entity.collection(names[0]) if len(names) == 1 else None
        if collection is None or not collection.section or node.quantifier not in ("any", "all"):
            raise self._bad_function(node.quantifier)
        if node.body is None:
            return AnyRow(collection.section) if node.quantifier == "any" else TRUE
        inner = Filtering(self._model, collection.rows, node.variable).condition(node.body)
        if node.quantifier == "any":
            return AnyRow(collection.section, inner)
        return Not(AnyRow(collection.section, Not(inner)))

    # --- computed values ---

    def _expression(self, node: Node) -> Expression:
        match node:
            case Literal(str() | Decimal() | dt.datetime() | bool() as value):
                return value
            case Path():
                return self._field_value(self._path(node))
            case Operation("-", (part,)):
                return Call("negate", (self._expression(part),))
            case Operation(operator, (left, right)) if operator in _ARITHMETIC:
                return Call(_ARITHMETIC[operator], (self._expression(left), self._expression(right)))
            case Function(name, arguments):
                return self._call(name, arguments)
        raise bad_option("это не вычислить", "this cannot be computed")

    def _field_value(self, found: FoundPath) -> Expression:
        if found.guards or found.property.kind in (COMPOSITE, STORAGE, PREDEFINED, VERSION):
            raise bad_option(f"с {found.property.name} не вычисляют", f"{found.property.name} is not for computing")
        return FieldValue(found.field)

    def _call(self, name: str, arguments: tuple[Node, ...]) -> Expression:
        if name == "indexof" and len(arguments) == 2:
            text, wanted = (self._expression(a) for a in arguments)
            return Call("subtract", (Call("index_of", (text, wanted)), 1))
        if name == "dateadd" and len(arguments) == 3:
            moment, unit, count = arguments
            return Call(f"add_{self._unit(unit)}", (self._expression(moment), self._expression(count)))
        if name == "datedifference" and len(arguments) == 3:
            first, second, unit = arguments
            return Call(f"difference_{self._unit(unit)}", (self._expression(first), self._expression(second)))
        known = _FUNCTIONS.get(name)
        if known is None or not known[1] <= len(arguments) <= known[2]:
            raise self._bad_function(name)
        return Call(known[0], tuple(self._expression(a) for a in arguments))

    def _unit(self, node: Node) -> str:
        if isinstance(node, Literal) and isinstance(node.value, str) and node.value.lower() in _UNITS:
            return node.value.lower()
        raise self._bad_function("dateadd")

    # --- paths ---

    def _path(self, node: Path) -> FoundPath:
        names = node.names
        if node.head is not None:
            return self._path_of_cast(node.head, names)
        if self._variable:
            if names[0] != self._variable or len(names) < 2:
                raise bad_option(
                    f"внутри any/all - только поля строки: {self._variable}/{'/'.join(names)}",
                    f"inside any/all only fields of the row: {self._variable}/{'/'.join(names)}",
                )
            names = names[1:]
        return paths.resolve(self._model, self._entity, names)

    def _path_of_cast(self, head: Function, names: tuple[str, ...]) -> FoundPath:
        match head:
            case Function("cast", (Path() as inner, Literal(str() as name))):
                target = self._model.object_of_type(name)
                if target is None:
                    raise refuse(404, 8, f"Тип сущности не найден: {name[:80]}", f"No such entity type: {name[:80]}")
                return paths.resolve_from(self._model, self._path(inner), target, names)
        raise self._bad_function(head.name)

    @staticmethod
    def _bad_function(name: str) -> ODataError:
        return refuse(
            400,
            BAD_FUNCTION,
            f"Функция {name[:40]}() не поддерживается или вызвана с неверными аргументами",
            f"The function {name[:40]}() is not supported or its arguments are wrong",
        )


def _any(parts: list[Condition]) -> Condition:
    """The disjunction; several equalities of one field, as clients write lists, become one."""
    kept: list[Condition] = []
    lists: dict[str, list[object]] = {}
    for part in parts:
        if isinstance(part, Compare) and part.op == "=" and part.value is not None:
            lists.setdefault(part.field, []).append(part.value)
        else:
            kept.append(part)
    for field, values in lists.items():
        kept.append(Compare(field, "=", values[0]) if len(values) == 1 else Compare(field, "in", tuple(values)))
    return kept[0] if len(kept) == 1 else Or(tuple(kept))


def _escaped(text: str) -> str:
    """The text as a pattern that means just it."""
    return "".join(f"[{c}]" if c in "%_[" else c for c in text)
