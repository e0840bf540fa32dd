"""`infobase query`: one structured query, from options or from a JSON file."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path

import click

from infobase.commands.access import Login, connection_argument, login_options, opened
from infobase.commands.interface import command, json_option, option
from infobase.commands.output import print_json, print_table, remark
from infobase.errors import QueryInvalid, UsageError
from infobase.i18n import text
from infobase.kernel import Kernel
from infobase.metadata.types import BooleanType, CompositeType, NumberType, ValueType
from infobase.query import compile_query
from infobase.query_json import from_json
from infobase.query_model import And, Compare, Condition, OrderItem, Query, SelectItem
from infobase.session import Session

_COMPARISON = re.compile(
    r"(?P<field>[\w.]+)\s*(?P<op>!=|<=|>=|=|<|>|\b(?:not\s+in|in_hierarchy|in|between|contains|starts_with|is_empty)\b)\s*(?P<value>.*)",
    re.DOTALL,
)
_TRUE = {"true", "1", "yes", "да", "истина"}
_FALSE = {"false", "0", "no", "нет", "ложь"}


@command(
    "query",
    ru="""Выполнить запрос

Условие: "Поле = значение"; операции = != < <= > >= in "not in" between contains starts_with is_empty in_hierarchy; значения in и
between через запятую. Несколько --where соединяются по И. Поля - через точку: Customer.Region.Description, имена на любом из языков.""",
    en="""Run a query

A condition: "Field = value"; operators = != < <= > >= in "not in" between contains starts_with is_empty in_hierarchy; values of in and
between with commas. Several --where hold together. Fields go through references: Customer.Region.Description, names in either language.""",
)
@connection_argument()
@login_options
@option(
    "--source", default="", ru="Источник: Catalog.X, AccumulationRegister.X.Balance ...", en="Source: Catalog.X ..."
)
@option("--parameter", multiple=True, ru="Параметр виртуальной таблицы: period=2026-02-01", en="period=2026-02-01 ...")
@option("--select", multiple=True, ru="Поля через запятую; Sum(Amount) as Total", en="Fields; Sum(Amount) as Total")
@option("--where", multiple=True, ru="Условие", en="A condition")
@option("--group", multiple=True, ru="Группировать по полям", en="Group by fields")
@option("--order", multiple=True, ru="Порядок: поля, -Поле по убыванию", en="Order: fields, -Field descending")
@option("--limit", type=click.IntRange(min=1), ru="Не больше строк", en="At most so many rows")
@option(
    "--query", "file", type=click.Path(dir_okay=False, path_type=Path), ru="Запрос из файла JSON", en="From a JSON file"
)
@json_option
def query(
    connection: str,
    login: Login,
    source: str,
    parameter: tuple[str, ...],
    select: tuple[str, ...],
    where: tuple[str, ...],
    group: tuple[str, ...],
    order: tuple[str, ...],
    limit: int | None,
    file: Path | None,
    as_json: bool,
) -> None:
    if bool(source) == (file is not None):
        detail = text(ru="укажите одно из двух: --source или --query", en="give one of the two: --source or --query")
        raise UsageError(detail=detail)
    with opened(connection, login) as (base, session):
        if file is not None:
            wanted = from_json(read_json(file))
        else:
            plain = Query(source, parameters=dict(_parameter(p) for p in parameter))
            wanted = Query(
                source,
                parameters=plain.parameters,
                select=tuple(_select_item(s) for s in _listed(select)),
                where=_all_of([_condition(base.kernel, plain, w) for w in where]),
                group_by=tuple(_listed(group)),
                order_by=tuple(OrderItem(o.removeprefix("-"), descending=o.startswith("-")) for o in _listed(order)),
                limit=limit,
            )
        rows = session.query(wanted)
        _print_rows(session, rows, as_json=as_json)


def _print_rows(session: Session, rows: Sequence[Mapping[str, object]], *, as_json: bool) -> None:
    if as_json:
        print_json(rows)
        return
    if not rows:
        remark(text(ru="Строк нет", en="No rows"))
        return
    with session.reading():
        print_table(list(rows[0]), [[presented(session, value) for value in row.values()] for row in rows])


def presented(session: Session, value: object) -> object:
    """What a table shows: numbers and dates as they are (they are laid out later), references in words."""
    if isinstance(value, Decimal | dt.datetime | bytes):
        return value
    return session.presentation(value)  # type: ignore[arg-type]


def read_json(file: Path) -> object:
    """A JSON document; its numbers are exact. QueryInvalid when it is not one."""
    try:
        return json.loads(file.read_text("utf-8-sig"), parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as e:  # a number may have an exponent beyond all bounds
        raise QueryInvalid(detail=f"{file}: {e}") from e


def _listed(given: Sequence[str]) -> list[str]:
    """Comma-separated words of all options, blanks around them cut."""
    return [word.strip() for one in given for word in one.split(",") if word.strip()]


def _select_item(written: str) -> SelectItem:
    expression, _, alias = re.sub(r"\s+(?:as|как)\s+", "\0", written, flags=re.IGNORECASE).partition("\0")
    return SelectItem(expression.strip(), alias.strip())


def _parameter(written: str) -> tuple[str, object]:
    name, mark, value = written.partition("=")
    if not mark:
        detail = text(ru=f"параметр пишут имя=значение: {written}", en=f"a parameter is name=value: {written}")
        raise UsageError(detail=detail)
    return name.strip(), value.strip()


def _all_of(conditions: list[Condition]) -> Condition | None:
    return And(tuple(conditions)) if conditions else None


def _condition(kernel: Kernel, source: Query, written: str) -> Condition:
    found = _COMPARISON.fullmatch(written.strip())
    if found is None:
        detail = text(ru=f"условие не разобрано: {written}", en=f"cannot parse the condition: {written}")
        raise UsageError(detail=detail)
    field, op, value = found["field"], re.sub(r"\s+", " ", found["op"]), found["value"].strip()
    if op == "is_empty":
        return Compare(field, op, value.casefold() not in _FALSE)
    held = _type_of(kernel, source, field)
    if op in ("in", "not in", "between"):
        return Compare(field, op, tuple(_value(held, part.strip(), field) for part in value.split(",")))
    return Compare(field, op, _value(held, value, field))


def _type_of(kernel: Kernel, source: Query, field: str) -> ValueType:
    """What the field holds, asked of the compiler itself; QueryInvalid for an unknown one."""
    asked = Query(source.source, parameters=source.parameters, select=(SelectItem(field),))
    return compile_query(kernel, asked).columns[0].type


def _value(held: ValueType, written: str, field: str) -> object:
    """The text of the command line as the field's type reads it; references, dates and enumerations read text themselves."""
    if len(written) >= 2 and written[0] == written[-1] and written[0] in "\"'":
        written = written[1:-1]
    match held:
        case NumberType():
            return _number(written, field)
        case BooleanType():
            return _boolean(written, field)
        case CompositeType(types) if any(isinstance(t, NumberType) for t in types) and re.fullmatch(
            r"-?[\d.]+", written
        ):
            return _number(written, field)
    return written


def _number(written: str, field: str) -> Decimal:
    try:
        return Decimal(written.replace(",", "."))
    except InvalidOperation:
        ru, en = f"{field}: «{written}» - не число", f"{field}: {written!r} is not a number"
        raise QueryInvalid(detail=text(ru=ru, en=en)) from None


def _boolean(written: str, field: str) -> bool:
    word = written.casefold()
    if word not in _TRUE | _FALSE:
        ru, en = f"{field}: ожидается да или нет", f"{field}: yes or no is expected"
        raise QueryInvalid(detail=text(ru=ru, en=en))
    return word in _TRUE
