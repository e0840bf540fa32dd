"""Queries as JSON, for `infobase query` and doors over HTTP: strict both ways.

    {"source": "Document.SalesOrder", "select": ["Ref", {"expression": "Sum(Amount)", "alias": "Total"}],
     "where": {"and": [{"field": "Customer", "op": "=", "value": {"ref": "Catalog.Counterparties:<uuid>"}},
                       {"not": {"field": "Date", "op": "<", "value": {"date": "2026-01-01T00:00:00"}}}]},
     "group_by": ["Ref"], "order_by": ["-Total", {"expression": "Date", "descending": true}], "limit": 50}

A computed comparison is {"left": E, "op": "=", "right": E} with E = {"field": path} | {"call": function, "arguments": [E, ...]} | value;
rows of a tabular section are {"any": "Goods", "where": condition}.

Values: plain JSON scalars, or one tag: `ref`, `enum` ("DealStates.Won"), `date` (ISO), `number` (a decimal as text), `uuid`, `bytes` (base64).
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import uuid
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import TypeVar

from infobase.metadata.types import EnumValue, Ref
from infobase.query_model import (
    CONDITIONS,
    MAX_DEPTH,
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
    OrderItem,
    Query,
    SelectItem,
)
from infobase.query_names import invalid, nearest, shown

T = TypeVar("T")

_KEYS = (
    "source",
    "parameters",
    "select",
    "where",
    "group_by",
    "having",
    "order_by",
    "limit",
    "after",
    "distinct",
    "offset",
)


def _refuse(place: str, ru: str, en: str) -> Exception:
    return invalid(f"{place}: {ru}", f"{place}: {en}")


# --- from JSON ---


def from_json(data: object) -> Query:
    """A parsed JSON document -> a query. QueryInvalid names the place ("where.and[1].op"). Names are checked when it is compiled."""
    given = _object(data, "query", _KEYS)
    if "source" not in given:
        raise _refuse("query", "нет source", "no source")
    limit = given.get("limit")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int)):
        raise _refuse("limit", "нужно целое число", "an integer is needed")
    after = given.get("after")
    return Query(
        _text(given["source"], "source"),
        parameters=_parameters(given.get("parameters")),
        select=_list(given.get("select"), "select", _select),
        where=_optional(given.get("where"), "where"),
        group_by=_list(given.get("group_by"), "group_by", _text),
        having=_optional(given.get("having"), "having"),
        order_by=_list(given.get("order_by"), "order_by", _order),
        limit=limit,
        after=None if after is None else _list(after, "after", value_from_json),
        distinct=_flag(given.get("distinct", False), "distinct"),
        offset=_whole(given.get("offset", 0), "offset"),
    )


def _object(data: object, place: str, keys: Sequence[str]) -> Mapping[str, object]:
    if not isinstance(data, Mapping):
        raise _refuse(place, "нужен объект JSON", "a JSON object is needed")
    for key in data:
        if key not in keys:
            close = nearest(str(key), keys) or ", ".join(keys)
            raise _refuse(
                place, f"лишний ключ «{shown(key)}»; есть: {close}", f"unknown key {shown(key)!r}; known: {close}"
            )
    return data


def _text(data: object, place: str) -> str:
    if not isinstance(data, str):
        raise _refuse(place, "нужна строка", "a string is needed")
    return data


def _flag(data: object, place: str) -> bool:
    if not isinstance(data, bool):
        raise _refuse(place, "нужно true или false", "true or false is needed")
    return data


def _whole(data: object, place: str) -> int:
    if isinstance(data, bool) or not isinstance(data, int):
        raise _refuse(place, "нужно целое число", "an integer is needed")
    return data


def _list(data: object, place: str, item: Callable[[object, str], T]) -> tuple[T, ...]:
    if data is None:
        return ()
    if not isinstance(data, list | tuple):
        raise _refuse(place, "нужен список", "a list is needed")
    return tuple(item(x, f"{place}[{i}]") for i, x in enumerate(data))


def _select(data: object, place: str) -> SelectItem:
    if isinstance(data, str):
        return SelectItem(data)
    given = _object(data, place, ("expression", "alias"))
    return SelectItem(_text(given.get("expression"), place), _text(given.get("alias", ""), place))


def _order(data: object, place: str) -> OrderItem:
    if isinstance(data, str):
        return OrderItem(data.removeprefix("-"), descending=data.startswith("-"))
    given = _object(data, place, ("expression", "descending"))
    wanted = given.get("expression")
    if isinstance(wanted, Mapping):
        made = _expression(wanted, place, 0)
        if not isinstance(made, Call):
            raise _refuse(place, "нужно поле или вызов функции", "a field or a call is needed")
        return OrderItem(made, _flag(given.get("descending", False), place))
    return OrderItem(_text(wanted, place), _flag(given.get("descending", False), place))


def _parameters(data: object) -> dict[str, object]:
    if data is None:
        return {}
    if not isinstance(data, Mapping):
        raise _refuse("parameters", "нужен объект JSON", "a JSON object is needed")
    made: dict[str, object] = {}
    for name, value in data.items():
        place = f"parameters.{shown(name)}"
        is_condition = isinstance(value, Mapping) and not set(value) <= set(_TAGS)
        made[name] = condition_from_json(value, place) if is_condition else value_from_json(value, place)
    return made


def _optional(data: object, place: str) -> Condition | None:
    return None if data is None else condition_from_json(data, place)


def condition_from_json(data: object, place: str = "where", depth: int = 1) -> Condition:
    """One condition: {"field", "op", "value"}, {"and": [...]}, {"or": [...]} or {"not": ...}. QueryInvalid."""
    if depth > MAX_DEPTH:
        raise _refuse(place[:50], f"вложенность больше {MAX_DEPTH}", f"nested deeper than {MAX_DEPTH}")
    given = _object(data, place, ("field", "op", "value", "and", "or", "not", "left", "right", "any", "where"))
    if "field" in given:
        _object(data, place, ("field", "op", "value"))
        op = _text(given.get("op", "="), f"{place}.op")
        return Compare(_text(given["field"], f"{place}.field"), op, _operand(given.get("value"), f"{place}.value"))
    if "left" in given or "right" in given:
        _object(data, place, ("left", "op", "right"))
        sides = [_expression(given.get(side), f"{place}.{side}", depth) for side in ("left", "right")]
        return Computed(sides[0], _text(given.get("op", "="), f"{place}.op"), sides[1])
    if "any" in given:
        _object(data, place, ("any", "where"))
        part = given.get("where")
        inner = None if part is None else condition_from_json(part, f"{place}.where", depth + 1)
        return AnyRow(_text(given["any"], f"{place}.any"), inner)
    if len(given) != 1:
        raise _refuse(place, "нужно одно из: field, and, or, not", "one of field, and, or, not is needed")
    ((kind, inside),) = given.items()
    if kind == "not":
        return Not(condition_from_json(inside, f"{place}.not", depth + 1))
    if kind not in ("and", "or"):
        raise _refuse(place, "нет field", "no field")
    parts = _list(inside, f"{place}.{kind}", lambda x, p: condition_from_json(x, p, depth + 1))
    return And(parts) if kind == "and" else Or(parts)


def _expression(data: object, place: str, depth: int) -> Expression:
    if depth > MAX_DEPTH:
        raise _refuse(place[:50], f"вложенность больше {MAX_DEPTH}", f"nested deeper than {MAX_DEPTH}")
    if isinstance(data, Mapping) and "field" in data:
        return FieldValue(_text(_object(data, place, ("field",))["field"], f"{place}.field"))
    if isinstance(data, Mapping) and "call" in data:
        given = _object(data, place, ("call", "arguments"))
        arguments = _list(given.get("arguments"), f"{place}.arguments", lambda x, p: _expression(x, p, depth + 1))
        return Call(_text(given["call"], f"{place}.call"), arguments)
    value = value_from_json(data, place)
    if not isinstance(value, str | int | Decimal | dt.datetime):
        raise _refuse(place, "с таким значением не вычисляют", "not a value to compute with")
    return value


def _operand(data: object, place: str) -> object:
    return _list(data, place, value_from_json) if isinstance(data, list | tuple) else value_from_json(data, place)


def value_from_json(data: object, place: str = "value") -> object:
    """A scalar, or one tag with a text. QueryInvalid."""
    if isinstance(data, float):
        number = Decimal(repr(data))
        if not number.is_finite():
            raise _refuse(place, "не число", "not a number")
        return number
    if data is None or isinstance(data, bool | int | str | Decimal):
        return data
    if not isinstance(data, Mapping) or len(data) != 1:
        raise _refuse(place, "нужно значение или один тег", "a value or one tag is needed")
    ((tag, text),) = data.items()
    parse = _TAGS.get(str(tag))
    if parse is None:
        close = nearest(str(tag), _TAGS) or ", ".join(_TAGS)
        raise _refuse(
            place, f"неизвестный тег «{shown(tag)}»; есть: {close}", f"unknown tag {shown(tag)!r}; known: {close}"
        )
    try:
        return parse(_text(text, f"{place}.{tag}"))
    except (ValueError, InvalidOperation, binascii.Error):
        raise _refuse(f"{place}.{tag}", f"«{shown(text)}» не разобрано", f"cannot parse {shown(text)!r}") from None


def _ref(text: str) -> Ref:
    head, _, tail = text.rpartition(":")
    if head.count(".") != 1:
        raise ValueError(text)
    return Ref(head, uuid.UUID(tail))


def _enum(text: str) -> EnumValue:
    parts = text.split(".")
    if len(parts) not in (2, 3):
        raise ValueError(text)
    head = ".".join(parts[:2]) if len(parts) == 3 else f"Enumeration.{parts[0]}"
    return EnumValue(head, parts[-1])


def _date(text: str) -> dt.datetime:
    made = dt.datetime.fromisoformat(text)
    if made.tzinfo is not None:
        raise ValueError(text)
    return made


def _number(text: str) -> Decimal:
    made = Decimal(text)
    if not made.is_finite():
        raise ValueError(text)
    return made


_TAGS: dict[str, Callable[[str], object]] = {
    "ref": _ref,
    "enum": _enum,
    "date": _date,
    "number": _number,
    "uuid": uuid.UUID,
    "bytes": lambda text: base64.b64decode(text, validate=True),
}


# --- to JSON ---


def to_json(query: Query) -> dict[str, object]:
    """What `from_json` reads back as an equal query; what is absent is left out."""
    made: dict[str, object] = {
        "source": query.source,
        "parameters": {name: _parameter_to_json(v) for name, v in query.parameters.items()},
        "select": [{"expression": s.expression, "alias": s.alias} if s.alias else s.expression for s in query.select],
        "where": None if query.where is None else condition_to_json(query.where),
        "group_by": list(query.group_by),
        "having": None if query.having is None else condition_to_json(query.having),
        "order_by": [_order_to_json(o) for o in query.order_by],
        "limit": query.limit,
        "distinct": query.distinct,
        "offset": query.offset or None,
    }
    kept = {name: value for name, value in made.items() if value not in (None, [], {}, False)}
    if query.after is not None:
        kept["after"] = [value_to_json(v) for v in query.after]
    return kept


def _order_to_json(item: OrderItem) -> dict[str, object]:
    wanted = item.expression if isinstance(item.expression, str) else _expression_to_json(item.expression)
    return {"expression": wanted, "descending": item.descending}


def _parameter_to_json(value: object) -> object:
    return condition_to_json(value) if isinstance(value, CONDITIONS) else value_to_json(value)


def condition_to_json(condition: Condition) -> dict[str, object]:
    match condition:
        case Compare(field, op, value):
            many = isinstance(value, list | tuple | set | frozenset)
            plain = [value_to_json(v) for v in value] if many else value_to_json(value)  # type: ignore[attr-defined]
            return {"field": field, "op": op, "value": plain}
        case And(parts):
            return {"and": [condition_to_json(p) for p in parts]}
        case Or(parts):
            return {"or": [condition_to_json(p) for p in parts]}
        case Not(part):
            return {"not": condition_to_json(part)}
        case Computed(left, op, right):
            return {"left": _expression_to_json(left), "op": op, "right": _expression_to_json(right)}
        case AnyRow(section, None):
            return {"any": section}
        case AnyRow(section, Compare() | And() | Or() | Not() | Computed() | AnyRow() as inner):
            return {"any": section, "where": condition_to_json(inner)}
    raise AssertionError(condition)


def _expression_to_json(expression: Expression) -> object:
    match expression:
        case FieldValue(path):
            return {"field": path}
        case Call(function, arguments):
            return {"call": function, "arguments": [_expression_to_json(a) for a in arguments]}
        case _:
            return value_to_json(expression)


def value_to_json(value: object) -> object:
    """Scalars as they are, the rest tagged. QueryInvalid for what no query holds."""
    match value:
        case None | bool() | int() | str():
            return value
        case Decimal():
            return {"number": str(value)}
        case dt.datetime():
            return {"date": value.isoformat()}
        case dt.date():
            return {"date": dt.datetime(value.year, value.month, value.day).isoformat()}
        case Ref():
            return {"ref": str(value)}
        case EnumValue():
            return {"enum": f"{value.type}.{value.name}"}
        case uuid.UUID():
            return {"uuid": str(value)}
        case bytes():
            return {"bytes": base64.b64encode(value).decode("ascii")}
        case _:
            raise invalid(
                f"значение «{shown(value)}» не записать в JSON", f"the value {shown(value)!r} has no JSON form"
            )
