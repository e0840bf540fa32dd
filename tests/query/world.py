"""A fixed little world of records, awkward on purpose, and what anyone would answer about it in plain Python."""

from __future__ import annotations

import datetime as dt
import random
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal

from infobase.metadata.types import EnumValue, Ref, Value
from infobase.query_model import And, Compare, Condition, Not, Or
from infobase.schema.search import search_key
from tests.query.sample import CONTRACTS, CUSTOMERS, KINDS, ORDER, PAYMENT, PRODUCTS, REGIONS
from tests.query.stores import Store

Record = dict[str, Value]

NAMES = (
    "Ёлка",
    "ель",
    "Ель",
    "еж",
    "Ёж",
    "ЮГ",
    "100%",
    "a_b",
    "A_B",
    "[x]",
    "o'Neil",
    'say "x"',
    "*?",
    "",
    "Я",
    "z",
    "𝔘",
    "ß",
)
BIG, SMALL = EnumValue(KINDS, "Big"), EnumValue(KINDS, "Small")
MOMENT = dt.datetime(2026, 2, 28, 23, 59, 59)


def ref(full_name: str, number: int) -> Ref:
    """The same reference for the same number, in an order unlike that of numbers."""
    return Ref(full_name, uuid.uuid5(uuid.NAMESPACE_OID, f"{full_name}{number}"))


class World:
    """`objects`: records by full name; `by_ref`: the same by reference; `goods`: rows of orders with their owner."""

    def __init__(self, seed: int = 7) -> None:
        self.random = random.Random(seed)
        self.objects: dict[str, list[Record]] = {
            REGIONS: [self._region(i) for i in range(12)],
            PRODUCTS: [self._product(i) for i in range(8)],
            CUSTOMERS: [self._customer(i) for i in range(45)],
        }
        self.objects[CONTRACTS] = [self._contract(i) for i in range(12)]
        self.objects[ORDER] = [self._order(i) for i in range(20)]
        self.objects[PAYMENT] = [self._payment(i) for i in range(9)]
        self.goods = [self._line(order, n) for order in self.objects[ORDER] for n in range(self.random.randint(0, 4))]
        self.by_ref = {r["Ref"]: r for records in self.objects.values() for r in records}

    def _pick(self, full_name: str, count: int) -> Ref | None:
        return self.random.choice([None, *(ref(full_name, i) for i in range(count))])

    def _number(self, scale: int) -> Decimal:
        return Decimal(self.random.choice([0, 1, -1, 5, 99999, self.random.randint(-(10**6), 10**6)])).scaleb(-scale)

    def _product(self, i: int) -> Record:
        return {"Ref": ref(PRODUCTS, i), "Code": f"{i:03}", "Description": NAMES[i], "Price": self._number(4)}

    def _region(self, i: int) -> Record:
        parent = ref(REGIONS, self.random.randint(0, i - 1)) if i and self.random.random() < 0.7 else None
        return {"Ref": ref(REGIONS, i), "Description": self.random.choice(NAMES), "Parent": parent, "Code": f"{i:03}"}

    def _anything(self) -> Value:
        return self.random.choice(
            [
                None,
                "Ёлка",
                "",
                BIG,
                Decimal("1.500"),
                Decimal(0),
                MOMENT,
                True,
                False,
                ref(REGIONS, 2),
                ref(PRODUCTS, 1),
            ]
        )

    def _customer(self, i: int) -> Record:
        choose = self.random.choice
        return {
            "Ref": ref(CUSTOMERS, i),
            "Code": f"{i:05}",
            "Description": choose(NAMES),
            "Region": self._pick(REGIONS, 12),
            "Kind": choose([None, BIG, SMALL]),
            "Note": choose(NAMES),
            "Credit": self._number(2),
            "Since": choose([None, MOMENT, dt.datetime(2026, 3, 1), dt.datetime(1999, 1, 1)]),
            "Wholesale": choose([True, False]),
            "Mark": choose([None, uuid.UUID(int=5), uuid.UUID(int=2**120)]),
            "Photo": choose([b"", b"\x00\xff"]),
            "Anything": self._anything(),
            "Parent": None,
            "IsFolder": False,
        }

    def _contract(self, i: int) -> Record:
        owner = self.random.choice([ref(CUSTOMERS, i), ref(PRODUCTS, i % 8), None])
        return {"Ref": ref(CONTRACTS, i), "Code": f"{i:03}", "Description": self.random.choice(NAMES), "Owner": owner}

    def _order(self, i: int) -> Record:
        moment = dt.datetime(2026, self.random.randint(1, 3), self.random.randint(1, 28), 12)
        partner = self._pick(CUSTOMERS, 45)
        return {
            "Ref": ref(ORDER, i),
            "Number": f"{i:05}",
            "Date": moment,
            "Posted": self.random.choice([True, False]),
            "Partner": partner,
            "Amount": self._number(2),
            "Comment": self.random.choice(NAMES),
        }

    def _payment(self, i: int) -> Record:
        return {
            "Ref": ref(PAYMENT, i),
            "Number": f"P{i:04}",
            "Date": dt.datetime(2026, 1, 1 + i),
            "Partner": self._pick(PRODUCTS, 8),
            "Amount": self._number(4),
            "Comment": Decimal(self.random.randint(-5, 5)),
        }

    def _line(self, order: Record, n: int) -> Record:
        quantity = self._number(3)
        return {"Ref": order["Ref"], "LineNumber": n + 1, "Product": self._pick(PRODUCTS, 8), "Quantity": quantity}

    def load(self, store: Store) -> None:
        store.clear()
        for full_name, records in self.objects.items():
            store.objects(full_name, records)
        rows = [(r["Ref"], {k: v for k, v in r.items() if k != "Ref"}) for r in self.goods]
        store.section(ORDER, "Goods", rows)  # type: ignore[arg-type]

    # --- answers ---

    def value(self, record: Mapping[str, Value], path: str, empty: Value = None) -> Value:
        """The value at the end of a path; `empty` where a reference leads nowhere or the object has no such field."""
        found: Value = record[path.split(".")[0]]
        for name in path.split(".")[1:]:
            target = self.by_ref.get(found) if isinstance(found, Ref) else None
            if target is None or name not in target:
                return empty
            found = target[name]
        return found

    def under(self, top: Ref) -> set[Ref]:
        """A region and all below it."""
        found = {top}
        while True:
            more = {r["Ref"] for r in self.objects[REGIONS] if r["Parent"] in found} - found
            if not more:
                return found
            found |= more  # type: ignore[arg-type]

    def holds(self, condition: Condition, record: Mapping[str, Value], empties: Mapping[str, Value]) -> bool:
        match condition:
            case And(parts):
                return all(self.holds(p, record, empties) for p in parts)
            case Or(parts):
                return any(self.holds(p, record, empties) for p in parts)
            case Not(part):
                return not self.holds(part, record, empties)
            case Compare(field, op, wanted):
                return self._compare(self.value(record, field, empties[field]), op, wanted, empties[field])

    def _compare(self, value: Value, op: str, wanted: object, empty: Value) -> bool:
        if op == "is_empty":
            return _same(value, empty) is bool(wanted)
        if op in ("in", "not in"):
            assert isinstance(wanted, Sequence)
            return any(_same(value, empty if w is None else w) for w in wanted) is (op == "in")
        if op == "between":
            low, high = wanted  # type: ignore[misc]
            return self._compare(value, ">=", low, empty) and self._compare(value, "<=", high, empty)
        if op == "in_hierarchy":
            return value in self.under(wanted)  # type: ignore[arg-type]
        if op in ("contains", "starts_with"):
            assert isinstance(wanted, str)
            if not isinstance(value, str):
                return False
            key, part = search_key(value), search_key(wanted)
            return part in key if op == "contains" else key.startswith(part)
        return _ordered(value, op, empty if wanted is None else wanted)


def _same(a: object, b: object) -> bool:
    return type(a) is type(b) and a == b


def _ordered(value: object, op: str, wanted: object) -> bool:
    if op in ("=", "!="):
        return _same(value, wanted) is (op == "=")
    earliest = dt.datetime.min
    a, b = (earliest if x is None else x for x in (value, wanted))
    if type(a) is not type(b):
        return False
    if isinstance(a, str):
        a, b = a.encode(), str(b).encode()
    return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[op]  # type: ignore[operator]


def sort_key(value: Value, *, searchable: bool = False) -> tuple[object, ...]:
    """How values of one simple type are ordered."""
    if isinstance(value, str):
        return (search_key(value).encode(), value.encode()) if searchable else (value.encode(),)
    if isinstance(value, Ref):
        return (value.uuid.bytes,)
    if isinstance(value, EnumValue):
        return (value.name.encode(),)
    return (value,)
