"""A configuration with every kind of column and table, and random content for it, without the object layer: rows as they travel."""

from __future__ import annotations

import datetime as dt
import random
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa

from infobase.arrow import arrow_schema
from infobase.metadata.model import (
    AccumulationRegister,
    Catalog,
    Configuration,
    Constant,
    Document,
    Enumeration,
    Field,
    InformationRegister,
    Naming,
    Numbering,
    RegisterRecords,
    TabularSection,
)
from infobase.metadata.types import (
    BooleanType,
    CompositeType,
    DateType,
    EnumType,
    NumberType,
    RefType,
    StringType,
    UUIDType,
    ValueStorageType,
    ValueType,
)
from infobase.schema.layout import FieldLayout, Layout, build_layout
from infobase.storage import Column, Table

PRODUCTS, ORDERS, COLORS = "Catalog.Products", "Document.Orders", "Enumeration.Colors"
LETTERS = "абвгдеёжзАБЯЁabcXYZ019 -'\"%\\\n\t𝄞ßİ"


def field(name: str, ru: str, kind: ValueType, **options: Any) -> Field:
    return Field(Naming(name, ru), kind, **options)


def _catalog() -> Catalog:
    extra = (
        field("Price", "Цена", NumberType(15, 2)),
        field("Weight", "Вес", NumberType(18, 6)),
        field("Made", "Изготовлен", DateType()),
        field("Sold", "Продаётся", BooleanType()),
        field("Mark", "Метка", UUIDType()),
        field("Picture", "Картинка", ValueStorageType()),
        field("Color", "Цвет", EnumType(COLORS)),
        field("Note", "Заметка", StringType(), searchable=True),
        field("Similar", "Похожий", RefType(PRODUCTS)),
        field(
            "Anything",
            "Всякое",
            CompositeType(
                (
                    RefType(PRODUCTS),
                    EnumType(COLORS),
                    StringType(20),
                    NumberType(10, 3),
                    DateType(),
                    BooleanType(),
                    UUIDType(),
                )
            ),
        ),
    )
    parts = TabularSection(
        Naming("Parts", "Части"),
        (field("Part", "Часть", RefType(PRODUCTS)), field("Count", "Количество", NumberType(10, 3))),
    )
    return Catalog(Naming("Products", "Товары"), extra, (parts,), hierarchy="FoldersAndItems")


def _document() -> Document:
    goods = TabularSection(
        Naming("Goods", "Товары"),
        (field("Product", "Товар", RefType(PRODUCTS)), field("Quantity", "Количество", NumberType(15, 3))),
    )
    movement = RegisterRecords(
        "AccumulationRegister.Stock",
        {"Product": "row.Product", "Quantity": "row.Quantity"},
        each="Goods",
        record_type="Receipt",
    )
    return Document(
        Naming("Orders", "Заказы"),
        (field("Product", "Товар", RefType(PRODUCTS)),),
        (goods,),
        number=Numbering(length=11, periodicity="Quarter"),
        register_records=(movement,),
    )


def configuration() -> Configuration:
    """Valid as a read one would be."""
    objects = (
        _catalog(),
        _document(),
        Enumeration(Naming("Colors", "Цвета"), (Naming("Red", "Красный"), Naming("Green", "Зелёный"))),
        Constant(field("Title", "Заголовок", StringType(100))),
        InformationRegister(
            Naming("Prices", "Цены"),
            (field("Product", "Товар", RefType(PRODUCTS)),),
            (field("Price", "Цена", NumberType(15, 2)),),
            periodicity="Day",
        ),
        AccumulationRegister(
            Naming("Stock", "Запасы"),
            (field("Product", "Товар", RefType(PRODUCTS)),),
            (field("Quantity", "Количество", NumberType(15, 3)),),
            recorders=(ORDERS,),
        ),
    )
    return Configuration(Naming("Sample", "Образец"), "1.0.0", objects={o.full_name: o for o in objects})


# --- content ---


class Content:
    """Rows of every dumped table, made by chance from a seed; references and types hold together."""

    def __init__(self, layout: Layout, seed: int, rows: int) -> None:
        self._random = random.Random(seed)
        self._rows = rows
        self.layout = layout
        self.products = sorted((self._uuid() for _ in range(rows)), key=lambda u: u.bytes)
        self.orders = sorted((self._uuid() for _ in range(rows)), key=lambda u: u.bytes)
        self._fields = {c.name: f for t in self._held() for f in t for c in f.columns}
        self.rows = {t.name: self._table(t) for t in layout.dumped}

    def batches(self, table: Table, size: int = 1000) -> Iterator[pa.RecordBatch]:
        """Dumped columns in canonical form."""
        schema = arrow_schema(table.dumped_columns)
        rows = self.rows[table.name]
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            columns = [pa.array([r[i] for r in part], t) for i, t in enumerate(schema.types)]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    def _held(self) -> Iterator[tuple[FieldLayout, ...]]:
        yield self.layout.constants
        for o in self.layout.objects.values():
            yield o.fields
            yield from (s.fields for s in o.sections.values())
        yield from (r.fields for r in self.layout.registers.values())

    def _uuid(self) -> uuid.UUID:
        return uuid.UUID(int=self._random.getrandbits(128) or 1)

    def _text(self) -> str:
        return "".join(self._random.choices(LETTERS, k=self._random.randrange(0, 12)))

    def _number(self, column: Column) -> Decimal:
        edge = 10**column.digits - 1
        whole = self._random.choice([0, edge, -edge, self._random.randint(-edge, edge), 1, -1])
        return Decimal(whole).scaleb(-column.scale)

    def _date(self) -> dt.datetime:
        edges = [dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59), dt.datetime(1969, 12, 31, 23, 59, 59)]
        return self._random.choice(
            [*edges, dt.datetime(2000, 1, 1) + dt.timedelta(seconds=self._random.randrange(10**9))]
        )

    def _value(self, column: Column) -> object:
        match column.kind:
            case "uuid":
                return self._random.choice(self.products).bytes if self.products else bytes(16)
            case "text":
                return self._text()
            case "decimal":
                return self._number(column)
            case "timestamp":
                return self._date()
            case "bool":
                return self._random.random() < 0.5
            case "binary":
                return self._random.randbytes(self._random.choice([0, 1, 50]))
            case "int":
                return self._random.randrange(10**9)

    def _row(self, table: Table, given: dict[str, object]) -> tuple[object, ...]:
        row = {c.name: given[c.name] if c.name in given else self._value(c) for c in table.dumped_columns}
        return tuple(row.values())

    def _table(self, table: Table) -> list[tuple[object, ...]]:
        layout = self.layout
        stock, prices = (
            layout.registers["AccumulationRegister.Stock"].table,
            layout.registers["InformationRegister.Prices"].table,
        )
        small: dict[str, object] = {"quantity": Decimal("1.500"), "record_type": "Receipt", "active": True}
        if table.name == layout.objects[PRODUCTS].table.name:
            keys: list[dict[str, object]] = [
                {"ref": u.bytes, "code": f"{i:09}", "color": "Red", "anything__type": "String", "parent": bytes(16)}
                for i, u in enumerate(self.products)
            ]
        elif table.name == layout.objects[ORDERS].table.name:
            keys = [{"ref": u.bytes, "number": f"{i:011}", "posted": True} for i, u in enumerate(self.orders)]
        elif "line_number" in table.primary_key and table.primary_key[0] == "ref":
            owners = (
                self.products if table.name == layout.objects[PRODUCTS].sections["Parts"].table.name else self.orders
            )
            keys = [{"ref": u.bytes, "line_number": n, **small} for u in owners for n in (1, 2)]
        elif table.name == stock.name:
            keys = [
                {"recorder": u.bytes, "recorder__type": ORDERS, "line_number": n, **small}
                for u in self.orders
                for n in (1, 2)
            ]
        elif table.name == prices.name:
            days = [dt.datetime(2020, 1, 1), dt.datetime(2021, 1, 1)]
            keys = [{"product": u.bytes, "period": d} for u in self.products for d in days]
        elif table.name == layout.constants_table.name:
            keys = [{"row_key": 0}]
        else:
            keys = []
        return [self._row(table, k) for k in keys]


def sample(seed: int = 1, rows: int = 20) -> tuple[Configuration, Content]:
    made = configuration()
    return made, Content(build_layout(made), seed, rows)
