"""A query as data: frozen dataclasses that the kernel compiles to one SQL statement on either engine.

    Query(
        "Document.SalesOrder.Goods",
        select=(SelectItem("Ref.Customer.Region"), SelectItem("Sum(Amount)", "Total")),
        where=And((Compare("Ref.Posted", "=", True), Compare("Quantity", ">", Decimal(0)))),
        group_by=("Ref.Customer.Region",),
        order_by=(OrderItem("Total", descending=True),),
    )

Nothing in it is SQL: names are looked up in the configuration, values only ever travel as bound parameters.
Names of sources, fields, parameters and aggregates are accepted in English and in Russian, without regard to case.

**Sources**: `Catalog.X`, `Document.X`, a tabular section `Document.X.Goods` (its owner's fields through `Ref.`), `InformationRegister.X`,
`AccumulationRegister.X`, and virtual tables:

| virtual table | parameters | fields besides the dimensions |
|---|---|---|
| InformationRegister.X.SliceLast / .SliceFirst | period, condition | the register's own |
| AccumulationRegister.X.Balance | period, condition | `<Resource>Balance` |
| AccumulationRegister.X.Turnovers | start, end, periodicity, condition | `<Resource>Turnover`, `<Resource>Receipt`, `<Resource>Expense`, Period, Recorder |
| AccumulationRegister.X.BalanceAndTurnovers | start, end, condition | `<Resource>OpeningBalance`, ...Receipt, ...Expense, ...Turnover, ...ClosingBalance |

As in 1C: a balance at `period` counts the movements **before** that moment; `start` and `end` of turnovers are both **inclusive**;
slice-last at `period` includes records **at** that moment; no `period` means "now and everything" (the current totals).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Union

OPERATORS = (
    "=",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "in",
    "not in",
    "between",
    "contains",
    "starts_with",
    "is_empty",
    "in_hierarchy",
    "like",
    "is_type",
)
"""What `Compare.op` may be. `contains` and `starts_with` ignore case and treat the text literally; `in` and `not in` take a sequence,
`between` a pair (both ends inclusive); `is_empty` takes True or False; `in_hierarchy` takes a catalog reference (or a sequence of them)
and holds for it and everything under it; `like` takes a pattern of 1C's ПОДОБНО (`%`, `_`, `[а-я]`, `[^а-я]`), case aside;
`is_type` takes the name of a type of the field ("Catalog.X", "String", "Number", "Date", "Boolean", "UUID")."""
FUNCTIONS = (
    *("add", "subtract", "multiply", "divide", "negate", "round"),
    *("concat", "substring", "length", "index_of", "upper", "lower", "trim"),
    *("year", "quarter", "month", "day", "day_of_year", "day_of_week", "hour", "minute", "second"),
    *(f"add_{unit}" for unit in ("second", "minute", "hour", "day", "month", "quarter", "year")),
    *(f"difference_{unit}" for unit in ("second", "minute", "hour", "day", "month", "quarter", "year")),
)
"""What `Call.function` may be. Positions in texts count from 1 (`index_of`: 0 when there is none), days of the week from Monday = 1;
`add_month` keeps to the last day of a shorter month; differences count the boundaries crossed, as 1C's РАЗНОСТЬДАТ; division by zero
makes the comparison false."""

MAX_DEPTH = 40
"""Nesting of a condition: as much as SQLite's parser is sure to take."""
MAX_NODES = 10_000
"""Comparisons in one condition."""
MAX_LIST = 10_000
"""Values in one `in` list."""
MAX_LIMIT = 10_000
"""Rows of one page; a query without a limit has no such bound."""
MAX_PATTERN = 200
"""Characters of a `like` pattern."""
MAX_PATH = 8
"""References followed by one field path."""


@dataclass(frozen=True, slots=True)
class Compare:
    """One comparison. `field` is a path ("Customer.Region.Description"); `value` a kernel value (`None` = the empty value),
    `int` and `date` accepted for numbers and dates; texts accepted for enumerations (value name), dates (ISO) and
    references ("Catalog.X:uuid" or a UUID)."""

    field: str
    op: str
    value: object = None


@dataclass(frozen=True, slots=True)
class And:
    """All of `parts`; an empty one is true."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of `parts`; an empty one is false."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: Condition


@dataclass(frozen=True, slots=True)
class FieldValue:
    """A field's value inside a computed comparison."""

    path: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function of FUNCTIONS over fields, constants (text, number, date, Boolean) and other calls."""

    function: str
    arguments: tuple[Expression, ...]


Expression = Union[FieldValue, Call, str, int, Decimal, dt.datetime, bool]  # noqa: UP007


@dataclass(frozen=True, slots=True)
class Computed:
    """A comparison of computed values: `op` is one of = != < <= > >=. Texts compare exactly."""

    left: Expression
    op: str
    right: Expression


@dataclass(frozen=True, slots=True)
class AnyRow:
    """At least one row of the object's own tabular section satisfies `part`, whose fields are the section's; without `part`: any row."""

    section: str
    part: Condition | None = None


Condition = Union[Compare, And, Or, Not, Computed, AnyRow]  # noqa: UP007
CONDITIONS = (Compare, And, Or, Not, Computed, AnyRow)


@dataclass(frozen=True, slots=True)
class SelectItem:
    """A field path, or an aggregate: Sum, Count, Min, Max, Avg of a path, `Count(*)`, `Count(distinct path)`.
    `alias` names the value in the result; empty: the expression as it is written."""

    expression: str
    alias: str = ""

    @property
    def key(self) -> str:
        return self.alias or self.expression


@dataclass(frozen=True, slots=True)
class OrderItem:
    """A field path, an aggregate, or an alias from `select`; or a value computed of fields, for queries of single rows."""

    expression: str | Call
    descending: bool = False


@dataclass(frozen=True)
class Query:
    """`select` empty: every field of the source. `after`: the key of the last row of the page before (`CompiledQuery.page_key`).
    `parameters`: those of a virtual table. `offset`: rows left out before the `limit`; its cost grows with it, that of `after` does not. Rows always come in one total order: what `order_by` leaves open, the unique key decides."""

    source: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    select: tuple[SelectItem, ...] = ()
    where: Condition | None = None
    group_by: tuple[str, ...] = ()
    having: Condition | None = None
    order_by: tuple[OrderItem, ...] = ()
    limit: int | None = None
    after: tuple[object, ...] | None = None
    distinct: bool = False
    offset: int = 0


def all_of(*conditions: Condition | None) -> Condition | None:
    """The conjunction of those given; None when there is none."""
    given = tuple(c for c in conditions if c is not None)
    return None if not given else given[0] if len(given) == 1 else And(given)


def any_of(*conditions: Condition) -> Condition:
    """The disjunction; of nothing: what never holds."""
    return conditions[0] if len(conditions) == 1 else Or(conditions)


def equals(**values: object) -> Condition | None:
    """`equals(Product=ref, Warehouse=None)`: every field equals its value."""
    return all_of(*(Compare(name, "=", value) for name, value in values.items()))
