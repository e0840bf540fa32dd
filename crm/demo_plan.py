"""The plan of the demonstration month, January 2026: who, what and when, as plain data. Depends on the seed and the scale alone: no clock,
no network, one random generator per part, so that a change in one part leaves the others as they were."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from crm import demo_words as words
from crm.procedures import barcode_with_key, inn_with_key, ogrn_with_key

SEED = 20260201
FIRST_DAY, MONTH_END = dt.datetime(2026, 1, 12), dt.datetime(2026, 1, 31, 19)
"""The first working day after the holidays, and the moment after which nothing happens."""
SECOND_DELIVERY = dt.datetime(2026, 1, 21, 8)


@dataclass(frozen=True, slots=True)
class Scale:
    customers: int
    main_deals: int
    repeat_deals: int
    tender_deals: int


SCALES = {"XS": Scale(6, 8, 4, 1), "S": Scale(40, 80, 36, 5), "M": Scale(400, 800, 360, 50)}
"""S: about 350 documents, some seconds. XS is for tests."""

FUNNELS: dict[str, tuple[tuple[tuple[str, float], ...], str, str]] = {
    "Main": (
        (("FirstContact", 0.78), ("Qualification", 0.74), ("Needs", 0.76), ("Quote", 0.64), ("Negotiation", 0.76), ("ContractAndInvoice", 0.88)),
        "Won",
        "Lost",
    ),
    "Repeat": ((("RepeatNeed", 0.9), ("RepeatInvoice", 0.92)), "RepeatWon", "RepeatLost"),
    "Tenders": ((("TenderSearch", 0.8), ("TenderApplication", 0.8), ("TenderAuction", 0.5), ("TenderContract", 0.9)), "TenderWon", "TenderLost"),
}  # fmt: skip
"""Pipeline -> (open stages with the chance to pass, the won stage, the lost stage), predefined names of Catalog.Stages."""
INVOICE_STAGES = {"ContractAndInvoice", "RepeatInvoice", "TenderContract"}
SOURCES = ("Website", "Advertising", "Recommendations", "Exhibition", "ColdCalls", "Mailing")
REFUSALS = ("Expensive", "Competitor", "NoBudget", "NoNeed", "NoAnswer", "Timing")


@dataclass(frozen=True, slots=True)
class Company:
    name: str
    full_name: str
    legal_form: str
    inn: str
    kpp: str
    ogrn: str
    region: str
    industry: str
    address: str
    phone: str
    email: str
    manager: int
    source: str
    contact: str
    contact_position: str


@dataclass(frozen=True, slots=True)
class Product:
    """`price` contains VAT, `cost` does not, as goods are kept in stock."""

    group: str
    name: str
    article: str
    barcode: str
    price: Decimal
    cost: Decimal

    @property
    def is_service(self) -> bool:
        return not self.barcode


@dataclass(frozen=True, slots=True)
class Step:
    """A stay on a stage. `left` None: still there at the end of the month; `passed` says how it ended."""

    stage: str
    entered: dt.datetime
    left: dt.datetime | None
    passed: bool


@dataclass(frozen=True, slots=True)
class Deal:
    """`lines`: (product, quantity). `outcome`: "Won" | "Lost" | "Open". `paid`: share of the amount paid in the month."""

    pipeline: str
    customer: int
    manager: int
    source: str
    lines: tuple[tuple[int, int], ...]
    steps: tuple[Step, ...]
    outcome: str
    refusal: str
    paid: Decimal
    from_lead: bool

    @property
    def invoiced_at(self) -> dt.datetime | None:
        """When order and invoice are made out: on entering the stage for it."""
        return next((s.entered for s in self.steps if s.stage in INVOICE_STAGES), None)

    @property
    def closed_at(self) -> dt.datetime | None:
        return None if self.outcome == "Open" else self.steps[-1].entered


@dataclass(frozen=True, slots=True)
class Delivery:
    at: dt.datetime
    supplier: int
    lines: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """`sellers`: indexes into demo_words.STAFF. Indexes in deals and deliveries point into these tuples."""

    customers: tuple[Company, ...]
    suppliers: tuple[Company, ...]
    products: tuple[Product, ...]
    deals: tuple[Deal, ...]
    deliveries: tuple[Delivery, ...]


SELLERS = tuple(i for i, person in enumerate(words.STAFF) if "менеджер" in person[3])


def make_plan(scale: str = "S") -> Plan:
    """The plan of this scale (a key of SCALES)."""
    size = SCALES[scale]
    customers = tuple(_companies(_rng("customers"), size.customers, 0))
    suppliers = tuple(_companies(_rng("suppliers"), 3, 1000))
    products = tuple(_products(_rng("products")))
    deals = tuple(_deals(_rng("deals"), size, customers, products))
    return Plan(customers, suppliers, products, deals, tuple(_deliveries(_rng("deliveries"), products, deals)))


def _rng(part: str) -> random.Random:
    return random.Random(f"{SEED}/{part}")


def _companies(rng: random.Random, count: int, offset: int) -> Iterator[Company]:
    for index in range(count):
        code, city = rng.choice(words.CITIES)
        number = index + offset
        trader = index % 7 == 6
        person = _person(rng)
        stem = words.STEMS[number % len(words.STEMS)] + (
            f" {number // len(words.STEMS) + 1}" if number >= len(words.STEMS) else ""
        )
        name = f"ИП {person}" if trader else f"{rng.choice(('ООО', 'ООО', 'АО'))} «{stem}»"
        inn = (
            inn_with_key(f"{code}{rng.randrange(10**8):08d}00")
            if trader
            else inn_with_key(f"{code}{rng.randrange(10**7):07d}0")
        )
        ogrn = (
            f"3{20 + index % 5}{code}{rng.randrange(10**9):09d}0"
            if trader
            else f"1{15 + index % 9}{code}7{rng.randrange(10**6):06d}0"
        )
        yield Company(
            name=name,
            full_name=name.replace("ООО", "Общество с ограниченной ответственностью").replace(
                "АО", "Акционерное общество"
            ),
            legal_form="SoleTrader" if trader else "LegalEntity",
            inn=inn,
            kpp="" if trader else f"{code}{rng.randrange(1, 60):02d}01001",
            ogrn=ogrn_with_key(ogrn),
            region=city,
            industry=rng.choice(words.INDUSTRIES),
            address=f"г. {city}, {rng.choice(words.STREETS)}, д. {rng.randrange(1, 120)}",
            phone=f"+7 (000) {number:03d}-{rng.randrange(100):02d}-{rng.randrange(100):02d}",
            email=f"info{number}@company{number}.example",
            manager=SELLERS[index % len(SELLERS)],
            source=rng.choice(SOURCES),
            contact=person if trader else _person(rng),
            contact_position=rng.choice(words.POSITIONS),
        )


def _person(rng: random.Random) -> str:
    surname = rng.choice(words.SURNAMES)
    if rng.random() < 0.5:
        return f"{surname} {rng.choice(words.MALE_NAMES)}"
    return f"{surname}а {rng.choice(words.FEMALE_NAMES)}"


def _products(rng: random.Random) -> Iterator[Product]:
    for index, (group, name, price) in enumerate(words.GOODS):
        cost = Decimal(price * rng.randrange(40, 56) // 100)
        yield Product(
            group, name, f"A-{index + 1:04d}", barcode_with_key(f"460000000{index + 1:03d}"), Decimal(price), cost
        )
    for index, (name, price) in enumerate(words.SERVICES):
        yield Product("Услуги", name, f"S-{index + 1:04d}", "", Decimal(price), Decimal(price * 33 // 100))


def _deals(
    rng: random.Random, size: Scale, customers: tuple[Company, ...], products: tuple[Product, ...]
) -> Iterator[Deal]:
    kinds = ["Main"] * size.main_deals + ["Repeat"] * size.repeat_deals + ["Tenders"] * size.tender_deals
    for pipeline in kinds:
        customer = rng.randrange(len(customers))
        steps, outcome = _walk(rng, pipeline)
        count = rng.choice((1, 2, 3, 4, 5, 5))
        picked = sorted(rng.sample(range(len(products)), count))
        yield Deal(
            pipeline=pipeline,
            customer=customer,
            manager=customers[customer].manager,
            source=customers[customer].source if pipeline == "Main" else "Recommendations",
            lines=tuple((p, rng.randrange(1, 4) if products[p].is_service else rng.randrange(1, 21)) for p in picked),
            steps=steps,
            outcome=outcome,
            refusal=rng.choice(REFUSALS) if outcome == "Lost" else "",
            paid=rng.choice((Decimal(1), Decimal(1), Decimal(1), Decimal("0.5"), Decimal(0))),
            from_lead=pipeline == "Main" and rng.random() < 0.6,
        )


def _walk(rng: random.Random, pipeline: str) -> tuple[tuple[Step, ...], str]:
    """The way of one deal through its funnel until it is won, lost, or the month ends."""
    stages, won, lost = FUNNELS[pipeline]
    at = _working_time(rng, FIRST_DAY + dt.timedelta(days=rng.randrange(0, 14)))
    steps: list[Step] = []
    for stage, chance in stages:
        left = _working_time(rng, at + dt.timedelta(days=rng.choice((1, 1, 2, 2, 3))))
        if left > MONTH_END:
            return (*steps, Step(stage, at, None, False)), "Open"
        passed = rng.random() < chance
        steps.append(Step(stage, at, left, passed))
        at = left
        if not passed:
            return (*steps, Step(lost, at, None, False)), "Lost"
    return (*steps, Step(won, at, None, False)), "Won"


def _working_time(rng: random.Random, day: dt.datetime) -> dt.datetime:
    """A moment of business hours on that day, or on Monday when it is a weekend."""
    while day.weekday() >= 5:
        day += dt.timedelta(days=1)
    return day.replace(hour=rng.randrange(9, 18), minute=rng.randrange(60), second=rng.randrange(60))


def _deliveries(rng: random.Random, products: tuple[Product, ...], deals: tuple[Deal, ...]) -> Iterator[Delivery]:
    """Two waves: enough for the sales before the second one, then enough for the rest, each with something to spare."""
    early, late = [0] * len(products), [0] * len(products)
    for deal in deals:
        if deal.outcome == "Won" and deal.closed_at is not None:
            wave = early if deal.closed_at < SECOND_DELIVERY else late
            for product, quantity in deal.lines:
                wave[product] += quantity
    for start, wanted, spare in ((FIRST_DAY.replace(hour=8), early, 12), (SECOND_DELIVERY, late, 6)):
        for supplier in range(3):
            picked = [p for p in range(len(products)) if p % 3 == supplier and not products[p].is_service]
            lines = tuple((p, wanted[p] + rng.randrange(spare)) for p in picked)
            yield Delivery(start + dt.timedelta(minutes=10 * supplier), supplier, tuple((p, q) for p, q in lines if q))
