"""Virtual tables of registers as functions: SliceLast, SliceFirst, Balance, Turnovers, BalanceAndTurnovers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine_server.odata import edm, urls
from engine_server.odata.errors import NO_METHOD, ODataError, bad_option, refuse
from engine_server.odata.filtering import compile_filter
from engine_server.odata.literals import constant
from engine_server.odata.model import PLAIN, RECORD, TOTAL, EntityType, Model, Property, property_of, type_name
from infobase.metadata.model import AccumulationRegister, InformationRegister
from infobase.metadata.types import NumberType
from infobase.query_model import Condition
from infobase.query_names import FIGURES
from infobase.query_sources import figures_of
from infobase.schema.layout import TOTAL_DIGITS

TYPE_SUFFIXES = {"Balance": "Balance", "Turnovers": "Turnover", "BalanceAndTurnovers": "BalanceAndTurnover"}
"""Names of the complex types the functions return, as 1C has them."""
PARAMETERS = {
    "SliceLast": {"Period": "period", "Condition": "condition"},
    "SliceFirst": {"Period": "period", "Condition": "condition"},
    "Balance": {"Period": "period", "Condition": "condition", "Dimensions": ""},
    "Turnovers": {
        "StartPeriod": "start",
        "EndPeriod": "end",
        "Condition": "condition",
        "Dimensions": "",
        "Periodicity": "periodicity",
    },
    "BalanceAndTurnovers": {"StartPeriod": "start", "EndPeriod": "end", "Condition": "condition", "Dimensions": ""},
}
"""OData's parameters: the kernel's ("" for the choice of dimensions)."""


@dataclass(frozen=True)
class Function:
    """A call: the kernel's source and parameters, and the type of what it returns."""

    source: str
    entity: EntityType
    parameters: Mapping[str, object]


def functions_of(meta: object) -> tuple[str, ...]:
    """The functions of a register."""
    if isinstance(meta, InformationRegister):
        return ("SliceLast", "SliceFirst") if meta.periodicity else ()
    if isinstance(meta, AccumulationRegister):
        return ("Balance", "Turnovers", "BalanceAndTurnovers") if meta.has_balance else ("Turnovers",)
    return ()


def call(model: Model, entity: EntityType, name: str, inside: str | None, query: Mapping[str, str]) -> Function:
    """A function with its arguments from the parentheses or from the query string. ODataError 404 code 11, 400."""
    meta = model.configuration.objects[entity.object]
    found = next((f for f in functions_of(meta) if f.lower() == name.lower()), None)
    if found is None:
        raise no_method(entity, name)
    given = _arguments(found, inside, query)
    records = _records(model, entity)
    chosen = given.pop("Dimensions", None)
    result = (
        records
        if isinstance(meta, InformationRegister)
        else totals_type(model, entity.object, found, _dimensions(chosen))
    )
    parameters = {PARAMETERS[found][n]: _value(model, records, n, text) for n, text in given.items()}
    if parameters.get("periodicity") and not any(p.field == "Period" for p in result.properties):
        result = _with_period(result, str(parameters["periodicity"]), records)
    return Function(f"{entity.object}.{found}", result, parameters)


def no_method(entity: EntityType, name: str) -> ODataError:
    return refuse(
        404, NO_METHOD, f"Метод «{name[:60]}» не найден ({entity.name})", f"No method {name[:60]!r} of {entity.name}"
    )


def _arguments(name: str, inside: str | None, query: Mapping[str, str]) -> dict[str, str]:
    made = urls.arguments(inside or "")
    for given, text in query.items():
        known = urls.canonical(given)
        if known is not None:
            if known in made:
                raise bad_option(f"{known} указан дважды", f"{known} is given twice")
            made[known] = text
    for given in made:
        if given not in PARAMETERS[name]:
            raise bad_option(f"у {name} нет параметра {given}", f"{name} has no parameter {given}")
    return {n: t for n, t in made.items() if t.strip() not in ("", "''")}


def _records(model: Model, entity: EntityType) -> EntityType:
    """The entity type of single records."""
    if entity.variety == RECORD:
        return entity
    return entity.collections[0].rows


def _value(model: Model, records: EntityType, name: str, text: str) -> object:
    if name == "Condition":
        return _condition(model, records, text)
    if name == "Periodicity":
        return urls.unquoted(text)[0]
    value = constant(text)
    return edm.parse_date(name, value) if isinstance(value, str) else value


def _condition(model: Model, records: EntityType, text: str) -> Condition:
    readings = urls.unquoted(text)
    for reading in readings[:-1]:
        try:
            return compile_filter(model, records, reading)
        except ODataError:
            continue
    return compile_filter(model, records, readings[-1])


def _dimensions(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    return tuple(n.strip().removesuffix("_Key") for n in urls.unquoted(text)[0].split(",") if n.strip())


def totals_type(model: Model, full_name: str, function: str, dimensions: tuple[str, ...] | None = None) -> EntityType:
    """The type of rows of a totals table: dimensions (all, or those named) and the figures of every resource."""
    meta = model.configuration.objects[full_name]
    assert isinstance(meta, AccumulationRegister)
    name = f"{type_name(meta)}_{TYPE_SUFFIXES[function]}"
    known = EntityType(name, f"{full_name}.{function}", full_name, TOTAL, tuple(map(property_of, meta.dimensions)), ())
    chosen = known.properties if dimensions is None else tuple(dict.fromkeys(known.demand(d)[0] for d in dimensions))
    figures = [
        Property(
            r.naming.ru + FIGURES[f][0], r.naming.name + FIGURES[f][0], NumberType(TOTAL_DIGITS, _scale(r.type)), PLAIN
        )
        for r in meta.resources
        for f in figures_of(function, meta.has_balance)
    ]
    return EntityType(name, known.source, full_name, TOTAL, (*chosen, *figures), ())


def _scale(value_type: object) -> int:
    return value_type.scale if isinstance(value_type, NumberType) else 0


def _with_period(result: EntityType, periodicity: str, records: EntityType) -> EntityType:
    names = ["Period"]
    if periodicity.casefold() in ("recorder", "регистратор", "record", "запись"):
        names.append("Recorder")
    extra = tuple(records.demand(n)[0] for n in names)
    return EntityType(result.name, result.source, result.object, result.variety, (*extra, *result.properties), ())
