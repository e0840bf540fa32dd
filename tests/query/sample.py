"""A configuration with everything a query can go through: hierarchies, owners, composites, documents with sections, registers of each sort."""

from __future__ import annotations

from infobase.metadata.model import (
    AccumulationRegister,
    Catalog,
    Configuration,
    Document,
    Enumeration,
    Field,
    InformationRegister,
    Naming,
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

REGIONS, CUSTOMERS, PRODUCTS, CONTRACTS = (
    "Catalog.Regions",
    "Catalog.Customers",
    "Catalog.Products",
    "Catalog.Contracts",
)
ORDER, PAYMENT = "Document.Order", "Document.Payment"
STOCK, SALES, PRICES, STATES = (
    "AccumulationRegister.Stock",
    "AccumulationRegister.Sales",
    "InformationRegister.Prices",
    "InformationRegister.OrderStates",
)
KINDS = "Enumeration.Kinds"


def _field(name: str, ru: str, value_type: ValueType, **options: object) -> Field:
    return Field(Naming(name, ru), value_type, **options)  # type: ignore[arg-type]


ANYTHING = CompositeType(
    (
        RefType(REGIONS),
        RefType(PRODUCTS),
        EnumType(KINDS),
        StringType(30),
        NumberType(10, 3),
        DateType(),
        BooleanType(),
        UUIDType(),
    )
)

_OBJECTS = (
    Catalog(Naming("Regions", "Регионы"), hierarchy="Items"),
    Catalog(
        Naming("Customers", "Контрагенты"),
        attributes=(
            _field("Region", "Регион", RefType(REGIONS)),
            _field("Kind", "Вид", EnumType(KINDS)),
            _field("Note", "Заметка", StringType(50)),
            _field("Credit", "Кредит", NumberType(12, 2)),
            _field("Since", "Начало", DateType()),
            _field("Wholesale", "Опт", BooleanType()),
            _field("Mark", "Метка", UUIDType()),
            _field("Photo", "Фото", ValueStorageType()),
            _field("Anything", "Прочее", ANYTHING),
        ),
        hierarchy="FoldersAndItems",
    ),
    Catalog(Naming("Products", "Номенклатура"), attributes=(_field("Price", "Цена", NumberType(12, 4)),)),
    Catalog(Naming("Contracts", "Договоры"), owners=(CUSTOMERS, PRODUCTS)),
    Document(
        Naming("Order", "ЗаказПокупателя"),
        attributes=(
            _field("Partner", "Партнер", RefType(CUSTOMERS)),
            _field("Amount", "Сумма", NumberType(12, 2)),
            _field("Comment", "Комментарий", StringType(40)),
        ),
        tabular_sections=(
            TabularSection(
                Naming("Goods", "Товары"),
                (
                    _field("Product", "Товар", RefType(PRODUCTS)),
                    _field("Quantity", "Количество", NumberType(10, 3)),
                ),
            ),
        ),
    ),
    Document(
        Naming("Payment", "Оплата"),
        attributes=(
            _field("Partner", "Партнер", RefType(PRODUCTS)),
            _field("Amount", "Сумма", NumberType(10, 4)),
            _field("Comment", "Комментарий", NumberType(5, 0)),
        ),
    ),
    Enumeration(Naming("Kinds", "Виды"), (Naming("Big", "Крупный"), Naming("Small", "Мелкий"))),
    AccumulationRegister(
        Naming("Stock", "ТоварыНаСкладах"),
        dimensions=(_field("Product", "Товар", RefType(PRODUCTS)), _field("Place", "Место", RefType(REGIONS))),
        resources=(_field("Quantity", "Количество", NumberType(15, 3)), _field("Amount", "Сумма", NumberType(15, 2))),
        attributes=(_field("Remark", "Примечание", StringType(20)),),
        recorders=(ORDER, PAYMENT),
    ),
    AccumulationRegister(
        Naming("Sales", "Продажи"),
        dimensions=(_field("Customer", "Контрагент", RefType(CUSTOMERS)), _field("Kind", "Вид", EnumType(KINDS))),
        resources=(_field("Amount", "Сумма", NumberType(15, 2)),),
        register_type="Turnovers",
        recorders=(ORDER,),
    ),
    InformationRegister(
        Naming("Prices", "Цены"),
        dimensions=(_field("Product", "Товар", RefType(PRODUCTS)), _field("List", "Прайс", StringType(10))),
        resources=(_field("Price", "Цена", NumberType(12, 2)),),
        periodicity="Day",
    ),
    InformationRegister(
        Naming("OrderStates", "СостоянияЗаказов"),
        dimensions=(_field("Order", "Заказ", RefType(ORDER)),),
        resources=(_field("State", "Состояние", StringType(10)),),
        periodicity="Second",
        write_mode="RecorderSubordinate",
        recorders=(ORDER,),
    ),
)

CONFIGURATION = Configuration(Naming("Sample", "Пример"), "1.0", objects={o.full_name: o for o in _OBJECTS})
