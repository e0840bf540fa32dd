"""A small configuration with every sort of register, and documents for it."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal

from infobase.metadata.model import (
    AccumulationRegister,
    BalanceCheck,
    Catalog,
    Configuration,
    Document,
    Enumeration,
    Field,
    InformationRegister,
    Naming,
    RegisterRecords,
    TabularSection,
)
from infobase.metadata.types import (
    BooleanType,
    CompositeType,
    DateType,
    EnumType,
    NumberType,
    Ref,
    RefType,
    StringType,
    Value,
    ValueStorageType,
    ValueType,
)

STOCK = "AccumulationRegister.Stock"
SALES = "AccumulationRegister.Sales"
PRICES = "InformationRegister.Prices"
STATES = "InformationRegister.OrderStates"
ORDER = "Document.Order"


def _field(name: str, ru: str, value_type: ValueType, **options: object) -> Field:
    return Field(Naming(name, ru), value_type, **options)  # type: ignore[arg-type]


QUANTITY = ("Quantity", "Количество", NumberType(15, 3))
AMOUNT = ("Amount", "Сумма", NumberType(15, 2))
PRODUCT = ("Product", "Номенклатура", RefType("Catalog.Products"))
WAREHOUSE = ("Warehouse", "Склад", RefType("Catalog.Warehouses"))
STATE = ("State", "Состояние", EnumType("Enumeration.States"))

CHECK = BalanceCheck(STOCK, "balance.Quantity >= 0")

STOCK_REGISTER = AccumulationRegister(
    Naming("Stock", "ТоварыНаСкладах"),
    dimensions=(_field(*WAREHOUSE, required=True), _field(*PRODUCT)),
    resources=(_field(*QUANTITY), _field(*AMOUNT)),
    attributes=(_field("Comment", "Комментарий", StringType(50)),),
    recorders=(ORDER,),
)
SALES_REGISTER = AccumulationRegister(
    Naming("Sales", "Продажи"),
    dimensions=(
        _field(*PRODUCT),
        _field(*STATE),
        _field(
            "Basis",
            "Основание",
            CompositeType((RefType("Catalog.Warehouses"), RefType("Catalog.Products"), StringType(20))),
        ),
        _field("Urgent", "Срочно", BooleanType()),
        _field("Due", "Срок", DateType()),
        _field("Rate", "Ставка", NumberType(4, 2)),
    ),
    resources=(_field(*QUANTITY), _field(*AMOUNT)),
    register_type="Turnovers",
    recorders=(ORDER,),
)
PRICES_REGISTER = InformationRegister(
    Naming("Prices", "Цены"),
    dimensions=(_field(*PRODUCT, required=True), _field("Kind", "Вид", StringType(20))),
    resources=(_field("Price", "Цена", NumberType(15, 2)),),
    attributes=(_field("Image", "Картинка", ValueStorageType()),),
    periodicity="Month",
)
STATES_REGISTER = InformationRegister(
    Naming("OrderStates", "СостоянияЗаказов"),
    dimensions=(_field("Order", "Заказ", RefType("Document.Order")),),
    resources=(_field(*STATE),),
    periodicity="Day",
    write_mode="RecorderSubordinate",
    recorders=(ORDER,),
)
ORDER_DOCUMENT = Document(
    Naming("Order", "Заказ"),
    attributes=(
        _field(*WAREHOUSE),
        _field(*STATE),
        _field("Incoming", "Приход", BooleanType()),
        _field("Limited", "Ограничивать", BooleanType()),
    ),
    tabular_sections=(
        TabularSection(Naming("Goods", "Товары"), (_field(*PRODUCT), _field(*QUANTITY), _field(*AMOUNT))),
    ),
    register_records=(
        RegisterRecords(
            STOCK,
            {
                "Warehouse": "doc.Warehouse",
                "Product": "row.Product",
                "Quantity": "row.Quantity",
                "Amount": "row.Amount",
            },
            each="Goods",
            when="doc.Incoming",
            record_type="Receipt",
        ),
        RegisterRecords(
            STOCK,
            {
                "Warehouse": "doc.Warehouse",
                "Product": "row.Product",
                "Quantity": "row.Quantity",
                "Amount": "row.Amount",
            },
            each="Goods",
            when="not doc.Incoming",
            record_type="Expense",
        ),
        RegisterRecords(
            SALES,
            {
                "Product": "row.Product",
                "State": "doc.State",
                "Basis": "doc.Warehouse",
                "Urgent": "doc.Incoming",
                "Quantity": "row.Quantity",
                "Amount": "row.Amount / 3",
            },
            each="Goods",
        ),
        RegisterRecords(STATES, {"Order": "doc.Ref", "State": "doc.State"}),
    ),
    balance_checks=(
        CHECK,
        BalanceCheck(STOCK, "balance.Amount <= 100000 and balance.Quantity <= 5000", when="doc.Limited"),
    ),
)

CONFIGURATION = Configuration(
    Naming("Sample", "Пример"),
    "1.0",
    objects={
        o.full_name: o
        for o in (
            Catalog(Naming("Warehouses", "Склады")),
            Catalog(Naming("Products", "Номенклатура")),
            ORDER_DOCUMENT,
            Enumeration(Naming("States", "Состояния"), (Naming("Open", "Открыт"), Naming("Won", "Выигран"))),
            PRICES_REGISTER,
            STATES_REGISTER,
            STOCK_REGISTER,
            SALES_REGISTER,
        )
    },
)


def ref(catalog: str, number: int) -> Ref:
    """The same reference for the same number; in an order that is not that of numbers."""
    return Ref(f"Catalog.{catalog}", uuid.uuid5(uuid.NAMESPACE_OID, f"{catalog}{number}"))


def order_ref(number: int) -> Ref:
    return Ref(ORDER, uuid.uuid5(uuid.NAMESPACE_OID, f"order{number}"))


MAIN = ref("Warehouses", 0)


def movement(kind: str, product: int, quantity: object, amount: object = 0, **other: Value) -> dict[str, Value]:
    """A record of the stock register."""
    record: dict[str, Value] = {
        "Period": dt.datetime(2024, 3, 15, 12),
        "RecordType": kind,
        "Warehouse": MAIN,
        "Product": ref("Products", product),
        "Quantity": Decimal(str(quantity)),
        "Amount": Decimal(str(amount)),
    }
    return record | other


def order(
    number: int, goods: Sequence[tuple[int, object, object]], **header: Value
) -> tuple[dict[str, Value], dict[str, list[Mapping[str, Value]]]]:
    """Values and sections of an order: (product, quantity, amount) lines."""
    values: dict[str, Value] = {
        "Ref": order_ref(number),
        "Date": dt.datetime(2024, 3, 15, 12, 30, 5),
        "Number": f"{number:05}",
        "Warehouse": MAIN,
        "State": None,
        "Incoming": False,
        "Limited": False,
    }
    rows: list[Mapping[str, Value]] = [
        {"Product": ref("Products", p), "Quantity": Decimal(str(q)), "Amount": Decimal(str(a))} for p, q, a in goods
    ]
    return values | header, {"Goods": rows}
